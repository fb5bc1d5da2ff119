"""Ratios of a node's metrics to what its hardware can do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from restudy.telemetry.counting import of_node
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import values
from restudy.traces import hardware as lisa

Capacities = Mapping[str, np.ndarray]


class Ratio(Protocol):
    """A share of capacity, 0 to 1 and beyond."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that it needs."""
        ...

    @property
    def capacities(self) -> tuple[str, ...]:
        """Columns of the hardware table that it needs."""
        ...

    def __call__(self, frame: pd.DataFrame, place: Any, capacity: Capacities) -> Any:
        """Give the ratio of each row, NaN where unknown."""
        ...


@dataclass(frozen=True)
class Load:
    """A metric over the node's capacity, ``min(unit x / capacity, most)``.

    Attributes
    ----------
    metric, capacity : str
        Metric and column of the hardware table.
    unit : float
        Factor from the metric's unit to that of the capacity.
    most : float
        Larger ratios count as this one.
    """

    metric: str
    capacity: str
    unit: float = 1.0
    most: float = np.inf

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric."""
        return (self.metric,)

    @property
    def capacities(self) -> tuple[str, ...]:
        """The capacity."""
        return (self.capacity,)

    def __call__(self, frame: pd.DataFrame, place: Any, capacity: Capacities) -> Any:
        """Give the ratio of each row."""
        x = values(frame, self.metric).astype("float64") * self.unit
        return np.clip(x / of_node(capacity[self.capacity], place), 0.0, self.most)


@dataclass(frozen=True)
class Heating:
    """The way from room temperature to the limit, (T - T_ambient) / (T_limit - T_ambient).

    Attributes
    ----------
    metric, limit : str
        Metric [°C] and column of the hardware table [°C].
    """

    metric: str
    limit: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """The temperature and that of the room."""
        return (self.metric, "node_ambient_temp")

    @property
    def capacities(self) -> tuple[str, ...]:
        """The limit."""
        return (self.limit,)

    def __call__(self, frame: pd.DataFrame, place: Any, capacity: Capacities) -> Any:
        """Give the ratio of each row."""
        room = values(frame, "node_ambient_temp").astype("float64")
        ratio = heating(values(frame, self.metric), room, of_node(capacity[self.limit], place))
        return np.maximum(ratio, 0.0)


def heating(temperature: Any, room: Any, limit: Any) -> Any:
    """Share of the way from room temperature to the limit; negative below room temperature.

    Examples
    --------
    >>> heating(np.array([55.0]), np.array([20.0]), np.array([90.0])).tolist()
    [0.5]
    """
    return (temperature.astype("float64") - room) / (limit - room)


RATIOS: dict[str, Ratio] = {
    "load1": Load("node_load1", "cpu_core_count_total", most=1.0),
    "cpu_power": Load("node_rapl_package_power_sum", "cpu_tdp_total"),
    "memory": Load("node_memory_Active_bytes", "cpu_memory_bytes_total"),
    "package_temperature": Heating("node_thermal_zone_temp_max", "cpu_t_case_max"),
    "core_temperature": Heating("node_hwmon_temp_celsius_max", "cpu_per_core_temp_max"),
    "gpu_power": Load("nvidia_gpu_power_usage_milliwatts_sum", "gpu_tdp_total", unit=1e-3),
    "gpu_memory": Load("nvidia_gpu_memory_used_bytes_sum", "gpu_memory_bytes_total"),
    "gpu_temperature": Heating("nvidia_gpu_temperature_celsius_max", "gpu_temp_max"),
}


def capacities(
    nodes: Collection[str], columns: Collection[str], hardware: pd.DataFrame | None = None
) -> dict[str, np.ndarray]:
    """Look up the hardware of nodes.

    Parameters
    ----------
    nodes : collection of str
        Names.
    columns : collection of str
        Columns of the hardware table that hold numbers.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.

    Returns
    -------
    dict of str to numpy.ndarray of float64, shape (nodes,)
        NaN where the hardware table lacks the node or has 0. The key ``""`` holds 1 for a node
        of the table and NaN for another.

    Raises
    ------
    TelemetryError
        If none of the nodes is in the hardware table.

    Examples
    --------
    >>> capacities(["r10n1", "login1"], ["cpu_core_count_total"])["cpu_core_count_total"].tolist()
    [16.0, nan]
    """
    table = lisa.inventory() if hardware is None else hardware
    lisa.validate(table)
    rows = table.set_index("node").reindex(list(nodes))
    found: dict[str, np.ndarray] = {
        name: rows[name].astype("float64").replace(0.0, np.nan).to_numpy() for name in columns
    }
    present = pd.Index(list(nodes)).isin(table["node"])
    if not present.any():
        raise TelemetryError(
            f"none of the {len(present)} nodes is in the hardware table of {len(table)} nodes; "
            "give the table of this cluster."
        )
    return found | {"": np.where(present, 1.0, np.nan)}
