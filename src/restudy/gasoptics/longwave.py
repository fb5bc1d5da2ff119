"""The long wave without scattering: a sweep down, the surface, a sweep up.

Radiance along a ray at the secant D of its angle to the vertical obeys
``dI / d(D tau) = B - I``; the flux is pi times a weighted sum over a few rays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.planck import ThermalSource


@dataclass(frozen=True)
class Quadrature:
    """Rays that stand for a hemisphere.

    Attributes
    ----------
    name : str
        What it is called in tables.
    secants : tuple of float
        Secant of each ray's angle to the vertical.
    weights : tuple of float
        Weight of each ray; they add up to 1.
    """

    name: str
    secants: tuple[float, ...]
    weights: tuple[float, ...]


# Gauss-Jacobi-5 of R. J. Hogan (2024), doi:10.1002/qj.4598, as RTE has them since 2024.
GAUSS_1 = Quadrature("1 Gauss angle", (1 / 0.6096748751,), (1.0,))
GAUSS_3 = Quadrature(
    "3 Gauss angles",
    (1 / 0.1024922169, 1 / 0.4417960320, 1 / 0.8633751621),
    (0.0437820218, 0.3875796738, 0.5686383044),
)
# The diffusivity factor of W. M. Elsasser (1942), in RTE until 2024 and in arXiv 2005.02265.
DIFFUSIVITY = Quadrature("D = 1.66", (1.66,), (1.0,))


def longwave_fluxes(
    tau: torch.Tensor,
    source: ThermalSource,
    emissivity: torch.Tensor,
    quadrature: Quadrature = GAUSS_1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solve the transfer of thermal radiation in air that does not scatter.

    Parameters
    ----------
    tau : torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical, from the top down.
    source : ThermalSource
        What layers, levels and the surface emit.
    emissivity : torch.Tensor, shape (columns,)
        Of the surface.
    quadrature : Quadrature
        The rays.

    Returns
    -------
    up : torch.Tensor, shape (columns, layers + 1, g)
        Upwelling flux at each level and g-point [W/m2].
    down : torch.Tensor, shape (columns, layers + 1, g)
        Downwelling flux [W/m2].

    Raises
    ------
    GasOpticsError
        If the shapes of tau and the sources do not fit.

    Notes
    -----
    The source is linear in optical depth from the level on the near side to a value that gives the
    layer's own source in the middle (Clough et al. 1992, eq. 13).

    References
    ----------
    S. A. Clough, M. J. Iacono and J.-L. Moncet, Line-by-line calculations of atmospheric fluxes and
    cooling rates, J. Geophys. Res. 97, 15761 (1992), doi:10.1029/92JD01419.

    Examples
    --------
    An opaque layer emits as a black body on both sides.

    >>> one = torch.ones(1, 1, 1, dtype=torch.float64)
    >>> black = ThermalSource(one, one.expand(1, 2, 1), one[0])
    >>> up, down = longwave_fluxes(1e3 * one, black, torch.ones(1, dtype=torch.float64))
    >>> (up[0, :, 0] / math.pi).tolist(), (down[0, :, 0] / math.pi).tolist()
    ([1.0, 1.0], [0.0, 1.0])
    """
    _check(tau, source, emissivity)
    up, down = torch.zeros_like(source.level), torch.zeros_like(source.level)
    for secant, weight in zip(quadrature.secants, quadrature.weights, strict=True):
        ray_up, ray_down = _ray(tau * secant, source, emissivity)
        up = up + math.pi * weight * ray_up
        down = down + math.pi * weight * ray_down
    return up, down


def _ray(
    tau: torch.Tensor, source: ThermalSource, emissivity: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the radiance up and down along one ray of slant optical depth `tau`."""
    transmission = torch.exp(-tau)
    emission = 1 - transmission
    bend = 2 * _curvature(tau, transmission)
    above, below = source.level[:, :-1], source.level[:, 1:]
    to_below = emission * below + bend * (source.layer - below)
    to_above = emission * above + bend * (source.layer - above)
    layers = range(tau.shape[1])
    radiance = torch.zeros_like(source.surface)  # nothing comes from space
    down = [radiance]
    for i in layers:
        radiance = transmission[:, i] * radiance + to_below[:, i]
        down.append(radiance)
    radiance = (1 - emissivity[:, None]) * radiance + emissivity[:, None] * source.surface
    up = [radiance]
    for i in reversed(layers):
        radiance = transmission[:, i] * radiance + to_above[:, i]
        up.append(radiance)
    return torch.stack(up[::-1], dim=1), torch.stack(down, dim=1)


def _curvature(tau: torch.Tensor, transmission: torch.Tensor) -> torch.Tensor:
    """Return ``(1 - t) / tau - t``, by its series where tau is small."""
    thick = tau > torch.finfo(tau.dtype).eps ** 0.25
    safe = torch.where(thick, tau, 1.0)
    series = tau * (0.5 + tau * (-1 / 3 + tau / 8))
    return torch.where(thick, (1 - transmission) / safe - transmission, series)


def _check(tau: torch.Tensor, source: ThermalSource, emissivity: torch.Tensor) -> None:
    columns, layers, g = tau.shape
    expected = {
        "source.layer": (source.layer, (columns, layers, g)),
        "source.level": (source.level, (columns, layers + 1, g)),
        "source.surface": (source.surface, (columns, g)),
        "emissivity": (emissivity, (columns,)),
    }
    for name, (x, shape) in expected.items():
        if tuple(x.shape) != shape:
            raise GasOpticsError(
                f"{name} has shape {tuple(x.shape)}; expected {shape}, from tau of shape "
                f"{tuple(tau.shape)}."
            )
