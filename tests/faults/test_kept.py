"""What is prepared and kept on disk: by many at once, killed, damaged, or of data that changed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan_cli import container
from gan_cli.dataset import folder as folder_module
from gan_cli.dataset import turn as turns
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.pairs import Pairs
from gan_cli.dataset.source import Resident
from gan_cli.errors import Stopped, UserMistake
from gan_cli.metric.judge import Judge
from tests import watched
from tests.faults.forks import child, ended
from tests.faults.pictures import noise

pytestmark = pytest.mark.timeout(600)
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def pictures(root: Path, count: int, side: int = 16) -> Path:
    for number in range(count):
        noise(root / "ab"[number % 2] / f"{number // 2}.png", number, (side, side))
    return root


def folder(root: Path, cache: Path) -> str:
    return Folder(str(root), size=16, cache=str(cache)).load().fingerprint


def stream(root: Path, cache: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module, "fits_host", lambda size: False)
        return Folder(str(root), size=16, cache=str(cache), workers=0).load().fingerprint


def pairs(root: Path, cache: Path) -> str:
    made = Pairs(str(root / "a"), str(root / "b"), size=16, cache=str(cache))
    return made.load().fingerprint


def judge(root: Path, cache: Path) -> str:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (64, 1, 8, 8), generator=generator).byte()
    return Judge.of(Resident.of(images, torch.arange(64) % 2, ("a", "b")), 0, cache).sha256


KINDS: dict[str, Callable[[Path, Path], str]] = {
    "a folder's images": folder,
    "what a stream knows them by": stream,
    "pairs": pairs,
    "a judge": judge,
}


def _at_once(kind: Callable[[Path, Path], str], root: Path, cache: Path, told: Path) -> list[str]:
    """What eight processes get that want the same at once; nothing from one that fails."""

    def work() -> bool:
        while not (told / "go").exists():
            time.sleep(0.001)
        (told / str(os.getpid())).write_text(kind(root, cache))
        return True

    told.mkdir()
    children = [child(work) for _ in range(8)]
    (told / "go").touch()
    codes = [ended(one) for one in children]
    return [(told / str(one)).read_text() for one, code in zip(children, codes, strict=True)
            if code == 0]  # fmt: skip


@forks
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.fault("D17", "8 processes prepare the same cache", "8 forks and an empty directory")
def test_many_prepare_the_same(tmp_path: Path, name: str, times, tally):
    kind, root = KINDS[name], pictures(tmp_path / "set", 8)
    alone = kind(root, tmp_path / "alone")
    rounds = times(1, 20)
    good = 0
    for number in range(rounds):
        cache = tmp_path / f"cache{number}"
        good += _at_once(kind, root, cache, tmp_path / f"told{number}").count(alone)
        assert sorted(path.suffix for path in cache.iterdir()) in (
            [".lock", ".npz"],
            [".lock", ".safetensors"],
        )
    tally(8 * rounds, good, "the same result in all: one prepares it, the others wait, and say so")


@forks
@pytest.mark.parametrize("name", ["a folder's images", "a judge"])
@pytest.mark.fault("D20", "killed while it prepares", "kill -9 at a random moment, then once more")
def test_a_killed_preparation_hurts_nobody(tmp_path: Path, name: str, times, tally):
    kind, root = KINDS[name], pictures(tmp_path / "set", 40)
    started = time.monotonic()
    alone = kind(root, tmp_path / "alone")
    takes = time.monotonic() - started
    tries = times(4, 60) if kind is folder else times(1, 20)
    survived, chance = 0, random.Random(3)
    for number in range(tries):
        cache = tmp_path / f"cache{number}"
        one = child(lambda cache=cache: bool(kind(root, cache)))
        time.sleep(chance.uniform(0, 1.2 * takes))
        os.kill(one, signal.SIGKILL)
        ended(one)
        survived += kind(root, cache) == kind(root, cache) == alone
        assert len([path for path in cache.iterdir() if path.suffix != ".tmp"]) == 2
    tally(tries, survived, "nothing: the next command prepares it, and clears away what was left")


@forks
@pytest.mark.fault("D17", "another process takes long to prepare", "a lock that is held for 0.3 s")
def test_who_waits_is_told_what_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tally
):
    monkeypatch.setattr(turns, "SILENT", 0.1)
    root, cache = pictures(tmp_path / "set", 4), tmp_path / "cache"
    alone = folder(root, cache)
    [lock] = cache.glob("*.lock")

    def hold() -> bool:
        with turns.turn(lock, "holding it"):
            (tmp_path / "held").touch()
            time.sleep(0.3)
        return True

    one = child(hold)
    while not (tmp_path / "held").exists():
        time.sleep(0.001)
    assert folder(root, cache) == alone
    assert ended(one) == 0
    assert "waiting for another process, which is preparing folder-" in capsys.readouterr().err
    tally(1, 1, "what is waited for, after 5 seconds")


def _harms(path: Path, flips: int) -> list[bytes]:
    whole, chance = path.read_bytes(), random.Random(5)
    found = [
        b"",
        bytes(len(whole)),
        whole[:-500],
        whole[: len(whole) // 2],
        whole[:7],
        whole + b"x",
    ]
    starts = range(0, len(whole), len(whole) // 4)
    found += [whole[:at] + bytes(len(whole[at : at + 512])) + whole[at + 512 :] for at in starts]
    for entry in [at for at in range(len(whole)) if whole[at : at + 4] == b"PK\x01\x02"]:
        for place in (8, 10):  # encrypted, or packed in a way that nobody knows
            found.append(whole[: entry + place] + b"\x01" + whole[entry + place + 1 :])
    for _ in range(flips):
        data = bytearray(whole)
        first = chance.choice([0, len(data) - 400])  # anywhere, or where the parts are listed
        data[chance.randrange(first, len(data))] ^= 1 << chance.randrange(8)
        found.append(bytes(data))
    return found


@pytest.mark.parametrize("name", ["a folder's images", "what a stream knows them by", "pairs"])
@pytest.mark.fault("D19", "a damaged cache", "empty, zeroed, cut, 512 zeros, a bit flipped")
def test_a_damaged_cache_is_made_anew(tmp_path: Path, name: str, times, tally):
    kind, root, cache = KINDS[name], pictures(tmp_path / "set", 6), tmp_path / "cache"
    alone = kind(root, cache)
    [file] = cache.glob("*.npz")
    harms = _harms(file, times(60, 1200))
    good = 0
    for data in harms:
        file.write_bytes(data)
        good += kind(root, cache) == alone
    good += kind(root, cache) == alone
    tally(len(harms) + 1, good, "nothing: it is noticed, and the images are decoded again")


@pytest.mark.fault("D19", "a damaged judge", "empty, zeroed, cut, a bit flipped")
def test_a_damaged_judge_is_trained_anew(tmp_path: Path, times, tally):
    alone = judge(tmp_path, tmp_path)
    [file] = tmp_path.glob("*.safetensors")
    chosen = _harms(file, 40)
    harms = [chosen[number] for number in (2, -1)] if times(0, 1) == 0 else chosen
    good = 0
    for data in harms:
        file.write_bytes(data)
        good += judge(tmp_path, tmp_path) == alone
    tally(len(harms), good, "that the judge was trained anew, and why")


def pixel(root: Path):
    path = root / "a" / "1.png"
    image = Image.open(path).copy()
    image.putpixel((3, 3), tuple(255 - value for value in image.getpixel((3, 3))))  # type: ignore[union-attr]
    image.save(path)


def replaced(root: Path):
    noise(root / "a" / "1.png", 77)


def removed(root: Path):
    (root / "a" / "1.png").unlink()


def added(root: Path):
    noise(root / "a" / "9.png", 78)


def relabelled(root: Path):
    (root / "a" / "1.png").rename(root / "b" / "9.png")


def regrouped(root: Path):
    """The same pictures in the same order, one of them of the other class."""
    (root / "a" / "3.png").rename(root / "b" / "-.png")


def touched(root: Path):
    os.utime(root / "a" / "1.png", (1, 1))


def moved(root: Path):
    """Packed and unpacked again: the same contents, every time another."""
    for path in root.rglob("*.png"):
        path.write_bytes(path.read_bytes())


def called(root: Path):
    """A class under another name, and before the others."""
    (root / "b").rename(root / "0")


OTHERS = "as many samples, but some of them are not the same"
MOVED = "class a: 4 then, 3 now; class b: 4 then, 5 now"
CHANGES = [
    (pixel, OTHERS),
    (replaced, OTHERS),
    (removed, "8 samples then, 7 now; class a: 4 then, 3 now"),
    (added, "8 samples then, 9 now; class a: 4 then, 5 now"),
    (relabelled, MOVED),
    (regrouped, MOVED),
    (called, "class b is gone; class 0 is new"),
]


@pytest.mark.parametrize("where", ["in memory", "a stream"])
@pytest.mark.fault("D18", "the data change between save and resume", "a pixel, a file, a label")
def test_changed_data_are_named_when_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, times, tally
):
    if where == "a stream":
        monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    root, run = pictures(tmp_path / "set", 8), tmp_path / "run"
    typed = ["dataset=folder", f"dataset.path={root}", "dataset.size=16", "steps=12"]
    typed += [f"dataset.cache={tmp_path / 'cache'}", "dataset.workers=0", "task=label"]
    whole = shutil.copytree(root, tmp_path / "whole")
    with pytest.raises(Stopped):
        watched.run(run, *typed, stop_after=6)
    refused = 0
    changes = CHANGES[:: times(3, 1)] if where == "in memory" else CHANGES[1 :: times(3, 1)]
    for change, words in changes:
        change(root)
        with pytest.raises(UserMistake) as caught:
            watched.run(run, *typed)
        told = f"the data set is not the one this run began with ({words}): put it back"
        assert told in str(caught.value)
        refused += 1
        shutil.rmtree(root)
        shutil.copytree(whole, root)
    for harmless in (touched, moved):
        harmless(root)
    watched.run(run, *typed)
    refused += 1
    sees = "that the data are others, and how many samples and which classes there were then"
    tally(len(changes) + 1, refused, sees)


@pytest.mark.fault("D18", "classes get other names, or a checkpoint is old", "a folder is renamed")
def test_a_class_of_another_name_is_told_and_old_checkpoints_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally
):
    root, run = pictures(tmp_path / "set", 8), tmp_path / "run"
    typed = ["dataset=folder", f"dataset.path={root}", "dataset.size=16", "steps=12"]
    typed += ["dataset.cache=null", "dataset.workers=0", "task=label", "diagnose.every=null"]
    with pytest.raises(Stopped):
        watched.run(run, *typed, stop_after=6)
    path = next((run / "checkpoints").glob("step-*6.safetensors"))
    found = container.read(path)
    old = {"data": {"fingerprint": found.meta["data"]["fingerprint"]}}  # as it was written once
    container.write(path, found.tensors, found.meta | old)
    pixel(root)
    with pytest.raises(UserMistake, match="this run began with: put it back"):
        watched.run(run, *typed)
    pixel(root)  # and back
    (root / "b").rename(root / "cats")
    watched.run(run, *typed)
    told = " ".join("".join(capsys.readouterr()).split())
    good = "the same data under other names, which are kept from here on: b is cats now" in told
    good = good and container.read(run / "generator.safetensors").meta["step"] == 12
    tally(2, 2 * good, "which class has another name; that the data are others, if not in what")


@pytest.mark.fault("D18", "room for the data comes and goes", "a run in memory goes on as a stream")
def test_a_run_goes_on_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally
):
    root = pictures(tmp_path / "set", 8)
    typed = ["dataset=folder", f"dataset.path={root}", "dataset.size=16", "steps=12"]
    typed += [f"dataset.cache={tmp_path / 'cache'}", "dataset.workers=0", "task=label"]
    watched.run(tmp_path / "straight", *typed)
    with pytest.raises(Stopped):
        watched.run(tmp_path / "run", *typed, stop_after=6)
    monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    watched.run(tmp_path / "run", *typed)
    assert watched.alike(tmp_path / "straight", tmp_path / "run")
    tally(1, 1, "nothing: the same batches, and the same bits at the end")
