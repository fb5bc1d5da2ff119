"""Columns of air to train on: perturbed copies of given ones, with what the tables say of them.

Four recipes: that of arXiv 2005.02265, which shakes each layer by itself; one that shifts whole
parts of a column together, as weather, climates and other places do; one that cuts columns off, as
models of limited height do; and gases drawn over wide spans. A set of columns is one task with a
seed of its own, so that the columns do not depend on who makes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.standard import saturation_pressure

_THINNEST = 1.0  # Pa, of the lowest layers
_LOWEST = 35  # layers that are to be so thick
_TRIES = 1000
_TROPOPAUSE = 1e4  # Pa
_LAYER = 3e3  # Pa, above which ozone is its layer
_LIDS = (500.0, 7e4)  # Pa, the least and the most of pressure at the top of a shallow column
_LOWEST_LID = 0.995  # of the pressure of the ground, which on a mountain is below 700 hPa

# Mole fractions beyond those of the 18 experiments of RFMIP (the least above 0 and the most).
SPANS: Mapping[str, tuple[float, float]] = {
    "co2": (1.2e-4, 2.7e-3),
    "n2o": (1.8e-7, 4.4e-7),
    "ch4": (3.0e-7, 3.0e-6),
    "co": (3.0e-8, 2.2e-7),
}
# Most of the halocarbons, which are 0 before industry.
HALOCARBONS: Mapping[str, float] = {
    "ccl4": 1.0e-10,
    "cfc11": 2.8e-10,
    "cfc12": 6.2e-10,
    "cfc22": 2.8e-10,
    "hfc143a": 8.5e-10,
    "hfc125": 1.15e-9,
    "hfc23": 3.3e-11,
    "hfc32": 1.0e-11,
    "hfc134a": 5.1e-10,
    "cf4": 1.5e-10,
}


def perturbed_columns(atmosphere: Atmosphere, seed: int | np.random.SeedSequence) -> Atmosphere:
    """Shake the layers of columns, each by itself, by the recipe of arXiv 2005.02265.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns, from the top down, in float64.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.

    Returns
    -------
    Atmosphere
        As many columns, from the top down.

    Raises
    ------
    GasOpticsError
        If the columns are from the ground up, or so thin that no draw fits.

    Notes
    -----
    Levels move between their neighbours, the lowest to 0.1 to 1.9 times the depth of its layer;
    their temperatures change by up to 5 K, and a layer has one between those of its levels; the
    ground is within 10 K of the lowest level. Ozone and water change by up to 75 % in each layer;
    water is drawn again where it would pass 101 % of saturation.

    References
    ----------
    M. A. Veerman et al. (2021), doi:10.1098/rsta.2020.0095, and its code,
    github.com/MennoVeerman/machinelearning-gasoptics.
    """
    rng = _generator(atmosphere, seed)
    p_lev = _shaken_levels(atmosphere.p_lev.numpy(), rng)
    t_lev = atmosphere.t_lev.numpy()
    t_lev = t_lev + rng.uniform(-5, 5, t_lev.shape)
    share = rng.uniform(0, 1, atmosphere.t_lay.shape)
    t_lay = t_lev[:, :-1] + share * np.diff(t_lev, axis=1)
    t_sfc = t_lev[:, -1] + rng.uniform(-10, 10, len(t_lev))
    p_lay = (p_lev[:, 1:] + p_lev[:, :-1]) / 2
    ozone = atmosphere.gases["o3"].numpy()
    ozone = ozone * rng.uniform(0.25, 1.75, ozone.shape)
    water = _shaken_water(atmosphere, p_lay, t_lay, rng)
    return _changed(atmosphere, p_lay, p_lev, t_lay, t_lev, t_sfc, water, ozone)


@dataclass(frozen=True)
class Drift:
    """How far columns move as wholes.

    Attributes
    ----------
    warming : tuple of float
        Least and most of the shift of a column's temperature [K].
    temperature : float
        Standard deviation of a smooth curve of temperature [K].
    wetting : tuple of float
        Least and most of the shift of the logarithm of the troposphere's water.
    water : float
        Standard deviation of a smooth curve of the logarithm of water.
    ozonising : tuple of float
        Least and most of the shift of the logarithm of ozone.
    ozone : float
        Standard deviation of a smooth curve of the logarithm of ozone.
    ozonising_low : tuple of float
        Least and most of one more shift of the logarithm of ozone, below 100 hPa.
    wetting_high : tuple of float
        Least and most of one more shift of the logarithm of water, around 100 hPa.
    """

    warming: tuple[float, float]
    temperature: float
    wetting: tuple[float, float]
    water: float
    ozonising: tuple[float, float]
    ozone: float
    ozonising_low: tuple[float, float] = (0, 0)
    wetting_high: tuple[float, float] = (0, 0)


WEATHER = Drift((-4, 8), 3, (0, 0), 0.4, (0, 0), 0.3)
CLIMATES = Drift((-8, 16), 6, (0, 0), 0.8, (0, 0), 0.6)
ANYWHERE = Drift((-15, 10), 5, (-4, 0.5), 1.0, (-1.5, 1), 0.6)
# As far, with tropopauses of any kind: next to no ozone below, as over tropical seas, to seven
# times as much, where air comes down from the stratosphere; drier, and as wet as saturation.
TROPOPAUSES = Drift((-15, 10), 5, (-4, 0.5), 1.0, (-1.5, 1), 0.6, (-3.0, 2.0), (-1.5, 3.0))
# Models of limited height prescribe their ozone, some of them next to none of it.
LIMITED = Drift((-15, 10), 5, (-4, 0.5), 1.0, (-3.5, 0.5), 1.0)


def drifted_columns(
    atmosphere: Atmosphere, seed: int | np.random.SeedSequence, drift: Drift = WEATHER
) -> Atmosphere:
    """Shift temperature, water and ozone of columns together over some kilometres.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns, from the top down, in float64.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.
    drift : Drift
        How far.

    Returns
    -------
    Atmosphere
        As many columns, from the top down.

    Raises
    ------
    GasOpticsError
        If the columns are from the ground up.

    Notes
    -----
    Errors of a network that are the same in neighbouring layers add up in the flux, and jagged
    columns hide them. Here a column moves by one warming and by a smooth curve; its relative
    humidity is partly kept, and water, at most 101 % of saturation or what it was, and ozone follow
    smooth curves of their own. Ozone below 100 hPa may move by a further shift, which fades out up
    to 30 hPa, and water at 100 hPa by another, which fades out to 20 and to 500 hPa. Levels move by
    a tenth of the distance to their neighbours.
    """
    rng = _generator(atmosphere, seed)
    old = atmosphere.p_lev.numpy()
    size = len(old), 1
    p_lev = old.copy()
    p_lev[:, 1:-1] += rng.uniform(-0.1, 0.1, size) * (old[:, 2:] - old[:, :-2]) / 2
    p_lev[:, -1] *= 1 + rng.uniform(-0.01, 0.01, len(old))
    p_lev[:, -1] = np.maximum(p_lev[:, -1], p_lev[:, -2] + 0.5 * (old[:, -1] - old[:, -2]))
    p_lay = (p_lev[:, 1:] + p_lev[:, :-1]) / 2
    warming = rng.uniform(*drift.warming, size) + drift.temperature * _curves(p_lev, rng)
    t_lev = atmosphere.t_lev.numpy() + warming
    t_lay = atmosphere.t_lay.numpy() + (warming[:, 1:] + warming[:, :-1]) / 2
    t_sfc = atmosphere.t_sfc.numpy() + warming[:, -1] + rng.normal(0, 2, len(old))
    water, ozone = _drifted_gases(atmosphere, p_lay, t_lay, drift, rng)
    return _changed(atmosphere, p_lay, p_lev, t_lay, t_lev, t_sfc, water, ozone)


def _drifted_gases(
    atmosphere: Atmosphere,
    p_lay: np.ndarray,
    t_lay: np.ndarray,
    drift: Drift,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return water, partly of the old relative humidity, and ozone."""
    size = len(p_lay), 1
    old_water, old_t = atmosphere.gases["h2o"].numpy(), atmosphere.t_lay.numpy()
    wetter = saturation_pressure(t_lay) / saturation_pressure(old_t)
    kept = np.where(p_lay > 2e4, wetter ** rng.uniform(0, 1, size), 1.0)
    water = drift.water * _curves(p_lay, rng)
    ozone = drift.ozone * _curves(p_lay, rng)
    wetting, ozonising = (rng.uniform(*s, size) for s in (drift.wetting, drift.ozonising))
    further = rng.uniform(*drift.ozonising_low, size), rng.uniform(*drift.wetting_high, size)
    depth = np.clip(np.log(p_lay / _TROPOPAUSE) / np.log(5), -1, 1)  # 1 below 500 hPa
    below = np.clip(np.log(p_lay / _LAYER) / np.log(_TROPOPAUSE / _LAYER), 0, 1)
    water = water + np.maximum(depth, 0) * wetting + (1 - np.abs(depth)) * further[1]
    most = np.maximum(1.01 * _saturated(p_lay, t_lay), old_water)
    ozone = ozone + ozonising + below * further[0]
    return (
        np.minimum(old_water * kept * np.exp(water), most),
        atmosphere.gases["o3"].numpy() * np.exp(ozone),
    )


