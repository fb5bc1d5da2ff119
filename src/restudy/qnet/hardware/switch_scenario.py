"""What a quantum switch is asked to do, and the pairs that arrive at it."""

from dataclasses import dataclass
from math import inf

import numpy as np

from restudy.qnet.arguments import positive, real, whole
from restudy.qnet.errors import QnetError


@dataclass(frozen=True)
class Scenario:
    """A switch that turns pairs shared with its leaves into GHZ states of the leaves.

    Attributes
    ----------
    runtime_s : float
        Simulated time, s.
    rates_hz : tuple of float
        Pairs a second of each leaf; the gaps between two are exponential.
    connect_size : int
        Leaves n in a GHZ state.
    buffer_size : int, None, or a tuple of them
        Pairs that each leaf can store, B; None is without a limit. One number is for all leaves.
    t2_s : float
        Coherence time of each qubit in a memory, at the leaf and at the switch, s.
    erasure_rate_hz : float
        Rate at which each stored pair is lost, 1/s.
    message_delay_s : float or tuple of float
        Time for the outcome from the switch to each leaf, s. Its qubit dephases until then.
    server : int, optional
        A leaf that takes part in every GHZ state.

    Raises
    ------
    QnetError
        If a number is out of its range, or there are more numbers than leaves.

    Notes
    -----
    The model of Vardoyan et al. (arXiv:1903.04420) and Supplementary Note 3 of the paper: pairs
    are perfect when they arrive, and gates take no time. If a leaf's buffer is full, the oldest
    pair gives way. As soon as n leaves hold a pair, their oldest pairs are measured; if more than
    n hold one (with a server), those with the oldest.

    Examples
    --------
    >>> Scenario(100.0, (1.9,) * 9, connect_size=3, buffer_size=5).buffers
    (5, 5, 5, 5, 5, 5, 5, 5, 5)
    """

    runtime_s: float
    rates_hz: tuple[float, ...]
    connect_size: int = 2
    buffer_size: int | tuple[int | None, ...] | None = None
    t2_s: float = inf
    erasure_rate_hz: float = 0.0
    message_delay_s: float | tuple[float, ...] = 0.0
    server: int | None = None

    def __post_init__(self) -> None:
        positive("runtime_s", self.runtime_s)
        for leaf, rate in enumerate(self.rates_hz):
            positive(f"the rate of leaf {leaf}", rate)
        whole("connect_size", self.connect_size, least=2)
        if self.connect_size > len(self.rates_hz):
            raise QnetError(
                f"connect_size is {self.connect_size} with {len(self.rates_hz)} leaves; give at "
                "most the number of leaves."
            )
        for name, values in (("buffer_size", self.buffers), ("message_delay_s", self.delays_s)):
            if len(values) != len(self.rates_hz):
                raise QnetError(
                    f"{name} has {len(values)} numbers for {len(self.rates_hz)} leaves; give one "
                    "for each leaf, or one for all."
                )
        for leaf, buffer in enumerate(self.buffers):
            if buffer is not None:
                whole(f"the buffer of leaf {leaf}", buffer, least=1)
        for leaf, delay in enumerate(self.delays_s):
            real(f"the message delay of leaf {leaf}", delay, least=0)
        if self.t2_s != inf:
            positive("t2_s", self.t2_s)
        real("erasure_rate_hz", self.erasure_rate_hz, least=0)
        if self.server is not None and whole("server", self.server) >= len(self.rates_hz):
            raise QnetError(
                f"server is leaf {self.server} of {len(self.rates_hz)}; give one from 0 to "
                f"{len(self.rates_hz) - 1}."
            )

    @property
    def buffers(self) -> tuple[int | None, ...]:
        """Pairs that each leaf can store; None is without a limit."""
        if isinstance(self.buffer_size, tuple):
            return self.buffer_size
        return (self.buffer_size,) * len(self.rates_hz)

    @property
    def delays_s(self) -> tuple[float, ...]:
        """Time for the outcome to each leaf, s."""
        if isinstance(self.message_delay_s, tuple):
            return self.message_delay_s
        return (self.message_delay_s,) * len(self.rates_hz)


@dataclass(frozen=True)
class Arrivals:
    """Pairs in the order in which they arrive.

    Attributes
    ----------
    time_s : numpy.ndarray of float64, shape (pairs,)
        When, s.
    leaf : numpy.ndarray of int64, shape (pairs,)
        Of which leaf.
    lifetime_s : numpy.ndarray of float64, shape (pairs,)
        How long it is stored before it is erased, s; infinite without erasure.
    """

    time_s: np.ndarray
    leaf: np.ndarray
    lifetime_s: np.ndarray


def draw_arrivals(
    scenario: Scenario, pairs: int, *, since_s: float = 0.0, rng: np.random.Generator
) -> Arrivals:
    """Draw the next pairs of all leaves: a Poisson process, each pair of a random leaf.

    Parameters
    ----------
    scenario : Scenario
        Its rates.
    pairs : int
        How many.
    since_s : float
        When the one before them arrived, s.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Arrivals
        Those that come within the scenario's runtime: fewer than `pairs` if it ends.
    """
    rates = np.asarray(scenario.rates_hz)
    time_s = since_s + rng.exponential(1 / rates.sum(), pairs).cumsum()
    shares = rates.cumsum() / rates.sum()
    leaf = np.searchsorted(shares[:-1], rng.random(pairs), side="right")
    lifetime_s = np.full(pairs, inf)
    if scenario.erasure_rate_hz:
        lifetime_s = rng.exponential(1 / scenario.erasure_rate_hz, pairs)
    n = int(np.searchsorted(time_s, scenario.runtime_s, side="right"))
    return Arrivals(time_s[:n], leaf[:n].astype("int64"), lifetime_s[:n])
