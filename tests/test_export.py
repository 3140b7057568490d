"""`gan export`: what is written makes what the checkpoint makes, says so, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from markdown_it import MarkdownIt
from PIL import Image
from safetensors import safe_open

from gan_cli import build, container, disk, exporting, generators, sample
from gan_cli.cli import VERBS
from gan_cli.condition import plain_generator
from gan_cli.errors import BadFile, DiskFailure, NumericalFailure, UserMistake
from gan_cli.export import FORMATS, main
from gan_cli.exporting import folder, markup
from gan_cli.exporting.onnx import ONNX
from gan_cli.exporting.torch_export import TorchExport
from gan_cli.sampler import Sampler
from gan_cli.scores import Measured, Protocol, Scores
from gan_cli.space import Space
from tests import hostile
from tests.conftest import ROOT, Result, entries
from tests.games import composed

GREY = Space((1, 9, 8), ())
LABELLED = Space((1, 9, 8), ("cat", "dog", "eel"))
ANSWERS = Space((1, 12, 12), (), (1, 3, 3))
POINTS = Space((2,), ())
NARROW = {"width": 4, "g_width": 4, "d_width": 4, "w_dim": 8, "widest": 8, "most": 8, "code": 8}
TASK = {"name": "superres", "args": {"factor": 4, "way": "area"}}


def write(path: Path, name: str, space: Space = GREY, **meta: Any) -> Path:
    """A generator file of that entry of conf/model, narrow, its weights some way from the start."""
    config = composed(f"model={name}")
    spec = {k: NARROW.get(k, v) for k, v in config["model"].items()}
    if name.startswith("r3gan"):
        spec["group"] = 4
    told = {
        "model": build.described("model", name, spec),
        "condition": build.described("condition", "concat", config["condition"]),
        "prior": build.described("prior", "normal", config["prior"]),
        "space": {"shape": list(space.shape), "classes": list(space.classes)},
    }
    if space.given:
        told["space"] |= {"given": list(space.given), "data": list(space.shape)}
        told["task"] = TASK
    told |= {"kind": "generator", "step": 12, "images": 768, **meta}
    model = build.component("model", told["model"]["name"], told["model"]["args"])
    container.write(path, weights(model, space), told)
    return path


def weights(model: Any, space: Space) -> dict[str, torch.Tensor]:
    """Those of a G that has seen a batch and been shaken."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        told = build.component("condition", "concat", {}).generator
        G = (told if space.classes else plain_generator)(model, space)
        for parameter in G.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        z = torch.randn(6, G.z_dim)
        c = torch.arange(6) % 3 if space.classes else torch.rand(6, *(space.given or ()))
        G(z, c if space.classes or space.given else None)
    return {f"G_ema/{key}": value for key, value in G.state_dict().items()}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A generator of small images, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("generator.safetensors"), "mlp").name


def export(*words: str | Path) -> int:
    return main([str(word) for word in words])


def same(one: str | Path, other: str | Path) -> bool:
    """Whether two files make the same samples, bit for bit."""
    a, b = Sampler.load(one), Sampler.load(other)
    z, c = exporting.asked(a, 11, 3)
    return torch.equal(a.generate(z, c), b.generate(z, c))


def text(out: str | Path = "out") -> str:
    return (Path(out) / "README.md").read_text("utf-8")


def front(out: str | Path = "out") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text(out).split("---\n")[1])
    return found


def config(out: str | Path = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(out) / "config.json").read_text("utf-8"))
    return found


# ── every model there is ────────────────────────────────────────────────────────────────────────

SPACES = {"unet": ANSWERS, "mlp_toy": POINTS}
LABELLING = [name for name in entries("model") if name not in {*SPACES, "mixture"}]
EVERY = [(name, SPACES.get(name, GREY)) for name in entries("model")]
EVERY += [(name, LABELLED) for name in LABELLING]


SLOW = ("stylegan2", "r3gan_cifar")  # to be traced
NAMED = [f"{name}-{'labels' if space.classes else 'codes'}" for name, space in EVERY]
TRACED = [
    pytest.param(*one, id=name, marks=[pytest.mark.training] if name.startswith(SLOW) else [])
    for one, name in zip(EVERY, NAMED, strict=True)
]


