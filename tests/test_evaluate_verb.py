"""`gan evaluate`, as it is typed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.cli import main
from gan_cli.scores import Scores
from gan_cli.train import launch
from tests.games import composed

TINY = ("model=mlp", "model.width=8", "steps=2", "batch_size=8", "tensorboard=false")
QUICK = ("--metrics", "frechet", "--extractor", "raw", "--n", "60")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "run"
    typed = [*TINY, "task=label", f"run_dir={directory}"]
    launch(composed(*typed), {"dataset": "digits", "task": "label"}, typed, ["gan", "train"])
    return directory


@pytest.fixture
def ckpt(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "run")
    return Path("run")


def painted(directory: Path, count: int, seed: int, side: int = 8) -> Path:
    directory.mkdir()
    for index in range(count):
        pixels = np.random.default_rng(seed + index).integers(0, 255, (side, side), np.uint8)
        Image.fromarray(pixels).save(directory / f"{index}.png")
    return directory


def kept(directory: Path) -> list[Path]:
    return sorted((directory / "evaluations").glob("*.json"))


def test_the_data_of_a_run_are_known(ckpt, capsys):
    assert main(["evaluate", "--ckpt", str(ckpt), *QUICK]) == 0
    told = capsys.readouterr().out
    assert "60 samples of run, step 2, averaged weights" in told
    assert "60 of digits (all)" in told
    scores = Scores.read(kept(ckpt)[0])
    assert scores.protocol.conditions == "label"
    assert scores.figures["frechet"].floor is not None
    assert scores.command == f"gan evaluate --ckpt run {' '.join(QUICK)}"


def test_the_same_command_gives_the_same_numbers(ckpt, capsys):
    for _ in range(2):
        main(["evaluate", "--ckpt", str(ckpt), *QUICK])
    one, two = capsys.readouterr().out.split("60 samples of run")[1:]
    assert one == two
    assert len(kept(ckpt)) == 1
    main(["evaluate", "--ckpt", str(ckpt), *QUICK, "--seed", "1"])
    assert len(kept(ckpt)) == 2


def test_a_bare_generator_wants_its_data_named(ckpt, capsys):
    shutil.move("run/generator.safetensors", "g.safetensors")
    assert main(["evaluate", "--ckpt", "g.safetensors", *QUICK]) == 2
    assert "name the data, as dataset=mnist" in capsys.readouterr().err
    assert main(["evaluate", "--ckpt", "g.safetensors", "dataset=digits", *QUICK]) == 0
    assert main(["evaluate", "--ckpt", "g.safetensors", "dataset=ring", *QUICK]) == 2
    assert "the generator makes 1×8×8, and the data are 2" in capsys.readouterr().err


def test_a_checkpoint_without_its_run_knows_its_data(ckpt, capsys):
    shutil.copy(next(Path("run/checkpoints").glob("step-*")), "c.safetensors")
    assert main(["evaluate", "--ckpt", "c.safetensors", *QUICK]) == 0
    assert "60 of digits (all)" in capsys.readouterr().out


def test_two_directories_of_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    painted(tmp_path / "real", 60, 0)
    painted(tmp_path / "made", 50, 99)
    painted(tmp_path / "large", 50, 99, side=16)
    assert main(["evaluate", "real", "made", "--metrics", "frechet,kid", "--extractor", "raw"]) == 0
    told = capsys.readouterr().out
    assert "50 samples of made" in told
    assert not list(tmp_path.glob("*.json"))
    assert main(["evaluate", "real", "made", *QUICK, "--out", "s.json", "channels=1"]) == 0
    assert Scores.read(Path("s.json")).protocol.data == "folder"
    assert main(["evaluate", "real", "large", *QUICK]) == 2
    assert "dataset.size=SIDE resizes" in capsys.readouterr().err
    assert main(["evaluate", "real", "large", *QUICK, "size=8"]) == 0


def test_a_directory_against_a_data_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    painted(tmp_path / "made", 50, 0)
    assert main(["evaluate", "dataset=digits", "made", *QUICK]) == 0
    assert "60 of digits (all)" in capsys.readouterr().out


def test_another_evaluation_beside_it(ckpt, capsys):
    shutil.copytree("run", "other")
    main(["evaluate", "--ckpt", "other", *QUICK])
    capsys.readouterr()
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--against", "other"]) == 0
    assert "no difference" in capsys.readouterr().out
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--n", "80", "--against", "other"]) == 2
    assert "real: 80, 60" in capsys.readouterr().err
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--raw", "--against", "other"]) == 2
    assert "weights: raw, averaged" in capsys.readouterr().err
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--against", "run/checkpoints"]) == 2
    assert "has not been evaluated" in capsys.readouterr().err


def test_generators_side_by_side_keep_an_evaluation_each(ckpt):
    Path("all").mkdir()
    for name, kind in (("a", "run/generator.safetensors"), ("b", "run/checkpoints")):
        source = Path(kind) if name == "a" else next(Path(kind).glob("step-*"))
        shutil.copy(source, f"all/{name}.safetensors")
        assert (
            main(["evaluate", "--ckpt", f"all/{name}.safetensors", "dataset=digits", *QUICK]) == 0
        )
    assert len(kept(Path("all"))) == 2


def test_what_is_no_file_is_not_waited_for(ckpt, capsys):
    os.mkfifo("pipe.json")
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--against", "pipe.json"]) == 4
    assert "no regular file" in capsys.readouterr().err
    Path("run/evaluations").mkdir()
    os.mkfifo("run/evaluations/a.json")
    Path("run/evaluations/b.json").symlink_to("nowhere")
    assert main(["evaluate", "--ckpt", "run", *QUICK, "--against", "run"]) == 2
    assert "has not been evaluated" in capsys.readouterr().err


def test_the_usual_metrics_are_those_that_fit(ckpt, capsys):
    assert main(["evaluate", "--ckpt", "run", "--n", "60", "--extractor", "random"]) == 0
    told = capsys.readouterr().out
    assert "frechet" in told
    assert "stacked" not in told
    assert "modes" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "what is to be measured"),
        ("--ckpt run nowhere", "no such directory"),
        ("run", "two directories"),
        ("--ckpt run --metrics beauty", "no such metric"),
        ("--ckpt run --metrics ,", "names with commas"),
        ("--ckpt run --metrics stacked", "stacked"),
        ("--ckpt run --n 5", "whole number from 20"),
        ("--ckpt run --n 99999999 --metrics frechet --extractor raw", "don't fit"),
        ("--ckpt run --extractor eye", "extractor=eye"),
        ("--ckpt run --out a.txt", ".json"),
        ("--ckpt run --flag", "gan evaluate --help"),
        ("--ckpt run metric.frechet.size=3 --metrics frechet", "metric.frechet.size"),
        ("--ckpt run --metrics frechett", "did you mean frechet?"),
        ("--ckpt run --metrics none", "no such metric"),
        ("--ckpt run metric=[frechet]", "type --metrics"),
        ("--ckpt run loss=wgan", "nothing to an evaluation"),
        ("--ckpt run --against run/best.safetensors", "a .json file of its evaluations/"),
    ],
)
def test_mistakes_are_told_in_a_line(words, said, ckpt, capsys):
    code = main(["evaluate", *words.split()]) if words else main(["evaluate", "--seed", "0"])
    told = capsys.readouterr()
    assert code == 2, told
    assert said in told.err
    assert "Traceback" not in told.err
    assert not (Path("run") / "evaluations").exists()


def test_a_record_that_asks_for_more_than_names_is_not_followed(ckpt, capsys):
    """A stranger's run.json can name installed data sets, with settings of their own, alone."""
    record = json.loads(Path("run/run.json").read_text())
    for name, settings in [
        ("os.system", {}),
        ("../secret", {}),
        ("digits", {"command": "x"}),
        ("digits", {"split": {"_target_": "os.system"}}),
        ("digits", {"split": "${oc.env:HOME}"}),
        ("stacked_mnist", {"count": 10**10}),
        ("folder", {"path": ".", "size": [10**6, 10**6]}),
        ("checkerboard", {"side": 10**5}),
    ]:
        record["choices"]["dataset"] = name
        record["config"]["dataset"] = {"_target_": "os.system", "split": "train", **settings}
        Path("run/run.json").write_text(json.dumps(record))
        assert main(["evaluate", "--ckpt", "run", *QUICK]) in (2, 4)
        assert "Traceback" not in capsys.readouterr().err


