"""Quantum networks: event loop, repeater chains, GHZ states and swaps beside peers.

    python benchmarks/qnet.py                              # twelve minutes
    python benchmarks/qnet.py --questions chain swap       # some of it, without the rest

The peers want an environment of their own (``pip install -e .[peers,qnet-peers]``): SeQUeNCe brings
a JupyterLab along. `qnet_peers` has their code, `harness` says how engines are measured: each size
in a fresh process. Times are means of calls after a warm-up at the smallest size, of the wall clock
and of the CPU; set-up (the network is built) and run are apart. Each process also times a bare
``heapq`` loop, before and after, so that a machine that is busy shows. One thread, but for runs on
two Dask workers, which two plain processes stand beside. Python's collector of cyclic garbage is
on, as users have it, where the name of an engine does not say "no GC".

Answers must agree to 1e-9: what each loop called and when it ended; the fidelity of a chain over
its closed form, for the noise that the engine has (SeQUeNCe: none; SimQN: in the channels; ours:
all of Supp. Note 2B, kets draw it and are checked without); parities of GHZ states; the weights of
a swapped pair; the means of runs on workers.

An engine that fails or takes longer than the limit is not asked at larger sizes; ``largest`` says
where the others stop: at what a formalism can hold, or at what there is time for (SeQUeNCe).
"""

import argparse
import gc
import heapq
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import harness
import qnet_peers as peers
from qnet_peers import Answers, Engine

PACKAGES = ("dask", "numba", "numpy", "qns", "qutip", "scipy", "sequence", "simpy", "stim")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
TURNS = 3
ONE_TURN_S = 5.0  # engines that take longer are asked once
LEAST_S = 0.2  # calls are repeated up to here
BARE = 50_000
RUNS = 1000  # of a batch
BLOCK = 13_000  # runs of 99 links: about 10 ms


# The event loop.


