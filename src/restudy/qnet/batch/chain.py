"""A SWAP-ASAP repeater chain of Bell-diagonal pairs: its parameters and its random numbers.

Node 0 and node N - 1 are the ends; link l joins nodes l and l + 1. All links are tried from time 0
on, side by side, until each is there. A node between swaps as soon as it holds both of its
pairs, and sends the outcome straight to node N - 1. The pair between the ends is delivered when
the last outcome arrives. Every qubit is in a memory from the moment its link is there until it
is measured, or delivered.
"""

import math
from dataclasses import dataclass

import numpy as np

from restudy.qnet.arguments import (
    bell_weights,
    chance,
    generator,
    positive,
    probability,
    real,
    whole,
)
from restudy.qnet.errors import QnetError

PERFECT = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Link:
    """A link between neighbours.

    Attributes
    ----------
    success : float
        Probability that an attempt makes a pair.
    attempt_ns : float
        Time of an attempt, herald included: the pair is there after the k-th.
    length_km : float
        Length, for messages that pass along it.
    weights : tuple of float
        Weights of phi+, psi+, psi-, phi- of a new pair.
    """

    success: float
    attempt_ns: float
    length_km: float = 0.0
    weights: tuple[float, float, float, float] = PERFECT

    def __post_init__(self) -> None:
        """Check the numbers."""
        chance("success of a link", self.success)
        positive("attempt_ns of a link", self.attempt_ns)
        real("length_km of a link", self.length_km, least=0)
        bell_weights("weights of a link", self.weights)


@dataclass(frozen=True)
class Chain:
    """A chain of links with equal memories and equal swaps.

    Attributes
    ----------
    links : tuple of Link
        From node 0 to node N - 1.
    depolar_hz : float
        A memory mixes its qubit with probability 1 - exp(-depolar_hz t).
    dephase_hz : float
        A memory's coherence falls by exp(-dephase_hz t): a Z with half of 1 minus that.
    swap_ns : float
        Time of a swap; its qubits are measured at the end of it.
    swap_depolar : float
        Probability that a swap mixes its pair.
    speed_km_per_s : float
        Speed of messages.
    """

    links: tuple[Link, ...]
    depolar_hz: float = 0.0
    dephase_hz: float = 0.0
    swap_ns: float = 0.0
    swap_depolar: float = 0.0
    speed_km_per_s: float = 200_000.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.links or not all(isinstance(link, Link) for link in self.links):
            raise QnetError(f"links is {self.links!r}; give a tuple of at least one Link.")
        real("depolar_hz", self.depolar_hz, least=0)
        real("dephase_hz", self.dephase_hz, least=0)
        real("swap_ns", self.swap_ns, least=0)
        probability("swap_depolar", self.swap_depolar)
        positive("speed_km_per_s", self.speed_km_per_s)

    @property
    def nodes(self) -> int:
        """Number of nodes, the ends included."""
        return len(self.links) + 1

    def message_ns(self) -> np.ndarray:
        """Time of a message from each node to the last, ns, (nodes,)."""
        lengths = np.array([link.length_km for link in self.links])
        to_last = np.append(np.cumsum(lengths[::-1])[::-1], 0.0)
        return to_last / self.speed_km_per_s * 1e9


@dataclass(frozen=True)
class Deliveries:
    """What runs of a chain delivered.

    Attributes
    ----------
    duration_ns : numpy.ndarray of float64, shape (runs,)
        Time of the delivery, from the start of the first attempts.
    weights : numpy.ndarray of float64, shape (runs, 4)
        Weights of phi+, psi+, psi-, phi- of the pair between the ends, at that time.
    """

    duration_ns: np.ndarray
    weights: np.ndarray

    @property
    def fidelity(self) -> np.ndarray:
        """Fidelity to phi+, (runs,)."""
        return self.weights[:, 0]


def uniform_chain(nodes: int, link: Link, *, depolar_hz: float = 0.0) -> Chain:
    """Chain of equal links; other numbers by ``dataclasses.replace``.

    Examples
    --------
    >>> uniform_chain(3, Link(0.5, 1e5, length_km=20.0)).message_ns().tolist()
    [200000.0, 100000.0, 0.0]
    """
    return Chain((link,) * (whole("nodes", nodes, least=2) - 1), depolar_hz=depolar_hz)


def draw_attempts(chain: Chain, runs: int, *, rng: np.random.Generator) -> np.ndarray:
    r"""Numbers of attempts until each link is there: the only random numbers of a run.

    .. math:: k = 1 + \lfloor E / \lambda \rfloor, \quad \lambda = -\ln(1 - p)

    with E from the standard exponential distribution is geometric with parameter p.

    Parameters
    ----------
    chain : Chain
        The chain.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Draws run after run, so that runs drawn in pieces are the same.

    Returns
    -------
    numpy.ndarray of float64, shape (runs, links)
        Whole numbers from 1.

    Raises
    ------
    QnetError
        If `runs` is not a whole number, or `rng` no generator.

    Examples
    --------
    >>> certain = uniform_chain(3, Link(1.0, 1e5))
    >>> draw_attempts(certain, 2, rng=np.random.default_rng(1)).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    shape = (whole("runs", runs), len(chain.links))
    return 1.0 + np.floor(generator(rng).standard_exponential(shape) * attempt_scale(chain))


def attempt_scale(chain: Chain) -> np.ndarray:
    r"""Return :math:`1/\lambda` of each link, (links,); zero for a link that cannot fail."""
    p = np.array([link.success for link in chain.links])
    return np.array([0.0 if q == 1.0 else -1.0 / math.log1p(-q) for q in p])


def checked_attempts(chain: Chain, attempts: np.ndarray) -> np.ndarray:
    """Return numbers of attempts as float64, (runs, links), or raise `QnetError`."""
    table = np.ascontiguousarray(attempts, dtype="float64")
    if table.ndim != 2 or table.shape[1] != len(chain.links):
        raise QnetError(
            f"attempts have the shape {table.shape}; the chain has {len(chain.links)} links: give "
            "(runs, links)."
        )
    if not (table >= 1).all() or not np.isfinite(table).all():
        raise QnetError(f"attempts go down to {table.min()}; a link takes at least 1.")
    return table
