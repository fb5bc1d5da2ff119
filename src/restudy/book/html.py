"""From the staged tree to HTML: Jupyter Book with execution off, warnings as errors."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from restudy.book.chapters import BookError

_WORD = re.compile(r'<span class="pre">([^<]*)</span>')
_SCOREBOARD_SOURCE = re.compile(
    r'<li><a href="[^"]*_sources/book/scoreboard\.md".*?</li>', re.DOTALL
)
_ICONS = re.compile(  # the script that draws icons over those of the font, and early loads of it
    r'<script src="[^"]*/fontawesome/[^"]*"></script>|<link rel="preload"[^>]*/fontawesome/[^>]*>'
)
_FONT = re.compile(r"@font-face\{[^}]*font-family:([^;]*);[^}]*url\(([^)]*\.woff2)\)[^}]*\}")

STAMP = "content.sha256"
"""A file in the finished HTML that names what it was made of."""

# Its end of the pipe closes with the builder, however that ends. A Jupyter Book left over from a
# killed builder would go on writing where the next one builds.
JUPYTER_BOOK = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
from jupyter_book.cli.main import main
main()
"""


def is_current(html: Path, content: str) -> bool:
    """Return whether `html` is a finished book made of exactly this content."""
    stamp = html / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == content


def render(stage: Path, html: Path, content: str, *, strict: bool = True) -> None:
    """Build the staged tree and put the result in place of `html`.

    The book is always built from nothing (a few seconds) and renamed when it is whole: Sphinx
    trusts the times of half-written files, so a killed build must not leave any.

    Parameters
    ----------
    stage
        The staged tree.
    html
        Where the finished book goes; what was there is replaced.
    content
        The content hash to note in the result.
    strict
        Whether warnings are errors; a book with a failed chapter is built without.

    Raises
    ------
    BookError
        With Jupyter Book's own lines if it fails.
    """
    work = html.with_name(f".{html.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    # Run where the tree is, under the same name every time: paths end up in the pages.
    command = [
        sys.executable,
        "-c",
        JUPYTER_BOOK,
        "build",
        str(stage),
        "--path-output",
        str(work),
    ]
    command += ["--all", "--keep-going", "-q", *(["-W", "-n"] if strict else [])]
    env = {**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    built = work / "_build" / "html"
    log = html.with_name("html.log")
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env=env
        ) as process,
    ):
        status = process.wait()
    if status or not (built / "index.html").exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [x for x in lines if "WARNING" in x or "ERROR" in x] or lines
        shown = "\n  ".join(said[-15:])
        raise BookError(f"Jupyter Book failed (whole output in {log}):\n  {shown}")
    log.unlink()
    _slim(built)
    (built / STAMP).write_text(content, encoding="utf-8")
    old = html.with_name(f".{html.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():
        html.rename(old)
    built.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def _take_in_fonts(css: Path) -> None:
    """Write the icon fonts into their style sheet: from a folder, Firefox loads no font file."""

    def taken_in(face: re.Match[str]) -> str:
        family, address = face.groups()
        if "Awesome\\ 6" not in family:  # a name that the fonts had in the past
            return ""
        content = base64.b64encode((css.parent / address).read_bytes()).decode()
        return face[0].replace(address, f"data:font/woff2;base64,{content}")

    css.write_text(_FONT.sub(taken_in, css.read_text(encoding="utf-8")), encoding="utf-8")


def _slim(built: Path) -> None:
    """Leave out what no reader loads, and the outputs in notebooks to download.

    That is: source maps, fonts that stand behind a WOFF2 of the same name, translations that the
    theme had read while building, the element around every word of code, which only forbids to
    break it (a fifth of the reference), and the source of the scoreboard, its table once more.
    """
    (built / "_sources" / "book" / "scoreboard.md").unlink(missing_ok=True)
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = _ICONS.sub("", _SCOREBOARD_SOURCE.sub("", text))
        page.write_text(_WORD.sub(r"\1", text), encoding="utf-8")
    fonts = (path for path in built.rglob("*.ttf") if path.with_suffix(".woff2").exists())
    for path in [*built.rglob("*.map"), *fonts]:
        path.unlink()
    shutil.rmtree(built / "_static" / "locales", ignore_errors=True)
    for folder in (built / "_static" / "vendor" / "fontawesome").glob("*"):
        _take_in_fonts(folder / "css" / "all.min.css")
        shutil.rmtree(folder / "webfonts", ignore_errors=True)
        shutil.rmtree(folder / "js", ignore_errors=True)
    for path in (built / "_sources").rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)
