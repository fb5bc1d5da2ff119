import numpy as np
import pandas as pd
import pytest

from restudy.telemetry import cluster
from restudy.telemetry.attribution import Integrated, MeanTimesDuration, attribute
from restudy.telemetry.intervals import accumulate
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.residency import residency
from restudy.telemetry.splits import PerCore, PerCoreAboveIdle, PerJob, mean_idle_power
from restudy.telemetry.windows import EVER, Window, clipped, wholly_inside
from restudy.traces import datasets, power
from restudy.traces.jobs import COLUMNS

POWER = METRICS["node_power_usage"]
NODES = ("n1", "n2", "n3", "n4")
IDLE = PerCoreAboveIdle(dict(zip(NODES, (50.0, 80.0, 120.0, 90.0), strict=True)))
SPLITS = [PerJob(), PerCore(), IDLE]
WINDOWS = [(EVER, wholly_inside), (Window(100, 800), wholly_inside), (Window(90, 810), clipped)]


def table(**columns):
    rows = len(columns["start"])
    filled = dict.fromkeys(COLUMNS) | {"job_id": [str(n) for n in range(rows)]} | columns
    return pd.DataFrame(filled, index=range(rows)).astype(COLUMNS)


def shares_of_rows(rows, split):
    """Power of each row (job, sample) of the join, sample by sample, W."""
    watt = rows["node_power_usage"].astype("float64").round(1)
    if split is IDLE:
        watt = watt - rows["node"].map(split.idle_w)
    weight = 1.0
    if not isinstance(split, PerJob):
        weight = rows["cores"].astype("float64") / (rows["node_list"].str.count(",") + 1)
    weight = pd.Series(weight, index=rows.index)
    return watt * weight / weight.groupby([rows["node"], rows["time"]]).transform("sum")


@pytest.mark.parametrize(("window", "border"), WINDOWS)
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("seed", range(3))
def test_energies_equal_those_of_the_join(
    node_jobs, node_samples, slow_join, seed, split, window, border
):
    rng = np.random.default_rng(seed)
    jobs, frame = node_jobs(rng), node_samples(rng)
    frame["node_power_usage"] += np.float32(60)  # above idle, so that no part is cut at zero
    where = residency(jobs, NODES, window=window, border=border)
    sums = accumulate(frame, where.intervals, POWER)
    rows = slow_join(frame, jobs, window, border)
    rows["watt"] = shares_of_rows(rows, split)
    integral = attribute(where, sums, POWER, split=split, accounting=Integrated(30))
    slow = rows.groupby("row")["watt"].sum().reindex(range(len(jobs))) * 30
    np.testing.assert_allclose(integral.energy_j, slow, rtol=2e-8)
    mean = attribute(where, sums, POWER, split=split, accounting=MeanTimesDuration(30))
    by_node = rows.groupby(["row", "node"])["watt"].mean().groupby("row").sum()
    begin = np.maximum(jobs["start"].astype("int64"), window.first)
    end = np.minimum(jobs["end"].astype("int64"), window.last)
    slow = by_node.reindex(range(len(jobs))) * (end - begin)
    np.testing.assert_allclose(mean.energy_j, slow, rtol=2e-8)
    count = rows.groupby("row").size().reindex(range(len(jobs)), fill_value=0)
    np.testing.assert_array_equal(integral.samples, count)
    assert integral.unsampled == len(set(where.job)) - (count > 0).sum() > 0


@pytest.mark.parametrize("split", SPLITS)
def test_energy_is_conserved(node_jobs, node_samples, split):
    rng = np.random.default_rng(2)
    jobs, frame = node_jobs(rng, 300, seconds=20_000), node_samples(rng, seconds=20_000)
    where = residency(jobs, NODES, window=Window(0, 15_000))
    found = attribute(
        where,
        accumulate(frame, where.intervals, POWER),
        POWER,
        split=split,
        accounting=Integrated(30),
    )
    inside = frame[frame["time"].astype("int64") <= 15_000]["node_power_usage"]
    assert found.total_j == pytest.approx(inside.astype("float64").sum() * 30, rel=1e-6)
    assert abs(found.excess) < 1e-12
    assert found.idle_nodes_j > 0
    assert (found.idle_part_j > 0) == (split is IDLE)
    assert found.table()["share"].iloc[:3].sum() == pytest.approx(1, rel=1e-12)


