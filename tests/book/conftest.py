"""A small book of two chapters, one of which reaches `restudy.traces`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from restudy.book import build, html
from restudy.book.chapters import Project
from restudy.book.progress import Lines

CLAIMS = """
paper = "1234.56789"
chapter = "alpha"
title = "A paper"
[[claim]]
id = "answer"
by = "paper"
source = "Table 1"
section = "result"
statement = "The answer is 42."
value = 42.0
unit = "s"
tolerance = { absolute = 0.5 }
reason = "rounded to whole seconds"
needs = []
[[claim]]
id = "real-answer"
by = "paper"
source = "Table 1"
section = "result"
statement = "The answer on real data is 42."
value = 42.0
unit = "s"
tolerance = { absolute = 0.5 }
reason = "rounded to whole seconds"
needs = ["data:lisa-halfyear-tasks"]
"""

CONFIG = """
title: Small
execute: {execute_notebooks: "off"}
sphinx:
  config: {html_static_path: [book/_static]}
"""

Cells = list[tuple[str, str]]


def notebook(cells: Cells, about: dict[str, object] | None = None) -> nbformat.NotebookNode:
    """Return a notebook of (type, source) pairs; the type "parameters" is a tagged code cell."""
    made = nbformat.v4.new_notebook()
    for i, (kind, source) in enumerate(cells):
        new = nbformat.v4.new_markdown_cell if kind == "md" else nbformat.v4.new_code_cell
        made.cells.append(new(source, id=f"cell-{i}"))
        if kind == "parameters":
            made.cells[-1].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python",
        "language": "python",
    }
    if about:
        made.metadata["restudy"] = about
    return made


ALPHA: Cells = [
    ("md", "# Alpha\n\nThe answer is {published}`answer`, ours {measured}`answer`.\n\n## Result"),
    ("parameters", 'preset = "quick"  # how much to compute\nfactor = 6  # what to multiply'),
    (
        "code",
        "from restudy import claims\n"
        'paper = claims.open_paper("1234.56789", preset=preset)\n'
        'paper.record("answer", factor * 7)\n'
        'paper.record("real-answer", factor * 7, data="generated")',
    ),
    ("code", "paper.table()"),
]
BETA: Cells = [
    ("md", "# Beta\n\nA sentence.\n\n## Result"),
    ("code", "from restudy.traces import jobs"),
    ("code", "print(len(jobs.COLUMNS))"),
]


class Book:
    """The small book, and one call for each thing a test does with it."""

    beta = BETA

    def __init__(self, root: Path) -> None:
        self.project = Project(root, root / "build")
        self.papers = root / "book" / "papers"

    def write(self, name: str, cells: Cells, about: dict[str, object] | None = None) -> None:
        """Write a chapter."""
        nbformat.write(notebook(cells, about), self.papers / f"{name}.ipynb")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a chapter's notebook."""
        path = self.papers / f"{name}.ipynb"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def build(self, preset: str = "quick", jobs: int = 2) -> build.Report:
        """Build with threads."""
        return build.build(
            self.project,
            preset=preset,
            jobs=jobs,
            cluster="threads",
            progress=Lines(Console(quiet=True)),
            command="restudy build",
        )


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The small book in a folder of its own, never built."""
    for folder in ("papers", "claims", "results", "_static"):
        (tmp_path / "book" / folder).mkdir(parents=True)
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        "- file: book/papers/alpha\n- file: book/papers/beta\n"
    )
    (tmp_path / "book" / "index.md").write_text("# Small\n\n% restudy: summary\n")
    (tmp_path / "book" / "claims" / "1234.56789.toml").write_text(CLAIMS)
    made = Book(tmp_path)
    made.write("alpha", ALPHA, {"paper": "1234.56789"})
    made.write("beta", BETA)
    return made


@pytest.fixture
def staged_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the staged tree for the HTML: for tests that ask what runs, not how it looks."""

    def copy(stage: Path, target: Path, content: str, *, strict: bool = True) -> None:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(stage, target)
        (target / html.STAMP).write_text(content)

    monkeypatch.setattr(html, "render", copy)


@pytest.fixture
def page(book: Book) -> Callable[[str], str]:
    """Return the staged source of a chapter as text."""
    return lambda name: (
        book.project.build / "stage" / "book" / "papers" / f"{name}.ipynb"
    ).read_text()
