import numpy as np
import pandas as pd
import pytest

from restudy.errors import UserError
from restudy.traces import sacct_fields
from restudy.traces.jobs import (
    COLUMNS,
    PAPER_GPU_NODES,
    STATES,
    TraceError,
    is_ml,
    times,
    unassigned,
    validate,
)


def test_the_paper_names_56_gpu_nodes():
    assert len(PAPER_GPU_NODES) == 56
    assert {"r33n2", "r33n6", "r38n5"} <= PAPER_GPU_NODES
    assert not {"r33n1", "r33n4", "r37n1"} & PAPER_GPU_NODES


def test_every_state_that_the_reader_gives_is_known():
    assert set(sacct_fields.STATES.values()) <= set(STATES)
    assert len(set(STATES)) == len(STATES) < 63


def test_validate_accepts_what_parquet_gives_back(make_jobs, tmp_path):
    jobs = make_jobs(20)
    jobs.to_parquet(tmp_path / "jobs.parquet")
    validate(pd.read_parquet(tmp_path / "jobs.parquet"))
    validate(
        jobs.assign(state=jobs["state"].astype("category"), nodes=jobs["nodes"].astype("int64"))
    )


def test_validate_names_all_mistyped_columns(make_jobs):
    jobs = make_jobs(5)
    bad = jobs.assign(nodes=jobs["nodes"].astype("float64"), submit=jobs["submit"].astype(str))
    with pytest.raises(
        TraceError, match=r"submit is \S+ and should be datetime64.*nodes is float64"
    ):
        validate(bad)


def test_validate_refuses_aware_times(make_jobs):
    jobs = make_jobs(5)
    with pytest.raises(TraceError, match="start is datetime64"):
        validate(jobs.assign(start=jobs["start"].dt.tz_localize("UTC")))


def test_a_trace_error_is_a_user_error():
    assert issubclass(TraceError, UserError)


def test_times_equal_pandas_and_keep_unknown_ones(make_jobs):
    jobs = make_jobs(50)
    jobs.loc[3, "end"] = pd.NaT
    jobs.loc[4, "submit"] = pd.NaT
    found = times(jobs)
    np.testing.assert_array_equal(
        found["run_s"], (jobs["end"] - jobs["start"]).dt.total_seconds().to_numpy()
    )
    assert np.isnan(found["run_s"][3])
    assert np.isnan(found["wait_s"][4])
    assert set(COLUMNS) < set(found.columns)


def test_a_negative_time_gets_one_hour_and_is_else_unknown():
    begin = pd.Series(pd.to_datetime(["2022-10-30 02:59:00", "2022-10-30 02:59:00"]))
    end = pd.Series(pd.to_datetime(["2022-10-30 02:01:00", "2022-10-30 01:00:00"]))
    found = times(pd.DataFrame({"submit": begin, "start": begin, "end": end}))
    assert found["run_s"][0] == 120
    assert np.isnan(found["run_s"][1])


def test_is_ml_looks_at_every_node():
    lists = pd.Series(["r28n1", "r10n1,r38n[4-5]", "r10n[1-3]", None, "software1"], dtype="string")
    assert is_ml(lists, PAPER_GPU_NODES).tolist() == [True, True, False, False, False]
    assert is_ml(lists, {"r10n2"}).tolist() == [False, False, True, False, False]


def test_unassigned_takes_unknown_as_assigned():
    frame = pd.DataFrame(
        {
            "node_list": pd.Series([None, None, "None assigned", "r1n1"], dtype="string"),
            "nodes": pd.Series([None, 0, None, 2], dtype="Int32"),
        }
    )
    assert unassigned(frame).tolist() == [False, True, True, False]
