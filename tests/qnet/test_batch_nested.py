"""Nested chains with distillation: exact recursion, double loops, and runs beside each other."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet.analytic import bell
from restudy.qnet.analytic.distillation import bbpssw, dejmps, recurrence
from restudy.qnet.analytic.doubling import doubling_chain
from restudy.qnet.analytic.nested import (
    Bbpssw,
    Dejmps,
    Nested,
    NestedLevel,
    Operation,
    Swap,
    nested_levels,
)
from restudy.qnet.analytic.noise import dephasing_probability, depolarising_probability
from restudy.qnet.analytic.waiting import mean_of_maximum
from restudy.qnet.batch.nested import samples, simulate
from restudy.qnet.errors import QnetError
from restudy.qnet.sweeps import Sampling, measure

FRESH = (0.88, 0.05, 0.03, 0.04)
parts = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda w: np.array(w) / sum(w))


def conditional(operation: Operation, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights and success by the functions of two single pairs."""
    if isinstance(operation, Swap):
        return bell.swapped(a, b), operation.success
    if isinstance(operation, Dejmps):
        return dejmps(a, b)
    fidelity, success = bbpssw(a[0], b[0])
    return bell.werner_weights(fidelity), success


@settings(max_examples=25, deadline=None)
@given(parts, parts)
def test_operations_are_those_of_single_pairs(a: np.ndarray, b: np.ndarray) -> None:
    for operation in (Swap(0.3), Dejmps(), Bbpssw()):
        weights, success = conditional(operation, a, b)
        found = operation.joined(2 * a[:, None], 3 * b[:, None])[:, 0]  # linear in both
        np.testing.assert_allclose(found, 6 * success * weights, atol=1e-12)


def direct(level: NestedLevel, operation: Operation, chain: Nested) -> np.ndarray:
    """Return the level above by double loops over the times of the two pairs."""
    w = level.weighted
    steps = w.shape[1]
    good, failed = np.zeros((4, steps)), np.zeros(steps)
    for s in range(1, steps):
        for t in range(1, steps):
            ready = []
            for at in (s, t):
                pair = w[:, at] / w[:, at].sum()
                for _ in range(2):  # both ends wait
                    waited = max(s, t) - at
                    pair = bell.depolarised(pair, depolarising_probability(waited, chain.depolar))
                    pair = bell.dephased(pair, dephasing_probability(waited, chain.dephase))
                ready.append(pair)
            weights, success = conditional(operation, *ready)
            chance = w[:, s].sum() * w[:, t].sum()
            good[:, max(s, t)] += chance * success * weights
            failed[max(s, t)] += chance * (1 - success)
    total = np.zeros((4, steps))
    for t in range(1, steps):
        total[:, t] = good[:, t] + total[:, t - 1 : 0 : -1] @ failed[1:t]
    return total


@pytest.mark.parametrize("operation", [Swap(0.4), Swap(), Dejmps(), Bbpssw()])
def test_a_level_is_the_double_loop_over_times(operation: Operation) -> None:
    chain = Nested(0.4, (operation,), FRESH, depolar=0.02, dephase=0.03)
    below, above = nested_levels(chain, steps=20)
    np.testing.assert_allclose(above.weighted, direct(below, operation, chain), atol=1e-12)


def test_two_levels_are_double_loops_over_times() -> None:
    chain = Nested(0.5, (Dejmps(), Swap(0.7)), FRESH, depolar=0.01, dephase=0.04)
    levels = nested_levels(chain, steps=18)
    slow = levels[0]
    for operation in chain.operations:
        slow = NestedLevel(direct(slow, operation, chain))
    np.testing.assert_allclose(levels[2].weighted, slow.weighted, atol=1e-12)


def test_swaps_alone_are_the_doubling_chain() -> None:
    fresh = tuple(bell.werner_weights((3 * 0.95 + 1) / 4))
    chain = Nested(0.1, (Swap(0.5),) * 3, fresh, depolar=0.003)
    known = doubling_chain(0.1, 0.5, levels=3, steps=8000, werner=0.95, keep=np.exp(-0.006))
    for level, other in zip(nested_levels(chain, steps=8000), known, strict=True):
        np.testing.assert_allclose(level.weighted.sum(axis=0), other.waiting, atol=1e-12)
        werner = bell.WALSH[1] @ level.weighted
        np.testing.assert_allclose(werner, other.weighted, atol=1e-12)
        assert level.mean_steps() == pytest.approx(other.mean_steps(), rel=1e-9)


