"""How a `sacct` file is laid out: its delimiter or column widths, its fields, its clock."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from restudy.traces.jobs import TraceError
from restudy.traces.sacct_fields import BadFieldError, plain

# The 26 fields that Open XDMoD asks sacct for, in its order; its dumps have no header.
# fmt: off
XDMOD_FIELDS: tuple[str, ...] = (
    "jobid", "jobidraw", "cluster", "partition", "qos", "account", "group", "gid", "user",
    "uid", "submit", "eligible", "start", "end", "elapsed", "exitcode", "state", "nnodes",
    "ncpus", "reqcpus", "reqmem", "reqtres", "alloctres", "timelimit", "nodelist", "jobname",
)
# fmt: on

# What a job table needs from a line, and the fields that can give it, the best first.
ROLES: Mapping[str, tuple[str, ...]] = {
    "job_id": ("jobid", "jobidraw"),
    "submit": ("submit",),
    "start": ("start",),
    "end": ("end",),
    "state": ("state",),
    "elapsed": ("elapsedraw", "elapsed"),
    "suspended": ("suspended",),
    "nodes": ("allocnodes", "nnodes"),
    "cores": ("alloccpus", "ncpus", "reqcpus"),
    "node_list": ("nodelist",),
    "partition": ("partition",),
    "user": ("user", "uid"),
    "alloc_tres": ("alloctres", "allocgres"),
    "req_tres": ("reqtres", "reqgres"),
}
_NEEDED = {"job_id": "JobID", "submit": "Submit", "start": "Start", "end": "End", "state": "State"}
_ADVICE = (
    "print it with sacct --parsable2 "
    "--format=JobID,User,Partition,Submit,Start,End,Elapsed,State,NNodes,NCPUS,NodeList"
)
_KNOWN = frozenset(XDMOD_FIELDS).union(*ROLES.values())
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RULER = re.compile(rb"-+(?: +-+)*")
_SNIFFED_LINES = 200
_HEADER_WITHIN = 20

BOM = b"\xef\xbb\xbf"
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"PAR1": "Parquet", b"(\xb5/\xfd": "zstd"}


class SacctError(TraceError):
    """A file that cannot be read as `sacct` output; the message is one sentence."""


@dataclass(frozen=True)
class Layout:
    """Where the fields of a line are.

    Attributes
    ----------
    names : tuple of str
        The fields in order, in lower case.
    delimiter : bytes
        What stands between two fields; empty for a table of fixed widths.
    trailing : bool
        Each line ends with the delimiter, as with ``--parsable``.
    spans : tuple of (int, int)
        First and last + 1 byte of each column of a table of fixed widths.
    header : bytes
        The header line; empty if the file has none. Repeated headers are skipped.
    epoch : bool
        Times are in seconds since 1970 and not local dates.
    roles : dict of str to int
        Position of the field that gives each role of `ROLES`.
    """

    names: tuple[str, ...]
    delimiter: bytes
    trailing: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    header: bytes = b""
    epoch: bool = False
    roles: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        places = {
            role: next((self.names.index(name) for name in choice if name in self.names), -1)
            for role, choice in ROLES.items()
        }
        object.__setattr__(self, "roles", {role: i for role, i in places.items() if i >= 0})

    def is_heading(self, line: bytes) -> bool:
        """Tell whether a line is the header, or the rule under it."""
        return bool(self.header) and (
            line == self.header or (bool(self.spans) and _RULER.fullmatch(line.strip()) is not None)
        )

    def split(self, line: bytes) -> list[bytes]:
        """Cut a line into its fields; raises `BadFieldError` if their number is wrong."""
        if self.spans:
            return self._slices(line)
        fields = line.split(self.delimiter)
        if self.trailing and fields.pop():
            raise BadFieldError(
                f"the line does not end with {self.delimiter.decode()!r} as the others do; "
                "expected a whole line."
            )
        extra = len(fields) - len(self.names)
        if extra > 0 and self.names[-1] == "jobname":
            # the name of a job is free text and may hold the delimiter
            fields[-1 - extra :] = [self.delimiter.join(fields[-1 - extra :])]
        elif extra:
            raise BadFieldError(f"{len(fields)} fields found; expected {len(self.names)}.")
        return fields

    def _slices(self, line: bytes) -> list[bytes]:
        gaps = zip((0, *(end for _, end in self.spans)), (*self.spans, (len(line), 0)), strict=True)
        for end, (begin, _) in gaps:
            if line[end:begin].strip():
                raise BadFieldError(
                    f"text stands between two columns at character {end + 1}; "
                    "expected the widths of the rule under the header."
                )
        return [line[begin:end] for begin, end in self.spans]


def sniff(sample: bytes, name: str, columns: Sequence[str] | None = None) -> Layout:
    """Find the layout from the first lines of a file.

    Parameters
    ----------
    sample : bytes
        The beginning of the file, without a byte order mark.
    name : str
        The file's name, for messages.
    columns : sequence of str, optional
        The fields of a file without a header; by default the 26 of Open XDMoD.

    Returns
    -------
    Layout
        The layout.

    Raises
    ------
    SacctError
        If the sample is empty, binary, or has no header and other fields than expected, or if
        a needed field is missing.
    """
    _refuse_binary(sample, name)
    lines = [line.rstrip(b"\r") for line in sample.split(b"\n", _SNIFFED_LINES)[:_SNIFFED_LINES]]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise SacctError(f"{name} is empty; expected the output of sacct: {_ADVICE}.")
    for line, following in zip(lines[:_HEADER_WITHIN], [*lines[1:], b""], strict=False):
        layout = _from_header(line, following)
        if layout is not None:
            break
    else:
        layout = _without_header(lines, name, columns)
    if columns is not None and layout.names != tuple(column.lower() for column in columns):
        raise SacctError(
            f"{name} has the fields {','.join(layout.names)} but columns says "
            f"{','.join(columns)}; leave columns out for a file with a header."
        )
    missing = [field_name for role, field_name in _NEEDED.items() if role not in layout.roles]
    if missing:
        raise SacctError(f"{name} lacks the fields {', '.join(missing)}; {_ADVICE}.")
    return _with_clock(layout, lines)


def _refuse_binary(sample: bytes, name: str) -> None:
    for magic, kind in _PACKED.items():
        if sample.startswith(magic):
            raise SacctError(f"{name} is a {kind} file; expected text, so unpack it first.")
    control = sum(sample.count(byte) for byte in (b"\0", b"\1", b"\2", b"\3", b"\4", b"\5"))
    if control > len(sample) // 50:
        raise SacctError(f"{name} is binary; expected text as sacct prints it: {_ADVICE}.")


def _from_header(line: bytes, following: bytes) -> Layout | None:
    """Make the layout if the line is a header."""
    line = line.removeprefix(BOM)
    if _RULER.fullmatch(following.strip()):
        spans = tuple(match.span() for match in re.finditer(rb"-+", following))
        names = [line[begin:end].strip().decode(errors="replace") for begin, end in spans]
        delimiter, trailing = "", False
    else:
        spans = ()
        text = line.decode(errors="replace").strip(" ")
        names = _FIELD_NAME.findall(text)
        before, *between, after = _FIELD_NAME.split(text) if names else ["", ""]
        delimiter = between[0] if between else ""
        trailing = bool(after)
        if before or not delimiter or {*between, after or delimiter} != {delimiter}:
            return None
    lower = tuple(field_name.lower() for field_name in names)
    if _KNOWN.isdisjoint(lower):
        return None
    return Layout(lower, delimiter.encode(), trailing, spans, line)


def _without_header(lines: list[bytes], name: str, columns: Sequence[str] | None) -> Layout:
    expected = tuple(column.lower() for column in columns or XDMOD_FIELDS)
    bars = Counter(line.count(b"|") for line in lines).most_common(1)[0][0]
    trailing = bars == len(expected) and sum(line.endswith(b"|") for line in lines) * 2 > len(lines)
    found = bars if trailing else bars + 1
    if found != len(expected) and not (found > len(expected) and expected[-1] == "jobname"):
        raise SacctError(
            f"{name} has no header and {found} fields between '|' a line; expected a header or "
            f"{len(expected)} fields: {_ADVICE}."
        )
    return Layout(expected, b"|", trailing)


def _with_clock(layout: Layout, lines: list[bytes]) -> Layout:
    """Tell seconds since 1970 from dates by what most of the first lines hold."""
    balance = 0
    for line in lines:
        try:
            fields = layout.split(line)
        except BadFieldError:
            continue  # the reader keeps such a line aside with its reason
        submit = plain(fields[layout.roles["submit"]].decode(errors="replace"))
        balance += submit.isdecimal() - ("-" in submit)
    if balance <= 0:
        return layout
    return replace(layout, epoch=True)
