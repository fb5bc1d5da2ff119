"""Wisdom-Holman in compiled code: against rebound's numbers, a slow version, and what is known."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restudy.nbody import catalogue, wisdom_holman
from restudy.nbody.compiled import integrate_compiled, integrate_heliocentric
from restudy.nbody.compiled_batch import integrate_batch
from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.errors import CloseEncounter, NBodyError, StepWarning
from restudy.nbody.splitting import ReboundSplit, WisdomHolman91Split
from restudy.nbody.system import System
from restudy.nbody.trajectory import Trajectory

VALIDATION = Path(__file__).parents[2] / "validation/2111.15631"
INTEGRATORS = {"jacobi": integrate_compiled, "democraticheliocentric": integrate_heliocentric}
# Largest difference of places [au], for numbers of steps. Rounding errors of a phase grow with
# steps^1.5; those of rebound with and without its safe mode differ by as much (see the file).
ROUNDING = {10: 1e-13, 100: 1e-12, 1000: 2e-11, 10000: 5e-10, 100000: 1e-8}


@pytest.fixture(scope="module")
def rebound() -> dict[str, Any]:
    return json.loads((VALIDATION / "whfast.json").read_text())


@pytest.fixture(scope="module")
def systems() -> dict[str, System]:
    states = json.loads((VALIDATION / "systems.json").read_text())
    return {name: System(*state.values()) for name, state in states.items()}


def energies(system: System, run: Trajectory) -> np.ndarray:
    return np.array(
        [
            replace(system, positions=x, velocities=v).energy()
            for x, v in zip(run.positions, run.velocities, strict=True)
        ]
    )


def energy_error(system: System, run: Trajectory) -> float:
    energy = energies(system, run)
    return float(abs(energy / energy[0] - 1).max())


def from_star(run: Trajectory, sample: int) -> np.ndarray:
    return run.positions[sample] - run.positions[sample, :1]


@pytest.mark.parametrize("coordinates", INTEGRATORS)
@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
def test_energy_errors_are_those_of_whfast(
    coordinates: str, rebound: dict[str, Any], systems: dict[str, System]
):
    rows = [x for x in rebound["energy"] if x["coordinates"] == coordinates]
    assert len(rows) == 7
    for row in rows:
        system, steps = systems[row["system"]], row["steps"]
        run = INTEGRATORS[coordinates](
            system,
            row["step"],
            steps,
            sample_every=steps // row["samples"],
            scheme=Scheme.DRIFT_KICK_DRIFT,
        )
        assert energy_error(system, run) == pytest.approx(row["max_relative_error"], rel=0.01)


@pytest.mark.parametrize("coordinates", INTEGRATORS)
@pytest.mark.parametrize("name", ["sun-jupiter-saturn", "trappist-1", "planetesimals"])
def test_positions_are_those_of_whfast_but_for_rounding(
    name: str, coordinates: str, rebound: dict[str, Any], systems: dict[str, System]
):
    (row,) = (x for x in rebound["final"] if (x["system"], x["coordinates"]) == (name, coordinates))
    for steps, theirs, fast in zip(
        row["steps"], row["positions"], row["positions_without_safe_mode"], strict=True
    ):
        run = INTEGRATORS[coordinates](
            systems[name],
            row["step"],
            steps,
            sample_every=steps,
            scheme=Scheme.DRIFT_KICK_DRIFT,
            hill_radii=0,
        )
        ours = from_star(run, -1)
        assert abs(ours - theirs).max() <= ROUNDING[steps]
        assert abs(ours - fast).max() <= ROUNDING[steps]


def test_the_order_is_two(rebound: dict[str, Any], systems: dict[str, System]):
    system = systems["sun-jupiter-saturn"]
    for integrate in INTEGRATORS.values():
        for scheme in Scheme:
            worst = [
                energy_error(system, integrate(system, h, n, sample_every=n // 1000, scheme=scheme))
                for h, n in ((0.2, 50_000), (0.1, 100_000))
            ]
            assert np.log2(worst[0] / worst[1]) == pytest.approx(2.0, abs=0.05)


def test_places_converge_to_those_of_ias15(rebound: dict[str, Any], systems: dict[str, System]):
    for row in rebound["ias15"]:
        system, errors = systems[row["system"]], []
        base = 2500 if row["system"] == "sun-jupiter-saturn" else 20_000
        for steps in (4 * base, 8 * base):
            run = integrate_compiled(system, row["time"] / steps, steps, sample_every=steps)
            errors.append(abs(from_star(run, -1) - row["positions"]).max())
        assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def slow_step(system: System, q: np.ndarray, v: np.ndarray, mu: np.ndarray, h: float):
    """A kick, Kepler motion and a kick, the obvious way: the kick is a numerical gradient."""
    from restudy.nbody.compiled_setup import from_jacobi

    m, gravity = system.masses, system.gravity
    eta = m.cumsum()
    reduced = m[1:] * eta[:-1] / eta[1:]

    def interaction(q: np.ndarray) -> float:
        r = from_jacobi(m, q)
        i, j = np.triu_indices(len(m), 1)
        pairs = (m[i] * m[j] / np.linalg.norm(r[i] - r[j], axis=1)).sum()
        return float((reduced * mu / np.linalg.norm(q, axis=1)).sum() - gravity * pairs)

    def kicked(q: np.ndarray, v: np.ndarray) -> np.ndarray:
        new, tiny = v.copy(), 1e-4
        for k in np.ndindex(*q.shape):
            way = np.zeros_like(q)
            way[k] = tiny
            values = [interaction(q + s * way) for s in (-2, -1, 1, 2)]
            slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * tiny)
            new[k] -= 0.5 * h * slope / reduced[k[0]]
        return new

    v = kicked(q, v)
    parts = 2000  # of Kepler motion by the classical Runge-Kutta method
    for _ in range(parts):
        t = h / parts

        def pull(q: np.ndarray) -> np.ndarray:
            return -mu[:, None] * q / np.linalg.norm(q, axis=1)[:, None] ** 3

        k1 = (v, pull(q))
        k2 = (v + 0.5 * t * k1[1], pull(q + 0.5 * t * k1[0]))
        k3 = (v + 0.5 * t * k2[1], pull(q + 0.5 * t * k2[0]))
        k4 = (v + t * k3[1], pull(q + t * k3[0]))
        q = q + t / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        v = v + t / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
    return q, kicked(q, v)


@pytest.mark.parametrize("split", [ReboundSplit(), WisdomHolman91Split()])
def test_a_step_is_the_one_of_the_hamiltonian(split: ReboundSplit | WisdomHolman91Split):
    from restudy.nbody.compiled_setup import from_jacobi, kepler_mu, to_jacobi

    rng = np.random.default_rng(3)
    angles, a = rng.uniform(0, 2 * np.pi, 5), np.array([1.0, 1.7, 2.9, 4.2, 6.6])
    x = a[:, None] * np.stack([np.cos(angles), np.sin(angles), 0.1 * np.sin(3 * angles)], 1)
    turn = np.stack([-np.sin(angles), np.cos(angles), 0.05 * np.cos(angles)], 1)
    masses = np.r_[1.0, rng.uniform(1e-3, 2e-2, 5)]
    v = np.sqrt(39.4769 / a)[:, None] * turn
    system = System(masses, np.r_[[[0, 0, 0]], x], np.r_[[[0, 0, 0]], v]).barycentric()
    mu = kepler_mu(split, masses, system.gravity)
    q, u = (to_jacobi(masses, y) for y in (system.positions, system.velocities))
    slow = [from_jacobi(masses, y) for y in slow_step(system, q, u, mu, 0.04)]
    run = integrate_compiled(system, 0.04, 1, split=split, hill_radii=0)
    assert abs(run.positions[1] - slow[0]).max() < 1e-11
    assert abs(run.velocities[1] - slow[1]).max() < 1e-9


@pytest.mark.parametrize("scheme", Scheme)
def test_two_bodies_are_on_their_conic_and_rounding_stays_small(scheme: Scheme):
    pair = catalogue.equal_binary()
    period = float(pair.periods()[0])
    for integrate in INTEGRATORS.values():
        if integrate is integrate_heliocentric:
            continue
        run = integrate(pair, period / 64.3, 100_000, sample_every=1000, scheme=scheme)
        assert energy_error(pair, run) < 1e-13


@pytest.mark.parametrize("integrate", INTEGRATORS.values())
@pytest.mark.parametrize("scheme", Scheme)
def test_there_and_back_again(integrate: Any, scheme: Scheme):
    system = catalogue.sun_jupiter_saturn().barycentric()
    there = integrate(system, 0.1, 1000, sample_every=1000, scheme=scheme)
    turned = replace(system, positions=there.positions[-1], velocities=there.velocities[-1])
    back = integrate(turned, -0.1, 1000, sample_every=1000, scheme=scheme)
    assert abs(back.positions[-1] - system.positions).max() < 1e-11


@pytest.mark.parametrize("integrate", INTEGRATORS.values())
def test_momentum_and_angular_momentum_stay(integrate: Any):
    system = catalogue.trappist_1().sorted().barycentric()
    run = integrate(system, 1e-4, 20_000, sample_every=1000)
    m = system.masses
    momentum = np.einsum("i,sic->sc", m, run.velocities)
    spin = np.einsum("i,sic->sc", m, np.cross(run.positions, run.velocities))
    assert abs(momentum).max() < 1e-14
    assert abs(spin - spin[0]).max() < 1e-13 * np.linalg.norm(spin[0])


def test_where_samples_are_taken_changes_no_bit():
    system = catalogue.sun_jupiter_saturn()
    for integrate in INTEGRATORS.values():
        for scheme in Scheme:
            often = integrate(system, 0.1, 600, sample_every=1, scheme=scheme)
            seldom = integrate(system, 0.1, 600, sample_every=200, scheme=scheme)
            assert np.array_equal(often.positions[::200], seldom.positions)
            assert np.array_equal(often.velocities[::200], seldom.velocities)
            assert len(often) == 601


@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
@pytest.mark.parametrize("periods", [0.3, 0.99, 7.3])
def test_steps_of_periods_are_those_of_the_conic(periods: float):
    """Steps that the lanes leave to the careful solver, against Kepler's equation."""
    e, a, gm = 0.6, 1.0, 39.476926421373
    x, v = a * (1 - e), np.sqrt(gm * (1 + e) / (a * (1 - e)))
    system = System([1 - 1e-6, 1e-6], [[0, 0, 0], [x, 0, 0]], [[0, 0, 0], [0, v, 0]])
    h = periods * 2 * np.pi / np.sqrt(gm)
    run = integrate_compiled(system, h, 3)
    for number in range(4):
        mean = np.sqrt(gm) * h * number
        E = mean
        for _ in range(200):
            E -= (E - e * np.sin(E) - mean) / (1 - e * np.cos(E))
        expected = [np.cos(E) - e, np.sqrt(1 - e * e) * np.sin(E), 0.0]
        # A rounding error of the semi-major axis, at pericentre some of those of the speed, is one
        # of the phase in proportion to the time.
        rounding = 2e-14 * (1 + mean)
        assert abs(from_star(run, number)[1] - expected).max() < rounding


