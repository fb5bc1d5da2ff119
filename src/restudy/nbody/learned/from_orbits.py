"""Training of a pair potential from orbits alone: positions at two times, and no forces.

A system starts from a known state and is seen again some steps later. The loss is the distance from
where it is seen to where the integrator, with the learned kick, takes it, relative to how far the
interaction has moved it off its Kepler orbit; it is differentiated through all steps.
"""

from __future__ import annotations

import concurrent.futures
import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray

from restudy.adam import Adam
from restudy.nbody.elements import state_from_elements
from restudy.nbody.hamiltonian import exact_kick, no_kick
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import Newton, PairPotential, SeparationRange
from restudy.nbody.learned.pair_training import WIDE
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.units import GRAVITY
from restudy.nbody.wisdom_holman import advance
from restudy.parallel import sweep

FloatArray = NDArray[np.float64]

_FINER = 8  # steps of the observed orbits in one of the fit: a 64th of its error


@dataclass(frozen=True)
class Windows:
    """Systems of a star and two planets, seen at the start and at the end of a window of time.

    Attributes
    ----------
    masses : torch.Tensor
        (S, 3) [M_sun].
    positions, velocities : torch.Tensor
        Jacobi coordinates at the start, the barycentre in row 0, (S, 3, 3) [au], [au/yr].
    step : torch.Tensor
        Of the integrator, (S,) [yr].
    steps : int
        In a window.
    seen : torch.Tensor
        Jacobi positions at the end, (S, 3, 3) [au].
    """

    masses: torch.Tensor
    positions: torch.Tensor
    velocities: torch.Tensor
    step: torch.Tensor
    steps: int
    seen: torch.Tensor

    def __len__(self) -> int:
        return len(self.masses)


@dataclass(frozen=True)
class OrbitRecipe:
    """All that a potential trained from orbits depends on, but the seed.

    Attributes
    ----------
    separations : SeparationRange
        Of the systems [au].
    systems : int
        How many; each has one window.
    steps : int
        In a window.
    steps_a_period : float
        Of the inner planet.
    width : int
        Units in each hidden layer.
    adam_steps, iterations : int
        Of Adam, and of L-BFGS after it.
    """

    separations: SeparationRange = WIDE
    systems: int = 1000
    steps: int = 4
    steps_a_period: float = 100.0
    width: int = 32
    adam_steps: int = 400
    iterations: int = 600

    @classmethod
    def quick(cls) -> OrbitRecipe:
        """Return what trains in some seconds."""
        return cls(systems=200, steps=2, width=16, adam_steps=150, iterations=60)


@dataclass(frozen=True)
class TrainedFromOrbits:
    """A potential trained from orbits.

    Attributes
    ----------
    potential : PairPotential
        In float64, on the CPU.
    recipe : OrbitRecipe
        How.
    history : tuple of float
        Root mean square of the relative errors of positions: at first, after Adam, at the end.
    seconds : float
        Process time of the training [s].
    """

    potential: PairPotential
    recipe: OrbitRecipe
    history: tuple[float, ...]
    seconds: float


def draw_windows(
    recipe: OrbitRecipe, *, seed: int, executor: concurrent.futures.Executor | None = None
) -> Windows:
    """Draw systems over many decades of size and observe them twice.

    Parameters
    ----------
    recipe : OrbitRecipe
        How many, and for how long.
    seed : int
        Of the systems; each has one of its own.
    executor : concurrent.futures.Executor, optional
        Where they are drawn; they do not depend on it.

    Returns
    -------
    Windows
        The systems.

    Notes
    -----
    The orbits seen are those of the exact interaction with steps an eighth as long. The outer
    planet is 1.2 to 2 times as far as the inner one, so that both feel each other in a window.
    """
    draw = functools.partial(_window, recipe.separations, recipe.steps_a_period)
    found = sweep(draw, range(recipe.systems), seed=seed, executor=executor)
    masses, q, v, step = (
        torch.tensor([x[name] for x in found], dtype=torch.float64)
        for name in ("masses", "positions", "velocities", "step")
    )
    mu = WISDOM_HOLMAN_91.mu(masses, GRAVITY)
    with torch.no_grad():
        seen, _ = advance(masses, q, v, step / _FINER, _FINER * recipe.steps, exact_kick, mu)
    return Windows(masses, q, v, step, recipe.steps, seen)


