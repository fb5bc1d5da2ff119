import json
from pathlib import Path

import numpy as np
import pytest

from restudy.nbody.catalogue import planetary_system, sun_jupiter_saturn, trappist_1
from restudy.nbody.errors import CloseEncounter, NBodyError
from restudy.nbody.flow import Flow, apply, begun
from restudy.nbody.lyapunov import chaos
from restudy.nbody.splitting import ReboundSplit
from restudy.nbody.tangent import drift_deviations, gauss_functions, kick_deviations

REBOUND = json.loads(
    (Path(__file__).parents[2] / "validation/2111.15631/rebound-high-order.json").read_text()
)


def pair(row):
    e = row["eccentricity"]
    return planetary_system(
        1.0, [row["mass"]] * 2, [1.0, 1.0 + row["separation"]], [e, e], [0.0, 0.0],
        pericentre=[0.0, 3.0], true_anomaly=[0.0, 2.0],
    )  # fmt: skip


class Map:
    """The map of one system, in the flat arrays of compiled code."""

    def __init__(self, system, h):
        self.planets, self.q, self.v, self.work = begun(system, 1e-4, ReboundSplit(), 0.0)
        self.h = h

    def followed(self, flow, q, v):
        q, v = q.copy(), v.copy()
        apply(q, v, self.planets, self.work, self.h, np.array([int(flow)]), np.array([1.0]))
        return q, v

    def drifted(self, q, v):
        return self.followed(Flow.DRIFT, q, v)

    def kicked(self, q, v):
        return self.followed(Flow.KICK, q, v)

    def random_deviation(self, rng):
        out = np.zeros((2, 3, self.planets.width))
        out[..., : self.planets.number] = rng.normal(size=(2, 3, self.planets.number))
        return out[0].ravel(), out[1].ravel()

    def difference(self, move, dq, dv, size):
        """Return the derivative along a deviation, by central differences."""
        up = np.array(move(self.q + size * dq, self.v + size * dv))
        down = np.array(move(self.q - size * dq, self.v - size * dv))
        return (up - down) / (2 * size)


@pytest.mark.parametrize("h", [0.01, 0.3, 5.0, -2.0, 40.0])
def test_the_derivative_of_the_drift(h, rng):
    flow = Map(sun_jupiter_saturn(), h)
    dq, dv = flow.random_deviation(rng)
    truth = flow.difference(flow.drifted, dq, dv, 1e-6)
    q1, v1 = flow.drifted(flow.q, flow.v)
    drift_deviations(flow.q, flow.v, q1, v1, dq, dv, flow.planets, h)
    live = np.arange(3 * flow.planets.width) % flow.planets.width < flow.planets.number
    scale = np.abs(truth).max()
    np.testing.assert_allclose(np.array([dq, dv])[:, live], truth[:, live], atol=2e-8 * scale)


def test_the_derivative_of_the_drift_of_a_hyperbola(rng):
    flow = Map(sun_jupiter_saturn(), 3.0)
    flow.v *= 2.0
    dq, dv = flow.random_deviation(rng)
    truth = flow.difference(flow.drifted, dq, dv, 1e-6)
    q1, v1 = flow.drifted(flow.q, flow.v)
    drift_deviations(flow.q, flow.v, q1, v1, dq, dv, flow.planets, flow.h)
    live = np.arange(3 * flow.planets.width) % flow.planets.width < flow.planets.number
    scale = np.abs(truth).max()
    np.testing.assert_allclose(np.array([dq, dv])[:, live], truth[:, live], atol=2e-8 * scale)


def test_the_derivative_of_the_kick(rng):
    flow = Map(trappist_1(), 1.0)
    dq, dv = flow.random_deviation(rng)
    truth = flow.difference(flow.kicked, dq, dv, 1e-6)[1]
    kick_deviations(flow.q, dq, dv, flow.planets, flow.h)
    live = np.arange(3 * flow.planets.width) % flow.planets.width < flow.planets.number
    np.testing.assert_allclose(dv[live], truth[live], atol=1e-6 * np.abs(truth).max())


