"""Chains in batches: both executors against plain Python, and against closed forms."""

import dataclasses
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from restudy.qnet.analytic import bell
from restudy.qnet.analytic.noise import dephasing_probability, depolarising_probability
from restudy.qnet.analytic.waiting import mean_of_maximum
from restudy.qnet.analytic.werner import fidelity_of, two_link_decay
from restudy.qnet.batch import closed_form, event_driven
from restudy.qnet.batch.chain import Chain, Deliveries, Link, draw_attempts, uniform_chain
from restudy.qnet.errors import QnetError

EXECUTORS = [closed_form.deliveries, event_driven.deliveries]


@dataclasses.dataclass(eq=False)
class Pair:
    """Weights, and for each end its node and the time up to which its noise is in them."""

    weights: np.ndarray
    ends: list[tuple[int, float]]


def plain(chain: Chain, attempts: np.ndarray) -> tuple[float, np.ndarray]:
    """Return delivery time and weights of one run, by a list of events in plain Python."""
    pairs: list[Pair] = []
    events = [
        (float(k) * link.attempt_ns, "link", number)
        for number, (link, k) in enumerate(zip(chain.links, attempts, strict=True))
    ]
    now = 0.0

    def kept(pair: Pair) -> Pair:
        for _, since in pair.ends:
            p = depolarising_probability((now - since) * 1e-9, chain.depolar_hz)
            z = dephasing_probability((now - since) * 1e-9, chain.dephase_hz)
            pair.weights = bell.dephased(bell.depolarised(pair.weights, p), z)
        pair.ends = [(node, now) for node, _ in pair.ends]
        return pair

    def at(node: int) -> list[Pair]:
        return [pair for pair in pairs if node in (pair.ends[0][0], pair.ends[1][0])]

    while events:
        event = min(events)
        events.remove(event)
        now, kind, where = event
        if kind == "link":
            weights = np.array(chain.links[where].weights)
            pairs.append(Pair(weights, [(where, now), (where + 1, now)]))
            events += [
                (now + chain.swap_ns, "swap", node)
                for node in (where, where + 1)
                if len(at(node)) == 2
            ]
        elif kind == "swap":
            left, right = sorted(map(kept, at(where)), key=lambda pair: pair.ends[0])
            pairs = [pair for pair in pairs if pair not in (left, right)]
            weights = bell.depolarised(
                bell.swapped(left.weights, right.weights), chain.swap_depolar
            )
            pairs.append(Pair(weights, [left.ends[0], right.ends[1]]))
            length = sum(link.length_km for link in chain.links[where:])
            events.append((now + length / chain.speed_km_per_s * 1e9, "message", where))
    (pair,) = pairs
    return now, kept(pair).weights


def uneven_chain(nodes: int, *, rng: np.random.Generator) -> Chain:
    """Return a chain of links that differ in everything."""
    links = tuple(
        Link(
            success=rng.uniform(0.05, 1),
            attempt_ns=rng.uniform(1e4, 1e6),
            length_km=rng.uniform(0, 50),
            weights=tuple(rng.dirichlet([30, 1, 1, 1]).tolist()),
        )
        for _ in range(nodes - 1)
    )
    return Chain(links, depolar_hz=20.0, dephase_hz=50.0, swap_ns=3e4, swap_depolar=0.01)


@pytest.mark.parametrize("execute", EXECUTORS)
@pytest.mark.parametrize("nodes", [2, 3, 4, 9, 20])
def test_executors_replay_plain_python(
    execute: Callable[[Chain, np.ndarray], Deliveries], nodes: int
) -> None:
    rng = np.random.default_rng(nodes)
    chain = uneven_chain(nodes, rng=rng)
    attempts = draw_attempts(chain, 10, rng=rng)
    found = execute(chain, attempts)
    for run, row in enumerate(attempts):
        duration, weights = plain(chain, row)
        assert found.duration_ns[run] == pytest.approx(duration, rel=1e-12)
        np.testing.assert_allclose(found.weights[run], weights, atol=1e-12)
    assert (found.fidelity == found.weights[:, 0]).all()


