"""What the paper's job figures show, as small tables.

The curves were read from the vector geometry of the plots published with the paper (arXiv
2409.08949; https://github.com/atlarge-research/2024-icpads-hpc-workload-characterization at commit
866b2ab, MIT licence), so a point is what the plotting program drew and not a pixel. Programs that
draw leave out points that make no visible difference; the largest step left out is 7e-4 of F.
`thin` then kept a part of the points. Each table names its source and its error in its header.
"""

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

FIGURES: dict[str, str] = {
    "fig6a": "fig6a_wait.csv",
    "fig6b": "fig6b_run.csv",
    "fig8b": "fig8b_cores.csv",
    "fig8c": "fig8c_node_hours.csv",
}
CURVES: dict[str, str] = {
    "generic_completed": "gc",
    "generic_failed": "gf",
    "ml_completed": "mc",
    "ml_failed": "mf",
}
# Largest difference in F between a thinned table and the curve as read, and that reading's own.
THINNING_ERROR = 2e-4
READING_ERROR = 7e-4


def curve(figure: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a published cumulative distribution.

    Parameters
    ----------
    figure : str
        ``"fig6a"`` wait time [s], ``"fig6b"`` run time [s], ``"fig8b"`` cores,
        ``"fig8c"`` node-hours [h].
    name : str
        ``"generic_completed"``, ``"generic_failed"``, ``"ml_completed"`` or ``"ml_failed"``.

    Returns
    -------
    x : numpy.ndarray, shape (n,), float64
        Values, strictly increasing. Both arrays are read-only.
    F : numpy.ndarray, shape (n,), float64
        Share of jobs with a value of at most x, ending at 1. Between two points of a time curve
        F is linear; for cores it is a step.

    Raises
    ------
    KeyError
        If there is no such figure or curve; the message lists the known ones.

    Examples
    --------
    The median of Figure 6: half of the failed generic jobs run for at most 4 s.

    >>> x, F = curve("fig6b", "generic_failed")
    >>> float(x[np.searchsorted(F, 0.5)])
    4.0
    """
    if figure not in FIGURES:
        raise KeyError(f"no figure {figure!r}; the figures are {', '.join(FIGURES)}")
    if name not in CURVES:
        raise KeyError(f"no curve {name!r}; the curves are {', '.join(CURVES)}")
    return _curve(figure, name)


@cache
def _curve(figure: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    table = _table(FIGURES[figure])
    rows = table[table["curve"] == CURVES[name]]
    x = rows["x"].to_numpy("float64") / (3600.0 if figure == "fig8c" else 1.0)
    F = rows["F"].to_numpy("float64", copy=True)
    x.flags.writeable = F.flags.writeable = False  # every caller shares them
    return x, F


def daily_submissions() -> pd.DataFrame:
    """Jobs submitted per day, Figure 5.

    Returns
    -------
    pandas.DataFrame
        Index ``date`` (2021-12-25 to 2022-11-01 UTC, 312 days), columns ``generic`` and ``ml``
        (jobs) and ``restored``: True where the plot's line passes a day without a corner, so that
        its count is not drawn.

    Notes
    -----
    Of the 1,596,963 jobs of the published table the curves show all but 17,419. Four generic
    and seven ML counts are restored so that the published totals hold: for generic the
    published sums per month leave 1,610 jobs for 2022-07-15, 808 for 2022-10-01 and 11,155 for
    2022-05-18 and 05-31, shared by the mean of each one's neighbours; for ML the total leaves
    3,846 for the seven days, shared in the same way.

    Examples
    --------
    >>> daily_submissions()[["generic", "ml"]].sum().tolist()
    [1406488, 190475]
    """
    table = _table("fig5_daily_submissions.csv")
    table = table.assign(
        date=pd.to_datetime(table["date"]).astype("datetime64[s]"),
        restored=table["restored"].astype(bool),
    )
    return table.set_index("date")


def failed_bars() -> pd.DataFrame:
    """Failed jobs of Figure 7 as the bars are drawn.

    Returns
    -------
    pandas.DataFrame
        24 rows, index ``bar`` (the hour written under it), columns ``generic_failed`` and
        ``ml_failed`` (jobs). The heights are right, the hours are not: the bars stand in the
        order in which the hours first appear in the job table.

    Examples
    --------
    >>> failed_bars().sum().tolist()
    [200983, 44318]
    """
    return _table("fig7_failed_bars.csv").set_index("bar")


def node_counts() -> pd.DataFrame:
    """Jobs by number of nodes, Figure 8a.

    Returns
    -------
    pandas.DataFrame
        Index ``nodes``, columns ``generic`` and ``ml`` (jobs). Thirteen generic jobs have a
        count that is not printed (0 nodes, or rare counts) and are left out.
    """
    return _table("fig8a_nodes.csv").set_index("nodes")


def quantile(x: np.ndarray, F: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Whole-second quantiles of a time curve: the smallest s with F(s) >= p.

    Parameters
    ----------
    x, F : numpy.ndarray, shape (n,)
        A curve of Figure 6; x in whole seconds.
    p : numpy.ndarray
        Probabilities in [0, 1].

    Returns
    -------
    numpy.ndarray of int64, the shape of p
        Drawn with uniform p these follow F exactly at every whole second.

    Examples
    --------
    Median run times in Figure 6:

    >>> [int(quantile(*curve("fig6b", name), np.array(0.5))) for name in CURVES]
    [37, 4, 758, 24]
    """
    # The 1e-9 s undoes rounding in the interpolation, which would move a corner one second up.
    seconds = np.ceil(np.interp(p, F, x) - 1e-9)
    return np.maximum(seconds, 0.0).astype("int64")


def mean(x: np.ndarray, F: np.ndarray) -> float:
    """Mean of a distribution on the non-negative axis, ``x[0] F[0]`` + area above F.

    Examples
    --------
    Uniform on 0 to 2:

    >>> mean(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float(x[0] + np.sum((2.0 - F[1:] - F[:-1]) / 2.0 * np.diff(x)))


def thin(x: np.ndarray, F: np.ndarray, *, error: float, tail: float = 0.02) -> np.ndarray:
    """Choose the points that carry a piecewise linear curve.

    From each kept point the longest chord is taken that passes every point between within its
    allowance, ``min(error, tail (1 - F))``: the second term keeps the far tail, on which the mean
    of a heavy-tailed quantity rests.

    Parameters
    ----------
    x, F : numpy.ndarray, shape (n,)
        The curve; x strictly increasing.
    error : float
        Largest difference in F.
    tail : float
        Largest difference relative to 1 - F.

    Returns
    -------
    numpy.ndarray of int
        Indices of the kept points, the first and the last among them.

    Examples
    --------
    >>> x = np.arange(5.0)
    >>> thin(x, np.array([0.0, 0.25, 0.5, 0.5, 1.0]), error=1e-6).tolist()
    [0, 2, 3, 4]
    """
    allowed = np.maximum(np.minimum(error, tail * (1.0 - F)), 2e-6)
    kept = [0]
    while kept[-1] < len(x) - 1:
        i = kept[-1]
        best, low, high = i + 1, -np.inf, np.inf
        for j in range(i + 1, len(x)):
            slope, width = (F[j] - F[i]) / (x[j] - x[i]), x[j] - x[i]
            if low <= slope <= high:
                best = j
            low = max(low, slope - allowed[j] / width)
            high = min(high, slope + allowed[j] / width)
            if low > high:
                break
        kept.append(best)
    return np.array(kept)


@cache
def _table(file: str) -> pd.DataFrame:
    path = resources.files("restudy.traces") / "tables" / file
    with path.open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream, comment="#")
