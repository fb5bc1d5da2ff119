"""What every kind of quantum state can do."""

import enum
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from restudy.qnet.states.channels import Channel, PauliChannel
from restudy.qnet.states.gates import Operator

Noise: TypeAlias = Channel | PauliChannel


class Formalism(enum.Enum):
    """A way to write quantum states."""

    KET = "ket"
    DENSITY = "density matrix"
    STABILIZER = "stabilizer tableau"
    GRAPH = "graph state"
    BELL = "Bell-diagonal pair"


@runtime_checkable
class State(Protocol):
    """The state of `size` qubits, at positions 0 to size - 1; changed in place.

    `owners` is a list with one entry a position: who refers to it. It is kept by
    `restudy.qnet.states.qubits`, and never read by states.
    Pure states draw what noise does; one uniform number is drawn for each channel and each
    measurement, so that the same generator gives the same trajectory in every formalism.
    """

    formalism: Formalism
    owners: list[Any]

    @property
    def size(self) -> int:
        """Number of qubits."""
        ...

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism."""
        ...

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a unitary at the positions `at`."""
        ...

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply noise: exactly to mixed states, drawn with `rng` on pure ones."""
        ...

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        ...

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Forget a qubit; the last qubit takes its position."""
        ...

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        ...

    def joined(self, other: "State") -> "State":
        """Return the joint state with a state of the same formalism, whose qubits come last.

        Neither of the two may be used afterwards, except that the result may be `self`.
        """
        ...
