"""One network for the gas optics of a spectral range, over the whole atmosphere.

A few dense layers see a layer of air. The last hidden layer is cut in two blocks: the first feeds
the outputs of family A, the second those of family B, each with one output a g-point; they are the
roots of `restudy.gasoptics.emulators.roots`.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.inputs import LOCAL, TrainingRange, features
from restudy.gasoptics.emulators.roots import longwave_from_roots, shortwave_from_roots
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.longwave import GAUSS_1, Quadrature, longwave_fluxes
from restudy.gasoptics.reference import Fluxes, LongwaveOptics, ShortwaveOptics, in_order
from restudy.gasoptics.shortwave import shortwave_fluxes
from restudy.gasoptics.tables import KDistribution, PlanckTable

SLOPE = 0.2  # of the leaky ReLU below 0, as in arXiv 2005.02265
ACTIVATIONS = ("leaky relu", "silu")
WHOLE = 16  # g-points


@dataclass(frozen=True)
class Design:
    """What a network looks like.

    Attributes
    ----------
    table : str
        k-distribution: ``"lw-g256"``, ``"lw-g128"``, ``"sw-g224"`` or ``"sw-g112"``.
    gases : tuple of str
        Gases whose mole fraction is an input.
    held : tuple of str
        Gases that matter but are no input: they had one value in the training.
    hidden : tuple of int
        Widths of the hidden layers before the last.
    blocks : tuple of int
        Widths of the two blocks of the last hidden layer.
    activation : str
        ``"leaky relu"`` or ``"silu"``.
    experts : int
        Sets of weights; a layer of air goes through one of them. 1: the same everywhere; 2: one on
        each side of the tropopause; more: the lower atmosphere is cut once more at each of `cuts`.
    parts : int
        Equal parts of the first block, each of which feeds its own share of the g-points, the first
        part the first ones: neighbouring bands have gases in common.
    cuts : tuple of float
        Pressures below the tropopause where one expert ends and the next begins, rising [Pa].
    """

    table: str
    gases: tuple[str, ...]
    held: tuple[str, ...]
    hidden: tuple[int, ...]
    blocks: tuple[int, int]
    activation: str = "leaky relu"
    experts: int = 1
    parts: int = 1
    cuts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise GasOpticsError(
                f"a network with the activation {self.activation!r}; "
                f"expected {' or '.join(ACTIVATIONS)}."
            )
        if self.experts != 2 + len(self.cuts) and (self.experts != 1 or self.cuts):
            raise GasOpticsError(
                f"experts={self.experts} with cuts at {self.cuts} Pa; expected 1 without cuts, or "
                "2 and one more for each cut."
            )
        if any(a >= b for a, b in itertools.pairwise(self.cuts)):
            raise GasOpticsError(f"cuts at {self.cuts} Pa; expected rising pressures.")
        if min(*self.hidden, *self.blocks, 1) < 1:
            raise GasOpticsError(
                f"layers of {self.hidden} and blocks of {self.blocks}; expected at least 1."
            )
        if self.parts < 1 or self.blocks[0] % self.parts:
            raise GasOpticsError(
                f"a block of {self.blocks[0]} in {self.parts} parts; expected equal parts."
            )

    @property
    def longwave(self) -> bool:
        """Whether it is of the long wave."""
        return self.table.startswith("lw")

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the inputs and of all hidden layers."""
        return len(LOCAL) + len(self.gases), *self.hidden, sum(self.blocks)

    def multiply_adds(self, g_points: int) -> int:
        """Return the multiplications of one layer of air in one column.

        Examples
        --------
        >>> Design("lw-g256", ("h2o", "o3"), (), (64,), (32, 32)).multiply_adds(256)
        20800
        >>> Design("lw-g256", ("h2o", "o3"), (), (64,), (32, 32), parts=2).multiply_adds(256)
        16704
        """
        dense = sum(a * b for a, b in zip(self.widths[:-1], self.widths[1:], strict=True))
        return dense + sum(a * b for a, b in self.heads(g_points))

    def heads(self, g_points: int) -> tuple[tuple[int, int], ...]:
        """Return g-points and inputs of each head: of the parts of the first block, of the second.

        The g-points are cut at multiples of `WHOLE`, which a vector unit takes at once.
        """
        cuts = [round(g_points * i / self.parts / WHOLE) * WHOLE for i in range(self.parts)]
        counts = [b - a for a, b in itertools.pairwise((*cuts, g_points))]
        each = self.blocks[0] // self.parts
        return *((count, each) for count in counts), (g_points, self.blocks[1])


@dataclass(frozen=True)
class Spectrum:
    """What a network has to know of its k-distribution, beside what it learns.

    Attributes
    ----------
    tropopause : float
        Pressure above which (towards the ground) the lower tables hold [Pa].
    sizes : tuple of int
        Number of g-points of each band.
    planck : PlanckTable or None
        Planck's function, without the fractions, in the long wave.
    solar : torch.Tensor or None, shape (g,)
        Share of the sun's irradiance at each g-point, in the short wave.
    """

    tropopause: float
    sizes: tuple[int, ...]
    planck: PlanckTable | None
    solar: torch.Tensor | None

    @property
    def g_points(self) -> int:
        """The number of g-points."""
        return sum(self.sizes)


