"""Files of every released format load for ever: fixtures/README.md says how they were made.

`make lowest` runs this with the oldest versions of what gan depends on: it goes through every verb.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_cli import container, state
from gan_cli.cli import main
from gan_cli.record import Record
from gan_cli.refine import refined
from gan_cli.sampler import Sampler
from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
V1 = FIXTURES / "v1"
GIVEN = torch.linspace(-1, 1, 64).view(4, 1, 4, 4)


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    """What the gan that wrote the files of schema 1 made of them."""
    return container.read(V1 / "expected.safetensors").tensors


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a run directory of schema 1, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(V1 / "run", "run"))


@pytest.mark.parametrize("name", ["generator", "train"])
def test_a_file_of_schema_1_gives_the_samples_it_gave(name):
    sampler = Sampler.load(V1 / f"{name}.safetensors")
    wanted = container.read(V1 / "samples.safetensors").tensors["samples"]
    assert torch.allclose(sampler.sample(4, seed=0), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "name", "given"),
    [
        ("run", "run/samples", None),
        ("run/generator.safetensors", "run/samples", None),
        ("first", "first/samples", None),
        ("given.safetensors", "given/samples", GIVEN),
    ],
)
def test_labels_priors_and_images_that_are_given_mean_what_they_meant(file, name, given, expected):
    wanted = expected[name]
    samples = Sampler.load(V1 / file).sample(len(wanted), seed=0, c=given)
    assert torch.allclose(samples, wanted, atol=1e-5)


def test_the_game_of_schema_1_still_refines(expected):
    file = V1 / "run" / "best.safetensors"
    samples = refined(Sampler.load(file), file, "langevin").sample(4, seed=0)
    assert torch.allclose(samples, expected["run/best/langevin"], atol=1e-3)  # 1,000 gradients


@pytest.mark.parametrize(("name", "began", "steps"), [("first", 10, 14), ("run", 20, 24)])
def test_a_run_of_schema_1_goes_on_as_it_went_on(name, began, steps, expected, tmp_path, capsys):
    directory = Path(shutil.copytree(V1 / name, tmp_path / name))
    assert main(["train", f"resume={directory}", f"steps={steps}"]) == 0
    told = capsys.readouterr()
    assert f"at step {began} of {steps}" in told.out
    assert "passed over" not in told.err
    found = state.newest(directory / "checkpoints")
    assert found is not None
    assert found.checkpoint.meta["step"] == steps
    prefix = f"{name}/resumed/"
    wanted = {k.removeprefix(prefix): v for k, v in expected.items() if k.startswith(prefix)}
    tensors = found.checkpoint.tensors
    assert wanted.keys() <= tensors.keys()
    for key, value in wanted.items():
        assert torch.allclose(tensors[key], value, rtol=1e-3, atol=1e-5), key
    assert len((directory / "metrics.jsonl").read_text().splitlines()) == steps


def test_a_run_that_paid_no_penalty_named_none_as_an_object(tmp_path):
    text = (V1 / "first" / "run.json").read_text()
    of_none = text.replace("penalty.gp.GradientPenalty", "penalty.none.NoPenalty")
    (tmp_path / "run.json").write_text(of_none)
    assert Record.read(tmp_path).config["penalty"] == {}
    assert list(Record.read(V1 / "first").config["penalty"]) == ["gp"]


VERBS = {
    "sample": ("--ckpt run --grid 2x10 --out a.png", ["a.png"]),
    "sample --refine rejection": ("--ckpt run/best.safetensors -n 4 --out a.npz", ["a.npz"]),
    "evaluate": ("--ckpt run --metrics frechet --extractor raw -n 64 --out a.json", ["a.json"]),
    "export": ("--ckpt run --out export", ["export/model.safetensors", "export/README.md"]),
    "compare": ("run --runs", []),
    "report": ("run", ["run/report.html"]),
    "doctor": ("run", []),
    "list": ("run", []),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_knows_what_to_do_with_a_run_of_schema_1(verb, run, capsys):
    words, made = VERBS[verb]
    assert main([*verb.split(), *words.split()]) == 0
    assert all(Path(name).stat().st_size for name in made)
    assert capsys.readouterr().out
