"""Inverting: what G has made is found again, and what it could not make is met halfway."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_cli import build, cli, container, grounds
from gan_cli.errors import BadFile, UserMistake
from gan_cli.invert import _share
from gan_cli.latent import Inversion, invert
from gan_cli.metric.picture import psnr
from gan_cli.model import Generator
from gan_cli.plot import labelled
from gan_cli.plot.grid import pixels
from gan_cli.prior.codes import Codes
from gan_cli.prior.uniform import Uniform
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from tests.hostile import within
from tests.test_refine import TINY

SHAPE = (1, 12, 12)
QUICK = Inversion(steps=150, restarts=4, drawn=128)


class Tied(Generator):
    """G of classes: the label beside z."""

    def __init__(self, inner: Generator, classes: int):
        super().__init__()
        self.inner, self.classes, self.z_dim = inner, classes, inner.z_dim - classes

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        assert c is not None
        hot = torch.nn.functional.one_hot(c, self.classes).float()
        out: Tensor = self.inner(torch.cat([z, 2 * hot], 1))
        return out


def sampler(classes: tuple[str, ...] = (), **more: object) -> Sampler:
    torch.manual_seed(5)
    arguments = {"z_dim": 6 + len(classes), "width": 64, "depth": 2, "g_norm": "none"}
    G = build.component("model", "mlp", arguments).generator(SHAPE)
    for p in G.parameters():
        torch.nn.init.normal_(p, std=0.25)
    G.requires_grad_(False)
    return Sampler(Tied(G, len(classes)) if classes else G, Space(SHAPE, classes), **more)  # type: ignore[arg-type]


def test_what_g_has_made_is_found_again():
    G = sampler()
    x = G.sample(3, 7)
    found = invert(G, x, [], how=QUICK)
    assert float(psnr(found.x, x).min()) > 30
    assert torch.equal(found.x, G.generate(found.z))
    assert torch.allclose(found.z, G.codes(range(3), 7), atol=0.5)


def test_the_class_is_found_too():
    G = sampler(("cat", "dog", "owl"))
    c = torch.tensor([2, 0, 1])
    x = G.sample(3, 7, c=c)
    found = invert(G, x, [0, 1, 2], how=QUICK)
    assert found.c is not None
    assert torch.equal(found.c, c)
    assert float(psnr(found.x, x).min()) > 30
    wrong = invert(G, x[:1], [1], how=QUICK)
    assert wrong.c is not None
    assert wrong.c.tolist() == [1]
    assert float(psnr(wrong.x, x[:1])) < float(psnr(found.x[:1], x[:1]))


def test_codes_stay_where_the_prior_has_them():
    G = sampler(prior=Uniform(0.5))
    x = 2.5 * G.sample(2, 7)  # further than any code leads
    assert float(invert(G, x, [], how=QUICK).z.abs().max()) <= 0.5
    G = sampler(prior=Codes((3,), 1))
    x = G.sample(2, 7)
    z = invert(G, x, [], how=QUICK).z
    assert sorted(z[0, :3].tolist()) == [0, 0, 1]
    assert float(z[:, 3].abs().max()) <= 1


def test_what_is_unlikely_is_told():
    G = sampler()
    z = torch.stack([torch.zeros(6), G.codes(range(1), 3)[0], torch.full((6,), 4.0)])
    found = invert(G, G.generate(z), [], how=QUICK)
    assert found.likelier[0] > found.likelier[2]
    assert float(found.likelier[2]) < 0.05
    assert torch.allclose(found.surprise, found.z.square().sum(1) / 2)
    timid = invert(G, G.generate(z), [], how=Inversion(150, 4, 128, noise=5.0))
    assert float(timid.surprise.sum()) < float(found.surprise.sum())


def test_codes_are_a_function_of_the_image_and_the_seed():
    G = sampler()
    x = G.sample(3, 7) + 0.2
    how = Inversion(steps=20, restarts=2, drawn=64)
    all_of_them = invert(G, x, [], 1, how)
    assert torch.equal(invert(G, x[1:2], [], 1, how).z, all_of_them.z[1:2])
    assert not torch.equal(invert(G, x, [], 2, how).z, all_of_them.z)


def test_more_steps_and_restarts_are_no_worse():
    G = sampler()
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def cost(how: Inversion) -> Tensor:
        found = invert(G, x, [], how=how)
        return (found.x - x).flatten(1).square().sum(1) / (2 * how.noise**2) + found.surprise

    least = cost(Inversion(steps=1, restarts=1, drawn=64))
    more = cost(Inversion(steps=60, restarts=1, drawn=64))
    most = cost(Inversion(steps=60, restarts=8, drawn=64))
    assert (more < least).all()
    assert (most <= more + 1e-2).all()


@pytest.mark.parametrize(
    "how",
    [
        lambda: Inversion(steps=0),
        lambda: Inversion(restarts=0),
        lambda: Inversion(restarts=9, drawn=8),
        lambda: Inversion(lr=0.0),
        lambda: Inversion(noise=-1.0),
    ],
)
def test_impossible_settings_are_refused(how):
    with pytest.raises(ValueError, match="above 0|or more"):
        how()


def test_answers_to_images_are_not_inverted():
    G = Sampler(sampler().generator, Space(SHAPE, given=SHAPE))
    with pytest.raises(UserMistake, match="--input"):
        invert(G, torch.zeros(1, *SHAPE), [])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator's file of classes."""
    run = tmp_path_factory.mktemp("run") / "run"
    assert cli.main(["train", *TINY, "task=label", "steps=4", f"run_dir={run}"]) == 0
    return run


