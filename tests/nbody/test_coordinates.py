import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import planetesimals, sun_jupiter_saturn, trappist_1
from restudy.nbody.hamiltonian import (
    energy,
    exact_kick,
    interaction_energy,
    kepler_energy,
)
from restudy.nbody.heliocentric import from_heliocentric, to_heliocentric
from restudy.nbody.jacobi import (
    from_jacobi,
    inertial_matrix,
    jacobi_masses,
    jacobi_matrix,
    to_jacobi,
)
from restudy.nbody.splitting import REBOUND, WISDOM_HOLMAN_91
from restudy.nbody.units import GRAVITY

SPLITS = pytest.mark.parametrize("split", [WISDOM_HOLMAN_91, REBOUND])


@pytest.fixture
def state(rng):
    """Three systems of five bodies."""
    masses = torch.tensor(np.c_[np.ones(3), 10 ** rng.uniform(-5, -1, (3, 4))])
    spread = np.array([0.1, 1, 2, 4, 8])[:, None]
    return masses, torch.tensor(rng.normal(size=(3, 5, 3)) * spread), torch.randn(3, 5, 3).double()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(3)


def newtonian(masses, r):
    """Return accelerations by two loops."""
    a = np.zeros_like(r)
    for i in range(len(r)):
        for j in range(len(r)):
            if i != j:
                a[i] += GRAVITY * masses[j] * (r[j] - r[i]) / np.linalg.norm(r[j] - r[i]) ** 3
    return a


def test_jacobi_coordinates_are_from_the_centre_of_mass_of_what_is_inside(state):
    masses, r, _ = state
    q = to_jacobi(masses, r)
    for b in range(3):
        m, x = masses[b].numpy(), r[b].numpy()
        np.testing.assert_allclose(q[b, 0], m @ x / m.sum(), rtol=1e-13, atol=1e-15)
        for i in range(1, 5):
            inner = m[:i] @ x[:i] / m[:i].sum()
            np.testing.assert_allclose(q[b, i], x[i] - inner, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(from_jacobi(masses, q), r, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(
        inertial_matrix(masses) @ jacobi_matrix(masses),
        np.broadcast_to(np.eye(5), (3, 5, 5)),
        atol=1e-14,
    )


def symplectic_defect(M, n):
    eye, zero = torch.eye(n).double(), torch.zeros(n, n).double()
    J = torch.cat([torch.cat([zero, eye], 1), torch.cat([-eye, zero], 1)])
    return float((M.T @ J @ M - J).abs().max())


def test_jacobi_coordinates_are_canonical(state):
    masses, r, v = (x[0] for x in state)

    def transform(z):
        q, p = z.reshape(2, 5, 3)
        velocity = to_jacobi(masses, p / masses[:, None])
        return torch.cat(
            [to_jacobi(masses, q).ravel(), (jacobi_masses(masses)[:, None] * velocity).ravel()]
        )

    z = torch.cat([r.ravel(), (masses[:, None] * v).ravel()])
    assert symplectic_defect(torch.autograd.functional.jacobian(transform, z), 15) < 1e-12


def test_democratic_heliocentric_coordinates_are_canonical_and_come_back(state):
    masses, r, v = state
    q, u = to_heliocentric(masses, r, v)
    np.testing.assert_allclose(q[:, 2], r[:, 2] - r[:, 0], rtol=1e-14)
    back = from_heliocentric(masses, q, u)
    np.testing.assert_allclose(back[0], r, atol=1e-13)
    np.testing.assert_allclose(back[1], v, atol=1e-12)
    m = masses[0]
    momenta = torch.cat([m.sum()[None], m[1:]])[:, None]

    def transform(z):
        q, p = z.reshape(2, 5, 3)
        x, w = to_heliocentric(m, q, p / m[:, None])
        return torch.cat([x.ravel(), (momenta * w).ravel()])

    z = torch.cat([r[0].ravel(), (m[:, None] * v[0]).ravel()])
    assert symplectic_defect(torch.autograd.functional.jacobian(transform, z), 15) < 1e-12


@SPLITS
def test_parts_of_the_hamiltonian_add_up(state, split):
    masses, r, v = state
    q, qdot = to_jacobi(masses, r), to_jacobi(masses, v)
    parts = kepler_energy(masses, q, qdot, GRAVITY, split) + interaction_energy(
        masses, q, GRAVITY, split
    )
    np.testing.assert_allclose(parts, energy(masses, r, v), rtol=1e-12)


@SPLITS
def test_kick_is_minus_the_gradient_of_the_interaction(state, split):
    masses, r, _ = state
    q = to_jacobi(masses, r).requires_grad_()
    (gradient,) = torch.autograd.grad(interaction_energy(masses, q, GRAVITY, split).sum(), q)
    expected = -gradient / jacobi_masses(masses)[..., None]
    found = exact_kick(masses, q.detach(), GRAVITY, split)
    scale = expected.abs().amax(-1, keepdim=True)
    assert float(((found - expected).abs()[:, 1:] / scale[:, 1:]).max()) < 1e-9
    assert not found[:, 0].any()


@SPLITS
@pytest.mark.parametrize("system", [sun_jupiter_saturn(), trappist_1()], ids=["SJS", "TRAPPIST-1"])
def test_kick_and_kepler_acceleration_are_newtons_law(split, system):
    m, r = torch.tensor(system.masses), torch.tensor(system.positions)
    q = to_jacobi(m, r)
    kepler = -split.mu(m, GRAVITY)[:, None] * q[1:] / q[1:].norm(dim=1, keepdim=True) ** 3
    found = exact_kick(m, q, GRAVITY, split)
    found[1:] += kepler
    expected = to_jacobi(m, torch.tensor(newtonian(system.masses, system.positions)))
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-12, atol=1e-13)


def test_kick_of_many_light_bodies_keeps_its_digits(rng):
    s = planetesimals(rng, 30)
    m, r = torch.tensor(s.masses), torch.tensor(s.positions)
    light = torch.cat([m[:1], 1e-300 * m[1:]])
    assert torch.isfinite(exact_kick(light, to_jacobi(light, r))).all()


@SPLITS
def test_two_bodies_do_not_interact(split):
    m = torch.tensor([1.0, 0.3]).double()
    q = torch.randn(2, 3).double()
    assert float(interaction_energy(m, q, GRAVITY, split)) == 0.0
    assert not exact_kick(m, q, GRAVITY, split).any()


def test_matrices_follow_the_masses_given(state):
    from restudy.nbody.hamiltonian import ExactKick

    masses, r, _ = state
    kick = ExactKick()
    first = kick(masses, r)
    other = kick(2 * masses, r)
    np.testing.assert_allclose(other, 2 * first, rtol=1e-12)
    np.testing.assert_array_equal(kick(masses, r), first)
