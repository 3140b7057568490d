"""Long runs: much of everything in one process, and a sweep of which much goes wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks import soak
from gan_cli import state
from gan_cli.cli_sweep_job import figures
from gan_cli.study.ledger import Job, Ledger
from gan_cli.tail import last_row
from tests.faults.nursery import Nursery

pytestmark = pytest.mark.timeout(1800)  # of the whole campaign

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]

WARM = 3
"""Cycles after which nothing may grow any more."""

DEAR = ("train -m", "compare", "report", "list", "evaluate", "list losses", "doctor")
"""What the suite leaves to the whole campaign."""


@pytest.mark.fault("L1", "verbs without end", "one process calls them again and again, in cycles")
def test_nothing_grows(tmp_path: Path, times: Times, tally: Tally, monkeypatch) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # gan serve ends by Ctrl-C
    try:
        left_out = DEAR if times(1, 2) == 1 else ()
        seen = [*soak.cycles(tmp_path, times(7, 20), left_out=left_out)]
    finally:
        signal.signal(signal.SIGINT, before)
    odd = [(name, code) for _, codes, _ in seen for name, code in codes.items()]
    assert not [one for one in odd if soak.odd(*one)]
    helds, objects = [held for held, _, _ in seen[WARM:]], [count for _, _, count in seen[WARM:]]
    assert len({held.handles for held in helds}) == 1, helds
    assert len({held.threads for held in helds}) == 1, helds
    assert objects[-1] - objects[0] < 10 * len(objects)
    half = len(helds) // 2
    least = [min(held.memory for held in part) for part in (helds[:half], helds[half:])]
    assert least[1] < least[0] + 8, [held.memory for held in helds]
    tally(len(seen), len(seen), "nothing: file handles, threads and memory stay as they were")


@pytest.mark.skipif(not soak.RESULTS.exists(), reason="needs the result of benchmarks/soak.py")
@pytest.mark.fault("L1", "an hour of everything", "python benchmarks/soak.py --minutes 60")
def test_an_hour_left_nothing_behind(tally: Tally) -> None:
    found = json.loads(soak.RESULTS.read_text())
    training, cycles = found["training"], found["cycles"]
    assert training["rows"] == training["steps"] > 10_000
    assert training["seen"][-1][0] > 3500
    assert cycles["cycles"] > 100
    tally(1, int(found["well"]), "a row for each step; memory, file handles and threads are flat")


# ── a sweep of which every fifth job fails ──────────────────────────────────────────────────────

FATE = '''
from dataclasses import dataclass

@dataclass(frozen=True)
class Fate:
    """A schedule that is the end of some runs."""
    seed: int

    def __post_init__(self):
        if self.seed % 15 == 4:
            raise ValueError(f"seed={self.seed} has no future")

    def __call__(self, progress):
        if progress >= 0.5 and self.seed % 15 == 7:
            raise RuntimeError(f"a bug of {self.seed}")
        return float("inf") if progress >= 0.5 and self.seed % 15 == 11 else 1.0
'''
STEPS = 8
GAME = [
    *("--config-dir", "mine", "schedule=fate", "dataset=digits", "model=mlp", "model.width=8"),
    *("batch_size=8", f"steps={STEPS}", "log_every=2", "sample_every=100", "checkpoint_every=2"),
    *("diagnose.every=null", "tensorboard=false", "hardware.threads=1", "hardware.device=cpu"),
]
ENDS = {4: "has no future", 7: "a bug of", 11: "nan"}
"""What is said of a job that fails, by its seed modulo 15."""


@dataclass
class Sweep:
    """A sweep over seeds, which is killed and goes on."""

    nursery: Nursery
    place: Path
    words: list[str]
    kept: dict[str, dict[Path, int]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    def go(self, changes: int, seconds: float = 0.0) -> int | None:
        """Run it until its ledger was written so often, and for so long; then kill it at once.

        Its exit code if it ended by itself.
        """
        child, ledger = self.nursery.start(self.words, self.place), self.place / "all/ledger.json"
        seen = _written(ledger)
        while (code := child.poll()) is None and changes:
            time.sleep(0.005)
            if (now := _written(ledger)) != seen:
                changes, seen = changes - 1, now
        if code is None:
            time.sleep(seconds)
            child.kill(signal.SIGKILL)
            code = child.wait()
        assert code in (-signal.SIGKILL, 1), child.err
        self.look()
        return code

    def look(self) -> None:
        """Note the files of what is done; `again` are jobs whose files changed after that."""
        if not (self.place / "all" / "ledger.json").exists():
            return
        for job in Ledger.read(self.place / "all").jobs:
            if job.state == "done":
                now = {p: p.stat().st_mtime_ns for p in Path(job.run).rglob("*.safetensors")}
                if self.kept.setdefault(job.name, now) != now:
                    self.again.append(job.name)


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def check(job: Job, seed: int) -> None:
    """Assert that the ledger tells the truth of a job."""
    run = Path(job.run)
    rows = (run / "metrics.jsonl").read_text().splitlines() if run.exists() else []
    if said := ENDS.get(seed % 15):
        assert (job.state, said in job.reason) == ("failed", True), job
        assert len(rows) < STEPS or seed % 15 == 11
    else:
        assert (job.state, job.reason) == ("done", ""), job
        assert [last_row(run / "metrics.jsonl")["step"], len(rows)] == [STEPS, STEPS]
        assert job.figures == figures(run)
        assert job.figures["step"] == STEPS
    assert job.config == {"seed": str(seed)}


def alike(run: Path, alone: Path) -> None:
    """Assert that a job came to what a single command comes to, bit for bit."""
    one, other = (state.newest(path / "checkpoints") for path in (run, alone))
    assert one is not None
    assert other is not None
    mine, right = one.checkpoint.tensors, other.checkpoint.tensors
    assert all(mine[name].equal(right[name]) for name in right)
    assert (run / "metrics.jsonl").read_bytes() == (alone / "metrics.jsonl").read_bytes()


def swept(nursery: Nursery, place: Path, jobs: int, kills: int, more: list[str]) -> int:
    """Run a sweep that is killed so often; the number of its jobs that are as they should be."""
    (place / "mine" / "schedule").mkdir(parents=True)
    (place / "mine" / "schedule" / "fate.yaml").write_text("_target_: fate.Fate\nseed: ${seed}\n")
    (place / "fate.py").write_text(FATE)
    words = ["train", "-m", *GAME, f"seed=range({jobs})", "outputs=runs", "hydra.sweep.dir=all"]
    sweep, draw = Sweep(nursery, place, [*words, *more]), random.Random(jobs)
    for _ in range(kills):
        if sweep.go(draw.randint(1, 12), draw.uniform(0, 0.1)) == 1:
            break
    assert sweep.go(10**9) == 1
    assert sweep.again == []
    told = {job.name: job for job in Ledger.read(place / "all").jobs}
    assert len(told) == jobs
    good = 0
    for seed in range(jobs):
        try:
            check(told[f"seed={seed}"], seed)
            good += 1
        except AssertionError as error:
            print(told[f"seed={seed}"].reason, error)
    for seed in (0, jobs // 2 + 1, jobs - 1):
        name, alone = f"seed={seed}", ["train", *GAME, f"seed={seed}", f"run_dir=alone{seed}"]
        if seed % 15 not in ENDS:
            child = nursery.run(alone, place)
            assert child.wait() == 0, child.err
            alike(Path(told[name].run), place / f"alone{seed}")
    return good


@pytest.mark.fault(
    "L2",
    "a sweep of 200 jobs, a fifth of which fail, that is killed again and again",
    "refused, an exception, NaN; kill -9 of the sweep at random moments, the same command again",
)
def test_a_sweep_is_finished_whatever_happens(
    nursery: Nursery, tmp_path: Path, times: Times, tally: Tally
) -> None:
    jobs = times(12, 200)
    good = swept(nursery, tmp_path, jobs, times(2, 40), [])
    tally(jobs, good, "failed jobs with their reasons, all others done, none of them trained twice")


@pytest.mark.skipif(os.environ.get("GAN_FAULTS") != "full", reason="only in the whole campaign")
@pytest.mark.fault(
    "L2",
    "the same by two workers of joblib",
    "kill -9 of the sweep with its workers at random moments",
)
def test_two_workers_finish_it_as_well(nursery: Nursery, tmp_path: Path, tally: Tally) -> None:
    more = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    good = swept(nursery, tmp_path, 30, 4, more)
    tally(30, good, "failed jobs with their reasons, all others done, none of them trained twice")
