"""Percentiles of metrics by class of node, as the tables of arXiv 2107.11832 print them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from restudy.telemetry.counting import Counts, classes, count, of_node
from restudy.telemetry.metrics import metric
from restudy.telemetry.samples import Telemetry, codes, fold, values
from restudy.traces.jobs import PAPER_GPU_NODES
from restudy.traces.results import CLASSES

# With its missing comma, "r31n6" "r32n1" is one name and both nodes count as generic.
GPU_NODES_AS_CODED: frozenset[str] = PAPER_GPU_NODES - {"r31n6", "r32n1"} | {"r31n6r32n1"}
_PERCENTILES = (1, 25, 50, 75, 90, 99)


@dataclass(frozen=True)
class Distributions:
    """Counts of several metrics by class of node.

    Attributes
    ----------
    metrics : dict of str to Counts
        By name of the metric; the groups are `CLASSES`.
    """

    metrics: dict[str, Counts]

    def __add__(self, other: "Distributions") -> "Distributions":
        return Distributions({name: n + other.metrics[name] for name, n in self.metrics.items()})

    def table(self) -> pd.DataFrame:
        """Percentiles, mean and largest value; a row (metric, class) where a value is known.

        The row (metric, ``all``) holds both classes.
        """
        rows = {}
        for name, counts in self.metrics.items():
            for kind in ("all", *CLASSES):
                found = counts.pooled("all") if kind == "all" else counts
                if n := found.known(kind):
                    q = found.quantile(kind, np.array(_PERCENTILES) / 100)
                    rows[name, kind] = (
                        {"samples": n}
                        | {f"{p} %": x for p, x in zip(_PERCENTILES, q, strict=True)}
                        | {"mean": found.mean(kind), "max": found.max(kind)}
                    )
        return pd.DataFrame.from_dict(rows, orient="index")


def percentiles(
    telemetry: Telemetry,
    metrics: Sequence[str],
    *,
    gpu_nodes: Collection[str] = PAPER_GPU_NODES,
) -> Distributions:
    """Count metrics by class of node, all in one pass.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    metrics : sequence of str
        Names of gauges.
    gpu_nodes : collection of str
        Nodes of the class ``ml``; `GPU_NODES_AS_CODED` for the set of the original's code, in
        which a missing comma merges two names, so that two GPU nodes count as generic.

    Returns
    -------
    Distributions
        Exact to the metrics' resolution. A metric takes 24 B for each value that occurs.

    Raises
    ------
    TelemetryError
        If metrics are missing.
    """
    kind = classes(telemetry.nodes, gpu_nodes)
    measure = partial(_measure, metrics=tuple(metrics), nodes=telemetry.nodes, kind=kind)
    return fold(telemetry, metrics, measure)


def _measure(
    frame: pd.DataFrame, *, metrics: tuple[str, ...], nodes: tuple[str, ...], kind: np.ndarray
) -> Distributions:
    group = of_node(kind, codes(frame, nodes))
    return Distributions(
        {
            name: count(values(frame, name), group, CLASSES, metric(name).resolution)
            for name in metrics
        }
    )
