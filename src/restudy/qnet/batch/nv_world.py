"""The state of one run of NESTED-WITH-DISTILL, its events, and what happens to its qubits."""

from typing import Any, Final

import numba
import numpy as np

from restudy.qnet.batch.nv_pairs import (
    LEFT,
    RIGHT,
    act,
    dephase,
    distill_pairs,
    idle,
    outcome,
    put,
    swap_pairs,
)
from restudy.qnet.batch.streams import uniform

MOST_NODES: Final = 33
POSITIONS: Final = 16  # the electron and 15 carbons
EVENTS: Final = 256
# Typed, because numba compiles a function once more for each literal number it is called with
PAIR: Any = np.int64(0)  # what can be asked for
DISTILL: Any = np.int64(1)
REQUEST: Any = np.int64(0)  # kinds of event
DONE: Any = np.int64(1)
FREE: Any = np.int64(2)
TOLD: Any = np.int64(3)
ELECTRON: Any = np.int64(0)
NOBODY: Any = np.int64(-1)

# Everything that changes in a run: P pairs, N nodes. One record, as numba takes long to compile
# functions of many arrays.
PAIRS: Final = MOST_NODES * POSITIONS // 2
WORLD: Final = np.dtype(
    [
        ("nodes", "i8"),
        ("pair", "f8", (PAIRS, 4, 4)),
        ("at", "i8", (PAIRS, 2)),  # node of each side; -1 if there is no pair
        ("slot", "i8", (PAIRS, 2)),  # its position there
        ("touched", "f8", (PAIRS, 2)),  # time up to which its idling is accounted for
        ("frame", "i8", (PAIRS, 2)),  # correction of each qubit
        ("born", "i8", (PAIRS,)),  # order of making
        ("holds", "i8", (MOST_NODES, POSITIONS)),  # 2 * pair + side, or -1
        ("remote", "i8", (MOST_NODES, POSITIONS)),  # other node, as far as this one knows
        ("distilled", "i8", (MOST_NODES, POSITIONS)),  # whether the pair is just distilled
        ("busy", "i8", (MOST_NODES,)),
        ("asked", "i8", (MOST_NODES, MOST_NODES)),  # order of a pending request from a node, or 0
        ("what", "i8", (MOST_NODES, MOST_NODES)),  # what it asks for
        ("chosen", "i8", (MOST_NODES, 2)),  # pairs that an initiator distils: kept and spent
        ("attempts", "f8", (MOST_NODES,)),  # of the pair that an initiator makes
        ("time", "f8", (EVENTS,)),
        ("event", "i8", (EVENTS, 5)),  # order, kind, node, other node, what
        ("events", "i8"),  # how many are pending
        ("scheduled", "i8"),
        ("requests", "i8"),
        ("births", "i8"),
        ("links", "i8"),  # elementary pairs made
    ]
)


# Events: first by time, then by order of scheduling


@numba.njit(cache=True, nogil=True, error_model="numpy")
def schedule(w: np.record, time: float, kind: int, node: int, other: int, what: int) -> None:
    """Put an event in the list."""
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
def next_event(w: np.record) -> tuple[float, int, int, int, int]:
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
    for entry in range(5):
        w.event[best, entry] = w.event[w.events, entry]
    return now, kind, node, other, what


# What happens to qubits


@numba.njit(cache=True, nogil=True, error_model="numpy")
def slot_of(w: np.record, node: int, pair: int) -> int:
    """Position of a pair's qubit at a node."""
    return w.slot[pair, 0] if w.at[pair, 0] == node else w.slot[pair, 1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def wait(w: np.record, maps: np.record, pair: int, side: int, time: float) -> None:
    """Let a qubit idle until a time."""
    spin = 0 if w.slot[pair, side] == 0 else 1
    idle(w.pair[pair], side, time - w.touched[pair, side], maps.rates[spin])
    w.touched[pair, side] = time


@numba.njit(cache=True, nogil=True, error_model="numpy")
def free_electron(w: np.record, maps: np.record, node: int, now: float) -> float:
    """Store what is on the electron; return the time then, or -1 without a free carbon."""
    if w.holds[node, 0] < 0:
        return now
    for slot in range(1, POSITIONS):
        if w.holds[node, slot] < 0:
            return move(w, maps, node, ELECTRON, slot, now)
    return -1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def move(w: np.record, maps: np.record, node: int, source: int, target: int, now: float) -> float:
    """Store or retrieve a qubit; return the time when that is done."""
    pair, side = w.holds[node, source] // 2, w.holds[node, source] % 2
    wait(w, maps, pair, side, now)
    if source == 0:
        act(w.pair[pair], side, maps.store[:])
        now += maps.store_ns
    else:
        act(w.pair[pair], side, maps.retrieve[:])
        now += maps.retrieve_ns
    w.touched[pair, side] = now
    w.slot[pair, side] = target
    w.holds[node, target] = w.holds[node, source]
    w.holds[node, source] = -1
    w.remote[node, target] = w.remote[node, source]
    w.distilled[node, target] = w.distilled[node, source]
    return now


@numba.njit(cache=True, nogil=True, error_model="numpy")
def make_pair(
    w: np.record, maps: np.record, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> None:
    """Put a heralded pair on the electrons of two neighbours; dephase what they store."""
    new = 0
    while w.at[new, 0] >= 0:
        new += 1
    left = min(node, other)
    minus = 0 if uniform(streams, run, left) < 0.5 else 1
    put(w.pair[new], maps.heralded[minus], 1.0)
    w.births += 1
    w.links += 1
    w.born[new] = w.births
    factor = maps.kept ** w.attempts[node]
    for side in range(2):
        here = left + side
        for slot in range(1, POSITIONS):
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
def drop(w: np.record, pair: int) -> None:
    """Discard both qubits of a pair."""
    for side in range(2):
        w.holds[w.at[pair, side], w.slot[pair, side]] = -1
    w.at[pair] = -1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def swap(
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
        now = free_electron(w, maps, node, now)
        if now < 0:
            return False
        now = move(w, maps, node, left_slot, ELECTRON, now)
    wait(w, maps, left, RIGHT, now)
    wait(w, maps, right, LEFT, now)
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
    schedule(w, now, FREE, node, node, PAIR)
    travel = (node - w.at[left, 0]) * maps.message_ns
    for side in range(2):
        schedule(w, now + travel, TOLD, w.at[left, side], w.at[left, 1 - side], left)
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def distil(
    w: np.record, maps: np.record, node: int, other: int, now: float, streams: np.ndarray, run: int
) -> None:
    """Distil two pairs of two nodes that are told each other's outcome now."""
    kept, spent = w.chosen[node, 0], w.chosen[node, 1]
    measured = now - abs(other - node) * maps.message_ns
    begun = measured - maps.distill_ns
    for side in range(2):
        wait(w, maps, kept, side, begun)
        wait(w, maps, spent, side, begun - maps.gate_ns)
        act(w.pair[spent], side, maps.turn[w.frame[kept, side] ^ w.frame[spent, side]])
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
    drop(w, spent)
    if first != second or (neighbours and first == 1):
        drop(w, kept)
        return
    put(w.pair[kept], found[first, second], chance[first, second])
    flipped = w.frame[kept, 0] ^ w.frame[kept, 1]
    w.frame[kept, 0] = 0
    w.frame[kept, 1] = 2 if 0 < flipped < 3 else 0
    for side in range(2):
        w.touched[kept, side] = measured
        w.distilled[w.at[kept, side], w.slot[kept, side]] = 1
