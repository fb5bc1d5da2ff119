"""The questions of `telemetry.py` as a user of pandas, DuckDB or Polars would ask them.

All read ``samples/parts/*.parquet`` (time, node, metrics), ``residents.parquet`` (a row per job and
node) and ``hardware.parquet`` (a row per node) of a folder.
"""

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness

THREADS = 2
STATES = ("OUT_OF_MEMORY", "TIMEOUT", "FAILED", "CANCELLED", "NODE_FAIL", "COMPLETED")
METRICS = (
    "node_power_usage",
    "node_ambient_temp",
    "node_memory_Active_bytes",
    "node_load1",
)
POWER = METRICS[0]


# --- energy: mean over a job's samples of the node's power over its jobs, times the run time


def pandas_energy(folder: Path) -> harness.Answers:
    """Join samples and jobs node by node."""
    import pandas as pd

    samples = pd.read_parquet(folder / "samples" / "parts", columns=["time", "node", POWER])
    jobs = pd.read_parquet(folder / "residents.parquet")
    by_node = dict(iter(jobs.groupby("node")))
    found = []
    for node, part in samples.groupby("node", observed=True):
        if node not in by_node:
            continue
        pairs = part.merge(by_node[node], how="cross")
        pairs = pairs[(pairs["time"] >= pairs["start"]) & (pairs["time"] <= pairs["end"])]
        pairs["share"] = pairs[POWER].astype("float64") / pairs.groupby("time")["row"].transform(
            "size"
        )
        mean = pairs.groupby("row")["share"].mean()
        found.append(mean * by_node[node].set_index("row")["run_s"].reindex(mean.index))
    energy = pd.concat(found).groupby(level=0).sum()
    classes = jobs.drop_duplicates("row").set_index("row").loc[energy.index, ["is_ml", "state"]]
    sums = energy.groupby([classes["is_ml"], classes["state"]]).sum()
    return {f"{ml}/{state}": float(value) for (ml, state), value in sums.items()}


_DUCK_ENERGY = """
WITH pairs AS ({pairs}),
shared AS (
  SELECT node, any_value(power) / count(*) AS share, list(row) AS jobs
  FROM pairs GROUP BY node, time
),
means AS (
  SELECT node, row, avg(share) AS mean FROM (SELECT node, share, unnest(jobs) AS row FROM shared)
  GROUP BY node, row
)
SELECT is_ml, state, sum(mean * run_s) FROM means JOIN residents USING (node, row) GROUP BY ALL
"""
_DUCK_RANGE = f"""
SELECT s.node, s.time, s.{POWER}::DOUBLE AS power, r.row
FROM samples s JOIN residents r
ON s.node = r.node AND s.time BETWEEN r.start AND r."end"
"""
_DUCK_GRID = f"""
SELECT s.node, s.time, s.{POWER}::DOUBLE AS power, r.row
FROM samples s JOIN (
  SELECT node, row, to_timestamp(unnest(generate_series(
    (ceil(epoch(start) / 30) * 30)::BIGINT, epoch("end")::BIGINT, 30)))::TIMESTAMP AS time
  FROM residents
) r ON s.node = r.node AND s.time = r.time
"""
# Our algorithm in SQL: jobs between two events are the same, so samples are summed per interval.
_DUCK_INTERVALS = f"""
WITH events AS (
  SELECT node, start AS t, 1 AS change FROM residents
  UNION ALL SELECT node, "end" + INTERVAL 1 SECOND, -1 FROM residents
),
steps AS (SELECT node, t, sum(change) AS change FROM events GROUP BY ALL),
intervals AS (
  SELECT node, t, sum(change) OVER (PARTITION BY node ORDER BY t) AS n FROM steps
),
sums AS (
  SELECT i.node, i.t, sum(s.{POWER}::DOUBLE) AS power, count(*) AS samples
  FROM samples s ASOF JOIN intervals i ON s.node = i.node AND s.time >= i.t GROUP BY ALL
),
running AS (
  SELECT node, t,
    coalesce(sum(CASE WHEN n > 0 THEN power / n END) OVER before, 0) AS power,
    coalesce(sum(samples) OVER before, 0) AS samples
  FROM intervals LEFT JOIN sums USING (node, t)
  WINDOW before AS (
    PARTITION BY node ORDER BY t ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT is_ml, state, sum((b.power - a.power) / (b.samples - a.samples) * run_s)
FROM residents r
JOIN running a ON a.node = r.node AND a.t = r.start
JOIN running b ON b.node = r.node AND b.t = r."end" + INTERVAL 1 SECOND
WHERE b.samples > a.samples GROUP BY ALL
"""


