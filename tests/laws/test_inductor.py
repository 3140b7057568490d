"""The laws of compiled steps: they are eager steps up to rounding, and go on with the same bits."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from gan_cli import build, session, train
from gan_cli.anneal import Anneal
from gan_cli.errors import UserMistake
from gan_cli.fast import Graphs, Speed, compilable
from gan_cli.fast.compiling import no_compiler
from gan_cli.fast.inductor import Inductor, _Noted
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.randomness import reseed
from gan_cli.session import Session
from tests.games import composed

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),  # of an older inductor
]

CPU = torch.device("cpu")
SMALL = ("batch_size=8", "dataset=digits", "model.width=8")
STEPS = 100

needs_a_compiler = pytest.mark.skipif(
    no_compiler(CPU) is not None, reason="needs a C++ compiler, and there is none"
)

Told = list[dict[str, Tensor]]


def made(game: str, compiled: bool = False) -> Session:
    """A small game that has not begun."""
    words = [*SMALL, *game.split(), f"hardware.compile={str(compiled).lower()}"]
    config = composed(*words)
    one = session.make(config, build.parts(config), CPU)
    return dataclasses.replace(one, steps=STEPS)


def played(one: Session, first: int, last: int) -> Told:
    """What these steps tell, as the loop takes them, and copied as the log copies it."""
    found = []
    count = one.method.batches_per_step
    for step in range(first, last):
        reseed(0, step)
        train._pace(one, step)
        told = one.step((one.feed(i) for i in range(step * count, (step + 1) * count)), step)
        said = {f"said/{name}": out for name, out in one.method.outputs.items()}
        found.append({name: value.clone() for name, value in (told | said).items()})
    return found


def near(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        torch.allclose(a[name].double(), b[name].double(), rtol=1e-3, atol=1e-4) for name in a
    )


IN_ORDER = tuple(map(int, torch.__version__.split(".")[:2])) > (2, 10)
"""Whether inductor draws random numbers in the order that they were asked for."""

GAMES = {  # and how many kinds of steps there are
    "dataset=ring schedule=cosine": 1,
    "model=mlp model.depth=1 loss=wgan_gp optimizer=sgd n_critic=2 head_start.d=2": 2,
    "model=mlp model.depth=1 dynamics=consensus augment=instance_noise clip_grad=0.5": 1,
}


@needs_a_compiler
@pytest.mark.parametrize("game", GAMES)
def test_100_compiled_steps_are_eager_steps_and_50_and_50_more_the_same_to_the_bit(game):
    eager, whole = made(game), made(game, True)
    heard: list[str] = []
    whole.graphs.tell = heard.append
    told, again = played(eager, 0, STEPS), played(whole, 0, STEPS)
    if IN_ORDER or "noise" not in game:  # else it is found out, and told, and all the rest holds
        assert not heard
        assert len(whole.graphs._steps) == GAMES[game]
    assert all(map(near, told, again))
    assert near(eager.method.state(), whole.method.state())
    first, rest = made(game, True), made(game, True)
    played(first, 0, STEPS // 2)
    rest.method.restore({name: tensor.clone() for name, tensor in first.method.state().items()})
    played(rest, STEPS // 2, STEPS)
    end, ended = whole.method.state(), rest.method.state()
    assert all(end[name].equal(ended[name]) for name in end)


class Reading(NonSaturating):
    """It asks what was computed."""

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().d(real, fake) * (1.0 + float(real.mean() > 0))


def test_a_step_in_which_python_reads_is_played_as_it_is_and_that_is_told_once():
    eager, whole = made("model=mlp"), made("model=mlp")
    whole = dataclasses.replace(whole, graphs=Graphs(whole.method, CPU, Inductor()))
    heard: list[str] = []
    whole.graphs.tell = heard.append
    for one in (eager, whole):
        one.method.loss = Reading()
    told, again = played(eager, 0, 4), played(whole, 0, 4)
    assert all(a[name].equal(b[name]) for a, b in zip(told, again, strict=True) for name in a)
    (line,) = heard
    assert "compile: a step can't be recorded (_local_scalar_dense" in line


def test_noted_operations_are_those_that_were_computed():
    places = [torch.randn(4, 4), torch.randn(4)]

    def play() -> Tensor:
        x = places[0].detach().requires_grad_()
        (slope,) = torch.autograd.grad((x @ places[1]).sigmoid().sum(), x, create_graph=True)
        (twice,) = torch.autograd.grad(slope.square().sum(), x)
        places[1].mul_(2.0)  # what is changed in place is an input that the function changes
        return twice + places[1]

    was = [place.clone() for place in places]
    with _Noted() as noted:
        out = play()
    module, given = noted.module([out])
    for place, before in zip(places, was, strict=True):
        place.copy_(before.flip(0))
    expected = [play(), places[1].clone()]
    places[1].copy_(was[1].flip(0))
    (found,) = module(*given)
    assert torch.allclose(found, expected[0])
    assert places[1].equal(expected[1])


@pytest.mark.parametrize(
    ("game", "reason"),
    [
        ("model=mlp policy=skip", "policy=skip"),
        ("model=mlp optimizer=optimistic_adam", "counts its steps"),
        ("model=mlp anneal.over=0.5 +anneal.to.penalty.r1.gamma=0.1 penalty=r1", "gamma changes"),
    ],
)
def test_what_cant_be_compiled_is_said_and_refused_where_it_is_asked_for(game, reason):
    one = made(game)
    fast = Speed(compile=True)
    anneal: Anneal = one.course.anneal
    speed = compilable(fast, False, one.method, anneal)
    assert not speed.compile
    assert reason in speed.why["compile"]
    with pytest.raises(UserMistake, match=r"compile=true: .*: hardware\.compile=auto"):
        compilable(fast, True, one.method, anneal)
