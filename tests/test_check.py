"""`gan check` and its laws: every entry of conf/ keeps them, and each law catches its offender."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli.cli import main
from gan_cli.cli_check import LAWS
from gan_cli.laws import Verdict, density, law, loss, penalty
from gan_cli.penalty.gp import GradientPenalty
from tests.conftest import entries
from tests.games import part as made_part
from tests.offenders import OFFENDERS, Broken, OfMean, OneDimension, WholeBatch

MADE = [
    (group, name)
    for group in ("loss", "penalty", "constraint", "optimizer", "model")
    for name in entries(group)
    if (group, name) != ("penalty", "none")
]
NARROW = {"width": 8, "g_width": 8, "d_width": 8, "w_dim": 8, "widest": 16, "group": 8}
SLOW = {"grid100", "moons", "spiral", "swiss_roll"}  # mixtures of hundreds on a grid


@cache
def part(group: str, name: str) -> Any:
    return made_part(group, name)


@pytest.mark.parametrize(("group", "name"), MADE)
def test_every_entry_keeps_the_laws_of_its_kind(group, name):
    made = part(group, name)
    if group == "model":  # with few channels: what holds of them holds of many
        made = replace(made, **{k: v for k, v in NARROW.items() if hasattr(made, k)})
    laws = importlib.import_module(LAWS[group]).LAWS
    assert [v for law in laws if (v := law(made)).holds is False] == []


DENSITIES = [
    pytest.param(name, marks=[pytest.mark.training] if name in SLOW else [])
    for name in entries("dataset")
    if hasattr(part("dataset", name), "sample")
]


@pytest.mark.parametrize("name", DENSITIES)
def test_every_density_keeps_the_laws_of_densities(name):
    made = part("dataset", name)
    if hasattr(made, "log_prob") and len(made.shape) == 1 and made.shape[0] <= 2:
        assert all(law(made).holds for law in density.LAWS)
    else:
        assert not [law for law in density.LAWS if law(made).holds is False]


@pytest.mark.parametrize(
    ("broken", "offender"), OFFENDERS, ids=lambda thing: getattr(thing, "__name__", None)
)
def test_each_law_catches_its_offender(broken, offender):
    verdict = broken(offender())
    assert verdict.holds is False
    assert "raised" not in verdict.seen
    assert verdict.expected
    assert verdict.seen
    assert verdict.fix


def test_no_law_is_without_an_offender():
    caught = {broken for broken, _ in OFFENDERS}
    assert caught == {law for path in LAWS.values() for law in importlib.import_module(path).LAWS}


@pytest.mark.parametrize(
    ("offender", "words"),
    [
        (WholeBatch, "over the whole batch"),
        (OfMean, "a mean over the batch"),
        (OneDimension, "flatten(1)"),
    ],
)
def test_the_probable_mistake_of_a_penalty_is_named(offender, words):
    assert words in penalty.linear(offender()).fix


def test_what_a_component_raises_is_a_law_that_fails():
    verdict = loss.per_sample(Broken())
    assert verdict.holds is False
    assert verdict.seen == "RuntimeError: no such thing"
    assert "offenders.py" in verdict.fix


def test_a_law_changes_nothing_outside():
    remembers = part("loss", "began")
    kept = {key: value.clone() for key, value in remembers.memory.items()}
    state = torch.get_rng_state()
    first = [law(remembers) for law in loss.LAWS]
    torch.manual_seed(99)
    assert [law(remembers) for law in loss.LAWS] == first
    assert all(torch.equal(kept[key], value) for key, value in remembers.memory.items())
    torch.set_rng_state(state)
    penalty.linear(GradientPenalty())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_law_has_its_name_whatever_happens():
    @law("two is two")
    def two(component: object) -> Verdict:
        raise ValueError

    assert two(None) == replace(two(1), name="two is two")


# The command.

MINE = '''
from dataclasses import dataclass
import torch
from gan_cli.penalty.gp import GradientPenalty

@dataclass(frozen=True)
class WholeBatch(GradientPenalty):
    """The norm over the whole batch, as in much code on the web."""

    def __call__(self, seen):
        real, fake = seen.real.x, seen.fake.x
        epsilon = torch.rand(len(real), *[1] * (real.dim() - 1))
        x = (real + epsilon * (fake - real)).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen.D(x, None).sum(), x, create_graph=True)
        return (self.weight * (gradient.norm() - self.target) ** 2).expand(len(real))

class Half(GradientPenalty):
    """Nothing wrong with it."""

class NoLoss:
    def d(self, real, fake): ...
'''


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`gan check` in a directory with a module of the user's: its exit code and what it said."""
    (tmp_path / "mine_of_check.py").write_text(MINE)
    (tmp_path / "own" / "penalty").mkdir(parents=True)
    (tmp_path / "own" / "penalty" / "half.yaml").write_text(
        "# @package _global_\npenalty: {half: {_target_: mine_of_check.Half, weight: 5.0}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*words: str) -> tuple[int, str]:
        code = main(["check", *words])
        said = capsys.readouterr()
        return code, said.err if code == 2 else said.out

    return run


def test_the_norm_over_the_whole_batch_fails_with_the_reason(check):
    code, said = check("penalty=mine_of_check.WholeBatch")
    text = " ".join(said.split())
    assert code == 1
    assert "✗ a linear critic pays for its slope alone" in text
    assert "0 at n = 1" in text
    assert "245" in text or "490" in text  # 10 (√64 - 1)² = 490
    assert "the norm is taken over the whole batch" in text
    assert "gradient.flatten(1).norm(dim=1)" in text


def test_what_keeps_the_laws_passes(check):
    code, said = check("loss=lsgan", "a=0.5", "penalty=gp", "penalty.gp.weight=1")
    assert code == 0
    assert said.count("8 laws hold") == 2
    assert "✗" not in said


def test_a_class_and_an_entry_of_the_users_own(check):
    assert check("penalty=mine_of_check.Half", "weight=3.0")[0] == 0
    assert check("penalty=half", "--config-dir", "own")[0] == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "gan check GROUP=NAME"),
        (["wgan"], "a component is GROUP=NAME"),
        (["loss=wgna"], "did you mean loss=wgan?"),
        (["los=wgan"], "did you mean loss=wgan?"),
        (["schedule=linear"], "there are laws of loss, "),
        (["dataset=digits"], "sample"),
        (["loss=nowhere.MyLoss"], "No module named"),
        (["penalty=mine_of_check.WholeBach"], "did you mean mine_of_check.WholeBatch?"),
        (["penalty=mine_of_check.Half", "wait=1"], "wait"),
        (["penalty=mine_of_check.Half", "weight=-1.0"], "weight can't be negative"),
        (["loss=mine_of_check.NoLoss"], "has no relative, g"),
        (["constraint=clip", "q=1"], "constraint.q"),
        (["penalty=none"], "nothing to check"),
        (["loss=wgan", "loss=hinge"], "one loss at a time"),
    ],
)
def test_a_users_mistake_is_one_message(check, words, hint):
    code, said = check(*words)
    assert code == 2
    assert hint in said
    assert "Traceback" not in said
