"""The node side of arXiv 2409.08949: utilisation, heat, energy of jobs, states side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from restudy.answers import Missing, attempt
from restudy.telemetry import cluster, experiments, gpu_heat, published
from restudy.telemetry.attribution import Attribution
from restudy.telemetry.cotermination import Cotermination
from restudy.telemetry.counting import Counts
from restudy.telemetry.datacenter import Datacenter
from restudy.telemetry.experiments import PAPER, EnergyStudy, Setup
from restudy.telemetry.generator.recipe import Recipe
from restudy.telemetry.gpu_heat import HeatCurves
from restudy.telemetry.metrics import TelemetryError
from restudy.telemetry.ratios import RATIOS
from restudy.telemetry.state_moments import PAPER_STATES
from restudy.telemetry.utilisation import Utilisation, utilisation
from restudy.traces.datasets import PowerSeries, WeekLoad
from restudy.traces.findings import PowerFit
from restudy.traces.jobs import TraceError
from restudy.traces.results import CLASSES

T = TypeVar("T")

_SLOTS = range(4)
METRICS = (
    "node_power_usage",
    "node_load1",
    "node_rapl_package_power_sum",
    "node_memory_Active_bytes",
    "node_ambient_temp",
    "node_thermal_zone_temp_max",
    "node_hwmon_temp_celsius_max",
    *(f"nvidia_gpu_power_usage_milliwatts_{slot}" for slot in _SLOTS),
    *(f"nvidia_gpu_temperature_celsius_{slot}" for slot in _SLOTS),
    "nvidia_gpu_power_usage_milliwatts_sum",
    "nvidia_gpu_temperature_celsius_max",
    "nvidia_gpu_memory_used_bytes_sum",
)
# Figure 1 and Table 5 as printed, per cent.
PRINTED_SHARES = {
    "racks": 47.62,
    "nodes": 15.09,
    "submissions": 9.28,
    "failed jobs": 11.04,
    "run time": 16.82,
    "energy": 38.68,
}
# Diagonals and largest other entries of Figure 10, in the order of `PAPER_STATES`.
_DIAGONAL = {
    "generic": (0.53, 0.58, 0.74, 0.52, 0.94, 0.39),
    "ml": (-0.002, 0.58, 0.37, 0.74, 0.75, 0.61),
}
_OTHERS = {
    "generic": {("TIMEOUT", "COMPLETED"): -0.47, ("COMPLETED", "TIMEOUT"): -0.45},
    "ml": {("CANCELLED", "COMPLETED"): -0.46, ("COMPLETED", "CANCELLED"): -0.43},
}
_AMOUNTS = {"jobs": "jobs", "runtime": "run time [s]", "energy": "energy [J]"}
_LIMIT = 0.9  # of the temperature limit


def recipe(setup: Setup, *, seed: int) -> Recipe:
    """Make a cluster as of summer 2022, GPU nodes reporting later than CPU nodes."""
    return Recipe(
        seed=seed, nodes=setup.nodes, days=setup.joined_days, interval_s=setup.joined_interval_s
    )


@dataclass(frozen=True)
class NodeSide:
    """Everything that the paper shows of nodes and of jobs on nodes; `Missing` says why not.

    Attributes
    ----------
    utilisation : Utilisation
        Figure 3.
    heat : HeatCurves
        Figure 4.
    slots : Counts
        Table 4.
    energy : EnergyStudy
        Figures 1 and 9, Table 5, each class over its own window as published.
    common : EnergyStudy
        The same over the window that both classes share.
    together : dict of str to dict of str to Cotermination
        Figure 10, by what counts as one observation and by class of node.
    """

    utilisation: Utilisation | Missing
    heat: HeatCurves | Missing
    slots: Counts | Missing
    energy: EnergyStudy | Missing
    common: EnergyStudy | Missing
    together: Mapping[str, Mapping[str, Cotermination]] | Missing

    def ml_shares(self) -> dict[str, dict[str, float]]:
        """Give Figure 1 and Table 5 as published, in the common window, and by two other rules.

        Raises TelemetryError where an answer is missing.
        """
        common = answered(self.common)
        rules = [rule for rule in common.found if rule != PAPER]
        return {
            "as published": answered(self.energy).ml(PAPER),
            "common window": common.ml(PAPER),
            **{f"common window, {rule}": common.ml(rule) for rule in rules},
        }


def answered(found: T | Missing) -> T:
    """Give an answer; raises TelemetryError with the reason where there is none."""
    if isinstance(found, Missing):
        raise TelemetryError(found.reason)
    return found


def node_side(center: Datacenter, setup: Setup, *, rng: np.random.Generator) -> NodeSide:
    """Ask all questions of the node side.

    Parameters
    ----------
    center : Datacenter
        Metrics `METRICS`, and jobs with states.
    setup : Setup
        Bootstrap replicates.
    rng : numpy.random.Generator
        Source of the bootstrap.

    Returns
    -------
    NodeSide
        The answers; where metrics, hardware or a common window are lacking, why.
    """
    telemetry, gpu, hardware = center.telemetry, center.gpu_nodes, center.hardware
    study = attempt(lambda: experiments.energy(telemetry, center.jobs, gpu_nodes=gpu))

    def common() -> EnergyStudy:
        _, window = experiments.windows(telemetry, gpu_nodes=gpu)
        return experiments.energy(telemetry, center.jobs, window=window, gpu_nodes=gpu)

    def together() -> Mapping[str, Mapping[str, Cotermination]]:
        return experiments.terminating_together(
            telemetry, answered(study), replicates=setup.replicates, rng=rng
        )

    return NodeSide(
        utilisation=attempt(
            lambda: utilisation(telemetry, RATIOS, hardware=hardware, gpu_nodes=gpu)
        ),
        heat=attempt(lambda: gpu_heat.heat_curves(telemetry, hardware=hardware)),
        slots=attempt(lambda: gpu_heat.slot_power(telemetry, hardware=hardware)),
        energy=study,
        common=attempt(common),
        together=attempt(together),
    )


def blocks(found: Mapping[str, Cotermination]) -> dict[str, pd.DataFrame]:
    """Give Figure 10 as tables by class."""
    states = list(PAPER_STATES)
    return {
        kind: pd.DataFrame(one.correlation, index=states, columns=states)
        for kind, one in found.items()
    }


def printed_blocks() -> dict[str, pd.DataFrame]:
    """Give what is printed of Figure 10, NaN elsewhere."""
    states = list(PAPER_STATES)
    tables: dict[str, pd.DataFrame] = {}
    for kind in CLASSES:
        table = pd.DataFrame(np.diag(_DIAGONAL[kind]), index=states, columns=states)
        table = table.where(np.eye(len(states), dtype=bool))
        for (own, other), value in _OTHERS[kind].items():
            table.loc[own, other] = value
        tables[kind] = table
    return tables


def printed_states(claims: Mapping[str, float | None]) -> pd.DataFrame:
    """Give the printed shares of Figure 9, 0 to 1; index (class, state), columns as ours.

    `claims` has the values of the claims by id, %.
    """
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for kind in CLASSES:
        for state in PAPER_STATES:
            key = f"joined-{kind}-{state.lower().replace('_', '-')}"
            for amount, name in _AMOUNTS.items():
                if (value := claims.get(f"{key}-{amount}")) is not None:
                    rows.setdefault((kind, state), {})[name] = value / 100
    return pd.DataFrame.from_dict(rows, orient="index")


def diagonals(found: Mapping[str, Mapping[str, Cotermination]]) -> pd.DataFrame:
    """Diagonals of Figure 10 with 95 % intervals, by what counts as one observation."""
    rows = {}
    for way, kinds in found.items():
        for kind, one in kinds.items():
            cells = {
                state.replace("_", " ").lower(): _cell(one.correlation[at, at], one.interval[at])
                for at, state in enumerate(one.states)
            }
            rows[kind, way] = {"observations": f"{one.rows:,}", **cells}
    return pd.DataFrame.from_dict(rows, orient="index")


def _cell(value: float, interval: np.ndarray) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def heat_table(found: NodeSide) -> pd.DataFrame:
    """Table 4 and the temperature at full power, by slot, here and as printed.

    Raises TelemetryError where an answer is missing.
    """
    printed = published.slot_power()
    full, slots = answered(found.heat).at_full_power(), answered(found.slots)
    rows = {}
    for slot in slots.groups:
        rows[slot] = {
            "mean power [%]": 100 * slots.mean(slot),
            "mean power, paper [%]": 100 * float(printed["mean"][slot]),
            "sd of power [%]": 100 * slots.std(slot),
            "sd of power, paper [%]": 100 * float(printed["std"][slot]),
            "temperature at full power [%]": float(full[slot]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def measured(center: Datacenter, found: NodeSide) -> dict[str, float]:
    """Measure what the claims say of the node side: claim id to value in its unit.

    Only for the published node table with the published jobs; the joined table follows from both.
    Raises TelemetryError where an answer is missing.
    """
    study, used = answered(found.energy), answered(found.utilisation)
    who = study.residency
    n = study.sums.spread(len(who.running))[0]
    values = {
        "telemetry-nodes": float(len(center.telemetry.nodes)),
        "node-samples": float(n.sum()),  # those with power; the table has no other
        "joined-rows": float((n * who.running).sum()),
        "gpu-temperature-over-90": 100 * used.over_limit(_LIMIT),
    }
    names = {
        "load": "load1",
        "cpu-power": "cpu_power",
        "memory": "memory",
        "cpu-temperature": "package_temperature",
        "gpu-power": "gpu_power",
        "gpu-memory": "gpu_memory",
        "gpu-temperature": "gpu_temperature",
    }
    table = used.without_outliers().table()
    for short, ratio in names.items():
        for kind, node in (("generic", "cpu-node"), ("ml", "gpu-node")):
            if (ratio, kind) in table.index:
                values[f"{node}-{short}-mean"] = float(table["mean"][ratio, kind])
                values[f"{node}-{short}-median"] = float(table["50 %"][ratio, kind])
    full, slots = answered(found.heat).at_full_power(), answered(found.slots)
    for k, slot in enumerate(slots.groups):
        values[f"gpu{k}-temperature-full-power"] = float(full[slot])
        values[f"gpu{k}-power-mean"] = 100 * slots.mean(slot)
        values[f"gpu{k}-power-std"] = 100 * slots.std(slot)
    return values | _joined(found)


def _joined(found: NodeSide) -> dict[str, float]:
    study = answered(found.energy)
    ml = study.ml(PAPER)
    names = ("racks", "nodes", "submissions", "run time", "energy")
    values = {f"share-ml-{name.replace(' ', '')}": ml[name] for name in names}
    values["share-ml-failures"] = ml["failed jobs"]
    states = study.states(PAPER)
    for row in (100 * states.share).reset_index().to_dict("records"):
        key = f"joined-{row['class']}-{row['state'].lower().replace('_', '-')}"
        values |= {
            f"{key}-jobs": float(row["jobs"]),
            f"{key}-runtime": float(row["run time [s]"]),
            f"{key}-energy": float(row["energy [J]"]),
        }
    energy = states.amounts["energy [J]"]
    by_class = energy.groupby(level="class").sum()
    lost = energy.drop("COMPLETED", level="state").sum() / energy.sum()
    values |= {f"joined-energy-{kind}": float(by_class[kind]) / 3.6e6 for kind in CLASSES}
    values |= {
        "joined-jobs": float(states.amounts["jobs"].sum()),
        "joined-unsuccessful-energy": 100 * float(lost),
        "common-window-ml-energy-joined": answered(found.common).ml(PAPER)["energy"],
    }
    first = next(iter(answered(found.together).values()))
    for kind, one in first.items():
        values[f"concurrent-rows-{kind}"] = float(one.rows)
        for at, state in enumerate(one.states):
            key = f"concurrent-{kind}-{state.lower().replace('_', '-')}"
            values[key] = float(one.correlation[at, at])
    place = {state: at for at, state in enumerate(PAPER_STATES)}
    for kind, own in (("generic", "TIMEOUT"), ("ml", "CANCELLED")):
        value = first[kind].correlation[place[own], place["COMPLETED"]]
        values[f"concurrent-{kind}-{own.lower()}-completed"] = float(value)
    return values


@dataclass(frozen=True)
class WeekEnergy:
    """Energy of the jobs of the week with measured power, by three rules.

    Attributes
    ----------
    measured_kwh : float
        Measured energy.
    idle_share : float
        Share of the mean power that the nodes draw without load, from the fitted constant.
    found : dict of str to Attribution
        By rule.
    """

    measured_kwh: float
    idle_share: float
    found: Mapping[str, Attribution]

    def table(self) -> pd.DataFrame:
        """Energy of jobs and of nobody, and quantiles over the jobs, by rule."""
        rows = {}
        for rule, one in self.found.items():
            energy = one.energy_j[np.isfinite(one.energy_j)] / 3.6e6
            low, middle, high = np.quantile(energy, [0.25, 0.5, 0.75])
            rows[rule] = {
                "jobs [kWh]": energy.sum(),
                "nobody [kWh]": (one.idle_nodes_j + one.idle_part_j) / 3.6e6,
                "a job, lower quartile [kWh]": low,
                "median [kWh]": middle,
                "upper quartile [kWh]": high,
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def changed(self) -> np.ndarray:
        """Change of each job's energy from equal parts to parts by use, relative, (jobs,)."""
        equal, use = (self.found[rule].energy_j for rule in ("equal parts", "by measured use"))
        known = np.isfinite(equal) & np.isfinite(use) & (equal > 0)
        return np.asarray(use[known] / equal[known] - 1)


