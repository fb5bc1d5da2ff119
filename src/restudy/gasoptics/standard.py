"""Six standard atmospheres of our own, from the tropics to the polar winter.

Each has straight pieces of temperature over geopotential height, air in hydrostatic balance, a
relative humidity that falls with pressure, an analytic ozone layer, and the well-mixed gases of
2014. They have the shape of the usual sets but are not copies of any; only the temperatures of
``us standard`` are those of a norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.optical_depth import GRAVITY

TOP = 1.01  # Pa, just inside the tables
SOLAR_CONSTANT = 1360.9  # W/m2
STRATOSPHERIC_WATER = 4e-6  # mol/mol
TROPOSPHERIC_OZONE = 3e-8  # mol/mol

# Of the U.S. Standard Atmosphere, 1976.
_GAS_CONSTANT = 8.31432  # J/mol/K
_MOLAR_MASS = 0.0289644  # kg/mol
_SPACING = 1.6  # of the levels: above 1 they are closer to each other near the ground

# Mole fractions in dry air of about 2014, of M. Meinshausen et al., Historical greenhouse gas
# concentrations for climate modelling (CMIP6), doi:10.5194/gmd-10-2057-2017; carbon monoxide is a
# round number.
WELL_MIXED = {
    "co2": 397.5e-6,
    "n2o": 327.0e-9,
    "co": 1.0e-7,
    "ch4": 1831e-9,
    "o2": 0.209,
    "n2": 0.781,
    "ccl4": 83.1e-12,
    "cfc11": 233e-12,
    "cfc12": 521e-12,
    "cfc22": 230e-12,
    "hfc143a": 15.3e-12,
    "hfc125": 15.4e-12,
    "hfc23": 26.9e-12,
    "hfc32": 8.3e-12,
    "hfc134a": 80.5e-12,
    "cf4": 81.1e-12,
    "no2": 0.0,
}


@dataclass(frozen=True)
class StandardAtmosphere:
    """One standard atmosphere.

    Attributes
    ----------
    name : str
        Where and when it is typical.
    heights : tuple of float
        Geopotential heights at which pieces of temperature meet [m].
    temperatures : tuple of float
        Temperatures there [K].
    pressure : float
        At the ground [Pa].
    humidity : float
        Relative humidity at the ground.
    ozone : float
        Ozone over that of the tropical layer of RCEMIP.
    zenith : float
        Solar zenith angle [degree].
    albedo : float
        Of the ground.
    """

    name: str
    heights: tuple[float, ...]
    temperatures: tuple[float, ...]
    pressure: float
    humidity: float
    ozone: float
    zenith: float
    albedo: float


STANDARD = (
    StandardAtmosphere(
        "tropical",
        (0.0, 16_500.0, 18_000.0, 48_000.0, 80_000.0),
        (300.0, 195.0, 197.0, 270.0, 200.0),
        101_300.0,
        0.77,
        1.0,
        30.0,
        0.07,
    ),
    StandardAtmosphere(
        "midlatitude summer",
        (0.0, 13_000.0, 18_000.0, 48_000.0, 80_000.0),
        (294.0, 216.0, 217.0, 275.0, 180.0),
        101_300.0,
        0.76,
        0.9,
        35.0,
        0.15,
    ),
    StandardAtmosphere(
        "midlatitude winter",
        (0.0, 10_000.0, 25_000.0, 48_000.0, 80_000.0),
        (272.0, 219.0, 215.0, 265.0, 210.0),
        101_800.0,
        0.77,
        1.0,
        70.0,
        0.2,
    ),
    StandardAtmosphere(
        "subarctic summer",
        (0.0, 10_000.0, 22_000.0, 49_000.0, 80_000.0),
        (287.0, 225.0, 226.0, 277.0, 170.0),
        101_000.0,
        0.75,
        0.8,
        50.0,
        0.15,
    ),
    StandardAtmosphere(
        "subarctic winter",
        (0.0, 1_000.0, 9_000.0, 25_000.0, 48_000.0, 80_000.0),
        (257.0, 259.0, 217.0, 212.0, 257.0, 220.0),
        101_300.0,
        0.80,
        1.0,
        85.0,
        0.6,
    ),
    StandardAtmosphere(
        "us standard",
        (0.0, 11_000.0, 20_000.0, 32_000.0, 47_000.0, 51_000.0, 71_000.0, 84_852.0),
        (288.15, 216.65, 216.65, 228.65, 270.65, 270.65, 214.65, 186.946),
        101_325.0,
        0.70,
        0.95,
        60.0,
        0.15,
    ),
)


def standard_atmospheres(
    layers: int = 60, chosen: tuple[StandardAtmosphere, ...] = STANDARD
) -> Atmosphere:
    """Make columns of the standard atmospheres, from the top down, in float64.

    Parameters
    ----------
    layers : int
        Number of layers.
    chosen : tuple of StandardAtmosphere
        Which, one column each.

    Returns
    -------
    Atmosphere
        The columns, from 1.01 Pa to the ground.

    References
    ----------
    U.S. Standard Atmosphere, 1976, NOAA-S/T 76-1562. S. Manabe and R. T. Wetherald, J. Atmos. Sci.
    24, 241 (1967), for humidity. A. A. Wing et al., Radiative-convective equilibrium model
    intercomparison project, Geosci. Model Dev. 11, 793 (2018), eq. 1, for ozone.
    """
    columns = [_column(one, layers) for one in chosen]
    stacked = {name: torch.from_numpy(np.stack([c[name] for c in columns])) for name in columns[0]}
    mixed = {g: torch.full_like(stacked["h2o"], value) for g, value in WELL_MIXED.items()}
    ones = torch.ones(len(chosen), dtype=torch.float64)
    zenith = torch.tensor([one.zenith for one in chosen], dtype=torch.float64)
    return Atmosphere(
        p_lay=stacked["p_lay"],
        p_lev=stacked["p_lev"],
        t_lay=stacked["t_lay"],
        t_lev=stacked["t_lev"],
        gases={"h2o": stacked["h2o"], "o3": stacked["o3"]} | mixed,
        t_sfc=stacked["t_lev"][:, -1],
        emissivity=0.98 * ones,
        albedo=torch.tensor([one.albedo for one in chosen], dtype=torch.float64),
        mu0=torch.deg2rad(zenith).cos(),
        irradiance=SOLAR_CONSTANT * ones,
    )


def hydrostatic_pressure(atmosphere: StandardAtmosphere, height: np.ndarray) -> np.ndarray:
    """Return the pressure at geopotential heights [Pa], of dry air at rest.

    Parameters
    ----------
    atmosphere : StandardAtmosphere
        The temperatures.
    height : numpy.ndarray, shape (n,)
        Rising from 0 [m], closely spaced.

    Returns
    -------
    numpy.ndarray, shape (n,)
        ``p_0 exp(-g M / R * integral of dz / T)``.

    Examples
    --------
    The norm says 22,632 Pa at 11 km.

    >>> z = np.linspace(0.0, 11_000.0, 1101)
    >>> print(f"{hydrostatic_pressure(STANDARD[-1], z)[-1]:.0f}")
    22632
    """
    inverse = 1 / np.interp(height, atmosphere.heights, atmosphere.temperatures)
    steps = (inverse[1:] + inverse[:-1]) / 2 * np.diff(height)
    depth = np.concatenate(([0.0], np.cumsum(steps)))
    return atmosphere.pressure * np.exp(-GRAVITY * _MOLAR_MASS / _GAS_CONSTANT * depth)


def saturation_pressure(temperature: np.ndarray) -> np.ndarray:
    """Return the vapour pressure over water [Pa], of D. Bolton (1980), eq. 10, of kelvin."""
    celsius = temperature - 273.15
    return 611.2 * np.exp(17.67 * celsius / (celsius + 243.5))


def ozone_layer(pressure: np.ndarray) -> np.ndarray:
    """Return the mole fraction of ozone of RCEMIP, of pressures in pascal."""
    p = pressure / 100  # hPa
    return 3.6478e-6 * p**0.83209 * np.exp(-p / 11.3515)


def _column(one: StandardAtmosphere, layers: int) -> dict[str, np.ndarray]:
    height = np.arange(0.0, 90_000.0, 20.0)
    log_pressure = np.log(hydrostatic_pressure(one, height))[::-1]
    temperature = np.interp(height, one.heights, one.temperatures)[::-1]
    downward = 1 - (1 - np.linspace(0.0, 1.0, layers + 1)) ** _SPACING
    p_lev = TOP * (one.pressure / TOP) ** downward
    p_lay = (p_lev[1:] + p_lev[:-1]) / 2
    t_lay = np.interp(np.log(p_lay), log_pressure, temperature)
    relative = one.humidity * np.clip((p_lay / one.pressure - 0.02) / 0.98, 0, None)
    vapour = np.minimum(relative * saturation_pressure(t_lay), 0.5 * p_lay)
    h2o = np.maximum(vapour / (p_lay - vapour), STRATOSPHERIC_WATER)
    return {
        "p_lay": p_lay,
        "p_lev": p_lev,
        "t_lay": t_lay,
        "t_lev": np.interp(np.log(p_lev), log_pressure, temperature),
        "h2o": h2o,
        "o3": np.maximum(one.ozone * ozone_layer(p_lay), _ozone_below(p_lay)),
    }


def _ozone_below(pressure: np.ndarray) -> np.ndarray:
    """Give the troposphere, below 100 hPa, its ozone."""
    return np.where(pressure > 1e4, TROPOSPHERIC_OZONE, 0.0)
