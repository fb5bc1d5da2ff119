"""Scores of a network on columns it has and has not seen, as plain data for a run record."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import Atmosphere, joined_columns
from restudy.gasoptics.emulators.les import les_columns, mean_column, with_air_above
from restudy.gasoptics.emulators.network import LongwaveNetwork, ShortwaveNetwork
from restudy.gasoptics.emulators.scores import (
    FluxErrors,
    flux_errors,
    forcing_errors,
    paper_setup,
    solve,
)
from restudy.gasoptics.emulators.training_sets import SetRecipe, make_set
from restudy.gasoptics.experiments_reference import line_by_line_error
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1, Quadrature
from restudy.gasoptics.reference import Fluxes, exact_optics
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.standard import WELL_MIXED
from restudy.gasoptics.tables import KDistribution

_BLOCK = 20  # columns at a time
_VALIDATION = 7_000_000  # seed; no training has it

SIMULATIONS = tuple(datasets.LES)
Net = LongwaveNetwork | ShortwaveNetwork


def emulated_and_exact(
    network: Net,
    table: KDistribution,
    columns: Atmosphere,
    quadrature: Quadrature = DIFFUSIVITY,
) -> tuple[Fluxes, Fluxes]:
    """Return the fluxes of a network and of the tables, in float64 and from the top down.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        The network.
    table : KDistribution
        Its tables, in float64.
    columns : Atmosphere
        From the top down, in float64.
    quadrature : Quadrature
        Rays of the long wave.

    Returns
    -------
    tuple of Fluxes
        Of the network, whose outputs are of float32, and of the tables.
    """
    found: list[tuple[Fluxes, Fluxes]] = []
    for at in range(0, columns.columns, _BLOCK):
        part = columns.part(slice(at, at + _BLOCK))
        with torch.no_grad():
            roots = [x.double() for x in network.roots_of(part)]
            mine = solve(network.decoded(roots[0], roots[1], part), part, quadrature).total()
            found.append((mine, solve(exact_optics(table, part), part, quadrature).total()))
    ours, theirs = zip(*found, strict=True)
    return Fluxes.joined(ours), Fluxes.joined(theirs)


def validation_columns(
    network: Net, base: str, kinds: Sequence[str] = ("perturbed", "drifted")
) -> Atmosphere:
    """Return columns that no training has seen, by the recipes of the training.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        For its gases.
    base : str
        ``"rfmip"``: other perturbations of the columns that were trained on; ``"standard"``:
        perturbations of the standard atmospheres, which were not, if RFMIP's were at hand.
    kinds : sequence of str
        Of `restudy.gasoptics.emulators.training_sets.SetRecipe`.

    Returns
    -------
    Atmosphere
        As many of each kind, in the paper's set-up.
    """
    copies = 1 if base == "rfmip" else 8
    varied = "co2" in network.design.gases
    parts = []
    for kind in kinds:
        recipe = SetRecipe(network.design.table, base, kind, varied, copies, count=0)
        parts.append(make_set(recipe, np.random.default_rng(_VALIDATION)).columns)
    columns = joined_columns(parts)
    limits = network.range
    held = {
        gas: torch.full_like(columns.p_lay, float(limits.least[0, limits.names.index(gas)]))
        for gas in network.design.held
    }
    return paper_setup(replace(columns, gases=dict(columns.gases) | held))


def simulated_columns(
    simulation: str, air: datasets.Columns, *, covered: bool
) -> tuple[Atmosphere, int]:
    """Return columns as a large-eddy simulation has them, with the gases of other columns.

    Parameters
    ----------
    simulation : str
        One of `SIMULATIONS`.
    air : datasets.Columns
        Where gases that are well mixed are from, and the air above.
    covered : bool
        Whether the mean of these columns lies above the domain, as models of limited height have
        it; without, nothing is there but the sun.

    Returns
    -------
    columns : Atmosphere
        In the paper's set-up, from the top down.
    added : int
        Layers above the domain.

    Raises
    ------
    GasOpticsError
        If the envelope of the simulation is not at hand.
    """
    mixed = {gas: float(air.atmosphere.gases[gas][0, 0]) for gas in WELL_MIXED}
    columns = les_columns(datasets.les_envelope(simulation), _VALIDATION, 50, mixed)
    above = mean_column(air.atmosphere, air.weight)
    whole, added = with_air_above(columns, above) if covered else (columns, 0)
    return paper_setup(whole), added


def evaluate(network: Net) -> dict[str, Any]:
    """Score a network on all that is at hand.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        The network.

    Returns
    -------
    dict
        By name of the columns: errors of fluxes [W/m2] and heating rates [K/day], in the paper's
        set-up. Those that begin with ``"validation"`` are for choices between designs: columns of
        RFMIP and standard atmospheres by the recipes of the training, and the latter cut off at the
        top. The others are tests: ``"present day"``, the authors' columns, columns of large-eddy
        simulations, the other experiments of RFMIP (those with present-day gases where these are
        no inputs), the forcing of the other experiments, and the errors beside line-by-line
        fluxes.

    Raises
    ------
    GasOpticsError
        If the tables or RFMIP's columns are not at hand.
    """
    table, real = datasets.k_distribution(network.design.table), datasets.rfmip()
    inside = {
        "validation": validation_columns(network, "rfmip"),
        "validation, standard": validation_columns(network, "standard"),
        "validation, shallow": validation_columns(network, "standard", ["shallow"]),
        "present day": paper_setup(real.atmosphere([0])),
        "authors' columns": paper_setup(datasets.paper_columns()),
    }
    scores: dict[str, Any] = {}
    for name, columns in inside.items():
        if fits(network, columns):
            scores[name] = asdict(errors_of(network, table, columns))
    air = datasets.columns("rfmip")
    for name, covered in itertools.product(SIMULATIONS, (False, True)):
        columns, added = simulated_columns(name, air, covered=covered)
        label = f"LES, {name}, air above" if covered else f"LES, {name}"
        scores[label] = asdict(errors_of(network, table, columns, added))
    others = {
        real.experiments[number]: asdict(errors_of(network, table, columns))
        for number in range(1, len(real.experiments))
        for columns in [paper_setup(real.atmosphere([number]))]
        if fits(network, columns)
    }
    scores["other experiments"] = others
    if len(others) == len(real.experiments) - 1 and network.design.longwave:
        scores["forcing"] = _forcing(network, table, real)
    scores["line by line"] = _line_by_line(network, table, real)
    return scores


def errors_of(
    network: Net, table: KDistribution, columns: Atmosphere, above: int = 0
) -> FluxErrors:
    """Return a network's errors of fluxes and heating rates, with the paper's one ray.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        The network.
    table : KDistribution
        Its tables, in float64.
    columns : Atmosphere
        From the top down, in float64.
    above : int
        Layers at the top that are solved for but not looked at.

    Returns
    -------
    FluxErrors
        The errors.
    """
    ours, exact = (
        Fluxes(x.up[:, above:], x.down[:, above:])
        for x in emulated_and_exact(network, table, columns)
    )
    return flux_errors(ours, exact, columns.p_lev[:, above:])


def fits(network: Net, columns: Atmosphere) -> bool:
    """Return whether the gases that the network takes to be fixed have that value."""
    names, limits = network.range.names, network.range
    for gas in network.design.held:
        low = float(limits.least[:, names.index(gas)].min())
        x = columns.gases[gas]
        if float((x - low).abs().max()) > 0.01 * low:
            return False
    return True


def _forcing(network: Net, table: KDistribution, real: Rfmip) -> dict[str, Any]:
    pairs = emulated_and_exact(network, table, real.atmosphere(), GAUSS_1)
    found = forcing_errors(*pairs, real.weight)
    by_name: dict[str, Mapping[str, float]] = {
        name: {
            "top": float(found.top[i]),
            "top_error": float(found.top_error[i]),
            "surface": float(found.surface[i]),
            "surface_error": float(found.surface_error[i]),
        }
        for i, name in enumerate(real.experiments[1:])
    }
    return {"worst_top": found.worst[0], "worst_surface": found.worst[1], "experiments": by_name}


def _line_by_line(network: Net, table: KDistribution, real: Rfmip) -> dict[str, float]:
    """Return the present day's errors of the tables and of the network beside LBLRTM [W/m2]."""
    spectrum = "longwave" if network.design.longwave else "shortwave"
    ours, tables = emulated_and_exact(network, table, real.atmosphere([0]), GAUSS_1)
    found = {
        name: line_by_line_error(real, fluxes, spectrum)
        for name, fluxes in (("tables", tables), ("network", ours))
    }
    return {f"{name}_{way}": found[name][way] for way in ("up", "down") for name in found}
