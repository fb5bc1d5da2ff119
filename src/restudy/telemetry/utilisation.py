"""How much of its hardware a cluster uses: ratios to capacity on CPU and GPU nodes (Figure 3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from restudy.telemetry.counting import Counts, classes, count, of_node
from restudy.telemetry.ratios import RATIOS, Capacities, Ratio, capacities
from restudy.telemetry.samples import Telemetry, codes, fold
from restudy.traces.jobs import PAPER_GPU_NODES
from restudy.traces.results import CLASSES

RESOLUTION = 1e-4  # a ratio is counted in steps of 0.01 %
OUTLIERS = 0.9999  # quantile at which the paper's code cuts the ratios off
_BARS = np.arange(0, 111, 5) / 100  # edges of Figure 3's bars


@dataclass(frozen=True)
class Utilisation:
    """Ratios to capacity, counted in steps of 0.01 % by class of node.

    Attributes
    ----------
    ratios : dict of str to Counts
        By name of the ratio; the groups are `CLASSES`.
    without_hardware : int
        Samples of nodes that the hardware table lacks; they are in no count.
    """

    ratios: dict[str, Counts]
    without_hardware: int

    def __add__(self, other: "Utilisation") -> "Utilisation":
        added = {name: mine + other.ratios[name] for name, mine in self.ratios.items()}
        return Utilisation(added, self.without_hardware + other.without_hardware)

    def over_limit(self, fraction: float) -> float:
        """Share of GPU nodes' time with the hottest GPU above a fraction of its limit.

        The paper prints 17.40 % at 0.9. A ratio is rounded to 0.01 % before it is compared.
        """
        return self.ratios["gpu_temperature"].share_above("ml", fraction)

    def without_outliers(self) -> "Utilisation":
        """Give the ratios as the paper's code has them: cut off at their 99.99th percentile."""
        cut = {name: counts.clipped(OUTLIERS) for name, counts in self.ratios.items()}
        return replace(self, ratios=cut)

    def table(self) -> pd.DataFrame:
        """Percentiles of every ratio and class, per cent; a row (ratio, class) where known."""
        rows = {}
        for name, counts in self.ratios.items():
            for kind in CLASSES:
                if n := counts.known(kind):
                    q25, q50, q75 = 100 * counts.quantile(kind, [0.25, 0.5, 0.75])
                    rows[name, kind] = {
                        "samples": n,
                        "mean": 100 * counts.mean(kind),
                        "std": 100 * counts.std(kind),
                        "25 %": q25,
                        "50 %": q50,
                        "75 %": q75,
                        "max": 100 * counts.max(kind),
                    }
        return pd.DataFrame.from_dict(rows, orient="index")


def utilisation(
    telemetry: Telemetry,
    ratios: Mapping[str, Ratio] = RATIOS,
    *,
    hardware: pd.DataFrame | None = None,
    gpu_nodes: Collection[str] = PAPER_GPU_NODES,
) -> Utilisation:
    """Count ratios to capacity, Figure 3.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    ratios : mapping of str to Ratio
        What to count; by default the eight of the figure.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.
    gpu_nodes : collection of str
        Nodes of the class ``ml``; the others are ``generic``.

    Returns
    -------
    Utilisation
        A ratio whose metric is unknown or whose capacity is 0 (a GPU ratio of a node without
        GPUs) is unknown, where the paper's code writes 0.

    Raises
    ------
    TelemetryError
        If metrics are missing or no node is in the hardware table.

    Notes
    -----
    Ratios below 0, which sensors give when a part is as cold as the room, count as 0, and a load
    above one process a core as 1, as in the code of arXiv 2409.08949 (notebook 4a).
    """
    columns = sorted({name for ratio in ratios.values() for name in ratio.capacities})
    measure = partial(
        _measure,
        ratios=dict(ratios),
        nodes=telemetry.nodes,
        kind=classes(telemetry.nodes, gpu_nodes),
        capacity=capacities(telemetry.nodes, columns, hardware),
    )
    return fold(telemetry, needed(ratios.values()), measure)


def needed(ratios: Collection[Ratio]) -> tuple[str, ...]:
    """Metrics that ratios need, each once, in order of first use."""
    return tuple(dict.fromkeys(name for ratio in ratios for name in ratio.metrics))


def _measure(
    frame: pd.DataFrame,
    *,
    ratios: dict[str, Ratio],
    nodes: tuple[str, ...],
    kind: np.ndarray,
    capacity: Capacities,
) -> Utilisation:
    place = codes(frame, nodes)
    known = np.isfinite(of_node(capacity[""], place))
    group = np.where(known, of_node(kind, place), -1)
    counts = {
        name: count(ratio(frame, place, capacity), group, CLASSES, RESOLUTION)
        for name, ratio in ratios.items()
    }
    return Utilisation(counts, int((~known).sum()))


def bars(counts: Counts, kind: str) -> np.ndarray:
    """Share of samples in each 5 % bin of a ratio, shape (22,), summing to 1 up to 110 %.

    A bin has its lower edge, the last one both: [0, 5), [5, 10), ..., [105, 110].
    """
    return counts.histogram(kind, _BARS) / counts.known(kind)


def drawn_bars(counts: Counts, kind: str) -> np.ndarray:
    """Give the bars as the paper's code draws them: of ratios rounded to a whole per cent first.

    A bar that says 5 to 10 % therefore holds 4.5 to 9.5 %.
    """
    return bars(counts.coarser(0.01), kind)