@pytest.mark.parametrize("execute", EXECUTORS)
def test_executors_replay_plain_python_on_ties(
    execute: Callable[[Chain, np.ndarray], Deliveries],
) -> None:
    chain = uniform_chain(7, Link(0.5, 1e6, 20.0, (0.9, 0.05, 0.03, 0.02)), depolar_hz=30.0)
    attempts = np.random.default_rng(1).integers(1, 4, (40, 6))  # whole numbers, many equal
    found = execute(chain, attempts)
    for run, row in enumerate(attempts):
        duration, weights = plain(chain, row)
        assert found.duration_ns[run] == pytest.approx(duration, rel=1e-12)
        np.testing.assert_allclose(found.weights[run], weights, atol=1e-12)


def test_executors_agree_on_long_chains() -> None:
    rng = np.random.default_rng(2)
    chain = dataclasses.replace(uneven_chain(1000, rng=rng), depolar_hz=0.1, dephase_hz=0.2)
    attempts = draw_attempts(chain, 50, rng=rng)
    one, other = (execute(chain, attempts) for execute in EXECUTORS)
    np.testing.assert_array_equal(one.duration_ns, other.duration_ns)
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-12)
    np.testing.assert_allclose(other.weights.sum(axis=1), 1.0, atol=1e-12)


def test_random_runs_are_those_of_the_drawn_attempts() -> None:
    chain = uneven_chain(12, rng=np.random.default_rng(3))
    for generator in (np.random.PCG64, np.random.Philox):
        rngs = [np.random.Generator(generator(4)) for _ in range(2)]
        runs = closed_form.simulate(chain, 300, rng=rngs[0])
        same = closed_form.deliveries(chain, draw_attempts(chain, 300, rng=rngs[1]))
        np.testing.assert_array_equal(runs.duration_ns, same.duration_ns)
        np.testing.assert_array_equal(runs.weights, same.weights)
        assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize("sizes", [[300], [1] * 300, [7, 193, 100]])
def test_runs_do_not_depend_on_the_size_of_blocks(sizes: list[int]) -> None:
    chain = uneven_chain(5, rng=np.random.default_rng(3))
    whole = closed_form.simulate(chain, 300, rng=np.random.default_rng(5))
    rng = np.random.default_rng(5)
    blocks = [closed_form.simulate(chain, size, rng=rng) for size in sizes]
    found = np.concatenate([block.weights for block in blocks])
    np.testing.assert_array_equal(found, whole.weights)


def test_threads_do_not_disturb_each_other() -> None:
    chain = uneven_chain(50, rng=np.random.default_rng(3))

    def fidelities(seed: int) -> list[float]:
        rng = np.random.default_rng(seed)
        return closed_form.simulate(chain, 500, rng=rng).fidelity.tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fidelities, range(8))) == list(map(fidelities, range(8)))


def test_attempts_are_geometric() -> None:
    chain = Chain((Link(0.3, 1.0), Link(1.0, 1.0), Link(1e-9, 1.0)))
    attempts = draw_attempts(chain, 200_000, rng=np.random.default_rng(6))
    for k in range(1, 12):
        hit = attempts[:, 0] == k
        assert abs(hit.mean() - 0.3 * 0.7 ** (k - 1)) < 4 * hit.std() / math.sqrt(len(hit))
    assert (attempts[:, 1] == 1).all()
    rare = attempts[:, 2]
    assert abs(rare.mean() - 1e9) < 4 * rare.std() / math.sqrt(len(rare))


