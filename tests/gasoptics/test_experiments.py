"""The questions of the chapter on answers that are known, and its figures."""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from restudy.answers import Missing
from restudy.claims import read_paper
from restudy.gasoptics import (
    experiments,
    experiments_gases,
    experiments_les,
    experiments_networks,
    experiments_reference,
    experiments_speed,
    experiments_trainings,
    figures,
)
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.les import Envelope
from restudy.gasoptics.emulators.scores import FluxErrors, forcing
from restudy.gasoptics.experiments_networks import Contender
from restudy.gasoptics.reference import Fluxes, exact_optics
from restudy.gasoptics.tables import KDistribution


@dataclasses.dataclass(frozen=True)
class Sites:
    """As much of RFMIP as forcings need."""

    experiments: tuple[str, ...]
    weight: np.ndarray

    @property
    def sites(self) -> int:
        return len(self.weight)


def test_forcing_is_the_weighted_change_of_the_net_flux():
    real = Sites(("now", "more", "less"), np.array([0.25, 0.75]))
    down, up = torch.zeros(6, 3, dtype=torch.float64), torch.zeros(6, 3, dtype=torch.float64)
    down[2:4, 0] = torch.tensor([4.0, 8.0])  # the second experiment, at the top
    up[4:6, -1] = torch.tensor([4.0, 0.0])  # the third, at the surface
    fluxes = Fluxes(up, down)
    top, surface = forcing(fluxes, real.weight)
    assert (top.tolist(), surface.tolist()) == ([7.0, 0.0], [0.0, -1.0])
    table = experiments_reference.forcings(real, {"RRTMGP": fluxes})
    assert table["RRTMGP"].to_dict() == {"more": 7.0, "less": 0.0}


@pytest.fixture(params=["made_longwave", "made_shortwave"])
def made(request: pytest.FixtureRequest) -> KDistribution:
    return request.getfixturevalue(request.param)


def contender(name: str, group: str, table: KDistribution, factor: float) -> Contender:
    """Make a network that has the tables' optical depths times a factor."""

    def optics(air: Atmosphere):
        found = exact_optics(table, air)
        return dataclasses.replace(found, tau=found.tau * factor)

    return Contender(name, group, optics, 100)


def test_a_network_as_good_as_the_tables_has_no_error_and_a_worse_one_more(
    made: KDistribution, standard: Atmosphere
):
    given = [
        contender("64-64", "authors", made, 1.01),
        contender("ours", "ours", made, 1.0),
        contender("32", "authors", made, 1.1),
    ]
    comparison = experiments_networks.compare(made, standard, given)
    errors = experiments_networks.setup_errors(comparison)
    assert errors.loc["ours", ["up_max", "down_max", "mean", "troposphere"]].max() == 0.0
    assert 0 < errors.loc["64-64", "down_rmse"] < errors.loc["32", "down_rmse"]
    assert errors.loc["32", "mean"] <= max(errors.loc["32", "up_max"], errors.loc["32", "down_max"])
    bands = experiments_networks.errors_of_bands(comparison, ["64-64", "ours"])
    assert bands.shape == (2, 2)
    assert (bands["ours"] == 0).all()
    assert (bands["64-64"] > 0).any()
    profile = experiments_networks.worst_profile(comparison, ["32"])
    largest = profile[["up", "down"]].abs().to_numpy().max()
    assert largest == pytest.approx(max(errors.loc["32", "up_max"], errors.loc["32", "down_max"]))
    spectrum = "longwave" if made.planck is not None else "shortwave"
    ours = experiments_networks.our_findings(errors, bands, spectrum, "ours")
    assert set(ours.values()) == {0.0}
    found = experiments_networks.paper_findings(errors, spectrum)
    assert set(found) == {
        f"paper-{spectrum}-32",
        f"paper-{spectrum}-64-64",
        f"paper-64-64-{spectrum}",
    }


def test_the_order_of_sizes_counts_neighbours_that_are_in_order():
    rmse = {"linear": 5.0, "32": 0.2, "32-32": 0.3, "64-64": 0.1, "32-64-128": 0.05}
    table = pd.DataFrame(
        {
            name: {"group": "authors", "down_rmse": x, "up_max": x, "down_max": x}
            for name, x in rmse.items()
        }
    ).T
    assert experiments_networks.paper_findings(table, "longwave")["paper-order"] == 3


