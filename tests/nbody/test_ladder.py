"""Four ways to learn a force: what each architecture guarantees, and the comparison of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.kicked import TrueKick, frame_of
from restudy.nbody.learned.ladder import LADDER, climb
from restudy.nbody.learned.ladder_models import (
    EnergyModel,
    ForceModel,
    LearnedKick,
    PairEnergy,
)
from restudy.nbody.learned.ladder_training import (
    ForceSamples,
    LadderSetup,
    force_error,
    jupiter_saturn_samples,
    train_model,
    with_error,
)
from restudy.nbody.splitting import WISDOM_HOLMAN_91
from restudy.nbody.wisdom_holman import advance

FRAME = frame_of(sun_jupiter_saturn())
TINY = LadderSetup(
    samples=1000,
    held_out=200,
    width=16,
    steps=160,
    batch=64,
    rate=1e-2,
    check_every=20,
    run_steps=400,
    sample_every=4,
)
GRADIENTS = [name for name, kind in LADDER.items() if issubclass(kind, EnergyModel)]
INVARIANT = ["invariant", "pairwise"]


@pytest.fixture(scope="module")
def samples() -> ForceSamples:
    return jupiter_saturn_samples(TINY.samples, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def held_out() -> ForceSamples:
    return jupiter_saturn_samples(TINY.held_out, rng=np.random.default_rng(1))


def untrained(name: str, samples: ForceSamples, seed: int = 0) -> ForceModel:
    rng = torch.Generator().manual_seed(seed)
    return LADDER[name](FRAME, samples.scales(), 24, rng=rng)


def kick_jacobian(model: ForceModel, q: torch.Tensor) -> torch.Tensor:
    """Of (q, p) -> (q, p + step F(q)), with a step that makes it matter, (12, 12)."""
    step = 10 / model.scales.force

    def kick(state: torch.Tensor) -> torch.Tensor:
        position, momentum = state[:6], state[6:]
        return torch.cat((position, momentum + step * model.force(position.view(1, 2, 3)).view(-1)))

    state = torch.cat((q.reshape(-1), torch.zeros(6, dtype=torch.float64)))
    return torch.autograd.functional.jacobian(kick, state)


def broken_symplecticity(jacobian: torch.Tensor) -> float:
    one = torch.eye(6, dtype=torch.float64)
    nothing = torch.zeros_like(one)
    omega = torch.cat((torch.cat((nothing, one), 1), torch.cat((-one, nothing), 1)))
    return float((jacobian.T @ omega @ jacobian - omega).abs().max())


def test_samples_are_near_jupiter_and_saturn(samples: ForceSamples) -> None:
    a = sun_jupiter_saturn().semi_major_axes()
    distances = samples.positions.norm(dim=2).numpy()
    assert (distances > a * 0.89 * 0.9 * 0.99).all()
    assert (distances < a * 1.11 * 1.1 * 1.01).all()
    kick = TrueKick(FRAME)
    for q, force in zip(samples.positions[:5].numpy(), samples.forces[:5].numpy(), strict=True):
        np.testing.assert_allclose(kick(q, q) * FRAME.reduced[:, None], force, rtol=1e-12)


@pytest.mark.parametrize("name", LADDER)
def test_compiled_force(name: str, samples: ForceSamples) -> None:
    model = untrained(name, samples)
    model.freeze()
    with torch.no_grad():
        slow = model.force(samples.positions[:10]).numpy()
    fast = [model.compiled_force(q) for q in samples.positions[:10].numpy()]
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-14 * np.abs(slow).max())


@pytest.mark.parametrize("name", LADDER)
def test_the_kick_for_many_systems_is_that_for_one(name: str, samples: ForceSamples) -> None:
    model = untrained(name, samples)
    q = samples.positions[:6].reshape(2, 3, 2, 3)
    with_centre = torch.cat((torch.zeros(2, 3, 1, 3, dtype=torch.float64), q), dim=2)
    with torch.no_grad():
        found = model(torch.tensor(FRAME.masses), with_centre)
    assert not found[..., 0, :].any()
    one = LearnedKick(model)
    for i, j in np.ndindex(2, 3):
        state = q[i, j].numpy()
        np.testing.assert_allclose(found[i, j, 1:], one(state, state), rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("name", LADDER)
def test_steps_are_symplectic_with_any_weights_of_an_energy(
    name: str, samples: ForceSamples
) -> None:
    """J^T Omega J = Omega for a whole step of the map of Sun, Jupiter and Saturn."""
    model, mu = (
        untrained(name, samples),
        WISDOM_HOLMAN_91.mu(torch.tensor(FRAME.masses), FRAME.gravity),
    )
    reduced = torch.tensor(FRAME.reduced)[:, None]
    step = torch.tensor(0.1, dtype=torch.float64)
    system = sun_jupiter_saturn()
    start = [torch.tensor(FRAME.jacobi(x)) for x in (system.positions, system.velocities)]
    unit = float(reduced.mean())  # of momenta

    def forward(state: torch.Tensor) -> torch.Tensor:
        q, p = state.view(2, 2, 3)
        centred = [nn.functional.pad(x, (0, 0, 1, 0)) for x in (q, unit * p / reduced)]
        masses = torch.tensor(FRAME.masses)
        q, v = (x[1:] for x in advance(masses, *centred, step, 1, model, mu))
        return torch.stack((q, v * reduced / unit)).view(-1)

    state = torch.stack((start[0], start[1] * reduced / unit)).view(-1)
    error = broken_symplecticity(torch.autograd.functional.jacobian(forward, state))
    if name in GRADIENTS:
        assert error < 1e-12
    else:
        assert error > 1e-6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", GRADIENTS)
def test_kicks_of_an_energy_are_symplectic_with_any_weights(
    name: str, seed: int, samples: ForceSamples
) -> None:
    jacobian = kick_jacobian(untrained(name, samples, seed), samples.positions[seed])
    assert (jacobian - torch.eye(12)).abs().max() > 0.01  # it does kick
    assert broken_symplecticity(jacobian) < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_kicks_of_a_plain_network_are_not(seed: int, samples: ForceSamples) -> None:
    jacobian = kick_jacobian(untrained("plain", samples, seed), samples.positions[seed])
    assert broken_symplecticity(jacobian) > 0.01


@pytest.mark.parametrize("name", LADDER)
def test_rotation(name: str, samples: ForceSamples) -> None:
    """Forces turn with the planets, and exert no torque; or both fail."""
    model = untrained(name, samples)
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0])
    q = samples.positions[:50]
    with torch.no_grad():
        force, turned = model.force(q), model.force(q @ turn)
    torque = torch.linalg.cross(q, force).sum(1).norm(dim=1) / (
        q.norm(dim=2) * force.norm(dim=2)
    ).sum(1)
    error = (turned - force @ turn).norm(dim=(1, 2)) / force.norm(dim=(1, 2))
    if name in INVARIANT:
        assert torque.max() < 1e-11
        assert error.max() < 1e-11
    else:
        assert torque.median() > 0.01
        assert error.median() > 0.01


class Inverse(nn.Module):
    """Of the logarithm of a distance."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(-x)


