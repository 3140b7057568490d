"""What `gan bench` measures, by a clock that is not real where it can be; and what it says."""

from __future__ import annotations

import json
import math
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gan_cli import cli_bench, cli_bench_show
from gan_cli.bench import contender, measure, memory, paths, timing, work
from gan_cli.bench.contender import BOTH, D_PART, Contender
from gan_cli.bench.measure import Bench
from gan_cli.bench.memory import Peak, too_much
from gan_cli.bench.parts import parts, shared, timed
from gan_cli.bench.report import Occasion, Part, Report, Sized, recommended
from gan_cli.bench.timing import REST, Spread, Stopwatch, block, interleave, listening, ratios
from gan_cli.bench.work import Roof, flops
from gan_cli.cli_bench_show import TAKE
from gan_cli.penalty import Seen
from gan_cli.train import launch
from tests.conftest import entries
from tests.games import composed

TINY = ("dataset=digits", "model=mlp", "model.width=8", "batch_size=4", "diagnose.n=64")
ALWAYS = ("hardware.products=torch", "hardware.threads=1")
"""Nothing that another machine would pick otherwise."""


class Ticks:
    """A clock that stands still unless it is told that time goes by."""

    def __init__(self, each: float = 0.0):
        self.now, self.each = 0.0, each

    def __call__(self) -> float:
        self.now += self.each
        return self.now

    def takes(self, seconds: float) -> Callable[[], None]:
        """Work that takes so long."""

        def pass_by() -> None:
            self.now += seconds

        return pass_by


class TestTiming:
    @given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20))
    def test_half_of_the_values_or_nearly_lie_within_a_spread(self, values: list[float]):
        found = Spread.of(values)
        assert min(values) <= found.low <= found.median <= found.high <= max(values)
        within = [v for v in values if found.low - 1e-9 <= v <= found.high + 1e-9]
        assert len(within) >= len(values) / 2 - 1
        assert found.count == len(values)

    def test_there_is_no_spread_of_nothing(self):
        with pytest.raises(ValueError, match="one value or more"):
            Spread.of([])

    @given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9))
    def test_nothing_is_faster_than_itself(self, taken: list[float]):
        assert ratios(taken, taken) == Spread(1.0, 1.0, 1.0, len(taken))

    def test_a_disturbance_of_a_whole_round_is_in_both_sides_of_its_ratio(self):
        assert ratios([3.0, 30.0, 3.0], [1.0, 10.0, 1.0]) == Spread(3.0, 3.0, 3.0, 3)

    def test_rounds_take_turns_until_the_time_is_over(self):
        clock, order, found = Ticks(), list[str](), dict[str, list[float]]()
        works = {"a": clock.takes(1.0), "b": clock.takes(2.0), "c": clock.takes(3.0)}
        interleave(works, clock, 24.0, 2, found, order.append)
        assert found == {"a": [1.0] * 4, "b": [2.0] * 4, "c": [3.0] * 4}
        assert "".join(order) == "abccbaabccba"

    def test_there_are_so_many_rounds_at_least(self):
        clock, found = Ticks(), dict[str, list[float]]()
        interleave({"a": clock.takes(9.0)}, clock, 1.0, 3, found)
        assert found == {"a": [9.0] * 3}

    def test_what_gets_ready_does_not_count(self):
        clock, found = Ticks(), dict[str, list[float]]()
        ready = clock.takes(100.0)
        interleave({"a": clock.takes(2.0)}, clock, 0.0, 2, found, lambda name: ready())
        assert found == {"a": [2.0, 2.0]}

    def test_what_is_known_stays_known_when_it_is_stopped(self):
        clock, found = Ticks(), dict[str, list[float]]()

        def stop() -> None:
            raise KeyboardInterrupt

        works = {"a": clock.takes(1.0), "b": stop}
        with pytest.raises(KeyboardInterrupt):
            interleave(works, clock, 9.0, 2, found)
        assert found == {"a": [1.0], "b": []}


@st.composite
def nested(draw: st.DrawFn, depth: int = 3) -> list[Any]:
    """Names of parts with the seconds before, within and after them."""
    inner = nested(depth - 1) if depth else st.just([])
    one = st.tuples(st.sampled_from("abc"), st.integers(0, 9), inner)
    return draw(st.lists(one, max_size=3))


