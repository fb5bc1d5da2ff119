"""The training of arXiv 2111.15631: orbits of fifty three-body systems, and a thousand steps.

The authors' code draws the systems, follows each with the exact kick, and keeps for every body at
every step its Jacobi position and momentum (inputs) with its momentum and its acceleration about
the star (targets). Nothing is scaled. The star is among the bodies, as a row of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from restudy.adam import Adam
from restudy.nbody.catalogue import three_body
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.input_gradient import InputGradient
from restudy.nbody.learned.kicked import follow_exactly
from restudy.nbody.learned.paper_kernels import symmetric_log_slopes
from restudy.nbody.learned.paper_network import INPUTS, PaperNetwork, paper_loss_slopes
from restudy.nbody.system import System

_LOG_EVERY = 20  # steps between entries of the learning curve


@dataclass(frozen=True)
class PaperSetup:
    """Systems, sampling and training; as it stands, the authors'.

    Attributes
    ----------
    systems, test_systems : int
        Three-body systems to learn from, and to test with.
    years, test_years : float
        How long each is followed [yr].
    step : float
        Of the integration [yr].
    sample_every : int
        Steps from one sample to the next.
    width : int
        Units of a hidden layer.
    steps : int
        Of Adam.
    batch : int
        Rows of one of these.
    rate : float
        The learning rate.
    """

    systems: int = 50
    test_systems: int = 50
    years: float = 500.0
    test_years: float = 200.0
    step: float = 0.05
    sample_every: int = 1
    width: int = 512
    steps: int = 1000
    batch: int = 512
    rate: float = 1e-4

    @classmethod
    def quick(cls) -> PaperSetup:
        """Return one of five seconds on one core: few steps, on fewer and shorter orbits."""
        return cls(
            systems=20, test_systems=20, years=50.0, test_years=20.0, sample_every=10, steps=40
        )

    @classmethod
    def full(cls) -> PaperSetup:
        """Return the authors' on every fifth of their samples."""
        return cls(sample_every=5)

    @classmethod
    def paper(cls) -> PaperSetup:
        """Return the authors'."""
        return cls()


