"""What a paper claims, what was measured here, and the verdict.

``book/claims/<arxiv>.toml`` lists every quantitative statement of a paper with its source, its
value or bound, and a tolerance whose reason was written before the run. A chapter opens that
file, records what it measured with one call each, and shows the table. The measured values
travel in the outputs of the notebook (`MIME`); the build collects them. Recording needs nothing
but IPython.
"""

from __future__ import annotations

import difflib
import html
import json
import math
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from restudy.errors import UserError
from restudy.quantities import number, quantity

MIME = "application/vnd.restudy.measured+json"
"""The type under which a recorded value travels in a notebook's outputs."""

PRESETS = ("quick", "full", "paper")
"""The presets, from the smallest run to the paper's own scale."""


class ClaimError(UserError):
    """A claims file, or a recorded value, that does not fit."""


class Verdict(StrEnum):
    """What a measured value says of a claim."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    NOT_MEASURED = "not measured here"


@dataclass(frozen=True)
class Tolerance:
    """How far a measured value may lie from a published one (one of the two is set)."""

    absolute: float | None = None
    relative: float | None = None

    def width(self, value: float) -> float:
        """Return the half-width of the accepted interval around `value`, in its unit."""
        return self.absolute if self.absolute is not None else abs(value) * (self.relative or 0.0)


@dataclass(frozen=True)
class Claim:
    """One quantitative statement of a paper (``by="paper"``) or of ours (``by="restudy"``).

    Exactly one of `value`, `at_least`, `at_most` and `between` is set; `tolerance` belongs to
    `value`. What is `timed` depends on the machine and on what else it does.
    """

    paper: str
    chapter: str
    id: str
    by: str
    source: str
    section: str
    statement: str
    unit: str
    reason: str
    needs: tuple[str, ...]
    value: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    between: tuple[float, float] | None = None
    tolerance: Tolerance | None = None
    timed: bool = False

    def published(self) -> str:
        """Return the published value or bound as text, with its unit."""
        if self.value is not None:
            return quantity(self.value, self.unit)
        if self.at_least is not None:
            return f"≥ {quantity(self.at_least, self.unit)}"
        if self.at_most is not None:
            return f"≤ {quantity(self.at_most, self.unit)}"
        low, high = self.interval()
        return f"{number(low)} to {quantity(high, self.unit)}"

    def interval(self) -> tuple[float, float]:
        """Return the interval of measured values that reproduce the claim, both ends included."""
        if self.between is not None:
            return self.between
        if self.value is not None and self.tolerance is not None:
            width = self.tolerance.width(self.value)
            return self.value - width, self.value + width
        low = -math.inf if self.at_least is None else self.at_least
        return low, math.inf if self.at_most is None else self.at_most

    def holds(self, measured: float) -> bool:
        """Return whether `measured` lies within the tolerance or bound.

        The ends count as inside; a billionth of the published value absorbs round-off.
        """
        low, high = self.interval()
        slack = 1e-9 * max(abs(x) for x in (low, high) if math.isfinite(x))
        return low - slack <= measured <= high + slack

    def met(self, data: Iterable[str], preset: str, *, gpu: bool) -> bool:
        """Return whether a run with these datasets, preset and device may speak for the claim."""
        have = (
            {f"data:{name}" for name in data} | {f"preset:{preset}"} | ({"gpu"} if gpu else set())
        )
        return have.issuperset(self.needs)


@dataclass(frozen=True)
class Paper:
    """A paper with its claims, in the order of the file."""

    arxiv: str
    chapter: str
    title: str
    claims: tuple[Claim, ...]

    def claim(self, claim_id: str) -> Claim:
        """Return the claim of that id; raises `ClaimError` with the nearest ids if unknown."""
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        near = difflib.get_close_matches(claim_id, [c.id for c in self.claims], 3, 0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ClaimError(f"Paper {self.arxiv} has no claim {claim_id!r}{hint}")


@dataclass(frozen=True)
class Measured:
    """A measured value: which preset and data it came from, and the run that made it."""

    value: float
    preset: str
    data: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    at: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A claim beside the committed result and the result of this build, if there are any."""

    claim: Claim
    committed: Measured | None = None
    here: Measured | None = None

    @property
    def measured(self) -> Measured | None:
        """The value shown: this build's, unless the committed one is of a larger preset."""
        if self.here is None or self.committed is None:
            return self.here or self.committed
        larger = PRESETS.index(self.committed.preset) > PRESETS.index(self.here.preset)
        return self.committed if larger else self.here

    @property
    def verdict(self) -> Verdict:
        """The verdict on the value shown."""
        return verdict(self.claim, self.measured)

    @property
    def difference(self) -> float | None:
        """Measured minus published; for a bound or a range, the distance outside it (0 inside)."""
        if self.measured is None:
            return None
        if self.claim.value is not None:
            return self.measured.value - self.claim.value
        low, high = self.claim.interval()
        return min(self.measured.value - low, 0.0) + max(self.measured.value - high, 0.0)


