import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dask.dataframe.dask_expr.io import FromMap

from restudy import data
from restudy.traces import datasets, hardware
from restudy.traces.generator import generate
from restudy.traces.jobs import COLUMNS, JobTrace, TraceError, times, validate
from restudy.traces.recipe import Recipe

HOUR = np.timedelta64(3600, "s")

MakeJobs = Callable[..., pd.DataFrame]
MakeTrace = Callable[..., JobTrace]


@pytest.fixture(autouse=True)
def _no_workers() -> Iterator[None]:
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTUDY_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_mirror(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)


def trace(choice: str | Path, gpu_nodes: str = "") -> JobTrace:
    (found,) = datasets.traces(str(choice), gpu_nodes=gpu_nodes, seed=1, scale=0.001)
    return found


def rewrite(path: Path, **columns: pa.Array | None) -> None:
    """Replace columns of a Parquet file, or take them away."""
    table = pq.read_table(path)
    for name, column in columns.items():
        at = table.schema.names.index(name)
        table = table.remove_column(at) if column is None else table.set_column(at, name, column)
    pq.write_table(table, path)


# ---- the paper's own table, forged in both published namings -----------------------------------


@pytest.fixture
def second_version(tmp_path: Path) -> Path:
    days = ["2022-01-01T10:00:00", "2022-07-01T10:00:00", "2022-07-01T10:00:05", "2022-07-02"]
    at = pd.DatetimeIndex(np.array(days, "datetime64[us]"))
    frame = pd.DataFrame(
        {
            "id": np.array([1, 2, 3, 4], "int32"),
            "submit_date": at,
            "start_date": at + pd.Timedelta(seconds=7),
            "end_date": at + pd.Timedelta(seconds=67),
            "node": ["r15n11", "r10n[13,19],r28n[1-3]", "None assigned", "r28n1"],
            "nodetypes": ["normal", "gpu_titanrtx", "short", "gpu_shared"],
            "numnodes": np.array([1, 5, 0, 1], "int32"),
            "numcores": np.array([16, 80, 16, 6], "int32"),
            "state": ["COMPLETED", "FAILED", "CANCELLED by 1234", "OUT_OF_MEMORY"],
        }
    )
    path = tmp_path / "slurm_table_cleaned.parquet"
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture
def first_version(second_version: Path, tmp_path: Path) -> Path:
    frame = pd.read_parquet(second_version)
    frame["nodetypes"] += ["(1)", "(5)", "(0)", "(1)"]
    frame = frame.rename(columns={"submit_date": "submit"})
    order = ["id", "start_date", "end_date", "node", "nodetypes", "numnodes", "numcores"]
    order += ["submit", "state"]
    path = tmp_path / "first.parquet"
    frame[order].to_parquet(path, index=False)
    return path


def test_published_table_becomes_a_job_table(cache: Path, second_version: Path) -> None:
    found = trace(second_version)
    assert (found.name, found.clock, found.real, found.dataset) == ("zenodo", "UTC", True, None)
    validate(found.jobs)
    jobs = found.jobs.compute()
    assert list(jobs.columns) == list(COLUMNS)
    assert jobs["job_id"].tolist() == ["1", "2", "3", "4"]
    assert jobs["state"].tolist() == ["COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY"]
    assert jobs["is_ml"].tolist() == [False, True, False, True]
    assert jobs["nodes"].tolist() == [1, 5, 0, 1]
    assert jobs["user"].isna().all()
    assert jobs["partition"].tolist() == ["normal", "gpu_titanrtx", "short", "gpu_shared"]
    timed = times(jobs)
    assert timed["wait_s"].tolist() == [7.0] * 4
    assert timed["run_s"].tolist() == [60.0] * 4


def test_both_published_namings_give_the_same_jobs(
    cache: Path, first_version: Path, second_version: Path
) -> None:
    first, second = trace(first_version).jobs.compute(), trace(second_version).jobs.compute()
    pd.testing.assert_frame_equal(first, second)


