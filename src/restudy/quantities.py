"""How numbers read in tables and in prose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def number(value: float) -> str:
    """Return `value` as short text: up to four significant digits, thousands separated.

    Examples
    --------
    >>> number(1596963), number(0.0725), number(24.0), number(13069.4)
    ('1,596,963', '0.0725', '24', '13,069')
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def quantity(value: float, unit: str) -> str:
    """Return `value` with its unit as text.

    Examples
    --------
    >>> quantity(24.0, "s"), quantity(9.28, "%"), quantity(2.48, "")
    ('24 s', '9.28 %', '2.48')
    """
    return f"{number(value)} {unit}".rstrip()


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Write the numbers of a table as text of at most four digits; unknown ones are left blank."""
    import pandas as pd

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value
        return "" if pd.isna(value) else number(float(value))

    return table.map(text).rename(columns={"ml": "ML"})
