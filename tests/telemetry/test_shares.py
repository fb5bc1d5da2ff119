import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.attribution import Integrated, attribute
from restudy.telemetry.intervals import accumulate
from restudy.telemetry.metrics import METRICS, TelemetryError
from restudy.telemetry.residency import residency
from restudy.telemetry.samples import fold
from restudy.telemetry.shares import (
    Reported,
    class_shares,
    common_window,
    reported,
    state_shares,
)
from restudy.telemetry.splits import PerJob
from restudy.telemetry.windows import EVER
from restudy.traces.jobs import COLUMNS

POWER = METRICS["node_power_usage"]
NODES = ("r1n1", "r1n2", "r2n1", "r28n1")


def planted(gpu_from):
    """Each node runs jobs of 300 s one after the other; CPU nodes draw 100 W, the GPU node 400 W.

    Its telemetry begins at `gpu_from`.
    """
    begin = np.tile(np.arange(0, 6000, 300), 4)
    node = np.repeat(NODES, 20)
    columns = dict.fromkeys(COLUMNS) | {
        "job_id": np.arange(80).astype(str),
        "start": begin.astype("M8[s]"),
        "end": (begin + 299).astype("M8[s]"),
        "node_list": node,
        "is_ml": node == "r28n1",
        "state": np.where(begin < 3000, "FAILED", "COMPLETED"),
    }
    jobs = pd.DataFrame(columns).astype(COLUMNS)
    at = np.arange(0, 6000, 30)
    frame = pd.DataFrame(
        {
            "time": np.tile(at, 4).astype("M8[s]"),
            "node": pd.Categorical(np.repeat(NODES, 200)),
            POWER.name: np.repeat(np.float32([100, 100, 100, 400]), 200),
        }
    )
    dark = (frame["node"] == "r28n1") & (frame["time"].astype("int64") < gpu_from)
    frame.loc[dark, POWER.name] = np.nan
    return jobs, frame


def measured(jobs, frame, window=EVER):
    where = residency(jobs, NODES, window=window)
    sums = accumulate(frame, where.intervals, POWER)
    return where, attribute(where, sums, POWER, split=PerJob(), accounting=Integrated(30))


def test_unequal_windows_hide_what_a_common_one_shows(make_telemetry):
    jobs, frame = planted(gpu_from=3000)
    telemetry = make_telemetry(frame.sample(frac=1, random_state=1), 7)
    found = fold(telemetry, [POWER.name], lambda part: reported(part, NODES, POWER))
    assert found.first.tolist() == [0, 0, 0, 3000]
    assert found.last.tolist() == [5970] * 4
    ml = np.array([node == "r28n1" for node in NODES])
    window = common_window(found, ml)
    assert (window.first, window.last) == (3000, 5970)
    whole = class_shares(jobs, *measured(jobs, frame), {"r28n1"})
    assert whole.ml["energy [J]"] == pytest.approx(400 * 10 / (400 * 10 + 300 * 20))
    assert whole.ml["submissions"] == pytest.approx(10 / 70)
    same = class_shares(jobs, *measured(jobs, frame, window), {"r28n1"})
    assert same.ml["energy [J]"] == pytest.approx(400 / 700)
    assert same.ml["submissions"] == same.ml["run time [s]"] == pytest.approx(1 / 4)
    assert same.ml["nodes"] == 1 / 4
    assert same.ml["racks"] == 1 / 3
    assert whole.amounts.loc["failed jobs"].tolist() == [30, 0]
    assert same.amounts.loc["failed jobs"].tolist() == [0, 0]
    assert np.isnan(same.ml["failed jobs"])
    assert list(same.table().columns) == ["generic", "ml", "share of ml"]


def test_states_share_jobs_time_and_energy():
    jobs, frame = planted(gpu_from=0)
    jobs.loc[0, "state"] = None
    found = state_shares(jobs, *measured(jobs, frame))
    assert found.amounts["jobs"].to_dict() == {
        ("generic", "COMPLETED"): 30,
        ("generic", "FAILED"): 29,
        ("ml", "COMPLETED"): 10,
        ("ml", "FAILED"): 10,
    }
    assert found.amounts.loc[("ml", "FAILED"), "energy [J]"] == pytest.approx(3000 * 400)
    assert found.amounts.loc[("ml", "FAILED"), "run time [s]"] == 10 * 299
    np.testing.assert_allclose(found.share.groupby(level="class").sum(), 1)
    assert found.unsuccessful.loc["generic", "energy [J]"] == pytest.approx(29 / 59)
    assert found.unsuccessful.loc["ml", "jobs"] == 0.5
    assert "share of jobs" in found.table().columns


def test_jobs_without_a_sample_are_left_out():
    jobs, frame = planted(gpu_from=3000)
    where, energy = measured(jobs, frame)
    assert energy.unsampled == 10
    assert state_shares(jobs, where, energy).amounts["jobs"].sum() == 70


def test_tables_of_different_jobs_are_refused():
    jobs, frame = planted(gpu_from=0)
    where, energy = measured(jobs, frame)
    with pytest.raises(TelemetryError, match="has 79 rows, the residency 80"):
        state_shares(jobs.iloc[1:], where, energy)


def test_classes_without_a_time_in_common_are_refused():
    apart = Reported(np.array([0, 500]), np.array([100, 900]))
    with pytest.raises(TelemetryError, match="ends 400 s before it begins"):
        common_window(apart, np.array([False, True]))
    dark = Reported(np.array([0, EVER.last]), np.array([100, EVER.first]))
    with pytest.raises(TelemetryError, match="none of the 1 ml nodes has a sample"):
        common_window(dark, np.array([False, True]))


def test_reported_stays_on_the_device(on_device):
    _, frame = planted(gpu_from=3000)
    there, here = reported(on_device(frame), NODES, POWER), reported(frame, NODES, POWER)
    np.testing.assert_array_equal(there.first, here.first)
    np.testing.assert_array_equal(there.last, here.last)
