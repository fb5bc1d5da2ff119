"""Batch executors of NV chains; SWAP-ASAP against gate-by-gate density matrices and events.

NESTED-WITH-DISTILL is checked against its run on components in `test_nv_nested`.
"""

import dataclasses
import heapq
import itertools
import math

import numpy as np
import pytest

from restudy.qnet.batch import nv_swap_asap
from restudy.qnet.batch.nv_maps import nv_maps
from restudy.qnet.batch.nv_nested import nested_with_distill
from restudy.qnet.batch.nv_swap_asap import swap_asap
from restudy.qnet.batch.streams import geometric, new_streams, uniform
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware import nv_circuits
from restudy.qnet.hardware.nv_link import direct_pair, nv_link
from restudy.qnet.hardware.nv_parameters import NEAR_TERM, NVParameters, improved, noiseless
from restudy.qnet.states.gates import PAULIS, H

PSI = np.array([0, 1, 1, 0]) / np.sqrt(2)
IDEAL = dataclasses.replace(
    noiseless(NVParameters()),
    p_double_excitation=0.0,
    phase_sigma_rad=0.0,
    visibility=1.0,
    p_dark=0.0,
    bright_state=1e-5,
    p_detection=1e-3,
    storage_attempts=1e300,
)
FORGETFUL = dataclasses.replace(  # spins that relax within the runs: nothing is nearly Pauli noise
    improved(NEAR_TERM, 10),
    electron_t1_ns=3e8,
    electron_t2_ns=2e8,
    carbon_t1_ns=6e8,
    carbon_t2_ns=1e9,
    storage_attempts=3e4,
)


def stream_of(state):
    """SplitMix64 in Python's whole numbers."""
    mask = 2**64 - 1
    state = int(state)
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield ((z ^ (z >> 31)) >> 11) / 2**53


