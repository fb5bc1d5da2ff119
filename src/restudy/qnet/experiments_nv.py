"""Figures 5 and 6: repeater chains of nitrogen-vacancy centres (arXiv 2010.12535, II.C)."""

import enum
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from restudy.qnet.arguments import positive, whole
from restudy.qnet.batch.nv_maps import nv_maps
from restudy.qnet.batch.nv_nested import nested_with_distill
from restudy.qnet.batch.nv_swap_asap import swap_asap
from restudy.qnet.hardware.nv_link import direct_pair
from restudy.qnet.hardware.nv_parameters import NEAR_TERM, NVParameters, improved
from restudy.qnet.moments import Moments
from restudy.qnet.sweeps import Sampling, measure


class Scheme(enum.StrEnum):
    """How the nodes of a chain work together."""

    DIRECT = "no repeater"
    SWAP_ASAP = "SWAP-ASAP"
    NESTED = "NESTED-WITH-DISTILL"


@dataclass(frozen=True)
class NVChain:
    """One point of a figure.

    Attributes
    ----------
    scheme : Scheme
        Protocol.
    repeaters : int
        Nodes between the ends; 0 without repeaters.
    distance_km : float
        Distance of the ends, km; the nodes are equally spaced.
    improvement : float
        Factor by which near-term hardware is improved.
    separately : tuple of (str, float)
        Parameters of `NVParameters` with factors of their own.
    """

    scheme: Scheme
    repeaters: int
    distance_km: float
    improvement: float
    separately: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        whole("repeaters", self.repeaters)
        positive("distance_km", self.distance_km)

    @property
    def parameters(self) -> NVParameters:
        """Parameters of all nodes and links."""
        return improved(NEAR_TERM, self.improvement, dict(self.separately))


SEVEN: Final = (
    (Scheme.DIRECT, 0),
    *((scheme, n) for scheme in (Scheme.SWAP_ASAP, Scheme.NESTED) for n in (1, 3, 7)),
)
"""Schemes and numbers of repeaters of Figure 5(b, c)."""

PARAMETERS: Final = {
    "two-qubit gate": "two_qubit_fidelity",
    "detection": "p_detection",
    "storage": "storage_attempts",
    "visibility": "visibility",
}
"""Parameters of Figure 6, and what they are called in `NVParameters`."""


@dataclass(frozen=True)
class Setup:
    """How much is computed; the method never depends on it.

    Attributes
    ----------
    distances_km : tuple of float
        Of Figure 5(a), km.
    distance_runs : int
        Runs a point of Figure 5(a).
    improvements : tuple of float
        Of Figure 5(b, c).
    improvement_runs : int
        Runs a point of Figure 5(b, c).
    sensitivity_runs : int
        Runs a point of Figure 6.
    """

    distances_km: tuple[float, ...]
    distance_runs: int
    improvements: tuple[float, ...]
    improvement_runs: int
    sensitivity_runs: int

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of some twenty seconds, most of them to compile."""
        some = (20.0, 100.0, 250.0, 500.0, 700.0, 750.0, 1000.0, 1250.0, 1500.0)
        return cls(some, 200, (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0), 50, 1000)

    @classmethod
    def full(cls) -> Self:
        """Make a setup of some minutes: more runs than the paper's."""
        return cls(_DISTANCES, 2000, _IMPROVEMENTS, 1000, 100_000)

    @classmethod
    def paper(cls) -> Self:
        """Make a setup with the paper's runs: 200, 100 and 1000 a point."""
        return cls(_DISTANCES, 200, _IMPROVEMENTS, 100, 1000)


_DISTANCES = (20.0, *np.arange(50.0, 1501.0, 50.0).tolist())
_IMPROVEMENTS = tuple(np.arange(1.0, 31.0).tolist())


