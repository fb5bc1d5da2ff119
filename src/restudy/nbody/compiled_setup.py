"""What compiled integrations begin and end with: checks, coordinates, and limits of encounters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.errors import NBodyError, StepWarning
from restudy.nbody.system import System

FloatArray = NDArray[np.float64]


class Scheme(Enum):
    """Which half of a step comes first and last."""

    KICK_DRIFT_KICK = "kick"
    DRIFT_KICK_DRIFT = "drift"


class Split(Protocol):
    """What divides the Hamiltonian: it gives the mu of each planet's Kepler motion."""

    def mu(self, masses: Any, gravity: Any) -> Any:
        """Return mu [au^3/yr^2], shape (..., N - 1), for masses of shape (..., N)."""
        ...


def kepler_mu(split: Split, masses: FloatArray, gravity: float) -> FloatArray:
    """Give the mu of a split [au^3/yr^2], shape (..., N - 1)."""
    return np.asarray(split.mu(masses, gravity), dtype=np.float64)


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


def hill_radii_of(system: System) -> FloatArray:
    """Give the Hill radius of each planet [au], from its distance where it has no ellipse."""
    a = system.semi_major_axes()
    distance = np.linalg.norm(system.positions[1:] - system.positions[0], axis=1)
    a = np.where(a > 0, a, distance)
    return np.asarray(a * np.cbrt(system.masses[1:] / (3 * system.masses[0])))


def closest(places: FloatArray, limits: FloatArray) -> tuple[int, int, float, float]:
    """Give the two planets closest in terms of their limit, their distance, and the limit."""
    i, j = np.triu_indices(len(places), 1)
    distances = np.linalg.norm(places[i] - places[j], axis=1)
    limit = np.maximum(limits[i], limits[j])
    k = int(np.argmin(distances / limit))
    return int(i[k]), int(j[k]), float(distances[k]), float(limit[k])


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


def check_order(systems: Sequence[System]) -> None:
    """Refuse planets that are not in the order of their semi-major axes."""
    for number, system in enumerate(systems):
        a = system.semi_major_axes()
        a = np.where(a > 0, a, np.inf)
        if (a[1:] >= a[:-1]).all():
            continue
        k = int(np.argmax(a[1:] < a[:-1]))
        of = f" of system {number}" if len(systems) > 1 else ""
        raise NBodyError(
            f"{system.names[k + 2]}{of} has a smaller semi-major axis ({a[k + 1]:.4g} au) than "
            f"{system.names[k + 1]} ({a[k]:.4g} au); expected planets from the innermost to the "
            "outermost: call sorted() first."
        )


def warn_of_long_steps(step: float, period: float) -> None:
    """Say that a step is too long to resolve an orbit."""
    if abs(step) > period / 20:
        warnings.warn(
            f"the step is {abs(step):.4g} yr; expected at most {period / 20:.4g} yr, a twentieth "
            "of the shortest period.",
            StepWarning,
            stacklevel=3,
        )
