"""How much the chapter on gas optics computes, and which networks it compares."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from html import escape
from typing import Final, Self

import pandas as pd

from restudy import data
from restudy.answers import Missing
from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.network import LongwaveNetwork, Network, ShortwaveNetwork
from restudy.gasoptics.emulators.paper_networks import LONGWAVE, SHORTWAVE, SIZES, with_surface_of
from restudy.gasoptics.emulators.presets import preset
from restudy.gasoptics.emulators.search import pareto_front, variants
from restudy.gasoptics.emulators.search import search as find
from restudy.gasoptics.emulators.training import Recipe, Trained, train
from restudy.gasoptics.emulators.training_sets import made_sets
from restudy.gasoptics.emulators.weights import shipped_network
from restudy.gasoptics.experiments_les import Tuning
from restudy.gasoptics.experiments_networks import Contender, compare, setup_errors
from restudy.gasoptics.experiments_reference import FULL, HALF
from restudy.gasoptics.reference import LongwaveOptics, longwave_optics
from restudy.gasoptics.tables import KDistribution

OURS: Final = "ours"
ALL_GASES: Final = "ours, all gases"
HALVED: Final = "ours, half the g-points"


@dataclass(frozen=True)
class Setup:
    """How much the chapter computes; no method depends on it.

    Attributes
    ----------
    recipe : str
        Preset of `restudy.gasoptics.emulators.presets.preset`.
    tried : int
        Networks of the search: the first of
        `restudy.gasoptics.emulators.search.variants`, which differ in width.
    share : float
        Share of the recipe's steps for each of them.
    tuning : Tuning or None
        Of the networks for one simulation; None leaves them out.
    """

    recipe: str
    tried: int
    share: float
    tuning: Tuning | None

    @classmethod
    def quick(cls) -> Self:
        """Make a small setup: networks that come with the package, and a short training."""
        return cls("quick", 5, 0.15, None)

    @classmethod
    def full(cls) -> Self:
        """Make a setup that trains the networks of water and ozone of the package again."""
        return cls("full", 9, 0.25, Tuning(epochs=250, sets=8, layers=60_000))

    @classmethod
    def paper(cls) -> Self:
        """Make a setup for a GPU: larger networks, more columns, more steps."""
        return cls("paper", 9, 1.0, Tuning(epochs=500, sets=10, layers=228_000))


@dataclass(frozen=True)
class Training:
    """Networks trained in this run, one for each spectral range.

    Attributes
    ----------
    trained : mapping of str to Trained
        For ``"longwave"`` and ``"shortwave"``.
    seconds : float
        Time on the wall, columns included [s].
    """

    trained: Mapping[str, Trained]
    seconds: float

    def findings(self, setup: Setup) -> dict[str, float]:
        """Give what the claim on the seconds of this setup asks for."""
        return {} if setup.recipe == "paper" else {f"training-{setup.recipe}": self.seconds}

    def history(self) -> dict[str, pd.DataFrame]:
        """Give the losses over the steps: columns ``steps``, ``roots`` and ``fluxes`` [W2/m4]."""
        names = ["steps", "roots", "fluxes"]
        return {
            spectrum: pd.DataFrame(one.record.history, columns=names)
            for spectrum, one in self.trained.items()
        }


def datasets_at_hand() -> tuple[str, ...]:
    """Return the registered datasets of the chapter that are at hand, for its claims."""
    named = [f"rrtmgp-{table}" for table in datasets.TABLES]
    named += [datasets.ATMOSPHERES, datasets.PAPER_COLUMNS, *datasets.LES.values()]
    for pairs in (datasets.REFERENCE, datasets.LINE_BY_LINE, datasets.UKKONEN):
        named += [name for pair in pairs.values() for name in pair]
    named += [f"veerman-networks-{size}" for size in SIZES]
    return tuple(name for name in dict.fromkeys(named) if data.available(name))


def banner(air: datasets.Columns, tables: Mapping[str, KDistribution]) -> str:
    """Say on which columns and tables the chapter runs, as HTML; of our own, what is lacking."""
    said = f"Columns: {escape(air.title)}, of {air.atmosphere.layers} layers."
    points = " and ".join(f"{table.g_points} in the {range_}" for range_, table in tables.items())
    said += f" Tables: {points} (g-points)."
    if not air.dataset:
        said += (
            " RFMIP's atmospheres are not at hand, so claims on them are not measured here: run "
            f"<code>restudy fetch {datasets.ATMOSPHERES}</code>, or name a mirror in "
            "<code>RESTUDY_MIRROR</code>."
        )
    return f"<p><strong>{said}</strong></p>"


def values(found: Mapping[str, float] | Missing) -> Mapping[str, float]:
    """Return what was found for claims; nothing where the question has no answer."""
    return {} if isinstance(found, Missing) else found


def training(
    setup: Setup, *, seed: int, device: str = "cpu", executor: Executor | None = None
) -> Training:
    """Train a network of water and ozone for each spectral range, side by side.

    Parameters
    ----------
    setup : Setup
        Names the recipe.
    seed : int
        Of columns, weights and batches.
    device : str
        On which the steps are done.
    executor : concurrent.futures.Executor, optional
        Where the two are trained: here, one after the other, by default.

    Returns
    -------
    Training
        The networks; they do not depend on the executor.

    Raises
    ------
    GasOpticsError
        If tables or columns are not at hand.
    """
    begun = time.perf_counter()
    recipes = {spectrum: preset(setup.recipe, table) for spectrum, table in FULL.items()}
    if executor is None:
        trained = {s: train(r, seed=seed, device=device) for s, r in recipes.items()}
    else:
        for recipe in recipes.values():
            made_sets(recipe.set_recipes(), seed=seed, executor=executor, device=device)
        waiting = {
            s: executor.submit(train, r, seed=seed, device=device) for s, r in recipes.items()
        }
        trained = {s: future.result() for s, future in waiting.items()}
    return Training(trained, time.perf_counter() - begun)


def search(
    setup: Setup, spectrum: str, *, seed: int, executor: Executor | None = None
) -> pd.DataFrame:
    """Train networks of other widths, activations and losses, and find the front of the best.

    Parameters
    ----------
    setup : Setup
        Names the recipe and the share of its steps.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    seed : int
        Of all trainings.
    executor : concurrent.futures.Executor, optional
        Where they are done; the table does not depend on it.

    Returns
    -------
    pandas.DataFrame
        One row for each network: ``network``, ``multiply_adds``, ``error``, the root mean square of
        both fluxes on columns of validation [W/m2], and whether it is on the ``front``.
    """
    recipes = variants(setup.recipe, FULL[spectrum], share=setup.share)[: setup.tried]
    found = find(recipes, seed=seed, executor=executor)
    front = pareto_front(found)
    rows = [
        {
            "network": _described(one.recipe),
            "multiply_adds": one.multiply_adds,
            "error": one.error,
            "front": one in front,
        }
        for one in found
    ]
    return pd.DataFrame(rows)


def _described(recipe: Recipe) -> str:
    """Say in a few words what a recipe is."""
    design = recipe.design
    widths = "-".join(str(width) for width in design.hidden)
    parts = f"/{design.parts}" if design.parts > 1 else ""
    words = [f"{widths}-({design.blocks[0]}{parts}+{design.blocks[1]})"]
    words += ["SiLU"] if design.activation == "silu" else []
    words += ["one set of weights"] if design.experts == 1 else []
    words += [] if recipe.stages[-1].fluxes else ["roots only"]
    return ", ".join(words)


def contenders(spectrum: str, found: Training, setup: Setup) -> list[Contender]:
    """Give every network at hand for a spectral range, all g-points.

    Parameters
    ----------
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    found : Training
        Of this run.
    setup : Setup
        Of this run: after the short training, the networks of the package are ours, and the one
        just trained is shown beside them.

    Returns
    -------
    list of Contender
        The authors' and Ukkonen's where their files are at hand, then ours.
    """
    mine = {OURS: ours(spectrum, found, setup)}
    if setup.recipe == "quick":
        mine["ours, quick training"] = found.trained[spectrum].network
    mine[ALL_GASES] = shipped_network(f"{FULL[spectrum]}-all-gases")
    entries = [Contender(name, "ours", n.optics, multiply_adds(n)) for name, n in mine.items()]
    return authors(spectrum) + ukkonen(spectrum) + entries


def ours(spectrum: str, found: Training, setup: Setup) -> LongwaveNetwork | ShortwaveNetwork:
    """Return our network of water and ozone: of the package, or after a full training, of it."""
    if setup.recipe == "quick":
        return shipped_network(FULL[spectrum])
    return found.trained[spectrum].network


def with_half(errors: pd.DataFrame, spectrum: str, atmosphere: Atmosphere) -> pd.DataFrame:
    """Add our network of half the g-points, beside its own tables, to the errors of all others.

    Parameters
    ----------
    errors : pandas.DataFrame
        Of `restudy.gasoptics.experiments_networks.setup_errors`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    atmosphere : Atmosphere
        The columns, from the top down, in float64.

    Returns
    -------
    pandas.DataFrame
        With one row more.
    """
    network = shipped_network(HALF[spectrum])
    one = Contender(HALVED, "ours", network.optics, multiply_adds(network))
    found = compare(datasets.k_distribution(HALF[spectrum]), atmosphere, [one])
    return pd.concat([errors, setup_errors(found)])


def authors(spectrum: str) -> list[Contender]:
    """Give the authors' networks whose files are at hand, from the smallest to the largest.

    In the long wave the ground emits what it does by the tables: the authors scale the source of
    the lowest layer, whose error comes on top of theirs in the upwelling flux.
    """
    found = []
    for size in SIZES:
        dataset = f"veerman-networks-{size}"
        if data.available(dataset):
            if spectrum == "longwave":
                long = datasets.paper_longwave(size)
                optics, cost = _with_exact_ground(long.optics), long.multiply_adds
                found.append(Contender(size, "authors", optics, cost, (dataset,)))
            else:
                short = datasets.paper_shortwave(size)
                cost = short.multiply_adds
                found.append(Contender(size, "authors", short.optics, cost, (dataset,)))
    return found


def _with_exact_ground(
    optics: Callable[[Atmosphere], LongwaveOptics],
) -> Callable[[Atmosphere], LongwaveOptics]:
    """Give the ground its exact source, which the authors' networks say nothing of."""
    table = datasets.k_distribution(FULL["longwave"])

    def found(atmosphere: Atmosphere) -> LongwaveOptics:
        return with_surface_of(optics(atmosphere), longwave_optics(table, atmosphere))

    return found


