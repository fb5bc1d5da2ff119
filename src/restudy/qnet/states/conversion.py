"""From one formalism to another."""

from collections.abc import Callable
from typing import Final

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states import ket, tableau
from restudy.qnet.states import local_cliffords as local
from restudy.qnet.states.bell import BellPair
from restudy.qnet.states.density import DensityState
from restudy.qnet.states.gates import SDG, H
from restudy.qnet.states.graph_state import GraphState, Vertex
from restudy.qnet.states.ket import KetState
from restudy.qnet.states.paulis import anticommute, pauli_matrices
from restudy.qnet.states.stabilizer import StabilizerState
from restudy.qnet.states.state import Formalism, State

BASIS: Final[dict[Formalism, Callable[[int], State]]] = {
    Formalism.KET: KetState.basis,
    Formalism.DENSITY: DensityState.basis,
    Formalism.STABILIZER: StabilizerState.basis,
    Formalism.GRAPH: GraphState.basis,
    Formalism.BELL: BellPair.basis,
}
_MIXED = (Formalism.DENSITY, Formalism.BELL)
_CLIFFORD = (Formalism.STABILIZER, Formalism.GRAPH)
_LARGEST_SEARCH = 5  # qubits of which all Paulis are tried


def meet(a: State, b: State) -> Formalism:
    """Return the lowest formalism that can write the joint state of two."""
    if a.formalism is b.formalism and not (a.formalism is Formalism.BELL and a.size + b.size > 2):
        return a.formalism
    if a.formalism in _MIXED or b.formalism in _MIXED:
        return Formalism.DENSITY
    if a.formalism in _CLIFFORD and b.formalism in _CLIFFORD:
        return Formalism.STABILIZER
    return Formalism.KET


def promoted(state: State, name: str) -> State:
    """Return a state in the formalism that takes every operation, as `name` needs it.

    Raises
    ------
    QnetError
        If it has too many qubits for a ket.
    """
    if state.formalism is Formalism.BELL:
        return converted(state, Formalism.DENSITY)
    if state.size > ket.LARGEST:
        raise QnetError(
            f"{name} cannot be applied to a {state.formalism.value}, and a ket of its "
            f"{state.size} qubits is too large (at most {ket.LARGEST}); use Clifford operations "
            "and Pauli noise, or smaller states."
        )
    return converted(state, Formalism.KET)


def converted(state: State, formalism: Formalism) -> State:
    """Return the same state, up to a global phase, in another formalism.

    Raises
    ------
    QnetError
        If it cannot be written so: it is mixed, no stabilizer state, or too large.

    Examples
    --------
    >>> zero = converted(KetState(np.array([1, 0])), Formalism.STABILIZER)
    >>> zero.stabilizers()
    ['+Z']
    """
    if isinstance(state, GraphState):
        state = state.tableau()
    if state.formalism is formalism:
        return state
    if formalism is Formalism.DENSITY:
        return DensityState(state.density(tuple(range(state.size))))
    if formalism is Formalism.KET:
        return _as_ket(state)
    if formalism is Formalism.BELL:
        return _as_bell(state)
    graph = _as_graph(state)
    return graph if formalism is Formalism.GRAPH else graph.tableau()


def _as_ket(state: State) -> KetState:
    if isinstance(state, StabilizerState):
        return KetState(_amplitudes(state))
    values, vectors = np.linalg.eigh(state.density(tuple(range(state.size))))
    if values[-1] < 1 - 1e-9:
        raise QnetError(
            f"the state is mixed, its largest eigenvalue {values[-1]:.6g}, and a ket is pure; "
            "use DENSITY."
        )
    return KetState(vectors[:, -1])


