"""Compiled kernels of the networks: one column of air at a time, from the top down.

A column's layers are the rows of a small matrix that stays in the caches from the inputs of the
network to the optical depths. What takes the time are the dense layers, which are made of `tiles`.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from restudy.gasoptics.emulators.tiles import (
    LANES,
    MIDDLE,
    ROWS,
    SHORT,
    ask,
    middle_tile,
    short_tile,
    shortwave_middle_tile,
    shortwave_short_tile,
    shortwave_tile,
    tile,
)


class Net(NamedTuple):
    """A network, as the kernels read it.

    Attributes
    ----------
    weights : numpy.ndarray of float32, shape (all,)
        Every dense layer in panels of `LANES` outputs: their biases, then a row for each input.
    plan : numpy.ndarray of int64, shape (experts, dense layers, 5)
        Of each dense layer, the experts from the top of the atmosphere down: where its weights
        begin, the first column that it reads, the number of its inputs and of its panels, the first
        column that it writes. After the hidden ones come the heads of A, one or several, and that
        of B.
    hidden : int
        Number of hidden layers.
    shift, scale : numpy.ndarray of float32, shape (inputs,)
        An input x enters as ``(x - shift) * scale``. The inputs are the logarithm of the pressure,
        the temperature, the side of the tropopause where there is one expert, and the gases.
    slope : float
        Of the leaky ReLU below 0.
    tropopause : float
        Pressure above which (towards the ground) a layer is of the lower atmosphere [Pa].
    borders : numpy.ndarray of float32, shape (experts - 1,)
        Pressure above which (towards the ground) the next expert begins, from the top down [Pa].
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
    borders: np.ndarray
    edges: np.ndarray
    least: np.ndarray
    most: np.ndarray
    inner: np.ndarray


