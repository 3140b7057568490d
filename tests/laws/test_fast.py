"""The laws of speed: whatever is picked, the same is learnt, and the same is picked again."""

from __future__ import annotations

import resource
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gan_cli import build
from gan_cli.errors import Stopped, UserMistake
from gan_cli.fast import Hardware, hardware, processor, speed, work_of
from gan_cli.fast.processor import Processor
from gan_cli.fast.speed import CONVOLVES, MULTIPLIES, PRODUCTS, SHARE, Case, as_begun, picked
from gan_cli.fast.work import Work
from gan_cli.randomness import reseed
from gan_cli.sampler import Sampler
from gan_cli.session import Session, make
from tests.games import composed
from tests.laws.test_resume import final, run

CPU = torch.device("cpu")
ABLE, PLAIN = Processor(True, True, 8), Processor(False, False, 8)
DEEP, FLAT, SMALL = Work(2 * int(CONVOLVES), 0), Work(0, int(MULTIPLIES)), Work(10, 10)

needs_onednn = pytest.mark.skipif(
    not processor.products_are_exact(), reason="oneDNN has no products of float32 here"
)

CASES: list[tuple[str, Case, dict[str, Any]]] = [
    ("points", Case("cpu", True, ABLE, SMALL, 64), {"threads": 1, "products": "torch"}),
    ("points", Case("cpu", True, ABLE, SMALL, 64), {"precision": "float32"}),
    ("a DCGAN", Case("cpu", True, ABLE, DEEP, 64), {"precision": "bfloat16", "threads": 8}),
    ("a DCGAN", Case("cpu", True, ABLE, DEEP, 64), {"channels_last": True, "compile": False}),
    ("without bfloat16", Case("cpu", False, PLAIN, DEEP, 64), {"precision": "float32"}),
    ("without bfloat16", Case("cpu", False, PLAIN, DEEP, 64), {"channels_last": True}),
    ("few", Case("cpu", True, ABLE, Work(int(CONVOLVES) - 1, 0), 64), {"precision": "float32"}),
    ("few", Case("cpu", True, ABLE, Work(int(CONVOLVES) - 1, 0), 64), {"channels_last": False}),
    ("grouped", Case("cpu", True, ABLE, Work(10**8, 0, 10**7), 64), {"precision": "float32"}),
    ("planes", Case("cpu", True, ABLE, Work(10**8, 0, 0, 9), 64), {"channels_last": False}),
    ("planes", Case("cuda", True, ABLE, Work(10**8, 0, 0, 9), 64), {"channels_last": True}),
    ("products", Case("cpu", True, ABLE, FLAT, 1), {"products": "onednn"}),
    ("products elsewhere", Case("cpu", True, PLAIN, FLAT, 1), {"products": "torch"}),
    ("little", Case("cpu", True, ABLE, Work(0, 2 * int(SHARE) - 1), 1), {"threads": 1}),
    ("more", Case("cpu", True, ABLE, Work(0, 3 * int(SHARE)), 1), {"threads": 3}),
    ("enough", Case("cpu", True, ABLE, Work(0, 9 * int(SHARE)), 1), {"threads": 8}),
    ("not counted", Case("cpu", True, ABLE, None, 64), {"precision": "float32", "threads": 8}),
    ("not counted", Case("cpu", True, ABLE, None, 64), {"channels_last": False}),
    ("a card", Case("cuda", True, ABLE, DEEP, 64), {"precision": "bfloat16", "cuda_graphs": True}),
    ("a card", Case("cuda", True, ABLE, FLAT, 64), {"products": "torch", "threads": 8}),
    ("a card, a flat net", Case("cuda", True, ABLE, FLAT, 64), {"precision": "bfloat16"}),
    ("an old card", Case("cuda", False, ABLE, DEEP, 64), {"precision": "float32"}),
    ("several cards", Case("cuda", True, ABLE, DEEP, 64, ranks=2), {"cuda_graphs": False}),
    ("a Mac", Case("mps", True, PLAIN, DEEP, 64), {"precision": "float32", "channels_last": False}),
    ("a Mac", Case("mps", True, PLAIN, DEEP, 64), {"cuda_graphs": False, "products": "torch"}),
]
"""What is picked where nothing is said."""


@pytest.mark.parametrize(("name", "case", "wanted"), CASES)
def test_auto_is_a_rule(name, case, wanted):
    picks = picked({}, {}, case).picks
    assert {key: picks[key] for key in wanted} == wanted, name


