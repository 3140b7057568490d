"""CycleGAN: two games that undo each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.method.cyclegan import CycleGAN
from gan_cli.method.two_games import TwoGames, turned
from gan_cli.model import Generator
from gan_cli.space import Space
from gan_cli.task import answered
from tests.games import composed

CPU = torch.device("cpu")
BASE = ("method=cyclegan", "task=unpaired", "task.of=invert", "dataset=digits", "model=unet")
SMALL = ("model.width=4", "batch_size=4", "steps=4")


class Affine(Generator):
    """G(c) = a c + b, its own inverse where a = -1."""

    z_dim = 1

    def __init__(self, a: float, b: float):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, z, c=None):
        return self.a * c + self.b


class Means(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, c=None):
        return self.weight * x.flatten(1).mean(1)


class Family:
    """Translations by given numbers: G is the first, F the second."""

    def __init__(self, *numbers: tuple[float, float]):
        self.numbers = list(numbers)

    def generator(self, shape):
        raise ValueError("it makes images from images")

    def translator(self, shape, given):
        return Affine(*self.numbers.pop(0))

    def discriminator(self, shape):
        return Means()


def made(*overrides: str, model: object = None, told: tuple[str, ...] = ()) -> session.Session:
    config = composed(*BASE, *(SMALL if model is None else SMALL[1:]), *overrides)
    parts = build.parts(config)
    return session.make(config, replace(parts, model=model) if model else parts, CPU, told)


def games(*overrides: str, model: object = None) -> TwoGames:
    method = made(*overrides, model=model).method
    assert isinstance(method, TwoGames)
    return method


def pictures() -> Batch:
    draw = torch.Generator().manual_seed(0)
    return Batch(*(torch.rand(4, 1, 8, 8, generator=draw) * 2 - 1 for _ in range(2)))


def test_a_cycle_costs_nothing_where_one_undoes_the_other():
    there_and_back = games(model=Family((2.0, 0.5), (0.5, -0.25)))
    _, facts = there_and_back.g_loss(pictures())
    assert float(facts["term/cycle"]) == pytest.approx(0, abs=1e-6)
    assert float(facts["term/cycle/back"]) == pytest.approx(0, abs=1e-6)


def test_a_cycle_costs_its_weight_times_the_mean_error_of_a_pixel():
    astray = games("method.cycle=4.0", model=Family((1.0, 0.0), (1.0, 0.25)))
    _, facts = astray.g_loss(pictures())
    assert float(facts["term/cycle"]) == pytest.approx(4 * 0.25)
    assert float(facts["term/cycle/back"]) == pytest.approx(4 * 0.25)


def test_a_picture_of_the_right_kind_is_charged_for_every_change():
    same = games("method.identity=3.0", model=Family((1.0, 0.0), (1.0, 0.5)))
    _, facts = same.g_loss(pictures())
    assert float(facts["term/identity"]) == 0
    assert float(facts["term/identity/back"]) == pytest.approx(3 * 0.5)


def test_both_games_are_played_with_the_pictures_of_their_kind():
    """D hears b as real and G(a) as fake; D_A hears a, and F(b)."""
    two = games(model=Family((0.0, 0.25), (0.0, -0.75)))
    real = pictures()
    _, facts = two.forth.d_loss(real)
    assert float(facts["D/real"]) == pytest.approx(float(real.x.mean()))
    assert float(facts["D/fake"]) == pytest.approx(0.25)
    _, facts = two.back.d_loss(turned(real))
    assert float(facts["D/real"]) == pytest.approx(float(real.c.mean()))
    assert float(facts["D/fake"]) == pytest.approx(-0.75)


def test_generators_learn_from_both_games_and_both_cycles():
    """G's gradient is that of the whole loss, by finite differences; no D takes part."""
    two = games("loss=lsgan", model=Family((0.9, 0.1), (1.1, -0.2)))
    for player in two.players.values():
        player.net.double()
    real = Batch(pictures().x.double(), pictures().c.double())

    def total() -> float:
        with torch.no_grad():
            return float(two.g_loss(real)[0].mean())

    for name in ("G", "F"):
        a = two.players[name].net.a
        (slope,) = torch.autograd.grad(two.g_loss(real)[0].mean(), a)
        with torch.no_grad():
            a += 1e-6
            above = total()
            a -= 2e-6
            below = total()
            a += 1e-6
        assert float(slope) == pytest.approx((above - below) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("move", ["generators", "discriminators"])
def test_only_those_whose_turn_it_is_move_and_no_gradient_is_left(move: str):
    two, real = games(), pictures()
    before = {n: [w.detach().clone() for w in p.weights] for n, p in two.players.items()}
    if move == "generators":
        two.g_step(real)
    else:
        two.forth.d_step(real)
        two.back.d_step(turned(real))
    for name, player in two.players.items():
        moved = any(not w.equal(v) for w, v in zip(player.weights, before[name], strict=True))
        assert moved == (name in ({"G", "F"} if move == "generators" else {"D", "D_A"})), name
        assert all(w.grad is None for w in player.weights)


def test_what_a_component_remembers_it_remembers_of_each_d():
    two = games("penalty=lecam")
    two.step([pictures()], 0)
    kept = {k: v for k, v in two.state().items() if k.startswith("memory/")}
    assert {k.split("/")[1] for k in kept} == {"D", "D_A"}
    assert not kept["memory/D/penalty/lecam/real"].equal(kept["memory/D_A/penalty/lecam/real"])


def test_a_number_that_changes_during_a_run_changes_in_both_games():
    start = made("penalty=r1", "+anneal.to.penalty.r1.gamma=2.0", "+anneal.to.method.cycle=1.0")
    start.course(1.0)
    start.step([pictures()], 0)
    two = start.method
    assert isinstance(two, TwoGames)
    assert [gan.penalties["r1"].gamma for gan in (two.forth, two.back)] == [2.0, 2.0]
    assert two.recipe.cycle == 1.0


def test_state_has_each_player_under_its_name_and_comes_back():
    one, other = games(), games("seed=1")
    one.step([pictures()], 0)
    other.restore(one.state())
    assert {name.partition("/")[0] for name in one.state()} >= {"G", "F", "D", "D_A", "G_ema"}
    assert all(value.equal(one.state()[name]) for name, value in other.state().items())


def test_a_batch_in_parts_is_the_same_step():
    numbers = []
    for parts in (1, 2):
        two = games(f"accumulate={parts}", model=Family((0.9, 0.1), (1.1, -0.2)))
        two.step([pictures()], 0)
        numbers.append([w.detach() for p in two.players.values() for w in p.weights])
    torch.testing.assert_close(*numbers)


@pytest.mark.parametrize(
    "typed", [("task=unconditional", "model=mlp"), ("task=superres", "model=unet")]
)
def test_data_that_are_no_two_kinds_are_refused(typed: tuple[str, ...]):
    config = composed("method=cyclegan", "dataset=digits", *typed)
    with pytest.raises(UserMistake, match="task=unpaired"):
        session.make(config, build.parts(config), CPU)


@pytest.mark.parametrize("typed", ["term=l1", "condition=concat", "auxiliary=acgan"])
def test_what_means_nothing_here_is_refused(typed: str):
    with pytest.raises(UserMistake, match="method=cyclegan has no use"):
        made(typed, told=(typed,))


def test_pictures_of_two_shapes_have_no_identity():
    config, space = composed(*BASE), Space((1, 8, 8), given=(3, 8, 8), paired=False)
    kit = session.kit(config, build.parts(config), space, None, CPU)
    with pytest.raises(UserMistake, match=r"method\.identity=0\.0"):
        CycleGAN(identity=5.0).make(kit)
    with pytest.raises(ValueError, match="negative"):
        CycleGAN(cycle=-1.0)


def test_examples_hold_the_right_answers_where_the_task_knows_them():
    known = made().examples()
    assert known.x.equal(-known.c)
    config = composed("method=cyclegan", "task=unpaired", "dataset=digits", "model=unet", *SMALL)
    unknown = session.make(config, build.parts(config), CPU)
    assert unknown.task is not None
    assert not answered(unknown.task)
    assert not unknown.examples().x.equal(unknown.examples().c)
