"""Nodes of Gauss and Radau, and the change between Newton's and the power basis on them.

``N_k(s) = prod_{j=1..k} (s - h_j)`` and ``s^k`` span the same polynomials; both changes of basis
follow by multiplying with s. They are done with 40 digits, then rounded.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NODES = (
    "0",
    "0.056262560536922146465652191032",
    "0.180240691736892364987579942809",
    "0.352624717113169637373907770171",
    "0.547153626330555383001448557652",
    "0.734210177215410531523210608307",
    "0.885320946839095768090359762932",
    "0.977520613561287501891174500429",
)
"""Zeros of ``P_7(2s - 1) + P_8(2s - 1)``, the quadrature of order 15 that knows one end."""


def nodes() -> FloatArray:
    """Return the nodes h, shape (8,)."""
    return np.array([float(h) for h in NODES])


def reciprocal_differences() -> FloatArray:
    """Return ``1 / (h_n - h_j)``, shape (8, 8), 0 where j is not below n."""
    h = [Decimal(x) for x in NODES]
    out = np.zeros((8, 8))
    for n in range(8):
        for j in range(n):
            out[n, j] = float(1 / (h[n] - h[j]))
    return out


def powers_of_newton() -> FloatArray:
    """Return c, shape (7, 7), of ``N_k = sum_i c[k, i] s^i``."""
    return _table(lambda row, i, h: (row[i - 1] if i else 0) - h * row[i], shifted=0)


def newton_of_powers() -> FloatArray:
    """Return d, shape (7, 7), of ``s^k = sum_i d[k, i] N_i``."""
    return _table(lambda row, i, h: (row[i - 1] if i else 0) + h * row[i], shifted=1)


def _table(rule, shifted: int) -> FloatArray:  # type: ignore[no-untyped-def]
    """Return the triangle of a recurrence over rows; h is that of the row, or of the column."""
    with localcontext() as context:
        context.prec = 40
        h = [Decimal(x) for x in NODES] + [Decimal(0)]
        row = [Decimal(1)] + [Decimal(0)] * 6
        rows = [row]
        for k in range(1, 7):
            row = [rule(row, i, h[i + 1] if shifted else h[k]) for i in range(7)]
            rows.append(row)
        return np.array([[float(x) for x in row] for row in rows])
