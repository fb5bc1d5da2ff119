"""Job statistics at 1, 10 and 100 times the paper's jobs: seconds and memory, beside two peers.

    python benchmarks/traces.py                  # 1x
    python benchmarks/traces.py 1 10 100         # needs 10 GB of disk and some minutes

The same questions (`QUESTIONS`) are put to restudy (Dask on threads, Dask on processes), to plain
pandas and to DuckDB, over the same Parquet files, two threads or processes each. `harness` says how
they are measured; the answers of all must agree, or the benchmark fails.

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
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import harness

PACKAGES = ("dask", "duckdb", "numpy", "pandas", "pyarrow")
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


def restudy_answers(folder: Path) -> harness.Answers:
    """Ask restudy."""
    from restudy.traces import arrivals, distributions, prepared

    jobs = prepared.read(folder)
    found = distributions.measure(jobs, ["run_s", "wait_s", "nodes", "cores", "node_s"])
    by_hour = arrivals.arrivals(jobs, "submit")
    answers: harness.Answers = {}
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


def threads(folder: Path) -> harness.Answers:
    """Ask restudy on Dask's threads."""
    import dask

    with dask.config.set(scheduler="threads", num_workers=THREADS):
        return restudy_answers(folder)


def processes(folder: Path) -> harness.Answers:
    """Ask restudy on a cluster of processes."""
    from restudy import parallel

    with parallel.connect(f"local:{THREADS}"):
        before = time.perf_counter()  # the cluster is up
        answers = restudy_answers(folder)
        answers["seconds"] = time.perf_counter() - before
        answers["peak"] = harness.peak_bytes()  # while the workers live
        return answers


def pandas(folder: Path) -> harness.Answers:
    """Ask pandas, all needed columns in memory."""
    import pandas as pd

    columns = ["submit", "start", "end", "state", "nodes", "cores", "is_ml"]
    jobs = pd.read_parquet(folder, columns=columns)
    jobs["run_s"] = (jobs["end"] - jobs["start"]).dt.total_seconds()
    jobs["wait_s"] = (jobs["start"] - jobs["submit"]).dt.total_seconds()
    jobs["node_s"] = jobs["run_s"] * jobs["nodes"]
    answers: harness.Answers = {}
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


def duckdb(folder: Path) -> harness.Answers:
    """Ask DuckDB, straight from the files."""
    import duckdb as db

    answers: harness.Answers = {}
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


def _describe(
    answers: harness.Answers, key: str, n: int, mean: float, high: float, q: object
) -> None:
    answers[f"{key}/n"] = int(n)
    answers[f"{key}/mean"] = float(mean)
    answers[f"{key}/max"] = float(high)
    for at, value in enumerate(q):
        answers[f"{key}/q{at}"] = float(value)


ENGINES: dict[str, Callable[[Path], harness.Answers]] = {
    "restudy, threads": threads,
    "restudy, processes": processes,
    "pandas": pandas,
    "duckdb": duckdb,
}


def compare(scale: int, folder: Path, engines: list[str], memory: int) -> dict[str, object]:
    """Measure all engines at one scale."""
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*.parquet"))
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    size = sum(file.stat().st_size for file in files)
    print(f"{scale}x: {rows:,} jobs, {len(files)} files, {size / 2**30:.2f} GiB", flush=True)
    rest = ["--folder", str(folder), "--memory", str(memory)]
    turns = [
        {engine: harness.measure(["--child", engine, *rest]) for engine in engines}
        for _ in range(REPEATS.get(scale, 1))
    ]
    return {"rows": rows, "bytes": size, "engines": harness.compare(turns, rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scales", type=int, nargs="*", default=[1])
    parser.add_argument("--folder", type=Path, help="keep the files here; else a temporary folder")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--memory", type=int, default=16 * 2**30, help="limit of a process, bytes")
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        for module in ("dask.dataframe", "duckdb", "pandas", "restudy.traces.prepared"):
            importlib.import_module(module)
        limit = None if given.child == "restudy, processes" else given.memory
        harness.answer(lambda: ENGINES[given.child](given.folder), memory=limit)
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
            report |= {
                "questions": QUESTIONS,
                "threads": THREADS,
                "machine": harness.machine(PACKAGES),
            }
            output.parent.mkdir(exist_ok=True)
            output.write_text(json.dumps(report, indent=1) + "\n")
    finally:
        if given.folder is None:
            shutil.rmtree(home, ignore_errors=True)
    print(f"written: {output}")


if __name__ == "__main__":
    main()
