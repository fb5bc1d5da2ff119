"""Many lines of `sacct` at once.

The fast reader takes the lines whose fields have the forms that sacct prints nearly always, and
hands every other line to `one_by_one`, which is slow and defines what a line says.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from restudy.traces import sacct_fields as fields_of
from restudy.traces.sacct_fields import BadFieldError, Job
from restudy.traces.sacct_layout import BOM, Layout, SacctError

LINE_BYTES = 2**20
_CSV_BLOCK = 2**18  # small enough for the processor's cache
_SEPARATOR = b"\x1f"
_NODE_LIST = [("node_list", pa.string()), ("cut", pa.bool_())]
SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("job_id", pa.string()),
        ("submit", pa.timestamp("s")),
        ("start", pa.timestamp("s")),
        ("end", pa.timestamp("s")),
        ("state", pa.string()),
        ("nodes", pa.int32()),
        ("cores", pa.int32()),
        ("node_list", pa.string()),
        ("partition", pa.string()),
        ("user", pa.string()),
        ("gpu", pa.bool_()),
        ("cut", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Block:
    """What some lines of the file say; `jobs` has the columns of `SCHEMA`."""

    jobs: pa.Table
    rejected: list[tuple[int, str, str]]
    steps: int
    skipped: int
    rows: int


def parse(text: bytes, first: int, layout: Layout) -> Block:
    """Read whole lines, the common forms at once and the others one by one."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    buffer = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(buffer == ord("\n"))
    if text[-1:] != b"\n":
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts
    refuse_long(int(lengths.max()), first + int(lengths.argmax()))
    clean = ~_odd(text, buffer, ends) & (lengths < _CSV_BLOCK // 4)
    if layout.spans or len(layout.delimiter) > 1:
        regular = _rewritten(text, starts, ends, clean, layout)
        delimiter, trailing = _SEPARATOR, False
    else:
        bars = np.flatnonzero(buffer == layout.delimiter[0])
        counts = np.diff(np.searchsorted(bars, ends), prepend=0)
        clean &= counts == len(layout.names) - (not layout.trailing)
        regular = text if clean.all() else _kept(buffer, clean, starts, ends)
        delimiter, trailing = layout.delimiter, layout.trailing
    lines = np.flatnonzero(clean)
    table, steps = _columns(regular, lines, delimiter, trailing, layout)
    done = np.zeros(len(ends), dtype=bool)
    done[table["line"].to_numpy()] = True
    done[steps] = True
    odd = np.flatnonzero(~done)
    slow = one_by_one(((i, text[starts[i] : ends[i]]) for i in odd.tolist()), layout)
    if len(slow.jobs):
        table = pa.concat_tables([table, slow.jobs]).sort_by("line")
    return Block(
        jobs=table.set_column(0, "line", pc.add(table["line"], first)),
        rejected=[(i + first, reason, shown) for i, reason, shown in slow.rejected],
        steps=len(steps) + slow.steps,
        skipped=slow.skipped,
        rows=len(ends),
    )


def refuse_long(length: int, line: int) -> None:
    """Stop at a line that sacct cannot have printed, before it fills the memory."""
    if length > LINE_BYTES:
        raise SacctError(
            f"line {line} is longer than {LINE_BYTES:,} bytes; expected lines printed by sacct."
        )


def one_by_one(lines: Iterable[tuple[int, bytes]], layout: Layout) -> Block:
    """Read numbered lines, each for itself: the definition of what a line says."""
    jobs: list[dict[str, Any]] = []
    rejected: list[tuple[int, str, str]] = []
    steps = skipped = rows = 0
    for number, raw in lines:
        rows += 1
        line = raw.rstrip(b"\r").removeprefix(BOM)
        if not line.strip() or layout.is_heading(line):
            skipped += 1
            continue
        try:
            job = _job(line, layout)
        except BadFieldError as error:
            rejected.append((number, str(error), line.decode("utf-8", "backslashreplace")))
            continue
        if job is None:
            steps += 1
        else:
            jobs.append({"line": number, **job._asdict()})
    return Block(pa.Table.from_pylist(jobs, schema=SCHEMA), rejected, steps, skipped, rows)


def _job(line: bytes, layout: Layout) -> Job | None:
    if b"\0" in line:
        raise BadFieldError("the line holds NUL bytes; expected text.")
    parts = layout.split(line)
    texts = {role: parts[i].decode("utf-8", "replace") for role, i in layout.roles.items()}
    return fields_of.job(texts, epoch=layout.epoch)


def _odd(text: bytes, buffer: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Mark lines with bytes that a fast reader may take for something else."""
    odd = np.zeros(len(ends), dtype=bool)
    for byte in (b"\0", b"\r", _SEPARATOR):
        if byte in text:
            odd[np.searchsorted(ends, np.flatnonzero(buffer == byte[0]))] = True
    if text.isascii():
        return odd
    for i in np.unique(np.searchsorted(ends, np.flatnonzero(buffer >= 0x80))).tolist():
        line = text[ends[i - 1] + 1 if i else 0 : ends[i]]
        try:
            line.decode()
        except UnicodeDecodeError:
            odd[i] = True  # read by itself, with marks in place of the bytes
    return odd


def _kept(buffer: np.ndarray, keep: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bytes:
    """Copy the lines to keep, each with its end of line."""
    lengths = np.minimum(ends + 1, len(buffer)) - starts
    return buffer[np.repeat(keep, lengths)].tobytes()


def _rewritten(
    text: bytes, starts: np.ndarray, ends: np.ndarray, clean: np.ndarray, layout: Layout
) -> bytes:
    """Put one separator between the fields of the clean lines; unmark what cannot be cut."""
    lines = []
    for i in np.flatnonzero(clean).tolist():
        try:
            parts = layout.split(text[starts[i] : ends[i]])
        except BadFieldError:
            clean[i] = False  # comes back one by one, with its reason
        else:
            lines.append(_SEPARATOR.join(part.strip() for part in parts))
    return b"\n".join(lines)


def _columns(
    text: bytes, lines: np.ndarray, delimiter: bytes, trailing: bool, layout: Layout
) -> tuple[pa.Table, np.ndarray]:
    """Read lines of equal form at once; returns the jobs and the lines that are steps.

    Lines in neither are to be read one by one.
    """
    if not len(lines):
        return SCHEMA.empty_table(), lines
    names = [str(i) for i in range(len(layout.names) + trailing)]
    text_of = _read_csv(text, delimiter, names, layout)
    if len(text_of) != len(lines):
        raise AssertionError(f"{len(text_of)} rows from {len(lines)} lines")
    column = {role: text_of[str(i)].combine_chunks() for role, i in layout.roles.items()}
    columns, good = _values(column, layout.epoch, len(lines))
    whole = _flags(pc.equal(text_of[names[-1]], "")) if trailing else np.ones(len(lines), bool)
    job = _matches(column["job_id"], fields_of.JOB)
    step = (
        np.zeros(len(lines), dtype=bool)
        if job.all()
        else _matches(column["job_id"], fields_of.STEP)
    )
    good &= whole & job & _agrees(columns)
    table = pa.table(
        [pa.array(lines), column["job_id"], *(columns[name] for name in SCHEMA.names[2:])],
        schema=SCHEMA,
    )
    return (table if good.all() else table.filter(pa.array(good))), lines[step & whole]


def _read_csv(text: bytes, delimiter: bytes, names: list[str], layout: Layout) -> pa.Table:
    wanted = sorted({*layout.roles.values(), len(names) - 1})
    return pyarrow.csv.read_csv(
        pa.BufferReader(text),
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, use_threads=False, block_size=_CSV_BLOCK
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter.decode(),
            quote_char=False,
            escape_char=False,
            newlines_in_values=False,
            ignore_empty_lines=False,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            check_utf8=False,
            include_columns=[names[i] for i in wanted],
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[],
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    )


def _values(
    column: dict[str, pa.Array], epoch: bool, rows: int
) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Turn texts to values; the mask tells where all of them could be."""
    good = np.ones(rows, dtype=bool)
    empty = pa.array([""]).take(pa.array(np.zeros(rows, dtype=np.int8)))

    def read(role: str, parse: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
        values, readable = _by_value(column.get(role, empty), parse, kind)
        np.logical_and(good, readable, out=good)
        return values

    values = {}
    for role in ("submit", "start", "end"):
        values[role], readable = _times(column[role], epoch)
        good &= readable
    values["elapsed"], readable = _elapsed(column.get("elapsed", empty))
    good &= readable
    values["suspended"] = read("suspended", fields_of.seconds, pa.float64())
    values["state"] = read("state", fields_of.state, pa.string())
    for role in ("nodes", "cores"):
        values[role] = read(role, fields_of.count, pa.int32())
    node_list = read("node_list", fields_of.nodes_of, pa.struct(_NODE_LIST))
    values["node_list"], values["cut"] = node_list.field(0), node_list.field(1)
    for role in ("partition", "user"):
        values[role] = read(role, fields_of.label, pa.string())
    values["gpu"] = pc.coalesce(
        read("alloc_tres", fields_of.uses_gpu, pa.bool_()),
        read("req_tres", fields_of.uses_gpu, pa.bool_()),
    )
    return values, good


def _by_value(
    column: pa.Array, parse: Callable[[str], Any], kind: pa.DataType
) -> tuple[pa.Array, np.ndarray]:
    """Parse each distinct text once; the mask tells which rows could be parsed."""
    encoded = column.dictionary_encode()
    values, readable = [], []
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(parse(text))
            readable.append(True)
        except BadFieldError:
            values.append(None)  # the line comes back one by one, with its reason
            readable.append(False)
    return (
        pa.array(values, type=kind).take(encoded.indices),
        np.array(readable, dtype=bool)[encoded.indices.to_numpy()],
    )


def _times(column: pa.Array, epoch: bool) -> tuple[pa.Array, np.ndarray]:
    """Return times to the second and where they are readable or unknown."""
    by_value = partial(_by_value, column, partial(fields_of.time, epoch=epoch), pa.timestamp("s"))
    if epoch:
        return by_value()
    # of 19 characters, the cast takes 2022-06-14T09:30:00 (or a blank for the T) and nothing else
    dated = pc.equal(pc.binary_length(column), 19)
    try:
        times = pc.if_else(dated, column, None).cast(pa.timestamp("s"))
    except pa.ArrowInvalid:
        return by_value()
    unknown = pc.is_in(column, value_set=pa.array(fields_of.UNKNOWN_TIMES))
    number = times.cast(pa.int64())
    known = pc.and_(pc.greater_equal(number, fields_of.OLDEST), pc.less(number, fields_of.NEWEST))
    return times, _flags(pc.or_(pc.coalesce(known, False), unknown))


def _elapsed(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return seconds and where they are readable."""
    if _matches(column, fields_of.RAW_SECONDS).all():
        return column.cast(pa.float64()), np.ones(len(column), dtype=bool)
    # of 8 characters, the cast takes 09:30:00 and nothing else
    clock = pc.equal(pc.binary_length(column), 8)
    try:
        times = pc.binary_join_element_wise("1970-01-01T", pc.if_else(clock, column, None), "")
        below_a_day = times.cast(pa.timestamp("s")).cast(pa.int64())
    except pa.ArrowInvalid:
        return _by_value(column, fields_of.seconds, pa.float64())
    others, good = _by_value(pc.if_else(clock, "", column), fields_of.seconds, pa.float64())
    return pc.coalesce(below_a_day.cast(pa.float64()), others), good


def _agrees(columns: dict[str, pa.Array]) -> np.ndarray:
    """Tell where the times of a line do not contradict each other at all.

    A line that a clock change may explain is read one by one.
    """
    start, end, elapsed, suspended = (
        columns[name].cast(pa.float64() if name in {"elapsed", "suspended"} else pa.int64())
        for name in ("start", "end", "elapsed", "suspended")
    )
    span = pc.subtract(end, start)
    gap = pc.subtract(pc.subtract(span, elapsed), pc.coalesce(suspended, 0.0))
    small = pc.less_equal(pc.abs(gap), 1.0)
    forward = pc.greater_equal(span, 0)
    # unknown times agree with everything, and without an elapsed time only the order counts
    return _flags(pc.coalesce(small, forward, pa.scalar(True)))


def _matches(column: pa.Array, pattern: str) -> np.ndarray:
    return _flags(pc.match_substring_regex(column, _whole(pattern)))


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _flags(column: pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=bool)
