"""Networks against loops, closed forms and finite differences."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.losses import fluxes_of_roots
from restudy.gasoptics.emulators.network import (
    Design,
    LongwaveNetwork,
    ShortwaveNetwork,
    make_network,
    spectrum_of,
)
from restudy.gasoptics.emulators.roots import (
    exact_roots,
    longwave_from_roots,
    shortwave_from_roots,
)
from restudy.gasoptics.errors import ExtrapolationWarning, GasOpticsError
from restudy.gasoptics.planck import band_radiance
from restudy.gasoptics.reference import longwave, longwave_optics, shortwave, shortwave_optics
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.tables import KDistribution

Net = LongwaveNetwork | ShortwaveNetwork
Make = Callable[..., Net]
pytestmark = pytest.mark.filterwarnings("ignore::restudy.gasoptics.errors.ExtrapolationWarning")


def test_multiply_adds_and_parameters_by_hand(made_network: Make) -> None:
    """5 inputs, 7, then 4 + 3, each block to 5 g-points: 35 + 49 + 20 + 15 products."""
    network = made_network()
    assert network.design.multiply_adds(5) == 119
    weights = 5 * 7 + 7 + 7 * 7 + 7 + 4 * 5 + 5 + 3 * 5 + 5
    assert sum(p.numel() for p in network.parameters()) == weights
    two = made_network(experts=2)
    assert two.design.multiply_adds(5) == 119  # a layer of air goes through one of them
    assert sum(p.numel() for p in two.parameters()) == 2 * weights


@pytest.mark.parametrize("experts", [1, 2, 4])
@pytest.mark.parametrize("activation", ["leaky relu", "silu"])
def test_roots_are_those_of_a_loop(
    experts: int, activation: str, made_network: Make, made_columns: Atmosphere
) -> None:
    cuts = (3e4, 8e4) if experts == 4 else ()
    network = made_network(experts=experts, cuts=cuts, activation=activation).double()
    found = [x.detach().numpy() for x in network.roots_of(made_columns)]
    for column in range(made_columns.columns):
        for layer in range(made_columns.layers):
            slow = _one_layer(network, made_columns, column, layer)
            for family in (0, 1):
                np.testing.assert_allclose(found[family][column, layer], slow[family], rtol=1e-10)


def _one_layer(
    network: Net, columns: Atmosphere, column: int, layer: int
) -> tuple[np.ndarray, np.ndarray]:
    p = float(columns.p_lay[column, layer])
    gases = [float(columns.gases[gas][column, layer]) ** 0.25 for gas in network.design.gases]
    lower = p > network.spectrum.tropopause
    x = np.array([math.log(p), float(columns.t_lay[column, layer]), float(lower), *gases])
    x = (x - network.input_shift.numpy()) * network.input_scale.numpy()
    borders = (network.spectrum.tropopause, *network.design.cuts)[: network.design.experts - 1]
    expert = sum(p <= border for border in borders)
    count = len(network.weights) // network.design.experts
    weights = [w.detach().numpy() for w in network.weights][expert * count : (expert + 1) * count]
    biases = [b.detach().numpy() for b in network.biases][expert * count : (expert + 1) * count]
    for weight, bias in zip(weights[:-2], biases[:-2], strict=True):
        z = weight @ x + bias
        silu = network.design.activation == "silu"
        x = z / (1 + np.exp(-z)) if silu else np.where(z > 0, z, 0.2 * z)
    first = network.design.blocks[0]
    roots = weights[-2] @ x[:first] + biases[-2], weights[-1] @ x[first:] + biases[-1]
    scale, shift = network.root_scale.numpy(), network.root_shift.numpy()
    return roots[0] * scale[0] + shift[0], roots[1] * scale[1] + shift[1]


def test_longwave_decoding_is_that_of_a_loop(
    made_longwave: KDistribution, made_columns: Atmosphere
) -> None:
    c, n, g = made_columns.columns, made_columns.layers, made_longwave.g_points
    rng = torch.Generator().manual_seed(1)
    a, b = (torch.randn(c, n, g, generator=rng, dtype=torch.float64) for _ in range(2))
    spectrum = spectrum_of(made_longwave)
    assert spectrum.planck is not None
    found = longwave_from_roots(a, b, made_columns, spectrum.planck, spectrum.sizes)
    band_of = [0, 0, 0, 1, 1]
    for i, k in np.ndindex(c, g):
        planck = [
            band_radiance(spectrum.planck, t[i])[..., band_of[k]]
            for t in (made_columns.t_lay, made_columns.t_lev, made_columns.t_sfc)
        ]
        for j in range(n):
            dp = float(made_columns.p_lev[i, j + 1] - made_columns.p_lev[i, j])
            tau = dp * max(float(a[i, j, k]), 0.0) ** 8
            assert float(found.tau[i, j, k]) == pytest.approx(tau, rel=1e-12)
            share = float(b[i, j, k]) ** 2
            layer = share * float(planck[0][j])
            assert float(found.source.layer[i, j, k]) == pytest.approx(layer, rel=1e-12)
        for j in range(n + 1):
            above, below = float(b[i, max(j - 1, 0), k]), float(b[i, min(j, n - 1), k])
            level = abs(above * below) * float(planck[1][j])
            assert float(found.source.level[i, j, k]) == pytest.approx(level, rel=1e-12)
        surface = float(b[i, -1, k]) ** 2 * float(planck[2])
        assert float(found.source.surface[i, k]) == pytest.approx(surface, rel=1e-12)


def test_shortwave_decoding_by_hand(made_columns: Atmosphere) -> None:
    """Absorption 0.5^8 and scattering 0.1^2 a pascal; a layer without either scatters nothing."""
    shape = made_columns.columns, made_columns.layers, 2
    a, b = torch.full(shape, 0.5).double(), torch.full(shape, -0.1).double()
    a[..., 1], b[..., 1] = -3.0, 0.0
    solar = torch.tensor([0.25, 0.75], dtype=torch.float64)
    found = shortwave_from_roots(a, b, made_columns, solar)
    dp = made_columns.p_lev.diff(dim=1)
    torch.testing.assert_close(found.tau[..., 0], dp * (0.5**8 + 0.01))
    torch.testing.assert_close(found.ssa[..., 0], torch.full_like(dp, 0.01 / (0.5**8 + 0.01)))
    assert float(found.tau[..., 1].abs().max()) == float(found.ssa[..., 1].abs().max()) == 0.0
    torch.testing.assert_close(found.incoming.sum(dim=1), made_columns.irradiance)


@pytest.mark.parametrize("name", ["lw-g128", "sw-g112"])
def test_exact_roots_mean_the_exact_optics(
    name: str, real_table: Callable[[str], KDistribution], rfmip: Rfmip
) -> None:
    """Roots of the tables, decoded, give the optical properties and fluxes of the tables."""
    table, columns = real_table(name), rfmip.atmosphere([0, 14]).part(slice(None, None, 23))
    a, b = exact_roots(table, columns)
    spectrum = spectrum_of(table)
    if spectrum.planck is not None:
        thermal = longwave_from_roots(a, b, columns, spectrum.planck, spectrum.sizes)
        exact = longwave_optics(table, columns)
        torch.testing.assert_close(thermal.tau, exact.tau, rtol=1e-12, atol=0)
        torch.testing.assert_close(thermal.source.level, exact.source.level, rtol=1e-10, atol=1e-12)
        fluxes = longwave(table, columns)
    else:
        assert spectrum.solar is not None
        light = shortwave_from_roots(a, b, columns, spectrum.solar)
        tables = shortwave_optics(table, columns)
        torch.testing.assert_close(light.tau, tables.tau, rtol=1e-11, atol=0)
        torch.testing.assert_close(light.ssa, tables.ssa, rtol=1e-10, atol=1e-12)
        fluxes = shortwave(table, columns)
    up, down = (x.sum(dim=2) for x in fluxes_of_roots(a, b, columns, spectrum))
    torch.testing.assert_close(up, fluxes.up, rtol=0, atol=1e-9)
    torch.testing.assert_close(down, fluxes.down, rtol=0, atol=1e-9)


@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_columns_do_not_depend_on_their_company_or_order(
    table: str, made_network: Make, made_columns: Atmosphere
) -> None:
    network = made_network(table)
    together = network.fluxes(made_columns)
    for column in range(made_columns.columns):
        alone = network.fluxes(made_columns.part(slice(column, column + 1)))
        torch.testing.assert_close(alone.up[0], together.up[column], rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(alone.down[0], together.down[column], rtol=1e-5, atol=1e-4)
    turned = network.fluxes(made_columns.upside_down())
    torch.testing.assert_close(turned.up.flip(1), together.up)
    torch.testing.assert_close(turned.down.flip(1), together.down)


@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_gradient_of_fluxes_against_finite_differences(
    table: str, made_network: Make, made_columns: Atmosphere
) -> None:
    """By temperature and water, and by all weights in one direction, through the solver."""
    network = made_network(table).double()
    columns = made_columns.part(slice(0, 2))

    water = columns.gases["h2o"].log()

    def net_flux(t_lay: torch.Tensor, log_water: torch.Tensor) -> torch.Tensor:
        gases = {**columns.gases, "h2o": log_water.exp()}
        changed = replace(columns, t_lay=t_lay, gases=gases)
        fluxes = network.fluxes(changed)
        return fluxes.up - fluxes.down

    air = [x.clone().requires_grad_() for x in (columns.t_lay, water)]
    assert torch.autograd.gradcheck(net_flux, air, eps=1e-6, atol=1e-4, rtol=1e-4)
    weighed = torch.linspace(-1, 1, 18, dtype=torch.float64).reshape(2, 9)
    parameters = list(network.parameters())
    rng = torch.Generator().manual_seed(4)
    ways = [torch.randn(p.shape, generator=rng, dtype=torch.float64) for p in parameters]
    (weighed * net_flux(columns.t_lay, water)).sum().backward()
    slope = sum(float((p.grad * way).sum()) for p, way in zip(parameters, ways, strict=True))
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            for p, way in zip(parameters, ways, strict=True):
                p.add_(way, alpha=step)
            values.append(float((weighed * net_flux(columns.t_lay, water)).sum()))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


def test_a_design_that_cannot_be_is_refused(made_shortwave: KDistribution) -> None:
    with pytest.raises(GasOpticsError, match=r"experts=3 with cuts at \(\) Pa"):
        Design("lw-g256", (), (), (8,), (4, 4), experts=3)
    with pytest.raises(GasOpticsError, match=r"experts=1 with cuts at \(50000.0,\) Pa"):
        Design("lw-g256", (), (), (8,), (4, 4), cuts=(5e4,))
    with pytest.raises(GasOpticsError, match="expected rising pressures"):
        Design("lw-g256", (), (), (8,), (4, 4), experts=4, cuts=(5e4, 5e4))
    with pytest.raises(GasOpticsError, match="activation 'tanh'; expected leaky relu or silu"):
        Design("lw-g256", (), (), (8,), (4, 4), activation="tanh")
    cut = Design("sw-g224", (), (), (8,), (4, 4), experts=3, cuts=(5e3,))
    with pytest.raises(GasOpticsError, match="a cut at 5000 Pa; expected more than the 9948"):
        make_network(cut, spectrum_of(made_shortwave))
    with pytest.raises(GasOpticsError, match="expected at least 1"):
        Design("lw-g256", (), (), (8,), (4, 0))
    with pytest.raises(GasOpticsError, match="spectrum of the short wave"):
        make_network(Design("lw-g256", (), (), (8,), (4, 4)), spectrum_of(made_shortwave))


def test_a_network_without_training_flags_everything(
    made_network: Make, made_columns: Atmosphere
) -> None:
    network = made_network()
    assert bool(network.range.outside(made_columns).all())
    with pytest.warns(ExtrapolationWarning, match="outside the range of the training"):
        network.optics(made_columns)
