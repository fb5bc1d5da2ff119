"""What a person sees while the book is built: a live table on a terminal, else plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table


class Progress(Protocol):
    """Told of every step of a build."""

    def say(self, text: str) -> None:
        """Show one line."""

    def chapter(self, name: str, state: str) -> None:
        """Show the new state of a chapter."""

    def cell(self, name: str, cell: int, of: int) -> None:
        """Show that a code cell of a chapter begins."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Lines:
    """Plain lines, for logs and CI; a chapter's cells are not printed one by one."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Print the line."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def chapter(self, name: str, state: str) -> None:
        """Print chapter and state."""
        self.say(f"{name}: {state}")

    def cell(self, name: str, cell: int, of: int) -> None:
        """Print nothing: a log wants one line a chapter."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Board:
    """A live table: one row a chapter with its state, cell and seconds."""

    def __init__(self, console: Console, names: Iterable[str]) -> None:
        self.states = dict.fromkeys(names, "waits")
        self.began: dict[str, float] = {}
        self.took: dict[str, float] = {}
        self.console = console
        self.live = Live(console=console, get_renderable=self.table, refresh_per_second=4)

    def table(self) -> Table:
        """Return the table as it stands now."""
        table = Table("chapter", "state", "seconds", box=None, pad_edge=False)
        for name, state in self.states.items():
            seconds = self.took.get(name)
            if seconds is None and name in self.began:
                seconds = time.monotonic() - self.began[name]
            table.add_row(name, state, "" if seconds is None else f"{seconds:.0f}")
        return table

    def say(self, text: str) -> None:
        """Print the line above the table."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def chapter(self, name: str, state: str) -> None:
        """Show the new state; a state that begins with "running" starts the chapter's clock."""
        self.states[name] = state
        if state.startswith("running"):
            self.began.setdefault(name, time.monotonic())
        elif name in self.began:
            self.took[name] = time.monotonic() - self.began[name]

    def cell(self, name: str, cell: int, of: int) -> None:
        """Show which code cell runs."""
        self.states[name] = f"running cell {cell} of {of}"

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()


def reporter(console: Console, names: Iterable[str]) -> Progress:
    """Return a live board on a terminal, plain lines elsewhere."""
    return Board(console, names) if console.is_terminal else Lines(console)
