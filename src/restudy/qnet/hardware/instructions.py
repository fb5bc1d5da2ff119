"""Timed, noisy instructions on a few qubits, and programs made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TypeAlias

import numpy as np

from restudy.qnet import arguments
from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import Noise
from restudy.qnet.states.gates import Operator


@dataclass(frozen=True, eq=False)
class TimedInstruction:
    """What happens to some qubits at the end of a duration.

    Until then they decohere like idle ones.

    Attributes
    ----------
    name : str
        What error messages call it.
    at : tuple of int
        Positions it acts on; the first is the most significant bit.
    duration_ns : float
        How long it takes, ns.
    outcomes : tuple of numpy.ndarray, each of shape (m, 2**k, 2**k)
        Kraus operators of each outcome; one entry unless it is a measurement.

    Raises
    ------
    QnetError
        If operators and positions do not fit, the duration is negative, or the sum of K* K over
        all outcomes is not 1 to 1e-9.
    """

    name: str
    at: tuple[int, ...]
    duration_ns: float
    outcomes: tuple[np.ndarray, ...] = field(repr=False)

    def __post_init__(self) -> None:
        arguments.real(f"the duration of {self.name}", self.duration_ns, least=0.0)
        size = 2 ** len(self.at)
        total = np.zeros((size, size), np.complex128)
        for kraus in self.outcomes:
            if kraus.ndim != 3 or kraus.shape[1:] != (size, size):
                raise QnetError(
                    f"{self.name} acts at {len(self.at)} positions and has operators of shape "
                    f"{kraus.shape}; expected (m, {size}, {size})."
                )
            total += (kraus.conj().transpose(0, 2, 1) @ kraus).sum(axis=0)
        if len(set(self.at)) != len(self.at):
            raise QnetError(f"{self.name} acts at {self.at}; give each position once.")
        excess = float(np.abs(total - np.eye(size)).max())
        if not excess < 1e-9:
            raise QnetError(
                f"{self.name} does not keep the trace: the sum of K* K differs from 1 by "
                f"{excess:.3g}; complete its outcomes."
            )


Program: TypeAlias = tuple[tuple[TimedInstruction, ...], ...]
"""Steps one after the other; the instructions of a step start together, on different qubits."""


def duration_ns(program: Program) -> float:
    """Return how long a program takes: the sum of the longest instruction of each step."""
    return sum(max(one.duration_ns for one in step) for step in program)


def gate(
    operator: Operator, at: tuple[int, ...], lasts_ns: float, noise: Noise | None = None
) -> TimedInstruction:
    """Return a unitary, followed by the same one-qubit noise on each of its qubits.

    Raises
    ------
    QnetError
        If the operator does not act on as many qubits as there are positions.
    """
    kraus = operator.matrix[None]
    if noise is not None:
        each = noise.kraus
        for _ in at[1:]:
            size = 2 * each.shape[1]
            each = np.einsum("aij,bkl->abikjl", each, noise.kraus).reshape(-1, size, size)
        kraus = each @ kraus
    return TimedInstruction(operator.name, at, lasts_ns, (kraus,))


def initialise(at: int, lasts_ns: float, noise: Noise | None = None) -> TimedInstruction:
    """Return the replacement of a qubit by ``|0>``, followed by noise."""
    kraus = np.zeros((2, 2, 2), np.complex128)
    kraus[0, 0, 0] = kraus[1, 0, 1] = 1
    if noise is not None:
        kraus = (noise.kraus[:, None] @ kraus).reshape(-1, 2, 2)
    return TimedInstruction("initialise", (at,), lasts_ns, (kraus,))


def readout(at: int, lasts_ns: float, f0: float, f1: float) -> TimedInstruction:
    """Return a Z measurement that reads 0 in ``|0>`` with probability f0, and 1 in ``|1>`` with f1.

    Examples
    --------
    >>> bright, dark = readout(0, 3700.0, 0.95, 0.995).outcomes
    >>> (np.diag(bright[0]).real ** 2).round(3).tolist()  # reads 0 in |0>, in |1>
    [0.95, 0.005]
    """
    arguments.probability("f0", f0)
    arguments.probability("f1", f1)
    zero = np.diag([sqrt(f0), sqrt(1 - f1)]).astype(np.complex128)
    one = np.diag([sqrt(1 - f0), sqrt(f1)]).astype(np.complex128)
    return TimedInstruction("readout", (at,), lasts_ns, (zero[None], one[None]))


def positions(program: Program) -> int:
    """Return one more than the highest position that a program touches."""
    return 1 + max((at for step in program for one in step for at in one.at), default=-1)


def check_program(program: Sequence[Sequence[TimedInstruction]]) -> None:
    """Raise `QnetError` if a step is empty or two of its instructions share a qubit."""
    for number, step in enumerate(program):
        used = [at for one in step for at in one.at]
        if not used:
            raise QnetError(f"step {number} of the program is empty; leave it out.")
        if len(set(used)) != len(used):
            raise QnetError(
                f"step {number} of the program acts at {used} at once; put instructions on the "
                "same qubit into steps of their own."
            )
