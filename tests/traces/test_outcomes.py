"""Lost run time against a plain sum in pandas."""

import numpy as np
import pandas as pd
import pytest

from restudy.traces import distributions
from restudy.traces.jobs import times
from restudy.traces.outcomes import LENGTHS, lost_by_length


def test_lost_run_time_is_the_plain_sum(make_jobs, make_trace) -> None:
    jobs = make_jobs(4000, seed=5)
    found = lost_by_length(distributions.measure(make_trace(jobs).jobs, ["run_s"])["run_s"])
    plain = times(jobs).assign(
        length=lambda t: pd.cut(
            t["run_s"], [-1, *(np.array([*LENGTHS.values()]) - 0.5)], labels=False
        )
    )
    for kind, rows in {
        "all": plain,
        "generic": plain[~plain["is_ml"]],
        "ml": plain[plain["is_ml"]],
    }.items():
        for at in range(len(LENGTHS)):
            part = rows[rows["length"] == at]
            if part["run_s"].sum() == 0:
                assert np.isnan(found[kind].iloc[at])
                continue
            lost = part.loc[part["state"] != "COMPLETED", "run_s"].sum() / part["run_s"].sum()
            assert found[kind].iloc[at] == pytest.approx(lost, rel=1e-12)
    assert found["all"].notna().sum() >= 3
