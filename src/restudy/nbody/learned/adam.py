"""Adam on the weights of a small network, as one vector.

`torch.optim` loads torch's compiler with its first optimiser, which takes longer than a short
training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

_MEAN, _SQUARE = 0.9, 0.999  # what a step keeps of the running means
_LEAST = 1e-8  # added to the root of the mean square


class Adam:
    """The method of D. P. Kingma and J. Ba (2015), arXiv 1412.6980.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        What is trained; they become views of one vector.
    rate : float
        Length of a first step.
    falling_over : int, optional
        Steps over which the rate falls to 0 by half a cosine; it stays where none are given.
    longest : float, optional
        Norm to which longer gradients are cut.

    Examples
    --------
    >>> x = torch.nn.Parameter(torch.tensor(3.0))
    >>> adam = Adam([x], 0.1)
    >>> for _ in range(200):
    ...     adam.step((x - 1) ** 2)
    >>> round(x.item(), 2)
    1.0
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        rate: float,
        *,
        falling_over: int | None = None,
        longest: float | None = None,
    ) -> None:
        self._parameters = list(parameters)
        self._rate, self._falling_over, self._longest = rate, falling_over, longest
        self._steps = 0
        self._weights = torch.nn.utils.parameters_to_vector(self._parameters).detach()
        torch.nn.utils.vector_to_parameters(self._weights, self._parameters)  # as views
        self._mean, self._square = (torch.zeros_like(self._weights) for _ in range(2))

    def step(self, loss: torch.Tensor) -> None:
        """Take a step down a loss that depends on the parameters.

        Parameters
        ----------
        loss : torch.Tensor, shape ()
            With its graph; parameters that it does not depend on stay as they are.
        """
        self.descend(
            torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        )

    @torch.no_grad()
    def descend(self, slopes: Iterable[torch.Tensor]) -> None:
        """Take a step against slopes that are known.

        Parameters
        ----------
        slopes : iterable of torch.Tensor
            Of a loss by each parameter, each of its shape.
        """
        slope = torch.cat([x.reshape(-1) for x in slopes])
        if self._longest is not None:
            norm = torch.linalg.vector_norm(slope)
            slope *= (self._longest / (norm + 1e-6)).clamp(max=1.0)
        self._mean.lerp_(slope, 1 - _MEAN)
        self._square.mul_(_SQUARE).addcmul_(slope, slope, value=1 - _SQUARE)
        rate = self._rate
        if self._falling_over is not None:
            rate *= 0.5 * (1 + math.cos(math.pi * self._steps / self._falling_over))
        self._steps += 1
        size = (self._square / (1 - _SQUARE**self._steps)).sqrt_().add_(_LEAST)
        self._weights.addcdiv_(self._mean, size, value=-rate / (1 - _MEAN**self._steps))