class Spins:
    """Density matrices of groups of spins (node, position); every operation is done at once."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.group = {}  # spin: [density matrix as a tensor of 2n axes, spins]
        self.touched = {}

    def put(self, rho, spins, now):
        group = [rho.reshape((2,) * (2 * len(spins))), list(spins)]
        for spin in spins:
            assert spin not in self.group
            self.group[spin] = group
            self.touched[spin] = now

    def join(self, spins):
        groups = list({id(self.group[s]): self.group[s] for s in spins}.values())
        rho, members = groups[0]
        for other, more in groups[1:]:
            n, m = len(members), len(more)
            rho = np.multiply.outer(rho, other)
            rows = [*range(n), *range(2 * n, 2 * n + m)]
            columns = [*range(n, 2 * n), *range(2 * n + m, 2 * n + 2 * m)]
            rho = rho.transpose(rows + columns)
            members = members + more
        group = [rho, members]
        for spin in members:
            self.group[spin] = group
        return group

    def applied(self, kraus, spins):
        rho, members = self.join(spins)
        n, k = len(members), len(spins)
        at = [members.index(s) for s in spins]
        total = np.zeros_like(rho, dtype=complex)
        for one in kraus:
            tensor = one.reshape((2,) * (2 * k))
            part = np.moveaxis(np.tensordot(tensor, rho, (range(k, 2 * k), at)), range(k), at)
            to = [n + a for a in at]
            part = np.tensordot(tensor.conj(), part, (range(k, 2 * k), to))
            total += np.moveaxis(part, range(k), to)
        return total

    def apply(self, kraus, spins):
        self.join(spins)[0] = self.applied(kraus, spins)

    def trace(self, rho):
        size = math.isqrt(rho.size)
        return np.trace(rho.reshape(size, size)).real

    def measure(self, outcomes, spins, u):
        after = [self.applied(kraus, spins) for kraus in outcomes]
        chances = [self.trace(rho) for rho in after]
        m = int(u >= chances[0] / sum(chances))
        self.join(spins)[0] = after[m] / chances[m]
        return m

    def forget(self, spin):
        rho, members = self.group.pop(spin)
        at = members.index(spin)
        rest = [s for s in members if s != spin]
        group = [np.trace(rho, axis1=at, axis2=at + len(members)), rest]
        for other in rest:
            self.group[other] = group

    def idle(self, spin, now):
        name = "carbon" if spin[1] else "electron"
        t1 = getattr(self.parameters, f"{name}_t1_ns")
        t2 = getattr(self.parameters, f"{name}_t2_ns")
        dt = now - self.touched[spin]
        assert dt >= 0
        p = 1 - math.exp(-dt / t1)
        self.apply([np.diag([1, math.sqrt(1 - p)]), np.array([[0, math.sqrt(p)], [0, 0]])], [spin])
        self.dephase(spin, (1 - math.exp(-dt / t2) * math.exp(dt / (2 * t1))) / 2)
        self.touched[spin] = now

    def dephase(self, spin, p):
        kraus = [math.sqrt(1 - p) * np.eye(2), math.sqrt(p) * np.diag([1, -1])]
        self.apply(kraus, [spin])

    def run(self, program, spins, now, draw):
        """Run a program gate by gate; return the outcomes and when it is done."""
        outcomes = []
        for step in program:
            for one in sorted(step, key=lambda one: one.duration_ns):
                at = [spins[position] for position in one.at]
                for spin in at:
                    self.idle(spin, now + one.duration_ns)
                if len(one.outcomes) == 1:
                    self.apply(one.outcomes[0], at)
                else:
                    outcomes.append(self.measure(one.outcomes, at, next(draw)))
            now += max(one.duration_ns for one in step)
        for spin in spins:
            self.idle(spin, now)
        return outcomes, now


SWAP_PAULI = {(-1, 1): 2, (1, -1): 0, (1, 1): 1, (-1, -1): 3}  # (XX, ZZ) to Pauli: to psi+


class Chain:
    """An event list, the nodes' spins, messages, pairs."""

    def __init__(self, parameters, length_km, nodes, streams):
        self.parameters, self.nodes = parameters, nodes
        self.link = nv_link(parameters, length_km)
        draws = [stream_of(one) for one in streams]
        self.link_draw, self.node_draw = draws[: nodes - 1], draws[nodes - 1 :]
        self.spins = Spins(parameters)
        self.frame, self.remote = {}, {}
        self.partner = {}  # the spin that a spin shares a pair with
        self.now, self.order, self.events = 0.0, itertools.count(), []
        self.made = 0
        self.finished = None

    def at(self, time, call, *values):
        heapq.heappush(self.events, (time, next(self.order), call, values))

    def start(self, process):
        """Run a generator that yields a time to wait for, or a list to be called from."""

        def go(value=None):
            try:
                wanted = process.send(value)
            except StopIteration:
                return
            if isinstance(wanted, float):
                self.at(wanted, go)
            else:
                wanted.append(go)

        self.at(0.0, go)

    def run(self):
        while self.finished is None:
            self.now, _, call, values = heapq.heappop(self.events)
            call(*values)

    def program(self, name):
        return getattr(nv_circuits, name)(self.parameters)

    def move(self, node, source, target, now):
        old, new = (node, source), (node, target)
        self.spins.put(np.diag([1.0, 0.0]), [new], now)
        electron, carbon = (old, new) if source == 0 else (new, old)
        name = "store" if source == 0 else "retrieve"
        _, now = self.spins.run(self.program(name), [electron, carbon], now, None)
        self.spins.forget(old)
        for table in (self.frame, self.remote, self.partner):
            table[new] = table.pop(old)
        self.partner[self.partner[new]] = new
        return now

    def free_electron(self, node, now):
        if (node, 0) not in self.remote:
            return now
        carbon = next(c for c in itertools.count(1) if (node, c) not in self.remote)
        return self.move(node, 0, carbon, now)

    def attempts(self, left):
        u = next(self.link_draw[left])
        return 1 + math.floor(math.log1p(-u) / math.log1p(-self.link.pair.p_success))

    def make_pair(self, left, attempts):
        """Put the state on the electrons (k - 1) attempts after the start, one before now."""
        minus = next(self.link_draw[left]) >= 0.5
        rho = self.link.pair.density(-1 if minus else 1)
        ends = [(left, 0), (left + 1, 0)]
        self.spins.put(rho, ends, self.now - self.link.attempt_ns)
        for side, spin in enumerate(ends):
            self.spins.idle(spin, self.now)
            self.frame[spin] = 3 * minus * side
            self.remote[spin] = left + 1 - side
            self.partner[spin] = ends[1 - side]
        p = (1 - (1 - 2 * self.link.storage_dephasing) ** attempts) / 2
        for spin in self.remote:
            if spin[0] in (left, left + 1) and spin[1] > 0:
                self.spins.dephase(spin, p)
        self.made += 1

    def swap(self, node, left, right, now):
        """Swap the pairs of two spins of a node; return their other ends and when it is done."""
        electron, carbon = (left, right) if left[1] == 0 else (right, left)
        assert electron[1] == 0
        assert carbon[1] > 0
        for spin in (electron, carbon):
            self.spins.idle(spin, now)
        draw = self.node_draw[node]
        outcomes, now = self.spins.run(self.program("swap"), [electron, carbon], now, draw)
        first, second = (1 - 2 * m for m in outcomes)
        correction = SWAP_PAULI[-first * second, second]
        a, b = self.partner[left], self.partner[right]
        self.frame[b] ^= self.frame[left] ^ self.frame[right] ^ correction
        self.partner[a], self.partner[b] = b, a
        self.drop(electron)
        self.drop(carbon)
        return a, b, now

    def drop(self, spin):
        self.spins.forget(spin)
        for table in (self.frame, self.remote, self.partner):
            del table[spin]

    def fidelity(self):
        a = next(s for s in self.remote if s[0] == 0)
        b = self.partner[a]
        assert b[0] == self.nodes - 1
        for spin in (a, b):
            self.spins.idle(spin, self.now)
            if spin[1]:
                self.spins.apply([H.matrix], [spin])
            self.spins.apply([PAULIS[self.frame[spin]].matrix], [spin])
        rho, members = self.spins.group[a]
        assert sorted(members) == sorted([a, b])
        return (PSI @ rho.reshape(4, 4) @ PSI).real


