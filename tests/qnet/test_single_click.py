"""Heralded pairs: formulas against attempts one by one and against photons in Fock space."""

import numpy as np
import pytest

from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.single_click import (
    Midpoint,
    attempts_until_success,
    double_click,
    simulate_double_click,
    simulate_single_click,
    single_click,
)

STATIONS = [Midpoint(0.6, 0.05, 0.7), Midpoint(0.05, 0.2, 0.9), Midpoint(0.9, 0.0, 0.0)]


@pytest.mark.parametrize("midpoint", STATIONS)
@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_state_insertion_agrees_with_attempts(midpoint, alpha):
    pair = single_click(midpoint, alpha)
    n = 200_000
    found = simulate_single_click(midpoint, alpha, attempts=n, rng=np.random.default_rng(1))
    compare(pair, found, n)


@pytest.mark.parametrize("midpoint", STATIONS)
def test_double_click_agrees_with_attempts(midpoint):
    n = 200_000
    found = simulate_double_click(midpoint, attempts=n, rng=np.random.default_rng(2))
    compare(double_click(midpoint), found, n)


def compare(pair, found, n):
    for spins, p in enumerate(pair.probabilities):
        for detector in (1, -1):
            share = ((found.spins == spins) & (found.detector == detector)).mean()
            assert abs(share - p / 2) <= 4 * np.sqrt(p / 2 / n)
    waits = found.waits()
    drawn = attempts_until_success(pair, size=len(waits), rng=np.random.default_rng(3))
    error = np.sqrt((waits.var() + drawn.var()) / len(waits))
    assert abs(waits.mean() - drawn.mean()) < 4 * error
    assert abs(waits.mean() - 1 / pair.p_success) < 4 * waits.std() / np.sqrt(len(waits))


def photons(midpoint, alpha, detector):
    """Unnormalised state of the spins by linear optics, without dark counts.

    A photon from the left has the internal state |0>, one from the right
    sqrt(V) |0> + sqrt(1 - V) |1>; each survives with p; detectors do not tell internal states.
    """
    p, v = midpoint.p_detection, midpoint.visibility
    right = np.array([np.sqrt(v), np.sqrt(1 - v)])
    rho = np.zeros((4, 4))
    amplitude = np.sqrt([alpha, 1 - alpha])  # |0> is bright
    # one photon at this detector, none lost: amplitude vectors over (spins, internal state)
    one = np.zeros((4, 2))
    one[1, 0] = amplitude[0] * amplitude[1] * np.sqrt(p / 2)
    one[2] = detector * amplitude[1] * amplitude[0] * np.sqrt(p / 2) * right
    rho += one @ one.T
    # both emitted, one lost: which side is known to the environment
    rho[0, 0] += alpha**2 * 2 * p * (1 - p) / 2
    # both arrive at this detector: symmetric part of the internal state of two photons
    two = np.outer([1.0, 0.0], right)
    bunched = (two + two.T) / 2 / np.sqrt(2)  # amplitude 1/2 each, sqrt(2) for equal photons
    rho[0, 0] += alpha**2 * p**2 * (bunched**2).sum()
    return rho


@pytest.mark.parametrize("detector", [1, -1])
@pytest.mark.parametrize("visibility", [0.0, 0.6, 1.0])
def test_formula_is_linear_optics_without_dark_counts(detector, visibility):
    midpoint = Midpoint(0.3, 0.0, visibility)
    pair = single_click(midpoint, 0.2)
    rho = photons(midpoint, 0.2, detector)
    np.testing.assert_allclose(pair.density(detector) * pair.p_success / 2, rho, atol=1e-15)


def test_dark_counts_carry_coherence_in_the_model_of_the_paper():
    midpoint = Midpoint(0.1, 0.3, 1.0)
    pair = single_click(midpoint, 0.5)
    assert pair.coherence == pair.probabilities[1]
    found = simulate_single_click(midpoint, 0.5, attempts=200_000, rng=np.random.default_rng(4))
    one_up = ((found.spins == 1) & (found.detector != 0)).sum()
    with_photon = ((found.spins == 1) & found.coherent).sum()
    # what physics would leave: p (1 - p_dark) of all that p_ud counts
    share = 0.1 * 0.7 / midpoint.click(1)
    assert abs(with_photon / one_up - share) < 4 * np.sqrt(share * (1 - share) / one_up)


def test_ideal_limits():
    assert single_click(Midpoint(1e-6), 0.1).density(1)[0, 0] == pytest.approx(0.1, abs=1e-6)
    pair = double_click(Midpoint(0.3, visibility=0.9))
    rho = pair.density(1)
    assert rho[1, 1] + rho[1, 2] == pytest.approx(0.95, abs=1e-12)
    assert pair.p_success == pytest.approx(0.3**2 / 2, abs=1e-15)


@pytest.mark.parametrize("midpoint", STATIONS)
@pytest.mark.parametrize("make", [double_click, lambda station: single_click(station, 0.3)])
def test_states_are_states(midpoint, make):
    for detector in (1, -1):
        rho = make(midpoint).density(detector)
        assert np.trace(rho) == pytest.approx(1)
        assert np.linalg.eigvalsh(rho).min() > -1e-12


def test_dephasing_scales_the_coherence():
    pair = single_click(Midpoint(0.1), 0.1)
    assert pair.dephased(0.25).coherence == pytest.approx(pair.coherence / 2)
    assert pair.dephased(0.5).coherence == 0


def test_bad_input():
    with pytest.raises(QnetError, match=r"p_dark is 2; give a number from 0 to 1"):
        Midpoint(0.1, 2)
    with pytest.raises(QnetError, match=r"bright_state is -0\.1"):
        single_click(Midpoint(0.1), -0.1)
    with pytest.raises(QnetError, match="no attempt can succeed"):
        attempts_until_success(double_click(Midpoint(0.0)), size=1, rng=np.random.default_rng(0))
    with pytest.raises(QnetError, match="the detector is 2; give 1 or -1"):
        single_click(Midpoint(0.1), 0.1).density(2)
