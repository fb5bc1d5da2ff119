"""Jobs of a node: campaigns of one user's jobs, and idle gaps between them.

A node serves one campaign after the other. A campaign is an array of jobs of equal size that take
turns on the cores, as many at once as fit, each starting a second after the one before has ended;
so residents never exceed the cores, also if the first and the last second of a job both count. The
number of jobs, their size and their number at once do not depend on how they end, so the shares
of the final states are those of the class at any stickiness.

Run times follow the published curves of class and state (arXiv 2409.08949, Figure 6); states its
shares. Not matched: the number of cores does not depend on the state (in Figure 8 failed jobs are
often of 2 cores); every user's campaign has its nodes alone; waiting times come from the curves
and not from a queue.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from restudy.telemetry.generator.cluster import Node
from restudy.traces import calibration
from restudy.traces.generator import TIME_LIMITS, WALL_LIMIT
from restudy.traces.recipe import GENERIC, ML, JobClass

SIZE_SHAPE = 1.1  # Pareto exponent of the jobs of a campaign
TURNS = 8  # jobs of a campaign that follow each other, at most
# Cores of a job on a CPU node (0: all), share of the completed jobs in Figure 8.
_CORES = ((1, 0.151), (2, 0.083), (8, 0.012), (0, 0.754))
# GPUs of a job on a GPU node; cores in proportion, as 3, 6, 12 and 24 in Figure 8.
_GPUS = ((1, 0.80), (2, 0.09), (4, 0.11))
_SLOTS = {1: (0, 2, 1, 3), 2: (0, 1), 4: (0,)}  # which place a job of so many GPUs takes first


@dataclass(frozen=True)
class Jobs:
    """Jobs of a node, or of a rack on several; arrays of shape (jobs,).

    Attributes
    ----------
    start, end : numpy.ndarray of int64
        First and last second, s since 1970.
    submit : numpy.ndarray of int64
        Submission, s since 1970.
    state : numpy.ndarray of int8
        Place in `restudy.traces.recipe.STATES`.
    cores : numpy.ndarray of int64
        Cores on each node.
    gpus : numpy.ndarray of int64
        GPUs on each node.
    slot : numpy.ndarray of int64
        First GPU.
    campaign : numpy.ndarray of int64
        Number of its campaign.
    user : numpy.ndarray of int64
        Number of its user.
    nature : numpy.ndarray of float64, shape (jobs, 6)
        Uniform numbers that decide what it uses.
    """

    start: np.ndarray
    end: np.ndarray
    submit: np.ndarray
    state: np.ndarray
    cores: np.ndarray
    gpus: np.ndarray
    slot: np.ndarray
    campaign: np.ndarray
    user: np.ndarray
    nature: np.ndarray

    def take(self, rows: np.ndarray) -> "Jobs":
        """Give some of the jobs."""
        return Jobs(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def concat(parts: list[Jobs]) -> Jobs:
    """Join jobs."""
    names = Jobs.__dataclass_fields__
    return Jobs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def run_seconds(kind: JobClass, state: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Draw run times of a class's jobs from their final states.

    Parameters
    ----------
    kind : JobClass
        The class.
    state : numpy.ndarray of int, shape (jobs,)
        Places in `restudy.traces.recipe.STATES`.
    rng : numpy.random.Generator
        Two numbers a job are drawn.

    Returns
    -------
    numpy.ndarray of int64, shape (jobs,)
        Seconds: completed and failed jobs by the curves of Figure 6, jobs at their time limit
        by limit and up to a minute, the others lognormal, five days at most.
    """
    score = rng.standard_normal(len(state))
    late = rng.integers(0, 60, len(state))
    run = np.empty(len(state), "int64")
    for code, name in enumerate(("completed", "failed")):
        of = state == code
        x, F = calibration.curve("fig6b", f"{kind.name}_{name}")
        run[of] = calibration.quantile(x, F, ndtr(score[of]))
    for code, law in {2: kind.cancelled, 4: kind.out_of_memory, 5: kind.node_fail}.items():
        of = state == code
        run[of] = np.exp(np.minimum(law[0] + law[1] * score[of], math.log(WALL_LIMIT)))
    of = state == 3
    weights = TIME_LIMITS.astype("float64") ** -kind.limit_power
    edges = np.cumsum(weights / weights.sum())[:-1]
    run[of] = TIME_LIMITS[np.searchsorted(edges, ndtr(score[of]), side="right")] + late[of]
    return run


def kind_of(node: Node) -> JobClass:
    """Give the class of a node's jobs."""
    return ML if node.is_gpu else GENERIC


