"""Detectors of photons."""

import math
from typing import Any, Literal

from restudy.qnet.arguments import probability, real
from restudy.qnet.components.ports import Port
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.states.qubits import Qubit, discard, measure


class QuantumDetector:
    """Two threshold detectors behind an analyser: one clicks for 0, the other for 1.

    A photon is seen with probability `efficiency`. In each time slot either detector may click in
    the dark. If both click the outcome is drawn, as in quantum key distribution.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    efficiency : float
        Probability that a photon makes its detector click.
    dark_hz : float
        Dark counts of each detector, Hz.
    window_ns : float
        Length of a time slot, ns.

    Attributes
    ----------
    input : Port
        Where time slots arrive: a qubit, or None for one without a photon.
    output : Port
        Where the outcome of each slot leaves: 0, 1, or None for no click.
    basis : {"X", "Y", "Z"}
        Setting of the analyser for what arrives at `input`.
    p_dark : float
        Probability that one detector clicks in the dark in one slot.

    Raises
    ------
    QnetError
        If the efficiency is no probability, or another number is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from restudy.qnet.states.qubits import new_qubits
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> detector = QuantumDetector(sim, "D")
    >>> (qubit,) = new_qubits(1)
    >>> detector.detect(qubit, "Z"), detector.detect(None, "Z")
    (0, None)
    """

    def __init__(
        self,
        sim: Simulation,
        name: str,
        *,
        efficiency: float = 1.0,
        dark_hz: float = 0.0,
        window_ns: float = 1.0,
    ) -> None:
        self.sim = sim
        self.name = name
        self.efficiency = probability(f"efficiency of the detector {name}", efficiency)
        dark = real(f"dark_hz of the detector {name}", dark_hz, least=0.0)
        window = real(f"window_ns of the detector {name}", window_ns, least=0.0)
        self.p_dark = -math.expm1(-dark * window * 1e-9)
        self.basis: Literal["X", "Y", "Z"] = "Z"
        self.input = Port(sim, f"{name}.input", self._detect)
        self.output = Port(sim, f"{name}.output")

    def detect(self, photon: Qubit | None, basis: Literal["X", "Y", "Z"]) -> int | None:
        """Return the outcome of one time slot: 0, 1, or None for no click; the photon is gone."""
        rng = self.sim.rng
        clicks = [False, False]
        if photon is not None:
            if self.efficiency == 1.0 or rng.random() < self.efficiency:
                clicks[measure(photon, rng=rng, basis=basis)] = True
            discard(photon, rng=rng)
        if self.p_dark:
            clicks = [click or rng.random() < self.p_dark for click in clicks]
        if clicks[0] and clicks[1]:
            return int(rng.integers(2))
        return clicks.index(True) if any(clicks) else None

    def _detect(self, photon: Any) -> None:
        self.output.send(self.detect(photon, self.basis))
