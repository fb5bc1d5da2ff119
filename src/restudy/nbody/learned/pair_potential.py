"""A learned potential between pairs of bodies, and the interaction Hamiltonian made of it.

With Jacobi coordinates q' the Hamiltonian of Wisdom & Holman splits into Kepler orbits and

    ``H_int = G sum_{i<j} m_i m_j phi(r_ij) - G sum_i c_i phi(|q'_i|)``,

where c_i is the product of masses in the Kepler orbit of body i, and phi(r) = -1/r for point
masses. Here phi is a network of ln r. The terms with c_i take back what the Kepler orbits have
already; they go through the same network, so that its error cancels wherever the exact terms do:
with the exact ``1/|q'_i|`` beside a learned phi(r_0i), a relative error of 1e-6 in the attraction
of the star would be 1e-3 of that of a planet of 1e-3 stellar masses.

Whatever the weights are, H_int depends on distances alone: it is invariant under rotation,
translation and exchange of bodies, and homogeneous in the masses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from restudy.nbody.errors import NBodyError


@dataclass(frozen=True)
class SeparationRange:
    """The separations that a potential was trained on [au].

    Attributes
    ----------
    least, most : float
        Positive, in this order.

    Raises
    ------
    NBodyError
        If they are not.
    """

    least: float
    most: float

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most < math.inf:
            raise NBodyError(
                f"separations from {self.least:g} to {self.most:g} au are no range; expected "
                "0 < least < most."
            )

    @property
    def scale(self) -> float:
        """Geometric mean of both ends [au]."""
        return math.sqrt(self.least * self.most)

    @property
    def half_width(self) -> float:
        """Half of the logarithm of their ratio."""
        return 0.5 * math.log(self.most / self.least)


class PairPotential(torch.nn.Module):
    r"""A network for the potential between two unit masses.

    .. math:: \phi(r) = -\frac{1}{s} \exp\{w N(x)\}, \qquad x = \frac{1}{w} \ln\frac{r}{s}

    with a perceptron N of one input and one output and hyperbolic tangents. A range of separations
    gives the scale s (its geometric mean) and w (half of the logarithm of the ratio of its ends),
    so that x goes from -1 to 1. The exponential makes errors of N relative errors of the potential
    over all decades; the law of the force is left to the weights.

    Parameters
    ----------
    separations : SeparationRange
        What it will be trained on [au].
    width : int
        Units in each of the two hidden layers.
    rng : torch.Generator
        Of the first weights.

    Notes
    -----
    In float64 throughout: float32 breaks the conservation of angular momentum.
    """

    def __init__(
        self, separations: SeparationRange, width: int = 32, *, rng: torch.Generator
    ) -> None:
        super().__init__()
        if width < 1:
            raise NBodyError(f"a hidden layer of {width} units; expected at least one.")
        self.separations = separations
        self.width = width

        def normal(*shape: int, scale: float) -> torch.nn.Parameter:
            return torch.nn.Parameter(scale * torch.randn(shape, generator=rng).double())

        self.first = normal(width, scale=2.0)
        self.first_bias = normal(width, scale=1.0)
        self.second = normal(width, width, scale=1 / math.sqrt(width))
        self.second_bias = normal(width, scale=0.1)
        self.last = normal(width, scale=1 / math.sqrt(width))
        self.last_bias = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def _coordinate(self, separation: torch.Tensor) -> torch.Tensor:
        limits = self.separations
        return torch.log(separation / limits.scale) / limits.half_width

    def network(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return N and dN/dx at the dimensionless coordinate x, of any shape."""
        first = torch.tanh(x[..., None] * self.first + self.first_bias)  # (..., width)
        first_slope = (1 - first**2) * self.first
        second = torch.tanh(first @ self.second.T + self.second_bias)
        second_slope = (1 - second**2) * (first_slope @ self.second.T)
        return second @ self.last + self.last_bias, second_slope @ self.last

    def forward(self, separation: torch.Tensor) -> torch.Tensor:
        """Return the potential of two unit masses, over G.

        Parameters
        ----------
        separation : torch.Tensor
            r, of any shape [au].

        Returns
        -------
        torch.Tensor
            The values of phi, of the same shape [1/au]; -1/r for point masses.
        """
        limits = self.separations
        value, _ = self.network(self._coordinate(separation))
        return -torch.exp(limits.half_width * value) / limits.scale

    def ratio(self, separation: torch.Tensor) -> torch.Tensor:
        """Return the force over that of Newton's law, which is r^2 dphi/dr.

        Parameters
        ----------
        separation : torch.Tensor
            r, of any shape [au].

        Returns
        -------
        torch.Tensor
            Of the same shape; 1 for point masses.
        """
        x = self._coordinate(separation)
        value, slope = self.network(x)
        return -torch.exp(self.separations.half_width * (value + x)) * slope

    def ratio_gradients(self, separation: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the ratio with respect to all weights, in closed form.

        Parameters
        ----------
        separation : torch.Tensor, shape (n,)
            The r [au].

        Returns
        -------
        torch.Tensor, shape (n, weights)
            In the order of ``parameters()``.
        """
        x = self._coordinate(separation)[:, None]
        first = torch.tanh(x * self.first + self.first_bias)  # (n, width)
        bend = 1 - first**2
        rise = bend * self.first  # d first / dx
        second = torch.tanh(first @ self.second.T + self.second_bias)
        flat = 1 - second**2
        inner = rise @ self.second.T
        slope = flat * inner  # d second / dx
        # Derivatives of N and dN/dx: with respect to what enters the second layer, then the first.
        outer = flat * self.last
        curved = -2 * second * slope * self.last
        back = outer @ self.second
        into = back * bend
        turned = (curved @ self.second) * bend - 2 * back * first * rise
        value = (
            *(into * x, into, outer[:, :, None] * first[:, None, :], outer, second),
            torch.ones_like(x),
        )
        steep = (
            *(turned * x + back * bend, turned),
            curved[:, :, None] * first[:, None, :] + outer[:, :, None] * rise[:, None, :],
            *(curved, slope, torch.zeros_like(x)),
        )
        N, dN = second @ self.last + self.last_bias, slope @ self.last
        w = self.separations.half_width
        size = -torch.exp(w * (N + x[:, 0]))[:, None]
        along = w * dN[:, None]
        parts = zip(value, steep, strict=True)
        return torch.cat([size * (along * a.flatten(1) + b.flatten(1)) for a, b in parts], 1)


class Newton(torch.nn.Module):
    """The exact potential of point masses, -1/r, with the interface of `PairPotential`."""

    def forward(self, separation: torch.Tensor) -> torch.Tensor:
        """Return -1/r [1/au]."""
        return -1 / separation

    def ratio(self, separation: torch.Tensor) -> torch.Tensor:
        """Return 1."""
        return torch.ones_like(separation)


class Potential(Protocol):
    """What an interaction needs of a potential."""

    def __call__(self, separation: torch.Tensor) -> torch.Tensor:
        """Return phi [1/au]."""

    def ratio(self, separation: torch.Tensor) -> torch.Tensor:
        """Return r^2 dphi/dr."""
