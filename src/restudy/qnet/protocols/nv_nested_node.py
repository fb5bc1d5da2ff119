"""One node of NESTED-WITH-DISTILL: what it holds, hears, decides and does.

The rules are in `restudy.qnet.protocols.nv_nested`.
"""

from dataclasses import dataclass
from typing import Final

from restudy.qnet.components.ports import Port
from restudy.qnet.engine.processes import Body
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.nv_circuits import CARBON, ELECTRON
from restudy.qnet.protocols.distillation import EQUAL, compare
from restudy.qnet.protocols.nv_nodes import SWAP_CORRECTION, Circuit, Herald, NVNodes
from restudy.qnet.protocols.protocol import Protocol, Signal

BOTH_ZERO: Final = frozenset({(0, 0)})
"""Outcomes of DISTILL that neighbours accept: others leave a pair of spins that are both bright."""


@dataclass(eq=False)
class Half:
    """Half of a pair, as its node knows it.

    Attributes
    ----------
    pair : int
        Running number of the pair. After a swap it is that of the left one.
    other : int
        Node that holds the other half.
    correction : int
        Pauli, 0 to 3, on this half that makes the pair a psi+.
    position : int
        Where it is: `ELECTRON`, or a carbon spin.
    distilled : bool
        Whether the pair is distilled, and not swapped since.
    """

    pair: int
    other: int
    correction: int
    position: int = ELECTRON
    distilled: bool = False


@dataclass(frozen=True)
class Request:
    """What an initiator asks another node for.

    Attributes
    ----------
    initiator : int
        Who asks.
    distil : tuple of int, or None
        Pairs that are kept and spent; None asks for a new pair.
    """

    initiator: int
    distil: tuple[int, int] | None = None


@dataclass(frozen=True)
class Report:
    """What a node that swapped tells each end of the new pair.

    Attributes
    ----------
    pair, becomes : int
        Running number of the pair, before and after the swap.
    other : int
        Node that holds the other half now.
    correction : int
        Pauli that the half needs further.
    """

    pair: int
    becomes: int
    other: int
    correction: int


