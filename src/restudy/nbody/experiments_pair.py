"""The pair network: trained, and followed for long beside the exact kick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from restudy.nbody import experiments_long
from restudy.nbody.experiments_long import STEP
from restudy.nbody.learned import evaluation
from restudy.nbody.learned.evaluation import Case, Comparison
from restudy.nbody.learned.from_orbits import OrbitRecipe, train_from_orbits
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.learned.pair_training import (
    NARROW,
    Recipe,
    train_from_forces,
)
from restudy.nbody.learned.weights import shipped_potential
from restudy.nbody.lyapunov import chaos
from restudy.nbody.trajectory import Trajectory

SHORT: Final = "narrow pair network"
_SJS, _UNSEEN = "Sun, Jupiter, Saturn", "three bodies, unseen"
_MILLION = 1_000_000  # steps
_REGULAR = 2.5  # MEGNO, which tends to 2


@dataclass(frozen=True)
class Setup:
    """How much is computed.

    Attributes
    ----------
    recipe, curve : Recipe
        Of the training from forces: of the networks for the long runs where `retrain` says so, and
        of those of the learning curve.
    from_orbits : OrbitRecipe
        Of that from orbits.
    retrain : bool
        Whether the long runs use the networks trained here, or those of the package.
    steps : int
        Of the long runs.
    million : bool
        Whether Sun, Jupiter and Saturn and the unseen systems are followed a million steps as well.
    unseen, compact : int
        Systems of either kind.
    swarm_steps : int
        With 100 planetesimals.
    chart_steps : int
        For each tile of the chart.
    phases : int
        Draws of the phases of TRAPPIST-1.
    counts, seeds : tuple of int
        Numbers of systems, and seeds, of the learning curve.
    """

    recipe: Recipe
    curve: Recipe
    from_orbits: OrbitRecipe
    retrain: bool
    steps: int
    million: bool
    unseen: int
    compact: int
    swarm_steps: int
    chart_steps: int
    phases: int
    counts: tuple[int, ...]
    seeds: tuple[int, ...]

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of half a minute: long runs with the networks of the package."""
        return cls(
            Recipe.quick(),
            Recipe(each=4, width=16, adam_steps=100, iterations=60),
            OrbitRecipe.quick(),
            retrain=False,
            steps=100_000,
            million=False,
            unseen=20,
            compact=6,
            swarm_steps=500,
            chart_steps=20_000,
            phases=3,
            counts=(2, 5, 10, 30),
            seeds=(1,),
        )

    @classmethod
    def full(cls) -> Self:
        """Make a setup of some minutes: the networks of the package are trained again."""
        return cls(
            Recipe.full(),
            Recipe(width=16, adam_steps=200, iterations=200),
            OrbitRecipe(),
            retrain=True,
            steps=100_000,
            million=True,
            unseen=20,
            compact=6,
            swarm_steps=5_000,
            chart_steps=100_000,
            phases=20,
            counts=(2, 3, 5, 7, 10, 20, 30, 100, 300),
            seeds=(1, 2, 3, 4, 5),
        )

    @classmethod
    def paper(cls) -> Self:
        """Make a setup with more systems and a million steps for each."""
        return cls(
            Recipe.paper(),
            Recipe(adam_steps=300, iterations=400),
            OrbitRecipe(systems=4000),
            retrain=True,
            steps=1_000_000,
            million=True,
            unseen=200,
            compact=60,
            swarm_steps=50_000,
            chart_steps=1_000_000,
            phases=200,
            counts=(2, 3, 5, 7, 10, 20, 30, 100, 300, 1000),
            seeds=tuple(range(1, 11)),
        )


@dataclass(frozen=True, eq=False)
class Networks:
    """Pair networks.

    Attributes
    ----------
    wide, narrow : PairPotential
        For the long runs: of all separations, and of those of wide systems only.
    from_orbits : PairPotential
        Trained without forces.
    """

    wide: PairPotential
    narrow: PairPotential
    from_orbits: PairPotential


