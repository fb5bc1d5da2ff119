"""Moving pictures of orbits."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from restudy.nbody.animation import WIDTH, Track, movie
from restudy.nbody.errors import NBodyError


def circle(frames: int = 9, radius: float = 2.0) -> np.ndarray:
    """One body on a circle, counterclockwise from the right."""
    angle = np.linspace(0, 2 * np.pi, frames)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None]


def drawn(svg: str) -> np.ndarray:
    """Places of the first body in its keyframes [px]."""
    frames = re.search(r"@keyframes one-0-0\{(.*?\})\}", svg)
    assert frames is not None
    found = re.findall(r"translate\((-?[\d.]+)px,(-?[\d.]+)px\)", frames.group(1))
    return np.array(found, dtype=float)


def test_bodies_are_drawn_where_they_are() -> None:
    svg = movie([Track("exact", "#000", circle())], title="a circle", name="one")
    path = drawn(svg)
    assert path.shape == (9, 2)
    radii = np.hypot(*path.T)
    assert radii == pytest.approx(np.full(9, WIDTH / 2 / 1.12), abs=0.1)
    assert path[2] == pytest.approx([0, -WIDTH / 2 / 1.12], abs=0.1)  # up is up


def test_it_is_one_svg_that_loads_nothing() -> None:
    two = [Track("exact", "#000", circle()), Track("a < b", "#0a0", circle(radius=1.0))]
    svg = movie(two, title="two & two", name="one")
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 4  # and two of the legend
    assert "href" not in svg
    assert "<script" not in svg
    assert "prefers-reduced-motion" in svg


def test_the_bar_is_round_and_to_scale() -> None:
    svg = movie([Track("exact", "#000", circle(radius=30.0))], title="a circle", name="one")
    bar = re.search(r'd="M[\d.]+ \d+h([\d.]+)"', svg)
    assert bar is not None
    assert ">10 au<" in svg
    assert float(bar.group(1)) == pytest.approx(10 * WIDTH / (2 * 1.12 * 30), abs=0.1)


@pytest.mark.parametrize("tracks", [[], [circle(), circle(frames=5)]])
def test_tracks_that_do_not_match_are_refused(tracks: list[np.ndarray]) -> None:
    with pytest.raises(NBodyError, match=r"at least one track|as many frames"):
        movie([Track("x", "#000", each) for each in tracks], title="none", name="one")
