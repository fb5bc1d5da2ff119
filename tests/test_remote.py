"""Samples of big files: few bytes travel, and what arrives is what was asked, or one sentence."""

import hashlib
import http.server
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from restudy import data
from restudy.cli import main
from restudy.data import catalogue, remote, store
from restudy.data.remote import BLOCK, RangeFile

NOISE = random.Random(3).randbytes(10 * BLOCK + 123)


class Site(http.server.ThreadingHTTPServer):
    """An archive on loopback that answers range requests, with a fault of choice."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.content: dict[str, bytes] = {}
        self.fault = ""
        self.faults = 0  # how many more answers have it
        self.tag = '"v1"'
        self.sent = 0
        self.ranges: list[tuple[int, int]] = []
        self.stop_after = 10**9  # range requests answered; then silence
        self.over = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """Stay silent: a client that hangs up is part of several tests."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        site = self.server
        content = site.content[self.path]
        fault = site.fault if site.faults > 0 else ""
        site.faults -= bool(fault)
        wanted = self.headers.get("Range")
        if wanted is None or fault == "no range":
            self.reply(200, content, {})
            return
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        if len(site.ranges) >= site.stop_after:
            site.over.wait()
            return
        site.ranges.append((first, last + 1))
        if fault == "busy":
            self.reply(429, b"", {"Retry-After": "0"})
            return
        if fault == "gone":
            self.reply(404, b"", {})
            return
        body = content[first : last + 1]
        named = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
        if fault == "other range":
            named = f"bytes {first + 1}-{first + len(body)}/{len(content)}"
        tag = '"v2"' if fault == "changed" else site.tag
        short = len(body) // 2 if fault == "stops" else len(body)
        headers = {"Content-Range": named, "ETag": tag, "Content-Length": str(len(body))}
        self.reply(206, body[:short], headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.server.sent += len(body)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class World(NamedTuple):
    site: Site
    cache: Path
    mirror: Path
    register: Callable[..., None]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a loopback archive, an empty cache, a mirror not yet named, and a registry."""
    site = Site()
    threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02}).start()
    mirror, toml = tmp_path / "mirror", tmp_path / "registry.toml"
    (mirror / "set").mkdir(parents=True)
    toml.touch()

    def register(content: bytes, name: str = "big", **fields: Any) -> None:
        """Publish `content`, unpinned: a record states its md5."""
        checksum = "md5:" + hashlib.md5(content).hexdigest()
        record = {"files": [{"key": f"{name}.bin", "size": len(content), "checksum": checksum}]}
        site.content |= {f"/{name}.bin": content, "/record": json.dumps(record).encode()}
        entry = {
            "file": f"set/{name}.bin",
            "url": f"{site.address}/{name}.bin",
            "record": f"{site.address}/record",
            "size": len(content),
            "licence": "CC0",
            "citation": "nobody",
        } | fields
        lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items() if value]
        columns = f'\n[{name}.columns]\nx = "bytes"\n'
        toml.write_text(f"[{name}]\n" + "\n".join(lines) + columns)
        catalogue._read.cache_clear()

    monkeypatch.setattr(catalogue, "REGISTRY", toml)
    monkeypatch.setenv("RESTUDY_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    monkeypatch.delenv("RESTUDY_OFFLINE")
    monkeypatch.setattr(
        remote.RangeFile.__init__,
        "__kwdefaults__",
        {
            "pause": 0.01,
            "stall": 5.0,
            "progress": None,
        },
    )
    store._source.cache_clear()
    yield World(site, tmp_path / "cache", mirror, register)
    site.over.set()
    site.shutdown()
    site.server_close()
    catalogue._read.cache_clear()


# --- files that can be sampled --------------------------------------------------------------

ROWS, GROUPS = 20_000, 8


def table(seed: int = 0, rows: int = ROWS * GROUPS) -> pd.DataFrame:
    """Return columns of noise, which no compression makes small."""
    values = np.random.default_rng(seed).random((rows, 6))
    return pd.DataFrame(values, columns=list("abcdef")).assign(n=np.arange(rows))


def parquet(frame: pd.DataFrame, rows: int = ROWS) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, row_group_size=rows)
    return file.getvalue()


MEMBERS = [table(seed, rows=4_000) for seed in range(6)]


def zipped(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("joined/", b"")
        archive.writestr("__MACOSX/joined/._part.0.parquet", b"x")
        archive.writestr("joined/read.me", b"text")
        for i, frame in enumerate(MEMBERS):
            archive.writestr(f"joined/part.{i}.parquet", parquet(frame))
    return file.getvalue()


FOLDERS = ("node_load1", "node_power", "up")


def tarred(mode: str = "w:") -> bytes:
    """Return a tar of three folders with six days each; the frame is that of the day."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for folder in FOLDERS:
            for day, frame in enumerate(MEMBERS):
                body = parquet(frame)
                member = tarfile.TarInfo(f"set/{folder}/{day}_{day + 1}.parquet")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))
    return file.getvalue()


