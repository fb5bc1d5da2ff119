"""How arXiv 2005.02265 makes inputs and outputs of its networks into numbers of order one.

Mole fractions, pressures and all outputs but the single-scattering albedo go through a fast
stand-in for the logarithm, four square roots deep. Then each is standardised with its mean and its
standard deviation over the training, on each side of the tropopause by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError

LEAST = 1e-12  # stands for an output that is exactly 0, before the logarithm


def fast_log(x: torch.Tensor) -> torch.Tensor:
    """Return ``16 (x^(1/16) - 1)``, the logarithm near 1, of numbers that are not negative.

    Examples
    --------
    >>> [round(y, 3) for y in fast_log(torch.tensor([0.0, 1e-12, 1.0, 1.01, 65536.0])).tolist()]
    [-16.0, -13.155, 0.0, 0.01, 16.0]
    """
    return 16 * (x.sqrt().sqrt().sqrt().sqrt() - 1)


def fast_exp(y: torch.Tensor) -> torch.Tensor:
    """Return ``(1 + y / 16)^16``, from which `fast_log` gives y back if it is not below -16.

    Examples
    --------
    >>> fast_exp(torch.tensor([-16.0, 0.0, 16.0])).tolist()
    [0.0, 1.0, 65536.0]
    """
    x = 1 + y / 16
    for _ in range(4):
        x = x * x
    return x


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of each input or output over the training.

    Attributes
    ----------
    mean, deviation : torch.Tensor, shape (n,)
        In the units of the scaled quantity; the deviation is above 0.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def standardised(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(x - mean) / deviation``."""
        return (x - self.mean) / self.deviation


def standardisation_of(samples: torch.Tensor) -> Standardisation:
    """Return the mean and the standard deviation of the columns of samples.

    Parameters
    ----------
    samples : torch.Tensor, shape (samples, n)
        Scaled inputs or outputs.

    Returns
    -------
    Standardisation
        The deviation is 1 where it is within rounding of 0: such an output stays at its mean.

    Raises
    ------
    GasOpticsError
        If there are fewer than two samples.
    """
    if len(samples) < 2:
        raise GasOpticsError(f"{len(samples)} samples to standardise by; expected 2 or more.")
    mean, deviation = samples.mean(dim=0), samples.std(dim=0, correction=0)
    rounding = 64 * torch.finfo(samples.dtype).eps * mean.abs().clamp(min=1e-6)
    return Standardisation(mean, torch.where(deviation > rounding, deviation, 1.0))


def paper_inputs(columns: Atmosphere, *, ozone: bool = True, levels: bool = False) -> torch.Tensor:
    """Return the inputs of one of the paper's networks, not yet standardised.

    Parameters
    ----------
    columns : Atmosphere
        Columns in either order.
    ozone : bool
        Whether ozone is an input; it is not where it follows from the pressure.
    levels : bool
        Whether the temperatures of the levels are inputs, as the Planck source needs them.

    Returns
    -------
    torch.Tensor, shape (columns, layers, 3 to 6)
        Fast logarithms of water vapour, of ozone and of the pressure [Pa], the temperature of the
        layer, and those of the level on its side of the ground and on its side of space [K].

    Raises
    ------
    GasOpticsError
        If a gas is missing.
    """
    gases = ("h2o", "o3") if ozone else ("h2o",)
    columns.require(gases, "the paper's networks need")
    found = [fast_log(columns.gases[gas]) for gas in gases]
    found += [fast_log(columns.p_lay), columns.t_lay]
    if levels:
        first, second = columns.t_lev[:, :-1], columns.t_lev[:, 1:]
        found += [second, first] if columns.from_top else [first, second]
    return torch.stack(found, dim=2)
