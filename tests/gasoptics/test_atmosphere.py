"""Columns: what is refused, in which words, and our standard ones."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.reference import longwave
from restudy.gasoptics.standard import (
    STANDARD,
    hydrostatic_pressure,
    ozone_layer,
    saturation_pressure,
    standard_atmospheres,
)
from restudy.gasoptics.tables import KDistribution


def at(x: torch.Tensor, where: tuple[int, ...], value: float) -> torch.Tensor:
    changed = x.clone()
    changed[where] = value
    return changed


def gas(a: Atmosphere, name: str, where: tuple[int, ...], value: float) -> dict[str, Any]:
    return {"gases": {**a.gases, name: at(a.gases[name], where, value)}}


BAD = {
    "nan": (
        lambda a: {"t_lay": at(a.t_lay, (2, 5), np.nan)},
        r"t_lay\[2, 5\] is nan; expected a fin",
    ),
    "infinite": (lambda a: {"mu0": at(a.mu0, (1,), np.inf)}, r"mu0\[1\] is inf"),
    "nan gas": (lambda a: gas(a, "co2", (0, 1), np.nan), r"co2\[0, 1\] is nan"),
    "negative gas": (
        lambda a: gas(a, "h2o", (0, 3), -1e-6),
        r"h2o has a mole fraction of -1e-06; expected 0 to 1: set what is below 0",
    ),
    "ppm": (
        lambda a: {"gases": {**a.gases, "co2": a.gases["co2"] * 1e6}},
        r"co2 has a mole fraction of 397\.5; expected mol/mol, 0 to 1: divide parts per million",
    ),
    "celsius": (
        lambda a: {"t_lev": a.t_lev - 273.15},
        r"t_lev has a value -\d+.*; expected kelvin",
    ),
    "hPa": (
        lambda a: {"p_lay": a.p_lay / 100, "p_lev": a.p_lev / 100},
        r"p_lev is at most 1018 where t_lev reaches 300 K, which is hPa; expected pascal",
    ),
    "no pressure": (lambda a: {"p_lev": at(a.p_lev, (0, 0), 0.0)}, r"p_lev has a value 0 Pa"),
    "disorder": (
        lambda a: {"p_lev": at(a.p_lev, (1, 4), 2.0)},
        r"p_lev of column 1 goes from .* to 2 Pa at level 3; expected it to rise all the way",
    ),
    "layer outside": (
        lambda a: {"p_lay": at(a.p_lay, (3, 7), 9e4)},
        r"p_lay\[3, 7\] is 90000 Pa; expected a pressure between its levels",
    ),
    "levels": (lambda a: {"p_lev": a.p_lay}, r"p_lev has shape \(6, 24\); expected \(6, 25\)"),
    "columns": (lambda a: {"t_sfc": a.t_sfc[:2]}, r"t_sfc has shape \(2,\); expected \(6,\)"),
    "flat": (lambda a: {"p_lay": a.p_lay[0]}, r"p_lay has shape \(24,\); expected \(columns, lay"),
    "gas shape": (
        lambda a: {"gases": {**a.gases, "o3": a.gases["o3"][:, :3]}},
        r"o3 has shape \(6, 3\); expected \(6, 24\)",
    ),
    "mixed types": (
        lambda a: {"t_lay": a.t_lay.float()},
        r"t_lay is of torch.float32; expected the",
    ),
    "albedo": (lambda a: {"albedo": a.albedo + 1}, r"albedo has a value 1\.\d+; expected 0 to 1"),
    "emissivity": (lambda a: {"emissivity": -a.emissivity}, r"emissivity has a value -0\.98"),
    "degrees": (lambda a: {"mu0": a.mu0 * 60}, r"mu0 has a value .*; expected -1 to 1"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence(what: str, standard: Atmosphere) -> None:
    change, message = BAD[what]
    with pytest.raises(GasOpticsError, match=message) as caught:
        dataclasses.replace(standard, **change(standard))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_disorder_is_named_in_either_direction(standard: Atmosphere) -> None:
    turned = standard.upside_down()
    with pytest.raises(GasOpticsError, match="expected it to fall all the way"):
        dataclasses.replace(turned, p_lev=at(turned.p_lev, (2, 6), 109_000.0))


def test_a_missing_gas_is_named(standard: Atmosphere, made_longwave: KDistribution) -> None:
    gases = {name: x for name, x in standard.gases.items() if name not in {"co2", "o3"}}
    with pytest.raises(GasOpticsError, match="the atmosphere has no co2, o3, which made needs"):
        longwave(made_longwave, dataclasses.replace(standard, gases=gases))


@pytest.mark.parametrize("factor", [0.5, 1.1])
def test_pressures_outside_the_tables_are_refused(
    factor: float, standard: Atmosphere, made_longwave: KDistribution
) -> None:
    changed = {"p_lay": standard.p_lay * factor, "p_lev": standard.p_lev * factor}
    with pytest.raises(GasOpticsError, match=r"goes from .* Pa; made covers 1\.00518 to 109663 Pa"):
        longwave(made_longwave, dataclasses.replace(standard, **changed))


def test_a_gas_that_is_not_there_cannot_be_changed(standard: Atmosphere) -> None:
    with pytest.raises(GasOpticsError, match="no gas 'co3' in this atmosphere; use h2o, o3"):
        standard.changed(co3=2)
    assert torch.equal(standard.changed(co2=2).gases["co2"], 2 * standard.gases["co2"])


def test_the_us_standard_atmosphere_has_the_pressures_of_the_norm() -> None:
    """U.S. Standard Atmosphere, 1976, table 4: geopotential height and pressure."""
    height = np.arange(0.0, 71_001.0, 20.0)
    norm = {
        11_000: 22632.06,
        20_000: 5474.889,
        32_000: 868.0187,
        47_000: 110.9063,
        51_000: 66.93887,
    }
    pressure = hydrostatic_pressure(STANDARD[-1], height)
    for z, expected in norm.items():
        assert pressure[height == z][0] == pytest.approx(expected, rel=2e-5)


def test_water_boils_at_its_boiling_point() -> None:
    assert saturation_pressure(np.array([273.15]))[0] == pytest.approx(611.2)
    assert saturation_pressure(np.array([373.15]))[0] == pytest.approx(101_325, rel=0.04)


def test_standard_atmospheres_look_like_air() -> None:
    """Column water 2 to 60 kg/m2, ozone 200 to 450 Dobson units, the most water in the tropics."""
    a = standard_atmospheres()
    moles = a.p_lev.diff() / 9.80665 / 0.028964  # of air, mol/m2
    water = (a.gases["h2o"] * moles).sum(dim=1) * 0.018016
    ozone = (a.gases["o3"] * moles).sum(dim=1) / 4.4615e-4  # mol/m2 a Dobson unit
    assert 2 < float(water.min()) < float(water.max()) < 60
    assert int(water.argmax()) == 0
    assert int(water.argmin()) == 4
    assert 200 < float(ozone.min()) < float(ozone.max()) < 450
    assert float(ozone_layer(np.array([944.5]))[0]) == pytest.approx(1.03e-5, rel=0.01)


def test_any_number_of_layers_and_columns() -> None:
    a = standard_atmospheres(7, STANDARD[2:4])
    assert (a.columns, a.layers) == (2, 7)
    assert a.from_top
    assert float(a.p_lev[0, -1]) == STANDARD[2].pressure
