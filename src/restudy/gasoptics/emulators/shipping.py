"""The networks that come with the package: trained, scored and written down by one command.

``python -m restudy.gasoptics.emulators.shipping lw-g256 sw-g224 --folder weights`` writes, for each
name, the weights as ``<name>.pt`` and the record of the run with its scores as ``<name>.json``.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from restudy.gasoptics.emulators.evaluation import evaluate
from restudy.gasoptics.emulators.presets import preset
from restudy.gasoptics.emulators.training import train
from restudy.gasoptics.emulators.weights import save_network

ALL_GASES = "-all-gases"  # ends the names of networks that see the well-mixed gases
NAMES = tuple(
    table + gases
    for table in ("lw-g256", "lw-g128", "sw-g224", "sw-g112")
    for gases in ("", ALL_GASES)
)


def ship(
    name: str, folder: Path, *, size: str = "full", seed: int = 1, device: str = "cpu"
) -> Path:
    """Train the network of a name, score it, and write weights and record.

    Parameters
    ----------
    name : str
        k-distribution, with ``-all-gases`` where the well-mixed gases are inputs.
    folder : pathlib.Path
        Where to write.
    size : str
        Preset of the training.
    seed : int
        Of the training.
    device : str
        On which to train.

    Returns
    -------
    pathlib.Path
        The file of weights.

    Raises
    ------
    GasOpticsError
        If there is no such preset or k-distribution, or data are not at hand.
    """
    table = name.removesuffix(ALL_GASES)
    recipe = preset(size, table, other_gases=name.endswith(ALL_GASES))
    trained = train(recipe, seed=seed, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pt"
    save_network(trained.network, path)
    record = asdict(trained.record) | {"preset": size, "scores": evaluate(trained.network)}
    write_record(record, path.with_suffix(".json"))
    return path


def write_record(record: dict[str, Any], path: Path) -> None:
    """Write a record as JSON, with numbers of six digits; null where there is no number."""
    path.write_text(json.dumps(_rounded(record), indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train networks of the gas optics.")
    parser.add_argument("names", nargs="+", choices=NAMES)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--preset", default="full")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    for name in given.names:
        path = ship(name, given.folder, size=given.preset, seed=given.seed, device=given.device)
        print(path)


if __name__ == "__main__":
    main()
