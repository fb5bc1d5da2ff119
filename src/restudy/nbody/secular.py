"""Laplace and Lagrange: how eccentricities and inclinations change over many orbits.

To the first order in the masses and the second in eccentricity and inclination, averaged over both
orbits, ``z_j = e_j exp(i varpi_j)`` obeys ``dz/dt = i A z`` and ``zeta_j = I_j exp(i Omega_j)``
obeys ``dzeta/dt = i B zeta``, with matrices of the masses and semi-major axes only. Two planets
exchange eccentricity with the period ``2 pi / |g_1 - g_2|``.

Source: C. D. Murray and S. F. Dermott, Solar System Dynamics (1999), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import hyp2f1, poch

from restudy.nbody.elements import elements_from_state
from restudy.nbody.errors import NBodyError
from restudy.nbody.system import System

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SecularSolution:
    """Eccentricities and inclinations for all times.

    Attributes
    ----------
    apsidal : numpy.ndarray, shape (N - 1,)
        Frequencies g of the matrix A, ascending [rad/yr].
    nodal : numpy.ndarray, shape (N - 1,)
        Frequencies f of the matrix B, ascending [rad/yr]; one is 0.
    eccentricity_modes : numpy.ndarray of complex, shape (N - 1, N - 1)
        Column k: the amplitude of ``exp(i g_k t)`` in each z.
    inclination_modes : numpy.ndarray of complex, shape (N - 1, N - 1)
        Column k: the amplitude of ``exp(i f_k t)`` in each zeta.
    """

    apsidal: FloatArray
    nodal: FloatArray
    eccentricity_modes: NDArray[np.complex128]
    inclination_modes: NDArray[np.complex128]

    def eccentricities(self, times: ArrayLike) -> FloatArray:
        """Return e of each planet, shape (times, N - 1)."""
        return np.abs(_turned(self.apsidal, self.eccentricity_modes, times))

    def inclinations(self, times: ArrayLike) -> FloatArray:
        """Return I of each planet, shape (times, N - 1) [rad]."""
        return np.abs(_turned(self.nodal, self.inclination_modes, times))

    @property
    def exchange_period(self) -> float:
        """The period of the exchange of eccentricity of two planets [yr]."""
        if len(self.apsidal) != 2:
            raise NBodyError(
                f"{len(self.apsidal)} planets exchange eccentricity with several periods; "
                "expected 2 planets."
            )
        return float(2 * np.pi / (self.apsidal[1] - self.apsidal[0]))


def laplace_lagrange(system: System) -> SecularSolution:
    """Return the secular solution that starts from the orbits of a system.

    Parameters
    ----------
    system : System
        Its planets move near one plane, that of x and y, on orbits that do not cross.

    Returns
    -------
    SecularSolution
        Frequencies, and the amplitudes that the initial orbits give.

    Raises
    ------
    NBodyError
        If there is one planet only, or a planet is on no ellipse.

    Notes
    -----
    The error is of the second order in the masses, and large near resonances: Jupiter and Saturn,
    near 5:2, exchange eccentricity with 54,000 yr where this gives 71,000 yr.

    Examples
    --------
    >>> from restudy.nbody.catalogue import sun_jupiter_saturn
    >>> print(round(laplace_lagrange(sun_jupiter_saturn()).exchange_period, -3))
    71000.0
    """
    if system.bodies < 3:
        raise NBodyError("the system has 1 planet; expected at least 2, for orbits to change.")
    m = system.masses
    orbit = elements_from_state(
        system.positions[1:] - system.positions[0],
        system.velocities[1:] - system.velocities[0],
        system.gravity * (m[0] + m[1:]),
    )
    if (orbit.semi_major_axis <= 0).any():
        planet = system.names[1 + int(np.argmin(orbit.semi_major_axis))]
        raise NBodyError(f"{planet} has no ellipse about the star; expected a bound orbit.")
    a, b = secular_matrices(m, orbit.semi_major_axis, system.gravity)
    z = orbit.eccentricity * np.exp(1j * (orbit.node + orbit.pericentre))
    zeta = orbit.inclination * np.exp(1j * orbit.node)
    apsidal, ecc_modes = _modes(a, z)
    nodal, inc_modes = _modes(b, zeta)
    return SecularSolution(apsidal, nodal, ecc_modes, inc_modes)


def secular_matrices(
    masses: ArrayLike, semi_major_axes: ArrayLike, gravity: float
) -> tuple[FloatArray, FloatArray]:
    """Return the matrices A and B.

    Parameters
    ----------
    masses : array_like, shape (N,)
        The star's first [M_sun].
    semi_major_axes : array_like, shape (N - 1,)
        Of the planets [au].
    gravity : float
        The constant of gravity.

    Returns
    -------
    tuple of numpy.ndarray, shape (N - 1, N - 1)
        A, of eccentricities, and B, of inclinations [rad/yr].

    Raises
    ------
    NBodyError
        If two semi-major axes are equal.

    References
    ----------
    Murray and Dermott (1999), eqs. 7.128 to 7.131.
    """
    m, a = np.asarray(masses, np.float64), np.asarray(semi_major_axes, np.float64)
    ratio = np.minimum.outer(a, a) / np.maximum.outer(a, a)
    np.fill_diagonal(ratio, 0.0)
    if (ratio >= 1).any():
        raise NBodyError(f"two of the semi-major axes {a} are equal; expected different ones.")
    motion = np.sqrt(gravity * (m[0] + m[1:]) / a**3)
    outside = np.where(a[:, None] < a, ratio, 1.0)  # alpha bar: the perturber is outside
    strength = motion[:, None] / 4 * m[1:] / (m[0] + m[1:])[:, None] * ratio * outside
    first = strength * laplace_coefficient(1.5, 1, ratio)
    second = strength * laplace_coefficient(1.5, 2, ratio)
    for_e = np.diag(first.sum(1)) - second
    for_i = first - np.diag(first.sum(1))
    return for_e, for_i


def laplace_coefficient(s: float, j: int, alpha: ArrayLike) -> FloatArray:
    """Return ``b_s^(j)(alpha)``, the coefficient of ``cos j psi`` in a series of distances.

    ``b = 1/pi int_0^2pi cos(j psi) (1 - 2 alpha cos psi + alpha^2)^-s dpsi``

    Parameters
    ----------
    s : float
        Half of an odd number.
    j : int
        At least 0.
    alpha : array_like
        Ratio of the semi-major axes, from 0 to below 1.

    Returns
    -------
    numpy.ndarray
        Of the shape of alpha.

    References
    ----------
    Murray and Dermott (1999), eqs. 6.67 and 6.68, summed as a hypergeometric function.

    Examples
    --------
    For a small ratio ``b_3/2^(1)`` is ``3 alpha``.

    >>> print(round(float(laplace_coefficient(1.5, 1, 1e-4)), 9))
    0.0003
    """
    x = np.asarray(alpha, np.float64)
    factorial = poch(1, j)
    return np.asarray(2 * poch(s, j) / factorial * x**j * hyp2f1(s, s + j, j + 1, x * x))


def _modes(
    matrix: FloatArray, start: NDArray[np.complex128]
) -> tuple[FloatArray, NDArray[np.complex128]]:
    """Return frequencies, ascending, and the amplitudes by which the modes add up to `start`."""
    values, vectors = np.linalg.eig(matrix)
    order = np.argsort(values.real)
    values, vectors = values.real[order], vectors.real[:, order]
    return values, vectors * np.linalg.solve(vectors.astype(np.complex128), start)


def _turned(
    frequencies: FloatArray, modes: NDArray[np.complex128], times: ArrayLike
) -> NDArray[np.complex128]:
    phase = np.exp(1j * np.multiply.outer(np.asarray(times, np.float64), frequencies))
    return np.asarray(phase @ modes.T)
