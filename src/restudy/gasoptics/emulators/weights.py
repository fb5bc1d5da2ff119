"""Weights of networks in files: kept, found again, and refused where something is wrong."""

from __future__ import annotations

import os
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

_FORMAT = "restudy gas optics, 1"
_LARGEST = 64 << 20  # bytes; the largest network of the paper's size takes 1 MB


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
    content = {
        "format": _FORMAT,
        "design": {k: _plain(v) for k, v in asdict(network.design).items()},
        "spectrum": {
            "tropopause": spectrum.tropopause,
            "sizes": list(spectrum.sizes),
            "planck": None if planck is None else [planck.first, planck.step],
            "function": None if planck is None else planck.function.cpu(),
            "solar": None if spectrum.solar is None else spectrum.solar.cpu(),
        },
        "range": {"edges": limits.edges, "least": limits.least, "most": limits.most},
        "state": {name: x.detach().cpu().clone() for name, x in network.state_dict().items()},
    }
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save(content, part)
    os.replace(part, path)


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
    content = _content(path)
    try:
        design = _design(content["design"])
        network = make_network(design, _spectrum(content["spectrum"]))
        limits = content["range"]
        names = network.range.names
        network.range = TrainingRange(names, limits["edges"], limits["least"], limits["most"])
        state = content["state"]
        _check_state(network.state_dict(), state, path)
        _check_range(network.range, path)
        network.load_state_dict(state)
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


def _content(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise GasOpticsError(f"{path} cannot be read ({error.strerror}).") from error
    if size > _LARGEST:
        raise GasOpticsError(f"{path} has {size} bytes; expected at most {_LARGEST}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its readers of zip and pickle raise
        raise GasOpticsError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); use a file that "
            "save_network wrote."
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise GasOpticsError(
            f"{path} is of the format {found!r}; expected {_FORMAT!r}: use a file that "
            "save_network wrote."
        )
    return content


def _design(found: dict[str, Any]) -> Design:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return Design(**values)


def _spectrum(found: dict[str, Any]) -> Spectrum:
    planck = found["planck"]
    table = None if planck is None else PlanckTable((), found["function"], *planck)
    return Spectrum(found["tropopause"], tuple(found["sizes"]), table, found["solar"])


def _check_state(
    expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor], path: Path
) -> None:
    if expected.keys() != found.keys():
        odd = sorted(expected.keys() ^ found.keys())
        raise GasOpticsError(f"{path} differs from its design in {odd[0]!r}: it is no whole file.")
    for name, x in found.items():
        if x.shape != expected[name].shape:
            raise GasOpticsError(
                f"{path} has {name} of shape {tuple(x.shape)}; its design makes it "
                f"{tuple(expected[name].shape)}."
            )
        if x.dtype != torch.float32 or not bool(torch.isfinite(x).all()):
            raise GasOpticsError(f"{path} has values in {name} that are no finite float32.")


def _check_range(limits: TrainingRange, path: Path) -> None:
    shape = len(limits.edges) - 1, len(limits.names)
    if limits.least.shape != shape or limits.most.shape != shape:
        raise GasOpticsError(
            f"{path} has a range of shape {tuple(limits.least.shape)}; expected {shape}."
        )
