from dataclasses import dataclass
from itertools import pairwise

import dask
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from restudy.telemetry import gram, levels
from restudy.telemetry.correlation import ByDay, Whole, pearson, strong
from restudy.telemetry.kendall import kendall, tau_b
from restudy.telemetry.levels import Levels
from restudy.telemetry.metrics import Metric, TelemetryError
from restudy.telemetry.samples import Telemetry
from restudy.telemetry.spearman import spearman

NODES = ("r1n1", "r1n2", "r2n1")
METRICS = tuple(Metric(name, "1", 0.5, -1e9, 1e9) for name in "abcd")


@dataclass(frozen=True)
class Table:
    frame: pd.DataFrame

    def read(self, columns):
        return self.frame[["time", "node", *columns]]


def telemetry(frame, cuts=()):
    """Telemetry of a table of samples, cut before the given rows."""
    frame = frame.sort_values(["node", "time"], ignore_index=True)
    frame["node"] = pd.Categorical(frame["node"])
    ends = [0, *sorted(cuts), len(frame)]
    parts = tuple(Table(frame.iloc[a:b].reset_index(drop=True)) for a, b in pairwise(ends))
    names = tuple(name for name in frame.columns if name not in ("time", "node"))
    return Telemetry("t", "T", parts, names, NODES, 30, "UTC", False, None)


