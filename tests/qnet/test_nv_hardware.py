"""Table S.II and its improvement, links in closed form, circuits without and with noise."""

import dataclasses

import numpy as np
import pytest

from restudy.qnet.batch.compile import compile_program, density_matrix, pauli_vector
from restudy.qnet.batch.nv_maps import nv_maps, swap_corrections
from restudy.qnet.batch.nv_swap_asap import swap_asap
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.instructions import duration_ns
from restudy.qnet.hardware.nv_circuits import (
    CARBON,
    ELECTRON,
    distill,
    idle_noise,
    retrieve,
    store,
    swap,
)
from restudy.qnet.hardware.nv_link import direct_pair, nv_link
from restudy.qnet.hardware.nv_parameters import (
    DARK_COUNTS_3X_PRINTED,
    HOUR_NS,
    NEAR_TERM,
    SECOND_NS,
    NVParameters,
    improved,
    noiseless,
    phase_dephasing,
)
from restudy.qnet.hardware.single_click import single_dephasing
from restudy.qnet.states.channels import t1_t2
from restudy.qnet.states.gates import PAULIS, H

# Printed in Table S.II for 3x and 10x, with half of the last digit
PRINTED = {
    "p_double_excitation": (2 * 0.01, 2 * 0.003, 2 * 5e-4),  # printed is its half: see `improved`
    "p_detection": (0.16, 0.58, 0.0065),  # 0.1663 is printed as 0.16
    "phase_sigma_rad": (0.20, 0.11, 0.0056),
    "visibility": (0.97, 0.99, 0.005),
    "storage_attempts": (4206, 14006, 6),
    "electron_t1_ns": (2.8 * HOUR_NS, 10 * HOUR_NS, 0.21 * HOUR_NS),  # 3 h is printed as 2.8 h
    "electron_t2_ns": (4.4 * SECOND_NS, 14.6 * SECOND_NS, 0.05 * SECOND_NS),
    "carbon_t1_ns": (27 * HOUR_NS, 100 * HOUR_NS, 3.01 * HOUR_NS),  # 30 h is printed as 27 h
    "carbon_t2_ns": (3 * SECOND_NS, 10 * SECOND_NS, 1),
    "carbon_init_fidelity": (0.999, 0.9997, 5e-5),
    "two_qubit_fidelity": (0.990, 0.997, 5e-4),
    "electron_init_fidelity": (0.997, 0.999, 5e-4),
    "readout_0": (0.983, 0.995, 5e-4),
    "readout_1": (0.9983, 0.9995, 5e-5),
}


@pytest.mark.parametrize("name", PRINTED)
def test_improved_values_are_those_of_the_table(name):
    three, ten, digit = PRINTED[name]
    assert getattr(improved(NEAR_TERM, 3), name) == pytest.approx(three, abs=digit)
    assert getattr(improved(NEAR_TERM, 10), name) == pytest.approx(ten, abs=digit)


def test_dark_counts_are_a_misprint():
    assert improved(NEAR_TERM, 3).p_dark == pytest.approx(8.3e-9, abs=5e-11)
    assert improved(NEAR_TERM, 10).p_dark == pytest.approx(2.5e-9, abs=5e-11)
    assert NEAR_TERM.p_dark < DARK_COUNTS_3X_PRINTED


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("two_qubit_fidelity", (0.985, 0.997, 0.9994)),
        ("p_detection", (0.068, 0.58, 0.90)),
        ("storage_attempts", (2800, 14000, 70000)),
        ("visibility", (0.95, 0.99, 0.998)),
    ],
)
def test_values_of_figure_6(name, values):
    for factor, value in zip((2, 10, 50), values, strict=True):
        found = getattr(improved(NEAR_TERM, 3, {name: factor}), name)
        assert found == pytest.approx(value, rel=0.009)
        assert improved(NEAR_TERM, 3, {name: factor}).readout_0 == improved(NEAR_TERM, 3).readout_0


def test_improving_twice_is_improving_by_the_product():
    twice = dataclasses.asdict(improved(improved(NEAR_TERM, 2), 5))
    once = dataclasses.asdict(improved(NEAR_TERM, 10))
    assert twice == pytest.approx(once, rel=1e-9)
    assert improved(NEAR_TERM, 1) == NEAR_TERM
    assert improved(noiseless(NEAR_TERM), 4).readout_0 == 1


