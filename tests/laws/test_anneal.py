"""Laws of annealing: numbers go from their first to their last value along one curve."""

from __future__ import annotations

import pytest
import torch

from gan_cli import build, session
from gan_cli.errors import UserMistake
from tests.conftest import entries
from tests.games import composed

CPU = torch.device("cpu")


def opened(*overrides: str) -> session.Session:
    config = composed("model=mlp", "model.width=8", *overrides)
    return session.make(config, build.parts(config), CPU)


@pytest.mark.parametrize("name", entries("anneal"))
def test_an_entry_composes_alone_and_moves_nothing_at_first(name):
    opened(f"anneal={name}").course(0.0)


@pytest.mark.parametrize("over", [0.25, 1.0])
def test_half_a_cosine_from_the_first_value_to_the_last(over):
    asked = ["penalty=r1", "penalty.r1.gamma=1.0", "+anneal.to.penalty.r1.gamma=0.0"]
    made = opened(*asked, f"anneal.over={over}")
    r1 = made.method.penalties["r1"]
    seen = []
    for share in (0.0, 1 / 3, 0.5, 2 / 3, 1.0):
        made.course(share * over)
        seen.append(r1.gamma)
    assert seen == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    made.course(1.0)
    assert r1.gamma == 0.0


def test_everything_that_can_move_does_and_together():
    made = opened(
        "loss=lsgan",
        "penalty=[r1,gp]",
        "augment=instance_noise",
        "+anneal.to.loss.a=-1.0",
        "+anneal.to.penalty.gp.target=0.0",
        "+anneal.to.augment.std=0.0",
        "+anneal.to.optimizer.lr=1e-5",
        "+anneal.to.optimizer.betas=[0.1,0.9]",
        "+anneal.to.ema.half_life=7",
        "+anneal.to.top_k=0.5",
    )
    game = made.method
    made.course(1.0)
    assert (game.loss.a, game.penalties["gp"].target, game.augment.std) == (-1.0, 0.0, 0.0)
    assert game.penalties["r1"].gamma == 10.0
    assert game.G.lr == game.D.lr == 1e-5
    groups = [p.optimizer.param_groups[0] for p in (game.G, game.D)]
    assert [tuple(group["betas"]) for group in groups] == [(0.1, 0.9)] * 2
    assert game.G.averaging.half_life == 7
    assert game.turns.top_k == 0.5


def test_the_rate_of_d_is_its_own_where_it_has_one():
    made = opened("optimizer.d_lr=4e-4", "+anneal.to.optimizer.lr=1e-5")
    made.course(1.0)
    assert (made.method.G.lr, made.method.D.lr) == (1e-5, 4e-4)


def test_r3gan_anneals_what_its_paper_does():
    made = opened("loss=r3gan")
    made.course(0.08)
    game = made.method
    assert {name: p.gamma for name, p in game.penalties.items()} == {
        "r1_r3gan": 0.005,
        "r2_r3gan": 0.005,
    }
    assert game.D.lr == pytest.approx(5e-5)
    assert game.D.optimizer.param_groups[0]["betas"][1] == pytest.approx(0.99)
    assert game.G.averaging.half_life == pytest.approx(5e6)


@pytest.mark.parametrize("also", ["penalty=none", "optimizer=sgd", "penalty=r1", "anneal=none"])
def test_what_the_user_names_wins_over_what_r3gan_anneals(also):
    opened("loss=r3gan", also).course(0.5)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("+anneal.to.penalty.r1.gamma=1.0", "there is no penalty.r1.gamma in this run"),
        ("+anneal.to.loss.b=0.0 loss=lsgan", r"anneal.to.loss.b: b \(real\) must be larger"),
        ("+anneal.to.seed=3", "seed can't change during a run"),
        ("+anneal.to.optimizer.lr=-1.0", "anneal.to.optimizer.lr: lr must be positive"),
        ("+anneal.to.top_k=2.0", "top_k is a share"),
        ("+anneal.to.ema.half_life=-1", "half_life is a number of images"),
        ("+anneal.to.optimizer.betas=0.5", "and can't become it"),
        ("+anneal.to.penalty.r1.every=4 penalty=r1", "is a whole number, and can't glide"),
        ("+anneal.to.penalty.r1.gamma=nan penalty=r1", "and can't become it"),
        ("+anneal.to.loss.alpha=2.0 loss=fgan_alpha", "anneal.to.loss.alpha"),
        ("+anneal.to.constraint.eps=0.1 constraint=spectral", "can't change during a run"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(asked, told):
    with pytest.raises(UserMistake, match=told):
        opened(*asked.split())
