"""Two bodies, exactly: any conic, forward or back by any time, many at once."""

from __future__ import annotations

import math

import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.stumpff import stumpff

_EPS = 2.0**-52
_CUBIC = 1e-7  # a last change, after which that of a cubic method is below round-off
_FAST_ITERATIONS = 7
_SAFE_ITERATIONS = 300


def propagate(
    positions: torch.Tensor,
    velocities: torch.Tensor,
    mu: torch.Tensor,
    dt: float | torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move bodies along their Kepler orbits.

    ``r(dt) = f r + g v`` and ``v(dt) = f' r + g' v`` with Gauss' functions of the universal
    anomaly.

    Parameters
    ----------
    positions : torch.Tensor, shape (..., 3)
        Relative to what is orbited, in float64 [au].
    velocities : torch.Tensor, shape (..., 3)
        [au/yr].
    mu : torch.Tensor, shape (...)
        Gravity times the mass, above 0 [au^3/yr^2].
    dt : float or torch.Tensor, shape (...)
        The time to move, of either sign and any length [yr].

    Returns
    -------
    tuple of torch.Tensor, shape (..., 3)
        Positions and velocities after dt.

    Raises
    ------
    NBodyError
        If a body is at the centre, or a number is none.

    Notes
    -----
    ``f - 1`` and ``g' - 1`` are computed, and the state changed by increments, so that round-off
    does not drift in short steps. Whole periods are taken off first: what is left of the accuracy
    after k periods is that of the period, k units of the last place. First derivatives with respect
    to all arguments are exact; they come from one step of Newton's method, at the solution, that
    autograd sees.

    References
    ----------
    J. M. A. Danby (1988), Fundamentals of Celestial Mechanics, section 6.9; H. Rein & D. Tamayo
    (2015), doi:10.1093/mnras/stv1257, section 2.

    Examples
    --------
    Half a period along a circle.

    >>> r, v = torch.eye(3, dtype=torch.float64)[:2]
    >>> r, v = propagate(r, v, torch.tensor(1.0), math.pi)
    >>> print(r.numpy().round(12) + 0.0, v.numpy().round(12) + 0.0)
    [-1.  0.  0.] [ 0. -1.  0.]
    """
    mu = torch.as_tensor(mu, dtype=positions.dtype, device=positions.device)
    dt = torch.as_tensor(dt, dtype=positions.dtype, device=positions.device)
    r0 = torch.linalg.vector_norm(positions, dim=-1)
    eta = (positions * velocities).sum(-1)
    beta = 2 * mu / r0 - (velocities * velocities).sum(-1)
    dt = within_a_period(beta, mu, dt)
    s = universal_anomaly(r0, eta, beta, mu, dt)
    G1, G2, G3 = g_functions(beta, s)
    r = r0 + eta * G1 + (mu - beta * r0) * G2
    f1 = (-mu * G2 / r0)[..., None]
    g = (dt - mu * G3)[..., None]
    fdot = (-mu * G1 / (r0 * r))[..., None]
    gdot1 = (-mu * G2 / r)[..., None]
    moved = positions + (f1 * positions + g * velocities)
    return moved, velocities + (fdot * positions + gdot1 * velocities)


def within_a_period(beta: torch.Tensor, mu: torch.Tensor, dt: torch.Tensor) -> torch.Tensor:
    """Return the time without whole periods, at most half of one, where the orbit is an ellipse.

    Parameters
    ----------
    beta : torch.Tensor
        ``2 mu / r - v^2``, which is ``mu / a`` [au^2/yr^2].
    mu : torch.Tensor
        Gravity times the mass [au^3/yr^2].
    dt : torch.Tensor
        The time [yr].

    Returns
    -------
    torch.Tensor
        ``dt - k P`` [yr]; dt itself on parabolas and hyperbolas.
    """
    ellipse = beta > 0
    period = 2 * math.pi * mu / torch.where(ellipse, beta, 1.0) ** 1.5
    turns = torch.where(ellipse, torch.round((dt / period).detach()), 0.0)
    if not bool((turns != 0).any()):
        return dt
    return torch.where(turns != 0, dt - turns * period, dt)


def g_functions(
    beta: torch.Tensor, s: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ``G_k = s^k c_k(beta s^2)`` for k = 1, 2, 3.

    Parameters
    ----------
    beta : torch.Tensor
        ``2 mu / r - v^2``.
    s : torch.Tensor
        The universal anomaly.

    Returns
    -------
    tuple of torch.Tensor
        ``G_1``, ``G_2`` and ``G_3``.
    """
    square = s * s
    c2, c3 = stumpff(beta * square)
    G3 = square * s * c3
    return s - beta * G3, square * c2, G3


def universal_anomaly(
    r0: torch.Tensor,
    eta: torch.Tensor,
    beta: torch.Tensor,
    mu: torch.Tensor,
    dt: torch.Tensor,
) -> torch.Tensor:
    """Solve Kepler's equation in the universal anomaly, ``ds = dt / r``.

    ``r0 s + eta G_2 + (mu - beta r0) G_3 = dt``, of which the left side grows with s at the rate r.

    Parameters
    ----------
    r0 : torch.Tensor
        Distance at the start [au].
    eta : torch.Tensor
        ``r . v`` at the start [au^2/yr].
    beta : torch.Tensor
        ``2 mu / r0 - v^2`` [au^2/yr^2].
    mu : torch.Tensor
        Gravity times the mass [au^3/yr^2].
    dt : torch.Tensor
        The time [yr], within a period.

    Returns
    -------
    torch.Tensor
        ``s`` [yr/au].

    Raises
    ------
    NBodyError
        If a distance is 0, or a number is none.

    Notes
    -----
    Laguerre's method with n = 5, which is that of Conway for this equation, from the first two
    terms of the series in dt. Where seven iterations do not settle, as in steps past the pericentre
    of long ellipses, Laguerre's method goes on inside a bracket that halves when it stalls.

    References
    ----------
    B. A. Conway (1986), doi:10.1007/BF01230852.
    """
    shape = (r0 + mu + dt).shape
    r0, eta, beta, mu, dt = (x.expand(shape) for x in (r0, eta, beta, mu, dt))
    with torch.no_grad():
        _check(r0, eta, beta, mu, dt)
        zeta = mu - beta * r0
        s, settled = _laguerre(r0, eta, beta, zeta, dt)
        if not bool(settled.all()):
            hard = ~settled
            s[hard] = _bracketed(*(x[hard] for x in (r0, eta, beta, zeta, dt)))
    if not any(x.requires_grad for x in (r0, eta, beta, mu, dt)):
        return s
    value, r, _ = _kepler(r0, eta, beta, mu - beta * r0, dt, s)
    return s - value / r.detach()


def _kepler(
    r0: torch.Tensor,
    eta: torch.Tensor,
    beta: torch.Tensor,
    zeta: torch.Tensor,
    dt: torch.Tensor,
    s: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return Kepler's equation and its first two derivatives with respect to s."""
    G1, G2, G3 = g_functions(beta, s)
    value = r0 * s + eta * G2 + zeta * G3 - dt
    return value, r0 + eta * G1 + zeta * G2, eta * (1 - beta * G2) + zeta * G1


def _correction(value: torch.Tensor, r: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """Return Laguerre's correction for n = 5; nan where a derivative overflows."""
    newton = value / r + 0 * (r + slope)
    return -5 * newton / (1 + (16 - 20 * newton * (slope / r)).abs().sqrt())


def _laguerre(
    r0: torch.Tensor, eta: torch.Tensor, beta: torch.Tensor, zeta: torch.Tensor, dt: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return s and where it has settled."""
    s = dt / r0
    s = s - 0.5 * eta / r0 * s * s
    settled = torch.zeros_like(s, dtype=torch.bool)
    for _ in range(_FAST_ITERATIONS):
        change = _correction(*_kepler(r0, eta, beta, zeta, dt, s))
        s = s + change
        settled = change.abs() <= _CUBIC * s.abs()
        if bool(settled.all()):
            break
    return s, settled


def _bracketed(
    r0: torch.Tensor, eta: torch.Tensor, beta: torch.Tensor, zeta: torch.Tensor, dt: torch.Tensor
) -> torch.Tensor:
    """Return s by Laguerre's method inside a bracket."""
    sign = torch.where(dt < 0, -1.0, 1.0).to(dt)
    eta, dt = sign * eta, sign * dt
    low, high = _bracket(r0, eta, beta, zeta, dt)
    s = 0.5 * (low + high)
    last = high - low
    settled = torch.zeros_like(s, dtype=torch.bool)
    for _ in range(_SAFE_ITERATIONS):
        value, r, slope = _kepler(r0, eta, beta, zeta, dt, s)
        low, high = torch.where(value <= 0, s, low), torch.where(value < 0, high, s)
        new = s + _correction(value, r, slope)
        inside = (new >= low) & (new <= high) & ((new - s).abs() <= 0.5 * last)
        new = torch.where(inside, new, 0.5 * (low + high))
        last = torch.where(settled, last, (new - s).abs())
        s = torch.where(settled, s, new)
        settled |= last <= 2 * _EPS * s.abs()
        if bool(settled.all()):
            break
    return sign * s


def _bracket(
    r0: torch.Tensor, eta: torch.Tensor, beta: torch.Tensor, zeta: torch.Tensor, dt: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two anomalies between which Kepler's equation changes its sign, for dt >= 0."""
    low, high = torch.zeros_like(dt), dt / r0
    for _ in range(2100):  # from the smallest to the largest number
        value, _, _ = _kepler(r0, eta, beta, zeta, dt, high)
        short = value < 0  # what overflows is not short
        if not bool(short.any()):
            break
        low, high = torch.where(short, high, low), torch.where(short, 2 * high, high)
    return low, high


def _check(
    r0: torch.Tensor, eta: torch.Tensor, beta: torch.Tensor, mu: torch.Tensor, dt: torch.Tensor
) -> None:
    fine = (r0 > 0) & (mu > 0) & torch.isfinite(eta + beta + mu + dt + r0)
    if not bool(fine.all()):
        where = tuple((~fine).nonzero()[0].tolist())
        raise NBodyError(
            f"orbit {where} has r = {r0[where]:g}, r.v = {eta[where]:g}, mu = {mu[where]:g} and a "
            f"step of {dt[where]:g}; expected finite numbers, r and mu above 0."
        )
