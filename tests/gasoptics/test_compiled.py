"""Compiled networks against the torch networks that they were made from, in double precision."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators import kernels, tiles
from restudy.gasoptics.emulators.compiled import compiled, packed, panels
from restudy.gasoptics.emulators.inputs import features, training_range
from restudy.gasoptics.emulators.network import Design, make_network, spectrum_of
from restudy.gasoptics.emulators.scores import solve
from restudy.gasoptics.errors import ExtrapolationWarning, GasOpticsError
from restudy.gasoptics.planck import ThermalSource
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.rfmip import Rfmip
from restudy.gasoptics.standard import standard_atmospheres
from restudy.gasoptics.tables import KDistribution

SIZES = [
    ((64, 64), (32, 32), 1),
    ((50,), (20, 37), 2),
    ((50,), (20, 37), 4),
    ((3, 90, 17), (1, 5), 1),
]
CUTS = 3e4, 6.5e4  # Pa, in as far as the experts ask for them


def random_network(table: KDistribution, seen: Atmosphere, *size: Any, **design: Any) -> Any:
    """Make a network of random weights whose outputs are of the order of real ones."""
    hidden, blocks, experts = size
    name = "lw-g256" if table.planck is not None else "sw-g224"
    design |= {"experts": experts, "cuts": CUTS[: max(0, experts - 2)]}
    made = Design(name, ("h2o", "o3"), ("co2",), hidden, blocks, **design)
    network = make_network(made, spectrum_of(table), rng=torch.Generator().manual_seed(3))
    x = features(seen, made.gases, table.tropopause).flatten(0, 1)
    network.input_shift.copy_(x.mean(dim=0))
    network.input_scale.copy_(1 / x.std(dim=0))
    size_of_b = 0.3 if made.longwave else 0.004  # roots of a Planck fraction and of Rayleigh / |dp|
    size_of = torch.tensor([[0.25], [size_of_b]])
    network.root_shift.copy_(size_of.expand_as(network.root_shift))
    network.root_scale.mul_(0.3 * size_of)
    if made.longwave:
        network.root_scale[1] *= 3  # roots of either sign, which only matters for levels
    network.range = training_range(seen, (*made.gases, *made.held))
    return network.requires_grad_(False)


def quantities(optics: Any) -> dict[str, torch.Tensor]:
    if isinstance(optics, LongwaveOptics):
        source = optics.source
        named = {"layer": source.layer, "level": source.level, "surface": source.surface}
        return {"tau": optics.tau, **named}
    return {"tau": optics.tau, "ssa": optics.ssa, "incoming": optics.incoming}


def same_bits(first: Any, second: Any) -> bool:
    both = zip(quantities(first).values(), quantities(second).values(), strict=True)
    return all(torch.equal(a, b) for a, b in both)


def single(atmosphere: Atmosphere) -> Atmosphere:
    return atmosphere.to(dtype=torch.float32)


@pytest.fixture(params=["longwave", "shortwave"])
def table(request: pytest.FixtureRequest) -> KDistribution:
    return request.getfixturevalue(f"made_{request.param}")


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 7, 12, 13, 22, 31])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 64), (33, 100)])
def test_a_dense_layer_is_a_matrix_product_and_a_leaky_relu(
    rows: int, inputs: int, outputs: int
) -> None:
    rng = np.random.default_rng(rows)
    x = np.zeros((rows + tiles.ROWS, inputs + 3), np.float32)
    x[:rows] = rng.normal(size=(rows, inputs + 3))
    weight, bias = rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)
    ours = panels(weight, bias)
    out = np.full((len(x), len(ours) * tiles.LANES), np.nan, np.float32)
    plan = np.array([0, 2, inputs, len(ours), 0])
    asked = kernels.dense(x, 0, rows, ours.ravel(), plan, np.float32(0.2), out, (out,), 0, 1)
    assert asked == min(len(ours) * -(-rows // tiles.ROWS), out.size // tiles.LANES)
    total = x[:rows, 2 : 2 + inputs].astype(float) @ weight.T + bias
    expected = np.where(total > 0, total, 0.2 * total)
    np.testing.assert_allclose(out[:rows, :outputs], expected, atol=2e-5)
    assert np.isnan(out[max(rows, tiles.SHORT) :]).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layers", [1, 24, 61])
def test_every_quantity_is_that_of_the_network(
    table: KDistribution, size: tuple[Any, ...], layers: int
) -> None:
    compare(random_network(table, standard_atmospheres(), *size), standard_atmospheres(layers))


@pytest.mark.data
@pytest.mark.parametrize(("name", "parts"), [("lw-g128", 1), ("sw-g224", 2), ("sw-g112", 4)])
def test_every_quantity_is_that_of_the_network_for_real_bands(
    real_table: Callable[[str], KDistribution], rfmip: Rfmip, name: str, parts: int
) -> None:
    atmosphere = rfmip.atmosphere([0])
    compare(random_network(real_table(name), atmosphere, *SIZES[0], parts=parts), atmosphere)


@pytest.mark.parametrize("experts", [2, 4])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("shift", [0.0, 0.45, 0.85, 3.0])
@pytest.mark.parametrize("layers", [1, 24, 61])
def test_panels_of_g_points_and_what_is_left_of_them(
    made_shortwave: KDistribution, layers: int, shift: float, parts: int, experts: int
) -> None:
    """Two whole panels and 5 g-points; from few layers above the tropopause to nearly all.

    Of four experts, the two in the middle have a layer or none of 24.
    """
    solar = torch.ones(37, dtype=torch.float64) / 37
    atmosphere = standard_atmospheres(layers)
    network = random_network(made_shortwave, standard_atmospheres(), (30,), (22, 7), 2)
    spectrum = replace(network.spectrum, sizes=(20, 17), solar=solar)
    level = atmosphere.p_lev[0, 0].log() * (1 - shift) + atmosphere.p_lev[0, -1].log() * shift
    spectrum = replace(spectrum, tropopause=float(level.exp()))
    cuts = tuple(float(1.01**i * level.exp()) for i in range(1, experts - 1))
    design = replace(network.design, parts=parts, experts=experts, cuts=cuts)
    wide = make_network(design, spectrum, rng=torch.Generator().manual_seed(4))
    wide.input_shift.copy_(network.input_shift)
    wide.input_scale.copy_(network.input_scale)
    for name in ("root_shift", "root_scale"):
        getattr(wide, name).copy_(getattr(network, name)[:, :1].expand(2, 37))
    compare(wide.requires_grad_(requires_grad=False), atmosphere)


def compare(network: Any, atmosphere: Atmosphere) -> None:
    """Compare with the network in double precision: no worse than the network in single."""
    network.range = training_range(atmosphere, ("h2o", "o3", "co2"))
    found = quantities(compiled(network).optics(single(atmosphere)))
    in_torch = quantities(network.optics(single(atmosphere)))
    exact = quantities(network.double().optics(atmosphere))
    for name, value in exact.items():
        scale = value.abs() + 1e-2 * value.abs().mean()
        error, error_in_torch = (((x[name] - value).abs() / scale).max() for x in (found, in_torch))
        assert error < max(1e-5, 2 * float(error_in_torch)), name
        assert error_in_torch < 1e-4, name
        assert found[name].shape == value.shape


def test_fluxes_are_those_of_the_network(table: KDistribution, standard: Atmosphere) -> None:
    network = random_network(table, standard, (64, 64), (32, 32), 1)
    found = compiled(network).optics(single(standard))
    exact = network.double().optics(standard)

    def fluxes(optics: Any) -> torch.Tensor:
        """Solve in double precision, so that only the optics differ."""
        every = {name: x.double() for name, x in quantities(optics).items()}
        if isinstance(optics, LongwaveOptics):
            given = LongwaveOptics(every.pop("tau"), ThermalSource(**every))
        else:
            given = ShortwaveOptics(**every)
        solved = solve(given, standard)
        return torch.stack((solved.up, solved.down)).sum(dim=-1)

    assert fluxes(exact).max() > 100
    assert (fluxes(found) - fluxes(exact)).abs().max() < 1e-3


def test_results_depend_on_no_other_column(table: KDistribution, standard: Atmosphere) -> None:
    network = random_network(table, standard, (40,), (16, 16), 2)
    one, two = compiled(network), compiled(network, threads=4)
    columns = single(standard)
    together = one.optics(columns)
    assert same_bits(together, two.optics(columns))
    for i in range(columns.columns):
        alone = quantities(one.optics(columns.part(slice(i, i + 1))))
        for name, value in quantities(together).items():
            assert torch.equal(alone[name][0], value[i]), name


def test_columns_may_come_from_the_ground_up(table: KDistribution, standard: Atmosphere) -> None:
    work = compiled(random_network(table, standard, (40,), (16, 16), 1))
    columns = single(standard)
    assert same_bits(work.optics(columns), work.optics(columns.upside_down()))


def test_memory_is_filled_again(table: KDistribution, standard: Atmosphere) -> None:
    work = compiled(random_network(table, standard, (40,), (16, 16), 1))
    columns = single(standard)
    out = work.empty(columns.columns, columns.layers)
    for x in quantities(out).values():
        x.fill_(torch.nan)
    assert work.optics(columns, out) is out
    assert same_bits(out, work.optics(columns))
    assert same_bits(out, work.optics(standard, out))  # double precision is rounded
    with pytest.raises(GasOpticsError, match=r"out.tau is \(6, 24, 5\) of .*; expected \(2, 24"):
        work.optics(columns.part(slice(0, 2)), out)


def test_later_training_does_not_change_it(table: KDistribution, standard: Atmosphere) -> None:
    network = random_network(table, standard, (40,), (16, 16), 1)
    work, columns = compiled(network), single(standard)
    before = work.optics(columns)
    for weight in network.weights:
        weight.mul_(2)
    network.input_shift.add_(1)
    assert same_bits(before, work.optics(columns))


def changed(standard: Atmosphere, **to: Callable[[torch.Tensor], torch.Tensor]) -> Atmosphere:
    gases = {name: to.get(name, lambda x: x)(x) for name, x in standard.gases.items()}
    return replace(standard, gases=gases)


@pytest.mark.parametrize("gas", ["h2o", "co2"])
def test_what_the_training_did_not_have_is_flagged(
    table: KDistribution, standard: Atmosphere, gas: str
) -> None:
    work = compiled(random_network(table, standard, (40,), (16, 16), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        work.optics(single(standard))
    with pytest.warns(ExtrapolationWarning, match=rf"{gas}\[5, 23\] is"):
        work.optics(single(changed(standard, **{gas: _more_in_the_last_layer})))


def test_layers_outside_are_counted_bin_by_bin(
    made_longwave: KDistribution, standard: Atmosphere
) -> None:
    network = random_network(made_longwave, standard, (40,), (16, 16), 1)
    factor = torch.rand(standard.p_lay.shape, generator=torch.Generator().manual_seed(1))
    air = changed(standard, co2=lambda x: x * (1 + 2 * (factor > 0.8)), h2o=lambda x: x * factor)
    given = packed(network), compiled(network)._air(single(air))
    counted = [kernels._outside(column, *given) for column in range(air.columns)]
    outside = network.range.outside(air).sum(dim=1)
    assert counted == outside.tolist()
    assert 0 < outside.sum() < outside.numel() * 24


def _more_in_the_last_layer(x: torch.Tensor) -> torch.Tensor:
    more = x.clone()
    more[5, 23] = 0.5
    return more


def test_what_cannot_be_computed_is_said(table: KDistribution, standard: Atmosphere) -> None:
    work = compiled(random_network(table, standard, (40,), (16, 16), 1))
    dry = {name: x for name, x in standard.gases.items() if name != "h2o"}
    with pytest.raises(GasOpticsError, match="has no h2o"):
        work.optics(single(replace(standard, gases=dry)))
    with pytest.raises(GasOpticsError, match="no activation 'silu'"):
        compiled(random_network(table, standard, (40,), (16, 16), 1, activation="silu"))
    with pytest.raises(GasOpticsError, match="0 threads; expected at least 1"):
        compiled(work.network, threads=0)
