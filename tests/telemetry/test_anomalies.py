import numpy as np
import pandas as pd
import pytest
from scipy import stats

from restudy.telemetry import anomalies
from restudy.telemetry.metrics import TelemetryError


def test_scores_equal_the_published_code():
    rng = np.random.default_rng(0)
    value = rng.normal(size=500)
    rolling = pd.Series(value).rolling(window=10)
    truth = (value - rolling.mean().shift(1)) / rolling.std(ddof=0).shift(1)
    np.testing.assert_allclose(anomalies.z_scores(value), truth, rtol=1e-6)
    known = truth.dropna().abs()
    flags = anomalies.top_share(anomalies.z_scores(value))
    np.testing.assert_array_equal(flags[10:], known.rank(pct=True) > 0.97)


def test_the_top_share_is_flagged_in_pure_noise_too():
    noise = np.random.default_rng(1).normal(size=100_010)
    for scores in (anomalies.z_scores, anomalies.robust_scores):
        flags = anomalies.top_share(scores(noise))
        assert flags.sum() == 3000  # all of them false


def test_a_limit_has_the_false_positives_of_students_t():
    noise = np.random.default_rng(2).normal(7, 3, size=200_000)
    for windows, limit in ((10, 3.0), (10, 5.0), (30, 3.0)):
        flags = anomalies.beyond(anomalies.z_scores(noise, windows), limit)
        rate = anomalies.false_positive_rate(limit, windows)
        assert flags.mean() == pytest.approx(rate, rel=0.1)


def planted(rng, n=5000):
    """Noise with bursts of three large values, 2.5 % of all."""
    value, truth = rng.normal(100, 1, n), np.zeros(n, bool)
    for at in range(50, n - 3, 120):
        value[at : at + 3] += 30
        truth[at : at + 3] = True
    return value, truth


def test_robust_scores_find_planted_bursts_and_z_scores_only_their_begin():
    value, truth = planted(np.random.default_rng(3))
    z = anomalies.detection(anomalies.top_share(anomalies.z_scores(value)), truth)
    robust = anomalies.detection(anomalies.top_share(anomalies.robust_scores(value)), truth)
    assert z.recall < 0.7  # the first of a burst widens the spread for the second
    assert robust.recall > 0.95
    assert robust.precision == pytest.approx(truth.mean() / robust.flagged, rel=0.05)


@pytest.mark.parametrize("limit", [10, 15])
def test_a_limit_of_the_robust_score_finds_the_bursts_that_the_noise_lets_through(limit):
    """A burst of 30 sigma is missed only if the ten before it spread more than 30 / limit.

    Of these, k = 0, 1 or 2 belong to the burst. The MAD of ten, the mean of the fifth and the sixth
    distance from the median, is below 30 / limit / 1.4826 if six of the 10 - k of noise are, each
    with the probability that a normal variable is: on average 0.998 of the bursts are found at a
    limit of 10, and 0.92 at 15.
    """
    value, truth = planted(np.random.default_rng(3))
    found = anomalies.detection(anomalies.beyond(anomalies.robust_scores(value), limit), truth)
    near = 2 * stats.norm.cdf(30 / limit / 1.4826) - 1
    expected = np.mean([stats.binom.sf(5, 10 - k, near) for k in range(3)])
    deviation = np.sqrt(expected * (1 - expected) / truth.sum())
    assert found.recall > expected - 3 * deviation
    assert found.precision > 0.9


def test_what_is_unknown_or_does_not_change_is_no_anomaly():
    value = np.full(40, 0.1)
    value[20] = np.nan
    for scores in (anomalies.z_scores, anomalies.robust_scores):
        score = scores(value)
        assert np.isnan(score).all()
        assert not anomalies.beyond(score, 3).any()
        assert not anomalies.top_share(score).any()
    value[20:] = 0.2
    assert anomalies.z_scores(value)[20] == np.inf


def test_no_score_reads_the_future():
    rng = np.random.default_rng(4)
    value = rng.normal(size=300)
    other = np.concatenate((value[:200], rng.normal(50, 9, 100)))
    for scores in (anomalies.z_scores, anomalies.robust_scores):
        np.testing.assert_array_equal(scores(value)[:200], scores(other)[:200])


def test_short_series_are_refused():
    with pytest.raises(TelemetryError, match="10 windows; a score needs more than the 10"):
        anomalies.z_scores(np.ones(10))
