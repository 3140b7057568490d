"""`gan data check` and `gan data preview`: what is told of a data set, and what is drawn."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import cli
from gan_cli.cli_complete import candidates
from gan_cli.cli_data import parts, read
from gan_cli.dataset import census as censuses
from gan_cli.dataset.census import census
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.listing import Listing

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`gan data ARGV` in tmp_path, as (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*argv: str) -> tuple[int, str, str]:
        try:
            code = cli.main(["data", *argv])
        except SystemExit as left:  # argparse, after its help
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def picture(
    path: Path, seed: int = 0, size: tuple[int, int] = (16, 16), mode: str = "RGB", **k: Any
):
    """A smooth picture, another one for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    a, b, c = np.random.default_rng(seed).uniform(2, 6, 3)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size) * 10
    colours = [np.sin(a * x / 3 + b), np.cos(b * y / 3 + c), np.sin(c * (x + y) / 4)]
    pixels = (127 + 120 * np.stack(colours, -1)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **k)


def told(out: str, label: str) -> str:
    """What stands behind a label of the report, with the lines below it."""
    lines, found = out.splitlines(), []
    for line in lines:
        if line.startswith(f"  {label} "):
            found.append(line[14:])
        elif found and line.startswith(" " * 14):
            found.append(line.strip())
        elif found:
            break
    return " ".join(found)


def test_what_is_there(data: Run, tmp_path: Path):
    for i in range(3):
        picture(tmp_path / f"d/cats/{i}.jpg", i, (40, 30))
    picture(tmp_path / "d/dogs/a.png", 9, (100, 100), "L")
    picture(tmp_path / "d/dogs/b.png", 8, (100, 100), "RGBA")
    (tmp_path / "d/notes.txt").write_text("x")
    (tmp_path / "d/.hidden").write_text("x")
    (tmp_path / "d/link").symlink_to(tmp_path, target_is_directory=True)
    code, out, err = data("check", "d")
    assert (code, err) == (0, "")
    assert "5 images" in out.splitlines()[0]
    assert told(out, "Found") == "5 that can be used: 3 JPEG, 2 PNG"
    assert told(out, "Sizes").startswith("2 different, from 40×30 to 100×100")
    assert "3 colour (RGB)" in told(out, "Channels")
    assert told(out, "Classes") == "2: cats 3, dogs 2"
    assert told(out, "Broken") == "none"
    assert "1 .txt" in told(out, "Passed over")
    assert "hidden (1)" in told(out, "Passed over")
    assert "directories (1)" in told(out, "Passed over")
    assert "3 of 5 are enlarged, by up to 2.1" in told(out, "Resized")
    assert "15 % of an image on average, 25 % at most" in told(out, "Cropped")
    assert "61 kB" in told(out, "Memory")


def hostile(root: Path):
    """Every fault that a file can have, beside two good images of many."""
    picture(root / "good.png", 1)
    picture(root / "whole.jpg", 2)
    (root / "zero.png").write_bytes(b"")
    (root / "cut.jpg").write_bytes((root / "whole.jpg").read_bytes()[:300])
    (root / "text.png").write_text("this is no image")
    (root / "esc\x1b[31m\nerror: all is well.png").write_text("x")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "gone.png").symlink_to(root / "nowhere")
    (root / "round").symlink_to(root, target_is_directory=True)
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")
    Image.new("1", (10_000, 10_100)).save(root / "bomb.png")
    picture(root / "tiny.png", 3, (3, 3))
    Image.fromarray(np.ones((16, 16), np.float32)).save(root / "range.tiff")


def test_every_hostile_file_has_one_clean_line(data: Run, tmp_path: Path):
    hostile(tmp_path)
    code, out, err = data("check", ".")
    assert (code, err) == (4, "")
    assert told(out, "Found").startswith("2 that can be used")
    lines = [line.strip() for line in out.splitlines()]
    broken = lines[lines.index(next(line for line in lines if line.startswith("Broken"))) :]
    broken = broken[1 : 1 + 10]
    assert [line.partition(": ")[0] for line in broken] == [
        "bomb.png", "cut.jpg", "esc?[31m?error", "gone.png", "loop.png", "pipe.png", "range.tiff",
        "text.png", "tiny.png", "zero.png",
    ]  # fmt: skip
    whys = " ".join(broken)
    assert "101 megapixels" in whys
    assert "truncated" in whys.lower()
    assert "a broken link" in whys
    assert "symbolic links" in whys
    assert "no regular file" in whys
    assert "zero.png: empty" in whys
    assert "\x1b" not in out
    assert "Traceback" not in out
    assert "at 10 broken files of 12" in told(out, "Stops")


