"""The networks of arXiv 2005.02265: six sizes, each a set of four quantities.

=========== ================================================= ======== =====================
quantity    output at each g-point                            group    inputs
=========== ================================================= ======== =====================
tau         optical depth of the long wave over ``|dp|``      TLW      h2o, o3, p, T
Planck      source of the layer, and of the levels on its     Planck   and the T of the
            sides of space and ground, in this order                   levels around it
tau         optical depth of the short wave over ``|dp|``     TSW      h2o, o3, p, T
ssa         single-scattering albedo                          SSA      h2o, o3, p, T
=========== ================================================= ======== =====================

Each is two networks, one for the layers below the tropopause and one for those above. The trained
ones, which the authors published, are of 2020 and of the tables lw-g256 and sw-g224.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.network import Spectrum
from restudy.gasoptics.emulators.paper_scaling import Standardisation, fast_exp, paper_inputs
from restudy.gasoptics.emulators.roots import thickness_of
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.planck import ThermalSource, band_radiance
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.tables import PlanckTable

SLOPE = 0.2  # of the leaky ReLU below 0
# Name of a size: the widths of its hidden layers.
SIZES: Mapping[str, tuple[int, ...]] = {
    "linear": (),
    "32": (32,),
    "32-32": (32, 32),
    "64": (64,),
    "64-64": (64, 64),
    "32-64-128": (32, 64, 128),
}


@dataclass(frozen=True)
class Quantity:
    """What one pair of networks gives.

    Attributes
    ----------
    group : str
        Its name in the authors' files.
    parts : int
        Outputs at each g-point.
    levels : bool
        Whether the temperatures of the levels are inputs.
    logarithmic : bool
        Whether the outputs are fast logarithms.
    """

    group: str
    parts: int
    levels: bool
    logarithmic: bool

    def inputs(self, *, ozone: bool) -> int:
        """Return the number of inputs."""
        return 3 + ozone + 2 * self.levels


LONGWAVE = Quantity("TLW", 1, False, True), Quantity("Planck", 3, True, True)
SHORTWAVE = Quantity("TSW", 1, False, True), Quantity("SSA", 1, False, False)


class PaperNetwork(nn.Module):
    """One network for one side of the tropopause: scaled inputs to scaled outputs.

    Parameters
    ----------
    widths : sequence of int
        Of the inputs, the hidden layers and the outputs.
    """

    input_mean: torch.Tensor
    input_deviation: torch.Tensor
    output_mean: torch.Tensor
    output_deviation: torch.Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        for name, width in (("input", widths[0]), ("output", widths[-1])):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_deviation", torch.ones(width))

    def standardise(self, inputs: Standardisation, outputs: Standardisation) -> None:
        """Take over means and standard deviations."""
        for name, found in (("input", inputs), ("output", outputs)):
            getattr(self, f"{name}_mean").copy_(found.mean)
            getattr(self, f"{name}_deviation").copy_(found.deviation)

    @property
    def dense(self) -> list[nn.Linear]:
        """The layers."""
        return [cast("nn.Linear", layer) for layer in self.layers]

    def standardised(self, x: torch.Tensor) -> torch.Tensor:
        """Return the standardised outputs, on which the loss is, of inputs (n, inputs)."""
        x = (x - self.input_mean) / self.input_deviation
        for layer in self.layers[:-1]:
            x = nn.functional.leaky_relu(layer(x), SLOPE)
        return self.layers[-1](x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scaled outputs (n, outputs) of scaled inputs (n, inputs)."""
        return self.standardised(x) * self.output_deviation + self.output_mean

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return sum(layer.weight.numel() for layer in self.dense)


