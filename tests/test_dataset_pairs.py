"""Pictures in pairs: two directories of equal names, or one of pictures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.dataset import pairs as module
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.pairs import Pairs
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile, UserMistake
from gan_cli.randomness import generator
from gan_cli.task.label import Label
from gan_cli.task.translate import Translate
from gan_cli.task.unconditional import Unconditional

CPU = torch.device("cpu")


def picture(path: Path, value: int, size: tuple[int, int] = (16, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)
    return path


def three(tmp_path: Path) -> Path:
    for i in range(3):
        picture(tmp_path / "a" / f"{i}.png", 10 * i)
        picture(tmp_path / "b" / f"{i}.png", 10 * i + 5)
    return tmp_path


def pairs(path: Path, **options: Any) -> Pairs:
    plain = {"size": 16, "channels": 1, "cache": None}
    return Pairs(str(path / "a"), str(path / "b"), **{**plain, **options})


def test_pairs_stand_side_by_side_and_are_translated(tmp_path: Path):
    source = pairs(three(tmp_path)).load()
    assert isinstance(source, Resident)
    assert (source.shape, source.length, source.classes) == ((1, 16, 32), 3, ())
    assert source.images[1, 0, 0, [0, 15, 16, 31]].tolist() == [10, 10, 15, 15]
    task = Translate()
    assert task.space(source).given == (1, 16, 16)
    batch = task.take(source).open(3, 0, CPU)(0)
    assert torch.allclose(batch.x - batch.c, torch.full_like(batch.x, 5 / 127.5))


def test_a_folder_of_pictures_side_by_side_needs_no_pairs(tmp_path: Path):
    """dataset=folder dataset.size=[H,2W] dataset.crop=none task=translate."""
    two = np.concatenate([np.full((20, 20, 3), 50), np.full((20, 20, 3), 100)], 1)
    Image.fromarray(two.astype(np.uint8)).save(tmp_path / "pair.png")
    source = Folder(str(tmp_path), size=[8, 16], crop="none", cache=None).load()
    batch = Translate().pair(source.open(1, 0, CPU)(0).x, generator(0))
    assert batch.x.shape == batch.c.shape == (1, 3, 8, 8)
    assert float(batch.c.mean()) < float(batch.x.mean())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 16)])
def test_pictures_that_are_no_pairs_are_refused_with_the_size_of_some(height: int, width: int):
    source = Resident.of(torch.zeros(2, 3, height, width, dtype=torch.uint8), None, ())
    with pytest.raises(
        ValueError, match=r"dataset\.size=\[16,32\] dataset\.crop=none, or dataset=p"
    ):
        Translate().space(source)


def test_pairs_of_upright_pictures_are_pairs(tmp_path: Path):
    source = pairs(three(tmp_path), size=[24, 12]).load()
    assert Translate().space(source).shape == (1, 24, 12)


@pytest.mark.parametrize("fits", [True, False])
def test_pairs_are_no_single_pictures(tmp_path: Path, monkeypatch, fits: bool):
    monkeypatch.setattr(module, "fits_host", lambda size: fits)
    source = pairs(three(tmp_path), workers=0).load()
    for task in (Unconditional(), Label()):
        with pytest.raises(ValueError, match="task=translate"):
            task.space(source)


def test_kinds_of_files_may_differ_and_folders_are_part_of_a_name(tmp_path: Path):
    picture(tmp_path / "a/deep/one.png", 0)
    picture(tmp_path / "b/deep/one.JPG", 255)
    assert pairs(tmp_path).load().length == 1


@pytest.mark.parametrize(("gone", "kept"), [("a", "b"), ("b", "a")])
def test_a_missing_partner_is_named(tmp_path: Path, gone: str, kept: str):
    (three(tmp_path) / gone / "1.png").unlink()
    with pytest.raises(UserMistake, match=rf"{gone} lacks a partner for 1 of 3 .*path_{kept}: 1\."):
        pairs(tmp_path).load()


def test_two_of_one_name_are_told(tmp_path: Path):
    picture(three(tmp_path) / "b" / "2.jpg", 0)
    with pytest.raises(UserMistake, match=r"path_b has two images called 2: 2\.jpg and 2\.png"):
        pairs(tmp_path).load()


def test_directories_are_asked_for_by_their_names(tmp_path: Path):
    with pytest.raises(UserMistake, match=r"Type dataset\.path_b=DIRECTORY"):
        Pairs(str(three(tmp_path) / "a")).load()
    with pytest.raises(UserMistake, match=r"type dataset\.path_a=DIRECTORY"):
        Pairs(str(tmp_path / "nowhere"), str(tmp_path / "b")).load()


def test_a_damaged_partner_counts_as_a_bad_pair(tmp_path: Path):
    (three(tmp_path) / "b" / "1.png").write_bytes(b"no image")
    with pytest.raises(BadFile, match=r"1\.png: its partner .*b/1\.png"):
        pairs(tmp_path).load()
    source = pairs(tmp_path, on_bad_image="skip").load()
    assert source.length == 2


def test_without_a_size_all_have_to_agree(tmp_path: Path):
    assert pairs(three(tmp_path), size=None).load().shape == (1, 16, 32)
    picture(tmp_path / "b" / "1.png", 0, (20, 16))
    with pytest.raises(BadFile, match=r"its partner 20×16: dataset\.size=16"):
        pairs(tmp_path, size=None).load()
    assert pairs(tmp_path, size=[8, 12]).load().shape == (1, 8, 24)


def test_pairs_are_kept_until_either_directory_changes(tmp_path: Path, monkeypatch):
    path = three(tmp_path / "data")
    kept = pairs(path, cache=str(tmp_path / "cache"))
    first = kept.load()
    calls = []
    monkeypatch.setattr(module, "survey", lambda *told: (calls.append(1), real(*told))[1])
    assert kept.load().fingerprint == first.fingerprint
    assert not calls
    picture(path / "b" / "1.png", 99)
    assert kept.load().fingerprint != first.fingerprint
    assert calls


real = module.survey


def test_a_stream_gives_what_memory_gives(tmp_path: Path, monkeypatch):
    three(tmp_path)
    resident = pairs(tmp_path).load()
    monkeypatch.setattr(module, "fits_host", lambda size: False)
    streamed = pairs(tmp_path, workers=0).load()
    assert isinstance(streamed, Streamed)
    for i in range(3):
        batches = [one.open(2, 0, CPU)(i) for one in (resident, streamed)]
        assert torch.equal(batches[0].x, batches[1].x)


@pytest.mark.parametrize(
    "wrong", [{"crop": "left"}, {"channels": 5}, {"size": [1, 2, 3]}, {"workers": -1}]
)
def test_impossible_values_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Pairs("a", "b", **wrong)
