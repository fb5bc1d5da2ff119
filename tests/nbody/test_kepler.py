import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from restudy.nbody.errors import NBodyError
from restudy.nbody.kepler import propagate, universal_anomaly, within_a_period
from restudy.nbody.stumpff import stumpff

LONG = np.longdouble  # 64 bits of mantissa on x86, so that truth is beyond round-off
EPS = np.finfo(float).eps


def long_stumpff(x):
    """Return c_0 to c_3 in long double: x over powers of four, the series, and half-angle rules."""
    x = np.atleast_1d(np.asarray(x, dtype=LONG))
    size = np.maximum(np.abs(x), LONG(1e-30)) / LONG(0.1)
    k = np.maximum(0, np.ceil(np.log2(size) / 2)).astype(int)
    y = x / LONG(4) ** k
    c2, c3 = np.zeros_like(y), np.zeros_like(y)
    t2, t3 = np.full_like(y, LONG(1) / 2), np.full_like(y, LONG(1) / 6)
    for j in range(16):
        c2, c3 = c2 + t2, c3 + t3
        t2 = -t2 * y / ((2 * j + 3) * (2 * j + 4))
        t3 = -t3 * y / ((2 * j + 4) * (2 * j + 5))
    c1, c0 = 1 - y * c3, 1 - y * c2
    while (k > 0).any():
        more = k > 0
        double = 2 * c0 * c0 - 1, c0 * c1, c1 * c1 / 2, (c2 + c0 * c3) / 4
        c0, c1, c2, c3 = (
            np.where(more, n, c) for n, c in zip(double, (c0, c1, c2, c3), strict=True)
        )
        k = k - more
    return c0, c1, c2, c3


def test_stumpff_functions_to_the_last_digits(rng):
    x = np.r_[10 ** rng.uniform(-14, np.log10(38), 20_000), -(10 ** rng.uniform(-14, 5, 20_000))]
    x = np.r_[x, 0.0, 1.9999, 2.0001, -1.9999, -2.0001]
    found2, found3 = (c.numpy() for c in stumpff(torch.tensor(x)))
    _, _, c2, c3 = long_stumpff(x)
    sensitive = np.maximum(1.0, np.sqrt(np.abs(x)))  # round-off of y in sinh y
    assert (np.abs(found3 / c3.astype(float) - 1) <= 20 * EPS * sensitive).all()
    scale = np.maximum(np.abs(c2), 1 / (1 + np.abs(LONG(x)))).astype(float)
    assert (np.abs(found2 - c2.astype(float)) <= 20 * EPS * sensitive * scale).all()


def conics(rng, n):
    """Return states on ellipses, near-parabolas of both kinds, parabolas and hyperbolas."""
    q, mu = 10 ** rng.uniform(-3, 2, n), 10 ** rng.uniform(-2, 2, n)
    near = 10 ** rng.uniform(-10, -1, n)
    kinds = [rng.uniform(0, 1, n), 1 - near, 1 + near, 1 + 10 ** rng.uniform(-1, 1, n)]
    e = np.select([np.arange(n) % 5 == i for i in range(4)], kinds, 1.0)
    limit = np.where(e < 1, np.pi, np.arccos(-1 / np.maximum(e, 1)))
    f = limit * rng.uniform(-0.999, 0.999, n)
    return q, e, f, mu


def state(q, e, f, mu):
    r, h = q * (1 + e) / (1 + e * np.cos(f)), np.sqrt(mu * q * (1 + e))
    zero = np.zeros_like(r)
    return (
        torch.tensor(np.stack([r * np.cos(f), r * np.sin(f), zero], axis=-1)),
        torch.tensor(np.stack([-mu / h * np.sin(f), mu / h * (e + np.cos(f)), zero], axis=-1)),
    )


