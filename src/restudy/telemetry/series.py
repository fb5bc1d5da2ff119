"""A quantity of nodes or of groups of nodes over time, in equal steps."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Equal steps of time, the first beginning at `start`.

    Attributes
    ----------
    start : int
        Seconds since 1970, UTC.
    step_s : int
        Length of a step, s.
    steps : int
        Number of steps.

    Examples
    --------
    >>> grid = Grid.between("2022-07-01", "2022-07-02", 3600)
    >>> grid.steps, str(grid.times[1])
    (24, '2022-07-01T01:00:00')
    """

    start: int
    step_s: int
    steps: int

    @classmethod
    def between(cls, start: str, stop: str, step_s: int) -> "Grid":
        """Cover the time from `start` up to, without it, `stop`."""
        begin, end = (int(np.datetime64(t, "s").astype("int64")) for t in (start, stop))
        if end <= begin or step_s < 1:
            raise ValueError(f"{start} to {stop} in steps of {step_s} s has no step")
        return cls(begin, step_s, -(-(end - begin) // step_s))

    @property
    def times(self) -> np.ndarray:
        """Begin of each step, datetime64[s]."""
        seconds = self.start + self.step_s * np.arange(self.steps, dtype="int64")
        return seconds.astype("datetime64[s]")


@dataclass(frozen=True)
class Series:
    """A quantity of several groups over time.

    Attributes
    ----------
    groups : tuple of str
        Names.
    grid : Grid
        Steps of time.
    total : numpy.ndarray of float64, shape (groups, steps)
        Sum over the samples in each step, in the unit of the quantity; NaN without a sample.
    n : numpy.ndarray of int64, shape (groups, steps)
        Samples in each step: nodes that report, if a step is as long as the sampling interval.
    """

    groups: tuple[str, ...]
    grid: Grid
    total: np.ndarray
    n: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over the samples in each step, NaN without one."""
        return self.total / np.where(self.n, self.n, 1)
