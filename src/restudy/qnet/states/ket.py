"""Kets: any unitary, noise drawn by chance; memory grows as 2**n."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states import kernels
from restudy.qnet.states.channels import Noise, PauliChannel, drawn
from restudy.qnet.states.gates import PAULIS, Operator
from restudy.qnet.states.state import Formalism, forget

LARGEST = 26  # qubits: 1.07 GB


class KetState:
    """A normalised ket.

    Parameters
    ----------
    amplitudes : numpy.ndarray, shape (2**n,)
        Copied; qubit 0 is the most significant bit of the index.

    Examples
    --------
    >>> from restudy.qnet.states.gates import H
    >>> state = KetState(np.array([1, 0]))
    >>> state.apply(H, (0,))
    >>> state.amplitudes.real.round(3).tolist()
    [0.707, 0.707]
    """

    formalism: ClassVar[Formalism] = Formalism.KET
    __slots__ = ("amplitudes", "owners", "size")

    def __init__(self, amplitudes: np.ndarray) -> None:
        self.amplitudes = np.array(amplitudes, np.complex128)
        self.size = len(self.amplitudes).bit_length() - 1
        self.owners: list[Any] = []

    @classmethod
    def basis(cls, bit: int) -> "KetState":
        """Return one qubit in ``|0>`` or ``|1>``."""
        return cls(np.array([1 - bit, bit], np.complex128))

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism: yes."""
        return True

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a unitary."""
        kernels.contract(self.amplitudes, operator.matrix, _shifts(self.size, at))

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply one Kraus operator, drawn by the weight of what it leaves."""
        if isinstance(channel, PauliChannel):
            pauli = channel.draw(rng)
            for position in reversed(at):
                if pauli & 3:
                    self.apply(PAULIS[pauli & 3], (position,))
                pauli >>= 2
            return
        rho = self.density(at)
        weights = [float(np.vdot(kraus, kraus @ rho).real) for kraus in channel.kraus]
        chosen = drawn(weights, rng)
        kraus = channel.kraus[chosen] / np.sqrt(weights[chosen])
        kernels.contract(self.amplitudes, kraus, _shifts(self.size, at))

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        shift = self.size - 1 - at
        weight = kernels.norm_of(self.amplitudes, shift, 0)
        outcome = int(rng.random() >= weight)
        if outcome:  # not 1 - weight, which rounds a small one away
            weight = kernels.norm_of(self.amplitudes, shift, 1)
        scale = 1 / np.sqrt(weight)
        self.amplitudes = kernels.collapse(self.amplitudes, shift, outcome, scale)
        self.size -= 1
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Forget a qubit; the last qubit takes its position."""
        forget(self, at, rng)

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        n = self.size
        order = at + tuple(position for position in range(n) if position not in at)
        amplitudes = self.amplitudes
        if order != tuple(range(n)):
            amplitudes = kernels.gather(amplitudes, _shifts(n, order), 0)
        matrix = amplitudes.reshape(1 << len(at), -1)
        reduced: np.ndarray = matrix @ matrix.conj().T
        return reduced

    def copy(self) -> "KetState":
        """Return a state of its own that is the same."""
        return KetState(self.amplitudes)

    def joined(self, other: "KetState") -> "KetState":
        """Return the tensor product with another ket.

        Raises
        ------
        QnetError
            If it would be of more than 26 qubits.
        """
        size = self.size + other.size
        if size > LARGEST:
            raise QnetError(
                f"a ket of {size} qubits needs {16 * 2**size / 1e9:.3g} GB; at most {LARGEST} "
                "qubits are joined: use STABILIZER or GRAPH, or measure or discard first."
            )
        self.amplitudes = np.outer(self.amplitudes, other.amplitudes).ravel()
        self.size = size
        return self


@lru_cache(maxsize=4096)
def _shifts(n: int, at: tuple[int, ...]) -> np.ndarray:
    """Return the bits of positions of n qubits."""
    return np.array([n - 1 - position for position in at], np.int64)


def swapped(
    left: KetState, a: int, right: KetState, b: int, *, rng: np.random.Generator
) -> tuple[int, KetState]:
    """Measure qubit a of one pair and b of another in the Bell basis, in one step.

    Returns
    -------
    tuple of int and KetState
        The Bell state found, and the state of the two others.
    """
    outcome, amplitudes = kernels.swap_kets(left.amplitudes, a, right.amplitudes, b, rng.random())
    return outcome, KetState(amplitudes)
