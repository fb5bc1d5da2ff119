"""Sets of columns with exact roots and sketches: made in parallel, each once, kept as NPZ files."""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from restudy import data
from restudy.gasoptics import datasets
from restudy.gasoptics.atmosphere import ARRAYS, Atmosphere, joined_columns
from restudy.gasoptics.emulators.columns import (
    ANYWHERE,
    CLIMATES,
    LIMITED,
    TROPOPAUSES,
    WEATHER,
    drifted_columns,
    perturbed_columns,
    shallow_columns,
    with_other_gases,
)
from restudy.gasoptics.emulators.losses import sketches
from restudy.gasoptics.emulators.network import Spectrum, spectrum_of
from restudy.gasoptics.emulators.roots import exact_roots
from restudy.gasoptics.emulators.scores import ALBEDO
from restudy.gasoptics.tables import KDistribution
from restudy.parallel import sweep

_VERSION = 1  # of what a file holds and how it is made; older files are made again
_BLOCK = 10  # columns at a time: what the solver's backward pass keeps stays in the cache


@dataclass(frozen=True)
class SetRecipe:
    """How a set of columns is made.

    Attributes
    ----------
    table : str
        k-distribution.
    base : str
        ``"rfmip"``: the 100 sites of RFMIP, present day; ``"standard"``: standard atmospheres.
    kind : str
        ``"perturbed"`` (the paper's recipe), ``"drifted"`` (by weather, or by climates where the
        gases vary), ``"anywhere"`` (drifted much farther), ``"tropopauses"`` (as far, with more
        and less ozone and water around the tropopause) or ``"shallow"`` (as far, with any amount
        of ozone, and cut off at the top).
    other_gases : bool
        Whether the well-mixed gases are drawn anew for each column.
    copies : int
        How many times the base columns are perturbed.
    count : int
        Sketches of each column; 0 for a set that is only looked at.
    heating : float
        What an error of 1 K/day counts in W/m2.
    """

    table: str
    base: str
    kind: str
    other_gases: bool
    copies: int = 1
    count: int = 2
    heating: float = 1.0


@dataclass(frozen=True)
class TrainingSet:
    """Columns, what the tables say of them, and what errors in that do to fluxes.

    Attributes
    ----------
    columns : Atmosphere
        From the top down, in float64.
    roots : torch.Tensor of float32, shape (columns, layers, 2, g)
        The exact roots A and B.
    sketch : torch.Tensor of float16, shape (count, columns, layers, 2, g)
        Projections of the Jacobian [W/m2].
    """

    columns: Atmosphere
    roots: torch.Tensor
    sketch: torch.Tensor


def training_sets(
    recipes: Sequence[SetRecipe],
    *,
    seed: int,
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
    device: str = "cpu",
) -> TrainingSet:
    """Make sets of columns, or find those that were made before, and put them together.

    Parameters
    ----------
    recipes : sequence of SetRecipe
        One a set, all of one k-distribution and with as many sketches.
    seed : int
        Set number i has random numbers of its own, of the seed and i.
    executor : concurrent.futures.Executor, optional
        As for `restudy.parallel.sweep`; on several machines the folder is one they share.
    folder : pathlib.Path, optional
        Where files are kept; by default inside the cache of `restudy.data`.
    device : str
        Where tables and solver work on sets that are not there yet, which differ by rounding.

    Returns
    -------
    TrainingSet
        The columns of the first set, then those of the second, and so on.

    Raises
    ------
    GasOpticsError
        If tables or columns are not at hand.
    SweepError
        If a set cannot be made.
    """
    files = made_sets(recipes, seed=seed, executor=executor, folder=folder, device=device)
    return _read(files)


def made_sets(
    recipes: Sequence[SetRecipe],
    *,
    seed: int,
    executor: concurrent.futures.Executor | None = None,
    folder: Path | None = None,
    device: str = "cpu",
) -> list[Path]:
    """Make sets of columns, unless they are there, and return their files; see `training_sets`.

    Before trainings on workers, so that the sets are made by all of them, each once.
    """
    where = kept_sets() if folder is None else folder
    where.mkdir(parents=True, exist_ok=True)
    tasks = [_Task(recipe, str(where), seed, i, device) for i, recipe in enumerate(recipes)]
    return [Path(file) for file in sweep(_made, tasks, seed=seed, executor=executor)]


def kept_sets() -> Path:
    """Return where sets are kept by default."""
    return data.cache_folder() / "prepared" / "gasoptics"


@dataclass(frozen=True)
class _Task:
    recipe: SetRecipe
    folder: str
    seed: int
    number: int
    device: str

    @property
    def file(self) -> Path:
        said = json.dumps([_VERSION, asdict(self.recipe), self.seed, self.number], sort_keys=True)
        return Path(self.folder) / f"set-{hashlib.sha256(said.encode()).hexdigest()[:24]}.npz"


