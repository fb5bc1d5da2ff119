"""What ``benchmarks/gasoptics.py`` measured: gas optics of every network on one core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from restudy.gasoptics.emulators.paper_networks import SIZES
from restudy.gasoptics.experiments import ALL_GASES, HALVED, OURS
from restudy.gasoptics.experiments_reference import FULL, HALF

FLOAT32: Final = "over_tables_at_their_best_batch"
FORTRAN: Final = "over_fortran_double_carried_over"


def speeds(benchmark: Mapping[str, Any], spectrum: str) -> pd.DataFrame:
    """Give the speed of every engine, each at the batch that suits it best.

    Parameters
    ----------
    benchmark : mapping
        What ``benchmarks/gasoptics.py`` wrote into ``benchmarks/results/gasoptics.json``.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    pandas.DataFrame
        One row for each engine, the fastest last: ``multiply_adds``, ``columns_per_s``, and how
        many times faster than our float32 tables of as many g-points and than the Fortran ones
        carried over (medians of turns).
    """
    rows = {}
    for name, engine in benchmark["optics"][spectrum].items():
        best = engine["batches"][str(engine["best_batch"])]
        rows[name] = {
            "multiply_adds": engine["multiply_adds"],
            "columns_per_s": best["columns_per_s"],
            "over float32 tables": best[FLOAT32][1],
            "over Fortran, carried over": best[FORTRAN][1],
        }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("columns_per_s")


def pareto(table: pd.DataFrame, errors: pd.DataFrame, spectrum: str) -> pd.DataFrame:
    """Join the error of every network of `errors` with the speed of its fastest execution.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `speeds`.
    errors : pandas.DataFrame
        Of `restudy.gasoptics.experiments_networks.setup_errors`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    pandas.DataFrame
        Columns ``group``, ``columns_per_s`` and ``down_rmse`` [W/m2]; a network that was not timed
        is left out.
    """
    prefixes = {size: f"paper {size}," for size in SIZES} | {
        "Ukkonen 2020": "Ukkonen 2020,",
        OURS: f"ours {FULL[spectrum]}, ",
        ALL_GASES: f"ours {FULL[spectrum]}-all-gases, ",
        HALVED: f"ours {HALF[spectrum]}, ",
    }
    rows = {}
    for name, row in errors.iterrows():
        prefix = prefixes.get(str(name))
        timed = [] if prefix is None else [n for n in table.index if str(n).startswith(prefix)]
        if timed:
            rows[name] = {
                "group": row["group"],
                "columns_per_s": table.loc[timed, "columns_per_s"].max(),
                "down_rmse": row["down_rmse"],
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def findings(table: pd.DataFrame, spectrum: str) -> dict[str, float]:
    """Give what the claims on speed ask for.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `speeds`.
    spectrum : str
        ``"longwave"`` or ``"shortwave"``.

    Returns
    -------
    dict of str to float
        Claim and ratio; of the authors' networks, as their authors ran them, by BLAS.
    """
    rows = table.to_dict("index")
    half, full = (rows[f"ours {of[spectrum]}, compiled"] for of in (HALF, FULL))
    found = {
        f"speed-tables-{spectrum}": half["over float32 tables"],
        f"speed-fortran-{spectrum}": half["over Fortran, carried over"],
        f"speed-tables-full-{spectrum}": full["over float32 tables"],
        f"speed-fortran-full-{spectrum}": full["over Fortran, carried over"],
    }
    for size in SIZES:
        if size != "linear":
            row = rows[f"paper {size}, addmm"]
            found[f"paper-speed-{spectrum}-{size}"] = row["over Fortran, carried over"]
    return {claim: float(value) for claim, value in found.items()}
