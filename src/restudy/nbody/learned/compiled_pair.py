"""Pair potentials in compiled code: packed weights, the network itself, and a table of it.

A kick needs the ratio of the learned force to Newton's, a smooth function of one number, so that
the network can be evaluated once for all and be read from a table of cubics. Any force along the
line of two bodies that depends on their distance is the gradient of some potential: the map stays
symplectic with the table as with the network.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from restudy.nbody.learned.pair_potential import PairPotential, Potential

FloatArray = NDArray[np.float64]

_CELLS = 4096  # of the table; a cubic of 0.003 of the logarithm leaves 1e-12 of the force


class PackedPair(NamedTuple):
    """The numbers of a pair potential for compiled code.

    Attributes
    ----------
    scale, half_width : float
        s [au] and w of the potential.
    first, first_bias, second_bias, last : numpy.ndarray, shape (width,)
        Weights.
    second : numpy.ndarray, shape (width, width)
        Weights, by (unit of the first layer, unit of the second).
    last_bias : float
        Weight.
    start, cells_per_unit : float
        The logarithm of the square of the separation where the table begins, and its density.
    table : numpy.ndarray, shape (cells, 4)
        Coefficients of the cubics of the ratio; of no cells where the network is asked each time.
    """

    scale: float
    half_width: float
    first: FloatArray
    first_bias: FloatArray
    second: FloatArray
    second_bias: FloatArray
    last: FloatArray
    last_bias: float
    start: float
    cells_per_unit: float
    table: FloatArray


def _constant(ratio: float) -> PackedPair:
    """Return a potential whose ratio is the same everywhere: one cell over all separations."""
    one, table = np.zeros(1), np.array([[ratio, 0.0, 0.0, 0.0]])
    return PackedPair(
        1.0, 1.0, one, one, np.zeros((1, 1)), one, one, 0.0, -1000.0, 1 / 2000.0, table
    )


NEWTON = _constant(1.0)
"""The exact potential."""

NOTHING = _constant(0.0)
"""No interaction."""


def pack(
    potential: PairPotential, *, cells: int = _CELLS, reach: tuple[float, float] | None = None
) -> PackedPair:
    """Return a potential for compiled code.

    Parameters
    ----------
    potential : PairPotential
        On any device.
    cells : int
        Of the table over its range of training; 0 for none, then the network is evaluated for each
        pair, as it is outside the table always.
    reach : tuple of float, optional
        Separations that will be asked for; beyond the range of training the table goes on to these,
        with cells of the same size [au].

    Returns
    -------
    PackedPair
        What `force_ratio` takes.
    """
    limits = potential.separations
    weights = {name: x.detach().cpu().numpy() for name, x in potential.named_parameters()}
    start, stop = 2 * math.log(limits.least), 2 * math.log(limits.most)
    per_unit = cells / (stop - start)
    before = after = 0
    if reach is not None:
        before, after = (
            max(0, math.ceil(per_unit * beyond))
            for beyond in (start - 2 * math.log(reach[0]), 2 * math.log(reach[1]) - stop)
        )
    if cells:
        start, stop = start - before / per_unit, stop + after / per_unit
    return PackedPair(
        scale=limits.scale,
        half_width=limits.half_width,
        first=weights["first"].copy(),
        first_bias=weights["first_bias"].copy(),
        second=np.ascontiguousarray(weights["second"].T),
        second_bias=weights["second_bias"].copy(),
        last=weights["last"].copy(),
        last_bias=float(weights["last_bias"]),
        start=start,
        cells_per_unit=per_unit,
        table=_table(potential, start, stop, before + cells + after),
    )


def _table(potential: Potential, start: float, stop: float, cells: int) -> FloatArray:
    """Return cubics of the ratio in the logarithm of the squared separation, (cells, 4)."""
    if cells == 0:
        return np.zeros((0, 4))
    with torch.enable_grad():
        squares = torch.linspace(start, stop, cells + 1, dtype=torch.float64, requires_grad=True)
        return hermite(squares, potential.ratio(torch.exp(0.5 * squares)), (stop - start) / cells)


def hermite(nodes: torch.Tensor, values: torch.Tensor, spacing: float) -> FloatArray:
    """Return the cubics with given values, and the slopes of autograd, at both ends of each cell.

    Parameters
    ----------
    nodes : torch.Tensor
        Equally spaced, (cells + 1,), with ``requires_grad``.
    values : torch.Tensor
        A function of each node, (cells + 1,).
    spacing : float
        From one node to the next.

    Returns
    -------
    numpy.ndarray, shape (cells, 4)
        Coefficients of 1, t, t^2 and t^3, where t goes from 0 to 1 in each cell.
    """
    (slopes,) = torch.autograd.grad(values.sum(), nodes, retain_graph=True)
    value, slope = values.detach().numpy(), slopes.numpy() * spacing
    rise = value[1:] - value[:-1]
    return np.stack(
        [
            value[:-1],
            slope[:-1],
            3 * rise - 2 * slope[:-1] - slope[1:],
            slope[:-1] + slope[1:] - 2 * rise,
        ],
        axis=1,
    )


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})(function)


@_compiled
def network_ratio(pair: PackedPair, square: float) -> float:
    """Return the learned force over Newton's at a squared separation [au^2], by the network."""
    x = (0.5 * math.log(square) - math.log(pair.scale)) / pair.half_width
    width = pair.first.size
    sums = pair.second_bias.copy()
    slopes = np.zeros(width)
    for i in range(width):
        h = math.tanh(x * pair.first[i] + pair.first_bias[i])
        d = (1 - h * h) * pair.first[i]
        for j in range(width):
            sums[j] += h * pair.second[i, j]
            slopes[j] += d * pair.second[i, j]
    value, slope = pair.last_bias, 0.0
    for j in range(width):
        h = math.tanh(sums[j])
        value += pair.last[j] * h
        slope += pair.last[j] * (1 - h * h) * slopes[j]
    return -math.exp(pair.half_width * (value + x)) * slope


