"""Density matrices: any operation, any noise, exactly; memory grows as 4**n."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states import kernels
from restudy.qnet.states.channels import Noise, PauliChannel, Relaxation
from restudy.qnet.states.gates import Operator
from restudy.qnet.states.state import Formalism

LARGEST = 12  # qubits: 268 MB


class DensityState:
    """A density matrix.

    Parameters
    ----------
    matrix : numpy.ndarray of complex128, shape (2**n, 2**n)
        Copied. It is not checked to be a state.

    Examples
    --------
    >>> from restudy.qnet.states.gates import H
    >>> state = DensityState(np.diag([1, 0]))
    >>> state.apply(H, (0,))
    >>> state.density((0,)).real.round(3).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """

    formalism: ClassVar[Formalism] = Formalism.DENSITY
    __slots__ = ("entries", "owners", "size")

    def __init__(self, matrix: np.ndarray) -> None:
        self.entries = np.array(matrix, np.complex128).ravel()  # (4**n,), row by row
        self.size = len(matrix).bit_length() - 1
        self.owners: list[Any] = []

    @classmethod
    def basis(cls, bit: int) -> "DensityState":
        """Return one qubit in ``|0>`` or ``|1>``."""
        return cls._of(np.array([1 - bit, 0, 0, bit], np.complex128), 1)

    @classmethod
    def mixture(cls, weights: tuple[float, ...]) -> "DensityState":
        """Return a mixture of the Bell states phi+, psi+, psi-, phi- with these weights."""
        i, x, y, z = weights
        entries = np.zeros(16, np.complex128)
        entries[0] = entries[15] = 0.5 * (i + z)
        entries[3] = entries[12] = 0.5 * (i - z)
        entries[5] = entries[10] = 0.5 * (x + y)
        entries[6] = entries[9] = 0.5 * (x - y)
        return cls._of(entries, 2)

    @classmethod
    def _of(cls, entries: np.ndarray, size: int) -> "DensityState":
        state = cls.__new__(cls)
        state.entries = entries
        state.size = size
        state.owners = []
        return state

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism: yes."""
        return True

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a unitary."""
        rows, columns, _ = _shifts(self.size, at)
        kernels.contract(self.entries, operator.matrix, rows)
        kernels.contract(self.entries, operator.conjugate, columns)

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply noise exactly; nothing is drawn."""
        n = self.size
        if isinstance(channel, PauliChannel) and len(at) == 1:
            kernels.pauli_noise(self.entries, n, n - 1 - at[0], *channel.probabilities)
        elif isinstance(channel, Relaxation):
            kernels.relax(self.entries, n, n - 1 - at[0], channel.decay, channel.flip)
        else:
            kernels.contract(self.entries, channel.superoperator, _shifts(n, at)[2])

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        n = self.size
        weight = kernels.weight_of(self.entries, n, n - 1 - at, 0)
        outcome = int(rng.random() >= weight)
        if outcome:  # not 1 - weight, which rounds a small one away
            weight = kernels.weight_of(self.entries, n, n - 1 - at, 1)
        entries = kernels.gather(self.entries, *_without(n, at, outcome))
        entries /= weight
        self.entries = entries
        self.size = n - 1
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Trace a qubit out, exactly; the last qubit takes its position."""
        self.entries = _traced(self.entries, self.size, at)
        self.size -= 1

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        places = list(range(self.size))
        entries = self.entries
        if at == tuple(places):
            return entries.reshape(1 << self.size, 1 << self.size).copy()
        for position in range(self.size - 1, -1, -1):
            if position not in at:
                entries = _traced(entries, len(places), places.index(position))
                last = places.pop()
                if last != position:
                    places[places.index(position)] = last
        order = tuple(places.index(position) for position in at)
        matrix: np.ndarray = kernels.gather(entries, _shifts(len(at), order)[2], 0)
        return matrix.reshape(1 << len(at), 1 << len(at))

    def copy(self) -> "DensityState":
        """Return a state of its own that is the same."""
        return self._of(self.entries.copy(), self.size)

    def joined(self, other: "DensityState") -> "DensityState":
        """Return the tensor product with another density matrix.

        Raises
        ------
        QnetError
            If it would be of more than 12 qubits.
        """
        size = self.size + other.size
        if size > LARGEST:
            raise QnetError(
                f"a density matrix of {size} qubits needs {16 * 4**size / 1e9:.3g} GB; at most "
                f"{LARGEST} qubits are joined: use another formalism, or measure or discard first."
            )
        return self._of(kernels.tensor(self.entries, other.entries, self.size, other.size), size)


@lru_cache(maxsize=4096)
def _shifts(n: int, at: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bits of the rows, of the columns, and of both, of positions of n qubits."""
    columns = np.array([n - 1 - position for position in at], np.int64)
    return columns + n, columns, np.concatenate([columns + n, columns])


@lru_cache(maxsize=4096)
def _without(n: int, at: int, bit: int) -> tuple[np.ndarray, int]:
    """Return bits of all qubits but `at`, the last in its place, and the index of `at` in `bit`."""
    rest = list(range(n - 1))
    if at < n - 1:
        rest[at] = n - 1
    column = n - 1 - at
    return _shifts(n, tuple(rest))[2], bit << column | bit << (column + n)


def _traced(entries: np.ndarray, n: int, at: int) -> np.ndarray:
    zero: np.ndarray = kernels.gather(entries, *_without(n, at, 0))
    return zero + kernels.gather(entries, *_without(n, at, 1))


def swapped(
    left: DensityState, a: int, right: DensityState, b: int, *, rng: np.random.Generator
) -> tuple[int, DensityState]:
    """Measure qubit a of one pair and b of another in the Bell basis, in one step.

    Returns
    -------
    tuple of int and DensityState
        The Bell state found, and the state of the two others.
    """
    outcome, entries = kernels.swap_pairs(left.entries, a, right.entries, b, rng.random())
    return outcome, DensityState._of(entries, 2)
