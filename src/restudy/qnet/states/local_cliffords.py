"""The 24 Clifford operations on one qubit as numbers, and two-qubit ones made of CZ and these.

An operation is known by the signed Paulis that it makes of X, Y and Z: 1, 2, 3, negative with a
minus sign.
"""

from functools import lru_cache
from itertools import product
from typing import Final, TypeAlias

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states.gates import CZ, SDG, H, I, Operator, S, X, Y, Z
from restudy.qnet.states.paulis import conjugation

Action: TypeAlias = tuple[int, int, int]  # images of X, Y, Z
Step: TypeAlias = tuple[int, int] | None  # local operations on both qubits, or a CZ


def action(matrix: np.ndarray) -> Action:
    """Return what a Clifford operation makes of X, Y and Z.

    Examples
    --------
    >>> action(H.matrix)
    (3, -2, 1)
    """
    table = conjugation(matrix)
    assert table is not None
    signed = np.where(table.negative, -table.image, table.image)
    x, y, z = signed[1:].tolist()
    return x, y, z


def _group() -> tuple[list[np.ndarray], dict[Action, int]]:
    """Return a matrix of each operation, the identity first, and the number of each action."""
    matrices, numbers = [I.matrix], {action(I.matrix): 0}
    for matrix in matrices:  # grows while it is read
        for generator in (X, Z, H, S):
            found = generator.matrix @ matrix
            if action(found) not in numbers:
                numbers[action(found)] = len(matrices)
                matrices.append(found)
    return matrices, numbers


_MATRICES, _NUMBERS = _group()
ACTIONS: Final = tuple(_NUMBERS)


@lru_cache(maxsize=4096)
def number(operator: Operator) -> int:
    """Return the number of a one-qubit Clifford operator."""
    return _NUMBERS[action(operator.matrix)]


def matrix(local: int) -> np.ndarray:
    """Return a matrix of an operation, up to phase, (2, 2)."""
    return _MATRICES[local]


def _compose(outer: Action, inner: Action) -> Action:
    x, y, z = (outer[abs(q) - 1] * (1 if q > 0 else -1) for q in inner)
    return x, y, z


# COMPOSED[a][b]: first b, then a.
COMPOSED: Final = tuple(tuple(_NUMBERS[_compose(a, b)] for b in ACTIONS) for a in ACTIONS)
# PULLED_Z[a]: the signed Pauli that becomes Z under a.
PULLED_Z: Final = tuple(
    next(p if a[p - 1] == 3 else -p for p in (1, 2, 3) if abs(a[p - 1]) == 3) for a in ACTIONS
)
PAULI: Final = tuple(number(operator) for operator in (I, X, Y, Z))
HADAMARD: Final = number(H)
# exp(i pi/4 X) and exp(-i pi/4 Z): what undoes a local complementation on vertex and neighbours.
ROOT_X: Final = _NUMBERS[action(np.array([[1, 1j], [1j, 1]]) * np.sqrt(0.5))]
ROOT_Z: Final = number(S)


@lru_cache(maxsize=256)
def steps(operator: Operator) -> tuple[Step, ...]:
    """Write a two-qubit Clifford operator as local operations and at most three CZ.

    Every one is local operations, then the identity, CZ, iSWAP or SWAP, then local operations;
    of the former, only what turns the axes matters.
    """
    turns = (0, COMPOSED[HADAMARD][ROOT_Z], COMPOSED[number(SDG)][HADAMARD])
    both = (HADAMARD, HADAMARD)
    for crossings in range(4):
        for first, second in product(turns, repeat=2):
            core: list[Step] = [(first, second)]
            for crossing in range(crossings):
                core += [None] if crossing == 0 else [both, None]
            rest = operator.matrix @ _product(core).conj().T
            after = _factors(rest)
            if after is not None:
                return (*core, after)
    raise QnetError(f"the operator {operator.name} is no Clifford operator on two qubits.")


def _product(core: list[Step]) -> np.ndarray:
    made = np.eye(4, dtype=np.complex128)
    for step in core:
        made = (CZ.matrix if step is None else np.kron(matrix(step[0]), matrix(step[1]))) @ made
    return made


def _factors(unitary: np.ndarray) -> tuple[int, int] | None:
    """Return the numbers of a and b if a unitary is a (x) b up to phase."""
    u, s, v = np.linalg.svd(unitary.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4))
    if s[1] > 1e-9:
        return None
    root = np.sqrt(2)
    left, right = (_NUMBERS[action(root * m.reshape(2, 2))] for m in (u[:, 0], v[0]))
    return left, right
