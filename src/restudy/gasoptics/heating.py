"""Heating rates: what the divergence of the net flux does to the temperature."""

from __future__ import annotations

import torch

from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.optical_depth import GRAVITY

HEAT_CAPACITY = 1004.64  # J/kg/K, of dry air at constant pressure
DAY = 86400.0  # s


def heating_rate(up: torch.Tensor, down: torch.Tensor, p_lev: torch.Tensor) -> torch.Tensor:
    """Return the heating rate of each layer, for levels in either order.

    Parameters
    ----------
    up, down : torch.Tensor, shape (columns, layers + 1)
        Fluxes at the levels [W/m2].
    p_lev : torch.Tensor, shape (columns, layers + 1)
        Pressure of the levels [Pa].

    Returns
    -------
    torch.Tensor, shape (columns, layers)
        ``g / c_p d(up - down) / dp`` [K/day].

    Raises
    ------
    GasOpticsError
        If the shapes differ.

    Examples
    --------
    A hectopascal of air that keeps a watt a square metre.

    >>> up, down = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    >>> print(f"{heating_rate(up, down, torch.tensor([[0.0, 100.0]])).item():.3f}")
    8.434
    """
    if not up.shape == down.shape == p_lev.shape:
        raise GasOpticsError(
            f"up, down and p_lev have shapes {tuple(up.shape)}, {tuple(down.shape)} and "
            f"{tuple(p_lev.shape)}; expected one shape, (columns, levels)."
        )
    divergence = (up - down).diff(dim=1) / p_lev.diff(dim=1)  # W/m2/Pa
    return divergence * (GRAVITY / HEAT_CAPACITY * DAY)