class Air(NamedTuple):
    """Columns from the top down, all of float32.

    Attributes
    ----------
    pressure, log_pressure : numpy.ndarray, shape (columns, layers)
        Of the layers [Pa, ln Pa].
    thickness : numpy.ndarray, shape (columns, layers)
        Pressure between the levels around each layer [Pa].
    quantities : numpy.ndarray, shape (quantities, columns, layers)
        Temperature of the layers [K] and mole fractions; first those that are inputs.
    roots : numpy.ndarray, shape (gases, columns, layers)
        Fourth roots of the mole fractions that are inputs.
    """

    pressure: np.ndarray
    log_pressure: np.ndarray
    thickness: np.ndarray
    quantities: np.ndarray
    roots: np.ndarray


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
    starts : numpy.ndarray of int64, shape (experts + 1,)
        The first layer of each expert, from the top down, and the number of layers.
    """

    x: np.ndarray
    even: np.ndarray
    odd: np.ndarray
    a: np.ndarray
    b: np.ndarray
    starts: np.ndarray


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


@njit(cache=True, nogil=True)
def dense(x, start, stop, weights, plan, slope, out, answer, asked, each):  # type: ignore[no-untyped-def]
    """Write one dense layer for the rows from start to stop, and up to a short tile more.

    After each tile, `each` vectors of every array of the answer are asked for, after those that
    were before; gives how many have been.
    """
    offset, column, inputs, panels, first = plan
    vectors = answer[0].size // LANES
    stride, out_stride = x.shape[1], out.shape[1]
    for panel in range(panels):
        begin, lane = offset + panel * (inputs + 1) * LANES, first + panel * LANES
        row = start
        while row < stop:
            row, height = _next(row, start, stop)
            at, to = row * stride + column, row * out_stride + lane
            if height == ROWS:
                tile(x, at, stride, weights, begin, inputs, out, to, out_stride, slope)
            elif height == MIDDLE:
                middle_tile(x, at, stride, weights, begin, inputs, out, to, out_stride, slope)
            else:
                short_tile(x, at, stride, weights, begin, inputs, out, to, out_stride, slope)
            row += height
            until = min(asked + each, vectors)
            while asked < until:
                for array in answer:
                    ask(array, asked * LANES)  # type: ignore[call-arg]
                asked += 1
    return asked


@njit(inline="always")
def _next(row, start, stop):  # type: ignore[no-untyped-def]
    """Give first row and height of the next tile: tiles as even as can be, none over the end.

    The last may go over rows that are done. Only where all rows are fewer than a short tile has, it
    goes beyond.
    """
    left = stop - row
    tiles = (left + ROWS - 1) // ROWS
    if left > MIDDLE * tiles:
        height = ROWS
    elif left > SHORT * tiles:
        height = MIDDLE
    else:
        height = SHORT
    return max(start, min(row, stop - height)), height


@njit(cache=True, nogil=True)
def _within(values, least, most):  # type: ignore[no-untyped-def]
    """Tell whether all values lie between two; the numbers are as wide as values, for vectors."""
    beyond = np.int32(0)
    for i in range(len(values)):
        beyond |= np.int32(values[i] < least) | np.int32(values[i] > most)
    return beyond == 0


@njit(cache=True, nogil=True)
def _inputs(column, net, air, x):  # type: ignore[no-untyped-def]
    """Write the standardised inputs of a column."""
    gases, layers = len(air.roots), air.pressure.shape[1]
    first, shift, scale = x.shape[1] - gases, net.shift, net.scale
    for layer in range(layers):
        x[layer, 0] = (air.log_pressure[column, layer] - shift[0]) * scale[0]
        x[layer, 1] = (air.quantities[0, column, layer] - shift[1]) * scale[1]
        if first == 3:
            lower = np.float32(air.pressure[column, layer] > net.tropopause)
            x[layer, 2] = (lower - shift[2]) * scale[2]
    for gas in range(gases):
        place = first + gas
        for layer in range(layers):
            x[layer, place] = (air.roots[gas, column, layer] - shift[place]) * scale[place]


@njit(cache=True, nogil=True)
def _outside(column, net, air):  # type: ignore[no-untyped-def]
    """Give how many layers of a column lie outside the range of the training."""
    edges, slack = net.edges, np.float32(1e-6)
    # Gases that are no input mostly lie inside in every bin, which is quickly seen.
    looked_at, count = 1 + len(air.roots), len(air.quantities)
    for number in range(looked_at, count):
        if not _within(air.quantities[number, column], net.inner[0, number], net.inner[1, number]):
            looked_at = count
    outside, here = 0, 0
    for layer in range(air.pressure.shape[1]):
        log_p = air.log_pressure[column, layer]
        while here < len(net.least) - 1 and log_p > edges[here + 1]:
            here += 1
        beyond = (log_p < edges[0] - slack) | (log_p > edges[-1] + slack)
        for number in range(looked_at):
            value = air.quantities[number, column, layer]
            beyond |= (value < net.least[here, number]) | (value > net.most[here, number])
        outside += beyond
    return outside


@njit(cache=True, nogil=True)
def _share(column, net, air, starts):  # type: ignore[no-untyped-def]
    """Write which layers of a column belong to which expert."""
    layers, layer = air.pressure.shape[1], 0
    starts[0] = 0
    for number, border in enumerate(net.borders):
        while layer < layers and air.pressure[column, layer] <= border:
            layer += 1
        starts[number + 1] = layer
    starts[-1] = layers


@njit(cache=True, nogil=True)
def _hidden(column, net, air, work, answer):  # type: ignore[no-untyped-def]
    """Write the hidden layers of a column; return the last, and how many layers lie outside.

    Meanwhile the memory of the column's answer is asked for, in even parts.
    """
    _inputs(column, net, air, work.x)
    _share(column, net, air, work.starts)
    tiles = 0
    for expert in range(len(net.plan)):
        rows = work.starts[expert + 1] - work.starts[expert]
        tiles += (rows + ROWS - 1) // ROWS * net.plan[expert, : net.hidden, 3].sum()
    each, asked = answer[0].size // LANES // tiles + 1, 0
    last = work.even
    # From the top: the tiles of an expert of few layers run into rows that the next one writes.
    for expert in range(len(net.plan)):
        start, stop = work.starts[expert], work.starts[expert + 1]
        source, target, other = work.x, work.even, work.odd
        for number in range(net.hidden):
            plan = net.plan[expert, number]
            asked = dense(
                source, start, stop, net.weights, plan, net.slope, target, answer, asked, each
            )
            source, target, other = target, other, target
        last = source
    return last, _outside(column, net, air)


@njit(cache=True, nogil=True)
def _roots(last, net, work, answer):  # type: ignore[no-untyped-def]
    """Write the roots A and B of a column."""
    one = np.float32(1)  # no activation
    for expert in range(len(net.plan)):
        start, stop = work.starts[expert], work.starts[expert + 1]
        plan = net.plan[expert]
        for number in range(net.hidden, len(plan) - 1):
            dense(last, start, stop, net.weights, plan[number], one, work.a, answer, 0, 0)
        dense(last, start, stop, net.weights, plan[-1], one, work.b, answer, 0, 0)


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
        answer = tau[column], layer[column], level[column]
        last, beyond = _hidden(column, net, air, work, answer)
        outside += beyond
        _roots(last, net, work, answer)
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
    outside, layers = 0, tau.shape[1]
    for column in range(columns[0], columns[1]):
        answer = tau[column], ssa[column]
        last, beyond = _hidden(column, net, air, work, answer)
        outside += beyond
        within = True  # tiles stay in the rows of this column, where the next expert mends them
        for expert in range(len(net.plan)):
            start, stop = work.starts[expert], work.starts[expert + 1]
            within &= (start == stop) | (start + SHORT <= layers)
        whole = tau.shape[2] // LANES * LANES if within else 0  # g-points of panels by tiles
        if whole > 0:
            _shortwave_panels(column, last, work.starts, net, air.thickness, tau, ssa)
        if whole < tau.shape[2]:
            _roots(last, net, work, answer)
            _shortwave(column, whole, work.a, work.b, air.thickness, tau, ssa)
    return outside


@njit(cache=True, nogil=True)
def _shortwave_panels(column, last, starts, net, thickness, tau, ssa):  # type: ignore[no-untyped-def]
    """Fill optical depth and single-scattering albedo of a column for whole panels of g-points."""
    _, layers, many = tau.shape
    stride, weights = last.shape[1], net.weights
    for expert in range(len(net.plan)):
        start, stop = starts[expert], starts[expert + 1]
        plan = net.plan[expert]
        b_offset, b_column, b_inputs, _, _ = plan[-1]
        for number in range(net.hidden, len(plan) - 1):
            a_offset, a_column, a_inputs, panels, first = plan[number]
            for panel in range(panels):
                g = first + panel * LANES
                if g + LANES > many:
                    continue
                a = a_offset + panel * (a_inputs + 1) * LANES
                b = b_offset + g * (b_inputs + 1)
                row = start
                while row < stop:
                    row, height = _next(row, start, stop)
                    x, layer = row * stride, column * layers + row
                    place = layer * many + g
                    if height == ROWS:
                        shortwave_tile(
                            last, x + a_column, x + b_column, stride, weights, a, a_inputs, b,
                            b_inputs, thickness, layer, tau, ssa, place, many,
                        )  # fmt: skip
                    elif height == MIDDLE:
                        shortwave_middle_tile(
                            last, x + a_column, x + b_column, stride, weights, a, a_inputs, b,
                            b_inputs, thickness, layer, tau, ssa, place, many,
                        )  # fmt: skip
                    else:
                        shortwave_short_tile(
                            last, x + a_column, x + b_column, stride, weights, a, a_inputs, b,
                            b_inputs, thickness, layer, tau, ssa, place, many,
                        )  # fmt: skip
                    row += height


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _shortwave(column, first, a, b, thickness, tau, ssa):  # type: ignore[no-untyped-def]
    """Fill optical depth and single-scattering albedo of a column from a g-point on."""
    tiny = np.finfo(np.float32).tiny
    for i in range(tau.shape[1]):
        depth = thickness[column, i]
        for g in range(first, tau.shape[2]):
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