def week_energy(power: PowerSeries, load: WeekLoad, fit: PowerFit) -> WeekEnergy:
    """Split the power of the week among the running jobs: equally, by use, and by use above idle.

    Parameters
    ----------
    power : PowerSeries
        Power of all nodes together.
    load : WeekLoad
        The jobs and their use of processors.
    fit : PowerFit
        Power as a function of load, for the idle part.

    Returns
    -------
    WeekEnergy
        Energies by rule.

    Raises
    ------
    TraceError
        If power and load have slots of different length.
    """
    if power.seconds != load.seconds:
        raise TraceError(
            f"the power has slots of {power.seconds} s and the load of {load.seconds} s; give "
            "both in equal slots."
        )
    behind = round((power.start - load.start) / np.timedelta64(1, "ms") / 1000 / load.seconds)
    first = load.first_slot - behind
    idle = float(fit.busy.coefficients[0])
    above = np.maximum(power.power - idle, 0.0)
    of_use = {"first_slot": first, "job": load.job, "use": load.usage}
    ones = np.ones(len(first))
    shared = cluster.by_use(above, power.seconds, **of_use)
    rest = float((power.power - above).sum()) * power.seconds
    found = {
        "equal parts": cluster.by_weight(
            power.power, power.seconds, first_slot=first, length=load.length, weight=ones
        ),
        "by measured use": cluster.by_use(power.power, power.seconds, **of_use),
        "by use, above idle": Attribution(
            shared.energy_j,
            shared.samples,
            shared.unsampled,
            shared.idle_nodes_j,
            shared.idle_part_j + rest,
            shared.total_j + rest,
        ),
    }
    total = float(power.power.sum()) * power.seconds
    return WeekEnergy(total / 3.6e6, idle / float(power.power.mean()), found)


def of_week(found: WeekEnergy) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    """Measure what the claims say of the week's energy: names of datasets, and id to value."""
    sums = [one.jobs_j + one.idle_nodes_j + one.idle_part_j for one in found.found.values()]
    total = found.measured_kwh * 3.6e6
    yield (
        ("lisa-week-power", "lisa-week-tasks", "lisa-week-fragments"),
        {
            "week-attribution-total": found.found["equal parts"].jobs_j / 3.6e6,
            "week-attribution-closes": max(abs(one / total - 1) for one in sums),
            "week-idle-energy": 100 * found.idle_share,
            "week-split-rule": 100 * float(np.median(np.abs(found.changed()))),
        },
    )
