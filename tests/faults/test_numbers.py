"""Numbers that are none: in the data, a loss, a penalty, a gradient, a weight; and what becomes of
the run that meets them.

They come from a user's own components (`faulty.py`), at a moment of their choice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gan_cli import container, state
from gan_cli.cli_failure import report
from gan_cli.errors import GanError, Lost, NumericalFailure, Stopped
from gan_cli.status import Status
from gan_cli.train import launch
from tests.conftest import entries
from tests.games import composed
from tests.ranks import Command, commanded
from tests.watched import SMALL, alike, rows, run

pytestmark = pytest.mark.training

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
Swap = dict[str, dict[str, Any]]

HERE = "tests.faults.faulty"
EVERY = ("log_every=1", "checkpoint_every=2", "diagnose.every=2", "steps=12")
DIGITS = "dataset/digits"
QUIET = ("penalty=none", "diagnose.every=null")  # a look asks the loss as well
ENERGIES = {"began", "ebgan"}


def faulty(kind: str, inner: str = "", **how: Any) -> Swap:
    """A component of that kind in place of a sound one, `loss/hinge`, of its group."""
    return {inner.partition("/")[0]: {"_target_": f"{HERE}.{kind}", "inner": inner, **how}}


@dataclass
class Ended:
    """How a run came to its end: its error, and what is left of it."""

    directory: Path
    error: GanError | None
    status: Status
    newest: int | None

    @property
    def said(self) -> str:
        return str(self.error)


def ended(directory: Path, swap: Swap, *overrides: str) -> Ended:
    """Train with these components in place of the sound ones; all that is left must be finite."""
    config = composed(*SMALL, *EVERY, *overrides)
    config |= {"run_dir": str(directory)} | swap
    error: GanError | None = None
    try:
        launch(config, {"dataset": "digits"}, [], ["gan", "train"])
    except GanError as failure:
        error = failure
    found = state.newest(directory / "checkpoints")
    for path in directory.rglob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in container.read(path).tensors.values()), (
            path
        )
    step = found.checkpoint.meta["step"] if found else None
    return Ended(directory, error, Status.read(directory), step)


def failed(end: Ended, step: int, *words: str) -> bool:
    """Whether it ended so, at that step, one line says why and where to go on, and all agree."""
    last = (step - 1) // 2 * 2
    place = str(state.path_of(end.directory / "checkpoints", last)) if last else "no checkpoint"
    checks = {
        "kind": isinstance(end.error, NumericalFailure) and report(end.error) == 5,
        "step": end.said.startswith(f"step {step}: "),
        "words": all(word in end.said for word in words),
        "line": "\n" not in end.said,
        "last": place in end.said and end.newest == (last or None),
        "state": end.status.state == "failed" and end.said[:900] in end.status.reason[:1000],
    }
    assert all(checks.values()), (checks, end.said, end.newest, end.status)
    return True


@pytest.mark.fault("N1", "a player's loss is NaN", "an own loss gives NaN at its third call")
@pytest.mark.parametrize("side", ["d", "g"])
def test_a_loss_that_is_nan_is_named(tmp_path, times: Times, tally: Tally, side):
    names = [*entries("loss")][: times(0, 100)] or ["nonsaturating", "rahinge"]
    survived = 0
    for name in names:
        family = "autoencoder" if name in ENERGIES else "mlp"
        swap = faulty("Loss", f"loss/{name}", side=side, at=3)
        end = ended(tmp_path / name, swap, f"model={family}", "constraint=spectral", *QUIET)
        survived += failed(end, 3, f"{side.upper()}: loss/{side} is nan; the last good")
    tally(len(names), survived, "exit 5: “step 3: D: loss/d is nan; the last good checkpoint is …”")


@pytest.mark.fault("N1", "the same, under policy=skip", "an own loss gives NaN at its third call")
def test_a_loss_that_is_nan_is_skipped_by_name(tmp_path, tally: Tally, capsys):
    for side in "dg":
        swap = faulty("Loss", "loss/hinge", side=side, at=3)
        end = ended(tmp_path / side, swap, "policy=skip", *QUIET)
        assert (end.error, end.newest) == (None, 12)
        told = "".join(capsys.readouterr())
        assert f"step 3: {side.upper()}: loss/{side} is nan; this update is not made" in told
    tally(2, 2, "“step 3: G: loss/g is nan; this update is not made …”; training goes on")


@pytest.mark.fault("N1", "a penalty is infinite", "an own penalty is infinite at its third call")
def test_a_penalty_that_is_infinite_is_named(tmp_path, tally: Tally):
    swap = {"penalty": {"mine": {"_target_": f"{HERE}.Penalty", "value": "inf"}}}
    end = ended(tmp_path / "a", swap)
    assert failed(end, 3, "D: penalty/mine is inf; ")
    deep = ended(tmp_path / "b", swap, "n_critic=4")  # the third of four updates of the first step
    assert failed(deep, 1, "D: penalty/mine is inf (in update 3 of the step); ")
    tally(2, 2, "exit 5: “step 1: D: penalty/mine is inf (in update 3 of the step)”")


@pytest.mark.fault("N2", "a gradient alone is infinite", "a hook on one weight of an own model")
def test_a_gradient_that_is_infinite_is_named_by_its_tensor(tmp_path, times: Times, tally: Tally):
    survived = 0
    cases = [
        ("D", "layers.3.weight", "inf", ()),
        ("G", "layers.0.bias", "nan", ()),
        ("D", "layers.6.bias", "-inf", ("dynamics=simultaneous",)),
        ("D", "layers.0.weight", "nan", ("n_critic=2", "accumulate=2")),
        ("G", "layers.3.weight", "inf", ("dynamics=extragradient",)),
        ("G", "layers.3.weight", "nan", ("dynamics=unrolled",)),
        ("D", "layers.3.bias", "nan", ("dynamics=consensus",)),  # whose energy meets it first
    ]
    cases = cases[: times(3, len(cases))]
    for number, (of, weight, value, more) in enumerate(cases):
        swap = faulty("Model", "model/mlp", weight=weight, value=value, of=of, at=5)
        end = ended(tmp_path / str(number), swap, *more)
        assert isinstance(end.error, NumericalFailure)
        words = f"{of}: the gradient of {weight} is "
        survived += failed(
            end, end.error.step, "D: consensus is" if "consensus" in str(more) else words
        )
    tally(len(cases), survived, "exit 5: “step 5: D: the gradient of layers.3.weight is inf”")


@pytest.mark.fault("N3", "a pixel is infinite or NaN", "an own data set with one in a batch")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pixel_that_is_no_number_is_named_by_its_sample(tmp_path, tally: Tally, precision):
    survived = 0
    tried = [("nan", "warn"), ("inf", "stop")]
    for value, policy in tried:
        swap = faulty("Data", DIGITS, batch=4, row=6, value=value)
        norms = ("model.g_norm=batch", "model.d_norm=batch", "penalty=none", "ema.half_life=100")
        more = (f"hardware.precision={precision}", f"policy={policy}", *norms)
        end = ended(tmp_path / f"{value}{precision}", swap, *more)
        words = f"the data: 1 of 64 numbers are {value} in sample 6 of batch 4; "
        survived += failed(end, 5, words)
    tally(len(tried), survived, "exit 5: “step 5: the data: 1 of 64 numbers are inf in sample 6 …”")


@pytest.mark.fault("N3", "the same, under policy=skip", "an own data set with one in a batch")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_batch_of_no_numbers_is_left_out(tmp_path, tally: Tally, precision, capsys):
    swap = faulty("Data", DIGITS, batch=4, row=6, value="inf", every=4)
    norms = ("model.g_norm=batch", "model.d_norm=batch", "penalty=none", "ema.half_life=100")
    end = ended(tmp_path / "a", swap, "policy=skip", f"hardware.precision={precision}", *norms)
    said = capsys.readouterr().out
    told = rows(end.directory, "metrics.jsonl")
    assert (end.error, end.newest, end.status.state) == (None, 12, "done")
    assert [row["skipped/d"] for row in told] == [0] * 4 + [1] * 4 + [2] * 4
    assert {row["skipped/g"] for row in told} == {0}
    assert ["loss/d" in row for row in told].count(False) == 2
    first = "step 5: the data: 1 of 64 numbers are inf in sample 6 of batch 4"
    assert said.count("sample 6 of batch") == said.count(first) == 1
    assert "updates that were not made: 2 of D (policy=skip)" in said
    tally(1, 1, "the update is not made and counted: `skipped/d`; “step 5: the data: …” once")


@pytest.mark.fault("N4", "a learning rate of 1e20", "optimizer.lr=1e20, 1e39")
def test_a_learning_rate_without_sense_ends_within_five_steps(tmp_path, tally: Tally):
    tried = [("adam", "1e20"), ("sgd", "1e20"), ("sgd", "1e39")]
    for name, rate in tried:
        words = (f"optimizer={name}", f"optimizer.lr={rate}")
        end = ended(tmp_path / f"{name}{rate}", {}, *words)
        assert isinstance(end.error, NumericalFailure), end
        assert failed(end, end.error.step or 99)
        assert end.error.step <= 5
    assert ": D: the weight layers.0.weight is " in end.said
    assert "of an update whose gradient was finite" in end.said
    tally(len(tried), len(tried), "exit 5 at step 1: “D: the weight layers.0.weight is inf …”")


@pytest.mark.fault("N4", "the last update of all overflows", "optimizer.lr=1e39, steps=1")
def test_weights_that_overflow_at_the_last_step_are_not_kept(tmp_path, tally: Tally):
    for number, more in enumerate([(), ("log_every=50",), ("log_every=50", "method=vae")]):
        end = ended(
            tmp_path / str(number), {}, "optimizer=sgd", "optimizer.lr=1e39", "steps=1", *more
        )
        assert failed(end, 1, " is ", "of an update whose gradient was finite")
    tally(3, 3, "exit 5, and nothing is kept")


@pytest.mark.fault("N5", "a generator that makes one sample", "an own model whose G ignores z")
def test_a_generator_that_makes_one_sample_is_seen_by_the_third_look(tmp_path, tally: Tally):
    more = ("policy=stop", "policy.patience=1", "steps=40")
    end = ended(tmp_path / "a", faulty("Constant", "model/mlp"), *more)
    lights = [row["signs"]["duplicates"]["light"] for row in rows(end.directory)]
    assert lights[:2] == ["yellow", "yellow"]
    assert isinstance(end.error, Lost)
    assert report(end.error) == 7
    assert end.status.state == "collapsed"
    assert "samples have a near twin" in end.said
    assert end.newest == rows(end.directory)[-1]["step"]
    tally(1, 1, "yellow at the first look, red as soon as early looks may be; exit 7, saved")


@pytest.mark.fault("N6", "NaN each time it went back", "an own data set, always in one batch")
def test_going_back_comes_to_an_end(tmp_path, times: Times, tally: Tally):
    tried = range(1, times(2, 5))
    for returns in tried:
        swap = faulty("Data", DIGITS, batch=6, value="nan")
        more = ("policy=rewind", f"policy.times={returns}", "policy.signs=[finite]")
        end = ended(tmp_path / str(returns), swap, *more)
        told = json.loads((end.directory / "rewinds.json").read_text())["returns"]
        assert {one["at"] for one in told} == {7}
        assert len(told) == returns
        assert [one["to"] for one in told][:2] == [6, 4][:returns]
        assert all(one["to"] in (0, 2, 4, 6) for one in told)
        assert told[0]["reason"] == "the data: 1 of 64 numbers are nan in sample 1 of batch 6"
        assert failed(end, 7, "the data: 1 of 64 numbers are nan")
    tally(len(tried), len(tried), "it goes back `policy.times` times, then exit 5")


@pytest.mark.fault("N7", "bfloat16: a number overflows", "a pixel of 1e30 before batch norm")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_statistics_that_overflow_unseen_by_any_loss_are_kept_by_nobody(tmp_path, tally, precision):
    """The variance is infinite, what is divided by it 0, and every loss and gradient finite."""
    swap = faulty("Data", DIGITS, batch=4, value="1e30")
    more = ("model.d_norm=batch", "penalty=none", f"hardware.precision={precision}")
    end = ended(tmp_path / "a", swap, *more)
    assert failed(end, 5, "D: the tensor layers.4.running_var is inf")
    left = ended(tmp_path / "b", swap, *more, "policy=skip")
    assert (left.error, left.newest) == (None, 12)
    late = ended(tmp_path / "c", swap, *more, "log_every=50", "checkpoint_every=6")
    assert isinstance(late.error, NumericalFailure)
    assert "running_var is inf" in late.said
    assert late.newest is None
    tally(3, 3, "exit 5: “D: the tensor layers.4.running_var is inf”; or the update is left out")


@pytest.mark.fault("N2", "every gradient is NaN, under policy=skip", "an own loss, from a step on")
def test_skipping_comes_to_an_end_and_is_the_same_however_it_was_stopped(tmp_path, tally: Tally):
    def swap() -> Swap:
        return faulty("Data", DIGITS, batch=9, value="nan", times=99)

    more = ("policy=skip", "policy.most=4", "steps=30", "checkpoint_every=50", "sample_every=50")
    whole = ended(tmp_path / "whole", swap(), *more)
    assert isinstance(whole.error, Lost)
    assert report(whole.error) == 7
    assert (whole.newest, whole.status.state) == (14, "failed")
    assert "5 of 14 updates of D were not finite, 5 in a row" in whole.said
    assert "the last time, step 14: the data: 1 of 64 numbers are nan" in whole.said
    again = ended(tmp_path / "whole", swap(), *more)  # it is not gone on with
    assert isinstance(again.error, Lost)
    assert "policy=warn" in again.said
    stopped = tmp_path / "stopped"
    with pytest.raises(Stopped):
        run(stopped, *EVERY, *more, stop_after=12, swap=swap())
    again = ended(stopped, swap(), *more)
    assert isinstance(again.error, Lost)
    assert again.said.replace("stopped", "") == whole.said.replace("stopped", "")
    assert alike(stopped, whole.directory)
    tally(
        2, 2, "exit 7, saved: “5 of 14 updates of D were not finite, 5 in a row; the last time …”"
    )


@pytest.mark.fault("N8", "one rank has a NaN", "an own data set with one in the other rank's rows")
def test_a_number_of_one_rank_ends_all_alike(tmp_path, tally: Tally):
    own = (
        f"dataset._target_={HERE}.Data",
        f"+dataset.inner={DIGITS}",
        "+dataset.batch=4",
        "+dataset.row=5",
    )
    words = (*SMALL, *EVERY, "hardware.device=cpu", *own)
    commands = [
        Command((*words, "run_dir=ends")),
        Command((*words, "run_dir=skips", "policy=skip")),
        Command((*words, "run_dir=goes-back", "policy=rewind", "policy.times=1")),
    ]
    ends, skips, back = commanded(commands, tmp_path)
    for first, other in (ends, back):
        assert first.code == other.code == 5
        assert "step 5: the data: 1 of 64 numbers are inf in sample 5 of batch 4" in first.stderr
        assert first.stderr.count("error:") == 1
        assert other.stderr == ""
    assert [said.code for said in skips] == [0, 0]
    assert rows(tmp_path / "skips", "metrics.jsonl")[-1]["skipped/d"] == 1
    assert json.loads((tmp_path / "goes-back" / "rewinds.json").read_text())["returns"] == [
        {"at": 5, "to": 4, "reason": "the data: 1 of 64 numbers are inf in sample 5 of batch 4"}
    ]
    for name in ("ends", "goes-back"):
        assert state.newest(tmp_path / name / "checkpoints").checkpoint.meta["step"] == 4
    tally(3, 3, "all ranks end with exit 5 at the same step; rank 0 tells, and names the sample")


def test_an_error_that_pytorch_raises_for_nan_is_told_as_what_it_is(tmp_path):
    model = ("method=mixture_gradient", "model=mixture", "model.covariance=full")
    swap = faulty("Data", DIGITS, batch=4, value="nan")
    base = [word for word in SMALL if not word.startswith("model")]
    config = composed(*base, *EVERY, *model, "log_every=12", "checkpoint_every=12")
    config |= {"run_dir": str(tmp_path / "a")} | swap
    with pytest.raises(NumericalFailure, match=r"^step 5: the data: 1 of 64 numbers are nan"):
        launch(config, {"dataset": "digits"}, [], ["gan", "train"])


def test_a_checkpoint_that_was_good_goes_on_after_a_failure(tmp_path):
    swap = faulty("Loss", "loss/nonsaturating", at=7)
    end = ended(tmp_path / "a", swap)
    assert failed(end, 7)
    again = ended(tmp_path / "a", swap)  # what went wrong at its seventh call is at its sixth now
    assert (again.error, again.newest) == (None, 12)
    assert [row["step"] for row in rows(tmp_path / "a", "metrics.jsonl")] == [*range(1, 13)]