@contextmanager
def _duckdb(folder: Path) -> Iterator[Any]:
    import duckdb

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0] * 3 // 4
    with tempfile.TemporaryDirectory(dir=folder) as spill, duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}; SET temp_directory = '{spill}'")
        connection.execute(f"SET memory_limit = '{limit // 2**20} MiB'")
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        for name, files in (
            ("samples", "samples/parts/*.parquet"),
            ("residents", "residents.parquet"),
            ("hardware", "hardware.parquet"),
        ):
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / files}')"
            )
        yield connection


def _duckdb_energy(folder: Path, query: str) -> harness.Answers:
    with _duckdb(folder) as connection:
        rows = connection.execute(query).fetchall()
    return {f"{ml}/{state}": float(value) for ml, state, value in rows}


def duckdb_energy(folder: Path) -> harness.Answers:
    """Range join."""
    return _duckdb_energy(folder, _DUCK_ENERGY.format(pairs=_DUCK_RANGE))


def duckdb_grid_energy(folder: Path) -> harness.Answers:
    """Equality join with the jobs written out on the grid of the samples (if there is one)."""
    return _duckdb_energy(folder, _DUCK_ENERGY.format(pairs=_DUCK_GRID))


def duckdb_intervals_energy(folder: Path) -> harness.Answers:
    """Our own algorithm, written in SQL."""
    return _duckdb_energy(folder, _DUCK_INTERVALS)


def _polars_pairs(folder: Path) -> Any:
    import polars as pl

    samples = pl.scan_parquet(folder / "samples" / "parts" / "*.parquet").select(
        pl.col("node").cast(pl.String), "time", pl.col(POWER).cast(pl.Float64).alias("power")
    )
    jobs = pl.scan_parquet(folder / "residents.parquet").select(
        pl.col("node").alias("on"), pl.col("start", "end").cast(pl.Datetime("ms")), "row"
    )
    return samples.join_where(
        jobs,
        pl.col("node") == pl.col("on"),
        pl.col("time") >= pl.col("start"),
        pl.col("time") <= pl.col("end"),
    )


def polars_energy(folder: Path) -> harness.Answers:
    """Range join."""
    import polars as pl

    residents = pl.scan_parquet(folder / "residents.parquet")
    shared = (
        _polars_pairs(folder)
        .group_by("node", "time")
        .agg((pl.col("power").first() / pl.len()).alias("share"), pl.col("row"))
    )
    means = shared.explode("row").group_by("node", "row").agg(pl.col("share").mean())
    sums = (
        means.join(residents, on=["node", "row"])
        .group_by("is_ml", "state")
        .agg((pl.col("share") * pl.col("run_s")).sum())
        .collect(engine="streaming")
    )
    return {f"{ml}/{state}": float(value) for ml, state, value in sums.iter_rows()}


# --- utilisation: mean and quartiles of two ratios of CPU nodes


def pandas_utilisation(folder: Path) -> harness.Answers:
    """Join with the hardware, then quantiles."""
    import pandas as pd

    columns = ["node", "node_load1", "node_memory_Active_bytes"]
    samples = pd.read_parquet(folder / "samples" / "parts", columns=columns)
    hardware = pd.read_parquet(folder / "hardware.parquet")
    joined = samples.merge(hardware[hardware["gpus"] == 0], on="node")
    answers: harness.Answers = {}
    for name, ratio in {
        "load": (joined["node_load1"] / joined["cores"]).clip(0, 1),
        "memory": (joined["node_memory_Active_bytes"] / joined["memory"]).clip(0),
    }.items():
        values = [ratio.mean(), *ratio.quantile([0.25, 0.5, 0.75])]
        answers |= {f"{name}/{at}": 100 * float(value) for at, value in enumerate(values)}
    return answers


