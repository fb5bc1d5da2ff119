import json
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from restudy.nbody.catalogue import equal_binary, planetary_system, sun_jupiter_saturn
from restudy.nbody.elements import state_from_elements
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import Force, relativity_potential
from restudy.nbody.ias15 import integrate_ias15, run_ias15
from restudy.nbody.radau import NODES, newton_of_powers, nodes, powers_of_newton
from restudy.nbody.system import System

REBOUND = json.loads(
    (Path(__file__).parents[2] / "validation/2111.15631/rebound-high-order.json").read_text()
)["ias15"]


def energies(system, trajectory):
    """Return energies in extended precision, so that their own rounding is not measured."""
    m = system.masses.astype(np.longdouble)
    q, v = (x.astype(np.longdouble) for x in (trajectory.positions, trajectory.velocities))
    i, j = np.triu_indices(len(m), 1)
    distances = np.sqrt(((q[:, i] - q[:, j]) ** 2).sum(-1))
    potential = system.gravity * (m[i] * m[j] / distances).sum(1)
    return 0.5 * (m * (v**2).sum(-1)).sum(1) - potential


def test_nodes_are_the_zeros_of_radaus_polynomial():
    with localcontext() as context:
        context.prec = 40
        for node in NODES:
            x = 2 * Decimal(node) - 1
            p = [Decimal(1), x]
            for n in range(1, 8):
                p.append(((2 * n + 1) * x * p[n] - n * p[n - 1]) / (n + 1))
            assert abs(p[7] + p[8]) < Decimal("1e-25")


def test_bases_span_the_same_polynomials():
    h, s = nodes(), np.linspace(0, 1, 11)
    newton = np.array(
        [np.prod([s - h[j] for j in range(1, k + 1)], axis=0) * s**0 for k in range(7)]
    )
    powers = s ** np.arange(7)[:, None]
    np.testing.assert_allclose(powers_of_newton() @ powers, newton, atol=1e-15)
    np.testing.assert_allclose(newton_of_powers() @ newton, powers, atol=1e-15)


@pytest.mark.parametrize("eccentricity", [0.0, 0.3, 0.9, 0.999])
def test_two_bodies_come_back_after_ten_orbits(eccentricity):
    binary = equal_binary(eccentricity)
    period = float(binary.periods()[0])
    run = integrate_ias15(binary, period * np.arange(11))
    # rounding of the start changes the period by 3/2 (1 + e) / (1 - e) units of the last place
    there = np.finfo(float).eps * (1 + eccentricity) / (1 - eccentricity)
    scale = np.abs(binary.velocities).max() * period
    np.testing.assert_allclose(run.positions[-1], run.positions[0], atol=20 * there * scale)


def test_two_bodies_are_where_kepler_says():
    binary = equal_binary(0.6)
    period = float(binary.periods()[0])
    part = np.array([0.1, 0.25, 0.5, 0.7])
    run = integrate_ias15(binary, part * period)
    r, v = state_from_elements(1.0, 0.6, 0.0, 0.0, 0.0, 2 * np.pi * part, mu=2.0)
    np.testing.assert_allclose(run.positions[:, 1], r / 2, atol=3e-15)
    np.testing.assert_allclose(run.velocities[:, 1], v / 2, atol=3e-15)


def test_quadrature_is_exact_for_polynomials_of_degree_fourteen():
    h = nodes()
    for degree in range(1, 17):
        f = h**degree
        g = []  # Newton's differences of (f - f_0) / s on the nodes inside
        for n in range(1, 8):
            x = (f[n] - f[0]) / h[n]
            for j, y in enumerate(g, start=1):
                x = (x - y) / (h[n] - h[j])
            g.append(x)
        b = np.array(g) @ powers_of_newton()
        lost = abs((b / np.arange(2, 9)).sum() - 1 / (degree + 1))
        assert lost < 1e-14 if degree <= 14 else lost > 1e-10


def test_errors_shrink_at_least_with_the_fifteenth_power_of_the_step():
    binary = equal_binary(0.2)
    period = float(binary.periods()[0])
    lengths, errors = [], []
    for tolerance in (3e-4, 1e-4, 3e-5, 1e-5):
        run = run_ias15(binary, [0.0, 20 * period], tolerance=tolerance)
        lengths.append(20 * period / run.accepted)
        errors.append(np.abs(run.trajectory.positions[-1] - run.trajectory.positions[0]).max())
    slope = np.polyfit(np.log(lengths), np.log(errors), 1)[0]
    assert slope > 14.5


def test_energy_of_sun_jupiter_and_saturn_stays_at_round_off():
    system = sun_jupiter_saturn()
    run = run_ias15(system, np.linspace(0, 1e4, 101))
    energy = energies(system, run.trajectory)
    assert abs(energy / energy[0] - 1).max() < 3 * REBOUND["energy_error"]
    assert run.accepted == pytest.approx(REBOUND["steps"], rel=0.02)
    assert run.rejected == 0


