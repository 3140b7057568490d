"""The laws of recorded steps: no step waits for the device, and a graph's steps are eager steps.

Both are asked without a GPU: of tensors that have no numbers, on which nothing can wait, and of a
mimic of CUDA graphs that freezes what they freeze (`tests/tape.py`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli import build, session, train
from gan_cli.anneal import Anneal
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.fast import Graphs, Speed, recordable
from gan_cli.fast.graphs import MOST, WARM_UP, refused
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.randomness import reseed
from gan_cli.session import Session
from tests.conftest import entries
from tests.games import composed
from tests.laws.test_dist import kinds
from tests.tape import WAITS, Tape, Tapes, tensors

pytestmark = pytest.mark.training

CPU, META = torch.device("cpu"), torch.device("meta")
ENERGIES = ("began", "ebgan")
SMALL = ("batch_size=8", "dataset=digits", "hardware.channels_last=false")


def made(game: str, device: torch.device = CPU) -> Session:
    """A small game that has not begun."""
    config = composed(*SMALL, *game.split())
    if "width" in config["model"]:
        config["model"]["width"] = 8
    return session.make(config, build.parts(config), device)


MLP = "model=mlp"
DCGAN = "model=dcgan critic_norm=none"
GAMES = [
    *(f"{MLP} loss={name}" for name in kinds("loss") if name not in (*ENERGIES, "r3gan")),
    *(f"model=autoencoder loss={name}" for name in ENERGIES),
    *(f"{MLP} penalty=[{name}]" for name in kinds("penalty")),
    *(f"{DCGAN} augment={name}" for name in kinds("augment")),
    *(f"{MLP} dynamics={name}" for name in kinds("dynamics")),
    *(f"{MLP} constraint={name}" for name in kinds("constraint") if name != "lipschitz"),
    *(f"{MLP} prior={name} task=label" for name in kinds("prior")),
    *(f"{MLP} task=label condition={name}" for name in ("concat", "projection")),
    f"{MLP} task=label condition=unseen auxiliary=[acgan,infogan]",
    *(f"{MLP} task=label auxiliary=[{name}]" for name in ("acgan", "adc", "tac", "infogan")),
    f"{MLP} task=label condition=projection condition.matching=true",
    f"{MLP} task=semi term=feature_matching",
    f"{MLP} task=label term=[diversity]",
    "model=sngan task=label condition=projection condition.g=norm constraint=spectral",
    "model=unet task=superres discriminator=patch term=[feature_matching,l1,gradient_difference]",
    "model=unet task=denoise model.dropout=0.5 term=[l2]",
    "model=stylegan2 task=label penalty=r1 term=path_length",
    "model=r3gan_small penalty=[r1,r2] loss=r3gan anneal=none",
    "model=sagan",
    f"{MLP} share_fakes=true",
    f"{MLP} pack=2 top_k=0.5 n_generator=2 n_critic=2 accumulate=2 clip_grad=0.1",
    "method=cyclegan task=unpaired model=unet method.identity=5.0",
    "method=regression task=edges model=unet",
    "method=autoencoder",
    "method=vae",
    "method=vae_gaussian dataset=ring",
    "method=mixture_gradient",
    "dataset=ring",
]
EXCEPTIONS = {
    "constraint=lipschitz model=mlp": "an orthogonal layer",
    "method=mixture": "this method",
}
"""What waits for the device in every step, and the beginning of the reason for which it isn't
recorded. On the way to the first step anything may wait: EM begins with one, and lays out."""


class Made(TorchFunctionMode):
    """Notes tensors that are made of the host's numbers, which a GPU is sent, and waited for."""

    def __init__(self, found: Counter[str]):
        super().__init__()
        self.found = found

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        if call in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor):
            self.found[call.__name__] += out.is_meta
        return out


