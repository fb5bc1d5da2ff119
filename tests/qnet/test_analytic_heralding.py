"""Heralded pairs, keys and fibres: the paper's numbers, limits, and clicks one by one."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from restudy.qnet.analytic.fibre import plob_bound, transmission
from restudy.qnet.analytic.heralding import Heralded, double_click, phase_error, single_click
from restudy.qnet.analytic.keys import (
    bb84_fraction,
    bb84_rate,
    bb84_threshold,
    binary_entropy,
    werner_error_rate,
)
from restudy.qnet.analytic.werner import fidelity_of
from restudy.qnet.errors import QnetError


def nv_link(length_km: float, *, bright: float = 0.1, k: float = 1.0) -> tuple[float, float]:
    """Return fidelity and rate, Hz, of the paper's NV link with hardware improved k times."""
    pair = single_click(
        bright=bright,
        detection=0.0046 ** (1 / k) * transmission(length_km / 2),
        visibility=0.9 ** (1 / k),
        dark=1 - (1 - 2.5e-8) ** (1 / k),
        double_excitation=2 * (1 - (1 - 0.03) ** (1 / k)),
        phase_sigma=_sigma(phase_error(0.35), k),
    )
    return pair.fidelity, pair.success / (3.8e-6 + length_km / (299_792.458 / 1.44))


def _sigma(error: float, k: float) -> float:
    """Return the phase's standard deviation for an improved error probability, by bisection."""
    wanted = 1 - (1 - error) ** (1 / k)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if phase_error(middle) < wanted else (low, middle)
    return low


@pytest.mark.parametrize(
    ("length_km", "k", "fidelity"),
    [
        (0.002, 1, 0.803),
        (250, 1, 0.792),
        (500, 1, 0.26),
        (500, 10, 0.886),
        (750, 10, 0.480),
        (800, 10, 0.313),
    ],
)
def test_fidelity_of_the_papers_link(length_km: float, k: float, fidelity: float) -> None:
    assert nv_link(length_km, k=k)[0] == pytest.approx(fidelity, abs=2.5e-3)


@pytest.mark.parametrize(
    ("length_km", "k", "hertz"),
    [
        (0.002, 1, 241),
        (20, 1, 5.81),
        (100, 1, 0.190),
        (500, 1, 2.46e-5),
        (1000, 1, 1.04e-5),
        (1000, 10, 1.04e-6),
    ],
)
def test_rate_of_the_papers_link(length_km: float, k: float, hertz: float) -> None:
    assert nv_link(length_km, k=k)[1] == pytest.approx(hertz, rel=6e-3)


@pytest.mark.parametrize(
    ("bright", "fidelity", "hertz"),
    [(0.02, 0.8745, 20.9), (0.05, 0.848, 52), (0.1, 0.803, 104), (0.2, 0.714, 209),
     (0.5, 0.447, 522)],
)  # fmt: skip
def test_trade_of_fidelity_for_rate(bright: float, fidelity: float, hertz: float) -> None:
    found = nv_link(1.0, bright=bright)
    assert found[0] == pytest.approx(fidelity, abs=6e-4)
    assert found[1] == pytest.approx(hertz, rel=6e-3)


def test_repeaters_start_to_win_at_750_km() -> None:
    lengths = np.arange(700, 800)
    below = [nv_link(length, k=10)[0] < 0.5 for length in lengths]
    assert abs(lengths[below.index(True)] - 745) <= 5


def test_single_click_counts_the_clicks() -> None:
    a, p, V, d = 0.4, 0.3, 0.6, 0.05
    rng = np.random.default_rng(4)
    n = 400_000
    left, right = rng.random(n) < a, rng.random(n) < a  # bright spins
    photon = [spin & (rng.random(n) < p) for spin in (left, right)]
    side = rng.integers(2, size=(2, n))  # detector of each photon
    bunched = rng.random(n) < V  # alike photons leave together
    side[1] = np.where(bunched & photon[0] & photon[1], side[0], side[1])
    clicks = []
    for detector in range(2):
        arrived = [photon[i] & (side[i] == detector) for i in range(2)]
        clicks.append(arrived[0] | arrived[1] | (rng.random(n) < d))
    success = clicks[0] ^ clicks[1]
    pair = single_click(bright=a, detection=p, visibility=V, dark=d)
    populations = pair.success * np.diag(pair.density)  # uu, ud, du, dd
    for index, (u, v) in enumerate([(True, True), (True, False), (False, True), (False, False)]):
        hit = success & (left == u) & (right == v)
        assert abs(hit.mean() - populations[index]) < 4 * hit.std() / math.sqrt(n)


def test_single_click_has_its_ideal_limit() -> None:
    pair = single_click(bright=0.3, detection=1e-10)
    ideal = np.zeros((4, 4))
    ideal[1:3, 1:3] = 0.35
    ideal[0, 0] = 0.3
    np.testing.assert_allclose(pair.density, ideal, atol=1e-9)
    assert pair.success == pytest.approx(2 * 0.3 * 1e-10, rel=1e-9)


