"""What Lisa is made of: the paper's Tables 1 and 2 from one table of nodes."""

from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from restudy.traces import nodelist
from restudy.traces.jobs import PAPER_GPU_NODES, TraceError

COLUMNS: dict[str, str] = {
    "node": "name; on Lisa r<rack>n<number>",
    "cpu_model": "processor",
    "cpu_core_count_per_socket": "cores of a processor",
    "cpu_threads_per_core": "hardware threads of a core",
    "cpu_tdp_per_socket": "thermal design power of a processor [W]",
    "cpu_t_case_max": "limit of the processor's case [°C]",
    "cpu_per_core_temp_max": "limit of a core [°C]",
    "cpu_count": "processors",
    "cpu_core_count_total": "cores",
    "cpu_memory_bytes_total": "main memory [B]",
    "cpu_tdp_total": "thermal design power of all processors [W]",
    "node_filesystem_size_bytes_total": "file systems [B]",
    "gpu_model": "accelerator, n/a if none",
    "gpu_memory_bytes_per_card": "memory of a GPU [B]",
    "gpu_tdp_per_card": "thermal design power of a GPU [W]",
    "gpu_temp_max": "limit of a GPU [°C]",
    "gpu_count": "GPUs",
    "gpu_memory_bytes_total": "memory of all GPUs [B]",
    "gpu_tdp_total": "thermal design power of all GPUs [W]",
}

# Row of a table: column of the node table, factor from its unit.
_ATTRIBUTES: dict[str, tuple[str, float]] = {
    "CPUs": ("cpu_count", 1.0),
    "cores": ("cpu_core_count_total", 1.0),
    "CPU TDP [W]": ("cpu_tdp_total", 1.0),
    "memory [GiB]": ("cpu_memory_bytes_total", 2.0**-30),
    "storage [TiB]": ("node_filesystem_size_bytes_total", 2.0**-40),
    "GPUs": ("gpu_count", 1.0),
    "GPU TDP [W]": ("gpu_tdp_total", 1.0),
    "GPU memory [GiB]": ("gpu_memory_bytes_total", 2.0**-30),
}


@cache
def _printed() -> pd.DataFrame:
    path = resources.files("restudy.traces") / "tables" / "lisa_nodes.csv"
    with path.open("r", encoding="utf-8") as stream:
        groups = pd.read_csv(stream, comment="#", keep_default_na=False)
    groups["node"] = groups.pop("nodes").map(nodelist.expand)
    nodes = groups.explode("node", ignore_index=True)[list(COLUMNS)]
    order = nodes["node"].str.extract(r"r(?P<rack>\d+)n(?P<number>\d+)").astype(int)
    return nodes.loc[order.sort_values(["rack", "number"]).index].reset_index(drop=True)


def inventory() -> pd.DataFrame:
    """Hardware of Lisa's 343 nodes as printed in the paper's published notebooks.

    Returns
    -------
    pandas.DataFrame
        One row a node, ordered by rack and number, with the 19 columns of `COLUMNS`: those of
        ``node_hardware_info.parquet`` of the Zenodo record.

    Notes
    -----
    The source is the stored output of the authors' notebook (MIT licence). Five of the nodes
    have no telemetry and are left out of the totals that the paper prints; which five is not
    printed.

    Examples
    --------
    >>> nodes = inventory()
    >>> len(nodes), int(is_gpu_node(nodes).sum())
    (343, 54)
    """
    return _printed().copy()


def read_hardware(path: Path) -> pd.DataFrame:
    """Read the hardware of a cluster's nodes from a CSV or Parquet file.

    Parameters
    ----------
    path : pathlib.Path
        One row a node, columns of `COLUMNS`; further ones are kept.

    Returns
    -------
    pandas.DataFrame
        The table.

    Raises
    ------
    TraceError
        If the file cannot be read, or is no such table.
    """
    try:
        read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
        found = read(path)
    except (OSError, ValueError) as error:
        raise TraceError(
            f"hardware={str(path)!r} cannot be read ({str(error).splitlines()[0]}); give a CSV or "
            "Parquet file with one row a node."
        ) from error
    validate(found)
    return found


def validate(hardware: pd.DataFrame) -> None:
    """Refuse a table that is not a node table.

    Raises
    ------
    TraceError
        If columns are missing, quantities are not numbers, or there is no row.
    """
    if missing := [name for name in COLUMNS if name not in hardware.columns]:
        raise TraceError(
            f"the node hardware table lacks the columns {', '.join(missing)}; "
            f"it has {', '.join(map(str, hardware.columns))}."
        )
    text = {"node", "cpu_model", "gpu_model"}
    wrong = [
        f"{name} is {hardware[name].dtype}"
        for name in COLUMNS
        if name not in text and not pd.api.types.is_numeric_dtype(hardware[name])
    ]
    if wrong:
        raise TraceError(
            f"the node hardware table has columns that should be numbers: {'; '.join(wrong)}."
        )
    if hardware.empty:
        raise TraceError("the node hardware table has no rows; one row a node is expected.")


