"""Runs in unlucky circumstances: torn files, two at once, clocks, logs, and state with a hole."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli import build, container, state
from gan_cli import train as training
from gan_cli.console import Console
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile
from gan_cli.keeper import Keeper
from gan_cli.run import Run
from gan_cli.session import Session, make
from gan_cli.state import Found
from gan_cli.status import Status
from gan_cli.study.job import Job
from gan_cli.study.ledger import Ledger
from tests.faults.dying import Death, done, start, wait
from tests.faults.lives import EVENTFUL, LOST, PLAIN, alike, train
from tests.faults.mounts import on_its_own_disks, tmpfs
from tests.games import composed

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]
WATCHED = (
    *(*PLAIN, "steps=12", "checkpoint_every=4", "sample_every=12", "diagnose.every=2"),
    *("diagnose.n=16", "policy=warn", "metric=frechet", "extractor=raw", "evaluate_every=4"),
    *("evaluate_n=40", "tensorboard=true"),
)


def stopped(run: Path, step: int, said: Path, *overrides: str) -> None:
    """Train in that directory, and die at the beginning of a step, counted from 0."""

    def dies() -> None:
        pace = training._pace

        def paced(session: Any, now: int) -> dict[str, float]:
            if now == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return pace(session, now)

        training._pace = paced
        train(run, *overrides)

    assert done(dies, said) == -signal.SIGKILL, said.read_text()


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that nothing happened to, and the same runs, killed on their way."""
    where = tmp_path_factory.mktemp("lives")
    for overrides in (WATCHED, EVENTFUL):
        composed(*overrides)
    train(where / "watched", *WATCHED)
    said = where / "said"
    assert done(lambda: train(where / "eventful", *EVENTFUL), said) == LOST
    stopped(where / "cut", 10, said, *WATCHED)
    back = where / "back"

    def returned() -> None:  # killed when it has gone back and is on its way again
        pace, seen = training._pace, 0

        def paced(session: Any, step: int) -> dict[str, float]:
            nonlocal seen
            seen += step == 8
            if seen == 2 and step == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return pace(session, step)

        training._pace = paced
        train(back, *EVENTFUL)

    assert done(returned, said) == -signal.SIGKILL
    return where


# ── state with a hole ───────────────────────────────────────────────────────────────────────────

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
        session.step(training._batches(session, step), step)
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


# ── torn files of a run ─────────────────────────────────────────────────────────────────────────

WHOLE = {"config.yaml", "status.json", "clock.jsonl", "latest.json", "generator.safetensors"}
"""Files that are made again whatever becomes of them."""

ROWS = {"metrics.jsonl", "diagnosis.jsonl", "evaluations.jsonl"}


def torn(data: bytes, kind: int, chance: random.Random) -> bytes | None:
    """What a power failure leaves of a file: less, nothing, zeros behind, a page of them, no file.

    A bit may rot, too.
    """
    cut = chance.randrange(len(data))
    page = (cut - cut % 512) // 2  # with something behind it
    damaged = bytearray(data)
    damaged[cut] ^= 1 << chance.randrange(8)
    kinds = [
        data[:cut],
        b"",
        data[:cut] + bytes(len(data) - cut),
        data[:page] + bytes(min(512, len(data) - page)) + data[page + 512 :],
        data + bytes(4096),
        bytes(damaged),
        None,
    ]
    return kinds[kind % len(kinds)]


def spoil(path: Path, kind: int, chance: random.Random) -> None:
    left = torn(path.read_bytes(), kind, chance)
    path.unlink()
    if left is not None:
        path.write_bytes(left)


