"""The whole chain: from columns of air to the fluxes of RRTMGP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.longwave import GAUSS_1, Quadrature, longwave_fluxes
from restudy.gasoptics.optical_depth import absorption, locate, rayleigh_scattering
from restudy.gasoptics.planck import ThermalSource, thermal_source
from restudy.gasoptics.shortwave import shortwave_fluxes
from restudy.gasoptics.tables import KDistribution


@dataclass(frozen=True)
class Fluxes:
    """Fluxes of a spectral range, in the order of the atmosphere's levels.

    Attributes
    ----------
    up, down : torch.Tensor, shape (columns, layers + 1)
        Upwelling and downwelling flux [W/m2].
    """

    up: torch.Tensor
    down: torch.Tensor

    def part(self, columns: slice) -> Fluxes:
        """Return the fluxes of some of the columns."""
        return Fluxes(self.up[columns], self.down[columns])

    @classmethod
    def joined(cls, parts: Sequence[Fluxes]) -> Self:
        """Put the fluxes of several lists of columns into one."""
        return cls(torch.cat([p.up for p in parts]), torch.cat([p.down for p in parts]))


@dataclass(frozen=True)
class LongwaveOptics:
    """What the gas optics of the long wave say of columns from the top down.

    Attributes
    ----------
    tau : torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical.
    source : ThermalSource
        What layers, levels and the surface emit.
    """

    tau: torch.Tensor
    source: ThermalSource


@dataclass(frozen=True)
class ShortwaveOptics:
    """What the gas optics of the short wave say of columns from the top down.

    Attributes
    ----------
    tau, ssa : torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical, and single-scattering albedo.
    incoming : torch.Tensor, shape (columns, g)
        Irradiance at the top on a plane that faces the sun [W/m2].
    """

    tau: torch.Tensor
    ssa: torch.Tensor
    incoming: torch.Tensor


def longwave_optics(table: KDistribution, atmosphere: Atmosphere) -> LongwaveOptics:
    """Return optical depth and thermal source, for columns in either order.

    Parameters
    ----------
    table : KDistribution
        Tables of the long wave.
    atmosphere : Atmosphere
        The columns, on the device and in the precision of the tables.

    Returns
    -------
    LongwaveOptics
        From the top down.

    Raises
    ------
    GasOpticsError
        If the tables are of the short wave, or do not cover the columns.
    """
    if table.planck is None:
        raise GasOpticsError(f"{table.name} is of the short wave; use lw-g256 or lw-g128.")
    columns = atmosphere.top_down()
    located = locate(table, columns)
    tau = absorption(table, columns, located)
    return LongwaveOptics(tau, thermal_source(table, columns, located))


def shortwave_optics(table: KDistribution, atmosphere: Atmosphere) -> ShortwaveOptics:
    """Return optical depth, single-scattering albedo and sunlight, for columns in either order.

    Parameters
    ----------
    table : KDistribution
        Tables of the short wave.
    atmosphere : Atmosphere
        The columns, on the device and in the precision of the tables.

    Returns
    -------
    ShortwaveOptics
        From the top down. The tables' spectrum of the sun is scaled to the columns' irradiance.

    Raises
    ------
    GasOpticsError
        If the tables are of the long wave, or do not cover the columns.
    """
    if table.solar is None:
        raise GasOpticsError(f"{table.name} is of the long wave; use sw-g224 or sw-g112.")
    columns = atmosphere.top_down()
    located = locate(table, columns)
    scattered = rayleigh_scattering(table, columns, located)
    tau = absorption(table, columns, located) + scattered
    tiny = torch.finfo(tau.dtype).tiny
    ssa = scattered / tau.clamp(min=tiny)
    spectrum = table.solar / table.solar.sum()
    return ShortwaveOptics(tau, ssa, columns.irradiance[:, None] * spectrum)


def exact_optics(table: KDistribution, atmosphere: Atmosphere) -> LongwaveOptics | ShortwaveOptics:
    """Return the optical properties by tables of either spectral range, from the top down."""
    of = longwave_optics if table.planck is not None else shortwave_optics
    return of(table, atmosphere)


def longwave(
    table: KDistribution, atmosphere: Atmosphere, quadrature: Quadrature = GAUSS_1
) -> Fluxes:
    """Return RRTMGP's thermal fluxes of a clear sky.

    Parameters
    ----------
    table : KDistribution
        Tables of the long wave.
    atmosphere : Atmosphere
        The columns, on the device and in the precision of the tables, in either order.
    quadrature : Quadrature
        Rays of the solver.

    Returns
    -------
    Fluxes
        At the levels, in the order of the atmosphere [W/m2].

    Raises
    ------
    GasOpticsError
        If the tables are of the short wave, or do not cover the columns.

    Notes
    -----
    Memory is about ten arrays of (columns, layers, g): a hundred columns of sixty layers take
    100 MB in float64. Longer lists of columns are a loop over ``atmosphere.part``.
    """
    optics = longwave_optics(table, atmosphere)
    up, down = longwave_fluxes(optics.tau, optics.source, atmosphere.emissivity, quadrature)
    return in_order(up, down, atmosphere)


def shortwave(table: KDistribution, atmosphere: Atmosphere) -> Fluxes:
    """Return RRTMGP's solar fluxes of a clear sky.

    Parameters
    ----------
    table : KDistribution
        Tables of the short wave.
    atmosphere : Atmosphere
        The columns, on the device and in the precision of the tables, in either order.

    Returns
    -------
    Fluxes
        At the levels, in the order of the atmosphere; 0 where there is no sun [W/m2].

    Raises
    ------
    GasOpticsError
        If the tables are of the long wave, or do not cover the columns.
    """
    optics = shortwave_optics(table, atmosphere)
    sun = optics.incoming, atmosphere.mu0, atmosphere.albedo
    fluxes = shortwave_fluxes(optics.tau, optics.ssa, *sun)
    return in_order(fluxes.up, fluxes.down, atmosphere)


def in_order(up: torch.Tensor, down: torch.Tensor, atmosphere: Atmosphere) -> Fluxes:
    """Add up the g-points of fluxes from the top down; give the levels in the atmosphere's order.

    Parameters
    ----------
    up, down : torch.Tensor, shape (columns, layers + 1, g)
        Fluxes, from the top down [W/m2].
    atmosphere : Atmosphere
        The columns, in either order.

    Returns
    -------
    Fluxes
        In the order of the atmosphere's levels.
    """
    both = up.sum(dim=2), down.sum(dim=2)
    return Fluxes(*both) if atmosphere.from_top else Fluxes(*(x.flip(1) for x in both))
