"""What a trajectory has kept: energy, angular momentum, phase and the shape of its orbits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.elements import Elements, elements_from_state
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import angular_momentum, energy
from restudy.nbody.trajectory import Trajectory
from restudy.nbody.units import GRAVITY

FloatArray = NDArray[np.float64]

_AT_ONCE = 64  # samples


def energy_error(masses: ArrayLike, trajectory: Trajectory, gravity: float = GRAVITY) -> FloatArray:
    """Return the relative error of the energy against the first sample.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    trajectory : Trajectory
        Of one system or of B.
    gravity : float
        The constant of gravity.

    Returns
    -------
    numpy.ndarray, shape (samples,) or (samples, B)
        ``(E(t) - E(0)) / |E(0)|``, in the frame of the barycentre.

    Notes
    -----
    The energy of the barycentre's motion is left out: it is conserved, may have either size, and
    would only change what the error is relative to.
    """
    m = np.asarray(masses, dtype=np.float64)
    still = trajectory.velocities - barycentre(m, trajectory.velocities)
    E = _in_parts(lambda r, v: energy(torch.tensor(m), r, v, gravity), trajectory.positions, still)
    return (E - E[0]) / np.abs(E[0])


def angular_momentum_error(masses: ArrayLike, trajectory: Trajectory) -> FloatArray:
    """Return the relative error of the angular momentum against the first sample.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    trajectory : Trajectory
        Of one system or of B.

    Returns
    -------
    numpy.ndarray, shape (samples,) or (samples, B)
        ``|L(t) - L(0)| / |L(0)|``, about the barycentre.
    """
    m = np.asarray(masses, dtype=np.float64)
    r = trajectory.positions - barycentre(m, trajectory.positions)
    v = trajectory.velocities - barycentre(m, trajectory.velocities)
    L = _in_parts(lambda x, y: angular_momentum(torch.tensor(m), x, y), r, v)
    return np.asarray(np.linalg.norm(L - L[0], axis=-1) / np.linalg.norm(L[0], axis=-1))


def barycentre(masses: ArrayLike, x: FloatArray) -> FloatArray:
    """Return the mean of positions or velocities, weighted by mass.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    x : numpy.ndarray, shape (..., N, 3)
        Positions or velocities.

    Returns
    -------
    numpy.ndarray, shape (..., 1, 3)
        Of the barycentre.
    """
    m = np.asarray(masses, dtype=np.float64)
    weights = (m / m.sum(-1, keepdims=True))[..., None, :]
    return np.asarray(weights @ x)


def orbits(masses: ArrayLike, trajectory: Trajectory, gravity: float = GRAVITY) -> Elements:
    """Return the osculating elements of the planets about the star.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    trajectory : Trajectory
        Of one system or of B.
    gravity : float
        The constant of gravity.

    Returns
    -------
    Elements
        Each of shape (samples, N - 1) or (samples, B, N - 1), with ``mu = G (m_0 + m_i)``.
    """
    m = np.asarray(masses, dtype=np.float64)
    r = trajectory.positions[..., 1:, :] - trajectory.positions[..., :1, :]
    v = trajectory.velocities[..., 1:, :] - trajectory.velocities[..., :1, :]
    mu = gravity * (m[..., :1] + m[..., 1:])
    return elements_from_state(r, v, np.broadcast_to(mu, r.shape[:-1]))


def phase_error(
    masses: ArrayLike, trajectory: Trajectory, truth: Trajectory, gravity: float = GRAVITY
) -> FloatArray:
    """Return how far the planets are ahead of where they should be.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    trajectory, truth : Trajectory
        Of the same systems at the same times.
    gravity : float
        The constant of gravity.

    Returns
    -------
    numpy.ndarray, shape (samples, N - 1) or (samples, B, N - 1)
        The difference of the mean longitudes, followed over whole turns [rad].

    Raises
    ------
    NBodyError
        If the trajectories are not at the same times, or not of the same bodies.

    Notes
    -----
    Turns are counted as long as the difference changes by less than half a turn between samples.
    """
    check_same_times(trajectory, truth)
    return phase_difference(orbits(masses, trajectory, gravity), orbits(masses, truth, gravity))


def phase_difference(orbit: Elements, truth: Elements) -> FloatArray:
    """Return by how much mean longitudes are ahead, followed over whole turns.

    Parameters
    ----------
    orbit, truth : Elements
        Of one shape, (samples, ...), at the same times.

    Returns
    -------
    numpy.ndarray, shape (samples, ...)
        [rad].
    """
    return np.asarray(np.unwrap(orbit.mean_longitude - truth.mean_longitude, axis=0))


def check_same_times(trajectory: Trajectory, truth: Trajectory) -> None:
    """Refuse trajectories that are not of the same bodies at the same times.

    Parameters
    ----------
    trajectory, truth : Trajectory
        To be compared.

    Raises
    ------
    NBodyError
        With the shapes, or the times that differ most.
    """
    if trajectory.positions.shape != truth.positions.shape:
        raise NBodyError(
            f"the trajectories have shapes {trajectory.positions.shape} and "
            f"{truth.positions.shape}; expected the same bodies at the same times."
        )
    if not np.allclose(trajectory.times, truth.times, rtol=1e-9, atol=0.0):
        apart = np.abs(trajectory.times - truth.times).reshape(len(truth), -1).max(1)
        worst = int(np.argmax(apart))
        raise NBodyError(
            f"sample {worst} is of {trajectory.times[worst]} yr in one trajectory and of "
            f"{truth.times[worst]} yr in the other; expected the same times."
        )


def eccentricity_range(
    masses: ArrayLike, trajectory: Trajectory, gravity: float = GRAVITY
) -> FloatArray:
    """Return how much the eccentricity of each planet has changed.

    Parameters
    ----------
    masses : array_like, shape (N,) or (B, N)
        [M_sun].
    trajectory : Trajectory
        Of one system or of B.
    gravity : float
        The constant of gravity.

    Returns
    -------
    numpy.ndarray, shape (N - 1,) or (B, N - 1)
        The largest eccentricity less the smallest.
    """
    return np.asarray(np.ptp(orbits(masses, trajectory, gravity).eccentricity, axis=0))


def drift(times: ArrayLike, errors: ArrayLike) -> float:
    """Return the slope of a straight line through errors, by least squares.

    Parameters
    ----------
    times : array_like, shape (samples,)
        In any unit, such as steps or years.
    errors : array_like, shape (samples,)
        With their signs.

    Returns
    -------
    float
        Error a unit of time.

    Examples
    --------
    >>> print(round(drift([0, 1, 2, 3], [0.0, 0.3, 0.3, 0.6]), 2))
    0.18
    """
    t, y = _finite_pairs(times, errors)
    t = t - t.mean()
    return float(t @ (y - y.mean()) / (t @ t))


def growth(times: ArrayLike, errors: ArrayLike) -> float:
    """Return the power of time that the largest error so far grows with.

    Parameters
    ----------
    times : array_like, shape (samples,)
        Those that are not above 0 are left out.
    errors : array_like, shape (samples,)
        Of either sign.

    Returns
    -------
    float
        The slope of ``log max_{t' <= t} |error|`` against ``log t``: 1 for a linear drift, 1/2 for
        a random walk, 3/2 for the phase of one, 0 for an error that is bounded.

    Raises
    ------
    NBodyError
        If fewer than two samples have an error.

    Examples
    --------
    >>> print(round(growth([1, 2, 4, 8], [1, -4, 16, 64]), 6))
    2.0
    """
    t, y = _finite_pairs(times, errors)
    largest = np.maximum.accumulate(np.abs(y))
    use = (t > 0) & (largest > 0)
    if use.sum() < 2:
        raise NBodyError(f"{use.sum()} samples have a time and an error above 0; expected two.")
    return drift(np.log(t[use]), np.log(largest[use]))


def _finite_pairs(times: ArrayLike, errors: ArrayLike) -> tuple[FloatArray, FloatArray]:
    t, y = np.asarray(times, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if t.ndim != 1 or t.shape != y.shape or len(t) < 2:
        raise NBodyError(
            f"times and errors have shapes {t.shape} and {y.shape}; expected one, of two or more."
        )
    if not (np.isfinite(t).all() and np.isfinite(y).all()):
        raise NBodyError("a time or an error is no number; expected finite ones.")
    return t, y


def _in_parts(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], r: FloatArray, v: FloatArray
) -> FloatArray:
    """Apply a function to some samples at a time, as all pairs of many bodies are large."""
    starts = range(0, len(r), _AT_ONCE)
    parts = [
        function(torch.tensor(r[i : i + _AT_ONCE]), torch.tensor(v[i : i + _AT_ONCE]))
        for i in starts
    ]
    return np.asarray(torch.cat(parts).numpy())
