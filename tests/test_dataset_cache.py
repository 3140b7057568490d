"""What a folder's images are kept in: memory, a cache on disk, or a stream."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli.dataset import folder as folder_module
from gan_cli.dataset.source import digest
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile
from tests.test_dataset_folder import CPU, folder, noise

forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_a_set_too_big_for_memory_is_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
):
    for i in range(6):
        noise(tmp_path / "set" / "ab"[i % 2] / f"{i}.png", i)
    options: dict[str, Any] = {"mirror": True, "cache": str(tmp_path / "c"), "workers": workers}
    memory = folder(tmp_path / "set", **options).load()
    monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    stream = folder(tmp_path / "set", **options).load()
    assert isinstance(stream, Streamed)
    assert (stream.shape, stream.classes) == (memory.shape, memory.classes)
    one, two = memory.open(4, 0, CPU), stream.open(4, 0, CPU)
    for i in (0, 1, 5):
        assert torch.equal(one(i).x, two(i).x)
        assert torch.equal(*(torch.as_tensor(feed(i).c) for feed in (one, two)))
    assert memory.fingerprint == stream.fingerprint
    os.utime(tmp_path / "set/a/0.png", (1, 1))
    assert folder(tmp_path / "set", **options).load().fingerprint == stream.fingerprint
    noise(tmp_path / "set/a/0.png", 99)
    assert folder(tmp_path / "set", **options).load().fingerprint != stream.fingerprint
    with pytest.raises(BadFile, match=r"0\.png has changed .*: it shows something else"):
        [two(i) for i in range(30, 34)]
    (tmp_path / "set/a/0.png").write_text("changed")
    with pytest.raises(BadFile, match=r"0\.png has changed"):
        [two(i) for i in range(10, 14)]


class Cached:
    """A folder with a cache, and how often its images were decoded."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        for i in range(4):
            noise(tmp_path / "set" / f"{i}.png", i)
        self.set, self.cache, self.log = tmp_path / "set", tmp_path / "cache", tmp_path / "log"
        self.log.touch()
        real = folder_module.survey

        def counted(*args: Any):
            with self.log.open("a") as file:
                file.write("x")
            return real(*args)

        monkeypatch.setattr(folder_module, "survey", counted)

    def load(self, **options: Any) -> str:
        return folder(self.set, cache=str(self.cache), **options).load().fingerprint

    @property
    def decoded(self) -> int:
        return len(self.log.read_text())

    @property
    def file(self) -> Path:
        [path] = self.cache.glob("*.npz")
        return path


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    return Cached(tmp_path, monkeypatch)


def test_images_are_decoded_once(cached: Cached):
    assert cached.load() == cached.load()
    assert cached.decoded == 1
    assert {path.suffix for path in cached.cache.iterdir()} == {".npz", ".lock"}
    cached.load(size=8)
    assert cached.decoded == 2


def test_a_changed_image_is_seen(cached: Cached):
    before = cached.load()
    noise(cached.set / "0.png", 99)
    assert cached.load() != before
    assert cached.decoded == 2
    assert cached.file  # replaced, not joined by another


def test_without_a_place_for_the_cache_it_works_and_says_so(cached: Cached):
    cached.cache.write_text("a file where the directory should be")
    source = folder(cached.set, cache=str(cached.cache)).load()
    assert source.length == 4
    assert "dataset.cache=DIRECTORY" in source.notes[-1]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("classes", [True, False])
def test_the_fingerprint_is_that_of_the_images(
    tmp_path: Path, cache: bool, bad: int, classes: bool
):
    for i in range(40):
        noise(tmp_path / "set" / ("ab"[i % 2] if classes else "") / f"{i:02}.png", i)
    for path in sorted((tmp_path / "set").rglob("*.png"))[:bad]:
        path.write_text("no image")
    place = str(tmp_path / "c") if cache else None
    for _ in range(2):
        source = folder(tmp_path / "set", on_bad_image="skip", cache=place).load()
        assert source.length == 40 - bad
        assert source.fingerprint == digest(source.images, source.labels)
