r"""All that a chain of NV nodes does to its pairs, compiled to small real matrices.

A pair is its Pauli matrix :math:`r_{ij} = Tr(P_i \otimes P_j \rho)`, (4, 4), rows for the left
qubit: a map on the right qubit is a product from the right.
"""

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from restudy.qnet.batch.compile import compile_program, pauli_vector, transfer_matrix
from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.nv_circuits import (
    CARBON,
    ELECTRON,
    distill,
    idle_noise,
    retrieve,
    store,
    swap,
    turn,
)
from restudy.qnet.hardware.nv_link import nv_link
from restudy.qnet.hardware.nv_parameters import NVParameters, noiseless
from restudy.qnet.noise import NoiseModel
from restudy.qnet.states.gates import PAULIS, H

TARGET: Final = np.diag([1.0, 1.0, 1.0, -1.0])
"""Pauli matrix of psi+, to which all corrections lead."""
SIGNS: Final = np.array([np.diag(transfer_matrix(pauli.matrix[None])) for pauli in PAULIS])
"""What the Paulis I, X, Y, Z do to a Pauli vector, (4, 4)."""
HADAMARD: Final = transfer_matrix(H.matrix[None])


@dataclass(frozen=True, eq=False)
class NVMaps:
    """One link length and one set of parameters.

    Attributes
    ----------
    p_success, attempt_ns, message_ns : float
        Of the link.
    heralded : numpy.ndarray of float64, shape (2, 4, 4)
        Pauli matrix of a pair when it is heralded by the detector + or -.
    kept : float
        Factor of a stored spin's coherence for each attempt.
    rates : numpy.ndarray of float64, shape (2, 2)
        1/T1 and 1/T2 of electron and carbon, 1/ns.
    store, retrieve : numpy.ndarray of float64, shape (4, 4)
        Maps of the Pauli vector.
    swap : numpy.ndarray of float64, shape (4, 4, 4)
        Probability of outcome (first, second) from the Pauli matrix of (electron, carbon).
    correction : numpy.ndarray of int64, shape (4,)
        Pauli that outcome (first, second) asks for.
    turn : numpy.ndarray of float64, shape (4, 4, 4)
        Maps of the Pauli vector of an electron to which I, X, Y, Z are applied.
    distill : numpy.ndarray of float64, shape (2, 4, 4, 4)
        Map to the carbon from (electron, carbon) for each outcome of one node.
    store_ns, retrieve_ns, swap_ns, distill_ns, gate_ns : float
        Durations.
    """

    p_success: float
    attempt_ns: float
    message_ns: float
    heralded: np.ndarray
    kept: float
    rates: np.ndarray
    store: np.ndarray
    retrieve: np.ndarray
    swap: np.ndarray
    correction: np.ndarray
    turn: np.ndarray
    distill: np.ndarray
    store_ns: float
    retrieve_ns: float
    swap_ns: float
    distill_ns: float
    gate_ns: float

    @cached_property
    def record(self) -> np.record:
        """All of it in one record, for compiled code."""
        values = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}
        layout = [(name, value.dtype, value.shape) for name, value in values.items()]
        record: np.record = np.zeros(1, np.dtype((np.record, layout)))[0]
        for name, value in values.items():
            record[name] = value
        return record


@lru_cache(maxsize=64)
def nv_maps(parameters: NVParameters, length_km: float) -> NVMaps:
    """Compile links of a length and nodes with some parameters.

    Parameters
    ----------
    parameters : NVParameters
        Of all nodes and links.
    length_km : float
        Distance of neighbouring nodes, km.

    Returns
    -------
    NVMaps
        Maps and durations.

    Raises
    ------
    QnetError
        If the length is not a number of at least 0, or no attempt can succeed.

    Examples
    --------
    >>> from restudy.qnet.hardware.nv_parameters import NEAR_TERM
    >>> maps = nv_maps(NEAR_TERM, 20)
    >>> maps.swap[:, 0, 0].round(3).tolist()  # electron and carbon maximally mixed
    [0.228, 0.249, 0.249, 0.273]
    """
    link = nv_link(parameters, length_km)
    idle = idle_noise(parameters)
    fresh = np.array([pauli_vector(link.pair.density(sign)) for sign in (1, -1)])
    waited = _transfer(idle[ELECTRON], link.attempt_ns)
    heralded = waited @ fresh.reshape(2, 4, 4) @ waited.T
    here, there, both = [ELECTRON], [CARBON], [ELECTRON, CARBON]
    stored = compile_program(store(parameters), idle, inputs=here, outputs=there)
    fetched = compile_program(retrieve(parameters), idle, inputs=there, outputs=here)
    turned = [
        compile_program(turn(parameters, pauli), idle, inputs=here, outputs=here)
        for pauli in range(4)
    ]
    swapped = compile_program(swap(parameters), idle, inputs=both, outputs=[])
    distilled = compile_program(distill(parameters), idle, inputs=both, outputs=there)
    p = parameters
    return NVMaps(
        p_success=link.pair.p_success,
        attempt_ns=link.attempt_ns,
        message_ns=link.message_ns,
        heralded=np.ascontiguousarray(heralded),
        kept=1 - 2 * link.storage_dephasing,
        rates=1
        / np.array([[p.electron_t1_ns, p.electron_t2_ns], [p.carbon_t1_ns, p.carbon_t2_ns]]),
        store=stored.maps[0],
        retrieve=fetched.maps[0],
        swap=swapped.maps.reshape(4, 4, 4),
        correction=swap_corrections(),
        turn=np.array([one.maps[0] for one in turned]),
        distill=distilled.maps.reshape(2, 4, 4, 4),
        store_ns=stored.duration_ns,
        retrieve_ns=fetched.duration_ns,
        swap_ns=swapped.duration_ns,
        distill_ns=distilled.duration_ns,
        gate_ns=turned[0].duration_ns,
    )


@lru_cache(maxsize=1)
def swap_corrections() -> np.ndarray:
    """Return the Pauli, 0 to 3, that each outcome of the swap asks for, (4,) int64.

    Found by swapping two perfect psi+ with the noiseless circuit. It is the paper's rule
    (Supplementary Note 6): with outcomes m = +1 or -1, the measured Bell state has
    XX = -m_first m_second and ZZ = m_second.

    Examples
    --------
    >>> swap_corrections().tolist()  # outcomes 00, 01, 10, 11: Y, I, X, Z
    [2, 0, 1, 3]
    """
    perfect = noiseless(NVParameters())
    program, idle = swap(perfect), idle_noise(perfect)
    maps = compile_program(program, idle, inputs=[ELECTRON, CARBON], outputs=[]).maps
    found = TARGET @ maps.reshape(4, 4, 4) @ (HADAMARD @ TARGET)
    overlap = np.einsum("mij,ij,qj->mq", found, TARGET, SIGNS)
    corrections = overlap.argmax(axis=1).astype(np.int64)
    corrections.flags.writeable = False
    return corrections


def _transfer(noise: NoiseModel, elapsed_ns: float) -> np.ndarray:
    channel = noise.channel(elapsed_ns)
    if channel is None:
        raise QnetError(f"an attempt takes {elapsed_ns} ns; give an emission time above 0.")
    return transfer_matrix(channel.kraus)
