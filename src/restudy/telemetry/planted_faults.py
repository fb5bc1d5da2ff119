"""The rules of `restudy.telemetry.quality` against faults whose number is known."""

import json
import tempfile
from pathlib import Path

import pandas as pd

from restudy.telemetry import rules, store
from restudy.telemetry.generator import faults, layouts
from restudy.telemetry.generator.recipe import Faults, Recipe
from restudy.telemetry.ingest import ingest
from restudy.telemetry.occurrences import from_json

COUNTER = "node_network_receive_bytes_total_sum"
METRICS = (
    "node_power_usage",
    "node_ambient_temp",
    "node_load1",
    "node_memory_Active_bytes",
    "node_time_seconds",
    COUNTER,
)
# Planted sensors are stuck for four hours, so the rule's limits lie below.
STUCK_HOURS = {"W": 3.5, "°C": 3.5}


def recipe(*, seed: int) -> Recipe:
    """Give a small cluster with some faults of every kind."""
    every = Faults(
        duplicates=0.5,
        gaps=0.5,
        absurd=0.5,
        stuck=0.3,
        resets=0.3,
        clock_jumps=0.2,
        unordered=0.5,
    )
    return Recipe(seed=seed, nodes=16, days=4, interval_s=60, gpu_delay_days=0, faults=every)


def against_planted(planted: Recipe) -> pd.DataFrame:
    """Ingest a cluster with planted faults and compare what the rules count with what was planted.

    Parameters
    ----------
    planted : Recipe
        The cluster and its faults.

    Returns
    -------
    pandas.DataFrame
        One row a rule and what it looks at: ``planted`` faults of its own kind, those that come
        ``from clock jumps``, and ``found``. A clock that jumps back an hour leaves a gap, comes
        out of order once, repeats the times of an hour ago and takes their place, so that counters
        fall once.

    Raises
    ------
    TelemetryError
        If the cluster cannot be written.
    """
    limits = rules.Rules(stuck_hours=STUCK_HOURS)
    with tempfile.TemporaryDirectory() as home:
        raw = layouts.write_node_table(Path(home) / "raw", planted, metrics=METRICS)
        ingest(store.open_store(raw), Path(home) / "clean", rules=limits)
        saved = json.loads((Path(home) / "clean" / store.QUALITY).read_text(encoding="utf-8"))
    found = from_json(saved)
    listed = faults.planted(planted)
    samples = (listed["last"] - listed["first"]).dt.total_seconds() // planted.interval_s + 1
    jumps = listed["kind"] == "clock_jumps"
    moved = int(samples[jumps].sum())

    def number(kind: str, metric: str = "") -> int:
        return int(((listed["kind"] == kind) & (listed["metric"] == metric)).sum())

    rows = [
        ("unordered", "time", number("unordered"), int(jumps.sum())),
        ("duplicate", "time", number("duplicates"), moved),
        ("gap", "time", number("gaps"), int(jumps.sum())),
        ("clock", "node_time_seconds", 0, moved),
        ("reset", COUNTER, number("resets"), int(jumps.sum())),
        *(("range", name, number("absurd", name), 0) for name in METRICS[:4]),
        *(("stuck", name, number("stuck", name), 0) for name in METRICS[:2]),
    ]
    made = pd.DataFrame(rows, columns=["rule", "in", "planted", "from clock jumps"])
    made["found"] = [found.counts.get((rule, name), 0) for rule, name, *_ in rows]
    return made.set_index(["rule", "in"])