class TestStopwatch:
    @given(nested(), st.integers(0, 9))
    def test_the_parts_add_up_to_the_whole(self, parts: list[Any], outside: int):
        clock = Ticks()
        watch, spent = Stopwatch(clock), dict.fromkeys(["a", "b", "c", REST], 0.0)

        def go(parts: list[Any]) -> None:
            for name, time, inner in parts:
                with watch.part(name):
                    clock.now += time
                    spent[name] += time
                    go(inner)

        watch.start()
        go(parts)
        clock.now += outside
        watch.stop()
        spent[REST] += outside
        assert watch.whole == clock.now
        assert watch.taken == {n: t for n, t in spent.items() if n in watch.taken}
        assert sum(spent.values()) == clock.now

    def test_what_is_not_watched_does_not_count(self):
        clock = Ticks()
        watch = Stopwatch(clock)
        with watch.part("early"):
            clock.now += 5.0
        watch.start()
        watch.stop()
        with watch.part("late"):
            clock.now += 5.0
        assert watch.whole == 0.0

    def test_a_method_within_another_has_its_own_time_and_all_is_as_before(self):
        clock = Ticks()

        class Thing:
            def outer(self) -> str:
                clock.now += 1.0
                self.inner(0)
                return "done"

            def inner(self, way: int) -> None:
                clock.now += 2.0

        thing, watch = Thing(), Stopwatch(clock)
        given = vars(thing)["given"] = clock.takes(4.0)
        places = [(thing, "outer", "a"), (thing, "inner", "b"), (thing, "given", "c")]
        with listening(watch, places):
            watch.start()
            assert thing.outer() == "done"
            vars(thing)["given"]()
            watch.stop()
        assert watch.taken == {REST: 0.0, "a": 1.0, "b": 2.0, "c": 4.0}
        assert vars(thing) == {"given": given}

    def test_all_is_as_before_after_an_error(self):
        thing, watch = Part("a", 1.0), Stopwatch(Ticks())
        with pytest.raises(AttributeError), listening(watch, [(thing, "missing", "a")]):
            pass
        assert vars(thing) == {"name": "a", "seconds": 1.0, "of": ""}


class TestParts:
    def watch(self, **taken: float) -> Stopwatch:
        watch = Stopwatch(Ticks())
        watch.taken = {D_PART: taken.pop("D"), REST: 1.0, **taken}
        return watch

    def test_penalties_are_what_is_missing_without_them(self):
        paid, bare = self.watch(D=10.0, data=20.0), self.watch(D=4.0, data=20.0)
        assert shared(paid, bare, 2) == [
            Part("data", 10.0),
            Part(D_PART, 5.0),
            Part("penalties", 3.0, D_PART),
            Part(REST, 0.5),
        ]

    def test_what_is_part_of_a_part_is_not_added_twice(self):
        report = Report(parts=shared(self.watch(D=10.0), self.watch(D=4.0), 1))
        assert report.parts_step == 11.0

    def test_without_penalties_there_is_no_such_part(self):
        assert [part.name for part in shared(self.watch(D=1.0), None, 1)] == [D_PART, REST]

    @pytest.mark.parametrize("slow", ["data", "G forward and backward", "optimisers", "logging"])
    def test_a_part_that_is_slower_shows_there_alone(self, slow: str, tiny: Contender):
        clock = Ticks()
        places = tiny.places()
        for thing, name, part in places:
            if part == slow and name != "sizes":
                method = getattr(thing, name)

                def slower(*args: Any, method: Any = method) -> Any:
                    clock.now += 1.0
                    return method(*args)

                vars(thing)[name] = slower
        watch = Stopwatch(clock)
        timed(tiny, watch, 3)
        times = 2 if slow == "optimisers" else 1  # of two players
        assert watch.taken.pop(slow) == 3.0 * times
        assert set(watch.taken.values()) == {0.0}

    def test_a_penalty_costs_what_it_takes_and_is_there_again(self, tmp_path: Path):
        clock = Ticks()
        one = Contender(configured("penalty=r1", "critic_norm=none")([]), [], tmp_path / "run")
        game = one.session.game
        paid = game.penalties["r1"]

        class Slow:
            every = 1

            def __call__(self, seen: Seen) -> torch.Tensor:
                clock.now += 3.0
                return paid(seen)

        slow = {"r1": Slow()}
        vars(game)["penalties"] = slow
        found = {part.name: part.seconds for part in parts(one, 2, clock, 0.0)}
        assert found["penalties"] == found[D_PART] == 3.0
        assert game.penalties is slow
        one.close()


