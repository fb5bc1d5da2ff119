"""How a small deviation grows: derivatives of the Kepler drift and of the kick, in compiled code.

Arrays are those of `restudy.nbody.compiled_single`: flat, a component after the other.

The drift moves along Gauss' functions of the universal anomaly X, ``G_n = X^n c_n(beta X^2)``, with
``dG_n/dX = G_(n-1)`` and ``dG_n/dbeta = (n G_(n+2) - X G_(n+1)) / 2``; the change of X follows from
Kepler's equation held fixed. The kick's derivative is the tide.

Sources: H. Rein and D. Tamayo, MNRAS 459, 2275 (2016), doi:10.1093/mnras/stw644, section 3;
S. Mikkola and K. Innanen, Celest. Mech. Dyn. Astron. 74, 59 (1999), doi:10.1023/A:1008312912468.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from restudy.nbody.lanes import inlined

_SERIES = 1.5  # of |beta X^2|; beyond, sines and exponentials lose nothing


@njit(cache=True)
def gauss_functions(beta, X):  # type: ignore[no-untyped-def]
    """Return G_0 to G_5 as a tuple."""
    z = beta * X * X
    if abs(z) <= _SERIES:
        c4, c5 = 1.0, 1.0
        for k in range(12, 0, -1):  # c_n = 1/n! (1 - z / ((n+1)(n+2)) (1 - ...))
            c4 = 1.0 - z / ((2 * k + 3) * (2 * k + 4)) * c4
            c5 = 1.0 - z / ((2 * k + 4) * (2 * k + 5)) * c5
        c4, c5 = c4 / 24, c5 / 120
        c3, c2 = 1 / 6 - z * c5, 0.5 - z * c4
        c1, c0 = 1.0 - z * c3, 1.0 - z * c2
    else:
        s = np.sqrt(abs(z))
        c0, c1 = (np.cos(s), np.sin(s) / s) if z > 0 else (np.cosh(s), np.sinh(s) / s)
        c2, c3 = (1.0 - c0) / z, (1.0 - c1) / z
        c4, c5 = (0.5 - c2) / z, (1 / 6 - c3) / z
    square = X * X
    fourth = square * square
    return c0, X * c1, square * c2, square * X * c3, fourth * c4, fourth * X * c5


@inlined
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True, error_model="numpy")
def drift_tangent(r, v, after, dr, dv, mu, h):  # type: ignore[no-untyped-def]
    """Move the deviation (dr, dv) of one planet along its drift, in place.

    `r` and `v` are before the drift; `after` is ``r . v`` behind it, which gives X without another
    solution of Kepler's equation, ``mu X = beta h + eta_1 - eta_0``.
    """
    r0 = np.sqrt(_dot(r, r))
    eta, beta = _dot(r, v), 2 * mu / r0 - _dot(v, v)
    zeta = mu - beta * r0
    X = (beta * h + after - eta) / mu
    G0, G1, G2, G3, G4, G5 = gauss_functions(beta, X)
    r1 = r0 + eta * G1 + zeta * G2
    # derivatives of what the step is made of
    dr0 = _dot(r, dr) / r0
    deta = _dot(dr, v) + _dot(r, dv)
    dbeta = -2 * mu * dr0 / r0**2 - 2 * _dot(v, dv)
    dzeta = -beta * dr0 - r0 * dbeta
    b1 = 0.5 * (G3 - X * G2) * dbeta
    b2 = 0.5 * (2 * G4 - X * G3) * dbeta
    b3 = 0.5 * (3 * G5 - X * G4) * dbeta
    dX = -(X * dr0 + G2 * deta + G3 * dzeta + eta * b2 + zeta * b3) / r1
    dG1, dG2, dG3 = G0 * dX + b1, G1 * dX + b2, G2 * dX + b3
    dr1 = dr0 + deta * G1 + eta * dG1 + dzeta * G2 + zeta * dG2
    f, g = -mu * G2 / r0, h - mu * G3  # f - 1 and g
    fdot, gdot = -mu * G1 / (r0 * r1), -mu * G2 / r1  # f' and g' - 1
    df, dg = -mu * dG2 / r0 - f * dr0 / r0, -mu * dG3
    dfdot = -mu * dG1 / (r0 * r1) - fdot * (dr0 / r0 + dr1 / r1)
    dgdot = -mu * dG2 / r1 - gdot * dr1 / r1
    for c in range(3):
        x, u = dr[c], dv[c]
        dr[c] += f * x + g * u + df * r[c] + dg * v[c]
        dv[c] += fdot * x + gdot * u + dfdot * r[c] + dgdot * v[c]


@njit(cache=True, nogil=True)
def drift_deviations(q, v, q1, v1, dq, dv, planets, h):  # type: ignore[no-untyped-def]
    """Move the deviations of all planets in place; q1, v1 are q, v after the drift."""
    n = planets.width
    for i in range(planets.number):
        after = _dot(q1[i::n], v1[i::n])
        drift_tangent(q[i::n], v[i::n], after, dq[i::n], dv[i::n], planets.mu[i], h)


@inlined
def _tide(x, y, z, dx, dy, dz, strength):  # type: ignore[no-untyped-def]
    """Return the change of ``strength x / |x|^3``."""
    square = x * x + y * y + z * z
    size = strength / (square * np.sqrt(square))
    along = 3 * (x * dx + y * dy + z * dz) / square
    return size * (dx - along * x), size * (dy - along * y), size * (dz - along * z)


@inlined
def _add(x, y, z, total, i, share):  # type: ignore[no-untyped-def]
    total[i, 0] += share * x
    total[i, 1] += share * y
    total[i, 2] += share * z


@njit(cache=True, nogil=True, error_model="numpy")
def kick_deviations(q, dq, dv, planets, h):  # type: ignore[no-untyped-def]
    """Change the deviations of velocities by those of the interaction's accelerations."""
    n, count = planets.width, planets.number
    work = np.zeros((3, count, 3))
    r, dr, acceleration = work[0], work[1], work[2]
    for i in range(count):
        for j in range(i + 1):
            for c in range(3):
                r[i, c] += planets.place[j * n + i] * q[c * n + j]
                dr[i, c] += planets.place[j * n + i] * dq[c * n + j]
    for i in range(count):
        x, y, z = r[i, 0], r[i, 1], r[i, 2]
        dx, dy, dz = dr[i, 0], dr[i, 1], dr[i, 2]
        a, b, c = _tide(x, y, z, dx, dy, dz, planets.star[i])
        _add(a, b, c, acceleration, i, -1.0)
        for j in range(i):
            X, Y, Z = r[j, 0] - x, r[j, 1] - y, r[j, 2] - z
            a, b, c = _tide(X, Y, Z, dr[j, 0] - dx, dr[j, 1] - dy, dr[j, 2] - dz, 1.0)
            _add(a, b, c, acceleration, i, planets.gm[j])
            _add(a, b, c, acceleration, j, -planets.gm[i])
    for i in range(count):
        x, y, z = q[i], q[n + i], q[2 * n + i]
        a, b, c = _tide(x, y, z, dq[i], dq[n + i], dq[2 * n + i], planets.own[i])
        for j in range(i, count):
            pull = planets.pull[j * n + i]
            a += pull * acceleration[j, 0]
            b += pull * acceleration[j, 1]
            c += pull * acceleration[j, 2]
        dv[i] += h * a
        dv[n + i] += h * b
        dv[2 * n + i] += h * c
