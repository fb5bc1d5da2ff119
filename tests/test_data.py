"""The data door: the right file, or one clear sentence, in a bounded time."""

import hashlib
import http.server
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from restudy import data
from restudy.data import catalogue, download, files, store

CONTENT = random.Random(1).randbytes(1 << 20)
OTHER = random.Random(2).randbytes(1 << 20)


class Site(http.server.ThreadingHTTPServer):
    """An archive on loopback: Range, ETag, and a fault of choice."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.content: dict[str, bytes] = {}
        self.fault = ""
        self.tag: str | None = '"v1"'
        self.requests: list[tuple[str, str, str | None]] = []
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

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        site, fault = self.server, self.server.fault
        wanted = self.headers.get("Range")
        site.requests.append((self.command, self.path, wanted))
        if fault == "silent":
            site.over.wait()
            return
        if fault == "headers byte by byte":
            self.drip(b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * 10_000)
            return
        if self.path not in site.content:
            self.send_error(404)
            return
        content = site.content[self.path]
        start = 0
        if wanted and fault != "no range" and self.headers.get("If-Range") == site.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if site.tag:
            self.send_header("ETag", site.tag)
        wrong = {"too short": -1, "too long": 1}.get(fault, 0)
        if fault != "no length":
            self.send_header("Content-Length", str(len(content) - start + wrong))
        self.end_headers()
        if not body:
            return
        if fault == "body byte by byte":
            self.drip(content)
        elif fault == "stops":
            self.wfile.write(content[start : len(content) // 2])
        elif fault == "stalls":
            self.wfile.write(content[start : len(content) // 2])
            site.over.wait()
        else:
            self.wfile.write(content[start:])

    def drip(self, text: bytes) -> None:
        for i in range(len(text)):
            if self.server.over.wait(0.02):
                return
            self.wfile.write(text[i : i + 1])
            self.wfile.flush()


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
    cache, mirror, toml = tmp_path / "cache", tmp_path / "mirror", tmp_path / "registry.toml"
    (mirror / "set").mkdir(parents=True)

    def register(name: str = "noise", content: bytes = CONTENT, **fields: Any) -> None:
        entry = {
            "file": f"set/{name}.bin",
            "url": f"{site.address}/{name}.bin",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "licence": "CC0",
            "citation": "nobody",
        } | fields
        site.content[f"/{name}.bin"] = content
        lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items() if value]
        with toml.open("a") as file:
            file.write(f"\n[{name}]\n" + "\n".join(lines) + f'\n[{name}.columns]\nx = "bytes"\n')
        catalogue._read.cache_clear()

    monkeypatch.setattr(catalogue, "REGISTRY", toml)
    monkeypatch.setenv("RESTUDY_DATA", str(cache))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("RESTUDY_MIRROR", raising=False)
    monkeypatch.delenv("RESTUDY_OFFLINE")
    store._source.cache_clear()
    register()
    yield World(site, cache, mirror, register)
    site.over.set()
    site.shutdown()
    site.server_close()


def leftovers(cache: Path) -> list[str]:
    """Return what lies beside the files that have their final name."""
    return sorted(f.name for f in (cache / "set").iterdir() if f.suffix not in {".bin", ".lock"})


# --- the registry ---------------------------------------------------------------------------


def test_the_registry_in_git_is_sound() -> None:
    assert data.registry()
    for name, entry in data.registry().items():
        assert entry.name == name
        assert entry.columns, name
        assert entry.url, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "AB"}, "sha256 'AB' is not 64 small hexadecimal digits"),
        ({"size": -3}, "size -3 is not a positive number"),
        ({"size": "3"}, "size = '3' is not of type int"),
        ({"size": True}, "size = True is not of type int"),
        ({"licence": None}, "missing licence"),
        ({"color": "red"}, "unknown color"),
        ({"file": "../x"}, "is not a plain relative path"),
        ({"file": "/etc/x"}, "is not a plain relative path"),
        ({"file": "set/noise.bin"}, "is also another dataset's"),
        ({"url": "ftp://a/b"}, "does not start with https://"),
        ({"sha256": None}, "needs sha256, or else record"),
    ],
)
def test_a_faulty_entry_is_named(world: World, change: dict[str, Any], message: str) -> None:
    world.register("second", **change)
    with pytest.raises(data.DataError, match=re.escape(message)) as caught:
        data.registry()
    assert "[second]" in str(caught.value) or "[noise]" in str(caught.value)


def test_a_bad_name_and_a_column_that_is_no_text(world: World, tmp_path: Path) -> None:
    toml = (tmp_path / "registry.toml").read_text()
    for text, message in [
        (toml.replace("noise]", "No_ise]").replace("noise.columns", "No_ise.columns"), "small let"),
        (toml.replace('"bytes"', "3"), "columns x must each be a text"),
        (toml + "\n[[[", "cannot be read"),
        ("a = 3\n" + toml, "expected a table, found 3"),
    ]:
        (tmp_path / "registry.toml").write_text(text)
        catalogue._read.cache_clear()
        with pytest.raises(data.DataError, match=message):
            data.registry()


def test_an_unknown_dataset_is_refused_with_near_names(world: World) -> None:
    with pytest.raises(data.DataError, match="'nose' is not in the registry: use noise"):
        data.fetch("nose")


# --- fetching -------------------------------------------------------------------------------


def test_fetch_verifies_reports_progress_and_is_done_once(world: World) -> None:
    seen: list[tuple[int, int]] = []
    path = data.fetch("noise", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert leftovers(world.cache) == []
    assert data.fetch("noise") == path == data.locate("noise") == data.available("noise")
    assert len(world.site.requests) == 1
    assert data.fingerprint("noise") == hashlib.sha256(CONTENT).hexdigest()


def test_fetch_goes_on_where_it_stopped(world: World) -> None:
    world.site.fault = "stops"
    with pytest.raises(data.SourceError, match=r"stopped after 524,288 of 1,048,576 bytes"):
        data.fetch("noise")
    assert data.locate("noise") is None
    assert leftovers(world.cache) == ["noise.bin.part", "noise.bin.part.json"]
    world.site.fault = ""
    assert data.fetch("noise").read_bytes() == CONTENT
    assert world.site.requests[-1][2] == "bytes=524288-"
    assert leftovers(world.cache) == []


@pytest.mark.parametrize("how", ["no range", "other tag", "weak tag", "no tag"])
def test_fetch_starts_again_where_it_cannot_go_on(world: World, how: str) -> None:
    if how in {"weak tag", "no tag"}:
        world.site.tag = 'W/"v1"' if how == "weak tag" else None
    world.site.fault = "stops"
    with pytest.raises(data.SourceError):
        data.fetch("noise")
    world.site.fault = how
    if how == "other tag":
        world.site.tag = '"v2"'
    assert data.fetch("noise").read_bytes() == CONTENT


def test_wrong_bytes_kept_from_before_cost_one_more_download(world: World) -> None:
    world.site.fault = "stops"
    with pytest.raises(data.SourceError):
        data.fetch("noise")
    part = world.cache / "set" / "noise.bin.part"
    part.write_bytes(OTHER[: part.stat().st_size])
    world.site.fault = ""
    assert data.fetch("noise").read_bytes() == CONTENT
    assert [wanted for *_, wanted in world.site.requests[1:]] == ["bytes=524288-", None]


def test_a_part_longer_than_the_file_is_dropped(world: World) -> None:
    world.site.fault = "stops"
    with pytest.raises(data.SourceError):
        data.fetch("noise")
    with (world.cache / "set" / "noise.bin.part").open("ab") as file:
        file.write(bytes(len(CONTENT)))
    world.site.fault = ""
    assert data.fetch("noise").read_bytes() == CONTENT


def test_a_complete_part_needs_no_network(world: World) -> None:
    (world.cache / "set").mkdir(parents=True)
    (world.cache / "set" / "noise.bin.part").write_bytes(CONTENT)
    assert data.fetch("noise").read_bytes() == CONTENT
    assert world.site.requests == []


def test_a_source_with_other_content_is_refused(world: World) -> None:
    world.site.content["/noise.bin"] = OTHER
    with pytest.raises(data.DataError) as caught:
        data.fetch("noise")
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert not isinstance(caught.value, data.SourceError)
    assert leftovers(world.cache) == []
    assert not (world.cache / "set" / "noise.bin").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("too short", "offers 1,048,575 bytes where 1,048,576 are expected"),
        ("too long", "offers 1,048,577 bytes where 1,048,576 are expected"),
        ("stops", "stopped after"),
    ],
)
def test_a_wrong_length_is_one_sentence(world: World, fault: str, message: str) -> None:
    world.site.fault = fault
    with pytest.raises(data.SourceError, match=message) as caught:
        data.fetch("noise")
    assert "--mirror FOLDER where FOLDER/set/noise.bin exists" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_length_that_is_not_announced_is_still_checked(world: World) -> None:
    world.site.fault = "no length"
    assert data.fetch("noise").read_bytes() == CONTENT
    world.register("longer", CONTENT)
    world.site.content["/longer.bin"] = CONTENT + b"x"
    with pytest.raises(data.SourceError, match="sends more than the 1,048,576 bytes expected"):
        data.fetch("longer")
    world.register("shorter", CONTENT)
    world.site.content["/shorter.bin"] = CONTENT[:-1]
    with pytest.raises(data.SourceError, match="stopped after 1,048,575 of 1,048,576"):
        data.fetch("shorter")


def test_a_missing_page_and_a_refusing_host(world: World) -> None:
    del world.site.content["/noise.bin"]
    with pytest.raises(data.SourceError, match="answers 404 Not Found"):
        data.fetch("noise")
    world.register("refused", url="http://127.0.0.1:9/x")
    with pytest.raises(data.SourceError, match=r"cannot be reached .Connection refused"):
        data.fetch("refused")


def test_a_silent_body_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.site.fault = "stalls"
    part = world.cache / "part"
    world.cache.mkdir()
    with pytest.raises(data.SourceError, match="stopped sending"):
        download.download(f"{world.site.address}/noise.bin", part, size=len(CONTENT), stall=0.3)
    assert part.stat().st_size == len(CONTENT) // 2


def test_offline_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTUDY_OFFLINE", "1")
    with pytest.raises(data.DataError, match="RESTUDY_OFFLINE is set: pass --mirror FOLDER"):
        data.fetch("noise")
    assert data.available("noise") is None
    assert data.fingerprint("noise") == "absent"
    assert world.site.requests == []


def test_a_damaged_file_in_the_cache_is_refused_then_repaired(world: World) -> None:
    path = data.fetch("noise")
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(data.DataError, match="is not noise: its checksum is"):
        data.locate("noise")
    assert data.fetch("noise").read_bytes() == CONTENT


def test_two_processes_fetch_one_file_once(world: World) -> None:
    world.site.fault = ""
    program = (
        "import sys; from pathlib import Path; from restudy.data import catalogue, fetch; "
        "catalogue.REGISTRY = Path(sys.argv[1]); print(fetch('noise'))"
    )
    command = [sys.executable, "-c", program, str(catalogue.REGISTRY)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed == [str(world.cache / "set" / "noise.bin")] * 2
    assert len(world.site.requests) == 1
    assert (world.cache / "set" / "noise.bin").read_bytes() == CONTENT


def test_a_killed_download_is_resumed(world: World) -> None:
    world.site.fault = "stalls"
    program = (
        "import sys; from pathlib import Path; from restudy.data import catalogue, fetch; "
        "catalogue.REGISTRY = Path(sys.argv[1]); fetch('noise')"
    )
    part = world.cache / "set" / "noise.bin.part"
    process = subprocess.Popen([sys.executable, "-c", program, str(catalogue.REGISTRY)])
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == len(CONTENT) // 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    world.site.fault = ""
    assert data.fetch("noise").read_bytes() == CONTENT
    assert world.site.requests[-1][2] == "bytes=524288-"


@pytest.mark.parametrize("announced", [True, False])
def test_a_full_disk_is_one_sentence(
    world: World, small_disk: Path, monkeypatch: pytest.MonkeyPatch, *, announced: bool
) -> None:
    monkeypatch.setenv("RESTUDY_DATA", str(small_disk))
    if not announced:  # the space check passes, the writing fails
        monkeypatch.setattr(download, "check_space", lambda part, needed: None)
    with pytest.raises(data.DataError, match=r"No space left on device.*RESTUDY_DATA") as caught:
        data.fetch("noise")
    assert not isinstance(caught.value, data.SourceError)
    assert not (small_disk / "set" / "noise.bin").exists()


def test_a_cache_that_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.cache.write_text("a file where the folder should be")
    with pytest.raises(data.DataError, match="name another folder in RESTUDY_DATA"):
        data.fetch("noise")


# --- the mirror -----------------------------------------------------------------------------


def test_a_mirror_is_used_in_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    file = world.mirror / "set" / "noise.bin"
    file.write_bytes(CONTENT)
    file.chmod(0o444)
    monkeypatch.setenv("RESTUDY_MIRROR", str(world.mirror))
    assert data.fetch("noise") == file == data.locate("noise")
    assert world.site.requests == []
    assert not (world.cache / "set").exists()


def test_a_mirror_given_once_is_remembered_by_a_link(world: World) -> None:
    file = world.mirror / "set" / "noise.bin"
    file.write_bytes(CONTENT)
    assert data.fetch("noise", mirror=world.mirror) == file
    assert (found := data.locate("noise")) is not None
    assert found.is_symlink()
    assert found.resolve() == file
    file.unlink()
    assert data.locate("noise") is None
    assert data.fetch("noise").read_bytes() == CONTENT


def test_a_mirror_file_that_differs_is_refused(world: World) -> None:
    (world.mirror / "set" / "noise.bin").write_bytes(OTHER)
    with pytest.raises(data.DataError) as caught:
        data.fetch("noise", mirror=world.mirror)
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert world.site.requests == []


def test_a_mirror_may_be_relative_and_must_exist(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.mirror / "set" / "noise.bin").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTUDY_MIRROR", "mirror")
    assert data.locate("noise") == world.mirror / "set" / "noise.bin"
    monkeypatch.setenv("RESTUDY_MIRROR", "nowhere")
    with pytest.raises(data.DataError, match=r"nowhere .RESTUDY_MIRROR. is no folder"):
        data.available("noise")
    with pytest.raises(data.DataError, match=r"elsewhere .--mirror. is no folder"):
        data.fetch("noise", mirror=Path("elsewhere"))


def test_a_good_mirror_outweighs_a_damaged_cache(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.fetch("noise").write_bytes(OTHER)
    (world.mirror / "set" / "noise.bin").write_bytes(CONTENT)
    monkeypatch.setenv("RESTUDY_MIRROR", str(world.mirror))
    assert data.locate("noise") == world.mirror / "set" / "noise.bin"


def test_a_checksum_is_computed_once_per_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data.fetch("noise")
    read: list[Path] = []
    honest = files.digest_of

    def digest_of(path: Path, algorithm: str = "sha256") -> str:
        read.append(path)
        return honest(path, algorithm)

    monkeypatch.setattr(files, "digest_of", digest_of)
    assert data.locate("noise") == path
    assert read == []
    os.utime(path, ns=(0, 0))
    assert data.locate("noise") == path == data.locate("noise")
    assert read == [path]


# --- not pinned yet -------------------------------------------------------------------------


def unpinned(world: World, checksum: str, size: int = len(CONTENT), key: str = "loose.bin") -> None:
    world.register("loose", sha256=None, size=1, record=f"{world.site.address}/record")
    record = {"files": [{"key": "x", "size": 1}, {"key": key, "size": size, "checksum": checksum}]}
    world.site.content["/record"] = json.dumps(record).encode()


MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


def test_an_unpinned_file_is_judged_by_its_archive_and_shown_for_pinning(world: World) -> None:
    unpinned(world, MD5)
    assert data.available("loose") is None  # nothing unpinned comes unasked
    path = data.fetch("loose")
    found = data.status("loose")
    assert (found.state, found.path) == ("archive", path)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert found.pin.startswith(f'sha256 = "{sha256}"\nsize = 1048576  # {MD5} stated by http')
    assert data.locate("loose") == path
    assert data.fingerprint("loose") == sha256
    asked = len(world.site.requests)
    assert data.fetch("loose") == path
    assert len(world.site.requests) == asked


def test_an_unpinned_file_in_a_mirror_is_unverified_until_its_archive_was_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpinned(world, MD5)
    (world.mirror / "set" / "loose.bin").write_bytes(CONTENT)
    monkeypatch.setenv("RESTUDY_MIRROR", str(world.mirror))
    assert data.status("loose").state == "unverified"
    assert data.status("loose").pin == ""
    assert data.locate("loose") is None
    assert data.fingerprint("loose") == "absent"
    monkeypatch.setenv("RESTUDY_OFFLINE", "1")
    with pytest.raises(data.DataError, match="no sha256 in the registry yet, and RESTUDY_OFFLINE"):
        data.fetch("loose")
    monkeypatch.delenv("RESTUDY_OFFLINE")
    assert data.fetch("loose") == world.mirror / "set" / "loose.bin" == data.locate("loose")
    (world.mirror / "set" / "loose.bin").write_bytes(OTHER)
    assert data.locate("loose") is None
    with pytest.raises(data.DataError, match="is not loose: its checksum is md5:"):
        data.fetch("loose")


def test_a_link_to_an_unpinned_mirror_file_stays_confirmed(world: World) -> None:
    unpinned(world, MD5)
    (world.mirror / "set" / "loose.bin").write_bytes(CONTENT)
    data.fetch("loose", mirror=world.mirror)
    assert data.status("loose").state == "archive"


@pytest.mark.parametrize(
    ("checksum", "size", "key", "message"),
    [
        ("md5:" + "0" * 32, len(CONTENT), "loose.bin", "is expected: it was refused"),
        (MD5, 12, "loose.bin", "offers 1,048,576 bytes where 12 are expected"),
        ("none", 12, "loose.bin", "states no size and checksum of loose.bin"),
        (MD5, len(CONTENT), "tight.bin", "states no size and checksum of loose.bin"),
    ],
)
def test_an_unpinned_file_is_never_trusted_silently(
    world: World, checksum: str, size: int, key: str, message: str
) -> None:
    unpinned(world, checksum, size, key)
    with pytest.raises(data.DataError, match=message):
        data.fetch("loose")
    assert data.status("loose").state == "absent"


def test_a_record_that_is_no_json(world: World) -> None:
    unpinned(world, MD5)
    world.site.content["/record"] = b"<html>"
    with pytest.raises(data.SourceError, match="sends no valid JSON"):
        data.fetch("loose")


# --- nothing hangs --------------------------------------------------------------------------


def test_available_fetches_a_small_file(world: World) -> None:
    assert (path := data.available("noise")) is not None
    assert path.read_bytes() == CONTENT
    assert [method for method, *_ in world.site.requests] == ["HEAD", "GET"]


def test_available_leaves_large_files_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALL", len(CONTENT) - 1)
    assert data.available("noise") is None
    assert world.site.requests == []


@pytest.mark.parametrize("fault", ["silent", "headers byte by byte"])
def test_a_host_that_does_not_answer_is_asked_once(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    source = download.Source(patience=0.4)
    monkeypatch.setattr(store, "_source", lambda host: source)
    world.register("second")
    world.site.fault = fault
    begun = time.monotonic()
    assert data.available("noise") is None
    assert data.available("noise") is None
    assert data.available("second") is None
    assert 0.4 <= time.monotonic() - begun < 2
    assert len(world.site.requests) == 1


def test_the_patience_is_five_seconds(world: World) -> None:
    world.site.fault = "silent"
    begun = time.monotonic()
    assert data.fingerprint("noise") == "absent"
    assert 4.5 < time.monotonic() - begun < 6


@pytest.mark.parametrize("fault", ["body byte by byte", "stalls"])
def test_a_slow_source_is_left_after_its_allowance(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    source = download.Source(patience=0.5, allowance=1.0)
    monkeypatch.setattr(store, "_source", lambda host: source)
    world.register("second")
    world.site.fault = fault
    begun = time.monotonic()
    assert data.available("noise") is None
    assert data.available("second") is None
    assert data.available("second") is None
    assert time.monotonic() - begun < 4
    assert not (world.cache / "set" / "noise.bin").exists()


@pytest.mark.parametrize("fault", ["stops", "too short", "too long"])
def test_a_source_that_fails_is_no_error_of_a_build(world: World, fault: str) -> None:
    world.site.fault = fault
    assert data.available("noise") is None
    assert not (world.cache / "set" / "noise.bin").exists()


def test_a_refusing_host_and_a_missing_page_are_no_error_of_a_build(world: World) -> None:
    world.register("refused", url="http://127.0.0.1:9/x")
    assert data.available("refused") is None
    del world.site.content["/noise.bin"]
    assert data.available("noise") is None


def test_wrong_content_is_an_error_even_of_a_build(world: World) -> None:
    world.site.content["/noise.bin"] = OTHER
    with pytest.raises(data.DataError, match="it was refused and removed"):
        data.available("noise")


@pytest.mark.data
def test_the_mirror_holds_the_registered_files(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = [name for name, entry in data.registry().items() if entry.sha256]
    assert pinned
    states = {name: data.status(name).state for name in pinned}
    assert set(states.values()) == {"verified"}, states
