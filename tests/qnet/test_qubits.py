from itertools import pairwise

import numpy as np
import pytest

from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import amplitude_damping, dephasing, depolarising
from restudy.qnet.states.gates import CNOT, CZ, PAULIS, H, Operator, S, T, X, rx
from restudy.qnet.states.qubits import (
    bell_measurement,
    bell_pair,
    convert,
    density,
    discard,
    fidelity,
    measure,
    new_qubits,
    noise,
    operate,
)
from restudy.qnet.states.state import Formalism

PHI = np.array([1, 0, 0, 1]) / np.sqrt(2)
UNIVERSAL = (Formalism.KET, Formalism.DENSITY)
PURE = (Formalism.KET, Formalism.STABILIZER, Formalism.GRAPH)
LARGE = (*UNIVERSAL, Formalism.STABILIZER, Formalism.GRAPH)


def ghz(n, formalism):
    qubits = new_qubits(n, formalism)
    operate(H, qubits[0])
    for a, b in pairwise(qubits):
        operate(CNOT, a, b)
    return qubits


def prepared(psi):
    """An operator that makes psi of |0>."""
    return Operator("prepare", np.array([psi, [-psi[1].conj(), psi[0].conj()]]).T)


@pytest.mark.parametrize("formalism", UNIVERSAL)
def test_teleportation_is_the_identity(formalism):
    seen = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        psi = rng.normal(size=2) + 1j * rng.normal(size=2)
        psi /= np.linalg.norm(psi)
        (sent,) = new_qubits(1, formalism)
        operate(prepared(psi), sent)
        a, b = bell_pair(formalism)
        outcome = bell_measurement(sent, a, rng=rng)
        operate(PAULIS[outcome], b)
        seen.add(outcome)
        assert fidelity(psi, b) == pytest.approx(1, abs=1e-12)
        assert b.state.size == 1
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize("formalism", LARGE)
def test_teleportation_of_a_stabilizer_state(formalism):
    plus_i = np.array([1, 1j]) / np.sqrt(2)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        (sent,) = new_qubits(1, formalism)
        operate(H, sent)
        operate(S, sent)
        a, b = bell_pair(formalism)
        operate(PAULIS[bell_measurement(sent, a, rng=rng)], b)
        assert fidelity(plus_i, b) == pytest.approx(1, abs=1e-12)
        assert b.state.formalism is formalism


@pytest.mark.parametrize("formalism", LARGE)
def test_ghz(formalism):
    n = 6
    qubits = ghz(n, formalism)
    assert {id(q.state) for q in qubits} == {id(qubits[0].state)}
    expected = np.zeros(2**n)
    expected[[0, -1]] = np.sqrt(0.5)
    assert fidelity(expected, *qubits) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(density(qubits[4], qubits[1]), np.diag([0.5, 0, 0, 0.5]), atol=1e-12)
    rng = np.random.default_rng(3)
    assert measure(qubits[2], rng=rng, basis="X") in (0, 1)
    outcome = measure(qubits[0], rng=rng)
    assert qubits[0].state.size == 1
    assert qubits[1].state.size == n - 2
    assert {measure(q, rng=rng) for q in qubits[3:]} == {outcome}


@pytest.mark.parametrize("formalism", LARGE)
@pytest.mark.parametrize(("basis", "operator"), [("X", H), ("Y", S), ("Z", None)])
def test_measured_qubits_stay_in_the_eigenstate(formalism, basis, operator):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        a, _ = bell_pair(formalism)
        outcome = measure(a, rng=rng, basis=basis)
        assert measure(a, rng=rng, basis=basis) == outcome
        pauli = {"X": PAULIS[1], "Y": PAULIS[2], "Z": PAULIS[3]}[basis].matrix
        assert np.trace(pauli @ density(a)).real == pytest.approx(1 - 2 * outcome)


@pytest.mark.parametrize("formalism", UNIVERSAL)
def test_swap_in_one_step_as_gate_by_gate(formalism):
    seen = set()
    for seed in range(40):
        for turned in (0, 1):
            rng = np.random.default_rng(seed)
            p, q = bell_pair(formalism, index=seed % 4), bell_pair(formalism)
            noise(amplitude_damping(0.2), p[0], rng=rng)
            operate(T, q[1])
            operate(H, q[1])
            a, b = p[turned], p[1 - turned]
            c, d = q[1 - turned], q[turned]
            whole = density(a, b, c, d)
            outcome = bell_measurement(b, c, rng=rng)
            seen.add(outcome)
            bell = np.kron(np.eye(2), PAULIS[outcome].matrix) @ PHI
            project = np.kron(np.kron(np.eye(2), bell.conj()[None, :]), np.eye(2))
            expected = project @ whole @ project.conj().T
            expected /= np.trace(expected)
            np.testing.assert_allclose(density(a, d), expected, atol=1e-12)
            assert (a.state, a.at, d.at) == (d.state, 0, 1)
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize("formalism", LARGE)
def test_bell_measurement_within_a_state_finds_it(formalism):
    for index in range(4):
        a, b = bell_pair(formalism, index)
        assert bell_measurement(a, b, rng=np.random.default_rng(index)) == index


