"""`gan sample` as a film: walks that end where they began, and the course of a run."""

from __future__ import annotations

import importlib.util
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from gan_cli import container, paths, state
from gan_cli.errors import UserMistake
from gan_cli.plot import labelled, video
from gan_cli.plot.grid import grid, png
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from tests.hostile import within
from tests.test_sample import left, text, write

AV = importlib.util.find_spec("av") is not None
SHORT = ["--frames", "6", "--scale", "2"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of 8×8 images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("generator.safetensors")).name


@pytest.fixture
def run(file: str) -> Path:
    """A run of three checkpoints that differ."""
    found = container.read(file)
    folder = Path("run/checkpoints")
    folder.mkdir(parents=True)
    for step in (10, 20, 30):
        tensors = {k: v * (1 + step / 20) for k, v in found.tensors.items()}
        meta = found.meta | {"kind": "train", "step": step}
        container.write(state.path_of(folder, step), tensors, meta)
    Path(file).unlink()
    return Path("run")


def frames(path: str) -> list[np.ndarray]:
    with Image.open(path) as film:
        found = []
        for index in range(getattr(film, "n_frames", 1)):
            film.seek(index)
            found.append(np.asarray(film.convert("RGB")))
        return found


def walk(file: str, *words: str) -> None:
    assert main(["--ckpt", file, "--walk", *words]) == 0


# ── walks ───────────────────────────────────────────────────────────────────────────────────────


def test_a_walk_shows_the_samples_along_its_way(file: str) -> None:
    walk(
        file, "--seeds", "3,5,9", "--frames", "6", "--grid", "1x2", "--scale", "2", "--out", "a.gif"
    )
    sampler = Sampler.load(file)
    knots = torch.stack([sampler.codes(range(2), seed) for seed in (3, 5, 9)])
    ways = [paths.loop(sampler.prior, knots[:, i], 6, spherical=True) for i in range(2)]
    found = frames("a.gif")
    assert len(found) == 6
    for index, frame in enumerate(found):
        x = sampler.generate(torch.stack([way[index] for way in ways]))
        assert np.array_equal(frame, grid(x, 2, 2))


def test_a_walk_through_named_seeds_is_one_and_else_several(file: str) -> None:
    walk(file, *SHORT, "--out", "a.gif")
    walk(file, *SHORT, "--seeds", "1,2", "--out", "b.gif")
    assert frames("a.gif")[0].shape == (3 * 17 + 1, 3 * 17 + 1, 3)
    assert frames("b.gif")[0].shape == (18, 18, 3)


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_a_film_plays_for_ever_and_says_where_it_comes_from(file: str, kind: str) -> None:
    walk(file, *SHORT, "--fps", "8", "--out", f"a.{kind}")
    with Image.open(f"a.{kind}") as film:
        assert film.info["loop"] == 0
        seconds = 0.0
        for index in range(6):
            film.seek(index)
            film.load()
            seconds += film.info["duration"] / 1000
        film.seek(0)
        told = (
            film.getexif()[video.DESCRIPTION] if kind == "webp" else film.info["comment"].decode()
        )
    assert abs(seconds - 6 / 8) < 0.011
    assert container.read(file).sha256 in told


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_the_same_walk_is_the_same_file(file: str, kind: str) -> None:
    films = []
    for batch in ("8", "64"):
        walk(file, *SHORT, "--batch", batch, "--out", f"a.{kind}")
        films.append(frames(f"a.{kind}"))
    assert np.array_equal(films[0], films[1])
    first = Path(f"a.{kind}").read_bytes()
    walk(file, *SHORT, "--batch", "64", "--out", f"a.{kind}")
    assert Path(f"a.{kind}").read_bytes() == first


