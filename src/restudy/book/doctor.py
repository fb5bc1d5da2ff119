"""What a machine has and lacks for Restudy, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from restudy.book.chapters import BookError, find_project

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;+]+)")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: is it well, is it needed, and how to mend it."""

    what: str
    ok: bool
    needed: bool
    found: str
    fix: str


def examine() -> list[Finding]:
    """Return what was looked at, the needed things first."""
    return [
        _python(),
        _checkout(),
        _pins(),
        _command("git", "to name the commit in run records", "apt install git"),
        _disk(),
        _data(),
        _command("chromium", "browser tests", "apt install chromium chromium-driver"),
        _command("sbatch", "cluster `slurm`, Slurm test", "apt install slurm-wlm munge"),
        _package("dask_jobqueue", "cluster `slurm`", "pip install 'restudy[slurm]'"),
        _package("dask_cuda", "cluster `cuda`", "pip install 'restudy[cuda]' on a GPU machine"),
        _command("nvidia-smi", "GPU tests and the `paper` presets", "install NVIDIA's driver"),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), True, version, "install Python 3.11+")


def _checkout() -> Finding:
    try:
        project = find_project()
    except BookError as error:
        return Finding("checkout", False, True, str(error), "cd into a clone of the repository")
    return Finding("checkout", True, True, str(project.root), "")


def _pins() -> Finding:
    """Compare what is installed with ``requirements.lock``."""
    try:
        lock = find_project().root / "requirements.lock"
    except BookError:
        return Finding("pinned versions", False, True, "no checkout", "cd into a clone")
    if not lock.exists():
        return Finding("pinned versions", False, False, "no requirements.lock", "clone it anew")
    wrong = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if pin := PIN.match(line):
            try:
                found = importlib.metadata.version(pin[1])
            except importlib.metadata.PackageNotFoundError:
                found = "missing"
            if found.partition("+")[0] != pin[2]:
                wrong.append(f"{pin[1]} {found} (pinned {pin[2]})")
    shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    fix = "rm -rf .venv && make book"
    return Finding("pinned versions", not wrong, True, shown or "as in requirements.lock", fix)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk", free > 2, True, f"{free:.0f} GB free", "free at least 2 GB")


def _data() -> Finding:
    mirror = os.environ.get("RESTUDY_MIRROR")
    fix = "export RESTUDY_MIRROR=<folder with the datasets>, or restudy fetch NAME"
    if mirror is None:
        return Finding("data mirror", False, False, "RESTUDY_MIRROR is not set", fix)
    return Finding("data mirror", Path(mirror).is_dir(), True, mirror, fix)


def _command(name: str, purpose: str, fix: str) -> Finding:
    path = shutil.which(name)
    return Finding(f"{name}: {purpose}", path is not None, False, path or "not found", fix)


def _package(name: str, purpose: str, fix: str) -> Finding:
    found = importlib.util.find_spec(name) is not None
    return Finding(f"{name}: {purpose}", found, False, "installed" if found else "not found", fix)
