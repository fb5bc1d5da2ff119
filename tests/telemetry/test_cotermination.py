import warnings

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.cotermination import correlate, job_weighted_threshold, sample_threshold
from restudy.telemetry.intervals import accumulate
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.residency import residency
from restudy.telemetry.state_moments import PAPER_STATES, per_episode, per_job, per_sample
from restudy.telemetry.windows import EVER
from restudy.traces.jobs import COLUMNS

POWER = METRICS["node_power_usage"]
NODES = ("n1", "n2", "n3", "n4")


def high_rows(rows, threshold):
    """Rows of the join with two jobs or more and power above the threshold of their node."""
    rows = rows.assign(steps=np.rint(rows["node_power_usage"].astype("float64") * 10))
    rows["jobs"] = rows.groupby(["node", "time"])["row"].transform("size")
    limit = rows["node"].map(dict(zip(NODES, threshold, strict=True)))
    return rows[(rows["jobs"] >= 2) & (rows["steps"] > limit)].copy()


def slow_correlation(rows, weight):
    """Correlate one-hot own state with the numbers of others by state, row by row."""
    rows = rows.reset_index(drop=True).fillna({"state": ""})
    X = np.stack([(rows["state"] == state).astype(float) for state in PAPER_STATES], axis=1)
    keys = [rows["node"], rows["time"]]
    Y = pd.DataFrame(X).groupby(keys).transform("sum").to_numpy() - X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cov = np.cov(X.T, Y.T, aweights=np.broadcast_to(weight, len(rows)), ddof=0)
        size = np.sqrt(np.where(np.diag(cov) < 1e-12, np.nan, np.diag(cov)))
    return (cov / np.outer(size, size))[: len(PAPER_STATES), len(PAPER_STATES) :]


@pytest.fixture(params=range(4))
def drawn(request, node_jobs, node_samples, slow_join):
    rng = np.random.default_rng(request.param)
    jobs = node_jobs(rng, 60, seconds=2000)
    jobs.loc[10:12, "state"] = ["PREEMPTED", None, "NODE_FAIL"]
    frame = node_samples(rng, seconds=2000, interval_s=5)
    where = residency(jobs, NODES)
    sums = accumulate(frame, where.intervals, POWER)
    threshold = sample_threshold(where, sums)
    high = accumulate(frame, where.intervals, POWER, threshold)
    rows = slow_join(frame, jobs, EVER)
    return jobs, frame, where, sums, high, rows, high_rows(rows, threshold)


def correlation(moments, nodes=None):
    nodes = np.ones(len(moments.rows), bool) if nodes is None else nodes
    return correlate(moments, nodes, replicates=20, rng=np.random.default_rng(0))


def test_thresholds_equal_mean_and_deviation_of_rows(drawn):
    _, frame, where, sums, _, rows, _ = drawn
    for found, samples in (
        (sample_threshold(where, sums), frame.astype({"node": "str"})),
        (job_weighted_threshold(where, sums), rows),
    ):
        power = samples["node_power_usage"].astype("float64") * 10
        grouped = np.rint(power).groupby(samples["node"])
        np.testing.assert_allclose(found, grouped.mean() + grouped.std(), rtol=1e-12)


def test_every_sample_as_in_the_paper(drawn):
    jobs, _, where, _, high, _, rows = drawn
    found = correlation(per_sample(where, jobs, high))
    assert found.rows == len(rows) > 50
    np.testing.assert_allclose(found.correlation, slow_correlation(rows, 1.0), atol=1e-9)
    assert np.isnan(found.correlation[PAPER_STATES.index("OUT_OF_MEMORY")]).all()


def test_every_job_once(drawn):
    jobs, _, where, _, high, _, rows = drawn
    found = correlation(per_job(where, jobs, high))
    weight = 1 / rows.groupby("row")["row"].transform("size").to_numpy()
    np.testing.assert_allclose(found.correlation, slow_correlation(rows, weight), atol=1e-9)
    assert per_job(where, jobs, high).n.sum() == pytest.approx(rows["row"].nunique())


def test_every_episode_once(drawn):
    jobs, _, where, _, high, _, rows = drawn
    there = jobs.iloc[np.unique(where.job)]
    there = there.assign(node=there["node_list"].str.split(",")).explode("node")
    events = [
        (there["start"][there["node"] == node] <= time).sum()
        + (there["end"][there["node"] == node] < time).sum()
        for node, time in zip(rows["node"], rows["time"], strict=True)
    ]
    rows = rows.assign(events=events)
    once = rows[~rows.duplicated(["node", "events", "row"])]
    found = correlation(per_episode(where, jobs, high))
    np.testing.assert_allclose(found.correlation, slow_correlation(once, 1.0), atol=1e-9)
    assert found.episodes == len(rows.groupby(["node", "events"]))
    assert found.episodes < 0.8 * len(rows.groupby(["node", "time"]))  # some have many samples
    assert found.rows == len(rows)


def test_a_class_of_nodes_is_that_part_of_the_rows(drawn):
    jobs, _, where, _, high, _, rows = drawn
    found = correlation(per_sample(where, jobs, high), np.array([True, True, False, False]))
    part = rows[rows["node"].isin(["n1", "n2"])]
    assert found.rows == len(part)
    np.testing.assert_allclose(found.correlation, slow_correlation(part, 1.0), atol=1e-9)


