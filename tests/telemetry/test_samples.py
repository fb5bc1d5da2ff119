"""Parts as Dask frames and in folds, with either backend."""

import sys
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import dask
import numpy as np
import pandas as pd
import pytest

from restudy.telemetry import percentiles
from restudy.telemetry.experiments import POWER
from restudy.telemetry.intervals import Intervals, accumulate
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.samples import Telemetry, fold
from restudy.telemetry.windows import Window

NODES = ("r10n1", "r10n2", "r30n1")


@dataclass(frozen=True)
class Piece:
    seed: int

    def read(self, columns):
        rng = np.random.default_rng(self.seed)
        time = 86_400 * self.seed + 30 * np.arange(100)
        node = NODES[self.seed % len(NODES)]
        power = np.rint(rng.uniform(800, 3000, 100)).astype("float32") / np.float32(10)
        made = {
            "time": time.astype("M8[s]"),
            "node": pd.Categorical([node] * 100),
            POWER.name: power,
        }
        return pd.DataFrame(made)[["time", "node", *columns]]


@pytest.fixture
def telemetry():
    parts = tuple(Piece(i) for i in range(7))
    return Telemetry("pieces", "Pieces", parts, (POWER.name,), NODES, 30, "UTC", False, None)


@pytest.fixture
def pretended_cudf(monkeypatch, on_device):
    """A module cudf whose frames refuse to leave their device unasked."""
    monkeypatch.setitem(sys.modules, "cudf", SimpleNamespace(from_pandas=on_device))
    with dask.config.set({"dataframe.backend": "cudf"}):
        yield


def sums(telemetry):
    every = np.arange(7) * 86_400 + 50 * 30
    window = Window(0, 7 * 86_400 - 1)
    key = np.sort(np.concatenate([i * window.seconds + np.append(0, every) for i in range(3)]))
    intervals = Intervals(NODES, window, key)
    return fold(telemetry, [POWER.name], partial(accumulate, intervals=intervals, metric=POWER))


def test_a_dask_frame_has_all_samples(telemetry):
    lazy = telemetry.frame([POWER.name])
    assert lazy.npartitions == 7
    assert lazy.dtypes[POWER.name] == np.float32
    whole = pd.concat([part.read([POWER.name]) for part in telemetry.parts])
    found = lazy.compute()
    assert found["node"].astype(str).tolist() == whole["node"].astype(str).tolist()
    np.testing.assert_array_equal(found[POWER.name], whole[POWER.name])
    mean = lazy.groupby("node", observed=True)[POWER.name].mean().compute()
    expected = whole.astype({"node": str}).groupby("node")[POWER.name].mean()
    np.testing.assert_allclose(mean[list(expected.index)].to_numpy(), expected, rtol=1e-5)


@pytest.mark.usefixtures("pretended_cudf")
def test_folds_stay_on_the_device(telemetry):
    table = percentiles.percentiles(telemetry, [POWER.name], gpu_nodes={"r30n1"}).table()
    found = sums(telemetry)
    with dask.config.set({"dataframe.backend": "pandas"}):
        assert (
            percentiles.percentiles(telemetry, [POWER.name], gpu_nodes={"r30n1"})
            .table()
            .equals(table)
        )
        expected = sums(telemetry)
    assert expected.n.sum() == 700
    for name in ("interval", "n", "total", "squares"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_without_cudf_one_sentence(telemetry):
    with (
        dask.config.set({"dataframe.backend": "cudf"}),
        pytest.raises(TelemetryError, match=r"cudf cannot be imported .*set the backend to pandas"),
    ):
        fold(telemetry, [POWER.name], len)
    with (
        dask.config.set({"dataframe.backend": "modin"}),
        pytest.raises(TelemetryError, match="'modin' in Dask's configuration; use pandas or cudf"),
    ):
        fold(telemetry, [POWER.name], len)
