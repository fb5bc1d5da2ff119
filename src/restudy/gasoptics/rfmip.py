"""The columns of RFMIP-IRF: 100 sites, each under 18 experiments, and fluxes computed for them.

Columns are numbered experiment by experiment: column ``100 * experiment + site``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.netcdf import check_variables, read_netcdf, text
from restudy.gasoptics.reference import Fluxes

# The lowest pressure of the tables: the reference fluxes put the top of every column there [Pa].
TOP = 1.005183574463

# Gas and the file's variable for its global mean.
_GLOBAL_MEANS = {
    "co2": "carbon_dioxide_GM",
    "n2o": "nitrous_oxide_GM",
    "co": "carbon_monoxide_GM",
    "ch4": "methane_GM",
    "o2": "oxygen_GM",
    "n2": "nitrogen_GM",
    "ccl4": "carbon_tetrachloride_GM",
    "cfc11": "cfc11_GM",
    "cfc12": "cfc12_GM",
    "cfc22": "hcfc22_GM",
    "hfc143a": "hfc143a_GM",
    "hfc125": "hfc125_GM",
    "hfc23": "hfc23_GM",
    "hfc32": "hfc32_GM",
    "hfc134a": "hfc134a_GM",
    "cf4": "cf4_GM",
}


@dataclass(frozen=True)
class Rfmip:
    """The atmospheres of RFMIP-IRF.

    Attributes
    ----------
    experiments : tuple of str
        Names of the 18 experiments; the first is the present day.
    weight : numpy.ndarray, shape (sites,)
        Weights of the sites in a global mean; they add up to 1.
    dataset : xarray.Dataset
        The file as it is.

    References
    ----------
    R. Pincus, P. M. Forster and B. Stevens, The Radiative Forcing Model Intercomparison Project
    (RFMIP): experimental protocol for CMIP6, Geosci. Model Dev. 9, 3447 (2016),
    doi:10.5194/gmd-9-3447-2016.
    """

    experiments: tuple[str, ...]
    weight: np.ndarray
    dataset: xr.Dataset

    @property
    def sites(self) -> int:
        """The number of sites."""
        return self.dataset.sizes["site"]

    def atmosphere(self, experiments: Sequence[int] | None = None) -> Atmosphere:
        """Return the columns of some experiments, of all by default, in float64 and from the top.

        Parameters
        ----------
        experiments : sequence of int, optional
            Numbers of experiments.

        Returns
        -------
        Atmosphere
            Columns of 60 layers, the sites of one experiment after the other. Nitrogen dioxide,
            which the file lacks, is 0.

        Raises
        ------
        GasOpticsError
            If there is no such experiment.
        """
        chosen = list(range(len(self.experiments)) if experiments is None else experiments)
        if wrong := [e for e in chosen if not 0 <= e < len(self.experiments)]:
            raise GasOpticsError(
                f"experiment {wrong[0]} is not in the file; expected 0 to "
                f"{len(self.experiments) - 1}."
            )
        at = self.dataset.isel(expt=chosen)
        p_lev = at["pres_level"].to_numpy().astype("float64")
        p_lev[:, int(p_lev[0].argmin())] = TOP
        angle = np.deg2rad(at["solar_zenith_angle"].to_numpy().astype("float64"))
        size = len(chosen), self.sites, at.sizes["layer"]
        gases = {"h2o": _values(at["water_vapor"]), "o3": _values(at["ozone"])}
        for gas, name in _GLOBAL_MEANS.items():
            gases[gas] = np.broadcast_to(_values(at[name])[:, None, None], size)
        gases["no2"] = np.zeros(size)

        def everywhere(site: np.ndarray) -> torch.Tensor:
            return _columns(np.broadcast_to(site, (len(chosen), *site.shape)))

        return Atmosphere(
            p_lay=everywhere(_values(at["pres_layer"])),
            p_lev=everywhere(p_lev),
            t_lay=_columns(_values(at["temp_layer"])),
            t_lev=_columns(_values(at["temp_level"])),
            gases={name: _columns(x) for name, x in gases.items()},
            t_sfc=_columns(_values(at["surface_temperature"])),
            emissivity=everywhere(_values(at["surface_emissivity"])),
            albedo=everywhere(_values(at["surface_albedo"])),
            mu0=everywhere(np.cos(angle)),
            irradiance=everywhere(_values(at["total_solar_irradiance"])),
        )


def read_rfmip(path: Path) -> Rfmip:
    """Read the atmospheres.

    Parameters
    ----------
    path : pathlib.Path
        ``multiple_input4MIPs_radiation_RFMIP_UColorado-RFMIP-1-2_none.nc``.

    Returns
    -------
    Rfmip
        The atmospheres.

    Raises
    ------
    GasOpticsError
        If the file cannot be read or lacks a variable.
    """
    dataset = read_netcdf(path)
    needed = ["expt_label", "profile_weight", "temp_layer", "water_vapor", *_GLOBAL_MEANS.values()]
    check_variables(dataset, needed, path.name, "the atmospheres of RFMIP-IRF")
    weight = dataset["profile_weight"].to_numpy().astype("float64")
    return Rfmip(
        experiments=tuple(text(label) for label in dataset["expt_label"].to_numpy()),
        weight=weight / weight.sum(),
        dataset=dataset,
    )


def read_fluxes(up: Path, down: Path) -> Fluxes:
    """Read fluxes that were computed for the columns of RFMIP.

    Parameters
    ----------
    up, down : pathlib.Path
        Files with ``rlu`` or ``rsu`` and with ``rld`` or ``rsd``; they may be the same.

    Returns
    -------
    Fluxes
        (columns, levels), the sites of one experiment after the other [W/m2].

    Raises
    ------
    GasOpticsError
        If a file cannot be read or lacks these variables.
    """
    return Fluxes(_flux(up, "u"), _flux(down, "d"))


def _flux(path: Path, way: str) -> torch.Tensor:
    dataset = read_netcdf(path)
    names = [f"{kind}{way}" for kind in ("rl", "rs") if f"{kind}{way}" in dataset]
    if len(names) != 1:
        raise GasOpticsError(
            f"{path.name} has {len(names)} of the variables rl{way} and rs{way}; expected one."
        )
    return _columns(_values(dataset[names[0]]))


def _values(variable: xr.DataArray) -> np.ndarray:
    """Return the values in SI: a number in the unit, such as ``1.e-6``, is multiplied in."""
    unit = str(variable.attrs.get("units", "1"))
    scale = float(unit) if re.fullmatch(r"[0-9.]+(e[-+]?[0-9]+)?", unit) else 1.0
    return variable.to_numpy().astype("float64") * scale


def _columns(array: np.ndarray) -> torch.Tensor:
    """Put experiments and sites, the first two axes, into one."""
    return torch.from_numpy(array.reshape(-1, *array.shape[2:]).copy())
