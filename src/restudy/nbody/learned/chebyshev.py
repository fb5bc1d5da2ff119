"""Smooth functions on an interval as their values at Chebyshev's nodes.

Such a function is a polynomial of moderate degree to round-off, so that its values anywhere are
fixed linear combinations of those at as many nodes.
"""

from __future__ import annotations

import math

import torch


def nodes(count: int) -> torch.Tensor:
    """Return the zeros of Chebyshev's polynomial of a degree, from near 1 to near -1.

    Parameters
    ----------
    count : int
        The degree.

    Returns
    -------
    torch.Tensor
        (count,).
    """
    return torch.cos(_angles(count))


def interpolation(x: torch.Tensor, count: int) -> torch.Tensor:
    """Return the weights of the values at nodes in the value at x.

    Parameters
    ----------
    x : torch.Tensor
        From -1 to 1, of any shape; what is beyond by round-off is taken as the end.
    count : int
        Number of nodes.

    Returns
    -------
    torch.Tensor
        (..., count); exact for polynomials below this degree.

    References
    ----------
    L. N. Trefethen (2019), Approximation Theory and Approximation Practice, chapters 3 and 8: the
    error falls as the power -count of a number above 1, the larger the farther off the interval
    the function stays smooth.
    """
    degrees = torch.arange(count, dtype=torch.float64)
    at_nodes = torch.cos(_angles(count)[:, None] * degrees)  # T_k at each node
    at_nodes[:, 1:] *= 2
    here = torch.cos(torch.arccos(x.clamp(-1, 1))[..., None] * degrees)
    return here @ at_nodes.T / count


def _angles(count: int) -> torch.Tensor:
    return (torch.arange(count, dtype=torch.float64) + 0.5) * (math.pi / count)
