"""Systems to follow: those of the paper, and families that no network here was trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.elements import mean_anomaly, state_from_elements
from restudy.nbody.errors import NBodyError
from restudy.nbody.system import System
from restudy.nbody.units import GRAVITY

FloatArray = NDArray[np.float64]

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def sun_jupiter_saturn() -> System:
    """Return the Sun, Jupiter and Saturn, as the paper's notebook had them from JPL Horizons.

    Returns
    -------
    System
        In the frame of the barycentre of the whole Solar System, which moves a little against that
        of these three.

    References
    ----------
    The printed state in ``experiment_sun_jupiter_saturn.ipynb`` of
    github.com/maxwelltsai/neural-symplectic-integrator.

    Examples
    --------
    >>> print(np.round(sun_jupiter_saturn().periods(), 2))
    [11.86 29.65]
    """
    masses = [1.0, 0.0009547919152112404, 0.0002858856727222417]
    positions = [
        [-0.007612845613551791, 0.0050110392439693145, 0.00013690548483013843],
        [3.8618020374129074, -3.234125077133824, -0.07298121674578849],
        [6.131603790363773, -7.838518747548958, -0.10782419960723405],
    ]
    velocities = [
        [-0.0020530974332397104, -0.0025866002436086945, 6.921330597957245e-05],
        [1.735878537683487, 2.2430545699650315, -0.048139610061701234],
        [1.4911113783999674, 1.2508321364065573, -0.08112841792736367],
    ]
    return System(masses, positions, velocities, ("Sun", "Jupiter", "Saturn"))


def equal_binary(eccentricity: float = 0.0) -> System:
    """Return two bodies of mass 1, 1 au apart on the mean, where gravity is 1.

    Parameters
    ----------
    eccentricity : float
        Of their orbit, which starts at the pericentre.

    Returns
    -------
    System
        At rest, with a period of ``2 pi / sqrt(2)``.
    """
    r, v = state_from_elements(1.0, eccentricity, 0.0, 0.0, 0.0, 0.0, mu=2.0)
    return System([1.0, 1.0], [-r / 2, r / 2], [-v / 2, v / 2], ("first", "second"), gravity=1.0)


def trappist_1(rng: np.random.Generator | None = None) -> System:
    """Return TRAPPIST-1 with its seven planets, by the paper's table.

    Parameters
    ----------
    rng : numpy.random.Generator, optional
        Of the true anomalies, which the paper drew at random; without one, each planet is ahead of
        the one inside it by the golden angle.

    Returns
    -------
    System
        At rest. Nodes and pericentres are in one direction, as in the paper.

    Notes
    -----
    The paper's table gives planet c an eccentricity of 0.01580, which is its semi-major axis; here
    it has 0.00654, from the article that the table is from.

    References
    ----------
    S. L. Grimm et al. (2018), doi:10.1051/0004-6361/201732233, as rounded in
    github.com/maxwelltsai/neural-symplectic-integrator.
    """
    masses = 3e-6 * np.array([1.374, 1.308, 0.388, 0.692, 1.039, 1.321, 0.326])
    a = [0.01154, 0.01580, 0.02227, 0.02925, 0.03849, 0.04683, 0.06189]
    e = [0.00622, 0.00654, 0.00837, 0.00510, 0.01007, 0.00208, 0.00567]
    i = np.radians([89.56, 89.70, 89.89, 89.736, 89.719, 89.721, 89.796])
    phases = _GOLDEN_ANGLE * np.arange(7) if rng is None else rng.uniform(0, 2 * np.pi, 7)
    names = ("TRAPPIST-1", *"bcdefgh")
    return planetary_system(0.0898, masses, a, e, i, true_anomaly=phases, names=names)


def planetesimals(rng: np.random.Generator, count: int = 100) -> System:
    """Return a star of mass 1 with planetesimals, as in the paper's last experiment.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the orbits.
    count : int
        How many; each has a mass of 1e-8.

    Returns
    -------
    System
        At rest, sorted. ``a`` is uniform in 0.1 to 1.5 au, ``e`` in 0 to 0.05, ``i`` in 0 to 10
        degrees, and all other angles on the circle.
    """
    _check_count(count)
    return planetary_system(
        1.0,
        np.full(count, 1e-8),
        rng.uniform(0.1, 1.5, count),
        rng.uniform(0.0, 0.05, count),
        np.radians(rng.uniform(0.0, 10.0, count)),
        *rng.uniform(0.0, 2 * np.pi, (3, count)),
    ).sorted()


def three_body(rng: np.random.Generator, count: int) -> list[System]:
    """Return systems of a star and two planets from the paper's training distribution.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the systems.
    count : int
        How many.

    Returns
    -------
    list of System
        At rest, and sorted. Masses of planets are uniform in 1e-8 to 1e-2, ``a`` in 0.3 to 100 au,
        ``e`` in 0 to 0.05, ``i`` in 0 to 90 degrees, true anomalies on the circle; nodes and
        pericentres are 0.

    Notes
    -----
    The paper drew the planets in no order. One system in some thousands has orbits that come as
    close as the planets' spheres of attraction; they are returned like all others.
    """
    _check_count(count)
    return [
        planetary_system(
            1.0,
            rng.uniform(1e-8, 1e-2, 2),
            rng.uniform(0.3, 100.0, 2),
            rng.uniform(0.0, 0.05, 2),
            np.radians(rng.uniform(0.0, 90.0, 2)),
            true_anomaly=rng.uniform(0.0, 2 * np.pi, 2),
        ).sorted()
        for _ in range(count)
    ]


def compact_pairs(rng: np.random.Generator, count: int) -> list[System]:
    """Return pairs of planets that are close to each other and to a star of mass 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the systems.
    count : int
        How many.

    Returns
    -------
    list of System
        At rest. The inner planet is at 0.1 to 1 au (log-uniform), the outer at 1.6 to 2.4 times as
        far (uniform); masses are log-uniform in 1e-6 to 1e-3, ``e`` uniform in 0 to 0.05, ``i`` in
        0 to 3 degrees, and all other angles on the circle.
    """
    _check_count(count)
    systems = []
    for _ in range(count):
        inner = 10 ** rng.uniform(-1.0, 0.0)
        systems.append(
            planetary_system(
                1.0,
                10 ** rng.uniform(-6.0, -3.0, 2),
                [inner, inner * rng.uniform(1.6, 2.4)],
                rng.uniform(0.0, 0.05, 2),
                np.radians(rng.uniform(0.0, 3.0, 2)),
                *rng.uniform(0.0, 2 * np.pi, (3, 2)),
            )
        )
    return systems


def planetary_system(
    star: float,
    masses: ArrayLike,
    semi_major_axis: ArrayLike,
    eccentricity: ArrayLike,
    inclination: ArrayLike,
    node: ArrayLike = 0.0,
    pericentre: ArrayLike = 0.0,
    true_anomaly: ArrayLike = 0.0,
    *,
    names: tuple[str, ...] = (),
    gravity: float = GRAVITY,
) -> System:
    """Return a star with planets on given orbits about the star.

    Parameters
    ----------
    star : float
        Its mass [M_sun].
    masses : array_like, shape (planets,)
        Those of the planets [M_sun].
    semi_major_axis, eccentricity : array_like, shape (planets,)
        Of the orbits about the star, with ``mu = G (M + m)`` [au].
    inclination, node, pericentre, true_anomaly : array_like, shape (planets,)
        [rad].
    names : tuple of str
        Of the star and the planets.
    gravity : float
        The constant of gravity.

    Returns
    -------
    System
        With its barycentre at rest in the origin.

    Raises
    ------
    NBodyError
        If an orbit is no ellipse, or what is wrong with a system.
    """
    m = np.atleast_1d(np.asarray(masses, dtype=np.float64))
    e = np.asarray(eccentricity, dtype=np.float64)
    M = mean_anomaly(true_anomaly, np.where((e >= 0) & (e < 1), e, 0.0))  # e is checked below
    r, v = state_from_elements(
        semi_major_axis, e, inclination, node, pericentre, M, gravity * (star + m)
    )
    origin = np.zeros((1, 3))
    return System(np.r_[star, m], np.r_[origin, r], np.r_[origin, v], names, gravity).barycentric()


def _check_count(count: int) -> None:
    if count < 1:
        raise NBodyError(f"count is {count}; expected at least 1.")
