"""Figure 7: key, errors and attempts over the distance, with two memories."""

from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from restudy.parallel.sweeps import sweep
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.ensemble_detection import Detector
from restudy.qnet.hardware.ensemble_memories import AFC, EIT, EnsembleMemory
from restudy.qnet.hardware.ensemble_repeater import EnsembleRepeater, attempt
from restudy.qnet.hardware.ensemble_sampling import sample
from restudy.qnet.hardware.ensemble_states import PairSource

MEMORIES = (EIT, AFC)
FIGURES = ("key_rate", "qber_x", "qber_z", "attempts")


@dataclass(frozen=True)
class Setup:
    """How much is computed; the method never depends on it.

    Attributes
    ----------
    distances_km : tuple of float
        From end to end.
    successes : dict of str to int
        Sampled in each basis at each distance, by the memory's name.
    """

    distances_km: tuple[float, ...]
    successes: dict[str, int]

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of some seconds."""
        return cls((0, 25, 50, 75, 100), {"EIT": 1_000, "AFC": 1_000})

    @classmethod
    def full(cls) -> Self:
        """Make a setup of a minute, with the successes of the paper in each basis."""
        return cls((0, 10, 20, 30, 40, 50, 60, 75, 80, 90, 100), {"EIT": 10_000, "AFC": 30_000})

    @classmethod
    def paper(cls) -> Self:
        """Take the sizes of the paper, which are small here: the full setup."""
        return cls.full()


def exact(setup: Setup, memories: tuple[EnsembleMemory, ...] = MEMORIES) -> pd.DataFrame:
    """Compute Figure 7 from the probabilities of an attempt.

    Parameters
    ----------
    setup : Setup
        Its distances.
    memories : tuple of EnsembleMemory
        What to compare.

    Returns
    -------
    pandas.DataFrame
        A row for each memory, distance and figure: ``memory``, ``distance_km``, ``figure`` (one of
        `FIGURES`), ``value``.
    """
    rows = []
    for memory in memories:
        for distance in setup.distances_km:
            found = asdict(attempt(EnsembleRepeater(distance, memory)).performance())
            rows += [(memory.name, distance, figure, found[figure]) for figure in FIGURES]
    return pd.DataFrame(rows, columns=["memory", "distance_km", "figure", "value"])


def sampled(
    setup: Setup,
    memories: tuple[EnsembleMemory, ...] = MEMORIES,
    *,
    seed: int,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Draw the attempts of Figure 7, as the paper did.

    Parameters
    ----------
    setup : Setup
        Distances and successes.
    memories : tuple of EnsembleMemory
        What to compare; the setup has the successes of each.
    seed : int
        Each point has its own child of it.
    executor : concurrent.futures.Executor, optional
        Where the points are evaluated: here, by default.

    Returns
    -------
    pandas.DataFrame
        As of `exact`, with the standard error of each value, ``error``.

    Raises
    ------
    QnetError
        If the setup says nothing of a memory.
    """
    if missing := {memory.name for memory in memories} - set(setup.successes):
        raise QnetError(
            f"the setup has the successes of {sorted(setup.successes)}; give those of "
            f"{sorted(missing)}, too."
        )
    points = [
        (EnsembleRepeater(distance, memory), setup.successes[memory.name])
        for memory in memories
        for distance in setup.distances_km
    ]
    rows = []
    for (repeater, _), found in zip(
        points, sweep(_sampled, points, seed=seed, executor=executor), strict=True
    ):
        rows += [
            (repeater.memory.name, repeater.length_km, figure, *found[figure]) for figure in FIGURES
        ]
    return pd.DataFrame(rows, columns=["memory", "distance_km", "figure", "value", "error"])


def _sampled(
    point: tuple[EnsembleRepeater, int], rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Give value and standard error of each figure at one distance."""
    drawn = sample(*point, rng=rng)
    values, errors = asdict(drawn.performance()), asdict(drawn.errors())
    return {figure: (values[figure], errors[figure]) for figure in FIGURES}


def crossing_km(one: EnsembleMemory = EIT, other: EnsembleMemory = AFC) -> float:
    """Give the distance at which two memories give the same key, km.

    Parameters
    ----------
    one, other : EnsembleMemory
        What to compare.

    Returns
    -------
    float
        Between 1 and 100 km.

    Raises
    ------
    QnetError
        If one of them is better at both ends of that range.
    """

    def lead(distance: float) -> float:
        """Give the difference of their key rates over the sum, 0 without any key."""
        first, second = (
            attempt(EnsembleRepeater(distance, memory)).performance().key_rate
            for memory in (one, other)
        )
        return (first - second) / (first + second) if first + second else 0.0

    ends = lead(1.0), lead(100.0)
    if not ends[0] * ends[1] < 0:
        raise QnetError(
            f"the key rates of {one.name} and {other.name} do not cross between 1 and 100 km "
            f"(lead of the first: {ends[0]:.3g} and {ends[1]:.3g} of the sum); compare others."
        )
    return float(brentq(lead, 1.0, 100.0, xtol=1e-6))


def findings(exactly: pd.DataFrame, drawn: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on Figure 7 ask for.

    Parameters
    ----------
    exactly, drawn : pandas.DataFrame
        Of `exact` and `sampled`, with the same setup, of 50 and 75 km among others.

    Returns
    -------
    dict of str to float
        Claim to measured value.
    """
    table = exactly.set_index(["figure", "memory", "distance_km"])["value"]
    errors = exactly[exactly["figure"].isin(["qber_x", "qber_z"])]
    both = drawn.merge(exactly, on=["memory", "distance_km", "figure"], suffixes=("", "_exact"))
    both = both[both["figure"].isin(["qber_x", "qber_z"])]
    off = (both["value"] - both["value_exact"]).abs() / both["error"]
    ideal = attempt(
        EnsembleRepeater(50.0, EIT, PairSource((0.0, 1.0)), Detector(dark_counts=0.0), 1.0)
    ).performance()
    return {
        "memory-crossing": crossing_km(),
        "memory-long": float(table["key_rate", "AFC", 75] / table["key_rate", "EIT", 75]),
        "memory-qber": float(errors.loc[errors["distance_km"] <= 50, "value"].max()),
        "memory-attempts": float(table["attempts", "EIT", 50]),
        "memory-sampled": float(off.max()),
        "memory-ideal": max(ideal.qber_x, ideal.qber_z),
    }
