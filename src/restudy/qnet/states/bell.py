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
from restudy.qnet.states.paulis import anticommute, pauli_matrices
from restudy.qnet.states.state import Formalism

# Sign of XX, YY, ZZ (column: X, Y, Z) in the Bell states phi+, psi+, psi-, phi-.
_SIGNS = ((1, 1, -1, 1), (1, 1, 1, -1), (1, -1, -1, -1), (1, -1, 1, 1))
_ANTICOMMUTE = tuple(tuple(anticommute(p, q) for q in range(16)) for p in range(16))


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
    __slots__ = ("means", "owners", "size")

    def __init__(self, means: dict[int, float], size: int) -> None:
        self.means = means
        self.size = size
        self.owners: list[Any] = []

    @classmethod
    def basis(cls, bit: int) -> "BellPair":
        """Return one qubit in |0> or |1>."""
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
        if isinstance(operation, Operator):
            return operation.clifford is not None
        return isinstance(operation, PauliChannel)

    def apply(self, operator: Operator, at: tuple[int, ...]) -> None:
        """Apply a Clifford operation."""
        table = operator.clifford
        assert table is not None
        image, negative = table.image, table.negative
        moved = {}
        for p, mean in self.means.items():
            inner, outer = self._split(p, at)
            q = self._placed(int(image[inner]), at) ^ outer
            moved[q] = -mean if negative[inner] else mean
        self.means = moved

    def channel(self, channel: Noise, at: tuple[int, ...], *, rng: np.random.Generator) -> None:
        """Apply Pauli noise exactly; nothing is drawn."""
        assert isinstance(channel, PauliChannel)
        scale = channel.scales
        for p in self.means:
            self.means[p] *= scale[self._split(p, at)[0]]

    def _split(self, p: int, at: tuple[int, ...]) -> tuple[int, int]:
        """Return the part of a Pauli at some positions, in their order, and the rest in place."""
        inner = 0
        outer = p
        for position in at:
            shift = 2 * (self.size - 1 - position)
            inner = inner << 2 | (p >> shift & 3)
            outer &= ~(3 << shift)
        return inner, outer

    def _placed(self, inner: int, at: tuple[int, ...]) -> int:
        """Return a Pauli on some positions as one on all."""
        p = 0
        for position in reversed(at):
            p |= (inner & 3) << 2 * (self.size - 1 - position)
            inner >>= 2
        return p

    def measure(self, at: int, *, rng: np.random.Generator) -> int:
        """Measure Z and remove the qubit; the last qubit takes its position."""
        z = self._placed(3, (at,))
        mean = self.means.get(z, 0.0)
        outcome = int(rng.random() >= (1 + mean) / 2)
        sign = -1 if outcome else 1
        left: dict[int, float] = {}
        if self.size == 2:
            for p in (1, 2, 3):
                q = self._placed(p, (1 - at,))
                total = self.means.get(q, 0.0) + sign * self.means.get(q ^ z, 0.0)
                if total:
                    left[p] = total / (1 + sign * mean)
        self.means = left
        self.size -= 1
        return outcome

    def discard(self, at: int, *, rng: np.random.Generator | None) -> None:
        """Trace a qubit out, exactly; the last qubit takes its position."""
        kept = {}
        if self.size == 2:
            kept = {p >> 2 * at: c for p, c in self.means.items() if not self._split(p, (at,))[0]}
        self.means = kept
        self.size -= 1

    def density(self, at: tuple[int, ...]) -> np.ndarray:
        """Return the reduced density matrix of k positions, in that order, (2**k, 2**k)."""
        paulis = pauli_matrices(len(at))
        matrix = paulis[0].copy()
        for p, mean in self.means.items():
            inner, outer = self._split(p, at)
            if not outer:
                matrix += mean * paulis[inner]
        return matrix / (1 << len(at))

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


def swapped(
    left: BellPair, a: int, right: BellPair, b: int, *, rng: np.random.Generator
) -> tuple[int, BellPair]:
    """Measure qubit a of one pair and b of another in the Bell basis, in one step.

    For Bell-diagonal pairs the weights of the result are the convolution of theirs over
    Z2 x Z2, shifted by the Bell state found.

    Returns
    -------
    tuple of int and BellPair
        The Bell state found, and the state of the two others.
    """
    a_shift, b_shift = 2 * (1 - a), 2 * (1 - b)
    joint: list[tuple[int, int, float]] = []  # Pauli of the two others, measured Pauli, mean
    alone = [0.0, 0.0, 0.0, 0.0]
    rights = [(p >> b_shift & 3, p >> (2 - b_shift) & 3, c) for p, c in right.means.items()]
    rights.append((0, 0, 1.0))
    for p, c in left.means.items():
        joint.extend(
            ((p >> (2 - a_shift) & 3) << 2 | kept, measured, c * d)
            for measured, kept, d in rights
            if measured == p >> a_shift & 3
        )
    joint.extend((kept, 0, d) for measured, kept, d in rights if measured == 0 and kept)
    for q, measured, c in joint:
        if q == 0:
            alone[measured] += c
    outcome = _outcome(alone, rng)
    signs = _SIGNS[outcome]
    norm = 1 + sum(sign * c for sign, c in zip(signs, alone, strict=True))
    means: dict[int, float] = {}
    for q, measured, c in joint:
        if q:
            means[q] = means.get(q, 0.0) + signs[measured] * c / norm
    return outcome, BellPair(means, 2)


def _outcome(alone: list[float], rng: np.random.Generator) -> int:
    """Draw a Bell state, given the means of XX, YY and ZZ of the measured qubits."""
    weights = [
        (1 + sum(sign * c for sign, c in zip(signs, alone, strict=True))) / 4 for signs in _SIGNS
    ]
    return drawn(weights, rng)
