"""Runs of a nested chain with swaps and distillation, all at once: what the protocol does."""

from dataclasses import dataclass

import numpy as np

from restudy.qnet.analytic.bell import WALSH
from restudy.qnet.analytic.nested import Nested
from restudy.qnet.arguments import generator, whole


@dataclass(frozen=True)
class Pairs:
    """Pairs delivered.

    Attributes
    ----------
    steps : numpy.ndarray of float64, shape (runs,)
        Waiting time in steps.
    weights : numpy.ndarray of float64, shape (runs, 4)
        Weights of phi+, psi+, psi-, phi- at delivery.
    """

    steps: np.ndarray
    weights: np.ndarray


def simulate(chain: Nested, runs: int, *, rng: np.random.Generator) -> Pairs:
    """Make pairs of the highest level.

    Parameters
    ----------
    chain : Nested
        The chain.
    runs : int
        Number of pairs.
    rng : numpy.random.Generator
        For links and for the success of operations.

    Returns
    -------
    Pairs
        One a run.

    Raises
    ------
    QnetError
        If `runs` is not a whole number, or `rng` no generator.

    Notes
    -----
    A level makes all of its pairs side by side, and those that fail again, until none is left.

    Examples
    --------
    >>> from restudy.qnet.analytic.nested import Dejmps, Swap
    >>> chain = Nested(1.0, (Swap(), Dejmps()), fresh=(0.9, 0.1, 0.0, 0.0))
    >>> pairs = simulate(chain, 2, rng=np.random.default_rng(1))
    >>> pairs.weights[0].round(6).tolist()  # 0.82 and 0.18 after the swap
    [0.95403, 0.04597, 0.0, 0.0]
    """
    steps, weights = _made(chain, len(chain.operations), whole("runs", runs), generator(rng))
    return Pairs(steps, np.ascontiguousarray(weights.T))


def samples(chain: Nested, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return steps and fidelity of runs: an experiment for `restudy.qnet.sweeps`."""
    pairs = simulate(chain, runs, rng=rng)
    return {"steps": pairs.steps, "fidelity": pairs.weights[:, 0]}


def _made(
    chain: Nested, level: int, runs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return waiting times (runs,) and weights (4, runs) of pairs of a level."""
    if level == 0:
        weights = np.repeat(np.array(chain.fresh)[:, None], runs, axis=1)
        return rng.geometric(chain.success, runs).astype("float64"), weights
    decay, operation = chain.decay()[:, None], chain.operations[level - 1]
    total, made = np.zeros(runs), np.empty((4, runs))
    todo = np.arange(runs)
    while len(todo):
        a, first = _made(chain, level - 1, len(todo), rng)
        b, second = _made(chain, level - 1, len(todo), rng)
        both = np.maximum(a, b)
        joined = operation.joined(
            WALSH @ (WALSH @ first * decay ** (both - a)) / 4.0,
            WALSH @ (WALSH @ second * decay ** (both - b)) / 4.0,
        )
        success = joined.sum(axis=0)
        total[todo] += both
        good = rng.random(len(todo)) < success
        made[:, todo[good]] = joined[:, good] / success[good]
        todo = todo[~good]
    return total, made
