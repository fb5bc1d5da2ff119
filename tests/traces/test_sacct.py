"""Files of `sacct`: every layout, every fault, and the fast reader against the slow one."""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from restudy.traces import sacct
from restudy.traces.jobs import COLUMNS, TraceError, unassigned, validate
from restudy.traces.nodelist import NodeListError
from restudy.traces.sacct import SacctError, read_sacct, sacct_to_parquet
from restudy.traces.sacct_block import SCHEMA, one_by_one, parse
from restudy.traces.sacct_layout import XDMOD_FIELDS, sniff

VALIDATION = Path(__file__).parents[2] / "validation" / "2409.08949" / "xdmod.json"
DUMPS = ("xdmod_phillips.log", "xdmod_pozidriv.log")
FIELDS = [
    *("JobID", "User", "Partition", "Submit", "Eligible", "Start", "End", "Elapsed", "State"),
    *("NNodes", "NCPUS", "AllocTRES", "ReqTRES", "Timelimit", "ExitCode", "NodeList", "JobName"),
]
EPOCH = np.datetime64("2022-06-01T00:00:00", "s")


def forged(number, seed=1):
    """Lines as sacct would print them: field name -> text, a dict a job."""
    rng = random.Random(seed)
    return [_forged_line(i, rng) for i in range(number)]


