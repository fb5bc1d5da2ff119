"""Training of a network: first by its roots, then by the fluxes and heating rates that they make.

The first stage takes errors of roots as if they were independent of each other, each with the
weight that its square has in the fluxes. The second adds the fluxes of each band themselves, where
errors of neighbouring layers add up, and their sum.
"""

from __future__ import annotations

import concurrent.futures
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.inputs import features, training_range
from restudy.gasoptics.emulators.losses import losses_and_gradient
from restudy.gasoptics.emulators.network import (
    Design,
    LongwaveNetwork,
    Network,
    ShortwaveNetwork,
    make_network,
    spectrum_of,
)
from restudy.gasoptics.emulators.soap import WIDEST, Soap
from restudy.gasoptics.emulators.training_sets import SetRecipe, TrainingSet, training_sets
from restudy.gasoptics.errors import GasOpticsError

_FEW = 16  # copies of the standard atmospheres in a set that would have RFMIP's hundred columns
_WARM = 100  # steps in which the learning rate rises, or a tenth of a short stage
_EVERY = 100  # steps from one entry of the history to the next


@dataclass(frozen=True)
class Stage:
    """A part of the training, with a learning rate that falls as a cosine.

    Attributes
    ----------
    steps : int
        Number of steps.
    rate : float
        Highest learning rate.
    columns : int
        Columns in a step.
    fluxes : bool
        Whether the errors of fluxes and heating rates count, beside those of roots.
    """

    steps: int
    rate: float
    columns: int
    fluxes: bool


@dataclass(frozen=True)
class Recipe:
    """All that a trained network depends on, but the seed.

    Attributes
    ----------
    design : Design
        The network.
    other_gases : bool
        Whether the well-mixed gases vary.
    sets : int
        Sets of columns.
    stages : tuple of Stage
        One after the other.
    kinds : tuple of str
        Of the sets, in turn.
    base : str
        Columns that are perturbed: ``"rfmip"``, ``"standard"``, or ``"auto"``, which is the first
        of them that is at hand, the six standard ones 16 times in each set.
    copies : int
        How often a set has each of them.
    sketches : int
        Of each column. With few, a network learns the errors of just these projections.
    heating : float
        What an error of 1 K/day in a layer counts, in W/m2 of flux at a level.
    total : float
        What the square of the total flux counts beside those of the bands.
    floor : float
        What all roots count at least, of the mean, so that those that no flux here depends on are
        learned too.
    """

    design: Design
    other_gases: bool
    sets: int
    stages: tuple[Stage, ...]
    kinds: tuple[str, ...] = ("perturbed", "drifted", "perturbed", "anywhere")
    base: str = "auto"
    copies: int = 1
    sketches: int = 2
    heating: float = 1.0
    total: float = 1.0
    floor: float = 1e-3

    def set_recipes(self) -> list[SetRecipe]:
        """Return how the sets are made."""
        base, copies = self.base, self.copies
        if base == "auto":
            real = bool(datasets.columns("auto").dataset)
            base, copies = ("rfmip", copies) if real else ("standard", _FEW * copies)
        return [
            SetRecipe(
                table=self.design.table,
                base=base,
                kind=self.kinds[number % len(self.kinds)],
                other_gases=self.other_gases,
                copies=copies,
                count=self.sketches,
                heating=self.heating,
            )
            for number in range(self.sets)
        ]


@dataclass(frozen=True)
class RunRecord:
    """How a network was trained, as plain data.

    Attributes
    ----------
    recipe : dict
        The recipe.
    seed : int
        Of weights, columns and batches.
    device, machine, torch : str
        On what.
    data_seconds, training_seconds : float
        Process time of making the columns here (0 where they were at hand), and of the steps [s].
    multiply_adds, parameters : int
        Of the network.
    history : list of list of float
        Steps so far, and the means since the last entry of both losses [W2/m4].
    """

    recipe: dict[str, Any]
    seed: int
    device: str
    machine: str
    torch: str
    data_seconds: float
    training_seconds: float
    multiply_adds: int
    parameters: int
    history: list[list[float]]


@dataclass(frozen=True)
class Trained:
    """A trained network and how it became so.

    Attributes
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        On the CPU, in float32.
    record : RunRecord
        How.
    """

    network: LongwaveNetwork | ShortwaveNetwork
    record: RunRecord


