"""Generated jobs: cores kept, states planted, published shares, the same in any subset."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.generator import cluster, schedule
from restudy.telemetry.generator.recipe import Faults, Recipe, Shift, surface_2020
from restudy.telemetry.generator.workload import draw_campaigns, run_seconds
from restudy.telemetry.metrics import TelemetryError
from restudy.traces import nodelist
from restudy.traces.jobs import PAPER_GPU_NODES, is_ml, validate
from restudy.traces.recipe import GENERIC, STATES

SMALL = Recipe(seed=5, nodes=40, days=6, multi_node=2.0)


@pytest.fixture(scope="module")
def jobs():
    return schedule.job_table(SMALL)


def test_job_table_is_one(jobs):
    validate(jobs)
    assert jobs["job_id"].is_unique
    assert (jobs["submit"] <= jobs["start"]).all()
    assert (jobs["start"] <= jobs["end"]).all()
    assert (jobs["nodes"] == jobs["node_list"].map(nodelist.count)).all()
    assert (jobs["nodes"] > 1).sum() > 5
    assert is_ml(jobs["node_list"], PAPER_GPU_NODES).equals(jobs["is_ml"])


def test_residents_never_exceed_cores(jobs):
    cores = cluster.hardware_table(SMALL).set_index("node")["cpu_core_count_total"]
    rows = jobs.assign(node=jobs["node_list"].map(nodelist.expand)).explode("node")
    for node, mine in rows.groupby("node"):
        each = (mine["cores"] // mine["nodes"]).to_numpy("int64")
        # Starts before ends of the same second: both of a job's limits count.
        at = np.concatenate([mine["start"], mine["end"]])
        change = np.concatenate([each, -each])
        order = np.lexsort((-change, at))
        assert np.cumsum(change[order]).max() <= cores[node]


def test_any_subset_of_nodes_has_the_same_jobs(jobs):
    nodes = cluster.nodes(SMALL)[7:11]
    some = schedule.job_table(SMALL, nodes)
    names = {node.name for node in nodes}
    met = [not names.isdisjoint(nodelist.expand(text)) for text in jobs["node_list"]]
    pd.testing.assert_frame_equal(some, jobs[met].reset_index(drop=True))


@pytest.mark.parametrize("stickiness", [0.0, 1.0])
def test_states_keep_their_shares_at_any_stickiness(stickiness):
    node = next(node for node in cluster.nodes(Recipe()) if not node.is_gpu)
    rng = np.random.default_rng(3)
    drawn, _ = draw_campaigns(node, 60_000, stickiness, rng=rng)
    share = np.bincount(drawn.state, minlength=len(STATES)) / len(drawn.state)
    assert share == pytest.approx(GENERIC.shares, abs=0.015)
    first = np.flatnonzero(np.diff(drawn.campaign, prepend=-1))
    alike = drawn.state == drawn.state[first][drawn.campaign]
    others = np.ones(len(alike), bool)
    others[first] = False
    independent = float((GENERIC.shares**2).sum())
    assert alike[others].mean() == pytest.approx(max(stickiness, independent), abs=0.02)


def test_run_times_have_the_published_quartiles():
    rng = np.random.default_rng(1)
    run = run_seconds(GENERIC, np.zeros(200_000, int), rng=rng)
    assert np.percentile(run, [25, 50, 75]) == pytest.approx([2, 37, 321], rel=0.07)  # Figure 6


def test_work_comes_at_the_busy_hours():
    calendar = schedule.Calendar(Recipe(diurnal=0.9, peak_hour=13.0, weekday_factor=2.7))
    monday = 4 * 86_400
    at = [monday]
    for _ in range(2 * 10_080):
        at.append(calendar.after(at[-1], 60.0))
    since = np.array(at) - monday
    assert calendar.after(monday, 604_800.0) == monday + 604_800  # the mean rate is 1
    hour = np.bincount(since // 3600 % 24, minlength=24)
    assert abs(int(hour.argmax()) - 12.5) <= 1
    day = np.bincount(since // 86_400, minlength=14)[:7]
    assert day[:5].mean() / day[5:].mean() == pytest.approx(2.7, rel=0.03)


def test_clusters_have_lisas_proportions():
    for count, cpu in ((338, 287), (1000, 849), (5, 4), (1, 1)):
        recipe = Recipe(nodes=count)
        nodes = cluster.nodes(recipe)
        assert len({node.name for node in nodes}) == count
        assert sum(not node.is_gpu for node in nodes) == cpu
        assert max(map(len, cluster.racks(recipe).values())) <= 32
        assert all(
            len({node.is_gpu for node in rack}) == 1 for rack in cluster.racks(recipe).values()
        )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": -1}, "seed is -1; the generator needs 0 to"),
        ({"nodes": 0}, "nodes is 0"),
        ({"stickiness": 1.5}, "stickiness is 1.5"),
        ({"interval_s": 7}, "a divisor of 86400"),
        ({"start": "soon"}, "'soon' is not ISO"),
        ({"busy": (0.0, 0.5)}, "shares from 0 to 1"),
        ({"shift": Shift("later")}, "'later' is not ISO"),
        ({"faults": Faults(gaps=-1)}, "faults have gaps=-1"),
    ],
)
def test_impossible_recipes_are_refused(change, sentence):
    with pytest.raises(TelemetryError, match=sentence):
        dataclasses.replace(Recipe(), **change)


def test_surface_recipe_has_the_step_of_2020():
    recipe = surface_2020()
    assert recipe.shift_at == np.datetime64("2020-02-27", "s").astype(int)
    assert recipe.first + recipe.days * 86_400 == np.datetime64("2020-08-08", "s").astype(int)
