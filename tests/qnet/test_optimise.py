"""The search for the cheapest hardware: known optima, equal bits, resumption, SciPy beside it."""

import concurrent.futures
import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, NonlinearConstraint, differential_evolution

from restudy.parallel.sweeps import SweepError
from restudy.qnet.analytic.waiting import mean_of_maximum
from restudy.qnet.batch import closed_form
from restudy.qnet.batch.chain import Chain, Link, uniform_chain
from restudy.qnet.errors import QnetError
from restudy.qnet.optimise import Optimum, Search, optimise, total
from restudy.qnet.sensitivity import improve_fields
from restudy.qnet.sweeps import Sampling

ONE = Sampling(runs=1, seed=0)
BOUNDS = {"swap": (1.0, 30.0), "link": (1.0, 30.0), "memory": (1.0, 30.0)}


@dataclasses.dataclass(frozen=True)
class Hardware:
    swap: float = 0.7
    link: float = 0.9
    memory: float = 0.99


def product(hardware: Hardware, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the product of all probabilities of no error: the closed form of a cheapest F."""
    return {"F": np.full(runs, hardware.swap * hardware.link * hardware.memory)}


def noisy(hardware: Hardware, runs: int, *, rng: np.random.Generator) -> dict[str, np.ndarray]:
    noise = 0.01 * rng.normal(size=runs)
    return {"F": hardware.swap * hardware.link * hardware.memory + noise}


def logged(
    point: dict[str, float], runs: int, *, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Append a line to a log; break when the log has as many lines as the file `stop` says."""
    folder = Path("log")
    lines = len(list(folder.iterdir()))
    stop = folder.with_suffix(".stop")
    if stop.exists() and lines >= int(stop.read_text()):
        raise RuntimeError("the lights went out")
    (folder / str(lines)).touch()
    F = 0.7 ** (1 / point["swap"]) * 0.9 ** (1 / point["link"])
    return {"F": F + 0.001 * rng.normal(size=runs)}


def better(factors: dict[str, float]) -> Hardware:
    return improve_fields(Hardware(), factors)


def cheapest(wanted: float) -> dict[str, float]:
    r"""Return the factors with the least sum for a product of at least `wanted`.

    Minimise sum k_i with sum a_i / k_i <= c, for a = -ln p and c = -ln(wanted): by Lagrange
    k_i = sqrt(a_i) sum_j sqrt(a_j) / c, while all of them are within the bounds.
    """
    a = {name: -math.log(p) for name, p in dataclasses.asdict(Hardware()).items()}
    roots = sum(map(math.sqrt, a.values()))
    return {name: math.sqrt(x) * roots / -math.log(wanted) for name, x in a.items()}


def test_the_known_optimum_inside_the_bounds() -> None:
    found = optimise(product, better, BOUNDS, {"F": (0.95, 1.0)}, ONE)
    known = cheapest(0.95)
    assert min(known.values()) > 1
    assert 0 <= found.cost / total(known) - 1 < 1e-3
    assert found.parameters == pytest.approx(known, rel=0.05)
    assert 0.95 <= found.measured["F"].mean < 0.9502


def test_the_known_optimum_at_a_bound() -> None:
    wanted = 0.7 * 0.9 * 0.99 + 1e-9
    found = optimise(product, better, BOUNDS, {"F": (wanted, 1.0)}, ONE)
    assert found.cost == pytest.approx(3, abs=1e-3)
    unlimited = optimise(product, better, BOUNDS, {}, ONE)
    assert unlimited.cost == pytest.approx(3, abs=1e-9)


def test_a_cost_of_ones_own() -> None:
    found = optimise(
        product,
        better,
        BOUNDS,
        {"F": (0.9, 1.0)},
        ONE,
        cost=lambda k: 100 * k["swap"] + k["link"] + k["memory"],
        search=Search(generations=150),
    )
    x = np.linspace(1, 30, 1000)
    link, memory = np.meshgrid(x, x)
    rest = np.log(0.9 / (0.9 ** (1 / link) * 0.99 ** (1 / memory)))
    swap = np.where(rest < 0, math.log(0.7) / np.where(rest < 0, rest, -1), np.inf)
    least = (100 * np.maximum(swap, 1) + link + memory).min()
    assert found.cost == pytest.approx(least, rel=2e-3)


def test_scipy_finds_the_same_optimum() -> None:
    wanted = 0.95
    p = np.array(dataclasses.astuple(Hardware()))
    scipys = differential_evolution(
        lambda k: k.sum(),
        Bounds([1] * 3, [30] * 3),
        constraints=NonlinearConstraint(lambda k: (p ** (1 / k)).prod(), wanted, 1.0),
        seed=np.random.default_rng(1),
        tol=1e-5,
        polish=False,  # its quasi-Newton step warns of a linear cost
    )
    ours = optimise(
        product, better, BOUNDS, {"F": (wanted, 1)}, ONE, search=Search(200, tolerance=1e-5)
    )
    assert ours.cost == pytest.approx(scipys.fun, rel=1e-4)


def same(one: Optimum, other: Optimum) -> bool:
    pd.testing.assert_frame_equal(one.candidates, other.candidates, check_exact=True)
    return (one.parameters, one.cost, one.measured) == (
        other.parameters, other.cost, other.measured
    )  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_bits_do_not_depend_on_workers(workers: int) -> None:
    search = functools.partial(
        optimise, noisy, better, BOUNDS, {"F": (0.95, 1.0)}, search=Search(8, 12, seed=4)
    )
    one = search(Sampling(runs=40, seed=1, block=10))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        assert same(one, search(Sampling(40, 1, block=10, blocks_per_task=2), executor=pool))


def test_candidates_have_common_random_numbers() -> None:
    found = optimise(noisy, better, BOUNDS, {"F": (0.9, 2)}, ONE, search=Search(1, 10))
    noise = [
        row.F - dataclasses.astuple(improved)[0] * improved.link * improved.memory
        for row in found.candidates.itertuples()
        for improved in [better({name: getattr(row, name) for name in BOUNDS})]
    ]
    assert noise == pytest.approx([noise[0]] * 20, abs=1e-15)
    assert noise[0] != 0


def test_an_interrupted_search_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log"
    log.mkdir()
    two = {name: BOUNDS[name] for name in ("swap", "link")}
    search = functools.partial(
        optimise, logged, dict, two, {"F": (0.95, 1.0)}, Sampling(20, 1, 10), search=Search(6, 10)
    )
    whole = search()
    runs = len(list(log.iterdir()))
    assert runs == 2 * len(whole.candidates) == 2 * 7 * 10  # blocks, generations, members
    for file in log.iterdir():
        file.unlink()
    (tmp_path / "log.stop").write_text("67")
    with pytest.raises(SweepError, match=r"of 20 points failed .* the lights went out"):
        search(folder=tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 67
    (tmp_path / "log.stop").unlink()
    assert same(search(folder=tmp_path / "kept"), whole)
    assert len(list(log.iterdir())) == runs  # not one was done again


def test_the_history_has_every_candidate() -> None:
    found = optimise(product, better, BOUNDS, {"F": (0.95, 1.0)}, ONE, search=Search(5, 10))
    table = found.candidates
    assert list(table) == ["generation", *BOUNDS, "cost", "F", "excess"]
    assert table["generation"].tolist() == [g for g in range(6) for _ in range(10)]
    inside = table[table["excess"] == 0]
    assert (inside["F"] >= 0.95).all()
    assert inside["cost"].min() == found.cost
    outside = table[table["excess"] > 0]
    assert outside["excess"].tolist() == pytest.approx(((0.95 - outside["F"]) / 0.95).tolist())
    for name, (low, high) in BOUNDS.items():
        assert table[name].between(low, high).all()
    first = table[table["generation"] == 0]
    slots = ((first["swap"] - 1) / 29 * 10).astype(int)
    assert sorted(slots) == list(range(10))  # a Latin hypercube


def chain_of(parameters: dict[str, float]) -> Chain:
    link = Link(parameters["success"], 1e6)
    return uniform_chain(5, link, depolar_hz=parameters["depolar_hz"])


def test_a_chain_fast_enough_and_good_enough() -> None:
    found = optimise(
        closed_form.samples,
        chain_of,
        {"success": (0.01, 0.5), "depolar_hz": (0.1, 50.0)},
        {"fidelity": (0.8, 1.0), "duration_ns": (0.0, 20e6)},
        Sampling(runs=1000, seed=1),
        cost=lambda at: at["success"] / 0.1 + 10 / at["depolar_hz"],
        search=Search(generations=40, members=20),
    )
    assert found.measured["duration_ns"].mean <= 20e6
    assert found.measured["fidelity"].mean >= 0.8
    slowest = mean_of_maximum(4, found.parameters["success"])
    assert abs(found.measured["duration_ns"].mean / 1e6 - slowest) < (
        4 * found.measured["duration_ns"].standard_error / 1e6
    )
    costs = found.candidates.query("excess == 0").groupby("generation")["cost"].min()
    assert costs.min() == found.cost < costs.iloc[0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Search(generations=0), "generations is 0; give a whole number of at least 1"),
        (lambda: Search(members=4), "members is 4; give a whole number of at least 5"),
        (lambda: Search(tolerance=0), "tolerance is 0; give a number above 0"),
        (lambda: optimise(product, better, {"swap": (2, 1)}, {}, ONE),
         "swap has the interval 2 to 1; give the lesser end first"),
        (lambda: optimise(product, better, {"swap": (1, math.inf)}, {}, ONE),
         "bounds are .*; give finite ones"),
        (lambda: optimise(product, better, {}, {}, ONE), "bounds are {}; give at least one"),
        (lambda: optimise(product, better, BOUNDS, {"G": (0, 1)}, ONE),
         "the experiment measures F and not 'G'; limit what it measures"),
        (lambda: optimise(product, better, BOUNDS, {"F": (1.1, 2)}, ONE, search=Search(1, 5)),
         r"none of 10 candidates is within .* F 0\.\d+ \(wanted 1\.1 to 2\): widen the bounds"),
        (lambda: optimise(product, better, {"swop": (1, 2)}, {}, ONE),
         "'swop' is no field of the hardware"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(QnetError, match=words):
        call()
