"""Training of a pair potential from the accelerations of systems of three bodies.

Every acceleration counts relative to its own size, so that ten orders of magnitude count alike.
Adam finds the valley, and Levenberg and Marquardt's method goes down in it. All errors are linear
in the ratio of the force to Newton's, one smooth function of one variable, so that its values at
128 nodes say as much as thousands of snapshots: the descent has 128 rows whatever is drawn.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from restudy.adam import Adam
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned import chebyshev
from restudy.nbody.learned.force_samples import Snapshots, draw_snapshots
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.least_squares import levenberg_marquardt
from restudy.nbody.learned.pair_potential import Newton, PairPotential, SeparationRange

_ABOVE_FLOOR = 10  # times the last errors of a learning curve are those that follow its law
_NODES = 128  # of the ratio; tanh(a x) needs about 15 a for all digits

WIDE = SeparationRange(5e-4, 200.0)
"""From encounters of planetesimals to the outermost planets of the paper's systems [au]."""

NARROW = SeparationRange(0.3, 200.0)
"""Separations of the paper's own systems only [au]."""


@dataclass(frozen=True)
class Recipe:
    """All that a trained pair potential depends on, but the seed.

    Attributes
    ----------
    separations : SeparationRange
        Of the snapshots [au].
    systems, each : int
        Systems, and snapshots of each.
    width : int
        Units in each hidden layer.
    adam_steps : int
        With the learning rate 5e-3, which falls to zero as a cosine.
    iterations : int
        Of Levenberg and Marquardt's method.
    """

    separations: SeparationRange = WIDE
    systems: int = 400
    each: int = 5
    width: int = 32
    adam_steps: int = 300
    iterations: int = 400

    @classmethod
    def quick(cls) -> Recipe:
        """Return fewer systems and steps."""
        return cls(systems=100, each=4, adam_steps=200, iterations=200)

    @classmethod
    def full(cls) -> Recipe:
        """Return what trained the shipped weights."""
        return cls()

    @classmethod
    def paper(cls) -> Recipe:
        """Return more systems, and wider layers."""
        return cls(systems=4000, width=48, adam_steps=1000, iterations=1000)


@dataclass(frozen=True)
class Trained:
    """A trained potential and how it became so.

    Attributes
    ----------
    potential : PairPotential
        In float64, on the CPU.
    recipe : Recipe
        How.
    seed : int
        Of systems and weights.
    history : tuple of float
        Mean squared relative error, after Adam and after each iteration.
    seconds : float
        Process time of the steps [s].
    """

    potential: PairPotential
    recipe: Recipe
    seed: int
    history: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class ForceErrors:
    """Errors of accelerations on snapshots, relative to each body's own acceleration.

    Attributes
    ----------
    rms, median, worst : float
        Over all bodies of all snapshots.
    """

    rms: float
    median: float
    worst: float


def train_from_forces(
    recipe: Recipe, *, seed: int, executor: concurrent.futures.Executor | None = None
) -> Trained:
    """Train a pair potential on accelerations.

    Parameters
    ----------
    recipe : Recipe
        On what, and how long.
    seed : int
        Of the systems and of the first weights.
    executor : concurrent.futures.Executor, optional
        For drawing the systems; the potential does not depend on it.

    Returns
    -------
    Trained
        The potential and its record.

    Raises
    ------
    NBodyError
        If the loss is no number.
    """
    snapshots = draw_snapshots(
        recipe.separations, recipe.systems, recipe.each, seed=seed, executor=executor
    )
    return train_on(snapshots, recipe, seed=seed)


def train_on(snapshots: Snapshots, recipe: Recipe, *, seed: int) -> Trained:
    """Train a pair potential on snapshots that are at hand; see `train_from_forces`."""
    rng = torch.Generator().manual_seed(seed)
    potential = PairPotential(recipe.separations, recipe.width, rng=rng)
    objective = _Objective(snapshots)
    start = time.process_time()
    history = [_adam(potential, objective, recipe.adam_steps)]
    history += _descend(potential, objective, recipe.iterations)
    seconds = time.process_time() - start
    if not np.isfinite(history[-1]):
        raise NBodyError(f"training ended with a loss of {history[-1]}; draw other weights.")
    return Trained(potential, recipe, seed, tuple(history), seconds)


class _Objective:
    """Relative errors of accelerations, which are linear in the ratios to Newton's force."""

    def __init__(self, snapshots: Snapshots) -> None:
        interaction = PairInteraction(Newton())
        self.separations, influences = interaction.influences(snapshots.masses, snapshots.positions)
        accelerations = snapshots.accelerations[:, 1:]  # without the barycentre
        size = torch.linalg.vector_norm(accelerations, dim=-1)  # (S, 2)
        self.influences = influences[:, :, 1:] / size[:, None, :, None]  # (S, K, 2, 3)
        self.targets = accelerations / size[..., None]
        # The same squares in K rows instead of six, but for a part that no ratio changes.
        rows = self.influences.permute(0, 2, 3, 1).reshape(len(size), 6, -1)
        Q, self.triangle = torch.linalg.qr(rows)
        self.right = (Q.mT @ self.targets.reshape(len(size), 6, 1))[..., 0]  # (S, K)

    def errors(self, potential: PairPotential) -> torch.Tensor:
        """Return e^2 of each body of each snapshot, (S, 2)."""
        ratios = potential.ratio(self.separations)
        found = torch.einsum("sk,skbx->sbx", ratios, self.influences)
        return ((found - self.targets) ** 2).sum(-1)

    def residuals(self, ratios: torch.Tensor) -> torch.Tensor:
        """Return rows whose squares add up to those of the errors, (S, K)."""
        return (self.triangle @ ratios[..., None])[..., 0] - self.right

    def compressed(self, separations: SeparationRange) -> _Compressed:
        """Return the same sum of squares, but for a constant, in as many rows as nodes."""
        x = torch.log(self.separations / separations.scale) / separations.half_width
        rows = (self.triangle @ chebyshev.interpolation(x, _NODES)).flatten(0, 1)
        Q, R = torch.linalg.qr(rows)
        at = separations.scale * torch.exp(separations.half_width * chebyshev.nodes(_NODES))
        return _Compressed(at, R, Q.T @ self.right.flatten())


