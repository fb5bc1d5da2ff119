"""The metrics of a node: name, unit, resolution and physical range.

Names are Prometheus', as in the node table of arXiv 2409.08949. A value is counted as a whole
multiple of its metric's resolution wherever it is summed, so that sums are exact and no result
depends on how samples are cut into partitions or spread over workers.
"""

from dataclasses import dataclass
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