@pytest.mark.parametrize("split", [ReboundSplit(), WisdomHolman91Split()])
def test_fast_and_plain_integrators_agree(split: ReboundSplit | WisdomHolman91Split):
    """Against the version in torch, one body at a time; also in a frame that moves."""
    for still, h in ((catalogue.sun_jupiter_saturn(), 0.3), (catalogue.trappist_1(), 7e-5)):
        system = replace(still, velocities=still.velocities + np.array([0.1, -0.2, 0.05]))
        given = [torch.tensor(x) for x in (system.masses, system.positions, system.velocities)]
        plain = wisdom_holman.integrate(*given, h, 60, split=split, sample_every=20)
        fast = integrate_compiled(system, h, 60, split=split, sample_every=20)
        batch = integrate_batch([system], h, 60, split=split, sample_every=20)
        for run in (fast, batch.system(0)):
            assert abs(run.positions - plain.positions).max() < 1e-12
            assert abs(run.velocities - plain.velocities).max() < 1e-11
            assert run.times == pytest.approx(plain.times, rel=1e-15)


# Many systems.


@pytest.fixture(scope="module")
def many() -> list[System]:
    return [s.sorted() for s in catalogue.compact_pairs(np.random.default_rng(5), 37)]


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("split", [ReboundSplit(), WisdomHolman91Split()])
def test_a_batch_is_what_its_systems_are_one_by_one(
    many: list[System], scheme: Scheme, split: ReboundSplit | WisdomHolman91Split
):
    steps = np.array([s.periods().min() / 40 for s in many])
    batch = integrate_batch(many, steps, 1000, sample_every=250, scheme=scheme, split=split)
    assert len(batch) == 5
    for number, system in enumerate(many):
        alone = integrate_compiled(
            system, steps[number], 1000, sample_every=250, scheme=scheme, split=split
        )
        one = batch.system(number)
        scale = abs(alone.positions).max(), abs(alone.velocities).max()
        assert abs(one.positions - alone.positions).max() < 1e-11 * scale[0]
        assert abs(one.velocities - alone.velocities).max() < 1e-11 * scale[1]
        assert one.times == pytest.approx(alone.times, rel=1e-15)


