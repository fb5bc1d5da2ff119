"""Every planted fault is counted by its rule, and nothing else is."""

import dataclasses

import pytest

from restudy.telemetry import planted_faults
from restudy.telemetry.generator.recipe import Faults


@pytest.mark.parametrize("seed", [5, 2107])
def test_rules_count_what_was_planted(seed):
    found = planted_faults.against_planted(planted_faults.recipe(seed=seed))
    assert (found["planted"] + found["from clock jumps"] > 0).all()
    expected = found["planted"] + found["from clock jumps"]
    assert found["found"].to_dict() == expected.to_dict()


def test_a_clean_cluster_has_nothing_to_count():
    clean = dataclasses.replace(planted_faults.recipe(seed=5), faults=Faults(), days=2)
    found = planted_faults.against_planted(clean)
    assert not found[["planted", "from clock jumps", "found"]].any(axis=None)
