"""Moments that merge, sweeps with the same bits everywhere, sensitivity to hardware."""

import concurrent.futures
import dataclasses
import math
import pickle
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.parallel.sweeps import SweepError
from restudy.qnet.analytic.waiting import mean_of_maximum
from restudy.qnet.batch import closed_form
from restudy.qnet.batch.chain import Chain, Link, uniform_chain
from restudy.qnet.errors import QnetError
from restudy.qnet.moments import Moments, merged, moments
from restudy.qnet.sensitivity import improve, improve_fields, sensitivity
from restudy.qnet.sweeps import Sampling, blocks_per_second, measure, tidy

SAMPLING = Sampling(runs=1050, seed=3, block=100)


@dataclasses.dataclass(frozen=True)
class Walk:
    steps: int
    name: str = "walk"


def walk(point: Walk, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ends of random walks, and a number of samples that is random too."""
    ends = rng.normal(size=(runs, point.steps)).sum(axis=1)
    return {"end": ends, "far": ends[ends > 0]}


def counted(point: dict[str, str], runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Append a line to the log of the point; break if the point says so and its file is there."""
    log = Path(point["log"])
    with log.open("a") as file:
        file.write(f"{runs}\n")
    numbers = rng.random(runs)
    if log.with_suffix(".break").exists() and numbers[0] < 0.5:
        raise RuntimeError("the lights went out")
    return {"number": numbers}


# ---- moments


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=8), min_size=1, max_size=6))
def test_merged_moments_are_those_of_all_samples(blocks: list[list[float]]) -> None:
    edges = [-10.0, 0.0, 10.0]
    together = moments(np.array([x for block in blocks for x in block]), edges=edges)
    found = merged([moments(np.array(block), edges=edges) for block in blocks])
    assert found.count == together.count
    assert found.histogram == together.histogram
    assert sum(found.histogram) == found.count
    if found.count:
        assert found.mean == pytest.approx(together.mean, rel=1e-9, abs=1e-6)
        assert found.m2 == pytest.approx(together.m2, rel=1e-9, abs=1e-3)
    else:
        assert math.isnan(found.mean)


def test_moments_are_those_of_numpy() -> None:
    x = np.random.default_rng(1).normal(3, 2, 1000)
    found = moments(x, edges=[0, 1, 5])
    assert found.mean == pytest.approx(x.mean(), rel=1e-14)
    assert found.variance == pytest.approx(x.var(ddof=1), rel=1e-12)
    assert found.standard_error == pytest.approx(x.std(ddof=1) / math.sqrt(1000), rel=1e-12)
    assert found.histogram == tuple(np.histogram(x, [-np.inf, 0, 1, 5, np.inf])[0])
    assert math.isnan(moments(x[:1]).standard_error)


def test_a_sample_on_an_edge_is_above_it() -> None:
    assert moments(np.array([1.0, 2.0]), edges=[1, 2]).histogram == (0, 1, 1)


# ---- sweeps


def test_measured_moments_are_those_of_the_blocks() -> None:
    (found,) = measure(walk, [Walk(4)], SAMPLING)
    sizes = [100] * 10 + [50]
    blocks = [
        walk(Walk(4), size, rng=np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0, b))))
        for b, size in enumerate(sizes)
    ]
    for name in ("end", "far"):
        assert found[name] == merged([moments(block[name]) for block in blocks])
    assert found["end"].count == 1050
    assert 0 < found["far"].count < 1050


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("blocks_per_task", [1, 3, 50])
def test_bits_do_not_depend_on_workers_or_tasks(workers: int, blocks_per_task: int) -> None:
    points = [Walk(steps) for steps in (1, 2, 5)]
    edges = {"end": [-1.0, 0.0, 1.0]}
    one = measure(walk, points, SAMPLING, edges=edges)
    sampling = dataclasses.replace(SAMPLING, blocks_per_task=blocks_per_task)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        assert measure(walk, points, sampling, edges=edges, executor=pool) == one


def test_points_of_a_stream_have_common_random_numbers() -> None:
    points = [Walk(2), Walk(2, "same"), Walk(2, "other")]
    found = measure(walk, points, SAMPLING, streams=[0, 0, 1])
    assert found[0] == found[1] != found[2]
    assert measure(walk, [Walk(2)], SAMPLING, streams=[1])[0] == found[2]


