"""Recipes of the networks that come with the package, and smaller and larger ones."""

from __future__ import annotations

from dataclasses import replace

from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.inputs import gases_that_matter
from restudy.gasoptics.emulators.network import Design
from restudy.gasoptics.emulators.training import Recipe, Stage
from restudy.gasoptics.errors import GasOpticsError

# What a preset multiplies: widths, sets of columns, steps; the columns of a step.
_PRESETS = {
    "quick": (1, 1 / 12, (0.15, 0.1), 20),
    "full": (1, 1.0, (1.0, 1.0), 24),
    "paper": (2, 8.0, (8.0, 8.0), 64),
}
# The first hidden layer and both blocks of the second; experts; sets; steps of both stages.
_FULL: dict[tuple[str, bool], tuple[tuple[int, int, int], int, int, tuple[int, int]]] = {
    ("lw-g256", False): ((64, 48, 32), 1, 24, (6000, 4000)),
    ("lw-g256", True): ((128, 64, 32), 1, 24, (7000, 5000)),
    ("lw-g128", False): ((96, 48, 32), 2, 24, (6000, 4000)),
    ("lw-g128", True): ((128, 48, 32), 2, 24, (7000, 5000)),
    ("sw-g224", False): ((64, 48, 8), 2, 24, (6000, 4000)),
    ("sw-g224", True): ((64, 48, 8), 2, 24, (6000, 4000)),
    ("sw-g112", False): ((72, 56, 8), 2, 24, (6000, 4000)),
    ("sw-g112", True): ((72, 56, 8), 2, 24, (6000, 4000)),
}


def preset(name: str, table: str, *, other_gases: bool = False) -> Recipe:
    """Return the recipe of a preset.

    Parameters
    ----------
    name : str
        ``"quick"``: a tenth of the training, in half a minute; ``"full"``: the networks that
        come with the package, in three minutes each on one core; ``"paper"``: larger ones,
        for a GPU.
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
    widths, experts, sets, steps = _FULL[table, other_gases]
    wider, more, longer, columns = _PRESETS[name]
    hidden, first, second = (wider * width for width in widths)
    return Recipe(
        design=design_for(
            table, (hidden,), (first, second), other_gases=other_gases, experts=experts
        ),
        other_gases=other_gases,
        sets=round(more * sets),
        stages=(
            Stage(round(longer[0] * steps[0]), 2e-2, columns, fluxes=False),
            Stage(round(longer[1] * steps[1]), 1e-3, columns, fluxes=True),
        ),
    )


def design_for(
    table: str,
    hidden: tuple[int, ...],
    blocks: tuple[int, int],
    *,
    other_gases: bool,
    activation: str = "leaky relu",
    experts: int = 1,
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
    activation : str
        ``"leaky relu"`` or ``"silu"``.
    experts : int
        1 or 2.

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
    return Design(table, inputs, held, hidden, blocks, activation, experts)


def with_steps(recipe: Recipe, share: float) -> Recipe:
    """Return a recipe with a share of the steps, for a search among many."""
    stages = tuple(replace(s, steps=max(1, round(share * s.steps))) for s in recipe.stages)
    return replace(recipe, stages=stages)
