import numpy as np
import pytest

from restudy.nbody.catalogue import (
    compact_pairs,
    planetesimals,
    sun_jupiter_saturn,
    three_body,
    trappist_1,
)
from restudy.nbody.elements import (
    eccentric_anomaly,
    elements_from_state,
    mean_anomaly,
    state_from_elements,
)
from restudy.nbody.errors import NBodyError
from restudy.nbody.units import GRAVITY


def test_keplers_equation_is_solved_to_round_off_up_to_eccentricity_one(rng):
    M = rng.uniform(-20, 20, 200_000)
    e = np.r_[rng.uniform(0, 1, 100_000), 1 - 10 ** rng.uniform(-12, -1, 100_000)]
    E = eccentric_anomaly(M, e)
    truth = np.longdouble(E)  # what mean anomaly has E, in 64 bits of mantissa
    residual = truth - np.longdouble(e) * np.sin(truth) - np.longdouble(M)
    slope = 1 - e * np.cos(E)
    reach = np.spacing(np.abs(M)) + np.spacing(np.abs(E)) * np.maximum(slope, 1e-16)
    assert (np.abs(residual) <= 3 * reach + 1e-16).all()


def test_elements_there_and_back(rng):
    n = 10_000
    a, e = 10 ** rng.uniform(-2, 2, n), rng.uniform(0.001, 0.95, n)
    i, node, pericentre, M = rng.uniform([0.01, -3, -3, -3], [3.13, 3, 3, 3], (n, 4)).T
    r, v = state_from_elements(a, e, i, node, pericentre, M, GRAVITY)
    back = elements_from_state(r, v, GRAVITY)
    np.testing.assert_allclose(back.semi_major_axis, a, rtol=1e-12)
    np.testing.assert_allclose(back.eccentricity, e, atol=1e-13)
    np.testing.assert_allclose(back.inclination, i, atol=1e-12)
    for found, given in ((back.node, node), (back.pericentre, pericentre), (back.mean_anomaly, M)):
        assert np.abs(np.angle(np.exp(1j * (found - given)))).max() < 1e-9


def test_state_is_that_of_the_textbook():
    # Energy, angular momentum and Kepler's third law (Murray & Dermott 1999, section 2.3).
    a, e, mu, M = 2.0, 0.3, 5.0, 0.7
    r, v = state_from_elements(a, e, 0.4, 1.0, 2.0, M, mu)
    assert v @ v / 2 - mu / np.linalg.norm(r) == pytest.approx(-mu / (2 * a), rel=1e-14)
    h = np.cross(r, v)
    assert np.linalg.norm(h) == pytest.approx(np.sqrt(mu * a * (1 - e**2)), rel=1e-14)
    np.testing.assert_allclose(
        h / np.linalg.norm(h), [np.sin(0.4) * np.sin(1), -np.sin(0.4) * np.cos(1), np.cos(0.4)]
    )
    dt = 1e-6
    later, _ = state_from_elements(a, e, 0.4, 1.0, 2.0, M + dt * np.sqrt(mu / a**3), mu)
    np.testing.assert_allclose((later - r) / dt, v, rtol=1e-5)


def test_mean_longitude_is_smooth_through_circles_and_planes():
    M = np.linspace(-3, 3, 7)
    for e, i in ((0.0, 0.0), (1e-15, 0.0), (0.0, 1e-15), (1e-9, 1e-9)):
        r, v = state_from_elements(1.0, e, i, 0.0, 0.0, M, GRAVITY)
        np.testing.assert_allclose(elements_from_state(r, v, GRAVITY).mean_longitude, M, atol=1e-8)


def test_hyperbola_has_the_mean_anomaly_of_its_time_since_pericentre():
    # r = a (1 - e cosh F), t = (e sinh F - F) / n.
    a, e, mu, F = -1.5, 1.4, 3.0, 0.8
    n = np.sqrt(mu / -(a**3))
    x, y = a * (np.cosh(F) - e), -a * np.sqrt(e**2 - 1) * np.sinh(F)
    rate = n / (e * np.cosh(F) - 1)
    vx, vy = a * np.sinh(F) * rate, -a * np.sqrt(e**2 - 1) * np.cosh(F) * rate
    found = elements_from_state([x, y, 0.0], [vx, vy, 0.0], mu)
    assert found.semi_major_axis == pytest.approx(a, rel=1e-13)
    assert found.eccentricity == pytest.approx(e, rel=1e-13)
    assert found.mean_anomaly == pytest.approx(e * np.sinh(F) - F, rel=1e-12)
    assert np.isnan(mean_anomaly(0.3, 1.0))


def test_what_is_no_ellipse_is_refused():
    with pytest.raises(NBodyError, match=r"the eccentricity is 1.2; expected 0 to below 1"):
        state_from_elements(1.0, 1.2, 0, 0, 0, 0, GRAVITY)
    with pytest.raises(NBodyError, match=r"the semi-major axis is -1; expected"):
        state_from_elements(-1.0, 0.2, 0, 0, 0, 0, GRAVITY)
    with pytest.raises(NBodyError, match=r"mu is 0; expected"):
        state_from_elements(1.0, 0.2, 0, 0, 0, 0, 0.0)
    with pytest.raises(NBodyError, match=r"on a line through the centre"):
        elements_from_state([1.0, 0, 0], [2.0, 0, 0], 1.0)


def test_catalogue_has_the_published_periods():
    # Sun, Jupiter, Saturn: 11.86 and 29.46 yr on the mean; TRAPPIST-1, Grimm et al. (2018), days.
    np.testing.assert_allclose(sun_jupiter_saturn().periods(), [11.86, 29.46], rtol=0.02)
    days = [1.51088, 2.42179, 4.04978, 6.09981, 9.20587, 12.35382, 18.76727]
    np.testing.assert_allclose(trappist_1().periods() * 365.25, days, rtol=3e-3)
    assert trappist_1().names[:3] == ("TRAPPIST-1", "b", "c")


def test_families_keep_to_their_ranges_and_seeds(rng):
    for system in compact_pairs(rng, 20):
        a = system.semi_major_axes()
        assert 1.6 <= a[1] / a[0] <= 2.4
        assert 1e-6 <= system.masses[1:].min() <= system.masses[1:].max() <= 1e-3
    for system in three_body(rng, 20):
        a = system.semi_major_axes()
        assert 0.3 <= a[0] < a[1] <= 100.0
        assert np.abs(system.momentum()).max() < 1e-14
    disk = planetesimals(rng)
    assert disk.bodies == 101
    assert (np.diff(disk.semi_major_axes()) > 0).all()
    again = [planetesimals(np.random.default_rng(5), 10) for _ in range(2)]
    assert again[0] == again[1]
    with pytest.raises(NBodyError, match="count is 0"):
        planetesimals(rng, 0)
