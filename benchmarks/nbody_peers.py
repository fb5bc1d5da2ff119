"""rebound, as benchmarks/nbody.py asks it: the same systems, one simulation each."""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence

import numpy as np

from restudy.nbody.system import System

Setting = Callable[[object], None]


def _whfast(**options: object) -> Setting:
    def apply(sim: object) -> None:
        sim.integrator = "whfast"
        for name, value in options.items():
            setattr(sim.integrator, name, value)

    return apply


def _named(name: str) -> Setting:
    def apply(sim: object) -> None:
        sim.integrator = name

    return apply


SETTINGS: dict[str, Setting] = {
    "rebound WHFast": _whfast(),
    "rebound WHFast, safe_mode 0": _whfast(safe_mode=0),
    "rebound WHFast, democratic heliocentric": _whfast(
        safe_mode=0, coordinates="democraticheliocentric"
    ),
    "rebound WHFast, corrector 11": _whfast(safe_mode=0, corrector=11),
    "rebound WHFast, corrector 17": _whfast(safe_mode=0, corrector=17),
    "rebound WHCKL": _whfast(safe_mode=0, corrector=17, kernel="lazy"),
    "rebound SABA": _named("saba"),
    "rebound IAS15": _named("ias15"),
    "rebound leapfrog": _named("leapfrog"),
}
FIXED = [name for name in SETTINGS if name != "rebound IAS15"]


def simulation(system: System, step: float, setting: str) -> object:
    """Set a system up."""
    import rebound

    sim = rebound.Simulation()
    sim.G = system.gravity
    start = system.barycentric()
    for m, (x, y, z), (vx, vy, vz) in zip(
        start.masses, start.positions, start.velocities, strict=True
    ):
        sim.add(m=m, x=x, y=y, z=z, vx=vx, vy=vy, vz=vz)
    SETTINGS[setting](sim)
    sim.dt = step
    return sim


def from_star(sim: object) -> np.ndarray:
    """Give where the planets are, seen from the star, (N - 1, 3)."""
    here = np.array([[p.x, p.y, p.z] for p in sim.particles])
    return here[1:] - here[0]


def follow(
    system: System, step: float, steps: int, samples: int, setting: str
) -> tuple[float, float, np.ndarray]:
    """Give CPU seconds of the steps, the largest error of the energy, and the last places."""
    sim = simulation(system, step, setting)
    start, worst, seconds = sim.energy(), 0.0, 0.0
    for number in range(1, samples + 1):
        before = time.process_time()
        if setting == "rebound IAS15":
            sim.integrate(step * (steps // samples) * number)
        else:
            sim.steps(steps // samples)
            sim.synchronize()
        seconds += time.process_time() - before
        worst = max(worst, abs(sim.energy() / start - 1))
    return seconds, worst, from_star(sim)


def _part(given: tuple) -> tuple[float, float, np.ndarray]:
    systems, h, steps, setting = given
    before = time.process_time()
    sims = [simulation(s, x, setting) for s, x in zip(systems, h, strict=True)]
    ready = time.process_time()
    for sim in sims:
        sim.steps(steps)
        sim.synchronize()
    done = time.process_time()
    return ready - before, done - ready, np.array([from_star(sim) for sim in sims])


def follow_many(
    systems: Sequence[System], h: np.ndarray, steps: int, processes: int, setting: str
) -> tuple[dict[str, float], np.ndarray]:
    """Follow systems one after another in some processes; give seconds, and the last places."""
    borders = [len(systems) * k // processes for k in range(processes + 1)]
    parts = [(systems[a:b], h[a:b], steps, setting) for a, b in itertools.pairwise(borders)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        before = time.perf_counter()
        found = pool.map(_part, parts, chunksize=1)
        wall = time.perf_counter() - before
    seconds = {"setup_cpu_s": sum(x[0] for x in found), "cpu_s": sum(x[1] for x in found)}
    return seconds | {"wall_s": wall}, np.concatenate([x[2] for x in found])
