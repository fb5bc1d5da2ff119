"""The classical integrators: Kepler's problem, orders, conserved energy, chaos."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import torch

from restudy.nbody.catalogue import sun_jupiter_saturn, trappist_1
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.composition import ABA_10_6_4, integrate_composition
from restudy.nbody.correctors import integrate_corrected
from restudy.nbody.diagnostics import energy_error, orbits
from restudy.nbody.errors import StepWarning
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.kepler import g_functions, universal_anomaly, within_a_period
from restudy.nbody.leapfrog import integrate_leapfrog
from restudy.nbody.lyapunov import chaos
from restudy.nbody.secular import laplace_lagrange
from restudy.nbody.splitting import REBOUND
from restudy.nbody.system import System
from restudy.nbody.trajectory import FloatArray, Trajectory
from restudy.nbody.units import GRAVITY

Integrator = Callable[[System, float, int, int], Trajectory]

_CORRECTOR = 11
_YEARS = 100.0  # over which positions are compared
_STEPS: Final = (0.4, 0.2, 0.1, 0.05)
_LONGER: Final = {"leapfrog": 1 / 20, "ABA(10,6,4)": 10.0}  # than steps of Wisdom and Holman's map


def _classical(system: System, step: float, steps: int, every: int) -> Trajectory:
    return integrate_compiled(system, step, steps, sample_every=every)


def _corrected(system: System, step: float, steps: int, every: int) -> Trajectory:
    return integrate_corrected(system, step, steps, _CORRECTOR, sample_every=every)


def _composed(system: System, step: float, steps: int, every: int) -> Trajectory:
    return integrate_composition(system, step, steps, ABA_10_6_4, sample_every=every)


SYMPLECTIC: Final[Mapping[str, Integrator]] = {
    "leapfrog": integrate_leapfrog,
    "Wisdom-Holman": _classical,
    f"corrector {_CORRECTOR}": _corrected,
    "ABA(10,6,4)": _composed,
}
"""Integrators with a fixed step, in the order of the figures."""


@dataclass(frozen=True)
class Setup:
    """How much is computed.

    Attributes
    ----------
    conics : int
        Random orbits for Kepler's problem.
    years : float
        Of the runs whose energy is watched [yr].
    exchange : float
        Of the run in which eccentricities are exchanged [yr].
    chaos_steps : int
        Of the runs with a deviation.
    """

    conics: int
    years: float
    exchange: float
    chaos_steps: int

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of seconds."""
        return cls(20_000, 1e4, 2e5, 100_000)

    @classmethod
    def full(cls) -> Self:
        """Make a setup of a minute."""
        return cls(1_000_000, 1e5, 1e6, 1_000_000)


def kepler_residual(conics: int, *, rng: np.random.Generator) -> float:
    """Return the largest relative residual of Kepler's equation over random conics.

    Parameters
    ----------
    conics : int
        How many; a third each are ellipses, parabolas and hyperbolas.
    rng : numpy.random.Generator
        Of pericentres over six powers of ten, eccentricities to 10, anomalies, and times of either
        sign from a millionth of the orbit's own to a million of them.

    Returns
    -------
    float
        Of ``r0 s + eta G_2 + (mu - beta r0) G_3 = dt``, over the sum of the sizes of its terms.
    """
    kind = rng.integers(0, 3, conics)
    e = np.choose(
        kind, [rng.uniform(0, 1, conics), np.ones(conics), 10 ** rng.uniform(1e-6, 1, conics)]
    )
    widest = np.where(kind == 0, np.pi, 0.95 * np.arccos(-1 / np.maximum(e, 1)))
    f = rng.uniform(-1, 1, conics) * widest
    pericentre = 10 ** rng.uniform(-3, 3, conics)
    m = GRAVITY * 10 ** rng.uniform(-3, 1, conics)
    parameter = pericentre * (1 + e)
    distance = parameter / (1 + e * np.cos(f))
    outwards = distance * np.sqrt(m / parameter) * e * np.sin(f)
    own = np.sqrt(pericentre**3 / m)
    times = own * 10 ** rng.uniform(-6, 6, conics) * rng.choice((-1, 1), conics)
    r0, eta, beta, mu, dt = (
        torch.from_numpy(x) for x in (distance, outwards, m * (1 - e) / pericentre, m, times)
    )
    left = within_a_period(beta, mu, dt)
    s = universal_anomaly(r0, eta, beta, mu, left)
    _, G2, G3 = g_functions(beta, s)
    terms = torch.stack([r0 * s, eta * G2, mu * G3, -beta * r0 * G3, -left])
    return float((terms.sum(0).abs() / terms.abs().sum(0)).max())


