"""Noise: completely positive, trace-preserving maps on a few qubits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, expm1, inf, isfinite, sqrt
from typing import TypeAlias

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states.gates import qubits_of
from restudy.qnet.states.paulis import anticommute, pauli_matrices

_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Channel:
    """A map rho -> sum of K rho K* on k qubits.

    Attributes
    ----------
    name : str
        What error messages call it.
    kraus : numpy.ndarray of complex128, shape (m, 2**k, 2**k)
        Kraus operators; the sum of K* K is 1 to 1e-9.

    Raises
    ------
    QnetError
        If the operators are no square matrices of 2**k rows, or do not keep the trace.

    Examples
    --------
    >>> Channel("lossy", [np.diag([1, 0.5])])
    Traceback (most recent call last):
        ...
    restudy.qnet.errors.QnetError: the channel lossy does not keep the trace: the sum of K* K \
differs from 1 by 0.75; complete its Kraus operators.
    """

    name: str
    kraus: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        kraus = np.array(self.kraus, np.complex128)
        if kraus.ndim != 3 or not len(kraus):
            raise QnetError(
                f"the channel {self.name} has Kraus operators of shape {kraus.shape}; expected "
                "(m, 2**k, 2**k)."
            )
        qubits_of(kraus[0], f"the channel {self.name}")
        total = (kraus.conj().transpose(0, 2, 1) @ kraus).sum(axis=0)
        excess = float(np.abs(total - np.eye(len(total))).max())
        if not excess < _TOLERANCE:
            raise QnetError(
                f"the channel {self.name} does not keep the trace: the sum of K* K differs from 1 "
                f"by {excess:.3g}; complete its Kraus operators."
            )
        kraus.flags.writeable = False
        object.__setattr__(self, "kraus", kraus)

    @cached_property
    def qubits(self) -> int:
        """Number of qubits it acts on."""
        return self.kraus.shape[1].bit_length() - 1

    @cached_property
    def superoperator(self) -> np.ndarray:
        """Sum of K (x) conj(K): acts on matrices written row by row, (4**k, 4**k)."""
        return superoperator(self.kraus)


@dataclass(frozen=True, eq=False)
class PauliChannel:
    """A Pauli drawn by chance on k qubits.

    Attributes
    ----------
    name : str
        What error messages call it.
    probabilities : tuple of float
        4**k of them, in the order of `restudy.qnet.states.paulis`: I, X, Y, Z for one qubit.

    Raises
    ------
    QnetError
        If there are not 4**k of them, one is outside [0, 1], or they do not sum to 1.

    Examples
    --------
    >>> PauliChannel("flip", (0.9, 0.2, 0, 0))
    Traceback (most recent call last):
        ...
    restudy.qnet.errors.QnetError: the probabilities of the channel flip sum to 1.1; expected 1.
    """

    name: str
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        count = len(self.probabilities)
        if count < 4 or count & (count - 1) or count.bit_length() % 2 == 0:
            raise QnetError(
                f"the channel {self.name} has {count} probabilities; expected 4**k for k qubits."
            )
        for p in self.probabilities:
            if not 0 <= p <= 1:
                raise QnetError(
                    f"the channel {self.name} has the probability {p}; expected 0 to 1."
                )
        total = sum(self.probabilities)
        if abs(total - 1) > _TOLERANCE:
            raise QnetError(
                f"the probabilities of the channel {self.name} sum to {total:g}; expected 1."
            )

    @cached_property
    def qubits(self) -> int:
        """Number of qubits it acts on."""
        return (len(self.probabilities).bit_length() - 1) // 2

    @cached_property
    def kraus(self) -> np.ndarray:
        """Kraus operators, (4**k, 2**k, 2**k)."""
        scale = np.sqrt(np.array(self.probabilities))
        kraus: np.ndarray = scale[:, None, None] * pauli_matrices(self.qubits)
        return kraus

    @cached_property
    def superoperator(self) -> np.ndarray:
        """Sum of p P (x) conj(P): acts on matrices written row by row, (4**k, 4**k)."""
        return superoperator(self.kraus)

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """Factor by which the mean of each Pauli shrinks, 4**k."""
        p = self.probabilities
        if len(p) == 4:
            return (
                1.0,
                p[0] + p[1] - p[2] - p[3],
                p[0] - p[1] + p[2] - p[3],
                p[0] - p[1] - p[2] + p[3],
            )
        return tuple(
            sum(-c if anticommute(q, r) else c for r, c in enumerate(p)) for q in range(len(p))
        )

    def draw(self, rng: np.random.Generator) -> int:
        """Draw a Pauli, as a number; one uniform number is used."""
        return drawn(self.probabilities, rng)


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Decay of ``|1>`` to ``|0>``, then dephasing, of one qubit.

    Attributes
    ----------
    name : str
        What error messages call it.
    decay : float
        Probability that ``|1>`` decays.
    flip : float
        Probability of the Z after that.

    Raises
    ------
    QnetError
        If a probability is outside [0, 1].
    """

    name: str
    decay: float
    flip: float

    def __post_init__(self) -> None:
        probability(self.decay, f"the decay of {self.name}")
        probability(self.flip, f"the dephasing of {self.name}")

    @property
    def qubits(self) -> int:
        """Number of qubits it acts on: one."""
        return 1

    @cached_property
    def kraus(self) -> np.ndarray:
        """Kraus operators, (4, 2, 2)."""
        damping = np.array(
            [[[1, 0], [0, sqrt(1 - self.decay)]], [[0, sqrt(self.decay)], [0, 0]]], np.complex128
        )
        flipped = sqrt(self.flip) * np.diag([1, -1]) @ damping
        return np.concatenate([sqrt(1 - self.flip) * damping, flipped])

    @cached_property
    def superoperator(self) -> np.ndarray:
        """Sum of K (x) conj(K): acts on matrices written row by row, (4, 4)."""
        return superoperator(self.kraus)