def test_gpu_nodes_of_another_cluster_can_be_given(cache: Path, second_version: Path) -> None:
    assert trace(second_version, "r15n[10-12]").jobs.compute()["is_ml"].tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_missing_and_mistyped_columns_of_the_published_table_are_named(
    cache: Path, second_version: Path
) -> None:
    rewrite(second_version, numnodes=None)
    with pytest.raises(TraceError, match=r"slurm_table_cleaned.parquet lacks the columns numnodes"):
        trace(second_version)
    text = pa.array(["sixteen"] * 4)
    rewrite(second_version, numcores=text)
    with pytest.raises(TraceError, match="lacks the columns numnodes"):
        trace(second_version)


def test_mistyped_columns_say_found_and_expected(cache: Path, second_version: Path) -> None:
    rewrite(
        second_version,
        numcores=pa.array(["16"] * 4),
        start_date=pa.array(["2022-01-01"] * 4),
    )
    with pytest.raises(TraceError) as caught:
        trace(second_version)
    assert "start_date is string, expected times without time zone" in str(caught.value)
    assert "numcores is string, expected whole numbers" in str(caught.value)


def test_times_with_a_zone_are_refused(cache: Path, second_version: Path) -> None:
    zoned = pa.array([0, 1, 2, 3], pa.timestamp("us", "UTC"))
    rewrite(second_version, end_date=zoned)
    with pytest.raises(TraceError, match=r"end_date is timestamp\[us, tz=UTC\], expected times"):
        trace(second_version)


# ---- a user's own Parquet job table ------------------------------------------------------------


@pytest.fixture(scope="module")
def wanted() -> pd.DataFrame:
    return generate(Recipe(seed=3, scale=0.02, days=40))


@pytest.fixture
def table(tmp_path: Path, wanted: pd.DataFrame) -> Path:
    path = tmp_path / "mine.parquet"
    wanted.to_parquet(path, index=False)
    return path


def test_a_job_table_comes_back_as_it_was(cache: Path, table: Path, wanted: pd.DataFrame) -> None:
    found = trace(table)
    assert (found.name, found.clock, found.real) == ("table:mine.parquet", "local", True)
    pd.testing.assert_frame_equal(found.jobs.compute().astype(COLUMNS), wanted)


def test_other_widths_and_resolutions_are_converted(
    cache: Path, table: Path, wanted: pd.DataFrame
) -> None:
    frame = pd.read_parquet(table)
    frame = frame.astype({"nodes": "int64", "submit": "datetime64[ns]", "state": "category"})
    frame["job_id"] = frame["job_id"].astype("int64")
    frame.to_parquet(table, index=False)
    jobs = trace(table).jobs.compute().astype(COLUMNS)
    pd.testing.assert_frame_equal(jobs, wanted)


def test_gpu_nodes_tell_ml_jobs_of_a_table_without_the_column(cache: Path, table: Path) -> None:
    rewrite(table, is_ml=None)
    with pytest.raises(TraceError, match=r"mine\.parquet lacks the columns is_ml"):
        trace(table)
    jobs = trace(table, "r28n[1-5]").jobs.compute()
    on = jobs["node_list"].str.fullmatch(r"r28n([1-5]|\[.*\])")
    assert jobs["is_ml"].sum() > 5
    assert (jobs["is_ml"] == on).mean() > 0.99


def test_a_folder_of_parts_is_one_trace(cache: Path, tmp_path: Path, wanted: pd.DataFrame) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    half = len(wanted) // 2
    wanted.iloc[:half].to_parquet(folder / "a.parquet", index=False)
    wanted.iloc[half:].to_parquet(folder / "b.parquet", index=False)
    jobs = trace(folder).jobs.compute().astype(COLUMNS)
    pd.testing.assert_frame_equal(jobs, wanted)


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.999])
def test_a_truncated_file_is_one_sentence(cache: Path, table: Path, keep: float) -> None:
    content = table.read_bytes()
    table.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(TraceError, match=r"^mine\.parquet \([\d,]+ bytes\) cannot be read") as info:
        trace(table)
    assert "\n" not in str(info.value)


def test_damage_inside_a_file_is_found_at_once(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    generate(Recipe(seed=3, scale=0.2, days=30)).to_parquet(path, index=False, compression="gzip")
    content = bytearray(path.read_bytes())
    content[2_000:20_000] = b"\xff" * 18_000
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"mine\.parquet is damaged"):
        trace(path)
    assert not list((cache / "prepared").glob("table-*"))


