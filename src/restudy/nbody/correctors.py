"""Symplectic correctors: the map of Wisdom and Holman seen from better coordinates.

To the first order in the perturbation a step of the map is the flow of ``A + f(h ad_A) B``, with
``f(y) = (y/2) / sinh(y/2)`` where it begins with a drift and ``(y/2) coth(y/2)`` where it begins
with a kick. The coordinates in which this is ``A + B`` are reached by the flow of
``h (f(y) - 1) / y B``. It is done before the first step and undone for each output, and costs
nothing between them; what remains is of the second order in the masses of the planets, and
smaller than ``h^n`` for a corrector of order n.

That flow is a product of ``Z(a, b) = A(a) B(b) A(-2a) B(-b) A(a)``, each of which is to the first
order the flow of ``2 b h sinh(a y) B``. With ``a_i = i sqrt(7/40)`` the b_i solve linear equations,
which is done in fractions.

Source: J. Wisdom, M. Holman and J. Touma, Symplectic correctors, Fields Institute Communications
10, 217 (1996), with the lazy kick in section 10; orders 11 and 17 after J. Wisdom, AJ 131, 2294
(2006), doi:10.1086/500829. H. Rein, D. Tamayo and G. Brown, MNRAS 489, 4632 (2019),
doi:10.1093/mnras/stz2503, compare them.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from math import comb, factorial, sqrt

from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.errors import NBodyError
from restudy.nbody.flow import Flow, Sequence, integrate_sequence
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

ORDERS = (3, 5, 7, 11, 17)
"""Those of the sources; any odd number from 3 to 17 is possible."""

_SQUARE = Fraction(7, 40)


def corrector(order: int, scheme: Scheme = Scheme.DRIFT_KICK_DRIFT) -> Sequence:
    """Return the corrector that is done before the first step.

    Parameters
    ----------
    order : int
        An odd number n from 3 to 17: errors of the first order in the perturbation begin with
        ``h^(n+1)``.
    scheme : Scheme
        How a step of the map begins.

    Returns
    -------
    Sequence
        ``n - 1`` times Z, the mirror image of each among them, so that it is odd in h.

    Raises
    ------
    NBodyError
        If the order is another.

    Examples
    --------
    >>> print(round(corrector(3).parts[1], 12))  # b_31 = -1 / (96 sqrt(7/40))
    -0.024900596028
    """
    if order not in range(3, 18, 2):
        raise NBodyError(f"a corrector of order {order} was asked for; expected one of {ORDERS}.")
    a1 = sqrt(_SQUARE)
    b = [float(x) / (4 * a1) for x in _scaled_kicks((order - 1) // 2, scheme)]
    stages = [(a1 * (i + 1), x) for i, x in enumerate(b)][::-1]
    sequence = Sequence()
    for a, x in stages:
        sequence += _z(a, x)
    for a, x in stages[::-1]:
        sequence += _z(-a, -x)
    return sequence


def integrate_corrected(
    system: System,
    step: float,
    steps: int,
    order: int = 11,
    *,
    sample_every: int = 1,
    split: Split = REBOUND,
    scheme: Scheme = Scheme.DRIFT_KICK_DRIFT,
) -> Trajectory:
    """Follow a system by the map of Wisdom and Holman with a corrector.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h [yr].
    steps : int
        Number of steps.
    order : int
        Of the corrector.
    sample_every : int
        Steps from one sample to the next; each sample costs a corrector.
    split : Split
        What is a Kepler orbit, and what is interaction.
    scheme : Scheme
        How a step begins.

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
    halves = (Flow.DRIFT, Flow.KICK, Flow.DRIFT)
    if scheme is Scheme.KICK_DRIFT_KICK:
        halves = (Flow.KICK, Flow.DRIFT, Flow.KICK)
    return integrate_sequence(
        *(system, step, steps, Sequence(halves, (0.5, 1.0, 0.5))),
        before=corrector(order, scheme),
        sample_every=sample_every,
        split=split,
    )


def integrate_lazy(
    system: System,
    step: float,
    steps: int,
    order: int = 17,
    *,
    sample_every: int = 1,
    split: Split = REBOUND,
) -> Trajectory:
    """Follow a system by drift, lazy kick, drift, with a corrector: WHCKL of rebound.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h [yr].
    steps : int
        Number of steps, each of two evaluations of the interaction.
    order : int
        Of the corrector.
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

    Notes
    -----
    The lazy kick takes the second order in the masses away up to ``h^4``; it is not symplectic by
    a term of ``h^5``, which shows in no energy over 1e6 steps.
    """
    sequence = Sequence((Flow.DRIFT, Flow.LAZY_KICK, Flow.DRIFT), (0.5, 1.0, 0.5))
    return integrate_sequence(
        *(system, step, steps, sequence),
        before=corrector(order),
        sample_every=sample_every,
        split=split,
    )


def _z(a: float, b: float) -> Sequence:
    flows = (Flow.DRIFT, Flow.KICK, Flow.DRIFT, Flow.KICK, Flow.DRIFT)
    return Sequence(flows, (a, b, -2 * a, -b, a))


def _scaled_kicks(count: int, scheme: Scheme) -> list[Fraction]:
    """Return ``4 a_1 b_i``, of ``sum_i 4 b_i sinh(a_i y) = (f(y) - 1) / y`` up to ``y^(2 count)``.

    The factor is 4 because each Z has a mirror image.
    """
    rows = []
    for j in range(1, count + 1):
        target = _series(2 * j, scheme) * factorial(2 * j - 1) / _SQUARE ** (j - 1)
        rows.append([Fraction(i) ** (2 * j - 1) for i in range(1, count + 1)] + [target])
    return _solved(rows)


def _series(power: int, scheme: Scheme) -> Fraction:
    """Return the coefficient of an even power in f."""
    coth = _bernoulli(power) / factorial(power)
    if scheme is Scheme.KICK_DRIFT_KICK:
        return coth
    return (Fraction(2, 2**power) - 1) * coth


@functools.cache
def _bernoulli(n: int) -> Fraction:
    if n == 0:
        return Fraction(1)
    return -sum((comb(n + 1, k) * _bernoulli(k) for k in range(n)), Fraction(0)) / (n + 1)


def _solved(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solve linear equations, each given as coefficients and right side, without rounding."""
    n = len(rows)
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for r in range(n):
            if r != i:
                rows[r] = [x - rows[r][i] * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]
