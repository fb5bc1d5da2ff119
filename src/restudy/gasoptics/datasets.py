"""Where tables, columns and reference fluxes come from: registered files, or columns of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from restudy import data
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.les import Envelope, read_envelope
from restudy.gasoptics.emulators.paper_files import (
    read_paper_columns,
    read_paper_longwave,
    read_paper_shortwave,
)
from restudy.gasoptics.emulators.paper_networks import SIZES, PaperLongwave, PaperShortwave
from restudy.gasoptics.emulators.ukkonen import (
    UkkonenLongwave,
    UkkonenShortwave,
    read_ukkonen_longwave,
    read_ukkonen_shortwave,
)
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.reference import Fluxes
from restudy.gasoptics.rfmip import Rfmip, read_fluxes, read_rfmip
from restudy.gasoptics.standard import STANDARD, standard_atmospheres
from restudy.gasoptics.table_file import read_table
from restudy.gasoptics.tables import KDistribution

# k-distribution: spectral range and number of g-points.
TABLES = ("lw-g256", "lw-g128", "sw-g224", "sw-g112")
ATMOSPHERES = "rfmip-atmospheres"
# Spectral range: datasets with the fluxes up and down.
REFERENCE: Mapping[str, tuple[str, str]] = {
    "longwave": ("rfmip-rrtmgp-rlu", "rfmip-rrtmgp-rld"),
    "shortwave": ("rfmip-rrtmgp-rsu", "rfmip-rrtmgp-rsd"),
}
LINE_BY_LINE: Mapping[str, tuple[str, str]] = {
    "longwave": ("rfmip-lblrtm-longwave", "rfmip-lblrtm-longwave"),
    "longwave-f2": ("rfmip-lblrtm-longwave-f2", "rfmip-lblrtm-longwave-f2"),
    "longwave-f3": ("rfmip-lblrtm-longwave-f3", "rfmip-lblrtm-longwave-f3"),
    "shortwave": ("rfmip-lblrtm-shortwave", "rfmip-lblrtm-shortwave"),
}
# Spectral range: datasets of the networks of Ukkonen et al. (2020).
UKKONEN: Mapping[str, tuple[str, str]] = {
    "longwave": ("ukkonen-lw-absorption", "ukkonen-lw-planck"),
    "shortwave": ("ukkonen-sw-absorption", "ukkonen-sw-rayleigh"),
}
# Large-eddy simulation: dataset with its envelope.
LES: Mapping[str, str] = {"cabauw": "les-cabauw", "rcemip": "les-rcemip"}
PAPER_COLUMNS = "veerman-test-columns"
CHOICES = ("auto", "rfmip", "standard")


@dataclass(frozen=True)
class Columns:
    """Columns of air that a chapter runs on.

    Attributes
    ----------
    title : str
        What they are, for titles and the banner.
    dataset : str
        Name in the data registry; empty for columns of our own.
    atmosphere : Atmosphere
        The columns, from the top down, in float64.
    weight : numpy.ndarray, shape (columns,)
        Weights in a mean; they add up to 1.
    """

    title: str
    dataset: str
    atmosphere: Atmosphere
    weight: np.ndarray


def k_distribution(name: str) -> KDistribution:
    """Give the tables of a k-distribution, in float64 and on the CPU.

    Parameters
    ----------
    name : str
        ``"lw-g256"``, ``"lw-g128"``, ``"sw-g224"`` or ``"sw-g112"``.

    Returns
    -------
    KDistribution
        The tables.

    Raises
    ------
    GasOpticsError
        If the name is unknown or the file is not at hand.
    """
    if name not in TABLES:
        raise GasOpticsError(f"no k-distribution {name!r}; use {', '.join(TABLES)}.")
    return read_table(_at_hand(f"rrtmgp-{name}"))


def rfmip() -> Rfmip:
    """Give the atmospheres of RFMIP.

    Raises
    ------
    GasOpticsError
        If the file is not at hand.
    """
    return read_rfmip(_at_hand(ATMOSPHERES))


def reference_fluxes(spectrum: str) -> Fluxes:
    """Give RRTMGP's official fluxes for the columns of RFMIP: ``"longwave"`` or ``"shortwave"``.

    Raises
    ------
    GasOpticsError
        If the spectral range is unknown or a file is not at hand.
    """
    return _fluxes(REFERENCE, spectrum)


def line_by_line_fluxes(spectrum: str) -> Fluxes:
    """Give LBLRTM's fluxes for the columns of RFMIP: ``"longwave"`` or ``"shortwave"``.

    ``"longwave-f2"`` has CFC-12 and stands for the other halocarbons by an equivalent of CFC-11,
    ``"longwave-f3"`` for all of them by equivalents of CFC-12 and HFC-134a.

    Raises
    ------
    GasOpticsError
        If the spectral range is unknown or a file is not at hand.
    """
    return _fluxes(LINE_BY_LINE, spectrum)


def paper_longwave(size: str) -> PaperLongwave:
    """Give the authors' trained networks of the long wave, of a size such as ``"64-64"``.

    Raises
    ------
    GasOpticsError
        If the size is unknown or a file is not at hand.
    """
    path = _paper_weights(size)
    return read_paper_longwave(path, size, k_distribution("lw-g256"))


def paper_shortwave(size: str) -> PaperShortwave:
    """Give the authors' trained networks of the short wave, of a size such as ``"64-64"``.

    Raises
    ------
    GasOpticsError
        If the size is unknown or a file is not at hand.
    """
    path = _paper_weights(size)
    return read_paper_shortwave(path, size, k_distribution("sw-g224"))


def paper_columns() -> Atmosphere:
    """Give the perturbed columns on which the paper's authors tested their networks.

    Raises
    ------
    GasOpticsError
        If the file is not at hand.
    """
    return read_paper_columns(_at_hand(PAPER_COLUMNS))


def ukkonen_longwave() -> UkkonenLongwave:
    """Give the networks of Ukkonen et al. (2020) for the long wave.

    Raises
    ------
    GasOpticsError
        If a file is not at hand.
    """
    first, second = (_at_hand(name) for name in UKKONEN["longwave"])
    return read_ukkonen_longwave(first, second, k_distribution("lw-g256"))


def ukkonen_shortwave() -> UkkonenShortwave:
    """Give the networks of Ukkonen et al. (2020) for the short wave.

    Raises
    ------
    GasOpticsError
        If a file is not at hand.
    """
    first, second = (_at_hand(name) for name in UKKONEN["shortwave"])
    return read_ukkonen_shortwave(first, second, k_distribution("sw-g224"))


def les_envelope(simulation: str) -> Envelope:
    """Give what air occurs in a large-eddy simulation: ``"cabauw"`` or ``"rcemip"``.

    Raises
    ------
    GasOpticsError
        If the simulation is unknown or its file is not at hand.
    """
    if simulation not in LES:
        raise GasOpticsError(f"no simulation {simulation!r}; use {' or '.join(LES)}.")
    return read_envelope(_at_hand(LES[simulation]), simulation)


def columns(choice: str = "auto") -> Columns:
    """Give the columns of air that a chapter runs on, those of the present day.

    Parameters
    ----------
    choice : str
        ``"rfmip"``: the 100 sites of RFMIP; ``"standard"``: six standard atmospheres of our own;
        ``"auto"``: the first of them that is at hand.

    Returns
    -------
    Columns
        The columns and what they are.

    Raises
    ------
    GasOpticsError
        If the choice is unknown or its file is not at hand.
    """
    if choice not in CHOICES:
        raise GasOpticsError(f"no columns {choice!r}; use {', '.join(CHOICES)}.")
    if choice == "rfmip" or (choice == "auto" and data.available(ATMOSPHERES)):
        real = rfmip()
        title = f"{real.sites} columns of RFMIP-IRF, {real.experiments[0].lower()}"
        return Columns(title, ATMOSPHERES, real.atmosphere([0]), real.weight)
    weight = np.full(len(STANDARD), 1 / len(STANDARD))
    title = f"{len(STANDARD)} standard atmospheres of our own"
    return Columns(title, "", standard_atmospheres(), weight)


def _fluxes(named: Mapping[str, tuple[str, str]], spectrum: str) -> Fluxes:
    if spectrum not in named:
        raise GasOpticsError(f"no spectral range {spectrum!r}; use {' or '.join(named)}.")
    up, down = named[spectrum]
    return read_fluxes(_at_hand(up), _at_hand(down))


def _paper_weights(size: str) -> Path:
    if size not in SIZES:
        raise GasOpticsError(f"no network of size {size!r}; use {', '.join(SIZES)}.")
    return _at_hand(f"veerman-networks-{size}")


def _at_hand(dataset: str) -> Path:
    path = data.available(dataset)
    if path is None:
        raise GasOpticsError(
            f"{dataset} is not at hand: run `restudy fetch {dataset}`, or name a mirror in "
            "RESTUDY_MIRROR."
        )
    return path
