import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import (
    compact_pairs,
    equal_binary,
    sun_jupiter_saturn,
    trappist_1,
)
from restudy.nbody.errors import CloseEncounter, NBodyError, StepWarning
from restudy.nbody.hamiltonian import ExactKick, angular_momentum, energy, no_kick
from restudy.nbody.jacobi import from_jacobi, jacobi_masses, to_jacobi
from restudy.nbody.splitting import REBOUND, WISDOM_HOLMAN_91
from restudy.nbody.wisdom_holman import advance, integrate


def tensors(system):
    return tuple(torch.tensor(x) for x in (system.masses, system.positions, system.velocities))


def energy_error(system, trajectory):
    E = energy(
        torch.tensor(system.masses),
        torch.tensor(trajectory.positions),
        torch.tensor(trajectory.velocities),
        system.gravity,
    ).numpy()
    return (E - E[0]) / E[0]


@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
def test_published_energy_errors_of_sun_jupiter_and_saturn():
    # Peak to peak over 2,000 steps of 1 yr, from the notebooks: the classical integrator 1.996e-5,
    # and the network, which kicks as if there were no interaction, 2.862e-4.
    s = sun_jupiter_saturn()
    classical = energy_error(s, integrate(*tensors(s), 1.0, 2000))
    assert np.ptp(classical) == pytest.approx(1.996e-5, rel=0.02)
    control = energy_error(s, integrate(*tensors(s), 1.0, 2000, kick=no_kick))
    assert np.ptp(control) == pytest.approx(2.862e-4, rel=0.02)


@pytest.mark.parametrize("split", [WISDOM_HOLMAN_91, REBOUND])
def test_error_falls_with_the_square_of_the_step(split):
    s = sun_jupiter_saturn()
    m, r, v = tensors(s)
    fine = integrate(m, r, v, 0.0025, 8000, split=split, sample_every=8000).positions[-1]
    errors = []
    for steps in (40, 80, 160):
        coarse = integrate(m, r, v, 20 / steps, steps, split=split, sample_every=steps)
        errors.append(np.abs(coarse.positions[-1] - fine).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.1)


def test_both_splits_converge_to_the_motion_of_newtons_equations():
    # Truth: DOP853 at 1e-13 on the second-order equations, written out here.
    from scipy.integrate import solve_ivp

    s = sun_jupiter_saturn()

    def newton(_, y):
        r = y[:9].reshape(3, 3)
        apart = r[None] - r[:, None]
        d = np.linalg.norm(apart, axis=2) + np.eye(3)
        a = s.gravity * (s.masses[None, :, None] * apart / d[..., None] ** 3).sum(1)
        return np.r_[y[9:], a.ravel()]

    start = np.r_[s.positions.ravel(), s.velocities.ravel()]
    truth = solve_ivp(newton, (0, 20), start, "DOP853", rtol=1e-13, atol=1e-14).y[:9, -1]
    for split in (WISDOM_HOLMAN_91, REBOUND):
        found = [
            integrate(*tensors(s), 20 / n, n, split=split, sample_every=n).positions[-1]
            for n in (400, 800)
        ]
        extrapolated = found[1] + (found[1] - found[0]) / 3  # Richardson, order 2
        np.testing.assert_allclose(extrapolated, truth.reshape(3, 3), atol=2e-9)


def test_two_bodies_are_exact_for_any_step():
    s = equal_binary(0.3)
    period = s.periods()[0]
    with pytest.warns(StepWarning, match="longer than 1/20 of the shortest period, 4.443 yr"):
        t = integrate(*tensors(s), period * (10 + 1 / 3), 3, gravity=1.0)
    np.testing.assert_allclose(t.positions[-1], s.positions, atol=1e-13)
    assert np.abs(energy_error(s, t)).max() < 1e-13
    fine = integrate(*tensors(s), 0.1, 10_000, gravity=1.0, sample_every=100)
    assert np.abs(energy_error(s, fine)).max() < 1e-13  # the paper's network: 3.2e-7


def test_forward_and_back_is_where_it_began():
    s = sun_jupiter_saturn()
    m, r, v = tensors(s)
    out = integrate(m, r, v, 0.1, 1000, sample_every=1000)
    r1, v1 = torch.tensor(out.positions[-1]), torch.tensor(out.velocities[-1])
    back = integrate(m, r1, v1, -0.1, 1000, sample_every=1000)
    np.testing.assert_allclose(back.positions[-1], s.positions, atol=1e-11)
    assert back.times[-1] == pytest.approx(-100.0)


