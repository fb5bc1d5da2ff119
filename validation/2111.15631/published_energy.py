"""Read the energies that the authors' notebook of Sun, Jupiter and Saturn printed.

    python validation/2111.15631/published_energy.py NOTEBOOK > FILE

NOTEBOOK is experiment_sun_jupiter_saturn.ipynb of the authors' repository, commit 39bc576 of
github.com/maxwelltsai/neural-symplectic-integrator, and FILE is
src/restudy/nbody/learned/published_energy.json. Its first run is the classical one and its second
that of the network, whose lines are printed twice, as the log had been set up twice by then.
"""

import json
import re
import sys
from pathlib import Path

LINE = re.compile(r"t = ([\d.]+), dE/E0 = ([\d.e+-]+)")


def main(notebook: str) -> None:
    """Print both curves as JSON."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    texts = ("".join("".join(o.get("text", "")) for o in c.get("outputs", ())) for c in cells)
    runs = [found for text in texts if len(found := LINE.findall(text)) >= 2000]
    classical, network = ({float(t): float(error) for t, error in run} for run in runs)
    curves = {
        "classical": [classical[t] for t in sorted(classical)],
        "network": [network[t] for t in sorted(network)],
    }
    print(json.dumps(curves))


if __name__ == "__main__":
    main(sys.argv[1])
