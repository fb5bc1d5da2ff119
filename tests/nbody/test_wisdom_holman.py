import numpy as np
import pytest
import torch

from restudy.nbody.batch import stacked, tensors
from restudy.nbody.catalogue import (
    compact_pairs,
    equal_binary,
    sun_jupiter_saturn,
    trappist_1,
)
from restudy.nbody.diagnostics import angular_momentum_error, energy_error
from restudy.nbody.errors import CloseEncounter, NBodyError, StepWarning
from restudy.nbody.hamiltonian import ExactKick
from restudy.nbody.jacobi import from_jacobi, jacobi_masses, to_jacobi
from restudy.nbody.splitting import REBOUND, WISDOM_HOLMAN_91
from restudy.nbody.wisdom_holman import advance, integrate

# The first forty errors of the energy that the notebook of Sun, Jupiter and Saturn prints, in 1e-8.
PRINTED = """
594078 594120 593985 593870 593796 593751 593724 593706 593693 593687 593693 593724 593787 593874
593970 594064 594118 593879 592895 593021 593970 594134 594051 593946 593847 593767 593717 593698
593701 593715 593734 593760 593801 593871 593988 594158 594221 593260 592452 593870
"""


@pytest.mark.filterwarnings("ignore::restudy.nbody.errors.StepWarning")
def test_published_energy_errors_of_sun_jupiter_and_saturn():
    s = sun_jupiter_saturn()
    m, r, v = (x.expand(2, *x.shape) for x in tensors(s))
    exact, interacting = ExactKick(), torch.tensor([1.0, 0.0]).double()[:, None, None]
    both = integrate(m, r, v, 1.0, 2000, kick=lambda m, q: interacting * exact(m, q))
    classical, control = energy_error(m, both).T
    # The notebook's reference is an energy in another frame, so that its errors have an offset, and
    # are relative to another number: two constants, and then all printed digits.
    printed = 1e-8 * np.array(PRINTED.split(), dtype=float)
    other = np.c_[np.ones(40), classical[1:41]]
    (offset, scale), *_ = np.linalg.lstsq(other, printed)
    np.testing.assert_allclose(other @ [offset, scale], printed, rtol=0, atol=1.2e-8)
    assert scale == pytest.approx(1 - offset, abs=1e-3)
    # Peak to peak over 2,000 steps: the classical integrator, and the network, whose kick is none.
    assert scale * np.ptp(classical) == pytest.approx(1.996e-5, rel=1e-3)
    assert scale * np.ptp(control) == pytest.approx(2.862e-4, rel=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["compact pairs", "TRAPPIST-1"])
def test_a_gpu_gives_the_same_orbits(name):
    pairs = compact_pairs(np.random.default_rng(1), 50)
    systems, step = {"compact pairs": (pairs, 1e-3), "TRAPPIST-1": ([trappist_1()], 1e-4)}[name]
    here, there = (integrate(*stacked(systems, on), step, 100) for on in ("cpu", "cuda"))
    np.testing.assert_allclose(here.positions, there.positions, rtol=0, atol=1e-11)
    np.testing.assert_allclose(here.velocities, there.velocities, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def truth():
    """Return where Sun, Jupiter and Saturn are after 20 yr, by DOP853 on Newton's equations."""
    from scipy.integrate import solve_ivp

    s = sun_jupiter_saturn()

    def newton(_, y):
        r = y[:9].reshape(3, 3)
        apart = r[None] - r[:, None]
        d = np.linalg.norm(apart, axis=2) + np.eye(3)
        a = s.gravity * (s.masses[None, :, None] * apart / d[..., None] ** 3).sum(1)
        return np.r_[y[9:], a.ravel()]

    start = np.r_[s.positions.ravel(), s.velocities.ravel()]
    return solve_ivp(newton, (0, 20), start, "DOP853", rtol=1e-13, atol=1e-14).y[:9, -1]


@pytest.mark.parametrize("split", [WISDOM_HOLMAN_91, REBOUND])
def test_error_against_newtons_equations_falls_with_the_square_of_the_step(split, truth):
    s = sun_jupiter_saturn()
    ends = [
        integrate(*tensors(s), 20 / n, n, split=split, sample_every=n).positions[-1]
        for n in (40, 80, 160)
    ]
    errors = [np.abs(end - truth.reshape(3, 3)).max() for end in ends]
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 2.0, atol=0.1)
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.05)
    extrapolated = ends[2] + (ends[2] - ends[1]) / 3  # Richardson, order 2
    assert np.abs(extrapolated - truth.reshape(3, 3)).max() < 0.01 * errors[2]


def test_two_bodies_are_exact_for_any_step():
    s = equal_binary(0.3)
    period = s.periods()[0]
    with pytest.warns(StepWarning, match="longer than 1/20 of the shortest period, 4.443 yr"):
        t = integrate(*tensors(s), period * (10 + 1 / 3), 3, gravity=1.0)
    np.testing.assert_allclose(t.positions[-1], s.positions, atol=1e-13)
    assert np.abs(energy_error(s.masses, t, s.gravity)).max() < 1e-13
    fine = integrate(*tensors(s), 0.1, 1000, gravity=1.0, sample_every=100)
    assert (
        np.abs(energy_error(s.masses, fine, s.gravity)).max() < 1e-13
    )  # the paper's network: 3.2e-7 after 10,000 steps


def test_forward_and_back_is_where_it_began():
    s = sun_jupiter_saturn()
    m, r, v = tensors(s)
    out = integrate(m, r, v, 0.1, 300, sample_every=300)
    r1, v1 = torch.tensor(out.positions[-1]), torch.tensor(out.velocities[-1])
    back = integrate(m, r1, v1, -0.1, 300, sample_every=300)
    np.testing.assert_allclose(back.positions[-1], s.positions, atol=1e-11)
    assert back.times[-1] == pytest.approx(-30.0)


def test_momentum_and_angular_momentum_are_kept_to_round_off():
    s = trappist_1()
    m, r, v = tensors(s)
    t = integrate(m, r, v, 2e-4, 500, sample_every=100)
    p = (s.masses[:, None] * t.velocities).sum(1)
    assert np.abs(p).max() < 1e-16 * np.abs(s.masses[:, None] * s.velocities).sum() * 10
    assert angular_momentum_error(m, t).max() < 1e-13
    assert np.abs(energy_error(s.masses, t, s.gravity)).max() < 2e-6


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
    m, r, v = stacked(systems)
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
    two = (x.expand(2, *x.shape) for x in (m, r, v))
    with pytest.raises(NBodyError, match="no common time; watch one at a time"):
        integrate(*two, torch.ones(2), 10, watch=watch)