def ukkonen(spectrum: str) -> list[Contender]:
    """Give the networks of Ukkonen et al. (2020) if their files are at hand."""
    names = datasets.UKKONEN[spectrum]
    if not all(data.available(name) for name in names):
        return []
    network = (
        datasets.ukkonen_longwave() if spectrum == "longwave" else datasets.ukkonen_shortwave()
    )
    return [Contender("Ukkonen 2020", "Ukkonen", network.optics, network.multiply_adds, names)]


def multiply_adds(network: Network) -> int:
    """Return the multiplications of a network of ours for one layer of air."""
    return network.design.multiply_adds(network.spectrum.g_points)


def authors_multiply_adds(spectrum: str, size: str = "64-64") -> int:
    """Return the multiplications of the authors' networks of a size, from its widths.

    Examples
    --------
    >>> authors_multiply_adds("longwave"), authors_multiply_adds("shortwave")
    (74368, 37376)
    """
    quantities, g = (LONGWAVE, 256) if spectrum == "longwave" else (SHORTWAVE, 224)
    total = 0
    for quantity in quantities:
        widths = (quantity.inputs(ozone=True), *SIZES[size], quantity.parts * g)
        total += sum(a * b for a, b in itertools.pairwise(widths))
    return total


def shown(errors: pd.DataFrame) -> list[str]:
    """Return the networks that detailed figures show: the authors' 64-64 if at hand, and ours."""
    return [name for name in ("64-64", OURS) if name in errors.index]


