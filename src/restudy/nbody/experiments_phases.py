"""TRAPPIST-1 with other phases: how soon it forgets them, and what the pair network makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, Final

import numpy as np
import pandas as pd

from restudy.nbody.catalogue import trappist_1
from restudy.nbody.experiments_pair import Setup
from restudy.nbody.learned.evaluation import Case, Comparison, compare
from restudy.nbody.learned.pair_potential import PairPotential
from restudy.nbody.lyapunov import Chaos, chaos

_STEP: Final = 2e-4  # [yr]
_FIXED: Final = "golden angle"


def phases_table(
    setup: Setup, potential: PairPotential, *, seed: int, executor: Executor | None = None
) -> pd.DataFrame:
    """Draw phases of TRAPPIST-1 and follow each with the exact kick and the pair network.

    Parameters
    ----------
    setup : Setup
        Says how many draws and steps.
    potential : PairPotential
        The network.
    seed : int
        Of the phases, and of the directions of the deviations.
    executor : concurrent.futures.Executor, optional
        Where systems are followed; the table does not depend on it.

    Returns
    -------
    pandas.DataFrame
        One row for each draw, from the least MEGNO to the largest, and among them that of the
        claims, whose planets are ahead of each other by the golden angle: MEGNO and the Lyapunov
        time [yr] after all steps, the largest energy error over that with the exact kick, and the
        largest phase error [rad].
    """
    run: Callable[..., Iterable[Any]] = map if executor is None else executor.map
    seeds = np.random.SeedSequence(seed).spawn(setup.phases + 1)
    systems = [trappist_1(np.random.default_rng(child)) for child in seeds[1:]]
    cases = [
        Case(name, system.sorted(), _STEP, setup.steps)
        for name, system in [
            (_FIXED, trappist_1()),
            *((f"draw {number}", system) for number, system in enumerate(systems, 1)),
        ]
    ]
    grown = run(_grown, cases, seeds)
    compared = run(compare, cases, [potential] * len(cases))
    rows = [_row(*pair) for pair in zip(compared, grown, strict=True)]
    table = pd.DataFrame(rows, index=[case.name for case in cases])
    return table.sort_values("MEGNO", kind="stable")


def _grown(case: Case, seed: np.random.SeedSequence) -> Chaos:
    """Follow a deviation in another direction than any other draw's."""
    return chaos(
        *(case.system, case.step, case.steps),
        rng=np.random.default_rng(seed),
        sample_every=case.steps,
        hill_radii=0.0,
    )


def _row(compared: Comparison, grown: Chaos) -> dict[str, float]:
    return {
        "MEGNO": float(grown.megno[-1]),
        "Lyapunov time [yr]": grown.lyapunov_time,
        "energy over exact": compared.learned.energy / compared.exact.energy,
        "largest phase error [rad]": max(compared.phase),
    }
