"""Where the files are, cache before mirror, and whether they are the registered ones."""

import contextlib
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from restudy.data.catalogue import DataError, Dataset, dataset


@dataclass(frozen=True)
class Status:
    """What is known about a dataset on this machine.

    Attributes
    ----------
    dataset : Dataset
        The registry's entry.
    path : Path or None
        The file in the cache or in the mirror; None where there is none.
    state : str
        - ``verified``: the file has the registry's sha256;
        - ``archive``: the registry has no sha256 yet, and the file has the checksum that the
          publishing archive states;
        - ``unverified``: the registry has no sha256, and the archive was not asked yet;
        - ``differs``: the file is not the registered one;
        - ``absent``: no file.
    sha256 : str or None
        Checksum of the file found.
    archive : str
        For ``archive``: the checksum and the address it was read from.
    """

    dataset: Dataset
    path: Path | None
    state: Literal["verified", "archive", "unverified", "differs", "absent"]
    sha256: str | None
    archive: str = ""

    @property
    def pin(self) -> str:
        """Line to add to the registry once a human has looked; empty where there is nothing to do.

        Only a file that the archive confirmed can be pinned.
        """
        if self.state != "archive" or self.path is None:
            return ""
        size = self.path.stat().st_size
        return f'sha256 = "{self.sha256}"\nsize = {size}  # {self.archive}'


def cache_folder() -> Path:
    """Return the folder that keeps downloads: ``$RESTUDY_DATA``, else the platform's cache."""
    if chosen := os.environ.get("RESTUDY_DATA"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "restudy"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "restudy"


def mirror_folder(mirror: Path | None = None) -> Path | None:
    """Return `mirror`, else ``$RESTUDY_MIRROR``, else None.

    Raises
    ------
    DataError
        If the folder named does not exist. A relative path is one from the working directory.
    """
    chosen = mirror or os.environ.get("RESTUDY_MIRROR")
    if not chosen:
        return None
    folder = Path(chosen).expanduser().absolute()
    if not folder.is_dir():
        origin = "RESTUDY_MIRROR" if mirror is None else "--mirror"
        raise DataError(f"the mirror {folder} ({origin}) is no folder: name one that exists.")
    return folder


def status(name: str, *, mirror: Path | None = None) -> Status:
    """Look for a dataset in the cache and the mirror, and check what is there; no network.

    A checksum is computed once per file and remembered by path, size and time of change.
    """
    entry = dataset(name)
    folders = [cache_folder(), mirror_folder(mirror)]
    paths = [folder / entry.file for folder in folders if folder is not None]
    found = [examine(entry, path) for path in paths if path.is_file()]
    good = [one for one in found if one.state in {"verified", "archive"}]
    return next(iter(good + found), Status(entry, None, "absent", None))


def examine(entry: Dataset, path: Path) -> Status:
    """Say whether the file at `path` is the registered one."""
    digest = sha256_of(path)
    archive = _remembered(path).get("archive", "")
    if entry.sha256 is not None:
        return Status(entry, path, "verified" if digest == entry.sha256 else "differs", digest)
    return Status(entry, path, "archive" if archive else "unverified", digest, archive)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, computed once and remembered until the file changes."""
    if known := _remembered(path):
        return known["sha256"]
    digest = digest_of(path)
    remember(path, sha256=digest, archive="")
    return digest


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): make it readable.") from error


def _memory(path: Path) -> Path:
    key = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:24]
    return cache_folder() / ".checksums" / f"{key}.json"


def _remembered(path: Path) -> dict[str, str]:
    """Return checksums computed earlier for a file that has not changed since."""
    try:
        known = json.loads(_memory(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    same = known.pop("stat", None) == _stat(path)
    return known if same and set(known) == {"sha256", "archive"} else {}


def remember(path: Path, *, sha256: str, archive: str) -> None:
    """Keep the checksum of a file, and what its archive said of it, until the file changes."""
    file = _memory(path)
    text = json.dumps({"stat": _stat(path), "sha256": sha256, "archive": archive})
    new = file.with_suffix(f".{os.getpid()}")
    # A cache that cannot be written only costs computing the checksum again.
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        os.replace(new, file)


def _stat(path: Path) -> list[Any]:
    facts = path.stat()
    return [str(path.absolute()), facts.st_size, facts.st_mtime_ns]
