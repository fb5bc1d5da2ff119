"""Compiled Wisdom-Holman steps of one system: planets are the lanes of vectors.

Arrays are flat, a component after the other, each filled up to whole vectors of `LANES` planets;
planet j of component c is at ``c * width + j``. What fills up are copies of the last planet which
nothing pulls and which pull nothing. Coordinates are positions and velocities of Jacobi or of
democratic heliocentric coordinates: the maps between them and places around the star are matrices,
of which only the part that is not 0 is read. At N = 101 the pairs take three quarters of the time.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from restudy.nbody.compiled_drift import kepler_lanes, kepler_one
from restudy.nbody.lanes import (
    bits,
    inlined,
    inner,
    load,
    load_one,
    select,
    splat,
    sqrt,
    store,
    total,
)

LANES = 4
_FAR = 1e60  # square of a distance: between what fills up and the planet it copies


class Planets(NamedTuple):
    """What stays as it is; all of float64, flat.

    Attributes
    ----------
    number, width : int
        Planets, and places of a component.
    mu : numpy.ndarray, shape (width,)
        Of the Kepler motion [au^3/yr^2].
    star, own : numpy.ndarray, shape (width,)
        G times the mass with which the star pulls in the kick, and with which the kick takes back
        what the Kepler motion has too much.
    gm : numpy.ndarray, shape (width,)
        G times the mass [au^3/yr^2].
    near : numpy.ndarray, shape (number * width,)
        Row i: the square of the distance of planet i to each later one that is too close [au^2].
    place : numpy.ndarray, shape (number * width,)
        Column j: what the coordinates of planet j add to the place of each planet, seen from the
        star.
    pull : numpy.ndarray, shape (number * width,)
        Column j: what the acceleration of planet j adds to that of each coordinate.
    jump : numpy.ndarray, shape (width,)
        Planet's mass over that of the star where the star's own motion is a step of its own, or 0.
    later : numpy.ndarray, shape (LANES * LANES,)
        Row i: 1 for lanes from i on.
    """

    number: int
    width: int
    mu: np.ndarray
    star: np.ndarray
    own: np.ndarray
    gm: np.ndarray
    near: np.ndarray
    place: np.ndarray
    pull: np.ndarray
    jump: np.ndarray
    later: np.ndarray


class Work(NamedTuple):
    """Memory of a kick: places and accelerations (3 * width), reactions (3 * width)."""

    place: np.ndarray
    acceleration: np.ndarray
    reaction: np.ndarray


@inner
def drift(q, v, planets, h):  # type: ignore[no-untyped-def]
    """Move all planets along their conics for a time h."""
    n, mu = planets.width, planets.mu
    step = splat(h, LANES)
    for b in range(0, n, LANES):
        x, y, z = load(q, b, LANES), load(q, n + b, LANES), load(q, 2 * n + b, LANES)
        s, t, w = load(v, b, LANES), load(v, n + b, LANES), load(v, 2 * n + b, LANES)
        moved, faster, left = kepler_lanes(x, y, z, s, t, w, load(mu, b, LANES), step)
        if left:
            _alone(q, v, planets, b, left, h)
            continue
        store(q, b, x + moved[0])
        store(q, n + b, y + moved[1])
        store(q, 2 * n + b, z + moved[2])
        store(v, b, s + faster[0])
        store(v, n + b, t + faster[1])
        store(v, 2 * n + b, w + faster[2])


@inner
def _alone(q, v, planets, first, left, h):  # type: ignore[no-untyped-def]
    """Move the planets of one vector by one, because some did not converge in lanes."""
    n = planets.width
    for i in range(first, first + LANES):
        moved, faster = kepler_one(
            q[i], q[n + i], q[2 * n + i], v[i], v[n + i], v[2 * n + i], planets.mu[i], h
        )
        for c in range(3):
            q[c * n + i] += moved[c]
            v[c * n + i] += faster[c]


@inner
def jump(q, v, planets, h):  # type: ignore[no-untyped-def]
    """Move all planets with the velocity that the star has because of them."""
    n = planets.width
    for c in range(3):
        sum_ = splat(0.0, LANES)
        for b in range(0, n, LANES):
            sum_ += load(planets.jump, b, LANES) * load(v, c * n + b, LANES)
        way = h * total(sum_)
        for b in range(0, n, LANES):
            store(q, c * n + b, load(q, c * n + b, LANES) + way)


@inlined
def _places(q, planets, work):  # type: ignore[no-untyped-def]
    """Write where the planets are, seen from the star."""
    n, place = planets.width, planets.place
    for b in range(0, n, LANES):
        x, y, z = splat(0.0, LANES), splat(0.0, LANES), splat(0.0, LANES)
        for j in range(min(b + LANES, planets.number)):
            share = load(place, j * n + b, LANES)
            x += share * load_one(q, j, LANES)
            y += share * load_one(q, n + j, LANES)
            z += share * load_one(q, 2 * n + j, LANES)
        store(work.place, b, x)
        store(work.place, n + b, y)
        store(work.place, 2 * n + b, z)


@inlined
def _star(planets, work):  # type: ignore[no-untyped-def]
    """Begin the accelerations with the pull of the star."""
    n, place, acceleration = planets.width, work.place, work.acceleration
    for b in range(0, n, LANES):
        x, y, z = load(place, b, LANES), load(place, n + b, LANES), load(place, 2 * n + b, LANES)
        square = x * x + y * y + z * z
        w = load(planets.star, b, LANES) / (square * sqrt(square))
        store(acceleration, b, -(w * x))
        store(acceleration, n + b, -(w * y))
        store(acceleration, 2 * n + b, -(w * z))


@inlined
def _pairs(planets, work):  # type: ignore[no-untyped-def]
    """Add the pull of planets on each other; give whether two are too close."""
    n, place, acceleration = planets.width, work.place, work.acceleration
    close = splat(0.0, LANES) > 0.0
    for i in range(planets.number):
        px, py = load_one(place, i, LANES), load_one(place, n + i, LANES)
        pz = load_one(place, 2 * n + i, LANES)
        gm = load_one(planets.gm, i, LANES)
        rx, ry, rz = splat(0.0, LANES), splat(0.0, LANES), splat(0.0, LANES)
        first = (i + 1) // LANES * LANES
        later = load(planets.later, (i + 1 - first) * LANES, LANES)
        for b in range(first, n, LANES):
            x = load(place, b, LANES) - px
            y = load(place, n + b, LANES) - py
            z = load(place, 2 * n + b, LANES) - pz
            square = x * x + y * y + z * z
            square = select(square > 0.0, square, splat(_FAR, LANES))
            w = later / (square * sqrt(square))
            close = close | (square < load(planets.near, i * n + b, LANES))
            mine = gm * w
            theirs = load(planets.gm, b, LANES) * w
            store(acceleration, b, load(acceleration, b, LANES) - mine * x)
            store(acceleration, n + b, load(acceleration, n + b, LANES) - mine * y)
            store(acceleration, 2 * n + b, load(acceleration, 2 * n + b, LANES) - mine * z)
            rx += theirs * x
            ry += theirs * y
            rz += theirs * z
            later = splat(1.0, LANES)
        work.reaction[i] = total(rx)
        work.reaction[n + i] = total(ry)
        work.reaction[2 * n + i] = total(rz)
    return bits(close)


@inlined
def _push(q, v, planets, work, h):  # type: ignore[no-untyped-def]
    """Change the velocities by the accelerations of the coordinates, times h."""
    n, pull = planets.width, planets.pull
    for b in range(0, n, LANES):
        x, y, z = load(q, b, LANES), load(q, n + b, LANES), load(q, 2 * n + b, LANES)
        square = x * x + y * y + z * z
        w = load(planets.own, b, LANES) / (square * sqrt(square))
        x, y, z = w * x, w * y, w * z
        for j in range(b, planets.number):
            share = load(pull, j * n + b, LANES)
            a, r = work.acceleration, work.reaction
            x += share * (load_one(a, j, LANES) + load_one(r, j, LANES))
            y += share * (load_one(a, n + j, LANES) + load_one(r, n + j, LANES))
            z += share * (load_one(a, 2 * n + j, LANES) + load_one(r, 2 * n + j, LANES))
        store(v, b, load(v, b, LANES) + h * x)
        store(v, n + b, load(v, n + b, LANES) + h * y)
        store(v, 2 * n + b, load(v, 2 * n + b, LANES) + h * z)


@inner
def kick(q, v, planets, work, h):  # type: ignore[no-untyped-def]
    """Change the velocities by the interaction during h; give whether two bodies are too close."""
    _places(q, planets, work)
    _star(planets, work)
    close = _pairs(planets, work)
    _push(q, v, planets, work, h)
    return close


@inner
def _copy(q, v, to_q, to_v):  # type: ignore[no-untyped-def]
    """Copy coordinates and velocities."""
    for k in range(q.size):
        to_q[k] = q[k]
        to_v[k] = v[k]


@inner
def _keep(q, v, out_q, out_v, row):  # type: ignore[no-untyped-def]
    """Write a sample."""
    for k in range(q.size):
        out_q[row, k] = q[k]
        out_v[row, k] = v[k]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(q, v, planets, work, h, steps, every, kick_first, out_q, out_v):  # type: ignore[no-untyped-def]
    """Make all steps, half steps merged, and write samples.

    Give the number of steps before the one with an encounter, or -1 without any; `q` is then where
    the bodies met. A sample is made on a copy, so that taking samples changes no bit of the rest.
    """
    jumps = planets.jump[0] != 0.0
    here_q, here_v = np.empty_like(q), np.empty_like(v)
    if kick_first:
        if kick(q, v, planets, work, 0.5 * h):
            return 0
    else:
        drift(q, v, planets, 0.5 * h)
    for step in range(1, steps + 1):
        if jumps:
            jump(q, v, planets, 0.5 * h)
        if kick_first:
            drift(q, v, planets, h)
        elif kick(q, v, planets, work, h):
            return step - 1
        if jumps:
            jump(q, v, planets, 0.5 * h)
        if step % every == 0:
            _copy(q, v, here_q, here_v)
            if kick_first:
                kick(here_q, here_v, planets, work, 0.5 * h)
            else:
                drift(here_q, here_v, planets, 0.5 * h)
            _keep(here_q, here_v, out_q, out_v, step // every)
        if step == steps:
            break
        if not kick_first:
            drift(q, v, planets, h)
        elif kick(q, v, planets, work, h):
            return step
    return -1
