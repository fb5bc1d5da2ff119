"""Training columns: what the recipes promise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.columns import (
    ANYWHERE,
    CLIMATES,
    HALOCARBONS,
    SPANS,
    TROPOPAUSES,
    drifted_columns,
    perturbed_columns,
    shallow_columns,
    with_other_gases,
)
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.standard import saturation_pressure, standard_atmospheres


@pytest.fixture(scope="module")
def base() -> Atmosphere:
    return standard_atmospheres(60)


def saturation(columns: Atmosphere) -> torch.Tensor:
    vapour = torch.from_numpy(saturation_pressure(columns.t_lay.numpy()))
    return vapour / (columns.p_lay - vapour)


def test_the_papers_recipe(base: Atmosphere) -> None:
    """Bounds of each quantity, and that the draws fill them."""
    found = perturbed_columns(base.part(torch.arange(6).repeat(40)), 1)
    old = base.part(torch.arange(6).repeat(40))
    assert torch.equal(found.p_lev[:, 0], old.p_lev[:, 0])
    assert float(found.p_lev.diff(dim=1)[:, -35:].min()) >= 1
    torch.testing.assert_close(found.p_lay, (found.p_lev[:, 1:] + found.p_lev[:, :-1]) / 2)
    lowest = (found.p_lev[:, -1] - old.p_lev[:, -2]) / old.p_lev.diff(dim=1)[:, -1]
    assert 0.1 <= float(lowest.min()) < 0.2
    assert 1.8 < float(lowest.max()) <= 1.9
    shift = (found.t_lev - old.t_lev).abs()
    assert 4.99 < float(shift.max()) <= 5
    below, above = found.t_lev[:, 1:], found.t_lev[:, :-1]
    assert bool((found.t_lay <= torch.maximum(below, above)).all())
    assert bool((found.t_lay >= torch.minimum(below, above)).all())
    ozone = found.gases["o3"] / old.gases["o3"]
    assert 0.25 <= float(ozone.min()) < 0.26
    assert 1.74 < float(ozone.max()) <= 1.75
    wet = found.gases["h2o"] / saturation(found)
    dry_before = old.gases["h2o"] < saturation(old)
    assert float(wet[dry_before].max()) <= 1.01 + 1e-12
    ground = found.t_sfc - found.t_lev[:, -1]
    assert 9 < float(ground.abs().max()) <= 10


@pytest.mark.parametrize(
    "recipe", [perturbed_columns, drifted_columns, shallow_columns, with_other_gases]
)
def test_columns_are_those_of_the_seed(recipe: object, base: Atmosphere) -> None:
    assert callable(recipe)
    first, again, other = recipe(base, 5), recipe(base, 5), recipe(base, 6)
    assert torch.equal(first.t_lay, again.t_lay)
    for gas, x in first.gases.items():
        assert torch.equal(x, again.gases[gas])
    differs = [not torch.equal(x, other.gases[gas]) for gas, x in first.gases.items()]
    assert any(differs)


def test_drifts_are_smooth(base: Atmosphere) -> None:
    """Neighbours move together: their difference is small beside the movement."""
    many = base.part(torch.arange(6).repeat(30))
    for recipe, least, most in ((drifted_columns, 0.0, 0.35), (perturbed_columns, 0.8, 2.0)):
        moved = recipe(many, 3).t_lev - many.t_lev
        moved = moved - moved.mean(dim=1, keepdim=True)
        ratio = float(moved.diff(dim=1).std() / moved.std())
        assert least < ratio < most
    wide = drifted_columns(many, 3, CLIMATES).t_lev - many.t_lev
    torch.testing.assert_close(wide, 2 * (drifted_columns(many, 3).t_lev - many.t_lev))


def test_columns_of_anywhere_are_dry_and_wet(base: Atmosphere) -> None:
    """Water near the ground spans a factor of 50; it is saturated at most, or as wet as it was."""
    found = drifted_columns(base.part(torch.arange(6).repeat(50)), 4, ANYWHERE)
    lowest = found.gases["h2o"][:, -1] / base.gases["h2o"][:, -1].repeat(50)
    assert float(lowest.max() / lowest.min()) > 50
    most = torch.maximum(1.01 * saturation(found), base.gases["h2o"].repeat(50, 1))
    low = found.p_lay > 2e4  # where the vapour pressure of saturation is below that of the air
    assert bool((found.gases["h2o"] <= most * (1 + 1e-12))[low].all())
    high = found.p_lay < 1e4
    moved = (found.gases["h2o"].log() - base.gases["h2o"].log().repeat(50, 1))[high]
    assert float(moved.mean().abs()) < 0.2


def test_ozone_below_the_layer_spans_two_powers_of_ten(base: Atmosphere) -> None:
    """Beside `ANYWHERE`, whose draws it shares, by a factor from e^-3 to e^2 that fades out."""
    many = base.part(torch.arange(6).repeat(60))
    wide, narrow = drifted_columns(many, 8, TROPOPAUSES), drifted_columns(many, 8, ANYWHERE)
    moved = (wide.gases["o3"] / narrow.gases["o3"]).log()
    assert float(moved[wide.p_lay < 3e3].abs().max()) < 1e-12
    low = torch.where(wide.p_lay > 1e4, moved, moved[:, -1:])
    torch.testing.assert_close(low, moved[:, -1:].expand_as(low))
    assert -3 <= float(moved.min()) < -2.9
    assert 1.9 < float(moved.max()) <= 2
    halfway = (wide.p_lay > 3.1e3) & (wide.p_lay < 9.9e3)
    share = (moved / moved[:, -1:])[halfway]
    assert 0 < float(share.min()) < 0.2
    assert 0.8 < float(share.max()) < 1


def test_water_around_the_tropopause_is_dry_to_saturated(base: Atmosphere) -> None:
    """Beside `ANYWHERE`: by up to e^-1.5 and e^3 at 100 hPa, not at all from 20 and 500 hPa on."""
    many = base.part(torch.arange(6).repeat(60))
    wide, narrow = drifted_columns(many, 9, TROPOPAUSES), drifted_columns(many, 9, ANYWHERE)
    moved = (wide.gases["h2o"] / narrow.gases["h2o"]).log()
    far = (wide.p_lay < 2e3) | (wide.p_lay > 5e4)
    assert float(moved[far].abs().max()) < 1e-12
    near = (wide.p_lay > 9e3) & (wide.p_lay < 1.1e4)
    assert -1.5 <= float(moved[near].min()) < -1.3
    assert 2.5 < float(moved[near].max()) <= 3
    middle = (wide.p_lay > 2e4) & (wide.p_lay < 3e4)  # less of it halfway
    assert float(moved[middle].min()) > -1.5 * (1 - np.log(2) / np.log(5))
    most = torch.maximum(1.01 * saturation(wide), many.gases["h2o"])
    low = wide.p_lay > 2e4
    assert bool((wide.gases["h2o"] <= most * (1 + 1e-12))[low].all())


def test_shallow_columns_are_the_lower_part_of_the_old_ones(base: Atmosphere) -> None:
    """Lids from 5 to 700 hPa, thinner layers, and the old air between its old neighbours."""
    many = base.part(torch.arange(6).repeat(60))
    found = shallow_columns(many, 7)
    lid = found.p_lev[:, 0]
    assert 500 <= float(lid.min()) < 600
    assert 6e4 < float(lid.max()) <= 7e4
    torch.testing.assert_close(found.p_lev[:, -1], many.p_lev[:, -1])
    thickness = found.p_lev.diff(dim=1)
    assert float(thickness.min()) > 100
    assert float((thickness[:, 1:] / thickness[:, :-1]).max()) <= 1 + 1e-9  # thicker to the top
    for column in range(0, 360, 17):
        old, new = many.p_lev[column].log().numpy(), found.p_lev[column].log().numpy()
        expected = np.interp(new, old, many.t_lev[column].numpy())
        np.testing.assert_allclose(found.t_lev[column], expected)
    for gas in ("h2o", "o3"):
        old, new = many.gases[gas], found.gases[gas]
        assert bool((new.amax(dim=1) <= old.amax(dim=1) * (1 + 1e-12)).all())
    torch.testing.assert_close(found.gases["co2"], many.gases["co2"])


def test_shallow_columns_end_above_a_mountain(base: Atmosphere) -> None:
    """On ground at 600 hPa the draws that lie below it are drawn again."""
    many = base.part(torch.arange(6).repeat(200))
    scale = 6e4 / many.p_lev[:, -1:]
    mountain = replace(many, p_lev=many.p_lev * scale, p_lay=many.p_lay * scale)
    lid = shallow_columns(mountain, 7).p_lev[:, 0]
    assert 5.9e4 < float(lid.max()) <= 0.995 * 6e4
    even = np.log(500 * 0.995 * 6e4) / 2  # the middle of logarithms that are drawn evenly
    assert float(lid.log().mean()) == pytest.approx(even, abs=0.15)
    scale = scale / 100
    cold = many.t_lev.clamp(max=270)
    thin = replace(many, p_lev=many.p_lev * scale, p_lay=many.p_lay * scale, t_lev=cold)
    with pytest.raises(GasOpticsError, match="lies at 600 Pa; expected at least 1000 Pa"):
        shallow_columns(thin, 7)


def test_other_gases_fill_their_spans(base: Atmosphere) -> None:
    found = with_other_gases(base.part(torch.arange(6).repeat(300)), 2).gases
    for gas, (least, most) in SPANS.items():
        present = found[gas][found[gas] > 0]
        assert least <= float(present.min()) < 1.02 * least
        assert 0.98 * most < float(present.max()) <= most
        median = float(present.log().median())
        assert median == pytest.approx(np.log(least * most) / 2, abs=0.1 * np.log(most / least))
    for gas, most in HALOCARBONS.items():
        absent = float((found[gas][:, 0] == 0).double().mean())
        assert absent == pytest.approx(0.2, abs=0.04)
        assert 0.98 * most < float(found[gas].max()) <= most
    for gas, x in found.items():
        assert torch.equal(x, x[:, :1].expand_as(x)) or gas in ("h2o", "o3")
    assert float(found["o2"].min()) == float(found["o2"].max()) == 0.209


def test_columns_from_the_ground_are_refused(base: Atmosphere) -> None:
    with pytest.raises(GasOpticsError, match="from the ground up"):
        perturbed_columns(base.upside_down(), 1)


def test_columns_too_thin_are_refused(base: Atmosphere) -> None:
    """Sixty layers of 0.1 Pa: no draw has 35 of them thicker than 1 Pa."""
    p_lev = torch.linspace(2, 8, 61, dtype=torch.float64).expand(6, 61)
    p_lay = (p_lev[:, 1:] + p_lev[:, :-1]) / 2
    cold = replace(base, p_lev=p_lev, p_lay=p_lay, t_lev=base.t_lev.clamp(max=270))
    with pytest.raises(GasOpticsError, match="give thicker layers"):
        perturbed_columns(cold, 1)
