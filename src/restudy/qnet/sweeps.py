"""Many runs at many points: the same bits for any number of workers, resumed where it stopped."""

import concurrent.futures
import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from restudy.parallel.sweeps import sweep
from restudy.qnet.arguments import whole
from restudy.qnet.errors import QnetError
from restudy.qnet.moments import Moments, merged, moments

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)


class Experiment(Protocol[P_contra]):
    """Runs of one setting, by name of what they measure."""

    def __call__(
        self, point: P_contra, runs: int, /, *, rng: np.random.Generator
    ) -> Mapping[str, np.ndarray]:
        """Return samples of each quantity, one-dimensional: as many as there are."""
        ...


@dataclass(frozen=True)
class Sampling:
    """How many runs, and their random numbers.

    Attributes
    ----------
    runs : int
        Runs at each point.
    seed : int
        Block b of stream s takes the child ``spawn_key=(s, b)`` of ``SeedSequence(seed)``.
    block : int
        Runs that share a generator. Results depend on it, as on the seed.
    blocks_per_task : int
        Blocks that one worker does at a time: about a second's worth. Results do not depend on it.
    """

    runs: int
    seed: int
    block: int = 1000
    blocks_per_task: int = 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        whole("runs", self.runs, least=1)
        whole("seed", self.seed)
        whole("block", self.block, least=1)
        whole("blocks_per_task", self.blocks_per_task, least=1)

    def sizes(self) -> list[int]:
        """Return the number of runs of each block."""
        full, rest = divmod(self.runs, self.block)
        return [self.block] * full + [rest] * (rest > 0)


def measure(
    experiment: Experiment[P],
    points: Sequence[P],
    sampling: Sampling,
    *,
    streams: Sequence[int] | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
) -> list[dict[str, Moments]]:
    """Run an experiment at each point, block by block, on any executor.

    Parameters
    ----------
    experiment : Experiment
        ``experiment(point, runs, rng=rng)`` returns samples by name.
    points : sequence
        Settings of the experiment.
    sampling : Sampling
        Numbers of runs and seed.
    streams : sequence of int, optional
        Stream of random numbers of each point; its number by default. Equal streams give points
        common random numbers, so that their differences have less noise.
    edges : mapping of str to sequence of float, optional
        Edges of the histograms of some quantities.
    executor : concurrent.futures.Executor, optional
        As for `restudy.parallel.sweeps.sweep`.
    folder : pathlib.Path, optional
        Finished tasks are kept here, and not done again. `experiment` is then a named function,
        and all that varies is in the points. More runs later use what is kept.

    Returns
    -------
    list of dict of str to Moments
        One a point.

    Raises
    ------
    QnetError
        If streams do not fit the points.
    SweepError
        If tasks fail, after all others are done and kept.

    Examples
    --------
    >>> def dice(sides, runs, *, rng):
    ...     return {"eyes": rng.integers(1, sides + 1, runs)}
    >>> found = measure(dice, [1, 6], Sampling(runs=10_000, seed=1))
    >>> found[0]["eyes"].mean, round(found[1]["eyes"].mean, 1)
    (1.0, 3.5)
    """
    numbers = list(range(len(points)) if streams is None else streams)
    if len(numbers) != len(points):
        raise QnetError(f"{len(numbers)} streams for {len(points)} points; give one a point.")
    bins = {name: [float(edge) for edge in known] for name, known in (edges or {}).items()}
    sizes, step = sampling.sizes(), sampling.blocks_per_task
    tasks = [
        _Task(point, whole("a stream", stream), first, tuple(sizes[first : first + step]), bins)
        for first in range(0, len(sizes), step)
        for point, stream in zip(points, numbers, strict=True)
    ]
    worker = _Worker(experiment, sampling.seed)
    done = sweep(worker, tasks, seed=sampling.seed, executor=executor, folder=folder)
    return [_joined(points[i], done[i :: len(points)]) for i in range(len(points))]


def blocks_per_second(experiment: Experiment[P], point: P, sampling: Sampling) -> int:
    """Return how many blocks take a second here, at least 1; the first block, not timed, compiles.

    For `Sampling.blocks_per_task`, which results do not depend on; keep the number to resume.
    """
    size = sampling.sizes()[0]
    experiment(point, size, rng=np.random.default_rng(sampling.seed))
    start = time.perf_counter()
    experiment(point, size, rng=np.random.default_rng(sampling.seed))
    return max(1, round(1.0 / max(time.perf_counter() - start, 1e-9)))


def tidy(
    labels: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, Moments]]
) -> pd.DataFrame:
    """Return a table with a row for each quantity of each point.

    Parameters
    ----------
    labels : sequence of mapping
        What to write of each point, by column; ``dataclasses.asdict(point)``, for instance.
    measured : sequence of mapping of str to Moments
        What `measure` returned.

    Returns
    -------
    pandas.DataFrame
        Columns of the labels, then `quantity`, `count`, `mean`, `standard_error`.

    Raises
    ------
    QnetError
        If there are not as many labels as points.

    Examples
    --------
    >>> tidy([{"km": 20}], [{"F": Moments(4, 0.9, 0.12)}]).to_dict("records")
    [{'km': 20, 'quantity': 'F', 'count': 4, 'mean': 0.9, 'standard_error': 0.1}]
    """
    if len(labels) != len(measured):
        raise QnetError(f"{len(labels)} labels for {len(measured)} points; give one a point.")
    return pd.DataFrame(
        [
            {
                **label,
                "quantity": name,
                "count": found.count,
                "mean": found.mean,
                "standard_error": found.standard_error,
            }
            for label, quantities in zip(labels, measured, strict=True)
            for name, found in quantities.items()
        ]
    )


@dataclass(frozen=True)
class _Task(Generic[P]):
    """Some blocks of one point: all that their result depends on, for the name of its file."""

    point: P
    stream: int
    first: int
    sizes: tuple[int, ...]
    edges: dict[str, list[float]]


class _Worker(Generic[P]):
    """What runs a task; it has the experiment's name, which files are named by."""

    def __init__(self, experiment: Experiment[P], seed: int) -> None:
        functools.update_wrapper(self, experiment)
        self._experiment, self._seed = experiment, seed

    def __call__(self, task: _Task[P], rng: np.random.Generator) -> list[dict[str, list[Any]]]:
        """Return the moments of each block; `rng` would depend on the division into tasks."""
        blocks = []
        for number, runs in enumerate(task.sizes, start=task.first):
            child = np.random.SeedSequence(self._seed, spawn_key=(task.stream, number))
            samples = self._experiment(task.point, runs, rng=np.random.default_rng(child))
            blocks.append(
                {
                    name: list(dataclasses.astuple(moments(x, edges=task.edges.get(name, ()))))
                    for name, x in samples.items()
                }
            )
        return blocks


def _joined(point: object, tasks: Sequence[list[dict[str, list[Any]]]]) -> dict[str, Moments]:
    """Return the moments of a point from those of its blocks, in their order."""
    blocks = [block for task in tasks for block in task]
    for block in blocks:
        if block.keys() != blocks[0].keys():
            raise QnetError(
                f"blocks of {point!r} measured {sorted(blocks[0])} and {sorted(block)}; return the "
                "same quantities each time, with no samples if there are none."
            )
    return {
        name: merged([Moments(n, mean, m2, tuple(bins)) for n, mean, m2, bins in parts])
        for name in blocks[0]
        for parts in [[block[name] for block in blocks]]
    }
