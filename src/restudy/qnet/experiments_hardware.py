"""Parameters of nitrogen-vacancy centres by the rule of improvement, and as printed."""

from dataclasses import asdict
from typing import Final

import pandas as pd

from restudy.qnet.hardware.nv_parameters import (
    DARK_COUNTS_3X_PRINTED,
    HOUR_NS,
    NEAR_TERM,
    SECOND_NS,
    improved,
)

PRINTED: Final = {
    "p_double_excitation": (0.01, 0.003),
    "p_dark": (DARK_COUNTS_3X_PRINTED, 2.5e-9),
    "p_detection": (0.16, 0.58),
    "phase_sigma_rad": (0.20, 0.11),
    "visibility": (0.97, 0.99),
    "storage_attempts": (4206.0, 14006.0),
    "electron_t1_ns": (2.8 * HOUR_NS, 10 * HOUR_NS),
    "electron_t2_ns": (4.4 * SECOND_NS, 14.6 * SECOND_NS),
    "carbon_t1_ns": (27 * HOUR_NS, 100 * HOUR_NS),
    "carbon_t2_ns": (3 * SECOND_NS, 10 * SECOND_NS),
    "carbon_init_fidelity": (0.999, 0.9997),
    "carbon_rotation_fidelity": (0.9999, 0.9999),
    "two_qubit_fidelity": (0.990, 0.997),
    "electron_init_fidelity": (0.997, 0.999),
    "readout_0": (0.983, 0.995),
    "readout_1": (0.9983, 0.9995),
}
"""Values of Table S.II, 3x and 10x improved; those of 0.9999 as lower bounds."""


def hardware() -> pd.DataFrame:
    """List the parameters that improve, by the rule and as printed; T1 in h and T2 in s."""
    better = {factor: asdict(improved(NEAR_TERM, factor)) for factor in (1.0, 3.0, 10.0)}
    rows = {}
    for name, (three, ten) in PRINTED.items():
        label, unit = _unit(name)
        values = better[1.0][name], better[3.0][name], three, better[10.0][name], ten
        rows[label] = [value / unit for value in values]
    columns = ["near-term", "3x", "3x, printed", "10x", "10x, printed"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _unit(name: str) -> tuple[str, float]:
    """Return a name with the unit to show, and how much that is."""
    if name.endswith("t1_ns"):
        return name.replace("_ns", " [h]"), HOUR_NS
    if name.endswith("t2_ns"):
        return name.replace("_ns", " [s]"), SECOND_NS
    return name, 1.0
