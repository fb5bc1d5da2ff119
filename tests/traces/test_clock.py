import numpy as np
import pytest

from restudy.traces import clock


def test_correlation_equals_numpy_at_every_lag():
    rng = np.random.default_rng(0)
    profile, reference = rng.random((2, 24))
    slow = [np.corrcoef(np.roll(profile, lag), reference)[0, 1] for lag in range(24)]
    np.testing.assert_allclose(clock.circular_correlation(profile, reference), slow, atol=1e-12)


def test_a_flat_profile_correlates_with_nothing():
    found = clock.circular_correlation(np.ones(24), clock.working_day())
    np.testing.assert_allclose(found, 0, atol=1e-12)
    with pytest.raises(ValueError, match="no phase"):
        clock.circular_correlation(clock.working_day(), np.ones(24))


@pytest.mark.parametrize("behind", [-9, -1, 0, 4, 12])
def test_a_known_shift_is_found(behind):
    rng = np.random.default_rng(behind + 20)
    local = 20 + 100 * clock.trough_and_peak()
    days = rng.poisson(np.roll(local, -behind), size=(120, 24))
    exact = clock.clock_shift(days, clock.trough_and_peak(), replicates=200, rng=rng)
    assert exact.shift == exact.lags[exact.correlation.argmax()] == behind
    assert exact.best > 0.99
    assert exact.share(behind) == 1.0
    assert exact.interval() == (behind, behind)


def test_the_reference_has_its_trough_and_peak_where_it_says():
    profile = clock.trough_and_peak()
    assert set(np.argsort(profile)[:2]) == {5, 6}
    assert set(np.argsort(profile)[-2:]) == {15, 16}
    assert clock.trough_and_peak((23, 23), (11, 11)).argmin() == 23
