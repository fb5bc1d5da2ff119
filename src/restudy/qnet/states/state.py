"""What every kind of quantum state can do."""

import enum
from typing import Any, Protocol, Self

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import Noise
from restudy.qnet.states.gates import Operator


class Formalism(enum.Enum):
    """A way to write quantum states."""

    KET = "ket"
    DENSITY = "density matrix"
    STABILIZER = "stabilizer tableau"
    GRAPH = "graph state"
    BELL = "Bell-diagonal pair"

    __hash__ = object.__hash__  # each is one object; that of Enum hashes its name each time


class State(Protocol):
    """The state of `size` qubits, at positions 0 to size - 1; changed in place.

    `owners` is a list with one entry a position: who refers to it. It is kept by
    `restudy.qnet.states.qubits`, and never read by states.
    Pure states draw what noise does; one uniform number is drawn for each channel and each
    measurement, so that the same generator gives the same trajectory in every formalism.
    """

    owners: list[Any]

    @property
    def formalism(self) -> Formalism:
        """How it is written."""
        ...

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

    def copy(self) -> Self:
        """Return a state of its own that is the same, without owners."""
        ...

    def joined(self, other: Self) -> Self:
        """Return the joint state with a state of the same formalism, whose qubits come last.

        Neither of the two may be used afterwards, except that the result may be `self`.
        """
        ...


def forget(state: State, at: int, rng: np.random.Generator | None) -> None:
    """Remove a qubit of a pure state, as if it were measured and nobody looked.

    Raises
    ------
    QnetError
        If the qubit is entangled with others and there is no `rng`.
    """
    if rng is None:
        alone = state.density((at,))
        if np.vdot(alone, alone).real < 1 - 1e-9:
            raise QnetError(
                f"a qubit that is discarded is entangled with others in a {state.formalism.value}, "
                "so that what they are left in is drawn: give rng, or convert to DENSITY first."
            )
        rng = np.random.default_rng(0)  # a product state: the outcome changes nothing elsewhere
    state.measure(at, rng=rng)
