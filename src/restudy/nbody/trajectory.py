"""What an integrator returns: the states of one or of many systems at some times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restudy.nbody.errors import NBodyError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Positions and velocities at the times that were kept, the first among them.

    Attributes
    ----------
    times : numpy.ndarray, shape (samples,), or (samples, B) where systems have steps of their own
        Since the start [yr].
    positions : numpy.ndarray, shape (samples, N, 3) or (samples, B, N, 3)
        In the inertial frame that the start was given in: whatever an integrator works with, the
        barycentre moves on as it did at the start [au].
    velocities : numpy.ndarray, of the shape of the positions
        In the same frame [au/yr].

    Raises
    ------
    NBodyError
        If the shapes do not fit.
    """

    times: FloatArray
    positions: FloatArray
    velocities: FloatArray

    def __post_init__(self) -> None:
        shape = self.positions.shape
        if len(shape) not in (3, 4) or shape[-1] != 3 or self.velocities.shape != shape:
            raise NBodyError(
                f"positions and velocities have shapes {shape} and {self.velocities.shape}; "
                "expected one shape, (samples, N, 3) or (samples, B, N, 3)."
            )
        if self.times.shape not in (shape[:1], shape[:-2]):
            raise NBodyError(f"times have shape {self.times.shape}; expected {shape[:1]}.")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def bodies(self) -> int:
        """The number of bodies, with the star."""
        return int(self.positions.shape[-2])

    def system(self, number: int) -> Trajectory:
        """Return one system of a batch."""
        if self.positions.ndim != 4:
            raise NBodyError(
                "this trajectory is of one system; expected a batch, (samples, B, N, 3)."
            )
        times = self.times if self.times.ndim == 1 else self.times[:, number]
        return Trajectory(times, self.positions[:, number], self.velocities[:, number])

    def part(self, samples: slice) -> Trajectory:
        """Return some of the times."""
        return Trajectory(self.times[samples], self.positions[samples], self.velocities[samples])
