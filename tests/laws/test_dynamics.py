"""Laws of every dynamics: both players learn, trials count for nothing, turns are kept."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from gan_cli.average import Averaging
from gan_cli.batch import Batch
from gan_cli.dynamics.alternating import Alternating
from gan_cli.dynamics.consensus import Consensus
from gan_cli.dynamics.unrolled import Unrolled
from gan_cli.method.gan import GAN
from gan_cli.optimizer.sgd import SGD
from gan_cli.player import Player
from gan_cli.randomness import reseed
from tests.conftest import entries
from tests.games import part
from tests.laws.test_step import batches, game, same, weights

pytestmark = pytest.mark.training

DYNAMICS = {name: part("dynamics", name) for name in entries("dynamics")}
AT_ONCE = ["simultaneous", "extragradient", "consensus"]
GAMES = [
    "loss=nonsaturating",
    "penalty=[r1] penalty.r1.every=2",
    "loss=hinge",
    "constraint=clip",
    "optimizer=optimistic_adam",
    "augment=instance_noise",
]


def play(gan: GAN, name: str, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        reseed(7, step)
        DYNAMICS[name].step(gan, batches(gan.batches_per_step), step)


@pytest.mark.training
@pytest.mark.parametrize("override", GAMES)
@pytest.mark.parametrize("name", DYNAMICS)
def test_both_move_and_leave_nothing_behind(name, override):
    """One update each; no gradient in any weight; and the same again from the same state."""
    gan = game(*override.split(), "n_critic=1")
    before = {key: weights(player) for key, player in gan.players.items()}
    play(gan, name, 1)
    for key, player in gan.players.items():
        assert not same(before[key], player)
        assert (player.updates, player.images) == (1, 8)
        assert all(weight.grad is None and weight.is_leaf for weight in player.weights)
    kept = {key: value.clone() for key, value in gan.state().items()}
    play(gan, name, 2, first=1)
    other = game(*override.split(), "n_critic=1")
    other.restore(kept)
    play(other, name, 2, first=1)
    ends = gan.state(), other.state()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.parametrize(("player", "waits"), [("d", "G"), ("g", "D")])
@pytest.mark.parametrize("name", DYNAMICS)
def test_a_head_start_is_played_alone(name, player, waits):
    gan = game(f"head_start.{player}=2")
    plays = "DG".replace(waits, "")
    for step in range(3):
        play(gan, name, 1, first=step)
        assert gan.players[waits].updates == max(0, step - 1)
        assert gan.players[plays].updates == step + 1


@pytest.mark.parametrize("name", DYNAMICS)
def test_unequal_turns_are_played_or_refused_with_the_fix(name):
    gan = game("n_critic=2", "n_generator=3")
    if refusal := DYNAMICS[name].refuses(gan):
        assert name in AT_ONCE
        assert "n_critic=1 n_generator=1" in refusal
    else:
        play(gan, name, 1)
        assert (gan.D.updates, gan.G.updates) == (2, 3)
    assert DYNAMICS[name].refuses(game()) is None


@pytest.mark.parametrize("name", DYNAMICS)
def test_a_batch_in_parts_is_played_or_refused_with_the_fix(name):
    gan = game("accumulate=3")
    if refusal := DYNAMICS[name].refuses(gan):
        assert (name, "accumulate=1" in refusal) == ("consensus", True)
    else:
        play(gan, name, 1)
        assert (gan.D.images, gan.G.images) == (8, 8)
        assert gan.outputs["D/real"].shape == (8,)


@pytest.mark.parametrize("name", DYNAMICS)
def test_what_is_remembered_is_what_d_said_on_its_way_to_a_move(name):
    """Trials are not heard: one batch of outputs for each of D's updates, however it is played."""
    gan, heard = game(), []

    class Remembering(type(gan.loss)):
        memory: ClassVar[dict[str, Tensor]] = {}

        def remember(self, d_real: Tensor, d_fake: Tensor) -> None:
            heard.append((len(d_real), len(d_fake)))

    gan.loss = Remembering()
    play(gan, name, 3)
    assert heard == [(8, 8)] * 3


@pytest.mark.parametrize("name", DYNAMICS)
def test_the_average_follows_moves_alone(name):
    gan = game(averaging=Averaging(half_life=8, ramp_up=0))
    start = weights(gan.G)
    play(gan, name, 1)
    for key, weight in gan.G.average.named_parameters():
        end = dict(gan.G.net.named_parameters())[key]
        assert torch.allclose(weight, (start[key] + end) / 2, atol=1e-6)


def test_impossible_values_are_refused():
    with pytest.raises(ValueError, match="gamma can't be negative"):
        Consensus(gamma=-1)
    with pytest.raises(ValueError, match="steps is a number of D's updates ahead"):
        Unrolled(steps=-1)
    with pytest.raises(ValueError, match="lr must be positive"):
        Unrolled(lr=0)


# Unrolling (Metz et al. 2016, arXiv 1611.02163).


def test_unrolled_by_nothing_is_alternation():
    games = [game("penalty=[r1]", "n_generator=2") for _ in range(2)]
    for gan, dynamics in zip(games, (Alternating(), Unrolled(steps=0)), strict=True):
        for step in range(3):
            reseed(1, step)
            dynamics.step(gan, batches(), step)
    states = [gan.state() for gan in games]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("override", ["penalty=none", "penalty=[r1,r2]", "loss=rsgan"])
@pytest.mark.usefixtures("double")
def test_the_unrolled_gradient_is_the_derivative(override):
    """By finite differences of the whole look ahead: D's steps, penalties and all."""
    torch.manual_seed(0)
    gan = game(override, "optimizer=sgd", "model.width=3", "model.z_dim=2")
    for player in gan.players.values():
        for module in player.net.modules():
            if isinstance(module, nn.Linear):  # far from the small first weights
                nn.init.normal_(module.weight, std=1.0)
    real = Batch(torch.randn(3, 1, 8, 8))
    unrolled = Unrolled(steps=2, lr=0.3)

    def value(dynamics: Unrolled = unrolled) -> Tensor:
        reseed(4)
        return dynamics.g_loss(gan, real)[0].mean()

    weight = gan.G.weights[-2]
    (slope,) = torch.autograd.grad(value(), weight)
    plain, ahead = value(Unrolled(steps=0)), value()
    assert abs(plain - ahead) > 1e-3
    for index in [(0, 0), (5, 1), (63, 2)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[index] += sign * 1e-6
            ends.append(value().item())
            with torch.no_grad():
                weight[index] -= sign * 1e-6
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope[index].item(), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("override", ["penalty=none", "penalty=[r1,r2]", "loss=hinge"])
def test_the_steps_ahead_are_those_that_d_would_take(override):
    """Gradient descent of D itself, penalties and constraint's own layers included."""
    gan, other = (game(override, "n_critic=1") for _ in range(2))
    (real,) = batches()
    reseed(4)
    ahead = Unrolled(steps=3, lr=0.3).ahead(gan, real)
    reseed(4)
    fake = other.fake(real)
    D = Player(other.D.net, SGD(0.3), 0.3)
    for _ in range(3):
        D.descend(lambda part: other.d_loss(part, fake), real)
    for name, weight in D.net.named_parameters():
        assert torch.allclose(ahead[name], weight, atol=1e-5), name


def test_unrolling_leaves_d_where_its_own_step_put_it():
    gan, plain = game(), game()
    reseed(2)
    plain.d_step(batches()[0])
    reseed(2)
    Unrolled().step(gan, batches(), 0)
    assert all(torch.equal(a, b) for a, b in zip(gan.D.weights, plain.D.weights, strict=True))
