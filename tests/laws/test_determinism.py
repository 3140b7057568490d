"""The laws of determinism: what is the same bits where, as docs/reproducibility.md has it."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli import build, fast, session
from gan_cli.dataset import source
from gan_cli.errors import GanError, UserMistake
from gan_cli.fast import Hardware
from gan_cli.randomness import reseed
from gan_cli.ranks import shares
from tests import watched
from tests.conftest import entries
from tests.games import composed, part
from tests.laws.test_resume import GAMES

pytestmark = pytest.mark.training

State = dict[str, Tensor]

SMALL = ("batch_size=8", "hardware.threads=1", "dataset=digits")


def made(game: str, threads: int = 1) -> Any:
    """A small game that has not begun."""
    config = composed(*SMALL, *game.split())
    if "width" in config["model"]:
        config["model"]["width"] = 8
    parts = build.parts(config)
    parts.hardware.claim()
    torch.set_num_threads(threads)
    return session.make(config, parts, torch.device("cpu"))


def played(game: str, steps: int = 2) -> State:
    """What it comes to after some steps."""
    one = made(game)
    count = one.method.batches_per_step
    for step in range(steps):
        reseed(0, step)
        one.step((one.feed(i) for i in range(step * count, (step + 1) * count)), step)
    return {name: tensor.clone() for name, tensor in one.method.state().items()}


def alike(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


TWICE = [
    "model=dcgan",
    "model=dcgan augment=ada penalty=r1 critic_norm=none",
    "model=sngan task=label condition=projection constraint=spectral",
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("game", TWICE)
def test_the_same_command_twice_is_the_same_bits(game, precision):
    game = f"{game} hardware.precision={precision}"
    once = played(game)
    assert alike(once, played(game))
    if precision == "float32":  # and nothing is changed on the CPU by asking for it
        assert alike(once, played(f"{game} hardware.deterministic=true"))


@pytest.mark.parametrize("model", [n for n in entries("model") if n == "mlp_toy" or "_" not in n])
def test_the_weights_at_the_start_do_not_depend_on_threads(model):
    game = {"mixture": "method=mixture", "unet": "task=superres"}.get(model, "")
    if model.endswith("_toy"):
        game = "dataset=ring"
    states = [made(f"model={model} {game}", threads).method.state() for threads in (1, 2)]
    assert alike(*states)


@pytest.mark.parametrize("prior", entries("prior"))
def test_noise_does_not_depend_on_threads_or_the_number_of_ranks(prior, monkeypatch):
    law = part("prior", prior)

    def drawn() -> Tensor:
        reseed(3, 4)
        codes: Tensor = shares.own(lambda n: law(n, 40, torch.device("cpu"), None), 8 // ranks)
        return codes

    torch.set_num_threads(2)
    ranks, two = 1, None
    whole = drawn()
    torch.set_num_threads(1)
    assert drawn().equal(whole)
    for ranks in (2, 4):
        two = torch.empty_like(whole)
        for rank in range(ranks):
            monkeypatch.setattr(shares, "group", object)
            monkeypatch.setattr(shares, "rank", lambda mine=rank: mine)
            monkeypatch.setattr(shares, "size", lambda count=ranks: count)
            two[rank::ranks] = drawn()
        assert two.equal(whole)


def test_the_order_of_the_data_does_not_depend_on_threads_or_the_number_of_ranks(monkeypatch):
    data = composed(*SMALL)["dataset"]
    digits = build._make(data).load()
    cpu = torch.device("cpu")
    feed = source.opened(digits, 8, 5, cpu)
    whole = [feed(i).x for i in (0, 3, 300)]
    torch.set_num_threads(2)
    assert all(feed(i).x.equal(x) for i, x in zip((0, 3, 300), whole, strict=True))
    monkeypatch.setattr(source.dist, "size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(source.dist, "rank", lambda mine=rank: mine)
        monkeypatch.setattr(source.dist, "rows", lambda x, mine=rank: x[mine::2])
        own = source.opened(digits, 8, 5, cpu)
        for i, x in zip((0, 3, 300), whole, strict=True):
            assert own(i).x.equal(x[rank::2])


STEPS = 100 if os.environ.get("GAN_FAULTS") == "full" else 30


def test_another_number_of_threads_is_the_same_to_rounding_for_100_steps(tmp_path):
    """And not to the bit, or nothing has been tried; fewer steps in the suite."""
    found = []
    for threads in (1, 2):
        run = watched.run(
            tmp_path / str(threads), "model=dcgan", "model.width=4", "batch_size=8",
            "dataset=digits", f"steps={STEPS}", f"hardware.threads={threads}",
            "diagnose.every=null", "sample_every=100", "checkpoint_every=100", "log_every=50",
        )  # fmt: skip
        lines = (run / "metrics.jsonl").read_text().splitlines()
        found.append([json.loads(line) for line in lines])
    assert len(found[0]) == STEPS
    assert found[0] != found[1]
    for one, two in zip(*found, strict=True):
        assert one == pytest.approx(two, rel=1e-3)


RAISES = re.compile(
    r"aten\.(_?adaptive_(avg|max)_pool\dd_backward|adaptive_(avg|max)_pool\dd_backward"
    r"|avg_pool3d_backward|fractional_max_pool\dd_backward|max_pool3d_with_indices_backward"
    r"|max_unpool|upsample_(linear|bicubic|trilinear)\w*_backward|_upsample_\w*aa_backward"
    r"|reflection_pad\dd_backward|replication_pad(1|3)d_backward|nll_loss2d|_?ctc_loss_backward"
    r"|_embedding_bag\w*_backward|put_|histc|bincount\.weights|median\.dim|kthvalue|scatter_reduce"
    r"|grid_sampler_\dd_backward)"
)
"""What torch refuses to do on CUDA where only deterministic algorithms are allowed, as the
documentation of use_deterministic_algorithms has it; some of it on the way back alone.