def test_the_reasons_are_those_that_training_gives(tmp_path: Path):
    hostile(tmp_path)
    folder = Folder(str(tmp_path), size=16, cache=None)
    with pytest.raises(Exception, match="can't be used") as caught:
        folder.load()
    for file in census(Listing.scan(tmp_path), folder.decode()).broken:
        assert file.why in str(caught.value)


@pytest.mark.parametrize("settings", [{"size": None}, {"size": 16}, {"size": (8, 20)}])
def test_what_it_finds_usable_is_what_is_loaded(settings: dict[str, Any], tmp_path: Path):
    for i in range(120):
        picture(tmp_path / f"{i:03}.png", i)
    picture(tmp_path / "zother.png", 1, (30, 20))
    folder = Folder(str(tmp_path), cache=None, on_bad_image="skip", **settings)
    found, source = census(Listing.scan(tmp_path), folder.decode()), folder.load()
    assert (len(found.good), found.shape) == (source.length, source.shape)


def test_copies_exact_near_and_in_two_classes(data: Run, tmp_path: Path):
    for i in range(8):
        picture(tmp_path / f"d/a/{i}.png", i, (90, 70))
    picture(tmp_path / "d/b/same.bmp", 3, (90, 70))
    picture(tmp_path / "d/b/other.png", 99, (90, 70))
    picture(tmp_path / "d/b/saved.jpg", 5, (90, 70), quality=80)
    Image.open(tmp_path / "d/a/6.png").resize((180, 140)).save(tmp_path / "d/b/large.png")
    code, out, _ = data("check", "d")
    assert code == 0
    copies = told(out, "Copies")
    assert "1 the same as another" in copies
    assert "b/same.bmp = a/3.png" in copies
    assert "2 nearly the same" in copies
    assert "b/large.png ≈ a/6.png" in copies
    assert "b/saved.jpg ≈ a/5.png" in copies
    assert "1 of them in two classes" in copies


