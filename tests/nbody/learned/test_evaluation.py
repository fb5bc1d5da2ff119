"""The comparison of a learned potential with the exact one, on short runs."""

import numpy as np
import pytest

from restudy.nbody.learned.evaluation import (
    compact_pairs,
    compare,
    planetesimals,
    sun_jupiter_saturn,
    trappist_1,
    unseen_three_bodies,
)
from restudy.nbody.learned.weights import shipped_potential


def test_the_wide_potential_follows_the_paper_s_system() -> None:
    found = compare(sun_jupiter_saturn(20_000), shipped_potential("pair-wide"))
    assert found.learned.energy < 1.2 * found.exact.energy
    assert found.learned.angular_momentum < 1e-12
    assert max(found.phase) < 1e-3
    assert max(found.phase_uncoupled) > 0.01
    assert found.eccentricity < 0.01
    assert found.eccentricity_uncoupled > 0.1
    assert found.inside


def test_the_narrow_potential_conserves_and_is_wrong() -> None:
    case = trappist_1(20_000)
    wide, narrow = (compare(case, shipped_potential(f"pair-{x}")) for x in ("wide", "narrow"))
    assert narrow.learned.angular_momentum < 1e-12
    assert abs(narrow.learned.drift) < 1e-6
    assert max(narrow.phase) > 100 * max(wide.phase)
    assert wide.inside
    assert not narrow.inside


def test_cases_are_what_they_are_called() -> None:
    rng = np.random.default_rng(0)
    assert [x.system.bodies for x in compact_pairs(2, 100, rng=rng)] == [3, 3]
    assert planetesimals(100, 7, rng=rng).system.bodies == 8
    cases = unseen_three_bodies(3, 5000, rng=rng)
    assert len(cases) == 3
    for case in cases:
        assert case.step == pytest.approx(case.system.periods().min() / 60)
        assert case.steps % case.sample_every == 0
        assert case.sample_every == 5