def drawn(file: Path, folder: Path, n: int = 2) -> list[Path]:
    """Samples as pictures."""
    folder.mkdir()
    for i, image in enumerate(pixels(Sampler.load(file).sample(n, 3))):
        Image.fromarray(image[:, :, 0]).save(folder / f"{i}.png")
    return [folder / f"{i}.png" for i in range(n)]


FEW = ["--steps", "5", "--restarts", "2", "--device", "cpu"]


def test_the_verb_writes_a_picture_and_codes(file: Path, tmp_path: Path, capsys):
    drawn(file, tmp_path / "in", 3)
    out, codes = tmp_path / "out.png", tmp_path / "codes.npz"
    args = ["invert", str(tmp_path / "in"), "--ckpt", str(file), *FEW, "--seed", "2"]
    assert cli.main([*args, "--out", str(out), "--save", str(codes), "--scale", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:4]] == ["0.png", "1.png", "2.png", "mean"]
    assert "PSNR" in said[0]
    assert ", class " in said[0]
    assert "likelier than" in said[0]
    with Image.open(out) as picture:
        assert picture.info["command"].startswith("gan invert")
        width, height = picture.size
    _, tall, wide = Sampler.load(file).space.shape
    assert height > 3 * 2 * tall + labelled.SIZE, "three rows, and names above the columns"
    assert width > 3 * 2 * wide + 3 * labelled.SIZE, "three columns, and names before the rows"
    held = np.load(codes)
    sampler = Sampler.load(file)
    x = sampler.generate(torch.from_numpy(held["z"]), torch.from_numpy(held["labels"]))
    assert x.shape == (3, *sampler.space.shape)
    assert list(held["names"]) == ["0.png", "1.png", "2.png"]
    assert held["psnr"].shape == (3,)
    before = out.read_bytes(), held["z"].copy()
    assert cli.main([*args, "--out", str(out), "--save", str(codes), "--scale", "2"]) == 0
    assert (np.load(codes)["z"] == before[1]).all()


def test_a_class_can_be_named(file: Path, tmp_path: Path, capsys):
    path = drawn(file, tmp_path / "in")[0]
    out = str(tmp_path / "o.png")
    args = ["invert", str(path), "--ckpt", str(file), *FEW, "--out", out]
    assert cli.main([*args, "--class", "3"]) == 0
    assert ", class 3," in capsys.readouterr().out
    assert cli.main([*args, "--class", "fish"]) == 2
    assert "no such class" in capsys.readouterr().err


def test_without_a_place_it_goes_into_the_run(file: Path, tmp_path: Path):
    path = drawn(file, tmp_path / "in")[0]
    assert cli.main(["invert", str(path), "--ckpt", str(file), *FEW, "--class", "1"]) == 0
    assert list((file / "samples").glob("*-inverted-0.png"))
    other = path.rename(path.with_name("a cat.png"))
    args = ["--ckpt", str(file), *FEW, "--class", "1"]
    assert cli.main(["invert", str(other), *args]) == 0
    assert cli.main(["invert", str(other), str(path.with_name("1.png")), *args]) == 0
    found = sorted((file / "samples").glob("*-inverted-*.png"))
    names = {one.stem.partition("-inverted-")[2] for one in found}
    assert names == {"0", "a_cat", "a_cat-and-1-more"}


def test_grounds_that_differ_are_told():
    dark = sampler()
    with torch.no_grad():
        for p in dark.generator.parameters():
            p.zero_()
        list(dark.generator.parameters())[-1].fill_(-5.0)
    line = torch.zeros(1, *SHAPE)
    line[..., 5] = 2
    x = torch.cat([line - 1, 1 - line, torch.ones(1, *SHAPE)])
    told = grounds.notes(dark, x, ["same", "other", "blank"])
    assert len(told) == 2
    assert told[0] == (
        "other: the picture is dark on light, and the samples are light on dark: invert its colours"
    )
    assert told[1] == "blank is of one colour once what is transparent is laid on white"
    assert grounds.notes(dark, x.repeat(1, 2, 1, 1), ["a", "b", "c"]) == []


