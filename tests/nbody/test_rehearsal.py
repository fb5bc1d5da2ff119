"""The rehearsal: after it the chapter's own cells have nothing left to compile."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAPTER = Path(__file__).parents[2] / "book/papers/neural-nbody.ipynb"

# In a process of its own, where no other test has called anything. Code that lies compiled on disk
# counts like code compiled here: it was called with these types.
PROGRAM = """
import gc, sys, warnings
import matplotlib
from numba.core.dispatcher import Dispatcher
from restudy.nbody import experiments, rehearsal

def called():
    return {
        (one.py_func.__module__, one.py_func.__qualname__, types)
        for one in gc.get_objects()
        if isinstance(one, Dispatcher) and one.py_func.__module__.startswith("restudy")
        for types in one.signatures
    }

matplotlib.use("agg")
warnings.simplefilter("ignore")
rehearsal.rehearse()
rehearsed = called()
assert rehearsed
experiments.Setup.quick = rehearsal.setup
exec(compile(sys.stdin.read(), "the chapter", "exec"), {})
sys.exit("".join(f"not rehearsed: {new}\\n" for new in called() - rehearsed) or 0)
"""


@pytest.mark.slow
def test_the_chapter_compiles_nothing_that_was_not_rehearsed() -> None:
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=code, capture_output=True, text=True,
        cwd=CHAPTER.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
