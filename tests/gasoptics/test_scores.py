"""Scores of emulators, against errors put in by hand and against the published line by line."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.scores import (
    SpectralFluxes,
    band_errors,
    flux_errors,
    forcing_errors,
    paper_setup,
    solve,
)
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1
from restudy.gasoptics.reference import (
    Fluxes,
    longwave,
    longwave_optics,
    shortwave,
    shortwave_optics,
)
from restudy.gasoptics.rfmip import Rfmip, read_fluxes
from restudy.gasoptics.tables import KDistribution


def some_fluxes(columns: int, levels: int) -> Fluxes:
    rng = torch.Generator().manual_seed(3)
    up, down = torch.rand(2, columns, levels, dtype=torch.float64, generator=rng) * 300
    return Fluxes(up, down)


def test_errors_put_in_by_hand_are_found() -> None:
    exact = some_fluxes(3, 5)
    up, down = exact.up.clone(), exact.down.clone()
    up[0] += 0.3
    down[2, 1] -= 0.8
    p_lev = torch.linspace(8000.0, 12000.0, 5).double().expand(3, 5)
    found = flux_errors(Fluxes(up, down), exact, p_lev)
    assert found.up_rmse == pytest.approx(0.3 / math.sqrt(3))
    assert found.up_max == pytest.approx(0.3)
    assert found.down_rmse == pytest.approx(0.8 / math.sqrt(15))
    assert found.down_max == pytest.approx(0.8)
    assert found.worst_column == 2
    # A constant error of `up` heats nothing. That of `down` is at the level of 9000 Pa, so both
    # layers that it touches, of 1000 Pa each, lie above the tropopause of 9948.43 Pa: of the six
    # layers there, two are wrong by g / c_p 0.8 W/m2 / 1000 Pa.
    one = 9.80665 / 1004.64 * 0.8 / 1000 * 86400
    assert found.stratosphere == pytest.approx(one * math.sqrt(2 / 6))
    assert found.troposphere == pytest.approx(0, abs=1e-12)


def test_the_order_of_levels_does_not_matter() -> None:
    exact, emulated = some_fluxes(4, 7), some_fluxes(4, 7)
    emulated = Fluxes(emulated.down, emulated.up)
    p_lev = torch.linspace(100.0, 1e5, 7).double().expand(4, 7)
    turned = [Fluxes(f.up.flip(1), f.down.flip(1)) for f in (emulated, exact)]
    found = flux_errors(*turned, p_lev.flip(1))
    assert vars(found) == pytest.approx(vars(flux_errors(emulated, exact, p_lev)))


def test_errors_that_cancel_in_the_sum_show_in_their_bands() -> None:
    exact = torch.zeros(2, 3, 5)
    wrong = exact.clone()
    wrong[1, 2, 1], wrong[1, 2, 4] = 6.0, -6.0
    bands = slice(0, 3), slice(3, 5)
    found = band_errors(SpectralFluxes(wrong, exact), SpectralFluxes(exact, exact), bands)
    assert found.up_max.tolist() == [6.0, 6.0]
    assert found.up_rmse.tolist() == pytest.approx([math.sqrt(6)] * 2)
    assert found.down_max.tolist() == found.down_rmse.tolist() == [0.0, 0.0]
    assert float(SpectralFluxes(wrong, exact).total().up.abs().max()) == 0


def test_forcing_of_planted_changes() -> None:
    """Two sites of weights 1/4 and 3/4, three experiments; an offset of all is no forcing."""
    weight = np.array([0.25, 0.75])
    present = some_fluxes(2, 3)
    change = torch.zeros(6, 3, dtype=torch.float64)
    change[3, 0] = 4.0  # second experiment, second site, at the top
    change[4, 2] = -8.0  # third experiment, first site, at the surface
    exact = Fluxes(present.up.repeat(3, 1), present.down.repeat(3, 1) + change)
    emulated = Fluxes(exact.up - 5.0, exact.down - 0.1 * change)
    found = forcing_errors(emulated, exact, weight)
    np.testing.assert_allclose(found.top, [3.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.surface, [0.0, -2.0], atol=1e-12)
    np.testing.assert_allclose(found.top_error, [-0.3, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.surface_error, [0.0, 0.2], atol=1e-12)
    assert found.worst == pytest.approx((0.3, 0.2))


def test_shapes_that_do_not_fit_are_named() -> None:
    short, long = some_fluxes(2, 3), some_fluxes(3, 3)
    with pytest.raises(GasOpticsError, match=r"flux up has shape \(3, 3\); expected \(2, 3\)"):
        flux_errors(long, short, torch.ones(2, 3))
    with pytest.raises(GasOpticsError, match="have 3 columns; expected two or more times the 2"):
        forcing_errors(long, long, np.array([0.5, 0.5]))


def test_the_papers_set_up(standard: Atmosphere) -> None:
    found = paper_setup(standard)
    assert torch.rad2deg(found.mu0.acos()).tolist() == pytest.approx([42.0] * found.columns)
    assert found.albedo.tolist() == [0.07] * found.columns
    assert torch.equal(found.t_lay, standard.t_lay)


def test_solve_gives_what_the_reference_gives(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    optics = longwave_optics(made_longwave, standard)
    for found, expected in (
        (solve(optics, standard), longwave(made_longwave, standard, DIFFUSIVITY)),
        (solve(optics, standard, GAUSS_1), longwave(made_longwave, standard)),
        (
            solve(shortwave_optics(made_shortwave, standard), standard),
            shortwave(made_shortwave, standard),
        ),
    ):
        assert torch.equal(found.total().up, expected.up)
        assert torch.equal(found.total().down, expected.down)
    bands = solve(optics, standard).by_band(made_longwave.bands)
    assert bands.up.shape == (standard.columns, standard.layers + 1, 2)
    torch.testing.assert_close(bands.total().up, longwave(made_longwave, standard, DIFFUSIVITY).up)


def test_a_column_that_is_an_error_is_the_worst(
    standard: Atmosphere, made_longwave: KDistribution
) -> None:
    warm = standard.t_sfc.clone()
    warm[4] += 5
    found = longwave(made_longwave, replace(standard, t_sfc=warm))
    exact = longwave(made_longwave, standard)
    assert flux_errors(found, exact, standard.p_lev).worst_column == 4


@pytest.mark.data
def test_line_by_line_forcings_of_rfmip(path_of: Callable[[str], Path], rfmip: Rfmip) -> None:
    """RRTMGP's long-wave forcings at the top: 4.33 W/m2 of 4xCO2, line by line 4.19.

    The numbers were computed from the same two published files by other code.
    """
    ours = read_fluxes(path_of("rfmip-rrtmgp-rlu"), path_of("rfmip-rrtmgp-rld"))
    lines = path_of("rfmip-lblrtm-longwave")
    found = forcing_errors(ours, read_fluxes(lines, lines), rfmip.weight)
    names = rfmip.experiments[1:]
    assert len(found.top) == 17
    for name, exact, of_rrtmgp in (("4xCO2", 4.19, 4.33), ("8xCO2", 7.01, 7.40)):
        at = names.index(name)
        assert found.top[at] == pytest.approx(exact, abs=0.006)
        assert found.top[at] + found.top_error[at] == pytest.approx(of_rrtmgp, abs=0.006)
