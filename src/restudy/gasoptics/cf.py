"""The edges: columns and fluxes as xarray datasets with names of the CF conventions.

Variables are found by standard name and dimensions, and their units are checked, so that a file in
hectopascal or parts per million is refused and not computed.
"""

from __future__ import annotations

import torch
import xarray as xr

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.reference import Fluxes

# Field of an atmosphere: standard name, unit, vertical dimension.
FIELDS: dict[str, tuple[str, str, str | None]] = {
    "p_lay": ("air_pressure", "Pa", "layer"),
    "p_lev": ("air_pressure", "Pa", "level"),
    "t_lay": ("air_temperature", "K", "layer"),
    "t_lev": ("air_temperature", "K", "level"),
    "t_sfc": ("surface_temperature", "K", None),
    "emissivity": ("surface_longwave_emissivity", "1", None),
    "albedo": ("surface_albedo", "1", None),
    "mu0": ("cosine_of_solar_zenith_angle", "1", None),
    "irradiance": ("solar_irradiance", "W m-2", None),
}
# Formula to the name of the gas in standard names.
GASES = {
    "h2o": "water_vapor",
    "co2": "carbon_dioxide",
    "o3": "ozone",
    "n2o": "nitrous_oxide",
    "co": "carbon_monoxide",
    "ch4": "methane",
    "o2": "molecular_oxygen",
    "n2": "molecular_nitrogen",
    "ccl4": "carbon_tetrachloride",
    "cfc11": "cfc11",
    "cfc12": "cfc12",
    "cfc22": "hcfc22",
    "hfc143a": "hfc143a",
    "hfc125": "hfc125",
    "hfc23": "hfc23",
    "hfc32": "hfc32",
    "hfc134a": "hfc134a",
    "cf4": "carbon_tetrafluoride",
    "no2": "nitrogen_dioxide",
}


def to_dataset(atmosphere: Atmosphere) -> xr.Dataset:
    """Return columns of air as a dataset.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.

    Returns
    -------
    xarray.Dataset
        Dimensions ``column``, ``layer``, ``level``; a mole fraction for each gas.
    """
    found = xr.Dataset(attrs={"Conventions": "CF-1.11"})
    for name, (standard, unit, vertical) in FIELDS.items():
        dims = ("column", vertical) if vertical else ("column",)
        values = getattr(atmosphere, name).detach().cpu().numpy()
        found[name] = (dims, values, {"standard_name": standard, "units": unit})
    for gas, x in atmosphere.gases.items():
        words = {"standard_name": _mole_fraction(gas), "units": "1"}
        found[gas] = (("column", "layer"), x.detach().cpu().numpy(), words)
    return found


def from_dataset(dataset: xr.Dataset, dtype: torch.dtype = torch.float64) -> Atmosphere:
    """Return the columns of air of a dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables with the standard names and units of `FIELDS` and mole fractions in dry air of
        gases. A gas may lack the dimension ``column`` or ``layer`` or both; it is then the same
        everywhere.
    dtype : torch.dtype
        Precision wanted.

    Returns
    -------
    Atmosphere
        On the CPU.

    Raises
    ------
    GasOpticsError
        If a variable is missing, ambiguous, or in another unit, or a value is refused by
        `Atmosphere`.
    """
    fields = {
        name: _tensor(_variable(dataset, *what), what[2], dtype) for name, what in FIELDS.items()
    }
    shape = fields["p_lay"].shape
    gases = {}
    for gas in GASES:
        named = [v for v in dataset.values() if v.attrs.get("standard_name") == _mole_fraction(gas)]
        for variable in named:
            _check_unit(variable, "1")
            full = variable.broadcast_like(dataset[_name(dataset, *FIELDS["p_lay"])])
            gases[gas] = _tensor(full, "layer", dtype).expand(shape)
    return Atmosphere(**fields, gases=gases)


def fluxes_dataset(longwave: Fluxes, shortwave: Fluxes) -> xr.Dataset:
    """Return fluxes as a dataset with the variable names of CMIP.

    Parameters
    ----------
    longwave, shortwave : Fluxes
        Of the same columns.

    Returns
    -------
    xarray.Dataset
        ``rlu``, ``rld``, ``rsu``, ``rsd`` over ``column`` and ``level`` [W m-2].
    """
    found = xr.Dataset(attrs={"Conventions": "CF-1.11"})
    for short, word, fluxes in (("rl", "longwave", longwave), ("rs", "shortwave", shortwave)):
        for letter, way, x in (("u", "upwelling", fluxes.up), ("d", "downwelling", fluxes.down)):
            words = {"standard_name": f"{way}_{word}_flux_in_air", "units": "W m-2"}
            found[short + letter] = (("column", "level"), x.detach().cpu().numpy(), words)
    return found


def _mole_fraction(gas: str) -> str:
    return f"mole_fraction_of_{GASES.get(gas, gas)}_in_dry_air"


def _name(dataset: xr.Dataset, standard: str, unit: str, vertical: str | None) -> str:
    dims = {"column", vertical} if vertical else {"column"}
    found = [
        str(name)
        for name, v in dataset.data_vars.items()
        if v.attrs.get("standard_name") == standard and set(v.dims) == dims
    ]
    if len(found) != 1:
        raise GasOpticsError(
            f"the dataset has {len(found)} variables with the standard name {standard} over "
            f"{', '.join(sorted(dims))}; expected one, in {unit}."
        )
    return found[0]


def _variable(dataset: xr.Dataset, standard: str, unit: str, vertical: str | None) -> xr.DataArray:
    variable = dataset[_name(dataset, standard, unit, vertical)]
    _check_unit(variable, unit)
    return variable


def _check_unit(variable: xr.DataArray, unit: str) -> None:
    found = variable.attrs.get("units")
    if found != unit:
        raise GasOpticsError(
            f"{variable.name} has the unit {found!r}; expected {unit!r}: convert it and set its "
            "attribute units."
        )


def _tensor(variable: xr.DataArray, vertical: str | None, dtype: torch.dtype) -> torch.Tensor:
    dims = ("column", vertical) if vertical else ("column",)
    return torch.from_numpy(variable.transpose(*dims).to_numpy().copy()).to(dtype)
