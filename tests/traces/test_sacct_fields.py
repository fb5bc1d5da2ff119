"""Single fields of `sacct`: every form that Slurm prints, and what is refused."""

import calendar
from datetime import datetime

import pandas as pd
import pytest

from restudy.traces.jobs import unassigned
from restudy.traces.sacct_fields import (
    STATES,
    BadFieldError,
    count,
    job,
    label,
    nodes_of,
    seconds,
    state,
    time,
    uses_gpu,
)


@pytest.mark.parametrize(
    "text",
    ["2000-01-01T00:00:00", "2016-02-29T23:59:59", "2022-10-30 02:30:00", "2099-12-31T00:00:00"],
)
def test_a_time_is_the_calendars(text):
    # truth: the C library's timegm
    assert time(text) == calendar.timegm(datetime.fromisoformat(text).timetuple())


@pytest.mark.parametrize("text", ["Unknown", "None", "", "  ", "N/A"])
def test_a_time_may_be_unknown(text):
    assert time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2016-13-01T00:00:00",
        "2015-02-29T00:00:00",
        "2016-01-01T24:00:00",
        "2016-01-01T00:60:00",
        "2016-01-01T00:00:60",
        "1969-12-31T19:00:00",
        "9999-12-31T00:00:00",
        "2016-01-01",
        "2016-01-01T00:00:00Z",
        "2016-01-01T00:00:00.5",
        "1483056000",
        "٢٠١٦-01-01T00:00:00",
        "yesterday",
    ],
)
def test_a_wrong_time_is_refused(text):
    with pytest.raises(BadFieldError, match=r"^time '.*expected 2022-06-14T09:30:00 or Unknown\.$"):
        time(text)


def test_times_in_seconds_since_1970():
    assert time("1483056000", epoch=True) == 1483056000
    assert time("0", epoch=True) is None
    assert time("Unknown", epoch=True) is None
    for text in ("2016-12-30T00:00:00", "17", "99999999999", "-5", "1e9", "9" * 400):
        with pytest.raises(BadFieldError, match="seconds since 1970"):
            time(text, epoch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:00", 0),
        ("23:59:59", 86399),
        ("1-00:00:00", 86400),
        ("10-13:27:06", 10 * 86400 + 13 * 3600 + 27 * 60 + 6),
        ("125-00:00:00", 125 * 86400),
        ("30:00:00", 108000),
        ("05:06", 306),
        ("00:01.234", 1.234),
        ("59:59.999", 3599.999),
        ("86400", 86400),
        ("UNLIMITED", None),
        ("Partition_Limit", None),
        ("INVALID", None),
        ("Unknown", None),
        ("", None),
    ],
)
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["1-24:00:00", "1:60:00", "0:00:60", "-00:00:01", "1-2", "1-", "abc", "1 h", "9" * 99]
)
def test_a_wrong_duration_is_refused(text):
    with pytest.raises(BadFieldError, match=r"duration .* expected DD-HH:MM:SS"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *STATES.items(),
        *zip(STATES.values(), STATES.values(), strict=True),
        ("CANCELLED by 330719", "CANCELLED"),
        ("CANCELLED+", "CANCELLED"),
        ("OUT_OF_ME+", "OUT_OF_MEMORY"),
        ("OUT_OF_ME", "OUT_OF_MEMORY"),
        ("REQUEUE_H+", "REQUEUE_HOLD"),
        ("NODE_F+", "NODE_FAIL"),
        ("completed", "COMPLETED"),
    ],
)
def test_states(text, expected):
    assert state(text) == expected


@pytest.mark.parametrize("text", ["", "+", "C+", "COMPL+", "COMPLETE", "DONE", "CANCELLEDby", "0"])
def test_a_state_that_is_none_or_ambiguous_is_refused(text):
    with pytest.raises(BadFieldError, match="no state of Slurm"):
        state(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("16", 16), ("4K", 4096), ("1.50K", 1536), ("1M", 2**20), ("2147483647", 2**31 - 1)],
)
def test_counts(text, expected):
    assert count(text) == expected


@pytest.mark.parametrize("text", ["-1", "1.5", "12x", "K", "2147483648", "4G", "9" * 5000, "¹"])
def test_a_wrong_count_is_refused(text):
    with pytest.raises(BadFieldError, match=r"count .* expected"):
        count(text)


