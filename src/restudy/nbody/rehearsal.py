"""All that the chapter on the neural N-body integrator computes, on next to nothing.

Numba compiles a function when it is first called and keeps the machine code beside the sources.
For this chapter that takes as long as its quick preset. ``python -m restudy.nbody.rehearsal`` does
it ahead, so that no run waits for it; ``make`` runs it once, after installation.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

from restudy.nbody import (
    experiments,
    experiments_classical,
    experiments_force,
    experiments_pair,
    experiments_paper,
    experiments_phases,
    experiments_unknown,
)
from restudy.nbody.learned.from_orbits import OrbitRecipe
from restudy.nbody.learned.ladder_training import LadderSetup
from restudy.nbody.learned.pair_training import Recipe
from restudy.nbody.learned.paper_training import PaperSetup


def setup() -> experiments.Setup:
    """Return the least setup that calls all compiled functions of `experiments.Setup.quick`."""
    training = PaperSetup(
        systems=2, test_systems=2, years=5.0, test_years=5.0, width=16, steps=3, batch=32
    )
    recipe = Recipe(systems=8, each=3, width=8, adam_steps=5, iterations=2)
    return experiments.Setup(
        experiments_classical.Setup(conics=30, years=200.0, exchange=5e4, chaos_steps=200),
        experiments_paper.Setup(training, seeds=1, most_steps=20, long_steps=40),
        replace(
            LadderSetup.quick(), samples=1000, held_out=50, width=16, steps=100, rate=2e-2,
            check_every=1, run_steps=100,
        ),
        replace(
            experiments_pair.Setup.quick(), recipe=recipe, curve=recipe,
            from_orbits=OrbitRecipe(systems=8, steps=1, width=8, adam_steps=3, iterations=2),
            steps=200, unseen=1, compact=1, swarm_steps=5, chart_steps=400, phases=1, counts=(2,),
            seeds=(1,),
        ),
        experiments_unknown.Setup(orbits=3, mercury_orbits=0, noises=1, networks=1, iterations=2),
    )  # fmt: skip


def rehearse() -> None:
    """Ask all questions of the chapter whose answers compiled code has a part in."""
    small, seed = setup(), 1
    converged = experiments_classical.convergence()
    experiments_classical.order_findings(converged, small.classical, seed=seed)
    laws = experiments_classical.energy_laws(small.classical)
    experiments_classical.law_findings(laws, small.classical)
    experiments_classical.chaos_table(small.classical, seed=seed)
    trained = experiments_paper.train(small.paper_network, seed=seed)
    experiments_paper.run(small.paper_network, trained, seed=seed)
    experiments_paper.ladder(small.ladder, seed=seed)
    networks, _ = experiments_pair.train_and_follow(small.pair, seed=seed)
    experiments_force.chart(small.pair, networks)
    experiments_force.learning(small.pair, seed=seed)
    experiments_phases.phases_table(small.pair, networks.wide, seed=seed)
    experiments_unknown.run(small.unknown, seed=seed)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # next to nothing is no training to trust
    rehearse()
