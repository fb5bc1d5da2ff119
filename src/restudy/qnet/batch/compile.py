r"""Programs compiled once: one linear map for each series of measurement outcomes.

States are written as Pauli vectors :math:`r_i = Tr(P_i \rho)`, so :math:`\rho = 2^{-n} \sum_i r_i
P_i`, with the Paulis in the order of `restudy.qnet.states.paulis`: maps are real, and forgetting a
qubit is taking its component 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.hardware.instructions import (
    Program,
    TimedInstruction,
    check_program,
    duration_ns,
    positions,
)
from restudy.qnet.noise import NoiseModel
from restudy.qnet.states.paulis import pauli_matrices


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """What a program does, noise and time included.

    Attributes
    ----------
    maps : numpy.ndarray of float64, shape (2**m, 4**outputs, 4**inputs)
        For each of the outcomes of m measurements, the first the most significant bit, the map
        of Pauli vectors; component 0 of the result is the outcome's probability times component 0
        of the input.
    duration_ns : float
        How long the program takes, ns.
    """

    maps: np.ndarray = field(repr=False)
    duration_ns: float


def pauli_vector(density: np.ndarray) -> np.ndarray:
    r"""Return the Pauli vector of a density matrix of n qubits, (4**n,).

    Examples
    --------
    >>> pauli_vector(np.diag([1, 0])).tolist()  # |0>: I and Z
    [1.0, 0.0, 0.0, 1.0]
    """
    paulis = pauli_matrices(len(density).bit_length() - 1)
    vector: np.ndarray = np.einsum("aij,ji->a", paulis, density).real
    return vector


def density_matrix(vector: np.ndarray) -> np.ndarray:
    """Return the density matrix of a Pauli vector of n qubits, (2**n, 2**n)."""
    n = (len(vector).bit_length() - 1) // 2
    matrix: np.ndarray = np.einsum("a,aij->ij", vector, pauli_matrices(n)) / 2**n
    return matrix


def transfer_matrix(kraus: np.ndarray) -> np.ndarray:
    """Return the Pauli transfer matrix of Kraus operators (m, 2**k, 2**k), (4**k, 4**k).

    Examples
    --------
    >>> transfer_matrix(np.array([[[0, 1], [1, 0]]])).round(12)  # X keeps X, turns Y and Z
    array([[ 1.,  0.,  0.,  0.],
           [ 0.,  1.,  0.,  0.],
           [ 0.,  0., -1.,  0.],
           [ 0.,  0.,  0., -1.]])
    """
    size = kraus.shape[1]
    paulis = pauli_matrices(size.bit_length() - 1)
    images = np.einsum("mij,bjk,mlk->bil", kraus, paulis, kraus.conj(), optimize=True)
    matrix: np.ndarray = np.einsum("aij,bji->ab", paulis, images, optimize=True).real / size
    return matrix + 0.0  # no negative zeros


def compile_program(
    program: Program,
    idle: Sequence[NoiseModel],
    *,
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> CompiledProgram:
    """Compile a program with its noise, durations and outcomes.

    Each instruction acts at the end of its duration; all qubits decohere all the time.

    Parameters
    ----------
    program : tuple of tuples of TimedInstruction
        Steps; the instructions of a step start together.
    idle : sequence of NoiseModel
        What each position suffers as time passes.
    inputs : sequence of int
        Positions whose state is given, in this order; the others begin in ``|0>``.
    outputs : sequence of int
        Positions whose state is asked for, in this order; the others are forgotten.

    Returns
    -------
    CompiledProgram
        One map for each series of outcomes.

    Raises
    ------
    QnetError
        If a position is outside those of `idle` or given twice, or a step is not possible.

    Notes
    -----
    Costs O(2**m 4**(n + inputs)) for each instruction, n positions and m measurements; made once
    for a set of parameters (arXiv 2010.12535, section "Qubits and quantum computation", caches
    single operators instead).

    Examples
    --------
    >>> from restudy.qnet.hardware.instructions import readout
    >>> from restudy.qnet.noise import DephaseNoise
    >>> still = DephaseNoise(0.0)
    >>> program = ((readout(0, 1.0, 1.0, 1.0),),)
    >>> compile_program(program, [still], inputs=[0], outputs=[]).maps  # (I + Z)/2, (I - Z)/2
    array([[[ 0.5,  0. ,  0. ,  0.5]],
    <BLANKLINE>
           [[ 0.5,  0. ,  0. , -0.5]]])
    """
    n = len(idle)
    check_program(program)
    _check_positions(program, n, inputs, outputs)
    # (branches, 4 for each position, inputs): what becomes of each Pauli that comes in
    columns = 4 ** len(inputs)
    start = np.zeros((1,) + (4,) * n + (columns,))
    zeros = np.ix_(*[range(4) if at in inputs else (0, 3) for at in range(n)])
    order = [sorted(inputs).index(at) for at in inputs]
    basis = np.eye(columns).reshape((4,) * len(inputs) + (columns,))
    basis = np.moveaxis(basis, range(len(inputs)), order)
    given = [4 if at in inputs else 1 for at in range(n)]
    start[0][zeros] = basis.reshape(*given, columns)
    branches = start
    for step in program:
        now = 0.0
        for one in sorted(step, key=lambda one: one.duration_ns):
            branches = _wait(branches, idle, one.duration_ns - now)
            now = one.duration_ns
            branches = _act(branches, one)
    kept = branches[(slice(None), *[slice(None) if at in outputs else 0 for at in range(n)])]
    axes = [1 + sorted(outputs).index(at) for at in outputs]
    kept = kept.transpose(0, *axes, kept.ndim - 1)
    maps = kept.reshape(len(kept), 4 ** len(outputs), columns)
    return CompiledProgram(np.ascontiguousarray(maps), duration_ns(program))


def _check_positions(
    program: Program, n: int, inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    for name, at in (("inputs", inputs), ("outputs", outputs)):
        if len(set(at)) != len(at) or not all(0 <= one < n for one in at):
            raise QnetError(
                f"the {name} are {list(at)}; give different positions from 0 to {n - 1}, one for "
                "each entry of `idle`."
            )
    if positions(program) > n:
        raise QnetError(
            f"the program acts at position {positions(program) - 1} and there is idle noise for "
            f"{n} positions; give one for each."
        )


def _wait(branches: np.ndarray, idle: Sequence[NoiseModel], elapsed_ns: float) -> np.ndarray:
    for at, noise in enumerate(idle):
        channel = noise.channel(elapsed_ns) if elapsed_ns > 0 else None
        if channel is not None:
            branches = _apply(branches, transfer_matrix(channel.kraus), (at,))
    return branches


def _act(branches: np.ndarray, one: TimedInstruction) -> np.ndarray:
    """Apply an instruction: each branch becomes one for each outcome."""
    after = [_apply(branches, transfer_matrix(kraus), one.at) for kraus in one.outcomes]
    return np.stack(after, axis=1).reshape(-1, *branches.shape[1:])


def _apply(branches: np.ndarray, matrix: np.ndarray, at: tuple[int, ...]) -> np.ndarray:
    k = len(at)
    axes = [1 + one for one in at]
    tensor = matrix.reshape((4,) * (2 * k))
    moved = np.tensordot(tensor, branches, axes=(range(k, 2 * k), axes))
    return np.moveaxis(moved, range(k), axes)
