"""The cheapest hardware that is good enough: differential evolution over its parameters."""

import concurrent.futures
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from restudy.qnet.arguments import positive, whole
from restudy.qnet.errors import QnetError
from restudy.qnet.moments import Moments
from restudy.qnet.sweeps import Experiment, Sampling, measure

P = TypeVar("P")


@dataclass(frozen=True)
class Search:
    """How long to search.

    Attributes
    ----------
    generations : int
        At most this many, after the first.
    members : int
        Candidates of a generation, at least 5; ten a parameter is usual.
    seed : int
        Of the search; the seed of the runs is that of their `Sampling`.
    tolerance : float
        Stop when the costs of a generation differ by less than this share of their mean.
    """

    generations: int = 100
    members: int = 40
    seed: int = 0
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        """Check the numbers."""
        whole("generations", self.generations, least=1)
        whole("members", self.members, least=5)
        whole("seed", self.seed)
        positive("tolerance", self.tolerance)


@dataclass(frozen=True)
class Optimum:
    """The cheapest candidate within the limits.

    Attributes
    ----------
    parameters : dict of str to float
        Where it is.
    cost : float
        What it costs.
    measured : dict of str to Moments
        What its runs measured.
    candidates : pandas.DataFrame
        Every candidate in the order of evaluation: `generation`, the parameters, `cost`, the mean
        of each limited quantity, and `excess`, the sum over limits of how far the mean is out.
    """

    parameters: dict[str, float]
    cost: float
    measured: dict[str, Moments]
    candidates: pd.DataFrame


def total(factors: Mapping[str, float]) -> float:
    """Sum of the factors of improvement: a cost, as in arXiv:2010.16373."""
    return sum(factors.values())


def optimise(
    experiment: Experiment[P],
    make: Callable[[dict[str, float]], P],
    bounds: Mapping[str, tuple[float, float]],
    limits: Mapping[str, tuple[float, float]],
    sampling: Sampling,
    *,
    cost: Callable[[dict[str, float]], float] = total,
    search: Search = Search(),
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
) -> Optimum:
    r"""Minimise a cost of parameters such that means of an experiment keep within limits.

    .. math:: \min_x C(x) \quad \text{subject to} \quad l_q \le E[q(x)] \le u_q

    Parameters
    ----------
    experiment : Experiment
        ``experiment(point, runs, rng=rng)`` returns samples by name.
    make : callable
        Makes a point from parameters; for factors of improvement, for instance,
        ``lambda k: improve_fields(hardware, k)``.
    bounds : mapping of str to tuple of float
        Least and greatest value of each parameter.
    limits : mapping of str to tuple of float
        Least and greatest mean of quantities: a rate of at least R is a duration of at most 1/R.
    sampling : Sampling
        Runs of each candidate, with the same random numbers for all.
    cost : callable
        Cost of parameters; their sum by default.
    search : Search
        Length and seed of the search.
    executor, folder
        As for `restudy.qnet.sweeps.measure`. With a folder, each generation is kept as it is
        evaluated: run again after an interruption, the search repeats its steps from what is
        kept and goes on.

    Returns
    -------
    Optimum
        The same bits for any executor, with or without a folder.

    Raises
    ------
    QnetError
        If bounds or limits are no intervals, a limited quantity is not measured, or no candidate
        is within the limits.
    SweepError
        If runs fail.

    Notes
    -----
    Strategy best/1/bin with a scale of 0.5 to 1 drawn anew each generation. A candidate outside
    the limits loses to one that is nearer to them, each limit taken as a share of itself; no
    penalty has to be chosen. A mean has a standard error, and the optimum lies at the limits:
    measure it again with another seed and more runs.

    References
    ----------
    Storn, Price, doi:10.1023/A:1008202821328; Deb, doi:10.1016/S0045-7825(99)00389-8, for the
    limits; for repeater hardware with a genetic algorithm, arXiv:2010.16373.

    Examples
    --------
    >>> def parts(k, runs, *, rng):
    ...     return {"F": np.full(runs, 0.8 ** (1 / k["swap"]) * 0.8 ** (1 / k["link"]))}
    >>> found = optimise(
    ...     parts, dict, {"swap": (1, 20), "link": (1, 20)}, {"F": (0.9, 1)}, Sampling(1, seed=0)
    ... )
    >>> best = 4 * np.log(0.8) / np.log(0.9)  # both factors equal
    >>> bool(0 <= found.cost / best - 1 < 1e-3)
    True
    """
    if not bounds:
        raise QnetError("bounds are {}; give at least one parameter with its least and greatest.")
    low, high = np.array([_interval(name, *at) for name, at in bounds.items()]).T
    if not np.isfinite([low, high]).all():
        raise QnetError(f"bounds are {dict(bounds)}; give finite ones.")
    wanted = {name: _interval(name, *at) for name, at in limits.items()}
    rng = np.random.default_rng(search.seed)
    history: list[_Candidate] = []

    def evaluated(positions: np.ndarray, generation: int) -> list[_Candidate]:
        parameters = [dict(zip(bounds, row.tolist(), strict=True)) for row in positions]
        measured = measure(
            experiment,
            [make(point) for point in parameters],
            sampling,
            streams=[0] * len(parameters),
            executor=executor,
            folder=folder,
        )
        history.extend(
            _Candidate(generation, at, float(cost(at)), _excess(found, wanted), found)
            for at, found in zip(parameters, measured, strict=True)
        )
        return history[-len(positions) :]

    positions = low + (high - low) * _latin_hypercube(search.members, len(low), rng=rng)
    members = evaluated(positions, 0)
    for generation in range(1, search.generations + 1):
        if _alike(members, search.tolerance):
            break
        best = min(range(len(members)), key=lambda i: members[i].rank)
        trials = np.clip(_trials(positions, best, rng=rng), low, high)
        for i, trial in enumerate(evaluated(trials, generation)):
            if trial.rank <= members[i].rank:
                members[i], positions[i] = trial, trials[i]
    return _optimum(min(members, key=lambda member: member.rank), history, wanted)


