"""Streams of random numbers that compiled code draws from, several for each run.

One stream is for one cause of chance (a link, a node), so an executor that handles events in
another order draws the same numbers. A stream is SplitMix64 (Steele, Lea and Flood 2014) from a
random start.
"""

import math

import numba
import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


def new_streams(runs: int, each: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return the states of `each` streams for every run, (runs, each) uint64."""
    return rng.integers(0, 2**64, size=(runs, each), dtype=np.uint64)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def uniform(streams: np.ndarray, run: int, which: int) -> float:
    """Draw from 0 up to 1 and move the stream on."""
    z = streams[run, which] + _STEP
    streams[run, which] = z
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    z = z ^ (z >> _31)
    return float(z >> _11) * 2.0**-53


@numba.njit(cache=True, nogil=True, error_model="numpy")
def geometric(u: float, p: float) -> float:
    """Return the number of attempts up to the first success for a uniform number u."""
    if p >= 1.0:
        return 1.0
    return math.floor(math.log1p(-u) / math.log1p(-p)) + 1.0
