"""Accelerations inside compiled code: Newton's, and any others by the address of a C function.

A compiled integrator takes its forces as numbers (addresses and parameters), so that it is compiled
once, and kept on disk, whatever forces it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
import numpy as np
from llvmlite import ir
from numba import njit, types

_numba: Any = numba  # which has no types
carray, _cfunc, _intrinsic, _types = (
    _numba.carray,
    _numba.cfunc,
    _numba.extending.intrinsic,
    _numba.types,
)

_DOUBLES = _types.CPointer(types.float64)
_ENTRY = _types.void(
    types.intp, types.intp, _DOUBLES, _DOUBLES, _DOUBLES, types.float64, _DOUBLES, _DOUBLES
)


@functools.cache
def compiled_entry(kernel: Callable[..., None]) -> Any:
    """Return `kernel` as a C function of pointers; its `address` is what integrators call.

    Parameters
    ----------
    kernel : numba function
        ``kernel(masses, positions, velocities, gravity, parameters, accelerations)``, arrays of
        shapes (N,), (N, 3), (N, 3), (), (P,), (N, 3), which adds to the last.

    Returns
    -------
    numba.core.ccallback.CFunc
        Must be kept alive as long as its address is in use, which this cache does.
    """

    @_cfunc(_ENTRY)
    def entry(n, p, masses, positions, velocities, gravity, parameters, accelerations):  # type: ignore[no-untyped-def]
        kernel(
            carray(masses, n),
            carray(positions, (n, 3)),
            carray(velocities, (n, 3)),
            gravity,
            carray(parameters, p),
            carray(accelerations, (n, 3)),
        )

    return entry


@_intrinsic
def _call(context, address, n, p, masses, positions, velocities, gravity, parameters, out):  # type: ignore[no-untyped-def]
    """Call the C function at an address; arrays are given as addresses of their first number."""

    def generate(_, builder, signature, arguments):  # type: ignore[no-untyped-def]
        double, word = ir.DoubleType(), ir.IntType(64)
        pointer = double.as_pointer()
        kinds = (word, word, pointer, pointer, pointer, double, pointer, pointer)
        function = ir.FunctionType(ir.VoidType(), kinds).as_pointer()
        values = [
            builder.inttoptr(value, kind) if kind is pointer else value
            for value, kind in zip(arguments[1:], kinds, strict=True)
        ]
        builder.call(builder.inttoptr(arguments[0], function), values)
        return ir.Constant(ir.LiteralStructType([]).as_pointer(), None)

    word = types.int64
    return _types.void(word, word, word, word, word, word, types.float64, word, word), generate


@njit(cache=True)
def newton(masses, positions, gravity, accelerations, lost):  # type: ignore[no-untyped-def]
    """Write Newton's accelerations, and what rounding took from them (Kahan's sum), in place.

    Positions, accelerations and `lost` have shape (3N,): x, y and z of the first body, and so on.
    """
    accelerations[:] = 0.0
    lost[:] = 0.0
    for i in range(len(masses)):
        for j in range(i + 1, len(masses)):
            p, r = 3 * i, 3 * j
            x = positions[r] - positions[p]
            y = positions[r + 1] - positions[p + 1]
            z = positions[r + 2] - positions[p + 2]
            square = x * x + y * y + z * z
            factor = gravity / (square * np.sqrt(square))
            pull, push = factor * masses[j], -factor * masses[i]
            _add(accelerations, lost, p, pull * x)
            _add(accelerations, lost, p + 1, pull * y)
            _add(accelerations, lost, p + 2, pull * z)
            _add(accelerations, lost, r, push * x)
            _add(accelerations, lost, r + 1, push * y)
            _add(accelerations, lost, r + 2, push * z)


@njit(cache=True)
def _add(values, lost, k, term):  # type: ignore[no-untyped-def]
    y = term - lost[k]
    total = values[k] + y
    lost[k] = (total - values[k]) - y
    values[k] = total


@njit(cache=True)
def accelerate(masses, positions, velocities, gravity, extra, accelerations, lost):  # type: ignore[no-untyped-def]
    """Write the accelerations by Newton and by all forces of `extra`, in place; shapes (3N,).

    `extra` is ``(addresses, offsets, parameters)`` as `restudy.nbody.forces.packed` makes it.
    """
    newton(masses, positions, gravity, accelerations, lost)
    addresses, offsets, parameters = extra
    for f in range(len(addresses)):
        first, last = offsets[f], offsets[f + 1]
        _call(
            addresses[f],
            len(masses),
            last - first,
            masses.ctypes.data,
            positions.ctypes.data,
            velocities.ctypes.data,
            gravity,
            parameters[first:].ctypes.data,
            accelerations.ctypes.data,
        )
