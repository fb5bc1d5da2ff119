"""A guard: whether a run asked a learned potential for separations it was never trained on.

Conserved quantities cannot tell: a network of pairs conserves energy and angular momentum with any
weights, and so also where its force is wrong.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from restudy.nbody.learned.interaction import PairInteraction
from restudy.nbody.learned.pair_potential import PairPotential, SeparationRange


class ExtrapolationWarning(UserWarning):
    """A learned potential was used at separations outside its training."""


@dataclass(frozen=True)
class Coverage:
    """The separations of a run beside those of a training.

    Attributes
    ----------
    trained : SeparationRange
        What the potential was trained on [au].
    least, most : float
        What the run asked for [au].
    """

    trained: SeparationRange
    least: float
    most: float

    @property
    def inside(self) -> bool:
        """Whether the run stayed where the potential was trained."""
        return self.trained.least <= self.least and self.most <= self.trained.most

    def warn(self) -> None:
        """Warn of a run that did not.

        Warns
        -----
        ExtrapolationWarning
            With the separations found and those expected.
        """
        if not self.inside:
            warnings.warn(
                f"the run has separations of {self.least:.4g} to {self.most:.4g} au; the potential "
                f"was trained on {self.trained.least:.4g} to {self.trained.most:.4g} au: its "
                "orbits are not to be trusted, however well energy is conserved.",
                ExtrapolationWarning,
                stacklevel=2,
            )


class GuardedKick:
    """A kick that notes the separations it was asked for.

    Parameters
    ----------
    interaction : PairInteraction
        With a `PairPotential`.
    """

    def __init__(self, interaction: PairInteraction) -> None:
        if not isinstance(interaction.potential, PairPotential):
            raise TypeError(f"{type(interaction.potential).__name__} has no range of training")
        self.interaction = interaction
        self._trained = interaction.potential.separations
        self._least, self._most = float("inf"), 0.0

    def __call__(self, masses: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the accelerations of the Jacobi coordinates, (..., N, 3) [au / yr^2]."""
        with torch.no_grad():
            least, most = torch.aminmax(self.interaction.separations(masses, positions))
        self._least = min(self._least, float(least))
        self._most = max(self._most, float(most))
        return self.interaction(masses, positions)

    @property
    def coverage(self) -> Coverage:
        """What was asked for so far."""
        return Coverage(self._trained, self._least, self._most)
