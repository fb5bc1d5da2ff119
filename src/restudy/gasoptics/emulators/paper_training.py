"""The training of arXiv 2005.02265: every output of every layer of air counts the same.

Each quantity has one network for the layers below and one for those above the tropopause, and each
of these learns by itself: mean square error of the standardised outputs, Adam, small batches, a
rate that falls by steps. The flux is nowhere in the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.network import spectrum_of
from restudy.gasoptics.emulators.paper_networks import (
    LONGWAVE,
    SHORTWAVE,
    SIZES,
    PaperLongwave,
    PaperNetwork,
    PaperShortwave,
    Quantity,
    SplitNetwork,
)
from restudy.gasoptics.emulators.paper_samples import (
    Samples,
    longwave_samples,
    shortwave_samples,
)
from restudy.gasoptics.emulators.paper_scaling import standardisation_of
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.tables import KDistribution


@dataclass(frozen=True)
class Recipe:
    """How a network learns; as it stands, as the authors' did.

    Attributes
    ----------
    epochs : int
        Times that every sample is seen.
    batch : int
        Samples of one step.
    rate : float
        Learning rate of Adam at the start.
    decay : float
        Factor on the rate after every few epochs.
    decay_epochs : int
        How many these are.
    trained : float
        Share of the samples that it learns from; the rest tests it.
    """

    epochs: int = 500
    batch: int = 128
    rate: float = 0.01
    decay: float = 0.8
    decay_epochs: int = 10
    trained: float = 0.95


@dataclass(frozen=True)
class Learning:
    """Mean square error of standardised outputs after each epoch; 1 is that of their mean.

    Attributes
    ----------
    trained, tested : tuple of float
        Over the samples that it learnt from, during the epoch, and over the others.
    """

    trained: tuple[float, ...]
    tested: tuple[float, ...]


# Quantity and side, such as "TLW lower", to how it was learnt.
Learnings = Mapping[str, Learning]


def train_network(
    hidden: Sequence[int], samples: Samples, recipe: Recipe, seed: np.random.SeedSequence
) -> tuple[PaperNetwork, Learning]:
    """Train one network for one side of the tropopause.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    samples : Samples
        The layers of air.
    recipe : Recipe
        How it learns.
    seed : numpy.random.SeedSequence
        Of the first weights (Glorot uniform), of the split and of the order of the samples.

    Returns
    -------
    network : PaperNetwork
        The trained network, in float32.
    learning : Learning
        Its errors on the way.

    Raises
    ------
    GasOpticsError
        If there are too few samples to set some apart.
    """
    count = int(recipe.trained * len(samples.inputs))
    if not 2 <= count < len(samples.inputs):
        raise GasOpticsError(
            f"{len(samples.inputs)} samples, of which {recipe.trained:g} are to be learnt from; "
            "expected at least 2 to learn from and 1 to test with."
        )
    rng = torch.Generator().manual_seed(int(seed.generate_state(1)[0]))
    network = PaperNetwork((samples.inputs.shape[1], *hidden, samples.outputs.shape[1]))
    scales = [standardisation_of(x.double()) for x in (samples.inputs, samples.outputs)]
    network.standardise(*scales)
    for layer in network.dense:
        nn.init.xavier_uniform_(layer.weight, generator=rng)
        nn.init.zeros_(layer.bias)
    targets = (samples.outputs - network.output_mean) / network.output_deviation
    order = torch.randperm(len(targets), generator=rng)
    mine, others = order[:count], order[count:]
    learning = _descend(network, samples.inputs, targets, (mine, others), recipe, rng)
    return network, learning


def train_paper_networks(
    table: KDistribution,
    columns: Iterable[Atmosphere],
    size: str,
    recipe: Recipe,
    *,
    seed: int,
    ozone: bool = True,
    executor: Executor | None = None,
) -> tuple[PaperLongwave | PaperShortwave, Learnings]:
    """Train a set of networks of the spectral range of the tables.

    Parameters
    ----------
    table : KDistribution
        The tables to learn from.
    columns : iterable of Atmosphere
        Sets of columns, in the precision of the tables.
    size : str
        One of `SIZES`.
    recipe : Recipe
        How they learn.
    seed : int
        Of all random numbers; each network has its own, so that the executor does not matter.
    ozone : bool
        Whether ozone is an input.
    executor : concurrent.futures.Executor, optional
        Trains the networks side by side.

    Returns
    -------
    networks : PaperLongwave or PaperShortwave
        A side of the tropopause without layers has no network.
    learnings : mapping of str to Learning
        Errors of each network on the way.

    Raises
    ------
    GasOpticsError
        If the size is unknown, or the tables do not cover the columns.
    """
    if size not in SIZES:
        raise GasOpticsError(f"no network of size {size!r}; use {', '.join(SIZES)}.")
    long = table.planck is not None
    made = longwave_samples if long else shortwave_samples
    sets = [made(table, a, ozone=ozone) for a in columns]
    if not sets:
        raise GasOpticsError("no columns to learn from; give one set or more.")
    pair, learnings = _trained(LONGWAVE if long else SHORTWAVE, sets, size, recipe, seed, executor)
    kind = PaperLongwave if long else PaperShortwave
    return kind(*pair, spectrum_of(table), ozone=ozone), learnings


def _trained(
    quantities: tuple[Quantity, Quantity],
    sets: Sequence[tuple[Samples, Samples]],
    size: str,
    recipe: Recipe,
    seed: int,
    executor: Executor | None,
) -> tuple[tuple[SplitNetwork, SplitNetwork], Learnings]:
    """Train the networks of two quantities on the sides of the tropopause that have layers."""
    tasks: dict[str, tuple[Samples, np.random.SeedSequence]] = {}
    seeds = iter(np.random.SeedSequence(seed).spawn(2 * len(quantities)))
    for quantity, found in zip(quantities, zip(*sets, strict=True), strict=True):
        fields = ([getattr(s, f) for s in found] for f in ("inputs", "outputs", "low"))
        samples = Samples(*(torch.cat(tensors) for tensors in fields))
        for side, rows in (("lower", samples.low), ("upper", ~samples.low)):
            its_seed = next(seeds)
            if bool(rows.any()):
                tasks[f"{quantity.group} {side}"] = samples.part(rows), its_seed
    of_size = SIZES[size]
    done = _map(executor)(
        train_network,
        [of_size] * len(tasks),
        [samples for samples, _ in tasks.values()],
        [recipe] * len(tasks),
        [its_seed for _, its_seed in tasks.values()],
    )
    trained = dict(zip(tasks, done, strict=True))
    networks = {name: network for name, (network, _) in trained.items()}
    first, second = (
        SplitNetwork(q, networks.get(f"{q.group} lower"), networks.get(f"{q.group} upper"))
        for q in quantities
    )
    return (first, second), {name: learning for name, (_, learning) in trained.items()}


def _map(executor: Executor | None) -> Callable[..., Iterable[tuple[PaperNetwork, Learning]]]:
    return map if executor is None else executor.map


def _descend(
    network: PaperNetwork,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    split: tuple[torch.Tensor, torch.Tensor],
    recipe: Recipe,
    rng: torch.Generator,
) -> Learning:
    mine, others = split
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate, fused=True)
    falling = torch.optim.lr_scheduler.StepLR(optimiser, recipe.decay_epochs, recipe.decay)
    loss = nn.functional.mse_loss
    trained, tested = [], []
    for _ in range(recipe.epochs):
        seen = []
        shuffled = mine[torch.randperm(len(mine), generator=rng)]
        for rows in torch.split(shuffled, recipe.batch):
            optimiser.zero_grad()
            error = loss(network.standardised(inputs[rows]), targets[rows])
            torch.autograd.backward(error)
            optimiser.step()
            seen.append(error.detach() * len(rows))
        falling.step()
        trained.append(float(torch.stack(seen).sum()) / len(mine))
        with torch.no_grad():
            tested.append(float(loss(network.standardised(inputs[others]), targets[others])))
    return Learning(tuple(trained), tuple(tested))
