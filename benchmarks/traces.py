"""Job statistics at 1, 10 and 100 times the paper's jobs: seconds and memory, beside two peers.

    python benchmarks/traces.py                  # 1x
    python benchmarks/traces.py 1 10 100         # needs 10 GB of disk and some minutes

The same questions (`QUESTIONS`) are put to restudy (Dask on threads, Dask on processes), to plain
pandas and to DuckDB, over the same Parquet files, two threads or processes each. Every run is a
fresh process; imports and the start of a cluster are not timed, reading the files is. Memory is the
high-water mark of the process and its children (VmHWM); a process may use at most ``--memory``.
The answers of all must agree, or the benchmark fails. Engines take turns, so that a drift of the
machine hits all of them; a ratio is that of two runs of one turn.

What was tried for restudy at 1x before this form (one pass over run, wait, nodes, cores and
node-hours, two threads):

- counting keys: see `restudy.traces.counting`; ``numpy.unique`` of one 64-bit key is the fastest;
- one key for class, state, quantity and value instead of a pandas ``groupby`` of four columns:
  the groupby alone took longer than the whole pass takes now;
- several quantities a pass instead of one pass each: the state column is decoded once;
- reading only the needed columns halves the time; ``job_id`` alone is a third of the bytes.
"""

import argparse
import importlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Answers = dict[str, float]

QUESTIONS = (
    "run and wait time by class and by class and state: jobs, mean, largest, three quartiles",
    "jobs by day and class",
    "failed jobs by hour of the day and class",
    "run time and node-hours by class and state",
    "jobs by number of nodes and class; quartiles of cores",
)
REPEATS = {1: 5, 10: 3}  # 1 for larger ones
THREADS = 2
NAMES = {False: "generic", True: "ml"}


def restudy_answers(folder: Path) -> Answers:
    """Ask restudy."""
    from restudy.traces import arrivals, distributions, prepared

    jobs = prepared.read(folder)
    found = distributions.measure(jobs, ["run_s", "wait_s", "nodes", "cores", "node_s"])
    by_hour = arrivals.arrivals(jobs, "submit")
    answers: Answers = {}
    for kind in ("generic", "ml"):
        for name in ("run_s", "wait_s"):
            for state in (None, *found[name].states):
                ecdf = found[name].ecdf(kind, state)
                key = f"{name}/{kind}/{state or 'all'}"
                _describe(
                    answers, key, ecdf.n, ecdf.mean, ecdf.max, ecdf.quantile([0.25, 0.5, 0.75])
                )
        days, counts = by_hour.per("day", kind)
        for day, count in zip(days, counts, strict=True):
            if count:
                answers[f"day/{kind}/{day}"] = int(count)
        for hour, count in enumerate(by_hour.hour_of_day(kind, "FAILED")):
            answers[f"failed/{kind}/{hour}"] = int(count)
        for state in found["run_s"].states:
            for name in ("run_s", "node_s"):
                answers[f"sum/{name}/{kind}/{state}"] = found[name].ecdf(kind, state).total
        nodes = found["nodes"].ecdf(kind)
        for value, count in zip(nodes.values, nodes.counts, strict=True):
            answers[f"nodes/{kind}/{value}"] = int(count)
        for at, cores in enumerate(found["cores"].ecdf(kind).quantile([0.25, 0.5, 0.75])):
            answers[f"cores/{kind}/{at}"] = float(cores)
    return answers


def threads(folder: Path) -> Answers:
    """Ask restudy on Dask's threads."""
    import dask

    with dask.config.set(scheduler="threads", num_workers=THREADS):
        return restudy_answers(folder)


def processes(folder: Path) -> Answers:
    """Ask restudy on a cluster of processes."""
    from restudy import parallel

    with parallel.connect(f"local:{THREADS}"):
        before = time.perf_counter()  # the cluster is up
        answers = restudy_answers(folder)
        answers["seconds"] = time.perf_counter() - before
        answers["peak"] = _peak()  # while the workers live
        return answers


