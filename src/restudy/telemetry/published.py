"""What the papers print and draw about node metrics, as small tables.

Curves were read from the vector geometry of the plots published with arXiv 2409.08949
(https://github.com/atlarge-research/2024-icpads-hpc-workload-characterization at commit 866b2ab,
MIT licence), numbers from the stored outputs of its notebooks and of those of arXiv 2107.11832
(https://github.com/sara-nl/SURFace at commit b34f006, Apache-2.0). Each table names its source in
its header.
"""

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

OVER_90_PERCENT = 0.17396570808177522  # GPU nodes' time above 90 % of the limit, notebook 4a
# Mean temperature ratio [%] at 100 % power: hottest and coolest slot, notebook 4b.
AT_FULL_POWER: dict[str, float] = {"GPU2": 88.00, "GPU1": 78.74}
AT_FULL_POWER_ALL_BUSY: dict[str, float] = {"GPU2": 92.31, "GPU1": 77.55}


def bars(ratio: str, kind: str) -> pd.Series:
    """Histogram of Figure 3.

    Parameters
    ----------
    ratio : str
        A name of `restudy.telemetry.ratios.RATIOS`.
    kind : str
        ``"generic"`` (CPU nodes) or ``"ml"`` (GPU nodes).

    Returns
    -------
    pandas.Series
        Share of samples by the lower edge of a 5 % wide bin, 0 to 105.

    Raises
    ------
    KeyError
        If the figure has no such histogram.

    Examples
    --------
    >>> bars("load1", "generic").idxmax()
    100
    """
    table = _table("fig3_bars.csv")
    rows = table[(table["ratio"] == ratio) & (table["class"] == kind)]
    if rows.empty:
        names = ", ".join(table["ratio"].unique())
        raise KeyError(f"no histogram of {ratio!r} for {kind!r}; Figure 3 has {names}")
    return rows.set_index("low")["share"]


def utilisation() -> pd.DataFrame:
    """Mean, standard deviation, quartiles and maximum of Figure 3's ratios, %.

    Returns
    -------
    pandas.DataFrame
        Index (ratio, class), columns as in `restudy.telemetry.utilisation.Utilisation.table`.

    Examples
    --------
    >>> float(utilisation().loc[("load1", "generic"), "50 %"])
    31.375
    """
    names = {"q25": "25 %", "q50": "50 %", "q75": "75 %"}
    return _table("fig3_printed.csv").rename(columns=names).set_index(["ratio", "class"])


def heat_curve(slot: str) -> tuple[np.ndarray, np.ndarray]:
    """Temperature of a GPU by its power, Figure 4.

    Parameters
    ----------
    slot : str
        ``"GPU0"`` to ``"GPU3"``.

    Returns
    -------
    power : numpy.ndarray of float64, shape (n,)
        Upper edges of the bins, % of the design power, ascending; some bins are missing.
    temperature : numpy.ndarray of float64, shape (n,)
        Mean temperature ratio, %.

    Raises
    ------
    KeyError
        If there is no such slot.

    Examples
    --------
    >>> power, temperature = heat_curve("GPU2")
    >>> float(temperature[power == 100][0])
    88.0
    """
    table = _table("fig4_heat.csv")
    rows = table[table["slot"] == slot]
    if rows.empty:
        raise KeyError(f"no slot {slot!r}; Figure 4 has {', '.join(table['slot'].unique())}")
    return rows["power"].to_numpy("float64"), rows["temperature"].to_numpy("float64")


def slot_power() -> pd.DataFrame:
    """Mean and standard deviation of the power ratio by slot, Table 4."""
    return _table("table4_gpu_power.csv").set_index("slot")


def percentiles() -> pd.DataFrame:
    """Percentiles of node power and memory, arXiv 2107.11832.

    Returns
    -------
    pandas.DataFrame
        Index (metric, class), columns ``unit``, ``1 %``, ``25 %``, ..., ``mean``, ``max``; NaN
        where not printed.

    Examples
    --------
    >>> float(percentiles().loc[("node_power_usage", "ml"), "50 %"])
    364.0
    """
    table = _table("percentiles_2020.csv").set_index(["metric", "class"])
    names = {name: f"{name[1:]} %" for name in map(str, table) if name[1:].isdigit()}
    return table.rename(columns=names)


def correlations() -> pd.DataFrame:
    """Pearson's, Spearman's and Kendall's coefficients of pairs of metrics, arXiv 2107.11832."""
    return _table("correlations_2020.csv").set_index(["x", "y"])


def strips() -> pd.DataFrame:
    """Share of time in each fifth of full load, rows by strip, arXiv 2107.11832.

    Examples
    --------
    >>> float(strips().loc["System Load"].sum().round(3))  # the rest was cut to 1 and left out
    0.867
    """
    return _table("strips_2020.csv").set_index("strip") / 100


def before_after() -> pd.DataFrame:
    """Metrics before and from 2020-02-27 on, index (metric, class, of), arXiv 2107.11832."""
    return _table("before_after_2020.csv").set_index(["metric", "class", "of"])


def _table(file: str) -> pd.DataFrame:
    return _read(file).copy()


@cache
def _read(file: str) -> pd.DataFrame:
    path = resources.files("restudy.telemetry") / "tables" / file
    with path.open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream, comment="#")
