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
from restudy.nbody.compiled_setup import check_steps, place_back
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import Force, packed
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory


def integrate_leapfrog(
    system: System, step: float, steps: int, sample_every: int = 1, forces: Sequence[Force] = ()
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

    Returns
    -------
    Trajectory
        The start and every `sample_every`-th state, in the frame given.

    Raises
    ------
    NBodyError
        If a number cannot be, or a force needs velocities.

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
    check_steps(step, steps, sample_every, hill_radii=0.0)
    start = system.barycentric()
    samples = steps // sample_every + 1
    positions = np.empty((samples, start.bodies, 3))
    velocities = np.empty_like(positions)
    positions[0], velocities[0] = start.positions, start.velocities
    _leap(
        *(start.masses, start.gravity, step, sample_every, packed(forces)),
        *(positions, velocities),
    )
    times = np.asarray(step * sample_every * np.arange(samples), dtype=np.float64)
    place_back((positions, velocities), system, times)
    return Trajectory(times, positions, velocities)


@njit(cache=True, nogil=True)
def _leap(masses, gravity, step, sample_every, extra, positions, velocities):  # type: ignore[no-untyped-def]
    """Fill positions and velocities after the first sample."""
    q, v = positions[0].copy().reshape(-1), velocities[0].copy().reshape(-1)
    a, lost = np.empty_like(q), np.empty_like(q)
    accelerate(masses, q, v, gravity, extra, a, lost)
    for sample in range(1, len(positions)):
        for _ in range(sample_every):
            v += 0.5 * step * a
            q += step * v
            accelerate(masses, q, v, gravity, extra, a, lost)
            v += 0.5 * step * a
        positions[sample] = q.reshape(-1, 3)
        velocities[sample] = v.reshape(-1, 3)
