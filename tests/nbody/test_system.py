import numpy as np
import pytest

from restudy.nbody.catalogue import equal_binary, sun_jupiter_saturn, trappist_1
from restudy.nbody.errors import CloseEncounter, NBodyError
from restudy.nbody.system import System
from restudy.nbody.units import GRAVITY, KM_PER_S

MASSES = [1.0, 1e-3, 3e-4]
POSITIONS = [[0.0, 0.0, 0.0], [5.2, 0.0, 0.0], [0.0, 9.5, 0.0]]
VELOCITIES = [[0.0, 0.0, 0.0], [0.0, 2.75, 0.0], [-2.04, 0.0, 0.0]]


def changed(name, where, value):
    arrays = {
        "masses": np.array(MASSES),
        "positions": np.array(POSITIONS),
        "velocities": np.array(VELOCITIES),
    }
    arrays[name][where] = value
    return arrays


@pytest.mark.parametrize(
    ("name", "where", "value", "sentence"),
    [
        ("masses", 0, 0.0, "the mass of body 0 is 0; expected a mass above 0."),
        ("masses", 0, -1.0, "the mass of body 0 is -1; expected a mass above 0."),
        ("masses", 2, -1e-3, "the mass of body 2 is -0.001; expected a mass above 0: give a test"),
        ("masses", 1, 0.0, "the mass of body 1 is 0; expected a mass above 0: give a test"),
        ("masses", 1, 1.5, "body 1 has a mass of 1.5, more than the 1 of body 0; expected the sta"),
        ("masses", slice(None), np.array(MASSES) * 2e30, "expected solar masses: divide kilogr"),
        ("positions", (1, 0), np.nan, r"positions\[1, 0\], of body 1, is nan; expected a finite"),
        ("velocities", (2, 1), np.inf, r"velocities\[2, 1\], of body 2, is inf; expected a fini"),
        ("positions", 2, POSITIONS[1], r"body 1 and body 2 are both at \(5.2, 0.0, 0.0\); exp"),
        ("positions", slice(None), np.array(POSITIONS) * 1.496e11, "expected au: divide metres"),
        ("velocities", 1, [0.0, 5.0, 0.0], "body 1 moves with 1.28 times the speed of escape"),
        ("velocities", slice(None), np.array(VELOCITIES) / KM_PER_S, "multiply km/s by 0.21095"),
        ("velocities", slice(None), np.array(VELOCITIES) / 365.25, "multiply au/day by 365.25"),
        ("velocities", slice(None), np.array(VELOCITIES) / (2 * np.pi), "by 2 pi"),
    ],
)
def test_what_cannot_be_followed_is_refused(name, where, value, sentence):
    with pytest.raises(NBodyError, match=sentence):
        System(**changed(name, where, value))


def test_shapes_names_and_gravity_are_checked():
    with pytest.raises(NBodyError, match=r"masses have shape \(1,\); expected \(N,\)"):
        System([1.0], [[0, 0, 0]], [[0, 0, 0]])
    with pytest.raises(NBodyError, match=r"velocities have shape \(2, 3\); expected \(3, 3\)"):
        System(MASSES, POSITIONS, VELOCITIES[:2])
    with pytest.raises(NBodyError, match="1 names for 3 bodies"):
        System(MASSES, POSITIONS, VELOCITIES, ("Sun",))
    with pytest.raises(NBodyError, match="gravity is 0; expected"):
        System(MASSES, POSITIONS, VELOCITIES, gravity=0)
    with pytest.raises(NBodyError, match="masses cannot be read as numbers"):
        System(["one", "two"], POSITIONS[:2], VELOCITIES[:2])


def test_energy_and_momenta_against_sums_written_out():
    s = sun_jupiter_saturn()
    kinetic = sum(0.5 * m * (v @ v) for m, v in zip(s.masses, s.velocities, strict=True))
    potential = 0.0
    for i in range(3):
        for j in range(i):
            separation = np.sqrt(((s.positions[i] - s.positions[j]) ** 2).sum())
            potential -= s.gravity * s.masses[i] * s.masses[j] / separation
    assert s.energy() == pytest.approx(kinetic + potential, rel=1e-14)
    spin = sum(
        m * np.cross(r, v) for m, r, v in zip(s.masses, s.positions, s.velocities, strict=True)
    )
    np.testing.assert_allclose(s.angular_momentum(), spin, rtol=1e-14)


def test_barycentre_rests_in_the_origin_and_the_energy_falls_by_that_of_its_motion():
    s = sun_jupiter_saturn()
    b = s.barycentric()
    assert np.abs(b.momentum()).max() < 1e-17
    assert np.abs(b.masses @ b.positions).max() < 1e-17
    p = s.momentum()
    assert s.energy() - b.energy() == pytest.approx(p @ p / (2 * s.masses.sum()), rel=1e-6)


def test_bodies_of_an_equal_binary_go_round_in_two_pi_over_root_two():
    assert equal_binary().periods()[0] == pytest.approx(2 * np.pi / np.sqrt(2))
    assert equal_binary(0.5).energy() == pytest.approx(-0.5)  # -G m m / 2a


def test_sorting_keeps_names_with_their_bodies():
    s = trappist_1()
    shuffled = s.part([0, 3, 1, 7, 5, 2, 6, 4])
    assert shuffled.names[1] == "d"
    assert shuffled.sorted() == s
    assert shuffled != s
    assert shuffled.energy() == pytest.approx(s.energy(), rel=1e-14)


def test_a_system_keeps_its_own_numbers():
    masses = np.array(MASSES)
    s = System(masses, POSITIONS, VELOCITIES)
    masses[0] = 7.0
    assert s.masses[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        s.positions[0, 0] = 1.0
    assert s.gravity == GRAVITY


def test_a_close_encounter_names_the_pair_and_survives_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(CloseEncounter(12.5, ("b", "c"), 0.01, 0.02)))
    assert (error.time, error.pair) == (12.5, ("b", "c"))
    assert str(error).startswith("b and c are 0.01 au apart at 12.5 yr; expected more than 0.02 au")
