"""Wisdom-Holman steps in compiled code beside rebound's, in one run.

    python benchmarks/nbody.py                # five minutes
    python benchmarks/nbody.py --turns 3 --without accuracy

rebound wants an environment of its own (``pip install -e .[torch,nbody-peers]``). `nbody_peers` has
what calls it.

Asked are, of one system and one thread: steps a second for Sun, Jupiter and Saturn (N = 3),
TRAPPIST-1 (8) and a star with 100 planetesimals (101), with steps of about a hundredth of the
shortest period; of many three-body systems, each with its own step: system-steps a second on two
threads, beside rebound following one after another in two processes; and the cost of accuracy: the
largest error of the energy and the phase (against IAS15) over 10,000 years, for several steps.

Times are CPU seconds; that of two threads is the sum of both. Engines take turns, and a ratio is
that of two times of one turn: least, median and most. On a machine that others use as well, times
are only ever longer. Compilation and set-up are apart. All engines of one map must give the same
places, or it stops.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import harness
import nbody_peers as peers
import numpy as np

from restudy.nbody import catalogue
from restudy.nbody.compiled import integrate_compiled, integrate_heliocentric
from restudy.nbody.compiled_batch import integrate_batch
from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.composition import ABA_10_6_4, integrate_composition
from restudy.nbody.correctors import integrate_corrected, integrate_lazy
from restudy.nbody.diagnostics import energy_error
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.leapfrog import integrate_leapfrog
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

# Step [yr] and steps of a run.
SINGLE = {"N = 3": (0.1, 100_000), "N = 8": (4e-5, 50_000), "N = 101": (4e-4, 1000)}
BATCH = {1000: 10_000, 10_000: 1000}
ACCURACY_STEPS = (0.05, 0.1, 0.2, 0.5)
ACCURACY_YEARS = 10_000.0
# The map of which an engine is one way to compute it; their places are compared.
DRIFT_FIRST = "drift first, Jacobi"
MAPS = {
    "ours, drift first": DRIFT_FIRST,
    "rebound WHFast": DRIFT_FIRST,
    "rebound WHFast, safe_mode 0": DRIFT_FIRST,
    "ours, democratic heliocentric": "drift first, heliocentric",
    "rebound WHFast, democratic heliocentric": "drift first, heliocentric",
}

Run = Callable[[System, float, int, int], tuple[float, float, np.ndarray]]


def _ours(follow: Callable[[System, float, int, int], Trajectory]) -> Run:
    def run(system: System, step: float, steps: int, samples: int) -> tuple:
        before = time.process_time()
        found = follow(system, step, steps, steps // samples)
        seconds = time.process_time() - before
        last = found.positions[-1]
        error = float(abs(energy_error(system.masses, found, system.gravity)).max())
        return seconds, error, last[1:] - last[0]

    return run


def _theirs(setting: str) -> Run:
    return lambda *given: peers.follow(*given, setting)


def _map(integrate: Callable[..., Trajectory], scheme: Scheme) -> Run:
    return _ours(
        lambda system, step, steps, every: integrate(
            system, step, steps, sample_every=every, scheme=scheme, hill_radii=0
        )
    )


def _adaptive(system: System, step: float, steps: int, every: int) -> Trajectory:
    return integrate_ias15(system, step * every * np.arange(steps // every + 1))


ENGINES: dict[str, Run] = {
    "ours, kick first": _map(integrate_compiled, Scheme.KICK_DRIFT_KICK),
    "ours, drift first": _map(integrate_compiled, Scheme.DRIFT_KICK_DRIFT),
    "ours, democratic heliocentric": _map(integrate_heliocentric, Scheme.DRIFT_KICK_DRIFT),
    "ours, corrector 11": _ours(
        lambda *given: integrate_corrected(*given[:3], 11, sample_every=given[3])
    ),
    "ours, lazy kick, corrector 17": _ours(
        lambda *given: integrate_lazy(*given[:3], 17, sample_every=given[3])
    ),
    "ours, ABA(10,6,4)": _ours(
        lambda *given: integrate_composition(*given[:3], ABA_10_6_4, sample_every=given[3])
    ),
    "ours, leapfrog": _ours(integrate_leapfrog),
    "ours, IAS15": _ours(_adaptive),
} | {name: _theirs(name) for name in peers.SETTINGS}


def systems() -> dict[str, System]:
    """Give the systems that are followed alone."""
    return {
        "N = 3": catalogue.sun_jupiter_saturn(),
        "N = 8": catalogue.trappist_1().sorted(),
        "N = 101": catalogue.planetesimals(np.random.default_rng(0)).sorted(),
    }


def spread(values: Sequence[float]) -> list[float]:
    """Give the least, the median and the most."""
    return [min(values), statistics.median(values), max(values)]


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Give least, median and most of how many times faster the second is, turn by turn."""
    return spread([a / b for a, b in zip(slow, fast, strict=True)])


