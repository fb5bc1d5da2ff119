"""The repeater chain of the benchmark of NetSquid (arXiv 2010.12535, Fig. 9, Supp. Note 2B).

Sources half way between neighbours send perfect pairs at the ticks of one clock. Each inner node
swaps as soon as both halves are there, and sends its outcome directly to the last node, which
corrects when it has heard from all.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from restudy.qnet.arguments import positive, real, whole
from restudy.qnet.components.clocks import Clock, FixedGap
from restudy.qnet.components.instructions import MEASURE_BELL, PhysicalInstruction
from restudy.qnet.components.network import Network
from restudy.qnet.components.processor import QuantumProcessor
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.noise import DephaseNoise, DepolarNoise, FibreDelay
from restudy.qnet.protocols.swapping import correct, swap
from restudy.qnet.states.gates import PAULIS
from restudy.qnet.states.qubits import bell_pair, fidelity
from restudy.qnet.states.state import Formalism

PHI_PLUS = np.sqrt([0.5, 0.0, 0.0, 0.5])
PHI_PLUS.flags.writeable = False


@dataclass(frozen=True)
class ChainParameters:
    """A chain of equal links.

    Attributes
    ----------
    nodes : int
        Number N of nodes, the two ends included, at least 2.
    spacing_km : float
        Length of a link, km.
    source_hz : float
        Clock rate of the sources, Hz; a run uses the first tick.
    speed_km_per_s : float
        Of light in fibre, km/s.
    channel_hz, memory_hz : float
        Depolarising rate in channels and in memories, Hz: the paper's 0.1 s.
    gate_hz : float
        Dephasing rate of a qubit in an instruction, Hz: the paper's 0.04 s.
    swap_ns, pauli_ns : float
        Duration of a Bell measurement and of a correction, ns (not given in the paper).

    Raises
    ------
    QnetError
        If a number is out of range.
    """

    nodes: int
    spacing_km: float = 20.0
    source_hz: float = 100_000.0
    speed_km_per_s: float = 200_000.0
    channel_hz: float = 10.0
    memory_hz: float = 10.0
    gate_hz: float = 25.0
    swap_ns: float = 500.0
    pauli_ns: float = 100.0

    def __post_init__(self) -> None:
        whole("nodes", self.nodes, least=2)
        for name in ("source_hz", "speed_km_per_s"):
            positive(name, getattr(self, name))
        for name in (
            "spacing_km",
            "channel_hz",
            "memory_hz",
            "gate_hz",
            "swap_ns",
            "pauli_ns",
        ):
            real(name, getattr(self, name), least=0.0)


class RepeaterChain:
    """The chain as a network, with the protocols of its nodes started.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    parameters : ChainParameters
        The chain.
    formalism : Formalism
        How the states of pairs are written.

    Attributes
    ----------
    network : Network
        The nodes, named 0 to N - 1, each with a processor of two positions: left and right.
    done : Process
        Ends when the last node has corrected.

    Notes
    -----
    Five callbacks of the timeline a node, and memory in proportion to the nodes. A run of 1000
    nodes takes 0.04 s of CPU time in either mixed formalism, after 0.03 s to set it up (CPython
    3.11, AMD EPYC), 10,000 nodes take 0.5 s: a tenth of it goes to the heap, a tenth to noise on
    pairs, and no other function has more.

    Examples
    --------
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> parameters = ChainParameters(nodes=10)
    >>> chain = RepeaterChain(sim, parameters, formalism=Formalism.BELL)
    >>> _ = sim.run(until=chain.done)
    >>> round(chain.fidelity(), 9) == round(chain_fidelity(parameters), 9)
    True
    """

    def __init__(
        self,
        sim: Simulation,
        parameters: ChainParameters,
        *,
        formalism: Formalism = Formalism.DENSITY,
    ) -> None:
        p = parameters
        self.sim = sim
        self.network = network = Network(sim)
        delay = FibreDelay(p.speed_km_per_s)
        memory, fibre = DepolarNoise(p.memory_hz), DepolarNoise(p.channel_hz)
        gates = DephaseNoise(p.gate_hz)
        instructions = (
            PhysicalInstruction(MEASURE_BELL, p.swap_ns, noise_before=gates),
            *(PhysicalInstruction(pauli, p.pauli_ns, noise_before=gates) for pauli in PAULIS),
        )
        make = partial(bell_pair, formalism)
        clock = Clock(sim, "clock", FixedGap(1e9 / p.source_hz), ticks=1)
        nodes = [
            network.node(str(k), QuantumProcessor(sim, f"{k}.processor", 2, instructions, memory))
            for k in range(p.nodes)
        ]
        for left, right in pairwise(nodes):
            link = network.entangling(
                left, right, make=make, length_km=p.spacing_km, delay=delay, noise=fibre
            )
            clock.on_tick(link.source.emit)
            left.memory.accept(left.quantum(right.name), 1)
            right.memory.accept(right.quantum(left.name), 0)
        last = nodes[-1]
        for k, node in enumerate(nodes[1:-1], start=1):
            network.message(node, last, length_km=(p.nodes - 1 - k) * p.spacing_km, delay=delay)
            sim.process(swap(node, node.classical(last.name)))
        reports = [last.classical(node.name) for node in nodes[1:-1]]
        self.done = sim.process(correct(last, reports, at=0))
        clock.start()

    def fidelity(self) -> float:
        """Return the fidelity of the pair between the ends to phi+, now."""
        first, *_, last = self.network.nodes.values()
        return fidelity(PHI_PLUS, first.memory.peek(1), last.memory.peek(0))


def chain_fidelity(parameters: ChainParameters) -> float:
    r"""Fidelity of the chain, when the last node has corrected.

    .. math:: F = \tfrac14 (1 + \Lambda (1 + 2 D)), \quad
              \ln \Lambda = -2(N-1) r_c \frac{L}{2c} - 2(N-2) r_m t_s - 2 r_m t_e, \quad
              \ln D = -r_g (2 (N-2) t_s + t_p)

    with the rates :math:`r` of channels, memories and gates, the durations :math:`t_s` of a swap
    and :math:`t_p` of a correction, and the time
    :math:`t_e = (N-2) L/c + t_s + t_p` (only :math:`t_p` if N = 2) that the ends wait.

    Parameters
    ----------
    parameters : ChainParameters
        The chain.

    Returns
    -------
    float
        Fidelity to phi+.

    Examples
    --------
    >>> noiseless = ChainParameters(5, channel_hz=0.0, memory_hz=0.0, gate_hz=0.0)
    >>> chain_fidelity(noiseless)
    1.0
    """
    p = parameters
    N = p.nodes
    link_s = p.spacing_km / p.speed_km_per_s
    swap_s, pauli_s = p.swap_ns * 1e-9, p.pauli_ns * 1e-9
    wait_s = pauli_s + ((N - 2) * link_s + swap_s if N > 2 else 0.0)
    depolarised = (N - 1) * p.channel_hz * link_s + 2 * p.memory_hz * ((N - 2) * swap_s + wait_s)
    dephased = p.gate_hz * (2 * (N - 2) * swap_s + pauli_s)
    return (1 + math.exp(-depolarised) * (1 + 2 * math.exp(-dephased))) / 4
