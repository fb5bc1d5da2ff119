"""Sketches against what they stand for, and the fast gradient against autograd."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.losses import (
    flux_loss,
    fluxes_of_roots,
    losses_and_gradient,
    projected_errors,
    root_loss,
    sketches,
)
from restudy.gasoptics.emulators.network import Spectrum, spectrum_of
from restudy.gasoptics.emulators.roots import exact_roots
from restudy.gasoptics.heating import heating_rate
from restudy.gasoptics.standard import standard_atmospheres
from restudy.gasoptics.tables import KDistribution

SIZES = (3, 2)  # g-points of the bands of the made tables
HEATING = 0.5


@pytest.fixture(params=["lw", "sw"])
def case(
    request: pytest.FixtureRequest,
    made_longwave: KDistribution,
    made_shortwave: KDistribution,
    made_columns: Atmosphere,
) -> tuple[torch.Tensor, Atmosphere, Spectrum]:
    table = made_longwave if request.param == "lw" else made_shortwave
    sunny = replace(made_columns, mu0=torch.linspace(0.3, 0.9, 4, dtype=torch.float64))
    return torch.stack(exact_roots(table, sunny), dim=2), sunny, spectrum_of(table)


def test_sketches_measure_errors_of_fluxes_and_heating(
    case: tuple[torch.Tensor, Atmosphere, Spectrum],
) -> None:
    """The mean square over random signs is the sum of squares, of fluxes computed anew."""
    roots, columns, spectrum = case
    noise = torch.Generator().manual_seed(1)
    change = 1e-5 * roots * torch.randn(roots.shape, generator=noise, dtype=torch.float64)
    many = sketches(
        roots, columns, spectrum, count=200, heating=HEATING, rng=torch.Generator().manual_seed(2)
    )
    found = torch.stack([projected_errors(change, one, SIZES) for one in many])
    before = fluxes_of_roots(*roots.unbind(dim=2), columns, spectrum)
    after = fluxes_of_roots(*(roots + change).unbind(dim=2), columns, spectrum)
    up, down = (new - old for new, old in zip(after, before, strict=True))
    expected = []
    for band in (slice(0, 3), slice(3, 5)):
        u, d = up[:, :, band].sum(dim=2), down[:, :, band].sum(dim=2)
        warming = HEATING * heating_rate(u, d, columns.p_lev)
        expected.append(sum(x.square().sum(dim=1) for x in (u, d, warming)))
    ratio = found.square().mean(dim=0) / torch.stack(expected, dim=1)  # (columns, bands)
    torch.testing.assert_close(ratio.mean(dim=0), torch.ones(2).double(), rtol=0, atol=0.15)


def test_gradient_is_that_of_autograd(case: tuple[torch.Tensor, Atmosphere, Spectrum]) -> None:
    roots, columns, spectrum = case
    rng = torch.Generator().manual_seed(3)
    sketch = sketches(roots, columns, spectrum, count=1, heating=HEATING, rng=rng)[0]
    errors = 1e-3 * torch.randn(roots.shape, generator=rng, dtype=torch.float64)
    errors.requires_grad_()
    weight = torch.rand(roots.shape[1:], generator=rng, dtype=torch.float64)
    slow = [root_loss(errors, weight), flux_loss(errors, sketch, SIZES, 0.7)]
    (slow[0] + slow[1]).backward()
    root, flux, gradient = losses_and_gradient(errors.detach(), weight, sketch, SIZES, 0.7)
    assert (root, flux) == pytest.approx((slow[0].item(), slow[1].item()), rel=1e-12)
    torch.testing.assert_close(gradient, errors.grad)
    alone = losses_and_gradient(errors.detach(), weight, None, SIZES, 0.7)
    assert alone[:2] == (root, 0.0)
    torch.testing.assert_close(alone[2], 2 * weight * errors.detach() / 4)


def test_roots_by_real_tables_make_the_same_sketches_in_float32(
    real_table: Callable[[str], KDistribution],
) -> None:
    """A sketch of the long wave is the same to 1e-3 in single precision."""
    table, columns = real_table("lw-g128"), standard_atmospheres(20)
    roots, spectrum = torch.stack(exact_roots(table, columns), dim=2), spectrum_of(table)
    both = [
        sketches(
            roots.to(dtype),
            columns.to(dtype=dtype),
            spectrum,
            count=1,
            heating=HEATING,
            rng=torch.Generator().manual_seed(4),
        ).double()
        for dtype in (torch.float64, torch.float32)
    ]
    assert float((both[0] - both[1]).norm() / both[0].norm()) < 1e-3
