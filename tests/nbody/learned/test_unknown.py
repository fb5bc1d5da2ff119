"""Fields around a star: forces against autograd, and what orbits tell of them."""

import numpy as np
import pytest
import torch

from restudy.nbody.catalogue import planetary_system
from restudy.nbody.errors import NBodyError
from restudy.nbody.experiments_unknown import star_and_planets
from restudy.nbody.forces import LIGHT, oblateness, relativity_potential
from restudy.nbody.jacobi import to_jacobi
from restudy.nbody.learned.perturbations import (
    Field,
    FieldKick,
    NetworkField,
    OblateField,
    RelativisticField,
    field_acceleration,
    field_potential,
)
from restudy.nbody.learned.unknown import Observations, _Problem, fit_orbits, observe, predict
from restudy.nbody.splitting import WisdomHolman91Split
from restudy.nbody.system import System
from restudy.nbody.units import GRAVITY
from restudy.nbody.wisdom_holman import advance

RADIUS, J2 = 0.00465, 1e-3
LENGTH = GRAVITY / LIGHT**2
NETWORK = NetworkField(0.03, 0.6, 1e-4)
FIELDS: list[Field] = [OblateField(RADIUS), RelativisticField(LENGTH), NETWORK]


def close_planets() -> System:
    return planetary_system(
        1.0, [1e-5, 2e-5], [0.02, 0.033], [0.05, 0.08], np.radians([5, 3]), [0.3, 2.0], [1.0, 3.0]
    )


def some_theta(field: Field) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return field.start() + torch.randn(field.size, generator=rng).double()


@pytest.mark.parametrize("field", FIELDS)
def test_force_is_minus_the_gradient(field: Field) -> None:
    x = 0.03 * torch.randn(20, 3, generator=torch.Generator().manual_seed(1)).double()
    x.requires_grad_()
    mu, theta = torch.tensor(GRAVITY).double(), some_theta(field)
    (gradient,) = torch.autograd.grad(field_potential(field, theta, x, mu).sum(), x)
    found = field_acceleration(field, theta, x, mu)
    assert torch.allclose(found, -gradient, rtol=1e-10, atol=1e-12 * float(gradient.abs().max()))


@pytest.mark.parametrize(
    ("field", "force"),
    [
        (OblateField(RADIUS), oblateness(J2, RADIUS)),
        (RelativisticField(LENGTH), relativity_potential()),
    ],
)
def test_forces_are_those_of_the_reference(field: Field, force: object) -> None:
    """Against `restudy.nbody.forces`, which has its own formulas and tests."""
    system = close_planets()
    expected = force.acceleration(system.masses, system.positions, system.velocities, GRAVITY)  # type: ignore[attr-defined]
    theta = torch.tensor([J2 if isinstance(field, OblateField) else 1.0]).double()
    masses = torch.as_tensor(system.masses.copy())
    q = to_jacobi(masses, torch.as_tensor(system.positions.copy()))
    without = FieldKick(field, 0 * theta)(masses, q)
    found = FieldKick(field, theta)(masses, q) - without
    wanted = to_jacobi(masses, torch.as_tensor(expected))
    assert float(wanted[0].norm() / wanted[1].norm()) < 1e-15  # no pull on the barycentre
    assert torch.allclose(found[1:], wanted[1:], rtol=1e-6)  # differences of larger numbers


def test_a_field_without_form_is_zero_at_first() -> None:
    values, slopes = NETWORK.profiles(NETWORK.start(), torch.tensor([0.02, 0.05]).double())
    assert bool((values == 0).all())
    assert bool((slopes == 0).all())


def _problem(field: Field | None) -> tuple[_Problem, torch.Tensor]:
    system = close_planets()
    step = float(system.periods().min()) / 40
    problem = _Problem(Observations(step, 5, np.ones((4, 2, 3)), 1e-6), system, field, None)
    parameters = problem.start()
    if field is not None:
        parameters[: field.size] = 0.1 * some_theta(field)
    return problem, parameters


