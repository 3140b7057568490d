"""Signals at any moment of a real process: what was trained is saved, said, and goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli import container, state
from gan_cli.status import Status
from gan_cli.study.ledger import Ledger
from tests.faults.nursery import GAME, Child, Nursery, Plant

pytestmark = pytest.mark.timeout(1800)  # of the whole campaign

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]

SHORT = [*GAME, "steps=20", "checkpoint_every=5"]
DIGITS = ["train", *SHORT, "run_dir=r"]
STEP, WRITTEN = "gan_cli.train:_pace", "gan_cli.state:save"
EXAMINED = "gan_cli.evaluation:Examiner.examine"
MOMENTS = {
    "a step": Plant(STEP, 13),
    "an evaluation": Plant(EXAMINED),
    "a save": Plant(WRITTEN, 2),
    "a look": Plant("gan_cli.glance:Glance.__call__", 2),
    "a picture": Plant("gan_cli.show:Show.grid"),
}
"""Moments of training in which a signal can come."""

BEFORE = {
    "the data are read": "gan_cli.dataset.digits:Digits.load",
    "the directory is opened": "gan_cli.run:hold",
    "the networks are made": "gan_cli.session:made",
    "a checkpoint is looked for": "gan_cli.state:newest",
}
"""Moments before the first step."""

SAVED = re.compile(r"stopped and saved at step (\d+); the same command goes on\n")


@pytest.fixture(scope="module")
def straight(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    place = tmp_path_factory.mktemp("straight")
    assert nursery.run(DIGITS, place).wait() == 0
    return place / "r"


@dataclass
class Count:
    """How often something was tried and survived; why it was not is printed."""

    tried: int = 0
    survived: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        self.tried += 1
        try:
            yield
        except AssertionError:
            traceback.print_exc()
        else:
            self.survived += 1


def alike(run: Path, straight: Path) -> None:
    """Assert that a run came to the same as one that was not stopped, in all that it keeps."""
    one, other = (state.newest(path / "checkpoints") for path in (run, straight))
    assert one is not None
    assert other is not None
    mine, right = one.checkpoint, other.checkpoint
    names = [
        path.relative_to(straight)
        for pattern in ("*.jsonl", "samples/*.png")
        for path in straight.glob(pattern)
        if path.name != "clock.jsonl"
    ]
    assert mine.meta["step"] == right.meta["step"]
    assert mine.tensors.keys() == right.tensors.keys()
    assert all(mine.tensors[key].equal(right.tensors[key]) for key in right.tensors)
    differ = [name for name in names if (run / name).read_bytes() != (straight / name).read_bytes()]
    assert not differ
    assert Status.read(run).state == Status.read(straight).state


def saved(child: Child, code: int) -> int:
    """The step at which a command says that it was saved; asserts that it is true."""
    assert child.wait() == code, child.err
    told = SAVED.fullmatch(child.err)
    assert told, child.err
    step, run = int(told[1]), child.place / "r"
    found = state.newest(run / "checkpoints")
    assert found is not None
    assert found.checkpoint.meta["step"] == step
    assert (run / "metrics.jsonl").read_text().count("\n") == step
    assert Status.read(run).state == "interrupted"
    return step


def goes_on(again: Child, straight: Path) -> None:
    """Assert that the same command goes on to where a run came that nobody stopped."""
    assert again.wait() == 0, again.err
    alike(again.place / "r", straight)
    shutil.rmtree(again.place)


# ── Ctrl-C ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("S1", "Ctrl-C", "SIGINT in a step, an evaluation, a save, a look, a picture")
def test_ctrl_c_saves(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number in range(times(1, 30)):
        place, plant = tmp_path / str(number), [*MOMENTS.values()][number % len(MOMENTS)]
        with count.one():
            child = nursery.start(DIGITS, place, [plant])
            child.met()
            since = time.monotonic()
            child.kill(signal.SIGINT)
            saved(child, 130)
            assert time.monotonic() - since < plant.seconds + 2
            goes_on(nursery.start(DIGITS, place), straight)
    told = "stopped and saved at step 13; the same command goes on (130)"
    tally(count.tried, count.survived, told)


@pytest.mark.fault("S1", "Ctrl-C, and once more", "two SIGINT in a step, a save, a look, a picture")
def test_twice_ends_at_once_and_loses_nothing_that_was_saved(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    slow = [name for name in MOMENTS if name != "an evaluation"]  # which one is enough for
    for number in range(times(1, 15)):
        place, moment = tmp_path / str(number), slow[-(number % len(slow))]
        with count.one():
            child = nursery.start(DIGITS, place, [Plant(MOMENTS[moment].function, 2, 30.0)])
            child.met()
            child.kill(signal.SIGINT)
            time.sleep(0.05)
            assert child.poll() is None
            since = time.monotonic()
            child.kill(signal.SIGINT)
            assert child.wait() == 130
            assert time.monotonic() - since < 2
            assert child.err == "stopped\n"
            assert Status.read(place / "r").reason == "Ctrl-C"
            goes_on(nursery.start(DIGITS, place), straight)
    told = "stopped (130, in less than 2 s); the same command goes on from the last checkpoint"
    tally(count.tried, count.survived, told)


@pytest.mark.fault(
    "S1",
    "Ctrl-C or SIGTERM before the first step",
    "as the directory is opened, data are read, networks made, a checkpoint looked for",
)
def test_before_the_first_step_nothing_is_lost(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    cases = [
        (function, begun, number)
        for number in (signal.SIGINT, signal.SIGTERM)
        for begun in (True, False)
        for function in BEFORE.values()
    ]
    count = Count()
    for case, (function, begun, number) in enumerate(cases[: times(1, 16)]):
        place = tmp_path / str(case)
        with count.one():
            if begun:
                child = nursery.start(DIGITS, place, [MOMENTS["a step"]])
                child.met()
                child.kill(signal.SIGTERM)
                saved(child, 143)
            child = nursery.start(DIGITS, place, [Plant(function, 1, 30.0)])
            child.met()
            child.kill(number)
            ended = {signal.SIGINT: (130, "stopped\n"), signal.SIGTERM: (-signal.SIGTERM, "")}
            assert (child.wait(5), child.err) == ended[number]
            goes_on(nursery.start(DIGITS, place), straight)
    told = "stopped (130); the same command begins, or goes on where it was"
    tally(count.tried, count.survived, told)


VERBS = {
    "sample": ("gan_cli.draw:draw", "--ckpt", "r", "--out", "s.png"),
    "export": ("gan_cli.exporting.safetensors:Safetensors.write", "--ckpt", "r", "--out", "x"),
    "evaluate": (
        "gan_cli.evaluation:Examiner.examine",
        *("--ckpt", "r", "--metrics", "sliced_wasserstein", "--n", "40", "--extractor", "raw"),
        *("--out", "e.json"),
    ),
    "compare": ("gan_cli.cli_compare:compare", "r", "--out", "c.csv"),
    "report": ("gan_cli.cli_report:run_page", "r", "--out", "r.html"),
    "doctor": ("gan_cli.doctor.findings:of", "r", "--plot", "d.png"),
}
"""What each verb is doing when it is stopped, and what is typed after it."""


@pytest.mark.fault(
    "S1",
    "Ctrl-C in gan sample, export, evaluate, compare, report or doctor",
    "while it works, and while the file that it writes is not yet in its place",
)
def test_other_verbs_leave_nothing_behind(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    shutil.copytree(straight, tmp_path / "r")
    cases = [(verb, writes) for writes in (True, False) for verb in VERBS]
    count = Count()
    for verb, writes in cases[: times(1, len(cases))]:
        busy, *words = VERBS[verb]
        with count.one():
            child = nursery.start(
                [verb, *words], tmp_path, [Plant("pathlib:Path.replace" if writes else busy)]
            )
            child.met()
            child.kill(signal.SIGINT)
            assert (child.wait(), child.err) == (130, "stopped\n")
            left = {path.name for path in tmp_path.iterdir() if not path.name[0].isdigit()}
            assert left == {"r", "here"}
            assert not [*tmp_path.rglob("*.tmp")]
    tally(count.tried, count.survived, "stopped (130), and no file, whole or half, is left")


# ── what schedulers send ────────────────────────────────────────────────────────────────────────

OTHERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
PICTURES = [
    *("train", "dataset=folder", "dataset.path=pictures", "dataset.size=8", "dataset.channels=1"),
    *("dataset.cache=null", "model=mlp", "model.width=8", "batch_size=4", "steps=12"),
    *("log_every=4", "sample_every=6", "checkpoint_every=6", "diagnose.every=null"),
    *("tensorboard=false", "hardware.threads=1", "hardware.device=cpu", "run_dir=r"),
]
STREAMED = {"gan_cli.dataset.room:HOST_SHARE": 0.0}  # as if they did not fit into memory
SLOW = Plant("gan_cli.dataset.files:Files.__getitem__", 0, 0.1)


def pictures(place: Path) -> Path:
    """A place with a folder of images."""
    draw = np.random.default_rng(0)
    folder = place / "pictures"
    folder.mkdir(parents=True)
    for number in range(16):
        Image.fromarray(draw.integers(0, 255, (8, 8), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    return place


@pytest.fixture(scope="module")
def streamed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of images that were read as they were needed, which nobody stopped."""
    place = pictures(tmp_path_factory.mktemp("streamed"))
    child = Read(0, False).start(nursery, place)
    assert child.wait() == 0, child.err
    return place / "r"