# One system.


def single(turns: int) -> dict[str, object]:
    """Give steps a second of one system, without IAS15, whose steps are its own."""
    report: dict[str, object] = {}
    for label, system in systems().items():
        (step, steps), times = SINGLE[label], {name: [] for name in ENGINES if "IAS" not in name}
        places: dict[str, np.ndarray] = {}
        errors: dict[str, float] = {}
        for turn in range(turns + 1):  # the first is for warming up
            for name, known in times.items():
                seconds, errors[name], places[name] = ENGINES[name](system, step, steps, 10)
                if turn:
                    known.append(seconds)
        agree(places, 1e-8)
        report[label] = {
            name: {
                "steps_per_cpu_s": [steps / x for x in reversed(spread(seconds))],
                "max_energy_error": errors[name],
                "over_whfast": ratios(times["rebound WHFast"], seconds),
                "over_whfast_safe_mode_0": ratios(times["rebound WHFast, safe_mode 0"], seconds),
            }
            for name, seconds in times.items()
        }
        show_single(label, report[label])
    return report


def agree(places: Mapping[str, np.ndarray], tolerance: float) -> None:
    """Stop if two ways to compute one map give different places."""
    for name, here in places.items():
        for other, there in places.items():
            if name < other and name in MAPS and MAPS[name] == MAPS.get(other):
                apart = float(abs(here - there).max())
                if not apart <= tolerance:
                    raise SystemExit(f"{name} and {other} differ by {apart:.3g} au")


def show_single(label: str, rows: Mapping[str, Mapping[str, object]]) -> None:
    """Print a line for each engine."""
    print(f"\n{label}, one thread: steps a CPU second, over WHFast, over WHFast with safe_mode 0")
    for name, row in rows.items():
        low, middle, high = row["over_whfast"]
        fast = row["over_whfast_safe_mode_0"]
        print(
            f"{name:42s} {row['steps_per_cpu_s'][1]:12,.0f}   x{middle:5.2f} ({low:.2f}-{high:.2f})"
            f"   x{fast[1]:5.2f} ({fast[0]:.2f}-{fast[2]:.2f})   dE {row['max_energy_error']:.2g}",
            flush=True,
        )


# Many systems.


def many(turns: int, threads: int) -> dict[str, object]:
    """Give system-steps a second of batches of three bodies."""
    report: dict[str, object] = {}
    for count, steps in BATCH.items():
        drawn = [s.sorted() for s in catalogue.compact_pairs(np.random.default_rng(1), count)]
        h = np.array([float(s.periods().min()) / 50 for s in drawn])
        given = {"sample_every": steps, "scheme": Scheme.DRIFT_KICK_DRIFT, "hill_radii": 0}
        integrate_batch(drawn[:32], h[:32], steps, threads=threads, **given)  # compiles
        rows: dict[str, list[dict[str, float]]] = {"ours": []}
        for _ in range(turns):
            before = time.process_time(), time.perf_counter()
            found = integrate_batch(drawn, h, steps, threads=threads, **given)
            rows["ours"].append(
                {
                    "cpu_s": time.process_time() - before[0],
                    "wall_s": time.perf_counter() - before[1],
                }
            )
            last = found.positions[-1, :, 1:] - found.positions[-1, :, :1]
            for name in ("rebound WHFast", "rebound WHFast, safe_mode 0"):
                seconds, places = peers.follow_many(drawn, h, steps, threads, name)
                rows.setdefault(name, []).append(seconds)
                apart = float((abs(places - last).max((1, 2)) / abs(last).max((1, 2))).max())
                if apart > 1e-8:
                    raise SystemExit(f"{name}: places differ by {apart:.3g} of the orbit")
        report[str(count)] = {"steps": steps, "threads": threads, "relative_difference": apart} | {
            name: {
                "system_steps_per_cpu_s": [
                    count * steps / x for x in reversed(spread([r["cpu_s"] for r in runs]))
                ],
                "wall_s": spread([r["wall_s"] for r in runs]),
                "time_over_ours": ratios(
                    [r["cpu_s"] for r in runs], [r["cpu_s"] for r in rows["ours"]]
                ),
                "wall_over_ours": ratios(
                    [r["wall_s"] for r in runs], [r["wall_s"] for r in rows["ours"]]
                ),
            }
            for name, runs in rows.items()
        }
        print(f"\n{count:,} systems of three bodies, {steps:,} steps, {threads} threads/processes")
        for name in rows:
            row = report[str(count)][name]
            low, middle, high = row["time_over_ours"]
            print(
                f"{name:42s} {row['system_steps_per_cpu_s'][1]:14,.0f} a CPU s   time over ours "
                f"x{middle:.1f} ({low:.1f}-{high:.1f})   wall x{row['wall_over_ours'][1]:.1f}",
                flush=True,
            )
    return report


