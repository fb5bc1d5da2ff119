"""Learning an interaction that is not known from observed orbits.

A fit has the first state of all planets and the parameters of a field as unknowns, and positions at
times as data. Derivatives are carried forwards through the integrator: those of the kicks come from
autograd for all steps at once, as soon as the states are known, and those of the drifts from closed
forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from restudy.nbody.errors import NBodyError
from restudy.nbody.forces import Force
from restudy.nbody.hamiltonian import ExactKick
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.jacobi import inertial_matrix, jacobi_matrix
from restudy.nbody.learned.compiled_field import carry_derivatives, follow_field
from restudy.nbody.learned.least_squares import Fit, levenberg_marquardt
from restudy.nbody.learned.perturbations import Field, FieldKick
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.system import System

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Positions of planets seen from their star.

    Attributes
    ----------
    step : float
        Of the integrator that the fit uses [yr].
    every : int
        Steps from one observation to the next; the first is at ``every * step``.
    positions : numpy.ndarray, shape (samples, planets, 3)
        With their errors [au].
    noise : float
        Standard deviation of each component, relative to the distance.
    """

    step: float
    every: int
    positions: FloatArray
    noise: float

    @property
    def times(self) -> FloatArray:
        """When, shape (samples,) [yr]."""
        return self.step * self.every * np.arange(1.0, len(self.positions) + 1)


def true_positions(system: System, times: FloatArray, forces: Sequence[Force]) -> FloatArray:
    """Return where planets are, seen from their star, by IAS15.

    Parameters
    ----------
    system : System
        At time 0.
    times : numpy.ndarray, shape (samples,)
        When, ascending from above 0 [yr].
    forces : sequence of Force
        What acts besides Newton's attraction.

    Returns
    -------
    numpy.ndarray, shape (samples, planets, 3)
        [au].
    """
    positions = integrate_ias15(system, times, forces).positions
    return np.asarray(positions[:, 1:] - positions[:, :1], dtype=np.float64)


def observe(
    system: System,
    forces: Sequence[Force],
    *,
    step: float,
    every: int,
    samples: int,
    noise: float,
    rng: np.random.Generator,
) -> Observations:
    """Observe the planets of a system that other forces act on too.

    Parameters
    ----------
    system : System
        At time 0.
    forces : sequence of Force
        What acts besides Newton's attraction.
    step : float
        Of the integrator that a fit will use [yr].
    every : int
        Steps from one observation to the next.
    samples : int
        Number of observations.
    noise : float
        Relative error of a position.
    rng : numpy.random.Generator
        Of the errors.

    Returns
    -------
    Observations
        Positions with normal errors.
    """
    exact = true_positions(system, step * every * np.arange(1.0, samples + 1), forces)
    size = noise * np.linalg.norm(exact, axis=-1, keepdims=True)
    return Observations(step, every, exact + size * rng.standard_normal(exact.shape), noise)


@dataclass(frozen=True)
class OrbitFit:
    """Orbits and a field, fitted to observations.

    Attributes
    ----------
    theta : numpy.ndarray, shape (field.size,)
        Parameters of the field; of no entries where none was fitted.
    covariance : numpy.ndarray, shape (field.size, field.size)
        Theirs, from the errors of the observations.
    system : System
        The first state.
    chi2 : float
        Mean square of the residuals in units of the errors; 1 where all is explained.
    iterations : int
        Of the fit to all observations.
    """

    theta: FloatArray
    covariance: FloatArray
    system: System
    chi2: float
    iterations: int


