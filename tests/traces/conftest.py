"""Job tables for the tests of the statistics."""

from collections.abc import Callable

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from restudy.traces.jobs import COLUMNS, JobTrace

MakeJobs = Callable[..., pd.DataFrame]
MakeTrace = Callable[..., JobTrace]


@pytest.fixture(scope="session")
def make_jobs() -> MakeJobs:
    """Return a function that draws a job table of bursts, in order of submission."""

    def make(rows: int = 3000, *, seed: int = 1, days: int = 40, ml: float = 0.2) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        weight = rng.lognormal(0, 1, days)
        day = rng.choice(days, rows, p=weight / weight.sum())
        submit = np.sort(day * 86_400 + rng.integers(0, 1440, rows) * 60) + 1_640_000_000
        wait = rng.lognormal(3, 2, rows).astype("int64")
        run = rng.lognormal(4, 2, rows).astype("int64")
        state = rng.choice(
            ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"], rows, p=[0.7, 0.2, 0.06, 0.04]
        )
        columns = {
            "job_id": np.arange(rows).astype(str),
            "submit": submit.astype("datetime64[s]"),
            "start": (submit + wait).astype("datetime64[s]"),
            "end": (submit + wait + run).astype("datetime64[s]"),
            "state": state,
            "nodes": rng.choice([0, 1, 2, 10], rows, p=[0.02, 0.9, 0.05, 0.03]),
            "cores": rng.choice([1, 2, 16, 24], rows),
            "node_list": rng.choice(["r10n1", "r28n[1-2]", "None assigned"], rows),
            "partition": rng.choice(["normal", "gpu"], rows),
            "user": rng.choice(["u1", "u2"], rows),
            "is_ml": rng.random(rows) < ml,
        }
        return pd.DataFrame(
            {name: pd.Series(column, dtype=COLUMNS[name]) for name, column in columns.items()}
        )

    return make


@pytest.fixture(scope="session")
def make_trace() -> MakeTrace:
    """Return a function that wraps a job table, cut into partitions."""

    def make(jobs: pd.DataFrame, npartitions: int = 3) -> JobTrace:
        return JobTrace(
            name="test",
            title="a test",
            jobs=dd.from_pandas(jobs, npartitions=npartitions, sort=False),
            clock="UTC",
            real=False,
            dataset=None,
            rejected=pd.DataFrame(columns=["line", "reason", "text"]),
        )

    return make
