"""What policies do to a run: it ends, or goes back, and is the same whenever it is stopped."""

from __future__ import annotations

import contextlib
import json
import random

import pytest

from gan_cli import container, rewinds, state
from gan_cli.errors import BadFile, Lost, NumericalFailure, Stopped, UserMistake
from gan_cli.homes import Seen, homes, is_good, kept
from gan_cli.rewinds import Return, Rewinds
from gan_cli.status import Status
from tests.watched import LOST, alike, rows, run, tensors

BACK = (*LOST, "policy=rewind", "policy.patience=1", "policy.lr=0.1", "policy.times=2", "keep=2")
NAN = ("optimizer=sgd", "optimizer.lr=1e10")


def returns(directory):
    return json.loads((directory / "rewinds.json").read_text())["returns"]


def steps(directory):
    return state.steps(directory / "checkpoints")


@pytest.fixture(scope="module")
def back(tmp_path_factory):
    directory = tmp_path_factory.mktemp("back") / "run"
    with contextlib.suppress(Lost):
        run(directory, *BACK)
    return directory


def test_warn_goes_on(tmp_path):
    lost = run(tmp_path / "a", *LOST)
    assert rows(lost)[-1]["step"] == 24
    assert "red" in {row["light"] for row in rows(lost)}


def test_stop_ends_a_run_that_is_lost_saved_and_says_why(tmp_path, capsys):
    with pytest.raises(Lost, match="stopped and saved at step") as failure:
        run(tmp_path / "a", *LOST, "policy=stop")
    last = rows(tmp_path / "a")[-2:]
    assert [row["light"] for row in last] == ["red", "red"]
    assert steps(tmp_path / "a")[0] == last[-1]["step"] < 24
    status = Status.read(tmp_path / "a")
    assert failure.value.exit_code == 7
    assert (status.state, status.reason) == (failure.value.state, str(failure.value))
    assert status.state == "collapsed"
    with pytest.raises(Lost, match="fresh=true"):  # again: it is not gone on with
        run(tmp_path / "a", *LOST, "policy=stop")
    assert steps(tmp_path / "a")[0] == last[-1]["step"]
    run(tmp_path / "a", *LOST, "policy=warn")  # but by who wants to
    assert steps(tmp_path / "a")[0] == 24
    assert Status.read(tmp_path / "a").step == 24


def test_rates_that_a_policy_has_come_to_are_not_forgotten_by_another(back):
    with pytest.raises(UserMistake, match="policy=rewind"):
        run(back, *LOST, "keep=2", "policy=warn")


def test_a_policy_that_nobody_looks_for_is_refused(tmp_path):
    with pytest.raises(UserMistake, match=r"diagnose\.every"):
        run(tmp_path / "a", "policy=stop", "diagnose.every=null")
    assert not (tmp_path / "a").exists()


def test_rewind_goes_back_to_a_good_step_at_other_learning_rates(back):
    told = returns(back)
    assert len(told) >= 1
    for one in told:
        assert one["to"] < one["at"]
        assert one["reason"]
    rates = {row["step"]: row["learning_rate/g"] for row in rows(back, "metrics.jsonl")}
    for step, rate in rates.items():
        assert rate == pytest.approx(0.5 * 0.1 ** sum(one["to"] < step for one in told))
    assert [row["step"] for row in rows(back, "metrics.jsonl")] == list(range(1, len(rates) + 1))


def test_the_checkpoint_it_would_go_back_to_is_kept(back):
    assert 0 in steps(back)


@pytest.mark.training
@pytest.mark.parametrize("stop", [3, 7, 10, 14])
def test_a_run_that_went_back_is_the_same_however_it_was_stopped(back, tmp_path, stop):
    with pytest.raises(Stopped):
        run(tmp_path / "b", *BACK, stop_after=stop)
    with contextlib.suppress(Lost):
        run(tmp_path / "b", *BACK)
    assert returns(tmp_path / "b") == returns(back)
    assert alike(tmp_path / "b", back)


def test_a_return_that_was_interrupted_is_finished(tmp_path, monkeypatch):
    policy = ("policy=rewind", "policy.signs=[finite]")
    directory = run(tmp_path / "a", *policy)
    assert steps(directory)[0] == 24
    abandoned = Rewinds(directory)
    monkeypatch.setattr(Rewinds, "_abandon", lambda self: None)
    abandoned.add(24, 20, "a crash follows")
    monkeypatch.undo()
    assert steps(directory)[0] == 24
    again = Rewinds(directory)
    assert again.returns == [Return(24, 20, "a crash follows")]
    assert steps(directory)[0] == 20
    assert not (directory / "samples" / "step-00000024.png").exists()
    assert not json.loads((directory / "rewinds.json").read_text())["pending"]
    assert (again.before(19), again.before(20), len(again)) == (0, 1, 1)
    run(directory, *policy)
    rates = [row["learning_rate/g"] for row in rows(directory, "metrics.jsonl")]
    assert rates[20] == pytest.approx(rates[19] / 2)


MEASURED = (
    *("metric=frechet", "extractor=raw", "evaluate_every=1", "evaluate_n=64"),
    *("dataset.split=train", "best=frechet"),
)


