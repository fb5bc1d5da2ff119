"""Columns, tables and real files that several tests of the gas optics share."""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from restudy import data
from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.rfmip import Rfmip, read_rfmip
from restudy.gasoptics.standard import standard_atmospheres
from restudy.gasoptics.table_file import read_table
from restudy.gasoptics.tables import KDistribution, Minor, Part, PlanckTable


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep torch from spinning on a second core that others use."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def path_of() -> Callable[[str], Path]:
    """Give registered files; a test that needs one that is not at hand is skipped."""

    def path(name: str) -> Path:
        found = data.available(name)
        if found is None:
            pytest.skip(f"needs {name}: it is neither in the cache nor in a mirror")
        return found

    return path


@pytest.fixture(scope="session")
def real_table(path_of: Callable[[str], Path]) -> Callable[[str], KDistribution]:
    """Give tables of RRTMGP, each read once."""

    @functools.cache
    def table(name: str) -> KDistribution:
        return read_table(path_of(f"rrtmgp-{name}"))

    return table


@pytest.fixture(scope="session")
def rfmip(path_of: Callable[[str], Path]) -> Rfmip:
    return read_rfmip(path_of("rfmip-atmospheres"))


@pytest.fixture
def standard() -> Atmosphere:
    return standard_atmospheres(layers=24)


@pytest.fixture(scope="session")
def made_longwave() -> KDistribution:
    return made_table(longwave=True)


@pytest.fixture(scope="session")
def made_shortwave() -> KDistribution:
    return made_table(longwave=False)


def made_table(*, longwave: bool) -> KDistribution:
    """Make small tables of smooth coefficients: three gases, two bands of 3 and 2 g-points."""
    gases, bands = ("h2o", "co2", "o3"), (slice(0, 3), slice(3, 5))
    t, p, e = 14, 59, 9
    rng = np.random.default_rng(5)

    def rows(nodes: int, scale: float) -> tuple[torch.Tensor, ...]:
        return tuple(
            torch.from_numpy(scale * rng.uniform(0.5, 1.5, (nodes, b.stop - b.start)))
            for b in bands
        )

    def part(name: str, first_row: int) -> Part:
        minor = Minor(
            gas=(3, 1),
            scaling_gas=(-1, 1),
            by_complement=(False, first_row == 0),
            by_density=(False, True),
            coefficients=rows(2 * t * e, 1e-24)[0],
        )
        ratio = torch.from_numpy(rng.uniform(0.5, 2.0, (2, t)))
        rayleigh = () if longwave else rows(t * e, 1e-27)
        return Part(name, ((1, 2), (3, 0)), (0, 1), ratio, first_row, (minor, None), rayleigh)

    planck = None
    if longwave:
        shares = rows(t * (p + 1) * e, 1.0)
        shares = tuple(x / x.sum(dim=1, keepdim=True) for x in shares)
        temperature = torch.linspace(160.0, 355.0, 196, dtype=torch.float64)
        power = 5.670374e-8 * temperature**4 / math.pi
        planck = PlanckTable(shares, torch.stack((0.4 * power, 0.6 * power)), 160.0, 1.0)
    top = math.log(1.005183574463)
    return KDistribution(
        name="made",
        gases=gases,
        bands=bands,
        wavenumbers=np.array([[10.0, 500.0], [500.0, 3000.0]]),
        temperatures=t,
        pressures=p,
        fractions=e,
        temperature_first=160.0,
        temperature_step=15.0,
        log_pressure_first=math.log(109663.0),
        log_pressure_step=(top - math.log(109663.0)) / (p - 1),
        tropopause=9948.43,
        major=rows(t * (p + 1) * e, 1e-23),
        lower=part("lower", 0),
        upper=part("upper", 1),
        planck=planck,
        solar=None if longwave else torch.tensor([300.0, 400.0, 200.0, 350.0, 110.0]).double(),
    )
