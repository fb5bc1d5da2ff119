import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from restudy.traces import calibration, generator, nodelist, recipe
from restudy.traces.jobs import COLUMNS, PAPER_GPU_NODES, TraceError, is_ml, times, validate
from restudy.traces.recipe import GENERIC, ML, STATES, Recipe

SCALE = 0.1
# Chance that a correct generator fails one of the statistical checks below.
ALPHA = 1e-6


@pytest.fixture(scope="module")
def independent() -> pd.DataFrame:
    """Jobs that are independent of one another, so that closed-form bounds hold."""
    return times(generator.generate(Recipe(seed=7, scale=SCALE, likeness=0.0)))


@pytest.fixture(scope="module")
def bursts() -> pd.DataFrame:
    return times(generator.generate(Recipe(seed=7, scale=SCALE)))


def _bursts_worth(jobs: int) -> float:
    """Number of independent observations that so many jobs are worth if bursts are all alike.

    (sum m)^2 / sum m^2 over the sizes m of the bursts (Kish).
    """
    sizes = generator.burst_sizes(jobs, np.random.default_rng(0)).astype("float64")
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def test_result_is_a_job_table(independent: pd.DataFrame) -> None:
    validate(independent)
    assert {name: str(independent[name].dtype) for name in COLUMNS} == COLUMNS
    assert independent["job_id"].is_unique
    assert not independent[list(COLUMNS)].isna().any(axis=None)


@pytest.mark.parametrize("column", ["run_s", "wait_s"])
@pytest.mark.parametrize("kind", ["generic", "ml"])
@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def test_times_follow_the_published_curves(
    independent: pd.DataFrame, column: str, kind: str, state: str
) -> None:
    # Dvoretzky-Kiefer-Wolfowitz with Massart's constant: P(sup |F_n - F| > e) <= 2 exp(-2 n e^2).
    jobs = independent[(independent["is_ml"] == (kind == "ml")) & (independent["state"] == state)]
    seconds = np.sort(jobs[column].to_numpy())
    x, F = calibration.curve("fig6b" if column == "run_s" else "fig6a", f"{kind}_{state.lower()}")
    at = np.unique(np.concatenate([seconds, x]))
    share = np.searchsorted(seconds, at, side="right") / len(seconds)
    bound = np.sqrt(np.log(2 / ALPHA) / (2 * len(seconds)))
    assert len(seconds) > 4_000
    assert np.abs(share - np.interp(at, x, F)).max() <= bound


@pytest.mark.parametrize("kind", recipe.CLASSES, ids=lambda kind: kind.name)
def test_state_shares_lie_in_the_binomial_interval(
    independent: pd.DataFrame, kind: recipe.JobClass
) -> None:
    jobs = independent[independent["is_ml"] == (kind is ML)]
    counts = jobs["state"].value_counts().reindex(list(STATES), fill_value=0).to_numpy()
    share = kind.shares
    # Bernstein: P(|k - np| > t) <= 2 exp(-t^2 / (2 (np(1-p) + t/3))); exact for any n and p.
    log = np.log(2 / ALPHA)
    t = log / 3 + np.sqrt((log / 3) ** 2 + 2 * len(jobs) * share * (1 - share) * log)
    assert (np.abs(counts - len(jobs) * share) <= t).all()


def test_shares_are_the_published_ones() -> None:
    assert GENERIC.shares[:2] == pytest.approx([0.7710, 0.1429], abs=1e-4)
    assert ML.shares[:2] == pytest.approx([0.5910, 0.2327], abs=1e-4)
    assert GENERIC.shares.sum() == pytest.approx(1)
    assert ML.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("kind", "mean", "within_an_hour"), [("generic", 3_002, 0.9072), ("ml", 9_742, 0.7415)]
)
def test_all_jobs_of_a_class_have_the_published_run_time(
    independent: pd.DataFrame, kind: str, mean: float, within_an_hour: float
) -> None:
    # The states without a curve are chosen so that this holds. The curves' means are up to 2.3 %
    # off; five standard errors of the sample come on top.
    run = independent.loc[independent["is_ml"] == (kind == "ml"), "run_s"]
    error = 5 * run.std() / np.sqrt(len(run))
    assert abs(run.mean() - mean) <= 0.023 * mean + error
    spread = 5 * np.sqrt(within_an_hour * (1 - within_an_hour) / len(run))
    table = calibration.THINNING_ERROR + calibration.READING_ERROR
    assert abs((run <= 3_600).mean() - within_an_hour) <= spread + table + 5e-5


