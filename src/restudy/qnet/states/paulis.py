"""Pauli operators as numbers, and what Clifford operations make of them.

One qubit: 0, 1, 2, 3 for I, X, Y, Z. Several qubits: digits to base 4, the first qubit the most
significant. Products of such numbers, up to phase, are their bitwise exclusive or (1 ^ 2 == 3).
The same numbers are the Bell states: k is Pauli k on one side of phi+, so 0, 1, 2, 3 are
phi+, psi+, psi-, phi-.  As bits (phase, parity): 00, 01, 11, 10.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

MATRICES = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], np.complex128
)
MATRICES.flags.writeable = False
_LARGEST_TABLE = 3  # qubits


@dataclass(frozen=True, eq=False)
class Conjugation:
    """The signed Pauli U P U* of each Pauli P.

    Attributes
    ----------
    image : numpy.ndarray of int64, shape (4**k,)
        Number of the image of each Pauli.
    negative : numpy.ndarray of bool, shape (4**k,)
        Whether the image has the sign -1.
    """

    image: np.ndarray
    negative: np.ndarray

    @cached_property
    def signed(self) -> tuple[tuple[int, float], ...]:
        """The image and its sign, 1.0 or -1.0, of each Pauli."""
        signs = np.where(self.negative, -1.0, 1.0)
        return tuple(zip(self.image.tolist(), signs.tolist(), strict=True))


@lru_cache(maxsize=8)
def pauli_matrices(k: int) -> np.ndarray:
    """Return all Paulis on k qubits, shape (4**k, 2**k, 2**k)."""
    found = np.ones((1, 1, 1), np.complex128)
    for _ in range(k):
        size = 2 * found.shape[1]
        found = np.einsum("aij,bkl->abikjl", found, MATRICES).reshape(-1, size, size)
    found.flags.writeable = False
    return found


def anticommute(p: int, q: int) -> bool:
    """Tell whether two Paulis anticommute.

    Examples
    --------
    >>> anticommute(1, 3), anticommute(0b0101, 0b1111)  # X and Z; XX and ZZ
    (True, False)
    """
    odd = False
    while p and q:
        a, b = p & 3, q & 3
        odd ^= a != 0 and b not in (0, a)
        p >>= 2
        q >>= 2
    return odd


def conjugation(matrix: np.ndarray) -> Conjugation | None:
    """Return what a unitary makes of Paulis, or None if it is no Clifford operation.

    Examples
    --------
    >>> hadamard = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    >>> table = conjugation(hadamard)
    >>> table.image.tolist(), table.negative.tolist()  # X to Z, Y to -Y, Z to X
    ([0, 3, 2, 1], [False, False, True, False])
    >>> conjugation(np.diag([1, np.exp(0.25j * np.pi)])) is None
    True
    """
    k = len(matrix).bit_length() - 1
    if k > _LARGEST_TABLE:
        return None
    paulis = pauli_matrices(k)
    images = matrix @ paulis @ matrix.conj().T
    overlaps = np.einsum("aij,bji->ab", images, paulis).real / 2**k
    image = np.abs(overlaps).argmax(axis=1)
    values = overlaps[np.arange(4**k), image]
    if not np.all(np.abs(np.abs(values) - 1) < 1e-9):
        return None
    return Conjugation(image, values < 0)
