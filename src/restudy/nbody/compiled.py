"""Wisdom-Holman integration of one system in compiled code, at the speed of WHFast and beyond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.compiled_setup import (
    Scheme,
    Start,
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
from restudy.nbody.compiled_single import LANES, Planets, Work, advance
from restudy.nbody.errors import CloseEncounter, NBodyError
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
    planets = _jacobi_planets(system, kepler_mu(split, system.masses, system.gravity), near)
    to_star, plan = to_star_matrix(system.masses), (step, steps, sample_every)
    q, v = (to_jacobi(system.masses, x) for x in (system.positions, system.velocities))
    q, v = _run(system, planets, (q, v), to_star, plan, scheme)
    m = system.masses
    return _trajectory(checked, barycentric(m, to_star @ q), barycentric(m, to_star @ v), plan)


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
    m, count = system.masses, system.bodies - 1
    nothing = np.zeros(count)
    planets = _planets(
        mu=np.full(count, system.gravity * m[0]),
        star=nothing,
        own=nothing,
        gm=system.gravity * m[1:],
        near=hill_radii * mutual_hill_radii(m, checked.axes[0]),
        place=np.eye(count),
        pull=np.eye(count),
        jump=m[1:] / m[0],
    )
    rest, plan = system.barycentric(), (step, steps, sample_every)
    start = rest.positions[1:] - rest.positions[0], rest.velocities[1:]
    q, v = _run(system, planets, start, np.eye(count), plan, scheme)
    star = -np.einsum("j,sjc->sc", m[1:] / m[0], v)[:, None]
    return _trajectory(checked, barycentric(m, q), np.concatenate([star, v], axis=1), plan)


def _trajectory(
    start: Start, positions: FloatArray, velocities: FloatArray, plan: tuple[float, int, int]
) -> Trajectory:
    """Give states in the frame of the barycentre in the one given."""
    step, _, every = plan
    times = every * np.arange(len(positions), dtype=np.float64) * step
    states = np.stack([positions, velocities])[:, :, None]
    place_back(states, start, times[:, None])
    return Trajectory(times, states[0, :, 0], states[1, :, 0])


def _run(
    system: System,
    planets: Planets,
    start: tuple[FloatArray, FloatArray],
    to_star: FloatArray,
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
        here = to_star @ q.reshape(3, width).T[:count]
        raise _encounter(system, here, planets.near, step * (met + (0.0 if first else 0.5)))
    both = [x.reshape(-1, 3, width).transpose(0, 2, 1)[:, :count] for x in out]
    if not all(np.isfinite(x).all() for x in both):
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    return both[0], both[1]


def _jacobi_planets(system: System, mu: FloatArray, near: FloatArray) -> Planets:
    m, count = system.masses, system.bodies - 1
    eta = m.cumsum()
    outer = np.arange(count) > 0
    return _planets(
        mu=mu,
        star=system.gravity * m[0] * outer,
        own=mu * outer,
        gm=system.gravity * m[1:],
        near=near,
        place=to_star_matrix(m),
        pull=np.eye(count) + np.triu(m[1:] / eta[:-1, None]),
        jump=np.zeros(count),
    )


def _planets(
    *,
    mu: FloatArray,
    star: FloatArray,
    own: FloatArray,
    gm: FloatArray,
    near: FloatArray,
    place: FloatArray,
    pull: FloatArray,
    jump: FloatArray,
) -> Planets:
    """Take distances of pairs, (pairs,); fill up with copies of the last planet in peace."""
    count = len(mu)
    width = -(-count // LANES) * LANES
    squares = np.zeros((count, width))
    squares[np.triu_indices(count, 1)] = near**2
    return Planets(
        count,
        width,
        filled(mu, width),
        *(np.pad(x, (0, width - count)) for x in (star, own, gm)),  # type: ignore[call-arg]
        squares.ravel(),
        filled(place.T, width).ravel(),
        np.pad(pull.T, ((0, 0), (0, width - count))).ravel(),
        np.pad(jump, (0, width - count)),
        np.triu(np.ones((LANES, LANES))).ravel(),
    )


def _encounter(system: System, places: FloatArray, near: FloatArray, time: float) -> CloseEncounter:
    """Name the two planets that are closest in terms of their limit."""
    i, j = np.triu_indices(len(places), 1)
    distances = np.linalg.norm(places[i] - places[j], axis=1)
    limits = np.sqrt(near.reshape(len(places), -1)[i, j])
    k = int(np.argmin(distances / limits))
    pair = system.names[i[k] + 1], system.names[j[k] + 1]
    return CloseEncounter(time, pair, float(distances[k]), float(limits[k]))
