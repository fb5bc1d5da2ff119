"""Runs of a SWAP-ASAP chain from their sampled times, without events."""

import math
from typing import NamedTuple

import numba
import numpy as np

from restudy.qnet.analytic.bell import WALSH
from restudy.qnet.arguments import generator, whole
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
    >>> run.duration_ns.tolist(), run.fidelity.round(9).tolist()
    ([4000000.0], [0.661608727])
    >>> round(0.25 + 0.75 * math.exp(-0.6), 9)
    0.661608727
    """
    return Deliveries(*_replay(checked_attempts(chain, attempts), _numbers(chain)))


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
        If `runs` is not a whole number, or `rng` no generator.

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
    n, source = whole("runs", runs), generator(rng)
    return Deliveries(*_draw(source, n, attempt_scale(chain), _numbers(chain)))


def samples(chain: Chain, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return duration, ns, and fidelity of random runs: an experiment for `restudy.qnet.sweeps`."""
    found = simulate(chain, runs, rng=rng)
    return {"duration_ns": found.duration_ns, "fidelity": found.fidelity}


class _Numbers(NamedTuple):
    """What the kernels need of a chain; rates are per ns."""

    attempt: np.ndarray  # (links,)
    message: np.ndarray  # (nodes,)
    fresh: np.ndarray  # (4,), Walsh transform of links and swaps without waiting
    swap: float
    depolar: float
    dephase: float


def _numbers(chain: Chain) -> _Numbers:
    fresh = (np.array([link.weights for link in chain.links]) @ WALSH).prod(axis=0)
    fresh[1:] *= (1.0 - chain.swap_depolar) ** (chain.nodes - 2)
    return _Numbers(
        np.array([link.attempt_ns for link in chain.links]),
        chain.message_ns(),
        fresh,
        float(chain.swap_ns),
        chain.depolar_hz * 1e-9,
        chain.dephase_hz * 1e-9,
    )


@numba.njit(cache=True, nogil=True)
def _run(t: np.ndarray, chain: _Numbers, weights: np.ndarray) -> float:
    """Fill in the weights delivered and return when, from the times of the links."""
    last = len(t) - 1
    end = t[0] if last == 0 else 0.0
    waited = 0.0
    for node in range(1, last + 1):
        done = max(t[node - 1], t[node]) + chain.swap
        waited += (done - t[node - 1]) + (done - t[node])
        end = max(end, done + chain.message[node])
    waited += (end - t[0]) + (end - t[last])
    mixed, dephased = math.exp(-chain.depolar * waited), math.exp(-chain.dephase * waited)
    c0 = chain.fresh[0]
    c1 = chain.fresh[1] * mixed * dephased
    c2 = chain.fresh[2] * mixed * dephased
    c3 = chain.fresh[3] * mixed
    weights[0], weights[1] = (c0 + c1 + c2 + c3) / 4.0, (c0 - c1 + c2 - c3) / 4.0
    weights[2], weights[3] = (c0 + c1 - c2 - c3) / 4.0, (c0 - c1 - c2 + c3) / 4.0
    return end


@numba.njit(cache=True, nogil=True)
def _replay(attempts: np.ndarray, chain: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Return times of delivery (runs,) and weights (runs, 4) of given runs."""
    runs = attempts.shape[0]
    duration, weights = np.empty(runs), np.empty((runs, 4))
    for run in range(runs):
        duration[run] = _run(attempts[run] * chain.attempt, chain, weights[run])
    return duration, weights


@numba.njit(cache=True, nogil=True)
def _draw(
    rng: np.random.Generator, runs: int, scale: np.ndarray, chain: _Numbers
) -> tuple[np.ndarray, np.ndarray]:
    """Return times of delivery (runs,) and weights (runs, 4) of random runs."""
    duration, weights = np.empty(runs), np.empty((runs, 4))
    t = np.empty(len(scale))
    for run in range(runs):
        for link in range(len(scale)):
            attempts = 1.0 + np.floor(rng.standard_exponential() * scale[link])
            t[link] = attempts * chain.attempt[link]
        duration[run] = _run(t, chain, weights[run])
    return duration, weights
