"""Files of weights: kept whole, read without running anything in them, refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from restudy.errors import UserError


@dataclass(frozen=True)
class WeightsFormat:
    """What files of one kind have in common.

    Attributes
    ----------
    name : str
        Written into each file, and asked for.
    writer : str
        The function whose files are read.
    largest : int
        Bytes that no such file exceeds.
    dtype : torch.dtype
        Of the weights.
    error : type of UserError
        What is raised of a file that cannot be used.
    """

    name: str
    writer: str
    largest: int
    dtype: torch.dtype
    error: type[UserError]

    def keep(self, module: torch.nn.Module, about: Mapping[str, Any], path: Path) -> None:
        """Write the weights of a module, and what else is known of it; replace an older file."""
        state = {name: x.detach().cpu().clone() for name, x in module.state_dict().items()}
        part = path.with_suffix(f".{os.getpid()}.part")
        torch.save({"format": self.name, **about, "state": state}, part)
        os.replace(part, path)

    def read(self, path: Path) -> dict[str, Any]:
        """Return what `keep` wrote, on the CPU; nothing in the file is run."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise self.error(f"{path} cannot be read ({error.strerror}).") from error
        if size > self.largest:
            raise self.error(f"{path} has {size} bytes; expected at most {self.largest}.")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever its readers of zip and pickle raise
            raise self.error(
                f"{path} is damaged or no file of weights ({type(error).__name__}); use a file "
                f"that {self.writer} wrote."
            ) from error
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        if not isinstance(content, dict) or found != self.name:
            raise self.error(
                f"{path} is of the format {found!r}; expected {self.name!r}: use a file that "
                f"{self.writer} wrote."
            )
        return content

    def load(self, module: torch.nn.Module, state: Mapping[str, Any], path: Path) -> None:
        """Give a module the weights of a file, if names, shapes, type and values are its own."""
        expected = module.state_dict()
        if expected.keys() != state.keys():
            odd = sorted(expected.keys() ^ state.keys())
            raise self.error(f"{path} has weights that do not fit: {odd[0]!r} is odd.")
        for name, x in state.items():
            if not isinstance(x, torch.Tensor) or x.dtype != self.dtype:
                raise self.error(f"{path} has {name} that is no tensor of {self.dtype}.")
            if x.shape != expected[name].shape:
                raise self.error(
                    f"{path} has {name} of shape {tuple(x.shape)}; expected "
                    f"{tuple(expected[name].shape)}."
                )
            if not bool(torch.isfinite(x).all()):
                raise self.error(f"{path} has values in {name} that are not finite.")
        module.load_state_dict(state)
