"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

The gradient G of a weight matrix is turned into the eigenvectors of the means of ``G G^T`` and
``G^T G``, where its entries are nearly independent of each other, and Adam works there. For a
regression with few weights and smooth targets this is worth a hundred times the steps of Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

WIDEST = 160  # longest side of weights that is turned, if nothing else is said
_TINY = 1e-12


class Soap(torch.optim.Optimizer):
    """The optimiser.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        Vectors and matrices; vectors are left to Adam.
    rate : float
        Learning rate; about the change of a weight in a step.
    memory : float
        Share of the old in each running mean, of gradients, squares and products. As it is the
        same for all, a mean is at most the root of the mean square.
    every : int
        Steps from one turn of the basis to the next.
    widest : int
        Sides of matrices that are longer keep their axes.

    References
    ----------
    N. Vyas et al., SOAP: Improving and stabilizing Shampoo using Adam (2024), arXiv 2409.11321.

    Examples
    --------
    A valley that is ten thousand times as steep across as along, and lies askew: Adam is left
    2.4 from its lowest point.

    >>> askew = torch.tensor([[100.0, 100.0], [-1.0, 1.0]], dtype=torch.float64)
    >>> w = torch.nn.Parameter(torch.tensor([[3.0, 2.0], [1.0, -1.0]], dtype=torch.float64))
    >>> optimiser = Soap([w], rate=0.1)
    >>> for step in range(300):
    ...     optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
    ...     optimiser.zero_grad()
    ...     (askew @ w).square().sum().backward()
    ...     optimiser.step()
    >>> print(f"{w.detach().norm().item():.2f}")
    0.01
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        rate: float,
        *,
        memory: float = 0.95,
        every: int = 10,
        widest: int = WIDEST,
    ) -> None:
        super().__init__(parameters, {"lr": rate})
        self._memory, self._every, self._widest = memory, every, widest

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take a step along the gradients that are there."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    change = self._change(parameter, parameter.grad)
                    parameter.add_(change, alpha=-group["lr"])

    def _change(self, parameter: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["steps"] = 0
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
            state["products"] = self._products(torch.zeros_like(parameter))
            state["bases"] = tuple(None for _ in state["products"])
        state["steps"] += 1
        fresh, steps = 1 - self._memory, state["steps"]
        for product, new in zip(state["products"], self._products(gradient), strict=True):
            if product is not None:
                product.lerp_(new, fresh)
        if steps == 1 or steps % self._every == 0:
            old, early = state["bases"], steps <= 2 * self._every
            pairs = zip(state["products"], old, strict=True)
            state["bases"] = tuple(_turned(*pair, afresh=early) for pair in pairs)
            state["square"] = _shared_out(state["square"], old, state["bases"])
        state["mean"].lerp_(gradient, fresh)
        state["square"].lerp_(_into(gradient, state["bases"]).square(), fresh)
        weight = 1 - self._memory**steps
        root = (state["square"] / weight).sqrt() + _TINY
        ratio = _into(state["mean"] / weight, state["bases"]) / root
        return _back(ratio.clamp(-1, 1), state["bases"])  # rounding errors along empty axes

    def _products(self, x: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return ``x x^T`` and ``x^T x``, None for a side that is too long; none of a vector."""
        if x.ndim != 2:
            return ()
        rows, columns = (length <= self._widest for length in x.shape)
        return x @ x.T if rows else None, x.T @ x if columns else None


def _turned(
    product: torch.Tensor | None, basis: torch.Tensor | None, *, afresh: bool
) -> torch.Tensor | None:
    """Return the eigenvectors, or come closer to them by a step of orthogonal iteration."""
    if product is None:
        return None
    if basis is None or afresh:
        return torch.linalg.eigh(product)[1].flip(1)
    return torch.linalg.qr(product @ basis)[0]


def _shared_out(
    square: torch.Tensor,
    old: tuple[torch.Tensor | None, ...],
    new: tuple[torch.Tensor | None, ...],
) -> torch.Tensor:
    """Share the squares along the old axes out among the new ones, by the squared cosines."""
    shares = [
        None if a is None or b is None else (b.T @ a).square()
        for a, b in zip(old, new, strict=True)
    ]
    if shares and shares[0] is not None:
        square = shares[0] @ square
    return square @ shares[1].T if shares and shares[1] is not None else square


def _into(x: torch.Tensor, bases: tuple[torch.Tensor | None, ...]) -> torch.Tensor:
    """Turn into the bases."""
    if bases and bases[0] is not None:
        x = bases[0].T @ x
    return x @ bases[1] if bases and bases[1] is not None else x


def _back(x: torch.Tensor, bases: tuple[torch.Tensor | None, ...]) -> torch.Tensor:
    """Turn back."""
    if bases and bases[0] is not None:
        x = bases[0] @ x
    return x @ bases[1].T if bases and bases[1] is not None else x
