"""Laws of a step: each player descends its own gradient, with the other one held fixed."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn

from gan_cli import build, session
from gan_cli.average import Averaging
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.method.critic import judges_alone
from gan_cli.method.gan import GAN
from gan_cli.method.rules import d_net, rules
from gan_cli.method.turns import Turns
from gan_cli.player import Player
from gan_cli.randomness import reseed
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import composed, part

pytestmark = pytest.mark.training

SHAPE = (1, 8, 8)


def game(*overrides: str, averaging: Averaging | None = None) -> GAN:
    config = composed(*overrides, "model.width=16")
    if "dcgan" in config["model"]["_target_"]:  # what brings no model of its own
        config = composed("model=mlp", "model.width=16", "model.depth=2", *overrides)
    made = build.parts(config)
    reseed("game")
    kit = session.kit(config, made, Space(SHAPE), None, torch.device("cpu"))
    G = made.model.generator(SHAPE)
    D = made.constraint.wrap(d_net(kit))
    players = [Player(net, made.optimizer, made.optimizer.lr, averaging) for net in (G, D)]
    return GAN(*players, rules(kit))


def batches(n: int = 1, size: int = 8) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [Batch(torch.rand(size, *SHAPE, generator=generator) * 2 - 1) for _ in range(n)]


def weights(player: Player) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in player.net.named_parameters()}


def same(before: dict[str, torch.Tensor], player: Player) -> bool:
    return all(torch.equal(before[name], p) for name, p in player.net.named_parameters())


GAMES = [f"loss={name}" for name in entries("loss")] + [
    f"{group}={name}" for group in ("penalty", "constraint") for name in entries(group)
]


@pytest.mark.training
@pytest.mark.parametrize("override", GAMES)
def test_each_player_moves_alone_and_leaves_no_gradient(override):
    gan = game(override)
    (real,) = batches()
    for mine, other, move in [(gan.D, gan.G, gan.d_step), (gan.G, gan.D, gan.g_step)]:
        mine_before, other_before = weights(mine), weights(other)
        move(real)
        assert not same(mine_before, mine)
        assert same(other_before, other)
        assert all(p.grad is None for p in [*gan.G.weights, *gan.D.weights])


@pytest.mark.training
@pytest.mark.parametrize("override", GAMES)
def test_a_step_is_a_function_of_the_players_the_data_and_the_seed(override):
    ends = []
    for _ in range(2):
        gan = game(override)
        reseed(5)
        gan.step(batches(gan.batches_per_step), 0)
        ends.append(gan.G.state("G") | gan.D.state("D"))
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_d_moves_k_times_and_g_once():
    gan = game("n_critic=5")
    gan.step(batches(5), 0)
    assert (gan.D.updates, gan.G.updates) == (5, 1)
    assert (gan.D.images, gan.G.images) == (40, 8)


def test_and_the_other_way_round():
    gan = game("n_generator=3")
    gan.step(batches(), 0)
    assert (gan.D.updates, gan.G.updates) == (1, 3)


@pytest.mark.parametrize(("player", "waits"), [("d", "G"), ("g", "D")])
def test_a_head_start_is_played_alone(player, waits):
    gan = game(f"head_start.{player}=2")
    for step in range(3):
        gan.step(batches(), step)
        assert gan.players[waits].updates == max(0, step - 1)


def test_both_cannot_have_a_head_start():
    with pytest.raises(ValueError, match="only one player"):
        Turns(head_start_d=1, head_start_g=1)


ALONE = [name for name in entries("loss") if not hasattr(part("loss", name), "crosses")]


@pytest.mark.training
@pytest.mark.parametrize("loss", ALONE)
def test_a_batch_in_parts_is_the_same_step(loss):
    """Gradient accumulation costs memory, not truth."""
    plain = (f"loss={loss}", "penalty=none", "constraint=clip", "optimizer=sgd")
    whole, parted = game(*plain), game(*plain, "accumulate=3")
    (real,) = batches(size=9)
    for gan in (whole, parted):
        gan.fake = lambda like: Batch(-like.x)  # the same fakes for both
        told = gan.d_step(real)
    for a, b in zip(whole.D.weights, parted.D.weights, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert told["D/real"].shape == ()


def test_lazy_penalties_are_due_every_so_many_updates_at_that_weight():
    gan = game("penalty=r1", "penalty.r1.every=4")
    paid = ["penalty/r1" in gan.d_step(batches()[0]) for _ in range(9)]
    assert paid == [step % 4 == 0 for step in range(9)]
    (real,) = batches()
    gan.D.updates = 0
    reseed(3)
    lazy, facts = gan.d_loss(real)
    gan.D.updates = 1
    reseed(3)
    game_alone, _ = gan.d_loss(real)
    paid = 4 * facts["penalty/r1"].item()
    assert (lazy - game_alone).mean().item() == pytest.approx(paid, rel=1e-4)


def test_clip_grad_bounds_the_step():
    bound = 1e-3
    config = composed("model=mlp", "optimizer=sgd", "optimizer.lr=1.0")
    made = build.parts(config)
    D = Player(made.model.discriminator(SHAPE), made.optimizer, 1.0, clip_grad=bound)
    before = weights(D)
    facts = D.descend(lambda part: (100 * D(part.x, part.c), {}), batches()[0])
    moved = torch.cat([(p - before[n]).flatten() for n, p in D.net.named_parameters()])
    assert moved.norm().item() == pytest.approx(bound, rel=1e-3)
    assert facts["grad_norm"].item() > bound  # what is told is the norm before


def test_the_average_has_the_half_life_it_claims():
    """After half_life images the old weights count for one half."""
    gan = game(averaging=Averaging(half_life=64, ramp_up=0))
    G = gan.G
    start = copy.deepcopy(G.average.state_dict())
    for p in G.weights:
        p.data.fill_(1.0)
    for _ in range(8):
        G._follow(8)
    for key, value in G.average.state_dict().items():
        assert torch.allclose(value, (start[key] + 1) / 2, atol=1e-6)


def test_the_average_ramps_up():
    averaging = Averaging(half_life=10_000, ramp_up=0.05)
    assert averaging.decay(64, 64) < 1e-5
    assert averaging.decay(64, 20_000) == pytest.approx(0.5 ** (64 / 1000))
    assert averaging.decay(64, 10**9) == pytest.approx(0.5 ** (64 / 10_000))


def test_states_round_trip_and_a_missing_tensor_is_named():
    gan = game("loss=hinge")
    gan.step(batches(5), 0)
    for name, player in gan.players.items():
        state = {key: value.clone() for key, value in player.state(name).items()}
        other = game("loss=hinge").players[name]
        other.restore(name, state)
        again = other.state(name)
        assert state.keys() == again.keys()
        assert all(torch.equal(state[key], again[key]) for key in state)
        for key in state:
            with pytest.raises((KeyError, RuntimeError)) as caught:
                other.restore(name, {k: v for k, v in state.items() if k != key})
            assert key.split("/", 1)[-1].rsplit("/")[-1] in str(caught.value)


def test_top_k_learns_from_what_d_likes_most():
    """Sinha et al. 2020: the others of the batch give G no gradient, and the mean is theirs."""
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    liked = torch.tensor([0.0, 9.0, -3.0, 5.0])
    kept = Turns(top_k=0.5).best(losses, liked)
    assert kept.mean().item() == pytest.approx((2 + 4) / 2)
    (slope,) = torch.autograd.grad(kept.mean(), losses)
    assert slope.tolist() == [0, 0.5, 0, 0.5]
    assert Turns().best(losses, liked) is losses


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_top_k_is_a_share(share):
    with pytest.raises(ValueError, match="top_k"):
        Turns(top_k=share)


def test_a_packed_d_judges_groups_and_its_batches_must_divide():
    gan = game("pack=2")
    facts = gan.d_step(batches()[0])
    assert facts["loss/d"].isfinite()
    real, fake = gan.outputs["D/real"], gan.outputs["D/fake"]
    for said in (real, fake):
        assert torch.equal(said[0::2], said[1::2])
        assert said.unique().numel() == 4


def test_a_penalty_on_the_slope_of_each_sample_is_refused_where_samples_are_packed():
    with pytest.raises(UserMistake, match="pack"):
        game("pack=2", "penalty=r1")


@pytest.mark.parametrize("loss", ["rasgan", "dual_contrastive"])
def test_top_k_is_refused_where_a_loss_looks_across_the_batch(loss):
    with pytest.raises(UserMistake, match="top_k=1"):
        game(f"loss={loss}", "top_k=0.5")


@pytest.mark.parametrize("penalty", ["lecam", "bcr", "r2", "gp"])
def test_nothing_of_a_penalty_reaches_g(penalty):
    """Not even where D's loss is differentiated through the fakes, as consensus does."""
    plain, charged = game("loss=lsgan", "penalty=none"), game("loss=lsgan", f"penalty={penalty}")
    (real,) = batches()
    slopes = []
    for gan in (plain, charged):
        gan.d_step(real)  # LeCam has something to remember
        reseed(7)
        z = torch.randn(8, gan.z_dim)
        fake = Batch(gan.G(z, None))
        gan.D.net.load_state_dict(plain.D.net.state_dict())
        losses, _ = gan.d_loss(real, fake)
        slopes.append(torch.autograd.grad(losses.sum(), gan.G.weights))
    for a, b in zip(*slopes, strict=True):
        assert torch.equal(a, b)


