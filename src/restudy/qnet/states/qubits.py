"""Qubits: what programs hold, whatever the formalism of the states behind them.

States are merged when an operation needs it, split when a qubit is measured or discarded, and
promoted when an operation leaves their formalism: a Bell-diagonal pair to a density matrix, a
stabilizer tableau and a graph state to a ket.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states import bell, ket
from restudy.qnet.states import density as density_states
from restudy.qnet.states.channels import Noise, PauliChannel
from restudy.qnet.states.conversion import BASIS, converted, meet, promoted
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import CNOT, PAULIS, SDG, H, Operator
from restudy.qnet.states.state import Formalism, State

# Swaps of two pairs in one step; other formalisms go gate by gate.
_SWAPS: Final[dict[Formalism, Callable[..., tuple[int, State]]]] = {
    Formalism.KET: ket.swapped,
    Formalism.DENSITY: density_states.swapped,
    Formalism.BELL: bell.swapped,
}
_MIXTURES: Final[dict[Formalism, Callable[[tuple[float, ...]], State]]] = {
    Formalism.DENSITY: DensityState.mixture,
    Formalism.BELL: bell.BellPair.mixture,
}


class Qubit:
    """A qubit: its name, the state that it shares with others, and its position there.

    A qubit that was discarded has no state.
    """

    __slots__ = ("at", "name", "state")

    def __init__(self, name: str, state: State | None, at: int) -> None:
        self.name = name
        self.state = state
        self.at = at

    def __repr__(self) -> str:
        where = "discarded" if self.state is None else f"{self.state.formalism.value}, {self.at}"
        return f"<qubit {self.name}: {where}>"


def new_qubits(n: int, formalism: Formalism = Formalism.DENSITY) -> list[Qubit]:
    """Return n qubits in ``|0>``, each with a state of its own.

    Examples
    --------
    >>> a, b = new_qubits(2)
    >>> operate(H, a)
    >>> operate(CNOT, a, b)
    >>> float(round(fidelity(np.array([1, 0, 0, 1]) / np.sqrt(2), a, b), 12))
    1.0
    """
    if n < 0:
        raise QnetError(f"{n} qubits were asked for; expected a number that is not negative.")
    return [_fresh(Qubit(str(i), None, 0), formalism, 0) for i in range(n)]


def _fresh(qubit: Qubit, formalism: Formalism, bit: int) -> Qubit:
    state = BASIS[formalism](bit)
    state.owners.append(qubit)
    qubit.state = state
    qubit.at = 0
    return qubit


def bell_pair(
    formalism: Formalism = Formalism.DENSITY,
    index: int = 0,
    weights: Sequence[float] | None = None,
) -> tuple[Qubit, Qubit]:
    """Return a pair of qubits in a Bell state, or in a mixture of the four.

    Parameters
    ----------
    formalism : Formalism, optional
        A mixture needs DENSITY or BELL.
    index : int, optional
        0, 1, 2, 3 for phi+, psi+, psi-, phi-: a Pauli (I, X, Y, Z) on one side of phi+.
    weights : sequence of float, optional
        Probabilities of the four Bell states; they are counted from that of `index`.

    Returns
    -------
    tuple of Qubit
        The two qubits, which share a state.

    Raises
    ------
    QnetError
        If the index or the weights are none, or the formalism has no mixtures.

    Examples
    --------
    >>> a, b = bell_pair(weights=(0.7, 0.1, 0.1, 0.1))
    >>> float(round(fidelity(np.array([1, 0, 0, 1]) / np.sqrt(2), a, b), 12))
    0.7
    """
    state = _pair(formalism, index, None if weights is None else tuple(weights)).copy()
    a, b = Qubit("0", state, 0), Qubit("1", state, 1)
    state.owners = [a, b]
    return a, b


@lru_cache(maxsize=256)
def _pair(formalism: Formalism, index: int, weights: tuple[float, ...] | None) -> State:
    """Return the state of a pair, to be copied."""
    if index not in (0, 1, 2, 3):
        raise QnetError(f"the Bell state {index} is unknown; expected 0, 1, 2 or 3.")
    if weights is None:
        state = BASIS[formalism](0).joined(BASIS[formalism](0))
        state.apply(H, (0,))
        state.apply(CNOT, (0, 1))
        state.apply(PAULIS[index], (1,))
        return state
    if len(weights) != 4:
        raise QnetError(f"{len(weights)} Bell weights were given; expected four.")
    mixture = _MIXTURES.get(formalism)
    if mixture is None:
        raise QnetError(
            f"a {formalism.value} cannot be a mixture of Bell states; use DENSITY or BELL, or "
            "draw an index."
        )
    checked = PauliChannel("Bell weights", weights).probabilities
    return mixture(tuple(checked[k ^ index] for k in range(4)))


def operate(operator: Operator, *qubits: Qubit) -> None:
    """Apply a unitary to qubits, in the order of its own; their states are merged.

    Raises
    ------
    QnetError
        If the number of qubits is wrong, one is given twice or was discarded, or the joint state
        would be too large for its formalism.
    """
    state, at = _together(qubits, operator.qubits, operator.name)
    if not state.takes(operator):
        state = _promote(state, operator.name)
    state.apply(operator, at)


def noise(channel: Noise, *qubits: Qubit, rng: np.random.Generator) -> None:
    """Apply noise to qubits: exactly to mixed states, drawn with `rng` on pure ones.

    Raises
    ------
    QnetError
        As `operate` does.
    """
    if len(qubits) == 1 == channel.qubits:
        (qubit,) = qubits
        at: tuple[int, ...] = (qubit.at,)
        state = qubit.state or _state(qubit)
    else:
        state, at = _together(qubits, channel.qubits, channel.name)
    if not state.takes(channel):
        state = _promote(state, channel.name)
    state.channel(channel, at, rng=rng)


def measure(qubit: Qubit, *, rng: np.random.Generator, basis: Literal["X", "Y", "Z"] = "Z") -> int:
    """Measure a qubit; it leaves its state and is in the eigenstate that was found.

    Returns
    -------
    int
        0 for the eigenvalue +1, 1 for -1.

    Raises
    ------
    QnetError
        If the qubit was discarded, or the basis is none of X, Y and Z.
    """
    if basis == "X":
        operate(H, qubit)
    elif basis == "Y":
        operate(SDG, qubit)
        operate(H, qubit)
    elif basis != "Z":
        raise QnetError(f"the basis {basis!r} is unknown; expected 'X', 'Y' or 'Z'.")
    state = _state(qubit)
    outcome = state.measure(qubit.at, rng=rng)
    _remove(qubit, state)
    _fresh(qubit, state.formalism, outcome)
    if basis != "Z":
        operate(H, qubit)
        if basis == "Y":
            operate(SDG.inverse, qubit)
    return outcome


def bell_measurement(a: Qubit, b: Qubit, *, rng: np.random.Generator) -> int:
    """Measure two qubits in the Bell basis; both are gone afterwards.

    Returns
    -------
    int
        The Bell state found: 0, 1, 2, 3 for phi+, psi+, psi-, phi-. Between qubits of two phi+
        it is also the Bell state in which the other two are left.

    Raises
    ------
    QnetError
        As `operate` does.

    Notes
    -----
    Between two pairs of the formalisms KET, DENSITY and BELL it is one step, which draws one
    uniform number; everywhere else it is a CNOT, a Hadamard and two measurements, which draw two.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> (a, b), (c, d) = bell_pair(), bell_pair()
    >>> outcome = bell_measurement(b, c, rng=rng)
    >>> operate(PAULIS[outcome], d)  # the correction
    >>> float(round(fidelity(np.array([1, 0, 0, 1]) / np.sqrt(2), a, d), 12))
    1.0
    """
    left, right = _state(a), _state(b)
    if left is not right and left.size == right.size == 2 and left.formalism is right.formalism:
        swapped = _SWAPS.get(left.formalism)
        if swapped is not None:
            outcome, joint = swapped(left, a.at, right, b.at, rng=rng)
            return _settle(a, b, outcome, joint)
    operate(CNOT, a, b)
    operate(H, a)
    phase = measure(a, rng=rng)
    parity = measure(b, rng=rng)
    discard(a)
    discard(b)
    return 2 * phase + (phase ^ parity)


def _settle(a: Qubit, b: Qubit, outcome: int, joint: State) -> int:
    """Give the joint state to the partners of a and b, which are gone."""
    assert a.state is not None
    assert b.state is not None
    joint.owners = [a.state.owners[1 - a.at], b.state.owners[1 - b.at]]
    for at, owner in enumerate(joint.owners):
        owner.state = joint
        owner.at = at
    a.state = b.state = None
    return outcome


def discard(qubit: Qubit, *, rng: np.random.Generator | None = None) -> None:
    """Forget a qubit: trace it out of its state.

    Raises
    ------
    QnetError
        If it was discarded before, or it is entangled with others in a pure state and no `rng` is
        given to draw what those are left in.
    """
    state = _state(qubit)
    if state.size > 1:
        state.discard(qubit.at, rng=rng)
    _remove(qubit, state)
    qubit.state = None


def density(*qubits: Qubit) -> np.ndarray:
    """Return the density matrix of k qubits in the order given, (2**k, 2**k).

    Raises
    ------
    QnetError
        If a qubit is given twice or was discarded.
    """
    if not qubits:
        raise QnetError("no qubit was given; give those whose density matrix is asked for.")
    _distinct(qubits)
    first = _state(qubits[0])
    if all(q.state is first for q in qubits):
        return first.density(tuple([q.at for q in qubits]))
    states = {id(state): state for state in map(_state, qubits)}
    parts = [[q for q in qubits if q.state is state] for state in states.values()]
    joint = DensityState(np.ones((1, 1)))
    for state, part in zip(states.values(), parts, strict=True):
        joint = joint.joined(DensityState(state.density(tuple(q.at for q in part))))
    order = [q for part in parts for q in part]
    return joint.density(tuple(order.index(q) for q in qubits))


def fidelity(reference: np.ndarray, *qubits: Qubit) -> float:
    """Return ``<psi| rho |psi>`` of qubits with a pure state psi.

    Parameters
    ----------
    reference : numpy.ndarray, shape (2**k,)
        Normalised ket, the first qubit the most significant bit.
    *qubits : Qubit
        In the order of the reference.

    Returns
    -------
    float
        1 if they are in that state.

    Raises
    ------
    QnetError
        If the reference has another size or is not normalised, or as `density` does.
    """
    psi = np.asarray(reference)
    if psi.shape != (1 << len(qubits),):
        raise QnetError(
            f"the reference has the shape {psi.shape}; expected {(1 << len(qubits),)} for "
            f"{len(qubits)} qubits."
        )
    norm = float(np.vdot(psi, psi).real)
    if not abs(norm - 1) < 1e-9:
        raise QnetError(f"the reference has the squared norm {norm:g}; normalise it.")
    return float(np.vdot(psi, density(*qubits) @ psi).real)


def convert(qubits: Sequence[Qubit], formalism: Formalism) -> None:
    """Write the states of qubits, and of all that share them, in another formalism.

    Raises
    ------
    QnetError
        If a state cannot be written so, or a qubit was discarded.
    """
    for qubit in qubits:
        state = _state(qubit)
        if state.formalism is not formalism:
            _replace(state, converted(state, formalism))


def _state(qubit: Qubit) -> State:
    if qubit.state is None:
        raise QnetError(f"the qubit {qubit.name} was discarded; make a new one.")
    return qubit.state


def _distinct(qubits: Sequence[Qubit]) -> None:
    if len(set(map(id, qubits))) < len(qubits):
        names = ", ".join(q.name for q in qubits)
        raise QnetError(f"a qubit is given twice in ({names}); give different qubits.")


def _together(qubits: tuple[Qubit, ...], expected: int, name: str) -> tuple[State, tuple[int, ...]]:
    """Return the one state of the qubits, merged if need be, and their positions."""
    if len(qubits) != expected:
        raise QnetError(
            f"{name} acts on {expected} qubits and {len(qubits)} were given; give {expected}."
        )
    first = qubits[0]
    state = first.state or _state(first)
    if expected == 1:
        return state, (first.at,)
    _distinct(qubits)
    for qubit in qubits[1:]:
        if qubit.state is not state:
            state = _merge(state, _state(qubit))
    return state, tuple([q.at for q in qubits])


def _merge(a: State, b: State) -> State:
    """Join two states, the smaller to the larger, in the lowest formalism that has both."""
    if a.size < b.size:
        a, b = b, a
    common = meet(a, b)
    if a.formalism is not common:
        a = _replace(a, converted(a, common))
    if b.formalism is not common:
        b = _replace(b, converted(b, common))
    joint = a.joined(b)
    owners = a.owners
    first = len(owners) if joint is a else 0
    owners.extend(b.owners)
    joint.owners = owners
    for at in range(first, len(owners)):
        owners[at].state = joint
        owners[at].at = at
    return joint


def _replace(old: State, new: State) -> State:
    new.owners = old.owners
    for owner in new.owners:
        owner.state = new
    return new


def _promote(state: State, name: str) -> State:
    return _replace(state, promoted(state, name))


def _remove(qubit: Qubit, state: State) -> None:
    """Take a qubit from the owners of a state; the last one takes its position."""
    last = state.owners.pop()
    if last is not qubit:
        last.at = qubit.at
        state.owners[qubit.at] = last
