"""How far an emulator's fluxes are from those of the tables it stands for.

Errors are in flux, in heating rate on both sides of the tropopause, in each band, and in forcing:
the change of the net flux at the top and at the surface from one experiment of RFMIP to another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.errors import GasOpticsError
from restudy.gasoptics.heating import heating_rate
from restudy.gasoptics.longwave import DIFFUSIVITY, Quadrature, longwave_fluxes
from restudy.gasoptics.reference import Fluxes, LongwaveOptics, ShortwaveOptics
from restudy.gasoptics.shortwave import shortwave_fluxes

TROPOPAUSE = 9948.43  # Pa, between the lower and the upper tables
ZENITH = math.radians(42.0)  # of the sun, in the paper's set-up
ALBEDO = 0.07  # of the ground, in the paper's set-up


@dataclass(frozen=True)
class SpectralFluxes:
    """Fluxes at each level and g-point, or in each band.

    Attributes
    ----------
    up, down : torch.Tensor, shape (columns, layers + 1, g)
        Upwelling and downwelling flux [W/m2].
    """

    up: torch.Tensor
    down: torch.Tensor

    def total(self) -> Fluxes:
        """Return the fluxes of the whole spectral range."""
        return Fluxes(self.up.sum(dim=2), self.down.sum(dim=2))

    def by_band(self, bands: tuple[slice, ...]) -> SpectralFluxes:
        """Return the fluxes of the bands, of the g-points of each."""

        def summed(x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[:, :, band].sum(dim=2) for band in bands], dim=2)

        return SpectralFluxes(summed(self.up), summed(self.down))


@dataclass(frozen=True)
class FluxErrors:
    """How far fluxes are from the exact ones, over all columns and levels.

    Attributes
    ----------
    up_rmse, down_rmse : float
        Root mean square error [W/m2].
    up_max, down_max : float
        Largest error [W/m2].
    troposphere, stratosphere : float
        Root mean square error of the heating rate of the layers below and above the tropopause
        [K/day]; not a number where there are none.
    worst_column : int
        Column with the largest error in either flux.
    """

    up_rmse: float
    up_max: float
    down_rmse: float
    down_max: float
    troposphere: float
    stratosphere: float
    worst_column: int


@dataclass(frozen=True)
class BandErrors:
    """How far the fluxes of each band are from the exact ones; arrays of shape (bands,) in W/m2.

    Attributes
    ----------
    up_rmse, down_rmse : numpy.ndarray
        Root mean square error over all columns and levels.
    up_max, down_max : numpy.ndarray
        Largest error.
    """

    up_rmse: np.ndarray
    up_max: np.ndarray
    down_rmse: np.ndarray
    down_max: np.ndarray


@dataclass(frozen=True)
class ForcingErrors:
    """Errors of the change from the first experiment to each other; shape (experiments - 1,).

    Attributes
    ----------
    top, surface : numpy.ndarray
        Exact change of the net downward flux, weighted mean over the sites [W/m2].
    top_error, surface_error : numpy.ndarray
        Emulated minus exact change [W/m2].
    """

    top: np.ndarray
    surface: np.ndarray
    top_error: np.ndarray
    surface_error: np.ndarray

    @property
    def worst(self) -> tuple[float, float]:
        """The largest error at the top and at the surface, without its sign [W/m2]."""
        return float(np.abs(self.top_error).max()), float(np.abs(self.surface_error).max())


def paper_setup(atmosphere: Atmosphere) -> Atmosphere:
    """Return the columns under the sun and over the ground of the paper's comparison.

    Parameters
    ----------
    atmosphere : Atmosphere
        Columns, for the paper those of the present day in RFMIP.

    Returns
    -------
    Atmosphere
        With the sun at `ZENITH` and the albedo `ALBEDO` everywhere. The quadrature of the long
        wave is the caller's; the paper's, `DIFFUSIVITY`, is the default of `solve`.
    """
    like = torch.ones_like(atmosphere.mu0)
    return replace(atmosphere, mu0=math.cos(ZENITH) * like, albedo=ALBEDO * like)


def solve(
    optics: LongwaveOptics | ShortwaveOptics,
    atmosphere: Atmosphere,
    quadrature: Quadrature = DIFFUSIVITY,
) -> SpectralFluxes:
    """Return the fluxes of optical properties, whoever computed them.

    Parameters
    ----------
    optics : LongwaveOptics or ShortwaveOptics
        From the top down.
    atmosphere : Atmosphere
        The columns; only what is below and above the air is used.
    quadrature : Quadrature
        Rays of the long wave.

    Returns
    -------
    SpectralFluxes
        At each g-point, from the top down, in the precision of the optical properties.
    """
    dtype = optics.tau.dtype
    if isinstance(optics, LongwaveOptics):
        emissivity = atmosphere.emissivity.to(dtype)
        return SpectralFluxes(*longwave_fluxes(optics.tau, optics.source, emissivity, quadrature))
    sun = optics.incoming, atmosphere.mu0.to(dtype), atmosphere.albedo.to(dtype)
    fluxes = shortwave_fluxes(optics.tau, optics.ssa, *sun)
    return SpectralFluxes(fluxes.up, fluxes.down)


def flux_errors(
    emulated: Fluxes, exact: Fluxes, p_lev: torch.Tensor, tropopause: float = TROPOPAUSE
) -> FluxErrors:
    """Compare fluxes and the heating rates that follow from them.

    Parameters
    ----------
    emulated, exact : Fluxes
        Fluxes of the same columns [W/m2].
    p_lev : torch.Tensor, shape (columns, layers + 1)
        Pressure of the levels, in the order of the fluxes [Pa].
    tropopause : float
        Pressure between the two parts of the heating rates, which the mean pressure of a layer's
        two levels decides [Pa].

    Returns
    -------
    FluxErrors
        The errors, computed in float64.

    Raises
    ------
    GasOpticsError
        If the shapes differ.

    Examples
    --------
    One layer, from which 1 W/m2 too little comes up: 8.4 K/day for a hectopascal.

    >>> zero = torch.zeros(1, 2)
    >>> less = Fluxes(torch.tensor([[0.0, -1.0]]), zero)
    >>> found = flux_errors(less, Fluxes(zero, zero), torch.tensor([[1e4, 1.01e4]]))
    >>> print(f"{found.up_rmse:.3f} {found.up_max:.3f} {found.troposphere:.3f}")
    0.707 1.000 8.434
    """
    up = _difference("up", emulated.up, exact.up)
    down = _difference("down", emulated.down, exact.down)
    p = p_lev.detach().double()
    heating = heating_rate(up, down, p)
    low = (p[:, :-1] + p[:, 1:]) / 2 > tropopause
    largest = torch.maximum(up.abs(), down.abs()).amax(dim=1)
    return FluxErrors(
        up_rmse=_rmse(up),
        up_max=float(up.abs().max()),
        down_rmse=_rmse(down),
        down_max=float(down.abs().max()),
        troposphere=_rmse(heating[low]),
        stratosphere=_rmse(heating[~low]),
        worst_column=int(largest.argmax()),
    )


def band_errors(
    emulated: SpectralFluxes, exact: SpectralFluxes, bands: tuple[slice, ...]
) -> BandErrors:
    """Compare the fluxes of each band, where errors cannot cancel as they do in the sum.

    Parameters
    ----------
    emulated, exact : SpectralFluxes
        Fluxes of the same columns at each g-point [W/m2].
    bands : tuple of slice
        The g-points of each band, ``table.bands``.

    Returns
    -------
    BandErrors
        The errors, computed in float64.

    Raises
    ------
    GasOpticsError
        If the shapes differ.
    """
    ours, theirs = emulated.by_band(bands), exact.by_band(bands)
    up = _difference("up", ours.up, theirs.up)
    down = _difference("down", ours.down, theirs.down)
    return BandErrors(
        up_rmse=up.square().mean(dim=(0, 1)).sqrt().cpu().numpy(),
        up_max=up.abs().amax(dim=(0, 1)).cpu().numpy(),
        down_rmse=down.square().mean(dim=(0, 1)).sqrt().cpu().numpy(),
        down_max=down.abs().amax(dim=(0, 1)).cpu().numpy(),
    )


def forcing_errors(emulated: Fluxes, exact: Fluxes, weight: np.ndarray) -> ForcingErrors:
    """Compare what each experiment of RFMIP changes, at the top and at the surface.

    Parameters
    ----------
    emulated, exact : Fluxes
        Fluxes from the top down, the sites of one experiment after the other, the present day
        first, as `rfmip.Rfmip.atmosphere` orders the columns [W/m2].
    weight : numpy.ndarray, shape (sites,)
        Weights of the sites in a mean; they add up to 1.

    Returns
    -------
    ForcingErrors
        For every experiment but the first.

    Raises
    ------
    GasOpticsError
        If the shapes differ, or the columns are not two or more experiments at these sites.
    """
    columns, sites = exact.up.shape[0], len(weight)
    if columns % sites or columns < 2 * sites:
        raise GasOpticsError(
            f"the fluxes have {columns} columns; expected two or more times the {sites} sites of "
            "the weights."
        )
    difference = Fluxes(
        _difference("up", emulated.up, exact.up), _difference("down", emulated.down, exact.down)
    )
    top, surface = forcing(exact, weight)
    top_error, surface_error = forcing(difference, weight)
    return ForcingErrors(top, surface, top_error, surface_error)


def forcing(fluxes: Fluxes, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of the net downward flux from the first experiment, top and surface.

    Parameters
    ----------
    fluxes : Fluxes
        From the top down, the sites of one experiment after the other [W/m2].
    weight : numpy.ndarray, shape (sites,)
        Weights of the sites in a mean; they add up to 1.

    Returns
    -------
    top : numpy.ndarray, shape (experiments - 1,)
        Forcing at the top [W/m2].
    surface : numpy.ndarray, shape (experiments - 1,)
        Forcing at the surface [W/m2].
    """
    net = (fluxes.down.detach().double() - fluxes.up.detach().double()).cpu().numpy()
    mean = np.einsum("esl,s->el", net.reshape(-1, len(weight), net.shape[1]), weight)
    change = mean[1:] - mean[0]  # (experiments - 1, levels)
    return change[:, 0], change[:, -1]


def _difference(name: str, emulated: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    if emulated.shape != exact.shape:
        raise GasOpticsError(
            f"the emulated flux {name} has shape {tuple(emulated.shape)}; expected "
            f"{tuple(exact.shape)}, that of the exact one."
        )
    return emulated.detach().double() - exact.detach().double()


def _rmse(error: torch.Tensor) -> float:
    return float(error.square().mean().sqrt())
