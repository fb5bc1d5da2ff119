"""A week of Lisa with its electric power measured: 7 to 13 October 2022."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.traces import parquet
from restudy.traces.jobs import TraceError
from restudy.traces.prepared import required
from restudy.traces.summertime import LISA_CLOCK

__all__ = ["LISA_CLOCK", "TASKS", "PowerSeries", "WeekLoad", "lisa_week_load", "lisa_week_power"]

# Kind of the columns of the tables of jobs.
TASKS: Mapping[str, str] = {
    "id": "text or whole numbers",
    "duration": "whole numbers",
    "cpu_count": "whole numbers",
}


@dataclass(frozen=True)
class PowerSeries:
    """Measured electric power of a group of nodes.

    Attributes
    ----------
    start : numpy.datetime64
        Begin of the first slot, on the clock of `LISA_CLOCK`.
    seconds : float
        Length of a slot.
    power : numpy.ndarray of float64, shape (slots,)
        Mean power, W, summed over the nodes.
    nodes : int
        Number of nodes.
    """

    start: np.datetime64
    seconds: float
    power: np.ndarray
    nodes: int


@dataclass(frozen=True)
class WeekLoad:
    """Processor load of the jobs of a week, in the slots of a `PowerSeries`.

    Attributes
    ----------
    start : numpy.datetime64
        Begin of slot 0.
    seconds : float
        Length of a slot.
    job_id : numpy.ndarray of int64, shape (jobs,)
        Slurm's id.
    first_slot, length : numpy.ndarray of int64, shape (jobs,)
        Slot in which each job starts and number of its samples.
    job : numpy.ndarray of int64, shape (samples,)
        Index of each sample's job; the samples of a job are in order of time, one a slot.
    usage : numpy.ndarray of float64, shape (samples,)
        Load of the sample, in fully busy nodes of 16 cores.
    """

    start: np.datetime64
    seconds: float
    job_id: np.ndarray
    first_slot: np.ndarray
    length: np.ndarray
    job: np.ndarray
    usage: np.ndarray


def lisa_week_power() -> PowerSeries:
    """Give the measured power of 277 CPU nodes of Lisa in a week, 30 s a slot.

    Raises
    ------
    TraceError
        If the file is not at hand, not the expected one, or not in equal steps of time.
    """
    path = required("lisa-week-power")
    table = parquet.read(path, {"power_draw": "numbers", "timestamp": "whole numbers"})
    steps = np.diff(table["timestamp"].to_numpy())
    if len(steps) == 0 or (steps != steps[0]).any():
        raise TraceError(f"{path.name} is not in equal steps of time; expected 30000 ms.")
    seconds = float(steps[0]) / 1000.0
    # The time of a row is the end of its slot, counted from the first job's start.
    first = _week_start() + np.timedelta64(int(table["timestamp"].iloc[0] - steps[0]), "ms")
    return PowerSeries(first, seconds, table["power_draw"].to_numpy("float64"), 277)


def lisa_week_load() -> WeekLoad:
    """Give the processor load of Lisa's 16-core jobs in the week of the power measurement.

    Raises
    ------
    TraceError
        If a file is not at hand, not the expected one, or the two do not fit each other.
    """
    tasks = _week_tasks()
    path = required("lisa-week-fragments")
    kinds = {"id": "whole numbers", "duration": "whole numbers", "cpu_usage": "numbers"}
    fragments = parquet.read(path, kinds)
    length = int(fragments["duration"].iloc[0])
    if (fragments["duration"] != length).any():
        raise TraceError(f"{path.name} has fragments of unequal duration; expected 30000 ms each.")
    job = pd.Index(tasks["id"]).get_indexer(fragments["id"])
    count = np.bincount(job[job >= 0], minlength=len(tasks))
    if (job < 0).any() or (count * length != tasks["duration"]).any():
        raise TraceError(
            f"{path.name} does not fit the table of jobs: expected fragments that add up to each "
            "job's duration."
        )
    begin = tasks["submission_time"].to_numpy()
    return WeekLoad(
        start=_week_start(),
        seconds=length / 1000.0,
        job_id=tasks["id"].to_numpy("int64"),
        first_slot=(begin - begin.min()) // length,
        length=count,
        job=job.astype("int64"),
        usage=fragments["cpu_usage"].to_numpy() / tasks["cpu_capacity"].to_numpy()[job],
    )


def _week_tasks() -> pd.DataFrame:
    kinds = {**TASKS, "submission_time": "whole numbers", "cpu_capacity": "numbers"}
    return parquet.read(required("lisa-week-tasks"), kinds)


def _week_start() -> np.datetime64:
    return np.datetime64(int(_week_tasks()["submission_time"].min()), "ms")