def test_an_empty_trace_is_refused(cache: Path, table: Path) -> None:
    pd.read_parquet(table).head(0).to_parquet(table, index=False)
    with pytest.raises(TraceError, match=r"mine\.parquet holds no job"):
        trace(table)


def test_a_trace_of_only_ml_jobs_is_read(cache: Path, table: Path) -> None:
    frame = pd.read_parquet(table)
    frame[frame["is_ml"]].to_parquet(table, index=False)
    assert trace(table).jobs.compute()["is_ml"].all()


# ---- sacct -------------------------------------------------------------------------------------

SACCT = """JobID|Submit|Start|End|State|NNodes|NCPUS|NodeList|Partition|User
1|2022-01-01T10:00:00|2022-01-01T10:00:05|2022-01-01T10:01:05|COMPLETED|1|16|gpu3|batch|ann
2|2022-01-01T10:00:00|not a time|2022-01-01T10:01:05|FAILED|1|16|gpu41|batch|ann
3|2022-01-01T10:00:00|2022-01-01T10:00:05|2022-01-01T10:01:05|FAILED|2|32|gpu[40-41]|batch|bob
4|2022-01-01T10:00:00|2022-01-01T10:00:05|2022-01-01T10:01:05|FAILED|1|16|gpu41|batch|bob
"""


