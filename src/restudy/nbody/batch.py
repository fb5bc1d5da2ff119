"""Systems as tensors: one, or many of the same number of bodies side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.system import System

State = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Masses (..., N), positions (..., N, 3) and velocities (..., N, 3)."""


def tensors(system: System, device: torch.device | str | None = None) -> State:
    """Return masses, positions and velocities of a system as tensors.

    Parameters
    ----------
    system : System
        The system.
    device : torch.device or str, optional
        Where to put them.

    Returns
    -------
    tuple of torch.Tensor
        Of shapes (N,), (N, 3) and (N, 3), in float64 [M_sun], [au], [au/yr].
    """
    masses, positions, velocities = (
        torch.tensor(x, dtype=torch.float64, device=device)
        for x in (system.masses, system.positions, system.velocities)
    )
    return masses, positions, velocities


def stacked(systems: Sequence[System], device: torch.device | str | None = None) -> State:
    """Return masses, positions and velocities of systems, stacked.

    Parameters
    ----------
    systems : sequence of System
        All with the same number of bodies and the same constant of gravity.
    device : torch.device or str, optional
        Where to put them.

    Returns
    -------
    tuple of torch.Tensor
        Of shapes (B, N), (B, N, 3) and (B, N, 3), in float64 [M_sun], [au], [au/yr].

    Raises
    ------
    NBodyError
        If there are none, or they differ in the number of bodies or in gravity.
    """
    if not systems:
        raise NBodyError("there is no system to stack; expected at least one.")
    for name in ("bodies", "gravity"):
        values = {getattr(s, name) for s in systems}
        if len(values) > 1:
            raise NBodyError(
                f"systems differ in {name}, {min(values):g} to {max(values):g}; expected one value "
                "for all: stack those that agree."
            )
    masses, positions, velocities = (
        torch.stack(x) for x in zip(*(tensors(s, device) for s in systems), strict=True)
    )
    return masses, positions, velocities
