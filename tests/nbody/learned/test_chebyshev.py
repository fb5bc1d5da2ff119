"""Interpolation at Chebyshev's nodes against polynomials and a function with poles nearby."""

import numpy as np
import torch

from restudy.nbody.learned.chebyshev import interpolation, nodes

X = torch.linspace(-1, 1, 77, dtype=torch.float64)


def test_polynomials_are_exact() -> None:
    rng = np.random.default_rng(0)
    polynomial = np.polynomial.Legendre(rng.standard_normal(20))
    found = interpolation(X, 20) @ torch.as_tensor(polynomial(nodes(20).numpy()))
    np.testing.assert_allclose(found, polynomial(X.numpy()), rtol=0, atol=1e-13)


def test_at_a_node_its_value_alone_counts() -> None:
    identity = interpolation(nodes(33), 33)
    np.testing.assert_allclose(identity, np.eye(33), rtol=0, atol=1e-13)


def test_errors_fall_as_fast_as_the_nearest_pole_allows() -> None:
    """Poles at +- i / 5: the ellipse through them has the sum of its half axes 0.2 + 1.04^0.5."""

    def runge(x: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + 25 * x**2)

    errors = [
        float((interpolation(X, n) @ runge(nodes(n)) - runge(X)).abs().max()) for n in (40, 80)
    ]
    expected = (0.2 + 1.04**0.5) ** -40
    assert 0.3 * expected < errors[1] / errors[0] < 3 * expected


def test_round_off_beyond_the_ends_is_the_end() -> None:
    ends = torch.tensor([-1 - 1e-15, 1 + 1e-15], dtype=torch.float64)
    assert torch.equal(interpolation(ends, 9), interpolation(ends.clamp(-1, 1), 9))
