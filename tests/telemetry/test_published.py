import numpy as np
import pytest

from restudy.telemetry import published
from restudy.telemetry.ratios import RATIOS


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", ["generic", "ml"])
def test_bars_hold_all_samples_and_the_printed_mean(ratio, kind):
    if ratio.startswith("gpu") and kind == "generic":
        with pytest.raises(KeyError, match="generic"):
            published.bars(ratio, kind)
        return
    share = published.bars(ratio, kind)
    assert share.index.tolist() == list(range(0, 110, 5))
    assert share.sum() == pytest.approx(1, abs=1e-3)
    printed = published.utilisation().loc[(ratio, kind)]
    # Bars hold whole per cents: k to k + 4, so the mean lies between two sums.
    low = (share * share.index).sum()
    assert low - 0.5 <= printed["mean"] <= low + 4.5
    cumulative = np.concatenate(([0], share.cumsum()))
    for column, q in {"25 %": 0.25, "50 %": 0.5, "75 %": 0.75}.items():
        bar = np.searchsorted(cumulative, q) - 1
        assert 5 * bar - 0.5 <= printed[column] <= 5 * bar + 5


def test_share_above_90_percent_agrees_with_the_bars():
    share = published.bars("gpu_temperature", "ml")
    assert share.loc[90:].sum() == pytest.approx(published.OVER_90_PERCENT, abs=1e-3)


def test_curves_give_the_printed_temperatures():
    for slot, printed in published.AT_FULL_POWER.items():
        power, temperature = published.heat_curve(slot)
        assert np.all(np.diff(power) > 0)
        assert temperature[power == 100][0] == pytest.approx(printed, abs=0.02)
    with pytest.raises(KeyError, match="GPU0"):
        published.heat_curve("GPU9")


def test_tables_of_2020():
    assert published.percentiles().loc[("node_power_usage", "generic"), "max"] == 1300
    assert published.correlations().loc[("procs", "load1"), "spearman"] == 0.82
    assert len(published.correlations()) == 10  # all pairs of five metrics
    assert len(published.strips()) == 10
    assert (published.strips().sum(axis=1) < 1.0015).all()
    change = published.before_after()
    assert (change["after"] >= change["before"]).all()
    assert published.slot_power()["mean"].idxmax() == "GPU0"
