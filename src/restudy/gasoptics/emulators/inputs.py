"""What a network sees of a layer, and the range of it that the network was trained on.

The inputs are the logarithm of the pressure, the temperature, on which side of the tables'
tropopause the layer lies, and the fourth roots of the mole fractions of some gases.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import ExtrapolationWarning
from restudy.gasoptics.tables import KDistribution

LOCAL = ("log p", "T", "lower")  # inputs that are not gases
_BINS = 24  # of the logarithm of pressure
_SLACK = 0.01  # of a mole fraction: so much beyond the range changes no flux that is looked at


def features(atmosphere: Atmosphere, gases: Sequence[str], tropopause: float) -> torch.Tensor:
    """Return the inputs of a network, not yet standardised.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.
    gases : sequence of str
        Gases whose mole fraction is an input.
    tropopause : float
        Pressure above which (towards the ground) the lower tables hold [Pa].

    Returns
    -------
    torch.Tensor, shape (columns, layers, 3 + gases)
        ``ln p`` [ln Pa], T [K], 1 in the lower and 0 in the upper atmosphere, and the fourth root
        of each mole fraction.

    Raises
    ------
    GasOpticsError
        If a gas is missing.
    """
    atmosphere.require(gases, "the network needs")
    lower = (atmosphere.p_lay > tropopause).to(atmosphere.p_lay.dtype)
    roots = [atmosphere.gases[gas].sqrt().sqrt() for gas in gases]
    return torch.stack((atmosphere.p_lay.log(), atmosphere.t_lay, lower, *roots), dim=2)


def gases_that_matter(table: KDistribution) -> tuple[str, ...]:
    """Return the gases whose amount enters the tables, in their order.

    A table lists gases that none of its bands uses: the halocarbons in the short wave.
    """
    used: set[int] = set()
    for part in (table.lower, table.upper):
        for pair, minor in zip(part.pair_of_band, part.minor, strict=True):
            used.update(part.pairs[pair])
            if minor is not None:
                used.update(minor.gas)
                used.update(minor.scaling_gas)
    return tuple(gas for number, gas in enumerate(table.gases, start=1) if number in used)


@dataclass(frozen=True)
class TrainingRange:
    """Least and most of each quantity in bins of pressure, over the layers of the training.

    Attributes
    ----------
    names : tuple of str
        ``"t_lay"`` and the gases.
    edges : torch.Tensor, shape (bins + 1,)
        Logarithm of the pressure at the edges of the bins, rising [ln Pa].
    least, most : torch.Tensor, shape (bins, names)
        Of each quantity; a bin without layers has a least above its most.
    """

    names: tuple[str, ...]
    edges: torch.Tensor
    least: torch.Tensor
    most: torch.Tensor

    def outside(self, atmosphere: Atmosphere) -> torch.Tensor:
        """Return which layers lie outside in any quantity, or in pressure.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns.

        Returns
        -------
        torch.Tensor of bool, shape (columns, layers)
            True where a network extrapolates.
        """
        return self._beyond(atmosphere).any(dim=2)

    def warn(self, atmosphere: Atmosphere) -> None:
        """Name the first quantity that lies outside, with its value and the range there.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns.

        Warns
        -----
        ExtrapolationWarning
            If a layer lies outside.
        """
        beyond = self._beyond(atmosphere)
        if not bool(beyond.any()):
            return
        column, layer, number = (int(i) for i in beyond.nonzero()[0])
        pressure = float(atmosphere.p_lay[column, layer])
        share = 100 * float(beyond.any(dim=2).double().mean())
        if number == len(self.names):
            low, high = (float(self.edges[i].exp()) for i in (0, -1))
            said = f"p_lay[{column}, {layer}] is {pressure:.6g} Pa; trained on "
            said += f"{low:.6g} to {high:.6g} Pa"
        else:
            name, at = self.names[number], int(self._bin(atmosphere.p_lay)[column, layer])
            value = float(_values(atmosphere, self.names)[column, layer, number])
            low, high = float(self.least[at, number]), float(self.most[at, number])
            said = f"{name}[{column}, {layer}] is {value:.4g} at {pressure:.4g} Pa; trained on "
            said += f"{low:.4g} to {high:.4g} there"
        warnings.warn(
            f"{said}: {share:.2g} % of the layers lie outside the range of the training, where the "
            "network extrapolates.",
            ExtrapolationWarning,
            stacklevel=3,
        )

    def _bin(self, p_lay: torch.Tensor) -> torch.Tensor:
        at = torch.bucketize(p_lay.detach().log().contiguous(), self.edges.to(p_lay)) - 1
        return at.clamp(0, len(self.least) - 1)

    def _beyond(self, atmosphere: Atmosphere) -> torch.Tensor:
        """Return (columns, layers, names + 1): what lies outside; the last is the pressure."""
        values = _values(atmosphere, self.names)
        at = self._bin(atmosphere.p_lay)
        slack = values.new_tensor([0.0] + [_SLACK] * (len(self.names) - 1))
        low = self.least.to(values)[at] * (1 - slack)
        high = self.most.to(values)[at] * (1 + slack)
        log_p = atmosphere.p_lay.detach().log()
        pressure = (log_p < self.edges[0] - 1e-6) | (log_p > self.edges[-1] + 1e-6)
        return torch.cat(((values < low) | (values > high), pressure[..., None]), dim=2)


def training_range(
    atmosphere: Atmosphere, gases: Sequence[str], bins: int = _BINS
) -> TrainingRange:
    """Return the range that columns cover.

    Parameters
    ----------
    atmosphere : Atmosphere
        Columns of the training.
    gases : sequence of str
        Gases to look at: the inputs of the network, and those that it takes to be fixed.
    bins : int
        Number of bins of the logarithm of pressure.

    Returns
    -------
    TrainingRange
        Of the temperature of the layers and of the gases, in float64.
    """
    names = ("t_lay", *gases)
    log_p = atmosphere.p_lay.double().log().flatten()
    least, most = torch.aminmax(log_p)
    edges = torch.linspace(float(least), float(most), bins + 1, dtype=torch.float64)
    at = (torch.bucketize(log_p, edges) - 1).clamp(0, bins - 1)[:, None].expand(-1, len(names))
    values = _values(atmosphere, names).double().flatten(0, 1)  # (columns * layers, names)
    empty = torch.full((bins, len(names)), torch.inf, dtype=torch.float64)
    return TrainingRange(
        names,
        edges,
        least=empty.scatter_reduce(0, at, values, "amin"),
        most=(-empty).scatter_reduce(0, at, values, "amax"),
    )


def _values(atmosphere: Atmosphere, names: Sequence[str]) -> torch.Tensor:
    """Return the quantities, (columns, layers, names)."""
    gases = names[1:]  # the first is the temperature
    atmosphere.require(gases, "the network needs")
    every = atmosphere.t_lay, *(atmosphere.gases[gas] for gas in gases)
    return torch.stack([x.detach() for x in every], dim=2)
