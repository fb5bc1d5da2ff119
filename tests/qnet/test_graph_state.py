from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.qnet.states import local_cliffords as local
from restudy.qnet.states import tableau as tableau_module
from restudy.qnet.states.gates import CNOT, CZ, SWAP, H, Operator, S, T, controlled_rx, rx
from restudy.qnet.states.graph_state import (
    GraphState,
    Vertex,
    _complement,
    _controlled_z,
    _pivot,
)
from restudy.qnet.states.qubits import measure, new_qubits, operate
from restudy.qnet.states.state import Formalism

N = 5
EVERY = tuple(range(N))
ISWAP = Operator("ISWAP", np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]))

# local operations and edges of a graph of five vertices
graphs = st.tuples(
    st.lists(st.integers(0, 23), min_size=N, max_size=N),
    st.lists(st.booleans(), min_size=N * (N - 1) // 2, max_size=N * (N - 1) // 2),
)


def graph(description):
    operations, edges = description
    vertices = [Vertex(operation) for operation in operations]
    pairs = [(i, j) for i in range(N) for j in range(i)]
    for (i, j), edge in zip(pairs, edges, strict=True):
        if edge:
            vertices[i].near[vertices[j]] = vertices[j].near[vertices[i]] = None
    return GraphState(vertices)


def same(a, b, at=EVERY):
    np.testing.assert_allclose(a.density(at), b.density(at), atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs)
def test_tableau_is_the_state_of_the_definition(description):
    state = graph(description)
    index = {vertex: at for at, vertex in enumerate(state.vertices)}
    ket = np.full(2**N, 2 ** (-N / 2), complex)
    bits = np.arange(2**N)
    for vertex, at in index.items():
        for other in vertex.near:
            if index[other] < at:
                both = (bits >> (N - 1 - at)) & (bits >> (N - 1 - index[other])) & 1
                ket = ket * (1 - 2 * both)
    whole = np.ones((1, 1))
    for vertex in state.vertices:
        whole = np.kron(whole, local.matrix(vertex.local))
    ket = whole @ ket
    np.testing.assert_allclose(state.density(EVERY), np.outer(ket, ket.conj()), atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs)
def test_complement_and_pivot_change_the_graph_only(description):
    state = graph(description)
    before = state.tableau()
    _complement(state.vertices[0])
    same(state, before)
    vertex = state.vertices[1]
    if vertex.near:
        axes = [local.PULLED_Z[v.local] for v in (vertex, next(iter(vertex.near)))]
        other = next(iter(vertex.near))
        _pivot(vertex, other)
        same(state, before)
        turned = {1: 3, 3: 1, 2: 2}
        assert [abs(local.PULLED_Z[v.local]) for v in (vertex, other)] == [
            turned[abs(axis)] for axis in axes
        ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs, st.sampled_from((CZ, CNOT, SWAP, ISWAP, controlled_rx(np.pi / 2), H, S)))
def test_operations_as_on_the_tableau(description, operator):
    state = graph(description)
    reference = state.tableau()
    at = (1, 3)[: operator.qubits]
    state.apply(operator, at)
    reference.apply(operator, at)
    same(state, reference)


@pytest.mark.parametrize("first", range(24))
def test_controlled_z_on_every_pair_of_local_operations(first):
    for second in range(24):
        for edge in (False, True):
            for leaf in (False, True):
                vertices = [Vertex(first), Vertex(second), Vertex(0)]
                edges = [(0, 1)] * edge + [(1, 2)] * leaf
                for i, j in edges:
                    vertices[i].near[vertices[j]] = vertices[j].near[vertices[i]] = None
                state = GraphState(vertices)
                reference = state.tableau()
                _controlled_z(*vertices[:2])
                reference.apply(CZ, (0, 1))
                assert means(state) == means(reference)


def means(state):
    tableau = state.tableau() if isinstance(state, GraphState) else state
    return tableau_module.means(tableau.rows, tableau.size, np.arange(tableau.size)).tolist()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graphs, st.integers(0, N - 1), st.integers(0, 100))
def test_measurement_as_on_the_tableau(description, at, seed):
    state = graph(description)
    reference = state.tableau()
    outcome = state.measure(at, rng=np.random.default_rng(seed))
    assert outcome == reference.measure(at, rng=np.random.default_rng(seed))
    same(state, reference, EVERY[: N - 1])


def test_ghz_stays_a_star():
    n = 300
    qubits = new_qubits(n, Formalism.GRAPH)
    operate(H, qubits[0])
    for a, b in pairwise(qubits):
        operate(CNOT, a, b)
    degrees = sorted(len(vertex.near) for vertex in qubits[0].state.vertices)
    assert degrees == [1] * (n - 1) + [n - 1]
    rng = np.random.default_rng(2)
    assert len({measure(q, rng=rng) for q in reversed(qubits)}) == 1


def test_the_same_generator_gives_the_same_outcomes():
    def run():
        rng = np.random.default_rng(8)
        qubits = new_qubits(12, Formalism.GRAPH)
        for q in qubits:
            operate(H, q)
        for _ in range(60):
            a, b = rng.choice(12, 2, replace=False)
            operate(ISWAP, qubits[a], qubits[b])
            operate(S, qubits[a])
            operate(H, qubits[b])
        return [measure(q, rng=rng) for q in qubits]

    assert run() == run()


def test_24_operations_form_a_group():
    assert len(set(local.ACTIONS)) == 24
    for row in local.COMPOSED:
        assert sorted(row) == list(range(24))
    for a in range(24):
        for b in range(24):
            together = local.action(local.matrix(a) @ local.matrix(b))
            assert local.ACTIONS[local.COMPOSED[a][b]] == together
    assert local.ACTIONS[local.number(rx(np.pi))] == (1, -2, -3)


@pytest.mark.parametrize("operator", [CNOT, CZ, SWAP, ISWAP, controlled_rx(np.pi / 2)])
def test_steps_make_the_operator(operator):
    made = np.eye(4)
    for step in local.steps(operator):
        part = CZ.matrix if step is None else np.kron(*(local.matrix(c) for c in step))
        made = part @ made
    assert abs(np.trace(made.conj().T @ operator.matrix)) == pytest.approx(4)


def test_what_leaves_the_class_is_not_taken():
    state = GraphState.basis(0)
    assert not state.takes(T)
    assert state.takes(H)
