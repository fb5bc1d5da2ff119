"""Reads the k-distribution tables from the netCDF files of RRTMGP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.tables import KDistribution, Minor, Part, PlanckTable

# Offsets of the indices of faculae and sunspots in the model of the sun, NRLSSI2.
_FACULAE, _SUNSPOTS = 0.1495954, 0.00066696


def read_table(path: Path) -> KDistribution:
    """Read a gas file of RRTMGP in float64, on the CPU.

    Parameters
    ----------
    path : pathlib.Path
        ``rrtmgp-gas-{lw-g256,lw-g128,sw-g224,sw-g112}.nc``, netCDF of the classic kind.

    Returns
    -------
    KDistribution
        The tables.

    Raises
    ------
    GasOpticsError
        If the file is no classic netCDF, or a variable is missing.

    Notes
    -----
    The temperatures of the Planck table are not read from ``temperature_Planck``, which holds
    indices in the g128 file: the table covers the range of ``temp_ref`` in equal steps.

    References
    ----------
    R. Pincus, E. J. Mlawer and J. S. Delamere, Balancing accuracy, efficiency, and flexibility in
    radiation calculations for dynamical models, J. Adv. Model. Earth Syst. 11, 3074 (2019),
    doi:10.1029/2019MS001621.
    """
    variables = _variables(path)
    try:
        return _table(path.name, variables)
    except KeyError as error:
        raise GasOpticsError(
            f"{path.name} has no variable {error.args[0]!r}; expected a gas file of RRTMGP, as "
            "`restudy fetch rrtmgp-lw-g256` gets."
        ) from error


def _variables(path: Path) -> dict[str, np.ndarray]:
    from scipy.io import netcdf_file

    try:
        with netcdf_file(path, mmap=False) as file:
            arrays = {name: variable.data for name, variable in file.variables.items()}
    except (OSError, TypeError, ValueError) as error:
        raise GasOpticsError(
            f"{path} cannot be read as a classic netCDF file ({error}); expected a gas file of "
            "RRTMGP, as `restudy fetch rrtmgp-lw-g256` gets."
        ) from error
    return {name: x.astype(x.dtype.newbyteorder("=")) for name, x in arrays.items()}


def _texts(array: np.ndarray) -> tuple[str, ...]:
    """Turn rows of single characters into texts."""
    return tuple(b"".join(row).decode("ascii").strip("\0 ") for row in array)


def _table(name: str, v: dict[str, np.ndarray]) -> KDistribution:
    gases = _texts(v["gas_names"])
    bands = tuple(slice(int(first) - 1, int(last)) for first, last in v["bnd_limits_gpt"])
    temperature, log_pressure = v["temp_ref"], np.log(v["press_ref"])
    steps = len(temperature) - 1, len(log_pressure) - 1
    return KDistribution(
        name=name,
        gases=gases,
        bands=bands,
        wavenumbers=v["bnd_limits_wavenumber"],
        temperatures=len(temperature),
        pressures=len(log_pressure),
        fractions=v["kmajor"].shape[2],
        temperature_first=float(temperature[0]),
        temperature_step=float((temperature[-1] - temperature[0]) / steps[0]),
        log_pressure_first=float(log_pressure[0]),
        log_pressure_step=float((log_pressure[-1] - log_pressure[0]) / steps[1]),
        tropopause=float(v["press_ref_trop"]),
        major=_by_band(v["kmajor"], bands),
        lower=_part("lower", 0, gases, bands, v),
        upper=_part("upper", 1, gases, bands, v),
        planck=_planck(bands, v) if "totplnk" in v else None,
        solar=_solar(v) if "solar_source_quiet" in v else None,
    )


def _by_band(array: np.ndarray, bands: tuple[slice, ...]) -> tuple[torch.Tensor, ...]:
    rows = torch.from_numpy(array.astype("float64")).flatten(0, -2)  # (nodes, all g)
    return tuple(rows[:, band].contiguous() for band in bands)


def _part(
    name: str, index: int, gases: tuple[str, ...], bands: tuple[slice, ...], v: dict[str, Any]
) -> Part:
    # A band without key species, (0, 0) in the file, has the pair (2, 2) in RRTMGP: its mixing
    # fraction is then a constant.
    keys = [tuple(int(i) for i in pair) for pair in v["key_species"][:, index]]
    keys = [(2, 2) if pair == (0, 0) else pair for pair in keys]
    pairs = tuple(dict.fromkeys(keys))
    reference = v["vmr_ref"][:, :, index]  # (temperatures, dry air and gases)
    ratio = np.stack([reference[:, a] / reference[:, b] for a, b in pairs])
    rayleigh = f"rayl_{name}"
    return Part(
        name=name,
        pairs=tuple((a, b) for a, b in pairs),
        pair_of_band=tuple(pairs.index(pair) for pair in keys),
        ratio=torch.from_numpy(ratio.astype("float64")),
        first_row=index,
        minor=_minor(name, gases, bands, v),
        rayleigh=_by_band(v[rayleigh], bands) if rayleigh in v else (),
    )


def _minor(
    name: str, gases: tuple[str, ...], bands: tuple[slice, ...], v: dict[str, Any]
) -> tuple[Minor | None, ...]:
    number = {gas: i for i, gas in enumerate(gases, start=1)} | {"": -1}
    gas_of = dict(zip(_texts(v["identifier_minor"]), _texts(v["gas_minor"]), strict=True))
    labels, scalings = _texts(v[f"minor_gases_{name}"]), _texts(v[f"scaling_gas_{name}"])
    limits, start = v[f"minor_limits_gpt_{name}"], v[f"kminor_start_{name}"]
    k = torch.from_numpy(v[f"kminor_{name}"].astype("float64")).flatten(0, 1)
    found: list[Minor | None] = []
    for band in bands:
        inside = [i for i, (a, b) in enumerate(limits) if band.start < a and b <= band.stop]
        blocks = []
        for i in inside:
            first, last = (int(g) - 1 - band.start for g in limits[i])
            block = k.new_zeros(len(k), band.stop - band.start)
            begin = int(start[i]) - 1
            block[:, first : last + 1] = k[:, begin : begin + last + 1 - first]
            blocks.append(block)
        found.append(
            Minor(
                gas=tuple(number[gas_of[labels[i]]] for i in inside),
                scaling_gas=tuple(number[scalings[i]] for i in inside),
                by_complement=tuple(bool(v[f"scale_by_complement_{name}"][i]) for i in inside),
                by_density=tuple(bool(v[f"minor_scales_with_density_{name}"][i]) for i in inside),
                coefficients=torch.cat(blocks),
            )
            if inside
            else None
        )
    return tuple(found)


def _planck(bands: tuple[slice, ...], v: dict[str, Any]) -> PlanckTable:
    function = torch.from_numpy(v["totplnk"].astype("float64"))
    first, last = float(v["temp_ref"][0]), float(v["temp_ref"][-1])
    return PlanckTable(
        fraction=_by_band(v["plank_fraction"], bands),
        function=function,
        first=first,
        step=(last - first) / (function.shape[1] - 1),
    )


def _solar(v: dict[str, Any]) -> torch.Tensor:
    faculae = float(v["mg_default"]) - _FACULAE
    spots = float(v["sb_default"]) - _SUNSPOTS
    source = (
        v["solar_source_quiet"]
        + faculae * v["solar_source_facular"]
        + spots * v["solar_source_sunspot"]
    )
    return torch.from_numpy(source.astype("float64"))