def test_cost_and_mean_of_networks():
    table = pd.DataFrame(
        {
            "group": ["authors", "authors", "ours"],
            "multiply_adds": [1, 2, 37_184],
            "mean": [9.0, 0.25, 0.01],
        },
        index=["linear", "32", experiments.OURS],
    )
    assert experiments.cost_findings({"longwave": table}) == {"ours-longwave-cost": 0.5}
    assert experiments.mean_findings({"longwave": table}) == {"paper-average": 0.25}
    assert experiments.shown(table) == [experiments.OURS]
    assert experiments.values(Missing("not at hand")) == {}
    assert experiments.own_errors({"longwave": Missing("not at hand")}) == {}


def test_the_growth_of_errors_is_that_of_the_worst_experiment():
    def errors(up: float, down: float) -> FluxErrors:
        return FluxErrors(up, up, down, down, 0.0, 0.0, 0)

    given = [errors(0.03, 0.04), errors(0.06, 0.08), errors(0.03, 0.04)]
    found = experiments_gases.unseen_findings(given, "longwave")
    assert found == {"unseen-experiments-longwave": pytest.approx(2.0)}


def engine(per_s: float, tables: float, fortran: float) -> Mapping[str, object]:
    ratios = {
        experiments_speed.FLOAT32: [0.9 * tables, tables, 1.1 * tables],
        experiments_speed.FORTRAN: [0.9 * fortran, fortran, 1.1 * fortran],
    }
    return {
        "multiply_adds": 10,
        "best_batch": 16,
        "batches": {"16": {"columns_per_s": per_s} | ratios, "100": {"columns_per_s": 1.0}},
    }


def test_speeds_are_those_of_the_best_batch():
    sizes = ("32", "32-32", "64", "64-64", "32-64-128")
    optics = {f"paper {size}, addmm": engine(1e3, 2.0, 3.0) for size in sizes}
    optics |= {
        "paper 32, our kernels": engine(5e3, 4.0, 5.0),
        "ours lw-g256, compiled": engine(2e4, 16.0, 6.0),
        "ours lw-g128, compiled": engine(3e4, 18.0, 9.0),
    }
    table = experiments_speed.speeds({"optics": {"longwave": optics}}, "longwave")
    assert table.index[-1] == "ours lw-g128, compiled"
    found = experiments_speed.findings(table, "longwave")
    assert found["speed-tables-longwave"] == 18.0
    assert found["speed-fortran-longwave"] == 9.0
    assert found["speed-tables-full-longwave"] == 16.0
    assert found["speed-fortran-full-longwave"] == 6.0
    assert found["paper-speed-longwave-32"] == 3.0
    errors = pd.DataFrame(
        {"group": ["authors", "ours", "ours"], "down_rmse": [0.2, 0.02, 0.05]},
        index=["32", "ours", "ours, quick training"],
    )
    joined = experiments_speed.pareto(table, errors, "longwave")
    assert joined["columns_per_s"].to_dict() == {"32": 5e3, "ours": 2e4}
    ax = figures.speed(joined, "longwave")
    assert "thousand columns a second" in ax.get_xlabel()
    plt.close("all")


def test_tuned_networks_are_compared_to_the_authors():
    table = pd.DataFrame(
        {
            "simulation": ["cabauw"] * 2,
            "network": ["32, tuned", "64-64"],
            "multiply_adds": [1, 2],
            "up_rmse": [0.1, 0.1],
            "down_rmse": [0.1, 0.2],
            "troposphere": [0.1, 0.1],
        }
    )
    assert experiments_les.findings(table) == {"les-cabauw": 0.5}
    assert experiments_les.findings(pd.DataFrame()) == {}
    assert len(experiments_les.table(table)) == 2
    assert "presets full" in experiments_les.table(pd.DataFrame()).iloc[0, 0]


def test_tuning_sees_as_many_layers_of_a_shallow_domain_as_of_a_deep_one():
    tuning = experiments_les.Tuning(50, 4, 9_000)
    for levels, count in ((228, 10), (72, 31)):
        p = np.linspace(1e4, 1e5, levels)
        assert tuning.count(Envelope("made", p, p, p, p, p)) == count
    assert experiments_les.tuned(None, seed=1).empty


def test_unseen_simulations_are_counted_in_bars():
    row = {"simulation": "cabauw", "spectrum": "longwave", "up": 0.025, "down": 0.048}
    found = pd.DataFrame(
        [
            row | {"above": False, "over": 1.5, "outside": 0.01},
            row | {"above": True, "over": 1.25, "outside": 0.0},
        ]
    )
    expected = {"unseen-les-cabauw-longwave": 1.5, "unseen-les-cabauw-above-longwave": 1.25}
    assert experiments_les.unseen_findings(found) == expected
    table = experiments_les.unseen_table(found)
    assert table["flagged [%]"].to_list() == [0.0, 1.0]
    assert table.index.to_list()[1] == ("longwave", "cabauw", "nothing")


