"""Exact sums of products of whole-number columns, whatever the order and the cutting of the rows.

A column is split into limbs of 15 bits. A product of two limbs is below 2**30, so the sum over a
chunk of 2**15 rows is below 2**45, which float64 holds exactly: the processor's fast matrix
product adds without rounding in any order. Chunks are added in int64 and limbs joined as Python's
whole numbers, which do not overflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import host

LARGEST = 2**53  # a float64 tells whole numbers apart up to here
_BITS = 15
_CHUNK = 2**15  # rows; int64 sums of 2**30 a row hold 2**33 rows


def steps(value: Any, metric: Metric) -> tuple[Any, Any]:
    """Turn values into whole multiples of the metric's resolution.

    Parameters
    ----------
    value : array of float, shape (rows,)
        Values in the metric's unit; NaN and infinity are unknown.
    metric : Metric
        Gives the resolution.

    Returns
    -------
    steps : array of int64, shape (rows,)
        Nearest multiples; 0 where unknown.
    known : array of bool, shape (rows,)
        Where a value is known.

    Raises
    ------
    TelemetryError
        If a multiple is beyond 2**53, where float64 no longer tells whole numbers apart.

    Examples
    --------
    >>> from restudy.telemetry.metrics import Metric
    >>> found, known = steps(np.array([0.1, np.nan, 2.5]), Metric("w", "W", 0.1, 0, 9))
    >>> found.tolist(), known.tolist()
    ([1, 0, 25], [True, False, True])
    """
    value = value.astype("float64")
    known = np.isfinite(value)
    multiple = np.rint(np.where(known, value, 0.0) / metric.resolution)
    if len(multiple) and float(largest := np.abs(multiple).max()) > LARGEST:
        raise TelemetryError(
            f"{metric.name} reaches {float(largest):.3g} steps of {metric.resolution} "
            f"{metric.unit}, and exact sums hold up to 2**53: give the metric a coarser resolution."
        )
    return multiple.astype("int64"), known


def limbs(X: Any) -> list[Any]:
    """Split whole numbers into limbs of 15 bits, the last of which has the sign.

    Parameters
    ----------
    X : array of int64
        Numbers within 2**53.

    Returns
    -------
    list of arrays of float64
        X is the sum of ``limb[k] * 2**(15 k)``; as few limbs as hold it.

    Examples
    --------
    >>> [limb.tolist() for limb in limbs(np.array([32769, -1]))]
    [[1.0, 32767.0], [1.0, -1.0]]
    """
    split = []
    while X.size and bool((np.abs(X) >= 2**_BITS).any()):
        split.append((X & (2**_BITS - 1)).astype("float64"))
        X = X >> _BITS
    return [*split, X.astype("float64")]


def cross(A: Any, B: Any) -> np.ndarray:
    """Exact product A'B of whole-number columns.

    Parameters
    ----------
    A : array of int64, shape (rows, m)
        Numbers within 2**53.
    B : array of int64, shape (rows, n)
        Numbers within 2**53.

    Returns
    -------
    numpy.ndarray of Python int, shape (m, n)
        The sums over the rows.

    Examples
    --------
    >>> cross(np.array([[2**40], [1]]), np.array([[2**40], [1]])) == 2**80 + 1
    array([[ True]])
    """
    sums: dict[int, Any] = {}
    for at in range(0, len(A), _CHUNK):
        left, right = limbs(A[at : at + _CHUNK]), limbs(B[at : at + _CHUNK])
        for k, a in enumerate(left):
            for m, b in enumerate(right):
                part = (a.T @ b).astype("int64")
                sums[k + m] = sums[k + m] + part if k + m in sums else part
    return _joined(sums, (A.shape[1], B.shape[1]))


def squares(A: Any, B: Any) -> np.ndarray:
    """Exact sums of the squares of A's columns where B is 1.

    Parameters
    ----------
    A : array of int64, shape (rows, m)
        Numbers within 2**53.
    B : array of int64, shape (rows, n)
        Zeros and ones.

    Returns
    -------
    numpy.ndarray of Python int, shape (m, n)
        Sum over the rows of ``A[:, i]**2 * B[:, j]``.

    Examples
    --------
    >>> squares(np.array([[3], [4]]), np.array([[1, 1], [0, 1]])).tolist()
    [[9, 25]]
    """
    sums: dict[int, Any] = {}
    for at in range(0, len(A), _CHUNK):
        split, ones = limbs(A[at : at + _CHUNK]), B[at : at + _CHUNK].astype("float64")
        for k, a in enumerate(split):
            for m, b in enumerate(split):
                part = ((a * b).T @ ones).astype("int64")
                sums[k + m] = sums[k + m] + part if k + m in sums else part
    return _joined(sums, (A.shape[1], B.shape[1]))


def _joined(sums: dict[int, Any], shape: tuple[int, int]) -> np.ndarray:
    """Add sums of limb products, each times 2**(15 k), as Python's whole numbers."""
    total = np.full(shape, 0, dtype=object)
    for k, part in sums.items():
        total = total + host(part).astype(object) * 2 ** (_BITS * k)
    return total


