"""The generated parts of the book: scoreboard, summary, cards, run records, failure pages.

Plain functions, claims and run records in, text out. The text is MyST Markdown; tables are blocks
of raw HTML without blank lines (a blank line would end the block). Every text from a claim, a
notebook or a machine is escaped. What differs from run to run (seconds, memory, machine, commit)
stands in elements of class ``varies``, so that two builds can be compared.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restudy.claims import Claim, Paper, Row, Verdict
from restudy.quantities import number, quantity

if TYPE_CHECKING:
    from restudy.book.cache import Run

MARK = {Verdict.REPRODUCED: "✓", Verdict.DIFFERS: "✗", Verdict.NOT_MEASURED: "–"}
"""The symbol of each verdict: the verdict is never told by colour alone."""

_CSS = {
    Verdict.REPRODUCED: "rs-reproduced",
    Verdict.DIFFERS: "rs-differs",
    Verdict.NOT_MEASURED: "rs-not-measured",
}


# ----------------------------------------------------------------------------------- scoreboard


def scoreboard(rows: Sequence[Row]) -> str:
    """Return the table of all claims as one block of HTML.

    The form above it is hidden until ``scoreboard.js`` shows it, so that the page is whole without
    JavaScript. Rows carry ``data-verdict``, bodies ``data-paper``: the filter needs nothing else.
    """
    if not rows:
        return "No claim is registered yet."
    papers = {row.claim.paper: row.claim.chapter for row in rows}
    options = "".join(
        f'<option value="{_text(arxiv)}">{_text(arxiv)} · {_text(chapter)}</option>'
        for arxiv, chapter in papers.items()
    )
    sections: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        sections.setdefault((row.claim.paper, row.claim.section), []).append(row)
    verdicts = "".join(f'<option value="{v}">{MARK[v]} {v}</option>' for v in Verdict)
    lines = [
        '<div id="scoreboard" class="rs-scoreboard">',
        '<form class="rs-filter" role="search" aria-label="Filter the claims" hidden>',
        f'<label>Paper <select name="paper"><option value="">all papers</option>{options}'
        "</select></label>",
        f'<label>Verdict <select name="verdict"><option value="">all verdicts</option>{verdicts}'
        "</select></label>",
        '<label>Text <input type="search" name="q" placeholder="median, Figure 6, …"></label>',
        '<button type="reset">Show all</button>',
        f'<output aria-live="polite">{len(rows)} claims</output>',
        "</form>",
        '<table class="rs-table"><caption class="rs-hidden">Every claim: published value, value '
        "measured here, difference and verdict</caption>",
        '<thead><tr><th scope="col">Claim</th><th scope="col">Published</th>'
        '<th scope="col">Ours</th><th scope="col">Difference</th><th scope="col">Verdict</th>'
        "</tr></thead>",
    ]
    for (arxiv, section), group in sections.items():
        chapter = group[0].claim.chapter
        lines.append(f'<tbody data-paper="{_text(arxiv)}">')
        lines.append(
            '<tr class="rs-section"><th scope="rowgroup" colspan="5">'
            f'<a href="papers/{_text(chapter)}.html#{_text(section)}">'
            f"{_text(section.replace('-', ' ').capitalize())}</a> "
            f"<span>{_text(chapter)} · arXiv:{_text(arxiv)}</span></th></tr>"
        )
        lines += [_claim_row(row) for row in group]
        lines.append("</tbody>")
    return "\n".join([*lines, "</table>", "</div>"])


def _claim_row(row: Row) -> str:
    claim = row.claim
    own = ' <span class="rs-badge">own check</span>' if claim.by == "restudy" else ""
    link = f"papers/{_text(claim.chapter)}.html#{_text(claim.section)}"
    return (
        f'<tr id="{_text(claim.paper)}-{_text(claim.id)}" data-verdict="{row.verdict}">'
        f'<th scope="row"><a href="{link}">{_text(claim.statement)}</a>'
        f'<span class="rs-small">{_text(claim.source)}{own}</span></th>'
        f'<td data-label="Published"><span class="rs-value">{_text(claim.published())}</span>'
        f"{_tolerance(claim)}</td>"
        f'<td data-label="Ours">{_ours(row)}</td>'
        f'<td data-label="Difference">{_difference(row)}</td>'
        f'<td data-label="Verdict">{_badge(row.verdict)}</td></tr>'
    )


def _badge(verdict: Verdict) -> str:
    return (
        f'<span class="rs-verdict {_CSS[verdict]}">'
        f'<span aria-hidden="true">{MARK[verdict]}</span> {verdict}</span>'
    )


def _tolerance(claim: Claim) -> str:
    label, tolerance = "bound", claim.tolerance
    if tolerance is not None and claim.value is not None and tolerance.width(claim.value) == 0:
        label = "exact"
    elif tolerance is not None and tolerance.absolute is not None:
        label = f"± {quantity(tolerance.absolute, _points(claim.unit))}"
    elif tolerance is not None:
        share = number(100 * (tolerance.relative or 0.0))
        label = f"± {share} % of it" if claim.unit == "%" else f"± {share} %"
    reason = _text(claim.reason)
    return f'<details class="rs-small"><summary>{_text(label)}</summary>{reason}</details>'


def _ours(row: Row) -> str:
    if row.measured is None:
        return f'<span class="rs-small">{_text(needed(row.claim))}</span>'
    interval = ""
    if row.measured.interval is not None:
        low, high = row.measured.interval
        interval = f'<span class="rs-small">95 % CI {number(low)} to {number(high)}</span>'
    data = f" · {', '.join(row.measured.data)}" if row.measured.data else ""
    return (
        f'<span class="rs-value">{_text(quantity(row.measured.value, row.claim.unit))}</span>'
        f'{interval}<span class="rs-small"><span class="rs-badge">{_text(row.measured.preset)}'
        f"</span>{_text(data)}</span>"
    )


def needed(claim: Claim) -> str:
    """Return what a claim that was not measured waits for, in words."""
    words = {"gpu": "a GPU"}
    needs = [
        words.get(need)
        or need.replace("data:", "the data ").replace("preset:", "the preset ").replace("any", "")
        for need in claim.needs
    ]
    return f"needs {' and '.join(needs)}" if needs else "not recorded in this build"


def _points(unit: str) -> str:
    return "points" if unit == "%" else unit


def _difference(row: Row) -> str:
    if row.measured is None or row.difference is None:
        return '<span aria-label="none">–</span>'
    claim = row.claim
    away = float(f"{row.difference:.3g}")
    if abs(away) < 1e-9 * abs(row.measured.value):
        away = 0.0  # round-off
    if claim.value is None:
        size = quantity(abs(away), _points(claim.unit))
        text = "inside" if row.verdict is Verdict.REPRODUCED else f"outside by {size}"
        return f'<span class="rs-value">{_text(text)}</span>{_gauge(row)}'
    sign = "+" if away > 0 else "−" if away < 0 else "±"
    text = f"{sign}{quantity(abs(away), _points(claim.unit))}"
    shown = ""
    if away and claim.value and claim.unit != "%":
        share = number(float(f"{abs(100 * away / claim.value):.2g}"))
        shown = f'<span class="rs-small">{sign}{share} %</span>'
    return f'<span class="rs-value">{_text(text)}</span>{shown}{_gauge(row)}'


def _gauge(row: Row) -> str:
    """Draw the accepted interval as a bar and the measured value as a dot on it (SVG).

    The bar covers 40 of 80 units; a value further out than twice the interval sits at the rim.
    """
    low, high = row.claim.interval()
    if row.measured is None or not low < high < float("inf") or low == -float("inf"):
        return ""
    at = min(max(20 + 40 * (row.measured.value - low) / (high - low), 4), 76)
    return (
        f'<svg class="rs-gauge {_CSS[row.verdict]}" viewBox="0 0 80 14" aria-hidden="true">'
        '<path d="M20 7H60M20 3V11M60 3V11M40 5V9"/>'
        f'<circle cx="{at:.1f}" cy="7" r="3.6"/></svg>'
    )


# --------------------------------------------------------------------------------- landing page


def count(rows: Iterable[Row]) -> dict[Verdict, int]:
    """Return how many rows have each verdict, every verdict named."""
    found = Counter(row.verdict for row in rows)
    return {verdict: found[verdict] for verdict in Verdict}


def summary(rows: Sequence[Row]) -> str:
    """Return how much holds: one sentence, and three tiles that lead to the filtered scoreboard.

    The tiles count what the papers say. Our own checks, which would flatter the count, are told
    apart.
    """
    if not rows:
        return "No claim has been checked yet."
    said = [row for row in rows if row.claim.by == "paper"]
    own = count(row for row in rows if row.claim.by != "paper")
    counts = count(said)
    papers = len({row.claim.paper for row in rows})
    measured = len(said) - counts[Verdict.NOT_MEASURED]
    presets = Counter(row.measured.preset for row in said if row.measured is not None)
    stamp = ", ".join(f"{n} at preset {name}" for name, n in presets.most_common())
    tiles = "".join(
        f'<a class="rs-tile {_CSS[v]}" href="scoreboard.html#verdict={v.replace(" ", "%20")}">'
        f'<span class="rs-count"><span aria-hidden="true">{MARK[v]}</span> {n}</span>'
        f"<span>{_counted(n, v, shown=False)}</span></a>"
        for v, n in counts.items()
    )
    checks = ", ".join(_counted(n, v) for v, n in own.items() if n)
    beside = f"<p>Beside them stand checks of our own: {checks}.</p>\n" if checks else ""
    return (
        '<div class="rs-summary">\n'
        f"<p><strong>{_plural(len(said), 'claim')}</strong> of {_plural(papers, 'paper')} "
        f"registered, <strong>{measured}</strong> measured{f' ({stamp})' if stamp else ''}.</p>\n"
        f'<div class="rs-tiles">{tiles}</div>\n{beside}</div>'
    )


def chapter_cards(papers: Sequence[Paper], rows: Sequence[Row]) -> str:
    """Return one card a chapter: the paper's title and its claims counted by verdict."""
    cards = []
    for paper in papers:
        counts = count(row for row in rows if row.claim.paper == paper.arxiv)
        badges = " ".join(
            f'<span class="rs-verdict {_CSS[v]}"><span aria-hidden="true">{MARK[v]}</span> '
            f"{_counted(n, v)}</span>"
            for v, n in counts.items()
            if n
        )
        cards.append(
            f'<a class="rs-card" href="papers/{_text(paper.chapter)}.html">'
            f"<strong>{_text(paper.title)}</strong>"
            f'<span class="rs-small">arXiv:{_text(paper.arxiv)} · {_text(paper.chapter)}</span>'
            f'<span class="rs-badges">{badges}</span></a>'
        )
    return '<div class="rs-cards">\n' + "\n".join(cards) + "\n</div>"


