"""`gan sample`: what is asked for is written, said, and nothing else."""

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

from gan_cli import __version__, build, container, disk, state
from gan_cli.draw import Wish, draw
from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from tests.conftest import ROOT, Result

ARGS = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}


def write(
    path: Path, shape: tuple[int, ...] = (1, 8, 8), kind: str = "generator", **space: Any
) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build.component("model", "mlp", ARGS).generator(shape)
    tensors = {f"G_ema/{key}": value for key, value in net.state_dict().items()}
    meta = {
        "kind": kind,
        "step": 12,
        "images": 768,
        "model": {"name": "mlp", "args": ARGS},
        "space": {"shape": list(shape), "classes": [], **space},
    }
    container.write(path, tensors, meta)
    return path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of 8×8 images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("generator.safetensors")).name


def left(directory: Path = Path()) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"generator.safetensors"}


def text(path: str | Path) -> dict[str, str]:
    with Image.open(path) as image:
        found: dict[str, str] = image.text  # type: ignore[attr-defined]
        return found


# ── what is written ─────────────────────────────────────────────────────────────────────────────


def test_a_grid_says_where_it_comes_from(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--ckpt", file, "--grid", "2x5", "--seed", "3", "--out", "a b.png"]
    assert main(args) == 0
    assert left() == {"a b.png"}
    assert text("a b.png") == {
        "seed": "3",
        "checkpoint": container.read(file).sha256,
        "step": "12",
        "weights": "averaged",
        "command": shlex.join(["gan", "sample", *args]),
        "gan": __version__,
    }
    told = capsys.readouterr().out
    for word in ("a b.png", "10 samples", "1x8x8", "step 12", "averaged", "seed 3"):
        assert word in told


def test_the_command_in_a_picture_draws_it_again(file: str) -> None:
    main(["--ckpt", file, "-n", "5", "--seed", "9", "--scale", "2", "--out", "a.png"])
    first, command = Path("a.png").read_bytes(), text("a.png")["command"]
    Path("a.png").unlink()
    main(shlex.split(command)[2:])
    assert Path("a.png").read_bytes() == first


def test_the_batch_size_changes_nothing(file: str) -> None:
    for batch in (1, 7, 64):
        main(["--ckpt", file, "-n", "20", "--batch", str(batch), "--out", f"{batch}.npz"])
    with np.load("1.npz") as a, np.load("7.npz") as b, np.load("64.npz") as c:
        assert np.array_equal(a["images"], b["images"])
        assert np.array_equal(a["images"], c["images"])


def test_an_array_of_images(file: str) -> None:
    main(["--ckpt", file, "-n", "3", "--seed", "1", "--out", "a.npz"])
    with np.load("a.npz", allow_pickle=False) as found:
        assert found["images"].dtype == np.uint8
        assert found["images"].shape == (3, 8, 8, 1)
        assert found["seed"] == 1
        assert found["checkpoint"] == container.read(file).sha256
        assert "labels" not in found
        wanted = ((Sampler.load(file).sample(3, 1) + 1) * 127.5).round().permute(0, 2, 3, 1)
        assert np.array_equal(found["images"], wanted.numpy())


def test_labels_go_with_an_array(file: str) -> None:
    write(Path(file), classes=["cat", "dog"])
    main(["--ckpt", file, "-n", "3", "--out", "a.npz"])
    with np.load("a.npz") as found:
        assert found["labels"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_a_directory_of_single_images(file: str, channels: int, mode: str) -> None:
    write(Path(file), (channels, 8, 6))
    main(["--ckpt", file, "-n", "70", "--out", "new/images"])
    names = sorted(path.name for path in Path("new/images").iterdir())
    assert names == [f"{index:06d}.png" for index in range(70)]
    main(["--ckpt", file, "-n", "70", "--out", "a.npz"])
    images = np.load("a.npz")["images"]
    for index in (0, 69):
        with Image.open(f"new/images/{index:06d}.png") as image:
            assert image.size == (6, 8)
            assert np.array_equal(np.asarray(image).reshape(8, 6, channels), images[index])
            assert image.mode == mode
        assert text(f"new/images/{index:06d}.png")["index"] == str(index)


def test_single_images_can_be_enlarged(file: str) -> None:
    main(["--ckpt", file, "-n", "1", "--scale", "3", "--out", "images"])
    with Image.open("images/000000.png") as image:
        assert image.size == (24, 24)


def test_points_are_a_scatter_plot_or_an_array(file: str) -> None:
    write(Path(file), (2,))
    main(["--ckpt", file])
    assert left() == {"sample-step12-seed0.png"}
    with Image.open("sample-step12-seed0.png") as image:
        assert image.size == (720, 720)
    main(["--ckpt", file, "-n", "10", "--out", "a.npz"])
    assert np.load("a.npz")["points"].shape == (10, 2)
    assert np.load("a.npz")["points"].dtype == np.float32


def test_points_on_a_line_are_a_histogram(file: str) -> None:
    write(Path(file), (1,))
    main(["--ckpt", file])
    with Image.open("sample-step12-seed0.png") as image:
        assert image.size == (1000, 500)
        assert len(image.convert("RGB").getcolors(1_000_000)) > 10


def test_points_of_three_numbers_are_an_array(file: str) -> None:
    write(Path(file), (3,))
    main(["--ckpt", file])
    assert np.load("sample-step12-seed0.npz")["points"].shape == (4096, 3)
    with pytest.raises(UserMistake, match=r"FILE\.npz"):
        main(["--ckpt", file, "--out", "a.png"])


# ── where it is written ─────────────────────────────────────────────────────────────────────────


def test_by_default_pictures_of_a_run_go_to_its_samples(file: str) -> None:
    run = Path("runs/a")
    (run / "checkpoints").mkdir(parents=True)
    checkpoint = write(state.path_of(run / "checkpoints", 12), kind="train")
    write(run / "generator.safetensors")
    for number, path in enumerate((run, run / "generator.safetensors", checkpoint)):
        main(["--ckpt", str(path), "--seed", str(number)])
    assert left(run / "samples") == {f"sample-step12-seed{n}.png" for n in range(3)}
    assert {path.name for path in run.iterdir()} == {
        "checkpoints",
        "generator.safetensors",
        "samples",
    }
    assert left(run / "checkpoints") == {checkpoint.name}


def test_by_default_pictures_of_a_file_go_beside_it(file: str) -> None:
    main(["--ckpt", file])
    assert left() == {"sample-step12-seed0.png"}


def test_a_strangers_link_is_not_followed_by_default(file: str) -> None:
    run = Path("run")
    (run / "checkpoints").mkdir(parents=True)
    Path("elsewhere").mkdir()
    (run / "samples").symlink_to(Path("elsewhere").absolute())
    write(run / "generator.safetensors")
    with pytest.raises(UserMistake, match="--out"):
        main(["--ckpt", "run"])
    assert not list(Path("elsewhere").iterdir())


def test_a_picture_given_by_name_replaces_the_old_one_and_no_link_target(file: str) -> None:
    Path("precious").write_text("mine")
    Path("a.png").symlink_to("precious")
    main(["--ckpt", file, "--out", "a.png"])
    assert Path("precious").read_text() == "mine"
    assert text("a.png")["seed"] == "0"


def test_a_directory_with_files_in_it_needs_force(file: str) -> None:
    Path("images").mkdir()
    main(["--ckpt", file, "-n", "2", "--out", "images"])
    Path("images/notes").write_text("mine")
    with pytest.raises(UserMistake, match="--force"):
        main(["--ckpt", file, "-n", "2", "--out", "images"])
    main(["--ckpt", file, "-n", "1", "--seed", "5", "--out", "images", "--force"])
    assert text("images/000000.png")["seed"] == "5"
    assert Path("images/notes").read_text() == "mine"


def test_the_newest_good_checkpoint_and_a_word_about_the_bad_one(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("run/checkpoints")
    folder.mkdir(parents=True)
    write(state.path_of(folder, 12), kind="train")
    state.path_of(folder, 13).write_bytes(b"torn")
    main(["--ckpt", "run"])
    said = capsys.readouterr()
    assert "step 12" in said.out
    assert "step-00000013" in said.err


# ── mistakes ────────────────────────────────────────────────────────────────────────────────────

IMAGES = (1, 8, 8)
POINTS = (2,)


@pytest.mark.parametrize(
    ("shape", "args", "words"),
    [
        (IMAGES, "--grid 2", "ROWSxCOLUMNS"),
        (IMAGES, "--grid 0x2", "ROWSxCOLUMNS"),
        (IMAGES, "--grid 2x2 -n 5", "don't fit"),
        (IMAGES, "--grid 2x2 --out a.npz", "one picture"),
        (IMAGES, "--grid 2x2 --out images", "one picture"),
        (POINTS, "--grid 2x2", "one picture"),
        (POINTS, "--out images", "points are no images"),
        (POINTS, "--scale 2", "--scale"),
        (IMAGES, "--scale 2 --out a.npz", "--scale"),
        (IMAGES, "-n 0", "whole number"),
        (IMAGES, "-n 2.5", "whole number"),
        (IMAGES, "-n 99999999999999999999", "whole number"),
        (IMAGES, "-n 999999999999", "16 GiB"),
        (IMAGES, "-n 1000000", "100 million pixels"),
        (IMAGES, "--scale 9999", "100 million pixels"),
        (IMAGES, "--seed -1", "expected one argument|whole number"),
        (IMAGES, "--batch 0", "whole number"),
        (IMAGES, "--device tpu", "no device"),
        (IMAGES, "--out .", "already"),
        (IMAGES, "--out dir.png", "directory"),
        (IMAGES, "--see 3", "unrecognized"),
        (IMAGES, "extra", "unrecognized"),
        (IMAGES, "--raw", "--raw"),
        ((7, 8, 8), "", "7 channels"),
        ((7, 8, 8), "--out images", "7 channels"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(
    file: str, shape: tuple[int, ...], args: str, words: str
) -> None:
    write(Path(file), shape)
    Path("dir.png").mkdir()
    with pytest.raises(UserMistake, match=words):
        main(["--ckpt", file, *args.split()])
    assert left() == {"dir.png"}


def test_without_a_checkpoint_it_says_what_to_type(file: str) -> None:
    with pytest.raises(UserMistake, match="gan sample --ckpt outputs/RUN"):
        main([])
    for number, run in enumerate(("outputs/old", "outputs/sweep/a new one")):
        (Path(run) / "checkpoints").mkdir(parents=True)
        os.utime(Path(run) / "checkpoints", (number, number))
    with pytest.raises(UserMistake, match="gan sample --ckpt 'outputs/sweep/a new one'"):
        main([])


def test_a_missing_file_is_a_bad_file(file: str) -> None:
    with pytest.raises(BadFile, match="No such file"):
        main(["--ckpt", "gone.safetensors"])


@pytest.mark.parametrize("out", ["file/a.png", "file/images", "file/a.npz"])
def test_a_place_that_cannot_be_written_is_a_disk_failure(
    file: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "RETRY_AFTER", 0)
    Path("file").touch()
    with pytest.raises(DiskFailure, match="can't write"):
        main(["--ckpt", file, "-n", "2", "--out", out])


def test_a_full_device_is_the_users_to_solve(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Sampler, "batches", full)
    with pytest.raises(UserMistake, match="--batch below 64"):
        main(["--ckpt", file])


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def test_exit_codes(gan: Callable[..., Result], tmp_path: Path) -> None:
    write(tmp_path / "g")
    (tmp_path / "torn").write_bytes((tmp_path / "g").read_bytes()[:-1])
    assert gan("sample", "--ckpt", "g", "--device", "cpu").returncode == 0
    for code, *args in ((2, "sample"), (4, "sample", "--ckpt", "torn")):
        done = gan(*args)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
    assert (tmp_path / "sample-step12-seed0.png").exists()


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from gan_cli.sample import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: assert not done.code\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib', 'hydra'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "--ckpt" in done.stdout


@pytest.mark.parametrize("name", ["x.jpg", "x.gif", "x.npy", "-"])
def test_a_name_of_another_kind_of_file_is_not_made_a_directory(name, tmp_path):
    loaded = Sampler.load(ROOT / "tests" / "fixtures" / "v1" / "generator.safetensors")
    with pytest.raises(UserMistake, match="ends in .png"):
        draw(Wish(ckpt=tmp_path, out=tmp_path / name), loaded)
    assert not list(tmp_path.iterdir())
