"""What a figure draws is what it was given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from restudy import claims
from restudy.telemetry import figures, joined

STATES = ("FAILED", "COMPLETED")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_figure_9_bars_are_the_shares():
    index = pd.MultiIndex.from_product([("generic", "ml"), STATES])
    ours = pd.DataFrame({"jobs": [0.2, 0.8, 0.4, 0.6], "energy [J]": [0.5, 0.5, 0.1, 0.9]}, index)
    paper = pd.DataFrame({"jobs": [0.3, 0.7, np.nan, 0.6]}, index)
    ax = figures.state_shares(ours[["jobs"]], paper)
    drawn = [(round(p.get_x()), round(p.get_width())) for p in ax.patches if p.get_width() != 0.8]
    assert drawn == [(0, 20), (20, 80), (0, 40), (40, 60), (0, 30), (30, 70), (0, 0), (0, 60)]
    assert ax.get_xlabel() == "share of the class [%]"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["generic: jobs", "ML: jobs"]
    assert len(figures.state_shares(ours).patches) == 8


def test_printed_shares_of_figure_9_add_up():
    registered = claims.open_paper("2409.08949", preset="quick").paper.claims
    printed = joined.printed_states({one.id: one.value for one in registered})
    assert printed["jobs"].groupby(level=0).sum().to_numpy() == pytest.approx([1, 1], abs=5e-4)
    assert printed["energy [J]"]["generic", "TIMEOUT"] == pytest.approx(0.3154)
