"""All 18 x 100 columns of RFMIP against RRTMGP's own fluxes, and line by line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from restudy.gasoptics.datasets import LINE_BY_LINE, REFERENCE
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_3
from restudy.gasoptics.reference import Fluxes, longwave, shortwave
from restudy.gasoptics.rfmip import Rfmip, read_fluxes
from restudy.gasoptics.tables import KDistribution

pytestmark = pytest.mark.data

Solver = Callable[..., Fluxes]
SOLVERS: dict[str, tuple[Solver, str, str]] = {
    "longwave": (longwave, "lw-g256", "lw-g128"),
    "shortwave": (shortwave, "sw-g224", "sw-g112"),
}


def computed(spectrum: str, table: KDistribution, rfmip: Rfmip, experiments: range) -> Fluxes:
    """Compute the fluxes of some experiments, one after the other, as the files have them."""
    solver = SOLVERS[spectrum][0]
    dtype = table.major[0].dtype
    found = [solver(table, rfmip.atmosphere([e]).to(dtype=dtype)) for e in experiments]
    return Fluxes(torch.cat([f.up for f in found]), torch.cat([f.down for f in found]))


def worst(a: Fluxes, b: Fluxes) -> float:
    """Return the largest difference of two sets of fluxes [W/m2]."""
    pairs = (a.up, b.up), (a.down, b.down)
    return max(float((x.double() - y.double()).abs().max()) for x, y in pairs)


def rmse(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize(("spectrum", "bound"), [("longwave", 1e-4), ("shortwave", 1e-3)])
def test_all_columns_have_the_official_fluxes(
    spectrum: str,
    bound: float,
    path_of: Callable[[str], Path],
    real_table: Callable[[str], KDistribution],
    rfmip: Rfmip,
) -> None:
    up, down = REFERENCE[spectrum]
    official = read_fluxes(path_of(up), path_of(down))
    assert official.up.shape == (1800, 61)
    ours = computed(spectrum, real_table(SOLVERS[spectrum][1]), rfmip, range(18))
    assert worst(ours, official) <= bound


@pytest.mark.parametrize(("spectrum", "bound"), [("longwave", 5e-4), ("shortwave", 2e-2)])
def test_single_precision_is_close_to_double(
    spectrum: str, bound: float, real_table: Callable[[str], KDistribution], rfmip: Rfmip
) -> None:
    table, some = real_table(SOLVERS[spectrum][1]), range(18)
    double = computed(spectrum, table, rfmip, some)
    single = computed(spectrum, table.to(dtype=torch.float32), rfmip, some)
    assert single.up.dtype == torch.float32
    assert worst(single, double) <= bound


@pytest.mark.parametrize(
    ("spectrum", "size", "bounds"),
    [
        ("longwave", 1, (0.38, 0.53)),
        ("longwave", 2, (0.40, 0.52)),
        ("shortwave", 1, (0.79, 0.77)),
        ("shortwave", 2, (0.86, 0.80)),
    ],
)
def test_line_by_line_is_as_far_as_for_rrtmgp(
    spectrum: str,
    size: int,
    bounds: tuple[float, float],
    path_of: Callable[[str], Path],
    real_table: Callable[[str], KDistribution],
    rfmip: Rfmip,
) -> None:
    """Rmse of the present day, up and down, is that of RRTMGP and of its half-size tables."""
    up, down = LINE_BY_LINE[spectrum]
    exact = read_fluxes(path_of(up), path_of(down))
    ours = computed(spectrum, real_table(SOLVERS[spectrum][size]), rfmip, range(1))
    sites = slice(None)
    if spectrum == "shortwave":
        sites = rfmip.atmosphere([0]).mu0 > 0.0523  # the sun higher than 3 degrees
    found = tuple(
        rmse(getattr(ours, w)[sites], getattr(exact, w)[:100][sites]) for w in ("up", "down")
    )
    assert found[0] <= bounds[0]
    assert found[1] <= bounds[1]


def test_three_rays_are_closer_to_line_by_line_than_one(
    path_of: Callable[[str], Path], real_table: Callable[[str], KDistribution], rfmip: Rfmip
) -> None:
    up, down = LINE_BY_LINE["longwave"]
    exact = read_fluxes(path_of(up), path_of(down)).down[:100]
    table, present = real_table("lw-g256"), rfmip.atmosphere([0])
    one, three = (longwave(table, present, q).down for q in (DIFFUSIVITY, GAUSS_3))
    assert rmse(three, exact) < 0.30 < rmse(one, exact)
