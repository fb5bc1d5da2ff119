"""Any sequence of Kepler drifts and kicks of one system, in compiled code.

The Hamiltonian is ``A + B``, Kepler orbits and interaction; `Sequence` holds which of the two flows
is followed for which part of a step. Compositions of higher order and the symplectic correctors are
such sequences, so one function runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from restudy.nbody.compiled_planets import jacobi_planets, nearest_encounter
from restudy.nbody.compiled_setup import (
    barycentric,
    check_order,
    check_steps,
    filled,
    mutual_hill_radii,
    place_back,
    started,
    to_jacobi,
    to_star_matrix,
)
from restudy.nbody.compiled_single import Planets, Work, drift, kick
from restudy.nbody.errors import NBodyError
from restudy.nbody.lanes import inlined, inner, put
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]


class Flow(IntEnum):
    """What a stage follows.

    A lazy kick takes the force where it would push the planets in ``h^2 / 12``, which stands for
    the commutator ``[B, [A, B]] / 24`` (Wisdom, Holman & Touma 1996, eq. 10.6).
    """

    DRIFT = 0
    KICK = 1
    LAZY_KICK = 2


@dataclass(frozen=True)
class Sequence:
    """Flows one after the other.

    Attributes
    ----------
    flows : tuple of Flow
        Of each stage.
    parts : tuple of float
        For which part of a step it is followed; may be below 0.
    """

    flows: tuple[Flow, ...] = ()
    parts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.flows) != len(self.parts):
            raise NBodyError(
                f"{len(self.flows)} flows and {len(self.parts)} parts of a step; expected as many."
            )

    def __add__(self, other: Sequence) -> Sequence:
        return Sequence(self.flows + other.flows, self.parts + other.parts)

    def inverse(self) -> Sequence:
        """Return what undoes the sequence: all backwards, with opposite signs."""
        return Sequence(self.flows[::-1], tuple(-x for x in self.parts[::-1]))

    @property
    def kicks(self) -> int:
        """The number of kicks, those on both ends counted as one, and at least 1."""
        return max(1, sum(flow is not Flow.DRIFT for flow in self.flows[1:]))

    def arrays(self) -> tuple[NDArray[np.int64], FloatArray]:
        """Return flows and parts as arrays."""
        return np.array(self.flows, dtype=np.int64), np.array(self.parts, dtype=np.float64)


def integrate_sequence(
    system: System,
    step: float,
    steps: int,
    sequence: Sequence,
    *,
    before: Sequence | None = None,
    sample_every: int = 1,
    split: Split = REBOUND,
    hill_radii: float = 1.0,
) -> Trajectory:
    """Follow a system by a sequence of drifts and kicks in Jacobi coordinates.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h [yr].
    steps : int
        Number of steps.
    sequence : Sequence
        One step; its first and last stage follow the same flow, and those that meet are one.
    before : Sequence, optional
        Done at the start, and undone for each sample.
    sample_every : int
        Steps from one sample to the next; it changes no bit of the samples that are taken.
    split : Split
        What is a Kepler orbit, and what is interaction.
    hill_radii : float
        How close planets may come, as of `restudy.nbody.compiled.integrate_compiled`.

    Returns
    -------
    Trajectory
        With ``steps // sample_every + 1`` samples, in the frame given.

    Raises
    ------
    CloseEncounter
        At a kick before which two planets met.
    NBodyError
        If an argument is impossible, planets are not in order, or numbers overflow.
    """
    check_steps(step, steps, sample_every, hill_radii)
    if len(sequence.flows) < 2 or sequence.flows[0] != sequence.flows[-1]:
        raise NBodyError("a step begins and ends with different flows; expected the same one.")
    planets, q, v, work = begun(system, step / sequence.kicks, split, hill_radii)
    out_q, out_v = (np.empty((steps // sample_every + 1, len(q))) for _ in range(2))
    out_q[0], out_v[0] = q, v
    corrector = before or Sequence()
    met = _follow(
        *(q, v, planets, work, float(step), steps, sample_every),
        *(sequence.arrays(), corrector.arrays(), corrector.inverse().arrays(), out_q, out_v),
    )
    if met >= 0:
        raise nearest_encounter(system, planets, q, step * met)
    if not np.isfinite(out_q).all():
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    places, speeds = (_seen_from_barycentre(system, planets, x) for x in (out_q, out_v))
    times = np.asarray(step * sample_every * np.arange(len(places)), dtype=np.float64)
    place_back((places, speeds), system, times)
    return Trajectory(times, places, speeds)


def begun(
    system: System, step: float, split: Split, hill_radii: float
) -> tuple[Planets, FloatArray, FloatArray, Work]:
    """Return planets, Jacobi coordinates and their velocities, and memory of compiled code."""
    checked = started([system], np.array([step]))
    check_order([system], checked.axes)
    near = hill_radii * mutual_hill_radii(system.masses, checked.axes[0])
    planets = jacobi_planets(system, split, near)
    q, v = (
        filled(to_jacobi(system.masses, x).T, planets.width).ravel()
        for x in (system.positions, system.velocities)
    )
    return planets, q, v, Work(*(np.zeros(len(q)) for _ in range(3)))


def _seen_from_barycentre(system: System, planets: Planets, x: FloatArray) -> FloatArray:
    """Return Jacobi coordinates, (samples, 3 * width), as those of all bodies."""
    jacobi = x.reshape(len(x), 3, -1).transpose(0, 2, 1)[:, : planets.number]
    return barycentric(system.masses, to_star_matrix(system.masses) @ jacobi)


@njit(cache=True, nogil=True, error_model="numpy")
def apply(q, v, planets, work, h, flows, parts):  # type: ignore[no-untyped-def]
    """Follow the stages in place; give whether two planets came too close at a kick."""
    close = False
    for i in range(len(flows)):
        if _stage(q, v, planets, work, h, flows[i], parts[i]):
            close = True
    return close


@inlined
def _stage(q, v, planets, work, h, flow, part):  # type: ignore[no-untyped-def]
    if flow == 0:
        drift(q, v, planets, part * h)
        return False
    if flow == 1:
        return kick(q, v, planets, work, part * h) != 0
    return _lazy_kick(q, v, planets, work, h, part * h)


@inner
def _lazy_kick(q, v, planets, work, h, time):  # type: ignore[no-untyped-def]
    acceleration = np.zeros_like(v)
    kick(q, acceleration, planets, work, 1.0)
    return kick(q + h * h / 12 * acceleration, v, planets, work, time) != 0


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(q, v, planets, work, h, steps, every, sequence, before, after, out_q, out_v):  # type: ignore[no-untyped-def]
    """Make all steps, stages that meet merged, and write samples, each on a copy.

    Give the number of steps before the one with an encounter, or -1 without any.
    """
    flows, parts = sequence
    count, ends = len(flows), parts[-1] + parts[0]
    here_q, here_v = np.empty_like(q), np.empty_like(v)
    close = apply(q, v, planets, work, h, before[0], before[1])
    if close or apply(q, v, planets, work, h, flows[:1], parts[:1]):
        return 0
    for step in range(1, steps + 1):
        for i in range(1, count - 1):
            if _stage(q, v, planets, work, h, flows[i], parts[i]):
                return step - 1
        if step % every == 0:
            put(here_q, q)
            put(here_v, v)
            apply(here_q, here_v, planets, work, h, flows[-1:], parts[-1:])
            apply(here_q, here_v, planets, work, h, after[0], after[1])
            put(out_q[step // every], here_q)
            put(out_v[step // every], here_v)
        if step < steps and _stage(q, v, planets, work, h, flows[0], ends):
            return step
    return -1