class Watch(TorchDispatchMode):
    """Notes what waits for the device, or takes anything from the host to it or back."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __enter__(self) -> Watch:
        self.made = Made(self.found)
        self.made.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.made.__exit__(*error)

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        given = list(tensors((args, kwargs)))
        # a 0-d tensor of the host among others of the device is an argument of a kernel
        homes = {one.device.type for one in tensors(out)} | {
            one.device.type for one in given if one.dim() or len(given) == 1
        }
        if "cpu" in homes or call._schema.name.removeprefix("aten::") in WAITS:
            self.found[str(call)] += 1
        return out


def on_meta(game: str) -> tuple[Session, list[list[Batch]]]:
    """A game on a device without numbers, and the batches of two steps."""
    home, there = made(f"{game} optimizer=rmsprop"), made(f"{game} optimizer=rmsprop", META)
    for player in there.method.players.values():
        player.optimizer.step = lambda *_: None  # there is none for this device
    for part in getattr(there.method, "memories", {}).values():
        part.memory.update({key: value.to(META) for key, value in part.memory.items()})
    count = home.method.batches_per_step
    moved = [Batch(*(t if t is None else t.to(META) for t in (b.x, b.c)))
             for b in map(home.feed, range(2 * count))]  # fmt: skip
    return there, [moved[:count], moved[count:]]


@pytest.mark.parametrize("game", GAMES)
def test_no_step_waits_for_the_device_or_takes_anything_there(game):
    one, (first, second) = on_meta(game)
    one.step(first, 0)
    with Watch() as watch:
        one.step(second, 1)
    assert not +watch.found
    assert refused(one.method, one.course.anneal) is None


@pytest.mark.parametrize("game", EXCEPTIONS)
def test_what_waits_all_the_same_is_known_and_not_recorded(game):
    one = made(game)
    assert str(refused(one.method, one.course.anneal)).startswith(EXCEPTIONS[game])
    with Watch() as watch:
        try:
            one, (first, second) = on_meta(game)
            one.step(first, 0)
            one.step(second, 1)
        except RuntimeError:  # there are no numbers to be read
            watch.found["read"] += 1
    assert {"read", "aten._linalg_check_errors.default"} & watch.found.keys()


def test_the_law_sees_what_it_is_for():
    x = torch.randn(8, device=META)
    ways = [
        lambda: x + torch.tensor([1.0]).to(META),
        lambda: torch.as_tensor(0.5, device=META) * x,
        lambda: torch.linalg.inv(x[:, None] * x),
    ]
    for way in ways:
        with Watch() as watch:
            way()
        assert +watch.found
    with Watch() as watch:
        x.mul_(2.0).add_(torch.full((), 1.0, device=META)).clamp(min=0).mean()
    assert not +watch.found
    for way in (lambda: x.sum().item(), lambda: x[x > 0], x.cpu):
        with pytest.raises(RuntimeError):
            way()


State = dict[str, Tensor]
STEPS = 20


def played(game: str, tapes: Tapes | None, stop: int | None = None) -> tuple[State, list[State]]:
    """Where a run ends, and what its steps tell; after `stop` steps it goes on as another."""
    facts: list[State] = []
    one, kept = recorded(game, tapes), None
    for step in range(STEPS):
        if step == stop:
            kept = {name: tensor.clone() for name, tensor in one.method.state().items()}
            one = recorded(game, tapes)
            one.method.restore(kept)
        facts.append(advanced(one, step))
    return one.method.state(), facts


def recorded(game: str, tapes: Tapes | None) -> Session:
    one = dataclasses.replace(made(game), steps=STEPS)
    return one if tapes is None else taped(one, tapes)


def taped(one: Session, tapes: Tapes) -> Session:
    return dataclasses.replace(one, graphs=Graphs(one.method, CPU, tapes))


def advanced(one: Session, step: int) -> State:
    """A step as the loop takes it; its facts are copied, as the log copies them."""
    reseed(0, step)
    train._pace(one, step)
    count = one.method.batches_per_step
    told = one.step((one.feed(i) for i in range(step * count, (step + 1) * count)), step)
    said = {f"said/{name}": out for name, out in one.method.outputs.items()}
    return {name: value.clone() for name, value in (told | said).items()}


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


RECORDED = {  # and how many graphs there are in 20 steps
    "model=mlp": 1,
    "model=mlp schedule=cosine n_critic=2 penalty=r1 penalty.r1.every=3 ema.half_life=1000": 3,
    "model=dcgan schedule=linear optimizer=adamw": 1,
    "model=dcgan hardware.precision=bfloat16": 1,
    "model=mlp optimizer=sgd optimizer.momentum=0.5 ema.half_life=0": 1,
    "model=mlp +anneal.to.optimizer.lr=1e-5 +anneal.to.ema.half_life=10 n_generator=2": 1,
    "model=mlp head_start.d=6 penalty=lecam": 2,
    "model=mlp share_fakes=true n_critic=2 n_generator=2": 1,
    "model=mlp head_start.g=6 accumulate=2 clip_grad=0.1": 2,
    "model=autoencoder loss=began": 1,
    "model=dcgan critic_norm=none augment=ada penalty=[r1,r2] penalty.r2.every=2": 2,
    "model=stylegan2 task=label term=path_length penalty=r1_small_lazy": 3,
    "model=mlp dynamics=extragradient penalty=r1 penalty.r1.every=2": 2,
    "model=mlp dynamics=consensus": 1,
    "model=mlp dynamics=unrolled dynamics.steps=2": 1,
    "model=mlp dynamics=simultaneous top_k=0.5": 1,
    "method=cyclegan task=unpaired model=unet penalty=lecam n_critic=2": 1,
    "method=vae task=label model=mlp": 1,
    "method=mixture_gradient dataset=ring": 1,
    "dataset=ring": 1,
    "model=mlp +anneal.to.penalty.r1.gamma=0.1 penalty=r1": 0,
    "model=mlp anneal.over=0.5 +anneal.to.penalty.r1.gamma=0.1 penalty=r1": 1,
    "model=mlp +anneal.to.top_k=0.5": 0,
    "model=mlp +anneal.to.optimizer.betas=[0.9,0.99]": 0,
}


@pytest.mark.parametrize("game", RECORDED)
def test_20_steps_of_graphs_are_20_eager_steps(game):
    tapes = Tapes()
    end, facts = played(game, None)
    again, told = played(game, tapes)
    assert tapes.made == RECORDED[game]
    assert same(end, again)
    assert all(map(same, facts, told))


@pytest.mark.parametrize("game", list(RECORDED)[:3])
def test_and_so_are_10_and_10_more(game):
    end, facts = played(game, None)
    for stop in (2, 10):
        again, told = played(game, Tapes(), stop)
        assert same(end, again)
        assert all(map(same, facts, told))


def test_a_session_that_is_put_back_records_anew():
    game, tapes = list(RECORDED)[1], Tapes()
    _, facts = played(game, None)
    one = recorded(game, tapes)
    start = {name: tensor.clone() for name, tensor in one.method.state().items()}
    for _ in range(2):
        told = [advanced(one, step) for step in range(STEPS)]
        assert all(map(same, facts, told))
        one.method.restore(start)
    assert tapes.made == 2 * RECORDED[game]


def test_a_run_on_the_cpu_has_none():
    one = made("model=mlp")
    assert one.graphs is None
    assert not isinstance(one.method.players["D"].optimizer.param_groups[0]["lr"], Tensor)
    with pytest.raises(UserMistake, match=r"cuda_graphs"):
        composed_speed("model=mlp hardware.cuda_graphs=true")


@pytest.mark.parametrize("key", ["cuda_graphs", "compile", "channels_last"])
def test_a_switch_that_is_auto_can_be_typed_as_on_or_off(key, gan_here):
    for said in ("true", "false"):
        done = gan_here("train", f"hardware.{key}={said}", "--cfg", "job")
        assert done.returncode == 0, done.stderr
    if key == "cuda_graphs":
        done = gan_here("train", f"hardware.{key}=true", "dataset=digits", "hardware.device=cpu")
        assert done.returncode == 2
        assert "there are none on cpu" in done.stderr


def composed_speed(game: str) -> Any:
    return build.parts(composed(*SMALL, *game.split())).hardware.claim()


@pytest.mark.parametrize(
    ("game", "reason"),
    [
        ("model=mlp policy=skip", "policy=skip"),
        ("model=mlp +anneal.to.penalty.r1.gamma=0.1 penalty=r1", "penalty.r1.gamma changes"),
        ("model=mlp optimizer=optimistic_adam", "counts its steps"),
        ("model=mlp optimizer=optimistic_sgd", "counts its steps"),
        ("model=mlp constraint=lipschitz", "inverted"),
    ],
)
def test_what_cant_be_recorded_is_said_and_refused_where_it_is_asked_for(game, reason):
    one = made(game)
    fast = Speed(cuda_graphs=True)
    speed = recordable(fast, False, one.method, one.course.anneal)
    assert not speed.cuda_graphs
    assert reason in speed.why["cuda_graphs"]
    with pytest.raises(UserMistake, match=r"cuda_graphs=true: .*: hardware\.cuda_graphs=auto"):
        recordable(fast, True, one.method, one.course.anneal)


@pytest.mark.parametrize("optimizer", entries("optimizer"))
def test_every_optimizer_reads_its_rate_on_the_device_or_is_not_recorded(optimizer):
    one = made(f"model=mlp optimizer={optimizer}")
    reason = refused(one.method, Anneal())
    counts = optimizer.startswith("optimistic_")
    assert (reason is None) != counts


class Counting(NonSaturating):
    """Its number of calls is nowhere to be seen, and it pays by it."""

    def __init__(self) -> None:
        self.__dict__["calls"] = [0.0]

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        self.__dict__["calls"][0] += 1
        return super().d(real, fake) * self.__dict__["calls"][0]


class Reading(NonSaturating):
    """It asks the device."""

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().d(real, fake) * (1.0 + float(real.mean() > 0))


class Drawing(NonSaturating):
    """It draws elsewhere than where seeds are set, as a graph's numbers from the host would be."""

    source = torch.Generator()

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        told = torch.rand((), generator=self.source).tolist()
        return super().d(real, fake) * (0.5 + told)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (Counting(), "ends elsewhere"),
        (Reading(), "can't be recorded"),
        (Drawing(), "ends elsewhere"),
    ],
)
def test_a_recording_that_would_not_be_the_step_is_given_up_in_one_line(loss, reason):
    one = recorded("model=mlp", Tapes())
    one.method.loss = loss
    heard: list[str] = []
    one.graphs.tell = heard.append
    for step in range(WARM_UP + 3):
        advanced(one, step)
    assert len(heard) == 1
    assert reason in heard[0]
    assert "\n" not in heard[0]