@pytest.mark.parametrize("field", [None, *FIELDS])
def test_compiled_orbits_are_those_of_torch(field: Field | None) -> None:
    problem, parameters = _problem(field)
    q, v = problem.states(parameters)
    mu = WisdomHolman91Split().mu(problem.masses, GRAVITY)
    start = problem._states(parameters)
    step = torch.tensor(problem.observations.step, dtype=torch.float64)
    expected = advance(problem.masses, *start, step, 20, problem._kick(parameters), mu)
    assert torch.allclose(q[-1], expected[0], rtol=1e-11, atol=1e-13)
    assert torch.allclose(v[-1], expected[1], rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("field", [OblateField(RADIUS), NETWORK])
def test_derivatives_are_those_of_differences(field: Field) -> None:
    problem, parameters = _problem(field)
    q, v = problem.states(parameters)
    with torch.no_grad():
        J = problem._sensitivities(parameters, q, v).reshape(4, 2, 3, -1)
    for column in (0, field.size, field.size + 4, len(parameters) - 1):
        small = 1e-5 * torch.eye(len(parameters), dtype=torch.float64)[column]
        ends = [problem.seen(problem.states(parameters + s * small)[0]) for s in (1, -1)]
        expected = (ends[0] - ends[1]) / 2e-5
        size = float(expected.abs().max())
        assert torch.allclose(J[..., column], expected, rtol=1e-5, atol=1e-5 * size)


@pytest.mark.slow
def test_oblateness_is_recovered_and_predicts() -> None:
    system = close_planets()
    step = float(system.periods().min()) / 40
    forces = [oblateness(J2, RADIUS)]
    rng = np.random.default_rng(0)
    seen = observe(system, forces, step=step, every=10, samples=60, noise=1e-6, rng=rng)
    field = OblateField(RADIUS)
    fit = fit_orbits(seen, system, field)
    ignored = fit_orbits(seen, system, None)
    assert fit.theta[0] == pytest.approx(J2, rel=0.01)
    assert fit.covariance[0, 0] ** 0.5 < 0.005 * J2
    assert fit.chi2 < 2
    assert ignored.chi2 > 100
    later = observe(system, forces, step=step, every=100, samples=60, noise=0.0, rng=rng)
    found = predict([fit, ignored], [field, None], step=step, every=100, samples=60)
    missed = np.sqrt(((found - later.positions) ** 2).mean((1, 2, 3)))
    assert missed[0] < 0.1 * missed[1]


def test_errors_are_as_large_as_the_fit_says() -> None:
    """Of relativity around the Sun, a part in 1e8 of what the orbit does to the observations."""
    star = planetary_system(1.0, [1.66e-7], [0.387], [0.2056], [0.1], [0.8], [0.5], [0.0])
    step, found = float(star.periods()[0]) / 40, []
    for seed in range(8):
        seen = observe(
            star, [relativity_potential()], step=step, every=10, samples=100, noise=1e-6,
            rng=np.random.default_rng(seed),
        )  # fmt: skip
        fit = fit_orbits(seen, star, RelativisticField(LENGTH))
        assert 0.02 < fit.covariance[0, 0] ** 0.5 < 0.3
        found.append((fit.theta[0] - 1) / fit.covariance[0, 0] ** 0.5)
    assert 0.4 < np.sqrt(np.mean(np.square(found))) < 1.7  # 0.2 % of draws are outside


@pytest.mark.slow
def test_growing_arcs_keep_a_network_out_of_wrong_valleys() -> None:
    """The fifth draw of the chapter, for which all observations at once do not find the field."""
    rng = np.random.default_rng(np.random.SeedSequence(2111).spawn(5)[4])
    system = star_and_planets()
    step = float(system.periods()[0]) / 40
    forces = [oblateness(J2, RADIUS)]
    seen = observe(system, forces, step=step, every=10, samples=160, noise=1e-6, rng=rng)
    x, v = (
        value * (1 + 1e-4 * rng.standard_normal(value.shape))
        for value in (system.positions, system.velocities)
    )
    guess = System(system.masses, x, v, system.names, system.gravity)
    at_once, growing = (
        fit_orbits(seen, guess, NETWORK, iterations=20, prior=3.0, arcs=arcs).chi2
        for arcs in ((1.0,), (0.125, 0.25, 0.5, 1.0))
    )
    assert growing < 1.5
    assert at_once > 50


@pytest.mark.parametrize("arcs", [(), (0.5,), (0.0, 1.0), (0.5, 0.5, 1.0), (1.0, 0.5)])
def test_arcs_that_do_not_grow_to_all_observations_are_refused(arcs: tuple[float, ...]) -> None:
    seen = Observations(1e-4, 1, np.ones((3, 2, 3)), 1e-6)
    with pytest.raises(NBodyError, match="expected shares that grow from above 0 to 1"):
        fit_orbits(seen, close_planets(), None, arcs=arcs)


def test_observations_of_other_planets_are_refused() -> None:
    with pytest.raises(NBodyError, match=r"expected \(samples, 2, 3\)"):
        fit_orbits(Observations(1e-4, 1, np.ones((3, 4, 3)), 1e-6), close_planets(), None)
