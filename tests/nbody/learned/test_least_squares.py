"""Least squares on valleys with known floors, and the damped equations against a direct solve."""

from collections.abc import Callable

import pytest
import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.least_squares import DampedEquations, Fit, levenberg_marquardt

Residuals = Callable[[torch.Tensor], torch.Tensor]
STEEP = torch.tensor([3.0, 10.0, 30.0]).double()


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    """0 at (1, 1)."""
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def helix(x: torch.Tensor) -> torch.Tensor:
    """Have a valley along a helix: Fletcher and Powell (1963); 0 at (1, 0, 0)."""
    turn = torch.atan2(x[1], x[0]) / (2 * torch.pi)
    return torch.stack([10 * (x[2] - 10 * turn), 10 * (x[:2].norm() - 1), x[2]])


def bent(x: torch.Tensor) -> torch.Tensor:
    """Have a long valley that is bent in three planes; 0 at ones, with the last at 0."""
    return torch.cat([STEEP * (x[:3] - torch.cos(x[3] * torch.arange(1, 4))), x[3:] / 10])


CASES: list[tuple[Residuals, list[float], list[float]]] = [
    (rosenbrock, [-1.2, 1.0], [1.0, 1.0]),
    (helix, [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    (bent, [0.0, 0.0, 0.0, 2.0], [1.0, 1.0, 1.0, 0.0]),
]


def fitted(
    residuals: Residuals, start: list[float], *, iterations: int = 500, accelerate: bool = True
) -> Fit:
    return levenberg_marquardt(
        torch.tensor(start).double(),
        residuals,
        torch.func.jacrev(residuals),
        iterations=iterations,
        accelerate=accelerate,
    )


def needed(fit: Fit) -> int:
    """Return the iterations to a cost of 1e-20."""
    return next(k for k, cost in enumerate(fit.costs) if cost < 1e-20)


@pytest.mark.parametrize(("residuals", "start", "floor"), CASES)
@pytest.mark.parametrize("accelerate", [False, True])
def test_the_floor_of_a_valley_is_found(
    residuals: Residuals, start: list[float], floor: list[float], accelerate: bool
) -> None:
    fit = fitted(residuals, start, accelerate=accelerate)
    assert torch.allclose(fit.parameters, torch.tensor(floor).double(), atol=1e-8)
    assert list(fit.costs) == sorted(fit.costs, reverse=True)


def test_parabolas_take_fewer_steps_than_straight_lines() -> None:
    counts = {
        residuals.__name__: [
            needed(fitted(residuals, start, accelerate=accelerate)) for accelerate in (False, True)
        ]
        for residuals, start, _ in CASES
    }
    assert all(curved <= straight for straight, curved in counts.values())
    straight, curved = counts["rosenbrock"]
    assert curved < straight
    straight, curved = counts["bent"]
    assert curved < 0.4 * straight


@pytest.mark.parametrize("shape", [(7, 30), (30, 7), (9, 9)])
@pytest.mark.parametrize("damping", [1e-8, 1e-3, 10.0])
def test_equations_are_solved_whichever_side_is_longer(
    shape: tuple[int, int], damping: float
) -> None:
    """Against a direct solve, with columns of lengths over six decades and one that is zero."""
    rng = torch.Generator().manual_seed(4)
    J = torch.randn(shape, generator=rng).double() * torch.logspace(-3, 3, shape[1]).double()
    J[:, 2] = 0
    e = torch.randn(shape[0], generator=rng).double()
    equations = DampedEquations(J)
    D = J.norm(dim=0).clamp_min(1e-6 * float(J.norm(dim=0).max()))
    assert torch.equal(equations.lengths, D)
    scaled = J / D
    direct = torch.linalg.lstsq(
        torch.cat([scaled, damping**0.5 * torch.eye(shape[1]).double()]),
        torch.cat([e, torch.zeros(shape[1]).double()]),
    ).solution
    found = equations.solve(e, damping)
    assert torch.allclose(found * D, direct, rtol=1e-6, atol=1e-6 * float(direct.norm()))
    assert torch.allclose(equations.along(found), J @ found, rtol=1e-12, atol=1e-12)


def test_a_line_takes_one_step() -> None:
    """Nothing is bent, and the damping alone keeps the first step short by a thousandth."""
    rng = torch.Generator().manual_seed(5)
    A, b = torch.randn(12, 4, generator=rng).double(), torch.randn(12, generator=rng).double()
    fit = levenberg_marquardt(
        torch.zeros(4).double(), lambda x: A @ x - b, lambda x: A, iterations=20
    )
    exact = torch.linalg.lstsq(A, b[:, None]).solution[:, 0]
    assert torch.allclose(fit.parameters, exact, atol=1e-10)
    assert fit.costs[1] < fit.costs[-1] + 1e-4 * fit.costs[0]


def test_where_nothing_is_gained_the_fit_ends() -> None:
    fit = levenberg_marquardt(
        torch.zeros(2).double(), lambda x: 1 + 0 * x, lambda x: torch.zeros(2, 2).double(),
        iterations=9,
    )  # fmt: skip
    assert fit.costs == (2.0,)
    assert torch.equal(fit.parameters, torch.zeros(2).double())


def test_where_there_are_no_residuals_steps_do_not_end() -> None:
    """A wall at 0.5, beyond which there is no number; the floor is at 1, behind it."""

    def residuals(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x < 0.5, x - 1, torch.inf)

    fit = levenberg_marquardt(
        torch.zeros(1).double(), residuals, lambda x: torch.ones(1, 1).double(), iterations=60
    )
    assert 0.4 < float(fit.parameters) < 0.5
    assert fit.costs[-1] < fit.costs[0]


def test_a_start_without_a_cost_is_refused() -> None:
    with pytest.raises(NBodyError, match="the sum of squares at the start is nan"):
        levenberg_marquardt(
            torch.zeros(1), lambda x: x * torch.nan, lambda x: torch.eye(1), iterations=1
        )
