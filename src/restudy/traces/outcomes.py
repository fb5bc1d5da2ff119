"""How much run time is lost to unsuccessful jobs, by how long they run (arXiv 2107.11832)."""

import numpy as np
import pandas as pd

from restudy.traces.counting import Kind, select
from restudy.traces.distributions import Distribution

# First second of the next longer class.
LENGTHS: dict[str, float] = {
    "under 5 min": 300,
    "5 min to 1 h": 3600,
    "1 h to 6 h": 6 * 3600,
    "6 h to 1 d": 86_400,
    "1 d or more": np.inf,
}


def lost_by_length(run: Distribution) -> pd.DataFrame:
    """Share of the run time that belongs to jobs that did not complete.

    Parameters
    ----------
    run : Distribution
        Run times in seconds by class and state.

    Returns
    -------
    pandas.DataFrame
        Rows: `LENGTHS`; columns: ``all``, ``generic``, ``ml``. Shares of 1; NaN where there is no
        run time. Jobs of unknown state are left out.

    Examples
    --------
    >>> from restudy.traces.counting import groups
    >>> jobs = pd.DataFrame({"state": ["COMPLETED", "FAILED"], "is_ml": [False, False]})
    >>> run = Distribution("run_s", "s", np.array([100, 300]), groups(jobs), np.array([3, 1]))
    >>> lost_by_length(run)["all"].head(2).tolist()
    [0.0, 1.0]
    """
    time = run.value * run.counts
    place = np.searchsorted(list(LENGTHS.values()), run.value, side="right")
    known = select(run.group) & (run.group % 64 > 0)
    columns = {}
    kinds: tuple[Kind, ...] = ("all", "generic", "ml")
    for kind in kinds:
        mine = known & select(run.group, kind)
        done = mine & select(run.group, kind, "COMPLETED")
        total, completed = (
            np.bincount(place[rows], time[rows], len(LENGTHS)) for rows in (mine, done)
        )
        columns[kind] = 1 - completed / np.where(total, total, np.nan)
    return pd.DataFrame(columns, index=list(LENGTHS))