@pytest.mark.skipif(not AV, reason="PyAV is not installed")
def test_an_mp4_is_one_that_every_player_knows(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import av

    walk(file, "--frames", "6", "--scale", "3", "--grid", "1x1", "--fps", "12", "--out", "a.mp4")
    assert "MP4 by" in capsys.readouterr().out
    with av.open("a.mp4") as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (26, 26)
        assert stream.average_rate == 12
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert container.read(file).sha256 in film.metadata["comment"]
        found = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    walk(file, "--frames", "6", "--scale", "3", "--grid", "1x1", "--out", "a.gif")
    assert len(found) == 6
    for a, b in zip(found, frames("a.gif"), strict=True):
        assert abs(a.astype(int) - b).mean() < 6


@pytest.mark.skipif(not AV, reason="PyAV is not installed")
def test_odd_sides_become_even_at_the_lower_right(file: str) -> None:
    import av

    frame = np.random.default_rng(0).integers(0, 255, (15, 17, 3), np.uint8)
    data, _ = video.film([frame] * 2, ".mp4", video.Clip(5))
    Path("a.mp4").write_bytes(data)
    with av.open("a.mp4") as film:
        assert next(film.decode(video=0)).to_ndarray(format="rgb24").shape == (16, 18, 3)


def test_without_pyav_a_film_is_webp_and_mp4_says_what_to_install(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "_there", lambda: False)
    walk(file, *SHORT)
    assert left() == {"sample-step12-seed0-walk.webp"}
    with pytest.raises(UserMistake, match=r"gan-cli\[video\]"):
        walk(file, *SHORT, "--out", "a.mp4")


def test_without_an_encoder_it_says_so(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not AV:
        pytest.skip("PyAV is not installed")
    monkeypatch.setattr(video, "ENCODERS", ("no such codec",))
    with pytest.raises(UserMistake, match=r"no encoder.*FILE\.webp"):
        walk(file, *SHORT, "--out", "a.mp4")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--walk --out a.png", "FILE.gif, FILE.mp4, FILE.webp"),
        ("--walk --out films", "this is one file"),
        ("--walk --seeds 3", "two seeds"),
        ("--walk --frames 1", "whole number from 2"),
        ("--walk --frames 9999999 --out a.gif", "fewer --frames"),
        ("--walk -n 3", "-n means nothing to --walk"),
        ("--timelapse", "two checkpoints or more, and .* holds 0.*keep=20"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(file: str, args: str, words: str) -> None:
    with pytest.raises(UserMistake, match=words):
        main(["--ckpt", file, *args.split()])
    assert left() == set()


# ── the course of a run ─────────────────────────────────────────────────────────────────────────


def lapse(run: Path, *words: str) -> None:
    assert main(["--ckpt", str(run), "--timelapse", *words]) == 0


def test_every_checkpoint_is_a_frame_with_its_step(run: Path) -> None:
    lapse(run, "--grid", "2x2", "--scale", "2", "--seed", "7", "--out", "a.gif")
    found = frames("a.gif")
    assert len(found) == 3
    for frame, step in zip(found, (10, 20, 30), strict=True):
        x = Sampler.load(state.path_of(run / "checkpoints", step)).sample(4, 7)
        assert np.array_equal(frame, labelled.captioned(grid(x, 2, 2), f"step {step}", step / 30))
    with Image.open("a.gif") as film:
        film.seek(2)
        film.load()
        assert film.info["duration"] > 2000


def test_a_picture_has_a_column_for_each_checkpoint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lapse(run, "-n", "2", "--scale", "2", "--out", "a.png")
    columns = [Sampler.load(path).sample(2, 0) for path in sorted((run / "checkpoints").iterdir())]
    x = torch.stack(columns, 1).flatten(0, 1)
    with Image.open("a.png") as picture:
        found = np.asarray(picture.convert("RGB"))
    assert np.array_equal(found, labelled.table(x, 3, 2, [], ["10", "20", "30"]))
    assert "3 checkpoints" in capsys.readouterr().out
    assert text("a.png")["step"] == "30"


def test_a_torn_checkpoint_is_passed_over_and_told(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.path_of(run / "checkpoints", 20).write_bytes(b"torn")
    lapse(run, "--scale", "1", "--out", "a.gif")
    said = capsys.readouterr()
    assert len(frames("a.gif")) == 2
    assert "2 checkpoints" in said.out
    assert "step-00000020" in said.err


def test_pictures_of_training_stand_in_for_checkpoints_that_are_gone(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "samples").mkdir()
    for step in (5, 10, 15, 20, 25, 30):
        picture = np.full((20, 20, 3), 8 * step, np.uint8)
        (run / "samples" / f"step-{step:08d}.png").write_bytes(png(picture, {}))
    lapse(run, "--out", "a.gif")
    assert "6 pictures that training drew" in capsys.readouterr().out
    assert [int(frame[-1, 0, 0]) for frame in frames("a.gif")] == [40, 80, 120, 160, 200, 240]
    lapse(run, "--out", "a.png")
    with Image.open("a.png") as strip:
        assert strip.width == 4 * 20
    lapse(run, "-n", "2", "--out", "b.gif")  # which those pictures can't show
    assert "3 checkpoints" in capsys.readouterr().out.splitlines()[-1]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sized(side: int) -> bytes:
    """A PNG that says to be so large, and is short."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def with_a_bomb() -> bytes:
    """A PNG with a text that is short as long as it is packed."""
    whole = png(np.zeros((20, 20, 3), np.uint8), {})
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26), 9))
    return whole[:33] + text + whole[33:]


def bitmap() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "BMP")
    return file.getvalue()


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (POSTSCRIPT, "cannot identify"),
        (bitmap(), "cannot identify"),
        (None, "no regular file"),
        (sized(60_000), "pixels"),
        (sized(10_000), "pixels"),
        (sized(8_000), "pixels"),
        (with_a_bomb(), "too large"),
        (b"", "cannot identify"),
    ],
    ids=["eps", "bmp", "pipe", "60000", "10000", "8000", "ztxt", "empty"],
)
def test_what_is_no_picture_of_training_is_passed_over_in_a_line(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes | None,
    words: str,
) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("a program is run"))
    (run / "samples").mkdir()
    for step in (5, 10, 15, 20, 25, 30):
        path = run / "samples" / f"step-{step:08d}.png"
        path.write_bytes(png(np.full((20, 20, 3), 8 * step, np.uint8), {}))
    evil = run / "samples" / "step-00000015.png"
    evil.unlink()
    if data is None:
        os.mkfifo(evil)
    else:
        evil.write_bytes(data)
    with within(10):
        lapse(run, "--out", "a.gif")
    said = capsys.readouterr()
    assert "5 pictures that training drew" in said.out
    assert len(frames("a.gif")) == 5
    [line] = [line for line in said.err.splitlines() if "step-00000015.png" in line]
    assert words in line.lower()  # as Pillow of the day spells it
    assert "Warning" not in said.err
