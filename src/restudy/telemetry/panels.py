"""What the chapters show besides single figures: answers or why there are none, and races."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.quantities import number
from restudy.style import legend_above

T = TypeVar("T")

_ENGINES = {
    "restudy": (style.OURS, "o"),
    "pandas": (style.BASELINE, "s"),
    "duckdb": (style.SERIES[4], "D"),
    "polars": (style.SERIES[5], "^"),
    "duckdb, grid": (style.SERIES[3], "v"),
    "duckdb, intervals": (style.SERIES[1], "P"),
}


def race(results: Mapping[str, Any], questions: Sequence[str]) -> Sequence[Axes]:
    """Draw seconds over samples, one panel a question, one line an engine.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/telemetry.py`` wrote into ``benchmarks/results/telemetry.json``.
    questions : sequence of str
        Which of its questions.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        One a question.
    """
    sizes = sorted(results["sizes"].values(), key=lambda one: one["rows"])
    high = 3.2 * len(questions)
    _, grid = plt.subplots(
        len(questions), 1, figsize=(7.2, high), squeeze=False, layout="constrained"
    )
    for ax, question in zip(grid.flat, questions, strict=True):
        for engine, (colour, marker) in _ENGINES.items():
            points = [
                (one["rows"], one["questions"][question][engine]["median_s"])
                for one in sizes
                if "median_s" in one["questions"].get(question, {}).get(engine, {})
            ]
            if points:
                ax.plot(*zip(*points, strict=True), marker=marker, color=colour, label=engine)
        ax.set(xscale="log", yscale="log", xlabel="samples", ylabel="seconds [s]")
        ax.set_title(question, pad=46)
        legend_above(ax, 4)
    return list(grid.flat)


def race_table(results: Mapping[str, Any], questions: Sequence[str]) -> pd.DataFrame:
    """Give the numbers of `race` as text; what an engine could not do says why."""
    rows = []
    for question in questions:
        for one in sorted(results["sizes"].values(), key=lambda size: size["rows"]):
            for engine, found in one["questions"].get(question, {}).items():
                row = {"question": question, "samples": number(one["rows"]), "engine": engine}
                if "median_s" in found:
                    low, middle, high = found["time_over_restudy"]
                    row |= {
                        "seconds": number(found["median_s"]),
                        "peak memory [MiB]": number(round(found["peak_bytes"] / 2**20)),
                        "time over ours (range)": f"{middle:.2f} ({low:.2f} to {high:.2f})",
                    }
                else:
                    row |= {"seconds": f"failed: {str(found['failed'])[:60]}"}
                rows.append(row)
    return pd.DataFrame(rows).fillna("").set_index(["question", "samples", "engine"])


def scale_table(results: Mapping[str, Any]) -> pd.DataFrame:
    """Give what ``benchmarks/telemetry_scale.py`` measured, one row a run, as text."""
    rows = {
        name: {
            "values": number(results["values"]),
            "workers": number(run["workers"]),
            "seconds": number(round(run["seconds"], 1)),
            "peak memory of a worker [MiB]": number(round(run["worker_peak_bytes"] / 2**20)),
            "results": run["digest"][:12],
        }
        for name, run in results["runs"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
