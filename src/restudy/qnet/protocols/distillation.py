"""Distillation: two nodes make one better pair of two."""

from dataclasses import dataclass
from math import pi
from typing import Final

from restudy.qnet.components.instructions import MEASURE
from restudy.qnet.components.nodes import Node
from restudy.qnet.components.ports import Port
from restudy.qnet.components.processor import Program, Step
from restudy.qnet.engine.processes import Body
from restudy.qnet.states.gates import CNOT, rx


@dataclass(frozen=True)
class Distillation:
    """What two nodes do to two pairs: rotate, CNOT from the kept to the used pair, measure that.

    Attributes
    ----------
    name : str
        Its name.
    angles : tuple of float
        Rotation about X of both qubits of the first node, and of the second; none if zero.
    accepted : frozenset of tuple of int
        Outcomes of the first and the second node for which the kept pair is kept.
    """

    name: str
    angles: tuple[float, float]
    accepted: frozenset[tuple[int, int]]


EQUAL: Final = frozenset({(0, 0), (1, 1)})
"""Outcomes that are the same."""

BBPSSW: Final = Distillation("BBPSSW", (0.0, 0.0), EQUAL)
"""Bennett et al., doi:10.1103/PhysRevLett.76.722, of Werner pairs near phi+, without the twirl."""

DEJMPS: Final = Distillation("DEJMPS", (pi / 2, -pi / 2), EQUAL)
"""Deutsch et al., doi:10.1103/PhysRevLett.77.2818."""

KALB: Final = Distillation("Kalb", (0.0, 0.0), frozenset({(1, 1)}))
"""Kalb et al., doi:10.1126/science.aan0070: for psi+ with some weight on ``|00>`` or ``|11>``.

The rest is removed in one round, and with it any phase that both pairs share.
"""


def distil(
    node: Node, port: Port, scheme: Distillation, *, side: int, kept: int = 0, used: int = 1
) -> Body:
    """Do one node's part of a distillation; both nodes do theirs at their own pace.

    The used pair is gone afterwards, and if the distillation fails the kept pair too. Returns
    whether it succeeded.

    Parameters
    ----------
    node
        A node with a processor that can do CNOT and MEASURE, and for DEJMPS the family `rx`.
    port
        To the other node and from it.
    scheme
        `BBPSSW`, `DEJMPS` or `KALB`.
    side
        0 at the first node, 1 at the second.
    kept, used
        Positions of the halves of the two pairs.
    """
    processor = node.processor
    outcome = yield processor.execute(_program(scheme.angles[side]), (kept, used))
    processor.position(used).discard()
    success = yield from compare(port, outcome, scheme.accepted, side=side)
    if not success:
        processor.position(kept).discard()
    return success


def compare(port: Port, outcome: int, accepted: frozenset[tuple[int, int]], *, side: int) -> Body:
    """Tell the other node one's outcome, wait for its own, and return whether both are accepted."""
    port.send(outcome)
    other = yield port.receive()
    return ((outcome, other) if side == 0 else (other, outcome)) in accepted


def _program(angle: float) -> Program:
    """Rotate both qubits, CNOT from the first to the second, measure the second."""
    if angle:
        yield Step(rx, (0,), angle)
        yield Step(rx, (1,), angle)
    yield Step(CNOT, (0, 1))
    outcome = yield Step(MEASURE, (1,))
    return outcome
