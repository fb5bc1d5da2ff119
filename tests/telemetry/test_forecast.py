import dataclasses

import numpy as np
import pytest

from restudy.telemetry.forecast import PERSISTENCE, DampedClimatology, SeasonalNaive, contest
from restudy.telemetry.metrics import TelemetryError

DAY = 288


def judge(candidate, baselines, series, *, fitted, horizon=12, every=5, block=20):
    rng = np.random.default_rng(0)
    return contest(
        candidate,
        baselines,
        series,
        fitted=fitted,
        horizon=horizon,
        every=every,
        block=block,
        replicates=300,
        rng=rng,
    )


def ar1(rng, n, phi, mean=50.0):
    x = np.empty(n)
    x[0] = rng.normal(0, 1 / np.sqrt(1 - phi**2))
    for t in range(1, n):
        x[t] = phi * x[t - 1] + rng.normal()
    return mean + x


def test_errors_on_an_autoregressive_process_are_the_closed_form():
    phi, h = 0.9, np.arange(1, 13)
    series = ar1(np.random.default_rng(1), 60_000, phi)
    damped = DampedClimatology(DAY, 1)
    found = judge(damped, [PERSISTENCE], series, fitted=20_000, every=1, block=200)
    naive, best = found.scores
    variance = 1 / (1 - phi**2)
    truth = np.sqrt(variance * (1 - phi ** (2 * h)))
    np.testing.assert_allclose(best.rmse, truth, rtol=0.04)
    np.testing.assert_allclose(best.mae, truth * np.sqrt(2 / np.pi), rtol=0.04)
    np.testing.assert_allclose(naive.rmse, np.sqrt(2 * variance * (1 - phi**h)), rtol=0.04)
    one = np.abs(np.diff(series[:20_000])).mean()
    np.testing.assert_allclose(naive.mase, naive.mae / one, rtol=1e-12)
    assert naive.mase[0] == pytest.approx(1, rel=0.03)
    assert found.best == "persistence"
    assert found.interval[0] < found.difference < found.interval[1] < 0


def test_a_season_is_predicted_exactly_and_longer_horizons_repeat_it():
    rng = np.random.default_rng(2)
    series = np.tile(rng.normal(size=DAY), 12)
    yesterday = SeasonalNaive("yesterday", DAY)
    found = judge(yesterday, [PERSISTENCE], series, fitted=6 * DAY, horizon=2 * DAY, every=20)
    assert found.scores[1].mae.max() == 0
    assert found.scores[0].mae[DAY - 1] == 0  # persistence, a day ahead
    assert found.difference < 0


def test_hours_of_the_day_are_learnt():
    rng = np.random.default_rng(3)
    hour = np.arange(30 * DAY) % DAY // 12
    series = 10 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(size=30 * DAY)
    hours = DampedClimatology(DAY, 24)
    found = judge(hours, [PERSISTENCE], series, fitted=20 * DAY)
    np.testing.assert_allclose(found.scores[1].rmse, 1, rtol=0.06)


def test_equal_forecasters_differ_by_nothing():
    series = ar1(np.random.default_rng(4), 3000, 0.8)
    other = SeasonalNaive("the same", 1)
    found = judge(PERSISTENCE, [SeasonalNaive("yesterday", DAY), other], series, fitted=1000)
    assert found.best == "the same"
    assert found.difference == 0
    assert found.interval == (0, 0)


def forecasters():
    quick = {"inputs": 24, "hidden": 8, "epochs": 1, "batches": 2, "batch": 8}
    lstm = pytest.importorskip("restudy.telemetry.lstm")
    pytest.importorskip("torch")
    yesterday = SeasonalNaive("yesterday", DAY)
    return (PERSISTENCE, yesterday, DampedClimatology(DAY, 24), lstm.Lstm(**quick))


def test_no_forecast_reads_the_future():
    rng = np.random.default_rng(5)
    series, fitted = ar1(rng, 2000, 0.9), 1200
    origins = np.array([1200, 1500, 1900])
    for one in forecasters():
        fit = one.fit(series[:fitted], 12)
        all_at_once = fit.predict(series, origins)
        for at, origin in enumerate(origins):
            other = series.copy()
            other[origin:] = 1e6 * rng.normal(size=len(series) - origin)
            again = one.fit(other[:fitted], 12).predict(other, origins)
            np.testing.assert_allclose(again[at], all_at_once[at], rtol=1e-5)


def test_the_network_is_the_same_for_the_same_seed():
    torch = pytest.importorskip("torch")
    series = ar1(np.random.default_rng(6), 800, 0.9)
    one = forecasters()[-1]
    state = torch.random.get_rng_state()
    first, second, other = (
        each.fit(series, 12).predict(series, np.array([400]))
        for each in (one, one, dataclasses.replace(one, seed=1))
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).all()
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_network_learns_a_noiseless_sinusoid(device):
    pytest.importorskip("torch")
    from restudy.telemetry.lstm import Lstm

    series = 100 + 20 * np.sin(2 * np.pi * np.arange(3000) / 60)
    lstm = Lstm(inputs=30, hidden=24, epochs=8, batches=25, batch=32, step=1e-2, device=device)
    found = judge(lstm, [PERSISTENCE], series, fitted=2000, horizon=15)
    persistence, network = (score.mae.mean() for score in found.scores)
    assert network < 0.2 * persistence
    assert found.interval[1] < 0


def test_series_that_cannot_be_judged_are_refused():
    series = ar1(np.random.default_rng(7), 1000, 0.5)
    with pytest.raises(TelemetryError, match="at least 300 fitted slots and 40 origins"):
        judge(SeasonalNaive("yesterday", DAY), [PERSISTENCE], series, fitted=290)
    with pytest.raises(TelemetryError, match="40 origins"):
        judge(PERSISTENCE, [PERSISTENCE], series, fitted=900)
    series[3] = np.nan
    with pytest.raises(TelemetryError, match="1 unknown"):
        judge(PERSISTENCE, [PERSISTENCE], series, fitted=500)
