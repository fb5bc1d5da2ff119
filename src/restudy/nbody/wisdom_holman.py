"""The integrator of Wisdom and Holman: kicks by the interaction between exact Kepler orbits."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch

from restudy.nbody.arguments import check_whole, numbers
from restudy.nbody.errors import NBodyError, StepWarning
from restudy.nbody.hamiltonian import ExactKick
from restudy.nbody.jacobi import from_jacobi, to_jacobi
from restudy.nbody.kepler import propagate
from restudy.nbody.splitting import WISDOM_HOLMAN_91, Split
from restudy.nbody.trajectory import Trajectory
from restudy.nbody.units import GRAVITY

Kick = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From masses (..., N) and Jacobi positions (..., N, 3) to Jacobi accelerations (..., N, 3)."""

Watch = Callable[[float, torch.Tensor], None]
"""Is shown the time and the inertial positions (..., N, 3) after each step, and may raise."""

STEPS_A_PERIOD = 20
"""With fewer in the shortest period a step is warned of."""


def integrate(
    masses: torch.Tensor,
    positions: torch.Tensor,
    velocities: torch.Tensor,
    step: float | torch.Tensor,
    steps: int,
    *,
    kick: Kick | None = None,
    split: Split = WISDOM_HOLMAN_91,
    gravity: float = GRAVITY,
    sample_every: int = 1,
    watch: Watch | None = None,
) -> Trajectory:
    """Follow one system or many for a number of steps.

    Parameters
    ----------
    masses : torch.Tensor, shape (N,) or (B, N)
        Masses, the star first and planets from the inside out [M_sun].
    positions, velocities : torch.Tensor, shape (N, 3) or (B, N, 3)
        In an inertial frame, in float64, on any device [au], [au/yr].
    step : float or torch.Tensor, shape (B,)
        Of either sign; one for each system, or one for all [yr].
    steps : int
        How many.
    kick : callable, optional
        From masses and Jacobi positions, with the barycentre in row 0, to the accelerations of
        these; the exact interaction where none is given.
    split : Split
        Which mass each planet orbits.
    gravity : float
        The constant of gravity.
    sample_every : int
        Steps from one sample to the next.
    watch : callable, optional
        Is called with the time and the inertial positions after each step, to stop a run by an
        error; `restudy.nbody.encounters.encounter_watch` does so where two planets come close.

    Returns
    -------
    Trajectory
        The start and each ``sample_every``-th state, in the frame given.

    Raises
    ------
    NBodyError
        If shapes or numbers do not fit, or a state becomes no number.

    Warns
    -----
    StepWarning
        If the step is longer than a twentieth of the shortest period.

    Notes
    -----
    Order 2: half a kick, a drift along Kepler orbits, half a kick; see :func:`advance`. A kick that
    needs gradients has to allow them by ``torch.enable_grad``, as none are kept here.

    References
    ----------
    J. Wisdom & M. Holman (1991), doi:10.1086/115978.
    """
    check_start(masses, positions, velocities, step, steps, sample_every)
    masses = masses.expand(positions.shape[:-1])
    h = torch.as_tensor(step, dtype=positions.dtype, device=positions.device)
    if watch and h.ndim:
        raise NBodyError(
            "systems with steps of their own have no common time; watch one at a time."
        )
    kick = kick or ExactKick(gravity, split)
    with torch.no_grad():
        q, qdot = to_jacobi(masses, positions), to_jacobi(masses, velocities)
        warn_of_long_steps(split.mu(masses, gravity), q[..., 1:, :], qdot[..., 1:, :], h)
        kept = [(positions, velocities)]
        samples = steps // sample_every
        stretch = 1 if watch else sample_every
        for done in range(stretch, samples * sample_every + 1, stretch):
            q, qdot = advance(masses, q, qdot, h, stretch, kick, split.mu(masses, gravity))
            r = from_jacobi(masses, q)
            if watch:
                watch(done * float(h), r)
            if done % sample_every == 0:
                _check_state(q, done, h)
                kept.append((r, from_jacobi(masses, qdot)))
    count = np.arange(samples + 1, dtype=np.float64) * sample_every
    times = count * float(h) if h.ndim == 0 else count[:, None] * h.cpu().numpy()
    rows = [torch.stack(x).cpu().numpy() for x in zip(*kept, strict=True)]
    return Trajectory(times, *rows)


