"""`gan reproduce`: the same run once more, what is told of differences, and what is refused."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import circumstances, cli_repeat, container, state, train
from gan_cli.cli import main
from gan_cli.cli_compose import Composer, Sources
from gan_cli.cli_repeat import adopted
from gan_cli.errors import Lost, Stopped, UserMistake
from gan_cli.record import Record
from gan_cli.reproduce.course import Course
from gan_cli.reproduce.stages import stages
from tests import watched

pytestmark = pytest.mark.training

QUIET = ("diagnose.every=null", "dataset=digits")


@pytest.fixture(autouse=True)
def composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command is composed once for all tests: it takes longer than such a run."""
    monkeypatch.setattr(cli_repeat, "Composer", lambda sources, typed: _composer(sources, *typed))


@functools.cache
def _composer(sources: Sources, *typed: str) -> Composer:
    return Composer(sources, typed)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of 24 steps is, once it has been asked for."""
    return tmp_path_factory.mktemp("first") / "run"


@pytest.fixture
def run(first: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    if not first.exists():
        watched.run(first, *QUIET)
    return Path(shutil.copytree(first, tmp_path / "run"))


def reproduced(run: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of the command, and what it wrote; {} where it wrote nothing."""
    code = main(["reproduce", str(run), *words])
    told = run.with_name(f"{run.name}.reproduced") / "reproduction.json"
    return code, json.loads(told.read_text()) if told.exists() else {}