def callbacks(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Entries of a timeline that schedule themselves."""
    from restudy.qnet.engine.simulation import Simulation

    sim = Simulation()

    def ticker(rest: Iterator[int]) -> Callable[[], None]:
        def tick() -> None:
            for delay in rest:
                sim.schedule(tick, delay=delay)
                return

        return tick

    for each in peers.delays(processes):
        ticker(iter(each))()

    def run() -> Callable[[], Answers]:
        sim.run()
        return lambda: {"end": sim.now, "callbacks": sim.statistics.callbacks}

    return run


def waits(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Wait for timeouts, in processes."""
    from restudy.qnet.engine.simulation import Simulation

    sim = Simulation()

    def body(each: list[int]) -> Iterator[object]:
        for delay in each:
            yield sim.timeout(delay)

    for each in peers.delays(processes):
        sim.process(body(each))

    def run() -> Callable[[], Answers]:
        sim.run()
        return lambda: {"end": sim.now, "waits": sim.statistics.resumes - processes}

    return run


def waits_for_two(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Wait for both of two timeouts, then for the first of two, in processes."""
    from restudy.qnet.engine.simulation import Simulation

    sim = Simulation()
    timeout = sim.timeout
    ends: list[float] = []

    def body(each: list[int]) -> Iterator[object]:
        rest = iter(each)
        for delay in rest:
            yield timeout(delay) & timeout(next(rest))
            yield timeout(next(rest)) | timeout(next(rest))
        ends.append(sim.now)

    for each in peers.delays(processes):
        sim.process(body(each))

    def run() -> Callable[[], Answers]:
        sim.run()
        return lambda: {"last": max(ends), "sum": sum(ends)}

    return run


# Repeater chains.


def chain(formalism: str, nodes: int) -> Callable[[], Callable[[], Answers]]:
    """One pair over the chain of Supp. Note 2B, by components and protocols."""
    import numpy as np

    from restudy.qnet.engine.simulation import Simulation
    from restudy.qnet.protocols.chain import ChainParameters, RepeaterChain, chain_fidelity
    from restudy.qnet.states.state import Formalism

    def made(parameters: ChainParameters) -> RepeaterChain:
        sim = Simulation(rng=np.random.default_rng(1))
        return RepeaterChain(sim, parameters, formalism=Formalism[formalism])

    def fidelity(built: RepeaterChain) -> float:
        built.sim.run(until=built.done)
        return built.fidelity()

    noisy = ChainParameters(nodes)
    built = made(noisy)

    def run() -> Callable[[], Answers]:
        found = fidelity(built)

        def answers() -> Answers:
            ratio = found / chain_fidelity(noisy)
            if formalism == "KET":
                ratio = fidelity(made(ChainParameters(nodes, channel_hz=0, memory_hz=0, gate_hz=0)))
            return {"pairs": 1, "fidelity / closed form": ratio}

        return answers

    return run


def uncollected(engine: Engine, size: int) -> Callable[[], Callable[[], Answers]]:
    """Switch Python's collector of cyclic garbage off, as the paper did for its benchmarks."""
    gc.disable()
    return engine(size)


def swap_asap(events: bool, nodes: int) -> Callable[[], Callable[[], Answers]]:
    """Many runs of a chain whose links take a random number of attempts."""
    import numpy as np

    from restudy.qnet.batch import closed_form, event_driven
    from restudy.qnet.batch.chain import Link, draw_attempts, uniform_chain

    built = uniform_chain(nodes, Link(0.1, 1e5, length_km=20.0), depolar_hz=0.1)

    def run() -> Callable[[], Answers]:
        rng = np.random.default_rng(1)
        if events:
            found = event_driven.deliveries(built, draw_attempts(built, RUNS, rng=rng))
        else:
            found = closed_form.simulate(built, RUNS, rng=rng)
        return lambda: {
            "duration": float(found.duration_ns.mean()),
            "fidelity": float(found.fidelity.mean()),
        }

    return run


# States.


def ghz(formalism: str, qubits: int) -> Callable[[], Callable[[], Answers]]:
    """H, a cascade of CNOTs, measurements; outcomes in X are not timed."""
    import numpy as np

    from restudy.qnet.states.gates import CNOT, H
    from restudy.qnet.states.qubits import measure, new_qubits, operate
    from restudy.qnet.states.state import Formalism

    def measured(basis: str) -> list[int]:
        rng = np.random.default_rng(1)
        made = new_qubits(qubits, Formalism[formalism])
        operate(H, made[0])
        for left, right in itertools.pairwise(made):
            operate(CNOT, left, right)
        return [measure(qubit, rng=rng, basis=basis) for qubit in made]

    def run() -> Callable[[], Answers]:
        found = measured("Z")
        return lambda: peers.parities(found, measured("X"))

    return run


def swap(formalism: str, swaps: int) -> Callable[[], Callable[[], Answers]]:
    """Make two mixed pairs, measure, correct."""
    import numpy as np

    from restudy.qnet.states.gates import PAULIS
    from restudy.qnet.states.qubits import bell_measurement, bell_pair, fidelity, operate
    from restudy.qnet.states.state import Formalism

    rng = np.random.default_rng(1)
    made = partial(bell_pair, Formalism[formalism], weights=peers.WEIGHTS)

    def run() -> Callable[[], Answers]:
        for _ in range(swaps):
            (a, b), (c, d) = made(), made()
            operate(PAULIS[bell_measurement(b, c, rng=rng)], d)
        bell = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, -1j, 1j, 0], [1, 0, 0, -1]]) / np.sqrt(2)
        return lambda: {f"weight {k}": fidelity(state, a, d) for k, state in enumerate(bell)}

    return run


# Workers.


def pool() -> Executor:
    """Start two plain processes: what the machine gives."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def dask_workers() -> Executor:
    """Start two Dask workers of one thread."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    return Client(cluster).get_executor()


def blocks(start: Callable[[], Executor | None], tasks: int) -> Callable[[], Callable[[], Answers]]:
    """Run blocks of about 10 ms, a second's worth a task, on an executor or here."""
    from restudy.qnet.batch import closed_form
    from restudy.qnet.batch.chain import Link, uniform_chain
    from restudy.qnet.sweeps import Sampling, measure

    built = uniform_chain(100, Link(0.1, 1e5, length_km=20.0), depolar_hz=0.1)
    sampling = Sampling(tasks * 100 * BLOCK, seed=1, block=BLOCK, blocks_per_task=100)
    executor = start()
    warm = Sampling(8 * BLOCK, seed=2, block=BLOCK)
    measure(closed_form.samples, [built], warm, executor=executor)

    def run() -> Callable[[], Answers]:
        found = measure(closed_form.samples, [built], sampling, executor=executor)[0]
        return lambda: {name: one.mean for name, one in found.items()}

    return run


@dataclass(frozen=True)
class Question:
    """What engines are asked, and at which sizes."""

    size: str  # what the sizes count
    unit: str  # what a time is of
    sizes: tuple[int, ...]
    units: Callable[[int], int]  # how many units a size has
    engines: Mapping[str, Engine]
    largest: Mapping[str, int]  # where an engine stops
    repeated: bool = True


