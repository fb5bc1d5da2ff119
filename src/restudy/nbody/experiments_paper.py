"""The paper's network with its controls, and the ladder of inductive bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import torch

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.learned.comparison import Deviation, deviation
from restudy.nbody.learned.kicked import Kick, TrueKick, ZeroKick, frame_of, integrate_kicked
from restudy.nbody.learned.ladder import Ladder, climb
from restudy.nbody.learned.ladder_training import LadderSetup
from restudy.nbody.learned.one_body import one_body_ceiling
from restudy.nbody.learned.paper_evaluation import (
    Agreement,
    Evaluation,
    Outcome,
    PaperKick,
    agreement_on,
    evaluate,
    paper_experiments,
    t_interval,
)
from restudy.nbody.learned.paper_network import PaperNetwork
from restudy.nbody.learned.paper_training import (
    BodySamples,
    PaperSetup,
    train_paper_network,
    training_samples,
)
from restudy.nbody.learned.published import as_published, published_energy

NETWORK: Final = "paper's network"
PRINTED: Final = {"exact": "paper-sjs-wh", NETWORK: "paper-sjs-net"}
"""Claims on the printed energy curves of Sun, Jupiter and Saturn."""

_SJS: Final = "Sun, Jupiter, Saturn"
_MOST, _LONG = 10_000, 100_000  # steps that claims are on
_STATES = 400  # of one body, each with as many of the other
_SHOWN = 400  # bodies in the figure of kicks


@dataclass(frozen=True)
class Setup:
    """How much is computed.

    Attributes
    ----------
    training : PaperSetup
        Systems, sampling and training.
    seeds : int
        Trainings.
    most_steps : int
        Of an experiment but that with Jupiter and Saturn: the authors' longest has 10,000.
    long_steps : int
        Of the run in which phases are compared, each of a tenth of a year.
    """

    training: PaperSetup
    seeds: int
    most_steps: int
    long_steps: int

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of ten seconds: two short trainings."""
        return cls(PaperSetup.quick(), 2, 50, 200)

    @classmethod
    def full(cls) -> Self:
        """Make a setup of some minutes: five trainings of all steps."""
        return cls(PaperSetup.full(), 5, _MOST, _LONG)

    @classmethod
    def paper(cls) -> Self:
        """Make a setup with all of the authors' samples."""
        return cls(PaperSetup.paper(), 5, _MOST, _LONG)


@dataclass(frozen=True, eq=False)
class Trainings:
    """Networks of several seeds, and bodies of systems that none of them has seen.

    Attributes
    ----------
    networks : tuple of PaperNetwork
        One for each seed.
    unseen : BodySamples
        Of the test systems.
    """

    networks: tuple[PaperNetwork, ...]
    unseen: BodySamples


@dataclass(frozen=True, eq=False)
class Results:
    """What the networks and their controls did.

    Attributes
    ----------
    experiments : dict of str to Evaluation
        The authors' four.
    long : dict of str to Deviation
        Sun, Jupiter and Saturn for long, from exact Wisdom-Holman: ``zero kick`` and the network
        of the first seed.
    unseen : tuple of Agreement
        Of each network with the true kicks of unseen systems.
    """

    experiments: Mapping[str, Evaluation]
    long: Mapping[str, Deviation]
    unseen: tuple[Agreement, ...]


def train(setup: Setup, *, seed: int, executor: Executor | None = None) -> Trainings:
    """Train the paper's network from several seeds.

    Parameters
    ----------
    setup : Setup
        How many, and for how long.
    seed : int
        Of systems, weights and batches.
    executor : concurrent.futures.Executor, optional
        Where systems are followed and networks trained; the result does not depend on it.

    Returns
    -------
    Trainings
        The networks, and unseen bodies.
    """
    samples, unseen = training_samples(setup.training, seed=seed, executor=executor)
    run: Callable[..., Iterable[PaperNetwork]] = map if executor is None else executor.map
    count = setup.seeds
    seeds = [seed + number for number in range(count)]
    networks = run(_trained, [samples] * count, [unseen] * count, [setup.training] * count, seeds)
    return Trainings(tuple(networks), unseen)


def _trained(samples: BodySamples, test: BodySamples, setup: PaperSetup, seed: int) -> PaperNetwork:
    return train_paper_network(samples, test, setup, seed=seed)[0]