@pytest.mark.parametrize(("name", "space"), EVERY, ids=NAMED)
def test_an_export_of_any_model_makes_the_same(name: str, space: Space, tmp_path: Path) -> None:
    file = write(tmp_path / "g.safetensors", name, space)
    assert export("--ckpt", file, "--out", tmp_path / "out") == 0
    assert same(file, tmp_path / "out")
    assert same(file, tmp_path / "out" / "model.safetensors")


@pytest.mark.parametrize(("name", "space"), TRACED)
def test_a_program_of_any_model_makes_the_same(name: str, space: Space, tmp_path: Path) -> None:
    file = write(tmp_path / "g.safetensors", name, space)
    assert export("--ckpt", file, "--format", "torch-export", "--out", tmp_path / "out") == 0
    assert config(tmp_path / "out")["max_difference"]["model.pt2"] < 1e-5


@pytest.mark.training
@pytest.mark.parametrize(("name", "space"), EVERY, ids=NAMED)
def test_onnx_of_any_model_makes_the_same(name: str, space: Space, tmp_path: Path) -> None:
    file = write(tmp_path / "g.safetensors", name, space)
    assert export("--ckpt", file, "--format", "onnx", "--out", tmp_path / "out") == 0
    assert config(tmp_path / "out")["max_difference"]["model.onnx"] < 1e-4


@pytest.mark.parametrize("space", [GREY, LABELLED, ANSWERS], ids=["codes", "labels", "images"])
def test_onnx_has_a_batch_of_any_size(space: Space, tmp_path: Path) -> None:
    import onnxruntime

    file = write(tmp_path / "g.safetensors", "unet" if space.given else "mlp", space)
    assert export("--ckpt", file, "--format", "onnx", "--out", tmp_path / "out") == 0
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    names = ["z", "c"] if space.classes or space.given else ["z"]
    assert [value.name for value in session.get_inputs()] == names
    assert {value.shape[0] for value in (*session.get_inputs(), *session.get_outputs())} == {"N"}
    sampler = Sampler.load(file)
    for n in (1, 7):
        z, c = exporting.asked(sampler, n, 5)
        given = {"z": z.numpy()} | ({} if c is None else {"c": c.numpy()})
        np.testing.assert_allclose(
            session.run(["x"], given)[0], sampler.generate(z, c).numpy(), atol=1e-5
        )


# ── what is written ─────────────────────────────────────────────────────────────────────────────


