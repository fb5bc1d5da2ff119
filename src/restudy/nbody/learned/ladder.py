"""The ladder of inductive bias: four networks of one force error, and where each one ends up.

All learn the forces between Jupiter and Saturn, with their masses and on orbits near their own.
From the training of each, weights are taken whose held-out error is the same number, and each then
drives the same map for ten thousand years. What differs is what the architecture guarantees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.comparison import Deviation, deviation
from restudy.nbody.learned.kicked import (
    JacobiTrajectory,
    Kick,
    TrueKick,
    ZeroKick,
    frame_of,
    integrate_kicked,
)
from restudy.nbody.learned.ladder_models import (
    ForceModel,
    InvariantEnergy,
    LearnedKick,
    PairEnergy,
    PlainForce,
    ScalarEnergy,
)
from restudy.nbody.learned.ladder_training import (
    ForceSamples,
    LadderSetup,
    Training,
    force_error,
    jupiter_saturn_samples,
    train_model,
    with_error,
)

LADDER: dict[str, type[ForceModel]] = {
    "plain": PlainForce,
    "scalar": ScalarEnergy,
    "invariant": InvariantEnergy,
    "pairwise": PairEnergy,
}


@dataclass(frozen=True, eq=False)
class Rung:
    """A model of the ladder, at one force error.

    Attributes
    ----------
    name : str
        Of the model.
    force_error : float
        On held-out states, relative.
    run : Deviation
        What became of energy, angular momentum and phase.
    """

    name: str
    force_error: float
    run: Deviation


@dataclass(frozen=True, eq=False)
class Ladder:
    """All rungs.

    Attributes
    ----------
    exact, zero : Rung
        The exact kick, and none.
    equal : tuple of Rung
        The models at one force error, the least that all of them reached.
    trained : tuple of Rung
        The models at the end of their training.
    learning : dict of str to tuple
        Steps and force errors of each training.
    """

    exact: Rung
    zero: Rung
    equal: tuple[Rung, ...]
    trained: tuple[Rung, ...]
    learning: dict[str, tuple[tuple[int, ...], tuple[float, ...]]]


def climb(
    setup: LadderSetup,
    *,
    seed: int,
    models: Sequence[str] = tuple(LADDER),
    executor: Executor | None = None,
) -> Ladder:
    """Train all models, bring them to one force error, and let each drive the map.

    Parameters
    ----------
    setup : LadderSetup
        Samples, training and run.
    seed : int
        Of samples and weights; each model has the same.
    models : sequence of str
        Names of `LADDER`.
    executor : concurrent.futures.Executor, optional
        Trains and runs the models side by side.

    Returns
    -------
    Ladder
        The rungs.

    Raises
    ------
    NBodyError
        If a name is unknown, or a kick is no number.
    """
    if unknown := set(models) - set(LADDER):
        raise NBodyError(f"no model {sorted(unknown)[0]!r}; use {', '.join(LADDER)}.")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    samples, held_out = (
        jupiter_saturn_samples(count, rng=rng) for count in (setup.samples, setup.held_out)
    )
    train: Callable[..., Iterable[Training]] = map if executor is None else executor.map
    count = len(models)
    kinds = [LADDER[name] for name in models]
    done = train(
        train_model, kinds, [samples] * count, [held_out] * count, [setup] * count, [seed] * count
    )
    trainings = dict(zip(models, done, strict=True))
    common = max(min(training.errors) for training in trainings.values())
    equal = [with_error(training, common, held_out) for training in trainings.values()]
    exact = _run(TrueKick(frame_of(sun_jupiter_saturn())), setup)
    each: Callable[..., Iterable[Rung]] = map if executor is None else executor.map
    driving = [*(training.model for training in trainings.values()), *equal]
    twice = 2 * count
    rungs = tuple(
        each(
            _rung, [*models, *models], driving, [held_out] * twice, [setup] * twice, [exact] * twice
        )
    )
    return Ladder(
        exact=Rung("exact", 0.0, deviation(exact, exact)),
        zero=Rung("zero", 1.0, deviation(_run(ZeroKick(), setup), exact)),
        trained=rungs[:count],
        equal=rungs[count:],
        learning={name: (t.steps, t.errors) for name, t in trainings.items()},
    )


def _rung(
    name: str,
    model: ForceModel,
    held_out: ForceSamples,
    setup: LadderSetup,
    exact: JacobiTrajectory,
) -> Rung:
    run = _run(LearnedKick(model), setup)
    return Rung(name, force_error(model, held_out), deviation(run, exact))


def _run(kick: Kick, setup: LadderSetup) -> JacobiTrajectory:
    return integrate_kicked(
        sun_jupiter_saturn(), setup.step, setup.run_steps, kick, sample_every=setup.sample_every
    )
