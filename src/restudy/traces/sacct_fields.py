"""What one line of `sacct` says: the text of each field to a value, or why it cannot be.

This is the whole meaning of the format. `restudy.traces.sacct` reads the common forms of many
lines at once and gives every other line to `job` here.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from restudy.errors import UserError
from restudy.traces import nodelist

# sacct's short codes and the names they stand for (Slurm, "Job State Codes").
STATES: Mapping[str, str] = {
    "BF": "BOOT_FAIL",
    "CA": "CANCELLED",
    "CD": "COMPLETED",
    "CF": "CONFIGURING",
    "CG": "COMPLETING",
    "DL": "DEADLINE",
    "F": "FAILED",
    "LF": "LAUNCH_FAILED",
    "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY",
    "PD": "PENDING",
    "PR": "PREEMPTED",
    "R": "RUNNING",
    "RD": "RESV_DEL_HOLD",
    "RF": "REQUEUE_FED",
    "RH": "REQUEUE_HOLD",
    "RQ": "REQUEUED",
    "RS": "RESIZING",
    "RV": "REVOKED",
    "S": "SUSPENDED",
    "SE": "SPECIAL_EXIT",
    "SI": "SIGNALING",
    "SO": "STAGE_OUT",
    "ST": "STOPPED",
    "TO": "TIMEOUT",
}
_NAMES = frozenset(STATES.values()) | {"RECONFIG_FAIL"}

# Regular expressions that Python's re and RE2 read alike; all are matched against the whole text.
JOB = r"[0-9]{1,19}(?:[_+][0-9]{1,10})?"
STEP = r"[0-9]{1,19}(?:[_+][0-9]{1,10})?\.[A-Za-z0-9_+]{1,64}"
UNKNOWN_TIMES = ("Unknown", "None", "", "N/A")
RAW_SECONDS = r"[0-9]{1,12}"

_JOB = re.compile(JOB)
_STEP = re.compile(STEP)
_ARRAY = re.compile(r"[0-9]{1,19}_\[[0-9,:.%-]{1,256}\](?:%[0-9]{1,10})?")
_TIME = re.compile(r"20[0-9]{2}(?:-[0-9]{2}){2}[T ](?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}")
_EPOCH = re.compile(r"[0-9]{1,12}")
_ELAPSED = re.compile(
    r"(?:(?:(?P<d>[0-9]{1,6})-)?(?P<h>[0-9]{1,4}):)?"
    r"(?P<m>[0-5]?[0-9]):(?P<s>[0-5][0-9](?:\.[0-9]{1,9})?)"
)
_RAW_SECONDS = re.compile(RAW_SECONDS)
_NO_DURATION = frozenset({"", "unlimited", "partition_limit", "invalid", "unknown", "none"})
_COUNT = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,6})?)([KMG]?)")
_POWER = {"": 0, "K": 1, "M": 2, "G": 3}
_GPU = re.compile(r"(?:^|,)(?:gres[/:])?gpu(?::[^,=:]+)?[=:]0*[1-9]")
# What sacct and its tools write where the nodes of a job are not known.
_NO_NODES = frozenset({"", "unknown"})
_BLANK = " \t\n\r\x0b\x0c"

_SECOND = timedelta(seconds=1)
_UNIX = datetime(1970, 1, 1)
OLDEST = (datetime(2000, 1, 1) - _UNIX) // _SECOND
NEWEST = (datetime(2100, 1, 1) - _UNIX) // _SECOND
_CLOCK_CHANGE_S = 3600


class BadFieldError(UserError):
    """A line that cannot be read; the message is the reason, one sentence."""


class Job(NamedTuple):
    """One execution of a job as `sacct` prints it; times are seconds since 1970 on its clock."""

    job_id: str
    submit: int | None
    start: int | None
    end: int | None
    state: str
    nodes: int | None
    cores: int | None
    node_list: str | None
    partition: str | None
    user: str | None
    gpu: bool | None
    cut: bool


def job(fields: Mapping[str, str], *, epoch: bool) -> Job | None:
    """Read one line.

    Parameters
    ----------
    fields : mapping of str to str
        The text of each field by role: ``job_id``, ``submit``, ``start``, ``end`` and ``state``
        always; ``elapsed``, ``suspended``, ``nodes``, ``cores``, ``node_list``, ``partition``,
        ``user``, ``alloc_tres`` and ``req_tres`` where the file has them.
    epoch : bool
        True where the file gives times as seconds since 1970.

    Returns
    -------
    Job or None
        None for a step of a job (``123.batch``), whose other fields are not looked at.

    Raises
    ------
    BadFieldError
        If a field cannot be read, or the times contradict the elapsed time.
    """
    job_id = plain(fields["job_id"])
    if _STEP.fullmatch(job_id):
        return None
    if not (_JOB.fullmatch(job_id) or _ARRAY.fullmatch(job_id)):
        cut = "is cut off by the column, use --parsable2" if job_id.endswith("+") else "is no job"
        raise BadFieldError(f"job id {_shown(job_id)} {cut}; expected 123, 123_4, 123+0 or 123.0.")
    state_name = state(fields["state"])
    submit, start, end = (time(fields[name], epoch=epoch) for name in ("submit", "start", "end"))
    elapsed, suspended = (seconds(fields.get(name, "")) for name in ("elapsed", "suspended"))
    nodes, cores = (count(fields.get(name, "")) for name in ("nodes", "cores"))
    node_list, cut_list = nodes_of(fields.get("node_list", ""))
    partition, user = (label(fields.get(name, "")) for name in ("partition", "user"))
    gpu = uses_gpu(fields.get("alloc_tres", ""))
    if gpu is None:
        gpu = uses_gpu(fields.get("req_tres", ""))
    if start is not None and end is not None:
        _agree(end - start, elapsed, suspended)
    return Job(
        job_id=job_id,
        submit=submit,
        start=start,
        end=end,
        state=state_name,
        nodes=nodes,
        cores=cores,
        node_list=node_list,
        partition=partition,
        user=user,
        gpu=gpu,
        cut=cut_list,
    )


def time(text: str, *, epoch: bool = False) -> int | None:
    """Seconds from 1970 to a time as `sacct` prints it, on its own clock; None if unknown.

    Examples
    --------
    >>> time("1970-01-01T00:00:10")
    Traceback (most recent call last):
        ...
    restudy.traces.sacct_fields.BadFieldError: time '1970-01-01T00:00:10' is no date and time of \
