"""Close encounters: where in a trajectory two planets came near, and when.

Near means within some mutual Hill radii, ``R = ((m_i + m_j) / 3 m_0)^(1/3) (r_i + r_j) / 2``: there
the planets pull on each other as strongly as the star does, and an integrator that splits orbits
from their interaction is not to be trusted. Between samples the separation is taken from the cubic
through both positions and velocities (Hermite), whose error shrinks with the fourth power of the
time between samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from restudy.nbody import compiled_setup
from restudy.nbody.errors import CloseEncounter, NBodyError
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Encounter:
    """Two planets that came close, once.

    Attributes
    ----------
    pair : tuple of str
        Their names.
    entry : float
        When they came within the limit [yr].
    time : float
        When they were closest [yr].
    distance : float
        Then [au].
    limit : float
        The distance that counts as close, then [au].
    """

    pair: tuple[str, str]
    entry: float
    time: float
    distance: float
    limit: float


def mutual_hill_radii(masses: FloatArray, positions: FloatArray) -> FloatArray:
    """Return the mutual Hill radius of each pair of planets.

    Parameters
    ----------
    masses : numpy.ndarray, shape (N,)
        The star's first [M_sun].
    positions : numpy.ndarray, shape (..., N, 3)
        [au].

    Returns
    -------
    numpy.ndarray, shape (..., P)
        For the P = (N - 1) (N - 2) / 2 pairs in the order of ``numpy.triu_indices(N - 1, 1)`` [au].

    Notes
    -----
    With distances from the star in the place of semi-major axes, which an encounter changes.

    References
    ----------
    B. Gladman, Icarus 106, 247 (1993), doi:10.1006/icar.1993.1169: two planets on circles are
    stable beyond ``2 sqrt(3)`` of them.
    """
    distance = np.linalg.norm(positions[..., 1:, :] - positions[..., :1, :], axis=-1)
    return compiled_setup.mutual_hill_radii(masses, distance)


def check_start(system: System, within: float = 1.0) -> None:
    """Refuse a system of which two planets are close at the start.

    Parameters
    ----------
    system : System
        The start.
    within : float
        What counts as close, in mutual Hill radii.

    Raises
    ------
    CloseEncounter
        With time 0 and the closest pair, in terms of its limit.
    """
    _refuse_close(system, 0.0, system.positions, within)


def encounter_watch(system: System, within: float = 1.0) -> Callable[[float, torch.Tensor], None]:
    """Return a watch for `restudy.nbody.wisdom_holman.integrate` that stops at an encounter.

    Parameters
    ----------
    system : System
        Masses and names.
    within : float
        What counts as close, in mutual Hill radii.

    Returns
    -------
    callable
        Of a time [yr] and positions (N, 3) [au]; raises `CloseEncounter` with the closest pair.
    """

    def watch(time: float, positions: torch.Tensor) -> None:
        _refuse_close(system, time, positions.cpu().numpy(), within)

    return watch


def _refuse_close(system: System, time: float, positions: FloatArray, within: float) -> None:
    distances, limits = _separations(system, positions, within)
    if distances.size and (distances <= limits).any():
        k = int(np.argmin(distances / limits))
        raise CloseEncounter(time, _pairs(system)[k], float(distances[k]), float(limits[k]))


def check_trajectory(system: System, trajectory: Trajectory, within: float = 1.0) -> None:
    """Refuse a trajectory in which two planets came close.

    Parameters
    ----------
    system : System
        Masses and names.
    trajectory : Trajectory
        Of one system.
    within : float
        What counts as close, in mutual Hill radii.

    Raises
    ------
    CloseEncounter
        With the time at which the first pair came within the limit.
    """
    found = encounters(system, trajectory, within)
    if found:
        first = min(found, key=lambda e: abs(e.entry))
        raise CloseEncounter(first.entry, first.pair, first.distance, first.limit)


def encounters(
    system: System, trajectory: Trajectory, within: float = 1.0
) -> tuple[Encounter, ...]:
    """Return all encounters in a trajectory, in the order of their times.

    Parameters
    ----------
    system : System
        Masses and names.
    trajectory : Trajectory
        Of one system, with samples about a twentieth of the shortest period apart, or less.
    within : float
        What counts as close, in mutual Hill radii.

    Returns
    -------
    tuple of Encounter
        One for each time that a pair comes within the limit and leaves it, or the end.

    Raises
    ------
    NBodyError
        If the trajectory is of a batch, of other bodies, or `within` is not above 0.
    """
    if trajectory.positions.ndim != 3 or trajectory.bodies != system.bodies:
        raise NBodyError(
            f"positions have shape {trajectory.positions.shape}; expected (samples, "
            f"{system.bodies}, 3), the trajectory of this system."
        )
    if not within > 0:
        raise NBodyError(f"encounters within {within:g} Hill radii; expected more than 0.")
    limits = within * mutual_hill_radii(system.masses, trajectory.positions)
    i, j = np.triu_indices(system.bodies - 1, 1)
    found = [
        encounter
        for k, pair in enumerate(_pairs(system))
        for encounter in _of_pair(trajectory, int(i[k]) + 1, int(j[k]) + 1, limits[:, k], pair)
    ]
    return tuple(sorted(found, key=lambda e: abs(e.time)))


def _pairs(system: System) -> list[tuple[str, str]]:
    i, j = np.triu_indices(system.bodies - 1, 1)
    return [(system.names[a + 1], system.names[b + 1]) for a, b in zip(i, j, strict=True)]


def _separations(
    system: System, positions: FloatArray, within: float
) -> tuple[FloatArray, FloatArray]:
    i, j = np.triu_indices(system.bodies - 1, 1)
    distances = np.linalg.norm(positions[1 + i] - positions[1 + j], axis=-1)
    return distances, within * mutual_hill_radii(system.masses, positions)


def _of_pair(
    trajectory: Trajectory, i: int, j: int, limits: FloatArray, pair: tuple[str, str]
) -> list[Encounter]:
    """Return the encounters of the bodies i and j."""
    times = trajectory.times
    d = trajectory.positions[:, i] - trajectory.positions[:, j]
    u = trajectory.velocities[:, i] - trajectory.velocities[:, j]
    found: list[Encounter] = []
    inside: tuple[float, float, float, float] | None = None  # entry, time, distance, limit
    for k in _suspects(times, d, u, limits):
        width = times[k + 1] - times[k]
        square = _squared_distance(d[k], d[k + 1], u[k] * width, u[k + 1] * width)
        limit = Polynomial([limits[k], limits[k + 1] - limits[k]])
        for part, closest in _pieces(square, limit):
            if part[0] > 0 and inside is not None:  # left on the sample itself
                found.append(Encounter(pair, *inside))
                inside = None
            if inside is None:
                entry = float(times[k] + width * part[0])
                inside = (entry, entry, np.inf, 0.0)
            distance = float(np.sqrt(max(square(closest), 0.0)))
            if distance < inside[2]:
                when = float(times[k] + width * closest)
                inside = (inside[0], when, distance, float(limit(closest)))
            if part[1] < 1 or k == len(times) - 2:
                found.append(Encounter(pair, *inside))
                inside = None
    return found


def _suspects(times: FloatArray, d: FloatArray, u: FloatArray, limits: FloatArray) -> list[int]:
    """Return the intervals in which the limit can be reached, at twice the larger speed."""
    distance, speed = np.linalg.norm(d, axis=1), np.linalg.norm(u, axis=1)
    reach = 2 * np.maximum(speed[1:], speed[:-1]) * np.abs(np.diff(times))
    near = np.minimum(distance[1:], distance[:-1]) - reach
    return [int(k) for k in np.flatnonzero(near <= np.maximum(limits[1:], limits[:-1]))]


def _squared_distance(d0: FloatArray, d1: FloatArray, u0: FloatArray, u1: FloatArray) -> Polynomial:
    """Return the square of Hermite's cubic, for times from 0 to 1."""
    square = Polynomial([0.0])
    for a, b, p, q in zip(d0, d1, u0, u1, strict=True):
        cubic = Polynomial([a, p, 3 * (b - a) - 2 * p - q, 2 * (a - b) + p + q])
        square = square + cubic**2
    return square


def _pieces(square: Polynomial, limit: Polynomial) -> list[tuple[tuple[float, float], float]]:
    """Return the parts of 0 to 1 within the limit, and where in each the pair is closest."""
    excess = square - limit**2
    edges = np.r_[0.0, _roots(excess), 1.0]
    minima = _roots(square.deriv())
    pieces = []
    for a, b in pairwise(edges):
        if b > a and excess(0.5 * (a + b)) <= 0:
            candidates = np.r_[a, b, minima[(minima > a) & (minima < b)]]
            closest = float(candidates[np.argmin(square(candidates))])
            pieces.append(((float(a), float(b)), closest))
    return pieces


def _roots(polynomial: Polynomial) -> FloatArray:
    """Return the real roots between 0 and 1, ascending; terms of rounding are left out."""
    roots = polynomial.trim(1e-13 * np.abs(polynomial.coef).max()).roots()
    real = roots.real[np.abs(roots.imag) < 1e-9]
    return np.sort(real[(real > 0) & (real < 1)])
