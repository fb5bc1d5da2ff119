"""What is wrong with samples: rules as data, each counted, none silent.

The rules for single rows (`clean_rows`) do not depend on other rows, those for series
(`clean_series`) need all rows of a node; `apply` does both. Only ``unordered`` depends on the
order in which rows were read; the cleaned samples never do.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from restudy.telemetry import clocks, rows
from restudy.telemetry.metrics import metric
from restudy.telemetry.occurrences import Notes, Quality
from restudy.telemetry.rules import RULES, Rules
from restudy.telemetry.sequences import Stretch, known_resets, starts, stuck_stretches

__all__ = ["RULES", "Quality", "Rules", "apply", "clean_rows", "clean_series"]


def apply(
    frame: pd.DataFrame, metrics: Sequence[str], interval_s: int, rules: Rules
) -> tuple[pd.DataFrame, Quality]:
    """Clean samples by all rules.

    Parameters
    ----------
    frame : pandas.DataFrame
        All samples of some nodes as read: ``time``, ``node`` and metrics, in any order.
    metrics : sequence of str
        Metrics that the rules are applied to.
    interval_s : int
        Usual time between two samples of a node, s.
    rules : Rules
        Their limits.

    Returns
    -------
    frame : pandas.DataFrame
        In order of node and time, unique, unknown values NaN.
    quality : Quality
        What was found.

    Examples
    --------
    >>> node = pd.Categorical.from_codes([0, 0], ["a"])
    >>> read = rows.frame(np.array([0, 30]), node, {"node_power_usage": np.array([90.0, 6000.0])})
    >>> clean, quality = apply(read, ["node_power_usage"], 30, Rules())
    >>> clean["node_power_usage"].tolist(), quality.counts["range", "node_power_usage"]
    ([90.0, nan], 1)
    """
    cleaned, first = clean_rows(frame, metrics, rules)
    tidied, second = clean_series(cleaned, metrics, interval_s, rules)
    return tidied, first + second


def clean_rows(
    frame: pd.DataFrame, metrics: Sequence[str], rules: Rules
) -> tuple[pd.DataFrame, Quality]:
    """Apply the rules for single rows, in the order in which they were read; see `apply`."""
    notes = Notes(frame)
    time, code = notes.time, notes.code
    nameless = (time == clocks.UNKNOWN) | (code < 0)
    notes.add("unnamed", nameless)
    known = np.isin(notes.names, rules.nodes) if rules.nodes else np.ones(len(notes.names), bool)
    stranger = ~np.append(known, True)[code]
    notes.add("unknown node", stranger)
    notes.add("unordered", _unordered(time, code))
    for rule, count in frame.attrs.get("clock", {}).items():
        notes.number(rule, count)
    if "node_time_seconds" in metrics:
        own = frame["node_time_seconds"].to_numpy().astype("float64")
        with np.errstate(invalid="ignore"):
            late = (np.abs(own - time) > rules.clock_tolerance_s) & (own > 0) & ~nameless
        notes.add("clock", late, "node_time_seconds", own)
    columns = {name: _ranged(notes, name, frame[name].to_numpy(), rules) for name in metrics}
    good = ~(nameless | stranger)
    made = rows.frame(time, notes.node, columns)
    return (made if good.all() else made[good].reset_index(drop=True)), notes.quality(0)


def clean_series(
    frame: pd.DataFrame, metrics: Sequence[str], interval_s: int, rules: Rules
) -> tuple[pd.DataFrame, Quality]:
    """Order rows, join duplicates and apply the rules for series; see `apply`.

    `frame` holds all rows of its nodes.
    """
    tidied = rows.tidy(frame)
    notes = Notes(tidied)
    _duplicates(notes, frame, metrics)
    first = starts(notes.code)
    step = np.diff(notes.time, prepend=notes.time[:1])
    step[first] = 0
    if interval_s > 0:
        late = step > rules.gap_intervals * interval_s
        notes.add("gap", late, seconds=int((step[late] - interval_s).sum()))
    moves = _moves(tidied, metrics)
    columns = {}
    for name in metrics:
        values = tidied[name].to_numpy()
        notes.add("unknown", np.isnan(values), name)
        if metric(name).kind == "counter":
            notes.add("reset", known_resets(values, notes.code), name, values)
        hours = rules.stuck_hours.get(metric(name).unit)
        if hours is not None and metric(name).kind == "gauge":
            others = moves - _moved(values, notes.code)
            found = stuck_stretches(
                values, notes.code, others, int(hours * 3600) // max(interval_s, 1)
            )
            values = _unstick(notes, name, values, found, interval_s)
        columns[name] = values
    return rows.frame(notes.time, notes.node, columns), notes.quality(len(tidied))


def _unordered(time: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Tell the rows that are earlier than the row before of their node."""
    named = np.flatnonzero((time != clocks.UNKNOWN) & (code >= 0))
    order = named[np.argsort(code[named], kind="stable")]
    late = np.append(False, np.diff(time[order]) < 0)[: len(order)]
    late[starts(code[order])] = False
    found = np.zeros(len(time), bool)
    found[order] = late
    return found


def _ranged(notes: Notes, name: str, values: np.ndarray, rules: Rules) -> np.ndarray:
    """Make codes and impossible values of a metric unknown."""
    found = metric(name)
    codes = [code for code in rules.missing if not found.low <= code <= found.high]
    coded = np.isin(values, codes)
    notes.add("missing", coded, name, values)
    with np.errstate(invalid="ignore"):
        outside = ((values < found.low) | (values > found.high)) & ~coded
    notes.add("range", outside, name, values)
    bad = coded | outside
    return np.where(bad, np.array(np.nan, values.dtype), values) if bad.any() else values


def _duplicates(notes: Notes, frame: pd.DataFrame, metrics: Sequence[str]) -> None:
    """Count rows beyond the first of a node and time, and metrics in which such rows differ."""
    if len(frame) == len(notes.time):
        return
    keys = frame[["node", "time"]]
    double = keys.duplicated(keep=False).to_numpy()
    again = frame[double].groupby(["node", "time"], observed=True, sort=True)
    known = again[list(metrics)].count().max(axis=1)  # a table may give metrics in separate rows
    notes.number("duplicate", int((known - 1).clip(lower=0).sum()))
    for name in metrics:
        least, most = again[name].min(), again[name].max()
        differ = (least != most) & least.notna()
        notes.add_pairs("conflict", differ.index[differ], name, most[differ].to_numpy())


def _moved(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Tell, 1 or 0, where a value differs from the one before of its node."""
    with np.errstate(invalid="ignore"):
        step = np.abs(np.diff(values, prepend=values[:1])) > 0
    step[starts(code)] = False
    return step.astype("int16")


def _moves(frame: pd.DataFrame, metrics: Sequence[str]) -> np.ndarray:
    """Count the gauges that move at each row; clocks and counters always do, and are left out."""
    code = frame["node"].cat.codes.to_numpy()
    total = np.zeros(len(frame), "int16")
    for name in metrics:
        if metric(name).kind == "gauge" and metric(name).unit != "s":
            total += _moved(frame[name].to_numpy(), code)
    return total


def _unstick(
    notes: Notes, name: str, values: np.ndarray, found: Stretch, interval_s: int
) -> np.ndarray:
    if not len(found.begin):
        return values
    where = np.zeros(len(values), bool)
    where[found.begin] = True
    notes.add("stuck", where, name, values, seconds=int(found.rows.sum()) * interval_s)
    return np.where(found.inside, np.array(np.nan, values.dtype), values)
