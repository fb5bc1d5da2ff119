"""The energies that the authors' notebook of Sun, Jupiter and Saturn printed, step by step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from restudy.nbody.learned.comparison import Deviation
from restudy.nbody.learned.kicked import FloatArray
from restudy.nbody.system import System


@dataclass(frozen=True, eq=False)
class PublishedEnergy:
    """Relative energy errors with a step of 1 yr, to six digits.

    Attributes
    ----------
    classical, network : numpy.ndarray, shape (2000,)
        abs((E - E_0) / E_0) after each step, E_0 being that of `notebook_energy`.
    """

    classical: FloatArray
    network: FloatArray


def published_energy() -> PublishedEnergy:
    """Return the two printed curves, of commit 39bc576 of the authors' repository."""
    text = resources.files("restudy.nbody.learned").joinpath("published_energy.json").read_text()
    printed = json.loads(text)
    return PublishedEnergy(np.array(printed["classical"]), np.array(printed["network"]))


def notebook_energy(system: System) -> float:
    """Return the E_0 of the authors' curves.

    Their code computes it of barycentric coordinates as if these were about the star, which it
    puts, with the barycentre, where the planets alone would have it. All errors are relative to
    this number, so that the curves have an offset and are scaled by 1.006.

    Parameters
    ----------
    system : System
        In the coordinates of their start.

    Returns
    -------
    float
        The energy [Msun au2/yr2].
    """
    planets = system.masses.copy()
    planets[0] = 0.0  # and so is the star's place, before all are shifted
    moving = (planets > 0)[:, None]
    shift = planets / system.masses.sum()
    x, v = (moving * y - shift @ y for y in (system.positions, system.velocities))
    return System(system.masses, x, v, system.names, system.gravity).energy()


def as_published(run: Deviation, start: System) -> FloatArray:
    """Return the energy errors of a run as the notebook prints them.

    Parameters
    ----------
    run : Deviation
        Of the run.
    start : System
        What it started from, in the coordinates of the notebook.

    Returns
    -------
    numpy.ndarray, shape (samples - 1,)
        The errors abs((E - E_0) / E_0) after the start, with the E_0 of `notebook_energy`.
    """
    true, reference = start.barycentric().energy(), notebook_energy(start)
    energy = true + abs(true) * run.energy[1:]
    return np.abs((energy - reference) / reference)
