"""Refusal of arguments of another type, in one sentence, before any arithmetic meets them."""

from __future__ import annotations

import operator
import reprlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.errors import NBodyError


def check_number(name: str, value: Any) -> None:
    """Refuse what is no real number, of Python, numpy or torch; text that reads as one too."""
    if not isinstance(value, str | bytes):
        try:
            float(value)
        except (TypeError, ValueError, RuntimeError):
            pass
        else:
            return
    raise NBodyError(f"{name} is {value!r}; expected a number.")


def check_whole(name: str, value: Any) -> None:
    """Refuse what is no integer, of Python or numpy; 2.0 too."""
    try:
        operator.index(value)
    except TypeError:
        raise NBodyError(f"{name} is {value!r}; expected a whole number.") from None


def numbers(name: str, values: Any) -> NDArray[np.float64]:
    """Return real numbers, nested or not, as an array.

    Parameters
    ----------
    name : str
        What they are, in the plural.
    values : array_like
        Of any shape.

    Returns
    -------
    numpy.ndarray
        A copy, in float64.

    Raises
    ------
    NBodyError
        If there is anything else among them.
    """
    found: NDArray[Any] | None
    try:
        found = np.array(values)
    except (TypeError, ValueError, RuntimeError):  # of rows that are not equally long, for one
        found = None
    if found is None or found.dtype.kind not in "iuf":
        raise NBodyError(f"{name} are {reprlib.repr(values)}; expected numbers.")
    return found.astype(np.float64)
