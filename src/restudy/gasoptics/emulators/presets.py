"""Recipes of the networks that come with the package, and smaller and larger ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.inputs import gases_that_matter
from restudy.gasoptics.emulators.network import Design
from restudy.gasoptics.emulators.training import Recipe, Stage
from restudy.gasoptics.errors import GasOpticsError

# What a preset multiplies: widths, sets of columns, steps, and columns of a step, which a GPU takes
# in the same time; quick has steps and columns of its own.
_PRESETS = {"quick": (1, 1 / 12, 1, 1), "full": (1, 1, 1, 1), "paper": (2, 4, 2, 4)}
_QUICK_STEPS, _QUICK_COLUMNS, _QUICK_SKETCHES = (900, 400), 20, 2


@dataclass(frozen=True)
class _Plan:
    """One line of the table below."""

    hidden: tuple[int, ...]
    blocks: tuple[int, int]
    sets: int
    steps: tuple[int, int]
    columns: int
    kinds: tuple[str, ...] = ("perturbed", "drifted", "perturbed", "anywhere")
    sketches: int = 2
    parts: int = 1
    cuts: tuple[float, ...] = ()


_NEAR = ("perturbed", "drifted")
_WIDE = ("perturbed", "drifted", "perturbed", "tropopauses")
_DEEP_AND_SHALLOW = ("perturbed", "drifted", "shallow", "tropopauses")
_CUTS = (3e4, 6.5e4)  # Pa
_FULL = {
    ("lw-g256", False): _Plan((64,), (48, 32), 24, (4500, 3000), 64, _WIDE),
    ("lw-g256", True): _Plan((160,), (80, 40), 40, (4500, 4000), 64, _NEAR, 6),
    ("lw-g128", False): _Plan((96,), (48, 32), 24, (4000, 2500), 24),
    ("lw-g128", True): _Plan((128,), (48, 32), 40, (5000, 4000), 64, _NEAR),
    ("sw-g224", False): _Plan(
        (128,), (60, 4), 80, (6500, 6500), 32, _DEEP_AND_SHALLOW, 4, parts=4, cuts=_CUTS
    ),
    ("sw-g224", True): _Plan((128,), (60, 4), 40, (6500, 6500), 32, _WIDE, 4, parts=4),
    ("sw-g112", False): _Plan((72,), (56, 8), 24, (6000, 4000), 24),
    ("sw-g112", True): _Plan((72,), (56, 8), 24, (6000, 4000), 24),
}


def preset(name: str, table: str, *, other_gases: bool = False) -> Recipe:
    """Return the recipe of a preset.

    Parameters
    ----------
    name : str
        ``"quick"``: a tenth of the training; ``"full"``: the networks that come with the
        package; ``"paper"``: larger ones, for a GPU.
    table : str
        k-distribution.
    other_gases : bool
        Whether the well-mixed gases are inputs.

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    GasOpticsError
        If there is no such preset or k-distribution, or the tables are not at hand.
    """
    if name not in _PRESETS:
        raise GasOpticsError(f"no preset {name!r}; use {', '.join(_PRESETS)}.")
    if (table, other_gases) not in _FULL:
        known = ", ".join(dict.fromkeys(known for known, _ in _FULL))
        raise GasOpticsError(f"no k-distribution {table!r}; use {known}.")
    plan = _FULL[table, other_gases]
    wider, more_sets, more_steps, more_columns = _PRESETS[name]
    steps = _QUICK_STEPS if name == "quick" else tuple(more_steps * s for s in plan.steps)
    first, second = (wider * width for width in plan.blocks)
    columns = _QUICK_COLUMNS if name == "quick" else more_columns * plan.columns
    design = design_for(
        table,
        tuple(wider * width for width in plan.hidden),
        (first, second),
        other_gases=other_gases,
    )
    design = replace(design, experts=2 + len(plan.cuts), parts=plan.parts, cuts=plan.cuts)
    rates = (2e-2, False), (1e-3, True)
    stages = [
        Stage(count, rate, columns, fluxes)
        for count, (rate, fluxes) in zip(steps, rates, strict=True)
    ]
    return Recipe(
        design,
        other_gases,
        round(more_sets * plan.sets),
        tuple(stages),
        plan.kinds,
        sketches=_QUICK_SKETCHES if name == "quick" else plan.sketches,
    )


def design_for(
    table: str, hidden: tuple[int, ...], blocks: tuple[int, int], *, other_gases: bool
) -> Design:
    """Return a design with the inputs that matter.

    Parameters
    ----------
    table : str
        k-distribution.
    hidden : tuple of int
        Widths of the hidden layers before the last.
    blocks : tuple of int
        Widths of the two blocks of the last.
    other_gases : bool
        Whether the well-mixed gases that vary in the climate are inputs, beside water and ozone.

    Returns
    -------
    Design
        The design.

    Raises
    ------
    GasOpticsError
        If the tables are not at hand.
    """
    matter = gases_that_matter(datasets.k_distribution(table))
    always = {"o2", "n2", "no2"} | (set() if other_gases else set(matter) - {"h2o", "o3"})
    inputs = tuple(gas for gas in matter if gas not in always)
    held = tuple(gas for gas in matter if gas in always)
    return Design(table, inputs, held, hidden, blocks)


def with_steps(recipe: Recipe, share: float) -> Recipe:
    """Return a recipe with a share of the steps, for a search among many."""
    stages = tuple(replace(s, steps=max(1, round(share * s.steps))) for s in recipe.stages)
    return replace(recipe, stages=stages)