@pytest.mark.slow
def test_energy_walks_at_random_with_the_square_root_of_time(rng):
    times = np.geomspace(50, 6e3, 12)
    squares = np.zeros(len(times))
    count = 12
    for _ in range(count):
        system = planetary_system(
            1.0, [1e-3, 3e-4], [5.2, 9.5], [0.05, 0.05], [0.0, 0.02],
            true_anomaly=rng.uniform(0, 2 * np.pi, 2),
        )  # fmt: skip
        energy = energies(system, integrate_ias15(system, np.r_[0.0, times]))
        squares += (energy[1:] / energy[0] - 1).astype(float) ** 2
    rms = np.sqrt(squares / count)
    slope = np.polyfit(np.log(times), np.log(rms), 1)[0]
    assert slope < 0.65  # Brouwer: 1/2; a bias would give 1
    assert rms[-1] < 1e-14


def test_states_are_those_of_rebound():
    system = sun_jupiter_saturn().barycentric()
    run = integrate_ias15(system, [REBOUND["time"]])
    # two programs that round otherwise, 84 orbits of Jupiter on
    np.testing.assert_allclose(run.positions[-1], REBOUND["positions"], atol=1e-11)
    np.testing.assert_allclose(run.velocities[-1], REBOUND["velocities"], atol=1e-11)


def test_times_close_together_change_nothing_but_rounding():
    system = sun_jupiter_saturn()
    fine = integrate_ias15(system, np.linspace(0, 50, 1001))
    coarse = integrate_ias15(system, [0.0, 25.0, 50.0])
    np.testing.assert_allclose(fine.positions[::500], coarse.positions, atol=2e-13)


def test_back_again():
    system = sun_jupiter_saturn()
    there = integrate_ias15(system, [0.0, 500.0])
    end = System(system.masses, there.positions[-1], there.velocities[-1])
    back = integrate_ias15(end, [0.0, -500.0])
    np.testing.assert_allclose(back.positions[-1], there.positions[0], atol=2e-11)
    assert back.times[-1] == -500.0


def test_a_close_passage_is_followed():
    # planets on crossing orbits, until they have met: energy stays, which no fixed step does
    system = planetary_system(
        1.0, [1e-3, 1e-3], [1.0, 1.1], [0.05, 0.0], [0.0, 0.0], true_anomaly=[0.0, 0.4]
    )
    run = integrate_ias15(system, np.linspace(0, 100, 4001))
    nearest = np.linalg.norm(run.positions[:, 1] - run.positions[:, 2], axis=1).min()
    assert nearest < 0.03
    energy = energies(system, run)
    assert abs(energy / energy[0] - 1).max() < 1e-12


def test_a_uniform_field_moves_the_barycentre_as_galileo_says():
    @njit
    def field(masses, positions, velocities, gravity, parameters, accelerations):
        for i in range(len(masses)):
            for k in range(3):
                accelerations[i, k] += parameters[k]

    system = sun_jupiter_saturn().barycentric()
    g = np.array([1e-3, -2e-3, 5e-4])
    times = np.array([0.0, 3.0, 10.0])
    pulled = integrate_ias15(system, times, forces=[Force(field, tuple(g))])
    free = integrate_ias15(system, times)
    fall = 0.5 * g * times[:, None, None] ** 2
    np.testing.assert_allclose(pulled.positions, free.positions + fall, atol=1e-13)


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ([0.0, 2.0, 1.0], r"time 2 is 1 yr and out of order; expected times that go from 0"),
        ([1.0, -1.0], r"out of order"),
        ([[0.0]], r"the times have shape \(1, 1\); expected \(samples,\)"),
        ([0.0, np.nan], r"expected \(samples,\), finite numbers"),
    ],
)
def test_times_that_cannot_be(times, sentence):
    with pytest.raises(NBodyError, match=sentence):
        integrate_ias15(sun_jupiter_saturn(), times)


def test_a_tolerance_that_cannot_be():
    with pytest.raises(NBodyError, match="the tolerance is 0; expected between 0 and 1"):
        integrate_ias15(sun_jupiter_saturn(), [1.0], tolerance=0.0)


def test_a_collision_is_said():
    # with so slow a light the potential of relativity lets the planet fall into the star
    earth = System([1.0, 3e-6], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.2831, 0]])
    with pytest.raises(NBodyError, match=r"(shrunk to nothing|not a finite number) at 0\.\d+ yr"):
        integrate_ias15(earth, [0.0, 10.0], forces=[relativity_potential(10.0)])


def test_a_force_without_a_value_is_said():
    @njit
    def broken(masses, positions, velocities, gravity, parameters, accelerations):
        accelerations[1, 0] = np.nan

    with pytest.raises(NBodyError, match=r"a force is not a finite number at 0 yr"):
        integrate_ias15(sun_jupiter_saturn(), [1.0], forces=[Force(broken)])


def test_a_force_that_is_no_compiled_function():
    with pytest.raises(NBodyError, match="put @njit above it"):
        Force(lambda *arguments: None)
