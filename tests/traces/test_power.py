import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restudy.traces import power
from restudy.traces.jobs import TraceError

jobs = st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 9)), min_size=1, max_size=12)


@given(jobs, st.integers(1, 14))
def test_loads_equal_a_loop_over_jobs_and_slots(table, slots):
    first, length = (np.array(column) for column in zip(*table, strict=True))
    usage = np.random.default_rng(0).random(length.sum())
    job = np.repeat(np.arange(len(table)), length)
    busy, running, at = np.zeros(slots), np.zeros(slots), 0
    for begin, count in table:
        for step in range(count):
            if 0 <= begin + step < slots:
                busy[begin + step] += usage[at]
                running[begin + step] += 1
            at += 1
    np.testing.assert_array_equal(power.running_jobs(first, length, slots), running)
    if len(job):
        np.testing.assert_allclose(power.busy_nodes(first, job, usage, slots), busy)


def test_samples_of_jobs_may_be_interleaved():
    first, job = np.array([0, 1]), np.array([1, 0, 1, 0])
    usage = np.array([10.0, 1.0, 20.0, 2.0])
    np.testing.assert_array_equal(power.busy_nodes(first, job, usage, 4), [1, 12, 20, 0])


def simulated(rng, n=4000, memory=0.97):
    """Power with residuals that remember (AR(1)); true coefficients 9500, 40, 110."""
    load = 60 + 20 * np.sin(np.arange(n) / 300) + rng.normal(0, 3, n)
    running = np.round(load * 1.4 + 10 * np.cos(np.arange(n) / 170))
    noise = np.empty(n)
    noise[0] = rng.normal(0, 400)
    for t in range(1, n):
        noise[t] = memory * noise[t - 1] + rng.normal(0, 400 * np.sqrt(1 - memory**2))
    return 9500 + 40 * running + 110 * load + noise, {"A": running, "U": load}


def test_a_fit_without_noise_is_exact():
    _, loads = simulated(np.random.default_rng(0))
    exact = 9500 + 40 * loads["A"] + 110 * loads["U"]
    found = power.fit(exact, loads, block=100, replicates=100, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.coefficients, [9500, 40, 110], rtol=1e-9)
    np.testing.assert_allclose(found.interval, found.coefficients[:, None].repeat(2, 1), rtol=1e-6)
    assert found.r2 == pytest.approx(1)
    assert found.names == ("constant", "A", "U")
    held = power.hold_out(exact, loads, 3000)
    assert (held.fitted, held.held_out) == (3000, 1000)
    assert held.r2 == pytest.approx(1)
    assert held.mape == pytest.approx(0, abs=1e-9)
    assert held.energy_error == pytest.approx(0, abs=1e-9)


def test_blocks_cover_where_the_textbook_does_not():
    rng = np.random.default_rng(2)
    blocks = naive = 0
    for _ in range(60):
        measured, loads = simulated(rng)
        load = {"U": loads["U"]}
        measured = measured - 40 * loads["A"]
        found = power.fit(measured, load, block=200, replicates=300, rng=rng)
        low, high = found.interval[1]
        blocks += low <= 110 <= high
        low, high = found.naive_interval[1]
        naive += low <= 110 <= high
    assert blocks / 60 >= 0.8
    assert naive / 60 < 0.6


def test_naive_intervals_cover_white_noise():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        measured, loads = simulated(rng, n=600, memory=0.0)
        low, high = power.fit(measured, loads, block=60, replicates=100, rng=rng).naive_interval[2]
        hits += low <= 110 <= high
    assert 88 <= hits <= 100


def test_loads_that_cannot_be_told_apart_are_refused():
    rng = np.random.default_rng(0)
    measured, loads = simulated(rng, n=400)
    with pytest.raises(TraceError, match="cannot be told apart"):
        power.fit(
            measured,
            {"A": loads["A"], "U": 2 * loads["A"]},
            block=20,
            replicates=100,
            rng=rng,
        )
    with pytest.raises(TraceError, match="needs at least 600"):
        power.fit(measured, loads, block=300, replicates=100, rng=rng)
    with pytest.raises(TraceError, match="at least 3 of both"):
        power.hold_out(measured, loads, 399)


def test_autocorrelation_of_an_autoregressive_series():
    measured, loads = simulated(np.random.default_rng(4), n=60_000, memory=0.9)
    noise = measured - 9500 - 40 * loads["A"] - 110 * loads["U"]
    assert power.autocorrelation(noise, 5) == pytest.approx(0.9**5, abs=0.05)


def test_a_series_needs_a_measurement():
    none = np.array([], "int64")
    with pytest.raises(TraceError, match="no measurement"):
        power.series(none, 30.0, first_slot=none, length=none, job=none, usage=none)
