"""What a generated cluster follows from, and which values are possible."""

from dataclasses import dataclass, field

import numpy as np

from restudy.telemetry.metrics import TelemetryError

LISA_NODES = 338  # with telemetry: 287 CPU and 51 GPU nodes
DELAY = 56 / 124  # of the joined table's 124 days the GPU nodes miss the first 56
MAX_DAYS = 3660


@dataclass(frozen=True)
class Shift:
    """A lasting step of the whole cluster; each pair is for CPU and for GPU nodes.

    The defaults are what arXiv 2107.11832 finds from 2020-02-27 on: summed power 37.8 to 39.9 kW
    and 13.1 to 14.5 kW, median ambient temperature 24.3 °C unchanged and 25.7 to 27.3 °C, median
    load of CPU nodes 8.7 to 12.1.

    Attributes
    ----------
    at : str
        First moment after the step, UTC, in ISO form.
    power_factor : tuple of float
        Multiplies the power of the node.
    ambient_c : tuple of float
        Added to the ambient temperature, °C.
    load_factor : tuple of float
        Multiplies the load averages; the cores in use stay as they are.
    """

    at: str
    power_factor: tuple[float, float] = (39.9 / 37.8, 14.5 / 13.1)
    ambient_c: tuple[float, float] = (0.0, 1.6)
    load_factor: tuple[float, float] = (12.1 / 8.7, 1.0)


@dataclass(frozen=True)
class Faults:
    """Number of planted faults of each kind per node and day, on average.

    Attributes
    ----------
    duplicates : float
        A row that stands twice.
    gaps : float
        Up to an hour of missing rows.
    absurd : float
        A value that no working sensor gives.
    stuck : float
        A metric that keeps one value for hours.
    resets : float
        A restart: all counters begin again at 0.
    clock_jumps : float
        A node's clock that is an hour behind for some minutes.
    unordered : float
        Two neighbouring rows that have changed places.
    """

    duplicates: float = 0.0
    gaps: float = 0.0
    absurd: float = 0.0
    stuck: float = 0.0
    resets: float = 0.0
    clock_jumps: float = 0.0
    unordered: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that generated metrics and jobs follow from.

    Attributes
    ----------
    seed : int
        Not negative.
    nodes : int
        338 makes Lisa's nodes under their own names; any other number makes racks of 32 CPU
        nodes and of 5 GPU nodes in the same proportion.
    start : str
        First day, UTC, in ISO form.
    days : int
        Days of telemetry.
    interval_s : int
        Time between two samples, s; divides a day.
    gpu_delay_days : int or None
        Days after `start` on which the telemetry of the GPU nodes begins. None: 56 of 124 days,
        as in the published node table (2022-06-30 and 2022-08-25).
    stickiness : float
        Probability with which a job takes the final state of its campaign (jobs of one user that
        run together on a node) and does not draw its own.
    busy : tuple of float
        Share of time in which a CPU and a GPU node have a job.
    diurnal : float
        Relative amplitude of the rate at which idle nodes get work.
    peak_hour : float
        Hour (UTC) at which that rate is highest.
    weekday_factor : float
        That rate on a weekday over that on a day of the weekend.
    idle_cores : float
        0: a job keeps all its cores busy; 1: as few as the published load suggests.
    idle_w, core_w : float
        Power of a CPU node without jobs, W, and of each busy core, W.
    gpu_idle_w, gpu_core_w : float
        The same of a GPU node, without the power of its GPUs.
    ambient : tuple of float
        Mean ambient temperature at CPU and at GPU nodes, °C.
    rack_spread : float
        Standard deviation of the racks' offsets from it, °C.
    slot_points : tuple of float
        Temperature of GPU 0 to 3 at full power, from GPU 0's, in percent of the way from ambient
        to limit (arXiv 2409.08949, Figure 4).
    noise : float
        Multiplies the noise of every sensor; 0 makes all metrics exact.
    multi_node : float
        Jobs on several nodes that a rack starts per day.
    shift : Shift or None
        A planted step.
    faults : Faults
        Planted faults.

    Raises
    ------
    TelemetryError
        If a value is out of range.
    """

    seed: int = 0
    nodes: int = LISA_NODES
    start: str = "2022-06-30"
    days: int = 124
    interval_s: int = 30
    gpu_delay_days: int | None = None
    stickiness: float = 0.5
    busy: tuple[float, float] = (0.76, 0.84)
    diurnal: float = 0.5
    peak_hour: float = 13.0
    weekday_factor: float = 2.7
    idle_cores: float = 1.0
    idle_w: float = 34.0
    core_w: float = 10.0
    gpu_idle_w: float = 160.0
    gpu_core_w: float = 5.0
    ambient: tuple[float, float] = (24.3, 25.7)
    rack_spread: float = 1.0
    slot_points: tuple[float, float, float, float] = (0.0, -6.4, 3.0, -4.5)
    noise: float = 1.0
    multi_node: float = 0.2
    shift: Shift | None = None
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        ranges = {
            "seed": (0, 2**63),
            "nodes": (1, 100_000),
            "days": (1, MAX_DAYS),
            "interval_s": (1, 3600),
            "gpu_delay_days": (0, MAX_DAYS),
            "stickiness": (0, 1),
            "diurnal": (0, 0.95),
            "peak_hour": (0, 24),
            "weekday_factor": (0.05, 20),
            "idle_cores": (0, 1),
            "rack_spread": (0, 10),
            "noise": (0, 10),
            "multi_node": (0, 20),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise TelemetryError(f"{name} is {value}; the generator needs {low} to {high}.")
        if 86_400 % self.interval_s:
            raise TelemetryError(
                f"interval_s is {self.interval_s}; the generator needs a divisor of 86400."
            )
        if not all(0 < share < 1 for share in self.busy):
            raise TelemetryError(f"busy is {self.busy}; the generator needs shares from 0 to 1.")
        for text in (self.start, self.shift.at if self.shift else self.start):
            _seconds(text)
        if worst := [f"{k}={v}" for k, v in vars(self.faults).items() if not 0 <= v <= 10]:
            raise TelemetryError(f"faults have {', '.join(worst)}; the generator needs 0 to 10.")

    @property
    def first(self) -> int:
        """Time of the first sample, s since 1970."""
        return _seconds(self.start) // 86_400 * 86_400

    @property
    def shift_at(self) -> int | None:
        """Time of the step, s since 1970."""
        return None if self.shift is None else _seconds(self.shift.at)

    @property
    def gpu_delay(self) -> int:
        """Days after the first on which the telemetry of the GPU nodes begins."""
        given = self.gpu_delay_days
        return int(self.days * DELAY) if given is None else given

    @property
    def samples(self) -> int:
        """Samples of a node in a day."""
        return 86_400 // self.interval_s


def _seconds(text: str) -> int:
    try:
        return int(np.datetime64(text, "s").astype("int64"))
    except ValueError:
        raise TelemetryError(
            f"the time {text!r} is not ISO; the generator needs one as 2022-06-30."
        ) from None


def surface_2020(seed: int = 0, *, nodes: int = LISA_NODES) -> Recipe:
    """Make the recipe for the machine of arXiv 2107.11832: 15 s, 223 days, its power and step."""
    return Recipe(
        seed=seed,
        nodes=nodes,
        start="2019-12-29",
        days=223,
        interval_s=15,
        gpu_delay_days=0,
        idle_w=80.0,
        core_w=11.25,
        shift=Shift("2020-02-27"),
    )