STEPS = (3, 10, 33, 100, 333, 1000, 3333, 10_000)
QUESTIONS = {
    "callbacks": Question(
        "processes",
        "callback",
        (1, 1000),
        lambda _: peers.CALLBACKS,
        {
            "restudy": callbacks,
            "heapq": peers.heapq_callbacks,
            "simpy": peers.simpy_callbacks,
            "SeQUeNCe": peers.sequence_callbacks,
            "SimQN": peers.simqn_callbacks,
        },
        {},
    ),
    "waits": Question(
        "processes",
        "wait",
        (1, 1000),
        lambda _: peers.CALLBACKS,
        {"restudy": waits, "heapq": peers.heapq_waits, "simpy": peers.simpy_waits},
        {},
    ),
    "waits for two": Question(
        "processes",
        "event",
        (1, 1000),
        lambda _: peers.CALLBACKS,
        {"restudy": waits_for_two, "simpy": peers.simpy_waits_for_two},
        {},
    ),
    "chain": Question(
        "nodes",
        "run",
        STEPS,
        lambda _: 1,
        {
            "restudy, density": partial(chain, "DENSITY"),
            "restudy, ket": partial(chain, "KET"),
            "restudy, Bell": partial(chain, "BELL"),
            "restudy, Bell, no GC": partial(uncollected, partial(chain, "BELL")),
            "SeQUeNCe": peers.sequence_chain,
            "SimQN": peers.simqn_chain,
        },
        {"SeQUeNCe": 1000},
    ),
    "SWAP-ASAP": Question(
        "nodes",
        "run",
        STEPS[1::2],
        lambda _: RUNS,
        {
            "restudy, closed form": partial(swap_asap, False),
            "restudy, events": partial(swap_asap, True),
        },
        {},
    ),
    "GHZ": Question(
        "qubits",
        "state",
        (3, 10, 20, 100, 1000),
        lambda _: 1,
        {
            "restudy, stabilizer": partial(ghz, "STABILIZER"),
            "restudy, graph": partial(ghz, "GRAPH"),
            "restudy, ket": partial(ghz, "KET"),
            "restudy, density": partial(ghz, "DENSITY"),
            "stim": peers.stim_ghz,
            "QuTiP": peers.qutip_ghz,
        },
        {"restudy, ket": 20, "restudy, density": 10, "QuTiP": 10},
    ),
    "swap": Question(
        "swaps",
        "swap",
        (200,),
        lambda swaps: swaps,
        {
            "restudy, density": partial(swap, "DENSITY"),
            "restudy, Bell": partial(swap, "BELL"),
            "QuTiP": peers.qutip_swap,
        },
        {},
    ),
    "workers": Question(
        "tasks",
        "task",
        (6,),
        lambda tasks: tasks,
        {
            "restudy, 1 process": partial(blocks, lambda: None),
            "restudy, 2 processes": partial(blocks, pool),
            "restudy, 2 Dask workers": partial(blocks, dask_workers),
        },
        {},
        repeated=False,
    ),
}


def timed(engine: Engine, size: int, warm: int | None) -> Answers:
    """Give the answers and, beside them, seconds of a call: run and set-up, wall and CPU."""
    if warm is not None:
        engine(warm)()()
    before = bare()
    clocks: list[tuple[float, ...]] = []
    gc.collect()
    while not clocks or (warm is not None and clocks[-1][4] - clocks[0][0] < LEAST_S):
        run = answers = None  # one network at a time
        start = time.perf_counter(), time.process_time()
        run = engine(size)
        built = time.perf_counter(), time.process_time()
        answers = run()
        done = time.perf_counter(), time.process_time()
        clocks.append((*start, *built, *done))
    mean = [statistics.fmean(column) for column in zip(*clocks, strict=True)]
    return answers() | {
        "seconds": mean[4] - mean[2],
        "cpu_s": mean[5] - mean[3],
        "setup_s": mean[2] - mean[0],
        "setup_cpu_s": mean[3] - mean[1],
        "bare_per_s": (before + bare()) / 2,
    }


def bare() -> float:
    """Give the callbacks per CPU second of a bare loop over a heap: how fast the machine is now."""
    best = 0.0
    for _ in range(3):
        heap: list[tuple[float, int, Callable[[float], None]]] = []

        def tick(now: float) -> None:
            heapq.heappush(heap, (now + 1.0, 0, tick))  # noqa: B023

        heapq.heappush(heap, (0.0, 0, tick))
        start = time.process_time()
        for _ in range(BARE):
            now, _, callback = heapq.heappop(heap)
            callback(now)
        best = max(best, BARE / (time.process_time() - start))
    return best


