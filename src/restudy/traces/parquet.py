"""Parquet files of jobs: which kind they are, and what is wrong with them."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from restudy.traces.jobs import COLUMNS, TraceError

_BATCH_ROWS = 200_000
_GROUP_ROWS = 2**17

_KINDS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "whole numbers": pa.types.is_integer,
    "text or whole numbers": lambda kind: (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ),
    "numbers": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind),
    "times without time zone": lambda kind: pa.types.is_timestamp(kind) and kind.tz is None,
    "true or false": pa.types.is_boolean,
}
# Without these, numbers with nulls would become floats on the way.
_PANDAS_TYPES = {
    pa.string(): pd.StringDtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
_OF_PANDAS = {
    "string": "text",
    "datetime64[s]": "times without time zone",
    "Int32": "whole numbers",
    "boolean": "true or false",
}

# Kind of each column that a reader needs.
JOB_TABLE: Mapping[str, str] = {
    name: "text or whole numbers" if name in {"job_id", "user"} else _OF_PANDAS[kind]
    for name, kind in COLUMNS.items()
}


def files(path: Path) -> list[Path]:
    """Parquet files of a path: itself, or those directly in a folder.

    Raises
    ------
    TraceError
        If there is no such file, or the folder holds none.
    """
    if path.is_dir():
        found = sorted(path.glob("*.parquet"))
        if not found:
            raise TraceError(
                f"{path} is a folder without *.parquet files; give a file printed by sacct, a "
                "Parquet job table, or a folder of its parts."
            )
        return found
    if not path.exists():
        raise TraceError(f"there is no file {path}; give the path of a job trace.")
    return [path]


def arrow_schema(path: Path) -> pa.Schema:
    """Columns and types of a Parquet file.

    Raises
    ------
    TraceError
        If the file is empty, truncated or no Parquet.
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise TraceError(
            f"{path.name} ({_size(path)} bytes) cannot be read as Parquet: {_short(error)}; "
            "expected a complete Parquet file, so copy or download it again."
        ) from error


def require(found: pa.Schema, columns: Mapping[str, str], name: str) -> None:
    """Refuse a file that lacks columns or has them of another kind.

    Parameters
    ----------
    found : pyarrow.Schema
        What the file has.
    columns : mapping of str to str
        Kind of each needed column, see `JOB_TABLE`.
    name : str
        Name of the file, for the message.

    Raises
    ------
    TraceError
        Naming every missing or mistyped column, what was found and what is expected.
    """
    if missing := [column for column in columns if column not in found.names]:
        raise TraceError(
            f"{name} lacks the columns {', '.join(missing)}; it has {', '.join(found.names)}."
        )
    wrong = [
        f"{column} is {_value_type(found.field(column).type)}, expected {kind}"
        for column, kind in columns.items()
        if not _fits(found.field(column).type, kind)
    ]
    if wrong:
        raise TraceError(f"{name} has mistyped columns: {'; '.join(wrong)}.")


def frames(paths: list[Path], columns: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    """Read Parquet files a batch at a time, with checks.

    Raises
    ------
    TraceError
        If a file is damaged, has not the needed columns, or if there is no row in any.
    """
    rows = 0
    for path in paths:
        require(arrow_schema(path), columns, path.name)
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
                    rows += batch.num_rows
                    yield batch.to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise TraceError(
                f"{path.name} is damaged: {_short(error)}; expected a complete Parquet file, so "
                "copy or download it again."
            ) from error
    if rows == 0:
        raise TraceError(f"{paths[0].name} holds no job; expected at least one row.")


def read(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read a small Parquet file as one table; raises as `frames` does."""
    return pd.concat(frames([path], columns), ignore_index=True)


def _fits(kind: pa.DataType, wanted: str) -> bool:
    return pa.types.is_null(kind) or _KINDS[wanted](_value_type(kind))


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,}" if path.is_file() else "no"


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")[:200]


@cache
def schema() -> pa.Schema:
    """Arrow schema of a job table, with what pandas needs to give back the types of `COLUMNS`."""
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
    found = pa.Schema.from_pandas(empty, preserve_index=False)
    plain = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
        for field in found
    ]
    return pa.schema(plain, metadata=found.metadata)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow job table, or some columns of one, as pandas with the types of `COLUMNS`."""
    frame = table.to_pandas(ignore_metadata=True, types_mapper=_PANDAS_TYPES.get)
    return frame.astype({name: COLUMNS[name] for name in table.column_names})


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a job table under a temporary name, then give it its own."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd", row_group_size=_GROUP_ROWS)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
