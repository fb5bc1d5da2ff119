import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy.traces import calibration

TIME_CURVES = [(figure, name) for figure in ("fig6a", "fig6b") for name in calibration.CURVES]

# Means [s] printed in the paper's notebook 5b: wait, run.
MEANS = {
    ("fig6a", "generic_completed"): 13_279,
    ("fig6a", "generic_failed"): 26_822,
    ("fig6a", "ml_completed"): 9_052,
    ("fig6a", "ml_failed"): 3_299,
    ("fig6b", "generic_completed"): 2_247,
    ("fig6b", "generic_failed"): 1_002,
    ("fig6b", "ml_completed"): 9_079,
    ("fig6b", "ml_failed"): 2_147,
}
# Quartiles of the wait and median of the run time [s], same place.
QUANTILES = {
    ("fig6a", "generic_completed"): {0.25: 73, 0.5: 546, 0.75: 6_855},
    ("fig6a", "generic_failed"): {0.25: 113, 0.5: 7_025, 0.75: 48_039},
    ("fig6a", "ml_completed"): {0.25: 1, 0.5: 31, 0.75: 4_370},
    ("fig6a", "ml_failed"): {0.25: 1, 0.5: 2, 0.75: 161},
    ("fig6b", "generic_completed"): {0.25: 2, 0.5: 37, 0.75: 321},
    ("fig6b", "generic_failed"): {0.25: 2, 0.5: 4, 0.75: 19},
    ("fig6b", "ml_completed"): {0.25: 43, 0.5: 758, 0.75: 4_491},
    ("fig6b", "ml_failed"): {0.25: 9, 0.5: 24, 0.75: 98},
}


@pytest.mark.parametrize("figure", calibration.FIGURES)
@pytest.mark.parametrize("name", calibration.CURVES)
def test_curves_are_distributions(figure: str, name: str) -> None:
    x, F = calibration.curve(figure, name)
    assert (np.diff(x) > 0).all()
    assert (np.diff(F) >= 0).all()
    assert F[0] >= 0
    assert F[-1] == 1
    assert x[0] >= 0


@pytest.mark.parametrize(("figure", "name"), TIME_CURVES)
def test_printed_quantiles_lie_on_the_curve(figure: str, name: str) -> None:
    x, F = calibration.curve(figure, name)
    error = calibration.THINNING_ERROR + calibration.READING_ERROR
    for p, seconds in QUANTILES[figure, name].items():
        # The printed quantile is the least s with F(s) >= p, so F jumps over p between s-1 and s.
        below = np.interp(seconds - 1, x, F) if seconds else 0.0
        assert below - error <= p <= np.interp(seconds, x, F) + error


@pytest.mark.parametrize(("figure", "name"), TIME_CURVES)
def test_means_agree_with_the_printed_ones(figure: str, name: str) -> None:
    # A mean is the area above F, so an error e in F over the tail's length shifts it; the
    # fact that the plot leaves out steps of 7e-4 gives 2.3 % for the worst curve.
    assert calibration.mean(*calibration.curve(figure, name)) == pytest.approx(
        MEANS[figure, name], rel=0.025
    )


def test_medians_of_figure_6() -> None:
    medians = [
        int(calibration.quantile(*calibration.curve("fig6b", name), np.array(0.5)))
        for name in calibration.CURVES
    ]
    assert medians == [37, 4, 758, 24]


def test_bars_add_up_to_the_published_totals() -> None:
    bars = calibration.failed_bars()
    assert bars.index.tolist() == list(range(24))
    assert bars["generic_failed"].sum() == 200_983
    assert bars["ml_failed"].sum() == 44_318


def test_days_add_up_to_the_published_totals() -> None:
    days = calibration.daily_submissions()
    # Notebook 5a: jobs, non-empty days, generic jobs per month.
    assert days["generic"].sum() == 1_406_488
    assert days["ml"].sum() == 190_475
    assert (days["generic"] > 0).sum() == 311
    assert (days["ml"] > 0).sum() == 308
    assert (np.diff(days.index) == np.timedelta64(1, "D")).all()
    months = days["generic"].groupby(days.index.month).sum()
    assert months.to_dict() == {
        1: 87_096,
        2: 32_777,
        3: 98_604,
        4: 122_165,
        5: 241_640,
        6: 374_011,
        7: 93_539,
        8: 116_234,
        9: 90_879,
        10: 148_811,
        11: 630,
        12: 102,
    }
    assert days["restored"].sum() == 11
    assert days["generic"].idxmax() == pd.Timestamp("2022-06-14")