def samples(rng, rows=300, unknown=0.15, days=3):
    """Four metrics with ties and gaps; c follows a, and d is known on one node only."""
    step = np.arange(rows) * (days * 86_400 // rows)
    frame = pd.DataFrame(
        {
            "time": np.tile(step.astype("datetime64[s]"), len(NODES)),
            "node": np.repeat(NODES, rows),
        }
    )
    a = rng.integers(-9, 12, len(frame)) * 0.5
    frame["a"] = a
    frame["b"] = rng.normal(0, 2000, len(frame)).round() * 0.5
    frame["c"] = a + rng.integers(0, 4, len(frame)) * 0.5
    frame["d"] = np.where(frame["node"] == "r2n1", 7.5 * a**3 - 3 * frame["b"], np.nan).round(0)
    for name in ("a", "b", "d"):
        frame.loc[rng.random(len(frame)) < unknown, name] = np.nan
    return frame


def obvious(frame, coefficient):
    """One pair of columns after the other, on the samples that have both."""
    found = np.full((4, 4), np.nan)
    for i, x in enumerate("abcd"):
        for j, y in enumerate("abcd"):
            both = frame[[x, y]].dropna() if x != y else frame[[x]].dropna()
            found[i, j] = coefficient(both[x], both[y]).statistic
    return found


@pytest.mark.parametrize("unknown", [0.0, 0.15])
def test_all_three_equal_scipy_with_ties_and_gaps(unknown):
    frame = samples(np.random.default_rng(0), unknown=unknown)
    table, many = telemetry(frame, (100, 350, 351)), Levels(5000)
    truth = {name: obvious(frame, getattr(stats, name)) for name in dir(stats) if name in COEFFS}
    r = pearson(table, METRICS, Whole(), NODES)
    rho = spearman(table, METRICS, Whole(), NODES, many)
    tau = kendall(table, METRICS, Whole(), NODES, many)
    np.testing.assert_allclose(r.coefficient[0], truth["pearsonr"], atol=1e-12)
    np.testing.assert_allclose(rho.coefficient[0], truth["spearmanr"], atol=1e-12)
    np.testing.assert_allclose(tau.tau.coefficient[0], truth["kendalltau"], atol=1e-12)
    np.testing.assert_array_equal(tau.newly_tied, 0)
    common = (frame["a"].notna() & frame["d"].notna()).sum()
    assert r.n[0, 0, 3] == rho.n[0, 0, 3] == tau.tau.n[0, 0, 3] == common


COEFFS = ("pearsonr", "spearmanr", "kendalltau")


@settings(max_examples=6, deadline=None)
@given(st.sets(st.integers(1, 179), max_size=6), st.sampled_from([1, 3]))
def test_no_bit_depends_on_the_cutting_or_the_workers(cuts, workers):
    frame = samples(np.random.default_rng(1), rows=60)
    few = Levels(16)  # both the counts and the tables have to be cut to fewer levels

    def answer(table):
        return (
            pearson(table, METRICS, ByDay(), NODES).coefficient,
            spearman(table, METRICS, ByDay(), NODES, few).coefficient,
            kendall(table, METRICS, ByDay(), NODES, few).tau.coefficient,
        )

    with dask.config.set(scheduler="threads", num_workers=workers):
        found = answer(telemetry(frame, cuts))
    for one, other in zip(found, answer(telemetry(frame)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_periods_are_the_days_by_themselves():
    frame = samples(np.random.default_rng(2))
    table = telemetry(frame, (250, 500))
    for one in (
        pearson(table, METRICS, ByDay(), NODES),
        spearman(table, METRICS, ByDay(), NODES, Levels()),
    ):
        assert one.periods.tolist() == [0, 1, 2]
    second = frame[frame["time"].dt.day == 2]
    r = pearson(table, METRICS, ByDay(frozenset({1, 99})), NODES)
    assert r.periods.tolist() == [1]
    np.testing.assert_allclose(r.coefficient[0], obvious(second, stats.pearsonr), atol=1e-12)
    rho = spearman(table, METRICS, ByDay(), NODES, Levels())
    np.testing.assert_allclose(rho.coefficient[1], obvious(second, stats.spearmanr), atol=1e-12)


def test_only_the_chosen_nodes_count():
    frame = samples(np.random.default_rng(3))
    one = frame[frame["node"] == "r2n1"]
    r = pearson(telemetry(frame), METRICS, Whole(), ("r2n1",))
    np.testing.assert_allclose(r.coefficient[0], obvious(one, stats.pearsonr), atol=1e-12)


def test_a_planted_correlation_is_found_on_the_days_on_which_it_is():
    rng = np.random.default_rng(4)
    frame = samples(rng, rows=900, unknown=0.0)
    day = frame["time"].dt.day
    frame["a"] = np.exp(frame["b"] / 1000).round(3) * 500  # monotone, but no line
    frame["c"] = np.where(day == 2, rng.permutation(frame["b"]), frame["b"])
    rho = spearman(telemetry(frame, (500,)), METRICS[:3], ByDay(), NODES, Levels())
    found = strong(rho, 0.9)
    assert found.pairs.tolist() == [3, 1, 3]
    assert found.always == (("a", "b"),)
    assert pearson(telemetry(frame), METRICS[:3], Whole(), NODES).of("a", "b")[0] < 0.9
    assert np.abs(rho.of("b", "c") - [1, 0, 1]).max() < 0.1


def test_what_does_not_vary_has_no_coefficient():
    frame = samples(np.random.default_rng(5), rows=40)
    frame["a"], frame["b"] = 1e9, np.nan
    table, many = telemetry(frame), Levels(256)
    for r in (
        pearson(table, METRICS, Whole(), NODES),
        spearman(table, METRICS, Whole(), NODES, many),
        kendall(table, METRICS, Whole(), NODES, many).tau,
    ):
        assert np.isnan(r.coefficient[0, :2]).all()
        assert r.coefficient[0, 2, 2] == 1
        assert r.n[0, 1].tolist() == [0, 0, 0, 0]


def test_levels_change_tau_by_the_pairs_that_they_tie():
    """The newly tied pairs, a share t of each metric, leave the denominator of tau-b.

    Within a narrow level the samples are as good as independent, so that these pairs add nothing to
    C - D but noise: tau-b grows by tau t / (1 - t), here 1.9e-3 at 256 levels, with the standard
    deviation of Kendall's S of k independent samples, k (k - 1) (2 k + 5) / 18, in each level of
    each metric. In wide levels they are concordant more often, which makes tau-b grow less.
    """
    rng = np.random.default_rng(6)
    frame = samples(rng, rows=700, unknown=0.0)
    frame["c"] = (frame["b"] + rng.normal(0, 800, len(frame))).round(2)
    pair, pairs = METRICS[1:3], len(frame) * (len(frame) - 1) / 2
    fine = Levels(4000)
    exact = kendall(telemetry(frame), pair, Whole(), NODES, fine).tau.of("b", "c")[0]
    for most in (16, 64, 256):
        found = kendall(telemetry(frame), pair, Whole(), NODES, Levels(most))
        growth = found.tau.of("b", "c")[0] - exact
        tied = found.newly_tied.mean()
        k = len(frame) / most
        assert tied == pytest.approx((k - 1) / (len(frame) - 1), rel=0.05)
        noise = np.sqrt(2 * most * k * (k - 1) * (2 * k + 5) / 18) / pairs
        assert growth <= exact * tied / (1 - tied) + 3 * noise
    assert growth == pytest.approx(exact * tied / (1 - tied), abs=3 * noise)
    assert 3 * noise < 3e-4


def test_ranks_of_a_metric_with_many_values_are_close_in_bounded_memory():
    rng = np.random.default_rng(7)
    frame = samples(rng, rows=1500, unknown=0.0)
    size = np.exp(rng.normal(15, 3, len(frame)))
    frame["a"], frame["b"] = size, size * np.exp(rng.normal(0, 2, len(frame)))
    truth = stats.spearmanr(frame["a"], frame["b"]).statistic
    counts = levels.count(gram.steps(frame["a"].to_numpy(), METRICS[0])[0], Levels(512))
    assert 256 < len(counts.value) <= 512
    found = spearman(telemetry(frame), METRICS[:2], Whole(), NODES, Levels(512))
    assert found.of("a", "b")[0] == pytest.approx(truth, abs=2e-4)


whole = st.integers(-(2**53), 2**53)


@given(st.lists(st.tuples(whole, whole, st.booleans()), min_size=1, max_size=30))
def test_gram_equals_sums_of_python_numbers(rows):
    x, y, known = (list(column) for column in zip(*rows, strict=True))
    X = np.array([[a, b * k] for a, b, k in rows])
    K = np.array([[True, k] for k in known])
    found = gram.gram(X, K)
    assert found.n.tolist() == [[len(x), sum(known)], [sum(known)] * 2]
    a_known = sum(a for a, k in zip(x, known, strict=True) if k)
    b_known = sum(b for b, k in zip(y, known, strict=True) if k)
    assert found.total.tolist() == [[sum(x), a_known], [b_known, b_known]]
    assert found.square[0, 0] == sum(a * a for a in x)
    assert found.square[0, 1] == sum(a * a for a, k in zip(x, known, strict=True) if k)
    assert found.product[1, 0] == sum(a * b for a, b, k in rows if k)


def test_chunks_of_the_largest_numbers_are_exact(monkeypatch):
    rng = np.random.default_rng(8)
    X = rng.integers(2**53 - 2**20, 2**53, (5000, 2)) * np.array([1, -1])
    truth = [[sum(int(a) * int(b) for a, b in zip(p, q, strict=True)) for q in X.T] for p in X.T]
    assert gram.cross(X, X).tolist() == truth
    monkeypatch.setattr(gram, "_CHUNK", 333)
    assert gram.cross(X, X[:, ::-1])[:, ::-1].tolist() == truth


@given(st.lists(whole, min_size=1, max_size=40), st.integers(1, 53), st.data())
def test_cutting_bits_keeps_order_and_forgets_how_it_was_done(numbers, bits, data):
    step = np.sort(np.array(numbers))
    once = levels.cut(step, bits)
    assert (np.diff(once) >= 0).all()
    fewer = data.draw(st.integers(1, bits))
    np.testing.assert_array_equal(levels.cut(once, fewer), levels.cut(step, fewer))
    assert all(
        abs(int(a) - int(b)) < abs(int(a)) * 2.0 ** (1 - bits) or a == b == 0 or a == b
        for a, b in zip(step, once, strict=True)
    )


@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=4))
def test_tau_b_equals_a_loop_over_pairs(rows):
    table = np.array(rows)
    points = [(i, j) for i, j in np.ndindex(table.shape) for _ in range(table[i, j])]
    up = x = y = 0
    for at, (a, b) in enumerate(points):
        for c, d in points[:at]:
            up += np.sign((a - c) * (b - d))
            x += a != c
            y += b != d
    found = tau_b(table)
    if x and y:
        assert found == pytest.approx(up / np.sqrt(float(x) * y), abs=1e-12)
    else:
        assert np.isnan(found)


def test_errors_name_what_is_wrong(monkeypatch):
    frame = samples(np.random.default_rng(9), rows=10)
    table = telemetry(frame)
    for find in (
        lambda: pearson(table, METRICS, ByDay(frozenset({77})), NODES),
        lambda: spearman(table, METRICS, Whole(), ("r9n9",), Levels()),
        lambda: kendall(table, METRICS, Whole(), ("r9n9",), Levels()),
    ):
        with pytest.raises(TelemetryError, match="no sample of the chosen nodes and periods"):
            find()
    monkeypatch.setattr("restudy.telemetry.kendall.LARGEST_TABLES", 2**10)
    with pytest.raises(TelemetryError, match="may take 1 GiB"):
        kendall(table, METRICS, Whole(), NODES, Levels(2**14))
    frame["a"] = 1e300
    with pytest.raises(TelemetryError, match="coarser resolution"):
        pearson(telemetry(frame), METRICS, Whole(), NODES)
