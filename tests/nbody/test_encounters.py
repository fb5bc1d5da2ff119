import numpy as np
import pytest

from restudy.nbody.catalogue import planetary_system, planetesimals, sun_jupiter_saturn
from restudy.nbody.encounters import (
    check_start,
    check_trajectory,
    encounters,
    mutual_hill_radii,
)
from restudy.nbody.errors import CloseEncounter, NBodyError
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory


def crossing():
    return planetary_system(
        1.0, [1e-4, 1e-4], [1.0, 1.15], [0.1, 0.05], [0.0, 0.0],
        pericentre=[0.0, 3.0], true_anomaly=[0.0, 0.4], names=("star", "b", "c"),
    )  # fmt: skip


def passing(impact, speed, times, distance=10.0):
    """Two planets on straight lines, far from a star, that pass each other at time 0."""
    positions, velocities = np.zeros((2, len(times), 3, 3))
    positions[:, 1:, 0] = distance
    positions[:, 1, 1], velocities[:, 1, 1] = 0.5 * speed * times, 0.5 * speed
    positions[:, 2, 1], velocities[:, 2, 1] = -0.5 * speed * times, -0.5 * speed
    positions[:, 2, 2] = impact
    return Trajectory(times, positions, velocities)


def test_hill_radius_of_two_planets():
    positions = np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 2.0, 0]])
    expected = ((3e-6 + 5e-6) / (3 * 2.0)) ** (1 / 3) * 1.5
    found = mutual_hill_radii(np.array([2.0, 3e-6, 5e-6]), positions)
    np.testing.assert_allclose(found, [expected], rtol=1e-14)


@pytest.mark.parametrize("offset", [0.0, 0.013, 0.05])
def test_two_straight_lines(offset):
    # closest at time 0 with the impact parameter; within the limit for |t| < sqrt(R^2 - b^2) / v
    system = planetary_system(1.0, [1e-3, 1e-3], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0])
    run = passing(0.05, 2.0, np.arange(-10, 11) * 0.1 + offset)
    (found,) = encounters(system, run)
    radius = float(
        mutual_hill_radii(system.masses, passing(0.05, 2.0, np.zeros(1)).positions)[0, 0]
    )
    assert found.pair == ("body 1", "body 2")
    assert found.time == pytest.approx(0, abs=1e-6)
    assert found.distance == pytest.approx(0.05, rel=1e-9)
    assert found.limit == pytest.approx(radius, rel=1e-3)  # distances from the star change a little
    # the radius is taken as linear between samples
    assert found.entry == pytest.approx(-np.sqrt(radius**2 - 0.05**2) / 2.0, rel=2e-3)


def test_none_where_lines_pass_farther():
    system = planetary_system(1.0, [1e-3, 1e-3], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0])
    times = np.linspace(-1, 1, 21)
    radius = float(mutual_hill_radii(system.masses, passing(0.0, 2.0, times).positions).max())
    assert encounters(system, passing(1.01 * radius, 2.0, times)) == ()
    assert len(encounters(system, passing(1.01 * radius, 2.0, times), within=1.1)) == 1


def test_coarse_samples_find_what_dense_ones_see():
    system = crossing()
    dense = integrate_ias15(system, np.linspace(0, 30, 60_001))
    d = np.linalg.norm(dense.positions[:, 1] - dense.positions[:, 2], axis=1)
    limit = 1.5 * mutual_hill_radii(system.masses, dense.positions)[:, 0]
    inside = np.r_[False, d < limit]
    entries = dense.times[np.flatnonzero(inside[1:] & ~inside[:-1])]
    assert len(entries) == 1
    (truth,) = encounters(system, dense, within=1.5)
    assert 0 <= entries[0] - truth.entry <= dense.times[1]  # the first sample behind the entry
    assert truth.distance <= d.min()
    assert truth.distance == pytest.approx(d.min(), rel=0.01)
    errors = []
    for every in (80, 40, 20):
        (found,) = encounters(system, dense.part(slice(None, None, every)), within=1.5)
        errors.append(abs(found.entry - truth.entry))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[-1] < 1e-6


def test_a_trajectory_with_an_encounter_is_refused_with_the_pair_and_the_time():
    system = crossing()
    run = integrate_ias15(system, np.linspace(0, 30, 1501))
    first = encounters(system, run)[0]
    with pytest.raises(CloseEncounter, match="b and c are") as caught:
        check_trajectory(system, run)
    assert caught.value.pair == ("b", "c")
    assert caught.value.time == first.entry
    assert first.entry <= first.time


def test_jupiter_and_saturn_do_not_meet():
    system = sun_jupiter_saturn()
    run = integrate_ias15(system, np.arange(0, 200.0, 0.5))
    assert encounters(system, run, within=3.0) == ()
    check_trajectory(system, run)
    check_start(system)


def test_a_close_start_is_refused():
    system = crossing()
    q, v = system.positions.copy(), system.velocities.copy()
    q[2], v[2] = q[1] + [0.0, 0.01, 0.0], v[1]
    near = System(system.masses, q, v, system.names)
    with pytest.raises(CloseEncounter, match=r"b and c are 0\.01 au apart at 0 yr; expected more"):
        check_start(near)
    check_start(near, within=0.1)


def test_a_hundred_planetesimals_are_searched(rng):
    system = planetesimals(rng, 100)
    run = integrate_ias15(system, np.linspace(0, 0.05, 26))
    found = encounters(system, run, within=20.0)
    d = np.linalg.norm(run.positions[:, 1:, None] - run.positions[:, None, 1:], axis=-1)
    i, j = np.triu_indices(100, 1)
    near = (d[:, i, j] < 20 * mutual_hill_radii(system.masses, run.positions)).any(0)
    pairs = {
        (system.names[a + 1], system.names[b + 1]) for a, b in zip(i[near], j[near], strict=True)
    }
    assert pairs <= {e.pair for e in found}


def test_what_cannot_be():
    system = crossing()
    run = integrate_ias15(system, [0.0, 0.1])
    with pytest.raises(NBodyError, match=r"expected \(samples, 4, 3\)"):
        encounters(planetesimals(np.random.default_rng(1), 3), run)
    with pytest.raises(NBodyError, match="within 0 Hill radii; expected more than 0"):
        encounters(system, run, within=0.0)