def _amplitudes(state: StabilizerState) -> np.ndarray:
    """Project a basis state that the stabilizers leave possible on their common eigenspace."""
    n = state.size
    if n > ket.LARGEST:
        raise QnetError(f"a ket of {n} qubits is too large; expected at most {ket.LARGEST}.")
    rest = state.rows.copy()
    index = 0
    for at in range(n - 1, -1, -1):
        index |= int(tableau.measure(rest, at + 1, at, 0.0)) << (n - 1 - at)
    amplitudes = np.zeros(1 << n, np.complex128)
    amplitudes[index] = 1
    indices = np.arange(1 << n)
    for generator in state.stabilizers():
        x = int("".join("1" if letter in "XY" else "0" for letter in generator[1:]), 2)
        z = int("".join("1" if letter in "YZ" else "0" for letter in generator[1:]), 2)
        phase = (-1 if generator[0] == "-" else 1) * 1j ** generator.count("Y")
        signs = 1 - 2.0 * (np.bitwise_count(indices & z) & 1)
        amplitudes += (phase * signs * amplitudes)[indices ^ x]
        amplitudes /= np.linalg.norm(amplitudes)
    return amplitudes


def _means(state: State) -> dict[int, float]:
    """Return the means of Paulis other than I that have one, of few qubits."""
    n = state.size
    rho = state.density(tuple(range(n)))
    means = np.einsum("aij,ji->a", pauli_matrices(n), rho).real
    return {p: float(means[p]) for p in range(1, 4**n) if abs(means[p]) > 1e-9}


def _as_bell(state: State) -> BellPair:
    if state.size > 2:
        raise QnetError(f"a Bell-diagonal pair has at most 2 qubits; the state has {state.size}.")
    means = _means(state)
    if any(anticommute(p, q) for p in means for q in means):
        raise QnetError(
            "the state is not diagonal in a basis of stabilizer states, so that it is no "
            "Bell-diagonal pair; use DENSITY."
        )
    return BellPair(means, state.size)


def _as_graph(state: State) -> GraphState:
    if isinstance(state, StabilizerState):
        return graph_of(state.rows.copy(), state.size)
    n = state.size
    if n > _LARGEST_SEARCH:
        raise QnetError(
            f"stabilizers are looked for in states of at most {_LARGEST_SEARCH} qubits; this "
            f"{state.formalism.value} has {n}."
        )
    generators: list[tuple[int, bool]] = []
    reduced: list[int] = []  # independent under exclusive or
    for p, mean in _means(state).items():
        rest = p
        for q in reduced:
            rest = min(rest, rest ^ q)
        if rest and abs(mean) > 1 - 1e-9:
            reduced.append(rest)
            generators.append((p, mean < 0))
    if len(generators) < n:
        raise QnetError("the state is no pure stabilizer state; use KET or DENSITY.")
    digits = [[p >> 2 * (n - 1 - j) & 3 for j in range(n)] for p, _ in generators]
    minus = [sign for _, sign in generators]
    unused = np.zeros((n, n), np.int64)  # destabilizers
    return graph_of(tableau.packed(np.array([unused, digits]), np.array([unused[0], minus])), n)


def graph_of(rows: np.ndarray, n: int) -> GraphState:
    """Return the graph of the state with the n stabilizers of a tableau, which is changed.

    A Hadamard on the qubits that have no X of their own makes the X part of the rows invertible;
    reduced to the identity, their Z part is the graph (Van den Nest et al., quant-ph/0308151).
    """
    state = StabilizerState(rows, n)
    vertices = [Vertex(0) for _ in range(n)]
    for at in np.flatnonzero(~tableau.eliminate(rows, n)).tolist():
        state.apply(H, (at,))
        vertices[at].local = local.HADAMARD
    tableau.eliminate(rows, n)
    paulis, _ = tableau.unpacked(rows, n)
    for at in np.flatnonzero(paulis.diagonal() == 2).tolist():
        state.apply(SDG, (at,))
        vertices[at].local = local.COMPOSED[vertices[at].local][local.ROOT_Z]
    paulis, minus = tableau.unpacked(rows, n)
    for at in np.flatnonzero(minus).tolist():
        vertices[at].local = local.COMPOSED[vertices[at].local][local.PAULI[3]]
    for i, j in np.argwhere(np.triu(paulis, 1) == 3):
        vertices[i].near[vertices[j]] = vertices[j].near[vertices[i]] = None
    return GraphState(vertices)
