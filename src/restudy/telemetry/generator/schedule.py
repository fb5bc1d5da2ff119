"""When jobs run: idle gaps, jobs on several nodes, and the job table of a cluster.

Idle gaps are exponential on a clock that runs faster at the busy hours of the week. A rack's few
jobs on several nodes are placed first; a node's campaign that would meet one waits for its end.
Each node's jobs follow from the streams of the node and of its rack alone, so they are the same in
any subset of nodes and for any number of workers.
"""

import dataclasses
import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import pandas as pd

from restudy.telemetry.generator import cluster
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import LISA_NODES, Recipe
from restudy.telemetry.generator.workload import (
    Jobs,
    concat,
    draw_campaigns,
    kind_of,
    mean_length,
    run_seconds,
)
from restudy.traces import nodelist
from restudy.traces.jobs import COLUMNS
from restudy.traces.recipe import STATES

WARM_DAYS = 14  # before the first sample, so that the cluster is at work when it comes
CHUNK = 64  # campaigns drawn at once
WEEK = 604_800
MULTI = (2, 3, 4, 8)  # nodes of a job on several, as often as in Figure 8
_MULTI_EDGES = (0.63, 0.74, 0.94)


class Calendar:
    """The rate at which idle nodes get work, over the hours of a week; its mean is 1."""

    def __init__(self, recipe: Recipe) -> None:
        hour = np.arange(168)
        rate = 1 + recipe.diurnal * np.cos((hour % 24 + 0.5 - recipe.peak_hour) * math.pi / 12)
        rate *= np.where(hour < 120, recipe.weekday_factor, 1.0)  # weeks begin on a Monday
        rate /= rate.mean()
        self.rate: list[float] = rate.tolist()
        self.total: list[float] = np.concatenate([[0.0], np.cumsum(rate) * 3600]).tolist()

    def after(self, moment: int, work: float) -> int:
        """Give the moment at which the rate, summed up from a moment on, reaches an amount."""
        since = (moment - 4 * 86_400) % WEEK  # 1970-01-05 was a Monday
        hour = since // 3600
        wanted = self.total[hour] + (since % 3600) * self.rate[hour] + work
        weeks, wanted = divmod(wanted, WEEK)
        found = min(bisect_right(self.total, wanted) - 1, 167)
        inside = (wanted - self.total[found]) / self.rate[found]
        return moment - since + int(weeks) * WEEK + found * 3600 + int(inside)


@lru_cache(maxsize=4096)
def shared_jobs(recipe: Recipe, rack: tuple[Node, ...]) -> tuple[Jobs, list[tuple[int, int]]]:
    """Draw a rack's jobs on several nodes, with first place and number of nodes of each."""
    rng = cluster.rng(recipe, cluster.RACK_WORK, rack[0].rack, 0)
    begin, days = recipe.first - WARM_DAYS * 86_400, recipe.days + WARM_DAYS
    count = int(rng.poisson(recipe.multi_node * days))
    kind = kind_of(rack[0])
    nodes = np.array(MULTI)[np.searchsorted(_MULTI_EDGES, rng.random(count), side="right")]
    first = np.floor(rng.random(count) * (len(rack) - nodes + 1)).astype("int64")
    state = np.searchsorted(np.cumsum(kind.shares)[:-1], rng.random(count), side="right")
    run = run_seconds(kind, state, rng=rng)
    start = np.sort(begin + np.floor(rng.random(count) * days * 86_400).astype("int64"))
    user = rng.integers(1, kind.users + 1, count)
    wait = np.floor(rng.exponential(3600.0, count)).astype("int64")
    nature = rng.random((count, 6))
    kept: list[int] = []
    free = dict.fromkeys(range(len(rack)), 0)
    for i in range(count):
        places = range(first[i], first[i] + nodes[i])
        if nodes[i] <= len(rack) and all(start[i] > free[place] for place in places):
            kept.append(i)
            free.update(dict.fromkeys(places, int(start[i] + run[i])))
    cores = np.full(count, min(node.cores for node in rack))
    gpus = np.full(count, min(node.gpus for node in rack))
    jobs = Jobs(
        start=start,
        end=start + run,
        submit=start - wait,
        state=state.astype("int8"),
        cores=cores,
        gpus=gpus,
        slot=np.zeros(count, "int64"),
        campaign=-1 - np.arange(count),
        user=user,
        nature=nature,
    ).take(np.array(kept, "int64"))
    return jobs, [(int(first[i]), int(nodes[i])) for i in kept]


