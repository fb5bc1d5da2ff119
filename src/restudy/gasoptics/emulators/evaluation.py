"""Scores of a network on columns it has and has not seen, as plain data for a run record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.les import les_columns
from restudy.gasoptics.emulators.network import LongwaveNetwork, ShortwaveNetwork
from restudy.gasoptics.emulators.scores import (
    FluxErrors,
    flux_errors,
    forcing_errors,
    paper_setup,
    solve,
)
from restudy.gasoptics.emulators.training_sets import SetRecipe, joined_columns, make_set
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1, Quadrature
from restudy.gasoptics.reference import Fluxes, longwave_optics, shortwave_optics
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.standard import WELL_MIXED
from restudy.gasoptics.tables import KDistribution

_BLOCK = 20  # columns at a time
_LOWEST_SUN = math.cos(math.radians(87))  # line-by-line fluxes stop at a zenith angle near 87.6
_VALIDATION = 7_000_000  # seed; no training has it

SIMULATIONS = ("cabauw", "rcemip")
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
    exactly = longwave_optics if network.design.longwave else shortwave_optics
    for at in range(0, columns.columns, _BLOCK):
        part = columns.part(slice(at, at + _BLOCK))
        with torch.no_grad():
            roots = [x.double() for x in network.roots_of(part)]
            ours = solve(network.decoded(roots[0], roots[1], part), part, quadrature).total()
            found.append((ours, solve(exactly(table, part), part, quadrature).total()))
    return _joined([ours for ours, _ in found]), _joined([theirs for _, theirs in found])


def validation_columns(network: Net, base: str) -> Atmosphere:
    """Return columns that no training has seen, by the recipes of the training.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        For its gases.
    base : str
        ``"rfmip"``: other perturbations of the columns that were trained on; ``"standard"``:
        perturbations of the standard atmospheres, which were not, if RFMIP's were at hand.

    Returns
    -------
    Atmosphere
        Half of them perturbed, half drifted, in the paper's set-up.
    """
    copies = 1 if base == "rfmip" else 8
    varied = "co2" in network.design.gases
    parts = []
    for kind in ("perturbed", "drifted"):
        recipe = SetRecipe(network.design.table, base, kind, varied, copies, count=0)
        parts.append(make_set(recipe, np.random.default_rng(_VALIDATION)).columns)
    columns = joined_columns(parts)
    limits = network.range
    held = {
        gas: torch.full_like(columns.p_lay, float(limits.least[0, limits.names.index(gas)]))
        for gas in network.design.held
    }
    return paper_setup(replace(columns, gases=dict(columns.gases) | held))


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
        set-up. ``"validation"`` and ``"validation, standard"`` are for choices between designs;
        the others are tests: ``"present day"``, the authors' columns, columns of large-eddy
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
        "present day": paper_setup(real.atmosphere([0])),
        "authors' columns": paper_setup(datasets.paper_columns()),
        **{f"LES, {name}": _simulated(name, real) for name in SIMULATIONS},
    }
    scores: dict[str, Any] = {}
    for name, columns in inside.items():
        if _fits(network, columns):
            scores[name] = asdict(_errors(network, table, columns))
    others = {
        real.experiments[number]: asdict(_errors(network, table, columns))
        for number in range(1, len(real.experiments))
        for columns in [paper_setup(real.atmosphere([number]))]
        if _fits(network, columns)
    }
    scores["other experiments"] = others
    if len(others) == len(real.experiments) - 1 and network.design.longwave:
        scores["forcing"] = _forcing(network, table, real)
    scores["line by line"] = _line_by_line(network, table, real)
    return scores


def _errors(network: Net, table: KDistribution, columns: Atmosphere) -> FluxErrors:
    return flux_errors(*emulated_and_exact(network, table, columns), columns.p_lev)


def _simulated(name: str, real: Rfmip) -> Atmosphere:
    """Return columns as a large-eddy simulation has them, with the present day's gases."""
    present = {gas: float(x[0, 0]) for gas, x in real.atmosphere([0]).gases.items()}
    mixed = {gas: x for gas, x in present.items() if gas in WELL_MIXED}
    return paper_setup(les_columns(datasets.les_envelope(name), _VALIDATION, 50, mixed))


def _fits(network: Net, columns: Atmosphere) -> bool:
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
    columns = real.atmosphere([0])
    spectrum = "longwave" if network.design.longwave else "shortwave"
    fluxes = datasets.line_by_line_fluxes(spectrum)
    seen = torch.ones(columns.columns, dtype=torch.bool)
    if spectrum == "shortwave":
        seen = columns.mu0 > _LOWEST_SUN
    truth = Fluxes(*(x[: columns.columns][seen] for x in (fluxes.up, fluxes.down)))
    columns = columns.part(seen)
    ours, tables = emulated_and_exact(network, table, columns, GAUSS_1)
    by_tables = flux_errors(tables, truth, columns.p_lev)
    by_network = flux_errors(ours, truth, columns.p_lev)
    return {
        "tables_up": by_tables.up_rmse,
        "network_up": by_network.up_rmse,
        "tables_down": by_tables.down_rmse,
        "network_down": by_network.down_rmse,
    }


def _joined(parts: list[Fluxes]) -> Fluxes:
    return Fluxes(torch.cat([p.up for p in parts]), torch.cat([p.down for p in parts]))
