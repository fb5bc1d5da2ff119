import pandas as pd
import pytest

from restudy.traces import hardware
from restudy.traces.jobs import PAPER_GPU_NODES, TraceError


@pytest.fixture
def nodes() -> pd.DataFrame:
    return hardware.inventory()


def test_inventory_has_the_published_shape(nodes: pd.DataFrame) -> None:
    assert nodes.shape == (343, 19)
    assert list(nodes.columns) == list(hardware.COLUMNS)
    assert nodes["node"].is_unique
    assert (hardware.is_gpu_node(nodes) == (nodes["gpu_count"] > 0)).all()
    assert PAPER_GPU_NODES - set(nodes["node"]) == {"r33n5", "r38n5"}


def test_totals_of_a_node_follow_from_its_parts(nodes: pd.DataFrame) -> None:
    for total, part, count in [
        ("cpu_core_count_total", "cpu_core_count_per_socket", "cpu_count"),
        ("cpu_tdp_total", "cpu_tdp_per_socket", "cpu_count"),
        ("gpu_tdp_total", "gpu_tdp_per_card", "gpu_count"),
        ("gpu_memory_bytes_total", "gpu_memory_bytes_per_card", "gpu_count"),
    ]:
        assert (nodes[total] == nodes[part] * nodes[count]).all()


def test_node_table_has_the_published_modes(nodes: pd.DataFrame) -> None:
    table = hardware.node_table(nodes)
    cpu = table["CPU node"]
    assert cpu["CPU model"] == "gold_6130"
    assert cpu["GPU model"] == "n/a"
    assert [cpu["CPUs"], cpu["cores"], cpu["CPU TDP [W]"], cpu["memory [GiB]"]] == [1, 16, 125, 96]
    assert cpu["storage [TiB]"] == pytest.approx(1.739258, abs=1e-6)
    gpu = table["GPU node"]
    assert gpu["CPU model"] == "gold_5118"
    assert gpu["GPU model"] == "NVIDIA_TITAN_RTX"
    assert [gpu["CPUs"], gpu["cores"], gpu["CPU TDP [W]"], gpu["memory [GiB]"]] == [2, 24, 210, 192]
    assert [gpu["GPUs"], gpu["GPU TDP [W]"], gpu["GPU memory [GiB]"]] == [4, 1120, 96]


def test_five_nodes_without_telemetry_explain_the_published_totals(nodes: pd.DataFrame) -> None:
    # The paper's totals leave out five nodes: one of Titan RTX, two of GTX 1080 Ti, two gold_6130.
    left_out = pd.concat(
        [
            nodes[(nodes["gpu_model"] == "NVIDIA_TITAN_RTX") & (nodes["cpu_count"] == 2)].head(1),
            nodes[nodes["gpu_model"] == "NVIDIA_GeForce_GTX_1080_Ti"].head(2),
            nodes[nodes["cpu_model"] == "gold_6130"].head(2),
        ]
    )
    total = hardware.node_table(nodes.drop(left_out.index))["total"]
    published = {
        "nodes": 338,
        "CPUs": 489,
        "cores": 5872,
        "CPU TDP [W]": 51_425,
        "memory [GiB]": 46_336,
        "GPUs": 198,
        "GPU TDP [W]": 53_040,
        "GPU memory [GiB]": 3_712,
    }
    assert {name: total[name] for name in published} == published
    # File systems differ a little from node to node: which five is not printed.
    assert total["storage [TiB]"] == pytest.approx(644.09082, rel=1e-3)


def test_rack_table_has_the_published_modes(nodes: pd.DataFrame) -> None:
    table = hardware.rack_table(nodes)
    cpu, gpu = table["CPU rack"], table["GPU rack"]
    assert [cpu["racks"], cpu["nodes"], cpu["cores"], cpu["CPU TDP [W]"]] == [11, 32, 512, 4000]
    assert cpu["storage [TiB]"] == pytest.approx(55.65332, abs=1e-5)
    assert [gpu["racks"], gpu["nodes"], gpu["CPUs"], gpu["cores"]] == [10, 5, 10, 120]
    assert [gpu["GPUs"], gpu["GPU TDP [W]"], gpu["GPU memory [GiB]"]] == [20, 5600, 480]
    assert gpu["storage [TiB]"] == pytest.approx(11.833008, abs=1e-6)


def test_order_of_nodes_does_not_matter(nodes: pd.DataFrame) -> None:
    shuffled = nodes.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(hardware.node_table(shuffled), hardware.node_table(nodes))
    pd.testing.assert_frame_equal(hardware.rack_table(shuffled), hardware.rack_table(nodes))


def test_a_cluster_without_gpus_has_empty_modes(nodes: pd.DataFrame) -> None:
    table = hardware.node_table(nodes[~hardware.is_gpu_node(nodes)])
    assert table.loc["nodes", "GPU node"] == 0
    assert table.loc["cores", "GPU node"] == ""


def test_missing_and_mistyped_columns_are_named(nodes: pd.DataFrame) -> None:
    with pytest.raises(TraceError, match=r"lacks the columns gpu_count; it has node, .*"):
        hardware.node_table(nodes.drop(columns="gpu_count"))
    with pytest.raises(TraceError, match=r"should be numbers: gpu_count is (object|str)"):
        hardware.rack_table(nodes.assign(gpu_count="four"))
    with pytest.raises(TraceError, match="no rows"):
        hardware.node_table(nodes.head(0))
