"""Every step leaves one row, whatever happens; the device is asked once an interval."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils._pytree import tree_map

from gan_cli.errors import DiskFailure, NumericalFailure
from gan_cli.facts import sizes_of
from gan_cli.log import Log


class Run(NamedTuple):
    metrics: Path
    tensorboard: Path


class Listener:
    """A console that remembers."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, dict[str, float], float, int]] = []
        self.warnings: list[str] = []

    def update(self, step: int, facts: Mapping[str, float], rate: float, memory: int) -> None:
        self.updates.append((step, dict(facts), rate, memory))

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Remote(torch.Tensor):
    """A tensor that claims to live on a GPU, and counts what leaves it for the host."""

    reads = 0

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> Remote:
        made = torch.Tensor._make_wrapper_subclass(cls, here.shape, dtype=here.dtype, device="cuda")
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        to_host = str(kwargs.pop("device", None)) == "cpu"
        args, kwargs = tree_map(lambda t: t.here if isinstance(t, Remote) else t, (args, kwargs))
        result = op(*args, **kwargs)
        if to_host or not isinstance(result, torch.Tensor):
            cls.reads += 1
            return result
        return Remote(result)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "metrics.jsonl", tmp_path / "tensorboard")


@pytest.fixture
def listener() -> Listener:
    return Listener()


def facts(step: int) -> dict[str, torch.Tensor]:
    return {"loss/d": torch.tensor(1 / step), "loss/g": torch.tensor(step * 0.1)}