def advance(
    masses: torch.Tensor,
    q: torch.Tensor,
    qdot: torch.Tensor,
    step: torch.Tensor,
    steps: int,
    kick: Kick,
    mu: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move Jacobi coordinates by steps of kick, drift, kick; differentiable.

    Parameters
    ----------
    masses : torch.Tensor, shape (..., N)
        [M_sun].
    q, qdot : torch.Tensor, shape (..., N, 3)
        Positions and velocities in Jacobi coordinates, the barycentre in row 0 [au], [au/yr].
    step : torch.Tensor, shape () or (...)
        [yr].
    steps : int
        How many.
    kick : callable
        From masses and q to accelerations.
    mu : torch.Tensor, shape (..., N - 1)
        Of the Kepler orbits, from a split [au^3/yr^2].

    Returns
    -------
    tuple of torch.Tensor, shape (..., N, 3)
        Positions and velocities in Jacobi coordinates after the steps.

    Notes
    -----
    One kick a step is computed, as the one that ends a step begins the next.
    """
    half = 0.5 * step[..., None, None]
    acceleration = kick(masses, q)
    for _ in range(steps):
        qdot = qdot + half * acceleration
        q, qdot = drift(q, qdot, mu, step)
        acceleration = kick(masses, q)
        qdot = qdot + half * acceleration
    return q, qdot


def drift(
    q: torch.Tensor, qdot: torch.Tensor, mu: torch.Tensor, step: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move each planet along its Kepler orbit, and the barycentre along a line.

    Parameters
    ----------
    q, qdot : torch.Tensor, shape (..., N, 3)
        Positions and velocities in Jacobi coordinates [au], [au/yr].
    mu : torch.Tensor, shape (..., N - 1)
        Of the Kepler orbits [au^3/yr^2].
    step : torch.Tensor, shape () or (...)
        [yr].

    Returns
    -------
    tuple of torch.Tensor, shape (..., N, 3)
        Positions and velocities after the step.
    """
    r, v = propagate(q[..., 1:, :], qdot[..., 1:, :], mu, step[..., None])
    centre = q[..., :1, :] + step[..., None, None] * qdot[..., :1, :]
    return torch.cat([centre, r], dim=-2), torch.cat([qdot[..., :1, :], v], dim=-2)


def warn_of_long_steps(
    mu: torch.Tensor, q: torch.Tensor, qdot: torch.Tensor, step: torch.Tensor
) -> None:
    """Warn where a step is longer than a twentieth of the shortest period.

    Parameters
    ----------
    mu : torch.Tensor, shape (..., planets)
        Of the Kepler orbits [au^3/yr^2].
    q, qdot : torch.Tensor, shape (..., planets, 3)
        Positions and velocities relative to what is orbited [au], [au/yr].
    step : torch.Tensor, shape () or (...)
        [yr].

    Warns
    -----
    StepWarning
        With the step and the period.
    """
    beta = 2 * mu / torch.linalg.vector_norm(q, dim=-1) - (qdot * qdot).sum(-1)
    period = torch.where(beta > 0, 2 * math.pi * mu / beta.abs() ** 1.5, math.inf).amin(-1)
    ratio = (step.abs() / period).flatten()
    worst = int(ratio.argmax())
    if float(ratio[worst]) > 1 / STEPS_A_PERIOD:
        longest = float(step.abs().expand(period.shape).flatten()[worst])
        shortest = float(period.flatten()[worst])
        warnings.warn(
            f"a step of {longest:.4g} yr is longer than 1/{STEPS_A_PERIOD} of the shortest period, "
            f"{shortest:.4g} yr; expected at most {shortest / STEPS_A_PERIOD:.4g} yr.",
            StepWarning,
            stacklevel=3,
        )


def check_start(
    masses: torch.Tensor,
    positions: torch.Tensor,
    velocities: torch.Tensor,
    step: float | torch.Tensor,
    steps: int,
    sample_every: int,
) -> None:
    """Refuse a start that cannot be followed.

    Parameters
    ----------
    masses : torch.Tensor
        Of shape (N,) or (B, N).
    positions, velocities : torch.Tensor
        Of shape (N, 3) or (B, N, 3).
    step : float or torch.Tensor
        One for all systems, or one for each.
    steps : int
        How many.
    sample_every : int
        Steps from one sample to the next.

    Raises
    ------
    NBodyError
        If shapes or numbers do not fit.
    """
    shape = tuple(positions.shape)
    if len(shape) not in (2, 3) or shape[-1] != 3 or shape[-2] < 2:
        raise NBodyError(f"positions have shape {shape}; expected (N, 3) or (B, N, 3), N above 1.")
    if tuple(velocities.shape) != shape:
        raise NBodyError(f"velocities have shape {tuple(velocities.shape)}; expected {shape}.")
    if tuple(masses.shape) not in (shape[:-1], shape[-2:-1]):
        raise NBodyError(f"masses have shape {tuple(masses.shape)}; expected {shape[:-1]}.")
    for name, x in (("masses", masses), ("positions", positions), ("velocities", velocities)):
        if x.dtype != torch.float64:
            raise NBodyError(f"{name} are of {x.dtype}; expected torch.float64, for the state.")
        if not bool(torch.isfinite(x).all()):
            where = (~torch.isfinite(x)).nonzero()[0].tolist()
            raise NBodyError(f"{name}{where} is no finite number; expected one.")
    if not bool((masses > 0).all()):
        raise NBodyError(f"the least mass is {float(masses.min()):g}; expected masses above 0.")
    if not isinstance(step, torch.Tensor):
        numbers("the steps", step)
    check_whole("the number of steps", steps)
    check_whole("sample_every", sample_every)
    h = torch.as_tensor(step)
    if h.ndim and (tuple(h.shape) != shape[:1] or len(shape) == 2):
        raise NBodyError(f"step has shape {tuple(h.shape)}; expected one, or one a system.")
    if not bool((torch.isfinite(h) & (h != 0)).all()):
        raise NBodyError("a step is 0 or no number; expected a time [yr], below 0 for backwards.")
    if steps < 1 or not 1 <= sample_every <= steps:
        raise NBodyError(
            f"{steps} steps with a sample every {sample_every}; expected at least one sample."
        )


def _check_state(q: torch.Tensor, done: int, step: torch.Tensor) -> None:
    if not bool(torch.isfinite(q).all()):
        bodies = (~torch.isfinite(q)).nonzero()[0].tolist()
        raise NBodyError(
            f"the positions of body {bodies[-2]} are no numbers after {done} steps of "
            f"{float(step.abs().max()):g} yr; expected a shorter step."
        )
