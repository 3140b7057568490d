"""Laws of every method: it learns, it comes back, and its file makes what it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_cli import build, session, train
from gan_cli.errors import UserMistake
from gan_cli.randomness import reseed
from gan_cli.sampler import Sampler
from gan_cli.session import Session
from gan_cli.term import Played
from tests.conftest import entries
from tests.games import TINY, composed

BESIDE = {  # what a method can't do without
    "regression": ("task=denoise", "term=l2", "model=unet"),
    "cyclegan": ("task=unpaired", "task.of=invert", "model=unet"),
}
METHODS = entries("method")
SMALL = {"dcgan": 16, "mlp": 32, "unet": 8}


def composition(name: str, *overrides: str) -> list[str]:
    return [f"method={name}", *BESIDE.get(name, ()), "batch_size=32", *overrides]


def made(name: str, *overrides: str) -> Session:
    config = composed(*composition(name, *overrides))
    family = config["model"]["_target_"].split(".")[-2]
    if family in SMALL:
        config["model"]["width"] = SMALL[family]
    return session.make(config, build.parts(config), torch.device("cpu"))


def play(held: Session, first: int, last: int) -> list[dict[str, Tensor]]:
    """Steps first, …, last - 1, as training takes them."""
    told = []
    for step in range(first, last):
        reseed(0, step)
        told.append(held.step(train.batches(held, step), step))
    return told


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.training
@pytest.mark.parametrize("name", METHODS)
def test_what_is_descended_falls_on_digits_in_50_steps(name):
    held = made(name)
    told = play(held, 0, 1)
    if "loss" not in told[0]:
        pytest.skip("in a game nothing has to fall")
    losses = [float(facts["loss"]) for facts in told + play(held, 1, 50)]
    assert sum(losses[-5:]) / 5 < sum(losses[1:6]) / 5 - 0.01


@pytest.mark.training
@pytest.mark.parametrize("name", METHODS)
def test_a_step_is_a_function_of_the_seed_and_its_number(name):
    """And what was kept after two steps goes on as if it had not been stopped."""
    straight, stopped, resumed = made(name), made(name), made(name)
    play(straight, 0, 4)
    play(stopped, 0, 2)
    resumed.method.restore({key: value.clone() for key, value in stopped.method.state().items()})
    assert same(resumed.method.state(), stopped.method.state())
    play(resumed, 2, 4)
    assert same(resumed.method.state(), straight.method.state())
    assert resumed.method.images == straight.method.images > 0


@pytest.mark.parametrize("name", METHODS)
def test_a_state_that_lacks_something_is_refused(name):
    held = made(name)
    play(held, 0, 1)
    kept = held.method.state()
    for lost in (next(iter(kept)), list(kept)[-1]):
        with pytest.raises((KeyError, RuntimeError)):
            made(name).method.restore({k: v for k, v in kept.items() if k != lost})


@pytest.mark.parametrize("name", METHODS)
def test_no_gradient_is_left_behind(name):
    held = made(name)
    play(held, 0, 2)
    nets = [held.method.generator, *(player.net for player in held.method.players.values())]
    assert all(weight.grad is None for net in nets for weight in net.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_every_weight_that_learns_has_a_gradient(name):
    """After a step no weight of a player is where it was."""
    held = made(name)
    before = {n: [w.clone() for w in p.weights] for n, p in held.method.players.items()}
    play(held, 0, 3)
    for player, weights in before.items():
        after = held.method.players[player].weights
        still = [tuple(w.shape) for w, v in zip(after, weights, strict=True) if torch.equal(w, v)]
        assert not still, f"{player}: {still}"


@pytest.mark.training
@pytest.mark.parametrize("name", METHODS)
def test_a_generator_file_samples_without_data_what_the_method_samples_live(name, tmp_path: Path):
    asked = [*composition(name), *TINY, f"run_dir={tmp_path}", "model.width=8"]
    asked = [word for word in asked if "mixture" not in name or "width" not in word]
    config = composed(*asked)
    families = {"model": config["model"]["_target_"].split(".")[-2]}
    others = {group: composed()[group]["_target_"].split(".")[-2] for group in ("prior",)}
    train.launch(config, families | others, asked, ["gan", "train", *asked])
    held = session.make(config, build.parts(config), torch.device("cpu"))
    play(held, 0, 2)
    live = Sampler(held.method.generator, held.space, held.prior, held.task, held.data.shape)
    kept = Sampler.load(tmp_path / "generator.safetensors")
    z, c = live.codes(range(5), 0), held.examples().c if held.space.given else None
    wanted = live.generate(z, None if c is None else c[:5])
    assert torch.equal(kept.generate(z, None if c is None else c[:5]), wanted)
    assert wanted.std(0).max() > 0 or held.space.given


IDLE = [
    ("gan", ["model=stylegan2", "prior=codes", "auxiliary=infogan"], "mixing=0"),
    ("vae", ["model=stylegan2"], "mixing=0"),
    ("autoencoder", ["model=stylegan2"], "mixing=0"),
    ("mixture", ["schedule=cosine"], "no use for it"),
    ("mixture", ["+anneal.to.optimizer.lr=1e-5"], "no use for it"),
]


@pytest.mark.parametrize(("name", "more", "words"), IDLE)
def test_what_would_mean_nothing_is_refused(name, more, words):
    config = composed(f"method={name}", *more)
    with pytest.raises(UserMistake, match=words):
        session.make(config, build.parts(config), torch.device("cpu"), more)


@dataclass(frozen=True)
class Counting:
    """A term of a user's own, which remembers how often it was paid."""

    every: int = 1
    memory: dict[str, Tensor] = field(default_factory=lambda: {"paid": torch.zeros(())})

    def __call__(self, played: Played) -> Tensor:
        self.memory["paid"] = self.memory["paid"] + 1
        return (played.fake.x - played.real.x).square().flatten(1).mean(1)


def test_what_a_term_of_a_regression_remembers_is_kept():
    held = made("regression")
    held.method.terms["counting"] = Counting()
    play(held, 0, 2)
    kept = held.method.state()
    assert float(kept["memory/term/counting/paid"]) == 2