def test_noise_of_the_single_click_state_is_dephasing_of_its_qubits() -> None:
    clean = single_click(bright=0.2, detection=0.1, visibility=0.8, dark=1e-3)
    noisy = single_click(bright=0.2, detection=0.1, visibility=0.8, dark=1e-3,
                         double_excitation=0.06, phase_sigma=0.35)  # fmt: skip
    rho = clean.density
    for z, p in [(np.diag([1, 1, -1, -1]), 0.03), (np.diag([1, -1, 1, -1]), 0.03),
                 (np.diag([1, 1, -1, -1]), phase_error(0.35))]:  # fmt: skip
        rho = (1 - p) * rho + p * z @ rho @ z
    np.testing.assert_allclose(noisy.density, rho, atol=1e-15)
    for pair in (clean, noisy):
        assert np.trace(pair.density) == pytest.approx(1, abs=1e-15)
        assert np.linalg.eigvalsh(pair.density).min() >= -1e-15


def test_phase_error_is_the_mean_of_a_random_phase() -> None:
    assert phase_error(0.35) == pytest.approx(0.0317, abs=5e-5)
    phase = np.random.default_rng(6).vonmises(0, 0.5**-2, 200_000)
    flipped = (1 - np.cos(phase)) / 2
    assert abs(flipped.mean() - phase_error(0.5)) < 4 * flipped.std() / math.sqrt(len(phase))
    assert phase_error(1e-7) == pytest.approx(1e-14 / 4, rel=1e-9)
    assert phase_error(0.01 * (1 - 1e-12)) == pytest.approx(phase_error(0.01), rel=1e-10, abs=0)
    assert phase_error(0.0) == 0.0


def test_double_click_is_two_single_clicks() -> None:
    p, V = 0.2, 0.7
    half = single_click(bright=0.5, detection=p, visibility=V)
    weights = half.success * half.density
    again = weights[1, 1] / 0.25  # the spins are turned round: a click with one bright spin
    pair = double_click(detection=p, visibility=V)
    assert pair.success == pytest.approx(2 * weights[1, 1] * again, rel=1e-12)
    coherence = (weights[1, 2] / weights[1, 1]) ** 2  # sqrt(V) from each click
    assert pair.fidelity == pytest.approx((1 + coherence) / 2, rel=1e-12)
    assert pair.fidelity == pytest.approx(0.85)
    assert isinstance(pair, Heralded)


def test_bb84_threshold_in_three_units() -> None:
    Q = bb84_threshold()
    assert pytest.approx(0.110028, abs=5e-7) == Q
    w = 1 - 2 * Q
    assert (w, fidelity_of(w)) == pytest.approx((0.779944, 0.834958), abs=5e-7)
    assert werner_error_rate(w) == pytest.approx(Q, rel=1e-12)
    assert bb84_fraction(Q - 1e-4, Q - 1e-4) > 0 == bb84_fraction(Q + 1e-4, Q + 1e-4)


def test_entropy_and_key_rate() -> None:
    x = np.linspace(0.01, 0.99, 50)
    slow = -x * np.log2(x) - (1 - x) * np.log2(1 - x)
    assert [binary_entropy(float(value)) for value in x] == pytest.approx(slow, rel=1e-12)
    assert bb84_rate(20.0, 0.05, 0.02) == pytest.approx(
        0.5 / 20 * (1 - binary_entropy(0.05) - binary_entropy(0.02)), rel=1e-12
    )
    assert bb84_rate(20.0, 0.3, 0.02) == 0.0


def test_fibre() -> None:
    assert transmission(100.0, 0.15) == pytest.approx(10**-1.5, rel=1e-12)
    assert transmission(30) * transmission(20) == pytest.approx(transmission(50), rel=1e-12)
    assert plob_bound(1e-12) == pytest.approx(1e-12 / math.log(2), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: single_click(bright=0.1, detection=0), "detection 0 and dark 0 never succeeds"),
        (lambda: single_click(bright=2, detection=0), "bright is 2; give a number from 0 to 1"),
        (lambda: single_click(bright=0, detection=0, phase_sigma=-1), "never succeeds"),
        (lambda: phase_error(-1), "sigma is -1; give a finite number of at least 0"),
        (lambda: double_click(detection=0), "detection is 0 and an attempt never succeeds"),
        (lambda: binary_entropy(1.1), r"x is 1\.1; give a number from 0 to 1"),
        (lambda: bb84_rate(0.5, 0, 0), r"attempts is 0\.5; give a finite number of at least 1"),
        (lambda: transmission(-1), "length_km is -1; give a finite number of at least 0"),
        (lambda: plob_bound(1), "transmissivity is 1 and the bound infinite"),
    ],
)
def test_bad_numbers_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()