def verdict(claim: Claim, measured: Measured | None) -> Verdict:
    """Return what `measured` says of `claim`."""
    if measured is None:
        return Verdict.NOT_MEASURED
    return Verdict.REPRODUCED if claim.holds(measured.value) else Verdict.DIFFERS


# --------------------------------------------------------------------------- reading the files


_KEYS = {
    "id", "by", "source", "section", "statement", "unit", "reason", "needs",
    "value", "at_least", "at_most", "between", "tolerance", "timed",
}  # fmt: skip


def read_paper(path: Path) -> Paper:
    """Read ``book/claims/<arxiv>.toml``; raises `ClaimError` naming the claim and what is wrong."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ClaimError(f"The claims file {path} cannot be read: {error}") from error
    for key in ("paper", "chapter", "title"):
        if not isinstance(raw.get(key), str):
            raise ClaimError(f'{path.name} has no text under {key!r}; add `{key} = "..."`')
    claims = tuple(_claim(entry, raw, path.name) for entry in raw.get("claim", []))
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ClaimError(f"{path.name} has two claims {claim.id!r}; ids must be unique")
        seen.add(claim.id)
    return Paper(raw["paper"], raw["chapter"], raw["title"], claims)


def _claim(entry: Mapping[str, Any], raw: Mapping[str, Any], name: str) -> Claim:
    where = f"{name}, claim {entry.get('id', '(without id)')!r}"
    if unknown := set(entry) - _KEYS:
        raise ClaimError(f"{where} has unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}")
    if missing := {"id", "by", "source", "section", "statement", "unit", "reason"} - set(entry):
        raise ClaimError(f"{where} lacks {sorted(missing)}; add them")
    if entry["by"] not in {"paper", "restudy"}:
        raise ClaimError(f"{where}: by = {entry['by']!r}, expected 'paper' or 'restudy'")
    if not entry["reason"]:
        raise ClaimError(f"{where} has an empty reason; say why the tolerance or bound is as it is")
    targets = [key for key in ("value", "at_least", "at_most", "between") if key in entry]
    if len(targets) != 1:
        raise ClaimError(
            f"{where} has {targets or 'no target'}; "
            "expected exactly one of value, at_least, at_most, between"
        )
    if ("tolerance" in entry) != (targets == ["value"]):
        raise ClaimError(f"{where}: `tolerance` goes with `value`, and only with it")
    target: dict[str, Any] = {key: float(entry[key]) for key in targets if key != "between"}
    if not isinstance(entry.get("timed", False), bool):
        raise ClaimError(f"{where}: timed = {entry['timed']!r}, expected true or false")
    tolerance = entry.get("tolerance")
    if tolerance is not None and (len(tolerance) != 1 or set(tolerance) - {"absolute", "relative"}):
        raise ClaimError(f"{where}: tolerance = {tolerance}, expected absolute or relative")
    return Claim(
        paper=raw["paper"],
        chapter=raw["chapter"],
        needs=tuple(entry.get("needs", ())),
        between=(
            (float(entry["between"][0]), float(entry["between"][1])) if "between" in entry else None
        ),
        tolerance=None if tolerance is None else Tolerance(**tolerance),
        **{key: entry[key] for key in _KEYS & set(entry) - {*targets, "tolerance", "needs"}},
        **target,
    )


def read_papers(folder: Path) -> tuple[Paper, ...]:
    """Read every claims file of `folder`, in the order of their names."""
    return tuple(read_paper(path) for path in sorted(folder.glob("*.toml")))


def read_results(folder: Path, paper: str) -> dict[str, dict[str, Measured]]:
    """Return the committed results of a paper: preset -> claim id -> measured."""
    results = {}
    for preset in PRESETS:
        path = folder / f"{paper}.{preset}.json"
        if path.exists():
            raw = json.loads(path.read_text(encoding="utf-8"))
            results[preset] = {
                key: measured(entry, at=raw["run"]) for key, entry in raw["measured"].items()
            }
    return results


def measured(entry: Mapping[str, Any], *, at: Mapping[str, Any]) -> Measured:
    """Return the measured value stored as a JSON object in a notebook output or a results file."""
    interval = entry.get("interval")
    return Measured(
        value=entry["value"],
        preset=entry["preset"],
        data=tuple(entry.get("data", ())),
        interval=None if interval is None else (interval[0], interval[1]),
        at=at,
    )


def rows(
    papers: Sequence[Paper],
    committed: Mapping[str, Mapping[str, Mapping[str, Measured]]],
    here: Mapping[str, Mapping[str, Measured]],
) -> list[Row]:
    """Return one row a claim.

    Parameters
    ----------
    papers
        The papers with their claims.
    committed
        arXiv number -> preset -> claim id -> measured; the largest preset that has it is taken.
    here
        arXiv number -> claim id -> measured in this build.
    """
    table = []
    for paper in papers:
        by_preset = committed.get(paper.arxiv, {})
        largest: dict[str, Measured] = {}
        for preset in PRESETS:
            largest |= by_preset.get(preset, {})
        table += [
            Row(claim, largest.get(claim.id), here.get(paper.arxiv, {}).get(claim.id))
            for claim in paper.claims
        ]
    return table


def regressions(
    table: Iterable[Row], committed: Mapping[str, Mapping[str, Mapping[str, Measured]]]
) -> list[Row]:
    """Return the rows whose claim holds in the committed results but not in this build.

    Only results of the same preset are compared: a small preset may miss a claim that the
    full one meets. Claims on time are left out: another machine, or a busy one, proves nothing.
    """
    lost = []
    for row in table:
        if row.here is None or row.claim.timed:
            continue
        before = committed.get(row.claim.paper, {}).get(row.here.preset, {}).get(row.claim.id)
        held = verdict(row.claim, before) is Verdict.REPRODUCED
        if held and verdict(row.claim, row.here) is not Verdict.REPRODUCED:
            lost.append(row)
    return lost


# ------------------------------------------------------------------------ recording in a chapter


def find_book() -> Path:
    """Return the folder ``book/`` of the checkout: ``$RESTUDY_ROOT`` or upwards from here.

    Raises
    ------
    ClaimError
        If no folder above the working directory holds ``book/claims``.
    """
    start = Path(os.environ.get("RESTUDY_ROOT") or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "book" / "claims").is_dir():
            return folder / "book"
    raise ClaimError(
        f"No folder book/claims in {start} or above it; run this inside a clone of the repository, "
        "or set RESTUDY_ROOT to one"
    )


def open_paper(arxiv: str, *, preset: str) -> Recorder:
    """Open the claims of a paper for recording.

    Parameters
    ----------
    arxiv
        The arXiv number, for example ``"2409.08949"``.
    preset
        The preset of this run: quick, full or paper.

    Raises
    ------
    ClaimError
        For an unknown preset or paper, or a claims file that does not fit.
    """
    if preset not in PRESETS:
        raise ClaimError(f"preset = {preset!r}, expected one of {', '.join(PRESETS)}")
    folder = find_book() / "claims"
    path = folder / f"{arxiv}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
        raise ClaimError(f"No claims file for paper {arxiv!r}; known papers: {known}")
    return Recorder(read_paper(path), preset)


class Recorder:
    """The claims of one paper during a run: record values, then show the table."""

    def __init__(self, paper: Paper, preset: str) -> None:
        self.paper = paper
        self.preset = preset
        self.measured: dict[str, Measured] = {}

    def record(
        self,
        claim_id: str,
        value: float,
        *,
        data: str | Sequence[str] | None = None,
        interval: tuple[float, float] | None = None,
        gpu: bool = False,
    ) -> None:
        """Record the measured `value` of a claim.

        A claim that needs data this run did not use stays *not measured here*: so a chapter
        makes the same calls on the generator as on the real trace, and only the latter counts.

        Parameters
        ----------
        claim_id
            Id in the claims file.
        value
            Measured value in the claim's unit.
        data
            Names of the registered datasets that the value was computed from.
        interval
            Confidence interval of the value, if one was computed.
        gpu
            Whether the value was computed on a GPU.

        Raises
        ------
        ClaimError
            For an unknown id or a value that is not a finite number.
        """
        claim = self.paper.claim(claim_id)
        value = float(value)
        if not math.isfinite(value):
            raise ClaimError(f"Claim {claim_id!r} was given {value}, expected a finite number")
        names = () if data is None else (data,) if isinstance(data, str) else tuple(data)
        if not claim.met(names, self.preset, gpu=gpu):
            return
        self.measured[claim_id] = Measured(value, self.preset, names, interval)
        from IPython.display import display

        content = {
            "paper": self.paper.arxiv,
            "id": claim_id,
            "value": value,
            "preset": self.preset,
            "data": list(names),
            "interval": None if interval is None else [float(x) for x in interval],
        }
        display({MIME: content}, raw=True)

    def record_all(
        self, values: Mapping[str, float], *, data: str | Sequence[str] | None = None
    ) -> None:
        """Record several values of the same data: claim id -> measured value."""
        for claim_id, value in values.items():
            self.record(claim_id, value, data=data)

    def table(self, *, measured_only: bool = False) -> ClaimTable:
        """Return the claims with their verdicts, all or those this run measured, for display."""
        claims = [c for c in self.paper.claims if not measured_only or c.id in self.measured]
        return ClaimTable([Row(c, here=self.measured.get(c.id)) for c in claims])


_MARK = {Verdict.REPRODUCED: "✓", Verdict.DIFFERS: "✗", Verdict.NOT_MEASURED: "–"}


class ClaimTable:
    """A table of claims that a notebook displays (HTML) or prints (plain text)."""

    def __init__(self, table: Sequence[Row]) -> None:
        self.rows = table

    def _cells(self) -> list[tuple[str, str, str, str, Verdict]]:
        cells = []
        for row in self.rows:
            ours = "" if row.measured is None else quantity(row.measured.value, row.claim.unit)
            claim = row.claim
            cells.append((claim.statement, claim.source, claim.published(), ours, row.verdict))
        return cells

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{x}</th>" for x in ("Claim", "Source", "Published", "Ours", "Verdict"))
        body = ""
        for statement, source, published, ours, what in self._cells():
            texts = (statement, source, published, ours, f"{_MARK[what]} {what}")
            body += "<tr>" + "".join(f"<td>{html.escape(x)}</td>" for x in texts) + "</tr>\n"
        return (
            '<div class="claims-scroll"><table class="claims"><thead><tr>'
            f"{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
        )

    def __repr__(self) -> str:
        return "\n".join(
            f"{_MARK[what]} {statement} [{source}] {published} | {ours or what}"
            for statement, source, published, ours, what in self._cells()
        )
