"""Which claims which source can speak for."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from restudy import data
from restudy.traces import datasets
from restudy.traces.experiments import Setup
from restudy.traces.findings import PowerFit
from restudy.traces.jobs import JobTrace
from restudy.traces.measures.dumps import acme, dumps, phillips, pozidriv
from restudy.traces.measures.lisa import halfyear, week, week_power
from restudy.traces.measures.slurm_table import slurm_table

Measured = tuple[tuple[str, ...], Mapping[str, float]]


def of_traces(
    traces: Sequence[JobTrace], setup: Setup, *, rng: np.random.Generator
) -> Iterator[Measured]:
    """Measure what the claims say of these traces.

    Parameters
    ----------
    traces : sequence of JobTrace
        As given by `restudy.traces.datasets.traces`; a trace that no claim is about is passed over.
    setup : Setup
        How much is computed.
    rng : numpy.random.Generator
        Source of the bootstrap and of random orders.

    Yields
    ------
    names : tuple of str
        The registered datasets that the values come from.
    values : mapping of str to float
        Claim id -> measured value in the claim's unit.
    """
    found = {trace.dataset: trace for trace in traces if trace.dataset is not None}
    if "lisa-slurm-table" in found:
        table = slurm_table(found["lisa-slurm-table"], setup, rng=rng)
        yield ("lisa-slurm-table",), table
    if "lisa-halfyear-tasks" in found:
        yield ("lisa-halfyear-tasks",), halfyear(found["lisa-halfyear-tasks"], rng=rng)
    if "xdmod-phillips" in found:
        yield ("xdmod-phillips",), phillips(found["xdmod-phillips"])
    if "xdmod-pozidriv" in found:
        yield ("xdmod-pozidriv",), pozidriv(found["xdmod-pozidriv"])
    if {"xdmod-phillips", "xdmod-pozidriv"} <= set(found):
        both = dumps(found["xdmod-phillips"], found["xdmod-pozidriv"])
        yield ("xdmod-phillips", "xdmod-pozidriv"), both


def of_power(fit: PowerFit) -> Iterator[Measured]:
    """Measure what the claims say of the week with measured power, in the form of `of_traces`."""
    yield ("lisa-week-power",), week_power(datasets.lisa_week_power())
    yield ("lisa-week-tasks", "lisa-week-fragments", "lisa-week-power"), week(fit)


def of_clusters() -> Iterator[Measured]:
    """Measure what the claims say of the Acme clusters, if their table is at hand."""
    if data.available("acme-summary"):
        yield ("acme-summary",), acme(datasets.acme_summary())
