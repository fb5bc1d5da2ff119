"""How peers answer the questions of ``benchmarks/qnet.py``.

An engine is a function of a size that sets up and returns what runs; that returns, when it is
over, how to work out the answers. Only the first two are timed.

Peers are asked in the way that suits them best: SeQUeNCe and SimQN get the routing table of a line
in place of their own (all-pairs Dijkstra, which takes longer than all else from a few hundred nodes
on), SimQN's events are objects of one class and not closures, QuTiP's projectors and gates are
made once, and logging is off.
"""

import functools
import heapq
import itertools
from collections.abc import Callable, Iterator

import numpy as np

Answers = dict[str, float]
Engine = Callable[[int], Callable[[], Callable[[], Answers]]]

CALLBACKS = 100_000
LINK_KM, SPEED_KM_PER_S, CHANNEL_HZ = 20.0, 200_000.0, 10.0
WEIGHTS = (0.85, 0.05, 0.07, 0.03)  # of the pairs that are swapped


def delays(processes: int, count: int = CALLBACKS) -> list[list[int]]:
    """Give whole delays, the same for all engines: one list a process."""
    rng = np.random.default_rng(1)
    return rng.integers(1, 1000, (processes, count // processes)).tolist()


# The event loop: callbacks that schedule themselves, and generators that wait.


def heapq_callbacks(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Bare loop over a heap of tuples: what Python costs."""
    heap: list[tuple[float, int, Callable[[float], None]]] = []
    number = itertools.count()

    def ticker(rest: Iterator[int]) -> Callable[[float], None]:
        def tick(now: float) -> None:
            for delay in rest:
                heapq.heappush(heap, (now + delay, next(number), tick))
                return

        return tick

    for each in delays(processes):
        ticker(iter(each))(0.0)

    def run() -> Callable[[], Answers]:
        called, now = 0, 0.0
        while heap:
            now, _, callback = heapq.heappop(heap)
            called += 1
            callback(now)
        return lambda: {"end": now, "callbacks": called}

    return run


def heapq_waits(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Bare loop over a heap of generators that yield delays."""
    heap: list[tuple[float, int, Iterator[int]]] = []
    number = itertools.count()

    def body(each: list[int]) -> Iterator[int]:
        yield from each

    for each in delays(processes):
        process = body(each)
        heap.append((next(process), next(number), process))
    heapq.heapify(heap)

    def run() -> Callable[[], Answers]:
        waited, now = 0, 0.0
        while heap:
            now, _, process = heapq.heappop(heap)
            waited += 1
            for delay in process:
                heapq.heappush(heap, (now + delay, next(number), process))
                break
        return lambda: {"end": now, "waits": waited}

    return run


def simpy_callbacks(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Callbacks of timeouts."""
    import simpy

    environment = simpy.Environment()
    called = itertools.count()

    def ticker(rest: Iterator[int]) -> Callable[[object], None]:
        def tick(_event: object) -> None:
            next(called)
            again()

        def again() -> None:
            for delay in rest:
                environment.timeout(delay).callbacks.append(tick)
                return

        return again

    for each in delays(processes):
        ticker(iter(each))()

    def run() -> Callable[[], Answers]:
        environment.run()
        return lambda: {"end": environment.now, "callbacks": next(called)}

    return run


def simpy_waits(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Wait for timeouts, in processes."""
    import simpy

    environment = simpy.Environment()
    waited = itertools.count()

    def body(each: list[int]) -> Iterator[object]:
        for delay in each:
            yield environment.timeout(delay)
            next(waited)

    for each in delays(processes):
        environment.process(body(each))

    def run() -> Callable[[], Answers]:
        environment.run()
        return lambda: {"end": environment.now, "waits": next(waited)}

    return run


def simpy_waits_for_two(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Wait for both of two timeouts, then for the first of two, in processes."""
    import simpy

    environment = simpy.Environment()
    timeout = environment.timeout
    ends: list[float] = []

    def body(each: list[int]) -> Iterator[object]:
        rest = iter(each)
        for delay in rest:
            yield timeout(delay) & timeout(next(rest))
            yield timeout(next(rest)) | timeout(next(rest))
        ends.append(environment.now)

    for each in delays(processes):
        environment.process(body(each))

    def run() -> Callable[[], Answers]:
        environment.run()
        return lambda: {"last": max(ends), "sum": sum(ends)}

    return run


def sequence_callbacks(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Events of a Timeline."""
    from sequence.kernel.event import Event
    from sequence.kernel.process import Process
    from sequence.kernel.timeline import Timeline

    timeline = Timeline()

    class Ticker:
        def __init__(self, rest: Iterator[int]) -> None:
            self.rest = rest

        def tick(self) -> None:
            for delay in self.rest:
                timeline.schedule(Event(timeline.now() + delay, Process(self, "tick", [])))
                return

    for each in delays(processes):
        Ticker(iter(each)).tick()

    def run() -> Callable[[], Answers]:
        timeline.run()
        return lambda: {"end": timeline.now(), "callbacks": timeline.run_counter}

    return run


def simqn_callbacks(processes: int) -> Callable[[], Callable[[], Answers]]:
    """Events of a Simulator, one time slot a unit."""
    from qns.simulator.event import Event
    from qns.simulator.simulator import Simulator
    from qns.simulator.ts import Time

    simulator = Simulator(0.0, 1e9, accuracy=1)
    called = itertools.count()
    ends = [0]

    class Tick(Event):
        def __init__(self, t: Time, rest: Iterator[int]) -> None:
            super().__init__(t=t)
            self.rest = rest

        def invoke(self) -> None:
            next(called)
            for delay in self.rest:
                at = self.t + Time(time_slot=delay, accuracy=1)
                simulator.add_event(Tick(at, self.rest))
                return
            ends.append(self.t.time_slot)

    for each in delays(processes):
        rest = iter(each)
        simulator.add_event(Tick(Time(time_slot=next(rest), accuracy=1), rest))

    def run() -> Callable[[], Answers]:
        simulator.run()
        return lambda: {"end": max(ends), "callbacks": next(called)}

    return run


# One pair over a repeater chain.


def simqn_chain(nodes: int) -> Callable[[], Callable[[], Answers]]:
    """Swap Werner pairs hop by hop, as its EntanglementDistributionApp does."""
    from qns.network import QuantumNetwork
    from qns.network.protocol.entanglement_distribution import EntanglementDistributionApp
    from qns.network.requests import Request
    from qns.network.route import RouteImpl
    from qns.network.topology import LineTopology
    from qns.network.topology.topo import ClassicTopology
    from qns.simulator.simulator import Simulator

    class Line(RouteImpl):
        def build(self, nodes: list, _channels: list) -> None:
            self.nodes = nodes
            self.number = {node: at for at, node in enumerate(nodes)}

        def query(self, src: object, dest: object) -> list:
            at, end = self.number[src], self.number[dest]
            hop = self.nodes[at + (1 if end > at else -1)]
            return [(abs(end - at), hop, [hop])]

    link_s = LINK_KM / SPEED_KM_PER_S
    werner = np.exp(-CHANNEL_HZ * link_s)  # both halves travel half a link
    app = EntanglementDistributionApp(init_fidelity=(1 + 3 * werner) / 4)
    line = LineTopology(
        nodes_number=nodes,
        nodes_apps=[app],
        qchannel_args={"delay": link_s},
        cchannel_args={"delay": link_s},
        memory_args={"capacity": 2},
    )
    end_s = max(1.0, 4 * nodes * link_s)
    simulator = Simulator(0.0, end_s)
    network = QuantumNetwork(topo=line, route=Line(), classic_topo=ClassicTopology.Follow)
    network.build_route()
    first, last = network.nodes[0], network.nodes[-1]
    request = Request(src=first, dest=last, attr={"send_rate": 0.5 / end_s})
    first.add_request(request)
    last.add_request(request)
    network.install(simulator)

    def run() -> Callable[[], Answers]:
        simulator.run()
        found = last.get_apps(EntanglementDistributionApp)[0].success
        expected = (1 + 3 * werner ** (nodes - 1)) / 4
        return lambda: {"pairs": len(found), "fidelity / closed form": found[0].fidelity / expected}

    return run


def sequence_chain(nodes: int) -> Callable[[], Callable[[], Answers]]:
    """Deliver a pair by its full stack: reservation, rules, Barrett-Kok generation, tree of swaps.

    Kets, two memories a router, no loss, ideal detectors; it stops at the first delivery.
    """
    from sequence.app.request_app import RequestApp
    from sequence.topology.router_net_topo import RouterNetTopo

    class Line(RouterNetTopo):
        def _load(self, filename: dict) -> None:
            self._get_templates(filename)
            self._add_timeline(filename)
            self._map_bsm_routers(filename)
            self._add_nodes(filename)
            self._add_bsm_node_to_router()
            self._add_qchannels(filename)
            self._add_cchannels(filename)
            routers = self.nodes[self.QUANTUM_ROUTER]
            for at, router in enumerate(routers):
                static, reservation = router.network_manager.protocol_stack
                reservation.set_swapping_success_rate(1)
                reservation.set_swapping_degradation(1)
                for end, other in enumerate(routers):
                    if end != at:
                        hop = routers[at + (1 if end > at else -1)]
                        static.add_forwarding_rule(other.name, hop.name)

    class Stop(RequestApp):
        delivered = None

        def get_memory(self, info: object) -> None:
            if info.state == "ENTANGLED" and info.remote_node == self.responder:
                self.delivered = info.memory
                self.node.timeline.stop()

    topology = Line(_sequence_line(nodes))
    timeline = topology.get_timeline()
    routers = topology.get_nodes_by_type(RouterNetTopo.QUANTUM_ROUTER)
    app = Stop(routers[0])
    timeline.init()
    app.start(routers[-1].name, int(1e12), int(1e15), 1, 0.5)

    def run() -> Callable[[], Answers]:
        timeline.run()
        return lambda: _sequence_answers(timeline, app)

    return run


def _sequence_line(nodes: int) -> dict:
    """Write the configuration that its own generator writes for a line."""
    names = [f"r{at}" for at in range(nodes)]
    delay = LINK_KM / SPEED_KM_PER_S * 1e12  # ps
    detectors = [{"efficiency": 1, "dark_count": 0, "count_rate": 5e7, "time_resolution": 100}] * 2
    found: dict[str, list] = {"nodes": [], "qchannels": [], "cchannels": []}
    for at, name in enumerate(names):
        router = {"name": name, "type": "QuantumRouter", "seed": at, "memo_size": 2}
        found["nodes"].append(router | {"template": "router"})
        for other, far in enumerate(names):
            if other != at:
                wait = {"delay": round(abs(other - at) * delay)}
                found["cchannels"].append({"source": name, "destination": far} | wait)
    for at, pair in enumerate(itertools.pairwise(names)):
        middle = f"b{at}"
        found["nodes"].append(
            {"name": middle, "type": "BSMNode", "seed": nodes + at, "template": "middle"}
        )
        half = {"distance": LINK_KM * 500, "attenuation": 0}
        for name in pair:
            found["qchannels"].append({"source": name, "destination": middle} | half)
            for source, end in ((name, middle), (middle, name)):
                wait = {"delay": round(delay / 2)}
                found["cchannels"].append({"source": source, "destination": end} | wait)
    templates = {
        "router": {"MemoryArray": {"fidelity": 1}},
        "middle": {"SingleAtomBSM": {"detectors": detectors}},
    }
    return found | {"templates": templates, "stop_time": 10**16}


def _sequence_answers(timeline: object, app: object) -> Answers:
    state = np.array(timeline.quantum_manager.get(app.delivered.qstate_key).state)
    return {"pairs": 1, "fidelity / closed form": abs(state[0] + state[3]) ** 2 / 2}


# GHZ states: H, a cascade of CNOTs, and a measurement of each qubit.


def stim_ghz(qubits: int) -> Callable[[], Callable[[], Answers]]:
    """Gate by gate from Python."""
    import stim

    def made(seed: int) -> "stim.TableauSimulator":
        simulator = stim.TableauSimulator(seed=seed)
        simulator.h(0)
        for at in range(qubits - 1):
            simulator.cnot(at, at + 1)
        return simulator

    def run() -> Callable[[], Answers]:
        simulator = made(1)
        found = [simulator.measure(at) for at in range(qubits)]

        def answers() -> Answers:
            crossed = made(2)
            crossed.h(*range(qubits))
            return parities(found, crossed.measure_many(*range(qubits)))

        return answers

    return run


def qutip_ghz(qubits: int) -> Callable[[], Callable[[], Answers]]:
    """Sparse gates on a ket of all qubits, which stay in it."""
    import qutip
    from qutip import expand_operator, gates

    two = [2] * qubits
    turn = [expand_operator(gates.snot(), two, [at]) for at in range(qubits)]
    flip = [expand_operator(gates.cnot(), two, [at, at + 1]) for at in range(qubits - 1)]
    up = [
        expand_operator(qutip.basis(2, 0) * qutip.basis(2, 0).dag(), two, [at])
        for at in range(qubits)
    ]
    zero = qutip.tensor([qutip.basis(2, 0)] * qubits)

    def made() -> "qutip.Qobj":
        state = turn[0] * zero
        for gate in flip:
            state = gate * state
        return state

    def measured(state: "qutip.Qobj", rng: np.random.Generator) -> list[int]:
        found = []
        for projector in up:
            part = projector * state
            chance = part.norm() ** 2
            found.append(int(rng.random() >= chance))
            state = ((state - part) if found[-1] else part).unit()
        return found

    def run() -> Callable[[], Answers]:
        rng = np.random.default_rng(1)
        found = measured(made(), rng)

        def answers() -> Answers:
            state = made()
            for gate in turn:
                state = gate * state
            return parities(found, measured(state, rng))

        return answers

    return run


def parities(straight: list[int], crossed: list[int]) -> Answers:
    """Give what is certain of a GHZ state: equal outcomes in Z, an even number of ones in X."""
    return {"values in Z": len(set(straight)), "parity in X": sum(crossed) % 2}


# One swap of two mixed pairs.


def qutip_swap(swaps: int) -> Callable[[], Callable[[], Answers]]:
    """Join two pairs, project, trace out, correct."""
    import qutip

    bell = qutip_bell()
    pair = sum(w * bell[k] * bell[k].dag() for k, w in enumerate(WEIGHTS))
    one = qutip.qeye(2)
    project = [qutip.tensor(one, state * state.dag(), one) for state in bell]
    correct = [qutip.tensor(one, pauli) for pauli in _qutip_paulis()]

    def run() -> Callable[[], Answers]:
        rng = np.random.default_rng(1)
        for _ in range(swaps):
            joint = qutip.tensor(pair, pair)
            chances = np.array([(p * joint).tr().real for p in project])
            outcome = rng.choice(4, p=chances / chances.sum())
            left = (project[outcome] * joint * project[outcome]).ptrace([0, 3])
            left = correct[outcome] * left * correct[outcome].dag() / chances[outcome]
        return lambda: {f"weight {k}": (s.dag() * left * s).real for k, s in enumerate(bell)}

    return run


@functools.cache
def _qutip_paulis() -> tuple:
    import qutip

    return (qutip.qeye(2), qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())


@functools.cache
def qutip_bell() -> tuple:
    """Give the Bell states in our order: a Pauli on the second qubit of phi+."""
    import qutip

    phi = qutip.bell_state("00")
    return tuple(qutip.tensor(qutip.qeye(2), pauli) * phi for pauli in _qutip_paulis())