def test_dejmps_from_a_werner_state_of_fidelity_0_8():
    """Deutsch et al. 1996: CNOTs after rotations about X, success if both measure the same."""
    rng = np.random.default_rng(0)
    werner = (0.8, *(0.2 / 3,) * 3)
    successes = 0
    runs = 300
    for _ in range(runs):
        (a, b), (c, d) = (bell_pair(Formalism.BELL, weights=werner) for _ in range(2))
        for q, sign in ((a, 1), (c, 1), (b, -1), (d, -1)):
            operate(rx(sign * np.pi / 2), q)
        operate(CNOT, a, c)
        operate(CNOT, b, d)
        if measure(c, rng=rng) == measure(d, rng=rng):
            successes += 1
            assert fidelity(PHI, a, b) == pytest.approx(0.838150, abs=5e-7)
            others = [fidelity(np.kron(np.eye(2), p.matrix) @ PHI, a, b) for p in PAULIS[1:]]
            assert sorted(others) == pytest.approx([0.011561, 0.011561, 0.138728], abs=5e-7)
    p = 0.768889
    assert abs(successes - runs * p) < 4 * np.sqrt(runs * p * (1 - p))


def test_states_of_several_formalisms_are_merged():
    """In the lowest formalism that can hold both; the answer is that of density matrices."""
    expected = {
        ("KET", "KET"): "KET",
        ("STABILIZER", "GRAPH"): "STABILIZER",
        ("GRAPH", "KET"): "KET",
        ("BELL", "BELL"): "BELL",
        ("BELL", "STABILIZER"): "DENSITY",
        ("DENSITY", "GRAPH"): "DENSITY",
    }
    for names, common in expected.items():
        for order in (names, names[::-1]):
            (a,), (b,) = (new_qubits(1, Formalism[name]) for name in order)
            operate(H, a)
            operate(X, b)
            operate(CNOT, a, b)
            assert a.state is b.state
            assert a.state.formalism is Formalism[common]
            psi = np.array([0, 1, 1, 0]) / np.sqrt(2)
            assert fidelity(psi, a, b) == pytest.approx(1)
            assert fidelity(psi, b, a) == pytest.approx(1)


def test_merging_a_large_state_into_a_small_one_keeps_positions():
    for formalism in LARGE:
        qubits = ghz(4, formalism)
        (new,) = new_qubits(1, formalism)
        operate(X, new)
        operate(CZ, new, qubits[3])
        assert [q.at for q in qubits] == [0, 1, 2, 3]
        assert [new.state.owners[q.at] for q in (*qubits, new)] == [*qubits, new]
        psi = np.zeros(32)
        psi[[1, 31]] = np.sqrt(0.5), -np.sqrt(0.5)
        assert fidelity(psi, *qubits, new) == pytest.approx(1)


@pytest.mark.parametrize("formalism", [Formalism.STABILIZER, Formalism.GRAPH])
def test_promotion_to_a_ket(formalism):
    rng = np.random.default_rng(4)
    found = []
    for start in (formalism, Formalism.KET):
        qubits = ghz(3, start)
        operate(T, qubits[1])
        assert {q.state.formalism for q in qubits} == {Formalism.KET}
        noise(dephasing(0.0), qubits[0], rng=rng)
        found.append(density(*qubits))
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    (qubit,) = new_qubits(1, formalism)
    noise(amplitude_damping(0.1), qubit, rng=rng)
    assert qubit.state.formalism is Formalism.KET


def test_noise_and_measurement_with_the_same_generator_in_every_formalism():
    def run(formalism):
        rng = np.random.default_rng(12)
        qubits = ghz(5, formalism)
        outcomes = []
        for q in qubits:
            noise(depolarising(0.4), q, rng=rng)
            outcomes.append(measure(q, rng=rng, basis="Y"))
        return outcomes

    assert run(Formalism.KET) == run(Formalism.STABILIZER) == run(Formalism.GRAPH)