def test_momentum_and_angular_momentum_are_kept_to_round_off():
    s = trappist_1()
    m, r, v = tensors(s)
    t = integrate(m, r, v, 2e-4, 1000, sample_every=100)
    p = (s.masses[:, None] * t.velocities).sum(1)
    assert np.abs(p).max() < 1e-16 * np.abs(s.masses[:, None] * s.velocities).sum() * 10
    L = angular_momentum(m, torch.tensor(t.positions), torch.tensor(t.velocities)).numpy()
    assert np.abs(L - L[0]).max() < 1e-13 * np.linalg.norm(L[0])
    assert np.abs(energy_error(s, t)).max() < 2e-6


def test_the_map_is_symplectic():
    # M^T J M = J for the Jacobian of one step in (q', p').
    s = sun_jupiter_saturn().barycentric()
    m, r, v = tensors(s)
    reduced = jacobi_masses(m)[:, None]
    mu = WISDOM_HOLMAN_91.mu(m, s.gravity)
    kick = ExactKick(s.gravity)

    def step(z):
        q, p = z.reshape(2, 3, 3)
        q, qdot = advance(m, q, p / reduced, torch.tensor(0.5).double(), 1, kick, mu)
        return torch.cat([q.ravel(), (reduced * qdot).ravel()])

    z = torch.cat([to_jacobi(m, r).ravel(), (reduced * to_jacobi(m, v)).ravel()])
    M = torch.autograd.functional.jacobian(step, z)
    eye, zero = torch.eye(9).double(), torch.zeros(9, 9).double()
    J = torch.cat([torch.cat([zero, eye], 1), torch.cat([-eye, zero], 1)])
    assert float((M.T @ J @ M - J).abs().max()) < 1e-12 * float(M.abs().max()) ** 2


def test_a_batch_is_its_systems_one_by_one(rng):
    systems = compact_pairs(rng, 4)
    m, r, v = (torch.stack(x) for x in zip(*map(tensors, systems), strict=True))
    steps = torch.tensor([s.periods()[0] / 40 for s in systems])
    batch = integrate(m, r, v, steps, 60, sample_every=20)
    for i, s in enumerate(systems):
        single = integrate(*tensors(s), float(steps[i]), 60, sample_every=20)
        np.testing.assert_allclose(batch.system(i).positions, single.positions, rtol=0, atol=1e-13)
        np.testing.assert_allclose(batch.system(i).times, single.times)
    alike = integrate(m[0], r[:1].expand(2, 3, 3), v[:1].expand(2, 3, 3), 1e-3, 5)
    np.testing.assert_array_equal(alike.positions[:, 0], alike.positions[:, 1])


def test_gradients_through_steps_are_those_of_finite_differences():
    s = sun_jupiter_saturn()
    m, r, v = tensors(s)

    def distance(m, r, v):
        q, qdot = to_jacobi(m, r), to_jacobi(m, v)
        mu = WISDOM_HOLMAN_91.mu(m, s.gravity)
        q, _ = advance(m, q, qdot, torch.tensor(0.5).double(), 3, ExactKick(), mu)
        return (from_jacobi(m, q)[1] - from_jacobi(m, q)[2]).norm()

    leaves = [x.clone().requires_grad_() for x in (m, r, v)]
    assert torch.autograd.gradcheck(distance, leaves, eps=1e-7, atol=1e-6, rtol=1e-5)


def test_a_watch_stops_a_run_and_a_start_that_cannot_be_followed_is_refused():
    s = sun_jupiter_saturn()
    m, r, v = tensors(s)

    def watch(time, positions):
        if time > 0.55:
            raise CloseEncounter(time, ("Jupiter", "Saturn"), 0.1, 0.2)

    with pytest.raises(CloseEncounter, match=r"Jupiter and Saturn are 0.1 au apart at 0.6 yr"):
        integrate(m, r, v, 0.1, 100, watch=watch)
    for arguments, sentence in (
        ((m, r[:2], v, 0.1, 10), r"velocities have shape \(3, 3\); expected \(2, 3\)"),
        ((m[:2], r, v, 0.1, 10), r"masses have shape \(2,\); expected \(3,\)"),
        ((m, r[:, :2], v, 0.1, 10), r"positions have shape \(3, 2\); expected \(N, 3\)"),
        ((m, r.float(), v, 0.1, 10), "positions are of torch.float32; expected torch.float64"),
        ((m, r * torch.nan, v, 0.1, 10), r"positions\[0, 0\] is no finite number"),
        ((-m, r, v, 0.1, 10), "the least mass is -1; expected masses above 0"),
        ((m, r, v, 0.0, 10), "a step is 0 or no number"),
        ((m, r, v, 0.1, 0), "0 steps with a sample every 1"),
        ((m, r, v, torch.ones(3), 10), r"step has shape \(3,\); expected one"),
    ):
        with pytest.raises(NBodyError, match=sentence):
            integrate(*arguments)
