r"""How wrong a network is, in the fluxes and heating rates that its errors make.

Near the truth the errors of fluxes and heating rates are linear in those of the roots,
``e = J (y - y_exact)``, with the Jacobian J of a column. The sum of squares ``|e|^2`` is the mean
of ``(v . e)^2 = (u . (y - y_exact))^2`` over random signs v, with the sketch ``u = J^T v``, which
is one backward pass through the solver. Sketches of the exact columns are made once; a step of
the training then needs no solver.
"""

from __future__ import annotations

from typing import cast

import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators.network import Spectrum
from restudy.gasoptics.emulators.roots import longwave_from_roots, shortwave_from_roots
from restudy.gasoptics.emulators.scores import solve
from restudy.gasoptics.heating import DAY, HEAT_CAPACITY
from restudy.gasoptics.longwave import GAUSS_1
from restudy.gasoptics.optical_depth import GRAVITY
from restudy.gasoptics.reference import LongwaveOptics, ShortwaveOptics


def fluxes_of_roots(
    a: torch.Tensor, b: torch.Tensor, columns: Atmosphere, spectrum: Spectrum
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the fluxes at each g-point, differentiable in the roots.

    Parameters
    ----------
    a, b : torch.Tensor, shape (columns, layers, g)
        Roots, from the top down.
    columns : Atmosphere
        From the top down, in the precision of the roots.
    spectrum : Spectrum
        Of the k-distribution.

    Returns
    -------
    tuple of torch.Tensor, shape (columns, layers + 1, g)
        Fluxes up and down [W/m2].
    """
    optics: LongwaveOptics | ShortwaveOptics
    if spectrum.planck is not None:
        optics = longwave_from_roots(a, b, columns, spectrum.planck, spectrum.sizes)
    else:
        optics = shortwave_from_roots(a, b, columns, cast("torch.Tensor", spectrum.solar))
    fluxes = solve(optics, columns, GAUSS_1)
    return fluxes.up, fluxes.down


def sketches(
    roots: torch.Tensor,
    columns: Atmosphere,
    spectrum: Spectrum,
    *,
    count: int,
    heating: float,
    rng: torch.Generator,
) -> torch.Tensor:
    """Return random projections of the Jacobian of fluxes and heating rates.

    Parameters
    ----------
    roots : torch.Tensor, shape (columns, layers, 2, g)
        The exact roots A and B.
    columns : Atmosphere
        From the top down, in the precision of the roots.
    spectrum : Spectrum
        Of the k-distribution.
    count : int
        Number of projections of each column.
    heating : float
        What an error of 1 K/day in the heating rate of a layer counts, in W/m2 of a flux.
    rng : torch.Generator
        For the signs, which are the same for all g-points of a column.

    Returns
    -------
    torch.Tensor, shape (count, columns, layers, 2, g)
        ``u = J^T v`` [W/m2]; summed over layers and the g-points of a band, ``u (y - y_exact)`` is
        the projected error of that band.
    """
    leaf = roots.detach().requires_grad_()
    up, down = fluxes_of_roots(leaf[:, :, 0], leaf[:, :, 1], columns, spectrum)
    rate = GRAVITY / HEAT_CAPACITY * DAY / columns.p_lev.diff(dim=1).to(up)[..., None]
    warming = (up - down).diff(dim=1) * rate  # (columns, layers, g) [K/day]
    found = []
    for _ in range(count):
        terms = [_signs(up, rng) * up, _signs(down, rng) * down]
        total = torch.cat((*terms, heating * _signs(warming, rng) * warming), dim=1).sum()
        found.append(torch.autograd.grad(total, leaf, retain_graph=True)[0])
    return torch.stack(found)


def projected_errors(
    errors: torch.Tensor, sketch: torch.Tensor, sizes: tuple[int, ...]
) -> torch.Tensor:
    """Return the projected error of each band.

    Parameters
    ----------
    errors : torch.Tensor, shape (columns, layers, 2, g)
        Roots less the exact ones.
    sketch : torch.Tensor, shape (columns, layers, 2, g)
        One of those that `sketches` gave.
    sizes : tuple of int
        Number of g-points of each band.

    Returns
    -------
    torch.Tensor, shape (columns, bands)
        ``v . e`` [W/m2].
    """
    by_g = (errors * sketch).sum(dim=(1, 2))
    bands = torch.split(by_g, list(sizes), dim=-1)
    return torch.stack([band.sum(dim=-1) for band in bands], dim=-1)


def flux_loss(
    errors: torch.Tensor, sketch: torch.Tensor, sizes: tuple[int, ...], total: float
) -> torch.Tensor:
    """Return the mean over columns of the squared errors of fluxes and heating rates.

    Parameters
    ----------
    errors : torch.Tensor, shape (columns, layers, 2, g)
        Roots less the exact ones.
    sketch : torch.Tensor, shape (columns, layers, 2, g)
        One of those that `sketches` gave.
    sizes : tuple of int
        Number of g-points of each band.
    total : float
        What the square of the sum over the bands counts, beside the sum of their squares.

    Returns
    -------
    torch.Tensor, shape ()
        Loss [W2/m4], in the mean over sketches added up over all levels and layers.
    """
    bands = projected_errors(errors, sketch, sizes)
    return (bands.square().sum(dim=1) + total * bands.sum(dim=1).square()).mean()


def root_loss(errors: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean over columns of the squared errors of roots.

    Parameters
    ----------
    errors : torch.Tensor, shape (columns, layers, 2, g)
        Roots less the exact ones.
    weight : torch.Tensor, shape (layers, 2, g)
        What they count: with the mean square of the sketches, `flux_loss` as it would be if all
        errors were independent of each other [W2/m4].

    Returns
    -------
    torch.Tensor, shape ()
        Loss [W2/m4].
    """
    return (weight * errors.square()).sum() / len(errors)


def losses_and_gradient(
    errors: torch.Tensor,
    weight: torch.Tensor,
    sketch: torch.Tensor | None,
    sizes: tuple[int, ...],
    total: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return both losses and the gradient of their sum, in a third of the time of autograd.

    Parameters
    ----------
    errors : torch.Tensor, shape (columns, layers, 2, g)
        Roots less the exact ones.
    weight : torch.Tensor, shape (layers, 2, g) or (columns, layers, 2, g)
        Of `root_loss`.
    sketch : torch.Tensor, shape (columns, layers, 2, g), or None
        Of `flux_loss`, which is 0 without.
    sizes : tuple of int
        Number of g-points of each band.
    total : float
        Of `flux_loss`.

    Returns
    -------
    root, flux : torch.Tensor, shape ()
        The two losses [W2/m4]; on a GPU nothing waits for them.
    gradient : torch.Tensor, shape (columns, layers, 2, g)
        Of their sum, by the errors.
    """
    gradient = errors * weight
    root = torch.dot(gradient.flatten(), errors.flatten()) / len(errors)
    flux = torch.zeros_like(root)
    if sketch is not None:
        bands = projected_errors(errors, sketch, sizes)  # (columns, bands)
        whole = bands.sum(dim=1, keepdim=True)
        flux = (bands.square().sum(dim=1) + total * whole[:, 0].square()).mean()
        counts = torch.tensor(sizes, device=errors.device)
        slope = (bands + total * whole).repeat_interleave(counts, dim=1, output_size=sum(sizes))
        gradient.addcmul_(sketch, slope[:, None, None, :])
    return root, flux, gradient.mul_(2 / len(errors))


def _signs(like: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return random signs, (columns, levels or layers, 1)."""
    drawn = torch.randint(0, 2, (*like.shape[:2], 1), generator=rng)
    return (2 * drawn - 1).to(like)