def frames(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the parts of a sample by their path."""
    found = sorted(folder.rglob("*.parquet"))
    return {one.relative_to(folder).as_posix(): pd.read_parquet(one) for one in found}


def same(found: pd.DataFrame, expected: pd.DataFrame) -> bool:
    return found.reset_index(drop=True).equals(expected.reset_index(drop=True))


# --- a file read by ranges ------------------------------------------------------------------


def test_any_reads_are_those_of_the_file(world: World) -> None:
    world.site.content["/x"] = NOISE
    local, rng = io.BytesIO(NOISE), random.Random(4)
    with RangeFile(f"{world.site.address}/x") as file:
        assert (file.size, file.version) == (len(NOISE), '"v1"')
        for _ in range(200):
            place, count = rng.randrange(len(NOISE) + 9), rng.choice([0, 1, 99, BLOCK, 3 * BLOCK])
            whence = rng.choice([io.SEEK_SET, io.SEEK_END])
            back = place - len(NOISE) if whence else place
            if place >= 0:
                assert file.seek(back, whence) == local.seek(back, whence)
            assert file.read(count) == local.read(count)
            assert file.tell() == local.tell()
        file.seek(5)
        assert file.read() == NOISE[5:]
        with pytest.raises(ValueError, match="position -1 lies before the beginning"):
            file.seek(-1)


def test_a_read_is_one_request_and_what_was_read_stays(world: World) -> None:
    world.site.content["/x"] = NOISE
    seen: list[int] = []
    file = RangeFile(f"{world.site.address}/x", progress=seen.append)
    file.seek(BLOCK + 1)
    file.read(4 * BLOCK)
    file.seek(BLOCK)
    file.read(5 * BLOCK)
    file.seek(0)
    file.read(10)
    assert world.site.ranges == [(0, BLOCK), (BLOCK, 6 * BLOCK)]
    assert file.received == seen[-1] == 6 * BLOCK


def test_blocks_that_are_kept_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "KEPT", 3)
    world.site.content["/x"] = NOISE
    file = RangeFile(f"{world.site.address}/x")
    assert file.read(8 * BLOCK) == NOISE[: 8 * BLOCK]
    assert len(file._blocks) == 3
    file.seek(7 * BLOCK)
    file.read(1)
    assert len(world.site.ranges) == 2


@pytest.mark.parametrize("fault", ["stops", "busy"])
def test_what_may_pass_is_asked_again(world: World, fault: str) -> None:
    world.site.content["/x"] = NOISE
    file = RangeFile(f"{world.site.address}/x")
    world.site.fault, world.site.faults = fault, 2
    file.seek(BLOCK)
    assert file.read(4 * BLOCK) == NOISE[BLOCK : 5 * BLOCK]
    starts = [start for start, _ in world.site.ranges[1:]]
    again = [BLOCK, 3 * BLOCK, 4 * BLOCK] if fault == "stops" else [BLOCK] * 3
    assert starts == again


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("no range", data.DataError, "answers 200 to a request for a part: it sends only whole"),
        ("changed", data.SourceError, "changed while it was being read"),
        ("other range", data.SourceError, "sends 'bytes 65537-131072/.*' for bytes 65536-131071"),
        ("gone", data.SourceError, "answers 404"),
        ("stops", data.SourceError, "stopped at byte"),
        ("busy", data.SourceError, "answers 429"),
    ],
)
def test_what_does_not_pass_is_one_sentence(
    world: World, fault: str, kind: type[Exception], message: str
) -> None:
    world.site.content["/x"] = NOISE
    file = RangeFile(f"{world.site.address}/x")
    world.site.fault, world.site.faults = fault, 99
    file.seek(BLOCK)
    with pytest.raises(kind, match=message) as caught:
        file.read(100)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is kind


# --- samples --------------------------------------------------------------------------------


def test_row_groups_travel_alone(world: World) -> None:
    whole = table()
    content = parquet(whole)
    world.register(content)
    assert data.sampled("big") is None
    assert data.fingerprint("big") == "absent"
    folder = data.fetch_sample("big", 2)
    found = frames(folder)
    assert list(found) == ["part-00000.parquet", "part-00001.parquet"]
    for i, frame in enumerate(found.values()):
        assert same(frame, whole[i * ROWS : (i + 1) * ROWS])
    assert world.site.sent < len(content) * 2 / GROUPS + 4 * BLOCK
    assert data.sampled("big") == folder
    assert str(data.sample_note("big")) == f"first 2 of {GROUPS} parts"
    assert data.available("big") is None
    assert data.locate("big") is None
    note = json.loads((folder / "sample.json").read_text())
    assert note["checksum"] == "md5:" + hashlib.md5(content).hexdigest()
    assert (note["version"], note["size"]) == ('"v1"', len(content))


def test_columns_travel_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table()
    content = parquet(whole)
    world.register(content)
    monkeypatch.setattr(remote, "BLOCK", 1 << 12)
    folder = data.fetch_sample("big", 3, columns=["n", "b"])
    for i, frame in enumerate(frames(folder).values()):
        assert same(frame, whole[["b", "n"]][i * ROWS : (i + 1) * ROWS])
    assert world.site.sent < 3 * ROWS * 2 * 8 * 1.3 + 20_000
    assert world.site.sent < len(content) / 5
    assert data.sample_note("big") == data.SampleNote(3, GROUPS, ("b", "n"))
    assert str(data.sample_note("big")) == "first 3 of 8 parts, only b, n"


def test_neighbouring_columns_are_one_request(world: World) -> None:
    whole = table(rows=4 * 50_000)
    world.register(parquet(whole, rows=50_000))
    data.fetch_sample("big", 1, columns=["b", "c", "d", "e"])
    assert len(world.site.ranges) <= 4  # the beginning, the end, and the columns
    data.fetch_sample("big", 1, columns=["b", "e"])
    assert len(world.site.ranges) <= 4 + 5


def test_a_row_group_too_big_to_hold_comes_in_steps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restudy.data.parts.HELD", 0)
    monkeypatch.setattr("restudy.data.parts.STEP", 1 << 15)
    monkeypatch.setattr("restudy.data.parts.ROWS", 3_000)
    whole = table()
    world.register(parquet(whole))
    found = frames(data.fetch_sample("big", 1, columns=["c"]))
    assert same(found["part-00000.parquet"], whole[["c"]][:ROWS])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("columns", [(), ("a", "n")])
def test_members_of_a_zip(world: World, method: int, columns: tuple[str, ...]) -> None:
    content = zipped(method)
    world.register(content)
    found = frames(data.fetch_sample("big", 2, columns=columns))
    assert list(found) == ["part-00000.parquet", "part-00001.parquet"]
    for frame, expected in zip(found.values(), MEMBERS, strict=False):
        assert same(frame, expected[list(columns)] if columns else expected)
    assert world.site.sent < len(content) * 2 / 6 + 5 * BLOCK
    assert data.sample_note("big") == data.SampleNote(2, 6, columns)


def test_folders_of_a_tar(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK", 1 << 12)
    content = tarred()
    world.register(content)
    found = frames(data.fetch_sample("big", 2, columns=["node_power", "node_load1"]))
    assert list(found) == [f"set/{one}/{d}_{d + 1}.parquet" for one in FOLDERS[:2] for d in (0, 1)]
    for frame, expected in zip(found.values(), MEMBERS[:2] * 2, strict=True):
        assert same(frame, expected)
    assert world.site.sent < len(content) * 4 / 18 + 25 * (1 << 12)
    assert str(data.sample_note("big")) == "first 4 parts, only node_load1, node_power"
    data.fetch_sample("big", 7)
    assert list(frames(world.cache / "set" / "big.bin.sample"))[-1] == "set/node_power/0_1.parquet"


def test_fewer_parts_than_asked_are_all(world: World) -> None:
    world.register(zipped(zipfile.ZIP_STORED))
    assert len(frames(data.fetch_sample("big", 50))) == 6
    assert str(data.sample_note("big")) == "first 6 of 6 parts"


# --- again, and on --------------------------------------------------------------------------


def test_a_sample_is_fetched_once_extended_and_cut(world: World) -> None:
    whole = table()
    content = parquet(whole)
    world.register(content)
    data.fetch_sample("big", 2)
    two, asked = data.fingerprint("big"), len(world.site.ranges)
    assert two.startswith("sample:")
    data.fetch_sample("big", 2)
    assert len(world.site.ranges) == asked
    world.site.sent = 0
    folder = data.fetch_sample("big", 3)
    assert world.site.sent < len(content) / GROUPS + 4 * BLOCK
    assert same(frames(folder)["part-00002.parquet"], whole[2 * ROWS : 3 * ROWS])
    assert data.fingerprint("big") not in {two, "absent"}
    data.fetch_sample("big", 2)
    assert data.fingerprint("big") == two
    assert sorted(os.listdir(world.cache / "set")) == ["big.bin.sample", "big.bin.sample.lock"]


def test_a_failed_extension_leaves_the_sample_and_what_arrived(world: World) -> None:
    content = parquet(table())
    world.register(content)
    data.fetch_sample("big", 2)
    two = data.fingerprint("big")
    world.site.fault = "gone"

    def lose(done: int, total: int) -> None:
        if done > 2 * len(content) / GROUPS:
            world.site.faults = 99

    with pytest.raises(data.SourceError, match="404"):
        data.fetch_sample("big", 7, progress=lose)
    assert data.fingerprint("big") == two
    world.site.faults = world.site.sent = 0
    assert len(frames(data.fetch_sample("big", 7))) == 7
    assert world.site.sent < 4 * len(content) / GROUPS + 4 * BLOCK


def test_other_columns_or_another_version_start_again(world: World) -> None:
    world.register(parquet(table()))
    data.fetch_sample("big", 2, columns=["a"])
    assert list(frames(data.fetch_sample("big", 1, columns=["b"]))["part-00000.parquet"]) == ["b"]
    other = table(seed=9)
    world.register(parquet(other))
    world.site.tag = '"v2"'
    found = frames(data.fetch_sample("big", 2, columns=["b"]))
    assert len(found) == 2
    for i, frame in enumerate(found.values()):
        assert same(frame, other[["b"]][i * ROWS : (i + 1) * ROWS])


@pytest.mark.parametrize("make", [lambda: parquet(table()), tarred])
def test_a_killed_fetch_goes_on(world: World, make: Callable[[], bytes]) -> None:
    content = make()
    world.register(content)
    world.site.stop_after = 5
    program = (
        "import sys; from pathlib import Path; from restudy.data import catalogue, fetch_sample; "
        "catalogue.REGISTRY = Path(sys.argv[1]); fetch_sample('big', 5)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(catalogue.REGISTRY)])
    stage = world.cache / "set" / "big.bin.sample.part"
    deadline = time.monotonic() + 60
    while len(world.site.ranges) < 5 or not list(stage.rglob("*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert data.sampled("big") is None
    kept = {path: path.stat().st_mtime_ns for path in stage.rglob("*.parquet")}
    world.site.stop_after = 10**9
    folder = data.fetch_sample("big", 5)
    assert len(frames(folder)) == 5
    for path, changed in kept.items():
        assert (folder / path.relative_to(stage)).stat().st_mtime_ns == changed
    at_once = [len(frame) for frame in frames(folder).values()]
    assert at_once == [ROWS] * 5 or at_once == [len(MEMBERS[0])] * 5


def test_an_interrupted_command_ends_at_once(world: World) -> None:
    world.register(parquet(table()))
    world.site.stop_after = 4
    program = (
        "import sys; from pathlib import Path; from restudy.data import catalogue; "
        "from restudy.cli import main; catalogue.REGISTRY = Path(sys.argv.pop(1)); main()"
    )
    words = [str(catalogue.REGISTRY), "fetch", "big", "--sample", "5"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(world.site.ranges) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.terminate()
    assert "the same command goes on from there" in process.communicate(timeout=5)[1]
    assert process.returncode == 130


def test_a_damaged_sample_is_refused_and_mended(world: World) -> None:
    world.register(parquet(table()))
    folder = data.fetch_sample("big", 3)
    good = data.fingerprint("big")
    (folder / "part-00001.parquet").write_bytes(b"other")
    with pytest.raises(data.DataError, match=r"part-00001\.parquet is not the file .*--sample N"):
        data.sampled("big")
    data.fetch_sample("big", 3)
    assert data.fingerprint("big") == good
    (folder / "strange.parquet").touch()
    with pytest.raises(data.DataError, match=r"strange\.parquet does not belong to it"):
        data.fingerprint("big")
    data.fetch_sample("big", 3)
    assert data.fingerprint("big") == good
    (folder / "sample.json").write_text("{}")
    with pytest.raises(data.DataError, match=r"sample\.json is missing or cannot be read"):
        data.sample_note("big")
    data.fetch_sample("big", 3)
    assert data.fingerprint("big") == good


# --- where it cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (b"<html>Please log in</html>" * 9, (), "neither Parquet nor zip nor uncompressed tar"),
        (tarred("w:gz"), (), "neither Parquet nor zip nor uncompressed tar"),
        (parquet(table(rows=9)), ("bb",), "has no column 'bb': use b"),
        (zipped(zipfile.ZIP_STORED), ("z",), r"part.0.parquet of big .* no column 'z': use a"),
        (tarred(), ("node_load",), "has no folder 'node_load'; its folders: node_load1"),
        (b"PAR1" + bytes(5000), (), "big cannot be read"),
        (b"PK\x03\x04" + bytes(5000), (), "big cannot be read"),
    ],
)
def test_a_file_without_such_parts(
    world: World, content: bytes, columns: tuple[str, ...], message: str
) -> None:
    world.register(content)
    with pytest.raises(data.DataError, match=message) as caught:
        data.fetch_sample("big", 1, columns=columns)
    assert "\n" not in str(caught.value)
    assert data.sampled("big") is None


def test_a_tar_stays_in_the_sample_s_folder(world: World) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:") as archive:
        body = parquet(table(rows=9))
        member = tarfile.TarInfo("../up/x.parquet")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    world.register(file.getvalue())
    with pytest.raises(data.DataError, match=r"'\.\./up/x\.parquet' is not a plain relative path"):
        data.fetch_sample("big", 1)


def test_a_damaged_member_is_named(world: World) -> None:
    content = bytearray(zipped(zipfile.ZIP_STORED))
    content[content.index(b"PAR1") + 40_000] ^= 1
    world.register(bytes(content))
    with pytest.raises(
        data.DataError, match=r"joined/part\.0\.parquet of big cannot be read, .*CRC"
    ):
        data.fetch_sample("big", 1)


def test_a_server_that_fails_is_one_sentence(world: World) -> None:
    world.register(parquet(table()))
    world.site.fault, world.site.faults = "no range", 99
    with pytest.raises(data.DataError, match="it sends only whole files; fetch the whole one"):
        data.fetch_sample("big", 1)
    world.site.fault = "stops"
    world.site.content["/big.bin"] += b"x"
    with pytest.raises(data.SourceError, match=r"big could not be fetched: .*--mirror FOLDER"):
        data.fetch_sample("big", 1)
    world.site.fault = ""
    with pytest.raises(data.SourceError, match=r"offers [\d,]+ bytes where [\d,]+ are expected"):
        data.fetch_sample("big", 1)


def test_a_file_that_changes_on_the_way_is_refused(world: World) -> None:
    world.register(parquet(table()))

    def change(done: int, total: int) -> None:
        if done > 4 * BLOCK:
            world.site.tag = '"v2"'

    with pytest.raises(data.SourceError, match="changed while it was being read"):
        data.fetch_sample("big", 8, progress=change)
    assert data.sampled("big") is None


def test_offline_is_one_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.register(parquet(table()))
    monkeypatch.setenv("RESTUDY_OFFLINE", "1")
    with pytest.raises(data.DataError, match=r"RESTUDY_OFFLINE is set: pass --mirror FOLDER"):
        data.fetch_sample("big", 1)
    with pytest.raises(data.DataError, match=r"no sample of big: run `restudy fetch big --sample"):
        data.sample_note("big")
    with pytest.raises(data.DataError, match="a sample of 0 parts is none"):
        data.fetch_sample("big", 0)
    assert world.site.ranges == []


def test_a_mirror_with_the_whole_file_gives_the_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table()
    content = parquet(whole)
    monkeypatch.setattr(store, "SMALL", 0)
    world.register(content, sha256=hashlib.sha256(content).hexdigest())
    remotely = frames(data.fetch_sample("big", 2, columns=["a"]))
    digest = data.fingerprint("big")
    monkeypatch.setenv("RESTUDY_DATA", str(world.cache.with_name("another")))
    monkeypatch.setenv("RESTUDY_OFFLINE", "1")
    (world.mirror / "set" / "big.bin").write_bytes(content)
    here = frames(data.fetch_sample("big", 2, columns=["a"], mirror=world.mirror))
    assert all(same(here[path], frame) for path, frame in remotely.items())
    assert data.fingerprint("big") == digest
    monkeypatch.setenv("RESTUDY_MIRROR", str(world.mirror))
    assert data.fingerprint("big") == hashlib.sha256(content).hexdigest()  # the whole comes first
    (world.mirror / "set" / "big.bin").write_bytes(content[::-1])
    with pytest.raises(data.DataError, match="its checksum is"):
        data.fetch_sample("big", 1)


def test_a_full_disk_is_one_sentence(
    world: World, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.register(parquet(table()))
    monkeypatch.setenv("RESTUDY_DATA", str(small_disk))
    for check in (True, False):
        if not check:
            monkeypatch.setattr("restudy.data.sampling.check_space", lambda *_: None)
        with pytest.raises(data.DataError, match=r"No space left on device.*RESTUDY_DATA"):
            data.fetch_sample("big", 3)
    assert data.sampled("big") is None


# --- the command line -----------------------------------------------------------------------


def call(*words: str) -> Any:
    return CliRunner().invoke(main, list(words), prog_name="restudy", env={"COLUMNS": "200"})


def test_the_command_fetches_and_shows_a_sample_as_such(world: World) -> None:
    world.register(parquet(table()))
    said = call("fetch", "big", "--sample", "2", "--columns", "a, b")
    assert said.exit_code == 0
    assert said.stdout.rstrip().endswith("big.bin.sample (first 2 of 8 parts, only a, b)")
    listed = call("fetch").stdout
    assert "absent, not pinned; sample: first 2 of 8 parts, only a, b" in listed
    (world.cache / "set" / "big.bin.sample" / "sample.json").unlink()
    assert "sample: damaged" in call("fetch").stdout


def test_columns_without_a_sample_are_refused(world: World) -> None:
    world.register(parquet(table(rows=9)))
    said = call("fetch", "big", "--columns", "a")
    assert said.exit_code == 2
    assert "--columns 'a' needs --sample N" in said.stderr


def test_written_parts_keep_types_and_metadata(world: World) -> None:
    frame = pd.DataFrame(
        {"node": pd.Categorical(["r1n1", "r1n2"]), "t": pd.to_datetime(["2020-01-01", None])},
        index=pd.Index([5, 7], name="id"),
    )
    world.register(parquet(frame, rows=1))
    folder = data.fetch_sample("big", 2)
    parts = [pd.read_parquet(folder / f"part-{i:05}.parquet") for i in (0, 1)]
    assert [part.index.tolist() for part in parts] == [[5], [7]]
    assert parts[0].dtypes.to_dict() == pd.read_parquet(world_file(world)).dtypes.to_dict()
    assert pq.read_schema(folder / "part-00000.parquet").metadata


def world_file(world: World) -> io.BytesIO:
    return io.BytesIO(world.site.content["/big.bin"])