def test_what_is_never_improved():
    better = improved(NEAR_TERM, 30)
    for name in ("bright_state", "fibre_loss_db_per_km", "two_qubit_ns", "emission_ns"):
        assert getattr(better, name) == getattr(NEAR_TERM, name)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"visibility": 1.1}, "visibility is 1.1; give a number from 0 to 1"),
        ({"two_qubit_fidelity": 0.01}, "two_qubit_fidelity is 0.01; give a number from 0.0625"),
        ({"readout_ns": 0.0}, "readout_ns is 0.0; give a number above 0"),
        ({"carbon_t2_ns": 1e15}, "carbon_t2_ns is 1e\\+15 and carbon_t1_ns is 3.6e\\+13"),
        ({"storage_attempts": float("nan")}, "storage_attempts is nan"),
    ],
)
def test_parameters_out_of_range(values, sentence):
    with pytest.raises(QnetError, match=sentence):
        NVParameters(**values)


def test_improvements_that_cannot_be():
    with pytest.raises(QnetError, match="factor above 0"):
        improved(NEAR_TERM, 0)
    with pytest.raises(QnetError, match="'alpha' is no parameter that can be improved"):
        improved(NEAR_TERM, 3, {"alpha": 2})


def test_small_probabilities():
    assert phase_dephasing(0.35) == pytest.approx(0.0317, abs=5e-5)
    assert phase_dephasing(0.0) == 0
    assert single_dephasing(0.1, 1400) == pytest.approx(6.4263e-4, abs=5e-9)
    assert (1 - 2 * single_dephasing(0.5, 1400)) ** 1400 == pytest.approx(np.exp(-1), rel=1e-3)


# Links in closed form: fact sheet of the paper, computed there independently


@pytest.mark.parametrize(
    ("factor", "length_km", "fidelity", "rate_hz"),
    [
        (1, 0.002, 0.803, 241),
        (1, 20, 0.803, 5.81),
        (1, 100, 0.803, 0.190),
        (1, 250, 0.792, 2.457e-3),
        (1, 500, 0.260, 2.46e-5),
        (1, 1000, 0.160, 1.04e-5),
        (10, 500, 0.886, 4.87e-4),
        (10, 750, 0.480, 2.41e-6),
        (10, 800, 0.3125, 1.60e-6),
        (10, 1000, 0.179, 1.04e-6),
    ],
)
def test_direct_pairs(factor, length_km, fidelity, rate_hz):
    found = direct_pair(improved(NEAR_TERM, factor), length_km)
    assert found.fidelity == pytest.approx(fidelity, abs=1e-3)
    assert found.rate_hz == pytest.approx(rate_hz, rel=4e-3)


@pytest.mark.parametrize(
    ("alpha", "fidelity", "rate_hz"),
    [(0.02, 0.8745, 20.9), (0.05, 0.848, 52.2), (0.2, 0.714, 209), (0.5, 0.447, 522)],
)
def test_bright_state_trades_fidelity_for_rate(alpha, fidelity, rate_hz):
    found = direct_pair(dataclasses.replace(NEAR_TERM, bright_state=alpha), 1.0)
    assert found.fidelity == pytest.approx(fidelity, abs=5e-4)
    assert found.rate_hz == pytest.approx(rate_hz, rel=3e-3)


def test_direct_pair_is_the_state_that_waited():
    parameters = dataclasses.replace(NEAR_TERM, electron_t1_ns=2e6, electron_t2_ns=1e6)
    link = nv_link(parameters, 100.0)
    wait = t1_t2(link.attempt_ns, 2e6, 1e6).kraus
    both = np.einsum("aij,bkl->abikjl", wait, wait).reshape(-1, 4, 4)
    rho = (both @ link.pair.density(-1) @ both.conj().transpose(0, 2, 1)).sum(axis=0)
    psi = np.array([0, 1, -1, 0]) / np.sqrt(2)
    assert direct_pair(parameters, 100.0).fidelity == pytest.approx((psi @ rho @ psi).real)


def test_rate_falls_with_better_hardware_far_away():
    for length_km in (700, 1000, 1500):
        rates = [direct_pair(improved(NEAR_TERM, k), length_km).rate_hz for k in (1, 10)]
        assert rates[0] > rates[1]


def test_no_attempt_can_succeed():
    parameters = dataclasses.replace(NEAR_TERM, p_detection=0.0, p_dark=0.0)
    with pytest.raises(QnetError, match="no attempt can succeed"):
        direct_pair(parameters, 1.0)
    with pytest.raises(QnetError, match="length_km is -1"):
        nv_link(NEAR_TERM, -1)


# Circuits


PERFECT = noiseless(NEAR_TERM)
IDLE = idle_noise(PERFECT)


def random_density(rng, qubits):
    a = rng.normal(size=(2, 2**qubits, 2**qubits))
    rho = (a[0] + 1j * a[1]) @ (a[0] + 1j * a[1]).conj().T
    return rho / np.trace(rho)