def test_different_pictures_are_no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    values = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    for i, image in enumerate(values):
        Image.fromarray(image // 64 + 100).save(tmp_path / f"{i}.png")  # pale, but not alike
    found = census(Listing.scan(tmp_path), Folder(str(tmp_path), size=28).decode())
    assert found.copies == []
    assert found.near == []
    monkeypatch.setattr(censuses, "COMPARED", 59)
    again = census(Listing.scan(tmp_path), Folder(str(tmp_path), size=28).decode())
    assert again.near is None


def test_the_settings_are_those_of_the_command(data: Run, tmp_path: Path):
    picture(tmp_path / "d/a.png", 0, (20, 40))
    code, out, _ = data("check", "d", "size=[20,10]", "dataset.channels=1", "mirror=true")
    assert code == 0
    assert "With dataset=folder 'dataset.size=[20,10]' dataset.channels=1" in out
    assert told(out, "Resized") == "to 10×20"
    assert told(out, "Cropped") == "nothing"
    assert told(out, "Mirrored").startswith("half")
    assert told(out, "Channels") == "1 colour (RGB)"


def test_what_suits_the_images_better_is_in_the_command(data: Run, tmp_path: Path):
    for i in range(200):
        picture(tmp_path / f"a dir=1/{i}.png", i, (28, 28), "L")
    (tmp_path / "a dir=1/bad.png").write_bytes(b"")
    code, out, _ = data("check", "a dir=1")
    assert code == 4
    command = shlex.split(told(out, "Train"))
    assert command[:2] == ["gan", "train"]
    assert command[-3:] == [
        "dataset.channels=1",
        "dataset.size=28",
        "dataset.on_bad_image=skip",
    ]
    source = parts(read(command[2:]), None).dataset.load()
    assert (source.shape, source.length) == ((1, 28, 28), 200)
    typed = [word.partition(".")[2] for word in command[-3:]]
    code, out, _ = data("check", "a dir=1", *typed)
    assert code == 0
    assert told(out, "Better") == ""
    assert shlex.split(told(out, "Train")) == command


def test_the_command_after_a_failed_check_is_for_afterwards(data: Run, tmp_path: Path):
    picture(tmp_path / "d/good.png")
    for i in range(5):
        (tmp_path / f"d/bad{i}.png").write_bytes(b"")
    code, out, _ = data("check", "d", "size=16")
    assert code == 4
    assert told(out, "Train") == ""
    assert told(out, "After that").startswith("gan train ")


def test_one_small_image_does_not_decide_the_size(data: Run, tmp_path: Path):
    picture(tmp_path / "d/tiny.png", 0, (9, 9))
    for i in range(6):
        picture(tmp_path / f"d/{i}.png", i + 1, (40 + i, 50))
    _, out, _ = data("check", "d")
    assert "dataset.size=40" in told(out, "Train")
    assert "6 of 7 images are as large" in told(out, "Better")


def test_the_task_of_pairs_and_of_frames_is_in_the_command(data: Run, tmp_path: Path):
    for name in ("a", "b"):
        picture(tmp_path / name / "1.png")
    code, out, _ = data("check", "dataset=pairs", "path_a=a", "path_b=b", "size=16")
    assert code == 0
    assert told(out, "Train").endswith("task=translate")
    still = [Image.new("L", (16, 16), 80 * i) for i in range(4)]
    still[0].save(tmp_path / "film.gif", save_all=True, append_images=still[1:])
    code, out, _ = data("check", "dataset=frames", "dataset.path=film.gif")
    assert code == 0
    assert told(out, "Train").endswith("task=frames")
    code, _, err = data("check", "film.gif")
    assert code == 2
    assert "film.gif is a file; type dataset=frames dataset.path=film.gif" in err
    code, _, err = data("check", "a/1.png")
    assert code == 2
    assert "a/1.png is a file; type its directory, a" in err


@pytest.mark.parametrize("name", ["a b", "it's", "x,y", "null", "{a}", "(a)", "ü", 'q"q', "a\\"])
def test_the_command_can_be_typed_whatever_the_name(name: str, data: Run, tmp_path: Path):
    picture(tmp_path / name / "a.png")
    code, out, _ = data("check", name)
    assert code == 0
    words = shlex.split(told(out, "Train"))[2:]
    assert parts(read(words), None).dataset.path == name


def test_a_name_that_cannot_be_typed_is_said_to_be(data: Run, tmp_path: Path):
    picture(tmp_path / "a\nb" / "a.png")
    code, out, _ = data("check", "a\nb")
    assert code == 0
    assert "rename the directory" in told(out, "Train")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["check"], "which data"),
        (["check", "nowhere"], "no such directory"),
        (["check", "x" * 5000], "no such directory"),
        (["check", "empty"], "holds no images"),
        (["check", "empty", "empty"], "one directory at a time"),
        (["check", "empty", "dataset=mnist"], "one data set at a time"),
        (["check", "dataset=mnits"], "dataset=mnist"),
        (["check", "empty", "sise=3"], "dataset.size"),
        (["check", "empty", "size=big"], "whole number"),
        (["check", "empty", "size=0"], "size"),
        (["check", "dataset=folder"], "dataset.path"),
        (["check", "--nonsense"], "--help"),
        (["preview", "empty", "--out", "x.jpg"], ".png"),
        (["preview", "empty", "-n", "0"], "whole number"),
        (["preview", "dataset=digits", "augment=nope"], "augment"),
        (["preview", "dataset=digits", "task=colorize"], "colours"),
        (["chekc"], "gan data check"),
    ],
)
def test_mistakes_have_one_line(argv: list[str], why: str, data: Run, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    code, out, err = data(*argv)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1


def test_data_sets_that_are_no_directories(data: Run):
    code, out, _ = data("check", "dataset=digits", "split=test")
    assert code == 0
    assert "359 samples" in out
    assert told(out, "Classes").startswith("10: 0 27, 1 21")
    assert told(out, "Copies") == "none"
    assert told(out, "Train") == "gan train dataset=digits dataset.split=test"
    code, out, _ = data("check", "dataset=ring")
    assert code == 0
    assert told(out, "Density") == "known exactly"


def shown(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_preview_shows_every_picture_as_it_is_decoded(data: Run, tmp_path: Path):
    for i in range(4):
        Image.new("RGB", (40, 20), (60 * i, 20, 10)).save(tmp_path / f"{i}.png")
    code, out, _ = data("preview", ".", "--out", "p.png", "size=16")
    assert code == 0
    assert out == "p.png: 4 of 4, 3×16×16\n"
    colours = {tuple(c) for c in shown(tmp_path / "p.png").reshape(-1, 3).tolist()}
    assert colours == {(60 * i, 20, 10) for i in range(4)} | {(104, 104, 104)}


def test_the_preview_goes_where_it_is_told_or_is_named_by_the_data(data: Run, tmp_path: Path):
    picture(tmp_path / "my photos/a.png")
    assert data("preview", "my photos")[0] == 0
    assert (tmp_path / "outputs/data/my-photos.png").is_file()
    assert data("preview", "dataset=digits", "-n", "4")[0] == 0
    assert (tmp_path / "outputs/data/digits.png").is_file()
    (tmp_path / "file").write_text("")
    assert data("preview", "dataset=digits", "--out", "file/x.png")[0] == 6


def test_the_preview_shows_what_augment_and_mirror_do(data: Run, tmp_path: Path):
    Image.fromarray(np.repeat(np.arange(0, 256, 16, np.uint8)[None], 16, 0)).save(
        tmp_path / "a.png"
    )
    settings = ["size=16", "channels=1", "-n", "1"]
    data("preview", ".", "--out", "plain.png", *settings)
    data("preview", ".", "--out", "noisy.png", "augment=instance_noise", *settings)
    plain, noisy = shown(tmp_path / "plain.png"), shown(tmp_path / "noisy.png")
    assert plain.shape == noisy.shape
    assert (plain != noisy).any()
    flipped, seed = set(), 0
    while len(flipped) < 2:
        data("preview", ".", "--out", "m.png", "mirror=true", "--seed", str(seed), *settings)
        flipped.add((shown(tmp_path / "m.png") == plain).all())
        seed += 1
        assert seed < 20


def test_the_same_preview_twice_is_the_same(data: Run, tmp_path: Path):
    for name in ("a", "b"):
        data("preview", "dataset=digits", "augment=diffaugment", "--out", f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pairs_stand_side_by_side(data: Run, tmp_path: Path):
    Image.new("RGB", (16, 16), (200, 10, 10)).save(tmp_path / "a.png")
    code, _, err = data("preview", ".", "task=colorize", "--out", "p.png", "size=16")
    assert (code, err) == (0, "")
    image = shown(tmp_path / "p.png")
    left, right = image[len(image) // 2, 20], image[len(image) // 2, -20]
    assert left[0] == left[1] == left[2]
    assert right.tolist() == [200, 10, 10]


def test_classes_are_sorted_where_the_task_asks_for_them(data: Run, tmp_path: Path):
    for i in range(12):
        Image.new("L", (8, 8), 255 * (i % 2)).save(tmp_path / f"{i}.png")
        (tmp_path / f"c{i % 2}").mkdir(exist_ok=True)
        (tmp_path / f"{i}.png").rename(tmp_path / f"c{i % 2}/{i}.png")
    settings = ["size=8", "channels=1", "task=label", "-n", "12", "--out", "p.png"]
    code, out, _ = data("preview", ".", *settings)
    assert code == 0
    assert "sorted by their 2 classes" in out
    image = shown(tmp_path / "p.png")
    assert (image[: len(image) // 2 - 5] < 110).all()


@pytest.mark.parametrize("name", ["ring", "gaussian", "points"])
def test_points_have_a_preview_too(name: str, data: Run, tmp_path: Path):
    assert data("preview", f"dataset={name}", "-n", "500", "--out", "p.png")[0] == 0
    assert shown(tmp_path / "p.png").std() > 0


def test_help_needs_nothing_heavy():
    code = (
        "import sys\nfrom gan_cli.cli import main\n"
        "for argv in (['data'], ['data', '--help']): assert main(argv) == 0\n"
        "try: main(['data', 'check', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'hydra', 'numpy', 'PIL', 'omegaconf'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "preview" in done.stdout


def test_the_tab_key_knows_it():
    assert candidates("gan da") == ["data"]
    assert candidates("gan data ") == ["check", "preview"]
    assert "dataset=mnist" in candidates("gan data check dataset=mn")


def test_randomness_is_left_alone_by_a_census(tmp_path: Path):
    picture(tmp_path / "a.png")
    before = torch.random.get_rng_state()
    census(Listing.scan(tmp_path), Folder(str(tmp_path)).decode())
    assert torch.equal(torch.random.get_rng_state(), before)
