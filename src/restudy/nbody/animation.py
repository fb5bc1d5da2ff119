"""A moving picture of orbits: one SVG that loops in any browser, without a script or a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.errors import NBodyError

WIDTH: Final = 480  # of the picture [px]
_MARGIN: Final = 1.12  # of the field of view over the farthest orbit
_HEAD: Final = 26  # height of a line of the legend [px]


@dataclass(frozen=True)
class Track:
    """The same bodies in one run.

    Attributes
    ----------
    name : str
        Says in the legend which run it is.
    colour : str
        Of its marks, as CSS.
    positions : ndarray, shape (frames, bodies, 2)
        On the plane of the picture, the star at the origin [au].
    radius : float
        Of its marks [px]; those of runs that may coincide differ.
    """

    name: str
    colour: str
    positions: NDArray[np.float64]
    radius: float = 5.0


def movie(tracks: Sequence[Track], *, title: str, seconds: float = 8.0, name: str) -> str:
    """Draw bodies that move along their orbits, one colour for each run.

    The orbits themselves are those of the first run. The picture stands still on its first frame
    where the reader's system asks for less motion, and pauses under the pointer.

    Parameters
    ----------
    tracks : sequence of Track
        Runs with as many frames and bodies as each other, frames at equal intervals.
    title : str
        What is seen, for those who do not see it.
    seconds : float
        Of one round.
    name : str
        Distinguishes this picture from others on the page.

    Returns
    -------
    str
        The SVG, to be shown as HTML.

    Raises
    ------
    NBodyError
        If there are no tracks, or they differ in frames or bodies.
    """
    if not tracks:
        raise NBodyError("a moving picture needs at least one track; none was given.")
    shapes = {track.positions.shape for track in tracks}
    if len(shapes) > 1:
        raise NBodyError(f"all tracks must have as many frames and bodies; found {sorted(shapes)}.")
    reach = _MARGIN * max(float(np.abs(track.positions).max()) for track in tracks)
    scale = WIDTH / (2 * reach)
    height = WIDTH + _HEAD * len(tracks)
    marks, rules = [], []
    for number, track in enumerate(tracks):
        for body in range(track.positions.shape[1]):
            key = f"{name}-{number}-{body}"
            path = track.positions[:, body] * scale
            rules.append(_keyframes(key, path))
            first = f"translate({path[0, 0]:.1f}px,{-path[0, 1]:.1f}px)"
            marks.append(
                f'<circle r="{track.radius}" fill="{track.colour}" '
                f'style="transform:{first};animation-name:{key}"/>'
            )
    orbits = "".join(
        _orbit(tracks[0].positions[:, body] * scale) for body in range(tracks[0].positions.shape[1])
    )
    centre = f"translate({WIDTH / 2},{WIDTH / 2 + _HEAD * len(tracks)})"
    return (
        f'<svg id="{name}" class="orbits" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'style="max-width:{WIDTH}px;width:100%;color:inherit" '
        'xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title><style>"
        f"#{name} circle{{animation-duration:{seconds}s;animation-timing-function:linear;"
        "animation-iteration-count:infinite}"
        f"#{name}:hover circle{{animation-play-state:paused}}"
        f"@media (prefers-reduced-motion:reduce){{#{name} circle{{animation:none}}}}"
        f"{''.join(rules)}</style>"
        f"{_legend(tracks)}{_bar(reach, scale, height)}"
        f'<g transform="{centre}">{orbits}'
        f'<path d="M-6 0H6M0 -6V6" stroke="currentColor" stroke-width="1.5"/>'
        f"{''.join(marks)}</g></svg>"
    )


def _keyframes(key: str, path: NDArray[np.float64]) -> str:
    """Say where one body is over time, as CSS."""
    share = np.linspace(0, 100, len(path))
    frames = "".join(
        f"{s:.4g}%{{transform:translate({x:.1f}px,{-y:.1f}px)}}"
        for s, (x, y) in zip(share, path, strict=True)
    )
    return f"@keyframes {key}{{{frames}}}"


def _orbit(path: NDArray[np.float64]) -> str:
    """Draw where one body goes."""
    points = " ".join(f"{x:.1f},{-y:.1f}" for x, y in path)
    return f'<polyline points="{points}" fill="none" stroke="currentColor" opacity="0.35"/>'


def _legend(tracks: Sequence[Track]) -> str:
    """Name the runs, one line each."""
    return "".join(
        f'<circle r="{track.radius}" cx="14" cy="{_HEAD * (line + 0.5):.0f}" '
        f'fill="{track.colour}" style="animation:none"/>'
        f'<text x="28" y="{_HEAD * (line + 0.5) + 5:.0f}" font-size="15" fill="currentColor">'
        f"{escape(track.name)}</text>"
        for line, track in enumerate(tracks)
    )


def _bar(reach: float, scale: float, height: float) -> str:
    """Draw a bar of a round length, about a quarter of the picture."""
    length = 10 ** np.floor(np.log10(reach / 2))
    length *= max(factor for factor in (1, 2, 5) if factor * length <= reach / 2)
    x = WIDTH - 14 - length * scale
    return (
        f'<path d="M{x:.1f} {height - 14}h{length * scale:.1f}" stroke="currentColor" '
        'stroke-width="2"/>'
        f'<text x="{x:.1f}" y="{height - 20}" font-size="14" fill="currentColor">{length:g} au'
        "</text>"
    )
