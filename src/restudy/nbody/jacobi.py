"""Jacobi coordinates: each planet from the centre of mass of all that is inside it.

Row 0 of an array of Jacobi coordinates is the barycentre of the system, and row i the body i. One
matrix, of the masses only, serves positions, velocities and accelerations.
"""

from __future__ import annotations

import torch


def to_jacobi(masses: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return Jacobi coordinates, ``q'_i = r_i - R_{i-1}``.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].
    x : torch.Tensor, shape (..., N, 3)
        Positions, velocities or accelerations in an inertial frame.

    Returns
    -------
    torch.Tensor, shape (..., N, 3)
        Row 0 is of the barycentre, row i of the body i against the centre of mass ``R_{i-1}`` of
        the bodies 0 to i - 1.

    References
    ----------
    J. Wisdom & M. Holman (1991), doi:10.1086/115978, section 3.
    """
    return jacobi_matrix(masses) @ x


def from_jacobi(masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return inertial coordinates, ``r = A q'``, of Jacobi coordinates.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].
    q : torch.Tensor, shape (..., N, 3)
        Jacobi coordinates of positions, velocities or accelerations.

    Returns
    -------
    torch.Tensor, shape (..., N, 3)
        In the inertial frame.
    """
    return inertial_matrix(masses) @ q


def jacobi_matrix(masses: torch.Tensor) -> torch.Tensor:
    """Return the matrix from inertial to Jacobi coordinates.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].

    Returns
    -------
    torch.Tensor, shape (..., N, N)
        Row 0 is ``m_j / M``; row i is 1 at i and ``-m_j / eta_{i-1}`` at j < i.
    """
    eta = masses.cumsum(-1)
    n = masses.shape[-1]
    unit = torch.eye(n, dtype=masses.dtype, device=masses.device)
    inner = -(masses[..., None, :] / eta[..., :-1, None]).tril()  # (..., N - 1, N), j <= i - 1
    barycentre = masses / eta[..., -1:]
    return torch.cat([barycentre[..., None, :], unit[1:] + inner], dim=-2)


def inertial_matrix(masses: torch.Tensor) -> torch.Tensor:
    """Return the matrix A from Jacobi to inertial coordinates.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].

    Returns
    -------
    torch.Tensor, shape (..., N, N)
        Row i is 1 at 0, ``eta_{i-1} / eta_i`` at i > 0, and ``-m_k / eta_k`` at k > i.
    """
    eta = masses.cumsum(-1)
    later = -(masses / eta)[..., None, :].expand(*masses.shape, masses.shape[-1]).triu(1)
    own = torch.cat([torch.ones_like(eta[..., :1]), eta[..., :-1] / eta[..., 1:]], dim=-1)
    everywhere = torch.zeros_like(later)
    everywhere[..., 1:, 0] = 1.0
    return later + torch.diag_embed(own) + everywhere


def jacobi_masses(masses: torch.Tensor) -> torch.Tensor:
    """Return the masses of the momenta, ``p'_i = m'_i q'_i-dot``.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        Masses, the star first [M_sun].

    Returns
    -------
    torch.Tensor, shape (..., N)
        The total, then ``m'_i = m_i eta_{i-1} / eta_i``.
    """
    eta = masses.cumsum(-1)
    return torch.cat([eta[..., -1:], masses[..., 1:] * eta[..., :-1] / eta[..., 1:]], dim=-1)