def _window(
    separations: SeparationRange, steps_a_period: float, number: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the first state of a system, inside the range with room for a window."""
    least, most = np.log([separations.least, separations.most])
    while True:
        inner = np.exp(rng.uniform(least - 1.0, most))
        axes = inner * np.array([1.0, rng.uniform(1.2, 2.0)])
        e, i = rng.uniform(0.0, 0.2, 2), rng.uniform(0.0, np.pi / 2, 2)
        node, pericentre, anomaly = rng.uniform(0.0, 2 * np.pi, (3, 2))
        masses = np.r_[1.0, np.exp(rng.uniform(np.log(1e-6), np.log(1e-2), 2))]
        mu = WISDOM_HOLMAN_91.mu(torch.as_tensor(masses), GRAVITY).numpy()
        state = state_from_elements(axes, e, i, node, pericentre, anomaly, mu)
        positions, velocities = (np.pad(x, ((1, 0), (0, 0))) for x in state)
        m, q = torch.as_tensor(masses), torch.as_tensor(positions)
        r = PairInteraction(Newton()).separations(m, q)
        if bool(((r > 1.2 * separations.least) & (r < separations.most / 1.2)).all()):
            break
    period = 2 * np.pi * np.sqrt(axes[0] ** 3 / mu[0])
    return {
        "masses": masses.tolist(),
        "positions": positions.tolist(),
        "velocities": velocities.tolist(),
        "step": float(period / steps_a_period),
    }


class _Objective:
    """Errors of the positions at the end, relative to what the interaction did to them."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.mu = WISDOM_HOLMAN_91.mu(windows.masses, GRAVITY)
        with torch.no_grad():
            moved = self._end(no_kick) - windows.seen
        self.size = torch.linalg.vector_norm(moved[:, 1:], dim=-1)  # (S, 2)

    def _end(self, kick: Any) -> torch.Tensor:
        w = self.windows
        return advance(w.masses, w.positions, w.velocities, w.step, w.steps, kick, self.mu)[0]

    def __call__(self, potential: PairPotential) -> torch.Tensor:
        """Return e^2 of each planet of each system, (S, 2)."""
        missed = self._end(PairInteraction(potential)) - self.windows.seen
        return (missed[:, 1:] ** 2).sum(-1) / self.size**2


def train_from_orbits(
    recipe: OrbitRecipe, *, seed: int, executor: concurrent.futures.Executor | None = None
) -> TrainedFromOrbits:
    """Train a pair potential from orbits alone.

    Parameters
    ----------
    recipe : OrbitRecipe
        On what, and how long.
    seed : int
        Of the systems and of the first weights.
    executor : concurrent.futures.Executor, optional
        For drawing the systems; the potential does not depend on it.

    Returns
    -------
    TrainedFromOrbits
        The potential and its record.
    """
    objective = _Objective(draw_windows(recipe, seed=seed, executor=executor))
    rng = torch.Generator().manual_seed(seed)
    potential = PairPotential(recipe.separations, recipe.width, rng=rng)
    start = time.process_time()
    history = [_rms(objective, potential)]
    steps = recipe.adam_steps
    optimiser = Adam(potential.parameters(), 5e-3, falling_over=max(steps, 1), longest=1.0)
    for _ in range(steps):
        optimiser.step(torch.log1p(objective(potential)).mean())
    history.append(_rms(objective, potential))
    _descend(objective, potential, recipe.iterations)
    history.append(_rms(objective, potential))
    return TrainedFromOrbits(potential, recipe, tuple(history), time.process_time() - start)


def _rms(objective: _Objective, potential: PairPotential) -> float:
    with torch.no_grad():
        return float(objective(potential).mean().sqrt())


def _descend(objective: _Objective, potential: PairPotential, iterations: int) -> None:
    """Take iterations of L-BFGS on a loss of size 1.

    By scipy: the first optimiser of `torch.optim` loads torch's compiler, for seconds.
    """
    scale = 1 / max(_rms(objective, potential) ** 2, 1e-300)
    weights = list(potential.parameters())

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(x.copy()), weights)
        value = scale * objective(potential).mean()
        slopes = torch.autograd.grad(value, weights)
        return value.item(), torch.nn.utils.parameters_to_vector(slopes).numpy()

    found = scipy.optimize.minimize(
        loss,
        torch.nn.utils.parameters_to_vector(weights).detach().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": iterations,
            "maxfun": 2 * iterations,
            "maxcor": 50,
            "ftol": 0,
            "gtol": 0,
        },
    )
    torch.nn.utils.vector_to_parameters(torch.from_numpy(found.x), weights)
