"""Downloads: whatever the server does, the data set is whole or there is nothing, soon."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gan_cli.cli import main
from gan_cli.dataset import fetch, wire
from gan_cli.dataset.kmnist import KMNIST
from gan_cli.errors import UserMistake
from tests.faults.forks import child, ended
from tests.faults.served import Handler, N, Server, idx_files, left, serving, unpacked, whole

forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch, 0.4) as server:
        yield server


def hang(handler: Handler, data: bytes) -> None:
    handler.server.owner.over.wait(30)


def drip_head(handler: Handler, data: bytes) -> None:
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        handler.wfile.write(bytes([letter]))
        if handler.server.owner.over.wait(0.05):
            return


def drip(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(len(data))})
    for letter in data:
        handler.wfile.write(bytes([letter]))
        if handler.server.owner.over.wait(0.05):
            return


def drip_chunks(handler: Handler, data: bytes) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.head(200, {"Transfer-Encoding": "chunked"})
    for _ in range(1000):
        handler.wfile.write(b"0")  # of a length that never ends
        if handler.server.owner.over.wait(0.05):
            return


def half(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(len(data))})
    handler.wfile.write(data[: len(data) // 2])


def half_and_silence(handler: Handler, data: bytes) -> None:
    half(handler, data)
    hang(handler, data)


def slam(handler: Handler, data: bytes) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # a reset
    handler.connection.close()


def wrong(handler: Handler, data: bytes) -> None:
    whole(handler, data[:-1] + b"x")


def error(handler: Handler, data: bytes) -> None:
    handler.head(500, {})


def missing(handler: Handler, data: bytes) -> None:
    handler.head(404, {})


def circle(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": handler.server.owner.url + "again"})


def spiral(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": handler.path + "x"})


def to_a_file(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": "file:///etc/passwd"})


def elsewhere(handler: Handler, data: bytes) -> None:
    port = handler.server.server_address[1]
    handler.head(302, {"Location": f"http://localhost:{port}/train-images-idx3-ubyte.gz"})


def huge(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(100 * 10**9)})
    endless(handler, data)


def endless(handler: Handler, data: bytes) -> None:
    handler.close_connection = True
    while not handler.server.owner.over.is_set():
        handler.wfile.write(bytes(1 << 16))


def without_a_length(handler: Handler, data: bytes) -> None:
    handler.head(200, {})
    endless(handler, data)


def gibberish(handler: Handler, data: bytes) -> None:
    handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")


def nothing(handler: Handler, data: bytes) -> None:
    whole(handler, b"")


FAULTS: dict[str, tuple[Callable[[Handler, bytes], None], str]] = {
    "never answers": (hang, "no answer within|timed out"),
    "sends its first line letter by letter": (drip_head, "no answer within"),
    "sends a byte now and then": (drip, "less than 1,024 bytes a second"),
    "sends the length of a chunk for ever": (drip_chunks, "no answer within"),
    "closes in the middle": (half, "closed the connection"),
    "falls silent in the middle": (half_and_silence, "timed out"),
    "resets the connection": (slam, "reset|closed|Remote end"),
    "sends other contents": (wrong, "corrupted|other contents"),
    "answers 500": (error, "500"),
    "answers 404": (missing, "404"),
    "redirects in a circle": (circle, "redirect"),
    "redirects ever on": (spiral, "redirect"),
    "redirects to a file of this machine": (to_a_file, "not allowed"),
    "redirects to a server nobody named": (elsewhere, "without encryption"),
    "announces 100 GB": (huge, "100.0 GB, more than any data set"),
    "sends without end": (without_a_length, "there was no end to it"),
    "speaks no HTTP": (gibberish, "HTTP"),
    "sends nothing": (nothing, "corrupted|other contents"),
}


NO_HEAD = {drip, drip_chunks, half, half_and_silence, wrong, nothing, huge, without_a_length}
NO_HEAD |= {circle, spiral}
"""What can't be done in answer to HEAD, which has no contents and is redirected to GET."""


def _cases() -> list[object]:
    how = "a web server of this machine, at the first contact and at the first file"
    return [
        pytest.param(reply, words, marks=pytest.mark.fault("D16", f"a server that {name}", how))
        for name, (reply, words) in FAULTS.items()
    ]


@pytest.mark.parametrize(("reply", "words"), _cases())
def test_a_failing_server_leaves_nothing_and_the_ways_out_are_told(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[Handler, bytes], None],
    words: str,
    tally,
):
    monkeypatch.setattr(wire, "LARGEST", 1 << 20)
    survived = 0
    for at in ("on_head", "on_get"):
        if at == "on_head" and reply in NO_HEAD:
            continue
        server.on_head = server.on_get = whole
        setattr(server, at, reply)
        before, started = server.gets, time.monotonic()
        with pytest.raises(UserMistake, match=f"could not be downloaded: .*({words})") as caught:
            KMNIST(str(tmp_path)).load()
        assert time.monotonic() - started < 5  # of a patience of 0.4 s
        assert server.gets - before <= 2 * 3 + 5  # three tries; a circle is ended by urllib
        assert left(tmp_path) == []
        text = str(caught.value)
        assert str(tmp_path / "KMNIST" / "raw") in text
        for name, data in server.files.items():
            assert f"{server.url}{name}\n        SHA-256 {hashlib.sha256(data).hexdigest()}" in text
        assert all(way in text for way in ("network", "dataset=digits", "data_root=", "GAN_DATA="))
        survived += 1
    tally(survived, survived, "which files to put where, from which address, with their SHA-256")