def others(wrong: list[str], *allowed: str) -> list[str]:
    return [name for name in wrong if not name.startswith(allowed)]


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.fault(
    "C4", "a torn file beside the checkpoints", "what a power failure leaves of it, and rotten bits"
)
def test_a_torn_file_that_can_be_made_again_costs_nothing(
    name: str, lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(7), 0
    tried = times(1, 14)
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        path = next(run.rglob(name))
        spoil(path, number if tried > 1 else sorted(WHOLE).index(name), chance)
        code = done(lambda: train(run, *WATCHED), said)
        wrong = others(alike(lives / "watched", run), "clock") if code == 0 else [said.read_text()]
        assert wrong == [], (number, name)
        survived += 1
    tally(tried, survived, "nothing: it is written anew")


@pytest.mark.parametrize("name", sorted(ROWS))
@pytest.mark.fault("C4", "torn rows", "what a power failure leaves of a file of rows, rotten bits")
def test_torn_rows_cost_those_rows_alone(
    name: str, lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(8), 0
    tried = times(1, 28)
    straight = (lives / "watched" / name).read_bytes().splitlines()
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        spoil(run / name, number if tried > 1 else 3, chance)
        whole = set((run / name).read_bytes().splitlines()) if (run / name).exists() else set()
        code = done(lambda: train(run, *WATCHED), said)
        assert code == 0, said.read_text()
        rows = (run / name).read_bytes().splitlines()
        late = [line for line in straight if json.loads(line)["step"] > 8]
        readable = [line for line in straight if line in whole and line not in late]
        steps = [json.loads(line)["step"] for line in rows]
        told = f"{12 - len(rows)} of the rows up to step 8 are lost" in said.read_text()
        silent = name != "metrics.jsonl" or len(rows) == 12
        lights = ["metrics"] if name == "diagnosis.jsonl" else []  # which are told in every row
        same = others(
            alike(lives / "watched", run), "clock", name, "diagnosis", "best", "status", *lights
        )
        kept = set(readable) <= set(rows) and (name == "diagnosis.jsonl" or set(late) <= set(rows))
        survived += kept and steps == sorted(set(steps)) and (told or silent) and not same
        assert survived == number + 1, (number, name, same, said.read_text())
    tally(tried, survived, "rows of steps after the checkpoint come again; lost ones are counted")


@pytest.mark.fault("C4", "a torn run.json", "what a power failure leaves of it; the same command")
def test_a_torn_record_costs_no_run(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(9), 0
    tried = times(3, 42)
    for number in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "cut", run)
        before = (run / "run.json").read_bytes()
        kind = number % 7 if number % 7 != 5 else 0  # a rotten bit may be another number
        spoil(run / "run.json", kind if tried > 3 else (0, 2, 6)[number], chance)
        same = (run / "run.json").exists() and (run / "run.json").read_bytes() == before
        code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
        assert code == 0, told
        clear = same or "it is made anew, by what the checkpoint says" in " ".join(told.split())
        assert alike(lives / "watched", run) == []
        survived += clear
    shutil.rmtree(run)
    shutil.copytree(lives / "cut", run)
    (run / "run.json").unlink()
    code = done(lambda: train(run, *WATCHED, "optimizer.lr=0.5"), said)
    assert code == 2
    assert "optimizer.lr: 0.0002 → 0.5" in said.read_text()
    assert not (run / "run.json").exists()
    tally(tried, survived, "run.json: damaged …: it is made anew, by what the checkpoint says")


@pytest.mark.fault("C4", "a torn rewinds.json", "what a power failure leaves of it")
def test_what_was_gone_back_to_is_in_the_checkpoints_too(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, survived = tmp_path / "run", tmp_path / "said", random.Random(10), 0
    tried = times(1, 12)
    for _ in range(tried):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(lives / "back", run)
        path = run / "rewinds.json"
        path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size - 2)])
        code = done(lambda: train(run, *EVENTFUL), said)
        assert code == LOST, said.read_text()
        survived += alike(lives / "eventful", run) == []
    tally(tried, survived, "nothing: the newest checkpoint says it too")


