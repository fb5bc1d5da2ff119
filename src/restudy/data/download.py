"""Files over HTTP: resumed, bounded in time, and never trusted.

Only the standard library is used, because its responses can be read as the bytes arrive
(``read1``): a server that sends one byte a minute is noticed.
"""

import errno
import http.client
import json
import math
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

from restudy.data.catalogue import DataError

BLOCK = 1 << 18  # bytes asked for at once
STALL = 30.0  # s without a byte, or without an answer, before giving up

Progress = Callable[[int, int], None]


class SourceError(DataError):
    """The place that publishes a file did not deliver it."""


class Source:
    """One host, as seen by one process: asked once whether it answers.

    Parameters
    ----------
    patience : float
        Seconds for looking up, connecting and answering, together.
    allowance : float
        Seconds in all for downloads that nobody asked for by name.
    """

    def __init__(self, patience: float = 5.0, allowance: float = 60.0) -> None:
        self.patience = patience
        self.allowance = allowance
        self._asked = threading.Lock()
        self._answer: bool | None = None

    def answers(self, url: str) -> bool:
        """Ask for the headers of `url`, the first time; any reply at all is an answer."""
        with self._asked:
            if self._answer is None:
                try:
                    open_url(url, method="HEAD", seconds=self.patience).close()
                    self._answer = True
                except SourceError as error:
                    self._answer = isinstance(error.__cause__, urllib.error.HTTPError)
            return self._answer