@pytest.mark.parametrize(("kind", "printed"), [("generic", 0.98499), ("ml", 0.99598)])
def test_share_of_one_node_jobs_is_the_published_one(
    independent: pd.DataFrame, kind: str, printed: float
) -> None:
    nodes = independent.loc[independent["is_ml"] == (kind == "ml"), "nodes"]
    spread = 5 * np.sqrt(printed * (1 - printed) / len(nodes))
    # Nodes follow from cores: a multi-node share of 1.5 or 0.4 % is matched to a tenth of it.
    assert abs((nodes == 1).mean() - printed) <= spread + 0.1 * (1 - printed)


@pytest.mark.parametrize("name", calibration.CURVES)
def test_cores_follow_the_published_curve(independent: pd.DataFrame, name: str) -> None:
    kind, state = name.split("_")
    jobs = independent[
        (independent["is_ml"] == (kind == "ml")) & (independent["state"] == state.upper())
    ]
    x, F = calibration.curve("fig8b", name)
    cores = np.sort(jobs["cores"].to_numpy("float64"))
    assert set(cores) <= set(x)
    share = np.searchsorted(cores, x, side="right") / len(cores)
    assert np.abs(share - F).max() <= np.sqrt(np.log(2 / ALPHA) / (2 * len(cores)))


def test_mean_node_hours_are_near_the_published_ones() -> None:
    # One number (size_run) was set for the generic mean; published 1.3069 and 2.7228 h. Node-hours
    # have a relative spread of about 11 a job, so 10^6 jobs give 1.1 % of standard error.
    block = recipe.Block(100, 0, 1, 1, (0, 0))
    hours = {}
    for kind in recipe.CLASSES:
        rng = np.random.default_rng(5)
        table = pa.concat_tables(
            [generator.draw(kind, 100_000, block, likeness=0.0, rng=rng) for _ in range(10)]
        ).to_pandas()
        seconds = (table["end"] - table["start"]).dt.total_seconds()
        hours[kind.name] = float((table["nodes"] * seconds).mean() / 3600)
    assert hours["generic"] == pytest.approx(1.3069, rel=0.06)
    assert hours["ml"] == pytest.approx(2.7228, rel=0.03)


def test_timeouts_end_within_a_minute_of_their_limit(independent: pd.DataFrame) -> None:
    run = independent.loc[independent["state"] == "TIMEOUT", "run_s"].to_numpy()
    limit = generator.TIME_LIMITS[np.searchsorted(generator.TIME_LIMITS, run, side="right") - 1]
    assert ((run - limit >= 0) & (run - limit < 60)).all()
    assert independent["run_s"].max() < generator.WALL_LIMIT + 60


def test_days_have_the_published_counts_times_the_scale(independent: pd.DataFrame) -> None:
    published = calibration.daily_submissions()
    day = independent["submit"].dt.floor("D")
    for kind, column in {False: "generic", True: "ml"}.items():
        counts = day[independent["is_ml"] == kind].value_counts()
        counts = counts.reindex(published.index, fill_value=0).to_numpy()
        wanted = published[column].to_numpy() * SCALE
        assert (np.abs(np.cumsum(counts) - np.cumsum(wanted)) <= 0.5).all()