def fit_orbits(
    observations: Observations,
    guess: System,
    field: Field | None,
    *,
    iterations: int = 12,
    prior: float | None = None,
    arcs: Sequence[float] = (1.0,),
) -> OrbitFit:
    """Fit the first state of a system and the parameters of a field around its star.

    Parameters
    ----------
    observations : Observations
        The data.
    guess : System
        Masses, which are taken as known, and a state to start from.
    field : Field or None
        What acts besides Newton's attraction; None ignores it.
    iterations : int
        Of Levenberg and Marquardt's method, at most, on each arc.
    prior : float, optional
        Standard deviation of each parameter of the field about its start, which keeps weights that
        the data do not determine where they are.
    arcs : sequence of float
        Shares of the observations, from the first on, that are fitted one after the other, each
        from where the last one ended; the last is 1. A long arc alone has many wrong valleys.

    Returns
    -------
    OrbitFit
        The orbits, the field, and how certain it is.

    Raises
    ------
    NBodyError
        If the observations are of other planets, or the arcs do not grow to all of them.
    """
    planets = guess.bodies - 1
    if observations.positions.shape[1:] != (planets, 3):
        raise NBodyError(
            f"the observations have shape {observations.positions.shape}; expected (samples, "
            f"{planets}, 3) for the planets of the guess."
        )
    if not arcs or arcs[0] <= 0 or arcs[-1] != 1 or any(a >= b for a, b in pairwise(arcs)):
        raise NBodyError(
            f"the arcs are {tuple(arcs)}; expected shares that grow from above 0 to 1."
        )
    problem = _Problem(observations, guess, field, prior)
    fit = Fit(problem.start(), ())
    for share in arcs:
        seen = observations.positions[: math.ceil(share * len(observations.positions))]
        problem = _Problem(replace(observations, positions=seen), guess, field, prior)
        fit = levenberg_marquardt(
            fit.parameters, problem.rows, problem.jacobian, iterations=iterations, tolerance=1e-6
        )
    count = field.size if field else 0
    J = problem.jacobian(fit.parameters)
    matrix = J.T @ J
    size = matrix.diagonal().sqrt().clamp_min(1e-300)  # a field may be 1e-9 of what velocities are
    scaled = torch.linalg.pinv(matrix / size / size[:, None], hermitian=True)
    covariance = (scaled / size / size[:, None])[:count, :count]
    residuals = problem.residuals(fit.parameters)
    return OrbitFit(
        fit.parameters[:count].numpy(),
        covariance.numpy(),
        problem.system(fit.parameters),
        float((residuals**2).mean()),
        len(fit.costs) - 1,
    )


