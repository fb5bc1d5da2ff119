"""Running one chapter with a user's parameters, into a page of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nbformat
import yaml

from restudy import claims
from restudy.book import build, html
from restudy.book.cache import Cache, Run, key_parts
from restudy.book.chapters import Chapter, Project
from restudy.book.progress import Progress
from restudy.book.reach import Sources
from restudy.book.stage import Outcome, content_hash, stage


def run_chapter(
    project: Project,
    chapter: Chapter,
    parameters: dict[str, Any],
    *,
    preset: str,
    cluster: str,
    progress: Progress,
) -> tuple[Run, Path]:
    """Run a chapter, always, and render it alone.

    Parameters
    ----------
    project
        The sources, and where to build.
    chapter
        What to run.
    parameters
        Values for its parameters.
    preset
        Preset, if the chapter has one and `parameters` does not set it.
    cluster
        A spec of `restudy.parallel.connect`.
    progress
        Told of every step.

    Returns
    -------
    run : Run
        The record; it may hold a failure.
    page : Path
        The rendered page, in ``build/runs/<chapter>-<time>/html/``.

    Raises
    ------
    BookError
        For an unknown parameter or preset.
    """
    chapter.check(parameters)
    sources = Sources()
    build.plan(project, {}, preset, sources)  # refuses an unknown preset
    if "preset" in chapter.parameters:
        parameters = {"preset": preset, **parameters}
    parts = key_parts(chapter, parameters, sources)
    folder = project.build / "runs" / f"{chapter.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    with build.exclusive(project):
        Cache(project).sweep()

        def keep(run: Run, scratch: Path) -> None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch.rename(folder)

        run = build.run_chapters(
            project,
            {chapter.name: build.Plan(chapter, parameters, parts, ())},
            jobs=1,
            cluster=cluster,
            progress=progress,
            command=build.command_line(),
            done=keep,
        )[chapter.name]
        notebook = None
        if run.failure is None:
            notebook = nbformat.read(folder / "outputs.ipynb", as_version=4)
        papers = claims.read_papers(project.claims)
        staged = folder / "stage"
        outcome = Outcome(chapter, run, notebook)
        stage(
            project,
            staged,
            {chapter.name: outcome},
            papers,
            build.scoreboard(project, papers, [run]),
        )
        file = chapter.path.relative_to(project.root).with_suffix("")
        (staged / "_toc.yml").write_text(
            yaml.safe_dump({"format": "jb-book", "root": str(file)}), encoding="utf-8"
        )
        progress.say("writing the page")
        # Links to the book's other pages lead nowhere here, so warnings are not errors.
        html.render(staged, folder / "html", content_hash(staged, sources), strict=False)
    return run, folder / "html" / file.with_suffix(".html")