def planted(split, accounting, watt=(100.0, 100.0, 400.0, 400.0, 50.0)):
    """Jobs of 1 and 3 cores: the first alone for two samples, both for two, nobody for one."""
    jobs = table(start=[0, 60], end=[119, 119], cores=[1, 3], node_list="n1")
    frame = pd.DataFrame(
        {
            "time": np.arange(0, 150, 30).astype("M8[s]"),
            "node": pd.Categorical(["n1"] * 5),
            POWER.name: np.array(watt, "float32"),
        }
    )
    where = residency(jobs, ["n1"], window=Window(0, 149))
    sums = accumulate(frame, where.intervals, POWER)
    return attribute(where, sums, POWER, split=split, accounting=accounting)


def test_closed_forms_of_the_splits():
    by_job = planted(PerJob(), Integrated(30))
    assert by_job.energy_j.tolist() == [6000 + 12_000, 12_000]
    by_core = planted(PerCore(), Integrated(30))
    assert by_core.energy_j.tolist() == [6000 + 6000, 18_000]
    above = planted(PerCoreAboveIdle({"n1": 80.0}), Integrated(30))
    assert above.energy_j.tolist() == pytest.approx([1200 + 4800, 14_400])
    assert above.idle_part_j == pytest.approx(4 * 80 * 30)
    for found in (by_job, by_core, above):
        assert found.idle_nodes_j == 1500
        assert found.total_j == pytest.approx(31_500)
    never = planted(PerCoreAboveIdle({"n1": 500.0}), Integrated(30))
    assert never.energy_j.tolist() == [0, 0]
    assert never.idle_part_j == pytest.approx(30_000)


def test_mean_times_duration_goes_on_through_gaps():
    whole = planted(PerJob(), MeanTimesDuration(30))
    assert whole.energy_j.tolist() == pytest.approx([150 * 119, 200 * 59])
    gap = (np.nan, 100.0, 400.0, np.nan, 50.0)
    np.testing.assert_allclose(planted(PerJob(), MeanTimesDuration(30), gap).energy_j,
                               whole.energy_j)  # fmt: skip
    assert planted(PerJob(), Integrated(30), gap).jobs_j == pytest.approx(15_000)


def test_idle_power_is_that_without_jobs(node_samples):
    frame = node_samples(np.random.default_rng(0), unknown=0)
    where = residency(table(start=[0], end=[500], node_list="n2"), NODES)
    n, steps, _ = accumulate(frame, where.intervals, POWER).spread(len(where.running))
    found = mean_idle_power(where, n, steps * 0.1)
    idle = frame[(frame["node"] != "n2") | (frame["time"].astype("int64") > 500)]
    mean = idle.astype({POWER.name: "float64"}).groupby("node", observed=True)[POWER.name].mean()
    assert found == pytest.approx(mean.to_dict(), rel=1e-6)


def test_refusals(node_samples):
    frame = node_samples(np.random.default_rng(0))
    jobs = table(start=[0], end=[500], node_list="n2")
    where = residency(jobs, NODES)
    sums = accumulate(frame, where.intervals, POWER)

    def run(split, metric=POWER, sums=sums):
        attribute(where, sums, metric, split=split, accounting=Integrated(30))

    with pytest.raises(TelemetryError, match=r"1 of 1 pairs .* unknown number of cores"):
        run(PerCore())
    with pytest.raises(TelemetryError, match="idle power of 3 of 4 nodes is unknown"):
        PerCoreAboveIdle({"n1": 5.0}).shared(where, np.zeros(1), np.zeros(1))
    with pytest.raises(TelemetryError, match="unit °C; energy needs a power"):
        run(PerJob(), METRICS["node_ambient_temp"])
    with pytest.raises(TelemetryError, match="no sample of node_power_usage"):
        run(PerJob(), sums=accumulate(frame.iloc[:0], where.intervals, POWER))


