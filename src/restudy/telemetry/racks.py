"""Power of racks over time, and how long it lies above what the cooling removes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.series import Grid
from restudy.telemetry.sums import metric_sums

COOLING_W = 5500.0  # arXiv 2107.11832: what Lisa's cooling removes from each rack


def rack(node: str) -> str | None:
    """Name the rack of a node, None if its name has none.

    Examples
    --------
    >>> rack("r30n7"), rack("login1")
    ('r30', None)
    """
    found = re.match(r"(r\d+)n\d+$", node)
    return found[1] if found else None


def rack_of(
    nodes: Sequence[str], given: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Racks by number, and the place of each node's rack among them (-1 without one), int64.

    Where the rack of each node is given its name is not looked at.

    Examples
    --------
    >>> names, place = rack_of(("r10n1", "r9n1", "login1", "r10n2"))
    >>> names, place.tolist()
    (('r9', 'r10'), [1, 0, -1, 1])
    """
    found = [rack(node) if given is None else given.get(node) for node in nodes]
    names = sorted({name for name in found if name}, key=_by_number)
    place = {name: at for at, name in enumerate(names)}
    return tuple(names), np.array([place[name] if name else -1 for name in found], "int64")


def _by_number(name: str) -> tuple[str, int, str]:
    """Order r9 before r10, and names without a number by themselves."""
    found = re.match(r"(\D*)(\d+)", name)
    return (found[1], int(found[2]), name) if found else (name, 0, name)


@dataclass(frozen=True)
class RackPower:
    """Power of each rack in equal steps of time.

    Attributes
    ----------
    racks : tuple of str
        Names, by number.
    grid : Grid
        Steps of time.
    power : numpy.ndarray of float64, shape (racks, steps)
        Sum over the rack's nodes, W; NaN in a step without a sample.
    """

    racks: tuple[str, ...]
    grid: Grid
    power: np.ndarray

    def table(self, limit: float = COOLING_W) -> pd.DataFrame:
        """Compare each rack's power with a limit [W].

        Columns: ``median``, ``p99`` and ``max`` [W], ``above`` (share of known time above the
        limit), ``episodes`` above it, and the ``longest`` and ``mean`` one [s]. A step without a
        sample ends an episode. Racks that are never known are left out.
        """
        rows = {}
        for name, power in zip(self.racks, self.power, strict=True):
            known = power[np.isfinite(power)]
            if len(known):
                lengths = self.grid.step_s * episodes(power > limit)[1]
                rows[name] = {
                    "median": float(np.median(known)),
                    "p99": float(np.quantile(known, 0.99)),
                    "max": float(known.max()),
                    "above": float(np.mean(known > limit)),
                    "episodes": len(lengths),
                    "longest": int(lengths.max(initial=0)),
                    "mean": float(lengths.mean()) if len(lengths) else 0.0,
                }
        return pd.DataFrame.from_dict(rows, orient="index")


def episodes(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Begin and length of each run of True, in steps.

    Examples
    --------
    >>> [found.tolist() for found in episodes(np.array([True, False, True, True]))]
    [[0, 2], [1, 2]]
    """
    edges = np.diff(above.astype("int8"), prepend=0, append=0)
    begins = np.flatnonzero(edges == 1)
    return begins, np.flatnonzero(edges == -1) - begins


def rack_power(
    telemetry: Telemetry,
    grid: Grid,
    *,
    metric: str = "node_power_usage",
    names: Mapping[str, str] | None = None,
) -> RackPower:
    """Power of each rack in each step.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    grid : Grid
        Steps of time, a multiple of the sampling interval. Twenty racks in steps of 15 s over
        seven months take 600 MB.
    metric : str
        Power of a node, W.
    names : mapping of str to str, optional
        Rack of each node; by default told from names of nodes like ``r28n3``.

    Returns
    -------
    RackPower
        In a step of several sampling intervals the mean of the rack's power. A node without a
        sample adds nothing, as in the sums of arXiv 2107.11832.

    Raises
    ------
    TelemetryError
        If the step is no multiple of the sampling interval, no node has a rack, or the metric is
        missing.
    """
    if grid.step_s % telemetry.interval_s:
        raise TelemetryError(
            f"a step of {grid.step_s} s is no multiple of the sampling interval of "
            f"{telemetry.interval_s} s; use one, for example {telemetry.interval_s * 4} s."
        )
    racks, place = rack_of(telemetry.nodes, names)
    if not racks:
        raise TelemetryError(
            f"no node of the telemetry {telemetry.name} is named r<rack>n<number>, for example "
            f"{telemetry.nodes[0]}; give a hardware table with a column rack."
        )
    found = metric_sums(telemetry, metric, grid, group=place, groups=racks)
    return RackPower(racks, grid, found.total * telemetry.interval_s / grid.step_s)
