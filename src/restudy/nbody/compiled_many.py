"""Compiled Wisdom-Holman steps of many systems: each lane of a vector is a system.

`LANES` systems make a block, which is followed from the first step to the last while it stays in
the nearest cache. In a block, the number of component c of coordinate i in lane s is at
``(3 i + c) LANES + s``. Nothing a lane does depends on its neighbours: one that needs more
iterations of Kepler's problem does not move the others, and one that needs the careful solver gets
it alone. So the bits of a system are the same in any batch, at any place in it.

What was tried, on an AMD EPYC with AVX2, in ns a step of one system of three bodies: see the
table in the notes of `restudy.nbody.compiled_batch.integrate_batch`.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from restudy.nbody.compiled_drift import kepler_lanes, kepler_one
from restudy.nbody.lanes import bits, inlined, inner, load, splat, sqrt, store

LANES = 16  # systems of a block: two vectors of AVX2, whose chains of operations overlap
_ROW = 3 * LANES


class Block(NamedTuple):
    """What stays as it is in a block; all of float64.

    Attributes
    ----------
    mu, star, own, gm : numpy.ndarray, shape (N - 1, LANES)
        As those of `restudy.nbody.compiled_single.Planets`.
    near : numpy.ndarray, shape (pairs, LANES)
        The square of the distance that is too close [au^2], for 0 and 1, 0 and 2, ..., 1 and 2, ...
    inner : numpy.ndarray, shape (N - 1, LANES)
        Planet's mass over that of all bodies up to it.
    mass, outer : numpy.ndarray, shape (N - 1, LANES)
        Planet's mass, and 1 over that of all bodies before it.
    step : numpy.ndarray, shape (LANES,)
        Steps h [yr].
    """

    mu: np.ndarray
    star: np.ndarray
    own: np.ndarray
    gm: np.ndarray
    near: np.ndarray
    inner: np.ndarray
    mass: np.ndarray
    outer: np.ndarray
    step: np.ndarray


class Meetings(NamedTuple):
    """The first encounter of each system of a block.

    Attributes
    ----------
    step : numpy.ndarray of int64, shape (LANES,)
        Steps before it, or -1.
    pair : numpy.ndarray of int64, shape (LANES, 2)
        The two planets.
    """

    step: np.ndarray
    pair: np.ndarray


@inner
def drift(q, v, block, part, patch):  # type: ignore[no-untyped-def]
    """Move all planets along their conics for a part of the step."""
    h = part * load(block.step, 0, LANES)
    for i in range(block.mu.size // LANES):
        at = i * _ROW
        x, y, z = load(q, at, LANES), load(q, at + LANES, LANES), load(q, at + 2 * LANES, LANES)
        s, t, w = load(v, at, LANES), load(v, at + LANES, LANES), load(v, at + 2 * LANES, LANES)
        mu = load(block.mu, i * LANES, LANES)
        moved, faster, left = kepler_lanes(x, y, z, s, t, w, mu, h)
        if left:
            for c in range(3):
                store(patch, c * LANES, moved[c])
                store(patch, _ROW + c * LANES, faster[c])
            _alone(q, v, block, i, part, left, patch)
            moved = load(patch, 0, LANES), load(patch, LANES, LANES), load(patch, 2 * LANES, LANES)
            faster = (
                load(patch, _ROW, LANES),
                load(patch, _ROW + LANES, LANES),
                load(patch, _ROW + 2 * LANES, LANES),
            )
        store(q, at, x + moved[0])
        store(q, at + LANES, y + moved[1])
        store(q, at + 2 * LANES, z + moved[2])
        store(v, at, s + faster[0])
        store(v, at + LANES, t + faster[1])
        store(v, at + 2 * LANES, w + faster[2])


@inner
def _alone(q, v, block, i, part, left, patch):  # type: ignore[no-untyped-def]
    """Write the increments of planet i in the lanes that are left."""
    for lane in range(LANES):
        if (left >> lane) & 1:
            at = i * _ROW + lane
            x, y, z = q[at], q[at + LANES], q[at + 2 * LANES]
            s, t, w = v[at], v[at + LANES], v[at + 2 * LANES]
            h = part * block.step[lane]
            moved, faster = kepler_one(x, y, z, s, t, w, block.mu[i * LANES + lane], h)
            for c in range(3):
                patch[c * LANES + lane] = moved[c]
                patch[_ROW + c * LANES + lane] = faster[c]


@inlined
def _begin(q, block, place, acceleration):  # type: ignore[no-untyped-def]
    """Write the places seen from the star, and the accelerations that it gives."""
    zero = splat(0.0, LANES)
    cx, cy, cz = zero, zero, zero  # the barycentre of the bodies so far
    for i in range(block.mu.size // LANES):
        at, one = i * _ROW, i * LANES
        qx, qy, qz = load(q, at, LANES), load(q, at + LANES, LANES), load(q, at + 2 * LANES, LANES)
        x, y, z = qx + cx, qy + cy, qz + cz
        inner = load(block.inner, one, LANES)
        cx, cy, cz = cx + inner * qx, cy + inner * qy, cz + inner * qz
        store(place, at, x)
        store(place, at + LANES, y)
        store(place, at + 2 * LANES, z)
        if i == 0:
            store(acceleration, at, zero)
            store(acceleration, at + LANES, zero)
            store(acceleration, at + 2 * LANES, zero)
            continue
        square = x * x + y * y + z * z
        w = load(block.star, one, LANES) / (square * sqrt(square))
        store(acceleration, at, -(w * x))
        store(acceleration, at + LANES, -(w * y))
        store(acceleration, at + 2 * LANES, -(w * z))


@inlined
def _pairs(block, place, acceleration):  # type: ignore[no-untyped-def]
    """Add the pull of planets on each other; give in which lanes two are too close."""
    close = splat(0.0, LANES) > 0.0
    n, pair = block.mu.size // LANES, 0
    for i in range(n - 1):
        at = i * _ROW
        px, py = load(place, at, LANES), load(place, at + LANES, LANES)
        pz = load(place, at + 2 * LANES, LANES)
        gm = load(block.gm, i * LANES, LANES)
        ax, ay = load(acceleration, at, LANES), load(acceleration, at + LANES, LANES)
        az = load(acceleration, at + 2 * LANES, LANES)
        for j in range(i + 1, n):
            to = j * _ROW
            x = load(place, to, LANES) - px
            y = load(place, to + LANES, LANES) - py
            z = load(place, to + 2 * LANES, LANES) - pz
            square = x * x + y * y + z * z
            w = 1.0 / (square * sqrt(square))
            close = close | (square < load(block.near, pair * LANES, LANES))
            pair += 1
            theirs, mine = load(block.gm, j * LANES, LANES) * w, gm * w
            ax, ay, az = ax + theirs * x, ay + theirs * y, az + theirs * z
            store(acceleration, to, load(acceleration, to, LANES) - mine * x)
            store(acceleration, to + LANES, load(acceleration, to + LANES, LANES) - mine * y)
            store(
                acceleration, to + 2 * LANES, load(acceleration, to + 2 * LANES, LANES) - mine * z
            )
        store(acceleration, at, ax)
        store(acceleration, at + LANES, ay)
        store(acceleration, at + 2 * LANES, az)
    return bits(close)


@inlined
def _push(q, v, block, acceleration, part):  # type: ignore[no-untyped-def]
    """Change the velocities of the coordinates, from the outermost to the innermost."""
    h = part * load(block.step, 0, LANES)
    zero = splat(0.0, LANES)
    sx, sy, sz = zero, zero, zero  # mass times acceleration of the planets so far
    for i in range(block.mu.size // LANES - 1, -1, -1):
        at, one = i * _ROW, i * LANES
        ax, ay = load(acceleration, at, LANES), load(acceleration, at + LANES, LANES)
        az = load(acceleration, at + 2 * LANES, LANES)
        mass, outer = load(block.mass, one, LANES), load(block.outer, one, LANES)
        sx, sy, sz = sx + mass * ax, sy + mass * ay, sz + mass * az
        ax, ay, az = ax + outer * sx, ay + outer * sy, az + outer * sz
        if i:
            x, y, z = load(q, at, LANES), load(q, at + LANES, LANES), load(q, at + 2 * LANES, LANES)
            square = x * x + y * y + z * z
            w = load(block.own, one, LANES) / (square * sqrt(square))
            ax, ay, az = ax + w * x, ay + w * y, az + w * z
        store(v, at, load(v, at, LANES) + h * ax)
        store(v, at + LANES, load(v, at + LANES, LANES) + h * ay)
        store(v, at + 2 * LANES, load(v, at + 2 * LANES, LANES) + h * az)


@inner
def kick(q, v, block, place, acceleration, part):  # type: ignore[no-untyped-def]
    """Change the velocities by the interaction; give in which lanes two bodies are too close."""
    _begin(q, block, place, acceleration)
    close = _pairs(block, place, acceleration)
    _push(q, v, block, acceleration, part)
    return close


@inner
def _note(close, place, near, step, met):  # type: ignore[no-untyped-def]
    """Write down the pair of the lanes that have met nobody before."""
    n = place.size // _ROW
    for lane in range(LANES):
        if not (close >> lane) & 1 or met.step[lane] >= 0:
            continue
        met.step[lane] = step
        least, pair = np.inf, lane
        for i in range(n):
            for j in range(i + 1, n):
                square = 0.0
                for c in range(3):
                    at, to = i * _ROW + c * LANES + lane, j * _ROW + c * LANES + lane
                    square += (place[at] - place[to]) ** 2
                if square < least * near[pair]:
                    least = square / near[pair]
                    met.pair[lane, 0], met.pair[lane, 1] = i, j
                pair += LANES


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
def advance(q, v, block, steps, every, kick_first, out_q, out_v, met):  # type: ignore[no-untyped-def]
    """Make all steps of a block, half steps merged, and write samples, which are copies."""
    place, acceleration, patch = np.empty_like(q), np.empty_like(q), np.empty(2 * _ROW)
    here_q, here_v = np.empty_like(q), np.empty_like(v)
    if kick_first:
        close = kick(q, v, block, place, acceleration, 0.5)
        if close:
            _note(close, place, block.near, 0, met)
    else:
        drift(q, v, block, 0.5, patch)
    for step in range(1, steps + 1):
        if kick_first:
            drift(q, v, block, 1.0, patch)
        else:
            close = kick(q, v, block, place, acceleration, 1.0)
            if close:
                _note(close, place, block.near, step - 1, met)
        if step % every == 0:
            _copy(q, v, here_q, here_v)
            if kick_first:
                kick(here_q, here_v, block, place, acceleration, 0.5)
            else:
                drift(here_q, here_v, block, 0.5, patch)
            _keep(here_q, here_v, out_q, out_v, step // every)
        if step == steps:
            break
        if kick_first:
            close = kick(q, v, block, place, acceleration, 1.0)
            if close:
                _note(close, place, block.near, step, met)
        else:
            drift(q, v, block, 1.0, patch)
