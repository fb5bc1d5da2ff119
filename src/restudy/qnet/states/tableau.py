"""Loops over stabilizer tableaux of packed bits, compiled.

A tableau is an array of uint64, (2, W, capacity + 1, 2). Plane 0 holds the destabilizers, plane 1
the stabilizers. Entry [:, :, q + 1, 0] has the X bits and [:, :, q + 1, 1] the Z bits of qubit q,
[:, :, 0, 0] the signs. Bit j of word w is row 64 w + j, so that an operation on a qubit changes 64
rows at a time. All beyond the first n rows and n qubits is zero.
Destabilizer i anticommutes with stabilizer i and commutes with every other row; its sign means
nothing (Aaronson and Gottesman, quant-ph/0406196).
"""

from typing import Any

import numpy as np
from numba import njit

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# Typed, because numba compiles a function once more for each literal number it is called with
_DESTABILIZERS: Any = np.int64(0)
_STABILIZERS: Any = np.int64(1)


@njit(cache=True)
def conjugate1(
    tableau: np.ndarray, n: int, a: int, image: np.ndarray, negative: np.ndarray
) -> None:
    """Apply a Clifford operation on one qubit, given as a table, see `Conjugation`."""
    for plane in range(2):
        for w in range((n + 63) >> 6):
            part = tableau[plane, w]
            x, z = part[a + 1]
            part[a + 1] = 0
            for p in range(1, 4):
                rows = _rows_with(x, z, p)
                _write(part, a, rows, image[p])
                if negative[p]:
                    part[0, 0] ^= rows


@njit(cache=True)
def conjugate2(
    tableau: np.ndarray, n: int, a: int, b: int, image: np.ndarray, negative: np.ndarray
) -> None:
    """Apply a Clifford operation on two qubits, given as a table, see `Conjugation`."""
    for plane in range(2):
        for w in range((n + 63) >> 6):
            part = tableau[plane, w]
            x, z = part[a + 1]
            s, t = part[b + 1]
            if not (x | z | s | t):
                continue
            part[a + 1] = 0
            part[b + 1] = 0
            for p in range(1, 16):
                rows = _rows_with(x, z, p >> 2) & _rows_with(s, t, p & 3)
                if rows:
                    _write(part, a, rows, image[p] >> 2)
                    _write(part, b, rows, image[p] & 3)
                    if negative[p]:
                        part[0, 0] ^= rows


@njit(cache=True)
def _rows_with(x: np.uint64, z: np.uint64, p: int) -> np.uint64:
    """Return the rows whose Pauli at a qubit is p: 0, 1, 2, 3 for I, X, Y, Z."""
    if p == 0:
        return ~(x | z)
    if p == 1:
        return x & ~z
    if p == 2:
        return x & z
    return z & ~x


@njit(cache=True)
def _write(part: np.ndarray, a: int, rows: np.uint64, p: int) -> None:
    """Put the Pauli p at a qubit of rows that have none there."""
    if p in (1, 2):
        part[a + 1, 0] |= rows
    if p in (2, 3):
        part[a + 1, 1] |= rows


@njit(cache=True)
def append(tableau: np.ndarray, n: int, other: np.ndarray, m: int) -> None:
    """Put m qubits of another tableau behind the n of this one, which has room for them."""
    first, shift = n >> 6, np.uint64(n & 63)
    for plane in range(2):
        for w in range((m + 63) >> 6):
            for q in range(m + 1):
                at = n + q if q else 0
                for half in range(2):
                    word = other[plane, w, q, half]
                    tableau[plane, first + w, at, half] |= word << shift
                    if shift and word >> (np.uint64(64) - shift):
                        tableau[plane, first + w + 1, at, half] |= word >> (np.uint64(64) - shift)


