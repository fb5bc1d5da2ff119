"""What better hardware would bring: the paper's rule of improvement, one parameter at a time."""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from restudy.qnet.arguments import chance, positive
from restudy.qnet.errors import QnetError
from restudy.qnet.sweeps import Experiment, Sampling, measure, tidy

P = TypeVar("P")


def improve(p_no_error: float, k: float) -> float:
    r"""Probability of no error after an improvement by a factor, :math:`p^{1/k}`.

    Parameters
    ----------
    p_no_error : float
        Probability p that the operation makes no error, above 0.
    k : float
        Factor, above 0; 1 changes nothing, infinity would make it perfect.

    Returns
    -------
    float
        The new probability.

    Raises
    ------
    QnetError
        If an argument is out of range.

    References
    ----------
    Coopmans et al., arXiv:2010.12535, Methods.

    Examples
    --------
    >>> improve(0.81, 2.0)
    0.9
    """
    return chance("p_no_error", p_no_error) ** (1.0 / positive("k", k))


def improve_fields(hardware: P, factors: Mapping[str, float]) -> P:
    """Improve fields of a dataclass that are probabilities of no error.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Parts:
    ...     swap: float
    ...     link: float
    >>> improve_fields(Parts(swap=0.81, link=0.5), {"swap": 2.0})
    Parts(swap=0.9, link=0.5)
    """
    known = [field.name for field in dataclasses.fields(hardware)]  # type: ignore[arg-type]
    for name in factors:
        if name not in known:
            raise QnetError(f"{name!r} is no field of the hardware; choose of {', '.join(known)}.")
    better = {name: improve(getattr(hardware, name), k) for name, k in factors.items()}
    return dataclasses.replace(hardware, **better)  # type: ignore[type-var]


def sensitivity(
    experiment: Experiment[P],
    hardware: P,
    factors: Mapping[str, Sequence[float]],
    sampling: Sampling,
    *,
    improved: Callable[[P, Mapping[str, float]], P] = improve_fields,
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Improve one parameter at a time and measure, with common random numbers.

    Parameters
    ----------
    experiment : Experiment
        ``experiment(hardware, runs, rng=rng)`` returns samples by name.
    hardware : dataclass
        The parameters to start from.
    factors : mapping of str to sequence of float
        Factors by which each parameter, by name, is improved.
    sampling : Sampling
        Numbers of runs and seed.
    improved : callable
        ``improved(hardware, {name: factor})`` returns the improved hardware; `improve_fields`,
        by default, takes each field for a probability of no error.
    executor, folder
        As for `measure`.

    Returns
    -------
    pandas.DataFrame
        Columns `parameter` (empty for the hardware itself), `factor`, `quantity`, `count`,
        `mean`, `standard_error`.

    Raises
    ------
    QnetError
        If a parameter is unknown or a factor out of range.
    SweepError
        If tasks fail.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Parts:
    ...     swap: float
    ...     link: float
    >>> import numpy as np
    >>> def product(parts, runs, *, rng):
    ...     return {"F": np.full(runs, parts.swap * parts.link)}
    >>> table = sensitivity(product, Parts(0.81, 0.5), {"swap": [2]}, Sampling(2, seed=0))
    >>> table["mean"].round(3).tolist(), table["parameter"].tolist()
    ([0.405, 0.45], ['', 'swap'])
    """
    labels: list[dict[str, Any]] = [{"parameter": "", "factor": 1.0}]
    labels += [{"parameter": name, "factor": k} for name, ks in factors.items() for k in ks]
    better = [improved(hardware, {row["parameter"]: row["factor"]}) for row in labels[1:]]
    measured = measure(
        experiment,
        [hardware, *better],
        sampling,
        streams=[0] * len(labels),
        executor=executor,
        folder=folder,
    )
    return tidy(labels, measured)
