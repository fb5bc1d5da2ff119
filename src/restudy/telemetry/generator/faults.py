"""Faults planted in generated metrics, each on a list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from restudy.telemetry.generator import cluster
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import Recipe

# Metric and value that no working sensor gives.
ABSURD: tuple[tuple[str, float], ...] = (
    ("node_power_usage", 65_535.0),
    ("node_ambient_temp", 128.0),
    ("node_load1", -5.0),
    ("node_memory_Active_bytes", 2.0**60),
    ("nvidia_gpu_temperature_celsius_0", 255.0),
)
STUCK: tuple[str, ...] = ("node_power_usage", "node_ambient_temp", "node_load1")
CLOCK_S = 3600  # by which a clock is behind
COLUMNS = ("kind", "node", "metric", "first", "last", "value")


@dataclass(frozen=True)
class Fault:
    """One planted fault: samples `first` to `last` of a node's day, before any row is moved."""

    kind: str
    first: int
    last: int
    metric: str = ""
    value: float = float("nan")


def planted(recipe: Recipe) -> pd.DataFrame:
    """List all faults of the recipe's telemetry.

    Parameters
    ----------
    recipe : Recipe
        Its faults.

    Returns
    -------
    pandas.DataFrame
        Columns ``kind`` (a field of `Faults`), ``node``, ``metric`` and ``value`` (of an absurd
        or stuck value), ``first`` and ``last`` (times of the samples concerned, true ones where
        a clock jumps, datetime64[s]), in order of node and time.
    """
    rows = []
    for node in cluster.nodes(recipe):
        for day in range(recipe.gpu_delay if node.is_gpu else 0, recipe.days):
            begin = recipe.first + day * 86_400
            for fault in of_day(recipe, node, day):
                at = [begin + i * recipe.interval_s for i in (fault.first, fault.last)]
                rows.append((fault.kind, node.name, fault.metric, *at, fault.value))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["first"] = frame["first"].astype("int64").astype("datetime64[s]")
    frame["last"] = frame["last"].astype("int64").astype("datetime64[s]")
    return frame


@lru_cache(maxsize=4096)
def of_day(recipe: Recipe, node: Node, day: int) -> tuple[Fault, ...]:
    """Draw the faults of a node's day; they do not overlap, and leave its first and last row."""
    rates = vars(recipe.faults)
    if not any(rates.values()):
        return ()
    rng = cluster.rng(recipe, cluster.FAULTS, node.rack, node.number, day)
    n, hour = recipe.samples, 3600 // recipe.interval_s
    length: Mapping[str, Callable[[], int]] = {
        "gaps": lambda: int(rng.integers(1, hour + 1)),
        "stuck": lambda: 4 * hour,
        "clock_jumps": lambda: max(hour // 6, 2),
        "unordered": lambda: 2,
    }
    found: list[Fault] = []
    free = np.ones(n, bool)
    free[[0, -1]] = False
    for kind, rate in rates.items():
        for _ in range(int(rng.poisson(rate))):
            rows = length.get(kind, lambda: 1)()
            first = int(rng.integers(1, max(n - rows - 1, 2)))
            metric, value = _what(kind, node, rng)
            if not free[first : first + rows].all():
                continue
            free[max(first - 1, 0) : first + rows + 1] = False
            found.append(Fault(kind, first, first + rows - 1, metric, value))
    return tuple(sorted(found, key=lambda fault: fault.first))


def _what(kind: str, node: Node, rng: np.random.Generator) -> tuple[str, float]:
    if kind == "absurd":
        known = [one for one in ABSURD if node.is_gpu or not one[0].startswith("nvidia")]
        return known[int(rng.integers(len(known)))]
    if kind == "stuck":
        return STUCK[int(rng.integers(len(STUCK)))], float("nan")
    return "", float("nan")


@lru_cache(maxsize=4096)
def resets(recipe: Recipe, node: Node) -> tuple[int, ...]:
    """Give the times at which a node restarts, s since 1970, in order."""
    if not recipe.faults.resets:
        return ()
    return tuple(
        recipe.first + day * 86_400 + fault.first * recipe.interval_s
        for day in range(recipe.days)
        for fault in of_day(recipe, node, day)
        if fault.kind == "resets"
    )


def spoil(
    recipe: Recipe, nodes: tuple[Node, ...], day: int, columns: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Plant a day's faults in the columns of its rows.

    Parameters
    ----------
    recipe : Recipe
        Its faults.
    nodes : tuple of Node
        The rows are in order of node and time.
    day : int
        From 0.
    columns : dict of str to numpy.ndarray, shape (nodes * samples,)
        ``time`` (s since 1970) and metrics; changed where values are absurd or stuck.

    Returns
    -------
    dict of str to numpy.ndarray, shape (rows,)
        The columns with rows added, removed and moved.
    """
    if not any(vars(recipe.faults).values()):
        return columns
    rows = []
    for place, node in enumerate(nodes):
        begin = place * recipe.samples
        order = np.arange(begin, begin + recipe.samples)
        dropped, doubled = np.zeros(len(order), bool), np.zeros(len(order), bool)
        for fault in of_day(recipe, node, day):
            here = slice(fault.first, fault.last + 1)
            there = slice(begin + fault.first, begin + fault.last + 1)
            if fault.kind == "gaps":
                dropped[here] = True
            elif fault.kind == "duplicates":
                doubled[here] = True
            elif fault.kind == "unordered":
                order[here] = order[here][::-1]
            elif fault.kind == "clock_jumps":
                columns["time"][there] -= CLOCK_S
            elif fault.kind == "absurd" and fault.metric in columns:
                columns[fault.metric][there] = fault.value
            elif fault.kind == "stuck" and fault.metric in columns:
                columns[fault.metric][there] = columns[fault.metric][begin + fault.first]
        rows.append(np.repeat(order, np.where(dropped, 0, 1 + doubled)))
    taken = np.concatenate(rows)
    return {name: values[taken] for name, values in columns.items()}
