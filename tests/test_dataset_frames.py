"""Moving pictures: windows of frames, whatever they are stored in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.dataset import clips
from gan_cli.dataset.frames import Frames
from gan_cli.errors import BadFile, UserMistake
from gan_cli.task.frames import Frames as Task
from tests.hostile import within

CPU = torch.device("cpu")


def image(value: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.fromarray(np.full((size[1], size[0]), value, np.uint8))


def still(path: Path, value: int, size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image(value, size).save(path)


def animation(path: Path, values: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [image(value).convert("RGB") for value in values]
    more = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=rest, duration=40, **more)
    return path


def frames(path: Path, **options: Any) -> Frames:
    return Frames(str(path), **{"size": 16, "channels": 1, "past": 1, **options})


def windows(path: Path, **options: Any) -> list[list[int]]:
    """The value of each frame of each window, in order."""
    source = frames(path, **options).load()
    feed = source.open(1, 0, CPU)
    x = torch.cat([feed(i).x for i in range(source.length)])
    values = ((x[:, :, 0, 0] + 1) * 127.5).round().int()
    return sorted(values.tolist())


def test_the_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path):
    for i in (1, 2, 9, 10):
        still(tmp_path / f"frame{i}.png", i)
    assert windows(tmp_path) == [[1, 2], [2, 9], [9, 10]]
    assert windows(tmp_path, past=3) == [[1, 2, 9, 10]]


def test_no_window_crosses_from_one_clip_into_another(tmp_path: Path):
    for clip, first in (("a", 10), ("b", 20)):
        for i in range(3):
            still(tmp_path / clip / f"{i}.png", first + i)
    still(tmp_path / "a" / ".hidden.png", 99)
    assert windows(tmp_path) == [[10, 11], [11, 12], [20, 21], [21, 22]]
    assert windows(tmp_path, past=2) == [[10, 11, 12], [20, 21, 22]]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_is_a_clip(tmp_path: Path, suffix: str):
    path = animation(tmp_path / f"one{suffix}", [0, 60, 120, 240])
    assert windows(path) == [[0, 60], [60, 120], [120, 240]]
    assert windows(path, every=2) == [[0, 120]]


def test_animations_and_stills_of_a_folder_stay_apart(tmp_path: Path):
    animation(tmp_path / "b.gif", [100, 120])
    still(tmp_path / "a.png", 1)
    still(tmp_path / "c.png", 3)
    assert windows(tmp_path) == [[1, 3], [100, 120]]


def test_every_so_many_frames_of_stills(tmp_path: Path):
    for i in range(6):
        still(tmp_path / f"{i}.png", i)
    assert windows(tmp_path, every=2) == [[0, 2], [2, 4]]


def test_frames_are_stacked_in_channels_and_told(tmp_path: Path):
    path = animation(tmp_path / "one.gif", [0, 60, 120])
    source = frames(path, channels=3, past=2, size=[8, 12]).load()
    assert (source.shape, source.frames, source.length) == ((9, 8, 12), 3, 1)
    assert source.notes == ("3 frames of 1 clip, 1 sample",)
    space = Task(2).space(source)
    assert (space.shape, space.given) == ((3, 8, 12), (6, 8, 12))
    with pytest.raises(ValueError, match=r"task\.past=2"):
        Task(1).space(source)


def test_several_are_counted_as_several(tmp_path: Path):
    animation(tmp_path / "a.gif", [0, 60, 120])
    animation(tmp_path / "b.gif", [20, 80])
    assert frames(tmp_path).load().notes == ("5 frames of 2 clips, 3 samples",)


def test_a_mirrored_window_is_mirrored_in_all_of_its_frames(tmp_path: Path):
    values = np.zeros((16, 16), np.uint8)
    values[:, 8:] = 255
    for i in range(2):
        Image.fromarray(values).save(tmp_path / f"{i}.png")
    feed = frames(tmp_path, mirror=True).load().open(64, 0, CPU)
    left = feed(0).x[:, :, 0, 0]
    assert torch.equal(left[:, 0], left[:, 1])
    assert set(left.unique().tolist()) == {-1.0, 1.0}


def test_the_fingerprint_is_that_of_the_windows(tmp_path: Path):
    path = animation(tmp_path / "one.gif", [0, 60, 120])
    prints = {frames(path, past=past).load().fingerprint for past in (1, 2)}
    assert len(prints) == 2
    assert frames(path).load().fingerprint in prints


def test_too_few_frames_are_told_with_what_would_do(tmp_path: Path):
    path = animation(tmp_path / "one.gif", [0, 60, 120])
    with pytest.raises(UserMistake, match=r"no clip has more than 3: dataset\.past=2"):
        frames(path, past=4).load()
    still(tmp_path / "alone" / "one.png", 1)
    with pytest.raises(UserMistake, match="other moving pictures"):
        frames(tmp_path / "alone").load()


def test_what_is_missing_is_asked_for(tmp_path: Path):
    for one in (Frames(), frames(tmp_path / "nowhere"), frames(tmp_path)):
        with pytest.raises(UserMistake, match=r"dataset\.path=PATH"):
            one.load()


def test_damaged_and_unlike_frames_are_named(tmp_path: Path):
    still(tmp_path / "0.png", 0)
    still(tmp_path / "1.png", 0, (20, 16))
    with pytest.raises(BadFile, match=r"16×16 and 20×16 pixels: dataset\.size=16"):
        frames(tmp_path, size=None).load()
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(BadFile, match=r"1\.png can't be read: no image"):
        frames(tmp_path).load()


def test_more_than_memory_holds_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(clips, "fits_host", lambda size: size < 600)
    path = animation(tmp_path / "one.gif", [0, 60, 120])
    with pytest.raises(UserMistake, match=r"dataset\.every=4"):
        frames(path).load()


def test_a_video_needs_pyav(tmp_path: Path, monkeypatch):
    (tmp_path / "one.mp4").write_bytes(b"video")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserMistake, match=r"pip install 'gan-cli\[video\]'"):
        frames(tmp_path).load()


class Player:
    """As much of PyAV as is used: a container, its decoded frames, its errors."""

    class FFmpegError(Exception):
        pass

    def __init__(self, values: list[int]):
        self.values = values

    def open(self, path: str) -> Player:
        return self

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *told: object) -> None:
        pass

    def decode(self, video: int) -> Any:
        for value in self.values:
            if value < 0:
                raise self.FFmpegError("Invalid data found")
            yield SimpleNamespace(to_image=lambda value=value: image(value).convert("RGB"))


def test_videos_are_clips_beside_others(tmp_path: Path, monkeypatch):
    (tmp_path / "one.mp4").write_bytes(b"video")
    still(tmp_path / "a.png", 1)
    still(tmp_path / "z.png", 2)
    monkeypatch.setitem(sys.modules, "av", Player([10, 20, 30, 40, 50]))
    assert windows(tmp_path) == [[1, 2], [10, 20], [20, 30], [30, 40], [40, 50]]
    assert windows(tmp_path / "one.mp4", every=2) == [[10, 30], [30, 50]]
    monkeypatch.setitem(sys.modules, "av", Player([10, -1]))
    with pytest.raises(BadFile, match=r"one\.mp4 can't be read: Invalid data"):
        windows(tmp_path)


def test_a_video_is_a_clip(tmp_path: Path):
    av = pytest.importorskip("av")
    path = tmp_path / "one.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        for value in (0, 80, 160, 240):
            frame = av.VideoFrame.from_image(image(value, (32, 32)).convert("RGB"))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = windows(path)
    assert len(found) == 3
    assert np.abs(np.array(found) - [[0, 80], [80, 160], [160, 240]]).max() < 12
    path.write_bytes(b"no video")
    with pytest.raises(BadFile, match=r"one\.mp4 can't be read"):
        windows(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str):
    if name.endswith(".mp4"):
        pytest.importorskip("av")
    os.mkfifo(tmp_path / name)
    with within(10), pytest.raises(BadFile, match=f"{name} can't be read: no regular file"):
        windows(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "why"), [({"past": 0}, "past"), ({"every": 0}, "every"), ({"crop": "left"}, "crop")]
)
def test_impossible_values_are_refused(wrong: dict[str, Any], why: str):
    with pytest.raises(ValueError, match=why):
        Frames("x", **wrong)