def test_store_rotates_by_hadamard_and_retrieve_rotates_back():
    stored = compile_program(store(PERFECT), IDLE, inputs=[ELECTRON], outputs=[CARBON]).maps[0]
    fetched = compile_program(retrieve(PERFECT), IDLE, inputs=[CARBON], outputs=[ELECTRON]).maps[0]
    rho = random_density(np.random.default_rng(1), 1)
    np.testing.assert_allclose(
        density_matrix(stored @ pauli_vector(rho)), H.matrix @ rho @ H.matrix, atol=1e-12
    )
    np.testing.assert_allclose(fetched @ stored, np.eye(4), atol=1e-12)


def bell(xx, zz):
    """Bell state with these eigenvalues of XX and ZZ, as in Supplementary Note 6."""
    x, z = PAULIS[1].matrix, PAULIS[3].matrix
    one = np.eye(4)
    return (one + xx * np.kron(x, x)) @ (one + zz * np.kron(z, z)) / 4


def test_swap_measures_bell_states_as_the_paper_says():
    maps = compile_program(swap(PERFECT), IDLE, inputs=[ELECTRON, CARBON], outputs=[]).maps
    rotated = np.kron(np.eye(2), H.matrix)
    for a in (1, -1):
        for b in (1, -1):
            chances = maps[:, 0] @ pauli_vector(rotated @ bell(a, b) @ rotated)
            earlier, later = (1 - 2 * m for m in divmod(int(chances.argmax()), 2))
            assert chances.max() == pytest.approx(1, abs=1e-12)
            assert (a, b) == (-earlier * later, later)


def test_swap_of_two_pairs_has_four_equal_outcomes():
    maps = compile_program(swap(PERFECT), IDLE, inputs=[ELECTRON, CARBON], outputs=[]).maps
    np.testing.assert_allclose(maps[:, 0, 0], 0.25, atol=1e-12)  # each spin is maximally mixed
    assert sorted(swap_corrections()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize(("c", "d"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_distillation_of_bell_states_is_proposition_2(a, b, c, d):
    part = compile_program(distill(PERFECT), IDLE, inputs=[ELECTRON, CARBON], outputs=[CARBON])
    maps = part.maps.reshape(2, 4, 4, 4)
    electrons = pauli_vector(bell(a, b)).reshape(4, 4)
    rotated = np.kron(H.matrix, H.matrix)
    carbons = pauli_vector(rotated @ bell(c, d) @ rotated).reshape(4, 4)
    found = np.einsum("maef,nbgh,eg,fh->mnab", maps, maps, electrons, carbons)
    for m in (0, 1):
        n = m if b * d == 1 else 1 - m
        assert found[m, n, 0, 0] == pytest.approx(0.5, abs=1e-12)
        assert found[m, 1 - n, 0, 0] == pytest.approx(0, abs=1e-12)
        rho = rotated @ density_matrix(found[m, n].ravel() * 2) @ rotated
        np.testing.assert_allclose(rho, bell(-a * c * d, d), atol=1e-12)


def test_durations():
    assert duration_ns(store(NEAR_TERM)) == 310e3 + 20e3 + 500e3 + 20e3 + 500e3 + 5
    assert duration_ns(retrieve(NEAR_TERM)) == 2e3 + 5 + 500e3 + 20e3 + 500e3 + 20e3
    assert duration_ns(distill(NEAR_TERM)) == 5 + 500e3 + 5 + 3.7e3
    swap_ns = 20e3 + 500e3 + 20e3 + 5 + 3.7e3 + 5 + 3.7e3 + duration_ns(retrieve(NEAR_TERM))
    assert duration_ns(swap(NEAR_TERM)) == swap_ns


# The paper's 0.39 and the independent check of the fact sheet (10,000 runs each, +- 0.0005)


@pytest.mark.parametrize(
    ("separately", "fidelity"),
    [
        ({}, 0.3942),
        ({"p_detection": 2}, 0.332),
        ({"p_detection": 10}, 0.473),
        ({"p_detection": 50}, 0.490),
        ({"two_qubit_fidelity": 50}, 0.414),
        ({"storage_attempts": 50}, 0.436),
        ({"visibility": 2}, 0.390),
        ({"visibility": 50}, 0.402),
        ({"p_detection": 50, "two_qubit_fidelity": 50}, 0.520),
        ({"p_detection": 50, "storage_attempts": 50}, 0.508),
    ],
)
def test_three_repeaters_over_500_km(separately, fidelity):
    maps = nv_maps(improved(NEAR_TERM, 3, separately), 125.0)
    found = swap_asap(maps, nodes=5, runs=10_000, rng=np.random.default_rng(1)).fidelity
    error = np.hypot(found.std() / 100, 0.0005)
    assert abs(found.mean() - fidelity) < 4 * error
