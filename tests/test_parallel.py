"""The cluster door and the sweep: same bits everywhere, and errors in one sentence."""

import concurrent.futures
import dataclasses
import functools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pytest

from restudy.parallel import ClusterError, SweepError, clusters, connect, sweep

POINTS = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


@dataclasses.dataclass(frozen=True)
class Particle:
    mass: float
    name: str


def walk(length: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return numbers that show every bit of the generator and of the point."""
    return {"end": float(rng.normal(0, length, 100).sum()), "first": int(rng.integers(1 << 62))}


def draw(point: object, rng: np.random.Generator) -> float:
    return float(rng.random())


def picky(point: int, rng: np.random.Generator) -> int:
    if point % 2:
        raise ValueError(f"{point} is odd")
    return point


def noted(point: int, rng: np.random.Generator, *, log: Path) -> float:
    """Append the point to a log, so that evaluations can be counted."""
    with log.open("a") as file:
        file.write(f"{point}\n")
    return point + float(rng.random())


@pytest.fixture
def by_value() -> Iterator[None]:
    """Send this module's functions to processes that cannot import it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


# --- sweep ----------------------------------------------------------------------------------


def test_point_i_gets_the_ith_child_of_the_seed() -> None:
    children = np.random.SeedSequence(7).spawn(5)
    expected = [float(np.random.default_rng(child).random()) for child in children]
    assert sweep(draw, range(5), seed=7) == expected
    assert sweep(draw, range(3), seed=7) == expected[:3]
    assert sweep(draw, range(5), seed=8) != expected


def test_same_bits_with_any_number_of_threads() -> None:
    serial = sweep(walk, POINTS, seed=3)
    for workers in (1, 2, 4):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            assert sweep(walk, POINTS, seed=3, executor=pool) == serial


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_same_bits_with_any_number_of_dask_threads(workers: int) -> None:
    with connect(f"threads:{workers}") as client:
        assert sum(client.nthreads().values()) == workers
        assert sweep(walk, POINTS, seed=3, executor=client.get_executor()) == sweep(
            walk, POINTS, seed=3
        )


def test_same_bits_saved_and_read_again(tmp_path: Path) -> None:
    awkward = [5e-324, 1 / 3, 1e300, 0.0]
    serial = sweep(walk, awkward, seed=3)
    assert sweep(walk, awkward, seed=3, folder=tmp_path) == serial
    assert sweep(walk, awkward, seed=3, folder=tmp_path) == serial
    assert len(list(tmp_path.iterdir())) == len(awkward)
    assert all(json.loads(file.read_text())["seed"] == 3 for file in tmp_path.iterdir())


def test_a_saved_point_is_not_evaluated_again(tmp_path: Path) -> None:
    function = functools.partial(noted, log=tmp_path / "log")
    folder = tmp_path / "points"
    first = sweep(function, [1, 2], seed=0, folder=folder)
    again = sweep(function, [1, 2, 3], seed=0, folder=folder)
    assert again[:2] == first
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]
    assert again == sweep(function, [1, 2, 3], seed=0)


def test_a_point_is_its_own_only_with_its_number_seed_and_function(tmp_path: Path) -> None:
    log = tmp_path / "log"
    folder = tmp_path / "points"
    same = sweep(functools.partial(noted, log=log), [1, 1], seed=0, folder=folder)
    assert same[0] != same[1]
    sweep(functools.partial(noted, log=log), [1, 1], seed=1, folder=folder)
    sweep(functools.partial(noted, log=tmp_path / "other"), [1, 1], seed=0, folder=folder)
    sweep(draw, [1, 1], seed=0, folder=folder)
    assert len(list(folder.iterdir())) == 8
    assert len(log.read_text().split()) == 4


def test_a_damaged_point_is_evaluated_again(tmp_path: Path) -> None:
    expected = sweep(draw, [1, 2], seed=0, folder=tmp_path)
    for file, text in zip(sorted(tmp_path.iterdir()), ['{"resu', "[3]"], strict=True):
        file.write_text(text)
    assert sweep(draw, [1, 2], seed=0, folder=tmp_path) == expected


