"""How much the chapter on the neural N-body integrator computes, and the systems it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from restudy.nbody import (
    catalogue,
    experiments_classical,
    experiments_pair,
    experiments_paper,
    experiments_unknown,
)
from restudy.nbody.learned.ladder_training import LadderSetup
from restudy.nbody.system import System


@dataclass(frozen=True)
class Setup:
    """How much the chapter computes; no method depends on it.

    Attributes
    ----------
    classical, paper_network, pair, unknown : Setup
        Of the classical integrators, the paper's network, pair networks, and interactions that are
        not known.
    ladder : LadderSetup
        Of the ladder of inductive bias.
    """

    classical: experiments_classical.Setup
    paper_network: experiments_paper.Setup
    ladder: LadderSetup
    pair: experiments_pair.Setup
    unknown: experiments_unknown.Setup

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of a minute: long runs with the networks of the package."""
        return cls(
            experiments_classical.Setup.quick(),
            experiments_paper.Setup.quick(),
            LadderSetup.quick(),
            experiments_pair.Setup.quick(),
            experiments_unknown.Setup.quick(),
        )

    @classmethod
    def full(cls) -> Self:
        """Make a setup of half an hour: everything is trained again, from several seeds."""
        return cls(
            experiments_classical.Setup.full(),
            experiments_paper.Setup.full(),
            LadderSetup.full(),
            experiments_pair.Setup.full(),
            experiments_unknown.Setup.full(),
        )

    @classmethod
    def paper(cls) -> Self:
        """Make a setup for a cluster: more systems, a million steps for each."""
        return cls(
            experiments_classical.Setup.full(),
            experiments_paper.Setup.paper(),
            LadderSetup.paper(),
            experiments_pair.Setup.paper(),
            experiments_unknown.Setup.paper(),
        )


def systems(seed: int) -> dict[str, System]:
    """Return the systems of the paper's experiments, and one of its training.

    Parameters
    ----------
    seed : int
        Of those that are drawn.

    Returns
    -------
    dict of str to System
        By name.
    """
    first, second, third = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    return {
        "Sun, Jupiter, Saturn": catalogue.sun_jupiter_saturn(),
        "TRAPPIST-1": catalogue.trappist_1(),
        "planetesimals": catalogue.planetesimals(first),
        "training, one of 50": catalogue.three_body(second, 1)[0],
        "compact pair": catalogue.compact_pairs(third, 1)[0],
    }
