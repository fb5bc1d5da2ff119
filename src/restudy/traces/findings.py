"""Answers that the paper does not give: checks of its analysis, tests, and a model of power."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from restudy.traces import inference, power
from restudy.traces.clock import ClockShift, hours_between
from restudy.traces.distributions import Distribution
from restudy.traces.jobs import TraceError


@dataclass(frozen=True)
class HourLabels:
    """Whether bars by hour of the day stand in the order of a day.

    Attributes
    ----------
    roughness : dict of str to float
        Mean difference of the logarithms of neighbouring bars.
    chance : dict of str to float
        Share of random orders that are as smooth: near 0 for bars at their right hours.
    """

    roughness: dict[str, float]
    chance: dict[str, float]

    def table(self) -> pd.DataFrame:
        """Both numbers of each set of bars."""
        return pd.DataFrame(
            {"roughness": self.roughness, "random orders as smooth": self.chance}
        ).rename_axis("bars")


@dataclass(frozen=True)
class MlAgainstGeneric:
    """Differences between ML and generic jobs.

    Attributes
    ----------
    title : str
    days : int
        Days of the trace.
    clock : str
        Column that tells a job's day.
    effects : tuple of Effect
    """

    title: str
    days: int
    clock: str
    effects: tuple[inference.Effect, ...]

    def effect(self, quantity: str, measure: str) -> inference.Effect:
        """One effect, for example ``effect("failed", "risk difference")``.

        Raises
        ------
        TraceError
            If the trace does not know the quantity for both classes.
        """
        for found in self.effects:
            if (found.quantity, found.measure) == (quantity, measure):
                return found
        raise TraceError(
            f"the trace has no {measure} of {quantity}; it has "
            f"{', '.join(f'{e.measure} of {e.quantity}' for e in self.effects) or 'none'}."
        )

    def table(self) -> pd.DataFrame:
        """One row an effect."""
        rows = {
            (e.quantity, e.measure): {
                "generic": e.generic,
                "ML": e.ml,
                "effect": e.estimate,
                "2.5 %": e.low,
                "97.5 %": e.high,
                "p": e.p,
                "naive 2.5 %": e.naive_low,
                "naive 97.5 %": e.naive_high,
                "design effect": e.design_effect,
            }
            for e in self.effects
        }
        return pd.DataFrame.from_dict(rows, orient="index")


@dataclass(frozen=True)
class ClockShifts:
    """Hours between a trace's clock and local time, by reference.

    Attributes
    ----------
    title : str
    clock : str
        Column that the hours come from.
    profile : numpy.ndarray of int64, shape (24,)
        Jobs by hour on the trace's clock.
    references : dict of str to numpy.ndarray, shape (24,)
        Profiles in local time.
    shifts : dict of str to ClockShift
    """

    title: str
    clock: str
    profile: np.ndarray
    references: dict[str, np.ndarray]
    shifts: dict[str, ClockShift]

    def table(self) -> pd.DataFrame:
        """One row a reference; the last column is how far it disagrees with the first one."""
        first = next(iter(self.references.values()))
        rows = {
            name: {
                "hours to add": shift.shift,
                "correlation": shift.best,
                "correlation as it is": float(shift.correlation[shift.lags == 0][0]),
                "2.5 %": shift.interval()[0],
                "97.5 %": shift.interval()[1],
                "of them by the reference": hours_between(first, self.references[name]),
            }
            for name, shift in self.shifts.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("reference")


@dataclass(frozen=True)
class Unassigned:
    """Statistics of the generic jobs with and without those that never had a node.

    Attributes
    ----------
    title : str
    everything, assigned : dict of str to Distribution
        ``jobs``, ``run_s`` and ``wait_s`` of all jobs and of those with a node.
    """

    title: str
    everything: dict[str, Distribution]
    assigned: dict[str, Distribution]

    @property
    def jobs(self) -> int:
        """Number of jobs without a node."""
        return self.everything["jobs"].n() - self.assigned["jobs"].n()

    @property
    def share(self) -> float:
        """Share of the generic jobs that have no node, 0 for a trace without generic jobs."""
        generic = self.everything["jobs"].n("generic")
        return 1 - self.assigned["jobs"].n("generic") / generic if generic else 0.0

    def table(self) -> pd.DataFrame:
        """Describe generic jobs as in the paper, and without the jobs that had no node."""
        both = {"as in the paper": self.everything, "only jobs with a node": self.assigned}
        return pd.DataFrame({name: _generic(part) for name, part in both.items()})


def _generic(part: dict[str, Distribution]) -> dict[str, float]:
    jobs = part["jobs"]
    column = {"generic jobs": float(jobs.n("generic")), "share of all jobs": 0.0}
    if jobs.n("generic") == 0:
        return column
    column["share of all jobs"] = jobs.n("generic") / jobs.n()
    for state in jobs.states:
        column[f"share {state}"] = jobs.n("generic", state) / jobs.n("generic")
    for name, title in (("run_s", "run time"), ("wait_s", "wait time")):
        if part[name].n("generic"):
            ecdf = part[name].ecdf("generic")
            column[f"{title}, median [s]"] = float(ecdf.quantile(0.5))
            column[f"{title}, mean [s]"] = ecdf.mean
    return column


@dataclass(frozen=True)
class PowerFit:
    """Measured power of a group of nodes and what their jobs say of it.

    Attributes
    ----------
    series : restudy.traces.power.Series
    busy, jobs_and_busy : PowerModel
        P = a + b U and P = a + b A + c U.
    held_out_busy, held_out_jobs_and_busy : HeldOut
        The same models on days that they did not see.
    """

    series: power.Series
    busy: power.PowerModel
    jobs_and_busy: power.PowerModel
    held_out_busy: power.HeldOut
    held_out_jobs_and_busy: power.HeldOut

    @property
    def energy_kwh(self) -> float:
        """Measured energy, kWh."""
        return power.energy_kwh(self.series.power, self.series.slot_s)

    @property
    def mean_kw(self) -> float:
        """Measured mean power, kW."""
        return float(self.series.power.mean()) / 1000

    def table(self) -> pd.DataFrame:
        """Coefficients with intervals and how well each model does."""
        columns = {}
        for name, model, held in (
            ("P = a + b U", self.busy, self.held_out_busy),
            ("P = a + b A + c U", self.jobs_and_busy, self.held_out_jobs_and_busy),
        ):
            column: dict[str, str] = {}
            for term, value, (low, high) in zip(
                model.names, model.coefficients, model.interval, strict=True
            ):
                column[f"{term} [W]"] = f"{value:,.1f} ({low:,.1f} to {high:,.1f})"
            column["R2"] = f"{model.r2:.3f}"
            column["mean error"] = f"{model.mape:.1%}"
            column["R2, unseen days"] = f"{held.r2:.3f}"
            column["mean error, unseen days"] = f"{held.mape:.1%}"
            column["energy error, unseen days"] = f"{held.energy_error:+.1%}"
            columns[name] = column
        return pd.DataFrame(columns).fillna("")