@pytest.mark.parametrize(("nodes", "runs"), [(3, 100_000), (9, 100_000), (1000, 2000)])
def test_duration_is_the_maximum_of_geometric_numbers(nodes: int, runs: int) -> None:
    chain = uniform_chain(nodes, Link(0.1, 1e6))
    steps = closed_form.simulate(chain, runs, rng=np.random.default_rng(7)).duration_ns / 1e6
    expected = mean_of_maximum(nodes - 1, 0.1)
    assert abs(steps.mean() - expected) < 4 * steps.std() / math.sqrt(runs)


def test_fidelity_of_two_links_is_the_closed_form() -> None:
    chain = uniform_chain(3, Link(0.1, 1e6), depolar_hz=5.0)  # both qubits wait: T = 100 attempts
    F = closed_form.simulate(chain, 200_000, rng=np.random.default_rng(8)).fidelity
    expected = fidelity_of(two_link_decay(0.1, 100.0))
    assert abs(F.mean() - expected) < 4 * F.std() / math.sqrt(len(F))


def test_fidelity_without_waiting_is_that_of_the_links() -> None:
    link = Link(1.0, 1e6, weights=tuple(bell.werner_weights(0.95)))
    chain = dataclasses.replace(uniform_chain(6, link), swap_depolar=0.02)
    for execute in EXECUTORS:
        weights = execute(chain, np.ones((1, 5))).weights[0]
        slow = bell.chained(np.tile(bell.werner_weights(0.95), (5, 1)))
        for _ in range(4):
            slow = bell.depolarised(slow, 0.02)
        np.testing.assert_allclose(weights, slow, atol=1e-12)


def test_messages_delay_the_delivery_and_spoil_the_ends() -> None:
    chain = uniform_chain(4, Link(1.0, 1e6, length_km=100.0), depolar_hz=100.0)
    for execute in EXECUTORS:
        run = execute(chain, np.ones((1, 3)))
        assert run.duration_ns[0] == pytest.approx(1e6 + 2 * 500_000)  # from node 1, 200 km
        assert run.fidelity[0] == pytest.approx(0.25 + 0.75 * math.exp(-100 * 2 * 1e-3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Link(0.0, 1.0), r"success of a link is 0\.0; give a number above 0"),
        (lambda: Link(0.5, -1.0), r"attempt_ns of a link is -1\.0; give a number above 0"),
        (lambda: Link(0.5, 1.0, -2), "length_km of a link is -2; give a finite number of at least"),
        (lambda: Link(0.5, 1.0, 0, (1, 1, 0, 0)), "weights of a link is .*four weights"),
        (lambda: Chain(()), r"links is \(\); give a tuple of at least one Link"),
        (lambda: Chain((0.1,)), r"links is \(0\.1,\); give a tuple"),
        (lambda: uniform_chain(1, Link(1.0, 1.0)), "nodes is 1; give a whole number of at least 2"),
        (lambda: draw_attempts(Chain((Link(1.0, 1.0),)), -1, rng=np.random.default_rng()),
         "runs is -1; give a whole number"),
        (lambda: closed_form.simulate(Chain((Link(1.0, 1.0),)), 1, rng=3),
         "rng is 3; give a generator"),
        (lambda: dataclasses.replace(Chain((Link(1.0, 1.0),)), swap_depolar=2),
         "swap_depolar is 2; give a number from 0 to 1"),
    ],
)  # fmt: skip
def test_bad_chains_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()


@pytest.mark.parametrize("execute", EXECUTORS)
def test_bad_attempts_are_named(execute: Callable[[Chain, np.ndarray], Deliveries]) -> None:
    chain = uniform_chain(4, Link(0.5, 1.0))
    with pytest.raises(QnetError, match=r"shape \(2, 4\); the chain has 3 links"):
        execute(chain, np.ones((2, 4)))
    with pytest.raises(QnetError, match=r"attempts go down to 0\.0; a link takes at least 1"):
        execute(chain, np.zeros((2, 3)))
    with pytest.raises(QnetError, match="attempts go down to nan"):
        execute(chain, np.full((2, 3), np.nan))