def shared(state_of, nodes=60, jobs_each=20, seed=0):
    """Four jobs at a time on each node, for 600 s each; `state_of(rng, node)` gives states."""
    rng = np.random.default_rng(seed)
    names = tuple(f"n{at:02d}" for at in range(nodes))
    begin = np.tile(np.arange(jobs_each) * 150, nodes)
    columns = dict.fromkeys(COLUMNS) | {
        "job_id": np.arange(nodes * jobs_each).astype(str),
        "start": begin.astype("M8[s]"),
        "end": (begin + 599).astype("M8[s]"),
        "node_list": np.repeat(names, jobs_each),
        "state": np.concatenate([state_of(rng, jobs_each) for _ in range(nodes)]),
    }
    jobs = pd.DataFrame(columns).astype(COLUMNS)
    at = np.arange(0, jobs_each * 150, 30)
    frame = pd.DataFrame(
        {
            "time": np.tile(at, nodes).astype("M8[s]"),
            "node": pd.Categorical(np.repeat(names, len(at))),
            POWER.name: rng.uniform(100, 300, nodes * len(at)).astype("float32"),
        }
    )
    where = residency(jobs, names)
    sums = accumulate(frame, where.intervals, POWER)
    high = accumulate(frame, where.intervals, POWER, sample_threshold(where, sums))
    return where, jobs, high


@pytest.mark.parametrize("rule", [per_sample, per_job, per_episode])
def test_jobs_of_a_node_that_share_their_state_correlate(rule):
    def same(rng, jobs):
        return np.repeat(rng.choice(["COMPLETED", "FAILED"]), jobs)

    moments = rule(*shared(same))
    found = correlate(moments, np.ones(60, bool), replicates=200, rng=np.random.default_rng(1))
    block = pd.DataFrame(found.correlation, index=PAPER_STATES, columns=PAPER_STATES)
    assert block.loc["FAILED", "FAILED"] > 0.85  # the number of others varies, so not quite 1
    assert block.loc["FAILED", "COMPLETED"] < -0.85
    assert np.isnan(block.loc["TIMEOUT"]).all()
    low, high = found.interval[PAPER_STATES.index("FAILED")]
    assert low < block.loc["FAILED", "FAILED"] < high
    assert found.nodes == 60


@pytest.mark.parametrize("rule", [per_sample, per_job, per_episode])
def test_independent_jobs_do_not(rule):
    def any_state(rng, jobs):
        return rng.choice(["COMPLETED", "FAILED", "TIMEOUT"], jobs)

    found = correlate(
        rule(*shared(any_state)), np.ones(60, bool), replicates=200, rng=np.random.default_rng(1)
    )
    diagonal = np.diag(found.correlation)
    assert np.nanmax(np.abs(diagonal)) < 0.12
    covered = (found.interval[:, 0] <= 0) & (found.interval[:, 1] >= 0)
    assert covered[np.isfinite(diagonal)].sum() >= 2
    assert list(found.table().columns[-2:]) == ["low", "high"]


def test_two_jobs_of_equal_state_correlate_fully():
    names = ("n1", "n2")
    columns = dict.fromkeys(COLUMNS) | {
        "job_id": list("abcd"),
        "start": np.zeros(4, "M8[s]"),
        "end": np.full(4, 299).astype("M8[s]"),
        "node_list": ["n1", "n1", "n2", "n2"],
        "state": ["FAILED", "FAILED", "COMPLETED", "COMPLETED"],
    }
    jobs = pd.DataFrame(columns).astype(COLUMNS)
    frame = pd.DataFrame(
        {
            "time": np.tile(np.arange(0, 300, 30), 2).astype("M8[s]"),
            "node": pd.Categorical(np.repeat(names, 10)),
            POWER.name: np.tile(np.float32([100] * 8 + [300] * 2), 2),
        }
    )
    where = residency(jobs, names)
    sums = accumulate(frame, where.intervals, POWER)
    high = accumulate(frame, where.intervals, POWER, sample_threshold(where, sums))
    assert high.n.tolist() == [2, 2]
    for rule in (per_sample, per_job, per_episode):
        block = correlation(rule(where, jobs, high)).correlation
        both = [PAPER_STATES.index("FAILED"), PAPER_STATES.index("COMPLETED")]
        np.testing.assert_allclose(block[np.ix_(both, both)], [[1, -1], [-1, 1]])


def test_a_constant_power_is_never_high(drawn):
    jobs, frame, where, *_ = drawn
    flat = frame.assign(node_power_usage=np.float32(150.1))
    sums = accumulate(flat, where.intervals, POWER)
    for rule in (sample_threshold, job_weighted_threshold):
        high = accumulate(flat, where.intervals, POWER, rule(where, sums))
        assert len(high.n) == 0
    with pytest.raises(TelemetryError, match="none of the 4 nodes has a sample of high power"):
        correlation(per_sample(where, jobs, high))


def test_another_job_table_is_refused(drawn):
    jobs, _, where, _, high, *_ = drawn
    with pytest.raises(TelemetryError, match="has 59 rows and the residency 60"):
        per_sample(where, jobs.iloc[1:], high)
