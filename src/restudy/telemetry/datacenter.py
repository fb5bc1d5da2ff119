"""A cluster to study: its node metrics and its jobs, real or generated."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from html import escape
from pathlib import Path

import distributed
import pandas as pd

from restudy import data
from restudy.telemetry import datasets
from restudy.telemetry.generator.cluster import hardware_table, nodes
from restudy.telemetry.generator.layouts import write_node_table
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.ingest import ingest
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.occurrences import Quality
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.store import DESCRIPTION, QUALITY, open_quality, open_store
from restudy.traces import datasets as job_datasets
from restudy.traces.hardware import read_hardware
from restudy.traces.jobs import PAPER_GPU_NODES, gpu_names


@dataclass(frozen=True)
class Datacenter:
    """Node metrics and jobs of one cluster, on one clock.

    Attributes
    ----------
    telemetry : Telemetry
        The node metrics.
    jobs : pandas.DataFrame
        The job table.
    gpu_nodes : frozenset of str
        Its nodes with GPUs: those of the class ``ml``.
    hardware : pandas.DataFrame or None
        Its nodes' hardware (`restudy.traces.hardware.COLUMNS`); None: Lisa's.
    recipe : Recipe or None
        What was planted; None for a real cluster.
    quality : Quality or None
        What the rules found in the samples; None if they were not looked at, as those generated.
    """

    telemetry: Telemetry
    jobs: pd.DataFrame
    gpu_nodes: frozenset[str]
    hardware: pd.DataFrame | None
    recipe: Recipe | None
    quality: Quality | None = None

    @property
    def dataset(self) -> str | None:
        """Name of the node metrics in the data registry."""
        return self.telemetry.dataset

    @property
    def racks(self) -> dict[str, str] | None:
        """Rack of each node, where the hardware table has a column ``rack``."""
        if self.hardware is None or "rack" not in self.hardware:
            return None
        known = self.hardware.dropna(subset=["rack"])
        return dict(zip(known["node"].astype(str), known["rack"].astype(str), strict=True))

    def banner(self) -> str:
        """Say in one box of HTML whether this is a real cluster."""
        title = escape(self.telemetry.title)
        if self.recipe is None:
            return f'<div class="admonition note"><p><strong>Real:</strong> {title}.</p></div>'
        return (
            '<div class="admonition warning"><p><strong>No real node metrics here.</strong> The '
            f"published files are not on this machine, so this page shows {title[0].lower()}"
            f"{title[1:]}: made from the published percentiles and curves, with structure planted "
            "in them. They show that the methods find what is there; they can confirm nothing, "
            "and claims that need real metrics read <em>not measured here</em>. "
            "<code>restudy fetch</code> lists what can be fetched.</p></div>"
        )

    def quality_table(self) -> pd.DataFrame:
        """Show what the rules found in the samples, one row a rule and metric."""
        if self.quality is None:
            why = "the samples are generated, without faults, or were cleaned elsewhere"
            return pd.DataFrame({"rules": [f"not applied: {why}"]})
        found = self.quality.table()
        return found if len(found) else pd.DataFrame({"rules": ["applied: nothing was found"]})


def datacenter(
    choice: str,
    jobs: str,
    recipe: Recipe,
    *,
    metrics: Sequence[str],
    gpu_nodes: str = "",
    hardware: str = "",
    published: Sequence[str] = ("lisa-nodes",),
) -> Datacenter:
    """Give the cluster that a chapter runs on.

    Parameters
    ----------
    choice : str
        ``"generated"``; a choice of `restudy.telemetry.datasets.telemetry`, or the path of node
        metrics in any of its layouts; or ``"auto"``: the first of `published` that is at hand,
        else generated.
    jobs : str
        Jobs to go with a path: a job trace (`restudy.traces.datasets.traces`). Without them the
        published node table goes with its own job table, and the archive of 2020 with the file
        ``jobdata.csv`` in it.
    recipe : Recipe
        What is generated.
    metrics : sequence of str
        Metrics to generate.
    gpu_nodes : str
        Node list of the GPU nodes of a cluster given by path.
    hardware : str
        Path of its nodes' hardware, CSV or Parquet with the columns
        `restudy.traces.hardware.COLUMNS` and, for racks by other names than Lisa's, ``rack``.
    published : sequence of str
        Names in `restudy.telemetry.datasets.REGISTERED` that ``"auto"`` looks for.

    Returns
    -------
    Datacenter
        The cluster. Real samples are those that the rules of `restudy.telemetry.quality` leave,
        in a store in the cache folder.

    Raises
    ------
    TelemetryError
        If the choice is unknown or lacks its jobs, or a file cannot be read.
    """
    if choice == "auto":
        choice = next((name for name in published if datasets.at_hand(name)), "generated")
    if choice == "generated":
        for name, given in (("jobs", jobs), ("hardware", hardware)):
            if given:
                raise TelemetryError(
                    f"{name}={given!r} belongs to node metrics of your own, but they are "
                    f"generated; give telemetry=PATH, or leave {name} empty."
                )
        return generated(recipe, metrics)
    found = datasets.telemetry(choice)
    if not jobs and choice not in datasets.CHOICES:
        raise TelemetryError(
            f"telemetry={choice!r} comes without jobs; give jobs=PATH, a file printed by sacct or "
            "a Parquet job table."
        )
    if choice == "surf-2020" and not jobs:
        jobs = str(datasets.jobs_of_2020())
    (trace,) = job_datasets.traces(jobs or "zenodo", gpu_nodes=gpu_nodes, seed=0, scale=1.0)
    gpu = gpu_names(gpu_nodes) if gpu_nodes else PAPER_GPU_NODES
    clean, quality = cleaned(found, choice, metrics)
    machines = read_hardware(Path(hardware).expanduser()) if hardware else None
    nodes = gpu & set(clean.nodes)
    return Datacenter(clean, trace.jobs.compute(), nodes, machines, None, quality)


def cleaned(
    telemetry: Telemetry, choice: str, metrics: Sequence[str]
) -> tuple[Telemetry, Quality | None]:
    """Apply the rules for samples to a source, once, on the current Dask client, if any.

    Parameters
    ----------
    telemetry : Telemetry
        The source.
    choice : str
        Where it came from: a path, or a name of `restudy.telemetry.datasets`.
    metrics : sequence of str
        Metrics to keep, where the source has them.

    Returns
    -------
    telemetry : Telemetry
        A store in the cache folder; a source that is a store already stays as it is.
    quality : Quality or None
        What the rules found; None for a store that does not tell.

    Raises
    ------
    TelemetryError
        If the source has none of the metrics, or cannot be read.
    """
    path = Path(choice).expanduser()
    if (path / DESCRIPTION).exists():
        return telemetry, open_quality(path) if (path / QUALITY).exists() else None
    kept = [name for name in metrics if name in telemetry.metrics]
    if not kept:
        telemetry.require(metrics)
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    state = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    text = repr((telemetry.name, telemetry.parts, telemetry.dataset, kept, state))
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = data.cache_folder() / "prepared" / f"clean-{name}"
    return ingest(telemetry, folder, metrics=kept), open_quality(folder)


def generated(recipe: Recipe, metrics: Sequence[str]) -> Datacenter:
    """Make a cluster in the cache folder, or find it there; on the current Dask client, if any."""
    text = json.dumps([dataclasses.asdict(recipe), list(metrics), _code()], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = data.cache_folder() / "prepared" / f"telemetry-{name}"
    if not (folder / "telemetry.json").exists() or not (folder / "jobs.parquet").exists():
        write_node_table(folder, recipe, metrics=metrics, executor=_executor())
    jobs = pd.read_parquet(folder / "jobs.parquet")
    gpu = frozenset(node.name for node in nodes(recipe) if node.is_gpu)
    return Datacenter(open_store(folder), jobs, gpu, hardware_table(recipe), recipe)


def _executor() -> Executor | None:
    """Give the worker processes of the current Dask client; threads would only wait in turn."""
    try:
        client = distributed.get_client()
    except ValueError:  # there is none
        return None
    return None if os.getpid() in client.run(os.getpid).values() else client.get_executor()


def _code() -> str:
    """Hash the generator: another version makes another cluster."""
    digest = hashlib.sha256()
    for file in sorted((Path(__file__).parent / "generator").glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
