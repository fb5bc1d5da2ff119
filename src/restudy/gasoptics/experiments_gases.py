"""Networks that see all gases, on all experiments of RFMIP: forcing, line by line, unseen air."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from restudy.answers import Missing, attempt
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.datasets import line_by_line_fluxes, paper_columns
from restudy.gasoptics.emulators.scores import FluxErrors, flux_errors, forcing_errors, solve
from restudy.gasoptics.emulators.weights import shipped, shipped_network
from restudy.gasoptics.errors import ExtrapolationWarning
from restudy.gasoptics.experiments import Setup, Training, ours, ukkonen
from restudy.gasoptics.experiments_networks import Optics, in_float64
from restudy.gasoptics.experiments_reference import FULL, Exact, forcings, line_by_line_error
from restudy.gasoptics.experiments_reference import forcing_findings as of_forcings
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1
from restudy.gasoptics.reference import Fluxes, exact_optics
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
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)  # `flagged` says where
        for experiment in range(len(real.experiments)):
            columns = real.atmosphere([experiment])
            found.append(solve(in_float64(optics(columns)), columns, GAUSS_1).total())
    return Fluxes.joined(found)


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
    network, tables = (
        line_by_line_error(known.real, fluxes.part(sites), spectrum)
        for fluxes in (emulated, known.fluxes[spectrum])
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
        found.append(flux_errors(emulated.part(part), exact.part(part), p_lev))
    return found


def unseen_findings(errors: list[FluxErrors], spectrum: str) -> dict[str, float]:
    """Give how much larger the error is in the worst other experiment, from those of each."""
    size = np.array([np.hypot(e.up_rmse, e.down_rmse) for e in errors])
    return {f"unseen-experiments-{spectrum}": float(size[1:].max() / size[0])}


@dataclass(frozen=True)
class Emulated:
    """Fluxes of networks for all experiments of RFMIP, (experiments * sites, levels) [W/m2].

    Attributes
    ----------
    ours : Fluxes
        Of our network that sees all gases.
    ukkonen : Fluxes or None
        Of those of Ukkonen et al. (2020), where their files are at hand.
    """

    ours: Fluxes
    ukkonen: Fluxes | None


def of_shipped(known: Exact, spectrum: str) -> Emulated:
    """Compute the fluxes of all experiments with the networks that see all gases.

    Parameters
    ----------
    known : Exact
        Holds the atmospheres.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    Emulated
        By ours of the package, and by Ukkonen's.
    """
    ours = shipped_network(f"{FULL[spectrum]}-all-gases")
    others = ukkonen(spectrum)
    return Emulated(
        emulated_experiments(known.real, ours.optics),
        emulated_experiments(known.real, others[0].optics) if others else None,
    )


def findings(known: Exact, emulated: Mapping[str, Emulated]) -> dict[str, float]:
    """Give what the claims on all gases, on unseen experiments and on Ukkonen's networks ask for.

    Parameters
    ----------
    known : Exact
        Fluxes of the tables.
    emulated : mapping of str to Emulated
        For both spectral ranges, from `of_shipped`.

    Returns
    -------
    dict of str to float
        Claim and value; those on line-by-line fluxes only where they are at hand.
    """
    found = forcing_findings(known, emulated["longwave"].ours)
    for spectrum, one in emulated.items():
        errors = errors_of_experiments(known, one.ours, spectrum)
        found |= unseen_findings(errors, spectrum)
        lbl = attempt(partial(line_by_line_findings, known, one.ours, spectrum))
        found |= {} if isinstance(lbl, Missing) else lbl
    theirs = emulated["longwave"].ukkonen
    if theirs is not None:
        errors = errors_of_experiments(known, theirs, "longwave")
        forcings = forcing_errors(theirs, known.fluxes["longwave"], known.real.weight)
        found["ukkonen-heating"] = max(errors[0].troposphere, errors[0].stratosphere)
        found["ukkonen-forcing"] = max(forcings.worst)
    return found


def forcing_table(known: Exact, emulated: Emulated) -> pd.DataFrame:
    """Give the long-wave forcing at the top by all ways to compute it.

    Parameters
    ----------
    known : Exact
        Fluxes of the tables.
    emulated : Emulated
        Of the long wave.

    Returns
    -------
    pandas.DataFrame
        Of `experiments_reference.forcings`: RRTMGP, then line by line and Ukkonen where they are
        at hand, then ours [W/m2].
    """
    fluxes = {"RRTMGP": known.fluxes["longwave"]}
    lines = attempt(lambda: line_by_line_fluxes("longwave"))
    if not isinstance(lines, Missing):
        fluxes["line by line"] = lines
    if emulated.ukkonen is not None:
        fluxes["Ukkonen"] = emulated.ukkonen
    return forcings(known.real, fluxes | {"ours": emulated.ours})


def forcing_table_findings(table: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on forcing ask for, from `forcing_table`."""
    names = {"RRTMGP": "rrtmgp", "line by line": "lbl"}
    found: dict[str, float] = {}
    for column, name in names.items():
        if column in table:
            found |= of_forcings(table, column, name)
    return found


def flagged(known: Exact) -> pd.DataFrame:
    """Give the share of layers of each experiment outside the range of our networks' training.

    Parameters
    ----------
    known : Exact
        Holds the atmospheres.

    Returns
    -------
    pandas.DataFrame
        In percent: one row for each experiment, one column for each network of the package.
    """
    nets = {name: shipped_network(name) for name in shipped()}
    rows = {}
    for number, experiment in enumerate(known.real.experiments):
        columns = known.real.atmosphere([number])
        rows[experiment] = {
            name: 100 * float(net.range.outside(columns).double().mean())
            for name, net in nets.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").round(1)


def authors_columns(
    tables: Mapping[str, KDistribution], found: Training, setup: Setup
) -> dict[str, float]:
    """Give the errors of our networks of water and ozone on the authors' perturbed columns.

    Parameters
    ----------
    tables : mapping of str to KDistribution
        For both spectral ranges, in float64.
    found : Training
        Of this run.
    setup : Setup
        Of this run.

    Returns
    -------
    dict of str to float
        Claim and root mean square error of the downwelling flux [W/m2].

    Raises
    ------
    GasOpticsError
        If the authors' columns are not at hand.
    """
    columns = paper_columns()
    errors = {}
    for spectrum, table in tables.items():
        optics = ours(spectrum, found, setup).optics
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)  # they are tests of just that
            exact = solve(exact_optics(table, columns), columns, DIFFUSIVITY).total()
            emulated = solve(in_float64(optics(columns)), columns, DIFFUSIVITY).total()
        errors[f"unseen-authors-{spectrum}"] = flux_errors(emulated, exact, columns.p_lev).down_rmse
    return errors
