"""Parquet files of node metrics: on their own, in a folder, or inside a zip archive."""

import mmap
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from restudy.telemetry.metrics import TelemetryError

_LOCAL_HEADER = 30  # bytes before the name in a zip archive's local header


@dataclass(frozen=True)
class Source:
    """A Parquet file, or a member of a zip archive that is one.

    Attributes
    ----------
    path : str
        The file or the archive.
    member : str
        Name within the archive; empty for a file.
    """

    path: str
    member: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return Path(self.member or self.path).name

    def open(self, *, names: Sequence[str] = ()) -> pq.ParquetFile:
        """Open it; `names` are columns to be read as dictionaries.

        A stored member is mapped into memory, so that only what is needed is read; a deflated one
        is unpacked into memory as a whole.

        Raises
        ------
        TelemetryError
            If it is empty, truncated or no Parquet.
        """
        try:
            file = _member(self.path, self.member) if self.member else self.path
            return pq.ParquetFile(file, read_dictionary=list(names) or None)
        except (pa.ArrowException, OSError, zipfile.BadZipFile, KeyError) as error:
            raise TelemetryError(
                f"{self.name} cannot be read as Parquet ({_short(error)}); expected a complete "
                "Parquet file, so copy or download it again."
            ) from error

    def schema(self) -> pa.Schema:
        """Columns and types; raises as `open`."""
        with self.open() as file:
            return file.schema_arrow

    def read(
        self, columns: Sequence[str], groups: Sequence[int] | None = None, *, names: str = ""
    ) -> pa.Table:
        """Read columns of some row groups, by default all, on one thread; raises as `open`."""
        with self.open(names=[names] if names else []) as file:
            wanted = range(file.num_row_groups) if groups is None else groups
            with telling(self.name):
                return file.read_row_groups(list(wanted), columns=list(columns), use_threads=False)


class telling:  # noqa: N801
    """Turn an error of reading Parquet into a sentence that names the file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError):
            raise TelemetryError(
                f"{self.name} is damaged ({_short(error)}); expected a complete Parquet file, so "
                "copy or download it again."
            ) from error


def find(path: Path) -> list[Source]:
    """Give the Parquet files of a path: itself, a folder's, or a zip archive's members.

    Raises
    ------
    TelemetryError
        If there is no such path, or no Parquet file in it.
    """
    if path.is_dir():
        found = [Source(str(file)) for file in sorted(path.rglob("*.parquet"))]
    elif not path.exists():
        raise TelemetryError(f"there is no file {path}; give the path of node metrics.")
    elif path.suffix == ".zip" or zipfile.is_zipfile(path):
        found = [Source(str(path), member) for member in _members(path)]
    else:
        return [Source(str(path))]
    if not found:
        raise TelemetryError(
            f"{path} holds no *.parquet file; give a Parquet file, or a folder or zip archive "
            "of its parts."
        )
    return found


def require(source: Source, found: pa.Schema, kinds: Mapping[str, str]) -> None:
    """Refuse a file that lacks columns or has them of another kind.

    Parameters
    ----------
    source : Source
        For the message.
    found : pyarrow.Schema
        What it has.
    kinds : mapping of str to str
        Kind of each needed column: ``"times"``, ``"text"`` or ``"numbers"``.

    Raises
    ------
    TelemetryError
        Naming every missing or mistyped column.
    """
    if missing := [name for name in kinds if name not in found.names]:
        raise TelemetryError(
            f"{source.name} lacks the columns {', '.join(missing)}; it has "
            f"{', '.join(found.names[:100])}."
        )
    wrong = [
        f"{name} is {found.field(name).type}, expected {kind}"
        for name, kind in kinds.items()
        if not KINDS[kind](found.field(name).type)
    ]
    if wrong:
        raise TelemetryError(f"{source.name} has mistyped columns: {'; '.join(wrong)}.")


def row_groups(source: Source, most: int) -> Iterator[tuple[int, ...]]:
    """Cut a file into runs of row groups of at most `most` rows, one row group at least."""
    with source.open() as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    run: tuple[int, ...] = ()
    rows = 0
    for group, size in enumerate(sizes):
        if run and rows + size > most:
            yield run
            run, rows = (), 0
        if size:
            run, rows = (*run, group), rows + size
    if run:
        yield run


def distinct(sources: Sequence[Source], column: str) -> set[str]:
    """Name all values of a text column: from statistics of row groups, else read it alone."""
    names: set[str] = set()
    for source in sources:
        with source.open(names=[column]) as file, telling(source.name):
            place = file.schema_arrow.names.index(column)
            for group in range(file.num_row_groups):
                chunk = file.metadata.row_group(group).column(place)
                known = chunk.statistics if chunk.is_stats_set else None
                if known is not None and known.has_min_max and known.min == known.max:
                    names.add(str(known.min))
                else:
                    table = file.read_row_group(group, columns=[column])
                    names.update(table[column].unique().to_pylist())
    return {str(name) for name in names if name is not None}


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column can hold a metric."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column can hold names."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_time(kind: pa.DataType) -> bool:
    """Tell whether a column can hold times: of a calendar, or seconds since 1970."""
    return bool(
        pa.types.is_timestamp(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    )


KINDS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "times": is_time,
    "text": is_text,
    "numbers": is_number,
}


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(name for name in archive.namelist() if name.endswith(".parquet"))
    except (OSError, zipfile.BadZipFile) as error:
        raise TelemetryError(
            f"{path.name} cannot be read as a zip archive ({_short(error)}); copy or download "
            "it again."
        ) from error


def _member(path: str, member: str) -> pa.BufferReader:
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(member)
        if entry.compress_type != zipfile.ZIP_STORED:
            return pa.BufferReader(archive.read(entry))
    with Path(path).open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        sizes = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        begin = entry.header_offset + _LOCAL_HEADER + sum(sizes)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.BufferReader(pa.py_buffer(mapped).slice(begin, entry.file_size))


def _short(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".")[:200] if lines else type(error).__name__
