"""Energies, momenta and the exact kick, for one system or many, differentiable by autograd.

Arrays of Jacobi coordinates have the barycentre in row 0, as in :mod:`restudy.nbody.jacobi`.
"""

from __future__ import annotations

import torch

from restudy.nbody.jacobi import inertial_matrix, jacobi_masses, jacobi_matrix
from restudy.nbody.splitting import WISDOM_HOLMAN_91, Split
from restudy.nbody.units import GRAVITY


def energy(
    masses: torch.Tensor,
    positions: torch.Tensor,
    velocities: torch.Tensor,
    gravity: float = GRAVITY,
) -> torch.Tensor:
    """Return the energy in an inertial frame.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    positions, velocities : torch.Tensor, shape (..., N, 3)
        In the inertial frame [au], [au/yr].
    gravity : float
        The constant of gravity.

    Returns
    -------
    torch.Tensor, shape (...)
        ``sum m v^2 / 2 - G sum_{i<j} m_i m_j / r_ij`` [M_sun au^2/yr^2].
    """
    kinetic = 0.5 * (masses * (velocities * velocities).sum(-1)).sum(-1)
    n = masses.shape[-1]
    i, j = torch.triu_indices(n, n, 1, device=masses.device)
    r = torch.linalg.vector_norm(positions[..., i, :] - positions[..., j, :], dim=-1)
    return kinetic - gravity * (masses[..., i] * masses[..., j] / r).sum(-1)


def angular_momentum(
    masses: torch.Tensor, positions: torch.Tensor, velocities: torch.Tensor
) -> torch.Tensor:
    """Return the angular momentum about the origin.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    positions, velocities : torch.Tensor, shape (..., N, 3)
        In the inertial frame [au], [au/yr].

    Returns
    -------
    torch.Tensor, shape (..., 3)
        ``sum m r x v`` [M_sun au^2/yr].
    """
    return (masses[..., None] * torch.linalg.cross(positions, velocities)).sum(-2)


def kepler_energy(
    masses: torch.Tensor,
    q: torch.Tensor,
    qdot: torch.Tensor,
    gravity: float = GRAVITY,
    split: Split = WISDOM_HOLMAN_91,
) -> torch.Tensor:
    """Return ``H_Kep``, with the energy of the barycentre's motion.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    q, qdot : torch.Tensor, shape (..., N, 3)
        Positions and velocities in Jacobi coordinates [au], [au/yr].
    gravity : float
        The constant of gravity.
    split : Split
        Which mass each planet orbits.

    Returns
    -------
    torch.Tensor, shape (...)
        ``sum_i m'_i (q'_i-dot^2 / 2 - mu_i / |q'_i|)`` [M_sun au^2/yr^2].
    """
    m = jacobi_masses(masses)
    distance = torch.linalg.vector_norm(q[..., 1:, :], dim=-1)
    kinetic = 0.5 * (m * (qdot * qdot).sum(-1)).sum(-1)
    return kinetic - (m[..., 1:] * split.mu(masses, gravity) / distance).sum(-1)


def interaction_energy(
    masses: torch.Tensor,
    q: torch.Tensor,
    gravity: float = GRAVITY,
    split: Split = WISDOM_HOLMAN_91,
) -> torch.Tensor:
    """Return ``H_int``, all of the energy that is not ``H_Kep``.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    q : torch.Tensor, shape (..., N, 3)
        Positions in Jacobi coordinates [au].
    gravity : float
        The constant of gravity.
    split : Split
        Which mass each planet orbits.

    Returns
    -------
    torch.Tensor, shape (...)
        ``sum_{i>=2} m'_i mu_i / |q'_i| - G sum_{i<j} m_i m_j / r_ij`` without the pair of the star
        and the first planet [M_sun au^2/yr^2]: 0 for two bodies.
    """
    n = masses.shape[-1]
    i, j = torch.triu_indices(n, n, 1, device=masses.device)[:, 1:]  # without the pair (0, 1)
    r = inertial_matrix(masses) @ q
    separation = torch.linalg.vector_norm(r[..., i, :] - r[..., j, :], dim=-1)
    pairs = gravity * (masses[..., i] * masses[..., j] / separation).sum(-1)
    central = jacobi_masses(masses)[..., 2:] * split.mu(masses, gravity)[..., 1:]
    return (central / torch.linalg.vector_norm(q[..., 2:, :], dim=-1)).sum(-1) - pairs


