"""Pairs that are diagonal in a basis of stabilizer states: Bell-diagonal pairs and their kin.

Two qubits in a mixture of the four Bell states are (1 + a XX + b YY + c ZZ) / 4. Clifford
operations turn the three Paulis into three other commuting ones, with a sign; Pauli noise scales
each number; a swap multiplies them. All of it is exact, and costs a few multiplications.
"""

from typing import Any, ClassVar

import numpy as np

from restudy.qnet.errors import QnetError
from restudy.qnet.states.channels import Noise, PauliChannel, drawn
from restudy.qnet.states.gates import Operator
from restudy.qnet.states.paulis import pauli_matrices
from restudy.qnet.states.state import Formalism

# Signs of II, XX, YY, ZZ in the Bell states phi+, psi+, psi-, phi-.
_DIAGONAL = frozenset((5, 10, 15))  # XX, YY and ZZ
_SIGNS = ((1, 1, -1, 1), (1, 1, 1, -1), (1, -1, -1, -1), (1, -1, 1, 1))


class BellPair:
    """One or two qubits, the mean of a group of commuting Paulis: rho = sum c P / 2**n.

    Parameters
    ----------
    means : dict
        Mean of each Pauli other than I that has one; a Pauli is a number as in
        `restudy.qnet.states.paulis`. They commute with each other; it is not checked.
    size : int
        Number of qubits, 1 or 2.

    Examples
    --------
    >>> pair = BellPair.mixture((0.5, 0.25, 0.25, 0.0))
    >>> pair.weights
    (0.5, 0.25, 0.25, 0.0)
    >>> pair.means  # of XX, YY and ZZ
    {5: 0.5, 10: -0.5, 15: 0.0}
    """

    formalism: ClassVar[Formalism] = Formalism.BELL
    __slots__ = ("_diagonal", "_means", "owners", "size")

    # A Bell-diagonal pair has the means of XX, YY and ZZ in a tuple, until somebody wants a dict.
    _diagonal: tuple[float, float, float] | None
    _means: dict[int, float]

    def __init__(self, means: dict[int, float], size: int) -> None:
        self.means = means
        self.size = size
        self.owners: list[Any] = []

    @classmethod
    def _of(cls, diagonal: tuple[float, float, float]) -> "BellPair":
        """Return the pair with these means of XX, YY and ZZ."""
        pair = cls.__new__(cls)
        pair._diagonal = diagonal
        pair.size = 2
        pair.owners = []
        return pair

    @property
    def means(self) -> dict[int, float]:
        """Mean of each Pauli other than I that has one."""
        if self._diagonal is not None:
            xx, yy, zz = self._diagonal
            self._means = {5: xx, 10: yy, 15: zz}
            self._diagonal = None
        return self._means

    @means.setter
    def means(self, means: dict[int, float]) -> None:
        if means.keys() == _DIAGONAL:
            self._diagonal = means[5], means[10], means[15]
        else:
            self._diagonal = None
            self._means = means

    @classmethod
    def basis(cls, bit: int) -> "BellPair":
        """Return one qubit in ``|0>`` or ``|1>``."""
        return cls({3: 1.0 - 2 * bit}, 1)

    @classmethod
    def mixture(cls, weights: tuple[float, ...]) -> "BellPair":
        """Return a mixture of the Bell states phi+, psi+, psi-, phi- with these weights."""
        i, x, y, z = weights
        return cls({5: i + x - y - z, 10: x + z - i - y, 15: i + z - x - y}, 2)

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """Weights of the Bell states phi+, psi+, psi-, phi-; with the others they make up one.

        They are the diagonal of the density matrix in the Bell basis, also where it is not
        diagonal.
        """
        xx, yy, zz = (self.means.get(p, 0.0) for p in (5, 10, 15))
        return (
            (1 + xx - yy + zz) / 4,
            (1 + xx + yy - zz) / 4,
            (1 - xx - yy - zz) / 4,
            (1 - xx + yy + zz) / 4,
        )

    def takes(self, operation: Operator | Noise) -> bool:
        """Tell whether the operation stays within the formalism: Clifford, or Pauli noise."""
        if isinstance(operation, PauliChannel):
            return True
        return isinstance(operation, Operator) and operation.clifford is not None

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a Clifford operation."""
        table = operator.clifford
        assert table is not None
        signed = table.signed
        moved = {}
        if len(at) == 1:
            shift = 2 * (self.size - 1 - at[0])
            for p, mean in self.means.items():
                inner = p >> shift & 3
                image, sign = signed[inner]
                moved[p ^ (inner ^ image) << shift] = sign * mean
        else:
            for p, mean in self.means.items():
                image, sign = signed[_picked(p, at)]
                moved[_picked(image, at)] = sign * mean
        self.means = moved

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply Pauli noise exactly; nothing is drawn."""
        scales = channel.scales  # type: ignore[union-attr]  # `takes` let none but Pauli noise pass
        if self._diagonal is not None and len(at) == 1:
            xx, yy, zz = self._diagonal
            self._diagonal = xx * scales[1], yy * scales[2], zz * scales[3]
            return
        means = self.means
        if len(at) == 1:
            shift = 2 * (self.size - 1 - at[0])
            for p, mean in means.items():
                means[p] = mean * scales[p >> shift & 3]
        else:
            for p, mean in means.items():
                means[p] = mean * scales[_picked(p, at)]
        self.means = means

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        shift = 2 * (self.size - 1 - at)
        z = 3 << shift
        mean = self.means.get(z, 0.0)
        outcome = int(rng.random() >= (1 + mean) / 2)
        sign = -1 if outcome else 1
        left: dict[int, float] = {}
        if self.size == 2:
            for p in (1, 2, 3):
                q = p << (2 - shift)
                total = self.means.get(q, 0.0) + sign * self.means.get(q ^ z, 0.0)
                if total:
                    left[p] = total / (1 + sign * mean)
        self.means = left
        self.size -= 1
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Trace a qubit out, exactly; the last qubit takes its position."""
        shift = 2 * (self.size - 1 - at)
        kept = {p: mean for p, mean in self.means.items() if not p >> shift & 3}
        self.means = {p >> (2 - shift): mean for p, mean in kept.items()}
        self.size -= 1

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        paulis = pauli_matrices(len(at))
        matrix = paulis[0].copy()
        for p, mean in self.means.items():
            if len(at) == self.size:
                matrix += mean * paulis[_picked(p, at)]
            elif at and not p & ~(3 << 2 * (self.size - 1 - at[0])):
                matrix += mean * paulis[p >> 2 * (self.size - 1 - at[0])]
        return matrix / (1 << len(at))

    def copy(self) -> "BellPair":
        """Return a state of its own that is the same."""
        if self._diagonal is not None:
            return self._of(self._diagonal)
        return BellPair(self.means.copy(), self.size)

    def joined(self, other: "BellPair") -> "BellPair":
        """Return the product with another; two qubits at most.

        Raises
        ------
        QnetError
            If there would be more than two qubits.
        """
        if self.size + other.size > 2:
            raise QnetError(
                f"a {self.formalism.value} of {self.size + other.size} qubits was asked for; it "
                "has at most two: convert to DENSITY."
            )
        if not self.size:
            return other
        if other.size:
            ours = {p << 2: mean for p, mean in self.means.items()}
            product = {p | q: c * d for p, c in ours.items() for q, d in other.means.items()}
            self.means = ours | other.means | product
            self.size = 2
        return self


def _picked(p: int, at: tuple[int, ...]) -> int:
    """Return a Pauli on all qubits, one or two, with the digits in the order of `at`.

    It is its own inverse.
    """
    return p if at[0] == 0 else p >> 2 | (p & 3) << 2 * (len(at) - 1)


def swapped(
    left: BellPair, a: int, right: BellPair, b: int, *, rng: np.random.Generator
) -> tuple[int, BellPair]:
    """Measure qubit a of one pair and b of another in the Bell basis, in one step.

    For Bell-diagonal pairs the weights of the result are the convolution of theirs over
    Z2 x Z2, shifted by the Bell state found: the means are products.

    Returns
    -------
    tuple of int and BellPair
        The Bell state found, and the state of the two others.
    """
    ours, theirs = left._diagonal, right._diagonal
    if ours is not None and theirs is not None:
        outcome = int(4 * rng.random())  # all four are equally likely
        _, x, y, z = _SIGNS[outcome]
        product = x * ours[0] * theirs[0], y * ours[1] * theirs[1], z * ours[2] * theirs[2]
        return outcome, BellPair._of(product)
    a_shift, b_shift = 2 * (1 - a), 2 * (1 - b)
    entangled = {}  # by the Pauli on the measured qubit: on the other, and the mean
    for p, mean in right.means.items():
        kept = p >> (2 - b_shift) & 3
        measured = p >> b_shift & 3
        if not (kept and measured):
            return _projected(left, a_shift, right, b_shift, rng)
        entangled[measured] = kept, mean
    outcome = int(4 * rng.random())  # all four are equally likely
    signs = _SIGNS[outcome]
    means = {}
    for p, mean in left.means.items():
        measured = p >> a_shift & 3
        place = (p >> (2 - a_shift) & 3) << 2
        if not measured:
            means[place] = mean
        elif measured in entangled:
            kept, other = entangled[measured]
            means[place | kept] = signs[measured] * mean * other
    return outcome, BellPair(means, 2)


def _projected(
    left: BellPair, a_shift: int, right: BellPair, b_shift: int, rng: np.random.Generator
) -> tuple[int, BellPair]:
    """Do as `swapped` with a right pair that may be a product; shifts are of measured Paulis."""
    # Paulis by what they are on the measured qubit; each list has (on the other, mean).
    rights: list[list[tuple[int, float]]] = [[(0, 1.0)], [], [], []]
    for p, mean in right.means.items():
        rights[p >> b_shift & 3].append((p >> (2 - b_shift) & 3, mean))
    joint = [(kept, 0, mean) for kept, mean in rights[0]]  # on the others, measured, mean
    for p, mean in left.means.items():
        measured = p >> a_shift & 3
        ours = (p >> (2 - a_shift) & 3) << 2
        for kept, other in rights[measured]:
            joint.append((ours | kept, measured, mean * other))
    alone = [0.0, 0.0, 0.0, 0.0]
    for q, measured, mean in joint:
        if not q:
            alone[measured] += mean
    _, xx, yy, zz = alone
    outcome = drawn(
        (
            (1 + xx - yy + zz) / 4,
            (1 + xx + yy - zz) / 4,
            (1 - xx - yy - zz) / 4,
            (1 - xx + yy + zz) / 4,
        ),
        rng,
    )
    signs = _SIGNS[outcome]
    norm = 1 + signs[1] * xx + signs[2] * yy + signs[3] * zz
    means: dict[int, float] = {}
    for q, measured, mean in joint:
        if q:
            means[q] = means.get(q, 0.0) + signs[measured] * mean / norm
    return outcome, BellPair(means, 2)
