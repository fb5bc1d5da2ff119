"""A quantum processor: a memory on which programs run."""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from restudy.qnet.components.instructions import (
    Instruction,
    PhysicalInstruction,
    instruction_name,
)
from restudy.qnet.components.memory import MemoryPosition, QuantumMemory
from restudy.qnet.engine.events import Event
from restudy.qnet.engine.simulation import Simulation
from restudy.qnet.errors import QnetError
from restudy.qnet.noise import NoiseModel
from restudy.qnet.states.gates import Operator
from restudy.qnet.states.qubits import noise as apply_noise
from restudy.qnet.states.qubits import operate


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a program.

    Attributes
    ----------
    instruction : Operator, Action, or callable
        What to do; the processor has to have it.
    at : tuple of int
        Where, in the numbers of the program.
    angle : float, optional
        For families of gates, radians.
    """

    instruction: Instruction
    at: tuple[int, ...]
    angle: float | None = None


Program: TypeAlias = Generator[Step | Sequence[Step], Any, Any]
"""Yields a step and gets its outcome, or yields several, done side by side, and gets a tuple.

Conditions and loops are those of Python, another program is run by ``yield from``, and the result
is what it returns.
"""


@lru_cache(maxsize=1024)
def _placed(at: tuple[int, ...], where: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the positions of the numbers `at` of a program; None if one is out of range."""
    inside = all(0 <= k < len(where) for k in at)
    return tuple(where[k] for k in at) if inside else None


