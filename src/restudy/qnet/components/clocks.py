"""Clocks: they call others again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from restudy.qnet.arguments import positive, whole
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError


class Gap(Protocol):
    """The time between two ticks."""

    def draw_ns(self, sim: Simulation) -> float:
        """Return the time to the next tick, ns."""
        ...


@dataclass(frozen=True)
class FixedGap:
    """Ticks with a period.

    Attributes
    ----------
    period_ns : float
        Time between ticks, ns.
    """

    period_ns: float

    def __post_init__(self) -> None:
        positive("period_ns of FixedGap", self.period_ns)

    def draw_ns(self, sim: Simulation) -> float:
        """Return the period, ns."""
        return self.period_ns


@dataclass(frozen=True)
class ExponentialGap:
    """Ticks of a Poisson process.

    Attributes
    ----------
    rate_hz : float
        Mean number of ticks a second, Hz.
    """

    rate_hz: float

    def __post_init__(self) -> None:
        positive("rate_hz of ExponentialGap", self.rate_hz)

    def draw_ns(self, sim: Simulation) -> float:
        """Draw the time to the next tick, ns."""
        return float(sim.rng.exponential(1e9 / self.rate_hz))


class Clock:
    """Calls functions at each tick, in the order in which they asked for it.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    gap : Gap
        The time between two ticks; the first tick comes one gap after the start.
    ticks : int, optional
        Number of ticks after which it stops; without it the clock goes on until `stop`.

    Attributes
    ----------
    ticked : int
        Number of ticks since the start.

    Raises
    ------
    QnetError
        If `ticks` is no whole number from 1 on.

    Examples
    --------
    >>> sim = Simulation()
    >>> clock = Clock(sim, "clock", FixedGap(period_ns=10.0), ticks=3)
    >>> clock.on_tick(lambda: print(sim.now))
    >>> clock.start()
    >>> sim.run()
    10.0
    20.0
    30.0
    """

    def __init__(self, sim: Simulation, name: str, gap: Gap, *, ticks: int | None = None) -> None:
        self.sim = sim
        self.name = name
        self.gap = gap
        self.ticks = None if ticks is None else whole(f"ticks of {name}", ticks, least=1)
        self.ticked = 0
        self._calls: list[Callable[[], object]] = []
        self._next: int | None = None  # handle

    def on_tick(self, call: Callable[[], object]) -> None:
        """Call a function at each tick."""
        self._calls.append(call)

    def start(self) -> None:
        """Start to tick, from none.

        Raises
        ------
        QnetError
            If it ticks.
        """
        if self._next is not None:
            raise QnetError(f"the clock {self.name} ticks already at {self.sim.now} ns: stop it.")
        self.ticked = 0
        self._plan()

    def stop(self) -> None:
        """Stop to tick; nothing happens if it does not."""
        if self._next is not None:
            self.sim.cancel(self._next)
            self._next = None

    def _plan(self) -> None:
        self._next = self.sim.schedule(self._tick, delay=self.gap.draw_ns(self.sim))

    def _tick(self) -> None:
        self.ticked += 1
        self._next = None
        if self.ticks is None or self.ticked < self.ticks:
            self._plan()
        for call in self._calls:
            call()
