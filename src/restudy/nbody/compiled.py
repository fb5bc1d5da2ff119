"""Wisdom-Holman integration of one system in compiled code, at the speed of WHFast and beyond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.compiled_planets import (
    heliocentric_planets,
    jacobi_planets,
    nearest_encounter,
)
from restudy.nbody.compiled_setup import (
    Scheme,
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
from restudy.nbody.compiled_single import Planets, Work, advance
from restudy.nbody.errors import NBodyError
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]


def integrate_compiled(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split = REBOUND,
    scheme: Scheme = Scheme.KICK_DRIFT_KICK,
    hill_radii: float = 1.0,
) -> Trajectory:
    """Follow a system with the Wisdom-Holman map in Jacobi coordinates.

    The Hamiltonian is ``H_Kepler(q', p') + H_interaction(q')``; a step is a kick by the second for
    half of the time, the Kepler motion of each planet, and a kick again (or the other way round).
    Half steps that meet are one.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    step : float
        Step h [yr]; below 0 it goes back in time.
    steps : int
        Number of steps.
    sample_every : int
        Steps from one sample to the next. It changes no bit of the samples that are taken.
    split : Split
        What the Kepler motion is; WHFast's if not given.
    scheme : Scheme
        WHFast drifts first, the paper kicks first.
    hill_radii : float
        Two planets meet when they are closer than this many of their mutual Hill radii,
        ``((m_i + m_j) / 3 m_0)^(1/3) (a_i + a_j) / 2`` with the semi-major axes of the start. It is
        looked at in each kick. 0 looks for no encounters.

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

    Notes
    -----
    Order 2 in h, symplectic, reversible. Steps for N bodies cost N Kepler problems, four at a time,
    and N^2/2 pairs, four at a time.

    References
    ----------
    Wisdom and Holman, AJ 102, 1528 (1991), doi:10.1086/115978.

    Examples
    --------
    The Earth alone is on a conic, whatever the step.

    >>> earth = System([1.0, 3e-6], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.2831, 0]])
    >>> period = float(earth.periods()[0])
    >>> run = integrate_compiled(earth, period / 40, 40, sample_every=40)
    >>> place = run.positions[:, 1] - run.positions[:, 0]
    >>> bool(abs(place[-1] - place[0]).max() < 1e-13)
    True
    """
    check_steps(step, steps, sample_every, hill_radii)
    checked = started([system], np.array([step]))
    check_order([system], checked.axes)
    near = hill_radii * mutual_hill_radii(system.masses, checked.axes[0])
    m, plan = system.masses, (step, steps, sample_every)
    start = to_jacobi(m, system.positions), to_jacobi(m, system.velocities)
    q, v = _run(system, jacobi_planets(system, split, near), start, plan, scheme)
    to_star = to_star_matrix(m)
    return _trajectory(system, barycentric(m, to_star @ q), barycentric(m, to_star @ v), plan)


def integrate_heliocentric(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    scheme: Scheme = Scheme.KICK_DRIFT_KICK,
    hill_radii: float = 1.0,
) -> Trajectory:
    """Follow a system with the Wisdom-Holman map in democratic heliocentric coordinates.

    Positions are seen from the star, velocities from the barycentre. The star's own motion,
    ``(sum p)^2 / 2 m_0``, is a step of its own on either side of the Kepler motion (or the kick).

    Parameters
    ----------
    system : System
        Planets in any order.
    step, steps, sample_every, scheme, hill_radii
        As those of `integrate_compiled`.

    Returns
    -------
    Trajectory
        With ``steps // sample_every + 1`` samples, in the frame given.

    Raises
    ------
    CloseEncounter
        At a kick before which two planets met.
    NBodyError
        If an argument is impossible, or numbers overflow.

    References
    ----------
    Duncan, Levison and Lee, AJ 116, 2067 (1998), doi:10.1086/300541.
    """
    check_steps(step, steps, sample_every, hill_radii)
    checked = started([system], np.array([step]))
    near = hill_radii * mutual_hill_radii(system.masses, checked.axes[0])
    rest, plan = system.barycentric(), (step, steps, sample_every)
    start = rest.positions[1:] - rest.positions[0], rest.velocities[1:]
    q, v = _run(system, heliocentric_planets(system, near), start, plan, scheme)
    m = system.masses
    star = -np.einsum("j,sjc->sc", m[1:] / m[0], v)[:, None]
    return _trajectory(system, barycentric(m, q), np.concatenate([star, v], axis=1), plan)


def _trajectory(
    system: System, positions: FloatArray, velocities: FloatArray, plan: tuple[float, int, int]
) -> Trajectory:
    step, _, every = plan
    times = every * np.arange(len(positions), dtype=np.float64) * step
    place_back((positions, velocities), system, times)
    return Trajectory(times, positions, velocities)


def _run(
    system: System,
    planets: Planets,
    start: tuple[FloatArray, FloatArray],
    plan: tuple[float, int, int],
    scheme: Scheme,
) -> tuple[FloatArray, FloatArray]:
    """Give coordinates and their velocities at the samples, each (samples, N - 1, 3)."""
    (step, steps, every), width, count = plan, planets.width, planets.number
    q, v = (filled(x.T, width).ravel() for x in start)
    out = [np.empty((steps // every + 1, 3 * width)) for _ in range(2)]
    out[0][0], out[1][0] = q, v
    work = Work(*(np.zeros(3 * width) for _ in range(3)))
    first = scheme is Scheme.KICK_DRIFT_KICK
    met = advance(q, v, planets, work, float(step), steps, every, first, *out)
    if met >= 0:
        raise nearest_encounter(system, planets, q, step * (met + (0.0 if first else 0.5)))
    both = [x.reshape(-1, 3, width).transpose(0, 2, 1)[:, :count] for x in out]
    if not all(np.isfinite(x).all() for x in both):
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    return both[0], both[1]
