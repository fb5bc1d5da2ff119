"""Counters: integrals of rates that are constant between the starts and ends of jobs.

The value at a time is the floor of the exact integral since the node's last start, plus a jitter
that is smaller than what the counter grows between two samples at least. So it never falls, and
any stretch of it can be made without the stretch before.
"""

from collections.abc import Collection

import numpy as np

from restudy.telemetry.generator import faults
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.generator.sensors import Block
from restudy.telemetry.generator.timeline import (
    BUSY,
    CPU_POWER,
    JOBS,
    READ,
    RECEIVED,
    SENT,
    WRITTEN,
    Timeline,
)

UPTIME_S = 30 * 86_400  # of every node at the first sample
# Growth per second of an idle node, and per unit of a row of the timeline's use.
RATES: dict[str, tuple[float, tuple[tuple[int, float], ...]]] = {
    "node_context_switches_total": (500.0, ((BUSY, 8.0), (SENT, 1e-3))),
    "node_intr_total": (800.0, ((BUSY, 2.5), (RECEIVED, 1e-3))),
    "node_forks_total": (2.0, ((JOBS, 0.2),)),
    "node_netstat_Tcp_OutSegs": (3.0, ((SENT, 7e-4),)),
    "node_netstat_Tcp_InSegs": (3.0, ((RECEIVED, 7e-4),)),
    "node_netstat_Tcp_RetransSegs": (0.1, ((SENT, 1e-7),)),
    "node_netstat_Udp_InDatagrams": (0.5, ()),
    "node_netstat_Udp_OutDatagrams": (0.5, ()),
    "node_netstat_Icmp_InMsgs": (0.1, ()),
    "node_netstat_Icmp_OutMsgs": (0.1, ()),
    "node_network_transmit_bytes_total_sum": (2000.0, ((SENT, 1.0),)),
    "node_network_transmit_packets_total_sum": (4.0, ((SENT, 1e-3),)),
    "node_network_receive_bytes_total_sum": (2000.0, ((RECEIVED, 1.0),)),
    "node_network_receive_packets_total_sum": (4.0, ((RECEIVED, 1e-3),)),
    "node_network_receive_multicast_total_sum": (0.2, ()),
    "node_disk_written_bytes_total_sum": (4096.0, ((WRITTEN, 1.0),)),
    "node_disk_read_bytes_total_sum": (500.0, ((READ, 1.0),)),
    "node_disk_writes_completed_total_sum": (1.0, ((WRITTEN, 1e-5),)),
    "node_rapl_package_joules_total_sum": (0.0, ((CPU_POWER, 0.1),)),
}
_RAPL, _RAPL_POWER = "node_rapl_package_joules_total_sum", "node_rapl_package_power_sum"
_RAPL_JITTER_W = 0.5
# What follows from a counter.
_DERIVED: dict[str, tuple[str, ...]] = {
    name: (f"{name}_delta",) for name in RATES if name.endswith("_total_sum")
}
_DERIVED[_RAPL] += (_RAPL_POWER,)
# All metrics that `counters` makes.
COUNTED: frozenset[str] = frozenset(
    [*RATES, *(name for names in _DERIVED.values() for name in names), "node_boot_time_seconds"]
)


def counters(block: Block, names: Collection[str] = COUNTED) -> dict[str, np.ndarray]:
    """Make counters, their differences, the power of the processors and the time of boot.

    Parameters
    ----------
    block : Block
        The samples.
    names : collection of str
        Metrics that are wanted, by default all.

    Returns
    -------
    dict of str to numpy.ndarray, shape (nodes, samples)
        The metrics of `COUNTED` that are wanted, or follow from the same counters.
    """
    step, first = block.recipe.interval_s, block.warm - 1
    time = block.time[first:]
    wanted = {name for name in RATES if not {name, *_DERIVED.get(name, ())}.isdisjoint(names)}
    made = {name: np.empty((len(block.nodes), len(time))) for name in RATES if name in wanted}
    booted = np.empty((len(block.nodes), len(time)))
    for i, (node, line) in enumerate(zip(block.nodes, block.lines, strict=True)):
        boot = boots(block.recipe, node, time)
        booted[i] = boot
        jitter = _jitter(block.recipe, node, time)
        worked = np.maximum(boot, line.at[0])  # no job before
        now, then = (line.integral(at, line.pieces(at)) for at in (time, worked))
        grown = now - then
        for name, values in made.items():
            idle, terms = RATES[name]
            total = idle * (time - boot)
            for row, factor in terms:
                total = total + factor * grown[:, row]
            fine = 10.0 if name == _RAPL else 1.0
            room = _RAPL_JITTER_W if name == _RAPL else 0.5 * idle
            values[i] = np.floor(fine * (total + room * step * jitter)) / fine
    result = {name: values[:, 1:] for name, values in made.items()}
    for name in [name for name in made if name in _DERIVED]:
        result[f"{name}_delta"] = np.diff(made[name])
    if _RAPL in made:
        result[_RAPL_POWER] = np.maximum(result[f"{_RAPL}_delta"], 0) / step
    result["node_boot_time_seconds"] = booted[:, 1:]
    return result


def boots(recipe: Recipe, node: Node, time: np.ndarray) -> np.ndarray:
    """Give the time of the node's last start before each time, s since 1970."""
    starts = np.array([recipe.first - UPTIME_S, *faults.resets(recipe, node)], "int64")
    return np.asarray(starts[np.searchsorted(starts[1:], time, side="right")])


def exact(line: Timeline, name: str, begin: int, end: int) -> float:
    """Growth of a counter from one time to another, without jitter."""
    idle, terms = RATES[name]
    time = np.array([begin, end])
    grown = np.diff(line.integral(time, line.pieces(time)), axis=0)[0]
    return float(idle * (end - begin) + sum(factor * grown[row] for row, factor in terms))


def _jitter(recipe: Recipe, node: Node, time: np.ndarray) -> np.ndarray:
    """Uniform numbers that depend on seed, node and time only (splitmix64)."""
    key = recipe.seed * 1_000_003 + node.rack * 10_007 + node.number
    mixed = time.astype("uint64") + np.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53)
