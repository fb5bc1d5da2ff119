"""Compositions of drifts and kicks of higher order, for orbits that are perturbed a little.

With ``H = A + epsilon B`` an error term ``epsilon^k h^s`` matters the less the larger k is, so the
orders are given one for each power of epsilon: a scheme of orders (8, 2) has the errors
``epsilon h^8 + epsilon^2 h^2``. All schemes here are symmetric, symplectic and reversible.

Sources: J. Laskar and P. Robutel, High order symplectic integrators for perturbed Hamiltonian
systems, Celest. Mech. Dyn. Astron. 80, 39 (2001), doi:10.1023/A:1012098603882, has SABA and SBAB;
S. Blanes, F. Casas, A. Farres, J. Laskar, J. Makazaga and A. Murua, New families of symplectic
splitting methods for numerical integration in dynamical astronomy, Applied Numerical Mathematics
68, 58 (2013), doi:10.1016/j.apnum.2013.01.003, has ABA of orders (10, 4), (8, 6, 4) and
(10, 6, 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restudy.nbody.errors import NBodyError
from restudy.nbody.flow import Flow, Sequence, integrate_sequence
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory


@dataclass(frozen=True)
class Composition:
    """A symmetric sequence of drifts and kicks.

    Attributes
    ----------
    name : str
        As in the source.
    orders : tuple of int
        Of the error at each power of the perturbation, from the first on; the last holds for all
        higher powers.
    sequence : Sequence
        The stages of a step.
    """

    name: str
    orders: tuple[int, ...]
    sequence: Sequence

    @property
    def kicks(self) -> int:
        """The number of kicks a step, which is what it costs."""
        return self.sequence.kicks

    def nodes(self) -> tuple[list[float], list[float]]:
        """Return when kicks happen, in parts of a step, and how strong each is."""
        time, times, weights = 0.0, [], []
        for flow, part in zip(self.sequence.flows, self.sequence.parts, strict=True):
            if flow is Flow.DRIFT:
                time += part
            else:
                times.append(time)
                weights.append(part)
        return times, weights


def saba(kicks: int) -> Composition:
    """Return SABA_n: n kicks at the nodes of Gauss and Legendre; orders (2n, 2).

    Parameters
    ----------
    kicks : int
        n, from 1 to 10; 1 is the leapfrog that begins with a drift.

    Returns
    -------
    Composition
        All its coefficients are above 0.

    Raises
    ------
    NBodyError
        If n is not from 1 to 10.

    References
    ----------
    J. Laskar and P. Robutel (2001), section 4.

    Examples
    --------
    >>> print(np.round(saba(2).sequence.parts, 4))
    [0.2113 0.5    0.5774 0.5    0.2113]
    """
    _check_number(kicks)
    x, w = np.polynomial.legendre.leggauss(kicks)
    times = np.r_[0.0, 0.5 * (1 + x), 1.0]
    return _alternating(f"SABA{kicks}", (2 * kicks, 2), Flow.DRIFT, np.diff(times), 0.5 * w)


def sbab(drifts: int) -> Composition:
    """Return SBAB_n: n drifts between kicks at the nodes of Gauss and Lobatto; orders (2n, 2).

    Parameters
    ----------
    drifts : int
        n, from 1 to 10; 1 is the leapfrog that begins with a kick.

    Returns
    -------
    Composition
        As many kicks a step as drifts, since those on its ends meet.

    Raises
    ------
    NBodyError
        If n is not from 1 to 10.

    References
    ----------
    J. Laskar and P. Robutel (2001), section 4.
    """
    _check_number(drifts)
    legendre = np.polynomial.legendre.Legendre.basis(drifts)
    inner = np.sort(legendre.deriv().roots().real)
    for _ in range(3):  # Newton's steps, to the last digit
        inner = inner - legendre.deriv()(inner) / legendre.deriv(2)(inner)
    x = np.r_[-1.0, 0.5 * (inner - inner[::-1]), 1.0]
    w = 1 / (drifts * (drifts + 1) * legendre(x) ** 2)
    return _alternating(f"SBAB{drifts}", (2 * drifts, 2), Flow.KICK, w, np.diff(0.5 * (1 + x)))


def integrate_composition(
    system: System,
    step: float,
    steps: int,
    composition: Composition,
    *,
    sample_every: int = 1,
    split: Split = REBOUND,
) -> Trajectory:
    """Follow a system by a composition.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h [yr]; a step of n kicks may be n times as long as one of Wisdom and Holman.
    steps : int
        Number of steps.
    composition : Composition
        `ABA_10_6_4`, `ABA_8_6_4`, `ABA_10_4`, or what `saba` and `sbab` return.
    sample_every : int
        Steps from one sample to the next.
    split : Split
        What is a Kepler orbit, and what is interaction.

    Returns
    -------
    Trajectory
        In the frame given.

    Raises
    ------
    CloseEncounter
        At a kick before which two planets met.
    NBodyError
        If an argument is impossible, planets are not in order, or numbers overflow.
    """
    return integrate_sequence(
        system, step, steps, composition.sequence, sample_every=sample_every, split=split
    )


def _check_number(number: int) -> None:
    if not 1 <= number <= 10:
        raise NBodyError(f"a composition of {number} stages was asked for; expected 1 to 10.")


def _alternating(
    name: str,
    orders: tuple[int, ...],
    first: Flow,
    outer: np.ndarray | tuple[float, ...],
    inner: np.ndarray | tuple[float, ...],
) -> Composition:
    """Put `inner` parts between `outer` ones, of which there is one more."""
    second = Flow.KICK if first is Flow.DRIFT else Flow.DRIFT
    stages: list[tuple[Flow, float]] = [(first, float(outer[0]))]
    for a, b in zip(inner, outer[1:], strict=True):
        stages += [(second, float(a)), (first, float(b))]
    flows, parts = zip(*stages, strict=True)
    return Composition(name, orders, Sequence(flows, parts))


def _mirrored(half: tuple[float, ...], count: int) -> tuple[float, ...]:
    """Continue the first half of a symmetric list of `count` numbers."""
    return half + half[: count - len(half)][::-1]


ABA_10_4 = _alternating(
    "ABA(10,4)",
    (10, 4),
    Flow.DRIFT,
    _mirrored(
        (
            0.04706710064597250612947887637243678556564,
            0.1847569354170881069247376193702560968574,
            0.2827060056798362053243616565541452479160,
            -0.01453004174289681837857815229683813033908,
        ),
        8,
    ),
    _mirrored(
        (
            0.1188819173681970199453503950853885936957,
            0.2410504605515015657441667865901651105675,
            -0.2732866667053238060543113981664559460630,
            0.8267085775712504407295884329818044835997,
        ),
        7,
    ),
)
"""7 kicks, errors of epsilon h^10 + epsilon^2 h^4."""

ABA_8_6_4 = _alternating(
    "ABA(8,6,4)",
    (8, 6, 4),
    Flow.DRIFT,
    _mirrored(
        (
            0.0711334264982231177779387300061549964174,
            0.241153427956640098736487795326289649618,
            0.521411761772814789212136078067994229991,
            -0.333698616227678005726562603400438876027,
        ),
        8,
    ),
    _mirrored(
        (
            0.183083687472197221961703757166430291072,
            0.310782859898574869507522291054262796375,
            -0.0265646185119588006972121379164987592663,
            0.0653961422823734184559721793911134363710,
        ),
        7,
    ),
)
"""7 kicks, errors of epsilon h^8 + epsilon^2 h^6 + epsilon^3 h^4."""

ABA_10_6_4 = _alternating(
    "ABA(10,6,4)",
    (10, 6, 4),
    Flow.DRIFT,
    _mirrored(
        (
            0.03809449742241219545697532230863756534060,
            0.1452987161169137492940200726606637497442,
            0.2076276957255412507162056113249882065158,
            0.4359097036515261592231548624010651844006,
            -0.6538612258327867093807117373907094120024,
        ),
        9,
    ),
    _mirrored(
        (
            0.09585888083707521061077150377145884776921,
            0.2044461531429987806805077839164344779763,
            0.2170703479789911017143385924306336714532,
            -0.01737538195906509300561788011852699719871,
        ),
        8,
    ),
)
"""8 kicks, errors of epsilon h^10 + epsilon^2 h^6 + epsilon^3 h^4."""
