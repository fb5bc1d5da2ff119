"""Adam against torch's own, bit by bit."""

import pytest
import torch

from restudy.adam import Adam


@pytest.mark.parametrize(("falling", "longest"), [(None, None), (30, None), (30, 0.5)])
def test_steps_are_those_of_torch(falling: int | None, longest: float | None) -> None:
    start = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).double()
    mine, theirs = ([torch.nn.Parameter(x.clone()) for x in start] for _ in range(2))
    goal = torch.linspace(-2, 2, 4).double()

    def loss(weights: list[torch.nn.Parameter]) -> torch.Tensor:
        return sum((k + 1) * ((torch.tanh(w) - goal) ** 2).sum() for k, w in enumerate(weights))  # type: ignore[return-value]

    adam = Adam(mine, 0.05, falling_over=falling, longest=longest)
    optimiser = torch.optim.Adam(theirs, lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, falling or 1)
    for _ in range(30):
        adam.step(loss(mine))
        optimiser.zero_grad()
        loss(theirs).backward()
        if longest is not None:
            torch.nn.utils.clip_grad_norm_(theirs, longest)
        optimiser.step()
        if falling:
            schedule.step()
    for a, b, first in zip(mine, theirs, start, strict=True):
        assert (
            torch.allclose(a, b, rtol=1e-10, atol=1e-12)
            if falling or longest
            else torch.equal(a, b)
        )
        assert (a - first).abs().max() > 0.1


def test_rate_may_change_between_steps() -> None:
    mine, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(4, 3)) for _ in range(2))
    adam, reference = Adam([mine], 1.0), torch.optim.Adam([theirs], lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(reference, 0.9)
    for _ in range(30):
        adam.step(((mine - 0.3) ** 4 + torch.sin(3 * mine)).sum())
        reference.zero_grad()
        ((theirs - 0.3) ** 4 + torch.sin(3 * theirs)).sum().backward()
        reference.step()
        adam.rate *= 0.9
        schedule.step()
        assert torch.equal(mine, theirs)
