"""Claims files, verdicts, and the values that travel in a notebook."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy import claims

ROOT = Path(__file__).parents[1]
FINITE = st.floats(-1e12, 1e12, allow_nan=False)


def claim(**keys: Any) -> claims.Claim:
    texts = dict.fromkeys(("paper", "chapter", "id", "source", "section", "statement"), "x")
    return claims.Claim(**{**texts, "by": "paper", "unit": "s", "reason": "r", "needs": (), **keys})


def test_committed_claims_files_read() -> None:
    papers = claims.read_papers(ROOT / "book" / "claims")
    known = ["2005.02265", "2010.12535", "2107.11832", "2111.15631", "2409.08949"]
    assert [paper.arxiv for paper in papers] == known
    for paper in papers:
        for one in paper.claims:
            low, high = one.interval()
            assert low <= high
            assert one.published()
            for need in one.needs:
                assert need.startswith(("data:", "preset:")) or need == "gpu"


def test_needed_datasets_are_registered() -> None:
    from restudy import data

    papers = claims.read_papers(ROOT / "book" / "claims")
    needs = {need for paper in papers for one in paper.claims for need in one.needs}
    names = {need.removeprefix("data:") for need in needs if need.startswith("data:")}
    assert names <= set(data.registry())


@given(FINITE, st.floats(0, 10), FINITE)
def test_absolute_tolerance_is_the_closed_interval(value: float, width: float, x: float) -> None:
    one = claim(value=value, tolerance=claims.Tolerance(absolute=width))
    slack = 1e-9 * max(abs(value - width), abs(value + width))
    if abs(x - value) < width - slack:
        assert one.holds(x)
    if abs(x - value) > width + 2 * slack + 1e-12 * abs(x):
        assert not one.holds(x)


@pytest.mark.parametrize(
    ("keys", "inside", "outside"),
    [
        ({"value": -10.0, "tolerance": claims.Tolerance(relative=0.1)}, [-9, -11], [-8.9, -11.1]),
        ({"at_least": 0.9}, [0.9, 7], [0.89]),
        ({"at_most": 5.0}, [5, -7], [5.01]),
        ({"between": (1.0, 2.0)}, [1, 2], [0.99, 2.01]),
        ({"value": 0.0, "tolerance": claims.Tolerance(absolute=0.0)}, [0], [1e-9]),
    ],
)
def test_holds_at_the_ends(keys: dict[str, Any], inside: list[float], outside: list[float]) -> None:
    one = claim(**keys)
    assert all(one.holds(x) for x in inside)
    assert not any(one.holds(x) for x in outside)


def test_difference_is_signed_and_zero_inside_a_bound() -> None:
    measured = claims.Measured(7.0, "quick")
    exact = claim(value=5.0, tolerance=claims.Tolerance(absolute=1))
    assert claims.Row(exact, here=measured).difference == 2
    assert claims.Row(claim(at_most=6.0), here=measured).difference == 1
    assert claims.Row(claim(at_least=8.0), here=measured).difference == -1
    assert claims.Row(claim(at_least=6.0), here=measured).difference == 0
    assert claims.Row(claim(at_least=6.0)).difference is None


def test_row_shows_the_larger_preset_and_this_build_at_the_same() -> None:
    one = claim(at_least=0.0)
    quick, full = claims.Measured(1.0, "quick"), claims.Measured(2.0, "full")
    again = claims.Measured(3.0, "full")
    assert claims.Row(one, committed=full, here=quick).measured is full
    assert claims.Row(one, committed=quick, here=full).measured is full
    assert claims.Row(one, committed=full, here=again).measured is again
    assert claims.Row(one).verdict is claims.Verdict.NOT_MEASURED


GOOD = """
paper = "1"
chapter = "c"
title = "t"
[[claim]]
id = "a"
by = "paper"
source = "Table 1"
section = "s"
statement = "x"
unit = ""
reason = "r"
needs = []
value = 1.0
tolerance = { absolute = 1 }
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("tolerance = { absolute = 1 }", "", "`tolerance` goes with `value`"),
        ("value = 1.0", "at_least = 1.0", "`tolerance` goes with `value`"),
        ("value = 1.0", "value = 1.0\nat_most = 2.0", "expected exactly one of value"),
        ("value = 1.0", "", "expected exactly one of value"),
        ("{ absolute = 1 }", "{ absolut = 1 }", "expected absolute or relative"),
        ('reason = "r"', 'reason = ""', "empty reason"),
        ('by = "paper"', 'by = "me"', "expected 'paper' or 'restudy'"),
        ('unit = ""', 'unt = ""', "unknown keys"),
        ('unit = ""', "", "lacks"),
        ('title = "t"', "", "has no text under 'title'"),
        ("[[claim]]", "[[claim", "cannot be read"),
    ],
)
def test_faulty_claims_file_names_the_fault(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = tmp_path / "1.toml"
    path.write_text(GOOD)
    assert len(claims.read_paper(path).claims) == 1
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(claims.ClaimError, match=sentence):
        claims.read_paper(path)


def test_two_claims_of_one_id(tmp_path: Path) -> None:
    path = tmp_path / "1.toml"
    path.write_text(GOOD + GOOD[GOOD.index("[[claim]]") :])
    with pytest.raises(claims.ClaimError, match="two claims 'a'"):
        claims.read_paper(path)


def recorder(monkeypatch: pytest.MonkeyPatch) -> claims.Recorder:
    monkeypatch.setenv("RESTUDY_ROOT", str(ROOT))
    return claims.open_paper("2409.08949", preset="quick")


def test_recording_refuses_what_is_no_number_and_no_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = recorder(monkeypatch)
    known = paper.paper.claims[0].id
    with pytest.raises(claims.ClaimError, match="expected a finite number"):
        paper.record(known, math.nan)
    with pytest.raises(claims.ClaimError, match=f"did you mean {known}"):
        paper.record(known + "x", 1.0)


def test_opening_unknown_paper_or_preset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESTUDY_ROOT", str(ROOT))
    with pytest.raises(claims.ClaimError, match=r"known papers: 2005\.02265, 2010"):
        claims.open_paper("0000.00000", preset="quick")
    with pytest.raises(claims.ClaimError, match="expected one of quick, full, paper"):
        claims.open_paper("2409.08949", preset="fast")
    monkeypatch.setenv("RESTUDY_ROOT", str(tmp_path))
    with pytest.raises(claims.ClaimError, match="No folder book/claims"):
        claims.open_paper("2409.08949", preset="quick")


def test_value_without_the_needed_data_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = recorder(monkeypatch)
    needy = next(one for one in paper.paper.claims if one.needs == ("data:lisa-halfyear-tasks",))
    paper.record(needy.id, 1.0, data="generated")
    assert needy.id not in paper.measured
    paper.record(needy.id, 1.0, data=["lisa-halfyear-tasks"])
    assert paper.measured[needy.id].data == ("lisa-halfyear-tasks",)
    assert "not measured here" in repr(paper.table())


def test_table_escapes_what_a_claim_says() -> None:
    row = claims.Row(claim(statement="a < b & c", at_least=0.0))
    assert "a &lt; b &amp; c" in claims.ClaimTable([row])._repr_html_()