def test_node_lists_and_names():
    assert nodes_of("r10n[1-2]") == ("r10n[1-2]", False)
    for text in ("None assigned", "none", "(null)"):
        assert nodes_of(text) == (text, False)
        assert unassigned(pd.DataFrame({"node_list": [text], "nodes": [1]})).all()
    for text in ("", " ", "Unknown"):
        assert nodes_of(text) == (None, False)
    assert nodes_of("cpn-f13-04-[0+") == (None, True)
    with pytest.raises(BadFieldError, match="node list"):
        nodes_of("r10n[1-2")
    assert label("") is None
    assert label("Zoë") == "Zoë"
    for text in ("a\x07b", "a\ufffdb", "a\u202eb"):
        with pytest.raises(BadFieldError, match="no text"):
            label(text)


@pytest.mark.parametrize(
    ("tres", "expected"),
    [
        ("billing=12,cpu=12,gres/gpu=2,mem=31000M,node=1", True),
        ("cpu=1,gres/gpu:a100=4,node=1", True),
        ("gpu:2", True),
        ("gpu:v100:2", True),
        ("cpu=1,gres/gpu=0", False),
        ("cpu=1,gres/gpumem=40G,node=1", False),
        ("cpu=1,gres/shard=2", False),
        ("", None),
    ],
)
def test_a_gpu_among_trackable_resources(tres, expected):
    assert uses_gpu(tres) is expected


LINE = {
    "job_id": "12",
    "submit": "2022-10-30T01:00:00",
    "start": "2022-10-30T02:50:00",
    "end": "2022-10-30T03:50:00",
    "state": "COMPLETED",
}


@pytest.mark.parametrize(
    "job_id", ["12", "12_4", "12+0", "12_[5-10%2]", "12_[1,3-7]", "12_[1-9]%3"]
)
def test_ids_of_jobs(job_id):
    assert job(LINE | {"job_id": job_id}, epoch=False).job_id == job_id


@pytest.mark.parametrize(
    "job_id",
    [
        *("12.batch", "12.extern", "12.0", "12_4.batch", "12+0.0", "12.interactive"),
        *("12.4294967290", "12345678.ba+"),
    ],
)
def test_ids_of_steps(job_id):
    # a step often has no state or nodes of its own: nothing else is looked at
    assert job({**LINE, "job_id": job_id, "state": ""}, epoch=False) is None


@pytest.mark.parametrize(
    "job_id", ["", "x12", "12.", "12_", "12 3", "-1", "12345678_12+", "1" * 400]
)
def test_other_ids_are_refused(job_id):
    with pytest.raises(BadFieldError, match="job id"):
        job(LINE | {"job_id": job_id}, epoch=False)


@pytest.mark.parametrize(
    ("end", "elapsed", "kept"),
    [
        ("2022-10-30T03:50:00", "01:00:00", True),
        ("2022-10-30T03:50:01", "01:00:00", True),
        ("2022-10-30T02:00:00", "00:10:00", True),  # clock set back: ends 50 min before its start
        ("2022-10-30T02:50:00", "01:00:00", True),  # clock set back
        ("2022-10-30T04:50:00", "01:00:00", True),  # clock set forward
        ("2022-10-30T04:50:01", "01:00:00", True),
        ("2022-10-30T04:50:02", "01:00:00", False),
        ("2022-10-30T01:49:58", "00:00:00", False),
        ("2023-10-30T03:50:00", "01:00:00", False),
        ("2022-10-30T01:50:00", "", True),  # one hour back, no elapsed time to tell
        ("2022-10-30T01:49:59", "", False),
        ("2029-10-30T01:49:59", "", True),
        ("Unknown", "9-00:00:00", True),  # still running
    ],
)
def test_times_may_disagree_by_a_clock_change_and_no_more(end, elapsed, kept):
    fields = LINE | {"end": end, "elapsed": elapsed}
    if kept:
        assert job(fields, epoch=False).end == time(end)  # kept as printed, not repaired
    else:
        with pytest.raises(BadFieldError, match=r"expected .* clock change"):
            job(fields, epoch=False)


def test_a_suspended_job_runs_shorter_than_end_minus_start():
    fields = LINE | {"end": "2022-10-30T12:50:00", "elapsed": "01:00:00"}
    assert job(fields | {"suspended": "09:00:00"}, epoch=False).state == "COMPLETED"
    with pytest.raises(BadFieldError, match="print Suspended too"):
        job(fields, epoch=False)
