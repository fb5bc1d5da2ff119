"""Quantum key distribution with single photons: BB84."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from restudy.qnet.arguments import positive, probability, whole
from restudy.qnet.components.detectors import QuantumDetector
from restudy.qnet.components.nodes import Node
from restudy.qnet.engine.processes import Body
from restudy.qnet.states.gates import H, X
from restudy.qnet.states.qubits import new_qubits, operate
from restudy.qnet.states.state import Formalism

BASES: Final[tuple[Literal["X", "Z"], Literal["X", "Z"]]] = ("Z", "X")


@dataclass(frozen=True)
class BB84:
    """What Alice and Bob agree on.

    Attributes
    ----------
    pulses : int
        Number of photons that Alice sends.
    period_ns : float
        Time between two of them, ns.
    disclosed : float
        Share of the sifted bits that are compared in public and given up.
    formalism : Formalism
        How the states of photons are written.
    """

    pulses: int
    period_ns: float = 1000.0
    disclosed: float = 0.1
    formalism: Formalism = Formalism.DENSITY

    def __post_init__(self) -> None:
        whole("pulses of BB84", self.pulses, least=1)
        positive("period_ns of BB84", self.period_ns)
        probability("disclosed of BB84", self.disclosed)


@dataclass(frozen=True)
class Key:
    """What one side has in the end.

    Attributes
    ----------
    bits : numpy.ndarray of uint8, shape (n,)
        The sifted key, without the bits that were compared.
    compared : dict of int
        Number of bits compared, for each basis.
    qber : dict of float
        Share of errors among them, for each basis; NaN if none was compared.
    """

    bits: np.ndarray
    compared: dict[str, int]
    qber: dict[str, float]


def alice(node: Node, bob: str, agreed: BB84) -> Body:
    """Send photons in random bases, and sift. Returns a `Key`.

    Parameters
    ----------
    node
        With a quantum and a classical link to Bob.
    bob
        Label of the links.
    agreed
        What both agree on.
    """
    rng, line = node.sim.rng, node.classical(bob)
    bits = rng.integers(0, 2, agreed.pulses, dtype=np.uint8)
    bases = rng.integers(0, 2, agreed.pulses, dtype=np.uint8)
    for bit, basis in zip(bits.tolist(), bases.tolist(), strict=True):
        (photon,) = new_qubits(1, agreed.formalism)
        if bit:
            operate(X, photon)
        if basis:
            operate(H, photon)
        node.quantum(bob).send(photon)
        yield node.sim.timeout(agreed.period_ns)
    seen, bobs_bases = yield line.receive()
    same = bases[seen] == bobs_bases
    shown = rng.random(int(same.sum())) < agreed.disclosed
    line.send((same, shown))
    sifted, sifted_bases = bits[seen][same], bases[seen][same]
    bobs_bits = yield line.receive()
    line.send(sifted[shown])
    return _key(sifted, sifted_bases, shown, sifted[shown] != bobs_bits)


def bob(node: Node, alice: str, agreed: BB84, detector: QuantumDetector) -> Body:
    """Measure photons in random bases, and sift. Returns a `Key`.

    Parameters
    ----------
    node
        With a quantum link from Alice and a classical link to her.
    alice
        Label of the links.
    agreed
        What both agree on.
    detector
        Bob's detector.
    """
    rng, line, photons = node.sim.rng, node.classical(alice), node.quantum(alice)
    bases = rng.integers(0, 2, agreed.pulses, dtype=np.uint8)
    clicks = []
    for basis in bases.tolist():
        photon = yield photons.receive()
        clicks.append(detector.detect(photon, BASES[basis]))
    seen = np.array([click is not None for click in clicks])
    line.send((np.flatnonzero(seen), bases[seen]))
    same, shown = yield line.receive()
    bits = np.array([click for click in clicks if click is not None], np.uint8)[same]
    line.send(bits[shown])
    alices_bits = yield line.receive()
    return _key(bits, bases[seen][same], shown, bits[shown] != alices_bits)


def _key(bits: np.ndarray, bases: np.ndarray, shown: np.ndarray, wrong: np.ndarray) -> Key:
    """Put a key together; `wrong` are the errors among the bits shown."""
    compared: dict[str, int] = {}
    qber: dict[str, float] = {}
    for basis, name in enumerate(BASES):
        here = bases[shown] == basis
        compared[name] = int(here.sum())
        qber[name] = float(wrong[here].mean()) if here.any() else float("nan")
    return Key(bits[~shown], compared, qber)