class SplitNetwork(nn.Module):
    """A quantity's two networks, below and above the tropopause; one may be missing.

    Parameters
    ----------
    quantity : Quantity
        What they give.
    lower, upper : PaperNetwork or None
        The networks.
    """

    def __init__(
        self, quantity: Quantity, lower: PaperNetwork | None, upper: PaperNetwork | None
    ) -> None:
        super().__init__()
        if lower is None and upper is None:
            raise GasOpticsError(f"{quantity.group} has no network on either side.")
        self.quantity = quantity
        self.lower, self.upper = lower, upper

    @property
    def either(self) -> PaperNetwork:
        """One of the networks; both have the same widths."""
        return next(part for part in (self.lower, self.upper) if part is not None)

    def forward(self, x: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        """Return the quantity.

        Parameters
        ----------
        x : torch.Tensor, shape (columns, layers, inputs)
            What `paper_inputs` gives.
        low : torch.Tensor of bool, shape (columns, layers)
            Whether the layer lies below the tropopause.

        Returns
        -------
        torch.Tensor, shape (columns, layers, outputs)
            In its own unit, no longer a logarithm.

        Raises
        ------
        GasOpticsError
            If a layer lies on a side that has no network.
        """
        rows = x.flatten(0, 1).to(self.either.input_mean.dtype)
        found = rows.new_empty(len(rows), len(self.either.output_mean))
        for name, network, side in (
            ("below", self.lower, low.flatten()),
            ("above", self.upper, ~low.flatten()),
        ):
            if bool(side.any()):
                if network is None:
                    raise GasOpticsError(
                        f"{int(side.sum())} layers lie {name} the tropopause, where this set of "
                        "networks was not trained; give the layers on the other side only."
                    )
                found = found.index_put((side.nonzero()[:, 0],), network(rows[side]))
        found = fast_exp(found) if self.quantity.logarithmic else found
        return found.reshape(*x.shape[:2], -1)


class PaperLongwave(nn.Module):
    """The paper's gas optics of the long wave.

    Parameters
    ----------
    tau, planck : SplitNetwork
        The two quantities.
    spectrum : Spectrum
        Of the tables it stands for.
    ozone : bool
        Whether ozone is an input.
    """

    planck_function: torch.Tensor

    def __init__(
        self, tau: SplitNetwork, planck: SplitNetwork, spectrum: Spectrum, *, ozone: bool = True
    ) -> None:
        super().__init__()
        table = spectrum.planck
        if table is None:
            raise GasOpticsError("the tables are of the short wave; use lw-g256.")
        self.tau, self.planck, self.spectrum, self.ozone = tau, planck, spectrum, ozone
        self._scale = table.first, table.step
        self.register_buffer("planck_function", table.function.float())

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return self.tau.either.multiply_adds + self.planck.either.multiply_adds

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
            If a gas is missing or a layer lies on a side that has no network.

        Notes
        -----
        A level between two layers has the geometric mean of what each says of it, as RRTMGP had it
        before version 1.8. The ground has the source of the lowest layer times the ratio of the
        bands' Planck functions at the two temperatures; the authors have sixteen fitted powers for
        this ratio.
        """
        columns = atmosphere.top_down()
        low = columns.p_lay > self.spectrum.tropopause
        tau = self.tau(paper_inputs(columns, ozone=self.ozone), low)
        sources = self.planck(paper_inputs(columns, ozone=self.ozone, levels=True), low)
        layer, above, below = sources.chunk(3, dim=2)  # (columns, layers, g)
        tiny = torch.finfo(tau.dtype).tiny  # keeps the gradient of the root finite
        between = (below[:, :-1] * above[:, 1:]).clamp(min=tiny).sqrt()
        level = torch.cat((above[:, :1], between, below[:, -1:]), dim=1)
        surface = layer[:, -1] * self._ratio(columns.t_sfc, columns.t_lay[:, -1])
        return LongwaveOptics(
            tau=tau * thickness_of(columns).to(tau.dtype),
            source=ThermalSource(layer=layer, level=level, surface=surface),
        )

    def _ratio(self, ground: torch.Tensor, air: torch.Tensor) -> torch.Tensor:
        """Return Planck's function of each g-point's band at one temperature over another."""
        table = PlanckTable((), self.planck_function, *self._scale)
        dtype = self.planck_function.dtype
        ratio = band_radiance(table, ground.to(dtype)) / band_radiance(table, air.to(dtype))
        sizes = torch.tensor(self.spectrum.sizes, device=ratio.device)
        return ratio.repeat_interleave(sizes, dim=-1)


class PaperShortwave(nn.Module):
    """The paper's gas optics of the short wave.

    Parameters
    ----------
    tau, ssa : SplitNetwork
        The two quantities.
    spectrum : Spectrum
        Of the tables it stands for.
    ozone : bool
        Whether ozone is an input.
    """

    solar: torch.Tensor

    def __init__(
        self, tau: SplitNetwork, ssa: SplitNetwork, spectrum: Spectrum, *, ozone: bool = True
    ) -> None:
        super().__init__()
        if spectrum.solar is None:
            raise GasOpticsError("the tables are of the long wave; use sw-g224.")
        self.tau, self.ssa, self.spectrum, self.ozone = tau, ssa, spectrum, ozone
        self.register_buffer("solar", spectrum.solar.float())

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one layer of air in one column."""
        return self.tau.either.multiply_adds + self.ssa.either.multiply_adds

    def optics(self, atmosphere: Atmosphere) -> ShortwaveOptics:
        """Return optical depth, single-scattering albedo and sunlight, for columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the device of the networks.

        Returns
        -------
        ShortwaveOptics
            From the top down, in the precision of the networks. An albedo is cut to 0 to 1, which
            the authors' code leaves to luck.

        Raises
        ------
        GasOpticsError
            If a gas is missing or a layer lies on a side that has no network.
        """
        columns = atmosphere.top_down()
        low = columns.p_lay > self.spectrum.tropopause
        x = paper_inputs(columns, ozone=self.ozone)
        tau, ssa = self.tau(x, low), self.ssa(x, low)
        return ShortwaveOptics(
            tau=tau * thickness_of(columns).to(tau.dtype),
            ssa=ssa.clamp(0, 1),
            incoming=columns.irradiance[:, None].to(tau.dtype) * self.solar,
        )


def with_surface_of(optics: LongwaveOptics, exact: LongwaveOptics) -> LongwaveOptics:
    """Return optics whose ground emits what it does in others.

    The networks say nothing of the ground, and the lowest layer's error is an error of the ground
    in the paper's way to its source: with the exact source the networks alone are judged.
    """
    return replace(optics, source=replace(optics.source, surface=exact.source.surface))
