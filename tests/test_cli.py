"""The command line: what it loads, what it refuses, what it hands to training, how it ends."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gan_cli.cli import VERBS, main
from gan_cli.errors import BadFile, DiskFailure, GanError, NumericalFailure, Stopped, UserMistake
from tests.conftest import ROOT, Result


class Launched:
    """Stands for gan_cli.train: keeps what it was called with, and ends as it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], dict[str, str], list[str], list[str]]] = []
        self.ends: dict[int, BaseException] = {}
        """By the seed of the job."""

    def launch(
        self, config: dict[str, Any], choices: dict[str, str], overrides: list[str], argv: list[str]
    ) -> None:
        self.calls.append((config, choices, overrides, argv))
        if config["seed"] in self.ends:
            raise self.ends[config["seed"]]

    @property
    def overrides(self) -> list[list[str]]:
        return [call[2] for call in self.calls]


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Launched]:
    """No training: its launch is kept instead; in an empty working directory."""
    launched, module = Launched(), ModuleType("gan_cli.train")
    module.launch = launched.launch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gan_cli.train", module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    yield launched
    assert not list(tmp_path.glob("**/.hydra"))
    assert not list(tmp_path.glob("**/multirun.yaml"))


def loaded_by(*commands: list[str], **env: str) -> set[str]:
    """The modules that commands load, in a process of their own."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from gan_cli.cli import main\n"
        f"for command in {commands!r}: main(command)\n"
        "sys.stderr.write('\\n' + ' '.join(set(sys.modules) - before))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **env}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return set(told.stderr.splitlines()[-1].split())


def test_help_loads_nothing():
    assert loaded_by(["--help"], [], ["help"]) == {"gan_cli", "gan_cli.cli", "gc"}


def test_torch_waits_for_training():
    commands = [
        ["train", "--cfg", "job"], ["train", "--help"], ["train", "optimizer.lrr=1", "los=wgan"],
        ["-sc", "query=bash"], ["completion", "bash"], ["version"], ["trian"],
    ]  # fmt: skip
    loaded = loaded_by(*commands, COMP_LINE="gan train loss=w")
    assert "hydra" in loaded
    assert not loaded & {"torch", "torchvision", "numpy", "rich", "tensorboard"}


@pytest.mark.parametrize("model", ["mlp", "dcgan"])
def test_a_run_on_images_loads_only_what_it_needs(tmp_path: Path, model: str):
    """No compiler, no other library's models, nothing to draw plots with."""
    small = ["dataset=digits", f"model={model}", "model.width=8"]
    loaded = loaded_by(["train", "steps=1", *small, "tensorboard=false", f"outputs={tmp_path}"])
    assert "torch" in loaded
    spared = ["torchvision", "sklearn", "scipy", "matplotlib", "tensorboard", "optuna", "sympy"]
    assert not loaded & {*spared, "torch._dynamo", "torch._inductor"}


def test_the_first_screen_names_every_verb(capsys: pytest.CaptureFixture[str]):
    assert main([]) == main(["help"]) == main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(verb in told for verb in VERBS)


def test_a_wrong_verb_is_told_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["trian"]) == main(["loss=wgan", "seed=1"]) == 2
    told = capsys.readouterr().err
    assert "did you mean `gan train`?" in told
    assert "did you mean `gan train loss=wgan seed=1`?" in told


def test_training_gets_the_configuration_and_how_it_was_made(training: Launched):
    assert main(["train", "loss=wgan", "optimizer.lr=1e-3", "seed=1", "seed=2"]) == 0
    [(config, choices, overrides, argv)] = training.calls
    assert config["optimizer"]["lr"] == 1e-3
    assert config["model"]["d_norm"] == config["critic_norm"]  # resolved
    assert "hydra" not in config
    assert choices["loss"] == "wgan"
    assert choices["constraint"] == "clip"
    assert not [group for group in choices if group.startswith("hydra")]
    assert overrides == ["loss=wgan", "optimizer.lr=0.001", "seed=2"]
    assert argv == ["gan", "train", "loss=wgan", "optimizer.lr=1e-3", "seed=1", "seed=2"]


def test_flags_and_settings_in_any_order(training: Launched, capsys: pytest.CaptureFixture[str]):
    pieces = [["loss=wgan", "seed=3"], ["--cfg", "job"], ["-p", "seed"]]
    for order in itertools.permutations(pieces):
        assert main(["train", *itertools.chain(*order)]) == 0
        assert capsys.readouterr().out == "3\n"
    for words in (["loss=wgan", "-m", "seed=0,1"], ["-m", "seed=0,1", "loss=wgan"]):
        assert main(["train", *words]) == 0
    assert training.overrides == [
        ["loss=wgan", "seed=0"], ["loss=wgan", "seed=1"],
        ["seed=0", "loss=wgan"], ["seed=1", "loss=wgan"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cfg", "hydra"], "name: gan train"), (["--cfg", "all"], "batch_size: 64"),
        (["--cfg", "job", "--resolve"], "d_norm: batch"), (["--info"], "Hydra 1.3"),
        (["--info", "loss=wgan"], "clip"), (["-i", "defaults", "loss=wgan"], "constraint/clip"),
        (["--info", "defaults-tree"], "loss: nonsaturating"), (["--info", "config"], "seed: 0"),
        (["--info", "searchpath"], "file://"), (["--info", "plugins"], "BasicSweeper"),
        (["--help"], "gan train -m loss=wgan"), (["--hydra-help"], "== Flags =="),
        (["--help", "loss=wgan"], "n_critic: 5"),
    ],
)  # fmt: skip
def test_hydras_flags_work(
    words: list[str], told: str, training: Launched, capsys: pytest.CaptureFixture[str]
):
    assert main(["train", *words]) == 0
    assert told in capsys.readouterr().out
    assert training.calls == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--steps", "100"], "KEY=VALUE, without dashes"),
        (["--cfg", "jobb"], "invalid choice: 'jobb'"),
        (["--cfg", "job", "-m"], "ask for two things"),
        (["--resolve"], "needs --cfg job"),
        (["-p", "loss"], "needs --cfg job"),
        (["--cfg", "job", "-p", "nope"], "package 'nope' not found"),
        (["--config-name", "nope"], "Cannot find primary config 'nope'"),
        (["--config-dir", "nope"], "there is no such directory"),
        (["--conf", "x"], "unrecognized arguments: --conf"),
    ],
)
def test_wrong_flags_are_refused(
    words: list[str], told: str, training: Launched, capsys: pytest.CaptureFixture[str]
):
    try:
        code: Any = main(["train", *words])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert told in capsys.readouterr().err
    assert training.calls == []


