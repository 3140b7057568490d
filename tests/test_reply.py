"""`gan sample --input` and `--from`: a user's own images, and what is answered to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import build, container
from gan_cli.errors import BadFile, UserMistake
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from gan_cli.space import Space

TASK = {"name": "denoise", "args": {}}


def picture(path: str, size: int = 20, seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size + 4, 3), dtype=np.uint8)
    Path(path).parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def generator(name: str, seed: int = 0, task: str = "denoise") -> str:
    """A generator of 8×8 images out of noisy ones."""
    spec = {k: v for k, v in build.compose("model=unet")["model"].items() if k != "_target_"}
    spec["width"] = 4
    tasked = build.component("task", task, {})
    shape, given = tasked.shapes((1, 8, 8))
    torch.manual_seed(seed)
    condition = build.component("condition", "concat", {})
    net = condition.generator(build.component("model", "unet", spec), Space(shape, (), given))
    meta = {
        "kind": "generator",
        "step": 3,
        "model": {"name": "unet", "args": spec},
        "condition": {"name": "concat", "args": {}},
        "prior": {"name": "normal", "args": {}},
        "task": {"name": task, "args": {}},
        "space": {"shape": list(shape), "classes": [], "given": list(given), "data": [1, 8, 8]},
    }
    tensors = {f"G_ema/{key}": value for key, value in net.state_dict().items()}
    container.write(name, tensors, meta)
    return name


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The generator, and a directory of three images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for index in range(3):
        picture(f"images/{index}.png", seed=index)
    return generator("g.safetensors")


def test_answers_stand_beside_what_was_given(file, capsys):
    assert main(["--ckpt", file, "--input", "images", "--out", "a.png"]) == 0
    told = capsys.readouterr().out
    assert "answers to 3 of 3 images" in told
    assert "psnr" not in told.lower()  # nobody knows the truth
    with Image.open("a.png") as image:
        assert image.size[1] > 3 * 100


def test_of_whole_images_the_truth_is_known_and_answers_are_measured(file, capsys):
    other = generator("h.safetensors", seed=1)
    args = ["--ckpt", file, "--from", "images", "--against", other, "--draws", "2"]
    assert main([*args, "--out", "a.png"]) == 0
    told = capsys.readouterr().out
    assert "psnr" in told.lower()
    assert [line.split("  ")[0].strip() for line in told.splitlines()[2:]] == [
        "by rule",
        "G",
        "h.safetensors",
    ]


def test_single_answers_keep_the_names_of_their_inputs(file):
    assert main(["--ckpt", file, "--from", "images", "--out", "answers"]) == 0
    assert sorted(path.name for path in Path("answers").iterdir()) == ["0.png", "1.png", "2.png"]
    with pytest.raises(UserMistake, match="is there already"):
        main(["--ckpt", file, "--from", "images", "--out", "answers"])
    assert main(["--ckpt", file, "--from", "images/1.png", "--out", "x.npz", "--draws", "3"]) == 0
    with np.load("x.npz") as found:
        assert found["answers"].shape == (1, 3, 8, 8, 1)
        assert found["truth"].shape == (1, 8, 8, 1)
        assert found["names"].tolist() == ["1"]


def test_the_same_seed_gives_the_same_answers(file):
    for name, seed in [("a.npz", 1), ("b.npz", 1), ("c.npz", 2)]:
        main(["--ckpt", file, "--input", "images", "--seed", str(seed), "--out", name])
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert (a["answers"] == b["answers"]).all()


def test_images_of_one_name_and_two_endings_are_answered_apart(file):
    picture("images/0.bmp", seed=7)
    main(["--ckpt", file, "--input", "images", "--out", "answers"])
    assert sorted(path.name for path in Path("answers").iterdir()) == [
        "0.bmp.png",
        "0.png.png",
        "1.png",
        "2.png",
    ]


WRONG = [
    (["--input", "images", "--draws", "99999999999"], "over 16 GiB"),
    (["--neighbours", "dataset=digits"], "given no image"),
    ([], "--input PATH"),
    (["--input", "images", "--from", "images"], "two things"),
    (["--input", "images", "--class", "3"], "--class, --grid and -n"),
    (["--input", "nowhere"], "nowhere: no such file"),
    (["--input", "g.safetensors"], "no image of a kind"),
    (["--from", "images", "--against", "other.safetensors"], "another task"),
    (["--from", "images", "--out", "x.jpg"], "a name that ends in .png"),
]


@pytest.mark.parametrize(("args", "words"), WRONG)
def test_what_cannot_be_answered_is_refused(file, args, words):
    generator("other.safetensors", task="superres")
    before = set(Path().iterdir())
    with pytest.raises((UserMistake, BadFile), match=words):
        main(["--ckpt", file, *args])
    assert set(Path().iterdir()) == before


def test_a_generator_of_nothing_answers_nothing(file):
    args = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
    net = build.component("model", "mlp", args).generator((1, 8, 8))
    meta = {
        "kind": "generator",
        "step": 1,
        "model": {"name": "mlp", "args": args},
        "space": {"shape": [1, 8, 8], "classes": []},
    }
    tensors = {f"G/{key}": value for key, value in net.state_dict().items()}
    container.write("plain.safetensors", tensors, meta)
    with pytest.raises(UserMistake, match="make images from images"):
        main(["--ckpt", "plain.safetensors", "--input", "images"])
    with pytest.raises(ValueError, match="wants to know"):
        Sampler.load(file).sample(2, 0)
