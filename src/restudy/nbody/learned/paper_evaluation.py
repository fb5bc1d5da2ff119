"""The four experiments of arXiv 2111.15631, each with the exact kick, without a kick, and learned.

The paper shows energies and orbits of the classical run and of its network. What it lacks is the
control: with no kick at all, planets stay on their ellipses, and energy and angular momentum are
as good as kept. A network has learned something when it is nearer to the exact run than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit

from restudy.nbody.catalogue import equal_binary, planetesimals, sun_jupiter_saturn, trappist_1
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.comparison import Deviation, deviation
from restudy.nbody.learned.kicked import (
    FloatArray,
    JacobiFrame,
    JacobiTrajectory,
    Kick,
    TrueKick,
    ZeroKick,
    frame_of,
    integrate_kicked,
)
from restudy.nbody.learned.paper_kernels import FewGradients
from restudy.nbody.learned.paper_network import INPUTS, PaperNetwork
from restudy.nbody.learned.paper_training import BodySamples
from restudy.nbody.system import System

_FEW = 7  # planets up to which compiled code is faster than BLAS
_PART = 512  # rows whose arrays stay in the cache


class PaperKick:
    """The paper's network as a kick: each body alone gives its own acceleration about the star.

    Parameters
    ----------
    network : PaperNetwork
        In float32.
    frame : JacobiFrame
        Of the system.
    """

    def __init__(self, network: PaperNetwork, frame: JacobiFrame) -> None:
        self._network = network
        self._masses = frame.masses[1:, None]
        self._to_jacobi = np.linalg.inv(frame.heliocentric)
        planets = len(self._masses)
        self._few = FewGradients(network, planets) if planets <= _FEW else None

    def about_star(self, q: FloatArray, v: FloatArray) -> FloatArray:
        """Return accelerations about the star, (..., n, 3), of n bodies [au/yr2]."""
        x = np.concatenate((q, self._masses * v), axis=-1, dtype=np.float32, casting="same_kind")
        if self._few is not None and x.ndim == 2:
            return self._few(x)[:, 3:].astype(np.float64)
        return accelerations(self._network, x.reshape(-1, x.shape[-1])).reshape(q.shape)

    def __call__(self, q: FloatArray, v: FloatArray, /) -> FloatArray:
        """Return Jacobi accelerations (N - 1, 3) [au/yr2]."""
        return self._to_jacobi @ self.about_star(q, v)


@dataclass(frozen=True, eq=False)
class PaperExperiment:
    """A system, and how it is followed.

    Attributes
    ----------
    name : str
        Of the experiment.
    system : System
        Of star and planets, from the inside to the outside.
    step : float
        Of the runs without and with the network [yr].
    steps : int
        Of these.
    finer : int
        Steps of the exact run in one of these.
    """

    name: str
    system: System
    step: float
    steps: int
    finer: int = 1

    def shortened(self, steps: int) -> PaperExperiment:
        """Return the experiment with fewer steps, or as it is."""
        return replace(self, steps=min(steps, self.steps))


def paper_experiments(seed: int) -> tuple[PaperExperiment, ...]:
    """Return the four experiments.

    Parameters
    ----------
    seed : int
        Of phases in TRAPPIST-1 and of the planetesimals.

    Returns
    -------
    tuple of PaperExperiment
        Two bodies of one mass; Sun, Jupiter and Saturn; TRAPPIST-1; 100 planetesimals.

    Notes
    -----
    The steps are the authors'. In TRAPPIST-1 one step is 24 orbits of planet b, where the exact
    kick makes no sense, so that the exact run has a hundredth of it, as theirs, which is still a
    quarter of an orbit. Their runs with and without the network had other phases.
    """
    seeds = np.random.SeedSequence(seed).spawn(2)
    phases, orbits = (np.random.default_rng(child) for child in seeds)
    return (
        PaperExperiment("two bodies", equal_binary(), 0.1, 10_000),
        PaperExperiment("Sun, Jupiter, Saturn", sun_jupiter_saturn(), 1.0, 2_000),
        PaperExperiment("TRAPPIST-1", trappist_1(phases), 0.1, 2_000, finer=100),
        PaperExperiment("planetesimals", planetesimals(orbits), 1.0, 200),
    )


@dataclass(frozen=True)
class Agreement:
    """A kick beside the true one, over bodies and times.

    Attributes
    ----------
    r2 : float
        1 - sum of (a - a_true)^2 over sum of a_true^2: 0 for no kick; nan where there is none.
    cosine : float
        Between the two as one long vector; nan where one of them is 0.
    size, true_size : float
        Their root mean squares [au/yr2].
    """

    r2: float
    cosine: float
    size: float
    true_size: float


def agreement(found: FloatArray, true: FloatArray) -> Agreement:
    """Compare accelerations with the true ones.

    Parameters
    ----------
    found, true : numpy.ndarray
        Of one shape [au/yr2].

    Returns
    -------
    Agreement
        Explained share, direction and size.

    Examples
    --------
    >>> agreement(np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    Agreement(r2=0.75, cosine=1.0, size=0.7071067811865476, true_size=1.4142135623730951)
    """
    a, b = found.ravel(), true.ravel()
    squares, true_squares = float(a @ a), float(b @ b)
    wrong = float((a - b) @ (a - b))
    both = float(np.sqrt(squares) * np.sqrt(true_squares))
    return Agreement(
        r2=1 - wrong / true_squares if true_squares else np.nan,
        cosine=float(a @ b) / both if both else np.nan,
        size=float(np.sqrt(squares / a.size)),
        true_size=float(np.sqrt(true_squares / b.size)),
    )


def agreement_on(network: PaperNetwork, samples: BodySamples) -> Agreement:
    """Compare the network's accelerations with those of samples, its own kind of data."""
    found = accelerations(network, samples.inputs)
    return agreement(found, samples.targets[:, 3:].astype(np.float64))


def accelerations(network: PaperNetwork, inputs: NDArray[np.float32]) -> FloatArray:
    """Return what a network makes of many bodies.

    Parameters
    ----------
    network : PaperNetwork
        In float32.
    inputs : numpy.ndarray of float32, shape (n, 6)
        Positions and momenta; those of stars are zeros, of which one is asked for.

    Returns
    -------
    numpy.ndarray, shape (n, 3)
        Accelerations about the star [au/yr2].
    """
    planets = inputs.any(axis=1)
    asked = np.concatenate((inputs[planets], np.zeros((1, INPUTS), np.float32)))
    with torch.inference_mode():
        parts = torch.split(torch.from_numpy(asked), _PART)
        given = torch.cat([network.gradient(part)[:, 3:] for part in parts]).double().numpy()
    found = np.empty((len(inputs), 3))
    found[planets], found[~planets] = given[:-1], given[-1]
    return found


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one kick did.

    Attributes
    ----------
    run : Deviation
        Energy, angular momentum, eccentricities, and phases against the exact run.
    kick : Agreement
        With the exact kick, at the states of the exact run.
    """

    run: Deviation
    kick: Agreement


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What all kicks did in one experiment.

    Attributes
    ----------
    experiment : PaperExperiment
        Which.
    exact, zero : Outcome
        With the exact kick, and with none.
    first_only : Outcome
        With none but the very first half step's, which is exact in the authors' code whatever
        follows.
    networks : tuple of Outcome
        With each network, after such a first half step.
    """

    experiment: PaperExperiment
    exact: Outcome
    zero: Outcome
    first_only: Outcome
    networks: tuple[Outcome, ...]


def evaluate(
    experiments: Sequence[PaperExperiment],
    networks: Sequence[PaperNetwork],
    *,
    executor: Executor | None = None,
) -> dict[str, Evaluation]:
    """Run experiments with all kicks.

    Parameters
    ----------
    experiments : sequence of PaperExperiment
        What to run.
    networks : sequence of PaperNetwork
        Trained ones, one for each seed.
    executor : concurrent.futures.Executor, optional
        Where the networks are run side by side; the results do not depend on it.

    Returns
    -------
    dict of str to Evaluation
        What each kick did, by the name of the experiment.

    Raises
    ------
    NBodyError
        If a kick is no number.
    """
    references = [_reference(one) for one in experiments]
    run: Callable[..., Iterable[Outcome]] = map if executor is None else executor.map
    asked = [
        (*both, network)
        for both in zip(experiments, references, strict=True)
        for network in networks
    ]
    learned = iter(run(_of_network, *zip(*asked, strict=True)) if asked else ())
    found = {}
    for one, reference in zip(experiments, references, strict=True):
        exact = TrueKick(reference.frame)
        found[one.name] = Evaluation(
            experiment=one,
            exact=Outcome(deviation(reference, reference), _kick_on(exact, reference)),
            zero=_outcome(one, ZeroKick(), ZeroKick(), reference),
            first_only=_outcome(one, ZeroKick(), exact, reference),
            networks=tuple(next(learned) for _ in networks),
        )
    return found


def _reference(experiment: PaperExperiment) -> JacobiTrajectory:
    """Run an experiment with the exact kick and its finer step."""
    system, finer = experiment.system, experiment.finer
    exact = TrueKick(frame_of(system))
    step, steps = experiment.step / finer, experiment.steps * finer
    return integrate_kicked(system, step, steps, exact, sample_every=finer)


def _of_network(
    experiment: PaperExperiment, reference: JacobiTrajectory, network: PaperNetwork
) -> Outcome:
    kick = PaperKick(network, reference.frame)
    return _outcome(experiment, kick, TrueKick(reference.frame), reference)


def _outcome(
    experiment: PaperExperiment, kick: Kick, first: Kick, reference: JacobiTrajectory
) -> Outcome:
    run = integrate_kicked(experiment.system, experiment.step, experiment.steps, kick, first=first)
    return Outcome(deviation(run, reference), _kick_on(kick, reference))


def _kick_on(kick: Kick, run: JacobiTrajectory) -> Agreement:
    """Compare a kick with the exact one, about the star, at up to 500 states of a run."""
    rows = slice(None, None, -(-len(run.times) // 500))
    q, v = run.positions[rows], run.velocities[rows]

    def asked(kick: Kick) -> FloatArray:
        if isinstance(kick, PaperKick):  # all states at once
            return kick.about_star(q, v)
        return run.frame.heliocentric @ np.stack([kick(*x) for x in zip(q, v, strict=True)])

    found, true = asked(kick), asked(TrueKick(run.frame))
    return agreement(found, true)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, with what it may be off.

    Attributes
    ----------
    mean : float
        Of the values.
    half_width : float
        Of the interval that holds the true mean at the given confidence.
    """

    mean: float
    half_width: float


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of a few values with Student's interval.

    Parameters
    ----------
    values : sequence of float
        One for each seed, at least two.
    confidence : float
        That the true mean lies inside, if values are normal.

    Returns
    -------
    Interval
        Mean and half its width.

    Raises
    ------
    NBodyError
        If there are fewer than two values.

    Examples
    --------
    >>> found = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> found.mean, round(found.half_width, 3)
    (3.0, 1.963)
    """
    if len(values) < 2:
        raise NBodyError(f"{len(values)} values; an interval needs at least 2 seeds.")
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    quantile = stdtrit(len(values) - 1, 0.5 + 0.5 * confidence)
    return Interval(float(np.mean(values)), float(quantile * error))