def test_a_chain_is_swept_to_its_closed_form() -> None:
    chains = [uniform_chain(nodes, Link(0.1, 1e6)) for nodes in (2, 5, 9)]
    found = measure(closed_form.samples, chains, Sampling(runs=100_000, seed=1, block=10_000))
    for chain, quantities in zip(chains, found, strict=True):
        steps = quantities["duration_ns"]
        expected = 1e6 * mean_of_maximum(chain.nodes - 1, 0.1)
        assert abs(steps.mean - expected) < 4 * steps.standard_error


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    points = [{"log": str(tmp_path / name)} for name in ("one", "two")]
    sampling = Sampling(runs=80, seed=5, block=10)
    whole = measure(counted, points, sampling)
    logs = [Path(point["log"]) for point in points]
    assert [len(log.read_text().split()) for log in logs] == [8, 8]
    breaks = logs[1].with_suffix(".break")
    breaks.touch()
    for log in logs:
        log.unlink()
    with pytest.raises(SweepError, match=r"of 16 points failed .* the lights went out"):
        measure(counted, points, sampling, folder=tmp_path / "kept")
    kept = len(list((tmp_path / "kept").iterdir()))
    assert 8 < kept < 16
    breaks.unlink()
    assert measure(counted, points, sampling, folder=tmp_path / "kept") == whole
    assert len(logs[0].read_text().split()) == 8  # not one was done again
    assert len(logs[1].read_text().split()) == 8 + 16 - kept


def test_more_runs_use_what_is_kept(tmp_path: Path) -> None:
    point = {"log": str(tmp_path / "log")}
    measure(counted, [point], Sampling(runs=30, seed=5, block=10), folder=tmp_path / "kept")
    more = Sampling(runs=50, seed=5, block=10)
    (found,) = measure(counted, [point], more, folder=tmp_path / "kept")
    assert len(Path(point["log"]).read_text().split()) == 5
    assert [found] == measure(counted, [point], more)


def test_kept_results_are_not_those_of_other_edges(tmp_path: Path) -> None:
    for edges in ([0.0], [0.0, 1.0]):
        (found,) = measure(walk, [Walk(1)], SAMPLING, edges={"end": edges}, folder=tmp_path)
        assert len(found["end"].histogram) == len(edges) + 1


def test_tasks_travel_to_other_processes() -> None:
    chain = uniform_chain(4, Link(0.5, 1e6))
    sampling = Sampling(runs=400, seed=2, block=100)
    with concurrent.futures.ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = measure(closed_form.samples, [chain], sampling, executor=pool)
    assert found == measure(closed_form.samples, [chain], sampling)
    assert pickle.loads(pickle.dumps(chain)) == chain


def test_a_table_has_a_row_for_each_quantity() -> None:
    points = [Walk(1), Walk(2)]
    found = measure(walk, points, SAMPLING)
    table = tidy([dataclasses.asdict(point) for point in points], found)
    assert list(table) == ["steps", "name", "quantity", "count", "mean", "standard_error"]
    assert table["quantity"].tolist() == ["end", "far"] * 2
    assert table["mean"].tolist() == [q[n].mean for q in found for n in ("end", "far")]
    assert table["standard_error"][2] == found[1]["end"].standard_error


