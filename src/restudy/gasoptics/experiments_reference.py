"""The reference beside what is known: official fluxes, single precision, line by line, forcing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.datasets import k_distribution, line_by_line_fluxes, reference_fluxes
from restudy.gasoptics.emulators.scores import forcing
from restudy.gasoptics.reference import Fluxes, longwave, shortwave
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.tables import KDistribution

Solver = Callable[[KDistribution, Atmosphere], Fluxes]

SOLVERS: Final[Mapping[str, Solver]] = {"longwave": longwave, "shortwave": shortwave}
FULL: Final = {"longwave": "lw-g256", "shortwave": "sw-g224"}
HALF: Final = {"longwave": "lw-g128", "shortwave": "sw-g112"}
# Line-by-line fluxes leave out a site whose sun is lower than this [cosine of the zenith angle].
LOWEST_SUN: Final = float(np.cos(np.deg2rad(87.0)))
# Claim: number of the experiment of RFMIP, beside the present day.
FORCINGS: Final = {"4xco2": 2, "8xco2": 7, "plus-4k": 13}


@dataclass(frozen=True)
class Exact:
    """Fluxes of the torch reference for all experiments of RFMIP.

    Attributes
    ----------
    real : Rfmip
        The atmospheres.
    fluxes : mapping of str to Fluxes
        For ``"longwave"`` and ``"shortwave"``, (experiments * sites, levels) [W/m2].
    """

    real: Rfmip
    fluxes: Mapping[str, Fluxes]


def all_experiments(
    real: Rfmip, spectrum: str, dtype: torch.dtype = torch.float64, table: str = ""
) -> Fluxes:
    """Compute the fluxes of all experiments, one after the other, as the official files have them.

    Parameters
    ----------
    real : Rfmip
        The atmospheres.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.
    dtype : torch.dtype
        Precision of tables, columns and solver.
    table : str
        Name of the k-distribution; by default the one with all g-points.

    Returns
    -------
    Fluxes
        (experiments * sites, levels) [W/m2].
    """
    tables = k_distribution(table or FULL[spectrum]).to(dtype=dtype)
    found = [
        SOLVERS[spectrum](tables, real.atmosphere([e]).to(dtype=dtype))
        for e in range(len(real.experiments))
    ]
    return Fluxes.joined(found)


def exact(real: Rfmip) -> Exact:
    """Compute the fluxes of all experiments in float64.

    Parameters
    ----------
    real : Rfmip
        The atmospheres.

    Returns
    -------
    Exact
        Both spectral ranges.
    """
    return Exact(real, {spectrum: all_experiments(real, spectrum) for spectrum in SOLVERS})


def largest(a: Fluxes, b: Fluxes) -> float:
    """Return the largest difference of two sets of fluxes, up or down [W/m2]."""
    pairs = (a.up, b.up), (a.down, b.down)
    return max(float((x.double() - y.double()).abs().max()) for x, y in pairs)


def official(known: Exact, spectrum: str) -> dict[str, float]:
    """Compare with RRTMGP's official fluxes.

    Parameters
    ----------
    known : Exact
        Our fluxes.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and largest difference [W/m2].
    """
    return {f"official-{spectrum}": largest(known.fluxes[spectrum], reference_fluxes(spectrum))}


def single_precision(known: Exact, spectrum: str) -> dict[str, float]:
    """Compare the same code in float32 with float64.

    Parameters
    ----------
    known : Exact
        Fluxes in float64.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and largest difference [W/m2].
    """
    single = all_experiments(known.real, spectrum, torch.float32)
    return {f"float32-{spectrum}": largest(single, known.fluxes[spectrum])}


def line_by_line(known: Exact, spectrum: str) -> pd.DataFrame:
    """Give RRTMGP's own error: its fluxes of the present day against line-by-line ones.

    Parameters
    ----------
    known : Exact
        Our fluxes, all g-points.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``; in the latter only sites whose sun is high enough.

    Returns
    -------
    pandas.DataFrame
        Root mean square of the error [W/m2] over sites and levels, and at the surface: one row
        for each k-distribution, columns ``up``, ``down``, ``surface``.
    """
    present = known.real.atmosphere([0])
    sites = slice(0, known.real.sites)
    ours = {
        FULL[spectrum]: known.fluxes[spectrum].part(sites),
        HALF[spectrum]: SOLVERS[spectrum](k_distribution(HALF[spectrum]), present),
    }
    rows = {name: line_by_line_error(known.real, fluxes, spectrum) for name, fluxes in ours.items()}
    return pd.DataFrame(rows).T


def line_by_line_error(real: Rfmip, fluxes: Fluxes, spectrum: str) -> dict[str, float]:
    """Return the root mean square error of present-day fluxes against line-by-line ones.

    Parameters
    ----------
    real : Rfmip
        The atmospheres.
    fluxes : Fluxes
        Of its sites in the present day, (sites, levels) [W/m2].
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        ``up`` and ``down`` over sites and levels, ``surface`` of the downwelling flux [W/m2].
    """
    truth = line_by_line_fluxes(spectrum)
    present = real.atmosphere([0])
    lit = present.mu0 > LOWEST_SUN if spectrum == "shortwave" else torch.ones_like(present.mu0) > 0
    error_up = (fluxes.up - truth.up[: real.sites])[lit]
    error_down = (fluxes.down - truth.down[: real.sites])[lit]
    return {
        "up": float(error_up.square().mean().sqrt()),
        "down": float(error_down.square().mean().sqrt()),
        "surface": float(error_down[:, -1].square().mean().sqrt()),
    }


def line_by_line_findings(errors: pd.DataFrame, spectrum: str) -> dict[str, float]:
    """Give what the claims on line-by-line fluxes ask for, from `line_by_line`."""
    rows = errors.to_dict("index")
    full, half = rows[FULL[spectrum]], rows[HALF[spectrum]]
    found = {
        f"lbl-{spectrum}-down": full["down"],
        f"lbl-{spectrum}-up": full["up"],
        f"lbl-half-{spectrum}": half["down"] / full["down"],
    }
    if spectrum == "shortwave":
        found["lbl-surface-shortwave"] = full["surface"]
    return {claim: float(value) for claim, value in found.items()}


def forcings(real: Rfmip, fluxes: Mapping[str, Fluxes]) -> pd.DataFrame:
    """Give the forcing of each experiment at the top by several ways to compute the fluxes.

    Parameters
    ----------
    real : Rfmip
        The atmospheres.
    fluxes : mapping of str to Fluxes
        By the name of the way, (experiments * sites, levels) [W/m2].

    Returns
    -------
    pandas.DataFrame
        One row for each of the experiments but the present day, one column for each way [W/m2].
    """
    table = {name: forcing(found, real.weight)[0] for name, found in fluxes.items()}
    return pd.DataFrame(table, index=list(real.experiments[1:]))


def forcing_findings(table: pd.DataFrame, column: str, name: str) -> dict[str, float]:
    """Give what the claims on forcing ask for: of one column of `forcings`, under a short name."""
    return {
        f"forcing-{claim}-{name}": float(table[column].to_numpy()[experiment - 1])
        for claim, experiment in FORCINGS.items()
    }
