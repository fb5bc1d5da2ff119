"""What any network can know of a kick that sees one planet at a time, as the paper's does.

The best guess from a planet's own state is the mean of its kick over the states of the other. For
two planets whose orbits are drawn by themselves this mean can be computed: kicks of all pairs of
states form a square, and the mean of a row is the guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from restudy.nbody.catalogue import sun_jupiter_saturn
from restudy.nbody.errors import NBodyError
from restudy.nbody.hamiltonian import exact_kick
from restudy.nbody.learned.kicked import FloatArray, frame_of
from restudy.nbody.learned.ladder_training import jupiter_saturn_samples


@dataclass(frozen=True)
class Ceiling:
    """The largest R2 that a network of one planet's own state can have, 0 being that of no kick.

    Attributes
    ----------
    inner, outer : float
        Of the acceleration of each planet about the star.
    """

    inner: float
    outer: float


def explained_by_rows(values: FloatArray) -> float:
    """Return the share of the squares that the means of rows explain, without bias.

    Parameters
    ----------
    values : numpy.ndarray, shape (own, other, 3)
        Vectors, one row for each of a planet's own states, with the other's drawn anew.

    Returns
    -------
    float
        Mean square of the expectation of a row, over the mean square of all.

    Raises
    ------
    NBodyError
        If there are fewer than two states of the other.

    Notes
    -----
    The mean square of a row's mean is too large by the variance in the row over its length, which
    is subtracted; a result may be below 0 by chance.
    """
    own, other = values.shape[:2]
    if other < 2:
        raise NBodyError(f"{other} states of the other planet; expected at least 2.")
    means = values.mean(axis=1, keepdims=True)
    within = ((values - means) ** 2).sum() / (own * (other - 1))
    explained = (means**2).sum() / own - within / other
    return float(explained / ((values**2).sum() / (own * other)))


def one_body_ceiling(states: int, *, rng: np.random.Generator) -> Ceiling:
    """Return what a network of one planet can explain for Jupiter and Saturn.

    Parameters
    ----------
    states : int
        Of each planet; kicks are computed for all pairs of them.
    rng : numpy.random.Generator
        Of the orbits, which are those of `jupiter_saturn_samples`.

    Returns
    -------
    Ceiling
        R2 of the best guess, planet by planet.
    """
    frame = frame_of(sun_jupiter_saturn())
    inner, outer = jupiter_saturn_samples(states, rng=rng).positions.unbind(1)
    masses = torch.tensor(frame.masses)
    kicks = []
    for q in inner:  # with all states of the outer planet
        both = torch.stack((torch.zeros_like(outer), q.expand_as(outer), outer), dim=1)
        kicks.append(exact_kick(masses, both)[:, 1:].numpy())
    about_star = frame.heliocentric @ np.stack(kicks)  # of inner state, outer state
    return Ceiling(
        inner=explained_by_rows(about_star[:, :, 0]),
        outer=explained_by_rows(about_star[:, :, 1].transpose(1, 0, 2)),
    )
