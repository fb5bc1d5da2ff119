"""NESTED-WITH-DISTILL on 2**n + 1 NV nodes (arXiv 2010.12535, Supplementary Note 5), many runs.

The rules are those of `restudy.qnet.protocols.nv_nested`, which runs the same protocol event by
event on components, and is what this is checked against.
"""

from typing import Final

import numba
import numpy as np

from restudy.qnet.arguments import whole
from restudy.qnet.batch.nv_maps import HADAMARD, NVMaps
from restudy.qnet.batch.nv_pairs import ChainRuns, act, corrected_fidelity, idle
from restudy.qnet.batch.nv_world import (
    DISTILL,
    DONE,
    ELECTRON,
    FREE,
    MOST_NODES,
    NOBODY,
    PAIR,
    POSITIONS,
    REQUEST,
    TOLD,
    WORLD,
    distil,
    free_electron,
    make_pair,
    move,
    next_event,
    schedule,
    slot_of,
    swap,
)
from restudy.qnet.batch.streams import geometric, new_streams, uniform
from restudy.qnet.errors import QnetError

_OVERFLOW: Final = 1
_STUCK: Final = 2


def nested_with_distill(
    maps: NVMaps, *, nodes: int, runs: int, rng: np.random.Generator
) -> ChainRuns:
    """Run NESTED-WITH-DISTILL until the ends share a pair and know it.

    Parameters
    ----------
    maps : NVMaps
        Links and nodes, from `restudy.qnet.batch.nv_maps.nv_maps`.
    nodes : int
        3, 5, 9, 17 or 33.
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
        If there are not 2**n + 1 nodes with n from 1 to 5, or no run.

    Examples
    --------
    >>> from restudy.qnet.batch.nv_maps import nv_maps
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> maps = nv_maps(improved(NEAR_TERM, 20), 500 / 4)
    >>> found = nested_with_distill(maps, nodes=5, runs=200, rng=np.random.default_rng(1))
    >>> bool(found.fidelity.mean() > 0.7 and found.links.min() >= 16)  # 2 pairs on 2 sides, twice
    True
    """
    links = whole("nodes", nodes, least=3) - 1
    if links & (links - 1) or nodes > MOST_NODES:
        raise QnetError(f"nodes is {nodes}; nesting takes 2**n + 1 of them: 3, 5, 9, 17 or 33.")
    whole("runs", runs, least=1)
    return replay(maps, nodes, new_streams(runs, 2 * nodes - 1, rng=rng))


def replay(maps: NVMaps, nodes: int, streams: np.ndarray) -> ChainRuns:
    """Run with given streams, (runs, nodes - 1 links and then the nodes); they move on.

    Raises
    ------
    QnetError
        If a node runs out of carbon spins, or all wait: an error of this module.
    """
    runs = len(streams)
    found = ChainRuns(np.empty(runs), np.empty(runs), np.empty(runs, np.int64))
    world: np.record = np.zeros(1, np.dtype((np.record, WORLD)))[0]
    world["nodes"] = nodes
    failed = _runs(
        maps.record, HADAMARD.copy(), streams, world, found.fidelity, found.duration_ns, found.links
    )
    if failed:
        run, why = divmod(failed, 4)
        what = "a node ran out of carbon spins" if why == _OVERFLOW else "all nodes wait"
        raise QnetError(f"in run {run - 1} of NESTED-WITH-DISTILL {what}; report this.")
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _runs(
    maps: np.record,
    hadamard: np.ndarray,
    streams: np.ndarray,
    w: np.record,
    fidelity: np.ndarray,
    duration: np.ndarray,
    links: np.ndarray,
) -> int:
    nodes = w.nodes
    for run in range(len(streams)):
        w.at[:] = -1
        w.holds[:] = -1
        w.busy[:] = 0
        w.asked[:] = 0
        w.events = w.scheduled = w.requests = w.births = w.links = 0
        for node in range(nodes):
            if not _trigger(w, maps, node, 0.0, streams, run):
                return 4 * (run + 1) + _OVERFLOW
        while True:
            if w.events == 0:
                return 4 * (run + 1) + _STUCK
            now, kind, node, other, what = next_event(w)
            if kind == TOLD and abs(other - node) == nodes - 1:
                break
            if kind == REQUEST:
                w.requests += 1
                w.asked[node, other] = w.requests
                w.what[node, other] = what
            elif kind == DONE:
                if what == PAIR:
                    make_pair(w, maps, node, other, now, streams, run)
                else:
                    distil(w, maps, node, other, now, streams, run)
                w.busy[node] = w.busy[other] = 0
            elif kind == FREE:
                w.busy[node] = 0
            else:
                _learn(w, node, other, what)
            good = _trigger(w, maps, node, now, streams, run)
            if good and kind == DONE:
                good = _trigger(w, maps, other, now, streams, run)
            if not good:
                return 4 * (run + 1) + _OVERFLOW
        last = 0
        while w.at[last, 0] != 0 or w.at[last, 1] != nodes - 1:
            last += 1
        for side in range(2):
            spin = 0 if w.slot[last, side] == 0 else 1
            idle(w.pair[last], side, now - w.touched[last, side], maps.rates[spin])
            if spin == 1:
                act(w.pair[last], side, hadamard)
        fidelity[run] = corrected_fidelity(w.pair[last], w.frame[last, 0] ^ w.frame[last, 1])
        duration[run] = now
        links[run] = w.links
    return 0