def error_table(errors: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the errors of both spectral ranges into one table for reading."""
    names = {
        "multiply_adds": "multiply-adds",
        "up_rmse": "up, rms [W/m²]",
        "up_max": "up, largest",
        "down_rmse": "down, rms [W/m²]",
        "down_max": "down, largest",
        "troposphere": "troposphere [K/day]",
        "stratosphere": "stratosphere [K/day]",
    }
    both = {
        spectrum: table[list(names)].rename(columns=names) for spectrum, table in errors.items()
    }
    return pd.concat(both).round(4)


def own_errors(own: Mapping[str, pd.DataFrame | Missing]) -> dict[str, float]:
    """Return RRTMGP's own error of the downwelling flux, where it is known [W/m2]."""
    return {
        spectrum: float(table["down"].to_numpy()[0])
        for spectrum, table in own.items()
        if not isinstance(table, Missing)
    }


def side_by_side(own: Mapping[str, pd.DataFrame | Missing]) -> pd.DataFrame | Missing:
    """Put RRTMGP's own errors of both spectral ranges into one table, or say why there is none."""
    tables = []
    for table in own.values():
        if isinstance(table, Missing):
            return table
        tables.append(table)
    whole = pd.concat(tables).rename(columns=lambda name: f"{name}, rms [W/m²]")
    return whole.round(3)


def cost_findings(errors: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Give the cost of our networks over that of the authors' 64-64, for the claims on it."""
    return {
        f"ours-{spectrum}-cost": float(
            table["multiply_adds"].to_dict()[OURS] / authors_multiply_adds(spectrum)
        )
        for spectrum, table in errors.items()
    }


def mean_findings(errors: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Give the largest mean error of a level of the authors' networks with hidden layers."""
    found = [
        float(mean)
        for table in errors.values()
        for name, group, mean in zip(table.index, table["group"], table["mean"], strict=True)
        if group == "authors" and name != "linear"
    ]
    return {"paper-average": max(found)} if found else {}
