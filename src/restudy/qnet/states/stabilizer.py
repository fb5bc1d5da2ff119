"""Stabilizer states as tableaux of packed bits: Clifford operations on thousands of qubits.

Operations take O(n) and measurements O(n**2) bit operations, 64 at once (Aaronson and
Gottesman, quant-ph/0406196).
"""

from typing import Any, ClassVar

import numpy as np

from restudy.qnet.states import tableau
from restudy.qnet.states.channels import Noise, PauliChannel
from restudy.qnet.states.gates import PAULIS, Operator
from restudy.qnet.states.paulis import pauli_matrices
from restudy.qnet.states.state import Formalism, forget


class StabilizerState:
    """A stabilizer state of n qubits.

    Parameters
    ----------
    rows : numpy.ndarray of uint64, shape (2, W, capacity + 1, 2)
        Its tableau, see `restudy.qnet.states.tableau`; kept and changed.
    size : int
        Number of qubits.

    Examples
    --------
    >>> from restudy.qnet.states.gates import CNOT, H
    >>> pair = StabilizerState.basis(0).joined(StabilizerState.basis(0))
    >>> pair.apply(H, (0,))
    >>> pair.apply(CNOT, (0, 1))
    >>> pair.stabilizers()
    ['+XX', '+ZZ']
    """

    formalism: ClassVar[Formalism] = Formalism.STABILIZER
    __slots__ = ("owners", "rows", "size")

    def __init__(self, rows: np.ndarray, size: int) -> None:
        self.rows = rows
        self.size = size
        self.owners: list[Any] = []

    @classmethod
    def basis(cls, bit: int) -> "StabilizerState":
        """Return one qubit in ``|0>`` or ``|1>``."""
        return cls(np.array([[[[0, 0], [1, 0]]], [[[bit, 0], [0, 1]]]], np.uint64), 1)

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism: Clifford, or Pauli noise."""
        if isinstance(operation, Operator):
            return operation.clifford is not None and operation.qubits <= 2
        return isinstance(operation, PauliChannel)

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a Clifford operation on one or two qubits."""
        table = operator.clifford
        assert table is not None
        if len(at) == 1:
            tableau.conjugate1(self.rows, self.size, at[0], table.image, table.negative)
        else:
            tableau.conjugate2(self.rows, self.size, at[0], at[1], table.image, table.negative)

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply a Pauli drawn by chance."""
        assert isinstance(channel, PauliChannel)
        pauli = channel.draw(rng)
        for position in reversed(at):
            if pauli & 3:
                self.apply(PAULIS[pauli & 3], (position,))
            pauli >>= 2

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        outcome = int(tableau.measure(self.rows, self.size, at, rng.random()))
        self.size -= 1
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Forget a qubit; the last qubit takes its position."""
        forget(self, at, rng)

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        means = tableau.means(self.rows, self.size, np.array(at, np.int64))
        matrix: np.ndarray = np.tensordot(means, pauli_matrices(len(at)), 1) / (1 << len(at))
        return matrix

    def copy(self) -> "StabilizerState":
        """Return a state of its own that is the same."""
        return StabilizerState(self.rows.copy(), self.size)

    def joined(self, other: "StabilizerState") -> "StabilizerState":
        """Return the product with another; this one grows."""
        size = self.size + other.size
        capacity = self.rows.shape[2] - 1
        if size > capacity:
            self.rows = _grown(self.rows, max(size, 2 * capacity))
        tableau.append(self.rows, self.size, other.rows, other.size)
        self.size = size
        return self

    def stabilizers(self) -> list[str]:
        """Return its generators, a sign and n letters each."""
        paulis, negative = tableau.unpacked(self.rows, self.size)
        return [
            ("-" if minus else "+") + "".join("IXYZ"[p] for p in row)
            for row, minus in zip(paulis, negative, strict=True)
        ]


def _grown(rows: np.ndarray, capacity: int) -> np.ndarray:
    """Return the same tableau with room for more qubits."""
    grown = np.zeros((2, (capacity + 63) >> 6, capacity + 1, 2), np.uint64)
    grown[:, : rows.shape[1], : rows.shape[2]] = rows
    return grown
