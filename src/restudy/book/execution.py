"""Executing one chapter with papermill, watched by the parent process.

Success is what the parent sees. The output notebook is never asked: after a killed kernel or a
timeout papermill leaves every cell marked as completed.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from restudy import data
from restudy.book.cache import Failure, Parts, Run, pins
from restudy.book.chapters import BookError, Chapter, Project
from restudy.claims import MIME

OnCell = Callable[[int, int], None]
"""Called with the code cell that begins, counted from 1, and how many there are."""


class StoppedError(Exception):
    """The build was stopped; the chapter in flight counts neither as done nor as failed."""


class Watch:
    """What the parent knows of one running kernel: its process, its cell, its peak memory."""

    def __init__(self, on_cell: OnCell) -> None:
        self.on_cell = on_cell
        self.cell = 0
        self.peak_bytes = 0
        self.kernel: psutil.Process | None = None
        self.stopped = threading.Event()

    def stop(self) -> None:
        """Kill the kernel; the execution raises `StoppedError`."""
        self.stopped.set()
        if self.kernel is not None and self.kernel.is_running():
            self.kernel.kill()

    def look(self) -> None:
        """Note the kernel's peak memory so far."""
        if self.kernel is None:
            return
        status = Path(f"/proc/{self.kernel.pid}/status")
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            peak = int(fields["VmHWM"].split()[0]) * 1024
        except (OSError, KeyError, ValueError):  # no /proc here, or the kernel has gone
            return
        self.peak_bytes = max(self.peak_bytes, peak)


class _Client(PapermillNotebookClient):
    """papermill's client, telling a `Watch` what it does."""

    def __init__(self, nb_man: Any, *, watch: Watch, **options: Any) -> None:
        super().__init__(nb_man, **options)
        codes = [i for i, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]
        written = [i for i in codes if not _is_injected(nb_man.nb.cells[i])]

        def started(notebook: Any) -> None:
            pid = getattr(self.km.provisioner, "pid", None)
            watch.kernel = psutil.Process(pid) if pid else None
            if watch.stopped.is_set():
                watch.stop()

        def began(cell: Any, cell_index: int) -> None:
            if cell_index in written:
                watch.cell = written.index(cell_index) + 1
                watch.on_cell(watch.cell, len(written))

        def ended(cell: Any, cell_index: int, **_: Any) -> None:
            watch.look()

        self.on_notebook_start = started
        self.on_cell_execute = began
        self.on_cell_executed = ended


