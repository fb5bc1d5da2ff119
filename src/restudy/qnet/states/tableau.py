"""Loops over stabilizer tableaux of packed bits, compiled.

A tableau is an array of uint64, (2, capacity, 2 W + 1): plane 0 holds the destabilizers, plane 1
the stabilizers, one a row; a row is W words of X bits, W words of Z bits, and the sign (0 or 1).
Bit j of a word is the qubit 64 w + j. All beyond the first n rows and n qubits is zero.
Destabilizer i anticommutes with stabilizer i and commutes with every other row; its sign is
kept, and means nothing (Aaronson and Gottesman, quant-ph/0406196).
"""

import numpy as np
from numba import njit

_ONE = np.uint64(1)


@njit(cache=True)
def _popcount(word: np.uint64) -> np.uint64:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True)
def multiply(row: np.ndarray, other: np.ndarray) -> None:
    """Multiply a row by another that commutes with it, in place, with its sign."""
    words = len(row) >> 1
    ones = twos = np.uint64(0)  # a counter modulo 4 for each bit: the power of i of the product
    for w in range(words):
        x, z = row[w], row[words + w]
        p, q = other[w], other[words + w]
        xq = x & q
        odd = (p & z) ^ xq
        x ^= p
        z ^= q
        row[w], row[words + w] = x, z
        twos ^= (ones ^ x ^ z ^ xq) & odd
        ones ^= odd
    phase = _popcount(ones) + (_popcount(twos) << _ONE)
    row[2 * words] ^= other[2 * words] ^ ((phase >> _ONE) & _ONE)


@njit(cache=True)
def conjugate1(
    tableau: np.ndarray, n: int, a: int, image: np.ndarray, negative: np.ndarray
) -> None:
    """Apply a Clifford operation on one qubit, given as a table, see `Conjugation`."""
    words = tableau.shape[2] >> 1
    w, bit = a >> 6, np.uint64(a & 63)
    for plane in range(len(tableau)):
        for i in range(n):
            row = tableau[plane, i]
            p = _pauli(row, words, w, bit)
            if p:
                _place(row, words, w, bit, p ^ image[p])
                row[2 * words] ^= np.uint64(negative[p])


@njit(cache=True)
def conjugate2(
    tableau: np.ndarray, n: int, a: int, b: int, image: np.ndarray, negative: np.ndarray
) -> None:
    """Apply a Clifford operation on two qubits, given as a table, see `Conjugation`."""
    words = tableau.shape[2] >> 1
    w, bit = a >> 6, np.uint64(a & 63)
    v, tib = b >> 6, np.uint64(b & 63)
    for plane in range(len(tableau)):
        for i in range(n):
            row = tableau[plane, i]
            p = _pauli(row, words, w, bit) << 2 | _pauli(row, words, v, tib)
            if p:
                change = p ^ image[p]
                _place(row, words, w, bit, change >> 2)
                _place(row, words, v, tib, change & 3)
                row[2 * words] ^= np.uint64(negative[p])


@njit(cache=True)
def _pauli(row: np.ndarray, words: int, w: int, bit: np.uint64) -> np.int64:
    """Return the Pauli of a row at one qubit as a number: 0, 1, 2, 3 for I, X, Y, Z."""
    x = np.int64((row[w] >> bit) & _ONE)
    z = np.int64((row[words + w] >> bit) & _ONE)
    return z << 1 | (x ^ z)


@njit(cache=True)
def _place(row: np.ndarray, words: int, w: int, bit: np.uint64, p: np.int64) -> None:
    """Multiply a row at one qubit by a Pauli, up to phase."""
    row[w] ^= np.uint64((p ^ p >> 1) & 1) << bit
    row[words + w] ^= np.uint64(p >> 1) << bit


@njit(cache=True)
def append(tableau: np.ndarray, n: int, other: np.ndarray, m: int) -> None:
    """Put m qubits of another tableau behind the n of this one, which has room for them."""
    words, theirs = tableau.shape[2] >> 1, other.shape[2] >> 1
    used = (m + 63) >> 6
    first, shift = n >> 6, np.uint64(n & 63)
    for plane in range(2):
        for i in range(m):
            row, source = tableau[plane, n + i], other[plane, i]
            row[2 * words] = source[2 * theirs]
            for half in range(2):
                for w in range(used):
                    word = source[half * theirs + w]
                    at = half * words + first + w
                    row[at] |= word << shift
                    if shift and first + w + 1 < words:
                        row[at + 1] |= word >> (np.uint64(64) - shift)


