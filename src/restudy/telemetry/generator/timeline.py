"""What the jobs of a node use together: whole numbers, constant between starts and ends.

Whole numbers, so that a node without jobs uses exactly nothing however many came before, and so
that integrals over time are exact.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from restudy.telemetry.generator import schedule
from restudy.telemetry.generator.cluster import Node
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.generator.workload import Jobs, concat

# Rows of `Timeline.use`: busy cores [1/100], jobs, memory [MiB], bytes per second sent, received,
# written and read, power of GPU 0 to 3 above idle [0.1 % of the design power], memory of the GPUs
# [MiB], power of the processors [0.1 W].
BUSY, JOBS, MEMORY, SENT, RECEIVED, WRITTEN, READ, GPU = range(8)
GPU_MEMORY, CPU_POWER = GPU + 4, GPU + 5
ROWS = GPU + 6
GPU_IDLE = 0.07  # of the design power
_SMALL_GPU_JOB = 250.0  # MiB of a GPU that a job's driver takes at least

# Distribution of what jobs use: probability, and value up to which it goes (Figure 3, Table 4).
_CPU_USE = ((0.0, 0.14, 0.33, 0.43, 1.0), (0.05, 0.07, 0.90, 1.0, 1.0))
_GPU_NODE_USE = ((0.0, 0.3, 0.6, 0.85, 1.0), (0.04, 0.25, 0.55, 1.0, 1.0))
_GPU_POWER = ((0.0, 0.25, 0.38, 0.43, 1.0), (0.085, 0.16, 0.40, 0.90, 1.02))
_GPU_MEMORY = ((0.0, 0.25, 0.6, 1.0), (0.02, 0.20, 0.50, 0.96))
_MEMORY = ((0.0, 0.2, 0.45, 0.7, 0.93, 1.0), (0.002, 0.012, 0.05, 0.16, 0.5, 0.85))
_CPU_RATIO = ((0.0, 0.05, 0.3, 0.6, 1.0), (0.114, 0.24, 0.45, 0.57, 0.74))
_GPU_NODE_RATIO = ((0.0, 0.02, 0.1, 0.27, 1.0), (0.112, 0.22, 0.33, 0.42, 0.70))


@dataclass(frozen=True)
class Timeline:
    """Use of a node over time.

    Attributes
    ----------
    at : numpy.ndarray of int64, shape (pieces,)
        First second of each piece; the first piece begins before all jobs.
    use : numpy.ndarray of int64, shape (pieces, ROWS)
        Use in each piece.
    total : numpy.ndarray of int64, shape (pieces, ROWS)
        Integral of the use from the first piece to the begin of each, in units times seconds.
    """

    at: np.ndarray
    use: np.ndarray
    total: np.ndarray

    def pieces(self, time: np.ndarray) -> np.ndarray:
        """Give the piece of each time."""
        return np.searchsorted(self.at, time, side="right") - 1

    def integral(self, time: np.ndarray, piece: np.ndarray) -> np.ndarray:
        """Integrate the use up to each time, whose piece is given; shape (times, ROWS)."""
        since = (time - self.at[piece])[:, None]
        return np.asarray(self.total[piece] + self.use[piece] * since)


def job_use(recipe: Recipe, node: Node, jobs: Jobs) -> np.ndarray:
    """Give what each job uses on the node, int64 of shape (jobs, ROWS); CPU power is left 0."""
    whole = (jobs.cores == node.cores) | node.is_gpu
    law = _GPU_NODE_USE if node.is_gpu else _CPU_USE
    chance = jobs.nature.T
    share = np.where(whole, np.interp(chance[0], *law), 1.0)
    share = 1 - recipe.idle_cores * (1 - share)
    part = jobs.cores / node.cores
    used = np.zeros((len(jobs.start), ROWS), "int64")
    used[:, BUSY] = np.rint(100 * jobs.cores * share)
    used[:, JOBS] = 1
    memory = np.minimum(np.interp(chance[1], *_MEMORY), 0.9) * part
    used[:, MEMORY] = memory * node.memory / 2**20
    for row, spread in ((SENT, chance[2]), (RECEIVED, 1 - chance[2])):
        used[:, row] = 10 ** (2.0 + 4.5 * spread) * part
    for row, spread in ((WRITTEN, chance[3]), (READ, (chance[3] + 0.5) % 1)):
        used[:, row] = 10 ** (2.0 + 4.8 * spread) * part
    if node.is_gpu:
        level = np.rint(1000 * (np.interp(chance[4], *_GPU_POWER) - GPU_IDLE))
        for gpu in range(node.gpus):
            mine = (jobs.slot * jobs.gpus <= gpu) & (gpu < (jobs.slot + 1) * jobs.gpus)
            used[mine, GPU + gpu] = level[mine]
        card = node.gpu_memory / node.gpus / 2**20
        held = np.interp(chance[5], *_GPU_MEMORY) * card + _SMALL_GPU_JOB
        used[:, GPU_MEMORY] = jobs.gpus * np.minimum(held, card)
    return used


def processor_power(node: Node, busy: np.ndarray) -> np.ndarray:
    """Power of the processors, W, of busy cores: the quartiles of Figure 3 one upon the other."""
    law = _GPU_NODE_RATIO if node.is_gpu else _CPU_RATIO
    return np.asarray(node.cpu_tdp * np.interp(busy / node.cores, *law))


@lru_cache(maxsize=144)
def timeline(recipe: Recipe, node: Node) -> Timeline:
    """Add up the jobs of a node, the first and the last second of each included."""
    jobs = concat(list(schedule.node_jobs(recipe, node)))
    used = job_use(recipe, node, jobs)
    begin = recipe.first - schedule.WARM_DAYS * 86_400
    at = np.concatenate([[begin], jobs.start, jobs.end + 1])
    change = np.concatenate([np.zeros((1, ROWS), "int64"), used, -used])
    order = np.argsort(at, kind="stable")
    at = at[order]
    use = np.cumsum(change[order], axis=0)
    use[:, CPU_POWER] = np.rint(10 * processor_power(node, use[:, BUSY] / 100))
    # No use exceeds 1e8 a second and no time 4e8 s: far below 2^63.
    spent = use[:-1] * np.diff(at)[:, None]
    total = np.concatenate([np.zeros((1, ROWS), "int64"), np.cumsum(spent, axis=0)])
    return Timeline(at=at, use=use, total=total)