@dataclass(frozen=True, eq=False)
class Runs:
    """What the networks did.

    Attributes
    ----------
    compared : dict of str to list of Comparison
        The wide network by kind of system.
    narrow : Comparison
        The narrow one on TRAPPIST-1.
    million : dict of str to list of Comparison
        A million steps of Sun, Jupiter and Saturn and of the unseen systems, if at all.
    growth : pandas.DataFrame
        For `restudy.nbody.figures.growth`.
    eccentricities : pandas.DataFrame
        For `restudy.nbody.figures.eccentricities`.
    ends : dict of str to Trajectory
        One round of Saturn after the last step of Sun, Jupiter and Saturn.
    reversal : float
        How far forward and backward is from the start [au].
    """

    compared: Mapping[str, list[Comparison]]
    narrow: Comparison
    million: Mapping[str, list[Comparison]]
    growth: pd.DataFrame
    eccentricities: pd.DataFrame
    ends: Mapping[str, Trajectory]
    reversal: float


def train_and_follow(
    setup: Setup, *, seed: int, executor: Executor | None = None
) -> tuple[Networks, Runs]:
    """Train the pair network from forces and from orbits, and follow all kinds of systems.

    Parameters
    ----------
    setup : Setup
        The recipes, and how many systems and steps.
    seed : int
        Of systems and weights.
    executor : concurrent.futures.Executor, optional
        Where networks are trained and systems followed; neither depends on it.

    Returns
    -------
    networks : Networks
        Where the setup does not train again, the long runs get those of the package.
    runs : Runs
        What `follow` returns. The training from orbits, which no run needs, goes on beside them.
    """
    start: Callable[..., Iterable[PairPotential]] = map if executor is None else executor.map
    recipes: list[Recipe | OrbitRecipe] = [setup.from_orbits]
    if setup.retrain:
        recipes = [setup.recipe, replace(setup.recipe, separations=NARROW), *recipes]
    trained = iter(start(_trained, recipes, [seed] * len(recipes)))
    shipped = (shipped_potential(f"pair-{name}") for name in ("wide", "narrow"))
    source = trained if setup.retrain else shipped
    wide, narrow = next(source), next(source)
    runs = follow(setup, wide, narrow, seed=seed, executor=executor)
    return Networks(wide, narrow, next(trained)), runs


def _trained(recipe: Recipe | OrbitRecipe, seed: int) -> PairPotential:
    if isinstance(recipe, OrbitRecipe):
        return train_from_orbits(recipe, seed=seed).potential
    return train_from_forces(recipe, seed=seed).potential


def follow(
    setup: Setup,
    wide: PairPotential,
    narrow: PairPotential,
    *,
    seed: int,
    executor: Executor | None = None,
) -> Runs:
    """Follow all kinds of systems with the exact kick, the pair network and no kick.

    Parameters
    ----------
    setup : Setup
        How many systems and steps.
    wide, narrow : PairPotential
        Of the kicks; the narrow one is for TRAPPIST-1 alone.
    seed : int
        Of the systems.
    executor : concurrent.futures.Executor, optional
        Where systems are followed; the runs do not depend on it.

    Returns
    -------
    Runs
        Everything that the chapter shows of them.
    """
    run: Callable[..., Iterable[Any]] = map if executor is None else executor.map
    long = run(_long, [wide], [setup.steps])
    kinds = _cases(setup, seed, executor)
    asked = [(case, wide) for cases in kinds.values() for case in cases]
    asked.append((kinds["TRAPPIST-1"][0], narrow))
    longer = (_SJS, _UNSEEN) if setup.million else ()
    asked += [(replace(case, steps=_MILLION), wide) for name in longer for case in kinds[name]]
    found = iter(list(run(evaluation.compare, *zip(*asked[::-1], strict=True)))[::-1])
    compared = {name: [next(found) for _ in cases] for name, cases in kinds.items()}
    compared_narrow = next(found)
    million = {name: [next(found) for _ in kinds[name]] for name in longer}
    return Runs(compared, compared_narrow, million, *next(iter(long)))


def _long(
    wide: PairPotential, steps: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Trajectory], float]:
    """Return what is shown of Sun, Jupiter and Saturn alone; the last four of `Runs`."""
    runs = experiments_long.long_runs(wide, steps)
    return (
        experiments_long.growth(runs),
        experiments_long.eccentricities(wide, steps),
        experiments_long.last_rounds(wide, runs),
        experiments_long.reversal(wide),
    )


