"""From one formalism to another."""

from restudy.qnet.errors import QnetError
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.state import Formalism, State


def basis_state(formalism: Formalism, bit: int) -> State:
    """Return one qubit in |0> or |1>."""
    if formalism is Formalism.DENSITY:
        return DensityState.basis(bit)
    raise QnetError(f"states as {formalism.value} are not made yet; use DENSITY.")


def meet(a: State, b: State) -> Formalism:
    """Return the lowest formalism that can write the joint state of two."""
    return Formalism.DENSITY


def converted(state: State, formalism: Formalism) -> State:
    """Return the same state in another formalism."""
    return DensityState(state.density(tuple(range(state.size))))


def promoted(state: State) -> State:
    """Return the state in the formalism that takes every operation."""
    return converted(state, Formalism.DENSITY)
