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
from restudy.gasoptics.datasets import k_distribution
from restudy.gasoptics.emulators.evaluation import (
    SIMULATIONS,
    Net,
    errors_of,
    simulated_columns,
)
from restudy.gasoptics.emulators.les import Envelope, les_columns
from restudy.gasoptics.emulators.les_training import les_errors
from restudy.gasoptics.emulators.les_training import tuned as tuned_networks
from restudy.gasoptics.emulators.paper_training import Recipe
from restudy.gasoptics.experiments_reference import FULL
from restudy.gasoptics.reference import longwave_optics
from restudy.gasoptics.tables import KDistribution
from restudy.parallel import sweep

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
        After which the paper's recipe stops.
    sets : int
        Sets of samples.
    layers : int
        Layers of air in all sets, about: a domain of fewer levels has more columns.
    """

    epochs: int
    sets: int
    layers: int

    def count(self, envelope: Envelope) -> int:
        """Return the number of columns in each set."""
        return max(1, round(self.layers / (self.sets * len(envelope.pressure))))


def available() -> tuple[str, ...]:
    """Return the simulations whose envelope is at hand, and with which networks to compare."""
    others = all(data.available(f"veerman-networks-{size}") for size in GENERAL)
    return tuple(name for name, file in datasets.LES.items() if others and data.available(file))


@dataclass(frozen=True)
class _Simulation:
    name: str
    tuning: Tuning
    seed: int


def tuned(tuning: Tuning | None, *, seed: int, executor: Executor | None = None) -> pd.DataFrame:
    """Compare long-wave networks on columns as each simulation may have them.

    Parameters
    ----------
    tuning : Tuning or None
        How much is trained.
    seed : int
        Of samples, weights and the columns to judge on.
    executor : concurrent.futures.Executor, optional
        Where the simulations' networks are trained side by side; the table does not depend on it.

    Returns
    -------
    pandas.DataFrame
        Columns ``simulation``, ``network``, ``multiply_adds`` and the errors of
        `restudy.gasoptics.emulators.scores.FluxErrors`; empty where nothing is
        trained or no envelope is at hand.

    Raises
    ------
    SweepError
        If a training fails, after the others are done.
    """
    if tuning is None:
        return pd.DataFrame()
    points = [_Simulation(name, tuning, seed) for name in available()]
    found = sweep(_compared, points, seed=seed, executor=executor)
    return pd.DataFrame([row for rows in found for row in rows])


def _compared(one: _Simulation, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Tune networks to a simulation and compare; `rng` is not used, the seed is that of all."""
    table, envelope = k_distribution(FULL["longwave"]), datasets.les_envelope(one.name)
    tuning, count = one.tuning, one.tuning.count(envelope)
    recipe, samples = Recipe(epochs=tuning.epochs), {"sets": tuning.sets, "count": count}
    ours = tuned_networks(table, envelope, SIZE, recipe, seed=one.seed, **samples)
    errors = {f"{SIZE}, tuned": (ours.networks.multiply_adds, ours.errors)}
    columns = les_columns(envelope, np.random.SeedSequence(one.seed).spawn(1)[0], count)
    with torch.no_grad():
        exact = longwave_optics(table, columns)
        for size in GENERAL:
            network = datasets.paper_longwave(size).double()
            found = les_errors(network.optics(columns), exact, columns)
            errors[size] = network.multiply_adds, found
    return [
        {"simulation": one.name, "network": name, "multiply_adds": cost} | asdict(found)
        for name, (cost, found) in errors.items()
    ]


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
