"""The networks of Ukkonen et al. (2020): all greenhouse gases, one network for all heights.

They give roots of the cross-section of a layer's air, and of the Planck fraction, so that the
Planck function itself stays exact. They stand for the tables lw-g256 and sw-g224.

P. Ukkonen, R. Pincus, R. J. Hogan, K. P. Nielsen and E. Kaas, Accelerating radiation computations
for dynamical models with targeted machine learning and code optimization, J. Adv. Model. Earth
Syst. 12, e2020MS002226 (2020), doi:10.1029/2020MS002226.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.netcdf import check_variables, read_netcdf, text
from restudy.gasoptics.optical_depth import dry_air
from restudy.gasoptics.planck import shared_out
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.tables import KDistribution, PlanckTable

# Inputs that are no mole fraction, and those of which the fourth root is taken.
_SCALED: dict[str, Callable[[Atmosphere], torch.Tensor]] = {
    "tlay": lambda a: a.t_lay,
    "play": lambda a: a.p_lay.log(),
    "h2o": lambda a: a.gases["h2o"].sqrt().sqrt(),
    "o3": lambda a: a.gases["o3"].sqrt().sqrt(),
}


class UkkonenNetwork(nn.Module):
    """One network: dense layers with softsign between them, and linear scalings around them.

    Parameters
    ----------
    inputs : tuple of str
        Names of the inputs: ``"tlay"``, ``"play"`` and gases.
    widths : tuple of int
        Of the inputs, the hidden layers and the outputs.
    """

    least: torch.Tensor
    most: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, inputs: tuple[str, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.inputs = inputs
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.register_buffer("least", torch.zeros(widths[0]))
        self.register_buffer("most", torch.ones(widths[0]))
        self.register_buffer("mean", torch.zeros(widths[-1]))
        self.register_buffer("deviation", torch.ones(widths[-1]))

    @property
    def dense(self) -> list[nn.Linear]:
        """The layers."""
        return [cast("nn.Linear", layer) for layer in self.layers]

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return sum(layer.weight.numel() for layer in self.dense)

    def forward(self, columns: Atmosphere) -> torch.Tensor:
        """Return the roots, (columns, layers, g), in the precision of the network."""
        columns.require((x for x in self.inputs if x not in ("tlay", "play")), "the network needs")
        found = [
            _SCALED[name](columns) if name in _SCALED else columns.gases[name]
            for name in self.inputs
        ]
        x = torch.stack(found, dim=2).to(self.least.dtype)
        x = (x - self.least) / (self.most - self.least)
        for layer in self.layers[:-1]:
            x = nn.functional.softsign(layer(x))
        return self.layers[-1](x) * self.deviation + self.mean


class UkkonenLongwave(nn.Module):
    """Their gas optics of the long wave.

    Parameters
    ----------
    absorption, planck : UkkonenNetwork
        Eighth root of the cross-section, and square root of the Planck fraction.
    table : KDistribution
        The tables lw-g256, for Planck's function and the bands.
    """

    planck_function: torch.Tensor

    def __init__(
        self, absorption: UkkonenNetwork, planck: UkkonenNetwork, table: KDistribution
    ) -> None:
        super().__init__()
        if table.planck is None:
            raise GasOpticsError(f"{table.name} is of the short wave; use lw-g256.")
        self.absorption, self.planck, self.sizes = absorption, planck, table.sizes
        self._empty = PlanckTable((), torch.zeros(0), table.planck.first, table.planck.step)
        self.register_buffer("planck_function", table.planck.function.float())

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return self.absorption.multiply_adds + self.planck.multiply_adds

    def optics(self, atmosphere: Atmosphere) -> LongwaveOptics:
        """Return optical depth and thermal source, for columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the device of the networks.

        Returns
        -------
        LongwaveOptics
            From the top down, in the precision of the networks.

        Raises
        ------
        GasOpticsError
            If a gas is missing.
        """
        columns = atmosphere.top_down()
        tau = _optical_depth(self.absorption, columns)
        function = replace(self._empty, function=self.planck_function)
        fraction = self.planck(columns).square()
        return LongwaveOptics(tau, shared_out(function, self.sizes, fraction, columns))


class UkkonenShortwave(nn.Module):
    """Their gas optics of the short wave.

    Parameters
    ----------
    absorption, rayleigh : UkkonenNetwork
        Eighth roots of the cross-sections of absorption and of scattering.
    table : KDistribution
        The tables sw-g224, for the spectrum of the sun.
    """

    solar: torch.Tensor

    def __init__(
        self, absorption: UkkonenNetwork, rayleigh: UkkonenNetwork, table: KDistribution
    ) -> None:
        super().__init__()
        if table.solar is None:
            raise GasOpticsError(f"{table.name} is of the long wave; use sw-g224.")
        self.absorption, self.rayleigh = absorption, rayleigh
        self.register_buffer("solar", (table.solar / table.solar.sum()).float())

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return self.absorption.multiply_adds + self.rayleigh.multiply_adds

    def optics(self, atmosphere: Atmosphere) -> ShortwaveOptics:
        """Return optical depth, single-scattering albedo and sunlight, for columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the device of the networks.

        Returns
        -------
        ShortwaveOptics
            From the top down, in the precision of the networks.

        Raises
        ------
        GasOpticsError
            If a gas is missing.
        """
        columns = atmosphere.top_down()
        scattered = _optical_depth(self.rayleigh, columns)
        tau = _optical_depth(self.absorption, columns) + scattered
        ssa = scattered / tau.clamp(min=torch.finfo(tau.dtype).tiny)
        incoming = columns.irradiance[:, None].to(tau.dtype) * self.solar
        return ShortwaveOptics(tau, ssa, incoming)


def read_ukkonen_longwave(absorption: Path, planck: Path, table: KDistribution) -> UkkonenLongwave:
    """Read their networks of the long wave.

    Parameters
    ----------
    absorption, planck : pathlib.Path
        ``lw-g256-2018-12-04_absorption_58_58.nc`` and ``..._planck_frac_16_16.nc``.
    table : KDistribution
        The tables lw-g256.

    Returns
    -------
    UkkonenLongwave
        In float32.

    Raises
    ------
    GasOpticsError
        If a file cannot be read, or its network is of another kind or shape.
    """
    first = _read(absorption, "ABSORPTION CROSS-SECTION", table)
    return UkkonenLongwave(first, _read(planck, "PLANCK FRACTION", table), table)


def read_ukkonen_shortwave(
    absorption: Path, rayleigh: Path, table: KDistribution
) -> UkkonenShortwave:
    """Read their networks of the short wave.

    Parameters
    ----------
    absorption, rayleigh : pathlib.Path
        ``sw-g224-2018-12-04-absorption_16_16.nc`` and ``...-rayleigh_16_16.nc``.
    table : KDistribution
        The tables sw-g224.

    Returns
    -------
    UkkonenShortwave
        In float32.

    Raises
    ------
    GasOpticsError
        If a file cannot be read, or its network is of another kind or shape.
    """
    first = _read(absorption, "ABSORPTION CROSS-SECTION", table)
    return UkkonenShortwave(first, _read(rayleigh, "RAYLEIGH CROSS-SECTION", table), table)


def _optical_depth(network: UkkonenNetwork, columns: Atmosphere) -> torch.Tensor:
    """Return the optical depth of the eighth root of a cross-section a molecule of dry air."""
    root = network(columns)
    dry = dry_air(columns.p_lev, columns.gases["h2o"])
    # The eighth root of the amount first: a cross-section is too small a number for float32.
    return (root * dry[:, :, None].sqrt().sqrt().sqrt().to(root.dtype)) ** 8


def _read(path: Path, kind: str, table: KDistribution) -> UkkonenNetwork:
    """Read one network, and check that it is what it ought to be."""
    file = read_netcdf(path)
    about = str(file.attrs.get("model_info", ""))
    if not about.endswith(kind):
        raise GasOpticsError(f"{path.name} says of itself {about!r}; expected {kind!r}.")
    check_variables(file, ("nn_activation", "nn_inputs"), path.name, "a network")
    values = {str(name): file[name].to_numpy() for name in file.data_vars}
    count = sum(name.startswith("nn_bias_") for name in values)
    activations = [text(x) for x in values["nn_activation"]]
    if activations != ["softsign"] * (count - 1) + ["linear"]:
        raise GasOpticsError(
            f"{path.name} has the activations {', '.join(activations)}; expected softsign between "
            "its layers and none at the end."
        )
    inputs = tuple(text(x) for x in values["nn_inputs"])
    hidden = tuple(len(values[f"nn_bias_{i}"]) for i in range(1, count))
    network = UkkonenNetwork(inputs, (len(inputs), *hidden, table.g_points))
    _fill(network, values, path.name)
    return network


def _fill(network: UkkonenNetwork, values: dict[str, np.ndarray], where: str) -> None:
    targets = {"nn_input_coeffs_min": network.least, "nn_input_coeffs_max": network.most}
    for i, layer in enumerate(network.dense, start=1):
        targets |= {f"nn_weights_{i}": layer.weight.T, f"nn_bias_{i}": layer.bias}
    if "nn_output_coeffs_mean" in values:
        targets["nn_output_coeffs_mean"] = network.mean
        targets["nn_output_coeffs_std"] = network.deviation
    with torch.no_grad():
        for name, target in targets.items():
            found, shape = values.get(name), tuple(target.shape)
            if found is None or found.shape != shape or not np.isfinite(found).all():
                what = "absent" if found is None else f"of shape {found.shape}"
                raise GasOpticsError(
                    f"{where}: {name} is {what}; expected finite numbers of shape {shape}."
                )
            target.copy_(torch.from_numpy(found))
