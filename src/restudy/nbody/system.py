"""A star and its planets: masses, positions and velocities, checked before anything moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from restudy.nbody.errors import NBodyError
from restudy.nbody.units import GRAVITY, KM_PER_S

FloatArray = NDArray[np.float64]

_HEAVIEST_STAR = 1e3  # solar masses; more is another unit
_WIDEST = 1e6  # au; more is another unit, or not a planetary system
# Of the speed on a circle; where all planets are slower, they are in another unit: two or more are
# not all at the far ends of orbits with e above 0.96, nor one alone of one with e above 0.9996.
_SLOWEST = 0.2
_SLOWEST_ALONE = 0.02


@dataclass(frozen=True, eq=False)
class System:
    """One planetary system at one time.

    Attributes
    ----------
    masses : numpy.ndarray, shape (N,)
        Masses [M_sun]; body 0 is the star.
    positions : numpy.ndarray, shape (N, 3)
        In an inertial frame [au].
    velocities : numpy.ndarray, shape (N, 3)
        In the same frame [au/yr].
    names : tuple of str
        One for each body; ``body 0``, ``body 1``, ... where none are given.
    gravity : float
        The constant of gravity in the units used. Another value than that of au, yr and solar
        masses says that other units are meant.

    Raises
    ------
    NBodyError
        If shapes do not fit, a value is no number, a mass is not above 0, two bodies are in one
        place, a body is not bound to the others, or the numbers are in other units.

    Notes
    -----
    A mass of 0 is refused: Jacobi coordinates are a canonical transformation, and a body without
    mass has no momentum. Give a test particle a mass that moves nobody, as 1e-15. The test of
    being bound is that of two bodies, the one and the barycentre of the others, with the potential
    of all of them: ``mu v^2 / 2 < G m_i sum_j m_j / r_ij``.

    Examples
    --------
    The Earth on a circle, of which the energy is ``-G M m / 2a``.

    >>> earth = System([1.0, 3e-6], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.2831, 0]])
    >>> print(f"{earth.energy():.4e}")
    -5.9215e-05
    """

    masses: FloatArray
    positions: FloatArray
    velocities: FloatArray
    names: tuple[str, ...] = ()
    gravity: float = GRAVITY

    def __init__(
        self,
        masses: ArrayLike,
        positions: ArrayLike,
        velocities: ArrayLike,
        names: tuple[str, ...] = (),
        gravity: float = GRAVITY,
    ) -> None:
        m = _array("masses", masses)
        values = m, _array("positions", positions), _array("velocities", velocities)
        for name, value in zip(("masses", "positions", "velocities"), values, strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "names", tuple(names) or _numbered(m))
        object.__setattr__(self, "gravity", float(gravity))
        _check_shapes(self)
        _check_numbers(self)
        _check_masses(self)
        _check_places(self)
        _check_units(self)
        _check_bound(self)

    @property
    def bodies(self) -> int:
        """The number of bodies, with the star."""
        return len(self.masses)

    def kinetic_energy(self) -> float:
        """Return the kinetic energy [M_sun au^2 / yr^2]."""
        return float(0.5 * self.masses @ (self.velocities**2).sum(1))

    def potential_energy(self) -> float:
        """Return ``-G sum_{i<j} m_i m_j / r_ij`` [M_sun au^2 / yr^2]."""
        i, j = np.triu_indices(self.bodies, 1)
        distances = np.linalg.norm(self.positions[i] - self.positions[j], axis=1)
        return float(-self.gravity * (self.masses[i] * self.masses[j] / distances).sum())

    def energy(self) -> float:
        """Return the energy in the frame of the coordinates [M_sun au^2 / yr^2]."""
        return self.kinetic_energy() + self.potential_energy()

    def momentum(self) -> FloatArray:
        """Return the momentum, shape (3,) [M_sun au / yr]."""
        return np.asarray(self.masses @ self.velocities)

    def angular_momentum(self) -> FloatArray:
        """Return the angular momentum about the origin, shape (3,) [M_sun au^2 / yr]."""
        return np.asarray(self.masses @ np.cross(self.positions, self.velocities))

    def barycentric(self) -> System:
        """Return the system with its barycentre at rest in the origin."""
        total = self.masses.sum()
        return replace(
            self,
            positions=self.positions - self.masses @ self.positions / total,
            velocities=self.velocities - self.masses @ self.velocities / total,
        )

    def semi_major_axes(self) -> FloatArray:
        """Return the semi-major axis of each planet about the star alone, shape (N - 1,) [au].

        It is negative where a planet is bound to the others, but not to the star.
        """
        r = np.linalg.norm(self.positions[1:] - self.positions[0], axis=1)
        v2 = ((self.velocities[1:] - self.velocities[0]) ** 2).sum(1)
        mu = self.gravity * (self.masses[0] + self.masses[1:])
        return np.asarray(1.0 / (2.0 / r - v2 / mu))

    def periods(self) -> FloatArray:
        """Return the periods of the planets about the star alone, shape (N - 1,) [yr].

        It is infinite where a planet is not bound to the star.
        """
        a = self.semi_major_axes()
        mu = self.gravity * (self.masses[0] + self.masses[1:])
        return np.where(a > 0, 2 * np.pi * np.sqrt(np.abs(a) ** 3 / mu), np.inf)

    def sorted(self) -> System:
        """Return the system with its planets in the order of their semi-major axes.

        Jacobi coordinates want the planets from the innermost to the outermost.
        """
        a = self.semi_major_axes()
        order = np.r_[0, 1 + np.argsort(np.where(a > 0, a, np.inf), kind="stable")]
        return self.part(order)

    def part(self, bodies: ArrayLike) -> System:
        """Return the bodies with these numbers, in this order; the star is to be among them."""
        which = np.asarray(bodies)
        return System(
            self.masses[which],
            self.positions[which],
            self.velocities[which],
            tuple(self.names[i] for i in which),
            self.gravity,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, System):
            return NotImplemented
        return (self.names, self.gravity) == (other.names, other.gravity) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("masses", "positions", "velocities")
        )

    def __hash__(self) -> int:
        arrays = self.masses, self.positions, self.velocities
        return hash((self.names, self.gravity, *(x.tobytes() for x in arrays)))


def _array(name: str, value: ArrayLike) -> FloatArray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NBodyError(f"{name} cannot be read as numbers ({error}).") from None
    array.setflags(write=False)
    return array


def _numbered(masses: FloatArray) -> tuple[str, ...]:
    return tuple(f"body {i}" for i in range(masses.size))


def _check_shapes(s: System) -> None:
    if s.masses.ndim != 1 or len(s.masses) < 2:
        raise NBodyError(
            f"masses have shape {s.masses.shape}; expected (N,), a star and at least one planet."
        )
    for name in ("positions", "velocities"):
        shape = getattr(s, name).shape
        if shape != (s.bodies, 3):
            raise NBodyError(
                f"{name} have shape {shape}; expected {(s.bodies, 3)}, for the {s.bodies} masses."
            )
    if len(s.names) != s.bodies:
        raise NBodyError(f"{len(s.names)} names for {s.bodies} bodies; expected one for each.")


def _check_numbers(s: System) -> None:
    for name in ("masses", "positions", "velocities"):
        array: NDArray[Any] = getattr(s, name)
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise NBodyError(
                f"{name}[{', '.join(map(str, where))}], of {s.names[where[0]]}, is {array[where]}; "
                "expected a finite number."
            )
    if not (np.isfinite(s.gravity) and s.gravity > 0):
        raise NBodyError(f"gravity is {s.gravity:g}; expected a finite number above 0.")


def _check_masses(s: System) -> None:
    if (s.masses <= 0).any():
        i = int(np.argmax(s.masses <= 0))
        hint = ": give a test particle a mass that moves nobody, as 1e-15" if i else ""
        raise NBodyError(
            f"the mass of {s.names[i]} is {s.masses[i]:g}; expected a mass above 0{hint}."
        )
    if s.gravity == GRAVITY and s.masses.max() > _HEAVIEST_STAR:
        i = int(np.argmax(s.masses))
        raise NBodyError(
            f"the mass of {s.names[i]} is {s.masses[i]:g}; expected solar masses: divide kilograms "
            "by 1.98841e30, masses of the Earth by 332946, and masses of Jupiter by 1047.57."
        )
    if s.masses.argmax() != 0 and s.masses.max() > s.masses[0]:
        i = int(np.argmax(s.masses))
        raise NBodyError(
            f"{s.names[i]} has a mass of {s.masses[i]:g}, more than the {s.masses[0]:g} of "
            f"{s.names[0]}; expected the star first, and all masses in solar masses."
        )


def _check_places(s: System) -> None:
    i, j = np.triu_indices(s.bodies, 1)
    distances = np.linalg.norm(s.positions[i] - s.positions[j], axis=1)
    scale = np.maximum(np.abs(s.positions[i]).max(1), np.abs(s.positions[j]).max(1))
    same = distances <= 1e-14 * scale
    if same.any():
        k = int(np.argmax(same))
        raise NBodyError(
            f"{s.names[i[k]]} and {s.names[j[k]]} are both at "
            f"{tuple(float(x) for x in s.positions[i[k]])}; expected two places."
        )
    if s.gravity == GRAVITY and distances.max() > _WIDEST:
        k = int(np.argmax(distances))
        raise NBodyError(
            f"{s.names[i[k]]} and {s.names[j[k]]} are {distances[k]:.4g} apart; expected au: "
            "divide metres by 1.495978707e11, and kilometres by 1.495978707e8."
        )


def _binding(s: System) -> tuple[FloatArray, FloatArray]:
    """Return kinetic and (positive) potential energy of each planet against all the others."""
    m, total = s.masses, s.masses.sum()
    rest = total - m
    mean = (m @ s.velocities - m[:, None] * s.velocities) / rest[:, None]
    kinetic = 0.5 * rest / total * ((s.velocities - mean) ** 2).sum(1)
    distances = np.linalg.norm(s.positions[:, None] - s.positions, axis=2)
    np.fill_diagonal(distances, np.inf)
    return kinetic[1:], s.gravity * (m / distances).sum(1)[1:]


def _check_units(s: System) -> None:
    kinetic, potential = _binding(s)
    fraction = np.sqrt(2 * kinetic / potential)
    if fraction.max() < (_SLOWEST if s.bodies > 2 else _SLOWEST_ALONE):
        raise NBodyError(
            f"no planet has more than {fraction.max():.2g} of the speed of a circular orbit; "
            "expected au/yr: multiply au/day by 365.25, and au/(yr/2 pi) by 2 pi."
        )


def _check_bound(s: System) -> None:
    kinetic, potential = _binding(s)
    if (kinetic >= potential).any():
        i = int(np.argmax(kinetic / potential))
        speed = float(np.sqrt(kinetic[i] / potential[i]))
        raise NBodyError(
            f"{s.names[i + 1]} moves with {speed:.3g} times the speed of escape; expected a bound "
            f"system, with au and au/yr: multiply km/s by {KM_PER_S:.6g}."
        )
