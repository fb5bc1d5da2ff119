"""Wisdom and Holman's integrator with a field around the star, and its derivatives, compiled.

The profiles of the field are read from a table of cubics in ln r, whatever they come from.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from restudy.nbody.compiled_planets import drifting_planets
from restudy.nbody.compiled_setup import filled, kepler_mu
from restudy.nbody.compiled_single import Planets, drift
from restudy.nbody.errors import NBodyError
from restudy.nbody.jacobi import jacobi_masses
from restudy.nbody.lanes import inner, put
from restudy.nbody.learned.compiled_pair import NEWTON, PackedPair, hermite, pair_kick
from restudy.nbody.learned.perturbations import Field
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.tangent import drift_tangent

FloatArray = NDArray[np.float64]

_CELLS = 1024  # in a decade and a half around the planets
_MARGIN = 2.0  # by which the table goes beyond the nearest and the farthest planet at the start


def follow_field(
    masses: FloatArray,
    q: FloatArray,
    v: FloatArray,
    gravity: float,
    field: Field | None,
    theta: torch.Tensor,
    *,
    step: float,
    steps: int,
) -> tuple[FloatArray, FloatArray]:
    """Follow planets with their exact interaction and a field around the star.

    Parameters
    ----------
    masses : numpy.ndarray, shape (N,)
        [M_sun].
    q, v : numpy.ndarray, shape (N, 3)
        Jacobi positions and velocities, the barycentre at rest in row 0 [au], [au/yr].
    gravity : float
        The constant of gravity.
    field : Field or None
        The field.
    theta : torch.Tensor
        Its parameters, (size,).
    step : float
        [yr].
    steps : int
        How many.

    Returns
    -------
    tuple of numpy.ndarray, shape (steps + 1, N, 3)
        Jacobi positions and velocities before each step and after the last.

    Raises
    ------
    NBodyError
        If a planet leaves the range of the table, twice as near or as far as at the start.
    """
    mu = kepler_mu(WISDOM_HOLMAN_91, masses, gravity)
    reduced = jacobi_masses(torch.as_tensor(masses))[1:].numpy()
    planets = drifting_planets(mu)
    start, per_unit, table = _table(field, theta, np.linalg.norm(q[1:], axis=1))
    kept = np.zeros((2, steps + 1, 3, len(masses)))
    qs, vs = (filled(x[1:].T, planets.width) for x in (q, v))
    fine = _follow(
        NEWTON, planets, masses, gravity, reduced * mu / gravity, gravity / reduced, qs, vs, step,
        start, per_unit, table, kept,
    )  # fmt: skip
    if not fine:
        raise NBodyError("a planet has come twice as near to the star, or gone twice as far.")
    return kept[0].transpose(0, 2, 1).copy(), kept[1].transpose(0, 2, 1).copy()


def carry_derivatives(
    q: FloatArray,
    v: FloatArray,
    mu: FloatArray,
    kicks: FloatArray,
    tides: FloatArray,
    pulls: FloatArray,
    moved: FloatArray,
    faster: FloatArray,
    *,
    step: float,
    every: int,
) -> FloatArray:
    """Carry derivatives of the state of planets through all steps of kick, drift, kick.

    Parameters
    ----------
    q, v : numpy.ndarray, shape (steps + 1, planets, 3)
        Jacobi positions and velocities before each step and after the last [au], [au/yr].
    mu : numpy.ndarray, shape (planets,)
        Of the Kepler orbits [au^3/yr^2].
    kicks : numpy.ndarray, shape (steps + 1, planets, 3)
        Accelerations at these states [au/yr^2].
    tides : numpy.ndarray, shape (steps + 1, 3 planets, 3 planets)
        Their derivatives with respect to positions, the component of the acceleration last.
    pulls : numpy.ndarray, shape (steps + 1, columns, 3 planets)
        Their derivatives with respect to each parameter, with positions held.
    moved, faster : numpy.ndarray, shape (columns, planets, 3)
        Derivatives of positions and velocities at the start; of those at the end afterwards.
    step : float
        [yr].
    every : int
        Steps from one result to the next.

    Returns
    -------
    numpy.ndarray, shape (steps // every, columns, 3 planets)
        Derivatives of positions after every so many steps.
    """
    before, after = v + 0.5 * step * kicks, v - 0.5 * step * kicks
    kept = np.empty(((len(q) - 1) // every, len(moved), tides.shape[1]))
    _carry(q.copy(), before, after, mu, tides, pulls, moved, faster, step, every, kept)
    return kept


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _carry(
    q: FloatArray,
    before: FloatArray,
    after: FloatArray,
    mu: FloatArray,
    tides: FloatArray,
    pulls: FloatArray,
    moved: FloatArray,
    faster: FloatArray,
    step: float,
    every: int,
    kept: FloatArray,
) -> None:
    """Fill `kept`; `before` and `after` are velocities on both sides of the drifts."""
    columns, planets = moved.shape[:2]
    places, speeds = moved.reshape(columns, -1), faster.reshape(columns, -1)
    for n in range(1, len(q)):
        speeds += 0.5 * step * (places @ tides[n - 1] + pulls[n - 1])
        for i in range(planets):
            eta = np.dot(q[n, i], after[n, i])
            for c in range(columns):
                drift_tangent(
                    q[n - 1, i], before[n - 1, i], eta, moved[c, i], faster[c, i], mu[i], step
                )
        speeds += 0.5 * step * (places @ tides[n] + pulls[n])
        if n % every == 0:
            put(kept[n // every - 1].reshape(-1), places.reshape(-1))


def _table(
    field: Field | None, theta: torch.Tensor, distances: FloatArray
) -> tuple[float, float, FloatArray]:
    """Return cubics of N_0 - N_0', N_2 - N_2' and N_2, (cells, 3, 4), in ln r^2."""
    least, most = distances.min() / _MARGIN, distances.max() * _MARGIN
    start, stop = 2 * math.log(least), 2 * math.log(most)
    if field is None:
        return start, _CELLS / (stop - start), np.zeros((_CELLS, 3, 4))
    squares = torch.linspace(start, stop, _CELLS + 1, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        values, slopes = field.profiles(theta, torch.exp(0.5 * squares))
        terms = values - slopes
        wanted = (terms[:, 0], terms[:, 1], values[:, 1])
        cubics = [hermite(squares, x, (stop - start) / _CELLS) for x in wanted]
    return start, _CELLS / (stop - start), np.stack(cubics, axis=1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    pair: PackedPair,
    planets: Planets,
    masses: FloatArray,
    gravity: float,
    kepler: FloatArray,
    kicks: FloatArray,
    q: FloatArray,
    v: FloatArray,
    step: float,
    start: float,
    per_unit: float,
    table: FloatArray,
    kept: FloatArray,
) -> bool:
    """Follow Jacobi positions and velocities, (3, width), and keep all; say if all went well."""
    number = planets.number
    places, gradient = np.zeros((3, number)), np.zeros((3, number))
    pull, seen = np.zeros((3, number)), np.array([np.inf, 0.0])
    flat_q, flat_v = q.reshape(-1), v.reshape(-1)
    _keep(q, kept[0, 0])
    _keep(v, kept[1, 0])
    for done in range(kept.shape[1]):
        pair_kick(pair, masses, kepler, q, places, gradient, seen)
        if not _field(masses, gravity, places, start, per_unit, table, pull):
            return False
        for half in range(2):
            for k in range(3):
                for i in range(v.shape[1]):
                    j = min(i, number - 1)
                    v[k, i] += 0.5 * step * (pull[k, j] - kicks[j] * gradient[k, j])
            if half == 0 and done > 0:
                _keep(q, kept[0, done])
                _keep(v, kept[1, done])
            if done == 0:
                break
        if done + 1 < kept.shape[1]:
            drift(flat_q, flat_v, planets, step)
    return True


@inner
def _keep(x: FloatArray, kept: FloatArray) -> None:
    """Copy planets, (3, width), to behind the barycentre, (3, N)."""
    for k in range(3):
        put(kept[k, 1:], x[k, : kept.shape[1] - 1])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _field(
    masses: FloatArray,
    gravity: float,
    places: FloatArray,
    start: float,
    per_unit: float,
    table: FloatArray,
    pull: FloatArray,
) -> bool:
    """Compute the accelerations of the Jacobi coordinates by the field, (3, N - 1)."""
    for i in range(masses.size - 1):
        x, y, z = places[0, i], places[1, i], places[2, i]
        square = x * x + y * y + z * z
        u = (math.log(square) - start) * per_unit
        if not 0 <= u < table.shape[0]:
            return False
        cell = int(u)
        t = u - cell
        c = table[cell]
        zero = c[0, 0] + t * (c[0, 1] + t * (c[0, 2] + t * c[0, 3]))
        two = c[1, 0] + t * (c[1, 1] + t * (c[1, 2] + t * c[1, 3]))
        turn = 3 * (c[2, 0] + t * (c[2, 1] + t * (c[2, 2] + t * c[2, 3])))
        height = z * z / square
        scale = gravity * masses[0] / (square * math.sqrt(square))
        radial = -scale * (zero + two * (1.5 * height - 0.5) + turn * height)
        pull[0, i], pull[1, i], pull[2, i] = radial * x, radial * y, radial * z + scale * turn * z
    for k in range(3):
        inner, eta = 0.0, masses[0]  # sum of mass times acceleration, and of mass, inside
        for i in range(masses.size - 1):
            inner -= masses[i + 1] * pull[k, i]  # of the star
        for i in range(masses.size - 1):
            here = pull[k, i]
            pull[k, i] = here - inner / eta
            inner += masses[i + 1] * here
            eta += masses[i + 1]
    return True
