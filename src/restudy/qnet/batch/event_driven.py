"""Runs of a SWAP-ASAP chain event by event, compiled.

The events are those of the full simulator: a link is there, a swap is over, a message arrives.
Noise is applied when a qubit is touched, and a swap is the convolution of two sets of weights, so
that this executor shares no arithmetic with `restudy.qnet.batch.closed_form`.
"""

import math
from typing import Any

import numba
import numpy as np

from restudy.qnet.batch.chain import Chain, Deliveries, checked_attempts

_LINK, _SWAP, _MESSAGE = 0, 1, 2
_EMPTY: Any = np.int64(0)  # typed: numba compiles a function once more for each literal number
_NUMBER = 1 << 32  # unit of running numbers in a key; below it are three times a place, and a kind


def deliveries(chain: Chain, attempts: np.ndarray) -> Deliveries:
    """Delivery time and state of runs with given numbers of attempts.

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
    ``3 links - 2`` events a run through a binary heap, simultaneous ones first in, first out.

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
    table = checked_attempts(chain, attempts)
    duration, weights = _runs(
        table,
        np.array([link.attempt_ns for link in chain.links]),
        chain.message_ns(),
        np.array([link.weights for link in chain.links]),
        chain.depolar_hz * 1e-9,
        chain.dephase_hz * 1e-9,
        float(chain.swap_ns),
        float(chain.swap_depolar),
    )
    return Deliveries(duration, weights)


@numba.njit(cache=True, nogil=True)
def _push(time: np.ndarray, key: np.ndarray, size: int, t: float, k: int) -> int:
    """Put an entry on the heap; return its new size."""
    at = size
    while at > 0:
        up = (at - 1) >> 1
        if time[up] < t or (time[up] == t and key[up] < k):
            break
        time[at], key[at] = time[up], key[up]
        at = up
    time[at], key[at] = t, k
    return size + 1


@numba.njit(cache=True, nogil=True)
def _replace(time: np.ndarray, key: np.ndarray, size: int, t: float, k: int) -> None:
    """Put an entry on the heap in place of the first one."""
    at = 0
    while True:
        down = 2 * at + 1
        if down >= size:
            break
        right = down + 1
        if right < size and (
            time[right] < time[down] or (time[right] == time[down] and key[right] < key[down])
        ):
            down = right
        if t < time[down] or (t == time[down] and k < key[down]):
            break
        time[at], key[at] = time[down], key[down]
        at = down
    time[at], key[at] = t, k


@numba.njit(cache=True, nogil=True)
def _wait(w: np.ndarray, elapsed: float, depolar: float, dephase: float) -> None:
    """Apply a memory's noise to one qubit of a pair."""
    if depolar > 0.0:
        kept = math.exp(-depolar * elapsed)
        for i in range(4):
            w[i] = kept * w[i] + (1.0 - kept) / 4.0
    if dephase > 0.0:
        z = (1.0 - math.exp(-dephase * elapsed)) / 2.0
        w[0], w[3] = (1.0 - z) * w[0] + z * w[3], (1.0 - z) * w[3] + z * w[0]
        w[1], w[2] = (1.0 - z) * w[1] + z * w[2], (1.0 - z) * w[2] + z * w[1]


@numba.njit(cache=True, nogil=True)
def _swap(a: np.ndarray, b: np.ndarray, depolar: float) -> None:
    """Swap two pairs; the weights of the new one replace `a`."""
    a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
    for k in range(4):
        c = a0 * b[k] + a1 * b[1 ^ k] + a2 * b[2 ^ k] + a3 * b[3 ^ k]
        a[k] = (1.0 - depolar) * c + depolar / 4.0


@numba.njit(cache=True, nogil=True)
def _runs(
    attempts: np.ndarray,
    attempt: np.ndarray,
    message: np.ndarray,
    fresh: np.ndarray,
    depolar: float,
    dephase: float,
    swap: float,
    swap_depolar: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return times of delivery (runs,) and weights (runs, 4)."""
    runs, links = attempts.shape
    duration, delivered = np.empty(runs), np.empty((runs, 4))
    time = np.empty(links + 3)  # the heap: links to come, swaps and messages under way
    key = np.empty(links + 3, np.int64)  # running number, then place and kind
    w = np.empty((links, 4))
    right_node = np.empty(links, np.int64)  # of the pair that began as this link
    since = np.empty((links + 1, 2))  # when the left and the right qubit of a node were touched
    to_left = np.empty(links + 1, np.int64)  # pair of a node's left qubit
    for run in range(runs):
        size, number = _EMPTY, 0
        for link in range(links):
            t = attempts[run, link] * attempt[link]
            number += _NUMBER
            size = _push(time, key, size, t, number + 3 * link + _LINK)
        there = np.zeros(links + 1, np.int64)  # pairs of each node
        now = 0.0
        while size > 0:
            now = time[0]
            code = key[0] & (_NUMBER - 1)
            kind, at = code % 3, code // 3
            if kind == _LINK:
                for k in range(4):
                    w[at, k] = fresh[at, k]
                right_node[at] = at + 1
                to_left[at + 1] = at
                since[at, 1] = since[at + 1, 0] = now
                for node in range(at, at + 2):
                    there[node] += 1
                    if there[node] == 2:
                        number += _NUMBER
                        size = _push(time, key, size, now + swap, number + 3 * node + _SWAP)
            elif kind == _SWAP:
                pair, other = to_left[at], at
                _wait(w[pair], now - since[at, 0], depolar, dephase)
                _wait(w[other], now - since[at, 1], depolar, dephase)
                _swap(w[pair], w[other], swap_depolar)
                right_node[pair] = right_node[other]
                to_left[right_node[pair]] = pair
                number += _NUMBER
                _replace(time, key, size, now + message[at], number + 3 * at + _MESSAGE)
                continue
            size -= 1
            _replace(time, key, size, time[size], key[size])
        _wait(w[0], now - since[0, 1], depolar, dephase)
        _wait(w[0], now - since[links, 0], depolar, dephase)
        duration[run] = now
        for k in range(4):
            delivered[run, k] = w[0, k]
    return duration, delivered