class TestBlocks:
    @given(st.floats(1e-5, 1.0), st.integers(1, 16), st.integers(1, 50), st.floats(0.1, 5.0))
    def test_all_that_is_lazy_is_as_often_in_each_block_as_time_allows(
        self, step: float, turn: int, every: int, budget: float
    ):
        steps = block(step, turn, every, budget)
        assert steps >= 1
        assert steps * step >= min(timing.BLOCK, budget / timing.BLOCKS) * 0.999
        whole = math.lcm(turn, every)
        if whole <= timing.LONGEST and whole * step * timing.BLOCKS <= budget:
            assert steps % whole == 0
        elif turn * step * timing.LEAST <= budget:
            assert steps % turn == 0

    def test_a_step_that_takes_seconds_is_a_block(self):
        assert block(3.0, 16, 20, 1.0) == 1


class TestBatches:
    @staticmethod
    def sized(**rates: float) -> list[Sized]:
        spreads = {int(b[1:]): Spread(r, r, r, 1) for b, r in rates.items()}
        return [Sized(batch, batch, rate, 1) for batch, rate in spreads.items()]

    def test_the_smallest_of_those_that_are_nearly_the_best_is_recommended(self):
        assert recommended(self.sized(b16=50.0, b32=94.0, b64=100.0, b128=98.0)) == 32
        assert recommended(self.sized(b16=50.0, b32=92.0, b64=100.0)) == 64

    def test_what_failed_is_not_recommended(self):
        assert recommended([*self.sized(b16=1.0), Sized(32, failed="out of memory")]) == 16
        assert recommended([Sized(32, failed="out of memory")]) is None


def linear(n: int, layers: Sequence[tuple[int, int]]) -> int:
    """Operations of fully connected layers on n samples, forward."""
    return sum(2 * n * a * b for a, b in layers)


class TestWork:
    layers = ((12, 7), (7, 5), (5, 1))

    def net(self) -> nn.Module:
        return nn.Sequential(*(nn.Linear(a, b) for a, b in self.layers))

    def test_forward_and_backward_are_counted(self):
        net, x = self.net(), torch.randn(8, 12)
        forward = linear(8, self.layers)
        assert flops(lambda: net(x)) == forward
        # back: each weight once, and each input but the first
        backward = forward + linear(8, self.layers[1:])
        assert flops(lambda: net(x).sum().backward()) == forward + backward

    def test_so_is_a_backward_of_a_backward(self):
        weight, x = torch.randn(7, 12, requires_grad=True), torch.randn(8, 12, requires_grad=True)

        def slope() -> None:
            (first,) = torch.autograd.grad((x @ weight.t()).sum(), x, create_graph=True)
            torch.autograd.grad(first.square().sum(), weight)

        once = linear(8, [(12, 7)])
        assert flops(slope) == 3 * once  # forward, for x, and that again for the weight

    def test_and_convolutions(self):
        net, x = nn.Conv2d(3, 4, 3, padding=1, bias=False), torch.randn(2, 3, 6, 6)
        assert flops(lambda: net(x)) == 2 * 2 * 4 * 36 * 3 * 9

    def test_a_game_of_networks_that_are_known(self, tiny: Contender):
        """Each player's step, by the shapes of the weights."""
        n, players = tiny.batch, tiny.session.method.players
        shapes = {k: [(w.shape[1], w.shape[0]) for w in p.weights if w.dim() == 2]
                  for k, p in players.items()}  # fmt: skip
        g, d = linear(n, shapes["G"]), linear(n, shapes["D"])
        d_step = g + 2 * d + (2 * d + 2 * linear(n, shapes["D"][1:]))
        g_step = g + d + d + (g + linear(n, shapes["G"][1:]))
        assert flops(lambda: tiny.work(1)) == d_step + g_step

    def test_the_roof_is_the_fastest_of_several(self):
        clock = Ticks(each=0.5)  # each takes as long as the clock takes to be asked
        found = work.roof(torch.device("cpu"), torch.float32, False, clock, 0.0)
        rows, n, channels, edge = work.SMALL
        assert found.product == 2 * rows**3 / 0.5
        assert found.convolution == 2 * n * edge**2 * channels**2 * 9 / 0.5
        assert found.best == max(found.product, found.convolution)

    def test_a_plain_operation_counts_at_its_fastest(self):
        a, times = torch.ones(4, 4), iter([0.0, 1.0, 5.0, 6.0, 6.5, 7.0, 9.0, 9.0])
        assert work._best(lambda: a @ a, lambda: next(times), 0.0) == 2 * 4**3 / 0.5

    def test_what_is_lazy_counts_as_often_as_it_is_due(self, tmp_path: Path):
        r1 = ("penalty=r1", "critic_norm=none")
        lazy = [("critic_norm=none",), (*r1, "penalty.r1.every=1"), (*r1, "penalty.r1.every=2")]
        found = []
        for number, words in enumerate(lazy):
            bench = Bench(configured(*words), [], 0.05, tmp_path / str(number), Report())
            with ExitStack() as stack:
                one = bench._contender([], stack)
                bench._work(one, one)
            found.append(bench.report.flops or 0.0)
        never, always, every_other = found
        assert never < always
        assert every_other == (never + always) / 2


