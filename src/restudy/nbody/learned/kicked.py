"""The Wisdom-Holman map of one system with any kick, be it exact, zero or learned.

The drift is compiled and the kick is any Python function, which may see momenta, as that of the
paper's network does: then the map is no longer symplectic, and the step is still explicit. Runs
with the exact kick or none are compiled as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from restudy.nbody.arguments import check_number, check_whole
from restudy.nbody.compiled_drift import kepler_one
from restudy.nbody.errors import NBodyError
from restudy.nbody.jacobi import inertial_matrix, jacobi_masses
from restudy.nbody.lanes import put
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JacobiFrame:
    """Masses of a system, and what relates its Jacobi coordinates to places in space.

    Attributes
    ----------
    masses : numpy.ndarray, shape (N,)
        Of star and planets, from the inside to the outside [M_sun].
    gravity : float
        The constant of gravity [au^3 / (M_sun yr^2)].
    """

    masses: FloatArray
    gravity: float

    @cached_property
    def reduced(self) -> FloatArray:
        """The mass of each Jacobi coordinate, m' = m eta_{i-1} / eta_i, (N - 1,)."""
        return jacobi_masses(self._tensor)[1:].numpy()

    @cached_property
    def mu(self) -> FloatArray:
        """What attracts each planet in the drift, G m_0 eta_i / eta_{i-1}, (N - 1,)."""
        return WISDOM_HOLMAN_91.mu(self._tensor, self.gravity).numpy()

    @cached_property
    def places(self) -> FloatArray:
        """The matrix from Jacobi coordinates to places about the barycentre, (N, N - 1)."""
        return inertial_matrix(self._tensor)[:, 1:].numpy().copy()

    @property
    def _tensor(self) -> torch.Tensor:
        return torch.tensor(self.masses)

    @cached_property
    def heliocentric(self) -> FloatArray:
        """The matrix from Jacobi coordinates to those about the star, (N - 1, N - 1)."""
        return self.places[1:] - self.places[0]

    def jacobi(self, places: FloatArray) -> FloatArray:
        """Return the Jacobi coordinates (..., N - 1, 3) of places or velocities (..., N, 3)."""
        about_star = places[..., 1:, :] - places[..., :1, :]
        return np.asarray(np.linalg.solve(self.heliocentric, about_star), np.float64)


def frame_of(system: System) -> JacobiFrame:
    """Return the frame of a system, whose planets are in the order of their Jacobi coordinates."""
    return JacobiFrame(system.masses, system.gravity)


class Kick(Protocol):
    """What accelerates the planets between two drifts."""

    def __call__(self, q: FloatArray, v: FloatArray, /) -> FloatArray:
        """Return Jacobi accelerations (N - 1, 3) of Jacobi positions and velocities."""
        ...


class ZeroKick:
    """No interaction at all: each planet stays on its ellipse."""

    share = 0.0  # of the exact kick

    def __call__(self, q: FloatArray, v: FloatArray, /) -> FloatArray:
        """Return zeros."""
        return np.zeros_like(q)


class TrueKick:
    """The acceleration by the interaction Hamiltonian of Wisdom & Holman (1991).

    Parameters
    ----------
    frame : JacobiFrame
        Of the system.
    """

    share = 1.0

    def __init__(self, frame: JacobiFrame) -> None:
        self._frame = frame

    def __call__(self, q: FloatArray, v: FloatArray, /) -> FloatArray:
        """Return Jacobi accelerations [au/yr2]."""
        frame = self._frame
        force = interaction_force(q, frame.masses, frame.places, frame.gravity)
        return force / frame.reduced[:, None]


@dataclass(frozen=True, eq=False)
class JacobiTrajectory:
    """States of a run in Jacobi coordinates, the first among them.

    Attributes
    ----------
    frame : JacobiFrame
        Masses.
    times : numpy.ndarray, shape (samples,)
        Since the start [yr].
    positions, velocities : numpy.ndarray, shape (samples, N - 1, 3)
        After the second half of the kick [au], [au/yr].
    """

    frame: JacobiFrame
    times: FloatArray
    positions: FloatArray
    velocities: FloatArray

    def barycentric(self) -> Trajectory:
        """Return the trajectory of star and planets in the frame of the barycentre."""
        places = self.frame.places
        return Trajectory(self.times, places @ self.positions, places @ self.velocities)