def train(log: Log, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.step(step, facts(step), {"images": 64 * step, "updates/d": step})


def rows(run: Run) -> list[dict[str, Any]]:
    text = run.metrics.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def board(run: Run) -> EventAccumulator:
    read = EventAccumulator(str(run.tensorboard), size_guidance={"scalars": 0, "histograms": 0})
    return read.Reload()


def points(run: Run, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in board(run).Scalars(tag)]


def test_one_transfer_an_interval(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=20, tensorboard=True, start_step=0)
    Remote.reads = 0
    for step in range(1, 61):
        log.step(step, {n: Remote(v) for n, v in facts(step).items()}, {"images": step})
        assert Remote.reads == step // 20
    log.close()
    assert Remote.reads == 3
    assert len(rows(run)) == 60
    Remote(torch.tensor(1.0)).item()
    assert Remote.reads == 4  # so an item() would have been counted


def test_a_row_a_step_with_counts_and_facts(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=4, tensorboard=False, start_step=0)
    train(log, 1, 10)
    assert len(rows(run)) == 8  # the last interval isn't over
    log.close()
    log.close()
    expected = [
        {"step": s, "images": 64 * s, "updates/d": s, "loss/d": 1 / s, "loss/g": s * 0.1}
        for s in range(1, 11)
    ]
    assert [list(row) for row in rows(run)] == [list(row) for row in expected]
    assert [row["step"] for row in rows(run)] == list(range(1, 11))
    for row, should in zip(rows(run), expected, strict=True):
        assert row == pytest.approx(should, rel=1e-6)
    assert not run.tensorboard.exists()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_numbers_are_exact_and_short(run: Run, listener: Listener, dtype: torch.dtype) -> None:
    values = torch.randn(20, generator=torch.Generator().manual_seed(0)).to(dtype)
    log = Log(run, listener, every=20, tensorboard=False, start_step=0)
    for step, value in enumerate(values, 1):
        log.step(step, {"loss/d": value, "tenth": torch.tensor(0.1)}, {"images": step})
    log.close()
    assert torch.equal(torch.tensor([row["loss/d"] for row in rows(run)], dtype=dtype), values)
    assert dtype is torch.float64 or '"tenth": 0.1}' in run.metrics.read_text()


def test_a_step_may_write_over_the_tensors_of_the_last(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=5, tensorboard=False, start_step=0)
    value = torch.zeros(())
    for step in range(1, 6):
        log.step(step, {"loss/d": value.fill_(step)}, {"images": step})
    log.close()
    assert [row["loss/d"] for row in rows(run)] == [1, 2, 3, 4, 5]


def test_no_graph_is_kept(run: Run, listener: Listener) -> None:
    weight = torch.ones((), requires_grad=True)
    log = Log(run, listener, every=5, tensorboard=False, start_step=0)
    log.step(1, {"loss/d": weight * 2}, {"images": 1})
    assert not log._notes._steps[0].values.requires_grad
    log.close()


def test_facts_may_come_and_go(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=4, tensorboard=True, start_step=0)
    for step in range(1, 9):
        now = facts(step) if step % 4 == 0 else {"loss/d": torch.tensor(float(step))}
        log.step(step, now if step > 1 else {}, {"images": step})
    log.close()
    first, second = rows(run)[:2]
    assert first.keys() == {"step", "images"}
    assert second.keys() == {"step", "images", "loss/d"}
    assert points(run, "loss/g") == [(4, pytest.approx(0.4)), (8, pytest.approx(0.8))]


def test_the_console_hears_means_rate_and_memory(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=10, tensorboard=False, start_step=0)
    train(log, 1, 20)
    log.close()
    assert [update[0] for update in listener.updates] == [10, 20]
    _, means, rate, memory = listener.updates[-1]
    assert means == {
        "loss/d": pytest.approx(sum(1 / s for s in range(11, 21)) / 10),
        "loss/g": pytest.approx(1.55),
    }
    assert rate > 0
    assert 1e6 < memory < 1e12


def test_tensorboard_has_a_mean_an_interval_under_grouped_names(
    run: Run, listener: Listener
) -> None:
    log = Log(run, listener, every=10, tensorboard=True, start_step=0)
    train(log, 1, 20)
    log.close()
    tags = set(board(run).Tags()["scalars"])
    assert tags == {
        "loss/d", "loss/g", "counts/images", "updates/d", "images_per_second", "memory_mb"
    }  # fmt: skip
    assert points(run, "loss/g") == [(10, pytest.approx(0.55)), (20, pytest.approx(1.55))]
    assert points(run, "counts/images") == [(10, 640), (20, 1280)]


@pytest.mark.parametrize("stop", [10, 14, 17])
@pytest.mark.parametrize("kept", [5, 10])
def test_a_resumed_record_equals_one_that_never_stopped(
    run: Run, listener: Listener, tmp_path: Path, stop: int, kept: int
) -> None:
    whole = Run(tmp_path / "whole.jsonl", tmp_path / "whole")
    for where, sessions in ((whole, [(0, 20)]), (run, [(0, stop), (kept, 20)])):
        for start, end in sessions:
            log = Log(where, listener, every=5, tensorboard=True, start_step=start)
            train(log, start + 1, end)
            log.close()
    assert run.metrics.read_bytes() == whole.metrics.read_bytes()
    for tag in ("loss/d", "loss/g", "counts/images"):
        assert points(run, tag) == points(whole, tag)
    assert [step for step, _ in points(run, "loss/d")] == [5, 10, 15, 20]


def test_a_torn_end_is_repaired(run: Run, listener: Listener) -> None:
    for session in ((0, 10), (7, 10)):
        log = Log(run, listener, every=5, tensorboard=False, start_step=session[0])
        train(log, session[0] + 1, session[1])
        log.close()
        whole = run.metrics.read_bytes()
        run.metrics.write_bytes(whole[:-20])
    assert [json.loads(line)["step"] for line in whole.splitlines()] == list(range(1, 11))


def test_a_fresh_start_drops_every_row(run: Run, listener: Listener) -> None:
    for _ in range(2):
        log = Log(run, listener, every=5, tensorboard=True, start_step=0)
        train(log, 1, 7)
        log.close()
    assert [row["step"] for row in rows(run)] == list(range(1, 8))
    assert [step for step, _ in points(run, "loss/d")] == [5, 7]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named_with_its_first_step(
    run: Run, listener: Listener, value: float
) -> None:
    log = Log(run, listener, every=10, tensorboard=True, start_step=0)
    for step in range(1, 10):
        bad = {"loss/g": torch.tensor(value)} if step >= 7 else {}
        log.step(step, facts(step) | bad, {"images": step})
    with pytest.raises(NumericalFailure, match=rf"^step 7: loss/g is {value}; ") as caught:
        log.step(10, facts(10), {"images": 10})
    assert caught.value.exit_code == 5
    assert [row["loss/g"] for row in rows(run)[6:9]] == [str(value)] * 3
    assert len(listener.updates) == 1
    log.close()
    assert len(rows(run)) == 10


def test_pictures_histograms_and_settings(run: Run, listener: Listener) -> None:
    log = Log(run, listener, every=5, tensorboard=True, start_step=0)
    train(log, 1, 5)
    log.images(5, np.zeros((12, 30, 3), np.uint8))
    log.images(5, np.zeros((12, 30, 1), np.uint8))
    real = torch.randn(64, requires_grad=True).bfloat16()
    wild = torch.tensor([1e38, -1e38, 0.0, math.nan, math.inf])
    nothing = {"gone": torch.tensor([math.nan]), "empty": torch.empty(0)}
    log.histograms(5, {"D/real": real, "D/fake": wild, "same": torch.ones(8), **nothing})
    config = {
        "seed": 0, "ema": {"half_life": 0.5}, "fresh": True, "name": "x", "clip": None,
        "betas": [0.5, 0.9],
    }  # fmt: skip
    log.hparams(config, {"loss/d": 1.5})
    log.close()
    assert not listener.warnings
    read = board(run)
    picture = read.Images("samples")[0]
    assert (picture.step, picture.width, picture.height) == (5, 30, 12)
    assert set(read.Tags()["histograms"]) == {"D/real", "D/fake", "same"}
    assert sum(read.Histograms("D/real")[0].histogram_value.bucket) == 64
    assert points(run, "hparam/loss/d") == [(5, 1.5)]
    assert points(run, "loss/d") == [(5, pytest.approx(sum(1 / s for s in range(1, 6)) / 5))]
    start = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    for name in (b"seed", b"ema.half_life", b"fresh", b"name"):
        assert name in start
    assert b"betas" not in start
    assert b"clip" not in start
    assert [path.is_file() for path in run.tensorboard.iterdir()] == [True]


def test_rows_that_never_found_space_are_owned_up_to(
    run: Run, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(run, listener, every=5, tensorboard=False, start_step=0)
    train(log, 1, 5)
    monkeypatch.setattr(log._rows, "append", failing)
    train(log, 6, 17)
    log.close()
    log.close()
    assert len(rows(run)) == 5
    full, lost = listener.warnings
    assert "No space left on device" in full
    assert "12 rows are lost" in lost


def failing(piece: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_missing_tensorboard_is_one_warning(
    run: Run, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    log = Log(run, listener, every=2, tensorboard=True, start_step=0)
    train(log, 1, 10)
    log.images(10, np.zeros((2, 2, 3), np.uint8))
    log.histograms(10, {"D/real": torch.ones(2)})
    log.hparams({"seed": 0}, {})
    log.close()
    assert len(listener.warnings) == 1
    assert len(rows(run)) == 10


def test_a_directory_that_cannot_be_is_one_warning(run: Run, listener: Listener) -> None:
    run.tensorboard.write_text("in the way")
    log = Log(run, listener, every=2, tensorboard=True, start_step=0)
    train(log, 1, 10)
    log.close()
    assert len(listener.warnings) == 1
    assert len(rows(run)) == 10


def test_metrics_that_cannot_be_opened_are_a_failure(run: Run, listener: Listener) -> None:
    run.metrics.mkdir()
    with pytest.raises(DiskFailure, match=r"metrics\.jsonl"):
        Log(run, listener, every=2, tensorboard=True, start_step=0)


FULL = """
import json, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_log as t
from gan_cli.log import Log
here = Path(sys.argv[1])
run, listener = t.Run(here / "metrics.jsonl", here / "tensorboard"), t.Listener()
log = Log(run, listener, every=5, tensorboard=True, start_step=0)
t.train(log, 1, 20)
sizes = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (run.metrics.stat().st_size + 100, sizes[1]))
t.train(log, 21, 60)
full = len(t.rows(run))
resource.setrlimit(resource.RLIMIT_FSIZE, sizes)
t.train(log, 61, 80)
log.close()
print(json.dumps([full, len(t.rows(run)), len(t.points(run, "loss/d")), listener.warnings]))
"""


def test_training_outlives_a_full_disk_and_rows_wait_for_space(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, tmp_path, Path(__file__).parent],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    full, rows, points, warnings = json.loads(done.stdout)
    assert (full, rows) == (20, 80)
    assert 4 <= points < 12
    assert sorted("TensorBoard" in warning for warning in warnings) == [False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_size_of_a_tensor_is_its_largest_absolute_number_or_what_is_none(dtype):
    numbers = [
        [1.0, -3.0],
        [2.0, 0.5],
        [-0.0, 0.0],
        [math.nan, 1.0],
        [1.0, math.inf],
        [-math.inf, 1.0],
        [math.inf, math.nan],
    ]
    tensors = [torch.tensor(values, dtype=dtype, requires_grad=True) for values in numbers]
    expected = torch.tensor([3.0, 2.0, 0.0, math.nan, math.inf, math.inf, math.nan], dtype=dtype)
    torch.testing.assert_close(sizes_of(tensors), expected, rtol=0, atol=0, equal_nan=True)
