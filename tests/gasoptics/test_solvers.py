"""The solvers against closed forms, limits and conservation laws."""

import math

import pytest
import torch

from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.heating import heating_rate
from restudy.gasoptics.longwave import DIFFUSIVITY, GAUSS_1, GAUSS_3, Quadrature, longwave_fluxes
from restudy.gasoptics.planck import ThermalSource
from restudy.gasoptics.shortwave import shortwave_fluxes, two_stream

COLUMNS, LAYERS, G = 3, 7, 4


def doubles(*shape: int, least: float = 0.0, most: float = 1.0, seed: int = 1) -> torch.Tensor:
    made = torch.Generator().manual_seed(seed)
    return least + (most - least) * torch.rand(*shape, generator=made, dtype=torch.float64)


def constant_source(value: float) -> ThermalSource:
    one = torch.full((COLUMNS, LAYERS + 1, G), value, dtype=torch.float64)
    return ThermalSource(one[:, :-1], one, one[:, 0])


QUADRATURES = [GAUSS_1, GAUSS_3, DIFFUSIVITY]


@pytest.mark.parametrize("quadrature", QUADRATURES, ids=lambda q: q.name)
def test_an_isothermal_atmosphere_emits_as_its_depth(quadrature: Quadrature) -> None:
    """Over a black ground the flux up is pi B everywhere, down pi B times the emissivity above."""
    tau = doubles(COLUMNS, LAYERS, G, most=2.0)
    up, down = longwave_fluxes(tau, constant_source(3.0), torch.ones(COLUMNS).double(), quadrature)
    torch.testing.assert_close(up, torch.full_like(up, 3 * math.pi * sum(quadrature.weights)))
    above = torch.nn.functional.pad(tau.cumsum(dim=1), (0, 0, 1, 0))
    exact = sum(
        w * (1 - torch.exp(-d * above))
        for d, w in zip(quadrature.secants, quadrature.weights, strict=True)
    )
    torch.testing.assert_close(down, 3 * math.pi * exact)


def test_rays_weigh_one_in_all() -> None:
    for quadrature in QUADRATURES:
        assert sum(quadrature.weights) == pytest.approx(1, abs=1e-9)


def test_three_rays_integrate_the_hemisphere() -> None:
    """The flux emissivity of a layer is 1 - 2 E_3(tau): three rays come within 5e-3, one 3e-2."""
    tau = torch.tensor([0.01, 0.1, 0.5, 1.0, 3.0], dtype=torch.float64)
    mu = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    exact = (2 * mu * (1 - torch.exp(-tau[:, None] / mu))).mean(dim=1)
    for quadrature, bound in ((GAUSS_1, 3e-2), (DIFFUSIVITY, 3e-2), (GAUSS_3, 5e-3)):
        terms = zip(quadrature.secants, quadrature.weights, strict=True)
        found = sum(w * (1 - torch.exp(-d * tau)) for d, w in terms)
        assert float((found - exact).abs().max()) < bound, quadrature.name


def test_transparent_air_lets_the_ground_shine() -> None:
    tau = torch.zeros(COLUMNS, LAYERS, G, dtype=torch.float64)
    emissivity = torch.tensor([0.3, 0.9, 1.0], dtype=torch.float64)
    up, down = longwave_fluxes(tau, constant_source(2.0), emissivity)
    torch.testing.assert_close(down, torch.zeros_like(down))
    expected = (2 * math.pi * emissivity)[:, None, None].expand_as(up)
    torch.testing.assert_close(up, expected)


def test_a_grey_ground_reflects_what_comes_down() -> None:
    tau = doubles(COLUMNS, LAYERS, G, most=2.0)
    up, down = longwave_fluxes(tau, constant_source(1.0), torch.zeros(COLUMNS).double())
    torch.testing.assert_close(up[:, -1], down[:, -1])


