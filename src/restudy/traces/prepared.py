"""Job tables as Parquet in the cache folder, made once for each content and parameters."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from restudy import data
from restudy.traces.jobs import COLUMNS, TraceError
from restudy.traces.parquet import schema, to_pandas, write_parquet

PART_ROWS = 250_000

# A change in any of these makes prepared tables anew.
_MAKERS = (
    "calibration",
    "clock",
    "datasets",
    "generator",
    "hardware",
    "jobs",
    "lisa_week",
    "nodelist",
    "parquet",
    "prepared",
    "recipe",
    "sacct",
    "sacct_block",
    "sacct_fields",
    "sacct_layout",
    "summertime",
)


def prepare(
    name: str, inputs: Mapping[str, str | int | float], build: Callable[[Path], pd.DataFrame]
) -> tuple[dd.DataFrame, pd.DataFrame]:
    """Give a job table from the cache folder; build it there if it is absent.

    Parameters
    ----------
    name : str
        Beginning of the folder's name.
    inputs : mapping
        What the table follows from besides the code: contents' sha256, parameters.
    build : callable
        Fills a folder with ``part-*.parquet`` and returns the rejected rows. After an
        interruption it gets the folder as it was left.

    Returns
    -------
    jobs : dask.dataframe.DataFrame
        One partition a file.
    rejected : pandas.DataFrame
        Rows kept aside: ``line``, ``reason``, ``text``.

    Raises
    ------
    TraceError
        If the cache folder cannot be written.

    Notes
    -----
    A folder gets its final name only when complete, and only one process builds it at a time.
    """
    text = json.dumps({"code": _code(), **inputs}, sort_keys=True)
    home = data.cache_folder() / "prepared"
    final = home / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not final.is_dir():
        try:
            home.mkdir(parents=True, exist_ok=True)
            with _alone(home / f".{final.name}.lock"):
                if not final.is_dir():
                    _build(final, build)
        except OSError as error:
            raise TraceError(
                f"the job table {name} cannot be written to {home} ({error.strerror or error}); "
                "expected a writable folder with free space: set RESTUDY_DATA to one."
            ) from error
    return read(final / "jobs"), pd.read_parquet(final / "rejected.parquet")


def _build(final: Path, build: Callable[[Path], pd.DataFrame]) -> None:
    working = final.with_name(f".{final.name}.part")
    working.mkdir(exist_ok=True)
    rejected = build(working / "jobs")
    for litter in (working / "jobs").glob(".*.tmp"):
        litter.unlink()
    rejected.to_parquet(working / "rejected.parquet", index=False)
    working.rename(final)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _code() -> str:
    package = resources.files("restudy.traces")
    files = [package / f"{name}.py" for name in _MAKERS]
    tables = package / "tables"
    files += sorted(tables.iterdir(), key=lambda file: file.name)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def read(folder: Path) -> dd.DataFrame:
    """Read a folder of Parquet job tables lazily, one partition a file, in order of their names.

    Only the columns that are used are read. The frames are those of Dask's DataFrame backend
    (``dataframe.backend``: pandas, or cudf on a GPU).
    """
    empty = to_pandas(schema().empty_table())
    jobs = dd.from_map(
        read_part, [str(path) for path in sorted(folder.glob("part-*.parquet"))], meta=empty
    )
    return jobs if dask.config.get("dataframe.backend") == "pandas" else jobs.to_backend()


def read_part(path: str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read one file of a prepared job table, with the types of `jobs.COLUMNS`."""
    # Dask already reads files in parallel
    table = pq.read_table(path, columns=columns, partitioning=None, use_threads=False)
    return to_pandas(table)


def write_frames(frames: Iterable[pd.DataFrame], folder: Path) -> int:
    """Write job tables as ``part-*.parquet``, replacing what is there; return the rows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    waiting = schema().empty_table()
    rows = parts = 0
    for frame in frames:
        typed = frame[list(COLUMNS)].astype(COLUMNS)
        table = pa.Table.from_pandas(typed, preserve_index=False).cast(schema())
        waiting = pa.concat_tables([waiting, table])
        rows += len(frame)
        if len(waiting) >= PART_ROWS:
            write_parquet(waiting, folder / f"part-{parts:05d}.parquet")
            waiting = schema().empty_table()
            parts += 1
    if len(waiting) or not parts:
        write_parquet(waiting, folder / f"part-{parts:05d}.parquet")
    return rows


def no_rejected() -> pd.DataFrame:
    """Rejected rows of a source that has none."""
    return pd.DataFrame({"line": [], "reason": [], "text": []}).astype(
        {"line": "int64", "reason": "string", "text": "string"}
    )


def required(dataset: str) -> Path:
    """Path of a registered file.

    Raises
    ------
    TraceError
        If it is not at hand.
    """
    path = data.available(dataset)
    if path is None:
        raise TraceError(
            f"the dataset {dataset} is not on this machine; run `restudy fetch {dataset}`, or set "
            "RESTUDY_MIRROR to a folder that has it."
        )
    return path