@lru_cache(maxsize=LISA_NODES)  # 120 B a job: 170 MB for all of Lisa over 223 days
def node_jobs(recipe: Recipe, node: Node) -> tuple[Jobs, Jobs]:
    """Give the jobs of a node that end after the first sample.

    Parameters
    ----------
    recipe : Recipe
        The whole cluster.
    node : Node
        One of its nodes.

    Returns
    -------
    own : Jobs
        Jobs on this node alone, in order of start.
    shared : Jobs
        Jobs on several nodes that it takes part in.
    """
    rack = cluster.racks(recipe)[node.rack]
    several, places = shared_jobs(recipe, rack)
    place = rack.index(node)
    mine = [i for i, (first, count) in enumerate(places) if first <= place < first + count]
    shared = several.take(np.array(mine, "int64"))
    busy = list(zip(shared.start.tolist(), shared.end.tolist(), strict=True))
    rng = cluster.rng(recipe, cluster.WORK, node.rack, node.number)
    rate = recipe.busy[node.is_gpu]
    gap = mean_length(node.cores, node.gpus) * (1 - rate) / rate
    calendar, last = Calendar(recipe), recipe.first + recipe.days * 86_400
    now, following = recipe.first - WARM_DAYS * 86_400, 0
    parts: list[Jobs] = []
    while now < last:
        jobs, length = draw_campaigns(node, CHUNK, recipe.stickiness, rng=rng)
        starts = np.empty(CHUNK, "int64")
        for i, (taken, idle) in enumerate(
            zip(length.tolist(), rng.exponential(gap, CHUNK).tolist(), strict=True)
        ):
            now = calendar.after(now, idle)
            while following < len(busy) and now + taken >= busy[following][0]:
                now = max(now, busy[following][1] + 1)
                following += 1
            starts[i] = now
            now += taken
        parts.append(_moved(jobs, starts, len(parts) * CHUNK))
    own = concat(parts)
    own = own.take(np.argsort(own.start, kind="stable"))
    return (
        own.take((own.end >= recipe.first) & (own.start < last)),
        shared.take(shared.end >= recipe.first),
    )


def _moved(jobs: Jobs, starts: np.ndarray, first: int) -> Jobs:
    """Put campaigns at their moments and number them on."""
    by = starts[jobs.campaign]
    return dataclasses.replace(
        jobs,
        start=jobs.start + by,
        end=jobs.end + by,
        submit=jobs.submit + by,
        campaign=jobs.campaign + first,
    )


def job_table(recipe: Recipe, nodes: Sequence[Node] | None = None) -> pd.DataFrame:
    """Make the job table of the cluster, or of some of its nodes.

    Parameters
    ----------
    recipe : Recipe
        The cluster.
    nodes : sequence of Node, optional
        Nodes whose jobs are wanted, by default all. A job on several nodes is there once, with
        all of its nodes.

    Returns
    -------
    pandas.DataFrame
        The columns of `restudy.traces.jobs.COLUMNS`; jobs that run at some time between the first
        and the last sample, in order of start and id. Times are UTC, the first and the last
        second of each job.

    Examples
    --------
    >>> jobs = job_table(Recipe(nodes=2, days=1))
    >>> bool((jobs["start"] <= jobs["end"]).all())
    True
    """
    pieces: list[tuple[Node, Jobs, list[str], np.ndarray, np.ndarray]] = []
    racks = cluster.racks(recipe)
    wanted = cluster.nodes(recipe) if nodes is None else tuple(nodes)
    for rack in sorted({node.rack for node in wanted}):
        several, places = shared_jobs(recipe, racks[rack])
        here = {racks[rack].index(node) for node in wanted if node.rack == rack}
        met = (several.end >= recipe.first) & np.array(
            [not here.isdisjoint(range(at, at + count)) for at, count in places], bool
        )
        rows = np.flatnonzero(met)
        names = [node.name for node in racks[rack]]
        lists = [nodelist.compress(names[at : at + n]) for at, n in (places[i] for i in rows)]
        counts = np.array([places[i][1] for i in rows], "int64")
        pieces.append((racks[rack][0], several.take(rows), lists, counts, rows))
    for node in wanted:
        own, _ = node_jobs(recipe, node)
        ones = np.ones(len(own.start), "int64")
        number = node.number * 1_000_000 + np.arange(len(ones))
        pieces.append((node, own, [node.name] * len(ones), ones, number))
    table = _frame(*zip(*pieces, strict=True))
    table = table.sort_values(["start", "job_id"], kind="stable", ignore_index=True)
    return table.astype(COLUMNS)


def _frame(
    first: Sequence[Node],
    parts: Sequence[Jobs],
    lists: Sequence[list[str]],
    counts: Sequence[np.ndarray],
    numbers: Sequence[np.ndarray],
) -> pd.DataFrame:
    """Make the rows of some jobs whose first node, number of nodes and own number are given."""
    jobs, nodes = concat(list(parts)), np.concatenate(counts)
    size = [len(one) for one in lists]
    rack, cores, is_gpu = (
        np.repeat([getattr(node, name) for node in first], size)
        for name in ("rack", "cores", "is_gpu")
    )
    kind = np.repeat([kind_of(node).name for node in first], size)
    shared = jobs.cores * nodes < cores
    partition = np.where(
        is_gpu, np.where(shared, "gpu_shared", "gpu"), np.where(shared, "shared", "normal")
    )
    return pd.DataFrame(
        {
            "job_id": (rack * 1_000_000_000 + np.concatenate(numbers)).astype(str),
            "submit": jobs.submit.astype("datetime64[s]"),
            "start": jobs.start.astype("datetime64[s]"),
            "end": jobs.end.astype("datetime64[s]"),
            "state": np.array(STATES)[jobs.state],
            "nodes": nodes,
            "cores": jobs.cores * nodes,
            "node_list": list(chain.from_iterable(lists)),
            "partition": partition,
            "user": [f"{of}{user:03d}" for of, user in zip(kind, jobs.user.tolist(), strict=True)],
            "is_ml": is_gpu,
        }
    )[list(COLUMNS)]
