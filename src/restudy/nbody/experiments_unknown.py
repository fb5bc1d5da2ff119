"""An interaction that is not known: learned from orbits, with its number, and used to predict."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from restudy.nbody.catalogue import planetary_system
from restudy.nbody.forces import LIGHT, Force, oblateness, relativity_of_star
from restudy.nbody.learned.perturbations import (
    Field,
    NetworkField,
    OblateField,
    RelativisticField,
)
from restudy.nbody.learned.unknown import (
    Observations,
    OrbitFit,
    fit_orbits,
    observe,
    predict,
    true_positions,
)
from restudy.nbody.system import System
from restudy.nbody.trajectory import FloatArray
from restudy.parallel import sweep

MERCURY: Final = 42.98
"""Perihelion advance of Mercury by general relativity [arcsec/century]."""

_RADIUS = 0.00465  # of the star [au]
_J2 = 1e-3
_NOISE = 1e-6
_LONGER = 10  # than the observations is the prediction
_STEPS_A_PERIOD = 40
_GUESS = 1e-4  # relative error of the state that a fit starts from
_OF_NETWORK: Final[dict[str, Any]] = {  # spread of its weights, and growing arcs of observations
    "prior": 3.0,
    "arcs": (0.125, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True)
class Setup:
    """How much is computed.

    Attributes
    ----------
    orbits : int
        Of the innermost planet that are observed, four times each.
    mercury_orbits : int
        The same of Mercury; 0 leaves it out.
    noises : int
        Draws of the errors, of each of which there is a fit.
    networks : int
        Draws to which a network is fitted as well.
    iterations : int
        Of a fit, at most: without a network some ten are enough.
    """

    orbits: int
    mercury_orbits: int
    noises: int
    networks: int
    iterations: int

    @classmethod
    def quick(cls) -> Self:
        """Make a setup of ten seconds."""
        return cls(10, 0, 2, 1, 12)

    @classmethod
    def full(cls) -> Self:
        """Make a setup of some minutes: ten draws of the errors."""
        return cls(40, 200, 10, 10, 60)

    @classmethod
    def paper(cls) -> Self:
        """Make a setup with many more draws."""
        return cls(100, 400, 100, 100, 100)


@dataclass(frozen=True, eq=False)
class Results:
    """What was learned of interactions that were not known.

    Attributes
    ----------
    j2 : tuple of float
        Of the known form, for each draw of the errors.
    advance : tuple of float
        Of Mercury [arcsec/century], likewise.
    fitted : pandas.DataFrame
        Columns ``model``, ``noise`` (the number of the draw), ``chi2``, ``j2`` and ``uncertainty``.
    prediction : pandas.DataFrame
        Columns ``model``, ``time`` [yr] and ``error``, the largest of a planet [au], of the first
        draw.
    observed : float
        How long there were observations [yr].
    """

    j2: tuple[float, ...]
    advance: tuple[float, ...]
    fitted: pd.DataFrame
    prediction: pd.DataFrame
    observed: float


def star_and_planets() -> System:
    """Return three planets close to an oblate star, on inclined orbits."""
    return planetary_system(
        1.0,
        [1e-5, 2e-5, 1e-5],
        [0.02, 0.031, 0.05],
        [0.05, 0.08, 0.06],
        np.radians([5.0, 3.0, 8.0]),
        [0.3, 2.0, 4.0],
        [1.0, 3.0, 5.0],
        [0.0, 2.0, 4.0],
    )


def mercury() -> System:
    """Return the Sun with Mercury alone."""
    return planetary_system(1.0, [1.66e-7], [0.387098], [0.20563], [0.1222], [0.84], [0.51], [0.0])


def models() -> dict[str, Field | None]:
    """Give what a fit may know of the star: nothing, a network for a field, or the true form."""
    return {
        "without": None,
        "learned": NetworkField(0.03, 0.6, 1e-4),
        "true form": OblateField(_RADIUS),
    }


def run(setup: Setup, *, seed: int, executor: Executor | None = None) -> Results:
    """Observe, fit with every model, and predict ten times longer.

    Parameters
    ----------
    setup : Setup
        How much.
    seed : int
        Of the errors and the guesses; each draw has its own.
    executor : concurrent.futures.Executor, optional
        Where draws are fitted; the results do not depend on it.

    Returns
    -------
    Results
        Everything that the chapter shows.
    """
    one = partial(_one_draw, setup)
    found = sweep(one, range(setup.noises), seed=seed, executor=executor)
    fitted = pd.DataFrame([row for draw in found for row in draw["fits"]])
    return Results(
        tuple(draw["j2"] for draw in found),
        tuple(draw["advance"] for draw in found if draw["advance"] is not None),
        fitted,
        pd.DataFrame(found[0]["prediction"]),
        found[0]["observed"],
    )


def _one_draw(setup: Setup, number: int, rng: np.random.Generator) -> dict[str, Any]:
    """Fit one draw of the errors."""
    system, forces = star_and_planets(), [oblateness(_J2, _RADIUS)]
    seen = _observed(system, forces, setup.orbits, rng)
    guess = _guess(system, rng)
    fits = {
        name: fit_orbits(
            *(seen, guess, field),
            iterations=setup.iterations,
            **(_OF_NETWORK if name == "learned" else {}),
        )
        for name, field in models().items()
        if name != "learned" or number < setup.networks
    }
    known = fits["true form"]
    rows = [{"model": name, "noise": number, "chi2": fit.chi2} for name, fit in fits.items()]
    rows[-1] |= {"j2": float(known.theta[0]), "uncertainty": float(known.covariance[0, 0] ** 0.5)}
    return {
        "fits": rows,
        "j2": float(known.theta[0]),
        "advance": _advance(setup.mercury_orbits, rng) if setup.mercury_orbits else None,
        "prediction": _predicted(system, forces, seen, fits),
        "observed": float(seen.times[-1]),
    }


def _advance(orbits: int, rng: np.random.Generator) -> float:
    """Return the perihelion advance of Mercury by a fitted term [arcsec/century]."""
    star = mercury()
    seen = _observed(star, [relativity_of_star()], orbits, rng)
    fit = fit_orbits(seen, _guess(star, rng), RelativisticField(star.gravity / LIGHT**2))
    return MERCURY * float(fit.theta[0])


def _observed(
    system: System, forces: Sequence[Force], orbits: int, rng: np.random.Generator
) -> Observations:
    step = float(system.periods()[0]) / _STEPS_A_PERIOD
    return observe(system, forces, step=step, every=10, samples=4 * orbits, noise=_NOISE, rng=rng)


def _guess(system: System, rng: np.random.Generator) -> System:
    """Return a state near the true one, as earlier observations would give it."""
    x, v = (
        value * (1 + _GUESS * rng.standard_normal(value.shape))
        for value in (system.positions, system.velocities)
    )
    return System(system.masses, x, v, system.names, system.gravity)


def _predicted(
    system: System, forces: Sequence[Force], seen: Observations, fits: dict[str, OrbitFit]
) -> list[dict[str, object]]:
    """Compare predictions with the truth."""
    samples = _LONGER * len(seen.positions) // 4
    fields = models()
    found = predict(
        list(fits.values()),
        [fields[name] for name in fits],
        step=seen.step,
        every=4 * seen.every,
        samples=samples,
    )
    times = seen.step * 4 * seen.every * np.arange(1.0, samples + 1)
    truth: FloatArray = true_positions(system, times, forces)
    rows: list[dict[str, object]] = []
    for name, positions in zip(fits, found, strict=True):
        error = np.linalg.norm(positions - truth, axis=-1).max(-1)
        rows += [
            {"model": name, "time": float(t), "error": float(e)}
            for t, e in zip(times, error, strict=True)
        ]
    return rows


def findings(found: Results) -> dict[str, float]:
    """Give what the claims on the unknown interaction ask for."""
    ends = found.prediction.groupby("model")["error"].max()
    asked = {
        "unknown-j2": float(np.mean([abs(j2 / _J2 - 1) for j2 in found.j2])),
        "unknown-prediction": float(ends["learned"] / ends["without"]),
    }
    return asked | ({"unknown-precession": float(np.mean(found.advance))} if found.advance else {})


def table(found: Results) -> pd.DataFrame:
    """Give the fits: chi2, of most draws and of the worst, and J2 where the form is known."""
    draws = found.fitted.groupby("model", sort=False)
    ends = found.prediction.groupby("model", sort=False)["error"].max()
    return pd.DataFrame(
        {
            "chi2": draws["chi2"].median(),
            "worst": draws["chi2"].max(),
            "j2": draws["j2"].mean(),
            "uncertainty": draws["uncertainty"].mean(),
            "prediction": ends,
        }
    ).rename(
        columns={
            "chi2": "chi², median",
            "worst": "chi², worst draw",
            "j2": "J₂",
            "uncertainty": "its uncertainty",
            "prediction": "largest error of the prediction [au]",
        }
    )
