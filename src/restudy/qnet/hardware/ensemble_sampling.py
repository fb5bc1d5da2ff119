"""Attempts of an ensemble repeater drawn one by one, as in the paper."""

from dataclasses import dataclass

import numpy as np

from restudy.qnet.arguments import whole
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.ensemble_keys import Performance, key_rate_error, performance
from restudy.qnet.hardware.ensemble_repeater import (
    X_FLIPS,
    Z_FLIPS,
    EnsembleRepeater,
    attempt,
    link,
    wrong,
)

_ROUNDS = 1 << 14


@dataclass(frozen=True)
class Sample:
    """Successes in both bases, and the attempts they took.

    Attributes
    ----------
    counts_x, counts_z : numpy.ndarray of int64, shape (2, 2, 2, 2, 2)
        Successes by the heralds of both links, the repeater's Bell measurement, and both bits.
    attempts : int
        All attempts, in both bases.
    """

    counts_x: np.ndarray
    counts_z: np.ndarray
    attempts: int

    @property
    def successes(self) -> int:
        """Successes in both bases."""
        return int(self.counts_x.sum() + self.counts_z.sum())

    def performance(self) -> Performance:
        """Give attempts, error rates and key rate."""
        return performance(
            attempts=self.attempts / self.successes,
            qber_x=wrong(X_FLIPS, self.counts_x),
            qber_z=wrong(Z_FLIPS, self.counts_z),
        )

    def errors(self) -> Performance:
        """Give the standard error of each of them."""
        found = self.performance()
        x, z = self.counts_x.sum(), self.counts_z.sum()
        # Attempts until a success have a geometric distribution.
        attempts = found.attempts * np.sqrt((1 - 1 / found.attempts) / self.successes)
        qber_x = np.sqrt(found.qber_x * (1 - found.qber_x) / x)
        qber_z = np.sqrt(found.qber_z * (1 - found.qber_z) / z)
        key_rate = key_rate_error(found, attempts=attempts, qber_x=qber_x, qber_z=qber_z)
        return Performance(key_rate, float(qber_x), float(qber_z), float(attempts))


def sample(
    repeater: EnsembleRepeater,
    successes: int,
    *,
    rng: np.random.Generator,
    most_attempts: int = 1_000_000_000,
) -> Sample:
    """Draw attempts until there are so many successes in each basis.

    In each attempt both links count the modes that herald; with one in each, the outcomes of the
    measurements are drawn.

    Parameters
    ----------
    repeater : EnsembleRepeater
        Its length, memory, sources and detectors.
    successes : int
        In each of the two bases.
    rng : numpy.random.Generator
        Source of chance.
    most_attempts : int
        When to give up.

    Returns
    -------
    Sample
        Stopped at the last success that was asked for.

    Raises
    ------
    QnetError
        If the successes are no positive number, or do not come within `most_attempts`.

    Notes
    -----
    The paper's 10,000 successes take a tenth of a second over 50 km; 100 km with EIT memories
    takes some seconds.
    """
    whole("successes", successes, least=1)
    single = float(link(repeater).probabilities.sum())
    exact = attempt(repeater)
    counts, attempts = [], 0
    for outcomes in (exact.outcomes_x, exact.outcomes_z):
        steps = np.cumsum(outcomes.ravel())
        found = np.zeros(outcomes.size + 1, dtype="int64")  # the last one: failed
        missing = successes
        while missing:
            if attempts >= most_attempts:
                raise QnetError(
                    f"{attempts} attempts over {repeater.length_km} km with "
                    f"{repeater.memory.name} gave {successes - missing} of {successes} successes; "
                    "take a shorter fibre or fewer successes, or raise most_attempts."
                )
            modes = rng.binomial(repeater.memory.modes, single, size=(_ROUNDS, 2))
            heralded = np.flatnonzero((modes > 0).all(axis=1))
            drawn = np.searchsorted(steps, rng.random(len(heralded)), side="right")
            good = np.flatnonzero(drawn < outcomes.size)[:missing]
            found += np.bincount(drawn[good], minlength=len(found))
            missing -= len(good)
            attempts += _ROUNDS if missing else int(heralded[good[-1]]) + 1
        counts.append(found[:-1].reshape(outcomes.shape))
    return Sample(counts[0], counts[1], attempts)