class _Engine(NBClientEngine):
    """papermill's engine with a watch, an environment for the kernel, and IPC sockets."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        watch: Watch,
        env: Mapping[str, str],
        log: Path,
        execution_timeout: int,
        start_timeout: int = 60,
        **_: Any,
    ) -> None:
        # Over TCP ipykernel warns in every notebook, and parallel kernels race for ports. The
        # sockets need a folder of their own: by default all kernels share names in the working
        # directory.
        output, nb_man.output_path = nb_man.output_path, None  # or it is written twice a cell
        with tempfile.TemporaryDirectory(prefix="restudy-") as sockets, log.open("w") as said:
            manager = {"transport": "ipc", "ip": f"{sockets}/kernel"}
            client = _Client(
                nb_man,
                watch=watch,
                timeout=execution_timeout,
                startup_timeout=start_timeout,
                kernel_name=kernel_name,
                log=_quiet(),
                config=Config({"KernelManager": manager}),
            )
            try:
                client.execute(env=dict(env), stdout=said, stderr=said)
            finally:
                nb_man.output_path = output  # papermill writes it now, also after an error
                ensure_event_loop().close()  # the one jupyter_client made for this thread


papermill_engines.register("restudy", _Engine)


def _quiet() -> logging.Logger:
    logger = logging.getLogger("restudy.papermill")
    logger.setLevel(logging.CRITICAL)
    return logger


def execute(
    chapter: Chapter,
    parameters: Mapping[str, Any],
    parts: Parts,
    scratch: Path,
    *,
    project: Project,
    env: Mapping[str, str],
    command: str,
    watch: Watch,
) -> Run:
    """Execute a chapter into ``scratch/outputs.ipynb`` and return its record.

    What the kernel itself prints (not its cells) is kept in ``scratch/kernel.log``.

    A cell that raises, a cell over its limit and a kernel that dies make a record with a
    `Failure`; the parent writes it, so nothing depends on the state of the notebook.

    Raises
    ------
    StoppedError
        If `watch` was stopped.
    BookError
        If the disk is full.
    """
    output, log = scratch / "outputs.ipynb", scratch / "kernel.log"
    logging.getLogger("papermill").setLevel(logging.ERROR)
    began = time.perf_counter()
    failure = None
    try:
        papermill.execute_notebook(
            chapter.path,
            output,
            parameters=dict(parameters),
            engine_name="restudy",
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=chapter.cell_limit_s,
            cwd=None,  # papermill's cwd= is a chdir of the whole process
            watch=watch,
            env=env,
            log=log,
        )
    except PapermillExecutionError as error:
        failure = Failure(watch.cell, f"{error.ename}: {error.evalue}", "\n".join(error.traceback))
    except CellTimeoutError:
        limit = chapter.cell_limit_s
        failure = Failure(watch.cell, f"CellTimeout: the cell ran longer than its {limit} s")
    except (DeadKernelError, RuntimeError) as error:
        # A kernel that dies while starting raises a bare RuntimeError.
        why = f"DeadKernel: the kernel died ({error}); out of memory?"
        failure = Failure(watch.cell, why, log.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise disk_error(error, scratch) from error
    if watch.stopped.is_set():
        raise StoppedError(chapter.name)
    seconds = time.perf_counter() - began
    watch.look()
    return Run(
        chapter=chapter.name,
        preset=str(parameters.get("preset", "quick")),
        parameters=dict(parameters),
        commit=commit(project.root),
        command=command,
        seconds=round(seconds, 2),
        peak_bytes=watch.peak_bytes,
        machine=machine(),
        versions=pins(),
        datasets={name: data.fingerprint(name) for name in chapter.datasets},
        parts=parts,
        measured=collect(nbformat.read(output, as_version=4)) if failure is None else [],
        failure=failure,
    )


def collect(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Return the values that the notebook's cells recorded, in order; the last of an id counts."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            entry = output.get("data", {}).get(MIME)
            if entry is not None:
                found[entry["paper"], entry["id"]] = dict(entry)
    return list(found.values())


def kernel_env(project: Project, *, cluster: str, threads: int) -> dict[str, str]:
    """Return the environment of a kernel: its share of the cores, the cluster, no network."""
    env = {
        **os.environ,
        "RESTUDY_ROOT": str(project.root),
        "RESTUDY_CLUSTER": cluster,
        "RESTUDY_OFFLINE": "1",  # the parent has fetched what there is to fetch
        "PYTHONHASHSEED": "0",
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
        env[f"{name}_NUM_THREADS"] = str(threads)
    return env


def disk_error(error: OSError, folder: Path) -> Exception:
    """Return the sentence for a disk that is full or refuses; any other error as it is."""
    full = errno.ENOSPC in {error.errno, *_gathered(error)}
    if full or error.errno == errno.EDQUOT:
        return BookError(f"No space left on the disk of {folder}; free some and run again")
    if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
        return BookError(f"{error.filename} cannot be written; choose another folder with --output")
    return error


def _gathered(error: OSError) -> set[int]:
    """Return the error numbers that `shutil.Error` gathered as texts while copying a tree."""
    texts = str(error.args[0]) if isinstance(error, shutil.Error) else ""
    return {int(x) for x in re.findall(r"\[Errno (\d+)\]", texts)}


def commit(root: Path) -> str:
    """Return the commit of the checkout, with ``+changes`` if the tree differs from it."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def machine() -> str:
    """Return the machine in words: processor, cores, memory."""
    memory = psutil.virtual_memory().total / 2**30
    cores = os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GiB"


def _is_injected(cell: nbformat.NotebookNode) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])
