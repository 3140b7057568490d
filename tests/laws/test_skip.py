"""Laws of updates that are left out: nothing of them stays, and without any all is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_cli import build, session, train
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.policy.skip import Skip
from gan_cli.randomness import reseed
from gan_cli.session import Session
from tests.conftest import entries
from tests.games import composed, spec

pytestmark = pytest.mark.training

TINY = ("batch_size=8", "ema.half_life=100")
ENERGIES = {"began", "ebgan"}  # whose D is an autoencoder
GAMES = [
    "penalty=[r1,lecam] loss=hinge",
    "penalty=[gp,bcr]",
    "constraint=spectral augment=ada loss=hinge",
    "constraint=clip model.g_norm=batch loss=wgan",
    "term=path_length term.path_length.every=1 penalty=none model=stylegan2 loss=nonsaturating",
    "auxiliary=acgan task=label penalty=none",
    "n_critic=2 n_generator=2 accumulate=2",
]
AT_ONCE = ["simultaneous", "extragradient", "consensus"]
ALONE = {
    "autoencoder": "",
    "vae": "",
    "mixture_gradient": "dataset=ring model=mixture",
    "regression": "task=denoise term=l2 model=unet model.width=8",
}


def made(*overrides: str, policy: str = "skip") -> Session:
    config = composed(*TINY, "model=mlp", f"policy={policy}", *" ".join(overrides).split())
    return put(config)


def put(config: dict[str, Any]) -> Session:
    config["model"] |= {name: 8 for name in ("width", "channels") if name in config["model"]}
    return session.make(config, build.parts(config), torch.device("cpu"))


def play(held: Session, steps: int) -> dict[str, Tensor]:
    for step in range(steps):
        reseed(0, step)
        held.step(train.batches(held, step), step)
    return {name: tensor.clone() for name, tensor in held.method.state().items()}


def spoilt(batch: Batch, value: float = float("inf")) -> Batch:
    x = batch.x.clone()
    x[1].flatten()[0] = value
    return replace(batch, x=x)


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """What of a state is not the same, bit for bit; counts by their name."""
    assert before.keys() == after.keys()
    return {name for name in before if not before[name].equal(after[name])}


def counts(held: Session) -> dict[str, tuple[int, int]]:
    return {name: player.skipped for name, player in held.method.players.items()}


def breaks(weights: list[Tensor]) -> Callable[[], None]:
    """Let the gradient of the last of these weights be infinite, until it is called."""
    return weights[-1].register_hook(lambda slope: slope + float("inf")).remove


@pytest.mark.parametrize("loss", entries("loss"))
def test_of_a_skipped_update_nothing_stays_under_any_loss(loss):
    family = "autoencoder" if loss in ENERGIES else "mlp"
    config = composed(*TINY, f"model={family}", "constraint=spectral", "policy=skip")
    nothing_stays(put(config | {"loss": spec("loss", loss), "penalty": {}}))


@pytest.mark.parametrize("game", GAMES)
def test_a_skipped_update_leaves_all_but_its_count_as_it_was(game):
    nothing_stays(made(game))


def nothing_stays(held: Session) -> None:
    before = play(held, 2)
    gan = held.game
    told = gan.d_step(spoilt(held.feed(9)))
    after = held.method.state()
    assert told == {}
    assert changed(before, after) == {"count_D"}
    assert counts(held) == {"G": (0, 0), "D": (1, 1)}
    mend = breaks(gan.G.weights)
    told = gan.g_step(held.feed(9))
    mend()
    assert told == {}
    assert changed(before, held.method.state()) == {"count_D", "count_G"}
    assert [skip.players for skip in held.guard.news] == [("D",), ("G",)]
    assert all(tensor.isfinite().all() for tensor in held.method.state().values())
    gan.g_step(held.feed(9))
    gan.d_step(held.feed(9))
    assert counts(held) == {"G": (1, 0), "D": (1, 0)}
    assert changed(before, held.method.state()) >= {"count_D", "count_G"}


@pytest.mark.parametrize("dynamics", AT_ONCE)
@pytest.mark.parametrize("steps", [0, 2])
def test_where_both_move_at_once_neither_does(dynamics, steps):
    held = made(f"dynamics={dynamics} penalty=[r1,lecam] loss=hinge constraint=spectral n_critic=1")
    before = play(held, steps)
    told = held.step([spoilt(held.feed(9))], steps)
    assert told == {}
    assert changed(before, held.method.state()) == {"count_D", "count_G"}
    mend = breaks(held.game.G.weights)
    assert held.step([held.feed(9)], steps) == {}
    mend()
    assert changed(before, held.method.state()) == {"count_D", "count_G"}
    assert counts(held) == {"G": (2, 2), "D": (2, 2)}


def test_a_step_ahead_that_leads_to_an_infinity_is_taken_back():
    held = made("dynamics=extragradient penalty=none")
    before = play(held, 1)
    gan, calls = held.game, []

    def late(slope):
        calls.append(slope)
        return slope if len(calls) == 1 else slope * float("nan")

    handle = gan.D.weights[0].register_hook(late)
    assert held.step([held.feed(9)], 1) == {}
    handle.remove()
    assert len(calls) == 2
    assert changed(before, held.method.state()) == {"count_D", "count_G"}


def test_an_unrolled_g_is_skipped_alone():
    held = made("dynamics=unrolled penalty=none")
    before = play(held, 1)
    mend = breaks(held.game.G.weights)
    told = held.step([held.feed(9)], 1)
    mend()
    assert "loss/d" in told
    assert "loss/g" not in told
    assert not any(
        name.startswith(("G/", "G_ema/")) for name in changed(before, held.method.state())
    )
    assert counts(held) == {"G": (1, 1), "D": (0, 0)}


@pytest.mark.parametrize("method", ALONE)
def test_methods_without_a_game_skip_too(method):
    held = made(f"method={method}", ALONE[method])
    before = play(held, 2)
    assert held.step([spoilt(held.feed(9))], 2) == {}
    assert changed(before, held.method.state()) == {f"count_{n}" for n in held.method.players}


def test_either_game_of_two_skips_by_itself():
    held = made("method=cyclegan task=unpaired task.of=invert model=unet model.width=8")
    before = play(held, 1)
    assert held.step([spoilt(held.feed(9))], 1) == {}
    assert changed(before, held.method.state()) == {f"count_{n}" for n in held.method.players}
    mend = breaks(held.method.players["D_A"].weights)
    told = held.step([held.feed(9)], 1)
    mend()
    assert {n for n in told if n.startswith("loss/")} == {"loss/d", "loss/g", "loss/g/back"}
    assert counts(held) == {"G": (1, 0), "F": (1, 0), "D": (1, 0), "D_A": (2, 2)}
    moved = changed(before, held.method.state())
    assert not any(name.startswith(("D_A/", "opt_D_A/", "memory/D_A/")) for name in moved)


@pytest.mark.parametrize("game", [*GAMES, "dynamics=extragradient", "dynamics=consensus"])
def test_without_a_fault_a_run_that_skips_is_the_same(game):
    one, other = (play(made(game, policy=policy), 3) for policy in ("skip", "warn"))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        same = tensor[: len(other[name])] if name.startswith("count_") else tensor
        assert same.equal(other[name]), name


def test_a_count_comes_back_and_another_policy_can_go_on_from_it():
    held = made("penalty=none")
    play(held, 1)
    held.game.d_step(spoilt(held.feed(9)))
    kept = held.method.kept()
    again, other = made("penalty=none"), made("penalty=none", policy="warn")
    for one in (again, other):
        one.method.restore(kept)
    assert counts(again) == counts(held)
    assert not changed(kept, again.method.state())
    assert other.method.state()["count_D"].tolist() == kept["count_D"].tolist()[:2]
    again.method.restore(other.method.state())
    assert counts(again) == {"G": (0, 0), "D": (0, 0)}


def test_of_a_method_that_follows_no_gradient_nothing_can_be_skipped():
    with pytest.raises(UserMistake, match="policy=stop"):
        made("method=mixture model=mixture")


@pytest.mark.parametrize(
    ("skipped", "row", "made", "endures"),
    [
        *((10, 10, 0, True), (11, 11, 10_000, False), (11, 1, 10_000, True), (0, 0, 0, True)),
        *((101, 1, 10_000, True), (102, 1, 10_000, False), (11, 1, 100, False)),
    ],
)
def test_a_few_are_endured_and_then_one_in_a_hundred(skipped, row, made, endures):
    assert Skip().endures(skipped, row, made) == endures


@pytest.mark.parametrize("wrong", [{"most": -1}, {"share": -0.1}, {"share": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Skip(**wrong)
