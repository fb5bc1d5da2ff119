"""Fetch the first parts of a dataset that is too big to fetch whole."""

import contextlib
import dataclasses
import difflib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from restudy.data.catalogue import DataError, Dataset, dataset
from restudy.data.download import Progress, SourceError, check_space, disk_sentence
from restudy.data.files import cache_folder, digest_of, remember, status
from restudy.data.locks import only_one
from restudy.data.parts import DAMAGE, Contents, Part, contents
from restudy.data.remote import RangeFile
from restudy.data.samples import (
    NOTE,
    Sample,
    SampledPart,
    is_sound,
    read_sample,
    sample_folder,
    sound_sample,
    write_sample,
)
from restudy.data.store import address, ask_archive, failure, refusal, stated


@dataclass
class _Count:
    """What the progress bar shows: bytes received, and bytes expected, 0 if unknown."""

    show: Progress | None
    expected: int = 0

    def __call__(self, received: int) -> None:
        if self.show is not None:
            self.show(received, max(self.expected, received) if self.expected else 0)


def fetch_sample(
    name: str,
    parts: int,
    *,
    columns: Sequence[str] = (),
    mirror: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of the first parts of a dataset, after reading them if need be.

    Of a Parquet file a part is a row group, of a zip or tar a Parquet file in it, in the order of
    the source. They come from the whole file if the cache or the mirror has it, else by range
    requests from its source: only the bytes needed travel. Finished parts are kept if it stops.

    Parameters
    ----------
    name : str
        A name in the registry.
    parts : int
        How many, at least 1.
    columns : sequence of str
        Columns to keep; all by default. In a tar of a folder per column: the folders, of each
        of which the first `parts` files are taken.
    mirror : Path, optional
        Folder to look in for the whole file; ``$RESTUDY_MIRROR`` by default.
    progress : callable, optional
        Called with bytes received and bytes expected (0 where unknown).

    Returns
    -------
    pathlib.Path
        The folder, see `sampled`.

    Raises
    ------
    DataError
        If there is no way to get the parts, if the file has no such parts or columns, or if they
        cannot be stored. What was there under the final name stays.
    """
    entry = dataset(name)
    if parts < 1:
        raise DataError(f"a sample of {parts} parts is none: ask for 1 or more.")
    wanted = tuple(sorted(set(columns)))
    folder = sample_folder(entry)
    with only_one(folder):
        if not _is_done(entry, folder, parts, wanted):
            count = _Count(progress)
            with _opened(entry, mirror, count) as (file, whole):
                sample = dataclasses.replace(whole, columns=wanted, asked=parts)
                try:
                    _collect(entry, file, sample, count)
                except OSError as error:
                    raise DataError(disk_sentence(folder, error.strerror)) from error
    return folder


def _is_done(entry: Dataset, folder: Path, parts: int, columns: tuple[str, ...]) -> bool:
    try:
        sample = sound_sample(entry, folder)
    except DataError:
        return False
    return sample is not None and (sample.asked, sample.columns) == (parts, columns)


@contextlib.contextmanager
def _opened(
    entry: Dataset, mirror: Path | None, count: _Count
) -> Iterator[tuple[BinaryIO, Sample]]:
    """Open the whole file, here or at its source, and say which file it is."""
    found = status(entry.name, mirror=mirror)
    if found.state == "unverified":
        found = ask_archive(found)
    if found.path is not None and found.state == "differs":
        if not found.path.is_relative_to(cache_folder()):
            raise refusal(found)
    elif found.path is not None:
        digest = f"sha256:{found.sha256}"
        whole = Sample(entry.url, digest, found.path.stat().st_size, digest, (), 0, None)
        with found.path.open("rb") as file:
            yield file, whole
        return
    url = address(entry)
    size, algorithm, digest = stated(entry)
    try:
        with RangeFile(url, progress=count) as remote:
            if remote.size != size:
                raise SourceError(f"{url} offers {remote.size:,} bytes where {size:,} are expected")
            whole = Sample(url, remote.version, size, f"{algorithm}:{digest}", (), 0, None)
            yield cast(BinaryIO, remote), whole
    except SourceError as error:
        raise SourceError(failure(entry, error)) from error


def _collect(entry: Dataset, file: BinaryIO, sample: Sample, count: _Count) -> None:
    """Bring the folder of a sample to what `sample` asks for, from what is there of it."""
    folder = sample_folder(entry)
    stage = folder.with_name(folder.name + ".part")
    sample = _resume(folder, stage, sample)
    place = sample.parts[-1].following if sample.parts else 0
    with _explained(entry.name):
        source = contents(file, sample.columns, place)
    sample = dataclasses.replace(sample, of=source.of)
    if isinstance(source.parts, list):
        count.expected = sum(part.size for part in source.parts[: sample.asked - len(sample.parts)])
        check_space(stage, count.expected)
    for part in _missing(entry, source, sample):
        done = _save(entry, stage, part)
        sample = dataclasses.replace(sample, parts=(*sample.parts, done))
        write_sample(stage, sample)
    _finish(folder, stage, sample)


def _resume(folder: Path, stage: Path, sample: Sample) -> Sample:
    """Make `stage` hold only the finished parts of the same source that were asked for."""
    known = {place: read_sample(place) for place in (folder, stage)}
    had = {
        place: one.parts
        for place, one in known.items()
        if one is not None and sample.version and _source(one) == _source(sample)
    }
    best = max(had, key=lambda place: len(had[place]), default=None)
    if best != stage:
        shutil.rmtree(stage, ignore_errors=True)
    if best == folder:
        shutil.copytree(folder, stage, copy_function=_link)
    kept: list[SampledPart] = []
    for part in had[best] if best else ():
        if not is_sound(stage, part):
            break
        if sum(one.group == part.group for one in kept) < sample.asked:
            kept.append(part)
    stage.mkdir(parents=True, exist_ok=True)
    _tidy(stage, {part.path for part in kept})
    sample = dataclasses.replace(sample, parts=tuple(kept))
    write_sample(stage, sample)
    return sample


def _source(sample: Sample) -> tuple[object, ...]:
    return sample.url, sample.version, sample.size, sample.checksum, sample.columns


def _link(source: str, target: str) -> None:
    """Give a file a second name, or copy it where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _tidy(stage: Path, keep: set[str]) -> None:
    for path in stage.rglob("*"):
        if path.is_file() and path.relative_to(stage).as_posix() not in keep:
            path.unlink()


def _missing(entry: Dataset, source: Contents, sample: Sample) -> Iterator[Part]:
    """Give the parts still to be saved, and stop reading once there are enough."""
    had = Counter(part.group for part in sample.parts)
    if all(had[group] >= sample.asked for group in source.groups):
        return
    with _explained(entry.name):
        for part in source.parts:
            if had[part.group] < sample.asked:
                yield part
                had[part.group] += 1
                if all(had[group] >= sample.asked for group in source.groups):
                    return
    for group in source.groups:
        if not had[group]:
            near = difflib.get_close_matches(group, source.folders, n=3, cutoff=0.5)
            known = ", ".join(near or sorted(source.folders)[:10]) or "none with Parquet files"
            what = f"folder {group!r}; its folders: {known}" if group else "Parquet file in it"
            raise DataError(f"{entry.name} has no {what}.")


def _save(entry: Dataset, stage: Path, part: Part) -> SampledPart:
    """Write a part under a passing name, and give it its own once it is complete."""
    path = stage / part.path
    new = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _explained(f"{part.member} of {entry.name}"):
        part.save(new)
    size, digest = new.stat().st_size, digest_of(new)
    os.replace(new, path)
    return SampledPart(part.path, part.member, part.group, size, digest, part.following)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what reading `what` raises into one sentence; a disk's and a server's errors pass."""
    try:
        yield
    except SourceError:
        raise
    except DataError as error:
        raise DataError(f"{what} is not as asked: {error}.") from error
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{what} cannot be read, it is damaged ({error}).") from error


def _finish(folder: Path, stage: Path, sample: Sample) -> None:
    """Give the complete folder its name in place of an older sample."""
    _tidy(stage, {NOTE} | {part.path for part in sample.parts})
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(stage, folder)
    shutil.rmtree(old, ignore_errors=True)
    for part in sample.parts:
        remember(folder / part.path, sha256=part.sha256, archive="")
