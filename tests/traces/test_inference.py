import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from restudy.traces import bootstrap, inference
from restudy.traces.daily import Days, summarise_days, time_bins
from restudy.traces.jobs import TraceError


def histogram(values, edges):
    at = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(at, minlength=len(edges))


def test_bins_are_single_seconds_and_then_one_percent():
    edges = time_bins()
    assert (np.diff(edges)[:99] == 1).all()
    assert (np.diff(edges) > 0).all()
    assert (np.diff(edges)[100:] / edges[100:-1]).max() <= 0.0199
    assert (np.diff(edges)[edges[:-1] > 10_000] / edges[:-1][edges[:-1] > 10_000]).max() < 0.0101


@pytest.mark.parametrize("npartitions", [1, 7])
def test_days_equal_pandas_for_any_partitioning(make_jobs, npartitions):
    jobs = make_jobs(2500)
    days = summarise_days(dd.from_pandas(jobs, npartitions=npartitions))
    date = jobs["submit"].dt.floor("D")
    for row, mine in enumerate((~jobs["is_ml"], jobs["is_ml"])):
        slow = date[mine].value_counts().reindex(days.day, fill_value=0)
        np.testing.assert_array_equal(days.jobs[row], slow)
        failed = mine & (jobs["state"] == "FAILED")
        slow = date[failed].value_counts().reindex(days.day, fill_value=0)
        np.testing.assert_array_equal(days.failed[row], slow)
        for table, begin, end in ((days.run, "start", "end"), (days.wait, "submit", "start")):
            seconds = (jobs[end] - jobs[begin])[mine].dt.total_seconds()
            np.testing.assert_array_equal(table[row].sum(axis=0), histogram(seconds, days.lower))
            np.testing.assert_array_equal(table[row].sum(axis=1), days.jobs[row])


def test_days_need_both_classes_and_two_weeks(make_jobs):
    with pytest.raises(TraceError, match="0 generic and 100 ML jobs"):
        summarise_days(dd.from_pandas(make_jobs(100, ml=1.1), npartitions=2))
    with pytest.raises(TraceError, match="spans 5 days"):
        summarise_days(dd.from_pandas(make_jobs(500, days=4), npartitions=2))


def test_a_wrong_date_is_named_before_memory_runs_out(make_jobs):
    jobs = make_jobs(200)
    jobs.loc[0, "submit"] = pd.Timestamp("1970-01-01")
    with pytest.raises(TraceError, match="from 1970-01-01 to 2022"):
        summarise_days(dd.from_pandas(jobs, npartitions=2))


def test_dates_before_1970_are_days_like_others(make_jobs):
    jobs = make_jobs(400)
    early = {name: jobs[name] - pd.Timedelta(days=20_000) for name in ("submit", "start", "end")}
    now, then = (
        summarise_days(dd.from_pandas(table, npartitions=2))
        for table in (jobs, jobs.assign(**early))
    )
    assert then.day[0] < np.datetime64("1970-01-01")
    np.testing.assert_array_equal(now.run, then.run)
    np.testing.assert_array_equal(now.failed, then.failed)


@pytest.mark.parametrize("block", [1, 7, 30])
def test_every_day_is_drawn_equally_often(block):
    weights = bootstrap.block_weights(30, 4000, block=block, rng=np.random.default_rng(0))
    assert (weights.sum(axis=1) == 30).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)
    if block == 30:
        assert (weights == 1).all()
    else:  # drawing 30 of 30 singly: variance 1 - 1/30
        expected = (1 - 1 / 30) if block == 1 else weights.var()
        assert weights.var() == pytest.approx(expected, rel=0.05)


def test_block_lengths_are_checked():
    with pytest.raises(ValueError, match="should be 1 to 5 days"):
        bootstrap.block_weights(5, 10, block=6, rng=np.random.default_rng(0))


def test_medians_and_superiority_equal_those_of_the_jobs():
    rng = np.random.default_rng(1)
    edges = time_bins()
    upper = np.append(edges[1:] - 1, edges[-1])
    a = rng.lognormal(6, 2, 3001).astype("int64")
    b = rng.lognormal(4, 2, 2001).astype("int64")
    ours = inference.medians(np.stack([histogram(a, edges), histogram(b, edges)]), edges, upper)
    np.testing.assert_allclose(ours, [np.median(a), np.median(b)], rtol=0.011)
    u = stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))
    found = inference.superiority(histogram(a, edges), histogram(b, edges))
    assert found == pytest.approx(u, abs=1e-3)
    small = [np.minimum(sample, 99) for sample in (a, b)]  # one bin a second: exact
    u = stats.mannwhitneyu(*small).statistic / (len(a) * len(b))
    exact = inference.superiority(*(histogram(sample, edges) for sample in small))
    assert exact == pytest.approx(u, rel=1e-12)
    lows = inference.medians(np.stack([histogram(s, edges) for s in small]), edges, upper)
    np.testing.assert_array_equal(lows, [np.median(s) for s in small])