@dataclass(frozen=True)
class Gram:
    """Sums over the rows in which both of two columns are known, for all pairs of columns.

    Attributes
    ----------
    n : numpy.ndarray of Python int, shape (M, M)
        Rows in which both are known.
    total : numpy.ndarray of Python int, shape (M, M)
        Sum of column i where j is known.
    square : numpy.ndarray of Python int, shape (M, M)
        Sum of the squares of column i where j is known.
    product : numpy.ndarray of Python int, shape (M, M)
        Sum of the products of columns i and j.
    """

    n: np.ndarray
    total: np.ndarray
    square: np.ndarray
    product: np.ndarray

    def __add__(self, other: "Gram") -> "Gram":
        return Gram(
            self.n + other.n,
            self.total + other.total,
            self.square + other.square,
            self.product + other.product,
        )


def gram(X: Any, known: Any) -> Gram:
    """Sum whole-number columns and their products over the rows known to each pair.

    Parameters
    ----------
    X : array of int64, shape (rows, M)
        Numbers within 2**53, 0 where unknown.
    known : array of bool, shape (rows, M)
        Where a number is known.

    Returns
    -------
    Gram
        Exact sums; those of parts of the rows add up to those of all.

    Notes
    -----
    Columns known in the same rows share their sums, so a table without gaps takes two matrix
    products a pair of limbs; four Python numbers a pair of columns are kept, about 1.3 MB for 90
    metrics.

    Examples
    --------
    >>> found = gram(np.array([[1, 2], [3, 0]]), np.array([[True, True], [True, False]]))
    >>> found.product.tolist(), found.total.tolist()
    ([[10, 2], [2, 4]], [[4, 1], [2, 2]])
    """
    ones = known.astype("int64")
    n = cross(ones, ones)
    first, place = alike(n)
    some = np.take(ones, np.asarray(first, like=ones), axis=1)  # (rows, classes)
    return Gram(n, cross(X, some)[:, place], squares(X, some)[:, place], cross(X, X))


def alike(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group columns that are known in the same rows, told from the counts of `Gram`.

    Parameters
    ----------
    n : numpy.ndarray of Python int, shape (M, M)
        Rows in which both columns are known.

    Returns
    -------
    first : numpy.ndarray of int64, shape (classes,)
        First column of each class.
    place : numpy.ndarray of int64, shape (M,)
        Class of each column.

    Examples
    --------
    >>> alike(np.array([[5, 3, 5], [3, 3, 3], [5, 3, 5]]))[1].tolist()
    [0, 1, 0]
    """
    own = np.diag(n)
    same = (n == own[:, None]) & (n == own[None, :])
    first, place = np.unique(same.argmax(axis=1), return_inverse=True)
    return first, place


def columns(pairs: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Put columns of steps and of what is known side by side, each (rows, M)."""
    return np.stack([x for x, _ in pairs], axis=1), np.stack([k for _, k in pairs], axis=1)