def integrate_kicked(
    system: System,
    step: float,
    steps: int,
    kick: Kick,
    *,
    first: Kick | None = None,
    sample_every: int = 1,
) -> JacobiTrajectory:
    """Follow a system: half a kick, a drift, half a kick.

    Parameters
    ----------
    system : System
        With the planets in the order of their Jacobi coordinates.
    step : float
        Of time [yr].
    steps : int
        How many.
    kick : Kick
        Called after each drift; what it returns serves this step's second and the next step's
        first half.
    first : Kick, optional
        Of the first half step alone; the authors' code has the exact one there, whatever follows.
    sample_every : int
        Steps from one sample to the next.

    Returns
    -------
    JacobiTrajectory
        The start, and each `sample_every`-th step.

    Raises
    ------
    NBodyError
        If the numbers of steps are below 1, or a kick is no number.

    Notes
    -----
    As in the authors' code, any step is taken and no encounter is looked for:
    `restudy.nbody.encounters.check_trajectory` finds those of a run.
    """
    check_number("the step", step)
    check_whole("the number of steps", steps)
    check_whole("sample_every", sample_every)
    if steps < 1 or sample_every < 1:
        raise NBodyError(f"{steps} steps, one in {sample_every} kept; expected 1 or more of both.")
    start = kick if first is None else first
    if isinstance(kick, TrueKick | ZeroKick) and isinstance(start, TrueKick | ZeroKick):
        return follow_exactly(
            system, step, steps, sample_every=sample_every, first=start.share, share=kick.share
        ).states()
    run = _begun(system, step, steps, sample_every)
    q, v = run.positions[0], run.velocities[0]
    acceleration = _checked(start(q, v), 0.0)
    for number in range(1, steps + 1):
        v = v + 0.5 * step * acceleration
        q, v = drift(q, v, run.frame.mu, step)
        acceleration = _checked(kick(q, v), number * step)
        if number % sample_every == 0:
            row = number // sample_every
            run.positions[row], run.velocities[row], run.accelerations[row] = q, v, acceleration
        v = v + 0.5 * step * acceleration
    return run.states()


@dataclass(frozen=True, eq=False)
class KickedRun:
    """A run with what its kicks were.

    Attributes
    ----------
    frame : JacobiFrame
        Masses.
    step : float
        Of time [yr].
    sample_every : int
        Steps from one sample to the next.
    positions, velocities : numpy.ndarray, shape (samples, N - 1, 3)
        Before the second half of the kick; at the start, the start [au], [au/yr].
    accelerations : numpy.ndarray, shape (samples, N - 1, 3)
        By which the second half kicks, 0 at the start [au/yr2].
    """

    frame: JacobiFrame
    step: float
    sample_every: int
    positions: FloatArray
    velocities: FloatArray
    accelerations: FloatArray

    def states(self) -> JacobiTrajectory:
        """Return the states after whole steps."""
        count = np.arange(len(self.positions), dtype=np.float64)
        times = np.asarray(self.step * self.sample_every * count)
        velocities = self.velocities + 0.5 * self.step * self.accelerations
        return JacobiTrajectory(self.frame, times, self.positions, velocities)


