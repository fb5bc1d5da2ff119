"""The generated parts of the book, read back with an HTML parser."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from restudy.book import pages
from restudy.book.cache import Run
from restudy.claims import Claim, Measured, Paper, Row, Tolerance, Verdict

VOID = {"br", "input", "img", "path", "circle"}
NASTY = 'Jobs <b>wait</b> & "run" > 1 h, $R^2 < 1$'


class Reader(HTMLParser):
    """Checks that tags close in order; keeps elements as (tag, attributes) and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attrs
            for name, attrs in self.elements
            if name == tag and all(attrs.get(k.replace("_", "-")) == v for k, v in wanted.items())
        ]


def claim(claim_id: str = "median", **changed) -> Claim:
    bounded = {"at_least", "at_most", "between"} & changed.keys()
    base = {
        "paper": "2409.08949",
        "chapter": "hpc-ml-jobs",
        "id": claim_id,
        "by": "paper",
        "source": "Figure 6",
        "section": "run-times",
        "statement": "Half of all jobs run for at most 24 s.",
        "unit": "s",
        "reason": "The clock ticks in seconds.",
        "needs": (),
    }
    if not bounded:
        base |= {"value": 24.0, "tolerance": Tolerance(relative=0.05)}
    return Claim(**(base | changed))


@pytest.fixture
def rows() -> list[Row]:
    return [
        Row(claim("held"), Measured(24.6, "full", ("lisa",), (24.0, 25.1))),
        Row(claim("lost"), None, Measured(30.0, "quick")),
        Row(claim("open", needs=("data:lisa", "gpu")), None, None),
        Row(claim("other", paper="2010.12535", chapter="networks", section="chain", at_least=0.9)),
    ]


def test_the_scoreboard_has_one_row_a_claim_with_its_verdict(rows):
    read = Reader(pages.scoreboard(rows))
    found = {tr["id"]: tr["data-verdict"] for tr in read.all("tr") if "data-verdict" in tr}
    assert found == {
        "2409.08949-held": "reproduced",
        "2409.08949-lost": "differs",
        "2409.08949-open": "not measured here",
        "2010.12535-other": "not measured here",
    }


def test_every_verdict_is_told_by_a_symbol_and_a_word(rows):
    text = Reader(pages.scoreboard(rows)).text
    for verdict, mark in pages.MARK.items():
        assert f"{mark} {verdict}" in text
    assert len(set(pages.MARK.values())) == len(Verdict)


def test_a_row_links_to_the_section_that_measures_it(rows):
    links = [a["href"] for a in Reader(pages.scoreboard(rows)).all("a")]
    assert "papers/hpc-ml-jobs.html#run-times" in links
    assert "papers/networks.html#chain" in links


def test_claims_of_one_section_stand_together():
    apart = [Row(claim("a")), Row(claim("b", section="clocks")), Row(claim("c"))]
    ids = re.findall(r'<tr id="2409.08949-(\w)"', pages.scoreboard(apart))
    assert ids == ["a", "c", "b"]


def test_the_scoreboard_says_preset_interval_tolerance_and_reason(rows):
    text = Reader(pages.scoreboard(rows)).text
    for told in ("full", "quick", "95 % CI 24 to 25.1", "± 5 %", "The clock ticks in seconds."):
        assert told in text
    assert "needs the data lisa and a GPU" in text


@pytest.mark.parametrize(
    ("changed", "value", "told"),
    [
        ({}, 24.6, "+0.6 s"),
        ({}, 22.8, "−1.2 s"),
        ({}, 24.0, "±0 s"),
        ({"unit": "%"}, 24.6, "+0.6 points"),
        ({"at_most": 20.0}, 19.0, "inside"),
        ({"at_most": 20.0}, 21.5, "outside by 1.5 s"),
        ({"at_least": 20.0}, 18.0, "outside by 2 s"),
        ({"between": (2.0, 3.0)}, 2.5, "inside"),
    ],
)
def test_the_difference_in_words(changed, value, told):
    row = Row(claim(**changed), Measured(value, "quick"))
    text = Reader(pages.scoreboard([row])).text
    assert told in text


@pytest.mark.parametrize(
    ("value", "at"), [(22.8, 20.0), (24.0, 40.0), (25.2, 60.0), (0.0, 4.0), (99.0, 76.0)]
)
def test_the_gauge_puts_the_value_where_it_lies_in_the_interval(value, at):
    read = Reader(pages.scoreboard([Row(claim(), Measured(value, "quick"))]))
    (dot,) = read.all("circle")
    assert float(dot["cx"]) == pytest.approx(at)


def test_exact_claims_have_no_gauge():
    row = Row(claim(tolerance=Tolerance(absolute=0.0)), Measured(24.0, "quick"))
    read = Reader(pages.scoreboard([row]))
    assert "exact" in read.text
    assert not read.all("circle")


def test_a_percentage_tells_relative_from_absolute_tolerance():
    relative = Reader(pages.scoreboard([Row(claim(unit="%"))])).text
    absolute = claim(unit="%", tolerance=Tolerance(absolute=0.5))
    assert "± 5 % of it" in relative
    assert "± 0.5 points" in Reader(pages.scoreboard([Row(absolute)])).text


