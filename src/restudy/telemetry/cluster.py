"""The energy of jobs where only the power of a whole group of nodes is measured."""

from collections.abc import Sequence

import numpy as np

from restudy.telemetry.attribution import Attribution
from restudy.telemetry.metrics import TelemetryError


def by_weight(
    power_w: np.ndarray,
    interval_s: float,
    *,
    first_slot: np.ndarray,
    length: np.ndarray,
    weight: np.ndarray,
) -> Attribution:
    """Split the power of all nodes among the running jobs by constant weights.

    Parameters
    ----------
    power_w : numpy.ndarray, shape (slots,)
        Mean power of the nodes together in each slot of time, W.
    interval_s : float
        Length of a slot, s.
    first_slot, length : numpy.ndarray of int64, shape (jobs,)
        Slot in which each job starts and number of its slots; those outside are cut off.
    weight : numpy.ndarray of float64, shape (jobs,)
        Weight of each job: 1, or its cores; rounded to 2**-30.

    Returns
    -------
    Attribution
        Energies of jobs; a slot without jobs is nobody's.

    Raises
    ------
    TelemetryError
        If a power is unknown or a weight negative.

    Examples
    --------
    >>> found = by_weight(np.array([30.0, 60.0, 10.0]), 10.0, first_slot=np.array([0, 1]),
    ...                   length=np.array([2, 1]), weight=np.array([1.0, 2.0]))
    >>> found.energy_j.tolist(), found.idle_nodes_j
    ([500.0, 400.0], 100.0)
    """
    _check(power_w, weight)
    weight = np.rint(weight * 2**30) / 2**30  # sums are exact, and 0 without jobs
    slots = len(power_w)
    first = np.clip(first_slot, 0, slots)
    stop = np.clip(first_slot + length, 0, slots)
    change = np.bincount(first, weights=weight, minlength=slots + 1)
    change -= np.bincount(stop, weights=weight, minlength=slots + 1)
    W = np.cumsum(change)[:slots]
    running = np.append(0.0, np.cumsum(_per_unit(power_w, W)))
    energy = weight * (running[stop] - running[first]) * interval_s
    return _attribution(power_w, interval_s, W, energy, stop - first, np.maximum(length, 0) > 0)


def by_use(
    power_w: np.ndarray,
    interval_s: float,
    *,
    first_slot: np.ndarray,
    job: np.ndarray,
    use: np.ndarray,
) -> Attribution:
    """Split the power of all nodes among the jobs in proportion to their measured use.

    Parameters
    ----------
    power_w : numpy.ndarray, shape (slots,)
        Mean power of the nodes together in each slot of time, W.
    interval_s : float
        Length of a slot, s.
    first_slot : numpy.ndarray of int64, shape (jobs,)
        Slot in which each job starts.
    job : numpy.ndarray of int64, shape (samples,)
        Index of each sample's job; the samples of a job are in order of time, one a slot.
    use : numpy.ndarray of float64, shape (samples,)
        Use of processors in each sample, in any unit.

    Returns
    -------
    Attribution
        Energies of jobs; a slot in which no job uses anything is nobody's.

    Raises
    ------
    TelemetryError
        If a power is unknown or a use negative.

    Examples
    --------
    >>> found = by_use(np.array([30.0, 60.0]), 10.0, first_slot=np.array([0, 1]),
    ...                job=np.array([0, 0, 1]), use=np.array([0.5, 1.0, 2.0]))
    >>> found.energy_j.tolist()
    [500.0, 400.0]
    """
    _check(power_w, use)
    slots = len(power_w)
    slot = _slots(first_slot, job)
    inside = (slot >= 0) & (slot < slots)
    slot, job_of, use = slot[inside], job[inside], use[inside]
    W = np.bincount(slot, weights=use, minlength=slots)
    part = use * _per_unit(power_w, W)[slot] * interval_s
    jobs = len(first_slot)
    energy = np.bincount(job_of, weights=part, minlength=jobs)
    samples = np.bincount(job_of, minlength=jobs)
    return _attribution(
        power_w, interval_s, W, energy, samples, np.bincount(job, minlength=jobs) > 0
    )


def _slots(first_slot: np.ndarray, job: np.ndarray) -> np.ndarray:
    """Slot of each sample: its job's first slot plus its place within the job."""
    order = np.argsort(job, kind="stable")
    length = np.bincount(job, minlength=len(first_slot))
    place = np.empty(len(job), "int64")
    place[order] = np.arange(len(job)) - np.repeat(np.cumsum(length) - length, length)
    return np.asarray(first_slot[job] + place)


def _check(power_w: np.ndarray, weight: np.ndarray) -> None:
    named: Sequence[tuple[str, np.ndarray]] = (("powers", power_w), ("weights of jobs", weight))
    for name, given in named:
        if bad := int((~(np.isfinite(given) & (given >= 0))).sum()):
            raise TelemetryError(
                f"{bad} of {len(given)} {name} are unknown or negative; give finite values of 0 "
                "or more."
            )


def _per_unit(power_w: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Power of a unit of weight in each slot, W; 0 where there is no weight."""
    return np.divide(power_w, W, out=np.zeros(len(W)), where=W > 0)


def _attribution(
    power_w: np.ndarray,
    interval_s: float,
    W: np.ndarray,
    energy: np.ndarray,
    samples: np.ndarray,
    present: np.ndarray,
) -> Attribution:
    return Attribution(
        energy_j=np.where(samples > 0, energy, np.nan),
        samples=samples,
        unsampled=int((present & (samples == 0)).sum()),
        idle_nodes_j=float(power_w[~(W > 0)].sum()) * interval_s,
        idle_part_j=0.0,
        total_j=float(power_w.sum()) * interval_s,
    )
