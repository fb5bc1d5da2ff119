"""Building the book: which chapters must run, running them side by side, staging, HTML."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restudy import claims
from restudy.book import execution, html, pages
from restudy.book.cache import Cache, Parts, Run, key_of, key_parts
from restudy.book.chapters import BookError, Chapter, Project, read_chapters
from restudy.book.progress import Progress
from restudy.book.reach import Sources
from restudy.book.stage import Outcome, content_hash, stage


@dataclass(frozen=True)
class Plan:
    """What a chapter would be run with, and why it must run (no reasons: it is fresh)."""

    chapter: Chapter
    parameters: dict[str, Any]
    parts: Parts
    reasons: tuple[str, ...]


@dataclass
class Report:
    """What a build did."""

    ran: dict[str, Run] = field(default_factory=dict)
    kept: dict[str, Run] = field(default_factory=dict)
    html_changed: bool = False

    @property
    def failed(self) -> list[Run]:
        """The runs that failed."""
        return [run for run in self.ran.values() if run.failure is not None]

    @property
    def runs(self) -> dict[str, Run]:
        """Every chapter's run, made or kept."""
        return self.kept | self.ran


def plan(
    project: Project, chapters: Mapping[str, Chapter], preset: str, sources: Sources
) -> dict[str, Plan]:
    """Return for each chapter whether it must run with this preset, and why."""
    if preset not in claims.PRESETS:
        known = ", ".join(claims.PRESETS)
        raise BookError(f"There is no preset {preset!r}; the presets are: {known}")
    cache = Cache(project)
    plans = {}
    for name, chapter in chapters.items():
        parameters = {"preset": preset} if "preset" in chapter.parameters else {}
        parts = key_parts(chapter, parameters, sources)
        reasons = tuple(cache.reasons(name, parts))
        plans[name] = Plan(chapter, parameters, parts, reasons)
    return plans


