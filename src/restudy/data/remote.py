"""A published file read here and there over HTTP, without fetching the whole."""

import io
import re
import time
import urllib.error
from collections import OrderedDict
from collections.abc import Callable
from http.client import HTTPResponse
from typing import TYPE_CHECKING

from restudy.data.catalogue import DataError
from restudy.data.download import STALL, SourceError, open_url, read_block, version_in

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 1 << 16  # bytes: what is asked for at least, and the unit of what is kept
KEPT = 64  # blocks kept, the last used
ATTEMPTS = 5
LONGEST_WAIT = 120.0  # s between two attempts, whatever the server asks for

_MAY_PASS = {408, 429, 500, 502, 503, 504}


class RangeFile(io.RawIOBase):
    """A file on a web server, opened for reading and seeking.

    Every read becomes at most a few range requests; nothing is read ahead beyond a block. An
    answer that breaks off goes on where it stopped; a server that is busy is asked again after
    the time it names.

    Parameters
    ----------
    url : str
        Address of the file.
    pause : float
        Seconds before the second attempt; doubled before each further one.
    stall : float
        Seconds to wait for an answer and for each byte.
    progress : callable, optional
        Called with the bytes received so far, whenever some arrived.

    Attributes
    ----------
    size : int
        Bytes of the whole file.
    version : str
        Strong ETag or date of the file; empty if the server names neither.
    received : int
        Bytes received so far.

    Raises
    ------
    SourceError
        If the server does not answer, stops, sends another range, or the file changes while it
        is open.
    DataError
        If the server sends only the whole file.
    """

    def __init__(
        self,
        url: str,
        *,
        pause: float = 1.0,
        stall: float = STALL,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self.url = url
        self.received = 0
        self.version = ""
        self.size = -1
        self._pause = pause
        self._stall = stall
        self._progress = progress
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._blocks[0] = self._fetch(0, BLOCK)

    def readable(self) -> bool:
        """Say that the file can be read."""
        return True

    def seekable(self) -> bool:
        """Say that any position can be sought."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the beginning."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position and return it; no request is made."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"position {base + offset} lies before the beginning of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill `buffer` as far as the file reaches and return the number of bytes."""
        view = memoryview(buffer).cast("B")
        start, stop = self._position, min(self._position + len(view), self.size)
        if stop <= start:
            return 0
        view[: stop - start] = self._between(start, stop)
        self._position = stop
        return stop - start

    def _between(self, start: int, stop: int) -> bytes:
        """Return bytes `start` to `stop`, each run of blocks not kept by one request."""
        first, last = start // BLOCK, (stop - 1) // BLOCK
        blocks = {i: self._blocks[i] for i in range(first, last + 1) if i in self._blocks}
        i = first
        while i <= last:
            end = i
            while end <= last and end not in blocks:
                end += 1
            if end > i:
                run = self._fetch(i * BLOCK, min(end * BLOCK, self.size))
                blocks |= {i + k: run[k * BLOCK : (k + 1) * BLOCK] for k in range(end - i)}
            i = end + 1
        for i in range(max(first, last + 1 - KEPT), last + 1):
            self._blocks[i] = blocks[i]
            self._blocks.move_to_end(i)
        while len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        joined = b"".join(blocks[i] for i in range(first, last + 1))
        return joined[start - first * BLOCK : stop - first * BLOCK]

    def _fetch(self, start: int, stop: int) -> bytes:
        """Ask for bytes `start` to `stop`, again from where an answer broke off."""
        body = bytearray()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._receive(start, stop, body)
                break
            except SourceError as error:
                wait = _wait(error, self._pause * 2 ** (attempt - 1))
                if wait is None or attempt == ATTEMPTS:
                    raise
                time.sleep(wait)
        return bytes(body)

    def _receive(self, start: int, stop: int, body: bytearray) -> None:
        """Append to `body` what is missing of bytes `start` to `stop`."""
        begin = start + len(body)
        wanted = {"Range": f"bytes={begin}-{stop - 1}"}
        with open_url(self.url, headers=wanted, seconds=self._stall) as response:
            end = self._judge(response, begin, stop)
            while block := read_block(response, self.url):
                body += block
                self.received += len(block)
                if start + len(body) > end:
                    raise SourceError(f"{self.url} sends more than the {end - begin:,} bytes asked")
                if self._progress is not None:
                    self._progress(self.received)
        if start + len(body) < end:
            stopped = f"{self.url} stopped at byte {start + len(body):,} of {start:,} to {end:,}"
            raise SourceError(stopped) from EOFError()

    def _judge(self, response: HTTPResponse, begin: int, stop: int) -> int:
        """Return where the answer must end; refuse one that is not of the range and file asked."""
        if response.status != 206:
            raise DataError(
                f"{self.url} answers {response.status} to a request for a part: it sends only "
                "whole files; fetch the whole one."
            )
        said = response.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", said)
        first, last, size = map(int, found.groups()) if found else (-1, -1, -1)
        if first != begin or last + 1 != min(stop, size):
            asked = f"bytes {begin}-{stop - 1}"
            raise SourceError(f"{self.url} sends {said or 'no named range'!r} for {asked}")
        if self.size < 0:
            self.size, self.version = size, version_in(response)
        elif (self.size, self.version) != (size, version_in(response)):
            raise SourceError(f"{self.url} changed while it was being read")
        return last + 1


def _wait(error: SourceError, pause: float) -> float | None:
    """Return the seconds after which to ask again; None if it would change nothing.

    Errors without a cause are answers that were understood, and stay as they are.
    """
    cause = error.__cause__
    if cause is None:
        return None
    if isinstance(cause, urllib.error.HTTPError):
        if cause.code not in _MAY_PASS:
            return None
        named = cause.headers.get("Retry-After", "")
        pause = max(pause, float(named)) if named.isdigit() else pause
    return min(pause, LONGEST_WAIT)