@pytest.mark.fault("C4", "a torn best.safetensors", "a bit of it rots; then the same command")
def test_a_torn_best_is_told(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    spoil(run / "best.safetensors", 5, random.Random(11))
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    wrong = others(alike(lives / "watched", run), "best", "status")
    told = " ".join(told.split())
    good = code == 0 and wrong == [] and "what is best counts anew" in told
    tally(1, int(good), "best … counts anew")


@pytest.mark.fault("C4", "the row of the best is lost", "its line is cut out; the same command")
def test_the_best_counts_even_if_its_row_is_lost(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    found = container.read(run / "best.safetensors")
    assert found.meta["step"] == 8
    told = {"step": 4, "best": {"figure": "frechet", "value": 40.0}}  # better than all there are
    sha256 = container.write(run / "best.safetensors", found.tensors, found.meta | told)
    lines = (run / "evaluations.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] != 4]
    (run / "evaluations.jsonl").write_text("".join(kept))
    assert done(lambda: train(run, *WATCHED), said) == 0
    same = container.read(run / "best.safetensors").sha256 == sha256
    tally(1, int(same), "nothing: what is best is never replaced by something worse")


# ── what is there, and what is not ──────────────────────────────────────────────────────────────


@pytest.mark.fault("C11", "every checkpoint is damaged", "a bit of each is flipped")
def test_a_run_without_a_whole_checkpoint_is_not_begun_again_in_silence(
    lives: Path, tmp_path: Path, tally: Tally
) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    paths = sorted((run / "checkpoints").glob("step-*"))
    for path in paths:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    before = {path: path.read_bytes() for path in run.rglob("*.*") if path.name != ".lock"}
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    named = all(str(path) in told for path in paths) and "fresh=true" in told
    untouched = all(path.read_bytes() == data for path, data in before.items())
    assert "Traceback" not in told
    good = code == 4 and named and untouched
    tally(1, int(good), "no checkpoint loads: FILE: …; FILE: …; exit 4")


@pytest.mark.fault(
    "C12", "strange things in the directory", "leftovers, foreign files, a directory, pipes, links"
)
def test_strange_things_are_passed_by(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    kept = run / "checkpoints"
    (kept / ".gan-0123456789ab.tmp").write_text("half a checkpoint")
    (run / ".gan-0123456789ab.tmp").write_text("half a generator")
    (kept / "step-foo.safetensors").write_text("mine")
    (kept / "step-9.ganckpt").mkdir()
    (kept / "step-00000010.safetensors").mkdir()
    (kept / "step-00000010.safetensors" / "mine").touch()
    os.mkfifo(kept / "step-00000011.safetensors")
    (kept / "step-00000009.safetensors").symlink_to("step-00000009.safetensors")
    (run / "notes.txt").write_text("mine")
    code, told = done(lambda: train(run, *WATCHED), said), " ".join(said.read_text().split())
    passed = [f"passed over a checkpoint: {kept}/step-000000{n:02}" in told for n in (10, 11, 9)]
    theirs = ["checkpoints/step-foo.safetensors", "checkpoints/step-9.ganckpt", "notes.txt"]
    there = all((run / name).exists() for name in theirs)
    good = code == 0 and all(passed) and there and alike(lives / "watched", run) == []
    tally(8, 8 * good, "passed over a checkpoint: FILE: a directory, not a file")


@pytest.mark.fault(
    "C12", "a directory where a checkpoint belongs", "step-00000012.safetensors/ is there already"
)
def test_a_directory_in_a_checkpoints_place_is_told(
    lives: Path, tmp_path: Path, tally: Tally
) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    shutil.copytree(lives / "cut", run)
    (run / "checkpoints" / "step-00000012.safetensors").mkdir()
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    clear = "step-00000012.safetensors: Is a directory" in told and "Traceback" not in told
    (run / "checkpoints" / "step-00000012.safetensors").rmdir()
    again = done(lambda: train(run, *WATCHED), said)
    good = code == 6 and clear and again == 0 and alike(lives / "watched", run) == []
    tally(1, int(good), "can't write FILE: Is a directory; exit 6")


# ── two at once ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C13", "two processes, one run", "the same command while it trains, or at once")
def test_a_run_is_trained_by_one_process_at_a_time(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    tried, survived, met = times(3, 20), 0, 0
    train(tmp_path / "straight", *PLAIN, "steps=4")
    for number in range(tried):
        run = tmp_path / f"run{number}"

        def trains(run: Path = run) -> None:
            pace = training._pace

            def paced(session: Any, step: int) -> dict[str, float]:
                time.sleep(0.02)
                return pace(session, step)

            training._pace = paced
            train(run, *PLAIN, "steps=4")

        said = [tmp_path / "first", tmp_path / "second"]
        first = start(trains, said[0])
        waiting = range(5000) if number % 2 else ()
        for _ in waiting:
            if (run / "metrics.jsonl").exists():
                break
            time.sleep(0.01)
        second = start(trains, said[1])
        ends = {first: wait(first), second: wait(second)}
        loser = second if ends[second] == 2 else first
        winner, told = first + second - loser, said[loser == second].read_text()
        refused = ends[loser] == 2 and f"{run} is in use by process {winner} on " in told
        late = ends[loser] == 0 and "is done" in " ".join(s.read_text() for s in said)
        good = ends[winner] == 0 and (refused or late)
        met += refused
        survived += good and alike(tmp_path / "straight", run) == []
    assert met > tried / 2  # the others were so slow that one was done before the other began
    tally(tried, survived, "RUN is in use by process PID on HOST; exit 2; the other goes on")


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C14", "the clock is put back", "time runs backwards, files have mixed dates")
def test_a_clock_that_jumps_changes_nothing(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"

    def backwards() -> None:
        began, calls = time.time(), 0

        def earlier() -> float:
            nonlocal calls
            calls += 1
            return began - 1000.0 * calls

        time.time = earlier
        train(run, *WATCHED)

    shutil.copytree(lives / "cut", run)
    for number, path in enumerate(sorted(run.rglob("*"))):
        os.utime(path, (2e9 - 1000 * number, 2e9 - 1000 * number))
    code = done(backwards, said)
    steps = [event.step for event in _board(run).Scalars("loss/d")]
    good = code == 0 and alike(lives / "watched", run) == [] and steps == [2, 4, 6, 8, 10, 12]
    tally(1, int(good), "nothing: the newest checkpoint is that of the highest step")


# ── a finished run, and logs ────────────────────────────────────────────────────────────────────


@pytest.mark.fault("E2", "the command of a run that is done", "typed again, twice")
def test_a_finished_run_is_left_as_it_is(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said, survived = tmp_path / "run", tmp_path / "said", 0
    shutil.copytree(lives / "watched", run)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()}
    before.pop(run / ".lock", None)
    for _ in range(2):
        code = done(lambda: train(run, *WATCHED), said)
        now = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()}
        now.pop(run / ".lock", None)
        survived += code == 0 and now == before and "is done: 12 of 12" in said.read_text()
    tally(2, survived, "RUN is done: 12 of 12 steps; how to go on, how to start over; exit 0")


def _board(run: Path) -> EventAccumulator:
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    return board


@pytest.mark.fault("E3", "TensorBoard after kills", "kill -9 again and again; its reader")
def test_curves_have_each_step_once_and_in_order(
    lives: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    run, said, chance, kills = tmp_path / "run", tmp_path / "said", random.Random(12), 0
    while kills < times(2, 5):

        def dies() -> None:
            Death(run, chance.randrange(60, 150)).lurk()
            train(run, *WATCHED)

        code = done(dies, said)
        chance.random()
        if code == 0:
            break
        kills += 1
    assert done(lambda: train(run, *WATCHED), said) == 0
    told = [{tag: [e.step for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
            for board in (_board(lives / "watched"), _board(run))]  # fmt: skip
    assert kills > 0
    assert alike(lives / "watched", run) == []
    increasing = all(steps == sorted(set(steps)) for steps in told[1].values())
    tally(kills, kills * (increasing and told[0] == told[1]), "curves without a kink")


@pytest.mark.fault("E4", "TensorBoard can't be written", "its directory is a file, or a full disk")
def test_a_run_goes_on_without_its_curves(lives: Path, tmp_path: Path, tally: Tally) -> None:
    run, said, survived = tmp_path / "run", tmp_path / "said", 0
    shutil.copytree(lives / "cut", run)
    shutil.rmtree(run / "tensorboard")
    (run / "tensorboard").write_text("mine")
    code, told = done(lambda: train(run, *WATCHED), said), said.read_text()
    assert alike(lives / "watched", run) == []
    survived += code == 0 and told.count("warning: no TensorBoard:") == 1

    def full() -> None:
        tmpfs(run / "tensorboard", 4096)
        train(run, *WATCHED)

    shutil.rmtree(run)
    shutil.copytree(lives / "cut", run)
    told = on_its_own_disks(full, said)
    assert alike(lives / "watched", run) == []
    survived += told.count("TensorBoard stops here: No space left on device") == 1
    tally(2, survived, "warning: TensorBoard stops here: …; training goes on")


@pytest.mark.parametrize("name", ["metrics.jsonl", "diagnosis.jsonl"])
@pytest.mark.fault("E4", "rows can't be written for a while", "each row fails once: a full disk")
def test_rows_wait_until_they_can_be_written(name: str, tmp_path: Path, tally: Tally) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    asked = (*WATCHED, "log_every=1")
    if name == "metrics.jsonl":  # which looks go by
        asked += ("diagnose.every=null",)
    opened, failed = Path.open, set[bytes]()

    def flaky(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        file = opened(path, mode, *args, **kwargs)
        return _Flaky(file, failed) if path.name == name and mode == "ab" else file

    def train_flaky() -> None:
        Path.open = flaky  # type: ignore[method-assign]
        train(run, *asked)

    assert done(train_flaky, said) == 0
    train(tmp_path / "straight", *asked)
    told = f"{name}: No space left on device" in " ".join(said.read_text().split())
    good = told and alike(tmp_path / "straight", run) == []
    tally(1, int(good), "FILE: No space left on device; rows wait, training goes on")


class _Flaky:
    """A file that takes nothing the first time."""

    def __init__(self, file: Any, failed: set[bytes]):
        self._file, self._failed = file, failed
        self.close, self.tell, self.truncate = file.close, file.tell, file.truncate

    def write(self, piece: bytes) -> int:
        first = piece.splitlines()[-1:]
        last = bool(first) and b'"step": 12' in first[0]
        if first and not last and first[0] not in self._failed:
            self._failed.add(first[0])
            raise OSError(28, os.strerror(28))
        return int(self._file.write(piece))


# ── sweeps ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.fault("C4", "a torn ledger.json", "what a power failure leaves of it; the same sweep")
def test_a_torn_ledger_is_made_again_from_the_runs(
    tmp_path: Path, times: Times, tally: Tally
) -> None:
    jobs = []
    for number, ended in enumerate(("done", "interrupted", "pending")):
        run = tmp_path / f"seed-{number}"
        jobs.append(Job(f"seed={number}", [f"seed={number}"], str(run)))
        if ended != "pending":
            run.mkdir()
            (run / "run.json").write_text("{}")
            Status(ended, 4, 4).write(run)
    directory, chance = tmp_path / "sweeps" / "a", random.Random(13)
    whole = Ledger.open(directory, "gan train -m", jobs)
    tried, survived = times(7, 70), 0
    data = (directory / "ledger.json").read_bytes()
    for number in range(tried):
        (directory / "ledger.json").write_bytes(data)
        if number % 7 != 5:  # a rotten bit may be another word
            spoil(directory / "ledger.json", number, chance)
        survived += Ledger.open(directory, "gan train -m", jobs).jobs == whole.jobs
    tally(tried, survived, "nothing: what has become of the jobs is read from their runs")
