import numpy as np
import pytest

from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import amplitude_damping, dephasing, depolarising
from restudy.qnet.states.gates import CNOT, PAULIS, H, X, Z
from restudy.qnet.states.qubits import (
    bell_measurement,
    bell_pair,
    density,
    discard,
    fidelity,
    measure,
    new_qubits,
    noise,
    operate,
)

PHI = np.array([1, 0, 0, 1]) / np.sqrt(2)


def test_teleportation_is_the_identity():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        psi = rng.normal(size=2) + 1j * rng.normal(size=2)
        psi /= np.linalg.norm(psi)
        (sent,) = new_qubits(1)
        from restudy.qnet.states.gates import Operator

        operate(Operator("prepare", np.array([psi, [-psi[1].conj(), psi[0].conj()]]).T), sent)
        a, b = bell_pair()
        operate(PAULIS[bell_measurement(sent, a, rng=rng)], b)
        assert fidelity(psi, b) == pytest.approx(1, abs=1e-12)


def test_swap_all_outcomes_fast_and_slow():
    seen = set()
    for seed in range(40):
        for order in (0, 1):
            rng = np.random.default_rng(seed)
            p, q = bell_pair(index=seed % 4), bell_pair(weights=(0.4, 0.3, 0.2, 0.1))
            noise(amplitude_damping(0.2), p[0], rng=rng)
            a, b = p[order], p[1 - order]
            c, d = q[1 - order], q[order]
            whole = density(a, b, c, d)
            outcome = bell_measurement(b, c, rng=rng)
            seen.add(outcome)
            bell = np.kron(np.eye(2), PAULIS[outcome].matrix) @ PHI
            project = np.kron(np.kron(np.eye(2), bell.conj()[None, :]), np.eye(2))
            expected = project @ whole @ project.conj().T
            expected /= np.trace(expected)
            np.testing.assert_allclose(density(a, d), expected, atol=1e-12)
    assert seen == {0, 1, 2, 3}
