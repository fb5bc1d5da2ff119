"""Checks of the numbers that users give: each returns the number or says what is wrong with it."""

import math
import numbers
import sys

import numpy as np

from restudy.qnet.errors import QnetError


def real(name: str, value: float, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number from `least` to `most` as a float, or raise `QnetError`.

    Examples
    --------
    >>> real("length_km", 20, least=0)
    20.0
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    if number and abs(value) <= sys.float_info.max and least <= value <= most:
        return float(value)
    if least > -math.inf and most < math.inf:
        expected = f"a number from {least:g} to {most:g}"
    elif least > -math.inf:
        expected = f"a finite number of at least {least:g}"
    else:
        expected = "a finite number"
    raise QnetError(f"{name} is {value!r}; give {expected}.")


def probability(name: str, value: float) -> float:
    """Return a probability as a float, or raise `QnetError`."""
    return real(name, value, least=0.0, most=1.0)


def positive(name: str, value: float) -> float:
    """Return a finite number above zero as a float, or raise `QnetError`."""
    if real(name, value) > 0:
        return float(value)
    raise QnetError(f"{name} is {value!r}; give a number above 0.")


def chance(name: str, value: float) -> float:
    """Return a probability above zero as a float: what can happen at all."""
    probability(name, value)
    return positive(name, value)


def whole(name: str, value: int, *, least: int = 0) -> int:
    """Return a whole number of at least `least` as an int, or raise `QnetError`."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise QnetError(f"{name} is {value!r}; give a whole number of at least {least}.")


def generator(rng: np.random.Generator) -> np.random.Generator:
    """Return a generator of random numbers, or raise `QnetError`."""
    if isinstance(rng, np.random.Generator):
        return rng
    raise QnetError(f"rng is {rng!r}; give a generator, as numpy.random.default_rng(seed) makes.")


def bell_weights(name: str, value: object) -> np.ndarray:
    """Return the four weights of a Bell-diagonal pair, (4,) float64, or raise `QnetError`.

    Each lies in 0 to 1, and they add up to 1 to within 1e-9.
    """
    try:
        weights = np.asarray(value, dtype="float64")
    except (TypeError, ValueError):
        weights = np.empty(0)
    good = weights.shape == (4,) and bool(((weights >= 0) & (weights <= 1)).all())
    if good and abs(weights.sum() - 1) <= 1e-9:
        return weights
    raise QnetError(
        f"{name} is {value!r}; give four weights from 0 to 1 with the sum 1, of phi+, psi+, psi-, "
        "phi-."
    )
