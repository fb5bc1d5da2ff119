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

from typing import Final, NamedTuple

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
    swap_pairs,
    turn,
)
from restudy.qnet.batch.streams import geometric, new_streams, uniform
from restudy.qnet.errors import QnetError

_POSITIONS: Final = 16  # the electron and 15 carbons
_EVENTS: Final = 256
# Typed, because numba compiles a function once more for each literal number it is called with
_PAIR, _DISTILL = np.int64(0), np.int64(1)  # what can be asked for
_REQUEST, _DONE, _FREE, _TOLD = np.int64(0), np.int64(1), np.int64(2), np.int64(3)  # events
_LEFT, _RIGHT = np.int64(0), np.int64(1)
_ELECTRON, _NOBODY = np.int64(0), np.int64(-1)
_OVERFLOW, _STUCK = 1, 2


class _World(NamedTuple):
    """Everything that changes in a run; P pairs, N nodes."""

    pair: np.ndarray  # (P, 4, 4)
    at: np.ndarray  # (P, 2) node of each side
    slot: np.ndarray  # (P, 2) its position there
    touched: np.ndarray  # (P, 2) time up to which its idling is accounted for
    frame: np.ndarray  # (P, 2) correction of each qubit
    born: np.ndarray  # (P,) order of making
    holds: np.ndarray  # (N, positions) 2 * pair + side, or -1
    remote: np.ndarray  # (N, positions) other node, as far as this one knows
    distilled: np.ndarray  # (N, positions) whether the pair is just distilled
    busy: np.ndarray  # (N,)
    asked: np.ndarray  # (N, N, 2) order of a pending request from a node + 1, or 0; what
    chosen: np.ndarray  # (N, 2) pairs that an initiator distils: kept and spent
    time: np.ndarray  # (events,)
    event: np.ndarray  # (events, 5) order, kind, node, other node, what
    count: np.ndarray  # events, order of events, order of pairs, order of requests, links made
    attempts: np.ndarray  # (N,) of the pair an initiator is making


def nested_with_distill(
    maps: NVMaps, *, nodes: int, runs: int, rng: np.random.Generator
) -> ChainRuns:
    """Run NESTED-WITH-DISTILL until the ends share a pair and know it.

    Parameters
    ----------
    maps : NVMaps
        Links and nodes, from `restudy.qnet.batch.nv_maps.nv_maps`.
    nodes : int
        3, 5, 9, 17 and so on.
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
        If there are not 2**n + 1 nodes with n > 0, or no run.

    Examples
    --------
    >>> from restudy.qnet.batch.nv_maps import nv_maps
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM, improved
    >>> maps = nv_maps(improved(NEAR_TERM, 20), 500 / 2)
    >>> found = nested_with_distill(maps, nodes=3, runs=200, rng=np.random.default_rng(1))
    >>> bool(found.fidelity.mean() > 0.7), int(found.links.min())  # two pairs on either side
    (True, 4)
    """
    links = whole("nodes", nodes, least=3) - 1
    if links & (links - 1):
        raise QnetError(f"nodes is {nodes}; nesting needs 2**n + 1 of them: 3, 5, 9, 17, ...")
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
    failed = _runs(maps, streams, _world(nodes), found.fidelity, found.duration_ns, found.links)
    if failed:
        run, why = divmod(failed, 4)
        what = "a node ran out of carbon spins" if why == _OVERFLOW else "all nodes wait"
        raise QnetError(f"in run {run - 1} of NESTED-WITH-DISTILL {what}; report this.")
    return found


def _world(nodes: int) -> _World:
    pairs = nodes * _POSITIONS // 2
    return _World(
        pair=np.empty((pairs, 4, 4)),
        at=np.full((pairs, 2), -1),
        slot=np.empty((pairs, 2), np.int64),
        touched=np.empty((pairs, 2)),
        frame=np.empty((pairs, 2), np.int64),
        born=np.empty(pairs, np.int64),
        holds=np.empty((nodes, _POSITIONS), np.int64),
        remote=np.empty((nodes, _POSITIONS), np.int64),
        distilled=np.empty((nodes, _POSITIONS), np.bool_),
        busy=np.empty(nodes, np.bool_),
        asked=np.empty((nodes, nodes, 2), np.int64),
        chosen=np.empty((nodes, 2), np.int64),
        time=np.empty(_EVENTS),
        event=np.empty((_EVENTS, 5), np.int64),
        count=np.empty(5, np.int64),
        attempts=np.empty(nodes),
    )


