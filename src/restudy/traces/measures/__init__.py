"""The claims of arXiv 2409.08949 in numbers: each function gives values by claim id."""

from restudy.traces.measures.drawn import drawn
from restudy.traces.measures.dumps import acme, dumps, phillips, pozidriv
from restudy.traces.measures.lisa import halfyear, week, week_power
from restudy.traces.measures.machines import node_hardware
from restudy.traces.measures.slurm_table import slurm_table
from restudy.traces.measures.sources import of_clusters, of_power, of_traces

__all__ = [
    "acme",
    "drawn",
    "dumps",
    "halfyear",
    "node_hardware",
    "of_clusters",
    "of_power",
    "of_traces",
    "phillips",
    "pozidriv",
    "slurm_table",
    "week",
    "week_power",
]
