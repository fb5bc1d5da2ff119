"""What decides whether a chapter must run again, and what it left when it ran.

``build/cache/<chapter>/<key>/`` holds ``outputs.ipynb`` and ``run.json`` of a successful run. Both
are written under a temporary name and renamed together, so a folder of that name is always
whole. ``build/cache/<chapter>/failed/`` holds the same for the last failure.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from restudy import data
from restudy.book.chapters import Chapter, Project
from restudy.book.reach import PACKAGE, Sources, digest

Parts = dict[str, dict[str, str]]
"""The parts of a key: what -> name -> hash or value."""


@dataclass(frozen=True)
class Failure:
    """Where and how a chapter failed; `cell` counts code cells from 1, 0 if none had begun."""

    cell: int
    error: str
    traceback: str = ""


@dataclass(frozen=True)
class Run:
    """The record of one execution, made by the parent process."""

    chapter: str
    preset: str
    parameters: dict[str, Any]
    commit: str
    command: str
    seconds: float
    peak_bytes: int
    machine: str
    versions: dict[str, str]
    datasets: dict[str, str]
    parts: Parts
    measured: list[dict[str, Any]] = field(default_factory=list)
    failure: Failure | None = None


def key_parts(chapter: Chapter, parameters: Mapping[str, Any], sources: Sources) -> Parts:
    """Return everything that decides what executing the chapter gives.

    Prose is not part of it. A parameter that names a file counts with the file's content.
    """
    values = {
        name: json.dumps(value) + (f" sha256:{digest(path)}" if path else "")
        for name, value in parameters.items()
        for path in [_file(value)]
    }
    return {
        "code cell": {
            str(i): hashlib.sha256(source.encode()).hexdigest()
            for i, source in enumerate(chapter.code, 1)
        },
        "parameter": values,
        "file": {name: _digest_or_absent(chapter.root / name) for name in chapter.files},
        "source": sources.hashes(sources.reach(chapter.code)),
        "dataset": {name: data.fingerprint(name) for name in chapter.datasets},
        "version": pins(),
    }


def _file(value: Any) -> Path | None:
    if isinstance(value, str) and value and Path(value).is_file():
        return Path(value)
    return None


def _digest_or_absent(path: Path) -> str:
    return digest(path) if path.is_file() else "absent"


def pins() -> dict[str, str]:
    """Return the installed versions of Python and of what the package itself requires."""
    needed = [
        re.split(r"[\[<>=!~; ]", requirement)[0]
        for requirement in importlib.metadata.requires(PACKAGE) or []
        if "extra ==" not in requirement
    ]
    versions = {name: importlib.metadata.version(name) for name in sorted(needed)}
    return {"python": platform.python_version(), **versions}


def key_of(parts: Parts) -> str:
    """Return the key of a run: a hash of its parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def changes(old: Parts, new: Parts) -> list[str]:
    """Return in words what differs between two keys."""
    found = []
    for what, after in new.items():
        before = old.get(what, {})
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) == after.get(name):
                continue
            if name not in before:
                change = "is new"
            elif name not in after:
                change = "is gone"
            elif what in {"parameter", "version"}:
                change = f"{before[name]} -> {after[name]}"
            elif what in {"dataset", "file"} and "absent" in {before[name], after[name]}:
                change = "is now absent" if after[name] == "absent" else "is now there"
            else:
                change = "changed"
            found.append(f"{what} {name} {change}")
    return found


class Cache:
    """The executed chapters of a project."""

    def __init__(self, project: Project) -> None:
        self.folder = project.cache

    def path(self, chapter: str, key: str) -> Path:
        """Return where the run of that key is kept."""
        return self.folder / chapter / key

    def read(self, chapter: str, key: str) -> Run | None:
        """Return the record of a successful run, or None."""
        return _read(self.path(chapter, key))

    def use(self, chapter: str, key: str) -> Run:
        """Return the record of a kept run that a build takes, and make it the chapter's last."""
        run = self.read(chapter, key)
        assert run is not None
        os.utime(self.path(chapter, key))
        return run

    def failed(self, chapter: str) -> Run | None:
        """Return the record of the last failure, if nothing has succeeded since."""
        return _read(self.path(chapter, "failed"))

    def notebook(self, chapter: str, key: str) -> nbformat.NotebookNode:
        """Return the executed notebook of a run."""
        return nbformat.read(self.path(chapter, key) / "outputs.ipynb", as_version=4)

    def last(self, chapter: str) -> Run | None:
        """Return the successful run that the last build made or took."""
        folders = [p for p in (self.folder / chapter).glob("*") if p.name != "failed"]
        whole = [p for p in folders if (p / "run.json").exists()]
        return _read(max(whole, key=lambda p: p.stat().st_mtime)) if whole else None

    def reasons(self, chapter: str, parts: Parts) -> list[str]:
        """Return why a chapter with these parts has to run; empty if its result is kept."""
        if self.read(chapter, key_of(parts)) is not None:
            return []
        failed = self.failed(chapter)
        if failed is not None and failed.parts == parts:
            return ["it failed the last time"]
        last = self.last(chapter)
        return ["it has not run yet"] if last is None else changes(last.parts, parts)

    def scratch(self, chapter: str) -> Path:
        """Return a new folder to run in, on the same file system as the kept runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{chapter}-{os.getpid()}-", dir=self.folder))

    def keep(self, run: Run, scratch: Path) -> None:
        """Keep a finished run: write its record beside the notebook and rename the folder."""
        name = "failed" if run.failure else key_of(run.parts)
        text = json.dumps(asdict(run), indent=1, sort_keys=True)
        (scratch / "run.json").write_text(text, encoding="utf-8")
        final = self.path(run.chapter, name)
        final.parent.mkdir(exist_ok=True)
        if final.exists():
            shutil.rmtree(final)
        scratch.rename(final)
        if run.failure is None:
            shutil.rmtree(self.path(run.chapter, "failed"), ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed builds left (the caller holds the build lock)."""
        for leftover in self.folder.glob(".*"):
            shutil.rmtree(leftover)


def _read(folder: Path) -> Run | None:
    path = folder / "run.json"
    if not path.exists():
        return None
    raw = json.loads(path.read_text(encoding="utf-8"))
    failure = raw.pop("failure")
    return Run(**raw, failure=None if failure is None else Failure(**failure))