def test_a_pickle_is_not_run_again(
    tmp_path: Path, training: Launched, capsys: pytest.CaptureFixture[str]
):
    evil = tmp_path / "x.pickle"
    evil.write_bytes(b"cos\nmkdir\n(S'pwned'\ntR.")
    assert main(["train", "--experimental-rerun", str(evil)]) == 2
    assert not (tmp_path / "pwned").exists()
    assert "resume=RUN_DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (GanError("x"), 1, "error: x\n"),
        (UserMistake("two\nlines"), 2, "error: two\nlines\n"),
        (BadFile("\033]52;c;x\007 torn"), 4, "error: ?]52;c;x? torn\n"),
        (NumericalFailure("x"), 5, "error: x\n"),
        (DiskFailure("x"), 6, "error: x\n"),
        (Stopped(signal.SIGINT, "saved"), 130, "saved\n"),
        (Stopped(signal.SIGTERM, "saved"), 143, "saved\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_each_kind_of_end_has_its_exit_code_and_one_message(
    error: BaseException, code: int, told: str,
    training: Launched, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    training.ends[7] = error
    assert main(["train", "seed=7"]) == code
    assert capsys.readouterr().err == told


def test_a_bug_says_that_it_is_one(
    training: Launched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    training.ends[7] = ZeroDivisionError("by 0")
    assert main(["train", "seed=7"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "error: ZeroDivisionError: by 0\nthis is a bug" in told
    training.ends[7].add_note("the traceback is in outputs/x/crash.txt")
    assert main(["train", "seed=7"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "the traceback is in outputs/x/crash.txt" in told
    for variable in ("GAN_DEBUG", "HYDRA_FULL_ERROR"):
        monkeypatch.setenv(variable, "1")
        assert main(["train", "seed=7"]) == 1
        assert os.environ[variable] == "1"
        assert "Traceback" in capsys.readouterr().err
        monkeypatch.delenv(variable)
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_a_reader_that_goes_away_is_no_error(gan: Callable[..., Result]):
    for words in ("--help", "train --info"):
        told = subprocess.run(
            f"{sys.executable} -m gan_cli {words} | true; exit ${{PIPESTATUS[0]}}",
            cwd=ROOT, shell=True, executable="bash", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert told.returncode in (0, 141)  # the reader may have waited
        assert told.stderr == ""


def test_every_job_of_a_sweep_runs_whatever_becomes_of_the_others(
    training: Launched, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    training.ends |= {1: NumericalFailure("nan"), 2: ZeroDivisionError("by 0")}
    assert main(["train", "-m", "seed=0,1,2,3", "loss=wgan"]) == 1
    assert training.overrides == [[f"seed={seed}", "loss=wgan"] for seed in range(4)]
    told = capsys.readouterr()
    assert told.err.endswith("error: 2 of 4 jobs failed; the table says why\n")
    assert "failed: seed=1: nan\nfailed: seed=2: ZeroDivisionError: by 0\n" in told.out
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["sweeps"]


@pytest.mark.parametrize(
    ("end", "code"), [(Stopped(signal.SIGTERM, "saved"), 143), (KeyboardInterrupt(), 130)]
)
def test_a_signal_stops_the_sweep(end: BaseException, code: int, training: Launched):
    training.ends[1] = end
    assert main(["train", "-m", "seed=0,1,2"]) == code
    assert training.overrides == [["seed=0"], ["seed=1"]]


def test_a_sweep_makes_the_runs_that_its_jobs_make_alone(training: Launched):
    words = ["optimizer.lr=1e-4", "tensorboard=False", "loss=wgan"]
    main(["train", *words])
    main(["train", "-m", *words])
    assert training.overrides[0] == training.overrides[1]
    assert training.overrides[0] == ["optimizer.lr=0.0001", "tensorboard=false", "loss=wgan"]


def test_a_sweep_can_be_kept_in_a_file(training: Launched, tmp_path: Path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "many.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,1'}}}\n"
    )
    assert main(["train", "--config-dir", "mine", "experiment=many", "steps=3"]) == 0
    assert training.overrides == [
        ["seed=0", "experiment=many", "steps=3"], ["seed=1", "experiment=many", "steps=3"],
    ]  # fmt: skip


def test_a_users_own_package_is_found_and_hides_nothing(
    training: Launched, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    for name in ("own", "wgan"):
        (tmp_path / "mine" / "loss" / f"{name}.yaml").write_text("_target_: own_package.Own\n")
    (tmp_path / "colorsys.py").write_text("raise AssertionError('hides the standard library')")
    assert main(["train", "--config-dir", "mine", "loss=own"]) == 0
    assert training.calls[0][0]["loss"] == {"_target_": "own_package.Own"}
    assert sys.path[-1] == str(tmp_path)
    __import__("colorsys")
    assert "warning: mine/loss/wgan.yaml is not used" in capsys.readouterr().err
