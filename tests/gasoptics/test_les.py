"""Samples of large-eddy simulations, and networks tuned to one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from restudy.gasoptics import datasets, experiments_les
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.les import (
    LEAST_OZONE,
    Envelope,
    les_columns,
    les_samples,
    mean_column,
    read_envelope,
    with_air_above,
)
from restudy.gasoptics.emulators.les_training import les_errors, tuned
from restudy.gasoptics.emulators.paper_files import read_paper_longwave
from restudy.gasoptics.emulators.paper_training import Recipe
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.reference import longwave_optics
from restudy.gasoptics.standard import WELL_MIXED, standard_atmospheres
from restudy.gasoptics.tables import KDistribution

SHORT = Recipe(epochs=12, decay_epochs=3)


@pytest.fixture
def envelope() -> Envelope:
    """Humidity spans a factor of 100 above 500 hPa and of 1.5 below."""
    p = np.linspace(2e4, 1e5, 41)
    t = 200 + 90 * p / 1e5
    dry = 1e-5 * (p / 1e4) ** 2
    return Envelope("made", p, t - 2, t + 2, dry, dry * np.where(p < 5e4, 100.0, 1.5))


def test_samples_lie_within_the_widened_envelope(envelope: Envelope) -> None:
    a = les_samples(envelope, 1, count=50)
    assert (a.columns, a.layers, a.from_top) == (50, 41, True)
    p, t = a.p_lay.numpy(), a.t_lay.numpy()
    least = np.interp(p, envelope.pressure, 0.99 * envelope.t_least)
    most = np.interp(p, envelope.pressure, 1.01 * envelope.t_most)
    assert ((t >= least) & (t <= most)).all()
    # Half a kelvin from either end is reached, so the limits are used up.
    assert (t - least).min() < 0.1
    assert (most - t).min() < 0.1
    step = envelope.pressure[1] - envelope.pressure[0]
    assert envelope.pressure[0] - step <= p.min() < envelope.pressure[0]
    assert envelope.pressure[-1] < p.max() <= envelope.pressure[-1] + step
    inside = a.t_lev[:, 1:-1]
    low, high = (
        torch.minimum(a.t_lay[:, 1:], a.t_lay[:, :-1]),
        torch.maximum(a.t_lay[:, 1:], a.t_lay[:, :-1]),
    )
    assert bool(((inside >= low) & (inside <= high)).all())
    assert float(a.gases["co2"].max()) == WELL_MIXED["co2"]


def test_wide_humidities_favour_the_dry_end(envelope: Envelope) -> None:
    """Of even draws from a to 100 a, 9 % are below 10 a; of skewed ones 80 %: together 44 %."""
    a = les_samples(envelope, 2, count=400)
    p, h2o = a.p_lay.numpy(), a.gases["h2o"].numpy()
    q = 0.622 * h2o / (1 + 0.622 * h2o)  # back to the specific humidity
    least = np.interp(p, envelope.pressure, 0.95 * envelope.q_least)
    wide = p < 4.8e4
    skewed = 1 - np.exp(-16.7 * 9 * 0.95 / (100 * 1.05 - 0.95))
    even = 9 * 0.95 / (100 * 1.05 - 0.95)
    share = float((q[wide] < 10 * least[wide]).mean())
    assert share == pytest.approx((skewed + even) / 2, abs=0.02)
    narrow = p > 5.4e4
    middle = float((q[narrow] / least[narrow]).mean())
    assert middle == pytest.approx((1 + 1.5 * 1.05 / 0.95) / 2, abs=0.01)


def test_ozone_follows_the_pressure(envelope: Envelope) -> None:
    """Wing et al. (2018), equation 1: 3.6478 ppm p^0.83209 exp(-p / 11.3515), p in hPa."""
    a = les_samples(envelope, 3, count=2)
    p = float(a.p_lay[0, 0]) / 100
    expected = max(5e-9, 3.6478e-6 * p**0.83209 * np.exp(-p / 11.3515))
    assert float(a.gases["o3"][0, 0]) == pytest.approx(expected)
    assert float(a.gases["o3"].min()) == LEAST_OZONE


def test_columns_to_judge_on_are_smooth_and_within_the_envelope(envelope: Envelope) -> None:
    a = les_columns(envelope, 4, count=60)
    t = a.t_lay.numpy()
    assert ((t >= envelope.t_least - 1e-9) & (t <= envelope.t_most + 1e-9)).all()
    assert (t.max(axis=0) - t.min(axis=0)).min() > 3  # of the 4 K between them
    jagged = les_samples(envelope, 4, count=60).t_lay.numpy()
    assert np.abs(np.diff(t, 2, axis=1)).mean() < 0.1 * np.abs(np.diff(jagged, 2, axis=1)).mean()


def test_air_above_is_that_of_the_other_column(envelope: Envelope) -> None:
    """The domain begins at 190 hPa; the other column has a level every 50 hPa from 0 on."""
    domain = les_columns(envelope, 4, count=3)
    above = mean_column(standard_atmospheres(20), np.full(6, 1 / 6))
    edges = torch.linspace(100.0, 1e5, 21, dtype=torch.float64)[None]
    above = replace(above, p_lev=edges, p_lay=(edges[:, 1:] + edges[:, :-1]) / 2)
    whole, added = with_air_above(domain, above)
    assert (added, whole.columns, whole.layers) == (4, 3, 45)
    assert torch.equal(whole.p_lev[:, :4], edges[:, :4].expand(3, -1))
    assert torch.equal(whole.p_lev[:, 4:], domain.p_lev)
    assert torch.equal(whole.t_lay[0], torch.cat((above.t_lay[0, :4], domain.t_lay[0])))
    assert torch.equal(whole.gases["o3"][2, 4:], domain.gases["o3"][2])
    cut = float(whole.p_lay[0, 3])
    assert cut == pytest.approx(float(edges[0, 3] + domain.p_lev[0, 0]) / 2)
    assert bool((whole.p_lay.diff(dim=1) > 0).all())


def test_air_that_does_not_reach_above_is_refused(envelope: Envelope) -> None:
    domain = les_columns(envelope, 4, count=3)
    above = mean_column(standard_atmospheres(20), np.full(6, 1 / 6))
    with pytest.raises(GasOpticsError, match=r"3 columns from .* expected one that reaches above"):
        with_air_above(domain, domain)
    lowest = slice(-3, None)  # of 20 layers, from about 800 hPa on
    low = replace(
        above,
        p_lev=above.p_lev[:, -4:],
        p_lay=above.p_lay[:, lowest],
        t_lev=above.t_lev[:, -4:],
        t_lay=above.t_lay[:, lowest],
        gases={gas: x[:, lowest] for gas, x in above.gases.items()},
    )
    with pytest.raises(GasOpticsError, match=r"tops are from 19000 to 19000 Pa"):
        with_air_above(domain, low)
    bare = {gas: x for gas, x in above.gases.items() if gas != "co2"}
    with pytest.raises(GasOpticsError, match="the air above has no co2"):
        with_air_above(domain, replace(above, gases=bare))


def test_the_mean_column_has_the_weights(standard: Atmosphere) -> None:
    weight = np.array([0.5, 0.25, 0.25, 0, 0, 0])
    found = mean_column(standard, weight)
    t = standard.t_lay.numpy()
    np.testing.assert_allclose(found.t_lay[0], 0.5 * t[0] + 0.25 * t[1] + 0.25 * t[2])
    assert (found.columns, found.mu0.shape) == (1, (1,))


def test_the_seed_alone_decides(envelope: Envelope) -> None:
    for draw in (les_samples, les_columns):
        first, again, other = (draw(envelope, seed, count=3) for seed in (7, 7, 8))
        assert torch.equal(first.t_lay, again.t_lay)
        assert torch.equal(first.gases["h2o"], again.gases["h2o"])
        assert not torch.equal(first.t_lay, other.t_lay)


def test_tuned_networks_need_one_side_and_no_ozone(
    envelope: Envelope, made_longwave: KDistribution, made_shortwave: KDistribution
) -> None:
    long = tuned(made_longwave, envelope, "32", SHORT, seed=1, sets=2, count=12)
    short = tuned(made_shortwave, envelope, "32", SHORT, seed=1, sets=2, count=12)
    assert long.networks.tau.upper is None
    assert len(long.networks.tau.either.input_mean) == 3
    assert (long.size, long.networks.multiply_adds) == ("32", 3 * 32 + 32 * 5 + 5 * 32 + 32 * 15)
    linear = tuned(made_longwave, envelope, "linear", SHORT, seed=1, sets=2, count=12)
    assert long.errors.down_rmse < 0.8 * linear.errors.down_rmse
    assert 0 < short.errors.down_rmse < 10
    assert np.isnan(long.errors.stratosphere)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profiles.txt"
    row = "1e5 280 290 0.001 0.002\n"
    for text, message in [
        ("abc", "cannot be read as numbers"),
        ("", "has 0 rows of"),
        (row * 2, "has 2 rows of 5 numbers; expected 3 or more rows of 5"),
        ("1 2 3\n" * 4, "has 4 rows of 3 numbers"),
        (row * 3 + "9e4 291 290 0.001 0.002\n", "has a least above its most, a humidity not"),
        (row * 3 + "9e4 280 290 0 0.002\n", "has a least above its most, a humidity not"),
    ]:
        path.write_text(text)
        with pytest.raises(GasOpticsError, match=message):
            read_envelope(path, "made")


def test_what_is_not_at_hand_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    with pytest.raises(GasOpticsError, match="run `restudy fetch les-cabauw`"):
        datasets.les_envelope("cabauw")
    with pytest.raises(GasOpticsError, match="no simulation 'dales'; use cabauw or rcemip"):
        datasets.les_envelope("dales")


@pytest.mark.data
def test_the_real_envelopes(path_of: Callable[[str], Path]) -> None:
    """Cabauw stays below the tropopause, RCEMIP has 40 of 72 levels there."""
    cabauw = read_envelope(path_of("les-cabauw"), "cabauw")
    rcemip = read_envelope(path_of("les-rcemip"), "rcemip")
    assert (len(cabauw.pressure), len(rcemip.pressure)) == (228, 72)
    assert cabauw.pressure.min() > 5e4
    assert int((rcemip.pressure > 9948.43).sum()) == 40
    assert (rcemip.t_least.min(), rcemip.t_most.max()) == pytest.approx((177.3, 299.8), abs=0.1)
    for envelope in (cabauw, rcemip):
        assert les_samples(envelope, 0).layers == len(envelope.pressure)


@pytest.mark.data
def test_a_tuned_network_learns_the_air_of_cabauw(
    path_of: Callable[[str], Path], real_table: Callable[[str], KDistribution]
) -> None:
    """A few seconds of training are far from the end, and far beyond a linear network."""
    table = real_table("lw-g256")
    cabauw = read_envelope(path_of("les-cabauw"), "cabauw")
    recipe = Recipe(epochs=12, decay=0.5, decay_epochs=2)
    found = tuned(table, cabauw, "32", recipe, seed=1, sets=2, count=8)
    linear = read_paper_longwave(path_of("veerman-networks-linear"), "linear", table).double()
    unseen = les_columns(cabauw, 5, count=10)
    with torch.no_grad():
        errors = les_errors(linear.optics(unseen), longwave_optics(table, unseen), unseen)
    assert found.errors.down_rmse < 0.2 * errors.down_rmse
    assert found.errors.down_rmse < 1


@pytest.mark.data
def test_tuned_networks_of_both_simulations_do_not_depend_on_the_executor(
    path_of: Callable[[str], Path],
) -> None:
    for name in ("les-cabauw", "les-rcemip", "rrtmgp-lw-g256", "veerman-networks-64-64"):
        path_of(name)
    tuning = experiments_les.Tuning(epochs=1, sets=1, layers=1000)
    found = experiments_les.tuned(tuning, seed=3)
    with ThreadPoolExecutor(2) as pool:
        again = experiments_les.tuned(tuning, seed=3, executor=pool)
    pd.testing.assert_frame_equal(found, again)
    assert found["simulation"].tolist() == ["cabauw"] * 3 + ["rcemip"] * 3
    assert found["network"].tolist() == ["32, tuned", "32", "64-64"] * 2
    costs = found["multiply_adds"].to_numpy().reshape(2, 3)
    assert (costs[:, 0] < costs[:, 2] / 2).all()  # the claims' "half its cost"
    assert set(experiments_les.findings(found)) == {"les-cabauw", "les-rcemip"}
