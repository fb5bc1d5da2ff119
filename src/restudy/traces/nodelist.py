"""Slurm node lists: ``r10n[13,19,25],cpn-f13-04-[01-02]`` to node names, and back."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from math import prod

from restudy.errors import UserError

# More nodes than any Slurm controller manages: a longer list is a damaged one.
MAX_NODES = 65_536

_UNASSIGNED = frozenset({"", "none assigned", "(null)", "none", "unknown"})
_NAME = r"[A-Za-z0-9_.:-]"
_HOST = re.compile(rf"(?:{_NAME}+|\[[0-9,-]+\])+")
_PART = re.compile(rf"({_NAME}+)|\[([0-9,-]+)\]")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
_COMMA = re.compile(r"\s*,\s*")
_NUMBERED = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)

# The alternatives at one place of a name: a fixed text, or runs of numbers (first, last, width).
_Runs = tuple[tuple[int, int, int], ...]
_Place = str | _Runs


class NodeListError(UserError):
    """Text that is no Slurm node list; the message is one sentence."""


@lru_cache(maxsize=256)
def expand(node_list: str) -> tuple[str, ...]:
    """Name every node of a Slurm node list.

    Parameters
    ----------
    node_list : str
        Names separated by commas; each may hold several brackets with numbers and ranges. Zero
        padding follows the first number of a range.

    Returns
    -------
    tuple of str
        The names in the order of ``scontrol show hostnames``: the last bracket runs fastest.
        Empty where Slurm says that no node was assigned (``None assigned``, ``(null)``, nothing).

    Raises
    ------
    NodeListError
        If the text is malformed, or names more than `MAX_NODES` nodes.

    Examples
    --------
    >>> expand("r10n[13,19-20],cpn-f13-04-[01-02]")
    ('r10n13', 'r10n19', 'r10n20', 'cpn-f13-04-01', 'cpn-f13-04-02')
    >>> expand("r[1-2]n[3-4]-ib")
    ('r1n3-ib', 'r1n4-ib', 'r2n3-ib', 'r2n4-ib')
    >>> expand("None assigned")
    ()
    """
    count(node_list)
    return tuple(
        "".join(name) for places in _hosts(node_list) for name in product(*map(_texts, places))
    )


def count(node_list: str) -> int:
    """Count the nodes of a list without naming them; raises `NodeListError` as `expand` does.

    Examples
    --------
    >>> count("r[28-31]n[1-5],login1")
    21
    """
    total = 0
    for places in _hosts(node_list):
        total += prod(_size(place) for place in places)
        if total > MAX_NODES:
            raise NodeListError(
                f"node list {_shown(node_list)} names more than {MAX_NODES:,} nodes; "
                "expected the nodes of one cluster, so check its ranges."
            )
    return total


def compress(nodes: Iterable[str]) -> str:
    """Write node names as one Slurm node list, sorted, each once.

    Only the number at the end of a name is put in brackets, as Slurm does on most clusters.

    Examples
    --------
    >>> compress(["r11n20", "r10n25", "r11n19", "r10n13", "login"])
    'login,r10n[13,25],r11n[19-20]'
    >>> compress(["n08", "n09", "n10", "n9"])
    'n[9,08-10]'
    """
    plain = set()
    numbered: dict[str, list[tuple[int, int]]] = {}
    for node in set(nodes):
        match = _NUMBERED.fullmatch(node)
        if match is None:
            plain.add(node)
        else:
            prefix, digits = match.groups()
            numbered.setdefault(prefix, []).append((len(digits), int(digits)))
    for prefix, numbers in numbered.items():
        runs = _runs(sorted(numbers))
        single = len(runs) == 1 and "-" not in runs[0]
        plain.add(prefix + (runs[0] if single else f"[{','.join(runs)}]"))
    return ",".join(sorted(plain))


def _hosts(node_list: str) -> Iterator[list[_Place]]:
    """Yield the places of each comma-separated name."""
    text = node_list.strip()
    if text.lower() in _UNASSIGNED:
        return
    position = 0
    while True:
        host = _HOST.match(text, position)
        if host is None:
            found = repr(text[position]) if position < len(text) else "its end"
            raise NodeListError(
                f"node list {_shown(text)} has {found} at character {position + 1}; "
                "expected node names such as r10n[13,19-21],r11n2."
            )
        yield [
            part[1] if part[1] is not None else _numbers(part[2], text)
            for part in _PART.finditer(host[0])
        ]
        position = host.end()
        if position == len(text):
            return
        comma = _COMMA.match(text, position)
        if comma is None:
            raise NodeListError(
                f"node list {_shown(text)} has {text[position]!r} at character {position + 1}; "
                "expected a comma or the end."
            )
        position = comma.end()


def _numbers(bracket: str, text: str) -> _Runs:
    """Read the inside of a bracket, ``13,19-25``."""
    runs = []
    for item in bracket.split(","):
        match = _RANGE.fullmatch(item)
        first, last = (match[1], match[2] or match[1]) if match else ("1", "0")
        if int(last) < int(first):
            raise NodeListError(
                f"node list {_shown(text)} has {item!r} in brackets; "
                "expected a number or a rising range such as 01-16."
            )
        runs.append((int(first), int(last), len(first)))
    return tuple(runs)


def _size(place: _Place) -> int:
    return 1 if isinstance(place, str) else sum(last - first + 1 for first, last, _ in place)


def _texts(place: _Place) -> Iterable[str]:
    if isinstance(place, str):
        return (place,)
    return [f"{n:0{width}d}" for first, last, width in place for n in range(first, last + 1)]


def _runs(numbers: list[tuple[int, int]]) -> list[str]:
    """Join sorted (digits, number) pairs to ranges; each range keeps its own zero padding."""
    runs: list[str] = []
    first = last = -2
    width = 0
    for digits, number in numbers:
        # 9 -> 10 stays one range; so does 099 -> 100, but not 9 -> 010
        if number == last + 1 and f"{number:0{width}d}" == f"{number:0{digits}d}":
            runs[-1] = f"{first:0{width}d}-{number:0{width}d}"
        else:
            first, width = number, digits
            runs.append(f"{number:0{width}d}")
        last = number
    return runs


def _shown(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
