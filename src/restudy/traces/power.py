"""Electric power of a group of nodes from the jobs that run on them.

The model is linear: a node draws power when idle and some more for every busy core,

    P(t) = a + b U(t)              and              P(t) = a + b A(t) + c U(t),

where U is the load in fully busy nodes and A the number of running jobs.
"""

from dataclasses import dataclass

import numpy as np

from restudy.traces.bootstrap import block_weights, percentile_interval
from restudy.traces.jobs import TraceError


def busy_nodes(
    first_slot: np.ndarray, job: np.ndarray, usage: np.ndarray, slots: int
) -> np.ndarray:
    """Load of all jobs in every slot of time, U(t).

    Parameters
    ----------
    first_slot : numpy.ndarray of int64, shape (jobs,)
        Slot in which each job starts.
    job : numpy.ndarray of int64, shape (samples,)
        Index of each sample's job; the samples of a job are in order of time, one a slot.
    usage : numpy.ndarray of float64, shape (samples,)
        Load of the sample, in fully busy nodes.
    slots : int
        Number of slots; later samples are left out.

    Returns
    -------
    numpy.ndarray of float64, shape (slots,)
        Load in each slot, in fully busy nodes.

    Notes
    -----
    No join of samples with times: the place of a sample within its job gives its slot, and the
    loads are added where they fall. 2.3 million samples take some 0.1 s.

    Examples
    --------
    >>> busy_nodes(np.array([0, 1]), np.array([0, 0, 1]), np.array([0.5, 1.0, 0.25]), 3).tolist()
    [0.5, 1.25, 0.0]
    """
    slot = _slots(first_slot, job)
    inside = (slot >= 0) & (slot < slots)
    return np.bincount(slot[inside], weights=usage[inside], minlength=slots)


def _slots(first_slot: np.ndarray, job: np.ndarray) -> np.ndarray:
    """Slot of each sample: its job's first slot plus its place within the job."""
    order = np.argsort(job, kind="stable")
    sorted_job = job[order]
    begins = np.flatnonzero(np.concatenate(([True], sorted_job[1:] != sorted_job[:-1])))
    length = np.diff(np.append(begins, len(job)))
    place = np.empty(len(job), "int64")
    place[order] = np.arange(len(job)) - np.repeat(begins, length)
    return np.asarray(first_slot[job] + place)


def running_jobs(first_slot: np.ndarray, length: np.ndarray, slots: int) -> np.ndarray:
    """Count the running jobs in every slot, A(t), by differences and a running sum.

    Parameters
    ----------
    first_slot, length : numpy.ndarray of int64, shape (jobs,)
        First slot and number of slots of each job; parts outside are cut off.
    slots : int
        Number of slots.

    Returns
    -------
    numpy.ndarray of int64, shape (slots,)
        Jobs that run in each slot.

    Examples
    --------
    >>> running_jobs(np.array([0, 1]), np.array([2, 9]), 4).tolist()
    [1, 2, 1, 1]
    """
    begin = np.clip(first_slot, 0, slots)
    end = np.clip(first_slot + length, 0, slots)
    steps = np.bincount(begin, minlength=slots + 1) - np.bincount(end, minlength=slots + 1)
    return np.cumsum(steps)[:slots]


@dataclass(frozen=True)
class Series:
    """Power and load of a group of nodes in equal slots of time.

    Attributes
    ----------
    slot_s : float
        Length of a slot, s.
    power : numpy.ndarray of float64, shape (slots,)
        Measured power, W.
    busy : numpy.ndarray of float64, shape (slots,)
        Load U in fully busy nodes.
    running : numpy.ndarray of float64, shape (slots,)
        Running jobs A.
    """

    slot_s: float
    power: np.ndarray
    busy: np.ndarray
    running: np.ndarray


def series(
    power: np.ndarray,
    slot_s: float,
    *,
    first_slot: np.ndarray,
    length: np.ndarray,
    job: np.ndarray,
    usage: np.ndarray,
) -> Series:
    """Put measured power beside the load of the jobs.

    Parameters
    ----------
    power : numpy.ndarray, shape (slots,)
        Measured power of each slot, W.
    slot_s : float
        Length of a slot, s.
    first_slot, length : numpy.ndarray of int64, shape (jobs,)
        Slot in which each job starts, 0 being the first of `power`, and number of its samples.
    job : numpy.ndarray of int64, shape (samples,)
        Index of each sample's job; the samples of a job are in order of time, one a slot.
    usage : numpy.ndarray, shape (samples,)
        Load of each sample in fully busy nodes.

    Returns
    -------
    Series
        Power and loads, slot by slot.

    Raises
    ------
    TraceError
        If there is no measurement.
    """
    if len(power) == 0:
        raise TraceError("the power series has no measurement; at least one is needed.")
    return Series(
        slot_s=slot_s,
        power=power.astype("float64"),
        busy=busy_nodes(first_slot, job, usage, len(power)),
        running=running_jobs(first_slot, length, len(power)).astype("float64"),
    )


@dataclass(frozen=True)
class PowerModel:
    """A least-squares fit of power.

    Attributes
    ----------
    names : tuple of str
        Names of the coefficients: ``constant`` and then the loads.
    coefficients : numpy.ndarray, shape (terms,)
        W, and W per unit of load.
    interval : numpy.ndarray, shape (terms, 2)
        95 % intervals that draw blocks of time with replacement.
    naive_interval : numpy.ndarray, shape (terms, 2)
        95 % intervals of the textbook, which takes the residuals to be independent.
    r2 : float
        Share of the variance explained.
    mape : float
        Mean absolute error as a share of the power (0.033 is 3.3 %).
    predicted : numpy.ndarray, shape (slots,)
        W.
    """

    names: tuple[str, ...]
    coefficients: np.ndarray
    interval: np.ndarray
    naive_interval: np.ndarray
    r2: float
    mape: float
    predicted: np.ndarray


