"""The pair force: its error by separation and by training, beyond its range, and its symmetry."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Final

import numpy as np
import pandas as pd
import torch

from restudy.nbody import catalogue
from restudy.nbody.batch import tensors
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.diagnostics import phase_error
from restudy.nbody.experiments_long import WIDE
from restudy.nbody.experiments_pair import SHORT, Networks, Setup
from restudy.nbody.jacobi import jacobi_masses, to_jacobi
from restudy.nbody.learned import pair_training
from restudy.nbody.learned.compiled_orbits import integrate_learned
from restudy.nbody.learned.guard import ExtrapolationWarning
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.learned.pair_training import LearningCurve, learning_curve
from restudy.nbody.learned.paper_evaluation import t_interval
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.trajectory import FloatArray
from restudy.nbody.wisdom_holman import advance

CHART_LABELS: Final = {
    "spacing": "ratio of the semi-major axes",
    "mass": "mass of each planet [solar masses]",
    "phase": "phase error [rad]",
}
_STEP = 0.1  # of Sun, Jupiter and Saturn [yr]
_STEPS_A_PERIOD = 40
_MASSES: Final = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_SPACINGS: Final = (1.3, 1.5, 1.8, 2.2, 3.0, 5.0, 10.0)


def findings(networks: Networks) -> dict[str, float]:
    """Give what the claims on the force and on its symmetry ask for."""
    return {
        "pair-force": _rms(networks.wide),
        "orbits-force": _rms(networks.from_orbits),
        "symplectic": symplectic_error(seed=0),
    }


def symplectic_error(*, seed: int) -> float:
    """Return how far a step with random, untrained weights is from symplectic.

    Parameters
    ----------
    seed : int
        Of the weights.

    Returns
    -------
    float
        The largest entry of ``M^T J M - J`` in canonical coordinates, M being the Jacobian of one
        step of Sun, Jupiter and Saturn; positions are in au, momenta in ``m' v``, both scaled so
        that those of Jupiter have size one.
    """
    potential = PairPotential(pair_training.WIDE, rng=torch.Generator().manual_seed(seed))
    system = catalogue.sun_jupiter_saturn().sorted().barycentric()
    masses, places, speeds = tensors(system)
    q, v = (to_jacobi(masses, x)[1:] for x in (places, speeds))
    mu = WISDOM_HOLMAN_91.mu(masses, system.gravity)
    reduced = (jacobi_masses(masses)[1:] / jacobi_masses(masses)[1]).repeat_interleave(3)
    kick, step = PairInteraction(potential), torch.tensor(_STEP, dtype=torch.float64)

    def moved(state: torch.Tensor) -> torch.Tensor:
        x, p = state[:6], state[6:]
        here, speed = (torch.cat([torch.zeros(3), y]).reshape(3, 3) for y in (x, p / reduced))
        there, then = advance(masses, here, speed, step, 1, kick, mu)
        return torch.cat([there[1:].ravel(), then[1:].ravel() * reduced])

    state = torch.cat([q.ravel(), v.ravel() * reduced])
    # Not torch.func, which loads torch's compiler, for seconds.
    M = torch.autograd.functional.jacobian(moved, state)  # type: ignore[no-untyped-call]
    J = torch.zeros(12, 12, dtype=torch.float64)
    J[:6, 6:], J[6:, :6] = torch.eye(6), -torch.eye(6)
    return float((M.T @ J @ M - J).abs().max().detach())


def _separations(potential: PairPotential, count: int = 400) -> torch.Tensor:
    r = potential.separations
    return torch.from_numpy(np.geomspace(r.least, r.most, count))


def _force_error(potential: PairPotential, separation: torch.Tensor) -> FloatArray:
    """Return the error of the pair force relative to Newton's."""
    with torch.no_grad():
        return np.asarray((potential.ratio(separation) - 1).abs().numpy())


def _rms(potential: PairPotential) -> float:
    return float(np.sqrt((_force_error(potential, _separations(potential)) ** 2).mean()))


