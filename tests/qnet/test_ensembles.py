"""Atomic ensembles: photons against explicit linear optics, limits in closed form, Figure 7."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from math import factorial, sqrt

import numpy as np
import pytest

from restudy.qnet import experiments_ensembles as experiments
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.ensemble_detection import (
    Detector,
    bell_measurement,
    clicks,
    measurement_x,
    measurement_z,
)
from restudy.qnet.hardware.ensemble_keys import key_rate_error, performance
from restudy.qnet.hardware.ensemble_memories import AFC, EIT, EnsembleMemory, exponential
from restudy.qnet.hardware.ensemble_repeater import EnsembleRepeater, attempt, link
from restudy.qnet.hardware.ensemble_sampling import sample
from restudy.qnet.hardware.ensemble_states import (
    PairSource,
    loss_kraus,
    seen_after_loss,
    side_basis,
    side_kraus,
)

BASIS = [tuple(state) for state in side_basis(2).tolist()]

# ------------------------------------------------- the slow way: every mode of light, one by one

State = dict[frozenset[tuple[str, int]], float]


def spread(state: State, mode: str, over: dict[str, float]) -> State:
    """Replace the creation operator of a mode by a sum of others."""
    result: State = {}
    for occupied, amplitude in state.items():
        photons = dict(occupied)
        n = photons.pop(mode, 0)
        terms = {frozenset(photons.items()): amplitude / sqrt(factorial(n))}
        for _ in range(n):
            more: State = {}
            for term, value in terms.items():
                for other, weight in over.items():
                    new = dict(term)
                    new[other] = new.get(other, 0) + 1
                    key = frozenset(new.items())
                    more[key] = more.get(key, 0.0) + value * weight * sqrt(new[other])
            terms = more
        for term, value in terms.items():
            result[term] = result.get(term, 0.0) + value
    return result


def lossy(state: State, mode: str, loss: float) -> State:
    return spread(state, mode, {mode + "'": sqrt(1 - loss), mode + " lost": sqrt(loss)})


def at_station(state: State, detector: Detector, visibility: float, loss: float) -> State:
    """Send sides a and b through losses onto a beam splitter and into lossy detectors."""
    v, w, h = sqrt(visibility / 2), sqrt((1 - visibility) / 2), sqrt(0.5)
    for when in "el":
        state = lossy(lossy(state, "a" + when, loss), "b" + when, loss)
        state = spread(state, f"a{when}'", {"c1" + when: h, "d1" + when: h})
        state = spread(
            state, f"b{when}'", {f"c1{when}": v, f"d1{when}": -v, f"c2{when}": w, f"d2{when}": w}
        )
        for arm in ("c1", "c2", "d1", "d2"):
            state = lossy(state, arm + when, 1 - detector.efficiency)
    return state


def herald_weights(photons: dict[str, int], dark: float) -> tuple[float, float]:
    """Give the probabilities of psi+ and psi- for photons that are all seen."""
    click = {
        arm: 1.0 if photons.get(f"{arm[0]}1{arm[1]}'", 0) + photons.get(f"{arm[0]}2{arm[1]}'", 0)
        else dark
        for arm in ("ce", "cl", "de", "dl")
    }  # fmt: skip
    first = {d: click[d + "e"] * (1 - click[o + "e"]) for d, o in ("cd", "dc")}
    second = {d: click[d + "l"] * (1 - click[o + "l"]) for d, o in ("cd", "dc")}
    return (
        first["c"] * second["c"] + first["d"] * second["d"],
        first["c"] * second["d"] + first["d"] * second["c"],
    )


def number(photons: dict[str, int], side: str) -> int:
    return BASIS.index((photons.get(side + "e", 0), photons.get(side + "l", 0)))


def occupied(**sides: tuple[int, int]) -> frozenset[tuple[str, int]]:
    photons = {
        side + when: n for side, state in sides.items() for when, n in zip("el", state, strict=True)
    }
    return frozenset((mode, n) for mode, n in photons.items() if n)


def slow_link(repeater: EnsembleRepeater) -> np.ndarray:
    p = repeater.source.probabilities
    state: State = {}
    for x, y in itertools.product(BASIS, BASIS):
        amplitude = sqrt(p[sum(x)] / (sum(x) + 1) * p[sum(y)] / (sum(y) + 1))
        state[occupied(E=x, a=x, b=y, M=y)] = amplitude
    state = at_station(state, repeater.detector, repeater.visibility, repeater.fibre_loss)
    branches: dict[frozenset[tuple[str, int]], np.ndarray] = {}
    for term, amplitude in state.items():
        photons = dict(term)
        rest = frozenset((mode, n) for mode, n in term if mode[0] not in "EM")
        vector = branches.setdefault(rest, np.zeros((6, 6)))
        vector[number(photons, "E"), number(photons, "M")] += amplitude
    result = np.zeros((2, 36, 36))
    for rest, vector in branches.items():
        for herald, weight in enumerate(herald_weights(dict(rest), repeater.detector.dark_counts)):
            result[herald] += weight * np.outer(vector, vector)
    return result.reshape(2, 6, 6, 6, 6)


NOISY = EnsembleRepeater(
    60.0, EIT, PairSource((0.3, 0.5, 0.2)), Detector(0.7, 0.02), visibility=0.8, coupling_loss=0.1
)


def test_link_equals_every_mode_of_light_one_by_one() -> None:
    np.testing.assert_allclose(link(NOISY).states, slow_link(NOISY), atol=1e-13)


def test_bell_measurement_after_loss_equals_every_mode_one_by_one() -> None:
    rng = np.random.default_rng(3)
    amplitudes = rng.normal(size=(6, 6))
    amplitudes /= np.linalg.norm(amplitudes)
    pairs = itertools.product(enumerate(BASIS), enumerate(BASIS))
    state: State = {occupied(a=x, b=y): amplitudes[i, j] for (i, x), (j, y) in pairs}
    found = np.zeros(2)
    for term, amplitude in at_station(state, Detector(0.7, 0.02), 0.8, 0.45).items():
        found += np.multiply(amplitude**2, herald_weights(dict(term), 0.02))
    fast = seen_after_loss(bell_measurement(Detector(0.7, 0.02), 0.8, 2), [0.45, 0.45], 2)
    vector = amplitudes.ravel()
    np.testing.assert_allclose(vector @ fast @ vector, found, atol=1e-13)


def test_attempt_equals_kraus_operators_on_both_links() -> None:
    one = link(NOISY)
    heralded = one.states / one.probabilities.sum()
    first, second = 0, 1  # psi+ and psi-
    rho = np.einsum("emfn,gohp->emgofnhp", heralded[first], heralded[second])
    kraus = side_kraus(NOISY.memory.loss(NOISY.storage_s), 2)
    half = sum(np.einsum("am,emgofnhp,cn->eagofchp", k, rho, k, optimize=True) for k in kraus)
    stored = sum(np.einsum("bo,eagofchp,dp->eagbfchd", k, half, k, optimize=True) for k in kraus)
    swap = bell_measurement(NOISY.detector, NOISY.visibility, 2).reshape(2, 6, 6, 6, 6)
    exact = attempt(NOISY)
    assert np.isclose(exact.link, 1 - (1 - one.probabilities.sum()) ** 1000)
    for end, outcomes in (
        (measurement_x(NOISY.detector, 2), exact.outcomes_x),
        (measurement_z(NOISY.detector, 2), exact.outcomes_z),
    ):
        slow = np.einsum("sxyab,ufe,vhg,eagbfxhy->suv", swap, end, end, stored, optimize=True)
        np.testing.assert_allclose(outcomes[first, second], slow, atol=1e-14)


# --------------------------------------------------------------------------- laws and limits


@pytest.mark.parametrize("loss", [0.0, 0.3, 1.0])
def test_loss_keeps_the_trace(loss: float) -> None:
    kraus = loss_kraus(loss, 3)
    np.testing.assert_allclose(sum(k.T @ k for k in kraus), np.eye(4), atol=1e-14)
    np.testing.assert_allclose(sum(k.T @ k for k in side_kraus(loss, 2)), np.eye(6), atol=1e-14)


def test_two_losses_are_one() -> None:
    povm = bell_measurement(Detector(0.7, 0.02), 0.8, 2)
    twice = seen_after_loss(seen_after_loss(povm, [0.2, 0.5], 2), [0.1, 0.4], 2)
    once = seen_after_loss(povm, [1 - 0.8 * 0.9, 1 - 0.5 * 0.6], 2)
    np.testing.assert_allclose(twice, once, atol=1e-13)


def test_efficiency_of_detectors_is_loss_before_them() -> None:
    lossy_way = seen_after_loss(bell_measurement(Detector(1.0, 0.02), 0.8, 2), [0.3, 0.3], 2)
    np.testing.assert_allclose(bell_measurement(Detector(0.7, 0.02), 0.8, 2), lossy_way, atol=1e-13)


def test_clicks_are_a_measurement() -> None:
    patterns = clicks(Detector(0.7, 0.02), 0.8, 2)
    np.testing.assert_allclose(patterns.sum(axis=(0, 1)), np.eye(9), atol=1e-13)
    assert np.linalg.eigvalsh(patterns).min() > -1e-13


def test_hong_ou_mandel_dip() -> None:
    both = clicks(Detector(1.0, 0.0), 0.9, 1)[1, 1]
    assert both[3, 3] == pytest.approx((1 - 0.9) / 2)  # one photon in each mode
    single = clicks(Detector(1.0, 0.0), 0.9, 1)[1, 0]
    assert single[1, 2] == pytest.approx(sqrt(0.9) / 2)  # coherence that one click keeps


def test_source_is_normalised() -> None:
    assert np.linalg.norm(PairSource().amplitudes()) == pytest.approx(1)


@pytest.mark.parametrize("visibility", [1.0, 0.9, 0.5])
def test_single_pairs_without_dark_counts_in_closed_form(visibility: float) -> None:
    repeater = EnsembleRepeater(
        40.0, EIT, PairSource((0.0, 1.0)), Detector(0.8, 0.0), visibility=visibility
    )
    found = attempt(repeater).performance()
    assert found.qber_z == pytest.approx(0, abs=1e-15)
    assert found.qber_x == pytest.approx((1 - visibility**3) / 2)  # three Bell measurements
    arrives = 10 ** (-0.15 * 10 / 10) * 0.8
    assert link(repeater).probabilities == pytest.approx([arrives**2 / 4] * 2)  # psi+, psi-
    stored = 1 - EIT.loss(20.0 / (299_792.458 / 1.44))
    heralds = 1 - (1 - arrives**2 / 2) ** 1000
    success = heralds**2 * (0.8 * stored) ** 2 / 2 * 0.8**2
    assert found.attempts == pytest.approx(1 / success)


def test_dark_counts_alone_make_random_bits() -> None:
    dark = EnsembleRepeater(10.0, AFC, PairSource((1.0, 0.0)), Detector(0.9, 0.01), visibility=1.0)
    found = attempt(dark).performance()
    assert (found.qber_x, found.qber_z) == pytest.approx((0.5, 0.5))
    assert found.key_rate == pytest.approx(0, abs=1e-15)


def test_modes_multiply_attempts() -> None:
    few = EnsembleMemory("few", 0.45, 1e-3, exponential, modes=3)
    one = EnsembleMemory("one", 0.45, 1e-3, exponential, modes=1)
    p = attempt(EnsembleRepeater(100.0, one)).link
    assert attempt(EnsembleRepeater(100.0, few)).link == pytest.approx(1 - (1 - p) ** 3)


def test_memories_at_their_lifetime() -> None:
    assert 1 - AFC.loss(1e-3) == pytest.approx(0.45 * np.exp(-1))
    assert 1 - EIT.loss(1e-4) == pytest.approx(0.90 * np.exp(-0.5))


# ----------------------------------------------------------------------------------- sampling


@pytest.mark.parametrize(("length", "memory"), [(10.0, EIT), (60.0, AFC), (70.0, EIT)])
def test_sampled_agrees_with_exact(length: float, memory: EnsembleMemory) -> None:
    repeater = EnsembleRepeater(length, memory)
    drawn = sample(repeater, 10_000, rng=np.random.default_rng(11))
    assert drawn.successes == 20_000
    exactly, found, error = (
        attempt(repeater).performance(), drawn.performance(), drawn.errors(),
    )  # fmt: skip
    for figure in experiments.FIGURES:
        difference = getattr(found, figure) - getattr(exactly, figure)
        assert abs(difference) < 4 * getattr(error, figure), figure


def test_standard_errors_are_those_of_repeated_samples() -> None:
    repeater = EnsembleRepeater(30.0, EIT)
    rng = np.random.default_rng(5)
    runs = [sample(repeater, 500, rng=rng) for _ in range(100)]
    for figure in experiments.FIGURES:
        spread_ = np.std([getattr(run.performance(), figure) for run in runs], ddof=1)
        error = np.mean([getattr(run.errors(), figure) for run in runs])
        assert spread_ == pytest.approx(error, rel=4 / sqrt(2 * 99)), figure


def test_error_of_the_key_rate_is_that_of_its_derivatives() -> None:
    at = performance(attempts=10.0, qber_x=0.1, qber_z=0.05)
    step = 1e-7
    slopes = [
        (performance(**{**args, name: args[name] + step}).key_rate - at.key_rate) / step * error
        for args in [{"attempts": 10.0, "qber_x": 0.1, "qber_z": 0.05}]
        for name, error in (("attempts", 0.5), ("qber_x", 0.01), ("qber_z", 0.02))
    ]
    found = key_rate_error(at, attempts=0.5, qber_x=0.01, qber_z=0.02)
    assert found == pytest.approx(np.linalg.norm(slopes), rel=1e-4)


# -------------------------------------------------------------------------------- experiments


def test_memories_cross_where_their_efficiencies_do() -> None:
    crossing = experiments.crossing_km()
    assert 45 < crossing < 55
    time = EnsembleRepeater(crossing, EIT).storage_s
    assert EIT.loss(time) == pytest.approx(AFC.loss(time), abs=1e-7)


def test_figure_is_the_same_with_an_executor() -> None:
    setup = experiments.Setup((20.0, 50.0), {"EIT": 200, "AFC": 200})
    with ThreadPoolExecutor(2) as pool:
        parallel = experiments.sampled(setup, seed=2, executor=pool)
    assert parallel.equals(experiments.sampled(setup, seed=2))
    assert len(parallel) == len(experiments.exact(setup)) == 16


def test_findings_of_the_quick_setup() -> None:
    setup = experiments.Setup((50, 75), {"EIT": 300, "AFC": 300})
    found = experiments.findings(experiments.exact(setup), experiments.sampled(setup, seed=1))
    assert found["memory-ideal"] < 1e-12
    assert found["memory-sampled"] < 4.5
    assert found["memory-long"] > 1


def test_wrong_arguments() -> None:
    with pytest.raises(QnetError, match=r"with the sum 1"):
        PairSource((0.5, 0.4))
    with pytest.raises(QnetError, match="lifetime_s of quick is 0"):
        EnsembleMemory("quick", 0.5, 0.0, exponential)
    with pytest.raises(QnetError, match=r"efficiency of the detector is 1\.5"):
        Detector(efficiency=1.5)
    with pytest.raises(QnetError, match=r"length_km is -1"):
        EnsembleRepeater(-1.0, EIT)
    nothing = EnsembleRepeater(10.0, EIT, PairSource((1.0, 0.0)), Detector(dark_counts=0.0))
    with pytest.raises(QnetError, match="gave 0 of 10 successes"):
        sample(nothing, 10, rng=np.random.default_rng(0), most_attempts=100_000)
    with pytest.raises(QnetError, match="no attempt can succeed"):
        attempt(nothing).performance()
    with pytest.raises(QnetError, match="do not cross"):
        experiments.crossing_km(EIT, EnsembleMemory("worse", 0.1, 1e-5, exponential))
    with pytest.raises(QnetError, match=r"give those of \['AFC'\]"):
        experiments.sampled(experiments.Setup((1.0,), {"EIT": 5}), seed=0)
