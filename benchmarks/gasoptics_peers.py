"""What ``benchmarks/gasoptics.py`` sets our networks beside.

The networks of others run as fast as torch lets them: scalings are folded into the weights, every
array is allocated once, the dense layers are ``addmm`` into it, all else works in place. The
paper's also run on the kernels of ours, so that what a network saves and what a kernel saves can be
told apart. Its pairs of networks, one for each side of the tropopause, run with the weights of one
side for all layers, which is the same work. jax-rrtmgp has no gas optics by itself.
"""

import dataclasses
import time
from collections.abc import Callable
from importlib import resources

import numpy as np
import torch
from numba import njit
from torch.nn.functional import leaky_relu

from restudy.gasoptics.atmosphere import Atmosphere
from restudy.gasoptics.emulators import compiled, kernels, tiles
from restudy.gasoptics.emulators.paper_networks import (
    SLOPE,
    PaperLongwave,
    PaperNetwork,
    PaperShortwave,
    SplitNetwork,
)
from restudy.gasoptics.emulators.paper_scaling import paper_inputs
from restudy.gasoptics.emulators.ukkonen import UkkonenLongwave, UkkonenNetwork, UkkonenShortwave
from restudy.gasoptics.optical_depth import dry_air
from restudy.gasoptics.planck import ThermalSource
from restudy.gasoptics.reference import Fluxes, LongwaveOptics, ShortwaveOptics

Optics = Callable[[Atmosphere], LongwaveOptics | ShortwaveOptics]


class Chain:
    """Dense layers into memory of their own; the last has no activation."""

    def __init__(self, dense: list[tuple[torch.Tensor, torch.Tensor]], rows: int) -> None:
        self._dense = [(weight.T.contiguous(), bias) for weight, bias in dense]
        self._outs = [torch.empty(rows, len(bias)) for _, bias in dense]
        self._spare = [torch.empty_like(x) for x in self._outs]

    def __call__(self, x: torch.Tensor, *, softsign: bool = False) -> torch.Tensor:
        """Give the outputs, which the next call overwrites; leaky ReLU, or softsign, between."""
        for (weight, bias), out, spare in zip(self._dense, self._outs, self._spare, strict=True):
            torch.addmm(bias, x, weight, out=out)
            if out is self._outs[-1]:
                break
            if softsign:
                out.div_(torch.abs(out, out=spare).add_(1))
            else:
                leaky_relu(out, SLOPE, inplace=True)
            x = out
        return self._outs[-1]


