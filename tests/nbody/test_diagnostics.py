import numpy as np
import pytest

from restudy.nbody.batch import stacked
from restudy.nbody.catalogue import compact_pairs, equal_binary, planetary_system, trappist_1
from restudy.nbody.diagnostics import (
    angular_momentum_error,
    barycentre,
    drift,
    eccentricity_range,
    energy_error,
    growth,
    orbits,
    phase_error,
)
from restudy.nbody.elements import state_from_elements
from restudy.nbody.errors import NBodyError
from restudy.nbody.trajectory import Trajectory
from restudy.nbody.units import GRAVITY

MASSES = np.array([1.0, 1e-3])


def ellipse(times, lag=0.0, a=1.0, e=0.2, moving=0.0):
    """Return two bodies on an exact ellipse."""
    mu = GRAVITY * MASSES.sum()
    mean = np.sqrt(mu / 1.0**3) * times - lag
    r, v = state_from_elements(a, e, 0.3, 0.5, 0.7, mean, mu)
    share = np.array([-MASSES[1], MASSES[0]])[None, :, None] / MASSES.sum()
    drifting = np.array([moving, 0.0, 0.0])
    positions = share * r[:, None] + drifting * times[:, None, None]
    return Trajectory(times, positions, share * v[:, None] + drifting)


def test_an_exact_ellipse_has_no_error_in_any_frame():
    times = np.linspace(0, 30, 200)
    for moving in (0.0, 2.0):
        t = ellipse(times, moving=moving)
        assert np.abs(energy_error(MASSES, t)).max() < 1e-13
        assert angular_momentum_error(MASSES, t).max() < 1e-13
        assert eccentricity_range(MASSES, t)[0] < 1e-13
        elements = orbits(MASSES, t)
        np.testing.assert_allclose(elements.semi_major_axis, 1.0, rtol=1e-12)
        np.testing.assert_allclose(elements.eccentricity, 0.2, rtol=1e-11)
    np.testing.assert_allclose(
        barycentre(MASSES, ellipse(times, moving=2.0).positions)[:, 0, 0], 2.0 * times, atol=1e-12
    )


def test_errors_are_relative_to_the_start():
    # E = -G m M / 2a and L ~ sqrt(a): from a = 1 to a = 1.1.
    near, far = ellipse(np.array([0.0]), e=0.0), ellipse(np.array([0.0]), a=1.1, e=0.0)
    both = Trajectory(
        np.array([0.0, 1.0]),
        np.r_[near.positions, far.positions],
        np.r_[near.velocities, far.velocities],
    )
    assert energy_error(MASSES, both)[1] == pytest.approx(1 - 1 / 1.1, rel=1e-10)
    assert angular_momentum_error(MASSES, both)[1] == pytest.approx(np.sqrt(1.1) - 1, rel=1e-10)


def test_phase_counts_whole_turns():
    times = np.linspace(0, 100, 1001)
    truth = ellipse(times)
    late = ellipse(times, lag=0.2 * times)
    found = phase_error(MASSES, late, truth)
    np.testing.assert_allclose(found[:, 0], -0.2 * times, atol=1e-9)
    assert drift(times, found[:, 0]) == pytest.approx(-0.2, rel=1e-9)
    with pytest.raises(NBodyError, match=r"shapes \(3, 2, 3\) and \(4, 2, 3\); expected the same"):
        phase_error(MASSES, truth.part(slice(3)), truth.part(slice(4)))
    with pytest.raises(NBodyError, match=r"sample 2 is of 0.2 yr in one trajectory and of 0.4 yr"):
        phase_error(MASSES, truth.part(slice(3)), truth.part(slice(0, 5, 2)))


def test_a_batch_has_the_errors_of_its_systems(rng):
    systems = compact_pairs(rng, 3)
    masses, r, v = (x.numpy() for x in stacked(systems))
    scale = 1 + 1e-3 * rng.normal(size=(150, 3, 3, 1))
    t = Trajectory(np.arange(150.0), r * scale, v * scale)
    for i in range(3):
        one = t.system(i)
        for function in (energy_error, angular_momentum_error, eccentricity_range):
            np.testing.assert_allclose(
                function(masses, t)[..., i, :]
                if function is eccentricity_range
                else function(masses, t)[:, i],
                function(masses[i], one),
                rtol=1e-12,
                atol=1e-15,
            )
    with pytest.raises(NBodyError, match="this trajectory is of one system"):
        one.system(0)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.5])
def test_growth_is_the_power_of_time(power):
    t = np.arange(1.0, 1000.0)
    wave = np.where(np.arange(999) % 2, 1.0, -1.0)
    assert growth(t, 1e-12 * wave * t**power) == pytest.approx(power, abs=1e-9)
    assert drift(t, 3.0 + 2e-9 * t) == pytest.approx(2e-9, rel=1e-6)


def test_growth_of_a_random_walk_is_one_half_and_of_its_sum_three_halves(rng):
    walks = np.cumsum(rng.normal(size=(200, 4000)), axis=1)
    t = np.arange(1.0, 4001.0)
    assert np.mean([growth(t, w) for w in walks]) == pytest.approx(0.5, abs=0.05)
    phases = np.cumsum(walks, axis=1)
    assert np.mean([growth(t, w) for w in phases]) == pytest.approx(1.5, abs=0.1)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(NBodyError, match=r"shapes \(2,\) and \(3,\)"):
        drift([0, 1], [0, 1, 2])
    with pytest.raises(NBodyError, match="is no number"):
        drift([0, 1], [0, np.nan])
    with pytest.raises(NBodyError, match="0 samples have a time and an error above 0"):
        growth([1, 2], [0, 0])


def test_trajectories_and_stacks_are_checked():
    x = np.zeros((4, 2, 3))
    with pytest.raises(NBodyError, match=r"times have shape \(3,\); expected \(4,\)"):
        Trajectory(np.zeros(3), x, x)
    with pytest.raises(NBodyError, match=r"shapes \(4, 2, 3\) and \(3, 2, 3\)"):
        Trajectory(np.zeros(4), x, x[1:])
    assert Trajectory(np.zeros(4), x, x).bodies == 2
    assert len(Trajectory(np.zeros(4), x, x)) == 4
    with pytest.raises(NBodyError, match="systems differ in bodies, 2 to 8"):
        stacked([planetary_system(1.0, [1e-3], [1.0], [0.0], [0.0]), trappist_1()])
    with pytest.raises(NBodyError, match="systems differ in gravity"):
        stacked([planetary_system(1.0, [1e-3], [1.0], [0.0], [0.0]), equal_binary()])
    with pytest.raises(NBodyError, match="there is no system to stack"):
        stacked([])
