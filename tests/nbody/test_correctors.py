import json
from pathlib import Path

import numpy as np
import pytest

from restudy.nbody.catalogue import planetary_system, sun_jupiter_saturn
from restudy.nbody.compiled import integrate_compiled
from restudy.nbody.compiled_setup import Scheme
from restudy.nbody.correctors import ORDERS, corrector, integrate_corrected, integrate_lazy
from restudy.nbody.errors import NBodyError
from restudy.nbody.flow import Flow, Sequence, integrate_sequence
from restudy.nbody.splitting import WisdomHolman91Split
from restudy.nbody.system import System

REBOUND = json.loads(
    (Path(__file__).parents[2] / "validation/2111.15631/rebound-high-order.json").read_text()
)


def energy_error(system, run):
    energies = [
        System(system.masses, q, v, gravity=system.gravity).energy()
        for q, v in zip(run.positions, run.velocities, strict=True)
    ]
    return np.abs(np.array(energies) / energies[0] - 1).max()


# Wisdom, Holman & Touma (1996), as other programs have them; Z(a, b) and Z(-a, -b) are the same to
# the first order, so signs are a convention, which the test of the series settles
PUBLISHED = {
    3: [-0.024900596027799867],
    5: [-0.0083001986759332892, 0.041500993379666446],
    7: [0.0024926811426922106, -0.018270923246702131, 0.053964399093127499],
    11: [
        0.00020361579647854651,
        -0.0023487215292295354,
        0.012309078592019946,
        -0.038121613681288651,
        0.072593394748842738,
    ],
}


@pytest.mark.parametrize("order", PUBLISHED)
def test_coefficients_of_wisdom_holman_and_touma(order):
    b = [x for x, flow in _stages(corrector(order)) if flow is Flow.KICK][0::2]
    np.testing.assert_allclose(np.abs(b[: len(b) // 2]), np.abs(PUBLISHED[order]), rtol=1e-14)
    assert (np.diff(np.sign(b[: len(b) // 2])) != 0).all()


def _stages(sequence):
    return list(zip(sequence.parts, sequence.flows, strict=True))


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("order", ORDERS)
def test_series_of_the_corrector(order, scheme):
    # sum of 2 b sinh(a y) over all Z is (f(y) - 1) / y up to y^(order - 2), and not beyond
    parts = np.array(corrector(order, scheme).parts).reshape(-1, 5)
    a, b = parts[:, 0], parts[:, 1]

    def lost(y):
        half = y / 2
        f = half / np.sinh(half) if scheme is Scheme.DRIFT_KICK_DRIFT else half / np.tanh(half)
        return abs((2 * b * np.sinh(a * y)).sum() - (f - 1) / y)

    high, low = (0.8, 0.4) if order < 17 else (1.6, 1.0)
    slope = np.log(lost(high) / lost(low)) / np.log(high / low)
    assert slope == pytest.approx(order, abs=0.1 * order)


def test_a_corrector_and_its_inverse_are_nothing():
    system = sun_jupiter_saturn().barycentric()
    whole = corrector(17) + corrector(17).inverse()
    nothing = Sequence((Flow.DRIFT, *whole.flows, Flow.DRIFT), (0.0, *whole.parts, 0.0))
    run = integrate_sequence(system, 0.3, 1, nothing)
    np.testing.assert_allclose(run.positions[-1], run.positions[0], atol=1e-13)
    np.testing.assert_allclose(run.velocities[-1], run.velocities[0], atol=1e-13)


def test_energy_of_sun_jupiter_and_saturn_is_that_of_rebound():
    system = sun_jupiter_saturn()
    for row in REBOUND["whfast_corrector"]:
        run = integrate_corrected(system, row["step"], 100_000, row["order"], sample_every=100)
        assert energy_error(system, run) == pytest.approx(row["energy_error"], rel=0.05)
    run = integrate_lazy(system, 0.1, 100_000, sample_every=100)
    assert energy_error(system, run) < 3 * REBOUND["whckl"]["energy_error"]


@pytest.mark.parametrize("scheme", Scheme)
def test_errors_of_the_first_order_in_the_masses_are_gone(scheme):
    without, with_corrector = [], []
    for mass in (1e-5, 1e-4):
        system = planetary_system(
            1.0, [mass, mass], [1.0, 1.9], [0.05, 0.05], [0.02, 0.0], true_anomaly=[0.3, 2.0]
        )
        plain = integrate_compiled(system, 0.02, 20_000, sample_every=20, scheme=scheme)
        better = integrate_corrected(system, 0.02, 20_000, 11, sample_every=20, scheme=scheme)
        without.append(energy_error(system, plain))
        with_corrector.append(energy_error(system, better))
    # energies themselves are of the first order, so relative errors have one power less
    assert np.log10(without[1] / without[0]) == pytest.approx(1, abs=0.1)
    assert np.log10(with_corrector[1] / with_corrector[0]) == pytest.approx(2, abs=0.2)
    assert with_corrector[1] < 1e-2 * without[1]


def test_the_lazy_kick_takes_the_second_order_away_too():
    system = sun_jupiter_saturn()
    corrected = integrate_corrected(system, 0.4, 20_000, 17, sample_every=20)
    lazy = integrate_lazy(system, 0.4, 20_000, sample_every=20)
    assert energy_error(system, lazy) < 0.03 * energy_error(system, corrected)


def test_the_papers_split_is_corrected_too():
    system = sun_jupiter_saturn()
    run = integrate_corrected(system, 0.1, 20_000, 11, sample_every=20, split=WisdomHolman91Split())
    assert energy_error(system, run) < 2e-10


def test_forth_and_back():
    system = sun_jupiter_saturn()
    there = integrate_corrected(system, 0.1, 10_000, 11, sample_every=10_000)
    end = System(system.masses, there.positions[-1], there.velocities[-1])
    back = integrate_corrected(end, -0.1, 10_000, 11, sample_every=10_000)
    # the corrector of -h is not quite the inverse of that of h: what is left is of the second order
    np.testing.assert_allclose(back.positions[-1], there.positions[0], atol=1e-8)


@pytest.mark.parametrize("order", [1, 4, 19])
def test_orders_that_cannot_be(order):
    with pytest.raises(NBodyError, match=f"a corrector of order {order} was asked for"):
        corrector(order)
