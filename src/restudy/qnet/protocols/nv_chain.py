"""SWAP-ASAP on NV nodes, event by event on components (arXiv 2010.12535, Supplementary Note 5).

The slow reference of `restudy.qnet.batch.nv_swap_asap`: every gate is an event, every request a
message.
"""

from restudy.qnet.arguments import whole
from restudy.qnet.engine.events import all_of
from restudy.qnet.engine.processes import Body
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.hardware.nv_circuits import CARBON, ELECTRON
from restudy.qnet.hardware.nv_parameters import NVParameters
from restudy.qnet.protocols.nv_nodes import SWAP_CORRECTION, NVNodes


class NVRepeaterChain:
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
        Number of nodes, the ends included, at least 2.

    Attributes
    ----------
    hardware : NVNodes
        Nodes with one carbon spin each, and links.
    done : Expression
        Fires when both ends know of their pair.

    Raises
    ------
    QnetError
        If there are fewer than two nodes, or the link cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> chain = NVRepeaterChain(sim, improved(NEAR_TERM, 10), 25.0, 3)
    >>> _ = sim.run(until=chain.done)
    >>> 0.5 < chain.fidelity() < 0.9
    True
    """

    def __init__(
        self, sim: Simulation, parameters: NVParameters, length_km: float, nodes: int
    ) -> None:
        whole("nodes", nodes, least=2)
        self.sim = sim
        self.correction = 0  # of the right end
        self.hardware = hardware = NVNodes(sim, parameters, length_km, nodes, carbons=1)
        for k in range(nodes - 1):
            hardware.connect(k, k + 1)
        reports = []
        for k in range(1, nodes - 1):
            for end in (0, nodes - 1):
                label = f"report {k} {end}"
                hardware.connect_one_way(k, end, label)
                reports.append(hardware.nodes[end].classical(label).receive())
        self.done = all_of(reports or [herald.wait() for herald in hardware.heralds])
        for k in range(nodes):
            sim.process(self._repeater(k))

    def fidelity(self) -> float:
        """Return the fidelity of the pair between the ends to psi+, corrected, now."""
        return self.hardware.fidelity(self.correction)

    def _repeater(self, k: int) -> Body:
        """Make a pair with each neighbour, swap, and tell the ends."""
        hardware = self.hardware
        last = len(hardware.nodes) - 1
        neighbours = [other for other in (k - 1, k + 1) if 0 <= other <= last]
        for other in neighbours if k % 2 else neighbours[::-1]:
            yield from self._ask(k, other) if k % 2 else self._answer(k, other)
        if len(neighbours) == 2:
            found = yield from hardware.run(k, hardware.swap)
            self.correction ^= SWAP_CORRECTION[found]
            for end in (0, last):
                hardware.nodes[k].classical(f"report {k} {end}").send(found)

    def _ask(self, k: int, other: int) -> Body:
        yield from self._free_electron(k)
        port = self.hardware.nodes[k].classical(str(other))
        port.send("request")
        yield port.receive()
        herald = yield from self.hardware.generate(min(k, other))
        self.correction ^= herald.correction

    def _answer(self, k: int, other: int) -> Body:
        port = self.hardware.nodes[k].classical(str(other))
        yield port.receive()
        yield from self._free_electron(k)
        port.send("confirmation")
        yield self.hardware.heralds[min(k, other)].wait()

    def _free_electron(self, k: int) -> Body:
        if self.hardware.nodes[k].processor.position(ELECTRON).qubit is not None:
            yield from self.hardware.move(k, ELECTRON, CARBON)
