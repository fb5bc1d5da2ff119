"""The paper's network: its activation, its layers, its gradient and its loss."""

import math

import numpy as np
import pytest
import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.paper_kernels import FewGradients, symmetric_log_slopes
from restudy.nbody.learned.paper_network import (
    PaperNetwork,
    paper_loss,
    paper_loss_slopes,
    symmetric_log,
)


def network(width: int = 16, seed: int = 0) -> PaperNetwork:
    return PaperNetwork(width, rng=torch.Generator().manual_seed(seed)).double()


def bodies(count: int, seed: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return 5 * torch.randn(count, 6, generator=rng, dtype=torch.float64)


def test_symmetric_log_is_odd() -> None:
    x = torch.linspace(-50, 50, 1001, dtype=torch.float64)
    torch.testing.assert_close(symmetric_log(-x), -symmetric_log(x), rtol=0, atol=0)


def test_symmetric_log_is_a_cube_near_zero() -> None:
    x = torch.logspace(-6, -2, 9, dtype=torch.float64)
    ratio = symmetric_log(x) / x**3
    assert (ratio - 1).abs().max() < 1.2e-4  # the next term is -7 x^5 / 6
    assert float((ratio[-1] - 1) / x[-1] ** 2) == pytest.approx(-7 / 6, rel=1e-3)


def test_symmetric_log_is_a_logarithm_far_away() -> None:
    for x in (30.0, 1e3, 1e6):
        found = float(symmetric_log(torch.tensor(x, dtype=torch.float64)))
        assert found == pytest.approx(math.log(1 + x), rel=1e-15)


def test_architecture() -> None:
    paper = PaperNetwork(rng=torch.Generator().manual_seed(3))
    weights = 6 * 512 + 3 * 512 * 512 + 512
    assert sum(p.numel() for p in paper.parameters()) == weights + 4 * 512 == 792_064
    assert paper.last.bias is None
    for layer in [*paper.dense, paper.last]:
        w = layer.weight if layer.weight.shape[0] <= layer.weight.shape[1] else layer.weight.T
        torch.testing.assert_close(w @ w.T, torch.eye(len(w)), rtol=0, atol=2e-6)


def test_the_gradient_is_that_of_the_scalar() -> None:
    found, x = network(), bodies(40).requires_grad_()
    (automatic,) = torch.autograd.grad(found(x).sum(), x)
    assert automatic.abs().max() > 1e-4
    torch.testing.assert_close(found.gradient(x).detach(), automatic, rtol=1e-11, atol=1e-16)


def test_the_gradient_is_a_difference_quotient() -> None:
    found, x = network(), bodies(5)
    h = 1e-5
    for k in range(6):
        ahead, behind = x.clone(), x.clone()
        ahead[:, k] += h
        behind[:, k] -= h
        with torch.no_grad():
            quotient = (found(ahead) - found(behind))[:, 0] / (2 * h)
        torch.testing.assert_close(found.gradient(x)[:, k].detach(), quotient, rtol=1e-6, atol=1e-9)


def test_the_loss_can_be_differentiated_through_the_closed_form() -> None:
    """As through two passes of automatic differentiation, which is what the authors do."""
    found, x, y = network(), bodies(20), bodies(20, seed=2)
    closed = torch.autograd.grad(
        paper_loss(found.gradient(x), y, x), [*found.parameters()], allow_unused=True
    )
    x = x.requires_grad_()
    (twice,) = torch.autograd.grad(found(x).sum(), x, create_graph=True)
    automatic = torch.autograd.grad(
        paper_loss(twice, y, x), [*found.parameters()], allow_unused=True
    )
    for one, other in zip(closed, automatic, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_body_does_not_see_the_others() -> None:
    found, x = network(), bodies(3)
    moved = x.clone()
    moved[1:] += 1.0
    torch.testing.assert_close(
        found.gradient(x)[0].detach(), found.gradient(moved)[0].detach(), rtol=1e-13, atol=0
    )
    assert (found.gradient(x)[1:] - found.gradient(moved)[1:]).abs().min() > 0


def test_loss_body_by_body() -> None:
    predicted, targets, inputs = (bodies(7, seed=k).numpy() for k in (1, 2, 3))
    squares, turn = 0.0, np.zeros(3)
    for y, t, x in zip(predicted, targets, inputs, strict=True):
        squares += sum((a - b) ** 2 for a, b in zip(y, t, strict=True))
        turn += np.cross(y[3:], x[3:]) - np.cross(x[3:], y[:3])
    expected = squares / (7 * 6) + 100 * math.sqrt((turn**2).sum())
    found = paper_loss(*map(torch.from_numpy, (predicted, targets, inputs)))
    assert float(found) == pytest.approx(expected, rel=1e-13)


def test_the_second_term_vanishes_without_a_kick_and_not_for_the_true_one() -> None:
    inputs = bodies(8)
    targets = torch.cat((inputs[:, 3:], bodies(8, seed=4)[:, 3:]), dim=1)
    silent = torch.cat((inputs[:, 3:], torch.zeros(8, 3, dtype=torch.float64)), dim=1)
    assert float(paper_loss(silent, silent, inputs)) < 1e-10
    assert float(paper_loss(targets, targets, inputs)) > 1


def test_the_seed_decides() -> None:
    one, same, other = (network(seed=k).state_dict() for k in (5, 5, 6))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_no_units() -> None:
    with pytest.raises(NBodyError, match="0 units in a hidden layer; expected at least 1"):
        PaperNetwork(0, rng=torch.Generator())


def test_the_activation_with_its_slopes() -> None:
    """Against automatic differentiation, from where it is a cube to where it is a logarithm."""
    grid = torch.logspace(-8, 3, 400, dtype=torch.float64)
    x = torch.cat((-grid, torch.zeros(1, dtype=torch.float64), grid)).requires_grad_()
    y = symmetric_log(x)
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    found = [torch.empty_like(bend) for _ in range(3)]
    symmetric_log_slopes(x.detach(), *found)
    for one, other in zip(found, (y, slope, bend), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=1e-12, atol=0)


def test_a_few_bodies_in_compiled_code() -> None:
    exact, x = network(24), bodies(3)
    single = PaperNetwork(24, rng=torch.Generator().manual_seed(0))
    expected = exact.gradient(x).detach().numpy()
    found = FewGradients(single, 3)(x.float().numpy())
    assert np.abs(expected).min() > 1e-6
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_the_loss_and_its_slopes_in_closed_form() -> None:
    """A row that stands for three is three rows."""
    predicted, targets, inputs = (bodies(7, seed=k) for k in (1, 2, 3))
    times = torch.tensor([1, 1, 3, 1, 0, 2, 1])
    each = predicted.clone().requires_grad_()
    rows = torch.arange(7).repeat_interleave(times)
    loss = paper_loss(each[rows], targets[rows], inputs[rows])
    (slopes,) = torch.autograd.grad(loss, each)
    weights = times.double()[:, None]
    found, closed = paper_loss_slopes(predicted, targets, inputs, weights)
    torch.testing.assert_close(found, loss.detach(), rtol=1e-13, atol=0)
    torch.testing.assert_close(closed, slopes, rtol=1e-12, atol=1e-13)


def test_the_loss_of_silence_has_slopes() -> None:
    """Where the torque vanishes its length has none."""
    silent, inputs, weights = torch.zeros(4, 6), bodies(4).float(), torch.ones(4, 1)
    loss, slopes = paper_loss_slopes(silent, silent, inputs, weights)
    assert float(loss) == 0
    assert not slopes.any()