Noise: TypeAlias = Channel | PauliChannel | Relaxation


def superoperator(kraus: np.ndarray) -> np.ndarray:
    """Return the sum of K (x) conj(K) over Kraus operators (m, d, d), (d * d, d * d) read-only."""
    size = kraus.shape[1] ** 2
    both = np.einsum("mij,mkl->ikjl", kraus, kraus.conj())
    matrix = np.ascontiguousarray(both.reshape(size, size))
    matrix.flags.writeable = False
    return matrix


def drawn(probabilities: Sequence[float], rng: np.random.Generator) -> int:
    """Draw an index by its probability; one uniform number is used.

    An index of probability zero is never drawn, even where rounding makes the sum less than one.
    """
    u = rng.random()
    last = 0
    for index, p in enumerate(probabilities):
        if p > 0:
            last = index
            if u < p:
                break
            u -= p
    return last


def probability(p: float, what: str) -> float:
    """Return p.

    Raises
    ------
    QnetError
        If it is not a number from 0 to 1.
    """
    if not 0 <= p <= 1:
        raise QnetError(f"{what} has the probability {p}; expected 0 to 1.")
    return p


def dephasing(p: float) -> PauliChannel:
    """Apply Z with probability p.

    Examples
    --------
    >>> dephasing(0.25).probabilities
    (0.75, 0.0, 0.0, 0.25)
    """
    probability(p, "dephasing")
    return PauliChannel("dephasing", (1.0 - p, 0.0, 0.0, float(p)))


def depolarising(p: float, qubits: int = 1) -> PauliChannel:
    """Replace the qubits, together, by the maximally mixed state with probability p.

    rho -> (1 - p) rho + p I / 2**k: each of the 4**k - 1 Paulis other than I has probability
    p / 4**k. (Others call p what is 3 p / 4 here for one qubit.)

    Examples
    --------
    >>> depolarising(0.4).probabilities
    (0.7, 0.1, 0.1, 0.1)
    """
    each = probability(p, "depolarising") / 4**qubits
    return PauliChannel("depolarising", (1.0 - (4**qubits - 1) * each,) + (each,) * (4**qubits - 1))


def amplitude_damping(p: float) -> Relaxation:
    """Let ``|1>`` decay to ``|0>`` with probability p.

    Examples
    --------
    >>> amplitude_damping(0.25).superoperator[0, 3].real  # from |1><1| to |0><0|
    np.float64(0.25)
    """
    return Relaxation("amplitude damping", p, 0.0)


def t1_t2(dt_ns: float, t1_ns: float, t2_ns: float) -> Relaxation | PauliChannel:
    r"""Relax for a time dt: populations with T1, coherence with T2.

    Amplitude damping with :math:`1 - e^{-t/T_1}`, then dephasing with
    :math:`(1 - e^{-t/T_2} e^{t/(2 T_1)})/2` (arXiv 2010.12535, Supplementary Note 4).

    Parameters
    ----------
    dt_ns, t1_ns, t2_ns : float
        Elapsed time, relaxation time and coherence time in one unit; both times may be infinite.

    Returns
    -------
    Relaxation or PauliChannel
        The latter if T1 is infinite, so that the noise is Pauli noise.

    Raises
    ------
    QnetError
        If a time is negative or not a number, T1 or T2 is zero, or T2 > 2 T1.

    Examples
    --------
    >>> second = 1e9  # an electron spin, idle for 0.1 s
    >>> idle = t1_t2(0.1 * second, 3600 * second, 1.46 * second)
    >>> round(idle.decay, 9), round(idle.flip, 7)
    (2.7777e-05, 0.0330936)
    """
    if not (isfinite(dt_ns) and dt_ns >= 0):
        raise QnetError(f"the elapsed time is {dt_ns} ns; expected a finite time, not negative.")
    if not (t1_ns > 0 and t2_ns > 0):
        raise QnetError(f"T1 is {t1_ns} ns and T2 is {t2_ns} ns; expected times above zero.")
    if t2_ns > 2 * t1_ns:
        raise QnetError(
            f"T2 is {t2_ns} ns and T1 is {t1_ns} ns; T2 cannot exceed 2 T1: lower T2 or raise T1."
        )
    if t1_ns == inf:
        return dephasing(0.5 - 0.5 * exp(-dt_ns / t2_ns))
    flip = 0.5 - 0.5 * exp(dt_ns * (0.5 / t1_ns - 1 / t2_ns))
    return Relaxation("T1, T2", -expm1(-dt_ns / t1_ns), flip)
