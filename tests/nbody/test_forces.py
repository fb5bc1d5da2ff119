import numpy as np
import pytest

from restudy.nbody.catalogue import planetary_system, trappist_1
from restudy.nbody.elements import elements_from_state
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import (
    LIGHT,
    oblateness,
    relativity,
    relativity_of_star,
    relativity_potential,
)
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.system import System
from restudy.nbody.units import GRAVITY

RELATIVITY = [relativity_potential, relativity_of_star, relativity]
ARCSECONDS = 3600 * 180 / np.pi


def mercury(mass=1.66e-7):
    return planetary_system(1.0, [mass], [0.38709893], [0.20563069], [0.0])


def osculating(system, run):
    return elements_from_state(
        run.positions[:, 1] - run.positions[:, 0],
        run.velocities[:, 1] - run.velocities[:, 0],
        system.gravity * system.masses[:2].sum(),
    )


def rate(times, angle):
    return np.polyfit(times, np.unwrap(angle), 1)[0]


def test_light_takes_499_seconds_an_astronomical_unit():
    assert pytest.approx(499.004784, abs=1e-6) == 365.25 * 86400 / LIGHT


@pytest.mark.parametrize("form", RELATIVITY)
def test_mercurys_perihelion_turns_by_43_arcseconds_a_century(form):
    system = mercury()
    times = np.linspace(0, 100, 1501)
    run = integrate_ias15(system, times, forces=[form()])
    orbit = osculating(system, run)
    turned = 100 * rate(times, orbit.node + orbit.pericentre) * ARCSECONDS
    assert turned == pytest.approx(42.98, abs=0.02)


def test_without_relativity_it_does_not_turn():
    system = mercury()
    times = np.linspace(0, 100, 201)
    orbit = osculating(system, integrate_ias15(system, times))
    assert abs(100 * rate(times, orbit.node + orbit.pericentre) * ARCSECONDS) < 1e-6


@pytest.mark.parametrize("second", [1.0, 0.3, 1e-3])
def test_two_heavy_bodies_turn_their_pericentre_with_the_sum_of_masses(second):
    a, e, light = 1.0, 0.4, 3000.0
    system = planetary_system(1.0, [second], [a], [e], [0.0])
    times = np.linspace(0, 300, 6001)
    run = integrate_ias15(system, times, forces=[relativity(light)])
    orbit = osculating(system, run)
    total = GRAVITY * (1.0 + second)
    an_orbit = 6 * np.pi * total / (light**2 * a * (1 - e**2))  # Robertson 1938
    expected = an_orbit * np.sqrt(total / a**3) / (2 * np.pi)
    assert rate(times, orbit.node + orbit.pericentre) == pytest.approx(expected, rel=2e-3)


def test_all_bodies_and_star_only_agree_for_planets_without_mass(rng):
    m = np.array([1.0, 1e-13, 1e-13])
    q, v = rng.normal(size=(2, 3, 3))
    q[0] = v[0] = 0.0
    full = relativity(100.0).acceleration(m, q, v, GRAVITY)
    star = relativity_of_star(100.0).acceleration(m, q, v, GRAVITY)
    np.testing.assert_allclose(full[1:], star[1:], rtol=1e-9)


def potential_of_star(force, m, q):
    r = q[1:] - q[0]
    d = np.linalg.norm(r, axis=1)
    if force == "oblate":
        axis = np.array([0.6, 0.0, 0.8])
        shape = (3 * (r @ axis) ** 2 / d**2 - 1) / 2
        return (GRAVITY * m[0] * m[1:] * 0.02 * 0.3**2 * shape / d**3).sum()
    return -(3 * m[1:] * (GRAVITY * m[0] / (700.0 * d)) ** 2).sum()


@pytest.mark.parametrize(
    ("name", "force"),
    [
        ("oblate", oblateness(0.02, 0.3, (3.0, 0.0, 4.0))),
        ("relativity", relativity_potential(700.0)),
    ],
)
def test_forces_are_gradients_of_their_potentials(name, force, rng):
    m = np.array([1.0, 0.3, 0.1])
    q, v = rng.normal(size=(2, 3, 3))
    h = 1e-5
    gradient = np.zeros((3, 3))
    for i in range(3):
        for k in range(3):
            step = np.zeros((3, 3))
            step[i, k] = h
            up, down = (potential_of_star(name, m, q + s * step) for s in (1, -1))
            gradient[i, k] = (up - down) / (2 * h)
    found = force.acceleration(m, q, v, GRAVITY)
    scale = np.abs(m[:, None] * found).max()
    np.testing.assert_allclose(m[:, None] * found, -gradient, atol=1e-8 * scale)


def test_an_oblate_star_turns_node_and_pericentre_as_closed_forms_say():
    a, e, inclination, j2, radius = 0.05, 0.1, 0.4, 1e-4, 0.005
    system = planetary_system(1.0, [1e-9], [a], [e], [inclination])
    times = np.linspace(0, 20, 4001)
    run = integrate_ias15(system, times, forces=[oblateness(j2, radius)])
    orbit = osculating(system, run)
    motion = np.sqrt(system.gravity / a**3)
    factor = 1.5 * motion * j2 * (radius / (a * (1 - e**2))) ** 2  # Murray & Dermott, 6.11
    node = -factor * np.cos(inclination)
    pericentre = factor * (2 - 2.5 * np.sin(inclination) ** 2)
    assert rate(times, orbit.node) == pytest.approx(node, rel=1e-3)
    assert rate(times, orbit.pericentre) == pytest.approx(pericentre, rel=1e-3)


@pytest.mark.parametrize("force", [oblateness(1e-3, 1e-3), relativity_potential()])
def test_the_star_recoils(force):
    system = trappist_1().barycentric()
    run = integrate_ias15(system, [0.0, 1.0], forces=[force])
    end = System(system.masses, run.positions[-1], run.velocities[-1], gravity=system.gravity)
    assert abs(end.momentum()).max() < 1e-17


def test_forces_add_up(rng):
    system = trappist_1()
    both = integrate_ias15(
        system, [0.0, 0.1], forces=[oblateness(1e-3, 1e-3), relativity_potential()]
    )
    turned = integrate_ias15(
        system, [0.0, 0.1], forces=[relativity_potential(), oblateness(1e-3, 1e-3)]
    )
    none = integrate_ias15(system, [0.0, 0.1])
    np.testing.assert_allclose(both.positions, turned.positions, atol=1e-13)
    assert abs(both.positions - none.positions).max() > 1e-8


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: oblateness(1e-3, 0.0), "the radius of the star is 0 au; expected more than 0"),
        (lambda: oblateness(1e-3, 1.0, (0, 0, 0)), "expected a direction"),
        (lambda: oblateness(np.nan, 1.0), "expected finite numbers"),
        (lambda: relativity(0.0), "the speed of light is 0 au/yr; expected 63241.077"),
    ],
)
def test_forces_that_cannot_be(make, sentence):
    with pytest.raises(NBodyError, match=sentence):
        make()