def test_figures_are_told_even_where_they_can_not_be_kept(ckpt, capsys):
    Path("run/evaluations").write_text("in the way")
    assert main(["evaluate", "--ckpt", "run", *QUICK]) == 6
    told = capsys.readouterr()
    assert "frechet" in told.out
    assert "evaluations" in told.err


def test_a_generator_is_asked_for_no_more_than_there_are_real_ones(ckpt, capsys):
    assert main(["evaluate", "--ckpt", "run", "--metrics", "frechet", "--extractor", "raw"]) == 0
    assert "1,797 samples of run" in capsys.readouterr().out


def test_the_same_images_twice_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    painted(tmp_path / "real", 40, 0)
    assert main(["evaluate", "real", "real", "--metrics", "frechet", "--extractor", "raw"]) == 0
    assert "the same images twice" in capsys.readouterr().err
    assert main(["evaluate", "real", "real", *QUICK, "--raw"]) == 2


def test_a_link_that_leads_elsewhere_is_not_written_through(ckpt, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    Path("run/evaluations").symlink_to(tmp_path / "elsewhere")
    assert main(["evaluate", "--ckpt", "run", *QUICK]) == 2
    assert not list((tmp_path / "elsewhere").iterdir())
    assert "leads elsewhere" in capsys.readouterr().err
