"""The questions of arXiv 2107.11832 to a datacenter."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TypeVar

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.answers import Missing
from restudy.telemetry import percentiles as percentile_tables
from restudy.telemetry import published, shift, week
from restudy.telemetry import strips as strip_loads
from restudy.telemetry.correlation import ByDay, Correlations, Strong, Whole, pearson, strong
from restudy.telemetry.datacenter import Datacenter
from restudy.telemetry.experiments import Setup
from restudy.telemetry.forecast import Contest
from restudy.telemetry.generator.recipe import Recipe, Shift
from restudy.telemetry.kendall import kendall
from restudy.telemetry.levels import Levels
from restudy.telemetry.metrics import TelemetryError, metric
from restudy.telemetry.percentiles import GPU_NODES_AS_CODED, percentiles
from restudy.telemetry.profiles import HOURS, WEEKDAYS, Profile, profile
from restudy.telemetry.racks import RackPower, rack_of, rack_power
from restudy.telemetry.series import Grid
from restudy.telemetry.shift import Change, before_after, node_hours
from restudy.telemetry.spearman import spearman
from restudy.telemetry.sums import extent
from restudy.traces import distributions, hardware, outcomes
from restudy.traces.datasets import PowerSeries
from restudy.traces.findings import PowerFit
from restudy.traces.results import CLASSES

T = TypeVar("T")
S = TypeVar("S")

POWER, AMBIENT, LOAD = "node_power_usage", "node_ambient_temp", "node_load1"
PROCESSES, MEMORY = "node_procs_running", "node_memory_Active_bytes"
SHORT_NAMES = {
    POWER: "power",
    AMBIENT: "ambient temp.",
    PROCESSES: "processes",
    MEMORY: "memory",
    LOAD: "load",
}
_PRINTED_NAMES = {
    "power": POWER,
    "temp": AMBIENT,
    "procs": PROCESSES,
    "memory": MEMORY,
    "load1": LOAD,
}
METRICS = (
    *SHORT_NAMES,
    "node_memory_MemFree_bytes",
    "node_disk_written_bytes_total_sum_delta",
    "node_disk_read_bytes_total_sum_delta",
    "nvidia_gpu_power_usage_milliwatts_sum",
    "nvidia_gpu_temperature_celsius_mean",
    "nvidia_gpu_fanspeed_percent_mean",
    "nvidia_gpu_memory_used_bytes_sum",
)
_STEPPED = (POWER, AMBIENT, LOAD)  # metrics looked at before and after
_KENDALL_LEVELS = 256
_STRONG = 0.9
_LOCAL = "Europe/Amsterdam"


def recipe(setup: Setup, *, seed: int) -> Recipe:
    """Make a cluster as of 2020: more power when idle, and a step in the middle of the time."""
    half = np.timedelta64(setup.days // 2, "D")
    return Recipe(
        seed=seed,
        nodes=setup.nodes,
        start=str(np.datetime64(shift.SPLIT) - half),
        days=setup.days,
        interval_s=setup.interval_s,
        gpu_delay_days=0,
        idle_w=85.0,
        core_w=8.0,
        shift=Shift(at=f"{shift.SPLIT}T00:00:00"),
    )


def node_percentiles(center: Datacenter) -> pd.DataFrame:
    """Percentiles of power [W] and memory [GiB] by class of node, beside the report's of power."""
    chosen = [POWER, MEMORY]
    found = percentiles(center.telemetry, chosen, gpu_nodes=center.gpu_nodes).table()
    ours = found.drop(index="all", level=1).drop(columns="samples")
    ours.loc[MEMORY] = (ours.loc[MEMORY] / 2**30).to_numpy()
    printed = published.percentiles().drop(columns="unit").loc[[POWER]]
    units = {POWER: "power [W]", MEMORY: "memory [GiB]"}
    return pd.concat({"here": ours, "report": printed}).rename(index=units).T


def job_outcomes(center: Datacenter) -> pd.DataFrame:
    """Share of the run time of jobs that do not complete, by length; ours and the report's, %."""
    jobs = dd.from_pandas(center.jobs, npartitions=1)
    with dask.config.set(scheduler="threads"):  # the jobs are in memory here
        run = distributions.measure(jobs, ["run_s"])["run_s"]
    ours = 100 * outcomes.lost_by_length(run)[["all", "ml"]]
    printed = pd.DataFrame(
        {"all": [13.8, 12.9, 20.6, 33.1, 51.2], "ml": [51.9, 39.7, 32.4, 47.0, 55.8]},
        index=ours.index,
    )
    return pd.concat({"here [%]": ours, "report [%]": printed}, axis=1)