@njit(cache=True)
def measure(tableau: np.ndarray, n: int, a: int, u: float) -> np.int64:
    """Measure Z of a qubit and remove it; the last qubit takes its position.

    A random outcome is 1 if u >= 1/2. The row that becomes Z is removed too.
    """
    words = tableau.shape[2] >> 1
    w, bit = a >> 6, np.uint64(a & 63)
    destabilizers, stabilizers = tableau[0], tableau[1]
    pivot = -1
    for i in range(n):
        if (stabilizers[i, w] >> bit) & _ONE:
            pivot = i
            break
    if pivot >= 0:
        outcome = np.uint64(u >= 0.5)
        source = stabilizers[pivot]
        for i in range(n):
            if i > pivot and (stabilizers[i, w] >> bit) & _ONE:
                multiply(stabilizers[i], source)
            if i != pivot and (destabilizers[i, w] >> bit) & _ONE:
                for j in range(2 * words):
                    destabilizers[i, j] ^= source[j]
    else:
        product = np.zeros(2 * words + 1, np.uint64)
        for i in range(n):
            if (destabilizers[i, w] >> bit) & _ONE:
                multiply(product, stabilizers[i])
                if pivot < 0:
                    pivot = i
                else:
                    for j in range(2 * words):
                        destabilizers[i, j] ^= destabilizers[pivot, j]
        outcome = product[2 * words]
    _remove(tableau, n, pivot, a, outcome)
    return np.int64(outcome)


@njit(cache=True)
def _remove(tableau: np.ndarray, n: int, pivot: int, a: int, outcome: np.uint64) -> None:
    """Remove the row `pivot`, which is Z of qubit a with a sign, and the qubit."""
    words = tableau.shape[2] >> 1
    w, bit = a >> 6, np.uint64(a & 63)
    last = n - 1
    v, tib = last >> 6, np.uint64(last & 63)
    for plane in range(2):
        if pivot != last:
            tableau[plane, pivot] = tableau[plane, last]
        tableau[plane, last] = 0
        for i in range(last):
            row = tableau[plane, i]
            # no X is left at a; a Z there is `outcome`, by the row that is removed
            if (row[words + w] >> bit) & _ONE:
                row[2 * words] ^= outcome
                row[words + w] ^= _ONE << bit
            if a != last:
                p = _pauli(row, words, v, tib)
                if p:
                    _place(row, words, v, tib, p)
                    _place(row, words, w, bit, p)


@njit(cache=True)
def means(tableau: np.ndarray, n: int, at: np.ndarray) -> np.ndarray:
    """Return the mean, 1, 0 or -1, of each of the 4**k Paulis on the qubits `at`."""
    words = tableau.shape[2] >> 1
    k = len(at)
    found = np.zeros(1 << 2 * k)
    product = np.zeros(2 * words + 1, np.uint64)
    for p in range(len(found)):
        fixed = True
        for i in range(n):
            if _anticommutes(tableau[1, i], words, at, p):
                fixed = False
                break
        if not fixed:
            continue
        product[:] = 0
        for i in range(n):
            if _anticommutes(tableau[0, i], words, at, p):
                multiply(product, tableau[1, i])
        found[p] = -1.0 if product[2 * words] else 1.0
    return found


@njit(cache=True)
def _anticommutes(row: np.ndarray, words: int, at: np.ndarray, p: int) -> bool:
    odd = False
    k = len(at)
    for j in range(k):
        ours = p >> 2 * (k - 1 - j) & 3
        theirs = _pauli(row, words, at[j] >> 6, np.uint64(at[j] & 63))
        odd ^= ours != 0 and theirs not in (0, ours)
    return odd


@njit(cache=True)
def eliminate(rows: np.ndarray, n: int) -> np.ndarray:
    """Reduce the X part of n commuting rows, in place, and tell which qubits have a pivot."""
    words = rows.shape[1] >> 1
    pivots = np.zeros(n, np.bool_)
    rank = 0
    for a in range(n):
        w, bit = a >> 6, np.uint64(a & 63)
        found = -1
        for i in range(rank, n):
            if (rows[i, w] >> bit) & _ONE:
                found = i
                break
        if found < 0:
            continue
        pivots[a] = True
        for j in range(2 * words + 1):
            rows[rank, j], rows[found, j] = rows[found, j], rows[rank, j]
        for i in range(n):
            if i != rank and (rows[i, w] >> bit) & _ONE:
                multiply(rows[i], rows[rank])
        rank += 1
    return pivots


def packed(paulis: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return rows of Paulis as numbers, (m, n), and their signs, (m,), as rows of a tableau."""
    m, n = paulis.shape
    words = (n + 63) >> 6
    rows = np.zeros((m, 2 * words + 1), np.uint64)
    halves = ((paulis ^ paulis >> 1) & 1, paulis >> 1)  # X and Z bits
    for half, bits in enumerate(halves):
        padded = np.zeros((m, 64 * words), np.uint8)
        padded[:, :n] = bits
        packed_bits = np.packbits(padded, axis=1, bitorder="little").view("<u8")
        rows[:, half * words : (half + 1) * words] = packed_bits
    rows[:, -1] = negative
    return rows


def unpacked(rows: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first n rows as Paulis in numbers, (n, n), and their signs, (n,)."""
    words = rows.shape[1] >> 1
    halves = []
    for half in range(2):
        part = np.ascontiguousarray(rows[:n, half * words : (half + 1) * words], "<u8")
        bits = np.unpackbits(part.view(np.uint8), axis=1, bitorder="little")
        halves.append(bits[:, :n].astype(np.int64))
    x, z = halves
    return z << 1 | (x ^ z), rows[:n, -1] == 1
