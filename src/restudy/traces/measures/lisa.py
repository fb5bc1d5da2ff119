"""Claims on the real jobs of Lisa: the half-year, and the week with measured power."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from restudy.traces import arrivals, clock, distributions, hour_labels, power
from restudy.traces.arrivals import Arrivals
from restudy.traces.calibration import daily_submissions
from restudy.traces.datasets import LISA_CLOCK, PowerSeries
from restudy.traces.distributions import Ecdf
from restudy.traces.findings import PowerFit
from restudy.traces.jobs import JobTrace, TraceError
from restudy.traces.measures import printed
from restudy.traces.measures.hours import chance, largest_step
from restudy.traces.measures.run_time import longest_share, short_share
from restudy.traces.summertime import hours_ahead

# The half-year's whole days; the first and the last of the file are cut.
_DAYS = pd.date_range("2022-07-01", "2022-10-31", unit="s")
_MONTHS = ("2022-07", "2022-08", "2022-09", "2022-10")
_END_OF_SUMMER_TIME = np.datetime64("2022-10-30", "D")
_HOUR = np.timedelta64(1, "h")
_CORES = 16  # of a CPU node, and of each job of these traces
_LONGEST = 0.05


def halfyear(trace: JobTrace, *, rng: np.random.Generator) -> dict[str, float]:
    """Measure the claims on ``lisa-halfyear-tasks``.

    Parameters
    ----------
    trace : JobTrace
        From `restudy.traces.datasets.lisa_halfyear`: starts and ends, on the file's own clock.
    rng : numpy.random.Generator
        For the random orders of the hourly bars.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.

    Raises
    ------
    TraceError
        If the trace follows another clock, has no job, or lacks the jobs whose start is printed.
    """
    if trace.clock != LISA_CLOCK:
        raise TraceError(
            f"the clock of {trace.name} is {trace.clock!r} and should be {LISA_CLOCK!r}; give the "
            "half-year as it was read."
        )
    starts = arrivals.arrivals(trace.jobs, "start")
    run = distributions.measure(trace.jobs, ["run_s"])["run_s"].ecdf()
    return {
        **_submissions(trace, starts),
        **_run_times(run),
        **_hour_labels(trace, starts, rng),
        **_clocks(trace, starts),
        **_common_window(trace, run),
    }


def in_utc(starts: Arrivals) -> Arrivals:
    """Move arrivals from the file's clock to UTC: one offset of local time later."""
    return replace(starts, hour=starts.hour + hours_ahead(starts.hour.astype("datetime64[h]")))


def _submissions(trace: JobTrace, starts: Arrivals) -> dict[str, float]:
    utc = in_utc(starts)
    local = in_utc(utc)  # the offset once more
    month, jobs = utc.per("month")
    by_month = dict(zip(month.astype(str).tolist(), jobs.tolist(), strict=True))
    daily = _daily(starts)
    submitted = daily_submissions()["generic"].reindex(_DAYS)
    weekday = _daily(local)
    burst = arrivals.burstiness(trace.jobs, clock="start")
    return {
        "halfyear-jobs": float(starts.n()),
        "halfyear-within-months": max(
            100 * by_month.get(name, 0) / printed.GENERIC_BY_MONTH[name] for name in _MONTHS
        ),
        "halfyear-daily-rank-correlation": float(
            _daily(utc).rank().corr(submitted.rank())  # Spearman's: that of the ranks
        ),
        "halfyear-dispersion": float(daily.var() / daily.mean()),
        "halfyear-burstiness": burst.cv,
        "halfyear-zero-gaps": 100 * burst.zero_share,
        "halfyear-weekday-ratio": float(
            weekday[_DAYS.day_of_week < 5].mean() / weekday[_DAYS.day_of_week >= 5].mean()
        ),
        "halfyear-whole-node-majority": 100 * starts.n() / printed.JOINED_JOBS["generic"],
    }


def _daily(starts: Arrivals) -> pd.Series:
    """Jobs of each of the whole days, 0 where there is none."""
    day, counts = starts.per("day")
    jobs = pd.Series(counts, index=pd.DatetimeIndex(day.astype("datetime64[s]")))
    return jobs.reindex(_DAYS, fill_value=0)


def _run_times(run: Ecdf) -> dict[str, float]:
    percents = (5, 25, 50, 75, 95, 99)
    quantiles = run.quantile([percent / 100 for percent in percents])
    values = {
        f"halfyear-run-p{percent:02d}": float(value)
        for percent, value in zip(percents, quantiles, strict=True)
    }
    return values | {
        "halfyear-run-mean": run.mean,
        "halfyear-run-max": float(run.max),
        "halfyear-short-jobs-hours": 100 * short_share(run),
        "halfyear-longest-jobs-hours": 100 * longest_share(run, _LONGEST),
    }


def _hour_labels(trace: JobTrace, starts: Arrivals, rng: np.random.Generator) -> dict[str, float]:
    in_order = starts.hour_of_day()
    # The file has no states: all its jobs take the place of the failed ones.
    drawn = hour_labels.hour_bars(trace.jobs, clock="start")
    return {
        "hour-labels-wrong": float(drawn.misplaced),
        "hour-labels-jump-real": largest_step(in_order),
        "hour-labels-chance-real": chance(in_order, rng),
    }