@numba.njit(cache=True, nogil=True)
def _runs(
    maps: NVMaps,
    streams: np.ndarray,
    w: _World,
    fidelity: np.ndarray,
    duration: np.ndarray,
    links: np.ndarray,
) -> int:
    nodes = len(w.busy)
    for run in range(len(streams)):
        w.at[:] = -1
        w.holds[:] = -1
        w.busy[:] = False
        w.asked[:] = 0
        w.count[:] = 0
        for node in range(nodes):
            if not _trigger(w, maps, node, 0.0, streams, run):
                return 4 * (run + 1) + _OVERFLOW
        while True:
            if w.count[0] == 0:
                return 4 * (run + 1) + _STUCK
            now, kind, node, other, what = _next(w)
            if kind == _TOLD and abs(other - node) == nodes - 1:
                break
            if kind == _REQUEST:
                w.count[3] += 1
                w.asked[node, other, 0] = w.count[3]
                w.asked[node, other, 1] = what
            elif kind == _DONE:
                if what == _PAIR:
                    _make(w, maps, node, other, now, streams, run)
                else:
                    _distil(w, maps, node, other, now, streams, run)
                w.busy[node] = w.busy[other] = False
            elif kind == _FREE:
                w.busy[node] = False
            else:
                _learn(w, node, other, what)
            good = _trigger(w, maps, node, now, streams, run)
            if good and kind == _DONE:
                good = _trigger(w, maps, other, now, streams, run)
            if not good:
                return 4 * (run + 1) + _OVERFLOW
        last = w.holds[0].max() // 2
        for side in range(2):
            spin = 0 if w.slot[last, side] == 0 else 1
            idle(w.pair[last], side, now - w.touched[last, side], maps.rates[spin])
            if spin == 1:
                act(w.pair[last], side, HADAMARD)
        fidelity[run] = corrected_fidelity(w.pair[last], w.frame[last, 0] ^ w.frame[last, 1])
        duration[run] = now
        links[run] = w.count[4]
    return 0


# Events: first by time, then by order of scheduling


@numba.njit(cache=True, nogil=True)
def _schedule(w: _World, time: float, kind: int, node: int, other: int, what: int) -> None:
    free = w.count[0]
    w.count[0] += 1
    w.count[1] += 1
    w.time[free] = time
    w.event[free, 0] = w.count[1]
    w.event[free, 1] = kind
    w.event[free, 2] = node
    w.event[free, 3] = other
    w.event[free, 4] = what


@numba.njit(cache=True, nogil=True)
def _next(w: _World) -> tuple[float, int, int, int, int]:
    """Take the earliest event out: a scan, as there are about as many as nodes."""
    best = 0
    for i in range(1, w.count[0]):
        earlier = w.time[i] < w.time[best]
        if earlier or (w.time[i] == w.time[best] and w.event[i, 0] < w.event[best, 0]):
            best = i
    now = w.time[best]
    kind, node, other, what = w.event[best, 1], w.event[best, 2], w.event[best, 3], w.event[best, 4]
    w.count[0] -= 1
    w.time[best] = w.time[w.count[0]]
    w.event[best] = w.event[w.count[0]]
    return now, kind, node, other, what


# What a node decides


@numba.njit(cache=True, nogil=True)
def _trigger(w: _World, maps: NVMaps, node: int, now: float, streams: np.ndarray, run: int) -> bool:
    """Let a node do the first of the six things that applies; False if it lacks carbons."""
    if w.busy[node]:
        return True
    last = len(w.busy) - 1
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
        order = w.asked[node, other, 0]
        if order > 0 and (w.asked[node, other, 1] == _DISTILL or _wants(w, node, other > node)):
            if oldest < 0 or order < w.asked[node, oldest, 0]:
                oldest = other
    if oldest >= 0:
        return _answer(w, maps, node, oldest, now, streams, run)
    if inner and span == 1:
        for other in (node - 1, node + 1):
            if _distilled_with(w, node, other) < 0:
                return _ask(w, maps, node, other, _PAIR, now)
    return True


@numba.njit(cache=True, nogil=True)
def _distilled_with(w: _World, node: int, other: int) -> int:
    """Position of a distilled pair with a node, or -1."""
    for slot in range(_POSITIONS):
        held = w.holds[node, slot] >= 0
        if held and w.distilled[node, slot] and w.remote[node, slot] == other:
            return slot
    return -1


@numba.njit(cache=True, nogil=True)
def _choose(w: _World, node: int, other: int) -> bool:
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


@numba.njit(cache=True, nogil=True)
def _wants(w: _World, node: int, to_the_right: bool) -> bool:
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


@numba.njit(cache=True, nogil=True)
def _ask(w: _World, maps: NVMaps, node: int, other: int, what: int, now: float) -> bool:
    """Make ready and send a request."""
    ready = _make_ready(w, maps, node, node, what, now)
    w.busy[node] = True
    travel = abs(other - node) * maps.message_ns
    _schedule(w, ready + travel, _REQUEST, other, node, what)
    return ready >= 0