class SwapAsap(Chain):
    """Nodes are counted from 0 here: those that the paper calls even are odd."""

    def __init__(self, *values):
        super().__init__(*values)
        self.inbox = {node: [] for node in range(self.nodes)}
        self.waiting = {node: [] for node in range(self.nodes)}
        self.heard = {0: 0, self.nodes - 1: 0}
        for node in range(self.nodes):
            self.start(self.asks(node) if node % 2 else self.answers(node))

    def deliver(self, node, message):
        self.inbox[node].append(message)
        self.wake(self.waiting[node])

    def wake(self, waiting):
        sleepers, waiting[:] = list(waiting), []
        for go in sleepers:
            go()

    def receive(self, node):
        while not self.inbox[node]:
            yield self.waiting[node]
        return self.inbox[node].pop(0)

    def asks(self, node):
        for other in (node - 1, node + 1):
            if other == self.nodes:
                continue
            yield self.free_electron(node, self.now)
            self.at(self.now + self.link.message_ns, self.deliver, other, (node, done := []))
            yield from self.receive(node)
            attempts = self.attempts(min(node, other))
            yield self.now + attempts * self.link.attempt_ns
            self.make_pair(min(node, other), attempts)
            self.at(self.now, self.wake, done)
        yield from self.ends(node)

    def answers(self, node):
        for _ in range((node > 0) + (node < self.nodes - 1)):
            other, done = yield from self.receive(node)
            yield self.free_electron(node, self.now)
            self.at(self.now + self.link.message_ns, self.deliver, other, "confirmed")
            yield done
        yield from self.ends(node)

    def ends(self, node):
        last = self.nodes - 1
        if 0 < node < last:
            spins = [s for s in self.remote if s[0] == node]
            left = next(s for s in spins if self.partner_side(s) < 0)
            right = next(s for s in spins if s != left)
            _, _, done = self.swap(node, left, right, self.now)
            yield done
            for end in (0, last):
                self.at(self.now + abs(end - node) * self.link.message_ns, self.hear, end)
        elif self.nodes == 2:
            self.finished = self.now

    def partner_side(self, spin):
        return self.partner[spin][0] - spin[0]

    def hear(self, end):
        self.heard[end] += 1
        if sum(self.heard.values()) == 2 * (self.nodes - 2):
            self.finished = self.now


CASES = [
    (improved(NEAR_TERM, 3), 300),
    (improved(NEAR_TERM, 25), 300),
    (FORGETFUL, 200),
]


EXECUTORS = [
    *((swap_asap, nodes) for nodes in (2, 3, 4, 5, 9)),
    *((nested_with_distill, nodes) for nodes in (3, 5, 9)),
]


