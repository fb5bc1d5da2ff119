"""How engines are measured side by side: each run in a fresh process, answers that must agree.

Imports and the start of a cluster are not timed, reading the files is. Memory is the high-water
mark of the process and its children (VmHWM); a process may use at most ``memory`` bytes. Engines
take turns, so that a drift of the machine hits all of them; a ratio is that of two runs of one
turn.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Answers = dict[str, float]
Run = dict[str, object]


def peak_bytes() -> int:
    """High-water mark of this process and its living descendants."""
    import psutil

    me = psutil.Process()
    total = 0
    for process in (me, *me.children(recursive=True)):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                total += int(line.split()[1]) * 1024
    return total


def answer(ask: Callable[[], Answers], *, memory: int | None) -> None:
    """Answer in this process and print what it took; `ask` may time itself and its workers."""
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    before = time.perf_counter()
    answers = ask()
    seconds = answers.pop("seconds", time.perf_counter() - before)
    peak = int(answers.pop("peak", 0)) or peak_bytes()
    json.dump({"seconds": seconds, "peak_bytes": peak, "answers": answers}, sys.stdout)


def measure(arguments: Sequence[str], *, limit_s: float | None = None) -> Run:
    """Run the calling program with other arguments in a fresh process, which calls `answer`."""
    command = [sys.executable, sys.argv[0], *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {limit_s:.0f} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"ended by signal {-done.returncode}"]
        return {"failed": last[0][:200]}
    return dict(json.loads(done.stdout))


def agree(
    ours: Answers, theirs: Answers, *, relative: float = 1e-9, absolute: float = 1e-9
) -> None:
    """Stop if two engines differ by more than rounding: of sums of floats, or as told."""
    if ours.keys() != theirs.keys():
        raise SystemExit(f"different questions: {sorted(ours.keys() ^ theirs.keys())[:8]}")
    for key, value in ours.items():
        if abs(value - theirs[key]) > max(absolute, relative * abs(value)):
            raise SystemExit(f"{key}: {value} here, {theirs[key]} there")


def compare(
    turns: Sequence[Mapping[str, Run]],
    rows: int,
    *,
    relative: float = 1e-9,
    absolute: float = 1e-9,
) -> dict[str, Run]:
    """Sum up the turns of all engines; the first engine is ours, and all must agree with it."""
    ours = next(iter(turns[0]))
    reference = turns[0][ours]
    found: dict[str, Run] = {}
    for engine in turns[0]:
        runs = [turn[engine] for turn in turns if engine in turn]
        if failed := [run["failed"] for run in runs if "failed" in run]:
            found[engine] = {"failed": failed[0]}
            print(f"  {engine:20s} failed: {failed[0]}", flush=True)
            continue
        if "answers" in reference:
            agree(
                reference["answers"],
                runs[0]["answers"],
                relative=relative,
                absolute=absolute,
            )
        seconds = [run["seconds"] for run in runs]
        row: Run = {
            "seconds": seconds,
            "median_s": statistics.median(seconds),
            "rows_per_s": rows / statistics.median(seconds),
            "peak_bytes": max(run["peak_bytes"] for run in runs),
        }
        if all("seconds" in turn[ours] for turn in turns):
            both = [turn for turn in turns if engine in turn]
            ratios = [turn[engine]["seconds"] / turn[ours]["seconds"] for turn in both]
            row["time_over_restudy"] = [min(ratios), statistics.median(ratios), max(ratios)]
        found[engine] = row
        ratio = row.get("time_over_restudy", [float("nan")] * 3)
        print(
            f"  {engine:20s} {row['median_s']:8.2f} s {row['rows_per_s'] / 1e6:8.2f} M rows/s "
            f"{row['peak_bytes'] / 2**20:8,.0f} MiB  x{ratio[1]:.2f} "
            f"({ratio[0]:.2f}-{ratio[2]:.2f})",
            flush=True,
        )
    return found


def machine(packages: Sequence[str]) -> dict[str, object]:
    """Say on what it ran."""
    from importlib.metadata import version

    return {
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }
