import itertools
from math import log

import numpy as np
import pytest

from restudy.nbody.catalogue import planetary_system, sun_jupiter_saturn
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.composition import (
    ABA_8_6_4,
    ABA_10_4,
    ABA_10_6_4,
    integrate_composition,
    saba,
    sbab,
)
from restudy.nbody.errors import CloseEncounter, NBodyError
from restudy.nbody.flow import Flow, Sequence, integrate_sequence
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.system import System

ALL = [*(saba(n) for n in range(1, 11)), *(sbab(n) for n in range(1, 11))]
ALL += [ABA_10_4, ABA_8_6_4, ABA_10_6_4]


def energy_error(system, run):
    energies = [
        System(system.masses, q, v, gravity=system.gravity).energy()
        for q, v in zip(run.positions, run.velocities, strict=True)
    ]
    return np.abs(np.array(energies) / energies[0] - 1).max()


def defect(composition, powers):
    """Return by how much ``int t1^p t2^q ... dt1 dt2 ...`` over t1 < t2 < ... is missed.

    The product of exponentials at times c with weights b is the sum over ordered kicks, where r
    kicks at one time come with 1/r!; the exact flow is the integral (of the perturbation seen from
    the moving orbit). Equal for all powers up to an order, both flows agree to it.
    """
    c, b = (np.array(x) for x in composition.nodes())
    state = np.zeros(len(powers) + 1)  # sums over the first k kicks in order
    state[0] = 1.0
    for time, weight in zip(c, b, strict=True):
        new = state.copy()
        for k in range(1, len(powers) + 1):
            term = 1.0
            for r in range(1, k + 1):
                term *= weight * time ** powers[k - r] / r
                new[k] += state[k - r] * term
        state = new
    exact, total = 1.0, 0
    for p in powers:
        total += p + 1
        exact /= total
    return state[-1] - exact


@pytest.mark.parametrize("composition", ALL, ids=lambda c: c.name)
def test_order_conditions(composition):
    # coefficients with 16 digits, some of them above 0.8 with opposite signs
    for epsilon, order in enumerate(composition.orders, start=1):
        for powers in itertools.product(range(order), repeat=epsilon):
            if sum(powers) + epsilon <= order:
                assert abs(defect(composition, powers)) < 3e-15, powers
    # the next even order is missed: orders are not understated
    order = composition.orders[0]
    assert abs(defect(composition, (order,))) > 1e-12


@pytest.mark.parametrize("composition", ALL, ids=lambda c: c.name)
def test_compositions_are_symmetric_and_complete(composition):
    sequence = composition.sequence
    assert sequence.flows == sequence.flows[::-1]
    np.testing.assert_allclose(sequence.parts, sequence.parts[::-1], atol=1e-16)
    for flow in (Flow.DRIFT, Flow.KICK):
        total = sum(p for f, p in zip(sequence.flows, sequence.parts, strict=True) if f is flow)
        assert total == pytest.approx(1, abs=1e-15)


def test_coefficients_of_laskar_and_robutel():
    root = np.sqrt(3 / 5) / 2
    np.testing.assert_allclose(
        saba(3).sequence.parts, [0.5 - root, 5 / 18, root, 4 / 9, root, 5 / 18, 0.5 - root],
        rtol=1e-15,
    )  # fmt: skip
    np.testing.assert_allclose(sbab(2).sequence.parts, [1 / 6, 0.5, 2 / 3, 0.5, 1 / 6], rtol=1e-15)


def test_the_first_of_both_families_is_wisdom_holman():
    system = sun_jupiter_saturn().barycentric()
    for composition, scheme in (
        (saba(1), Scheme.DRIFT_KICK_DRIFT),
        (sbab(1), Scheme.KICK_DRIFT_KICK),
    ):
        ours = integrate_composition(system, 0.2, 1000, composition, sample_every=100)
        other = integrate_compiled(system, 0.2, 1000, sample_every=100, scheme=scheme)
        np.testing.assert_allclose(ours.positions, other.positions, atol=1e-12)


@pytest.mark.parametrize(
    ("composition", "masses", "steps", "slope"),
    [
        (saba(1), 1e-4, (80, 160, 320), 2),
        # planets so light that the first power of their mass is all that is seen
        (saba(2), 1e-5, (20, 40), 4),
        (sbab(2), 1e-5, (20, 40), 4),
        # and so heavy that the last order is
        (saba(2), 3e-2, (80, 160, 320), 2),
        (ABA_10_4, 3e-2, (20, 28, 40), 4),
        (ABA_8_6_4, 3e-2, (30, 36, 45), 4),
        (ABA_10_6_4, 3e-2, (22, 28, 36), 4),
    ],
    ids=lambda x: getattr(x, "name", None),
)
@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
def test_orders_of_convergence(composition, masses, steps, slope):
    system = planetary_system(
        1.0, [masses, masses], [1.0, 2.2], [0.1, 0.1], [0.1, 0.0], true_anomaly=[0.3, 2.0]
    )
    time = 4.0
    truth = integrate_ias15(system, [0.0, time])
    errors = []
    for n in steps:
        run = integrate_composition(system, time / (4 * n), 4 * n, composition, sample_every=4 * n)
        lost = run.velocities[-1, 1:] - truth.velocities[-1, 1:]
        errors.append(np.abs(lost).max() / masses)
    measured = log(errors[0] / errors[-1]) / log(steps[-1] / steps[0])
    assert measured == pytest.approx(slope, abs=0.15 * slope), errors


def test_forth_and_back():
    system = sun_jupiter_saturn()
    there = integrate_composition(system, 0.5, 10_000, ABA_10_6_4, sample_every=10_000)
    end = System(system.masses, there.positions[-1], there.velocities[-1])
    back = integrate_composition(end, -0.5, 10_000, ABA_10_6_4, sample_every=10_000)
    np.testing.assert_allclose(back.positions[-1], there.positions[0], atol=1e-8)


def test_energy_of_sun_jupiter_and_saturn_stays_at_round_off_with_half_a_year():
    system = sun_jupiter_saturn()
    run = integrate_composition(system, 0.5, 20_000, ABA_10_6_4, sample_every=100)
    assert energy_error(system, run) < 1e-12


def test_samples_change_no_bit():
    system = sun_jupiter_saturn()
    often = integrate_composition(system, 0.3, 60, ABA_8_6_4, sample_every=1)
    seldom = integrate_composition(system, 0.3, 60, ABA_8_6_4, sample_every=60)
    assert (often.positions[-1] == seldom.positions[-1]).all()


def test_an_encounter_stops_the_run():
    system = planetary_system(
        1.0, [1e-3, 1e-3], [1.0, 1.1], [0.05, 0.0], [0.0, 0.0], true_anomaly=[0.0, 0.4]
    )
    with pytest.raises(CloseEncounter, match="body 1 and body 2"):
        integrate_composition(system, 0.01, 10_000, saba(2), sample_every=100)


def test_what_cannot_be():
    with pytest.raises(NBodyError, match="a composition of 11 stages was asked for"):
        saba(11)
    with pytest.raises(NBodyError, match="a composition of 0 stages"):
        sbab(0)
    with pytest.raises(NBodyError, match="begins and ends with different flows"):
        integrate_sequence(
            sun_jupiter_saturn(), 0.1, 1, Sequence((Flow.DRIFT, Flow.KICK), (1.0, 1.0))
        )
    with pytest.raises(NBodyError, match="1 flows and 2 parts"):
        Sequence((Flow.DRIFT,), (0.5, 0.5))
