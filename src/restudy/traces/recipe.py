"""What generated jobs follow from: two classes of jobs, days, and blocks drawn at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from restudy.traces import calibration
from restudy.traces.jobs import TraceError

FIRST_DAY = np.datetime64("2021-12-25")  # of Figure 5
PAPER_DAYS = 312
BLOCK_JOBS = 2**17  # jobs of a class drawn at once: bounds the memory at any scale
PART_JOBS = 2**18  # jobs after which a file is full

STATES: tuple[str, ...] = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
)
# First part of the key of a random stream: of the days' counts, of a block's jobs.
DAYS_STREAM, JOBS_STREAM = 0, 1


@dataclass(frozen=True)
class JobClass:
    """What sets generic and ML jobs apart.

    Attributes
    ----------
    name : str
        ``"generic"`` or ``"ml"``.
    jobs : tuple of float
        Published number of COMPLETED, FAILED and all jobs.
    rest : tuple of float
        Weights of CANCELLED, TIMEOUT, OUT_OF_MEMORY and NODE_FAIL among the other jobs.
    cancelled, out_of_memory, node_fail : tuple of float
        Location and scale of the logarithm of the run time [s].
    limit_power : float
        A TIMEOUT job has the time limit L with weight L to minus this power.
    rest_wait : str
        The state whose waiting times the other jobs have.
    rest_multi : float
        Share of the other jobs on several nodes; makes the published share of all jobs.
    node_cores : int
        Cores of a node, for the number of nodes of a job.
    size_run : float
        Correlation of a job's size and run time (of normal scores); makes the mean node-hours.
    daily : tuple of float
        Beyond the paper's days: mean and standard deviation of the logarithm of jobs per day,
        correlation with the day before, ratio of a weekday to a day of the weekend.
    users : int
        Users, active in proportion to 1 / rank.
    """

    name: str
    jobs: tuple[float, float, float]
    rest: tuple[float, float, float, float]
    cancelled: tuple[float, float]
    out_of_memory: tuple[float, float]
    node_fail: tuple[float, float]
    limit_power: float
    rest_wait: str
    rest_multi: float
    node_cores: int
    size_run: float
    daily: tuple[float, float, float, float]
    users: int

    @property
    def shares(self) -> np.ndarray:
        """Share of each of `STATES`."""
        completed, failed, total = self.jobs
        rest = np.array(self.rest) / sum(self.rest) * (total - completed - failed)
        return np.array([completed, failed, *rest]) / total


GENERIC = JobClass(
    name="generic",
    jobs=(1_084_458, 200_983, 1_406_488),
    rest=(5.68, 2.42, 0.448, 0.142),
    cancelled=(3.1517, 4.1287),
    out_of_memory=(5.742, 2.0),
    node_fail=(7.803, 2.0),
    limit_power=0.2990,
    rest_wait="completed",
    rest_multi=0.0580,
    node_cores=16,
    size_run=0.22,
    daily=(7.63, 1.20, 0.35, 2.7),
    users=400,
)
ML = JobClass(
    name="ml",
    jobs=(112_577, 44_318, 190_475),
    rest=(11.04, 5.52, 0.165, 0.135),
    cancelled=(7.5624, 1.9205),
    out_of_memory=(7.193, 2.0),
    node_fail=(6.410, 2.0),
    limit_power=0.1455,
    rest_wait="failed",
    rest_multi=0.0139,
    node_cores=24,
    size_run=0.0,
    daily=(6.26, 0.62, 0.42, 1.8),
    users=250,
)
CLASSES: tuple[JobClass, JobClass] = (GENERIC, ML)


@dataclass(frozen=True)
class Recipe:
    """Everything the jobs follow from.

    Attributes
    ----------
    seed : int
        Not negative.
    scale : float
        Times the published number of jobs per day; 1 makes 1,596,963 jobs over the paper's days.
    days : int
        Days from 2021-12-25 on.
    likeness : float
        Correlation, between jobs of a burst, of the normal scores of state, run time and waiting
        time; 0 makes all jobs independent. The distribution of one job does not depend on it.

    Raises
    ------
    TraceError
        If a value is out of range.
    """

    seed: int = 0
    scale: float = 1.0
    days: int = PAPER_DAYS
    likeness: float = 0.5

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise TraceError(f"seed is {self.seed}; the generator needs a number of at least 0.")
        if not 0 < self.scale <= 10_000:
            raise TraceError(
                f"scale is {self.scale}; the generator needs a number above 0, up to 10000."
            )
        if not 1 <= self.days <= 36_500:
            raise TraceError(f"days is {self.days}; the generator needs 1 to 36500.")
        if not 0 <= self.likeness < 1:
            raise TraceError(f"likeness is {self.likeness}; the generator needs 0 up to, not 1.")


@dataclass(frozen=True)
class Block:
    """Jobs drawn at once: a slice of a day's time, with its own random stream."""

    day: int
    number: int
    of: int
    first_id: int
    jobs: tuple[int, int]