def pandas(folder: Path) -> Answers:
    """Ask pandas, all needed columns in memory."""
    import pandas as pd

    columns = ["submit", "start", "end", "state", "nodes", "cores", "is_ml"]
    jobs = pd.read_parquet(folder, columns=columns)
    jobs["run_s"] = (jobs["end"] - jobs["start"]).dt.total_seconds()
    jobs["wait_s"] = (jobs["start"] - jobs["submit"]).dt.total_seconds()
    jobs["node_s"] = jobs["run_s"] * jobs["nodes"]
    answers: Answers = {}
    for ml, part in jobs.groupby("is_ml"):
        kind = NAMES[bool(ml)]
        for name in ("run_s", "wait_s"):
            for state, values in [("all", part[name]), *part.groupby("state")[name]]:
                quartiles = values.quantile([0.25, 0.5, 0.75])
                key = f"{name}/{kind}/{state}"
                _describe(answers, key, len(values), values.mean(), values.max(), quartiles)
        for day, count in part["submit"].dt.floor("D").value_counts().items():
            answers[f"day/{kind}/{day.date()}"] = int(count)
        failed = part[part["state"] == "FAILED"]["submit"].dt.hour.value_counts()
        for hour in range(24):
            answers[f"failed/{kind}/{hour}"] = int(failed.get(hour, 0))
        for name in ("run_s", "node_s"):
            for state, total in part.groupby("state")[name].sum().items():
                answers[f"sum/{name}/{kind}/{state}"] = float(total)
        for value, count in part["nodes"].value_counts().items():
            answers[f"nodes/{kind}/{value}"] = int(count)
        for at, cores in enumerate(part["cores"].quantile([0.25, 0.5, 0.75])):
            answers[f"cores/{kind}/{at}"] = float(cores)
    return answers


def duckdb(folder: Path) -> Answers:
    """Ask DuckDB, straight from the files."""
    import duckdb as db

    answers: Answers = {}
    with tempfile.TemporaryDirectory() as spill, db.connect() as connection:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0] * 3 // 4
        connection.execute(f"SET threads = {THREADS}; SET temp_directory = '{spill}'")
        connection.execute(f"SET memory_limit = '{limit // 2**20} MiB'")
        connection.execute(
            f"""CREATE VIEW jobs AS SELECT *, date_diff('second', start, "end") AS run_s,
            date_diff('second', submit, start) AS wait_s, run_s * nodes AS node_s
            FROM read_parquet('{folder}/*.parquet')"""
        )
        ask = connection.execute
        for name in ("run_s", "wait_s"):
            rows = ask(
                f"""SELECT is_ml, coalesce(state, 'all'), count({name}), avg({name}), max({name}),
                quantile_cont({name}, [0.25, 0.5, 0.75]) FROM jobs
                GROUP BY GROUPING SETS ((is_ml), (is_ml, state))"""
            ).fetchall()
            for ml, state, *described in rows:
                _describe(answers, f"{name}/{NAMES[ml]}/{state}", *described)
        for ml, day, count in ask(
            "SELECT is_ml, CAST(submit AS DATE), count(*) FROM jobs GROUP BY ALL"
        ).fetchall():
            answers[f"day/{NAMES[ml]}/{day}"] = count
        answers |= {f"failed/{kind}/{hour}": 0 for kind in NAMES.values() for hour in range(24)}
        for ml, hour, count in ask(
            "SELECT is_ml, hour(submit), count(*) FROM jobs WHERE state = 'FAILED' GROUP BY ALL"
        ).fetchall():
            answers[f"failed/{NAMES[ml]}/{hour}"] = count
        for ml, state, run, node in ask(
            "SELECT is_ml, state, sum(run_s), sum(node_s) FROM jobs GROUP BY ALL"
        ).fetchall():
            answers[f"sum/run_s/{NAMES[ml]}/{state}"] = float(run)
            answers[f"sum/node_s/{NAMES[ml]}/{state}"] = float(node)
        for ml, value, count in ask(
            "SELECT is_ml, nodes, count(*) FROM jobs GROUP BY ALL"
        ).fetchall():
            answers[f"nodes/{NAMES[ml]}/{value}"] = count
        for ml, quartiles in ask(
            "SELECT is_ml, quantile_cont(cores, [0.25, 0.5, 0.75]) FROM jobs GROUP BY ALL"
        ).fetchall():
            for at, cores in enumerate(quartiles):
                answers[f"cores/{NAMES[ml]}/{at}"] = cores
    return answers


def _describe(answers: Answers, key: str, n: int, mean: float, high: float, q: object) -> None:
    answers[f"{key}/n"] = int(n)
    answers[f"{key}/mean"] = float(mean)
    answers[f"{key}/max"] = float(high)
    for at, value in enumerate(q):
        answers[f"{key}/q{at}"] = float(value)


ENGINES: dict[str, Callable[[Path], Answers]] = {
    "restudy, threads": threads,
    "restudy, processes": processes,
    "pandas": pandas,
    "duckdb": duckdb,
}


def _peak() -> int:
    """High-water mark of this process and its living descendants, bytes."""
    import psutil

    me = psutil.Process()
    total = 0
    for process in (me, *me.children(recursive=True)):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                total += int(line.split()[1]) * 1024
    return total


