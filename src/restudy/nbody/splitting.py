"""How the Hamiltonian is split: which mass each planet is said to orbit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class Split(Protocol):
    """A choice of the masses that the Kepler orbits of Jacobi coordinates are about.

    ``H_Kep = sum_i p'_i^2 / 2 m'_i - m'_i mu_i / |q'_i|``, and all else is ``H_int``. The innermost
    orbit has to be ``mu_1 = G (m_0 + m_1)``, so that two bodies are exact.
    """

    def mu(self, masses: torch.Tensor, gravity: float) -> torch.Tensor:
        """Return ``mu_i`` for the bodies 1 to N - 1, shape (..., N - 1), from (..., N) masses."""
        ...


@dataclass(frozen=True)
class WisdomHolman91Split:
    """``mu_i = G m_0 eta_i / eta_{i-1}``, the split of the paper, with ``eta_i = sum_{j<=i} m_j``.

    The central term of ``H_int`` is ``G m_0 m_i (1 / |q'_i| - 1 / |r_i - r_0|)``.

    References
    ----------
    J. Wisdom & M. Holman (1991), doi:10.1086/115978, equation 16.
    """

    def mu(self, masses: torch.Tensor, gravity: float) -> torch.Tensor:
        """Return ``G m_0 eta_i / eta_{i-1}``, shape (..., N - 1)."""
        eta = masses.cumsum(-1)
        return gravity * masses[..., :1] * eta[..., 1:] / eta[..., :-1]


@dataclass(frozen=True)
class ReboundSplit:
    """``mu_i = G eta_i``, the split of rebound's WHFast, with ``eta_i = sum_{j<=i} m_j``.

    Each planet orbits all that is inside it.

    References
    ----------
    H. Rein & D. Tamayo (2015), doi:10.1093/mnras/stv1257, equation 10.
    """

    def mu(self, masses: torch.Tensor, gravity: float) -> torch.Tensor:
        """Return ``G eta_i``, shape (..., N - 1)."""
        return gravity * masses.cumsum(-1)[..., 1:]


WISDOM_HOLMAN_91 = WisdomHolman91Split()
REBOUND = ReboundSplit()
