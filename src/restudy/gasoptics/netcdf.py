"""Files of netCDF-4: read whole, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from restudy.gasoptics.errors import GasOpticsError


def read_netcdf(path: Path, group: str | None = None) -> xr.Dataset:
    """Read a file, or a group of it, with its numbers as they stand there.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    group : str, optional
        Name of the group; the file itself by default.

    Returns
    -------
    xarray.Dataset
        In memory; times stay numbers, and nothing is masked or scaled.

    Raises
    ------
    GasOpticsError
        If there is no such file or group, or it is no netCDF-4.
    """
    try:
        return xr.load_dataset(
            path, group=group, engine="h5netcdf", decode_times=False, mask_and_scale=False
        )
    except (OSError, ValueError, KeyError) as error:
        where = f" with a group {group}" if group else ""
        raise GasOpticsError(
            f"{path} cannot be read as netCDF-4{where} ({error}); fetch it again with "
            "`restudy fetch`."
        ) from error


def check_variables(dataset: xr.Dataset, names: Iterable[str], file: str, what: str) -> None:
    """Refuse a dataset of a file that lacks a variable, and say what was expected instead."""
    if missing := [name for name in names if name not in dataset]:
        raise GasOpticsError(f"{file} has no variable {missing[0]!r}; expected {what}.")


def text(label: object) -> str:
    """Return a label, bytes or text, without blanks around it."""
    return label.decode().strip() if isinstance(label, bytes) else str(label).strip()