def simulate(point: NVChain, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Run a chain with repeaters: fidelity and duration, s, of each run.

    Parameters
    ----------
    point : NVChain
        The chain.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    dict of str to numpy.ndarray
        ``fidelity`` and ``duration_s``, each (runs,).

    Examples
    --------
    >>> point = NVChain(Scheme.SWAP_ASAP, 3, 500.0, 3.0)
    >>> found = simulate(point, 4000, rng=np.random.default_rng(1))
    >>> round(float(found["fidelity"].mean()), 2)
    0.39
    """
    nodes = point.repeaters + 2
    maps = nv_maps(point.parameters, point.distance_km / (nodes - 1))
    execute = nested_with_distill if point.scheme is Scheme.NESTED else swap_asap
    found = execute(maps, nodes=nodes, runs=runs, rng=rng)
    return {"fidelity": found.fidelity, "duration_s": found.duration_ns * 1e-9}


def chains(
    points: Sequence[NVChain], runs: int, *, seed: int, executor: Executor | None = None
) -> pd.DataFrame:
    """Measure chains; those without repeaters in closed form.

    Parameters
    ----------
    points : sequence of NVChain
        What to measure.
    runs : int
        Runs of each, at least 2.
    seed : int
        Block b of point i has the child (i, b) of it.
    executor : concurrent.futures.Executor, optional
        Where the blocks are run: here, by default.

    Returns
    -------
    pandas.DataFrame
        A row a point: ``scheme``, ``repeaters``, ``distance_km``, ``improvement``, ``fidelity``,
        ``rate_hz``, their standard errors ``fidelity_error`` and ``rate_error_hz`` (0 for closed
        forms), and ``runs`` (0 likewise).
    """
    whole("runs", runs, least=2)
    drawn = [i for i, point in enumerate(points) if point.scheme is not Scheme.DIRECT]
    found = measure(
        simulate,
        [points[i] for i in drawn],
        Sampling(runs=runs, seed=seed, block=250),
        streams=drawn,
        executor=executor,
    )
    rows = dict(zip(drawn, map(_estimates, found), strict=True))
    for i, point in enumerate(points):
        if point.scheme is Scheme.DIRECT:
            exact = direct_pair(point.parameters, point.distance_km)
            rows[i] = _row(exact.fidelity, 0.0, exact.rate_hz, 0.0, 0)
    return pd.DataFrame(
        {
            "scheme": str(point.scheme),
            "repeaters": point.repeaters,
            "distance_km": point.distance_km,
            "improvement": point.improvement,
            **rows[i],
        }
        for i, point in enumerate(points)
    )


def _estimates(found: dict[str, Moments]) -> dict[str, Any]:
    fidelity, duration = found["fidelity"], found["duration_s"]
    rate = 1 / duration.mean
    relative = duration.standard_error / duration.mean
    return _row(fidelity.mean, fidelity.standard_error, rate, rate * relative, fidelity.count)


def _row(
    fidelity: float, error: float, rate_hz: float, rate_error_hz: float, runs: int
) -> dict[str, Any]:
    return {
        "fidelity": fidelity,
        "fidelity_error": error,
        "rate_hz": rate_hz,
        "rate_error_hz": rate_error_hz,
        "runs": runs,
    }


def figure5a(setup: Setup, *, seed: int, executor: Executor | None = None) -> pd.DataFrame:
    """Run Figure 5(a): near-term and 10x hardware, none and three repeaters, over distance.

    Parameters
    ----------
    setup : Setup
        Distances and runs.
    seed : int
        Source of all chance.
    executor : concurrent.futures.Executor, optional
        Where the blocks are run: here, by default.

    Returns
    -------
    pandas.DataFrame
        As `chains` gives it.
    """
    points = [
        NVChain(scheme, repeaters, distance_km, factor)
        for factor in (1.0, 10.0)
        for scheme, repeaters in ((Scheme.DIRECT, 0), (Scheme.SWAP_ASAP, 3))
        for distance_km in setup.distances_km
    ]
    return chains(points, setup.distance_runs, seed=seed, executor=executor)


def figure5bc(setup: Setup, *, seed: int, executor: Executor | None = None) -> pd.DataFrame:
    """Run Figure 5(b, c): seven protocols over uniform improvement, at 500 and 800 km.

    Parameters
    ----------
    setup : Setup
        Improvements and runs.
    seed : int
        Source of all chance.
    executor : concurrent.futures.Executor, optional
        Where the blocks are run: here, by default.

    Returns
    -------
    pandas.DataFrame
        As `chains` gives it.
    """
    points = [
        NVChain(scheme, repeaters, distance_km, factor)
        for distance_km in (500.0, 800.0)
        for scheme, repeaters in SEVEN
        for factor in setup.improvements
    ]
    return chains(points, setup.improvement_runs, seed=seed, executor=executor)


def figure6(setup: Setup, *, seed: int, executor: Executor | None = None) -> pd.DataFrame:
    """Run Figure 6: all hardware 3x at 500 km, one or two parameters at 2, 10 and 50x.

    Parameters
    ----------
    setup : Setup
        Runs.
    seed : int
        Source of all chance.
    executor : concurrent.futures.Executor, optional
        Where the blocks are run: here, by default.

    Returns
    -------
    pandas.DataFrame
        As `chains` gives it, with ``first`` and ``second``, keys of `PARAMETERS` or "", and their
        ``factor``; the first row has neither and the factor 3.
    """
    cases = [("", "", 3.0)]
    cases += [(name, "", factor) for name in PARAMETERS for factor in (2.0, 10.0, 50.0)]
    pairs = combinations(PARAMETERS, 2)
    cases += [(*pair, factor) for pair in pairs for factor in (2.0, 10.0, 50.0)]
    points = [
        NVChain(
            Scheme.SWAP_ASAP,
            repeaters=3,
            distance_km=500.0,
            improvement=3.0,
            separately=tuple((PARAMETERS[name], factor) for name in (first, second) if name),
        )
        for first, second, factor in cases
    ]
    table = chains(points, setup.sensitivity_runs, seed=seed, executor=executor)
    labels = pd.DataFrame(cases, columns=["first", "second", "factor"])
    return pd.concat([labels, table], axis="columns")
