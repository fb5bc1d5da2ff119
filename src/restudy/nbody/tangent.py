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

_SERIES = 1.5  # of |beta X^2|; beyond, sines and exponentials lose nothing


@njit(cache=True)
def gauss_functions(beta, X):  # type: ignore[no-untyped-def]
    """Return G_0 to G_5 as an array."""
    z = beta * X * X
    c = np.empty(6)
    if abs(z) <= _SERIES:
        c4, c5 = 1.0, 1.0
        for k in range(12, 0, -1):  # c_n = 1/n! (1 - z / ((n+1)(n+2)) (1 - ...))
            c4 = 1.0 - z / ((2 * k + 3) * (2 * k + 4)) * c4
            c5 = 1.0 - z / ((2 * k + 4) * (2 * k + 5)) * c5
        c[4], c[5] = c4 / 24, c5 / 120
        c[3], c[2] = 1 / 6 - z * c[5], 0.5 - z * c[4]
        c[1], c[0] = 1.0 - z * c[3], 1.0 - z * c[2]
    else:
        s = np.sqrt(abs(z))
        c[0], c[1] = (np.cos(s), np.sin(s) / s) if z > 0 else (np.cosh(s), np.sinh(s) / s)
        c[2], c[3] = (1.0 - c[0]) / z, (1.0 - c[1]) / z
        c[4], c[5] = (0.5 - c[2]) / z, (1 / 6 - c[3]) / z
    power = 1.0
    for n in range(6):
        c[n] *= power
        power *= X
    return c


@njit(cache=True)
def drift_tangent(r, v, after, dr, dv, mu, h):  # type: ignore[no-untyped-def]
    """Move the deviation (dr, dv) of one planet along its drift, in place.

    `r` and `v` are before the drift; `after` is ``r . v`` behind it, which gives X without another
    solution of Kepler's equation, ``mu X = beta h + eta_1 - eta_0``.
    """
    r0 = np.sqrt(np.dot(r, r))
    eta, beta = np.dot(r, v), 2 * mu / r0 - np.dot(v, v)
    zeta = mu - beta * r0
    X = (beta * h + after - eta) / mu
    G = gauss_functions(beta, X)
    r1 = r0 + eta * G[1] + zeta * G[2]
    # derivatives of what the step is made of
    dr0 = np.dot(r, dr) / r0
    deta = np.dot(dr, v) + np.dot(r, dv)
    dbeta = -2 * mu * dr0 / r0**2 - 2 * np.dot(v, dv)
    dzeta = -beta * dr0 - r0 * dbeta
    b1 = 0.5 * (G[3] - X * G[2]) * dbeta
    b2 = 0.5 * (2 * G[4] - X * G[3]) * dbeta
    b3 = 0.5 * (3 * G[5] - X * G[4]) * dbeta
    dX = -(X * dr0 + G[2] * deta + G[3] * dzeta + eta * b2 + zeta * b3) / r1
    dG1, dG2, dG3 = G[0] * dX + b1, G[1] * dX + b2, G[2] * dX + b3
    dr1 = dr0 + deta * G[1] + eta * dG1 + dzeta * G[2] + zeta * dG2
    f, g = -mu * G[2] / r0, h - mu * G[3]  # f - 1 and g
    fdot, gdot = -mu * G[1] / (r0 * r1), -mu * G[2] / r1  # f' and g' - 1
    df, dg = -mu * dG2 / r0 - f * dr0 / r0, -mu * dG3
    dfdot = -mu * dG1 / (r0 * r1) - fdot * (dr0 / r0 + dr1 / r1)
    dgdot = -mu * dG2 / r1 - gdot * dr1 / r1
    for c in range(3):
        x, u = dr[c], dv[c]
        dr[c] += f * x + g * u + df * r[c] + dg * v[c]
        dv[c] += fdot * x + gdot * u + dfdot * r[c] + dgdot * v[c]


@njit(cache=True)
def drift_deviations(q, v, q1, v1, dq, dv, planets, h):  # type: ignore[no-untyped-def]
    """Move the deviations of all planets in place; q1, v1 are q, v after the drift."""
    n = planets.width
    for i in range(planets.number):
        x, u = dq[i::n].copy(), dv[i::n].copy()
        after = np.dot(q1[i::n].copy(), v1[i::n].copy())
        drift_tangent(q[i::n].copy(), v[i::n].copy(), after, x, u, planets.mu[i], h)
        for c in range(3):
            dq[c * n + i], dv[c * n + i] = x[c], u[c]


@njit(cache=True)
def _tide(x, dx, strength):  # type: ignore[no-untyped-def]
    """Return the change of ``strength x / |x|^3``."""
    square = np.dot(x, x)
    return strength / square**1.5 * (dx - 3 * np.dot(x, dx) / square * x)


@njit(cache=True)
def kick_deviations(q, dq, dv, planets, h):  # type: ignore[no-untyped-def]
    """Change the deviations of velocities by those of the interaction's accelerations."""
    n, count = planets.width, planets.number
    place, dplace, acceleration = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros((count, 3))
    for i in range(count):
        for j in range(i + 1):
            for c in range(3):
                place[i, c] += planets.place[j * n + i] * q[c * n + j]
                dplace[i, c] += planets.place[j * n + i] * dq[c * n + j]
    for i in range(count):
        acceleration[i] -= _tide(place[i], dplace[i], planets.star[i])
        for j in range(i):
            tide = _tide(place[j] - place[i], dplace[j] - dplace[i], 1.0)
            acceleration[i] += planets.gm[j] * tide
            acceleration[j] -= planets.gm[i] * tide
    for i in range(count):
        total = _tide(q[i::n].copy(), dq[i::n].copy(), planets.own[i])
        for j in range(i, count):
            total += planets.pull[j * n + i] * acceleration[j]
        for c in range(3):
            dv[c * n + i] += h * total[c]
