"""Compiled forces of the ladder's networks for one state, with gradients in closed form."""

from typing import NamedTuple

import numpy as np
from numba import njit

from restudy.nbody.lanes import put


class Weights(NamedTuple):
    """Three hidden layers and one of outputs.

    Attributes
    ----------
    w1, w2, w3, w4 : numpy.ndarray, shape (outputs, inputs)
        Weights of each layer.
    b1, b2, b3, b4 : numpy.ndarray, shape (outputs,)
        Its biases.
    """

    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray
    w3: np.ndarray
    b3: np.ndarray
    w4: np.ndarray
    b4: np.ndarray


@njit(cache=True, nogil=True)
def _hidden(x, w):  # type: ignore[no-untyped-def]
    """Return the three hidden layers."""
    first = np.tanh(w.w1 @ x + w.b1)
    second = np.tanh(w.w2 @ first + w.b2)
    return first, second, np.tanh(w.w3 @ second + w.b3)


@njit(cache=True, nogil=True)
def network_gradient(x, w):  # type: ignore[no-untyped-def]
    """Return the gradient (inputs,) of the one output of a network."""
    first, second, third = _hidden(x, w)
    back = (w.w4[0] * (1 - third * third)) @ w.w3
    back = (back * (1 - second * second)) @ w.w2
    return (back * (1 - first * first)) @ w.w1


@njit(cache=True, nogil=True)
def _scaled(q, first, second):  # type: ignore[no-untyped-def]
    """Return the six scaled coordinates."""
    x = np.empty(6)
    put(x[:3], q[0] / first)
    put(x[3:], q[1] / second)
    return x


@njit(cache=True, nogil=True)
def plain_force(q, w, first, second, unit):  # type: ignore[no-untyped-def]
    """Return the forces (2, 3) that a network gives directly."""
    third = _hidden(_scaled(q, first, second), w)[2]
    return unit * (w.w4 @ third + w.b4).reshape(2, 3)


@njit(cache=True, nogil=True)
def scalar_force(q, w, first, second, unit):  # type: ignore[no-untyped-def]
    """Return the forces (2, 3) of an energy of raw coordinates."""
    slope = network_gradient(_scaled(q, first, second), w)
    force = np.empty((2, 3))
    put(force[0], -unit / first * slope[:3])
    put(force[1], -unit / second * slope[3:])
    return force


@njit(cache=True, nogil=True)
def invariant_force(q, w, first, second, unit):  # type: ignore[no-untyped-def]
    """Return the forces (2, 3) of an energy of ``|q1|``, ``|q2|`` and ``q1.q2``."""
    a, b = q[0] / first, q[1] / second
    x = np.array([np.sqrt((a * a).sum()), np.sqrt((b * b).sum()), (a * b).sum()])
    slope = network_gradient(x, w)
    force = np.empty((2, 3))
    put(force[0], -unit / first * (slope[0] / x[0] * a + slope[2] * b))
    put(force[1], -unit / second * (slope[1] / x[1] * b + slope[2] * a))
    return force


@njit(cache=True, nogil=True)
def pair_force(q, w, pairs, charges, length):  # type: ignore[no-untyped-def]
    """Return the forces (2, 3) of a sum over pairs."""
    force = np.zeros((2, 3))
    for k in range(3):
        d = pairs[k, 0] * q[0] + pairs[k, 1] * q[1]
        square = (d * d).sum()
        x = np.array([0.5 * np.log(square / (length * length))])
        pull = -charges[k] / length * network_gradient(x, w)[0] / square
        for i in range(2):
            put(force[i], force[i] + pull * pairs[k, i] * d)
    return force