def run_chapters(
    project: Project,
    plans: Mapping[str, Plan],
    *,
    jobs: int,
    cluster: str | None,
    progress: Progress,
    command: str,
    done: Callable[[Run, Path], None],
) -> dict[str, Run]:
    """Execute the planned chapters, `jobs` at a time, on one shared cluster.

    A chapter that fails does not stop the others.

    Parameters
    ----------
    project
        The sources.
    plans
        What to run.
    jobs
        Kernels at a time; each gets cores / jobs threads.
    cluster
        A spec of `restudy.parallel.connect`. None: processes (``local``) where kernels leave cores
        idle; threads of the kernels where each core has one, as more processes would only take
        turns with them.
    progress
        Told of every step.
    command
        What the user typed, for the run record.
    done
        Called in this thread with each finished run and the folder that holds its notebook.

    Raises
    ------
    KeyboardInterrupt
        After every kernel has been stopped; chapters that had finished are kept.
    BookError
        If the disk is full.
    """
    cache = Cache(project)
    jobs = max(1, min(jobs, len(plans)))
    cores = os.cpu_count() or 1
    threads = max(1, cores // jobs)
    cluster = cluster or ("local" if jobs < cores else "threads")
    watches = {name: execution.Watch(functools.partial(progress.cell, name)) for name in plans}

    gpu = threading.Lock()  # kernels that need the GPU take turns

    def work(name: str, env: Mapping[str, str]) -> tuple[Run, Path]:
        one = plans[name]
        if watches[name].stopped.is_set():
            raise execution.StoppedError(name)
        scratch = cache.scratch(name)
        with gpu if one.chapter.needs_gpu else nullcontext():
            progress.chapter(name, f"running ({'; '.join(one.reasons[:3]) or 'asked for'})")
            run = execution.execute(
                one.chapter,
                one.parameters,
                one.parts,
                scratch,
                project=project,
                env=env,
                command=command,
                watch=watches[name],
            )
        return run, scratch

    runs = {}
    with ExitStack() as stack:
        env = execution.kernel_env(
            project, cluster=_share(cluster, stack, progress), threads=threads
        )
        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        for watch in watches.values():  # before the pool waits for its threads
            stack.callback(watch.stop)
        futures = [pool.submit(work, name, env) for name in plans]
        for future in as_completed(futures):
            run, scratch = future.result()
            done(run, scratch)
            runs[run.chapter] = run
            what = "done" if run.failure is None else "FAILED"
            progress.chapter(run.chapter, f"{what} in {run.seconds:.0f} s")
    return runs


def build(
    project: Project,
    *,
    preset: str,
    jobs: int,
    cluster: str | None,
    progress: Progress,
    command: str | None = None,
) -> Report:
    """Run what is stale, then stage and render the book.

    Killed at any moment and called again, it runs only the chapters that were in flight.

    Parameters
    ----------
    project
        The sources, and where to build.
    preset
        quick, full or paper.
    jobs
        Kernels at a time.
    cluster
        A spec of `restudy.parallel.connect`, or None, as for `run_chapters`.
    progress
        Told of every step.
    command
        What the user typed, for the run records; by default this process's command line.

    Raises
    ------
    BookError
        If another build of this folder runs, Jupyter Book fails, or the disk is full.
    """
    report = Report()
    with exclusive(project), _said_of_disk(project):
        cache = Cache(project)
        cache.sweep()
        sources = Sources()
        chapters = read_chapters(project)
        plans = plan(project, chapters, preset, sources)
        stale = {name: one for name, one in plans.items() if one.reasons}
        for name in plans.keys() - stale.keys():
            report.kept[name] = cache.use(name, key_of(plans[name].parts))
            progress.chapter(name, "fresh")
        if stale:
            report.ran = run_chapters(
                project,
                stale,
                jobs=jobs,
                cluster=cluster,
                progress=progress,
                command=command or command_line(),
                done=cache.keep,
            )
        outcomes = {
            name: Outcome(
                chapter,
                report.runs[name],
                cache.notebook(name, key_of(report.runs[name].parts))
                if report.runs[name].failure is None
                else None,
            )
            for name, chapter in chapters.items()
        }
        report.html_changed = render(project, outcomes, sources, progress)
    return report


def render(
    project: Project, outcomes: Mapping[str, Outcome], sources: Sources, progress: Progress
) -> bool:
    """Stage the outcomes and render them; return whether the HTML had to be made anew."""
    papers = claims.read_papers(project.claims)
    table = scoreboard(project, papers, [outcome.run for outcome in outcomes.values()])
    folder = project.build / "stage"
    stage(project, folder, outcomes, papers, table)
    content = content_hash(folder, sources)
    if html.is_current(project.html, content):
        return False
    progress.say("writing the HTML")
    whole = all(outcome.notebook is not None for outcome in outcomes.values())
    html.render(folder, project.html, content, strict=whole)
    return True


def scoreboard(
    project: Project, papers: Sequence[claims.Paper], runs: Sequence[Run]
) -> list[claims.Row]:
    """Return every claim with its committed result and what these runs measured."""
    return claims.rows(papers, committed(project, papers), measured(runs))


def committed(
    project: Project, papers: Sequence[claims.Paper]
) -> dict[str, dict[str, dict[str, claims.Measured]]]:
    """Return the committed results of each paper."""
    return {paper.arxiv: claims.read_results(project.results, paper.arxiv) for paper in papers}


def measured(runs: Sequence[Run]) -> dict[str, dict[str, claims.Measured]]:
    """Return what these runs measured: arXiv number -> claim id -> measured."""
    here: dict[str, dict[str, claims.Measured]] = {}
    for run in runs:
        for entry in run.measured:
            value = claims.measured(entry, at=run_facts(run))
            here.setdefault(entry["paper"], {})[entry["id"]] = value
    return here


def run_facts(run: Run) -> dict[str, Any]:
    """Return what a results file says of the run that made it."""
    return {
        "chapter": run.chapter,
        "preset": run.preset,
        "parameters": run.parameters,
        "commit": run.commit,
        "command": run.command,
        "seconds": run.seconds,
        "peak_bytes": run.peak_bytes,
        "machine": run.machine,
        "versions": run.versions,
        "datasets": run.datasets,
    }


def write_results(project: Project, runs: Sequence[Run]) -> list[Path]:
    """Write what these runs measured into ``book/results/``, and the README's picture.

    Returns
    -------
    list of Path
        The files written: one JSON file a paper and preset.
    """
    project.results.mkdir(exist_ok=True)
    written = []
    for run in runs:
        by_paper: dict[str, dict[str, Any]] = {}
        for entry in run.measured:
            kept = {key: entry[key] for key in ("value", "preset", "data", "interval")}
            by_paper.setdefault(entry["paper"], {})[entry["id"]] = kept
        for paper, values in by_paper.items():
            path = project.results / f"{paper}.{run.preset}.json"
            content = {"paper": paper, "run": run_facts(run), "measured": values}
            write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            written.append(path)
    papers = claims.read_papers(project.claims)
    picture = project.root / "book" / "_static" / "scoreboard.svg"
    pages.picture(scoreboard(project, papers, []), picture, background="white")
    return [*written, picture]


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def command_line() -> str:
    """Return what the user typed, without the path of the program."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


@contextmanager
def exclusive(project: Project) -> Iterator[None]:
    """Hold the build folder for this process; the kernel frees it whatever ends the process.

    Raises
    ------
    BookError
        If another build holds it.
    """
    with _said_of_disk(project):
        project.build.mkdir(parents=True, exist_ok=True)
        file = (project.build / "lock").open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BookError(
                f"Another build is running in {project.build}; wait for it, or name another "
                "folder with --output"
            ) from error
        yield


@contextmanager
def _said_of_disk(project: Project) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # shutil.Error, which gathers those of a copied tree, is one too
        raise execution.disk_error(error, project.build) from error


def _share(spec: str, stack: ExitStack, progress: Progress) -> str:
    """Start the one cluster of the build and return the spec that the kernels connect with."""
    if spec.partition(":")[0] == "threads":
        return spec
    from restudy import parallel  # Dask takes a second to import; most builds run nothing

    client = stack.enter_context(parallel.connect(spec))
    progress.say(f"cluster {spec}, dashboard {client.dashboard_link}")
    return str(client.scheduler.address)
