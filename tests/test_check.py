"""`gan check` and its laws: every entry of conf/ keeps them, and each law catches its offender."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from gan_cli.cli import main
from gan_cli.cli_check import LAWS
from gan_cli.constraint.clip import Clip
from gan_cli.constraint.free import Free
from gan_cli.dataset.ring import Ring
from gan_cli.laws import Verdict, constraint, density, law, loss, model, optimizer, penalty
from gan_cli.loss.hinge import Hinge
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.loss.wgan import WGAN
from gan_cli.model.mlp import MLP
from gan_cli.optimizer.sgd import SGD
from gan_cli.penalty import slope
from gan_cli.penalty.gp import GradientPenalty
from gan_cli.penalty.r1 import R1
from tests.conftest import entries
from tests.games import part as made_part

MADE = [
    (group, name)
    for group in ("loss", "penalty", "constraint", "optimizer", "model")
    for name in entries(group)
    if (group, name) != ("penalty", "none")
]
SLOW = {"grid100", "moons", "spiral", "swiss_roll"}  # mixtures of hundreds on a grid


@cache
def part(group: str, name: str) -> Any:
    return made_part(group, name)


@pytest.mark.parametrize(("group", "name"), MADE)
def test_every_entry_keeps_the_laws_of_its_kind(group, name):
    wrong = [v for law in importlib.import_module(LAWS[group]).LAWS
             if (v := law(part(group, name))).holds is False]  # fmt: skip
    assert wrong == []


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


# Offenders: each is wrong in one way, and has a law that says so.


class Reduced(WGAN):
    def d(self, real, fake):
        return (fake - real).mean()


class Averaged(WGAN):
    def d(self, real, fake):
        return (fake - real).mean().expand_as(real)


class Divided(WGAN):
    def g(self, real, fake):
        return -fake / len(fake)


class Favourite(Hinge):
    """It says that it crosses the batch, and treats its first sample otherwise."""

    crosses: ClassVar[bool] = True

    def g(self, real, fake):
        return -fake - fake[0]


class Swapped(WGAN):
    def d(self, fake, real):
        return fake - real


class Upward(WGAN):
    def g(self, real, fake):
        return fake


class Overflowing(NonSaturating):
    def d(self, real, fake):
        return -(real.sigmoid() + 1e-12).log() - (1 - fake.sigmoid()).log()


class Detached(WGAN):
    def g(self, real, fake):
        return -fake.detach() + 0 * fake


class Random(WGAN):
    def g(self, real, fake):
        return -fake + 1e-3 * torch.rand_like(fake)


class InPlace(WGAN):
    def d(self, real, fake):
        return fake.mul_(1).sub_(real)


class Untrue(WGAN):
    relative: ClassVar[bool] = True


class Reading(WGAN):
    def g(self, real, fake):
        return real - fake


class Suboptimal(NonSaturating):
    def optimal(self, log_ratio):
        return 2 * log_ratio


class Broken(WGAN):
    def d(self, real, fake):
        raise RuntimeError("no such thing")


def slopes(seen):
    x = seen.real.x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(seen.D(x, None).sum(), x, create_graph=True)
    return gradient


@dataclass(frozen=True)
class WholeBatch(R1):
    """γ/2 ‖∇D(x)‖² with one norm over the whole batch."""

    def __call__(self, seen):
        return (self.gamma / 2 * slopes(seen).norm() ** 2).expand(len(seen.real))


class OfMean(R1):
    def __call__(self, seen):
        x = seen.real.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen.D(x, None).mean(), x, create_graph=True)
        return self.gamma / 2 * gradient.flatten(1).norm(dim=1) ** 2


class OneDimension(R1):
    def __call__(self, seen):
        return self.gamma / 2 * slopes(seen).norm(dim=1).flatten(1).mean(1) ** 2


class MeanReduced(R1):
    def __call__(self, seen):
        return super().__call__(seen).mean()


class MeanExpanded(R1):
    def __call__(self, seen):
        return super().__call__(seen).mean().expand(len(seen.real))


class SharedEpsilon(GradientPenalty):
    def __call__(self, seen):
        x = seen.real.x + torch.rand(1) * (seen.fake.x - seen.real.x)
        return self.weight * (slope(seen.D, x, None) - 1).square()


class PixelEpsilon(GradientPenalty):
    def __call__(self, seen):
        x = seen.real.x + torch.rand_like(seen.real.x) * (seen.fake.x - seen.real.x)
        return self.weight * (slope(seen.D, x, None) - 1).square()


class NoisyMean(GradientPenalty):
    """At places of its own, and averaged over the batch."""

    def __call__(self, seen):
        x = seen.real.x + 0.1 * torch.randn_like(seen.real.x)
        paid = self.weight * (slope(seen.D, x, None) - 1).square()
        return paid.mean().expand(len(x))


class NoSquare(GradientPenalty):
    def __call__(self, seen):
        return self.weight * (slope(seen.D, seen.real.x, None) - 1).abs()


class OnceOnly(R1):
    def __call__(self, seen):
        return super().__call__(seen).detach()


class NoGraph(R1):
    def __call__(self, seen):
        x = seen.real.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen.D(x, None).sum(), x)
        return gradient.flatten(1).norm(dim=1) ** 2


class Rewarding(GradientPenalty):
    def __call__(self, seen):
        return self.weight * (slope(seen.D, seen.real.x, None).square() - 1)


class Careless(R1):
    def refuses(self, D):
        return None


class Fussy(R1):
    def refuses(self, D):
        return "never"


class Unwilling(Clip):
    def refuses(self, D):
        return "not this one"


class Headless(Clip):
    def wrap(self, D):
        return nn.Flatten()


class Nothing(Clip):
    def wrap(self, D):
        return None


class LateClip(Clip):
    def wrap(self, D):
        return D


class Shrinking(Free):
    def project(self, D):
        with torch.no_grad():
            for p in D.parameters():
                p.mul_(0.9)


class Boasting(Free):
    holds: ClassVar[bool] = True


class Zeroing(Free):
    def wrap(self, D):
        self.project(D)
        return D

    def project(self, D):
        with torch.no_grad():
            for p in D.parameters():
                p.zero_()


class Scaled(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.D = D
        self.scale = 1 + float(torch.rand(()))  # kept where no checkpoint finds it

    def forward(self, x, c=None):
        return self.D(x, c) * self.scale


class Forgetful(Free):
    def wrap(self, D):
        return Scaled(D)


class Uphill(SGD):
    def make(self, weights, lr):
        return torch.optim.SGD(weights, lr=lr, maximize=True)


class OwnRate(SGD):
    def make(self, weights, lr):
        return torch.optim.SGD(weights, lr=0.01)


class Restless(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(0.01 * weight.grad)


class Unpaced(SGD):
    def make(self, weights, lr):
        return Restless(weights, lr=lr)


class Tiring(torch.optim.SGD):
    taken = 0

    def step(self, closure=None):
        self.taken += 1
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(group["lr"] * weight.grad / self.taken**0.1)


class Unsaved(SGD):
    def make(self, weights, lr):
        return Tiring(weights, lr=lr)


class Permissive(SGD):
    def __post_init__(self):
        pass


class Flat(MLP):
    def generator(self, shape):
        return super().generator((math.prod(shape),))


class Choosy(MLP):
    def generator(self, shape):
        raise ValueError("no")


class Idle(MLP):
    def discriminator(self, shape):
        D = super().discriminator(shape)
        D.unused = nn.Linear(2, 2)
        return D


class Crowd(MLP):
    def generator(self, shape):
        G = super().generator(shape)
        G.register_forward_hook(lambda module, given, x: x - x.mean(0))
        return G


class Unseeded(MLP):
    def generator(self, shape):
        G = super().generator(shape)
        other = torch.Generator()
        other.seed()
        for p in G.parameters():
            p.data = torch.randn(p.shape, generator=other)
        return G


class Misshapen(Ring):
    def sample(self, n, generator):
        return super().sample(n, generator)[:, :1]


class Global(Ring):
    def sample(self, n, generator):
        return super().sample(n, generator) + 0.01 * torch.randn(n, 2)


class Constant(Ring):
    def sample(self, n, generator):
        return super().sample(n, torch.Generator().manual_seed(0))


class Unnormalised(Ring):
    def log_prob(self, x):
        return super().log_prob(x) + 0.1


class Wider(Ring):
    def log_prob(self, x):
        return Ring(self.modes, self.radius, 2 * self.std).log_prob(x)


OFFENDERS: list[tuple[Callable[[Any], Verdict], Callable[[], Any]]] = [
    (loss.per_sample, Reduced),
    (loss.alone, Averaged),
    (loss.alone, Divided),
    (loss.alone, Favourite),
    (loss.ordered, Swapped),
    (loss.ordered, Upward),
    (loss.finite, Overflowing),
    (loss.derivative, Detached),
    (loss.pure, Random),
    (loss.pure, InPlace),
    (loss.honest, Untrue),
    (loss.honest, Reading),
    (loss.optimum, Suboptimal),
    (penalty.per_sample, MeanReduced),
    (penalty.linear, WholeBatch),
    (penalty.linear, OfMean),
    (penalty.linear, OneDimension),
    (penalty.alone, MeanExpanded),
    (penalty.alone, NoisyMean),
    (penalty.places, SharedEpsilon),
    (penalty.places, PixelEpsilon),
    (penalty.flat, NoSquare),
    (penalty.again, OnceOnly),
    (penalty.again, NoGraph),
    (penalty.positive, Rewarding),
    (penalty.refused, Careless),
    (penalty.refused, Fussy),
    (constraint.accepts, Unwilling),
    (constraint.outputs, Headless),
    (constraint.outputs, Nothing),
    (constraint.starts, LateClip),
    (constraint.once, Shrinking),
    (constraint.bounded, Boasting),
    (constraint.learns, Zeroing),
    (constraint.restored, Forgetful),
    (optimizer.downhill, Uphill),
    (optimizer.rate, OwnRate),
    (optimizer.rate, Unpaced),
    (optimizer.continued, Unsaved),
    (optimizer.refused, Permissive),
    (model.shapes, Flat),
    (model.shapes, Choosy),
    (model.gradients, Idle),
    (model.by_itself, Crowd),
    (model.seeded, Unseeded),
    (density.shape, Misshapen),
    (density.deterministic, Global),
    (density.deterministic, Constant),
    (density.integrates, Unnormalised),
    (density.agrees, Wider),
]


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
    assert "test_check.py" in verdict.fix


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
    ],
)
def test_a_users_mistake_is_one_message(check, words, hint):
    code, said = check(*words)
    assert code == 2
    assert hint in said
    assert "Traceback" not in said
