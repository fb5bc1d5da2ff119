"""The claims on the energy of jobs, on the real week."""

from pathlib import Path

import numpy as np
import pytest

from restudy import claims
from restudy.telemetry import joined
from restudy.traces import datasets, experiments

CLAIMS = Path(__file__).parents[2] / "book" / "claims" / "2409.08949.toml"


@pytest.mark.data
def test_the_week_is_handed_out_to_the_last_joule() -> None:
    power, load = datasets.lisa_week_power(), datasets.lisa_week_load()
    rng = np.random.default_rng(0)
    fit = experiments.power_model(power, load, experiments.Setup.quick(), rng=rng)
    found = joined.week_energy(power, load, fit)
    ((_, values),) = joined.of_week(found)
    paper = claims.read_paper(CLAIMS)
    assert set(values) == {one.id for one in paper.claims if one.section == "energy-of-jobs"}
    assert values["week-attribution-total"] == pytest.approx(3644, rel=0.005)
    assert values["week-attribution-closes"] < 1e-9
    for one in found.found.values():
        assert np.nanmin(one.energy_j) >= 0
        assert one.jobs_j + one.idle_nodes_j + one.idle_part_j == pytest.approx(
            float(power.power.sum()) * power.seconds, rel=1e-9
        )