def test_whole_scale_gives_exactly_the_published_days() -> None:
    published = calibration.daily_submissions()[["generic", "ml"]].to_numpy()
    np.testing.assert_array_equal(recipe.daily_counts(Recipe()), published)


def test_further_days_are_an_autoregressive_lognormal_process() -> None:
    days = 20_000
    counts = recipe.daily_counts(Recipe(seed=3, days=312 + days, scale=1.0))[312:]
    dates = np.datetime64("2021-12-25") + np.arange(312, 312 + days)
    weekend = np.is_busday(dates, weekmask="0000011")
    for column, kind in enumerate(recipe.CLASSES):
        mean, deviation, memory, ratio = kind.daily
        log = np.log(np.maximum(counts[:, column], 1))
        # Standard error of the mean of an AR(1): sd sqrt((1 + r) / (1 - r) / n).
        error = deviation * np.sqrt((1 + memory) / (1 - memory) / days)
        assert abs(log.mean() - mean) < 5 * error + 0.01  # 0.01: days of few jobs are rounded
        assert log.std() == pytest.approx(deviation, rel=0.05)
        gap = log[~weekend].mean() - log[weekend].mean()
        assert gap == pytest.approx(np.log(ratio), abs=6 * error)
        rest = log - np.where(weekend, log[weekend].mean(), log[~weekend].mean())
        assert np.corrcoef(rest[1:], rest[:-1])[0, 1] == pytest.approx(memory, abs=0.04)


def test_hours_follow_the_stated_profile_in_local_time(independent: pd.DataFrame) -> None:
    # Summer, when local time is two hours ahead of UTC. A burst has one hour (but for those that
    # run over the full one), so a share is an average over bursts; five standard deviations.
    jobs = independent[independent["submit"].dt.month.isin([5, 6, 7, 8, 9])]
    hour = (jobs["submit"] + pd.Timedelta(hours=2)).dt.hour.to_numpy()
    share = np.bincount(hour, minlength=24) / len(hour)
    wanted = generator.hour_weights()
    bound = 5 * np.sqrt(wanted * (1 - wanted) / _bursts_worth(len(jobs)))
    assert (np.abs(share - wanted) < bound).all()


def test_ml_jobs_are_those_on_gpu_nodes(independent: pd.DataFrame) -> None:
    found = is_ml(independent["node_list"], PAPER_GPU_NODES)
    assert (found == independent["is_ml"]).all()


def test_node_lists_name_as_many_nodes_as_the_job_has(independent: pd.DataFrame) -> None:
    jobs = independent[independent["node_list"] != "software2"]
    lists = jobs.drop_duplicates("node_list")
    assert lists["node_list"].map(nodelist.count).tolist() == lists["nodes"].tolist()
    assert lists["nodes"].max() == 32
    assert lists["node_list"].str.contains(r"\[\d+-\d+\]").any()


def test_jobs_of_a_burst_end_alike(independent: pd.DataFrame, bursts: pd.DataFrame) -> None:
    def sameness(jobs: pd.DataFrame) -> float:
        ordered = jobs.sort_values(["user", "submit"], kind="stable")
        near = (ordered["user"] == ordered["user"].shift()) & (
            ordered["submit"].diff().dt.total_seconds() < 30
        )
        return float((ordered["state"] == ordered["state"].shift())[near].mean())

    assert sameness(bursts) > sameness(independent) + 0.05


def test_bursts_leave_the_distributions_alone(bursts: pd.DataFrame) -> None:
    # With whole bursts taken as one observation, Chebyshev: |share - p| > e has probability at
    # most p (1 - p) sum(m^2) / (sum(m)^2 e^2), m the sizes of the bursts.
    for kind, name in ((GENERIC, "generic"), (ML, "ml")):
        jobs = bursts[bursts["is_ml"] == (kind is ML)]
        effective = _bursts_worth(len(jobs))
        for number, state in enumerate(STATES[:2]):
            p = kind.shares[number]
            bound = np.sqrt(p * (1 - p) / effective / 0.01)
            assert abs((jobs["state"] == state).mean() - p) <= bound
        completed = jobs.loc[jobs["state"] == "COMPLETED", "run_s"].to_numpy()
        x, F = calibration.curve("fig6b", f"{name}_completed")
        for seconds in (10.0, 100.0, 3_600.0):
            p = np.interp(seconds, x, F)
            bound = np.sqrt(p * (1 - p) / (effective * GENERIC.shares[0]) / 0.01)
            assert abs((completed <= seconds).mean() - p) <= bound


