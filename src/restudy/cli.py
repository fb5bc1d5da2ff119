"""The command line: `restudy list | run | build | fetch | claims | serve | doctor`."""

from __future__ import annotations

import ast
import functools
import http.server
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.table import Table
from rich.text import Text

import restudy
from restudy.errors import UserError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

output_option = click.option(
    "--output", type=click.Path(path_type=Path), help="Folder to build in.  [default: build]"
)
preset_option = click.option(
    "--preset",
    default="quick",
    show_default=True,
    metavar="[quick|full|paper]",
    help="How much to compute.",
)
record_option = click.option(
    "--record", is_flag=True, help="Write what was measured into book/results/."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class _Group(click.Group):
    """A group whose mistakes are one sentence and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"restudy: {error}", err=True)
            ctx.exit(MISUSED)
        except KeyboardInterrupt:
            click.echo(
                "\nrestudy: interrupted; what had finished is kept, "
                "and the same command goes on from there",
                err=True,
            )
            ctx.exit(INTERRUPTED)


def _terminated(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(restudy.__version__, prog_name="restudy")
def main() -> None:
    """Ten papers on machine learning and HPC, studied again.

    \b
    A reader:       restudy build && restudy serve
    A re-executor:  restudy run hpc-ml-jobs --preset full -p seed=7
    Your own data:  restudy run hpc-ml-jobs -p trace=my.sacct -p gpu_nodes='gpu[1-40]'

    Exit status: 0 all well; 1 a chapter failed or a claim no longer holds; 2 the command or its
    input is wrong; 130 interrupted. For completion in bash put
    eval "$(_RESTUDY_COMPLETE=bash_source restudy)" into ~/.bashrc (zsh and fish likewise).
    """  # noqa: D301 (click wants the backspace)


def _complete_chapter(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from restudy.book.chapters import find_project, read_chapters

    try:
        names = read_chapters(find_project())
    except UserError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _complete_dataset(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from restudy import data

    return [CompletionItem(name) for name in data.registry() if name.startswith(incomplete)]


# -------------------------------------------------------------------------------- list


@main.command("list")
@preset_option
@output_option
@json_option
def list_(preset: str, output: Path | None, as_json: bool) -> None:
    """Show the chapters: fresh, stale or failed, their time, and the claims that hold."""
    from restudy import claims
    from restudy.book import build as building
    from restudy.book.cache import Cache, key_of
    from restudy.book.chapters import find_project, read_chapters
    from restudy.book.reach import Sources

    project = find_project(output)
    chapters = read_chapters(project)
    plans = building.plan(project, chapters, preset, Sources())
    cache = Cache(project)
    table = building.scoreboard(
        project, claims.read_papers(project.claims), _last_runs(project, chapters)
    )
    entries: list[dict[str, Any]] = []
    for name, one in plans.items():
        run = cache.read(name, key_of(one.parts))
        failed = cache.failed(name)
        state = "fresh" if run else "failed" if failed and failed.parts == one.parts else "stale"
        own = [row for row in table if row.claim.chapter == name]
        entries.append(
            {
                "chapter": name,
                "title": one.chapter.title,
                "state": state,
                "why": list(one.reasons),
                "seconds": run.seconds if run else None,
                "claims": len(own),
                "measured": sum(row.measured is not None for row in own),
                "hold": sum(row.verdict is claims.Verdict.REPRODUCED for row in own),
            }
        )
    if as_json:
        click.echo(json.dumps(entries, indent=1))
        return
    shown = Table("chapter", "title", "state", "seconds", "claims held", box=None, pad_edge=False)
    for entry in entries:
        why = f" ({'; '.join(entry['why'][:3])})" if entry["why"] else ""
        seconds = "" if entry["seconds"] is None else f"{entry['seconds']:.0f}"
        held = f"{entry['hold']} of {entry['measured']} measured, {entry['claims']} in all"
        shown.add_row(
            entry["chapter"], Text(entry["title"]), Text(entry["state"] + why), seconds, held
        )
    Console().print(shown)


def _last_runs(project: Any, chapters: Iterable[str]) -> list[Any]:
    """Return the newest successful run of each chapter."""
    from restudy.book.cache import Cache

    runs = [Cache(project).last(name) for name in chapters]
    return [run for run in runs if run is not None]


# -------------------------------------------------------------------------- build and run


@main.command()
@preset_option
@click.option("--jobs", type=click.IntRange(1), help="Chapters at a time.  [default: cores, <= 4]")
@click.option(
    "--cluster",
    help="threads, local, cuda, slurm, each with :N, or tcp://host:port.  "
    "[default: $RESTUDY_CLUSTER, else threads if each core has a chapter, local if not]",
)
@record_option
@output_option
def build(
    preset: str, jobs: int | None, cluster: str | None, record: bool, output: Path | None
) -> None:
    """Run the chapters that changed and write the book as HTML.

    Only what changed runs: code cells, parameters, the sources of restudy that a chapter
    reaches, its datasets, the versions of what it needs. An edited sentence runs nothing.
    """
    from restudy.book import build as building
    from restudy.book.chapters import find_project, read_chapters
    from restudy.book.progress import reporter

    project = find_project(output)
    began = time.perf_counter()
    with reporter(Console(), read_chapters(project)) as progress:
        report = building.build(
            project,
            preset=preset,
            jobs=jobs or min(4, os.cpu_count() or 1),
            cluster=cluster or os.environ.get("RESTUDY_CLUSTER"),
            progress=progress,
        )
    if record:
        _write_results(project, list(report.runs.values()))
    _failures(report.failed)
    took = time.perf_counter() - began
    click.echo(
        f"{len(report.ran)} ran, {len(report.kept)} fresh, {len(report.failed)} failed; "
        f"{took:.0f} s; open {project.html / 'index.html'}"
    )
    if report.failed:
        sys.exit(FAILED)


@main.command()
@click.argument("chapter", shell_complete=_complete_chapter)
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter.")
@preset_option
@click.option("--cluster", help="As for build.  [default: $RESTUDY_CLUSTER or threads]")
@record_option
@output_option
def run(
    chapter: str,
    pairs: tuple[str, ...],
    preset: str,
    cluster: str | None,
    record: bool,
    output: Path | None,
) -> None:
    """Run one chapter with your parameters and write it as a page of its own."""
    from restudy.book import run as running
    from restudy.book.chapters import find_chapter, find_project
    from restudy.book.progress import reporter
    from restudy.quantities import number

    if record and pairs:
        raise UserError(
            f"--record is for a chapter's own parameters, and -p {pairs[0]} sets one; "
            "leave out -p, or --record"
        )
    project = find_project(output)
    one = find_chapter(project, chapter)
    with reporter(Console(), [chapter]) as progress:
        result, page = running.run_chapter(
            project,
            one,
            _parameters(pairs),
            preset=preset,
            cluster=cluster or os.environ.get("RESTUDY_CLUSTER") or "threads",
            progress=progress,
        )
    for entry in result.measured:
        click.echo(f"{entry['paper']} {entry['id']} = {number(entry['value'])}")
    _failures([result] if result.failure else [])
    click.echo(f"{result.seconds:.0f} s; open {page}")
    if result.failure:
        sys.exit(FAILED)
    if record:
        _write_results(project, [result])


def _write_results(project: Any, runs: Sequence[Any]) -> None:
    from restudy.book import build as building

    for path in building.write_results(project, runs):
        click.echo(f"wrote {path.relative_to(project.root)}")


def _parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Return NAME=VALUE pairs as values: Python literals where they are, else text."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"-p {pair!r} is not a parameter; expected NAME=VALUE")
        try:
            given[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            given[name] = value
    return given


def _failures(runs: Sequence[Any]) -> None:
    if not runs:
        return
    table = Table("chapter", "cell", "error", title="Failed", title_justify="left")
    for one in runs:
        table.add_row(one.chapter, str(one.failure.cell), Text(one.failure.error, overflow="fold"))
    Console(stderr=True).print(table)


# -------------------------------------------------------------------------------- claims


@main.command()
@click.option("--paper", help="Only this arXiv number.")
@click.option("--verdict", help="Only this verdict: reproduced, differs, not-measured.")
@output_option
@json_option
def claims(paper: str | None, verdict: str | None, output: Path | None, as_json: bool) -> None:
    """Show every claim: published, ours, verdict.

    Exits with 1 if a claim that holds in the committed results no longer holds in the last
    build of the same preset.
    """
    from restudy import claims as book
    from restudy.book import build as building
    from restudy.book.chapters import find_project, read_chapters

    project = find_project(output)
    papers = book.read_papers(project.claims)
    if paper is not None and paper not in {p.arxiv for p in papers}:
        known = ", ".join(p.arxiv for p in papers)
        raise UserError(f"There are no claims of paper {paper!r}; the papers are: {known}")
    wanted = {v.name.lower().replace("_", "-"): v for v in book.Verdict}
    if verdict is not None and verdict not in wanted:
        raise UserError(f"There is no verdict {verdict!r}; the verdicts are: {', '.join(wanted)}")
    rows = building.scoreboard(project, papers, _last_runs(project, read_chapters(project)))
    lost = book.regressions(rows, building.committed(project, papers))
    shown = [
        row
        for row in rows
        if paper in {None, row.claim.paper} and (not verdict or row.verdict is wanted[verdict])
    ]
    if as_json:
        click.echo(json.dumps([_claim_json(row, row in lost) for row in shown], indent=1))
    else:
        _claim_table(shown)
    for row in lost:
        click.echo(
            f"restudy: claim {row.claim.id} of {row.claim.paper} holds in the committed "
            f"{row.here.preset if row.here else ''} results and no longer does",
            err=True,
        )
    if lost:
        sys.exit(FAILED)


def _claim_json(row: Any, lost: bool) -> dict[str, Any]:
    claim, shown = row.claim, row.measured
    return {
        "paper": claim.paper,
        "id": claim.id,
        "by": claim.by,
        "source": claim.source,
        "statement": claim.statement,
        "published": claim.published(),
        "measured": shown and shown.value,
        "unit": claim.unit,
        "preset": shown and shown.preset,
        "data": shown and list(shown.data),
        "difference": row.difference,
        "verdict": str(row.verdict),
        "needs": list(claim.needs),
        "no_longer_holds": lost,
    }


def _claim_table(rows: Sequence[Any]) -> None:
    from restudy.claims import Verdict
    from restudy.quantities import quantity

    colour = {Verdict.REPRODUCED: "green", Verdict.DIFFERS: "yellow", Verdict.NOT_MEASURED: "dim"}
    table = Table("claim", "source", "published", "ours", "verdict", box=None, pad_edge=False)
    for row in rows:
        shown = row.measured
        ours = "" if shown is None else f"{quantity(shown.value, row.claim.unit)} ({shown.preset})"
        verdict = f"[{colour[row.verdict]}]{row.verdict}[/]"
        source = Text(row.claim.source)
        table.add_row(row.claim.id, source, row.claim.published(), ours, verdict)
    Console().print(table)
    counts = {v: sum(row.verdict is v for row in rows) for v in Verdict}
    click.echo(", ".join(f"{count} {v}" for v, count in counts.items()))


# --------------------------------------------------------------------------- fetch, serve


@main.command()
@click.argument("names", nargs=-1, shell_complete=_complete_dataset)
@click.option("--mirror", type=click.Path(path_type=Path), help="Folder to take files from first.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only the first N parts.")
@click.option("--columns", metavar="A,B", help="With --sample: only these columns.")
def fetch(
    names: tuple[str, ...], mirror: Path | None, sample: int | None, columns: str | None
) -> None:
    """Fetch datasets; without names, show which there are and which are at hand.

    A sample of a big dataset reads only what it needs. A part is a row group of a Parquet file, or
    a Parquet file in a zip or tar; of a tar with a folder per column, N files of each folder named
    by --columns. A command that was stopped goes on where it stopped.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from restudy import data

    chosen = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    if columns is not None and (sample is None or not chosen):
        raise UserError(f"--columns {columns!r} needs --sample N and names with commas between")
    if not names:
        _dataset_table()
        return
    shown = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*shown, console=Console(stderr=True)) as bars:
        for name in names:
            bar = bars.add_task(name, total=None)

            def show(done: int, total: int, bar: Any = bar) -> None:
                bars.update(bar, completed=done, total=total or None)

            if sample is not None:
                path = data.fetch_sample(name, sample, columns=chosen, mirror=mirror, progress=show)
                click.echo(f"{name}: {path} ({data.sample_note(name)})")
                continue
            path = data.fetch(name, mirror=mirror, progress=show)
            click.echo(f"{name}: {path}")
            if data.registry()[name].sha256 is None:
                click.echo("its hash is not pinned yet; check and add to data.registry.toml:")
                click.echo(data.status(name).pin)


