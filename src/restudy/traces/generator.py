"""Synthetic jobs with the published distributions, for machines without the real ones.

The recipe, each step with its source:

- jobs per day and class: Figure 5 over the paper's 312 days, times ``scale``; beyond them an
  autoregressive lognormal process with its median, spread, memory and weekday effect;
- time of day: half a cosine up from 5:30 to 15:30 local time and one down, `PEAK` times as many
  jobs at the top as at the bottom. The paper prints no usable profile (the hours of Figure 7 are
  shuffled, those of Figure 5 are quartiles of unlike days), so this is an assumption, made from
  the hours of trough and peak that another report on the same logs states;
- bursts: jobs come in arrays of one user, of Pareto sizes up to 1,001 (Slurm's default limit);
- state: the published counts of completed and failed jobs; the others split as in a report on
  the same logs from January 2022 to February 2023;
- run and wait time: inverse of the published curves for completed and failed jobs. The others
  have no curve; theirs are chosen so that the published mean and share up to one hour of the
  whole class hold;
- cores and nodes: Figure 8.

No queue is simulated: a node may hold more jobs than it could.
"""

import json
from concurrent.futures import Executor
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr

from restudy.traces import calibration, hardware, nodelist
from restudy.traces.clock import trough_and_peak
from restudy.traces.jobs import COLUMNS, TraceError
from restudy.traces.parquet import arrow_schema, schema, to_pandas, write_parquet
from restudy.traces.recipe import (
    CLASSES,
    FIRST_DAY,
    GENERIC,
    JOBS_STREAM,
    ML,
    STATES,
    Block,
    JobClass,
    Recipe,
    blocks,
    parts,
)
from restudy.traces.summertime import hours_ahead

__all__ = ["Recipe", "block_table", "generate", "hour_weights", "write"]

WALL_LIMIT = 432_000  # s: five days, the longest a job may run
PEAK = 6.0
BURST_SHAPE = 0.9  # Pareto exponent of burst sizes
BURST_LIMIT = 1001
SAME_SECOND = 0.47  # share of a burst's gaps that are zero
GAP = 4.0  # s, mean of the other gaps
_NOTE = b"restudy.recipe"  # key in a file's metadata

TIME_LIMITS = np.array(
    [300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, WALL_LIMIT]
)


def generate(recipe: Recipe) -> pd.DataFrame:
    """Make a job table in memory.

    Parameters
    ----------
    recipe : Recipe
        At scale 1 the table takes about 200 MB; `write` streams larger ones.

    Returns
    -------
    pandas.DataFrame
        Job table ordered by block and time of submission, UTC.

    Raises
    ------
    TraceError
        If the scale is so small that no job is left.

    Examples
    --------
    >>> jobs = generate(Recipe(scale=0.001))
    >>> len(jobs), int(jobs["is_ml"].sum())
    (1596, 190)
    """
    tables = [block_table(recipe, block) for block in blocks(recipe)]
    return to_pandas(pa.concat_tables(tables))


