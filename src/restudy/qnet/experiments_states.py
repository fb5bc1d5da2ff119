"""States, noise and distillation, each simulated and beside its closed form."""

from math import sqrt

import numpy as np

from restudy.qnet.analytic import bell
from restudy.qnet.analytic.keys import bb84_threshold
from restudy.qnet.components.instructions import MEASURE, PhysicalInstruction
from restudy.qnet.components.network import Network
from restudy.qnet.components.processor import QuantumProcessor
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.noise import T1T2Noise
from restudy.qnet.protocols.distillation import BBPSSW, DEJMPS, Distillation, distil
from restudy.qnet.states.gates import CNOT, PAULIS, H, X, rx
from restudy.qnet.states.ket import KetState
from restudy.qnet.states.qubits import (
    Qubit,
    bell_pair,
    convert,
    density,
    fidelity,
    measure,
    new_qubits,
    noise,
    operate,
)
from restudy.qnet.states.stabilizer import StabilizerState
from restudy.qnet.states.state import Formalism

BELL_STATES = [np.kron(np.eye(2), pauli.matrix) @ [sqrt(0.5), 0, 0, sqrt(0.5)] for pauli in PAULIS]
"""phi+, psi+, psi-, phi-, up to a phase."""

ELECTRON = T1T2Noise(t1_ns=3600e9, t2_ns=1.46e9)
IDLE_NS = 1e8


def ket_bits(qubits: int = 10) -> int:
    """Size of a ket, bits."""
    (first, *others) = new_qubits(qubits, Formalism.KET)
    for other in others:
        operate(CNOT, first, other)
    assert isinstance(first.state, KetState)
    return 8 * first.state.amplitudes.nbytes


def stabilizer_bits(qubits: int = 1000) -> int:
    """Size of a stabilizer tableau, bits, of a GHZ state that was put together qubit by qubit."""
    (first, *others) = new_qubits(qubits, Formalism.STABILIZER)
    operate(H, first)
    for other in others:
        operate(CNOT, first, other)
    assert isinstance(first.state, StabilizerState)
    return 8 * first.state.rows.nbytes


def idle_dephasing(*, rng: np.random.Generator) -> float:
    """Probability of a Z on an electron spin that idles, from simulated populations and coherence.

    Of a spin in ``|1>``, exp(-t/T1) is left. The coherence of a spin in ``|+>`` falls by the square
    root of that, and by 1 - 2p for a Z with probability p.
    """
    excited, plus = new_qubits(2)
    operate(X, excited)
    operate(H, plus)
    channel = ELECTRON.channel(IDLE_NS)
    assert channel is not None
    for qubit in (excited, plus):
        noise(channel, qubit, rng=rng)
    left = density(excited)[1, 1].real
    return float(1 - 2 * density(plus)[0, 1].real / sqrt(left)) / 2


def swap_difference(*, pairs: int, rng: np.random.Generator) -> float:
    """Swap random Bell-diagonal pairs gate by gate, with density matrices, and by convolution.

    Parameters
    ----------
    pairs : int
        How many swaps.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    float
        Largest difference of a weight.
    """
    worst = 0.0
    for _ in range(pairs):
        one, other = rng.dirichlet(np.ones(4), 2)
        a, b = bell_pair(weights=one.tolist())
        c, d = bell_pair(weights=other.tolist())
        convert([a, c], Formalism.DENSITY)
        operate(CNOT, b, c)
        operate(H, b)
        z, x = measure(b, rng=rng), measure(c, rng=rng)
        operate(PAULIS[bell_index(z, x)], d)
        worst = max(worst, float(np.abs(weights(a, d) - bell.swapped(one, other)).max()))
    return worst


def bell_index(z: int, x: int) -> int:
    """Return the number of the Bell state with a Z (0 or 1) and an X on one side of phi+.

    Examples
    --------
    >>> [bell_index(0, 0), bell_index(0, 1), bell_index(1, 1), bell_index(1, 0)]
    [0, 1, 2, 3]
    """
    return 2 * z + (z ^ x)


def weights(a: Qubit, b: Qubit) -> np.ndarray:
    """Fidelities of a pair with the four Bell states, (4,)."""
    return np.array([fidelity(state, a, b) for state in BELL_STATES])


def distilled(
    scheme: Distillation, given: np.ndarray, *, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Have two nodes distil pairs until they succeed.

    Parameters
    ----------
    scheme : Distillation
        `BBPSSW` or `DEJMPS`.
    given : numpy.ndarray of float64, shape (4,)
        Weights of both raw pairs.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    tuple of (numpy.ndarray of float64, shape (4,)) and int
        Weights of the kept pair, and how often they tried.
    """
    sim = Simulation(rng=rng)
    network = Network(sim)
    gates = [PhysicalInstruction(what, 100.0) for what in (CNOT, MEASURE, rx)]
    alice, bob = (
        network.node(name, QuantumProcessor(sim, name, 2, gates)) for name in ("Alice", "Bob")
    )
    network.classical(alice, bob, length_km=20.0)
    tries = 0
    while True:
        tries += 1
        for at in range(2):
            here, there = bell_pair(weights=given.tolist())
            alice.memory.put(here, at)
            bob.memory.put(there, at)
        done = [
            sim.process(distil(node, node.classical(other.name), scheme, side=side))
            for side, (node, other) in enumerate(((alice, bob), (bob, alice)))
        ]
        if sim.run(until=done[0] & done[1]) and done[0].value:
            return weights(alice.memory.peek(0), bob.memory.peek(0)), tries


def findings(*, rng: np.random.Generator) -> dict[str, float]:
    """Give what the claims on states and on distillation ask for, of one node and of two."""
    werner = bell.werner_weights(0.8)
    bennett, _ = distilled(BBPSSW, werner, rng=rng)
    once, _ = distilled(DEJMPS, werner, rng=rng)
    twice, _ = distilled(DEJMPS, once, rng=rng)
    return {
        "ket-bits": ket_bits(),
        "stabilizer-bits": stabilizer_bits(),
        "idle-electron-dephasing": idle_dephasing(rng=rng),
        "swap-convolution": swap_difference(pairs=50, rng=rng),
        "bbpssw-fidelity": float(bennett[0]),
        "dejmps-second-round": float(twice[0]),
        "bb84-threshold": 100 * bb84_threshold(),
    }