@pytest.mark.parametrize(("parameters", "total_km"), CASES)
@pytest.mark.parametrize(("nodes", "runs"), [(2, 4), (3, 4), (4, 4), (5, 4), (6, 2), (9, 3)])
def test_swap_asap_equals_gates_and_events(parameters, total_km, nodes, runs):
    length = total_km / (nodes - 1)
    streams = new_streams(runs, 2 * nodes - 1, rng=np.random.default_rng(nodes))
    slow = []
    for row in streams:
        chain = SwapAsap(parameters, length, nodes, row)
        chain.run()
        slow.append((chain.fidelity(), chain.finished, chain.made))
    fast = nv_swap_asap.replay(nv_maps(parameters, length), nodes, streams.copy())
    fidelity, duration, made = np.array(slow).T
    np.testing.assert_array_equal(fast.links, made)
    np.testing.assert_allclose(fast.duration_ns, duration, rtol=1e-12)
    np.testing.assert_allclose(fast.fidelity, fidelity, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("execute", "nodes"), EXECUTORS)
def test_ideal_hardware_makes_perfect_pairs(execute, nodes):
    found = execute(nv_maps(IDEAL, 1.0), nodes=nodes, runs=50, rng=np.random.default_rng(1))
    # 1 - F of one link is alpha = 1e-5; distillation and swaps of a few hundred links keep it small
    assert found.fidelity.min() > 1 - 2e-4


@pytest.mark.parametrize(("execute", "nodes"), EXECUTORS)
def test_the_same_seed_gives_the_same_runs(execute, nodes):
    maps = nv_maps(improved(NEAR_TERM, 20), 50.0)
    one, two = (execute(maps, nodes=nodes, runs=5, rng=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.fidelity, two.fidelity)
    np.testing.assert_array_equal(one.duration_ns, two.duration_ns)


def test_two_nodes_agree_with_the_closed_form():
    parameters = improved(NEAR_TERM, 3)
    found = swap_asap(
        nv_maps(parameters, 100.0), nodes=2, runs=20_000, rng=np.random.default_rng(2)
    )
    exact = direct_pair(parameters, 100.0)
    np.testing.assert_allclose(found.fidelity, exact.fidelity, rtol=1e-12)
    handshake = 2 * nv_link(parameters, 100.0).message_ns
    error = found.duration_ns.std() / np.sqrt(20_000)
    assert abs(found.duration_ns.mean() - handshake - 1e9 / exact.rate_hz) < 4 * error


def test_links_of_nesting_without_distillation_failures_are_the_least():
    found = nested_with_distill(
        nv_maps(IDEAL, 1.0), nodes=3, runs=4000, rng=np.random.default_rng(5)
    )
    # each side: two pairs, again until both outcomes are 0: probability 1/2
    assert found.links.min() == 4
    error = found.links.std() / np.sqrt(4000)
    assert abs(found.links.mean() - 8) < 4 * error


@pytest.mark.parametrize("execute", [swap_asap, nested_with_distill])
@pytest.mark.parametrize(("nodes", "runs"), [(1, 5), (3, 0)])
def test_too_few_nodes_or_runs(execute, nodes, runs):
    with pytest.raises(QnetError, match="whole number"):
        execute(nv_maps(NEAR_TERM, 1.0), nodes=nodes, runs=runs, rng=np.random.default_rng(0))


@pytest.mark.parametrize("nodes", [4, 6, 65])
def test_nesting_needs_a_power_of_two(nodes):
    with pytest.raises(QnetError, match=r"2\*\*n \+ 1"):
        nested_with_distill(
            nv_maps(NEAR_TERM, 1.0), nodes=nodes, runs=1, rng=np.random.default_rng(0)
        )


def test_streams_are_splitmix():
    streams = np.array([[0]], np.uint64)
    drawn = [uniform(streams, 0, 0) for _ in range(3)]
    # first outputs of SplitMix64 with seed 0, from Vigna's reference program
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert drawn == [(one >> 11) / 2**53 for one in published]
    assert [next(s) for s in [stream_of(0)] * 3] == drawn


def test_attempts_are_geometric():
    u = np.random.default_rng(3).random(20_000)
    drawn = np.array([geometric(one, 0.3) for one in u])
    assert abs(drawn.mean() - 1 / 0.3) < 4 * drawn.std() / np.sqrt(len(u))
    for k in (1, 2, 5):
        expected = 0.3 * 0.7 ** (k - 1)
        error = np.sqrt(expected * (1 - expected) / len(u))
        assert abs((drawn == k).mean() - expected) < 4 * error
    assert geometric(0.999, 1.0) == 1