@pytest.mark.fault("D16", "a connection that breaks twice", "half a file, a reset, then the file")
def test_a_broken_connection_is_tried_again(server: Server, tmp_path: Path, tally):
    seen: list[str] = []

    def shaky(handler: Handler, data: bytes) -> None:
        seen.append(handler.path)
        breaks = {2: half, 4: slam}  # the first question is for the address
        breaks.get(seen.count("/train-images-idx3-ubyte.gz"), whole)(handler, data)

    server.on_get = shaky
    assert KMNIST(str(tmp_path)).load().length == N
    tally(2, 2, "the data set: up to three tries, and what is whole is not asked for again")


@pytest.mark.fault(
    "D16", "no encryption where there should be", "an https address that speaks http"
)
def test_nothing_is_asked_for_in_the_clear_instead(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally
):
    known = fetch.torchvision_datasets().KMNIST
    monkeypatch.setattr(known, "mirrors", [server.url.replace("http:", "https:")])
    monkeypatch.setattr(
        fetch, "_reach", lambda urls: None
    )  # go on to torchvision, which falls back
    with pytest.raises(UserMistake, match=r"could not be downloaded: .*SSL"):
        KMNIST(str(tmp_path)).load()
    assert server.gets == 0
    assert left(tmp_path) == []
    tally(1, 1, "why encryption failed; torchvision would have gone on without it")


@forks
@pytest.mark.fault(
    "D14", "8 processes want the same data set", "an empty directory, 8 forks at once"
)
def test_processes_that_start_together_fetch_once(server: Server, tmp_path: Path, times, tally):
    rounds, survived = times(1, 20), 0
    for number in range(rounds):
        root = tmp_path / str(number)
        before = server.gets
        children = [child(lambda root=root: KMNIST(str(root)).load().length == N) for _ in range(8)]
        survived += sum(ended(one) == 0 for one in children)
        assert server.gets - before == 8
        assert sorted(left(root)) == sorted(["SHA256SUMS", *idx_files()])
    tally(8 * rounds, survived, "the data set: one process fetches it, the others wait")


@forks
@pytest.mark.fault("D20", "killed while it downloads", "kill -9 in the middle of a file")
def test_a_killed_download_hurts_nobody(server: Server, tmp_path: Path, times, tally):
    tries, survived = times(2, 20), 0
    for number in range(tries):
        root = tmp_path / str(number)
        server.on_get = [half_and_silence, hang][number % 2]
        before = server.gets
        one = child(lambda root=root: bool(KMNIST(str(root)).load()))
        while server.gets < before + 1 + number % 4 // 2:
            time.sleep(0.01)
        os.kill(one, signal.SIGKILL)
        ended(one)
        assert left(root / "KMNIST") == []
        server.on_get = whole
        survived += KMNIST(str(root)).load().length == N
        assert sorted(left(root)) == sorted(["SHA256SUMS", *idx_files()])
    tally(tries, survived, "nothing: the next command downloads, and clears away what was left")


@forks
@pytest.mark.fault("D16", "no network", "a network namespace of its own; every socket is watched")
def test_offline_works(server: Server, tmp_path: Path, tally, capfd: pytest.CaptureFixture[str]):
    unpacked(tmp_path)

    def there() -> bool:
        asked: list[str] = []
        sys.addaudithook(lambda event, _: asked.append(event) if "socket." in event else None)
        found = main(["data", "check", "dataset=kmnist", f"data_root={tmp_path}"]) == 0
        return found and not asked

    def missing() -> bool:
        _cut_off()
        started = time.monotonic()
        code = main(["data", "check", "dataset=kmnist", f"data_root={tmp_path / 'empty'}"])
        return code == 2 and time.monotonic() - started < 4  # it is composed, too

    assert ended(child(there)) == 0
    assert ended(child(missing)) == 0
    told = capfd.readouterr().err
    assert "could not be downloaded" in told
    assert "SHA-256" in told
    assert "Traceback" not in told
    tally(2, 2, "the data where they are there, without a question; else how to place them, in 2 s")


def _cut_off() -> None:
    """Leave the network: in a namespace of its own, else by refusing every socket."""
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET):

        def refuse(event: str, _: object) -> None:
            if event in ("socket.connect", "socket.getaddrinfo"):
                raise OSError("no network")

        sys.addaudithook(refuse)