def fit(
    power: np.ndarray,
    loads: dict[str, np.ndarray],
    *,
    block: int,
    replicates: int,
    rng: np.random.Generator,
) -> PowerModel:
    """Fit power to loads by ordinary least squares.

    Parameters
    ----------
    power : numpy.ndarray, shape (slots,)
        Measured power, W.
    loads : dict of str to numpy.ndarray, shape (slots,)
        Loads by name, for example ``{"A": ..., "U": ...}``.
    block : int
        Slots drawn together, longer than the residuals remember.
    replicates : int
        Bootstrap replicates.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    PowerModel
        Coefficients with their intervals, and how well they fit.

    Raises
    ------
    TraceError
        If there are not more slots than two blocks or the loads do not tell the terms apart.

    Notes
    -----
    The normal equations X'X and X'P are sums over time, so a replicate only adds those of its
    blocks: one matrix product and one small solve for all replicates.
    """
    X = np.column_stack([np.ones_like(power), *loads.values()]).astype("float64")
    if len(power) < 2 * block:
        raise TraceError(
            f"the power series has {len(power)} slots; an interval from blocks of {block} slots "
            f"needs at least {2 * block}."
        )
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise TraceError(
            f"the loads {', '.join(loads)} are constant or proportional to one another, so their "
            "coefficients cannot be told apart; give a longer series or fewer loads."
        )
    coefficients = np.linalg.lstsq(X, power, rcond=None)[0]
    predicted = X @ coefficients
    residual = power - predicted
    variance = residual @ residual / (len(power) - X.shape[1])
    error = np.sqrt(variance * np.diag(np.linalg.inv(X.T @ X)))
    return PowerModel(
        names=("constant", *loads),
        coefficients=coefficients,
        interval=_block_interval(X, power, block, replicates, rng),
        naive_interval=coefficients[:, None] + np.array([-1.96, 1.96]) * error[:, None],
        r2=r_squared(power, predicted),
        mape=mape(power, predicted),
        predicted=predicted,
    )


def _block_interval(
    X: np.ndarray, power: np.ndarray, block: int, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Percentile intervals (terms, 2) of the coefficients, drawing blocks of `block` slots."""
    blocks = len(power) // block
    cut = blocks * block  # a last, shorter block is left out of the draws
    scale = np.abs(X).max(axis=0)
    Z = (X[:cut] / scale).reshape(blocks, block, -1)  # (blocks, block, terms)
    gram = np.einsum("kbi,kbj->kij", Z, Z)
    moment = np.einsum("kbi,kb->ki", Z, power[:cut].reshape(blocks, block))
    weights = block_weights(blocks, replicates, block=1, rng=rng)
    grams = np.tensordot(weights, gram, axes=1)  # (replicates, terms, terms)
    drawn = np.linalg.solve(grams, (weights @ moment)[..., None])[..., 0] / scale
    return np.array([percentile_interval(column) for column in drawn.T])


def r_squared(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of `measured` that `predicted` explains.

    Examples
    --------
    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    left = ((measured - predicted) ** 2).sum()
    return float(1 - left / ((measured - measured.mean()) ** 2).sum())


def mape(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the absolute error as a share of the measured value.

    Examples
    --------
    >>> mape(np.array([100.0, 200.0]), np.array([110.0, 180.0]))
    0.1
    """
    return float(np.mean(np.abs(measured - predicted) / measured))


@dataclass(frozen=True)
class HeldOut:
    """A model fitted to the first days and tried on the last.

    Attributes
    ----------
    fitted, held_out : int
        Slots that the model saw and did not see.
    r2, mape : float
        On the slots that it did not see. R2 is about their own mean, so it can be negative.
    energy_error : float
        Predicted over measured energy of those slots, minus one.
    """

    fitted: int
    held_out: int
    r2: float
    mape: float
    energy_error: float


def hold_out(power: np.ndarray, loads: dict[str, np.ndarray], fitted: int) -> HeldOut:
    """Fit the first slots, predict the others.

    Parameters
    ----------
    power : numpy.ndarray, shape (slots,)
        Measured power, W.
    loads : dict of str to numpy.ndarray, shape (slots,)
        Loads by name.
    fitted : int
        Slots to fit.

    Returns
    -------
    HeldOut
        Measured and predicted power of the other slots.

    Raises
    ------
    TraceError
        If there are fewer than three slots to fit or to predict.
    """
    if fitted < 3 or len(power) - fitted < 3:
        raise TraceError(
            f"the power series has {len(power)} slots; fitting the first {fitted} and predicting "
            "the others needs at least 3 of both."
        )
    X = np.column_stack([np.ones_like(power), *loads.values()]).astype("float64")
    coefficients = np.linalg.lstsq(X[:fitted], power[:fitted], rcond=None)[0]
    measured, predicted = power[fitted:], X[fitted:] @ coefficients
    return HeldOut(
        fitted=fitted,
        held_out=len(measured),
        r2=r_squared(measured, predicted),
        mape=mape(measured, predicted),
        energy_error=float(predicted.sum() / measured.sum() - 1),
    )


def energy_kwh(power: np.ndarray, seconds: float) -> float:
    """Energy of a power series with equal slots, kWh.

    Examples
    --------
    >>> energy_kwh(np.array([1000.0, 3000.0]), 1800.0)
    2.0
    """
    return float(power.sum() * seconds / 3.6e6)


def autocorrelation(residual: np.ndarray, lag: int) -> float:
    """Correlation of a series with itself `lag` slots later.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 0)
    1.0
    """
    r = residual - residual.mean()
    return float(r[: len(r) - lag] @ r[lag:] / (r @ r))
