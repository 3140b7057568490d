"""The law of ranks: two of them are one that has the whole batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gan_cli import dist
from gan_cli.errors import GanError
from tests.conftest import entries
from tests.games import spec
from tests.ranks import State, configured, played, spawn

pytestmark = pytest.mark.training

NET = "model.width=8 model.depth=1 dataset.split=train"
MLP = f"model=mlp {NET} optimizer=sgd optimizer.lr=0.05"
DCGAN = "model=dcgan model.width=4 optimizer=sgd optimizer.lr=0.01 hardware.batch_norm=synchronised"
SLOW = "model.width=4 optimizer=sgd optimizer.lr=0.01"
UNET = "model=unet model.width=4 optimizer=sgd optimizer.lr=0.05 critic_norm=none"

ENERGIES = ("began", "ebgan")
"""Losses that want a D of another kind."""


def kinds(group: str) -> list[str]:
    """One entry for each class of a group, as those that differ in numbers alone are one kind."""
    named = {name: spec(group, name).get("_target_", "") for name in entries(group)}
    return sorted({target: name for name, target in reversed(named.items()) if target}.values())


GAMES = [
    *(f"{MLP} loss={name}" for name in kinds("loss") if name not in ENERGIES),
    *(f"{MLP} penalty=[{name}]" for name in kinds("penalty")),
    *(f"{MLP} dynamics={name}" for name in kinds("dynamics")),
    f"{MLP} loss=wgan_gp n_critic=3 optimizer=adam",
    f"{MLP} accumulate=2 clip_grad=0.1",
    f"{MLP} top_k=0.5 n_generator=2",
    f"{MLP} augment=instance_noise prior=uniform",
    f"{MLP} task=label condition=projection condition.matching=true",
    f"{MLP} task=label auxiliary=[acgan] term=[diversity]",
    f"{MLP} method=vae",
    f"{DCGAN}",
    f"{DCGAN} augment=diffaugment term=[feature_matching]",
    f"{DCGAN} augment=ada critic_norm=none penalty=[cr]",
    f"{DCGAN} task=label condition=projection condition.g=norm",
    f"model=stylegan2 model.minibatch_std=0 n_generator=2 {SLOW}",
    f"model=stylegan2 model.minibatch_std=0 term=[path_length] term.path_length.every=1 {SLOW}",
    f"{UNET} task=denoise model.dropout=0.5 hardware.batch_norm=synchronised",
    f"{UNET} task=inpaint condition.matching=true hardware.batch_norm=synchronised",
    "dataset=grid25 model=mlp_toy",
    "dataset=grid25 method=mixture_gradient",
]  # fmt: skip


def everything(configs: list[dict[str, Any]]) -> tuple[list[State], str]:
    """What ranks come to in each game; and what they are told whose weights differ."""
    with pytest.raises(GanError) as raised:
        dist.check_alike({"G/w": torch.zeros(3) + dist.rank()}, 7)
    return played(configs), str(raised.value)


Both = tuple[dict[str, tuple[State, tuple[State, ...]]], list[str]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """What one rank comes to in each game, and what two do; what both are told."""
    configs = [configured(game) for game in GAMES]
    alone = played(configs)
    two = spawn(everything, configs, 2, tmp_path_factory.mktemp("ranks"))
    states = zip(alone, zip(*(games for games, _ in two), strict=True), strict=True)
    return dict(zip(GAMES, states, strict=True)), [told for _, told in two]


@pytest.mark.parametrize("game", GAMES)
def test_two_ranks_are_one(game, both):
    alone, (first, second) = both[0][game]
    assert alone.keys() == first.keys()
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), f"{name} is not the same on both ranks"
        exact = 1e-9 if value.dtype == torch.float64 else 1e-6  # what is remembered is float32
        worst = float((value.double() - first[name].double()).abs().max())
        assert worst <= exact, f"{name} is off by {worst:.1e}"


def test_alone_nothing_is_changed():
    x = torch.randn(4, 3)
    for same in (dist.whole(x), dist.rows(x), dist.mean([x])[0]):
        assert same is x
    assert (dist.told(3), dist.agreed(None), dist.gathered(1)) == (3, None, [1])
    torch.manual_seed(0)
    mine = dist.own(lambda n: torch.rand(n, 2), 5)
    torch.manual_seed(0)
    assert torch.equal(mine, torch.rand(5, 2))


def test_ranks_that_differ_are_found(both):
    assert all("step 7: G/w is not the same on all ranks" in text for text in both[1])
