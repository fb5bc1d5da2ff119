"""Loops over amplitudes, compiled: the only arithmetic that kets and density matrices need.

A ket of n qubits is a flat array of 2**n amplitudes, qubit 0 the most significant bit of the index.
A density matrix is a flat array of 4**n, row by row: a "ket" of 2n bits, rows before columns.
A shift is a bit of that index, counted from the least significant.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def contract(amplitudes: np.ndarray, matrix: np.ndarray, shifts: np.ndarray) -> None:
    """Multiply the axes given by `shifts`, the most significant first, by `matrix`, in place."""
    dimension = matrix.shape[0]
    k = len(shifts)
    offsets = np.zeros(dimension, np.int64)
    for j in range(dimension):
        for b in range(k):
            if j >> (k - 1 - b) & 1:
                offsets[j] |= 1 << shifts[b]
    mask = offsets[dimension - 1]
    gathered = np.empty(dimension, np.complex128)
    base = 0
    while base < len(amplitudes):
        for j in range(dimension):
            gathered[j] = amplitudes[base + offsets[j]]
        for i in range(dimension):
            total = 0j
            for j in range(dimension):
                total += matrix[i, j] * gathered[j]
            amplitudes[base + offsets[i]] = total
        base = ((base | mask) + 1) & ~mask  # the next index with zeros at all shifts


@njit(cache=True)
def conjugate_by(
    amplitudes: np.ndarray, matrix: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> None:
    """Make U rho U* of a density matrix in place."""
    contract(amplitudes, matrix, rows)
    contract(amplitudes, np.conj(matrix), columns)


@njit(cache=True)
def tensor(a: np.ndarray, b: np.ndarray, n: int, m: int) -> np.ndarray:
    """Return the tensor product of density matrices of n and of m qubits."""
    joint = np.empty(len(a) * len(b), np.complex128)
    for i in range(1 << n):
        for k in range(1 << m):
            for j in range(1 << n):
                at = ((i << m | k) << n | j) << m
                left = a[i << n | j]
                for q in range(1 << m):
                    joint[at | q] = left * b[k << m | q]
    return joint


@njit(cache=True)
def gather(amplitudes: np.ndarray, shifts: np.ndarray, offset: int) -> np.ndarray:
    """Return the array whose axes, the most significant first, are `shifts`, others at `offset`."""
    k = len(shifts)
    chosen = np.empty(1 << k, np.complex128)
    for i in range(1 << k):
        at = offset
        for b in range(k):
            at |= (i >> (k - 1 - b) & 1) << shifts[b]
        chosen[i] = amplitudes[at]
    return chosen


@njit(cache=True)
def zero_weight(diagonal: np.ndarray, shift: int) -> float:
    """Sum what has a zero at the bit `shift`."""
    total = 0.0
    for i in range(len(diagonal)):
        if not i >> shift & 1:
            total += diagonal[i].real
    return total


@njit(cache=True)
def swap_pairs(
    left: np.ndarray, a: int, right: np.ndarray, b: int
) -> tuple[np.ndarray, np.ndarray]:
    """Project qubit a of one pair and b of another on each Bell state.

    Returns the probabilities (4,) and the unnormalised density matrices of the two others
    (4, 16). The row of Bell state k = (phase, parity) has the amplitudes +1 at |0, parity> and
    (-1)**phase at |1, 1 - parity>, over the root of 2.
    """
    weights = np.zeros(4)
    found = np.zeros((4, 16), np.complex128)
    kept = a  # shift of the qubit that stays: 1 - (1 - a)
    measured = 1 - a
    other_kept = b
    other_measured = 1 - b
    for k in range(4):
        phase = k >> 1
        parity = (k ^ k >> 1) & 1
        for row in range(2):
            for column in range(2):
                sign = -0.5 if phase and row != column else 0.5
                lrow = row << measured
                lcolumn = column << measured
                rrow = (row ^ parity) << other_measured
                rcolumn = (column ^ parity) << other_measured
                for i in range(4):
                    for j in range(4):
                        x = left[(lrow | (i >> 1) << kept) << 2 | lcolumn | (j >> 1) << kept]
                        y = right[
                            (rrow | (i & 1) << other_kept) << 2 | rcolumn | (j & 1) << other_kept
                        ]
                        found[k, i << 2 | j] += sign * x * y
        for i in range(4):
            weights[k] += found[k, 5 * i].real
    return weights, found
