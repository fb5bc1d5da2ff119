"""The rules for samples as data: what each does, and its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

# Each rule and what is done; a chapter prints this table.
RULES: Mapping[str, str] = {
    "unnamed": "A row without time or node is left out.",
    "unknown node": "A row of a node that is not among the known ones is left out.",
    "ambiguous": "A local time in the hour that comes twice is placed by the order of rows.",
    "shifted": "A local time in the hour that does not exist is moved an hour on.",
    "unordered": "A row earlier than the row before of its node is sorted in.",
    "clock": "A row whose node's own clock differs by more than the tolerance is counted.",
    "missing": "A code for no measurement (-1) becomes unknown.",
    "range": "A value outside what a working sensor can give becomes unknown.",
    "unknown": "A sample of unknown value, also by the rules above, is counted.",
    "duplicate": "Of several rows of one node and time one is kept.",
    "conflict": "Where such rows have different known values, the largest is kept.",
    "gap": "A time without samples longer than 1.5 intervals is counted and never filled.",
    "stuck": "A value unchanged for longer than the rule's hours, while others move, is unknown.",
    "reset": "A counter that falls was reset; its increase there is its value since the reset.",
}


@dataclass(frozen=True)
class Rules:
    """Limits of the rules.

    Attributes
    ----------
    nodes : tuple of str
        Known nodes; empty if all are.
    missing : tuple of float
        Codes for no measurement, where a metric cannot be so.
    clock_tolerance_s : float
        Largest difference between a node's clock (``node_time_seconds``) and the sample's time.
    gap_intervals : float
        Longer times between two samples are gaps.
    stuck_hours : mapping of str to float
        By unit: longer stretches of one value are those of a stuck sensor. Other units are not
        looked at: many of their metrics are constant for good reasons. Nor are zeros.
    """

    nodes: tuple[str, ...] = ()
    missing: tuple[float, ...] = (-1.0,)
    clock_tolerance_s: float = 60.0
    gap_intervals: float = 1.5
    stuck_hours: Mapping[str, float] = field(
        default_factory=lambda: {"W": 24.0, "mW": 24.0, "°C": 72.0}
    )


def table() -> pd.DataFrame:
    """Give the rules, one a row."""
    return pd.DataFrame({"what it does": pd.Series(RULES)}).rename_axis("rule")
