"""Weights of pair potentials in files: kept, found again, and refused where something is wrong."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.pair_potential import PairPotential, SeparationRange
from restudy.weights import WeightsFormat

_FORMAT = WeightsFormat(
    name="restudy nbody pair potential, 1",
    writer="save_potential",
    largest=2 << 20,  # a potential of the usual size takes 14 kB
    dtype=torch.float64,
    error=NBodyError,
)
_WIDEST = 256  # units; more do not fit into a file of that size


def save_potential(potential: PairPotential, path: Path) -> None:
    """Keep a potential: its weights, and the separations it was trained on.

    Parameters
    ----------
    potential : PairPotential
        The potential.
    path : pathlib.Path
        Where; an older file is replaced.
    """
    limits = potential.separations
    about = {"separations": [limits.least, limits.most], "width": potential.width}
    _FORMAT.keep(potential, about, path)


def load_potential(path: Path) -> PairPotential:
    """Read a potential that `save_potential` kept.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    PairPotential
        On the CPU, in float64.

    Raises
    ------
    NBodyError
        If there is no such file, or it is damaged, of another program, or of another shape than it
        says.

    Notes
    -----
    Nothing in the file is run: it is read with ``weights_only``.
    """
    content = _FORMAT.read(path)
    try:
        least, most = (float(x) for x in content["separations"])
        width = int(content["width"])
        state = dict(content["state"])
    except (KeyError, TypeError, ValueError) as error:
        raise NBodyError(
            f"{path} is no complete potential ({type(error).__name__}: {error}); use a file that "
            "save_potential wrote."
        ) from error
    if not 1 <= width <= _WIDEST:
        raise NBodyError(f"{path} has layers of {width} units; expected 1 to {_WIDEST}.")
    try:
        limits = SeparationRange(least, most)
    except NBodyError as error:
        raise NBodyError(f"{path} has no range of training: {error}") from error
    potential = PairPotential(limits, width, rng=torch.Generator())
    _FORMAT.load(potential, state, path)
    return potential


def shipped() -> tuple[str, ...]:
    """Return the names of the potentials that come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("pair-*.pt")))


def shipped_potential(name: str) -> PairPotential:
    """Return a potential that comes with the package.

    Parameters
    ----------
    name : str
        One of `shipped`, such as ``"pair-wide"``.

    Returns
    -------
    PairPotential
        On the CPU, in float64.

    Raises
    ------
    NBodyError
        If there is none of this name.
    """
    if name not in shipped():
        raise NBodyError(f"no potential {name!r} in the package; use {', '.join(shipped())}.")
    return load_potential(_folder() / f"{name}.pt")


def _folder() -> Path:
    return Path(str(resources.files("restudy.nbody"))) / "weights"
