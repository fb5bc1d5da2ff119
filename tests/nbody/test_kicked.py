"""The map with any kick, its frame, and the published runs of Sun, Jupiter and Saturn."""

import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import equal_binary, sun_jupiter_saturn, trappist_1
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import exact_kick
from restudy.nbody.learned.comparison import deviation
from restudy.nbody.learned.kicked import (
    FloatArray,
    JacobiFrame,
    TrueKick,
    ZeroKick,
    frame_of,
    integrate_kicked,
)
from restudy.nbody.learned.published import as_published, notebook_energy, published_energy
from restudy.nbody.system import System
from restudy.nbody.wisdom_holman import integrate


def jacobi_by_words(masses: FloatArray, places: FloatArray) -> FloatArray:
    """Each planet's place relative to the barycentre of all bodies inside it."""
    return np.array(
        [places[i] - masses[:i] @ places[:i] / masses[:i].sum() for i in range(1, len(masses))]
    )


def interaction_energy(frame: JacobiFrame, q: FloatArray) -> float:
    """Of Wisdom & Holman (1991), equation by equation."""
    m, g, r = frame.masses, frame.gravity, frame.places @ q
    total = 0.0
    for i in range(2, len(m)):
        total += g * m[0] * m[i] / np.linalg.norm(q[i - 1])
        total -= g * m[0] * m[i] / np.linalg.norm(r[i] - r[0])
    for i in range(1, len(m)):
        for j in range(i + 1, len(m)):
            total -= g * m[i] * m[j] / np.linalg.norm(r[i] - r[j])
    return total


def test_jacobi_coordinates_and_back() -> None:
    system = trappist_1()
    frame = frame_of(system)
    q = frame.jacobi(system.positions)
    expected = jacobi_by_words(system.masses, system.positions)
    np.testing.assert_allclose(q, expected, rtol=1e-12, atol=1e-18)  # some are 0 but for rounding
    np.testing.assert_allclose(frame.places @ q, system.barycentric().positions, atol=1e-15)


def test_a_run_begins_with_the_system_at_rest() -> None:
    system = sun_jupiter_saturn()
    start = integrate_kicked(system, 1e-9, 1, ZeroKick()).barycentric()
    at_rest = system.barycentric()
    np.testing.assert_allclose(start.positions[0], at_rest.positions, atol=1e-14)
    np.testing.assert_allclose(start.velocities[0], at_rest.velocities, atol=1e-15)


@pytest.mark.parametrize("system", [sun_jupiter_saturn(), trappist_1()], ids=["three", "eight"])
def test_the_exact_kick_is_the_gradient_of_the_interaction(system: System) -> None:
    frame = frame_of(system)
    q = frame.jacobi(system.positions)
    found = TrueKick(frame)(q, q) * frame.reduced[:, None]
    h = 1e-5 * np.linalg.norm(q, axis=1)
    for i in range(len(q)):
        for k in range(3):
            ahead, behind = q.copy(), q.copy()
            ahead[i, k] += h[i]
            behind[i, k] -= h[i]
            slope = interaction_energy(frame, ahead) - interaction_energy(frame, behind)
            assert found[i, k] == pytest.approx(
                -slope / (2 * h[i]), rel=1e-4, abs=1e-5 * np.abs(found[i]).max()
            )


def test_the_true_kick_is_that_of_the_integrator_for_many_systems() -> None:
    system = trappist_1()
    frame = frame_of(system)
    q = frame.jacobi(system.positions)
    padded = torch.tensor(np.concatenate((np.zeros((1, 3)), q)))
    expected = exact_kick(torch.tensor(system.masses), padded)[1:].numpy()
    np.testing.assert_allclose(
        TrueKick(frame)(q, q), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max()
    )


def test_a_run_is_that_of_the_integrator_for_many_systems() -> None:
    system = sun_jupiter_saturn().barycentric()
    tensors = [torch.tensor(x) for x in (system.masses, system.positions, system.velocities)]
    expected = integrate(*tensors, 0.5, 200, sample_every=20)
    found = integrate_kicked(system, 0.5, 200, TrueKick(frame_of(system)), sample_every=20)
    assert np.abs(found.barycentric().positions - expected.positions).max() < 1e-11


def test_two_bodies_have_no_interaction() -> None:
    system = equal_binary(0.3)
    run = integrate_kicked(system, 0.1, 1000, TrueKick(frame_of(system)))
    assert deviation(run, run).energy_error < 1e-13
    same = integrate_kicked(system, 0.1, 1000, ZeroKick())
    assert np.array_equal(run.positions, same.positions)


def test_second_order() -> None:
    """Halving the step divides the energy error by four."""
    system = sun_jupiter_saturn()
    errors = []
    for finer in (1, 2, 4):
        run = integrate_kicked(
            system, 0.4 / finer, 500 * finer, TrueKick(frame_of(system)), sample_every=finer
        )
        errors.append(deviation(run, run).energy_error)
    assert np.diff(np.log2(errors)) == pytest.approx([-2, -2], abs=0.1)


