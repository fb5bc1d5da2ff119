"""The search for networks that are both cheap and accurate: a sweep over designs and losses."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.evaluation import emulated_and_exact, validation_columns
from restudy.gasoptics.emulators.presets import preset, with_steps
from restudy.gasoptics.emulators.scores import flux_errors
from restudy.gasoptics.emulators.training import Recipe, train
from restudy.gasoptics.emulators.training_sets import kept_sets, made_sets
from restudy.parallel import sweep

_EACH = 4  # of the columns of validation, every fourth


@dataclass(frozen=True)
class Finding:
    """One network of a search.

    Attributes
    ----------
    recipe : Recipe
        What it is and how it was trained.
    multiply_adds : int
        Of one layer of air.
    up_rmse, down_rmse : float
        Root mean square error on the columns of validation [W/m2].
    troposphere, stratosphere : float
        Root mean square error of the heating rate there [K/day].
    """

    recipe: Recipe
    multiply_adds: int
    up_rmse: float
    down_rmse: float
    troposphere: float
    stratosphere: float

    @property
    def error(self) -> float:
        """Root mean square error of both fluxes [W/m2]."""
        return float(np.sqrt((self.up_rmse**2 + self.down_rmse**2) / 2))


@dataclass(frozen=True)
class _Point:
    recipe: Recipe
    seed: int
    folder: str


def search(
    recipes: Sequence[Recipe],
    *,
    seed: int,
    executor: concurrent.futures.Executor | None = None,
    sets: Path | None = None,
    folder: Path | None = None,
) -> list[Finding]:
    """Train a network by each recipe and score it on columns of validation.

    Parameters
    ----------
    recipes : sequence of Recipe
        What to try.
    seed : int
        Of all trainings: they differ in nothing but the recipe.
    executor : concurrent.futures.Executor, optional
        As for `restudy.parallel.sweep`; the findings do not depend on it.
    sets : pathlib.Path, optional
        Where columns are kept, on all machines; by default inside the cache of `restudy.data`.
    folder : pathlib.Path, optional
        Where finished networks' scores are kept, so that a search goes on where it stopped.

    Returns
    -------
    list of Finding
        One a recipe.

    Raises
    ------
    SweepError
        If trainings fail, after all others are done.
    """
    where = kept_sets() if sets is None else sets
    for needed in {tuple(recipe.set_recipes()): None for recipe in recipes}:
        made_sets(needed, seed=seed, executor=executor, folder=where)
    points = [_Point(recipe, seed, str(where)) for recipe in recipes]
    found = sweep(score, points, seed=seed, executor=executor, folder=folder)
    return [Finding(recipe, **scores) for recipe, scores in zip(recipes, found, strict=True)]


def score(point: _Point, rng: np.random.Generator) -> dict[str, Any]:
    """Train one network and score it; `rng` is not used, the seed of all trainings is one."""
    trained = train(point.recipe, seed=point.seed, folder=Path(point.folder))
    network, table = trained.network, datasets.k_distribution(point.recipe.design.table)
    base = point.recipe.set_recipes()[0].base
    columns = validation_columns(network, base).part(slice(None, None, _EACH))
    errors = flux_errors(*emulated_and_exact(network, table, columns), columns.p_lev)
    return {
        "multiply_adds": trained.record.multiply_adds,
        "up_rmse": errors.up_rmse,
        "down_rmse": errors.down_rmse,
        "troposphere": errors.troposphere,
        "stratosphere": errors.stratosphere,
    }


def variants(
    name: str, table: str, *, other_gases: bool = False, share: float = 1.0
) -> list[Recipe]:
    """Return recipes around that of a preset: narrower and wider, other activations and losses.

    Parameters
    ----------
    name : str
        Preset of `restudy.gasoptics.emulators.presets.preset`.
    table : str
        k-distribution.
    other_gases : bool
        Whether the well-mixed gases are inputs.
    share : float
        Share of the preset's steps.

    Returns
    -------
    list of Recipe
        The widths times 1/4, 1/2, 3/4, 1 and 3/2; then, at the widths of the preset, SiLU, one
        set of weights where it has several or two where it has one, a second hidden layer, and
        roots alone as the loss.
    """
    middle = with_steps(preset(name, table, other_gases=other_gases), share)
    design = middle.design
    found = []
    for factor in (0.25, 0.5, 0.75, 1.0, 1.5):
        hidden = tuple(max(4, round(factor * width)) for width in design.hidden)
        first = design.parts * max(4, round(factor * design.blocks[0] / design.parts))
        second = max(4, round(factor * design.blocks[1]))
        found.append(replace(middle, design=replace(design, hidden=hidden, blocks=(first, second))))
    others = (
        replace(design, activation="silu"),
        replace(design, experts=1 if design.experts > 1 else 2, cuts=()),
        replace(design, hidden=(*design.hidden, design.hidden[-1])),
    )
    found += [replace(middle, design=other) for other in others]
    roots_only = tuple(replace(stage, fluxes=False) for stage in middle.stages)
    return [*found, replace(middle, stages=roots_only)]


def pareto_front(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that no other beats in both cost and error, the cheapest first.

    Parameters
    ----------
    findings : sequence of Finding
        Networks for one k-distribution.

    Returns
    -------
    list of Finding
        Rising in cost and falling in error.
    """
    front: list[Finding] = []
    for one in sorted(findings, key=lambda f: (f.multiply_adds, f.error)):
        if not front or one.error < front[-1].error:
            front.append(one)
    return front
