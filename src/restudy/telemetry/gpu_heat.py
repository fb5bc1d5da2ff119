"""How hot a GPU gets for its power, slot by slot (Figure 4), and how much power it takes (Table 4).

Powers are compared as whole milliwatts: with P in mW and the design power D in W, a sample lies in
the bin that ends at ``ceil(P / (10 D))`` per cent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from restudy.telemetry.counting import Counts, count, of_node
from restudy.telemetry.ratios import capacities, heating
from restudy.telemetry.samples import Telemetry, codes, fold, host, values

SLOTS = ("GPU0", "GPU1", "GPU2", "GPU3")
BINS = 170  # per cent of the design power
_POWER = tuple(f"nvidia_gpu_power_usage_milliwatts_{slot}" for slot in range(4))
_HEAT = tuple(f"nvidia_gpu_temperature_celsius_{slot}" for slot in range(4))
_HEAT_STEPS = 1_000_000  # steps to a ratio of 1; sums stay below 2**53 for 10**9 samples a part
_POWER_STEP = 1e-5
_COLUMNS = ("gpu_count", "gpu_tdp_per_card", "gpu_temp_max")

Rows = Callable[[Any, Any], Any]  # power [mW], (4, rows), and design power [W] -> mask


def every_sample(power: Any, design: Any) -> Any:
    """Keep every sample, Figure 4."""
    return np.ones_like(design, dtype=bool)


def all_busy(power: Any, design: Any) -> Any:
    """Keep samples with all four GPUs at 95 % of their design power or more."""
    return (power >= 950.0 * design).all(axis=0)


@dataclass(frozen=True)
class HeatCurves:
    """Temperature ratio by power and slot, as exact sums.

    Attributes
    ----------
    heat : numpy.ndarray of int64, shape (4, 170)
        Sum of the temperature ratios of a slot and a bin, in millionths.
    n : numpy.ndarray of int64, shape (4, 170)
        Samples. Bin k holds powers above k % and of at most k + 1 % of the design power.
    """

    heat: np.ndarray
    n: np.ndarray

    def __add__(self, other: "HeatCurves") -> "HeatCurves":
        return HeatCurves(self.heat + other.heat, self.n + other.n)

    def table(self) -> pd.DataFrame:
        """Mean temperature ratio, per cent; rows by upper edge of the bin, columns by slot."""
        heat, n = self.heat.astype("float64"), np.where(self.n, self.n, np.nan)
        index = pd.Index(range(1, BINS + 1), name="power [%]")
        return pd.DataFrame((100 * (heat / _HEAT_STEPS) / n).T, index=index, columns=list(SLOTS))

    def at_full_power(self) -> pd.Series:
        """Mean temperature ratio of each slot in the bin that ends at 100 %, per cent."""
        return self.table().T[100]


def heat_curves(
    telemetry: Telemetry, *, rows: Rows = every_sample, hardware: pd.DataFrame | None = None
) -> HeatCurves:
    """Temperature of each GPU by its power on nodes with four GPUs, Figure 4.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    rows : callable
        Which samples: `every_sample`, or `all_busy` for the paper's check that slots also differ
        when all GPUs work.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.

    Returns
    -------
    HeatCurves
        A GPU without power falls in no bin, as in the paper. At 100 % the paper's GPU2 is the
        hottest (88.00 %) and GPU1 the coolest (78.74 %); with `all_busy` 92.31 and 77.55 %.

    Raises
    ------
    TelemetryError
        If metrics are missing or no node is in the hardware table.
    """
    measure = partial(
        _measure_heat,
        rows=rows,
        nodes=telemetry.nodes,
        capacity=capacities(telemetry.nodes, _COLUMNS, hardware),
    )
    return fold(telemetry, (*_POWER, *_HEAT, "node_ambient_temp"), measure)


def _measure_heat(
    frame: pd.DataFrame, *, rows: Rows, nodes: tuple[str, ...], capacity: dict[str, np.ndarray]
) -> HeatCurves:
    four, place, design, power = _four_gpus(frame, nodes, capacity)
    room = values(frame, "node_ambient_temp")[four].astype("float64")
    limit = of_node(capacity["gpu_temp_max"], place)
    chosen = rows(power, design)
    heat, n = np.zeros((2, len(SLOTS), BINS), "int64")
    for slot, metric in enumerate(_HEAT):
        ratio = heating(values(frame, metric)[four], room, limit)
        upper = np.ceil(power[slot] / (10.0 * design))
        keep = chosen & np.isfinite(ratio) & (upper >= 1) & (upper <= BINS)
        at = upper[keep].astype("int64") - 1
        steps = np.rint(ratio[keep] * _HEAT_STEPS)
        heat[slot] = np.rint(host(np.bincount(at, weights=steps, minlength=BINS)))
        n[slot] = host(np.bincount(at, minlength=BINS))
    return HeatCurves(heat, n)


def _four_gpus(
    frame: pd.DataFrame, nodes: tuple[str, ...], capacity: dict[str, np.ndarray]
) -> tuple[Any, Any, Any, Any]:
    """Rows of nodes with four GPUs: mask, node, design power of a GPU [W], power [mW] (4, rows)."""
    place = codes(frame, nodes)
    four = of_node(capacity["gpu_count"], place) >= 4
    place = place[four]
    power = [np.rint(values(frame, metric)[four].astype("float64")) for metric in _POWER]
    return four, place, of_node(capacity["gpu_tdp_per_card"], place), np.stack(power)


def slot_power(telemetry: Telemetry, *, hardware: pd.DataFrame | None = None) -> Counts:
    """Power of each GPU over its design power on nodes with four GPUs, Table 4.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.

    Returns
    -------
    Counts
        Groups `SLOTS`; every sample counts once. The paper's means are .3427, .2506, .2802 and
        .2343, its standard deviations .3549, .3172, .3294 and .3127.

    Raises
    ------
    TelemetryError
        If metrics are missing or no node is in the hardware table.
    """
    return _slot_power(telemetry, hardware, (), _once)


def slot_power_per_job(
    telemetry: Telemetry,
    jobs: Callable[[pd.DataFrame], Any],
    *,
    metrics: tuple[str, ...] = (),
    hardware: pd.DataFrame | None = None,
) -> Counts:
    """Power of each GPU over its design power, a sample counted once for each job on its node.

    Parameters
    ----------
    telemetry : Telemetry
        The samples.
    jobs : callable
        Gives the number of jobs of each row of a part's frame, int64; picklable.
    metrics : tuple of str
        Columns that `jobs` reads beside ``time`` and ``node``.
    hardware : pandas.DataFrame, optional
        Columns of `restudy.traces.hardware.COLUMNS`; Lisa's nodes if not given.

    Returns
    -------
    Counts
        Groups `SLOTS`. It is what a table joined with jobs gives, which has a row for each job.

    Raises
    ------
    TelemetryError
        If metrics are missing or no node is in the hardware table.
    """
    return _slot_power(telemetry, hardware, metrics, jobs)


def _once(frame: pd.DataFrame) -> Any:
    return np.ones_like(codes(frame, ()))


def _slot_power(
    telemetry: Telemetry,
    hardware: pd.DataFrame | None,
    metrics: tuple[str, ...],
    jobs: Callable[[pd.DataFrame], Any],
) -> Counts:
    capacity = capacities(telemetry.nodes, _COLUMNS, hardware)
    measure = partial(_measure_power, nodes=telemetry.nodes, capacity=capacity, jobs=jobs)
    return fold(telemetry, tuple(dict.fromkeys((*_POWER, *metrics))), measure)


def _measure_power(
    frame: pd.DataFrame,
    *,
    nodes: tuple[str, ...],
    capacity: dict[str, np.ndarray],
    jobs: Callable[[pd.DataFrame], Any],
) -> Counts:
    four, place, design, power = _four_gpus(frame, nodes, capacity)
    ratio = power / (1000.0 * design)
    slot = np.repeat(np.arange(len(SLOTS)), len(place))
    weight = np.tile(jobs(frame)[four], len(SLOTS))
    group = np.asarray(slot, like=place)
    return count(ratio.ravel(), group, SLOTS, _POWER_STEP, weight=weight)
