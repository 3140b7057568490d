"""What `gan sample` writes, read back: the same pixels, as a directory and as one file."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import build
from gan_cli.dataset import archive
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile, GanError, UserMistake
from gan_cli.plot.grid import pixels
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from tests.test_sample import write

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def drawn(shape: tuple[int, ...]) -> tuple[str, torch.Tensor]:
    """A generator of images of that shape, and what its first hundred samples are."""
    file = write(Path("generator.safetensors"), shape)
    x = torch.from_numpy(pixels(Sampler.load(file, CPU).sample(100, 3)))
    assert len(x.unique()) > 100
    return str(file), x.permute(0, 3, 1, 2)


def folder(path: str, *overrides: str) -> Resident:
    config = build.compose(
        "dataset=folder", f"dataset.path={path}", "dataset.size=null", *overrides
    )
    source = build.parts(config).dataset.load()
    assert isinstance(source, Resident)
    return source


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 8, 9), (3, 12, 10), (4, 8, 8)])
def test_a_directory_of_samples_reads_back_to_the_same_pixels(shape: tuple[int, ...]):
    file, x = drawn(shape)
    assert main(["--ckpt", file, "--out", "made", "-n", "100", "--seed", "3"]) == 0
    source = folder("made", f"dataset.channels={shape[0]}")
    assert torch.equal(source.images, x)
    assert (source.labels, source.classes, source.notes) == (None, (), ())


def test_gray_samples_are_read_as_colour_unless_told_otherwise():
    file, x = drawn((1, 8, 8))
    main(["--ckpt", file, "--out", "made", "-n", "100", "--seed", "3"])
    source = folder("made")
    assert torch.equal(source.images, x.expand(-1, 3, -1, -1))
    assert "converted to RGB: 100 L" in source.notes


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 10)])
def test_a_file_of_samples_reads_back_to_the_same_pixels(shape: tuple[int, ...]):
    file, x = drawn(shape)
    assert main(["--ckpt", file, "--out", "made.npz", "-n", "100", "--seed", "3"]) == 0
    source = archive.read(Path("made.npz"))
    assert torch.equal(source.images, x)
    assert source.labels is None


def test_labels_are_read_where_there_are_any():
    images = np.zeros((4, 5, 6, 1), np.uint8)
    np.savez("made.npz", images=images, labels=np.array([0, 2, 1, 2]))
    source = archive.read(Path("made.npz"))
    assert source.shape == (1, 5, 6)
    assert source.labels is not None
    assert source.labels.tolist() == [0, 2, 1, 2]
    assert source.classes == ("0", "1", "2")


IMAGES = np.zeros((2, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    "held",
    [
        {"other": IMAGES},
        {"images": IMAGES[0]},
        {"images": IMAGES / 255},
        {"images": IMAGES[:0]},
        {"images": IMAGES, "labels": np.array([0])},
        {"images": IMAGES, "labels": np.array([0.0, 1.0])},
        {"images": IMAGES, "labels": np.array([-1, 1])},
        {"images": IMAGES, "labels": np.array([1 << 40, 1])},
    ],
)
def test_any_other_archive_is_refused(held: dict[str, np.ndarray]):
    np.savez("made.npz", **held)  # type: ignore[arg-type]
    with pytest.raises(BadFile, match=r"made\.npz holds no images that can be read"):
        archive.read(Path("made.npz"))


@pytest.mark.parametrize("content", [b"", b"PK", b"images", pickle.dumps([1])])
def test_any_other_file_is_refused(content: bytes):
    Path("made.npz").write_bytes(content)
    with pytest.raises(BadFile, match=r"made\.npz"):
        archive.read(Path("made.npz"))


@pytest.mark.parametrize(
    "shape", [(10**7, 64, 64, 3), (10**12, 64, 64, 3), (2**80, 1, 1, 1), (-1, 4, 4, 3)]
)
def test_a_shape_that_is_a_lie_is_told_in_a_line(shape: tuple[int, ...]):
    told = {"descr": "|u1", "fortran_order": False, "shape": shape}
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, told)  # type: ignore[arg-type]
    with zipfile.ZipFile("made.npz", "w") as packed:
        packed.writestr("images.npy", head.getvalue() + bytes(96))
    with pytest.raises(BadFile, match=r"made\.npz holds no images") as caught:
        archive.read(Path("made.npz"))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_not_waited_for():
    os.mkfifo("made.npz")
    with pytest.raises(BadFile, match="no regular file"):
        archive.read(Path("made.npz"))


def test_objects_are_not_unpickled():
    np.savez("made.npz", images=np.array([object], object))
    with pytest.raises(BadFile, match="pickle"):
        archive.read(Path("made.npz"))


def test_points_are_refused_with_a_way_out():
    np.savez("made.npz", points=np.zeros((3, 2), np.float32))
    with pytest.raises(UserMistake, match="holds points"):
        archive.read(Path("made.npz"))


def test_what_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch):
    np.savez_compressed("made.npz", images=IMAGES)
    monkeypatch.setattr(archive, "fits_host", lambda size: size < IMAGES.nbytes)
    with pytest.raises(UserMistake, match="memory"):
        archive.read(Path("made.npz"))


def test_images_of_unlike_sizes_want_one_size():
    for number, size in enumerate([(9, 12), (14, 10)]):
        Image.new("RGB", size, (number, 0, 0)).save(f"{number}.png")
    with pytest.raises(GanError, match=r"dataset\.size=9 makes them agree"):
        folder(".")
    assert Folder(".", size=8, cache=None).load().shape == (3, 8, 8)
