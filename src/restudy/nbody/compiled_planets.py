"""The planets of one system as compiled steps take them, and the two that came too close."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from restudy.nbody.compiled_setup import filled, kepler_mu, to_star_matrix
from restudy.nbody.compiled_single import LANES, Planets
from restudy.nbody.errors import CloseEncounter
from restudy.nbody.splitting import Split
from restudy.nbody.system import System

FloatArray = NDArray[np.float64]


def jacobi_planets(system: System, split: Split, near: FloatArray) -> Planets:
    """Return planets in Jacobi coordinates.

    Parameters
    ----------
    system : System
        Planets from the innermost to the outermost.
    split : Split
        What is a Kepler orbit, and what is interaction.
    near : numpy.ndarray, shape (P,)
        Distance of each pair of ``numpy.triu_indices(N - 1, 1)`` that is too close [au].

    Returns
    -------
    Planets
        For `restudy.nbody.compiled_single`.
    """
    m, count = system.masses, system.bodies - 1
    mu = kepler_mu(split, m, system.gravity)
    outer = np.arange(count) > 0
    return _planets(
        mu=mu,
        star=system.gravity * m[0] * outer,
        own=mu * outer,
        gm=system.gravity * m[1:],
        near=near,
        place=to_star_matrix(m),
        pull=np.eye(count) + np.triu(m[1:] / m.cumsum()[:-1, None]),
        jump=np.zeros(count),
    )


def heliocentric_planets(system: System, near: FloatArray) -> Planets:
    """Return planets in democratic heliocentric coordinates.

    Parameters
    ----------
    system : System
        Planets in any order.
    near : numpy.ndarray, shape (P,)
        As of `jacobi_planets` [au].

    Returns
    -------
    Planets
        For `restudy.nbody.compiled_single`.
    """
    m, count = system.masses, system.bodies - 1
    nothing = np.zeros(count)
    return _planets(
        mu=np.full(count, system.gravity * m[0]),
        star=nothing,
        own=nothing,
        gm=system.gravity * m[1:],
        near=near,
        place=np.eye(count),
        pull=np.eye(count),
        jump=m[1:] / m[0],
    )


def drifting_planets(mu: FloatArray) -> Planets:
    """Return planets that only drift.

    Parameters
    ----------
    mu : numpy.ndarray, shape (N - 1,)
        Of the Kepler motion [au^3/yr^2].

    Returns
    -------
    Planets
        Filled up to whole vectors; all that a kick would read is 0.
    """
    width = -(-len(mu) // LANES) * LANES
    unused = {name: np.zeros(width) for name in Planets._fields}
    return Planets(**(unused | {"number": len(mu), "width": width, "mu": filled(mu, width)}))  # type: ignore[arg-type]


@njit(cache=True, nogil=True)
def any_closer(places, near):  # type: ignore[no-untyped-def]
    """Say whether two places, (n, 3), are closer than the square roots of near, (n, n or more)."""
    for i in range(len(places)):
        for j in range(i + 1, len(places)):
            square = 0.0
            for k in range(3):
                square += (places[i, k] - places[j, k]) ** 2
            if square < near[i, j]:
                return True
    return False


def nearest_encounter(
    system: System, planets: Planets, q: FloatArray, time: float
) -> CloseEncounter:
    """Return the error that names the two planets which are closest in terms of their limit.

    Parameters
    ----------
    system : System
        With the names.
    planets : Planets
        With the limits.
    q : numpy.ndarray, shape (3 * width,)
        Their coordinates now [au].
    time : float
        Of the encounter [yr].

    Returns
    -------
    CloseEncounter
        To be raised.
    """
    count, width = planets.number, planets.width
    to_star = planets.place.reshape(count, width)[:, :count].T
    places = to_star @ q.reshape(3, width).T[:count]
    i, j = np.triu_indices(count, 1)
    distances = np.linalg.norm(places[i] - places[j], axis=1)
    limits = np.sqrt(planets.near.reshape(count, width)[i, j])
    k = int(np.argmin(distances / limits))
    pair = system.names[i[k] + 1], system.names[j[k] + 1]
    return CloseEncounter(time, pair, float(distances[k]), float(limits[k]))


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
    """Fill up with copies of the last planet, in peace; distances are of pairs, (pairs,)."""
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
