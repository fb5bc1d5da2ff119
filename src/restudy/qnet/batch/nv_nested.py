"""NESTED-WITH-DISTILL on 2**n + 1 NV nodes (arXiv 2010.12535, Supplementary Note 5), many runs.

Nodes are counted from 0. Node k initiates what spans f(k) links, f(k) the largest power of two
that divides k; the ends never do. A node that is free does the first that applies of

1. swap, if it shares distilled pairs over f(k) links with both sides;
2. distil two pairs with node k - f(k), or else 3. with node k + f(k);
4. the oldest request of another node: store, confirm, act when the confirmation arrives;
5. if f(k) = 1, make a pair with the left neighbour unless a distilled one is there, or else
   6. with the right one.

A node stores before it makes a pair, and stores and retrieves before it distils or swaps.
Of two pairs the newer one, on the electrons, is spent. Messages travel along the fibre.

Check 4 leaves out requests for pairs that the node has no use for yet: on that side it holds a
distilled pair, or two that wait to be distilled. The paper does not say so. Without, nodes with
f = 1 make pairs without end, and wear out those that wait in the same nodes.
"""

from typing import Any, Final

import numba
import numpy as np

from restudy.qnet.arguments import whole
from restudy.qnet.batch.nv_maps import HADAMARD, NVMaps
from restudy.qnet.batch.nv_pairs import (
    ChainRuns,
    act,
    corrected_fidelity,
    dephase,
    distill_pairs,
    idle,
    outcome,
    swap_pairs,
    turn,
)
from restudy.qnet.batch.streams import geometric, new_streams, uniform
from restudy.qnet.errors import QnetError

_MOST_NODES: Final = 33
_POSITIONS: Final = 16  # the electron and 15 carbons
_EVENTS: Final = 256
# Typed, because numba compiles a function once more for each literal number it is called with
_PAIR: Any = np.int64(0)  # what can be asked for
_DISTILL: Any = np.int64(1)
_REQUEST: Any = np.int64(0)  # kinds of event
_DONE: Any = np.int64(1)
_FREE: Any = np.int64(2)
_TOLD: Any = np.int64(3)
_LEFT: Any = np.int64(0)
_RIGHT: Any = np.int64(1)
_ELECTRON: Any = np.int64(0)
_NOBODY: Any = np.int64(-1)
_OVERFLOW, _STUCK = 1, 2