def test_discard_traces_out():
    a, b = bell_pair(Formalism.DENSITY, weights=(0.7, 0.1, 0.1, 0.1))
    discard(a)
    np.testing.assert_allclose(density(b), np.eye(2) / 2, atol=1e-15)
    assert b.state.size == 1
    assert a.state is None


@pytest.mark.parametrize("formalism", PURE)
def test_discard_from_a_pure_state(formalism):
    a, b, c = ghz(3, formalism)
    with pytest.raises(QnetError, match=r"entangled with others in a .*: give rng, or convert"):
        discard(a)
    assert a.state is b.state
    discard(a, rng=np.random.default_rng(0))
    assert (b.state.size, c.state) == (2, b.state)
    assert measure(b, rng=np.random.default_rng(1)) == measure(c, rng=np.random.default_rng(2))
    product = new_qubits(2, formalism)
    operate(H, product[0])
    operate(CZ, *product)  # one state, no entanglement
    discard(product[0])
    assert density(product[1])[0, 0] == pytest.approx(1)


def test_convert_takes_the_partners_along():
    a, b = bell_pair(Formalism.BELL, weights=(0.7, 0.1, 0.1, 0.1))
    before = density(a, b)
    convert([a], Formalism.DENSITY)
    assert b.state is a.state
    assert b.state.formalism is Formalism.DENSITY
    np.testing.assert_allclose(density(a, b), before, atol=1e-15)
    with pytest.raises(QnetError, match="no pure stabilizer state"):
        convert([a, b], Formalism.STABILIZER)


def test_density_across_states():
    a, b = bell_pair()
    (c,) = new_qubits(1)
    operate(X, c)
    np.testing.assert_allclose(
        density(b, c, a),
        np.outer([0, 0, 1, 0, 0, 0, 0, 1], [0, 0, 1, 0, 0, 0, 0, 1]) / 2,
        atol=1e-15,
    )


def gone():
    a, _ = bell_pair()
    discard(a)
    return a


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b, rng: operate(CNOT, a), "^CNOT acts on 2 qubits and 1 were given; give 2"),
        (lambda a, b, rng: operate(CNOT, a, a), r"a qubit is given twice in \(0, 0\)"),
        (
            lambda a, b, rng: noise(dephasing(0.1), a, b, rng=rng),
            "dephasing acts on 1 qubits and 2",
        ),
        (lambda a, b, rng: operate(H, gone()), "the qubit 0 was discarded; make a new one"),
        (lambda a, b, rng: measure(gone(), rng=rng), "was discarded"),
        (lambda a, b, rng: discard(gone()), "was discarded"),
        (lambda a, b, rng: bell_measurement(a, gone(), rng=rng), "was discarded"),
        (lambda a, b, rng: bell_measurement(a, a, rng=rng), "given twice"),
        (lambda a, b, rng: measure(a, rng=rng, basis="W"), "basis 'W' is unknown; expected 'X'"),
        (lambda a, b, rng: density(a, a), "given twice"),
        (lambda a, b, rng: density(), "no qubit was given"),
        (lambda a, b, rng: fidelity(PHI, a), r"the shape \(4,\); expected \(2,\) for 1 qubits"),
        (lambda a, b, rng: fidelity(2 * PHI, a, b), "squared norm 4; normalise it"),
        (lambda a, b, rng: new_qubits(-1), "-1 qubits were asked for"),
        (lambda a, b, rng: bell_pair(index=4), "the Bell state 4 is unknown; expected 0, 1, 2"),
        (
            lambda a, b, rng: bell_pair(weights=(0.5, 0.5)),
            "2 Bell weights were given; expected four",
        ),
        (lambda a, b, rng: bell_pair(weights=(0.5, 0.5, 0.5, 0.5)), "sum to 2; expected 1"),
        (
            lambda a, b, rng: bell_pair(Formalism.KET, weights=(0.5, 0.5, 0, 0)),
            "a ket cannot be a mixture of Bell states; use DENSITY or BELL",
        ),
        (
            lambda a, b, rng: operate(T, ghz(30, Formalism.GRAPH)[3]),
            r"T cannot be applied to a graph state, and a ket of its 30 qubits is too large",
        ),
        (
            lambda a, b, rng: noise(
                amplitude_damping(0.1), ghz(40, Formalism.STABILIZER)[0], rng=rng
            ),
            "amplitude damping cannot be applied to a stabilizer tableau, and a ket of its 40",
        ),
        (lambda a, b, rng: ghz(13, Formalism.DENSITY), "matrix of 13 qubits"),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    a, b = bell_pair()
    before = density(a, b)
    with pytest.raises(QnetError, match=message):
        call(a, b, np.random.default_rng(0))
    np.testing.assert_array_equal(density(a, b), before)
