"""Staging: the tree that Jupyter Book builds from, made of the sources and the kept outputs.

Nothing is executed here. A staged notebook is the notebook of the repository, prose and all, with
the outputs of the kept run filled in by the order of its code cells; so an edited sentence needs
no execution. Jupyter Book runs with execution off.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib.metadata
import io
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from PIL import Image

from restudy.book import pages
from restudy.book.cache import Run
from restudy.book.chapters import BookError, Chapter, Project
from restudy.book.reach import Sources, digest
from restudy.claims import MIME, Paper, Row
from restudy.quantities import quantity

_ROLE = re.compile(r"\{(published|measured)\}`([^`]+)`")
_MARKER = re.compile(r"^% restudy: (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """A chapter with its last run: a kept one with its notebook, or a failed one."""

    chapter: Chapter
    run: Run
    notebook: nbformat.NotebookNode | None


def stage(
    project: Project,
    folder: Path,
    outcomes: Mapping[str, Outcome],
    papers: Sequence[Paper],
    rows: Sequence[Row],
) -> None:
    """Write the staged tree into `folder`, which is emptied first.

    Parameters
    ----------
    project
        The sources.
    folder
        Where to stage.
    outcomes
        What is known of each chapter, by name.
    papers, rows
        All claims, and what was measured.

    Raises
    ------
    BookError
        For an unknown ``% restudy:`` marker or a role that names no claim.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(project.root / name, folder / name)
    ignored = shutil.ignore_patterns("*.ipynb", "claims", "results", ".ipynb_checkpoints")
    shutil.copytree(project.root / "book", folder / "book", ignore=ignored)
    if (project.root / "src").is_dir():  # chapters show functions out of it
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project.root / "src", folder / "src", ignore=ignored)
    static = folder / "book" / "_static"
    (static / "mathjax").mkdir(parents=True, exist_ok=True)
    shutil.copy2(_mathjax(), static / "mathjax" / "tex-svg.js")
    pages.picture(rows, static / "scoreboard-light.svg", dark=False)
    pages.picture(rows, static / "scoreboard-dark.svg", dark=True)

    values = _values(rows)
    generated: dict[str, Callable[[], str]] = {
        "summary": lambda: pages.summary(rows),
        "picture": lambda: pages.picture_block(rows),
        "scoreboard": lambda: pages.scoreboard(rows),
        "chapters": lambda: pages.chapter_cards(papers, rows),
    }
    for page in folder.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_fill(text, page, values, None, generated), encoding="utf-8")
    for outcome in outcomes.values():
        target = folder / outcome.chapter.path.relative_to(project.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(_staged(outcome, values), target)


def content_hash(folder: Path, sources: Sources) -> str:
    """Return a hash of everything the HTML is made of: the staged tree and the docstrings."""
    total = hashlib.sha256(importlib.metadata.version("jupyter-book").encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "_build" not in path.parts:
            total.update(f"{path.relative_to(folder)} {digest(path)}\n".encode())
    for path in sorted(sources.folder.rglob("*.py")):
        total.update(f"{path.relative_to(sources.folder)} {digest(path)}\n".encode())
    return total.hexdigest()


def _staged(outcome: Outcome, values: Mapping[str, str]) -> nbformat.NotebookNode:
    """Return the notebook of the repository with outputs, parameter table and run record."""
    chapter, run = outcome.chapter, outcome.run
    notebook = copy.deepcopy(chapter.notebook)
    if outcome.notebook is None:
        assert run.failure is not None
        tail = "\n".join(run.failure.traceback.splitlines()[-30:])
        command = f"restudy run {chapter.name}"
        text = pages.failure(chapter.title, run.failure.cell, run.failure.error, tail, command)
        notebook.cells = [nbformat.v4.new_markdown_cell(text, id="failure")]
        return notebook
    executed = iter(
        cell
        for cell in outcome.notebook.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    )
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = _fill(cell.source, chapter.path, values, chapter.paper, {})
        elif cell.cell_type == "code":
            cell.outputs = [x for x in next(executed).outputs if MIME not in x.get("data", {})]
            for output in cell.outputs:
                if "image/png" in (data := output.get("data", {})):
                    data["image/png"] = with_palette(data["image/png"])
            if "parameters" in cell.metadata.get("tags", []):
                cells.append(_html_cell(_parameter_table(chapter, run), "parameters-used"))
    cells.append(_html_cell(pages.run_record(run), "run-record"))
    notebook.cells = cells
    return notebook


def with_palette(png: str) -> str:
    """Return a PNG (base64) in at most 256 colours: a third of the size, and alike to the eye."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode("ascii")


def _parameter_table(chapter: Chapter, run: Run) -> str:
    known = chapter.parameters
    values = [
        repr(run.parameters[name]) if name in run.parameters else known[name]["default"]
        for name in known
    ]
    return pages.parameter_table(list(known), values, [known[name]["help"] for name in known])


def _html_cell(text: str, cell_id: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=cell_id)


def _values(rows: Sequence[Row]) -> dict[str, str]:
    """Return the text of every role: ``published:<paper>:<id>`` and ``measured:<paper>:<id>``."""
    values = {}
    for row in rows:
        key = f"{row.claim.paper}:{row.claim.id}"
        values[f"published:{key}"] = row.claim.published()
        values[f"measured:{key}"] = (
            "*not measured here*"
            if row.measured is None
            else quantity(row.measured.value, row.claim.unit)
        )
    return values


def _fill(
    text: str,
    where: Path,
    values: Mapping[str, str],
    paper: str | None,
    generated: Mapping[str, Callable[[], str]],
) -> str:
    """Return `text` with its roles and markers replaced."""

    def role(found: re.Match[str]) -> str:
        ref = found[2] if ":" in found[2] else f"{paper}:{found[2]}"
        if f"{found[1]}:{ref}" not in values:
            raise BookError(f"{where} refers to the claim {found[2]!r}, which no claims file has")
        return values[f"{found[1]}:{ref}"]

    def marker(found: re.Match[str]) -> str:
        if found[1] not in generated:
            known = ", ".join(generated) or "none in a notebook"
            raise BookError(f"{where} asks for '% restudy: {found[1]}'; known are: {known}")
        return generated[found[1]]()

    return _MARKER.sub(marker, _ROLE.sub(role, text))


def _mathjax() -> Path:
    """Return MathJax's one file out of the wheel `sphinx-mathjax-offline`."""
    for file in importlib.metadata.files("sphinx-mathjax-offline") or []:
        if file.name == "tex-svg.js":
            return Path(str(file.locate()))
    raise BookError(
        "The package sphinx-mathjax-offline holds no tex-svg.js; reinstall with `make clean book`"
    )