def write(folder: Path, recipe: Recipe, *, executor: Executor | None = None) -> Path:
    """Write a job table as Parquet files.

    Files appear under their final names only when complete; a second call after an interruption
    makes the missing ones. The bytes do not depend on the executor.

    Parameters
    ----------
    folder : pathlib.Path
        Made if absent. It then holds ``part-00000.parquet`` and so on.
    recipe : Recipe
        What to make; about 18 bytes a job on disk.
    executor : concurrent.futures.Executor, optional
        Runs one call a file: a thread or process pool, or ``client.get_executor()`` of Dask.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    TraceError
        If the folder holds jobs of another recipe, or the scale leaves no job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    planned = {f"part-{i:05d}.parquet": part for i, part in enumerate(parts(recipe))}
    for path in sorted(folder.glob("part-*.parquet")):
        _refuse_others(path, recipe)
    missing = [name for name in planned if not (folder / name).exists()]
    run = map if executor is None else executor.map
    for _ in run(
        _write_part,
        [recipe] * len(missing),
        [planned[name] for name in missing],
        [folder / name for name in missing],
    ):
        pass
    return folder


def _write_part(recipe: Recipe, part: list[Block], path: Path) -> int:
    table = pa.concat_tables([block_table(recipe, block) for block in part])
    notes = {**table.schema.metadata, _NOTE: _note(recipe)}
    write_parquet(table.replace_schema_metadata(notes), path)
    return int(table.num_rows)


def _note(recipe: Recipe) -> bytes:
    return json.dumps(asdict(recipe), sort_keys=True).encode()


def _refuse_others(path: Path, recipe: Recipe) -> None:
    """Refuse a file of another recipe: each file says what it was made from."""
    found = (arrow_schema(path).metadata or {}).get(_NOTE, b"nothing known")
    if found != _note(recipe):
        raise TraceError(
            f"{path} holds jobs made from {found.decode()}, not from {_note(recipe).decode()}; "
            "take another folder or delete it."
        )


def block_table(recipe: Recipe, block: Block) -> pa.Table:
    """Draw the jobs of a block, ordered by time of submission.

    Each class has the random stream (seed; day, block, class), so any block can be drawn alone.
    """
    drawn = []
    for number, (kind, jobs) in enumerate(zip(CLASSES, block.jobs, strict=True)):
        seeds = np.random.SeedSequence(
            recipe.seed, spawn_key=(JOBS_STREAM, block.day, block.number, number)
        )
        if jobs:
            rng = np.random.default_rng(seeds)
            drawn.append(draw(kind, jobs, block, likeness=recipe.likeness, rng=rng))
    table = pa.concat_tables(drawn)
    order = np.argsort(table["submit"].to_numpy(), kind="stable")
    ids = pa.array(np.arange(block.first_id, block.first_id + len(order))).cast(pa.string())
    table = table.take(pa.array(order)).add_column(0, "job_id", ids)
    return table.select(list(COLUMNS)).cast(schema())


def draw(
    kind: JobClass, jobs: int, block: Block, *, likeness: float, rng: np.random.Generator
) -> pa.Table:
    """Draw jobs of one class, in order of their bursts, without numbers."""
    sizes = burst_sizes(jobs, rng)
    burst = np.repeat(np.arange(len(sizes)), sizes)  # (jobs,)
    day = FIRST_DAY + block.day
    within = (block.number / block.of, (block.number + 1) / block.of)
    second = _seconds_of_day(sizes, day, within, rng)
    common = rng.standard_normal((4, len(sizes)))[:, burst]
    own = rng.standard_normal((4, jobs))
    scores = np.sqrt(likeness) * common + np.sqrt(1 - likeness) * own
    # The jobs of an array ask for the same; independent jobs (likeness 0) do not.
    size_score = common[3] if likeness > 0 else own[3]
    state = np.searchsorted(np.cumsum(kind.shares)[:-1], ndtr(scores[0]), side="right")
    run_score = kind.size_run * size_score + np.sqrt(1 - kind.size_run**2) * scores[1]
    run = _run_seconds(kind, state, run_score, rng)
    wait = _wait_seconds(kind, state, ndtr(scores[2]))
    cores = _cores(kind, state, ndtr(size_score))
    nodes = np.minimum(-(-cores // kind.node_cores), 32)
    node_list, partition, nodes = _places(kind, cores, nodes, state, rng)
    submit = day.astype("datetime64[s]").astype("int64") + second
    user = np.searchsorted(_user_shares(kind.users), rng.random(len(sizes)), side="right")[burst]
    return pa.table(
        {
            "submit": pa.array(submit).cast(pa.timestamp("s")),
            "start": pa.array(submit + wait).cast(pa.timestamp("s")),
            "end": pa.array(submit + wait + run).cast(pa.timestamp("s")),
            "state": pc.take(pa.array(STATES), pa.array(state)),
            "nodes": pa.array(nodes.astype("int32")),
            "cores": pa.array(cores.astype("int32")),
            "node_list": node_list,
            "partition": partition,
            "user": pc.take(_user_names(kind), pa.array(user)),
            "is_ml": pa.array(np.full(jobs, kind is ML) & (nodes > 0)),
        }
    )


def burst_sizes(jobs: int, rng: np.random.Generator) -> np.ndarray:
    """Pareto sizes that add up to the number of jobs."""
    sizes = np.empty(0, "int64")
    while sizes.sum() < jobs:
        more = np.floor((1 - rng.random(jobs // 8 + 16)) ** (-1 / BURST_SHAPE))
        sizes = np.concatenate([sizes, np.minimum(more, BURST_LIMIT).astype("int64")])
    count = int(np.searchsorted(np.cumsum(sizes), jobs)) + 1
    sizes = sizes[:count]
    sizes[-1] -= sizes.sum() - jobs
    return sizes


def _seconds_of_day(
    sizes: np.ndarray, day: np.datetime64, within: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """UTC second of the day of each job; bursts start in a slice of the day's probability."""
    low, high = within
    probability = low + (high - low) * rng.random(len(sizes))
    ahead = int(hours_ahead(np.array([day.astype("datetime64[s]")]))[0])
    edges = np.concatenate([[0.0], np.cumsum(np.roll(hour_weights(), -ahead))])
    begin = np.interp(probability, edges, np.arange(25) * 3600.0)
    first = np.cumsum(sizes) - sizes  # (bursts,) index of each burst's first job
    jobs = int(sizes.sum())
    gaps = np.where(rng.random(jobs) < SAME_SECOND, 0, rng.geometric(1 / GAP, jobs))
    elapsed = np.cumsum(gaps)
    elapsed -= np.repeat(elapsed[first], sizes)
    last = elapsed[first + sizes - 1]
    begin = np.clip(np.floor(begin).astype("int64"), 0, np.maximum(86_399 - last, 0))
    return np.minimum(np.repeat(begin, sizes) + elapsed, 86_399)


