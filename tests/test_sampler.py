"""Samples are a function of the seed: of nothing else, and of all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gan_cli import build, container, state
from gan_cli.condition import plain_generator
from gan_cli.errors import BadFile, NumericalFailure, UserMistake
from gan_cli.fast import processor
from gan_cli.fast.passes import CONVOLVED, ENOUGH, MOST, laid_out, size_of
from gan_cli.fast.work import Work
from gan_cli.model import Generator, Translates
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from tests.conftest import entries

ARGS: dict[str, dict[str, Any]] = {
    "mlp": {"z_dim": 6, "width": 16, "depth": 2, "g_norm": "batch", "d_norm": "none"},
    "dcgan": {"z_dim": 6, "width": 8, "g_norm": "batch", "d_norm": "none"},
    "r3gan": {"z_dim": 6, "width": 16, "widest": 32},
}
SHAPE = (1, 8, 8)


def made(name: str = "mlp", shape: tuple[int, ...] = SHAPE, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build.component("model", name, ARGS[name]).generator(shape)


def under(prefix: str, net: nn.Module) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in net.state_dict().items()}


def about(**changes: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "kind": "generator",
        "step": 5,
        "images": 320,
        "model": {"name": "mlp", "args": ARGS["mlp"]},
        "space": {"shape": list(SHAPE), "classes": ["cat", "dog", "owl"]},
    }
    return meta | changes


def run_directory(path: Path, steps: tuple[int, ...] = (5,)) -> Path:
    (path / "checkpoints").mkdir()
    tensors = under("G/", made(seed=1)) | under("G_ema/", made(seed=2)) | {"D/x": torch.zeros(3)}
    for step in steps:
        meta = about(kind="train", step=step, config={"seed": 0})
        state.save(path / "checkpoints", step, tensors, meta, keep=len(steps))
    generator = {name: tensor for name, tensor in tensors.items() if name != "D/x"}
    container.write(path / "generator.safetensors", generator, about(step=steps[-1]))
    return path


@pytest.mark.parametrize("name", ARGS)
@given(
    n=st.integers(1, 150), more=st.integers(0, 90), batches=st.tuples(*[st.integers(1, 200)] * 2)
)
@settings(max_examples=8, deadline=None)
def test_samples_depend_on_neither_the_batch_size_nor_how_many_are_asked_for(
    name: str, n: int, more: int, batches: tuple[int, int]
) -> None:
    sampler = Sampler(made(name), Space(SHAPE))
    few, many = (sampler.sample(k, 3, b) for k, b in zip((n, n + more), batches, strict=True))
    assert few.shape == (n, *SHAPE)
    assert torch.equal(few, many[:n])


@pytest.mark.parametrize("name", ARGS)
def test_all_passes_on_a_cpu_are_of_one_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, sizes = made(name), list[int]()
    sampler = Sampler(net, Space(SHAPE))
    assert sampler.size == (256 if name == "mlp" else 64)
    monkeypatch.setattr(net, "forward", _noting(net.forward, sizes))
    sampler.sample(3, 0)
    sampler.sample(330, 0, batch=17)
    assert set(sizes) == {sampler.size}


@given(operations=st.integers(1, 10**12), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_the_more_work_a_sample_is_the_fewer_are_made_in_a_pass(
    operations: int, share: float
) -> None:
    convolutions = int(share * operations)
    work = Work(convolutions, operations - convolutions)
    size, most = size_of(work), CONVOLVED if convolutions else MOST
    assert size in {8, 16, 32, 64, 128, 256}
    assert size == 8 or size * operations <= ENOUGH
    assert size == most or 2 * size * operations > ENOUGH
    assert size_of(None) == 8, "where nobody knows"


def test_samples_leave_the_process_as_it_was() -> None:
    """Threads and products are its own; passes have no more threads than it has."""
    threads, routed = torch.get_num_threads(), processor.products_routed()
    seen: list[int] = []
    net = made("dcgan")
    net.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    torch.set_num_threads(1)
    try:
        Sampler(net, Space(SHAPE)).sample(3, 0)
        assert (torch.get_num_threads(), processor.products_routed()) == (1, routed)
    finally:
        torch.set_num_threads(threads)
    assert set(seen) == {1}


@pytest.mark.parametrize("last", [False, True])
def test_a_network_is_laid_out_for_as_long_as_it_takes(last: bool) -> None:
    """Kernels of one pixel or one channel, too, whose strides mean nothing but choose a kernel."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), nn.Conv2d(1, 5, 3), nn.Linear(3, 2))
    net.to(memory_format=torch.contiguous_format if last else torch.channels_last)
    own = [(weight.data_ptr(), weight.stride()) for weight in net.parameters()]
    values = [weight.clone() for weight in net.parameters()]
    layout = torch.channels_last if last else torch.contiguous_format
    with laid_out(net, last):
        for weight, value in zip(net.parameters(), values, strict=True):
            four = weight.dim() == 4
            like = torch.empty(weight.shape, memory_format=layout) if four else weight
            assert weight.stride() == like.stride()
            assert torch.equal(weight, value)
    assert [(weight.data_ptr(), weight.stride()) for weight in net.parameters()] == own


