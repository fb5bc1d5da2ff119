import numpy as np
import pandas as pd
import pytest

from restudy.answers import Missing, attempt
from restudy.traces import calibration, datasets, experiments, hardware
from restudy.traces.experiments import Setup
from restudy.traces.jobs import TraceError

QUESTIONS = {
    "overview": experiments.overview,
    "submissions": experiments.submissions,
    "wait_and_run": experiments.wait_and_run,
    "failures_by_hour": experiments.failures_by_hour,
    "job_size": experiments.job_size,
    "state_shares": experiments.state_shares,
    "unassigned": experiments.unassigned,
    "ml_against_generic": lambda trace: experiments.ml_against_generic(
        trace, Setup.quick(), rng=np.random.default_rng(0)
    ),
    "clock_shift": lambda trace: experiments.clock_shift(
        trace, Setup.quick(), rng=np.random.default_rng(0)
    ),
}


@pytest.fixture(params=QUESTIONS)
def question(request):
    return QUESTIONS[request.param]


def without(jobs, *columns):
    """Return the table with null columns."""
    nulls = {name: pd.Series(pd.NA, index=jobs.index).astype(jobs[name].dtype) for name in columns}
    return jobs.assign(**nulls)


def test_presets_differ_only_in_numbers():
    quick, full, paper = Setup.quick(), Setup.full(), Setup.paper()
    assert quick.replicates < full.replicates < paper.replicates
    assert quick.scale == full.scale == paper.scale == 1  # a smaller trace would bend the claims


def test_every_question_has_a_readable_answer(question, make_jobs, make_trace):
    table = question(make_trace(make_jobs())).table()
    assert len(table)
    assert not table.isna().all(axis=None)


def test_an_answer_does_not_depend_on_the_partitions(question, make_jobs, make_trace):
    jobs = make_jobs(1200)
    tables = [question(make_trace(jobs, npartitions=n)).table() for n in (1, 9)]
    pd.testing.assert_frame_equal(*tables)


def test_an_empty_trace_is_refused_in_one_sentence(question, make_jobs, make_trace):
    trace = make_trace(make_jobs(5).iloc[:0], npartitions=1)
    with pytest.raises(TraceError, match=r"^the trace \S+ has no jobs; .*\.$"):
        question(trace)


@pytest.mark.parametrize("ml", [-1.0, 1.1])
def test_a_trace_of_one_class_is_answered_or_refused(question, make_jobs, make_trace, ml):
    answer = attempt(lambda: question(make_trace(make_jobs(ml=ml))))
    if isinstance(answer, Missing):
        assert question is QUESTIONS["ml_against_generic"]
        assert "needs both classes" in answer.reason
    else:
        other = "ml" if ml < 0 else "generic"
        assert other not in answer.table().dropna(axis=1).columns[:1]


def test_a_trace_without_states_has_none_to_share(make_jobs, make_trace):
    trace = make_trace(without(make_jobs(), "state"))
    for ask in (experiments.failures_by_hour, experiments.state_shares):
        assert isinstance(attempt(lambda ask=ask: ask(trace)), Missing)
    effects = QUESTIONS["ml_against_generic"](trace).effects
    assert {e.quantity for e in effects} == {"run_s", "wait_s"}
    assert "state unknown" in experiments.overview(trace).table().index


def test_a_trace_without_submissions_says_which_clock_it_used(make_jobs, make_trace):
    trace = make_trace(without(make_jobs(), "submit"))
    found = experiments.submissions(trace)
    assert found.arrivals.clock == "start"
    assert experiments.wait_and_run(trace).wait.n() == 0
    assert not experiments.wait_and_run(trace).table().index.isin(["wait"], level=0).any()
    assert QUESTIONS["ml_against_generic"](trace).clock == "start"


def test_a_trace_without_nodes_cannot_tell_unassigned_jobs(make_jobs, make_trace):
    trace = make_trace(without(make_jobs(), "node_list", "nodes"))
    assert "does not say on which nodes" in attempt(lambda: experiments.unassigned(trace)).reason
    assert "how many nodes" in attempt(lambda: experiments.job_size(trace)).reason


def test_only_domain_errors_become_missing():
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)


def test_means_with_and_without_empty_days(make_jobs, make_trace):
    jobs = make_jobs(400, days=30)
    jobs = jobs[jobs["submit"].dt.day % 3 != 0].reset_index(drop=True)
    found = experiments.submissions(make_trace(jobs))
    per_day = jobs.groupby(jobs["submit"].dt.floor("D")).size()
    span = (per_day.index.max() - per_day.index.min()).days + 1
    paper, ours = (found.box("day", "generic", empty=e).mean for e in (False, True))
    generic = int((~jobs["is_ml"]).sum())
    assert ours == pytest.approx(generic / span)
    assert paper == pytest.approx(
        generic / jobs.loc[~jobs["is_ml"], "submit"].dt.floor("D").nunique()
    )
    assert paper > ours