def residual(r, v, mu, dt):
    """Return Kepler's equation at the anomaly found, in long double, relative to its terms."""
    r0, eta = r.norm(dim=-1), (r * v).sum(-1)
    beta = 2 * mu / r0 - (v * v).sum(-1)
    dt = within_a_period(beta, mu, dt)
    s = universal_anomaly(r0, eta, beta, mu, dt)
    r0, eta, beta, mu, dt, s = (x.numpy().astype(LONG) for x in (r0, eta, beta, mu, dt, s))
    _, _, c2, c3 = long_stumpff(beta * s * s)
    terms = [r0 * s, eta * s**2 * c2, (mu - beta * r0) * s**3 * c3, -dt]
    return np.abs(sum(terms)) / sum(np.abs(t) for t in terms)


@pytest.mark.slow
def test_keplers_equation_holds_on_a_million_conics(rng):
    worst = 0.0
    for _ in range(10):
        q, e, f, mu = conics(rng, 100_000)
        r, v = state(q, e, f, mu)
        fall = r.norm(dim=-1).numpy() ** 1.5 / np.sqrt(mu)
        dt = fall * 10 ** rng.uniform(-6, 4, len(q)) * rng.choice([-1, 1], len(q))
        worst = max(worst, residual(r, v, torch.tensor(mu), torch.tensor(dt)).max())
    assert worst <= 1e-14


@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    e=st.floats(0, 20) | st.just(1.0) | st.floats(1 - 1e-9, 1 + 1e-9),
    q=st.floats(1e-4, 1e3),
    fraction=st.floats(-0.999, 0.999),
    mu=st.floats(1e-3, 1e3),
    exponent=st.floats(-8, 5),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_keplers_equation_holds_for_any_conic(e, q, fraction, mu, exponent, sign):
    limit = math.pi if e < 1 else math.acos(-1 / e)
    r, v = state(*(np.array([x]) for x in (q, e, limit * fraction, mu)))
    dt = sign * r.norm(dim=-1) ** 1.5 / mu**0.5 * 10**exponent
    mu = torch.tensor([mu], dtype=torch.float64)
    assert residual(r, v, mu, dt).max() <= 1e-14
    moved, velocity = propagate(r, v, mu, dt)
    assert torch.isfinite(moved).all()
    assert torch.isfinite(velocity).all()


def slowly(r, v, mu, dt):
    """Return where a body is by the same equations in long double, with Newton's method."""
    r, v, mu, dt = (x.numpy().astype(LONG) for x in (r, v, mu, dt))
    r0, eta = np.sqrt((r * r).sum(-1)), (r * v).sum(-1)
    beta = 2 * mu / r0 - (v * v).sum(-1)
    first = [torch.tensor(x.astype(float)) for x in (r0, eta, beta, mu, dt)]
    s = universal_anomaly(*first).numpy().astype(LONG)
    for _ in range(4):
        _, c1, c2, c3 = long_stumpff(beta * s * s)
        G1, G2, G3 = s * c1, s * s * c2, s**3 * c3
        s = s - (r0 * G1 + eta * G2 + mu * G3 - dt) / (r0 + eta * G1 + (mu - beta * r0) * G2)
    _, _, c2, c3 = long_stumpff(beta * s * s)
    f, g = 1 - mu * s * s * c2 / r0, dt - mu * s**3 * c3
    return f[:, None] * r + g[:, None] * v


def test_propagation_agrees_with_long_double(rng):
    q, e, f, mu = conics(rng, 50_000)
    near = e < 3
    r, v = state(q[near], e[near], 0.9 * f[near], mu[near])
    mu = torch.tensor(mu[near])
    fall = r.norm(dim=-1) ** 1.5 / mu**0.5
    beta = 2 * mu / r.norm(dim=-1) - (v * v).sum(-1)
    dt = within_a_period(beta, mu, fall * torch.tensor(10 ** rng.uniform(-6, 0.5, len(mu))))
    moved, velocity = propagate(r, v, mu, dt)
    error = np.abs(moved.numpy() - slowly(r, v, mu, dt)).max(1).astype(float)
    # The path is what round-off of the time moves a body along.
    path = (r.norm(dim=-1) + moved.norm(dim=-1) + dt.abs() * velocity.norm(dim=-1)).numpy()
    assert (error <= 40 * EPS * path).all()


