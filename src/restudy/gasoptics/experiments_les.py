"""Air of large-eddy simulations: unseen by our networks, and what networks tuned to one gain."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from restudy import data
from restudy.gasoptics import datasets
from restudy.gasoptics.emulators.evaluation import (
    SIMULATIONS,
    Net,
    errors_of,
    simulated_columns,
)
from restudy.gasoptics.emulators.les import les_columns
from restudy.gasoptics.emulators.les_training import les_errors
from restudy.gasoptics.emulators.les_training import tuned as tuned_networks
from restudy.gasoptics.emulators.paper_training import Recipe
from restudy.gasoptics.reference import longwave_optics
from restudy.gasoptics.tables import KDistribution

SIZE: Final = "32"  # of the tuned networks
GENERAL: Final = ("32", "64-64")  # the authors' for the whole atmosphere


# What our networks are to stay below in the paper's set-up: rms of fluxes up and down [W/m2].
BARS: Final = {"longwave": (0.025, 0.032), "shortwave": (0.007, 0.019)}


def unseen(
    tables: Mapping[str, KDistribution], networks: Mapping[str, Net], air: datasets.Columns
) -> pd.DataFrame:
    """Give the errors of networks for the whole atmosphere in columns of each simulation.

    Parameters
    ----------
    tables : mapping of str to KDistribution
        For both spectral ranges, in float64.
    networks : mapping of str to LongwaveNetwork or ShortwaveNetwork
        Ours, for both spectral ranges.
    air : datasets.Columns
        Whose mean lies above the domain, where anything does.

    Returns
    -------
    pandas.DataFrame
        One row for each simulation, with and without air above, and spectral range:
        ``simulation``, ``above``, ``spectrum``, root mean square errors ``up`` and ``down`` within
        the domain [W/m2], ``over``, how many times the bars of the paper's set-up the larger of
        them is, and ``outside``, the share of layers that are flagged.

    Raises
    ------
    GasOpticsError
        If an envelope is not at hand.
    """
    rows = []
    for simulation, covered in itertools.product(SIMULATIONS, (False, True)):
        columns, added = simulated_columns(simulation, air, covered=covered)
        for spectrum, network in networks.items():
            errors = errors_of(network, tables[spectrum], columns, added)
            pair = errors.up_rmse, errors.down_rmse
            rows.append(
                {
                    "simulation": simulation,
                    "above": covered,
                    "spectrum": spectrum,
                    "up": pair[0],
                    "down": pair[1],
                    "over": max(e / bar for e, bar in zip(pair, BARS[spectrum], strict=True)),
                    "outside": float(network.range.outside(columns)[:, added:].double().mean()),
                }
            )
    return pd.DataFrame(rows)


def unseen_table(found: pd.DataFrame) -> pd.DataFrame:
    """Give `unseen` for reading."""
    names = {
        "up": "up, rms [W/m²]",
        "down": "down, rms [W/m²]",
        "over": "over the bars",
        "outside": "flagged [%]",
    }
    above = found["above"].map({False: "nothing", True: "mean air"})
    rows = found.assign(above=above, outside=100 * found["outside"])
    rows = rows.set_index(["spectrum", "simulation", "above"]).sort_index()
    return rows[list(names)].rename(columns=names).round(3)


def unseen_findings(found: pd.DataFrame) -> dict[str, float]:
    """Give what the claims on unseen simulations ask for, from `unseen`."""
    claims: dict[str, float] = {}
    for row in found.to_dict("records"):
        where = f"{row['simulation']}-above" if row["above"] else row["simulation"]
        claims[f"unseen-les-{where}-{row['spectrum']}"] = float(row["over"])
    return claims


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
        ours = tuned_networks(
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