def test_a_linear_source_is_integrated_exactly_by_many_thin_layers() -> None:
    """``B = b tau`` over a black ground: the sweep has the closed form of the transfer equation."""
    layers, depth = 4000, 3.0
    at = torch.linspace(0, depth, layers + 1, dtype=torch.float64)[None, :, None]
    source = ThermalSource((at[:, 1:] + at[:, :-1]) / 2, at, at[:, -1])
    tau = torch.full((1, layers, 1), depth / layers, dtype=torch.float64)
    ray = Quadrature("vertical", (1.0,), (1.0,))
    up, down = longwave_fluxes(tau, source, torch.ones(1).double(), ray)
    torch.testing.assert_close(down, math.pi * (at - 1 + torch.exp(-at)), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(up, math.pi * (at + 1 - torch.exp(at - depth)), rtol=1e-6, atol=0)


def test_thin_and_thick_forms_of_the_curvature_meet() -> None:
    edge = torch.finfo(torch.float64).eps ** 0.25
    tau = torch.tensor([edge * (1 - 1e-9), edge * (1 + 1e-9)], dtype=torch.float64)
    source = ThermalSource(
        *(torch.tensor(x).double() for x in ([[[2.0]]], [[[1.0], [5.0]]], [[5.0]]))
    )
    fluxes = [longwave_fluxes(t[None, None, None], source, torch.ones(1).double()) for t in tau]
    torch.testing.assert_close(fluxes[0], fluxes[1], rtol=1e-8, atol=1e-12)


def test_an_absorbing_layer_obeys_beer_and_lambert() -> None:
    tau = doubles(COLUMNS, LAYERS, G, most=1.0)
    mu0, incoming = torch.tensor([1.0, 0.5, 0.1]).double(), doubles(COLUMNS, G, most=100)
    black = torch.zeros(COLUMNS).double()
    fluxes = shortwave_fluxes(tau, torch.zeros_like(tau), incoming, mu0, black)
    above = torch.nn.functional.pad(tau.cumsum(dim=1), (0, 0, 1, 0))
    exact = (incoming * mu0[:, None])[:, None] * torch.exp(-above / mu0[:, None, None])
    torch.testing.assert_close(fluxes.direct, exact)
    torch.testing.assert_close(fluxes.down, exact)
    torch.testing.assert_close(fluxes.up, torch.zeros_like(exact))


def test_transparent_air_reflects_the_albedo() -> None:
    tau = torch.zeros(COLUMNS, LAYERS, G, dtype=torch.float64)
    mu0, albedo = torch.tensor([0.9, 0.5, 0.2]).double(), torch.tensor([0.0, 0.3, 1.0]).double()
    incoming = doubles(COLUMNS, G, most=100)
    fluxes = shortwave_fluxes(tau, tau, incoming, mu0, albedo)
    at_top = (incoming * mu0[:, None])[:, None].expand_as(fluxes.down)
    torch.testing.assert_close(fluxes.down, at_top)
    torch.testing.assert_close(fluxes.up, at_top * albedo[:, None, None], rtol=1e-9, atol=1e-9)


def test_conservative_scattering_keeps_the_net_flux() -> None:
    """Without absorption, the same net flux goes through every level."""
    tau = doubles(COLUMNS, LAYERS, G, least=1e-4, most=3.0)
    mu0, albedo = torch.tensor([0.9, 0.45, 0.07]).double(), torch.tensor([0.0, 0.3, 1.0]).double()
    incoming = doubles(COLUMNS, G, least=1, most=100)
    fluxes = shortwave_fluxes(tau, torch.ones_like(tau), incoming, mu0, albedo)
    net = fluxes.down - fluxes.up
    assert float((net - net[:, :1]).abs().max()) < 1e-7 * float(incoming.max())
    assert float(net[2].abs().max()) < 1e-7 * float(incoming.max())  # a white ground keeps nothing


def test_a_layer_gives_out_no_more_than_comes_in() -> None:
    tau = 10 ** doubles(2000, least=-8, most=2)
    ssa, mu0 = doubles(2000, seed=2), doubles(2000, least=1e-3, seed=3)
    layer = two_stream(tau, ssa, 0.0, mu0)
    parts = layer.reflectance_direct, layer.transmittance_direct, layer.beam
    assert float((parts[0] + parts[1] + parts[2]).max()) <= 1 + 1e-12
    assert float((layer.reflectance + layer.transmittance).max()) <= 1 + 1e-12
    for x in (*parts, layer.reflectance, layer.transmittance):
        assert float(x.min()) >= 0


def test_nothing_happens_where_the_equations_have_their_pole() -> None:
    """At ``k mu0 = 1``, and in single precision beside it, the beam is scattered as elsewhere."""
    ssa, tau = (
        torch.tensor([0.0, 0.3, 0.6]).double(),
        torch.tensor([0.1, 0.5, 2.0]).double()[:, None],
    )
    k = ((2 - 2 * ssa) * (2 - 0.5 * ssa)).sqrt()
    steps = torch.tensor([-1e-3, -1e-4, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-4, 1e-3]).double()
    mu0 = (1 + steps)[:, None, None] / k  # (steps, tau, ssa)
    double, single = (
        two_stream(tau.to(x), ssa.to(x), 0.0, mu0.to(x)) for x in (steps, steps.float())
    )
    for name in ("reflectance_direct", "transmittance_direct"):
        exact = getattr(double, name)
        assert float((exact - exact[:1]).abs().max()) < 1e-3
        assert float((exact[1:-1] - exact[4]).abs().max()) < 1e-4
        assert float((getattr(single, name) - exact).abs().max()) < 5e-4


def test_two_layers_added_are_one_layer() -> None:
    """Cutting a homogeneous layer in two changes no flux outside."""
    mu0, albedo = torch.tensor([0.6]).double(), torch.tensor([0.2]).double()
    incoming = torch.ones(1, 1).double()
    whole, halves = torch.tensor([[[0.8]]]).double(), torch.tensor([[[0.3], [0.5]]]).double()
    one = shortwave_fluxes(whole, torch.full_like(whole, 0.7), incoming, mu0, albedo)
    two = shortwave_fluxes(halves, torch.full_like(halves, 0.7), incoming, mu0, albedo)
    torch.testing.assert_close(one.up[:, [0, -1]], two.up[:, [0, -1]])
    torch.testing.assert_close(one.down[:, [0, -1]], two.down[:, [0, -1]])


def test_without_sun_there_is_no_light() -> None:
    tau, ssa = doubles(COLUMNS, LAYERS, G), doubles(COLUMNS, LAYERS, G, seed=2)
    mu0 = torch.tensor([0.5, 0.0, -0.4]).double()
    fluxes = shortwave_fluxes(tau, ssa, doubles(COLUMNS, G), mu0, torch.ones(COLUMNS).double())
    for x in (fluxes.up, fluxes.down, fluxes.direct):
        assert float(x[0].min()) > 0
        assert float(x[1:].abs().max()) == 0


def test_solvers_have_the_gradients_of_finite_differences() -> None:
    tau = doubles(2, 3, 2, least=0.05, most=1.5).requires_grad_()
    level = doubles(2, 4, 2, least=1, most=2, seed=2).requires_grad_()
    layer = doubles(2, 3, 2, least=1, most=2, seed=3).requires_grad_()
    surface = doubles(2, 2, least=1, most=2, seed=4).requires_grad_()
    emissivity = torch.tensor([0.9, 1.0]).double().requires_grad_()

    def thermal(t: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return longwave_fluxes(t, ThermalSource(*rest[:3]), rest[3], GAUSS_3)

    assert torch.autograd.gradcheck(thermal, (tau, layer, level, surface, emissivity))
    ssa = doubles(2, 3, 2, least=0.1, most=0.9, seed=5).requires_grad_()
    incoming = doubles(2, 2, seed=6).requires_grad_()
    mu0, albedo = (torch.tensor(x).double().requires_grad_() for x in ([0.8, 0.3], [0.1, 0.5]))

    def solar(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        fluxes = shortwave_fluxes(*inputs)
        return fluxes.up, fluxes.down, fluxes.direct

    assert torch.autograd.gradcheck(solar, (tau, ssa, incoming, mu0, albedo))


def test_gradients_of_empty_layers_are_finite() -> None:
    tau = torch.zeros(1, 2, 1, dtype=torch.float64, requires_grad=True)
    source = ThermalSource(
        *(torch.ones(1, n, 1, dtype=torch.float64) for n in (2, 3)), torch.ones(1, 1).double()
    )
    up, down = longwave_fluxes(tau, source, torch.ones(1).double())
    one = torch.ones(1).double()
    light = shortwave_fluxes(tau, tau * 0, torch.ones(1, 1).double(), one / 2, one / 3)
    (up.sum() + down.sum() + light.up.sum() + light.down.sum()).backward()
    assert tau.grad is not None
    assert bool(torch.isfinite(tau.grad).all())


def test_heating_is_the_convergence_of_the_flux() -> None:
    """The column gains what goes in at its ends, whatever the order of the levels."""
    p_lev = torch.tensor([[10.0, 5e3, 4e4, 1e5]], dtype=torch.float64)
    up, down = doubles(1, 4, most=300), doubles(1, 4, most=300, seed=2)
    rate = heating_rate(up, down, p_lev)
    gained = (rate * p_lev.diff()).sum() * 1004.64 / 9.80665 / 86400
    net = down - up
    torch.testing.assert_close(gained, net[0, 0] - net[0, -1])
    torch.testing.assert_close(heating_rate(up.flip(1), down.flip(1), p_lev.flip(1)), rate.flip(1))


def test_shapes_that_do_not_fit_are_named() -> None:
    tau, one = torch.zeros(2, 3, 4), torch.ones(2)
    source = ThermalSource(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), torch.zeros(2, 4))
    with pytest.raises(
        GasOpticsError, match=r"source.level has shape \(2, 3, 4\); expected \(2, 4,"
    ):
        longwave_fluxes(tau, source, one)
    with pytest.raises(GasOpticsError, match=r"incoming has shape \(2,\); expected \(2, 4\)"):
        shortwave_fluxes(tau, tau, one, one, one)
    with pytest.raises(GasOpticsError, match=r"expected one shape, \(columns, levels\)"):
        heating_rate(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1, 4))