@pytest.mark.parametrize("threads", [0, 2])
def test_points_that_raise_are_named_after_the_others_are_done(
    tmp_path: Path, threads: int
) -> None:
    pool = concurrent.futures.ThreadPoolExecutor(threads) if threads else None
    with pytest.raises(SweepError) as caught:
        sweep(picky, [2, 3, 4, 5, 6], seed=0, executor=pool, folder=tmp_path)
    if pool:
        pool.shutdown()
    assert str(caught.value) == (
        "2 of 5 points failed (numbers 1, 3; the others are done): point 1, 3, raised "
        "ValueError: 3 is odd"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    done = sorted(json.loads(file.read_text())["result"] for file in tmp_path.iterdir())
    assert done == [2, 4, 6]


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    def stop(point: int, rng: np.random.Generator) -> int:
        if point == 2:
            raise KeyboardInterrupt
        return point

    stop.__qualname__ = "stop"
    with pytest.raises(KeyboardInterrupt):
        sweep(stop, [0, 1, 2, 3], seed=0, folder=tmp_path)
    done = sorted(json.loads(file.read_text())["result"] for file in tmp_path.iterdir())
    assert done == [0, 1]


def test_points_may_be_dataclasses_arrays_and_paths(tmp_path: Path) -> None:
    points = [Particle(1.0, "a"), Particle(2.0, "a"), np.arange(3), np.float32(1), Path("x"), {}]
    assert len(set(sweep(draw, points, seed=0, folder=tmp_path))) == len(points)
    assert len(list(tmp_path.iterdir())) == len(points)


def test_what_cannot_be_named_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="a object"):
        sweep(draw, [object()], seed=0, folder=tmp_path)
    with pytest.raises(SweepError, match="use a named function"):
        sweep(lambda point, rng: 0, [1], seed=0, folder=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SweepError, match="cannot make the folder"):
        sweep(draw, [1], seed=0, folder=tmp_path / "file" / "x")


def test_a_full_disk_keeps_the_points_saved_so_far(small_disk: Path) -> None:
    def large(point: int, rng: np.random.Generator) -> str:
        return "x" * 200_000

    large.__qualname__ = "large"
    with pytest.raises(SweepError, match=r"cannot save a point in .*No space left on device"):
        sweep(large, range(4), seed=0, folder=small_disk)
    saved = [json.loads(file.read_text())["result"] for file in small_disk.iterdir()]
    assert saved == ["x" * 200_000] * 2


def test_a_result_that_is_no_json_is_a_failed_point() -> None:
    with pytest.raises(SweepError, match="TypeError: Object of type ndarray"):
        sweep(lambda point, rng: rng.random(3), [1], seed=0)


def test_no_points_are_no_results(tmp_path: Path) -> None:
    assert sweep(draw, [], seed=0, folder=tmp_path) == []


@pytest.mark.slow
@pytest.mark.usefixtures("by_value")
def test_a_dead_worker_costs_a_retry(tmp_path: Path) -> None:
    victim = tmp_path / "pid"

    def slow_walk(length: float, rng: np.random.Generator) -> dict[str, Any]:
        if length == 1.0 and not victim.exists():
            victim.write_text(str(os.getpid()))
            time.sleep(60)
        return walk(length, rng)

    def kill() -> None:
        while not (victim.exists() and victim.read_text()):
            time.sleep(0.05)
        os.kill(int(victim.read_text()), signal.SIGKILL)

    slow_walk.__qualname__ = "slow_walk"
    with connect("local:2") as client:
        killer = threading.Thread(target=kill)
        killer.start()
        results = sweep(slow_walk, POINTS, seed=3, executor=client.get_executor())
        killer.join()
    assert results == sweep(walk, POINTS, seed=3)


# --- connect --------------------------------------------------------------------------------


def test_threads_is_the_default_and_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESTUDY_CLUSTER", "threads:3")
    with connect() as client:
        assert client.scheduler.address.startswith("inproc://")
        assert list(client.nthreads().values()) == [3]
    monkeypatch.setenv("RESTUDY_CLUSTER", "")
    with connect() as client:
        assert client.scheduler.address.startswith("inproc://")