def test_state_shares_equal_pandas(make_jobs, make_trace):
    jobs = make_jobs()
    shares = experiments.state_shares(make_trace(jobs)).shares
    run = (jobs["end"] - jobs["start"]).dt.total_seconds()
    for kind, mine in (("generic", ~jobs["is_ml"]), ("ml", jobs["is_ml"])):
        failed = mine & (jobs["state"] == "FAILED")
        assert shares["jobs"][kind, "FAILED"] == pytest.approx(failed.sum() / mine.sum())
        assert shares["run time"][kind, "FAILED"] == pytest.approx(
            run[failed].sum() / run[mine].sum()
        )
        hours = run * jobs["nodes"].astype("float64")
        assert shares["node-hours"][kind, "FAILED"] == pytest.approx(
            hours[failed].sum() / hours[mine].sum()
        )
    np.testing.assert_allclose(shares.groupby(level=0).sum(), 1)


def test_unassigned_jobs_are_counted_with_and_without(make_jobs, make_trace):
    jobs = make_jobs()
    none = (jobs["node_list"] == "None assigned") | (jobs["nodes"] == 0)
    found = experiments.unassigned(make_trace(jobs))
    assert found.jobs == int(none.sum())
    table = found.table()
    left = jobs[~jobs["is_ml"] & ~none]
    assert table["only jobs with a node"]["generic jobs"] == len(left)
    assert table["only jobs with a node"]["share FAILED"] == pytest.approx(
        (left["state"] == "FAILED").mean()
    )


def test_bars_in_the_order_of_a_day_are_told_from_shuffled_ones():
    rng = np.random.default_rng(0)
    day = np.round(1000 * (1.3 - np.cos(2 * np.pi * np.arange(24) / 24)))
    bars = {"a day": day, "shuffled": rng.permutation(day)}
    found = experiments.labels_checked(bars, Setup.quick(), rng=rng)
    assert found.chance["a day"] < 0.002 < found.chance["shuffled"]
    with pytest.raises(TraceError, match="fewer than 3 hours"):
        experiments.labels_checked({"short": day[:2]}, Setup.quick(), rng=rng)


def test_the_published_generic_bars_are_no_smoother_than_random_ones():
    bars = {"paper": calibration.failed_bars()["generic_failed"].to_numpy()}
    found = experiments.labels_checked(bars, Setup.full(), rng=np.random.default_rng(0))
    assert found.chance["paper"] > 0.1


def test_tables_1_and_2_come_from_one_node_table():
    found = experiments.machines(hardware.inventory())
    assert found.nodes.loc["cores", "CPU node"] == 16
    assert found.racks.loc["nodes", "CPU rack"] == 32


@pytest.mark.data
def test_the_real_half_year_has_the_published_quantiles_and_bursts():
    trace = datasets.lisa_halfyear()
    run = experiments.wait_and_run(trace).run.ecdf()
    assert run.n == 194_917
    quantiles = run.quantile([0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    np.testing.assert_allclose(quantiles, [8, 44, 191, 2426, 21_498, 151_166], atol=1)
    assert run.total == pytest.approx(1.282e9, rel=1e-3)
    assert run.share_below(30) == pytest.approx(0.163, abs=5e-4)
    burst = experiments.submissions(trace).bursts["generic"]
    assert burst.cv > 8
    assert burst.zero_share == pytest.approx(0.43, abs=0.01)
    assert burst.gaps.mean == pytest.approx(54.9, abs=0.05)
    assert burst.gaps.quantile(0.5) == 3


@pytest.mark.data
def test_the_real_clock_is_four_hours_behind_by_the_stated_trough_and_peak():
    found = experiments.clock_shift(
        datasets.lisa_halfyear(), Setup.quick(), rng=np.random.default_rng(0)
    )
    trough, box = found.shifts.values()
    assert trough.shift == 4
    low, high = trough.interval()
    assert (low, high) == (3, 5)
    assert box.shift != 4  # the cruder reference cannot tell; the chapter shows both
    assert box.best < trough.best


@pytest.mark.data
@pytest.mark.parametrize(("name", "without"), [("phillips", 239), ("pozidriv", 419)])
def test_the_real_dumps_have_jobs_without_a_node(name, without):
    # truth: grep on the files, validation/2409.08949/README-xdmod.md
    found = experiments.unassigned(datasets.xdmod(name))
    all_jobs, assigned = found.everything["jobs"], found.assigned["jobs"]
    assert all_jobs.n() - assigned.n() == without
    assert all_jobs.n(state="CANCELLED") - assigned.n(state="CANCELLED") == without


@pytest.mark.data
def test_the_real_week_gives_the_power_model():
    found = experiments.power_model(
        datasets.lisa_week_power(),
        datasets.lisa_week_load(),
        Setup.quick(),
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(found.busy.coefficients, [9518, 162], rtol=0.005)
    np.testing.assert_allclose(found.jobs_and_busy.coefficients, [8363, 41.5, 113.8], rtol=0.01)
    assert found.busy.r2 == pytest.approx(0.921, abs=0.001)
    assert found.jobs_and_busy.r2 == pytest.approx(0.959, abs=0.002)
    assert found.busy.mape == pytest.approx(0.033, abs=0.0005)
    assert found.energy_kwh == pytest.approx(3644, rel=0.005)
    assert found.mean_kw == pytest.approx(21.69, abs=0.01)
    assert found.held_out_busy.r2 > 0.85
