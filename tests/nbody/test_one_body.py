"""What one planet's own state tells of its kick."""

import numpy as np
import pytest

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.one_body import explained_by_rows, one_body_ceiling


def test_explained_share_of_sums(rng: np.random.Generator) -> None:
    """Of a part with variance 2 by the row, and one with 6 by the column."""
    own, other = rng.normal(0, 2**0.5, (400, 1, 3)), rng.normal(0, 6**0.5, (1, 400, 3))
    assert explained_by_rows(own + other) == pytest.approx(0.25, abs=0.03)


def test_no_bias_with_few_columns(rng: np.random.Generator) -> None:
    """Noise is not explained, though the mean of four columns varies by a quarter of it."""
    found = [explained_by_rows(rng.normal(size=(50, 4, 3))) for _ in range(300)]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / 300**0.5)
    rows = np.broadcast_to(rng.normal(size=(5, 1, 3)), (5, 4, 3))
    assert explained_by_rows(rows) == pytest.approx(1, rel=1e-12)


def test_what_jupiter_and_saturn_know_of_their_kicks(rng: np.random.Generator) -> None:
    """Next to nothing inside, where the pull of a ring vanishes in the middle; more outside.

    Seen from outside, Jupiter smeared over its orbit is a heavier Sun, which Saturn's own state
    tells all about; the rest points to where Jupiter is.
    """
    found = one_body_ceiling(100, rng=rng)
    assert 0 < found.inner < 0.15
    assert 0.4 < found.outer < 0.75


def test_one_state_of_the_other() -> None:
    with pytest.raises(NBodyError, match="1 states of the other planet; expected at least 2"):
        explained_by_rows(np.zeros((3, 1, 3)))
