"""Load of a whole cluster as strips over time, in fifths of full load (arXiv 2107.11832).

A strip is the sum or the mean of a quantity over all nodes, moment by moment, over what would be
full load. What is full depends on a choice, so the choice is an object.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.racks import COOLING_W, rack_of
from restudy.telemetry.ratios import Capacities, Load, Ratio, capacities
from restudy.telemetry.samples import Telemetry, values
from restudy.telemetry.series import Grid, Series
from restudy.telemetry.sums import Quantity, of_metric, sums

FIFTHS = ("very low", "low", "moderate", "high", "very high")
_EDGES = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
_RATIO_STEP = 1e-6

Capacity = Callable[[Sequence[str]], float]  # nodes -> full load of all of them


@dataclass(frozen=True)
class PublishedCores:
    """The cores by which the original divides the load.

    It adds nodes times cores per processor and forgets that many nodes have two processors, so
    that its "system load" is too high.
    """

    cores: float = 4350.0

    def __call__(self, nodes: Sequence[str]) -> float:
        """Give the published number."""
        return self.cores


@dataclass(frozen=True)
class HardwareCores:
    """The cores of the nodes by a hardware table, Lisa's if none is given."""

    hardware: pd.DataFrame | None = field(default=None, compare=False)

    def __call__(self, nodes: Sequence[str]) -> float:
        """Add the cores of all processors."""
        name = "cpu_core_count_total"
        return float(np.nansum(capacities(nodes, [name], self.hardware)[name]))


@dataclass(frozen=True)
class RackCooling:
    """What the cooling removes from the racks of the nodes, W; racks given, or told from names."""

    watts: float = COOLING_W
    racks: Mapping[str, str] | None = field(default=None, compare=False)

    def __call__(self, nodes: Sequence[str]) -> float:
        """Count the racks."""
        if not (racks := rack_of(nodes, self.racks)[0]):
            raise TelemetryError(
                f"no rack of the {len(nodes)} nodes is known, for example of {nodes[0]}; give a "
                "hardware table with a column rack."
            )
        return self.watts * len(racks)


@dataclass(frozen=True)
class PerNode:
    """The same full load for each node."""

    each: float

    def __call__(self, nodes: Sequence[str]) -> float:
        """Count the nodes."""
        return self.each * len(nodes)


@dataclass(frozen=True)
class SumOver:
    """Sum over the nodes divided by their capacity; a node without a sample adds nothing."""

    capacity: Capacity

    def __call__(self, series: Series, telemetry: Telemetry) -> np.ndarray:
        """Give the load of each step, NaN without a sample."""
        share = telemetry.interval_s / series.grid.step_s
        return series.total[0] * share / self.capacity(telemetry.nodes)


@dataclass(frozen=True)
class MeanOver:
    """Mean over the nodes with a sample divided by a limit."""

    limit: float

    def __call__(self, series: Series, telemetry: Telemetry) -> np.ndarray:
        """Give the load of each step, NaN without a sample."""
        return series.mean[0] / self.limit


@dataclass(frozen=True)
class Strip:
    """One quantity of the cluster over time.

    Attributes
    ----------
    name : str
        As in the figure.
    quantity : Quantity
        What is summed.
    full : SumOver or MeanOver
        What full load is.
    """

    name: str
    quantity: Quantity
    full: SumOver | MeanOver


def of_ratio(
    name: str, ratio: Ratio, nodes: Sequence[str], hardware: pd.DataFrame | None = None
) -> Strip:
    """Make a strip of the mean of a ratio to the capacity of the nodes, Lisa's by default."""
    found = partial(ratio, capacity=capacities(nodes, ratio.capacities, hardware))
    return Strip(name, Quantity(ratio.metrics, found, _RATIO_STEP), MeanOver(1.0))


@dataclass(frozen=True)
class Used:
    """Memory in use over all memory, 1 - free / total."""

    metrics = ("node_memory_MemFree_bytes",)
    capacities = ("cpu_memory_bytes_total",)

    def __call__(self, frame: pd.DataFrame, place: Any, capacity: Capacities) -> Any:
        """Give the share in use of each row."""
        return 1.0 - Load(*self.metrics, *self.capacities)(frame, place, capacity)


@dataclass(frozen=True)
class DiskRate:
    """Bytes written and read a second, from their growth since the sample before."""

    interval_s: int

    metrics = ("node_disk_written_bytes_total_sum_delta", "node_disk_read_bytes_total_sum_delta")

    def __call__(self, frame: pd.DataFrame, place: Any) -> Any:
        """Give the rate of each row, B/s."""
        written, read = (values(frame, name).astype("float64") for name in self.metrics)
        return (written + read) / self.interval_s