Bilinear interpolation and padding by replication are on that list, too, but torch does them in
another way there, which is tested below.
"""

ANY_ORDER = re.compile(r"aten\._?index_put\w*")
"""What several threads of a CPU add up in any order, unless that is forbidden."""


class Seen(TorchDispatchMode):
    """Notes the operations that are called, on the way back too, and what adds up in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.all: set[str] = set()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(call)
        self.all.add(name)
        adds = ANY_ORDER.match(name) and len(args) > 3 and args[3] and args[2].is_floating_point()
        if RAISES.match(name) or adds:
            self.found.add(name)
        return call(*args, **(kwargs or {}))


KINDS = [
    *(f"augment={name} model=dcgan" for name in entries("augment") if name != "none"),
    *(f"penalty=[{name}] model=mlp" for name in entries("penalty") if name != "none"),
    *(f"condition={name} task=label model=mlp" for name in ("projection", "concat")),
    "condition=projection condition.g=norm task=label model=sngan",
    "model=stylegan2 task=label penalty=r1 term=path_length",
    "model=unet task=superres discriminator=patch term=[feature_matching,l1]",
    "model=mlp task=label auxiliary=[acgan,infogan]",
    "model=mlp top_k=0.5 n_generator=2 penalty=lecam",
    "method=cyclegan task=unpaired model=unet",
    "method=vae model=mlp",
]
ALL = [*GAMES, *KINDS] if os.environ.get("GAN_FAULTS") == "full" else KINDS


@pytest.mark.parametrize("game", ALL)
def test_what_is_shipped_is_deterministic_on_cuda_as_far_as_its_operations_tell(game, request):
    """A step with its gradients, and those of penalties, calls nothing that raises there, and
    nothing that threads of a CPU add up in any order."""
    if game.endswith("_mnist"):
        request.getfixturevalue("mnist_root")
    one = made(game)
    with Seen() as seen:
        reseed(0, 0)
        one.step((one.feed(i) for i in range(one.method.batches_per_step)), 0)
    assert "aten.add.Tensor" in str(seen.all)
    assert not seen.found