@numba.njit(cache=True, nogil=True)
def _answer(
    w: _World, maps: NVMaps, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> bool:
    """Make ready and confirm; both nodes start when the confirmation arrives."""
    what = w.asked[node, other, 1]
    w.asked[node, other, 0] = 0
    ready = _make_ready(w, maps, node, other, what, now)
    w.busy[node] = True
    travel = abs(other - node) * maps.message_ns
    lasts = maps.gate_ns + maps.distill_ns + travel
    if what == _PAIR:
        k = geometric(uniform(streams, run, min(node, other)), maps.p_success)
        w.attempts[other] = k
        lasts = k * maps.attempt_ns
    _schedule(w, ready + travel + lasts, _DONE, other, node, what)
    return ready >= 0


@numba.njit(cache=True, nogil=True)
def _make_ready(w: _World, maps: NVMaps, node: int, initiator: int, what: int, now: float) -> float:
    """Store and retrieve what is needed; return when that is done, or -1 without free carbons."""
    if what == _PAIR:
        return _free_electron(w, maps, node, now)
    spent = _slot(w, node, w.chosen[initiator, 1])
    if spent == 0:
        return now
    now = _free_electron(w, maps, node, now)
    return _move(w, maps, node, spent, _ELECTRON, now) if now >= 0 else now


@numba.njit(cache=True, nogil=True)
def _slot(w: _World, node: int, pair: int) -> int:
    return w.slot[pair, 0] if w.at[pair, 0] == node else w.slot[pair, 1]


@numba.njit(cache=True, nogil=True)
def _learn(w: _World, node: int, other: int, pair: int) -> None:
    """Note that a pair now ends at another node."""
    slot = _slot(w, node, pair)
    w.remote[node, slot] = other
    w.distilled[node, slot] = False


# What happens to qubits


@numba.njit(cache=True, nogil=True)
def _wait(w: _World, maps: NVMaps, pair: int, side: int, time: float) -> None:
    """Let a qubit idle until a time."""
    spin = 0 if w.slot[pair, side] == 0 else 1
    idle(w.pair[pair], side, time - w.touched[pair, side], maps.rates[spin])
    w.touched[pair, side] = time


@numba.njit(cache=True, nogil=True)
def _free_electron(w: _World, maps: NVMaps, node: int, now: float) -> float:
    """Store what is on the electron; return the time then, or -1 without a free carbon."""
    if w.holds[node, 0] < 0:
        return now
    for slot in range(1, _POSITIONS):
        if w.holds[node, slot] < 0:
            return _move(w, maps, node, _ELECTRON, slot, now)
    return -1.0


@numba.njit(cache=True, nogil=True)
def _move(w: _World, maps: NVMaps, node: int, source: int, target: int, now: float) -> float:
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


@numba.njit(cache=True, nogil=True)
def _make(
    w: _World, maps: NVMaps, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> None:
    """Put a heralded pair on the electrons of two neighbours; dephase what they store."""
    new = 0
    while w.at[new, 0] >= 0:
        new += 1
    left = min(node, other)
    minus = 0 if uniform(streams, run, left) < 0.5 else 1
    w.pair[new] = maps.heralded[minus]
    w.count[2] += 1
    w.count[4] += 1
    w.born[new] = w.count[2]
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
        w.distilled[here, 0] = False


@numba.njit(cache=True, nogil=True)
def _drop(w: _World, pair: int) -> None:
    for side in range(2):
        w.holds[w.at[pair, side], w.slot[pair, side]] = -1
    w.at[pair] = -1


@numba.njit(cache=True, nogil=True)
def _swap(
    w: _World,
    maps: NVMaps,
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
    which = len(w.busy) - 1 + node
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
    w.count[2] += 1
    w.born[left] = w.count[2]
    w.busy[node] = True
    now += maps.swap_ns
    _schedule(w, now, _FREE, node, node, _PAIR)
    travel = (node - w.at[left, 0]) * maps.message_ns
    for side in range(2):
        _schedule(w, now + travel, _TOLD, w.at[left, side], w.at[left, 1 - side], left)
    return True


@numba.njit(cache=True, nogil=True)
def _distil(
    w: _World, maps: NVMaps, node: int, other: int, now: float, streams: np.ndarray, run: int
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
    initiator, first, second = 0 if node < other else 1, 0, 0
    chance = found[:, :, 0, 0] if initiator == 0 else found[:, :, 0, 0].T
    nodes = len(w.busy)
    if uniform(streams, run, nodes - 1 + node) >= chance[0].sum() / chance.sum():
        first = 1
    if uniform(streams, run, nodes - 1 + other) >= chance[first, 0] / chance[first].sum():
        second = 1
    neighbours = abs(other - node) == 1
    _drop(w, spent)
    if first != second or (neighbours and first == 1):
        _drop(w, kept)
        return
    w.pair[kept] = found[first, second] / chance[first, second]
    flipped = w.frame[kept, 0] ^ w.frame[kept, 1]
    w.frame[kept, 0] = 0
    w.frame[kept, 1] = 2 if flipped == 1 or flipped == 2 else 0
    for side in range(2):
        w.touched[kept, side] = measured
        w.distilled[w.at[kept, side], w.slot[kept, side]] = True
