"""The search: the front by hand, and the same findings on any workers."""

import concurrent.futures
from dataclasses import replace
from pathlib import Path

import pytest

from restudy.gasoptics.emulators.network import Design
from restudy.gasoptics.emulators.search import Finding, pareto_front, search, variants
from restudy.gasoptics.emulators.training import Recipe, Stage

DESIGN = Design("lw-g256", ("h2o", "o3"), ("co2",), (8,), (6, 6))
RECIPE = Recipe(
    design=DESIGN,
    other_gases=False,
    sets=2,
    stages=(Stage(20, 2e-2, 6, fluxes=False), Stage(5, 1e-3, 6, fluxes=True)),
    base="standard",
)


def test_the_front_by_hand() -> None:
    """Of five networks, two cost more than a better one; equal cost keeps the better."""
    numbers = [(30, 0.1), (10, 0.5), (20, 0.6), (30, 0.2), (40, 0.1)]
    found = [Finding(RECIPE, cost, error, error, 0.0, 0.0) for cost, error in numbers]
    front = [(f.multiply_adds, round(f.error, 12)) for f in pareto_front(found)]
    assert front == [(10, 0.5), (30, 0.1)]


@pytest.mark.usefixtures("made_tables_at_hand")
def test_findings_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    wider = replace(RECIPE, design=replace(DESIGN, hidden=(12,)))
    recipes = [RECIPE, wider, replace(RECIPE, design=replace(DESIGN, experts=2))]
    alone = search(recipes, seed=1, sets=tmp_path / "a", folder=tmp_path / "kept")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        together = search(recipes, seed=1, sets=tmp_path / "b", executor=pool)
    assert alone == together
    assert [f.multiply_adds for f in alone] == [5 * 8 + 8 * 12 + 60, 5 * 12 + 12 * 12 + 60, 196]
    assert len(list((tmp_path / "kept").iterdir())) == 3
    assert search(recipes, seed=1, sets=tmp_path / "a", folder=tmp_path / "kept") == alone


@pytest.mark.usefixtures("made_tables_at_hand")
@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_variants_differ_from_the_preset_in_one_thing(table: str) -> None:
    found = variants("quick", table)
    preset = found[3]
    costs = [r.design.multiply_adds(256) for r in found[:5]]
    assert costs == sorted(costs)
    assert len({r.design for r in found}) == len(found) - 1
    assert found[-1].design == preset.design
    assert not any(stage.fluxes for stage in found[-1].stages)
