"""Directories with faults: odd names, circles, no permission, and files that go while one looks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import train
from gan_cli.cli import main
from gan_cli.dataset import folder as folder_module
from gan_cli.dataset import pairs as pairs_module
from gan_cli.dataset.cifar10 import CIFAR10
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.frames import Frames
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.mnist import MNIST
from gan_cli.dataset.pairs import Pairs
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile, GanError, UserMistake
from gan_cli.task.label import Label
from gan_cli.task.unpaired import Unpaired
from tests import watched
from tests.faults.forks import child, ended
from tests.faults.pictures import NAMES, noise, plain

forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def folder(path: Path | str, **options: Any) -> Folder:
    return Folder(str(path), **{"size": 16, "cache": None, **options})


@pytest.mark.fault("D10", "links in a circle", "links to the root, to its parent, to each other")
def test_no_picture_is_seen_twice(tmp_path: Path, tally):
    for name in ("a", "b"):
        plain(tmp_path / "set" / name / "1.png")
    (tmp_path / "set" / "root").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "a" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "set" / "x").symlink_to("y")
    (tmp_path / "set" / "y").symlink_to("x")
    source = folder(tmp_path / "set").load()
    assert (source.length, source.classes) == (2, ("a", "b"))
    with pytest.raises(UserMistake, match="no clip has more than 1"):
        Frames(str(tmp_path / "set"), size=16).load()
    tally(3, 3, "each picture once: links to directories are not followed, and `gan data` says so")


@pytest.mark.fault("D11", "sub-folders without images", "empty, hidden, and called like an image")
def test_what_holds_no_image_is_no_class(tmp_path: Path, tally):
    plain(tmp_path / "cats" / "1.png")
    plain(tmp_path / "dogs.png" / "1.png")
    for name in ("empty", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    plain(tmp_path / ".ipynb_checkpoints" / "x.png")
    (tmp_path / "nested" / "deep").mkdir(parents=True)
    source = folder(tmp_path).load()
    assert source.classes == ("cats", "dogs.png")
    assert source.notes == ("no classes, because they hold no image: empty, nested",)
    tally(4, 4, "which sub-folders are no classes for want of images; hidden ones never are")


@pytest.mark.fault("D12", "a flat folder where classes are wanted", "task=label and task=unpaired")
def test_a_flat_folder_has_no_classes(tmp_path: Path, tally):
    plain(tmp_path / "a.png")
    plain(tmp_path / "sub" / "b.png")
    source = folder(tmp_path).load()
    assert (source.length, source.classes) == (2, ())
    for task in (Label(), Unpaired()):
        with pytest.raises(ValueError, match="sub-folder"):
            task.space(source)
    tally(2, 2, "that there are no labels, and the folders that would make some; exit code 2")


@pytest.mark.fault("D12", "no such folder", "missing, a file, a name of 5000 letters, a zip")
def test_what_is_no_folder_is_said(tmp_path: Path, tally):
    (tmp_path / "file.zip").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    paths = [tmp_path / name for name in ("nothing", "file.zip", "empty", "x" * 5000, "a\0b")]
    told = 0
    for path in paths:
        good = str(tmp_path)
        for load in (folder(path).load, Pairs(str(path), good).load, Frames(str(path)).load):
            with pytest.raises(GanError) as caught:
                load()
            told += isinstance(caught.value, UserMistake | BadFile)
    tally(len(paths) * 3, told, "what is wrong with the path, and the key to type")


@pytest.mark.fault("H5", "names that a program might stumble over", "newline, ESC, -rf, no UTF-8")
def test_odd_names_are_only_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tally
):
    monkeypatch.chdir(tmp_path)
    root = Path(os.fsdecode(b"s\xfft"))
    for name in NAMES:
        noise(root / os.fsdecode(name[:-4]) / os.fsdecode(name), len(name))
    source = folder(root, cache="cache").load()
    assert source.length == len(NAMES)
    assert folder(root, cache="cache").load().fingerprint == source.fingerprint
    for settings in (["check"], ["preview", "--out", "p.png"]):
        assert main(["data", *settings, str(root), "size=16"]) == 0
    for name in NAMES:
        (root / os.fsdecode(name)).touch()
    with pytest.raises(BadFile) as caught:
        folder(root).load()
    assert main(["data", "check", str(root), "size=16"]) == 4
    for text in (str(caught.value), *capsys.readouterr()):
        assert not {"\x1b", "\r"} & set(text)
        assert text == text.encode().decode()
    named = str(caught.value).count(": empty")
    tally(2 * len(NAMES), len(NAMES) + named, "the name with ? for what can't be shown")


@forks
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.fault("D7", "no permission", "a file, a directory, a parent, as another user")
def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch, tally):
    for name in ("file/no.png", "below/sub/a.png", "above/in/a.png"):
        plain(tmp_path / name)
        plain(tmp_path / "below" / "a.png")
        plain(tmp_path / "file" / "a.png")
    for name in ("file/no.png", "below/sub", "above"):
        (tmp_path / name).chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[Callable[[], Any], str]] = [
        (folder("file").load, "no.png: Permission denied"),
        (Frames("file", size=16).load, "no.png can't be read: Permission denied"),
        (folder("below").load, "can't list below/sub: Permission denied"),
        (Frames("below", size=16).load, "can't list below/sub: Permission denied"),
        (folder("above/in").load, "above/in can't be looked at (Permission denied)"),
        (Frames("above/in", size=16).load, "above/in can't be looked at (Permission denied)"),
        (MNIST("above").load, "download"),
        (CIFAR10("above").load, "download"),
    ]
    right = 0
    for load, words in asked:

        def work(load: Callable[[], Any] = load, words: str = words) -> bool:
            os.setuid(65534)
            try:
                load()
            except GanError as error:
                return words in str(error)
            return False

        right += ended(child(work)) == 0
    tally(len(asked), right, "which one, and that permission is denied")


def vanish(path: Path):
    path.unlink()


def other(path: Path):
    path.unlink()
    noise(path, 99)


def rubbish(path: Path):
    path.write_bytes(b"no image")


def block(path: Path):
    path.unlink()
    os.mkfifo(path)


CHANGES = [vanish, other, rubbish, block]


@pytest.mark.fault("D9", "a file goes, or becomes a pipe", "between the list and the first look")
def test_what_changes_before_step_0_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally
):
    named, real = 0, folder_module.survey
    asked = ((folder_module, folder(tmp_path / "a")), (pairs_module, _pairs(tmp_path)))
    for change in (vanish, rubbish, block):
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        for number in range(3):
            for side in ("a", "b"):
                noise(tmp_path / side / f"{number}.png", number)

        def late(listing: Listing, *rest: Any, change: Any = change) -> Any:
            change(tmp_path / "a" / "1.png")
            return real(listing, *rest)

        for module, made in asked:
            with monkeypatch.context() as patch:
                patch.setattr(module, "survey", late)
                with pytest.raises(BadFile, match=r"1\.png: "):
                    made.load()
            named += 1
            (tmp_path / "a" / "1.png").unlink(missing_ok=True)
            noise(tmp_path / "a" / "1.png", 1)
    tally(6, named, "the file and why, before step 0")


def _pairs(path: Path) -> Pairs:
    return Pairs(str(path / "a"), str(path / "b"), size=16, cache=None)


@forks
@pytest.mark.timeout(600)
@pytest.mark.fault("D9", "a file changes while training", "gone, replaced, rubbish, a pipe")
def test_what_changes_while_training_is_named_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times, tally
):
    for number in range(8):
        noise(tmp_path / "set" / f"{number}.png", number)
    whole = shutil.copytree(tmp_path / "set", tmp_path / "kept")
    typed = ["dataset=folder", f"dataset.path={tmp_path / 'set'}", "dataset.size=16", "steps=12"]
    typed += ["dataset.cache=null", "dataset.workers=0"]
    monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    expected = watched.tensors(watched.run(tmp_path / "straight", *typed))
    pace, survived = train._pace, 0
    cases = [(change, workers) for workers in (0, 2) for change in CHANGES]
    cases = cases[:: times(5, 1)]  # one with workers, one without
    for change, workers in cases:
        run = tmp_path / f"{change.__name__}{workers}"
        typed[-1] = f"dataset.workers={workers}"

        def step(session: Any, number: int, change: Any = change) -> Any:
            if number == 6:
                change(tmp_path / "set" / "3.png")
            return pace(session, number)

        with monkeypatch.context() as patch:
            patch.setattr(train, "_pace", step)
            with pytest.raises(BadFile) as caught:
                watched.run(run, *typed)
        assert "set/3.png has changed since training began: " in str(caught.value)
        assert (run / "checkpoints").is_dir()
        shutil.rmtree(tmp_path / "set")
        shutil.copytree(whole, tmp_path / "set")
        ended = watched.tensors(watched.run(run, *typed))
        survived += all(torch.equal(ended[name], expected[name]) for name in expected)
    tally(len(cases), survived, "the file, and that the same command goes on once it is back")


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker:UserWarning")
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.fault("R9", "other numbers of workers", "the batches of 4 epochs, beside memory's own")
def test_batches_do_not_depend_on_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, tally
):
    for number in range(7):
        noise(tmp_path / "ab"[number % 2] / f"{number}.png", number)
    memory = folder(tmp_path, mirror=True).load().open(4, 5, torch.device("cpu"))
    monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    stream = folder(tmp_path, mirror=True, workers=workers).load()
    assert isinstance(stream, Streamed)
    state = torch.get_rng_state()
    feed = stream.open(4, 5, torch.device("cpu"))
    numbers = [*range(7), 3]
    same = 0
    for number in numbers:
        one, two = memory(number), feed(number)
        same += torch.equal(one.x, two.x) and torch.equal(one.c, two.c)  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), state)
    tally(len(numbers), same, "the same pictures in the same order, bit for bit")
