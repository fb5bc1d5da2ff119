"""Runs of a SWAP-ASAP chain from their sampled times, without events."""

from dataclasses import dataclass

import numba
import numpy as np

from restudy.qnet.analytic.bell import WALSH
from restudy.qnet.arguments import whole
from restudy.qnet.batch.chain import Chain, Deliveries, attempt_scale, checked_attempts


def deliveries(chain: Chain, attempts: np.ndarray) -> Deliveries:
    r"""Delivery time and state of runs with given numbers of attempts.

    With the times :math:`t_l` of the links, the swap at node l is over at
    :math:`s_l = \max(t_{l-1}, t_l) + \tau`, the delivery is at
    :math:`T = \max_l (s_l + d_l)`, and the qubits together have waited for

    .. math:: W = \sum_l (2 s_l - t_{l-1} - t_l) + 2T - t_0 - t_{N-2}.

    Noise and swaps are products of Walsh transforms, so that only W matters:
    :math:`\hat c_m = \hat c^{(0)}_m e^{-(\Gamma + \gamma [m \ne 3]) W}`, and the transform of the
    links and swaps without waiting is :math:`\hat c^{(0)}`.

    Parameters
    ----------
    chain : Chain
        The chain.
    attempts : numpy.ndarray, shape (runs, links)
        Attempts until each link was there, from `draw_attempts` or from another simulation.

    Returns
    -------
    Deliveries
        One a run.

    Raises
    ------
    QnetError
        If `attempts` do not fit the chain.

    Notes
    -----
    O(links) a run, no sorting, no exponential per link. Exact where memories are equal and
    noise is Pauli noise.

    Examples
    --------
    >>> from restudy.qnet.batch.chain import Link, uniform_chain
    >>> chain = uniform_chain(3, Link(0.5, 1e6), depolar_hz=100.0)
    >>> run = deliveries(chain, np.array([[1, 4]]))  # the first pair waits for 3 ms, both qubits
    >>> run.duration_ns.tolist(), run.fidelity.tolist() == [0.25 + 0.75 * np.exp(-0.6)]
    ([4000000.0], True)
    """
    table = checked_attempts(chain, attempts)
    times = _times(chain)
    duration, waited = _replay(table, times.attempt, times.message, chain.swap_ns)
    return _with_noise(chain, duration, waited)


def simulate(chain: Chain, runs: int, *, rng: np.random.Generator) -> Deliveries:
    """Delivery time and state of random runs, bit for bit those of `draw_attempts`.

    Parameters
    ----------
    chain : Chain
        The chain.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Draws run after run, so that two calls with 10 runs and one with 20 give the same.

    Returns
    -------
    Deliveries
        One a run.

    Raises
    ------
    QnetError
        If `runs` is not a whole number.

    Notes
    -----
    Draws and adds up in one pass; the attempts are never stored.

    Examples
    --------
    >>> from restudy.qnet.batch.chain import Link, uniform_chain
    >>> chain = uniform_chain(1000, Link(0.1, 1e5))
    >>> runs = simulate(chain, 2000, rng=np.random.default_rng(1))
    >>> round(runs.duration_ns.mean() / 1e5, -1)  # the mean maximum of 999 is 71.54
    np.float64(70.0)
    """
    times = _times(chain)
    duration, waited = _draw(
        rng, whole("runs", runs), attempt_scale(chain), times.attempt, times.message, chain.swap_ns
    )
    return _with_noise(chain, duration, waited)


@dataclass(frozen=True)
class _Times:
    """Time of an attempt of each link, (links,), and of a message of the node before it."""

    attempt: np.ndarray
    message: np.ndarray


def _times(chain: Chain) -> _Times:
    return _Times(np.array([link.attempt_ns for link in chain.links]), chain.message_ns()[:-1])


def _with_noise(chain: Chain, duration: np.ndarray, waited: np.ndarray) -> Deliveries:
    """Apply the noise of the time waited, ns, to what the chain makes without waiting."""
    fresh = (np.array([link.weights for link in chain.links]) @ WALSH).prod(axis=0)
    fresh[1:] *= (1.0 - chain.swap_depolar) ** (chain.nodes - 2)
    rates = chain.depolar_hz * np.array([0.0, 1, 1, 1]) + chain.dephase_hz * np.array(
        [0.0, 1, 1, 0]
    )
    decay = np.exp(-(waited[:, None] * 1e-9) * rates)  # (runs, 4)
    return Deliveries(duration, (fresh * decay) @ WALSH / 4.0)


@numba.njit(cache=True, nogil=True)
def _run(t: np.ndarray, message: np.ndarray, swap: float) -> tuple[float, float]:
    """Return time of delivery and time waited by all qubits, from times of the links."""
    last = len(t) - 1
    end = t[0] if last == 0 else 0.0
    waited = 0.0
    for node in range(1, last + 1):
        done = max(t[node - 1], t[node]) + swap
        waited += (done - t[node - 1]) + (done - t[node])
        end = max(end, done + message[node])
    return end, waited + (end - t[0]) + (end - t[last])


@numba.njit(cache=True, nogil=True)
def _replay(
    attempts: np.ndarray, attempt: np.ndarray, message: np.ndarray, swap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return times of delivery and times waited of given runs, (runs,) each."""
    runs = attempts.shape[0]
    duration, waited = np.empty(runs), np.empty(runs)
    for run in range(runs):
        duration[run], waited[run] = _run(attempts[run] * attempt, message, swap)
    return duration, waited


@numba.njit(cache=True, nogil=True)
def _draw(
    rng: np.random.Generator,
    runs: int,
    scale: np.ndarray,
    attempt: np.ndarray,
    message: np.ndarray,
    swap: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return times of delivery and times waited of random runs, (runs,) each."""
    duration, waited, t = np.empty(runs), np.empty(runs), np.empty(len(scale))
    for run in range(runs):
        for link in range(len(scale)):
            t[link] = (1.0 + np.floor(rng.standard_exponential() * scale[link])) * attempt[link]
        duration[run], waited[run] = _run(t, message, swap)
    return duration, waited
