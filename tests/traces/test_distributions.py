import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from restudy.traces import distributions
from restudy.traces.distributions import Ecdf, measure, superiority
from restudy.traces.jobs import TraceError

whole = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)


def ecdf(sample):
    return Ecdf(*np.unique(np.asarray(sample), return_counts=True))


@given(whole, st.floats(0, 1))
def test_an_ecdf_equals_numpy_on_the_sample(sample, q):
    found = ecdf(sample)
    assert found.quantile(q) == np.quantile(np.asarray(sample, dtype="float64"), q)
    assert found.n == len(sample)
    assert found.total == sum(sample)
    assert found.mean == pytest.approx(np.mean(sample))
    assert found.std == pytest.approx(np.std(sample, ddof=1) if len(sample) > 1 else 0)
    assert (found.min, found.max) == (min(sample), max(sample))
    assert found.cdf(sample[0]) == np.mean(np.asarray(sample) <= sample[0])
    assert found.share_below(sample[0]) == np.mean(np.asarray(sample) < sample[0])


@given(whole, whole)
def test_superiority_is_the_statistic_of_mann_and_whitney(a, b):
    u = stats.mannwhitneyu(a, b).statistic
    assert superiority(ecdf(a), ecdf(b)) == pytest.approx(u / (len(a) * len(b)))


def test_sums_beyond_64_bits_are_exact():
    huge = Ecdf(np.array([2**40]), np.array([2**30]))
    assert huge.total == 2**70


def test_an_ecdf_needs_a_value():
    with pytest.raises(ValueError, match="at least one"):
        Ecdf(np.array([], "int64"), np.array([], "int64"))
    with pytest.raises(ValueError, match=r"should be in \[0, 1\]"):
        ecdf([1]).quantile(1.5)


def slow(jobs, quantity):
    run = (jobs["end"] - jobs["start"]).dt.total_seconds()
    return {
        "jobs": pd.Series(0.0, index=jobs.index),
        "run_s": run,
        "wait_s": (jobs["start"] - jobs["submit"]).dt.total_seconds(),
        "node_s": run * jobs["nodes"].astype("float64"),
        "core_s": run * jobs["cores"].astype("float64"),
        "nodes": jobs["nodes"].astype("float64"),
        "cores": jobs["cores"].astype("float64"),
    }[quantity]


@pytest.mark.parametrize("npartitions", [1, 2, 17])
def test_measure_equals_pandas_for_any_partitioning(make_jobs, npartitions):
    jobs = make_jobs(1500)
    jobs.loc[::50, "end"] = pd.NaT
    jobs.loc[::70, "cores"] = pd.NA
    jobs.loc[::40, "state"] = pd.NA
    jobs.loc[::30, "is_ml"] = pd.NA
    found = measure(dd.from_pandas(jobs, npartitions=npartitions), distributions.QUANTITIES)
    ml = jobs["is_ml"].fillna(value=False).astype(bool)
    for quantity, distribution in found.items():
        values = slow(jobs, quantity)
        for kind, mine in (("all", ml | True), ("generic", ~ml), ("ml", ml)):
            for state in (None, "COMPLETED", "TIMEOUT"):
                keep = mine & (jobs["state"].eq(state).fillna(value=False) if state else True)
                sample = values[keep.astype(bool)].dropna()
                assert distribution.n(kind, state) == len(sample)
                ours = distribution.ecdf(kind, state)
                assert ours.total == sample.sum()
                assert ours.quantile(0.37) == sample.quantile(0.37)


def test_measure_keeps_its_answer_when_rows_are_shuffled(make_jobs):
    jobs = make_jobs(500)
    mixed = jobs.sample(frac=1, random_state=3).reset_index(drop=True)
    a, b = (measure(dd.from_pandas(t, npartitions=4), ["run_s"])["run_s"] for t in (jobs, mixed))
    for name in ("value", "group", "counts"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_an_empty_table_has_empty_distributions(make_jobs):
    found = measure(dd.from_pandas(make_jobs(5).iloc[:0], npartitions=1), ["run_s"])["run_s"]
    assert found.n() == 0
    assert found.states == ()
    with pytest.raises(TraceError, match=r"no FAILED ml job whose run_s is known"):
        found.ecdf("ml", "FAILED")


def test_a_foreign_state_is_refused_by_name(make_jobs):
    jobs = make_jobs(20)
    jobs.loc[7, "state"] = "CANCELLED by 12"
    with pytest.raises(TraceError, match="'CANCELLED by 12'"):
        measure(dd.from_pandas(jobs, npartitions=2), ["run_s"])


def test_a_table_with_missing_columns_is_refused(make_jobs):
    with pytest.raises(TraceError, match="lacks the columns is_ml"):
        measure(dd.from_pandas(make_jobs(5).drop(columns="is_ml"), npartitions=1), ["run_s"])


def test_unknown_quantities_are_listed(make_jobs):
    with pytest.raises(ValueError, match=r"\['speed'\]"):
        measure(dd.from_pandas(make_jobs(5), npartitions=1), ["speed"])


def test_spans_tell_midnight_and_new_year():
    def at(*text):
        return pd.Series(pd.to_datetime(list(text))).astype("datetime64[s]")

    start = at("2022-06-01 23:00", "2022-06-01 10:00", "2021-12-31 23:59")
    end = at("2022-06-02 01:00", "2022-06-01 10:10", "2022-01-01 00:01")
    frame = pd.DataFrame({"start": start, "end": end, "submit": start})
    rest = {"state": "string", "node_list": "string", "partition": "string", "user": "string"}
    for name, kind in {**rest, "job_id": "string", "nodes": "Int32", "cores": "Int32"}.items():
        frame[name] = pd.Series(pd.NA, index=frame.index, dtype=kind)
    frame["is_ml"] = pd.Series(False, index=frame.index, dtype="boolean")
    found = distributions.spans(dd.from_pandas(frame, npartitions=2))
    assert found.overnight.total == 7200 + 120
    assert found.same_day.total == 600
    assert found.backwards == 1


def test_by_assignment_splits_and_counts_unknown_places(make_jobs):
    jobs = make_jobs(600)
    jobs.loc[::9, "node_list"] = pd.NA
    jobs.loc[::18, "nodes"] = pd.NA
    table = dd.from_pandas(jobs, npartitions=5)
    everything, assigned, unknown = distributions.by_assignment(table)
    none = jobs["node_list"].eq("None assigned").fillna(value=False) | jobs["nodes"].eq(0).fillna(
        value=False
    )
    assert everything["jobs"].n() == len(jobs)
    assert assigned["jobs"].n() == int((~none).sum())
    assert unknown == int((jobs["node_list"].isna() & jobs["nodes"].isna()).sum())
    runs = slow(jobs, "run_s")[~none.astype(bool)]
    assert assigned["run_s"].ecdf().total == runs.sum()
