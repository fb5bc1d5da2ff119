"""The switch: closed forms against the Markov chain's own equations and against arrivals."""

import itertools
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from restudy.qnet.analytic.switch import (
    buffered_capacity,
    homogeneous_capacity,
    is_stable,
    link_rate_hz,
    two_leaf_capacity,
    two_leaf_fidelity,
)
from restudy.qnet.errors import QnetError


def simulated(
    rates: list[float], buffer: int, joined: int, arrivals: int, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return capacities of 100 stretches of time, and the summed ages of pairs joined."""
    gamma, leaves = sum(rates), len(rates)
    gaps = rng.exponential(1 / gamma, arrivals)
    where = rng.choice(leaves, p=np.array(rates) / gamma, size=arrivals)
    stored: list[deque[float]] = [deque(maxlen=buffer) for _ in range(leaves)]
    times, ages = [], []
    for now, leaf in zip(np.cumsum(gaps).tolist(), where.tolist(), strict=True):
        stored[leaf].append(now)  # a full buffer drops its oldest
        if sum(map(bool, stored)) < joined:
            continue
        ready = sorted((pairs for pairs in stored if pairs), key=lambda pairs: pairs[0])
        born = [pairs.popleft() for pairs in ready[:joined]]
        times.append(now)
        ages.append(joined * now - sum(born))
    edges = np.linspace(0, gaps.sum(), 101)
    return np.histogram(times, edges)[0] / edges[1], np.array(ages)


def solved(rates: list[float], buffer: int, erasure: float) -> float:
    """Return the capacity from the stationary state of the chain's rate matrix."""
    k, gamma = len(rates), sum(rates)
    G = np.zeros((1 + k * buffer, 1 + k * buffer))
    used = np.zeros(len(G))
    for leaf, mu in enumerate(rates):
        states = [0, *range(1 + leaf * buffer, 1 + (leaf + 1) * buffer)]
        for j, (few, more) in enumerate(itertools.pairwise(states), start=1):
            G[few, more] += mu
            G[more, few] += gamma - mu + j * erasure
            used[more] = gamma - mu
    G -= np.diag(G.sum(axis=1))
    system = np.vstack([G.T, np.ones(len(G))])
    pi = np.linalg.lstsq(system, np.append(np.zeros(len(G)), 1.0), rcond=None)[0]
    return float(used @ pi)


@pytest.mark.parametrize("rates", [[1.9] * 9, [15, 1.9, 1.9, 1.9], [1.0, 2.0]])
@pytest.mark.parametrize(("buffer", "erasure"), [(1, 0.0), (4, 0.0), (3, 0.7)])
def test_capacity_is_that_of_the_rate_matrix(
    rates: list[float], buffer: int, erasure: float
) -> None:
    found = buffered_capacity(rates, buffer, erasure=erasure, success=0.8)
    assert found == pytest.approx(0.8 * solved(rates, buffer, erasure), rel=1e-9)


@pytest.mark.parametrize(
    ("rates", "numbers"),
    [
        ([1.9] * 9, {1: 8.0471, 5: 8.5499, 50: 8.5500}),
        ([15, 1.9, 1.9, 1.9], {1: 5.2608, 5: 5.6937, 50: 5.7000}),
    ],
)
def test_capacity_has_the_known_numbers(rates: list[float], numbers: dict[int, float]) -> None:
    found = [buffered_capacity(rates, buffer) for buffer in numbers]
    assert found == pytest.approx(list(numbers.values()), abs=5.1e-5)


@pytest.mark.parametrize("rates", [[1.9] * 9, [15, 1.9, 1.9, 1.9]])
@pytest.mark.parametrize("buffer", [1, 5])
def test_capacity_is_that_of_arrivals(rates: list[float], buffer: int) -> None:
    stretches, _ = simulated(rates, buffer, 2, 200_000, rng=np.random.default_rng(7))
    error = stretches.std() / 10
    assert abs(stretches.mean() - buffered_capacity(rates, buffer)) < 4 * error


@pytest.mark.parametrize("joined", [2, 3, 4, 5])
def test_homogeneous_capacity_is_that_of_arrivals(joined: int) -> None:
    stretches, _ = simulated([1.9] * 9, 10_000, joined, 100_000, rng=np.random.default_rng(8))
    expected = homogeneous_capacity(9, joined, 1.9)
    assert abs(stretches.mean() - expected) < 4 * stretches.std() / 10
    assert [8.55, 5.70, 4.275, 3.42][joined - 2] == pytest.approx(expected)


def test_large_buffers_make_the_stable_switch_use_everything() -> None:
    assert buffered_capacity([1.9] * 9, 200) == pytest.approx(homogeneous_capacity(9, 2, 1.9))
    assert buffered_capacity([15, 1.9, 1.9, 1.9], 200) == pytest.approx(3 * 1.9)  # the others' all


def test_stability() -> None:
    assert is_stable([1.9] * 9)
    assert is_stable([1.0, 1.0, 1.99])
    assert not is_stable([1.0, 1.0, 2.0])
    assert not is_stable([1.0, 1.0])


def test_fidelity_of_two_leaves_is_that_of_arrivals() -> None:
    stretches, ages = simulated([1.0, 1.0], 1, 2, 310_000, rng=np.random.default_rng(9))
    assert len(ages) >= 100_000
    assert abs(stretches.mean() - two_leaf_capacity(1.0)) < 4 * stretches.std() / 10
    for t2 in (0.1, 1.0, 10.0, 100.0):
        F = (1 + np.exp(-2 * ages / t2)) / 2  # both ends of a pair dephase
        assert abs(F.mean() - two_leaf_fidelity(1.0, t2)) < 4 * F.std() / np.sqrt(len(F))


def test_rate_of_a_link_is_that_of_the_papers_snippet() -> None:
    constant = 2 * 0.1 / 1e-9  # 2 c / tau
    expected = constant * 10 ** (-0.1 * 0.2 * 80 / 2)
    assert link_rate_hz(80 / 2, constant_hz=constant) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: homogeneous_capacity(3, 3, 1), "3 of 3 leaves are joined; give more leaves"),
        (lambda: homogeneous_capacity(3, 1, 1), "joined is 1; give a whole number of at least 2"),
        (lambda: buffered_capacity([1.0], 1), "the switch has 1 leaves; give the rates of at"),
        (lambda: buffered_capacity([1, -1], 1), r"rates\[1\] is -1; give a number above 0"),
        (lambda: buffered_capacity([1, 1], 0), "buffer is 0; give a whole number of at least 1"),
        (lambda: buffered_capacity([1, 1], 1, erasure=-1), "erasure is -1; give a finite"),
        (lambda: buffered_capacity([1e9, 1], 100), "fills a buffer of 100 beyond what a float"),
        (lambda: two_leaf_fidelity(1, 0), "t2 is 0; give a number above 0"),
        (lambda: link_rate_hz(1, constant_hz=0), "constant_hz is 0; give a number above 0"),
    ],
)
def test_bad_numbers_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()