ALONE = [
    *(f"discriminator={name}" for name in entries("discriminator")),
    *(f"model={name}" for name in entries("model")),
    *(f"constraint={name}" for name in entries("constraint")),
    *("critic_norm=layer", "critic_norm=instance", "critic_norm=group", "critic_norm=none"),
    *("pack=2", "model.minibatch_std=4", "auxiliary=infogan", "task=label condition=projection"),
]


@pytest.mark.parametrize("override", ALONE)
def test_a_d_that_judges_each_sample_by_itself_says_the_same_of_two_batches_in_one(override):
    """And one that is taken for such a D is one: what it says of a sample depends on no other."""
    config = composed("dataset=digits", *override.split(), "batch_size=8", "steps=1")
    try:
        made = session.make(config, build.parts(config), torch.device("cpu"))
    except UserMistake:
        pytest.skip("no D of images")
    gan = made.method
    if not isinstance(gan, GAN):
        pytest.skip("nobody judges")
    real, other = made.feed(0), made.feed(1)
    mixes = {"pack=2", "model.minibatch_std=4", "model=stylegan2", "discriminator=stylegan2"}
    if mixes & set(override.split()):
        assert not gan.critic.alone
    if not gan.critic.alone:
        return
    together = [said for said, _ in gan.hear_both(real, other)]
    apart = [gan.hear(batch)[0] for batch in (real, other)]
    for one, two in zip(together, apart, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", ["BatchNorm1d", "Dropout", "RReLU", "Unknown"])
def test_a_layer_that_mixes_draws_or_is_not_known_is_asked_batch_by_batch(layer):
    class Unknown(nn.Module):
        pass

    made = {
        "BatchNorm1d": lambda: nn.BatchNorm1d(4),
        "Dropout": nn.Dropout,
        "RReLU": nn.RReLU,
        "Unknown": Unknown,
    }[layer]()
    plain = [nn.Linear(4, 4), nn.LeakyReLU(), nn.LayerNorm(4)]
    assert judges_alone(nn.Sequential(*plain))
    assert not judges_alone(nn.Sequential(*plain, made))


class Counted(nn.Module):
    """A network that counts its passes, and keeps what it made."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net, self.z_dim, self.made = net, net.z_dim, list[torch.Tensor]()

    def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        self.made.append(self.net(z, c))
        return self.made[-1]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(("critic", "generator"), [(1, 1), (3, 2)])
def test_shared_fakes_are_made_once_and_both_players_learn_from_them(critic, generator, accumulate):
    gan = game(f"n_critic={critic}", f"n_generator={generator}", f"accumulate={accumulate}")
    gan.turns = dataclasses.replace(gan.turns, share=True)
    gan.G.net = counted = Counted(gan.G.net)
    seen: list[torch.Tensor] = []
    gan._ask, ask = lambda x, c: seen.append(x) or ask(x, c), gan._ask
    gan.critic.alone = False
    before = weights(gan.D)
    gan.step(batches(critic), 0)
    assert not same(before, gan.D)
    assert len(counted.made) == (critic + generator - 1) * accumulate  # one less than without
    last = counted.made[(critic - 1) * accumulate : critic * accumulate]
    for made in last:  # those of D's last update are shown again, now to teach G
        shown = [x for x in seen if torch.equal(x, made)]
        assert not shown[0].requires_grad
        assert shown[-1].requires_grad
    gan.step(batches(critic), 1)
    assert len(counted.made) == 2 * (critic + generator - 1) * accumulate


def test_shared_fakes_teach_g_what_d_says_of_them_now():
    gan, (real,) = game("optimizer=sgd"), batches()
    gan.turns = dataclasses.replace(gan.turns, share=True)
    fake = gan.drawn(real)
    (lent,) = gan._lent
    x = lent.x
    assert x.requires_grad
    assert not fake.x.requires_grad
    assert torch.equal(fake.x, x.detach())
    expected = gan.loss.g(None, gan.judge(Batch(x.detach()))).mean()
    _, facts = gan.g_loss(real)
    torch.testing.assert_close(facts["loss"], expected.detach())


def test_fakes_are_shared_only_where_players_move_in_turn():
    config = composed("dataset=ring", "share_fakes=true", "dynamics=simultaneous")
    with pytest.raises(UserMistake, match="share_fakes.*dynamics=alternating"):
        session.make(config, build.parts(config), torch.device("cpu"))
