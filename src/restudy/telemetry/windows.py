"""Windows of time, and what becomes of a job that crosses the border of one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from restudy.telemetry.metrics import TelemetryError


@dataclass(frozen=True)
class Window:
    """A window of time; both ends belong to it.

    Attributes
    ----------
    first, last : int
        Seconds since 1970.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise TelemetryError(
                f"the window ends {self.first - self.last} s before it begins; "
                "give one whose last second is not before its first."
            )

    @property
    def seconds(self) -> int:
        """Number of its seconds."""
        return self.last - self.first + 1


# 34,000 years to both sides of 1970: the window of those who want none.
EVER = Window(-(2**40), 2**40 - 1)

# First and last seconds of jobs in a window, and which of the jobs belong to it.
Border = Callable[
    [np.ndarray, np.ndarray, Window],
    tuple[np.ndarray, np.ndarray, np.ndarray],
]


def wholly_inside(
    first: np.ndarray, last: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep jobs that lie wholly inside the window, as the paper does (section III).

    Parameters
    ----------
    first, last : numpy.ndarray of int64, shape (jobs,)
        First and last second of each job since 1970.
    window : Window
        The window.

    Returns
    -------
    first, last : numpy.ndarray of int64, shape (jobs,)
        Unchanged.
    keep : numpy.ndarray of bool, shape (jobs,)
        Whether the job counts.

    Notes
    -----
    The longer a job, the more likely it is to be left out, and the power of its nodes is then
    nobody's, or goes to the other jobs there; see `clipped`.

    Examples
    --------
    >>> wholly_inside(np.array([0, 5, 8]), np.array([5, 8, 12]), Window(1, 10))[2].tolist()
    [False, True, False]
    """
    return first, last, (first >= window.first) & (last <= window.last)


def clipped(
    first: np.ndarray, last: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep what lies inside the window of every job.

    Parameters
    ----------
    first, last : numpy.ndarray of int64, shape (jobs,)
        First and last second of each job since 1970.
    window : Window
        The window.

    Returns
    -------
    first, last : numpy.ndarray of int64, shape (jobs,)
        Cut at the borders.
    keep : numpy.ndarray of bool, shape (jobs,)
        Whether anything is left of the job.

    Examples
    --------
    >>> first, last, keep = clipped(np.array([0, 5, 20]), np.array([5, 8, 30]), Window(1, 10))
    >>> first.tolist(), last.tolist(), keep.tolist()
    ([1, 5, 20], [5, 8, 10], [True, True, False])
    """
    begin, end = np.maximum(first, window.first), np.minimum(last, window.last)
    return begin, end, begin <= end