def test_text_is_escaped_and_mathematics_kept():
    nasty = claim(statement=NASTY, reason=NASTY + "\n\nsecond", source="<i>")
    block = pages.scoreboard([Row(nasty)])
    read = Reader(block)
    assert "<b>" not in block
    assert "<i>" not in block
    assert 'Jobs <b>wait</b> & "run" > 1 h, \\(R^2 < 1\\)' in read.text
    assert 'class="math notranslate nohighlight">\\(R^2 &lt; 1\\)' in block


@pytest.mark.parametrize("name", ["scoreboard", "summary"])
def test_blocks_of_html_have_no_blank_line(rows, name):
    text = getattr(pages, name)([*rows, Row(claim("x", statement="a\n\nb", reason="c\n\nd"))])
    assert "\n\n" not in text


def test_without_claims_the_pages_say_so():
    assert "No claim" in pages.scoreboard([])
    assert "No claim" in pages.summary([])


def test_the_summary_counts_and_links_to_the_filtered_scoreboard(rows):
    read = Reader(pages.summary(rows))
    assert "4 claims of 2 papers registered, 2 measured" in read.text
    assert "1 at preset full" in read.text
    assert {a["href"] for a in read.all("a")} == {
        "scoreboard.html#verdict=reproduced",
        "scoreboard.html#verdict=differs",
        "scoreboard.html#verdict=not%20measured%20here",
    }


def test_a_card_names_the_paper_and_counts_its_own_claims(rows):
    papers = [
        Paper("2409.08949", "hpc-ml-jobs", "Generic & ML", ()),
        Paper("2010.12535", "networks", "NetSquid", ()),
    ]
    read = Reader(pages.chapter_cards(papers, rows))
    assert "Generic & ML" in read.text
    assert "✗ 1 differs" in read.text
    assert [a["href"] for a in read.all("a")] == ["papers/hpc-ml-jobs.html", "papers/networks.html"]


def test_the_picture_has_one_cell_a_claim_and_the_same_bytes_each_time(rows, tmp_path: Path):
    many = rows * 20
    for name in ("a.svg", "b.svg"):
        pages.picture(sorted(many, key=lambda r: r.claim.paper), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    root = ET.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))
    cells = [x for x in root.iter("{http://www.w3.org/2000/svg}rect") if x.get("rx")]
    assert len(cells) == len(many) + len(Verdict)  # and one a verdict in the legend
    width, height = (float(root.get(side)) for side in ("width", "height"))
    for cell in cells:
        assert 0 <= float(cell.get("x")) <= width - 9
        assert 0 <= float(cell.get("y")) <= height - 9


def test_the_picture_tells_verdicts_apart_without_colour(rows, tmp_path: Path):
    pages.picture(rows, tmp_path / "a.svg", dark=True, background="#ffffff")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert 'fill="url(#hatch)"' in text
    assert 'fill="none" stroke' in text
    assert 'fill="#ffffff"' in text
    assert "1 differs" in text


def test_the_picture_block_says_in_words_what_the_picture_shows(rows):
    block = pages.picture_block(rows)
    assert block.count(":alt:") == 2
    assert "2409.08949: 1 reproduced, 1 differs, 1 not measured here" in block
    assert "only-light" in block
    assert "only-dark" in block


@pytest.fixture
def run() -> Run:
    return Run(
        chapter="hpc-ml-jobs",
        preset="quick",
        parameters={"seed": 1, "trace": "<mine>"},
        commit="abc+changes",
        command="restudy run hpc-ml-jobs -p gpu_nodes='gpu[1-40]' && true",
        seconds=41.234,
        peak_bytes=812 * 2**20,
        machine="Linux x86_64, 2 cores, 8 GiB",
        versions={"python": "3.11.7"},
        datasets={"lisa": "ab" * 32, "zenodo": "absent"},
        parts={},
    )


def test_the_run_record_tells_how_the_page_was_made(run):
    text = pages.run_record(run)
    read = Reader(text)
    for told in (run.command, "quick", "41.2 s", "812 MiB", "<mine>", "ab" * 32, "absent"):
        assert told in read.text


def test_what_varies_from_run_to_run_is_marked(run):
    text = pages.run_record(run)
    blank = re.sub(r'(<(\w+) class="varies">).*?(</\2>)', r"\1\3", text)
    for varying in ("41.2", "812", "2 cores", "abc+changes"):
        assert varying in text
        assert varying not in blank


def test_the_parameter_table_wants_one_entry_each():
    table = Reader(pages.parameter_table(["seed", "trace"], ["1", "'<auto>'"], ["", "a & b"]))
    assert "'<auto>'" in table.text
    assert "a & b" in table.text
    with pytest.raises(ValueError, match="zip"):
        pages.parameter_table(["seed"], ["1", "2"], [""])


def test_the_failure_page_shows_the_error_and_the_way_back():
    tail = "Traceback\n\n\x1b[0;31mValueError\x1b[0m: ```\n````\nend"
    page = pages.failure("broken", 7, "ValueError: <found> & expected", tail, "restudy run broken")
    assert page.startswith("# broken")
    assert "cell 7" in page
    assert "ValueError: &lt;found&gt; &amp; expected" in page
    assert "restudy run broken" in page
    assert "\x1b" not in page
    assert "\n`````text\nTraceback" in page  # a fence longer than any in the traceback


def test_a_chapter_may_fail_before_its_first_cell():
    page = pages.failure("broken", 0, "DeadKernel: it died", "", "restudy run broken")
    assert "before its first cell" in page
    assert "```" not in page
