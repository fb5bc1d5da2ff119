"""Waiting times: the maximum of geometric numbers, and the chain that doubles."""

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from restudy.qnet.analytic.doubling import doubling_chain, three_halves_rule
from restudy.qnet.analytic.waiting import maximum_cdf, mean_of_maximum, mean_of_maximum_of_many
from restudy.qnet.errors import QnetError


def alternating(n: int, p: float) -> float:
    """Return the alternating sum in exact arithmetic: the slow, obvious version."""
    q = 1 - Fraction(p)
    return float(sum((-1) ** (j + 1) * comb(n, j) / (1 - q**j) for j in range(1, n + 1)))


@pytest.mark.parametrize(
    ("n", "p", "mean"),
    [
        (2, 0.1, 14.736842),
        (4, 0.1, 20.273378),
        (8, 0.1, 26.295784),
        (999, 0.1, 71.536771),
        (2, 0.5, 8 / 3),
        (16, 0.01, 336.879703),
    ],
)
def test_mean_of_maximum_has_the_known_numbers(n: int, p: float, mean: float) -> None:
    assert mean_of_maximum(n, p) == pytest.approx(mean, abs=5e-7)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 30])
@pytest.mark.parametrize("p", [1e-6, 0.0009, 0.0011, 0.1, 0.9, 0.999999, 1.0])
def test_mean_of_maximum_is_the_exact_alternating_sum(n: int, p: float) -> None:
    assert mean_of_maximum(n, p) == pytest.approx(alternating(n, p), rel=1e-12)


def test_mean_of_maximum_is_the_sum_of_the_distribution_beyond() -> None:
    t = np.arange(3000)
    beyond = 1 - maximum_cdf(t, links=7, success=0.03)
    assert mean_of_maximum(7, 0.03) == pytest.approx(beyond.sum(), rel=1e-12)


def test_mean_of_maximum_is_that_of_samples() -> None:
    k = np.random.default_rng(1).geometric(0.1, (100_000, 4)).max(axis=1)
    error = k.std() / np.sqrt(len(k))
    assert abs(k.mean() - mean_of_maximum(4, 0.1)) < 4 * error
    assert abs(k.mean() - mean_of_maximum(5, 0.1)) > 4 * error


def test_formula_for_many_links_comes_near() -> None:
    errors = [mean_of_maximum_of_many(n, 0.1) / mean_of_maximum(n, 0.1) - 1 for n in (9, 99, 999)]
    assert [abs(e) < 0.6 / n for e, n in zip(errors, (9, 99, 999), strict=True)] == [True] * 3
    assert mean_of_maximum_of_many(5, 1.0) == 1.0
    assert mean_of_maximum(2000, 1e-4) == pytest.approx(mean_of_maximum_of_many(2000, 1e-4), 1e-4)


def direct_level(u: np.ndarray, v: np.ndarray, s: float, keep: float) -> list[np.ndarray]:
    """Return a level from the one below by double loops and the renewal recursion."""
    steps = len(u)
    larger, swapped = np.zeros(steps), np.zeros(steps)
    for a in range(steps):
        for b in range(steps):
            larger[max(a, b)] += u[a] * u[b]
            swapped[max(a, b)] += v[a] * v[b] * keep ** abs(a - b)
    found = []
    for last in (larger, swapped):
        total = np.zeros(steps)
        for t in range(1, steps):
            total[t] = s * last[t] + (1 - s) * (larger[1:t] @ total[t - 1 : 0 : -1])
        found.append(total)
    return found


@pytest.mark.parametrize(("swap", "keep"), [(0.4, 0.97), (1.0, 0.9), (0.5, 1.0)])
def test_doubling_is_the_direct_recursion(swap: float, keep: float) -> None:
    chain = doubling_chain(0.3, swap, levels=2, steps=120, werner=0.9, keep=keep)
    for below, above in itertools.pairwise(chain):
        waiting, weighted = direct_level(below.waiting, below.weighted, swap, keep)
        np.testing.assert_allclose(above.waiting, waiting, atol=1e-12)
        np.testing.assert_allclose(above.weighted, weighted, atol=1e-12)


def test_doubling_has_the_known_means() -> None:
    chain = doubling_chain(0.1, 0.5, levels=3, steps=8000)
    known = [10.0, 29.4737, 84.8176, 242.3484]
    assert [level.mean_steps() for level in chain] == pytest.approx(known, abs=5e-5)
    rule = [three_halves_rule(0.1, 0.5, levels=level) for level in (1, 2, 3)]
    assert rule == pytest.approx([30, 90, 270])
    far = doubling_chain(0.01, 0.5, levels=2, steps=40_000)[2]
    assert far.mean_steps() == pytest.approx(864.8821, abs=5e-5)


@pytest.mark.parametrize(("p", "s"), [(0.1, 0.5), (0.02, 0.3), (0.6, 1.0)])
def test_first_doubling_is_the_maximum_of_two(p: float, s: float) -> None:
    level = doubling_chain(p, s, levels=1, steps=20_000)[1]
    assert level.mean_steps() == pytest.approx(mean_of_maximum(2, p) / s, rel=1e-9)


def sampled(
    level: int, runs: int, p: float, s: float, keep: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return times and Werner weights of a level, by doing what the protocol does."""
    if level == 0:
        return rng.geometric(p, runs).astype(float), np.ones(runs)
    time, weight = np.zeros(runs), np.empty(runs)
    todo = np.arange(runs)
    while len(todo):
        a, wa = sampled(level - 1, len(todo), p, s, keep, rng)
        b, wb = sampled(level - 1, len(todo), p, s, keep, rng)
        time[todo] += np.maximum(a, b)
        weight[todo] = wa * wb * keep ** abs(a - b)
        todo = todo[rng.random(len(todo)) > s]
    return time, weight


def test_doubling_is_what_the_protocol_does() -> None:
    time, weight = sampled(2, 100_000, 0.1, 0.5, 0.99, np.random.default_rng(2))
    level = doubling_chain(0.1, 0.5, levels=2, steps=4000, keep=0.99)[2]
    n = np.sqrt(len(time))
    assert abs(time.mean() - level.mean_steps()) < 4 * time.std() / n
    assert abs(weight.mean() - level.mean_werner()) < 4 * weight.std() / n
    assert level.mean_werner() == pytest.approx(0.7, abs=0.1)


def test_too_few_steps_are_refused() -> None:
    level = doubling_chain(0.1, 0.5, levels=3, steps=500)[3]
    with pytest.raises(QnetError, match="lies beyond 500 steps, more than 1e-09; keep more steps"):
        level.mean_steps()
    assert level.mean_steps(missing=1.0) < 242
    with pytest.raises(QnetError, match="lies beyond 500 steps"):
        level.mean_werner()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 0.1), "links is 0; give a whole number of at least 1"),
        ((2.0, 0.1), r"links is 2\.0; give a whole number"),
        ((True, 0.1), "links is True; give a whole number"),
        ((2, 0.0), r"success is 0\.0; give a number above 0"),
        ((2, 1.5), r"success is 1\.5; give a number from 0 to 1"),
        ((2, float("nan")), "success is nan; give a number from 0 to 1"),
        ((2, 10**400), r"success is 10+; give a number from 0 to 1"),
        ((2, "half"), "success is 'half'; give a number from 0 to 1"),
    ],
)
def test_bad_numbers_are_named(arguments: tuple[int, float], words: str) -> None:
    for function in (mean_of_maximum, mean_of_maximum_of_many):
        with pytest.raises(QnetError, match=words):
            function(*arguments)