def _noting(forward: Callable[..., Tensor], sizes: list[int]) -> Callable[..., Tensor]:
    def noted(z: Tensor, c: Tensor | None = None) -> Tensor:
        sizes.append(len(z))
        return forward(z, c)

    return noted


def test_another_seed_gives_other_samples_and_no_sample_comes_twice() -> None:
    sampler = Sampler(made(), Space(SHAPE))
    both = torch.cat([sampler.sample(200, seed) for seed in (0, 1)])
    assert len(both.flatten(1).unique(dim=0)) == 400


def test_codes_are_standard_normal() -> None:
    z = Sampler(made(), Space(SHAPE)).codes(range(40_000), 0)
    assert z.shape == (40_000, 6)
    assert z.mean(0).abs().max() < 0.03
    assert (torch.cov(z.T) - torch.eye(6)).abs().max() < 0.04


def test_a_generator_that_still_learns_is_left_as_it_was() -> None:
    net = made().train()
    net.get_submodule("layers.1").eval()
    modes = [module.training for module in net.modules()]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    chance = torch.get_rng_state()
    sampler = Sampler(net, Space(SHAPE))
    x = sampler.sample(9, 0)
    assert not x.requires_grad
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    with torch.no_grad():
        net.get_parameter("layers.0.weight").mul_(2)
    assert not torch.equal(sampler.sample(9, 0), x), "as it is at the time"
    assert torch.equal(Sampler(net.eval(), Space(SHAPE)).sample(9, 0), sampler.sample(9, 0))


def test_a_failing_generator_gets_its_mode_back() -> None:
    class Broken(Generator):
        z_dim = 2

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

    net = Broken()
    with pytest.raises(TypeError):
        Sampler(net, Space((2,))).sample(1, 0)
    assert net.training
    assert net.layer.training


def test_nan_is_no_sample() -> None:
    net = made()
    with torch.no_grad():
        net.get_parameter("layers.0.bias").fill_(torch.nan)
    with pytest.raises(NumericalFailure, match="NaN"):
        Sampler(net, Space(SHAPE)).sample(1, 0)


