"""The optimiser: Adam where it keeps its axes, and much better than Adam on a skew valley."""

import numpy as np
import torch

from restudy.gasoptics.emulators.soap import Soap


def descend(
    optimiser: torch.optim.Optimizer, w: torch.nn.Parameter, steps: int, seed: int = 1
) -> float:
    """Fit a matrix through ill-conditioned inputs; return the loss."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 12, generator=rng, dtype=torch.float64)
    x = x @ torch.diag(10.0 ** torch.linspace(0, -3, 12, dtype=torch.float64))
    turn = torch.linalg.qr(torch.randn(12, 12, generator=rng, dtype=torch.float64))[0]
    x = x @ turn
    y = x @ torch.randn(12, 6, generator=rng, dtype=torch.float64) * 10
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / steps)
        optimiser.zero_grad()
        loss = (x @ w.T - y).square().mean()
        loss.backward()
        optimiser.step()
    return float((x @ w.detach().T - y).square().mean())


def start() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(6, 12, dtype=torch.float64))


def test_with_its_axes_kept_it_is_adam() -> None:
    ours, theirs = start(), start()
    descend(Soap([ours], 0.3, widest=0), ours, 50)
    descend(torch.optim.Adam([theirs], 0.3, betas=(0.95, 0.95), eps=1e-12), theirs, 50)
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_a_skew_valley_is_no_obstacle() -> None:
    """In the geometric mean of six: where one descent ends depends on the rounding of a machine."""
    ratios = []
    for seed in range(6):
        ours, theirs = start(), start()
        fast = descend(Soap([ours], 0.3), ours, 300, seed)
        slow = descend(torch.optim.Adam([theirs], 0.3, betas=(0.95, 0.95)), theirs, 300, seed)
        ratios.append(fast / slow)
    assert np.exp(np.mean(np.log(ratios))) < 0.01


def test_axes_without_a_gradient_do_no_harm() -> None:
    """Inputs that lie in a plane leave rounding errors along all other axes: no step is longer."""
    rng = torch.Generator().manual_seed(2)
    plane = torch.randn(2, 12, generator=rng)
    x = 1e3 * torch.randn(200, 2, generator=rng) @ plane
    w = torch.nn.Parameter(torch.zeros(6, 12))
    optimiser = Soap([w], 1.0)
    for _ in range(25):
        before = w.detach().clone()
        optimiser.zero_grad()
        (x @ w.T - 1).square().mean().backward()
        optimiser.step()
        assert float((w.detach() - before).norm()) <= (6 * 12) ** 0.5 * 1.001
