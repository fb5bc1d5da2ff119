"""The leapfrog: half a kick, a drift, half a kick; of order 2, symplectic and reversible.

Source: L. Verlet, Phys. Rev. 159, 98 (1967), doi:10.1103/PhysRev.159.98, in the form of velocities.
It splits kinetic from potential energy, so its error is that of whole orbits, and does not shrink
with the masses of the planets as that of Wisdom and Holman does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from restudy.nbody.compiled_forces import accelerate
from restudy.nbody.compiled_planets import (
    any_closer,
    heliocentric_planets,
    nearest_encounter,
)
from restudy.nbody.compiled_setup import (
    check_steps,
    filled,
    mutual_hill_radii,
    place_back,
    started,
)
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import Force, packed
from restudy.nbody.lanes import put
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory


def integrate_leapfrog(
    system: System,
    step: float,
    steps: int,
    sample_every: int = 1,
    forces: Sequence[Force] = (),
    *,
    hill_radii: float = 1.0,
) -> Trajectory:
    """Follow a system by the leapfrog.

    Parameters
    ----------
    system : System
        The start.
    step : float
        Length of a step [yr]; below 0 it goes back in time.
    steps : int
        How many.
    sample_every : int
        Steps from one kept state to the next.
    forces : sequence of Force
        Accelerations besides Newton's, of positions only.
    hill_radii : float
        How close planets may come, as of `restudy.nbody.compiled.integrate_compiled`; looked at
        after each drift.

    Returns
    -------
    Trajectory
        The start and every `sample_every`-th state, in the frame given.

    Raises
    ------
    CloseEncounter
        At the end of a step in which two planets met.
    NBodyError
        If a number cannot be, or overflows, or a force needs velocities.

    Notes
    -----
    One evaluation of all forces a step, ``O(N^2)``.

    Examples
    --------
    >>> earth = System([1.0, 3e-6], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.2831, 0]])
    >>> year = integrate_leapfrog(earth, 0.001, 1000, 1000)
    >>> bool(abs(year.positions[-1, 1] - year.positions[0, 1]).max() < 1e-3)
    True
    """
    if any(f.needs_velocities for f in forces):
        raise NBodyError(
            "a force needs velocities, which a leapfrog does not know when it kicks; expected "
            "forces of positions: use integrate_ias15."
        )
    check_steps(step, steps, sample_every, hill_radii)
    axes = started([system], np.array([step])).axes[0]
    planets = heliocentric_planets(system, hill_radii * mutual_hill_radii(system.masses, axes))
    start = system.barycentric()
    samples = steps // sample_every + 1
    positions = np.empty((samples, start.bodies, 3))
    velocities = np.empty_like(positions)
    positions[0], velocities[0] = start.positions, start.velocities
    q = start.positions.ravel().copy()
    met = _leap(
        *(start.masses, start.gravity, step, sample_every, packed(forces)),
        *(planets.near.reshape(planets.number, planets.width), q, positions, velocities),
    )
    if met >= 0:
        places = (q.reshape(-1, 3)[1:] - q[:3]).T
        raise nearest_encounter(system, planets, filled(places, planets.width).ravel(), step * met)
    if not np.isfinite(positions).all():
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    times = np.asarray(step * sample_every * np.arange(samples), dtype=np.float64)
    place_back((positions, velocities), system, times)
    return Trajectory(times, positions, velocities)


@njit(cache=True, nogil=True)
def _leap(masses, gravity, step, sample_every, extra, near, q, positions, velocities):  # type: ignore[no-untyped-def]
    """Fill positions and velocities after the first sample.

    Give the number of steps that end with an encounter, at q, or -1 without any.
    """
    v = velocities[0].copy().reshape(-1)
    watched = near.max() > 0
    a, lost = np.empty_like(q), np.empty_like(q)
    accelerate(masses, q, v, gravity, extra, a, lost)
    for sample in range(1, len(positions)):
        for done in range(1, sample_every + 1):
            v += 0.5 * step * a
            q += step * v
            if watched and any_closer(q.reshape(-1, 3)[1:], near):
                return (sample - 1) * sample_every + done
            accelerate(masses, q, v, gravity, extra, a, lost)
            v += 0.5 * step * a
        put(positions[sample].reshape(-1), q)
        put(velocities[sample].reshape(-1), v)
    return -1
