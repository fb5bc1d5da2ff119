"""Small telemetry and jobs for the tests, and an array that does not leave its device."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from restudy.telemetry.samples import Telemetry
from restudy.telemetry.windows import wholly_inside
from restudy.traces.jobs import COLUMNS

MakeTelemetry = Callable[..., Telemetry]
MakeJobs = Callable[..., pd.DataFrame]


@dataclass(frozen=True)
class FramePart:
    """A part that holds its frame."""

    frame: pd.DataFrame

    def read(self, columns):
        return self.frame[["time", "node", *columns]]


@pytest.fixture(scope="session")
def make_telemetry() -> MakeTelemetry:
    """Return a function that cuts a frame into parts and names it."""

    def make(frame: pd.DataFrame, nparts: int = 3, *, interval_s: int = 30) -> Telemetry:
        cuts = np.linspace(0, len(frame), nparts + 1).astype(int)
        pieces = [frame.iloc[a:b].reset_index(drop=True) for a, b in pairwise(cuts)]
        return Telemetry(
            name="test",
            title="a test",
            parts=tuple(FramePart(piece) for piece in pieces),
            metrics=tuple(name for name in frame.columns if name not in ("time", "node")),
            nodes=tuple(sorted(frame["node"].dropna().unique())),
            interval_s=interval_s,
            clock="UTC",
            real=False,
            dataset=None,
        )

    return make


@pytest.fixture(scope="session")
def node_jobs() -> MakeJobs:
    """Return a function that draws jobs on few nodes, and few states, with bad rows among them."""

    def make(
        rng: np.random.Generator,
        rows: int = 40,
        *,
        nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4"),
        seconds: int = 1000,
        bad: bool = True,
    ) -> pd.DataFrame:
        start = rng.integers(-50, seconds, rows)
        run = rng.choice([0, 1, 29, 30, 31, 200, 700], rows)
        lists = [
            ",".join(rng.choice(nodes, rng.choice([1, 1, 1, 2, 3]), replace=False))
            for _ in range(rows)
        ]
        jobs = pd.DataFrame(dict.fromkeys(COLUMNS), index=range(rows)).assign(
            job_id=np.arange(rows).astype(str),
            submit=start.astype("M8[s]"),
            start=start.astype("M8[s]"),
            end=(start + run).astype("M8[s]"),
            state=rng.choice(["COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"], rows),
            cores=rng.integers(1, 17, rows),
            node_list=lists,
            is_ml=rng.random(rows) < 0.3,
        )
        if bad and rows > 6:
            jobs.loc[1, "start"] = pd.NaT
            jobs.loc[2, "node_list"] = "None assigned"
            jobs.loc[3, "node_list"] = "elsewhere1"
            jobs.loc[4, "node_list"] = "n1,elsewhere2"
            jobs.loc[5, ["job_id", "start", "end"]] = jobs.loc[6, ["job_id", "start", "end"]]
        return jobs.astype(COLUMNS)

    return make


@pytest.fixture(scope="session")
def node_samples() -> MakeJobs:
    """Return a function that draws samples of `node_power_usage` in order of node and time."""

    def make(
        rng: np.random.Generator,
        *,
        nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4"),
        seconds: int = 1000,
        interval_s: int = 30,
        unknown: float = 0.1,
    ) -> pd.DataFrame:
        at = np.arange(0, seconds, interval_s)
        power = np.round(rng.uniform(80, 300, (len(nodes), len(at))), 1).astype("float32")
        power[rng.random(power.shape) < unknown] = np.nan
        return pd.DataFrame(
            {
                "time": np.tile(at, len(nodes)).astype("M8[s]"),
                "node": pd.Categorical(np.repeat(nodes, len(at)), categories=list(nodes)),
                "node_power_usage": power.ravel(),
            }
        )

    return make


@pytest.fixture(scope="session")
def slow_join() -> MakeJobs:
    """Return the join of samples with jobs as everyone would write it."""
    return _join


def _join(frame, jobs, window, border=wholly_inside):
    """Merge samples with jobs, the slow way: rows (sample, job) with what both say."""
    jobs = jobs.assign(row=range(len(jobs)))
    jobs = jobs[jobs["start"].notna() & jobs["end"].notna()]
    jobs = jobs[~jobs.duplicated(["job_id", "start"]) & (jobs["node_list"] != "None assigned")]
    begin, end = jobs["start"].astype("int64"), jobs["end"].astype("int64")
    if border is wholly_inside:
        jobs = jobs[(begin >= window.first) & (end <= window.last)]
    else:
        jobs = jobs[(begin <= window.last) & (end >= window.first)]
    jobs = jobs.assign(node=jobs["node_list"].str.split(",")).explode("node")
    samples = frame.assign(node=frame["node"].astype(str), at=frame["time"].astype("int64"))
    samples = samples[samples["at"].between(window.first, window.last)].dropna()
    pairs = samples.merge(jobs, on="node")
    return pairs[(pairs["start"] <= pairs["time"]) & (pairs["time"] <= pairs["end"])]


class DeviceArray:
    """An array on a pretended device: NumPy's functions act on it, nothing turns it to the host.

    Its operands are arrays of its kind, scalars, or nothing else, as with CuPy; ``get`` copies it
    to the host.
    """

    def __init__(self, array):
        self.held = np.array(array)

    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    ndim = property(lambda self: self.held.ndim)

    def get(self):
        return self.held.copy()

    def __array__(self, *args, **kwargs):
        raise TypeError("an array left its device unasked")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        kwargs = {name: _inside(value) for name, value in kwargs.items()}
        return _wrap(getattr(ufunc, method)(*(_inside(one) for one in inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        args = tuple(_inside(one, function is np.asarray) for one in args)
        kwargs = {name: _inside(value) for name, value in kwargs.items() if name != "like"}
        return _wrap(function(*args, **kwargs))

    def __getitem__(self, key):
        return _wrap(self.held[_inside(key)])

    def __setitem__(self, key, value):
        self.held[_inside(key)] = _inside(value)

    def __len__(self):
        return len(self.held)

    def __bool__(self):
        return bool(self.held)

    def __int__(self):
        return int(self.held)

    def __float__(self):
        return float(self.held)

    def __getattr__(self, name):
        if name not in ("all", "any", "astype", "copy", "max", "min", "reshape", "sum"):
            raise AttributeError(name)
        return lambda *args, **kwargs: _wrap(getattr(self.held, name)(*args, **kwargs))


def _operator(name):
    def apply(self, *others):
        return _wrap(getattr(self.held, name)(*(_inside(other) for other in others)))

    return apply


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or", "xor")
for _name in [
    *(f"__{kind}{one}__" for one in _BINARY for kind in ("", "r", "i")),
    *(f"__{one}__" for one in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "invert", "abs")),
]:
    setattr(DeviceArray, _name, _operator(_name))


def _inside(value, allowed=False):
    """Array within; a host array is refused unless allowed."""
    if isinstance(value, DeviceArray):
        return value.held
    if isinstance(value, tuple | list):
        return type(value)(_inside(one, allowed) for one in value)
    if isinstance(value, np.ndarray) and value.ndim and not allowed:
        raise TypeError("a host array meets one on the device; np.asarray(x, like=...) brings it")
    return value


def _wrap(result):
    if isinstance(result, tuple):
        return tuple(_wrap(one) for one in result)
    return DeviceArray(result) if isinstance(result, np.ndarray | np.generic) else result


@dataclass(frozen=True)
class DeviceColumn:
    """A column of a pretended GPU frame."""

    column: pd.Series

    @property
    def values(self):
        return DeviceArray(self.column.to_numpy())

    def astype(self, dtype):
        return DeviceColumn(self.column.astype(dtype))

    @property
    def cat(self):
        return DeviceCategories(self.column)


@dataclass(frozen=True)
class DeviceCategories:
    """Its categories."""

    column: pd.Series

    @property
    def categories(self):
        return self.column.cat.categories

    @property
    def codes(self):
        return DeviceColumn(self.column.cat.codes)


@dataclass(frozen=True)
class DeviceFrame:
    """A frame on a pretended device: what `samples.times`, `codes` and `values` need of it."""

    frame: pd.DataFrame

    def __getitem__(self, name):
        return DeviceColumn(self.frame[name])

    def __len__(self):
        return len(self.frame)


@pytest.fixture(scope="session")
def on_device() -> type[DeviceFrame]:
    """Return a wrapper that puts a frame on a pretended device."""
    return DeviceFrame
