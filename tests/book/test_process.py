"""The builder as a process: killed, interrupted, and with the package's own sources edited."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import restudy

if TYPE_CHECKING:
    from conftest import Book

# A shell's background job has SIGINT ignored, and children inherit that: restore it.
CALL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from restudy.cli import main
main(prog_name="restudy")
"""
RESTUDY = [sys.executable, "-c", CALL]
VARIES = re.compile(r'<(\w+)[^>]*class="[^"]*\bvaries\b[^"]*"[^>]*>.*?</\1>', re.DOTALL)


def start(book: Book, *words: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RESTUDY, *words],
        cwd=book.project.root,
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(book: Book, *words: str, status: int = 0, **env: str) -> str:
    process = start(book, *words, **env)
    out, err = process.communicate(timeout=240)
    assert process.returncode == status, out + err
    return out + err


def html(book: Book) -> dict[str, str]:
    """Return the finished book, file by file, without what may vary from run to run."""
    files = {}
    for path in sorted(book.project.html.rglob("*")):
        if path.suffix == ".html":
            files[str(path)] = VARIES.sub("", path.read_text())
        elif path.name == "searchindex.js":  # it holds the words of what varies: numbers
            index = json.loads(path.read_text().removeprefix("Search.setIndex(").removesuffix(")"))
            words = {word: where for word, where in index.pop("terms").items() if word.isalpha()}
            files[str(path)] = json.dumps([index, words], sort_keys=True)
        elif path.is_file() and path.suffix in {".js", ".css", ".png", ".svg"}:
            files[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert any("alpha.html" in name for name in files)
    return files


def differences(found: dict[str, str], want: dict[str, str]) -> dict[str, list[str]]:
    """Return the lines that differ, by file, so that a failure says which."""
    return {
        Path(name).name: [
            line[:300]
            for line in difflib.unified_diff(
                want.get(name, "").splitlines(),
                found.get(name, "").splitlines(),
                "want",
                "found",
                n=0,
            )
        ]
        for name in sorted(want.keys() | found.keys())
        if want.get(name) != found.get(name)
    }


def kernels(book: Book) -> list[psutil.Process]:
    """Return the kernels alive that belong to this book."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RESTUDY_ROOT") == str(book.project.root):
                found.append(process)
        except psutil.Error:  # it ended meanwhile, or is another user's
            continue
    return found


def wait_until(true: object, seconds: float = 20) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_ten_random_moments_it_ends_in_the_same_html(book: Book) -> None:
    book.edit("alpha", "factor * 7)", "factor * 7); import time; time.sleep(1)")
    build = ("build", "--jobs", "1", "--cluster", "threads")
    began = time.monotonic()
    finish(book, *build)
    whole = time.monotonic() - began
    want = html(book)
    moments = random.Random(2026)
    for _ in range(10):
        shutil.rmtree(book.project.build)
        process = start(book, *build)
        time.sleep(moments.uniform(0.05, 1.0) * whole)
        process.kill()
        process.communicate()
        done = {p: p.stat().st_mtime_ns for p in book.project.cache.glob("*/*/run.json")}
        report = finish(book, *build)
        assert f"{2 - len(done)} ran, {len(done)} fresh, 0 failed" in report
        assert all(p.stat().st_mtime_ns == when for p, when in done.items())
        assert not differences(html(book), want)
    wait_until(lambda: not kernels(book))


def test_killed_while_writing_the_html_it_leaves_no_jupyter_book(book: Book) -> None:
    """One left over would write where the next build does."""
    with start(book, "build", "--cluster", "threads") as process:

        def writer() -> psutil.Process | None:
            for child in psutil.Process(process.pid).children():
                with contextlib.suppress(psutil.Error):  # it ends meanwhile
                    if any("jupyter_book" in word for word in child.cmdline()):
                        return child
            return None

        wait_until(writer, 60)
        left = writer()
        time.sleep(1)
        process.kill()
    assert left is not None
    wait_until(lambda: not left.is_running(), 5)
    assert "0 failed" in finish(book, "build", "--cluster", "threads")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_its_kernels_and_says_so(book: Book, how: signal.Signals) -> None:
    book.write("beta", [*book.beta, ("code", "import time\ntime.sleep(60)")])
    with start(book, "build", "--jobs", "2", "--cluster", "threads") as process:
        try:
            wait_until(lambda: list(book.project.cache.glob("alpha/*/run.json")), 60)
            process.send_signal(how)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted; what had finished is kept" in err
    assert "Traceback" not in err
    wait_until(lambda: not kernels(book))
    assert not list(book.project.cache.glob("beta/*"))


def test_editing_a_package_module_runs_only_the_chapters_that_reach_it(
    book: Book, tmp_path: Path
) -> None:
    copy = tmp_path / "src"
    shutil.copytree(Path(restudy.__file__).parent, copy / "restudy")

    def states() -> dict[str, tuple[str, list[str]]]:
        shown = json.loads(finish(book, "list", "--json", PYTHONPATH=str(copy)))
        return {entry["chapter"]: (entry["state"], entry["why"]) for entry in shown}

    finish(book, "build", "--cluster", "threads", PYTHONPATH=str(copy))
    assert states() == {"alpha": ("fresh", []), "beta": ("fresh", [])}
    with (copy / "restudy" / "traces" / "jobs.py").open("a") as file:
        file.write("# edited\n")
    changed = ["source restudy.traces.jobs changed"]
    assert states() == {"alpha": ("fresh", []), "beta": ("stale", changed)}
    said = finish(book, "build", "--cluster", "threads", PYTHONPATH=str(copy))
    assert "1 ran, 1 fresh, 0 failed" in said
    assert "beta: running (source restudy.traces.jobs changed)" in said


def test_mistakes_are_one_sentence(book: Book, tmp_path: Path) -> None:
    cases = {
        ("run", "gamma"): "There is no chapter 'gamma'; the chapters are: alpha, beta",
        ("run", "alpha", "-p", "N=1"): "no parameter 'N'; its parameters are: preset, factor",
        ("run", "alpha", "-p", "factor"): "expected NAME=VALUE",
        ("build", "--preset", "fast"): "no preset 'fast'; the presets are: quick, full, paper",
        ("build", "--cluster", "moon"): "moon",
        ("fetch", "no-such-data"): "no-such-data",
        ("claims", "--verdict", "good"): "reproduced, differs, not-measured",
        ("serve",): "run `restudy build` first",
    }
    for words, sentence in cases.items():
        said = finish(book, *words, status=2)
        assert sentence in said, words
        assert "Traceback" not in said
        assert len(said.strip().splitlines()[-1]) == len(said.strip().splitlines()[-1].strip())
    lost = subprocess.run(
        [*RESTUDY, "list"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "RESTUDY_ROOT"},
    )
    assert lost.returncode == 2
    assert "No _toc.yml with a folder book/" in lost.stderr


def test_failed_chapter_exit_status_and_table(book: Book) -> None:
    book.write("beta", [*book.beta, ("code", "1 / 0")])
    said = finish(book, "build", "--cluster", "threads", status=1)
    assert "ZeroDivisionError" in said
    assert "1 ran" not in said
    assert "2 ran, 0 fresh, 1 failed" in said
    page = (book.project.html / "book" / "papers" / "beta.html").read_text()
    assert "ZeroDivisionError" in page


def test_run_gives_a_page_with_the_users_parameters(book: Book) -> None:
    said = finish(book, "run", "alpha", "-p", "factor=5")
    assert "1234.56789 answer = 35" in said
    page = Path(said.rsplit("open ", 1)[1].strip())
    assert "35 s" in page.read_text()
    assert not list(book.project.cache.glob("alpha/*")), "the book's own results are untouched"


def test_port_in_use_is_one_sentence(book: Book) -> None:
    import socket

    book.project.html.mkdir(parents=True)
    (book.project.html / "index.html").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = finish(book, "serve", "--port", port, status=2)
    assert f"Port {port} of 127.0.0.1 cannot be used" in said
