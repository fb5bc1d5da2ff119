"""Gas optics: what the air of each layer absorbs and scatters, at each g-point.

Inside, layers of all columns lie in one row, split into those of the lower and those of the upper
atmosphere, whose tables differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from restudy.gasoptics.atmosphere import Atmosphere, check_range_of_table
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.interpolation import Nodes, gather, nodes_of_pairs
from restudy.gasoptics.tables import KDistribution, Minor, Part

AVOGADRO = 6.02214076e23  # 1/mol
GRAVITY = 9.80665  # m/s2
MOLAR_MASS_DRY = 0.028964  # kg/mol
MOLAR_MASS_WATER = 0.018016  # kg/mol


@dataclass(frozen=True)
class Located:
    """The layers that belong to one part of the atmosphere, found in the tables.

    Attributes
    ----------
    part : Part
        ``table.lower`` or ``table.upper``.
    rows : torch.Tensor of int64, shape (n,)
        Numbers of the layers among columns * layers.
    temperature, pressure : torch.Tensor, shape (n,)
        Of the layers [K, Pa].
    amounts : torch.Tensor, shape (n, gases + 1)
        Dry air and each gas [molecules/cm2].
    nodes : tuple of Nodes
        For each pair of key species of the part.
    """

    part: Part
    rows: torch.Tensor
    temperature: torch.Tensor
    pressure: torch.Tensor
    amounts: torch.Tensor
    nodes: tuple[Nodes, ...]

    def moist(self, gases: tuple[str, ...]) -> torch.Tensor:
        """Return the molecules of dry air and water [1/cm2], (n,), of the names of the gases."""
        return self.amounts[:, 0] + self.amounts[:, 1 + gases.index("h2o")]


def dry_air(p_lev: torch.Tensor, h2o: torch.Tensor) -> torch.Tensor:
    """Return the molecules of dry air above a square centimetre of each layer.

    Parameters
    ----------
    p_lev : torch.Tensor, shape (columns, layers + 1)
        Pressure of the levels [Pa].
    h2o : torch.Tensor, shape (columns, layers)
        Moles of water a mole of dry air.

    Returns
    -------
    torch.Tensor, shape (columns, layers)
        Amounts [molecules/cm2].

    Notes
    -----
    With the share f = 1 / (1 + q) of dry air and the molar mass m of the moist air, the amount
    is ``|dp| N_A f / (m g)`` a square metre.

    Examples
    --------
    >>> whole = dry_air(torch.tensor([[0.0, 101325.0]]), torch.tensor([[0.0]]))
    >>> print(f"{whole.item():.4g}")
    2.148e+25
    """
    share = 1 / (1 + h2o)
    mass = (MOLAR_MASS_DRY + MOLAR_MASS_WATER * h2o) * share
    return p_lev.diff(dim=1).abs() * share / mass * (AVOGADRO / GRAVITY * 1e-4)


def locate(table: KDistribution, atmosphere: Atmosphere) -> tuple[Located, Located]:
    """Split the layers at the tropopause of the tables and find them in both.

    Parameters
    ----------
    table : KDistribution
        The tables, on the device and in the precision of the atmosphere.
    atmosphere : Atmosphere
        The columns.

    Returns
    -------
    tuple of Located
        The layers of the lower and of the upper atmosphere.

    Raises
    ------
    GasOpticsError
        If a gas is missing, a pressure lies outside the tables, or the tables are of another
        precision or on another device.

    Warns
    -----
    ExtrapolationWarning
        If a temperature lies outside the tables.
    """
    check_range_of_table(atmosphere, table)
    ours, theirs = atmosphere.p_lay, table.major[0]
    if (ours.dtype, ours.device) != (theirs.dtype, theirs.device):
        raise GasOpticsError(
            f"the atmosphere is {ours.dtype} on {ours.device}, the tables are {theirs.dtype} on "
            f"{theirs.device}; bring both together with .to(device, dtype)."
        )
    dry = dry_air(atmosphere.p_lev, atmosphere.gases["h2o"])
    amounts = [dry, *(atmosphere.gases[gas] * dry for gas in table.gases)]
    amounts_of = torch.stack(amounts, dim=2).flatten(0, 1)  # (columns * layers, gases + 1)
    temperature, pressure = atmosphere.t_lay.flatten(), atmosphere.p_lay.flatten()
    low = pressure.detach().log() > math.log(table.tropopause)

    def found(part: Part, belongs: torch.Tensor) -> Located:
        rows = belongs.nonzero()[:, 0]
        t, p, amount = temperature[rows], pressure[rows], amounts_of[rows]
        return Located(part, rows, t, p, amount, nodes_of_pairs(table, part, t, p, amount))

    return found(table.lower, low), found(table.upper, ~low)


def absorption(
    table: KDistribution, atmosphere: Atmosphere, located: tuple[Located, Located]
) -> torch.Tensor:
    """Return the optical depth of absorption by the key species and the minor absorbers.

    Parameters
    ----------
    table : KDistribution
        The tables.
    atmosphere : Atmosphere
        The columns.
    located : tuple of Located
        What `locate` found.

    Returns
    -------
    torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical.

    References
    ----------
    R. Pincus et al. (2019), doi:10.1029/2019MS001621, section 2, and its Fortran code,
    ``gas_optical_depths_major`` and ``gas_optical_depths_minor``.
    """

    def of_band(where: Located, band: int, nodes: Nodes) -> torch.Tensor:
        tau = gather(table.major[band], nodes.full, nodes.mixture_weight)
        minor = where.part.minor[band]
        return tau if minor is None else tau + minor_absorption(minor, where, nodes, table.gases)

    return by_band(located, atmosphere, of_band)


def minor_absorption(
    minor: Minor, where: Located, nodes: Nodes, gases: tuple[str, ...]
) -> torch.Tensor:
    """Return the optical depth of the minor absorbers of one band.

    Parameters
    ----------
    minor : Minor
        The absorbers.
    where : Located
        The n layers.
    nodes : Nodes
        Their place in the tables, for the key species of the band.
    gases : tuple of str
        Names of the gases 1, 2, ...

    Returns
    -------
    torch.Tensor, shape (n, g)
        Optical depth.

    Notes
    -----
    A collision-induced continuum grows with the density of the air, ``p / T``, and with the mixing
    ratio of the partner (or of everything else): its amount is multiplied by both. The ratio
    is one in moist air.
    """
    moist = where.moist(gases)
    scalings = []
    for gas, partner, complement, by_density in zip(
        minor.gas, minor.scaling_gas, minor.by_complement, minor.by_density, strict=True
    ):
        scaling = where.amounts[:, gas]
        if by_density:
            scaling = scaling * 0.01 * where.pressure / where.temperature
            if partner >= 0:
                ratio = where.amounts[:, partner] / moist
                scaling = scaling * (1 - ratio if complement else ratio)
        scalings.append(scaling)
    scaling_of = torch.stack(scalings, dim=1)  # (n, absorbers)
    weight = scaling_of[:, :, None] * nodes.flat_weight[:, None, :]  # (n, absorbers, 4)
    count = len(minor.gas)
    first = torch.arange(count, device=moist.device) * (len(minor.coefficients) // count)
    index = first[:, None] + nodes.flat[:, None, :]  # (n, absorbers, 4)
    return gather(minor.coefficients, index.flatten(1), weight.flatten(1))


def rayleigh_scattering(
    table: KDistribution, atmosphere: Atmosphere, located: tuple[Located, Located]
) -> torch.Tensor:
    """Return the optical depth of Rayleigh scattering.

    Parameters
    ----------
    table : KDistribution
        Tables of the short wave.
    atmosphere : Atmosphere
        The columns.
    located : tuple of Located
        What `locate` found.

    Returns
    -------
    torch.Tensor, shape (columns, layers, g)
        Optical depth along the vertical.
    """

    def of_band(where: Located, band: int, nodes: Nodes) -> torch.Tensor:
        weight = nodes.flat_weight * where.moist(table.gases)[:, None]
        return gather(where.part.rayleigh[band], nodes.flat, weight)

    return by_band(located, atmosphere, of_band)


def by_band(
    located: tuple[Located, Located],
    atmosphere: Atmosphere,
    of_band: Callable[[Located, int, Nodes], torch.Tensor],
) -> torch.Tensor:
    """Put together what a function gives for the n layers of each part in each band.

    Parameters
    ----------
    located : tuple of Located
        What `locate` found.
    atmosphere : Atmosphere
        The columns.
    of_band : callable
        From the layers of a part, the number of a band and the place of the layers in the tables
        of that band, to (n, g of the band).

    Returns
    -------
    torch.Tensor, shape (columns, layers, g)
        All bands, for all layers.
    """
    parts = [
        torch.cat(
            [
                of_band(where, band, where.nodes[pair])
                for band, pair in enumerate(where.part.pair_of_band)
            ],
            dim=1,
        )
        for where in located
    ]
    rows = torch.cat([where.rows for where in located])
    order = torch.empty_like(rows).scatter_(0, rows, torch.arange(len(rows), device=rows.device))
    g = parts[0].shape[1]
    return torch.cat(parts)[order].reshape(atmosphere.columns, atmosphere.layers, g)
