"""The networks of the package against the tables: the numbers that the package promises."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch

from restudy.gasoptics.emulators.evaluation import emulated_and_exact, validation_columns
from restudy.gasoptics.emulators.presets import preset
from restudy.gasoptics.emulators.scores import FluxErrors, flux_errors, forcing_errors, paper_setup
from restudy.gasoptics.emulators.shipping import ALL_GASES, NAMES, write_record
from restudy.gasoptics.emulators.weights import shipped, shipped_network
from restudy.gasoptics.longwave import GAUSS_1
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.tables import KDistribution

# Bars of root mean square errors up and down [W/m2], and multiply-adds of the paper's 64-64 set.
BARS = {"lw": (0.025, 0.032, 74_000), "sw": (0.007, 0.019, 37_000)}
HEATING = 0.02  # K/day

Table = Callable[[str], KDistribution]


def record(name: str) -> dict[str, Any]:
    """Read how a network was trained, and its scores."""
    folder = Path(str(resources.files("restudy.gasoptics"))) / "weights"
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def present_day(real_table: Table, rfmip: Rfmip) -> Callable[[str], FluxErrors]:
    """Score a network in the paper's set-up, once."""
    columns = paper_setup(rfmip.atmosphere([0]))

    @cache
    def score(name: str) -> FluxErrors:
        network = shipped_network(name)
        fluxes = emulated_and_exact(network, real_table(network.design.table), columns)
        return flux_errors(*fluxes, columns.p_lev)

    return score


@pytest.mark.parametrize("name", ["lw-g256", "lw-g128", "sw-g224", "sw-g112"])
def test_present_day_columns(name: str, present_day: Callable[[str], FluxErrors]) -> None:
    """Better than the paper's 64-64 networks, at fewer multiply-adds."""
    network = shipped_network(name)
    up, down, cost = BARS[name[:2]]
    assert network.design.multiply_adds(network.spectrum.g_points) < cost
    found = present_day(name)
    assert found.up_rmse < up
    assert found.down_rmse < down
    assert max(found.troposphere, found.stratosphere) < HEATING
    written = record(name)["scores"]["present day"]
    assert written["up_rmse"] == pytest.approx(found.up_rmse, rel=1e-2)
    assert written["down_rmse"] == pytest.approx(found.down_rmse, rel=1e-2)


@pytest.mark.parametrize("name", ["lw-g256-all-gases", "lw-g128-all-gases"])
def test_forcing_of_other_gases(name: str, real_table: Table, rfmip: Rfmip) -> None:
    """Within 0.1 W/m2 at the top and at the surface; every fifth site stands for all."""
    network = shipped_network(name)
    sites = torch.arange(0, rfmip.sites, 5)
    chosen = (torch.arange(len(rfmip.experiments))[:, None] * rfmip.sites + sites).flatten()
    columns = rfmip.atmosphere().part(chosen)
    fluxes = emulated_and_exact(network, real_table(network.design.table), columns, GAUSS_1)
    weight = rfmip.weight[sites.numpy()]
    top, surface = forcing_errors(*fluxes, weight / weight.sum()).worst
    assert top < 0.1
    assert surface < 0.1


@pytest.mark.parametrize("name", ["lw-g128", "sw-g112"])
def test_no_experiment_with_present_day_gases_is_outside_the_training(
    name: str, rfmip: Rfmip
) -> None:
    """The present day and +4 K are inside; four times carbon dioxide is flagged everywhere."""
    limits = shipped_network(name).range
    assert not bool(limits.outside(rfmip.atmosphere([0, 13])).any())
    assert bool(limits.outside(rfmip.atmosphere([2])).all())


def test_columns_of_validation_are_others_than_those_of_the_training(rfmip: Rfmip) -> None:
    columns = validation_columns(shipped_network("lw-g128"), "rfmip")
    assert columns.columns == 2 * rfmip.sites
    assert float((columns.t_lay[: rfmip.sites] - rfmip.atmosphere([0]).t_lay).abs().min()) > 0
    fixed = validation_columns(shipped_network("lw-g128"), "standard")
    assert not bool((fixed.gases["co2"] - columns.gases["co2"][0, 0]).any())


def test_names_are_those_of_the_command() -> None:
    assert set(shipped()) <= set(NAMES)


@pytest.mark.parametrize("name", shipped())
def test_records_are_of_the_preset(name: str, real_table: Table) -> None:
    """The command with the preset full trains just this network."""
    written = record(name)
    real_table(name.removesuffix(ALL_GASES))  # skips where the tables are not at hand
    recipe = preset("full", name.removesuffix(ALL_GASES), other_gases=name.endswith(ALL_GASES))
    expected = json.loads(json.dumps(asdict(recipe)))
    if not recipe.design.cuts:  # most records are older than cuts
        written["recipe"]["design"].setdefault("cuts", [])
    assert written["recipe"] == expected
    network = shipped_network(name)
    assert network.design == recipe.design
    assert written["parameters"] == sum(p.numel() for p in network.parameters())
    assert written["data_seconds"] + written["training_seconds"] < 900


def test_records_keep_six_digits(tmp_path: Path) -> None:
    write_record({"a": [1 / 3, {"b": (2, "x", float("nan"))}]}, tmp_path / "record.json")
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert "".join(text.split()) == '{"a":[0.333333,{"b":[2,"x",null]}]}'
