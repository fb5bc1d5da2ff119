"""The edges: registered files, and columns and fluxes as xarray datasets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from restudy import data
from restudy.gasoptics import cf, datasets
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.reference import longwave, shortwave
from restudy.gasoptics.rfmip import Rfmip, read_fluxes, read_rfmip
from restudy.gasoptics.standard import WELL_MIXED
from restudy.gasoptics.table_file import read_table
from restudy.gasoptics.tables import KDistribution


def same(a: Atmosphere, b: Atmosphere) -> bool:
    fields = all(torch.equal(getattr(a, name), getattr(b, name)) for name in cf.FIELDS)
    return fields and all(torch.equal(x, b.gases[name]) for name, x in a.gases.items())


def test_columns_go_through_a_dataset_unchanged(standard: Atmosphere) -> None:
    dataset = cf.to_dataset(standard)
    assert same(standard, cf.from_dataset(dataset))
    assert dataset["t_lay"].attrs == {"standard_name": "air_temperature", "units": "K"}


def test_variables_are_found_by_standard_name(standard: Atmosphere) -> None:
    """Names and the order of dimensions are the user's; a well-mixed gas is one number."""
    dataset = cf.to_dataset(standard).rename(p_lay="plev_mid", t_sfc="ts", co2="carbon")
    dataset = dataset.transpose("layer", "level", "column")
    words = dataset["carbon"].attrs
    dataset["carbon"] = ((), WELL_MIXED["co2"], words)
    assert same(standard, cf.from_dataset(dataset))


@pytest.mark.parametrize(
    ("name", "unit", "message"),
    [
        ("p_lev", "hPa", "p_lev has the unit 'hPa'; expected 'Pa'"),
        ("co2", "1e-6", "co2 has the unit '1e-6'; expected '1'"),
        ("t_lay", None, "t_lay has the unit None; expected 'K'"),
    ],
)
def test_another_unit_is_refused(
    name: str, unit: str | None, message: str, standard: Atmosphere
) -> None:
    dataset = cf.to_dataset(standard)
    dataset[name].attrs["units"] = unit
    with pytest.raises(GasOpticsError, match=message):
        cf.from_dataset(dataset)


def test_a_missing_or_ambiguous_variable_is_named(standard: Atmosphere) -> None:
    dataset = cf.to_dataset(standard)
    with pytest.raises(GasOpticsError, match="0 variables with the standard name surface_albedo"):
        cf.from_dataset(dataset.drop_vars("albedo"))
    with pytest.raises(GasOpticsError, match="2 variables with the standard name air_temperature"):
        cf.from_dataset(dataset.assign(other=dataset["t_lay"]))


def test_fluxes_have_the_names_of_cmip(
    standard: Atmosphere, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    long, short = longwave(made_longwave, standard), shortwave(made_shortwave, standard)
    found = cf.fluxes_dataset(long, short)
    assert found["rsd"].attrs["standard_name"] == "downwelling_shortwave_flux_in_air"
    assert set(found.data_vars) == {"rlu", "rld", "rsu", "rsd"}
    np.testing.assert_array_equal(found["rlu"], long.up)
    np.testing.assert_array_equal(found["rsd"], short.down)


def test_without_real_columns_there_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    found = datasets.columns()
    assert (found.title, found.dataset) == ("6 standard atmospheres of our own", "")
    assert found.weight.sum() == pytest.approx(1)
    with pytest.raises(GasOpticsError, match="run `restudy fetch rfmip-atmospheres`"):
        datasets.columns("rfmip")
    with pytest.raises(GasOpticsError, match="run `restudy fetch rrtmgp-lw-g256`"):
        datasets.k_distribution("lw-g256")


def test_unknown_choices_are_named() -> None:
    for call, message in [
        (lambda: datasets.columns("mars"), "no columns 'mars'; use auto, rfmip, standard"),
        (lambda: datasets.k_distribution("lw-g64"), "no k-distribution 'lw-g64'; use lw-g256"),
        (lambda: datasets.reference_fluxes("radio"), "no spectral range 'radio'; use longwave or"),
    ]:
        with pytest.raises(GasOpticsError, match=message):
            call()


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.nc"
    wrong.write_bytes(b"CDF\x01" + bytes(28))
    with pytest.raises(GasOpticsError, match=r"wrong.nc has no variable 'gas_names'"):
        read_table(wrong)
    wrong.write_bytes(b"no netCDF")
    with pytest.raises(GasOpticsError, match="cannot be read as a classic netCDF file"):
        read_table(wrong)
    with pytest.raises(GasOpticsError, match="cannot be read as netCDF-4"):
        read_rfmip(wrong)


@pytest.mark.data
def test_rfmip_has_its_columns_in_si(rfmip: Rfmip) -> None:
    assert len(rfmip.experiments) == 18
    assert rfmip.experiments[0].startswith("Present day")
    assert rfmip.weight.sum() == pytest.approx(1)
    a = rfmip.atmosphere([0, 2])
    assert (a.columns, a.layers) == (200, 60)
    assert a.from_top
    ratio = a.gases["co2"][100:] / a.gases["co2"][:100]
    assert float(ratio.min()) > 2.5  # four times the pre-industrial over the present
    assert int((a.mu0[:100] > 0).sum()) == 51


@pytest.mark.data
def test_our_well_mixed_gases_are_those_of_rfmip(rfmip: Rfmip) -> None:
    """To within 2 %; carbon monoxide is a round number in both."""
    present = rfmip.atmosphere([0])
    for gas, value in WELL_MIXED.items():
        if gas != "co":
            assert float(present.gases[gas][0, 0]) == pytest.approx(value, rel=0.02), gas


@pytest.mark.data
def test_an_unknown_experiment_is_named(rfmip: Rfmip) -> None:
    with pytest.raises(GasOpticsError, match="experiment 18 is not in the file; expected 0 to 17"):
        rfmip.atmosphere([0, 18])


@pytest.mark.data
def test_fluxes_are_not_read_from_another_file(path_of: Callable[[str], Path]) -> None:
    path = path_of("rfmip-atmospheres")
    with pytest.raises(GasOpticsError, match="has 0 of the variables rlu and rsu; expected one"):
        read_fluxes(path, path)


@pytest.mark.data
def test_the_door_gives_real_files() -> None:
    for name in (datasets.ATMOSPHERES, "rrtmgp-sw-g112", "rfmip-rrtmgp-rsu", "rfmip-rrtmgp-rsd"):
        if data.available(name) is None:
            pytest.skip(f"needs {name}, which is not in the mirror")
    assert datasets.columns().dataset == "rfmip-atmospheres"
    assert datasets.rfmip().sites == 100
    assert datasets.k_distribution("sw-g112").g_points == 112
    assert datasets.reference_fluxes("shortwave").up.shape == (1800, 61)