def rewritten(run: Path, **changes: Any) -> None:
    """The record of the run with other entries."""
    path = run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def kept(run: Path) -> dict[Path, tuple[bytes, int]]:
    files = [path for path in run.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def trained_to(run: Path) -> int:
    return max(state.steps(run.with_name(f"{run.name}.reproduced") / "checkpoints"))


def test_it_is_the_same_and_the_run_is_not_touched(run, capsys):
    before = kept(run)
    code, told = reproduced(run)
    assert (code, told["same"]) == (0, True)
    assert told["rows"] == {"compared": 24, "missing": 0}
    assert told["tensors"]["compared"] == len(watched.tensors(run))
    assert told["pictures"]["compared"] == 1
    assert "the same, bit for bit: 24 rows" in capsys.readouterr().out
    assert kept(run) == before
    again = kept(run.with_name("run.reproduced") / "checkpoints")
    assert reproduced(run)[0] == 0
    assert kept(run.with_name("run.reproduced") / "checkpoints") == again


def test_what_was_stopped_and_went_on_with_another_budget(tmp_path):
    """The rates follow the budget of each session."""
    run, asked = tmp_path / "run", (*QUIET, "schedule=cosine")
    with pytest.raises(Stopped):
        watched.run(run, *asked, stop_after=9)
    watched.run(run, *asked, "steps=14")
    watched.run(run, *asked, "steps=20")
    code, told = reproduced(run)
    assert (code, told["verdict"][:21]) == (0, "the same, bit for bit")
    assert told["steps"]["to"] == told["rows"]["compared"] == 20


def test_what_went_back_on_its_way(tmp_path):
    back = ("policy=rewind", "policy.patience=1", "policy.lr=0.1", "policy.times=2", "keep=2")
    run = tmp_path / "run"
    with contextlib.suppress(Lost):  # in the end it is given up, and so it is again
        watched.run(run, *watched.LOST, *back, "dataset=digits", "log_every=1")
    assert len(json.loads((run / "rewinds.json").read_text())["returns"]) > 0
    code, told = reproduced(run)
    assert (code, told["rows"]["compared"]) == (0, max(state.steps(run / "checkpoints")))


def test_it_goes_on_where_it_was_stopped(run, monkeypatch):
    with monkeypatch.context() as patch:
        pace = train._pace

        def paced(session: Any, step: int) -> Any:
            if step == 9:
                os.kill(os.getpid(), signal.SIGTERM)
            return pace(session, step)

        patch.setattr(train, "_pace", paced)
        assert reproduced(run) == (143, {})
    assert trained_to(run) == 10
    assert reproduced(run)[0] == 0


def test_some_steps_of_it(run, capsys):
    code, told = reproduced(run, "--steps", "7")
    assert (code, told["rows"]["compared"], told["tensors"]) == (0, 7, None)
    assert main(["reproduce", str(run), "--steps", "25"]) == 2
    assert "has 24 steps to compare with" in capsys.readouterr().err


def test_from_a_checkpoint_of_its_own(run, capsys):
    code, told = reproduced(run, "--from", "20")
    assert (code, told["rows"]["compared"], told["tensors"]["step"]) == (0, 4, 24)
    assert "are lost" not in capsys.readouterr().err
    rows = (run / "metrics.jsonl").read_text()
    assert (run.with_name("run.reproduced") / "metrics.jsonl").read_text() == rows
    assert main(["reproduce", str(run), "--from", "19"]) == 2
    assert "checkpoints of" in capsys.readouterr().err


def spoilt_row(run: Path, at: int, factor: float) -> None:
    path = run / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[at - 1]["loss/d"] *= factor
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_rounding_is_told_and_gone_on_with(run, capsys):
    spoilt_row(run, 7, 1 + 1e-5)
    code, told = reproduced(run, "hardware.threads=1")
    assert (code, told["same"], told["close"]) == (1, False, True)
    assert told["first"]["step"] == told["columns"]["loss/d"]["first"] == 7
    said = capsys.readouterr().out
    assert "not the same bits any more: step 7: loss/d differs by 1.0e-05 of its size" in said
    assert "the same to rounding (0.001) for all 24 rows, the same bits for 6" in said
    assert "though nothing that should matter differs" in said
    assert reproduced(run, "--tolerance", "1e-4")[0] == 0
    assert reproduced(run, "--tolerance", "1e-6")[0] == 1


def test_what_comes_apart_is_left_at_once(run, capsys):
    spoilt_row(run, 7, 2)
    code, told = reproduced(run)
    assert (code, told["close"], trained_to(run)) == (1, False, 10)
    assert "the same, bit for bit, for 6 steps, then apart" in capsys.readouterr().out
    assert reproduced(run)[0] == 1
    assert trained_to(run) == 10
    assert reproduced(run, "--to-the-end")[0] == 1
    assert trained_to(run) == 24


def test_a_tensor_that_is_not_the_same_is_named(run):
    path = state.path_of(run / "checkpoints", 24)
    found = container.read(path)
    name = next(name for name in found.tensors if name.startswith("G/"))
    found.tensors[name].view(-1)[0] += 1
    container.write(path, found.tensors, found.meta)
    code, told = reproduced(run)
    assert (code, list(told["tensors"]["unequal"])) == (1, [name])
    assert f"the rows are the same, but 1 tensors are not ({name})" in told["verdict"]


def test_a_zero_of_the_other_sign_is_not_the_same(tmp_path):
    from gan_cli.reproduce.artefacts import _same

    assert not _same(torch.tensor([0.0]), torch.tensor([-0.0]))


def test_other_circumstances_are_told_before_and_after(run, capsys):
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    sessions[0]["circumstances"] |= {"torch": "2.0.1", "MKL_CBWR": "AVX2"}
    rewritten(run, sessions=sessions)
    spoilt_row(run, 5, 2)
    reproduced(run)
    said = capsys.readouterr().out
    assert said.index("not as it was then: torch 2.0.1 → ") < said.index("training")
    assert "for 4 steps, then apart: expected, since torch 2.0.1 → " in said
    assert "MKL_CBWR AVX2 → none" in said


def test_other_data_are_refused_before_anything_is_trained(run, capsys):
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    sessions[0]["circumstances"]["data"] = "0" * 64
    rewritten(run, sessions=sessions)
    assert reproduced(run) == (2, {})
    assert "learnt from other data" in capsys.readouterr().err
    assert not run.with_name("run.reproduced").exists()


def test_a_record_of_before_says_what_it_can(run, capsys):
    record = json.loads((run / "run.json").read_text())
    old = [{"started": one["started"], "command": one["command"]} for one in record["sessions"]]
    rewritten(run, sessions=old, versions=record["versions"] | {"torch": "2.10.0"})
    assert reproduced(run)[0] == 0
    assert "not as it was then: torch 2.10.0 → " in capsys.readouterr().out


@pytest.mark.parametrize(
    "planted", ["loss._target_=os.system", "seed=${oc.env:HOME}", "hydra.searchpath=[file:///x]"]
)
def test_a_stranger_names_no_code(planted, run, capsys):
    overrides = json.loads((run / "run.json").read_text())["overrides"]
    rewritten(run, overrides=[*overrides, planted])
    assert reproduced(run) == (2, {})
    assert "if you trust it, type it again" in capsys.readouterr().err


def test_a_default_that_has_changed_since_is_taken_from_the_run_but_no_code():
    config = {"optimizer": {"_target_": "A", "lr": 1.0, "new": 0}, "seed": 0, "outputs": "here"}
    stored = {"optimizer": {"_target_": "A", "lr": 2.0}, "seed": 0, "outputs": "there"}
    settings, notes = adopted(Path("run"), config, stored)
    assert notes == ["optimizer.lr: 2.0 → 1.0"]
    assert settings["optimizer"] == {"_target_": "A", "lr": 2.0, "new": 0}
    for other in ({"_target_": "os.system"}, {"lr": [{"_target_": "os.system"}]}, {"gone": 1}):
        with pytest.raises(UserMistake, match="can't be repeated by this gan"):
            adopted(Path("run"), config, stored | {"optimizer": stored["optimizer"] | other})


def test_what_is_refused(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    other = watched.run(tmp_path / "other", *QUIET, "steps=1", "seed=5")
    for words, reason in (
        ([str(tmp_path / "empty")], "holds no run"),
        ([str(run), "--out", str(run)], "not trained over itself"),
        ([str(run), "--out", str(other)], "holds another run (seed: 5 → 0)"),
        ([str(run), "seed=3"], "seed: 0 → 3"),
        ([str(run), "steps=30"], "steps: 24 → 30"),
        ([str(run), "--tolerance", "2"], "no share between 0 and 1"),
    ):
        assert main(["reproduce", *words]) == 2, words
        assert reason in capsys.readouterr().err
    rewritten(run, config_dir="/somewhere/mine")
    assert main(["reproduce", str(run)]) == 2
    assert "--config-dir /somewhere/mine: type that again" in capsys.readouterr().err


def test_help_says_what_it_does(capsys):
    assert main(["help", "reproduce"]) == 0
    said = capsys.readouterr().out
    assert "RUN.reproduced" in said
    assert "--tolerance SHARE" in said


def test_rows_that_only_one_has_are_told(tmp_path):
    for name, steps in (("a", (1, 2, 4)), ("b", (1, 3, 4))):
        text = "".join(json.dumps({"step": s, "x": 0.5}) + "\n" for s in steps)
        (tmp_path / name).write_text(text)
    course = Course(tmp_path / "a", tmp_path / "b", 1e-3)
    course.follow(9)
    assert (course.rows, course.missing, course.first) == (2, 2, None)


def test_a_loss_that_crosses_zero_has_the_size_it_had_on_the_mean(tmp_path):
    for name, last in (("a", 1e-9), ("b", 2e-9)):
        values = [1.0, -1.0, 1.0, last]
        text = "".join(json.dumps({"step": i, "x": v}) + "\n" for i, v in enumerate(values, 1))
        (tmp_path / name).write_text(text)
    course = Course(tmp_path / "a", tmp_path / "b", 1e-3)
    course.follow(4)
    assert course.first is not None
    assert course.first.share < 1e-8


def test_sessions_that_were_overtaken_have_left_nothing():
    def told(*sessions: tuple[int, int]) -> list[tuple[int, int, int | None]]:
        known = [{"from": start, "steps": steps} for start, steps in sessions]
        record = Record("", [], {}, None, None, {}, None, {}, {}, [{}, *known])
        return [(one.start, one.end, one.steps) for one in stages(record, 30)]

    assert told((0, 20), (20, 30)) == [(0, 20, 20), (20, 30, 30)]
    assert told((0, 20), (15, 40), (10, 30)) == [(0, 10, 20), (10, 30, 30)]
    assert told((0, 20), (0, 30)) == [(0, 30, 30)]
    assert told((10, 30)) == [(0, 10, None), (10, 30, 30)]
    assert told((0, 30), (40, 50)) == [(0, 30, 30)]
    assert told() == [(0, 30, None)]


def test_circumstances_are_compared_as_far_as_they_were_written_down():
    now = circumstances.found("cpu", "float32", 1, deterministic=False)
    assert circumstances.changed({}, now) == circumstances.changed(now, now) == {}
    assert circumstances.changed({"threads": 3}, now) == {"threads": (3, now["threads"])}
    hostile = {"threads": [1], "torch": {"a": 1}, "card": "x", "y" * 9: 1.5}
    assert circumstances.plain(hostile) == {"card": "x"}
