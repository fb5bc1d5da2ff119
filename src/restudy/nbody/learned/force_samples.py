"""Snapshots of systems with the accelerations of their interaction, for training and scoring."""

from __future__ import annotations

import concurrent.futures
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from restudy.nbody.elements import state_from_elements
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import exact_kick
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import Newton, SeparationRange
from restudy.parallel import sweep

_TRIES = 200  # draws for one snapshot inside the range


@dataclass(frozen=True)
class Snapshots:
    """Systems of a star and two planets at single times, and the accelerations to learn.

    Attributes
    ----------
    masses : torch.Tensor
        (S, 3) [M_sun].
    positions : torch.Tensor
        Jacobi coordinates q', the barycentre in row 0, (S, 3, 3) [au].
    accelerations : torch.Tensor
        Of the Jacobi coordinates, by the exact interaction, (S, 3, 3) [au / yr^2].
    """

    masses: torch.Tensor
    positions: torch.Tensor
    accelerations: torch.Tensor

    def __len__(self) -> int:
        return len(self.masses)


def draw_snapshots(
    separations: SeparationRange,
    systems: int,
    each: int,
    *,
    seed: int,
    executor: concurrent.futures.Executor | None = None,
) -> Snapshots:
    """Draw systems over many decades of size, at random times on their Kepler orbits.

    Parameters
    ----------
    separations : SeparationRange
        What all separations of the snapshots are inside [au].
    systems : int
        How many; each has a seed of its own.
    each : int
        Snapshots of a system.
    seed : int
        Of the systems.
    executor : concurrent.futures.Executor, optional
        Where they are drawn, as of `restudy.parallel`; the systems do not depend on it.

    Returns
    -------
    Snapshots
        ``systems * each`` of them.

    Raises
    ------
    NBodyError
        If there are none to draw, or the range has no room for orbits.

    Notes
    -----
    The inner semi-major axis is log-uniform over the range and a third of its least, the outer one
    1.1 to 4 times as large (log-uniform), and only snapshots inside the range are kept; masses of
    planets are log-uniform in 1e-8 to 1e-2, the star's in 0.08 to 2; e is uniform in 0 to 0.3, i in
    0 to 90 degrees, and all other angles on the circle.
    """
    if systems < 1 or each < 1:
        raise NBodyError(f"{systems} systems with {each} snapshots; expected at least one of each.")
    if separations.most < 10 * separations.least:
        raise NBodyError(
            f"separations from {separations.least:g} to {separations.most:g} au leave no room for "
            "two orbits; expected a decade at least."
        )
    draw = functools.partial(_snapshots_of_one, separations, each)
    found = sweep(draw, range(systems), seed=seed, executor=executor)
    masses = torch.tensor([x["masses"] for x in found], dtype=torch.float64)
    masses = masses.repeat_interleave(each, dim=0)
    positions = torch.tensor([x["positions"] for x in found], dtype=torch.float64)
    positions = positions.reshape(-1, 3, 3)
    return Snapshots(masses, positions, exact_kick(masses, positions))


def _snapshots_of_one(
    separations: SeparationRange, each: int, number: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the masses of a system and its Jacobi positions at random times."""
    least, most = np.log([separations.least / 3, separations.most])
    for _ in range(_TRIES):
        inner = np.exp(rng.uniform(least, most))
        axes = inner * np.array([1.0, np.exp(rng.uniform(np.log(1.1), np.log(4.0)))])
        e, i = rng.uniform(0.0, 0.3, 2), rng.uniform(0.0, np.pi / 2, 2)
        node, pericentre = rng.uniform(0.0, 2 * np.pi, (2, 2))
        anomalies = rng.uniform(0.0, 2 * np.pi, (16 * each, 2))
        masses = np.r_[_log_uniform(rng, 0.08, 2.0), _log_uniform(rng, 1e-8, 1e-2, 2)]
        positions, _ = state_from_elements(axes, e, i, node, pericentre, anomalies, 1.0)
        q = np.pad(positions, ((0, 0), (1, 0), (0, 0)))  # the barycentre in row 0
        inside = _inside(separations, masses, q)
        if inside.sum() >= each:
            kept = q[np.flatnonzero(inside)[:each]]
            return {"masses": masses.tolist(), "positions": kept.tolist()}
    raise NBodyError(
        f"system {number} found no place between {separations.least:g} and {separations.most:g} au."
    )


def _log_uniform(
    rng: np.random.Generator, least: float, most: float, count: int | None = None
) -> Any:
    return np.exp(rng.uniform(np.log(least), np.log(most), count))


def _inside(separations: SeparationRange, masses: Any, q: Any) -> Any:
    """Return for each snapshot whether all of its separations are inside the range."""
    m = torch.as_tensor(masses).expand(len(q), 3)
    r = PairInteraction(Newton()).separations(m, torch.as_tensor(q))
    return ((r > separations.least) & (r < separations.most)).all(1).numpy()
