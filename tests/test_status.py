"""What has become of a run: told by the run itself, and by what is left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli import lock
from gan_cli.errors import BadFile, NumericalFailure, Stopped, UserMistake
from gan_cli.status import Status, Telling


def rows(directory: Path, step: int) -> None:
    lines = [json.dumps({"step": s, "loss/d": 1.0}) for s in range(1, step + 1)]
    (directory / "metrics.jsonl").write_text("\n".join(lines) + "\n")


ENDS = [
    (None, "done", ""),
    (NumericalFailure("step 3: loss/g is nan"), "failed", "loss/g is nan"),
    (RuntimeError("boom"), "failed", "boom"),
    (Stopped(signal.SIGTERM, "stopped and saved at step 3"), "interrupted", "at step 3"),
    (KeyboardInterrupt(), "interrupted", "Ctrl-C"),
]


@pytest.mark.parametrize(("error", "state", "reason"), ENDS)
def test_a_run_tells_how_it_ended_and_where(tmp_path, error, state, reason):
    def train() -> None:
        with Telling(tmp_path, 0, 10):
            rows(tmp_path, 3)
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            train()
    else:
        train()
    told = Status.read(tmp_path)
    assert (told.state, told.step, told.steps) == (state, 3, 10)
    assert reason in told.reason
    assert told.ended


def test_while_it_is_held_it_runs_and_then_its_process_is_gone(tmp_path):
    held = lock.hold(tmp_path)
    telling = Telling(tmp_path, 0, 10)
    telling.__enter__()
    rows(tmp_path, 2)
    try:
        running = Status.read(tmp_path)
        with pytest.raises(UserMistake, match=f"process {os.getpid()}"):
            lock.hold(tmp_path)
    finally:
        os.close(held)
    gone = Status.read(tmp_path)
    assert (running.state, running.step) == ("running", 2)
    assert (gone.state, gone.reason) == ("interrupted", "its process is gone")


def test_a_run_from_before_there_was_a_status_is_told_by_its_rows(tmp_path):
    rows(tmp_path, 7)
    assert (Status.read(tmp_path).state, Status.read(tmp_path).step) == ("interrupted", 7)
    (tmp_path / "crash.txt").write_text("Traceback")
    assert Status.read(tmp_path).state == "failed"


DAMAGED = [
    *("", "[]", "\x00" * 99, " " * (2 << 20), '{"state": "done"}'),
    '{"state": "dancing", "step": 1, "steps": 2}',
    '{"state": "done", "step": -1, "steps": 2}',
    '{"state": "done", "step": 1, "steps": 1e3}',
    '{"state": "done", "step": 1, "steps": 2, "shout": 1}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_status_is_a_bad_file(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(BadFile, match="status.json"):
        Status.read(tmp_path)


def test_asking_who_holds_it_never_keeps_a_run_from_starting(tmp_path):
    asking = f"""
from pathlib import Path
from gan_cli import lock
print("asking", flush=True)
while True:
    lock.held(Path({str(tmp_path)!r}))
"""
    os.close(lock.hold(tmp_path))
    asker = subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE)
    try:
        assert asker.stdout.readline() == b"asking\n"
        for _ in range(300):
            os.close(lock.hold(tmp_path))
    finally:
        asker.kill()
        asker.communicate()
