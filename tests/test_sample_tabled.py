"""`gan sample` as a table: seeds, what is between them, truncations, kinds of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import container, paths, wish
from gan_cli.errors import BadFile, UserMistake
from gan_cli.plot.grid import gap_of, pixels
from gan_cli.sample import main
from gan_cli.sample_options import EVERYWHERE, MODES, flag, parser
from gan_cli.sampler import Sampler
from gan_cli.truncation import truncated
from tests.test_sample import left, text, write

SCALE = 4


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of 8×8 images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("generator.safetensors")).name


def tiles(path: str, rows: int, columns: int, top: int = 0) -> np.ndarray:
    """The images of a table, `(rows, columns, 8, 8)`, found from its lower right corner."""
    with Image.open(path) as picture:
        found = np.asarray(picture.convert("L"))
    gap, side = gap_of(8 * SCALE, 8 * SCALE), 8 * SCALE + gap_of(8 * SCALE, 8 * SCALE)
    inside = found[len(found) - rows * side :, found.shape[1] - columns * side :]
    images = inside.reshape(rows, side, columns, side).swapaxes(1, 2)
    assert gap == side - 8 * SCALE
    return images[:, :, : 8 * SCALE : SCALE, : 8 * SCALE : SCALE]


def first_of(seed: int, c: int | None = None) -> np.ndarray:
    sampler = Sampler.load("generator.safetensors")
    label = None if c is None else torch.tensor([c])
    return pixels(sampler.sample(1, seed, c=label))[0, :, :, 0]


def sample(*words: str) -> None:
    assert main(["--ckpt", "generator.safetensors", "--out", "a.png", *words]) == 0


def test_a_row_leads_from_the_sample_of_a_seed_to_that_of_the_next(file: str) -> None:
    sample("--interpolate", "5,1,9", "--steps", "4", "--scale", str(SCALE))
    found = tiles("a.png", 2, 4)
    for row, (a, b) in enumerate([(5, 1), (1, 9)]):
        assert np.array_equal(found[row, 0], first_of(a))
        assert np.array_equal(found[row, -1], first_of(b))
    assert text("a.png")["command"].endswith(f"--scale {SCALE}")


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_the_way_is_the_one_that_is_asked_for(file: str, path: str) -> None:
    sample("--interpolate", "1-2", "--steps", "5", "--path", path, "--scale", str(SCALE))
    sampler = Sampler.load(file)
    a, b = sampler.codes(range(1), 1)[0], sampler.codes(range(1), 2)[0]
    z = paths.between(sampler.prior, a, b, 5, path == "spherical")
    wanted = pixels(sampler.generate(z))[..., 0]
    assert np.array_equal(tiles("a.png", 1, 5)[0], wanted)


def test_the_way_that_suits_the_prior_is_told(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sample("--interpolate", "1-3")
    told = capsys.readouterr().out
    for word in ("a.png", "2 rows of 9", "spherical", "step 12"):
        assert word in told


def test_seeds_are_shown_to_choose_from(file: str) -> None:
    sample("--seeds", "3,7,4", "--scale", str(SCALE))
    found = tiles("a.png", 1, 3)
    for column, seed in enumerate((3, 7, 4)):
        assert np.array_equal(found[0, column], first_of(seed))


def test_a_row_for_each_truncation_of_the_same_codes(file: str) -> None:
    sample("--truncations", "2,0.5,0", "-n", "3", "--seed", "8", "--scale", str(SCALE))
    found = tiles("a.png", 3, 3)
    for row, psi in enumerate((2.0, 0.5, 0.0)):
        wanted = pixels(truncated(Sampler.load(file), psi).sample(3, 8))[..., 0]
        assert np.array_equal(found[row], wanted)
    assert (found[2] == found[2, 0]).all()


def test_truncation_holds_for_what_else_is_drawn(file: str) -> None:
    sample("--truncation", "0", "--grid", "1x2", "--scale", str(SCALE))
    one, other = tiles("a.png", 1, 2)[0]
    assert np.array_equal(one, other)


def test_averaged_weights_stand_above_the_raw_ones(file: str) -> None:
    found = container.read(file)
    raw = {k.replace("G_ema/", "G/"): v + 0.01 for k, v in found.tensors.items()}
    container.write(file, found.tensors | raw, found.meta)
    sample("--ema", "-n", "2", "--scale", str(SCALE))
    above, below = tiles("a.png", 2, 2)
    assert np.array_equal(above, pixels(Sampler.load(file).sample(2, 0))[..., 0])
    assert np.array_equal(below, pixels(Sampler.load(file, raw=True).sample(2, 0))[..., 0])
    assert not np.array_equal(above, below)


def test_a_table_is_the_same_twice(file: str) -> None:
    sample("--interpolate", "1-4")
    first = Path("a.png").read_bytes()
    sample("--interpolate", "1-4")
    assert Path("a.png").read_bytes() == first


def test_by_default_the_name_says_what_it_is(file: str) -> None:
    names = {
        "--seeds 1-3": "seeds1-3",
        "--seeds 1,3": "seeds1,3",
        "--interpolate 1,2,3": "between1-3",
        "--interpolate 3,1": "between3,1",
        "--truncations 1,0.5": "truncations1,0.5",
        "--ema": "ema",
        "--truncation 0.5": "truncation0.5",
        "--truncation 0.5 --seeds 4": "truncation0.5-seeds4",
    }
    found = container.read(file)
    raw = {k.replace("G_ema/", "G/"): v for k, v in found.tensors.items()}
    container.write(file, found.tensors | raw, found.meta)
    for words in names:
        main(["--ckpt", file, *words.split()])
    assert left() == {f"sample-step12-seed0-{name}.png" for name in names.values()}


def test_a_name_of_much_is_short_and_its_own() -> None:
    many = [",".join(map(str, range(first, 2000, 7))) for first in (0, 1)]
    names = {wish.named(words) for words in [*many, "a/b", "a b", "a_b?", "a:b"]}
    assert len(names) == 6
    assert all(len(name) <= wish.NAME and "/" not in name for name in names)
    assert wish.spelt([1, 2, 3]) == "1-3"
    assert wish.spelt([3, 2]) == "3,2"
    assert wish.spelt([5]) == "5"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--interpolate 5", "two seeds"),
        ("--interpolate 5,x", "list of seeds"),
        ("--interpolate 9-1", "from low to high"),
        ("--interpolate 0-99999999", "1000 seeds at most"),
        ("--interpolate 1,2 --steps 1", "whole number from 2"),
        ("--interpolate 1,2 --path round", "linear"),
        ("--interpolate 1,2 --class 3", "knows no classes"),
        ("--interpolate 1,2 --out a.npz", "one picture"),
        ("--interpolate 1,2 --out a.webp", "one picture: --out FILE.png"),
        ("--interpolate 1,2 --scale 9999", "100 million pixels"),
        ("--truncations 1,oops", "0 to 10"),
        ("--truncations 1,0 --truncation 1", "--truncation means nothing to --truncations"),
        ("--truncations -1,2", "'-1' is no number from 0 to 10"),
        ("--truncation -.5", "'-.5' is no number from 0 to 10"),
        ("--seed -1", "'-1' is no whole number from 0"),
        ("--ema", "--ema: this file holds no raw weights"),
        ("--neighbours dataset=digts", "^dataset=digts: .*; did you mean dataset=digits[?]$"),
        ("--neighbours dataset=digits dataset.pth=x", "there is no dataset.pth"),
        ("--sweep 0 -n 5", "-n means nothing to --sweep"),
        ("--sweep 0 --scale 2 --batch 8 --force", "--force means nothing to --sweep"),
        ("--neighbours dataset=digits --grid 2x2", "--grid means nothing to --neighbours"),
        ("--walk --sweep 0", "one at a time"),
        ("--steps 4", "--steps means nothing to samples alone.*--interpolate"),
        ("--fps 4", "--walk, --timelapse"),
        ("--refine-steps 4", "--refine langevin"),
        ("--interpolate 1,2 --refine langevin", "--refine means nothing to --interpolate"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(file: str, args: str, words: str) -> None:
    with pytest.raises(UserMistake, match=words):
        main(["--ckpt", file, *args.split()])
    assert left() == set()


def test_points_are_no_pictures(file: str) -> None:
    write(Path(file), (2,))
    for words in ("--seeds 1", "--interpolate 1,2", "--truncations 1", "--ema", "--walk"):
        with pytest.raises(UserMistake, match="make images"):
            main(["--ckpt", file, *words.split()])


def test_every_option_has_a_mode_that_knows_it() -> None:
    options = {action.dest for action in parser()._actions} - {"help"}
    known = {name for mode in MODES.values() for name in mode.knows}
    assert options == known | EVERYWHERE | (MODES.keys() & options)
    strings = {text for action in parser()._actions for text in action.option_strings}
    assert {flag(name) for name in options} <= strings


def test_a_run_that_is_not_there_is_told_with_those_that_are(file: str) -> None:
    with pytest.raises(BadFile, match="nope: No such file or directory; gan train"):
        main(["--ckpt", "nope"])
    Path("outputs/a run/checkpoints").mkdir(parents=True)
    with pytest.raises(BadFile, match="there are 'outputs/a run'"):
        main(["--ckpt", "nope"])
