"""Stumpff functions: trigonometric and hyperbolic functions of an orbit in one family."""

from __future__ import annotations

import math

import torch

_SERIES_BELOW = 2.0  # of |x|; above, closed forms lose less than a digit
_TERMS = 11  # 2^11 / 25! is 1e-22


def stumpff(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``c_2`` and ``c_3``, from which the others follow.

    ``c_k(x) = sum_j (-x)^j / (k + 2j)!``, so that ``c_k = 1/k! - x c_{k+2}``; with ``x = y^2`` they
    are ``(1 - cos y) / y^2`` and ``(y - sin y) / y^3``, and cosh and sinh where x is below 0.

    Parameters
    ----------
    x : torch.Tensor
        Any real number, in float64.

    Returns
    -------
    tuple of torch.Tensor
        ``c_2`` and ``c_3``, of the shape of x.

    Notes
    -----
    The closed forms of ``c_3`` cancel near 0, where at 1e-8 no more than 8 digits are left; here
    the series serves up to 2, so that both are within a few units of the last place everywhere.

    References
    ----------
    K. Stumpff (1959), Himmelsmechanik I; J. M. A. Danby (1988), section 6.9.

    Examples
    --------
    >>> c2, c3 = stumpff(torch.tensor(0.0, dtype=torch.float64))
    >>> print(c2.item(), 6 * c3.item())
    0.5 1.0
    """
    far = x.detach().abs() > _SERIES_BELOW
    if not bool(far.any()):
        return _series(x)
    near2, near3 = _series(torch.where(far, 0.0, x))
    far2, far3 = _closed(torch.where(far, x, 4.0))
    return torch.where(far, far2, near2), torch.where(far, far3, near3)


def _series(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    terms = _COEFFICIENTS.to(x).reshape(_TERMS, 2, *[1] * x.ndim)
    both = terms[-1].expand(2, *x.shape)
    for term in terms[:-1].flip(0):  # Horner, for both at once
        both = torch.addcmul(term, both, x)
    return both[0], both[1]


_COEFFICIENTS = torch.tensor(
    [[(-1) ** j / math.factorial(2 * j + k) for k in (2, 3)] for j in range(_TERMS)],
    dtype=torch.float64,
)


def _closed(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    y = x.abs().sqrt()
    ellipse = x > 0
    bounded = torch.where(ellipse, 0.0, y)  # so that no branch overflows where it is not taken
    half = torch.where(ellipse, torch.sin(y / 2), torch.sinh(bounded / 2))
    odd = torch.where(ellipse, y - torch.sin(y), torch.sinh(bounded) - y)
    return 2 * half**2 / y**2, odd / y**3