2000-2099; expected 2022-06-14T09:30:00 or Unknown.
    >>> time("2000-01-01T00:00:10") - time("2000-01-01 00:00:00")
    10
    >>> time("Unknown") is None
    True
    """
    text = plain(text)
    if text in UNKNOWN_TIMES:
        return None
    if epoch:
        if _EPOCH.fullmatch(text) and (value := int(text)) < NEWEST:
            if value == 0:
                return None
            if value >= OLDEST:
                return value
        raise BadFieldError(
            f"time {_shown(text)} is not in seconds since 1970 as most of this file's times are; "
            "expected a number between 946684800 and 4102444800."
        )
    if _TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # a day that the month does not have: refused below
        else:
            return (moment - _UNIX) // _SECOND
    raise BadFieldError(
        f"time {_shown(text)} is no date and time of 2000-2099; "
        "expected 2022-06-14T09:30:00 or Unknown."
    )


def seconds(text: str) -> float | None:
    """Length in seconds of a duration; None where there is none, as for ``UNLIMITED``.

    Examples
    --------
    >>> seconds("10-13:27:06"), seconds("00:00:24"), seconds("01:02.500"), seconds("912426")
    (912426.0, 24.0, 62.5, 912426.0)
    >>> seconds("Partition_Limit") is None
    True
    """
    text = plain(text)
    if text.lower() in _NO_DURATION:
        return None
    if _RAW_SECONDS.fullmatch(text):
        return float(text)
    match = _ELAPSED.fullmatch(text)
    if match is None or (match["d"] is not None and int(match["h"]) > 23):
        raise BadFieldError(
            f"duration {_shown(text)} cannot be read; expected DD-HH:MM:SS, HH:MM:SS, MM:SS.mmm "
            "or whole seconds."
        )
    hours = 24 * int(match["d"] or 0) + int(match["h"] or 0)
    return 3600.0 * hours + 60.0 * int(match["m"]) + float(match["s"])


def state(text: str) -> str:
    """Name of a state, also from a short code, cut off by a column, or ``CANCELLED by 1234``.

    Examples
    --------
    >>> [state(text) for text in ("CANCELLED by 1234", "OUT_OF_ME+", "CD", "TIMEOUT")]
    ['CANCELLED', 'OUT_OF_MEMORY', 'COMPLETED', 'TIMEOUT']
    """
    text = plain(text)
    name = text.upper()
    if name in _NAMES:
        return name
    if name in STATES:
        return STATES[name]
    if name.startswith("CANCELLED BY "):
        return "CANCELLED"
    # the table of sacct is ten wide: CANCELLED+, OUT_OF_ME+; some tools take the + away
    head = name.removesuffix("+")
    if head != name or head == "OUT_OF_ME":
        known = [full for full in _NAMES if full.startswith(head)]
        if len(known) == 1:
            return known[0]
    raise BadFieldError(f"state {_shown(text)} is no state of Slurm; expected one as COMPLETED.")


def count(text: str) -> int | None:
    """Read a number of nodes or cores, None if empty; Slurm may write 4096 as ``4K`` (rounded).

    Examples
    --------
    >>> count("16"), count("4K"), count("")
    (16, 4096, None)
    """
    text = plain(text)
    if not text:
        return None
    match = _COUNT.fullmatch(text)
    if match is None or ("." in text and not match[2]):
        raise BadFieldError(f"count {_shown(text)} is no number; expected one as 16.")
    value = int(match[1]) if not match[2] else round(float(match[1]) * 1024 ** _POWER[match[2]])
    if value > 2**31 - 1:
        raise BadFieldError(f"count {_shown(text)} is too large; expected at most 2147483647.")
    return value


def nodes_of(text: str) -> tuple[str | None, bool]:
    """Return the node list, None if it is not known, and whether a column cut it off.

    The text of a job that never got a node is kept, `restudy.traces.jobs.unassigned` looks at it.

    Examples
    --------
    >>> nodes_of("r10n[1-2]"), nodes_of("None assigned"), nodes_of(""), nodes_of("r10n[1-+")
    (('r10n[1-2]', False), ('None assigned', False), (None, False), (None, True))
    """
    text = plain(text)
    if text.endswith("+"):
        return None, True
    try:
        nodelist.count(text)
    except nodelist.NodeListError as error:
        raise BadFieldError(str(error)) from error
    return (None if text.lower() in _NO_NODES else text), False


def label(text: str) -> str | None:
    """Name of a user or partition, None if empty."""
    text = plain(text)
    if not text.isprintable() or "\ufffd" in text:
        raise BadFieldError(f"name {_shown(text)} holds bytes that are no text; expected a name.")
    return text or None


def uses_gpu(tres: str) -> bool | None:
    """Tell whether trackable resources (or an older ``AllocGRES``) hold a GPU; None if empty.

    Examples
    --------
    >>> uses_gpu("billing=12,cpu=12,gres/gpu=2,mem=31000M,node=1"), uses_gpu("gpu:v100:2")
    (True, True)
    >>> uses_gpu("cpu=12,node=1"), uses_gpu("")
    (False, None)
    """
    tres = plain(tres)
    return _GPU.search(tres) is not None if tres else None


def plain(text: str) -> str:
    """Take the blanks around a field away."""
    return text.strip(_BLANK)


def gap(span: float, elapsed: float, suspended: float | None) -> float:
    """Seconds by which ``end - start`` exceeds the time that the job ran or was suspended."""
    return span - elapsed - (suspended or 0.0)


def _agree(span: int, elapsed: float | None, suspended: float | None) -> None:
    if elapsed is None:
        if span < -_CLOCK_CHANGE_S:
            raise BadFieldError(
                f"the job ends {-span} s before its start; "
                "expected at most the 3600 s of a clock change."
            )
    elif abs(gap(span, elapsed, suspended)) > _CLOCK_CHANGE_S + 1:
        raise BadFieldError(
            f"the job's start and end are {span} s apart but it ran for {elapsed:.0f} s; expected "
            "the same within a clock change of 3600 s (print Suspended too if jobs are suspended)."
        )


def _shown(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
