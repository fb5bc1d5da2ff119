"""NESTED-WITH-DISTILL on 2**n + 1 NV nodes, on components (arXiv 2010.12535, Supplementary Note 5).

Nodes are counted from 0. Node k initiates what spans f(k) links, f(k) the largest power of two
that divides k; the ends never do. A node that is free does the first that applies of

1. swap, if it shares distilled pairs over f(k) links with both sides;
2. distil two pairs with node k - f(k);
3. or else with node k + f(k);
4. the oldest request of another node: store, confirm, act when the confirmation arrives;
5. if f(k) = 1, make a pair with the left neighbour unless a distilled one is there;
6. or else with the right one.

A node stores before it makes a pair, and stores and retrieves before it distils or swaps.
Of two pairs the newer one, on the electrons, is spent. Messages travel along the fibre.

Check 4 leaves out requests for pairs that the node has no use for yet: on that side it holds a
distilled pair, or two that wait to be distilled. The paper does not say so. Without, nodes with
f = 1 make pairs without end, and wear out those that wait in the same nodes.

Every gate is an event, every request a message: the slow reference of
`restudy.qnet.batch.nv_nested`.
"""

from restudy.qnet.arguments import whole
from restudy.qnet.engine.events import all_of
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.nv_parameters import NVParameters
from restudy.qnet.protocols.nv_nested_node import NestedNode
from restudy.qnet.protocols.nv_nodes import NVNodes


class NVNestedChain:
    """Nodes, links and protocols of one run.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    parameters : NVParameters
        Of all nodes and links.
    length_km : float
        Distance of neighbours, km.
    nodes : int
        Number of nodes, the ends included: 2**n + 1 with n at least 1.
    carbons : int
        Number of carbon spins of each node.

    Attributes
    ----------
    hardware : NVNodes
        Nodes and links.
    protocols : list of NestedNode
        One of each node.
    done : Expression
        Fires when both ends know of their pair.

    Raises
    ------
    QnetError
        If there are not 2**n + 1 nodes, there is no carbon spin, or the link cannot be; while it
        runs, if a node needs more carbon spins than it has.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> chain = NVNestedChain(sim, improved(NEAR_TERM, 20), 125.0, 3)
    >>> _ = sim.run(until=chain.done)
    >>> chain.hardware.made >= 4, 0.7 < chain.fidelity() < 1  # at least two pairs on two sides
    (True, True)
    """

    def __init__(
        self,
        sim: Simulation,
        parameters: NVParameters,
        length_km: float,
        nodes: int,
        *,
        carbons: int = 15,
    ) -> None:
        links = whole("nodes", nodes, least=3) - 1
        if links & (links - 1):
            raise QnetError(
                f"nodes is {nodes}; nesting takes 2**n + 1 of them: 3, 5, 9, 17 and so on."
            )
        whole("carbons", carbons, least=1)
        self.hardware = hardware = NVNodes(sim, parameters, length_km, nodes, carbons)
        self.protocols = [NestedNode(hardware, k) for k in range(nodes)]
        for node in self.protocols:
            for other in node.partners:
                label = f"{node.number} initiates {other}"
                hardware.connect(node.number, other)
                hardware.connect_one_way(node.number, other, label)
                port = hardware.nodes[other].classical(label)
                port.on_message(self.protocols[other].hear)
        self._ends = self.protocols[0].shared.wait(), self.protocols[-1].shared.wait()
        self.done = all_of(self._ends)
        for node in self.protocols:
            node.start()

    def fidelity(self) -> float:
        """Return the fidelity of the pair between the ends to psi+, corrected, now."""
        left, right = (end.value for end in self._ends)
        correction = left.correction ^ right.correction
        return self.hardware.fidelity(correction, left.position, right.position)