def test_more_bodies_in_a_batch():
    systems = [catalogue.planetesimals(np.random.default_rng(k), 9).sorted() for k in range(3)]
    batch = integrate_batch(systems, 5e-4, 400, sample_every=400, hill_radii=0)
    for number, system in enumerate(systems):
        alone = integrate_compiled(system, 5e-4, 400, sample_every=400, hill_radii=0)
        assert abs(batch.positions[:, number] - alone.positions).max() < 1e-11


@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
@pytest.mark.parametrize("per_period", [40, 3])
def test_bits_depend_on_nothing_but_the_system(many: list[System], per_period: float):
    """Also where some lanes need the careful solver."""
    steps = np.array([s.periods().min() / per_period for s in many])
    steps[::5] /= 20
    whole = integrate_batch(many, steps, 200, sample_every=50, hill_radii=0)
    threads = integrate_batch(many, steps, 200, sample_every=50, hill_radii=0, threads=4)
    assert np.array_equal(whole.positions, threads.positions)
    order = np.random.default_rng(0).permutation(len(many))[:21]
    some = integrate_batch(
        [many[k] for k in order], steps[order], 200, sample_every=50, hill_radii=0
    )
    assert np.array_equal(whole.positions[:, order], some.positions)
    assert np.array_equal(whole.velocities[:, order], some.velocities)


