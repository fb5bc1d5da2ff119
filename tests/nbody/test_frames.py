"""Every integrator returns the frame it was given: the barycentre moves on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from restudy.nbody.batch import tensors
from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.compiled import integrate_compiled, integrate_heliocentric
from restudy.nbody.compiled_batch import integrate_batch
from restudy.nbody.composition import ABA_10_4, integrate_composition
from restudy.nbody.correctors import integrate_corrected, integrate_lazy
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.leapfrog import integrate_leapfrog
from restudy.nbody.learned.compiled_orbits import integrate_learned, integrate_uncoupled
from restudy.nbody.learned.weights import shipped_potential
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory
from restudy.nbody.wisdom_holman import integrate

STEP, STEPS, EVERY = 0.1, 100, 20
PLAN = STEP, STEPS

INTEGRATORS: dict[str, Callable[[System], Trajectory]] = {
    "torch": lambda s: integrate(*tensors(s), *PLAN, sample_every=EVERY),
    "compiled": lambda s: integrate_compiled(s, *PLAN, sample_every=EVERY),
    "heliocentric": lambda s: integrate_heliocentric(s, *PLAN, sample_every=EVERY),
    "batch": lambda s: integrate_batch([s], *PLAN, sample_every=EVERY).system(0),
    "composition": lambda s: integrate_composition(s, *PLAN, ABA_10_4, sample_every=EVERY),
    "corrected": lambda s: integrate_corrected(s, *PLAN, sample_every=EVERY),
    "lazy": lambda s: integrate_lazy(s, *PLAN, sample_every=EVERY),
    "leapfrog": lambda s: integrate_leapfrog(s, *PLAN, EVERY),
    "ias15": lambda s: integrate_ias15(s, STEP * np.arange(0, STEPS + 1, EVERY)),
    "learned": lambda s: (
        integrate_learned(s, shipped_potential("pair-wide"), *PLAN, sample_every=EVERY).trajectory
    ),
    "uncoupled": lambda s: integrate_uncoupled(s, *PLAN, sample_every=EVERY),
}


@pytest.mark.parametrize("follow", INTEGRATORS.values(), ids=INTEGRATORS.keys())
def test_a_system_that_moves_comes_back_moving(follow: Callable[[System], Trajectory]) -> None:
    place, speed = np.array([3.0, -1.0, 2.0]), np.array([1.0, -2.0, 0.5])
    still = sun_jupiter_saturn().barycentric()
    moving = replace(still, positions=still.positions + place, velocities=still.velocities + speed)
    at_rest, found = follow(still), follow(moving)
    way = place + speed * found.times[:, None]
    np.testing.assert_allclose(found.positions, at_rest.positions + way[:, None], atol=1e-12)
    np.testing.assert_allclose(found.velocities, at_rest.velocities + speed, atol=1e-12)
    centre = still.masses @ at_rest.positions / still.masses.sum()
    assert np.abs(centre).max() < 1e-14  # and one at rest stays