def spectrum_of(table: KDistribution) -> Spectrum:
    """Return the part of the tables that a network needs."""
    p = table.planck
    return Spectrum(
        tropopause=table.tropopause,
        sizes=table.sizes,
        planck=None if p is None else PlanckTable((), p.function, p.first, p.step),
        solar=None if table.solar is None else table.solar / table.solar.sum(),
    )


@dataclass(frozen=True)
class Dense:
    """The weights of one expert, for inference by other means.

    Attributes
    ----------
    hidden : tuple of (torch.Tensor, torch.Tensor)
        Weight (out, in) and bias (out,) of each hidden layer; the activation follows each.
    heads : tuple of (torch.Tensor, torch.Tensor)
        Weight (g, inputs) and bias (g,): of family A for each part of the first block, then of
        family B; they give the roots themselves.
    """

    hidden: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    heads: tuple[tuple[torch.Tensor, torch.Tensor], ...]


class Network(nn.Module):
    """The dense layers, and what turns inputs and outputs into numbers of order one.

    `LongwaveNetwork` and `ShortwaveNetwork` add what the outputs mean. A new network has random
    weights, inputs and outputs that are not scaled, and an empty range of training.

    Parameters
    ----------
    design : Design
        What it looks like.
    spectrum : Spectrum
        Of its k-distribution.
    rng : torch.Generator, optional
        For the first weights (He et al. 2015); zeros without it, to be filled from a file.
    """

    input_shift: torch.Tensor
    input_scale: torch.Tensor
    root_shift: torch.Tensor
    root_scale: torch.Tensor
    planck_function: torch.Tensor
    solar: torch.Tensor

    def __init__(
        self, design: Design, spectrum: Spectrum, *, rng: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if design.cuts and not design.cuts[0] > spectrum.tropopause:
            raise GasOpticsError(
                f"a cut at {design.cuts[0]:g} Pa; expected more than the {spectrum.tropopause:g} Pa"
                " of the tropopause."
            )
        self.design, self.spectrum = design, spectrum
        inputs, g = design.widths[0], spectrum.g_points
        shapes = list(zip(design.widths[1:], design.widths[:-1], strict=True))
        heads = design.heads(g)
        shapes += heads
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for number, (out, into) in enumerate(shapes * design.experts):
            weight = torch.zeros(out, into)
            if rng is not None:
                last = number % len(shapes) >= len(shapes) - len(heads)
                gain = into**-0.5 if last else (2 / into) ** 0.5
                weight.normal_(0.0, gain, generator=rng)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(out)))
        self.register_buffer("input_shift", torch.zeros(inputs))
        self.register_buffer("input_scale", torch.ones(inputs))
        self.register_buffer("root_shift", torch.zeros(2, g))
        self.register_buffer("root_scale", torch.ones(2, g))
        none = torch.zeros(0)
        function = spectrum.planck.function.float() if spectrum.planck else none
        self.register_buffer("planck_function", function)
        self.register_buffer("solar", none if spectrum.solar is None else spectrum.solar.float())
        empty = torch.zeros(1, 1 + len(design.gases) + len(design.held), dtype=torch.float64)
        edges = torch.zeros(2, dtype=torch.float64)
        names = ("t_lay", *design.gases, *design.held)
        self.range = TrainingRange(names, edges, empty + torch.inf, empty - torch.inf)

    def dense(self, expert: int = 0) -> Dense:
        """Return the weights of an expert; 0 is the one at the ground."""
        count = len(self.weights) // self.design.experts
        pairs = list(zip(self.weights, self.biases, strict=True))
        mine = pairs[expert * count : (expert + 1) * count]
        sizes = [out for out, _ in self.design.heads(self.spectrum.g_points)]
        scales, shifts = (
            (*torch.split(x[0], sizes[:-1]), x[1]) for x in (self.root_scale, self.root_shift)
        )
        heads = [
            (w * scale[:, None], b * scale + shift)
            for (w, b), scale, shift in zip(mine[-len(sizes) :], scales, shifts, strict=True)
        ]
        return Dense(tuple(mine[: -len(sizes)]), tuple(heads))

    def roots(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs A and B of n layers of air.

        Parameters
        ----------
        x : torch.Tensor, shape (n, inputs)
            What `features` gives.

        Returns
        -------
        tuple of torch.Tensor, shape (n, g)
            The roots.
        """
        inputs = (x - self.input_shift) * self.input_scale
        if self.design.experts == 1:
            return self._through(self.dense(), inputs)
        number = self._expert_of(x)
        order = number.argsort(stable=True)
        place = torch.empty_like(order).scatter_(0, order, torch.arange(len(x), device=x.device))
        counts = number.bincount(minlength=self.design.experts).tolist()
        pairs = [
            self._through(self.dense(expert), rows)
            for expert, rows in enumerate(torch.split(inputs[order], counts))
        ]
        first, second = (torch.cat(parts)[place] for parts in zip(*pairs, strict=True))
        return first, second

    def _expert_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return the number of the expert of each layer of air, (n,); 0 is at the ground."""
        lower = x[:, LOCAL.index("lower")] > 0.5
        log_p, number = x[:, LOCAL.index("log p")], self.design.experts - 1 - lower.long()
        for cut in self.design.cuts:
            number -= (log_p > math.log(cut)).long()
        return number

    def _through(self, dense: Dense, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for weight, bias in dense.hidden:
            x = nn.functional.linear(x, weight, bias)
            silu = self.design.activation == "silu"
            x = nn.functional.silu(x) if silu else nn.functional.leaky_relu(x, SLOPE)
        blocks = torch.split(x, [weight.shape[1] for weight, _ in dense.heads], dim=1)
        *first, second = (
            nn.functional.linear(block, weight, bias)
            for block, (weight, bias) in zip(blocks, dense.heads, strict=True)
        )
        return torch.cat(first, dim=1), second

    def roots_of(self, columns: Atmosphere) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs A and B for columns of air, each (columns, layers, g)."""
        x = features(columns, self.design.gases, self.spectrum.tropopause)
        first, second = self.roots(x.flatten(0, 1).to(self.input_shift.dtype))
        shape = columns.columns, columns.layers, self.spectrum.g_points
        return first.reshape(shape), second.reshape(shape)

    def optics(self, atmosphere: Atmosphere) -> LongwaveOptics | ShortwaveOptics:
        """Return the optical properties of columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the device of the network.

        Returns
        -------
        LongwaveOptics or ShortwaveOptics
            Of the network's spectral range, from the top down, in the precision of the network.

        Raises
        ------
        GasOpticsError
            If a gas is missing.

        Warns
        -----
        ExtrapolationWarning
            If a layer lies outside the range of the training.
        """
        self.range.warn(atmosphere)
        columns = atmosphere.top_down()
        return self.decoded(*self.roots_of(columns), columns)

    def decoded(
        self, a: torch.Tensor, b: torch.Tensor, columns: Atmosphere
    ) -> LongwaveOptics | ShortwaveOptics:
        """Return what the outputs mean for columns from the top down; of a spectral range."""
        raise NotImplementedError


class LongwaveNetwork(Network):
    """Gas optics of the long wave."""

    def decoded(self, a: torch.Tensor, b: torch.Tensor, columns: Atmosphere) -> LongwaveOptics:
        """Return what the outputs mean for columns from the top down.

        Parameters
        ----------
        a, b : torch.Tensor, shape (columns, layers, g)
            The outputs.
        columns : Atmosphere
            From the top down.

        Returns
        -------
        LongwaveOptics
            Optical depth and source.
        """
        planck = replace(cast("PlanckTable", self.spectrum.planck), function=self.planck_function)
        return longwave_from_roots(a, b, columns, planck, self.spectrum.sizes)

    def fluxes(self, atmosphere: Atmosphere, quadrature: Quadrature = GAUSS_1) -> Fluxes:
        """Return thermal fluxes, as `restudy.gasoptics.reference.longwave` does."""
        found = cast("LongwaveOptics", self.optics(atmosphere))
        emissivity = atmosphere.emissivity.to(found.tau.dtype)
        up, down = longwave_fluxes(found.tau, found.source, emissivity, quadrature)
        return in_order(up, down, atmosphere)


class ShortwaveNetwork(Network):
    """Gas optics of the short wave."""

    def decoded(self, a: torch.Tensor, b: torch.Tensor, columns: Atmosphere) -> ShortwaveOptics:
        """Return what the outputs mean for columns from the top down.

        Parameters
        ----------
        a, b : torch.Tensor, shape (columns, layers, g)
            The outputs.
        columns : Atmosphere
            From the top down.

        Returns
        -------
        ShortwaveOptics
            Optical depth, single-scattering albedo (0 where there is no depth) and sunlight.
        """
        return shortwave_from_roots(a, b, columns, self.solar)

    def fluxes(self, atmosphere: Atmosphere) -> Fluxes:
        """Return solar fluxes, as `restudy.gasoptics.reference.shortwave` does."""
        found = cast("ShortwaveOptics", self.optics(atmosphere))
        dtype = found.tau.dtype
        sun = atmosphere.mu0.to(dtype), atmosphere.albedo.to(dtype)
        solved = shortwave_fluxes(found.tau, found.ssa, found.incoming, *sun)
        return in_order(solved.up, solved.down, atmosphere)


def make_network(
    design: Design, spectrum: Spectrum, *, rng: torch.Generator | None = None
) -> LongwaveNetwork | ShortwaveNetwork:
    """Return a network of a design, of the class that belongs to its spectral range.

    Raises
    ------
    GasOpticsError
        If design and spectrum are of different ranges.
    """
    if design.longwave != (spectrum.planck is not None):
        raise GasOpticsError(
            f"the design is for {design.table}, the spectrum of the "
            f"{'long' if spectrum.planck is not None else 'short'} wave; give the same tables."
        )
    kind = LongwaveNetwork if design.longwave else ShortwaveNetwork
    return kind(design, spectrum, rng=rng)
