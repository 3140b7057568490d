"""Directories of images: every fault of the files is handled or named before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.dataset.folder import Folder
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile, UserMistake
from tests.faults.pictures import noise
from tests.faults.pictures import plain as picture

CPU = torch.device("cpu")


def folder(path: Path, **options: Any) -> Folder:
    return Folder(str(path), **{"size": 16, "cache": None, **options})


def images(path: Path, **options: Any) -> torch.Tensor:
    source = folder(path, **options).load()
    assert isinstance(source, Resident)
    return source.images


def first(path: Path, **options: Any) -> list[int]:
    """The first pixel of the first image."""
    return images(path, **options)[0, :, 0, 0].tolist()


def test_sub_folders_are_classes(tmp_path: Path):
    for name in ("dogs/a.png", "cats/deep/b.JPG", "cats/c.png"):
        picture(tmp_path / name)
    (tmp_path / "empty").mkdir()
    picture(tmp_path / ".ipynb_checkpoints/d.png")
    picture(tmp_path / "cats/.hidden.png")
    (tmp_path / "readme.txt").write_text("no image, and not called one")
    source = folder(tmp_path).load()
    assert source.classes == ("cats", "dogs")
    assert source.length == 3
    assert source.open(3, 0, CPU)(0).c is not None


def test_a_flat_folder_has_no_labels(tmp_path: Path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "sub/b.png")
    source = folder(tmp_path).load()
    assert (source.classes, source.length) == ((), 2)
    assert source.open(2, 0, CPU)(0).c is None


@pytest.mark.parametrize(
    ("mode", "colour", "channels", "expected"),
    [
        ("RGBA", (200, 100, 50, 0), 3, [255, 255, 255]),
        ("RGBA", (200, 100, 50, 0), 4, [255, 255, 255, 0]),
        ("RGBA", (200, 100, 50, 255), 4, [200, 100, 50, 255]),
        ("RGBA", (0, 0, 0, 51), 3, [204, 204, 204]),
        ("LA", (100, 0), 1, [255]),
        ("LA", (100, 0), 2, [255, 0]),
        ("LA", (100, 128), 2, [100, 128]),
        ("L", 100, 3, [100, 100, 100]),
        ("L", 100, 4, [100, 100, 100, 255]),
        ("1", 1, 1, [255]),
        ("RGB", (255, 0, 0), 1, [76]),
        ("RGB", (1, 2, 3), 4, [1, 2, 3, 255]),
    ],
)
def test_channels_are_what_was_asked_for(
    tmp_path: Path, mode: str, colour: Any, channels: int, expected: list[int]
):
    picture(tmp_path / "a.png", colour, mode)
    assert first(tmp_path, channels=channels) == expected


def test_what_is_transparent_shows_the_background(tmp_path: Path):
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "a.png", transparency=1)
    assert first(tmp_path, background="#ff8000") == [255, 128, 0]


def test_hidden_colours_do_not_bleed_when_resized(tmp_path: Path):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16] = (255, 0, 0, 255)
    pixels[:, 16:] = (0, 255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for channels in (3, 4):
        found = images(tmp_path, channels=channels, size=8, background="black")[0]
        assert int(found[1].max()) == 0


def test_crop_covers_and_none_stretches(tmp_path: Path):
    image = Image.new("RGB", (48, 16), "black")
    image.paste("white", (16, 0, 32, 16))
    image.save(tmp_path / "a.png")
    assert int(images(tmp_path)[0].min()) > 240
    assert first(tmp_path, crop="none") == [0, 0, 0]
    assert images(tmp_path, size=[8, 24]).shape == (1, 3, 8, 24)


def test_pixels_of_the_right_size_are_untouched(tmp_path: Path):
    noise(tmp_path / "a.png", 0)
    stored = torch.from_numpy(np.array(Image.open(tmp_path / "a.png")).transpose(2, 0, 1))
    assert torch.equal(images(tmp_path)[0], stored)
    assert torch.equal(images(tmp_path, size=None)[0], stored)


def empty(path: Path):
    path.touch()


def test_all_bad_images_are_told_at_once_and_few_are_skipped(tmp_path: Path):
    picture(tmp_path / "good.png")
    for i in range(12):
        empty(tmp_path / f"bad{i:02}.png")
    for options in ({}, {"on_bad_image": "skip"}):
        with pytest.raises(BadFile, match=r"12 of 13 [\s\S]*bad09[\s\S]*and 2 more[\s\S]*skip"):
            folder(tmp_path, **options).load()


def test_without_a_size_the_images_must_agree(tmp_path: Path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", size=(20, 12))
    with pytest.raises(BadFile, match=r"b\.png: 20×12 pixels, where the others have 16×16"):
        folder(tmp_path, size=None).load()


@pytest.mark.parametrize("what", ["nothing", "file", "empty", "unset"])
def test_a_folder_without_images_says_what_to_type(tmp_path: Path, what: str):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    paths = {name: str(tmp_path / name) for name in ("nothing", "file", "empty")}
    with pytest.raises(UserMistake, match=r"dataset\.path=DIRECTORY"):
        Folder(paths.get(what)).load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 5},
        {"crop": "left"},
        {"on_bad_image": "hope"},
        {"size": 0},
        {"size": [1, 2, 3]},
        {"min_size": 0},
        {"workers": -1},
        {"background": "whiteish"},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Folder("x", **wrong)
