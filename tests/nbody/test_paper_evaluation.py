"""The four experiments of the paper, and what is measured in them."""

import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.kicked import frame_of
from restudy.nbody.learned.paper_evaluation import (
    PaperKick,
    accelerations,
    agreement,
    agreement_on,
    evaluate,
    paper_experiments,
    t_interval,
)
from restudy.nbody.learned.paper_network import PaperNetwork
from restudy.nbody.learned.paper_training import body_samples


def network(seed: int = 0) -> PaperNetwork:
    found = PaperNetwork(32, rng=torch.Generator().manual_seed(seed))
    torch.nn.init.normal_(found.last.weight, std=1e-5, generator=torch.Generator().manual_seed(9))
    return found


def test_experiments_are_those_of_the_paper() -> None:
    found = {e.name: e for e in paper_experiments(seed=0)}
    assert [e.system.bodies for e in found.values()] == [2, 3, 8, 101]
    assert [e.step * e.steps for e in found.values()] == [1000, 2000, 200, 200]
    assert found["TRAPPIST-1"].step / found["TRAPPIST-1"].system.periods()[0] > 24
    assert found["planetesimals"].shortened(50).steps == 50
    assert found["planetesimals"].shortened(500).steps == 200


def test_a_kick_is_the_networks_momentum_gradient_body_by_body() -> None:
    """Through the coordinates about the star: q2 is r2 less m1 / (m0 + m1) of r1."""
    system = sun_jupiter_saturn()
    frame, found = frame_of(system), network()
    q, v = frame.jacobi(system.positions), frame.jacobi(system.velocities)
    about_star = []
    for i in range(2):
        x = torch.tensor(np.r_[q[i], system.masses[i + 1] * v[i]], dtype=torch.float32)
        x = x[None].requires_grad_()
        (slope,) = torch.autograd.grad(found(x).sum(), x)
        about_star.append(slope[0, 3:].numpy())
    share = system.masses[1] / system.masses[:2].sum()
    expected = [about_star[0], about_star[1] - share * about_star[0]]
    np.testing.assert_allclose(PaperKick(found, frame)(q, v), expected, rtol=1e-4, atol=1e-12)


def test_outcomes_of_sun_jupiter_saturn() -> None:
    (found,) = evaluate(
        [paper_experiments(seed=0)[1].shortened(300)], [network(0), network(1)]
    ).values()
    assert found.exact.kick.r2 == 1
    assert found.exact.run.phase_error.max() == 0
    assert found.zero.kick.r2 == 0
    assert np.isnan(found.zero.kick.cosine)
    assert found.zero.run.energy_peak_to_peak > 8 * found.exact.run.energy_peak_to_peak
    assert found.zero.run.eccentricity_range.max() < 1e-12
    assert found.first_only.run.energy[1] != found.zero.run.energy[1]
    for outcome in found.networks:  # untrained: next to no kick, and not the same
        assert outcome.kick.r2 == pytest.approx(0, abs=0.05)
        assert outcome.run.phase_error == pytest.approx(found.first_only.run.phase_error, rel=0.1)
    assert found.networks[0].kick != found.networks[1].kick


def test_two_bodies_have_no_true_kick() -> None:
    (found,) = evaluate([paper_experiments(seed=0)[0].shortened(200)], [network()]).values()
    assert found.exact.kick.true_size == 0
    assert np.isnan(found.networks[0].kick.r2)
    assert found.zero.run.energy_error < 1e-13
    assert found.networks[0].run.energy_error > 1e-12


def test_finer_steps_of_the_exact_run() -> None:
    (found,) = evaluate([paper_experiments(seed=0)[2].shortened(5)], []).values()
    assert found.exact.run.times.tolist() == found.zero.run.times.tolist()
    assert np.isfinite(found.exact.run.energy).all()


def test_agreement() -> None:
    true = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert agreement(true, true).r2 == 1
    assert agreement(np.zeros((2, 2)), true).r2 == 0
    found = agreement(-true, true)
    assert (found.r2, found.cosine) == (-3, -1)
    assert found.true_size == pytest.approx(2.5)
    across = agreement(np.array([[-4.0, 3.0], [0.0, 0.0]]), true)
    assert (across.r2, across.cosine) == (-1, 0)


def test_accelerations_of_many_bodies_with_their_star() -> None:
    """Those of all rows one by one; the rows of stars are asked for too."""
    inputs, found = body_samples(sun_jupiter_saturn(), 0.5, 300).inputs, network()
    assert not inputs[::3].any()
    single = [found.gradient(torch.from_numpy(row)[None])[0, 3:].detach() for row in inputs]
    expected = torch.stack(single).numpy()
    assert np.abs(expected[0]).max() > 0
    size = np.abs(expected).max()
    np.testing.assert_allclose(accelerations(found, inputs), expected, rtol=1e-4, atol=1e-6 * size)


def test_agreement_on_samples() -> None:
    samples = body_samples(sun_jupiter_saturn(), 0.5, 20)
    assert agreement_on(network(), samples).r2 == pytest.approx(0, abs=0.05)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(NBodyError, match="an interval needs at least 2 seeds"):
        t_interval([1.0])


def test_a_t_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        found = t_interval(list(rng.normal(3.0, 2.0, 5)))
        inside += abs(found.mean - 3.0) <= found.half_width
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)