# Everything that changes in a run: P pairs, N nodes. One record, as numba takes long to compile
# functions of many arrays.
_PAIRS: Final = _MOST_NODES * _POSITIONS // 2
_WORLD: Final = np.dtype(
    [
        ("nodes", "i8"),
        ("pair", "f8", (_PAIRS, 4, 4)),
        ("at", "i8", (_PAIRS, 2)),  # node of each side; -1 if there is no pair
        ("slot", "i8", (_PAIRS, 2)),  # its position there
        ("touched", "f8", (_PAIRS, 2)),  # time up to which its idling is accounted for
        ("frame", "i8", (_PAIRS, 2)),  # correction of each qubit
        ("born", "i8", (_PAIRS,)),  # order of making
        ("holds", "i8", (_MOST_NODES, _POSITIONS)),  # 2 * pair + side, or -1
        ("remote", "i8", (_MOST_NODES, _POSITIONS)),  # other node, as far as this one knows
        ("distilled", "i8", (_MOST_NODES, _POSITIONS)),  # whether the pair is just distilled
        ("busy", "i8", (_MOST_NODES,)),
        ("asked", "i8", (_MOST_NODES, _MOST_NODES)),  # order of a pending request from a node, or 0
        ("what", "i8", (_MOST_NODES, _MOST_NODES)),  # what it asks for
        ("chosen", "i8", (_MOST_NODES, 2)),  # pairs that an initiator distils: kept and spent
        ("attempts", "f8", (_MOST_NODES,)),  # of the pair that an initiator makes
        ("time", "f8", (_EVENTS,)),
        ("event", "i8", (_EVENTS, 5)),  # order, kind, node, other node, what
        ("events", "i8"),  # how many are pending
        ("scheduled", "i8"),
        ("requests", "i8"),
        ("births", "i8"),
        ("links", "i8"),  # elementary pairs made
    ]
)


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
    >>> bool(found.fidelity.mean() > 0.7), found.links.min() >= 16  # 2 pairs on 2 sides, twice
    (True, True)
    """
    links = whole("nodes", nodes, least=3) - 1
    if links & (links - 1) or nodes > _MOST_NODES:
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
    world: np.record = np.zeros(1, np.dtype((np.record, _WORLD)))[0]
    world["nodes"] = nodes
    failed = _runs(maps.record, streams, world, found.fidelity, found.duration_ns, found.links)
    if failed:
        run, why = divmod(failed, 4)
        what = "a node ran out of carbon spins" if why == _OVERFLOW else "all nodes wait"
        raise QnetError(f"in run {run - 1} of NESTED-WITH-DISTILL {what}; report this.")
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _runs(
    maps: np.record,
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
            now, kind, node, other, what = _next(w)
            if kind == _TOLD and abs(other - node) == nodes - 1:
                break
            if kind == _REQUEST:
                w.requests += 1
                w.asked[node, other] = w.requests
                w.what[node, other] = what
            elif kind == _DONE:
                if what == _PAIR:
                    _make(w, maps, node, other, now, streams, run)
                else:
                    _distil(w, maps, node, other, now, streams, run)
                w.busy[node] = w.busy[other] = 0
            elif kind == _FREE:
                w.busy[node] = 0
            else:
                _learn(w, node, other, what)
            good = _trigger(w, maps, node, now, streams, run)
            if good and kind == _DONE:
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
                act(w.pair[last], side, HADAMARD)
        fidelity[run] = corrected_fidelity(w.pair[last], w.frame[last, 0] ^ w.frame[last, 1])
        duration[run] = now
        links[run] = w.links
    return 0


# Events: first by time, then by order of scheduling


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _schedule(w: np.record, time: float, kind: int, node: int, other: int, what: int) -> None:
    free = w.events
    w.events += 1
    w.scheduled += 1
    w.time[free] = time
    w.event[free, 0] = w.scheduled
    w.event[free, 1] = kind
    w.event[free, 2] = node
    w.event[free, 3] = other
    w.event[free, 4] = what


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _next(w: np.record) -> tuple[float, int, int, int, int]:
    """Take the earliest event out: a scan, as there are about as many as nodes."""
    best = 0
    for i in range(1, w.events):
        earlier = w.time[i] < w.time[best]
        if earlier or (w.time[i] == w.time[best] and w.event[i, 0] < w.event[best, 0]):
            best = i
    now = w.time[best]
    kind, node, other, what = w.event[best, 1], w.event[best, 2], w.event[best, 3], w.event[best, 4]
    w.events -= 1
    w.time[best] = w.time[w.events]
    w.event[best] = w.event[w.events]
    return now, kind, node, other, what


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
            return _swap(w, maps, node, left, right, now, streams, run)
        for other in (node - span, node + span):
            if _choose(w, node, other):
                return _ask(w, maps, node, other, _DISTILL, now)
    oldest = _NOBODY
    for other in range(last + 1):
        order = w.asked[node, other]
        if order == 0 or (oldest >= 0 and order > w.asked[node, oldest]):
            continue
        if w.what[node, other] == _DISTILL or _wants(w, node, other > node):
            oldest = other
    if oldest >= 0:
        return _answer(w, maps, node, oldest, now, streams, run)
    if inner and span == 1:
        for other in (node - 1, node + 1):
            if _distilled_with(w, node, other) < 0:
                return _ask(w, maps, node, other, _PAIR, now)
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _distilled_with(w: np.record, node: int, other: int) -> int:
    """Position of a distilled pair with a node, or -1."""
    for slot in range(_POSITIONS):
        held = w.holds[node, slot] >= 0
        if held and w.distilled[node, slot] and w.remote[node, slot] == other:
            return slot
    return -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _choose(w: np.record, node: int, other: int) -> bool:
    """Choose the two oldest pairs with a node that are not distilled; False if there are none."""
    kept, spent = -1, -1
    for slot in range(_POSITIONS):
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
    for slot in range(_POSITIONS):
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
    _schedule(w, ready + travel, _REQUEST, other, node, what)
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
    if what == _PAIR:
        k = geometric(uniform(streams, run, min(node, other)), maps.p_success)
        w.attempts[other] = k
        lasts = k * maps.attempt_ns
    _schedule(w, ready + travel + lasts, _DONE, other, node, what)
    return ready >= 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _make_ready(
    w: np.record, maps: np.record, node: int, initiator: int, what: int, now: float
) -> float:
    """Store and retrieve what is needed; return when that is done, or -1 without free carbons."""
    if what == _PAIR:
        return _free_electron(w, maps, node, now)
    spent = _slot(w, node, w.chosen[initiator, 1])
    if spent == 0:
        return now
    now = _free_electron(w, maps, node, now)
    return _move(w, maps, node, spent, _ELECTRON, now) if now >= 0 else now


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slot(w: np.record, node: int, pair: int) -> int:
    return w.slot[pair, 0] if w.at[pair, 0] == node else w.slot[pair, 1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _learn(w: np.record, node: int, other: int, pair: int) -> None:
    """Note that a pair now ends at another node."""
    slot = _slot(w, node, pair)
    w.remote[node, slot] = other
    w.distilled[node, slot] = 0


# What happens to qubits


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _wait(w: np.record, maps: np.record, pair: int, side: int, time: float) -> None:
    """Let a qubit idle until a time."""
    spin = 0 if w.slot[pair, side] == 0 else 1
    idle(w.pair[pair], side, time - w.touched[pair, side], maps.rates[spin])
    w.touched[pair, side] = time


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _free_electron(w: np.record, maps: np.record, node: int, now: float) -> float:
    """Store what is on the electron; return the time then, or -1 without a free carbon."""
    if w.holds[node, 0] < 0:
        return now
    for slot in range(1, _POSITIONS):
        if w.holds[node, slot] < 0:
            return _move(w, maps, node, _ELECTRON, slot, now)
    return -1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _move(w: np.record, maps: np.record, node: int, source: int, target: int, now: float) -> float:
    """Store or retrieve a qubit; return the time when that is done."""
    pair, side = w.holds[node, source] // 2, w.holds[node, source] % 2
    _wait(w, maps, pair, side, now)
    if source == 0:
        act(w.pair[pair], side, maps.store)
        now += maps.store_ns
    else:
        act(w.pair[pair], side, maps.retrieve)
        now += maps.retrieve_ns
    w.touched[pair, side] = now
    w.slot[pair, side] = target
    w.holds[node, target] = w.holds[node, source]
    w.holds[node, source] = -1
    w.remote[node, target] = w.remote[node, source]
    w.distilled[node, target] = w.distilled[node, source]
    return now


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _make(
    w: np.record, maps: np.record, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> None:
    """Put a heralded pair on the electrons of two neighbours; dephase what they store."""
    new = 0
    while w.at[new, 0] >= 0:
        new += 1
    left = min(node, other)
    minus = 0 if uniform(streams, run, left) < 0.5 else 1
    w.pair[new] = maps.heralded[minus]
    w.births += 1
    w.links += 1
    w.born[new] = w.births
    factor = maps.kept ** w.attempts[node]
    for side in range(2):
        here = left + side
        for slot in range(1, _POSITIONS):
            if w.holds[here, slot] >= 0:
                dephase(w.pair[w.holds[here, slot] // 2], w.holds[here, slot] % 2, factor)
        w.at[new, side] = here
        w.slot[new, side] = 0
        w.touched[new, side] = now
        w.frame[new, side] = 3 * minus * side
        w.holds[here, 0] = 2 * new + side
        w.remote[here, 0] = left + 1 - side
        w.distilled[here, 0] = 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _drop(w: np.record, pair: int) -> None:
    for side in range(2):
        w.holds[w.at[pair, side], w.slot[pair, side]] = -1
    w.at[pair] = -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _swap(
    w: np.record,
    maps: np.record,
    node: int,
    left_slot: int,
    right_slot: int,
    now: float,
    streams: np.ndarray,
    run: int,
) -> bool:
    """Swap two distilled pairs and tell the nodes at their other ends."""
    left, right = w.holds[node, left_slot] // 2, w.holds[node, right_slot] // 2
    if left_slot > 0 and right_slot > 0:
        now = _free_electron(w, maps, node, now)
        if now < 0:
            return False
        now = _move(w, maps, node, left_slot, _ELECTRON, now)
    _wait(w, maps, left, _RIGHT, now)
    _wait(w, maps, right, _LEFT, now)
    electron_is_left = w.slot[left, 1] == 0
    which = w.nodes - 1 + node
    correction = swap_pairs(
        w.pair[left], w.pair[right], maps, electron_is_left, streams, run, which
    )
    w.frame[left, 1] = w.frame[right, 1] ^ w.frame[left, 1] ^ w.frame[right, 0] ^ correction
    w.holds[node, w.slot[left, 1]] = -1
    w.holds[node, w.slot[right, 0]] = -1
    w.at[left, 1] = w.at[right, 1]
    w.slot[left, 1] = w.slot[right, 1]
    w.touched[left, 1] = w.touched[right, 1]
    w.holds[w.at[left, 1], w.slot[left, 1]] = 2 * left + 1
    w.at[right] = -1
    w.births += 1
    w.born[left] = w.births
    w.busy[node] = 1
    now += maps.swap_ns
    _schedule(w, now, _FREE, node, node, _PAIR)
    travel = (node - w.at[left, 0]) * maps.message_ns
    for side in range(2):
        _schedule(w, now + travel, _TOLD, w.at[left, side], w.at[left, 1 - side], left)
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _distil(
    w: np.record, maps: np.record, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> None:
    """Distil two pairs of two nodes that are told each other's outcome now."""
    kept, spent = w.chosen[node, 0], w.chosen[node, 1]
    measured = now - abs(other - node) * maps.message_ns
    begun = measured - maps.distill_ns
    for side in range(2):
        _wait(w, maps, kept, side, begun)
        _wait(w, maps, spent, side, begun)
        turn(w.pair[spent], side, w.frame[kept, side] ^ w.frame[spent, side])
    found = np.empty((2, 2, 4, 4))
    distill_pairs(w.pair[kept], w.pair[spent], maps.distill, found)
    chance = np.empty((2, 2))  # of the initiator's outcome and the other's
    for m in range(2):
        for n in range(2):
            chance[m, n] = found[m, n, 0, 0] if node < other else found[n, m, 0, 0]
    mine, theirs = w.nodes - 1 + node, w.nodes - 1 + other
    none, one = chance[0, 0] + chance[0, 1], chance[1, 0] + chance[1, 1]
    first = outcome(none, one, streams, run, mine)
    second = outcome(chance[first, 0], chance[first, 1], streams, run, theirs)
    neighbours = abs(other - node) == 1
    _drop(w, spent)
    if first != second or (neighbours and first == 1):
        _drop(w, kept)
        return
    w.pair[kept] = found[first, second] / chance[first, second]
    flipped = w.frame[kept, 0] ^ w.frame[kept, 1]
    w.frame[kept, 0] = 0
    w.frame[kept, 1] = 2 if 0 < flipped < 3 else 0
    for side in range(2):
        w.touched[kept, side] = measured
        w.distilled[w.at[kept, side], w.slot[kept, side]] = 1
