"""What ``benchmarks/nbody.py`` recorded, for tables, claims and the figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

OURS: Final = "ours, drift first"  # as WHFast does
_WHFAST = "rebound WHFast"


def findings(benchmark: Mapping[str, Any]) -> dict[str, float]:
    """Give what the claims on speed ask for: medians over the turns.

    Parameters
    ----------
    benchmark : mapping
        What the benchmark wrote.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    single = benchmark["single"]["N = 3"]
    batch = benchmark["many"]["1000"]
    return {
        "speed-single": float(np.median(single[OURS]["over_whfast"])),
        "speed-batch": float(np.median(batch[_WHFAST]["time_over_ours"])),
    }


def table(benchmark: Mapping[str, Any]) -> pd.DataFrame:
    """Give the steps a CPU second of every integrator for one system.

    Parameters
    ----------
    benchmark : mapping
        What the benchmark wrote.

    Returns
    -------
    pandas.DataFrame
        One row for each integrator; for each number of bodies the median of millions of steps a
        CPU second, and the ratio to WHFast with the least and the largest turn.
    """
    columns: dict[tuple[str, str], dict[str, float | str]] = {}
    for name, engines in benchmark["single"].items():
        columns[(name, "million steps/s")] = {
            engine: float(np.median(one["steps_per_cpu_s"])) / 1e6
            for engine, one in engines.items()
        }
        columns[(name, "over WHFast")] = {
            engine: _ratio(one["over_whfast"]) for engine, one in engines.items()
        }
    return pd.DataFrame(columns)


def batch_table(benchmark: Mapping[str, Any]) -> pd.DataFrame:
    """Give the speed of many systems of three bodies on all cores.

    Parameters
    ----------
    benchmark : mapping
        What the benchmark wrote.

    Returns
    -------
    pandas.DataFrame
        One row for each number of systems and integrator.
    """
    rows = {}
    for systems, engines in benchmark["many"].items():
        for engine, one in engines.items():
            if isinstance(one, Mapping):
                rows[(f"{int(systems):,} systems", engine)] = {
                    "million steps of a system/CPU s": float(
                        np.median(one["system_steps_per_cpu_s"])
                    )
                    / 1e6,
                    "CPU time over ours": _ratio(one["time_over_ours"]),
                    "wall over ours": _ratio(one["wall_over_ours"]),
                }
    return pd.DataFrame(rows).T


def _ratio(values: list[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def cost_table(benchmark: Mapping[str, Any]) -> pd.DataFrame:
    """Give energy error and CPU time of every integrator and step, for the figure.

    Parameters
    ----------
    benchmark : mapping
        What the benchmark wrote.

    Returns
    -------
    pandas.DataFrame
        Columns ``integrator``, ``ours``, ``seconds`` and ``error``.
    """
    rows = [
        {
            "integrator": name,
            "ours": name.startswith("ours"),
            "seconds": run["cpu_s"],
            "error": run["max_energy_error"],
        }
        for name, runs in benchmark["accuracy"].items()
        if isinstance(runs, list)
        for run in runs
    ]
    return pd.DataFrame(rows)
