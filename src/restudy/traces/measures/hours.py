"""Bars by hour of the day, looked at as a circle."""

import numpy as np

from restudy.traces.hour_labels import as_smooth

ORDERS = 20_000  # random orders: the share of them is then good to 0.003


def largest_step(bars: np.ndarray) -> float:
    """Largest ratio of two neighbouring bars; the last is the neighbour of the first.

    Examples
    --------
    >>> largest_step(np.array([1, 4, 6]))
    6.0
    """
    logs = np.log(np.maximum(bars, 1))
    return float(np.exp(np.abs(logs - np.roll(logs, 1)).max()).round(9))


def chance(bars: np.ndarray, rng: np.random.Generator) -> float:
    """Share of random orders that are at least as smooth as `bars`."""
    return as_smooth(bars, replicates=ORDERS, rng=rng)
