"""Samples, training and weights of a chosen force error, for the ladder of inductive bias."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch

from restudy.adam import Adam
from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.elements import state_from_elements
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.kicked import frame_of, interaction_force
from restudy.nbody.learned.ladder_models import ForceModel, Scales

_SPREAD = 0.11  # of the semi-major axes about those of Jupiter and Saturn
_ECCENTRICITY, _INCLINATION = 0.1, 0.06  # up to these [, rad]
_BISECTIONS = 40


@dataclass(frozen=True)
class LadderSetup:
    """Samples, training and run.

    Attributes
    ----------
    samples, held_out : int
        States to learn from, and to measure the force error on.
    width : int
        Units of each of the three hidden layers.
    steps : int
        Of Adam.
    batch : int
        States of one of these.
    rate : float
        The learning rate at the start; it falls to 0 by half a cosine.
    check_every : int
        Steps from one measured force error to the next.
    step : float
        Of the run [yr].
    run_steps : int
        Of the run.
    sample_every : int
        Steps of the run from one sample to the next.
    """

    samples: int = 20_000
    held_out: int = 4_000
    width: int = 128
    steps: int = 6_000
    batch: int = 256
    rate: float = 3e-3
    check_every: int = 100
    step: float = 0.5
    run_steps: int = 20_000
    sample_every: int = 10

    @classmethod
    def quick(cls) -> LadderSetup:
        """Return one of some ten seconds: small networks, and 4,000 years."""
        return cls(
            samples=4_000,
            held_out=500,
            width=32,
            steps=500,
            batch=64,
            rate=5e-3,
            check_every=50,
            run_steps=8_000,
        )

    @classmethod
    def full(cls) -> LadderSetup:
        """Return one of some minutes, with 10,000 years."""
        return cls()

    @classmethod
    def paper(cls) -> LadderSetup:
        """Return one with twice the width and more steps, and 100,000 years."""
        return cls(
            samples=100_000, width=256, steps=20_000, batch=512, run_steps=200_000, sample_every=100
        )


@dataclass(frozen=True, eq=False)
class ForceSamples:
    """States of two planets and the forces on them.

    Attributes
    ----------
    positions : torch.Tensor, shape (n, 2, 3)
        Jacobi positions [au].
    forces : torch.Tensor, shape (n, 2, 3)
        ``-dH_int/dq'`` [solar masses au/yr2].
    """

    positions: torch.Tensor
    forces: torch.Tensor

    def scales(self) -> Scales:
        """Return root mean squares."""
        first, second = self.positions.square().sum(2).mean(0).sqrt().tolist()
        return Scales((first, second), float(self.forces.square().mean().sqrt()))


def jupiter_saturn_samples(count: int, *, rng: np.random.Generator) -> ForceSamples:
    """Draw states of Jupiter and Saturn on orbits near their own.

    Parameters
    ----------
    count : int
        How many.
    rng : numpy.random.Generator
        Of the orbits.

    Returns
    -------
    ForceSamples
        With a within 11 percent of today's, e uniform in 0 to 0.1, i in 0 to 0.06 rad, and all
        angles on the circle.

    Raises
    ------
    NBodyError
        If there are no states.
    """
    if count < 1:
        raise NBodyError(f"{count} states; expected at least 1.")
    system = sun_jupiter_saturn()
    frame = frame_of(system)
    shape = count, 2
    a = system.semi_major_axes() * rng.uniform(1 - _SPREAD, 1 + _SPREAD, shape)
    e, i = rng.uniform(0, _ECCENTRICITY, shape), rng.uniform(0, _INCLINATION, shape)
    node, pericentre, anomaly = rng.uniform(0, 2 * np.pi, (3, *shape))
    q, _ = state_from_elements(a, e, i, node, pericentre, anomaly, frame.mu)
    forces = [interaction_force(x, frame.masses, frame.places, frame.gravity) for x in q]
    return ForceSamples(torch.from_numpy(q), torch.from_numpy(np.stack(forces)))


@dataclass(frozen=True, eq=False)
class Training:
    """The errors and the weights of a model on the way.

    Attributes
    ----------
    model : ForceModel
        With its last weights.
    steps : tuple of int
        When it was measured.
    errors : tuple of float
        Relative force error on the held-out states, root mean square over root mean square.
    weights : tuple of dict
        The weights then.
    """

    model: ForceModel
    steps: tuple[int, ...]
    errors: tuple[float, ...]
    weights: tuple[dict[str, torch.Tensor], ...]


@torch.no_grad()
def force_error(model: ForceModel, samples: ForceSamples) -> float:
    """Return the relative force error, root mean square over root mean square."""
    wrong = model.force(samples.positions) - samples.forces
    return float((wrong.square().sum() / samples.forces.square().sum()).sqrt())


def train_model(
    kind: type[ForceModel],
    samples: ForceSamples,
    held_out: ForceSamples,
    setup: LadderSetup,
    seed: int,
) -> Training:
    """Train a model on forces, by mean square error.

    Parameters
    ----------
    kind : type
        One of `LADDER`.
    samples, held_out : ForceSamples
        To learn from, and to measure with.
    setup : LadderSetup
        Width, steps, batch and rate.
    seed : int
        Of the first weights and of the batches.

    Returns
    -------
    Training
        Errors and weights on the way, the untrained ones first.
    """
    rng = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    model = kind(frame_of(sun_jupiter_saturn()), samples.scales(), setup.width, rng=rng)
    optimiser = Adam(model.parameters(), setup.rate, falling_over=setup.steps)
    found = [(0, force_error(model, held_out), _weights(model))]
    for number in range(1, setup.steps + 1):
        rows = torch.randint(len(samples.positions), (setup.batch,), generator=rng)
        wrong = model.force(samples.positions[rows]) - samples.forces[rows]
        optimiser.step((wrong / model.scales.force).square().mean())
        if number % setup.check_every == 0 or number == setup.steps:
            found.append((number, force_error(model, held_out), _weights(model)))
    return Training(model, *zip(*found, strict=True))


def _weights(model: ForceModel) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def with_error(training: Training, error: float, held_out: ForceSamples) -> ForceModel:
    """Return the model of a training at the moment when its force error was a given number.

    Parameters
    ----------
    training : Training
        Of the model, which stays as it is.
    error : float
        Relative force error.
    held_out : ForceSamples
        What it is measured on.

    Returns
    -------
    ForceModel
        A copy with the first weights of that error, on the straight line between two that were
        kept.

    Raises
    ------
    NBodyError
        If the training never came so far.
    """
    below = next((k for k, found in enumerate(training.errors) if found <= error), 0)
    if below == 0:
        raise NBodyError(
            f"the {type(training.model).__name__} has force errors from {training.errors[0]:.3g} "
            f"to {min(training.errors):.3g}; expected {error:.3g} to lie between: train longer."
        )
    model = copy.deepcopy(training.model)
    before, after = training.weights[below - 1 : below + 1]
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        mixed = {name: value.lerp(after[name], middle) for name, value in before.items()}
        model.load_state_dict(mixed)
        if force_error(model, held_out) > error:
            low = middle
        else:
            high = middle
    return model