# What is reported.


def crossing() -> System:
    """A planet inside overtakes one outside after half a year, at six hundredths of au."""
    gm = 39.476926421373
    a = np.array([1.0, 1.06])
    angle = np.array([0.0, 0.35])
    x = a[:, None] * np.stack([np.cos(angle), np.sin(angle), 0 * a], 1)
    v = np.sqrt(gm / a)[:, None] * np.stack([-np.sin(angle), np.cos(angle), 0 * a], 1)
    return System(
        [1.0, 1e-4, 2e-6],
        np.r_[[[0, 0, 0]], x],
        np.r_[[[0, 0, 0]], v],
        names=("star", "inner", "outer"),
    )


@pytest.mark.parametrize("integrate", INTEGRATORS.values())
@pytest.mark.parametrize("scheme", Scheme)
def test_a_close_encounter_stops_the_run(integrate: Any, scheme: Scheme):
    system = crossing()
    run = integrate(system, 0.01, 500, hill_radii=0, scheme=scheme)
    apart = np.linalg.norm(run.positions[:, 1] - run.positions[:, 2], axis=1)
    limit = 3 * np.cbrt((1e-4 + 2e-6) / 3) * 1.03
    first = run.times[np.argmax(apart < limit)]
    assert 0.2 < first < 1
    with pytest.raises(CloseEncounter, match=r"inner and outer are 0\.\d+ au apart") as caught:
        integrate(system, 0.01, 500, hill_radii=3, scheme=scheme)
    assert caught.value.pair == ("inner", "outer")
    assert caught.value.time == pytest.approx(first, abs=0.02)
    assert caught.value.limit == pytest.approx(limit, rel=0.01)


