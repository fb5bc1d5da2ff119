"""Wisdom-Holman integration of one system in compiled code, at the speed of WHFast and beyond."""

from __future__ import annotations

import warnings
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.compiled_single import LANES, Planets, Work, advance
from restudy.nbody.errors import CloseEncounter, NBodyError, StepWarning
from restudy.nbody.splitting import ReboundSplit
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]


class Scheme(Enum):
    """Which half of a step comes first and last."""

    KICK_DRIFT_KICK = "kick"
    DRIFT_KICK_DRIFT = "drift"


class Split(Protocol):
    """What divides the Hamiltonian: it gives the mu of each planet's Kepler motion."""

    def mu(self, masses: FloatArray, gravity: float) -> FloatArray:
        """Return mu [au^3/yr^2], shape (..., N - 1), for masses of shape (..., N)."""
        ...


def integrate_compiled(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split | None = None,
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
    split : Split, optional
        `restudy.nbody.splitting.ReboundSplit` where none is given, which is WHFast's.
    scheme : Scheme
        WHFast drifts first, the paper kicks first.
    hill_radii : float
        Two planets meet when they are closer than this many times the larger of their Hill radii,
        ``a (m / 3 m_0)^(1/3)`` with the semi-major axes of the start. 0 looks for no encounters.

    Returns
    -------
    Trajectory
        With ``steps // sample_every + 1`` samples.

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
    >>> bool(abs(run.positions[-1] - run.positions[0]).max() < 1e-14)
    True
    """
    check_steps(step, steps, sample_every, hill_radii)
    check_order(system)
    warn_of_long_steps(step, float(system.periods().min()))
    mu = (split or ReboundSplit()).mu(system.masses, system.gravity)
    planets = _jacobi_planets(system, np.asarray(mu), hill_radii)
    to_star = to_star_matrix(system.masses)
    start = system.barycentric()
    q, v = (to_jacobi(system.masses, x) for x in (start.positions, start.velocities))
    q, v = _run(system, planets, (q, v), to_star, (step, steps, sample_every), scheme)
    times = step * sample_every * np.arange(len(q))
    return Trajectory(
        times, barycentric(system.masses, to_star @ q), barycentric(system.masses, to_star @ v)
    )


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
        With ``steps // sample_every + 1`` samples.

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
    warn_of_long_steps(step, float(system.periods().min()))
    m, count = system.masses, system.bodies - 1
    nothing = np.zeros(count)
    planets = _planets(
        mu=np.full(count, system.gravity * m[0]),
        star=nothing,
        own=nothing,
        gm=system.gravity * m[1:],
        hill=hill_radii * hill(system),
        place=np.eye(count),
        pull=np.eye(count),
        jump=m[1:] / m[0],
    )
    start = system.barycentric()
    q = start.positions[1:] - start.positions[0]
    q, v = _run(
        system, planets, (q, start.velocities[1:]), np.eye(count), (step, steps, sample_every), scheme
    )
    star = -np.einsum("j,sjc->sc", m[1:] / m[0], v)[:, None]
    times = step * sample_every * np.arange(len(q))
    return Trajectory(times, barycentric(m, q), np.concatenate([star, v], axis=1))


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
    q, v = (_filled(x.T, width).ravel() for x in start)
    out = [np.empty((steps // every + 1, 3 * width)) for _ in range(2)]
    out[0][0], out[1][0] = q, v
    work = Work(*(np.zeros(3 * width) for _ in range(3)))
    first = scheme is Scheme.KICK_DRIFT_KICK
    met = advance(q, v, planets, work, float(step), steps, every, first, *out)
    if met >= 0:
        here = to_star @ q.reshape(3, width).T[:count]
        raise encounter(system, here, planets.hill, step * (met + (0.0 if first else 0.5)))
    both = [x.reshape(-1, 3, width).transpose(0, 2, 1)[:, :count] for x in out]
    if not all(np.isfinite(x).all() for x in both):
        raise NBodyError(
            f"numbers overflow within {steps} steps of {step:g} yr; expected a step well below the "
            f"shortest period, {system.periods().min():.4g} yr."
        )
    return both[0], both[1]


def _jacobi_planets(system: System, mu: FloatArray, hill_radii: float) -> Planets:
    m, count = system.masses, system.bodies - 1
    eta = m.cumsum()
    outer = np.arange(count) > 0
    return _planets(
        mu=mu,
        star=system.gravity * m[0] * outer,
        own=mu * outer,
        gm=system.gravity * m[1:],
        hill=hill_radii * hill(system),
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
    hill: FloatArray,
    place: FloatArray,
    pull: FloatArray,
    jump: FloatArray,
) -> Planets:
    """Fill up to whole vectors: with copies of the last planet that nothing pulls."""
    count = len(mu)
    width = -(-count // LANES) * LANES
    silent = (np.pad(x, (0, width - count)) for x in (star, own, gm, hill))
    return Planets(
        count,
        width,
        _filled(mu, width),
        *silent,
        _filled(place.T, width).ravel(),
        np.pad(pull.T, ((0, 0), (0, width - count))).ravel(),
        np.pad(jump, (0, width - count)),
        np.triu(np.ones((LANES, LANES))).ravel(),
    )


def _filled(x: FloatArray, width: int) -> FloatArray:
    """Repeat the last entry of the last axis."""
    more = np.repeat(x[..., -1:], width - x.shape[-1], axis=-1)
    return np.ascontiguousarray(np.concatenate([x, more], axis=-1))


def to_star_matrix(masses: FloatArray) -> FloatArray:
    """Give A of ``r = A q'``: Jacobi coordinates to places seen from the star, (N - 1, N - 1)."""
    share = masses[1:] / masses.cumsum()[1:]
    return np.eye(len(share)) + np.tril(np.broadcast_to(share, (len(share),) * 2), -1)


def to_jacobi(masses: FloatArray, x: FloatArray) -> FloatArray:
    """Give the Jacobi coordinates of positions or velocities, (..., N, 3) to (..., N - 1, 3)."""
    inner = (masses[:, None] * x).cumsum(-2) / masses.cumsum()[:, None]
    return np.asarray(x[..., 1:, :] - inner[..., :-1, :])


def barycentric(masses: FloatArray, x: FloatArray) -> FloatArray:
    """Give all bodies seen from the barycentre, for planets seen from the star."""
    star = -np.einsum("j,...jc->...c", masses[1:] / masses.sum(), x)[..., None, :]
    return np.concatenate([star, x + star], axis=-2)


def hill(system: System) -> FloatArray:
    """Give the Hill radius of each planet [au], of its distance where it has no ellipse."""
    a = system.semi_major_axes()
    distance = np.linalg.norm(system.positions[1:] - system.positions[0], axis=1)
    a = np.where(a > 0, a, distance)
    return np.asarray(a * np.cbrt(system.masses[1:] / (3 * system.masses[0])))


def encounter(
    system: System, places: FloatArray, limits: FloatArray, time: float
) -> CloseEncounter:
    """Name the two planets that are closest in terms of their limit."""
    i, j = np.triu_indices(len(places), 1)
    distances = np.linalg.norm(places[i] - places[j], axis=1)
    limit = np.maximum(limits[i], limits[j])
    k = int(np.argmin(distances / limit))
    pair = system.names[i[k] + 1], system.names[j[k] + 1]
    return CloseEncounter(time, pair, float(distances[k]), float(limit[k]))


def check_steps(step: float, steps: int, every: int, hill_radii: float) -> None:
    """Refuse what cannot be computed."""
    if not np.isfinite(step) or step == 0:
        raise NBodyError(f"the step is {step:g} yr; expected a finite number other than 0.")
    if steps < 1:
        raise NBodyError(f"{steps} steps; expected at least 1.")
    if every < 1 or steps % every:
        raise NBodyError(
            f"a sample every {every} steps of {steps}; expected a number that divides the steps."
        )
    if not hill_radii >= 0:
        raise NBodyError(f"hill_radii is {hill_radii:g}; expected 0 or more.")


def check_order(system: System) -> None:
    """Refuse planets that are not in the order of their semi-major axes."""
    a = system.semi_major_axes()
    a = np.where(a > 0, a, np.inf)
    if (a[1:] < a[:-1]).any():
        k = int(np.argmax(a[1:] < a[:-1]))
        raise NBodyError(
            f"{system.names[k + 2]} has a smaller semi-major axis ({a[k + 1]:.4g} au) than "
            f"{system.names[k + 1]} ({a[k]:.4g} au); expected planets from the innermost to the "
            "outermost: call sorted() first."
        )


def warn_of_long_steps(step: float, period: float) -> None:
    """Say that a step is too long to resolve an orbit."""
    if abs(step) > period / 20:
        warnings.warn(
            f"the step is {abs(step):.4g} yr; expected at most {period / 20:.4g} yr, a twentieth of "
            "the shortest period.",
            StepWarning,
            stacklevel=3,
        )
