"""Compiled code of the paper's network: its activation, and its gradient for a few bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from restudy.nbody.learned.paper_network import PaperNetwork


class FewGradients:
    """The gradients of a trained network for a few bodies, as a run asks for them at each step.

    Parameters
    ----------
    network : PaperNetwork
        In float32; weights that change later are not seen.
    rows : int
        How many bodies.

    Notes
    -----
    It takes little longer than reading the weights twice, as each is used for all bodies at once,
    about half the time of `PaperNetwork.gradient`. From eight bodies on matrix products are as
    fast.
    """

    def __init__(self, network: PaperNetwork, rows: int) -> None:
        weights = [layer.weight.detach() for layer in network.dense]
        self._last = network.last.weight.detach().numpy().copy()
        self._nothing = np.zeros(self._last.size, np.float32)
        self._layers = []
        for layer, weight in zip(network.dense, weights, strict=True):
            space = torch.empty(4, rows, len(weight)).unbind()
            arrays = [x.numpy() for x in space]
            up, down = weight.numpy().copy(), weight.T.numpy().copy()
            below = np.empty((rows, len(down)), np.float32)
            bias = layer.bias.detach().numpy().copy()
            self._layers.append(_Layer(up, down, bias, space, arrays, below))

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return dF/dq and dF/dp of q and p, both (rows, 6); valid until the next call."""
        for layer in self._layers:
            z, f = layer.arrays[:2]
            _dense(layer.up, layer.bias, x, z)
            symmetric_log_slopes(*layer.space)
            x = f
        back = self._last
        for layer in reversed(self._layers):
            slope = layer.arrays[2]
            slope *= back
            back = layer.below
            _dense(layer.down, self._nothing, slope, back)
        return back


class _Layer(NamedTuple):
    """Weights of a hidden layer in both directions, and its work space."""

    up: NDArray[np.float32]
    down: NDArray[np.float32]
    bias: NDArray[np.float32]
    space: Sequence[torch.Tensor]
    arrays: Sequence[NDArray[np.float32]]
    below: NDArray[np.float32]


def symmetric_log_slopes(
    z: torch.Tensor, f: torch.Tensor, slope: torch.Tensor, bend: torch.Tensor
) -> None:
    """Fill tanh(z) ln(1 + z tanh(z)) and its first two derivatives, for `InputGradient`.

    Parameters
    ----------
    z : torch.Tensor
        Where; contiguous, in float32 or float64.
    f, slope, bend : torch.Tensor
        Of the shape of z, to be filled.
    """
    torch.tanh(z, out=f)
    torch.mul(z, f, out=slope).log1p_()
    x, y, dy, ddy = (part.numpy().reshape(-1) for part in (z, f, slope, bend))
    _complete(x, y, dy, ddy, x.dtype.type(1))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _complete(z, f, slope, bend, one):  # type: ignore[no-untyped-def]
    """Make f, f' and f'' of tanh(z) in `f` and the logarithm in `slope`."""
    two = one + one
    for i in range(z.size):
        x, t, log = z[i], f[i], slope[i]
        rise = one - t * t  # of the hyperbolic tangent
        d = one + x * t
        n = (t + x * rise) / d  # slope of the logarithm
        f[i] = t * log
        slope[i] = rise * log + t * n
        bend[i] = two * rise * (n - t * log) + t * (two * rise * (one - x * t) / d - n * n)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _dense(weight, bias, x, out):  # type: ignore[no-untyped-def]
    """Fill out (n, units) from x (n, inputs), reading each row of weights once."""
    for i in range(weight.shape[0]):
        row = weight[i]
        for k in range(x.shape[0]):
            total = bias[i]
            for j in range(row.size):
                total += row[j] * x[k, j]
            out[k, i] = total
