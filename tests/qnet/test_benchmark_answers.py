"""Engines of the benchmark agree at small sizes: ours, and the bare loop."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """Load the script; its siblings are found as if it were run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        spec = importlib.util.spec_from_file_location("qnet_benchmark", BENCHMARKS / "qnet.py")
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)  # its dataclasses look there
        spec.loader.exec_module(module)
        patch.setattr(module.peers, "CALLBACKS", 4000)
        patch.setattr(module.peers.delays, "__defaults__", (4000,))
        yield module


@pytest.mark.parametrize(
    ("question", "size", "engines"),
    [
        ("callbacks", 10, {"restudy", "heapq"}),
        ("waits", 10, {"restudy", "heapq"}),
        ("chain", 4, {"restudy, density", "restudy, ket", "restudy, Bell"}),
        ("SWAP-ASAP", 5, {"restudy, closed form", "restudy, events"}),
        (
            "GHZ",
            4,
            {"restudy, stabilizer", "restudy, graph", "restudy, ket", "restudy, density"},
        ),
        ("swap", 2, {"restudy, density", "restudy, Bell"}),
    ],
)
def test_engines_agree(benchmark, question, size, engines):
    asked = benchmark.QUESTIONS[question].engines
    found = [asked[name](size)()() for name in asked if name in engines]
    assert len(found) == len(engines)
    for other in found[1:]:
        benchmark.harness.agree(found[0], other)


def test_loops_called_all(benchmark):
    assert benchmark.callbacks(10)()()["callbacks"] == 4000
    assert benchmark.waits(10)()()["waits"] == 4000
    both = benchmark.waits_for_two(10)()()
    last = 0
    for each in benchmark.peers.delays(10):
        fours = zip(*[iter(each)] * 4, strict=True)
        last = max(last, sum(max(a, b) + min(c, d) for a, b, c, d in fours))
    assert both["last"] == last


def test_answers_are_those_of_theory(benchmark):
    asked = benchmark.QUESTIONS
    assert asked["chain"].engines["restudy, density"](4)()()["fidelity / closed form"] == (
        pytest.approx(1, abs=1e-12)
    )
    assert asked["GHZ"].engines["restudy, graph"](4)()() == {"values in Z": 1, "parity in X": 0}
    weights = asked["swap"].engines["restudy, density"](2)()()
    one = benchmark.peers.WEIGHTS
    for k in range(4):
        swapped = sum(one[i] * one[i ^ k] for i in range(4))
        assert weights[f"weight {k}"] == pytest.approx(swapped, abs=1e-12)


def test_a_difference_stops_the_benchmark(benchmark):
    with pytest.raises(SystemExit, match="parity in X: 0 here, 1 there"):
        benchmark.harness.agree(
            {"values in Z": 1, "parity in X": 0}, {"values in Z": 1, "parity in X": 1}
        )
