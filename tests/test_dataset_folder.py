"""Directories of images: every fault of the files is handled or named before training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.dataset.folder import Folder
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile, UserMistake

CPU = torch.device("cpu")


def picture(path: Path, colour: Any = (200, 100, 50), mode: str = "RGB", size: Any = (16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def noise(path: Path, seed: int, size: tuple[int, int] = (16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path)


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


def test_links_to_directories_are_not_followed(tmp_path: Path):
    picture(tmp_path / "a.png")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert folder(tmp_path).load().length == 2


def test_sixteen_bit_gray_is_rescaled_not_clipped(tmp_path: Path):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    assert images(tmp_path, channels=1).flatten().tolist() == list(range(256))


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


def test_exif_turns_the_image(tmp_path: Path):
    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right: left becomes top
    image.save(tmp_path / "a.jpg", exif=exif, quality=100)
    found = images(tmp_path, size=None)
    assert found.shape == (1, 3, 32, 16)
    assert int(found[0, :, :12].min()) > 200
    assert int(found[0, :, 20:].max()) < 50


def test_the_first_frame_of_an_animation(tmp_path: Path):
    frames = [Image.new("RGB", (16, 16), c) for c in ("#ff0000", "#00ff00")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert first(tmp_path) == [255, 0, 0]


def test_cmyk_and_palettes_are_counted(tmp_path: Path):
    picture(tmp_path / "a.jpg", (0, 0, 0, 0), "CMYK")
    picture(tmp_path / "b.png", 0, "P")
    picture(tmp_path / "c.png")
    assert folder(tmp_path).load().notes == ("converted to RGB: 1 CMYK, 1 P",)


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


def text(path: Path):
    path.write_text("I am no image")


def cut_png(path: Path):
    noise(path, 0, (64, 64))
    path.write_bytes(path.read_bytes()[:6000])


def cut_jpeg(path: Path):
    whole = path.with_suffix(".jpg")
    noise(whole, 0, (64, 64))
    path.write_bytes(whole.read_bytes()[:1500])
    whole.unlink()


def broken_link(path: Path):
    path.symlink_to("nowhere.png")


def pipe(path: Path):
    os.mkfifo(path)


def tiny(path: Path):
    picture(path, size=(1, 1))


def huge(path: Path):
    picture(path, 0, "1", (8000, 8000))


def bomb(path: Path):
    picture(path, 0, "1", (14000, 14000))


def floating(path: Path):
    Image.new("F", (16, 16), 0.5).save(path, format="TIFF")


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (empty, "empty"),
    (text, "no image of a kind"),
    (cut_png, "truncated"),
    (cut_jpeg, "truncated"),
    (broken_link, "a broken link"),
    (pipe, "no regular file"),
    (tiny, "1×1 pixels, below dataset.min_size=8"),
    (huge, "64 megapixels, above the limit of 50"),
    (bomb, "megapixels, above the limit of 50"),
    (floating, "32 bits a pixel"),
]


@pytest.mark.parametrize(("fault", "why"), FAULTS, ids=[f.__name__ for f, _ in FAULTS])
def test_a_bad_image_is_named_with_its_reason(
    tmp_path: Path, fault: Callable[[Path], None], why: str
):
    picture(tmp_path / "good.png")
    fault(tmp_path / "bad.png")
    with pytest.raises(BadFile, match=rf"1 of 2 images [\s\S]*bad\.png: [^\n]*{why}"):
        folder(tmp_path).load()
    source = folder(tmp_path, on_bad_image="skip").load()
    assert source.length == 1
    assert "bad.png" in source.notes[0]


def test_all_bad_images_are_told_at_once_and_few_are_skipped(tmp_path: Path):
    picture(tmp_path / "good.png")
    for i in range(12):
        empty(tmp_path / f"bad{i:02}.png")
    for options in ({}, {"on_bad_image": "skip"}):
        with pytest.raises(BadFile, match=r"12 of 13 [\s\S]*bad09[\s\S]*and 2 more[\s\S]*skip"):
            folder(tmp_path, **options).load()


def test_names_can_not_drive_the_terminal(tmp_path: Path):
    for name in (b"a\x1b[31m\n.png", b"\xff.png"):
        (tmp_path / os.fsdecode(name)).touch()
    with pytest.raises(BadFile) as caught:
        folder(tmp_path).load()
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).encode()


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
