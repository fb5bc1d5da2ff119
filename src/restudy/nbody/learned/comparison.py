"""What a run keeps and where it stands, beside a reference run from the same start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restudy.nbody.diagnostics import (
    angular_momentum_error,
    check_same_times,
    drift,
    energy_error,
    phase_difference,
)
from restudy.nbody.elements import elements_from_state
from restudy.nbody.learned.kicked import FloatArray, JacobiTrajectory


@dataclass(frozen=True, eq=False)
class Deviation:
    """Errors of a run against time.

    Attributes
    ----------
    times : numpy.ndarray, shape (samples,)
        Since the start [yr].
    energy : numpy.ndarray, shape (samples,)
        Relative error, (E - E_0) / abs(E_0).
    angular_momentum : numpy.ndarray, shape (samples,)
        Relative error, the length of L - L_0 over that of L_0.
    eccentricities : numpy.ndarray, shape (samples, N - 1)
        Of the Jacobi ellipses, which pure drift does not change.
    phases : numpy.ndarray, shape (samples, N - 1)
        Mean longitude less that of the reference run, without jumps of 2 pi [rad].
    """

    times: FloatArray
    energy: FloatArray
    angular_momentum: FloatArray
    eccentricities: FloatArray
    phases: FloatArray

    @property
    def energy_peak_to_peak(self) -> float:
        """The range of the relative energy error after the start, as the paper's curves have it."""
        return float(np.ptp(self.energy[1:]))

    @property
    def energy_error(self) -> float:
        """The largest relative energy error."""
        return float(np.abs(self.energy).max())

    @property
    def energy_drift(self) -> float:
        """What a straight line through the relative energy error gains over the run."""
        return drift(self.times / self.times[-1], self.energy)

    @property
    def angular_momentum_error(self) -> float:
        """The largest relative error of the angular momentum."""
        return float(self.angular_momentum.max())

    @property
    def eccentricity_range(self) -> FloatArray:
        """Largest minus least eccentricity of each planet, (N - 1,)."""
        return np.asarray(np.ptp(self.eccentricities, axis=0))

    @property
    def phase_error(self) -> FloatArray:
        """The largest phase error of each planet, (N - 1,) [rad]."""
        return np.asarray(np.abs(self.phases).max(axis=0))


def deviation(run: JacobiTrajectory, reference: JacobiTrajectory) -> Deviation:
    """Measure a run against a reference.

    Parameters
    ----------
    run : JacobiTrajectory
        What to measure.
    reference : JacobiTrajectory
        A run from the same start, with samples at the same times.

    Returns
    -------
    Deviation
        Errors against time.

    Raises
    ------
    NBodyError
        If bodies or times are not the same.
    """
    here, masses = run.barycentric(), run.frame.masses
    check_same_times(here, reference.barycentric())
    mine, other = (
        elements_from_state(x.positions, x.velocities, x.frame.mu) for x in (run, reference)
    )
    return Deviation(
        times=run.times,
        energy=energy_error(masses, here, run.frame.gravity),
        angular_momentum=angular_momentum_error(masses, here),
        eccentricities=mine.eccentricity,
        phases=phase_difference(mine, other),
    )