def published_strips(
    telemetry: Telemetry,
    cores: Capacity,
    *,
    hardware: pd.DataFrame | None = None,
    racks: Mapping[str, str] | None = None,
) -> tuple[Strip, ...]:
    """Nine of the ten strips of arXiv 2107.11832; the tenth is `arrivals`.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    cores : callable
        Full system load: ``PublishedCores()`` as published, or ``HardwareCores()``.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.
    racks : mapping of str to str, optional
        Rack of each node; by default told from names of nodes like ``r28n3``.

    Returns
    -------
    tuple of Strip
        With the original's scales: 77 °C, 5,500 W a rack, 1.8 GB/s a node, 91 °C, the design power
        and the memory of each GPU.

    Notes
    -----
    The GPU strips are means over nodes, the original's over single GPUs: the same where all nodes
    have as many.
    """
    disk = DiskRate(telemetry.interval_s)
    power = Load("nvidia_gpu_power_usage_milliwatts_sum", "gpu_tdp_total", unit=1e-3)
    memory = Load("nvidia_gpu_memory_used_bytes_sum", "gpu_memory_bytes_total")
    return (
        Strip("System Load", of_metric("node_load1"), SumOver(cores)),
        Strip(
            "Server Power Usage", of_metric("node_power_usage"), SumOver(RackCooling(racks=racks))
        ),
        Strip("Server Temperature", of_metric("node_ambient_temp"), MeanOver(77.0)),
        of_ratio("Server RAM Usage", Used(), telemetry.nodes, hardware),
        Strip("Disk I/O", Quantity(disk.metrics, disk, 4096.0), SumOver(PerNode(1.8e9))),
        of_ratio("GPU Power Usage", power, telemetry.nodes, hardware),
        Strip("GPU Temperature", of_metric("nvidia_gpu_temperature_celsius_mean"), MeanOver(91.0)),
        Strip("GPU Fan Speed", of_metric("nvidia_gpu_fanspeed_percent_mean"), MeanOver(100.0)),
        of_ratio("GPU Memory Usage", memory, telemetry.nodes, hardware),
    )


def loads(telemetry: Telemetry, strips: Sequence[Strip], grid: Grid) -> list[np.ndarray]:
    """Load of the cluster in each step of time, all strips in one pass.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    strips : sequence of Strip
        The quantities and what their full load is.
    grid : Grid
        Steps of time, each of one or several sampling intervals.

    Returns
    -------
    list of numpy.ndarray of float64, shape (steps,)
        One a strip: 0 to 1, larger loads cut to 1; NaN in a step without a sample.

    Raises
    ------
    TelemetryError
        If metrics are missing or no sample is on the grid.
    """
    series = sums(
        telemetry,
        [strip.quantity for strip in strips],
        grid,
        group=np.zeros(len(telemetry.nodes), "int64"),
        groups=("cluster",),
    )
    return [
        np.minimum(strip.full(one, telemetry), 1.0)
        for strip, one in zip(strips, series, strict=True)
    ]


def arrivals(submit: np.ndarray, grid: Grid) -> np.ndarray:
    """Jobs submitted in each step over the 99th percentile of all steps, cut to 1.

    Raises
    ------
    TelemetryError
        If fewer than one in a hundred steps has a submission.

    Examples
    --------
    >>> grid = Grid.between("2020-01-01T00:00", "2020-01-01T00:03", 60)
    >>> submit = np.array(["2020-01-01T00:00:10"], "datetime64[s]")
    >>> [round(float(x), 3) for x in arrivals(submit, grid)]
    [1.0, 0.0, 0.0]
    """
    at = (submit.astype("datetime64[s]").astype("int64") - grid.start) // grid.step_s
    jobs = np.bincount(at[(at >= 0) & (at < grid.steps)], minlength=grid.steps)
    most = float(np.quantile(jobs, 0.99))
    if most == 0:
        raise TelemetryError(
            f"the 99th percentile of submissions in {grid.step_s} s is 0 and cannot be full load; "
            "use longer steps."
        )
    return np.minimum(jobs / most, 1.0)


def hourly_max(load: np.ndarray, step_s: int) -> np.ndarray:
    """Largest known load of each whole hour from the first step on, as the figure draws it.

    Examples
    --------
    >>> hourly_max(np.array([0.1, 0.5, np.nan, 0.2]), 1800).tolist()
    [0.5, 0.2]
    """
    begins = np.arange(0, len(load), 3600 // step_s)
    return np.asarray(np.fmax.reduceat(load, begins))


def fifths(load: np.ndarray) -> np.ndarray:
    """Share of the known time in each fifth of full load, full load in the last one; sums to 1.

    Examples
    --------
    >>> fifths(np.array([0.1, 0.2, 1.0, 1.0, np.nan])).tolist()
    [0.25, 0.25, 0.0, 0.0, 0.5]
    """
    known = load[np.isfinite(load)]
    place = np.minimum(np.searchsorted(_EDGES, known, side="right"), 5) - 1
    return np.bincount(place, minlength=5) / len(known)


def fifths_as_printed(load: np.ndarray) -> np.ndarray:
    """Shares as the original prints them: a load cut to 1 lies in no fifth, as it asks for < 1.

    Its system load adds up to 86.7 % for this reason.

    Examples
    --------
    >>> fifths_as_printed(np.array([0.1, 0.2, 1.0, 1.0])).tolist()
    [0.25, 0.25, 0.0, 0.0, 0.0]
    """
    known = load[np.isfinite(load)]
    inside = np.searchsorted(_EDGES, known[known < 1.0], side="right") - 1
    return np.bincount(inside, minlength=5) / len(known)
