"""From any source to the canonical store, with the rules applied across the borders of parts.

First each part of the source is cleaned row by row and written as a piece with one record batch
a node. Then the nodes are taken a few at a time (a bucket): their batches of all pieces are put
in order, cleaned as series and written as parts by days. Every file gets its name when complete,
and what is complete is not made again, so a killed ingestion goes on where it stopped.

Memory of a task is a few times `bucket_bytes` or a part of the source; disk is that of the source
once more while it runs. The bytes of the store depend neither on the order of the source's rows
nor on its cutting into parts.
"""

import dataclasses
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pyarrow as pa

from restudy.telemetry import rows, store
from restudy.telemetry.metrics import TelemetryError, dtype
from restudy.telemetry.occurrences import NOTHING, Quality, from_json
from restudy.telemetry.quality import clean_rows, clean_series
from restudy.telemetry.rules import Rules
from restudy.telemetry.samples import Part, Telemetry

_DAY = 86_400
_PIECES = "pieces"
_KEY = "ingest.json"
_FACTS = b"facts"


@dataclass(frozen=True)
class _Task:
    """What each step needs to know."""

    folder: Path
    metrics: tuple[str, ...]
    interval_s: int
    rules: Rules


@dataclass(frozen=True)
class _Piece:
    """What a piece says of itself: rows by node, first and last time, and what was found."""

    path: Path
    nodes: tuple[str, ...]
    first: int
    last: int
    quality: Quality


def ingest(
    telemetry: Telemetry,
    folder: Path,
    *,
    metrics: Sequence[str] | None = None,
    rules: Rules | None = None,
    part_rows: int = 2**20,
    bucket_bytes: int = 2**28,
) -> Telemetry:
    """Write a source as a canonical store, or finish one that was begun.

    Parameters
    ----------
    telemetry : Telemetry
        The source: any order of rows, any parts, on the current Dask client or on threads.
    folder : pathlib.Path
        Where; it is made. ``quality.json`` in it tells what the rules found.
    metrics : sequence of str, optional
        Those to keep; all by default.
    rules : Rules, optional
        Limits of the rules.
    part_rows : int
        Rows of a part of the store, about.
    bucket_bytes : int
        Samples that a task holds at once; those of one node at least.

    Returns
    -------
    Telemetry
        The store, see `restudy.telemetry.store.open_store`.

    Raises
    ------
    TelemetryError
        If the source cannot be read, the folder cannot be written or holds another ingestion.
    """
    kept = tuple(telemetry.metrics if metrics is None else metrics)
    telemetry.require(kept)
    task = _Task(folder, kept, telemetry.interval_s, rules or Rules())
    _claim(telemetry, task, part_rows, bucket_bytes)
    if (folder / store.DESCRIPTION).is_file():
        return store.open_store(folder)
    write, finish = dask.delayed(_write_piece, pure=False), dask.delayed(_finish, pure=False)
    jobs = [write(task, number, part) for number, part in enumerate(telemetry.parts)]
    pieces = [piece for piece in dask.compute(*jobs) if piece.nodes]
    if not pieces:
        raise TelemetryError(f"the telemetry {telemetry.name} has no samples to ingest.")
    first = min(piece.first for piece in pieces) // _DAY
    last = max(piece.last for piece in pieces) // _DAY
    buckets = list(_buckets(pieces, task, (last - first + 1) * _DAY, bucket_bytes))
    days = _days(task, max(map(len, buckets)), part_rows)
    paths = [piece.path for piece in pieces]
    made = dask.compute(
        *(finish(task, number, bucket, paths, days) for number, bucket in enumerate(buckets))
    )
    found = sum((piece.quality for piece in pieces), NOTHING)
    found = sum((from_json(one["quality"]) for one in made), found)
    store.write_json(found.to_json(), folder / store.QUALITY)
    parts = tuple(
        store.part(folder / store.PARTS / file, kept) for one in made for file in one["files"]
    )
    nodes = tuple(sorted({node for bucket in buckets for node in bucket}))
    result = dataclasses.replace(telemetry, parts=parts, metrics=kept, nodes=nodes)
    store.describe(result, folder)
    shutil.rmtree(folder / _PIECES, ignore_errors=True)
    return store.open_store(folder)


def _claim(telemetry: Telemetry, task: _Task, *sizes: int) -> None:
    """Make the folder this ingestion's, or see that it is."""
    text = repr((telemetry, task.metrics, task.rules, sizes))
    key = hashlib.sha256(text.encode()).hexdigest()
    file = task.folder / _KEY
    complete = (task.folder / store.DESCRIPTION).is_file()
    try:
        for name in (store.PARTS,) if complete else (store.PARTS, _PIECES):
            (task.folder / name).mkdir(parents=True, exist_ok=True)
        if not file.exists():
            store.write_json({"key": key, "source": telemetry.name}, file)
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TelemetryError(
            f"{task.folder} cannot be used as a store ({error}); name another folder."
        ) from error
    if found.get("key") != key:
        raise TelemetryError(
            f"{task.folder} holds another ingestion (of {found.get('source')}, or with other "
            "metrics, parts or rules); name another folder or remove it."
        )


