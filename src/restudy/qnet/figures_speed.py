"""Quantum networks beside peers: what ``benchmarks/qnet.py`` measured, as axes and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.quantities import number

# The right edge of Fig. 9 of arXiv 2010.12535 is 1000 nodes, and the top of its axis is 2.00 s.
PAPER_CHAIN: Final = (1000, 2.0)

_ENGINES: Final = {
    "restudy": (style.OURS, "o"),
    "restudy, density": (style.OURS, "o"),
    "restudy, ket": (style.SERIES[5], "v"),
    "restudy, Bell": (style.SERIES[4], "^"),
    "restudy, stabilizer": (style.SERIES[0], "s"),
    "restudy, graph": (style.SERIES[3], "P"),
    "restudy, closed form": (style.OURS, "o"),
    "restudy, events": (style.SERIES[4], "^"),
    "heapq": (style.BASELINE, "|"),
    "simpy": (style.SERIES[5], "v"),
    "SeQUeNCe": (style.SERIES[1], "D"),
    "SimQN": (style.SERIES[3], "X"),
    "stim": (style.SERIES[1], "D"),
    "QuTiP": (style.BASELINE, "X"),
}


def race(results: Mapping[str, Any], question: str, ax: Axes | None = None) -> Axes:
    """Draw CPU seconds over size, one line an engine; the paper's bound for its chain as a cross.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/qnet.py`` wrote into ``benchmarks/results/qnet.json``.
    question : str
        One of its questions with several sizes: ``chain``, ``SWAP-ASAP`` or ``GHZ``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    asked = results["questions"][question]
    for engine in _engines(asked):
        colour, marker = _ENGINES[engine]
        points = [
            (int(size), found[engine]["cpu_s"])
            for size, found in asked["sizes"].items()
            if "cpu_s" in found.get(engine, {})
        ]
        ax.plot(*zip(*points, strict=True), marker=marker, ms=6, color=colour, label=engine)
    if question == "chain":
        ax.plot(*PAPER_CHAIN, style.PAPER_MARKER, color=style.PAPER, ms=9, label="paper, at most")
    ax.set(xscale="log", yscale="log", xlabel=asked["size"])
    ax.set_ylabel(f"CPU time per {asked['unit']} [s]")
    style.legend_above(ax, 3)
    return ax


def rates(results: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what an event loop does in a second of the CPU, one row a question, one mark an engine.

    A wait for two is two events.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/qnet.py`` wrote.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = style.axes(ax)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for question in ("callbacks", "waits", "waits for two"):
        for size, found in results["questions"][question]["sizes"].items():
            processes = "1 process" if int(size) == 1 else f"{number(int(size))} processes"
            rows.append((f"{question},\n{processes}", found))
    for engine in dict.fromkeys(name for _, found in rows for name in found):
        colour, marker = _ENGINES[engine]
        places = [at for at, (_, found) in enumerate(rows) if "cpu_s" in found.get(engine, {})]
        values = [1e-6 / rows[at][1][engine]["cpu_s"] for at in places]
        size, label = (14, "bare heapq loop") if engine == "heapq" else (8, engine)
        ax.plot(values, places, marker, ms=size, mew=2, color=colour, label=label)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="events in a second of the CPU [million/s]")
    ticks = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in ticks if low < tick < high])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    style.legend_above(ax, 3)
    return ax


def races(results: Mapping[str, Any], questions: Sequence[str]) -> Sequence[Axes]:
    """Draw `race` for several questions, one under the other; return one Axes a question."""
    high = 4.2 * len(questions)
    _, grid = plt.subplots(len(questions), 1, figsize=(6.4, high), squeeze=False)
    return [race(results, one, ax) for one, ax in zip(questions, grid.flat, strict=True)]


def race_table(results: Mapping[str, Any], questions: Sequence[str]) -> pd.DataFrame:
    """Give the numbers of the questions as text; what an engine could not do says why.

    Parameters
    ----------
    results : mapping
        What ``benchmarks/qnet.py`` wrote.
    questions : sequence of str
        Which of its questions.

    Returns
    -------
    pandas.DataFrame
        One row a question, size and engine. Times are of one unit: a callback, a run, a state. CPU
        time is that of the process that asks, without workers.
    """
    rows = []
    for question in questions:
        asked = results["questions"][question]
        for size, found in asked["sizes"].items():
            for engine, one in found.items():
                row = {
                    "question": f"{question}, time per {asked['unit']}",
                    "size": f"{asked['size']}: {number(int(size))}",
                    "engine": engine,
                }
                rows.append(row | _told(one))
    return pd.DataFrame(rows).fillna("").set_index(["question", "size", "engine"])


def _told(one: Mapping[str, Any]) -> dict[str, str]:
    if "failed" in one:
        return {"CPU time": f"failed: {str(one['failed'])[:60]}"}
    low, middle, high = one["time_over_restudy"]
    return {
        "CPU time": _time(one["cpu_s"]),
        "wall time": _time(one["median_s"]),
        "set-up": _time(one["setup_cpu_s"]),
        "peak memory [MiB]": number(round(one["peak_bytes"] / 2**20)),
        "time over ours (range)": f"{middle:.2f} ({low:.2f} to {high:.2f})",
        "bare loop [million/s]": f"{one['bare_per_s'] / 1e6:.2f}",
    }


def _time(seconds: float) -> str:
    """Write a time with the unit that leaves one to three digits before the point."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _engines(asked: Mapping[str, Any]) -> list[str]:
    """Return the engines that have a mark, and a time at any size, in their order."""
    found = dict.fromkeys(name for size in asked["sizes"].values() for name in size)
    return [
        name
        for name in found
        if name in _ENGINES
        and any("cpu_s" in size.get(name, {}) for size in asked["sizes"].values())
    ]
