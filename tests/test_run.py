"""The run directory: its name, its lock, what it remembers and what it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.errors import BadFile, DiskFailure, NumericalFailure, UserMistake
from gan_cli.lock import hold
from gan_cli.record import FORMAT, NAME, Record, differences, flat, option
from gan_cli.run import CONTROL, Run, key_of, name
from tests.conftest import ROOT

KEYS = st.from_regex(r"[a-z_]{1,6}(\.[a-z_]{1,6})?", fullmatch=True)
VALUES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.+-]{0,8}", fullmatch=True), st.text(max_size=8), st.just("x" * 250)
)
OVERRIDES = st.dictionaries(KEYS, VALUES, max_size=5).map(
    lambda pairs: [f"{key}={value}" for key, value in pairs.items()]
)
CONFIG: dict[str, Any] = {
    "seed": 0, "steps": 10, "log_every": 20, "preview": False, "data_root": "/data",
    "outputs": "outputs", "run_dir": None, "fresh": False,
    "dataset": {"root": "/data/mnist"}, "hardware": {"device": "auto"}, "lr": float("inf"),
}  # fmt: skip


def telling(overrides: list[str]) -> list[str]:
    return sorted(o for o in overrides if key_of(o) not in CONTROL)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def enter(overrides: list[str] = [], **changes: Any) -> Run:  # noqa: B006
    return Run.open(CONFIG | changes, {"loss": "wgan"}, overrides, ["gan", "train", *overrides])


@given(OVERRIDES, st.randoms())
def test_the_order_of_overrides_does_not_matter(overrides: list[str], random: Any):
    shuffled = [*overrides]
    random.shuffle(shuffled)
    assert name(shuffled) == name(overrides)


@given(OVERRIDES, OVERRIDES)
def test_different_commands_have_different_names(one: list[str], other: list[str]):
    assert (name(one) == name(other)) == (telling(one) == telling(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["loss=wgan_gp", "seed=1"], ["loss=wgan", "gp_seed=1"]),
        (["a=b+c-d"], ["a=b", "c=d"]),
        (["a=b/c"], ["a=b-c"]),
        (["a-b=c"], ["a=b-c"]),
        (["+a=b"], ["a=b"]),
        (["a=default"], []),
        (["a=B"], ["a=b"]),
    ],
)
def test_names_that_could_be_confused_are_not(one: list[str], other: list[str]):
    assert name(one) != name(other)


@given(OVERRIDES)
def test_a_name_needs_no_quotes_and_is_one_directory(overrides: list[str]):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", name(overrides))


def test_a_name_says_what_was_asked_and_not_where():
    assert name(["seed=1", "loss=wgan", "fresh=true", "outputs=x", "run_dir=y"]) == (
        "loss-wgan+seed-1"
    )
    assert name([]) == name(["preview=true", "data_root=/x"]) == "default"


def test_a_new_run_writes_down_how_it_was_made():
    with enter(["loss=wgan"], lr=float("inf")) as run:
        assert run.dir == Path("outputs/loss-wgan")
        told = json.loads(run.info.read_text(), parse_constant=pytest.fail)
    assert told["command"] == "gan train loss=wgan"
    assert told["overrides"] == ["loss=wgan"]
    assert told["choices"] == {"loss": "wgan"}
    assert {"gan", "python", "torch"} <= told["versions"].keys()
    assert "seed: 0\n" in run.config_file.read_text()
    assert (run.notes, run.changes) == ([], [])


def test_the_same_command_enters_the_same_run_and_counts_its_sessions():
    for session in range(1, 4):
        with enter() as run:
            assert run.changes == []
            run.begin()
            assert len(Record.read(run.dir).sessions) == session


def test_budget_cadence_and_hardware_may_change_and_are_told():
    enter().close()
    with enter(steps=20, log_every=5, preview=True, hardware={"device": "cpu"}) as run:
        assert run.changes == [
            "steps: 10 → 20", "log_every: 20 → 5", "hardware.device: auto → cpu",
        ]  # fmt: skip


def test_data_may_move():
    enter().close()
    enter(data_root="/elsewhere", dataset={"root": "/elsewhere/mnist"}).close()


def test_what_gan_did_not_know_when_the_run_began_is_no_difference_unless_it_is_typed():
    enter(model={"_target_": "m.M", "a": 1}).close()
    newer = {"model": {"_target_": "m.M", "a": 1, "b": 2}, "prior": {"_target_": "p.P", "s": 1.0}}
    with enter(**newer) as run:
        assert run.changes == []
    enter(model={"_target_": "m.M", "a": 1}, fresh=True).close()
    with pytest.raises(UserMistake, match=r"model._target_: m.M → m.N"):
        enter(model={"_target_": "m.N", "a": 1, "b": 2})


def test_another_configuration_is_refused_with_the_difference_and_two_ways_out():
    enter().close()
    with pytest.raises(UserMistake) as refused:
        enter(seed=1, dataset={"root": "/data/mnist", "size": 8})
    told = str(refused.value)
    assert "seed: 0 → 1\n  dataset.size: (absent) → 8\n" in told
    assert "fresh=true" in told
    assert "run_dir=" in told
    enter().close()  # the lock was given back


def test_fresh_moves_the_earlier_run_aside_and_deletes_nothing():
    for number in range(3):
        with enter(fresh=True, seed=number) as run:
            (run.dir / "kept").write_text(str(number))
    kept = {path.parent.name: path.read_text() for path in Path("outputs").glob("*/kept")}
    assert kept == {"default.old-1": "0", "default.old-2": "1", "default": "2"}
    assert run.notes == ["moved the earlier run to outputs/default.old-2"]


def test_fresh_starts_over_from_a_damaged_record():
    with enter() as run:
        run.info.write_text("{")
    with pytest.raises(BadFile, match="damaged.*fresh=true"):
        enter()
    enter(fresh=True).close()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_directory_of_something_else_is_left_alone(tmp_path: Path, fresh: bool):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").touch()
    with pytest.raises(UserMistake, match="holds no run"):
        enter(run_dir="photos", fresh=fresh)
    assert (tmp_path / "photos" / "me.png").exists()


def test_the_directory_in_use_is_refused_and_its_holder_named():
    first = enter()
    held = "from tests.test_run import enter; enter()"
    second = subprocess.run(
        [sys.executable, "-c", held],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"outputs/default is in use by process {os.getpid()} on " in second.stderr
    with pytest.raises(UserMistake, match=f"in use by process {os.getpid()}"):
        enter(fresh=True)
    first.close()
    enter().close()


def test_the_lock_of_a_killed_process_is_free():
    held = "import os; from tests.test_run import enter; enter(); os.kill(os.getpid(), 9)"
    killed = subprocess.run(
        [sys.executable, "-c", held], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert killed.returncode == -9
    assert Path("outputs/default/run.json").exists()
    enter().close()


def test_what_can_not_be_written_fails_at_once(monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, *args: Any, **kwargs: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DiskFailure, match="outputs/default can't be written: Read-only"):
        enter()


def test_a_file_in_the_way_is_the_users_mistake():
    Path("outputs").touch()
    with pytest.raises(UserMistake, match="outputs/default can't be a run directory"):
        enter()


def test_an_unexpected_error_leaves_its_traceback_behind_and_an_expected_one_does_not():
    with pytest.raises(NumericalFailure), enter(["seed=1"]):
        raise NumericalFailure("nan")
    assert not Path("outputs/seed-1/crash.txt").exists()
    with pytest.raises(ZeroDivisionError) as crash, enter():
        _ = 1 // 0
    assert crash.value.__notes__ == ["the traceback is in outputs/default/crash.txt"]
    assert "1 // 0" in Path("outputs/default/crash.txt").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "nan", '{"format": "gan-run/2"}', '{"a": 1, "a": 2}', "[" * 100_000,
        '{"format": "gan-run/1", "overrides": [1]}', "\ud800", '"' + "x" * (1 << 21) + '"',
    ],
)  # fmt: skip
def test_a_foreign_record_is_a_bad_file(tmp_path: Path, text: str):
    (tmp_path / "run.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadFile, match=r"run\.json"):
        Record.read(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_record_that_is_no_file_is_not_waited_for_nor_kept_open(
    make: Callable[[Path], None], tmp_path: Path
):
    make(tmp_path / "run.json")
    before = os.listdir("/dev/fd")
    with pytest.raises(BadFile, match="no regular file"):
        Record.read(tmp_path)
    assert os.listdir("/dev/fd") == before


@given(st.lists(st.text(max_size=20), max_size=3))
def test_a_record_is_read_as_it_was_written(words: list[str]):
    directory = Path("records")
    directory.mkdir(exist_ok=True)
    record = Record.make(CONFIG, {"loss": "wgan"}, words, ["gan", *words])
    (directory / "run.json").write_text(record.to_json())
    back = Record.read(directory)
    assert (back.format, back.overrides, back.choices) == (FORMAT, words, {"loss": "wgan"})
    assert differences(flat(back.config), flat(CONFIG)) == {}


@pytest.mark.parametrize("words", [["--config-dir", "x"], ["--config-dir=x"], ["-cd", "x", "y"]])
def test_the_users_own_configurations_are_remembered(words: list[str]):
    record = Record.make(CONFIG, {}, [], ["gan", "train", *words])
    assert record.config_dir == str(Path("x").absolute())
    assert option(["gan", "train", "seed=1"], "--config-dir") is None


def test_a_refused_run_puts_back_what_fresh_moved_aside():
    with enter(["seed=1"]) as run:
        run.metrics.write_text("kept\n")
    with pytest.raises(UserMistake, match="no"), enter(["seed=1"], fresh=True):
        raise UserMistake("no")
    assert run.metrics.read_text() == "kept\n"
    assert [path.name for path in Path("outputs").iterdir()] == ["seed-1"]
    with enter(["seed=1"]) as again:
        assert again.metrics.exists()


@pytest.mark.parametrize("kind", [UserMistake, BadFile])
def test_a_new_run_that_has_trained_stays_one_whatever_ends_it(kind: type[Exception]):
    run = enter(["seed=1"])
    run.metrics.write_text("kept\n")
    with pytest.raises(kind, match="no"), run:
        raise kind("no")
    with enter(["seed=1"]) as again:
        assert again.metrics.read_text() == "kept\n"


def test_fresh_touches_nothing_of_a_process_that_was_quicker(monkeypatch: pytest.MonkeyPatch):
    with enter(["seed=1"]) as run:
        run.metrics.write_text("kept\n")

    def hold_if_there(directory: Path) -> int:
        if directory.exists():
            return hold(directory)
        directory.mkdir()
        (directory / NAME).write_text("theirs")
        raise UserMistake("in use")

    monkeypatch.setattr("gan_cli.run.hold", hold_if_there)
    with pytest.raises(UserMistake, match="in use"):
        enter(["seed=1"], fresh=True)
    assert run.info.read_text() == "theirs"
    assert (run.dir.with_name("seed-1.old-1") / "metrics.jsonl").read_text() == "kept\n"
