"""What a quantum processor can do, and how well."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

import numpy as np

from restudy.qnet.arguments import probability, real
from restudy.qnet.components.memory import MemoryPosition
from restudy.qnet.noise import NoiseModel
from restudy.qnet.states.gates import Operator
from restudy.qnet.states.qubits import bell_measurement, measure, new_qubits
from restudy.qnet.states.state import Formalism


class Action(Protocol):
    """What an instruction that is no gate does to positions, whose qubits had their noise."""

    @property
    def qubits(self) -> int:
        """Number of positions it acts on."""
        ...

    def act(self, positions: Sequence[MemoryPosition], *, rng: np.random.Generator) -> int | None:
        """Act, and return the outcome if there is one."""
        ...


Instruction: TypeAlias = Operator | Action | Callable[[float], Operator]
"""A gate; an action; or a family of gates with an angle, such as `restudy.qnet.states.gates.rx`."""


@dataclass(frozen=True)
class Measurement:
    """Measurement of one qubit, which stays in the eigenstate that was found.

    Attributes
    ----------
    basis : {"X", "Y", "Z"}
        What is measured.
    f0, f1 : float
        Probabilities that 0 is read as 0, and 1 as 1.
    """

    basis: Literal["X", "Y", "Z"] = "Z"
    f0: float = 1.0
    f1: float = 1.0

    qubits: ClassVar[int] = 1

    def __post_init__(self) -> None:
        probability("f0 of Measurement", self.f0)
        probability("f1 of Measurement", self.f1)

    def act(self, positions: Sequence[MemoryPosition], *, rng: np.random.Generator) -> int:
        """Measure, and return what is read."""
        (position,) = positions
        outcome = measure(position.touch(), rng=rng, basis=self.basis)
        right = self.f1 if outcome else self.f0
        return outcome if right == 1.0 or rng.random() < right else 1 - outcome


@dataclass(frozen=True)
class BellMeasurement:
    """Measurement of two qubits in the Bell basis, in one; both positions are empty afterwards."""

    qubits: ClassVar[int] = 2

    def act(self, positions: Sequence[MemoryPosition], *, rng: np.random.Generator) -> int:
        """Measure, and return the Bell state: 0, 1, 2, 3 for phi+, psi+, psi-, phi-."""
        first, second = positions
        outcome = bell_measurement(first.touch(), second.touch(), rng=rng)
        first.qubit = second.qubit = None
        return outcome


@dataclass(frozen=True)
class Initialisation:
    """A new qubit in ``|0>``; the old one is discarded.

    Attributes
    ----------
    formalism : Formalism
        How the state of the new qubit is written.
    """

    formalism: Formalism = Formalism.DENSITY

    qubits: ClassVar[int] = 1

    def act(self, positions: Sequence[MemoryPosition], *, rng: np.random.Generator) -> None:
        """Put a new qubit."""
        (position,) = positions
        position.discard()
        (qubit,) = new_qubits(1, self.formalism)
        position.put(qubit)


MEASURE: Final = Measurement()
MEASURE_X: Final = Measurement("X")
MEASURE_BELL: Final = BellMeasurement()
INITIALISE: Final = Initialisation()


@dataclass(frozen=True)
class PhysicalInstruction:
    """An instruction as a device does it.

    The qubits decohere for its duration as they do when idle; at its end come `noise_before`, the
    instruction, and `noise_after`.

    Attributes
    ----------
    instruction : Operator, Action, or callable
        What it does; for a family such as `rx`, a step of a program gives the angle.
    duration_ns : float
        How long it takes, ns.
    noise_before, noise_after : NoiseModel, optional
        They get the duration. Noise of one qubit acts on each qubit, noise of k on all k together.
    topology : collection, optional
        Where it can be done: positions, or ordered tuples of them. Anywhere by default.
    parallel : bool
        Whether it can be done at the same time as others, on other positions.

    Raises
    ------
    QnetError
        If the duration is negative.
    """

    instruction: Instruction
    duration_ns: float
    noise_before: NoiseModel | None = None
    noise_after: NoiseModel | None = None
    topology: Collection[int | tuple[int, ...]] | None = None
    parallel: bool = False

    def __post_init__(self) -> None:
        real(f"duration_ns of {instruction_name(self.instruction)}", self.duration_ns, least=0.0)

    def allows(self, at: tuple[int, ...]) -> bool:
        """Tell whether it can be done at these positions."""
        if self.topology is None:
            return True
        return at in self.topology or (len(at) == 1 and at[0] in self.topology)


def instruction_name(instruction: Instruction) -> str:
    """Return what messages call an instruction."""
    if isinstance(instruction, Operator):
        return instruction.name
    return getattr(instruction, "__name__", None) or repr(instruction)
