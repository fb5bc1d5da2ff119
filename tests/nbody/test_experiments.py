"""The questions of the chapter on small systems, and its figures."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from restudy.claims import read_paper
from restudy.nbody import (
    experiments,
    experiments_classical,
    experiments_force,
    experiments_long,
    experiments_pair,
    experiments_paper,
    experiments_phases,
    experiments_speed,
    experiments_unknown,
    figures,
)
from restudy.nbody.learned.from_orbits import OrbitRecipe, train_from_orbits
from restudy.nbody.learned.pair_training import NARROW, WIDE, Recipe
from restudy.nbody.learned.paper_training import PaperSetup
from restudy.nbody.learned.weights import shipped_potential

ROOT = Path(__file__).parents[2]
CLAIMS = {claim.id: claim for claim in read_paper(ROOT / "book/claims/2111.15631.toml").claims}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("preset", ["quick", "full", "paper"])
def test_presets_are_whole(preset: str):
    setup = getattr(experiments.Setup, preset)()
    assert setup.pair.steps >= 100_000  # as the claims say
    assert setup.pair.retrain == (preset != "quick")


def test_systems_are_of_five_kinds():
    shown = experiments.systems(1)
    assert [system.bodies for system in shown.values()] == [3, 8, 101, 3, 3]
    assert figures.systems(shown)[0].get_xlabel() == "semi-major axis [au]"


def test_kepler_and_whfast():
    assert experiments_classical.kepler_residual(3000, rng=np.random.default_rng(3)) < 1e-14
    folder = ROOT / "validation/2111.15631"
    recorded, start = (
        json.loads((folder / name).read_text()) for name in ("whfast.json", "systems.json")
    )
    found = experiments_classical.beside_whfast(recorded, start["sun-jupiter-saturn"])
    assert found["whfast-energy"] == pytest.approx(1.0, abs=0.01)
    assert found["whfast-positions"] < 1e-8
    recorded["energy"][0]["max_relative_error"] *= 2  # a wrong number would be seen
    found = experiments_classical.beside_whfast(recorded, start["sun-jupiter-saturn"])
    assert found["whfast-energy"] == pytest.approx(0.5, abs=0.01)


def test_orders_and_laws():
    table = experiments_classical.convergence()
    orders = table.groupby("integrator")["order"].first()
    assert orders["Wisdom-Holman"] == pytest.approx(2, abs=0.02)
    assert orders["leapfrog"] == pytest.approx(2, abs=0.02)
    assert orders["ABA(10,6,4)"] > 6
    figures.convergence(table)
    setup = replace(experiments_classical.Setup.quick(), years=200.0)
    laws = experiments_classical.energy_laws(setup)
    worst = laws.groupby("integrator")["error"].max()
    assert worst["IAS15"] < worst["corrector 11"] < worst["Wisdom-Holman"] < 2e-7
    figures.energy_laws(laws)


def test_the_papers_network_is_asked_only_what_was_run():
    training = PaperSetup(
        systems=2, test_systems=2, years=5.0, test_years=5.0, width=16, steps=3, batch=32
    )
    setup = experiments_paper.Setup(training, 2, 20, 40)
    trained = experiments_paper.train(setup, seed=1)
    found = experiments_paper.run(setup, trained, seed=1)
    asked = experiments_paper.findings(found, seed=1)
    assert set(asked) < set(CLAIMS)
    assert not [name for name in asked if CLAIMS[name].needs]  # too short for those of `full`
    assert asked["sjs-first-kick"] < 0.002
    assert asked["sjs-zero-kick"] == pytest.approx(2.860e-4, rel=1e-3)
    curves = experiments_paper.energy_curves(found)
    figures.published_energy(curves, {"exact": 1.996e-5, "paper's network": 2.862e-4})
    figures.kicks(experiments_paper.kick_table(trained))
    assert len(experiments_paper.table(found)) == 12


def test_the_pair_network_on_short_runs():
    quick = experiments_pair.Setup.quick()
    setup = replace(quick, steps=2000, unseen=2, compact=1, swarm_steps=40, chart_steps=400)
    wide, narrow = (shipped_potential(name) for name in ("pair-wide", "pair-narrow"))
    networks = experiments_pair.Networks(wide, narrow, wide)
    runs = experiments_pair.follow(setup, wide, narrow, seed=1)
    asked = experiments_pair.findings(runs) | experiments_force.findings(networks)
    assert set(asked) < set(CLAIMS)
    assert not [name for name in asked if CLAIMS[name].needs]
    assert asked["pair-sjs-phase"] < 1e-6
    assert asked["narrow-guard"] == 1
    assert asked["narrow-phase"] > 1e-2 > asked["pair-trappist-phase"]
    figures.growth(runs.growth)
    figures.eccentricities(runs.eccentricities)
    assert experiments_long.moving_picture(runs.ends).startswith("<svg")
    ends = {name: run.positions[0, 1:] - run.positions[0, :1] for name, run in runs.ends.items()}
    assert np.abs(ends["exact"] - ends["pair network"]).max() < 1e-5
    assert np.abs(ends["exact"] - ends["zero kick"]).max() > 1e-2
    chart = experiments_force.chart(setup, networks)
    assert chart["phase"].isna().sum() == 4  # of pairs that are not stable
    figures.chart(chart, "spacing", "mass", "phase", experiments_force.CHART_LABELS)
    table = experiments_force.errors_by_separation(networks)
    figures.pair_errors(table, experiments_force.ranges(networks))


@pytest.mark.parametrize("retrain", [False, True])
def test_networks_are_trained_beside_the_runs(retrain):
    """With workers as without, and each for its own range."""
    recipe = Recipe(systems=8, each=3, width=8, adam_steps=10, iterations=2)
    orbits = OrbitRecipe(systems=8, steps=1, width=8, adam_steps=3, iterations=2)
    setup = replace(
        experiments_pair.Setup.quick(), recipe=recipe, from_orbits=orbits, retrain=retrain,
        steps=200, unseen=1, compact=1, swarm_steps=5,
    )  # fmt: skip
    with ThreadPoolExecutor(2) as executor:
        both = [
            experiments_pair.train_and_follow(setup, seed=2, executor=x) for x in (None, executor)
        ]
    (networks, runs), (others, again) = both
    expected = train_from_orbits(orbits, seed=2).potential
    for mine in (networks, others):
        assert torch.equal(mine.from_orbits.second, expected.second)
        assert mine.narrow.separations == NARROW != mine.wide.separations == WIDE
        assert (mine.wide.width == 8) == retrain
    assert torch.equal(networks.wide.second, others.wide.second)
    assert runs.growth.equals(again.growth)


def test_the_longest_runs_are_those_of_three_bodies(monkeypatch):
    monkeypatch.setattr(experiments_pair, "_MILLION", 300)
    setup = replace(
        experiments_pair.Setup.quick(), million=True, steps=200, unseen=2, compact=1, swarm_steps=5
    )
    wide, narrow = (shipped_potential(name) for name in ("pair-wide", "pair-narrow"))
    runs = experiments_pair.follow(setup, wide, narrow, seed=1)
    assert {name: len(each) for name, each in runs.million.items()} == {
        "Sun, Jupiter, Saturn": 1,
        "three bodies, unseen": 2,
    }
    for name, each in runs.million.items():
        assert all(one.case.steps == 300 for one in each)
        assert [x.case.name for x in each] == [x.case.name for x in runs.compared[name]]
    asked = experiments_pair.findings(runs)
    assert {name for name in asked if name.startswith("pair-million")} == {
        name for name in CLAIMS if name.startswith("pair-million")
    }
    assert experiments_pair.table(runs).loc["three bodies, unseen, longer", "steps"] == 300


def test_a_step_of_untrained_weights_is_symplectic():
    assert experiments_force.symplectic_error(seed=3) < 1e-12


def test_the_learning_curve_falls():
    recipe = Recipe(each=3, width=8, adam_steps=40, iterations=8)
    setup = replace(experiments_pair.Setup.quick(), curve=recipe, counts=(2, 20), seeds=(1,))
    curve = experiments_force.learning(setup, seed=1)
    table = experiments_force.learning_table(curve)
    assert table["error"].iloc[1] < table["error"].iloc[0]
    assert experiments_force.interval(curve) is None  # of one seed
    figures.learning(table, curve.slope, curve.fitted, 0.1)


def test_phases_of_trappist_are_drawn():
    setup = replace(experiments_pair.Setup.quick(), steps=2000, phases=2)
    wide = shipped_potential("pair-wide")
    table = experiments_phases.phases_table(setup, wide, seed=1)
    assert sorted(table.index) == ["draw 1", "draw 2", "golden angle"]
    assert table["MEGNO"].is_monotonic_increasing
    assert table["energy over exact"].between(0.99, 1.01).all()
    assert table["largest phase error [rad]"].nunique() == 3  # other phases, other errors
    again = experiments_phases.phases_table(setup, wide, seed=1)
    pd.testing.assert_frame_equal(table, again)


def test_an_unknown_field_is_found():
    setup = experiments_unknown.Setup(5, mercury_orbits=0, noises=1, networks=0, iterations=12)
    found = experiments_unknown.run(setup, seed=1)
    assert found.advance == ()
    assert found.j2[0] == pytest.approx(1e-3, rel=0.05)
    ends = found.prediction.groupby("model")["error"].max()
    assert ends["true form"] < 0.2 * ends["without"]
    figures.prediction(found.prediction, found.observed)
    other = found.fitted.assign(chi2=[1.0, 3.0])
    drawn = replace(found, fitted=pd.concat([found.fitted.assign(chi2=[1.0, 1.0]), other, other]))
    shown = experiments_unknown.table(drawn)
    assert shown.loc["true form", ["chi², median", "chi², worst draw"]].to_list() == [3.0, 3.0]
    assert shown.loc["without", ["chi², median", "chi², worst draw"]].to_list() == [1.0, 1.0]


def test_speeds_are_medians_of_turns():
    engine = {"steps_per_cpu_s": [1e6, 2e6, 3e6], "over_whfast": [1.0, 1.5, 4.0]}
    many = {
        "system_steps_per_cpu_s": [1e7] * 3,
        "time_over_ours": [4.0, 6.0, 8.0],
        "wall_over_ours": [1.0, 2.0, 3.0],
    }
    benchmark = {
        "single": {"N = 3": {"ours, drift first": engine}},
        "many": {"1000": {"steps": 10, "rebound WHFast": many}},
        "accuracy": {
            "years": 10.0,
            "ours, drift first": [{"cpu_s": 1.0, "max_energy_error": 1e-8}],
            "rebound WHFast": [{"cpu_s": 2.0, "max_energy_error": 1e-8}],
        },
    }
    assert experiments_speed.findings(benchmark) == {"speed-single": 1.5, "speed-batch": 6.0}
    table = experiments_speed.table(benchmark)
    assert table.loc["ours, drift first", ("N = 3", "million steps/s")] == 2.0
    assert experiments_speed.batch_table(benchmark).index.tolist() == [
        ("1,000 systems", "rebound WHFast")
    ]
    cost = experiments_speed.cost_table(benchmark)
    assert cost["ours"].tolist() == [True, False]
    (ax,) = figures.cost(cost)
    assert isinstance(cost, pd.DataFrame)
    assert ax.get_yscale() == "log"
