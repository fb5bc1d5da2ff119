"""Time-bin photons in Fock space: pairs from a source, and their loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from restudy.qnet.arguments import probability
from restudy.qnet.errors import QnetError


@dataclass(frozen=True)
class PairSource:
    r"""A source of photon pairs in two time bins, early and late.

    .. math:: |\psi\rangle = \sum_n \sqrt{\frac{p(n)}{n+1}} \sum_{m=0}^{n}
              |n-m, m\rangle |n-m, m\rangle

    Attributes
    ----------
    probabilities : tuple of float
        p(0), p(1), ...: how likely a pulse makes 0, 1, ... pairs; their sum is 1. The default is
        that of the paper.

    Raises
    ------
    QnetError
        If these are no probabilities of at least one pair, with the sum 1.

    Notes
    -----
    Equations 71 and 72 in Supplementary Note 7 of the paper.

    Examples
    --------
    >>> PairSource((0.0, 1.0)).amplitudes().round(3)
    array([0.   , 0.707, 0.707])
    """

    probabilities: tuple[float, ...] = (0.087, 0.9, 0.013)

    def __post_init__(self) -> None:
        for n, p in enumerate(self.probabilities):
            probability(f"the probability of {n} pairs", p)
        if len(self.probabilities) < 2 or abs(sum(self.probabilities) - 1) > 1e-9:
            raise QnetError(
                f"probabilities of the source are {self.probabilities}; give p(0), p(1), ... with "
                "the sum 1."
            )

    @property
    def most(self) -> int:
        """The most pairs that a pulse makes."""
        return len(self.probabilities) - 1

    def amplitudes(self) -> np.ndarray:
        """Give the amplitude of finding both sides in each state of `side_basis`, (d,)."""
        pairs = side_basis(self.most).sum(axis=1)
        return np.sqrt(np.asarray(self.probabilities)[pairs] / (pairs + 1))


def side_basis(most: int) -> np.ndarray:
    """Give the states of one side of a source: photons early and late, (d, 2) int.

    Parameters
    ----------
    most : int
        The most photons on the side; d = (most + 1) (most + 2) / 2.

    Returns
    -------
    numpy.ndarray of int64, shape (d, 2)
        In the order of the total, most early ones first.

    Examples
    --------
    >>> side_basis(2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    return np.array([(n - m, m) for n in range(most + 1) for m in range(n + 1)])


def loss_kraus(loss: float, most: int) -> np.ndarray:
    r"""Give the Kraus operators of a beam splitter that takes photons from a mode.

    .. math:: A_k = \sum_n \sqrt{\binom{n}{k}} (1-\gamma)^{(n-k)/2} \gamma^{k/2}
              |n-k\rangle\langle n|

    Parameters
    ----------
    loss : float
        Probability :math:`\gamma` to lose a photon.
    most : int
        The most photons in the mode.

    Returns
    -------
    numpy.ndarray of float64, shape (most + 1, most + 1, most + 1)
        By the photons lost, k, then row and column of the operator.

    Raises
    ------
    QnetError
        If the loss is no probability.

    Notes
    -----
    Supplementary Note 7 of the paper: the generalised amplitude damping of fibres and memories.

    Examples
    --------
    >>> loss_kraus(0.36, 1)[1]
    array([[0. , 0.6],
           [0. , 0. ]])
    """
    gamma = probability("loss", loss)
    kraus = np.zeros((most + 1, most + 1, most + 1))
    for n in range(most + 1):
        for k in range(n + 1):
            kraus[k, n - k, n] = np.sqrt(comb(n, k) * (1 - gamma) ** (n - k) * gamma**k)
    return kraus


def side_kraus(loss: float, most: int) -> list[np.ndarray]:
    """Give the Kraus operators of equal loss in both time bins of a side.

    Parameters
    ----------
    loss : float
        Probability to lose a photon.
    most : int
        The most photons on the side.

    Returns
    -------
    list of numpy.ndarray, each of shape (d, d)
        In the states of `side_basis`, one for each number of photons lost early and late.
    """
    mode = loss_kraus(loss, most)
    early, late = side_basis(most).T
    return [
        mode[k][np.ix_(early, early)] * mode[j][np.ix_(late, late)]
        for k, j in side_basis(most)  # no more can be lost than there are
    ]


def seen_after_loss(povm: np.ndarray, losses: Sequence[float], most: int) -> np.ndarray:
    r"""Give the measurement that a lossy way turns a measurement into.

    The adjoint of the loss, :math:`\sum_k A_k^\dagger M A_k`, on each side: so the loss is worked
    out once for all states.

    Parameters
    ----------
    povm : numpy.ndarray, shape (outcomes, d**s, d**s)
        Elements of a measurement of s sides, the first side slowest.
    losses : sequence of float, s of them
        Probability to lose a photon on the way of each side.
    most : int
        The most photons on a side.

    Returns
    -------
    numpy.ndarray, shape (outcomes, d**s, d**s)
        What is measured before the loss.
    """
    d = len(side_basis(most))
    shape = (len(povm),) + (d,) * (2 * len(losses))
    elements = povm.reshape(shape)
    for side, loss in enumerate(losses):
        row, column = 1 + side, 1 + len(losses) + side
        moved = np.moveaxis(elements, (row, column), (-2, -1))
        lossy = np.zeros_like(moved)
        for kraus in side_kraus(loss, most):
            lossy += kraus.T @ moved @ kraus
        elements = np.moveaxis(lossy, (-2, -1), (row, column))
    return elements.reshape(povm.shape)