@pytest.mark.parametrize(("n", "batch"), [(0, 1), (1, 0), (-1, 8)])
def test_no_samples_are_a_mistake(n: int, batch: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Sampler(made(), Space(SHAPE)).sample(n, 0, batch)


def test_classes_come_in_turn_to_a_generator_that_wants_them() -> None:
    class Labelled(Generator):
        z_dim = 1

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(3, 1)

        def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
            assert c is not None
            return c[:, None].float()

    sampler = Sampler(Labelled(), Space((1,), ("a", "b", "c")))
    wanted = torch.arange(20)[:, None] % 3
    assert all(torch.equal(sampler.sample(20, 0, batch), wanted.float()) for batch in (1, 8, 9, 64))
    labels = sampler.labels(range(4, 8))
    assert labels is not None
    assert labels.tolist() == [1, 2, 0, 1]
    assert Sampler(made(), Space(SHAPE)).labels(range(3)) is None


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def test_a_run_its_checkpoint_and_its_generator_give_the_same_samples(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    wanted = Sampler(made(seed=2), Space(SHAPE)).sample(10, 4)
    paths = [run, run / "checkpoints", state.path_of(run / "checkpoints", 5)]
    for path in [*paths, run / "generator.safetensors", str(run)]:
        sampler = Sampler.load(path)
        assert torch.equal(sampler.sample(10, 4), wanted)
        assert (sampler.step, sampler.origin.weights) == (5, "averaged")
        assert sampler.space == Space(SHAPE, ("cat", "dog", "owl"))
        assert sampler.origin.path is not None
        assert sampler.sha256 == container.read(sampler.origin.path).sha256
        assert not any(weight.requires_grad for weight in sampler.generator.parameters())


def test_raw_weights_on_demand(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    wanted = Sampler(made(seed=1), Space(SHAPE)).sample(10, 4)
    for path in (run, run / "generator.safetensors"):
        sampler = Sampler.load(path, raw=True)
        assert torch.equal(sampler.sample(10, 4), wanted)
        assert sampler.origin.weights == "raw"


def test_without_an_average_the_raw_weights_are_shown_and_named(tmp_path: Path) -> None:
    container.write(tmp_path / "g", under("G/", made()), about())
    sampler = Sampler.load(tmp_path / "g")
    assert sampler.origin.weights == "raw"
    assert torch.equal(sampler.sample(2, 0), Sampler(made(), Space(SHAPE)).sample(2, 0))


def test_raw_weights_that_are_not_there_are_the_users_mistake(tmp_path: Path) -> None:
    container.write(tmp_path / "g", under("G_ema/", made()), about())
    with pytest.raises(UserMistake, match="--raw"):
        Sampler.load(tmp_path / "g", raw=True)


def test_the_newest_good_checkpoint_is_used_and_the_bad_one_named(tmp_path: Path) -> None:
    run = run_directory(tmp_path, (5, 6))
    state.path_of(run / "checkpoints", 6).write_bytes(b"torn")
    sampler = Sampler.load(run)
    assert sampler.step == 5
    assert "step-00000006" in sampler.origin.rejected[0]
    state.path_of(run / "checkpoints", 5).write_bytes(b"torn")
    sampler = Sampler.load(run)
    assert sampler.origin.path == run / "generator.safetensors"
    assert "step-00000005" in sampler.origin.rejected[0]
    (run / "generator.safetensors").unlink()
    with pytest.raises(BadFile, match="step-00000005"):
        Sampler.load(run)


def test_a_directory_of_nothing_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"generator\.safetensors"):
        Sampler.load(tmp_path)


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    chance = torch.get_rng_state()
    Sampler.load(run)
    assert torch.equal(torch.get_rng_state(), chance)


def test_names_of_classes_are_made_printable(tmp_path: Path) -> None:
    space = {"shape": list(SHAPE), "classes": ["\x1b]8;;http://a\x07x", "b\nc"]}
    container.write(tmp_path / "g", under("G_ema/", made()), about(space=space))
    assert all(name.isprintable() for name in Sampler.load(tmp_path / "g").space.classes)


@pytest.mark.parametrize("name", entries("model"))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 12)])
def test_every_installed_model_comes_back_from_a_file(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    """With the arguments of its Python defaults, whatever they are."""
    model = build.component("model", name, {})
    given = shape if isinstance(model, Translates) else None
    c = None if given is None else torch.rand(3, *given)
    with torch.random.fork_rng(devices=[]):
        net = plain_generator(model, Space(shape, given=given))
    told = {"shape": list(shape), "classes": []} | ({"given": list(given)} if given else {})
    meta = about(model={"name": name, "args": {}}, space=told)
    container.write(tmp_path / "g", under("G_ema/", net), meta)
    wanted = Sampler(net, Space(shape, given=given)).sample(3, 1, c=c)
    assert torch.equal(Sampler.load(tmp_path / "g").sample(3, 1, c=c), wanted)


def test_a_guard_that_stops_large_networks_is_taken_away_again(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    Sampler.load(run)
    nn.Sequential(*[nn.Linear(1, 1) for _ in range(2000)])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_agrees_up_to_rounding(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    there, here = Sampler.load(run, "cuda"), Sampler.load(run)
    assert torch.allclose(there.sample(100, 0), here.sample(100, 0), atol=1e-4)
    assert torch.allclose(there.sample(100, 0, batch=9), there.sample(100, 0), atol=1e-4)
