"""Metrics of a day on a rack's nodes from the jobs that run there.

- load averages: exponential averages of the busy cores over 1, 5 and 15 minutes;
- node power: idle power, a constant for each busy core, and the GPUs;
- processors: power concave in the busy cores, temperature by power with a lag of a minute;
- GPUs: each job has a level of power; short drops and spikes about it do not last long enough to
  change the temperature, which follows the level along the curve of Figure 4 of arXiv 2409.08949
  with the slot's, the node's and the level's offsets and a lag of two minutes.

With `Recipe()` the means of Figure 3's ratios are within 7 points of the published ones, those of
Table 4 within 5, and the share of time with a GPU above 90 % of its limit is 17.4 % within 4. Not
matched: the fine shape of the histograms, the temperature between 50 and 80 % of a GPU's power
(drops in power from a higher level blur the planted curve there), its fall above 105 % (to some
82 % here, to 64 % there), and the effect of a node's four GPUs on each other.
"""

from collections.abc import Collection

import numpy as np

from restudy.telemetry.generator import cluster, timeline
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.counters import COUNTED, counters
from restudy.telemetry.generator.gpus import gpu_metrics
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.generator.sensors import Block, lag, prepare
from restudy.telemetry.metrics import METRICS, dtype

_LOADS = {"node_load1": 60.0, "node_load5": 300.0, "node_load15": 900.0}  # time constants, s
# Processor power over design power, and temperature over its limit, of Figure 3's quartiles.
_CPU_WARMTH = ((0.0, 0.114, 0.491, 0.717, 1.0), (0.0, 0.063, 0.355, 0.492, 0.75))
_GPU_NODE_WARMTH = ((0.0, 0.118, 0.326, 0.415, 0.85), (0.0, 0.018, 0.094, 0.179, 0.392))
_CORE_WARMTH = (0.76, 0.66)  # a core's temperature ratio over the package's
_IDLE_MEMORY = (0.013, 0.008)  # of a CPU and of a GPU node


def metrics(
    recipe: Recipe, nodes: tuple[Node, ...], day: int, names: Collection[str] = METRICS
) -> dict[str, np.ndarray]:
    """Make metrics of one day on nodes that all have GPUs or all have none.

    Parameters
    ----------
    recipe : Recipe
        The cluster.
    nodes : tuple of Node
        Some of its nodes.
    day : int
        From 0 to ``recipe.days`` - 1.
    names : collection of str
        Metrics that are wanted, by default all.

    Returns
    -------
    dict of str to numpy.ndarray, shape (nodes, samples)
        In the order of `restudy.telemetry.metrics.METRICS`, each a whole number of its metric's
        resolution; those of GPUs only where there are GPUs, absent slots NaN. The day made alone
        is that day of a longer time.

    Examples
    --------
    >>> recipe = Recipe(nodes=1, days=1, noise=0.0, busy=(0.001, 0.5))
    >>> made = metrics(recipe, cluster.nodes(recipe), 0)
    >>> made["node_power_usage"].shape, float(made["node_power_usage"].min())
    ((1, 2880), 34.0)
    """
    block = prepare(recipe, nodes, day)
    made = _load(block) | _processes(block) | _memory(block)
    if not COUNTED.isdisjoint(names):
        made |= counters(block, names)
    ambient = _ambient(block)
    made |= _temperatures(block, ambient)
    watts = np.zeros((len(nodes), recipe.samples))
    if block.is_gpu:
        gpu = gpu_metrics(block, ambient)
        watts = gpu["nvidia_gpu_power_usage_milliwatts_sum"] / 1000.0
        made |= gpu
    made |= _power(block, watts) | _constants(block)
    shape = (len(nodes), recipe.samples)
    return {
        name: _rounded(np.broadcast_to(made[name], shape), name)
        for name in METRICS
        if name in made and name in names
    }


def _rounded(values: np.ndarray, name: str) -> np.ndarray:
    """Give whole multiples of the metric's resolution, within its range."""
    metric = METRICS[name]
    steps = np.rint(values * (1 / metric.resolution))
    low, high = metric.low / metric.resolution, metric.high / metric.resolution
    return np.asarray((np.clip(steps, low, high) * metric.resolution).astype(dtype(name)))


def _load(block: Block) -> dict[str, np.ndarray]:
    factor = block.shifted("load_factor", 1.0)[block.warm :]
    system = 0.03 * np.abs(block.noise[:, 0])
    return {
        name: lag(block.busy, seconds, block.recipe.interval_s)[:, block.warm :] * factor + system
        for name, seconds in _LOADS.items()
    }


