"""Small networks, tables and columns of the tests of emulators."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators import training_sets
from restudy.gasoptics.emulators.network import (
    Design,
    LongwaveNetwork,
    ShortwaveNetwork,
    make_network,
    spectrum_of,
)
from restudy.gasoptics.standard import standard_atmospheres
from restudy.gasoptics.tables import KDistribution

Net = LongwaveNetwork | ShortwaveNetwork


@pytest.fixture
def made_columns() -> Atmosphere:
    """Four columns of eight layers with the gases of the made tables, in the sun."""
    columns = standard_atmospheres(layers=8).part(slice(0, 4))
    gases = {gas: columns.gases[gas] for gas in ("h2o", "co2", "o3")}
    return replace(columns, gases=gases)


@pytest.fixture
def made_network(
    made_longwave: KDistribution, made_shortwave: KDistribution, made_columns: Atmosphere
) -> Callable[..., Net]:
    """Make a network for the made tables, with random weights and outputs of a likely size."""

    def network(table: str = "lw-g256", **changes: object) -> Net:
        design = replace(Design(table, ("h2o", "o3"), ("co2",), (7,), (4, 3)), **changes)  # type: ignore[arg-type]
        tables = made_longwave if design.longwave else made_shortwave
        made = make_network(design, spectrum_of(tables), rng=torch.Generator().manual_seed(3))
        made.input_shift.copy_(torch.tensor([8.0, 250.0, 0.5, 0.1, 0.03]))
        made.input_scale.copy_(torch.tensor([0.3, 0.05, 2.0, 10.0, 50.0]))
        made.root_scale.copy_(torch.full_like(made.root_scale, 0.02))
        made.root_shift[0], made.root_shift[1] = 0.3, 0.4 if design.longwave else 2e-3
        made.root_scale[1] *= 1.0 if design.longwave else 1e-2
        return made

    return network


@pytest.fixture
def made_tables_at_hand(
    made_longwave: KDistribution, made_shortwave: KDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let datasets give the made tables, of which the noise is nearly taken out."""
    smooth = {"lw": _smoothed(made_longwave), "sw": _smoothed(made_shortwave)}

    def table(name: str) -> KDistribution:
        return smooth[name[:2]]

    monkeypatch.setattr(datasets, "k_distribution", table)
    monkeypatch.setattr(
        training_sets,
        "_table",
        lambda name, device: (table(name).to(device), spectrum_of(table(name).to(device))),
    )


def _smoothed(table: KDistribution) -> KDistribution:
    """Bring the coefficients close to their means, so that a small network can learn them."""

    def closer(rows: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(0.98 * x.mean(dim=0) + 0.02 * x for x in rows)

    lower, upper = (
        replace(
            part,
            rayleigh=closer(part.rayleigh),
            ratio=torch.ones_like(part.ratio),
            minor=tuple(
                m if m is None else replace(m, coefficients=closer((m.coefficients,))[0])
                for m in part.minor
            ),
        )
        for part in (table.lower, table.upper)
    )
    planck = table.planck
    if planck is not None:
        planck = replace(planck, fraction=closer(planck.fraction))
    return replace(table, major=closer(table.major), lower=lower, upper=upper, planck=planck)
