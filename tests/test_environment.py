"""The lists of versions agree: lock file, conda environment, and what the package asks for."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"([A-Za-z0-9._-]+)==?([^=\s]+)")
CONDA_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch"}
ONLY_GPU = {"cudf", "dask-cuda", "cuda-version"}  # from RAPIDS; the lock is for machines without


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[canonicalize_name(name)] = version.split(";")[0].strip()
    return pins


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def environments() -> dict[str, dict[str, Any]]:
    """Return the environment of ``environment.yml`` and the commented one below it."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    main, found, variant = text.partition("# --- GPU variant\n")
    assert found, "environment.yml lost its line '# --- GPU variant'"
    commented = "\n".join(line.removeprefix("# ") for line in variant.splitlines())
    return {"main": yaml.safe_load(main), "gpu": yaml.safe_load(commented)}


def listed(environment: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the pinned versions and the pip lines that pin nothing."""
    pins, others = {}, []
    for entry in environment["dependencies"]:
        for line in entry["pip"] if isinstance(entry, dict) else [entry]:
            if pin := PIN.fullmatch(line):
                name = CONDA_NAMES.get(pin[1], pin[1])
                pins[canonicalize_name(name)] = pin[2]
            else:
                others.append(line)
    return pins, others


@pytest.mark.parametrize("which", ["main", "gpu"])
def test_conda_names_the_versions_of_the_lock(which: str, lock: dict[str, str]):
    pins, _ = listed(environments()[which])
    pins = {name: version for name, version in pins.items() if name not in ONLY_GPU | {"python"}}
    assert pins == {name: lock.get(name) for name in pins}


def test_conda_installs_the_lock_and_the_package():
    _, others = listed(environments()["main"])
    assert others == ["pip", "-r requirements.lock", "-e ."]


@pytest.mark.parametrize("which", ["main", "gpu"])
def test_conda_brings_a_python_the_package_takes(which: str, project: dict[str, Any]):
    pins, _ = listed(environments()[which])
    wanted = Requirement(f"python{project['requires-python']}").specifier
    assert wanted.contains(pins["python"] + ".0")


def test_dask_cuda_is_of_the_line_that_takes_the_locked_dask(lock: dict[str, str]):
    pins, _ = listed(environments()["gpu"])
    assert pins["dask-cuda"] == pins["cudf"] == "26.10"  # this release wants dask 2026.7.1
    assert lock["dask"] == lock["distributed"] == "2026.7.1"
    assert Version(lock["bokeh"]) < Version("3.10")


def test_the_lock_satisfies_what_the_package_asks_for(
    lock: dict[str, str], project: dict[str, Any]
):
    extras = project["optional-dependencies"]
    apart = {
        "cuda",
        "gasoptics-peers",
        "nbody-peers",
        "qnet-peers",
    }  # have environments of their own
    asked = [*project["dependencies"], *(x for e in extras if e not in apart for x in extras[e])]
    wrong = []
    for line in asked:
        wanted = Requirement(line)
        pinned = lock.get(canonicalize_name(wanted.name))
        if pinned is None or not wanted.specifier.contains(pinned, prereleases=True):
            wrong.append((line, pinned))
    assert not wrong


def test_the_package_itself_pins_nothing(project: dict[str, Any]):
    assert not [line for line in project["dependencies"] if "==" in line or "<" in line]


@pytest.mark.parametrize("name", ["ipywidgets", "plotly", "jupyter-sphinx", "sphinx-tippy"])
def test_packages_that_break_an_offline_book_are_not_installed(name: str, lock: dict[str, str]):
    assert name not in lock


def test_the_installed_jupyter_book_reads_our_files():
    """Version 2 does not read _config.yml and _toc.yml, and ends with status 0 without a book."""
    assert Version(importlib.metadata.version("jupyter-book")).major == 1