@pytest.mark.parametrize("stalls", [1, 2, 3])
def test_an_event_loop_that_starts_late_gets_more_turns(
    monkeypatch: pytest.MonkeyPatch, stalls: int
) -> None:
    """Distributed waits 10 s for it and then fails an assertion."""
    start, left = clusters.LoopRunner.start, iter(range(stalls))

    def late(runner: clusters.LoopRunner) -> None:
        assert next(left, None) is None
        start(runner)

    monkeypatch.setattr(clusters.LoopRunner, "start", late)
    if stalls == 3:
        with pytest.raises(ClusterError, match="did not start, 3 times within 10 s"):
            connect("threads:1")
        return
    with connect("threads:1") as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_no_event_loop_is_left() -> None:
    def loops() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "IO loop"}

    before = loops()
    with connect("threads:1") as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert loops() - before
    assert not loops() - before


def test_closing_the_client_closes_the_cluster_it_owns() -> None:
    client = connect("threads:1")
    cluster = client.cluster
    client.close()
    assert cluster.status.name == "closed"
    client.close()


def test_the_dashboard_is_on_loopback_also_where_its_port_is_in_use() -> None:
    with connect("threads:1") as first, connect("threads:1") as second:
        links = {first.dashboard_link, second.dashboard_link}
    assert len(links) == 2
    assert all(link.startswith("http://127.0.0.1:") for link in links)


def test_the_dashboard_listens_on_loopback_only() -> None:
    with connect("threads:1") as client:
        port = int(client.dashboard_link.rpartition(":")[2].partition("/")[0])
        with socket.socket() as elsewhere:  # 127.0.0.2 is this machine, but not that address
            elsewhere.settimeout(2)
            assert elsewhere.connect_ex(("127.0.0.2", port)) != 0
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass


def test_local_processes_can_be_joined_by_address_and_survive_the_guest() -> None:
    with connect("local:1") as host:
        begun = time.monotonic()
        with connect(host.scheduler.address) as guest:
            assert time.monotonic() - begun < 0.5
            assert guest.submit(os.getpid).result() != os.getpid()
        assert host.submit(sum, [1, 2]).result() == 3
        assert host.dashboard_link.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "spec", ["loco", "local:x", "threads:0", "local:", "threads:-1", "slurm:1:2"]
)
def test_an_unknown_cluster_is_refused_with_the_known_ones(spec: str) -> None:
    with pytest.raises(ClusterError, match=f"cluster '{spec}' is unknown: use threads") as caught:
        connect(spec)
    assert all(kind in str(caught.value) for kind in ("local", "cuda", "slurm", "tcp://"))


def test_an_address_where_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with pytest.raises(ClusterError, match=r"can be reached at tcp://127\.0\.0\.1:9 "):
        connect("tcp://127.0.0.1:9")
    assert time.monotonic() - begun < 7


