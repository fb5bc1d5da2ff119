"""Gas optics on one core: tables, our networks, those of others, and jax-rrtmgp in one run.

    python benchmarks/gasoptics.py                    # five minutes
    python benchmarks/gasoptics.py --turns 5 --without jax

The peer wants an environment of its own (``pip install -e .[torch,netcdf,gasoptics-peers]``);
where it is missing, its rows say so. `gasoptics_peers` has the code of all that is not ours.

Asked are the 100 columns of RFMIP's present day, 60 layers each, in batches of 16 and of 100, under
the paper's sun (42 degrees) and over its ground (albedo 0.07). The answer is the complete gas
optics: optical depths and the sources of layers, levels and ground, or optical depths,
single-scattering albedos and sunlight, at every g-point. Times are CPU seconds of this process,
with one thread; engines take turns, and a ratio is that of two times of one turn: least, median and
most are given. On a machine that others use as well, times are only ever longer, those of the
tables most: a ratio of the least times of all turns stands beside. Networks with "random" in their
name have random weights, which costs the same.

jax-rrtmgp has no gas optics of all g-points by itself, so that it is compared to ours with a solver
in torch. Both are asked for fluxes; its solver is a two-stream one in the long wave, too.

Fortran cannot be compiled here. What is "carried over" is the speed of RTE+RRTMGP (v1.8, gfortran
12, -O3 -march=native -ffast-math, blocks of 8 columns) on another machine, times how much faster
float32 tables in torch are in this run than they were there. Part of that factor may be the code.
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gasoptics_peers as peers
import harness
import torch

from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.compiled import compiled
from restudy.gasoptics.emulators.inputs import features, training_range
from restudy.gasoptics.emulators.network import Design, Network, make_network, spectrum_of
from restudy.gasoptics.emulators.paper_networks import SIZES
from restudy.gasoptics.emulators.scores import paper_setup, solve
from restudy.gasoptics.emulators.weights import shipped, shipped_network
from restudy.gasoptics.longwave import GAUSS_1
from restudy.gasoptics.reference import (
    Fluxes,
    LongwaveOptics,
    ShortwaveOptics,
    exact_optics,
)
from restudy.gasoptics.tables import KDistribution

PACKAGES = ("numba", "numpy", "torch", "jax", "jax-rrtmgp")
TABLES = {"longwave": ("lw-g256", "lw-g128"), "shortwave": ("sw-g224", "sw-g112")}
BATCHES = (16, 100)
LAYERS = 60
# Widths of our networks: hidden layers and the blocks of the last.
DESIGNS = {
    "64-64-(32+32)": ((64, 64), (32, 32)),
    "64-(48+32)": ((64,), (48, 32)),
    "64-(48+8)": ((64,), (48, 8)),
}
# Columns a second of RTE+RRTMGP's gas optics on one core of another machine, an AMD EPYC with
# AVX-512, and of float32 tables in torch there (the middle of 1200 to 1320, and of 1850 to 2000).
FORTRAN = {
    "longwave": {"double": 2640.0, "single": 3140.0, "torch tables": 1260.0},
    "shortwave": {"double": 4620.0, "single": 4650.0, "torch tables": 1925.0},
}

Optics = Callable[[Atmosphere], object]


@dataclass
class Engine:
    """What is asked, and how it is set up for batches of some number of columns."""

    table: str
    make: Callable[[int], Optics]
    multiply_adds: int = 0  # of a layer in a column
    double: bool = False
    batches: tuple[int, ...] = BATCHES


def table_engine(table: KDistribution, *, double: bool) -> Engine:
    """Interpolate in the tables, in torch."""
    moved = table.to(dtype=torch.float64 if double else torch.float32)
    return Engine(_name(table), lambda _: partial(exact_optics, moved), double=double)


def random_network(table: KDistribution, widths: tuple, seen: Atmosphere) -> Network:
    """Make a network of random weights, whose range of training is the columns."""
    design = Design(_name(table), ("h2o", "o3"), ("co2", "ch4", "n2o"), *widths)
    network = make_network(design, spectrum_of(table), rng=torch.Generator().manual_seed(1))
    x = features(seen, design.gases, table.tropopause).flatten(0, 1)
    network.input_shift.copy_(x.mean(dim=0))
    network.input_scale.copy_(1 / x.std(dim=0))
    network.root_shift.fill_(0.1)
    network.root_scale.fill_(0.02)
    network.range = training_range(seen, (*design.gases, *design.held))
    return network


def network_engines(name: str, network: Network) -> dict[str, Engine]:
    """Run a network of ours as compiled code, into memory that is there, and in plain torch."""
    network.requires_grad_(requires_grad=False)
    design = network.design
    macs = design.multiply_adds(network.spectrum.g_points)

    def made(columns: int) -> Optics:
        work = compiled(network)
        return partial(work.optics, out=work.empty(columns, LAYERS))

    return {
        f"{name}, compiled": Engine(design.table, made, macs),
        f"{name}, plain torch": Engine(design.table, lambda _: network.optics, macs),
    }


def engines_of(spectrum: str, air: Atmosphere) -> dict[str, Engine]:
    """Collect all that gives gas optics of a spectral range."""
    found: dict[str, Engine] = {}
    long = spectrum == "longwave"
    for name in TABLES[spectrum]:
        table = datasets.k_distribution(name)
        found[f"tables {name}, float32"] = table_engine(table, double=False)
        found[f"tables {name}, float64"] = table_engine(table, double=True)
        for size, widths in DESIGNS.items():
            network = random_network(table, widths, air)
            found |= network_engines(f"ours {name} {size} (random)", network)
    for name in shipped():
        network = shipped_network(name)
        if network.design.longwave == long:
            found |= network_engines(f"ours {name}", network)
    full = TABLES[spectrum][0]
    for size in SIZES:
        model = (datasets.paper_longwave if long else datasets.paper_shortwave)(size)
        addmm = peers.paper_longwave if long else peers.paper_shortwave
        kernels = peers.paper_longwave_compiled if long else peers.paper_shortwave_compiled
        for label, way in (("addmm", addmm), ("our kernels", kernels)):
            make = _by_columns(partial(way, model, layers=LAYERS))
            found[f"paper {size}, {label}"] = Engine(full, make, model.multiply_adds)
    model = datasets.ukkonen_longwave() if long else datasets.ukkonen_shortwave()
    fast = peers.ukkonen_longwave if long else peers.ukkonen_shortwave
    make = partial(fast, model, layers=LAYERS)
    found["Ukkonen 2020, addmm"] = Engine(full, _by_columns(make), model.multiply_adds)
    return found


def _by_columns(make: Callable[..., Optics]) -> Callable[[int], Optics]:
    return lambda columns: make(columns=columns)


def _name(table: KDistribution) -> str:
    kind = "lw" if table.planck is not None else "sw"
    return f"{kind}-g{table.g_points}"


# Times.


def parts(air: Atmosphere, size: int) -> list[Atmosphere]:
    """Cut the columns into whole batches."""
    return [air.part(slice(i, i + size)) for i in range(0, air.columns - size + 1, size)]


def timed(
    engines: Mapping[str, Engine], air: Atmosphere, turns: int
) -> dict[str, dict[int, list[float]]]:
    """Give the CPU seconds a column of each turn, for each engine and size of batch."""
    both = {False: air.to(dtype=torch.float32), True: air.to(dtype=torch.float64)}
    batches = {(x, size): parts(both[x], size) for x in both for size in BATCHES}
    calls = {
        (name, size): engine.make(size)
        for name, engine in engines.items()
        for size in engine.batches
    }
    times: dict[str, dict[int, list[float]]] = {
        name: {size: [] for size in engine.batches} for name, engine in engines.items()
    }
    for turn in range(turns + 1):  # the first is for warming up
        for (name, size), call in calls.items():
            given = batches[engines[name].double, size]
            start = time.process_time()
            for part in given:
                call(part)
            seconds = (time.process_time() - start) / (len(given) * size)
            if turn:
                times[name][size].append(seconds)
    return times


def spread(values: Sequence[float]) -> list[float]:
    """Give the least, the median and the most."""
    return [min(values), statistics.median(values), max(values)]


def ratios(slow: Sequence[float], fast: Sequence[float], factor: float = 1.0) -> list[float]:
    """Give least, median and most of how many times faster the second is, turn by turn."""
    return spread([factor * a / b for a, b in zip(slow, fast, strict=True)])


def summed(
    spectrum: str, engines: Mapping[str, Engine], times: Mapping[str, Mapping[int, list[float]]]
) -> dict[str, dict[str, object]]:
    """Compare all engines of a range to float32 tables of as many g-points, and to Fortran.

    The tables are taken at the batch that suits them best, and at the same batch.
    """
    known, full = FORTRAN[spectrum], f"tables {TABLES[spectrum][0]}, float32"
    yardstick = times[full][_best(times[full])]
    found: dict[str, dict[str, object]] = {}
    for name, engine in engines.items():
        base = times[f"tables {engine.table}, float32"]
        rows = {}
        for size, seconds in times[name].items():
            rows[str(size)] = {
                "cpu_s_a_column": spread(seconds),
                "columns_per_s": 1 / statistics.median(seconds),
                "over_tables_at_their_best_batch": ratios(base[_best(base)], seconds),
                "over_tables_at_this_batch": ratios(base[size], seconds),
            } | {
                f"over_fortran_{kind}_carried_over": ratios(
                    yardstick, seconds, known["torch tables"] / known[kind]
                )
                for kind in ("double", "single")
            }
            rows[str(size)]["of_least_times"] = {"tables": _least(base) / min(seconds)} | {
                f"fortran_{kind}_carried_over": known["torch tables"]
                / known[kind]
                * _least(times[full])
                / min(seconds)
                for kind in ("double", "single")
            }
        found[name] = {
            "k_distribution": engine.table,
            "multiply_adds": engine.multiply_adds,
            "best_batch": _best(times[name]),
            "batches": rows,
        }
    return found


def _best(times: Mapping[int, list[float]]) -> int:
    return min(times, key=lambda size: statistics.median(times[size]))


def _least(times: Mapping[int, list[float]]) -> float:
    return min(min(seconds) for seconds in times.values())


def show(found: Mapping[str, Mapping[str, object]]) -> None:
    """Print a line for each engine, at its best batch."""
    print(
        f"{'':42s} {'MAC':>7s} {'batch':>5s} {'col/s':>7s}   over tables, their best  "
        "same batch   over Fortran double, single              least times: tables, Fortran single"
    )
    for name, row in found.items():
        best = row["batches"][str(row["best_batch"])]
        low, middle, high = best["over_tables_at_their_best_batch"]
        double, single = (best[f"over_fortran_{x}_carried_over"] for x in ("double", "single"))
        print(
            f"{name:42s} {row['multiply_adds']:7,d} {row['best_batch']:5d} "
            f"{best['columns_per_s']:7,.0f}   x{middle:6.2f} ({low:5.2f}-{high:5.2f})   "
            f"x{best['over_tables_at_this_batch'][1]:6.2f}   "
            f"x{double[1]:5.2f} ({double[0]:5.2f}-{double[2]:5.2f}) "
            f"x{single[1]:5.2f} ({single[0]:5.2f}-{single[2]:5.2f})   "
            f"x{best['of_least_times']['tables']:.2f} "
            f"x{best['of_least_times']['fortran_single_carried_over']:.2f}",
            flush=True,
        )


# With a solver, beside jax-rrtmgp.


def with_solver(air: Atmosphere, turns: int, g: int) -> dict[str, object]:
    """Give times and ratios of optics and fluxes together, for the larger (0) or smaller tables."""
    air = air.to(dtype=torch.float32)
    names = TABLES["longwave"][g], TABLES["shortwave"][g]
    peer = peers.jax_rrtmgp(names, air)
    found: dict[str, object] = {}
    for spectrum, name in zip(TABLES, names, strict=True):
        table = datasets.k_distribution(name)
        engine = table_engine(table, double=False)
        tables = engine.make(air.columns)
        network = random_network(table, DESIGNS["64-64-(32+32)"], air)
        ours = network_engines("ours", network)["ours, compiled"].make(air.columns)
        jax, seconds = peer[spectrum]
        calls = {
            f"tables {name}, float32": lambda tables=tables: fluxes(tables(air), air),
            f"ours {name} 64-64-(32+32) (random), compiled": lambda ours=ours: fluxes(
                ours(air), air
            ),
            f"jax-rrtmgp {name}": jax,
        }
        times: dict[str, list[float]] = {label: [] for label in calls}
        for turn in range(turns + 1):
            for label, call in calls.items():
                start = time.process_time()
                answer = call()
                if turn:
                    times[label].append((time.process_time() - start) / air.columns)
                elif label.startswith("tables"):
                    exact = answer
                elif label.startswith("jax"):
                    differences = _differences(answer, exact)
        theirs = times[f"jax-rrtmgp {name}"]
        found[name] = {
            "compilation_cpu_s": seconds,
            "jax_minus_tables_w_m2": differences,
            "engines": {
                label: {
                    "columns_per_s": 1 / statistics.median(one),
                    "over_jax_rrtmgp": ratios(theirs, one),
                }
                for label, one in times.items()
            },
        }
        _show_solved(found[name])
    return found


def fluxes(optics: LongwaveOptics | ShortwaveOptics, air: Atmosphere) -> Fluxes:
    """Solve in torch, with one angle in the long wave."""
    solved = solve(optics, air, GAUSS_1)
    return Fluxes(solved.up.sum(dim=2), solved.down.sum(dim=2))


def _differences(found: Fluxes, exact: Fluxes) -> dict[str, float]:
    """Compare fluxes, whose solvers differ: stop if it cannot be the same question."""
    rmse = {
        way: float((getattr(found, way) - getattr(exact, way)).square().mean().sqrt())
        for way in ("up", "down")
    }
    if max(rmse.values()) > 5:
        raise SystemExit(f"jax-rrtmgp's fluxes differ by {rmse} W/m2 from those of the tables")
    return rmse


def _show_solved(found: Mapping[str, object]) -> None:
    print(
        f"  optics and fluxes; jax-rrtmgp compiled in {found['compilation_cpu_s']:.0f} CPU s, rmse "
        + " ".join(f"{k} {x:.2f}" for k, x in found["jax_minus_tables_w_m2"].items())
    )
    for label, row in found["engines"].items():
        low, middle, high = row["over_jax_rrtmgp"]
        print(
            f"{label:52s} {row['columns_per_s']:8,.0f} col/s   over jax-rrtmgp x{middle:.1f} "
            f"({low:.1f}-{high:.1f})",
            flush=True,
        )


# Memory and set-up.


def memory(air: Atmosphere) -> dict[str, int]:
    """Give the bytes of the optics of one column, in float32."""
    found = {}
    for names in TABLES.values():
        for name in names:
            network = random_network(datasets.k_distribution(name), DESIGNS["64-64-(32+32)"], air)
            out = compiled(network).empty(1, LAYERS)
            every = vars(out) | vars(getattr(out, "source", out))
            found[name] = sum(x.nbytes for x in every.values() if isinstance(x, torch.Tensor))
    return found


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
    """Print the CPU seconds of the first call of either range, in this process."""
    found = {}
    for spectrum, names in TABLES.items():
        air = columns().to(dtype=torch.float32).part(slice(0, 8))
        table = datasets.k_distribution(names[1])
        network = random_network(table, DESIGNS["64-64-(32+32)"], air)
        start = time.process_time()
        compiled(network).optics(air)
        found[spectrum] = time.process_time() - start
    print(json.dumps(found))


# Whether all answer the same.


def check(air: Atmosphere) -> None:
    """Stop if fast versions differ from the plain ones by more than rounding."""
    air = air.to(dtype=torch.float32).part(slice(0, 7))
    shape = air.columns, air.layers
    paper_long, paper_short = datasets.paper_longwave("32-32"), datasets.paper_shortwave("32-32")
    for model in (paper_long, paper_short):
        for name in ("tau", "planck", "ssa"):
            if hasattr(model, name):
                setattr(model, name, peers.one_sided(getattr(model, name)))
    long, short = datasets.ukkonen_longwave(), datasets.ukkonen_shortwave()
    for plain, fast in (
        (paper_long, peers.paper_longwave(paper_long, *shape)),
        (paper_short, peers.paper_shortwave(paper_short, *shape)),
        (paper_long, peers.paper_longwave_compiled(paper_long, *shape)),
        (paper_short, peers.paper_shortwave_compiled(paper_short, *shape)),
        (long, peers.ukkonen_longwave(long, *shape)),
        (short, peers.ukkonen_shortwave(short, *shape)),
    ):
        mine, theirs = (fluxes(x(air), air) for x in (fast, plain.optics))
        difference = max(
            float((getattr(mine, x) - getattr(theirs, x)).abs().max()) for x in ("up", "down")
        )
        if difference > 0.05:
            raise SystemExit(f"{type(plain).__name__}: fluxes differ by {difference:.3g} W/m2")


def columns() -> Atmosphere:
    """Give RFMIP's columns of the present day under the paper's sun."""
    return paper_setup(datasets.columns("rfmip").atmosphere)


def machine() -> dict[str, object]:
    """Say on what it ran."""
    from importlib.metadata import PackageNotFoundError, version

    found = harness.machine([])
    for name in PACKAGES:
        try:
            found["versions"][name] = version(name)
        except PackageNotFoundError:
            found["versions"][name] = "not installed"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = named.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return found | {
        "processor": f"{named.get('model name')}, family {named.get('cpu family')}, model "
        f"{named.get('model')}",
        "instructions": [flag for flag in wanted if flag in flags],
        "cache": named.get("cache size"),
    }


def main() -> None:
    """Ask, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--without", nargs="*", choices=("jax", "double"), default=[])
    results = Path(__file__).parent / "results/gasoptics.json"
    parser.add_argument("--output", type=Path, default=results)
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    warnings.simplefilter("ignore")  # levels of the tables' edge; layers outside a range
    with torch.inference_mode():
        if given.first_call:
            time_first_call()
            return
        run(given)


