"""Figures and tables of what the benchmark measured."""

import pytest
from matplotlib import pyplot as plt

from restudy.qnet.figures_speed import PAPER_CHAIN, race, race_table, races, rates


def row(seconds: float) -> dict:
    return {
        "median_s": 2 * seconds,
        "cpu_s": seconds,
        "setup_cpu_s": 0.0015,
        "peak_bytes": 3 * 2**20,
        "time_over_restudy": [1.0, 2.0, 3.0],
        "bare_per_s": 6e6,
    }


@pytest.fixture
def results():
    loop = {"size": "processes", "unit": "callback"}
    two = {"1": {"restudy": row(5e-7), "heapq": row(2e-7)}, "1000": {"restudy": row(1e-6)}}
    chain = {
        "3": {"restudy, density": row(2e-4), "SimQN": row(3e-4), "unmarked": row(1.0)},
        "10": {"restudy, density": row(6e-4), "SimQN": {"failed": "more than 600 s"}},
    }
    questions = {name: loop | {"sizes": two} for name in ("callbacks", "waits", "waits for two")}
    questions["chain"] = {"size": "nodes", "unit": "run", "sizes": chain}
    return {"questions": questions}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_lines_are_the_cpu_seconds_and_leave_out_what_failed(results):
    ours, simqn, paper = race(results, "chain").lines
    assert list(zip(*ours.get_data(), strict=True)) == [(3, 2e-4), (10, 6e-4)]
    assert list(zip(*simqn.get_data(), strict=True)) == [(3, 3e-4)]
    assert tuple(float(part[0]) for part in paper.get_data()) == PAPER_CHAIN


def test_rates_are_a_million_over_the_time(results):
    ours, bare = rates(results).lines
    assert list(ours.get_xdata()) == pytest.approx([2, 1] * 3)
    assert list(ours.get_ydata()) == [0, 1, 2, 3, 4, 5]
    assert list(bare.get_xdata()) == pytest.approx([5] * 3)
    assert list(bare.get_ydata()) == [0, 2, 4]


def test_one_panel_a_question(results):
    assert [ax.get_xlabel() for ax in races(results, ["chain", "waits"])] == ["nodes", "processes"]


def test_table_gives_units_and_reasons(results):
    table = race_table(results, ["chain"])
    first = table.loc[("chain, time per run", "nodes: 3", "restudy, density")]
    assert first["CPU time"] == "200 µs"
    assert first["wall time"] == "400 µs"
    assert first["set-up"] == "1.5 ms"
    assert first["peak memory [MiB]"] == "3"
    assert first["time over ours (range)"] == "2.00 (1.00 to 3.00)"
    failed = table.loc[("chain, time per run", "nodes: 10", "SimQN")]
    assert failed["CPU time"] == "failed: more than 600 s"
    assert failed["wall time"] == ""
