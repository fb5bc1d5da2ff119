"""What the tests of the N-body integrators share."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """Return random numbers, the same for every test."""
    return np.random.default_rng(20260101)
