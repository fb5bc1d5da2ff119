"""The short wave: each layer as two streams, the layers added up.

A layer reflects and transmits diffuse light, and scatters the direct beam into both streams.
Adding from the surface up gives the albedo of all that lies below each level; a sweep down then
gives the fluxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.gasoptics.errors import GasOpticsError


@dataclass(frozen=True)
class TwoStream:
    """What layers do to light; every tensor has the shape of their optical depth.

    Attributes
    ----------
    reflectance, transmittance : torch.Tensor
        Share of diffuse light sent back and let through.
    reflectance_direct, transmittance_direct : torch.Tensor
        Share of the direct beam scattered back and forward.
    beam : torch.Tensor
        Share of the direct beam that passes unscattered.
    """

    reflectance: torch.Tensor
    transmittance: torch.Tensor
    reflectance_direct: torch.Tensor
    transmittance_direct: torch.Tensor
    beam: torch.Tensor


@dataclass(frozen=True)
class ShortwaveFluxes:
    """Fluxes at each level and g-point, (columns, layers + 1, g) [W/m2].

    Attributes
    ----------
    up, down : torch.Tensor
        All light; `down` holds the direct beam.
    direct : torch.Tensor
        The direct beam through a horizontal plane.
    """

    up: torch.Tensor
    down: torch.Tensor
    direct: torch.Tensor


def two_stream(
    tau: torch.Tensor, ssa: torch.Tensor, asymmetry: float, mu0: torch.Tensor
) -> TwoStream:
    """Solve the two-stream equations of a homogeneous layer.

    Parameters
    ----------
    tau : torch.Tensor, shape (...)
        Optical depth along the vertical.
    ssa : torch.Tensor, shape (...)
        Single-scattering albedo.
    asymmetry : float
        Asymmetry parameter of the scattering; 0 for molecules.
    mu0 : torch.Tensor, broadcastable
        Cosine of the solar zenith angle, above 0.

    Returns
    -------
    TwoStream
        Reflectances and transmittances.

    Notes
    -----
    Closure of Zdunkowski et al. (PIFM); equations 14, 15, 18, 19, 25 and 26 of Meador and Weaver.
    The direct terms are clipped to what is left of the beam. Where ``k mu0 = 1`` they are zero over
    zero, and rounding errors grow without bound beside it. There the beam is scattered as if mu0
    were larger by ``2 sqrt(eps)``, which costs no more than that; RTE divides by eps instead.

    References
    ----------
    W. E. Meador and W. R. Weaver, Two-stream approximations to radiative transfer in planetary
    atmospheres, J. Atmos. Sci. 37, 630 (1980). W. G. Zdunkowski, R. M. Welch and G. Korb, An
    investigation of the structure of typical two-stream methods, Contrib. Atmos. Phys. 53, 147
    (1980).
    """
    eps = torch.finfo(tau.dtype).eps
    gamma1 = (8 - ssa * (5 + 3 * asymmetry)) / 4
    gamma2 = 3 * ssa * (1 - asymmetry) / 4
    gamma3 = (2 - 3 * mu0 * asymmetry) / 4
    gamma4 = 1 - gamma3
    alpha1 = gamma1 * gamma4 + gamma2 * gamma3
    alpha2 = gamma1 * gamma3 + gamma2 * gamma4
    k = ((gamma1 - gamma2) * (gamma1 + gamma2)).clamp(min=1e4 * eps).sqrt()
    e1 = torch.exp(-tau * k)
    e2 = e1 * e1
    beam = torch.exp(-tau / mu0)
    scale = 1 / (k * (1 + e2) + gamma1 * (1 - e2))
    near = (1 - k * mu0).abs() < eps**0.5
    mu = torch.where(near, mu0 * (1 + 2 * eps**0.5), mu0)
    passed = torch.exp(-tau / mu)
    k_mu, k_gamma3, k_gamma4 = k * mu, k * gamma3, k * gamma4
    direct = ssa * scale / (1 - k_mu * k_mu)
    back = direct * (
        (1 - k_mu) * (alpha2 + k_gamma3)
        - (1 + k_mu) * (alpha2 - k_gamma3) * e2
        - 2 * (k_gamma3 - alpha2 * k_mu) * e1 * passed
    )
    forward = -direct * (
        (1 + k_mu) * (alpha1 + k_gamma4) * passed
        - (1 - k_mu) * (alpha1 - k_gamma4) * e2 * passed
        - 2 * (k_gamma4 + alpha1 * k_mu) * e1
    )
    left = 1 - beam
    back = torch.minimum(back, left).clamp(min=0)
    forward = torch.minimum(forward, left - back).clamp(min=0)
    return TwoStream(scale * gamma2 * (1 - e2), scale * 2 * k * e1, back, forward, beam)


def shortwave_fluxes(
    tau: torch.Tensor,
    ssa: torch.Tensor,
    incoming: torch.Tensor,
    mu0: torch.Tensor,
    albedo: torch.Tensor,
    asymmetry: float = 0.0,
) -> ShortwaveFluxes:
    """Solve the transfer of sunlight.

    Parameters
    ----------
    tau : torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical, from the top down.
    ssa : torch.Tensor, shape (columns, layers, g)
        Single-scattering albedo.
    incoming : torch.Tensor, shape (columns, g)
        Irradiance at the top on a plane that faces the sun [W/m2].
    mu0 : torch.Tensor, shape (columns,)
        Cosine of the solar zenith angle; all fluxes are 0 where it is not above 0.
    albedo : torch.Tensor, shape (columns,)
        Of the surface, for diffuse and direct light.
    asymmetry : float
        Asymmetry parameter of the scattering; 0 for molecules.

    Returns
    -------
    ShortwaveFluxes
        Fluxes at each level and g-point [W/m2].

    Raises
    ------
    GasOpticsError
        If shapes do not fit.

    References
    ----------
    J. K. P. Shonk and R. J. Hogan, Tripleclouds: an efficient method for representing horizontal
    cloud inhomogeneity in 1D radiation schemes, J. Climate 21, 2352 (2008), equations 9 to 13,
    doi:10.1175/2007JCLI1940.1.
    """
    _check(tau, ssa, incoming, mu0, albedo)
    sun = mu0 > 0
    cosine = torch.where(sun, mu0, 1.0)[:, None]  # (columns, 1)
    layer = two_stream(tau, ssa, asymmetry, cosine[:, None])
    at_top = torch.where(sun[:, None], incoming * cosine, 0.0)
    direct = [at_top]
    for i in range(tau.shape[1]):
        direct.append(direct[-1] * layer.beam[:, i])
    albedos, sources, denominators = _add_from_surface(layer, direct, albedo)
    diffuse = torch.zeros_like(at_top)
    down, up = [diffuse], [sources[0]]
    for i in range(tau.shape[1]):
        scattered = layer.transmittance_direct[:, i] * direct[i]
        passed = layer.transmittance[:, i] * diffuse
        returned = layer.reflectance[:, i] * sources[i + 1]
        diffuse = (passed + returned + scattered) * denominators[i]
        down.append(diffuse)
        up.append(diffuse * albedos[i + 1] + sources[i + 1])
    beam = torch.stack(direct, dim=1)
    return ShortwaveFluxes(torch.stack(up, dim=1), torch.stack(down, dim=1) + beam, beam)


def _add_from_surface(
    layer: TwoStream, direct: list[torch.Tensor], albedo: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Return, for each level, the albedo of all below and the light it sends up of the beam.

    The third list has, for each layer, the factor of repeated reflections below it.
    """
    below = albedo[:, None].expand_as(direct[-1])
    source = below * direct[-1]
    albedos, sources, denominators = [below], [source], []
    for i in reversed(range(len(direct) - 1)):
        reflectance, transmittance = layer.reflectance[:, i], layer.transmittance[:, i]
        back = layer.reflectance_direct[:, i] * direct[i]
        forward = layer.transmittance_direct[:, i] * direct[i]
        repeated = 1 / (1 - reflectance * below)
        source = back + transmittance * repeated * (source + below * forward)
        below = reflectance + transmittance * transmittance * below * repeated
        albedos.append(below)
        sources.append(source)
        denominators.append(repeated)
    return albedos[::-1], sources[::-1], denominators[::-1]


def _check(
    tau: torch.Tensor,
    ssa: torch.Tensor,
    incoming: torch.Tensor,
    mu0: torch.Tensor,
    albedo: torch.Tensor,
) -> None:
    columns, layers, g = tau.shape
    expected = {
        "ssa": (ssa, (columns, layers, g)),
        "incoming": (incoming, (columns, g)),
        "mu0": (mu0, (columns,)),
        "albedo": (albedo, (columns,)),
    }
    for name, (x, shape) in expected.items():
        if tuple(x.shape) != shape:
            raise GasOpticsError(
                f"{name} has shape {tuple(x.shape)}; expected {shape}, from tau of shape "
                f"{tuple(tau.shape)}."
            )