def test_same_seed_same_bits() -> None:
    wanted = Recipe(seed=5, scale=0.03, days=40)
    first, second = generator.generate(wanted), generator.generate(wanted)
    pd.testing.assert_frame_equal(first, second)
    other = generator.generate(dataclasses.replace(wanted, seed=6))
    assert not first["submit"].equals(other["submit"])


def test_files_do_not_depend_on_workers_or_order(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "BLOCK_JOBS", 300)
    monkeypatch.setattr(recipe, "PART_JOBS", 500)
    wanted = Recipe(seed=2, scale=0.03, days=40)
    generator.write(tmp_path / "one", wanted)
    with ThreadPoolExecutor(3) as pool:
        generator.write(tmp_path / "three", wanted, executor=pool)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "three").iterdir())
    assert len(names) > 5
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "three" / name).read_bytes()
    parts = sorted((tmp_path / "one").glob("part-*.parquet"))
    together = pd.concat(pq.read_table(part).to_pandas() for part in parts)
    memory = generator.generate(wanted)
    assert together["job_id"].tolist() == memory["job_id"].tolist()
    assert together["end"].astype("datetime64[s]").tolist() == memory["end"].tolist()


def test_a_day_can_be_drawn_alone(monkeypatch) -> None:
    monkeypatch.setattr(recipe, "BLOCK_JOBS", 50)
    wanted = Recipe(seed=4, scale=0.01, days=40)
    planned = recipe.blocks(wanted)
    busiest = max(planned, key=lambda block: block.of)
    assert busiest.of > 1
    whole = pa.concat_tables([generator.block_table(wanted, block) for block in planned])
    alone = generator.block_table(wanted, busiest)
    assert whole.slice(busiest.first_id - 1, alone.num_rows).equals(alone)


def test_interrupted_writing_goes_on_where_it_stopped(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "PART_JOBS", 900)
    wanted = Recipe(seed=2, scale=0.03, days=40)
    generator.write(tmp_path / "whole", wanted)
    folder = generator.write(tmp_path / "cut", wanted)
    kept, lost = folder / "part-00000.parquet", folder / "part-00002.parquet"
    before = kept.stat().st_mtime_ns
    lost.unlink()
    generator.write(folder, wanted)
    assert lost.read_bytes() == (tmp_path / "whole" / lost.name).read_bytes()
    assert kept.stat().st_mtime_ns == before


def test_a_failed_write_leaves_nothing_under_a_final_name(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("restudy.traces.parquet.pq.write_table", full)
    with pytest.raises(OSError, match="No space"):
        generator.write(tmp_path / "jobs", Recipe(scale=0.001, days=60))
    assert not list((tmp_path / "jobs").iterdir())


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    generator.write(tmp_path, Recipe(seed=1, scale=0.001, days=60))
    with pytest.raises(TraceError, match=r'"seed": 1.*not from .*"seed": 2'):
        generator.write(tmp_path, Recipe(seed=2, scale=0.001, days=60))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"days": 0}, "days is 0"),
        ({"likeness": 1.0}, "likeness is 1.0"),
    ],
)
def test_values_out_of_range_are_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        Recipe(**values)


def test_a_scale_without_jobs_is_refused() -> None:
    with pytest.raises(TraceError, match="leaves no job in 2 days"):
        generator.generate(Recipe(scale=1e-4, days=2))
