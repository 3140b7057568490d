"""The tab key: what it offers, and that it never says anything else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gan_cli.cli import main
from gan_cli.cli_complete import SCRIPTS, VALUES, candidates
from gan_cli.fast import Hardware
from tests.conftest import Result, entries

PRECISIONS = ("auto", "float32", "bfloat16")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gan tr", ["train"]),
        ("gan train los", ["loss=", "loss."]),
        ("gan train loss=minim", ["loss=minimax"]),
        ("gan train seed=1 loss=hin", ["loss=hinge"]),
        ("gan train -m penalty=non", ["penalty=none"]),
        ("gan explain loss=wgan_", ["loss=wgan_gp"]),
        ("gan check penalty=lec", ["penalty=lecam"]),
        ("gan lab dir", ["dirac"]),
        ("gan train optimizer.be", ["optimizer.betas."]),
        ("gan train loss=wgan optimizer.al", ["optimizer.alpha="]),
        ("gan train batch_si", ["batch_size="]),
        ("gan train batch_size=", ["batch_size=64"]),
        ("gan train hardware.precision=", [f"hardware.precision={p}" for p in PRECISIONS]),
        ("gan train hardware.compile=t", ["hardware.compile=true"]),
        ("gan train resu", ["resume="]),
        ("gan train --multi", ["--multirun"]),
        ("gan train --experimental", []),
        ("gan train -m --dry", ["--dry-run"]),
        ("gan train -m --dry-run loss=minim", ["loss=minimax"]),
        ("gan tune loss=hinge,wgan --tri", ["--trials"]),
        ("gan tune --sampler r", ["random"]),
        ("gan tune --work", ["--workers"]),
        ("gan tune --trials 5 loss=minim", ["loss=minimax"]),
        ("gan bench --ba", ["--batches"]),
        ("gan bench --seconds 5 loss=minim", ["loss=minimax"]),
        ("gan compare --reve", ["--reverse"]),
        ("gan compare --format la", ["latex"]),
        ("gan report outputs --ru", ["--runs"]),
        ("gan completion f", ["fish"]),
        ("gan help sa", ["sample"]),
        ("gan sample --ck", ["--ckpt"]),
        ("gan sample --ckpt x --tr", ["--trust", "--truncation", "--truncations"]),
        ("gan sample --refine l", ["langevin"]),
        ("gan sample --path ", ["linear", "spherical"]),
        ("gan sample --seed ", []),
        ("gan sample --raw --ra", []),
        ("gan nonsense x", []),
    ],
)
def test_the_last_word_is_completed(line: str, offered: list[str]):
    assert sorted(candidates(line)) == sorted(offered)


@pytest.mark.parametrize("key", VALUES)
def test_each_value_that_is_offered_is_one(key: str):
    for value in map(yaml.safe_load, VALUES[key]):
        hardware = Hardware(**{key.removeprefix("hardware."): value})
        assert value == "auto" or value in hardware.said.values() or key == "hardware.device"
    with pytest.raises(ValueError, match="auto"):
        Hardware(**{key.removeprefix("hardware."): "none"})


def test_every_choice_of_a_group_is_offered():
    assert candidates("gan train loss=") == [f"loss={name}" for name in entries("loss")]
    assert {"loss=", "dataset=", "steps="} <= set(candidates("gan train "))


def test_runs_to_resume_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
    (tmp_path / "outputs" / "a" / "run.json").touch()
    assert candidates("gan train resume=") == ["resume=outputs/a", "resume=outputs/b/"]
    assert candidates("gan train resume=out") == ["resume=outputs/"]


@pytest.mark.parametrize("verb", ["sample", "evaluate"])
def test_runs_to_sample_from_are_offered(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
    (tmp_path / "outputs" / "a" / "run.json").touch()
    assert candidates(f"gan {verb} --ckpt ") == ["outputs/a", "outputs/b/"]
    assert candidates(f"gan {verb} --ckpt outputs/b") == ["outputs/b/"]


def test_a_users_own_choices_are_offered(tmp_path: Path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").touch()
    assert candidates(f"gan train --config-dir {tmp_path} loss=mi")[0] == "loss=mine"


@pytest.mark.parametrize(
    "line", ["gan train loss=[", "gan train -p", "gan train --config-dir /no x"]
)
def test_what_can_not_be_completed_is_passed_over_in_silence(
    line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COMP_LINE", line)
    assert main(["-sc", "query=bash"]) == 0
    assert capfd.readouterr() == ("\n", "")


@pytest.mark.parametrize(("shell", "between"), [("bash", " "), ("zsh", "\n"), ("fish", "\n")])
def test_an_answer_is_made_for_its_shell(
    shell: str, between: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("COMP_LINE", "gan train loss=wgan")
    main(["-sc", f"query={shell}"])
    assert capsys.readouterr().out.startswith(f"loss=wgan{between}loss=wgan_gp")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_is_good_grammar_for_its_shell(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    main(["-sc", f"install={shell}"])
    assert capsys.readouterr().out == script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes(gan: Callable[..., Result], tmp_path: Path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = gan("completion", "bash").stdout
    answers = 'gan() { echo "loss=wgan loss=wgan_gp"; }\n'
    ask = 'COMP_LINE="gan train loss=wg"; COMP_POINT=17; COMP_WORDS=(gan train loss=wg); _gan\n'
    told = subprocess.run(
        [bash, "--norc"],
        input=f'{script}{answers}{ask}printf "%s|" "${{COMPREPLY[@]}}"',
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == "wgan|wgan_gp|"


def test_without_a_shell_it_says_what_to_do(capsys: pytest.CaptureFixture[str]):
    assert main(["completion"]) == 0
    assert "~/.bashrc" in capsys.readouterr().out
    assert main(["completion", "tcsh"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


def test_runs_sweeps_and_groups_are_offered_to_those_who_study_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for file in ("outputs/a/run.json", "outputs/sweeps/b/ledger.json"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    for verb in ("compare", "report", "doctor", "reproduce"):
        assert candidates(f"gan {verb} ") == ["outputs/a", "outputs/sweeps/"]
        assert candidates(f"gan {verb} outputs/a outputs/sweeps/") == ["outputs/sweeps/b"]
    assert candidates("gan list los") == ["loss"]
    assert candidates("gan tune dataset=gr")[:1] == ["dataset=grid100"]
