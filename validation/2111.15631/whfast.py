"""Numbers of rebound's WHFast, IAS15 and others, for systems of the paper and of other families.

    python -m venv peers && peers/bin/pip install rebound==5.2.2 numpy
    peers/bin/python validation/2111.15631/whfast.py

It reads ``systems.json`` (masses, positions, velocities, from `restudy.nbody.catalogue`; written by
``python validation/2111.15631/whfast.py --systems`` where restudy is installed) and writes
``whfast.json``. rebound is under the GPL; this only calls it.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
GRAVITY = 39.476926421373
# System, step [yr], steps, samples.
ENERGIES = [
    ("sun-jupiter-saturn", step, round(1e4 / step), 1000) for step in (0.05, 0.1, 0.2, 0.5, 1.0)
]
ENERGIES += [("trappist-1", 1e-4, 20000, 100), ("trappist-1", 2e-4, 10000, 100)]
FINALS = [
    ("sun-jupiter-saturn", 0.1, (100, 1000, 10000, 100000)),
    ("trappist-1", 2e-4, (100, 1000, 10000)),
    ("planetesimals", 2e-4, (10, 100, 1000)),
]


def write_systems() -> None:
    """Write the states of the catalogue."""
    from restudy.nbody import catalogue

    found = {
        "sun-jupiter-saturn": catalogue.sun_jupiter_saturn(),
        "trappist-1": catalogue.trappist_1().sorted(),
        "planetesimals": catalogue.planetesimals(np.random.default_rng(0), 20).sorted(),
    }
    states = {}
    for name, system in found.items():
        rest = system.barycentric()
        states[name] = {
            "masses": rest.masses.tolist(),
            "positions": rest.positions.tolist(),
            "velocities": rest.velocities.tolist(),
        }
    (HERE / "systems.json").write_text(json.dumps(states) + "\n")


def simulation(state: dict, step: float, coordinates: str, safe: int):
    """Set WHFast up."""
    import rebound

    sim = rebound.Simulation()
    sim.G = GRAVITY
    for m, (x, y, z), (vx, vy, vz) in zip(*state.values(), strict=True):
        sim.add(m=m, x=x, y=y, z=z, vx=vx, vy=vy, vz=vz)
    sim.integrator = "whfast"
    sim.dt = step
    sim.integrator.coordinates = coordinates
    sim.integrator.safe_mode = safe
    sim.integrator.keep_unsynchronized = 1 - safe
    return sim


def energy_error(state: dict, step: float, steps: int, samples: int, coordinates: str) -> float:
    """Give the largest relative error of the energy at the samples."""
    sim = simulation(state, step, coordinates, 1)
    start, worst = sim.energy(), 0.0
    for _ in range(samples):
        sim.steps(steps // samples)
        worst = max(worst, abs(sim.energy() / start - 1))
    return worst


def positions(state: dict, step: float, at: tuple, coordinates: str, safe: int) -> list:
    """Give the positions seen from the star after some numbers of steps."""
    sim, done, found = simulation(state, step, coordinates, safe), 0, []
    for steps in at:
        sim.steps(steps - done)
        sim.synchronize()
        done = steps
        here = np.array([[p.x, p.y, p.z] for p in sim.particles])
        found.append((here - here[0]).tolist())
    return found


def ias15(state: dict, time: float) -> list:
    """Give the positions seen from the star, followed by IAS15."""
    import rebound

    sim = rebound.Simulation()
    sim.G = GRAVITY
    for m, (x, y, z), (vx, vy, vz) in zip(*state.values(), strict=True):
        sim.add(m=m, x=x, y=y, z=z, vx=vx, vy=vy, vz=vz)
    sim.integrator = "ias15"
    sim.integrate(time)
    here = np.array([[p.x, p.y, p.z] for p in sim.particles])
    return (here - here[0]).tolist()


def main() -> None:
    """Follow all systems, write the numbers."""
    import rebound

    states = json.loads((HERE / "systems.json").read_text())
    report: dict = {"rebound": rebound.__version__, "gravity": GRAVITY, "energy": [], "final": []}
    for coordinates in ("jacobi", "democraticheliocentric"):
        for name, step, steps, samples in ENERGIES:
            worst = energy_error(states[name], step, steps, samples, coordinates)
            report["energy"].append(
                {"system": name, "coordinates": coordinates, "step": step, "steps": steps}
                | {"samples": samples, "max_relative_error": worst}
            )
        for name, step, at in FINALS:
            safe, fast = (positions(states[name], step, at, coordinates, x) for x in (1, 0))
            report["final"].append(
                {"system": name, "coordinates": coordinates, "step": step, "steps": at}
                | {"positions": safe, "positions_without_safe_mode": fast}
            )
    report["ias15"] = [
        {"system": name, "time": time, "positions": ias15(states[name], time)}
        for name, time in (("sun-jupiter-saturn", 1000.0), ("trappist-1", 1.0))
    ]
    (HERE / "whfast.json").write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    write_systems() if "--systems" in sys.argv else main()