def test_a_recording_that_fails_trains_nothing():
    runs = [made("model=mlp ema.half_life=500"), recorded("model=mlp ema.half_life=500", Tapes())]
    ends = []
    for run in runs:
        one = dataclasses.replace(run, steps=STEPS)
        one.method.loss = Reading()
        facts = [advanced(one, step) for step in range(STEPS)]
        ends.append((one.method.state(), facts))
    assert runs[1].graphs.about
    assert same(ends[0][0], ends[1][0])
    assert all(map(same, ends[0][1], ends[1][1]))


def test_a_tensor_that_is_replaced_is_found():
    one = recorded("model=mlp", Tapes())
    net = one.method.players["D"].net
    net.register_buffer("seen", torch.zeros(()))
    net.register_forward_hook(lambda m, *_: m.register_buffer("seen", m.seen + 1))
    for step in range(WARM_UP + 1):
        advanced(one, step)
    assert "seen" in one.graphs.about


def test_there_are_only_so_many():
    tapes = Tapes()
    one = recorded("model=mlp", tapes)
    for turn in range(MOST + 2):
        object.__setattr__(
            one.method.augment, "number", turn
        )  # of a component, so a kind by itself
        for step in range(WARM_UP + 1):
            advanced(one, step)
    assert tapes.made == MOST


def test_a_tape_freezes_numbers_and_follows_tensors():
    number, x = [1.0], torch.ones(3)
    tape = Tape()
    out = tape.record(lambda: x.add_(number[0]) * 2)
    assert x.tolist() == [1, 1, 1]
    assert out.isnan().all()
    number[0] = 100.0
    tape.replay()
    tape.replay()
    assert x.tolist() == [3, 3, 3]
    assert out.tolist() == [6, 6, 6]
    with pytest.raises(RuntimeError, match="capturing"):
        Tape().record(lambda: x.sum().item())


def test_a_tape_draws_the_numbers_of_now():
    tape = Tape()
    torch.manual_seed(0)
    out = tape.record(lambda: torch.randn(4))
    for seed in (1, 2):
        torch.manual_seed(seed)
        tape.replay()
        torch.manual_seed(seed)
        assert out.equal(torch.randn(4))