def test_a_directory_as_hubs_want_it(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--format", "onnx,torch-export", "--out", "out", "--license", "mit"]
    assert export("--ckpt", file, *words) == 0
    assert {path.name for path in Path("out").iterdir()} == set(folder.FILES)
    told = front()
    assert told["license"] == "mit"
    assert told["library_name"] == "gan-cli"
    assert told["pipeline_tag"] == "unconditional-image-generation"
    assert {"gan", "mlp"} <= set(told["tags"])
    assert config()["inputs"] == {"z": ["N", 64]}
    assert config()["outputs"] == {"x": ["N", 1, 9, 8]}
    assert config()["checkpoint"] == container.read(file).sha256
    with safe_open("out/model.safetensors", "np") as weights:
        assert all(name.startswith("G_ema/") for name in weights.keys())  # noqa: SIM118
    with Image.open("out/samples.png") as picture:
        assert picture.width > 100
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "model.safetensors: 3 kB, max difference 0, bit for bit, over 48" in printed.out
    assert re.search(r"model.onnx: .*max difference \d\.\de-\d\d over 48 samples", printed.out)
    assert "hf upload USER/NAME out" in printed.out


@pytest.mark.training
def test_nothing_warns_and_nothing_names_this_machine(file: str, gan: Any) -> None:
    """In a process of its own, where nothing is silenced by pytest."""
    where = {"name": "folder", "path": "/data/secret", "root": "/srv/hidden"}
    config = {"dataset": where, "init_from": "elsewhere", "term": {"file": "~/x", "weight": 1.0}}
    write(Path(file), "mlp", config=config)
    done: Result = gan("export", "--ckpt", file, "--format", "onnx,torch-export", "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    for path in Path("out").iterdir():
        data = path.read_bytes()
        for word in (str(ROOT), str(Path.cwd()), str(Path.home()), "secret", "hidden", "elsewhere"):
            assert word.encode() not in data, (path, word)
    assert "`term.weight`" in text()


def test_sampling_reads_it_back(file: str) -> None:
    assert export("--ckpt", file, "--out", "out") == 0
    for ckpt, out in ((file, "a.npz"), ("out", "b.npz"), ("out/model.safetensors", "c.npz")):
        assert sample.main(["--ckpt", ckpt, "-n", "9", "--out", out]) == 0
    images = [np.load(f"{name}.npz")["images"] for name in "abc"]
    assert (images[0] == images[1]).all()
    assert (images[0] == images[2]).all()


def test_an_export_can_be_exported_again(file: str) -> None:
    assert export("--ckpt", file) == 0
    assert export("--ckpt", "generator-export", "--out", "again") == 0
    assert same(file, "again")


def test_raw_weights_are_called_so(file: str) -> None:
    both = container.read(file)
    raw = {k.replace("G_ema/", "G/"): v + 1 for k, v in both.tensors.items()}
    container.write(file, both.tensors | raw, both.meta)
    assert export("--ckpt", file, "--raw", "--out", "raw") == 0
    assert export("--ckpt", file, "--out", "out") == 0
    assert (config("raw")["weights"], config("out")["weights"]) == ("raw", "averaged")
    assert "those of the last step" in text("raw")
    z = torch.zeros(1, 64)
    assert torch.equal(Sampler.load("raw").generate(z), Sampler.load(file, raw=True).generate(z))
    assert torch.equal(Sampler.load("out").generate(z), Sampler.load(file).generate(z))
    assert not same("raw", "out")


def test_what_a_run_has_goes_into_the_run(file: str) -> None:
    Path("run/checkpoints").mkdir(parents=True)
    found = container.read(file)
    meta = found.meta | {"kind": "train", "step": 12}
    container.write("run/checkpoints/step-00000012.safetensors", found.tensors, meta)
    assert export("--ckpt", "run") == 0
    assert same(file, "run/export")
    with pytest.raises(UserMistake, match="holds files already"):
        export("--ckpt", "run/checkpoints/step-00000012.safetensors")


def test_points_are_plotted(tmp_path: Path) -> None:
    file = write(tmp_path / "g.safetensors", "mlp_toy", POINTS)
    assert export("--ckpt", file, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "samples.png").exists()
    assert "pipeline_tag" not in front(tmp_path / "out")
    assert "for 12 steps on 768 points." in text(tmp_path / "out")


def test_answers_are_pictured_of_given_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "g.safetensors", "unet", ANSWERS)
    pixels = np.random.default_rng(0).integers(0, 255, (12, 12), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    assert export("--ckpt", file, "--out", tmp_path / "a") == 0
    assert "without samples" in capsys.readouterr().out
    assert not (tmp_path / "a" / "samples.png").exists()
    assert "samples.png" not in text(tmp_path / "a")
    out = tmp_path / "b"
    assert export("--ckpt", file, "--out", out, "--from", tmp_path / "picture.png") == 0
    assert "![samples](samples.png)" in text(out)
    assert front(out)["pipeline_tag"] == "image-to-image"
    with Image.open(out / "samples.png") as image:
        assert str(tmp_path) not in str(image.info)


# ── the card ────────────────────────────────────────────────────────────────────────────────────


def python_of(out: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text(out), re.DOTALL)


PRIORS = {
    "normal": {"std": 2.0},
    "uniform": {"bound": 1.5},
    "truncated": {"bound": 0.5},
    "categorical": {"categories": 3, "std": 0.5},
}


@pytest.mark.parametrize(
    ("space", "prior"),
    [(LABELLED, name) for name in PRIORS] + [(ANSWERS, "normal"), (GREY, "truncated")],
)
def test_the_code_of_the_card_runs(
    space: Space, prior: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {"name": prior, "args": PRIORS[prior]}
    name = "unet" if space.given else "mlp"
    file = write(tmp_path / "g.safetensors", name, space, prior=drawn)
    out = tmp_path / "out"
    assert export("--ckpt", file, "--format", "onnx,torch-export", "--out", out) == 0
    monkeypatch.chdir(out)
    here: dict[str, Any] = {}
    library, codes, onnx, program, weights = python_of(out)
    exec(library, here)
    assert here["x"].shape == (16, *space.shape)
    exec(codes + "\nassert z.dtype == np.float32", here)
    assert np.abs(here["z"]).max() <= PRIORS[prior].get("bound", np.inf)
    exec(onnx, here)
    first = here["x"]
    exec(program, here)
    np.testing.assert_allclose(first, here["x"], atol=1e-5)
    assert here["images"].shape == (16, *space.shape)
    exec(weights, here)
    assert here["weights"].keys() == container.read(file).tensors.keys()


NASTY = ("<script>alert(1)</script>", "`x` <b>", "a|b", "![x](http://x.y/z.png)", "https://x.y",
         "www.x.yz", "[a](b)", "\u202eevil\x1b[31m", "---\nlicense: gpl", "**bold**")  # fmt: skip


def test_a_strangers_words_are_no_markup(tmp_path: Path) -> None:
    space = Space((1, 9, 8), NASTY)
    nasty = {word: {"name": word, word: [word]} for word in NASTY}
    config = nasty | {"dataset": {"name": NASTY[0]}, "method": {"name": NASTY[3]}}
    versions = dict.fromkeys(NASTY, NASTY[0])
    file = write(tmp_path / "g.safetensors", "mlp", space, config=config, versions=versions)
    out = tmp_path / "out"
    assert export("--ckpt", file, "--out", out) == 0
    body = text(out).split("---\n", 2)[2]
    assert text(out).isprintable() or "\x1b" not in text(out)
    html = MarkdownIt("gfm-like", {"linkify": False}).render(body)
    assert set(re.findall(r"<(\w+)", html)) <= set(
        "h1 h2 p img pre code table thead tbody tr th td".split()
    )
    assert re.findall(r'src="([^"]*)"', html) == ["samples.png"]
    bare = re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"http|www|script|bold", bare), "linkified by those who do"
    assert set(front(out)) == {"library_name", "pipeline_tag", "tags"}
    assert front(out)["tags"] == ["gan", "mlp"]


@pytest.mark.parametrize("word", NASTY)
def test_words_are_shown_as_words_or_code(word: str) -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).renderInline(markup.worded(word))
    assert re.fullmatch(r"<code>[^<]*</code>", html)
    assert markup.worded("share of modes (of 1000)") == "share of modes (of 1000)"


def scores(sha256: str, weights: str = "averaged", value: float = 3.21) -> Scores:
    fields = ("data", "fingerprint", "split", "extractor", "features", "resize", "conditions")
    words = {name: name for name in fields} | {"weights": weights}
    protocol = Protocol(real=500, fake=400, settings={"frechet": {"k": 3}}, **words)
    figure = Measured(value, value - 1, value + 1, 0.5, "frechet", "Fréchet distance", -1)
    return Scores(
        protocol=protocol,
        figures={"frechet": figure},
        refused={},
        interval="95 %, by the jackknife",
        seed=0,
        checkpoint={"sha256": sha256},
        about={"floor": "100 others"},
    )


def test_figures_of_these_weights_are_told(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("evaluations").mkdir()
    own = container.read(file).sha256
    Path("evaluations/a.json").write_text(scores(own).to_json())
    Path("evaluations/b.json").write_text(scores("0" * 64, value=77.7).to_json())
    Path("evaluations/c.json").write_text(scores(own, "raw", value=88.8).to_json())
    Path("evaluations/d.json").write_text("{")
    assert export("--ckpt", file, "--out", "out") == 0
    assert "passed over: evaluations/d.json" in capsys.readouterr().err
    assert "| `frechet` | Fréchet distance | 3.21 | 2.21 to 4.21 | 0.5 | less |" in text()
    for line in (
        "- Samples: 400 of seed 0, averaged weights",
        "- Real: 500 of data (split), `fingerprint`",
        "- Seen through: extractor `features`, resized: resize",
        "- Interval: 95 %, by the jackknife",
        "- Floor, the same figure of: 100 others",
        "- Settings of `frechet`: `k=3`",
    ):
        assert f"{line}\n" in text(), line
    assert "77.7" not in text()
    assert "88.8" not in text()
    [index] = front()["model-index"]
    [result] = index["results"]
    assert result["task"] == {"type": "unconditional-image-generation"}
    assert result["dataset"]["name"] == "data"
    assert result["metrics"] == [{"type": "frechet", "value": 3.21, "name": "Fréchet distance"}]


def test_a_card_tells_the_newest_evaluations_and_not_all_of_their_figures(file: str) -> None:
    Path("evaluations").mkdir()
    one = scores(container.read(file).sha256)
    for number in range(12):
        path = Path(f"evaluations/{number:02}.json")
        protocol = replace(one.protocol, data=f"data {number}")
        path.write_text(replace(one, seed=100 + number, protocol=protocol).to_json())
        os.utime(path, (1000 - number, 1000 - number))
    figure = one.figures["frechet"]
    named = {f"name {number}\u202e\n" + "x" * 300: figure for number in range(70)}
    Path("evaluations/00.json").write_text(replace(one, figures=named, seed=100).to_json())
    assert export("--ckpt", file, "--out", "out") == 0
    for number in range(12):
        assert (f"of seed {100 + number}," in text()) == (number < 10)
    assert ("name 63?" in text(), "name 64?" in text()) == (True, False)
    [index] = front()["model-index"]
    assert len(index["results"]) == 10
    told = [metric["type"] for metric in index["results"][0]["metrics"]]
    assert len(told) == 64
    assert all(name.startswith("name") and len(name) <= 200 and "\n" not in name for name in told)


def test_no_figure_is_told_twice(file: str) -> None:
    """Of equal ones that of most samples stays, and of those the newest."""
    Path("evaluations").mkdir()
    own = container.read(file).sha256
    for age, (name, value, fake) in enumerate(
        [("new", 1.25, 400), ("old", 2.25, 400), ("more", 3.25, 500), ("other", 4.25, 400)]
    ):
        one = scores(own, value=value)
        told = {"frechet": "Fréchet distance", "frechet_16": "  at 16 pixels"}
        figures = {k: replace(one.figures["frechet"], words=v) for k, v in told.items()}
        if name == "more":
            del figures["frechet"]
        settings = {"frechet": {"k": 3, "of": "all"}, "kid": {"blocks": 10}}
        data = "other" if name == "other" else "data"
        protocol = replace(one.protocol, fake=fake, settings=settings, data=data)
        path = Path(f"evaluations/{name}.json")
        path.write_text(replace(one, figures=figures, protocol=protocol).to_json())
        os.utime(path, (1e9 - age, 1e9 - age))
    assert export("--ckpt", file, "--out", "out") == 0
    rows = re.findall(r"\| `(\w+)` \| ([^|]+) \| (\d\.\d+) \|", text())
    whole = "Fréchet distance, at 16 pixels"
    assert rows == [
        ("frechet_16", "at 16 pixels", "3.25"),
        ("frechet", "Fréchet distance", "1.25"),
        ("frechet", "Fréchet distance", "4.25"),
        ("frechet_16", whole, "4.25"),
    ]
    results = front()["model-index"][0]["results"]
    assert [len(result["metrics"]) for result in results] == [1, 1, 2]
    assert results[2]["metrics"][1]["name"] == whole
    assert "`k=3, of=all`" in text()
    assert "`kid`" not in text(), "it told no figure"


def test_a_damaged_evaluation_is_no_crash(file: str) -> None:
    Path("evaluations").mkdir()
    found = json.loads(scores(container.read(file).sha256).to_json())
    for key in found["protocol"].keys() - {"settings", "weights"}:
        found["protocol"][key] = {"a": [NASTY[0]]}
    Path("evaluations/a.json").write_text(json.dumps(found | {"seed": None}))
    assert export("--ckpt", file, "--out", "out") == 0
    assert "<script>" not in re.sub(r"`[^`]*`", "", text().split("---\n", 2)[2])


# ── what is refused ─────────────────────────────────────────────────────────────────────────────


def refused(kind: type[Exception], match: str, *words: str | Path) -> None:
    """Refused in one line, and the working directory is left as it was."""
    before = {path: path.lstat().st_mtime_ns for path in Path().rglob("*")}
    with pytest.raises(kind, match=match) as caught:
        export(*words)
    assert "\n" not in str(caught.value)
    assert {path: path.lstat().st_mtime_ns for path in Path().rglob("*")} == before


def test_other_peoples_files_are_left_alone(file: str) -> None:
    Path("out").mkdir()
    for name in ("README.md", "model.onnx", "notes.txt"):
        Path("out", name).write_text("mine")
    words = ("--ckpt", file, "--out", "out")
    refused(UserMistake, "holds files already", *words)
    told = "out: README.md, model.onnx of no export"
    refused(UserMistake, told, *words, "--force")
    for other in ("mine", "{}", "[]", '{"format": "gan-evaluation/1"}', "{" * 9999):
        Path("out/config.json").write_text(other)
        refused(UserMistake, "config.json, model.onnx of no export", *words, "--force")
    for name in ("README.md", "model.onnx", "config.json"):
        Path("out", name).unlink()
    assert export(*words, "--force") == 0, "a directory with other files"
    Path("out/model.onnx").write_text("of an earlier export")
    assert export(*words, "--force") == 0
    assert Path("out/notes.txt").read_text() == "mine"
    assert not Path("out/model.onnx").exists(), "of no export that the card tells of"
    assert {path.name for path in Path("out").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "samples.png", "notes.txt",
    }  # fmt: skip


def test_a_place_that_is_none(file: str) -> None:
    refused(UserMistake, "is no directory", "--ckpt", file, "--out", file)
    Path("loop").symlink_to("nowhere")
    refused(UserMistake, "is no directory", "--ckpt", file, "--out", "loop")
    Path("there").mkdir()
    Path("generator-export").symlink_to("there")
    refused(UserMistake, "leads elsewhere", "--ckpt", file)


@pytest.mark.parametrize("name", hostile.REQUESTS)
def test_a_hostile_file_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.safetensors").write_bytes(hostile.REQUESTS[name][0]())
    refused(BadFile, "evil", "--ckpt", "evil.safetensors", "--out", "deep/out")


@pytest.mark.parametrize("name", hostile.PLACES)
def test_a_place_without_a_file_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = hostile.PLACES[name]
    place = make(tmp_path / "evil")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    refused(BadFile, re.escape(words), "--ckpt", place)


@pytest.mark.parametrize("kind", [ONNX, TorchExport], ids=["onnx", "torch-export"])
def test_a_file_that_makes_something_else_is_not_left(
    kind: type, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = kind.write

    def other(self: Any, sampler: Sampler, path: Path) -> None:
        state = sampler.generator.state_dict()
        with torch.no_grad():
            torch._foreach_mul_(list(state.values()), 1.01)
        honest(self, sampler, path)
        torch._foreach_div_(list(state.values()), 1.01)

    monkeypatch.setattr(kind, "write", other)
    named = {ONNX: "onnx", TorchExport: "torch-export"}[kind]
    words = ("--ckpt", file, "--format", named, "--out", "a/b")
    refused(NumericalFailure, "makes other samples", *words)


def test_a_full_disk_leaves_nothing(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes, sync: bool = True) -> None:
        if path.name == "README.md":
            raise DiskFailure("full")
        honest(path, data, sync)

    honest = disk.replace
    monkeypatch.setattr(disk, "replace", full)
    refused(DiskFailure, "full", "--ckpt", file, "--out", "a/b")


OWN = """
import torch
from gan_cli.model import mlp


class G(torch.nn.Module):
    def __init__(self, inner, how):
        super().__init__()
        self.inner, self.how, self.z_dim = inner, how, inner.z_dim

    def forward(self, z, c=None):
        return self.how(self.inner(z, None))


class Noisy(mlp.MLP):
    def generator(self, shape):
        return G(super().generator(shape), lambda x: x + torch.randn_like(x))


class Branching(mlp.MLP):
    def generator(self, shape):
        return G(super().generator(shape), lambda x: x if x.sum() > 0 else -x)


class Wordless(mlp.MLP):
    def generator(self, shape):
        return G(super().generator(shape), lambda x: torch.special.bessel_j0(x))
"""


@pytest.fixture
def own(file: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Files whose model is of a package of the user's."""
    monkeypatch.syspath_prepend(Path.cwd())
    Path("ownmodels.py").write_text(OWN)
    found = container.read(file)

    def make(name: str) -> str:
        tensors = {k.replace("G_ema/", "G_ema/inner."): v for k, v in found.tensors.items()}
        named = found.meta["model"] | {"name": f"ownmodels.{name}"}
        container.write(f"{name}.safetensors", tensors, found.meta | {"model": named})
        return f"{name}.safetensors"

    return make


def test_a_model_of_ones_own(own: Callable[[str], str]) -> None:
    wordless = own("Wordless")
    trusted = ("--ckpt", wordless, "--trust", "ownmodels", "--out", "out")
    with pytest.raises(BadFile, match="--trust ownmodels"):
        export("--ckpt", wordless, "--out", "out")
    refused(UserMistake, "ONNX has no words .*--format torch-export", *trusted, "--format", "onnx")
    assert export(*trusted, "--format", "torch-export") == 0
    assert "gan sample --ckpt . --trust ownmodels --seed 1" in text()
    sampler = Sampler.load("out", trust=("ownmodels",))
    assert torch.equal(
        sampler.sample(3, 0), Sampler.load(wordless, trust=("ownmodels",)).sample(3, 0)
    )
    with pytest.raises(BadFile, match="--trust ownmodels"):
        Sampler.load("out")


def test_what_can_not_be_held_against_itself(own: Callable[[str], str]) -> None:
    words = ("--trust", "ownmodels", "--out", "out")
    refused(UserMistake, "random numbers of its own", "--ckpt", own("Noisy"), *words)
    branching = ("--ckpt", own("Branching"), *words, "--format", "torch-export")
    refused(UserMistake, "can't be traced.*--format safetensors", *branching)


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_extra_is_named(module: str, file: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    words = ("--ckpt", file, "--format", "onnx", "--out", "out")
    refused(UserMistake, r"pip install 'gan-cli\[export\]'", *words)


def test_a_strangers_program_is_never_opened(file: str) -> None:
    assert export("--ckpt", file, "--format", "torch-export,onnx", "--out", "out") == 0
    Path("out/model.safetensors").unlink()
    for path, words in (
        ("out", "holds no .*model.safetensors"),
        ("out/model.pt2", "can run code"),
        ("out/model.onnx", "no checkpoint"),
    ):
        with pytest.raises(BadFile, match=words):
            Sampler.load(path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "tensorflow"], "'tensorflow' is none of safetensors, onnx, torch-export"),
        (["--license", "MIT <b>"], "no identifier such as mit"),
        (["--from", "x.png"], "--from is for generators that make images from images"),
    ],
)
def test_what_can_not_be_typed(words: list[str], told: str, file: str, gan: Any) -> None:
    done: Result = gan("export", "--ckpt", file, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert {path.name for path in Path().iterdir()} == {file}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from gan_cli.cli import main\n"
        "try:\n    main(['export', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'onnx', 'onnxruntime'} & set(sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert all(name in told.stdout for name in FORMATS)
    assert VERBS["export"][0] == "gan_cli.export"


# ── how near is near ────────────────────────────────────────────────────────────────────────────


class Off(TorchExport):
    """A file that is off by so much."""

    def read(self, path: Path) -> exporting.Function:
        sampler = Sampler.load(path)
        return lambda z, c: sampler.generate(z, c) + float(path.with_suffix(".off").read_text())


@pytest.mark.parametrize(("off", "well"), [("0", True), ("9e-5", True), ("2e-4", False),
                                           ("nan", False), ("inf", False)])  # fmt: skip
def test_a_difference_is_seen(off: str, well: bool, file: str) -> None:
    Path(file).with_suffix(".off").write_text(off)
    sampler = Sampler.load(file)
    if well:
        far = exporting.verified(Off(), Path(file), sampler)
        assert far.difference == pytest.approx(float(off), rel=0.1)
        assert far.samples == sum(exporting.BATCHES) * len(exporting.SEEDS)
        return
    with pytest.raises(NumericalFailure, match="other samples"):
        exporting.verified(Off(), Path(file), sampler)


def test_a_run_comes_before_an_export(file: str) -> None:
    """A directory that holds both is a run."""
    Path("model.safetensors").write_bytes(b"nothing")
    found, where, _ = generators.find(Path())
    assert where.name == file
    assert found.sha256 == container.read(file).sha256
    assert replace(found, tensors={}).meta["step"] == 12
