"""What all tests share: no network, a cache of their own, and a mirror that stays where it is."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the network, the user's cache and the user's cluster.

    One thread: the tests' arrays are small, and threads that wait for a core take longer than one.
    """
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTUDY_OFFLINE", "1")
        patch.setenv("RESTUDY_DATA", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("RESTUDY_CLUSTER", raising=False)
        if mirror := os.environ.get("RESTUDY_MIRROR"):
            patch.setenv("RESTUDY_MIRROR", str(Path(mirror).absolute()))
        yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount half a megabyte of disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.call(mount, stderr=subprocess.DEVNULL):
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the real data where no mirror is named, and a GPU where there is none."""
    if item.get_closest_marker("data") and not os.environ.get("RESTUDY_MIRROR"):
        pytest.skip("needs the real data: RESTUDY_MIRROR names no folder")
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