def is_gpu_node(hardware: pd.DataFrame) -> pd.Series:
    """Tell the GPU nodes by the paper's list of names."""
    return hardware["node"].isin(PAPER_GPU_NODES)


def node_table(hardware: pd.DataFrame) -> pd.DataFrame:
    """Table 1: the usual CPU node, the usual GPU node, and the whole cluster.

    Parameters
    ----------
    hardware : pandas.DataFrame
        Columns of `COLUMNS`, one row a node.

    Returns
    -------
    pandas.DataFrame
        Rows: number of nodes, models, and quantities with their unit in the name. Columns:
        ``CPU node`` and ``GPU node`` hold the most frequent value (the smallest of equals),
        ``total`` the sum over all nodes.

    Raises
    ------
    TraceError
        If the table is not a node table.

    Examples
    --------
    >>> table = node_table(inventory())
    >>> table.loc["cores", ["CPU node", "GPU node", "total"]].tolist()
    [16, 24, 5952]
    """
    validate(hardware)
    values = _rounded(_quantities(hardware))
    gpu = is_gpu_node(hardware)
    models = {"CPU model": "cpu_model", "GPU model": "gpu_model"}
    columns: dict[str, list[object]] = {}
    for title, part in {"CPU node": ~gpu, "GPU node": gpu}.items():
        columns[title] = [
            int(part.sum()),
            *(_mode(hardware[name][part]) for name in models.values()),
            *(_mode(values[name][part]) for name in values),
        ]
    columns["total"] = [len(hardware), "", "", *(_whole(values[name].sum()) for name in values)]
    return pd.DataFrame(columns, index=["nodes", *models, *values.columns], dtype=object)


def rack_table(hardware: pd.DataFrame) -> pd.DataFrame:
    """Table 2: the usual rack of CPU nodes and the usual rack of GPU nodes.

    A rack is the part of a node's name before ``n``; it is a GPU rack if at least half of its
    nodes are GPU nodes.

    Parameters
    ----------
    hardware : pandas.DataFrame
        Columns of `COLUMNS`, one row a node.

    Returns
    -------
    pandas.DataFrame
        Rows: number of racks, nodes, and sums over a rack's nodes with their unit in the name.
        Columns: ``CPU rack`` and ``GPU rack`` hold the most frequent sum (the smallest of
        equals), ``total`` the sum over all racks.

    Raises
    ------
    TraceError
        If the table is not a node table.

    Examples
    --------
    >>> rack_table(inventory()).loc["nodes", ["CPU rack", "GPU rack"]].tolist()
    [32, 5]
    """
    validate(hardware)
    rack = hardware["node"].str.extract(r"^(.*?\d+)n\d+$", expand=False).fillna(hardware["node"])
    values = _quantities(hardware)
    values.insert(0, "nodes", 1)
    sums = _rounded(values.groupby(rack).sum())
    gpu = is_gpu_node(hardware).groupby(rack).mean() >= 0.5
    columns: dict[str, list[object]] = {}
    for title, part in {"CPU rack": ~gpu, "GPU rack": gpu}.items():
        columns[title] = [int(part.sum()), *(_mode(sums[name][part]) for name in sums)]
    columns["total"] = [len(sums), *(_whole(sums[name].sum()) for name in sums)]
    return pd.DataFrame(columns, index=["racks", *sums.columns], dtype=object)


def _quantities(hardware: pd.DataFrame) -> pd.DataFrame:
    """Give the quantities of the tables in their units."""
    return pd.DataFrame(
        {
            title: hardware[name].astype("float64") * factor
            for title, (name, factor) in _ATTRIBUTES.items()
        }
    )


def _rounded(values: pd.DataFrame) -> pd.DataFrame:
    """Round memory and storage to a whole GiB as the paper does, so that a mode exists."""
    rounded = values.copy()
    for title in rounded:
        if "[GiB]" in str(title):
            rounded[title] = rounded[title].round()
        elif "[TiB]" in str(title):
            rounded[title] = (rounded[title] * 1024.0).round() / 1024.0
    return rounded


def _mode(values: pd.Series) -> object:
    frequent = values.mode()
    if frequent.empty:
        return ""
    first = frequent.iloc[0]
    return first if isinstance(first, str) else _whole(float(first))


def _whole(value: float) -> float | int:
    """Give a whole number as int, so that a table reads 16 and not 16.0."""
    return int(value) if float(value).is_integer() else float(value)
