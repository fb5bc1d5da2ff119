import numpy as np
import pytest

from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.sampling import Means, Points, sampling_loss, variance_above

DAY = 2880  # slots of 30 s


def loss(value, interval, sampler, *, limit=1e9, seconds=30.0):
    rng = np.random.default_rng(0)
    return sampling_loss(value, seconds, interval, sampler, limit=limit, replicates=200, rng=rng)


@pytest.mark.parametrize("waves", [18, 70, 100])
def test_means_of_a_sinusoid_lose_one_minus_sinc_squared(waves):
    t, period = np.arange(2 * 86_400), 86_400 / waves
    wave = 50 + np.sin(2 * np.pi * t / period)
    for interval in (60, 300):
        found = loss(wave, interval, Means(), seconds=1.0).variance_lost
        truth = 1 - np.sinc(interval / period) ** 2
        assert found.value == pytest.approx(truth, rel=1e-3)
    points = loss(wave, 60, Points(), seconds=1.0)
    assert points.variance_lost.value == pytest.approx(0, abs=1e-9)


def test_points_miss_a_pulse_by_the_share_of_the_interval_that_it_lacks():
    value = np.ones(3 * DAY)
    length, every = 3, 97  # slots; the pulses begin at all places of an interval of 10 slots
    for begin in range(5, len(value) - length, every):
        value[begin : begin + length] = 5.0
    found = loss(value, 300.0, Points(), limit=2.0)
    assert found.excursions_missed.value == pytest.approx(1 - length / 10, abs=1e-9)
    assert found.duration_error.value == pytest.approx(0, abs=1e-9)
    assert found.peak_lost.value == 0
    means = loss(value, 300.0, Means(), limit=2.5)
    assert means.excursions_missed.value == 1  # a pulse lifts a mean to 1 + 4 * 3 / 10 = 2.2
    assert means.duration_error.value == -1
    assert means.peak_lost.value == pytest.approx(1 - 2.2 / 5)
    assert means.energy_error.value == pytest.approx(0, abs=1e-12)


def test_nothing_is_lost_at_the_interval_of_the_series_itself():
    value = np.random.default_rng(1).gamma(3, 10, 2 * DAY - 7)
    value[100:130] = np.nan
    for sampler in (Points(), Means()):
        found = loss(value, 30.0, sampler, limit=50.0)
        for name in ("energy_error", "peak_lost", "excursions_missed", "duration_error"):
            assert getattr(found, name).value == pytest.approx(0, abs=1e-12)
        assert found.variance_lost.value == pytest.approx(0, abs=1e-12)


def test_intervals_come_from_days():
    rng = np.random.default_rng(2)
    size = np.repeat([1, 2, 9, 1, 3, 1, 5], DAY)  # days differ in how much they vary
    found = loss(100 + size * rng.normal(0, 1, len(size)), 300.0, Means()).variance_lost
    share = 1 - 1 / 10
    assert found.low < found.value < found.high
    assert found.low - 0.02 < share < found.high + 0.02
    same = loss(np.tile(rng.gamma(3, 9, DAY), 7), 300.0, Means()).variance_lost
    assert same.high - same.low < 1e-9


def test_without_excursions_there_is_none_to_miss():
    found = loss(np.random.default_rng(3).random(2 * DAY) + 1, 300.0, Points(), limit=99.0)
    assert np.isnan(found.excursions_missed.value)
    assert np.isnan(found.duration_error.value)


def test_white_noise_has_its_variance_evenly_over_all_frequencies():
    noise = np.random.default_rng(4).normal(size=100_000)
    assert variance_above(noise, 30.0, 300.0) == pytest.approx(0.9, abs=0.01)


def test_intervals_that_do_not_fit_are_refused():
    value = np.ones(2 * DAY)
    for interval in (45.0, 210.0, 0.0):
        with pytest.raises(TelemetryError, match="divides a day"):
            loss(value, interval, Means())
    with pytest.raises(TelemetryError, match="more than one day"):
        loss(value[:DAY], 60.0, Means())
    with pytest.raises(TelemetryError, match="1 unknown"):
        variance_above(np.array([1.0, np.nan]), 30.0, 60.0)
