import numpy as np
import pytest
from scipy.integrate import quad

from restudy.nbody.catalogue import equal_binary, planetary_system, sun_jupiter_saturn, trappist_1
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.elements import elements_from_state
from restudy.nbody.errors import NBodyError
from restudy.nbody.secular import laplace_coefficient, laplace_lagrange, secular_matrices
from restudy.nbody.units import GRAVITY


@pytest.mark.parametrize("s", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("j", [0, 1, 2, 5])
@pytest.mark.parametrize("alpha", [0.01, 0.3, 0.545, 0.9])
def test_laplace_coefficients_are_their_integrals(s, j, alpha):
    def integrand(psi):
        return np.cos(j * psi) / (1 - 2 * alpha * np.cos(psi) + alpha**2) ** s

    truth = 2 / np.pi * quad(integrand, 0, np.pi, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
    assert float(laplace_coefficient(s, j, alpha)) == pytest.approx(truth, rel=1e-10, abs=1e-12)


def test_jupiter_and_saturn_as_in_murray_and_dermott():
    # section 7.3: degrees a year, with mean motions of 30.3374 and 12.1890
    masses, a = [1.0, 9.54786e-4, 2.85837e-4], np.array([5.202545, 9.554841])
    for_e, for_i = (np.degrees(x) for x in secular_matrices(masses, a, GRAVITY))
    motion = np.degrees(np.sqrt(GRAVITY * (1 + np.array(masses[1:])) / a**3))
    scale = (np.array([30.3374, 12.1890]) / motion)[:, None]
    assert abs(scale - 1).max() < 1e-3
    expected = [[0.00203738, -0.00132987], [-0.00328007, 0.00502513]]
    np.testing.assert_allclose(scale * for_e, expected, rtol=1e-5)
    expected = [[-0.00203738, 0.00203738], [0.00502513, -0.00502513]]
    np.testing.assert_allclose(scale * for_i, expected, rtol=1e-5)
    frequencies = np.sort(np.linalg.eigvals(scale * for_e))
    np.testing.assert_allclose(frequencies, [9.63435e-4, 6.09908e-3], rtol=1e-4)


def test_the_solution_begins_with_the_orbits_and_keeps_the_deficit():
    system = trappist_1()
    solution = laplace_lagrange(system)
    relative = (x[1:] - x[0] for x in (system.positions, system.velocities))
    orbit = elements_from_state(*relative, system.gravity * (system.masses[0] + system.masses[1:]))
    np.testing.assert_allclose(solution.eccentricities(0.0), orbit.eccentricity, rtol=1e-10)
    np.testing.assert_allclose(solution.inclinations(0.0), orbit.inclination, rtol=1e-10)
    times = np.linspace(0, 1000, 50)
    weight = system.masses[1:] * np.sqrt(orbit.semi_major_axis)
    deficit = (weight * solution.eccentricities(times) ** 2).sum(1)
    np.testing.assert_allclose(deficit, deficit[0], rtol=1e-4)


def test_two_light_planets_exchange_eccentricity_with_the_period_of_the_closed_form():
    system = planetary_system(
        1.0, [3e-5, 6e-5], [1.0, 2.7], [0.01, 0.02], [0.0, 0.0],
        pericentre=[0.0, 1.0], true_anomaly=[0.4, 2.0],
    )  # fmt: skip
    solution = laplace_lagrange(system)
    every = round(1.5 * solution.exchange_period / 400 / 0.04)
    run = integrate_compiled(system, 0.04, 400 * every, sample_every=every)
    found = np.empty((len(run), 2))
    for k in range(2):
        relative = (x[:, k + 1] - x[:, 0] for x in (run.positions, run.velocities))
        mu = system.gravity * (system.masses[0] + system.masses[k + 1])
        found[:, k] = elements_from_state(*relative, mu).eccentricity
    expected = solution.eccentricities(run.times)
    swing = np.ptp(expected, axis=0)
    assert (swing > 0.003).all()
    np.testing.assert_allclose(found, expected, atol=0.05 * swing.max())


def test_jupiter_and_saturn_exchange_eccentricity():
    solution = laplace_lagrange(sun_jupiter_saturn())
    assert solution.exchange_period == pytest.approx(360 / (6.09908e-3 - 9.63435e-4), rel=0.03)
    e = solution.eccentricities(np.linspace(0, solution.exchange_period, 200))
    np.testing.assert_allclose(e[-1], e[0], rtol=1e-10)
    # when one is most eccentric, the other is least
    assert abs(int(e[:, 0].argmax()) - int(e[:, 1].argmin())) <= 1


def test_errors():
    with pytest.raises(NBodyError, match="the system has 1 planet; expected at least 2"):
        laplace_lagrange(equal_binary())
    with pytest.raises(NBodyError, match="are equal; expected different ones"):
        secular_matrices([1.0, 1e-3, 1e-3], [1.0, 1.0], GRAVITY)
    with pytest.raises(NBodyError, match="7 planets exchange eccentricity with several periods"):
        _ = laplace_lagrange(trappist_1()).exchange_period
