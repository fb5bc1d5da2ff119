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
def pauli_noise(
    entries: np.ndarray, n: int, shift: int, i: float, x: float, y: float, z: float
) -> None:
    """Apply Paulis with these probabilities to one qubit of a density matrix, in place."""
    row, column = 1 << (shift + n), 1 << shift
    mask = row | column
    keep, swap, even, odd = i + z, x + y, i - z, x - y
    base = 0
    while base < len(entries):
        a, b = entries[base], entries[base | column]
        c, d = entries[base | row], entries[base | mask]
        entries[base] = keep * a + swap * d
        entries[base | mask] = keep * d + swap * a
        entries[base | column] = even * b + odd * c
        entries[base | row] = even * c + odd * b
        base = ((base | mask) + 1) & ~mask


@njit(cache=True)
def relax(entries: np.ndarray, n: int, shift: int, decay: float, flip: float) -> None:
    """Damp the amplitude of ``|1>`` of one qubit of a density matrix, then dephase it, in place."""
    row, column = 1 << (shift + n), 1 << shift
    mask = row | column
    coherence = (1 - 2 * flip) * np.sqrt(1 - decay)
    base = 0
    while base < len(entries):
        entries[base] += decay * entries[base | mask]
        entries[base | mask] *= 1 - decay
        entries[base | column] *= coherence
        entries[base | row] *= coherence
        base = ((base | mask) + 1) & ~mask


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
def weight_of(entries: np.ndarray, n: int, shift: int, bit: int) -> float:
    """Sum the diagonal of a density matrix where the bit `shift` is `bit`."""
    total = 0.0
    for i in range(1 << n):
        if i >> shift & 1 == bit:
            total += entries[i << n | i].real
    return total


@njit(cache=True)
def norm_of(amplitudes: np.ndarray, shift: int, bit: int) -> float:
    """Sum the squared moduli of what has `bit` at the bit `shift`."""
    total = 0.0
    low = (1 << shift) - 1
    for i in range(len(amplitudes) >> 1):
        a = amplitudes[(i & ~low) << 1 | bit << shift | i & low]
        total += a.real * a.real + a.imag * a.imag
    return total


@njit(cache=True)
def collapse(amplitudes: np.ndarray, shift: int, bit: int, scale: float) -> np.ndarray:
    """Return a ket times `scale` without the qubit at `shift`, found in `bit`.

    The last qubit takes its position.
    """
    chosen = np.empty(len(amplitudes) >> 1, np.complex128)
    if shift == 0:
        for i in range(len(chosen)):
            chosen[i] = scale * amplitudes[i << 1 | bit]
        return chosen
    low = (1 << (shift - 1)) - 1
    for i in range(len(chosen)):
        high = i >> shift << (shift + 1)
        last = i >> (shift - 1) & 1
        chosen[i] = scale * amplitudes[high | bit << shift | (i & low) << 1 | last]
    return chosen


@njit(cache=True)
def swap_kets(
    left: np.ndarray, a: int, right: np.ndarray, b: int, u: float
) -> tuple[int, np.ndarray]:
    """Project qubit a of one ket of two and b of another on a Bell state drawn with u.

    Returns the Bell state and the ket of the two others (4,). Bell state k = (phase, parity) has
    the amplitudes +1 at ``|0, parity>`` and (-1)**phase at ``|1, 1 - parity>``, over the root of
    2.
    """
    weights = np.zeros(4)
    found = np.zeros((4, 4), np.complex128)
    for k in range(4):
        phase = k >> 1
        parity = (k ^ k >> 1) & 1
        for i in range(2):
            for j in range(2):
                total = 0j
                for row in range(2):
                    x = left[row << (1 - a) | i << a]
                    y = right[(row ^ parity) << (1 - b) | j << b]
                    total += -x * y if phase and row else x * y
                total *= np.sqrt(0.5)
                found[k, i << 1 | j] = total
                weights[k] += total.real * total.real + total.imag * total.imag
    chosen = _chosen(weights, u)
    return chosen, found[chosen] / np.sqrt(weights[chosen])


@njit(cache=True)
def swap_pairs(
    left: np.ndarray, a: int, right: np.ndarray, b: int, u: float
) -> tuple[int, np.ndarray]:
    """Do as `swap_kets` for density matrices (16,)."""
    weights = np.zeros(4)
    found = np.zeros((4, 16), np.complex128)
    for k in range(4):
        phase = k >> 1
        parity = (k ^ k >> 1) & 1
        for row in range(2):
            for column in range(2):
                sign = -0.5 if phase and row != column else 0.5
                lrow, lcolumn = row << (1 - a), column << (1 - a)
                rrow, rcolumn = (row ^ parity) << (1 - b), (column ^ parity) << (1 - b)
                for i in range(4):
                    for j in range(4):
                        x = left[(lrow | (i >> 1) << a) << 2 | lcolumn | (j >> 1) << a]
                        y = right[(rrow | (i & 1) << b) << 2 | rcolumn | (j & 1) << b]
                        found[k, i << 2 | j] += sign * x * y
        for i in range(4):
            weights[k] += found[k, 5 * i].real
    chosen = _chosen(weights, u)
    return chosen, found[chosen] / weights[chosen]


@njit(cache=True)
def _chosen(weights: np.ndarray, u: float) -> int:
    """Draw an index by its weight, never one without weight; see `channels.drawn`."""
    last = 0
    for index in range(len(weights)):
        if weights[index] > 0:
            last = index
            if u < weights[index]:
                break
            u -= weights[index]
    return last
