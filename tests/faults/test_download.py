"""Downloads: whatever the server does, the data set is whole or there is nothing, soon."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_cli.cli import main
from gan_cli.dataset import fetch, kmnist, wire
from gan_cli.dataset.kmnist import KMNIST
from gan_cli.errors import UserMistake
from tests.faults.forks import child, ended
from tests.faults.replies import FAULTS, NO_HEAD, SLOW, Reply, half, half_and_silence, hang, slam
from tests.faults.served import Handler, N, Server, idx_files, left, serving, unpacked, whole

pytestmark = pytest.mark.timeout(600)
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(monkeypatch, 8.0) as server:
        yield server


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
    reply: Reply,
    words: str,
    tally,
):
    monkeypatch.setattr(wire, "LARGEST", 1 << 20)
    if reply in SLOW:
        monkeypatch.setattr(fetch, "PATIENCE", 0.8)
    survived = 0
    for at in ("on_head", "on_get"):
        if at == "on_head" and reply in NO_HEAD:
            continue
        server.on_head = server.on_get = whole
        setattr(server, at, reply)
        before, started = server.gets, time.monotonic()
        with pytest.raises(UserMistake, match=f"could not be downloaded: .*({words})") as caught:
            KMNIST(str(tmp_path)).load()
        assert time.monotonic() - started < fetch.PATIENCE + 2  # of 10 s, where it has 8
        assert server.gets - before <= 2 * 3 + 5  # three tries; a circle is ended by urllib
        assert left(tmp_path) == []
        text = str(caught.value)
        assert str(tmp_path / "KMNIST" / "raw") in text
        for name, data in server.files.items():
            assert f"{server.url}{name}\n        SHA-256 {hashlib.sha256(data).hexdigest()}" in text
        assert all(way in text for way in ("network", "dataset=digits", "data_root=", "GAN_DATA="))
        survived += 1
    tally(survived, survived, "which files to put where, from which address, with their SHA-256")


@pytest.mark.fault("D16", "a file of the right MD5 that is another", "other sums than the server's")
def test_what_comes_is_known_by_its_sha256(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally
):
    others = {name: hashlib.sha256(name.encode()).hexdigest() for name in server.files}
    family = dataclasses.replace(kmnist.FAMILY, packed=others)
    monkeypatch.setattr(kmnist, "FAMILY", family)
    with pytest.raises(UserMistake, match=r"came with other contents than it has \(SHA-256\)"):
        KMNIST(str(tmp_path)).load()
    assert left(tmp_path) == []
    tally(1, 1, "that the contents are others; MD5 alone is not believed")


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
        enough = [2, 1][number % 2]  # the first question is for the address
        before = server.gets
        one = child(lambda root=root: bool(KMNIST(str(root)).load()))
        while server.gets < before + enough:
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
        empty = ["data", "check", "dataset=kmnist", f"data_root={tmp_path / 'empty'}"]
        for _ in range(3):  # the machine may be busy
            started = time.monotonic()
            if main(empty) != 2:
                return False
            if time.monotonic() - started < 2:
                return True
        return False

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