def train(
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    recipe : Recipe
        What and how.
    seed : int
        Of all random numbers: weights, columns and batches.
    device : str
        On which columns are made and the steps are done.
    executor : concurrent.futures.Executor, optional
        For making the columns; the network does not depend on it.
    folder : pathlib.Path, optional
        Where columns are kept; by default inside the cache of `restudy.data`.

    Returns
    -------
    Trained
        The network and its record.

    Raises
    ------
    GasOpticsError
        If tables or columns are not at hand, or there are fewer columns than a step takes.
    """
    start = time.process_time()
    examples = training_sets(
        recipe.set_recipes(), seed=seed, executor=executor, folder=folder, device=device
    )
    data_seconds = time.process_time() - start
    network = _new_network(recipe, examples, seed).to(device)
    start = time.process_time()
    history = _steps(network, recipe, examples, seed)
    record = RunRecord(
        recipe=asdict(recipe),
        seed=seed,
        device=device,
        machine=platform.processor() or platform.machine(),
        torch=torch.__version__,
        data_seconds=data_seconds,
        training_seconds=time.process_time() - start,
        multiply_adds=recipe.design.multiply_adds(network.spectrum.g_points),
        parameters=sum(p.numel() for p in network.parameters()),
        history=history,
    )
    return Trained(network.cpu(), record)


def _new_network(
    recipe: Recipe, examples: TrainingSet, seed: int
) -> LongwaveNetwork | ShortwaveNetwork:
    """Make a network with random weights, whose inputs and outputs have the examples' scale."""
    spectrum = spectrum_of(datasets.k_distribution(recipe.design.table))
    network = make_network(recipe.design, spectrum, rng=torch.Generator().manual_seed(seed))
    x = features(examples.columns, recipe.design.gases, spectrum.tropopause).flatten(0, 1)
    spread = x.std(dim=0)
    network.input_shift.copy_(x.mean(dim=0))
    network.input_scale.copy_(1 / torch.where(spread > 0, spread, 1.0))
    network.root_shift.copy_(examples.roots.mean(dim=(0, 1)))
    spread = examples.roots.std(dim=(0, 1))
    network.root_scale.copy_(spread.clamp(min=1e-12))  # some g-points never absorb
    gases = recipe.design.gases + recipe.design.held
    network.range = training_range(examples.columns, gases)
    return network


def _steps(network: Network, recipe: Recipe, examples: TrainingSet, seed: int) -> list[list[float]]:
    """Go through all stages; return the history."""
    device = network.input_shift.device
    x = features(examples.columns, recipe.design.gases, network.spectrum.tropopause)
    x, y, sketch = x.float().to(device), examples.roots.to(device), examples.sketch.to(device)
    weights, kinds = _weights_of_columns(network, recipe, sketch)
    rng = torch.Generator().manual_seed(seed + 1)
    history: list[list[float]] = []
    done, widest = 0, max(WIDEST, *network.design.widths)
    for stage in recipe.stages:
        optimiser = Soap(network.parameters(), stage.rate, widest=widest)
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        for step, chosen in enumerate(_batches(len(x), stage, rng, device), start=1):
            optimiser.param_groups[0]["lr"] = _rate(stage, step)
            optimiser.zero_grad()
            batch = x[chosen]  # (columns, layers, inputs)
            outputs = [
                part.reshape(*batch.shape[:2], -1) for part in network.roots(batch.flatten(0, 1))
            ]
            errors = torch.stack([part.detach() for part in outputs], dim=2) - y[chosen]
            which = int(torch.randint(len(sketch), (), generator=rng))
            seen = sketch[which, chosen].float() if stage.fluxes else None
            sizes = network.spectrum.sizes
            *both, gradient = losses_and_gradient(
                errors, weights[kinds[chosen]], seen, sizes, recipe.total
            )
            torch.autograd.backward(outputs, list(gradient.unbind(dim=2)))
            optimiser.step()
            sums += torch.stack(both)
            if step % _EVERY == 0:
                history.append([done + step, *(sums / _EVERY).tolist()])
                sums.zero_()
        done += stage.steps
    return history


def _batches(
    columns: int, stage: Stage, rng: torch.Generator, device: torch.device
) -> Iterator[torch.Tensor]:
    """Yield the columns of each step; all are seen before any is seen again."""
    if columns < stage.columns:
        raise GasOpticsError(f"{columns} columns for steps of {stage.columns}; make more sets.")
    order, at = torch.randperm(columns, generator=rng).to(device), 0
    for _ in range(stage.steps):
        if at + stage.columns > columns:
            order, at = torch.randperm(columns, generator=rng).to(device), 0
        yield order[at : at + stage.columns]
        at += stage.columns


def _rate(stage: Stage, step: int) -> float:
    rising = min(1.0, step / min(_WARM, max(1.0, stage.steps / 10)))
    return stage.rate * rising * 0.5 * (1 + math.cos(math.pi * (step - 1) / stage.steps))


def _weights_of_columns(
    network: Network, recipe: Recipe, sketch: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights of the roots, and which of them each column has.

    Layers of one number lie at the same height in columns of the whole atmosphere only, so that
    shallow columns have weights of their own.

    Returns
    -------
    weights : torch.Tensor, shape (1 or 2, layers, 2, g)
        Of the columns of the whole atmosphere, and of the shallow ones.
    which : torch.Tensor, shape (columns,)
        Row of the weights.
    """
    kinds = [recipe.kinds[number % len(recipe.kinds)] == "shallow" for number in range(recipe.sets)]
    each = sketch.shape[1] // recipe.sets
    which = torch.tensor(kinds, device=sketch.device).repeat_interleave(each).long()
    groups = [(which == row).nonzero()[:, 0] for row in range(1 + max(kinds))]
    found = [_weights(sketch, group, network.root_scale, recipe.floor) for group in groups]
    return torch.stack(found), which


def _weights(
    sketch: torch.Tensor, columns: torch.Tensor, scale: torch.Tensor, floor: float
) -> torch.Tensor:
    """Return the mean square of some columns' sketches, and at least the floor, (layers, 2, g)."""
    total = torch.zeros(sketch.shape[2:], device=sketch.device)
    for block in torch.split(columns, 64):
        total += sketch[:, block].float().square().sum(dim=(0, 1))
    weight = total / (len(sketch) * len(columns))
    return weight + floor * (weight * scale.square()).mean() / scale.square()
