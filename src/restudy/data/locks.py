"""One process at a time for each file of the cache."""

import contextlib
import fcntl
import math
import time
from collections.abc import Iterator
from pathlib import Path

from restudy.data.catalogue import DataError
from restudy.data.download import SourceError
from restudy.data.files import cache_folder


@contextlib.contextmanager
def only_one(path: Path, deadline: float = math.inf) -> Iterator[None]:
    """Hold the lock of `path`; the system drops it if the process dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("w")
    except OSError as error:
        raise DataError(
            f"the cache {cache_folder()} cannot be written ({error.strerror}): name another folder "
            "in RESTUDY_DATA."
        ) from error
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise SourceError(f"another process is still fetching {path}") from error
                time.sleep(0.1)
            except OSError as error:
                raise DataError(
                    f"{path.parent} has no file locks ({error.strerror}): name a folder on another "
                    "file system in RESTUDY_DATA."
                ) from error
        yield
