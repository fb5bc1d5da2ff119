"""The compiled potential against torch, and the compiled orbits against both."""

import numpy as np
import pytest
import torch

from restudy.nbody.batch import tensors
from restudy.nbody.catalogue import compact_pairs, planetesimals, sun_jupiter_saturn, trappist_1
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import no_kick
from restudy.nbody.jacobi import jacobi_masses, to_jacobi
from restudy.nbody.learned.compiled_orbits import integrate_learned, integrate_uncoupled
from restudy.nbody.learned.compiled_pair import NEWTON, force_ratio, network_ratio, pack, pair_kick
from restudy.nbody.learned.guard import ExtrapolationWarning
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import PairPotential, SeparationRange
from restudy.nbody.learned.weights import shipped_potential
from restudy.nbody.splitting import WisdomHolman91Split
from restudy.nbody.system import System
from restudy.nbody.wisdom_holman import integrate

SPLIT = WisdomHolman91Split()
RANGE = SeparationRange(0.1, 10.0)


@pytest.fixture
def potential() -> PairPotential:
    return PairPotential(RANGE, 8, rng=torch.Generator().manual_seed(0))


def test_network_and_table_give_the_ratio_of_torch(potential: PairPotential) -> None:
    r = np.geomspace(0.03, 30.0, 300)  # beyond the table on both sides
    with torch.no_grad():
        expected = potential.ratio(torch.as_tensor(r)).numpy()
    packed = pack(potential)
    network = np.array([network_ratio(packed, x * x) for x in r])
    table = np.array([force_ratio(packed, x * x) for x in r])
    size = abs(expected).max()
    assert abs(network - expected).max() < 1e-13 * size
    assert abs(table - expected).max() < 1e-9 * size
    bare = pack(potential, cells=0)
    assert [force_ratio(bare, x * x) for x in r] == network.tolist()


def test_a_table_beyond_the_range_of_training(potential: PairPotential) -> None:
    """Its cells there are as small, and inside it is the same table, shifted."""
    r = np.geomspace(0.011, 29.0, 300)
    with torch.no_grad():
        expected = potential.ratio(torch.as_tensor(r)).numpy()
    wider, usual = pack(potential, reach=(0.01, 30.0)), pack(potential)
    assert len(wider.table) == pytest.approx(4096 * np.log(3000) / np.log(100), abs=2)
    assert wider.cells_per_unit == usual.cells_per_unit
    found = np.array([force_ratio(wider, x * x) for x in r])
    assert (found != [network_ratio(wider, x * x) for x in r]).mean() > 0.9  # it is read
    assert abs(found - expected).max() < 1e-9 * abs(expected).max()
    assert len(pack(potential, reach=(0.2, 5.0)).table) == 4096
    assert len(pack(potential, cells=0, reach=(0.01, 30.0)).table) == 0


def test_orbits_beyond_the_range_by_table_and_by_network(potential: PairPotential) -> None:
    system = trappist_1().sorted()
    with pytest.warns(ExtrapolationWarning):
        runs = [
            integrate_learned(system, potential, 2e-4, 500, cells=cells, hill_radii=0.0)
            for cells in (0, 4096)
        ]
    network, table = (run.trajectory.positions for run in runs)
    assert runs[0].coverage.least < 0.1 * RANGE.least
    assert abs(table - network).max() < 1e-10


def test_error_of_the_table_falls_with_the_fourth_power(potential: PairPotential) -> None:
    r = np.geomspace(0.11, 9.9, 1000)
    with torch.no_grad():
        expected = potential.ratio(torch.as_tensor(r)).numpy()

    def error(cells: int) -> float:
        packed = pack(potential, cells=cells)
        return float(abs(np.array([force_ratio(packed, x * x) for x in r]) - expected).max())

    assert error(32) / error(64) == pytest.approx(16, rel=0.35)


