"""The questions of the chapter in small, and that each claim is answered by exactly one of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from restudy import claims
from restudy.qnet import (
    experiments,
    experiments_chain,
    experiments_ensembles,
    experiments_hardware,
    experiments_nv,
    experiments_nv_findings,
    experiments_speed,
    experiments_states,
    experiments_switch,
)
from restudy.qnet.analytic.noise import idle_probabilities
from restudy.qnet.optimise import Search
from restudy.qnet.protocols.chain import ChainParameters, chain_fidelity
from restudy.qnet.states.state import Formalism

PAPER = claims.read_paper(Path(__file__).parents[2] / "book" / "claims" / "2010.12535.toml")
SMALL = experiments.Setup(
    nodes=60,
    sampled_nodes=4,
    sampled_runs=40,
    waits=5000,
    search=Search(generations=2, members=6),
    search_runs=50,
    switch=experiments_switch.Setup(20_000, 2, (1, 5)),
    nv=dataclasses.replace(
        experiments_nv.Setup.quick(),
        distances_km=(100.0, 700.0, 750.0, 1000.0),
        improvements=(1.0, 12.0, 30.0),
        distance_runs=20,
        improvement_runs=20,
        sensitivity_runs=20,
    ),
    ensembles=experiments_ensembles.Setup((0, 50, 75), {"EIT": 20, "AFC": 20}),
)


def section(*names: str) -> set[str]:
    return {one.id for one in PAPER.claims if one.section in names}


def held(found: dict[str, float], *names: str) -> None:
    for name in names:
        assert PAPER.claim(name).holds(found[name]), (name, found[name])


def test_states_and_distillation() -> None:
    found = experiments_states.findings(rng=np.random.default_rng(1))
    assert found.keys() == section("states", "distillation") - {"formalisms-agree"}
    held(found, *(found.keys() - {"stabilizer-bits"}))
    assert found["stabilizer-bits"] == pytest.approx(2 * 2_001_000, rel=0.05)  # destabilizers


def test_idle_dephasing_is_the_closed_form() -> None:
    found = experiments_states.idle_dephasing(rng=np.random.default_rng(1))
    assert found == pytest.approx(idle_probabilities(0.1, 3600.0, 1.46)[1], rel=1e-12)


def test_hardware() -> None:
    found = experiments_nv_findings.hardware_findings(rng=np.random.default_rng(1))
    assert found.keys() == section("nv-hardware")
    held(found, *(found.keys() - {"dark-counts-3x-printed", "detection-3x"}))
    table = experiments_hardware.hardware()
    off = {"p_double_excitation", "p_dark"}  # half of it is printed; a misprint
    off |= {"p_detection", "phase_sigma_rad"}  # cut, not rounded
    off |= {"electron_t1 [h]", "carbon_t1 [h]"}
    close = np.isclose(table["3x"], table["3x, printed"], rtol=0.006)
    assert set(table.index[~close]) == off


def test_chains() -> None:
    rng = np.random.default_rng(1)
    chain = experiments_chain.formalisms(
        SMALL.nodes, SMALL.sampled_nodes, SMALL.sampled_runs, seed=1
    )
    exact = chain[chain["runs"] == 1]
    assert exact["fidelity"].to_numpy() == pytest.approx(
        chain_fidelity(ChainParameters(SMALL.nodes)), abs=1e-12
    )
    drawn = chain[chain["runs"] > 1]
    assert len(drawn) == 3
    assert (abs(drawn["fidelity"] - drawn["closed form"]) < 0.2).all()
    waits = experiments_chain.waiting(SMALL.waits, rng=rng)
    off = (waits["simulated"] - waits["exact"]).abs() / waits["error"]
    assert (off < 4).all()
    found = experiments_chain.findings(chain, waits, experiments_chain.spread((1, 3), 200, seed=1))
    assert found.keys() == section("waiting-times", "parallel") | {"formalisms-agree"}
    held(found, "formalisms-agree", "waiting-three-levels", "waiting-werner", "same-bits")


def test_callbacks_a_node_tend_to_one_number() -> None:
    table = experiments_chain.callbacks([50, 500])
    assert table.sum(axis="columns").to_numpy() == pytest.approx([5, 5], rel=0.1)
    assert table.to_numpy()[1] == pytest.approx([1, 2, 1, 1], abs=0.01)


def test_executors_replay_each_other() -> None:
    table = experiments_chain.replayed(6, 20, rng=np.random.default_rng(1))
    assert table["largest difference of a duration [ns]"].max() == 0
    assert table["largest difference of a fidelity"].max() < 1e-13
    assert table["mean fidelity"].between(0.5, 0.99).all()


def test_figures_of_the_paper_answer_its_claims() -> None:
    figure = experiments_switch.figure4(SMALL.switch, seed=1)
    known = experiments_switch.study(experiments_switch.CLOSED_FORMS, SMALL.switch, seed=1)
    assert experiments_switch.findings(figure, known, 0.0).keys() == section("switch")
    improvement = experiments_nv_findings.improvement_findings(
        experiments_nv.figure5bc(SMALL.nv, seed=1)
    )
    distance = experiments_nv_findings.distance_findings(experiments_nv.figure5a(SMALL.nv, seed=1))
    assert not improvement.keys() & distance.keys()
    assert improvement.keys() | distance.keys() == section("improvement", "distance")
    six = experiments_nv_findings.sensitivity_findings(experiments_nv.figure6(SMALL.nv, seed=1))
    assert six.keys() == section("sensitivity")
    exact = experiments_ensembles.exact(SMALL.ensembles)
    drawn = experiments_ensembles.sampled(SMALL.ensembles, seed=1)
    assert experiments_ensembles.findings(exact, drawn).keys() == section("memories")


def test_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments_speed, "_SPENT_S", 0.002)  # what is timed, not how well
    monkeypatch.setattr(experiments_speed, "_TURN_S", 0.001)
    chain = experiments_speed.chains((3, 5), (3, 5))
    assert (chain["cpu_s"] > 0).all()
    assert len(chain) == 2 * 4 + 2 * 3
    with_20_qubits = chain.assign(nodes=chain["nodes"].replace(5, 11))
    found = experiments_speed.findings(with_20_qubits)
    found |= experiments_speed.memory_mb(
        {"questions": {"chain": {"sizes": {"1000": {"restudy, density": {"peak_bytes": 5e6}}}}}}
    )
    assert found.keys() == section("speed") - {"memoization"}
    assert found["largest-state"] == 4
    assert found["chain-memory"] == 5.0
    assert found["ghz-ket-exponential"] > 1.2


@pytest.mark.parametrize("formalism", experiments_speed.FOUR)
def test_chain_of_states_is_a_swapped_pair(formalism: Formalism) -> None:
    rng = np.random.default_rng(1)
    assert experiments_speed.split_chain(5, formalism, rng=rng) == 4
    assert experiments_speed.in_place_chain(4, formalism, rng=rng) == 6


def test_costs() -> None:
    watch = experiments.Stopwatch(threads=2)
    for name in experiments.PUBLISHED_HOURS:
        assert watch.time(name, lambda: 42) == 42
    assert watch.findings(experiments.Setup.quick()).keys() == section("cost")
    other = watch.findings(experiments.Setup.full())  # not at a thousand runs
    assert other.keys() == section("cost") - {"sensitivity-cost"}
    assert (watch.table()["here [core s]"] >= 0).all()
    assert watch.table()["published [core h]"].tolist() == [10.0, 1.5, 260.0, 0.5, 625.0]


def test_cheapest_hardware_is_good_enough_and_within_its_bounds() -> None:
    found = experiments.cheapest(dataclasses.replace(SMALL, search_runs=100), seed=3)
    assert found.measured["fidelity"].mean >= 0.5
    assert found.cost == pytest.approx(sum(found.parameters.values()))
    assert all(1 <= factor <= 50 for factor in found.parameters.values())
    assert set(found.parameters) == set(experiments_nv.PARAMETERS.values())
    assert found.cost == found.candidates.loc[found.candidates["excess"] == 0, "cost"].min()


def test_presets_differ_in_numbers_only() -> None:
    quick, full, paper = (getattr(experiments.Setup, name)() for name in claims.PRESETS)
    assert quick.nv.sensitivity_runs == paper.nv.sensitivity_runs == 1000
    assert full.nv.distance_runs >= paper.nv.distance_runs == 200
    assert full.nv.improvement_runs >= paper.nv.improvement_runs == 100
