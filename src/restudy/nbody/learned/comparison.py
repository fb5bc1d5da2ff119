"""What a run keeps and where it stands, beside a reference run from the same start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restudy.nbody.elements import elements_from_state
from restudy.nbody.errors import NBodyError
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
        return float(np.polyfit(self.times / self.times[-1], self.energy, 1)[0])

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


def energies(run: JacobiTrajectory) -> FloatArray:
    """Return the energy at each sample, in the frame of the barycentre [Msun au2/yr2]."""
    frame = run.frame
    kinetic = 0.5 * (run.velocities**2).sum(2) @ frame.reduced
    places = frame.places @ run.positions
    potential = np.zeros(len(places))
    for i, mass in enumerate(frame.masses[:-1]):
        distances = np.linalg.norm(places[:, i + 1 :] - places[:, i : i + 1], axis=2)
        potential -= frame.gravity * mass * (frame.masses[i + 1 :] / distances).sum(1)
    return np.asarray(kinetic + potential)


def angular_momenta(run: JacobiTrajectory) -> FloatArray:
    """Return the angular momentum at each sample, (samples, 3) [Msun au2/yr]."""
    moments = np.cross(run.positions, run.velocities)
    return np.asarray(np.einsum("i,sik->sk", run.frame.reduced, moments))


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
        If the times are not the same.
    """
    if run.times.shape != reference.times.shape or not np.allclose(
        run.times, reference.times, rtol=1e-9, atol=0
    ):
        raise NBodyError(
            f"{len(run.times)} samples to {run.times[-1]:g} yr, and {len(reference.times)} to "
            f"{reference.times[-1]:g} yr in the reference; expected the same times."
        )
    energy, momentum = energies(run), angular_momenta(run)
    mine, other = (
        elements_from_state(x.positions, x.velocities, x.frame.mu) for x in (run, reference)
    )
    ahead = mine.mean_longitude - other.mean_longitude
    return Deviation(
        times=run.times,
        energy=(energy - energy[0]) / abs(energy[0]),
        angular_momentum=np.linalg.norm(momentum - momentum[0], axis=1)
        / np.linalg.norm(momentum[0]),
        eccentricities=mine.eccentricity,
        phases=np.unwrap(ahead, axis=0),
    )
