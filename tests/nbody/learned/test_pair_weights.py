"""Weights in files: the same after a round trip, and refused where something is wrong."""

from pathlib import Path

import pytest
import torch

from restudy.nbody.errors import NBodyError
from restudy.nbody.learned.pair_potential import PairPotential, SeparationRange
from restudy.nbody.learned.weights import (
    load_potential,
    save_potential,
    shipped,
    shipped_potential,
)


def saved(path: Path) -> tuple[PairPotential, Path]:
    potential = PairPotential(SeparationRange(0.1, 10.0), 5, rng=torch.Generator().manual_seed(3))
    save_potential(potential, path / "a.pt")
    return potential, path / "a.pt"


def changed(path: Path, **changes: object) -> Path:
    """Return a file in which something is different."""
    _, file = saved(path)
    content = torch.load(file, weights_only=True)
    for name, value in changes.items():
        if name in content["state"]:
            content["state"][name] = value
        else:
            content[name] = value
    torch.save(content, file)
    return file


def test_round_trip(tmp_path: Path) -> None:
    potential, file = saved(tmp_path)
    found = load_potential(file)
    assert found.separations == potential.separations
    r = torch.logspace(-2, 2, 9, dtype=torch.float64)
    assert torch.equal(found(r), potential(r))
    assert [x.name for x in tmp_path.iterdir()] == ["a.pt"]  # no part is left


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something else"}, "is of the format 'something else'"),
        ({"width": 0}, "layers of 0 units"),
        ({"width": 6}, r"has first of shape \(5,\); expected \(6,\)"),
        ({"separations": [1.0, 0.5]}, "no range of training"),
        ({"separations": [1.0]}, "no complete potential"),
        ({"first": torch.zeros(5)}, "first that is no tensor of torch.float64"),
        ({"first": torch.full((5,), torch.nan, dtype=torch.float64)}, "first that are not finite"),
        ({"state": {}}, "weights that do not fit"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(NBodyError, match=message):
        load_potential(changed(tmp_path, **changes))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(NBodyError, match="damaged or no file of weights"):
        load_potential(tmp_path / "text")
    with pytest.raises(NBodyError, match="cannot be read"):
        load_potential(tmp_path / "absent")
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(NBodyError, match="is of the format 'list'"):
        load_potential(tmp_path / "list")
    _, file = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(NBodyError, match="damaged"):
        load_potential(file)
    (tmp_path / "large").write_bytes(b"0" * (3 << 20))
    with pytest.raises(NBodyError, match="3145728 bytes"):
        load_potential(tmp_path / "large")


def test_shipped_potentials_are_newtons_in_their_range() -> None:
    assert shipped() == ("pair-narrow", "pair-wide")
    for name in shipped():
        potential = shipped_potential(name)
        limits = potential.separations
        r = torch.logspace(-3, 3, 2000, dtype=torch.float64)
        r = r[(r > limits.least) & (r < limits.most)]
        with torch.no_grad():
            assert float((potential.ratio(r) - 1).abs().max()) < 1e-4
    with pytest.raises(NBodyError, match="no potential 'other' in the package"):
        shipped_potential("other")
