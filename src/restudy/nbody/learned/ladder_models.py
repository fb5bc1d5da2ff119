"""Four ways to learn the interaction of two planets, each knowing more than the one before.

=========== ============================ ==================== =====================================
model       what the network gives       its inputs           what holds for any weights
=========== ============================ ==================== =====================================
plain       the force on each planet     q'_1, q'_2           nothing
scalar      H_int                        q'_1, q'_2           the force is a gradient: symplectic
invariant   H_int                        lengths and product  and rotations: angular momentum
pairwise    1/d of each pair             ln d                 and masses and Newton's third law
=========== ============================ ==================== =====================================

All have the same hidden layers, of tanh. Forces are ``-dH_int/dq'`` of the Jacobi coordinates.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from restudy.nbody.learned import ladder_kernels as kernels
from restudy.nbody.learned.kicked import FloatArray, JacobiFrame

HIDDEN = 3  # layers, which the kernels have one by one


@dataclass(frozen=True)
class Scales:
    """What makes inputs and outputs of the order of 1.

    Attributes
    ----------
    lengths : tuple of float
        Root mean square of the two Jacobi distances [au].
    force : float
        Root mean square of the forces [solar masses au/yr2].
    """

    lengths: tuple[float, float]
    force: float


class Perceptron(nn.Module):
    """Dense layers of tanh in float64, the last one linear.

    Parameters
    ----------
    inputs, width, outputs : int
        Of the layers.
    rng : torch.Generator
        Of the weights (Glorot normal); biases start at 0.
    """

    def __init__(self, inputs: int, width: int, outputs: int, *, rng: torch.Generator) -> None:
        super().__init__()
        widths = [inputs] + [width] * HIDDEN + [outputs]
        self.layers = nn.ModuleList(
            nn.Linear(a, b, dtype=torch.float64) for a, b in itertools.pairwise(widths)
        )
        for layer in self.dense:
            nn.init.xavier_normal_(layer.weight, generator=rng)
            nn.init.zeros_(layer.bias)

    @property
    def dense(self) -> list[nn.Linear]:
        """The layers."""
        return [cast("nn.Linear", layer) for layer in self.layers]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs (..., outputs) of inputs (..., inputs)."""
        for layer in self.dense[:-1]:
            x = torch.tanh(layer(x))
        return self.dense[-1](x)

    def arrays(self) -> kernels.Weights:
        """Return weights and biases for the kernels."""
        return kernels.Weights(
            *(
                np.ascontiguousarray(array.detach().numpy())
                for layer in self.dense
                for array in (layer.weight, layer.bias)
            )
        )


