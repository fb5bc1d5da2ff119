"""The pages of the reference name every public module, and no other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "book" / "reference"
PACKAGE = ROOT / "src" / "restudy"


def named(page: Path) -> set[str]:
    return set(re.findall(r"automodule:: (restudy[\w.]+)", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("domain", ["qnet", "traces", "telemetry", "gasoptics", "nbody"])
def test_every_module_of_a_domain_is_in_the_reference(domain: str):
    modules = {path.stem for path in (PACKAGE / domain).glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in (PACKAGE / domain).glob("*/__init__.py")}
    public = {f"restudy.{domain}.{stem}" for stem in modules if not stem.startswith("_")}
    direct = {name for name in named(REFERENCE / f"{domain}.md") if name.count(".") < 3}
    assert direct == public | {f"restudy.{domain}"}


@pytest.mark.parametrize("page", sorted(REFERENCE.glob("*.md")), ids=lambda p: p.stem)
def test_every_named_module_exists_and_the_page_is_in_the_contents(page: Path):
    for module in named(page):
        path = PACKAGE.parent / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), module
    assert f"file: book/reference/{page.stem}\n" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