def _clocks(trace: JobTrace, starts: Arrivals) -> dict[str, float]:
    names = [*printed.SUMMER_STARTS, *printed.WINTER_STARTS]
    rows = trace.jobs[["job_id", "start"]]
    found = rows[rows["job_id"].isin(names)].compute().set_index("job_id")["start"]
    return {
        "clock-shift-summer": hours_behind(found, printed.SUMMER_STARTS),
        "clock-shift-winter": hours_behind(found, printed.WINTER_STARTS),
        "clock-shift-local": float(_hours_to_working_day(starts)),
        "clock-shift-rhythm": float(_hours_to_rhythm(starts)),
    }


def hours_behind(starts: pd.Series, true: Mapping[str, str]) -> float:
    """Hours by which the starts of a trace lie before the true ones.

    Parameters
    ----------
    starts : pandas.Series of datetime64
        Starts on the clock of the trace, index: job id.
    true : mapping of str to str
        Job id to its start.

    Returns
    -------
    float
        Hours, the same for every job.

    Raises
    ------
    TraceError
        If a job is missing or the jobs disagree.
    """
    if missing := [name for name in true if name not in starts.index]:
        raise TraceError(
            f"the trace lacks the jobs {', '.join(missing)}, whose true start is printed; give "
            "the whole half-year."
        )
    shifts = {
        float((np.datetime64(time, "s") - np.datetime64(starts[name], "s")) / _HOUR)
        for name, time in true.items()
    }
    if len(shifts) > 1:
        raise TraceError(
            f"the starts of the jobs {', '.join(true)} are shifted by "
            f"{', '.join(f'{shift:g}' for shift in sorted(shifts))} h; one shift is expected."
        )
    return shifts.pop()


def _summer(starts: Arrivals) -> np.ndarray:
    """Count the starts of each day of summer time by hour, empty days left out, (days, 24)."""
    days = starts.days_by_hour()
    summer = starts.first_day + np.arange(len(days)) < _END_OF_SUMMER_TIME
    return days[summer & (days.sum(axis=1) > 0)]


def _hours_to_rhythm(starts: Arrivals) -> int:
    """Hours to add in summer until the starts fit the published trough and peak."""
    return clock.hours_between(_summer(starts).sum(axis=0), clock.trough_and_peak())


def _hours_to_working_day(starts: Arrivals) -> int:
    """Hours to add in summer until the starts fit a day's work; each day weighs the same."""
    full = _summer(starts)
    profile = (full / full.sum(axis=1, keepdims=True)).mean(axis=0)
    return clock.hours_between(profile, clock.working_day())


def _common_window(trace: JobTrace, run: Ecdf) -> dict[str, float]:
    since = np.array([printed.GPU_TELEMETRY_SINCE], "datetime64[s]")
    on_file_clock = pd.Timestamp((since - hours_ahead(since) * _HOUR)[0])
    later = trace.jobs[trace.jobs["start"] >= on_file_clock]
    part = distributions.measure(later, ["run_s"])["run_s"].ecdf()
    jobs, runtime = part.n / run.n, part.total / run.total
    return {
        "common-window-jobs": 100 * jobs,
        "common-window-runtime": 100 * runtime,
        "common-window-ml-submissions": _ml_percent(printed.JOINED_JOBS, jobs),
        "common-window-ml-runtime": _ml_percent(printed.JOINED_RUNTIME_SHARE, runtime),
        "common-window-ml-energy": _ml_percent(printed.JOINED_ENERGY_J, runtime),
    }


def _ml_percent(amounts: Mapping[str, float], generic_part: float) -> float:
    """Percent that ML has when only a part of the generic amount lies in the window."""
    return 100 * amounts["ml"] / (amounts["ml"] + amounts["generic"] * generic_part)


def week_power(measured: PowerSeries) -> dict[str, float]:
    """Measure the claims on ``lisa-week-power`` alone.

    Parameters
    ----------
    measured : PowerSeries
        From `restudy.traces.datasets.lisa_week_power`.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.
    """
    return {
        "week-energy": power.energy_kwh(measured.power, measured.seconds),
        "week-mean-power": float(measured.power.mean()) / 1000,
    }


def week(fit: PowerFit) -> dict[str, float]:
    """Measure the claims that need the week's power, jobs and load.

    Parameters
    ----------
    fit : PowerFit
        From `restudy.traces.experiments.power_model`. Only the model P = a + b U is looked at.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.

    Raises
    ------
    TraceError
        If the series is too short to be cut into halves.
    """
    watts, loads = fit.series.power, {"U": fit.series.busy}
    forecast = power.hold_out(watts, loads, len(watts) // 2)
    slope = fit.busy.coefficients[fit.busy.names.index("U")]
    return {
        "power-model-r2": fit.busy.r2,
        "power-model-mape": 100 * fit.busy.mape,
        "power-model-forecast": 100 * forecast.mape,
        "power-per-core": float(slope) / _CORES,
    }