def test_figures_draw_what_the_paper_says(made_longwave, made_shortwave, standard):
    tables = {"longwave": made_longwave, "shortwave": made_shortwave}
    given = {
        name: experiments_networks.compare(
            table,
            standard,
            [contender("64-64", "authors", table, 1.01), contender("ours", "ours", table, 1.001)],
        )
        for name, table in tables.items()
    }
    errors = {name: experiments_networks.setup_errors(one) for name, one in given.items()}
    bounds = {"longwave": 1.2, "shortwave": 0.12}
    for ax, bound in zip(figures.errors(errors, {}, bounds), bounds.values(), strict=True):
        assert any(np.allclose(line.get_xdata(), bound) for line in ax.lines)
        assert re.search("W/m²", ax.get_xlabel())
    names = ["64-64", "ours"]
    bands = {n: experiments_networks.errors_of_bands(one, names) for n, one in given.items()}
    assert len(figures.bands(bands)) == 2
    worst = {n: experiments_networks.worst_profile(one, names) for n, one in given.items()}
    assert len(figures.profiles(worst)) == 2
    low, high = figures.columns(standard)[0].get_ylim()
    assert low > high  # the ground is below
    history = pd.DataFrame({"steps": [100, 200], "roots": [2.0, 1.0], "fluxes": [0.0, 0.5]})
    assert len(figures.history({"longwave": history}).lines) == 2
    forcings = pd.DataFrame(
        {"RRTMGP": [4.0], "line by line": [4.1], "ours": [4.01]}, index=["4xCO2"]
    )
    ax = figures.forcing(forcings)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["4xCO2 (+4.00)"]
    searched = pd.DataFrame(
        {
            "network": ["8-(4+4)", "16-(8+8)"],
            "multiply_adds": [1e3, 2e3],
            "error": [0.2, 0.1],
            "front": True,
        }
    )
    assert len(figures.search(searched, "longwave").lines) == 3
    plt.close("all")


def test_every_claim_on_speed_of_the_authors_networks_is_measured(request):
    claims = read_paper(request.config.rootpath / "book/claims/2005.02265.toml").claims
    asked = {claim.id for claim in claims if claim.id.startswith("paper-speed-longwave")}
    sizes = ("32", "32-32", "64", "64-64", "32-64-128")
    optics = {f"paper {size}, addmm": engine(1e3, 2.0, 3.0) for size in sizes}
    optics |= {f"ours lw-{g}, compiled": engine(1e3, 2.0, 3.0) for g in ("g256", "g128")}
    table = experiments_speed.speeds({"optics": {"longwave": optics}}, "longwave")
    assert asked <= set(experiments_speed.findings(table, "longwave"))


def test_recorded_trainings_have_the_worst_simulation_under_air_over_its_bar(
    tmp_path: Path,
) -> None:
    def errors(up: float, down: float) -> dict[str, float]:
        return {"up_rmse": up, "down_rmse": down, "stratosphere": 0.01}

    record = {
        "preset": "paper",
        "seed": 3,
        "device": "cuda",
        "training_seconds": 60.0,
        "multiply_adds": 62_080,
        "recipe": {
            "design": {"table": "sw-g224"},
            "stages": [{"steps": 20, "columns": 8}, {"steps": 30, "columns": 8}],
            "sets": 2,
        },
        "scores": {
            "present day": errors(0.003, 0.009),
            "LES, rcemip": errors(1.0, 1.0),
            "LES, rcemip, air above": errors(0.007, 0.038),
            "LES, cabauw, air above": errors(0.0105, 0.019),
        },
    }
    (tmp_path / "one.json").write_text(json.dumps(record))
    (row,) = experiments_trainings.recorded_trainings(tmp_path).to_dict("records")
    assert (row["steps"], row["columns"], row["down"]) == (50, 8, 0.009)
    assert row["over"] == pytest.approx(0.038 / 0.019)
    asked = experiments_trainings.trainings_findings(pd.DataFrame([row, row | {"preset": "full"}]))
    assert asked == {"larger-shortwave-up": 0.003, "larger-shortwave-down": 0.009}
    shown = experiments_trainings.trainings_table(pd.DataFrame([row]))
    assert shown.index.to_list() == [("sw-g224", "paper", 3)]
