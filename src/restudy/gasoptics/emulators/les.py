"""The air of large-eddy simulations, Cabauw and RCEMIP.

Of a simulation only its envelope is known: the least and the most of temperature and humidity at
each pressure. Columns are drawn between them; ozone follows from the pressure.

M. A. Veerman et al. (2021), doi:10.1098/rsta.2020.0095. A. A. Wing et al., Radiative-convective
equilibrium model intercomparison project, Geosci. Model Dev. 11, 793 (2018), for RCEMIP.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.scores import ALBEDO, ZENITH
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.standard import SOLAR_CONSTANT, WELL_MIXED, ozone_layer

LEAST_OZONE = 5e-9  # mol/mol
_MOLAR_RATIO = 0.622  # of water to dry air
_WIDE = 10.0  # most over least of humidity, from which on half of the draws are skewed
_LONGEST = 16.7  # mean of the largest of ten million exponential draws


@dataclass(frozen=True)
class Envelope:
    """What air occurs in a simulation; arrays of shape (levels,), from the top down.

    Attributes
    ----------
    name : str
        Of the simulation.
    pressure : numpy.ndarray
        Rising [Pa].
    t_least, t_most : numpy.ndarray
        Temperature [K].
    q_least, q_most : numpy.ndarray
        Specific humidity [kg/kg].
    """

    name: str
    pressure: np.ndarray
    t_least: np.ndarray
    t_most: np.ndarray
    q_least: np.ndarray
    q_most: np.ndarray


def read_envelope(path: Path, name: str) -> Envelope:
    """Read the envelope of a simulation.

    Parameters
    ----------
    path : pathlib.Path
        Text with a line of comment and five columns: pressure [Pa], least and most temperature
        [K], least and most specific humidity [kg/kg].
    name : str
        Of the simulation.

    Returns
    -------
    Envelope
        From the top down.

    Raises
    ------
    GasOpticsError
        If the file is of another kind, or a least is above its most.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of an empty file
            table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise GasOpticsError(f"{path} cannot be read as numbers ({error}).") from error
    if table.shape[0] < 3 or table.shape[1] != 5:
        raise GasOpticsError(
            f"{path.name} has {table.shape[0]} rows of {table.shape[1]} numbers; expected 3 or "
            "more rows of 5: pressure, two temperatures, two humidities."
        )
    table = table[np.argsort(table[:, 0])]
    wrong = (table[:, 1] > table[:, 2]) | (table[:, 3] > table[:, 4]) | (table[:, 3] <= 0)
    if wrong.any() or not np.isfinite(table).all():
        raise GasOpticsError(
            f"{path.name} has a least above its most, a humidity not above 0, or no number; "
            "expected pressure, least and most temperature, least and most humidity."
        )
    return Envelope(name, *table.T)


def les_samples(
    envelope: Envelope,
    seed: int | np.random.SeedSequence,
    count: int = 100,
    gases: Mapping[str, float] = WELL_MIXED,
) -> Atmosphere:
    """Draw columns for the training, every layer by itself, by the paper's recipe.

    Parameters
    ----------
    envelope : Envelope
        What air occurs.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.
    count : int
        Number of columns.
    gases : mapping of str to float
        Mole fractions of the gases that are well mixed.

    Returns
    -------
    Atmosphere
        As many layers as the envelope has levels, from the top down, in float64.

    Notes
    -----
    Pressures are drawn between the neighbours of each level, then sorted; temperatures evenly
    between 0.99 times the least and 1.01 times the most, humidities between 0.95 and 1.05 times.
    Where humidity spans a factor of 10 or more, every other draw is from an exponential
    distribution that favours the dry end. The temperature of a level lies between those of its
    layers.
    """
    rng = np.random.default_rng(seed)
    p = envelope.pressure
    p = np.concatenate(([2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]))
    size = count, len(envelope.pressure)
    p_lay = np.sort(rng.uniform(p[:-2], p[2:], size), axis=1)
    t_lay = _between(p_lay, envelope, (0.99 * envelope.t_least, 1.01 * envelope.t_most), rng)
    humidity = _between(p_lay, envelope, (0.95 * envelope.q_least, 1.05 * envelope.q_most), rng)
    inside = t_lay[:, 1:] + rng.uniform(0, 1, (count, size[1] - 1)) * -np.diff(t_lay, axis=1)
    ends = [
        t_lay[:, [i]] + rng.uniform(0, 2, (count, 1)) * (t_lay[:, [i]] - inside[:, [i]])
        for i in (0, -1)
    ]
    t_lev = np.concatenate((ends[0], inside, ends[1]), axis=1)
    return _atmosphere(p_lay, t_lay, t_lev, humidity, gases)


def les_columns(
    envelope: Envelope,
    seed: int | np.random.SeedSequence,
    count: int = 100,
    gases: Mapping[str, float] = WELL_MIXED,
) -> Atmosphere:
    """Draw columns as the simulation may have them, smooth over height, to judge networks on.

    Parameters
    ----------
    envelope : Envelope
        What air occurs.
    seed : int or numpy.random.SeedSequence
        Of the random numbers.
    count : int
        Number of columns.
    gases : mapping of str to float
        Mole fractions of the gases that are well mixed.

    Returns
    -------
    Atmosphere
        With the envelope's own pressures, from the top down, in float64.

    Notes
    -----
    The fields themselves are not public. Temperature and the logarithm of humidity go from the
    least to the most by shares that follow a random wave of pressure in each column.
    """
    rng = np.random.default_rng(seed)
    p = envelope.pressure
    shares = []
    for _ in range(2):
        waves = rng.uniform(0.5, 4, (count, 1)) * np.pi * np.log(p / p[0]) / np.log(p[-1] / p[0])
        shares.append((1 + np.sin(waves + rng.uniform(0, 2 * np.pi, (count, 1)))) / 2)
    t_lay = envelope.t_least + shares[0] * (envelope.t_most - envelope.t_least)
    span = np.log(envelope.q_most / envelope.q_least)
    humidity = envelope.q_least * np.exp(shares[1] * span)
    p_lay = np.broadcast_to(p, t_lay.shape)
    return _atmosphere(p_lay, t_lay, _halfway(t_lay), humidity, gases)


