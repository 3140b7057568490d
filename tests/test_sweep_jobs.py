"""`gan train -m`: what is run, what is not run again, what is told, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from gan_cli import cli_sweep_queue, lock
from gan_cli.aligned import cells
from gan_cli.cli import main
from gan_cli.cli_sweep_job import device
from gan_cli.cli_sweep_plan import study_name
from gan_cli.cli_sweep_show import progress
from gan_cli.cli_train import canonical
from gan_cli.errors import NumericalFailure, Stopped, UserMistake
from gan_cli.status import Status
from gan_cli.study.ledger import Job, Ledger
from tests.conftest import ROOT
from tests.sweeps import Pretended, pretended

__all__ = ["pretended"]

HERE = "hydra.sweep.dir=here"
SWEEP = ["train", "-m", "seed=0,1,2", "steps=4", HERE]


def states() -> dict[str, str]:
    return {job.name: job.state for job in Ledger.read(Path("here")).jobs}


def test_the_plan_is_written_before_the_first_job_and_told_at_the_end(
    pretended: Pretended, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    seen: list[list[str]] = []
    launch = pretended.launch

    def looked(*args: object) -> None:
        seen.append(list(states().values()))
        launch(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sys.modules["gan_cli.train"], "launch", looked)
    assert main(["train", "-m", "loss=wgan,hinge", "seed=0,1", "steps=4", HERE]) == 0
    assert seen[0] == ["running", "pending", "pending", "pending"]
    assert seen[3] == ["done", "done", "done", "running"]
    names = [f"loss={loss} seed={seed}" for loss in ("wgan", "hinge") for seed in (0, 1)]
    assert states() == dict.fromkeys(names, "done")
    told = capsys.readouterr().out
    assert "job 3 of 4 · loss=hinge seed=0 · 2 done\ntrained loss-hinge+seed-0+steps-4\n" in told
    [row] = [line for line in told.splitlines() if line.split()[:3] == ["hinge", "1", "done"]]
    assert row.split() == ["hinge", "1", "done", "4", "1", "4"]  # step, and the last losses
    assert "gan compare here\n" in told
    assert "gan report here\n" in told
    assert (
        Path("here/loss-hinge+seed-0.log")
        .read_text()
        .endswith("trained loss-hinge+seed-0+steps-4\n")
    )
    job = Ledger.read(Path("here")).jobs[0]
    assert job.config == {"loss": "wgan", "seed": "0"}
    assert job.run == "outputs/loss-wgan+seed-0+steps-4"  # where `gan train` alone has it
    assert job.figures == {"step": 4, "loss/d": 1.0, "loss/g": 4.0}


def test_the_same_command_runs_what_is_missing_or_failed(pretended: Pretended):
    pretended.ends[1] = NumericalFailure("loss/g is nan")
    for overrides in (3, 1):
        assert main(SWEEP) == 1
        assert len(pretended.overrides) == overrides
        assert list(states().values()) == ["done", "failed", "done"]
        assert Ledger.read(Path("here")).jobs[1].reason == "loss/g is nan"
    log = Path("here/seed-1.log").read_text()
    assert "Traceback" in log
    assert "error: loss/g is nan" in log
    pretended.ends.clear()
    assert main(SWEEP) == 0
    assert pretended.overrides == [["seed=1", "steps=4"]]
    assert main(SWEEP) == 0
    assert pretended.overrides == []
    assert list(states().values()) == ["done"] * 3


def test_a_run_that_is_there_already_is_not_run_again(pretended: Pretended):
    assert main(["train", "seed=1", "steps=4"]) == 0
    assert main(SWEEP) == 0
    assert len(pretended.overrides) == 1 + 2
    assert main(["train", "-m", "seed=0,1,2,3", "steps=4"]) == 0  # a wider sweep, by its own name
    assert pretended.overrides == [["seed=3", "steps=4"]]
    [wider] = Path("outputs/sweeps").iterdir()
    figures = [job.figures for job in Ledger.read(wider).jobs]
    assert figures == [{"step": 4, "loss/d": 1.0, "loss/g": 4.0}] * 4


def test_a_larger_budget_goes_on_and_fresh_starts_over(pretended: Pretended):
    words = ["train", "-m", "seed=0,1"]
    assert main([*words, "steps=4"]) == 0
    assert main([*words, "steps=6"]) == 0
    [ledger] = Path("outputs/sweeps").iterdir()
    runs = [job.run for job in Ledger.read(ledger).jobs]
    assert runs == ["outputs/seed-0+steps-4", "outputs/seed-1+steps-4"]
    for run in map(Path, runs):
        rows = (run / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(row)["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert main([*words, "steps=6"]) == 0
    assert len(pretended.overrides) == 4
    assert main([*words, "steps=6", "fresh=true"]) == 0
    assert len(pretended.overrides) == 2


@pytest.mark.parametrize(
    ("end", "code"), [(Stopped(signal.SIGTERM, "saved"), 143), (KeyboardInterrupt(), 130)]
)
def test_a_signal_leaves_the_rest_pending_and_the_same_command_goes_on(
    end: BaseException, code: int, pretended: Pretended, capsys: pytest.CaptureFixture[str]
):
    pretended.ends[1] = end
    assert main(SWEEP) == code
    assert list(states().values()) == ["done", "interrupted", "pending"]
    assert "interrupted" in capsys.readouterr().out
    pretended.ends.clear()
    assert main(SWEEP) == 0
    assert len(pretended.overrides) == 2 + 2


def test_a_refused_configuration_is_a_failed_job_in_one_line(
    pretended: Pretended, capsys: pytest.CaptureFixture[str]
):
    pretended.ends[1] = UserMistake("penalty=r1: batch norm\nuse critic_norm=layer")
    assert main(SWEEP) == 1
    job = Ledger.read(Path("here")).jobs[1]
    assert (job.state, job.reason) == ("failed", "penalty=r1: batch norm use critic_norm=layer")
    assert not Path(job.run).exists()
    told = capsys.readouterr().err
    assert "error: 1 of 3 jobs failed" in told
    assert told.count("batch norm") == 1  # below the table it is told once, and as it happened
    assert "Traceback" not in Path("here/seed-1.log").read_text()


def test_what_comes_to_the_same_run_is_one_job(pretended: Pretended):
    assert main(["train", "-m", "optimizer.lr=1e-3,0.001", "seed=0,0,1", "steps=1", HERE]) == 0
    assert list(states()) == ["seed=0", "seed=1"]
    assert pretended.overrides == [
        ["optimizer.lr=0.001", f"seed={seed}", "steps=1"] for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1e7", "1e7"),
        ("10000000.0", "1e7"),
        ("1e-3", "0.001"),
        ("3000000", "3000000"),
        ("0.0", "0.0"),
    ],
)
def test_a_number_is_spelled_in_one_way_that_is_read(typed: str, meant: str):
    assert canonical([f"a={typed}"]) == [f"a={meant}"] == canonical([f"a={meant}"])


def test_a_study_is_named_by_what_it_varies_and_all_that_was_typed():
    varied, fixed = ["seed=0,1", "loss=hinge,wgan"], ["dataset=ring", "model=mlp_toy"]
    named = study_name(varied, fixed)
    assert named.startswith("loss-hinge-wgan+seed-0-1+")
    assert "ring" not in named
    assert study_name(varied[::-1], fixed[::-1]) == named
    assert study_name(varied, ["dataset=digits", *fixed[1:]]) != named
    assert study_name(varied, ["experiment=x", *fixed]).startswith("experiment-x+loss-hinge-wgan+")
    assert len(study_name([f"loss={'a,' * 200}b"], fixed)) < 100


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_line_of_a_job_that_runs_fits(width: int, tmp_path: Path):
    job = Job("loss=nonsaturating optimizer.lr=0.001 seed=1", [], str(tmp_path), "running")
    assert cells(progress(job, width)) <= width
    Status("running", 20000, 30000).write(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"step": 20000, "loss/d": 1.25}\n')
    claim = lock.hold(tmp_path)
    line = progress(job, width)
    os.close(claim)
    assert cells(line) <= width
    assert "20,000/30,000" in line or width == 20


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seed=0,1", "run_dir=x"], "each job of a sweep has a directory of its own; outputs=DIR"),
        (["run_dir=x,y"], "each job of a sweep has a directory of its own"),
        (["data_root=a,b"], "would be one run"), (["outputs=a,b"], "would be one run"),
        (["optimizer.lr=interval(0,1)"], "gan tune searches intervals"),
        (["seed=0,1", "hydra/launcher=submitit_slurm"], "no sbatch here"),
    ],
)  # fmt: skip
def test_what_can_not_be_a_sweep_is_refused_before_anything(
    words: list[str], told: str, pretended: Pretended,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setenv("PATH", os.devnull)
    assert main(["train", "-m", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert pretended.calls == []
    assert list(Path().iterdir()) == []


def test_a_dry_run_shows_the_plan_and_what_slurm_would_be_given(
    pretended: Pretended, capsys: pytest.CaptureFixture[str]
):
    assert main([*SWEEP[:2], "--dry-run", *SWEEP[2:]]) == 0
    told = capsys.readouterr().out
    assert told.count("pending") == 3
    assert "#SBATCH" not in told
    words = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=long"]
    more = ["hydra.launcher.timeout_min=90", "hydra.launcher.gpus_per_node=1"]
    assert main([*SWEEP, *words, *more, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in ("--array=0-2%3", "--partition=long", "--time=90", "--signal=USR2@120"):
        assert f"#SBATCH {line}" in lines
    assert "#SBATCH --gpus-per-node=1" in lines
    assert f" -u -m submitit.core._submit {Path('here').absolute()}/.submitit" in lines[-1]
    assert not Path("here/ledger.json").exists()
    assert main(["train", "--dry-run"]) == 2
    assert "add -m" in capsys.readouterr().err


def test_a_launcher_that_is_not_installed_is_named_with_its_extra(
    pretended: Pretended, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cli_sweep_queue, "PACKAGES", {"joblib": "hydra_plugins.no_such"})
    assert main(["train", "-m", "seed=0,1", "hydra/launcher=joblib"]) == 2
    assert capsys.readouterr().err == (
        "error: hydra/launcher=joblib needs an extra: pip install 'gan-cli[sweep]'\n"
    )


def test_devices_are_taken_in_turn_unless_one_is_asked_for():
    assert [device("auto", n, 2) for n in range(4)] == ["cuda:0", "cuda:1"] * 2
    assert [device("cuda", n, 3) for n in range(4)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]
    for count in (0, 1):
        assert device("auto", 5, count) == "auto"
    for asked in ("cpu", "mps", "cuda:1"):
        assert device(asked, 0, 4) == asked


def test_a_process_that_was_killed_leaves_a_job_that_can_go_on(pretended: Pretended):
    pretended.ends[1] = KeyboardInterrupt()
    assert main(SWEEP) == 130
    pretended.ends.clear()
    Ledger.read(Path("here")).update("seed=1", state="running", ended="")  # as kill -9 leaves it
    assert main(SWEEP) == 0
    assert list(states().values()) == ["done"] * 3


def test_a_job_that_another_process_has_is_left_to_it(
    pretended: Pretended, capsys: pytest.CaptureFixture[str]
):
    pretended.ends[0] = KeyboardInterrupt()
    assert main(SWEEP) == 130
    ledger = Ledger.read(Path("here"))
    claim = ledger.claim(ledger.jobs[0])
    ledger.update("seed=0", state="running")
    pretended.calls.clear()
    assert main(SWEEP) == 0
    os.close(claim)
    assert [job[0] for job in pretended.overrides] == ["seed=1", "seed=2"]
    told = capsys.readouterr().out
    assert "another process runs seed=0: the jobs are shared with it" in told
    assert "job 1 of 3 · seed=0 · another process runs it" in told


def test_every_fifth_of_many_jobs_fails(pretended: Pretended):
    pretended.ends = {seed: NumericalFailure(f"nan {seed}") for seed in range(0, 10, 5)}
    assert main(["train", "-m", "seed=range(0,10)", "steps=1", HERE]) == 1
    jobs = Ledger.read(Path("here")).jobs
    assert [job.state for job in jobs] == ["failed" if n % 5 == 0 else "done" for n in range(10)]
    assert [job.reason for job in jobs if job.reason] == ["nan 0", "nan 5"]


SMALL = ["model=mlp", "model.width=8", "steps=2", "tensorboard=false", "outputs=out", HERE]


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Processes that this one starts find gan as this one does; those that wait are ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.training
def test_jobs_side_by_side_make_the_runs_that_they_make_alone(
    workers: None, capsys: pytest.CaptureFixture[str]
):
    jobs = ["optimizer.lr=1e-3,1e30", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert main(["train", "-m", *SMALL, *jobs]) == 1
    good, bad = Ledger.read(Path("here")).jobs
    assert (good.state, bad.state) == ("done", "failed")
    assert "nan" in bad.reason
    assert "✓ optimizer.lr=0.001  done" in capsys.readouterr().out
    assert "threads: 1" in (Path(good.run) / "config.yaml").read_text()
    assert good.run.startswith("out/model-mlp+model.width-8+optimizer.lr-0.001")
    assert "training" in Path("here/optimizer.lr-0.001.log").read_text()


@pytest.mark.training
def test_submitit_gives_each_job_a_process(workers: None):
    words = ["optimizer.lr=1e30", "hydra/launcher=submitit_local"]
    assert main(["train", "-m", *SMALL, *words]) == 1
    [job] = Ledger.read(Path("here")).jobs
    assert job.state == "failed"
    assert "nan" in job.reason
    assert "threads: 1" in (Path(job.run) / "config.yaml").read_text()
    assert (Path("here") / f"{job.file}.log").is_file()
