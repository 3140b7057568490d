"""State with a hole: what a checkpoint lacks, or has too much, is named."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gan_cli import build, container, state
from gan_cli import train as training
from gan_cli.console import Console
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile
from gan_cli.keeper import Keeper
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.state import Found
from tests.games import composed

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]


GAMES = [
    "task=label condition=projection condition.g=norm model=sngan constraint=spectral",
    "model=dcgan model.width=4 penalty=lecam augment=ada",
    "loss=began model=autoencoder",
    "model=mlp method=vae task=label",
    "method=cyclegan task=unpaired task.of=invert model=unet model.width=4 penalty=lecam",
    "task=label condition=unseen auxiliary=[acgan,infogan] model=mlp optimizer=sgd",
    "method=mixture_gradient dataset=ring",
]


def trained(game: str, where: Path) -> tuple[Keeper, Session, Checkpoint]:
    """A keeper of such a game, and the checkpoint of its step 2."""
    typed = [*game.split(), "batch_size=8", "steps=2", "hardware.threads=1", "diagnose.every=null"]
    if "sngan" in game:
        typed += ["model.g_width=8", "model.d_width=8"]
    config = composed(*typed) | {"run_dir": str(where)}
    session = make(config, build.parts(config), torch.device("cpu"), typed)
    choices = {word.partition("=")[0]: word.partition("=")[2] for word in game.split()}
    keeper = Keeper(Run.open(config, choices, typed, ["gan"]), session, config, choices)
    for step in range(2):
        training.reseed(0, step)
        session.step(training.batches(session, step), step)
    keeper.save(2)
    found = state.newest(where / "checkpoints")
    assert found is not None
    return keeper, session, found.checkpoint


def holes(tensors: dict[str, torch.Tensor], name: str) -> dict[str, dict[str, torch.Tensor]]:
    """The state without that tensor, or with it under another name, shape or type, or twice."""
    rest = {key: value for key, value in tensors.items() if key != name}
    tensor = tensors[name]
    return {
        "missing": rest,
        "renamed": rest | {f"{name}x": tensor},
        "reshaped": rest | {name: torch.cat([tensor.flatten(), tensor.flatten()[:1]])},
        "extra": tensors | {f"{name}x": tensor},
    }


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.fault(
    "R2",
    "state with a hole",
    "each tensor of a checkpoint is left out, renamed, reshaped, or there twice",
)
def test_a_missing_or_strange_tensor_is_an_error_that_names_it(
    game: str, tmp_path: Path, times: Times, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, _, checkpoint = trained(game, tmp_path / "run")
    names = sorted(checkpoint.tensors)
    few = random.Random(6).sample(names, min(len(names), times(6, len(names))))
    survived, tried, wrong = 0, 0, []
    for name in few:
        for kind, tensors in holes(checkpoint.tensors, name).items():
            tried += 1
            found = Found(Checkpoint(tensors, checkpoint.meta, ""), tmp_path / "it", [])
            monkeypatch.setattr(state, "newest", lambda _, found=found: found)
            try:
                keeper.restore(Console.silent())
                wrong.append((kind, name, "taken"))
            except BadFile as error:
                last = name.rpartition("/")[2]
                if last not in str(error):
                    wrong.append((kind, name, str(error)))
                survived += last in str(error)
    assert wrong == []
    tally(tried, survived, "FILE: does not hold this run's players: 'opt_G/0/exp_avg'; exit 4")


@pytest.mark.fault("R2", "metadata with a hole", "each entry that training needs is left out")
def test_missing_metadata_is_an_error_that_names_it(
    tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, _, checkpoint = trained("model=mlp", tmp_path / "run")
    survived = 0
    for key in ("data", "step"):
        meta = {name: value for name, value in checkpoint.meta.items() if name != key}
        path = state.path_of(tmp_path / "run" / "checkpoints", 2)
        container.write(path, checkpoint.tensors, meta)
        with pytest.raises(BadFile) as caught:
            keeper.restore(Console.silent())
        survived += key in str(caught.value)
    tally(2, survived, "FILE: does not hold …, or is not what its name says; exit 4")