def compare(name: str, size: int, engines: Sequence[str], given: argparse.Namespace) -> dict:
    """Put one question of one size to the engines, in turns."""
    question = QUESTIONS[name]
    rest = ["--question", name, "--size", str(size), "--memory", str(given.memory)]
    runs: dict[str, list[harness.Run]] = {engine: [] for engine in engines}
    for turn in range(TURNS):
        for engine, done in runs.items():
            long = question.repeated and done and done[0]["took_s"] > ONE_TURN_S
            if turn and ("failed" in done[0] or long):
                continue
            start = time.perf_counter()
            run = harness.measure(["--child", engine, *rest], limit_s=given.limit)
            done.append(run | {"took_s": time.perf_counter() - start})
    units = question.units(size)
    ours = next(iter(runs.values()))
    found = {engine: summed(done, ours, units) for engine, done in runs.items()}
    for engine, row in found.items():
        print(f"  {engine:22s} {said(row)}", flush=True)
    return found


def summed(runs: Sequence[harness.Run], ours: Sequence[harness.Run], units: int) -> harness.Run:
    """Sum up the turns of one engine: seconds a unit, ratio to ours of the same turn."""
    if failed := [run["failed"] for run in runs if "failed" in run]:
        return {"failed": failed[0]}
    parts = [dict(run["answers"]) for run in runs]
    row: harness.Run = {
        "seconds": [run["seconds"] / units for run in runs],
        "median_s": statistics.median(run["seconds"] for run in runs) / units,
        "peak_bytes": max(run["peak_bytes"] for run in runs),
    }
    for key, per in (("cpu_s", units), ("setup_s", 1), ("setup_cpu_s", 1), ("bare_per_s", 1)):
        row[key] = statistics.median([part.pop(key) for part in parts]) / per
    if all("seconds" in run for run in ours):
        for part in parts:
            harness.agree(_answers(ours[0]), part)
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs, ours, strict=False)]
        row["time_over_restudy"] = [min(ratios), statistics.median(ratios), max(ratios)]
    return row


def _answers(run: harness.Run) -> Answers:
    clocks = ("cpu_s", "setup_s", "setup_cpu_s", "bare_per_s")
    return {key: value for key, value in run["answers"].items() if key not in clocks}


def said(row: harness.Run) -> str:
    """Put a row into words."""
    if "failed" in row:
        return f"failed: {row['failed']}"
    low, middle, high = row.get("time_over_restudy", [float("nan")] * 3)
    return (
        f"{row['median_s'] * 1e6:14,.2f} us (CPU {row['cpu_s'] * 1e6:14,.2f})  set-up "
        f"{row['setup_cpu_s'] * 1e3:10,.2f} ms {row['peak_bytes'] / 2**20:7,.0f} MiB  "
        f"x{middle:.2f} ({low:.2f}-{high:.2f})  bare loop {row['bare_per_s'] / 1e6:.2f} M/s"
    )


def main() -> None:
    """Ask, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", nargs="*", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--most", type=int, default=max(STEPS), help="largest size of all")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of a process")
    parser.add_argument("--memory", type=int, default=16 * 2**30, help="bytes of a process")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results/qnet.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--question", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        question = QUESTIONS[given.question]
        engine = question.engines[given.child]
        warm = min(question.sizes) if question.repeated else None
        limit = given.memory if question.repeated else None
        harness.answer(lambda: timed(engine, given.size, warm), memory=limit)
        return
    os.environ |= dict.fromkeys(THREADS, "1")
    report = json.loads(given.output.read_text()) if given.output.exists() else {"questions": {}}
    report |= {"machine": harness.machine(PACKAGES), "limit_s": given.limit}
    for name in given.questions:
        question = QUESTIONS[name]
        sizes: dict[str, object] = {}
        entry = {"size": question.size, "unit": question.unit, "sizes": sizes}
        report["questions"][name] = entry | {"largest": dict(question.largest)}
        alive = list(question.engines)
        for size in [size for size in question.sizes if size <= given.most]:
            print(f" {name}, {size:,} {question.size}", flush=True)
            asked = [one for one in alive if size <= question.largest.get(one, size)]
            found = compare(name, size, asked, given)
            sizes[str(size)] = found
            alive = [one for one in alive if "failed" not in found.get(one, {})]
            given.output.parent.mkdir(exist_ok=True)
            given.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {given.output}")


if __name__ == "__main__":
    main()
