"""What compiled integrations begin and end with: checks, coordinates, and limits of encounters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.arguments import check_number, check_whole
from restudy.nbody.errors import NBodyError, StepWarning
from restudy.nbody.splitting import Split
from restudy.nbody.system import System

FloatArray = NDArray[np.float64]


class Scheme(Enum):
    """Which half of a step comes first and last."""

    KICK_DRIFT_KICK = "kick"
    DRIFT_KICK_DRIFT = "drift"


def kepler_mu(split: Split, masses: FloatArray, gravity: ArrayLike) -> FloatArray:
    """Give the mu of a split [au^3/yr^2], (..., N - 1), for masses (..., N)."""
    return np.asarray(gravity) * np.asarray(split.mu(torch.tensor(masses), 1.0))


def to_star_matrix(masses: FloatArray) -> FloatArray:
    """Give A of ``r = A q'``: Jacobi coordinates to places seen from the star, (N - 1, N - 1)."""
    share = masses[1:] / masses.cumsum()[1:]
    return np.eye(len(share)) + np.tril(np.broadcast_to(share, (len(share),) * 2), -1)


def to_jacobi(masses: FloatArray, x: FloatArray) -> FloatArray:
    """Give the Jacobi coordinates of positions or velocities, (..., N, 3) to (..., N - 1, 3)."""
    inner = (masses[..., None] * x).cumsum(-2) / masses.cumsum(-1)[..., None]
    return np.asarray(x[..., 1:, :] - inner[..., :-1, :])


def from_jacobi(masses: FloatArray, x: FloatArray) -> FloatArray:
    """Give all bodies seen from the barycentre, (..., N - 1, 3) to (..., N, 3)."""
    share = (masses[..., 1:] / masses.cumsum(-1)[..., 1:])[..., None] * x
    before = share.cumsum(-2) - share
    return barycentric(masses, x + before)


def barycentric(masses: FloatArray, x: FloatArray) -> FloatArray:
    """Give all bodies seen from the barycentre, for planets seen from the star."""
    share = masses[..., 1:] / masses.sum(-1, keepdims=True)
    star = -(share[..., None] * x).sum(-2, keepdims=True)
    return np.concatenate([star, x + star], axis=-2)


def filled(x: FloatArray, width: int) -> FloatArray:
    """Repeat the last entry of the last axis up to a width."""
    more = np.repeat(x[..., -1:], width - x.shape[-1], axis=-1)
    return np.ascontiguousarray(np.concatenate([x, more], axis=-1))


def semi_major_axes(
    masses: FloatArray, positions: FloatArray, velocities: FloatArray, gravity: FloatArray
) -> FloatArray:
    """Give those of planets about the star alone, (..., N - 1) [au]; infinite where unbound."""
    r = np.linalg.norm(positions[..., 1:, :] - positions[..., :1, :], axis=-1)
    v2 = ((velocities[..., 1:, :] - velocities[..., :1, :]) ** 2).sum(-1)
    over = 2.0 / r - v2 / (gravity[..., None] * (masses[..., :1] + masses[..., 1:]))
    return np.where(over > 0, 1.0 / np.where(over > 0, over, 1.0), np.inf)


def mutual_hill_radii(masses: FloatArray, axes: FloatArray) -> FloatArray:
    """Give ``((m_i + m_j) / 3 m_0)^(1/3) (a_i + a_j) / 2`` of pairs of planets [au].

    Pairs are those of ``numpy.triu_indices(N - 1, 1)``; the radius of one is 0 where a planet has
    no ellipse.
    """
    i, j = np.triu_indices(axes.shape[-1], 1)
    part = np.cbrt((masses[..., 1 + i] + masses[..., 1 + j]) / (3 * masses[..., :1]))
    both = axes[..., i] + axes[..., j]
    return np.asarray(0.5 * part * np.where(np.isfinite(both), both, 0.0))


def check_steps(step: float, steps: int, every: int, hill_radii: float) -> None:
    """Refuse what cannot be computed."""
    check_number("the step", step)
    check_whole("the number of steps", steps)
    check_whole("sample_every", every)
    check_number("hill_radii", hill_radii)
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


def check_order(systems: Sequence[System], axes: FloatArray) -> None:
    """Refuse planets that are not in the order of their semi-major axes, (B, N - 1)."""
    wrong = axes[:, 1:] < axes[:, :-1]
    if wrong.any():
        number, k = (int(x) for x in np.argwhere(wrong)[0])
        names, of = systems[number].names, f" of system {number}" if len(systems) > 1 else ""
        raise NBodyError(
            f"{names[k + 2]}{of} has a smaller semi-major axis ({axes[number, k + 1]:.4g} au) than "
            f"{names[k + 1]} ({axes[number, k]:.4g} au); expected planets from the innermost to "
            "the outermost: call sorted() first."
        )


def warn_of_long_steps(
    step: FloatArray, masses: FloatArray, axes: FloatArray, gravity: FloatArray
) -> None:
    """Say that a step of a system is too long to resolve an orbit, (B,) and (B, N - 1)."""
    mu = gravity[:, None] * (masses[:, :1] + masses[:, 1:])
    period = (2 * np.pi * np.sqrt(axes**3 / mu)).min(-1)
    worst = int(np.argmax(abs(step) / period))
    if abs(step[worst]) > period[worst] / 20:
        of = f" of system {worst}" if len(step) > 1 else ""
        warnings.warn(
            f"the step{of} is {abs(step[worst]):.4g} yr; expected at most "
            f"{period[worst] / 20:.4g} yr, a twentieth of the shortest period.",
            StepWarning,
            stacklevel=4,
        )


@dataclass(frozen=True)
class Start:
    """Systems as arrays, checked.

    Attributes
    ----------
    masses : numpy.ndarray, shape (B, N)
    positions, velocities : numpy.ndarray, shape (B, N, 3)
    gravity : numpy.ndarray, shape (B,)
    axes : numpy.ndarray, shape (B, N - 1)
        Semi-major axes [au].
    """

    masses: FloatArray
    positions: FloatArray
    velocities: FloatArray
    gravity: FloatArray
    axes: FloatArray


def started(systems: Sequence[System], step: FloatArray) -> Start:
    """Give systems as arrays; warn of steps, (B,), that are long."""
    fields = ("masses", "positions", "velocities", "gravity")
    m, x, v, gravity = (np.array([getattr(s, name) for s in systems]) for name in fields)
    axes = semi_major_axes(m, x, v, gravity)
    warn_of_long_steps(step, m, axes, gravity)
    return Start(m, x, v, gravity, axes)


def place_back(
    states: tuple[FloatArray, FloatArray], start: Start | System, times: FloatArray
) -> None:
    """Turn the frame of the barycentre into that of the start, in place.

    Parameters
    ----------
    states : tuple of numpy.ndarray, shape (samples, N, 3), or (samples, B, N, 3) of many systems
        Positions and velocities [au], [au/yr].
    start : Start or System
        In the frame that was given.
    times : numpy.ndarray, shape (samples,) or (samples, B)
        Since the start [yr].
    """
    total = start.masses.sum(-1)[..., None]
    centre, speed = (
        (start.masses[..., None] * x).sum(-2) / total for x in (start.positions, start.velocities)
    )
    positions, velocities = states
    positions += (centre + speed * times[..., None])[..., None, :]
    velocities += speed[..., None, :]
