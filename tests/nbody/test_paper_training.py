"""The paper's data and training."""

import concurrent.futures
from dataclasses import replace

import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.paper_network import PaperNetwork, paper_loss
from restudy.nbody.learned.paper_training import (
    BodySamples,
    PaperSetup,
    body_samples,
    train_paper_network,
    training_samples,
)

SMALL = PaperSetup(
    systems=3, test_systems=2, years=10.0, test_years=5.0, sample_every=10, width=24, steps=60
)


@pytest.fixture(scope="module")
def samples() -> tuple[BodySamples, BodySamples]:
    return training_samples(SMALL, seed=1)


def test_rows(samples: tuple[BodySamples, BodySamples]) -> None:
    """Three bodies, the star as zeros, and the momentum on both sides."""
    for found, steps in zip(samples, (200, 100), strict=True):
        count = SMALL.systems if steps == 200 else SMALL.test_systems
        assert found.inputs.shape == found.targets.shape == (count * steps // 10 * 3, 6)
        assert not found.inputs[::3].any()
        assert not found.targets[::3].any()
        assert np.array_equal(found.inputs[:, 3:], found.targets[:, :3])
        assert (np.abs(found.targets[:, 3:]).reshape(-1, 3, 3)[:, 1:].max(2) > 0).all()


def test_momenta_are_masses_times_jacobi_velocities() -> None:
    """After one short step, which changes next to nothing."""
    system = sun_jupiter_saturn()
    found = body_samples(system, 1e-6, 1)
    inner = system.masses[:2] @ system.velocities[:2] / system.masses[:2].sum()
    v = system.velocities[1] - system.velocities[0], system.velocities[2] - inner
    for i in (1, 2):
        expected = system.masses[i] * v[i - 1]
        np.testing.assert_allclose(found.inputs[i, 3:], expected, rtol=1e-4, atol=1e-9)


def test_targets_are_accelerations_about_the_star() -> None:
    """Newton's, less those of the two-body problems that the drift solves."""
    system = sun_jupiter_saturn()
    m, g, r = system.masses, system.gravity, system.positions

    def pull(i: int, j: int) -> np.ndarray:
        d = r[j] - r[i]
        return g * m[j] * d / np.linalg.norm(d) ** 3

    newton = [sum(pull(i, j) for j in range(3) if j != i) for i in range(3)]
    about_star = np.array([newton[1] - newton[0], newton[2] - newton[0]])
    inner = m[:2].sum()
    q1 = r[1] - r[0]
    q2 = r[2] - m[:2] @ r[:2] / inner
    kepler1 = -g * (m[0] + m[1]) * q1 / np.linalg.norm(q1) ** 3
    kepler2 = -g * m[0] * m.sum() / inner * q2 / np.linalg.norm(q2) ** 3
    # The outer planet's coordinate about the star is q2 + m1 / (m0 + m1) q1.
    expected = about_star - np.array([kepler1, kepler2 + m[1] / inner * kepler1])
    found = body_samples(system, 1e-6, 1).targets[1:, 3:]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_the_same_bits_on_any_number_of_workers(
    samples: tuple[BodySamples, BodySamples],
) -> None:
    for workers in (1, 2, 4):
        with concurrent.futures.ThreadPoolExecutor(workers) as executor:
            found = training_samples(SMALL, seed=1, executor=executor)
        for one, other in zip(found, samples, strict=True):
            assert np.array_equal(one.inputs, other.inputs)
            assert np.array_equal(one.targets, other.targets)


def test_other_seeds_have_other_systems(samples: tuple[BodySamples, BodySamples]) -> None:
    other = training_samples(replace(SMALL, years=0.5, test_years=0.5), seed=2)
    assert not np.isin(other[0].inputs[1], samples[0].inputs).any()


def test_training_lowers_the_loss(samples: tuple[BodySamples, BodySamples]) -> None:
    """Of momenta: the mean square error without any gradient is the mean square of targets."""
    setup = replace(SMALL, width=32, steps=400, batch=256, rate=3e-3)
    _, learning = train_paper_network(*samples, setup, seed=0)
    assert learning.steps[0] == 1
    assert learning.steps[-1] == 400
    assert np.median(learning.trained[-5:]) < 0.5 * np.median(learning.trained[:2])


def test_training_is_that_by_automatic_differentiation(
    samples: tuple[BodySamples, BodySamples],
) -> None:
    """All rows of a batch, stars too, in float64; the closed form has float32 and one star."""
    setup = replace(SMALL, steps=20, batch=64, rate=1e-3)
    found, learning = train_paper_network(*samples, setup, seed=7)
    rng = torch.Generator().manual_seed(int(np.random.SeedSequence(7).generate_state(1)[0]))
    network = PaperNetwork(setup.width, rng=rng).double()
    first = [x.detach().clone() for x in network.parameters()]
    optimiser = torch.optim.Adam(network.parameters(), lr=setup.rate)
    rows, others = ([torch.from_numpy(x).double() for x in (s.inputs, s.targets)] for s in samples)

    def batch_loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        drawn = torch.randint(len(x), (setup.batch,), generator=rng)
        x = x[drawn].requires_grad_()
        (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        return paper_loss(slope, y[drawn], x)

    for number in range(1, setup.steps + 1):
        optimiser.zero_grad()
        loss = batch_loss(*rows)
        loss.backward()
        optimiser.step()
        if number in learning.steps:
            k = learning.steps.index(number)
            assert learning.trained[k] == pytest.approx(float(loss.detach()), rel=1e-3)
            tested = batch_loss(*others)
            assert learning.tested[k] == pytest.approx(float(tested.detach()), rel=1e-3)
    moved = [x.detach() - start for x, start in zip(network.parameters(), first, strict=True)]
    mine = [x.detach() - start for x, start in zip(found.parameters(), first, strict=True)]
    for one, other in zip(mine, moved, strict=True):
        assert other.abs().max() > 1e-3
        assert torch.linalg.vector_norm(one - other) < 0.01 * torch.linalg.vector_norm(other)


def test_training_is_reproducible(samples: tuple[BodySamples, BodySamples]) -> None:
    runs = [train_paper_network(*samples, SMALL, seed=seed) for seed in (4, 4, 5)]
    states = [network.state_dict() for network, _ in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["last.weight"], states[2]["last.weight"])
    assert runs[0][1] == runs[1][1]


def test_presets() -> None:
    assert PaperSetup.paper() == PaperSetup()
    assert (PaperSetup().systems, PaperSetup().steps, PaperSetup().batch) == (50, 1000, 512)
    assert PaperSetup.quick().steps < PaperSetup.full().steps


def test_no_systems() -> None:
    with pytest.raises(NBodyError, match="0 systems to learn from"):
        training_samples(replace(SMALL, systems=0), seed=0)


def test_a_rate_that_explodes(samples: tuple[BodySamples, BodySamples]) -> None:
    with pytest.raises(NBodyError, match="use a lower rate"):
        train_paper_network(*samples, replace(SMALL, rate=1e18), seed=0)
