"""Occurrences of the rules for samples: counts that add up, and the first examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.rules import RULES

EXAMPLES = 20


@dataclass(frozen=True)
class Example:
    """One occurrence: seconds since 1970, node, metric's value; ordered so."""

    time: int
    node: str
    value: float


@dataclass(frozen=True)
class Quality:
    """Counts of what the rules found; those of parts add up.

    Attributes
    ----------
    counts : dict of (str, str) to int
        Occurrences by rule and metric (``"time"`` for rules on rows).
    amounts : dict of (str, str) to int
        Seconds of gaps and of stuck sensors.
    examples : dict of (str, str) to tuple of Example
        The first 20 in order of time and node.
    rows : int
        Samples that are left: distinct pairs of node and time.
    """

    counts: Mapping[tuple[str, str], int]
    amounts: Mapping[tuple[str, str], int]
    examples: Mapping[tuple[str, str], tuple[Example, ...]]
    rows: int

    def __add__(self, other: "Quality") -> "Quality":
        keys = sorted({*self.examples, *other.examples})
        both = {key: (*self.examples.get(key, ()), *other.examples.get(key, ())) for key in keys}
        return Quality(
            _sum(self.counts, other.counts),
            _sum(self.amounts, other.amounts),
            {key: tuple(sorted(found, key=_place)[:EXAMPLES]) for key, found in both.items()},
            self.rows + other.rows,
        )

    def table(self) -> pd.DataFrame:
        """Return one row a rule and metric: rule, metric, count, seconds, what is done."""
        order = list(RULES)
        keys = sorted(self.counts, key=lambda key: (order.index(key[0]), key[1]))
        made = [
            (rule, name, self.counts[rule, name], self.amounts.get((rule, name), 0), RULES[rule])
            for rule, name in keys
        ]
        return pd.DataFrame(made, columns=["rule", "metric", "count", "seconds", "what is done"])

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold, see `from_json`."""
        found = [
            {
                "rule": rule,
                "metric": name,
                "count": count,
                "seconds": self.amounts.get((rule, name), 0),
                "examples": [
                    [one.time, one.node, one.value if np.isfinite(one.value) else None]
                    for one in self.examples.get((rule, name), ())
                ],
            }
            for (rule, name), count in sorted(self.counts.items())
        ]
        return {"rows": self.rows, "found": found}


NOTHING = Quality({}, {}, {}, 0)


def from_json(saved: Mapping[str, Any]) -> Quality:
    """Return the quality that `Quality.to_json` wrote."""
    found = {(one["rule"], one["metric"]): one for one in saved["found"]}
    return Quality(
        {key: one["count"] for key, one in found.items()},
        {key: one["seconds"] for key, one in found.items() if one["seconds"]},
        {
            key: tuple(Example(at, who, np.nan if v is None else v) for at, who, v in rest)
            for key, one in found.items()
            if (rest := one["examples"])
        },
        saved["rows"],
    )


class Notes:
    """Occurrences in one frame, while they are found."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.time = frame["time"].to_numpy().view("int64")
        self.node: Any = frame["node"].array
        self.code = np.asarray(self.node.codes, dtype="int64")
        self.names = np.asarray(self.node.categories, dtype=str)
        self._counts: dict[tuple[str, str], int] = {}
        self._amounts: dict[tuple[str, str], int] = {}
        self._examples: dict[tuple[str, str], tuple[Example, ...]] = {}

    def add(
        self,
        rule: str,
        where: np.ndarray,
        name: str = "time",
        values: np.ndarray | None = None,
        *,
        seconds: int = 0,
    ) -> None:
        """Count the rows where a rule holds, and keep the first ones in order of time and node."""
        found = np.flatnonzero(where)
        if not len(found):
            return
        self.number(rule, len(found), name, seconds=seconds)
        if len(found) > EXAMPLES:
            last = np.partition(self.time[found], EXAMPLES - 1)[EXAMPLES - 1]
            found = found[self.time[found] <= last]
        kept = [
            Example(
                int(self.time[at]),
                self._name(int(at)),
                np.nan if values is None else float(values[at]),
            )
            for at in found
        ]
        self._examples[rule, name] = tuple(sorted(kept, key=_place)[:EXAMPLES])

    def add_pairs(self, rule: str, pairs: Iterable[Any], name: str, values: np.ndarray) -> None:
        """Count pairs of node and time, and keep the first ones."""
        made = [
            Example(int(time.timestamp()), str(node), float(value))
            for (node, time), value in zip(pairs, values, strict=True)
        ]
        self.number(rule, len(made), name)
        if made:
            self._examples[rule, name] = tuple(sorted(made, key=_place)[:EXAMPLES])

    def number(self, rule: str, count: int, name: str = "time", *, seconds: int = 0) -> None:
        """Add to a count without examples."""
        if count:
            self._counts[rule, name] = self._counts.get((rule, name), 0) + count
        if seconds:
            self._amounts[rule, name] = seconds

    def quality(self, samples: int) -> Quality:
        """Return what was found among that many samples."""
        return Quality(self._counts, self._amounts, self._examples, samples)

    def _name(self, at: int) -> str:
        return str(self.names[self.code[at]]) if self.code[at] >= 0 else ""


def _sum(
    one: Mapping[tuple[str, str], int], other: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}


def _place(example: Example) -> tuple[int, str, float]:
    return example.time, example.node, example.value if np.isfinite(example.value) else -np.inf
