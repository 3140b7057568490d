"""Run directories as others see them: half written, growing, foreign."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from gan_cli.errors import UserMistake
from gan_cli.record import Record
from gan_cli.study.folder import Folder, find
from gan_cli.tail import every_row, last_row


def made(path: Path, steps: int = 100, **config: object) -> Path:
    """A run directory with so many rows."""
    path.mkdir(parents=True)
    settings = {"seed": 3, "steps": 100, "outputs": "outputs", "optimizer": {"lr": 1e-4}}
    record = Record.make(settings | config, {"loss": "hinge"}, ["loss=hinge"], ["gan", "train"])
    (path / "run.json").write_text(record.to_json())
    lines = [{"step": s, "images": 64 * s, "loss/d": 1 / s} for s in range(1, steps + 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_folder_tells_settings_state_and_numbers(tmp_path):
    folder = Folder(made(tmp_path / "a"))
    assert folder.config["optimizer.lr"] == 1e-4
    assert "outputs" not in folder.config
    assert (folder.seed, folder.choices["loss"]) == (3, "hinge")
    assert folder.last["step"] == 100
    assert folder.status.state == "done"  # it kept no status, and has all of its steps
    assert Folder(made(tmp_path / "b", 40)).status.state == "interrupted"


@pytest.mark.parametrize("steps", [1, 9, 10, 21, 1000, 4567])
def test_thinned_columns_keep_the_order_the_last_row_and_their_number(tmp_path, steps):
    columns = Folder(made(tmp_path / "a", steps)).metrics(most=10)
    told = columns["step"]
    assert told == sorted(set(told))
    assert told[0] == 1
    assert told[-1] == steps
    assert min(10, steps) <= len(told) <= 22
    assert columns["loss/d"] == [1 / step for step in told]
    again = Folder(tmp_path / "a")
    again.metrics()  # read once, for all that ask
    assert again.metrics(most=10) == columns


def test_numbers_that_are_none_and_columns_that_come_late_are_told(tmp_path):
    path = made(tmp_path / "a", 2)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "loss/d": "nan", "late": 2, "word": "x"}\n')
    columns = Folder(path).metrics()
    assert math.isnan(columns["loss/d"][2])
    assert math.isnan(columns["late"][0])
    assert columns["late"][2] == 2
    assert "word" not in columns


@pytest.mark.parametrize(
    "end", [b"", b'{"step": 10', b"\x00" * 50, b"[1]\n", b'{"step": NaN}\n', b"{" * 5000 + b"\n"]
)
def test_a_file_that_is_being_written_ends_with_its_last_whole_row(tmp_path, end):
    path = made(tmp_path / "a", 9) / "metrics.jsonl"
    with path.open("ab") as file:
        file.write(end)
    assert [row["step"] for row in every_row(path)] == list(range(1, 10))
    assert last_row(path)["step"] == 9


def test_the_last_row_is_found_behind_long_ones(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": s, "x": "y" * 70_000}) + "\n" for s in (1, 2, 3)))
    assert last_row(path)["step"] == 3
    assert last_row(tmp_path / "none") == {}


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert last_row(tmp_path / "metrics.jsonl") == {}
    assert list(every_row(tmp_path / "metrics.jsonl")) == []


def test_runs_are_found_in_directories_each_once(tmp_path):
    for name in ("b", "a", "deep/c", ".hidden", "a.old-1"):
        made(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [f.name for f in find([tmp_path, tmp_path / "a"])] == ["a", "b", "c"]
    assert [f.name for f in find([tmp_path / "a.old-1"])] == ["a.old-1"]  # where it is named


@pytest.mark.parametrize("place", ["none", "empty"])
def test_where_there_is_no_run_that_is_said(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserMistake, match="gan train"):
        find([tmp_path / place])


@pytest.mark.parametrize(("steps", "rows"), [(1, 1), (15, 2), (100, 10), (3000, 100)])
def test_lately_is_the_mean_of_the_last_tenth_of_a_hundred_rows_at_most(tmp_path, steps, rows):
    folder = Folder(made(tmp_path / "a", steps))
    last = range(steps, steps - rows, -1)
    assert folder.lately["loss/d"] == pytest.approx(sum(1 / s for s in last) / rows)
    assert Folder(tmp_path).lately == {}
