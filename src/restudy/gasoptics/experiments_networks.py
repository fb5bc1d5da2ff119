"""Every network at hand in the paper's set-up: fluxes, bands, worst columns."""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.scores import (
    ALBEDO,
    ZENITH,
    SpectralFluxes,
    band_errors,
    flux_errors,
    paper_setup,
    solve,
)
from restudy.gasoptics.errors import ExtrapolationWarning
from restudy.gasoptics.longwave import DIFFUSIVITY
from restudy.gasoptics.planck import ThermalSource
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics, exact_optics
from restudy.gasoptics.tables import KDistribution

Optics = LongwaveOptics | ShortwaveOptics

# Order in which the claim on sizes counts the authors' networks.
ORDER: Final = ("linear", "32", "32-32", "64-64", "32-64-128")


@dataclass(frozen=True)
class Contender:
    """A network for one spectral range.

    Attributes
    ----------
    name : str
        What it is called in figures and tables.
    group : str
        Whose it is: ``"authors"``, ``"Ukkonen"`` or ``"ours"``.
    optics : callable
        From columns of air to their optical properties.
    multiply_adds : int
        Multiplications for one layer of air in one column.
    data : tuple of str
        Registered datasets it was read from; none if it comes with the package.
    """

    name: str
    group: str
    optics: Callable[[Atmosphere], Optics]
    multiply_adds: int
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The fluxes of several networks beside those of the tables, in the paper's set-up.

    Attributes
    ----------
    table : KDistribution
        The tables.
    atmosphere : Atmosphere
        The columns in the paper's set-up, from the top down.
    exact : SpectralFluxes
        From the tables in float64.
    emulated : mapping of str to SpectralFluxes
        By the name of the network.
    contenders : tuple of Contender
        The networks.
    """

    table: KDistribution
    atmosphere: Atmosphere
    exact: SpectralFluxes
    emulated: Mapping[str, SpectralFluxes]
    contenders: tuple[Contender, ...]


def in_float64(optics: Optics) -> Optics:
    """Return the optics in float64: a solver in float32 has errors as large as a good network's."""
    if isinstance(optics, ShortwaveOptics):
        return ShortwaveOptics(optics.tau.double(), optics.ssa.double(), optics.incoming.double())
    source = optics.source
    radiances = (x.double() for x in (source.layer, source.level, source.surface))
    return LongwaveOptics(optics.tau.double(), ThermalSource(*radiances))


def setup_said() -> str:
    """Say in a sentence what the paper's set-up is."""
    ray = DIFFUSIVITY.secants[0]
    return (
        f"The paper's set-up: one ray with D = {ray:g} in the long wave, in the short wave the sun "
        f"at {math.degrees(ZENITH):g}° over ground of the albedo {ALBEDO:g}."
    )


def compare(
    table: KDistribution, atmosphere: Atmosphere, contenders: Sequence[Contender]
) -> Comparison:
    """Solve for the fluxes of every network in the paper's set-up.

    Parameters
    ----------
    table : KDistribution
        The tables that the networks stand for, in float64.
    atmosphere : Atmosphere
        The columns, from the top down, in float64.
    contenders : sequence of Contender
        The networks.

    Returns
    -------
    Comparison
        All fluxes at each g-point.
    """
    columns = paper_setup(atmosphere)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)  # `experiments_gases.flagged` says it
        emulated = {one.name: solve(in_float64(one.optics(columns)), columns) for one in contenders}
        exact = solve(exact_optics(table, columns), columns)
    return Comparison(table, columns, exact, emulated, tuple(contenders))


