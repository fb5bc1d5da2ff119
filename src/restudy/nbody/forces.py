"""Accelerations besides Newton's: an oblate star, general relativity, or a function of the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.compiled_forces import compiled_entry
from restudy.nbody.errors import NBodyError
from restudy.nbody.units import KM_PER_S

LIGHT = 299792.458 * KM_PER_S
"""The speed of light [au/yr]."""


@dataclass(frozen=True)
class Force:
    """An acceleration that is added to Newton's.

    Attributes
    ----------
    kernel : numba function
        ``kernel(masses, positions, velocities, gravity, parameters, accelerations)``, arrays of
        shapes (N,), (N, 3), (N, 3), (), (P,) and (N, 3); it adds to the last [au/yr^2]. Positions
        and velocities are seen from the barycentre, as it moves at the start [au], [au/yr].
    parameters : tuple of float
        What the kernel finds in its fifth argument.
    needs_velocities : bool
        Whether it depends on velocities; a leapfrog cannot follow such a force.

    Examples
    --------
    A drag on all bodies.

    >>> @njit
    ... def drag(masses, positions, velocities, gravity, parameters, accelerations):
    ...     accelerations -= parameters[0] * velocities
    >>> Force(drag, (1e-6,)).parameters
    (1e-06,)
    """

    kernel: Callable[..., None]
    parameters: tuple[float, ...] = ()
    needs_velocities: bool = True

    def __post_init__(self) -> None:
        if not hasattr(self.kernel, "py_func"):
            raise NBodyError(
                f"the kernel of a force is {self.kernel!r}; expected a function compiled by numba: "
                "put @njit above it."
            )
        if not np.isfinite(self.parameters).all():
            raise NBodyError(
                f"a force has the parameters {self.parameters}; expected finite numbers."
            )

    def acceleration(
        self, masses: ArrayLike, positions: ArrayLike, velocities: ArrayLike, gravity: float
    ) -> NDArray[np.float64]:
        """Return the accelerations by this force alone, shape (N, 3) [au/yr^2]."""
        q = np.ascontiguousarray(positions, dtype=np.float64)
        out = np.zeros_like(q)
        m, v = np.asarray(masses, np.float64), np.ascontiguousarray(velocities, dtype=np.float64)
        self.kernel(m, q, v, float(gravity), np.asarray(self.parameters, np.float64), out)
        return out


Packed = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def packed(forces: Sequence[Force]) -> Packed:
    """Return addresses, offsets of parameters and parameters, as compiled integrators take them."""
    addresses = np.array([compiled_entry(f.kernel).address for f in forces], dtype=np.int64)
    offsets = np.cumsum([0, *(len(f.parameters) for f in forces)], dtype=np.int64)
    parameters = np.array([x for f in forces for x in f.parameters] + [0.0])
    return addresses, offsets, parameters


def oblateness(j2: float, radius: float, axis: Sequence[float] = (0.0, 0.0, 1.0)) -> Force:
    """Return the pull of the quadrupole of an oblate star, and the planets' on it.

    ``Phi = G m_0 J_2 R^2 / (2 r^3) (3 (s.r)^2 / r^2 - 1)``

    Parameters
    ----------
    j2 : float
        The star's J_2.
    radius : float
        Its equatorial radius R [au].
    axis : sequence of float
        Direction s of its spin.

    Returns
    -------
    Force
        It conserves momentum: the star recoils.

    Raises
    ------
    NBodyError
        If the radius is not above 0 or the axis is no direction.

    References
    ----------
    C. D. Murray and S. F. Dermott, Solar System Dynamics (1999), section 6.11; nodes turn with
    ``-3/2 n J_2 (R/p)^2 cos i``.
    """
    length = float(np.linalg.norm(axis))
    if not radius > 0:
        raise NBodyError(f"the radius of the star is {radius:g} au; expected more than 0.")
    if len(axis) != 3 or not (np.isfinite(length) and length > 0):
        raise NBodyError(f"the axis of the star is {tuple(axis)}; expected a direction, (3,).")
    s = tuple(float(x) / length for x in axis)
    return Force(_oblateness, (float(j2), float(radius), *s), needs_velocities=False)


def relativity_potential(light: float = LIGHT) -> Force:
    """Return general relativity about the star as a potential, ``-3 (G m_0)^2 / (c r)^2``.

    It turns the perihelion as the Schwarzschild metric does, ``6 pi G m_0 / (c^2 a (1 - e^2))`` an
    orbit; the mean motion has an error of the order of ``G m_0 / (c^2 a)``.

    Parameters
    ----------
    light : float
        The speed of light c [au/yr].

    Returns
    -------
    Force
        It conserves momentum and derives from a potential: a leapfrog can follow it.

    References
    ----------
    A. Nobili and I. W. Roxburgh, Simulation of general relativistic corrections in long term
    numerical integrations of planetary orbits, IAU Symp. 114, 105 (1986).
    """
    return Force(_relativity_potential, (_speed(light),), needs_velocities=False)


def relativity_of_star(light: float = LIGHT) -> Force:
    """Return the first post-Newtonian term of a star far heavier than its planets.

    ``G m_0 / (c^2 r^3) ((4 G m_0 / r - v^2) r + 4 (r.v) v)``, r and v from the star.

    Parameters
    ----------
    light : float
        The speed of light c [au/yr].

    Returns
    -------
    Force
        The star recoils, so that momentum is conserved in the sense of Newton.

    References
    ----------
    J. D. Anderson et al., Experimental test of general relativity using time-delay data from
    Mariner 6 and Mariner 7, ApJ 200, 221 (1975), eq. 12, doi:10.1086/153779.
    """
    return Force(_relativity_of_star, (_speed(light),))


def relativity(light: float = LIGHT) -> Force:
    """Return the first post-Newtonian term of all bodies (Einstein, Infeld and Hoffmann 1938).

    Parameters
    ----------
    light : float
        The speed of light c [au/yr].

    Returns
    -------
    Force
        For any masses: two bodies turn their pericentre by ``6 pi G (m_1 + m_2) / (c^2 a
        (1 - e^2))`` an orbit.

    Notes
    -----
    Accelerations inside the term are Newton's, which is an error of the second post-Newtonian
    order. The cost grows with N^2.

    References
    ----------
    X X Newhall, E. M. Standish and J. G. Williams, DE 102: a numerically integrated ephemeris of
    the Moon and planets spanning forty-four centuries, A&A 125, 150 (1983), eq. 1.
    """
    return Force(_einstein_infeld_hoffmann, (_speed(light),))


def _speed(light: float) -> float:
    if not (np.isfinite(light) and light > 0):
        raise NBodyError(f"the speed of light is {light:g} au/yr; expected {LIGHT:.8g}.")
    return float(light)


@njit(cache=True)
def _difference(a, i, j):  # type: ignore[no-untyped-def]
    return a[i, 0] - a[j, 0], a[i, 1] - a[j, 1], a[i, 2] - a[j, 2]


@njit(cache=True)
def _dot(u, w):  # type: ignore[no-untyped-def]
    return u[0] * w[0] + u[1] * w[1] + u[2] * w[2]


@njit(cache=True)
def _from_star(masses, i, a, u, b, w, accelerations):  # type: ignore[no-untyped-def]
    """Add ``a u + b w``, an acceleration of body i by the star, and the recoil."""
    for k in range(3):
        term = a * u[k] + b * w[k]
        accelerations[i, k] += term
        accelerations[0, k] -= masses[i] / masses[0] * term


@njit(cache=True)
def _oblateness(masses, positions, velocities, gravity, parameters, accelerations):  # type: ignore[no-untyped-def]
    j2, radius = parameters[0], parameters[1]
    axis = (parameters[2], parameters[3], parameters[4])
    for i in range(1, len(masses)):
        r = _difference(positions, i, 0)
        square, height = _dot(r, r), _dot(r, axis)
        factor = -1.5 * gravity * masses[0] * j2 * radius**2 / (square**2 * np.sqrt(square))
        along = factor * (1 - 5 * height**2 / square)
        _from_star(masses, i, along, r, 2 * factor * height, axis, accelerations)


@njit(cache=True)
def _relativity_potential(masses, positions, velocities, gravity, parameters, accelerations):  # type: ignore[no-untyped-def]
    for i in range(1, len(masses)):
        r = _difference(positions, i, 0)
        factor = -6 * (gravity * masses[0] / (parameters[0] * _dot(r, r))) ** 2
        _from_star(masses, i, factor, r, 0.0, r, accelerations)


@njit(cache=True)
def _relativity_of_star(masses, positions, velocities, gravity, parameters, accelerations):  # type: ignore[no-untyped-def]
    mu = gravity * masses[0]
    for i in range(1, len(masses)):
        r, v = _difference(positions, i, 0), _difference(velocities, i, 0)
        distance = np.sqrt(_dot(r, r))
        factor = mu / (parameters[0] ** 2 * distance**3)
        along = factor * (4 * mu / distance - _dot(v, v))
        _from_star(masses, i, along, r, 4 * factor * _dot(r, v), v, accelerations)


@njit(cache=True)
def _einstein_infeld_hoffmann(masses, positions, velocities, gravity, parameters, accelerations):  # type: ignore[no-untyped-def]
    n, per_square = len(masses), 1 / parameters[0] ** 2
    pull = np.zeros((n, 3))  # Newton's acceleration of each body
    potential = np.zeros(n)  # sum over others of G m / r
    for i in range(n):
        for j in range(n):
            if i != j:
                r = _difference(positions, j, i)
                distance = np.sqrt(_dot(r, r))
                potential[i] += gravity * masses[j] / distance
                for k in range(3):
                    pull[i, k] += gravity * masses[j] / distance**3 * r[k]
    for i in range(n):
        for j in range(n):
            if i != j:
                _of_pair(i, j, masses, positions, velocities, gravity, per_square, pull, potential,
                         accelerations)  # fmt: skip


@njit(cache=True)
def _of_pair(i, j, masses, positions, velocities, gravity, per_square, pull, potential, out):  # type: ignore[no-untyped-def]
    """Add the post-Newtonian acceleration of body i by body j."""
    r, v = _difference(positions, i, j), _difference(velocities, i, j)
    vi = (velocities[i, 0], velocities[i, 1], velocities[i, 2])
    vj = (velocities[j, 0], velocities[j, 1], velocities[j, 2])
    theirs = (pull[j, 0], pull[j, 1], pull[j, 2])
    distance = np.sqrt(_dot(r, r))
    weight = (
        -4 * potential[i]
        - potential[j]
        + _dot(vi, vi)
        + 2 * _dot(vj, vj)
        - 4 * _dot(vi, vj)
        - 1.5 * (_dot(r, vj) / distance) ** 2
        - 0.5 * _dot(r, theirs)
    )
    turn = 4 * _dot(r, vi) - 3 * _dot(r, vj)
    factor = per_square * gravity * masses[j] / distance
    for k in range(3):
        out[i, k] += factor * ((turn * v[k] - weight * r[k]) / distance**2 + 3.5 * theirs[k])