def daily_counts(recipe: Recipe) -> np.ndarray:
    """Jobs per day and class.

    Parameters
    ----------
    recipe : Recipe
        Seed, scale and days count.

    Returns
    -------
    numpy.ndarray of int64, shape (days, 2)
        Columns generic and ML. Days are rounded so that every sum from the first day on is the
        scaled one to within half a job.
    """
    published = calibration.daily_submissions()[["generic", "ml"]].to_numpy("float64")
    days = np.empty((recipe.days, 2))
    shared = min(recipe.days, PAPER_DAYS)
    days[:shared] = published[:shared]
    for column, kind in enumerate(CLASSES):
        seeds = np.random.SeedSequence(recipe.seed, spawn_key=(DAYS_STREAM, column))
        days[shared:, column] = _further_days(
            kind,
            first=shared,
            before=published[-1, column],
            count=recipe.days - shared,
            rng=np.random.default_rng(seeds),
        )
    total = np.rint(np.cumsum(days * recipe.scale, axis=0)).astype("int64")
    return np.diff(total, axis=0, prepend=0)


def _further_days(
    kind: JobClass, *, first: int, before: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    mean, deviation, memory, weekday = kind.daily
    # A weekday has 2/7, a day of the weekend -5/7 of ln(weekday): their mean over a week is 0.
    effect = np.log(weekday)
    day = FIRST_DAY.astype("int64") + np.arange(first, first + count)
    working = (day + 3) % 7 < 5  # 1970-01-01 was a Thursday
    level = mean + np.where(working, 2 / 7, -5 / 7) * effect
    spread = np.sqrt(deviation**2 - 10 / 49 * effect**2)
    shocks = rng.normal(scale=spread * np.sqrt(1 - memory**2), size=count)
    away = np.clip(np.log(max(before, 1.0)) - mean, -2 * spread, 2 * spread)
    deviations = np.empty(count)
    for i, shock in enumerate(shocks):
        away = memory * away + shock
        deviations[i] = away
    return np.exp(level + deviations)


def blocks(recipe: Recipe) -> list[Block]:
    """Cut the days into blocks of at most `BLOCK_JOBS` jobs of a class.

    Raises
    ------
    TraceError
        If there is no job.
    """
    counts = daily_counts(recipe)
    if not counts.any():
        raise TraceError(f"scale {recipe.scale} leaves no job in {recipe.days} days; raise it.")
    result = []
    first = 1
    for day, jobs in enumerate(counts):
        of = max(1, -(-int(jobs.max()) // BLOCK_JOBS))
        edges = np.rint(np.outer(np.arange(of + 1) / of, jobs)).astype(int)
        for number, (begin, end) in enumerate(pairwise(edges)):
            generic, ml = (end - begin).tolist()
            if generic or ml:
                result.append(Block(day, number, of, first, (generic, ml)))
                first += generic + ml
    return result


def parts(recipe: Recipe) -> Iterator[list[Block]]:
    """Group the blocks into files of at least `PART_JOBS` jobs, the last one excepted."""
    part: list[Block] = []
    jobs = 0
    for block in blocks(recipe):
        part.append(block)
        jobs += sum(block.jobs)
        if jobs >= PART_JOBS:
            yield part
            part, jobs = [], 0
    if part:
        yield part
