"""`gan sample` of classes: those that are asked for, by name or number, a row of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli import build, container
from gan_cli.errors import UserMistake
from gan_cli.sample import main
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.wish import Wish, labels_of

ARGS = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
NAMES = ("cat", "dog", "owl-2", "7", "fox")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of 8×8 images of five classes, in the working directory."""
    monkeypatch.chdir(tmp_path)
    space = Space((1, 8, 8), NAMES)
    condition = build.component("condition", "concat", {})
    torch.manual_seed(0)
    net = condition.generator(build.component("model", "mlp", ARGS), space)
    meta = {
        "kind": "generator",
        "step": 12,
        "model": {"name": "mlp", "args": ARGS},
        "condition": {"name": "concat", "args": {}},
        "prior": {"name": "normal", "args": {"std": 1.0}},
        "task": {"name": "label", "args": {}},
        "space": {"shape": [1, 8, 8], "classes": list(NAMES)},
    }
    tensors = {f"G_ema/{key}": value for key, value in net.state_dict().items()}
    container.write("generator.safetensors", tensors, meta)
    return "generator.safetensors"


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ("dog", [1]),
        ("1", [1]),
        ("7", [3]),  # a name first, a number else
        ("owl-2", [2]),
        ("0-2", [0, 1, 2]),
        ("dog-fox", [1, 2, 3, 4]),
        ("fox,0-1", [4, 0, 1]),
    ],
)
def test_classes_by_name_and_by_number(file, asked, labels):
    assert labels_of(Wish(Path(file), classes=asked), Sampler.load(file)) == labels


@pytest.mark.parametrize("asked", ["bat", "5", "-1", "2-0", "", "cat,,dog", "99999999999"])
def test_what_is_no_class_is_refused_with_those_there_are(file, asked):
    with pytest.raises(UserMistake, match="there is no such class; it knows cat, dog"):
        labels_of(Wish(Path(file), classes=asked), Sampler.load(file))


def test_a_row_of_each_class_of_the_same_codes(file):
    sampler = Sampler.load(file)
    x = torch.cat(list(sampler.rows([3, 1], 5, seed=2)))
    z = sampler.codes(range(5), 2)
    assert torch.equal(x[:5], sampler.generate(z, torch.full((5,), 3)))
    assert torch.equal(x[5:], sampler.generate(z, torch.full((5,), 1)))
    assert not torch.equal(x[:5], x[5:])


def test_an_array_holds_the_labels_that_were_asked_for(file):
    assert main(["--ckpt", file, "--classes", "dog,fox", "-n", "6", "--out", "x.npz"]) == 0
    with np.load("x.npz") as found:
        assert found["labels"].tolist() == [1, 1, 1, 4, 4, 4]
        assert found["images"].shape == (6, 8, 8, 1)
    assert main(["--ckpt", file, "-n", "6", "--out", "y.npz"]) == 0
    with np.load("y.npz") as found:
        assert found["labels"].tolist() == [0, 1, 2, 3, 4, 0]


def test_the_picture_shows_all_classes_unless_a_number_is_said(file, capsys):
    assert main(["--ckpt", file]) == 0
    assert "40 samples" in capsys.readouterr().out
    assert main(["--ckpt", file, "--class", "cat"]) == 0
    assert "8 samples" in capsys.readouterr().out
    assert main(["--ckpt", file, "-n", "9"]) == 0
    assert "9 samples" in capsys.readouterr().out
    assert {path.name for path in Path().glob("*.png")} == {
        "sample-step12-seed0.png",
        "sample-step12-seed0-classcat.png",
        "sample-step12-seed0-9.png",
    }


def test_a_number_that_is_no_multiple_is_refused(file):
    with pytest.raises(UserMistake, match="-n a multiple of 2"):
        main(["--ckpt", file, "--classes", "0-1", "-n", "5"])


def test_conditions_and_samples_must_be_as_many(file):
    sampler = Sampler.load(file)
    with pytest.raises(ValueError, match="3 samples want 3 conditions"):
        sampler.sample(3, 0, c=torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="wants to know what is asked for"):
        sampler.generate(torch.zeros(1, 4))


@pytest.mark.parametrize("one", [["--sweep", "0"], ["--neighbours", "dataset=digits"]])
def test_what_is_one_picture_is_written_to_no_other_kind_of_file(file, one):
    with pytest.raises(UserMistake, match="this is one picture"):
        main(["--ckpt", file, *one, "--out", "x.npz"])
    assert not Path("x.npz").exists()


def test_a_sweep_has_so_many_columns_and_no_more(file):
    with pytest.raises(UserMistake, match="at most 1000"):
        main(["--ckpt", file, "--sweep", "0", "--grid", "1x99999"])