def best(directory):
    """The step and the figure of best.safetensors, and those of every row."""
    kept = container.read(directory / "best.safetensors").meta
    found = {
        row["step"]: row["scores"]["figures"]["frechet"]["value"]
        for row in rows(directory, "evaluations.jsonl")
    }
    return (kept["step"], kept["best"]["value"]), found


@pytest.mark.training
def test_the_best_is_never_of_a_way_that_was_abandoned(tmp_path):
    for name, stop in (("a", 0), ("b", 12)):
        with contextlib.suppress(Lost, Stopped):
            run(tmp_path / name, *BACK, *MEASURED, stop_after=stop)
    with contextlib.suppress(Lost):
        run(tmp_path / "b", *BACK, *MEASURED)
    straight, stopped = best(tmp_path / "a"), best(tmp_path / "b")
    assert returns(tmp_path / "a")
    assert straight == stopped
    (step, value), found = straight
    assert found[step] == value


def test_a_best_one_after_the_step_gone_back_to_is_removed(tmp_path):
    for to, stays in ((8, True), (7, False)):
        path = tmp_path / "best.safetensors"
        container.write(path, {}, {"kind": "train", "step": 8})
        Rewinds(tmp_path).add(9, to, "red")
        assert path.exists() == stays


@pytest.mark.parametrize("text", ["", "[]", '{"format": "gan-rewinds/1"}', '{"format": "x"}'])
def test_a_damaged_account_of_returns_is_refused(tmp_path, text):
    (tmp_path / rewinds.NAME).write_text(text)
    with pytest.raises(BadFile, match=r"rewinds\.json"):
        Rewinds(tmp_path)


def test_a_number_that_is_not_finite_ends_a_run_that_only_warns(tmp_path):
    with pytest.raises(NumericalFailure):
        run(tmp_path / "a", *NAN)
    last = rows(tmp_path / "a")[-1]
    assert last["signs"]["finite"]["light"] == "red"
    assert Status.read(tmp_path / "a").state == "failed"


def test_a_number_that_is_not_finite_leads_back_under_rewind(tmp_path):
    again = ("policy=rewind", "policy.lr=1e-13", "policy.signs=[finite]")
    directory = run(tmp_path / "a", *NAN, *again)
    assert [one["to"] for one in returns(directory)] == [0]
    assert rows(directory, "metrics.jsonl")[-1]["step"] == 24
    assert all(tensor.isfinite().all() for tensor in tensors(directory).values())


def test_a_run_can_go_on_under_another_policy_and_looked_at_more_or_less_often(tmp_path, capsys):
    run(tmp_path / "a", "steps=4")
    run(tmp_path / "a", "steps=8", "policy=stop", "diagnose.every=3")
    assert "policy._target_: gan_cli.policy.warn.Warn → gan_cli.policy.stop.Stop" in (
        capsys.readouterr().out
    )
    assert [row["step"] for row in rows(tmp_path / "a")] == [2, 4, 6, 8]


class Disk:
    """The checkpoints of a run that is looked at, and stopped now and then, but never goes back."""

    def __init__(self, reds: set[int], cadence: int, every: int, keep: int):
        self.reds, self.cadence, self.every, self.keep = reds, cadence, every, keep
        self.there, self.looks = [0], []

    def known(self) -> tuple[list[int], list[Seen], set[int]]:
        return [step for step in self.there if step % self.cadence == 0], self.looks, {self.cadence}

    def go(self, steps: int, stops: set[int]) -> list[int]:
        for step in range(1, steps + 1):
            if step % self.every == 0:
                self.looks.append(Seen(step, step in self.reds))
            if step % self.cadence == 0 or step in stops:
                stay = kept(*self.known())
                older = [*self.there]
                self.there = sorted({step, *older[: self.keep - 1], *stay}, reverse=True)
        return homes(*self.known())


def test_there_is_always_the_same_way_back_however_often_a_run_was_stopped():
    chance = random.Random(0)
    for _ in range(300):
        cadence, every, keep = chance.randint(1, 9), chance.randint(1, 9), chance.randint(2, 4)
        steps = chance.randint(10, 80)
        reds = {step for step in range(steps) if chance.random() < 0.1}
        reds |= {step for step in range(steps + 1) if step + 2 * every > steps}  # red at the end
        stops = {step for step in range(steps) if chance.random() < 0.2}
        straight, stopped = (
            Disk(reds, cadence, every, keep).go(steps, when) for when in (set(), stops)
        )
        assert straight == stopped, (cadence, every, keep, steps)
        assert 0 in straight
        looks = [Seen(step, step in reds) for step in range(every, steps + 1, every)]
        assert all(is_good(step, looks) for step in straight)


def test_a_run_goes_back_to_before_the_look_that_turned_red():
    looks = [Seen(step, step >= 40) for step in range(10, 51, 10)]
    assert [step for step in range(0, 51, 5) if is_good(step, looks)] == [0, 5, 10, 15, 20]
    assert homes([50, 40, 30, 20, 10, 0], looks, set()) == [20, 0]
    assert homes([50, 40, 30, 20, 10, 0], looks, {20}) == [10, 0, 20]
