"""What the claims of arXiv 2107.11832 say of the node metrics and jobs of 2020, measured."""

from collections.abc import Iterator, Mapping

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from restudy.answers import Missing
from restudy.telemetry import operations
from restudy.telemetry.correlation import Correlations
from restudy.telemetry.datacenter import Datacenter
from restudy.telemetry.operations import AMBIENT, LOAD, MEMORY, POWER, PROCESSES, Steps
from restudy.telemetry.percentiles import GPU_NODES_AS_CODED, percentiles
from restudy.telemetry.profiles import Profile
from restudy.telemetry.racks import RackPower, rack_of
from restudy.traces import arrivals, distributions
from restudy.traces.results import CLASSES

_STATISTICS = {
    "1 %": "p1",
    "25 %": "p25",
    "50 %": "p50",
    "mean": "mean",
    "75 %": "p75",
    "99 %": "p99",
    "max": "max",
}
_STATES = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LENGTHS = ("5min", "1h", "6h", "1d", "longer")
_PAIRS = {
    "power-temp": (POWER, AMBIENT),
    "power-procs": (POWER, PROCESSES),
    "power-mem": (POWER, MEMORY),
    "power-load1": (POWER, LOAD),
    "procs-load1": (PROCESSES, LOAD),
    "mem-load1": (MEMORY, LOAD),
    "temp-load1": (AMBIENT, LOAD),
}
_STRIPS = {
    "arrivals": "Job Arrivals",
    "load": "System Load",
    "power": "Server Power Usage",
    "memory": "Server RAM Usage",
    "disk": "Disk I/O",
    "gpu-power": "GPU Power Usage",
    "gpu-temperature": "GPU Temperature",
    "gpu-fan": "GPU Fan Speed",
    "gpu-memory": "GPU Memory Usage",
}
_WHOLE_RACK = 30  # nodes, of a generic rack in the figure


def measured(
    center: Datacenter,
    *,
    outcomes: pd.DataFrame | Missing,
    hours: Profile | Missing,
    racks: RackPower | Missing,
    strips: pd.DataFrame | Missing,
    correlations: Mapping[str, Correlations] | Missing,
    steps: Steps | Missing,
) -> dict[str, float]:
    """Measure the claims on the archive of 2020: claim id to value in its unit.

    Parameters
    ----------
    center : Datacenter
        Metrics and jobs of 2020.
    outcomes, hours, racks, strips, correlations, steps : results or Missing
        Answers of `restudy.telemetry.operations`; a missing one leaves its claims unmeasured.

    Returns
    -------
    dict of str to float
        Classes of nodes are those of the published code for power and true ones elsewhere. Not
        among them, because the chapter does not read all 327 metrics: numbers of metrics and of
        measurements, pairs that are strong among all metrics; nor what it does not keep: used
        memory, and the largest values of the strips.
    """
    values = {"nodes": float(len(center.telemetry.nodes))}
    values["racks"] = float(len(rack_of(center.telemetry.nodes, center.racks)[0]))
    values |= dict(_power(center)) | dict(_jobs(center))
    if not isinstance(outcomes, Missing):
        ours = outcomes["here [%]"]
        for kind in ("all", "ml"):
            for length, lost in zip(_LENGTHS, ours[kind], strict=True):
                values[f"lost-{kind}-{length}"] = float(lost)
    if not isinstance(hours, Missing):
        mean = hours.table(LOAD, "ml")["mean"]
        values |= {"ml-load-hour-least": float(mean.min()), "ml-load-hour-most": float(mean.max())}
    if not isinstance(racks, Missing):
        values |= _racks(center, racks)
    if not isinstance(strips, Missing):
        for short, name in _STRIPS.items():
            for fifth, share in enumerate(strips.loc[name], start=1):
                values[f"strip-{short}-{fifth}"] = 100 * float(share)
    if not isinstance(correlations, Missing):
        for pair, metrics in _PAIRS.items():
            for method, found in correlations.items():
                values[f"{pair}-{method}"] = float(found.of(*metrics)[0])
    if not isinstance(steps, Missing):
        values |= _steps(steps)
    return values


def _power(center: Datacenter) -> Iterator[tuple[str, float]]:
    table = percentiles(center.telemetry, [POWER], gpu_nodes=GPU_NODES_AS_CODED).table()
    for kind in CLASSES:
        if (POWER, kind) in table.index:
            for column, name in _STATISTICS.items():
                yield f"power-{kind}-{name}", float(table[column][POWER, kind])


def _jobs(center: Datacenter) -> Iterator[tuple[str, float]]:
    jobs = dd.from_pandas(center.jobs, npartitions=1)
    with dask.config.set(scheduler="threads"):  # the jobs are in memory here
        run = distributions.measure(jobs, ["run_s"])["run_s"]
        submitted = arrivals.arrivals(jobs, "submit")
    for state in _STATES:
        key = f"state-{state.lower().replace('_', '-')}"
        yield key, 100 * submitted.n(state=state) / submitted.n()
    completed = run.ecdf("all", "COMPLETED")
    yield "completed-5min", 100 * float(completed.cdf(300))
    yield "completed-runtime", 100 * completed.total / run.ecdf().total
    day, counts = submitted.per("day")
    yield "submissions-mean", float(counts.mean())
    yield "submissions-median", float(np.median(counts))
    yield "submissions-max", float(counts.max())
    yield "submissions-ml-median", float(np.median(submitted.per("day", "ml")[1]))
    weekday = (day.astype("datetime64[D]").astype("int64") + 3) % 7  # 1970 began on a Thursday
    for at, name in enumerate(_WEEKDAYS):
        if (weekday == at).any():
            yield f"submissions-{name}", float(counts[weekday == at].mean())


def _racks(center: Datacenter, found: RackPower) -> dict[str, float]:
    table = found.table() / 1000
    ml = operations.ml_racks(center) & set(table.index)
    names, place = rack_of(center.telemetry.nodes, center.racks)
    size = dict(zip(names, np.bincount(place[place >= 0], minlength=len(names)), strict=True))
    generic = [name for name in table.index if name not in ml and size[name] >= _WHOLE_RACK]
    values = {}
    if generic:
        values["rack-generic-median"] = float(np.median(table["median"][generic]))
        values["rack-generic-peak"] = float(table["max"][generic].max())
    if ml:
        values["rack-ml-median"] = float(np.median(table["median"][sorted(ml)]))
    if "r34" in ml:
        values["rack-r34-peak"] = float(table["max"]["r34"])
    return values


def _steps(steps: Steps) -> dict[str, float]:
    values = {}
    for kind, found in steps[POWER].items():
        for when in ("before", "after"):
            values[f"shift-power-{kind}-{when}"] = getattr(found.cluster, when) / 1000
            values[f"shift-node-{kind}-{when}"] = getattr(found.node, when)
    for kind, found in steps[AMBIENT].items():
        if kind == "ml":
            values["shift-ambient-ml-before"] = found.node.before
            values["shift-ambient-ml-after"] = found.node.after
        else:
            values["shift-ambient-generic"] = found.node.after
    if "generic" in steps[LOAD]:
        values["shift-load-generic-before"] = steps[LOAD]["generic"].node.before
        values["shift-load-generic-after"] = steps[LOAD]["generic"].node.after
    return values