def picture_block(rows: Sequence[Row], folder: str = "_static") -> str:
    """Return the picture of the scoreboard as MyST images, one for each theme, with its numbers."""
    told = "; ".join(
        f"{arxiv}: " + ", ".join(_counted(n, v) for v, n in count(group).items())
        for arxiv, group in groupby(rows, lambda r: r.claim.paper)
    )
    blocks = [
        f"```{{image}} {folder}/scoreboard-{theme}.svg\n:class: only-{theme} rs-picture\n"
        f":alt: Claims of each paper by verdict. {told}\n```"
        for theme in ("light", "dark")
    ]
    return "\n\n".join(blocks)


_COLUMNS = 40  # cells in one line of the picture
_CELL = 12  # their pitch in SVG units
_INK = {
    False: ("#1d2b36", "#5c6975", "#0072b2", "#d55e00"),
    True: ("#e8edf1", "#a9b5bf", "#6cb8ec", "#ff9d5c"),
}  # text, grey, blue, vermilion


def picture(
    rows: Sequence[Row], path: Path, *, dark: bool = False, background: str = "none"
) -> None:
    """Draw one cell a claim, one band a paper, sorted by verdict, into an SVG file.

    Filled, hatched and hollow cells tell the verdicts apart without colour. The same rows give
    the same bytes.

    Parameters
    ----------
    rows
        The claims, those of one paper together.
    path
        File to write.
    dark
        Whether the picture stands on a dark page.
    background
        Colour behind it; transparent unless told.
    """
    ink, grey, _, stripe = _INK[dark]
    width, y, parts = _COLUMNS * _CELL + 2, 18, []
    for arxiv, group in groupby(rows, lambda r: r.claim.paper):
        claims = list(group)
        parts.append(
            f'<text x="2" y="{y}" font-weight="700">{html.escape(claims[0].claim.chapter)}</text>'
            f'<text x="{width - 3}" y="{y}" text-anchor="end" fill="{grey}" font-size="14">'
            f"arXiv:{html.escape(arxiv)}</text>"
        )
        y += 10
        order = sorted((row.verdict for row in claims), key=list(Verdict).index)
        for i, verdict in enumerate(order):
            line, column = divmod(i, _COLUMNS)
            parts.append(_cell(2 + _CELL * column, y + _CELL * line, verdict, dark=dark))
        y += _CELL * -(-len(order) // _COLUMNS) + 32
    x = 2
    for verdict, n in count(rows).items():
        parts.append(_cell(x, y - 9, verdict, dark=dark))
        parts.append(f'<text x="{x + 16}" y="{y}" font-size="14">{_counted(n, verdict)}</text>')
        x += 36 + 8 * len(_counted(n, verdict))  # no font is wider than that here
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 16}" '
        f'width="{width}" height="{y + 16}" fill="{ink}" font-size="16" '
        "font-family=\"system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif\">\n"
        '<defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><path d="M0 0V4" stroke="{stripe}" stroke-width="4"/>'
        "</pattern></defs>\n"
        f'<rect width="100%" height="100%" fill="{background}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n",
        encoding="utf-8",
    )