@dataclass(frozen=True)
class Read:
    """How a run's images are read."""

    workers: int
    starved: bool

    def start(self, nursery: Nursery, place: Path, plants: Sequence[Plant] = ()) -> Child:
        """Train on images so read."""
        plants = [*plants, SLOW] if self.starved else plants
        words = [*PICTURES, f"dataset.workers={self.workers}"]
        return nursery.start(words, place, plants, STREAMED)


READ = [Read(workers, starved) for workers in (2, 0) for starved in (True, False)]


@pytest.mark.fault(
    "S2",
    "SIGTERM, SIGUSR1, SIGUSR2, SIGHUP",
    "to the whole group of processes, with 0 and 2 workers, reading fast and 100 ms an image",
)
def test_what_schedulers_send_saves(
    nursery: Nursery, streamed: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number in range(times(1, 40)):
        read, sent = READ[number % len(READ)], OTHERS[(number + number // 4) % len(OTHERS)]
        with count.one():
            place = pictures(tmp_path / str(number))
            child = read.start(nursery, place, [Plant(STEP, 4, 0.05)])
            child.met()
            time.sleep(0.01 * (number % 8))
            child.kill(sent)
            saved(child, 128 + sent)
            goes_on(Read(read.workers, False).start(nursery, place), streamed)
    told = "stopped and saved at step 4; the same command goes on (143, and 128 + n)"
    tally(count.tried, count.survived, told)


@pytest.mark.fault("S3", "a signal during a save", "SIGTERM while a save waits for half a second")
def test_a_save_that_is_met_by_a_signal_is_the_last_one(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number in range(times(1, 5)):
        place = tmp_path / str(number)
        with count.one():
            child = nursery.start(DIGITS, place, [MOMENTS["a save"]])
            child.met()
            time.sleep(0.09 * number)
            child.kill(signal.SIGTERM)
            assert saved(child, 143) == 10
            assert state.steps(place / "r" / "checkpoints") == [10, 5]
            goes_on(nursery.start(DIGITS, place), straight)
    told = "stopped and saved at step 10: the save that was under way"
    tally(count.tried, count.survived, told)


MEASURING = "gan_cli.metric.sliced_wasserstein:SlicedWasserstein.__call__"
OFTEN = [*DIGITS, "evaluate_every=4", "checkpoint_every=8", "sample_every=8", "steps=12"]


@pytest.fixture(scope="module")
def often(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped, measured at steps that are kept, and at one that is not."""
    place = tmp_path_factory.mktemp("often")
    assert nursery.run(OFTEN, place).wait() == 0
    return place / "r"


@pytest.mark.fault(
    "S3",
    "a signal or kill -9 during an evaluation, or when one is due",
    "again and again, while a metric takes 30 s, of a step that is kept and one that is not",
)
def test_an_evaluation_is_not_waited_for_and_made_up(
    nursery: Nursery, often: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    first, second = Plant(MEASURING, 1, 30.0), Plant(EXAMINED, 2, 30.0)
    ways = (  # when and how each session is ended, and the step that is the newest kept then
        (
            *((first, signal.SIGUSR1, 4), (first, signal.SIGKILL, 4), (second, signal.SIGKILL, 8)),
            *((first, signal.SIGTERM, 8), (second, signal.SIGINT, 12), (first, signal.SIGKILL, 12)),
        ),
        ((Plant(STEP, 4), signal.SIGTERM, 4), (Plant(STEP, 8), signal.SIGHUP, 12)),
        ((second, signal.SIGKILL, 8), (second, signal.SIGKILL, 12)),
        ((second, signal.SIGUSR2, 8), (Plant(WRITTEN, 1), signal.SIGTERM, 12)),
    )
    count = Count()
    for number, sessions in enumerate(ways[: times(1, len(ways))]):
        place = tmp_path / str(number)
        for plant, sent, step in sessions:
            with count.one():
                child = nursery.start(OFTEN, place, [plant])
                child.met()
                since = time.monotonic()
                child.kill(sent)
                if sent == signal.SIGKILL:
                    assert child.wait() == -sent
                    found = state.newest(place / "r" / "checkpoints")
                    assert found is not None
                    assert found.checkpoint.meta["step"] == step
                else:
                    assert saved(child, 128 + sent) == step
                assert time.monotonic() - since < 2
        with count.one():
            again = nursery.run(OFTEN, place)
            mine, right = (container.read(p / "best.safetensors") for p in (place / "r", often))
            assert [mine.meta[k] for k in ("step", "best")] == [
                right.meta[k] for k in ("step", "best")
            ]
            assert all(mine.tensors[name].equal(right.tensors[name]) for name in right.tensors)
            goes_on(again, often)
    told = "stopped and saved at step 8: what was not measured then is when the run goes on"
    tally(count.tried, count.survived, told)


@pytest.mark.fault("S4", "SIGTERM, and SIGKILL 5 s later", "while images take 100 ms each to read")
def test_five_seconds_are_enough(
    nursery: Nursery, streamed: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number in range(times(1, 5)):
        read = READ[2 * (number % 2)]
        with count.one():
            place = pictures(tmp_path / str(number))
            child = read.start(nursery, place, [Plant(STEP, 7 - number, 0.01)])
            child.met()
            child.kill(signal.SIGTERM)
            until = time.monotonic() + 5
            while child.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            if child.poll() is None:
                child.kill(signal.SIGKILL)
            saved(child, 143)
            goes_on(Read(0, False).start(nursery, place), streamed)
    tally(count.tried, count.survived, "it is saved and has ended by itself, long before")


# ── a sweep ─────────────────────────────────────────────────────────────────────────────────────

SWEEP = ["train", "-m", *SHORT, "seed=0,1,2", "outputs=runs", "hydra.sweep.dir=all"]


@pytest.mark.fault("S5", "SIGTERM or Ctrl-C in a sweep", "during the second of its three jobs")
def test_a_sweep_stops_and_goes_on(
    nursery: Nursery, tmp_path: Path, times: Times, tally: Tally
) -> None:
    single = nursery.run(["train", *SHORT, "seed=1", "run_dir=r"], tmp_path / "single")
    count = Count()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)[: times(1, 3)]:
        place = tmp_path / number.name
        with count.one():
            child = nursery.start(SWEEP, place, [Plant(STEP, 20 + 13)])
            child.met()
            child.kill(number)
            assert child.wait() == 128 + number, child.err
            assert "Traceback" not in child.err
            jobs = Ledger.read(place / "all").jobs
            assert [job.state for job in jobs] == ["collapsed", "interrupted", "pending"]
            assert jobs[1].reason == "stopped and saved at step 13; the same command goes on"
            before = _times(Path(jobs[0].run))
            again = nursery.run(SWEEP, place)
            assert again.wait() == 0, again.err
            assert _times(Path(jobs[0].run)) == before
            assert [job.state for job in Ledger.read(place / "all").jobs] == ["collapsed"] * 3
            alike(Path(jobs[1].run), single.place / "r")
    told = (
        "a table: 1 done, 1 interrupted, 1 pending (143); the same command leaves the first as it "
        "is, goes on with the second and runs the third"
    )
    tally(count.tried, count.survived, told)


@pytest.mark.skipif(os.environ.get("GAN_FAULTS") != "full", reason="only in the whole campaign")
@pytest.mark.fault("S5", "SIGTERM or Ctrl-C in a search", "gan tune, during its second trial")
def test_a_search_stops_and_goes_on(nursery: Nursery, tmp_path: Path, tally: Tally) -> None:
    lr = "optimizer.lr=tag(log,interval(1e-4,1e-2))"
    search = [*("tune", *SHORT, lr, "outputs=runs", "--trials", "3", "--name", "all")]
    search += ["--figure", "sliced_wasserstein"]
    whole = nursery.run(search, tmp_path / "whole")
    assert whole.wait() == 0, whole.err
    right = Ledger.read(whole.place / "runs" / "sweeps" / "all").jobs
    count = Count()
    for number in (signal.SIGTERM, signal.SIGINT):
        place = tmp_path / number.name
        with count.one():
            child = nursery.start(search, place, [Plant(STEP, 20 + 13)])
            child.met()
            child.kill(number)
            assert child.wait() == 128 + number, child.err
            assert "Traceback" not in child.err
            again = nursery.run(search, place)
            assert again.wait() == 0, again.err
            jobs = Ledger.read(place / "runs" / "sweeps" / "all").jobs
            assert [(job.config, job.figures) for job in jobs] == [
                (job.config, job.figures) for job in right
            ]
            for job, other in zip(jobs, right, strict=True):
                alike(Path(job.run), Path(other.run))
    told = (
        "1 trial done, 1 unfinished (143); the same command goes on, and comes to the same search"
    )
    tally(count.tried, count.survived, told)


def _times(run: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}


# ── pipes, and workers ──────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("S6", "nobody reads the output any more", "gan train | head -1, and its stderr")
def test_training_goes_on_when_its_reader_goes_away(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number, names in enumerate((("out",), ("err",), ("out", "err"))[: times(1, 3)]):
        place, ends = tmp_path / str(number), [os.pipe() for _ in names]
        writing = {name: end for name, (_, end) in zip(names, ends, strict=True)}
        values = {"gan_cli.console:PLAIN_EVERY": 0.0}
        with count.one():
            child = nursery.start(DIGITS, place, [Plant(STEP, 2, 0.1)], values, **writing)
            for _, end in ends:
                os.close(end)
            for (reading, _), name in zip(ends, names, strict=True):
                assert name == "err" or os.read(reading, 10)
                os.close(reading)
            assert child.wait() in ((0, 141) if "out" in names else (0,)), child.err
            alike(place / "r", straight)
    told = "training goes on to its end"
    tally(count.tried, count.survived, told)


@pytest.mark.fault("S6", "the output can't be written", "gan train > /dev/full, and 2> /dev/full")
def test_training_goes_on_when_its_output_is_full(
    nursery: Nursery, straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for name in ("out", "err")[: times(1, 2)]:
        full = os.open("/dev/full", os.O_WRONLY)
        with count.one():
            child = nursery.start(DIGITS, tmp_path / name, **{name: full})
            assert child.wait() == 0, child.err
            alike(tmp_path / name / "r", straight)
        os.close(full)
    tally(count.tried, count.survived, "training goes on to its end")


@pytest.mark.fault("S6", "a worker that reads images is killed", "kill -9 of one of two workers")
def test_a_killed_worker_is_named(
    nursery: Nursery, streamed: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    count = Count()
    for number in range(times(1, 5)):
        with count.one():
            place = pictures(tmp_path / str(number))
            child = Read(2, True).start(nursery, place, [Plant(STEP, 8, 0.2)])
            child.met()
            workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
            os.kill(int(workers[number % 2]), signal.SIGKILL)
            assert child.wait() == 1
            assert "exited unexpectedly (a worker that was killed is most often short" in child.err
            assert "dataset.workers=0" in child.err
            assert child.err.count("\n") == 1
            found = state.newest(place / "r" / "checkpoints")
            assert found is not None
            assert found.checkpoint.meta["step"] == 6
            goes_on(Read(2, False).start(nursery, place), streamed)
    told = (
        "error: reading batch 8 failed: DataLoader worker exited unexpectedly (a worker that was "
        "killed is most often short of memory: dataset.workers=0 …); the last checkpoint is whole, "
        "the same command goes on"
    )
    tally(count.tried, count.survived, told)