def duckdb_utilisation(folder: Path) -> harness.Answers:
    """Join with the hardware, then quantiles."""
    ratios = {
        "load": "least(greatest(node_load1 / cores, 0), 1)",
        "memory": "greatest(node_memory_Active_bytes / memory, 0)",
    }
    chosen = ", ".join(
        f"avg({ratio}), quantile_cont({ratio}, [0.25, 0.5, 0.75])" for ratio in ratios.values()
    )
    with _duckdb(folder) as connection:
        row = connection.execute(
            f"SELECT {chosen} FROM samples JOIN hardware USING (node) WHERE gpus = 0"
        ).fetchone()
    answers: harness.Answers = {}
    for at, name in enumerate(ratios):
        values = [row[2 * at], *row[2 * at + 1]]
        answers |= {f"{name}/{k}": 100 * float(value) for k, value in enumerate(values)}
    return answers


def polars_utilisation(folder: Path) -> harness.Answers:
    """Join with the hardware, then quantiles."""
    import polars as pl

    hardware = pl.scan_parquet(folder / "hardware.parquet").filter(pl.col("gpus") == 0)
    joined = (
        pl.scan_parquet(folder / "samples" / "parts" / "*.parquet")
        .with_columns(pl.col("node").cast(pl.String))
        .join(hardware, on="node")
    )
    ratios = {
        "load": (pl.col("node_load1") / pl.col("cores")).clip(0, 1),
        "memory": (pl.col("node_memory_Active_bytes") / pl.col("memory")).clip(0),
    }
    wanted = [
        value.alias(f"{name}/{at}")
        for name, ratio in ratios.items()
        for at, value in enumerate(
            [ratio.mean(), *(ratio.quantile(q, "linear") for q in (0.25, 0.5, 0.75))]
        )
    ]
    row = joined.select(wanted).collect(engine="streaming")
    return {name: 100 * float(row[name][0]) for name in row.columns}


# --- co-termination: Figure 10 over the samples with high power and two or more jobs


def _correlations(rows: Any) -> harness.Answers:
    """Pearson correlations from (state, six counts, number) rows of one class."""
    import numpy as np

    answers: harness.Answers = {}
    for ml in (False, True):
        mine = rows[rows["is_ml"] == ml]
        own = np.stack([mine["state"] == state for state in STATES], 1).astype(float)
        counts = mine[list(STATES)].to_numpy(float)
        others = counts - own
        weight = mine["number"].to_numpy(float)
        answers[f"{ml}/rows"] = float(weight.sum())
        both = np.concatenate([own, others], 1)
        centred = both - np.average(both, axis=0, weights=weight)
        covariance = (centred * weight[:, None]).T @ centred
        deviation = np.sqrt(np.diag(covariance))
        with np.errstate(invalid="ignore"):
            found = covariance[:6, 6:] / np.outer(deviation[:6], deviation[6:])
        for i, one in enumerate(STATES):
            for j, other in enumerate(STATES):
                answers[f"{ml}/{one}/{other}"] = float(np.nan_to_num(found[i, j], nan=-9))
    return answers


def duckdb_cotermination(folder: Path) -> harness.Answers:
    """Range join of the samples with high power, then counts of states."""
    counts = ", ".join(f"count(*) FILTER (state = '{s}') AS \"{s}\"" for s in STATES)
    with _duckdb(folder) as connection:
        rows = connection.execute(
            f"""
            WITH high AS (
              SELECT node, time FROM samples JOIN (
                SELECT node, avg({POWER}::DOUBLE) + stddev_samp({POWER}::DOUBLE) AS limit_w
                FROM samples GROUP BY node) USING (node)
              WHERE {POWER}::DOUBLE > limit_w),
            pairs AS (
              SELECT s.node, s.time, r.state, r.is_ml FROM high s JOIN residents r
              ON s.node = r.node AND s.time BETWEEN r.start AND r."end"),
            counted AS (
              SELECT node, time, {counts}, list({{'state': state, 'is_ml': is_ml}}) AS jobs
              FROM pairs GROUP BY node, time HAVING count(*) >= 2),
            own AS (SELECT * EXCLUDE (jobs), unnest(jobs, recursive := true) FROM counted)
            SELECT is_ml, state, {", ".join(f'"{s}"' for s in STATES)}, count(*) AS number
            FROM own GROUP BY ALL
            """
        ).df()
    return _correlations(rows)


