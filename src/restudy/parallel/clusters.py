"""Clusters: threads, processes, GPUs, Slurm jobs, or one that is already running."""

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import dask
import distributed
from dask.system import CPU_COUNT
from distributed.utils import LoopRunner

from restudy.errors import UserError

# Defaults; who sets others is heard. Few tasks of a chapter take tens of megabytes, at which Dask
# would warn. And Dask has its workers give every freed array back to the system at once, after
# which each array of the next step is new pages: that made numerical work up to five times as slow.
dask.config.update_defaults(
    {
        "distributed": {
            "admin": {"large-graph-warning-threshold": "256 MiB"},
            "nanny": {"pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": None}},
        }
    }
)

SPECS = "threads[:N], local[:N], cuda[:N], slurm[:JOBS] or tcp://HOST:PORT"
JOIN_TIMEOUT = 5  # s to reach a scheduler that is said to be running
PROCESSES_TIMEOUT = 60  # s for the processes of this machine to start
LOOP_TURNS = 3  # of ten seconds, for the thread of an event loop to start
START_TIMEOUT = "10 minutes"  # for a first Slurm job to start; Dask's `restudy.start-timeout`

_KEEPING_PAGES = (  # in jobs, whose Dask does not see these defaults; glibc's own largest values
    "export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-33554432}",
    "export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-67108864}",
)


class ClusterError(UserError):
    """A cluster that cannot be started or joined."""


class _Owner(distributed.Client):
    """A client that closes, after itself, the cluster made for it."""

    def __init__(self, cluster: Any) -> None:
        self._owned = cluster
        super().__init__(cluster)

    def close(self, *args: Any, **kwargs: Any) -> None:
        super().close(*args, **kwargs)
        self._owned.close()

    @property
    def dashboard_link(self) -> str:
        """Address of the dashboard, which listens on loopback of this machine only."""
        port = self._owned.scheduler_info["services"]["dashboard"]
        return f"http://127.0.0.1:{port}/status"


def connect(spec: str | None = None) -> distributed.Client:
    """Start or join a cluster and return its client.

    Use it in a ``with`` statement: at the end the client is closed, and so is a cluster that was
    started here; a cluster that was only joined goes on.

    Parameters
    ----------
    spec : str, optional
        - ``threads[:N]``: N threads of this process (all cores by default);
        - ``local[:N]``: N processes of this machine, one thread each;
        - ``cuda[:N]``: one process on each of N GPUs (all by default); needs dask-cuda;
        - ``slurm[:JOBS]``: Slurm jobs (1 by default), each as Dask's own configuration says
          (``jobqueue.slurm``: queue, cores, memory, interface, ...); needs dask-jobqueue;
        - ``tcp://HOST:PORT``: a scheduler that is already running.

        By default ``$RESTUDY_CLUSTER``, else ``threads``.

    Returns
    -------
    distributed.Client
        With at least one worker, except where a running scheduler has none. `dashboard_link` is
        on loopback for a cluster started here. Sweeps take ``client.get_executor()``. Processes
        started here keep the pages of freed arrays, unless ``MALLOC_TRIM_THRESHOLD_`` is set.

    Raises
    ------
    ClusterError
        If `spec` is not one of these, or if the cluster cannot be started or reached.

    Examples
    --------
    >>> with connect("threads:2") as client:
    ...     client.submit(sum, [1, 2]).result()
    3
    """
    spec = spec or os.environ.get("RESTUDY_CLUSTER") or "threads"
    if "://" in spec:
        return _join(spec)
    kind, _, count = spec.partition(":")
    starters = {"threads": _threads, "local": _local, "cuda": _cuda, "slurm": _slurm}
    if kind not in starters or not (spec == kind or (count.isdecimal() and int(count) > 0)):
        raise ClusterError(f"cluster {spec!r} is unknown: use {SPECS}.")
    return starters[kind](int(count or 0))


def _threads(threads: int) -> distributed.Client:
    return _Owner(_on_this_machine(processes=False, n_workers=1, threads=threads or CPU_COUNT))


def _local(workers: int) -> distributed.Client:
    _check_main_program()
    workers = workers or CPU_COUNT
    cluster = _on_this_machine(host="127.0.0.1", n_workers=0, threads=1)
    client = _Owner(cluster)
    try:
        cluster.scale(workers)
        client.wait_for_workers(workers, timeout=PROCESSES_TIMEOUT)
    except TimeoutError as error:
        with contextlib.suppress(TimeoutError):  # it may be waiting for those processes still
            cluster.close(timeout=1)
        raise ClusterError(
            f"cluster 'local' could not start {workers} processes ({error}): call connect below "
            "`if __name__ == '__main__':`, ask for fewer, or use 'threads'."
        ) from error
    except BaseException:
        client.close()
        raise
    return client


def _on_this_machine(*, threads: int, **options: Any) -> distributed.LocalCluster:
    runner = _event_loop()
    try:
        return distributed.LocalCluster(
            loop=runner.loop, threads_per_worker=threads, dashboard_address=_dashboard(), **options
        )
    finally:
        runner.stop()  # for us; the cluster keeps it as long as it lives


def _event_loop() -> LoopRunner:
    """Start the thread of an event loop.

    Distributed gives it ten seconds and then fails an assertion. A machine that stands still for
    longer, as ours did during all of the tests, gets more turns.
    """
    for _ in range(LOOP_TURNS):
        runner = LoopRunner()
        with contextlib.suppress(AssertionError):
            runner.start()
            return runner
    raise ClusterError(
        f"Dask's event loop did not start, {LOOP_TURNS} times within 10 s: this machine stands "
        "still; try again when it is less busy."
    )