def by_hour(center: Datacenter) -> Profile:
    """Power and load by local hour of the day."""
    return profile(center.telemetry, [POWER, LOAD], HOURS, gpu_nodes=center.gpu_nodes)


def by_weekday(center: Datacenter) -> Profile:
    """Power and load by local day of the week."""
    return profile(center.telemetry, [POWER, LOAD], WEEKDAYS, gpu_nodes=center.gpu_nodes)


def grid(center: Datacenter) -> Grid:
    """Cut the whole time into steps of a sampling interval."""
    return extent(center.telemetry, center.telemetry.interval_s)


def racks(center: Datacenter) -> RackPower:
    """Power of each rack over time."""
    return rack_power(center.telemetry, grid(center), names=center.racks)


def ml_racks(center: Datacenter) -> set[str]:
    """Racks that have a GPU node."""
    nodes = sorted(center.gpu_nodes)
    return set(rack_of(nodes, center.racks)[0])


def strips(center: Datacenter) -> pd.DataFrame:
    """Share of time in each fifth of full load; system load by both numbers of cores."""
    telemetry, steps = center.telemetry, grid(center)
    published_load, *others = strip_loads.published_strips(
        telemetry, strip_loads.PublishedCores(), hardware=center.hardware, racks=center.racks
    )
    true_load = dataclasses.replace(
        published_load,
        name="System Load, all cores",
        full=strip_loads.SumOver(strip_loads.HardwareCores(center.hardware)),
    )
    chosen = [published_load, true_load, *others]
    submit = center.jobs["submit"].dropna().to_numpy()
    hourly = Grid(steps.start // 3600 * 3600, 3600, -(-steps.steps * steps.step_s // 3600))
    loads = [
        strip_loads.arrivals(submit, hourly),
        *strip_loads.loads(telemetry, chosen, steps),
    ]
    return pd.DataFrame(
        [strip_loads.fifths(load) for load in loads],
        index=["Job Arrivals", *(strip.name for strip in chosen)],
        columns=list(strip_loads.FIFTHS),
    )


def correlations(center: Datacenter) -> dict[str, Correlations]:
    """Coefficients among power, temperature, processes, memory and load over all samples."""
    telemetry, chosen = center.telemetry, [metric(name) for name in SHORT_NAMES]
    whole, nodes = Whole(), center.telemetry.nodes
    return {
        "pearson": pearson(telemetry, chosen, whole, nodes),
        "spearman": spearman(telemetry, chosen, whole, nodes, Levels()),
        "kendall": kendall(telemetry, chosen, whole, nodes, Levels(_KENDALL_LEVELS)).tau,
    }


def published_correlations() -> dict[tuple[str, str], dict[str, float]]:
    """Give the printed coefficients by pair of metrics and method."""
    table = published.correlations().reset_index()
    methods = ("pearson", "spearman", "kendall")
    return {
        (_PRINTED_NAMES[row["x"]], _PRINTED_NAMES[row["y"]]): {m: float(row[m]) for m in methods}
        for row in table.to_dict("records")
    }


def strong_pairs(center: Datacenter) -> Strong:
    """Pairs of metrics with a strong rank correlation on each day, and on all of them."""
    telemetry = center.telemetry
    chosen = [metric(name) for name in telemetry.metrics if name in METRICS]
    return strong(spearman(telemetry, chosen, ByDay(), telemetry.nodes, Levels()), _STRONG)


Steps = Mapping[str, Mapping[str, shift.Shift]]


def steps(center: Datacenter, setup: Setup, *, rng: np.random.Generator) -> Steps:
    """Compare power, temperature and load before 27 February 2020 and after, by class of node."""
    whole = grid(center)
    start, stop = (
        str(np.datetime64(at // 86_400, "D"))
        for at in (whole.start, whole.start + whole.steps * whole.step_s + 86_399)
    )
    return {
        name: before_after(
            node_hours(center.telemetry, name, start, stop),
            gpu_nodes=center.gpu_nodes,
            replicates=setup.replicates,
            rng=rng,
        )
        for name in _STEPPED
    }


def steps_table(found: Steps) -> pd.DataFrame:
    """Before, after and the interval of the step, by metric, class and what was averaged.

    A sum of temperatures over nodes means nothing, so there is none.
    """
    units = {POWER: "power [W]", LOAD: "load", AMBIENT: "ambient temp. [°C]"}
    tables = {units[name]: shift.table(dict(one)) for name, one in found.items()}
    whole = pd.concat(tables, names=["metric", "class", "of"])
    index = whole.index
    summed = (index.get_level_values("metric") == units[AMBIENT]) & (
        index.get_level_values("of") == "cluster"
    )
    return whole[~summed]


def published_steps(name: str) -> dict[str, tuple[float, float]]:
    """Give the printed medians over the nodes before and after, by class."""
    table = published.before_after().xs(name, level="metric").xs("node", level="of")
    return {
        str(kind): (float(row["before"]), float(row["after"])) for kind, row in table.iterrows()
    }


def against_planted(center: Datacenter, found: Steps) -> pd.DataFrame:
    """Compare steps with those that were planted, in the unit of the metric or as a factor.

    Parameters
    ----------
    center : Datacenter
        A generated one.
    found : Steps
        From `steps`.

    Returns
    -------
    pandas.DataFrame
        Planted, found, and 95 % interval, by metric and class; of power and load the step over the
        level before.
    """
    if center.recipe is None or center.recipe.shift is None:
        raise TelemetryError("nothing was planted in this cluster; choose telemetry='generated'.")
    planted = center.recipe.shift
    rows = {}
    for at, kind in enumerate(CLASSES):
        for name, value, share in (
            (POWER, planted.power_factor[at] - 1, True),
            (LOAD, planted.load_factor[at] - 1, True),
            (AMBIENT, planted.ambient_c[at], False),
        ):
            change: Change = found[name][kind].node
            unit = change.before if share else 1.0
            rows[SHORT_NAMES[name], kind] = {
                "planted": value,
                "found": change.difference / unit,
                "low": change.low / unit,
                "high": change.high / unit,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def merged_names(center: Datacenter) -> pd.DataFrame:
    """Percentiles of power with the report's list of GPU nodes and with the true one."""
    lists = {"as published": GPU_NODES_AS_CODED, "repaired": center.gpu_nodes}
    tables = {
        name: percentile_tables.percentiles(center.telemetry, [POWER], gpu_nodes=nodes).table()
        for name, nodes in lists.items()
    }
    whole = pd.concat({name: one.xs(POWER, level=0) for name, one in tables.items()})
    return whole.drop(index="all", level=1)[["samples", "50 %", "99 %", "mean", "max"]]


def printed() -> dict[str, float]:
    """Measure the claims that need no data: claim id to value in its unit."""
    seconds = {"completed": 2.924e9, "timeout": 1.317e9, "cancelled": 3.89e8, "failed": 2.85e8}
    total = sum(seconds.values()) + 1.06e6  # the last: failures of nodes
    by_weekday = (11_610, 7_191, 13_880, 10_472, 14_754, 7_429, 5_160)
    nodes = hardware.inventory()
    return {
        "printed-completed-runtime": 100 * seconds["completed"] / total,
        "printed-weekday-mean": float(np.mean(by_weekday)),
        "cores-per-socket": float(
            nodes["cpu_core_count_total"].sum() / nodes["cpu_core_count_per_socket"].sum()
        ),
    }


def of_week(
    power: PowerSeries | Missing,
    study: week.SamplingStudy | Missing,
    contest: Contest | Missing,
    fit: PowerFit | Missing,
) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    """Measure what the claims say of the week: names of datasets, and claim id to value."""
    data = ("lisa-week-power",)
    if not (
        isinstance(power, Missing) or isinstance(study, Missing) or isinstance(contest, Missing)
    ):
        yield data, week.measured(power.power, power.seconds, study, contest)
    if not isinstance(fit, Missing):
        found = np.corrcoef(fit.series.power, fit.series.busy)[0, 1]
        every = (*data, "lisa-week-tasks", "lisa-week-fragments")
        yield every, {"week-power-load": float(found)}
