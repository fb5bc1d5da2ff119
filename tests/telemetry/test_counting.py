import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy.telemetry.counting import Counts, count
from restudy.telemetry.metrics import TelemetryError

GROUPS = ("a", "b", "c")


def sample(seed=0, rows=2000, high=400):
    rng = np.random.default_rng(seed)
    value = rng.integers(-50, high, rows) * 0.1
    value[rng.random(rows) < 0.1] = np.nan
    return value, rng.integers(-1, 3, rows)


def same(a, b):
    assert (a.resolution, a.groups) == (b.resolution, b.groups)
    for name in ("group", "step", "n", "unknown"):
        assert getattr(a, name).dtype == np.int64
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("high", [400, 4_000_000])  # counted densely and by sorting
@pytest.mark.parametrize("group", [0, 1, 2])
def test_statistics_are_those_of_numpy(high, group):
    value, place = sample(high=high)
    found = count(value, place, GROUPS, 0.1)
    mine = value[(place == group) & np.isfinite(value)]
    name = GROUPS[group]
    q = np.linspace(0, 1, 23)
    np.testing.assert_allclose(found.quantile(name, q), np.quantile(mine, q), rtol=1e-12, atol=1e-9)
    assert found.mean(name) == pytest.approx(mine.mean(), rel=1e-12)
    assert found.std(name) == pytest.approx(mine.std(ddof=1), rel=1e-12)
    assert found.max(name) == pytest.approx(mine.max())
    assert found.known(name) == len(mine)
    assert found.unknown[group] == ((place == group) & np.isnan(value)).sum()
    assert found.share_above(name, 10.0) == np.mean(np.rint(mine * 10) > 100)
    edges = np.arange(-5.0, 45.1, 2.5)
    expected = np.histogram(np.rint(mine * 10), np.rint(edges * 10))[0]
    np.testing.assert_array_equal(found.histogram(name, edges), expected)


@given(st.lists(st.integers(0, 500), max_size=6), st.randoms())
def test_any_cut_and_order_give_the_same_bits(cuts, random):
    value, place = sample(rows=500)
    parts = list(zip(np.split(value, sorted(cuts)), np.split(place, sorted(cuts)), strict=True))
    random.shuffle(parts)
    total = count(*parts[0], GROUPS, 0.1)
    for part in parts[1:]:
        total = count(*part, GROUPS, 0.1) + total
    same(total, count(value, place, GROUPS, 0.1))


@pytest.mark.parametrize("high", [400, 4_000_000])
def test_weights_count_a_row_several_times(high):
    value, place = sample(high=high)
    times = np.random.default_rng(1).integers(0, 5, len(value))
    weighted = count(value, place, GROUPS, 0.1, weight=times)
    repeated = count(np.repeat(value, times), np.repeat(place, times), GROUPS, 0.1)
    same(weighted, repeated)


def test_std_is_exact_where_floats_cancel():
    value = np.array([1e9, 1e9 + 1, 1e9 + 2])
    found = count(value, np.zeros(3, "int64"), ("a",), 1.0)
    assert found.std("a") == 1.0
    assert found.mean("a") == 1e9 + 1


def test_float32_tenths_fall_on_their_step():
    tenths = np.arange(0, 50_000)
    found = count((tenths * 0.1).astype("float32"), np.zeros(50_000, "int64"), ("a",), 0.1)
    np.testing.assert_array_equal(found.step, tenths)
    assert float(found.quantile("a", 0.5)) == 2499.95


def test_clip_and_coarser_steps_are_those_of_pandas():
    import pandas as pd

    value, place = sample(seed=3)
    found = count(value, place, GROUPS, 0.1)
    mine = pd.Series(value[place == 1]).dropna()
    clipped = mine.clip(upper=mine.quantile(0.9))
    assert found.clipped(0.9).max("b") == pytest.approx(clipped.max(), abs=0.051)
    assert found.clipped(0.9).mean("b") == pytest.approx(clipped.mean(), abs=0.006)
    whole = (mine * 10).round().div(10).round(0)
    expected = whole.astype("int64").value_counts().sort_index()
    coarse = found.coarser(1.0).ecdf("b")
    np.testing.assert_array_equal(coarse.values, expected.index)
    np.testing.assert_array_equal(coarse.counts, expected)


def test_pooled_is_one_group():
    value, place = sample()
    same(
        count(value, place, GROUPS, 0.1).pooled("all"),
        count(value[place >= 0], np.zeros((place >= 0).sum(), "int64"), ("all",), 0.1),
    )


def test_an_empty_group_and_a_broken_value_are_named():
    nothing = count(np.array([np.nan]), np.array([0]), GROUPS, 0.1)
    assert nothing.unknown.tolist() == [1, 0, 0]
    with pytest.raises(TelemetryError, match="'a'"):
        nothing.mean("a")
    with pytest.raises(TelemetryError, match="1e\\+30"):
        count(np.array([1e30]), np.array([0]), GROUPS, 0.1)
    other = Counts(1.0, GROUPS, nothing.group, nothing.step, nothing.n, nothing.unknown)
    with pytest.raises(ValueError, match="added"):
        nothing + other
