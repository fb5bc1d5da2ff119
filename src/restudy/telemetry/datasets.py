"""Where node metrics come from: registered files, a user's own in any layout, or a store."""

import dataclasses
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from restudy import data
from restudy.telemetry.joined_table import joined_table
from restudy.telemetry.long_table import Names, long_table
from restudy.telemetry.metric_folders import metric_folders
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.node_table import node_table
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.source import Source, find
from restudy.telemetry.store import DESCRIPTION, open_store

# Name in the data registry and title of each choice.
REGISTERED: Mapping[str, tuple[str, str]] = {
    "lisa-nodes": ("lisa-node-metrics", "Lisa, June - November 2022 (node metrics)"),
    "lisa-joined": ("lisa-joined", "Lisa, June - November 2022 (metrics joined with jobs)"),
    "surf-2020": ("surf-2020", "Lisa, December 2019 - August 2020 (node metrics)"),
}
CHOICES: tuple[str, ...] = ("auto", *REGISTERED)


def telemetry(choice: str, *, sample: int | None = None, timezone: str = "") -> Telemetry:
    """Give the node metrics that a chapter runs on.

    Parameters
    ----------
    choice : str
        ``"lisa-nodes"``, ``"lisa-joined"`` or ``"surf-2020"``: the registered files;
        ``"auto"``: the first of them at hand; or the path of a store, of node tables, joined
        tables or long tables (a Parquet file, a folder or a zip archive of parts), or of a
        folder with one folder a metric.
    sample : int, optional
        Only as many parts, the first ones.
    timezone : str
        Zone of times that have none, in a file given by path.

    Returns
    -------
    Telemetry
        Lazy.

    Raises
    ------
    TelemetryError
        If the choice is unknown, its file is absent or damaged, or its layout is none of these.
    """
    if choice not in CHOICES:
        return sampled(by_path(Path(choice).expanduser(), choice, timezone), sample)
    if timezone:
        raise TelemetryError(
            f"timezone={timezone!r} belongs to metrics of your own, but telemetry={choice!r}; "
            "give a path, or leave timezone empty."
        )
    if choice != "auto":
        return sampled(registered(choice), sample)
    for name, (dataset, _) in REGISTERED.items():
        if data.available(dataset):
            return sampled(registered(name), sample)
    raise TelemetryError(
        "no node metrics are at hand: run `restudy fetch lisa-node-metrics`, name a mirror in "
        "RESTUDY_MIRROR, or give the path of metrics."
    )


def registered(choice: str) -> Telemetry:
    """Give the telemetry of a registered file.

    Raises
    ------
    TelemetryError
        If the file is not at hand, or is an archive that has to be unpacked.
    """
    dataset, title = REGISTERED[choice]
    path = data.available(dataset)
    if path is None:
        raise TelemetryError(
            f"{dataset} is not at hand: run `restudy fetch {dataset}`, or name a mirror in "
            "RESTUDY_MIRROR."
        )
    if choice == "surf-2020":
        path = unpacked(path)
    found = _READERS[choice](path)
    return dataclasses.replace(found, name=choice, title=title, dataset=dataset)


def at_hand(choice: str) -> bool:
    """Tell whether the registered file of a choice, or a sample of it, is on this machine."""
    dataset, _ = REGISTERED[choice]
    return bool(data.available(dataset) or data.sampled(dataset))


def jobs_of_2020() -> Path:
    """Give the job log in the archive of 2020.

    Raises
    ------
    TelemetryError
        If the archive is not at hand, was not unpacked, or has no such file.
    """
    path = data.available("surf-2020")
    if path is None:
        raise TelemetryError("surf-2020 is not at hand: run `restudy fetch surf-2020`.")
    for found in sorted(unpacked(path).parent.rglob("jobdata.csv")):
        return found
    raise TelemetryError(
        f"{path.name} has no file jobdata.csv; give jobs=PATH, a file printed by sacct."
    )


def unpacked(archive: Path) -> Path:
    """Give the folder of metrics that lies unpacked beside an archive.

    Raises
    ------
    TelemetryError
        If it was not unpacked yet.
    """
    for folder in (archive.with_suffix(""), archive.parent):
        for found in sorted(folder.glob("**/*_*.parquet")) if folder.is_dir() else []:
            return found.parents[1]
    raise TelemetryError(
        f"{archive.name} has to be unpacked to be read by parts: run `tar -xf {archive} -C "
        f"{archive.parent}`."
    )


def by_path(path: Path, choice: str, timezone: str = "") -> Telemetry:
    """Give the telemetry of a path, its layout told from names of files and columns.

    Raises
    ------
    TelemetryError
        If there is no such path, or its layout is unknown.
    """
    if not path.exists():
        raise TelemetryError(
            f"telemetry={choice!r} is no file and no known source; use {', '.join(CHOICES)} or "
            "the path of node metrics."
        )
    if path.is_dir() and (path / DESCRIPTION).exists():
        return open_store(path)
    if path.is_dir() and any(path.glob("*/*_*.parquet")) and not any(path.glob("*.parquet")):
        return metric_folders(path)
    if path.is_file() and path.suffix != ".zip" and tarfile.is_tarfile(path):
        return metric_folders(unpacked(path))
    first = find(path)[0]
    return _reader(first)(path, timezone=timezone)


def _reader(source: Source) -> Callable[..., Telemetry]:
    names = source.schema().names
    columns = set(names)
    if {"slurm_id", "node"} <= columns:
        return joined_table
    if set(Names().among(names)) <= columns:
        return long_table
    if "node" in columns and columns & {"timestamp", "time"}:
        return node_table
    raise TelemetryError(
        f"{source.name} has the columns {', '.join(names[:20])}; expected a node table (timestamp "
        "or time, node, metrics), the same with slurm_id, a long table (timestamp, instance, "
        "__name__, value), or folders <metric>/<start>_<end>.parquet."
    )


def sampled(whole: Telemetry, parts: int | None) -> Telemetry:
    """Keep the first parts of a telemetry; its title says so.

    Raises
    ------
    TelemetryError
        If that is less than one part.
    """
    if parts is None or parts >= len(whole.parts):
        return whole
    if parts < 1:
        raise TelemetryError(f"sample={parts} leaves no part; expected 1 to {len(whole.parts)}.")
    title = f"{whole.title}, {parts} of {len(whole.parts)} parts"
    return dataclasses.replace(whole, parts=whole.parts[:parts], title=title)


_READERS: Mapping[str, Callable[[Path], Telemetry]] = {
    "lisa-nodes": node_table,
    "lisa-joined": joined_table,
    "surf-2020": metric_folders,
}