def run(given: argparse.Namespace) -> None:
    """Ask all questions."""
    air = columns()
    check(air)
    report: dict[str, object] = {
        "machine": machine(),
        "columns": {"dataset": datasets.ATMOSPHERES, "columns": air.columns, "layers": LAYERS},
        "turns": given.turns,
        "bytes_a_column": memory(air),
        "first_call_cpu_s": first_call(),
        "fortran_elsewhere_columns_per_s": FORTRAN,
        "optics": {},
        "with_solver": {},
    }
    print("first call, CPU s:", report["first_call_cpu_s"])
    print("bytes a column:", report["bytes_a_column"])
    for spectrum in TABLES:
        engines = engines_of(spectrum, air)
        if "double" in given.without:
            engines = {name: one for name, one in engines.items() if not one.double}
        times = timed(engines, air, given.turns)
        report["optics"][spectrum] = found = summed(spectrum, engines, times)
        full = f"tables {TABLES[spectrum][0]}, float32"
        speed = [1 / x for x in times[full][_best(times[full])]]
        factor = [x / FORTRAN[spectrum]["torch tables"] for x in spread(speed)]
        report[f"machine_factor_{spectrum}"] = factor
        carried = {k: FORTRAN[spectrum][k] * factor[1] for k in ("double", "single")}
        report[f"fortran_carried_over_{spectrum}"] = carried
        print(
            f"\n{spectrum}: machine factor {factor[1]:.2f} ({factor[0]:.2f}-{factor[2]:.2f}), so "
            f"Fortran carried over: {carried['double']:,.0f} col/s double, "
            f"{carried['single']:,.0f} single"
        )
        show(found)
        write(report, given.output)
    for g in (1, 0):
        if "jax" in given.without:
            break
        try:
            report["with_solver"] |= with_solver(air, max(3, given.turns // 4), g)
        except ImportError as error:
            report["with_solver"] = {"failed": str(error)}
            print(f"jax-rrtmgp: {error}")
            break
        write(report, given.output)


def write(report: Mapping[str, object], path: Path) -> None:
    """Write what is known so far."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
