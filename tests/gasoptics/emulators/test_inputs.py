"""What networks see, and what lies outside their training."""

import math
import warnings
from dataclasses import replace

import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.inputs import features, gases_that_matter, training_range
from restudy.gasoptics.errors import ExtrapolationWarning, GasOpticsError
from restudy.gasoptics.tables import KDistribution


def test_features_by_hand(made_columns: Atmosphere) -> None:
    x = features(made_columns, ("o3", "co2"), tropopause=9948.43)
    assert x.shape == (4, 8, 5)
    for column, layer in ((0, 0), (2, 3), (3, 7)):
        p = float(made_columns.p_lay[column, layer])
        expected = [math.log(p), float(made_columns.t_lay[column, layer]), float(p > 9948.43)]
        expected += [float(made_columns.gases[g][column, layer]) ** 0.25 for g in ("o3", "co2")]
        assert x[column, layer].tolist() == pytest.approx(expected, rel=1e-14)
    with pytest.raises(GasOpticsError, match="the atmosphere has no ch4"):
        features(made_columns, ("ch4",), tropopause=9948.43)


def test_gases_of_the_made_tables(made_longwave: KDistribution) -> None:
    """All three: pairs of 1 and 2 and of 3 and dry air, minor absorbers 3 and 1."""
    assert gases_that_matter(made_longwave) == ("h2o", "co2", "o3")
    alone = replace(
        made_longwave,
        lower=replace(made_longwave.lower, pairs=((1, 0), (1, 0)), minor=(None, None)),
        upper=replace(made_longwave.upper, pairs=((1, 0), (3, 0)), minor=(None, None)),
    )
    assert gases_that_matter(alone) == ("h2o", "o3")


def test_columns_of_the_training_lie_inside(made_columns: Atmosphere) -> None:
    limits = training_range(made_columns, ("h2o", "o3", "co2"), bins=4)
    assert not bool(limits.outside(made_columns).any())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limits.warn(made_columns)
    assert not bool(limits.outside(made_columns.to(dtype=torch.float32)).any())


@pytest.mark.parametrize("name", ["t_lay", "h2o", "co2"])
def test_a_layer_outside_is_flagged_with_value_and_range(
    name: str, made_columns: Atmosphere
) -> None:
    """The range is that of the bin of pressure: the top is not as warm as the ground."""
    limits = training_range(made_columns, ("h2o", "co2"), bins=4)
    changed = dict(made_columns.gases) | {"t_lay": made_columns.t_lay}
    changed[name] = changed[name].clone()
    changed[name][2, 0] = {"t_lay": 290.0, "h2o": 0.02, "co2": 8e-4}[name]
    gases = {gas: changed[gas] for gas in made_columns.gases}
    columns = replace(made_columns, t_lay=changed["t_lay"], gases=gases)
    outside = limits.outside(columns)
    assert outside.nonzero().tolist() == [[2, 0]]
    value = float(changed[name][2, 0])
    with pytest.warns(ExtrapolationWarning, match=rf"{name}\[2, 0\] is {value:.4g} at") as found:
        limits.warn(columns)
    assert "3.1 % of the layers" in str(found[0].message)


def test_a_pressure_outside_is_flagged(made_columns: Atmosphere) -> None:
    limits = training_range(made_columns.part(slice(0, 4)), ("h2o",), bins=4)
    higher = replace(
        made_columns,
        p_lay=made_columns.p_lay.clone().index_fill_(1, torch.tensor([0]), 1.02),
    )
    outside = limits.outside(higher)
    assert bool(outside[:, 0].all())
    with pytest.warns(ExtrapolationWarning, match=r"p_lay\[0, 0\] is 1.02 Pa; trained on"):
        limits.warn(higher)


def test_a_missing_gas_is_named(made_columns: Atmosphere) -> None:
    with pytest.raises(GasOpticsError, match="the atmosphere has no ch4"):
        training_range(made_columns, ("ch4",))
