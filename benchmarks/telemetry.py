"""Energy of jobs, utilisation, co-termination and correlation: seconds and memory beside peers.

    python benchmarks/telemetry.py                # 1 and 10 million samples
    python benchmarks/telemetry.py 1 10 100       # needs 5 GB of disk and an hour or two

The same questions are put to restudy (two threads), pandas, DuckDB and Polars over the same Parquet
files of a generated cluster of 338 nodes; `telemetry_peers` has their code, `harness` says how they
are measured. An engine that fails or takes more than ten minutes (``--limit``) is not asked at
larger sizes; nor is one that would take more if its time grew as it did from the size before. What
takes more than 5 s is asked once.
Answers must agree: to 1e-6; ratios to 0.01 % and correlations to 2e-4, for ours count in steps
(0.01 % of capacity, the resolution of a sensor).

The plain way to the energy of jobs is a range join. Two further ways are asked of DuckDB: an
equality join with every job written out on the grid of the samples, which is possible only because
these samples lie on one, and our own algorithm, written in SQL (``intervals``).

With the half-year of Lisa at hand, ``energy, real jobs`` uses its 194,917 jobs,
each on a random node; otherwise it is left out.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import harness
import telemetry_peers as peers

PACKAGES = ("dask", "duckdb", "numpy", "pandas", "polars", "pyarrow")
METRICS = peers.METRICS
LIMIT_S = 600
NODES = 338
TURNS = 3
SLOW_S = 5  # what takes longer is not repeated


def _store(folder: Path):
    import pandas as pd

    from restudy.telemetry.store import open_store

    return open_store(folder / "samples"), pd.read_parquet(folder / "jobs.parquet")


def energy(folder: Path) -> harness.Answers:
    """Sum power over intervals of constant jobs."""
    from restudy.telemetry.attribution import MeanTimesDuration, attribute
    from restudy.telemetry.experiments import POWER
    from restudy.telemetry.intervals import accumulate
    from restudy.telemetry.residency import residency
    from restudy.telemetry.samples import fold
    from restudy.telemetry.shares import state_shares
    from restudy.telemetry.splits import PerJob

    telemetry, jobs = _store(folder)
    who = residency(jobs, telemetry.nodes)
    measure = partial(accumulate, intervals=who.intervals, metric=POWER)
    sums = fold(telemetry, [POWER.name], measure)
    accounting = MeanTimesDuration(telemetry.interval_s)
    found = attribute(who, sums, POWER, split=PerJob(), accounting=accounting)
    amounts = state_shares(jobs, who, found).amounts["energy [J]"]
    return {f"{kind == 'ml'}/{state}": float(value) for (kind, state), value in amounts.items()}


def utilisation(folder: Path) -> harness.Answers:
    """Count ratios in steps of 0.01 %."""
    from restudy.telemetry.ratios import RATIOS
    from restudy.telemetry.utilisation import utilisation as ask

    telemetry, _ = _store(folder)
    found = ask(telemetry, {"load": RATIOS["load1"], "memory": RATIOS["memory"]}).ratios
    answers: harness.Answers = {}
    for name, counts in found.items():
        values = [counts.mean("generic"), *counts.quantile("generic", [0.25, 0.5, 0.75])]
        answers |= {f"{name}/{at}": 100 * float(value) for at, value in enumerate(values)}
    return answers


def cotermination(folder: Path) -> harness.Answers:
    """Count states over intervals of constant jobs."""
    import numpy as np

    from restudy.telemetry import cotermination as co
    from restudy.telemetry import state_moments
    from restudy.telemetry.experiments import POWER
    from restudy.telemetry.intervals import accumulate
    from restudy.telemetry.residency import residency
    from restudy.telemetry.samples import fold
    from restudy.traces.jobs import PAPER_GPU_NODES

    telemetry, jobs = _store(folder)
    who = residency(jobs, telemetry.nodes)
    measure = partial(accumulate, intervals=who.intervals, metric=POWER)
    above = co.sample_threshold(who, fold(telemetry, [POWER.name], measure))
    high = fold(telemetry, [POWER.name], partial(measure, above=above))
    moments = state_moments.per_sample(who, jobs, high, peers.STATES)
    ml = np.array([node in PAPER_GPU_NODES for node in telemetry.nodes])
    answers: harness.Answers = {}
    for name, nodes in ((False, ~ml), (True, ml)):
        found = co.correlate(moments, nodes, replicates=1, rng=np.random.default_rng(0))
        answers[f"{name}/rows"] = float(found.rows)
        for i, one in enumerate(peers.STATES):
            for j, other in enumerate(peers.STATES):
                value = np.nan_to_num(found.correlation[i, j], nan=-9)
                answers[f"{name}/{one}/{other}"] = float(value)
    return answers


def correlation(folder: Path) -> harness.Answers:
    """Sum products of whole numbers; ranks from counts."""
    from restudy.telemetry.correlation import Whole, pearson
    from restudy.telemetry.levels import Levels
    from restudy.telemetry.metrics import metric
    from restudy.telemetry.spearman import spearman

    telemetry, _ = _store(folder)
    chosen = [metric(name) for name in METRICS]
    found = {
        "pearson": pearson(telemetry, chosen, Whole(), telemetry.nodes),
        "spearman": spearman(telemetry, chosen, Whole(), telemetry.nodes, levels=Levels()),
    }
    return peers.matrices({name: one.coefficient[0] for name, one in found.items()})


QUESTIONS: dict[str, dict[str, Callable[[Path], harness.Answers]]] = {
    "energy": {
        "restudy": energy,
        "pandas": peers.pandas_energy,
        "duckdb": peers.duckdb_energy,
        "polars": peers.polars_energy,
        "duckdb, grid": peers.duckdb_grid_energy,
        "duckdb, intervals": peers.duckdb_intervals_energy,
    },
    "utilisation": {
        "restudy": utilisation,
        "pandas": peers.pandas_utilisation,
        "duckdb": peers.duckdb_utilisation,
        "polars": peers.polars_utilisation,
    },
    "co-termination": {
        "restudy": cotermination,
        "pandas": peers.pandas_cotermination,
        "duckdb": peers.duckdb_cotermination,
        "polars": peers.polars_cotermination,
    },
    "correlation": {
        "restudy": correlation,
        "pandas": peers.pandas_correlation,
        "duckdb": peers.duckdb_correlation,
        "polars": peers.polars_correlation,
    },
}
# pandas would repeat its join of "energy", at nearly the same cost a sample.
QUESTIONS["energy, real jobs"] = {
    name: ask for name, ask in QUESTIONS["energy"].items() if name != "pandas"
}
# How much answers may differ: sums of floats; of ratios and ranks the steps that ours count in.
TOLERANCE = {"utilisation": {"absolute": 0.01}, "correlation": {"absolute": 2e-4}}


def make(folder: Path, millions: int) -> int:
    """Write samples, jobs, and the tables that the peers want; return the number of samples."""
    from concurrent.futures import ProcessPoolExecutor

    import pyarrow.parquet as pq

    from restudy.telemetry.generator.layouts import write_node_table
    from restudy.telemetry.generator.recipe import Recipe

    days = max(1, round(millions * 1e6 / (NODES * 2880)))
    recipe = Recipe(seed=1, nodes=NODES, days=days, gpu_delay_days=0)
    with ProcessPoolExecutor(peers.THREADS) as executor:
        write_node_table(folder / "samples", recipe, metrics=METRICS, executor=executor)
    shutil.move(folder / "samples" / "jobs.parquet", folder / "jobs.parquet")
    write_tables(folder)
    files = (folder / "samples" / "parts").glob("part-*.parquet")
    return sum(pq.read_metadata(file).num_rows for file in files)


def write_tables(folder: Path) -> None:
    """Write a row per job and node, and a row per node."""
    import pandas as pd

    from restudy.traces import hardware, nodelist
    from restudy.traces.jobs import times

    jobs = pd.read_parquet(folder / "jobs.parquet")
    rows = times(jobs).assign(row=range(len(jobs)), node=jobs["node_list"].map(nodelist.expand))
    rows = rows[rows["run_s"].notna()].explode("node")
    columns = ["row", "node", "start", "end", "state", "is_ml", "run_s"]
    rows[columns].to_parquet(folder / "residents.parquet", index=False)
    nodes = hardware.inventory().rename(
        columns={
            "cpu_core_count_total": "cores",
            "cpu_memory_bytes_total": "memory",
            "gpu_count": "gpus",
        }
    )
    nodes[["node", "cores", "memory", "gpus"]].to_parquet(folder / "hardware.parquet", index=False)


def real_jobs(folder: Path) -> Path | None:
    """Give a folder with the same samples and Lisa's half-year, each job on a random CPU node."""
    import numpy as np

    from restudy import data
    from restudy.traces import datasets
    from restudy.traces.jobs import PAPER_GPU_NODES

    if data.available("lisa-halfyear-tasks") is None:
        return None
    other = folder / "real"
    other.mkdir(exist_ok=True)
    (other / "samples").symlink_to(folder / "samples")
    jobs = datasets.lisa_halfyear().jobs.compute()
    nodes = [node for node in _store(folder)[0].nodes if node not in PAPER_GPU_NODES]
    jobs["node_list"] = np.random.default_rng(1).choice(nodes, len(jobs))
    jobs["state"] = "COMPLETED"
    jobs.to_parquet(other / "jobs.parquet", index=False)
    write_tables(other)
    return other