# The cost of accuracy.


def phase(here: np.ndarray, there: np.ndarray) -> list[float]:
    """Give the angle between the places of each planet [rad]."""
    across = np.linalg.norm(np.cross(here, there), axis=-1)
    return np.arctan2(across, (here * there).sum(-1)).tolist()


def accuracy() -> dict[str, object]:
    """Give CPU seconds, errors of the energy and of the phase for each engine and step."""
    system = catalogue.sun_jupiter_saturn()
    report: dict[str, object] = {"years": ACCURACY_YEARS}
    print(
        f"\nSun, Jupiter and Saturn, {ACCURACY_YEARS:,.0f} years: CPU ms, dE, phase of both [rad]"
    )
    for name in ("ours, IAS15", "rebound IAS15"):  # whose steps are its own
        ENGINES[name](system, 1.0, 1, 1)  # compiles
        seconds, error, truth = ENGINES[name](system, 1.0, round(ACCURACY_YEARS), 100)
        report[name] = [{"cpu_s": seconds, "max_energy_error": error, "phase_rad": [0.0, 0.0]}]
        print(f"{name:42s}       {1e3 * seconds:9.2f} {error:9.2g}")
    for name, run in ENGINES.items():
        if "IAS15" in name:
            continue
        rows = []
        for step in ACCURACY_STEPS:
            steps = round(ACCURACY_YEARS / step)
            best = min(run(system, step, steps, 1)[0] for _ in range(3))
            _, error, last = run(system, step, steps, 1000)
            off = phase(last, truth)
            rows.append(
                {"step_yr": step, "cpu_s": best, "max_energy_error": error, "phase_rad": off}
            )
            print(
                f"{name:42s} {step:5.2f} {1e3 * best:9.2f} {error:9.2g} "
                f"{off[0]:9.2g} {off[1]:9.2g}",
                flush=True,
            )
        report[name] = rows
    return report


# Compilation.


def first_call() -> dict[str, dict[str, float]]:
    """Give CPU seconds of the first call: with nothing in numba's cache, and with all in it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, sys.argv[0], "--first-call"]
        found = {}
        for label in ("nothing cached", "cached"):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            )
            found[label] = json.loads(done.stdout)
        return found


def time_first_call() -> None:
    """Print the CPU seconds of the first calls in this process."""
    system, found = catalogue.sun_jupiter_saturn(), {}
    for name, call in (
        ("one system", lambda: integrate_compiled(system, 0.1, 1)),
        ("batch", lambda: integrate_batch([system], 0.1, 1)),
    ):
        start = time.process_time()
        call()
        found[name] = time.process_time() - start
    print(json.dumps(found))


def main() -> None:
    """Ask, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without", nargs="*", choices=("single", "many", "accuracy"), default=[])
    results = Path(__file__).parent / "results/nbody.json"
    parser.add_argument("--output", type=Path, default=results)
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # steps of a batch whose planets are close to the limit
    if given.first_call:
        time_first_call()
        return
    report: dict[str, object] = {
        "machine": harness.machine(["numba", "llvmlite", "numpy", "rebound"]),
        "turns": given.turns,
        "first_call_cpu_s": first_call(),
    }
    print("first call, CPU s:", report["first_call_cpu_s"])
    for name, ask in (
        ("single", lambda: single(given.turns)),
        ("many", lambda: many(given.turns, given.threads)),
        ("accuracy", accuracy),
    ):
        if name not in given.without:
            report[name] = ask()
    given.output.parent.mkdir(exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {given.output}")


if __name__ == "__main__":
    main()
