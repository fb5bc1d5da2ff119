"""Figures 5 and 6 in small: what they show does not depend on their size or on who computes."""

import concurrent.futures
import dataclasses

import numpy as np
import pandas as pd
import pytest

from restudy.qnet.errors import QnetError
from restudy.qnet.experiments_nv import (
    PARAMETERS,
    SEVEN,
    NVChain,
    Scheme,
    Setup,
    chains,
    figure5a,
    figure5bc,
    figure6,
)
from restudy.qnet.experiments_nv_findings import (
    distance_findings,
    hardware_findings,
    improvement_findings,
    sensitivity_findings,
)
from restudy.qnet.hardware.nv_link import direct_pair
from restudy.qnet.hardware.nv_parameters import NEAR_TERM

SMALL = dataclasses.replace(
    Setup.quick(), improvements=(1.0, 3.0, 7.0, 14.0, 30.0), improvement_runs=20
)


def test_hardware():
    found = hardware_findings(rng=np.random.default_rng(1))
    assert found["detection-product"] == pytest.approx(NEAR_TERM.p_detection, abs=5e-5)
    assert found["dark-counts-3x"] == pytest.approx(8.3e-9, abs=5e-11)
    assert found["single-click-limit"] == pytest.approx(0.9, abs=1e-5)
    assert found["double-click-visibility"] == pytest.approx(0.95, abs=1e-12)
    assert found["swap-outcomes"] < 1e-12
    assert found["insertion-attempts"] < 4


def test_distance():
    table = figure5a(SMALL, seed=1)
    assert len(table) == 4 * len(SMALL.distances_km)
    found = distance_findings(table)
    assert found["near-term-worse"] < -0.3
    assert found["ten-fold-crossing"] == pytest.approx(745, abs=5)
    assert found["ten-fold-fidelity"] > 0.5
    assert found["ten-fold-rate-gain"] > 100
    assert found["ten-fold-far-rate"] > 1
    assert found["ten-fold-far-fidelity"] > 0
    assert found["rate-inversion"] < 1


def test_improvement():
    table = figure5bc(SMALL, seed=1)
    assert len(table) == 2 * len(SEVEN) * len(SMALL.improvements)
    found = improvement_findings(table)
    assert found["improved-500-none"] < 0.05  # 20 runs a point
    assert found["improved-500-rate"] > 1
    assert found["improved-800-fidelity"] > 0
    assert found["nested-best"] > 0
    assert found["asap-first"] > 0


def test_sensitivity():
    table = figure6(SMALL, seed=1)
    assert len(table) == 1 + 3 * (4 + 6)
    found = sensitivity_findings(table)
    assert 0.385 < found["central-fidelity"] < 0.400
    for name in ("detection-over-gate", "detection-over-storage", "gate-over-visibility"):
        assert found[name] > 0
    assert min(found["pair-detection-gate"], found["pair-detection-storage"]) > 0.5
    assert found["no-single-parameter"] < 0.5
    one = table[(table["first"] == "detection") & (table["second"] == "") & (table["factor"] == 50)]
    point = NVChain(Scheme.SWAP_ASAP, 3, 500.0, 3.0, ((PARAMETERS["detection"], 50.0),))
    again = chains([point], 10_000, seed=2)
    error = (one["fidelity_error"] ** 2).item() + (again["fidelity_error"] ** 2).item()
    assert abs(one["fidelity"].item() - again["fidelity"].item()) < 4 * error**0.5


def test_the_same_bits_on_threads():
    points = [
        NVChain(scheme, repeaters, 300.0, 10.0) for scheme, repeaters in SEVEN if repeaters < 7
    ]
    here = chains(points, 600, seed=3)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        there = chains(points, 600, seed=3, executor=executor)
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_no_repeater_is_exact():
    (row,) = chains([NVChain(Scheme.DIRECT, 0, 20.0, 1.0)], 2, seed=0).to_dict("records")
    exact = direct_pair(NEAR_TERM, 20.0)
    assert (row["fidelity"], row["rate_hz"]) == (exact.fidelity, exact.rate_hz)
    assert (row["fidelity_error"], row["runs"]) == (0, 0)


def test_presets_differ_in_numbers_only():
    assert Setup.paper().sensitivity_runs == 1000
    assert Setup.paper().distance_runs == 200
    assert Setup.paper().improvement_runs == 100
    assert Setup.full().improvements == Setup.paper().improvements
    with pytest.raises(QnetError, match="distance_km is 0"):
        NVChain(Scheme.DIRECT, 0, 0.0, 1.0)
    with pytest.raises(QnetError, match="runs is 1"):
        chains([], 1, seed=0)
