"""The metrics of a node: name, unit, resolution and physical range.

Names are Prometheus', as in the node table of arXiv 2409.08949. A value is counted as a whole
multiple of its metric's resolution wherever it is summed, so that sums are exact and no result
depends on how samples are cut into partitions or spread over workers.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from restudy.errors import UserError


class TelemetryError(UserError):
    """Node metrics that cannot answer the question; the message is one sentence."""


@dataclass(frozen=True)
class Metric:
    """One metric of a node.

    Attributes
    ----------
    name : str
        Name of its column.
    unit : str
        ``"W"``, ``"°C"``, ``"B"``, ``"1"`` (a number), ...
    resolution : float
        Smallest step that is told apart, in `unit`.
    low, high : float
        Smallest and largest value that a working sensor can give; others are unknown.
    kind : str
        ``"gauge"`` or, for one that only grows until it is reset, ``"counter"``.
    """

    name: str
    unit: str
    resolution: float
    low: float
    high: float
    kind: Literal["gauge", "counter"] = "gauge"


# Older and other published names of the same metric.
ALIASES: Mapping[str, str] = {
    "surfsara_power_usage": "node_power_usage",
    "surfsara_ambient_temp": "node_ambient_temp",
    "node_memory_Active": "node_memory_Active_bytes",
    "node_memory_Dirty": "node_memory_Dirty_bytes",
    "node_memory_MemFree": "node_memory_MemFree_bytes",
    "node_memory_Percpu": "node_memory_Percpu_bytes",
    "node_boot_time": "node_boot_time_seconds",
    "node_time": "node_time_seconds",
    "node_context_switches": "node_context_switches_total",
    "node_intr": "node_intr_total",
    "node_forks": "node_forks_total",
}

# What the end of a Prometheus name says of the unit, after statistics and slots were taken off.
_SUFFIXES: Mapping[str, str] = {
    "bytes": "B",
    "seconds": "s",
    "celsius": "°C",
    "temp": "°C",
    "temperature": "°C",
    "percent": "%",
    "joules": "J",
    "milliwatts": "mW",
    "watts": "W",
    "volts": "V",
    "amperes": "A",
    "hertz": "Hz",
    "rpm": "1/min",
    "ratio": "1",
    "duty_cycle": "%",
    "power_usage": "W",
}
_STATISTIC = re.compile(r"_(?:min|mean|max|sum|delta|total|count|[0-9]+)$")


def _registry() -> dict[str, Metric]:
    path = resources.files("restudy.telemetry") / "tables" / "metrics.csv"
    with path.open("r", encoding="utf-8") as stream:
        rows = csv.DictReader(line for line in stream if not line.startswith("#"))
        return {
            row["name"]: Metric(
                row["name"],
                row["unit"],
                float(row["resolution"]),
                float(row["low"]),
                float(row["high"]),
                "counter" if row["kind"] == "counter" else "gauge",
            )
            for row in rows
        }


# All metrics of the published node table, by name.
METRICS: Mapping[str, Metric] = _registry()


def unit(name: str) -> str:
    """Give the unit of a metric: the registry's, else what the end of a Prometheus name says.

    Examples
    --------
    >>> unit("node_power_usage"), unit("node_cpu_seconds_total"), unit("nvidia_gpu_duty_cycle")
    ('W', 's', '%')
    >>> unit("node_vmstat_pgfault")
    '1'
    """
    return metric(name).unit


@cache
def metric(name: str) -> Metric:
    """Describe a metric by its column's name, registered or not.

    Parameters
    ----------
    name : str
        Name or alias.

    Returns
    -------
    Metric
        An alias gives the metric it stands for. An unknown name gives its unit by Prometheus'
        rule for names, a counter where it has ``_total``, the resolution 0.01 and the bounds
        -1e15 and 1e15.

    Examples
    --------
    >>> metric("surfsara_power_usage").name
    'node_power_usage'
    >>> metric("node_cpu_seconds_total").kind
    'counter'
    """
    known = METRICS.get(ALIASES.get(name, name))
    if known is not None:
        return known
    grows = re.search(r"_total(?:_sum)?$", name) is not None
    low = 0.0 if grows else -1e15
    return Metric(name, _unit(name), 0.01, low, 1e15, "counter" if grows else "gauge")


def dtype(name: str) -> str:
    """Type of a metric's values: ``float64`` where ``float32`` would lose whole numbers."""
    found = metric(name)
    narrow = found.unit in {"W", "mW", "°C", "%"} or found.high <= 2**24
    return "float32" if narrow and found.kind == "gauge" else "float64"


def _unit(name: str) -> str:
    while (shorter := _STATISTIC.sub("", name)) != name:
        name = shorter
    return next((unit for end, unit in _SUFFIXES.items() if name.endswith(f"_{end}")), "1")
