"""Networks that see all gases, on all experiments of RFMIP: forcing, line by line, unseen air."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.scores import FluxErrors, flux_errors, forcing_errors, solve
from restudy.gasoptics.experiments_networks import Optics, exact_optics, in_float64
from restudy.gasoptics.experiments_reference import Exact, line_by_line_error
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1
from restudy.gasoptics.reference import Fluxes
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.tables import KDistribution

Emulator = Callable[[Atmosphere], Optics]


def emulated_experiments(real: Rfmip, optics: Emulator) -> Fluxes:
    """Compute the fluxes of all experiments of RFMIP with a network.

    Parameters
    ----------
    real : Rfmip
        The atmospheres.
    optics : callable
        From columns of air to their optical properties.

    Returns
    -------
    Fluxes
        (experiments * sites, levels), solved in float64 with one Gauss angle [W/m2].
    """
    found = []
    with torch.no_grad():
        for experiment in range(len(real.experiments)):
            columns = real.atmosphere([experiment])
            found.append(solve(in_float64(optics(columns)), columns, GAUSS_1).total())
    return Fluxes(torch.cat([f.up for f in found]), torch.cat([f.down for f in found]))


def forcing_findings(known: Exact, emulated: Fluxes) -> dict[str, float]:
    """Give the largest errors of the long-wave forcings, for the claims on all gases.

    Parameters
    ----------
    known : Exact
        Fluxes of the tables.
    emulated : Fluxes
        Of a network, from `emulated_experiments`.

    Returns
    -------
    dict of str to float
        Claim and error [W/m2].
    """
    top, surface = forcing_errors(emulated, known.fluxes["longwave"], known.real.weight).worst
    return {"all-gases-top": top, "all-gases-surface": surface}


def line_by_line_findings(known: Exact, emulated: Fluxes, spectrum: str) -> dict[str, float]:
    """Give a network's error against line by line over that of the tables, present day.

    Parameters
    ----------
    known : Exact
        Fluxes of the tables.
    emulated : Fluxes
        Of a network, from `emulated_experiments`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and ratio.
    """
    sites = slice(0, known.real.sites)
    exact = known.fluxes[spectrum]
    network, tables = (
        line_by_line_error(known.real, Fluxes(f.up[sites], f.down[sites]), spectrum)
        for f in (emulated, exact)
    )
    return {f"all-gases-lbl-{spectrum}-{way}": network[way] / tables[way] for way in ("up", "down")}


def errors_of_experiments(known: Exact, emulated: Fluxes, spectrum: str) -> list[FluxErrors]:
    """Give a network's flux errors in each experiment of RFMIP, the present day first.

    Parameters
    ----------
    known : Exact
        Fluxes of the tables.
    emulated : Fluxes
        Of a network, from `emulated_experiments`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    list of FluxErrors
        One for each experiment.
    """
    real, exact = known.real, known.fluxes[spectrum]
    p_lev = real.atmosphere([0]).p_lev
    found = []
    for number in range(len(real.experiments)):
        part = slice(number * real.sites, (number + 1) * real.sites)
        ours, theirs = (Fluxes(f.up[part], f.down[part]) for f in (emulated, exact))
        found.append(flux_errors(ours, theirs, p_lev))
    return found


def unseen_findings(errors: list[FluxErrors], spectrum: str) -> dict[str, float]:
    """Give how much larger the error is in the worst other experiment, from those of each."""
    size = np.array([np.hypot(e.up_rmse, e.down_rmse) for e in errors])
    return {f"unseen-experiments-{spectrum}": float(size[1:].max() / size[0])}


def authors_columns_error(
    table: KDistribution, optics: Emulator, columns: Atmosphere, spectrum: str
) -> dict[str, float]:
    """Give a network's error on the authors' perturbed columns, which it never saw.

    Parameters
    ----------
    table : KDistribution
        The tables, in float64.
    optics : callable
        From columns of air to their optical properties.
    columns : Atmosphere
        The authors' columns, from the top down.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and root mean square error of the downwelling flux [W/m2].
    """
    with torch.no_grad():
        exact = solve(exact_optics(table, columns), columns, DIFFUSIVITY).total()
        emulated = solve(in_float64(optics(columns)), columns, DIFFUSIVITY).total()
    errors = flux_errors(emulated, exact, columns.p_lev)
    return {f"unseen-authors-{spectrum}": errors.down_rmse}
