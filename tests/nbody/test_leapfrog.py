import numpy as np
import pytest

from restudy.nbody.catalogue import equal_binary, sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import relativity, relativity_potential
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.leapfrog import integrate_leapfrog
from restudy.nbody.system import System


def test_order_two():
    binary = equal_binary(0.3)
    period = float(binary.periods()[0])
    steps = np.array([400, 800, 1600, 3200])
    errors = []
    for n in steps:
        run = integrate_leapfrog(binary, period / n, n, n)
        errors.append(np.linalg.norm(run.positions[-1] - run.positions[0]))
    slope = np.polyfit(np.log(1 / steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(2, abs=0.02)


def test_forth_and_back():
    system = sun_jupiter_saturn()
    there = integrate_leapfrog(system, 0.05, 10_000, 10_000)
    end = System(system.masses, there.positions[-1], there.velocities[-1])
    back = integrate_leapfrog(end, -0.05, 10_000, 10_000)
    np.testing.assert_allclose(back.positions[-1], there.positions[0], atol=1e-10)


def test_energy_has_no_drift_and_momentum_stays():
    system = sun_jupiter_saturn()
    run = integrate_leapfrog(system, 0.1, 100_000, 50)
    states = [
        System(system.masses, q, v) for q, v in zip(run.positions, run.velocities, strict=True)
    ]
    error = np.array([s.energy() for s in states]) / states[0].energy() - 1
    assert 1e-6 < abs(error).max() < 2e-4
    first, last = error[:500], error[-500:]
    assert abs(last.max() - first.max()) < 0.1 * np.ptp(error)
    L = np.array([s.angular_momentum() for s in states])
    assert abs(L - L[0]).max() < 1e-12 * np.linalg.norm(L[0])


def test_a_potential_is_followed_as_by_ias15():
    system = sun_jupiter_saturn()
    force = relativity_potential(300.0)
    errors = []
    truth = integrate_ias15(system, [0.0, 20.0], forces=[force]).positions[-1]
    for n in (4000, 8000):
        run = integrate_leapfrog(system, 20.0 / n, n, n, forces=[force])
        errors.append(np.abs(run.positions[-1] - truth).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0.0, 10, 1), "the step is 0 yr"),
        ((np.inf, 10, 1), "the step is inf yr"),
        ((0.1, 10, 3), "expected a number that divides the steps"),
    ],
)
def test_steps_that_cannot_be(arguments, sentence):
    with pytest.raises(NBodyError, match=sentence):
        integrate_leapfrog(sun_jupiter_saturn(), *arguments)


def test_forces_of_velocities_are_refused():
    with pytest.raises(NBodyError, match="use integrate_ias15"):
        integrate_leapfrog(sun_jupiter_saturn(), 0.1, 10, forces=[relativity()])
