"""Numbers that the paper or its published notebooks print, which ours are compared with.

All are copied from arXiv 2409.08949 or from the stored outputs of the notebooks published with it
(https://github.com/atlarge-research/2024-icpads-hpc-workload-characterization at 866b2ab, MIT).
A class and state is named as in `restudy.traces.calibration`.
"""

from collections.abc import Mapping

# Table 1 and notebook 2: sums over the nodes with telemetry, by row of `hardware.node_table`.
HARDWARE_TOTALS: Mapping[str, float] = {
    "CPUs": 489,
    "cores": 5872,
    "CPU TDP [W]": 51_425,
    "memory [GiB]": 46_336,
    "storage [TiB]": 644.09082,
    "GPUs": 198,
    "GPU TDP [W]": 53_040,
    "GPU memory [GiB]": 3712,
}

# Five listed nodes have no telemetry. Their names are not printed; leaving out these kinds turns
# the sums of the listing into all eight totals: (column, model, how many).
WITHOUT_TELEMETRY: tuple[tuple[str, str, int], ...] = (
    ("cpu_model", "gold_6130", 2),
    ("gpu_model", "NVIDIA_GeForce_GTX_1080_Ti", 2),
    ("gpu_model", "NVIDIA_TITAN_RTX", 1),
)

# Notebook 5a: generic jobs by month of submission.
GENERIC_BY_MONTH: Mapping[str, int] = {
    "2022-01": 87_096,
    "2022-02": 32_777,
    "2022-03": 98_604,
    "2022-04": 122_165,
    "2022-05": 241_640,
    "2022-06": 374_011,
    "2022-07": 93_539,
    "2022-08": 116_234,
    "2022-09": 90_879,
    "2022-10": 148_811,
}

# Days of Figure 5 on which the curve of a class runs straight, without a corner. The counts that
# `calibration.daily_submissions` gives for them were chosen to fit the printed totals, so they say
# nothing about these totals; the mark `restored` there does not tell the class.
NO_CORNER: Mapping[str, tuple[str, ...]] = {
    "generic": ("2022-05-18", "2022-05-31", "2022-07-15", "2022-10-01"),
    "ml": (
        "2022-04-29",
        "2022-05-24",
        "2022-06-11",
        "2022-07-11",
        "2022-07-16",
        "2022-08-19",
        "2022-10-02",
    ),
}

# Notebook 5b: wait and run time in seconds.
WAIT_MEDIAN_S: Mapping[str, float] = {
    "generic_completed": 546,
    "generic_failed": 7025,
    "ml_completed": 31,
    "ml_failed": 2,
}
WAIT_MEAN_S: Mapping[str, float] = {
    "generic_completed": 13_278.57,
    "generic_failed": 26_821.85,
    "ml_completed": 9052.385,
    "ml_failed": 3298.607,
}
RUN_MEAN_S: Mapping[str, float] = {
    "generic_completed": 2247.151,
    "generic_failed": 1002.183,
    "ml_completed": 9078.856,
    "ml_failed": 2146.870,
}
# Share of the jobs that run for at most so many seconds.
RUN_SHARE: Mapping[tuple[str, int], float] = {
    ("generic_completed", 3600): 0.908012,
    ("generic_failed", 3600): 0.977759,
    ("ml_completed", 3600): 0.718921,
    ("ml_failed", 3600): 0.941626,
    ("generic_failed", 360): 0.883926,
    ("ml_failed", 360): 0.846293,
}

# Notebooks 5a and 5b: jobs of the table.
GENERIC_JOBS = 1_406_488
COMPLETED_JOBS: Mapping[str, int] = {"generic_completed": 1_084_458, "ml_completed": 112_577}

# Notebook 5d: percent of the jobs with exactly so many cores.
CORES_PERCENT: Mapping[tuple[str, int], float] = {
    ("generic_completed", 2): 7.10880,
    ("generic_completed", 16): 75.28065,
    ("generic_failed", 2): 47.84285,
    ("generic_failed", 16): 39.91681,
    ("ml_completed", 2): 1.75880,
    ("ml_completed", 3): 46.48907,
    ("ml_completed", 16): 0.47345,
    ("ml_failed", 2): 2.41888,
    ("ml_failed", 3): 42.36879,
    ("ml_failed", 16): 1.16883,
}

# Notebooks 1, 3b and 5a: starts of single jobs of the job table, UTC, by Slurm's id.
SUMMER_STARTS: Mapping[str, str] = {
    "1603441": "2022-07-04T09:35:36",
    "1616537": "2022-07-10T20:55:29",
    "1627898": "2022-07-12T21:41:32",
}
WINTER_STARTS: Mapping[str, str] = {
    "2323557": "2022-11-01T13:58:19",
    "2323558": "2022-11-01T13:58:19",
}

# Figures 1 and 9, notebooks 1 and 6a: the joined table.
JOINED_JOBS: Mapping[str, int] = {"generic": 266_604, "ml": 27_287}
JOINED_RUNTIME_SHARE: Mapping[str, float] = {"generic": 0.831832, "ml": 0.168168}
JOINED_ENERGY_J: Mapping[str, float] = {"generic": 2.700548e11, "ml": 1.703566e11}
# First day with telemetry of GPU nodes, UTC: earlier ML jobs are not in the joined table.
GPU_TELEMETRY_SINCE = "2022-08-25"
