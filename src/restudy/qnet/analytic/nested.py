"""Nested repeater chains with swaps and distillation in any order, exact with memory noise."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import signal

from restudy.qnet.analytic.bell import WALSH
from restudy.qnet.analytic.doubling import repeated
from restudy.qnet.arguments import bell_weights, chance, real, whole
from restudy.qnet.errors import QnetError


class Operation(Protocol):
    """What makes one pair of two, or loses both."""

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Weights of the new pair times the probability of success, (4, n).

        `first` and `second`, (4, n), may have any sum: it is linear in both.
        """
        ...


@dataclass(frozen=True)
class Swap:
    """A swap, perfect if it succeeds.

    Attributes
    ----------
    success : float
        Probability, above 0.
    """

    success: float = 1.0

    def __post_init__(self) -> None:
        """Check the number."""
        chance("success of a swap", self.success)

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Convolution over Z2 x Z2."""
        i = np.arange(4)
        parts = [(first * second[i ^ k]).sum(axis=0) for k in range(4)]
        return self.success * np.stack(parts)


@dataclass(frozen=True)
class Dejmps:
    """Distillation of Bell-diagonal pairs, `restudy.qnet.analytic.distillation.dejmps`."""

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Weights of the kept pair, not divided by the probability of success."""
        A, C, B, D = first
        a, c, b, d = second
        return np.stack([A * a + B * b, C * c + D * d, C * d + D * c, A * b + B * a])


@dataclass(frozen=True)
class Bbpssw:
    """Distillation of pairs that are made Werner pairs first."""

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Weights of the kept pair, a Werner pair, not divided by the probability of success."""
        F, G = first[0], second[0]
        R, Q = first[1:].sum(axis=0) / 3.0, second[1:].sum(axis=0) / 3.0
        kept = F * G + R * Q
        rest = (F * Q + R * G + 4.0 * R * Q) / 3.0
        return np.stack([kept, rest, rest, rest])


@dataclass(frozen=True)
class Nested:
    """A chain built level by level; each level joins two pairs of the one below.

    The two are made side by side, the first waits for the second with both ends in memories, and
    both are made again if the operation fails.

    Attributes
    ----------
    success : float
        Probability that a step makes a link.
    operations : tuple of Operation
        From the lowest level to the highest.
    fresh : tuple of float
        Weights of phi+, psi+, psi-, phi- of a new link.
    depolar, dephase : float
        Rates of a memory, per step, as those of `restudy.qnet.batch.chain.Chain`.
    """

    success: float
    operations: tuple[Operation, ...]
    fresh: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    depolar: float = 0.0
    dephase: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        chance("success of a link", self.success)
        bell_weights("fresh", self.fresh)
        real("depolar", self.depolar, least=0)
        real("dephase", self.dephase, least=0)

    def decay(self) -> np.ndarray:
        """Factors on the Walsh transform of a pair that waits for a step, (4,)."""
        rates = self.depolar * np.array([0, 1, 1, 1]) + self.dephase * np.array([0, 1, 1, 0])
        return np.exp(-2.0 * rates)


@dataclass(frozen=True)
class NestedLevel:
    """Pairs of a level.

    Attributes
    ----------
    weighted : numpy.ndarray of float64, shape (4, steps + 1)
        Mean weights of a pair that is there after exactly t steps, times the probability of that.
    """

    weighted: np.ndarray

    @property
    def missing(self) -> float:
        """Probability that the pair takes longer than the steps that were kept."""
        return float(1.0 - self.weighted.sum())

    def mean_steps(self, *, missing: float = 1e-9) -> float:
        """Mean waiting time in steps; `QnetError` if more than `missing` is beyond those kept."""
        kept = self._kept(missing)
        return float(np.arange(self.weighted.shape[1]) @ self.weighted.sum(axis=0)) / kept

    def mean_weights(self, *, missing: float = 1e-9) -> np.ndarray:
        """Mean weights at delivery, (4,); `QnetError` if more than `missing` is beyond."""
        kept = self._kept(missing)
        return self.weighted.sum(axis=1) / kept

    def _kept(self, missing: float) -> float:
        if self.missing > missing:
            raise QnetError(
                f"{self.missing:.3g} of the probability lies beyond {self.weighted.shape[1] - 1} "
                f"steps, more than {missing:g}; keep more steps."
            )
        return float(self.weighted.sum())


def nested_levels(chain: Nested, *, steps: int) -> list[NestedLevel]:
    r"""Joint distribution of waiting time and weights of each level.

    With :math:`u_l(t)` the vector of weights at time t times its probability, and B the operation,

    .. math:: v(t) = \sum_{\max(a, b) = t} B(D^{t-a} u_l(a), D^{t-b} u_l(b)), \quad
              U_{l+1}(z) = \frac{V(z)}{1 - M(z) + |V(z)|}

    where D is the noise of a step, M the distribution of a round's time, and :math:`|V|` the sum
    of the four weights: the rounds that succeed.

    Parameters
    ----------
    chain : Nested
        The chain.
    steps : int
        Longest waiting time that is kept. What is kept does not depend on it.

    Returns
    -------
    list of NestedLevel
        ``len(operations) + 1`` of them, from a single link upwards.

    Raises
    ------
    QnetError
        If `steps` is not a whole number from 1.

    Notes
    -----
    Exact although the success of a distillation depends on how long pairs have waited: swaps,
    BBPSSW and DEJMPS are bilinear in weights that are not divided by the probability of success.
    This carries `restudy.qnet.analytic.doubling` over to Bell-diagonal pairs and to distillation.

    Examples
    --------
    >>> two = Nested(0.1, (Dejmps(), Swap(0.5)), fresh=(0.8, 0.2 / 3, 0.2 / 3, 0.2 / 3))
    >>> raw, distilled, swapped = nested_levels(two, steps=5000)
    >>> round(distilled.mean_weights()[0], 6), round(distilled.mean_steps() * 0.768889, 4)
    (np.float64(0.83815), 14.7368)
    """
    last = whole("steps", steps, least=1)
    waiting = np.zeros(last + 1)
    waiting[1:] = chain.success * (1.0 - chain.success) ** np.arange(last)
    levels = [NestedLevel(np.array(chain.fresh)[:, None] * waiting)]
    for operation in chain.operations:
        levels.append(NestedLevel(_above(levels[-1].weighted, operation, chain.decay())))
    return levels


def _above(w: np.ndarray, operation: Operation, decay: np.ndarray) -> np.ndarray:
    """Return the level above, (4, steps + 1)."""
    u = w.sum(axis=0)
    larger = u * (2.0 * (np.cumsum(u) - u) + u)
    stored = [
        signal.lfilter([0.0, d], [1.0, -d], hat) for d, hat in zip(decay, WALSH @ w, strict=True)
    ]
    waited = WALSH @ np.stack(stored) / 4.0  # pairs that came before t, with their noise
    good = operation.joined(w, waited) + operation.joined(waited, w) + operation.joined(w, w)
    failed = np.maximum(larger - good.sum(axis=0), 0.0)
    if failed.sum() < 1e-13:  # rounding: the operation cannot fail
        return good
    return repeated(good, failed)