@_compiled
def force_ratio(pair: PackedPair, square: float) -> float:
    """Return the learned force over Newton's at a squared separation [au^2].

    By the table where there is one and it has the separation, by the network elsewhere.
    """
    u = (math.log(square) - pair.start) * pair.cells_per_unit
    if not 0 <= u < pair.table.shape[0]:
        return network_ratio(pair, square)
    cell = int(u)
    t = u - cell
    c = pair.table[cell]
    return c[0] + t * (c[1] + t * (c[2] + t * c[3]))


@_compiled
def pair_kick(
    pair: PackedPair,
    masses: FloatArray,
    kepler: FloatArray,
    positions: FloatArray,
    places: FloatArray,
    gradient: FloatArray,
    seen: FloatArray,
) -> None:
    """Compute the gradient of H_int / G with respect to the Jacobi coordinates.

    Parameters
    ----------
    pair : PackedPair
        The potential.
    masses : numpy.ndarray, shape (N,)
        The star first [M_sun].
    kepler : numpy.ndarray, shape (N - 1,)
        Mass products c_i of the Kepler orbits; that of the first planet is not used.
    positions : numpy.ndarray, shape (3, N - 1) or with more columns
        Jacobi coordinates q' of the planets [au].
    places : numpy.ndarray, shape (3, N - 1)
        Work space: where the planets are, relative to the star.
    gradient : numpy.ndarray, shape (3, N - 1)
        The result [M_sun^2 / au^2].
    seen : numpy.ndarray, shape (2,)
        The least and the most squared separation so far, kept up to date [au^2].
    """
    planets = masses.size - 1
    _place(masses, positions, places)
    gradient[:] = 0.0
    least, most = seen[0], seen[1]
    for j in range(1, planets):
        x, y, z = places[0, j], places[1, j], places[2, j]
        square = x * x + y * y + z * z  # from the star
        least, most = min(least, square), max(most, square)
        f = masses[0] * masses[j + 1] * force_ratio(pair, square) / (square * math.sqrt(square))
        gx, gy, gz = f * x, f * y, f * z
        for i in range(j):
            dx, dy, dz = x - places[0, i], y - places[1, i], z - places[2, i]
            square = dx * dx + dy * dy + dz * dz
            least, most = min(least, square), max(most, square)
            ratio = force_ratio(pair, square)
            f = masses[i + 1] * masses[j + 1] * ratio / (square * math.sqrt(square))
            gradient[0, i] -= f * dx
            gradient[1, i] -= f * dy
            gradient[2, i] -= f * dz
            gx, gy, gz = gx + f * dx, gy + f * dy, gz + f * dz
        gradient[0, j], gradient[1, j], gradient[2, j] = gx, gy, gz
    _to_jacobi(masses, gradient)
    for i in range(1, planets):
        x, y, z = positions[0, i], positions[1, i], positions[2, i]
        square = x * x + y * y + z * z
        least, most = min(least, square), max(most, square)
        f = kepler[i] * force_ratio(pair, square) / (square * math.sqrt(square))
        gradient[0, i] -= f * x
        gradient[1, i] -= f * y
        gradient[2, i] -= f * z
    seen[0], seen[1] = least, most


@_compiled
def _place(masses: FloatArray, positions: FloatArray, places: FloatArray) -> None:
    """Put the planets where they are relative to the star."""
    for k in range(3):
        centre, eta = 0.0, masses[0]
        for i in range(masses.size - 1):
            eta += masses[i + 1]
            places[k, i] = centre + positions[k, i]
            centre += masses[i + 1] / eta * positions[k, i]


@_compiled
def _to_jacobi(masses: FloatArray, gradient: FloatArray) -> None:
    """Turn a gradient with respect to the places into one with respect to Jacobi coordinates."""
    for k in range(3):
        outer, eta = 0.0, masses.sum()
        for i in range(masses.size - 2, -1, -1):
            here = gradient[k, i]
            gradient[k, i] = here + masses[i + 1] / eta * outer
            outer += here
            eta -= masses[i + 1]
