"""The only door to a cluster; it knows nothing of the science."""

from restudy.parallel.clusters import ClusterError, connect
from restudy.parallel.sweeps import SweepError, sweep

__all__ = ["ClusterError", "SweepError", "connect", "sweep"]
