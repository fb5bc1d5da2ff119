"""The roots that networks learn, and what they mean: optical depths and sources.

=========== ============================ ==========================
family      long wave                    short wave
=========== ============================ ==========================
A           ``(tau / |dp|)^(1/8)``       ``(tau_abs / |dp|)^(1/8)``
B           ``(Planck fraction)^(1/2)``  ``(tau_ray / |dp|)^(1/2)``
=========== ============================ ==========================

with the pressure ``|dp|`` between the levels around the layer [Pa]. They are never negative
and span many powers of ten; their roots span one or two. A negative A counts as 0.
"""

from __future__ import annotations

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.optical_depth import absorption, locate, rayleigh_scattering
from restudy.gasoptics.planck import planck_fraction, shared_out
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.tables import KDistribution, PlanckTable


def exact_roots(table: KDistribution, columns: Atmosphere) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a network of these tables should give.

    Parameters
    ----------
    table : KDistribution
        The tables, of either spectral range.
    columns : Atmosphere
        From the top down, on the device and in the precision of the tables.

    Returns
    -------
    tuple of torch.Tensor, shape (columns, layers, g)
        The roots A and B.

    Raises
    ------
    GasOpticsError
        If the columns are from the ground up, or the tables do not cover them.
    """
    if not columns.from_top:
        raise GasOpticsError("the columns are from the ground up; turn them (upside_down).")
    located = locate(table, columns)
    thickness = thickness_of(columns)
    first = absorption(table, columns, located) / thickness
    if table.planck is not None:
        second = planck_fraction(table.planck, columns, located)
    else:
        second = rayleigh_scattering(table, columns, located) / thickness
    return first.clamp(min=0).sqrt().sqrt().sqrt(), second.clamp(min=0).sqrt()


def longwave_from_roots(
    a: torch.Tensor,
    b: torch.Tensor,
    columns: Atmosphere,
    planck: PlanckTable,
    sizes: tuple[int, ...],
) -> LongwaveOptics:
    """Return optical depth and thermal source.

    Parameters
    ----------
    a, b : torch.Tensor, shape (columns, layers, g)
        Roots, from the top down.
    columns : Atmosphere
        From the top down.
    planck : PlanckTable
        Planck's function; its fractions are not looked at.
    sizes : tuple of int
        Number of g-points of each band.

    Returns
    -------
    LongwaveOptics
        In the precision of the roots.
    """
    depth = thickness_of(columns).to(a.dtype) * _eighth_power(a)
    return LongwaveOptics(depth, shared_out(planck, sizes, b * b, columns))


def shortwave_from_roots(
    a: torch.Tensor, b: torch.Tensor, columns: Atmosphere, solar: torch.Tensor
) -> ShortwaveOptics:
    """Return optical depth, single-scattering albedo and sunlight.

    Parameters
    ----------
    a, b : torch.Tensor, shape (columns, layers, g)
        Roots, from the top down.
    columns : Atmosphere
        From the top down.
    solar : torch.Tensor, shape (g,)
        Share of the sun's irradiance at each g-point.

    Returns
    -------
    ShortwaveOptics
        In the precision of the roots; the albedo is 0 where there is no optical depth.
    """
    scattered = b * b
    per_pascal = _eighth_power(a) + scattered
    ssa = scattered / per_pascal.clamp(min=torch.finfo(a.dtype).tiny)
    incoming = columns.irradiance[:, None].to(a.dtype) * solar.to(a.dtype)
    return ShortwaveOptics(thickness_of(columns).to(a.dtype) * per_pascal, ssa, incoming)


def thickness_of(columns: Atmosphere) -> torch.Tensor:
    """Return ``|dp|`` of each layer [Pa], (columns, layers, 1)."""
    return columns.p_lev.diff(dim=1).abs()[..., None]


def _eighth_power(a: torch.Tensor) -> torch.Tensor:
    """Return a^8, and 0 where a is negative, by three squarings."""
    fourth = a.clamp(min=0).square().square()
    return fourth.square()
