"""The chapters of a book: which there are, and what each notebook says of itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
import yaml

from restudy.errors import UserError

CELL_LIMIT_S = 600
"""Seconds a cell may run unless the notebook's metadata sets ``restudy.cell_limit_s``."""


class BookError(UserError):
    """Something in the book, or asked of it, that does not fit."""


@dataclass(frozen=True)
class Project:
    """A checkout of the book, and the folder its build writes to."""

    root: Path
    build: Path

    @property
    def cache(self) -> Path:
        """Executed chapters, one folder a key."""
        return self.build / "cache"

    @property
    def html(self) -> Path:
        """The finished book."""
        return self.build / "html"

    @property
    def claims(self) -> Path:
        """What the papers say."""
        return self.root / "book" / "claims"

    @property
    def results(self) -> Path:
        """What was measured, committed."""
        return self.root / "book" / "results"


def find_project(build: Path | None = None) -> Project:
    """Return the project around the working directory (or ``$RESTUDY_ROOT``).

    Raises
    ------
    BookError
        If no folder upwards holds ``_toc.yml`` and ``book/``.
    """
    start = Path(os.environ.get("RESTUDY_ROOT") or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "_toc.yml").is_file() and (folder / "book").is_dir():
            return Project(folder, (build or folder / "build").resolve())
    raise BookError(
        f"No _toc.yml with a folder book/ in {start} or above it; "
        "change into a clone of the repository, or set RESTUDY_ROOT to one"
    )


@dataclass(frozen=True)
class Chapter:
    """A notebook of the book.

    The notebook's metadata may hold ``restudy = {"paper": arXiv number, "datasets": [names],
    "files": [paths in the repository], "cell_limit_s": seconds, "gpu": true}``.
    """

    name: str
    path: Path
    root: Path

    @cached_property
    def notebook(self) -> nbformat.NotebookNode:
        """The notebook as it stands in the repository."""
        try:
            return nbformat.read(self.path, as_version=4)
        except (json.JSONDecodeError, nbformat.reader.NotJSONError) as error:
            raise BookError(f"{self.path} is not a notebook: {error}") from error

    @property
    def about(self) -> Mapping[str, Any]:
        """What the notebook's metadata says for Restudy."""
        return self.notebook.metadata.get("restudy", {})

    @property
    def paper(self) -> str | None:
        """The arXiv number of the chapter's paper."""
        return self.about.get("paper")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the registered datasets that the chapter can use."""
        return tuple(self.about.get("datasets", ()))

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the repository that the chapter reads: its claims, and those it names."""
        own = (f"book/claims/{self.paper}.toml",) if self.paper else ()
        return (*own, *self.about.get("files", ()))

    @property
    def cell_limit_s(self) -> int:
        """Seconds one cell may run."""
        return int(self.about.get("cell_limit_s", CELL_LIMIT_S))

    @property
    def needs_gpu(self) -> bool:
        """Whether the kernel takes a GPU for itself."""
        return bool(self.about.get("gpu", False))

    @property
    def title(self) -> str:
        """The first heading of the notebook."""
        for cell in self.notebook.cells:
            for line in cell.source.splitlines():
                if cell.cell_type == "markdown" and line.startswith("# "):
                    return line[2:].strip()
        return self.name

    @property
    def code(self) -> list[str]:
        """The sources of the code cells, in order."""
        return [cell.source for cell in self.notebook.cells if cell.cell_type == "code"]

    @cached_property
    def parameters(self) -> dict[str, dict[str, str]]:
        """Name -> {default, help, inferred_type_name} of the cell tagged ``parameters``."""
        from papermill import inspect_notebook

        return inspect_notebook(self.path)

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse parameters that the notebook does not have.

        papermill only logs them and runs with the defaults.

        Raises
        ------
        BookError
            Naming the unknown parameter and the known ones.
        """
        known = ", ".join(self.parameters) or "none"
        for name in given:
            if name not in self.parameters:
                raise BookError(
                    f"Chapter {self.name} has no parameter {name!r}; its parameters are: {known}"
                )


def read_chapters(project: Project) -> dict[str, Chapter]:
    """Return the notebooks that ``_toc.yml`` names, in its order."""
    toc = yaml.safe_load((project.root / "_toc.yml").read_text(encoding="utf-8"))
    chapters = {}
    for file in _files(toc):
        path = project.root / f"{file}.ipynb"
        if path.is_file():
            chapters[path.stem] = Chapter(path.stem, path, project.root)
        elif not (project.root / f"{file}.md").is_file():
            raise BookError(f"_toc.yml names {file}, but neither {file}.ipynb nor {file}.md exists")
    return chapters


def find_chapter(project: Project, name: str) -> Chapter:
    """Return the chapter of that name; raises `BookError` with the known names."""
    chapters = read_chapters(project)
    if name not in chapters:
        raise BookError(f"There is no chapter {name!r}; the chapters are: {', '.join(chapters)}")
    return chapters[name]


def _files(toc: Any) -> list[str]:
    """Return every file of a table of contents, depth first."""
    if isinstance(toc, list):
        return [file for entry in toc for file in _files(entry)]
    if not isinstance(toc, dict):
        return []
    own = [toc[key] for key in ("root", "file") if key in toc]
    return own + [
        file for key in ("parts", "chapters", "sections") for file in _files(toc.get(key, []))
    ]