def _forged_line(i, rng):
    submit = EPOCH + np.timedelta64(rng.randrange(10**7), "s")
    start = submit + np.timedelta64(rng.randrange(10**5), "s")
    run = rng.choice([0, 5, 60, 3599, 86_399, 86_400, 432_000, rng.randrange(10**6)])
    days, rest = divmod(run, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    state = rng.choice(["COMPLETED"] * 6 + ["FAILED", "TIMEOUT", "CANCELLED by 4711", "NODE_FAIL"])
    nodes = rng.choice(["r10n1", "r10n[13,19,25],r11n[19,20]", "cpn-f13-04-[01-02]", "gpu7"])
    line = {
        "JobID": f"{1000 + i}" + rng.choice(["", "", "_7", "+0"]),
        "User": rng.choice(["ann", "bob", "Zoë", ""]),
        "Partition": rng.choice(["normal", "gpu"]),
        "Submit": str(submit),
        "Eligible": str(submit),
        "Start": str(start),
        "End": str(start + np.timedelta64(run, "s")),
        "Elapsed": f"{days}-{clock}" if days else clock,
        "State": state,
        "NNodes": str(rng.choice([1, 1, 2, 5])),
        "NCPUS": str(rng.choice([1, 16, 32, 240])),
        "AllocTRES": rng.choice(["cpu=16,mem=4G,node=1", "cpu=4,gres/gpu=1,node=1", ""]),
        "ReqTRES": rng.choice(["cpu=16,node=1", ""]),
        "Timelimit": rng.choice(["1-00:00:00", "UNLIMITED", "Partition_Limit"]),
        "ExitCode": rng.choice(["0:0", "1:0", "0:15"]),
        "NodeList": nodes,
        "JobName": rng.choice(["train", "a b", "größe", "x'\"y"]),
    }
    if rng.random() < 0.1:  # waiting
        line |= {"Start": "Unknown", "End": "Unknown", "Elapsed": "00:00:00", "State": "PENDING"}
        line |= {"NodeList": "None assigned", "AllocTRES": ""}
    return line


def delimited(lines, delimiter="|", end="", fields=FIELDS):
    rows = [fields, *([line[name] for name in fields] for line in lines)]
    return "".join(delimiter.join(row) + end + "\n" for row in rows).encode()


def xdmod(lines):
    """Lines of a dump without header; fields that are not forged hold an x."""
    names = {name.lower(): name for name in FIELDS}
    return "".join(
        "|".join(line.get(names.get(field, ""), "x") for field in XDMOD_FIELDS) + "\n"
        for line in lines
    ).encode()


def table(lines, fields=FIELDS):
    """Build the fixed-width table: right-aligned by bytes, a rule under the header."""
    widths = {
        name: max(len(name), *(len(line[name].encode()) for line in lines)) for name in fields
    }

    def printed(texts):
        cells = zip(fields, texts, strict=True)
        return b" ".join(text.encode().rjust(widths[name]) for name, text in cells) + b" \n"

    rule = b" ".join(b"-" * widths[name] for name in fields) + b" \n"
    rows = [printed([line[name] for name in fields]) for line in lines]
    return b"".join([printed(fields), rule, *rows])


def read(tmp_path, text, **options):
    path = tmp_path / "jobs.sacct"
    path.write_bytes(text)
    trace = read_sacct(path, **options)
    assert trace.rows == len(trace.jobs) + len(trace.rejected) + trace.steps + trace.skipped
    assert trace.rows == len(text.removesuffix(b"\n").split(b"\n"))
    validate(trace.jobs)
    assert {name: str(kind) for name, kind in trace.jobs.dtypes.items()} == COLUMNS
    return trace


def truth(lines):
    """Build the job table with pandas from the forged lines."""
    column = {name: pd.Series([line[name] for line in lines], dtype="string") for name in FIELDS}
    at = {
        name: pd.to_datetime(column[name].replace("Unknown", pd.NA)).astype("datetime64[s]")
        for name in ("Submit", "Start", "End")
    }
    tres = column["AllocTRES"].where(column["AllocTRES"] != "", column["ReqTRES"])
    return pd.DataFrame(
        {
            "job_id": column["JobID"],
            "submit": at["Submit"],
            "start": at["Start"],
            "end": at["End"],
            "state": column["State"].str.split().str[0],
            "nodes": column["NNodes"].astype("Int32"),
            "cores": column["NCPUS"].astype("Int32"),
            "node_list": column["NodeList"],
            "partition": column["Partition"],
            "user": column["User"].replace("", pd.NA),
            "is_ml": tres.str.contains("gres/gpu=").mask(tres == ""),
        }
    ).astype(COLUMNS)


LAYOUTS = {
    "parsable2": delimited,
    "parsable": lambda lines: delimited(lines, end="|"),
    "comma": lambda lines: delimited(lines, ";"),
    "tab": lambda lines: delimited(lines, "\t"),
    "two bytes": lambda lines: delimited(lines, "^|"),
    "two bytes, trailing": lambda lines: delimited(lines, "@@", end="@@"),
    "xdmod": xdmod,
    "table": table,
    "other order": lambda lines: delimited(lines, fields=FIELDS[::-1]),
    "CRLF": lambda lines: delimited(lines).replace(b"\n", b"\r\n"),
    "BOM": lambda lines: b"\xef\xbb\xbf" + delimited(lines),
    "no last newline": lambda lines: delimited(lines).removesuffix(b"\n"),
    "lower case": lambda lines: delimited(lines).replace(delimited([]), delimited([]).lower(), 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_job_table(layout, tmp_path):
    lines = forged(300)
    trace = read(tmp_path, LAYOUTS[layout](lines))
    assert trace.rejected.empty
    pd.testing.assert_frame_equal(trace.jobs, truth(lines))
    assert trace.clock == "local"


def test_seconds_since_1970_are_utc(tmp_path):
    lines = forged(50)
    expected = truth(lines)
    for line in lines:
        for name in ("Submit", "Start", "End"):
            if line[name] != "Unknown":
                line[name] = str(np.datetime64(line[name], "s").astype(int))
    trace = read(tmp_path, delimited(lines))
    pd.testing.assert_frame_equal(trace.jobs, expected)
    assert trace.clock == "UTC"


# the fields of jobdata.csv of arXiv 2107.11832, with texts cut at the widths sacct gives them
SECOND_PAPER = b"""\
       JobID   UID  Partition              Submit               Start                 End \
ElapsedRaw NCPUS NNodes        NodeList ExitCode      State
------------ ----- ---------- ------------------- ------------------- ------------------- \
---------- ----- ------ --------------- -------- ----------
6646921      38000     normal 2019-12-30T10:00:00 2019-12-30T10:00:05 2019-12-30T10:00:25 \
        20    16      1          r12n30      0:0  COMPLETED
6646921.bat+                  2019-12-30T10:00:05 2019-12-30T10:00:05 2019-12-30T10:00:25 \
        20    16      1          r12n30      0:0  COMPLETED
6646922      38001 gpu_titan+ 2019-12-30T10:00:00 2019-12-30T10:00:05 2019-12-30T11:00:05 \
      3600    16      2    r32n[1-2,4-+    0:125 OUT_OF_ME+
6646923_12+  38001 gpu_titan+ 2019-12-30T10:00:00             Unknown             Unknown \
         0     6      1   None assigned      0:0    PENDING
6646924      38001 gpu_titan+ 2019-12-30T10:00:00 2019-12-30T10:00:05 2019-12-30T10:00:05 \
         0     6      1           r32n1      0:0 CANCELLED+
6646925      38001 gpu_titan+2 2019-12-30T10:00:00 2019-12-30T10:00:05 2019-12-30T10:00:05 \
        0     6      1           r32n1      0:0 CANCELLED+
"""


def test_the_table_of_the_second_paper(tmp_path):
    trace = read(tmp_path, SECOND_PAPER, gpu_nodes="r32n[1-7]")
    assert trace.jobs["job_id"].tolist() == ["6646921", "6646922", "6646924"]
    assert trace.jobs["state"].tolist() == ["COMPLETED", "OUT_OF_MEMORY", "CANCELLED"]
    assert trace.jobs["user"].tolist() == ["38000", "38001", "38001"]
    assert trace.jobs["is_ml"].tolist() == [False, pd.NA, True]  # a list cut off: not known
    assert (trace.steps, trace.skipped) == (1, 2)
    assert trace.rejected["line"].tolist() == [6, 8]
    assert "cut off" in trace.rejected["reason"][0]
    assert "between two columns at character 30" in trace.rejected["reason"][1]


def test_steps_arrays_and_requeues_are_told_apart(tmp_path):
    first = forged(1)[0] | {"JobID": "7", "User": "ann"}
    ids = ["7", "7.batch", "7.extern", "7.0", "7", "8_4", "8_4.0", "9+0", "9+1", "10_[5-10%2]", "7"]
    trace = read(tmp_path, delimited([first | {"JobID": job_id} for job_id in ids]))
    assert trace.jobs["job_id"].tolist() == ["7", "7", "8_4", "9+0", "9+1", "10_[5-10%2]", "7"]
    assert trace.steps == 4
    assert trace.requeued == 2


def test_blank_lines_and_repeated_headers_are_skipped(tmp_path):
    text = delimited(forged(3))
    trace = read(tmp_path, text + b"\n  \n" + text)
    assert len(trace.jobs) == 6
    assert trace.skipped == 4
    assert trace.rejected.empty


def test_a_header_below_other_output_is_found(tmp_path):
    trace = read(tmp_path, b"Loading module slurm\n\n" + delimited(forged(3)))
    assert len(trace.jobs) == 3
    assert trace.rejected["line"].tolist() == [1]


def test_a_job_name_may_hold_the_delimiter_if_it_is_the_last_field(tmp_path):
    line = forged(1)[0] | {"JobName": "a|b||c"}
    for text in (delimited([line]), xdmod([line]), delimited([line], end="|")):
        pd.testing.assert_frame_equal(read(tmp_path, text).jobs, truth([line]))
    text = delimited([line, line | {"JobName": "a"}], fields=["JobName", *FIELDS[:-1]])
    trace = read(tmp_path, text)
    assert len(trace.jobs) == 1
    assert trace.rejected["reason"].tolist() == ["20 fields found; expected 17."]


def test_a_rejected_line_keeps_number_reason_and_text(tmp_path):
    lines = forged(4)
    lines[2] |= {"Submit": "2022-02-30T00:00:00"}
    trace = read(tmp_path, delimited(lines))
    row = trace.rejected.iloc[0]
    assert len(trace.rejected) == 1
    assert row["line"] == 4
    assert row["reason"] == (
        "time '2022-02-30T00:00:00' is no date and time of 2000-2099; "
        "expected 2022-06-14T09:30:00 or Unknown."
    )
    assert row["text"].encode() == delimited(lines).split(b"\n")[3]
    assert trace.rejected.dtypes.astype(str).to_dict() == {
        "line": "int64",
        "reason": "string",
        "text": "string",
    }


def test_bytes_that_are_no_text_matter_only_where_they_are_read(tmp_path):
    header, first, second, third, fourth = delimited(
        [forged(1)[0] | {"User": "ann", "JobName": "train"}] * 4
    ).splitlines()
    latin_name = first.replace(b"train", b"gr\xf6\xdfe")
    latin_user = second.replace(b"|ann|", b"|j\xf6rg|")
    zero = third.replace(b"train", b"tr\0in")
    text = b"\n".join([header, latin_name, latin_user, zero, fourth]) + b"\n"
    trace = read(tmp_path, text)
    assert len(trace.jobs) == 2
    assert trace.rejected["line"].tolist() == [3, 4]
    assert "no text" in trace.rejected["reason"][0]
    assert "NUL" in trace.rejected["reason"][1]
    assert r"j\xf6rg" in trace.rejected["text"][0]


def test_an_ml_job_by_node_or_by_resources(tmp_path):
    base = forged(1)[0] | {"AllocTRES": "cpu=1", "ReqTRES": "", "Elapsed": "", "State": "CD"}
    lines = [
        base | {"NodeList": "gpu[7-8],r1n1"},
        base | {"NodeList": "r1n[1-2]", "AllocTRES": "cpu=1,gres/gpu:a100=2"},
        base | {"NodeList": "None assigned", "AllocTRES": "", "ReqTRES": "cpu=1,gres/gpu=1"},
        base | {"NodeList": "r1n1", "AllocTRES": ""},
    ]
    text = delimited(lines)
    assert read(tmp_path, text).jobs["is_ml"].tolist() == [False, True, True, pd.NA]
    by_node = read(tmp_path, text, gpu_nodes="gpu[1-40]").jobs["is_ml"]
    assert by_node.tolist() == [True, False, False, False]
    bare = delimited(lines, fields=[name for name in FIELDS if not name.endswith("TRES")])
    assert read(tmp_path, bare).jobs["is_ml"].isna().all()


def test_fields_that_the_file_lacks_are_null(tmp_path):
    trace = read(
        tmp_path, delimited(forged(20), fields=["State", "End", "Start", "Submit", "JobID"])
    )
    absent = ["nodes", "cores", "node_list", "partition", "user", "is_ml"]
    assert trace.jobs[absent].isna().all(axis=None)
    assert trace.jobs[["job_id", "submit", "state"]].notna().all(axis=None)


def test_the_better_of_two_fields_is_taken(tmp_path):
    line = forged(1)[0] | {"ReqCPUS": "3", "AllocCPUS": "8", "NCPUS": "8", "JobIDRaw": "99"}
    text = delimited([line], fields=["JobIDRaw", "ReqCPUS", "AllocCPUS", *FIELDS])
    assert read(tmp_path, text).jobs["cores"].tolist() == [8]
    assert read(tmp_path, text).jobs["job_id"].tolist() == [line["JobID"]]
    rest = [name for name in FIELDS if name not in {"NCPUS", "JobID"}]
    text = delimited([line], fields=["JobIDRaw", "ReqCPUS", *rest])
    assert read(tmp_path, text).jobs[["job_id", "cores"]].iloc[0].tolist() == ["99", 3]


def test_columns_names_the_fields_of_a_file_without_header(tmp_path):
    text = b"".join(delimited(forged(5)).splitlines(keepends=True)[1:])
    trace = read(tmp_path, text, columns=FIELDS)
    pd.testing.assert_frame_equal(trace.jobs, truth(forged(5)))


HEAD = b"JobID|Submit|Start|End|State|JobName\n"
GOOD = b"1|2022-06-01T00:00:00|2022-06-01T00:00:01|2022-06-01T00:00:02|COMPLETED|a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b"\n \n\r\n", "is empty"),
        (HEAD, "holds no job"),
        (HEAD + GOOD.replace(b"1|", b"1.batch|", 1), "holds no job"),
        (HEAD + b"a|b|c|d|e|f\n", "none of the 1 lines of jobs.sacct is a job.*line 2, job id 'a'"),
        (bytes(range(256)) * 40, "binary"),
        ("".join(HEAD.decode()).encode("utf-16"), "binary"),
        (gzip.compress(HEAD + GOOD), "gzip"),
        (b"PAR1" + bytes(100), "Parquet"),
        (HEAD.replace(b"Submit", b"Foo") + GOOD, "lacks the fields Submit; print it with sacct"),
        (b"JobID|JobName|Account\n1|a|b\n", "lacks the fields Submit, Start, End, State"),
        (b"hello\nworld\n", "no header and 1 fields"),
        (GOOD, "no header and 6 fields"),
        (HEAD + GOOD + b"x" * 2**20 + b"y" * 2**10, "line 3 is longer than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_sacct_output_ends_in_one_sentence(text, message, tmp_path):
    path = tmp_path / "jobs.sacct"
    path.write_bytes(text)
    with pytest.raises(SacctError, match=message) as caught:
        read_sacct(path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TraceError)
    with pytest.raises(SacctError, match=message):
        sacct_to_parquet(path, tmp_path / "out", block_bytes=1000)
    assert [child.name for child in tmp_path.iterdir()] == ["jobs.sacct"]


def test_wrong_arguments_end_in_one_sentence(tmp_path):
    with pytest.raises(SacctError, match="cannot be read"):
        read_sacct(tmp_path / "absent.sacct")
    with pytest.raises(SacctError, match="cannot be read"):
        read_sacct(tmp_path)
    with pytest.raises(SacctError, match="lacks the field NodeList"):
        read(tmp_path, HEAD + GOOD, gpu_nodes="gpu[1-4]")
    with pytest.raises(NodeListError, match="brackets"):
        read(tmp_path, delimited(forged(3)), gpu_nodes="gpu[4-1]")
    with pytest.raises(TraceError, match="names no node"):
        read(tmp_path, delimited(forged(3)), gpu_nodes="")
    with pytest.raises(SacctError, match="columns says JobID,Start"):
        read(tmp_path, delimited(forged(3)), columns=["JobID", "Start"])


# ---- fast = slow -------------------------------------------------------------------------------


def assert_fast_is_slow(text, name="x"):
    """Compare the fast reader with the reader of single lines; return the block."""
    layout = sniff(text, name)
    fast = parse(text, 0, layout)
    lines = text.split(b"\n")
    slow = one_by_one(enumerate(lines[:-1] if text.endswith(b"\n") else lines), layout)
    assert fast.jobs.schema.equals(SCHEMA)
    assert fast.jobs.equals(slow.jobs)
    assert fast.rejected == slow.rejected
    assert (fast.steps, fast.skipped, fast.rows) == (slow.steps, slow.skipped, slow.rows)
    assert fast.rows == len(fast.jobs) + len(fast.rejected) + fast.steps + fast.skipped
    return fast


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fast_is_slow_on_whole_files(layout):
    block = assert_fast_is_slow(LAYOUTS[layout](forged(500, seed=3)))
    assert len(block.jobs) == 500


JUNK = [
    *(b"", b" ", b"|", b"||", b"\0", b"\r", b"\r\r", b"\t", b"\x1f", b"\xff", b"\xc3", b'"', b"+"),
    *("é".encode(), "١".encode(), "\ufeff".encode(), "\u2028".encode(), b"-1", b"9" * 40, b"0"),
    *(b"Unknown", b"None", b"None assigned", b"(null)", b"INVALID", b"nan", b"1e9", b"0x10"),
    *(b"2022-02-30T00:00:00", b"9999-12-31T23:59:59", b"1969-12-31T19:00:00", b"1654041600"),
    *(b"1970-01-01T00:00:01", b"1999-12-31T23:59:59", b"2100-01-01T00:00:00"),
    *(b"2022-06-01 00:00:00", b"2022-06-01T00:00:00Z", b"2022-06-01T00:00", b"2022-06-01T24:00:00"),
    *(b"24:00:00", b"00:01.500", b"1-24:00:00", b"UNLIMITED", b"86400", b"12:30.55", b"12345678"),
    *(
        b"CANCELLED by 7",
        b"OUT_OF_ME+",
        b"CD",
        b"COMPL+",
        b"n[0-999999999]",
        b"n[1-",
        b"r1n[2-3]",
    ),
    *(b"7.batch", b"7_4", b"7+1", b"7_[1-9%2]", b"7.", b"4K", b"1.50K", b"4294967296", b"JobID"),
]


@pytest.mark.parametrize("field", FIELDS)
def test_fast_is_slow_for_every_odd_text_in_every_field(field):
    base = forged(1)[0]
    text = delimited([base | {field: "@@"}]).removesuffix(b"\n")
    header, line = text.split(b"\n")
    lines = [line.replace(b"@@", junk) for junk in JUNK]
    block = assert_fast_is_slow(b"\n".join([header, delimited([base]).split(b"\n")[1], *lines]))
    assert block.rows == len(JUNK) + 2


@pytest.mark.parametrize("field", ["Submit", "Elapsed"])
def test_fast_is_slow_for_an_odd_text_alone(field):
    # one text that the fast reader cannot cast turns it off for a column: try each by itself
    header, line = delimited([forged(1)[0] | {field: "@@"}]).splitlines()
    good = delimited(forged(1)).splitlines()[1]
    for junk in JUNK:
        assert_fast_is_slow(b"\n".join([header, good, line.replace(b"@@", junk)]))


@pytest.mark.parametrize("elapsed", ["00:00:10", "02:30:00", "1-00:00:00", ""])
def test_fast_is_slow_where_times_disagree(elapsed):
    base = forged(1)[0] | {"Start": "2022-06-02T12:00:00", "Elapsed": elapsed}
    start = np.datetime64(base["Start"], "s")
    shifts = [k * 3600 + s for k in range(-30, 31) for s in (-2, -1, 0, 1, 2, 10)]
    lines = [base | {"End": str(start + np.timedelta64(shift, "s"))} for shift in shifts]
    block = assert_fast_is_slow(delimited(lines))
    ran = {"00:00:10": 10, "02:30:00": 9000, "1-00:00:00": 86_400}.get(elapsed)
    kept = [shift >= -3600 if ran is None else abs(shift - ran) <= 3601 for shift in shifts]
    assert len(block.jobs) == sum(kept)
    assert 0 < len(block.jobs) < len(shifts)


@pytest.mark.parametrize("odd", [b"\xef\xbb\xbf%s", b"%s|", b"|%s", b'"%s"', b"%s\r\r", b" %s "])
@pytest.mark.parametrize("layout", ["parsable2", "parsable", "xdmod", "two bytes", "table"])
def test_fast_is_slow_for_lines_with_something_around_them(layout, odd):
    lines = LAYOUTS[layout](forged(6)).splitlines()
    for first in (0, 3):
        text = b"\n".join(odd % line if i >= first else line for i, line in enumerate(lines))
        layout_found = sniff(LAYOUTS[layout](forged(6)), "x")
        fast = parse(text, 0, layout_found)
        slow = one_by_one(enumerate(text.split(b"\n")), layout_found)
        assert fast.jobs.equals(slow.jobs)
        assert fast.rejected == slow.rejected
    if layout == "parsable":
        cut = parse(b"\n".join(line[:-1] + b"x" for line in lines), 0, layout_found)
        assert len(cut.jobs) == 0


def mutated(line, delimiter, rng):
    """Damage one line: fields put in, taken away or swapped, bytes changed."""
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        fields = line.split(delimiter)
        i, j = rng.randrange(len(fields)), rng.randrange(len(fields))
        at = rng.randrange(len(line) + 1)
        kind = rng.randrange(8)
        if kind == 0:
            fields[i] = rng.choice(JUNK)
        elif kind == 1:
            fields.insert(i, rng.choice(JUNK))
        elif kind == 2 and len(fields) > 1:
            del fields[i]
        elif kind == 3:
            fields[i], fields[j] = fields[j], fields[i]
        elif kind == 4:
            fields[i] = rng.choice([b" ", b"\t", b""]) + fields[i] + rng.choice([b" ", b"\r", b"+"])
        line = delimiter.join(fields)
        if kind == 5:
            line = line[:at] + bytes([rng.choice([*range(10), *range(11, 256)])]) + line[at + 1 :]
        elif kind == 6:
            line = line[:at]
        elif kind == 7:
            line = line[:at] + rng.choice(JUNK) + line[at:]
    return line.replace(b"\n", b"")


def fuzzed(lines, delimiter, number, seed):
    rng = random.Random(seed)
    return b"\n".join(mutated(rng.choice(lines), delimiter, rng) for _ in range(number)) + b"\n"


@pytest.mark.parametrize(
    ("layout", "delimiter"),
    [
        ("xdmod", b"|"),
        ("parsable2", b"|"),
        ("parsable", b"|"),
        ("table", b" "),
        ("two bytes", b"^|"),
    ],
)
def test_ten_thousand_damaged_lines_are_read_or_rejected(layout, delimiter):
    number = 10_000 if layout == "xdmod" else 3_000
    text = LAYOUTS[layout](forged(400, seed=5))
    lines = text.removesuffix(b"\n").split(b"\n")
    # whole lines first, so that the layout is found
    block = assert_fast_is_slow(text + fuzzed(lines[2:], delimiter, number, seed=len(layout)))
    assert block.rows == len(lines) + number
    assert len(block.jobs) > 400 + number // 20
    assert len(block.rejected) > number // 5
    assert all(reason.endswith(".") and "expected" in reason for _, reason, _ in block.rejected)


def test_fuzzed_seconds_since_1970():
    lines = forged(300)
    for line in lines:
        for name in ("Submit", "Start", "End"):
            if line[name] != "Unknown":
                line[name] = str(np.datetime64(line[name], "s").astype(int))
    text = delimited(lines)
    block = assert_fast_is_slow(text + fuzzed(text.split(b"\n")[1:-1], b"|", 3_000, seed=2))
    assert len(block.jobs) > 400


# ---- Parquet -----------------------------------------------------------------------------------


def test_parquet_is_the_job_table_for_any_block_size(tmp_path, monkeypatch):
    monkeypatch.setattr(sacct, "_PART_ROWS", 40)
    text = b"\xef\xbb\xbf" + xdmod(forged(150, seed=8))
    text += fuzzed(text.split(b"\n")[:-1], b"|", 100, seed=8).removesuffix(b"\n")
    trace = read(tmp_path, text, gpu_nodes="gpu[1-9]")
    files = {}
    for block_bytes in (1, 1000, 2**20):
        folder = tmp_path / str(block_bytes)
        rejected = sacct_to_parquet(
            tmp_path / "jobs.sacct", folder, gpu_nodes="gpu[1-9]", block_bytes=block_bytes
        )
        pd.testing.assert_frame_equal(rejected, trace.rejected)
        files[block_bytes] = {file.name: file.read_bytes() for file in folder.iterdir()}
        assert files[block_bytes] == files[1]
    parts = [pd.read_parquet(tmp_path / "1" / name) for name in sorted(files[1])]
    assert {len(part) for part in parts[:-1]} == {40}
    frame = pd.concat(parts, ignore_index=True)
    validate(frame)
    pd.testing.assert_frame_equal(frame.astype(COLUMNS), trace.jobs)


def test_parquet_replaces_its_own_files_and_no_others(tmp_path):
    path, folder = tmp_path / "jobs.sacct", tmp_path / "out"
    for number in (30, 20):
        path.write_bytes(delimited(forged(number)))
        sacct_to_parquet(path, folder)
    assert sum(pq.read_metadata(file).num_rows for file in folder.iterdir()) == 20
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SacctError, match="holds other files"):
        sacct_to_parquet(path, folder)
    assert (folder / "notes.txt").read_text() == "mine"


def test_parquet_that_cannot_be_written_leaves_nothing(tmp_path):
    # a limit on the size of files stands for a full disk
    path = tmp_path / "jobs.sacct"
    path.write_bytes(delimited(forged(5000)))
    program = (
        "import resource, sys; from restudy.traces.sacct import SacctError, sacct_to_parquet\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: sacct_to_parquet(sys.argv[1], sys.argv[2])\n"
        "except SacctError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written to" in result.stdout
    assert "expected a writable folder with free space." in result.stdout
    assert [child.name for child in tmp_path.iterdir()] == ["jobs.sacct"]


# ---- the real dumps ----------------------------------------------------------------------------


@pytest.fixture(params=DUMPS)
def dump(request):
    mirror = os.environ.get("RESTUDY_MIRROR")
    path = Path(mirror or ".") / "traces" / "xdmod_slurm" / request.param
    if not mirror or not path.exists():
        pytest.skip(f"needs {request.param} below RESTUDY_MIRROR/traces/xdmod_slurm")
    return path


@pytest.mark.data
def test_the_real_dumps_hold_what_unix_tools_count(dump):
    expected = json.loads(VALIDATION.read_text())[dump.name]
    trace = read_sacct(dump)
    jobs = trace.jobs
    assert trace.rejected.empty
    assert trace.rows == len(jobs) == expected["rows"]
    assert jobs["state"].value_counts().to_dict() == expected["states"]
    assert not jobs["node_list"].isna().any()
    assert unassigned(jobs).sum() == expected["unassigned"]
    assert jobs["is_ml"].sum() == expected["gpu_jobs"]
    assert jobs["nodes"].sum() == expected["nodes_sum"]
    assert jobs["cores"].sum() == expected["cores_sum"]
    assert (jobs["end"] - jobs["start"]).dt.total_seconds().sum() == expected["run_seconds_sum"]
    assert jobs["partition"].nunique() == expected["partitions"]
    assert jobs["user"].nunique() == expected["users"]
    for name in ("submit", "end"):
        times = jobs[name].agg(["min", "max"]).dt.strftime("%Y-%m-%dT%H:%M:%S")
        assert times.tolist() == expected[name]


@pytest.mark.data
def test_state_shares_of_the_real_dumps(dump):
    # as stated for these files: completed, failed, cancelled, preempted, timeout in per cent
    published = {
        "xdmod_pozidriv.log": {"COMPLETED": 86.6, "FAILED": 8.6, "CANCELLED": 4.0}
        | {"PREEMPTED": 0.7, "TIMEOUT": 0.1},
        "xdmod_phillips.log": {"COMPLETED": 54.2, "FAILED": 40.1, "CANCELLED": 5.7},
    }[dump.name]
    shares = 100 * read_sacct(dump).jobs["state"].value_counts(normalize=True)
    assert shares[list(published)].astype(float).round(1).to_dict() == published


@pytest.mark.data
def test_fast_is_slow_on_the_real_dumps_and_on_damaged_lines_of_them(dump):
    text = dump.read_bytes()
    assert_fast_is_slow(text)
    lines = text.split(b"\n")[:-1]
    block = assert_fast_is_slow(
        text[:100_000].rpartition(b"\n")[0] + b"\n" + fuzzed(lines, b"|", 10_000, seed=4)
    )
    assert len(block.rejected) > 2_000
