"""Training: the same for a seed on any workers, and it makes the loss smaller."""

import concurrent.futures
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from restudy import data
from restudy.gasoptics import datasets
from restudy.gasoptics.emulators import training
from restudy.gasoptics.emulators.evaluation import emulated_and_exact
from restudy.gasoptics.emulators.network import Design, LongwaveNetwork, ShortwaveNetwork
from restudy.gasoptics.emulators.presets import preset, with_steps
from restudy.gasoptics.emulators.scores import flux_errors
from restudy.gasoptics.emulators.soap import Soap
from restudy.gasoptics.emulators.training import Recipe, Stage, _weights_of_columns, train
from restudy.gasoptics.emulators.training_sets import SetRecipe, make_set, training_sets
from restudy.gasoptics.errors import GasOpticsError

Net = LongwaveNetwork | ShortwaveNetwork

pytestmark = pytest.mark.usefixtures("made_tables_at_hand")

DESIGN = Design("lw-g256", ("h2o", "o3"), ("co2",), (16,), (12, 12))
RECIPE = Recipe(
    design=DESIGN,
    other_gases=False,
    sets=2,
    stages=(Stage(150, 2e-2, 6, fluxes=False), Stage(50, 1e-3, 6, fluxes=True)),
    base="standard",
)


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_training_reduces_the_error_of_fluxes(table: str, device: str, tmp_path: Path) -> None:
    """The root mean square error of unseen columns falls by ten."""
    recipe = replace(RECIPE, design=replace(DESIGN, table=table))
    trained = train(recipe, seed=1, folder=tmp_path, device=device)
    before = train(with_steps(recipe, 0.0), seed=1, folder=tmp_path)
    tables = datasets.k_distribution(table)
    unseen = make_set(replace(recipe.set_recipes()[1], count=0), np.random.default_rng(99)).columns
    errors = [
        flux_errors(*emulated_and_exact(t.network, tables, unseen), unseen.p_lev).down_rmse
        for t in (trained, before)
    ]
    assert errors[0] < 0.1 * errors[1]


