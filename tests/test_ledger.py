"""The ledger of a sweep: what it keeps, who may write it, and what is believed of it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gan_cli import lock
from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.status import Status
from gan_cli.study.ledger import LEDGER, Job, Ledger


def job(name: str, outputs: Path, **more: object) -> Job:
    overrides = [*name.split(), "steps=10"]
    run = str(outputs / name.replace("=", "-").replace(" ", "+"))
    return Job(name, overrides, run, config=dict(text.split("=") for text in name.split()), **more)  # type: ignore[arg-type]


def ran(job: Job, state: str, step: int = 10) -> None:
    """As if the job's run had ended so."""
    run = Path(job.run)
    run.mkdir(parents=True, exist_ok=True)
    (run / "run.json").write_text("{}")
    Status(state, step, 10).write(run)


@pytest.fixture
def sweep(tmp_path: Path) -> tuple[Path, list[Job]]:
    jobs = [job(f"loss={loss} seed={s}", tmp_path) for loss in ("hinge", "wgan") for s in (0, 1)]
    return tmp_path / "sweeps" / "a", jobs


def states(ledger: Ledger) -> list[str]:
    return [job.state for job in ledger.jobs]


def test_a_plan_is_kept_as_it_was_asked_for(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    assert Ledger.open(directory, "gan train -m", jobs).jobs == jobs
    found = Ledger.read(directory)
    assert found.jobs == jobs
    assert found.command == "gan train -m"
    assert found.counts() == {"pending": 4}
    assert len({found.log(job) for job in jobs}) == 4


def test_what_has_ended_stays_so_and_the_rest_is_as_its_run_tells(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    Ledger.open(directory, "", jobs[:2]).update(
        jobs[0].name, state="done", figures={"fid": 3.0, "step": 10}
    )
    for one, state in zip(jobs, ("done", "failed", "collapsed", "interrupted"), strict=True):
        ran(one, state)
    asked = list[Path]()

    def figures(run: Path) -> dict[str, float]:
        asked.append(run)
        return {"fid": 7.0}

    found = Ledger.open(directory, "", jobs, figures)
    assert states(found) == ["done", "failed", "collapsed", "interrupted"]
    assert found.jobs[0].figures == {"fid": 3.0, "step": 10}
    assert found.jobs[2].figures == {"fid": 7.0}  # ended elsewhere
    assert asked == [Path(jobs[2].run)]


def test_a_run_that_is_gone_is_to_be_made_again(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    Ledger.open(directory, "", jobs).update(jobs[0].name, state="done")
    assert states(Ledger.open(directory, "", jobs)) == ["pending"] * 4


def test_fresh_forgets_what_was(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    ran(jobs[0], "done")
    assert states(Ledger.open(directory, "", jobs)) == ["done", *["pending"] * 3]
    assert states(Ledger.open(directory, "", jobs, fresh=True)) == ["pending"] * 4


def test_another_budget_goes_on_where_the_run_is(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    Ledger.open(directory, "", jobs)
    ran(jobs[0], "done")
    Ledger.open(directory, "", jobs)
    longer = [
        Job(one.name, [*one.overrides[:-1], "steps=20"], f"{one.run}+steps-20") for one in jobs
    ]
    found = Ledger.open(directory, "", longer)
    assert [one.run for one in found.jobs] == [one.run for one in jobs]
    assert states(found) == ["pending"] * 4
    turned = [replace(one, overrides=one.overrides[::-1]) for one in longer[:1]]
    ran(replace(longer[0], run=jobs[0].run), "done")
    assert states(Ledger.open(directory, "", longer))[0] == "done"
    assert states(Ledger.open(directory, "", turned)) == ["done"]  # the same, in another order
    swept = [Job(f"steps={n}", [f"steps={n}"], f"{directory}/{n}") for n in (10, 20)]
    found = Ledger.open(directory, "", swept)
    assert [one.run for one in found.jobs] == [one.run for one in swept]  # these are two runs


def test_a_job_runs_while_somebody_holds_it(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    ledger = Ledger.open(directory, "", jobs)
    claim = ledger.claim(jobs[0])
    with pytest.raises(UserMistake, match="in use by process"):
        ledger.claim(jobs[0])
    for one in jobs[:2]:
        ledger.update(one.name, state="running")
    assert states(Ledger.read(directory)) == ["running", "interrupted", "pending", "pending"]
    assert states(Ledger.open(directory, "", jobs))[0] == "running"  # by another process
    lock_file = lock.hold(Path(jobs[1].run))
    ledger.update(jobs[1].name, state="running")  # its run is held, by a command for it alone
    Status("running", 3, 10).write(Path(jobs[1].run))
    assert states(Ledger.read(directory))[1] == "running"
    os.close(claim)
    os.close(lock_file)
    assert states(Ledger.read(directory))[:2] == ["interrupted"] * 2


def test_changes_of_several_writers_are_all_kept(sweep: tuple[Path, list[Job]]):
    directory, _ = sweep
    many = [job(f"seed={seed}", directory) for seed in range(8)]
    Ledger.open(directory, "", many)

    def write(one: Job) -> None:
        for value in range(5):
            Ledger(directory, "", []).update(one.name, figures={"value": value})

    writers = [threading.Thread(target=write, args=(one,)) for one in many]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [one.figures for one in Ledger.read(directory).jobs] == [{"value": 4}] * 8


def test_runs_and_ledger_can_be_moved_together(sweep: tuple[Path, list[Job]], tmp_path: Path):
    directory, jobs = sweep
    Ledger.open(directory, "", jobs)
    ran(jobs[0], "done")
    tmp_path.rename(moved := tmp_path.with_name(f"{tmp_path.name}-moved"))
    [first, *_] = Ledger.read(moved / "sweeps" / "a").jobs
    assert Path(first.run) == moved / Path(jobs[0].run).name
    moved.rename(tmp_path)


def kept(jobs: str) -> str:
    return f'{{"format": "gan-ledger/1", "command": "", "jobs": {jobs}}}'


JOB = '{"name": "a", "overrides": [], "run": "a"'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"format": "gan-ledger/2", "jobs": []}'),
        *(kept("[1]"), kept('[{"name": "a"}]'), kept("{}{}")),
        kept('[{"name": "a", "overrides": [], "run": 3}]'),
        kept(f'[{JOB}, "state": "\\u001b[31m"}}]'),
        kept(f'[{JOB}, "figures": {{"x": "1"}}}}]'),
        kept(f"[{JOB}}}, {JOB}}}]"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_in_one_line(text: str, tmp_path: Path):
    (tmp_path / LEDGER).write_text(text)
    with pytest.raises(BadFile, match="damaged") as told:
        Ledger.read(tmp_path)
    assert "\n" not in str(told.value)
    assert "\033" not in str(told.value)
    assert (tmp_path / LEDGER).read_text() == text


def test_what_is_not_there_or_not_to_be_written_is_told(tmp_path: Path):
    with pytest.raises(UserMistake, match="holds no sweep"):
        Ledger.read(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskFailure, match="can't be written"):
        Ledger.open(tmp_path / "file", "", [])
    Ledger.open(tmp_path / "a", "", [])
    with pytest.raises(KeyError):
        Ledger.read(tmp_path / "a").update("seed=0", state="done")


def test_the_file_is_json_that_others_read(sweep: tuple[Path, list[Job]]):
    directory, jobs = sweep
    Ledger.open(directory, "gan train -m", jobs)
    found = json.loads((directory / LEDGER).read_text())
    assert found["format"] == "gan-ledger/1"
    assert found["jobs"][0]["run"] == "../../loss-hinge+seed-0"