def _dataset_table() -> None:
    from restudy import data

    table = Table("dataset", "size", "state", "licence", box=None, pad_edge=False)
    for entry in data.registry().values():
        state = data.status(entry.name).state + ("" if entry.sha256 else ", not pinned")
        try:
            if data.sampled(entry.name):
                state += f"; sample: {data.sample_note(entry.name)}"
        except data.DataError:
            state += "; sample: damaged"
        table.add_row(entry.name, f"{entry.size / 1e6:,.1f} MB", Text(state), entry.licence)
    Console().print(table)


@main.command()
@click.option("--port", type=int, default=8000, show_default=True)
@output_option
def serve(port: int, output: Path | None) -> None:
    """Show the finished book in a browser, from this machine only."""
    from restudy.book.chapters import find_project

    project = find_project(output)
    if not (project.html / "index.html").exists():
        raise UserError(f"There is no book in {project.html} yet; run `restudy build` first")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=os.fspath(project.html)
    )
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(
            f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}); "
            f"choose another with --port {port + 1}"
        ) from error
    with server:
        click.echo(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


# -------------------------------------------------------------------------------- doctor


@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is missing on this machine and the command that fixes it."""
    from restudy.book.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.__dict__ for finding in findings], indent=1))
    else:
        table = Table("", "what", "found", "to fix it", box=None, pad_edge=False)
        for finding in findings:
            mark = "ok" if finding.ok else "MISSING" if finding.needed else "optional"
            fix = "" if finding.ok else finding.fix
            table.add_row(mark, Text(finding.what), Text(finding.found), Text(fix))
        Console().print(table)
    if any(finding.needed and not finding.ok for finding in findings):
        sys.exit(FAILED)