def convergence() -> pd.DataFrame:
    """Compare positions of Jupiter and Saturn after a hundred years with the adaptive integrator's.

    Returns
    -------
    pandas.DataFrame
        Columns ``integrator``, ``step`` [yr], ``error``, the largest of a planet about the Sun
        [au], and ``order``, the power of the step that fits.
    """
    system = sun_jupiter_saturn()
    truth = _about_star(integrate_ias15(system, [0.0, _YEARS]))
    rows = []
    for name, integrator in SYMPLECTIC.items():
        steps = [h * _LONGER.get(name, 1.0) for h in _STEPS]
        errors = [_position_error(integrator, system, h, truth) for h in steps]
        order = float(np.polyfit(np.log(steps), np.log(errors), 1)[0])
        rows += [(name, h, error, order) for h, error in zip(steps, errors, strict=True)]
    return pd.DataFrame(rows, columns=["integrator", "step", "error", "order"])


def _position_error(
    integrator: Integrator, system: System, step: float, truth: FloatArray
) -> float:
    count = round(_YEARS / step)
    found = _about_star(integrator(system, step, count, count))
    return float(np.linalg.norm(found - truth, axis=1).max())


def _about_star(run: Trajectory) -> FloatArray:
    return np.asarray(run.positions[-1, 1:] - run.positions[-1, 0])