def draw_campaigns(
    node: Node, count: int, stickiness: float, *, rng: np.random.Generator
) -> tuple[Jobs, np.ndarray]:
    """Draw campaigns, each beginning at 0, and how long each takes.

    Returns
    -------
    jobs : Jobs
        In order of campaign, first those at once, then their followers.
    length : numpy.ndarray of int64, shape (count,)
        Seconds from the first start to the last end, both included.
    """
    kind = kind_of(node)
    cores, gpus, lanes, weights = _sizes(node)
    choice = rng.choice(len(weights), size=count, p=weights)
    limit = TURNS * lanes[choice]
    drawn = np.floor((1 - rng.random(count)) ** (-1 / SIZE_SHAPE))
    size = np.minimum(drawn, limit).astype("int64")
    campaign = np.repeat(np.arange(count), size)
    place = np.arange(len(campaign)) - np.repeat(np.cumsum(size) - size, size)
    wide = choice[campaign]
    lane = place % lanes[wide]
    edges = np.cumsum(kind.shares)[:-1]
    common = np.searchsorted(edges, rng.random(count), side="right")[campaign]
    own = np.searchsorted(edges, rng.random(len(campaign)), side="right")
    state = np.where(rng.random(len(campaign)) < stickiness, common, own)
    run = run_seconds(kind, state, rng=rng)
    end = _ends(run + 1, campaign * 64 + lane)
    submit, failed = np.zeros(count, "int64"), rng.random(count)
    fails = failed < kind.shares[1]
    for name, of in {"completed": ~fails, "failed": fails}.items():
        x, F = calibration.curve("fig6a", f"{kind.name}_{name}")
        submit[of] = -calibration.quantile(x, F, rng.random(int(of.sum())))
    user = np.floor(np.exp(rng.random(count) * math.log(kind.users))).astype("int64")
    nature = rng.random((count, 6))[campaign]
    jobs = Jobs(
        start=end - run - 1,
        end=end - 1,
        submit=submit[campaign],
        state=state.astype("int8"),
        cores=cores[wide],
        gpus=gpus[wide],
        slot=_slot(gpus[wide], lane),
        campaign=campaign,
        user=user[campaign],
        nature=nature,
    )
    length = np.zeros(count, "int64")
    np.maximum.at(length, campaign, end)
    return jobs, length


def _ends(taken: np.ndarray, lane: np.ndarray) -> np.ndarray:
    """Sum up what is taken within each lane, in order."""
    order = np.argsort(lane, kind="stable")
    total = np.cumsum(taken[order])
    first = np.flatnonzero(np.diff(lane[order], prepend=-1))
    before = np.concatenate([[0], total])[first]
    ends = np.empty(len(taken), "int64")
    ends[order] = total - np.repeat(before, np.diff(np.append(first, len(taken))))
    return ends


def _slot(gpus: np.ndarray, lane: np.ndarray) -> np.ndarray:
    slot = np.zeros(len(gpus), "int64")
    for count, order in _SLOTS.items():
        of = gpus == count
        slot[of] = np.array(order)[lane[of] % len(order)]
    return slot


@lru_cache(maxsize=64)
def _sizes(node: Node) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cores, GPUs, jobs at once, and probability of each size of a campaign's jobs."""
    if node.is_gpu:
        chosen = [(gpus, share) for gpus, share in _GPUS if gpus <= node.gpus]
        gpus = np.array([count for count, _ in chosen])
        cores = gpus * (node.cores // node.gpus)
        lanes = node.gpus // gpus
    else:
        chosen = [(count or node.cores, share) for count, share in _CORES]
        cores = np.array([count for count, _ in chosen])
        gpus, lanes = np.zeros_like(cores), node.cores // cores
    share = np.array([weight for _, weight in chosen])
    # Larger campaigns are rarer, so that the share of jobs is as asked.
    mean = [np.sum(np.arange(1.0, TURNS * count + 1) ** -SIZE_SHAPE) for count in lanes]
    weights = share / np.array(mean)
    return cores, gpus, lanes, weights / weights.sum()


@lru_cache(maxsize=64)
def mean_length(cores: int, gpus: int) -> float:
    """Mean length of a campaign, s, from 20,000 of them; by the node's cores and GPUs."""
    node = Node("", 0, 0, cores, gpus, 0, 0, 0, 0, 0, 0, 0)
    rng = np.random.default_rng(20_220_630)
    return float(draw_campaigns(node, 20_000, 0.0, rng=rng)[1].mean())