def child(engine: str, folder: Path, memory: int) -> None:
    """Answer in this process and print what it took."""
    if engine != "restudy, processes":
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    for module in ("dask.dataframe", "duckdb", "pandas", "restudy.traces.prepared"):
        importlib.import_module(module)
    before = time.perf_counter()
    answers = ENGINES[engine](folder)
    seconds = answers.pop("seconds", time.perf_counter() - before)
    peak = int(answers.pop("peak", 0)) or _peak()
    json.dump({"seconds": seconds, "peak_bytes": peak, "answers": answers}, sys.stdout)


def measure(engine: str, folder: Path, memory: int) -> dict[str, object]:
    """Run one engine in a fresh process."""
    command = [sys.executable, __file__, "--child", engine, "--folder", str(folder)]
    command += ["--memory", str(memory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"ended by signal {-done.returncode}"]
        return {"failed": last[0][:200]}
    return dict(json.loads(done.stdout))


def agree(ours: Answers, theirs: Answers) -> None:
    """Stop if two engines differ by more than the rounding of sums of floats."""
    if ours.keys() != theirs.keys():
        raise SystemExit(f"different questions: {sorted(ours.keys() ^ theirs.keys())[:8]}")
    for key, value in ours.items():
        if abs(value - theirs[key]) > 1e-9 * max(1.0, abs(value)):
            raise SystemExit(f"{key}: {value} here, {theirs[key]} there")


def compare(scale: int, folder: Path, engines: list[str], memory: int) -> dict[str, object]:
    """Measure all engines at one scale."""
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*.parquet"))
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    size = sum(file.stat().st_size for file in files)
    print(f"{scale}x: {rows:,} jobs, {len(files)} files, {size / 2**30:.2f} GiB", flush=True)
    turns = [
        {engine: measure(engine, folder, memory) for engine in engines}
        for _ in range(REPEATS.get(scale, 1))
    ]
    reference = turns[0][engines[0]]
    found: dict[str, object] = {}
    for engine in engines:
        runs = [turn[engine] for turn in turns]
        if failed := [run["failed"] for run in runs if "failed" in run]:
            found[engine] = {"failed": failed[0]}
            print(f"  {engine:20s} failed: {failed[0]}", flush=True)
            continue
        if "answers" in reference:
            agree(reference["answers"], runs[0]["answers"])
        seconds = [run["seconds"] for run in runs]
        row: dict[str, object] = {
            "seconds": seconds,
            "median_s": statistics.median(seconds),
            "rows_per_s": rows / statistics.median(seconds),
            "peak_bytes": max(run["peak_bytes"] for run in runs),
        }
        if all("seconds" in turn[engines[0]] for turn in turns):
            ratios = [turn[engine]["seconds"] / turn[engines[0]]["seconds"] for turn in turns]
            row["time_over_restudy"] = [min(ratios), statistics.median(ratios), max(ratios)]
        found[engine] = row
        ratio = row.get("time_over_restudy", [float("nan")] * 3)
        print(
            f"  {engine:20s} {row['median_s']:8.2f} s {row['rows_per_s'] / 1e6:8.2f} M rows/s "
            f"{row['peak_bytes'] / 2**20:8,.0f} MiB  x{ratio[1]:.2f} "
            f"({ratio[0]:.2f}-{ratio[2]:.2f})",
            flush=True,
        )
    return {"rows": rows, "bytes": size, "engines": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scales", type=int, nargs="*", default=[1])
    parser.add_argument("--folder", type=Path, help="keep the files here; else a temporary folder")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--memory", type=int, default=16 * 2**30, help="limit of a process, bytes")
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.folder, given.memory)
        return
    from concurrent.futures import ProcessPoolExecutor

    from restudy.traces import generator

    output = Path(__file__).parent / "results" / "traces.json"
    home = given.folder or Path(tempfile.mkdtemp(prefix="restudy-traces-"))
    report = json.loads(output.read_text()) if output.exists() else {"scales": {}}
    try:
        for scale in given.scales:
            begin = time.perf_counter()
            with ProcessPoolExecutor(THREADS) as executor:
                recipe = generator.Recipe(seed=0, scale=scale)
                folder = generator.write(home / f"{scale}x", recipe, executor=executor)
            print(f"{scale}x: files ready after {time.perf_counter() - begin:.0f} s", flush=True)
            report["scales"][str(scale)] = compare(scale, folder, given.engines, given.memory)
            if given.folder is None:
                shutil.rmtree(folder)
            report |= {"questions": QUESTIONS, "threads": THREADS, "machine": _machine()}
            output.parent.mkdir(exist_ok=True)
            output.write_text(json.dumps(report, indent=1) + "\n")
    finally:
        if given.folder is None:
            shutil.rmtree(home, ignore_errors=True)
    print(f"written: {output}")


def _machine() -> dict[str, object]:
    from importlib.metadata import version

    packages = ("dask", "duckdb", "numpy", "pandas", "pyarrow")
    return {
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


if __name__ == "__main__":
    main()
