"""Wisdom and Holman's integrator with a kick by a pair potential, compiled, for one system.

Kick, drift, kick in Jacobi coordinates, with the drift of `restudy.nbody.compiled_single`. The kick
that ends a step is the one that begins the next: a potential is asked once a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from restudy.nbody.compiled_planets import any_closer, jacobi_planets, nearest_encounter
from restudy.nbody.compiled_setup import (
    barycentric,
    check_order,
    check_steps,
    filled,
    kepler_mu,
    mutual_hill_radii,
    place_back,
    started,
    to_jacobi,
    to_star_matrix,
)
from restudy.nbody.compiled_single import Planets, drift
from restudy.nbody.errors import NBodyError
from restudy.nbody.jacobi import jacobi_masses
from restudy.nbody.lanes import inner, put
from restudy.nbody.learned.compiled_pair import NOTHING, PackedPair, pack, pair_kick
from restudy.nbody.learned.guard import Coverage
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.splitting import WISDOM_HOLMAN_91, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]

_ROOM = 4.0  # by which the table goes beyond the separations at the start


@dataclass(frozen=True)
class PairRun:
    """A run with a learned potential.

    Attributes
    ----------
    trajectory : Trajectory
        In the frame given.
    coverage : Coverage
        The separations of the run beside those of the training.
    """

    trajectory: Trajectory
    coverage: Coverage


def integrate_learned(
    system: System,
    potential: PairPotential,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split = WISDOM_HOLMAN_91,
    hill_radii: float = 1.0,
    cells: int = 4096,
) -> PairRun:
    """Follow a system with a learned potential.

    Parameters
    ----------
    system : System
        Sorted by semi-major axis.
    potential : PairPotential
        The potential.
    step : float
        May be negative [yr].
    steps : int
        How many.
    sample_every : int
        Steps from one sample to the next; it divides ``steps``.
    split : Split
        Of the Kepler orbits; Wisdom and Holman's of 1991, which is the paper's, if not given.
    hill_radii : float
        How close planets may come, as of `restudy.nbody.compiled.integrate_compiled`.
    cells : int
        Of the table that the network is read from; 0 asks the network itself each time.

    Returns
    -------
    PairRun
        The orbits, and whether they stayed where the potential was trained.

    Raises
    ------
    CloseEncounter
        At a kick before which two planets met.
    NBodyError
        If the numbers of steps do not fit, or the orbits leave the finite numbers.

    Warns
    -----
    ExtrapolationWarning
        If there were separations outside the range of training.
    """
    packed = pack(potential, cells=cells, reach=_reach(system))
    plan = step, steps, sample_every
    trajectory, seen = _integrate(system, packed, plan, split, hill_radii)
    coverage = Coverage(potential.separations, *(float(x) for x in np.sqrt(seen)))
    coverage.warn()
    return PairRun(trajectory, coverage)


def _reach(system: System) -> tuple[float, float]:
    """Return separations that the table has to have: those at the start, with room."""
    first, second = np.triu_indices(system.bodies, 1)
    apart = system.positions[first] - system.positions[second]
    distances = np.linalg.norm(apart, axis=1)
    return float(distances.min() / _ROOM), float(distances.max() * _ROOM)


def integrate_uncoupled(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split = WISDOM_HOLMAN_91,
) -> Trajectory:
    """Follow the Kepler orbits without any kick, the control; see `integrate_learned`."""
    return _integrate(system, NOTHING, (step, steps, sample_every), split, 0.0)[0]


def _integrate(
    system: System,
    packed: PackedPair,
    plan: tuple[float, int, int],
    split: Split,
    hill_radii: float,
) -> tuple[Trajectory, FloatArray]:
    """Return the orbits, and the least and the most squared separation [au^2]."""
    step, steps, sample_every = plan
    check_steps(*plan, hill_radii)
    axes = started([system], np.array([step])).axes
    check_order([system], axes)
    masses, start = np.array(system.masses), system.barycentric()
    reduced = jacobi_masses(torch.as_tensor(masses))[1:].numpy()
    mu = kepler_mu(split, masses, system.gravity)
    near = hill_radii * mutual_hill_radii(system.masses, axes[0])
    planets = jacobi_planets(system, split, near)
    q, v = (
        filled(to_jacobi(masses, x).T, planets.width) for x in (start.positions, start.velocities)
    )
    kept = np.empty((2, steps // sample_every + 1, 3, len(mu)))
    seen = np.array([np.inf, 0.0])
    kicks = system.gravity / reduced
    met = _follow(
        packed, planets, masses, reduced * mu / system.gravity, kicks, q, v, step, sample_every,
        kept, seen,
    )  # fmt: skip
    if met >= 0:
        raise nearest_encounter(system, planets, q.ravel(), step * met)
    if not np.isfinite(kept).all():
        raise NBodyError(
            f"the orbits are no numbers after {steps} steps of {step:g} yr; expected a step well "
            f"below the shortest period, {system.periods().min():.4g} yr."
        )
    to_star = to_star_matrix(masses)
    places, speeds = (barycentric(masses, to_star @ x.transpose(0, 2, 1)) for x in kept)
    times = step * sample_every * np.arange(float(kept.shape[1]))
    place_back((places, speeds), system, times)
    return Trajectory(times, places, speeds), seen


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    pair: PackedPair,
    planets: Planets,
    masses: FloatArray,
    kepler: FloatArray,
    kicks: FloatArray,
    q: FloatArray,
    v: FloatArray,
    step: float,
    sample_every: int,
    kept: FloatArray,
    seen: FloatArray,
) -> int:
    """Follow Jacobi positions and velocities, (3, width), and keep them every so many steps.

    Give the number of steps before an encounter, or -1 without any.
    """
    near = planets.near.reshape(planets.number, planets.width)
    watched = near.max() > 0
    number = planets.number
    places, gradient = np.zeros((3, number)), np.zeros((3, number))
    flat_q, flat_v = q.reshape(-1), v.reshape(-1)
    _keep(q, kept[0, 0])
    _keep(v, kept[1, 0])
    coupled = pair.table.size == 0 or pair.table.any()
    if coupled:
        pair_kick(pair, masses, kepler, q, places, gradient, seen)
    if watched and any_closer(places.T, near):
        return 0
    for sample in range(1, kept.shape[1]):
        _kick(v, gradient, kicks, 0.5 * step)
        for done in range(1, sample_every + 1):
            drift(flat_q, flat_v, planets, step)
            if not coupled:
                continue
            pair_kick(pair, masses, kepler, q, places, gradient, seen)
            if watched and any_closer(places.T, near):
                return (sample - 1) * sample_every + done
            _kick(v, gradient, kicks, step if done < sample_every else 0.5 * step)
        _keep(q, kept[0, sample])
        _keep(v, kept[1, sample])
    return -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _kick(v: FloatArray, gradient: FloatArray, kicks: FloatArray, time: float) -> None:
    """Kick the planets; those that fill up vectors follow the last one, to stay on ellipses."""
    last = kicks.size - 1
    for k in range(3):
        for i in range(v.shape[1]):
            j = min(i, last)
            v[k, i] -= time * kicks[j] * gradient[k, j]


@inner
def _keep(x: FloatArray, kept: FloatArray) -> None:
    """Copy planets, (3, width), without those that fill up vectors, (3, number)."""
    for k in range(3):
        put(kept[k], x[k, : kept.shape[1]])
