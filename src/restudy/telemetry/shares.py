"""Shares of ML and generic jobs: Fig. 1, Table 5 and Fig. 9 of arXiv 2409.08949."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.telemetry.attribution import Attribution
from restudy.telemetry.intervals import known_rows
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.residency import Residency
from restudy.telemetry.samples import host
from restudy.telemetry.windows import EVER, Window
from restudy.traces.jobs import STATES

CLASSES = ("generic", "ml")
_RACK = r"^(.*?\d+)n\d+$"  # r28n3 stands in the rack r28


@dataclass(frozen=True)
class Reported:
    """First and last known sample of each node.

    Attributes
    ----------
    first, last : numpy.ndarray of int64, shape (nodes,)
        Seconds since 1970; of a node without samples, last is less than first.
    """

    first: np.ndarray
    last: np.ndarray

    def __add__(self, other: "Reported") -> "Reported":
        return Reported(np.minimum(self.first, other.first), np.maximum(self.last, other.last))


def reported(frame: pd.DataFrame, nodes: tuple[str, ...], metric: Metric) -> Reported:
    """Find first and last known sample of each node in one part; the measure of a `samples.fold`.

    Parameters
    ----------
    frame : pandas.DataFrame
        Samples: ``time``, ``node`` and the metric.
    nodes : tuple of str
        The nodes.
    metric : Metric
        The metric.

    Returns
    -------
    Reported
        Times by node.

    Examples
    --------
    >>> frame = pd.DataFrame({"time": np.array([10, 40, 70], "M8[s]"),
    ...                       "node": pd.Categorical(["n1"] * 3), "watt": [1.0, 2.0, np.nan]})
    >>> found = reported(frame, ("n1",), Metric("watt", "W", 0.1, 0.0, 5000.0))
    >>> found.first.tolist(), found.last.tolist()
    ([10], [40])
    """
    key, _ = known_rows(frame, nodes, EVER, metric)
    every = np.arange(len(nodes) + 1) * EVER.seconds
    edge = host(np.searchsorted(key, np.asarray(every, like=key)))
    here = np.flatnonzero(np.diff(edge))
    first, last = np.full(len(nodes), EVER.last), np.full(len(nodes), EVER.first)
    for times, rows in ((first, edge[here]), (last, edge[here + 1] - 1)):
        times[here] = host(np.take(key, np.asarray(rows, like=key))) - every[here] + EVER.first
    return Reported(first, last)


def common_window(found: Reported, ml: np.ndarray) -> Window:
    """Give the window in which both classes of nodes have telemetry.

    The paper compares the classes over windows of their own: those of its published table begin
    on 30 June 2022 for generic nodes and weeks later for ML nodes, so its shares of ML are low.

    Parameters
    ----------
    found : Reported
        First and last sample of each node.
    ml : numpy.ndarray of bool, shape (nodes,)
        Which are ML nodes.

    Returns
    -------
    Window
        From the later of the classes' first samples to the earlier of their last.

    Raises
    ------
    TelemetryError
        If a class has no sample, or the classes have no time in common.

    Examples
    --------
    >>> common_window(Reported(np.array([0, 5, 60]), np.array([90, 95, 99])), np.array([0, 0, 1]))
    Window(first=60, last=95)
    """
    ml = np.asarray(ml, dtype=bool)
    spans = []
    for name, nodes in zip(CLASSES, (~ml, ml), strict=True):
        known = nodes & (found.first <= found.last)
        if not known.any():
            raise TelemetryError(
                f"none of the {int(nodes.sum())} {name} nodes has a sample; a window in common "
                "needs telemetry of both classes."
            )
        spans.append((int(found.first[known].min()), int(found.last[known].max())))
    return Window(max(first for first, _ in spans), min(last for _, last in spans))


@dataclass(frozen=True)
class ClassShares:
    """What belongs to ML and what to generic jobs: Fig. 1 and Table 5.

    Attributes
    ----------
    amounts : pandas.DataFrame
        Rows: racks, nodes, submissions, failed jobs, run time [s], energy [J]; columns: `CLASSES`.
    """

    amounts: pd.DataFrame

    @property
    def ml(self) -> pd.Series:
        """Share of ML in each amount, 0 to 1."""
        return self.amounts["ml"] / self.amounts.sum(axis=1)

    def table(self) -> pd.DataFrame:
        """Amounts of the classes and share of ML."""
        return self.amounts.assign(**{"share of ml": self.ml})


def class_shares(
    jobs: pd.DataFrame,
    residency: Residency,
    attribution: Attribution,
    gpu_nodes: Collection[str],
) -> ClassShares:
    """Compare ML with generic jobs, as in Fig. 1 and Table 5.

    Parameters
    ----------
    jobs : pandas.DataFrame
        The job table.
    residency : Residency
        Who was where, in the window to compare.
    attribution : Attribution
        Energies of the jobs.
    gpu_nodes : collection of str
        Names of the ML nodes; all other nodes with telemetry are generic.

    Returns
    -------
    ClassShares
        Of jobs that have a sample, as in the paper's joined table. A rack with nodes of both
        classes counts in both.

    Raises
    ------
    TelemetryError
        If the parts are not of the same job table.

    Examples
    --------
    See `state_shares`.
    """
    measured = _measured(jobs, residency, attribution)
    by_class = measured.groupby("class", observed=False)
    node = pd.Series(residency.intervals.nodes, dtype="object")
    ml = node.isin(set(gpu_nodes))
    rack = node.str.extract(_RACK, expand=False).fillna(node)
    rows = {
        "racks": [rack[~ml].nunique(), rack[ml].nunique()],
        "nodes": [int((~ml).sum()), int(ml.sum())],
        "submissions": by_class.size().tolist(),
        "failed jobs": by_class["failed"].sum().tolist(),
        "run time [s]": by_class["run_s"].sum().tolist(),
        "energy [J]": by_class["energy_j"].sum().tolist(),
    }
    return ClassShares(pd.DataFrame.from_dict(rows, orient="index", columns=list(CLASSES)))


@dataclass(frozen=True)
class StateShares:
    """Jobs, run time and energy by class and state: Fig. 9.

    Attributes
    ----------
    amounts : pandas.DataFrame
        Index: class, state (those that occur); columns: jobs, run time [s], energy [J].
    """

    amounts: pd.DataFrame

    @property
    def share(self) -> pd.DataFrame:
        """Share of each state in the amounts of its class."""
        return self.amounts / self.amounts.groupby(level="class").transform("sum")

    @property
    def unsuccessful(self) -> pd.DataFrame:
        """Share of the states other than COMPLETED, by class."""
        kept = self.amounts.drop("COMPLETED", level="state", errors="ignore")
        whole = self.amounts.groupby(level="class").sum()
        return kept.groupby(level="class").sum().reindex(whole.index, fill_value=0.0) / whole

    def table(self) -> pd.DataFrame:
        """Amounts and shares."""
        return self.amounts.join(self.share.add_prefix("share of "))


def state_shares(jobs: pd.DataFrame, residency: Residency, attribution: Attribution) -> StateShares:
    """Split jobs, run time and energy of each class by the state in which jobs end, as in Fig. 9.

    Parameters
    ----------
    jobs : pandas.DataFrame
        The job table. A job of unknown class is generic; of unknown state, it is left out.
    residency : Residency
        Who was where.
    attribution : Attribution
        Energies of the jobs.

    Returns
    -------
    StateShares
        Of jobs that have a sample.

    Raises
    ------
    TelemetryError
        If the parts are not of the same job table.

    Examples
    --------
    >>> from restudy.telemetry.residency import residency
    >>> from restudy.traces.jobs import COLUMNS
    >>> rows = {"job_id": ["1", "2"], "start": 0, "end": [10, 30], "node_list": "n1",
    ...         "state": ["COMPLETED", "FAILED"]}
    >>> jobs = pd.DataFrame(dict.fromkeys(COLUMNS) | rows).astype(COLUMNS)
    >>> energy = Attribution(np.array([30.0, 10.0]), np.array([1, 1]), 0, 0.0, 0.0, 40.0)
    >>> share = state_shares(jobs, residency(jobs, ["n1"]), energy).share.loc["generic"]
    >>> share["run time [s]"].tolist(), share["energy [J]"].tolist()
    ([0.25, 0.75], [0.75, 0.25])
    """
    measured = _measured(jobs, residency, attribution)
    grouped = measured.groupby(["class", "state"], observed=True)
    amounts = pd.DataFrame(
        {
            "jobs": grouped.size(),
            "run time [s]": grouped["run_s"].sum(),
            "energy [J]": grouped["energy_j"].sum(),
        }
    )
    return StateShares(amounts)


def _measured(jobs: pd.DataFrame, residency: Residency, found: Attribution) -> pd.DataFrame:
    """Jobs that have a sample: class, state, failed, run time and energy."""
    if not len(jobs) == len(residency.seconds) == len(found.energy_j):
        raise TelemetryError(
            f"the job table has {len(jobs)} rows, the residency {len(residency.seconds)} and the "
            f"attribution {len(found.energy_j)}; give those that were made from this job table."
        )
    ml = jobs["is_ml"].to_numpy("bool", na_value=False)
    at = pd.Index(STATES).get_indexer(pd.Index(jobs["state"].astype("object")))
    return pd.DataFrame(
        {
            "class": pd.Categorical(np.where(ml, "ml", "generic"), categories=list(CLASSES)),
            "state": pd.Categorical.from_codes(at, pd.Index(STATES)),
            "failed": at == STATES.index("FAILED"),
            "run_s": residency.seconds,
            "energy_j": found.energy_j,
        }
    )[found.samples > 0]
