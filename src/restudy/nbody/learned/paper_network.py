"""The network of arXiv 2111.15631, as the authors' code has it: one scalar of one body.

A multilayer perceptron maps the Jacobi position q and momentum ``p = m v`` of *one* body to a
number F, and the half dF/dp of its gradient is that body's acceleration by all the others. No other
body is among its inputs. The published weights are not public; the layers, the activation and the
loss are.
"""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import nn

from restudy.nbody.errors import NBodyError

INPUTS = 6  # q and p of one body
LAYERS = 4  # hidden ones
TORQUE_WEIGHT = 100.0  # of the second term of the loss


def symmetric_log(x: torch.Tensor) -> torch.Tensor:
    """Return tanh(x) ln(1 + x tanh(x)), equation 9 of the paper.

    Odd; x^3 near 0, so that its slope vanishes there, and the logarithm of abs(x) far away.

    Parameters
    ----------
    x : torch.Tensor
        Any shape.

    Returns
    -------
    torch.Tensor
        Of the shape of x.

    Examples
    --------
    >>> x = torch.tensor([-0.01, 0.01, 1e6], dtype=torch.float64)
    >>> print(" ".join(f"{y:.4g}" for y in symmetric_log(x).tolist()))
    -9.999e-07 9.999e-07 13.82
    """
    return _with_slope(x)[0]


def _with_slope(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the activation and its derivative."""
    t = torch.tanh(x)
    log, rise = torch.log1p(x * t), 1 - t * t
    return t * log, rise * log + t * (t + x * rise) / (1 + x * t)


class PaperNetwork(nn.Module):
    """Four hidden layers of SymmetricLog, and one output without a bias.

    Parameters
    ----------
    width : int
        Units of each hidden layer; 512 in the paper.
    rng : torch.Generator
        Of the first weights (orthogonal) and biases (uniform in plus or minus one over the root
        of a layer's inputs).

    Raises
    ------
    NBodyError
        If there are no units.
    """

    def __init__(self, width: int = 512, *, rng: torch.Generator) -> None:
        super().__init__()
        if width < 1:
            raise NBodyError(f"{width} units in a hidden layer; expected at least 1.")
        widths = [INPUTS] + [width] * LAYERS
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.last = nn.Linear(width, 1, bias=False)
        for layer in self.dense:
            bound = layer.in_features**-0.5
            nn.init.orthogonal_(layer.weight, generator=rng)
            nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
        nn.init.orthogonal_(self.last.weight, generator=rng)

    @property
    def dense(self) -> list[nn.Linear]:
        """The hidden layers."""
        return [cast("nn.Linear", layer) for layer in self.hidden]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scalar F of each body, (n, 1), of its q and p, (n, 6)."""
        for layer in self.dense:
            x = symmetric_log(layer(x))
        return self.last(x)

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        """Return dF/dq and dF/dp in closed form, which the loss and the integrator need.

        Parameters
        ----------
        x : torch.Tensor, shape (n, 6)
            Jacobi position [au] and momentum [solar masses au/yr] of n bodies.

        Returns
        -------
        torch.Tensor, shape (n, 6)
            The gradient of each body's scalar; the last three are its acceleration [au/yr2].

        Notes
        -----
        Eight matrix products: four there, four back. It can be differentiated once more.
        """
        slopes = []
        for layer in self.dense:
            x, slope = _with_slope(layer(x))
            slopes.append(slope)
        back = self.last.weight  # (1, width)
        for layer, slope in zip(reversed(self.dense), reversed(slopes), strict=True):
            back = (back * slope) @ layer.weight
        return back  # (n, 6)


def paper_loss(
    predicted: torch.Tensor, targets: torch.Tensor, inputs: torch.Tensor
) -> torch.Tensor:
    r"""Return the authors' loss of a batch.

    .. math:: L = \langle (\hat y - y)^2 \rangle
        + 100\, \Bigl| \sum_n \hat a_n \times p_n - p_n \times \hat v_n \Bigr|

    Parameters
    ----------
    predicted : torch.Tensor, shape (n, 6)
        Gradients of the network, ``v`` and ``a``.
    targets : torch.Tensor, shape (n, 6)
        Momenta and accelerations.
    inputs : torch.Tensor, shape (n, 6)
        Positions and momenta.

    Returns
    -------
    torch.Tensor, shape ()
        The loss.

    Notes
    -----
    The second term is meant to be the change of the angular momentum. It has p where the torque
    has q, and sums over bodies of different systems, so that it does not vanish for the true
    accelerations. It does for a network that says 0.
    """
    p, a, v = inputs[:, 3:], predicted[:, 3:], predicted[:, :3]
    turn = torch.linalg.cross(a, p) - torch.linalg.cross(p, v)
    squares = (predicted - targets).square().mean()
    return squares + TORQUE_WEIGHT * torch.linalg.vector_norm(turn.sum(dim=0))


def paper_loss_slopes(
    predicted: torch.Tensor, targets: torch.Tensor, inputs: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `paper_loss` of rows that stand for several, and its slopes, in closed form.

    Parameters
    ----------
    predicted, targets, inputs : torch.Tensor, shape (n, 6)
        As of `paper_loss`.
    weights : torch.Tensor, shape (n, 1)
        How many rows of the batch each stands for.

    Returns
    -------
    loss : torch.Tensor, shape ()
        The loss of the whole batch.
    slopes : torch.Tensor, shape (n, 6)
        By what is predicted.
    """
    p, wrong = inputs[:, 3:], predicted - targets
    entries = 6 * weights.sum()
    total = torch.linalg.cross(predicted[:, 3:] + predicted[:, :3], weights * p).sum(dim=0)
    length = torch.linalg.vector_norm(total)
    loss = (weights * wrong.square()).sum() / entries + TORQUE_WEIGHT * length
    along = total / length if float(length) > 0 else total
    turn = TORQUE_WEIGHT * torch.linalg.cross(p, along.expand_as(p))
    return loss, weights * (2 / entries * wrong + turn.repeat(1, 2))
