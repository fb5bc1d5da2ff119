"""Democratic heliocentric coordinates: positions from the star, velocities from the barycentre.

Row 0 holds the position and the velocity of the barycentre. With the momenta ``P_i = m_i V_i`` and
``P_0 = M V_0`` the coordinates are canonical; the order of the planets does not matter.
"""

from __future__ import annotations

import torch


def to_heliocentric(
    masses: torch.Tensor, positions: torch.Tensor, velocities: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return democratic heliocentric coordinates.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].
    positions : torch.Tensor, shape (..., N, 3)
        In an inertial frame [au].
    velocities : torch.Tensor, shape (..., N, 3)
        In the same frame [au/yr].

    Returns
    -------
    tuple of torch.Tensor, shape (..., N, 3)
        Positions ``r_i - r_0`` and velocities ``v_i - V``, with those of the barycentre in row 0.

    References
    ----------
    M. J. Duncan, H. F. Levison & M. H. Lee (1998), doi:10.1086/300541, equation 3.
    """
    weights = (masses / masses.sum(-1, keepdim=True))[..., None, :]
    r, v = weights @ positions, weights @ velocities
    return (
        torch.cat([r, positions[..., 1:, :] - positions[..., :1, :]], dim=-2),
        torch.cat([v, velocities[..., 1:, :] - v], dim=-2),
    )


def from_heliocentric(
    masses: torch.Tensor, positions: torch.Tensor, velocities: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inertial coordinates of democratic heliocentric ones.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].
    positions, velocities : torch.Tensor, shape (..., N, 3)
        As :func:`to_heliocentric` returns them [au], [au/yr].

    Returns
    -------
    tuple of torch.Tensor, shape (..., N, 3)
        Positions and velocities in the inertial frame.
    """
    planets = masses[..., None, 1:]
    star = positions[..., :1, :] - planets @ positions[..., 1:, :] / masses.sum(-1)[..., None, None]
    slow = velocities[..., :1, :]
    recoil = slow - planets @ velocities[..., 1:, :] / masses[..., :1, None]
    return (
        torch.cat([star, star + positions[..., 1:, :]], dim=-2),
        torch.cat([recoil, slow + velocities[..., 1:, :]], dim=-2),
    )
