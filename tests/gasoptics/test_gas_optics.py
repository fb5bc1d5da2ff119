"""The chain from columns to fluxes, on small made tables and on the real ones."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import ExtrapolationWarning, GasOpticsError
from restudy.gasoptics.interpolation import nodes_of_pairs, position
from restudy.gasoptics.longwave import GAUSS_3
from restudy.gasoptics.optical_depth import absorption, dry_air, locate
from restudy.gasoptics.planck import band_radiance, planck_fraction
from restudy.gasoptics.reference import (
    Fluxes,
    longwave,
    longwave_optics,
    shortwave,
    shortwave_optics,
)
from restudy.gasoptics.tables import KDistribution


def both(
    atmosphere: Atmosphere, long: KDistribution, short: KDistribution
) -> tuple[torch.Tensor, ...]:
    found = longwave(long, atmosphere), shortwave(short, atmosphere)
    return found[0].up, found[0].down, found[1].up, found[1].down


def test_one_column_alone_is_as_in_the_batch(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    together = both(standard, made_longwave, made_shortwave)
    for i in range(standard.columns):
        alone = both(standard.part(slice(i, i + 1)), made_longwave, made_shortwave)
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[i], rtol=1e-13, atol=1e-12)


def test_the_order_of_columns_does_not_matter(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    straight = both(standard, made_longwave, made_shortwave)
    mixed = both(standard.part(order), made_longwave, made_shortwave)
    for a, b in zip(mixed, straight, strict=True):
        torch.testing.assert_close(a, b[order], rtol=1e-13, atol=1e-12)


def test_from_the_ground_up_is_as_from_the_top_down(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    turned = standard.upside_down()
    assert standard.from_top
    assert not turned.from_top
    down = both(standard, made_longwave, made_shortwave)
    up = both(turned, made_longwave, made_shortwave)
    for a, b in zip(up, down, strict=True):
        assert torch.equal(a.flip(1), b)


def test_a_column_may_lie_in_one_part_of_the_atmosphere(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    """Columns of a large-eddy simulation end below the tropopause."""
    lower = dataclasses.replace(
        standard,
        p_lay=standard.p_lay[:, -6:],
        t_lay=standard.t_lay[:, -6:],
        p_lev=standard.p_lev[:, -7:],
        t_lev=standard.t_lev[:, -7:],
        gases={name: x[:, -6:] for name, x in standard.gases.items()},
    )
    whole = longwave_optics(made_longwave, standard).tau[:, -6:]
    torch.testing.assert_close(longwave_optics(made_longwave, lower).tau, whole)
    for x in both(lower, made_longwave, made_shortwave):
        assert bool(torch.isfinite(x).all())


@pytest.mark.data
def test_real_tables_know_no_order_either(
    standard: Atmosphere, real_table: Callable[[str], KDistribution]
) -> None:
    tables = real_table("lw-g128"), real_table("sw-g112")
    together = both(standard, *tables)
    turned = both(standard.part(torch.tensor([5, 4, 3, 2, 1, 0])).upside_down(), *tables)
    alone = both(standard.part(slice(2, 3)), *tables)
    for a, b, c in zip(together, turned, alone, strict=True):
        torch.testing.assert_close(a, b.flip((0, 1)), rtol=1e-13, atol=1e-12)
        torch.testing.assert_close(a[2:3], c, rtol=1e-13, atol=1e-12)


def differentiable(atmosphere: Atmosphere) -> tuple[torch.Tensor, ...]:
    """Return what gradients are asked of: temperatures, gases, pressure of the layers."""
    found = atmosphere.t_lay, atmosphere.t_lev, atmosphere.gases["h2o"], atmosphere.gases["co2"]
    return tuple(x.clone().requires_grad_() for x in (*found, atmosphere.p_lay))


@pytest.mark.parametrize("spectrum", ["longwave", "shortwave"])
def test_the_chain_has_the_gradients_of_finite_differences(
    spectrum: str, standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    column = standard.part(slice(1, 2))
    # 0.37 K off the nodes of the Planck table, where its slope jumps
    thin = {"p_lev": column.p_lev[:, ::6], "t_lev": column.t_lev[:, ::6] + 0.37}
    layer = {"p_lay": column.p_lay[:, 2::6], "t_lay": column.t_lay[:, 2::6]}
    gases = {name: x[:, 2::6] for name, x in column.gases.items()}
    column = dataclasses.replace(column, **thin, **layer, gases=gases)
    start = differentiable(column)

    def fluxes(*x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # relative changes, so that one step of the differences suits all
        t_lay, t_lev, h2o, co2, p_lay = (a * b.detach() for a, b in zip(x, start, strict=True))
        changed = dataclasses.replace(
            column,
            t_lay=t_lay,
            t_lev=t_lev,
            p_lay=p_lay,
            gases={**column.gases, "h2o": h2o, "co2": co2},
        )
        if spectrum == "longwave":
            found = longwave(made_longwave, changed)
        else:
            found = shortwave(made_shortwave, changed)
        return found.up, found.down

    ones = tuple(torch.ones_like(x, requires_grad=True) for x in start)
    assert torch.autograd.gradcheck(fluxes, ones, eps=1e-6, atol=1e-4, rtol=1e-4)


@pytest.mark.data
def test_the_real_chain_has_the_gradient_of_a_finite_difference(
    standard: Atmosphere, real_table: Callable[[str], KDistribution]
) -> None:
    table = real_table("lw-g128")
    column = standard.part(slice(0, 1))

    def top(factor: torch.Tensor) -> torch.Tensor:
        gases = {**column.gases, "co2": column.gases["co2"] * factor}
        return longwave(table, dataclasses.replace(column, gases=gases)).up[0, 0]

    one = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(top(one), one)
    with torch.no_grad():
        numeric = (top(one + 1e-4) - top(one - 1e-4)) / 2e-4
    torch.testing.assert_close(gradient, numeric, rtol=1e-5, atol=0)
    assert float(gradient) < -1  # more carbon dioxide, less radiation to space


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_that_of_the_input(
    dtype: torch.dtype,
    standard: Atmosphere,
    made_longwave: KDistribution,
    made_shortwave: KDistribution,
) -> None:
    tables = made_longwave.to(dtype=dtype), made_shortwave.to(dtype=dtype)
    for x in both(standard.to(dtype=dtype), *tables):
        assert x.dtype == dtype
        assert bool(torch.isfinite(x).all())


@pytest.mark.gpu
def test_a_gpu_gives_the_same_fluxes(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    here = both(standard, made_longwave, made_shortwave)
    tables = made_longwave.to("cuda"), made_shortwave.to("cuda")
    for a, b in zip(both(standard.to("cuda"), *tables), here, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-11, atol=1e-10)


def test_tables_and_columns_must_be_of_one_precision(
    standard: Atmosphere, made_longwave: KDistribution
) -> None:
    with pytest.raises(
        GasOpticsError, match=r"atmosphere is torch\.float32 on cpu, the tables are"
    ):
        longwave(made_longwave, standard.to(dtype=torch.float32))


def test_tables_of_the_wrong_range_are_refused(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    with pytest.raises(GasOpticsError, match="made is of the short wave; use lw-g256"):
        longwave_optics(made_shortwave, standard)
    with pytest.raises(GasOpticsError, match="made is of the long wave; use sw-g224"):
        shortwave_optics(made_longwave, standard)


def test_no_sun_no_light(standard: Atmosphere, made_shortwave: KDistribution) -> None:
    night = dataclasses.replace(standard, mu0=-standard.mu0)
    fluxes = shortwave(made_shortwave, night)
    assert float(fluxes.up.abs().max()) == float(fluxes.down.abs().max()) == 0


def test_the_sun_is_scaled_to_the_columns(
    standard: Atmosphere, made_shortwave: KDistribution
) -> None:
    incoming = shortwave_optics(made_shortwave, standard).incoming
    torch.testing.assert_close(incoming.sum(dim=1), standard.irradiance)


def test_pure_rayleigh_air_keeps_the_net_flux(
    standard: Atmosphere, made_shortwave: KDistribution
) -> None:
    """With the absorption taken out of the tables, as much leaves the top as the ground leaves."""
    part = made_shortwave.lower
    scattering = dataclasses.replace(
        made_shortwave,
        major=tuple(0 * k for k in made_shortwave.major),
        lower=dataclasses.replace(part, minor=(None, None)),
        upper=dataclasses.replace(made_shortwave.upper, minor=(None, None)),
    )
    assert float((shortwave_optics(scattering, standard).ssa - 1).abs().max()) == 0
    fluxes = shortwave(scattering, standard)
    net = fluxes.down - fluxes.up
    assert float((net - net[:, :1]).abs().max()) < 1e-5


def test_absorption_is_the_mixture_times_a_constant_coefficient(
    standard: Atmosphere, made_longwave: KDistribution
) -> None:
    """Where all coefficients of a band are one number, its key species obey Beer and Lambert.

    The second pair is ozone and dry air: the mixture is ``o3 + ratio * dry`` at both temperatures,
    weighted by where the layer lies between them.
    """
    major = tuple(torch.full_like(k, 1e-24) for k in made_longwave.major)
    table = dataclasses.replace(made_longwave, major=major)
    tau = absorption(table, standard, locate(table, standard))
    dry = dry_air(standard.p_lev, standard.gases["h2o"])
    j, f = position(standard.t_lay, 160.0, 15.0, 14)
    upper = standard.p_lay <= table.tropopause
    ratio = torch.where(
        upper[..., None],
        torch.stack((table.upper.ratio[1][j], table.upper.ratio[1][j + 1]), dim=2),
        torch.stack((table.lower.ratio[1][j], table.lower.ratio[1][j + 1]), dim=2),
    )
    mixture = standard.gases["o3"][..., None] * dry[..., None] + ratio * dry[..., None]
    exact = 1e-24 * torch.lerp(mixture[..., 0], mixture[..., 1], f)
    torch.testing.assert_close(tau[..., 3:], exact[..., None].expand(-1, -1, 2))


def test_weights_of_the_nodes_add_up_to_one(
    standard: Atmosphere, made_longwave: KDistribution
) -> None:
    for where in locate(made_longwave, standard):
        for nodes in where.nodes:
            ones = torch.ones(len(where.rows), dtype=torch.float64)
            torch.testing.assert_close(nodes.flat_weight.sum(dim=1), ones)
            torch.testing.assert_close(nodes.full_weight.sum(dim=1), ones)
            assert int(nodes.full.max()) < len(made_longwave.major[0])


def test_a_pair_of_which_nothing_is_there(made_longwave: KDistribution) -> None:
    """The mixing fraction is a half, and nothing is absorbed: no number is lost."""
    one = torch.ones(1, dtype=torch.float64)
    amounts = torch.zeros(1, 4, dtype=torch.float64)
    nodes = nodes_of_pairs(made_longwave, made_longwave.lower, 250 * one, 5e4 * one, amounts)[0]
    assert nodes.mixture.tolist() == [[0.0, 0.0]]
    assert nodes.flat[0, 0] % made_longwave.fractions == 4
    assert nodes.mixture_weight.abs().sum() == 0


def test_dry_air_weighs_what_the_pressure_says() -> None:
    p_lev = torch.tensor([[100.0, 600.0, 1e5]], dtype=torch.float64)
    amount = dry_air(p_lev, torch.zeros(1, 2, dtype=torch.float64))  # molecules/cm2
    mass = amount * 1e4 / 6.02214076e23 * 0.028964  # kg/m2
    torch.testing.assert_close(mass * 9.80665, p_lev.diff(dim=1))


def test_a_hot_layer_is_extrapolated_and_flagged(
    standard: Atmosphere, made_longwave: KDistribution
) -> None:
    hot = dataclasses.replace(standard, t_sfc=standard.t_sfc + 70)
    with pytest.warns(
        ExtrapolationWarning, match=r"t_sfc goes from .* to 370\.0 K; made covers 160"
    ):
        fluxes = longwave(made_longwave, hot)
    assert isinstance(fluxes, Fluxes)
    assert bool(torch.isfinite(fluxes.up).all())


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "g", "bands", "intervals"),
    [
        ("lw-g256", 256, 16, (60, 34)),
        ("lw-g128", 128, 16, None),
        ("sw-g224", 224, 14, (34, 24)),
        ("sw-g112", 112, 14, (34, 24)),
    ],
)
def test_tables_are_read_whole(
    name: str,
    g: int,
    bands: int,
    intervals: tuple[int, int] | None,
    real_table: Callable[[str], KDistribution],
) -> None:
    table = real_table(name)
    assert (table.g_points, len(table.bands), len(table.gases)) == (g, bands, 19)
    assert table.temperature_range == (160.0, 355.0)
    assert table.pressure_range == pytest.approx((1.005183574463, 109663.3158), rel=1e-6)
    assert [m.shape[1] for m in table.major] == [b.stop - b.start for b in table.bands]
    if intervals is not None:
        parts = table.lower, table.upper
        assert tuple(sum(len(m.gas) for m in p.minor if m) for p in parts) == intervals
    if table.solar is not None:
        assert float(table.solar.sum()) == pytest.approx(1360.858, abs=1e-3)


@pytest.mark.data
def test_planck_fractions_add_up_to_one(
    standard: Atmosphere, real_table: Callable[[str], KDistribution]
) -> None:
    table = real_table("lw-g256")
    assert table.planck is not None
    fraction = planck_fraction(table.planck, standard, locate(table, standard))
    for band in table.bands:
        assert float((fraction[..., band].sum(dim=2) - 1).abs().max()) < 2e-4


@pytest.mark.data
@pytest.mark.parametrize("name", ["lw-g256", "lw-g128"])
def test_the_planck_table_obeys_stefan_and_boltzmann(
    name: str, real_table: Callable[[str], KDistribution]
) -> None:
    """Between 10 and 3250 cm-1 lies nearly all of sigma T^4."""
    planck = real_table(name).planck
    assert planck is not None
    temperature = torch.tensor([200.0, 250.0, 300.0], dtype=torch.float64)
    power = math.pi * band_radiance(planck, temperature).sum(dim=1)
    np.testing.assert_allclose(power, 5.670374419e-8 * temperature**4, rtol=2e-3)


@pytest.mark.data
def test_more_greenhouse_gas_less_radiation_to_space(
    standard: Atmosphere, real_table: Callable[[str], KDistribution]
) -> None:
    """Four times the carbon dioxide: 4 to 10 W/m2 at the top of every column but the coldest."""
    table = real_table("lw-g128")
    forcing = (
        longwave(table, standard, GAUSS_3).up[:, 0]
        - longwave(table, standard.changed(co2=4), GAUSS_3).up[:, 0]
    )
    assert float(forcing[:4].min()) > 2
    assert float(forcing.max()) < 10
