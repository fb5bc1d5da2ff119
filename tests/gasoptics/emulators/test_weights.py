"""Files of weights: the same network comes back, and nothing else is taken."""

import pickle
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.inputs import training_range
from restudy.gasoptics.emulators.network import LongwaveNetwork, ShortwaveNetwork
from restudy.gasoptics.emulators.weights import (
    load_network,
    save_network,
    shipped,
    shipped_network,
)
from restudy.gasoptics.errors import GasOpticsError

Net = LongwaveNetwork | ShortwaveNetwork
Make = Callable[..., Net]


@pytest.fixture
def kept(made_network: Make, made_columns: Atmosphere, tmp_path: Path) -> Path:
    network = made_network()
    network.range = training_range(made_columns, ("h2o", "o3", "co2"))
    save_network(network, tmp_path / "network.pt")
    return tmp_path / "network.pt"


@pytest.mark.parametrize("table", ["lw-g256", "sw-g224"])
def test_a_network_comes_back(
    table: str, made_network: Make, made_columns: Atmosphere, tmp_path: Path
) -> None:
    network = made_network(table, experts=2)
    network.range = training_range(made_columns, ("h2o", "o3", "co2"))
    save_network(network, tmp_path / "network.pt")
    again = load_network(tmp_path / "network.pt", table)
    assert again.design == network.design
    first, second = network.fluxes(made_columns), again.fluxes(made_columns)
    assert torch.equal(first.up, second.up)
    assert torch.equal(first.down, second.down)
    assert not bool(again.range.outside(made_columns).any())
    assert [p.name for p in tmp_path.iterdir()] == ["network.pt"]


def test_a_network_of_other_tables_is_refused(kept: Path) -> None:
    with pytest.raises(GasOpticsError, match="is a network for lw-g256; expected one for lw-g128"):
        load_network(kept, "lw-g128")


def test_a_damaged_file_is_refused(kept: Path) -> None:
    whole = kept.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"no network"):
        kept.write_bytes(broken)
        with pytest.raises(GasOpticsError, match="is damaged or no file of weights"):
            load_network(kept)
    kept.unlink()
    with pytest.raises(GasOpticsError, match="cannot be read"):
        load_network(kept)


class _Foreign:
    """What a file of weights must not bring along: code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_foreign_file_is_refused_and_not_run(kept: Path) -> None:
    torch.save({"w": torch.zeros(3)}, kept)
    with pytest.raises(GasOpticsError, match="is of the format None"):
        load_network(kept)
    torch.save([1, 2], kept)
    with pytest.raises(GasOpticsError, match="is of the format 'list'"):
        load_network(kept)
    ran = kept.parent / "was-run"
    with kept.open("wb") as file:
        pickle.dump(_Foreign(ran), file)
    with pytest.raises(GasOpticsError, match="is damaged or no file of weights"):
        load_network(kept)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["state"].pop("solar"), "weights that do not fit: 'solar' is odd"),
        (lambda c: c["state"].update({"weights.0": torch.zeros(2, 2)}), "weights.0 of shape"),
        (lambda c: c["state"]["biases.1"].fill_(torch.nan), "biases.1 that are not finite"),
        (lambda c: c["design"].update(hidden=[8]), "weights.0 of shape .*; expected"),
        (lambda c: c["design"].update(colour="red"), "no complete network"),
        (lambda c: c["design"].update(table="sw-g224"), "the spectrum of the long wave"),
        (lambda c: c.pop("range"), "no complete network"),
        (lambda c: c["range"].update(least=torch.zeros(2, 2)), "a range of shape"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    change: Callable[[dict[str, object]], object], message: str, kept: Path
) -> None:
    content = torch.load(kept, weights_only=True)
    change(content)
    torch.save(content, kept)
    with pytest.raises(GasOpticsError, match=message):
        load_network(kept)


def test_the_package_has_networks_for_all_tables() -> None:
    networks = {name: shipped_network(name) for name in shipped()}
    assert {n.design.table for n in networks.values()} == {
        "lw-g256",
        "lw-g128",
        "sw-g224",
        "sw-g112",
    }
    with pytest.raises(GasOpticsError, match="no network 'lw-g99' in the package"):
        shipped_network("lw-g99")
    folder = Path(str(resources.files("restudy.gasoptics"))) / "weights"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
