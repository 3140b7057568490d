"""`resume=RUN_DIR`: the command of a run, continued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gan_cli.cli_compose import Sources
from gan_cli.cli_resume import rewrite
from gan_cli.errors import BadFile, UserMistake
from gan_cli.run import Run

CONFIG: dict[str, Any] = {
    "seed": 0, "steps": 10, "data_root": "/data", "outputs": "outputs", "run_dir": None,
    "fresh": False, "optimizer": {"lr": 5e-5, "d_lr": None}, "tensorboard": True,
}  # fmt: skip
CHOICES = {"loss": "wgan", "optimizer": "rmsprop"}


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(*overrides: str, flags: tuple[str, ...] = (), **config: Any) -> Path:
    """The directory of a run made with these overrides."""
    argv = ["gan", "train", *flags, *overrides]
    with Run.open(CONFIG | config, CHOICES, [*overrides], argv) as run:
        return run.dir


def resumed(*asked: str, **sources: str) -> list[str]:
    return rewrite([*asked], Sources(**sources), multirun=False)


def test_a_command_without_it_stays_as_it_is():
    assert resumed("loss=wgan", "steps=3") == ["loss=wgan", "steps=3"]


def test_it_is_what_the_run_was_made_with_and_what_is_asked():
    run = made("loss=wgan", "steps=10", "outputs=outputs", "fresh=true")
    assert resumed(f"resume={run}", "steps=20", "hardware.threads=1") == [
        "loss=wgan", "steps=20", "hardware.threads=1", f"run_dir={run}",
    ]  # fmt: skip


def test_a_batch_of_each_rank_goes_on_as_the_whole_batch_that_it_was():
    run = made("batch_size=32", "hardware.batch=rank", batch_size=64)
    whole = ["batch_size=64", "hardware.batch=whole"]
    assert resumed(f"resume={run}", "steps=9") == [*whole, "steps=9", f"run_dir={run}"]
    assert resumed(f"resume={run}", *whole) == [*whole, f"run_dir={run}"]
    with pytest.raises(UserMistake, match="batch_size: 64 → 32"):
        resumed(f"resume={run}", "batch_size=32")


def test_a_resumed_run_can_be_resumed_again():
    run = made("loss=wgan")
    for steps in (20, 30):
        words = resumed(f"resume={run}", f"steps={steps}")
        assert words == ["loss=wgan", f"steps={steps}", f"run_dir={run}"]
        assert made(*words, steps=steps, run_dir=str(run)) == run


@pytest.mark.parametrize(
    "asked", ["images=5", "epochs=1", "log_every=1", "keep=3", "preview=true", "hardware=auto"]
)
def test_budget_cadence_and_hardware_may_change(asked: str):
    assert asked in resumed(f"resume={made()}", asked)


@pytest.mark.parametrize(
    "asked",
    ["seed=0", "loss=wgan", "optimizer.lr=5e-5", "optimizer.lr=0.00005", "optimizer.d_lr=null"],
)
def test_what_is_the_same_may_be_said_again(asked: str):
    assert asked in resumed(f"resume={made()}", asked)


def test_anything_else_is_refused_with_the_difference():
    run = made("loss=wgan")
    with pytest.raises(UserMistake) as refused:
        resumed(f"resume={run}", "loss=hinge", "seed=1", "+x.y=2", "steps=5", "fresh=true")
    assert str(refused.value).splitlines()[1:5] == [
        "  loss: wgan → hinge", "  seed: 0 → 1", "  x.y: (absent) → 2", "  fresh: false → true",
    ]  # fmt: skip
    assert "steps" in str(refused.value).splitlines()[-1]


def test_a_path_of_any_kind_can_be_named():
    run = made(run_dir="it's mine (1)")
    assert resumed(f"resume={run}")[-1] == r"run_dir='it\'s mine (1)'"
    assert resumed(f'resume="{run}"') == resumed(f"resume={run}")
    with pytest.raises(UserMistake, match="interpolation"):
        resumed("resume=${outputs}")


@pytest.mark.parametrize("name", ["nothing", "file", "empty", "", "null"])
def test_what_is_no_run_is_said_so(name: str, tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserMistake, match="is no directory|holds no run|names one run"):
        resumed(f"resume={name}")


def test_one_run_at_a_time():
    run = made()
    with pytest.raises(UserMistake, match="names one run"):
        rewrite([f"resume={run}"], Sources(), multirun=True)
    with pytest.raises(UserMistake, match="names one run"):
        resumed(f"resume={run}", "resume=other")


@pytest.mark.parametrize(
    "planted", ["loss._target_=os.system", "data_root=${oc.env:HOME}", "hydra.searchpath=[file:///x]"]
)  # fmt: skip
def test_a_strangers_run_names_no_code_unless_it_is_typed_again(planted: str):
    run = made(planted)
    with pytest.raises(UserMistake, match="if you trust it, type it again"):
        resumed(f"resume={run}")
    assert planted in resumed(f"resume={run}", planted)


def test_a_users_own_configurations_are_named_again():
    run = made(flags=("--config-dir", "mine", "--config-name", "other"))
    with pytest.raises(UserMistake, match="--config-dir .*/mine: type that again"):
        resumed(f"resume={run}")
    with pytest.raises(UserMistake, match="--config-name other: type that again"):
        resumed(f"resume={run}", config_dir="mine")
    assert resumed(f"resume={run}", config_dir="mine", config_name="other")


def test_a_record_that_was_tampered_with_is_a_bad_file():
    run = made()
    told = json.loads((run / "run.json").read_text()) | {"overrides": [{"a": 1}]}
    (run / "run.json").write_text(json.dumps(told))
    with pytest.raises(BadFile, match="`overrides` is missing or not what it should be"):
        resumed(f"resume={run}")