def folded(
    network: PaperNetwork | UkkonenNetwork, factor: float = 1.0, shift: float = 0.0
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Fold the scalings of inputs and outputs into the weights; the outputs times and plus more."""
    if isinstance(network, PaperNetwork):
        first, scale = network.input_mean, network.input_deviation
        mean, deviation = network.output_mean, network.output_deviation
    else:
        first, scale = network.least, network.most - network.least
        mean, deviation = network.mean, network.deviation
    dense = [(layer.weight.detach(), layer.bias.detach()) for layer in network.dense]
    weight, bias = dense[0]
    dense[0] = (weight / scale, bias - weight @ (first / scale))
    weight, bias = dense[-1]
    outputs = deviation * factor
    dense[-1] = (weight * outputs[:, None], bias * outputs + mean * factor + shift)
    return dense


def one_sided(split: SplitNetwork) -> SplitNetwork:
    """Take the weights below the tropopause for all layers."""
    return SplitNetwork(split.quantity, split.lower, split.lower)


def paper_longwave(model: PaperLongwave, columns: int, layers: int) -> Optics:
    """Set up the paper's networks of the long wave for batches of one shape."""
    rows, g = columns * layers, model.spectrum.g_points
    tau_of = Chain(folded(model.tau.lower, 1 / 16, 1.0), rows)
    sources_of = Chain(folded(model.planck.lower, 1 / 16, 1.0), rows)
    level = torch.empty(columns, layers + 1, g)

    def optics(air: Atmosphere) -> LongwaveOptics:
        tau = _squared(tau_of(paper_inputs(air).flatten(0, 1)), 4).reshape(columns, layers, g)
        tau.mul_(_thickness(air))
        sources = sources_of(paper_inputs(air, levels=True).flatten(0, 1))
        layer, above, below = _squared(sources, 4).reshape(columns, layers, -1).chunk(3, dim=2)
        torch.mul(below[:, :-1], above[:, 1:], out=level[:, 1:-1])
        level[:, 1:-1].sqrt_()
        level[:, 0], level[:, -1] = above[:, 0], below[:, -1]
        surface = layer[:, -1] * model._ratio(air.t_sfc, air.t_lay[:, -1])
        return LongwaveOptics(tau, ThermalSource(layer, level, surface))

    return optics


def paper_shortwave(model: PaperShortwave, columns: int, layers: int) -> Optics:
    """Set up the paper's networks of the short wave for batches of one shape."""
    shape = columns, layers, model.spectrum.g_points
    tau_of = Chain(folded(model.tau.lower, 1 / 16, 1.0), columns * layers)
    ssa_of = Chain(folded(model.ssa.lower), columns * layers)

    def optics(air: Atmosphere) -> ShortwaveOptics:
        x = paper_inputs(air).flatten(0, 1)
        tau = _squared(tau_of(x), 4).reshape(shape).mul_(_thickness(air))
        ssa = ssa_of(x).reshape(shape).clamp_(0, 1)
        return ShortwaveOptics(tau, ssa, air.irradiance[:, None] * model.solar)

    return optics


def ukkonen_longwave(model: UkkonenLongwave, columns: int, layers: int) -> Optics:
    """Set up Ukkonen's networks of the long wave for batches of one shape."""
    rows, sizes = columns * layers, torch.tensor(model.sizes)
    root_of, share_of = (Chain(folded(x), rows) for x in (model.absorption, model.planck))
    shape = columns, layers, int(sizes.sum())
    radiance = model.planck_function.T.repeat_interleave(sizes, dim=1)  # (temperatures, g)
    layer, level = torch.empty(shape), torch.empty(columns, layers + 1, shape[2])

    def emitted(temperature: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        place = (temperature - model._empty.first) / model._empty.step
        row = place.floor().clamp(0, len(radiance) - 2)
        fraction, row = (place - row)[..., None], row.long()
        return torch.lerp(radiance[row], radiance[row + 1], fraction, out=out)

    def optics(air: Atmosphere) -> LongwaveOptics:
        tau = _optical_depth(model.absorption, root_of, air)
        root = share_of(_stacked(model.planck, air), softsign=True).reshape(shape)
        emitted(air.t_lay, layer).mul_(root).mul_(root)
        emitted(air.t_lev, level)
        level[:, :-1].mul_(root)
        level[:, 1:-1].mul_(root[:, :-1])
        level[:, 0].mul_(root[:, 0])
        level[:, -1].mul_(root[:, -1]).mul_(root[:, -1])
        surface = emitted(air.t_sfc).mul_(root[:, -1]).mul_(root[:, -1])
        # A root below 0 has the sign of an error, and its square none.
        return LongwaveOptics(tau.reshape(shape), ThermalSource(layer, level.abs_(), surface))

    return optics


def ukkonen_shortwave(model: UkkonenShortwave, columns: int, layers: int) -> Optics:
    """Set up Ukkonen's networks of the short wave for batches of one shape."""
    shape = columns, layers, len(model.solar)
    chains = [Chain(folded(x), columns * layers) for x in (model.absorption, model.rayleigh)]

    def optics(air: Atmosphere) -> ShortwaveOptics:
        tau = _optical_depth(model.absorption, chains[0], air)
        scattered = _optical_depth(model.rayleigh, chains[1], air)
        tau.add_(scattered)
        ssa = scattered.div_(tau)
        incoming = air.irradiance[:, None] * model.solar
        return ShortwaveOptics(tau.reshape(shape), ssa.reshape(shape), incoming)

    return optics


def _squared(x: torch.Tensor, times: int) -> torch.Tensor:
    for _ in range(times):
        x.square_()
    return x


def _thickness(air: Atmosphere) -> torch.Tensor:
    return air.p_lev.diff(dim=1).abs()[..., None]


def _stacked(network: UkkonenNetwork, air: Atmosphere) -> torch.Tensor:
    local = {"tlay": air.t_lay, "play": air.p_lay.log()}
    local |= {gas: air.gases[gas].sqrt().sqrt() for gas in ("h2o", "o3")}
    found = [local[name] if name in local else air.gases[name] for name in network.inputs]
    return torch.stack(found, dim=2).flatten(0, 1)


def _optical_depth(network: UkkonenNetwork, chain: Chain, air: Atmosphere) -> torch.Tensor:
    dry = dry_air(air.p_lev, air.gases["h2o"]).sqrt().sqrt().sqrt().reshape(-1, 1)
    return _squared(chain(_stacked(network, air), softsign=True).mul_(dry), 3)


# The paper's networks on the kernels of ours.


class Panels:
    """Dense layers as our kernels read them, and memory to work in."""

    def __init__(self, dense: list[tuple[torch.Tensor, torch.Tensor]], layers: int) -> None:
        if layers % tiles.ROWS:
            raise SystemExit(f"{layers} layers are no multiple of {tiles.ROWS}")
        packed = [compiled.panels(weight.numpy(), bias.numpy()) for weight, bias in dense]
        starts = np.cumsum([0, *(x.size for x in packed)])
        shapes = [
            (start, 0, x.shape[1] - 1, len(x), 0) for start, x in zip(starts, packed, strict=False)
        ]
        width = max(len(x) for x in packed) * tiles.LANES
        even, odd = np.zeros((2, layers, width), np.float32)
        self.given = np.concatenate([x.ravel() for x in packed]), np.array(shapes), even, odd


def paper_longwave_compiled(model: PaperLongwave, columns: int, layers: int) -> Optics:
    """Set up the paper's networks of the long wave on our kernels."""
    tau_of = Panels(folded(model.tau.lower, 1 / 16, 1.0), layers)
    sources_of = Panels(folded(model.planck.lower, 1 / 16, 1.0), layers)
    tau, layer = torch.empty(2, columns, layers, model.spectrum.g_points)
    level = torch.empty(columns, layers + 1, model.spectrum.g_points)
    outs = [x.numpy() for x in (tau, layer, level)]

    def optics(air: Atmosphere) -> LongwaveOptics:
        x, both = (paper_inputs(air, levels=y).numpy() for y in (False, True))
        _longwave(x, both, _thickness(air).numpy(), tau_of.given, sources_of.given, *outs)
        surface = layer[:, -1] * model._ratio(air.t_sfc, air.t_lay[:, -1])
        return LongwaveOptics(tau, ThermalSource(layer, level, surface))

    return optics


def paper_shortwave_compiled(model: PaperShortwave, columns: int, layers: int) -> Optics:
    """Set up the paper's networks of the short wave on our kernels."""
    tau_of = Panels(folded(model.tau.lower, 1 / 16, 1.0), layers)
    ssa_of = Panels(folded(model.ssa.lower), layers)
    tau, ssa = torch.empty(2, columns, layers, model.spectrum.g_points)
    outs = tau.numpy(), ssa.numpy()

    def optics(air: Atmosphere) -> ShortwaveOptics:
        _shortwave(
            paper_inputs(air).numpy(), _thickness(air).numpy(), tau_of.given, ssa_of.given, *outs
        )
        return ShortwaveOptics(tau, ssa, air.irradiance[:, None] * model.solar)

    return optics


@njit(nogil=True)
def _through(x, given):
    """Run a column through dense layers, and give the matrix that has the outputs."""
    weights, plan, even, odd = given
    source, target, other = x, even, odd
    for number in range(len(plan)):
        slope = np.float32(SLOPE) if number + 1 < len(plan) else np.float32(1)
        kernels.dense(source, 0, x.shape[0], weights, plan[number], slope, target, (target,), 0, 0)
        source, target, other = target, other, target
    return source


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _longwave(x, both, thickness, tau_of, sources_of, tau, layer, level):
    last, many = tau.shape[1] - 1, tau.shape[2]
    for column in range(tau.shape[0]):
        a, b = _through(x[column], tau_of), _through(both[column], sources_of)
        for i in range(last + 1):
            for g in range(many):
                tau[column, i, g] = thickness[column, i, 0] * _eighth_power(a[i, g]) ** 2
                layer[column, i, g] = _eighth_power(b[i, g]) ** 2
                below = b[i - 1, 2 * many + g] if i else b[0, many + g]
                level[column, i, g] = _eighth_power(below * b[i, many + g])
        for g in range(many):
            level[column, last + 1, g] = _eighth_power(b[last, 2 * many + g]) ** 2


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _shortwave(x, thickness, tau_of, ssa_of, tau, ssa):
    for column in range(tau.shape[0]):
        a, b = _through(x[column], tau_of), _through(x[column], ssa_of)
        for i in range(tau.shape[1]):
            for g in range(tau.shape[2]):
                tau[column, i, g] = thickness[column, i, 0] * _eighth_power(a[i, g]) ** 2
                ssa[column, i, g] = min(max(b[i, g], np.float32(0)), np.float32(1))


@njit(nogil=True)
def _eighth_power(x):
    second = x * x
    fourth = second * second
    return fourth * fourth


# jax-rrtmgp.


def jax_rrtmgp(
    tables: tuple[str, str], air: Atmosphere
) -> dict[str, tuple[Callable[[], Fluxes], float]]:
    """Set up both spectral ranges of jax-rrtmgp: what runs, and CPU seconds of its compilation.

    Its columns go from the ground up, with a cell beyond either end. The height of the sun and the
    albedo are those of the first column.
    """
    import jax
    import jax.numpy as jnp
    from rrtmgp.config import radiative_transfer as config
    from rrtmgp.optics import atmospheric_state, optics
    from rrtmgp.rte import two_stream

    data = resources.files("rrtmgp") / "optics"
    longwave, shortwave = (str(data / f"rrtmgp_data/rrtmgp-gas-{name}.nc") for name in tables)
    clouds = [str(data / f"rrtmgp_data/cloudysky_{name}.nc") for name in ("lw", "sw")]
    state = atmospheric_state.from_config(
        config.AtmosphericStateCfg(
            sfc_emis=0.0,
            sfc_alb=float(air.albedo[0]),
            zenith=float(air.mu0[0].acos()),
            irrad=0.0,
            vmr_global_mean_filepath=str(data / "test_data/vmr_global_means.json"),
        )
    )
    plane = {"sfc_emis": air.emissivity, "irrad": air.irradiance}  # one each column
    plane = {name: jnp.asarray(x.numpy()[:, None]) for name, x in plane.items()}
    state = dataclasses.replace(state, **plane)
    files = config.RRTMOptics(
        longwave_nc_filepath=longwave,
        shortwave_nc_filepath=shortwave,
        cloud_longwave_nc_filepath=clouds[0],
        cloud_shortwave_nc_filepath=clouds[1],
    )
    library = optics.optics_factory(config.OpticsParameters(optics=files), state.vmr)

    def cells(x: torch.Tensor) -> "jax.Array":
        """Give (columns, 1, layers + 2), from the ground up."""
        return jnp.asarray(np.pad(x.numpy()[:, ::-1], ((0, 0), (1, 1)), mode="edge")[:, None])

    temperature = np.pad(air.t_lay.numpy()[:, ::-1], ((0, 0), (1, 1)))
    temperature[:, 0] = 2 * air.t_lev[:, -1] - air.t_lay[:, -1]
    temperature[:, -1] = 2 * air.t_lev[:, 0] - air.t_lay[:, 0]
    molecules = 1e4 * dry_air(air.p_lev.double(), air.gases["h2o"].double()).float()
    given = cells(air.p_lay), jnp.asarray(temperature[:, None]), cells(molecules)
    gases = {gas: cells(air.gases[gas]) for gas in ("h2o", "o3")}
    ground = jnp.asarray(air.t_sfc.numpy()[:, None])

    def thermal(*given: "jax.Array") -> dict[str, "jax.Array"]:
        return two_stream.solve_lw(*given[:3], library, state, given[3], given[4])

    def solar(*given: "jax.Array") -> dict[str, "jax.Array"]:
        return two_stream.solve_sw(*given[:3], library, state, given[3])

    found = {}
    for name, solve, more in (("longwave", thermal, (ground,)), ("shortwave", solar, ())):
        start = time.process_time()
        ready = jax.jit(solve).lower(*given, gases, *more).compile()
        seconds = time.process_time() - start

        def run(ready=ready, more=more) -> Fluxes:
            fluxes = jax.block_until_ready(ready(*given, gases, *more))
            up, down = (np.asarray(fluxes[f"flux_{way}"])[:, 0, :0:-1] for way in ("up", "down"))
            return Fluxes(*(torch.from_numpy(x.copy()) for x in (up, down)))

        found[name] = run, seconds
    return found