class NestedNode(Protocol):
    """What one node does.

    Parameters
    ----------
    hardware : NVNodes
        All nodes; those that swap together are connected.
    number : int
        Of the node.

    Attributes
    ----------
    partners : tuple of int
        Nodes that it initiates with: the left and the right one, none for the ends.
    halves : list of Half
        What it holds, the oldest pair first.
    requests : list of Request
        Those that wait, the oldest first.
    shared : Signal
        Sent with the `Half` when it learns that it shares a pair over all links.
    """

    def __init__(self, hardware: NVNodes, number: int) -> None:
        super().__init__(hardware.sim, f"NESTED-WITH-DISTILL of node {number}")
        self.hardware = hardware
        self.number = number
        self.span = number & -number
        inner = 0 < number < len(hardware.nodes) - 1
        self.partners = (number - self.span, number + self.span) if inner else ()
        self.halves: list[Half] = []
        self.requests: list[Request] = []
        self.news = Signal(self.sim, f"{self.name}.news")
        self.shared = Signal(self.sim, f"{self.name}.shared")

    def run(self) -> Body:
        """Do what applies; when nothing does, wait for news."""
        while True:
            action = self._first_that_applies()
            if action is None:
                yield self.news.wait()
            else:
                yield from action

    def hear(self, message: Request | Report) -> None:
        """Take note of a message, also while something else goes on."""
        if isinstance(message, Request):
            self.requests.append(message)
        else:
            half = self._half(message.pair)
            half.pair, half.other = message.becomes, message.other
            half.correction ^= message.correction
            half.distilled = False
            self.halves.remove(half)  # a new pair: the youngest
            self.halves.append(half)
            if abs(half.other - self.number) == len(self.hardware.nodes) - 1:
                self.shared.send(half)
        self.news.send()

    # What a node decides

    def _first_that_applies(self) -> Body | None:
        """Return the first of the six actions, None if there is nothing to do."""
        distilled = {half.other: half for half in self.halves if half.distilled}
        if self.partners and all(other in distilled for other in self.partners):
            left, right = (distilled[other] for other in self.partners)
            return self._swap(left, right)
        for other in self.partners:
            raw = [half for half in self.halves if half.other == other and not half.distilled]
            if len(raw) >= 2:
                return self._distil(other, *raw[:2])
        for request in self.requests:
            if request.distil or self._wants(request.initiator):
                self.requests.remove(request)
                return self._answer(request)
        if self.span == 1:
            for other in self.partners:
                if other not in distilled:
                    return self._make_pair(other)
        return None

    def _wants(self, other: int) -> bool:
        """Tell whether the node has use for another pair on the side of a neighbour."""
        to_the_right = other > self.number
        side = [half for half in self.halves if (half.other > self.number) == to_the_right]
        different = {half.other for half in side}
        return len(different) == len(side) and not any(half.distilled for half in side)

    # What a node does

    def _swap(self, left: Half, right: Half) -> Body:
        if ELECTRON not in (left.position, right.position):
            yield from self._to_electron(left)
        found = yield from self._run(self.hardware.swap, max(left.position, right.position))
        self._drop(left)
        self._drop(right)
        correction = SWAP_CORRECTION[found] ^ left.correction ^ right.correction
        self._tell(left.other, Report(left.pair, left.pair, right.other, 0))
        self._tell(right.other, Report(right.pair, left.pair, left.other, correction))

    def _make_pair(self, other: int) -> Body:
        yield from self._free_electron()
        self._tell(other, Request(self.number))
        yield self._port(other).receive()
        self._hold(other, (yield from self.hardware.generate(min(self.number, other))))

    def _distil(self, other: int, kept: Half, spent: Half) -> Body:
        yield from self._to_electron(spent)
        self._tell(other, Request(self.number, (kept.pair, spent.pair)))
        yield self._port(other).receive()
        yield from self._distil_together(other, kept, spent)

    def _answer(self, request: Request) -> Body:
        other, hardware = request.initiator, self.hardware
        if request.distil is None:
            yield from self._free_electron()
            self._port(other).send("confirmation")
            self._hold(other, (yield hardware.heralds[min(self.number, other)].wait()))
        else:
            kept, spent = (self._half(pair) for pair in request.distil)
            yield from self._to_electron(spent)
            self._port(other).send("confirmation")
            yield self.sim.timeout(hardware.travel_ns(self.number, other))
            yield from self._distil_together(other, kept, spent)

    def _distil_together(self, other: int, kept: Half, spent: Half) -> Body:
        """Make the pairs alike, measure the electrons, and compare; both nodes start together."""
        yield from self._run(self.hardware.turn[kept.correction ^ spent.correction])
        (outcome,) = yield from self._run(self.hardware.distill, kept.position)
        self._drop(spent)
        accepted = BOTH_ZERO if abs(other - self.number) == 1 else EQUAL
        side = 0 if self.number < other else 1
        if (yield from compare(self._port(other), outcome, accepted, side=side)):
            kept.distilled = True
            # Note 6, with I on the left half always: Y on the right one if that had X or Y
            kept.correction = 2 if kept.correction in (1, 2) else 0
        else:
            self._drop(kept)

    # What it is made of

    def _run(self, circuit: Circuit, carbon: int = CARBON) -> Body:
        return self.hardware.run(self.number, circuit, carbon)

    def _free_electron(self) -> Body:
        """Store what the electron holds."""
        held = next((half for half in self.halves if half.position == ELECTRON), None)
        if held is None:
            return
        carbons = self.hardware.nodes[self.number].processor.positions[CARBON:]
        for at, carbon in enumerate(carbons, start=CARBON):
            if carbon.qubit is None:
                yield from self._move(held, at)
                return
        raise QnetError(
            f"node {self.number} has no empty carbon spin at {self.sim.now} ns: all of its "
            f"{len(carbons)} hold a qubit; give nodes more carbons."
        )

    def _to_electron(self, half: Half) -> Body:
        """Retrieve a half, unless it is on the electron."""
        if half.position != ELECTRON:
            yield from self._free_electron()
            yield from self._move(half, ELECTRON)

    def _move(self, half: Half, to: int) -> Body:
        yield from self.hardware.move(self.number, half.position, to)
        half.position = to

    def _hold(self, other: int, herald: Herald) -> None:
        """Take note of a new pair; only right halves are ever corrected."""
        correction = herald.correction if other < self.number else 0
        self.halves.append(Half(herald.pair, other, correction))

    def _half(self, pair: int) -> Half:
        return next(half for half in self.halves if half.pair == pair)

    def _drop(self, half: Half) -> None:
        self.hardware.nodes[self.number].processor.position(half.position).discard()
        self.halves.remove(half)

    def _port(self, other: int) -> Port:
        return self.hardware.nodes[self.number].classical(str(other))

    def _tell(self, other: int, message: Request | Report) -> None:
        self.hardware.nodes[self.number].classical(f"{self.number} initiates {other}").send(message)
