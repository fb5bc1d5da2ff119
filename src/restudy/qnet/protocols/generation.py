"""Generation of heralded entanglement between two memories."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from restudy.qnet.arguments import chance, positive
from restudy.qnet.components.memory import MemoryPosition
from restudy.qnet.components.nodes import Node
from restudy.qnet.engine.processes import Body, Process
from restudy.qnet.protocols.swapping import correct, swap
from restudy.qnet.states.qubits import Qubit, bell_pair


@dataclass(frozen=True)
class HeraldedLink:
    """Attempts one after the other until one succeeds.

    Attributes
    ----------
    p_success : float
        Probability that an attempt succeeds, above 0.
    cycle_ns : float
        Duration of an attempt, heralding included, ns.
    make : callable
        Returns the pair of a success.
    """

    p_success: float
    cycle_ns: float
    make: Callable[[], Sequence[Qubit]] = bell_pair

    def __post_init__(self) -> None:
        chance("p_success of HeraldedLink", self.p_success)
        positive("cycle_ns of HeraldedLink", self.cycle_ns)


def generate(link: HeraldedLink, a: MemoryPosition, b: MemoryPosition) -> Body:
    """Put a pair into two positions; failed attempts are jumped over.

    The number of attempts is geometric. Returns it.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.components.memory import QuantumMemory
    >>> from restudy.qnet.engine.simulation import Simulation
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> here, there = (QuantumMemory(sim, name, 1).positions[0] for name in ("here", "there"))
    >>> attempts = sim.run(until=sim.process(generate(HeraldedLink(0.1, 1000.0), here, there)))
    >>> sim.now == attempts * 1000.0
    True
    """
    attempts = int(a.sim.rng.geometric(link.p_success))
    yield a.sim.timeout(attempts * link.cycle_ns)
    _store(link, a, b)
    return attempts


def generate_attempt_by_attempt(link: HeraldedLink, a: MemoryPosition, b: MemoryPosition) -> Body:
    """Put a pair into two positions: the slow reference of `generate`, with an event an attempt."""
    attempts = 1
    yield a.sim.timeout(link.cycle_ns)
    while a.sim.rng.random() >= link.p_success:
        attempts += 1
        yield a.sim.timeout(link.cycle_ns)
    _store(link, a, b)
    return attempts


def _store(link: HeraldedLink, a: MemoryPosition, b: MemoryPosition) -> None:
    first, second = link.make()
    a.put(first)
    b.put(second)


def swap_asap(nodes: Sequence[Node], link: HeraldedLink) -> Process:
    """Start SWAP-ASAP on a line of nodes, and return the process of the last, which corrects.

    Each node has a processor: position 0 is for the pair with the node before it, position 1 for
    that with the next. Each inner node has a classical link to the last one.

    Parameters
    ----------
    nodes
        At least two.
    link
        How neighbours make pairs.
    """
    sim, last = nodes[0].sim, nodes[-1]
    for left, right in pairwise(nodes):
        sim.process(generate(link, left.processor.position(1), right.processor.position(0)))
    for node in nodes[1:-1]:
        sim.process(swap(node, node.classical(last.name)))
    return sim.process(correct(last, [last.classical(node.name) for node in nodes[1:-1]]))
