"""The interaction Hamiltonian of pairs, as a kick for Wisdom and Holman's integrator.

All vectors that H_int depends on are linear in the Jacobi coordinates, d = D(masses) q', so that
its gradient is D^T applied to forces along d. A force along d has no torque, so the kick conserves
angular momentum to round-off, and the momentum is no Jacobi coordinate at all: it never changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.nbody.jacobi import jacobi_masses
from restudy.nbody.learned.pair_potential import Potential
from restudy.nbody.splitting import WISDOM_HOLMAN_91, Split
from restudy.nbody.units import GRAVITY


def difference_matrix(masses: torch.Tensor) -> torch.Tensor:
    """Return the matrix from Jacobi coordinates to the vectors that H_int depends on.

    Parameters
    ----------
    masses : torch.Tensor
        (..., N) [M_sun].

    Returns
    -------
    torch.Tensor
        D, (..., K, N): r_j - r_i of the pairs i < j in the order of `pair_indices`, then q'_i of
        the second planet and those after it. The column of the barycentre is 0.

    Notes
    -----
    Relative to the star, r_j = q'_j + sum_{0 < i < j} (m_i / eta_i) q'_i.
    """
    bodies = masses.shape[-1]
    unit = torch.eye(bodies, dtype=masses.dtype, device=masses.device)
    share = (masses / masses.cumsum(-1))[..., None, :]
    places = unit + torch.tril(torch.ones_like(unit), -1) * share  # (..., N, N), without column 0
    i, j = pair_indices(bodies, masses.device)
    pairs = places[..., j, :] - places[..., i, :]
    rows = torch.cat([pairs, unit[2:].expand(*pairs.shape[:-2], bodies - 2, bodies)], dim=-2)
    return torch.nn.functional.pad(rows[..., 1:], (1, 0))


def pair_indices(bodies: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return i and j of all pairs i < j but (0, 1), which is in the Kepler orbits entirely."""
    first, second = torch.triu_indices(bodies, bodies, 1, device=device)
    keep = second > 1
    return first[keep], second[keep]


@dataclass(frozen=True)
class PairInteraction:
    """The interaction Hamiltonian with a potential between pairs, a kick for the integrator.

    Attributes
    ----------
    potential : Potential
        phi and its slope: a `PairPotential`, or `Newton`.
    gravity : float
        The constant of gravity G.
    split : Split
        What the Kepler orbits have of the attraction of the star.
    """

    potential: Potential
    gravity: float = GRAVITY
    split: Split = WISDOM_HOLMAN_91

    def products(self, masses: torch.Tensor) -> torch.Tensor:
        """Return the mass products m_i m_j of the pairs, then -c_i, (..., K) [M_sun^2]."""
        i, j = pair_indices(masses.shape[-1], masses.device)
        kepler = jacobi_masses(masses)[..., 2:] * self.split.mu(masses, self.gravity)[..., 1:]
        return torch.cat([masses[..., i] * masses[..., j], -kepler / self.gravity], dim=-1)

    def energy(self, masses: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return H_int.

        Parameters
        ----------
        masses : torch.Tensor
            (..., N) [M_sun].
        positions : torch.Tensor
            Jacobi coordinates q', the barycentre in row 0, (..., N, 3) [au].

        Returns
        -------
        torch.Tensor
            (...) [M_sun au^2 / yr^2].
        """
        vectors = difference_matrix(masses) @ positions
        phi = self.potential(torch.linalg.vector_norm(vectors, dim=-1))
        return self.gravity * (self.products(masses) * phi).sum(-1)

    def __call__(self, masses: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the accelerations of the Jacobi coordinates.

        Parameters
        ----------
        masses : torch.Tensor
            (..., N) [M_sun].
        positions : torch.Tensor
            Jacobi coordinates q', the barycentre in row 0, (..., N, 3) [au].

        Returns
        -------
        torch.Tensor
            -(dH_int / dq'_i) / m'_i, 0 for the barycentre, (..., N, 3) [au / yr^2].
        """
        D = difference_matrix(masses)
        vectors = D @ positions  # (..., K, 3)
        r = torch.linalg.vector_norm(vectors, dim=-1)
        slopes = self.gravity * self.products(masses) * self.potential.ratio(r) / r**3
        gradient = D.mT @ (slopes[..., None] * vectors)
        return -gradient / jacobi_masses(masses)[..., None]

    def separations(self, masses: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the lengths that the potential is asked for, (..., K) [au]."""
        return torch.linalg.vector_norm(difference_matrix(masses) @ positions, dim=-1)

    def influences(
        self, masses: torch.Tensor, positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each separation adds to the accelerations for Newton's law.

        Parameters
        ----------
        masses : torch.Tensor
            (..., N) [M_sun].
        positions : torch.Tensor
            Jacobi coordinates q', the barycentre in row 0, (..., N, 3) [au].

        Returns
        -------
        separations : torch.Tensor
            The distances r_k, (..., K) [au].
        influences : torch.Tensor
            The vectors V, (..., K, N, 3) [au / yr^2]: accelerations are the sum over k of V_k times
            the potential's ``ratio(r_k)``.
        """
        D = difference_matrix(masses)
        vectors = D @ positions
        r = torch.linalg.vector_norm(vectors, dim=-1)
        forces = (self.gravity * self.products(masses) / r**3)[..., None] * vectors  # (..., K, 3)
        gradients = D[..., None] * forces[..., None, :]  # (..., K, N, 3)
        return r, -gradients / jacobi_masses(masses)[..., None, :, None]
