"""The first parts of a big dataset: where they are, and that they are what was fetched.

A sample is a folder ``<cache>/<file>.sample`` of Parquet files beside ``sample.json``, which says
what they are the first parts of. It is never taken for the whole file.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restudy.data.catalogue import DataError, Dataset, dataset
from restudy.data.files import cache_folder, sha256_of

NOTE = "sample.json"


@dataclass(frozen=True)
class SampleNote:
    """What a sample is a part of.

    Attributes
    ----------
    parts : int
        Files in the sample.
    of : int or None
        Parts of the whole file; None where only reading all of it would tell.
    columns : tuple of str
        Columns that were fetched (of a tar: folders); empty if all were.
    """

    parts: int
    of: int | None
    columns: tuple[str, ...]

    def __str__(self) -> str:
        """Return the words for a title, such as ``first 3 of 200 parts``."""
        count = f"{self.parts}" if self.of is None else f"{self.parts} of {self.of}"
        noun = "part" if (self.of or self.parts) == 1 else "parts"
        columns = f", only {', '.join(self.columns)}" if self.columns else ""
        return f"first {count} {noun}{columns}"


@dataclass(frozen=True)
class SampledPart:
    """One file of a sample, and where in the source it comes from."""

    path: str
    member: str
    group: str
    size: int
    sha256: str
    following: int


@dataclass(frozen=True)
class Sample:
    """The content of ``sample.json``.

    Attributes
    ----------
    url, version, size, checksum
        The whole file: its address, the ETag or date its server names (or its sha256, where it
        lay on this machine), its bytes, and the checksum its archive states.
    columns : tuple of str
        Columns or folders asked for; empty for all.
    asked : int
        Number of parts asked for.
    of : int or None
        Parts of the whole.
    parts : tuple of SampledPart
        Those that were fetched, in the order of the source.
    """

    url: str | None
    version: str
    size: int
    checksum: str
    columns: tuple[str, ...]
    asked: int
    of: int | None
    parts: tuple[SampledPart, ...] = ()


def sampled(name: str) -> Path | None:
    """Return the folder of a fetched sample, or None where there is none; no network.

    Raises
    ------
    DataError
        If its files are not those that were fetched, or the registry has another file by now.
    """
    entry = dataset(name)
    folder = sample_folder(entry)
    return folder if sound_sample(entry, folder) else None


def sample_note(name: str) -> SampleNote:
    """Return what the sample of a dataset is a part of.

    Raises
    ------
    DataError
        If there is no sample, or not the one that was fetched.
    """
    entry = dataset(name)
    sample = sound_sample(entry, sample_folder(entry))
    if sample is None:
        raise DataError(f"there is no sample of {name}: run `restudy fetch {name} --sample 1`.")
    return SampleNote(len(sample.parts), sample.of, sample.columns)


def sample_fingerprint(name: str) -> str:
    """Return ``sample:`` and a digest of all parts, or an empty text where there is no sample."""
    entry = dataset(name)
    sample = sound_sample(entry, sample_folder(entry))
    if sample is None:
        return ""
    lines = "".join(f"{part.sha256}  {part.path}\n" for part in sample.parts)
    return f"sample:{hashlib.sha256(lines.encode()).hexdigest()}"


def sample_folder(entry: Dataset) -> Path:
    """Return where the sample of a dataset is, or would be."""
    path = cache_folder() / entry.file
    return path.with_name(path.name + ".sample")


def read_sample(folder: Path) -> Sample | None:
    """Return what ``sample.json`` says, or None where it is absent or not readable."""
    try:
        fields = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        fields["parts"] = tuple(SampledPart(**part) for part in fields["parts"])
        fields["columns"] = tuple(fields["columns"])
        return Sample(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_sample(folder: Path, sample: Sample) -> None:
    """Write ``sample.json``, at once or not at all."""
    new = folder / f"{NOTE}.new"
    new.write_text(json.dumps(dataclasses.asdict(sample), indent=1) + "\n", encoding="utf-8")
    os.replace(new, folder / NOTE)


def is_sound(folder: Path, part: SampledPart) -> bool:
    """Say whether a file of a sample is the one that was fetched."""
    path = folder / part.path
    return path.is_file() and path.stat().st_size == part.size and sha256_of(path) == part.sha256


def sound_sample(entry: Dataset, folder: Path) -> Sample | None:
    """Return the sample in `folder` if all of it is as fetched; None where there is no folder."""
    if not folder.is_dir():
        return None
    sample = read_sample(folder)
    if sample is None:
        raise _fault(entry, folder, f"{NOTE} is missing or cannot be read")
    if sample.url != entry.url:
        raise _fault(entry, folder, f"it is of {sample.url} where {entry.url} is registered")
    if entry.sha256 and sample.checksum.startswith("sha256:") and not _of(entry, sample):
        raise _fault(entry, folder, f"it is of {sample.checksum} where {entry.sha256} is expected")
    for part in sample.parts:
        if not is_sound(folder, part):
            raise _fault(entry, folder, f"{part.path} is not the file that was fetched")
    known = {NOTE} | {part.path for part in sample.parts}
    if others := sorted(_files(folder) - known):
        raise _fault(entry, folder, f"{others[0]} does not belong to it")
    return sample


def _of(entry: Dataset, sample: Sample) -> bool:
    return sample.checksum == f"sha256:{entry.sha256}"


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _fault(entry: Dataset, folder: Path, what: Any) -> DataError:
    return DataError(
        f"the sample {folder} cannot be used: {what}; run `restudy fetch {entry.name} --sample N` "
        "again, or remove the folder."
    )
