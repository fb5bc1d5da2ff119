"""Every dataset of the book: where it comes from, where it is, and that it is the right one.

``data.registry.toml`` beside this package is the truth. A file is used only after its sha256
was found to be the registry's, or, while the registry has none yet, after the archive that
published it confirmed its own checksum.

Of a dataset too big to fetch, `fetch_sample` gets the first parts. They are kept apart from the
whole: `available` and `locate` do not see them, `sampled` does, and `sample_note` says what they
are a part of.
"""

from restudy.data.catalogue import DataError, Dataset, registry
from restudy.data.download import SourceError
from restudy.data.files import Status, cache_folder, mirror_folder, status
from restudy.data.samples import SampleNote, sample_note, sampled
from restudy.data.sampling import fetch_sample
from restudy.data.store import available, fetch, fingerprint, locate

__all__ = [
    "DataError",
    "Dataset",
    "SampleNote",
    "SourceError",
    "Status",
    "available",
    "cache_folder",
    "fetch",
    "fetch_sample",
    "fingerprint",
    "locate",
    "mirror_folder",
    "registry",
    "sample_note",
    "sampled",
    "status",
]
