"""Unitary operators on a few qubits, and the usual gates."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states.paulis import Conjugation, conjugation

_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Operator:
    """A unitary on k qubits; the first qubit is the most significant bit.

    Attributes
    ----------
    name : str
        What error messages call it.
    matrix : numpy.ndarray of complex128, shape (2**k, 2**k)
        Unitary to 1e-9; a read-only copy is kept.

    Raises
    ------
    QnetError
        If the matrix is not square, not of a power of two, or not unitary.

    Examples
    --------
    >>> Operator("X", np.array([[0, 1], [1, 0]])).qubits
    1
    >>> Operator("half", np.eye(2) / 2)
    Traceback (most recent call last):
        ...
    restudy.qnet.errors.QnetError: the operator half is not unitary: U* U differs from 1 by 0.75; \
give a unitary matrix.
    """

    name: str
    matrix: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, np.complex128, order="C")
        qubits_of(matrix, f"the operator {self.name}")
        excess = float(np.abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max())
        if not excess < _TOLERANCE:
            raise QnetError(
                f"the operator {self.name} is not unitary: U* U differs from 1 by {excess:.3g}; "
                "give a unitary matrix."
            )
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @cached_property
    def qubits(self) -> int:
        """Number of qubits it acts on."""
        return len(self.matrix).bit_length() - 1

    @cached_property
    def clifford(self) -> Conjugation | None:
        """What it makes of Pauli operators; None if it is no Clifford operation."""
        return conjugation(self.matrix)

    @cached_property
    def conjugate(self) -> np.ndarray:
        """Its matrix with complex conjugate entries, read-only."""
        conjugate = self.matrix.conj()
        conjugate.flags.writeable = False
        return conjugate

    @cached_property
    def inverse(self) -> "Operator":
        """Its inverse."""
        return Operator(f"{self.name}^-1", self.matrix.conj().T)


def qubits_of(matrix: np.ndarray, what: str) -> int:
    """Return the number of qubits of a square matrix.

    Raises
    ------
    QnetError
        If the matrix, which the message calls `what`, is no square of 2**k rows, k > 0.
    """
    rows = matrix.shape[0] if matrix.ndim == 2 else 0
    if rows < 2 or matrix.shape != (rows, rows) or rows & (rows - 1):
        raise QnetError(
            f"{what} has a matrix of shape {matrix.shape}; expected a square of 2**k rows, "
            "k the number of qubits."
        )
    return rows.bit_length() - 1


_R = np.sqrt(0.5)

I: Final = Operator("I", np.eye(2))  # noqa: E741
X: Final = Operator("X", np.array([[0, 1], [1, 0]]))
Y: Final = Operator("Y", np.array([[0, -1j], [1j, 0]]))
Z: Final = Operator("Z", np.diag([1, -1]))
H: Final = Operator("H", np.array([[_R, _R], [_R, -_R]]))
S: Final = Operator("S", np.diag([1, 1j]))
SDG: Final = Operator("SDG", np.diag([1, -1j]))
T: Final = Operator("T", np.diag([1, _R + _R * 1j]))
CNOT: Final = Operator("CNOT", np.eye(4)[[0, 1, 3, 2]])
CZ: Final = Operator("CZ", np.diag([1, 1, 1, -1]))
SWAP: Final = Operator("SWAP", np.eye(4)[[0, 2, 1, 3]])

PAULIS: Final = (I, X, Y, Z)


def rotation(name: str, axis: np.ndarray, theta: float) -> np.ndarray:
    """Return exp(-i theta/2 axis) for a Pauli matrix `axis`.

    Raises
    ------
    QnetError
        If the angle is not finite.
    """
    if not np.isfinite(theta):
        raise QnetError(f"the angle of {name} is {theta}; give a finite angle in radians.")
    turned: np.ndarray = np.cos(theta / 2) * np.eye(2) - 1j * np.sin(theta / 2) * axis
    return turned


@lru_cache(maxsize=1024)
def rx(theta: float) -> Operator:
    """Rotate about X: exp(-i theta X / 2), theta in radians."""
    return Operator(f"rx({theta:g})", rotation("rx", X.matrix, theta))


@lru_cache(maxsize=1024)
def ry(theta: float) -> Operator:
    """Rotate about Y: exp(-i theta Y / 2), theta in radians."""
    return Operator(f"ry({theta:g})", rotation("ry", Y.matrix, theta))


@lru_cache(maxsize=1024)
def rz(theta: float) -> Operator:
    """Rotate about Z: exp(-i theta Z / 2), theta in radians."""
    return Operator(f"rz({theta:g})", rotation("rz", Z.matrix, theta))


@lru_cache(maxsize=1024)
def controlled_rx(theta: float) -> Operator:
    """Rotate the second qubit by theta about X if the first is 0, by -theta if it is 1.

    The two-qubit gate of nitrogen-vacancy centres, electron first (arXiv 2010.12535, Methods).
    """
    matrix = np.zeros((4, 4), np.complex128)
    matrix[:2, :2] = rotation("controlled_rx", X.matrix, theta)
    matrix[2:, 2:] = rotation("controlled_rx", X.matrix, -theta)
    return Operator(f"controlled_rx({theta:g})", matrix)