def _write_piece(task: _Task, number: int, part: Part) -> _Piece:
    """Clean a part of the source row by row and write it node by node; skip it if that is done."""
    path = task.folder / _PIECES / f"{number:06d}.arrow"
    if path.exists():
        return _open_piece(path)
    read = getattr(part, "rows", part.read)  # as they lie in the file where the part can tell
    frame, quality = clean_rows(read(task.metrics), task.metrics, task.rules)
    code = frame["node"].cat.codes.to_numpy()
    order = np.argsort(code, kind="stable")
    used, begin = np.unique(code[order], return_index=True)
    time = frame["time"].to_numpy().view("int64")
    facts = {
        "nodes": [str(frame["node"].cat.categories[at]) for at in used],
        "first": int(time.min(initial=2**62)),
        "last": int(time.max(initial=-(2**62))),
        "quality": quality.to_json(),
    }
    table = pa.table(
        {"time": time[order], **{n: frame[n].to_numpy(dtype(n))[order] for n in task.metrics}}
    ).replace_schema_metadata({_FACTS: json.dumps(facts)})
    _write_batches(table, np.append(begin, len(order)), path)
    return _open_piece(path)


def _write_batches(table: pa.Table, borders: np.ndarray, path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        store.replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=options) as writer,
    ):
        for begin, end in itertools.pairwise(borders):
            writer.write_table(table.slice(begin, end - begin), max_chunksize=2**62)


def _open_piece(path: Path) -> _Piece:
    with pa.memory_map(str(path)) as file:
        facts: dict[str, Any] = json.loads(pa.ipc.open_file(file).schema.metadata[_FACTS])
    return _Piece(
        path, tuple(facts["nodes"]), facts["first"], facts["last"], from_json(facts["quality"])
    )


def _buckets(
    pieces: Sequence[_Piece], task: _Task, seconds: int, most: int
) -> Iterator[tuple[str, ...]]:
    """Cut the nodes, in order, into buckets of at most that many bytes, one node at least."""
    nodes = sorted({node for piece in pieces for node in piece.nodes})
    each = (
        seconds // max(task.interval_s, 1) * (8 + sum(int(dtype(n)[5:]) // 8 for n in task.metrics))
    )
    size = max(1, most // max(each, 1))
    yield from (tuple(nodes[at : at + size]) for at in range(0, len(nodes), size))


def _days(task: _Task, nodes: int, part_rows: int) -> int:
    """Give the days of a part: as many as fit in its rows, one at least."""
    return max(1, part_rows * max(task.interval_s, 1) // (_DAY * nodes))


def _finish(
    task: _Task, number: int, bucket: tuple[str, ...], pieces: Sequence[Path], days: int
) -> dict[str, Any]:
    """Put the samples of some nodes in order, clean them as series and write their parts."""
    done = task.folder / _PIECES / f"bucket-{number:06d}.json"
    if done.exists():
        saved: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return saved
    read = _gather(task, bucket, pieces)
    frame, quality = clean_series(read, task.metrics, task.interval_s, task.rules)
    span = frame["time"].to_numpy().view("int64") // (_DAY * days)
    files = []
    for at in np.unique(span):
        date = np.datetime64(int(at) * days, "D")
        files.append(f"{date}-bucket-{number:06d}.parquet")
        chosen = frame[span == at]
        names = chosen["node"].cat.remove_unused_categories()
        store.write_part(
            chosen.assign(node=names), task.metrics, task.folder / store.PARTS / files[-1]
        )
    content = {"files": files, "quality": quality.to_json()}
    store.write_json(content, done)
    return content


def _gather(task: _Task, bucket: tuple[str, ...], pieces: Sequence[Path]) -> pd.DataFrame:
    """Read the batches of some nodes from all pieces."""
    batches: list[pa.RecordBatch] = []
    codes: list[np.ndarray] = []
    for path in pieces:
        names = _open_piece(path).nodes
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for code, node in enumerate(bucket):
                if node in names:
                    batch = reader.get_batch(names.index(node))
                    batches.append(batch.replace_schema_metadata(None))
                    codes.append(np.full(batch.num_rows, code, "int64"))
    table = pa.Table.from_batches(batches)
    del batches
    arrays = {name: table[name].to_numpy() for name in task.metrics}
    names_of_rows = rows.ordered(np.concatenate(codes), bucket)
    return rows.frame(table["time"].to_numpy(), names_of_rows, arrays)