class _Compressed(NamedTuple):
    """The sum of squares ``|matrix ratio(separations) - right|^2``.

    Attributes
    ----------
    separations : torch.Tensor
        The nodes, (n,) [au].
    matrix, right : torch.Tensor
        (rows, n) and (rows,), where there are n rows, or fewer where there are few snapshots.
    """

    separations: torch.Tensor
    matrix: torch.Tensor
    right: torch.Tensor


def _adam(potential: PairPotential, objective: _Objective, steps: int) -> float:
    """Take steps on the mean of log(1 + e^2), which no outlier rules."""
    optimiser = Adam(potential.parameters(), 5e-3, falling_over=max(steps, 1), longest=1.0)
    for _ in range(steps):
        optimiser.step(torch.log1p(objective.errors(potential)).mean())
    with torch.no_grad():
        return float(objective.errors(potential).mean())


def _descend(potential: PairPotential, objective: _Objective, iterations: int) -> list[float]:
    """Go down by Levenberg and Marquardt's method; return the mean squared error of each step."""
    at, matrix, right = objective.compressed(potential.separations)

    def residuals(weights: torch.Tensor) -> torch.Tensor:
        with _weighted(potential, weights):
            return matrix @ potential.ratio(at) - right

    def jacobian(weights: torch.Tensor) -> torch.Tensor:
        with _weighted(potential, weights):
            return matrix @ potential.ratio_gradients(at)

    start = torch.nn.utils.parameters_to_vector(potential.parameters()).detach()
    fit = levenberg_marquardt(start, residuals, jacobian, iterations=iterations)
    torch.nn.utils.vector_to_parameters(fit.parameters, potential.parameters())
    return [c / (2 * len(objective.separations)) for c in fit.costs]


@contextlib.contextmanager
def _weighted(potential: PairPotential, weights: torch.Tensor) -> Iterator[None]:
    """Give a potential weights, from one vector, and keep no gradients."""
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(weights, potential.parameters())
        yield


def force_errors(potential: PairPotential, snapshots: Snapshots) -> ForceErrors:
    """Return how well a potential gives the accelerations of snapshots.

    Parameters
    ----------
    potential : PairPotential
        Trained or not.
    snapshots : Snapshots
        Held out, to mean something.

    Returns
    -------
    ForceErrors
        Relative to the size of each body's own acceleration.
    """
    with torch.no_grad():
        e = _Objective(snapshots).errors(potential).sqrt()
    return ForceErrors(float((e**2).mean().sqrt()), float(e.median()), float(e.max()))


@dataclass(frozen=True)
class LearningCurve:
    """Errors on held-out systems against the number of systems in training.

    Attributes
    ----------
    systems : tuple of int
        In training.
    errors : tuple of tuple of float
        Median relative error of the accelerations, for each number, one of each seed.
    fitted : tuple of int
        The numbers of systems before the errors end at a floor: those with more than ten times the
        errors of the largest number, and the first two in any case.
    slopes : tuple of float
        For each seed, of the line through the logarithms of what is fitted: the error falls as
        ``systems ** slope``.
    """

    systems: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    fitted: tuple[int, ...]
    slopes: tuple[float, ...]

    @property
    def slope(self) -> float:
        """The mean of the slopes."""
        return float(np.mean(self.slopes))


def learning_curve(
    recipe: Recipe,
    counts: Sequence[int],
    *,
    seeds: Sequence[int],
    executor: concurrent.futures.Executor | None = None,
) -> LearningCurve:
    """Train on more and more systems with the same number of steps.

    Parameters
    ----------
    recipe : Recipe
        All but the number of systems.
    counts : sequence of int
        Numbers of systems, two at least, from few to many.
    seeds : sequence of int
        Each trains once on each number.
    executor : concurrent.futures.Executor, optional
        Where they are trained side by side; the curve does not depend on it.

    Returns
    -------
    LearningCurve
        With its fit.

    Notes
    -----
    With few systems there are separations that no snapshot has, and errors fall with their gaps;
    with many what is left is the floor of training and round-off, which no system lowers. So the
    law is fitted before the floor only.
    """
    held_out = draw_snapshots(recipe.separations, 200, 4, seed=20_211_115, executor=executor)
    run: Callable[..., Iterable[float]] = map if executor is None else executor.map
    plan = [(replace(recipe, systems=count), seed) for count in counts for seed in seeds]
    found = list(run(_median_error, *zip(*plan, strict=True), [held_out] * len(plan)))
    errors = np.reshape(found, (len(counts), len(seeds)))
    level = np.log(errors).mean(1)
    above = np.cumprod(level > level[-1] + np.log(_ABOVE_FLOOR)).sum()
    part = slice(max(2, int(above)))
    slopes = np.polyfit(np.log(counts[part]), np.log(errors[part]), 1)[0]
    return LearningCurve(
        tuple(counts),
        tuple(map(tuple, errors.tolist())),
        tuple(counts[part]),
        tuple(slopes.tolist()),
    )


def _median_error(recipe: Recipe, seed: int, held_out: Snapshots) -> float:
    return force_errors(train_from_forces(recipe, seed=seed).potential, held_out).median
