"""Inference of a network on a CPU: from the columns to the optical properties in one pass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators import kernels
from restudy.gasoptics.emulators.inputs import LOCAL
from restudy.gasoptics.emulators.kernels import Air, Net, Planck, Work
from restudy.gasoptics.emulators.network import (
    SLOPE,
    Design,
    LongwaveNetwork,
    Network,
    ShortwaveNetwork,
)
from restudy.gasoptics.emulators.tiles import LANES, ROWS
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.planck import ThermalSource
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.tables import PlanckTable


class Compiled:
    """What compiled networks of both spectral ranges share: weights, memory to work in, threads.

    Parameters
    ----------
    network : Network
        With leaky ReLU; its weights are copied.
    threads : int
        Threads among which columns are divided.
    """

    def __init__(self, network: Network, threads: int = 1) -> None:
        if network.design.activation != "leaky relu":
            raise GasOpticsError(
                f"the kernels have no activation {network.design.activation!r}; expected "
                "'leaky relu': run the network itself."
            )
        if threads < 1:
            raise GasOpticsError(f"{threads} threads; expected at least 1.")
        self.network = network
        self._g = network.spectrum.g_points
        self._net = packed(network)
        self._works: list[Work] = []  # one for each thread
        # Memory for as many columns as were last asked for, and its quantities as torch has them.
        self._given: Air | None = None
        self._mixed = torch.empty(0)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def _run(self, kernel: Callable[..., int], columns: Atmosphere, *arguments: Any) -> int:
        """Call a kernel for all columns, and return how many layers it has not been trained on."""
        layers = columns.layers
        if not self._works or len(self._works[0].x) != layers + ROWS:
            self._works = [self._work(layers) for _ in range(self._threads)]
        air, count = self._air(columns), self._threads
        borders = [columns.columns * number // count for number in range(count + 1)]
        parts = zip(borders[:-1], borders[1:], self._works, strict=True)
        tasks = [((first, stop), self._net, work, air, *arguments) for first, stop, work in parts]
        if self._pool is None:
            return kernel(*tasks[0])
        return sum(self._pool.map(lambda task: kernel(*task), tasks))

    def _air(self, columns: Atmosphere) -> Air:
        names = (*self.network.design.gases, *self.network.design.held)
        columns.require(names, "the network needs")
        if self._given is None or self._given.pressure.shape != columns.p_lay.shape:
            self._mixed, self._given = _air_of(self.network.design, *columns.p_lay.shape)
        air = self._given
        with torch.no_grad():
            quantities = columns.t_lay, *(columns.gases[name] for name in names)
            torch.stack(quantities, out=self._mixed)
        np.sqrt(air.quantities[1 : 1 + len(air.roots)], out=air.roots)
        np.sqrt(air.roots, out=air.roots)
        air.pressure[:] = columns.p_lay.detach().numpy()
        np.log(air.pressure, out=air.log_pressure)
        levels = columns.p_lev.detach().numpy()
        np.subtract(levels[:, 1:], levels[:, :-1], out=air.thickness, casting="same_kind")
        return air

    def _work(self, layers: int) -> Work:
        widest = max(map(_whole, self.network.design.widths[1:]))
        inputs, g = len(self._net.shift), _whole(self._g)
        shapes = ((layers + ROWS, width) for width in (inputs, widest, widest, g, g))
        x, even, odd, a, b = (np.zeros(shape, np.float32) for shape in shapes)
        return Work(x, even, odd, a, b, np.zeros(len(self._net.plan) + 1, np.int64))


class CompiledLongwave(Compiled):
    """Gas optics of the long wave, compiled."""

    def __init__(self, network: LongwaveNetwork, threads: int = 1) -> None:
        super().__init__(network, threads)
        self._table = cast("PlanckTable", network.spectrum.planck)
        radiance = np.repeat(self._table.function.numpy(), network.spectrum.sizes, axis=0)
        self._radiance = np.ascontiguousarray(radiance.T, np.float32)

    def empty(self, columns: int, layers: int) -> LongwaveOptics:
        """Return memory for the optics of columns, to be filled again and again."""
        tau, layer = torch.empty(2, columns, layers, self._g)
        level, surface = torch.empty(columns, layers + 1, self._g), torch.empty(columns, self._g)
        return LongwaveOptics(tau, ThermalSource(layer, level, surface))

    def optics(self, atmosphere: Atmosphere, out: LongwaveOptics | None = None) -> LongwaveOptics:
        """Return optical depth and thermal source, for columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the CPU.
        out : LongwaveOptics, optional
            What to fill, from `empty`. New memory, without it, takes longer than the network.

        Returns
        -------
        LongwaveOptics
            From the top down, in float32; `out` where it is given.

        Raises
        ------
        GasOpticsError
            If a gas is missing, or `out` does not fit.

        Warns
        -----
        ExtrapolationWarning
            If a layer lies outside the range of the training.
        """
        columns = _from_top(atmosphere)
        out = out or self.empty(columns.columns, columns.layers)
        source, shape = out.source, (columns.columns, columns.layers, self._g)
        temperatures = _array(columns.t_lay), _array(columns.t_lev), _array(columns.t_sfc)
        first, step = np.float32(self._table.first), np.float32(self._table.step)
        outside = self._run(
            kernels.longwave,
            columns,
            Planck(self._radiance, first, step, *temperatures),
            _filled("tau", out.tau, shape),
            _filled("source.layer", source.layer, shape),
            _filled("source.level", source.level, (shape[0], shape[1] + 1, shape[2])),
            _filled("source.surface", source.surface, (shape[0], shape[2])),
        )
        if outside:
            self.network.range.warn(atmosphere)
        return out


class CompiledShortwave(Compiled):
    """Gas optics of the short wave, compiled."""

    def __init__(self, network: ShortwaveNetwork, threads: int = 1) -> None:
        super().__init__(network, threads)
        self._solar = cast("torch.Tensor", network.spectrum.solar).numpy().astype(np.float32)

    def empty(self, columns: int, layers: int) -> ShortwaveOptics:
        """Return memory for the optics of columns, to be filled again and again."""
        tau, ssa = torch.empty(2, columns, layers, self._g)
        return ShortwaveOptics(tau, ssa, torch.empty(columns, self._g))

    def optics(self, atmosphere: Atmosphere, out: ShortwaveOptics | None = None) -> ShortwaveOptics:
        """Return optical depth, single-scattering albedo and sunlight, for columns in either order.

        Parameters
        ----------
        atmosphere : Atmosphere
            The columns, on the CPU.
        out : ShortwaveOptics, optional
            What to fill, from `empty`. New memory, without it, takes longer than the network.

        Returns
        -------
        ShortwaveOptics
            From the top down, in float32; `out` where it is given.

        Raises
        ------
        GasOpticsError
            If a gas is missing, or `out` does not fit.

        Warns
        -----
        ExtrapolationWarning
            If a layer lies outside the range of the training.
        """
        columns = _from_top(atmosphere)
        out = out or self.empty(columns.columns, columns.layers)
        shape = columns.columns, columns.layers, self._g
        outside = self._run(
            kernels.shortwave,
            columns,
            _filled("tau", out.tau, shape),
            _filled("ssa", out.ssa, shape),
        )
        incoming = _filled("incoming", out.incoming, (shape[0], shape[2]))
        np.multiply(_array(columns.irradiance)[:, None], self._solar, out=incoming)
        if outside:
            self.network.range.warn(atmosphere)
        return out


def compiled(
    network: LongwaveNetwork | ShortwaveNetwork, threads: int = 1
) -> CompiledLongwave | CompiledShortwave:
    """Return a network's gas optics as compiled code for the CPU, without gradients.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        With leaky ReLU; its weights are copied, so that later training does not change the result.
    threads : int
        Threads among which columns are divided.

    Returns
    -------
    CompiledLongwave or CompiledShortwave
        Its method ``optics(atmosphere, out)`` gives what that of the network does, to rounding.

    Raises
    ------
    GasOpticsError
        If the activation is another one, or the number of threads is below 1.

    Notes
    -----
    The work on a column does not depend on the others: any batch gives the same bits. One object
    works on one call at a time. ``benchmarks/gasoptics.py`` measures it. Nine tenths of the time of
    its dense layers are multiply-adds at the rate of the processor; in the long wave the decoding
    of the outputs takes a quarter of the whole. In the short wave each tile of the heads is decoded
    before it leaves the registers, and the memory of the answer of the tile that follows is asked
    for before its products are begun: with that, an input less for networks of several experts, one
    comparison less a root and gases that are quickly seen to be within their range, calls of 100
    columns took 0.9 of their time before for 224 g-points, and 0.95 to 0.98 for 112 (60 turns of
    old and new in one process, best and median, on one core of an AMD EPYC with AVX2 that others
    used as well). Hot in the caches a column of 224 g-points takes about 23 us, 13 of them before
    the heads.

    What did not help in those turns: rows outside and panels inside in the loops over tiles (as
    much for 224 g-points, a few per cent worse for 112, whose weights do not stay in the first
    cache then), panels in groups whose weights do, inputs unrolled (2 % at the most), asking two
    tiles ahead or during the hidden layers (1 to 3 %; more on the next processor), and a reciprocal
    with a step of Newton's in place of the division (6 % worse). Stores past the caches save
    another tenth in calls of 100 columns; who then reads the answer waits as much longer, and calls
    of 16 take a third more.

    On an Intel with AVX-512 a column of 224 g-points takes about 17 us hot in the caches, and four
    sets of weights in place of two take 3 % more at the most. In turns with other engines, which
    leave nothing of the answer in the caches, it takes half as long again. Asking for the answer in
    even parts, from the first hidden layer on, makes up for some of that: old over new, median of
    25 turns in calls of 100, 1.07 for sw-g224 (1.16 in calls of 16), 1.06 and 1.09 in the long wave
    (0.98), 1.03 for sw-g112. A reciprocal and Newton's step changed nothing there either, nor did
    an answer in huge pages.

    What else was tried before that, on one core of an AMD EPYC with AVX2 that others used as well,
    with hidden layers of 64, 64 and 32 + 32, 16 columns of 60 layers, best of 30; 1000 columns a
    CPU second:

    ==================================================== ======= ======= ======= =======
    way                                                  lw-g128 lw-g256 sw-g112 sw-g224
    ==================================================== ======= ======= ======= =======
    these kernels, as they were                             27.3    17.7    29.0    20.0
    the same with BLAS (``numpy.dot`` in numba)             19.4    12.6    20.6    13.8
    ONNX Runtime, without inputs and Planck's function      18.5    11.5    23.3    13.4
    torch, ``addmm`` into memory that is there              11.2     6.9    21.7    14.6
    ``torch.compile``                                        8.8     5.0    20.2    13.6
    torch as it is written                                   6.1     3.5     9.8     6.2
    ==================================================== ======= ======= ======= =======

    Loops over outputs that LLVM vectorises by itself, blocked by hand, come to half the speed of
    these kernels in the dense layers. Decoding each panel of g-points as soon as it is there, but
    without asking for its memory ahead, scatters the answer in pieces of 64 bytes, each of which is
    waited for: that takes longer by far where the answer does not fit into a cache. The processor
    has no bf16.
    """
    if isinstance(network, LongwaveNetwork):
        return CompiledLongwave(network, threads)
    return CompiledShortwave(network, threads)


def packed(network: Network) -> Net:
    """Return a network's numbers in the order in which the kernels read them."""
    weights: list[np.ndarray] = []
    plan, offset = [], 0
    design, limits = network.design, network.range
    side, one = LOCAL.index("lower"), design.experts == 1
    inputs = [i for i in range(design.widths[0]) if one or i != side]
    shift, scale = network.input_shift, network.input_scale
    for expert in reversed(range(design.experts)):
        dense, lower = network.dense(expert), float(expert < design.experts - 1)
        (weight, bias), *hidden = dense.hidden
        if not one:  # an expert lies on one side, which goes into its biases
            bias = bias + weight[:, side] * (lower - shift[side]) * scale[side]
        hidden.insert(0, (weight[:, inputs], bias))
        width, output = design.blocks[0] // design.parts, 0
        places = [(0, 0) for _ in hidden]  # first column that is read, first that is written
        for number, (weight, _) in enumerate(dense.heads[:-1]):
            places.append((number * width, output))
            output += len(weight)
        places.append((design.blocks[0], 0))
        layers = zip((*hidden, *dense.heads), places, strict=True)
        for (weight, bias), (column, first) in layers:
            ours = panels(weight.detach().numpy(), bias.detach().numpy())
            plan.append((offset, column, weight.shape[1], len(ours), first))
            weights.append(ours.ravel())
            offset += ours.size
    return Net(
        weights=np.concatenate(weights),
        plan=np.array(plan).reshape(design.experts, -1, 5),
        hidden=len(design.widths) - 1,
        shift=shift.numpy()[inputs],
        scale=scale.numpy()[inputs],
        slope=np.float32(SLOPE),
        tropopause=np.float32(network.spectrum.tropopause),
        borders=np.array(() if one else (network.spectrum.tropopause, *design.cuts), np.float32),
        edges=limits.edges.numpy().astype(np.float32),
        least=limits.least.numpy().astype(np.float32),
        most=limits.most.numpy().astype(np.float32),
        inner=torch.stack((limits.least.amax(0), limits.most.amin(0))).numpy().astype(np.float32),
    )


