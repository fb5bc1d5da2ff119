"""Levenberg and Marquardt's method for the least squares of small networks.

A thousand weights leave a matrix that is solved in a tenth of a second, and steps that no method of
first order finds in the narrow valleys of such fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from restudy.nbody.errors import NBodyError

_TRIES = 10  # of a step, each with more damping
_LEAST_DAMPING = 1e-15
_FLAT = 1e-12  # of the largest diagonal element; weights that change nothing are held by it


class NormalEquations(NamedTuple):
    """The derivatives of half a sum of squares e^T e / 2 at some parameters.

    Attributes
    ----------
    matrix : torch.Tensor
        J^T J, (P, P).
    gradient : torch.Tensor
        J^T e, (P,).
    """

    matrix: torch.Tensor
    gradient: torch.Tensor


@dataclass(frozen=True)
class Fit:
    """The end of a fit.

    Attributes
    ----------
    parameters : torch.Tensor
        (P,).
    costs : tuple of float
        The sum of squares at the start and after each iteration.
    """

    parameters: torch.Tensor
    costs: tuple[float, ...]


def levenberg_marquardt(
    start: torch.Tensor,
    cost: Callable[[torch.Tensor], float],
    equations: Callable[[torch.Tensor], NormalEquations],
    *,
    iterations: int,
    damping: float = 1e-3,
    tolerance: float = 0.0,
) -> Fit:
    """Find the least squares near a start.

    Parameters
    ----------
    start : torch.Tensor
        Parameters, (P,).
    cost : callable
        The sum of squares at parameters.
    equations : callable
        The normal equations at parameters.
    iterations : int
        At most.
    damping : float
        Of the first step, relative to the diagonal of J^T J.
    tolerance : float
        A relative gain below which the fit ends.

    Returns
    -------
    Fit
        The parameters with the least cost that was found.

    Raises
    ------
    NBodyError
        If the cost of the start is no number.

    References
    ----------
    D. W. Marquardt (1963), doi:10.1137/0111030.
    """
    parameters, costs = start.clone(), [cost(start)]
    if not costs[0] < float("inf"):
        raise NBodyError(f"the sum of squares at the start is {costs[0]}; expected a number.")
    for _ in range(iterations):
        matrix, gradient = equations(parameters)
        diagonal = matrix.diagonal()
        diagonal = diagonal.clamp_min(_FLAT * float(diagonal.max()))
        for _ in range(_TRIES):
            damped = matrix + torch.diag(damping * diagonal)
            step, failed = torch.linalg.solve_ex(damped, gradient)
            found = cost(parameters - step) if not int(failed) else float("inf")
            if found < costs[-1]:
                parameters = parameters - step
                damping = max(damping / 5, _LEAST_DAMPING)
                break
            damping *= 6
        else:
            break  # no step is left that gains anything
        costs.append(found)
        if costs[-2] - costs[-1] <= tolerance * costs[-2]:
            break
    return Fit(parameters, tuple(costs))