def compare(
    folder: Path, question: str, engines: list[str], rows: int, memory: int, limit_s: float
):
    """Put one question to the engines."""
    print(f" {question}", flush=True)
    rest = ["--folder", str(folder), "--memory", str(memory), "--question", question]
    turns: list[dict[str, harness.Run]] = []
    for _ in range(TURNS):
        asked = engines
        if turns:
            asked = [one for one in engines if turns[0][one].get("seconds", limit_s) < SLOW_S]
        if turns and asked[:1] != engines[:1]:
            break  # ours is slow itself
        turns.append(
            {one: harness.measure(["--child", one, *rest], limit_s=limit_s) for one in asked}
        )
    return harness.compare(turns, rows, **TOLERANCE.get(question, {"relative": 1e-6}))


def main() -> None:
    """Make the data, ask, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("millions", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--questions", nargs="*", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--folder", type=Path, help="keep the files here; else a temporary folder")
    parser.add_argument("--memory", type=int, default=16 * 2**30, help="limit of a process, bytes")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds an engine may take")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--question", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        import dask
        import duckdb  # noqa: F401
        import pandas  # noqa: F401
        import polars  # noqa: F401

        import restudy.telemetry.experiments  # noqa: F401

        ask = QUESTIONS[given.question][given.child]
        with dask.config.set(scheduler="threads", num_workers=peers.THREADS):
            harness.answer(lambda: ask(given.folder), memory=given.memory)
        return
    output = Path(__file__).parent / "results" / "telemetry.json"
    home = given.folder or Path(tempfile.mkdtemp(prefix="restudy-telemetry-"))
    report = json.loads(output.read_text()) if output.exists() else {"sizes": {}}
    alive = {question: list(QUESTIONS[question]) for question in given.questions}
    before: dict[tuple[str, str], float] = {}
    try:
        for millions in sorted(given.millions):
            begin = time.perf_counter()
            folder = home / f"{millions}M"
            rows = make(folder, millions)
            took = time.perf_counter() - begin
            print(f"{rows:,} samples ready after {took:.0f} s", flush=True)
            entry = report["sizes"].setdefault(str(millions), {"questions": {}})
            entry |= {"rows": rows}
            for question, engines in alive.items():
                where = real_jobs(folder) if question == "energy, real jobs" else folder
                if where is None:
                    continue
                found = compare(where, question, engines, rows, given.memory, given.limit)
                entry["questions"][question] = found
                alive[question] = []
                for one in engines:
                    seconds = found[one].get("median_s", float("inf"))
                    growth = seconds / before.get((question, one), seconds)
                    if seconds * max(growth, 1) < given.limit:
                        alive[question].append(one)
                    elif "failed" not in found[one]:
                        print(f"  {one}: grew by {growth:.0f}, not asked further", flush=True)
                    before[question, one] = seconds
                report |= {"threads": peers.THREADS, "limit_s": given.limit}
                report |= {"machine": harness.machine(PACKAGES)}
                output.parent.mkdir(exist_ok=True)
                output.write_text(json.dumps(report, indent=1) + "\n")
            if given.folder is None:
                shutil.rmtree(folder)
    finally:
        if given.folder is None:
            shutil.rmtree(home, ignore_errors=True)
    print(f"written: {output}")


if __name__ == "__main__":
    main()