def test_the_published_classical_run_to_the_last_printed_digit() -> None:
    """Two thousand steps of a year; six digits of numbers near 0.006 are 5e-9."""
    system = sun_jupiter_saturn()
    run = integrate_kicked(system, 1.0, 2000, TrueKick(frame_of(system)))
    own = deviation(run, run)
    found, printed = as_published(own, system), published_energy().classical
    assert np.abs(found - printed).max() < 5.1e-9
    assert np.ptp(found) == pytest.approx(1.996e-5, rel=1e-3)
    assert own.energy_peak_to_peak == pytest.approx(2.008e-5, rel=1e-3)


def test_the_published_network_is_no_kick_after_the_first() -> None:
    """The authors' code begins with an exact half step; then nothing more is needed.

    Two thousand printed energies are met within a thousandth of their range, and without that
    first half step by a third of it.
    """
    system = sun_jupiter_saturn()
    exact, printed = TrueKick(frame_of(system)), published_energy().network
    run = integrate_kicked(system, 1.0, 2000, ZeroKick(), first=exact)
    found = as_published(deviation(run, run), system)
    assert np.abs(found - printed).max() < 1.1e-3 * np.ptp(printed)
    assert np.corrcoef(found, printed)[0, 1] > 0.999999
    assert np.ptp(found) == pytest.approx(2.8616e-4, rel=2e-4)
    run = integrate_kicked(system, 1.0, 2000, ZeroKick())
    without = as_published(deviation(run, run), system)
    assert np.abs(without - printed).max() > 0.3 * np.ptp(printed)
    assert np.ptp(without) == pytest.approx(np.ptp(printed), rel=0.01)


def test_the_published_reference_energy_is_off() -> None:
    system = sun_jupiter_saturn()
    assert notebook_energy(system) / system.barycentric().energy() - 1 == pytest.approx(
        5.967e-3, rel=1e-3
    )


def test_no_kick_keeps_every_ellipse_and_leaves_the_phase() -> None:
    system = sun_jupiter_saturn()
    exact = integrate_kicked(system, 1.0, 2000, TrueKick(frame_of(system)))
    zero = deviation(integrate_kicked(system, 1.0, 2000, ZeroKick()), exact)
    assert zero.eccentricity_range.max() < 1e-12
    assert zero.angular_momentum_error < 1e-12
    assert abs(zero.energy_drift) < 0.1 * zero.energy_peak_to_peak
    assert zero.phase_error.min() > 0.1
    assert deviation(exact, exact).eccentricity_range.min() > 1e-3


def test_samples() -> None:
    system = sun_jupiter_saturn()
    kick = TrueKick(frame_of(system))
    every = integrate_kicked(system, 0.5, 20, kick)
    some = integrate_kicked(system, 0.5, 20, kick, sample_every=5)
    assert some.times.tolist() == [0.0, 2.5, 5.0, 7.5, 10.0]
    assert np.array_equal(some.positions, every.positions[::5])
    assert every.barycentric().positions.shape == (21, 3, 3)


@pytest.mark.parametrize("kind", ["exact", "zero", "first only"])
def test_compiled_runs_are_those_of_python(kind: str) -> None:
    """The same kicks behind a function that the compiled loop cannot know."""
    system = sun_jupiter_saturn()
    exact, zero = TrueKick(frame_of(system)), ZeroKick()
    kick, first = {"exact": (exact, exact), "zero": (zero, zero), "first only": (zero, exact)}[kind]
    found = integrate_kicked(system, 0.5, 200, kick, first=first, sample_every=20)
    slow = integrate_kicked(system, 0.5, 200, kick.__call__, first=first.__call__, sample_every=20)
    np.testing.assert_allclose(found.positions, slow.positions, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found.velocities, slow.velocities, rtol=1e-11, atol=1e-12)


def test_no_steps() -> None:
    with pytest.raises(NBodyError, match="0 steps, one in 1 kept; expected 1 or more of both"):
        integrate_kicked(sun_jupiter_saturn(), 0.5, 0, ZeroKick())


def test_a_kick_that_explodes() -> None:
    def wild(q: FloatArray, v: FloatArray, /) -> FloatArray:
        return np.full_like(q, np.inf)

    with pytest.raises(NBodyError, match="the kick at 0 yr is no number"):
        integrate_kicked(sun_jupiter_saturn(), 0.5, 3, wild)


def test_runs_with_other_times() -> None:
    system = sun_jupiter_saturn()
    one, other = (integrate_kicked(system, h, 10, ZeroKick()) for h in (0.5, 0.4))
    with pytest.raises(NBodyError, match="sample 10 is of 5"):
        deviation(one, other)
