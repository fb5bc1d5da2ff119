"""What the networks of arXiv 2005.02265 learn from: layers of air as the tables see them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.paper_networks import LONGWAVE, SHORTWAVE, Quantity
from restudy.gasoptics.emulators.paper_scaling import LEAST, fast_log, paper_inputs
from restudy.gasoptics.emulators.roots import thickness_of
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.optical_depth import absorption, locate
from restudy.gasoptics.planck import band_radiance, planck_fraction
from restudy.gasoptics.reference import shortwave_optics
from restudy.gasoptics.tables import KDistribution


@dataclass(frozen=True)
class Samples:
    """Layers of air, and what a quantity is in them.

    Attributes
    ----------
    inputs : torch.Tensor, shape (n, inputs)
        What `paper_inputs` gives, in float32.
    outputs : torch.Tensor, shape (n, outputs)
        Scaled outputs, in float32.
    low : torch.Tensor of bool, shape (n,)
        Whether the layer lies below the tropopause.
    """

    inputs: torch.Tensor
    outputs: torch.Tensor
    low: torch.Tensor

    def part(self, rows: torch.Tensor) -> Samples:
        """Return some of the samples."""
        return Samples(self.inputs[rows], self.outputs[rows], self.low[rows])


def longwave_samples(
    table: KDistribution, columns: Atmosphere, *, ozone: bool = True
) -> tuple[Samples, Samples]:
    """Return optical depth over ``|dp|`` and the three Planck sources of every layer.

    Parameters
    ----------
    table : KDistribution
        Tables of the long wave.
    columns : Atmosphere
        The columns, in the precision of the tables, in either order.
    ozone : bool
        Whether ozone is an input.

    Returns
    -------
    tuple of Samples
        For `LONGWAVE`. A level's source is that of this layer's Planck fraction.

    Raises
    ------
    GasOpticsError
        If the tables are of the short wave, or do not cover the columns.
    """
    if table.planck is None:
        raise GasOpticsError(f"{table.name} is of the short wave; use lw-g256 or lw-g128.")
    a = columns.top_down()
    located = locate(table, a)
    tau = absorption(table, a, located) / thickness_of(a)
    fraction = planck_fraction(table.planck, a, located)
    sizes = torch.tensor(table.sizes)
    sources = [
        fraction * band_radiance(table.planck, t).repeat_interleave(sizes, dim=-1)
        for t in (a.t_lay, a.t_lev[:, :-1], a.t_lev[:, 1:])
    ]
    outputs = fast_log(_not_zero(tau)), fast_log(_not_zero(torch.cat(sources, dim=2)))
    first, second = (
        _samples(table, a, q, x, ozone=ozone) for q, x in zip(LONGWAVE, outputs, strict=True)
    )
    return first, second


def shortwave_samples(
    table: KDistribution, columns: Atmosphere, *, ozone: bool = True
) -> tuple[Samples, Samples]:
    """Return optical depth over ``|dp|`` and single-scattering albedo of every layer.

    Parameters
    ----------
    table : KDistribution
        Tables of the short wave.
    columns : Atmosphere
        The columns, in the precision of the tables, in either order.
    ozone : bool
        Whether ozone is an input.

    Returns
    -------
    tuple of Samples
        For `SHORTWAVE`.

    Raises
    ------
    GasOpticsError
        If the tables are of the long wave, or do not cover the columns.
    """
    a = columns.top_down()
    optics = shortwave_optics(table, a)
    tau = fast_log(_not_zero(optics.tau / thickness_of(a)))
    outputs = tau, _not_zero(optics.ssa)
    first, second = (
        _samples(table, a, q, x, ozone=ozone) for q, x in zip(SHORTWAVE, outputs, strict=True)
    )
    return first, second


def _not_zero(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x == 0, LEAST, x)


def _samples(
    table: KDistribution, a: Atmosphere, quantity: Quantity, outputs: torch.Tensor, *, ozone: bool
) -> Samples:
    inputs = paper_inputs(a, ozone=ozone, levels=quantity.levels)
    low = (a.p_lay > table.tropopause).flatten()
    return Samples(inputs.flatten(0, 1).float(), outputs.flatten(0, 1).float(), low)
