"""Time and noise of a block of samples, and first-order lags over them."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from restudy.telemetry.generator import cluster
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.generator.timeline import Timeline, timeline

WARM_S = 14_400  # before a block; exp(-16) of an older load is left in the 15-minute average
CHANNELS = 12  # independent kinds of noise of a node


@dataclass(frozen=True)
class Block:
    """The samples of one day on nodes of one kind, before they are metrics.

    Attributes
    ----------
    recipe : Recipe
        The cluster.
    nodes : tuple of Node
        All with GPUs or all without.
    day : int
        From 0.
    time : numpy.ndarray of int64, shape (warm + samples,)
        s since 1970; the first `warm` samples are of the day before.
    warm : int
        How many.
    lines : tuple of Timeline
        Of the nodes.
    use : numpy.ndarray of int64, shape (ROWS, nodes, warm + samples)
        What jobs use at each sample.
    busy : numpy.ndarray of float64, shape (nodes, warm + samples)
        Busy cores, mean since the sample before.
    noise : numpy.ndarray of float32, shape (nodes, CHANNELS, samples)
        Standard normal, times the recipe's `noise`.
    chance : numpy.ndarray of float32, shape (nodes, 4, samples)
        Uniform.
    """

    recipe: Recipe
    nodes: tuple[Node, ...]
    day: int
    time: np.ndarray
    warm: int
    lines: tuple[Timeline, ...]
    use: np.ndarray
    busy: np.ndarray
    noise: np.ndarray
    chance: np.ndarray

    @property
    def is_gpu(self) -> bool:
        """Whether its nodes have GPUs."""
        return self.nodes[0].is_gpu

    def now(self, row: int) -> np.ndarray:
        """Give a row of the use, without the warm-up; shape (nodes, samples)."""
        return np.asarray(self.use[row, :, self.warm :])

    def shifted(self, name: str, neutral: float) -> np.ndarray:
        """Give a value of the recipe's step at each sample, and what it is before it."""
        at = self.recipe.shift_at
        if at is None:
            return np.full(len(self.time), neutral)
        after = getattr(self.recipe.shift, name)[self.is_gpu]
        return np.where(self.time >= at, after, neutral)

    def attribute(self, name: str) -> np.ndarray:
        """Give an attribute of the nodes; shape (nodes, 1)."""
        return np.array([getattr(node, name) for node in self.nodes], "float64")[:, None]


def prepare(recipe: Recipe, nodes: tuple[Node, ...], day: int) -> Block:
    """Look up what the jobs use at each sample, and draw the noise of each node and day."""
    step, warm = recipe.interval_s, -(-WARM_S // recipe.interval_s)
    first = recipe.first + day * 86_400
    time = first + step * np.arange(-warm, recipe.samples, dtype="int64")
    lines = tuple(timeline(recipe, node) for node in nodes)
    before = np.append(time[0] - step, time)
    use, busy = [], []
    for line in lines:
        piece = line.pieces(before)
        use.append(line.use[piece[1:]].T)
        spent = line.total[piece, 0] + line.use[piece, 0] * (before - line.at[piece])
        busy.append(np.diff(spent) / (100.0 * step))
    noise = np.zeros((len(nodes), CHANNELS, recipe.samples), "float32")
    chance = np.zeros((len(nodes), 4, recipe.samples), "float32")
    for i, node in enumerate(nodes):
        rng = cluster.rng(recipe, cluster.NOISE, node.rack, node.number, day)
        used = CHANNELS if node.is_gpu else 6
        noise[i, :used] = rng.standard_normal((used, recipe.samples), dtype="float32")
        if node.is_gpu:
            rng.random(dtype="float32", out=chance[i])
    noise *= np.float32(recipe.noise)
    return Block(
        recipe=recipe,
        nodes=nodes,
        day=day,
        time=time,
        warm=warm,
        lines=lines,
        use=np.stack(use, axis=1),
        busy=np.stack(busy),
        noise=noise,
        chance=chance,
    )


def lag(inputs: np.ndarray, seconds: float, step: int) -> np.ndarray:
    """First-order lag of inputs that are constant from one sample to the next.

    The exact solution of y' = (x - y) / tau on the samples, from rest at the first input.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (..., samples)
        Input x in the time up to each sample.
    seconds : float
        Time constant tau.
    step : int
        Time between samples, s.

    Returns
    -------
    numpy.ndarray, shape (..., samples)
        Output y.

    Examples
    --------
    After one time constant 1/e of a step is left:

    >>> float(lag(np.array([1.0, 0.0]), 60.0, 60)[1].round(4))
    0.3679
    """
    keep = math.exp(-step / seconds)
    begin = keep * inputs[..., :1]
    return np.asarray(lfilter([1 - keep], [1, -keep], inputs, axis=-1, zi=begin)[0])