def with_air_above(columns: Atmosphere, above: Atmosphere) -> tuple[Atmosphere, int]:
    """Put the air of another column on top of a domain, as the radiation of such models does.

    Parameters
    ----------
    columns : Atmosphere
        The domain, from the top down, all columns with the same pressure at the top.
    above : Atmosphere
        One column that reaches higher, from the top down.

    Returns
    -------
    columns : Atmosphere
        With the layers of `above` that lie above the domain; the lowest of them ends where the
        domain begins.
    added : int
        How many layers these are.

    Raises
    ------
    GasOpticsError
        If the tops differ, `above` is not one column, does not reach above the domain or lacks a
        gas of it.
    """
    lid = float(columns.p_lev[0, 0])
    added = int((above.p_lev[0] < lid).sum())
    if above.columns != 1 or not added or bool((columns.p_lev[:, 0] != lid).any()):
        raise GasOpticsError(
            f"{above.columns} columns from {float(above.p_lev.min()):.6g} Pa on, for domains whose "
            f"tops are from {float(columns.p_lev[:, 0].min()):.6g} to "
            f"{float(columns.p_lev[:, 0].max()):.6g} Pa; expected one that reaches above one top."
        )
    if missing := sorted(set(columns.gases) - set(above.gases)):
        raise GasOpticsError(f"the air above has no {missing[0]}; give a mole fraction.")

    def joined(mine: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
        return torch.cat((theirs[:, :added].expand(columns.columns, -1), mine), dim=1)

    # The layer that the lid cuts keeps its air, but its mean pressure is that of what is left.
    p_lay = above.p_lay.clone()
    p_lay[0, added - 1] = (above.p_lev[0, added - 1] + lid) / 2
    whole = replace(
        columns,
        p_lay=joined(columns.p_lay, p_lay),
        p_lev=joined(columns.p_lev, above.p_lev),
        t_lay=joined(columns.t_lay, above.t_lay),
        t_lev=joined(columns.t_lev, above.t_lev),
        gases={gas: joined(x, above.gases[gas]) for gas, x in columns.gases.items()},
    )
    return whole, added


def mean_column(atmosphere: Atmosphere, weight: np.ndarray) -> Atmosphere:
    """Return the weighted mean of columns, layer by layer.

    Parameters
    ----------
    atmosphere : Atmosphere
        The columns.
    weight : numpy.ndarray, shape (columns,)
        Weights that add up to 1.

    Returns
    -------
    Atmosphere
        One column; its gases are those of `atmosphere`.
    """
    share = torch.from_numpy(weight).to(atmosphere.p_lay)

    def mean(x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("c,c...->...", share, x)[None]

    return atmosphere.mapped(mean)


def _between(
    p: np.ndarray,
    envelope: Envelope,
    limits: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a quantity between its limits at each pressure, half of the wide draws skewed."""
    least, most = (np.interp(p, envelope.pressure, limit) for limit in limits)
    skewed = np.minimum(rng.exponential(size=p.shape) / _LONGEST, 1)
    wide = (most >= _WIDE * least) & (rng.uniform(size=p.shape) > 0.5)
    share = np.where(wide, skewed, rng.uniform(size=p.shape))
    return least + share * (most - least)


def _halfway(layers: np.ndarray) -> np.ndarray:
    """Return values of levels, (columns, layers + 1): between two layers, and as far beyond."""
    inside = (layers[:, 1:] + layers[:, :-1]) / 2
    first, last = (2 * layers[:, [i]] - inside[:, [i]] for i in (0, -1))
    return np.concatenate((first, inside, last), axis=1)


def _atmosphere(
    p_lay: np.ndarray,
    t_lay: np.ndarray,
    t_lev: np.ndarray,
    humidity: np.ndarray,
    gases: Mapping[str, float],
) -> Atmosphere:
    """Put columns together, with levels halfway and the ground at the temperature of the last."""
    ozone = np.maximum(LEAST_OZONE, ozone_layer(p_lay))
    varying = {"h2o": humidity / (_MOLAR_RATIO * (1 - humidity)), "o3": ozone}
    mixed = {gas: np.full(p_lay.shape, value) for gas, value in gases.items()}
    one = torch.ones(len(p_lay), dtype=torch.float64)
    return Atmosphere(
        p_lay=torch.from_numpy(p_lay.copy()),
        p_lev=torch.from_numpy(_halfway(p_lay)),
        t_lay=torch.from_numpy(t_lay),
        t_lev=torch.from_numpy(t_lev),
        gases={gas: torch.from_numpy(x) for gas, x in (varying | mixed).items()},
        t_sfc=torch.from_numpy(t_lev[:, -1].copy()),
        emissivity=0.98 * one,
        albedo=ALBEDO * one,
        mu0=math.cos(ZENITH) * one,
        irradiance=SOLAR_CONSTANT * one,
    )