def test_what_is_white_on_nothing_is_told(file: Path, tmp_path: Path, capsys):
    image = Image.new("RGBA", (9, 9), (255, 255, 255, 0))
    image.putpixel((4, 4), (255, 255, 255, 255))
    image.save(tmp_path / "white.png")
    words = [str(tmp_path / "white.png"), "--ckpt", str(file), *FEW]
    assert cli.main(["invert", *words, "--out", str(tmp_path / "o.png")]) == 0
    assert "note: white.png is of one colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "words"), [(0.0, "hardly any"), (0.42, "42 %"), (0.99, "99 %"), (1.0, "nearly all")]
)
def test_a_share_is_told_in_words(part: float, words: str):
    assert _share(part) == words


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["nowhere.png"], 4, "nowhere.png: no such file"),
        (["x" * 5000], 4, "too long"),
        (["--steps", "0"], 2, "--steps"),
        (["--restarts", "x"], 2, "--restarts"),
        (["--noise", "0"], 2, "--noise"),
        (["--noise", "."], 2, "--noise"),
        (["--noise", "inf"], 2, "--noise"),
        (["--out", "x.jpg"], 2, "x.jpg: this is one picture: --out FILE.png"),
        (["--seed", "-1"], 2, "'-1' is no whole number"),
        (["--save", "x.pt"], 2, "--save FILE.npz"),
        (["--device", "tpu"], 2, "--device"),
        (["--seconds", "1", "--steps", "90000"], 2, "--seconds"),
        (["--magic"], 2, "--magic"),
    ],
)
def test_mistakes_are_told_in_a_line(file: Path, tmp_path: Path, capsys, more, code, words):
    path = drawn(file, tmp_path / "in")[0]
    args = ["invert", str(path), "--ckpt", str(file), *FEW, "--out", str(tmp_path / "o.png")]
    assert cli.main([*args, *more]) == code
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.err.strip().count("\n") == 0
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize("data", [b"", b"GIF89a\x00", b"\x80\x04pickle", b"\x89PNG\r\n\x1a\n" * 9])
def test_a_file_that_is_no_image_is_told_in_a_line(file: Path, tmp_path: Path, capsys, data):
    path = tmp_path / "evil\n.png"
    path.write_bytes(data)
    assert cli.main(["invert", str(path), "--ckpt", str(file), *FEW]) == 4
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.strip().count("\n") == 0


def test_a_pipe_is_not_waited_for(file: Path, tmp_path: Path, capsys):
    drawn(file, tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    for path in (tmp_path / "in", tmp_path / "in" / "pipe.png"):
        with within(20):
            assert cli.main(["invert", str(path), "--ckpt", str(file), *FEW]) == 4
        said = capsys.readouterr().err
        assert "pipe.png: no regular file" in said
        assert said.strip().count("\n") == 0


def test_an_empty_directory_and_too_many_images_are_refused(file: Path, tmp_path: Path, capsys):
    (tmp_path / "none").mkdir()
    assert cli.main(["invert", str(tmp_path / "none"), "--ckpt", str(file)]) == 2
    said = capsys.readouterr().err
    assert "none holds no images (.png, " in said
    assert "DIRECTORY" not in said
    many = ["x.png"] * 65
    assert cli.main(["invert", *many, "--ckpt", str(file)]) == 2
    assert "at most 64" in capsys.readouterr().err
    assert cli.main(["invert", "x.png"]) == 2
    assert cli.main(["invert", "x.png", "--ckpt", str(tmp_path / "no")]) == 4


def test_points_are_refused(file: Path, tmp_path: Path):
    found = container.read(file / "generator.safetensors")
    meta = found.meta | {"space": {"shape": [2], "classes": []}, "step": 1}
    arguments = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
    G = build.component("model", "mlp", arguments).generator((2,))
    tensors = {f"G/{name}": value for name, value in G.state_dict().items()}
    path = tmp_path / "points.safetensors"
    container.write(path, tensors, meta | {"model": {"name": "mlp", "args": arguments}})
    with pytest.raises(UserMistake, match="makes points"):
        _run(["x.png", "--ckpt", str(path)])


def _run(args: list[str]) -> int:
    from gan_cli.invert import main

    return main(args)


def test_damaged_generators_are_refused(tmp_path: Path):
    (tmp_path / "g.safetensors").write_bytes(b"x")
    with pytest.raises(BadFile):
        _run(["x.png", "--ckpt", str(tmp_path / "g.safetensors")])