def shallow_columns(atmosphere: Atmosphere, seed: int | np.random.SeedSequence) -> Atmosphere:
    """Cut columns off at some pressure, and share the rest out among as many thinner layers.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns, from the top down, in float64.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.

    Returns
    -------
    Atmosphere
        As many columns and layers, from the top down, each to the ground of its column.

    Raises
    ------
    GasOpticsError
        If the columns are from the ground up, or the ground of one lies above 10 hPa.

    Notes
    -----
    The top is drawn evenly in the logarithm of pressure between 5 and 700 hPa, and again where that
    is more than 99.5 % of the pressure of the ground; nothing is above, as in a model of limited
    height, so that gases that would have taken the light away up there are seen at work in the air
    below. Layers are as thick as each other or grow towards the top, by a draw in each column.
    Temperature, the logarithm of water and ozone are linear in the logarithm of pressure between
    the old layers. Gases that are well mixed stay as they are.
    """
    rng = _generator(atmosphere, seed)
    ground = atmosphere.p_lev[:, -1:].numpy()
    least, most = (math.log(p) for p in _LIDS)
    if ground.min() < 2 * _LIDS[0]:
        raise GasOpticsError(
            f"the ground of a column lies at {ground.min():g} Pa; expected at least "
            f"{2 * _LIDS[0]:g} Pa, to cut columns off above it."
        )
    lid = np.exp(rng.uniform(least, most, ground.shape))
    while (low := lid > _LOWEST_LID * ground).any():
        lid[low] = np.exp(rng.uniform(least, most, int(low.sum())))
    depth = np.linspace(0, 1, atmosphere.layers + 1) ** rng.uniform(0.7, 1.0, ground.shape)
    p_lev = lid + (ground - lid) * depth
    p_lay = (p_lev[:, 1:] + p_lev[:, :-1]) / 2
    old_lev, old_lay = atmosphere.p_lev.numpy(), atmosphere.p_lay.numpy()
    t_lev = _interpolated(p_lev, old_lev, atmosphere.t_lev.numpy())
    t_lay = (t_lev[:, 1:] + t_lev[:, :-1]) / 2
    water = np.exp(_interpolated(p_lay, old_lay, np.log(atmosphere.gases["h2o"].numpy())))
    ozone = _interpolated(p_lay, old_lay, atmosphere.gases["o3"].numpy())
    t_sfc = atmosphere.t_sfc.numpy()
    return _changed(atmosphere, p_lay, p_lev, t_lay, t_lev, t_sfc, water, ozone)