def hour_weights() -> np.ndarray:
    """Share of the jobs submitted in each hour of a local day.

    Returns
    -------
    numpy.ndarray, shape (24,)
        Adds up to 1.

    Notes
    -----
    An assumption, see the head of this module: trough at 5 to 6 h, peak at 14 to 17 h, `PEAK`
    times as many jobs.

    Examples
    --------
    >>> weights = hour_weights()
    >>> int(weights.argmin()), int(weights.argmax()), round(float(weights[9:18].sum()), 2)
    (5, 16, 0.51)
    """
    weights = 1.0 + (PEAK - 1.0) * trough_and_peak()
    return np.asarray(weights / weights.sum())


def _run_seconds(
    kind: JobClass, state: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    run = np.empty(len(state), "int64")
    for code, name in enumerate(("completed", "failed")):
        of = state == code
        run[of] = calibration.quantile(
            *calibration.curve("fig6b", f"{kind.name}_{name}"), ndtr(score[of])
        )
    for code, law in {2: kind.cancelled, 4: kind.out_of_memory, 5: kind.node_fail}.items():
        of = state == code
        log_seconds = np.minimum(law[0] + law[1] * score[of], np.log(WALL_LIMIT))
        run[of] = np.floor(np.exp(log_seconds))
    of = state == 3
    weights = TIME_LIMITS.astype("float64") ** -kind.limit_power
    edges = np.cumsum(weights / weights.sum())[:-1]
    limit = TIME_LIMITS[np.searchsorted(edges, ndtr(score[of]), side="right")]
    # Slurm ends a job up to a minute after its limit.
    run[of] = limit + rng.integers(0, 60, int(of.sum()))
    return run


def _wait_seconds(kind: JobClass, state: np.ndarray, probability: np.ndarray) -> np.ndarray:
    wait = np.empty(len(state), "int64")
    failed = (state == 1) | ((state > 1) & (kind.rest_wait == "failed"))
    for name, of in {"completed": ~failed, "failed": failed}.items():
        wait[of] = calibration.quantile(
            *calibration.curve("fig6a", f"{kind.name}_{name}"), probability[of]
        )
    return wait


def _cores(kind: JobClass, state: np.ndarray, probability: np.ndarray) -> np.ndarray:
    cores = np.empty(len(state), "int64")
    groups = {
        0: calibration.curve("fig8b", f"{kind.name}_completed"),
        1: calibration.curve("fig8b", f"{kind.name}_failed"),
        2: _rest_cores(kind),
    }
    for code, (x, F) in groups.items():
        of = np.minimum(state, 2) == code
        index = np.minimum(np.searchsorted(F, probability[of], side="left"), len(x) - 1)
        cores[of] = x[index]
    return cores


@cache
def _rest_cores(kind: JobClass) -> tuple[np.ndarray, np.ndarray]:
    """Cores of the jobs neither completed nor failed.

    On one node as the completed ones, on several in proportion to Figure 8a.
    """
    x, F = calibration.curve("fig8b", f"{kind.name}_completed")
    single = x <= kind.node_cores
    several = calibration.node_counts()[kind.name].iloc[1:]
    several = several[several > 0]
    share = several.cumsum().to_numpy() / several.sum()
    return (
        np.concatenate([x[single], several.index.to_numpy("float64") * kind.node_cores]),
        np.concatenate(
            [
                F[single] / F[single][-1] * (1 - kind.rest_multi),
                1 - kind.rest_multi + kind.rest_multi * share,
            ]
        ),
    )


@cache
def _machines(kind_name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of a class's nodes, and the partition of each, GPU nodes of 24 cores last."""
    nodes = hardware.inventory()
    nodes = nodes[hardware.is_gpu_node(nodes) == (kind_name == "ml")]
    if kind_name == "ml":
        nodes = nodes.sort_values("cpu_core_count_total", kind="stable")
        titan = nodes["gpu_model"].str.contains("TITAN")
        partition = tuple("gpu_titanrtx" if is_titan else "gpu" for is_titan in titan)
    else:
        partition = ("normal",) * len(nodes)
    return tuple(nodes["node"]), partition


def _places(
    kind: JobClass,
    cores: np.ndarray,
    nodes: np.ndarray,
    state: np.ndarray,
    rng: np.random.Generator,
) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Node list and partition of each job, and its number of nodes."""
    names, partitions = _machines(kind.name)
    lowest = np.zeros(len(nodes), "int64")
    if kind is ML:  # more than 12 cores fit on the Titan nodes only
        lowest[cores > 12] = partitions.index("gpu_titanrtx")
    room = len(names) - nodes + 1 - lowest
    start = lowest + np.floor(rng.random(len(nodes)) * room).astype("int64")
    if kind is GENERIC:
        # At most 13 of the 280,000 failed or cancelled jobs have no node; 827 of the 1,385,375
        # on one node ran on a service machine.
        odd = rng.random(len(nodes))
        nodes = np.where((odd < 13 / 280_000) & (state > 0) & (state < 3), 0, nodes)
        start = np.where((odd > 1 - 827 / 1_385_375) & (nodes == 1), len(names), start)
    keys, index = np.unique(nodes * 1000 + start * (nodes > 0), return_inverse=True)
    lists = [_node_list(kind.name, key // 1000, key % 1000) for key in keys.tolist()]
    parts = [partitions[min(key % 1000, len(names) - 1)] for key in keys.tolist()]
    shared = (nodes == 1) & (cores < kind.node_cores)
    whole = pc.take(pa.array(parts), pa.array(index))
    part_of = "shared" if kind is GENERIC else pc.binary_join_element_wise(whole, "shared", "_")
    return (
        pc.take(pa.array(lists), pa.array(index)),
        pc.if_else(pa.array(shared), part_of, whole),
        nodes,
    )


@cache
def _node_list(kind_name: str, count: int, first: int) -> str:
    names, _ = _machines(kind_name)
    if count == 0:
        return "None assigned"
    if first == len(names):
        return "software2"
    return nodelist.compress(names[first : first + count])


@cache
def _user_shares(users: int) -> np.ndarray:
    shares = 1 / np.arange(1, users + 1)
    return np.asarray(np.cumsum(shares / shares.sum())[:-1])


@cache
def _user_names(kind: JobClass) -> pa.Array:
    return pa.array([f"{kind.name}{number:03d}" for number in range(1, kind.users + 1)])