def test_blocks_per_second_counts_the_second() -> None:
    def slow(point: None, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
        calls.append(runs)
        return {"x": rng.random(runs)}

    calls: list[int] = []
    assert blocks_per_second(slow, None, Sampling(runs=5, seed=0, block=2)) > 100
    assert calls == [2, 2]


# ---- sensitivity


@dataclasses.dataclass(frozen=True)
class Hardware:
    link: float = 0.1
    memory: float = 0.98
    name: str = "near-term"


def product(hardware: Hardware, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"F": hardware.link * hardware.memory + 0.01 * rng.normal(size=runs)}


def test_improvement_is_the_papers_rule() -> None:
    assert improve(0.9, 3) == pytest.approx(0.965, abs=5e-4)  # Table S.II, visibility
    assert improve(0.0046, 10) == pytest.approx(0.58, abs=5e-3)  # and detection
    assert improve(improve(0.3, 2.5), 4) == pytest.approx(improve(0.3, 10), rel=1e-12)
    assert improve(0.7, 1) == 0.7
    assert improve_fields(Hardware(), {"link": 2, "memory": 4}) == Hardware(
        pytest.approx(0.1**0.5), pytest.approx(0.98**0.25)
    )


def test_sensitivity_improves_one_parameter_at_a_time() -> None:
    factors = {"link": [2, 10], "memory": [2]}
    table = sensitivity(product, Hardware(), factors, SAMPLING)
    assert table["parameter"].tolist() == ["", "link", "link", "memory"]
    assert table["factor"].tolist() == [1, 2, 10, 2]
    differences = table["mean"] - table["mean"][0]  # the noise is common and drops out
    expected = [(0.1 ** (1 / k) - 0.1) * 0.98 for k in (2, 10)] + [0.1 * (0.98**0.5 - 0.98)]
    assert differences[1:].tolist() == pytest.approx(expected, rel=1e-9)


def test_sensitivity_takes_other_rules() -> None:
    def better(hardware: Hardware, factors: Mapping[str, float]) -> Hardware:
        return dataclasses.replace(hardware, memory=1 - (1 - hardware.memory) / factors["memory"])

    table = sensitivity(product, Hardware(), {"memory": [2]}, SAMPLING, improved=better)
    assert table["mean"][1] - table["mean"][0] == pytest.approx(0.1 * 0.01, rel=1e-9)


# ---- what cannot work


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Sampling(runs=0, seed=1), "runs is 0; give a whole number of at least 1"),
        (lambda: Sampling(runs=1, seed=-1), "seed is -1; give a whole number of at least 0"),
        (lambda: Sampling(1, 1, block=0), "block is 0; give a whole number of at least 1"),
        (lambda: measure(walk, [Walk(1)], SAMPLING, streams=[]), "0 streams for 1 points"),
        (lambda: measure(walk, [Walk(1)], SAMPLING, streams=[-1]), "a stream is -1; give"),
        (lambda: tidy([], [{}]), "0 labels for 1 points; give one a point"),
        (lambda: moments(np.array([1.0, np.nan])), "sample 1 is nan; give finite numbers"),
        (lambda: moments(np.ones((2, 2))), r"samples have the shape \(2, 2\); give one dimension"),
        (lambda: moments(np.ones(1), edges=[2, 1]), r"edges are \[2, 1\]; give numbers that incr"),
        (lambda: merged([]), "no moments were given to merge"),
        (lambda: merged([Moments(1, 1, 0, (1,)), Moments(1, 1, 0)]), "have 1 and 0 bins; use the"),
        (lambda: improve(0.0, 2), r"p_no_error is 0\.0; give a number above 0"),
        (lambda: improve(0.5, 0), "k is 0; give a number above 0"),
        (lambda: improve_fields(Hardware(), {"lonk": 2}), "'lonk' is no field of the hardware; "),
        (lambda: sensitivity(product, Hardware(), {"link": [-1]}, SAMPLING), "k is -1; give a num"),
        (lambda: improve_fields(Hardware(), {"name": 2}), "p_no_error is 'near-term'; give a num"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()


def test_bad_samples_are_named_with_their_point() -> None:
    def broken(point: int, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"x": np.full(runs, np.inf)}

    with pytest.raises(SweepError, match="QnetError: sample 0 is inf; give finite numbers"):
        measure(broken, [7], SAMPLING)


def test_quantities_that_come_and_go_are_named() -> None:
    def moody(point: int, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"x" if rng.random() < 0.5 else "y": np.ones(runs)}

    with pytest.raises(QnetError, match=r"blocks of 7 measured \['[xy]'\] and \['[xy]'\]; return"):
        measure(moody, [7], SAMPLING)


def test_a_function_without_a_name_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="use a named function"):
        measure(lambda point, runs, *, rng: {}, [1], SAMPLING, folder=tmp_path)


def test_a_chain_is_a_point_that_can_be_kept(tmp_path: Path) -> None:
    chain = Chain((Link(0.5, 1e6), Link(0.4, 1e6)))
    first = measure(closed_form.samples, [chain], SAMPLING, folder=tmp_path)
    assert measure(closed_form.samples, [chain], SAMPLING, folder=tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 11
