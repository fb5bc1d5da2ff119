"""Fields around a star that are learned: known forms with a free number, and networks.

A field is an axisymmetric potential per unit of a planet's mass,

    Phi = -(G m_0 / r) {N_0(r) + N_2(r) P_2(z / r)},

with r from the star and z along its axis. What differs is where the profiles N_0 and N_2 come from.
Their parameters theta may have leading axes of their own, one set for each system of a batch, so
that an integrator can carry derivatives with respect to them. Forces are in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from restudy.nbody.hamiltonian import ExactKick
from restudy.nbody.jacobi import inertial_matrix, jacobi_matrix
from restudy.nbody.splitting import WISDOM_HOLMAN_91, Split
from restudy.nbody.units import GRAVITY

Profiles = tuple[torch.Tensor, torch.Tensor]
"""N_0 and N_2 in the last axis, and their slopes in ln r, each (..., n, 2)."""


class Field(Protocol):
    """The profiles of a field, with parameters."""

    @property
    def size(self) -> int:
        """The number of parameters."""

    def profiles(self, theta: torch.Tensor, r: torch.Tensor) -> Profiles:
        """Return the profiles for parameters (..., size) at distances (..., n) [au]."""

    def start(self) -> torch.Tensor:
        """Return the parameters that a fit starts from, (size,)."""


def field_potential(
    field: Field, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor
) -> torch.Tensor:
    """Return the potential of a field.

    Parameters
    ----------
    field : Field
        Its profiles.
    theta : torch.Tensor
        Their parameters, (..., size).
    x : torch.Tensor
        Positions from the star, (..., n, 3) [au].
    mu : torch.Tensor
        G m_0, (...) [au^3/yr^2].

    Returns
    -------
    torch.Tensor
        Phi, (..., n) [au^2/yr^2].
    """
    r = torch.linalg.vector_norm(x, dim=-1)
    values, _ = field.profiles(theta, r)
    legendre = 1.5 * (x[..., 2] / r) ** 2 - 0.5
    return -mu[..., None] / r * (values[..., 0] + values[..., 1] * legendre)


def field_acceleration(
    field: Field, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor
) -> torch.Tensor:
    """Return -grad Phi, (..., n, 3) [au/yr^2]; parameters as those of `field_potential`."""
    r = torch.linalg.vector_norm(x, dim=-1)
    values, slopes = field.profiles(theta, r)
    cosine = x[..., 2] / r
    terms = values - slopes
    along = terms[..., 0] + terms[..., 1] * (1.5 * cosine**2 - 0.5)
    turn = 3 * cosine * values[..., 1]
    pull = mu[..., None] / r**3
    radial = -pull * (along + turn * cosine)
    axial = torch.nn.functional.pad((pull * turn * r)[..., None], (2, 0))
    return radial[..., None] * x + axial


@dataclass(frozen=True)
class OblateField:
    """The quadrupole of an oblate star: N_2 = -J_2 (R / r)^2, of which J_2 is the parameter.

    Attributes
    ----------
    radius : float
        R of the star [au].

    References
    ----------
    C. D. Murray & S. F. Dermott (1999), Solar System Dynamics, section 6.11.
    """

    radius: float

    @property
    def size(self) -> int:
        """One."""
        return 1

    def profiles(self, theta: torch.Tensor, r: torch.Tensor) -> Profiles:
        """Return N_0 = 0 and N_2, and their slopes, (..., n, 2)."""
        quadrupole = -theta * (self.radius / r) ** 2
        values = torch.stack([torch.zeros_like(quadrupole), quadrupole], dim=-1)
        return values, -2 * values

    def start(self) -> torch.Tensor:
        """Return a star that is round."""
        return torch.zeros(1, dtype=torch.float64)


@dataclass(frozen=True)
class RelativisticField:
    """General relativity as a potential, N_0 = 3 theta G m_0 / (c^2 r); Einstein's theta is 1.

    Attributes
    ----------
    length : float
        G m_0 / c^2 of the star [au].

    References
    ----------
    A. Nobili & I. W. Roxburgh (1986), IAU Symposium 114, 105.
    """

    length: float

    @property
    def size(self) -> int:
        """One."""
        return 1

    def profiles(self, theta: torch.Tensor, r: torch.Tensor) -> Profiles:
        """Return N_0 and N_2 = 0, and their slopes, (..., n, 2)."""
        monopole = 3 * theta * self.length / r
        values = torch.stack([monopole, torch.zeros_like(monopole)], dim=-1)
        return values, -values

    def start(self) -> torch.Tensor:
        """Return no relativity."""
        return torch.zeros(1, dtype=torch.float64)


@dataclass(frozen=True)
class NetworkField:
    """Profiles that are a network of the distance, for a field of unknown form.

    N_0 and N_2 are epsilon times the two outputs of a perceptron of x = ln(r / s) / w, with one
    hidden layer of hyperbolic tangents.

    Attributes
    ----------
    scale : float
        s [au], amid the planets.
    half_width : float
        w, half of the range of ln r.
    amplitude : float
        epsilon, the size that the field may have of the star's.
    width : int
        Units of the hidden layer.
    """

    scale: float
    half_width: float
    amplitude: float
    width: int = 6

    @property
    def size(self) -> int:
        """The number of weights."""
        return 4 * self.width + 2

    def profiles(self, theta: torch.Tensor, r: torch.Tensor) -> Profiles:
        """Return N_0 and N_2, and their slopes, (..., n, 2)."""
        n = self.width
        weight, bias, last = theta[..., :n], theta[..., n : 2 * n], theta[..., 2 * n :]
        outer = last[..., : 2 * n].reshape(*theta.shape[:-1], n, 2)
        x = torch.log(r / self.scale) / self.half_width
        hidden = torch.tanh(x[..., None] * weight[..., None, :] + bias[..., None, :])
        values = hidden @ outer + last[..., None, 2 * n :]
        slopes = ((1 - hidden**2) * weight[..., None, :]) @ outer
        return self.amplitude * values, self.amplitude / self.half_width * slopes

    def start(self) -> torch.Tensor:
        """Return weights with which the field is 0 but can become anything."""
        inner = torch.linspace(-1.5, 1.5, self.width, dtype=torch.float64)
        rest = torch.zeros(2 * self.width + 2, dtype=torch.float64)
        return torch.cat([torch.ones_like(inner), inner, rest])


@dataclass
class FieldKick:
    """The exact interaction of point masses and a field around the star, as one kick.

    Attributes
    ----------
    field : Field
        The field.
    theta : torch.Tensor
        Its parameters, (size,) or (B, size).
    gravity : float
        The constant of gravity G.
    split : Split
        Of the Kepler orbits.

    Notes
    -----
    The field acts on each planet, and the planet on the star, so that the momentum is conserved.
    """

    field: Field
    theta: torch.Tensor
    gravity: float = GRAVITY
    split: Split = WISDOM_HOLMAN_91

    def __post_init__(self) -> None:
        self._exact = ExactKick(self.gravity, self.split)

    def __call__(self, masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Return the accelerations of the Jacobi coordinates, (..., N, 3) [au/yr^2]."""
        positions = inertial_matrix(masses) @ q
        x = positions[..., 1:, :] - positions[..., :1, :]
        pull = field_acceleration(self.field, self.theta, x, self.gravity * masses[..., 0])
        star = -(masses[..., 1:, None] / masses[..., :1, None] * pull).sum(-2, keepdim=True)
        jacobi = jacobi_matrix(masses) @ torch.cat([star, pull], dim=-2)
        rest = torch.nn.functional.pad(jacobi[..., 1:, :], (0, 0, 1, 0))  # not the barycentre
        return self._exact(masses, q) + rest
