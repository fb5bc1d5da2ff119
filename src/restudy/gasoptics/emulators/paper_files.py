"""The files of arXiv 2005.02265: trained networks, and the columns their authors tested them on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xarray as xr

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.network import Spectrum, spectrum_of
from restudy.gasoptics.emulators.paper_networks import (
    LONGWAVE,
    SHORTWAVE,
    SIZES,
    PaperLongwave,
    PaperNetwork,
    PaperShortwave,
    Quantity,
    SplitNetwork,
)
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.netcdf import check_variables, read_netcdf
from restudy.gasoptics.standard import SOLAR_CONSTANT
from restudy.gasoptics.tables import KDistribution


def read_paper_longwave(path: Path, size: str, table: KDistribution) -> PaperLongwave:
    """Read the authors' networks of the long wave.

    Parameters
    ----------
    path : pathlib.Path
        ``weights_<size>.nc``.
    size : str
        One of `SIZES`.
    table : KDistribution
        The tables lw-g256, for Planck's function and the bands.

    Returns
    -------
    PaperLongwave
        In float32.

    Raises
    ------
    GasOpticsError
        If the file cannot be read, lacks a network, or has one of another shape.
    """
    spectrum = spectrum_of(table)
    tau, planck = (_read_split(path, q, size, spectrum) for q in LONGWAVE)
    return PaperLongwave(tau, planck, spectrum)


def read_paper_shortwave(path: Path, size: str, table: KDistribution) -> PaperShortwave:
    """Read the authors' networks of the short wave.

    Parameters
    ----------
    path : pathlib.Path
        ``weights_<size>.nc``.
    size : str
        One of `SIZES`.
    table : KDistribution
        The tables sw-g224, for the spectrum of the sun.

    Returns
    -------
    PaperShortwave
        In float32.

    Raises
    ------
    GasOpticsError
        If the file cannot be read, lacks a network, or has one of another shape.
    """
    spectrum = spectrum_of(table)
    tau, ssa = (_read_split(path, q, size, spectrum) for q in SHORTWAVE)
    return PaperShortwave(tau, ssa, spectrum)


def read_paper_columns(path: Path) -> Atmosphere:
    """Read the columns on which the authors tested: RFMIP's 100, perturbed as for the training.

    Parameters
    ----------
    path : pathlib.Path
        ``rte_rrtmgp_input.nc``.

    Returns
    -------
    Atmosphere
        From the top down, in float64. The sun has 1360.9 W/m2; there is no nitrogen dioxide.

    Raises
    ------
    GasOpticsError
        If the file cannot be read or lacks a variable.
    """
    found = read_netcdf(path)
    needed = ["p_lay", "p_lev", "t_lay", "t_lev", "t_sfc", "emis_sfc", "sfc_alb_dir", "mu0"]
    needed += ["vmr_h2o", "vmr_o3"]
    check_variables(found, needed, path.name, "the input of the authors' test")
    columns, layers = found.sizes["col"], found.sizes["lay"]

    def values(name: str) -> torch.Tensor:
        array = found[name].to_numpy().astype("float64")
        return torch.from_numpy(np.ascontiguousarray(array.T))  # (columns, layers)

    named = [str(name) for name in found.data_vars if str(name).startswith("vmr_")]
    gases = {name.removeprefix("vmr_"): values(name).expand(columns, layers) for name in named}
    return Atmosphere(
        **{name: values(name) for name in ("p_lay", "p_lev", "t_lay", "t_lev", "t_sfc", "mu0")},
        gases=gases | {"no2": torch.zeros(columns, layers, dtype=torch.float64)},
        emissivity=values("emis_sfc").mean(dim=0),
        albedo=values("sfc_alb_dir").mean(dim=0),
        irradiance=torch.full((columns,), SOLAR_CONSTANT, dtype=torch.float64),
    ).upside_down()


def _read_split(path: Path, quantity: Quantity, size: str, spectrum: Spectrum) -> SplitNetwork:
    if size not in SIZES:
        raise GasOpticsError(f"no network of size {size!r}; use {', '.join(SIZES)}.")
    group = read_netcdf(path, quantity.group)
    outputs = quantity.parts * spectrum.g_points
    widths = quantity.inputs(ozone=True), *SIZES[size], outputs
    where = f"{path.name}, {quantity.group}"
    lower, upper = (_network(group, side, widths, where) for side in ("lower", "upper"))
    return SplitNetwork(quantity, lower, upper)


def _network(group: xr.Dataset, side: str, widths: tuple[int, ...], where: str) -> PaperNetwork:
    """Fill a network from a group of the file, whose variables have known names and shapes."""
    network = PaperNetwork(widths)
    targets = {
        f"Fmean_{side}": network.input_mean,
        f"Fstdv_{side}": network.input_deviation,
        f"Lmean_{side}": network.output_mean,
        f"Lstdv_{side}": network.output_deviation,
    }
    for number, layer in enumerate(network.dense, start=1):
        targets |= {f"wgth{number}_{side}": layer.weight, f"bias{number}_{side}": layer.bias}
    extra = f"wgth{len(network.dense) + 1}_{side}"
    if extra in group:
        raise GasOpticsError(f"{where} has {extra}: more layers than a network of {widths} has.")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(_checked(group, name, tuple(target.shape), where))
    return network


def _checked(group: xr.Dataset, name: str, shape: tuple[int, ...], where: str) -> torch.Tensor:
    check_variables(group, [name], where, "the authors' weights")
    values = group[name].to_numpy()
    if values.shape != shape:
        raise GasOpticsError(f"{where}: {name} has shape {values.shape}; expected {shape}.")
    if not np.isfinite(values).all():
        raise GasOpticsError(f"{where}: {name} has a value that is no finite number.")
    return torch.from_numpy(values.astype("float32"))