def panels(weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return (panels, 1 + inputs, LANES): bias and weights of `LANES` outputs at a time."""
    outputs, inputs = weight.shape
    rows = np.zeros((1 + inputs, _whole(outputs)), np.float32)
    rows[0, :outputs], rows[1:, :outputs] = bias, weight.T
    return np.ascontiguousarray(rows.reshape(1 + inputs, -1, LANES).transpose(1, 0, 2))


def _air_of(design: Design, columns: int, layers: int) -> tuple[torch.Tensor, Air]:
    """Return memory for columns: all of it, and the quantities once more as torch has them."""
    pressure, log_pressure, thickness = np.empty((3, columns, layers), np.float32)
    roots = np.empty((len(design.gases), columns, layers), np.float32)
    with torch.inference_mode(mode=False):  # to be filled in and out of that mode
        mixed = torch.empty(1 + len(design.gases) + len(design.held), columns, layers)
    return mixed, Air(pressure, log_pressure, thickness, mixed.numpy(), roots)


def _whole(outputs: int) -> int:
    return -(-outputs // LANES) * LANES


def _from_top(atmosphere: Atmosphere) -> Atmosphere:
    if atmosphere.p_lay.device.type != "cpu":
        raise GasOpticsError(
            f"the atmosphere is on {atmosphere.p_lay.device}; bring it to the CPU with .to('cpu')."
        )
    first = atmosphere.p_lev.detach().numpy()[0]  # a tenth of the time of indices of torch
    return atmosphere if first[0] < first[-1] else atmosphere.upside_down()


def _array(x: torch.Tensor) -> np.ndarray:
    return np.asarray(x.detach().numpy(), np.float32, order="C")


def _filled(name: str, x: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """Return memory that a kernel may write."""
    if tuple(x.shape) != shape or x.dtype != torch.float32 or not x.is_contiguous():
        raise GasOpticsError(
            f"out.{name} is {tuple(x.shape)} of {x.dtype}; expected {shape} of float32 in one "
            "piece, as `empty` gives it."
        )
    return x.detach().numpy()
