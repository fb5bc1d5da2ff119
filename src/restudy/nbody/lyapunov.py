"""Whether an orbit is chaotic, and how soon it forgets: Lyapunov's exponent and MEGNO.

A small deviation delta is moved by the derivative of the map of Wisdom and Holman, so it stays
small without end and is exact. On regular orbits it grows linearly, so ``ln |delta| / t`` falls as
``ln t / t`` and MEGNO, ``<Y>``, tends to 2; on chaotic ones the former tends to the exponent lambda
and ``<Y>`` grows as ``lambda t / 2``. Phases mean something for some times ``1 / lambda``.

Sources: P. M. Cincotta and C. Simo, Astron. Astrophys. Suppl. 147, 205 (2000); for maps
P. M. Cincotta, C. M. Giordano and C. Simo, Physica D 182, 151 (2003),
doi:10.1016/S0167-2789(03)00103-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from restudy.nbody.compiled_planets import nearest_encounter
from restudy.nbody.compiled_setup import check_steps
from restudy.nbody.compiled_single import drift, kick
from restudy.nbody.errors import NBodyError
from restudy.nbody.flow import begun
from restudy.nbody.lanes import put
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.tangent import drift_deviations, kick_deviations

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chaos:
    """How a deviation grew.

    Attributes
    ----------
    times : numpy.ndarray, shape (samples,)
        Since the start [yr].
    growth : numpy.ndarray, shape (samples,)
        ``ln |delta(t) / delta(0)|``.
    megno : numpy.ndarray, shape (samples,)
        ``<Y>``, the mean of Y up to each time.
    """

    times: FloatArray
    growth: FloatArray
    megno: FloatArray

    @property
    def exponent(self) -> float:
        """The estimate of Lyapunov's exponent at the end, ``ln |delta| / t`` [1/yr]."""
        return float(self.growth[-1] / self.times[-1])

    @property
    def lyapunov_time(self) -> float:
        """Its inverse [yr]: of a regular orbit it grows with the length of the run."""
        return 1 / self.exponent


def chaos(
    system: System,
    step: float,
    steps: int,
    *,
    rng: np.random.Generator,
    sample_every: int = 1,
    split: Split = REBOUND,
    hill_radii: float = 1.0,
) -> Chaos:
    """Follow a system and a deviation from it.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h of the map [yr].
    steps : int
        Number of steps.
    rng : numpy.random.Generator
        Of the direction of the first deviation.
    sample_every : int
        Steps from one sample to the next.
    split : Split
        What is a Kepler orbit, and what is interaction.
    hill_radii : float
        How close planets may come, as of `restudy.nbody.compiled.integrate_compiled`.

    Returns
    -------
    Chaos
        With ``steps // sample_every`` samples.

    Raises
    ------
    CloseEncounter
        At a kick before which two planets met.
    NBodyError
        If an argument is impossible, planets are not in order, or numbers overflow.

    Notes
    -----
    Deviations are of Jacobi coordinates [au] and their velocities [au/yr], with the plain norm, and
    are looked at between a kick and the drift behind it. A step costs about three of the map.

    Examples
    --------
    Jupiter and Saturn are regular.

    >>> from restudy.nbody.catalogue import sun_jupiter_saturn
    >>> run = chaos(sun_jupiter_saturn(), 0.5, 20000, rng=np.random.default_rng(1))
    >>> bool(abs(run.megno[-1] - 2) < 0.1)
    True
    """
    check_steps(step, steps, sample_every, hill_radii)
    planets, q, v, work = begun(system, step, split, hill_radii)
    dq, dv = np.zeros((2, 3, planets.width))
    dq[:, : planets.number], dv[:, : planets.number] = rng.normal(size=(2, 3, planets.number))
    growth, megno = np.empty((2, steps // sample_every))
    met = _grow(
        *(q, v, dq.ravel(), dv.ravel(), planets, work, float(step), steps, sample_every),
        *(growth, megno),
    )
    if met >= 0:
        raise nearest_encounter(system, planets, q, step * met)
    if not np.isfinite(growth).all():
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    times = np.asarray(step * sample_every * np.arange(1, len(growth) + 1), dtype=np.float64)
    return Chaos(times, growth, megno)


@njit(cache=True, nogil=True)
def _grow(q, v, dq, dv, planets, work, h, steps, every, growth, megno):  # type: ignore[no-untyped-def]
    """Fill growth and MEGNO; give the number of steps before an encounter, or -1."""
    q0, v0 = np.empty_like(q), np.empty_like(v)
    total, y, mean = 0.0, 0.0, 0.0
    kick_deviations(q, dq, dv, planets, 0.5 * h)
    if kick(q, v, planets, work, 0.5 * h):
        return 0
    _normalise(dq, dv)
    for step in range(1, steps + 1):
        put(q0, q)
        put(v0, v)
        drift(q, v, planets, h)
        drift_deviations(q0, v0, q, v, dq, dv, planets, h)
        kick_deviations(q, dq, dv, planets, h)
        if kick(q, v, planets, work, h):
            return step
        grown = np.log(_normalise(dq, dv))
        total += grown
        y = ((step - 1) * y + 2 * step * grown) / step
        mean = ((step - 1) * mean + y) / step
        if step % every == 0:
            growth[step // every - 1], megno[step // every - 1] = total, mean
    return -1


@njit(cache=True)
def _normalise(dq, dv):  # type: ignore[no-untyped-def]
    """Make the deviation's norm 1; give what it was."""
    norm = np.sqrt(np.dot(dq, dq) + np.dot(dv, dv))
    dq /= norm
    dv /= norm
    return norm
