"""Levenberg and Marquardt's method for the least squares of small networks, with acceleration.

The valleys of such fits are narrow and bent. A step along the tangent leaves the valley soon, so
that steps must be short; one along a parabola, whose curvature costs one more evaluation of the
residuals, follows it further.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from restudy.nbody.errors import NBodyError

_TRIES = 10  # of a step, each with more damping
_LEAST_DAMPING = 1e-15
_FLAT = 1e-6  # of the longest column; weights that change nothing are held by it
_PROBE = 0.1  # of a step, where its curvature is measured
_BENT = 0.75  # largest second-order part of a step, over the first


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


class DampedEquations:
    """The equations (J^T J + damping D^2) s = J^T e of one Jacobian, for any damping and any e.

    Parameters
    ----------
    jacobian : torch.Tensor
        J, (R, P) with either of both the larger.

    Attributes
    ----------
    lengths : torch.Tensor
        Those of the columns of J, which are the diagonal of D; at least 1e-6 of the longest, (P,).

    Notes
    -----
    One decomposition serves all dampings: of the smaller of J J^T and J^T J, since
    ``(J^T J + a)^-1 J^T = J^T (J J^T + a)^-1``, with J scaled by D.
    """

    def __init__(self, jacobian: torch.Tensor) -> None:
        lengths = torch.linalg.vector_norm(jacobian, dim=0)
        self.lengths = lengths.clamp_min(_FLAT * float(lengths.max())).clamp_min(1e-300)
        self._scaled = jacobian / self.lengths
        self._dual = jacobian.shape[0] < jacobian.shape[1]
        J = self._scaled
        squares, self._vectors = torch.linalg.eigh(J @ J.T if self._dual else J.T @ J)
        self._squares = squares.clamp_min(0)

    def solve(self, residuals: torch.Tensor, damping: float) -> torch.Tensor:
        """Return s.

        Parameters
        ----------
        residuals : torch.Tensor
            e, (R,).
        damping : float
            Positive.

        Returns
        -------
        torch.Tensor
            (P,).
        """
        J = self._scaled
        known = residuals if self._dual else J.T @ residuals
        found = self._vectors @ ((self._vectors.T @ known) / (self._squares + damping))
        return (J.T @ found if self._dual else found) / self.lengths

    def along(self, step: torch.Tensor) -> torch.Tensor:
        """Return J s, (R,)."""
        return self._scaled @ (step * self.lengths)


def levenberg_marquardt(
    start: torch.Tensor,
    residuals: Callable[[torch.Tensor], torch.Tensor],
    jacobian: Callable[[torch.Tensor], torch.Tensor],
    *,
    iterations: int,
    damping: float = 1e-3,
    tolerance: float = 0.0,
    accelerate: bool = True,
) -> Fit:
    """Find the least squares near a start.

    Parameters
    ----------
    start : torch.Tensor
        Parameters, (P,).
    residuals : callable
        Gives e at parameters, (R,); not finite where there is none.
    jacobian : callable
        Gives the derivatives of e at parameters, (R, P).
    iterations : int
        At most.
    damping : float
        Of the first step, relative to the diagonal of J^T J.
    tolerance : float
        A relative gain below which the fit ends.
    accelerate : bool
        Whether steps are parabolas (geodesic acceleration) or straight.

    Returns
    -------
    Fit
        The parameters with the least cost that was found.

    Raises
    ------
    NBodyError
        If the cost of the start is no number.

    Notes
    -----
    The second derivative of e along a step comes from e at a tenth of it. Steps whose second-order
    part, in units of D, is longer than three quarters of the first are refused and damped more.

    References
    ----------
    D. W. Marquardt (1963), doi:10.1137/0111030; M. K. Transtrum & J. P. Sethna (2012),
    arXiv:1201.5885, for the acceleration and its refusal.
    """
    parameters, e = start.clone(), residuals(start)
    costs = [float(e @ e)]
    if not costs[0] < float("inf"):
        raise NBodyError(f"the sum of squares at the start is {costs[0]}; expected a number.")
    for _ in range(iterations):
        J = jacobian(parameters)
        if not bool(torch.isfinite(J).all()):
            break
        equations = DampedEquations(J)
        for _ in range(_TRIES):
            step = equations.solve(e, damping)
            if accelerate:
                step = step + _acceleration(parameters, e, step, residuals, equations, damping)
            reached = residuals(parameters - step)
            cost = float(reached @ reached)
            if cost < costs[-1]:
                parameters, e = parameters - step, reached
                damping = max(damping / 5, _LEAST_DAMPING)
                break
            damping *= 6
        else:
            break  # no step is left that gains anything
        costs.append(cost)
        if costs[-2] - costs[-1] <= tolerance * costs[-2]:
            break
    return Fit(parameters, tuple(costs))


def _acceleration(
    parameters: torch.Tensor,
    e: torch.Tensor,
    step: torch.Tensor,
    residuals: Callable[[torch.Tensor], torch.Tensor],
    equations: DampedEquations,
    damping: float,
) -> torch.Tensor:
    """Return the second-order part of a step, not a number where the step is too long for it."""
    slope = (residuals(parameters - _PROBE * step) - e) / _PROBE
    bend = 2 / _PROBE * (slope + equations.along(step))  # the second derivative along the step
    second = equations.solve(bend, damping)
    first_size, size = (float((x * equations.lengths).norm()) for x in (step, second))
    if not size <= _BENT * first_size:
        return torch.full_like(step, torch.nan)
    return 0.5 * second
