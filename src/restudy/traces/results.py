"""Answers to the questions of the paper: plain, frozen, each with ``table()`` for reading."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.traces import distributions
from restudy.traces.arrivals import Arrivals, Boxplot, Burstiness, Unit, boxplot
from restudy.traces.counting import KINDS, Kind
from restudy.traces.distributions import Distribution, Ecdf
from restudy.traces.hour_labels import HourBars

CLASSES: tuple[Kind, ...] = ("generic", "ml")


@dataclass(frozen=True)
class Overview:
    """What a trace holds.

    Attributes
    ----------
    title : str
    jobs : Distribution
        Jobs by class and state.
    spans : Spans or None
        Run times within a day and over midnight; None if no run time is known.
    rejected : int
        Rows that the reader kept aside.
    """

    title: str
    jobs: Distribution
    spans: distributions.Spans
    rejected: int

    @property
    def ml_share(self) -> float:
        """Share of ML jobs."""
        return self.jobs.n("ml") / self.jobs.n()

    def table(self) -> pd.DataFrame:
        """Jobs by state (rows) and class (columns); the last row sums up."""
        rows = {s: [self.jobs.n(kind, s) for kind in KINDS] for s in self.jobs.states}
        known = [sum(row[at] for row in rows.values()) for at in range(len(KINDS))]
        total = [self.jobs.n(kind) for kind in KINDS]
        if known != total:
            rows["state unknown"] = [n - k for n, k in zip(total, known, strict=True)]
        return pd.DataFrame.from_dict({**rows, "all": total}, orient="index", columns=list(KINDS))


@dataclass(frozen=True)
class Hardware:
    """Tables 1 and 2 of the paper.

    Attributes
    ----------
    nodes, racks : pandas.DataFrame
        Usual node and usual rack of each class, and totals.
    """

    nodes: pd.DataFrame
    racks: pd.DataFrame


@dataclass(frozen=True)
class Submissions:
    """Figure 5 and how bursty arrivals are.

    Attributes
    ----------
    title : str
    kinds : tuple of str
        Classes that have jobs.
    arrivals : Arrivals
    bursts : dict of str to Burstiness
        By class; a class with fewer than three jobs is left out.
    """

    title: str
    kinds: tuple[Kind, ...]
    arrivals: Arrivals
    bursts: dict[Kind, Burstiness]

    def box(self, unit: Unit, kind: Kind, *, empty: bool) -> Boxplot:
        """Boxplot of the jobs per calendar unit, with or (as the paper) without empty bins."""
        counts = self.arrivals.per(unit, kind)[1]
        return boxplot(counts if empty else counts[counts > 0])

    def table(self) -> pd.DataFrame:
        """Jobs per day and gaps between jobs, by class."""
        columns: dict[str, dict[str, float]] = {}
        for kind in self.kinds:
            days = self.arrivals.per("day", kind)[1]
            full = days[days > 0]
            column = {
                "jobs": float(days.sum()),
                "days": float(len(days)),
                "days with a job": float(len(full)),
                "jobs per day with a job, mean": float(full.mean()),
                "jobs per day, mean": float(days.mean()),
                "jobs per day, median": float(np.median(days)),
                "jobs per day, largest": float(days.max()),
                "jobs per day, standard deviation / mean": float(days.std() / days.mean()),
            }
            if kind in self.bursts:
                burst = self.bursts[kind]
                column |= {
                    "gap between jobs, mean [s]": burst.gaps.mean,
                    "gap between jobs, median [s]": float(burst.gaps.quantile(0.5)),
                    "gap, standard deviation / mean": burst.cv,
                    "gaps of 0 s": burst.zero_share,
                    "jobs per hour, variance / mean": burst.dispersion,
                }
            columns[kind] = column
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class WaitAndRun:
    """Figure 6: distributions of one time.

    Attributes
    ----------
    title : str
    wait, run : Distribution
        Seconds; a trace without submission times has an empty `wait`.
    """

    title: str
    wait: Distribution
    run: Distribution

    def table(self) -> pd.DataFrame:
        """Statistics in seconds by time, class and state; what has no job is left out."""
        rows = {}
        for name, found in (("wait", self.wait), ("run", self.run)):
            for kind in KINDS:
                for state in (None, "COMPLETED", "FAILED"):
                    if found.n(kind, state):
                        rows[name, kind, state or "all"] = statistics(found.ecdf(kind, state))
        return pd.DataFrame.from_dict(rows, orient="index")


def statistics(ecdf: Ecdf) -> dict[str, float]:
    """Numbers that the paper prints of a distribution."""
    low, middle, high = ecdf.quantile([0.25, 0.5, 0.75])
    return {
        "jobs": ecdf.n,
        "mean": ecdf.mean,
        "25 %": float(low),
        "50 %": float(middle),
        "75 %": float(high),
        "largest": float(ecdf.max),
        "standard deviation": ecdf.std,
    }


@dataclass(frozen=True)
class FailuresByHour:
    """Figure 7, with and without the fault of the original.

    Attributes
    ----------
    title : str
    bars : dict of str to HourBars
        By class; a class without a failed job is left out.
    """

    title: str
    bars: dict[Kind, HourBars]

    def table(self) -> pd.DataFrame:
        """Failed jobs by hour, and the hour that the original's label really shows."""
        columns: dict[str, pd.Series] = {}
        for kind, bars in self.bars.items():
            columns[f"{kind} failed"] = pd.Series(bars.by_hour)
            columns[f"{kind} as drawn"] = pd.Series(bars.as_drawn)
            columns[f"{kind} hour drawn"] = pd.Series(bars.labels)
        return pd.DataFrame(columns).rename_axis("hour").astype("Int64")


@dataclass(frozen=True)
class JobSize:
    """Figure 8: how large jobs are.

    Attributes
    ----------
    title : str
    nodes, cores, node_seconds : Distribution
    """

    title: str
    nodes: Distribution
    cores: Distribution
    node_seconds: Distribution

    def single_node(self, kind: Kind) -> float:
        """Share of the jobs of a class that run on one node."""
        return self.nodes.ecdf(kind).share_of(1)

    def table(self) -> pd.DataFrame:
        """Nodes, cores and node-hours by class."""
        rows = {}
        for found, name, scale in (
            (self.nodes, "nodes", 1.0),
            (self.cores, "cores", 1.0),
            (self.node_seconds, "node-hours", 1 / 3600),
        ):
            for kind in CLASSES:
                if found.n(kind):
                    row = statistics(found.ecdf(kind))
                    jobs = row.pop("jobs")
                    rows[name, kind] = {"jobs": jobs} | {k: v * scale for k, v in row.items()}
        return pd.DataFrame.from_dict(rows, orient="index")


@dataclass(frozen=True)
class StateShares:
    """Figure 9, its part that jobs alone can tell.

    Attributes
    ----------
    title : str
    shares : pandas.DataFrame
        Index (class, state), columns ``jobs``, ``run time`` and ``node-hours``: shares of the
        class; NaN where the trace lacks what a column needs.
    """

    title: str
    shares: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Give the shares."""
        return self.shares
