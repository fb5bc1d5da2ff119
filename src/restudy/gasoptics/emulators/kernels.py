"""Compiled kernels of the networks: one column of air at a time, from the top down.

A column's layers are the rows of a small matrix that stays in the caches from the inputs of the
network to the optical depths. What takes the time are the dense layers. Their innermost part, a
tile of `ROWS` rows and `LANES` outputs whose sums live in vector registers, is written in the
compiler's own language: loops that LLVM vectorises by itself come to less than half the speed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # outputs of a tile: one vector of AVX-512, two of AVX2, four of NEON
# Rows of a tile: as many sums as hide the latency of a multiply-add, and as fit into registers.
ROWS = 12 if binding.get_host_cpu_features().get("avx512f") else 6
SHORT = 2 * ROWS // 3  # rows of the tile for what is left: the fewest that hide that latency

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT = ir.IntType(64)


class Net(NamedTuple):
    """A network, as the kernels read it.

    Attributes
    ----------
    weights : numpy.ndarray of float32, shape (all,)
        Every dense layer in panels of `LANES` outputs: their biases, then a row for each input.
    plan : numpy.ndarray of int64, shape (experts, dense layers, 5)
        Of each dense layer: where its weights begin, the first column that it reads, the number of
        its inputs and of its panels, the first column that it writes. After the hidden ones come
        the heads of A, one or several, and that of B.
    hidden : int
        Number of hidden layers.
    shift, scale : numpy.ndarray of float32, shape (inputs,)
        An input x enters as ``(x - shift) * scale``.
    slope : float
        Of the leaky ReLU below 0.
    tropopause : float
        Pressure above which (towards the ground) a layer is of the lower atmosphere [Pa].
    edges : numpy.ndarray of float32, shape (bins + 1,)
        Logarithm of the pressure at the edges of the bins of the training range [ln Pa].
    least, most : numpy.ndarray of float32, shape (bins, quantities)
        The training range.
    inner : numpy.ndarray of float32, shape (2, quantities)
        What lies inside the training range in every bin.
    """

    weights: np.ndarray
    plan: np.ndarray
    hidden: int
    shift: np.ndarray
    scale: np.ndarray
    slope: np.float32
    tropopause: np.float32
    edges: np.ndarray
    least: np.ndarray
    most: np.ndarray
    inner: np.ndarray


class Air(NamedTuple):
    """Columns from the top down, all of float32.

    Attributes
    ----------
    pressure : numpy.ndarray, shape (columns, layers)
        Of the layers [Pa].
    thickness : numpy.ndarray, shape (columns, layers)
        Pressure between the levels around each layer [Pa].
    quantities : numpy.ndarray, shape (quantities, columns, layers)
        Temperature of the layers [K] and mole fractions; first those that are inputs.
    """

    pressure: np.ndarray
    thickness: np.ndarray
    quantities: np.ndarray


class Work(NamedTuple):
    """Matrices for one column; rows beyond the layers fill the last tile.

    Attributes
    ----------
    x : numpy.ndarray of float32, shape (rows, inputs)
        The inputs.
    even, odd : numpy.ndarray of float32, shape (rows, widest hidden layer)
        Hidden layers.
    a, b : numpy.ndarray of float32, shape (rows, g)
        The roots; g is filled up to whole panels.
    """

    x: np.ndarray
    even: np.ndarray
    odd: np.ndarray
    a: np.ndarray
    b: np.ndarray


class Planck(NamedTuple):
    """Planck's function of the band of each g-point.

    Attributes
    ----------
    radiance : numpy.ndarray of float32, shape (temperatures, g)
        Tabulated [W/m2/sr].
    first, step : float
        Temperature of the first row, and from one to the next [K].
    layer, level, surface : numpy.ndarray of float32
        Temperatures of the columns: (columns, layers), (columns, layers + 1), (columns,) [K].
    """

    radiance: np.ndarray
    first: np.float32
    step: np.float32
    layer: np.ndarray
    level: np.ndarray
    surface: np.ndarray


def _tile_of(rows: int) -> Callable[..., None]:
    """Return a function that writes ``act(bias + x @ w)`` for rows and the outputs of one panel."""

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typingctx, x, at, stride, weights, panel, inputs, out, to, out_stride, slope
    ):
        integer = types.intp
        signature = types.void(
            *(x, integer, integer, weights, integer, integer, out, integer, integer, types.float32)
        )

        def generate(context: Any, build: Any, signature: Any, given: Any) -> Any:
            def start(array: int, offset: int) -> Any:
                kind = cgutils.create_struct_proxy(signature.args[array])  # type: ignore[no-untyped-call]
                return build.gep(kind(context, build, given[array]).data, [given[offset]])

            x_start, w_start, out_start = start(0, 1), start(3, 4), start(6, 7)
            row_of = [build.gep(x_start, [build.mul(given[2], _INT(row))]) for row in range(rows)]
            sums = _products(build, row_of, w_start, given[5])
            slopes = _splat(build, given[9])
            for row, total in enumerate(sums):
                below = build.fmul(total, slopes)
                active = build.select(build.fcmp_ordered(">", total, below), total, below)
                place = build.gep(out_start, [build.mul(given[8], _INT(row))])
                build.store(active, build.bitcast(place, _VECTOR.as_pointer()), align=4)
            return context.get_dummy_value()

        return signature, generate

    found: Callable[..., None] = tile
    return found


_tile, _short_tile = _tile_of(ROWS), _tile_of(SHORT)


def _products(build: Any, row_of: list[Any], weights: Any, inputs: Any) -> list[Any]:
    """Emit a loop over the inputs that adds to one vector for each row; give the sums."""
    multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        build.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
    )

    def lanes(number: Any) -> Any:
        place = build.gep(weights, [build.mul(number, _INT(LANES))])
        return build.load(build.bitcast(place, _VECTOR.as_pointer()), align=4)

    bias, before = lanes(_INT(0)), build.block
    loop, after = build.append_basic_block("inputs"), build.append_basic_block("sums")
    build.branch(loop)
    build.position_at_end(loop)
    number = build.phi(_INT)
    number.add_incoming(_INT(0), before)
    sums = [build.phi(_VECTOR) for _ in row_of]
    following = build.add(number, _INT(1))
    weight = lanes(following)
    added = []
    for total, row in zip(sums, row_of, strict=True):
        value = _splat(build, build.load(build.gep(row, [number])))
        added.append(build.call(multiply_add, [value, weight, total]))
    for total, new in zip(sums, added, strict=True):
        total.add_incoming(bias, before)
        total.add_incoming(new, loop)
    number.add_incoming(following, loop)
    build.cbranch(build.icmp_signed("<", following, inputs), loop, after)
    build.position_at_end(after)
    return added


def _splat(build: Any, value: Any) -> Any:
    """Emit a vector of one value."""
    undefined, number = ir.Constant(_VECTOR, ir.Undefined), ir.IntType(32)
    first = build.insert_element(undefined, value, number(0))
    return build.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(number, LANES), None))


@njit(cache=True, nogil=True)
def dense(x, start, stop, weights, plan, slope, out):  # type: ignore[no-untyped-def]
    """Write one dense layer for the rows from start to stop, and up to a whole tile more."""
    offset, column, inputs, panels, first = plan
    stride, out_stride = x.shape[1], out.shape[1]
    for panel in range(panels):
        begin, lane = offset + panel * (inputs + 1) * LANES, first + panel * LANES
        row = start
        while row + SHORT < stop:
            at, to = row * stride + column, row * out_stride + lane
            _tile(x, at, stride, weights, begin, inputs, out, to, out_stride, slope)
            row += ROWS
        if row < stop:
            at, to = row * stride + column, row * out_stride + lane
            _short_tile(x, at, stride, weights, begin, inputs, out, to, out_stride, slope)


@njit(cache=True, nogil=True)
def _within(values, least, most):  # type: ignore[no-untyped-def]
    """Tell whether all values lie between two."""
    beyond = 0
    for value in values:
        beyond += (value < least) | (value > most)
    return beyond == 0


@njit(cache=True, nogil=True)
def _inputs(column, net, air, x):  # type: ignore[no-untyped-def]
    """Write the standardised inputs; give how many layers lie outside the range of the training."""
    shift, scale, edges = net.shift, net.scale, net.edges
    outside, here, slack = 0, 0, np.float32(1e-6)
    # Gases that are no input mostly lie inside in every bin, which is quickly seen.
    looked_at, count = x.shape[1] - 2, air.quantities.shape[0]
    for number in range(looked_at, count):
        if not _within(air.quantities[number, column], net.inner[0, number], net.inner[1, number]):
            looked_at = count
    for layer in range(air.pressure.shape[1]):
        pressure = air.pressure[column, layer]
        log_p = np.log(pressure)
        lower = np.float32(pressure > net.tropopause)
        while here < len(net.least) - 1 and log_p > edges[here + 1]:
            here += 1
        beyond = log_p < edges[0] - slack or log_p > edges[-1] + slack
        for number in range(looked_at):
            value = air.quantities[number, column, layer]
            beyond |= value < net.least[here, number] or value > net.most[here, number]
            place = 1 if number == 0 else number + 2
            if place < x.shape[1]:
                entry = value if number == 0 else np.sqrt(np.sqrt(value))
                x[layer, place] = (entry - shift[place]) * scale[place]
        x[layer, 0] = (log_p - shift[0]) * scale[0]
        x[layer, 2] = (lower - shift[2]) * scale[2]
        outside += beyond
    return outside


@njit(cache=True, nogil=True)
def _roots(column, net, air, work):  # type: ignore[no-untyped-def]
    """Write the roots A and B of a column; give how many layers lie outside."""
    outside = _inputs(column, net, air, work.x)
    layers, experts = air.pressure.shape[1], net.plan.shape[0]
    border = 0  # the first layer of the lower atmosphere, where it has weights of its own
    while experts == 2 and border < layers and air.pressure[column, border] <= net.tropopause:
        border += 1
    # The upper atmosphere first: its last tile runs into rows that the lower one writes.
    for expert in range(experts - 1, -1, -1):
        start, stop = (0, border) if expert == 1 else (border, layers)
        plan = net.plan[expert]
        source, target, other = work.x, work.even, work.odd
        for number in range(net.hidden):
            dense(source, start, stop, net.weights, plan[number], net.slope, target)
            source, target, other = target, other, target
        for number in range(net.hidden, len(plan) - 1):
            dense(source, start, stop, net.weights, plan[number], np.float32(1), work.a)
        dense(source, start, stop, net.weights, plan[-1], np.float32(1), work.b)
    return outside


@njit(cache=True, nogil=True, error_model="numpy")
def _row(temperature, planck):  # type: ignore[no-untyped-def]
    """Give the row of Planck's function before a temperature, and how far it is to the next."""
    place = (temperature - planck.first) / planck.step
    row = min(max(int(np.floor(place)), 0), planck.radiance.shape[0] - 2)
    return row, np.float32(place - row)


