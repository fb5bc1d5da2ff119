"""Every figure of the chapter draws what it was given, with labelled axes."""

from collections.abc import Iterator, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from restudy import style
from restudy.qnet import (
    experiments_chain,
    experiments_ensembles,
    experiments_nv,
    experiments_switch,
    figures,
    figures_ensembles,
    figures_nv,
    figures_switch,
)
from restudy.qnet.moments import Moments
from restudy.qnet.optimise import Optimum


@pytest.fixture(autouse=True)
def book_style() -> Iterator[None]:
    with plt.rc_context():
        style.use()
        yield
    plt.close("all")


def drawn(*panels: Axes) -> None:
    """Render the figure: nothing warns, and every axis says what it shows."""
    panels[0].figure.canvas.draw()
    assert panels[-1].get_xlabel()
    assert all(ax.get_ylabel() or ax.get_yticklabels() for ax in panels)
    assert panels[0].get_legend() is not None


def black(ax: Axes) -> list[Sequence[float]]:
    """Return the x values of what is drawn in the paper's colour."""
    lines = [line for line in ax.get_lines() if line.get_color() == style.PAPER]
    return [list(line.get_xdata()) for line in lines if len(line.get_xdata())]


def test_switch() -> None:
    setup = experiments_switch.Setup(5000, 2, (1, 5), (0.1, 1.0))
    study = experiments_switch.figure4(setup, seed=1)
    ax = figures_switch.capacity(study)
    drawn(ax)
    assert [list(map(float, x)) for x in black(ax)] == [[1.0, 5.0]] * 3
    ax = figures_switch.fidelity(study, 5)
    drawn(ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [case.name for case in experiments_switch.FIGURE_4]


def nv_rows(over: str) -> pd.DataFrame:
    points = [
        experiments_nv.NVChain(scheme, repeaters, km, factor)
        for scheme, repeaters in experiments_nv.SEVEN
        for km in (500.0, 800.0)
        for factor in (1.0, 10.0)
    ]
    table = experiments_nv.chains(points, 2, seed=1)
    return table if over == "improvement" else table[table["repeaters"].isin([0, 3])]


def test_nv_chains() -> None:
    panels = figures_nv.distance(nv_rows("distance_km"), 750.0)
    drawn(*panels)
    assert [750.0, 750.0] in [list(map(float, x)) for x in black(panels[0])]
    panels = figures_nv.improvement(nv_rows("improvement"), 800.0)
    drawn(*panels)
    assert len(panels[0].get_legend().get_texts()) == len(experiments_nv.SEVEN)


def test_sensitivity() -> None:
    setup = experiments_nv.Setup((100.0,), 2, (1.0,), 2, 2)
    ax = figures_nv.sensitivity(experiments_nv.figure6(setup, seed=1), 0.39)
    drawn(ax)
    assert [label.get_text() for label in ax.get_yticklabels()][:5] == [
        *experiments_nv.PARAMETERS,
        "two-qubit gate + detection",
    ]
    assert [0.39, 0.39] in black(ax)


def test_search() -> None:
    tried = pd.DataFrame(
        {
            "generation": [0, 1],
            "cost": [40.0, 30.0],
            "fidelity": [0.52, 0.48],
            "excess": [0.0, 0.04],
        }
    )
    names = experiments_nv.PARAMETERS.values()
    found = Optimum(dict.fromkeys(names, 10.0), 40.0, {"fidelity": Moments(2, 0.52, 0.0)}, tried)
    ax = figures_nv.search(found)
    drawn(ax)
    stars = [line for line in ax.get_lines() if line.get_marker() == "*"]
    assert [list(star.get_xdata()) for star in stars] == [[40.0]]
    assert "detection 10.0x" in ax.texts[0].get_text()


@pytest.mark.parametrize("names", [("key_rate",), ("qber_x", "qber_z"), ("attempts",)])
def test_ensembles(names: tuple[str, ...]) -> None:
    setup = experiments_ensembles.Setup((0, 50), {"EIT": 20, "AFC": 20})
    exact = experiments_ensembles.exact(setup)
    sampled = experiments_ensembles.sampled(setup, seed=1)
    ax = figures_ensembles.over_distance(exact, sampled, *names, crossing_km=50.0)
    drawn(ax)
    assert [50.0, 50.0] in black(ax)


def test_states() -> None:
    columns = ["way", "formalism", "nodes", "cpu_s"]
    rows = [("split", "ket", 3, 1e-4), ("split", "ket", 9, 3e-4), ("in place", "ket", 3, 2e-4)]
    ax = figures.states(pd.DataFrame(rows, columns=columns))
    drawn(ax)
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", ":"]


def test_waiting() -> None:
    ax = figures.waiting(experiments_chain.waiting(200, rng=np.random.default_rng(1)))
    drawn(ax)
    assert [list(x) for x in black(ax)] == [[1, 2, 4, 8]] * 2