class QuantumProcessor(QuantumMemory):
    """A memory on which programs run, one at a time.

    Parameters
    ----------
    sim : Simulation
        The simulation.
    name : str
        What error messages call it.
    size : int
        Number of positions.
    instructions : collection of PhysicalInstruction
        What it can do. Of several for one instruction the first whose topology allows a step is
        used.
    noise : NoiseModel or sequence of NoiseModel, optional
        Noise of all positions, or of each, as time passes.

    Examples
    --------
    A measurement in the Bell basis, gate by gate, with a duration of 700 ns:

    >>> import numpy as np
    >>> from restudy.qnet.components.instructions import MEASURE
    >>> from restudy.qnet.states.gates import CNOT, H
    >>> from restudy.qnet.states.qubits import bell_pair
    >>> sim = Simulation(rng=np.random.default_rng(1))
    >>> processor = QuantumProcessor(sim, "Bob.processor", 2, [
    ...     PhysicalInstruction(H, 100.0),
    ...     PhysicalInstruction(CNOT, 500.0, topology=[(0, 1)]),
    ...     PhysicalInstruction(MEASURE, 100.0, parallel=True),
    ... ])
    >>> def program():
    ...     yield Step(CNOT, (0, 1))
    ...     yield Step(H, (0,))
    ...     phase, parity = yield Step(MEASURE, (0,)), Step(MEASURE, (1,))
    ...     return 2 * phase + (phase ^ parity)
    >>> for at, qubit in enumerate(bell_pair(index=2)):
    ...     processor.put(qubit, at)
    >>> sim.run(until=processor.execute(program())), sim.now
    (2, 700.0)
    """

    __slots__ = (
        "_done",
        "_handles",
        "_outcomes",
        "_program",
        "_running",
        "_where",
        "instructions",
    )
    _done: Event  # of the program that runs, or ran last

    def __init__(
        self,
        sim: Simulation,
        name: str,
        size: int,
        instructions: Collection[PhysicalInstruction],
        noise: NoiseModel | Sequence[NoiseModel | None] | None = None,
    ) -> None:
        super().__init__(sim, name, size, noise)
        self.instructions = tuple(instructions)  # the same object if it is a tuple
        self._program: Program | None = None
        self._where: tuple[int, ...] | None = None
        self._handles: list[int] = []
        self._outcomes: list[int | None]
        self._running = 0

    @property
    def busy(self) -> bool:
        """Whether a program runs."""
        return self._program is not None

    def execute(self, program: Program, positions: Sequence[int] | None = None) -> Event:
        """Start a program, and return the event of its end; the value is what it returns.

        Parameters
        ----------
        program
            The generator.
        positions
            The position of each number of the program; the same numbers by default.

        Raises
        ------
        QnetError
            If a program runs. What goes wrong in the program is thrown into those who wait.
        """
        if self._program is not None:
            raise QnetError(
                f"the processor {self.name} is busy at {self.sim.now} ns: wait for the program "
                "that runs, or abort it."
            )
        done = self._done = self.sim.event()
        self._program = program
        self._where = positions if positions is None else tuple(positions)
        self._advance(None)
        return done

    def abort(self) -> None:
        """End the program that runs, if one does; its event fails if somebody waits for it."""
        if self._program is None:
            return
        self._program.close()
        self._end()
        if self._done.callbacks:
            self._done.fail(
                QnetError(f"the program on {self.name} was aborted at {self.sim.now} ns.")
            )

    def _advance(self, outcome: Any) -> None:
        """Go on to the next step of the program."""
        assert self._program is not None
        try:
            steps = self._program.send(outcome)
            if isinstance(steps, Step):
                self._running = 0  # a step alone
                self._begin(steps, 0)
            else:
                self._begin_block(steps)
        except StopIteration as end:
            self._program = None  # nothing is under way
            self._done.fire(end.value)
        except Exception as error:
            error.add_note(f"in a program on {self.name} at {self.sim.now} ns")
            self._end()
            self._done.fail(error)

    def _end(self) -> None:
        self._program = None
        for handle in self._handles:
            self.sim.cancel(handle)
        self._handles.clear()
        for position in self.positions:
            position.busy = False

    def _begin_block(self, steps: Sequence[Step]) -> None:
        if not (isinstance(steps, Sequence) and all(isinstance(step, Step) for step in steps)):
            raise QnetError(
                f"a program on {self.name} yielded {steps!r} at {self.sim.now} ns: yield a Step, "
                "or several."
            )
        used = [at for step in steps for at in self._place(step)]
        if not used or len(set(used)) < len(used):
            raise QnetError(
                f"a program on {self.name} does steps at the positions {used} side by side at "
                f"{self.sim.now} ns: give different positions, at least one."
            )
        self._running = len(steps)
        self._outcomes = [None] * len(steps)
        for number, step in enumerate(steps):
            physical = self._begin(step, number)
            if not physical.parallel and len(steps) > 1:
                raise QnetError(
                    f"{self.name} cannot do {instruction_name(step.instruction)} side by side with "
                    f"others, asked for at {self.sim.now} ns: give it a step of its own, or make "
                    "the physical instruction parallel."
                )

    def _begin(self, step: Step, number: int) -> PhysicalInstruction:
        """Let an instruction begin."""
        at = self._place(step)
        physical = self._physical(step.instruction, at)
        expected = getattr(step.instruction, "qubits", len(at))
        if expected != len(at):
            raise QnetError(
                f"{instruction_name(step.instruction)} acts on {expected} qubits and got the "
                f"positions {at} of {self.name} at {self.sim.now} ns: give {expected}."
            )
        positions = [self.position(k) for k in at]
        for position in positions:
            position.busy = True
        handle = self.sim.schedule(
            self._finish, step, number, physical, positions, delay=physical.duration_ns
        )
        self._handles.append(handle)
        return physical

    def _place(self, step: Step) -> tuple[int, ...]:
        """Return the positions of a step."""
        where = self._where
        if where is None:
            return step.at
        placed = _placed(tuple(step.at), where)
        if placed is None:
            raise QnetError(
                f"a program on {self.name} asks for {step.at} at {self.sim.now} ns and got the "
                f"positions {where}: give one for each number of the program."
            )
        return placed

    def _physical(self, instruction: Instruction, at: tuple[int, ...]) -> PhysicalInstruction:
        found = None
        for physical in self.instructions:
            if physical.instruction is instruction or physical.instruction == instruction:
                if physical.allows(at):
                    return physical
                found = physical
        what, now = instruction_name(instruction), self.sim.now
        if found is None:
            known = ", ".join(instruction_name(one.instruction) for one in self.instructions)
            raise QnetError(
                f"{self.name} has no instruction {what}, asked for at {now} ns: it has {known}."
            )
        raise QnetError(
            f"the topology of {self.name} forbids {what} at {at}, asked for at {now} ns: it allows "
            f"{found.topology}."
        )

    def _finish(
        self,
        step: Step,
        number: int,
        physical: PhysicalInstruction,
        positions: list[MemoryPosition],
    ) -> None:
        """Let an instruction end: this is when it acts."""
        try:
            outcome = self._act(step, physical, positions)
        except Exception as error:
            error.add_note(f"in a program on {self.name} at {self.sim.now} ns")
            self._end()
            self._done.fail(error)
            return
        for position in positions:
            position.busy = False
        if not self._running:
            self._handles.clear()
            self._advance(outcome)
            return
        self._outcomes[number] = outcome
        self._running -= 1
        if not self._running:
            self._handles.clear()
            self._advance(tuple(self._outcomes))

    def _act(
        self, step: Step, physical: PhysicalInstruction, positions: list[MemoryPosition]
    ) -> int | None:
        instruction, outcome = physical.instruction, None
        if physical.noise_before is not None:
            self._suffer(physical.noise_before, physical.duration_ns, positions)
        if isinstance(instruction, Operator):
            operate(instruction, *[position.touch() for position in positions])
        elif not callable(instruction):
            outcome = instruction.act(positions, rng=self.sim.rng)
        elif step.angle is None:
            raise QnetError(
                f"{instruction_name(instruction)} on {self.name} has no angle at {self.sim.now} "
                "ns: give Step(..., angle=...), radians."
            )
        else:
            operate(instruction(step.angle), *[position.touch() for position in positions])
        if physical.noise_after is not None:
            self._suffer(physical.noise_after, physical.duration_ns, positions)
        return outcome

    def _suffer(self, model: NoiseModel, duration: float, positions: list[MemoryPosition]) -> None:
        """Apply the noise of an instruction to the qubits that are there."""
        channel = model.channel(duration)
        if channel is None:
            return
        if channel.qubits > 1:
            apply_noise(channel, *[position.touch() for position in positions], rng=self.sim.rng)
            return
        for position in positions:
            if position.qubit is not None:
                apply_noise(channel, position.touch(), rng=self.sim.rng)