def _check_main_program() -> None:
    """Refuse a main program that each new process would fail to import, or would run again."""
    main = sys.modules["__main__"]
    file, spec = getattr(main, "__file__", None), main.__spec__
    importing = getattr(multiprocessing.current_process(), "_inheriting", False)
    unguarded = (
        "cluster 'local' starts processes that import the main program, which would run it again: "
        "call connect below `if __name__ == '__main__':`, or use 'threads'."
    )
    if importing:
        raise ClusterError(unguarded)
    if file is None or (spec is not None and spec.name.endswith("__main__")):
        return  # nothing that a new process imports: a notebook, `python -c`, `python -m package`
    path = Path(file)
    if not path.is_file():
        raise ClusterError(
            f"cluster 'local' starts processes that import the main program, and {path} is no "
            "file: write the program to a file, or use 'threads'."
        )
    if path.suffix == ".py" and "__name__" not in path.read_text(encoding="utf-8"):
        raise ClusterError(unguarded)


def _cuda(gpus: int) -> distributed.Client:
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise ClusterError(
            f"cluster 'cuda' needs dask-cuda ({error}): install it with pip install "
            "'restudy[cuda]', or use 'local'."
        ) from error
    try:
        cluster = LocalCUDACluster(n_workers=gpus or None, dashboard_address=_dashboard())
    except Exception as error:  # NVML's and CUDA's own classes exist only where they do
        raise ClusterError(
            f"cluster 'cuda' finds no usable GPU ({type(error).__name__}: {error}): check "
            "nvidia-smi, or use 'local'."
        ) from error
    return _Owner(cluster)


def _slurm(jobs: int) -> distributed.Client:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ClusterError(
            f"cluster 'slurm' needs dask-jobqueue ({error}): install it with pip install "
            "'restudy[slurm]', or use 'local'."
        ) from error
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "cluster 'slurm' needs the command sbatch, which is not on this machine's PATH: run "
            "on a login node of a Slurm cluster, or use 'local'."
        )
    site = dask.config.get("jobqueue.slurm")
    if missing := [key for key in ("cores", "memory") if site.get(key) is None]:
        raise ClusterError(
            f"Dask's configuration has no jobqueue.slurm.{missing[0]}: write the site's settings "
            f"(queue, cores, memory, interface) to {Path(dask.config.PATH) / 'jobqueue.yaml'}."
        )
    cluster = SLURMCluster(
        processes=site.get("processes") or 1,
        job_script_prologue=[
            *(site["job-script-prologue"] or site["env-extra"] or []),
            *_KEEPING_PAGES,
        ],
        scheduler_options={"dashboard_address": _dashboard()} | (site["scheduler-options"] or {}),
    )
    client = _Owner(cluster)
    try:
        _rehearse(cluster.job_script())
        cluster.scale(jobs=jobs or 1)
        client.wait_for_workers(1, timeout=dask.config.get("restudy.start-timeout", START_TIMEOUT))
    except TimeoutError as error:
        client.close()
        raise ClusterError(
            f"none of {jobs or 1} Slurm jobs joined the cluster ({error}): see squeue and the "
            "logs of the jobs, check jobqueue.slurm.interface, or raise restudy.start-timeout in "
            "Dask's configuration."
        ) from error
    except BaseException:
        client.close()
        raise
    return client


def _rehearse(script: str) -> None:
    """Have Slurm check a job script; later, dask-jobqueue would only log that it was refused."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            ["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise ClusterError(
            f"Slurm does not take the job ({' '.join(done.stderr.split())}): correct "
            "jobqueue.slurm in Dask's configuration."
        )


def _join(address: str) -> distributed.Client:
    try:
        # In a thread of its own: a notebook's main thread already runs an event loop.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(address)).result()
        with warnings.catch_warnings():  # versions are compared below, and refused in words
            warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
            client = distributed.Client(address, timeout=JOIN_TIMEOUT)
    except Exception as error:  # what is listening there may send anything
        late = isinstance(error, TimeoutError)
        reason = f"no answer within {JOIN_TIMEOUT} s" if late else str(error) or repr(error)
        raise ClusterError(
            f"no Dask scheduler can be reached at {address} ({reason}): start one with `dask "
            f"scheduler`, or use {SPECS}."
        ) from error
    difference = _different_versions(client)
    if difference:
        client.close()
        raise ClusterError(
            f"the cluster at {address} runs {difference}: give it the environment of this program."
        )
    return client


async def _greet(address: str) -> None:
    """Connect and shake hands within `JOIN_TIMEOUT`; Dask itself waits for the hand for ever."""
    async with asyncio.timeout(JOIN_TIMEOUT):
        (await distributed.comm.connect(address, timeout=JOIN_TIMEOUT)).abort()


def _different_versions(client: distributed.Client) -> str:
    """Say which version that changes results or breaks pickles differs; empty if none does."""
    found = client.get_versions(packages=["restudy"])
    ours = _versions(found["client"])
    places = {"its scheduler": found["scheduler"]}
    places |= {f"its worker {name}": facts for name, facts in found["workers"].items()}
    for place, facts in places.items():
        for package, version in _versions(facts).items():
            if version != ours[package] and (package, place) != ("restudy", "its scheduler"):
                return f"{package} {version} on {place} where {ours[package]} is here"
    return ""


def _versions(facts: dict[str, Any]) -> dict[str, str]:
    packages = facts["packages"]
    python = ".".join(str(packages["python"]).split(".")[:2])
    return {"python": python} | {k: packages[k] for k in ("dask", "distributed", "restudy")}


def _dashboard() -> str:
    """Return Dask's usual dashboard address on loopback, or any free one if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8787))
        except OSError:
            return "127.0.0.1:0"
    return "127.0.0.1:8787"
