"""The thermal source: Planck's function, shared out among the g-points of each band."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.interpolation import Nodes, gather, position
from restudy.gasoptics.optical_depth import Located, by_band
from restudy.gasoptics.tables import KDistribution, PlanckTable


@dataclass(frozen=True)
class ThermalSource:
    """Radiance that air and ground emit at each g-point.

    Attributes
    ----------
    layer : torch.Tensor, shape (columns, layers, g)
        At the temperature of the layers [W/m2/sr].
    level : torch.Tensor, shape (columns, layers + 1, g)
        At the temperature of the levels [W/m2/sr].
    surface : torch.Tensor, shape (columns, g)
        At the temperature of the surface [W/m2/sr].
    """

    layer: torch.Tensor
    level: torch.Tensor
    surface: torch.Tensor


def band_radiance(planck: PlanckTable, temperature: torch.Tensor) -> torch.Tensor:
    """Return Planck's function integrated over each band.

    Parameters
    ----------
    planck : PlanckTable
        The tabulated function.
    temperature : torch.Tensor, shape (...)
        Temperatures [K].

    Returns
    -------
    torch.Tensor, shape (..., bands)
        Radiance [W/m2/sr], interpolated linearly.
    """
    function = planck.function  # (bands, temperatures)
    index, fraction = position(temperature, planck.first, planck.step, function.shape[1])
    columns = function.T  # (temperatures, bands)
    return torch.lerp(columns[index], columns[index + 1], fraction[..., None])


def thermal_source(
    table: KDistribution, atmosphere: Atmosphere, located: tuple[Located, Located]
) -> ThermalSource:
    """Return what layers, levels and the surface emit.

    Parameters
    ----------
    table : KDistribution
        Tables of the long wave.
    atmosphere : Atmosphere
        The columns, from the top down.
    located : tuple of Located
        What `locate` found.

    Returns
    -------
    ThermalSource
        The sources.

    Raises
    ------
    GasOpticsError
        If the tables are of the short wave.

    Notes
    -----
    A level between two layers has the geometric mean of their Planck fractions, as in RRTMGP since
    version 1.8; the first and the last level have that of the layer beside them, the surface
    that of the lowest layer.
    """
    planck = table.planck
    if planck is None:
        raise GasOpticsError(f"{table.name} has no Planck source; use tables of the long wave.")
    fraction = planck_fraction(planck, atmosphere, located)
    return shared_out(planck, table.sizes, fraction, atmosphere)


def shared_out(
    planck: PlanckTable, sizes: tuple[int, ...], fraction: torch.Tensor, atmosphere: Atmosphere
) -> ThermalSource:
    """Share out Planck's function of each band among its g-points.

    Parameters
    ----------
    planck : PlanckTable
        The tabulated function; its fractions are not looked at.
    sizes : tuple of int
        Number of g-points of each band.
    fraction : torch.Tensor, shape (columns, layers, g)
        Shares of the g-points.
    atmosphere : Atmosphere
        The columns, from the top down.

    Returns
    -------
    ThermalSource
        In the precision of the fractions.
    """
    counts = torch.tensor(sizes, device=fraction.device)

    def emitted(share: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        bands = band_radiance(planck, temperature.to(planck.function.dtype)).to(share.dtype)
        return share * bands.repeat_interleave(counts, dim=-1, output_size=share.shape[-1])

    tiny = torch.finfo(fraction.dtype).tiny  # keeps the gradient of the root finite
    between = (fraction[:, :-1] * fraction[:, 1:]).clamp(min=tiny).sqrt()
    of_level = torch.cat((fraction[:, :1], between, fraction[:, -1:]), dim=1)
    return ThermalSource(
        layer=emitted(fraction, atmosphere.t_lay),
        level=emitted(of_level, atmosphere.t_lev),
        surface=emitted(fraction[:, -1], atmosphere.t_sfc),
    )


def planck_fraction(
    planck: PlanckTable, atmosphere: Atmosphere, located: tuple[Located, Located]
) -> torch.Tensor:
    """Return the share of each g-point in the Planck function of its band.

    Parameters
    ----------
    planck : PlanckTable
        The tabulated fractions.
    atmosphere : Atmosphere
        The columns.
    located : tuple of Located
        What `locate` found.

    Returns
    -------
    torch.Tensor, shape (columns, layers, g)
        Shares; they add up to 1 in each band to within 2e-4.
    """

    def of_band(_: Located, band: int, nodes: Nodes) -> torch.Tensor:
        return gather(planck.fraction[band], nodes.full, nodes.full_weight)

    return by_band(located, atmosphere, of_band)