# What a node decides


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _trigger(
    w: np.record, maps: np.record, node: int, now: float, streams: np.ndarray, run: int
) -> bool:
    """Let a node do the first of the six things that applies; False if it lacks carbons."""
    if w.busy[node]:
        return True
    last = w.nodes - 1
    span = node & -node
    inner = 0 < node < last
    if inner:
        left = _distilled_with(w, node, node - span)
        right = _distilled_with(w, node, node + span)
        if left >= 0 and right >= 0:
            return swap(w, maps, node, left, right, now, streams, run)
        for other in (node - span, node + span):
            if _choose(w, node, other):
                return _ask(w, maps, node, other, DISTILL, now)
    oldest = NOBODY
    for other in range(last + 1):
        order = w.asked[node, other]
        if order == 0 or (oldest >= 0 and order > w.asked[node, oldest]):
            continue
        if w.what[node, other] == DISTILL or _wants(w, node, other > node):
            oldest = other
    if oldest >= 0:
        return _answer(w, maps, node, oldest, now, streams, run)
    if inner and span == 1:
        for other in (node - 1, node + 1):
            if _distilled_with(w, node, other) < 0:
                return _ask(w, maps, node, other, PAIR, now)
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _distilled_with(w: np.record, node: int, other: int) -> int:
    """Position of a distilled pair with a node, or -1."""
    for slot in range(POSITIONS):
        held = w.holds[node, slot] >= 0
        if held and w.distilled[node, slot] and w.remote[node, slot] == other:
            return slot
    return -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _choose(w: np.record, node: int, other: int) -> bool:
    """Choose the two oldest pairs with a node that are not distilled; False if there are none."""
    kept, spent = -1, -1
    for slot in range(POSITIONS):
        pair = w.holds[node, slot] // 2
        if pair < 0 or w.distilled[node, slot] or w.remote[node, slot] != other:
            continue
        if kept < 0 or w.born[pair] < w.born[kept]:
            kept, spent = pair, kept
        elif spent < 0 or w.born[pair] < w.born[spent]:
            spent = pair
    w.chosen[node, 0] = kept
    w.chosen[node, 1] = spent
    return spent >= 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _wants(w: np.record, node: int, to_the_right: bool) -> bool:
    """Tell whether a node has use for another pair on a side."""
    for slot in range(POSITIONS):
        other = w.remote[node, slot]
        if w.holds[node, slot] < 0 or (other > node) != to_the_right:
            continue
        if w.distilled[node, slot]:
            return False
        for more in range(slot):
            if w.holds[node, more] >= 0 and w.remote[node, more] == other:
                return False
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ask(w: np.record, maps: np.record, node: int, other: int, what: int, now: float) -> bool:
    """Make ready and send a request."""
    ready = _make_ready(w, maps, node, node, what, now)
    w.busy[node] = 1
    travel = abs(other - node) * maps.message_ns
    schedule(w, ready + travel, REQUEST, other, node, what)
    return ready >= 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _answer(
    w: np.record, maps: np.record, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> bool:
    """Make ready and confirm; both nodes start when the confirmation arrives."""
    what = w.what[node, other]
    w.asked[node, other] = 0
    ready = _make_ready(w, maps, node, other, what, now)
    w.busy[node] = 1
    travel = abs(other - node) * maps.message_ns
    lasts = maps.gate_ns + maps.distill_ns + travel
    if what == PAIR:
        k = geometric(uniform(streams, run, min(node, other)), maps.p_success)
        w.attempts[other] = k
        lasts = k * maps.attempt_ns
    schedule(w, ready + travel + lasts, DONE, other, node, what)
    return ready >= 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _make_ready(
    w: np.record, maps: np.record, node: int, initiator: int, what: int, now: float
) -> float:
    """Store and retrieve what is needed; return when that is done, or -1 without free carbons."""
    if what == PAIR:
        return free_electron(w, maps, node, now)
    spent = slot_of(w, node, w.chosen[initiator, 1])
    if spent == 0:
        return now
    now = free_electron(w, maps, node, now)
    return move(w, maps, node, spent, ELECTRON, now) if now >= 0 else now


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _learn(w: np.record, node: int, other: int, pair: int) -> None:
    """Note that a pair now ends at another node."""
    slot = slot_of(w, node, pair)
    w.remote[node, slot] = other
    w.distilled[node, slot] = 0
