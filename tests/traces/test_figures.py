import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from restudy import style
from restudy.answers import Missing
from restudy.traces import calibration, experiments, figures, figures_findings, power
from restudy.traces.experiments import Setup
from restudy.traces.findings import PowerFit


@pytest.fixture(autouse=True)
def _book_style():
    with mpl.rc_context():
        mpl.use("agg")
        style.use()
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def power_fit():
    rng = np.random.default_rng(0)
    busy = 60 + 20 * np.sin(np.arange(5000) / 300) + rng.normal(0, 3, 5000)
    running = np.round(busy + rng.normal(0, 5, 5000))
    series = power.Series(30.0, 9500 + 162 * busy + rng.normal(0, 200, 5000), busy, running)
    loads = {"U": busy}, {"A": running, "U": busy}
    fits = [power.fit(series.power, x, block=100, replicates=100, rng=rng) for x in loads]
    held = [power.hold_out(series.power, x, 4000) for x in loads]
    return PowerFit(series, fits[0], fits[1], held[0], held[1])


@pytest.fixture(scope="module")
def results(make_jobs, make_trace, power_fit):
    trace, rng = make_trace(make_jobs()), np.random.default_rng(0)
    return {
        "submissions": experiments.submissions(trace),
        "times": experiments.wait_and_run(trace),
        "failures": experiments.failures_by_hour(trace),
        "size": experiments.job_size(trace),
        "shares": experiments.state_shares(trace),
        "effects": experiments.ml_against_generic(trace, Setup.quick(), rng=rng),
        "clock": experiments.clock_shift(trace, Setup.quick(), rng=rng),
        "unassigned": experiments.unassigned(trace),
        "power": power_fit,
    }


FIGURES = {
    "submissions_per_day": ("submissions", figures.submissions_per_day),
    "submissions_boxes": ("submissions", figures.submissions_boxes),
    "wait_times": ("times", figures.wait_times),
    "run_times": ("times", figures.run_times),
    "failures_by_hour": ("failures", figures.failures_by_hour),
    "failures_by_hour_ml": ("failures", lambda r: figures.failures_by_hour(r, "ml")),
    "node_counts": ("size", figures.node_counts),
    "core_counts": ("size", figures.core_counts),
    "node_hours": ("size", figures.node_hours),
    "state_shares": ("shares", figures.state_shares),
    "effects": ("effects", figures_findings.effects),
    "clock_shift": ("clock", lambda r: figures_findings.clock_shift(r, expected=4)),
    "hours_of_work": ("clock", figures_findings.hours_of_work),
    "unassigned": ("unassigned", figures_findings.unassigned),
    "power_fit": ("power", figures_findings.power_fit),
    "power_residuals": ("power", figures_findings.power_residuals),
}


@pytest.fixture(params=FIGURES)
def figure(request):
    return FIGURES[request.param]


def texts(ax):
    labels = [ax.xaxis.label, ax.yaxis.label, *ax.texts]
    labels += [t for axis in (ax.xaxis, ax.yaxis) for t in axis.get_ticklabels()]
    if legend := ax.get_legend():
        labels += legend.get_texts()
    return [t for t in labels if t.get_text() and t.get_visible()]


def test_a_figure_is_labelled_and_nothing_is_cut_off(figure, results):
    name, draw = figure
    ax = draw(results[name])
    picture = io.BytesIO()
    ax.figure.savefig(picture, bbox_inches=None)
    assert len(picture.getvalue()) > 5000
    assert ax.get_xlabel() or all(t.get_text() for t in ax.get_xticklabels())
    assert ax.get_ylabel() or all(t.get_text() for t in ax.get_yticklabels())
    assert ax.get_legend() is not None
    page = ax.figure.bbox
    low, high = ax.get_xlim()
    for text in texts(ax):
        box = text.get_window_extent()
        if text in ax.get_xticklabels() and not low <= text.get_position()[0] <= high:
            continue  # matplotlib does not draw it
        if text in ax.get_yticklabels():
            bottom, top = sorted(ax.get_ylim())
            if not bottom <= text.get_position()[1] <= top:
                continue
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text


def test_what_is_missing_is_said_in_the_figure(figure):
    ax = figure[1](Missing("the trace has no states."))
    assert [t.get_text() for t in ax.texts] == ["the trace has no states."]
    assert not ax.axison


def test_a_figure_draws_where_it_is_told(results):
    _, ax = plt.subplots()
    assert figures.run_times(results["times"], ax) is ax


def test_published_curves_have_the_colour_of_the_paper(results):
    curves = {name: calibration.curve("fig6b", name) for name in calibration.CURVES}
    ax = figures.run_times(results["times"], paper=curves)
    black = [line for line in ax.lines if to_hex(line.get_color()) == style.PAPER]
    assert len(black) == 4
    assert [t.get_text() for t in ax.get_legend().get_texts()].count("paper") == 1
    x, share = black[0].get_data()
    hour = np.searchsorted(x, 3600, side="right") - 1
    assert share[hour] == pytest.approx(np.interp(x[hour], *curves["generic_completed"]))


def test_drawn_curves_are_the_distribution(results):
    ax = figures.run_times(results["times"])
    ecdf = results["times"].run.ecdf("generic", "COMPLETED")
    x, share = next(li for li in ax.lines if li.get_label() == "generic, completed").get_data()
    np.testing.assert_allclose(share, ecdf.cdf(x))
    assert np.diff(np.log10(x)).max() < 0.35  # 1 s to 2 s is the widest step


def test_failures_stand_at_their_hours_and_as_drawn(results):
    ax = figures.failures_by_hour(results["failures"], "generic")
    bars = results["failures"].bars["generic"]
    np.testing.assert_array_equal([patch.get_height() for patch in ax.patches], bars.by_hour)
    drawn = next(line for line in ax.lines if to_hex(line.get_color()) == style.FAULT.lower())
    np.testing.assert_array_equal(drawn.get_ydata()[:-1], bars.as_drawn)


def test_a_trace_without_waits_or_states_leaves_sentences(make_jobs, make_trace):
    jobs = make_jobs(300)
    nulls = {
        name: pd.Series(pd.NA, index=jobs.index).astype(jobs[name].dtype)
        for name in ("submit", "state", "cores")
    }
    trace = make_trace(jobs.assign(**nulls))
    ax = figures.wait_times(experiments.wait_and_run(trace))
    assert "no submission times" in ax.texts[0].get_text()
    ax = figures.core_counts(experiments.job_size(trace))
    assert "how many cores" in ax.texts[0].get_text()
    ax = figures_findings.unassigned(experiments.unassigned(trace))
    assert "has no states" in ax.texts[0].get_text()


def test_one_class_alone_is_drawn(make_jobs, make_trace):
    trace = make_trace(make_jobs(500, ml=1.1))
    for ask, draw in (
        (experiments.submissions, figures.submissions_boxes),
        (experiments.wait_and_run, figures.run_times),
        (experiments.job_size, figures.node_counts),
        (experiments.state_shares, figures.state_shares),
    ):
        ax = draw(ask(trace))
        assert not any("generic" in t.get_text() for t in texts(ax))
    ax = figures.failures_by_hour(experiments.failures_by_hour(trace), "generic")
    assert "no failed generic job" in ax.texts[0].get_text()