@dataclass(frozen=True, eq=False)
class BodySamples:
    """Bodies at some times, each a row.

    Attributes
    ----------
    inputs : numpy.ndarray of float32, shape (n, 6)
        Jacobi position [au] and momentum m v [solar masses au/yr].
    targets : numpy.ndarray of float32, shape (n, 6)
        The momentum once more, and the acceleration by the interaction about the star [au/yr2].
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class PaperLearning:
    """Losses on the way.

    Attributes
    ----------
    steps : tuple of int
        When.
    trained, tested : tuple of float
        Of that step's batch, and of one of the test systems.
    """

    steps: tuple[int, ...]
    trained: tuple[float, ...]
    tested: tuple[float, ...]


def training_samples(
    setup: PaperSetup, *, seed: int, executor: Executor | None = None
) -> tuple[BodySamples, BodySamples]:
    """Draw and follow the systems.

    Parameters
    ----------
    setup : PaperSetup
        How many, and for how long.
    seed : int
        Each system has a child of its ``SeedSequence``, so that the executor does not matter.
    executor : concurrent.futures.Executor, optional
        Follows the systems side by side.

    Returns
    -------
    tuple of BodySamples
        To learn from, and to test with.

    Raises
    ------
    NBodyError
        If there are no systems, or none survives.

    Notes
    -----
    A system that leaves the finite numbers is left out, as in the authors' code. The systems of
    `three_body` are sorted; the authors' are not, so that the order is drawn here.
    """
    if min(setup.systems, setup.test_systems) < 1:
        raise NBodyError(
            f"{setup.systems} systems to learn from, {setup.test_systems} to test with; expected "
            "at least one of each."
        )
    seeds = np.random.SeedSequence(seed).spawn(setup.systems + setup.test_systems)
    years = [setup.years] * setup.systems + [setup.test_years] * setup.test_systems
    run: Callable[..., Iterable[BodySamples | None]] = map if executor is None else executor.map
    found = list(run(_followed, seeds, years, [setup] * len(seeds)))
    return _joined(found[: setup.systems]), _joined(found[setup.systems :])


def _followed(seed: np.random.SeedSequence, years: float, setup: PaperSetup) -> BodySamples | None:
    """Return the samples of one system; None if it leaves the finite numbers."""
    rng = np.random.default_rng(seed)
    system = three_body(rng, 1)[0].part((0, *(1 + rng.permutation(2))))
    try:
        return body_samples(system, setup.step, round(years / setup.step), setup.sample_every)
    except NBodyError:
        return None


def body_samples(system: System, step: float, steps: int, sample_every: int = 1) -> BodySamples:
    """Follow a system with the exact kick, and keep its bodies.

    Parameters
    ----------
    system : System
        What to follow.
    step : float
        Of time [yr].
    steps : int
        How many.
    sample_every : int
        Steps from one sample to the next.

    Returns
    -------
    BodySamples
        Of star and planets at each sample but the first, just before the second half of its kick,
        which is where a kick is asked for.
    """
    run = follow_exactly(system, step, steps, sample_every=sample_every)
    q, v, a = (x[1:] for x in (run.positions, run.velocities, run.accelerations))
    p, about_star = run.frame.masses[1:, None] * v, run.frame.heliocentric @ a
    rows = [np.concatenate(x, axis=2) for x in ((q, p), (p, about_star))]
    with_star = (np.pad(x, ((0, 0), (1, 0), (0, 0))) for x in rows)
    return BodySamples(*(x.reshape(-1, INPUTS).astype(np.float32) for x in with_star))


def _joined(parts: Sequence[BodySamples | None]) -> BodySamples:
    kept = [part for part in parts if part is not None]
    if not kept:
        raise NBodyError(f"none of {len(parts)} systems was followed to its end; use other seeds.")
    return BodySamples(
        np.concatenate([part.inputs for part in kept]),
        np.concatenate([part.targets for part in kept]),
    )


def train_paper_network(
    samples: BodySamples, test: BodySamples, setup: PaperSetup, *, seed: int
) -> tuple[PaperNetwork, PaperLearning]:
    """Train the paper's network by the authors' recipe.

    Parameters
    ----------
    samples, test : BodySamples
        To learn from, and to test with.
    setup : PaperSetup
        Width, steps, batch and rate.
    seed : int
        Of the first weights and of the batches.

    Returns
    -------
    network : PaperNetwork
        In float32.
    learning : PaperLearning
        Losses of every twentieth step.

    Raises
    ------
    NBodyError
        If the loss is no longer finite.

    Notes
    -----
    Rows of a batch are drawn with replacement, which spares a permutation of a million rows. The
    star's rows, a third of them, are all the same: one is computed. Slopes are in closed form,
    which halves the time of a step by automatic differentiation of all rows.
    """
    rng = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    network = PaperNetwork(setup.width, rng=rng)
    gradient = InputGradient(
        network.dense, network.last.weight, symmetric_log_slopes, setup.batch + 1
    )
    optimiser = Adam(network.parameters(), setup.rate)
    rows, others = _Rows(samples), _Rows(test)
    kept: list[tuple[int, float, float]] = []
    with torch.no_grad():
        for number in range(1, setup.steps + 1):
            loss, outer = rows.drawn_loss(gradient, setup.batch, rng)
            optimiser.descend(gradient.slopes(outer))
            if number % _LOG_EVERY == 0 or number in (1, setup.steps):
                tested, _ = others.drawn_loss(gradient, setup.batch, rng)
                kept.append((number, float(loss), float(tested)))
    if not np.isfinite(kept[-1][1]):
        raise NBodyError(f"the loss is {kept[-1][1]} after {setup.steps} steps; use a lower rate.")
    return network, PaperLearning(*zip(*kept, strict=True))


class _Rows:
    """Samples as tensors, of which batches are drawn."""

    def __init__(self, samples: BodySamples) -> None:
        self._inputs, self._targets = map(torch.from_numpy, (samples.inputs, samples.targets))
        self._planets = (self._inputs != 0).any(1)  # the others are stars

    def drawn_loss(
        self, gradient: InputGradient, batch: int, rng: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of a batch, and its slopes by the gradients of its last call."""
        drawn = torch.randint(len(self._inputs), (batch,), generator=rng)
        planets = drawn[self._planets[drawn]]
        pad = 0, 0, 0, 1  # the star
        inputs, targets = (
            torch.nn.functional.pad(x[planets], pad) for x in (self._inputs, self._targets)
        )
        weights = torch.ones(len(inputs), 1)
        weights[-1] = batch - len(planets)
        return paper_loss_slopes(gradient(inputs), targets, inputs, weights)
