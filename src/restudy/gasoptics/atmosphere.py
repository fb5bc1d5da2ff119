"""Columns of air: pressure, temperature, gases, and what is below and above them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch

from restudy.gasoptics.errors import ExtrapolationWarning, GasOpticsError
from restudy.gasoptics.tables import KDistribution

_POSSIBLE = 100.0, 500.0  # K; a temperature outside is no temperature of air in kelvin
_SLACK = 1e-6  # relative: float32 of a pressure at the very end of the tables


@dataclass(frozen=True)
class Atmosphere:
    """Columns of air, all with the same number of layers, from the top down or from the ground up.

    Attributes
    ----------
    p_lay : torch.Tensor, shape (columns, layers)
        Pressure of the layers [Pa].
    p_lev : torch.Tensor, shape (columns, layers + 1)
        Pressure of the levels between them [Pa].
    t_lay : torch.Tensor, shape (columns, layers)
        Temperature of the layers [K].
    t_lev : torch.Tensor, shape (columns, layers + 1)
        Temperature of the levels [K].
    gases : mapping of str to torch.Tensor, shape (columns, layers)
        Mole fraction in dry air of each gas, named by its formula in small letters [mol/mol].
    t_sfc : torch.Tensor, shape (columns,)
        Temperature of the surface [K].
    emissivity : torch.Tensor, shape (columns,)
        Emissivity of the surface in the long wave.
    albedo : torch.Tensor, shape (columns,)
        Albedo of the surface in the short wave.
    mu0 : torch.Tensor, shape (columns,)
        Cosine of the solar zenith angle; no sun where it is not above 0.
    irradiance : torch.Tensor, shape (columns,)
        Total solar irradiance on a plane that faces the sun [W/m2].

    Raises
    ------
    GasOpticsError
        If shapes do not fit, a value is no number, pressures are out of order, a mole fraction
        lies outside 0 to 1, or a temperature is no temperature of air in kelvin.
    """

    p_lay: torch.Tensor
    p_lev: torch.Tensor
    t_lay: torch.Tensor
    t_lev: torch.Tensor
    gases: Mapping[str, torch.Tensor]
    t_sfc: torch.Tensor
    emissivity: torch.Tensor
    albedo: torch.Tensor
    mu0: torch.Tensor
    irradiance: torch.Tensor

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_pressures(self)
        _check_temperatures(self)
        _check_gases(self)
        for name, least, most in (
            ("emissivity", 0.0, 1.0),
            ("albedo", 0.0, 1.0),
            ("mu0", -1.0, 1.0),
            ("irradiance", 0.0, 1e5),
        ):
            _check_range(name, getattr(self, name), least, most)

    @property
    def columns(self) -> int:
        """The number of columns."""
        return self.p_lay.shape[0]

    @property
    def layers(self) -> int:
        """The number of layers."""
        return self.p_lay.shape[1]

    @property
    def from_top(self) -> bool:
        """Whether the first layer is the highest."""
        return bool(self.p_lev[0, 0] < self.p_lev[0, -1])

    def part(self, columns: slice | torch.Tensor) -> Atmosphere:
        """Return some of the columns."""
        return self.mapped(lambda x: x[columns])

    def upside_down(self) -> Atmosphere:
        """Return the columns with their layers in the opposite order."""
        return self.mapped(lambda x: x.flip(1) if x.ndim == 2 else x)

    def top_down(self) -> Atmosphere:
        """Return the columns with the highest layer first."""
        return self if self.from_top else self.upside_down()

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Atmosphere:
        """Return the columns on another device or in another precision."""
        return self.mapped(lambda x: x.to(device=device, dtype=dtype))

    def changed(self, **gases: float) -> Atmosphere:
        """Return the columns with mole fractions multiplied, as in ``changed(co2=4)``."""
        if unknown := [name for name in gases if name not in self.gases]:
            raise GasOpticsError(
                f"no gas {unknown[0]!r} in this atmosphere; use {', '.join(self.gases)}."
            )
        scaled = {name: x * gases.get(name, 1.0) for name, x in self.gases.items()}
        return replace(self, gases=scaled)

    def mapped(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Atmosphere:
        """Return the columns with each array changed in one way."""
        new = {name: change(getattr(self, name)) for name in ARRAYS}
        return Atmosphere(**new, gases={name: change(x) for name, x in self.gases.items()})

    def require(self, gases: Iterable[str], who: str) -> None:
        """Refuse columns that lack a gas, as in ``require(("h2o",), "the network needs")``."""
        if missing := [gas for gas in gases if gas not in self.gases]:
            raise GasOpticsError(
                f"the atmosphere has no {', '.join(missing)}, which {who}; give a mole fraction, "
                "0 where there is none."
            )


ARRAYS = tuple(f.name for f in fields(Atmosphere) if f.name != "gases")
"""The fields of an atmosphere beside its gases."""


def joined_columns(parts: Sequence[Atmosphere]) -> Atmosphere:
    """Put columns with the same gases and number of layers into one list."""
    whole = {name: torch.cat([getattr(part, name) for part in parts]) for name in ARRAYS}
    gases = {gas: torch.cat([part.gases[gas] for part in parts]) for gas in parts[0].gases}
    return Atmosphere(**whole, gases=gases)


def check_range_of_table(atmosphere: Atmosphere, table: KDistribution) -> None:
    """Refuse pressures outside the tables, and flag temperatures outside them.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.
    table : KDistribution
        The tables.

    Raises
    ------
    GasOpticsError
        If a pressure lies outside the tables, or if a gas of the tables is missing.

    Warns
    -----
    ExtrapolationWarning
        If a temperature lies outside the tables; the coefficients are extrapolated.
    """
    atmosphere.require(table.gases, f"{table.name} needs")
    low, high = table.pressure_range
    for name in ("p_lay", "p_lev"):
        least, most = _extremes(getattr(atmosphere, name))
        if least < low * (1 - _SLACK) or most > high * (1 + _SLACK):
            raise GasOpticsError(
                f"{name} goes from {least:.6g} to {most:.6g} Pa; {table.name} covers {low:.6g} to "
                f"{high:.6g} Pa: give pascal, and end the columns inside this range."
            )
    coldest, hottest = table.temperature_range
    for name in ("t_lay", "t_lev", "t_sfc"):
        least, most = _extremes(getattr(atmosphere, name))
        if least < coldest or most > hottest:
            warnings.warn(
                f"{name} goes from {least:.1f} to {most:.1f} K; {table.name} covers {coldest:g} to "
                f"{hottest:g} K: outside, coefficients are extrapolated.",
                ExtrapolationWarning,
                stacklevel=3,
            )


def _extremes(x: torch.Tensor) -> tuple[float, float]:
    least, most = torch.aminmax(x.detach())
    return float(least), float(most)


def _check_range(name: str, x: torch.Tensor, least: float, most: float) -> None:
    low, high = _extremes(x)
    if not (least <= low and high <= most):
        found = low if not least <= low else high
        raise GasOpticsError(f"{name} has a value {found:g}; expected {least:g} to {most:g}.")


def _check_shapes(a: Atmosphere) -> None:
    if a.p_lay.ndim != 2 or 0 in a.p_lay.shape:
        raise GasOpticsError(
            f"p_lay has shape {tuple(a.p_lay.shape)}; expected (columns, layers), at least (1, 1)."
        )
    columns, layers = a.p_lay.shape
    expected = {
        "p_lev": (columns, layers + 1),
        "t_lay": (columns, layers),
        "t_lev": (columns, layers + 1),
    } | dict.fromkeys(("t_sfc", "emissivity", "albedo", "mu0", "irradiance"), (columns,))
    named = {name: (getattr(a, name), shape) for name, shape in expected.items()}
    named |= {gas: (x, (columns, layers)) for gas, x in a.gases.items()}
    for name, (x, shape) in ({"p_lay": (a.p_lay, (columns, layers))} | named).items():
        if tuple(x.shape) != shape:
            raise GasOpticsError(
                f"{name} has shape {tuple(x.shape)}; expected {shape}, from the "
                f"{columns} columns and {layers} layers of p_lay."
            )
        if not x.dtype.is_floating_point or x.dtype != a.p_lay.dtype:
            raise GasOpticsError(
                f"{name} is of {x.dtype}; expected the type of p_lay, {a.p_lay.dtype}, a floating "
                "one."
            )
        if not bool(torch.isfinite(x.detach()).all()):
            where = [int(i) for i in (~torch.isfinite(x.detach())).nonzero()[0]]
            value = float(x.detach()[tuple(where)])
            raise GasOpticsError(f"{name}{where} is {value}; expected a finite number.")


def _check_pressures(a: Atmosphere) -> None:
    levels = a.p_lev.detach()
    least = float(levels.min())
    if least <= 0:
        raise GasOpticsError(f"p_lev has a value {least:g} Pa; expected pressures above 0.")
    steps = levels.diff(dim=1)
    down = bool(levels[0, 0] < levels[0, -1])
    wrong = (steps <= 0) if down else (steps >= 0)
    if bool(wrong.any()):
        column, level = (int(i) for i in wrong.nonzero()[0])
        before, after = levels[column, level], levels[column, level + 1]
        raise GasOpticsError(
            f"p_lev of column {column} goes from {before:.6g} to {after:.6g} Pa at level {level}; "
            f"expected it to {'rise' if down else 'fall'} all the way, as column 0 begins: sort "
            "the levels of all columns in one order."
        )
    above, below = (levels[:, :-1], levels[:, 1:]) if down else (levels[:, 1:], levels[:, :-1])
    layer = a.p_lay.detach()
    outside = (layer < above * (1 - _SLACK)) | (layer > below * (1 + _SLACK))
    if bool(outside.any()):
        column, i = (int(n) for n in outside.nonzero()[0])
        raise GasOpticsError(
            f"p_lay[{column}, {i}] is {layer[column, i]:.6g} Pa; expected a pressure between its "
            f"levels, {above[column, i]:.6g} and {below[column, i]:.6g} Pa."
        )


def _check_temperatures(a: Atmosphere) -> None:
    low, high = _POSSIBLE
    for name in ("t_lay", "t_lev", "t_sfc"):
        least, most = _extremes(getattr(a, name))
        if least < low or most > high:
            found = least if least < low else most
            raise GasOpticsError(
                f"{name} has a value {found:g}; expected kelvin, from {low:g} to {high:g}."
            )
    warmest = float(a.t_lev.detach().max())
    deepest = float(a.p_lev.detach().max())
    if deepest < 1200 and warmest > 280:
        raise GasOpticsError(
            f"p_lev is at most {deepest:g} where t_lev reaches {warmest:g} K, which is hPa; "
            "expected pascal: multiply by 100."
        )


def _check_gases(a: Atmosphere) -> None:
    for gas, x in a.gases.items():
        least, most = _extremes(x)
        if least < 0:
            raise GasOpticsError(
                f"{gas} has a mole fraction of {least:g}; expected 0 to 1: set what is below 0, "
                "as advection leaves it, to 0."
            )
        if most > 1:
            raise GasOpticsError(
                f"{gas} has a mole fraction of {most:g}; expected mol/mol, 0 to 1: divide parts "
                "per million by 1e6."
            )
