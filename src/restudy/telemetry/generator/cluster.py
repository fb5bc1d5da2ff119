"""The nodes of a generated cluster: names, racks, hardware, and offsets planted in them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count

import numpy as np
import pandas as pd

from restudy.telemetry.generator.recipe import LISA_NODES, Recipe
from restudy.traces import hardware

CPU_RACK, GPU_RACK = 32, 5  # nodes
_GPU_SHARE = 51 / 338
# Racks whose nodes 1 to 5 are in the paper's list of GPU nodes come first.
_GPU_RACKS = (28, 29, 30, 31, 32, 34, 35, 36, 38)
_WITHOUT_TELEMETRY = ("r27n30", "r37n6", "r33n6", "r38n4", "r34n7")  # which five is not printed
_TYPICAL_CPU, _TYPICAL_GPU = "r10n16", "r29n1"
# First part of the key of a random stream.
OFFSETS, WORK, RACK_WORK, NOISE, FAULTS = range(5)


@dataclass(frozen=True)
class Node:
    """A node and what its metrics depend on.

    Attributes
    ----------
    name : str
        ``r<rack>n<number>``.
    rack, number : int
        From the name.
    cores, gpus : int
        How many it has.
    cpu_tdp, gpu_tdp : float
        Thermal design power of all processors and of one GPU, W.
    case_limit, core_limit, gpu_limit : float
        Temperature limits, °C.
    memory, gpu_memory : float
        Main memory, and memory of all GPUs, B.
    """

    name: str
    rack: int
    number: int
    cores: int
    gpus: int
    cpu_tdp: float
    gpu_tdp: float
    case_limit: float
    core_limit: float
    gpu_limit: float
    memory: float
    gpu_memory: float

    @property
    def is_gpu(self) -> bool:
        """Whether it has GPUs, and so serves ML jobs."""
        return self.gpus > 0


def rng(recipe: Recipe, *key: int) -> np.random.Generator:
    """Make the random stream of a key: its kind, rack, node, and day."""
    return np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=key))


def hardware_table(recipe: Recipe) -> pd.DataFrame:
    """Hardware of the nodes, with the columns of `restudy.traces.hardware.COLUMNS`.

    Parameters
    ----------
    recipe : Recipe
        Its number of nodes counts.

    Returns
    -------
    pandas.DataFrame
        One row a node, CPU nodes first.

    Examples
    --------
    >>> table = hardware_table(Recipe(nodes=338))
    >>> int((table["gpu_count"] == 0).sum()), int((table["gpu_count"] > 0).sum())
    (287, 51)
    """
    nodes = hardware.inventory()
    if recipe.nodes == LISA_NODES:
        kept = nodes[~nodes["node"].isin(_WITHOUT_TELEMETRY)]
        return kept.sort_values("gpu_count", kind="stable", key=lambda n: n > 0, ignore_index=True)
    gpus = min(round(recipe.nodes * _GPU_SHARE), recipe.nodes - 1)
    gpu_racks = chain(_GPU_RACKS, count(5001))
    cpu_racks = (number for number in count(1) if number < 28 or number > 38)
    names = _names(cpu_racks, CPU_RACK, recipe.nodes - gpus), _names(gpu_racks, GPU_RACK, gpus)
    rows = []
    for typical, chosen in zip((_TYPICAL_CPU, _TYPICAL_GPU), names, strict=True):
        row = nodes[nodes["node"] == typical]
        rows.append(row.loc[row.index.repeat(len(chosen))].assign(node=chosen))
    return pd.concat(rows, ignore_index=True)


def _names(racks: Iterable[int], size: int, total: int) -> list[str]:
    every = (f"r{rack}n{number}" for rack in racks for number in range(1, size + 1))
    return [name for name, _ in zip(every, range(total), strict=False)]


@lru_cache(maxsize=8)
def nodes(recipe: Recipe) -> tuple[Node, ...]:
    """Give the nodes of the cluster in the order of `sorted`."""
    made = []
    for row in hardware_table(recipe).to_dict("records"):
        rack, number = map(int, re.findall(r"\d+", str(row["node"])))
        made.append(
            Node(
                name=str(row["node"]),
                rack=rack,
                number=number,
                cores=int(row["cpu_core_count_total"]),
                gpus=int(row["gpu_count"]),
                cpu_tdp=float(row["cpu_tdp_total"]),
                gpu_tdp=float(row["gpu_tdp_per_card"]),
                case_limit=float(row["cpu_t_case_max"]),
                core_limit=float(row["cpu_per_core_temp_max"]),
                gpu_limit=float(row["gpu_temp_max"]),
                memory=float(row["cpu_memory_bytes_total"]),
                gpu_memory=float(row["gpu_memory_bytes_total"]),
            )
        )
    return tuple(sorted(made, key=lambda node: node.name))


@lru_cache(maxsize=8)
def racks(recipe: Recipe) -> dict[int, tuple[Node, ...]]:
    """Give the nodes of each rack, in the order of `sorted`; GPU nodes and others apart."""
    groups: dict[int, list[Node]] = {}
    for node in nodes(recipe):
        groups.setdefault(node.rack, []).append(node)
    return {rack: tuple(groups[rack]) for rack in sorted(groups)}


@lru_cache(maxsize=1024)
def rack_offset(recipe: Recipe, rack: int) -> float:
    """Planted offset of a rack's ambient temperature from the cluster's, °C."""
    return recipe.rack_spread * float(rng(recipe, OFFSETS, rack, 0).standard_normal())


def node_warmth(recipe: Recipe, node: Node) -> float:
    """Planted offset of a node's GPUs at full power, percent of the way to the limit."""
    return 13.0 * float(rng(recipe, OFFSETS, node.rack, node.number).standard_normal())


def gpu_nodes(recipe: Recipe) -> frozenset[str]:
    """Name the nodes whose jobs are ML jobs."""
    return frozenset(node.name for node in nodes(recipe) if node.is_gpu)