def _cases(setup: Setup, seed: int, executor: Executor | None) -> dict[str, list[Case]]:
    seeds = np.random.SeedSequence(seed).spawn(3)
    unseen, compact, swarm = (np.random.default_rng(child) for child in seeds)
    return {
        _SJS: [evaluation.sun_jupiter_saturn(setup.steps, STEP)],
        _UNSEEN: _regular(setup, unseen, executor),
        "TRAPPIST-1": [evaluation.trappist_1(setup.steps)],
        "compact pairs": evaluation.compact_pairs(setup.compact, setup.steps, rng=compact),
        "planetesimals": [evaluation.planetesimals(setup.swarm_steps, rng=swarm)],
    }


def _regular(setup: Setup, rng: np.random.Generator, executor: Executor | None) -> list[Case]:
    """Draw systems of the paper until enough are regular: a phase means nothing in the others."""
    run: Callable[..., Iterable[float]] = map if executor is None else executor.map
    kept: list[Case] = []
    while len(kept) < setup.unseen:
        drawn = evaluation.unseen_three_bodies(setup.unseen - len(kept), setup.steps, rng=rng)
        seeds = [int(x) for x in rng.integers(2**32, size=len(drawn))]
        found = zip(drawn, run(_megno, drawn, seeds), strict=True)
        kept += [case for case, megno in found if megno < _REGULAR]
    return kept


def _megno(case: Case, seed: int) -> float:
    """Return the MEGNO of a case after all of its steps."""
    followed = chaos(
        *(case.system, case.step, case.steps),
        rng=np.random.default_rng(seed),
        sample_every=case.steps,
        hill_radii=0.0,
    )
    return float(followed.megno[-1])


def findings(runs: Runs) -> dict[str, float]:
    """Give what the claims on the pair network ask for."""
    keys = {
        _SJS: "sjs",
        _UNSEEN: "unseen",
        "TRAPPIST-1": "trappist",
        "compact pairs": "compact",
        "planetesimals": "planetesimals",
    }
    found = {}
    for name, key in keys.items():
        if key == "planetesimals" and not runs.million:
            continue  # fewer steps than the claims are on
        found[f"pair-{key}-energy"] = max(map(_energy_ratio, runs.compared[name]))
        found[f"pair-{key}-phase"] = max(max(one.phase) for one in runs.compared[name])
    sjs = runs.compared[_SJS][0]
    everything = [one for each in runs.compared.values() for one in each]
    found |= {
        "pair-sjs-drift": abs(sjs.learned.drift),
        "pair-momentum": max(one.learned.angular_momentum for one in everything),
        "pair-eccentricity": sjs.eccentricity,
        "speed-neural": sjs.learned.seconds / sjs.exact.seconds,
        "pair-reversible": runs.reversal,
        "narrow-energy": _energy_ratio(runs.narrow),
        "narrow-phase": max(runs.narrow.phase),
        "narrow-guard": float(not runs.narrow.inside and all(one.inside for one in everything)),
    }
    if runs.million:
        (sjs,), unseen = runs.million[_SJS], runs.million[_UNSEEN]
        found |= {
            "pair-million-energy": _energy_ratio(sjs),
            "pair-million-phase": max(sjs.phase),
            "pair-million-unseen-energy": max(map(_energy_ratio, unseen)),
            "pair-million-momentum": max(one.learned.angular_momentum for one in (sjs, *unseen)),
        }
    return found


def _energy_ratio(one: Comparison) -> float:
    return one.learned.energy / one.exact.energy


def table(runs: Runs) -> pd.DataFrame:
    """Give what every kind of system kept, with the controls; the worst of each kind.

    Returns
    -------
    pandas.DataFrame
        One row for each kind.
    """
    kinds = {**runs.compared, f"TRAPPIST-1, {SHORT}": [runs.narrow]}
    kinds |= {f"{name}, longer": each for name, each in runs.million.items()}
    rows = {}
    for name, each in kinds.items():
        rows[name] = {
            "systems": len(each),
            "steps": each[0].case.steps,
            "energy, exact": max(one.exact.energy for one in each),
            "energy, pair": max(one.learned.energy for one in each),
            "energy, none": max(one.uncoupled.energy for one in each),
            "angular momentum": max(one.learned.angular_momentum for one in each),
            "phase, pair [rad]": max(max(one.phase) for one in each),
            "phase, none [rad]": max(max(one.phase_uncoupled) for one in each),
            "range of e": max(one.eccentricity for one in each),
        }
    return pd.DataFrame(rows).T
