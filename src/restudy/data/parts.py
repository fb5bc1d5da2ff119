"""The parts of a published file that can be read alone: row groups, or members of an archive."""

import difflib
import functools
import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from restudy.data.catalogue import DataError

STEP = 1 << 23  # bytes read at once, each step one request where the file is remote
GAP = 1 << 16  # bytes between two columns that are read rather than asked for separately
HELD = 1 << 29  # compressed bytes of a row group that may be held in memory
ROWS = 1 << 17  # rows decoded at once

# What reading a damaged part raises, beside OSError; pyarrow's own errors are among them.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, ValueError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes
    ----------
    path : str
        Where it goes below the sample's folder.
    member : str
        What it is in the source.
    group : str
        Parts are counted in each group by itself.
    size : int
        Bytes it takes in the source.
    following : int
        What to give to `contents` to go on after it.
    save : callable
        Writes it to a path.
    """

    path: str
    member: str
    group: str
    size: int
    following: int
    save: Callable[[Path], None]


@dataclass(frozen=True)
class Contents:
    """The parts of a file in its own order.

    Attributes
    ----------
    of : int or None
        How many there are; None where only reading all of the file would tell.
    groups : tuple of str
        Groups that are counted each by itself.
    parts : iterable of Part
        From the place asked on. Each must be saved before the next is asked for.
    folders : set of str
        Folders of a tar, filled while it is read.
    """

    of: int | None
    groups: tuple[str, ...]
    parts: Sequence[Part] | Iterator[Part]
    folders: set[str] = field(default_factory=set)


def contents(file: BinaryIO, columns: tuple[str, ...], place: int = 0) -> Contents:
    """Return the parts of a Parquet file, a zip or a tar.

    Parameters
    ----------
    file : file object
        Seekable; only the bytes needed are read.
    columns : tuple of str
        Columns to keep, all if empty. In a tar: the folders to read, each a group.
    place : int
        Where to begin, 0 or `Part.following` of an earlier call.

    Returns
    -------
    Contents
        The parts from `place` on.

    Raises
    ------
    DataError
        If the file is none of the three, or has no such column.
    """
    file.seek(0)
    head = file.read(512)
    for is_it, read in _FORMATS:
        if is_it(head):
            return read(file, columns, place)
    raise DataError(f"it begins with {head[:16]!r}: neither Parquet nor zip nor uncompressed tar")


def _row_groups(file: BinaryIO, columns: tuple[str, ...], place: int) -> Contents:
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file)
    names = _chosen(source.schema_arrow.names, columns)

    def part(i: int) -> Part:
        size = sum(stop - start for start, stop in _chunks(source.metadata.row_group(i), names))
        save = functools.partial(_project, file, source.metadata, i, names)
        return Part(f"part-{i:05}.parquet", f"row group {i}", "", size, i + 1, save)

    groups = source.metadata.num_row_groups
    return Contents(groups, ("",), [part(i) for i in range(place, groups)])


def _zip_members(file: BinaryIO, columns: tuple[str, ...], place: int) -> Contents:
    archive = zipfile.ZipFile(file)
    members = [one for one in archive.infolist() if _is_table(one.filename)]

    def part(i: int) -> Part:
        member = members[i]

        def save(path: Path) -> None:
            with archive.open(member) as source:
                _keep(source, path, columns)

        size = member.compress_size
        return Part(f"part-{i:05}.parquet", member.filename, "", size, i + 1, save)

    return Contents(len(members), ("",), [part(i) for i in range(place, len(members))])


def _tar_members(file: BinaryIO, columns: tuple[str, ...], place: int) -> Contents:
    folders: set[str] = set()

    def walk() -> Iterator[Part]:
        file.seek(place)
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                path = PurePosixPath(member.name)
                if not member.isreg() or member.issparse() or not _is_table(member.name):
                    continue
                if path.is_absolute() or ".." in path.parts:
                    raise DataError(f"its member {member.name!r} is not a plain relative path")
                folders.add(path.parent.name)
                if columns and path.parent.name not in columns:
                    continue
                save = functools.partial(_save_member, archive, member)
                end = member.offset_data + -(-member.size // 512) * 512
                group = path.parent.name if columns else ""
                yield Part(str(path), member.name, group, member.size, end, save)

    return Contents(None, columns or ("",), walk(), folders)


def _save_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None  # it is a regular file
    with source:
        _keep(source, path, ())


def _keep(source: IO[bytes], path: Path, columns: tuple[str, ...]) -> None:
    """Copy a Parquet file that arrives in order, then reduce it to `columns`."""
    import pyarrow.parquet as pq

    whole = path.with_name(path.name + ".whole") if columns else path
    with whole.open("wb") as file:
        shutil.copyfileobj(source, file, STEP)
    # Refuses what is no Parquet file, or not all of one.
    with pq.ParquetFile(whole, page_checksum_verification=True) as table:
        names = _chosen(table.schema_arrow.names, columns)
        if columns:
            groups = range(table.metadata.num_row_groups)
            _write(path, table, names, list(groups))
    if columns:
        whole.unlink()


class _Held(io.RawIOBase):
    """A file of which some spans were read beforehand; others are read when asked for."""

    def __init__(self, file: BinaryIO, spans: list[tuple[int, int]]) -> None:
        super().__init__()
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._position = 0
        self._pieces = [(start, _read(file, start, stop)) for start, stop in spans]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        start = self._position
        stop = self._size if size < 0 else min(start + size, self._size)
        self._position = stop
        for first, piece in self._pieces:
            if first <= start and stop <= first + len(piece):
                return piece[start - first : stop - first]
        return _read(self._file, start, stop)


def _read(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return b"".join(file.read(min(STEP, stop - at)) for at in range(start, stop, STEP))


def _project(file: BinaryIO, metadata: Any, group: int, names: list[str], path: Path) -> None:
    """Write the columns `names` of a row group as a Parquet file of its own."""
    import pyarrow.parquet as pq

    # What fits is read here, in this thread, where Ctrl-C is heard: neighbours by one request.
    spans: list[tuple[int, int]] = []
    for start, stop in sorted(_chunks(metadata.row_group(group), names)):
        if spans and start <= spans[-1][1] + GAP:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    fits = sum(stop - start for start, stop in spans) <= HELD
    source = pq.ParquetFile(
        _Held(file, spans) if fits else file,
        metadata=metadata,
        pre_buffer=False,
        buffer_size=0 if fits else STEP,
        page_checksum_verification=True,
    )
    _write(path, source, names, [group])


def _write(path: Path, source: Any, names: list[str], groups: list[int]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = source.schema_arrow
    schema = pa.schema([whole.field(name) for name in names], metadata=whole.metadata)
    with pq.ParquetWriter(path, schema) as writer:
        for batch in source.iter_batches(ROWS, row_groups=groups, columns=names, use_threads=False):
            writer.write_batch(batch.select(names))


def _chosen(known: list[str], columns: tuple[str, ...]) -> list[str]:
    """Return the columns to keep in the order of the file; refuse one it does not have."""
    for name in columns:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:10]
            raise DataError(f"it has no column {name!r}: use {', '.join(near)}")
    return [name for name in known if not columns or name in columns]


def _chunks(group: Any, names: list[str]) -> Iterator[tuple[int, int]]:
    """Give first and last byte of each column of a row group that is among `names`."""
    for k in range(group.num_columns):
        chunk = group.column(k)
        if chunk.path_in_schema.split(".")[0] in names:
            start = min(
                chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset
            )
            yield start, start + chunk.total_compressed_size


def _is_table(name: str) -> bool:
    """Say whether a member is a Parquet file, and not what macOS adds beside it.

    >>> _is_table("a/part.0.parquet"), _is_table("__MACOSX/a/._part.0.parquet"), _is_table("a/")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix.lower() == ".parquet" and not path.name.startswith("._")


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[..., Contents]], ...] = (
    (lambda head: head.startswith(b"PAR1"), _row_groups),
    (lambda head: head.startswith(b"PK\x03\x04"), _zip_members),
    (lambda head: head[257:262] == b"ustar", _tar_members),
)
