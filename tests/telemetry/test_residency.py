from functools import partial

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.intervals import IntervalSums, accumulate
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.residency import residency
from restudy.telemetry.samples import fold
from restudy.telemetry.windows import EVER, Window, clipped, wholly_inside
from restudy.traces.jobs import COLUMNS

POWER = METRICS["node_power_usage"]
NODES = ("n1", "n2", "n3", "n4")
WINDOWS = [(EVER, wholly_inside), (Window(100, 800), wholly_inside), (Window(90, 810), clipped)]


def table(**columns):
    rows = len(columns["start"])
    filled = dict.fromkeys(COLUMNS) | {"job_id": [str(n) for n in range(rows)]} | columns
    return pd.DataFrame(filled, index=range(rows)).astype(COLUMNS)


@pytest.mark.parametrize(("window", "border"), WINDOWS)
@pytest.mark.parametrize("seed", range(8))
def test_sums_over_pairs_equal_the_join(node_jobs, node_samples, slow_join, seed, window, border):
    rng = np.random.default_rng(seed)
    jobs, frame = node_jobs(rng), node_samples(rng)
    where = residency(jobs, NODES, window=window, border=border)
    sums = accumulate(frame.sample(frac=1, random_state=seed), where.intervals, POWER)
    n, total, squares = sums.spread(len(where.running))
    rows = slow_join(frame, jobs, window, border)
    steps = np.rint(rows["node_power_usage"].astype("float64") * 10).astype("int64")
    pairs = pd.DataFrame({"row": where.job, "node": np.array(NODES)[where.node]})
    found = pairs.assign(n=where.summed(n), total=where.summed(total), sq=where.summed(squares))
    slow = rows[["row", "node"]].assign(n=1, total=steps, sq=steps**2)
    slow = slow.groupby(["row", "node"]).sum()
    found = found[found["n"] > 0].set_index(["row", "node"]).sort_index()
    pd.testing.assert_frame_equal(
        found, slow.sort_index(), check_dtype=False, check_index_type=False
    )
    assert int((where.running * n).sum()) == len(rows)


def test_load_is_the_sum_of_weights_of_those_present(node_jobs):
    rng = np.random.default_rng(3)
    jobs = node_jobs(rng, 60)
    where = residency(jobs, NODES)
    weight = rng.integers(0, 2**24, len(where.job)) / 2**20
    slow = np.zeros(len(where.running))
    for first, stop, one in zip(where.first, where.stop, weight, strict=True):
        slow[first:stop] += one
    np.testing.assert_array_equal(where.load(weight), slow)
    np.testing.assert_array_equal(where.load(np.ones(len(weight))), where.running)
    amount = rng.random(len(slow))
    slow = [amount[a:b].sum() for a, b in zip(where.first, where.stop, strict=True)]
    np.testing.assert_allclose(where.summed(amount), slow, rtol=1e-12)


def test_intervals_tile_the_window(node_jobs):
    where = residency(node_jobs(np.random.default_rng(0)), NODES, window=Window(0, 1999))
    intervals = where.intervals
    assert intervals.seconds.min() > 0
    np.testing.assert_array_equal(np.bincount(intervals.node, intervals.seconds), [2000] * 4)
    np.testing.assert_array_equal(intervals.begin[intervals.offset[:-1]], 0)
    resident = where.summed(intervals.seconds)
    np.testing.assert_array_equal(resident, where.seconds[where.job] + 1)


@pytest.mark.parametrize("seed", range(3))
def test_cuts_and_order_do_not_change_a_bit(node_jobs, node_samples, make_telemetry, seed):
    rng = np.random.default_rng(seed)
    frame = node_samples(rng)
    where = residency(node_jobs(rng), NODES)
    measure = partial(accumulate, intervals=where.intervals, metric=POWER)
    whole = measure(frame)
    in_time = frame.sort_values("time", kind="stable")
    shuffled = frame.sample(frac=1, random_state=seed)
    for rows, parts in ((frame, 1), (frame, 7), (in_time, 11), (shuffled, 5), (frame, 130)):
        sums = fold(make_telemetry(rows, parts), [POWER.name], measure)
        for name in ("interval", "n", "total", "squares"):
            np.testing.assert_array_equal(getattr(sums, name), getattr(whole, name))


def test_only_samples_above_a_threshold(node_jobs, node_samples):
    rng = np.random.default_rng(1)
    frame = node_samples(rng)
    where = residency(node_jobs(rng), NODES)
    limit = np.array([1000.0, 2000.0, np.nan, 5000.0])
    sums = accumulate(frame, where.intervals, POWER, limit)
    steps = np.rint(frame["node_power_usage"].astype("float64") * 10)
    high = frame[steps > limit[frame["node"].cat.codes]]
    whole = accumulate(high, where.intervals, POWER)
    for name in ("interval", "n", "total", "squares"):
        np.testing.assert_array_equal(getattr(sums, name), getattr(whole, name))
    assert 0 < sums.n.sum() < len(frame) / 2


