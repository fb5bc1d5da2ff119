"""Sun, Jupiter and Saturn for long, with the exact kick, the pair network and no kick.

How errors grow, the shapes of both orbits, the way back to the start, and the moving picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from restudy import style
from restudy.nbody import catalogue
from restudy.nbody.animation import Track, movie
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.diagnostics import angular_momentum_error, energy_error, orbits, phase_error
from restudy.nbody.learned.compiled_orbits import integrate_learned, integrate_uncoupled
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.system import System
from restudy.nbody.trajectory import FloatArray, Trajectory

WIDE: Final = "pair network"
STEP: Final = 0.1  # [yr]
_FRAMES = 60  # of the moving picture
_REVERSED = 1000  # steps forward, and back


def _kicks(potential: PairPotential) -> dict[str, PairPotential | str | None]:
    """Give the kicks of the long run: exact, none (the word), and a network."""
    return {"exact": "exact", "zero kick": None, WIDE: potential}


def _run(
    kick: PairPotential | str | None, system: System, step: float, steps: int, every: int
) -> Trajectory:
    if kick is None:
        return integrate_uncoupled(system, step, steps, sample_every=every)
    if isinstance(kick, str):
        return integrate_compiled(
            system, step, steps, sample_every=every, split=WISDOM_HOLMAN_91, hill_radii=0.0
        )
    return integrate_learned(
        system, kick, step, steps, sample_every=every, hill_radii=0.0
    ).trajectory


def long_runs(potential: PairPotential, steps: int) -> dict[str, Trajectory]:
    """Follow the three bodies by each kick.

    Parameters
    ----------
    potential : PairPotential
        Of the network's kick.
    steps : int
        Of a tenth of a year.

    Returns
    -------
    dict of str to Trajectory
        About 10,000 samples by the name of the kick.
    """
    system = catalogue.sun_jupiter_saturn().sorted()
    every = max(1, steps // 10_000)
    return {
        name: _run(kick, system, STEP, steps, every) for name, kick in _kicks(potential).items()
    }


def growth(runs: Mapping[str, Trajectory]) -> pd.DataFrame:
    """Give the largest errors up to each of 150 times, for `restudy.nbody.figures.growth`.

    Parameters
    ----------
    runs : mapping of str to Trajectory
        Those of `long_runs`; phase and eccentricity are against the exact one.

    Returns
    -------
    pandas.DataFrame
        Columns `kick`, `time` [yr], `energy` and `momentum` (relative), `phase` [rad] and
        `eccentricity`.
    """
    system = catalogue.sun_jupiter_saturn().sorted()
    m, truth = system.masses, runs["exact"]
    exact = orbits(m, truth).eccentricity
    places = np.unique(np.geomspace(1, len(truth) - 1, 150).astype(int))
    parts = []
    for name, run in runs.items():
        columns = {
            "energy": np.abs(energy_error(m, run)),
            "momentum": angular_momentum_error(m, run),
            "phase": np.abs(phase_error(m, run, truth)).max(1),
            "eccentricity": np.abs(orbits(m, run).eccentricity - exact).max(1),
        }
        largest = {key: np.maximum.accumulate(value)[places] for key, value in columns.items()}
        parts.append(pd.DataFrame({"kick": name, "time": run.times[places], **largest}))
    return pd.concat(parts, ignore_index=True)


def eccentricities(potential: PairPotential, steps: int) -> pd.DataFrame:
    """Follow the eccentricities in steps of half a year.

    Parameters
    ----------
    potential : PairPotential
        Of the network's kick.
    steps : int
        How many.

    Returns
    -------
    pandas.DataFrame
        Columns `kick`, `time` [yr], `Jupiter` and `Saturn`, for
        `restudy.nbody.figures.eccentricities`.
    """
    system = catalogue.sun_jupiter_saturn().sorted()
    parts = []
    for name, kick in _kicks(potential).items():
        run = _run(kick, system, 5 * STEP, steps, max(1, steps // 1000))
        e = orbits(system.masses, run).eccentricity
        parts.append(
            pd.DataFrame({"kick": name, "time": run.times, "Jupiter": e[:, 0], "Saturn": e[:, 1]})
        )
    return pd.concat(parts, ignore_index=True)


def last_rounds(potential: PairPotential, runs: Mapping[str, Trajectory]) -> dict[str, Trajectory]:
    """Follow one round of Saturn after the last step of `long_runs`, by the name of the kick."""
    return {name: _round(kick, runs[name]) for name, kick in _kicks(potential).items()}


def _round(kick: PairPotential | str | None, run: Trajectory) -> Trajectory:
    start = catalogue.sun_jupiter_saturn().sorted()
    here = System(start.masses, run.positions[-1], run.velocities[-1], start.names, start.gravity)
    step = float(here.periods()[1]) / (_FRAMES * 10)
    return _run(kick, here, step, _FRAMES * 10, 10)


def reversal(potential: PairPotential) -> float:
    """Return how far a thousand steps forward and back by the network end from the start [au]."""
    start = catalogue.sun_jupiter_saturn().sorted().barycentric()
    there = _run(potential, start, STEP, _REVERSED, _REVERSED)
    here = System(start.masses, there.positions[-1], there.velocities[-1])
    back = _run(potential, here, -STEP, _REVERSED, _REVERSED)
    return float(np.abs(back.positions[-1] - start.positions).max())


def moving_picture(rounds: Mapping[str, Trajectory]) -> str:
    """Draw one round of Saturn after the last step, as a moving picture.

    Parameters
    ----------
    rounds : mapping of str to Trajectory
        Those of `last_rounds`.

    Returns
    -------
    str
        SVG.
    """
    colours: Sequence[tuple[str, str, float]] = (
        ("exact", style.SERIES[0], 9.0),
        (WIDE, style.OURS, 5.0),
        ("zero kick", "#8A8A8A", 5.0),
    )
    tracks = [
        Track(name, colour, _from_star(rounds[name]), radius) for name, colour, radius in colours
    ]
    title = "Jupiter and Saturn over one round of Saturn: exact and learned coincide"
    return movie(tracks, title=title, name="saturn-round")


def _from_star(run: Trajectory) -> FloatArray:
    return np.asarray((run.positions[:, 1:] - run.positions[:, :1])[..., :2])
