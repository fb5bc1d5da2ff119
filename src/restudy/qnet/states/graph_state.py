"""Graph states with local Clifford operations: stabilizer states as sparse graphs.

A state is ``C |G>``: ``|G>`` has ``|+>`` at each vertex and a CZ along each edge, C is one of 24
local Clifford operations at each vertex (Anders and Briegel, quant-ph/0504117).
"""

from typing import Any, ClassVar

import numpy as np

from restudy.qnet.states import local_cliffords as local
from restudy.qnet.states.channels import Noise, PauliChannel
from restudy.qnet.states.gates import Operator
from restudy.qnet.states.stabilizer import StabilizerState
from restudy.qnet.states.state import Formalism, forget
from restudy.qnet.states.tableau import packed


class Vertex:
    """A qubit of a graph state: its local operation and its neighbours.

    Neighbours are the keys of a dict, which unlike a set keeps their order, so that the same
    generator always gives the same outcomes.
    """

    __slots__ = ("local", "near")

    def __init__(self, local_operation: int) -> None:
        self.local = local_operation
        self.near: dict[Vertex, None] = {}


class GraphState:
    """A stabilizer state of n qubits, as a graph.

    Parameters
    ----------
    vertices : list of Vertex
        One a qubit; kept and changed.

    Examples
    --------
    >>> from restudy.qnet.states.gates import CNOT, H
    >>> pair = GraphState.basis(0).joined(GraphState.basis(0))
    >>> pair.apply(H, (0,))
    >>> pair.apply(CNOT, (0, 1))
    >>> [len(vertex.near) for vertex in pair.vertices]
    [1, 1]
    """

    formalism: ClassVar[Formalism] = Formalism.GRAPH
    __slots__ = ("owners", "vertices")

    def __init__(self, vertices: list[Vertex]) -> None:
        self.vertices = vertices
        self.owners: list[Any] = []

    @property
    def size(self) -> int:
        """Number of qubits."""
        return len(self.vertices)

    @classmethod
    def basis(cls, bit: int) -> "GraphState":
        """Return one qubit in ``|0>`` or ``|1>``."""
        return cls([Vertex(local.COMPOSED[local.PAULI[bit]][local.HADAMARD])])

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism: Clifford, or Pauli noise."""
        if isinstance(operation, Operator):
            return operation.clifford is not None and operation.qubits <= 2
        return isinstance(operation, PauliChannel)

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a Clifford operation on one or two qubits."""
        vertices = [self.vertices[position] for position in at]
        if len(at) == 1:
            _turn(vertices[0], local.number(operator))
            return
        a, b = vertices
        for step in local.steps(operator):
            if step is None:
                _controlled_z(a, b)
            else:
                _turn(a, step[0])
                _turn(b, step[1])

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply a Pauli drawn by chance."""
        assert isinstance(channel, PauliChannel)
        pauli = channel.draw(rng)
        for position in reversed(at):
            _turn(self.vertices[position], local.PAULI[pauli & 3])
            pauli >>= 2

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        vertex = self.vertices[at]
        u = rng.random()
        axis = local.PULLED_Z[vertex.local]
        if abs(axis) == 1 and not vertex.near:
            outcome = int(axis < 0)
        else:
            outcome = int(u >= 0.5)
            _straighten(vertex, avoid=None)
            flipped = outcome ^ (local.PULLED_Z[vertex.local] < 0)
            for neighbour in vertex.near:
                del neighbour.near[vertex]
                if flipped:
                    _turn_graph(neighbour, local.PAULI[3])
        last = self.vertices.pop()
        if last is not vertex:
            self.vertices[at] = last
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Forget a qubit; the last qubit takes its position."""
        forget(self, at, rng)

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        return self.tableau().density(at)

    def copy(self) -> "GraphState":
        """Return a state of its own that is the same."""
        copies = {vertex: Vertex(vertex.local) for vertex in self.vertices}
        for vertex, same in copies.items():
            same.near = {copies[neighbour]: None for neighbour in vertex.near}
        return GraphState(list(copies.values()))

    def joined(self, other: "GraphState") -> "GraphState":
        """Return the product with another; this one grows."""
        self.vertices += other.vertices
        return self

    def tableau(self) -> StabilizerState:
        """Return the same state as a tableau."""
        n = self.size
        index = {vertex: at for at, vertex in enumerate(self.vertices)}
        paulis = np.zeros((2, n, n), np.int64)  # destabilizers C Z C*, stabilizers C X Z.. C*
        negative = np.zeros((2, n), np.int64)
        for at, vertex in enumerate(self.vertices):
            x, _, z = local.ACTIONS[vertex.local]
            paulis[:, at, at] = abs(z), abs(x)
            negative[:, at] ^= (z < 0, x < 0)
            for neighbour in vertex.near:
                row = index[neighbour]
                paulis[1, row, at] = abs(z)
                negative[1, row] ^= z < 0
        return StabilizerState(packed(paulis, negative), n)


