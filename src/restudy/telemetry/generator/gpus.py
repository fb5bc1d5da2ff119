"""Metrics of GPUs from the level of power at which their jobs run."""

import numpy as np

from restudy.telemetry.generator import cluster, timeline
from restudy.telemetry.generator.sensors import Block, lag

LAG_S = 120.0  # of a GPU's temperature
# Level of power [%] and temperature ratio [%] of GPU 0, arXiv 2409.08949, Figure 4.
_POWER = (0.0, 5.0, 8.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 90.0, 100.0, 110.0)
_WARMTH = (0.0, 5.0, 16.0, 24.0, 32.0, 50.0, 60.0, 63.0, 74.0, 83.0, 88.5, 90.0)
_THROTTLE = 97.0  # % of the limit, above which a GPU slows down
_SPIKES, _DROPS = 0.02, 0.06  # share of a busy GPU's samples
_BUSY = 0.6  # level from which there are spikes and drops


def gpu_metrics(block: Block, ambient: np.ndarray) -> dict[str, np.ndarray]:
    """Make the metrics of GPUs; a slot without a GPU is NaN.

    Parameters
    ----------
    block : Block
        The samples.
    ambient : numpy.ndarray, shape (nodes, warm + samples)
        Ambient temperature, °C.

    Returns
    -------
    dict of str to numpy.ndarray, shape (nodes, samples)
        Values in the metrics' units.
    """
    absent = np.arange(4) >= block.attribute("gpus")  # (nodes, 4)
    level = timeline.GPU_IDLE + block.use[timeline.GPU : timeline.GPU + 4] / 1000.0
    level += np.where(absent, np.nan, 0.0).T[..., None]
    warm = block.warm
    power = _observed(block, level[..., warm:]) * 1000 * block.attribute("gpu_tdp")
    ratio = lag(_steady(block, level), LAG_S, block.recipe.interval_s)[..., warm:]
    air = ambient[:, warm:]
    celsius = np.rint(air + ratio / 100 * (block.attribute("gpu_limit") - air))
    duty = np.clip((level[..., warm:] - timeline.GPU_IDLE) * 108, 0, 100)
    fan = np.clip(20 + 0.55 * ratio, 0, 100)
    made = {
        "nvidia_gpu_memory_used_bytes_sum": 2.0**20 * (block.now(timeline.GPU_MEMORY) + 4),
        "nvidia_gpu_power_usage_milliwatts_sum": np.nansum(power, axis=0),
    }
    for gpu in range(4):
        made[f"nvidia_gpu_temperature_celsius_{gpu}"] = celsius[gpu]
        made[f"nvidia_gpu_power_usage_milliwatts_{gpu}"] = power[gpu]
    for name, values in {
        "nvidia_gpu_power_usage_milliwatts": power,
        "nvidia_gpu_temperature_celsius": celsius,
        "nvidia_gpu_fanspeed_percent": fan,
        "nvidia_gpu_duty_cycle": duty,
    }.items():
        made[f"{name}_min"] = np.nanmin(values, axis=0)
        made[f"{name}_mean"] = np.nanmean(values, axis=0)
        made[f"{name}_max"] = np.nanmax(values, axis=0)
    return made


def _steady(block: Block, level: np.ndarray) -> np.ndarray:
    """Temperature ratio that lasting levels lead to, %; shape (4, nodes, samples)."""
    nodes = [cluster.node_warmth(block.recipe, node) for node in block.nodes]
    slots = np.array(block.recipe.slot_points)[:, None, None]
    ratio = np.interp(level * 100, _POWER, _WARMTH)
    ratio += level * (slots + np.array(nodes)[:, None])
    return np.where(ratio > _THROTTLE, _THROTTLE + 0.1 * (ratio - _THROTTLE), ratio)


def _observed(block: Block, level: np.ndarray) -> np.ndarray:
    """Power over design power as it is seen: the level, noise, spikes and drops."""
    noise = np.moveaxis(block.noise[:, 6:10], 0, 1)
    seen = level * (1 + 0.02 * noise)
    if block.recipe.noise == 0:
        return np.asarray(seen)
    chance = np.moveaxis(block.chance, 0, 1)
    busy = level > _BUSY
    spike = busy & (chance < _SPIKES)
    drop = busy & (chance > 1 - _DROPS)
    seen = np.where(spike, level + 0.6 * chance / _SPIKES, seen)
    return np.where(drop, level - 0.5 * (1 - chance) / _DROPS, seen)