def _interpolated(p: np.ndarray, old: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate each column in the logarithm of pressure."""
    rows = zip(np.log(p), np.log(old), values, strict=True)
    return np.stack([np.interp(*row) for row in rows])


def with_other_gases(atmosphere: Atmosphere, seed: int | np.random.SeedSequence) -> Atmosphere:
    """Draw the well-mixed gases of each column anew, each by itself.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.

    Returns
    -------
    Atmosphere
        Carbon dioxide, nitrous oxide, methane and carbon monoxide evenly in the logarithm over
        `SPANS`, carbon monoxide absent in one of ten; halocarbons evenly up to the most of
        `HALOCARBONS`, absent in one of five. Oxygen, nitrogen and the rest stay.
    """
    rng = np.random.default_rng(seed)
    size, layers = atmosphere.p_lay.shape
    gases = dict(atmosphere.gases)

    def everywhere(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(atmosphere.p_lay)[:, None].expand(size, layers)

    for gas, span in SPANS.items():
        least, most = (math.log(x) for x in span)
        values = np.exp(rng.uniform(least, most, size))
        absent = rng.uniform(size=size) < 0.1
        gases[gas] = everywhere(np.where(absent, 0.0, values) if gas == "co" else values)
    for gas, most in HALOCARBONS.items():
        values = rng.uniform(0.0, most, size)
        gases[gas] = everywhere(np.where(rng.uniform(size=size) < 0.2, 0.0, values))
    return replace(atmosphere, gases={gas: gases[gas] for gas in atmosphere.gases})


def _generator(atmosphere: Atmosphere, seed: int | np.random.SeedSequence) -> np.random.Generator:
    if not atmosphere.from_top:
        raise GasOpticsError(
            "the columns are from the ground up; perturb them from the top down (upside_down)."
        )
    return np.random.default_rng(seed)


def _shaken_levels(old: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the levels of every column until its lowest layers are thick enough."""
    new, todo = old.copy(), np.arange(len(old))
    for _ in range(_TRIES):
        p = old[todo]
        drawn = p.copy()
        drawn[:, 1:-1] = p[:, :-2] + rng.uniform(0.05, 1, p[:, 1:-1].shape) * (p[:, 2:] - p[:, :-2])
        drawn[:, -1] = p[:, -2] + rng.uniform(0.1, 1.9, len(p)) * (p[:, -1] - p[:, -2])
        drawn.sort(axis=1)
        new[todo] = drawn
        thickness = np.diff(drawn, axis=1)
        thin = (thickness[:, -_LOWEST:] < _THINNEST).any(axis=1) | (thickness <= 0).any(axis=1)
        todo = todo[thin]
        if not len(todo):
            return new
    raise GasOpticsError(
        f"column {todo[0]} has no perturbation with {_LOWEST} lowest layers of {_THINNEST:g} Pa in "
        f"{_TRIES} draws; give thicker layers."
    )


def _shaken_water(
    atmosphere: Atmosphere, p_lay: np.ndarray, t_lay: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Change the water of each layer, by a draw that keeps it below 101 % of saturation."""
    old = atmosphere.gases["h2o"].numpy()
    before = _saturated(atmosphere.p_lay.numpy(), atmosphere.t_lay.numpy())
    most = np.where(old < before, 1.01 * _saturated(p_lay, t_lay), np.inf)
    water = old * rng.uniform(0.25, 1.75, old.shape)
    for _ in range(20):
        wet = water > most
        if not wet.any():
            break
        water[wet] = old[wet] * rng.uniform(0.25, 1.75, int(wet.sum()))
    return np.minimum(water, most)


def _saturated(p_lay: np.ndarray, t_lay: np.ndarray) -> np.ndarray:
    """Return the mole fraction in dry air at which water is saturated."""
    vapour = np.minimum(saturation_pressure(t_lay), 0.5 * p_lay)
    return vapour / (p_lay - vapour)


def _curves(pressure: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a smooth random curve of height for each column, of unit variance.

    Five waves of random phase, over 2 to 12 units of the logarithm of pressure.
    """
    height = np.log(pressure)[:, :, None]
    length = np.exp(rng.uniform(np.log(2), np.log(12), (len(pressure), 1, 5)))
    phase = rng.uniform(0, 2 * np.pi, (len(pressure), 1, 5))
    return np.sin(2 * np.pi * height / length + phase).sum(axis=2) * np.sqrt(2 / 5)


def _changed(
    atmosphere: Atmosphere,
    p_lay: np.ndarray,
    p_lev: np.ndarray,
    t_lay: np.ndarray,
    t_lev: np.ndarray,
    t_sfc: np.ndarray,
    water: np.ndarray,
    ozone: np.ndarray,
) -> Atmosphere:
    new = {"h2o": torch.from_numpy(water), "o3": torch.from_numpy(ozone)}
    return replace(
        atmosphere,
        p_lay=torch.from_numpy(p_lay),
        p_lev=torch.from_numpy(p_lev),
        t_lay=torch.from_numpy(t_lay),
        t_lev=torch.from_numpy(t_lev),
        t_sfc=torch.from_numpy(t_sfc),
        gases=dict(atmosphere.gases) | new,
    )