@pytest.mark.parametrize("z", [1e-9, 0.3, 1.4999, 1.5001, 30.0, -0.7, -1.4999, -1.5001, -20.0])
def test_gauss_functions_are_their_series(z):
    beta = 2.5 if z > 0 else -2.5
    X = np.sqrt(abs(z / beta))
    truth = []
    for n in range(6):
        term = np.longdouble(1)
        for k in range(1, n + 1):
            term *= np.longdouble(X) / k
        total, k = term, n
        while abs(term) > 1e-25:
            term *= -np.longdouble(beta) * np.longdouble(X) ** 2 / ((k + 1) * (k + 2))
            total, k = total + term, k + 2
        truth.append(float(total))
    np.testing.assert_allclose(gauss_functions(beta, X), truth, rtol=1e-13, atol=1e-14)


def test_jupiter_and_saturn_are_regular(rng):
    run = chaos(sun_jupiter_saturn(), 0.5, 100_000, rng=rng, sample_every=1000)
    assert run.megno[-1] == pytest.approx(2, abs=0.05)
    # ln t / t, not a constant
    assert run.exponent < 0.2 * run.growth[9] / run.times[9]


def test_a_chaotic_pair_forgets_as_fast_as_for_rebound(rng):
    row, regular = REBOUND["megno"]
    steps = round(row["time"] / row["step"])
    run = chaos(pair(row), row["step"], steps, rng=rng)
    # an average over 400 Lyapunov times, along an orbit that rounding makes another one
    assert run.megno[-1] == pytest.approx(row["megno"], rel=0.25)
    assert run.exponent == pytest.approx(2 * row["megno"] / row["time"], rel=0.25)
    assert run.lyapunov_time == pytest.approx(1 / run.exponent)
    calm = chaos(pair(regular), regular["step"], steps, rng=rng)
    assert calm.megno[-1] == pytest.approx(regular["megno"], abs=0.1)


def test_growth_is_that_of_a_second_trajectory(rng):
    system = pair(REBOUND["megno"][0])
    h, steps, size = 0.02, 5000, 1e-9
    flow = Map(system, h)
    dq, dv = flow.random_deviation(np.random.default_rng(7))
    norm = np.sqrt(dq @ dq + dv @ dv)
    q, v, p, w = flow.q, flow.v, flow.q + size * dq / norm, flow.v + size * dv / norm
    growth = 0.0
    flow.h = 0.5 * h
    (q, v), (p, w) = flow.kicked(q, v), flow.kicked(p, w)
    growth0 = np.log(np.sqrt(((p - q) ** 2).sum() + ((w - v) ** 2).sum()) / size)
    flow.h = h
    for _ in range(steps):  # the slow, obvious way: two trajectories, drawn together again
        (q, v), (p, w) = flow.drifted(q, v), flow.drifted(p, w)
        (q, v), (p, w) = flow.kicked(q, v), flow.kicked(p, w)
        d, u = (p - q).reshape(3, -1)[:, :2], (w - v).reshape(3, -1)[:, :2]
        apart = np.sqrt((d**2).sum() + (u**2).sum())
        growth += np.log(apart / size)
        p, w = q + (p - q) * size / apart, v + (w - v) * size / apart
    run = chaos(system, h, steps, rng=np.random.default_rng(7), sample_every=steps)
    assert run.growth[-1] == pytest.approx(growth + growth0, abs=1e-2 * growth + 0.1)
    assert growth > 3


def test_errors():
    system = planetary_system(
        1.0, [1e-3, 1e-3], [1.0, 1.1], [0.05, 0.0], [0.0, 0.0], true_anomaly=[0.0, 0.4]
    )
    with pytest.raises(CloseEncounter):
        chaos(system, 0.01, 10_000, rng=np.random.default_rng(1))
    with pytest.raises(NBodyError, match="the step is 0 yr"):
        chaos(system, 0.0, 10, rng=np.random.default_rng(1))