def _begun(system: System, step: float, steps: int, sample_every: int) -> KickedRun:
    """Return a run that has its start, and room for its samples."""
    frame = frame_of(system)
    kept = np.zeros((3, steps // sample_every + 1, system.bodies - 1, 3))
    kept[0, 0], kept[1, 0] = frame.jacobi(system.positions), frame.jacobi(system.velocities)
    return KickedRun(frame, step, sample_every, *kept)


def follow_exactly(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    first: float = 1.0,
    share: float = 1.0,
) -> KickedRun:
    """Follow a system with the exact kick, compiled; as `integrate_kicked` does.

    Parameters
    ----------
    system : System
        With the planets in the order of their Jacobi coordinates.
    step : float
        Of time [yr].
    steps : int
        How many.
    sample_every : int
        Steps from one sample to the next.
    first, share : float
        Share of the kick in the first half step, and in all later ones: 1, or 0 for none.

    Returns
    -------
    KickedRun
        The start, and each `sample_every`-th step.

    Raises
    ------
    NBodyError
        If a kick is no number.
    """
    run = _begun(system, step, steps, sample_every)
    frame, kept = run.frame, (run.positions, run.velocities, run.accelerations)
    failed = _follow(
        *(frame.masses, frame.places, frame.places.T.copy(), frame.reduced, frame.mu),
        *(frame.gravity, step, steps, sample_every, first, share, kept),
    )
    if failed >= 0:
        _checked(np.array(np.nan), failed * step)
    return run


def _checked(acceleration: FloatArray, time: float) -> FloatArray:
    if not np.isfinite(acceleration).all():
        raise NBodyError(
            f"the kick at {time:.10g} yr is no number; use a shorter step, or a kick that was "
            "learnt where the planets are."
        )
    return acceleration


@njit(cache=True, nogil=True)
def drift(q, v, mu, step):  # type: ignore[no-untyped-def]
    """Move each planet along its conic; return positions and velocities."""
    positions, velocities = q.copy(), v.copy()
    for i in range(q.shape[0]):
        moved, faster = kepler_one(
            q[i, 0], q[i, 1], q[i, 2], v[i, 0], v[i, 1], v[i, 2], mu[i], step
        )
        for k in range(3):
            positions[i, k] += moved[k]
            velocities[i, k] += faster[k]
    return positions, velocities


def interaction_force(
    q: FloatArray, masses: FloatArray, places: FloatArray, gravity: float
) -> FloatArray:
    """Return -dH_int/dq' of the split of Wisdom & Holman (1991).

    Parameters
    ----------
    q : numpy.ndarray, shape (N - 1, 3)
        Jacobi positions [au].
    masses : numpy.ndarray, shape (N,)
        Of star and planets [M_sun].
    places : numpy.ndarray, shape (N, N - 1)
        Of `JacobiFrame`.
    gravity : float
        The constant of gravity.

    Returns
    -------
    numpy.ndarray, shape (N - 1, 3)
        Forces on the Jacobi coordinates [M_sun au/yr2].
    """
    on_bodies, outwards = _forces(places @ q, q, masses, gravity)
    return np.asarray(places.T @ on_bodies + outwards, np.float64)


@njit(cache=True, nogil=True)
def _follow(masses, places, back, reduced, mu, gravity, h, steps, every, first, share, kept):  # type: ignore[no-untyped-def]
    """Fill positions, velocities and accelerations; give the step of a kick that is none, or -1."""
    positions, velocities, accelerations = kept
    q, v = positions[0].copy(), velocities[0].copy()
    acceleration = np.zeros_like(q)
    for number in range(steps + 1):
        if number > 0:
            v = v + 0.5 * h * acceleration
            q, v = drift(q, v, mu, h)
        part = share if number > 0 else first
        if part != 0.0:
            on_bodies, outwards = _forces(places @ q, q, masses, gravity)
            force = back @ on_bodies + outwards
            for i in range(len(q)):
                put(acceleration[i], part * force[i] / reduced[i])
        else:
            acceleration[:] = 0.0
        if not np.isfinite(acceleration).all():
            return number
        if number == 0:
            continue
        if number % every == 0:
            row = number // every
            put(positions[row].reshape(-1), q.reshape(-1))
            put(velocities[row].reshape(-1), v.reshape(-1))
            put(accelerations[row].reshape(-1), acceleration.reshape(-1))
        v = v + 0.5 * h * acceleration
    return -1


@njit(cache=True, nogil=True)
def _forces(r, q, masses, gravity):  # type: ignore[no-untyped-def]
    """Return forces of all pairs but the first, (N, 3), and what the drift has too much, at q."""
    count = len(masses)
    on_bodies, outwards = np.zeros((count, 3)), np.zeros((count - 1, 3))
    for i in range(count):
        for j in range(max(i + 1, 2), count):
            x, y, z = r[j, 0] - r[i, 0], r[j, 1] - r[i, 1], r[j, 2] - r[i, 2]
            square = x * x + y * y + z * z
            pull = gravity * masses[i] * masses[j] / (square * np.sqrt(square))
            for k, d in enumerate((x, y, z)):
                on_bodies[i, k] += pull * d
                on_bodies[j, k] -= pull * d
    for i in range(1, count - 1):
        square = q[i, 0] ** 2 + q[i, 1] ** 2 + q[i, 2] ** 2
        for k in range(3):
            outwards[i, k] = (
                gravity * masses[0] * masses[i + 1] / (square * np.sqrt(square)) * q[i, k]
            )
    return on_bodies, outwards