def test_what_is_said_goes_first_then_what_a_run_began_with():
    case = Case("cpu", True, ABLE, DEEP, 64)
    began = as_begun({"precision": "float32", "channels_last": False, "threads": 3}, case)
    speed = picked({"threads": 2}, began, case)
    assert (speed.dtype, speed.channels_last, speed.threads) == (torch.float32, False, 2)
    assert speed.why["threads"] == "as you say"
    assert speed.why["precision"] == "as this run began"


@pytest.mark.parametrize(
    ("before", "case", "kept"),
    [
        ({"precision": "bfloat16"}, Case("cpu", True, ABLE), {"precision": "bfloat16"}),
        ({"precision": "bfloat16"}, Case("cpu", False, PLAIN), {}),
        ({"precision": "float16"}, Case("cpu", True, ABLE), {}),
        ({"precision": ["float32"]}, Case("cpu", True, ABLE), {}),
        ({"threads": 9}, Case("cpu", True, ABLE), {}),
        ({"threads": True}, Case("cpu", True, ABLE), {}),
        ({"threads": 8}, Case("cpu", True, ABLE), {"threads": 8}),
        ({"products": "onednn"}, Case("cpu", True, ABLE), {"products": "onednn"}),
        ({"products": "onednn"}, Case("cpu", True, PLAIN), {}),
        ({"cuda_graphs": True}, Case("cpu", True, ABLE), {}),
        ({"cuda_graphs": True}, Case("cuda", True, ABLE), {"cuda_graphs": True}),
        ({"channels_last": True}, Case("mps", True, ABLE), {}),
        ({"channels_last": "yes"}, Case("cpu", True, ABLE), {}),
    ],
)
def test_a_run_that_goes_on_takes_what_it_had_where_that_is_here(before, case, kept):
    (key,) = before
    assert {k: v for k, v in as_begun(before, case).items() if k == key} == kept


def test_an_older_run_on_a_processor_goes_on_in_float32():
    case = Case("cpu", True, ABLE, DEEP, 64)
    speed = picked({}, as_begun({"torch": "2.10.0"}, case), case)
    assert (speed.dtype, speed.channels_last, speed.onednn) == (torch.float32, False, False)
    on_a_card = Case("cuda", True, ABLE, DEEP, 64)
    assert picked({}, as_begun({}, on_a_card), on_a_card).dtype is torch.bfloat16


GAMES = {
    "dcgan": "model=dcgan model.width=8",
    "sngan": "model=sngan_small model.g_width=8 model.d_width=8 constraint=spectral loss=hinge",
    "unet": "task=superres model.width=8",
    "penalised": "model=dcgan model.width=8 penalty=r1",
    "stylegan2": "model=stylegan2 model.width=8",
    "r3gan": "model=r3gan_small model.width=8 loss=rsgan",
    "mlp": "model=mlp model.width=512 optimizer.lr=1e-6",
}
PATHS = {
    "channels last": "hardware.channels_last=true",
    "bfloat16": "hardware.precision=bfloat16",
    "both": "hardware.channels_last=true hardware.precision=bfloat16",
    "products": "hardware.products=onednn",
}
LAYOUT = ("dcgan", "sngan", "unet", "penalised")
STEPS = 100


def session(*overrides: str) -> Session:
    config = composed("batch_size=8", "hardware.device=cpu", "optimizer.lr=1e-4", *overrides)
    parts = build.parts(config)
    return make(config, parts, parts.hardware.claim())


