"""Kepler's problem in compiled code: planets in lanes, and one planet with all precautions.

Stiefel's functions of the universal variable X are ``G_n = X^n c_n(beta X^2)``, with Stumpff's
``c_n`` and ``beta = 2 mu / r - v^2``; Kepler's equation is ``r X + eta G_2 + zeta G_3 = h`` with
``eta = r . v`` and ``zeta = mu - beta r``.

In lanes, X starts from the series of X in h up to the fourth power. A step inverts the equation's
own series up to the third power, which makes convergence quartic; when the step is below
`_SMALL` of X, the G are carried along it by their addition theorem instead of being evaluated
again. With steps of a hundredth of a period one evaluation is enough. A lane that is done stays as
it is while others go on. What this cannot do (more than `_REACH` in ``|beta X^2|``, which is 0.2
periods on a circle, and no convergence) is left to `kepler_one`, lane by lane.

Sources: Rein and Tamayo, MNRAS 452, 376 (2015), doi:10.1093/mnras/stv1257, has the G, and the
increments by ``f - 1`` and ``g' - 1`` that keep rounding errors from growing linearly; Danby and
Burkardt, Celestial Mechanics 31, 95 (1983), doi:10.1007/BF01686811, quartic steps.
"""

import numpy as np

from restudy.nbody.lanes import absolute, bits, every, inlined, inner, select, sqrt

_SMALL = 3e-5
_REACH = 1.5
_MOST = 6  # evaluations in lanes

# 1 / (n (n + 1)) of the series of c_2 and c_3, from the last term to the first.
_C2 = tuple(1.0 / (n * (n + 1)) for n in range(17, 2, -2))
_C3 = tuple(1.0 / (n * (n + 1)) for n in range(18, 3, -2))
(_A8, _A7, _A6, _A5, _A4, _A3, _A2, _A1), (_B8, _B7, _B6, _B5, _B4, _B3, _B2, _B1) = _C2, _C3
_SIXTH = 1.0 / 6.0
_THIRD = 1.0 / 3.0


@inlined
def stumpff_2(z):  # type: ignore[no-untyped-def]
    """Give ``c_2(z) = 1/2 - z/24 + ...`` for ``|z|`` up to `_REACH`, of lanes or of a float."""
    s = 1.0 - z * _A7 * (1.0 - z * _A8)
    s = 1.0 - z * _A5 * (1.0 - z * _A6 * s)
    s = 1.0 - z * _A3 * (1.0 - z * _A4 * s)
    return 0.5 * (1.0 - z * _A1 * (1.0 - z * _A2 * s))


@inlined
def stumpff_3(z):  # type: ignore[no-untyped-def]
    """Give ``c_3(z) = 1/6 - z/120 + ...`` for ``|z|`` up to `_REACH`, of lanes or of a float."""
    s = 1.0 - z * _B7 * (1.0 - z * _B8)
    s = 1.0 - z * _B5 * (1.0 - z * _B6 * s)
    s = 1.0 - z * _B3 * (1.0 - z * _B4 * s)
    return _SIXTH * (1.0 - z * _B1 * (1.0 - z * _B2 * s))


