"""`gan sample` of very many: the same samples, whole files, and no more memory for more of them."""

from __future__ import annotations

import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli import stream
from gan_cli.errors import UserMistake
from gan_cli.plot import grid
from gan_cli.plot.quick import quick
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from tests.test_sample import left, write


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of 8×8 images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("generator.safetensors")).name


def shard(file: str, *words: str) -> None:
    assert main(["--ckpt", file, "--out", "many", "--shards", "30", *words]) == 0


def unpacked() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(Path("many").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                held = tar.extractfile(member)
                assert held is not None
                found[member.name] = held.read()
    return found


def test_shards_hold_the_samples_in_order(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    shard(file, "-n", "70")
    assert left(Path("many")) == {"00000.tar", "00001.tar", "00002.tar", "shards.json"}
    found = unpacked()
    assert [*found] == [f"{index:06d}.png" for index in range(70)]
    main(["--ckpt", file, "-n", "70", "--out", "a.npz"])
    images = np.load("a.npz")["images"]
    for index in (0, 29, 30, 69):
        Path("one.png").write_bytes(found[f"{index:06d}.png"])
        with Image.open("one.png") as image:
            assert np.array_equal(np.asarray(image), images[index, :, :, 0])
    assert "3 shards of 30" in capsys.readouterr().out


def test_labels_stand_beside_the_images(file: str) -> None:
    write(Path(file), classes=["cat", "dog"])
    shard(file, "-n", "3")
    assert {k: v for k, v in unpacked().items() if k.endswith("cls")} == {
        "000000.cls": b"0",
        "000001.cls": b"1",
        "000002.cls": b"0",
    }


@pytest.mark.parametrize("gone", ["00000.tar", "00001.tar", "00002.tar"])
def test_the_same_command_goes_on_where_it_was_stopped(
    file: str, gone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Sampler, "size", 8)  # passes smaller than a shard
    shard(file, "-n", "70", "--batch", "16")
    whole = {path.name: path.read_bytes() for path in Path("many").iterdir()}
    for name in list(whole):
        if name.endswith(".tar") and name >= gone:
            (Path("many") / name).unlink()
    (Path("many") / ".gan-00.tmp").touch()  # what a killed process leaves
    seen: list[int] = []
    generate = Sampler.generate
    monkeypatch.setattr(Sampler, "generate", lambda *a: seen.append(len(a[1])) or generate(*a))
    shard(file, "-n", "70", "--batch", "16")
    assert {path.name: path.read_bytes() for path in Path("many").iterdir()} == whole
    assert sum(seen) == 70 - 30 * int(gone[4]) // 8 * 8
    shard(file, "-n", "70")
    assert "3 of them there already" in capsys.readouterr().out


def test_shards_of_another_command_are_not_mixed(file: str) -> None:
    shard(file, "-n", "70")
    for words in (["-n", "71"], ["-n", "70", "--seed", "1"], ["-n", "70", "--truncation", "1"]):
        with pytest.raises(UserMistake, match="--force"):
            shard(file, *words)
    shard(file, "-n", "20", "--force")
    assert len(unpacked()) == 20
    assert left(Path("many")) == {"00000.tar", "shards.json"}


def test_an_array_is_the_same_whatever_the_batch(file: str) -> None:
    for batch in (8, 64):
        main(["--ckpt", file, "-n", "70", "--batch", str(batch), "--out", "a.npz"])
        Path("a.npz").rename(f"{batch}.npz")
    with np.load("8.npz") as a, np.load("64.npz") as b:
        assert a.files == b.files
        assert np.array_equal(a["images"], b["images"])


def test_an_array_is_as_numpy_saves_one(file: str) -> None:
    """Stored, not packed; also where there are more samples than a pass has."""
    main(["--ckpt", file, "-n", "700", "--out", "a.npz"])
    with zipfile.ZipFile("a.npz") as packed:
        assert packed.testzip() is None
        assert {one.compress_type for one in packed.infolist()} == {zipfile.ZIP_STORED}
    x = Sampler.load(file).sample(700, 0)
    assert np.array_equal(np.load("a.npz")["images"], grid.pixels(x))


def test_what_fails_leaves_nothing_behind(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise UserMistake("in the middle")

    monkeypatch.setattr(stream, "quick", broken)
    with pytest.raises(UserMistake, match="in the middle"):
        shard(file, "-n", "70")
    assert left(Path("many")) == {"shards.json"}


def test_work_is_done_in_order_and_a_few_items_ahead() -> None:
    taken: list[int] = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    threads = set()

    def work(item: int) -> int:
        threads.add(threading.get_ident())
        return item * item

    for index, result in enumerate(stream.ahead(items(), work, 2)):
        assert result == index * index
        assert len(taken) <= index + 6
    assert len(taken) == 100
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_quick_png_is_a_png(channels: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, channels), np.uint8)
    (tmp_path / "a.png").write_bytes(quick(pixels, {"seed": "1", "command": "a b"}))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image).reshape(5, 7, channels), pixels)
        assert image.text == {"seed": "1", "command": "a b"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [{"command": "größer"}, {}])
def test_large_images_and_strange_words_are_left_to_the_library(
    words: dict[str, str], tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8 if words else 200, 200, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(quick(pixels, words))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels)
        assert image.text == words  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--shards 10", "--out DIRECTORY"),
        ("--shards 10 --out a.npz", "--out DIRECTORY"),
        ("-n 999999999 --out many", "100,000,000"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(file: str, args: str, words: str) -> None:
    with pytest.raises(UserMistake, match=words):
        main(["--ckpt", file, *args.split()])
    assert left() == set()