def errors_by_separation(networks: Networks) -> pd.DataFrame:
    """Give the error of the pair force over six powers of ten of separation.

    Returns
    -------
    pandas.DataFrame
        Columns ``kick``, ``separation`` [au] and ``error``, relative to Newton's force.
    """
    r = np.geomspace(1e-3, 1e3, 600)
    parts = [
        pd.DataFrame(
            {
                "kick": name,
                "separation": r,
                "error": _force_error(potential, torch.from_numpy(r)).clip(1e-10),
            }
        )
        for name, potential in ((WIDE, networks.wide), (SHORT, networks.narrow))
    ]
    return pd.concat(parts, ignore_index=True)


def ranges(networks: Networks) -> dict[str, tuple[float, float]]:
    """Give the separations of either training [au]."""
    named = ((WIDE, networks.wide), (SHORT, networks.narrow))
    return {name: (p.separations.least, p.separations.most) for name, p in named}


def chart(setup: Setup, networks: Networks, *, executor: Executor | None = None) -> pd.DataFrame:
    """Ask the pair network for pairs of planets beyond those of its training.

    Parameters
    ----------
    setup : Setup
        Says how many steps.
    networks : Networks
        The wide one is asked.
    executor : concurrent.futures.Executor, optional
        Where pairs are followed; the chart does not depend on it.

    Returns
    -------
    pandas.DataFrame
        Columns ``spacing``, ``mass`` and ``phase`` [rad]; NaN where two planets met.
    """
    run: Callable[..., Iterable[list[float]]] = map if executor is None else executor.map
    count = len(_MASSES)
    plan = [networks.wide] * count, [setup.chart_steps] * count
    rows = [
        (spacing, mass, phase)
        for mass, phases in zip(_MASSES, run(_phases_of_mass, _MASSES, *plan), strict=True)
        for spacing, phase in zip(_SPACINGS, phases, strict=True)
    ]
    return pd.DataFrame(rows, columns=["spacing", "mass", "phase"])


def _phases_of_mass(mass: float, potential: PairPotential, steps: int) -> list[float]:
    return [_phase_of_pair(mass, spacing, potential, steps) for spacing in _SPACINGS]


def _phase_of_pair(mass: float, spacing: float, potential: PairPotential, steps: int) -> float:
    axes = np.array([1.0, spacing])
    system = catalogue.planetary_system(
        1.0, [mass, mass], axes, [0.02, 0.02], [0.0, 0.02], true_anomaly=[0.0, 2.0]
    )
    if spacing - 1 < 2 * np.sqrt(3) * np.cbrt(2 * mass / 3) * (1 + spacing) / 2:
        return float("nan")  # not stable in Hill's sense
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        plan = system, 1 / _STEPS_A_PERIOD, steps
        every = steps // 200
        exact = integrate_compiled(
            *plan, sample_every=every, split=WISDOM_HOLMAN_91, hill_radii=0.0
        )
        learned = integrate_learned(
            system, potential, *plan[1:], sample_every=every, hill_radii=0.0
        ).trajectory
    return float(np.abs(phase_error(system.masses, learned, exact)).max())


def learning(setup: Setup, *, seed: int, executor: Executor | None = None) -> LearningCurve:
    """Train on more and more systems."""
    seeds = [seed + number for number in setup.seeds]
    return learning_curve(setup.curve, setup.counts, seeds=seeds, executor=executor)


def interval(curve: LearningCurve) -> float | None:
    """Give half the width of the interval of 95 % of the slope; None for one seed."""
    return t_interval(curve.slopes).half_width if len(curve.slopes) > 1 else None


def learning_table(curve: LearningCurve) -> pd.DataFrame:
    """Give the learning curve with columns ``systems`` and ``error``."""
    rows = [
        (count, error)
        for count, errors in zip(curve.systems, curve.errors, strict=True)
        for error in errors
    ]
    return pd.DataFrame(rows, columns=["systems", "error"])