@inlined
def kepler_lanes(x, y, z, u, v, w, mu, h):  # type: ignore[no-untyped-def]
    """Move planets along their conics; give the six increments, and which lanes are not done."""
    r0 = sqrt(x * x + y * y + z * z)
    inverse = 1.0 / r0
    beta = 2.0 * mu * inverse - (u * u + v * v + w * w)
    eta = x * u + y * v + z * w
    zeta = mu - beta * r0
    s = h * inverse
    a = 0.5 * eta * inverse
    b = _SIXTH * zeta * inverse
    c = 5.0 * a * (b - a * a) + _SIXTH * 0.5 * beta * a
    X = s * (1.0 - s * (a - s * (2.0 * a * a - b + s * c)))
    number = 0
    while True:
        square = X * X
        angle = beta * square
        g2 = square * stumpff_2(angle)
        g3 = X * square * stumpff_3(angle)
        g1 = X - beta * g3
        g0 = 1.0 - beta * g2
        ri = 1.0 / (r0 + eta * g1 + zeta * g2)
        residual = (h - r0 * X - eta * g2 - zeta * g3) * ri
        p = 0.5 * ri * (eta * g0 + zeta * g1)
        t = _SIXTH * ri * (zeta * g0 - beta * eta * g1)
        d = residual * (1.0 - residual * (p - residual * (2.0 * p * p - t)))
        small = absolute(d) <= _SMALL * absolute(X)
        left = bits(small) ^ every(small)
        number += 1
        if left == 0 or number == _MOST:
            break
        X = select(small, X, X + d)
    fine = small & (absolute(angle) <= _REACH)
    half = 0.5 * d
    third = _THIRD * d
    bg1 = beta * g1
    n1 = g1 + d * (g0 - half * (bg1 + third * (beta * g0)))
    n2 = g2 + d * (g1 + half * (g0 - third * bg1))
    n3 = g3 + d * (g2 + half * (g1 + third * g0))
    ri = 1.0 / (r0 + eta * n1 + zeta * n2)
    f = -mu * n2 * inverse
    g = h - mu * n3
    df = -mu * n1 * inverse * ri
    dg = -mu * n2 * ri
    moved = (f * x + g * u, f * y + g * v, f * z + g * w)
    faster = (df * x + dg * u, df * y + dg * v, df * z + dg * w)
    return moved, faster, bits(fine) ^ every(fine)


@inner
def _stiefel(beta, X):  # type: ignore[no-untyped-def]
    """Give G_0 to G_3 of floats: from the series for small arguments, else in closed form."""
    angle = beta * X * X
    if abs(angle) <= _REACH:
        g2 = X * X * stumpff_2(angle)
        g3 = X * X * X * stumpff_3(angle)
        return 1.0 - beta * g2, X - beta * g3, g2, g3
    root = np.sqrt(abs(beta))
    s = root * X
    if beta > 0.0:
        g1, half = np.sin(s) / root, np.sin(0.5 * s)
    else:
        g1, half = np.sinh(s) / root, np.sinh(0.5 * s)
    g2 = 2.0 * half * half / abs(beta)
    return 1.0 - beta * g2, g1, g2, (X - g1) / beta


@inner
def _bracket(r0, eta, zeta, beta, h):  # type: ignore[no-untyped-def]
    """Give two X on either side of the solution, for ``h > 0``."""
    low, high = 0.0, h / r0
    for _ in range(2000):
        _, _, g2, g3 = _stiefel(beta, high)
        if not r0 * high + eta * g2 + zeta * g3 < h:
            return low, high
        low, high = high, 2.0 * high
    return low, high


@inner
def kepler_one(x, y, z, u, v, w, mu, h):  # type: ignore[no-untyped-def]
    """Move a planet along any conic for any time; give the six increments.

    Newton's steps stay between two sides of the solution, halves where they would not. Whole
    periods are left out. A time below 0 is that of the mirrored velocity.
    """
    sign = -1.0 if h < 0.0 else 1.0
    u, v, w, h = sign * u, sign * v, sign * w, sign * h
    r0 = np.sqrt(x * x + y * y + z * z)
    beta = 2.0 * mu / r0 - (u * u + v * v + w * w)
    eta, zeta = x * u + y * v + z * w, mu - beta * r0
    if beta > 0.0:
        period = 2.0 * np.pi * mu / (beta * np.sqrt(beta))
        h -= period * np.floor(h / period)
    low, high = _bracket(r0, eta, zeta, beta, h)
    X = 0.5 * (low + high)
    for _ in range(200):
        _, g1, g2, g3 = _stiefel(beta, X)
        excess = r0 * X + eta * g2 + zeta * g3 - h
        if excess > 0.0:
            high = X
        else:
            low = X
        new = X - excess / (r0 + eta * g1 + zeta * g2)
        if not (low <= new <= high):
            new = 0.5 * (low + high)
        last, X = X, new
        if abs(X - last) <= 2.3e-16 * abs(X):
            break
    _, g1, g2, g3 = _stiefel(beta, X)
    r = r0 + eta * g1 + zeta * g2
    f, g = -mu * g2 / r0, h - mu * g3
    df, dg = -mu * g1 / (r0 * r), -mu * g2 / r
    moved = (f * x + g * u, f * y + g * v, f * z + g * w)
    faster = (sign * (df * x + dg * u), sign * (df * y + dg * v), sign * (df * z + dg * w))
    return moved, faster
