"""Trainings recorded elsewhere: on a GPU, and of other seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from restudy.gasoptics.experiments_les import BARS


def recorded_trainings(folder: Path) -> pd.DataFrame:
    """Read what ``python -m restudy.gasoptics.emulators.shipping`` wrote beside weights.

    Parameters
    ----------
    folder : pathlib.Path
        With a JSON file of each training.

    Returns
    -------
    pandas.DataFrame
        A row a training: ``network``, ``preset``, ``seed``, ``device``, ``seconds``, ``steps``,
        ``columns`` (of a step), ``sets``, ``cost`` [1000 multiplications a layer], ``up`` and
        ``down``, root mean square errors of present-day fluxes [W/m2], ``stratosphere``, of its
        heating rates [K/day], and ``over``, the largest error in simulations of large eddies under
        the mean air, over the bars of the paper's set-up.
    """
    rows = []
    for file in sorted(folder.glob("*.json")):
        record = json.loads(file.read_text())
        recipe, scores = record["recipe"], record["scores"]
        table, present = recipe["design"]["table"], scores["present day"]
        bars = BARS["longwave" if table.startswith("lw") else "shortwave"]
        simulated = [one for name, one in scores.items() if name.endswith("air above")]
        rows.append(
            {
                "network": table,
                "preset": record["preset"],
                "seed": record["seed"],
                "device": record["device"],
                "seconds": record["training_seconds"],
                "steps": sum(stage["steps"] for stage in recipe["stages"]),
                "columns": recipe["stages"][0]["columns"],
                "sets": recipe["sets"],
                "cost": record["multiply_adds"] / 1000,
                "up": present["up_rmse"],
                "down": present["down_rmse"],
                "stratosphere": present["stratosphere"],
                "over": max(
                    max(one["up_rmse"] / bars[0], one["down_rmse"] / bars[1]) for one in simulated
                ),
            }
        )
    return pd.DataFrame(rows)


def trainings_findings(found: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on the networks of the preset ``paper`` ask for.

    Parameters
    ----------
    found : pandas.DataFrame
        Of `recorded_trainings`, with at most one training of that preset for each k-distribution.

    Returns
    -------
    dict of str to float
        By claim, of those networks that were trained: errors of present-day fluxes [W/m2].
    """
    names = {"lw-g256": "longwave", "sw-g224": "shortwave"}
    larger = found[(found["preset"] == "paper") & found["network"].isin(names)]
    return {
        f"larger-{names[str(row['network'])]}-{way}": float(row[way])
        for row in larger.to_dict("records")
        for way in ("up", "down")
    }


def trainings_table(found: pd.DataFrame) -> pd.DataFrame:
    """Give `recorded_trainings` for reading."""
    names = {
        "up": "up, rms [W/m²]",
        "down": "down, rms [W/m²]",
        "stratosphere": "stratosphere, rms [K/day]",
        "over": "simulations, over the bars",
        "device": "trained on",
        "seconds": "CPU s",
        "steps": "steps",
        "columns": "columns a step",
        "sets": "sets",
        "cost": "multiplications a layer [1000]",
    }
    rows = found.set_index(["network", "preset", "seed"]).sort_index()
    return rows[list(names)].rename(columns=names).round(4)
