"""What all integrators have in common: frames, and what they refuse."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from restudy.nbody.batch import tensors
from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.compiled import integrate_compiled, integrate_heliocentric
from restudy.nbody.compiled_batch import integrate_batch
from restudy.nbody.composition import ABA_10_4, integrate_composition
from restudy.nbody.correctors import integrate_corrected, integrate_lazy
from restudy.nbody.encounters import encounter_watch
from restudy.nbody.errors import CloseEncounter, NBodyError, StepWarning
from restudy.nbody.ias15 import integrate_ias15
from restudy.nbody.leapfrog import integrate_leapfrog
from restudy.nbody.learned.compiled_orbits import integrate_learned, integrate_uncoupled
from restudy.nbody.learned.weights import shipped_potential
from restudy.nbody.lyapunov import chaos
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory
from restudy.nbody.wisdom_holman import integrate

Follow = Callable[..., Trajectory]


def torch_(s: System, step: float, steps: int, every: int = 1) -> Trajectory:
    return integrate(*tensors(s), step, steps, sample_every=every, watch=encounter_watch(s))


def batch(s: System, step: float, steps: int, every: int = 1) -> Trajectory:
    """Raise of an encounter, which a batch only notes."""
    run = integrate_batch([s], step, steps, sample_every=every)
    if np.isfinite(run.encounter_times[0]):
        i, j = run.encounter_pairs[0]
        raise CloseEncounter(run.encounter_times[0], (s.names[i], s.names[j]), 0.0, 0.0)
    return run.system(0)


def composition(s: System, step: float, steps: int, every: int = 1) -> Trajectory:
    return integrate_composition(s, step, steps, ABA_10_4, sample_every=every)


def learned(s: System, step: float, steps: int, every: int = 1) -> Trajectory:
    return integrate_learned(
        s, shipped_potential("pair-wide"), step, steps, sample_every=every
    ).trajectory


def sampled(integrator: Follow) -> Follow:
    return lambda s, step, steps, every=1: integrator(s, step, steps, sample_every=every)


WATCHFUL: dict[str, Follow] = {
    "torch": torch_,
    "compiled": sampled(integrate_compiled),
    "heliocentric": sampled(integrate_heliocentric),
    "batch": batch,
    "composition": composition,
    "corrected": sampled(integrate_corrected),
    "lazy": sampled(integrate_lazy),
    "leapfrog": integrate_leapfrog,
    "learned": learned,
}
FIXED = WATCHFUL | {"uncoupled": sampled(integrate_uncoupled)}
ALL = FIXED | {
    "ias15": lambda s, step, steps, every=1: integrate_ias15(
        s, step * np.arange(0, steps + 1, every)
    )
}


def each(integrators: dict[str, Follow]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("follow", integrators.values(), ids=integrators.keys())


@each(ALL)
def test_a_system_that_moves_comes_back_moving(follow: Follow) -> None:
    place, speed = np.array([3.0, -1.0, 2.0]), np.array([1.0, -2.0, 0.5])
    still = sun_jupiter_saturn().barycentric()
    moving = replace(still, positions=still.positions + place, velocities=still.velocities + speed)
    at_rest, found = (follow(s, 0.1, 100, 20) for s in (still, moving))
    way = place + speed * found.times[:, None]
    np.testing.assert_allclose(found.positions, at_rest.positions + way[:, None], atol=1e-12)
    np.testing.assert_allclose(found.velocities, at_rest.velocities + speed, atol=1e-12)
    centre = still.masses @ at_rest.positions / still.masses.sum()
    assert np.abs(centre).max() < 1e-14  # and one at rest stays


@each(FIXED)
def test_a_long_step_is_warned_of(follow: Follow) -> None:
    with pytest.warns(StepWarning, match=r"expected at most 0\.5932 yr"):
        follow(sun_jupiter_saturn(), 6.0, 1)


@each(ALL)
def test_a_step_that_is_no_number_is_refused(follow: Follow) -> None:
    with pytest.raises(NBodyError, match="expected"):
        follow(sun_jupiter_saturn(), np.nan, 2)


@pytest.mark.parametrize("step", ["0.1", None, 1j, [0.1, "a"]], ids=repr)
@each(FIXED)
def test_a_step_of_another_type_is_refused(follow: Follow, step: object) -> None:
    with pytest.raises(NBodyError, match=r"the steps? (is|are) .*; expected (a number|numbers)\."):
        follow(sun_jupiter_saturn(), step, 2)


@pytest.mark.parametrize("plan", [("2",), (2.5,), (None,), (4, "2"), (4, 1.5)], ids=repr)
@each(FIXED)
def test_counts_of_another_type_are_refused(follow: Follow, plan: tuple[object, ...]) -> None:
    with pytest.raises(NBodyError, match=r"(number of steps|sample_every) is .* whole number\."):
        follow(sun_jupiter_saturn(), 0.1, *plan)


def test_numbers_of_numpy_and_torch_are_taken() -> None:
    system = sun_jupiter_saturn()
    plain = integrate_compiled(system, 0.25, 4, sample_every=2)
    other = integrate_compiled(system, np.float32(0.25), np.int32(4), sample_every=np.int64(2))
    assert np.array_equal(plain.positions, other.positions)
    both = [torch_(system, step, 4).positions for step in (0.25, torch.tensor(0.25).double())]
    assert np.array_equal(*both)


def test_steps_of_a_batch_are_one_or_one_each() -> None:
    with pytest.raises(NBodyError, match=r"the steps have shape \(2,\); expected \(3,\) or one"):
        integrate_batch([sun_jupiter_saturn()] * 3, [0.1, 0.2], 2)


@pytest.mark.parametrize("times", ["a", ["0", "1"], None, [None], [1j], [[0.0], [0.0, 1.0]]])
def test_times_of_another_type_are_refused(times: object) -> None:
    with pytest.raises(NBodyError, match=r"the times are .*; expected numbers\."):
        integrate_ias15(sun_jupiter_saturn(), times)
    with pytest.raises(NBodyError, match="the tolerance is '1e-9'; expected a number"):
        integrate_ias15(sun_jupiter_saturn(), [0.0, 1.0], (), "1e-9")


@pytest.mark.parametrize("end", [1e300, -1e20])
def test_times_that_no_run_reaches_are_refused(end: float) -> None:
    with pytest.raises(NBodyError, match=r"the last time is .* more than 2\^53 steps"):
        integrate_ias15(sun_jupiter_saturn(), [0.0, end])


@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
@each(FIXED)
def test_numbers_that_overflow_are_refused(follow: Follow) -> None:
    with pytest.raises(NBodyError, match=r"overflow|no numbers?"):
        follow(sun_jupiter_saturn(), 1e300, 100)


@each(WATCHFUL)
def test_a_head_on_encounter_stops_the_run_with_time_and_pair(follow: Follow) -> None:
    """Two planets on one circle, against each other: they meet after a quarter of a year."""
    speed = 2 * np.pi
    system = System(
        [1.0, 1e-3, 1e-3],
        [[0, 0, 0], [1, 0, 0], [-1.0001, 0, 0]],
        [[0, 0, 0], [0, speed, 0], [0, speed, 0]],
        ("star", "b", "c"),
    )
    with pytest.raises(CloseEncounter, match="b and c are") as caught:
        follow(system, 0.001, 400)
    hill = np.cbrt(2e-3 / 3)
    assert caught.value.time == pytest.approx(0.25 - 0.5 * hill / speed, abs=0.002)


@each(ALL)
def test_one_planet_stays_on_its_ellipse(follow: Follow) -> None:
    system = System([1.0, 1e-3], [[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 6.0, 0]])
    run = follow(system, float(system.periods()[0]) / 2000, 2000, 2000)
    place = run.positions[:, 1] - run.positions[:, 0]
    np.testing.assert_allclose(place[1], place[0], atol=1e-4)


def test_chaos_with_numbers_that_overflow_is_refused() -> None:
    with pytest.warns(StepWarning), pytest.raises(NBodyError, match="overflow"):
        chaos(sun_jupiter_saturn(), 1e300, 100, rng=np.random.default_rng(1))