def test_a_file_of_sacct_is_read_by_its_path(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "my.sacct"
    path.write_text(SACCT)
    found = trace(path, "gpu[1-40]")
    assert (found.name, found.clock, found.real) == ("sacct:my.sacct", "local", True)
    assert found.jobs.compute()["is_ml"].tolist() == [True, True, False]
    assert found.rejected["line"].tolist() == [3]
    again = trace(path, "gpu[1-40]")
    pd.testing.assert_frame_equal(again.rejected, found.rejected)


def test_prepared_tables_follow_content_and_parameters(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "my.sacct"
    path.write_text(SACCT)
    trace(path, "gpu[1-40]")
    trace(path, "gpu[1-40]")
    assert len(list((cache / "prepared").glob("sacct-*"))) == 1
    assert trace(path, "gpu41").jobs.compute()["is_ml"].tolist() == [False, True, True]
    path.write_text(SACCT.replace("gpu3|", "gpu41|"))
    assert trace(path, "gpu41").jobs.compute()["is_ml"].tolist() == [True, True, True]
    assert len(list((cache / "prepared").glob("sacct-*"))) == 3


# ---- choices -----------------------------------------------------------------------------------


def test_generated_jobs_are_the_default_without_data(no_mirror: None) -> None:
    (found,) = datasets.traces("auto", gpu_nodes="", seed=1, scale=0.001)
    assert (found.name, found.clock, found.real) == ("generated", "UTC", False)
    jobs = found.jobs.compute().astype(COLUMNS)
    pd.testing.assert_frame_equal(jobs, generate(Recipe(seed=1, scale=0.001)))


def test_partitions_are_in_order_and_typed(
    no_mirror: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restudy.traces.recipe.PART_JOBS", 90)
    found = trace("generated").jobs
    assert found.npartitions > 9
    parts = [part.compute() for part in found.partitions]
    for part in parts:
        assert {name: str(dtype) for name, dtype in part.dtypes.items()} == COLUMNS
    numbers = pd.concat(parts)["job_id"].astype(int)
    assert numbers.tolist() == list(range(1, len(numbers) + 1))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS


def test_only_needed_columns_are_read(cache: Path, table: Path) -> None:
    jobs = trace(table).jobs
    plan = jobs.groupby("is_ml")["state"].value_counts().optimize(fuse=False).expr
    (reading,) = plan.find_operations(FromMap)
    assert reading.columns == ["state", "is_ml"]


@pytest.mark.parametrize("choice", ["lisa", "xdmod", "zenodo"])
def test_an_absent_dataset_says_how_to_get_it(no_mirror: None, choice: str) -> None:
    with pytest.raises(TraceError, match=r"is not on this machine; run `restudy fetch .*MIRROR"):
        datasets.traces(choice, gpu_nodes="", seed=1, scale=0.001)


def test_an_unknown_choice_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(
        TraceError, match=r"trace='lise' is no file.*auto, generated, lisa, xdmod, zenodo"
    ):
        trace("lise")


def test_a_folder_without_parquet_is_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceError, match="is a folder without"):
        trace(tmp_path / "empty")


def test_gpu_nodes_need_a_trace_of_ones_own(cache: Path) -> None:
    with pytest.raises(TraceError, match=r"gpu_nodes='gpu\[1-3\]' belongs to a trace of your own"):
        trace("generated", "gpu[1-3]")


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESTUDY_DATA", str(tmp_path / "file"))
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    with pytest.raises(TraceError, match=r"cannot be written to .*RESTUDY_DATA"):
        trace("generated")


def test_an_interrupted_preparation_leaves_no_final_name(
    cache: Path, table: Path, wanted: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("restudy.traces.parquet.pq.write_table", full)
        with pytest.raises(TraceError, match="No space left on device"):
            trace(table)
    assert not [p for p in (cache / "prepared").iterdir() if not p.name.startswith(".")]
    assert len(trace(table).jobs) == len(wanted)


# ---- clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "raw", "local"),
    [
        ("UTC", ["2022-01-05T12:00", "2022-07-05T12:00"], ["2022-01-05T13:00", "2022-07-05T14:00"]),
        (
            datasets.LISA_CLOCK,
            ["2022-01-05T12:00", "2022-07-05T12:00"],
            ["2022-01-05T14:00", "2022-07-05T16:00"],
        ),
        ("local", ["2022-07-05T12:00"], ["2022-07-05T12:00"]),
    ],
)
def test_clocks_are_moved_to_local_time(
    clock: str, raw: list[str], local: list[str], make_jobs: MakeJobs, make_trace: MakeTrace
) -> None:
    found = make_trace(make_jobs(20))

    def put(jobs: pd.DataFrame) -> pd.DataFrame:
        start = np.resize(np.array(raw, "datetime64[s]"), len(jobs))
        return jobs.assign(start=start, end=start + HOUR, submit=pd.NaT)

    moved = found.jobs.map_partitions(put, meta=put(found.jobs._meta))
    told = datasets.to_local(dataclasses.replace(found, jobs=moved, clock=clock))
    jobs = told.jobs.compute().head(len(raw))
    assert told.clock == "local"
    assert jobs["start"].tolist() == pd.to_datetime(local).tolist()
    assert ((jobs["end"] - jobs["start"]).dt.total_seconds() == 3600).all()
    assert jobs["submit"].isna().all()


def test_an_unknown_clock_is_refused(make_jobs: MakeJobs, make_trace: MakeTrace) -> None:
    with pytest.raises(TraceError, match="clock 'sundial' of test is unknown"):
        datasets.to_local(dataclasses.replace(make_trace(make_jobs(20)), clock="sundial"))


# ---- hardware ----------------------------------------------------------------------------------


def test_hardware_is_the_printed_one_where_the_file_is_absent(no_mirror: None) -> None:
    found = datasets.node_hardware()
    assert (found.dataset, len(found.table)) == (None, 343)


def test_hardware_is_read_from_a_file(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "node_hardware_info.parquet"
    hardware.inventory().to_parquet(path, index=False)
    found = datasets.node_hardware(path)
    pd.testing.assert_frame_equal(
        hardware.node_table(found.table), hardware.node_table(hardware.inventory())
    )
    rewrite(path, gpu_count=None)
    with pytest.raises(TraceError, match="lacks the columns gpu_count"):
        datasets.node_hardware(path)


# ---- the real files ----------------------------------------------------------------------------


@pytest.mark.data
def test_halfyear_has_the_known_statistics(cache: Path) -> None:
    found = datasets.lisa_halfyear()
    assert (found.clock, found.real, found.dataset) == (
        "UTC minus local offset (x2)",
        True,
        "lisa-halfyear-tasks",
    )
    jobs = times(found.jobs.compute())
    assert len(jobs) == 194_917
    run = jobs["run_s"]
    assert run.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).tolist() == [8, 44, 191, 2_426, 21_498]
    assert run.quantile(0.99) == pytest.approx(151_166, abs=1)
    assert run.mean() == pytest.approx(6_579, abs=0.5)
    assert (run < 30).mean() == pytest.approx(0.163, abs=5e-4)
    gaps = np.diff(np.sort(jobs["start"].to_numpy("datetime64[s]"))).astype("float64")
    assert gaps.mean() == pytest.approx(54.9, abs=0.05)
    assert np.median(gaps) == 3
    assert gaps.std() / gaps.mean() == pytest.approx(8.7, abs=0.05)
    assert (gaps == 0).mean() == pytest.approx(0.43, abs=0.005)
    days = jobs["start"].dt.floor("D").value_counts()
    assert days.max() == 9_191
    assert days.std(ddof=0) / days.mean() == pytest.approx(1.03, abs=0.005)
    assert not jobs["is_ml"].any()
    assert jobs["job_id"].is_unique
    assert jobs[["state", "submit", "nodes", "user"]].isna().all(axis=None)


@pytest.mark.data
def test_week_of_power_fits_the_load_of_the_jobs(cache: Path) -> None:
    power, load = datasets.lisa_week_power(), datasets.lisa_week_load()
    assert power.start == load.start
    assert power.seconds == load.seconds == 30
    assert power.power.shape == (20_159,)
    assert power.power.sum() * 30 / 3.6e6 == pytest.approx(3_644, abs=0.5)
    assert len(load.usage) == 2_323_475
    assert len(load.job_id) == 6_295

    # The slots are aligned if the load explains the power best without a shift.
    place = pd.Series(load.job).groupby(load.job).cumcount().to_numpy()
    r2 = {}
    for lag in range(-3, 4):
        slot = load.first_slot[load.job] + place + lag
        inside = (slot >= 0) & (slot < len(power.power))
        busy = np.bincount(slot[inside], load.usage[inside], minlength=len(power.power))
        r2[lag] = np.corrcoef(busy, power.power)[0, 1] ** 2
    assert max(r2, key=r2.get) == 0
    assert r2[0] == pytest.approx(0.921, abs=5e-4)


@pytest.mark.data
def test_week_of_jobs_holds_the_jobs_of_the_load(cache: Path) -> None:
    jobs = datasets.lisa_week().jobs.compute()
    assert len(jobs) == 7_850
    load = datasets.lisa_week_load()
    assert set(load.job_id.astype(str)) <= set(jobs["job_id"])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "completed"), [("phillips", 4_285, 0.542), ("pozidriv", 11_704, 0.866)]
)
def test_dumps_have_the_known_rows_and_states(
    cache: Path, name: str, rows: int, completed: float
) -> None:
    found = datasets.xdmod(name)
    jobs = found.jobs.compute()
    assert (found.name, found.clock, found.dataset) == (f"xdmod-{name}", "local", f"xdmod-{name}")
    assert len(jobs) + len(found.rejected) == rows
    assert (jobs["state"] == "COMPLETED").mean() == pytest.approx(completed, abs=5e-4)
    validate(found.jobs)


@pytest.mark.data
def test_auto_gives_every_real_source_and_the_generator(cache: Path) -> None:
    found = datasets.traces("auto", gpu_nodes="", seed=1, scale=0.001)
    names = [item.name for item in found]
    assert names[-4:] == ["lisa-halfyear", "xdmod-phillips", "xdmod-pozidriv", "generated"]
    assert [item.real for item in found] == [True] * (len(found) - 1) + [False]
    for item in found:
        assert item.dataset is None or data.registry()[item.dataset]


@pytest.mark.data
def test_acme_says_that_gpu_jobs_fail_more_often(cache: Path) -> None:
    table = datasets.acme_summary()
    rates = ["fail_rate_gpu", "fail_rate_cpu"]
    assert table.loc["Seren", rates].tolist() == [0.429, 0.102]
    both = table[rates].dropna()
    assert (both["fail_rate_gpu"] > both["fail_rate_cpu"]).all()
    assert len(both) == 3


def test_an_unknown_cluster_of_xdmod_is_refused(cache: Path) -> None:
    with pytest.raises(TraceError, match="'torx'; use phillips or pozidriv"):
        datasets.xdmod("torx")
