"""Claims on Lisa's hardware: Tables 1 and 2."""

from collections.abc import Collection

import pandas as pd

from restudy.traces import hardware
from restudy.traces.jobs import TraceError
from restudy.traces.measures import printed

# Claim id -> (row, column) of Table 1.
_NODES = {
    "cpu-node-cores": ("cores", "CPU node"),
    "cpu-node-memory": ("memory [GiB]", "CPU node"),
    "cpu-node-tdp": ("CPU TDP [W]", "CPU node"),
    "cpu-node-storage": ("storage [TiB]", "CPU node"),
    "gpu-node-cores": ("cores", "GPU node"),
    "gpu-node-memory": ("memory [GiB]", "GPU node"),
    "gpu-node-gpus": ("GPUs", "GPU node"),
    "gpu-node-cpu-tdp": ("CPU TDP [W]", "GPU node"),
    "gpu-node-gpu-tdp": ("GPU TDP [W]", "GPU node"),
    "gpu-node-gpu-memory": ("GPU memory [GiB]", "GPU node"),
}
# Claim id -> (row, column) of Table 2.
_RACKS = {
    "cpu-rack-nodes": ("nodes", "CPU rack"),
    "cpu-rack-cores": ("cores", "CPU rack"),
    "cpu-rack-tdp": ("CPU TDP [W]", "CPU rack"),
    "gpu-rack-nodes": ("nodes", "GPU rack"),
    "gpu-rack-gpus": ("GPUs", "GPU rack"),
    "gpu-rack-gpu-tdp": ("GPU TDP [W]", "GPU rack"),
}
# Claim id -> (row of Table 1, factor to the claim's unit).
_TOTALS = {
    "total-cores": ("cores", 1.0),
    "total-cpus": ("CPUs", 1.0),
    "total-memory": ("memory [GiB]", 1.0),
    "total-gpus": ("GPUs", 1.0),
    "total-gpu-memory": ("GPU memory [GiB]", 1.0),
    "total-cpu-tdp": ("CPU TDP [W]", 1e-3),
    "total-gpu-tdp": ("GPU TDP [W]", 1e-3),
}


def tables(nodes: pd.DataFrame) -> dict[str, float]:
    """Measure what the hardware listing of all nodes says; it needs no data.

    Parameters
    ----------
    nodes : pandas.DataFrame
        Columns of `hardware.COLUMNS`, as given by `hardware.inventory`.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.
    """
    of_nodes, of_racks = hardware.node_table(nodes), hardware.rack_table(nodes)
    values = {claim: _cell(of_nodes, *at) for claim, at in _NODES.items()}
    values |= {claim: _cell(of_racks, *at) for claim, at in _RACKS.items()}
    values["listed-nodes"] = float(len(nodes))
    totals = hardware.node_table(_with_telemetry(nodes))
    values["totals-without-five"] = 100 * max(
        abs(_cell(totals, row, "total") / value - 1)
        for row, value in printed.HARDWARE_TOTALS.items()
    )
    return values


def node_hardware(nodes: pd.DataFrame, telemetry: Collection[str]) -> dict[str, float]:
    """Measure the totals of Table 1; they need the published hardware and node tables.

    Parameters
    ----------
    nodes : pandas.DataFrame
        Columns of `hardware.COLUMNS`, one row a node.
    telemetry : collection of str
        Names of the nodes that occur in the node table; the paper sums over these only.

    Returns
    -------
    dict of str to float
        Claim id to value in the claim's unit.

    Raises
    ------
    TraceError
        If no node of `nodes` has telemetry.
    """
    here = nodes["node"].isin(set(telemetry))
    if not here.any():
        raise TraceError(
            f"none of the {len(nodes)} nodes of the hardware table is among the {len(telemetry)} "
            "nodes with telemetry; give both tables of one cluster."
        )
    totals = hardware.node_table(nodes[here])
    return {claim: _cell(totals, row, "total") * k for claim, (row, k) in _TOTALS.items()}


def _with_telemetry(nodes: pd.DataFrame) -> pd.DataFrame:
    """Leave out nodes of the five kinds; nodes of a kind are as good as equal."""
    for column, model, count in printed.WITHOUT_TELEMETRY:
        nodes = nodes.drop(nodes.index[nodes[column] == model][:count])
    return nodes


def _cell(table: pd.DataFrame, row: str, column: str) -> float:
    return float(table[column][row])