@njit(cache=True, nogil=True)
def longwave(columns, net, work, air, planck, tau, layer, level, surface):  # type: ignore[no-untyped-def]
    """Fill optical depth and sources of the columns of a range; give the layers outside."""
    outside = 0
    for column in range(columns[0], columns[1]):
        outside += _roots(column, net, air, work)
        _longwave(column, work.a, work.b, air.thickness, planck, tau, layer, level, surface)
    return outside


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _longwave(column, a, b, thickness, planck, tau, layer, level, surface):  # type: ignore[no-untyped-def]
    """Fill optical depth and sources of a column."""
    radiance, last = planck.radiance, tau.shape[1] - 1
    for i in range(last + 1):
        depth, above = thickness[column, i], max(i - 1, 0)
        row, part = _row(planck.layer[column, i], planck)
        line, share = _row(planck.level[column, i], planck)
        for g in range(tau.shape[2]):
            tau[column, i, g] = depth * _eighth_power(a[i, g])
            emitted = radiance[row, g] + part * (radiance[row + 1, g] - radiance[row, g])
            layer[column, i, g] = b[i, g] * b[i, g] * emitted
            emitted = radiance[line, g] + share * (radiance[line + 1, g] - radiance[line, g])
            level[column, i, g] = abs(b[above, g] * b[i, g]) * emitted
    row, part = _row(planck.level[column, last + 1], planck)
    line, share = _row(planck.surface[column], planck)
    for g in range(tau.shape[2]):
        fraction = b[last, g] * b[last, g]
        emitted = radiance[row, g] + part * (radiance[row + 1, g] - radiance[row, g])
        level[column, last + 1, g] = fraction * emitted
        emitted = radiance[line, g] + share * (radiance[line + 1, g] - radiance[line, g])
        surface[column, g] = fraction * emitted


@njit(cache=True, nogil=True)
def shortwave(columns, net, work, air, tau, ssa):  # type: ignore[no-untyped-def]
    """Fill optical depth and single-scattering albedo; give the layers outside."""
    outside = 0
    for column in range(columns[0], columns[1]):
        outside += _roots(column, net, air, work)
        _shortwave(column, work.a, work.b, air.thickness, tau, ssa)
    return outside


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _shortwave(column, a, b, thickness, tau, ssa):  # type: ignore[no-untyped-def]
    """Fill optical depth and single-scattering albedo of a column."""
    tiny = np.finfo(np.float32).tiny
    for i in range(tau.shape[1]):
        depth = thickness[column, i]
        for g in range(tau.shape[2]):
            scattered = b[i, g] * b[i, g]
            per_pascal = _eighth_power(a[i, g]) + scattered
            tau[column, i, g] = depth * per_pascal
            ssa[column, i, g] = scattered / max(per_pascal, tiny)


@njit(cache=True, nogil=True)
def _eighth_power(root):  # type: ignore[no-untyped-def]
    """Give the power, and 0 for a root below 0, by three squarings."""
    second = max(root, np.float32(0)) ** 2
    fourth = second * second
    return fourth * fourth
