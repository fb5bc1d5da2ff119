"""Fields around a star that are learned: known forms with a free number, and networks.

A field is a potential per unit of a planet's mass, Phi(x; theta), with x from the star. Its
parameters theta have leading axes of their own, one set for each system of a batch, so that an
integrator can carry derivatives with respect to them. Forces are in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from restudy.nbody.hamiltonian import ExactKick
from restudy.nbody.jacobi import inertial_matrix, jacobi_matrix
from restudy.nbody.splitting import Split, WisdomHolman91Split
from restudy.nbody.units import GRAVITY


class Field(Protocol):
    """A potential around the star, with parameters."""

    @property
    def size(self) -> int:
        """The number of parameters."""

    def potential(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return Phi [au^2/yr^2], (..., n), at x (..., n, 3) with mu = G m_0 (...)."""

    def acceleration(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return -grad Phi [au/yr^2], (..., n, 3)."""

    def start(self) -> torch.Tensor:
        """Return the parameters that a fit starts from, (size,)."""


@dataclass(frozen=True)
class OblateField:
    r"""The quadrupole of an oblate star with its axis along z; its parameter is J_2.

    .. math:: \Phi = \frac{G m_0}{r} J_2 \frac{R^2}{r^2} P_2(z / r)

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

    def potential(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return Phi [au^2/yr^2], (..., n)."""
        r = torch.linalg.vector_norm(x, dim=-1)
        legendre = 1.5 * (x[..., 2] / r) ** 2 - 0.5
        return mu[..., None] * theta * self.radius**2 / r**3 * legendre

    def acceleration(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return -grad Phi [au/yr^2], (..., n, 3)."""
        r2 = (x * x).sum(-1)
        factor = -1.5 * mu[..., None] * theta * self.radius**2 / r2**2.5
        radial = factor * (1 - 5 * x[..., 2] ** 2 / r2)
        axial = torch.stack([radial, radial, radial + 2 * factor], dim=-1)
        return axial * x

    def start(self) -> torch.Tensor:
        """Return a star that is round."""
        return torch.zeros(1, dtype=torch.float64)


@dataclass(frozen=True)
class RelativisticField:
    r"""General relativity as a potential; its parameter is 1 if Einstein is right.

    .. math:: \Phi = -3 \theta \frac{(G m_0)^2}{c^2 r^2}

    Attributes
    ----------
    light : float
        The speed of light c [au/yr].

    References
    ----------
    A. Nobili & I. W. Roxburgh (1986), IAU Symposium 114, 105.
    """

    light: float

    @property
    def size(self) -> int:
        """One."""
        return 1

    def potential(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return Phi [au^2/yr^2], (..., n)."""
        return -3 * theta * (mu[..., None] / self.light) ** 2 / (x * x).sum(-1)

    def acceleration(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return -grad Phi [au/yr^2], (..., n, 3)."""
        r2 = (x * x).sum(-1)
        return (-6 * theta * (mu[..., None] / self.light) ** 2 / r2**2)[..., None] * x

    def start(self) -> torch.Tensor:
        """Return no relativity."""
        return torch.zeros(1, dtype=torch.float64)


@dataclass(frozen=True)
class NetworkField:
    r"""An axisymmetric field whose dependence on the distance is a network.

    .. math:: \Phi = -\varepsilon \frac{G m_0}{r} \{N_0(x) + N_2(x) P_2(z / r)\},
        \qquad x = \frac{1}{w} \ln\frac{r}{s}

    with two outputs of a perceptron of one hidden layer of hyperbolic tangents. An oblate star has
    N_2 = -J_2 R^2 / (epsilon r^2), relativity N_0 = 3 G m_0 / (epsilon c^2 r), a disk both.

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

    def profiles(
        self, theta: torch.Tensor, r: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return epsilon N_0 and epsilon N_2, and their slopes in ln r.

        Parameters
        ----------
        theta : torch.Tensor
            Weights, (..., size).
        r : torch.Tensor
            Distances, (..., n) [au].

        Returns
        -------
        values, slopes : torch.Tensor
            (..., n, 2).
        """
        weight, bias, last = theta.split([self.width, self.width, 2 * self.width + 2], dim=-1)
        outer = last[..., : 2 * self.width].unflatten(-1, (self.width, 2))
        x = torch.log(r / self.scale) / self.half_width
        hidden = torch.tanh(x[..., None] * weight[..., None, :] + bias[..., None, :])
        values = hidden @ outer + last[..., None, 2 * self.width :]
        slopes = ((1 - hidden**2) * weight[..., None, :]) @ outer
        return self.amplitude * values, self.amplitude / self.half_width * slopes

    def potential(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return Phi [au^2/yr^2], (..., n)."""
        r = torch.linalg.vector_norm(x, dim=-1)
        values, _ = self.profiles(theta, r)
        legendre = 1.5 * (x[..., 2] / r) ** 2 - 0.5
        return -mu[..., None] / r * (values[..., 0] + values[..., 1] * legendre)

    def acceleration(self, theta: torch.Tensor, x: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Return -grad Phi [au/yr^2], (..., n, 3)."""
        r = torch.linalg.vector_norm(x, dim=-1)
        values, slopes = self.profiles(theta, r)
        cosine = x[..., 2] / r
        terms = values - slopes
        along = terms[..., 0] + terms[..., 1] * (1.5 * cosine**2 - 0.5)
        turn = 3 * cosine * values[..., 1]  # of dPhi / d(z / r), times -r / mu
        pull = mu[..., None] / r**3
        radial = -pull * (along + turn * cosine)
        axial = torch.nn.functional.pad((pull * turn * r)[..., None], (2, 0))
        return radial[..., None] * x + axial

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
    split: Split = WisdomHolman91Split()

    def __post_init__(self) -> None:
        self._exact = ExactKick(self.gravity, self.split)

    def __call__(self, masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Return the accelerations of the Jacobi coordinates, (..., N, 3) [au/yr^2]."""
        positions = inertial_matrix(masses) @ q
        x = positions[..., 1:, :] - positions[..., :1, :]
        pull = self.field.acceleration(self.theta, x, self.gravity * masses[..., 0])
        star = -(masses[..., 1:, None] / masses[..., :1, None] * pull).sum(-2, keepdim=True)
        jacobi = jacobi_matrix(masses) @ torch.cat([star, pull], dim=-2)
        rest = torch.nn.functional.pad(jacobi[..., 1:, :], (0, 0, 1, 0))  # not the barycentre
        return self._exact(masses, q) + rest


def oblateness_of(field: NetworkField, theta: torch.Tensor, r: torch.Tensor, radius: float) -> torch.Tensor:
    """Return the J_2 that a learned field has at distances, -epsilon N_2 r^2 / R^2.

    Parameters
    ----------
    field : NetworkField
        The field.
    theta : torch.Tensor
        Its weights, (size,).
    r : torch.Tensor
        Distances, (n,) [au].
    radius : float
        R of the star [au].

    Returns
    -------
    torch.Tensor
        (n,); the same everywhere if the field is that of an oblate star.
    """
    values, _ = field.profiles(theta, r)
    return -values[..., 1] * r**2 / radius**2


def precession_by_oblateness(j2: float, radius: float, a: float, e: float, period: float) -> float:
    """Return the rate of the pericentre of an orbit in the star's equator [rad/yr].

    It is 3 n J_2 R^2 / (2 p^2), with p = a (1 - e^2); C. D. Murray & S. F. Dermott, equation 6.249.
    """
    return 3 * math.pi / period * j2 * (radius / (a * (1 - e * e))) ** 2