class _Problem:
    """Residuals of observations and their derivatives, in units of the errors.

    Parameters are those of the field, then changes of the first Jacobi positions and velocities
    relative to the size of each.
    """

    def __init__(
        self, observations: Observations, guess: System, field: Field | None, prior: float | None
    ) -> None:
        self.observations, self.guess, self.field = observations, guess, field
        self.fields = field.size if field else 0
        self.prior = prior
        self.masses = torch.as_tensor(np.array(guess.masses))
        centred = guess.barycentric()
        A = jacobi_matrix(self.masses)
        self.q = A @ torch.as_tensor(centred.positions.copy())
        self.v = A @ torch.as_tensor(centred.velocities.copy())
        self.target = torch.as_tensor(observations.positions)
        self.error = observations.noise * torch.linalg.vector_norm(
            self.target, dim=-1, keepdim=True
        )

    def start(self) -> torch.Tensor:
        """Return the parameters of the guess, (P,)."""
        field = self.field.start() if self.field else torch.zeros(0, dtype=torch.float64)
        return torch.cat([field, torch.zeros(6 * (self.guess.bodies - 1), dtype=torch.float64)])

    def _states(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the first Jacobi positions and velocities, (..., N, 3)."""
        planets = self.guess.bodies - 1
        changes = parameters[..., self.fields :].reshape(*parameters.shape[:-1], 2, planets, 3)
        moved = []
        for part, base in enumerate((self.q, self.v)):
            size = torch.linalg.vector_norm(base[1:], dim=-1, keepdim=True)
            moved.append(
                base + torch.nn.functional.pad(size * changes[..., part, :, :], (0, 0, 1, 0))
            )
        return moved[0], moved[1]

    def _kick(self, theta: torch.Tensor) -> ExactKick | FieldKick:
        if self.field is None:
            return ExactKick(self.guess.gravity)
        return FieldKick(self.field, theta[..., : self.fields], self.guess.gravity)

    def states(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return Jacobi positions and velocities at all steps, each (steps + 1, N, 3)."""
        q, v = (x.detach().numpy() for x in self._states(parameters))
        both = follow_field(
            self.masses.numpy(),
            q,
            v,
            self.guess.gravity,
            self.field,
            parameters[: self.fields].detach(),
            step=self.observations.step,
            steps=len(self.target) * self.observations.every,
        )
        return torch.as_tensor(both[0]), torch.as_tensor(both[1])

    def seen(self, q: torch.Tensor) -> torch.Tensor:
        """Return the positions from the star at each observation, (samples, planets, 3)."""
        A = inertial_matrix(self.masses)
        return (A[1:] - A[:1]) @ q[self.observations.every :: self.observations.every]

    def _tides(
        self, parameters: torch.Tensor, q: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the kicks at all states and their derivatives.

        Accelerations are (states, planets, 3); derivatives with respect to positions and to the
        parameters of the field, (states, 3 planets, 3 planets) and (states, fields, 3 planets),
        have the component of the acceleration in the last axis.
        """
        with torch.enable_grad():
            places = q.clone().requires_grad_()
            theta = parameters[: self.fields].expand(len(q), -1).clone().requires_grad_()
            kicks = self._kick(theta)(self.masses.expand(len(q), -1), places)[:, 1:]
            flat = kicks.flatten(1)
            found = [
                torch.autograd.grad(
                    flat[:, k].sum(), (places, theta), retain_graph=True, materialize_grads=True,
                    allow_unused=True,
                )
                for k in range(flat.shape[1])
            ]  # fmt: skip
        tides, turns = (torch.stack(x, -1) for x in zip(*found, strict=True))
        return kicks.detach(), tides[:, 1:].flatten(1, 2), turns

    def residuals(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the residuals of all observations, (samples, planets, 3)."""
        with torch.no_grad():
            return (self.seen(self.states(parameters)[0]) - self.target) / self.error

    def rows(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the residuals and those of the prior, infinite where the orbits are no numbers."""
        try:
            seen = self.residuals(parameters).flatten()
        except NBodyError:
            seen = torch.full((self.target.numel(),), torch.inf, dtype=torch.float64)
        if self.prior is None:
            return seen
        return torch.cat([seen, (parameters - self.start())[: self.fields] / self.prior])

    def jacobian(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of `rows`, (rows, P)."""
        with torch.no_grad():
            q, v = self.states(parameters)
            J = self._sensitivities(parameters, q, v) / self.error.reshape(-1, 1, 1)
        if self.prior is None:
            return J.flatten(0, 1)
        prior = torch.eye(self.fields, len(parameters), dtype=torch.float64) / self.prior
        return torch.cat([J.flatten(0, 1), prior])

    def _sensitivities(
        self, parameters: torch.Tensor, q: torch.Tensor, v: torch.Tensor
    ) -> torch.Tensor:
        """Return the derivatives of the observed positions, (samples planets, 3, P)."""
        planets, every = self.guess.bodies - 1, self.observations.every
        columns = len(parameters)
        sizes = [torch.linalg.vector_norm(x[1:], dim=-1) for x in (self.q, self.v)]
        starts = np.zeros((columns, 2, planets, 3))
        starts[self.fields :].reshape(6 * planets, -1)[:] = torch.diag(
            torch.cat(sizes).repeat_interleave(3)
        ).numpy()
        kicks, tides, turns = self._tides(parameters, q)
        pulls = torch.nn.functional.pad(turns, (0, 0, 0, 6 * planets))
        kept = carry_derivatives(
            q[:, 1:].numpy(),
            v[:, 1:].numpy(),
            WISDOM_HOLMAN_91.mu(self.masses, self.guess.gravity).numpy(),
            *(kicks.numpy(), tides.contiguous().numpy(), pulls.contiguous().numpy()),
            *(starts[:, 0].copy(), starts[:, 1].copy()),
            step=self.observations.step,
            every=every,
        )
        A = inertial_matrix(self.masses)
        to_star = (A[1:] - A[:1])[:, 1:]
        moved = torch.as_tensor(kept).reshape(len(kept), columns, planets, 3)
        return torch.einsum("ij,scjk->sikc", to_star, moved).flatten(0, 1)

    def system(self, parameters: torch.Tensor) -> System:
        """Return the first state as a system."""
        A = inertial_matrix(self.masses)
        positions, velocities = (A @ x for x in self._states(parameters))
        g = self.guess
        return System(g.masses, positions.numpy(), velocities.numpy(), g.names, g.gravity)


def predict(
    fits: Sequence[OrbitFit],
    fields: Sequence[Field | None],
    *,
    step: float,
    every: int,
    samples: int,
) -> FloatArray:
    """Follow fitted orbits beyond their observations.

    Parameters
    ----------
    fits : sequence of OrbitFit
        Of systems of one number of planets.
    fields : sequence of Field or None
        What each was fitted with.
    step : float
        Of the integrator [yr].
    every : int
        Steps from one sample to the next.
    samples : int
        Number of samples; the first is at ``every * step``.

    Returns
    -------
    numpy.ndarray, shape (fits, samples, planets, 3)
        Positions from the star [au].
    """
    found = []
    for fit, field in zip(fits, fields, strict=True):
        planets = fit.system.bodies - 1
        nothing = Observations(step, every, np.ones((samples, planets, 3)), 1.0)
        problem = _Problem(nothing, fit.system, field, None)
        parameters = problem.start()
        parameters[: problem.fields] = torch.as_tensor(fit.theta)
        with torch.no_grad():
            found.append(problem.seen(problem.states(parameters)[0]).numpy())
    return np.stack(found)