def test_the_law_sees_what_it_is_for():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    ways = {
        "reflection_pad2d_backward": lambda: pad(x, (1, 1, 1, 1), mode="reflect"),
        "upsample_bicubic2d_backward": lambda: interpolate(x, scale_factor=2.0, mode="bicubic"),
        "adaptive_avg_pool2d_backward": lambda: torch.nn.AdaptiveAvgPool2d(3)(x),
        "index_put": lambda: x[torch.tensor([0, 1, 1])],
    }
    for name, way in ways.items():
        with Seen() as seen:
            way().sum().backward()
        assert any(name in one for one in seen.found), (name, seen.found)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that deterministic runs set is as it was, afterwards."""
    monkeypatch.setenv(fast.CUBLAS, fast.SETTLED[0])


@pytest.fixture
def strictly():
    """Only deterministic algorithms, for as long as a test lasts."""
    Hardware("cpu", deterministic=True).claim()
    yield
    Hardware("cpu").claim()


def test_bilinear_interpolation_is_done_in_another_way_where_it_would_raise(strictly):
    """Off the CPU; here without any numbers."""
    x = torch.randn(2, 3, 8, 8, device="meta", requires_grad=True)
    with Seen() as seen:
        interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False).sum().backward()
    assert not any("upsample" in name for name in seen.all)
    assert any("index_put" in name for name in seen.all)  # which is deterministic on CUDA then


def test_what_comes_back_through_an_index_is_the_same_on_several_threads(strictly):
    torch.set_num_threads(2)
    index = torch.randint(0, 50, (200_000,), generator=torch.Generator().manual_seed(0))
    values = torch.randn(200_000, 4, generator=torch.Generator().manual_seed(1))
    found = []
    for _ in range(3):
        x = torch.zeros(50, 4, requires_grad=True)
        (x[index] * values).sum().backward()
        found.append(x.grad)
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])


def test_deterministic_is_settled_before_cuda_begins_and_undone_by_the_next_run(monkeypatch):
    monkeypatch.delenv(fast.CUBLAS)
    Hardware("cpu", deterministic=True).claim()
    assert os.environ[fast.CUBLAS] == ":4096:8"
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic
    Hardware("cpu").claim()
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
    monkeypatch.setenv(fast.CUBLAS, ":0:0")
    with pytest.raises(UserMistake, match="set CUBLAS_WORKSPACE_CONFIG=:4096:8 before gan starts"):
        Hardware("cpu", deterministic=True).claim()
    monkeypatch.delenv(fast.CUBLAS)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(UserMistake, match="CUDA runs already"):
        Hardware("cpu", deterministic=True).claim()


def test_an_operation_that_has_no_deterministic_algorithm_is_told_with_what_to_type(strictly):
    error = RuntimeError(
        "grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set "
        "'torch.use_deterministic_algorithms(True)'."
    )
    told = fast.refused(error)
    assert told is not None
    assert "grid_sampler_2d_backward_cuda has no deterministic algorithm" in told
    assert "hardware.deterministic=false" in told
    assert fast.refused(RuntimeError("shapes do not match")) is None


def test_a_run_that_meets_one_ends_with_that_and_no_traceback(tmp_path, monkeypatch):
    def met(*_: object) -> None:
        raise RuntimeError("grid_sampler_2d does not have a deterministic implementation")

    monkeypatch.setattr(session.Session, "step", met)
    with pytest.raises(GanError, match="grid_sampler_2d has no deterministic algorithm"):
        watched.run(tmp_path / "run", "dataset=digits", "hardware.deterministic=true")
    Hardware("cpu").claim()


def test_looks_and_metrics_call_nothing_that_raises(tmp_path: Path):
    """What is measured while a run trains, where pictures are drawn and signs looked at."""
    metrics = "metric=[frechet,kid,prdc,sliced_wasserstein]"
    with warnings.catch_warnings(), Seen() as seen:
        watched.run(
            tmp_path / "run", "steps=2", "dataset=digits", metrics, "extractor=raw",
            "evaluate_every=2", "evaluate_n=60", "checkpoint_every=2", "sample_every=2",
        )  # fmt: skip
    assert not {name for name in seen.found if "index_put" not in name}