def test_node_counts_give_the_printed_share_of_one_node_jobs() -> None:
    counts = calibration.node_counts()
    assert counts.loc[1, "generic"] / 1_406_488 == pytest.approx(0.9849888516645716, abs=1e-12)
    assert counts.loc[1, "ml"] / 190_475 == pytest.approx(0.9959837248982806, abs=1e-12)
    assert counts["ml"].sum() == 190_475
    assert 0 <= 1_406_488 - counts["generic"].sum() <= 13


def test_cores_agree_with_the_printed_masses() -> None:
    # Notebook 5d, shares of jobs with exactly so many cores.
    printed = {
        ("generic_failed", 2): 0.478428523805496,
        ("generic_failed", 16): 0.399168088843335,
        ("generic_completed", 16): 0.7528064710666527,
        ("ml_failed", 3): 0.4236878920528905,
        ("ml_completed", 3): 0.46489069703403,
    }
    for (name, cores), share in printed.items():
        x, F = calibration.curve("fig8b", name)
        at = int(np.flatnonzero(x == cores)[0])
        # Rarer counts between two corners of the plot fall to the next one.
        assert F[at] - F[at - 1] == pytest.approx(share, abs=calibration.READING_ERROR)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="fig6a, fig6b"):
        calibration.curve("fig9", "ml_failed")
    with pytest.raises(KeyError, match="generic_completed"):
        calibration.curve("fig6a", "ml")


def test_quantiles_follow_the_curve_at_every_second() -> None:
    # Draw with a regular grid of p: the share at or below s is F(s) to within one grid step.
    x, F = calibration.curve("fig6b", "ml_failed")
    p = (np.arange(100_000) + 0.5) / 100_000
    seconds = np.sort(calibration.quantile(x, F, p))
    at = np.arange(0, 2_000)
    share = np.searchsorted(seconds, at, side="right") / len(p)
    assert np.abs(share - np.interp(at, x, F)).max() <= 1.0e-5


@given(
    st.lists(st.floats(1e-3, 1.0), min_size=3, max_size=60),
    st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60),
    st.floats(1e-4, 0.1),
)
def test_thinning_keeps_its_error(steps: list[float], rises: list[float], error: float) -> None:
    x = np.cumsum(steps)
    F = np.cumsum(rises[: len(steps)])
    F = F / max(F[-1], 1.0)
    kept = calibration.thin(x, F, error=error)
    assert kept[0] == 0
    assert kept[-1] == len(x) - 1
    allowed = np.maximum(np.minimum(error, 0.02 * (1 - F)), 2e-6)
    assert (np.abs(np.interp(x, x[kept], F[kept]) - F) <= allowed + 1e-9).all()


@pytest.mark.data
@pytest.mark.parametrize(
    ("figure", "file", "column"),
    [
        ("fig6a", "fig6a_waittime_cdf_hours.csv", "hours"),
        ("fig6b", "fig6b_runtime_cdf_hours.csv", "hours"),
        ("fig8c", "fig8c_nodehours_cdf.csv", "node_hours"),
    ],
)
def test_tables_follow_from_the_curves_as_read(figure: str, file: str, column: str) -> None:
    mirror = os.environ.get("RESTUDY_MIRROR")
    if not mirror:
        pytest.skip("RESTUDY_MIRROR is not set")
    read = pd.read_csv(Path(mirror) / "traces" / "published" / file)
    for name in calibration.CURVES:
        rows = read[read["curve"] == name]
        seconds, F = np.rint(rows[column].to_numpy() * 3600), rows["F"].to_numpy()
        kept = calibration.thin(seconds, F, error=calibration.THINNING_ERROR)
        x, thinned = calibration.curve(figure, name)
        x = np.rint(x * 3600) if figure == "fig8c" else x
        np.testing.assert_array_equal(x, seconds[kept])
        np.testing.assert_allclose(thinned, F[kept], atol=1e-12)
        assert np.abs(np.interp(seconds, x, thinned) - F).max() <= calibration.THINNING_ERROR
