"""Write rebound-high-order.json: correctors, SABA, IAS15 and MEGNO by rebound.

Usage: python rebound_high_order.py > rebound-high-order.json
with rebound 5 (pip install rebound), and nothing of restudy.
"""

import json
import math

import numpy as np
import rebound

G = 39.476926421373
SUN_JUPITER_SATURN = [
    [1.0, -0.007612845613551791, 0.0050110392439693145, 0.00013690548483013843,
     -0.0020530974332397104, -0.0025866002436086945, 6.921330597957245e-05],
    [0.0009547919152112404, 3.8618020374129074, -3.234125077133824, -0.07298121674578849,
     1.735878537683487, 2.2430545699650315, -0.048139610061701234],
    [0.0002858856727222417, 6.131603790363773, -7.838518747548958, -0.10782419960723405,
     1.4911113783999674, 1.2508321364065573, -0.08112841792736367],
]  # fmt: skip


def simulation(integrator: str, step: float, **options: object) -> rebound.Simulation:
    """Return the paper's Sun, Jupiter and Saturn, ready to run."""
    sim = rebound.Simulation()
    sim.G = G
    for m, x, y, z, vx, vy, vz in SUN_JUPITER_SATURN:
        sim.add(m=m, x=x, y=y, z=z, vx=vx, vy=vy, vz=vz)
    sim.move_to_com()
    return prepared(sim, integrator, step, **options)


def prepared(
    sim: rebound.Simulation, integrator: str, step: float, **options: object
) -> rebound.Simulation:
    """Set the integrator with its options."""
    sim.integrator = integrator
    for name, value in options.items():
        setattr(sim.integrator, name, value)
    sim.dt = step
    return sim


def energy_error(sim: rebound.Simulation, steps: int, every: int) -> float:
    """Return the largest relative error of the energy at samples."""
    start, worst = sim.energy(), 0.0
    for _ in range(steps // every):
        sim.steps(every)
        sim.synchronize()
        worst = max(worst, abs(sim.energy() / start - 1))
    return worst


def correctors() -> list[dict[str, float]]:
    """Return errors of WHFast with correctors over 1e5 steps."""
    rows = [(0.1, 3), (0.1, 5), (0.1, 7), (0.1, 11), (0.1, 17), (0.4, 11)]
    return [
        {
            "step": h,
            "order": n,
            "energy_error": energy_error(
                simulation("whfast", h, corrector=n, safe_mode=0), 100_000, 100
            ),
        }
        for h, n in rows
    ]


def ias15() -> dict[str, object]:
    """Return the error over 1e4 yr, and the state after 1,000."""
    sim = simulation("ias15", 0.01)
    start, worst = sim.energy(), 0.0
    for time in np.linspace(0, 1e4, 101)[1:]:
        sim.integrate(time)
        worst = max(worst, abs(sim.energy() / start - 1))
    short = simulation("ias15", 0.01)
    short.integrate(1000.0)
    return {
        "energy_error": worst,
        "steps": int(sim.steps_done),
        "time": 1000.0,
        "positions": [p.xyz for p in short.particles],
        "velocities": [p.vxyz for p in short.particles],
    }


def pair(mass: float, separation: float, eccentricity: float) -> rebound.Simulation:
    """Two planets near each other, pericentres 3 rad apart, at true anomalies 0 and 2 rad."""
    sim = rebound.Simulation()
    sim.G = G
    sim.add(m=1.0)
    star = sim.particles[0]
    sim.add(primary=star, m=mass, a=1.0, e=eccentricity, omega=0.0, f=0.0)
    sim.add(primary=star, m=mass, a=1.0 + separation, e=eccentricity, omega=3.0, f=2.0)
    sim.move_to_com()
    return prepared(sim, "whfast", 0.02)


def megno() -> list[dict[str, float]]:
    """Return MEGNO of a chaotic and of a regular pair."""
    out = []
    for mass, separation, eccentricity in ((1e-5, 0.15, 0.04), (1e-5, 0.3, 0.04)):
        sim = pair(mass, separation, eccentricity)
        sim.init_megno(seed=1)
        sim.integrate(8000.0)
        row = {"mass": mass, "separation": separation, "eccentricity": eccentricity}
        row |= {"step": 0.02, "time": 8000.0, "megno": sim.megno(), "exponent": sim.lyapunov()}
        out.append(row)
    return out


def main() -> None:
    """Write everything."""
    result = {
        "rebound": rebound.__version__,
        "whfast_corrector": correctors(),
        "whckl": {
            "step": 0.1,
            "energy_error": energy_error(
                simulation("whfast", 0.1, corrector=17, kernel="lazy", safe_mode=0), 100_000, 100
            ),
        },
        "saba_10_6_4": [
            {"step": h, "energy_error": energy_error(simulation("saba", h), 100_000, 100)}
            for h in (0.1, 0.5, 1.0)
        ],
        "ias15": ias15(),
        "megno": megno(),
    }
    assert all(math.isfinite(row["megno"]) for row in result["megno"])
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