def ellipse(a, e, E, mu):
    a, e, E, mu = (LONG(x) for x in (a, e, E, mu))
    root, n = np.sqrt((1 - e) * (1 + e)), np.sqrt(mu / a) / a
    rate = n / (1 - e * np.cos(E))
    zero = 0 * E
    r = np.stack([a * (np.cos(E) - e), a * root * np.sin(E), zero], axis=-1)
    v = np.stack([-a * np.sin(E) * rate, a * root * np.cos(E) * rate, zero], axis=-1)
    return r, v, (E - e * np.sin(E)) / n, n


def test_ellipses_are_where_keplers_equation_puts_them(rng):
    n = 20_000
    a, mu, e = 10 ** rng.uniform(-2, 2, n), 10 ** rng.uniform(-2, 2, n), rng.uniform(0, 0.9, n)
    E0, E1 = rng.uniform(-np.pi, np.pi, (2, n))
    turns = np.round(10 ** rng.uniform(0, 4, n)) - 1
    r0, v0, t0, motion = ellipse(a, e, E0, mu)
    r1, v1, t1, _ = ellipse(a, e, E1, mu)
    # The pi of long double, as that of double would be wrong by 1e-16 a turn.
    pi = LONG("3.14159265358979323846")
    dt = (t1 - t0 + 2 * pi * turns / motion).astype(float)
    r, v = propagate(
        *(torch.tensor(x.astype(float)) for x in (r0, v0)), torch.tensor(mu), torch.tensor(dt)
    )
    # Round-off of the start and of dt moves the body along its orbit, most near the pericentre.
    reach = EPS * (1 + np.abs(dt * motion.astype(float))) * 20 / (1 - e) ** 2
    assert (np.abs(r.numpy() - r1).max(1) <= reach * a).all()
    assert (np.abs(v.numpy() - v1).max(1) <= reach * np.sqrt(mu / a) / (1 - e)).all()


def test_hyperbolas_are_where_their_equation_puts_them(rng):
    n = 20_000
    a, mu, e = 10 ** rng.uniform(-2, 2, n), 10 ** rng.uniform(-2, 2, n), rng.uniform(1.1, 5, n)
    F = rng.uniform(-4, 4, (2, n)).astype(LONG)
    motion, root = np.sqrt(LONG(mu) / a) / a, np.sqrt(LONG(e) ** 2 - 1)
    rate = motion / (e * np.cosh(F) - 1)
    zero = np.zeros_like(F)
    r = np.stack([a * (e - np.cosh(F)), a * root * np.sinh(F), zero], axis=-1)
    v = np.stack([-a * np.sinh(F) * rate, a * root * np.cosh(F) * rate, zero], axis=-1)
    t = (e * np.sinh(F) - F) / motion
    start = [torch.tensor(x[0].astype(float)) for x in (r, v)]
    moved, _ = propagate(*start, torch.tensor(mu), torch.tensor((t[1] - t[0]).astype(float)))
    # Round-off of a start far out turns the way back out, by as much as both are far.
    stretch = np.cosh(np.maximum(*np.abs(F))).astype(float) ** 2 / (e - 1)
    assert (np.abs(moved.numpy() - r[1]).max(1) <= 400 * EPS * a * e * stretch).all()


def test_parabolas_are_where_barkers_equation_puts_them(rng):
    # r = q (1 - D^2, 2 D), t = sqrt(2 q^3 / mu) (D + D^3 / 3), with D = tan(f / 2).
    n = 5000
    q, mu = 10 ** rng.uniform(-2, 2, n), 10 ** rng.uniform(-2, 2, n)
    D = rng.uniform(-3, 3, (2, n))
    t = np.sqrt(2 * q**3 / mu) * (D + D**3 / 3)
    r0, v0 = state(q, np.ones(n), 2 * np.arctan(D[0]), mu)
    moved, _ = propagate(r0, v0, torch.tensor(mu), torch.tensor(t[1] - t[0]))
    truth = np.stack([q * (1 - D[1] ** 2), 2 * q * D[1], 0 * q], axis=-1)
    assert (np.abs(moved.numpy() - truth).max(1) <= 1e-12 * q).all()


