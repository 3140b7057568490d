"""A run's checkpoints: the newest good one is found, whatever has happened to the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import container, disk, state
from gan_cli.errors import BadFile, DiskFailure

TENSORS = {"G/w": torch.arange(4.0)}


def save(directory: Path, step: int, keep: int = 2) -> Path:
    return state.save(directory, step, TENSORS, {"step": step, "kind": "train"}, keep)


def steps(directory: Path) -> list[int]:
    return sorted(int(path.stem[5:]) for path in directory.glob("step-*.safetensors"))


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_newest_is_by_step_and_not_by_date(tmp_path: Path) -> None:
    for step in (9, 10, 100_000_000):
        os.utime(save(tmp_path, step, keep=5), (2e9 - step, 2e9 - step))
    found = state.newest(tmp_path)
    assert found is not None
    assert found.checkpoint.meta["step"] == 100_000_000
    assert found.path == tmp_path / "step-100000000.safetensors"
    assert found.rejected == []


def test_no_directory_and_an_empty_one_have_none(tmp_path: Path) -> None:
    assert state.newest(tmp_path) is None
    assert state.newest(tmp_path / "gone") is None


def test_what_cannot_be_listed_is_an_error_and_no_fresh_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match="Not a directory"):
        state.newest(tmp_path / "file")


@pytest.mark.parametrize(
    ("keep", "left"), [(0, [4, 5]), (1, [4, 5]), (2, [4, 5]), (4, [2, 3, 4, 5])]
)
def test_two_are_kept_at_least(tmp_path: Path, keep: int, left: list[int]) -> None:
    for step in range(1, 6):
        save(tmp_path, step, keep)
    assert steps(tmp_path) == left


def test_best_and_foreign_files_are_left_alone(tmp_path: Path) -> None:
    foreign = ["best.safetensors", "step-foo.safetensors", "step-1.safetensors", "notes.txt"]
    for name in foreign:
        (tmp_path / name).write_text("mine")
    (tmp_path / "step-9.ganckpt").mkdir()
    (tmp_path / "step-00000009.safetensors").mkdir()
    for step in (10, 11, 12, 13):
        save(tmp_path, step)
    assert all((tmp_path / name).read_text() == "mine" for name in foreign)
    assert (tmp_path / "step-9.ganckpt").is_dir()
    assert (tmp_path / "step-00000009.safetensors").is_dir()
    found = state.newest(tmp_path)
    assert found is not None
    assert found.checkpoint.meta["step"] == 13


def test_a_bad_newest_falls_back_and_says_why(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step, keep=3)
    damage(state.path_of(tmp_path, 3))
    state.path_of(tmp_path, 2).write_bytes(b"")
    found = state.newest(tmp_path)
    assert found is not None
    assert found.checkpoint.meta["step"] == 1
    assert ["SHA-256" in found.rejected[0], "cut short" in found.rejected[1]] == [True, True]
    damage(state.path_of(tmp_path, 1))
    with pytest.raises(BadFile) as caught:
        state.newest(tmp_path)
    assert str(caught.value).count("step-0000000") == 3
    assert "\n" not in str(caught.value)


def test_a_damaged_one_never_takes_a_good_ones_place(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    save(tmp_path, 3)
    damage(state.path_of(tmp_path, 3))
    save(tmp_path, 4)
    assert steps(tmp_path) == [2, 3, 4]
    save(tmp_path, 5)
    assert steps(tmp_path) == [4, 5]


def test_a_file_that_was_read_back_is_read_again_only_when_it_was_written_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, paths = container.read, list[Path]()

    def counted(path: Path) -> container.Checkpoint:
        paths.append(path)
        return read(path)

    monkeypatch.setattr(container, "read", counted)
    monkeypatch.setattr(state, "_TICK", 0)  # no file is too young to be told from a later one
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert (paths, steps(tmp_path)) == ([], [2, 3])
    damage(state.path_of(tmp_path, 3))
    os.utime(state.path_of(tmp_path, 3), ns=(0, 0))
    save(tmp_path, 4)
    assert paths == [state.path_of(tmp_path, 3)]
    assert steps(tmp_path) == [2, 3, 4]


def test_a_renamed_file_is_not_believed(tmp_path: Path) -> None:
    save(tmp_path, 1).rename(state.path_of(tmp_path, 7))
    with pytest.raises(BadFile, match="its name"):
        state.newest(tmp_path)


def test_a_generator_is_not_resumed_from(tmp_path: Path) -> None:
    container.write(state.path_of(tmp_path, 7), TENSORS, {"step": 7, "kind": "generator"})
    with pytest.raises(BadFile, match="not the training checkpoint"):
        state.newest(tmp_path)


def test_a_step_that_contradicts_the_metadata_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step 3"):
        state.save(tmp_path, 3, TENSORS, {"step": 2, "kind": "train"})


def test_older_ones_go_only_when_the_new_one_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        save(tmp_path, step)
    replace = disk.replace
    monkeypatch.setattr(disk, "RETRY_AFTER", 0.0)

    def lossy(path: Path, data: bytes | tuple[memoryview, ...]) -> None:
        replace(path, data if isinstance(data, bytes) else b"".join(data)[:-1] + b"?")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", lossy)
        with pytest.raises(DiskFailure, match="does not read back"):
            save(tmp_path, 3)
    found = state.newest(tmp_path)
    assert found is not None
    assert found.checkpoint.meta["step"] == 2
    assert steps(tmp_path) == [1, 2, 3]


def test_the_hint_names_the_newest_and_is_never_obeyed(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    hint = json.loads((tmp_path / "latest.json").read_text())
    sha256 = container.read(path).sha256
    assert hint == {"step": 3, "file": "step-00000003.safetensors", "sha256": sha256}
    (tmp_path / "latest.json").write_text('{"file": "/etc/passwd"}')
    found = state.newest(tmp_path)
    assert found is not None
    assert found.path == path


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_directory_is_a_disk_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(DiskFailure, match="Permission denied"):
            save(tmp_path, 1)
    finally:
        tmp_path.chmod(0o755)


def test_a_read_only_checkpoint_is_read(tmp_path: Path) -> None:
    save(tmp_path, 1).chmod(0o444)
    found: Any = state.newest(tmp_path)
    assert found.checkpoint.meta["step"] == 1