def _power(block: Block, gpu_w: np.ndarray) -> dict[str, np.ndarray]:
    recipe = block.recipe
    idle, core = recipe.idle_w, recipe.core_w
    if block.is_gpu:
        idle, core = recipe.gpu_idle_w, recipe.gpu_core_w
    power = idle + core * block.now(timeline.BUSY) / 100 + gpu_w
    power *= block.shifted("power_factor", 1.0)[block.warm :]
    return {"node_power_usage": power + 1.5 * block.noise[:, 1]}


def _ambient(block: Block) -> np.ndarray:
    """Ambient temperature without noise, °C, with the warm-up; shape (nodes, samples)."""
    hour = block.time % 86_400 / 3600
    daily = 0.6 * np.cos((hour - 15) * np.pi / 12)
    offsets = [cluster.rack_offset(block.recipe, node.rack) for node in block.nodes]
    level = block.recipe.ambient[block.is_gpu] + np.array(offsets)[:, None]
    return np.asarray(level + daily + block.shifted("ambient_c", 0.0))


def _temperatures(block: Block, ambient: np.ndarray) -> dict[str, np.ndarray]:
    tdp = 10 * block.attribute("cpu_tdp")
    law = _GPU_NODE_WARMTH if block.is_gpu else _CPU_WARMTH
    steady = np.interp(block.use[timeline.CPU_POWER] / tdp, *law)
    ratio = lag(steady, 60.0, block.recipe.interval_s)[:, block.warm :]
    air = ambient[:, block.warm :]
    noise = block.noise[:, 3]
    package = air + ratio * (block.attribute("case_limit") - air) + 0.5 * noise
    warm = _CORE_WARMTH[block.is_gpu] * ratio
    core = air + warm * (block.attribute("core_limit") - air) + 0.5 * noise
    sockets = 1.0 if block.is_gpu else 0.0
    return {
        "node_ambient_temp": air + 0.2 * block.noise[:, 2],
        "node_thermal_zone_temp_min": package - sockets,
        "node_thermal_zone_temp_mean": package,
        "node_thermal_zone_temp_max": package + sockets,
        "node_hwmon_temp_celsius_min": core - 1,
        "node_hwmon_temp_celsius_mean": core,
        "node_hwmon_temp_celsius_max": core + 1,
    }


def _processes(block: Block) -> dict[str, np.ndarray]:
    waiting = block.now(timeline.WRITTEN) / 5e6
    noise = block.noise[:, 5]
    blocked = np.maximum(waiting + 0.4 * noise, 0)
    return {
        "node_procs_running": block.now(timeline.BUSY) / 100 + 1 + 0.3 * np.abs(noise),
        "node_procs_blocked": blocked,
        "node_disk_io_now_sum": np.maximum(waiting * 2 + 0.4 * noise, 0),
    }


def _memory(block: Block) -> dict[str, np.ndarray]:
    total = block.attribute("memory")
    idle = _IDLE_MEMORY[block.is_gpu] * total
    active = idle + 2**20 * block.now(timeline.MEMORY)
    active = active * (1 + 0.01 * block.noise[:, 4])
    return {
        "node_memory_Active_bytes": active,
        "node_memory_Dirty_bytes": 2**20 + 5.0 * block.now(timeline.WRITTEN),
        "node_memory_Percpu_bytes": 2**20 * block.attribute("cores"),
        "node_memory_MemFree_bytes": np.maximum(0.95 * total - 1.05 * active, 2**20),
    }


def _constants(block: Block) -> dict[str, np.ndarray]:
    """Metrics that say nothing of the jobs: clocks, file systems, errors that never happen."""
    time = block.time[block.warm :]
    constant = {
        "up": 1.0,
        "gpu_node": float(block.is_gpu),
        "timestamp_seconds_delta": float(block.recipe.interval_s),
        "node_filesystem_avail_bytes_sum": 1.2e12,
        "node_filesystem_free_bytes_sum": 1.3e12,
        "node_filesystem_size_bytes_sum": 1.9e12,
        "node_filesystem_files_sum": 1.2e8,
        "node_filesystem_files_free_sum": 1.1e8,
        "node_filesystem_device_error_sum": 0.0,
        "node_netstat_Tcp_InErrs": 0.0,
        "node_netstat_Udp_InErrors": 0.0,
        "node_netstat_Icmp_InErrors": 0.0,
        "node_network_receive_drop_total_sum": 0.0,
        "node_network_receive_drop_total_sum_delta": 0.0,
        "node_arp_entries_sum": 12.0,
        "node_udp_queues_sum": 0.0,
    }
    values = {name: np.array(value) for name, value in constant.items()}
    return values | {"node_time_seconds": time, "timestamp_seconds": time}