def test_milliwatts_are_watts(node_jobs, node_samples):
    rng = np.random.default_rng(4)
    where = residency(node_jobs(rng), NODES)
    frame = node_samples(rng)
    name = "nvidia_gpu_power_usage_milliwatts_sum"
    frame[name] = frame[POWER.name].astype("float64") * 1000
    energies = [
        attribute(
            where,
            accumulate(frame, where.intervals, METRICS[one]),
            METRICS[one],
            split=PerJob(),
            accounting=Integrated(30),
        ).energy_j
        for one in (POWER.name, name)
    ]
    np.testing.assert_allclose(*energies, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_cluster_equals_a_loop_over_slots(seed):
    rng = np.random.default_rng(seed)
    watt = rng.uniform(0, 100, 20)
    first, length = rng.integers(-3, 25, 8), rng.integers(0, 9, 8)
    weight = rng.integers(1, 17, 8).astype(float)
    job = np.repeat(np.arange(8), length)
    use = weight[job]
    order = rng.permutation(len(job))  # samples of a job stay in order
    shuffled = order[np.argsort(job[order], kind="stable")]
    energy = np.zeros(8)
    for slot, power_w in enumerate(watt):
        here = (first <= slot) & (slot < first + length)
        energy[here] += power_w * 30 * weight[here] / weight[here].sum() if here.any() else 0
    constant = cluster.by_weight(watt, 30, first_slot=first, length=length, weight=weight)
    by_use = cluster.by_use(watt, 30, first_slot=first, job=job[shuffled], use=use[shuffled])
    for found in (constant, by_use):
        np.testing.assert_allclose(np.nan_to_num(found.energy_j), energy, rtol=1e-9)
        assert found.total_j == pytest.approx(watt.sum() * 30)
        assert abs(found.excess) < 1e-12
    np.testing.assert_array_equal(constant.samples, by_use.samples)
    assert constant.unsampled == by_use.unsampled


def test_fractions_of_cores_leave_nothing_behind():
    watt = np.full(6, 10.0)
    found = cluster.by_weight(
        watt, 1, first_slot=np.array([0, 1]), length=np.array([2, 2]), weight=np.array([0.1, 0.2])
    )
    assert found.idle_nodes_j == 30
    assert found.energy_j.tolist() == pytest.approx([40 / 3, 50 / 3], rel=1e-5)


def test_cluster_refuses_unknown_power():
    with pytest.raises(TelemetryError, match="1 of 2 powers are unknown or negative"):
        cluster.by_use(
            np.array([1.0, np.nan]),
            30,
            first_slot=np.array([0]),
            job=np.array([0]),
            use=np.array([1.0]),
        )


@pytest.mark.data
def test_the_measured_week_of_lisa_is_conserved():
    series, load = datasets.lisa_week_power(), datasets.lisa_week_load()
    kwh = power.energy_kwh(series.power, series.seconds)
    assert kwh == pytest.approx(3644, abs=1)
    jobs, common = len(load.job_id), {"first_slot": load.first_slot}
    found = [
        cluster.by_weight(
            series.power, series.seconds, **common, length=load.length, weight=np.ones(jobs)
        ),
        cluster.by_use(series.power, series.seconds, **common, job=load.job, use=load.usage),
    ]
    for one in found:
        assert one.total_j / 3.6e6 == pytest.approx(kwh, rel=1e-9)
        assert abs(one.excess) < 1e-9
        assert one.jobs_j > 0.99 * one.total_j
    np.testing.assert_array_equal(found[0].samples, found[1].samples)
