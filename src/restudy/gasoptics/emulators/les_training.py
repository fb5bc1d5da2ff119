"""Networks tuned to one large-eddy simulation, whose air varies little.

Ozone follows from the pressure, so that it is no input; and where the domain stays below the
tropopause, the networks of one side are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.les import Envelope, les_columns, les_samples
from restudy.gasoptics.emulators.paper_networks import PaperLongwave, PaperShortwave
from restudy.gasoptics.emulators.paper_training import Recipe, train_paper_networks
from restudy.gasoptics.emulators.scores import FluxErrors, flux_errors, paper_setup, solve
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics, exact_optics
from restudy.gasoptics.tables import KDistribution


@dataclass(frozen=True)
class Tuned:
    """A tuned set of networks, judged on columns it has not seen.

    Attributes
    ----------
    size : str
        One of `paper_networks.SIZES`.
    networks : PaperLongwave or PaperShortwave
        The networks.
    errors : FluxErrors
        Against the tables, within the domain, with nothing coming down from above it.
    """

    size: str
    networks: PaperLongwave | PaperShortwave
    errors: FluxErrors


def tuned(
    table: KDistribution,
    envelope: Envelope,
    size: str,
    recipe: Recipe,
    *,
    seed: int,
    sets: int = 10,
    count: int = 100,
) -> Tuned:
    """Train networks for a simulation, and judge them.

    Parameters
    ----------
    table : KDistribution
        The tables to learn from, of either spectral range.
    envelope : Envelope
        What air occurs.
    size : str
        One of `paper_networks.SIZES`.
    recipe : Recipe
        How they learn.
    seed : int
        Of all random numbers.
    sets, count : int
        Number of sets of samples, and of columns in each.

    Returns
    -------
    Tuned
        The networks and their errors.
    """
    first, *others = np.random.SeedSequence(seed).spawn(1 + sets)
    samples = [les_samples(envelope, s, count) for s in others]
    unseen = les_columns(envelope, first, count)
    networks, _ = train_paper_networks(table, samples, size, recipe, seed=seed, ozone=False)
    with torch.no_grad():
        exact = exact_optics(table, unseen)
        found = networks.double().optics(unseen)
        return Tuned(size, networks, les_errors(found, exact, unseen))


def les_errors(
    found: LongwaveOptics | ShortwaveOptics,
    exact: LongwaveOptics | ShortwaveOptics,
    columns: Atmosphere,
) -> FluxErrors:
    """Compare optics within the domain of a simulation, in the paper's set-up.

    Parameters
    ----------
    found, exact : LongwaveOptics or ShortwaveOptics
        Of a network, and of the tables.
    columns : Atmosphere
        The columns, from the top down.

    Returns
    -------
    FluxErrors
        No radiation comes down into the domain but the sun's.
    """
    ours, theirs = (solve(optics, paper_setup(columns)).total() for optics in (found, exact))
    return flux_errors(ours, theirs, columns.p_lev)
