"""What the measured power of 277 nodes in a week says (Lisa, 7 to 13 October 2022)."""

import numpy as np
import pytest
from scipy import stats

from restudy.telemetry import anomalies
from restudy.telemetry.forecast import PERSISTENCE, DampedClimatology, SeasonalNaive, contest
from restudy.telemetry.sampling import Means, Points, sampling_loss, variance_above
from restudy.traces import datasets
from restudy.traces import power as loads

pytestmark = pytest.mark.data
DAY = 2880


@pytest.fixture(scope="module")
def week():
    watts, load = datasets.lisa_week_power(), datasets.lisa_week_load()
    return loads.series(
        watts.power,
        watts.seconds,
        first_slot=load.first_slot,
        length=load.length,
        job=load.job,
        usage=load.usage,
    )


def test_power_follows_the_busy_nodes_more_closely_than_the_running_jobs(week):
    coefficients = (stats.pearsonr, stats.spearmanr, stats.kendalltau)
    busy = [find(week.power, week.busy).statistic for find in coefficients]
    running = [find(week.power, week.running).statistic for find in coefficients]
    np.testing.assert_allclose(busy, [0.960, 0.950, 0.810], atol=1e-3)
    np.testing.assert_allclose(running, [0.902, 0.903, 0.746], atol=1e-3)


def test_minutes_keep_the_energy_and_lose_excursions(week):
    limit = float(np.quantile(week.power, 0.99))
    found = {}
    for sampler in (Points(), Means()):
        for interval in (60, 300, 900):
            found[sampler, interval] = sampling_loss(
                week.power,
                30.0,
                interval,
                sampler,
                limit=limit,
                replicates=200,
                rng=np.random.default_rng(0),
            )
    for loss in found.values():
        assert loss.energy_error.value < 0.002
        assert loss.variance_lost.value < 0.02
        assert loss.peak_lost.value < 0.015
    missed = [found[Points(), i].excursions_missed.value for i in (60, 300, 900)]
    np.testing.assert_allclose(missed, [0.059, 0.282, 0.461], atol=1e-3)
    smoothed = [found[Means(), i].excursions_missed.value for i in (60, 300, 900)]
    np.testing.assert_allclose(smoothed, [0.118, 0.412, 0.706], atol=1e-3)
    assert variance_above(week.power, 30.0, 900.0) == pytest.approx(0.0092, abs=1e-4)


def test_the_power_remembers_so_scores_beyond_three_are_more_than_those_of_noise(week):
    means = anomalies.window_means(week.power, 10)
    z, robust = anomalies.z_scores(means), anomalies.robust_scores(means)
    assert anomalies.top_share(z).sum() == anomalies.top_share(robust).sum() == 61
    share = anomalies.beyond(z, 3.0)[10:].mean()
    assert share == pytest.approx(0.076, abs=1e-3)
    assert share > 3 * anomalies.false_positive_rate(3.0)


@pytest.mark.parametrize("name", ["power", "busy"])
def test_the_last_value_beats_yesterday_and_the_climatology_for_40_minutes(week, name):
    found = contest(
        PERSISTENCE,
        [SeasonalNaive("yesterday", DAY), DampedClimatology(DAY, 24), DampedClimatology(DAY, 1)],
        getattr(week, name),
        fitted=5 * DAY,
        horizon=80,
        every=20,
        block=36,
        replicates=500,
        rng=np.random.default_rng(0),
    )
    assert found.difference < 0
    assert found.origins == 284
    yesterday, persistence = found.scores[0], found.scores[-1]
    assert yesterday.mae.mean() > 5 * persistence.mae.mean()