def energy_laws(setup: Setup) -> pd.DataFrame:
    """Follow the energy of Sun, Jupiter and Saturn with a step of a tenth of a year.

    Parameters
    ----------
    setup : Setup
        Says how long.

    Returns
    -------
    pandas.DataFrame
        Columns ``integrator``, ``time`` [yr] and ``error``, the largest so far, relative.
    """
    system, step = sun_jupiter_saturn(), 0.1
    steps = round(setup.years / step)
    every = max(1, steps // 20_000)
    runs: dict[str, Trajectory] = {}
    for name, integrator in SYMPLECTIC.items():
        finer = round(1 / _LONGER[name]) if name == "leapfrog" else 1
        runs[name] = integrator(system, step / finer, steps * finer, every * finer)
    times = runs["Wisdom-Holman"].times
    runs["IAS15"] = integrate_ias15(system, times[:: max(1, len(times) // 2000)])
    return pd.concat([_so_far(name, run, system) for name, run in runs.items()], ignore_index=True)


def _so_far(name: str, run: Trajectory, system: System) -> pd.DataFrame:
    """Keep the largest error so far at times that are even on a logarithmic scale."""
    error = np.maximum.accumulate(np.abs(energy_error(system.masses, run)))
    places = np.unique(np.geomspace(1, len(run) - 1, 200).astype(int))
    return pd.DataFrame({"integrator": name, "time": run.times[places], "error": error[places]})


def exchange_ratio(years: float) -> float:
    """Return the period with which Saturn's eccentricity comes back, over linear secular theory's.

    Parameters
    ----------
    years : float
        Of the run, some periods [yr].

    Returns
    -------
    float
        The period is that of the strongest line of the spectrum, refined by a parabola.
    """
    system = sun_jupiter_saturn()
    step, samples = 0.5, 4096
    every = round(years / step / samples)
    run = _classical(system, step, every * samples, every)
    e = orbits(system.masses, run).eccentricity[:samples, 1]
    window = np.hanning(samples)
    power = np.abs(np.fft.rfft((e - e.mean()) * window, 8 * samples))
    peak = int(power[8:].argmax()) + 8
    a, b, c = power[peak - 1 : peak + 2]
    frequency = (peak + 0.5 * (a - c) / (a - 2 * b + c)) / (8 * samples * every * step)
    return float(1 / frequency / laplace_lagrange(system).exchange_period)


def order_findings(table: pd.DataFrame, setup: Setup, *, seed: int) -> dict[str, float]:
    """Give what the claims on orders and on Kepler's problem ask for."""
    orders = table.groupby("integrator")["order"].first()
    rng = np.random.default_rng(seed)
    return {
        "kepler-residual": kepler_residual(setup.conics, rng=rng),
        "wh-order": float(orders["Wisdom-Holman"]),
    }


def law_findings(table: pd.DataFrame, setup: Setup) -> dict[str, float]:
    """Give what the claims on energies over 10,000 years and on the exchange ask for."""
    until = table[table["time"] <= 1.0001e4].groupby("integrator")["error"].max()
    return {
        "corrected-energy": float(until[f"corrector {_CORRECTOR}"]),
        "ias15-energy": float(until["IAS15"]),
        "secular-period": exchange_ratio(setup.exchange),
    }


def beside_whfast(recorded: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, float]:
    """Compare Sun, Jupiter and Saturn with what rebound's WHFast made of them.

    Parameters
    ----------
    recorded : mapping
        ``validation/2111.15631/whfast.json``.
    start : mapping
        Their initial state, of ``systems.json`` beside it.

    Returns
    -------
    dict of str to float
        For the claims: of all steps the ratio of the largest energy errors that is farthest from
        one, and the largest difference of positions after 100,000 steps [au].
    """
    system = System(start["masses"], start["positions"], start["velocities"])
    mine = [
        row
        for row in recorded["energy"]
        if row["system"] == "sun-jupiter-saturn" and row["coordinates"] == "jacobi"
    ]
    ratios = []
    for row in mine:
        run = _as_whfast(system, row["step"], row["steps"], row["steps"] // row["samples"])
        worst = np.abs(energy_error(system.masses, run)).max()
        ratios.append(float(worst / row["max_relative_error"]))
    (final,) = (
        row
        for row in recorded["final"]
        if row["system"] == "sun-jupiter-saturn" and row["coordinates"] == "jacobi"
    )
    steps = final["steps"][-1]
    last = _as_whfast(system, final["step"], steps, steps).positions[-1]
    theirs = np.array(final["positions"][-1])
    return {
        "whfast-energy": max(ratios, key=lambda ratio: abs(ratio - 1)),
        "whfast-positions": float(np.abs(last - last[0] - theirs).max()),
    }


def _as_whfast(system: System, step: float, steps: int, every: int) -> Trajectory:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StepWarning)  # the longest step is chosen on purpose
        return integrate_compiled(
            system,
            step,
            steps,
            sample_every=every,
            split=REBOUND,
            scheme=Scheme.DRIFT_KICK_DRIFT,
            hill_radii=0.0,
        )


def chaos_table(setup: Setup, *, seed: int) -> pd.DataFrame:
    """Tell regular from chaotic systems.

    Parameters
    ----------
    setup : Setup
        Says how many steps.
    seed : int
        Of the directions of the deviations.

    Returns
    -------
    pandas.DataFrame
        One row for each system: how long it was followed [yr], MEGNO, and the Lyapunov time [yr],
        of which on a regular orbit only a lower bound shows.
    """
    cases = {
        "Sun, Jupiter, Saturn": (sun_jupiter_saturn(), 0.5),
        "TRAPPIST-1": (trappist_1(), 2e-4),
        "Jupiter and Saturn ten times as heavy": (_heavier(sun_jupiter_saturn(), 10), 0.2),
    }
    rows = {}
    for (name, (system, step)), child in zip(
        cases.items(), np.random.SeedSequence(seed).spawn(len(cases)), strict=True
    ):
        rng = np.random.default_rng(child)
        steps = setup.chaos_steps
        found = chaos(system, step, steps, rng=rng, sample_every=steps // 100)
        rows[name] = {
            "followed [yr]": step * steps,
            "MEGNO": float(found.megno[-1]),
            "Lyapunov time [yr]": found.lyapunov_time,
        }
    return pd.DataFrame(rows).T


def _heavier(system: System, factor: float) -> System:
    """Make the planets heavier, at the same places with the same velocities."""
    masses = np.r_[system.masses[0], factor * system.masses[1:]]
    return System(masses, system.positions, system.velocities, system.names, system.gravity)
