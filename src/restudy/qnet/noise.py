"""Models of components: noise that grows with time, delay and loss of fibre.

Each is a small frozen dataclass that knows nothing of the component it is given to, so one object
serves a whole network.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from restudy.qnet.arguments import positive, probability, real
from restudy.qnet.states.channels import Noise, PauliChannel, dephasing, depolarising, t1_t2


class NoiseModel(Protocol):
    """What a qubit suffers as time passes."""

    def channel(self, elapsed_ns: float) -> Noise | None:
        """Return the noise of an elapsed time, ns; None if there is none."""
        ...


class DelayModel(Protocol):
    """How long a message travels."""

    def delay_ns(self, length_km: float) -> float:
        """Return the time for a length, ns."""
        ...


class LossModel(Protocol):
    """How a message is lost."""

    def probability(self, length_km: float) -> float:
        """Return the probability of loss over a length."""
        ...


@dataclass(frozen=True)
class DepolarNoise:
    """Depolarising at a rate: rho -> (1 - p) rho + p I/2 with p = 1 - exp(-rate t).

    Attributes
    ----------
    rate_hz : float
        Rate, Hz, not negative: one over the time constant.

    Examples
    --------
    >>> one_second = DepolarNoise(rate_hz=1.0).channel(1e9)
    >>> round(one_second.probabilities[1], 6)  # (1 - 1/e) / 4
    0.15803
    """

    rate_hz: float

    def __post_init__(self) -> None:
        real("rate_hz of DepolarNoise", self.rate_hz, least=0.0)

    def channel(self, elapsed_ns: float) -> Noise | None:
        """Return the noise of an elapsed time, ns; None if there is none."""
        return _depolarised(self.rate_hz, elapsed_ns) if elapsed_ns and self.rate_hz else None


@dataclass(frozen=True)
class DephaseNoise:
    """Dephasing at a rate: Z with probability p = (1 - exp(-rate t)) / 2.

    Coherence decays as exp(-rate t), so the rate is one over T2.

    Attributes
    ----------
    rate_hz : float
        Rate, Hz, not negative.

    Examples
    --------
    >>> round(DephaseNoise(rate_hz=1.0).channel(1e9).probabilities[3], 6)  # (1 - 1/e) / 2
    0.31606
    """

    rate_hz: float

    def __post_init__(self) -> None:
        real("rate_hz of DephaseNoise", self.rate_hz, least=0.0)

    def channel(self, elapsed_ns: float) -> Noise | None:
        """Return the noise of an elapsed time, ns; None if there is none."""
        return _dephased(self.rate_hz, elapsed_ns) if elapsed_ns and self.rate_hz else None


@dataclass(frozen=True)
class T1T2Noise:
    """Relaxation with T1 and loss of coherence with T2.

    Attributes
    ----------
    t1_ns, t2_ns : float
        Times above zero, ns, T2 at most 2 T1; both may be infinite.

    Examples
    --------
    >>> T1T2Noise(t1_ns=1e9, t2_ns=3e9)
    Traceback (most recent call last):
        ...
    restudy.qnet.errors.QnetError: T2 is 3000000000.0 ns and T1 is 1000000000.0 ns; T2 cannot \
exceed 2 T1: lower T2 or raise T1.
    """

    t1_ns: float
    t2_ns: float

    def __post_init__(self) -> None:
        t1_t2(0.0, self.t1_ns, self.t2_ns)

    def channel(self, elapsed_ns: float) -> Noise | None:
        """Return the noise of an elapsed time, ns; None if there is none."""
        return _relaxed(elapsed_ns, self.t1_ns, self.t2_ns) if elapsed_ns else None


@dataclass(frozen=True)
class FixedNoise:
    """The same noise whatever the time: of an operation rather than of waiting.

    Attributes
    ----------
    noise : Noise
        It acts on one qubit; or, for an instruction, on all of its qubits together.
    """

    noise: Noise

    def channel(self, elapsed_ns: float) -> Noise | None:
        """Return the noise."""
        return self.noise


@dataclass(frozen=True)
class FibreDelay:
    """Light in fibre.

    Attributes
    ----------
    speed_km_per_s : float
        Speed of light in the fibre, km/s.

    Examples
    --------
    >>> FibreDelay().delay_ns(20.0)
    100000.0
    """

    speed_km_per_s: float = 200_000.0

    def __post_init__(self) -> None:
        positive("speed_km_per_s of FibreDelay", self.speed_km_per_s)

    def delay_ns(self, length_km: float) -> float:
        """Return the time for a length, ns."""
        return length_km * 1e9 / self.speed_km_per_s


@dataclass(frozen=True)
class FixedDelay:
    """The same time for any length.

    Attributes
    ----------
    time_ns : float
        The time, ns.
    """

    time_ns: float

    def __post_init__(self) -> None:
        real("time_ns of FixedDelay", self.time_ns, least=0.0)

    def delay_ns(self, length_km: float) -> float:
        """Return the time, ns."""
        return self.time_ns


@dataclass(frozen=True)
class FibreLoss:
    """Attenuation of fibre, after a loss at its entrance.

    Attributes
    ----------
    p_init : float
        Probability of loss at the entrance.
    db_per_km : float
        Attenuation, dB/km.

    Examples
    --------
    >>> FibreLoss(p_init=0.5, db_per_km=0.2).probability(50.0)  # a tenth of a half gets through
    0.95
    """

    p_init: float = 0.0
    db_per_km: float = 0.2

    def __post_init__(self) -> None:
        probability("p_init of FibreLoss", self.p_init)
        real("db_per_km of FibreLoss", self.db_per_km, least=0.0)

    def probability(self, length_km: float) -> float:
        """Return the probability of loss over a length."""
        return 1.0 - (1.0 - self.p_init) * 10 ** (-self.db_per_km * length_km / 10)


# Networks ask for the same times again and again.
@lru_cache(maxsize=4096)
def _depolarised(rate_hz: float, elapsed_ns: float) -> PauliChannel:
    return depolarising(-math.expm1(-rate_hz * elapsed_ns * 1e-9))


@lru_cache(maxsize=4096)
def _dephased(rate_hz: float, elapsed_ns: float) -> PauliChannel:
    return dephasing(-0.5 * math.expm1(-rate_hz * elapsed_ns * 1e-9))


@lru_cache(maxsize=4096)
def _relaxed(elapsed_ns: float, t1_ns: float, t2_ns: float) -> Noise:
    return t1_t2(elapsed_ns, t1_ns, t2_ns)
