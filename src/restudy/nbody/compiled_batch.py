"""Wisdom-Holman integration of many systems at once, in the lanes of vectors and in threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.arguments import check_whole, numbers
from restudy.nbody.compiled_many import LANES, Block, Meetings, advance
from restudy.nbody.compiled_setup import (
    Scheme,
    Start,
    check_order,
    check_steps,
    from_jacobi,
    kepler_mu,
    mutual_hill_radii,
    place_back,
    started,
    to_jacobi,
)
from restudy.nbody.errors import NBodyError
from restudy.nbody.splitting import REBOUND, Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BatchTrajectory(Trajectory):
    """States of many systems, NaN after an encounter, and the encounters.

    Attributes
    ----------
    encounter_times : numpy.ndarray, shape (B,)
        When two planets of a system first met [yr]; infinite where none did.
    encounter_pairs : numpy.ndarray of int64, shape (B, 2)
        Their numbers, the star being 0; -1 where none met.
    """

    encounter_times: FloatArray
    encounter_pairs: IntArray


def integrate_batch(
    systems: Sequence[System],
    step: ArrayLike,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split = REBOUND,
    scheme: Scheme = Scheme.KICK_DRIFT_KICK,
    hill_radii: float = 1.0,
    threads: int = 1,
) -> BatchTrajectory:
    """Follow many systems of N bodies with the Wisdom-Holman map in Jacobi coordinates.

    It is the map of `restudy.nbody.compiled.integrate_compiled`, with other rounding errors.

    Parameters
    ----------
    systems : sequence of System
        All of the same number of bodies; planets from the innermost to the outermost.
    step : float or array_like, shape (B,)
        Step h of all, or of each system [yr].
    steps : int
        Number of steps.
    sample_every : int
        Steps from one sample to the next.
    split : Split
        What the Kepler motion is; WHFast's if not given.
    scheme : Scheme
        WHFast drifts first, the paper kicks first.
    hill_radii : float
        Two planets meet when they are closer than this many of their mutual Hill radii,
        ``((m_i + m_j) / 3 m_0)^(1/3) (a_i + a_j) / 2`` with the semi-major axes of the start. It is
        looked at in each kick. 0 looks for no encounters.
    threads : int
        Threads among which blocks of systems are divided.

    Returns
    -------
    BatchTrajectory
        With ``steps // sample_every + 1`` samples, in the frame given; its times have shape
        (samples, B) where the step has. An encounter ends one system, not the others.

    Raises
    ------
    NBodyError
        If an argument is impossible, planets are not in order, or numbers overflow.

    Notes
    -----
    The bits of a system depend neither on the other systems, nor on its place among them, nor on
    the number of threads.

    A step of Sun, Jupiter and Saturn took, on a core of an AMD EPYC with AVX2 (4 doubles a
    register): 59 ns with 4 systems in a vector of LLVM, 44 ns with 8, 32 to 40 ns with 16 and 47 ns
    with 32, where the registers run out. The chains of operations of a Kepler orbit are long, so
    that four registers side by side fill the waiting. It has 600 multiply-adds, 60 divisions and 52
    roots of whole registers (``vfmadd``, ``vdivpd``, ``vsqrtpd`` on ``ymm``) in its loops, and no
    division by one number outside the careful solver.
    """
    if not systems:
        raise NBodyError("no systems; expected at least one.")
    check_whole("the number of threads", threads)
    if threads < 1:
        raise NBodyError(f"{threads} threads; expected at least 1.")
    given = numbers("the steps", step)
    if given.shape not in ((), (len(systems),)):
        raise NBodyError(f"the steps have shape {given.shape}; expected ({len(systems)},) or one.")
    h = np.array(np.broadcast_to(given, (len(systems),)))
    for value in np.unique(h):
        check_steps(float(value), steps, sample_every, hill_radii)
    _check_alike(systems)
    start = started(systems, h)
    check_order(systems, start.axes)
    blocks, starts = _blocks(start, h, split, hill_radii)
    met = [Meetings(np.full(LANES, -1), np.full((LANES, 2), -1)) for _ in blocks]
    first = scheme is Scheme.KICK_DRIFT_KICK
    plan = steps, sample_every, first
    with ThreadPoolExecutor(threads) as pool:
        out = list(pool.map(_follow, starts, blocks, met, repeat(plan)))
    with np.errstate(invalid="ignore"):  # what overflows is refused below
        states = _gathered(out, start.masses)
    passed = sample_every * np.arange(states.shape[1], dtype=np.float64)[:, None]
    place_back((states[0], states[1]), start, passed * h)
    last = np.concatenate([one.step for one in met])[: len(h)]
    states[:, (passed > last) & (last >= 0)] = np.nan
    _check_finite(states, last, h)
    when = np.where(last < 0, np.inf, h * (last + (0.0 if first else 0.5)))
    pairs = np.concatenate([one.pair for one in met])[: len(h)]
    pairs = np.where(pairs < 0, pairs, pairs + 1)
    times = passed * h if np.ndim(step) else (passed * h)[:, 0]
    return BatchTrajectory(times, states[0], states[1], when, pairs)


def _check_alike(systems: Sequence[System]) -> None:
    for number, system in enumerate(systems):
        if system.bodies != systems[0].bodies:
            raise NBodyError(
                f"system {number} has {system.bodies} bodies, and system 0 has "
                f"{systems[0].bodies}; expected one number of bodies."
            )


def _in_lanes(x: FloatArray) -> FloatArray:
    """Give numbers of systems, (B, k), as blocks, (blocks, k LANES); the last fills up."""
    count = -(-len(x) // LANES) * LANES
    full = np.concatenate([x, np.repeat(x[-1:], count - len(x), axis=0)])
    turned = full.reshape(count // LANES, LANES, x.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(turned).reshape(len(turned), LANES * x.shape[1])


def _blocks(
    start: Start, h: FloatArray, split: Split, hill_radii: float
) -> tuple[list[Block], list[tuple[FloatArray, FloatArray]]]:
    masses, gravity = start.masses, start.gravity[:, None]
    mu = kepler_mu(split, masses, gravity)
    outer = (np.arange(mu.shape[1]) > 0).astype(np.float64)
    eta = masses.cumsum(axis=1)
    given = (
        mu,
        gravity * masses[:, :1] * outer,
        mu * outer,
        gravity * masses[:, 1:],
        (hill_radii * mutual_hill_radii(masses, start.axes)) ** 2,
        masses[:, 1:] / eta[:, 1:],
        masses[:, 1:],
        1.0 / eta[:, :-1],
        h[:, None],
    )
    blocks = [Block(*one) for one in zip(*(_in_lanes(x) for x in given), strict=True)]
    states = (to_jacobi(masses, x) for x in (start.positions, start.velocities))
    both = (_in_lanes(x.reshape(len(x), -1)) for x in states)
    return blocks, list(zip(*both, strict=True))


def _follow(
    start: tuple[FloatArray, FloatArray], block: Block, met: Meetings, plan: tuple[int, int, bool]
) -> FloatArray:
    """Give the samples of a block, (2, samples, coordinates, LANES)."""
    steps, every, first = plan
    out = np.empty((2, steps // every + 1, start[0].size))
    out[:, 0] = start
    q, v = (x.copy() for x in start)
    advance(q, v, block, steps, every, first, out[0], out[1], met)
    return out.reshape(*out.shape[:2], -1, LANES)


def _gathered(out: list[FloatArray], masses: FloatArray) -> FloatArray:
    """Put the blocks together, in the frame of the barycentre, (2, samples, B, N, 3)."""
    batch, bodies = masses.shape
    both = np.empty((2, out[0].shape[1], batch, bodies, 3))
    for number, one in enumerate(out):
        part = slice(number * LANES, min((number + 1) * LANES, batch))
        q = np.moveaxis(one, -1, 2)[:, :, : part.stop - part.start]
        both[:, :, part] = from_jacobi(masses[part], q.reshape(*q.shape[:3], bodies - 1, 3))
    return both


def _check_finite(states: FloatArray, last: IntArray, h: FloatArray) -> None:
    wrong = ~np.isfinite(states).all(axis=(0, 1, 3, 4)) & (last < 0)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise NBodyError(
            f"numbers of system {k} overflow with a step of {h[k]:g} yr; expected a step well "
            "below its shortest period."
        )