def run(
    setup: Setup, trained: Trainings, *, seed: int, executor: Executor | None = None
) -> Results:
    """Run the four experiments and a long one with every kick.

    Parameters
    ----------
    setup : Setup
        How many steps.
    trained : Trainings
        The networks.
    seed : int
        Of phases and orbits that the authors draw.
    executor : concurrent.futures.Executor, optional
        Where the runs are; the results do not depend on it.

    Returns
    -------
    Results
        With the exact kick and none beside each network.
    """
    each: Callable[..., Iterable[Any]] = map if executor is None else executor.map
    count = len(trained.networks)
    long = each(_long, [setup], trained.networks[:1])  # the longest first
    unseen = each(agreement_on, trained.networks, [trained.unseen] * count)
    experiments = [
        one if one.name == _SJS else one.shortened(setup.most_steps)
        for one in paper_experiments(seed)
    ]
    return Results(
        evaluate(experiments, trained.networks, executor=executor),
        next(iter(long)),
        tuple(unseen),
    )


def _long(setup: Setup, network: PaperNetwork) -> dict[str, Deviation]:
    system = sun_jupiter_saturn()
    frame = frame_of(system)
    kicks: dict[str, Kick] = {
        "exact": TrueKick(frame),
        "zero kick": ZeroKick(),
        NETWORK: PaperKick(network, frame),
    }
    every = max(1, setup.long_steps // 2000)
    runs = {
        name: integrate_kicked(system, 0.1, setup.long_steps, kick, sample_every=every)
        for name, kick in kicks.items()
    }
    return {name: deviation(one, runs["exact"]) for name, one in runs.items()}


def printed_difference() -> float:
    """Return how far the printed curve of the network is from one exact half kick and none after.

    Returns
    -------
    float
        The largest difference of 2,000 energies, over the range of the curve.
    """
    system = sun_jupiter_saturn()
    printed = published_energy().network
    start = TrueKick(frame_of(system))
    alone = integrate_kicked(system, 1.0, len(printed), ZeroKick(), first=start)
    found = as_published(deviation(alone, alone), system)
    return float(np.abs(found - printed).max() / np.ptp(printed))


def findings(found: Results, *, seed: int) -> dict[str, float]:
    """Give what the claims on the paper's network ask for; the seed draws states of one body."""
    ceiling = one_body_ceiling(_STATES, rng=np.random.default_rng(seed))
    sjs, two = found.experiments[_SJS], found.experiments["two bodies"]
    trappist = found.experiments["TRAPPIST-1"]
    asked = {
        "paper-sjs-wh": sjs.exact.run.energy_peak_to_peak,
        "paper-sjs-net": _mean(n.run.energy_peak_to_peak for n in sjs.networks),
        "sjs-zero-kick": sjs.zero.run.energy_peak_to_peak,
        "sjs-first-kick": printed_difference(),
        "one-body-ceiling": ceiling.outer,
        "paper-unseen-kick": max(a.r2 for a in found.unseen),
        "paper-kick-cosine": max(abs(a.cosine) for a in found.unseen),
    }
    if two.experiment.steps < _MOST:
        return asked
    exchange = found.long[NETWORK].eccentricity_range / found.long["exact"].eccentricity_range
    return asked | {
        "paper-two-body-wh": two.exact.run.energy_error,
        "paper-two-body-net": _mean(n.run.energy_error for n in two.networks),
        "paper-trappist-net": _mean(n.run.energy_error for n in trappist.networks),
        "paper-long-phase": float(found.long[NETWORK].phase_error[1]),
        "paper-exchange": float(exchange[1]),
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def energy_curves(found: Results) -> pd.DataFrame:
    """Give the energy errors of Sun, Jupiter and Saturn over time, each about its middle.

    Returns
    -------
    pandas.DataFrame
        Columns ``kick``, ``time`` [yr] and ``error``, relative.
    """
    sjs = found.experiments[_SJS]
    shown = {"exact": sjs.exact, "zero kick": sjs.zero, NETWORK: sjs.networks[0]}
    return pd.concat([_centred(name, one) for name, one in shown.items()], ignore_index=True)


def _centred(name: str, outcome: Outcome) -> pd.DataFrame:
    energy = outcome.run.energy[1:]
    middle = (energy.max() + energy.min()) / 2
    return pd.DataFrame({"kick": name, "time": outcome.run.times[1:], "error": energy - middle})


def table(found: Results) -> pd.DataFrame:
    """Give what each kick did in each experiment, with intervals over the trainings.

    Returns
    -------
    pandas.DataFrame
        One row for each experiment and kick.
    """
    rows = {}
    for name, one in found.experiments.items():
        rows[(name, "exact")] = _row([one.exact])
        rows[(name, "zero kick")] = _row([one.zero])
        rows[(name, NETWORK)] = _row(one.networks)
    return pd.DataFrame(rows).T


def _row(outcomes: Sequence[Outcome]) -> dict[str, float | str]:
    runs = [outcome.run for outcome in outcomes]
    return {
        "energy, peak to peak": _interval([run.energy_peak_to_peak for run in runs]),
        "angular momentum": _interval([run.angular_momentum_error for run in runs]),
        "largest phase [rad]": _interval([float(run.phase_error.max()) for run in runs]),
        "R² of the kick": _interval([outcome.kick.r2 for outcome in outcomes]),
        "cosine": _interval([outcome.kick.cosine for outcome in outcomes]),
    }


def _interval(values: Sequence[float]) -> float | str:
    """Write a mean with its interval; one value alone stays a number."""
    if len(values) == 1 or not np.isfinite(values).all():
        return values[0]
    found = t_interval(values)
    return f"{found.mean:.3g} ± {found.half_width:.1g}"


def kick_table(trained: Trainings) -> pd.DataFrame:
    """Put the sizes of the first network's kicks beside the true ones, for unseen bodies.

    Parameters
    ----------
    trained : Trainings
        The networks, and the bodies.

    Returns
    -------
    pandas.DataFrame
        Columns ``kick``, ``true`` and ``found`` [au/yr2].
    """
    samples = trained.unseen
    planets = np.flatnonzero(np.abs(samples.inputs).sum(1) > 0)
    rows = planets[np.linspace(0, len(planets) - 1, min(_SHOWN, len(planets))).astype(int)]
    with torch.inference_mode():
        found = trained.networks[0].gradient(torch.from_numpy(samples.inputs[rows]))[:, 3:].numpy()
    true, own = (np.linalg.norm(x, axis=1) for x in (samples.targets[rows, 3:], found))
    return pd.DataFrame({"kick": NETWORK, "true": true, "found": own})


def ladder(setup: LadderSetup, *, seed: int, executor: Executor | None = None) -> Ladder:
    """Train the four networks of the ladder and let each drive the map."""
    return climb(setup, seed=seed, executor=executor)


def ladder_findings(found: Ladder) -> dict[str, float]:
    """Give what the claims on the ladder ask for."""
    equal = {rung.name: rung.run for rung in found.equal}
    return {
        "ladder-drift": abs(equal["plain"].energy_drift) / abs(equal["scalar"].energy_drift),
        "ladder-momentum": equal["invariant"].angular_momentum_error,
    }


def ladder_curves(found: Ladder) -> pd.DataFrame:
    """Give energy, angular momentum and phase of the ladder over time, the largest so far.

    Returns
    -------
    pandas.DataFrame
        Columns ``model``, ``time`` [yr], ``energy``, ``momentum`` and ``phase`` [rad].
    """
    parts = []
    for rung in found.equal:
        run = rung.run
        parts.append(
            pd.DataFrame(
                {
                    "model": rung.name,
                    "time": run.times,
                    "energy": np.maximum.accumulate(np.abs(run.energy)),
                    "momentum": np.maximum.accumulate(run.angular_momentum),
                    "phase": np.maximum.accumulate(np.abs(run.phases).max(1)),
                }
            ).iloc[1:]
        )
    return pd.concat(parts, ignore_index=True)


def ladder_table(found: Ladder) -> pd.DataFrame:
    """Give the ladder as a table: at equal error of force, and after all of the training."""
    groups = {
        "control": (found.exact, found.zero),
        "equal error": found.equal,
        "whole training": found.trained,
    }
    rows = {
        (group, rung.name): _rung(rung.force_error, rung.run)
        for group, rungs in groups.items()
        for rung in rungs
    }
    return pd.DataFrame(rows).T


def _rung(force_error: float, run: Deviation) -> dict[str, float]:
    return {
        "force error": force_error,
        "energy error": run.energy_error,
        "drift of energy": run.energy_drift,
        "angular momentum": run.angular_momentum_error,
        "largest phase [rad]": float(run.phase_error.max()),
    }
