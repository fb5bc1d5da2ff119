"""A billion values of node metrics, end to end: on 1, 2 and 4 workers, and with one killed.

    python benchmarks/telemetry_scale.py                  # a billion values; 3 GB of disk, 20 min
    python benchmarks/telemetry_scale.py --days 1         # to try it

The generator writes a cluster of 338 nodes on two workers; then the analyses of both chapters that
stream run on one, two and four worker processes, and on two of which one is killed in the middle.
Written are seconds, the largest high-water mark of a worker's memory (VmHWM), and a hash of all
results, which must be the same for all runs.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np

PACKAGES = ("dask", "distributed", "numpy", "pandas", "pyarrow")
CPU_METRICS = (
    "node_power_usage",
    "node_rapl_package_power_sum",
    "node_load1",
    "node_load5",
    "node_load15",
    "node_ambient_temp",
    "node_thermal_zone_temp_max",
    "node_thermal_zone_temp_mean",
    "node_hwmon_temp_celsius_max",
    "node_hwmon_temp_celsius_mean",
    "node_memory_Active_bytes",
    "node_memory_MemFree_bytes",
    "node_procs_running",
    "node_procs_blocked",
    "node_context_switches_total",
    "node_intr_total",
    "node_network_receive_bytes_total_sum",
    "node_network_transmit_bytes_total_sum",
    "node_disk_read_bytes_total_sum",
    "node_disk_written_bytes_total_sum",
)
GPU_METRICS = (
    *(f"nvidia_gpu_power_usage_milliwatts_{slot}" for slot in range(4)),
    *(f"nvidia_gpu_temperature_celsius_{slot}" for slot in range(4)),
    "nvidia_gpu_power_usage_milliwatts_sum",
    "nvidia_gpu_temperature_celsius_max",
    "nvidia_gpu_memory_used_bytes_sum",
    "nvidia_gpu_fanspeed_percent_mean",
)
COUNTERS = {name for name in CPU_METRICS if "_total" in name}


def analyse(folder: Path) -> str:
    """Run every analysis that streams, and hash what they find."""
    import pandas as pd

    from restudy.telemetry import experiments, gpu_heat, percentiles, profiles, racks, utilisation
    from restudy.telemetry.correlation import ByDay, Whole, pearson
    from restudy.telemetry.levels import Levels
    from restudy.telemetry.metrics import metric
    from restudy.telemetry.spearman import spearman
    from restudy.telemetry.store import open_store
    from restudy.telemetry.sums import extent

    telemetry = open_store(folder)
    jobs = pd.read_parquet(folder / "jobs.parquet")
    rng = np.random.default_rng(0)
    gauges = [name for name in telemetry.metrics if name not in COUNTERS]
    study = experiments.energy(telemetry, jobs)
    together = experiments.terminating_together(telemetry, study, replicates=100, rng=rng)
    chosen = [metric(name) for name in telemetry.metrics if name not in GPU_METRICS]
    found: list[Any] = [
        *(study.classes(rule).amounts for rule in study.found),
        *(study.states(rule).amounts for rule in study.found),
        *(one.correlation for kinds in together.values() for one in kinds.values()),
        *(one.interval for kinds in together.values() for one in kinds.values()),
        utilisation.utilisation(telemetry).table(),
        gpu_heat.heat_curves(telemetry).table(),
        percentiles.percentiles(telemetry, gauges).table(),
        profiles.profile(telemetry, ["node_power_usage"]).table("node_power_usage", "generic"),
        racks.rack_power(telemetry, extent(telemetry, 300)).table(),
        pearson(telemetry, chosen, Whole(), telemetry.nodes).coefficient,
        spearman(telemetry, chosen[:6], ByDay(), telemetry.nodes, Levels()).coefficient,
    ]
    digest = hashlib.sha256()
    for one in found:
        numbers = one.to_numpy("float64") if isinstance(one, pd.DataFrame) else np.asarray(one)
        digest.update(np.ascontiguousarray(numbers, dtype="float64").tobytes())
    return digest.hexdigest()


def _memory() -> int:
    """High-water mark of this process, bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def run(folder: Path, workers: int, *, kill_after_s: float | None = None) -> dict[str, Any]:
    """Analyse on fresh worker processes; kill one after some seconds if told so."""
    from restudy import parallel

    with parallel.connect(f"local:{workers}") as client:
        pids = list(client.run(os.getpid).values())
        if kill_after_s is not None:
            threading.Timer(kill_after_s, os.kill, (pids[0], signal.SIGKILL)).start()
        begin = time.perf_counter()
        digest = analyse(folder)
        seconds = time.perf_counter() - begin
        peak = max(client.run(_memory).values())
        survivors = set(client.run(os.getpid).values())
    return {
        "workers": workers,
        "seconds": seconds,
        "worker_peak_bytes": peak,
        "killed": len(set(pids) - survivors),
        "digest": digest,
    }


def count_values(folder: Path) -> int:
    """Count the values that are not null, from the files' statistics."""
    import pyarrow.parquet as pq

    total = 0
    for path in (folder / "parts").glob("part-*.parquet"):
        data = pq.read_metadata(path)
        for group in range(data.num_row_groups):
            for column in range(data.num_columns):
                chunk = data.row_group(group).column(column)
                if chunk.path_in_schema not in {"time", "node"}:
                    total += chunk.num_values - chunk.statistics.null_count
    return total


def main() -> None:
    """Write the cluster, analyse it four times, compare, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=48)
    parser.add_argument("--folder", type=Path, help="keep the files here; else a temporary folder")
    given = parser.parse_args()

    from restudy import parallel
    from restudy.telemetry.generator.layouts import write_node_table
    from restudy.telemetry.generator.recipe import Recipe

    home = given.folder or Path(tempfile.mkdtemp(prefix="restudy-scale-"))
    try:
        recipe = Recipe(seed=3, days=given.days, gpu_delay_days=0)
        begin = time.perf_counter()
        with parallel.connect("local:2") as client:
            metrics = (*CPU_METRICS, *GPU_METRICS)
            write_node_table(home, recipe, metrics=metrics, executor=client.get_executor())
        values, took = count_values(home), time.perf_counter() - begin
        size = sum(path.stat().st_size for path in (home / "parts").glob("*.parquet"))
        print(f"{values:,} values, {size / 2**30:.2f} GiB, written in {took:.0f} s", flush=True)
        report: dict[str, Any] = {
            "values": values,
            "bytes": size,
            "nodes": recipe.nodes,
            "days": recipe.days,
            "generation": {"workers": 2, "seconds": took, "values_per_s": values / took},
            "runs": {},
            "machine": harness.machine(PACKAGES),
        }
        plan = {"2 workers": (2, None), "4 workers": (4, None), "1 worker": (1, None)}
        for name, (workers, kill) in plan.items():
            report["runs"][name] = run(home, workers, kill_after_s=kill)
            print(name, report["runs"][name], flush=True)
        middle = report["runs"]["2 workers"]["seconds"] / 2
        killed = run(home, 2, kill_after_s=middle)
        report["runs"]["2 workers, one killed"] = killed
        print(killed, flush=True)
        if killed["killed"] != 1:
            raise SystemExit(f"{killed['killed']} workers were killed, and one should have been")
        if len({one["digest"] for one in report["runs"].values()}) != 1:
            raise SystemExit("the results differ between runs")
    finally:
        if given.folder is None:
            shutil.rmtree(home, ignore_errors=True)
    output = Path(__file__).parent / "results" / "telemetry-scale.json"
    output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {output}")


if __name__ == "__main__":
    main()
