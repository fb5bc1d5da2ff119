"""The gas optics of RRTMGP written slowly: one layer and one g-point at a time, in plain numbers.

It reads the netCDF file itself and shares no code with the package.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import netcdf_file

from restudy.gasoptics.optical_depth import absorption, locate, rayleigh_scattering
from restudy.gasoptics.planck import planck_fraction
from restudy.gasoptics.standard import standard_atmospheres
from restudy.gasoptics.tables import KDistribution


class Loops:
    """One gas file, and the optical properties of one layer."""

    def __init__(self, path: Path) -> None:
        with netcdf_file(path, mmap=False) as file:
            self.v: dict[str, Any] = {
                k: x.data.astype(x.data.dtype.newbyteorder("=")) for k, x in file.variables.items()
            }
        self.gases = self.texts("gas_names")
        labels, names = self.texts("identifier_minor"), self.texts("gas_minor")
        self.gas_of = dict(zip(labels, names, strict=True))

    def texts(self, name: str) -> list[str]:
        return [b"".join(row).decode().strip("\0 ") for row in self.v[name]]

    def layer(self, p: float, dp: float, t: float, vmr: dict[str, float]) -> dict[str, np.ndarray]:
        """Return tau, and Planck fraction or Rayleigh optical depth, at each g-point."""
        v = self.v
        q = vmr["h2o"]
        f = 1 / (1 + q)
        m_air = (0.028964 + 0.018016 * q) * f
        dry = 10 * dp * 6.02214076e23 * f / (1000 * m_air * 100 * 9.80665)
        amount = [dry] + [vmr[gas] * dry for gas in self.gases]
        log_ref = np.log(v["press_ref"])
        delta = (log_ref[-1] - log_ref[0]) / (len(log_ref) - 1)
        place = 1 + (math.log(p) - log_ref[0]) / delta
        jp = min(len(log_ref) - 1, max(1, int(place)))
        fp = place - jp
        low = math.log(p) > math.log(float(v["press_ref_trop"]))
        atm, part, shift = (0, "lower", 0) if low else (1, "upper", 1)
        jt = min(13, max(1, int((t - 145.0) / 15.0)))
        ft = (t - v["temp_ref"][jt - 1]) / 15.0
        count = v["kmajor"].shape[-1]
        tau, other = np.zeros(count), np.zeros(count)
        for g in range(count):
            band = self.band(g)
            a, b = (int(i) for i in v["key_species"][band, atm])
            if (a, b) == (0, 0):
                a, b = 2, 2
            for i in (0, 1):
                ratio = v["vmr_ref"][jt - 1 + i, a, atm] / v["vmr_ref"][jt - 1 + i, b, atm]
                mix = amount[a] + ratio * amount[b]
                place_eta = (amount[a] / mix if mix > 0 else 0.5) * 8
                je, fe = min(int(place_eta), 7), math.fmod(place_eta, 1.0)
                wt = ft if i else 1 - ft
                for j in (0, 1):
                    we = fe if j else 1 - fe
                    for k in (0, 1):
                        wp = fp if k else 1 - fp
                        at = jt - 1 + i, jp - 1 + shift + k, je + j, g
                        tau[g] += wt * we * wp * mix * v["kmajor"][at]
                        if "plank_fraction" in v:
                            other[g] += wt * we * wp * v["plank_fraction"][at]
                    if f"rayl_{part}" in v:
                        rayleigh = v[f"rayl_{part}"][jt - 1 + i, je + j, g]
                        other[g] += wt * we * (amount[1] + dry) * rayleigh
                    tau[g] += wt * we * self.minor(part, g, p, t, amount, jt - 1 + i, je + j)
        return {"tau": tau, "other": other}

    def band(self, g: int) -> int:
        limits = self.v["bnd_limits_gpt"]
        return next(i for i, (first, last) in enumerate(limits) if first <= g + 1 <= last)

    def minor(
        self, part: str, g: int, p: float, t: float, amount: list[float], it: int, ie: int
    ) -> float:
        """Return the absorption of the minor gases with the coefficients of one node."""
        v, total = self.v, 0.0
        labels, partners = self.texts(f"minor_gases_{part}"), self.texts(f"scaling_gas_{part}")
        for n, (first, last) in enumerate(v[f"minor_limits_gpt_{part}"]):
            if not first <= g + 1 <= last:
                continue
            scaling = amount[1 + self.gases.index(self.gas_of[labels[n]])]
            if v[f"minor_scales_with_density_{part}"][n]:
                scaling *= 0.01 * p / t
                if partners[n]:
                    x = amount[1 + self.gases.index(partners[n])] / amount[0]
                    x /= 1 + amount[1] / amount[0]
                    scaling *= 1 - x if v[f"scale_by_complement_{part}"][n] else x
            column = v[f"kminor_start_{part}"][n] - 1 + g + 1 - first
            total += scaling * v[f"kminor_{part}"][it, ie, column]
        return total


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "layers"), [("lw-g256", 60), ("lw-g128", 8), ("sw-g224", 60), ("sw-g112", 8)]
)
def test_gas_optics_agree_with_the_loops(
    name: str, layers: int, path_of: Callable[[str], Path], real_table: Callable[..., KDistribution]
) -> None:
    """The batched gathers give, for one column, what the loops give layer by layer."""
    column = standard_atmospheres(layers).part(slice(1, 2))
    table, loops = real_table(name), Loops(path_of(f"rrtmgp-{name}"))
    located = locate(table, column)
    tau = absorption(table, column, located)[0].numpy()
    if table.planck is None:
        other = rayleigh_scattering(table, column, located)[0].numpy()
    else:
        other = planck_fraction(table.planck, column, located)[0].numpy()
    assert len(located[0].rows) > 0
    assert len(located[1].rows) > 0
    thickness = column.p_lev[0].diff().numpy()
    for i in range(0, layers, max(1, layers // 12)):
        vmr = {gas: float(x[0, i]) for gas, x in column.gases.items()}
        slow = loops.layer(float(column.p_lay[0, i]), thickness[i], float(column.t_lay[0, i]), vmr)
        np.testing.assert_allclose(tau[i], slow["tau"], rtol=1e-10, atol=1e-18)
        np.testing.assert_allclose(other[i], slow["other"], rtol=1e-10, atol=1e-18)