@njit(cache=True)
def measure(tableau: np.ndarray, n: int, a: int, u: float) -> np.int64:
    """Measure Z of a qubit and remove it; the last qubit takes its position.

    A random outcome is 1 if u >= 1/2. The row that becomes Z is removed too.
    """
    stabilizers = tableau[1, :, a + 1, 0].copy()
    destabilizers = tableau[0, :, a + 1, 0].copy()
    pivot = _first(stabilizers)
    if pivot >= 0:
        outcome = np.uint64(u >= 0.5)
        _clear(stabilizers, pivot)
        _clear(destabilizers, pivot)
        _multiply(tableau, n, _STABILIZERS, stabilizers, _STABILIZERS, pivot)
        _multiply(tableau, n, _DESTABILIZERS, destabilizers, _STABILIZERS, pivot)
    else:
        outcome = _phase(tableau, n, destabilizers) >> _ONE
        pivot = _first(destabilizers)
        _clear(destabilizers, pivot)
        _multiply(tableau, n, _DESTABILIZERS, destabilizers, _DESTABILIZERS, pivot)
    _remove(tableau, n, pivot, a, outcome)
    return np.int64(outcome)


@njit(cache=True)
def _first(rows: np.ndarray) -> int:
    """Return the number of the first row of a set, -1 if it is empty."""
    for w in range(len(rows)):
        if rows[w]:
            row = w << 6
            while not (rows[w] >> np.uint64(row & 63)) & _ONE:
                row += 1
            return row
    return -1


@njit(cache=True)
def _clear(rows: np.ndarray, row: int) -> None:
    rows[row >> 6] &= ~(_ONE << np.uint64(row & 63))


@njit(cache=True)
def _multiply(
    tableau: np.ndarray, n: int, plane: int, rows: np.ndarray, source: int, pivot: int
) -> None:
    """Multiply rows of a plane by the row `pivot` of the plane `source`, with signs."""
    bit = np.uint64(pivot & 63)
    row = tableau[source, pivot >> 6]
    for w in range((n + 63) >> 6):
        chosen = rows[w]
        if not chosen:
            continue
        part = tableau[plane, w]
        ones = twos = _ZERO  # a counter modulo 4 for each row: the power of i of the product
        for q in range(1, n + 1):
            p = (_ZERO - ((row[q, 0] >> bit) & _ONE)) & chosen
            r = (_ZERO - ((row[q, 1] >> bit) & _ONE)) & chosen
            x, z = part[q]
            xr = x & r
            odd = (p & z) ^ xr
            x ^= p
            z ^= r
            part[q, 0], part[q, 1] = x, z
            twos ^= (ones ^ x ^ z ^ xr) & odd
            ones ^= odd
        minus = _ZERO - ((row[0, 0] >> bit) & _ONE)
        part[0, 0] ^= (twos ^ minus) & chosen


@njit(cache=True)
def _phase(tableau: np.ndarray, n: int, rows: np.ndarray) -> np.uint64:
    """Return the power of i of a product of commuting stabilizers, in order.

    The product is i**phase times, at each qubit, X if there is one and then Z if there is one.
    A row has i X Z for Y, and each X that passes a Z on its way to the left gives a sign.
    """
    phase = _ZERO
    carry = np.zeros(n + 1, np.uint64)  # all bits set where the words before have an odd Z
    for w in range((n + 63) >> 6):
        if not rows[w]:
            continue
        part = tableau[1, w]
        phase += _popcount(part[0, 0] & rows[w]) << _ONE
        for q in range(1, n + 1):
            x, z = part[q, 0] & rows[w], part[q, 1] & rows[w]
            if not x | z:
                continue
            phase += _popcount(x & z)
            before = z
            for step in range(6):
                before ^= before << (_ONE << np.uint64(step))
            phase += _popcount(((before << _ONE) ^ carry[q]) & x) << _ONE
            carry[q] ^= _ZERO - (before >> np.uint64(63))
    return phase & np.uint64(3)