def _cell(x: int, y: int, verdict: Verdict, *, dark: bool) -> str:
    _, grey, blue, stripe = _INK[dark]
    fill, edge = {
        Verdict.REPRODUCED: (blue, blue),
        Verdict.DIFFERS: ("url(#hatch)", stripe),
        Verdict.NOT_MEASURED: ("none", grey),
    }[verdict]
    return (
        f'<rect x="{x}" y="{y}" width="9" height="9" rx="1.5" fill="{fill}" stroke="{edge}" '
        'stroke-width="1.3"/>'
    )


# --------------------------------------------------------------------------------- chapter pages


def run_record(run: Run) -> str:
    """Return the section *How this page was made* that closes a chapter."""
    entries = [
        ("Command", f"<code>{_text(run.command)}</code>"),
        ("Preset", _text(run.preset)),
        ("Commit", f'<code class="varies">{_text(run.commit)}</code>'),
        ("Time", f'<span class="varies">{run.seconds:,.1f} s</span>'),
        ("Peak memory", f'<span class="varies">{run.peak_bytes / 2**20:,.0f} MiB</span>'),
        ("Machine", f'<span class="varies">{_text(run.machine)}</span>'),
        ("Parameters", _pairs(run.parameters)),
        ("Datasets", _pairs(run.datasets) if run.datasets else "none"),
        ("Versions", _pairs(run.versions)),
    ]
    body = "\n".join(f'<tr><th scope="row">{k}</th><td>{v}</td></tr>' for k, v in entries)
    return (
        "## How this page was made\n\n"
        f'<div class="rs-scroll"><table class="rs-record"><tbody>\n{body}\n</tbody></table></div>\n'
    )


