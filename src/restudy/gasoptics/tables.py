"""The k-distribution tables of RRTMGP, laid out for gathers.

A file has coefficients for a lower and an upper atmosphere, split at ``press_ref_trop``. Each is a
`Part` here. Everything is kept by band, as rows of a table: one row for each node of the grid of
temperature, (pressure) and mixing fraction, one column for each g-point of the band.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Minor:
    """The minor absorbers of one band in one part of the atmosphere.

    Attributes
    ----------
    gas : tuple of int
        Number of each absorber's gas; 0 is dry air, 1 the first of the table's gases.
    scaling_gas : tuple of int
        Gas by whose mixing ratio the absorption is scaled; -1 for none.
    by_complement : tuple of bool
        Whether it is scaled by one minus that mixing ratio.
    by_density : tuple of bool
        Whether it is scaled by pressure over temperature [hPa/K].
    coefficients : torch.Tensor, shape (absorbers * temperatures * fractions, g)
        Absorption coefficients [cm2/molecule, over the scaling].
    """

    gas: tuple[int, ...]
    scaling_gas: tuple[int, ...]
    by_complement: tuple[bool, ...]
    by_density: tuple[bool, ...]
    coefficients: torch.Tensor


@dataclass(frozen=True)
class Part:
    """What differs between the lower and the upper atmosphere.

    Attributes
    ----------
    name : str
        ``"lower"`` or ``"upper"``.
    pairs : tuple of tuple of int
        The distinct pairs of key species; 0 is dry air.
    pair_of_band : tuple of int
        Number in `pairs` for each band.
    ratio : torch.Tensor, shape (pairs, temperatures)
        Mixing ratio of the first species over that of the second in the reference atmosphere.
    first_row : int
        Row of pressure that belongs to the first reference pressure: the row of the tropopause is
        there twice, once for each part.
    minor : tuple of Minor or None
        For each band; None where it has none.
    rayleigh : tuple of torch.Tensor, shape (temperatures * fractions, g)
        Scattering coefficients of each band [cm2/molecule]; empty in the long wave.
    """

    name: str
    pairs: tuple[tuple[int, int], ...]
    pair_of_band: tuple[int, ...]
    ratio: torch.Tensor
    first_row: int
    minor: tuple[Minor | None, ...]
    rayleigh: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class PlanckTable:
    """The thermal source of the long wave.

    Attributes
    ----------
    fraction : tuple of torch.Tensor, shape (temperatures * pressures * fractions, g)
        Share of each g-point in the Planck function of its band, for each band.
    function : torch.Tensor, shape (bands, temperatures)
        Planck function integrated over the band [W/m2/sr].
    first, step : float
        Temperature of the first column of `function`, and from one to the next [K].
    """

    fraction: tuple[torch.Tensor, ...]
    function: torch.Tensor
    first: float
    step: float


@dataclass(frozen=True)
class KDistribution:
    """One k-distribution: all that gas optics needs to know of a spectral range.

    Attributes
    ----------
    name : str
        Name of the file, for messages.
    gases : tuple of str
        The gases, in the order of their numbers 1, 2, ...
    bands : tuple of slice
        The g-points of each band.
    wavenumbers : numpy.ndarray, shape (bands, 2)
        Limits of the bands [1/cm].
    temperatures, pressures, fractions : int
        Nodes of the grid of temperature, pressure (the tropopause once) and mixing fraction.
    temperature_first, temperature_step : float
        Lowest temperature of the grid, and from one to the next [K].
    log_pressure_first, log_pressure_step : float
        Logarithm of the highest pressure of the grid, and from one to the next (below 0) [ln Pa].
    tropopause : float
        Pressure above which (towards the ground) the lower part holds [Pa].
    major : tuple of torch.Tensor, shape (temperatures * (pressures + 1) * fractions, g)
        Absorption coefficients of the key species of each band [cm2/molecule].
    lower, upper : Part
        The two parts of the atmosphere.
    planck : PlanckTable or None
        In the long wave.
    solar : torch.Tensor or None, shape (g,)
        Solar irradiance at the mean distance of the sun, in the short wave [W/m2].
    """

    name: str
    gases: tuple[str, ...]
    bands: tuple[slice, ...]
    wavenumbers: np.ndarray
    temperatures: int
    pressures: int
    fractions: int
    temperature_first: float
    temperature_step: float
    log_pressure_first: float
    log_pressure_step: float
    tropopause: float
    major: tuple[torch.Tensor, ...]
    lower: Part
    upper: Part
    planck: PlanckTable | None
    solar: torch.Tensor | None

    @property
    def g_points(self) -> int:
        """The number of g-points."""
        return self.bands[-1].stop

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of g-points of each band."""
        return tuple(band.stop - band.start for band in self.bands)

    @property
    def temperature_range(self) -> tuple[float, float]:
        """The lowest and the highest temperature of the grid [K]."""
        span = (self.temperatures - 1) * self.temperature_step
        return self.temperature_first, self.temperature_first + span

    @property
    def pressure_range(self) -> tuple[float, float]:
        """The lowest and the highest pressure of the grid [Pa]."""
        span = (self.pressures - 1) * self.log_pressure_step
        ends = np.exp(self.log_pressure_first + np.array([span, 0.0]))
        return float(ends[0]), float(ends[1])

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> KDistribution:
        """Return the same tables on another device or in another precision."""
        return _moved(self, device, dtype)


def _moved(value: Any, device: torch.device | str | None, dtype: torch.dtype | None) -> Any:
    """Move every tensor inside a bundle of tensors, tuples and bundles."""
    if isinstance(value, torch.Tensor):
        return value.to(device=device, dtype=dtype)
    if isinstance(value, tuple):
        return tuple(_moved(one, device, dtype) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        moved = {name: _moved(getattr(value, name), device, dtype) for name in names}
        return dataclasses.replace(value, **moved)
    return value
