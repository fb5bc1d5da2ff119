"""Weights of pair potentials in files: kept, found again, and refused where something is wrong."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.pair_potential import PairPotential, SeparationRange

_FORMAT = "restudy nbody pair potential, 1"
_LARGEST = 2 << 20  # bytes; a potential of the usual size takes 14 kB
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
    content = {
        "format": _FORMAT,
        "separations": [limits.least, limits.most],
        "width": potential.width,
        "state": {name: x.detach().cpu().clone() for name, x in potential.state_dict().items()},
    }
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save(content, part)
    os.replace(part, path)


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
    content = _content(path)
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
    _check_state(potential.state_dict(), state, path)
    potential.load_state_dict(state)
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


def _content(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise NBodyError(f"{path} cannot be read ({error.strerror}).") from error
    if size > _LARGEST:
        raise NBodyError(f"{path} has {size} bytes; expected at most {_LARGEST}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its readers of zip and pickle raise
        raise NBodyError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); use a file that "
            "save_potential wrote."
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise NBodyError(
            f"{path} is of the format {found!r}; expected {_FORMAT!r}: use a file that "
            "save_potential wrote."
        )
    return content


def _check_state(expected: dict[str, Any], found: dict[str, Any], path: Path) -> None:
    if expected.keys() != found.keys():
        odd = sorted(expected.keys() ^ found.keys())
        raise NBodyError(f"{path} has weights that do not fit: {odd[0]!r} is odd.")
    for name, x in found.items():
        if not isinstance(x, torch.Tensor) or x.dtype != torch.float64:
            raise NBodyError(f"{path} has {name} that is no tensor of float64.")
        if x.shape != expected[name].shape:
            raise NBodyError(
                f"{path} has {name} of shape {tuple(x.shape)}; expected "
                f"{tuple(expected[name].shape)}."
            )
        if not bool(torch.isfinite(x).all()):
            raise NBodyError(f"{path} has values in {name} that are not finite.")