def _made(task: _Task, rng: np.random.Generator) -> str:
    """Make a set and keep it, unless it is there; return the path."""
    if not task.file.exists():
        part = task.file.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(make_set(task.recipe, rng, task.device)))
        os.replace(part, task.file)
    return str(task.file)


def make_set(recipe: SetRecipe, rng: np.random.Generator, device: str = "cpu") -> TrainingSet:
    """Make one set of columns.

    Parameters
    ----------
    recipe : SetRecipe
        How.
    rng : numpy.random.Generator
        For the perturbations and the signs of the sketches.
    device : str
        Where tables and solver work.

    Returns
    -------
    TrainingSet
        On the CPU; the columns are under suns of any height, half of them over the ground of the
        paper's set-up.

    Raises
    ------
    GasOpticsError
        If tables or columns are not at hand.
    """
    table, spectrum = _table(recipe.table, device)
    columns = _columns(recipe, rng).to(device)
    roots = torch.stack(exact_roots(table, columns), dim=2)
    signs = torch.Generator().manual_seed(int(rng.integers(2**62)))
    blocks = range(0, columns.columns if recipe.count else 0, _BLOCK)
    found = [
        sketches(
            roots[at : at + _BLOCK],
            columns.part(slice(at, at + _BLOCK)),
            spectrum,
            count=recipe.count,
            heating=recipe.heating,
            rng=signs,
        )
        for at in blocks
    ]
    most = torch.finfo(torch.float16).max
    sketch = torch.cat(found, dim=1) if found else roots.new_zeros((0, *roots.shape))
    sketch = sketch.clamp(-most, most).half()
    return TrainingSet(columns.to("cpu"), roots.float().cpu(), sketch.cpu())


@lru_cache(maxsize=2)
def _table(name: str, device: str) -> tuple[KDistribution, Spectrum]:
    table = datasets.k_distribution(name).to(device)
    return table, spectrum_of(table)


def _columns(recipe: SetRecipe, rng: np.random.Generator) -> Atmosphere:
    base = datasets.columns(recipe.base).atmosphere
    base = base.part(torch.arange(base.columns).repeat(recipe.copies))
    number = int(rng.integers(2**62))
    if recipe.kind == "perturbed":
        columns = perturbed_columns(base, number)
    else:
        near = CLIMATES if recipe.other_gases else WEATHER
        far = {"anywhere": ANYWHERE, "tropopauses": TROPOPAUSES, "shallow": LIMITED}
        drift = far.get(recipe.kind, near)
        columns = drifted_columns(base, number, drift)
    if recipe.kind == "shallow":
        columns = shallow_columns(columns, int(rng.integers(2**62)))
    if recipe.other_gases:
        columns = with_other_gases(columns, int(rng.integers(2**62)))
    size = columns.columns
    light = rng.uniform(0.03, 0.8, size)
    albedo = np.where(rng.uniform(size=size) < 0.5, ALBEDO, light)
    mu0 = rng.uniform(0.15, 1.0, size)
    return replace(columns, mu0=torch.from_numpy(mu0), albedo=torch.from_numpy(albedo))


def _arrays(made: TrainingSet) -> dict[str, np.ndarray]:
    columns = made.columns
    arrays = {name: getattr(columns, name).numpy() for name in ARRAYS}
    arrays |= {f"gas_{gas}": x.numpy() for gas, x in columns.gases.items()}
    return arrays | {"roots": made.roots.numpy(), "sketch": made.sketch.numpy()}


def _read(files: Sequence[Path]) -> TrainingSet:
    """Read sets, each into its place: there may not be memory for all of them twice."""
    parts = [_columns_of(file) for file in files]
    whole = joined_columns(parts)
    ends = list(itertools.accumulate(part.columns for part in parts))
    for file, start, end in zip(files, [0, *ends[:-1]], ends, strict=True):
        with np.load(file, allow_pickle=False) as stored:
            part = [torch.from_numpy(stored[name]) for name in ("roots", "sketch")]
        if start == 0:
            roots = part[0].new_empty((whole.columns, *part[0].shape[1:]))
            sketch = part[1].new_empty((len(part[1]), whole.columns, *part[1].shape[2:]))
        roots[start:end], sketch[:, start:end] = part
    return TrainingSet(whole, roots, sketch)


def _columns_of(file: Path) -> Atmosphere:
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: torch.from_numpy(stored[name]) for name in ARRAYS}
        gases = {
            name.removeprefix("gas_"): torch.from_numpy(stored[name])
            for name in stored.files
            if name.startswith("gas_")
        }
    return Atmosphere(**arrays, gases=gases)