def setup_errors(comparison: Comparison) -> pd.DataFrame:
    """Give the errors of every network.

    Parameters
    ----------
    comparison : Comparison
        Of `compare`.

    Returns
    -------
    pandas.DataFrame
        One row for each network: ``group``, ``multiply_adds``, root mean square and largest error
        of both fluxes [W/m2], root mean square error of the heating rate in the troposphere and
        the stratosphere [K/day], and ``mean``, the largest mean absolute error of a level [W/m2].
    """
    rows = {}
    for one in comparison.contenders:
        emulated, exact = comparison.emulated[one.name].total(), comparison.exact.total()
        errors = flux_errors(emulated, exact, comparison.atmosphere.p_lev)
        means = [
            float((a - b).abs().mean(dim=0).max())
            for a, b in ((emulated.up, exact.up), (emulated.down, exact.down))
        ]
        rows[one.name] = {
            "group": one.group,
            "multiply_adds": one.multiply_adds,
            **dataclasses.asdict(errors),
            "mean": max(means),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def errors_of_bands(comparison: Comparison, names: Sequence[str]) -> pd.DataFrame:
    """Give the error of the fluxes of each band, the larger of up and down.

    Parameters
    ----------
    comparison : Comparison
        Of `compare`.
    names : sequence of str
        Which networks.

    Returns
    -------
    pandas.DataFrame
        One row for each band, named by its first wavenumber [1/cm]; one column for each network,
        root mean square error [W/m2].
    """
    table = comparison.table
    found = {}
    for name in names:
        errors = band_errors(comparison.emulated[name], comparison.exact, table.bands)
        found[name] = np.maximum(errors.up_rmse, errors.down_rmse)
    return pd.DataFrame(found, index=[f"{first:.0f}" for first, _ in table.wavenumbers])


def worst_profile(comparison: Comparison, names: Sequence[str]) -> pd.DataFrame:
    """Give the flux errors at all levels of the column where each network is at its worst.

    Parameters
    ----------
    comparison : Comparison
        Of `compare`.
    names : sequence of str
        Which networks.

    Returns
    -------
    pandas.DataFrame
        Columns ``network``, ``group``, ``pressure`` [hPa], ``up`` and ``down`` [W/m2].
    """
    group_of = {one.name: one.group for one in comparison.contenders}
    exact, p_lev = comparison.exact.total(), comparison.atmosphere.p_lev
    parts = []
    for name in names:
        emulated = comparison.emulated[name].total()
        worst = flux_errors(emulated, exact, p_lev).worst_column
        parts.append(
            pd.DataFrame(
                {
                    "network": name,
                    "group": group_of[name],
                    "pressure": p_lev[worst].numpy() / 100,
                    "up": (emulated.up - exact.up)[worst].numpy(),
                    "down": (emulated.down - exact.down)[worst].numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def paper_findings(errors: pd.DataFrame, spectrum: str) -> dict[str, float]:
    """Give what the claims on the authors' networks ask for, of one spectral range.

    Parameters
    ----------
    errors : pandas.DataFrame
        Of `setup_errors`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and value; only of networks that are there.
    """
    rows = _rows(errors)
    authors = {name: row for name, row in rows.items() if row["group"] == "authors"}
    found = {
        f"paper-{spectrum}-{size}": max(row["up_max"], row["down_max"])
        for size, row in authors.items()
        if size != "linear"
    }
    if "64-64" in authors:
        found[f"paper-64-64-{spectrum}"] = authors["64-64"]["down_rmse"]
    if spectrum == "longwave" and set(ORDER) <= set(authors):
        in_order = [authors[size]["down_rmse"] for size in ORDER]
        found["paper-order"] = sum(a > b for a, b in itertools.pairwise(in_order))
    return {claim: float(value) for claim, value in found.items()}


def our_findings(
    errors: pd.DataFrame, bands: pd.DataFrame, spectrum: str, name: str
) -> dict[str, float]:
    """Give what the claims on our network ask for, of one spectral range.

    Parameters
    ----------
    errors, bands : pandas.DataFrame
        Of `setup_errors` and `errors_of_bands`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    name : str
        Our network.

    Returns
    -------
    dict of str to float
        Claim and value.
    """
    row = _rows(errors)[name]
    found = {
        f"ours-{spectrum}-up": row["up_rmse"],
        f"ours-{spectrum}-down": row["down_rmse"],
        f"ours-{spectrum}-troposphere": row["troposphere"],
        f"ours-{spectrum}-stratosphere": row["stratosphere"],
        f"ours-{spectrum}-band": bands[name].max(),
    }
    return {claim: float(value) for claim, value in found.items()}


def _rows(table: pd.DataFrame) -> dict[str, dict[Hashable, Any]]:
    """Return the rows of a table by their names."""
    return {str(name): row for name, row in table.to_dict("index").items()}
