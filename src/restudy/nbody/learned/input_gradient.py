"""The gradient of a network by its inputs, and the slopes of a loss of it, in closed form.

The paper's network is a scalar F(x) of which the gradient is trained, so that a step differentiates
twice. Automatic differentiation makes some thirty arrays for each layer on the way; by hand there
are nine, made once, and six matrix products:

=================  ======================================  =========================
pass               of each layer, W being its weights      slopes
=================  ======================================  =========================
up                 ``z = W a' + b``, ``a = f(z)``
back               ``d = f'(z) * r``, ``r' = W^T d``
up again, from G   ``e = W u'``, ``u = f'(z) * e``         ``d u'^T`` of W
back again         ``h = f''(z) * r * e + f'(z) * s``,     ``h a'^T`` of W, h of b
                   ``s' = W^T h``
=================  ======================================  =========================

A prime is of the layer below; r starts as the weights of the output, u as G, the slope of the loss
by the gradient, and s as 0. The last r is the gradient, and the last u the slope by the weights of
the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

Activation = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], None]
"""Fills f, f' and f'' (the last three) at z (the first); z may be changed."""


class InputGradient:
    """Gradients dF/dx of a perceptron with one output, for batches of limited size.

    Parameters
    ----------
    hidden : sequence of torch.nn.Linear
        Its hidden layers.
    last : torch.Tensor, shape (1, width)
        The weights of the output; a bias would not matter.
    activation : callable
        Of the hidden layers.
    rows : int
        Largest number of rows in a batch.
    """

    def __init__(
        self, hidden: Sequence[nn.Linear], last: torch.Tensor, activation: Activation, rows: int
    ) -> None:
        self._layers = [_Layer(linear, activation, rows) for linear in hidden]
        self._last = last

    @torch.no_grad()
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the gradients (n, inputs) at x (n, inputs)."""
        for layer in self._layers:
            x = layer.up(x)
        back = self._last
        for layer in reversed(self._layers):
            back = layer.back(back)
        return back

    @torch.no_grad()
    def slopes(self, outer: torch.Tensor) -> list[torch.Tensor]:
        """Return the slopes of a loss by weights and biases, layer by layer, then of the output.

        Parameters
        ----------
        outer : torch.Tensor, shape (n, inputs)
            Slopes of the loss by the gradients of the last call.

        Returns
        -------
        list of torch.Tensor
            Valid until the next call.
        """
        for layer in self._layers:
            outer = layer.up_again(outer)
        back = None
        for layer in reversed(self._layers):
            back = layer.back_again(back)
        found = [x for layer in self._layers for x in (layer.weight_slope, layer.bias_slope)]
        return [*found, outer.sum(0, keepdim=True)]


class _Layer:
    """One hidden layer and its part of a batch."""

    def __init__(self, linear: nn.Linear, activation: Activation, rows: int) -> None:
        weight, bias = linear.weight.detach(), linear.bias.detach()
        self._linear, self._activation = linear, activation
        self._space = weight.new_empty(7, rows, linear.out_features)
        self._below = weight.new_empty(2, rows, linear.in_features)
        self.weight_slope, self.bias_slope = torch.empty_like(weight), torch.empty_like(bias)

    def up(self, x: torch.Tensor) -> torch.Tensor:
        """Return f(z), and keep f' and f''."""
        self._x, space = x, self._space[:, : len(x)]
        self._z, self._f, self._slope, self._bend, self._d, self._u, self._h = space
        torch.addmm(self._linear.bias, x, self._linear.weight.T, out=self._z)
        self._activation(self._z, self._f, self._slope, self._bend)
        return self._f

    def back(self, r: torch.Tensor) -> torch.Tensor:
        """Return r of the layer below."""
        self._r = r
        torch.mul(self._slope, r, out=self._d)
        return torch.mm(self._d, self._linear.weight, out=self._below[0, : len(self._x)])

    def up_again(self, u: torch.Tensor) -> torch.Tensor:
        """Return u, and keep its part of the slopes and of h."""
        torch.mm(self._d.T, u, out=self.weight_slope)
        torch.mm(u, self._linear.weight.T, out=self._z)
        torch.mul(self._z, self._slope, out=self._u)
        torch.mul(self._bend, self._z, out=self._h).mul_(self._r)
        return self._u

    def back_again(self, s: torch.Tensor | None) -> torch.Tensor:
        """Return s of the layer below, and complete the slopes."""
        if s is not None:
            self._h.addcmul_(self._slope, s)
        self.weight_slope.addmm_(self._h.T, self._x)
        torch.sum(self._h, 0, out=self.bias_slope)
        return torch.mm(self._h, self._linear.weight, out=self._below[1, : len(self._x)])
