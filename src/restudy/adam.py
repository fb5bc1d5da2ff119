"""Adam, bit by bit that of `torch.optim`.

The first optimiser of `torch.optim` in a process loads torch's compiler, which takes longer than
the training of a small network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch

_MEAN, _SQUARE = 0.9, 0.999  # what a step keeps of the running means
_LEAST = 1e-8  # added to the root of the mean square


class Adam:
    """The method of D. P. Kingma and J. Ba (2015), arXiv 1412.6980, Algorithm 1.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        What is trained, changed in place.
    rate : float
        Length of a first step; the attribute of that name may be changed between steps.
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
        self.rate = rate
        self._parameters = list(parameters)
        self._falling_over, self._longest = falling_over, longest
        self._steps = 0
        self._means, self._squares = (
            [torch.zeros_like(p) for p in self._parameters] for _ in range(2)
        )

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
    def descend(self, slopes: Sequence[torch.Tensor]) -> None:
        """Take a step against slopes that are known.

        Parameters
        ----------
        slopes : sequence of torch.Tensor
            Of a loss by each parameter, each of its shape.
        """
        if self._longest is not None:
            norm = torch.linalg.vector_norm(torch.stack([x.norm() for x in slopes]))
            slopes = [x * (self._longest / (norm + 1e-6)).clamp(max=1.0) for x in slopes]
        rate = self.rate
        if self._falling_over is not None:
            rate *= 0.5 * (1 + math.cos(math.pi * self._steps / self._falling_over))
        self._steps += 1
        of_mean, of_square = (1 - kept**self._steps for kept in (_MEAN, _SQUARE))
        kept = zip(self._parameters, slopes, self._means, self._squares, strict=True)
        for parameter, slope, mean, square in kept:
            mean.lerp_(slope, 1 - _MEAN)
            square.mul_(_SQUARE).addcmul_(slope, slope, value=1 - _SQUARE)
            size = (square.sqrt() / of_square**0.5).add_(_LEAST)
            parameter.addcdiv_(mean, size, value=-rate / of_mean)
