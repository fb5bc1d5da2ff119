"""Weights of networks in files: kept, found again, and refused where something is wrong."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from restudy.gasoptics.emulators.inputs import TrainingRange
from restudy.gasoptics.emulators.network import (
    Design,
    LongwaveNetwork,
    ShortwaveNetwork,
    Spectrum,
    make_network,
)
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.tables import PlanckTable
from restudy.weights import WeightsFormat

_FORMAT = WeightsFormat(
    name="restudy gas optics, 1",
    writer="save_network",
    largest=64 << 20,  # the largest network of the paper's size takes 1 MB
    dtype=torch.float32,
    error=GasOpticsError,
)


def save_network(network: LongwaveNetwork | ShortwaveNetwork, path: Path) -> None:
    """Keep a network: its design, its weights, what it knows of the tables, and its range.

    Parameters
    ----------
    network : LongwaveNetwork or ShortwaveNetwork
        The network.
    path : pathlib.Path
        Where; an older file is replaced.
    """
    spectrum, limits = network.spectrum, network.range
    planck = spectrum.planck
    about = {
        "design": {k: _plain(v) for k, v in asdict(network.design).items()},
        "spectrum": {
            "tropopause": spectrum.tropopause,
            "sizes": list(spectrum.sizes),
            "planck": None if planck is None else [planck.first, planck.step],
            "function": None if planck is None else planck.function.cpu(),
            "solar": None if spectrum.solar is None else spectrum.solar.cpu(),
        },
        "range": {"edges": limits.edges, "least": limits.least, "most": limits.most},
    }
    _FORMAT.keep(network, about, path)


def load_network(path: Path, table: str | None = None) -> LongwaveNetwork | ShortwaveNetwork:
    """Read a network that `save_network` kept.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    table : str, optional
        k-distribution that it should be of.

    Returns
    -------
    LongwaveNetwork or ShortwaveNetwork
        On the CPU, in float32.

    Raises
    ------
    GasOpticsError
        If there is no such file, or it is damaged, of another program, of another shape than its
        design says, or of another k-distribution.

    Notes
    -----
    Nothing in the file is run: it is read with ``weights_only``.
    """
    content = _FORMAT.read(path)
    try:
        design = _design(content["design"])
        network = make_network(design, _spectrum(content["spectrum"]))
        limits = content["range"]
        names = network.range.names
        network.range = TrainingRange(names, limits["edges"], limits["least"], limits["most"])
        _check_range(network.range, path)
        _FORMAT.load(network, content["state"], path)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise GasOpticsError(
            f"{path} is no complete network of this program ({type(error).__name__}: {error}); "
            "use a file that save_network wrote."
        ) from error
    if table is not None and design.table != table:
        raise GasOpticsError(f"{path} is a network for {design.table}; expected one for {table}.")
    return network


def shipped() -> tuple[str, ...]:
    """Return the names of the networks that come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("*.pt")))


def shipped_network(name: str) -> LongwaveNetwork | ShortwaveNetwork:
    """Return a network that comes with the package.

    Parameters
    ----------
    name : str
        One of `shipped`, such as ``"lw-g256"``.

    Returns
    -------
    LongwaveNetwork or ShortwaveNetwork
        On the CPU, in float32.

    Raises
    ------
    GasOpticsError
        If there is none of this name.
    """
    if name not in shipped():
        raise GasOpticsError(f"no network {name!r} in the package; use {', '.join(shipped())}.")
    return load_network(_folder() / f"{name}.pt")


def _folder() -> Path:
    return Path(str(resources.files("restudy.gasoptics"))) / "weights"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _design(found: dict[str, Any]) -> Design:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return Design(**values)


def _spectrum(found: dict[str, Any]) -> Spectrum:
    planck = found["planck"]
    table = None if planck is None else PlanckTable((), found["function"], *planck)
    return Spectrum(found["tropopause"], tuple(found["sizes"]), table, found["solar"])


def _check_range(limits: TrainingRange, path: Path) -> None:
    shape = len(limits.edges) - 1, len(limits.names)
    if limits.least.shape != shape or limits.most.shape != shape:
        raise GasOpticsError(
            f"{path} has a range of shape {tuple(limits.least.shape)}; expected {shape}."
        )