@pytest.mark.parametrize("cells", [0, 4096])
def test_kick_is_that_of_torch(potential: PairPotential, cells: int) -> None:
    system = compact_pairs(np.random.default_rng(0), 1)[0]
    for which in (system, planetesimals(np.random.default_rng(1), 12)):
        masses = torch.as_tensor(which.masses.copy())
        q = to_jacobi(masses, torch.as_tensor(which.positions.copy()))
        expected = PairInteraction(potential)(masses, q)[1:].detach()
        reduced = jacobi_masses(masses)[1:]
        kepler = (reduced * SPLIT.mu(masses, which.gravity) / which.gravity).numpy()
        planets = len(kepler)
        gradient, seen = np.zeros((3, planets)), np.array([np.inf, 0.0])
        pair_kick(
            pack(potential, cells=cells), which.masses.copy(), kepler, q[1:].numpy().T.copy(),
            np.zeros((3, planets)), gradient, seen,
        )  # fmt: skip
        found = -which.gravity * gradient.T / reduced[:, None].numpy()
        scale = np.linalg.norm(expected, axis=1, keepdims=True)
        pull = which.gravity / np.linalg.norm(q[1:], axis=1, keepdims=True) ** 2  # of the star
        assert (abs(found - expected.numpy()) < 1e-9 * scale + 1e-14 * pull).all()
        lengths = PairInteraction(potential).separations(masses, q)
        assert np.sqrt(seen) == pytest.approx([float(lengths.min()), float(lengths.max())])


def test_without_a_kick_planets_stay_on_their_orbits() -> None:
    system = sun_jupiter_saturn().sorted()
    run = integrate_uncoupled(system, 0.5, 200, sample_every=50)
    free = integrate(*tensors(system), 0.5, 200, kick=no_kick, sample_every=50)
    assert abs(run.positions - free.positions).max() < 1e-12


def test_orbits_are_those_of_torch(potential: PairPotential) -> None:
    system = System(
        [1.0, 1e-3, 5e-4], [[0, 0, 0], [1, 0.1, 0], [0, 1.8, 0.2]],
        [[0, 0, 0], [0, 6.2, 0.1], [-4.5, 0, 0.3]],
    ).barycentric()  # fmt: skip
    found = integrate_learned(system, potential, 0.02, 100, sample_every=20, cells=0)
    masses = torch.as_tensor(system.masses.copy())
    state = (torch.as_tensor(x.copy()) for x in (system.positions, system.velocities))
    expected = integrate(
        masses, *state, 0.02, 100, kick=PairInteraction(potential), sample_every=20
    )
    assert abs(found.trajectory.positions - expected.positions).max() < 1e-11
    assert abs(found.trajectory.velocities - expected.velocities).max() < 1e-10
    assert found.trajectory.times.tolist() == pytest.approx(expected.times.tolist())


def test_newton_packed_is_one() -> None:
    assert force_ratio(NEWTON, 1e-6) == force_ratio(NEWTON, 1e6) == 1.0


def test_learned_orbits_follow_the_exact_ones() -> None:
    system = sun_jupiter_saturn().sorted().barycentric()
    exact = integrate_compiled(system, 0.1, 20_000, sample_every=200, split=SPLIT)
    learned = integrate_learned(
        system, shipped_potential("pair-wide"), 0.1, 20_000, sample_every=200
    )
    free = integrate_uncoupled(system, 0.1, 20_000, sample_every=200)
    assert learned.coverage.inside
    missed = abs(learned.trajectory.positions - exact.positions).max()
    assert missed < 1e-4
    assert abs(free.positions - exact.positions).max() > 1e4 * missed


def test_the_guard_catches_a_potential_of_other_separations() -> None:
    system = trappist_1().sorted()
    with pytest.warns(ExtrapolationWarning, match="trained on .* to 200 au: its orbits are not"):
        run = integrate_learned(system, shipped_potential("pair-narrow"), 7e-5, 100)
    assert not run.coverage.inside
    assert run.coverage.most < 0.2
    assert integrate_learned(system, shipped_potential("pair-wide"), 7e-5, 100).coverage.inside


def test_bad_arguments_are_refused(potential: PairPotential) -> None:
    system = sun_jupiter_saturn().sorted()
    with pytest.raises(NBodyError, match="divides the steps"):
        integrate_learned(system, potential, 0.1, 10, sample_every=3)
    with pytest.raises(NBodyError, match="the step is nan"):
        integrate_learned(system, potential, float("nan"), 10)