@njit(cache=True)
def _popcount(word: np.uint64) -> np.uint64:
    word = word - ((word >> _ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True)
def _remove(tableau: np.ndarray, n: int, pivot: int, a: int, outcome: np.uint64) -> None:
    """Remove the rows `pivot`, of which the stabilizer is Z of qubit a with a sign, and a."""
    last = n - 1
    bit, tib = np.uint64(last & 63), np.uint64(pivot & 63)
    for plane in range(2):
        for w in range((n + 63) >> 6):
            part = tableau[plane, w]
            if outcome:  # rows with a Z at a are multiplied by that one
                part[0, 0] ^= part[a + 1, 1]
            for half in range(2):
                part[a + 1, half] = part[n, half]
                part[n, half] = 0
        source, target = tableau[plane, last >> 6], tableau[plane, pivot >> 6]
        for q in range(n):
            for half in range(2):
                moved = (source[q, half] >> bit) & _ONE
                target[q, half] = target[q, half] & ~(_ONE << tib) | moved << tib
                source[q, half] &= ~(_ONE << bit)


@njit(cache=True)
def means(tableau: np.ndarray, n: int, at: np.ndarray) -> np.ndarray:
    """Return the mean, 1, 0 or -1, of each of the 4**k Paulis on the qubits `at`."""
    k = len(at)
    found = np.zeros(1 << 2 * k)
    for pauli in range(len(found)):
        anticommuting = np.zeros(tableau.shape[:2], np.uint64)
        phase = _ZERO  # i**phase X.. Z.. is the Pauli
        for j in range(k):
            p = pauli >> 2 * (k - 1 - j) & 3
            if p in (1, 2):
                anticommuting ^= tableau[:, :, at[j] + 1, 1]
            if p in (2, 3):
                anticommuting ^= tableau[:, :, at[j] + 1, 0]
            if p == 2:
                phase += _ONE
        if not anticommuting[1].any():
            flipped = (_phase(tableau, n, anticommuting[0]) - phase) & np.uint64(3)
            found[pauli] = -1.0 if flipped else 1.0
    return found


@njit(cache=True)
def eliminate(tableau: np.ndarray, n: int) -> np.ndarray:
    """Reduce the X part of the stabilizers, in place, and tell which qubits have a pivot.

    Destabilizers are not kept up.
    """
    pivots = np.zeros(n, np.bool_)
    rank = 0
    for a in range(n):
        rows = tableau[1, :, a + 1, 0].copy()
        below = rows.copy()
        below[: rank >> 6] = 0
        below[rank >> 6] &= _ALL << np.uint64(rank & 63)
        found = _first(below)
        if found < 0:
            continue
        pivots[a] = True
        _clear(rows, found)
        _multiply(tableau, n, _STABILIZERS, rows, _STABILIZERS, found)
        _exchange(tableau, n, found, rank)
        rank += 1
        if rank == n:
            break
    return pivots


@njit(cache=True)
def _exchange(tableau: np.ndarray, n: int, i: int, j: int) -> None:
    """Exchange two stabilizers."""
    bit, tib = np.uint64(i & 63), np.uint64(j & 63)
    first, second = tableau[1, i >> 6], tableau[1, j >> 6]
    for q in range(n + 1):
        for half in range(2):
            differ = ((first[q, half] >> bit) ^ (second[q, half] >> tib)) & _ONE
            first[q, half] ^= differ << bit
            second[q, half] ^= differ << tib


def packed(paulis: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return a tableau of Paulis as numbers, (2, n, n) by plane, row, qubit, and signs, (2, n)."""
    n = paulis.shape[2]
    words = (n + 63) >> 6
    bits = np.zeros((2, n + 1, 2, 64 * words), np.uint8)
    columns = paulis.transpose(0, 2, 1)  # (2 planes, n qubits, n rows)
    bits[:, 1:, 0, :n] = (columns ^ columns >> 1) & 1
    bits[:, 1:, 1, :n] = columns >> 1
    bits[:, 0, 0, :n] = negative
    tableau = np.packbits(bits, axis=3, bitorder="little").view("<u8")
    return np.ascontiguousarray(tableau.transpose(0, 3, 1, 2), np.uint64)


def unpacked(tableau: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stabilizers as Paulis in numbers, (n, n), and their signs, (n,)."""
    words = tableau[1, :, : n + 1].transpose(1, 2, 0)  # (qubits, halves, words)
    stabilizers = np.ascontiguousarray(words, "<u8").view(np.uint8)
    bits = np.unpackbits(stabilizers, axis=2, bitorder="little")[:, :, :n]
    x, z = bits[1:].astype(np.int64).transpose(1, 2, 0)  # (n rows, n qubits) each
    return z << 1 | (x ^ z), bits[0, 0] == 1