def test_steps_add_up_and_a_fall_through_the_centre_comes_back(rng):
    q, e, f, mu = conics(rng, 2000)
    near = e < 3
    r, v = state(q[near], e[near], 0.9 * f[near], mu[near])
    mu = torch.tensor(mu[near])
    dt = 0.3 * r.norm(dim=-1) ** 1.5 / mu**0.5
    once = propagate(r, v, mu, dt)
    twice = propagate(*propagate(r, v, mu, 0.4 * dt), mu, 0.6 * dt)
    scale = (once[0].norm(dim=-1) + r.norm(dim=-1))[:, None]
    assert float(((once[0] - twice[0]) / scale).abs().max()) < 1e-11
    # On a line: v = 0 at r = 2a, and again after a period.
    line, rest = torch.tensor([[2.0, 0.0, 0.0]]).double(), torch.zeros(1, 3).double()
    back, _ = propagate(line, rest, torch.ones(1).double(), 1.9 * math.pi)
    forth, _ = propagate(line, rest, torch.ones(1).double(), 0.1 * math.pi)
    np.testing.assert_allclose(back, forth, rtol=1e-12)


def test_round_off_of_many_short_steps_does_not_drift():
    generator = torch.Generator().manual_seed(1)
    n, steps = 2000, 300
    angle = 2 * math.pi * torch.rand(n, dtype=torch.float64, generator=generator)
    r = torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1)
    v = torch.stack([-angle.sin(), angle.cos(), 0 * angle], dim=1)
    one = torch.ones(n, dtype=torch.float64)
    energy = 0.5 * (v * v).sum(1) - 1 / r.norm(dim=1)
    for _ in range(steps):
        r, v = propagate(r, v, one, 0.1)
    error = 0.5 * (v * v).sum(1) - 1 / r.norm(dim=1) - energy
    assert float(error.std()) < EPS * math.sqrt(steps)
    assert abs(float(error.mean())) < 0.05 * EPS * steps  # a bias of 1 in the last place: 1


def test_derivatives_are_those_of_finite_differences_and_the_map_is_symplectic():
    r = torch.tensor([[1.0, 0.2, -0.1], [0.9, -0.3, 0.2]]).double()
    v = torch.tensor([[-0.1, 0.9, 0.2], [0.3, 1.7, -0.1]]).double()  # an ellipse, a hyperbola
    mu = torch.tensor([1.0, 1.1]).double()
    dt = torch.tensor([9.0, 0.7]).double()  # more than a period of the ellipse
    inputs = [x.requires_grad_() for x in (r, v, mu, dt)]
    assert torch.autograd.gradcheck(propagate, inputs, eps=1e-6, atol=1e-6)
    for i in range(2):

        def flow(z, i=i):
            return torch.cat(propagate(z[:3], z[3:], mu[i].detach(), dt[i].detach()))

        M = torch.autograd.functional.jacobian(flow, torch.cat([r[i], v[i]]).detach())
        eye, zero = torch.eye(3).double(), torch.zeros(3, 3).double()
        J = torch.cat([torch.cat([zero, eye], 1), torch.cat([-eye, zero], 1)])
        assert float((M.T @ J @ M - J).abs().max()) < 1e-13 * float(M.abs().max()) ** 2


def test_what_is_no_orbit_is_refused():
    r, v = torch.eye(3).double()[:2].clone()
    one = torch.tensor(1.0).double()
    for arguments, sentence in (
        ((0 * r, v, one, 0.1), r"orbit \(\) has r = 0, r.v = 0"),
        ((r, v, -one, 0.1), r"mu = -1 and a step of 0.1; expected finite numbers, r and mu above"),
        ((r, v, one, math.nan), r"a step of nan; expected"),
        ((r * math.inf, v, one, 0.1), r"orbit \(\) has r = nan"),
    ):
        with pytest.raises(NBodyError, match=sentence):
            propagate(*arguments)
