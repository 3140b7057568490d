"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_cli import build, fast, session, state, train
from gan_cli.fast import graphs
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.randomness import reseed
from gan_cli.sampler import Sampler
from gan_cli.session import Session
from tests.conftest import entries
from tests.games import TINY, composed

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

State = dict[str, Tensor]
SMALL = ("hardware.device=cuda", "dataset=digits", "batch_size=16")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS computes in the same place in every test, whichever comes first."""
    monkeypatch.setenv(fast.CUBLAS, fast.SETTLED[0])


def made(game: str) -> Session:
    """A small game on the GPU that has not begun."""
    config = composed(*SMALL, *game.split())
    if "width" in config["model"]:
        config["model"]["width"] = 16
    parts = build.parts(config)
    return session.make(config, parts, parts.hardware.claim())


def advanced(one: Session, step: int) -> State:
    """A step as the loop takes it, and what it tells."""
    reseed(0, step)
    train._pace(one, step)
    count = one.method.batches_per_step
    return one.step((one.feed(i) for i in range(step * count, (step + 1) * count)), step)


def played(game: str, steps: int) -> tuple[State, list[Tensor], Session]:
    """Where a run ends, and what each of its steps told."""
    one = made(game)
    facts = [torch.hstack(list(advanced(one, step).values())) for step in range(steps)]
    return {name: tensor.clone() for name, tensor in one.method.state().items()}, facts, one


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


GAMES = [
    "model=mlp",
    "model=dcgan",
    "model=dcgan hardware.precision=float32",
    "model=dcgan critic_norm=none penalty=[r1,r2] penalty.r1.every=2",
    "loss=wgan_gp n_critic=2",
    "model=dcgan critic_norm=none augment=ada",
    "model=dcgan augment=diffaugment penalty=lecam",
    "model=sngan task=label condition=projection condition.g=norm constraint=spectral",
    "model=stylegan2 task=label penalty=r1 term=path_length",
    "model=autoencoder loss=began",
    "model=mlp optimizer=rmsprop",
    "model=mlp optimizer=sgd optimizer.momentum=0.5 schedule=cosine",
    "model=mlp dynamics=extragradient",
    "method=cyclegan task=unpaired model=unet",
    "method=vae",
    "dataset=ring",
]


@pytest.mark.parametrize("recorded", ["true", "false"])
@pytest.mark.parametrize("game", GAMES)
def test_nothing_in_a_step_waits_for_the_device(game, recorded):
    one = made(f"{game} hardware.cuda_graphs={recorded}")
    start = 2 * (graphs.WARM_UP + 1)  # of each kind of step, with a penalty every second one
    for step in range(start):
        advanced(one, step)
    count = one.method.batches_per_step
    batches = [[one.feed(i) for i in range(s * count, (s + 1) * count)] for s in range(2)]
    with waiting_is_an_error():
        for step, given in enumerate(batches, start):
            reseed(0, step)
            train._pace(one, step)
            one.step(given, step)
    if one.graphs is not None:
        assert not one.graphs.about


def test_the_law_sees_what_it_is_for():
    x = torch.ones(3, device="cuda")
    for way in (lambda: x.sum().item(), x.cpu, lambda: torch.tensor(1.0, device="cuda")):
        with waiting_is_an_error(), pytest.raises(RuntimeError, match="synchronizing"):
            way()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("game", ["model=mlp", "model=dcgan schedule=cosine"])
def test_100_steps_of_graphs_are_100_eager_steps(game, precision, monkeypatch):
    """To the bit, where kernels are: the same ones are launched, by another hand."""
    game = f"{game} hardware.precision={precision} hardware.deterministic=true"
    again, told, one = played(f"{game} hardware.cuda_graphs=true", 100)
    assert one.graphs is not None
    assert not one.graphs.about
    monkeypatch.setattr(graphs, "WARM_UP", 1000)  # its numbers on the device, but no recording
    end, facts, _ = played(f"{game} hardware.cuda_graphs=true", 100)
    for step, (a, b) in enumerate(zip(facts, told, strict=True)):
        assert torch.equal(a, b), f"step {step}"
    assert all(torch.equal(end[name], again[name]) for name in end)


@pytest.mark.parametrize("game", GAMES)
def test_every_graph_passes_its_trial_and_ends_near_the_eager_run(game):
    """Over a few steps, before what is rounded otherwise can grow."""
    steps = 2 * graphs.WARM_UP + 4
    end, _, _ = played(f"{game} hardware.cuda_graphs=false", steps)
    again, _, one = played(f"{game} hardware.cuda_graphs=true", steps)
    assert one.graphs is not None
    assert not one.graphs.about
    start = made(game).method.state()
    for name in one.method.players:
        keys = [k for k in start if k.startswith(f"{name}/") and start[k].is_floating_point()]
        way = torch.stack([(end[k] - start[k]).float().norm() for k in keys]).norm()
        off = torch.stack([(end[k] - again[k]).float().norm() for k in keys]).norm()
        assert off <= 0.2 * way


class Reading(NonSaturating):
    """It asks the device."""

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().d(real, fake) * (1.0 + float(real.mean() > 0))


def test_a_step_that_waits_is_given_up_and_the_run_goes_on_as_if_nothing_were(monkeypatch):
    """The generator draws on, though a recording was broken off."""
    ends = []
    for warm_up in (graphs.WARM_UP, 1000):
        monkeypatch.setattr(graphs, "WARM_UP", warm_up)
        one = made("model=mlp hardware.deterministic=true hardware.cuda_graphs=true")
        one.method.loss = Reading()
        told = [torch.hstack(list(advanced(one, step).values())) for step in range(8)]
        ends.append((one, told))
    (one, told), (_, facts) = ends
    assert one.graphs is not None
    assert "can't be recorded" in one.graphs.about
    assert all(torch.equal(a, b) for a, b in zip(told, facts, strict=True))


def run(place: Path, *words: str) -> dict[str, Any]:
    asked = [*TINY, *SMALL, *words, f"run_dir={place}"]
    train.launch(composed(*asked), {"model": "mlp"}, asked, ["gan", "train", *asked])
    found = state.newest(place / "checkpoints")
    assert found is not None
    return found.checkpoint.tensors


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("recorded", ["true", "false"])
def test_12_steps_are_6_and_6_more_to_the_bit(recorded, precision, tmp_path):
    words = ["model=mlp", "hardware.deterministic=true", f"hardware.cuda_graphs={recorded}"]
    words += [f"hardware.precision={precision}", "schedule=constant", "diagnose.every=null"]
    whole = run(tmp_path / "whole", *words, "steps=12")
    run(tmp_path / "parts", *words, "steps=6")
    parts = run(tmp_path / "parts", *words, "steps=12")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("penalty", [name for name in entries("penalty") if name != "none"])
def test_penalties_are_paid_in_full_precision_whatever_the_networks_compute_in(penalty):
    told = {}
    for precision in ("float32", "bfloat16"):
        one = made(f"model=mlp penalty=[{penalty}] hardware.precision={precision} anneal=none")
        advanced(one, 0)
        facts = {k: v for k, v in advanced(one, 1).items() if k.startswith("penalty/")}
        told[precision] = {name: fact.item() for name, fact in facts.items()}
        assert all(fact.dtype == torch.float32 for fact in facts.values())
    for name, value in told["float32"].items():
        assert told["bfloat16"][name] == pytest.approx(value, rel=0.2, abs=1e-3)


def test_steps_take_no_more_memory_however_many_there_are():
    one = made("model=dcgan penalty=r1 critic_norm=none penalty.r1.every=2")
    seen = []
    for step in range(40):
        advanced(one, step)
        if step in (19, 39):
            torch.cuda.synchronize()
            seen.append(torch.cuda.memory_allocated())
    assert seen[1] <= seen[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", entries("loss"))
def test_a_run_on_the_gpu_resumes_and_its_generator_needs_none(loss, precision, tmp_path):
    for steps in (2, 4):
        asked = [
            f"loss={loss}",
            *TINY,
            f"steps={steps}",
            "hardware.device=cuda",
            f"hardware.precision={precision}",
            f"run_dir={tmp_path / 'run'}",
        ]
        train.launch(composed(*asked), {"model": "dcgan"}, asked, ["gan", "train", *asked])
    here = Sampler.load(tmp_path / "run", device="cpu").sample(8, seed=0)
    there = Sampler.load(tmp_path / "run", device="cuda").sample(8, seed=0)
    assert torch.allclose(here, there, atol=1e-2)
