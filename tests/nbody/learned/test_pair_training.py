"""Training on a range of two decades, in seconds."""

import concurrent.futures
from dataclasses import replace

import numpy as np
import pytest
import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned import pair_training
from restudy.nbody.learned.force_samples import draw_snapshots
from restudy.nbody.learned.from_orbits import OrbitRecipe, draw_windows, train_from_orbits
from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import Newton, PairPotential, SeparationRange
from restudy.nbody.learned.pair_training import (
    ForceErrors,
    Recipe,
    _Objective,
    force_errors,
    learning_curve,
    train_from_forces,
    train_on,
)

RANGE = SeparationRange(0.1, 10.0)
SMALL = Recipe(RANGE, systems=30, each=4, width=8, adam_steps=100, iterations=25)


def test_the_descent_has_the_squares_of_all_snapshots() -> None:
    """128 rows against the accelerations of every snapshot, for weights before and after.

    What the rows leave out, a share of 1e-9 of both terms of the residuals e, changes the sum of
    their squares by up to twice its product with e.
    """
    snapshots = draw_snapshots(RANGE, 60, 4, seed=2)
    objective = _Objective(snapshots)
    at, matrix, right = objective.compressed(RANGE)
    assert matrix.shape == (128, 128)
    trained = train_on(snapshots, replace(SMALL, iterations=5), seed=0).potential
    others = [PairPotential(RANGE, 8, rng=torch.Generator().manual_seed(k)) for k in range(3)]
    with torch.no_grad():
        left = [
            float(objective.errors(p).sum() - ((matrix @ p.ratio(at) - right) ** 2).sum())
            for p in (trained, *others)
        ]
        sizes = [float(objective.errors(p).sum()) for p in (trained, *others)]
    lengths = [size**0.5 for size in sizes]
    allowed = [2e-9 * e * (float(right.norm()) + e) for e in lengths]
    assert all(abs(x) < most for x, most in zip(left, allowed, strict=True))
    assert max(sizes) / min(sizes) > 1e4


def test_few_snapshots_leave_fewer_rows() -> None:
    _, matrix, right = _Objective(draw_snapshots(RANGE, 2, 3, seed=2)).compressed(RANGE)
    assert matrix.shape == (18, 128)
    assert right.shape == (18,)


def test_training_learns_the_force_and_not_only_the_samples() -> None:
    trained = train_from_forces(SMALL, seed=0)
    held_out = draw_snapshots(RANGE, 50, 2, seed=1)
    untrained = PairPotential(RANGE, 8, rng=torch.Generator().manual_seed(0))
    errors = force_errors(trained.potential, held_out)
    assert errors.median < 1e-2
    assert errors.median < 1e-2 * force_errors(untrained, held_out).median
    r = torch.logspace(-0.7, 0.7, 100, dtype=torch.float64)
    with torch.no_grad():
        assert float((trained.potential.ratio(r) - 1).abs().max()) < 3e-2
    assert trained.history[-1] < 1e-2 * trained.history[0]


def test_the_exact_potential_has_no_error() -> None:
    errors = force_errors(Newton(), draw_snapshots(RANGE, 50, 2, seed=1))
    assert isinstance(errors, ForceErrors)
    assert errors.worst < 1e-7  # the star's pull is up to 1e8 times what is left of it


def test_snapshots_are_the_same_on_any_executor() -> None:
    serial = draw_snapshots(RANGE, 6, 3, seed=5)
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        threads = draw_snapshots(RANGE, 6, 3, seed=5, executor=executor)
    assert torch.equal(serial.positions, threads.positions)
    assert torch.equal(serial.accelerations, threads.accelerations)
    r = PairInteraction(Newton()).separations(serial.masses, serial.positions)
    assert bool(((r > RANGE.least) & (r < RANGE.most)).all())
    more = draw_snapshots(RANGE, 7, 3, seed=5)
    assert torch.equal(more.positions[:18], serial.positions)  # a seed for each system


def test_the_same_seed_gives_the_same_bits() -> None:
    recipe = Recipe(RANGE, systems=5, each=2, width=4, adam_steps=5, iterations=2)
    first, second = (train_from_forces(recipe, seed=3).potential for _ in range(2))
    assert torch.equal(first.first, second.first)
    assert torch.equal(first.last, second.last)


def test_learning_curve_falls() -> None:
    recipe = Recipe(RANGE, each=2, width=6, adam_steps=60, iterations=10)
    curve = learning_curve(recipe, (2, 40), seeds=(0, 1))
    assert curve.slope < -0.3
    assert curve.slope == pytest.approx(np.mean(curve.slopes))
    assert len(curve.slopes) == 2
    assert [len(x) for x in curve.errors] == [2, 2]
    assert curve.fitted == (2, 40)


def test_the_law_is_fitted_before_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors made up of a law with the power -3 and a floor of 1e-6."""

    def error(recipe: Recipe, seed: int, held_out: object) -> float:
        return max(1e-2 * recipe.systems**-3.0, 1e-6)

    monkeypatch.setattr(pair_training, "_median_error", error)
    curve = learning_curve(SMALL, (1, 2, 5, 30, 100), seeds=(0, 1))
    assert curve.fitted == (1, 2, 5)
    assert curve.slopes == pytest.approx((-3, -3))


def test_samples_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(NBodyError, match="0 systems"):
        draw_snapshots(RANGE, 0, 1, seed=0)
    with pytest.raises(NBodyError, match="a decade at least"):
        draw_snapshots(SeparationRange(1.0, 5.0), 1, 1, seed=0)


def test_orbits_alone_teach_the_force() -> None:
    recipe = OrbitRecipe(RANGE, 60, steps=2, width=8, adam_steps=120, iterations=60)
    trained = train_from_orbits(recipe, seed=0)
    held_out = draw_snapshots(RANGE, 50, 2, seed=1)
    assert trained.history[-1] < 0.05 < trained.history[0]
    assert force_errors(trained.potential, held_out).median < 0.05


def test_windows_have_nothing_but_positions_to_learn_from() -> None:
    recipe = OrbitRecipe(RANGE, 4, steps=3)
    windows = draw_windows(recipe, seed=2)
    assert windows.seen.shape == (4, 3, 3)
    assert bool((windows.seen[:, 0] == 0).all())  # the barycentre stays
    assert {x for x in vars(windows) if "acceleration" in x} == set()
