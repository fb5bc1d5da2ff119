"""IAS15: Gauss-Radau quadrature of order 15, with steps of its own choice, to round-off.

Over a step the acceleration is ``a_0 + b_0 s + ... + b_6 s^7``, s from 0 to 1, which is made to
agree with the forces at the 7 nodes inside it by iteration, beginning with the polynomial of the
step before. Positions, velocities, time and the b are kept with what rounding took from them
(Kahan), so energy walks at random, with ``t^(1/2)`` (Brouwer's law).

Sources: H. Rein and D. S. Spiegel, IAS15: a fast, adaptive, high-order integrator for gravitational
dynamics, accurate to machine precision over a billion orbits, MNRAS 446, 1424 (2015),
doi:10.1093/mnras/stu2164; the length of steps after D. Pham, H. Rein and D. S. Spiegel, A new
timestep criterion for N-body simulations, Open J. Astrophys. 7 (2024),
doi:10.21105/astro.2401.02849.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from restudy.nbody.arguments import check_number, numbers
from restudy.nbody.compiled_forces import accelerate
from restudy.nbody.compiled_setup import place_back
from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import Force, packed
from restudy.nbody.lanes import put
from restudy.nbody.radau import (
    newton_of_powers,
    nodes,
    powers_of_newton,
    reciprocal_differences,
)
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

TOLERANCE = 1e-9
"""Of Rein and Spiegel: the last term of the series over the first; errors are far below it."""

_NODES, _RECIPROCAL = nodes(), reciprocal_differences()
_POWERS, _NEWTON = powers_of_newton(), newton_of_powers()
_MOST_ITERATIONS = 12
_LEAST_SHRINKING = 0.25  # a step that should have been shorter than this part of it is done again
_MOST_STEPS = 2.0**53
_DONE, _STUCK, _NO_NUMBER = 0, 1, 2


@dataclass(frozen=True, eq=False)
class AdaptiveRun:
    """A trajectory, and what it cost.

    Attributes
    ----------
    trajectory : Trajectory
        The states at the times that were asked for.
    accepted : int
        Steps.
    rejected : int
        Steps that were too long and done again.
    evaluations : int
        Of all forces.
    """

    trajectory: Trajectory
    accepted: int
    rejected: int
    evaluations: int


def integrate_ias15(
    system: System, times: ArrayLike, forces: Sequence[Force] = (), tolerance: float = TOLERANCE
) -> Trajectory:
    """Follow a system to round-off, through close encounters too.

    Parameters
    ----------
    system : System
        The start, at time 0.
    times : array_like, shape (samples,)
        When to keep the state [yr], from 0 on ascending, or descending.
    forces : sequence of Force
        Accelerations besides Newton's; they may depend on velocities.
    tolerance : float
        The relative size of the last term of the acceleration's series over a step.

    Returns
    -------
    Trajectory
        The states at the times, in the frame given.

    Raises
    ------
    NBodyError
        If times are not in order, or too late for any computer, or bodies collide.

    Notes
    -----
    Steps end on the times asked for: samples closer than a natural step (about a fortieth of the
    shortest period) cost a step each. About 20 evaluations of all forces a step.

    Examples
    --------
    Half an orbit and back.

    >>> earth = System([1.0, 3e-6], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.2831, 0]])
    >>> half = integrate_ias15(earth, [0.0, 0.5])
    >>> there = System(earth.masses, half.positions[-1], half.velocities[-1])
    >>> back = integrate_ias15(there, [0.0, -0.5])
    >>> bool(abs(back.positions[-1] - half.positions[0]).max() < 2e-15)
    True
    """
    return run_ias15(system, times, forces, tolerance).trajectory


def run_ias15(
    system: System, times: ArrayLike, forces: Sequence[Force] = (), tolerance: float = TOLERANCE
) -> AdaptiveRun:
    """Follow a system as `integrate_ias15` does, and count.

    Parameters
    ----------
    system : System
        The start, at time 0.
    times : array_like, shape (samples,)
        When to keep the state [yr].
    forces : sequence of Force
        Accelerations besides Newton's.
    tolerance : float
        As of `integrate_ias15`.

    Returns
    -------
    AdaptiveRun
        The trajectory with the numbers of steps and evaluations.

    Raises
    ------
    NBodyError
        As of `integrate_ias15`.
    """
    when = _checked(times, tolerance)
    start = system.barycentric()
    _refuse_without_end(start, when)
    positions = np.empty((len(when), start.bodies, 3))
    velocities = np.empty_like(positions)
    counts = np.zeros(3, dtype=np.int64)
    status, at = _run(
        *(start.masses, start.gravity, start.positions, start.velocities),
        *(when, tolerance, packed(forces), positions, velocities, counts),
    )
    if status != _DONE:
        raise NBodyError(_reason(status, at))
    place_back((positions, velocities), system, when)
    return AdaptiveRun(Trajectory(when, positions, velocities), *(int(x) for x in counts))


def _checked(times: ArrayLike, tolerance: float) -> np.ndarray:
    when = numbers("the times", times)
    check_number("the tolerance", tolerance)
    if when.ndim != 1 or not len(when) or not np.isfinite(when).all():
        raise NBodyError(f"the times have shape {when.shape}; expected (samples,), finite numbers.")
    forth, back = np.diff(when, prepend=0.0), -np.diff(when, prepend=0.0)
    if not ((forth >= 0).all() or (back >= 0).all()):
        i = int(np.argmax((forth if when[-1] >= 0 else back) < 0))
        raise NBodyError(
            f"time {i} is {when[i]:g} yr and out of order; expected times that go from 0 one way."
        )
    if not 0 < tolerance < 1:
        raise NBodyError(f"the tolerance is {tolerance:g}; expected between 0 and 1, as 1e-9.")
    return when


def _refuse_without_end(start: System, times: np.ndarray) -> None:
    """Refuse times so late that a double cannot tell a step from the next."""
    first = _first_step(start.masses, start.gravity, start.positions, start.velocities)
    if not abs(times[-1]) <= _MOST_STEPS * first:
        raise NBodyError(
            f"the last time is {times[-1]:g} yr, more than 2^53 steps of {first:.3g} yr away; "
            f"expected at most {_MOST_STEPS * first:.3g} yr, and far less to see the end."
        )


def _reason(status: int, at: float) -> str:
    if status == _NO_NUMBER:
        return (
            f"a force is not a finite number at {at:.10g} yr; expected bodies that do not collide, "
            "and forces that can be computed everywhere."
        )
    return (
        f"the step has shrunk to nothing at {at:.10g} yr, which happens when two point masses "
        "collide; expected bodies that keep a distance."
    )


@njit(cache=True, inline="always")
def _add(value, lost, term):  # type: ignore[no-untyped-def]
    """Return the sum, and what rounding took from it."""
    y = term - lost
    total = value + y
    return total, (total - value) - y


@njit(cache=True, nogil=True)
def _run(  # type: ignore[no-untyped-def]
    masses, gravity, start, speed, times, tolerance, extra, positions, velocities, counts
):
    """Fill the states at `times`; return the status and the time reached."""
    x, v = start.copy().reshape(-1), speed.copy().reshape(-1)
    lost_x, lost_v = np.zeros_like(x), np.zeros_like(x)
    shape = (7, len(x))
    b, lost_b, predicted = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    direction = 1.0 if times[-1] >= 0 else -1.0
    natural = direction * _first_step(masses, gravity, start, speed)
    before = 0.0  # the last step done
    now, lost_now = 0.0, 0.0
    for sample in range(len(times)):
        while True:
            left = (times[sample] - now) + lost_now
            if left * direction <= 0:
                break
            step = natural
            if abs(left) <= abs(natural):
                step = left
            elif abs(left) < 2 * abs(natural):
                step = 0.5 * left  # two halves, where a whole one would leave a crumb
            status, step, natural = _step(
                *(masses, gravity, step, before, x, v, lost_x, lost_v, b, lost_b, predicted),
                *(tolerance, extra, counts),
            )
            if status != _DONE:
                return status, now
            before = step
            if step == left:
                now, lost_now = times[sample], 0.0
            else:
                now, lost_now = _add(now, lost_now, step)
        put(positions[sample].reshape(-1), x)
        put(velocities[sample].reshape(-1), v)
    return _DONE, now


@njit(cache=True)
def _first_step(masses, gravity, x, v):  # type: ignore[no-untyped-def]
    """Return a hundredth of the shortest time in which two bodies fall or pass."""
    shortest = np.inf
    for i in range(len(masses)):
        for j in range(i):
            r2 = np.sum((x[i] - x[j]) ** 2)
            fall = np.sqrt(r2**1.5 / (gravity * (masses[i] + masses[j])))
            passing = np.sqrt(r2 / np.sum((v[i] - v[j]) ** 2)) if (v[i] != v[j]).any() else np.inf
            shortest = min(shortest, fall, passing)
    return 0.01 * shortest


@njit(cache=True)
def _step(  # type: ignore[no-untyped-def]
    masses, gravity, step, before, x, v, lost_x, lost_v, b, lost_b, predicted, tolerance, extra,
    counts,
):  # fmt: skip
    """Take one step in place; return the status, its length and the length of the next."""
    a0, lost_a0 = np.empty_like(x), np.empty_like(x)
    accelerate(masses, x, v, gravity, extra, a0, lost_a0)
    counts[2] += 1
    old_b, old_predicted = b.copy(), predicted.copy()
    while True:
        _predict(old_b, old_predicted, step / before if before != 0.0 else 0.0, b, predicted)
        lost_b[:] = 0.0
        finite = _iterate(
            masses, gravity, step, x, v, lost_x, lost_v, a0, lost_a0, b, lost_b, extra, counts
        )
        if not finite:
            return _NO_NUMBER, step, step
        natural = step * _stretch(a0, b, tolerance)
        if abs(natural) >= _LEAST_SHRINKING * abs(step):
            break
        counts[1] += 1
        step = natural
        if not abs(step) > 1e-250 or (x + step * v == x).all():
            return _STUCK, step, step
    counts[0] += 1
    _advance(step, x, v, lost_x, lost_v, a0, b)
    if abs(natural) > abs(step) / _LEAST_SHRINKING:
        natural = step / _LEAST_SHRINKING
    return _DONE, step, natural


@njit(cache=True)
def _predict(old_b, old_predicted, ratio, b, predicted):  # type: ignore[no-untyped-def]
    """Continue the series of the step before into this one (Rein & Spiegel, eq. 13).

    Half of the art is to add the error of the last such prediction.
    """
    q = ratio
    if q == 0.0 or abs(q) > 20.0:
        b[:] = 0.0
        predicted[:] = 0.0
        return
    q2 = q * q
    q3, q4, q5, q6, q7 = q2 * q, q2 * q2, q2 * q2 * q, q2 * q2 * q2, q2 * q2 * q2 * q
    for k in range(b.shape[1]):
        b0, b1, b2, b3 = old_b[0, k], old_b[1, k], old_b[2, k], old_b[3, k]
        b4, b5, b6 = old_b[4, k], old_b[5, k], old_b[6, k]
        predicted[0, k] = q * (b0 + 2 * b1 + 3 * b2 + 4 * b3 + 5 * b4 + 6 * b5 + 7 * b6)
        predicted[1, k] = q2 * (b1 + 3 * b2 + 6 * b3 + 10 * b4 + 15 * b5 + 21 * b6)
        predicted[2, k] = q3 * (b2 + 4 * b3 + 10 * b4 + 20 * b5 + 35 * b6)
        predicted[3, k] = q4 * (b3 + 5 * b4 + 15 * b5 + 35 * b6)
        predicted[4, k] = q5 * (b4 + 6 * b5 + 21 * b6)
        predicted[5, k] = q6 * (b5 + 7 * b6)
        predicted[6, k] = q7 * b6
        for i in range(7):
            b[i, k] = predicted[i, k] + (old_b[i, k] - old_predicted[i, k])


@njit(cache=True)
def _iterate(masses, gravity, step, x, v, lost_x, lost_v, a0, lost_a0, b, lost_b, extra, counts):  # type: ignore[no-untyped-def]
    """Make the series b agree with the forces at the nodes; return whether all is finite."""
    g = _NEWTON.T @ b
    q, w, a, lost_a, new = (
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
        np.empty_like(x),
    )
    last = np.inf
    for iteration in range(_MOST_ITERATIONS):
        for n in range(1, 8):
            _inside(_NODES[n], step, x, v, lost_x, a0, b, q)
            if len(extra[0]):
                _speeds_inside(_NODES[n], step, v, lost_v, a0, b, w)
            accelerate(masses, q, w, gravity, extra, a, lost_a)
            change = _correct(n, a, lost_a, a0, lost_a0, g, b, lost_b, new)
        counts[2] += 7
        error = change / np.abs(a).max()
        if not np.isfinite(error):
            return False
        if error < 1e-16 or (iteration > 1 and error >= last):
            return True
        last = error
    return True


@njit(cache=True)
def _inside(h, step, x, v, lost_x, a0, b, q):  # type: ignore[no-untyped-def]
    """Write positions at the part h of the step."""
    t = h * step
    half = 0.5 * t * t
    # t^2 s^j / ((j + 1) (j + 2)), j = 1..7
    p1 = half * h / 3
    p2 = p1 * h / 2
    p3 = p2 * h * 3 / 5
    p4 = p3 * h * 2 / 3
    p5 = p4 * h * 5 / 7
    p6 = p5 * h * 3 / 4
    p7 = p6 * h * 7 / 9
    for k in range(len(x)):
        series = p7 * b[6, k] + p6 * b[5, k] + p5 * b[4, k] + p4 * b[3, k] + p3 * b[2, k]
        series += p2 * b[1, k] + p1 * b[0, k] + half * a0[k] + t * v[k]
        q[k] = x[k] + (series - lost_x[k])


@njit(cache=True)
def _speeds_inside(h, step, v, lost_v, a0, b, w):  # type: ignore[no-untyped-def]
    """Write velocities at the part h of the step."""
    t = h * step
    # t s^j / (j + 1), j = 1..7
    p1 = t * h / 2
    p2 = p1 * h * 2 / 3
    p3 = p2 * h * 3 / 4
    p4 = p3 * h * 4 / 5
    p5 = p4 * h * 5 / 6
    p6 = p5 * h * 6 / 7
    p7 = p6 * h * 7 / 8
    for k in range(len(v)):
        series = p7 * b[6, k] + p6 * b[5, k] + p5 * b[4, k] + p4 * b[3, k] + p3 * b[2, k]
        series += p2 * b[1, k] + p1 * b[0, k] + t * a0[k]
        w[k] = v[k] + (series - lost_v[k])


@njit(cache=True)
def _correct(n, a, lost_a, a0, lost_a0, g, b, lost_b, new):  # type: ignore[no-untyped-def]
    """Take the forces at node n into g and b; return the largest change of g_n."""
    for k in range(len(a)):
        difference, lost = _add(a[k], lost_a[k], -a0[k])
        new[k] = ((difference - lost) + lost_a0[k]) * _RECIPROCAL[n, 0]
    for j in range(1, n):
        factor = _RECIPROCAL[n, j]
        for k in range(len(a)):
            new[k] = (new[k] - g[j - 1, k]) * factor
    largest = 0.0
    for k in range(len(a)):
        change = new[k] - g[n - 1, k]
        g[n - 1, k] = new[k]
        new[k] = change
        largest = max(largest, abs(change))
    for i in range(n):
        _add_row(b[i], lost_b[i], new, _POWERS[n - 1, i])
    return largest


@njit(cache=True)
def _stretch(a0, b, tolerance):  # type: ignore[no-untyped-def]
    """Return how much longer the next step should be (Pham, Rein & Spiegel 2024, eq. 16).

    It is the shortest time in which an acceleration changes, from its first two derivatives at the
    end of the step.
    """
    shortest = np.inf
    for body in range(len(a0) // 3):
        y2, y3, y4 = 0.0, 0.0, 0.0
        for k in range(3 * body, 3 * body + 3):
            value, first, second = a0[k], 0.0, 0.0
            for i in range(7):
                value += b[i, k]
                first += (i + 1) * b[i, k]
                second += (i + 1) * i * b[i, k]
            y2 += value * value
            y3 += first * first
            y4 += second * second
        if y2 > 0 and y3 + y4 > 0:
            shortest = min(shortest, 2 * y2 / (y3 + np.sqrt(y4 * y2)))
    if shortest == np.inf:
        return 1 / _LEAST_SHRINKING
    return np.sqrt(shortest) * (tolerance * 5040) ** (1 / 7)


@njit(cache=True)
def _advance(step, x, v, lost_x, lost_v, a0, b):  # type: ignore[no-untyped-def]
    """Add the step, smallest terms first, with compensation."""
    square = step * step
    for j in range(6, -1, -1):
        _add_row(x, lost_x, b[j], square / ((j + 2) * (j + 3)))
    _add_row(x, lost_x, a0, 0.5 * square)
    _add_row(x, lost_x, lost_v, -step)
    _add_row(x, lost_x, v, step)
    for j in range(6, -1, -1):
        _add_row(v, lost_v, b[j], step / (j + 2))
    _add_row(v, lost_v, a0, step)


@njit(cache=True)
def _add_row(values, lost, terms, factor):  # type: ignore[no-untyped-def]
    """Add ``factor * terms`` to an array, with compensation."""
    for k in range(len(values)):
        values[k], lost[k] = _add(values[k], lost[k], factor * terms[k])