def trained(*overrides: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The losses of the first steps, `(steps, players)`, and the state that they lead to."""
    one = session(*overrides)
    losses = []
    for step in range(STEPS):
        reseed(0, step)
        facts = one.step([one.feed(step)], step)
        losses.append(torch.stack([facts["loss/d"], facts["loss/g"]]))
    return torch.stack(losses), one.method.state()


def assert_alike(plain, fast):
    """As near as rounding in float32 leaves two runs of small steps; they are nearer yet."""
    (losses, state), (others, ends) = plain, fast
    assert state.keys() == ends.keys()
    assert torch.allclose(losses, others, rtol=1e-4, atol=1e-4)
    weights = [key for key in state if key.startswith(("G/", "D/", "G_ema/"))]
    pairs = {key: (state[key].double(), ends[key].double()) for key in weights}
    far = {k: float((a - b).norm() / (1e-2 + a.norm())) for k, (a, b) in pairs.items()}
    assert max(far.values()) < 1e-4, max(far, key=far.__getitem__)


@pytest.mark.parametrize("game", LAYOUT)
def test_with_its_channels_last_a_game_is_the_same(game):
    words = [*GAMES[game].split(), "hardware.precision=float32"]
    plain = trained(*words, "hardware.channels_last=false")
    assert_alike(plain, trained(*words, "hardware.channels_last=true"))


@needs_onednn
@pytest.mark.parametrize("game", ["mlp", "dcgan"])
def test_by_onednn_a_game_is_the_same(game):
    words = [*GAMES[game].split(), "hardware.precision=float32"]
    plain = trained(*words, "hardware.products=torch")
    fast = trained(*words, "hardware.products=onednn")
    assert_alike(plain, fast)
    other_bits = any(not plain[1][key].equal(fast[1][key]) for key in plain[1])
    assert other_bits or game != "mlp"  # it was another way; short products are the same bits


@pytest.mark.parametrize("path", list(PATHS))
@pytest.mark.parametrize("game", ["dcgan", "penalised", "sngan"])
@pytest.mark.training
def test_a_fast_run_resumes_bit_for_bit(game, path, tmp_path, monkeypatch):
    if path == "products" and not processor.products_are_exact():
        pytest.skip("oneDNN has no products of float32 here")
    words = f"{GAMES[game]} {PATHS[path]} diagnose.every=null"
    straight = run(tmp_path, "straight", words, monkeypatch)
    with pytest.raises(Stopped):
        run(tmp_path, "stopped", words, monkeypatch, stop_at=10)
    a, b = final(straight), final(run(tmp_path, "stopped", words, monkeypatch))
    assert a.keys() == b.keys()
    assert all(a[key].equal(b[key]) for key in a)


@pytest.mark.parametrize("game", LAYOUT)
def test_everything_of_a_player_is_laid_out_as_its_weights(game):
    one = session(*GAMES[game].split(), "hardware.channels_last=true")
    one.step([one.feed(0)], 0)
    state = {
        key: value.clone(memory_format=torch.contiguous_format)
        for key, value in one.method.state().items()
    }
    again = session(*GAMES[game].split(), "hardware.channels_last=true")
    again.method.restore(state)
    for made in (one, again):
        wide = 0
        for player in made.method.players.values():
            for weight in player.weights:
                kept = [v for v in player.optimizer.state[weight].values() if v.dim()]
                assert all(value.stride() == weight.stride() for value in kept)
                wide += weight.dim() == 4 and not weight.is_contiguous()
            if player.average is not None:
                pairs = zip(player.net.parameters(), player.average.parameters(), strict=True)
                assert all(mine.stride() == other.stride() for mine, other in pairs)
        assert wide


COUNTED = [
    *GAMES.values(),
    "model=mlp task=label",
    "model=mlp task=label condition=projection",
    "model=sngan_small task=label condition=projection condition.g=norm",
    "task=semi model=mlp",
    "task=label condition=unseen auxiliary=[acgan,infogan] model=mlp",
    "pack=2 model.width=8",
    "constraint=weight_norm model.width=8",
    "constraint=lipschitz",
    "method=autoencoder model.width=8",
    "method=vae task=label model=mlp",
    "method=vae_gaussian dataset=ring",
    "method=mixture_gradient",
    "method=cyclegan task=unpaired model=unet model.width=8",
    "task=edges method=regression term=l1 model.width=8",
    "model=autoencoder loss=began model.width=8",
    "model=sagan model.g_width=8 model.d_width=8",
]


@pytest.mark.parametrize("game", COUNTED)
def test_work_is_counted_without_a_trace(game):
    one = session(*game.split())
    players = one.method.players.values()
    before = {key: value.clone() for key, value in one.method.state().items()}
    modes = [m.training for p in players for m in p.net.modules()]
    reseed(0, "before")
    drawn = torch.rand(3)
    reseed(0, "before")
    work = work_of([player.net for player in players], one.space, composed(*game.split())["pack"])
    assert work is not None
    assert work.all > 0
    assert torch.rand(3).equal(drawn)
    assert [m.training for p in players for m in p.net.modules()] == modes
    after = one.method.state()
    assert all(after[key].equal(before[key]) for key in before)


@pytest.mark.parametrize("game", COUNTED)
def test_work_is_what_torch_counts(game):
    one = session(*game.split())
    nets = [player.net for player in one.method.players.values()]
    counter = FlopCounterMode(display=False)
    with counter:
        work = work_of(nets, one.space, pack := composed(*game.split())["pack"])
    assert work is not None
    assert work.all == pytest.approx(counter.get_total_flops() / 2 / pack, abs=len(nets))


def test_work_is_two_operations_a_weight_and_place():
    one = session(*GAMES["mlp"].split(), "model.minibatch_std=0", "model.d_norm=none")
    nets = [player.net for player in one.method.players.values()]
    linear = [m for net in nets for m in net.modules() if isinstance(m, torch.nn.Linear)]
    work = work_of(nets, one.space)
    assert work == Work(0, 2 * sum(layer.weight.numel() for layer in linear))
    conv = torch.nn.Sequential(torch.nn.Conv2d(2, 6, 3, padding=1, groups=2), Answers())
    assert work_of([conv], one.space) is None  # it can't judge such samples
    shape = one.space._replace(shape=(2, 5, 7))
    assert work_of([Spoken(conv)], shape) == Work(2 * 6 * 9 * 35, 0, 2 * 6 * 9 * 35)


@pytest.mark.parametrize(
    ("game", "found"),
    [
        ("dataset=digits model=dcgan", False),
        ("dataset=digits model=dcgan model.d_norm=layer", False),
        ("dataset=digits model=dcgan model.d_norm=group", True),
        ("dataset=digits model=unet task=denoise", True),  # its maps are joined
        ("dataset=digits model=dcgan task=label", False),  # labels are few planes beside an image
    ],
)
def test_what_is_worked_on_plane_by_plane_is_found(game, found):
    one = session(*game.split())
    work = work_of([player.net for player in one.method.players.values()], one.space)
    assert work is not None
    assert bool(work.planes) is found


class Answers(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).sum(1)


class Spoken(torch.nn.Module):
    """A network that is told of a condition."""

    def __init__(self, net: torch.nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        return self.net(x)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"cuda_graphs": True}, r"hardware\.cuda_graphs=true: there are none on cpu"),
        ({"products": "onednn"}, r"hardware\.products=onednn: "),
        ({"compile": True}, r"hardware\.compile=true: it needs a C\+\+ compiler"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(asked, said, monkeypatch):
    monkeypatch.setattr(processor, "products_are_exact", lambda: False)
    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", _none)
    with pytest.raises(UserMistake, match=said) as caught:
        Hardware("cpu", **asked).claim()
    assert "\n" not in str(caught.value)


def _none() -> str:
    from torch._inductor.exc import InvalidCxxCompiler

    raise InvalidCxxCompiler


@pytest.mark.parametrize("key", ["channels_last", "compile", "cuda_graphs"])
def test_a_switch_is_auto_true_or_false(key):
    with pytest.raises(ValueError, match=f"{key} is auto, true or false, not on"):
        Hardware(**{key: "on"})
    with pytest.raises(ValueError, match="products is one of auto, torch, onednn, not mkl"):
        Hardware(products="mkl")


@needs_onednn
def test_a_run_leaves_nothing_to_the_next_in_its_process():
    matmul: Any = torch.backends.mkldnn.matmul
    Hardware("cpu", products=PRODUCTS[1], threads=2, deterministic=True).claim()
    assert torch.get_num_threads() == 2
    assert not torch.backends.cudnn.allow_tf32
    Hardware("cpu").claim()
    assert (matmul.fp32_precision, torch.get_num_threads()) == ("none", processor.THREADS)
    assert torch.backends.cudnn.allow_tf32


@needs_onednn
def test_steps_alone_compute_as_was_picked(monkeypatch):
    """What is measured, shown or taught to a judge between them has the bits of another command."""
    matmul: Any = torch.backends.mkldnn.matmul

    def now() -> tuple[str, int]:
        return matmul.fp32_precision, torch.get_num_threads()

    one = session("model=mlp", "hardware.products=onednn", "hardware.threads=2")
    torch.set_num_threads(3)
    seen = []
    play = one.method.step
    monkeypatch.setattr(one.method, "step", lambda *args: (seen.append(now()), play(*args))[1])
    one.step([one.feed(0)], 0)
    assert (seen, now()) == ([("bf16", 2)], ("none", 3))
    monkeypatch.setattr(one.method, "step", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.step([one.feed(0)], 0)
    assert now() == ("none", 3)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("game", ["dcgan", "sngan"])
def test_samples_are_those_of_a_file_however_the_generator_is_laid_out(game, last, monkeypatch):
    """To the bit: so a figure in a run is the one that `gan evaluate` finds. Samples have a layout
    of their own, by the work that one is."""
    monkeypatch.setattr(speed, "CONVOLVES", 1 if last else 1e12)
    one = session(*GAMES[game].split(), "hardware.precision=float32", "hardware.channels_last=true")
    G = one.method.players["G"].net
    before = {name: (t.data_ptr(), t.stride()) for name, t in G.state_dict().items()}
    loaded = session(*GAMES[game].split(), "hardware.channels_last=false").method.players["G"].net
    loaded.load_state_dict(G.state_dict())
    samplers = [Sampler(net, one.space) for net in (G, loaded)]
    assert [sampler.passes.speed.channels_last for sampler in samplers] == [last, last]
    strides: list[list[tuple[int, ...]]] = []
    for net in (G, loaded):
        net.register_forward_pre_hook(
            lambda net, args: strides.append([t.stride() for t in net.state_dict().values()])
        )
    made, want = (sampler.sample(8, 0) for sampler in samplers)
    assert made.equal(want)
    assert made.is_contiguous()
    assert strides[0] == strides[1]
    assert (strides[0] == [stride for _, stride in before.values()]) == last
    after = {name: (t.data_ptr(), t.stride()) for name, t in G.state_dict().items()}
    assert before == after


def test_a_run_that_was_compiled_goes_on_without_where_nothing_can_be(monkeypatch):
    case = Case("cpu", True, ABLE)
    monkeypatch.setattr(speed, "no_compiler", lambda device: None)
    assert as_begun({"compile": True}, case)["compile"]
    monkeypatch.setattr(speed, "no_compiler", lambda device: "there is none")
    assert "compile" not in as_begun({"compile": True}, case)
    assert as_begun({"compile": False}, case) == as_begun({}, case)


def test_all_ranks_go_on_with_the_threads_that_a_run_began_with(monkeypatch):
    """The first one alone reads what was written down; each computes with threads of its own."""
    monkeypatch.setattr(processor, "found", lambda: ABLE)
    little, before = Work(0, 10), {"threads": 3, "precision": "float32"}
    first = Hardware("cpu").speed(CPU, little, 1, before)
    said = iter((before, first))
    monkeypatch.setattr(hardware.dist, "told", lambda value: next(said))
    assert Hardware("cpu").speed(CPU, little, 1).picks == first.picks
    assert first.threads == 3 != Hardware("cpu", threads=None).case(CPU).processor.threads


@needs_onednn
def test_onednn_multiplies_in_float32():
    reseed(0, "products")
    a, b = torch.randn(100, 300), torch.randn(300, 200)
    want = a.double() @ b.double()
    try:
        processor.route_products(True)
        got = a @ b
    finally:
        processor.route_products(False)
    rough = (a.bfloat16() @ b.bfloat16()).double()
    assert (got.double() - want).abs().max() < 1e-4 < (rough - want).abs().max() / 100


@pytest.mark.skipif(not processor.keep_memory(), reason="needs glibc")
def test_the_memory_of_a_step_is_there_for_the_next():
    """Left alone, malloc maps 40 MB anew each time: 10,000 pages of 4 KB."""
    faults = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
    for _ in range(4):  # what other tests have left may be given back at first
        torch.ones(10_000_000)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert min(after - before for before, after in pairwise(faults[1:])) < 1000


def test_a_library_that_knows_nothing_of_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(processor, "_has_glibc", lambda: False)
    assert processor.keep_memory.__wrapped__() is False


def test_a_configuration_of_before_has_the_new_settings_at_auto():
    config = composed()
    for key in ("channels_last", "compile", "cuda_graphs", "products"):
        del config["hardware"][key]
    assert build.parts(config).hardware == Hardware()


def test_the_directory_of_hardware_says_every_setting():
    for name in ("auto", "slurm"):
        text = (Path(__file__).parents[2] / "conf" / "hardware" / f"{name}.yaml").read_text()
        assert all(f"\n{key}: " in text for key in Hardware.__dataclass_fields__)