def polars_cotermination(folder: Path) -> harness.Answers:
    """Range join of the samples with high power, then counts of states."""
    import polars as pl

    samples = pl.scan_parquet(folder / "samples" / "parts" / "*.parquet").select(
        pl.col("node").cast(pl.String), "time", pl.col(POWER).cast(pl.Float64).alias("power")
    )
    limit = samples.group_by("node").agg(
        (pl.col("power").mean() + pl.col("power").std()).alias("limit")
    )
    high = samples.join(limit, on="node").filter(pl.col("power") > pl.col("limit"))
    jobs = pl.scan_parquet(folder / "residents.parquet").select(
        pl.col("node").alias("on"),
        pl.col("start", "end").cast(pl.Datetime("ms")),
        "state",
        "is_ml",
    )
    pairs = high.join_where(
        jobs,
        pl.col("node") == pl.col("on"),
        pl.col("time") >= pl.col("start"),
        pl.col("time") <= pl.col("end"),
    )
    counted = (
        pairs.group_by("node", "time")
        .agg(
            *((pl.col("state") == s).sum().alias(s) for s in STATES),
            pl.struct("state", "is_ml").alias("jobs"),
        )
        .filter(pl.col("jobs").list.len() >= 2)
    )
    rows = (
        counted.explode("jobs")
        .unnest("jobs")
        .group_by("is_ml", "state", *STATES)
        .agg(pl.len().alias("number"))
        .collect(engine="streaming")
    )
    import pandas as pd

    return _correlations(pd.DataFrame(rows.to_dict(as_series=False)))


def pandas_cotermination(folder: Path) -> harness.Answers:
    """Join node by node, then counts of states."""
    import pandas as pd

    samples = pd.read_parquet(folder / "samples" / "parts", columns=["time", "node", POWER])
    jobs = pd.read_parquet(folder / "residents.parquet")
    by_node = dict(iter(jobs.groupby("node")))
    found = []
    for node, part in samples.groupby("node", observed=True):
        if node not in by_node:
            continue
        power = part[POWER].astype("float64")
        high = part[power > power.mean() + power.std()]
        pairs = high.merge(by_node[node], how="cross")
        pairs = pairs[(pairs["time"] >= pairs["start"]) & (pairs["time"] <= pairs["end"])]
        counts = pd.get_dummies(pairs["state"]).reindex(columns=STATES, fill_value=False)
        counts = counts.astype(int).groupby(pairs["time"]).transform("sum")
        both = pd.concat([pairs[["is_ml", "state"]], counts], axis=1)
        found.append(both[counts.sum(axis=1) >= 2])
    rows = pd.concat(found)
    return _correlations(rows.value_counts(sort=False).rename("number").reset_index())


# --- correlation: Pearson and Spearman among four metrics over all samples


def pandas_correlation(folder: Path) -> harness.Answers:
    """All samples in memory."""
    import pandas as pd

    samples = pd.read_parquet(folder / "samples" / "parts", columns=list(METRICS)).astype("float64")
    return matrices({m: samples.corr(m).to_numpy() for m in ("pearson", "spearman")})


def duckdb_correlation(folder: Path) -> harness.Answers:
    """Ranks by window functions."""
    pairs = [(a, b) for a in METRICS for b in METRICS]
    ranks = ", ".join(
        f"rank() OVER (ORDER BY {m}) + (count(*) OVER (PARTITION BY {m}) - 1) / 2 AS {m}"
        for m in METRICS
    )
    chosen = ", ".join(f"corr({a}::DOUBLE, {b}::DOUBLE)" for a, b in pairs)
    with _duckdb(folder) as connection:
        pearson = connection.execute(f"SELECT {chosen} FROM samples").fetchone()
        spearman = connection.execute(
            f"SELECT {chosen} FROM (SELECT {ranks} FROM samples)"
        ).fetchone()
    n = len(METRICS)
    import numpy as np

    return matrices(
        {
            "pearson": np.reshape(pearson, (n, n)),
            "spearman": np.reshape(spearman, (n, n)),
        }
    )


def polars_correlation(folder: Path) -> harness.Answers:
    """All samples in memory, ranks by polars."""
    import polars as pl

    samples = pl.read_parquet(
        folder / "samples" / "parts" / "*.parquet", columns=list(METRICS)
    ).cast(pl.Float64)
    ranks = samples.select(pl.col(m).rank("average") for m in METRICS)
    return matrices({"pearson": samples.corr().to_numpy(), "spearman": ranks.corr().to_numpy()})


def matrices(found: dict[str, Any]) -> harness.Answers:
    return {
        f"{method}/{a}/{b}": float(matrix[i, j])
        for method, matrix in found.items()
        for i, a in enumerate(METRICS)
        for j, b in enumerate(METRICS)
    }
