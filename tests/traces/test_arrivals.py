import dask.dataframe as dd
import matplotlib.cbook
import numpy as np
import pandas as pd
import pytest

from restudy.traces import arrivals, hour_labels
from restudy.traces.jobs import TraceError


@pytest.mark.parametrize("npartitions", [1, 6])
def test_counts_per_calendar_unit_equal_pandas(make_jobs, npartitions):
    jobs = make_jobs(2000)
    found = arrivals.arrivals(dd.from_pandas(jobs, npartitions=npartitions))
    assert found.clock == "submit"
    ml = jobs[jobs["is_ml"]].set_index("submit")
    for unit, rule in (("hour", "h"), ("day", "D"), ("month", "MS"), ("week", "W-MON")):
        begin, counts = found.per(unit, "ml")
        label = {"closed": "left", "label": "left"} if unit == "week" else {}
        slow = ml["job_id"].resample(rule, **label).count()
        slow = slow.reindex(pd.DatetimeIndex(begin), fill_value=0)
        np.testing.assert_array_equal(counts, slow.to_numpy())
        assert counts.sum() == len(ml)
    failed = jobs[jobs["state"] == "FAILED"]["submit"]
    slow = failed.dt.hour.value_counts().reindex(range(24), fill_value=0)
    np.testing.assert_array_equal(found.hour_of_day("all", "FAILED"), slow)
    slow = jobs["submit"].dt.day_of_week.value_counts().reindex(range(7), fill_value=0)
    np.testing.assert_array_equal(found.weekday(), slow)
    np.testing.assert_array_equal(found.days_by_hour().sum(axis=0), found.hour_of_day())
    np.testing.assert_array_equal(found.days_by_hour().sum(axis=1), found.per("day")[1])
    assert found.first_day == jobs["submit"].min().to_datetime64().astype("datetime64[D]")


def test_boxplots_equal_matplotlib():
    counts = np.random.default_rng(0).lognormal(3, 1.5, 200).astype("int64")
    ours = arrivals.boxplot(counts)
    theirs = matplotlib.cbook.boxplot_stats(counts)[0]
    assert (ours.q25, ours.median, ours.q75) == (theirs["q1"], theirs["med"], theirs["q3"])
    assert (ours.low, ours.high, ours.mean) == (theirs["whislo"], theirs["whishi"], theirs["mean"])
    assert ours.max == counts.max()


@pytest.mark.parametrize("npartitions", [1, 5])
@pytest.mark.parametrize("kind", ["all", "generic", "ml"])
def test_gaps_equal_sorted_differences_in_any_order(make_jobs, npartitions, kind):
    jobs = make_jobs(800).sample(frac=1, random_state=5).reset_index(drop=True)
    found = arrivals.burstiness(dd.from_pandas(jobs, npartitions=npartitions), kind)
    mine = jobs if kind == "all" else jobs[jobs["is_ml"] == (kind == "ml")]
    gaps = np.diff(np.sort(mine["submit"].to_numpy("datetime64[s]").view("int64")))
    assert found.gaps.n == len(gaps)
    assert found.gaps.quantile(0.8) == np.quantile(gaps, 0.8)
    assert found.zero_share == pytest.approx((gaps == 0).mean())
    assert found.cv == pytest.approx(gaps.std(ddof=1) / gaps.mean())


def test_a_poisson_process_is_not_bursty(make_jobs):
    rng = np.random.default_rng(2)
    jobs = make_jobs(20_000)
    jobs["submit"] = np.sort(rng.integers(0, 40_000_000, len(jobs))).astype("datetime64[s]")
    found = arrivals.burstiness(dd.from_pandas(jobs, npartitions=3))
    assert found.cv == pytest.approx(1, abs=0.03)
    assert found.dispersion == pytest.approx(1, abs=0.06)


def test_a_trace_without_submissions_falls_back_on_starts(make_jobs):
    jobs = make_jobs(50)
    jobs["submit"] = np.array(["NaT"] * 50, dtype="datetime64[s]")
    table = dd.from_pandas(jobs, npartitions=2)
    assert arrivals.arrivals(table).clock == "start"
    jobs["start"] = jobs["submit"]
    with pytest.raises(TraceError, match="no job with a submit or start time"):
        arrivals.arrivals(dd.from_pandas(jobs, npartitions=2))


def test_too_few_arrivals_have_no_gaps(make_jobs):
    with pytest.raises(TraceError, match="at least 3 jobs"):
        arrivals.burstiness(dd.from_pandas(make_jobs(2), npartitions=1))


@pytest.mark.parametrize("npartitions", [1, 4, 40])
@pytest.mark.parametrize("kind", ["generic", "ml"])
def test_labels_are_shuffled_as_pandas_shuffles_them(make_jobs, npartitions, kind):
    jobs = make_jobs(900, seed=9)
    failed = jobs[(jobs["state"] == "FAILED") & (jobs["is_ml"] == (kind == "ml"))]
    as_drawn = failed["submit"].dt.hour.value_counts(sort=False)
    found = hour_labels.hour_bars(dd.from_pandas(jobs, npartitions=npartitions), kind, "FAILED")
    np.testing.assert_array_equal(found.labels, as_drawn.index)
    np.testing.assert_array_equal(found.as_drawn, as_drawn)
    right = as_drawn.sort_index().reindex(range(24), fill_value=0)
    np.testing.assert_array_equal(found.by_hour, right)
    assert found.misplaced == int((as_drawn.index != np.arange(len(as_drawn))).sum())


def test_hours_need_a_failed_job(make_jobs):
    jobs = make_jobs(30)
    jobs["state"] = pd.Series("COMPLETED", index=jobs.index, dtype="string")
    with pytest.raises(TraceError, match="no FAILED ml job"):
        hour_labels.hour_bars(dd.from_pandas(jobs, npartitions=2), "ml", "FAILED")


def test_hours_of_any_state_need_no_states(make_jobs):
    jobs = make_jobs(200, seed=3)
    any_state = hour_labels.hour_bars(dd.from_pandas(jobs, npartitions=3))
    np.testing.assert_array_equal(
        any_state.by_hour, np.bincount(jobs["submit"].dt.hour.dropna().astype(int), minlength=24)
    )
    jobs["state"] = pd.Series(pd.NA, index=jobs.index, dtype="string")
    unknown = hour_labels.hour_bars(dd.from_pandas(jobs, npartitions=3))
    np.testing.assert_array_equal(unknown.labels, any_state.labels)
    np.testing.assert_array_equal(unknown.by_hour, any_state.by_hour)
    jobs["is_ml"] = pd.Series(False, index=jobs.index, dtype="boolean")
    with pytest.raises(TraceError, match="no ml job with a submit time"):
        hour_labels.hour_bars(dd.from_pandas(jobs, npartitions=2), "ml")


def test_a_day_is_smooth_and_a_shuffled_day_is_not():
    rng = np.random.default_rng(4)
    day = rng.poisson(2000 * (1.2 - np.cos(2 * np.pi * (np.arange(24) - 4) / 24)))
    assert hour_labels.as_smooth(day, replicates=999, rng=rng) == 0.001
    shares = [
        hour_labels.as_smooth(rng.permutation(day), replicates=199, rng=rng) for _ in range(100)
    ]
    assert 0.35 < np.mean(shares) < 0.65  # uniform, as a p-value is