@dataclass(frozen=True)
class _Candidate:
    generation: int
    parameters: dict[str, float]
    cost: float
    excess: float
    measured: dict[str, Moments]

    @property
    def rank(self) -> tuple[float, float]:
        """What is compared: the way to the limits, then the cost."""
        return self.excess, self.cost


def _excess(measured: Mapping[str, Moments], limits: Mapping[str, tuple[float, float]]) -> float:
    """Return how far means are outside their limits, each as a share of the limit, summed."""
    excess = 0.0
    for name, (least, most) in limits.items():
        if name not in measured:
            raise QnetError(
                f"the experiment measures {', '.join(sorted(measured))} and not {name!r}; "
                "limit what it measures."
            )
        mean = measured[name].mean
        if math.isnan(mean):  # not a single sample: worse than any mean
            return math.inf
        limit = least if mean < least else most
        if not least <= mean <= most:
            excess += abs(mean - limit) / (abs(limit) or 1.0)
    return excess


def _latin_hypercube(n: int, dimensions: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return n points in the unit cube, one in each n-th of every axis, (n, dimensions)."""
    rows = rng.permuted(np.tile(np.arange(n), (dimensions, 1)), axis=1).T
    return (rows + rng.random((n, dimensions))) / n


def _trials(positions: np.ndarray, best: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return a trial for each member, (members, dimensions): best/1/bin with a random scale."""
    n, dimensions = positions.shape
    order = rng.permutation(n)  # on a random ring, the two members after each
    first, second = np.empty(n, int), np.empty(n, int)
    first[order], second[order] = np.roll(order, -1), np.roll(order, -2)
    mutants = positions[best] + rng.uniform(0.5, 1.0) * (positions[first] - positions[second])
    crossed = rng.random((n, dimensions)) < 0.7
    crossed[np.arange(n), rng.integers(dimensions, size=n)] = True
    return np.where(crossed, mutants, positions)


def _alike(members: list[_Candidate], tolerance: float) -> bool:
    """Whether all members are within the limits and cost the same."""
    costs = np.array([member.cost for member in members])
    inside = all(member.excess == 0.0 for member in members)
    return inside and float(costs.std()) <= tolerance * abs(float(costs.mean()))


def _optimum(
    best: _Candidate, history: list[_Candidate], limits: Mapping[str, tuple[float, float]]
) -> Optimum:
    if best.excess > 0.0:
        found = ", ".join(
            f"{name} {best.measured[name].mean:.6g} (wanted {least:g} to {most:g})"
            for name, (least, most) in limits.items()
        )
        raise QnetError(
            f"none of {len(history)} candidates is within the limits; the nearest has {found}: "
            "widen the bounds or the limits, or search longer."
        )
    rows = [
        {
            "generation": candidate.generation,
            **candidate.parameters,
            "cost": candidate.cost,
            **{name: candidate.measured[name].mean for name in limits},
            "excess": candidate.excess,
        }
        for candidate in history
    ]
    return Optimum(best.parameters, best.cost, best.measured, pd.DataFrame(rows))


def _interval(name: str, least: float, most: float) -> tuple[float, float]:
    """Return an interval, or raise `QnetError`; its ends may be infinite."""
    if math.isnan(least) or math.isnan(most) or least > most:
        raise QnetError(
            f"{name} has the interval {least:g} to {most:g}; give the lesser end first."
        )
    return float(least), float(most)