def test_a_listener_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(ClusterError, match=r"\(no answer within 5 s\)"):
            connect(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - begun < 7


def test_a_listener_that_is_no_scheduler() -> None:
    def answer(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 10)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=[server])
        thread.start()
        with pytest.raises(ClusterError, match="no Dask scheduler can be reached"):
            connect(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize("address", ["tcp://", "tcp://127.0.0.1", "carrier-pigeon://a:1"])
def test_a_malformed_address(address: str) -> None:
    with pytest.raises(ClusterError, match="no Dask scheduler can be reached at"):
        connect(address)


@pytest.mark.parametrize("package", ["python", "dask", "distributed", "restudy"])
def test_another_version_on_the_workers_is_refused(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    with connect("threads:1") as host:
        facts = host.get_versions(packages=["restudy"])
        for place in facts["workers"].values():
            place["packages"][package] = "1900.1"
        monkeypatch.setattr(clusters.distributed.Client, "get_versions", lambda *_, **__: facts)
        with pytest.raises(ClusterError, match=rf"runs {package} 1900\.1 on its worker inproc"):
            connect(host.scheduler.address)


def test_cuda_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(ClusterError, match=r"pip install 'restudy\[cuda\]', or use 'local'"):
        connect("cuda")


def test_cuda_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for dask-cuda, which is no part of the test environment."""

    def no_device(**arguments: object) -> None:
        assert arguments["n_workers"] == 2
        raise OSError("NVML Shared Library Not Found")

    stand_in = types.SimpleNamespace(LocalCUDACluster=no_device)
    monkeypatch.setitem(sys.modules, "dask_cuda", stand_in)
    with pytest.raises(
        ClusterError, match=r"no usable GPU .OSError: NVML Shared Library Not Found"
    ):
        connect("cuda:2")


@pytest.mark.gpu
def test_cuda_on_a_device() -> None:
    pytest.importorskip("dask_cuda", reason="needs dask-cuda")
    with connect("cuda:1") as client:
        assert client.submit(sum, [1, 2]).result() == 3


@pytest.mark.slow
def test_local_from_standard_input_says_why_not() -> None:
    program = "from restudy.parallel import connect\nconnect('local:1')"
    done = subprocess.run(
        [sys.executable, "-"],
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "imports the main program" in done.stderr or "import the main program" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("guard", ["", "# __name__"])
def test_local_without_a_main_guard_says_why_not(tmp_path: Path, guard: str) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text(
        "from restudy.parallel import clusters, connect\nclusters.PROCESSES_TIMEOUT = 5\n"
        f"connect('local:1')  {guard}\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "`if __name__ == '__main__':`" in done.stderr.splitlines()[-1]


def _faults_of_new_arrays() -> int:
    """Return how many pages are made for an array of 16 MB, the fewest of ten after each other."""
    faults = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(2_000_000).sum()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(faults)


def test_local_processes_keep_the_pages_of_freed_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with connect("local:1") as client:
        assert client.submit(_faults_of_new_arrays).result() < 400  # of 3,900


# --- slurm without Slurm: what is submitted, and what is said -----------------------------


@pytest.fixture
def fake_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put an `sbatch` on the PATH that keeps the job script and runs it at once."""
    folder = tmp_path / "bin"
    folder.mkdir()
    sbatch = (
        '#!/bin/sh\n[ "$1" = --test-only ] && exit 0\ncp "$1" "$FAKE_SLURM/script.$$"\n'
        'setsid sh "$FAKE_SLURM/script.$$" > "$FAKE_SLURM/log" 2>&1 < /dev/null &\n'
        'echo "Submitted batch job $!"\n'
    )
    for name, text in {"sbatch": sbatch, "scancel": '#!/bin/sh\nkill -- -"$1"\n'}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")
    site = {
        "cores": 1,
        "memory": "1 GB",
        "queue": "debug",
        "interface": "lo",
        "walltime": "00:05:00",
    }
    with dask.config.set({f"jobqueue.slurm.{key}": value for key, value in site.items()}):
        yield tmp_path


@pytest.mark.slow
def test_the_job_script_carries_the_site_settings(fake_slurm: Path) -> None:
    with connect("slurm:1") as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        script = client.cluster.job_script()
    for line in ("-p debug", "-n 1", "--cpus-per-task=1", "--mem=954M", "-t 00:05:00"):
        assert f"#SBATCH {line}\n" in script
    assert "\nexport MALLOC_TRIM_THRESHOLD_=" in script
    assert "--interface lo" in script
    assert "--nthreads 1 " in script
    assert "--nworkers" not in script
    assert len(list(fake_slurm.glob("script.*"))) == 1


def test_slurm_that_refuses_the_job(fake_slurm: Path) -> None:
    text = "#!/bin/sh\necho 'sbatch: error: invalid partition specified: debug' >&2\nexit 1\n"
    (fake_slurm / "bin" / "sbatch").write_text(text)
    with pytest.raises(ClusterError, match=r"Slurm does not take the job .*invalid partition"):
        connect("slurm")


def test_slurm_jobs_that_never_start(fake_slurm: Path) -> None:
    text = (
        "#!/bin/sh\n[ $1 = --test-only ] && exit 0\n"
        "setsid sleep 60 > /dev/null 2>&1 &\necho Submitted batch job $!\n"
    )
    (fake_slurm / "bin" / "sbatch").write_text(text)
    with (
        dask.config.set({"restudy.start-timeout": "1 s"}),
        pytest.raises(
            ClusterError, match=r"none of 2 Slurm jobs joined the cluster .Only 0/1 workers"
        ),
    ):
        connect("slurm:2")


def test_slurm_without_site_settings(fake_slurm: Path) -> None:
    with (
        dask.config.set({"jobqueue.slurm.cores": None}),
        pytest.raises(ClusterError, match=r"no jobqueue\.slurm\.cores: write the site's settings"),
    ):
        connect("slurm")


def test_slurm_without_its_command(fake_slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake_slurm))
    with pytest.raises(ClusterError, match="the command sbatch, which is not on this machine's"):
        connect("slurm:2")


def test_slurm_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ClusterError, match=r"pip install 'restudy\[slurm\]'"):
        connect("slurm")
