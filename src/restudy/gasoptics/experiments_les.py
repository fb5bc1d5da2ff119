"""Networks tuned to one large-eddy simulation beside those for the whole atmosphere."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from restudy import data
from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.les import les_columns
from restudy.gasoptics.emulators.les_training import les_errors, tuned_longwave
from restudy.gasoptics.emulators.paper_training import Recipe
from restudy.gasoptics.reference import longwave_optics
from restudy.gasoptics.tables import KDistribution

SIZE: Final = "32"  # of the tuned networks
GENERAL: Final = ("32", "64-64")  # the authors' for the whole atmosphere


@dataclass(frozen=True)
class Tuning:
    """How much is trained for a simulation.

    Attributes
    ----------
    epochs : int
        Of the paper's recipe; its learning rate falls so much faster.
    sets, count : int
        Sets of samples, and columns in each.
    """

    epochs: int
    sets: int
    count: int

    def recipe(self) -> Recipe:
        """Return the paper's recipe with a decay that fits the number of epochs."""
        whole = Recipe()
        every = max(1, whole.decay_epochs * self.epochs // whole.epochs)
        return Recipe(epochs=self.epochs, decay_epochs=every)


def available() -> tuple[str, ...]:
    """Return the simulations whose envelope is at hand, and with which networks to compare."""
    others = all(data.available(f"veerman-networks-{size}") for size in GENERAL)
    return tuple(name for name, file in datasets.LES.items() if others and data.available(file))


def tuned(
    table: KDistribution, tuning: Tuning | None, *, seed: int, executor: Executor | None = None
) -> pd.DataFrame:
    """Compare long-wave networks on columns as each simulation may have them.

    Parameters
    ----------
    table : KDistribution
        lw-g256, in float64.
    tuning : Tuning or None
        How much is trained.
    seed : int
        Of samples, weights and the columns to judge on.
    executor : concurrent.futures.Executor, optional
        Trains networks side by side.

    Returns
    -------
    pandas.DataFrame
        Columns ``simulation``, ``network``, ``multiply_adds`` and the errors of
        `restudy.gasoptics.emulators.scores.FluxErrors`; empty where nothing is
        trained or no envelope is at hand.
    """
    rows: list[dict[str, Any]] = []
    if tuning is None:
        return pd.DataFrame(rows)
    for simulation in available():
        envelope = datasets.les_envelope(simulation)
        ours = tuned_longwave(
            table,
            envelope,
            SIZE,
            tuning.recipe(),
            seed=seed,
            sets=tuning.sets,
            count=tuning.count,
            executor=executor,
        )
        where = {"simulation": simulation}
        rows.append(
            where
            | {"network": f"{SIZE}, tuned", "multiply_adds": ours.networks.multiply_adds}
            | asdict(ours.errors)
        )
        columns = les_columns(envelope, np.random.SeedSequence(seed).spawn(1)[0], tuning.count)
        with torch.no_grad():
            exact = longwave_optics(table, columns)
            for size in GENERAL:
                network = datasets.paper_longwave(size).double()
                errors = les_errors(network.optics(columns), exact, columns)
                rows.append(
                    where
                    | {"network": size, "multiply_adds": network.multiply_adds}
                    | asdict(errors)
                )
    return pd.DataFrame(rows)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Give `tuned` for reading, or say what is lacking."""
    if found.empty:
        lacking = (
            "trained by the presets full and paper, where the envelopes of the simulations and the "
            "authors' networks are at hand"
        )
        return pd.DataFrame({"not answered": [lacking]})
    names = {
        "multiply_adds": "multiply-adds",
        "up_rmse": "up, rms [W/m²]",
        "down_rmse": "down, rms [W/m²]",
        "troposphere": "troposphere [K/day]",
    }
    rows = found.set_index(["simulation", "network"])
    return rows[list(names)].rename(columns=names).round(4)


def findings(table: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on tuned networks ask for, from `tuned`."""
    found: dict[str, float] = {}
    if table.empty:
        return found
    for simulation, rows in table.groupby("simulation"):
        error = rows.set_index("network")["down_rmse"].to_dict()
        found[f"les-{simulation}"] = float(error[f"{SIZE}, tuned"] / error["64-64"])
    return found
