"""Write lisa.json: the claims on real traces, computed with pandas alone and without restudy.

Usage: python validation/2409.08949/lisa.py FOLDER > validation/2409.08949/lisa.json
where FOLDER is a mirror of the datasets (it holds ``traces/``).
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path(__file__).parents[2] / "src/restudy/traces/tables/fig5_daily_submissions.csv"
DAYS = pd.date_range("2022-07-01", "2022-10-31")
MONTHS = {"2022-07": 93_539, "2022-08": 116_234, "2022-09": 90_879, "2022-10": 148_811}
STARTS = {
    "clock-shift-summer": {
        1603441: "2022-07-04 09:35:36",
        1616537: "2022-07-10 20:55:29",
        1627898: "2022-07-12 21:41:32",
    },
    "clock-shift-winter": {2323557: "2022-11-01 13:58:19", 2323558: "2022-11-01 13:58:19"},
}
SACCT = {"submit": 10, "start": 12, "end": 13, "state": 16, "nodes": 17, "list": 24, "user": 9}


def ahead(times: pd.Series) -> pd.Series:
    """Offset of Amsterdam at naive times taken as UTC."""
    return (
        times.dt.tz_localize("UTC").dt.tz_convert("Europe/Amsterdam").dt.tz_localize(None) - times
    )


def smoother(bars: np.ndarray) -> float:
    """Share of 20,000 random orders whose neighbours differ no more."""
    rng = np.random.default_rng(0)

    def rough(order: np.ndarray) -> float:
        logs = np.log(np.append(order, order[0]))
        return float(np.abs(np.diff(logs)).sum())

    return float(np.mean([rough(rng.permutation(bars)) <= rough(bars) for _ in range(20_000)]))


def halfyear(path: Path) -> dict[str, float]:
    """Half-year of Lisa."""
    jobs = pd.read_parquet(path).sort_values(["submission_time", "id"])
    start = pd.to_datetime(jobs["submission_time"], unit="ms")
    run = jobs["duration"] / 1000
    utc = start + ahead(start)
    local = utc + ahead(utc)

    def daily(times: pd.Series) -> pd.Series:
        return times.dt.floor("D").value_counts().reindex(DAYS, fill_value=0)

    figure = pd.read_csv(TABLE, comment="#", index_col="date", parse_dates=True)["generic"]
    gaps = start.diff().dt.total_seconds().dropna()
    weekday = daily(local).groupby(DAYS.day_of_week < 5).mean()
    hours = start.dt.hour.value_counts(sort=False)
    bars = hours.sort_index().to_numpy()
    jump = np.append(bars, bars[0])[1:] / bars
    months = utc.dt.strftime("%Y-%m").value_counts()
    since = utc >= "2022-08-25"
    part, part_run = since.mean(), run[since].sum() / run.sum()
    summer = start < "2022-10-30"
    day_hour = pd.crosstab(start[summer].dt.date, start[summer].dt.hour)
    profile = day_hour.div(day_hour.sum(axis=1), axis=0).mean().to_numpy()
    work = np.isin(np.arange(24), np.arange(9, 18)).astype(float)
    fits = [np.corrcoef(np.roll(profile, k), work)[0, 1] for k in range(24)]
    # Half a cosine up from the trough (5 to 6 h) to the peak (14 to 17 h), another one down.
    hour = np.where(np.arange(24) < 5.5, np.arange(24) + 24, np.arange(24))
    rhythm = -np.cos(np.interp(hour, [5.5, 15.5, 29.5], [0, np.pi, 2 * np.pi]))
    counts = start[summer].dt.hour.value_counts().sort_index().to_numpy()
    turns = [np.corrcoef(np.roll(counts, k), rhythm)[0, 1] for k in range(24)]
    longest = run.sort_values().iloc[-round(0.05 * len(run)) :]
    by_id = start.set_axis(jobs["id"])
    values = {
        "halfyear-jobs": len(jobs),
        "halfyear-within-months": max(100 * months[m] / n for m, n in MONTHS.items()),
        "halfyear-daily-rank-correlation": daily(utc).corr(figure.reindex(DAYS), method="spearman"),
        "halfyear-dispersion": daily(start).var() / daily(start).mean(),
        "halfyear-burstiness": gaps.std() / gaps.mean(),
        "halfyear-zero-gaps": 100 * (gaps == 0).mean(),
        "halfyear-weekday-ratio": weekday[True] / weekday[False],
        "halfyear-run-mean": run.mean(),
        "halfyear-run-max": run.max(),
        "halfyear-short-jobs-hours": 100 * run[run < 30].sum() / run.sum(),
        "halfyear-longest-jobs-hours": 100 * longest.sum() / run.sum(),
        "halfyear-whole-node-majority": 100 * len(jobs) / 266_604,
        "hour-labels-wrong": (hours.index.to_numpy() != np.arange(24)).sum(),
        "hour-labels-jump-real": max(jump.max(), (1 / jump).max()),
        "hour-labels-chance-real": smoother(bars),
        "clock-shift-local": np.argmax(fits),
        "clock-shift-rhythm": np.argmax(turns),
        "common-window-jobs": 100 * part,
        "common-window-runtime": 100 * part_run,
        "common-window-ml-submissions": 100 * 27_287 / (27_287 + 266_604 * part),
        "common-window-ml-runtime": 100 * 0.168168 / (0.168168 + 0.831832 * part_run),
        "common-window-ml-energy": 100 * 1.703566 / (1.703566 + 2.700548 * part_run),
    }
    for percent in (5, 25, 50, 75, 95, 99):
        values[f"halfyear-run-p{percent:02d}"] = run.quantile(percent / 100)
    for claim, starts in STARTS.items():
        (shift,) = {pd.Timestamp(time) - by_id[job] for job, time in starts.items()}
        values[claim] = shift / pd.Timedelta(hours=1)
    return values


def week(folder: Path) -> dict[str, float]:
    """Week of measured power, P = a + b U fitted by numpy's polynomials."""
    tasks = pd.read_parquet(folder / "week_v5_tasks.parquet").set_index("id")
    usage = pd.read_parquet(folder / "week_v5_fragments.parquet")
    measured = pd.read_parquet(folder / "week_2022-10-07_measured_power_277nodes.parquet")
    begin = tasks["submission_time"].reindex(usage["id"]).to_numpy()
    first = tasks["submission_time"].min()
    slot = (begin - first) // 30_000 + usage.groupby("id").cumcount().to_numpy()
    busy = (usage["cpu_usage"] / 33_600).groupby(slot).sum()
    watts = measured["power_draw"].to_numpy()
    U = busy.reindex(measured["timestamp"] // 30_000 - 1, fill_value=0.0).to_numpy()
    slope, idle = np.polyfit(U, watts, 1)
    error = watts - idle - slope * U
    half = len(watts) // 2
    early = np.polyval(np.polyfit(U[:half], watts[:half], 1), U[half:])
    return {
        "week-energy": measured["energy_usage"].sum() / 3.6e6,
        "week-mean-power": watts.mean() / 1000,
        "power-model-r2": 1 - error.var() / watts.var(),
        "power-model-mape": 100 * np.mean(np.abs(error) / watts),
        "power-model-forecast": 100 * np.mean(np.abs(early - watts[half:]) / watts[half:]),
        "power-per-core": slope / 16,
    }


def dumps(folder: Path) -> dict[str, float]:
    """Two sacct dumps, split at the bars."""
    values: dict[str, float] = {}
    found: list[dict[str, float]] = []
    without = []
    for name in ("phillips", "pozidriv"):
        lines = (folder / f"xdmod_{name}.log").read_text().splitlines()
        rows = [line.split("|") for line in lines]
        jobs = pd.DataFrame({key: [row[at] for row in rows] for key, at in SACCT.items()})
        jobs["state"] = jobs["state"].str.split().str[0]
        start, end = pd.to_datetime(jobs["start"]), pd.to_datetime(jobs["end"])
        jobs["run"] = (end - start).dt.total_seconds()
        jobs["wait"] = (start - pd.to_datetime(jobs["submit"])).dt.total_seconds()
        share = 100 * jobs["state"].value_counts(normalize=True)
        values[f"{name}-jobs"] = len(jobs)
        for state in ("completed", "failed", "cancelled", "preempted", "timeout"):
            if name == "pozidriv" or state in ("completed", "failed", "cancelled"):
                values[f"{name}-{state}"] = share[state.upper()]
        no_node = jobs["list"] == "None assigned"
        without.append(jobs.loc[no_node, "state"])
        ran = jobs[~no_node]
        done, failed = ran[ran["state"] == "COMPLETED"], ran[ran["state"] == "FAILED"]
        found.append(
            {
                "dumps-single-node": 100 * (jobs["nodes"] == "1").mean(),
                "dumps-failed-run-shorter": failed["run"].median() / done["run"].median(),
                "dumps-failed-wait-longer": failed["wait"].median() / done["wait"].median(),
                "dumps-unsuccessful-time": (1 - done["run"].sum() / ran["run"].sum())
                / (1 - len(done) / len(ran)),
                "dumps-one-user-fails": 100 * failed["user"].value_counts(normalize=True).max(),
                "dumps-unassigned-share": 100 * no_node.mean(),
            }
        )
    worst = pd.DataFrame(found).min().to_dict()
    worst["dumps-failed-run-shorter"] = max(dump["dumps-failed-run-shorter"] for dump in found)
    worst["dumps-unassigned-cancelled"] = 100 * (pd.concat(without) == "CANCELLED").mean()
    return values | worst


def acme(path: Path) -> dict[str, float]:
    """Summary of GPU clusters."""
    table = pd.read_csv(path, index_col="id")
    both = table.loc[["Seren", "Kalos", "Helios"]]
    lost = 1 - table["complete_rate_gpu_time"].dropna()
    wait = both["avg_que_time_gpu"] / both["avg_que_time_cpu"]
    return {
        "acme-gpu-fails-more": (both["fail_rate_gpu"] / both["fail_rate_cpu"]).min(),
        "acme-gpu-median-run": (both["med_run_time_gpu"] / both["med_run_time_cpu"]).min(),
        "acme-gpu-mean-run": (both["avg_run_time_gpu"] / both["avg_run_time_cpu"]).min(),
        "acme-gpu-waits-less": wait.max(),
        "acme-unsuccessful-time": (lost / (1 - table["complete_rate_gpu"])).min(),
        "acme-unsuccessful-third": 100 * lost.min(),
    }


def main() -> None:
    """Print all values as JSON."""
    traces = Path(sys.argv[1]) / "traces"
    lisa = traces / "surf_lisa_2022"
    parts = {
        "halfyear": halfyear(lisa / "halfyear_tasks.parquet"),
        "week": week(lisa),
        "dumps": dumps(traces / "xdmod_slurm"),
        "acme": acme(traces / "acme_gpu" / "cluster_summary.csv"),
    }
    rounded = {
        part: {claim: float(f"{value:.9g}") for claim, value in values.items()}
        for part, values in parts.items()
    }
    print(json.dumps(rounded, indent=2))


if __name__ == "__main__":
    main()
