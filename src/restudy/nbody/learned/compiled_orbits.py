"""Wisdom and Holman's integrator with a kick by a pair potential, compiled, for one system.

Kick, drift, kick in Jacobi coordinates; the half kicks between two samples are joined, since the
same potential is asked at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from restudy.nbody.compiled_kepler import kepler_step
from restudy.nbody.errors import NBodyError
from restudy.nbody.jacobi import jacobi_masses, jacobi_matrix
from restudy.nbody.learned.compiled_pair import PackedPair, pack, pair_kick
from restudy.nbody.learned.guard import Coverage
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.splitting import Split, WisdomHolman91Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

FloatArray = NDArray[np.float64]

# The exact potential, packed: one cell over all separations, in which the ratio is 1.
NEWTON = PackedPair(
    scale=1.0,
    half_width=1.0,
    first=np.zeros(1),
    first_bias=np.zeros(1),
    second=np.zeros((1, 1)),
    second_bias=np.zeros(1),
    last=np.zeros(1),
    last_bias=0.0,
    start=-1000.0,
    cells_per_unit=1 / 2000.0,
    table=np.array([[1.0, 0.0, 0.0, 0.0]]),
)


@dataclass(frozen=True)
class PairRun:
    """A run with a learned potential.

    Attributes
    ----------
    trajectory : Trajectory
        In the frame of the barycentre.
    coverage : Coverage
        The separations of the run beside those of the training.
    """

    trajectory: Trajectory
    coverage: Coverage


def integrate_learned(
    system: System,
    potential: PairPotential,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split | None = None,
    cells: int = 4096,
) -> PairRun:
    """Follow a system with a learned potential.

    Parameters
    ----------
    system : System
        Sorted by semi-major axis.
    potential : PairPotential
        The potential.
    step : float
        May be negative [yr].
    steps : int
        How many.
    sample_every : int
        Steps from one sample to the next; it divides ``steps``.
    split : Split, optional
        Wisdom and Holman's of 1991 by default.
    cells : int
        Of the table that the network is read from; 0 asks the network itself each time.

    Returns
    -------
    PairRun
        The orbits, and whether they stayed where the potential was trained.

    Raises
    ------
    NBodyError
        If the numbers of steps do not fit, or the orbits leave the finite numbers.

    Warns
    -----
    ExtrapolationWarning
        If there were separations outside the range of training.
    """
    packed = pack(potential, cells=cells)
    trajectory, seen = _integrate(system, packed, step, steps, sample_every, split)
    coverage = Coverage(potential.separations, *(float(x) for x in np.sqrt(seen)))
    coverage.warn()
    return PairRun(trajectory, coverage)


def integrate_exact(
    system: System,
    step: float,
    steps: int,
    *,
    sample_every: int = 1,
    split: Split | None = None,
) -> Trajectory:
    """Follow a system with the exact potential, in the same code; see `integrate_learned`."""
    return _integrate(system, NEWTON, step, steps, sample_every, split)[0]


def integrate_uncoupled(
    system: System, step: float, steps: int, *, sample_every: int = 1, split: Split | None = None
) -> Trajectory:
    """Follow the Kepler orbits of a system without any kick: the control; see above."""
    nothing = NEWTON._replace(table=np.zeros((1, 4)))
    return _integrate(system, nothing, step, steps, sample_every, split)[0]


def _integrate(
    system: System,
    packed: PackedPair,
    step: float,
    steps: int,
    sample_every: int,
    split: Split | None,
) -> tuple[Trajectory, FloatArray]:
    if steps < 1 or sample_every < 1 or steps % sample_every:
        raise NBodyError(
            f"{steps} steps with a sample every {sample_every}; expected positive numbers of which "
            "the second divides the first."
        )
    masses = torch.as_tensor(np.array(system.masses))
    reduced = jacobi_masses(masses).numpy()
    mu = np.r_[0.0, (split or WisdomHolman91Split()).mu(masses, system.gravity).numpy()]
    kepler, kicks = reduced * mu / system.gravity, system.gravity / reduced
    A = jacobi_matrix(masses).numpy()
    positions, velocities = A @ system.positions, A @ system.velocities
    samples = steps // sample_every + 1
    kept = np.empty((2, samples, *positions.shape))
    seen = np.array([np.inf, 0.0])
    _follow(
        packed, np.array(system.masses), kepler, mu, kicks, positions, velocities, step,
        sample_every, kept, seen,
    )  # fmt: skip
    if not np.isfinite(kept).all():
        raise NBodyError(f"the orbits are no numbers after {steps} steps of {step:g} yr.")
    kept[:, :, 0] = 0.0  # the barycentre
    back = np.linalg.inv(A)
    times = step * sample_every * np.arange(samples)
    return Trajectory(times, back @ kept[0], back @ kept[1]), seen


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, error_model="numpy")(function)


@_compiled
def _follow(
    pair: PackedPair,
    masses: FloatArray,
    kepler: FloatArray,
    mu: FloatArray,
    kicks: FloatArray,
    q: FloatArray,
    v: FloatArray,
    step: float,
    sample_every: int,
    kept: FloatArray,
    seen: FloatArray,
) -> None:
    """Follow Jacobi positions and velocities and keep them every so many steps."""
    places, gradient = np.zeros_like(q), np.zeros_like(q)
    kept[0, 0], kept[1, 0] = q, v
    pair_kick(pair, masses, kepler, q, places, gradient, seen)
    for sample in range(1, kept.shape[1]):
        _kick(v, gradient, kicks, 0.5 * step)
        for number in range(sample_every):
            for i in range(1, masses.size):
                kepler_step(q, v, i, mu[i], step)
            pair_kick(pair, masses, kepler, q, places, gradient, seen)
            _kick(v, gradient, kicks, step if number + 1 < sample_every else 0.5 * step)
        kept[0, sample], kept[1, sample] = q, v


@_compiled
def _kick(v: FloatArray, gradient: FloatArray, kicks: FloatArray, time: float) -> None:
    for i in range(1, kicks.size):
        for k in range(3):
            v[i, k] -= time * kicks[i] * gradient[i, k]