def _pairs(pairs: Mapping[str, Any]) -> str:
    return "<br>".join(f"{_text(k)} <code>{_text(v)}</code>" for k, v in sorted(pairs.items()))


def parameter_table(
    names: Sequence[str], values: Sequence[str], helps: Sequence[str], *, default: str = ""
) -> str:
    """Return the table of the parameters a chapter ran with.

    Parameters
    ----------
    names, values, helps
        One entry a parameter: its name, the value it had as Python text, the comment behind
        its default.
    default
        What the table says where a parameter has no comment.

    Raises
    ------
    ValueError
        If the three sequences differ in length.
    """
    body = "\n".join(
        f'<tr><th scope="row"><code>{_text(name)}</code></th><td><code>{_text(value)}</code>'
        f"</td><td>{_text(help_ or default)}</td></tr>"
        for name, value, help_ in zip(names, values, helps, strict=True)
    )
    return (
        '<div class="rs-scroll"><table class="rs-record rs-parameters"><thead><tr>'
        '<th scope="col">Parameter</th><th scope="col">Value used</th><th scope="col">Meaning</th>'
        f"</tr></thead><tbody>\n{body}\n</tbody></table></div>\n"
    )


_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def failure(chapter: str, cell: int, error: str, traceback_tail: str, command: str) -> str:
    """Return the page that stands in for a chapter whose run failed.

    Parameters
    ----------
    chapter
        Name of the notebook.
    cell
        Number of the code cell that failed, counted from 1; 0 if none had begun.
    error
        One line: what went wrong.
    traceback_tail
        The last lines of the traceback; ANSI colours are removed.
    command
        The command that runs this chapter again.
    """
    where = f"code cell {cell} failed" if cell else "the chapter failed before its first cell"
    tail = _ANSI.sub("", traceback_tail).rstrip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", tail)), default=0))
    shown = f"{fence}text\n{tail}\n{fence}\n\n" if tail else ""
    return (
        f"# {chapter}: this run failed\n\n"
        '<div class="admonition error"><p class="admonition-title">No result on this page</p>\n'
        f"<p>In this build {where}: <code>{_text(error)}</code></p>\n"
        "<p>Results of earlier runs are not shown here, so that nothing stale is taken for new. "
        "To run only this chapter again:</p>\n"
        f'<pre class="rs-command">{html.escape(command)}</pre>\n</div>\n\n'
        f"{shown}"
    )


# ------------------------------------------------------------------------------------------ text

_MATH = re.compile(r"\$([^$\n]+)\$")


def _text(value: object) -> str:
    """Return `value` as HTML text on one line: escaped, ``$...$`` as math."""
    parts = _MATH.split(" ".join(str(value).split()))
    return "".join(
        f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>'
        if i % 2
        else html.escape(part)
        for i, part in enumerate(parts)
    )


def _counted(n: int, verdict: Verdict, *, shown: bool = True) -> str:
    """Return a verdict as said of `n` claims, with the number unless not `shown`."""
    said = "differ" if verdict is Verdict.DIFFERS and n != 1 else str(verdict)
    return f"{n} {said}" if shown else said


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
