"""The command line, in this process: what it prints, and its exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from restudy.book import build
from restudy.cli import main

if TYPE_CHECKING:
    from conftest import Book

pytestmark = pytest.mark.usefixtures("staged_only")


@pytest.fixture(autouse=True)
def in_the_book(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTUDY_ROOT", str(book.project.root))
    monkeypatch.setenv("COLUMNS", "200")


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="restudy")


def test_list_before_and_after_a_build(book: Book) -> None:
    before = json.loads(call("list", "--json").stdout)
    assert [(one["chapter"], one["state"], one["hold"]) for one in before] == [
        ("alpha", "stale", 0),
        ("beta", "stale", 0),
    ]
    book.build()
    shown = call("list")
    assert shown.exit_code == 0
    assert "1 of 1 measured, 2 in all" in shown.stdout
    assert shown.stdout.count("fresh") == 2


def test_claims_in_json_and_as_a_table(book: Book) -> None:
    book.build()
    found = {one["id"]: one for one in json.loads(call("claims", "--json").stdout)}
    assert found["answer"]["measured"] == 42
    assert found["answer"]["verdict"] == "reproduced"
    assert found["answer"]["preset"] == "quick"
    assert found["real-answer"]["measured"] is None
    assert found["real-answer"]["verdict"] == "not measured here"
    table = call("claims").stdout
    assert "1 reproduced, 0 differs, 1 not measured here" in table
    only = call("claims", "--verdict", "not-measured").stdout
    assert "real-answer" in only
    assert "0 reproduced" in only


def test_claims_exits_with_1_when_a_claim_is_lost(book: Book) -> None:
    build.write_results(book.project, list(book.build().runs.values()))
    assert call("claims").exit_code == 0
    book.edit("alpha", "factor = 6", "factor = 5")
    book.build()
    lost = call("claims")
    assert lost.exit_code == 1
    assert "claim answer of 1234.56789 holds in the committed quick results" in lost.stderr
    book.edit("alpha", "factor = 5", "factor = 6")
    assert not book.build().ran, "the first run is taken again"
    assert call("claims").exit_code == 0


def test_claims_of_an_unknown_paper() -> None:
    said = call("claims", "--paper", "1")
    assert said.exit_code == 2
    assert "the papers are: 1234.56789" in said.stderr


def test_build_records_results(book: Book) -> None:
    said = call("build", "--cluster", "threads", "--record")
    assert said.exit_code == 0, said.output
    assert "wrote book/results/1234.56789.quick.json" in said.stdout
    assert (book.project.root / "book" / "_static" / "scoreboard.svg").exists()


def test_run_records_results_of_one_chapter(book: Book) -> None:
    said = call("run", "alpha", "--record")
    assert said.exit_code == 0, said.output
    assert "wrote book/results/1234.56789.quick.json" in said.stdout
    kept = json.loads((book.project.results / "1234.56789.quick.json").read_text())
    assert kept["measured"]["answer"]["value"] == 42


def test_run_records_no_results_of_other_parameters(book: Book) -> None:
    said = call("run", "alpha", "-p", "factor=5", "--record")
    assert said.exit_code == 2
    assert "-p factor=5 sets one; leave out -p, or --record" in said.stderr
    assert not book.project.results.exists() or not list(book.project.results.iterdir())


def test_fetch_lists_the_datasets() -> None:
    said = call("fetch")
    assert said.exit_code == 0
    assert "lisa-halfyear-tasks" in said.stdout


def test_doctor_names_the_fix_of_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = {one["what"]: one for one in json.loads(call("doctor", "--json").stdout)}
    assert not found["git: to name the commit in run records"]["ok"]
    assert "apt install git" in call("doctor").stdout
    monkeypatch.setenv("RESTUDY_MIRROR", "/no/such/folder")
    assert call("doctor").exit_code == 1


def test_help_of_every_command_reads() -> None:
    for name in main.commands:
        said = call(name, "--help")
        assert said.exit_code == 0
        assert said.stdout.startswith(f"Usage: restudy {name}")
