"""Orbital elements: from an ellipse to positions and velocities, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.errors import NBodyError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Elements:
    """Osculating elements of orbits; all arrays have one shape.

    Attributes
    ----------
    semi_major_axis : numpy.ndarray
        ``a`` [au], negative for a hyperbola.
    eccentricity : numpy.ndarray
        ``e``.
    inclination : numpy.ndarray
        ``i`` [rad], to the plane of x and y.
    node : numpy.ndarray
        Longitude of the ascending node, ``Omega`` [rad]; 0 where the orbit lies in that plane.
    pericentre : numpy.ndarray
        Argument of the pericentre, ``omega`` [rad].
    mean_anomaly : numpy.ndarray
        ``M`` [rad], ``e sinh F - F`` for a hyperbola.
    """

    semi_major_axis: FloatArray
    eccentricity: FloatArray
    inclination: FloatArray
    node: FloatArray
    pericentre: FloatArray
    mean_anomaly: FloatArray

    @property
    def mean_longitude(self) -> FloatArray:
        """``Omega + omega + M`` in (-pi, pi] [rad], which is well defined for circles too."""
        return _wrapped(self.node + self.pericentre + self.mean_anomaly)


def state_from_elements(
    semi_major_axis: ArrayLike,
    eccentricity: ArrayLike,
    inclination: ArrayLike,
    node: ArrayLike,
    pericentre: ArrayLike,
    mean_anomaly: ArrayLike,
    mu: ArrayLike,
) -> tuple[FloatArray, FloatArray]:
    """Return positions and velocities on ellipses, relative to what is orbited.

    Parameters
    ----------
    semi_major_axis : array_like
        ``a`` [au], above 0.
    eccentricity : array_like
        ``e``, from 0 to below 1.
    inclination, node, pericentre, mean_anomaly : array_like
        ``i``, ``Omega``, ``omega`` and ``M`` [rad].
    mu : array_like
        Gravity times the mass, ``G (M + m)`` [au^3/yr^2].

    Returns
    -------
    tuple of numpy.ndarray, shape (..., 3)
        Positions [au] and velocities [au/yr].

    Raises
    ------
    NBodyError
        If an orbit is no ellipse, or mu is not above 0.

    Examples
    --------
    The pericentre of a comet is at ``a (1 - e)``.

    >>> r, v = state_from_elements(10.0, 0.9, 0.0, 0.0, 0.0, 0.0, mu=39.5)
    >>> print(np.round(r, 12))
    [1. 0. 0.]
    """
    a, e, i, big, small, anomaly, gm = np.broadcast_arrays(
        *(
            np.asarray(x, dtype=np.float64)
            for x in (
                semi_major_axis,
                eccentricity,
                inclination,
                node,
                pericentre,
                mean_anomaly,
                mu,
            )
        )
    )
    _check(a, e, gm)
    E = eccentric_anomaly(anomaly, e)
    root = np.sqrt((1 - e) * (1 + e))
    n = np.sqrt(gm / a) / a  # rad/yr
    speed = n * a / (1 - e * np.cos(E))
    x, y = a * (np.cos(E) - e), a * root * np.sin(E)
    vx, vy = -speed * np.sin(E), speed * root * np.cos(E)
    towards, across = _axes(i, big, small)
    return (
        x[..., None] * towards + y[..., None] * across,
        vx[..., None] * towards + vy[..., None] * across,
    )


def elements_from_state(positions: ArrayLike, velocities: ArrayLike, mu: ArrayLike) -> Elements:
    """Return the osculating elements of states relative to what is orbited.

    Parameters
    ----------
    positions : array_like, shape (..., 3)
        [au].
    velocities : array_like, shape (..., 3)
        [au/yr].
    mu : array_like, shape (...)
        Gravity times the mass, ``G (M + m)`` [au^3/yr^2].

    Returns
    -------
    Elements
        Of the shape ``(...)``.

    Raises
    ------
    NBodyError
        If a state is at the centre, or moves on a line through it.

    Notes
    -----
    A parabola within round-off has an infinite semi-major axis, and no mean anomaly (nan).
    """
    r, v = np.asarray(positions, dtype=np.float64), np.asarray(velocities, dtype=np.float64)
    gm = np.asarray(mu, dtype=np.float64)
    distance = np.linalg.norm(r, axis=-1)
    h = np.cross(r, v)
    size = np.linalg.norm(h, axis=-1)
    if not (size > 0).all():
        raise NBodyError(
            "a body moves on a line through the centre; expected an angular momentum above 0."
        )
    eccentricity_vector = np.cross(v, h) / gm[..., None] - r / distance[..., None]
    e = np.linalg.norm(eccentricity_vector, axis=-1)
    with np.errstate(divide="ignore"):
        a = 1.0 / (2.0 / distance - (v**2).sum(-1) / gm)
    inclination = np.arctan2(np.hypot(h[..., 0], h[..., 1]), h[..., 2])
    node = np.arctan2(h[..., 0], -h[..., 1])
    flat = np.hypot(h[..., 0], h[..., 1]) == 0
    node = np.where(flat, 0.0, node)
    towards, across = _axes(inclination, node, np.zeros_like(node))  # from the node, and 90 deg on
    pericentre = np.arctan2(
        (eccentricity_vector * across).sum(-1), (eccentricity_vector * towards).sum(-1)
    )
    pericentre = np.where(e == 0, 0.0, pericentre)
    true = np.arctan2((r * across).sum(-1), (r * towards).sum(-1)) - pericentre
    return Elements(a, e, inclination, node, pericentre, mean_anomaly(true, e))


def eccentric_anomaly(mean: ArrayLike, eccentricity: ArrayLike) -> FloatArray:
    """Solve Kepler's equation ``E - e sin E = M`` for ellipses.

    Parameters
    ----------
    mean : array_like
        Mean anomaly ``M`` [rad].
    eccentricity : array_like
        ``e``, from 0 to below 1.

    Returns
    -------
    numpy.ndarray
        Eccentric anomaly ``E`` [rad], within pi of the mean one.

    Notes
    -----
    Newton's method from ``E = M + 0.85 e sgn(sin M)``, kept inside a bracket that each step
    narrows, so that no eccentricity makes it diverge.

    References
    ----------
    J. M. A. Danby (1988), Fundamentals of Celestial Mechanics, section 6.6.
    """
    M, e = np.broadcast_arrays(
        np.asarray(mean, dtype=np.float64), np.asarray(eccentricity, dtype=np.float64)
    )
    turns = 2 * np.pi * np.round(M / (2 * np.pi))
    m = M - turns
    low, high = m - e, m + e
    E = m + 0.85 * e * np.sign(np.sin(m))
    for _ in range(60):
        residual = E - e * np.sin(E) - m
        low, high = np.where(residual < 0, E, low), np.where(residual < 0, high, E)
        new = E - residual / (1 - e * np.cos(E))
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        if (np.abs(new - E) <= 2e-16 * np.abs(new)).all():
            return new + turns
        E = new
    return E + turns


def mean_anomaly(true: ArrayLike, eccentricity: ArrayLike) -> FloatArray:
    """Return the mean anomaly of a true one, on ellipses and hyperbolas.

    Parameters
    ----------
    true : array_like
        True anomaly ``f`` [rad].
    eccentricity : array_like
        ``e``.

    Returns
    -------
    numpy.ndarray
        ``E - e sin E`` in (-pi, pi], or ``e sinh F - F``; nan on a parabola [rad].
    """
    f, e = np.asarray(true, dtype=np.float64), np.asarray(eccentricity, dtype=np.float64)
    f = _wrapped(f)
    ratio = np.sqrt(np.abs(1 - e) / (1 + e)) * np.tan(f / 2)
    E = 2 * np.arctan(ratio)
    with np.errstate(invalid="ignore", divide="ignore"):
        F = 2 * np.arctanh(ratio)
        result = np.where(e < 1, E - e * np.sin(E), e * np.sinh(F) - F)
    return np.where(e == 1, np.nan, result)


def _axes(i: FloatArray, node: FloatArray, pericentre: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the unit vectors to the pericentre, and 90 degrees ahead of it."""
    cO, sO, co, so = np.cos(node), np.sin(node), np.cos(pericentre), np.sin(pericentre)
    ci, si = np.cos(i), np.sin(i)
    towards = np.stack([cO * co - sO * so * ci, sO * co + cO * so * ci, so * si], axis=-1)
    across = np.stack([-cO * so - sO * co * ci, -sO * so + cO * co * ci, co * si], axis=-1)
    return towards, across


def _wrapped(angle: FloatArray) -> FloatArray:
    return np.asarray(np.pi - np.mod(np.pi - angle, 2 * np.pi))


def _check(a: FloatArray, e: FloatArray, mu: FloatArray) -> None:
    if not (a > 0).all():
        raise NBodyError(f"the semi-major axis is {a.min():g}; expected one above 0.")
    if not ((e >= 0) & (e < 1)).all():
        worst = e.min() if e.min() < 0 else e.max()
        raise NBodyError(f"the eccentricity is {worst:g}; expected 0 to below 1, an ellipse.")
    if not (mu > 0).all():
        raise NBodyError(f"mu is {mu.min():g}; expected a number above 0.")
