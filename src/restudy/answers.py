"""Answers that may be missing: a chapter asks, and where the data cannot answer it says why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
from matplotlib.axes import Axes

from restudy import style
from restudy.errors import UserError
from restudy.quantities import readable

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Missing:
    """A question that the data cannot answer.

    Attributes
    ----------
    reason : str
        One sentence.
    """

    reason: str

    def table(self) -> pd.DataFrame:
        """Give the reason, as a table with one row."""
        return pd.DataFrame({"not answered": [self.reason]})


def attempt(question: Callable[[], T]) -> T | Missing:
    """Ask, and say why where the data, or what goes with them, cannot answer.

    Examples
    --------
    >>> def ask() -> float:
    ...     raise UserError("the trace has no states.")
    >>> attempt(ask)
    Missing(reason='the trace has no states.')
    """
    try:
        return question()
    except UserError as error:
        return Missing(reason=str(error))


def ask(found: T | Missing, question: Callable[[T], S]) -> S | Missing:
    """Ask something of an answer; where there is none, say why not."""
    return found if isinstance(found, Missing) else attempt(lambda: question(found))


def say(result: Missing, ax: Axes) -> Axes:
    """Write into the Axes why there is nothing to draw; a figure of its own becomes low."""
    figure = ax.get_figure(root=True)
    if figure is not None and len(figure.axes) == 1:
        figure.set_figheight(1.3)
    ax.set_axis_off()
    ax.text(
        0.5,
        0.5,
        result.reason,
        ha="center",
        va="center",
        wrap=True,
        transform=ax.transAxes,
        bbox={"facecolor": style.BAND, "edgecolor": "none", "boxstyle": "round,pad=0.8"},
    )
    return ax


def draw(figure: Callable[[T], Axes | Sequence[Axes]], found: T | Missing) -> None:
    """Draw an answer, or say why there is none."""
    if isinstance(found, Missing):
        say(found, style.axes(None))
    else:
        figure(found)


def table(show: Callable[[T], pd.DataFrame], found: T | Missing) -> pd.DataFrame:
    """Give the table of an answer as text, or why there is none."""
    return found.table() if isinstance(found, Missing) else readable(show(found))