def test_a_sample_on_the_limit_is_not_above():
    frame = pd.DataFrame(
        {
            "time": np.array([0, 30], "M8[s]"),
            "node": pd.Categorical(["n1", "n1"]),
            POWER.name: np.float32([150.3, 150.4]),
        }
    )
    where = residency(table(start=[0], end=[30], node_list="n1"), ["n1"])
    assert accumulate(frame, where.intervals, POWER, np.array([1503.0])).n.sum() == 1


def test_nothing_leaves_the_device_unasked(node_jobs, node_samples, on_device):
    rng = np.random.default_rng(5)
    frame = node_samples(rng)
    where = residency(node_jobs(rng), NODES, window=Window(50, 900), border=clipped)
    limit = np.array([1500.0] * 4)
    for rows in (frame, frame.iloc[::-1]):
        for above in (None, limit):
            there = accumulate(on_device(rows), where.intervals, POWER, above)
            here = accumulate(rows, where.intervals, POWER, above)
            for name in ("interval", "n", "total", "squares"):
                assert isinstance(getattr(there, name), np.ndarray)
                np.testing.assert_array_equal(getattr(there, name), getattr(here, name))


def test_the_device_of_the_tests_refuses(on_device):
    column = on_device(pd.DataFrame({"x": [1.0, 2.0]}))["x"].values  # noqa: PD011
    with pytest.raises(TypeError, match="left its device"):
        np.asarray(column)
    with pytest.raises(TypeError, match="meets one on the device"):
        column + np.ones(2)


def test_parts_without_known_samples_add_nothing(node_samples):
    frame = node_samples(np.random.default_rng(0), unknown=1.0)
    where = residency(table(start=[0], end=[30], node_list="n1"), NODES)
    empty = accumulate(frame, where.intervals, POWER)
    assert len(empty.interval) == 0
    assert len((empty + empty).n) == 0
    one = IntervalSums(*(np.array([k]) for k in (1, 2, 3, 4)))
    both = empty + one + one
    assert [both.interval[0], both.n[0], both.total[0], both.squares[0]] == [1, 4, 6, 8]


def test_bad_jobs_are_counted():
    jobs = table(
        job_id=["a", "a", "a", "b", "c", "d", "e", "f", "g", "h", None, None],
        start=[100, 100, 200, None, 4000, 9000, 100, 100, 100, 0, 100, 100],
        end=[150, 150, 250, 300, 3000, 3000, 100, 200, 150, 120, 9999, 101],
        node_list=["n1", "n1", "n1", "n1", "n1", "n1", "n2", "x9", "None assigned",
                   "n1", "n[1-2],x8", None],
    )  # fmt: skip
    where = residency(jobs, ["n1", "n2", "n3"], window=Window(50, 9000))
    assert where.quality == {
        "jobs": 12,
        "start or end unknown": 1,
        "run time negative": 1,
        "run time mended by an hour": 1,
        "run time zero": 1,
        "job repeated": 1,
        "without a node": 2,
        "begun before the window": 1,
        "ended after the window": 1,
        "left out at the border of the window": 2,
        "no node with telemetry": 1,
        "some nodes without telemetry": 0,
        "nodes of jobs without telemetry": 1,
        "nodes with telemetry without jobs": 1,
    }
    assert sorted(where.job) == [0, 2, 4, 6]  # the second run of "a" counts
    assert where.seconds[4] == 2600
    assert where.table().loc["jobs", "number"] == 12
    cut = residency(jobs, ["n1", "n2", "n3"], window=Window(50, 9000), border=clipped)
    assert sorted(cut.job) == [0, 2, 4, 6, 9, 10, 10]
    assert cut.seconds[9] == 70
    assert cut.quality["some nodes without telemetry"] == 1


def test_no_job_leaves_one_interval_a_node():
    where = residency(table(start=[], end=[], node_list=[]), ["n1", "n2"], window=Window(0, 9))
    assert where.running.tolist() == [0, 0]
    assert where.intervals.begin.tolist() == [0, 0]


def test_a_window_has_a_second():
    with pytest.raises(TelemetryError, match="ends 5 s before it begins"):
        Window(10, 5)


def test_a_walk_rounds_as_arrays_do(on_device):
    """Values in the middle between two steps, infinite and unknown ones among them."""
    rng = np.random.default_rng(9)
    value = rng.uniform(0, 5000, 20_000).astype("float32")
    value[::3] = (rng.integers(0, 50_000, len(value[::3])) + 0.5) / 10
    value[::97], value[::89] = np.nan, np.inf
    frame = pd.DataFrame(
        {
            "time": np.arange(len(value)).view("M8[s]"),
            "node": pd.Categorical.from_codes(np.zeros(len(value), int), ["n1"]),
            POWER.name: value,
        }
    )
    start = np.arange(0, 20_000, 7)
    where = residency(table(start=start, end=start + 2, node_list="n1"), ["n1"])
    there = accumulate(on_device(frame), where.intervals, POWER)
    here = accumulate(frame, where.intervals, POWER)
    for name in ("interval", "n", "total", "squares"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert here.n.sum() == np.isfinite(value).sum()
