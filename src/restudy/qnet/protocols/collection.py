"""Collection of results into a table."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.protocols.protocol import Signal


class DataCollector:
    """Writes a row each time that a signal is sent, before anybody else sees it.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    row : callable
        Gets what the signal was sent with, and returns the columns of a row.

    Examples
    --------
    >>> sim = Simulation()
    >>> success = Signal(sim, "success")
    >>> collector = DataCollector(sim, lambda pair: {"fidelity": pair})
    >>> collector.collect_on(success)
    >>> _ = sim.schedule(success.send, 0.9, delay=2.0)
    >>> _ = sim.schedule(success.send, 0.8, delay=3.0)
    >>> sim.run()
    >>> collector.table()
       time_ns   signal  fidelity
    0      2.0  success       0.9
    1      3.0  success       0.8
    """

    def __init__(self, sim: Simulation, row: Callable[[Any], Mapping[str, Any]]) -> None:
        self.sim = sim
        self.row = row
        self._rows: list[dict[str, Any]] = []

    def collect_on(self, signal: Signal) -> None:
        """Write a row each time that a signal is sent."""

        def collect(value: Any) -> None:
            self._rows.append({"time_ns": self.sim.now, "signal": signal.name, **self.row(value)})

        signal.subscribe(collect)

    def table(self) -> pd.DataFrame:
        """Return the rows so far: the time, ns, the name of the signal, and what `row` gave."""
        return pd.DataFrame(self._rows)
