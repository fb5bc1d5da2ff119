"""Which sources of `restudy` a chapter can reach: its imports, followed through the package."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import grimp

PACKAGE = "restudy"
UNTRACKED = {"data.registry.toml"}
"""Files that do not count as sources: a dataset counts through its own hash."""


def imported_modules(code: Iterable[str], known: set[str]) -> set[str]:
    """Return the modules among `known` that the code cells import.

    A cell that does not parse counts for nothing here: executing it will say what is wrong.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    found = set()
    for source in code:
        try:
            tree = ast.parse(TransformerManager().transform_cell(source))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module)
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found & known


class Sources:
    """The package's import graph and the hashes of its files."""

    @cached_property
    def graph(self) -> grimp.ImportGraph:
        """Who imports whom, read from the sources (nothing is executed)."""
        return grimp.build_graph(PACKAGE, cache_dir=None)

    @cached_property
    def folder(self) -> Path:
        """Where the package's sources lie."""
        spec = importlib.util.find_spec(PACKAGE)
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent

    def reach(self, code: Iterable[str]) -> set[str]:
        """Return the modules that run when the code cells import what they import.

        Importing ``restudy.traces.power`` also runs ``restudy`` and ``restudy.traces``, so the
        parents and what they import belong to the reach.
        """
        waiting = imported_modules(code, self.graph.modules)
        reached: set[str] = set()
        while waiting:
            module = waiting.pop()
            if module in reached:
                continue
            reached.add(module)
            waiting |= self.graph.find_modules_directly_imported_by(module)
            if "." in module:
                waiting.add(module.rpartition(".")[0])
        return reached

    def hashes(self, modules: Iterable[str]) -> dict[str, str]:
        """Return a hash for each module, and for each data file beside a reached module."""
        files = {}
        folders = set()
        for module in modules:
            path = self.folder.joinpath(*module.split(".")[1:])
            if path.is_dir():
                folders.add(path)
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            files[module] = path
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                data = path.suffix != ".py" and path.name not in UNTRACKED
                if (
                    data
                    and "__pycache__" not in path.parts  # numba writes there, too
                    and path.is_file()
                    and _owner(path, self.graph.modules, self.folder) in files
                ):
                    files[str(path.relative_to(self.folder.parent))] = path
        return {name: digest(path) for name, path in sorted(files.items())}


def _owner(path: Path, modules: set[str], package: Path) -> str:
    """Return the nearest package above a data file."""
    parts = path.relative_to(package.parent).parts[:-1]
    while ".".join(parts) not in modules:
        parts = parts[:-1]
    return ".".join(parts)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
