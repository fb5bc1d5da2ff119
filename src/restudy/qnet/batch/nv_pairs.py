"""Kernels on the Pauli matrices of pairs: idle noise, maps of one qubit, swap, distillation.

`side` is 0 for the left qubit (rows) and 1 for the right (columns).
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from restudy.qnet.batch.nv_maps import SIGNS, TARGET
from restudy.qnet.batch.streams import uniform

# Typed, because numba compiles a function once more for each literal number it is called with
LEFT: Any = np.int64(0)
RIGHT: Any = np.int64(1)


@dataclass(frozen=True, eq=False)
class ChainRuns:
    """What runs of a chain delivered.

    Attributes
    ----------
    fidelity : numpy.ndarray of float64, shape (runs,)
        With psi+ after the tracked corrections, when both ends know of the pair.
    duration_ns : numpy.ndarray of float64, shape (runs,)
        Time until then, ns.
    links : numpy.ndarray of int64, shape (runs,)
        Elementary pairs that were made.
    """

    fidelity: np.ndarray
    duration_ns: np.ndarray
    links: np.ndarray

    @property
    def rate_hz(self) -> float:
        """Pairs a second: one over the mean duration."""
        return 1e9 / float(self.duration_ns.mean())


@numba.njit(cache=True, nogil=True, error_model="numpy")
def put(pair: np.ndarray, matrix: np.ndarray, weight: float) -> None:
    """Fill in a pair: a matrix divided by its weight.

    An assignment of arrays would do, but numba then compiles what words an error about shapes:
    strings, six seconds.
    """
    for i in range(4):
        for j in range(4):
            pair[i, j] = matrix[i, j] / weight


@numba.njit(cache=True, nogil=True, error_model="numpy")
def idle(pair: np.ndarray, side: int, elapsed_ns: float, rates: np.ndarray) -> None:
    """Let one qubit relax and dephase, with rates 1/T1 and 1/T2."""
    stays, coherent = math.exp(-elapsed_ns * rates[0]), math.exp(-elapsed_ns * rates[1])
    lines = pair if side == 0 else pair.T
    for j in range(4):
        lines[1, j] *= coherent
        lines[2, j] *= coherent
        lines[3, j] = stays * lines[3, j] + (1.0 - stays) * lines[0, j]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def dephase(pair: np.ndarray, side: int, coherent: float) -> None:
    """Multiply one qubit's coherence."""
    lines = pair if side == 0 else pair.T
    for j in range(4):
        lines[1, j] *= coherent
        lines[2, j] *= coherent


@numba.njit(cache=True, nogil=True, error_model="numpy")
def act(pair: np.ndarray, side: int, matrix: np.ndarray) -> None:
    """Apply a map of one qubit."""
    lines = pair if side == 0 else pair.T
    for j in range(4):
        a, b, c, d = lines[0, j], lines[1, j], lines[2, j], lines[3, j]
        for i in range(4):
            lines[i, j] = matrix[i, 0] * a + matrix[i, 1] * b + matrix[i, 2] * c + matrix[i, 3] * d


@numba.njit(cache=True, nogil=True, error_model="numpy")
def outcome(zero: float, one: float, streams: np.ndarray, run: int, which: int) -> int:
    """Draw 0 or 1 with these chances, which need not sum to 1."""
    return 0 if uniform(streams, run, which) < zero / (zero + one) else 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def swap_pairs(
    left: np.ndarray,
    right: np.ndarray,
    maps: np.record,
    electron_is_left: bool,
    streams: np.ndarray,
    run: int,
    which: int,
) -> int:
    """Measure the inner qubits of two pairs; `left` becomes the pair of the outer ones.

    Returns the correction that the outcomes ask for.
    """
    chance = np.zeros(4)
    for m in range(4):
        for j in range(4):
            for k in range(4):
                effect = maps.swap[m, j, k] if electron_is_left else maps.swap[m, k, j]
                chance[m] += left[0, j] * effect * right[k, 0]
    m = 2 * outcome(chance[0] + chance[1], chance[2] + chance[3], streams, run, which)
    m += outcome(chance[m], chance[m + 1], streams, run, which)
    inner = maps.swap[m] if electron_is_left else maps.swap[m].T
    found = np.empty((4, 4))
    for i in range(4):
        for k in range(4):
            found[i, k] = 0.0
            for j in range(4):
                found[i, k] += left[i, j] * inner[j, k]
    for i in range(4):
        for k in range(4):
            total = 0.0
            for j in range(4):
                total += found[i, j] * right[j, k]
            left[i, k] = total / chance[m]
    return maps.correction[m]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def distill_pairs(
    kept: np.ndarray, spent: np.ndarray, distill: np.ndarray, found: np.ndarray
) -> None:
    """Fill `found` (2, 2, 4, 4): for the outcomes left and right, the kept pair, unnormalised.

    kept and spent are pairs of carbons and of electrons of the same two nodes.
    """
    half = np.empty((4, 4, 4))  # kept left, spent right, kept right: after the left node's part
    for m in range(2):
        for a in range(4):
            for f in range(4):
                for g in range(4):
                    total = 0.0
                    for d in range(4):
                        for e in range(4):
                            total += distill[m, a, d, e] * spent[d, f] * kept[e, g]
                    half[a, f, g] = total
        for n in range(2):
            for a in range(4):
                for b in range(4):
                    total = 0.0
                    for f in range(4):
                        for g in range(4):
                            total += distill[n, b, f, g] * half[a, f, g]
                    found[m, n, a, b] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def corrected_fidelity(pair: np.ndarray, correction: int) -> float:
    """Return the fidelity with psi+ after a Pauli on the right qubit."""
    total = 0.0
    for i in range(4):
        total += TARGET[i, i] * SIGNS[correction, i] * pair[i, i]
    return total / 4.0