def test_an_encounter_ends_one_system_of_a_batch(many: list[System]):
    systems = [many[0], crossing(), many[1]]
    batch = integrate_batch(systems, 1e-4, 20_000, sample_every=1000, hill_radii=3)
    with pytest.raises(CloseEncounter) as caught:
        integrate_compiled(crossing(), 1e-4, 20_000, sample_every=1000, hill_radii=3)
    assert batch.encounter_times.tolist() == [np.inf, caught.value.time, np.inf]
    assert batch.encounter_pairs.tolist() == [[-1, -1], [1, 2], [-1, -1]]
    gone = np.isnan(batch.positions).any(axis=(2, 3))
    assert not gone[:, [0, 2]].any()
    assert np.array_equal(gone[:, 1], batch.times > caught.value.time)


def test_long_steps_are_warned_of():
    system = catalogue.sun_jupiter_saturn()
    longest = float(system.periods().min()) / 20
    with pytest.warns(StepWarning, match=r"is 0\.6 yr; expected at most 0\.59"):
        integrate_compiled(system, 0.6, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        integrate_compiled(system, 0.999 * longest, 1)
    with pytest.warns(StepWarning, match="step of system 1 is"):
        integrate_batch([system, system], [0.1, 0.7], 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 0.0}, "the step is 0 yr; expected a finite number other than 0"),
        ({"step": np.nan}, "the step is nan yr"),
        ({"steps": 0}, "0 steps; expected at least 1"),
        ({"sample_every": 3}, "a sample every 3 steps of 10; expected a number that divides"),
        ({"hill_radii": -1.0}, "hill_radii is -1; expected 0 or more"),
    ],
)
def test_impossible_arguments_are_refused(changes: dict[str, Any], message: str):
    system = catalogue.sun_jupiter_saturn()
    given = {"step": 0.1, "steps": 10} | changes
    for integrate in INTEGRATORS.values():
        with pytest.raises(NBodyError, match=message):
            integrate(system, **given)
    with pytest.raises(NBodyError, match=message):
        integrate_batch([system], **given)


def test_planets_out_of_order_are_refused():
    system = catalogue.sun_jupiter_saturn().part([0, 2, 1])
    with pytest.raises(NBodyError, match="expected planets from the innermost to the outermost"):
        integrate_compiled(system, 0.1, 1)
    with pytest.raises(NBodyError, match="of system 1 has a smaller"):
        integrate_batch([system.sorted(), system], 0.1, 1)
    integrate_heliocentric(system, 0.1, 1)


def test_batches_of_nothing_or_of_different_systems_are_refused(many: list[System]):
    with pytest.raises(NBodyError, match="no systems"):
        integrate_batch([], 0.1, 1)
    with pytest.raises(NBodyError, match="0 threads"):
        integrate_batch(many, 1e-4, 1, threads=0)
    with pytest.raises(NBodyError, match="system 1 has 2 bodies, and system 0 has 3"):
        integrate_batch([many[0], many[0].part([0, 1])], 1e-4, 1)


def test_times_have_the_shape_of_steps(many: list[System]):
    assert integrate_batch(many[:2], 1e-4, 2).times.tolist() == [0.0, 1e-4, 2e-4]
    assert integrate_batch(many[:2], [1e-4, 2e-4], 1).times.tolist() == [[0, 0], [1e-4, 2e-4]]