class ForceModel(nn.Module, ABC):
    """A learnt interaction of two planets.

    Parameters
    ----------
    frame : JacobiFrame
        Of star and two planets, whose masses the weights belong to.
    scales : Scales
        Of inputs and outputs.
    width : int
        Units of a hidden layer.
    rng : torch.Generator
        Of the weights.
    """

    inputs = 6
    outputs = 1

    def __init__(
        self, frame: JacobiFrame, scales: Scales, width: int, *, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.frame, self.scales = frame, scales
        self.network = Perceptron(self.inputs, width, self.outputs, rng=rng)

    @abstractmethod
    def force(self, q: torch.Tensor) -> torch.Tensor:
        """Return the forces (n, 2, 3) of Jacobi positions (n, 2, 3), to be differentiated."""

    def forward(self, masses: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Return Jacobi accelerations, as a kick for `restudy.nbody.wisdom_holman.integrate`.

        Parameters
        ----------
        masses : torch.Tensor, shape (..., 3)
            Not looked at: those of `frame` are in the weights.
        q : torch.Tensor, shape (..., 3, 3)
            Jacobi positions, the barycentre in row 0 [au].

        Returns
        -------
        torch.Tensor, shape (..., 3, 3)
            Accelerations, 0 in row 0 [au/yr2].
        """
        force = self.force(q[..., 1:, :].reshape(-1, 2, 3)).reshape(*q.shape[:-2], 2, 3)
        planets = force / q.new_tensor(self.frame.reduced)[:, None]
        return torch.cat((torch.zeros_like(q[..., :1, :]), planets), dim=-2)

    @abstractmethod
    def compiled_force(self, q: FloatArray) -> FloatArray:
        """Return the forces (2, 3) of one state (2, 3), by compiled code."""

    def freeze(self) -> None:
        """Take over the weights into the compiled code."""
        self._weights = self.network.arrays()


class PlainForce(ForceModel):
    """The forces themselves, of raw coordinates: no energy stands behind them."""

    outputs = 6

    def force(self, q: torch.Tensor) -> torch.Tensor:
        """Return the forces (n, 2, 3)."""
        x = (q / q.new_tensor(self.scales.lengths)[:, None]).flatten(1)
        return self.scales.force * self.network(x).reshape(-1, 2, 3)

    def compiled_force(self, q: FloatArray) -> FloatArray:
        """Return the forces (2, 3)."""
        return kernels.plain_force(q, self._weights, *self.scales.lengths, self.scales.force)


class EnergyModel(ForceModel):
    """An interaction Hamiltonian, of which the forces are the gradient."""

    @abstractmethod
    def energy(self, q: torch.Tensor) -> torch.Tensor:
        """Return H_int, (n,), of Jacobi positions (n, 2, 3)."""

    def force(self, q: torch.Tensor) -> torch.Tensor:
        """Return the forces (n, 2, 3), by automatic differentiation."""
        further = torch.is_grad_enabled()
        with torch.enable_grad():
            q = q if q.requires_grad else q.detach().requires_grad_()
            energy = self.energy(q).sum()
            (slope,) = torch.autograd.grad(energy, q, create_graph=further)
        return -slope

    @property
    def unit(self) -> float:
        """What an output of 1 means, so that forces are of the order of 1 [Msun au2/yr2]."""
        return self.scales.force * self.scales.lengths[1]


class ScalarEnergy(EnergyModel):
    """H_int of raw coordinates."""

    def energy(self, q: torch.Tensor) -> torch.Tensor:
        """Return H_int, (n,)."""
        x = (q / q.new_tensor(self.scales.lengths)[:, None]).flatten(1)
        return self.unit * self.network(x)[:, 0]

    def compiled_force(self, q: FloatArray) -> FloatArray:
        """Return the forces (2, 3)."""
        return kernels.scalar_force(q, self._weights, *self.scales.lengths, self.unit)


class InvariantEnergy(EnergyModel):
    """H_int of the two distances and the inner product, which no rotation changes."""

    inputs = 3

    def energy(self, q: torch.Tensor) -> torch.Tensor:
        """Return H_int, (n,)."""
        first, second = (q / q.new_tensor(self.scales.lengths)[:, None]).unbind(1)
        lengths = [torch.linalg.vector_norm(x, dim=1) for x in (first, second)]
        x = torch.stack((*lengths, (first * second).sum(1)), dim=1)
        return self.unit * self.network(x)[:, 0]

    def compiled_force(self, q: FloatArray) -> FloatArray:
        """Return the forces (2, 3)."""
        return kernels.invariant_force(q, self._weights, *self.scales.lengths, self.unit)


class PairEnergy(EnergyModel):
    """A sum over pairs of G m m' phi(d), in place of 1/d, with one phi for all.

    The pairs are those of the split of Wisdom & Holman (1991): minus star and outer planet, minus
    the two planets, plus star and outer planet at its Jacobi distance.
    """

    inputs = 1

    def energy(self, q: torch.Tensor) -> torch.Tensor:
        """Return H_int, (n,)."""
        vectors = q.new_tensor(self.pairs) @ q  # (n, 3 pairs, 3)
        distances = torch.linalg.vector_norm(vectors, dim=2)
        x = torch.log(distances / self.scales.lengths[1])
        phi = self.network(x[..., None])[..., 0] / self.scales.lengths[1]
        return phi @ q.new_tensor(self.charges)

    @property
    def pairs(self) -> NDArray[np.float64]:
        """The matrix from Jacobi coordinates to the vectors of the three pairs, (3, 2)."""
        places = self.frame.places
        return np.array([[0.0, 1.0], places[2] - places[0], places[2] - places[1]])

    @property
    def charges(self) -> NDArray[np.float64]:
        """G m m' of the three pairs, with their signs, (3,)."""
        star, inner, outer = self.frame.masses
        return self.frame.gravity * outer * np.array([star, -star, -inner])

    def freeze(self) -> None:
        """Take over the weights into the compiled code."""
        super().freeze()
        self._fixed = self.pairs, self.charges

    def compiled_force(self, q: FloatArray) -> FloatArray:
        """Return the forces (2, 3)."""
        return kernels.pair_force(q, self._weights, *self._fixed, self.scales.lengths[1])


class LearnedKick:
    """The kick of a model, for `integrate_kicked`.

    Parameters
    ----------
    model : ForceModel
        Its weights of this moment are taken over.
    """

    def __init__(self, model: ForceModel) -> None:
        model.freeze()
        self._model = model
        self._per_mass = 1.0 / model.frame.reduced[:, None]

    def __call__(self, q: FloatArray, v: FloatArray, /) -> FloatArray:
        """Return Jacobi accelerations (2, 3)."""
        return self._model.compiled_force(q) * self._per_mass
