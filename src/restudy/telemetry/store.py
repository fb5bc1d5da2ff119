"""The canonical store: Parquet parts by days and nodes, in order, with what describes them.

A folder with ``telemetry.json``, ``quality.json`` and ``parts/*.parquet``. Columns are ``time``
(UTC where known), ``node`` and metrics, rows in order of node and time, each pair once.
"""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from restudy.telemetry import runs
from restudy.telemetry.clocks import Clock
from restudy.telemetry.metrics import TelemetryError, dtype
from restudy.telemetry.node_table import ParquetPart
from restudy.telemetry.occurrences import Quality, from_json
from restudy.telemetry.rows import Layout
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import Source

DESCRIPTION = "telemetry.json"
QUALITY = "quality.json"
PARTS = "parts"

_GROUP_ROWS = 2**18
_FIELDS = ("name", "title", "metrics", "nodes", "interval_s", "clock", "real", "dataset", "parts")


def schema(metrics: Sequence[str]) -> pa.Schema:
    """Columns of a part."""
    kinds = {"float32": pa.float32(), "float64": pa.float64()}
    names = pa.dictionary(pa.int32(), pa.string())
    fields = [pa.field("time", pa.timestamp("s")), pa.field("node", names)]
    return pa.schema([*fields, *(pa.field(name, kinds[dtype(name)]) for name in metrics)])


def to_arrow(frame: pd.DataFrame, metrics: Sequence[str]) -> pa.Table:
    """Give a frame of samples as a part's table."""
    node, time = frame["node"].array, frame["time"].to_numpy("datetime64[s]")
    names = [str(name) for name in node.categories]
    columns = [
        pa.array(time),
        pa.DictionaryArray.from_arrays(pa.array(np.asarray(node.codes, "int32")), pa.array(names)),
        *(pa.array(frame[name].to_numpy(dtype(name))) for name in metrics),
    ]
    said = runs.note(time.view("int64"), np.asarray(node.codes, "int64"), names)
    return pa.Table.from_arrays(columns, schema=schema(metrics).with_metadata(said or None))


def write_part(frame: pd.DataFrame, metrics: Sequence[str], path: Path) -> None:
    """Write samples in order as one part, under a temporary name first."""
    table = to_arrow(frame, metrics)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=_GROUP_ROWS)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a small file, under a temporary name first."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


class replacing:  # noqa: N801
    """Give a temporary name, and the final one to what was written there without an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            os.replace(self.temporary, self.path)
            return
        self.temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TelemetryError(
                f"{self.path} cannot be written ({error.strerror or error}): make room or name "
                "another folder; what is finished is kept."
            ) from error


def describe(telemetry: Telemetry, folder: Path) -> None:
    """Write the description of a store whose parts lie in `folder`; that completes it."""
    content = {name: getattr(telemetry, name) for name in _FIELDS}
    content["parts"] = [
        {"file": Path(part.source.path).name, "row_groups": len(part.groups)}
        for part in telemetry.parts
        if isinstance(part, ParquetPart)
    ]
    write_json(content, folder / DESCRIPTION)


def open_store(folder: Path) -> Telemetry:
    """Give the telemetry of a canonical store.

    Parameters
    ----------
    folder : pathlib.Path
        What `restudy.telemetry.ingest.ingest` wrote; it may have been moved.

    Returns
    -------
    Telemetry
        One part a file.

    Raises
    ------
    TelemetryError
        If the folder is no complete store.
    """
    try:
        saved = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        parts = tuple(
            _part(folder, one["file"], one["row_groups"], saved["metrics"])
            for one in saved["parts"]
        )
        return Telemetry(
            name=saved["name"],
            title=saved["title"],
            parts=parts,
            metrics=tuple(saved["metrics"]),
            nodes=tuple(saved["nodes"]),
            interval_s=int(saved["interval_s"]),
            clock=saved["clock"],
            real=bool(saved["real"]),
            dataset=saved["dataset"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TelemetryError(
            f"{folder} is no complete store of node metrics ({type(error).__name__}: {error}); "
            "ingest the source again, which goes on where it stopped."
        ) from error


def open_quality(folder: Path) -> Quality:
    """Give what the rules found when a store was made; raises TelemetryError if it is absent."""
    try:
        return from_json(json.loads((folder / QUALITY).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TelemetryError(
            f"{folder} has no readable {QUALITY} ({type(error).__name__}: {error}); ingest the "
            "source again."
        ) from error


def part(path: Path, metrics: Sequence[str]) -> ParquetPart:
    """Give a file of the store as a part."""
    with pq.ParquetFile(path) as file:
        return _part(path.parents[1], path.name, file.num_row_groups, metrics)


def _part(folder: Path, file: str, groups: int, metrics: Sequence[str]) -> ParquetPart:
    layout = Layout("time", "node", tuple((name, name) for name in metrics), Clock())
    source = Source(str(folder / PARTS / file))
    return ParquetPart(source, tuple(range(groups)), layout, own=True)