def _turn(vertex: Vertex, operation: int) -> None:
    """Apply a local operation to the qubit."""
    vertex.local = local.COMPOSED[operation][vertex.local]


def _turn_graph(vertex: Vertex, operation: int) -> None:
    """Apply a local operation to the vertex of ``|G>``, before the one it has."""
    vertex.local = local.COMPOSED[vertex.local][operation]


def _toggle(a: Vertex, b: Vertex) -> None:
    """Add or remove an edge."""
    if b in a.near:
        del a.near[b], b.near[a]
    else:
        a.near[b] = b.near[a] = None


def _complement(vertex: Vertex) -> None:
    """Complement the edges between the neighbours of a vertex; the state stays the same."""
    near = list(vertex.near)
    for i, a in enumerate(near):
        for b in near[:i]:
            _toggle(a, b)
        _turn_graph(a, local.ROOT_Z)
    _turn_graph(vertex, local.ROOT_X)


def _pivot(a: Vertex, b: Vertex) -> None:
    """Exchange the roles of two neighbours by a pivot of their edge; the state stays the same.

    As complementing a, b and a again, but only edges between three classes of vertices change:
    near a only, near b only, near both. It turns X of a and of b into Z.
    """
    only_a = [v for v in a.near if v not in b.near and v is not b]
    only_b = [v for v in b.near if v not in a.near and v is not a]
    common = [v for v in a.near if v in b.near]
    for first, second in ((only_a, only_b), (only_a, common), (only_b, common)):
        for v in first:
            for w in second:
                _toggle(v, w)
    for v in only_a + only_b:
        _toggle(v, a)
        _toggle(v, b)
    for v in common:
        _turn_graph(v, local.PAULI[3])
    _turn_graph(a, local.HADAMARD)
    _turn_graph(b, local.HADAMARD)


def _straighten(vertex: Vertex, avoid: Vertex | None) -> None:
    """Change the graph until Z of the qubit is +Z or -Z of its vertex; the state stays the same.

    The same is kept true of `avoid` if it was.
    """
    axis = abs(local.PULLED_Z[vertex.local])
    if axis == 2:
        _complement(vertex)
    elif axis == 1:
        _pivot(vertex, next(v for v in vertex.near if v is not avoid))


def _reads(vertex: Vertex) -> tuple[Vertex | None, int] | None:
    """Return v and a sign, if Z of the qubit is that sign times Z of a vertex v on this state.

    v is None if Z is that sign alone. X of a leaf is Z of its only neighbour.
    """
    axis = local.PULLED_Z[vertex.local]
    sign = 1 if axis > 0 else -1
    if abs(axis) == 3:
        return vertex, sign
    if abs(axis) == 1 and len(vertex.near) < 2:
        return next(iter(vertex.near), None), sign
    return None


def _controlled_z(a: Vertex, b: Vertex) -> None:
    """Apply a CZ: (1 + P + Q - P Q) / 2 for the signed Z of vertices P and Q."""
    p, q = _reads(a), _reads(b)
    while p is None or q is None or (p[0] is b and q[0] is a):
        if p is None:
            _straighten(a, avoid=b)
        elif q is None:
            _straighten(b, avoid=a)
        else:  # each is read at the other, and Z does not commute with X there
            _pivot(a, b)
        p, q = _reads(a), _reads(b)
    (v, v_sign), (w, w_sign) = p, q
    if v is w:
        if v is not None and v_sign == w_sign:
            _turn_graph(v, local.PAULI[3])
        return
    if v is not None and w is not None:
        _toggle(v, w)
    if v_sign < 0 and w is not None:
        _turn_graph(w, local.PAULI[3])
    if w_sign < 0 and v is not None:
        _turn_graph(v, local.PAULI[3])
