"""SWAP-ASAP on a chain of NV nodes (arXiv 2010.12535, Supplementary Note 5), over many runs.

Nodes are counted from 1. An even node asks its left neighbour, makes a pair, stores it, and does
the same with its right neighbour. An odd node answers requests, and stores before it answers if
its electron is taken. A node with pairs to both sides swaps and tells the ends.
An odd node's right neighbour asks at time 0 and its left neighbour after making a pair, so which
pair comes first is fixed, and every time is a sum and a maximum of earlier ones: no event list.
"""

import numba
import numpy as np

from restudy.qnet.arguments import whole
from restudy.qnet.batch.nv_maps import NVMaps
from restudy.qnet.batch.nv_pairs import (
    LEFT,
    RIGHT,
    ChainRuns,
    act,
    corrected_fidelity,
    dephase,
    idle,
    put,
    swap_pairs,
)
from restudy.qnet.batch.streams import geometric, new_streams, uniform


def swap_asap(maps: NVMaps, *, nodes: int, runs: int, rng: np.random.Generator) -> ChainRuns:
    """Run SWAP-ASAP until the ends share a pair and know it.

    Parameters
    ----------
    maps : NVMaps
        Links and nodes, from `restudy.qnet.batch.nv_maps.nv_maps`.
    nodes : int
        Number of nodes, the ends included, at least 2.
    runs : int
        Number of runs.
    rng : numpy.random.Generator
        Seeds a stream for each link and node of each run.

    Returns
    -------
    ChainRuns
        Fidelities and durations.

    Raises
    ------
    QnetError
        If `nodes` or `runs` is too small.

    Examples
    --------
    >>> from restudy.qnet.batch.nv_maps import nv_maps
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> maps = nv_maps(improved(NEAR_TERM, 3), 500 / 4)
    >>> found = swap_asap(maps, nodes=5, runs=4000, rng=np.random.default_rng(1))
    >>> round(float(found.fidelity.mean()), 2)  # the paper's 0.39 (Figure 6)
    0.39
    """
    whole("nodes", nodes, least=2)
    whole("runs", runs, least=1)
    return replay(maps, nodes, new_streams(runs, 2 * nodes - 1, rng=rng))


def replay(maps: NVMaps, nodes: int, streams: np.ndarray) -> ChainRuns:
    """Run with given streams, (runs, nodes - 1 links and then the nodes); they move on."""
    found = ChainRuns(
        np.empty(len(streams)),
        np.empty(len(streams)),
        np.full(len(streams), nodes - 1, np.int64),
    )
    _runs(maps.record, nodes, streams, found.fidelity, found.duration_ns)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _runs(
    maps: np.record, nodes: int, streams: np.ndarray, fidelity: np.ndarray, duration: np.ndarray
) -> None:
    links = nodes - 1
    pairs = np.empty((links, 4, 4))
    attempts, heralded = np.empty(links), np.empty(links)
    stored = np.zeros(nodes)  # when a node begins to store its first pair
    swapped = np.zeros(nodes)
    for run in range(len(streams)):
        correction = 0
        for link in range(links):
            attempts[link] = geometric(uniform(streams, run, link), maps.p_success)
            minus = 0 if uniform(streams, run, link) < 0.5 else 1
            put(pairs[link], maps.heralded[minus], 1.0)
            correction ^= 3 * minus
        end = _schedule(maps, nodes, attempts, heralded, stored, swapped)
        idle(pairs[0], LEFT, end - heralded[0], maps.rates[0])
        idle(pairs[-1], RIGHT, end - heralded[-1], maps.rates[0])
        for node in range(1, nodes - 1):
            odd = node % 2  # counted from 0: it asks, left first
            pair = pairs[node - odd]
            idle(pair, odd, stored[node] - heralded[node - odd], maps.rates[0])
            act(pair, odd, maps.store[:])
            idle(pair, odd, swapped[node] - stored[node] - maps.store_ns, maps.rates[1])
            dephase(pair, odd, maps.kept ** attempts[node - 1 + odd])
        correction ^= _swap_all(maps, nodes, pairs, swapped, streams, run)
        fidelity[run] = corrected_fidelity(pairs[0], correction)
        duration[run] = end


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _schedule(
    maps: np.record,
    nodes: int,
    attempts: np.ndarray,
    heralded: np.ndarray,
    stored: np.ndarray,
    swapped: np.ndarray,
) -> float:
    """Fill when links are heralded, and nodes begin to store and to swap; return the end.

    Nodes and links are counted from 0: link l joins nodes l and l + 1, odd nodes ask.
    """
    message = maps.message_ns
    for node in range(1, nodes, 2):  # request and answer
        heralded[node - 1] = 2 * message + attempts[node - 1] * maps.attempt_ns
    for node in range(1, nodes - 1, 2):
        stored[node] = heralded[node - 1]
        asked = stored[node] + maps.store_ns + message
        answers = asked
        if node + 1 < nodes - 1:
            stored[node + 1] = max(asked, heralded[node + 1])
            answers = stored[node + 1] + maps.store_ns
        heralded[node] = answers + message + attempts[node] * maps.attempt_ns
        swapped[node] = heralded[node]
        swapped[node + 1] = heralded[node]
    end = heralded[0]
    for node in range(1, nodes - 1):
        told = swapped[node] + maps.swap_ns + max(node, nodes - 1 - node) * message
        end = max(end, told)
    return end


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _swap_all(
    maps: np.record,
    nodes: int,
    pairs: np.ndarray,
    swapped: np.ndarray,
    streams: np.ndarray,
    run: int,
) -> int:
    """Swap in order of time, lower node first; the pair of the ends is then pairs[0]."""
    begins = np.arange(nodes)  # pair whose left qubit is at a node
    ends = np.arange(nodes) - 1
    correction = 0
    done = np.zeros(nodes, np.bool_)
    for _ in range(1, nodes - 1):
        first = 0
        for node in range(1, nodes - 1):
            if not done[node] and (first == 0 or swapped[node] < swapped[first]):
                first = node
        done[first] = True
        left, right = ends[first], begins[first]
        electron_is_left = first % 2 == 0
        which = nodes - 1 + first
        correction ^= swap_pairs(
            pairs[left], pairs[right], maps, electron_is_left, streams, run, which
        )
        ends[first] = -1
        for node in range(first + 1, nodes):
            if ends[node] == right:
                ends[node] = left
    return correction
