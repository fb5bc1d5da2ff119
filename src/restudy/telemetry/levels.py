"""How often each value of a metric occurs, in bounded memory and with ties kept.

Ranks need the counts of all values. A metric with few distinct values keeps them all, so its ties
are exact. One with more than the allowed number (a counter of bytes has one a sample) keeps as many
significant bits as fit: the number of bits depends on the set of values alone and a number cut to
fewer bits does not remember how it was cut before, so the counts do not depend on the order in
which parts are merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restudy.telemetry.samples import host
from restudy.traces.counting import add_counts

EXACT = 54  # bits: every whole number up to 2**53 has its own level


@dataclass(frozen=True)
class Levels:
    """How many levels a metric may have.

    Attributes
    ----------
    most : int
        Largest number of distinct values counted one by one.
    """

    most: int = 2**14

    def __post_init__(self) -> None:
        if self.most < 2:
            raise ValueError(f"{self.most} levels and should be at least 2")


def cut(step: Any, bits: int) -> Any:
    """Keep the first `bits` significant bits of whole numbers, the others zero.

    Parameters
    ----------
    step : array of int64
        Numbers within 2**53.
    bits : int
        Significant bits kept.

    Returns
    -------
    array of int64
        Numbers towards zero; those below ``2**bits`` are unchanged, and order is kept.

    Examples
    --------
    >>> cut(np.array([7, 8, 9, -1023]), 3).tolist()
    [7, 8, 8, -896]
    """
    size = np.abs(step)
    length = np.frexp(size.astype("float64"))[1].astype("int64")  # bits of the number
    shift = np.maximum(length - bits, 0)
    return np.sign(step) * ((size >> shift) << shift)


@dataclass(frozen=True)
class Counts:
    """Counts of the values of a metric.

    Attributes
    ----------
    most : int
        Largest number of distinct values.
    bits : int
        Significant bits kept; `EXACT` if all.
    value : numpy.ndarray of int64, shape (distinct,)
        Ascending, in steps of the metric's resolution.
    n : numpy.ndarray of int64, shape (distinct,)
        How often each occurs.
    """

    most: int
    bits: int
    value: np.ndarray
    n: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        bits = min(self.bits, other.bits)
        value = [one.value if one.bits == bits else cut(one.value, bits) for one in (self, other)]
        n = np.concatenate((self.n, other.n))
        return _fit(self.most, bits, *add_counts(np.concatenate(value), n))

    def code(self, step: Any) -> Any:
        """Place of each number among the values, int64; all of them were counted."""
        value = np.asarray(self.value, like=step)
        return np.searchsorted(value, step if self.bits == EXACT else cut(step, self.bits))

    def twice_midrank(self) -> np.ndarray:
        """Twice the midrank of each value, int64: one rank for all samples of a value."""
        below = np.cumsum(self.n) - self.n
        return 2 * below + self.n + 1


def count(step: Any, levels: Levels) -> Counts:
    """Count whole numbers.

    Parameters
    ----------
    step : array of int64, shape (rows,)
        Numbers within 2**53.
    levels : Levels
        How many distinct values are kept.

    Returns
    -------
    Counts
        Exact if there are at most ``levels.most`` values.

    Notes
    -----
    At most 16 bytes a level are kept. A value moves by less than ``2**(1 - bits)`` of itself.

    Examples
    --------
    >>> found = count(np.array([5, 3, 5]), Levels())
    >>> found.value.tolist(), found.n.tolist(), found.twice_midrank().tolist()
    ([3, 5], [1, 2], [2, 5])
    """
    value, n = np.unique(step, return_counts=True)
    return _fit(levels.most, EXACT, host(value), host(n).astype("int64"))


def _fit(most: int, bits: int, value: np.ndarray, n: np.ndarray) -> Counts:
    """Drop bits, one at a time, until the number of values fits."""
    if len(value) > most:
        bits = min(bits, int(np.abs(value).max()).bit_length())  # no value has the others
    while len(value) > most:
        bits -= 1
        value, n = add_counts(cut(value, bits), n)
    return Counts(most, bits, value, n)


def edges(counts: Counts, most: int) -> np.ndarray:
    """Cut values into at most `most` levels of about equal count.

    Parameters
    ----------
    counts : Counts
        Counts of the values.
    most : int
        Number of levels.

    Returns
    -------
    numpy.ndarray of int64, shape (distinct,)
        Level of each value, from 0 without gaps. Each value has its own level if there are at most
        `most`.

    Examples
    --------
    >>> edges(count(np.array([1, 2, 3, 4, 4, 4, 4]), Levels()), 2).tolist()
    [0, 0, 0, 1]
    """
    if len(counts.value) <= most:
        return np.arange(len(counts.value))
    middle = counts.twice_midrank() - 1  # twice the samples below the middle of the value
    return np.unique(middle * most // (2 * int(counts.n.sum())), return_inverse=True)[1]


def tied_pairs(n: Sequence[int] | np.ndarray) -> int:
    """Pairs of samples with the same value.

    Examples
    --------
    >>> tied_pairs([1, 3])
    3
    """
    return sum(int(k) * (int(k) - 1) // 2 for k in n)
