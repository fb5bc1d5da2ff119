"""The builder: what runs and why, failures, kills, interruptions, a full disk."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from restudy import claims
from restudy.book import build
from restudy.book.cache import Cache
from restudy.book.chapters import BookError, read_chapters
from restudy.book.reach import Sources
from restudy.traces import jobs

if TYPE_CHECKING:
    from conftest import Book

pytestmark = pytest.mark.usefixtures("staged_only")


def reasons(book: Book, preset: str = "quick") -> dict[str, list[str]]:
    plans = build.plan(book.project, read_chapters(book.project), preset, Sources())
    return {name: list(plan.reasons) for name, plan in plans.items()}


def test_second_build_runs_nothing(book: Book) -> None:
    assert reasons(book) == {"alpha": ["it has not run yet"], "beta": ["it has not run yet"]}
    assert set(book.build().ran) == {"alpha", "beta"}
    second = book.build()
    assert set(second.kept) == {"alpha", "beta"}
    assert not second.ran
    assert not second.html_changed


def test_edited_sentence_restages_without_running(book: Book, page: Callable[[str], str]) -> None:
    book.build()
    book.edit("beta", "A sentence.", "Another sentence.")
    report = book.build()
    assert not report.ran
    assert report.html_changed
    assert "Another sentence." in page("beta")
    assert f"{len(jobs.COLUMNS)}\\n" in page("beta"), "the kept output is still there"


def test_edited_code_runs_that_chapter_and_says_why(book: Book) -> None:
    book.build()
    book.edit("beta", "print(len(jobs.COLUMNS))", "print(1 + len(jobs.COLUMNS))")
    assert reasons(book) == {"alpha": [], "beta": ["code cell 2 changed"]}
    assert set(book.build().ran) == {"beta"}


def test_edited_claims_and_named_files_run_the_chapter(book: Book) -> None:
    book.write("beta", book.beta, {"files": ["numbers.json"]})
    book.build()
    (book.project.root / "numbers.json").write_text("{}")
    claims_file = book.project.claims / "1234.56789.toml"
    claims_file.write_text(claims_file.read_text().replace("is 42", "is about 42"))
    assert reasons(book) == {
        "alpha": ["file book/claims/1234.56789.toml changed"],
        "beta": ["file numbers.json is now there"],
    }


def test_other_preset_runs_the_chapters_that_have_one_and_back_is_free(book: Book) -> None:
    book.build()
    assert reasons(book, "full") == {"alpha": ['parameter preset "quick" -> "full"'], "beta": []}
    assert set(book.build("full").ran) == {"alpha"}
    assert not book.build("quick").ran


def test_recorded_values_arrive_and_the_generator_is_no_evidence(
    book: Book, page: Callable[[str], str]
) -> None:
    report = book.build()
    papers = claims.read_papers(book.project.claims)
    rows = build.scoreboard(book.project, papers, list(report.runs.values()))
    assert {row.claim.id: row.verdict for row in rows} == {
        "answer": claims.Verdict.REPRODUCED,
        "real-answer": claims.Verdict.NOT_MEASURED,
    }
    assert "The answer is 42 s, ours 42 s." in page("alpha")
    assert claims.MIME not in page("alpha"), "the recording itself is not shown"
    assert "injected-parameters" not in page("alpha")


def test_unknown_role_and_marker_are_refused(book: Book) -> None:
    book.edit("alpha", "{published}`answer`", "{published}`anwser`")
    with pytest.raises(BookError, match="refers to the claim 'anwser'"):
        book.build()
    book.edit("alpha", "anwser", "answer")
    (book.project.root / "book" / "index.md").write_text("# Small\n\n% restudy: sumary\n")
    with pytest.raises(
        BookError, match=r"sumary'; known are: summary, picture, scoreboard, chapters"
    ):
        book.build()


FAILURES = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "killed": ("import os\nos.kill(os.getpid(), 9)", "DeadKernel: the kernel died"),
    "limit": ("import time\ntime.sleep(600)", "CellTimeout: the cell ran longer than its 15 s"),
    "syntax": ("def (", "SyntaxError"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failed_chapter_stops_no_other_and_its_page_says_so(
    book: Book, page: Callable[[str], str], kind: str
) -> None:
    source, error = FAILURES[kind]
    book.build()
    limit = {"cell_limit_s": 15} if kind == "limit" else {}  # the cell of imports has it too
    book.write("beta", [*book.beta, ("code", source)], limit)
    book.edit("alpha", "factor = 6", "factor = 5")
    report = book.build()
    assert set(report.ran) == {"alpha", "beta"}
    (failed,) = report.failed
    assert failed.failure is not None
    assert (failed.chapter, failed.failure.cell) == ("beta", 3)
    assert failed.failure.error.startswith(error)
    assert error.split(":")[0] in page("beta")
    assert "print(len" not in page("beta"), "no stale result is shown"
    assert reasons(book)["beta"] == ["it failed the last time"]

    book.write("beta", book.beta)
    assert not book.build().ran, "the result from before the failure is still good"
    assert Cache(book.project).failed("beta") is not None
    book.write("beta", [*book.beta, ("code", "1")])
    assert set(book.build().ran) == {"beta"}
    assert Cache(book.project).failed("beta") is None


def test_what_a_dying_kernel_itself_said_is_on_its_page_and_not_in_the_terminal(
    book: Book, page: Callable[[str], str], capfd: pytest.CaptureFixture[str]
) -> None:
    says = 'import os\nos.write(2, b"Socket operation")'
    book.write("beta", [*book.beta, ("code", says + "\nos.abort()")])
    (failed,) = book.build().failed
    assert failed.failure is not None
    assert failed.failure.error.startswith("DeadKernel")
    assert "Socket operation" in failed.failure.traceback
    assert "Socket operation" in page("beta")
    assert "Socket operation" not in capfd.readouterr().err


def test_unknown_preset_and_parameter_name_the_known_ones(book: Book) -> None:
    with pytest.raises(BookError, match="no preset 'fast'; the presets are: quick, full, paper"):
        book.build("fast")
    chapter = read_chapters(book.project)["alpha"]
    with pytest.raises(BookError, match="no parameter 'N'; its parameters are: preset, factor"):
        chapter.check({"N": 1})


def test_second_builder_is_refused(book: Book) -> None:
    book.project.build.mkdir()
    with (book.project.build / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BookError, match="Another build is running"):
            book.build()


def test_results_file_holds_values_and_the_run(book: Book) -> None:
    report = book.build()
    (path, picture) = build.write_results(book.project, list(report.runs.values()))
    assert path.name == "1234.56789.quick.json"
    written = json.loads(path.read_text())
    assert written["measured"]["answer"]["value"] == 42
    assert written["run"]["chapter"] == "alpha"
    assert picture.read_text().startswith("<svg")
    back = claims.read_results(book.project.results, "1234.56789")
    assert back["quick"]["answer"].value == 42


def test_regression_is_a_claim_that_held_in_the_same_preset(book: Book) -> None:
    build.write_results(book.project, list(book.build().runs.values()))
    book.edit("alpha", "factor = 6", "factor = 5")
    runs = list(book.build().runs.values())
    papers = claims.read_papers(book.project.claims)
    before = build.committed(book.project, papers)
    lost = claims.regressions(build.scoreboard(book.project, papers, runs), before)
    assert [row.claim.id for row in lost] == ["answer"]
    rows = build.scoreboard(book.project, papers, runs)
    timed = [dataclasses.replace(r, claim=dataclasses.replace(r.claim, timed=True)) for r in rows]
    assert not claims.regressions(timed, before)
    full = list(book.build("full").runs.values())
    assert not claims.regressions(build.scoreboard(book.project, papers, full), before)


def test_leftovers_of_a_killed_build_are_swept(book: Book) -> None:
    leftover = book.project.cache / ".beta-1-abc"
    leftover.mkdir(parents=True)
    book.build()
    assert not leftover.exists()


def test_data_files_count_and_caches_of_compilers_do_not(tmp_path: Path) -> None:
    package = tmp_path / "restudy"
    for file in ("__init__.py", "traces/__init__.py", "traces/curves.csv"):
        (package / file).parent.mkdir(exist_ok=True)
        (package / file).write_text(file)
    (package / "traces" / "__pycache__").mkdir()
    for name in ("__init__.cpython-311.pyc", "jobs._count-9.py311.nbi"):
        (package / "traces" / "__pycache__" / name).write_text(name)
    sources = Sources()
    sources.folder = package
    found = sources.hashes({"restudy", "restudy.traces"})
    assert list(found) == ["restudy", "restudy.traces", "restudy/traces/curves.csv"]


def test_reach_follows_imports_and_parents() -> None:
    sources = Sources()
    assert sources.reach(["%matplotlib inline\nimport numpy"]) == set()
    reached = sources.reach(["from restudy.traces.jobs import COLUMNS"])
    assert {"restudy", "restudy.traces", "restudy.traces.jobs", "restudy.errors"} <= reached
    assert "restudy.cli" not in reached
    assert "restudy.book.build" not in reached
    assert sources.reach(["from restudy import claims"]) >= {"restudy.claims", "restudy.errors"}


def test_full_disk_is_one_sentence(book: Book, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    try:
        book.write("beta", [*book.beta, ("code", "print('x' * 200_000)")])
        book.project = type(book.project)(book.project.root, small / "build")
        with pytest.raises(BookError, match="No space left on the disk of"):
            book.build()
        kept = [p.name for p in (small / "build" / "cache").glob("beta/*")]
        assert kept == [], "nothing half-written under a final name"
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_parameters_table_shows_what_was_used(book: Book, page: Callable[[str], str]) -> None:
    book.build("full")
    assert "how much to compute" in page("alpha")
    assert "full" in page("alpha")


def test_environment_of_a_kernel(book: Book, page: Callable[[str], str]) -> None:
    book.write(
        "beta", [*book.beta, ("code", "import os\nprint(os.environ['OMP_NUM_THREADS'], 'threads')")]
    )
    book.build(jobs=1)
    assert f"{os.cpu_count()} threads" in page("beta")