def test_the_pairwise_energy_is_exact_with_the_exact_potential(samples: ForceSamples) -> None:
    model = untrained("pairwise", samples)
    assert isinstance(model, PairEnergy)
    model.network = Inverse()  # type: ignore[assignment]
    assert force_error(model, samples) < 1e-12


def test_no_force_is_an_error_of_one(samples: ForceSamples) -> None:
    model = untrained("plain", samples)
    nn.init.zeros_(model.network.dense[-1].weight)
    assert force_error(model, samples) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", LADDER)
def test_training(name: str, samples: ForceSamples, held_out: ForceSamples) -> None:
    found = train_model(LADDER[name], samples, held_out, TINY, 0)
    assert found.steps == (0, *range(20, 161, 20))
    assert found.errors[-1] < 0.75 * found.errors[0]
    assert force_error(found.model, held_out) == found.errors[-1]
    half = 0.5 * (found.errors[0] + found.errors[-1])
    assert force_error(with_error(found, half, held_out), held_out) == pytest.approx(half, rel=1e-9)
    assert force_error(found.model, held_out) == found.errors[-1], "the model stays as it is"
    with pytest.raises(NBodyError, match="train longer"):
        with_error(found, 1e-6, held_out)
    again = train_model(LADDER[name], samples, held_out, replace(TINY, steps=20), 0)
    other = train_model(LADDER[name], samples, held_out, replace(TINY, steps=20), 1)
    assert again.errors[0] == found.errors[0] != other.errors[0]


def test_climb() -> None:
    """A short one: of equal force errors, the conserved quantities tell the models apart."""
    found = climb(TINY, seed=0)
    assert [rung.name for rung in found.equal] == [*LADDER]
    errors = np.array([rung.force_error for rung in found.equal])
    assert np.ptp(errors) < 1e-6 * errors[0]
    trained = {rung.name: rung for rung in found.trained}
    assert trained["pairwise"].force_error < 0.2 * trained["plain"].force_error
    assert found.exact.run.energy_error < 3e-6
    for rung in (*found.equal, *found.trained):
        if rung.name in INVARIANT:
            assert rung.run.angular_momentum_error < 1e-12
        else:
            assert rung.run.angular_momentum_error > 1e-6
    assert trained["pairwise"].run.phase_error.max() < found.zero.run.phase_error.min()


@pytest.mark.slow
def test_a_plain_force_drifts_and_a_gradient_does_not() -> None:
    found = climb(LadderSetup.quick(), seed=0, models=("plain", "scalar"))
    plain, scalar = found.equal
    assert plain.force_error == pytest.approx(scalar.force_error, rel=1e-6)
    assert abs(plain.run.energy_drift) > 0.5 * plain.run.energy_error
    assert abs(plain.run.energy_drift) > 30 * abs(scalar.run.energy_drift)
    assert abs(scalar.run.energy_drift) < 0.1 * scalar.run.energy_error


def test_unknown_model() -> None:
    with pytest.raises(NBodyError, match="no model 'quantum'; use plain, scalar"):
        climb(TINY, seed=0, models=("plain", "quantum"))


def test_no_states(rng: np.random.Generator) -> None:
    with pytest.raises(NBodyError, match="0 states; expected at least 1"):
        jupiter_saturn_samples(0, rng=rng)