def test_distillation_without_noise_is_the_recurrence() -> None:
    fresh = bell.werner_weights(0.8)
    levels = nested_levels(Nested(0.2, (Dejmps(),) * 2, tuple(fresh)), steps=3000)
    for rounds, level in enumerate(levels):
        np.testing.assert_allclose(level.mean_weights(), recurrence(fresh, rounds)[0], atol=1e-9)
    expected = mean_of_maximum(2, 0.2) / dejmps(fresh, fresh)[1]
    assert levels[1].mean_steps() == pytest.approx(expected, rel=1e-9)
    first, second = nested_levels(Nested(1.0, (Bbpssw(),), tuple(fresh)), steps=100)
    assert first.mean_steps() == 1.0
    assert second.mean_weights()[0] == pytest.approx(bbpssw(0.8, 0.8)[0], rel=1e-9)


@pytest.mark.parametrize(
    "operations",
    [(Dejmps(), Swap(0.8), Dejmps()), (Swap(0.6), Bbpssw()), (Swap(), Swap(0.5), Dejmps())],
)
def test_runs_have_the_exact_means(operations: tuple[Operation, ...]) -> None:
    chain = Nested(0.2, operations, FRESH, depolar=0.001, dephase=0.002)
    exact = nested_levels(chain, steps=6000)[-1]
    pairs = simulate(chain, 100_000, rng=np.random.default_rng(11))
    for found, expected in [
        (pairs.steps, exact.mean_steps()),
        *zip(pairs.weights.T, exact.mean_weights(), strict=True),
    ]:
        assert abs(found.mean() - expected) < 4 * found.std() / np.sqrt(len(found))
    np.testing.assert_allclose(pairs.weights.sum(axis=1), 1.0, atol=1e-12)


def test_time_and_fidelity_go_together_as_in_the_exact_distribution() -> None:
    chain = Nested(0.3, (Swap(0.5), Dejmps()), FRESH, dephase=0.01)
    exact = nested_levels(chain, steps=4000)[-1].weighted
    pairs = simulate(chain, 100_000, rng=np.random.default_rng(12))
    for least, most in [(1, 10), (10, 25), (25, 60)]:
        inside = (pairs.steps >= least) & (pairs.steps < most)
        expected = exact[:, least:most].sum(axis=1)
        assert abs(inside.mean() - expected.sum()) < 4 * inside.std() / np.sqrt(len(inside))
        F = pairs.weights[inside, 0]
        wanted = expected[0] / expected.sum()
        assert abs(F.mean() - wanted) < 4 * F.std() / np.sqrt(len(F))


def test_a_nested_chain_can_be_swept() -> None:
    chain = Nested(0.3, (Dejmps(), Swap(0.5)), FRESH, dephase=0.001)
    (found,) = measure(samples, [chain], Sampling(runs=20_000, seed=1, block=5000))
    level = nested_levels(chain, steps=3000)[-1]
    assert abs(found["steps"].mean - level.mean_steps()) < 4 * found["steps"].standard_error
    difference = found["fidelity"].mean - level.mean_weights()[0]
    assert abs(difference) < 4 * found["fidelity"].standard_error


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Nested(0.0, ()), r"success of a link is 0\.0; give a number above 0"),
        (lambda: Nested(0.5, (), (1, 1, 1, 1)), r"fresh is \(1, 1, 1, 1\); give four weights"),
        (lambda: Nested(0.5, (), dephase=-1), "dephase is -1; give a finite number of at least 0"),
        (lambda: Swap(2), "success of a swap is 2; give a number from 0 to 1"),
        (lambda: nested_levels(Nested(0.5, ()), steps=0), "steps is 0; give a whole number"),
        (nested_levels(Nested(0.1, (Swap(0.1),)), steps=50)[1].mean_weights,
         "lies beyond 50 steps, more than 1e-09; keep more steps"),
        (lambda: simulate(Nested(0.5, ()), 1, rng=None), "rng is None; give a generator"),
        (lambda: simulate(Nested(0.5, ()), 1.5, rng=np.random.default_rng()),
         r"runs is 1\.5; give a whole number"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()