def test_an_empty_class_has_no_median():
    edges = np.arange(3)
    assert np.isnan(inference.medians(np.zeros((2, 3)), edges, edges)).all()
    assert np.isnan(inference.superiority(np.zeros(3), np.ones(3)))
    assert np.isnan(inference.risk(np.zeros(2)))


def bursty(rng, *, days=60, spread=0.25, burst=40.0):
    """Days whose failure rate and number of jobs differ from day to day; both classes alike."""
    jobs = rng.poisson(rng.lognormal(np.log(burst), 0.8, (2, days))) + 1
    mean = 0.2
    rate = rng.beta(mean / spread, (1 - mean) / spread, (2, days)) if spread else mean
    failed = rng.binomial(jobs, rate)
    edges = np.arange(2)
    none = np.zeros((2, days, 2), "int64")
    day = np.arange(days).astype("datetime64[D]")
    return Days("submit", day, jobs, failed, edges, edges, none, none)


def test_drawing_days_covers_where_drawing_jobs_does_not():
    rng = np.random.default_rng(6)
    day_hits = job_hits = 0
    for _ in range(150):
        found = inference.compare(bursty(rng), replicates=300, block=1, rng=rng)
        difference = found[0]
        day_hits += difference.low <= 0 <= difference.high
        job_hits += difference.naive_low <= 0 <= difference.naive_high
    assert 0.88 <= day_hits / 150 <= 0.99  # nominal 0.95
    assert job_hits / 150 < 0.6


def test_independent_jobs_have_a_design_effect_of_one():
    rng = np.random.default_rng(8)
    effects = [
        inference.compare(bursty(rng, spread=0), replicates=400, block=1, rng=rng)[0].design_effect
        for _ in range(40)
    ]
    assert np.mean(effects) == pytest.approx(1, abs=0.12)


def test_naive_intervals_are_those_of_the_textbook():
    rng = np.random.default_rng(3)
    days = bursty(rng, days=200)
    found = inference.compare(days, replicates=4000, block=1, rng=rng)[0]
    n, failed = days.jobs.sum(axis=1), days.failed.sum(axis=1)
    p = failed / n
    assert found.estimate == pytest.approx(p[1] - p[0])
    half = 1.96 * np.sqrt((p * (1 - p) / n).sum())
    assert found.naive_high - found.naive_low == pytest.approx(2 * half, rel=0.06)


def test_compare_sees_a_difference_and_none(make_jobs):
    jobs = make_jobs(6000, ml=0.4)
    alike = inference.compare(
        summarise_days(dd.from_pandas(jobs, npartitions=3)),
        replicates=400,
        block=7,
        rng=np.random.default_rng(0),
    )
    assert [e.measure for e in alike] == [
        "risk difference",
        "risk ratio",
        *["ratio of medians", "superiority"] * 2,
    ]
    assert sum(e.differs for e in alike) <= 1
    longer = jobs["end"] + np.where(jobs["is_ml"], 500, 0).astype("timedelta64[s]")
    days = summarise_days(dd.from_pandas(jobs.assign(end=longer), npartitions=3))
    run = inference.compare(days, replicates=400, block=7, rng=np.random.default_rng(0))[3]
    assert run.quantity == "run_s"
    assert run.differs
    assert run.p == pytest.approx(2 / 401)
    assert run.delta == pytest.approx(2 * run.estimate - 1)
    assert run.low < run.estimate < run.high
    assert run.generic + run.ml == pytest.approx(1)


def test_the_same_seed_gives_the_same_bits_for_any_partitioning(make_jobs):
    jobs = make_jobs(1000)
    found = [
        inference.compare(
            summarise_days(dd.from_pandas(jobs, npartitions=parts)),
            replicates=100,
            block=3,
            rng=np.random.default_rng(5),
        )
        for parts in (1, 8)
    ]
    assert found[0] == found[1]


def test_compare_needs_replicates():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 100"):
        inference.compare(bursty(rng), replicates=10, block=1, rng=rng)


def test_only_superiority_has_a_delta():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="risk difference"):
        _ = inference.compare(bursty(rng), replicates=100, block=1, rng=rng)[0].delta
