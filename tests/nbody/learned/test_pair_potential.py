"""The pair potential: closed form against autograd, and what holds by construction."""

import math

import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import trappist_1
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import exact_kick, interaction_energy
from restudy.nbody.jacobi import jacobi_masses, to_jacobi
from restudy.nbody.learned.guard import GuardedKick
from restudy.nbody.learned.interaction import PairInteraction, difference_matrix
from restudy.nbody.learned.pair_potential import Newton, PairPotential, SeparationRange
from restudy.nbody.splitting import ReboundSplit, WisdomHolman91Split
from restudy.nbody.units import GRAVITY
from restudy.nbody.wisdom_holman import advance

RANGE = SeparationRange(0.1, 10.0)
SPLITS = [WisdomHolman91Split(), ReboundSplit()]


def potential(seed: int = 0) -> PairPotential:
    """Return one with random weights."""
    return PairPotential(RANGE, 8, rng=torch.Generator().manual_seed(seed))


def some_system(seed: int = 0, bodies: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return masses (N,) and inertial positions (N, 3)."""
    rng = np.random.default_rng(seed)
    masses = np.r_[1.0, 10 ** rng.uniform(-4, -2, bodies - 1)]
    return torch.tensor(masses), torch.tensor(rng.normal(size=(bodies, 3)) * 2)


def test_derivatives_by_the_weights_are_those_of_autograd() -> None:
    learned = potential(3)
    r = torch.logspace(-1.5, 1.5, 7, dtype=torch.float64)
    found = learned.ratio_gradients(r).detach()
    for row, value in zip(found, learned.ratio(r), strict=True):
        parts = torch.autograd.grad(
            value, list(learned.parameters()), retain_graph=True, materialize_grads=True
        )
        expected = torch.cat([x.flatten() for x in parts])
        assert torch.allclose(row, expected, rtol=1e-12, atol=1e-13 * float(expected.abs().max()))


def test_slope_is_that_of_autograd() -> None:
    r = torch.logspace(-2, 2, 50, dtype=torch.float64, requires_grad=True)
    phi = potential()(r)
    (slope,) = torch.autograd.grad(phi.sum(), r)
    ratio = potential().ratio(r)
    assert torch.allclose(r**2 * slope, ratio, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("split", SPLITS)
def test_kick_is_minus_the_gradient_of_the_energy(split: object) -> None:
    masses, r = some_system()
    q = to_jacobi(masses, r).requires_grad_()
    interaction = PairInteraction(potential(), split=split)
    (gradient,) = torch.autograd.grad(interaction.energy(masses, q), q)
    expected = -gradient / jacobi_masses(masses)[:, None]
    found = interaction(masses, q.detach())
    assert torch.allclose(found[1:], expected[1:], rtol=1e-10, atol=1e-12)
    assert bool((found[0] == 0).all())


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("bodies", [2, 3, 8])
def test_newton_is_the_exact_interaction(split: object, bodies: int) -> None:
    masses, r = some_system(1, bodies)
    q = to_jacobi(masses, r)
    interaction = PairInteraction(Newton(), split=split)
    assert torch.allclose(
        interaction(masses, q), exact_kick(masses, q, GRAVITY, split), rtol=1e-9, atol=1e-10
    )
    assert float(interaction.energy(masses, q)) == pytest.approx(
        float(interaction_energy(masses, q, GRAVITY, split)), rel=1e-10, abs=1e-14
    )


def test_influences_add_up_to_the_accelerations() -> None:
    masses, r = some_system(2)
    q = to_jacobi(masses, r)
    separations, influences = PairInteraction(Newton()).influences(masses, q)
    found = (potential().ratio(separations)[:, None, None] * influences).sum(0)
    assert torch.allclose(found, PairInteraction(potential())(masses, q), rtol=1e-9, atol=1e-12)


def test_invariant_under_rotation_and_translation() -> None:
    masses, r = some_system(3)
    rotation = torch.as_tensor(np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0])
    interaction = PairInteraction(potential())
    q = to_jacobi(masses, r)
    moved = to_jacobi(masses, r @ rotation.T + torch.tensor([3.0, -7.0, 11.0]))
    with torch.no_grad():
        energy = float(interaction.energy(masses, q))
        assert float(interaction.energy(masses, moved)) == pytest.approx(energy, rel=1e-12)
        kicked = interaction(masses, q)[1:] @ rotation.T
        assert torch.allclose(interaction(masses, moved)[1:], kicked, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_pairs_do_not_know_the_order_of_the_bodies() -> None:
    """The sum over pairs alone; the terms that the Kepler orbits have depend on the order."""
    masses, r = some_system(4)
    phi = potential()

    def pairs(m: torch.Tensor, x: torch.Tensor) -> float:
        i, j = torch.triu_indices(4, 4, 1)
        return float((m[i] * m[j] * phi((x[i] - x[j]).norm(dim=-1))).sum())

    def ours(m: torch.Tensor, x: torch.Tensor) -> float:
        """Return the sum over pairs from the interaction, with what it leaves to the orbits."""
        q = to_jacobi(m, x)
        own = jacobi_masses(m)[1:] * WisdomHolman91Split().mu(m, 1.0)
        kepler = float((own * phi(q[1:].norm(dim=-1))).sum())
        return float(PairInteraction(phi, gravity=1.0).energy(m, q)) + kepler

    order = torch.tensor([0, 3, 1, 2])
    assert ours(masses, r) == pytest.approx(pairs(masses, r), rel=1e-12)
    assert ours(masses[order], r[order]) == pytest.approx(ours(masses, r), rel=1e-12)


@torch.no_grad()
def test_homogeneous_in_mass() -> None:
    masses, r = some_system(5)
    q = to_jacobi(masses, r)  # the same for all masses times a number
    interaction = PairInteraction(potential())
    energy, scaled = interaction.energy(masses, q), interaction.energy(3 * masses, q)
    assert float(scaled) == pytest.approx(9 * float(energy), rel=1e-12)
    assert torch.allclose(interaction(3 * masses, q), 3 * interaction(masses, q), rtol=1e-12)


def test_no_torque() -> None:
    system = trappist_1()
    masses = torch.as_tensor(system.masses.copy())
    q = to_jacobi(masses, torch.as_tensor(system.positions.copy()))
    interaction = PairInteraction(potential())
    with torch.no_grad():
        kick = interaction(masses, q)
        r = interaction.separations(masses, q)
        torques = (GRAVITY * interaction.products(masses) * potential().ratio(r) / r).abs().sum()
    torque = (jacobi_masses(masses)[:, None] * torch.linalg.cross(q, kick)).sum(0)
    assert float(torque.norm() / torques) < 1e-15


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_step_is_symplectic_with_any_weights(seed: int) -> None:
    """M^T Omega M = Omega for the Jacobian M of a step in canonical coordinates."""
    masses = torch.tensor([1.0, 1e-2, 5e-3], dtype=torch.float64)
    mu = WisdomHolman91Split().mu(masses, GRAVITY)
    weights = jacobi_masses(masses)[1:, None]
    interaction = PairInteraction(potential(seed))
    start = torch.tensor([[1.0, 0.1, 0.0], [0.0, 1.8, 0.2]], dtype=torch.float64)
    speed = torch.tensor([[0.0, 6.2, 0.1], [-4.5, 0.0, 0.3]], dtype=torch.float64)

    def step(state: torch.Tensor) -> torch.Tensor:
        q, p = state.reshape(2, 2, 3)
        q, v = (torch.nn.functional.pad(x, (0, 0, 1, 0)) for x in (q, p / weights))
        q, v = advance(masses, q, v, torch.tensor(0.05).double(), 1, interaction, mu)
        return torch.cat([q[1:].flatten(), (weights * v[1:]).flatten()])

    state = torch.cat([start.flatten(), (weights * speed).flatten()])
    M = torch.autograd.functional.jacobian(step, state)
    unit = torch.eye(6, dtype=torch.float64)
    zero = torch.zeros_like(unit)
    omega = torch.cat([torch.cat([zero, unit], 1), torch.cat([-unit, zero], 1)])
    # dimensionless momenta, so that 1e-12 is small against all entries
    scale = torch.cat([torch.ones(6), weights.expand(2, 3).flatten() * 2 * math.pi])
    M = M * scale / scale[:, None]
    metric = omega * scale[:, None] * scale / scale[6:].max()
    error = M.T @ metric @ M - metric
    assert float(error.abs().max()) < 1e-12


@torch.no_grad()
def test_forward_and_backward() -> None:
    masses = torch.tensor([1.0, 1e-3, 5e-4], dtype=torch.float64)
    mu = WisdomHolman91Split().mu(masses, GRAVITY)
    q = torch.tensor([[0.0, 0, 0], [1.0, 0.1, 0.0], [0.0, 1.8, 0.2]], dtype=torch.float64)
    v = torch.tensor([[0.0, 0, 0], [0.0, 6.2, 0.1], [-4.5, 0.0, 0.3]], dtype=torch.float64)
    interaction = PairInteraction(potential())
    h = torch.tensor(0.02).double()
    there = advance(masses, q, v, h, 100, interaction, mu)
    back = advance(masses, *there, -h, 100, interaction, mu)
    assert float((there[0] - q).abs().max()) > 0.1
    assert float((back[0] - q).abs().max()) < 1e-12


@torch.no_grad()
def test_two_bodies_have_no_interaction() -> None:
    masses = torch.tensor([1.0, 0.3], dtype=torch.float64)
    q = torch.tensor([[0.0, 0, 0], [1.0, 0.5, 0.2]], dtype=torch.float64)
    interaction = PairInteraction(potential())
    assert float(interaction.energy(masses, q)) == 0.0
    assert bool((interaction(masses, q) == 0).all())


def test_vectors_are_differences_of_positions() -> None:
    masses, r = some_system(6)
    vectors = difference_matrix(masses) @ to_jacobi(masses, r)
    i = torch.tensor([0, 0, 1, 1, 2])
    j = torch.tensor([2, 3, 2, 3, 3])
    assert torch.allclose(vectors[:5], r[j] - r[i], rtol=1e-12, atol=1e-14)
    assert torch.allclose(vectors[5:], to_jacobi(masses, r)[2:], rtol=1e-12)


def test_a_range_that_is_none_is_refused() -> None:
    for ends in ((0.0, 1.0), (2.0, 1.0), (1.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(NBodyError, match="0 < least < most"):
            SeparationRange(*ends)
    with pytest.raises(NBodyError, match="0 units"):
        PairPotential(RANGE, 0, rng=torch.Generator())


def test_guarded_kick_notes_what_it_was_asked_for() -> None:
    masses, r = some_system(7)
    q = to_jacobi(masses, r)
    interaction = PairInteraction(potential())
    kick = GuardedKick(interaction)
    assert torch.equal(kick(masses, q), interaction(masses, q))
    kick(masses, 3 * q)
    lengths = interaction.separations(masses, q)
    assert kick.coverage.least == float(lengths.min())
    assert kick.coverage.most == pytest.approx(3 * float(lengths.max()))
    assert kick.coverage.inside == (
        kick.coverage.least >= RANGE.least and kick.coverage.most <= RANGE.most
    )
    with pytest.raises(TypeError, match="Newton"):
        GuardedKick(PairInteraction(Newton()))