def test_the_axes_of_a_wide_layer_are_turned_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the axes of its units kept, a layer of 200 is left at twice the loss."""
    wide = replace(DESIGN, table="sw-g224", hidden=(200,))
    recipe = replace(RECIPE, design=wide, stages=(Stage(600, 2e-2, 6, fluxes=False),))
    turned = train(recipe, seed=1, folder=tmp_path).record.history[-1]
    monkeypatch.setattr(training, "Soap", lambda parameters, rate, widest: Soap(parameters, rate))
    kept = train(recipe, seed=1, folder=tmp_path).record.history[-1]
    assert turned[1] < 0.7 * kept[1]


@pytest.mark.gpu
@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_a_gpu_makes_the_same_sets(table: str) -> None:
    """Roots differ by rounding, sketches, kept in half precision, by one in a thousand."""
    recipe = replace(RECIPE, design=replace(DESIGN, table=table)).set_recipes()[1]
    here, there = (make_set(recipe, np.random.default_rng(5), d) for d in ("cpu", "cuda"))
    torch.testing.assert_close(here.roots, there.roots, rtol=1e-6, atol=1e-9)
    assert torch.equal(here.columns.p_lev, there.columns.p_lev)
    scale = here.sketch.float().abs().amax(dim=(0, 1, 2))  # (2, g)
    apart = (here.sketch.float() - there.sketch.float()).abs().amax(dim=(0, 1, 2))
    assert bool((apart <= 1e-3 * scale + 1e-6).all())


def test_shallow_columns_have_weights_of_their_own(made_network: Callable[..., Net]) -> None:
    """Columns of ones weigh one, those of twos, the shallow ones, four."""
    network = made_network()
    network.root_scale.fill_(1)
    sketch = torch.ones(2, 6, 4, 2, 5)
    sketch[:, 2:4] = 2
    recipe = replace(RECIPE, sets=3, kinds=("perturbed", "shallow", "drifted"), floor=0.0)
    weights, which = _weights_of_columns(network, recipe, sketch)
    assert which.tolist() == [0, 0, 1, 1, 0, 0]
    assert weights[which].square().mean(dim=(1, 2, 3)).tolist() == [1, 1, 16, 16, 1, 1]
    whole = replace(recipe, kinds=("perturbed",))
    assert len(_weights_of_columns(network, whole, sketch)[0]) == 1


@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_training_on_shallow_columns_reduces_their_error(table: str, tmp_path: Path) -> None:
    design = replace(DESIGN, table=table)
    recipe = replace(RECIPE, design=design, kinds=("shallow", "drifted"), sketches=3, copies=6)
    assert recipe.set_recipes()[0].count == 3
    trained = train(recipe, seed=1, folder=tmp_path)
    before = train(with_steps(recipe, 0.0), seed=1, folder=tmp_path)
    tables = datasets.k_distribution(table)
    unseen = make_set(replace(recipe.set_recipes()[0], count=0), np.random.default_rng(99)).columns
    errors = [
        flux_errors(*emulated_and_exact(t.network, tables, unseen), unseen.p_lev).down_rmse
        for t in (trained, before)
    ]
    assert errors[0] < 0.2 * errors[1]


def test_a_network_is_that_of_its_seed_and_not_of_the_workers(tmp_path: Path) -> None:
    few = replace(RECIPE, stages=(Stage(100, 1e-2, 6, fluxes=True),))
    alone = train(few, seed=1, folder=tmp_path / "alone")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = train(few, seed=1, folder=tmp_path / "together", executor=pool)
    again = train(few, seed=1, folder=tmp_path / "alone")
    other = train(few, seed=2, folder=tmp_path / "other")
    assert same(alone.network, together.network)
    assert same(alone.network, again.network)
    assert alone.record.history == again.record.history
    assert not same(alone.network, other.network)


def test_the_record_is_plain_data_with_what_was_done(tmp_path: Path) -> None:
    trained = train(
        replace(RECIPE, stages=(Stage(200, 1e-2, 6, fluxes=True),)), seed=1, folder=tmp_path
    )
    record = json.loads(json.dumps(asdict(trained.record)))
    assert record["recipe"]["design"]["hidden"] == [16]
    assert record["multiply_adds"] == 5 * 16 + 16 * 24 + 2 * 12 * 5
    assert [entry[0] for entry in record["history"]] == [100, 200]
    assert record["history"][1][2] < record["history"][0][2]
    assert record["training_seconds"] > 0
    limits = trained.network.range
    assert limits.names == ("t_lay", "h2o", "o3", "co2")


def test_sets_are_found_again_and_damaged_parts_are_not_left(tmp_path: Path) -> None:
    recipes = [SetRecipe("lw-g256", "standard", kind, False) for kind in ("perturbed", "drifted")]
    first = training_sets(recipes, seed=3, folder=tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(files) == 2
    again = training_sets(recipes, seed=3, folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
    assert torch.equal(first.roots, again.roots)
    assert torch.equal(first.sketch, again.sketch)
    assert first.sketch.shape == (2, 12, 60, 2, 5)
    longer = training_sets([*recipes, replace(recipes[0], copies=2)], seed=3, folder=tmp_path)
    assert len(longer.roots) == longer.sketch.shape[1] == longer.columns.columns == 24
    assert torch.equal(longer.roots[:12], first.roots)
    assert torch.equal(longer.sketch[:, :12], first.sketch)
    assert torch.equal(longer.columns.t_lay[:12], first.columns.t_lay)
    assert not torch.equal(longer.roots[12:18], first.roots[:6])
    assert bool((longer.roots[12:].abs().amax(dim=(1, 2, 3)) > 0).all())


def test_without_rfmip_the_standard_atmospheres_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, base="auto")
    monkeypatch.setattr(data, "available", lambda name: None)
    found = recipe.set_recipes()
    assert [(one.base, one.copies) for one in found] == [("standard", 16)] * 2
    assert [one.kind for one in found] == ["perturbed", "drifted"]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(GasOpticsError, match="no preset 'huge'; use quick, full, paper"):
        preset("huge", "lw-g256")
    greedy = replace(RECIPE, stages=(Stage(10, 1e-2, 500, fluxes=False),))
    with pytest.raises(GasOpticsError, match="12 columns for steps of 500"):
        train(greedy, seed=1, folder=tmp_path)
