"""A learned pair potential beside the exact one, in the same integrator with the same steps.

Energy and angular momentum alone say nothing about a learned interaction; so the phase against the
exact kick, the range of eccentricities, and the control without any kick stand beside them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from restudy.nbody import catalogue
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.diagnostics import (
    angular_momentum_error,
    drift,
    eccentricity_range,
    energy_error,
    phase_error,
)
from restudy.nbody.learned.compiled_orbits import integrate_learned, integrate_uncoupled
from restudy.nbody.learned.guard import ExtrapolationWarning
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

R = TypeVar("R")

_SAMPLES = 1000  # of a run
_CRITICAL_INCLINATION = np.radians(39.2)  # of Kozai and Lidov


@dataclass(frozen=True)
class Case:
    """A system and how it is followed.

    Attributes
    ----------
    name : str
        What it is called in tables.
    system : System
        Sorted.
    step : float
        [yr].
    steps : int
        How many.
    """

    name: str
    system: System
    step: float
    steps: int

    @property
    def sample_every(self) -> int:
        """Steps from one sample to the next: about a thousand samples."""
        return max(d for d in range(1, self.steps // _SAMPLES + 2) if self.steps % d == 0)


@dataclass(frozen=True)
class Conservation:
    """What a run conserves.

    Attributes
    ----------
    energy : float
        Largest relative change of the energy.
    drift : float
        Slope of a line through the relative change, per 1e5 steps.
    angular_momentum : float
        Largest change of the vector, relative to its length.
    seconds : float
        CPU time [s].
    """

    energy: float
    drift: float
    angular_momentum: float
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """A case with the exact, the learned and no interaction.

    Attributes
    ----------
    case : Case
        What was followed.
    exact, learned, uncoupled : Conservation
        What each conserves.
    phase, phase_uncoupled : tuple of float
        Largest difference of mean longitude from the exact run, of each planet [rad].
    eccentricity : float
        Largest difference of the range of an eccentricity from that in the exact run, relative to
        that range.
    eccentricity_uncoupled : float
        The same without a kick.
    least, most : float
        Separations of the learned run [au].
    inside : bool
        Whether they are those of the training.
    """

    case: Case
    exact: Conservation
    learned: Conservation
    uncoupled: Conservation
    phase: tuple[float, ...]
    phase_uncoupled: tuple[float, ...]
    eccentricity: float
    eccentricity_uncoupled: float
    least: float
    most: float
    inside: bool


def sun_jupiter_saturn(steps: int, step: float = 0.1) -> Case:
    """Return the paper's three bodies."""
    return Case("Sun, Jupiter, Saturn", catalogue.sun_jupiter_saturn().sorted(), step, steps)


def trappist_1(steps: int, step: float = 2e-4) -> Case:
    """Return the paper's eight bodies."""
    return Case("TRAPPIST-1", catalogue.trappist_1().sorted(), step, steps)


def compact_pairs(count: int, steps: int, *, rng: np.random.Generator) -> list[Case]:
    """Return pairs of planets near each other, with 40 steps in the shorter period."""
    systems = catalogue.compact_pairs(rng, count)
    return [_case(f"compact pair {i + 1}", x, 40.0, steps) for i, x in enumerate(systems)]


def planetesimals(
    steps: int, count: int = 100, *, rng: np.random.Generator, steps_a_period: float = 25.0
) -> Case:
    """Return the paper's planetesimals, with 25 steps in the shortest period."""
    system = catalogue.planetesimals(rng, count)
    return _case(f"{count} planetesimals", system, steps_a_period, steps)


def unseen_three_bodies(
    count: int, steps: int, *, rng: np.random.Generator, steps_a_period: float = 60.0
) -> list[Case]:
    """Return systems of the paper's distribution that have a phase to compare.

    Parameters
    ----------
    count : int
        How many.
    steps : int
        Of each.
    rng : numpy.random.Generator
        Of the systems.
    steps_a_period : float
        Of the inner planet.

    Returns
    -------
    list of Case
        The first that are stable in Hill's sense, with orbits inclined to each other by less than
        39 degrees.

    Notes
    -----
    Others of the paper's systems have planets of up to ten masses of Jupiter that meet, or orbits
    that fall into the star by Kozai's and Lidov's mechanism. There the integrator of Wisdom and
    Holman with the exact interaction fails too, and two runs that differ by round-off part within
    the run.
    """
    kept: list[System] = []
    while len(kept) < count:
        kept += [x for x in catalogue.three_body(rng, count) if _regular(x)]
    return [
        _case(f"three bodies {i + 1}", x, steps_a_period, steps) for i, x in enumerate(kept[:count])
    ]


def _case(name: str, system: System, steps_a_period: float, steps: int) -> Case:
    return Case(name, system, float(system.periods().min()) / steps_a_period, steps)


def _regular(system: System) -> bool:
    """Return whether two planets keep away from each other (B. Gladman 1993) and from the star."""
    a = system.semi_major_axes()
    x = system.positions[1:] - system.positions[0]
    v = system.velocities[1:] - system.velocities[0]
    poles = np.cross(x, v)
    poles /= np.linalg.norm(poles, axis=1, keepdims=True)
    hill = np.cbrt(system.masses[1:].sum() / (3 * system.masses[0])) * a.mean()
    return bool(
        a[1] - a[0] > 2 * np.sqrt(3) * hill
        and np.arccos(np.clip(poles[0] @ poles[1], -1, 1)) < _CRITICAL_INCLINATION
    )


def compare(case: Case, potential: PairPotential) -> Comparison:
    """Follow a case with the exact, the learned and no interaction.

    Parameters
    ----------
    case : Case
        What, and how.
    potential : PairPotential
        What was learned.

    Returns
    -------
    Comparison
        Errors of the learned run beside those of both others.
    """
    system, plan = case.system, (case.step, case.steps)
    every, split = case.sample_every, WISDOM_HOLMAN_91
    exact, exact_seconds = _timed(
        lambda: integrate_compiled(system, *plan, sample_every=every, split=split, hill_radii=0.0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)  # it is in the result
        run, seconds = _timed(
            lambda: integrate_learned(
                system, potential, *plan, sample_every=every, split=split, hill_radii=0.0
            )
        )
    free, free_seconds = _timed(
        lambda: integrate_uncoupled(system, *plan, sample_every=every, split=split)
    )
    learned = run.trajectory
    m, gravity = system.masses, system.gravity
    ranges = [eccentricity_range(m, x, gravity) for x in (exact, learned, free)]
    phases = [np.abs(phase_error(m, x, exact, gravity)).max(0) for x in (learned, free)]
    return Comparison(
        case,
        _conservation(case, exact, exact_seconds),
        _conservation(case, learned, seconds),
        _conservation(case, free, free_seconds),
        tuple(phases[0].tolist()),
        tuple(phases[1].tolist()),
        float((abs(ranges[1] - ranges[0]) / ranges[0]).max()),
        float((abs(ranges[2] - ranges[0]) / ranges[0]).max()),
        run.coverage.least,
        run.coverage.most,
        run.coverage.inside,
    )


def _timed(run: Callable[[], R]) -> tuple[R, float]:
    start = time.thread_time()  # others run beside
    return run(), time.thread_time() - start


def _conservation(case: Case, run: Trajectory, seconds: float) -> Conservation:
    m = case.system.masses
    change = energy_error(m, run, case.system.gravity)
    unit = case.sample_every * 1e-5 * np.arange(len(change))
    turned = angular_momentum_error(m, run)
    return Conservation(float(abs(change).max()), drift(unit, change), float(turned.max()), seconds)