class ExactKick:
    """The acceleration by the interaction of point masses, in Jacobi coordinates.

    ``q'_i-ddot = -(1 / m'_i) dH_int / dq'_i``, computed as the acceleration of the bodies, carried
    over by the matrix of the masses, so that no mass divides and a light body is as good as any.

    Parameters
    ----------
    gravity : float
        The constant of gravity.
    split : Split
        Which mass each planet orbits.

    Notes
    -----
    The matrices of the last masses are kept, as long as no gradient with respect to them is wanted.
    """

    def __init__(self, gravity: float = GRAVITY, split: Split = WISDOM_HOLMAN_91) -> None:
        self.gravity = gravity
        self.split = split
        self._last: tuple[torch.Tensor, tuple[torch.Tensor, ...]] | None = None

    def __call__(self, masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Return the accelerations of Jacobi coordinates.

        Parameters
        ----------
        masses : torch.Tensor, shape (..., N)
            [M_sun].
        q : torch.Tensor, shape (..., N, 3)
            Positions in Jacobi coordinates [au].

        Returns
        -------
        torch.Tensor, shape (..., N, 3)
            [au/yr^2]; 0 for the barycentre.
        """
        to_inertial, to_jacobi, weights, mu = self._matrices(masses)
        r = to_inertial @ q
        apart = r[..., None, :, :] - r[..., :, None, :]  # (..., i, j, 3): from i to j
        square = (apart * apart).sum(-1)
        square = torch.where(weights > 0, square, 1.0)
        pull = weights / (square * square.sqrt())
        acceleration = to_jacobi @ (pull[..., None] * apart).sum(-2)
        outer = q[..., 2:, :]
        cube = torch.linalg.vector_norm(outer, dim=-1, keepdim=True) ** 3
        central = mu[..., 1:, None] * outer / cube
        return torch.nn.functional.pad(central, (0, 0, 2, 0)) + acceleration

    def _matrices(self, masses: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self._last is not None and self._last[0] is masses:
            return self._last[1]
        n = masses.shape[-1]
        pairs = 1.0 - torch.eye(n, dtype=masses.dtype, device=masses.device)
        pairs[0, 1] = pairs[1, 0] = 0.0  # the orbit of the first planet is in H_Kep as it is
        to_jacobi = jacobi_matrix(masses)
        barycentre = torch.ones_like(to_jacobi)
        barycentre[..., 0, :] = 0.0  # at rest, and not only to round-off
        matrices = (
            inertial_matrix(masses),
            to_jacobi * barycentre,
            self.gravity * masses[..., None, :] * pairs,
            self.split.mu(masses, self.gravity),
        )
        self._last = None if masses.requires_grad else (masses, matrices)
        return matrices


def exact_kick(
    masses: torch.Tensor,
    q: torch.Tensor,
    gravity: float = GRAVITY,
    split: Split = WISDOM_HOLMAN_91,
) -> torch.Tensor:
    """Return the acceleration by the interaction of point masses, in Jacobi coordinates.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    q : torch.Tensor, shape (..., N, 3)
        Positions in Jacobi coordinates [au].
    gravity : float
        The constant of gravity.
    split : Split
        Which mass each planet orbits.

    Returns
    -------
    torch.Tensor, shape (..., N, 3)
        ``-(1 / m'_i) dH_int / dq'_i`` [au/yr^2]; 0 for the barycentre.
    """
    return ExactKick(gravity, split)(masses, q)


def no_kick(masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return zeros: planets that do not know of each other, the control of every learned kick.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    q : torch.Tensor, shape (..., N, 3)
        Positions in Jacobi coordinates [au].

    Returns
    -------
    torch.Tensor, shape (..., N, 3)
        Zeros.
    """
    return torch.zeros_like(q)
