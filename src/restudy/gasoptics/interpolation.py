"""Where a layer lies in the tables: nodes around it, and their weights.

The grid has three axes: temperature, logarithm of pressure, and the mixing fraction eta of a pair
of key species. The reference atmosphere, by which the amounts of the pair are made comparable,
depends on temperature, so that each of the two temperatures around a layer has an eta of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.gasoptics.tables import KDistribution, Part


@dataclass(frozen=True)
class Nodes:
    """The nodes of the grid around n layers, for one pair of key species.

    Attributes
    ----------
    mixture : torch.Tensor, shape (n, 2)
        Amount of the pair at both temperatures [molecules/cm2].
    flat : torch.Tensor, shape (n, 4)
        Rows of tables of temperature and mixing fraction.
    flat_weight : torch.Tensor, shape (n, 4)
        Weights of these rows; they add up to 1.
    full : torch.Tensor, shape (n, 8)
        Rows of tables of temperature, pressure and mixing fraction.
    full_weight : torch.Tensor, shape (n, 8)
        Weights of these rows; they add up to 1.
    """

    mixture: torch.Tensor
    flat: torch.Tensor
    flat_weight: torch.Tensor
    full: torch.Tensor
    full_weight: torch.Tensor

    @property
    def mixture_weight(self) -> torch.Tensor:
        """Weights of the rows of `full` times the mixture at their temperature, (n, 8)."""
        by_temperature = self.full_weight.reshape(len(self.full), 2, 4)
        return (by_temperature * self.mixture[:, :, None]).flatten(1)


def position(
    value: torch.Tensor, first: float, step: float, nodes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find values on an axis of equal steps.

    Parameters
    ----------
    value : torch.Tensor
        Values, of any shape.
    first, step : float
        First node, and from one to the next.
    nodes : int
        Number of nodes.

    Returns
    -------
    index : torch.Tensor of int64
        Node before the value; at most the last but one.
    fraction : torch.Tensor
        How far the value lies towards the next node; outside 0 to 1 where it lies off the axis, so
        that an interpolation extrapolates.

    Examples
    --------
    >>> position(torch.tensor([175.0, 182.5, 150.0]), 160.0, 15.0, 14)
    (tensor([1, 1, 0]), tensor([ 0.0000,  0.5000, -0.6667]))
    """
    place = (value - first) / step
    index = place.detach().floor().clamp(0, nodes - 2)
    return index.long(), place - index


def nodes_of_pairs(
    table: KDistribution,
    part: Part,
    temperature: torch.Tensor,
    pressure: torch.Tensor,
    amounts: torch.Tensor,
) -> tuple[Nodes, ...]:
    """Find n layers of one part of the atmosphere in the tables, for each pair of key species.

    Parameters
    ----------
    table : KDistribution
        The tables.
    part : Part
        ``table.lower`` or ``table.upper``, to which all layers belong.
    temperature, pressure : torch.Tensor, shape (n,)
        Of the layers [K, Pa].
    amounts : torch.Tensor, shape (n, gases + 1)
        Amounts of dry air and of each gas [molecules/cm2].

    Returns
    -------
    tuple of Nodes
        In the order of ``part.pairs``.

    Notes
    -----
    As in RRTMGP the fraction is the part of 8 eta behind the point, also where eta is 1, for a
    layer without the second gas: there the coefficients are those of eta = 7/8. Where there is
    neither gas, eta is 1/2.

    References
    ----------
    R. Pincus et al. (2019), doi:10.1029/2019MS001621, section 2.
    """
    jt, ft = position(
        temperature, table.temperature_first, table.temperature_step, table.temperatures
    )
    place = table.log_pressure_first, table.log_pressure_step, table.pressures
    jp, fp = position(pressure.log(), *place)
    two = torch.arange(2, device=jt.device)
    t_rows = jt[:, None] + two  # (n, 2)
    p_rows = part.first_row + jp[:, None] + two  # (n, 2)
    t_weight = torch.stack((1 - ft, ft), dim=1)  # (n, 2)
    p_weight = torch.stack((1 - fp, fp), dim=1)  # (n, 2)
    found = []
    for (a, b), ratio in zip(part.pairs, part.ratio, strict=True):
        first = amounts[:, a, None]
        mixture = first + ratio[t_rows] * amounts[:, b, None]  # (n, 2)
        none = mixture <= 2 * torch.finfo(mixture.dtype).tiny
        eta = torch.where(none, 0.5, first / torch.where(none, 1.0, mixture))
        place_eta = eta * (table.fractions - 1)
        whole = place_eta.detach().floor()
        e_rows = whole.clamp(max=table.fractions - 2).long()[..., None] + two  # (n, 2, 2)
        fe = place_eta - whole
        weight = t_weight[..., None] * torch.stack((1 - fe, fe), dim=2)  # (n, T 2, eta 2)
        flat = t_rows[..., None] * table.fractions + e_rows
        rows = t_rows[..., None] * (table.pressures + 1) + p_rows[:, None, :]  # (n, T 2, p 2)
        full = rows[..., None] * table.fractions + e_rows[:, :, None, :]  # (n, T 2, p 2, eta 2)
        full_weight = weight[:, :, None, :] * p_weight[:, None, :, None]
        found.append(
            Nodes(
                mixture, flat.flatten(1), weight.flatten(1), full.flatten(1), full_weight.flatten(1)
            )
        )
    return tuple(found)


def gather(rows: torch.Tensor, index: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Add up rows of a table, each times its weight.

    Parameters
    ----------
    rows : torch.Tensor, shape (nodes, g)
        The table.
    index : torch.Tensor of int64, shape (n, k)
        Which rows.
    weight : torch.Tensor, shape (n, k)
        By what they are multiplied.

    Returns
    -------
    torch.Tensor, shape (n, g)
        The sums.

    Examples
    --------
    >>> gather(torch.eye(3), torch.tensor([[0, 2]]), torch.tensor([[0.25, 0.75]]))
    tensor([[0.2500, 0.0000, 0.7500]])
    """
    return torch.nn.functional.embedding_bag(index, rows, mode="sum", per_sample_weights=weight)
