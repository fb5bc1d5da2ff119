"""What all tests share: no network, a cache of their own, and a mirror that stays where it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the network, the user's cache and the user's cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTUDY_OFFLINE", "1")
        patch.setenv("RESTUDY_DATA", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("RESTUDY_CLUSTER", raising=False)
        if mirror := os.environ.get("RESTUDY_MIRROR"):
            patch.setenv("RESTUDY_MIRROR", str(Path(mirror).absolute()))
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the real data where no mirror is named."""
    if item.get_closest_marker("data") and not os.environ.get("RESTUDY_MIRROR"):
        pytest.skip("needs the real data: RESTUDY_MIRROR names no folder")