class TestReport:
    def report(self) -> Report:
        one = Spread(0.01, 0.01, 0.01, 3)
        return Report(
            images=64, step=one, flops=1e9, roof=Roof(2e11, 4e11),
            occasions=[Occasion("pictures", 1.0, 100), Occasion("looks", 0.5, 100)],
        )  # fmt: skip

    def test_speed_and_share_are_those_of_the_step(self):
        assert self.report().speed == pytest.approx(1e11)
        assert self.report().share == pytest.approx(0.25)

    def test_what_is_done_now_and_then_is_spread_over_the_steps(self):
        assert self.report().whole_rate == pytest.approx(64 / (0.01 + 0.01 + 0.005))

    def test_of_nothing_nothing_is_known(self):
        told = Report().plain()
        assert told["share_of_roof"] is None
        assert told["whole_rate"] is None


@pytest.mark.skipif(not memory.STATUS.exists(), reason="only Linux tells the peak of a process")
def test_the_peak_of_memory_is_seen_after_it_is_free_again():
    peak = Peak(torch.device("cpu"))
    block_of_memory = torch.ones(100 << 18)  # 100 MB
    del block_of_memory
    assert peak() == pytest.approx(100 << 20, rel=0.3)
    assert peak(0) > peak()


def test_errors_of_too_little_memory_are_known():
    assert too_much(torch.OutOfMemoryError("CUDA out of memory."))
    assert too_much(MemoryError())
    assert too_much(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …"))
    assert not too_much(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain operations of a moment."""
    monkeypatch.setattr(work, "SMALL", (64, 2, 8, 8))
    monkeypatch.setattr(timing, "BLOCK", 0.001)


def configured(*words: str) -> Callable[[Any], contender.Composed]:
    """What composes these overrides and some more."""
    return lambda more: (composed(*TINY, *ALWAYS, *words, *more), {"dataset": "digits"})


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Contender]:
    """A game of two small networks, with nothing picked by the machine."""
    one = Contender(configured("log_every=1")([]), [], tmp_path / "tiny")
    yield one
    one.close()


def test_what_is_measured_is_what_gan_train_trains(tmp_path: Path, tiny: Contender):
    tiny.train(4)
    made = composed(*TINY, *ALWAYS, "log_every=1", "steps=4", f"run_dir={tmp_path / 'run'}")
    launch(made, {"dataset": "digits"}, [], ["gan", "train"])
    measured = (tmp_path / "tiny" / "metrics.jsonl").read_text()
    assert measured.count("\n") == 4
    assert measured == (tmp_path / "run" / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "turn"),
    [
        ([], 1),
        (["penalty=r1", "penalty.r1.every=16", "critic_norm=none"], 16),
        (["penalty=r1", "penalty.r1.every=16", "critic_norm=none", "n_critic=4"], 4),
        (["penalty=r1", "penalty.r1.every=16", "critic_norm=none", "n_critic=3"], 16),
    ],
)
def test_a_turn_is_over_when_what_is_lazy_was_due(words: list[str], turn: int, tmp_path: Path):
    one = Contender(configured(*words)([]), [], tmp_path / "run")
    try:
        assert one.turn == turn
    finally:
        one.close()


def test_a_head_start_is_not_what_is_measured(tmp_path: Path):
    one = Contender(configured("head_start.d=7")([]), [], tmp_path / "run")
    try:
        one.train(1)
        assert one.session.game.G.updates == one.session.game.D.updates == 1
    finally:
        one.close()


def test_metrics_are_not_measured(tmp_path: Path):
    report = Report()
    bench = Bench(configured("metric=[frechet]"), [], 0.05, tmp_path, report)
    with ExitStack() as stack:
        one = bench._contender([], stack)
        bench._describe(one)
        assert one.at.best is None
    assert report.notes == ["What metric= names is not measured here."]


def test_each_fast_path_is_turned_off_in_turn_and_then_all(tmp_path: Path):
    words = ("hardware.precision=bfloat16", "hardware.channels_last=true", "model=dcgan")
    one = Contender(configured(*words, "model.width=4")([]), [], tmp_path / "run")
    try:
        off = paths.without(one)
        both = ["hardware.precision=float32", "hardware.channels_last=false"]
        kept = {name: more for name, more in off.items() if "threads" not in name}
        assert [*kept.values()][:2] == [both[:1], both[1:]]
        assert set(both) <= set(kept[paths.ALL])
        assert {what for what, _, _ in paths.picks(one)} >= {"precision", "channels_last"}
        assert paths.eager(one, lambda more: pytest.fail(str(more)), *paths.WHOLE) is one
    finally:
        one.close()


def test_the_whole_is_measured_and_adds_up(tmp_path: Path):
    words = ["penalty=r1", "critic_norm=none", "hardware.precision=bfloat16", "log_every=2"]
    clock, report = Ticks(each=0.001), Report()
    bench = Bench(configured(*words), [], 0.2, tmp_path, report, clock=clock)
    bench([2, 4])
    assert report.rate is not None
    assert report.step is not None
    assert report.images == 4
    assert report.rate.median == pytest.approx(4 / report.step.median)
    names = [part.name for part in report.parts]
    assert names[-1] == REST
    assert {D_PART, "penalties", "data", "logging", "optimisers", "averages"} <= set(names)
    assert [gain.without for gain in report.gains] == ["precision=bfloat16"]
    assert report.gains[0].times.median == pytest.approx(1.0)  # by a clock that counts questions
    assert [one.batch for one in report.batches] == [2, 4]
    assert report.flops
    assert {o.name for o in report.occasions} >= {"pictures", "checkpoints"}
    assert json.loads(json.dumps(report.plain(), allow_nan=False))["format"] == "gan-bench/1"


def test_a_batch_that_does_not_fit_is_told_and_no_larger_one_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = Contender

    def narrow(composed: contender.Composed, *args: Any) -> Contender:
        if composed[0]["batch_size"] == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return made(composed, *args)

    monkeypatch.setattr(measure, "Contender", narrow)
    report = Report()
    bench = Bench(configured(), [], 0.05, tmp_path, report)
    bench._sizes([2, 3, 4])
    assert [(one.batch, one.failed) for one in report.batches] == [(2, ""), (3, "out of memory")]
    assert report.best_batch == 2


def test_another_error_is_not_taken_for_one_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*args: Any) -> Contender:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(measure, "Contender", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        Bench(configured(), [], 0.05, tmp_path, Report())._sizes([2])


FORMS = {
    "game": ["model=mlp", "model.width=8"],
    "toy": ["experiment=ring", "model.width=8"],
    "labels": ["task=label", "model=mlp", "model.width=8"],
    "answers": ["task=superres", "method=regression", "model=unet", "model.width=4"],
    "cyclegan": ["experiment=cyclegan_mnist", "dataset=digits", "model.width=4"],
    "coder": ["method=vae", "model=mlp", "model.width=8"],
    "dynamics": ["dynamics=extragradient", "model=mlp", "model.width=8"],
    "metric": ["metric=[frechet]", "model=mlp", "model.width=8"],
}
"""Commands of each kind that there is."""


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_command_can_be_measured(form: str, gan_here, tmp_path: Path):
    words = [*FORMS[form], *ALWAYS, "batch_size=4", "diagnose.n=64"]
    done = gan_here("bench", *words, "--seconds", "0.05", "--json", "a.json", env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {".cache"} == {"a.json"}
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["rate"]["low"] <= told["rate"]["median"] <= told["rate"]["high"]
    assert told["flops"] > 0
    assert told["memory"] is not None
    in_parts = [part["name"] for part in told["parts"] if not part["of"]]
    assert (D_PART in in_parts) != (BOTH in in_parts)
    assert told["parts_step"] == pytest.approx(
        sum(p["seconds"] for p in told["parts"] if not p["of"])
    )
    assert "images/s" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\033" not in done.stdout


def test_every_method_is_one_of_these_kinds_or_says_why_not(gan_here):
    """What learns by no steps can't be timed by them."""
    assert {"gan", "vae", "regression", "cyclegan", "mixture"} <= set(entries("method"))
    done = gan_here("bench", "method=mixture", "--seconds", "0.05")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody learns by steps" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["los=wgan"], "loss"),
        (["loss=wgn"], "wgan"),
        (["nonsense"], "no KEY=VALUE"),
        (["--seconds", "0"], "number of seconds"),
        (["--seconds", "nan"], "number of seconds"),
        (["--batches", "16,a"], "list of sizes"),
        (["--batches", "0"], "list of sizes"),
        (["--steps", "3"], "--help"),
        (["batch_size=0"], "batch_size"),
        (["hardware.cuda_graphs=true", "hardware.device=cpu"], "cuda_graphs"),
        (["penalty=gp", "model=dcgan", "critic_norm=batch"], "batch norm"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, gan_here, tmp_path: Path):
    done = gan_here("bench", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("where", "known"), [("_work", True), ("_speed", False)])
def test_ctrl_c_ends_with_what_is_known(
    where: str, known: bool, gan_here, monkeypatch: pytest.MonkeyPatch
):
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bench, where, stop)
    done = gan_here("bench", *TINY, "--seconds", "0.05")
    assert done.returncode == 130
    assert ("images/s" in done.stdout) == ("Stopped by Ctrl-C" in done.stdout) == known
    assert ("stopped" in done.stderr) != known


def test_a_signal_leaves_nothing_behind(gan_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(bench: Bench, *args: Any) -> None:
        assert bench.directory.parent == tmp_path
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Bench, "_work", stop)
    before = signal.getsignal(signal.SIGTERM)
    done = gan_here("bench", *TINY, "--seconds", "0.05")
    assert done.returncode == 128 + signal.SIGTERM
    assert not [*tmp_path.glob("gan-bench-*")]
    assert signal.getsignal(signal.SIGTERM) == before


def test_batch_sizes_are_shown_with_the_one_to_take(gan_here):
    done = gan_here("bench", *TINY, *ALWAYS, "--seconds", "0.05", "--batches", "8,4")
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.endswith(TAKE)]
    assert len(rows) == 1
    assert f"batch_size={rows[0]}: the smallest within 7%" in done.stdout


def test_sizes_to_try_are_those_said_or_those_around_the_own():
    assert cli_bench._sizes(None, 64) == []
    assert cli_bench._sizes(cli_bench._batches("64,16,64"), 8) == [16, 64]
    assert cli_bench._sizes(cli_bench._batches("auto"), 64) == [16, 32, 64, 128, 256, 512]
    assert cli_bench._sizes([], 4) == [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("value", "text"),
    [(7123.4, "7,120"), (987654.0, "988,000"), (12.34, "12.3"), (0.5, "0.5"), (999.6, "1,000")],
)
def test_numbers_have_three_digits(value: float, text: str):
    assert cli_bench_show.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (12.34, "12.3 s"),
        (0.01234, "12.3 ms"),
        (0.3, "300 ms"),
        (42e-6, "42 µs"),
        (0.002, "2.00 ms"),
    ],
)
def test_times_have_a_unit_that_fits(seconds: float, text: str):
    assert cli_bench_show.duration(seconds) == text


def test_nothing_is_imported_for_help(gan_here):
    before = set(sys.modules)
    done = gan_here("bench", "--help")
    assert done.returncode == 0
    assert "--batches" in done.stdout
    assert "gan_cli.bench.measure" not in set(sys.modules) - before
