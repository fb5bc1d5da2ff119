"""A sweep through real Slurm jobs: a controller and one node on loopback, one job killed."""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import psutil
import pytest

from restudy.parallel import ClusterError, connect, sweep

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
CONF = """\
ClusterName=restudy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
InactiveLimit=0
MinJobAge=10
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=10 State=UP
"""


def walk(length: float, rng: np.random.Generator) -> dict[str, Any]:
    """Take a moment, so that a job can be killed in the middle of a sweep."""
    time.sleep(0.4)
    return {"end": float(rng.normal(0, length, 100).sum()), "first": int(rng.integers(1 << 62))}


def job_of_worker() -> str | None:
    return os.environ.get("SLURM_JOB_ID")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(done: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def of_this_slurm(folder: Path) -> list[psutil.Process]:
    """Return every process, daemons and jobs, that was started with the configuration here."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            started = process.environ().get("SLURM_CONF") == str(folder / "slurm.conf")
            if started and process.pid != os.getpid():
                found.append(process)
    return found


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge and Slurm on loopback, and leave nothing of them behind."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    ports = {"controller_port": free_port(), "node_port": free_port()}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(folder=folder, host=host, user=getpass.getuser(), **ports))
    env = os.environ | {"SLURM_CONF": str(conf)}
    commands = [
        [
            "munged",
            "--foreground",
            "--force",
            f"--socket={folder}/munge.socket",
            f"--key-file={key}",
            f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log",
            f"--seed-file={folder}/munged.seed",
        ],
        ["slurmctld", "-D", "-c", "-f", str(conf)],
        ["slurmd", "-D", "-c", "-f", str(conf)],
    ]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("w") as out:
                daemons.append(
                    subprocess.Popen(
                        command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env
                    )
                )
            if command[0] == "munged":
                wait_until((folder / "munge.socket").exists, "the start of munged")

        def idle() -> bool:
            assert all(daemon.poll() is None for daemon in daemons), logs(folder)
            command = ["sinfo", "--noheader", "--format=%T"]
            shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            return shown.stdout.strip() == "idle"

        wait_until(idle, "an idle Slurm node")
        yield env
    finally:
        user = f"--user={getpass.getuser()}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["scancel", user], env=env, capture_output=True, timeout=10, check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(5)
        for process in of_this_slurm(folder):  # what a job left, or a daemon that did not listen
            with contextlib.suppress(psutil.Error):
                process.kill()
        for daemon in daemons:
            daemon.wait(10)


def logs(folder: Path) -> str:
    texts = [f"{file.name}:\n{file.read_text()[-1500:]}" for file in folder.glob("*.[lo][ou][gt]")]
    return "\n".join(texts)


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """Give the folder of a running Slurm whose commands and site settings are in effect."""
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}: Debian's slurm-wlm and munge are not installed")
    # A short path: the name of a socket has room for about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="restudy-slurm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        site = {
            "cores": 1,
            "memory": "1 GB",
            "queue": "debug",
            "interface": "lo",
            "walltime": "00:05:00",
            "log-directory": name,
            "death-timeout": 20,
        }
        settings = {f"jobqueue.slurm.{key}": value for key, value in site.items()}
        with running_slurm(folder) as env, pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", env["SLURM_CONF"])
            with dask.config.set(settings | {"restudy.start-timeout": "60 s"}):
                yield folder
        left = of_this_slurm(folder)
        assert left == []


@pytest.fixture
def by_value() -> Iterator[None]:
    """Send this module's functions to jobs that cannot import it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def running_jobs() -> list[str]:
    command = ["squeue", "--noheader", "--states=RUNNING", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("slurm", "by_value")
def test_a_sweep_through_two_jobs_of_which_one_is_killed(tmp_path: Path) -> None:
    points = [float(length) for length in range(1, 21)]
    begun = time.monotonic()
    with connect("slurm:2") as client:
        client.wait_for_workers(2, timeout=60)
        print(f"{time.monotonic() - begun:.1f} s until two jobs work")  # shown by pytest -rP
        assert len(set(client.run(job_of_worker).values())) == 2
        jobs = running_jobs()
        assert len(jobs) == 2
        killed = threading.Event()

        def kill() -> None:
            wait_until(lambda: len(list(tmp_path.glob("*.json"))) >= 4, "four points")
            pids = client.run(os.getpid)
            of_job = client.run(job_of_worker)
            victim = next(worker for worker, job in of_job.items() if job == jobs[0])
            os.kill(pids[victim], signal.SIGSTOP)  # so that it cannot say good-bye
            subprocess.run(["scancel", "--full", "--signal=KILL", jobs[0]], check=True)
            wait_until(lambda: jobs[0] not in running_jobs(), "the end of the job")
            assert len(list(tmp_path.glob("*.json"))) < len(points)
            killed.set()

        killer = threading.Thread(target=kill)
        killer.start()
        begun = time.monotonic()
        results = sweep(walk, points, seed=11, executor=client.get_executor(), folder=tmp_path)
        print(f"{time.monotonic() - begun:.1f} s for the sweep of {len(points)} points")
        killer.join()
        assert killed.is_set()
    assert results == sweep(walk, points, seed=11)
    wait_until(lambda: running_jobs() == [], "the end of all jobs")


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
def test_a_partition_that_does_not_exist_is_refused_by_slurm_itself() -> None:
    with (
        dask.config.set({"jobqueue.slurm.queue": "nowhere"}),
        pytest.raises(ClusterError, match=r"does not take the job .*invalid partition.*nowhere"),
    ):
        connect("slurm:1")


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_job_that_cannot_start_ends_in_a_sentence_and_leaves_the_queue() -> None:
    subprocess.run(["scontrol", "update", "PartitionName=debug", "State=DOWN"], check=True)
    try:
        with (
            dask.config.set({"restudy.start-timeout": "2 s"}),
            pytest.raises(ClusterError, match="none of 1 Slurm jobs joined the cluster"),
        ):
            connect("slurm:1")
        shown = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True)
        assert shown.stdout == ""
    finally:
        subprocess.run(["scontrol", "update", "PartitionName=debug", "State=UP"], check=True)
