"""A wrong command: one message with every problem, and what to type instead."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.cli_compose import Composer, Sources, plain, quote
from gan_cli.cli_diagnose import diagnose
from gan_cli.cli_explain import LISTS
from gan_cli.cli_keys import KEYS, check
from gan_cli.errors import UserMistake
from gan_cli.record import flat
from tests.conftest import CONF, entries

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")


@functools.cache
def composer() -> Composer:
    return Composer(Sources())


@functools.cache
def settings() -> list[str]:
    """Every key of the default configuration that has a plain value."""
    return [key for key in flat(plain(composer().compose([]))) if "_target_" not in key]


def problems(*overrides: str, multirun: bool = False) -> list[str]:
    return diagnose(composer(), [*overrides], multirun).problems


WRONG = [  # what is typed, and what the message must hold
    ("los=wgan", "there is no los; did you mean loss=wgan?"),
    ("game=wgan", "there is no game; did you mean loss=wgan?"),
    ("loss=wgann", "there is no such loss; did you mean loss=wgan?"),
    ("loss=quux", "one of "),
    ("penalty=null", "did you mean penalty=none?"),
    ("loss=mine.Good", "gan explain loss=mine.Good says how a class becomes one"),
    ("wgan", "did you mean loss=wgan?"),
    ("steps", "did you mean steps=…?"),
    ("optimizer.lrr=1", "did you mean optimizer.lr=1?"),
    ("lr=1", "did you mean optimizer.lr=1?"),
    ("batchsize=8", "did you mean batch_size=8?"),
    ("ema.halflife=8", "did you mean ema.half_life=8?"),
    ("penalty.weight=5", "there is no penalty.weight here; see penalty="),
    ("steps.x=3", "there is no steps.x"),
    ("optimizer.lr=abc", "optimizer.lr wants a number"),
    ("optimizer.lr=", "optimizer.lr wants a number"),
    ("optimizer.lr=nan", "optimizer.lr wants a number"),
    ("optimizer={lr: abc}", "optimizer.lr wants a number"),
    ("optimizer={lrr: 1}", "did you mean optimizer.lr?"),
    ("optimizer.betas=0.5", "wants a list"),
    ("optimizer.betas=[0.5,x]", "wants a list of the kind [0.5, 0.999]"),
    ("model.z_dim=2.5", "model.z_dim wants a whole number"),
    ("model.g_norm=3", "model.g_norm wants text: model.g_norm=\\'3\\'"),
    ("batch_size=1.5", "batch_size wants a whole number, 1 or more"),
    ("batch_size=true", "batch_size wants a whole number"),
    ("steps=1e4", "steps=10000"),
    ("steps=0", "steps wants a whole number, 1 or more"),
    ("steps=null", "steps wants a whole number"),
    ("seed=99999999999999999999", "seed wants a whole number"),
    ("keep=1", "keep wants a whole number, 2 or more"),
    ("n_critic=0", "n_critic wants a whole number, 1 or more"),
    ("ema.ramp_up=1.5", "ema.ramp_up wants a number from 0 to 1"),
    ("epochs=-1", "epochs wants a number above 0, or null"),
    ("clip_grad=inf", "clip_grad wants a number above 0, or null"),
    ("preview=yes", "preview wants true or false"),
    ("outputs=2024", "outputs wants text: outputs=\\'2024\\'"),
    ("ema=5", "ema has parts: ema.half_life, ema.ramp_up"),
    ("head_start={d: 1.5}", "head_start.d wants a whole number"),
    ("accumulate=65", "a batch of 64 has fewer parts"),
    ("loss=[wgan", "a [ or ] is missing"),
    ("run_dir='x", "a quote is missing"),
    ("run_dir=a(b)c=d", "needs quotes of its own: 'run_dir='\"'\"'a(b)c=d'\"'\"''"),
    ("=3", "a setting is KEY=VALUE or GROUP=CHOICE"),
    ("a[0]=3", "can't be read as KEY=VALUE"),
    ("seed=0,1", "several values make a sweep: add -m"),
    ("loss=wgan,hinge", "several values make a sweep: add -m"),
    ("~penalty", "a run needs a penalty; did you mean penalty=none?"),
    ("~steps", "a run needs it"),
    ("~optimizer.lrr", "there is no optimizer.lrr"),
    ("+seed=3", "seed is there already: seed=3"),
    ("+loss=wgan", "loss is there already: loss=wgan"),
    ("+n_critics=3", "did you mean n_critic=3?"),
    ("hydra.foo=3", "Key 'foo' not in 'HydraConf'"),
    ("hydra/launcher=nope", "Could not find 'hydra/launcher/nope'"),
    ("seed=${nope}", "seed: Interpolation key 'nope' not found"),
]


@pytest.mark.parametrize(("typed", "told"), WRONG, ids=[typed for typed, _ in WRONG])
def test_a_mistake_is_told_with_what_to_type(typed: str, told: str):
    found = problems(typed)
    assert len(found) == 1
    assert told in found[0]


@pytest.mark.parametrize(
    "typed",
    [
        [], ["loss=wgan", "optimizer=adam", "optimizer.lr=1"], ["optimizer.lr=null"],
        ["images=100"], ["optimizer.betas=[0,0.9]"], ["epochs=0.5", "run_dir=a/b c"],
        ["++seed=3"], ["clip_grad=1"], ["+optimizer.amsgrad=true"], ["~optimizer.eps"],
        ["seed=1", "seed=2"], ["loss=wgan", "loss=hinge"], ["optimizer={lr: 1}"],
        ["steps=${seed}", "seed=1"], ["model.d_norm=${model.g_norm}"], ["hydra.verbose=true"],
        ["seed=1_000"], ["ema={half_life: 0.5}"],
    ],
)  # fmt: skip
def test_what_is_right_is_let_pass(typed: list[str]):
    assert problems(*typed) == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_is_right_by_itself(group: str):
    assert [found for choice in entries(group) if (found := problems(f"{group}={choice}"))] == []


def test_all_problems_are_told_at_once_and_in_one_message():
    typed = ["los=wgan", "optimizer.lr=abc", "steps=0", "loss=[", "model=dcgann"]
    found = diagnose(composer(), typed, multirun=False)
    assert len(found.problems) == len(typed)
    with pytest.raises(UserMistake) as mistake:
        found.complain()
    assert str(mistake.value).startswith("5 problems:\n  ")


def test_one_slip_is_one_problem_whatever_hangs_on_it():
    assert len(problems("penalty=gpp", "penalty.gp.weight=5")) == 1


def test_a_component_is_asked_too_when_something_else_is_wrong():
    assert problems("optimizer.lr=-1", "steps=0") == [
        "steps=0: steps wants a whole number, 1 or more",
        "optimizer.lr must be positive, not -1",
    ]


def test_each_value_of_a_sweep_is_checked_once():
    typed = ["seed=0,1,x", "loss=wgan,wgann", "optimizer.lr=1e-4,abc", "keep=range(1,4)"]
    found = problems(*typed, multirun=True)
    assert sorted(text.partition(":")[0] for text in found) == [
        "keep=1", "loss=wgann", "optimizer.lr=abc", "seed=x",
    ]  # fmt: skip


@given(st.data())
def test_a_slip_of_one_letter_finds_the_key_again(data: st.DataObject):
    known = [*settings(), *GROUPS]
    key = data.draw(st.sampled_from([key for key in known if len(key.rpartition(".")[2]) > 3]))
    at = data.draw(st.integers(len(key) - 3, len(key) - 1))
    slip = data.draw(st.sampled_from([key[:at] + key[at + 1 :], key[:at] + key[at] + key[at:]]))
    if slip not in known:
        told = problems(f"{slip}=7")
        assert any(f"did you mean {near}=" in told[0] for near in known if _near(near, slip))


def _near(key: str, slip: str) -> bool:
    return abs(len(key) - len(slip)) <= 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12))
def test_a_quoted_text_is_read_back(text: str):
    if "${" not in text:
        assert composer().parse(f"run_dir={quote(text)}").value() == text


def test_every_key_of_the_root_has_its_kind_and_the_defaults_fit():
    root = yaml.safe_load((CONF / "train.yaml").read_text())
    own = {key: value for key, value in root.items() if key not in {"defaults", "hydra", *LISTS}}
    assert flat(own).keys() == KEYS.keys()
    assert check(plain(composer().compose([])), GROUPS) == []


def test_a_typo_in_a_users_own_experiment_is_found(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.write_text("# @package _global_\nn_critics: 5\nema: {half: 3}\nsteps: many\n")
    found = diagnose(Composer(Sources(str(tmp_path))), ["experiment=mine"], multirun=False)
    told = "\n".join(found.problems)
    assert "n_critics: there is no such key; did you mean n_critic?" in told
    assert "ema.half: there is no such key; did you mean ema.half_life?" in told
    assert "steps=many: steps wants a whole number" in told


def test_a_broken_file_of_the_users_is_named(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("a: [1,\nb: 2\n")
    found = diagnose(Composer(Sources(str(tmp_path))), ["experiment=mine"], multirun=False)
    assert "mine.yaml" in found.problems[0]


def test_a_users_own_choice_is_known_and_a_shadowed_one_is_not(tmp_path: Path):
    (tmp_path / "loss").mkdir()
    for name in ("mine", "wgan"):
        (tmp_path / "loss" / f"{name}.yaml").write_text("_target_: mypackage.Mine\nweight: 1.0\n")
    sources = Sources(str(tmp_path))
    own = Composer(sources)
    assert diagnose(own, ["loss=mine", "loss.weight=2"], multirun=False).problems == []
    assert diagnose(own, ["loss=mime"], multirun=False).problems == [
        "loss=mime: there is no such loss; did you mean loss=mine?"
    ]
    assert sources.shadowed() == [str(tmp_path / "loss" / "wgan.yaml")]


def test_two_typed_budgets_are_refused():
    assert problems("steps=10", "images=50") == [
        "steps=10 and images=50 each name a budget: give one of them"
    ]
    assert problems("steps=10", "images=null") == []
    assert problems("images=50") == []


def test_two_penalties_one_after_the_other_are_not_taken_for_both():
    (told,) = problems("penalty=r1", "penalty=r2")
    assert told == "penalty=r1 and penalty=r2: a list pays them all: penalty=[r1,r2]"
    assert problems("penalty=[r1,r2]") == problems("penalty=r1", "penalty=r1") == []