def open_url(
    url: str, *, headers: dict[str, str] | None = None, method: str = "GET", seconds: float = STALL
) -> http.client.HTTPResponse:
    """Open `url`; name look-up, connection, redirects and headers together take `seconds` at most.

    Raises
    ------
    SourceError
        With the ``urllib.error.HTTPError`` as its cause where the server answered.
    """
    fixed = {"User-Agent": "restudy", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=fixed | (headers or {}), method=method)
    try:
        return _open_within(request, seconds)
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(f"{url} answers {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise SourceError(f"{url} does not answer within {seconds:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{url} cannot be reached ({_reason(error)})") from error


def read_json(url: str, *, limit: int = 1 << 22) -> Any:
    """Return the JSON document at `url`, of at most `limit` bytes, within a minute."""
    body, deadline = bytearray(), time.monotonic() + 2 * STALL
    with open_url(url) as response:
        while block := read_block(response, url, deadline):
            body += block
            if len(body) > limit:
                raise SourceError(f"{url} sends more than {limit} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise SourceError(f"{url} sends no valid JSON ({error})") from error


def download(
    url: str,
    part: Path,
    *,
    size: int | None,
    progress: Progress | None = None,
    deadline: float = math.inf,
    stall: float = STALL,
) -> bool:
    """Fetch `url` into `part`, going on where an earlier download stopped.

    Bytes are kept from an earlier call only if the server names the version of its file (a strong
    ETag or a date) and confirms that it is still the same; else the download starts again.

    Parameters
    ----------
    url, part : str, Path
        Source, and the temporary file; ``part.json`` beside it remembers the version.
    size : int or None
        Expected bytes; None where unknown.
    progress : callable, optional
        Called with bytes had and bytes expected (0 where unknown).
    deadline : float
        Value of ``time.monotonic()`` after which to give up.
    stall : float
        Seconds to wait for the next byte.

    Returns
    -------
    bool
        Whether bytes of an earlier call were kept.

    Raises
    ------
    SourceError
        If the server is silent, slow, or sends another number of bytes; `part` stays.
    DataError
        If the bytes cannot be written; `part` stays.
    """
    had = part.stat().st_size if part.exists() else 0
    if had and had == size:
        return True
    version = _version_of(part, url)
    wait = min(stall, max(deadline - time.monotonic(), 0.1))
    resume = {"Range": f"bytes={had}-", "If-Range": version} if had and version else {}
    try:
        response = open_url(url, headers=resume, seconds=wait)
    except SourceError as error:
        cause = error.__cause__
        if not (resume and isinstance(cause, urllib.error.HTTPError) and cause.code == 416):
            raise
        response = open_url(url, seconds=wait)  # what we have is longer than what there is
    with response:
        kept = response.status == 206 and _first_byte(response) == had
        if response.status == 206 and not kept:
            raise SourceError(f"{url} sends another range than asked, bytes {had} to the end")
        start = had if kept else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None and length.isdigit() else size
        if size is not None and total != size:
            raise SourceError(f"{url} offers {total:,} bytes where {size:,} are expected")
        check_space(part, (total or 0) - start)
        if not kept:
            part.unlink(missing_ok=True)
            _keep_version(part, url, response)
        done = _receive(response, url, part, start, total, progress, deadline)
    if total is not None and done != total:
        raise SourceError(f"{url} stopped after {done:,} of {total:,} bytes")
    return kept


def version_file(part: Path) -> Path:
    """Name the small file beside `part` that remembers which version of the source it is of."""
    return part.with_name(part.name + ".json")


def _receive(
    response: http.client.HTTPResponse,
    url: str,
    part: Path,
    start: int,
    total: int | None,
    progress: Progress | None,
    deadline: float,
) -> int:
    done = start
    with _open_part(part, "ab" if start else "wb") as file:
        while block := read_block(response, url, deadline):
            done += len(block)
            if total is not None and done > total:
                raise SourceError(f"{url} sends more than the {total:,} bytes expected")
            _write(file, block, part)
            if progress is not None:
                progress(done, total or 0)
        os.fsync(file.fileno())
    return done


def read_block(response: http.client.HTTPResponse, url: str, deadline: float = math.inf) -> bytes:
    """Return the bytes that have arrived, waiting for at least one; empty at the end."""
    if time.monotonic() > deadline:
        raise SourceError(f"{url} is too slow: not complete in the time given")
    try:
        return response.read1(BLOCK)
    except TimeoutError as error:
        raise SourceError(f"{url} stopped sending") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{url} broke off ({_reason(error)})") from error


def _open_part(part: Path, mode: str) -> BinaryIO:
    try:
        # Unbuffered: a full disk is noticed at the write that fills it.
        return part.open(mode, buffering=0)  # type: ignore[return-value]
    except OSError as error:
        raise DataError(disk_sentence(part, error.strerror)) from error


def _write(file: BinaryIO, block: bytes, part: Path) -> None:
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise DataError(disk_sentence(part, error.strerror)) from error


def check_space(part: Path, needed: int) -> None:
    """Refuse what the disk cannot hold."""
    if needed > shutil.disk_usage(part.parent).free:
        reason = f"{os.strerror(errno.ENOSPC)}, {needed:,} bytes needed"
        raise DataError(disk_sentence(part, reason))


def disk_sentence(part: Path, reason: str | None) -> str:
    """Say why a file cannot be written, and what to do."""
    free = shutil.disk_usage(part.parent).free
    return (
        f"cannot write {part} ({reason}; {free:,} bytes are free): make room, or name a folder "
        "on another disk in RESTUDY_DATA, and run again."
    )


def _open_within(request: urllib.request.Request, seconds: float) -> http.client.HTTPResponse:
    """Open `request`, or raise TimeoutError after `seconds`, whatever it is stuck in.

    A name look-up has no time-out, and a server may send its headers byte by byte; so this
    happens in a thread of its own, which is left alone when late and then closes what it opened.
    """
    future: Future[http.client.HTTPResponse] = Future()

    def work() -> None:
        try:
            response = urllib.request.urlopen(request, timeout=seconds)
        except BaseException as error:  # handed over to the caller, who raises it
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(response)
        else:
            response.close()

    threading.Thread(target=work, daemon=True, name="restudy-open-url").start()
    try:
        return future.result(timeout=seconds)
    finally:
        future.cancel()


def _version_of(part: Path, url: str) -> str:
    """Return the version `part` was begun from; empty if unknown or from another address."""
    try:
        known = json.loads(version_file(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(known["version"]) if known.get("url") == url else ""


def version_in(response: http.client.HTTPResponse) -> str:
    """Return what names the version of a file: its strong ETag, else its date, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _keep_version(part: Path, url: str, response: http.client.HTTPResponse) -> None:
    text = json.dumps({"url": url, "version": version_in(response)})
    try:
        version_file(part).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(disk_sentence(part, error.strerror)) from error


def _first_byte(response: http.client.HTTPResponse) -> int:
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
