"""`gan tune`: the space as it is typed, the search, what fails, what is given up, what is luck."""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_cli import cli_tune, tune
from gan_cli.best import Watcher
from gan_cli.cli import main
from gan_cli.cli_compose import Composer, Sources
from gan_cli.cli_tune_space import read
from gan_cli.errors import NumericalFailure, Stopped
from gan_cli.record import Record
from gan_cli.run import Run
from gan_cli.scores import Measured, Protocol, Scores
from gan_cli.status import Telling
from gan_cli.study.folder import find
from gan_cli.study.ledger import Ledger
from gan_cli.tune import study
from gan_cli.tune.space import Among, Between
from tests.conftest import ROOT
from tests.sweeps import quick

LR = "optimizer.lr=tag(log,interval(1e-5,1e-1))"
RING = ["dataset=ring", "steps=40", "evaluate_every=10", "tensorboard=false"]
PROTOCOL = Protocol("ring", "0", "all", 9, 9, "raw", "0", "none", "raw", "none", {"divergence": {}})


class Pretence:
    """Trains nothing: `js` is the distance of log10(lr) from -3, and falls with the steps.

    `trouble` is asked before each measurement, and may raise.
    """

    def __init__(self) -> None:
        self.trouble: Callable[[dict[str, Any], int], None] = lambda config, step: None
        self.refused = ""
        self.ran: list[list[str]] = []

    def __call__(
        self,
        config: dict[str, Any],
        choices: dict[str, str],
        overrides: list[str],
        argv: list[str],
        watcher: Watcher | None = None,
    ) -> None:
        self.ran.append(overrides)
        steps = config["steps"]
        with (
            Run.open(config, choices, overrides, argv) as run,
            Telling(run.dir, 0, steps),
            (run.dir / "evaluations.jsonl").open("a") as file,
        ):
            for step in range(10, steps + 1, 10):
                self.trouble(config, step)
                luck = 0.001 * (config["seed"] % 3)
                value = abs(math.log10(config["optimizer"]["lr"]) + 3) + luck + 1 / step
                scores = self.scores(value)
                row = {"step": step, "scores": json.loads(scores.to_json())}
                file.write(f"{json.dumps(row)}\n")
                file.flush()
                if watcher is not None and watcher(step, scores):
                    return

    def scores(self, value: float) -> Scores:
        told = {"js": Measured(value, None, None, None, "divergence", "JS", -1)}
        figures = {} if self.refused else told
        refused = {"divergence": self.refused} if self.refused else {}
        return Scores(PROTOCOL, figures, refused, "none", 0, {})


@pytest.fixture
def pretence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretence:
    found = Pretence()
    quick(monkeypatch)
    monkeypatch.setattr("gan_cli.train.launch", found)
    monkeypatch.setattr("gan_cli.record._git", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return found


def go(*words: str, name: str = "a") -> int:
    return main(["tune", *RING, *words, "--name", name])


def ledger(name: str = "a") -> Ledger:
    return Ledger.read(Path("outputs/sweeps") / name)


def tried(name: str = "a") -> list[dict[str, Any]]:
    """What each job of the ledger differed in."""
    return [job.config for job in ledger(name).jobs]


SPACES = [
    {
        LR: Between(1e-5, 1e-1, log=True),
        "batch_size=interval(8,64)": Between(8, 64, whole=True),
        "n_critic=range(1,6,2)": Between(1, 5, step=2, whole=True),
        "top_k=range(0.5,1,0.25)": Between(0.5, 0.75, step=0.25),
        "loss=wgan_gp,hinge": Among(("wgan_gp", "hinge")),
    },
    {
        "optimizer.lr=interval(0,1)": Between(0.0, 1.0),
        "batch_size=tag(log,int(interval(8,64)))": Between(8, 64, log=True, whole=True),
        "loss=choice(wgan_gp,hinge)": Among(("wgan_gp", "hinge")),
        "penalty=[none],[r1_toy]": Among(("[none]", "[r1_toy]")),
    },
]


@pytest.mark.parametrize("spaces", SPACES)
def test_the_grammar_is_that_of_sweeps(spaces: dict[str, object]):
    found = read(Composer(Sources(), []), ["dataset=ring", *spaces])
    assert found.space == {text.partition("=")[0]: meant for text, meant in spaces.items()}
    assert found.fixed == ["dataset=ring"]


def test_a_file_can_say_what_is_searched_and_the_command_line_wins():
    words = ["experiment=grid25_search", "loss=wgan_gp", "optimizer.lr=interval(0.1,0.2)"]
    found = read(Composer(Sources(), words), words)
    assert found.fixed == words[:2]
    assert "loss" not in found.space
    assert found.space["optimizer.lr"] == Between(0.1, 0.2)
    assert not found.default  # 2e-4 is no such rate


WRONG = {
    "steps=5": "nothing is to be searched",
    "optimizer.lr=interval(1,0)": "an interval goes from a number to a larger one",
    "optimizer.lr=tag(log,interval(0,1))": "a logarithmic interval begins above 0",
    "batch_sise=interval(1,9)": "did you mean batch_size=",
    "loss=hinge,wgn": "did you mean loss=wgan?",
    "loss=hinge,hinge": "a value stands there twice",
    "batch_size=interval(0.5,8)": "batch_size wants a whole number",
    "seed=1,2": "seed is no setting to search for",
    "hydra.sweeper.params.a=1": "gan tune searches by itself",
    "resume=outputs/x": "the same command continues a search",
    "run_dir=a,b": "each trial has a directory of its own",
    "optimizer.lr=interval(": "is missing",
    "batch_size=range(8,4)": "goes up",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_space_is_refused_in_one_line(text: str, pretence: Pretence, capsys):
    assert main(["tune", "dataset=ring", text]) == 2
    told = capsys.readouterr().err
    assert WRONG[text] in told
    assert len(told.splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize("words", [["--figure", "fid"], ["--trials", "0"], ["--name", "a/b"]])
def test_so_is_a_wrong_option(words: list[str], pretence: Pretence, capsys):
    assert main(["tune", *RING, LR, *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_optuna_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli_tune, "find_spec", lambda name: None)
    assert main(["tune", LR]) == 2
    assert "pip install 'gan-cli[tune]'" in capsys.readouterr().err


@pytest.mark.parametrize("sampler", tune.SAMPLERS)
def test_every_sampler_searches_as_a_function_of_the_seed(sampler: str, tmp_path: Path):
    space = {"a": Between(-1.0, 1.0), "b": Among(("x", "y"))}

    def search(name: str, seed: int, most: int = 14) -> list[tuple[float, str]]:
        aim = tune.Aim("js", -1)
        found = study.Search.open(tmp_path / name, aim, space, {"a": 0.9, "b": "x"}, [], seed)
        found.guide(sampler, "none", 0)
        tried = []
        while taken := found.take(most):
            a, b = float(taken.values["a"]), taken.values["b"]
            tried.append((a, b))
            found.done(taken, abs(a - 0.3) + (b == "x"))
        return tried

    first = search("one", 0)
    assert first[0] == (0.9, "x")
    assert search("two", 0) == first
    assert search("three", 1, 3)[1:] != first[1:3]
    if sampler != "random":
        assert sum(abs(a - 0.3) for a, _ in first[11:]) < sum(abs(a - 0.3) for a, _ in first[1:4])


def test_it_finds_a_better_rate_than_the_default(pretence: Pretence, capsys):
    assert go(LR, "--trials", "14") == 0
    told = capsys.readouterr().out
    best = re.search(r"the best: (gan train .*)", told)
    assert best is not None
    rate = float(best[1].rpartition("=")[2])
    assert abs(math.log10(rate) + 3) < abs(math.log10(2e-4) + 3)  # adam's, which is the first trial
    assert pretence.ran[0] == [*RING, "metric=[divergence,modes]"]
    assert tried()[0] == {"optimizer.lr": "0.0002"}
    folders = find(["outputs/sweeps/a"])
    assert len(folders) == len(pretence.ran) == 14
    first, rate = " ".join(RING), tried()[1]["optimizer.lr"]
    typed = f"gan train {first} 'metric=[divergence,modes]' optimizer.lr={rate}"
    assert folders[1].record.command == typed


def test_a_search_that_goes_on_asks_what_one_that_never_stopped_asks(pretence: Pretence, capsys):
    space = [LR, "loss=hinge,nonsaturating", "batch_size=interval(8,64)"]
    assert go(*space, "--trials", "5", name="parts") == 0
    assert go(*space, "--trials", "13", name="parts") == 0
    assert len(pretence.ran) == 13
    assert go(*space, "--trials", "13", name="whole") == 0
    assert tried("whole") == tried("parts")
    assert go(*space, "--trials", "3", "--seed", "1", name="other") == 0
    assert tried("other")[0] == tried("whole")[0]
    assert tried("other")[1] != tried("whole")[1]


def test_a_trial_that_was_stopped_is_taken_up_again(pretence: Pretence, capsys):
    def stop(config: dict[str, Any], step: int) -> None:
        if len(pretence.ran) == 3 and step == 20:
            raise Stopped(signal.SIGINT, "stopped and saved at step 20; the same command goes on")

    pretence.trouble = stop
    assert go(LR, "--trials", "4") == 130
    assert "unfinished" in capsys.readouterr().out
    assert [job.state for job in ledger().jobs] == ["done", "done", "interrupted"]
    stopped = tried()[2]
    assert go(LR, "--trials", "4") == 0
    assert pretence.ran[3] == pretence.ran[2]
    assert tried()[2] == stopped
    assert [job.state for job in ledger().jobs] == ["done"] * 4


@pytest.mark.parametrize("pruner", tune.PRUNERS[1:])
def test_hopeless_runs_are_given_up_and_the_default_never_is(
    pruner: str, pretence: Pretence, capsys
):
    words = [LR, "--trials", "16", "--pruner", pruner, "--warm-up", "20"]
    assert go(*words) == 0
    jobs = ledger().jobs
    given_up = [job for job in jobs if "pruned at step" in job.reason]
    assert 0 < len(given_up) < 12
    assert all(job.state == "done" for job in jobs)
    assert jobs[0] not in given_up
    steps = [find([job.run])[0].evaluations[-1][0] for job in given_up]
    assert {20, 30} >= {*steps}
    told = capsys.readouterr().out
    best = min(job.figures["js"] for job in jobs if job not in given_up)
    assert f"{best:.4g}" in told.partition("trial  ")[2].splitlines()[2]  # the first row


def test_what_fails_is_a_result_and_the_others_go_on(pretence: Pretence, capsys):

    def run_away(config: dict[str, Any], step: int) -> None:
        if "Hinge" in config["loss"]["_target_"]:
            raise NumericalFailure("loss/d is nan at step 7")

    pretence.trouble = run_away
    assert go("loss=nonsaturating,hinge", LR, "--trials", "8") == 0
    states = {(job.state, job.config["loss"]) for job in ledger().jobs}
    assert states == {("done", "nonsaturating"), ("failed", "hinge")}
    told = capsys.readouterr()
    assert "failed: loss/d is nan at step 7" in told.out
    assert "error: loss/d is nan" in told.err


def test_where_all_fails_it_ends(pretence: Pretence, capsys):
    def fail(config: dict[str, Any], step: int) -> None:
        raise RuntimeError("no memory")

    pretence.trouble = fail
    assert go(LR, "--trials", "9") == 1
    assert "the first 5 trials all failed, the last by: no memory" in capsys.readouterr().err
    assert len(pretence.ran) == 5


def test_a_figure_that_is_refused_fails_the_trial_with_its_reason(pretence: Pretence, capsys):
    pretence.refused = "the modes have shrunk"
    assert go(LR, "--trials", "2") == 1
    assert "no js at the end: the modes have shrunk" in capsys.readouterr().out


def test_a_default_outside_of_the_space_is_run_beside(pretence: Pretence, capsys):
    assert go("optimizer.lr=tag(log,interval(1e-3,1e-1))", "--trials", "3") == 0
    told = capsys.readouterr().out
    assert "the default lies outside of what is searched" in told
    assert re.search(r"^default +\d", told, re.MULTILINE)
    assert pretence.ran[0] == [*RING, "metric=[divergence,modes]"]


def test_the_winner_is_held_against_the_default_over_fresh_seeds(pretence: Pretence, capsys):
    assert go(LR, "--trials", "6", "--confirm", "3") == 0
    told = capsys.readouterr().out
    assert "partly the luckiest" in told
    assert re.search(r"3 pairs: -\d.*: better", told)
    assert [job.config.get("seed") for job in ledger().jobs[6:]] == [1, 1, 2, 2, 3, 3]
    before = len(pretence.ran)
    assert before == 12


def test_another_search_of_that_name_is_refused(pretence: Pretence, capsys):
    assert go(LR, "--trials", "1") == 0
    assert go("loss=hinge,wgan", "--trials", "1") == 2
    assert "holds another search (searched: " in capsys.readouterr().err


def test_a_damaged_study_is_told(pretence: Pretence, capsys):
    assert go(LR, "--trials", "2") == 0
    path = Path("outputs/sweeps/a") / study.FILE
    path.write_text("{" + path.read_text())
    assert go(LR, "--trials", "3") == 4
    assert "damaged" in capsys.readouterr().err


def test_intervals_hold_what_may_be_tried():
    with pytest.raises(ValueError, match="logarithmic"):
        Between(1.0, 2.0, log=True, step=0.5)
    steps = Between(0.0, 1.0, step=0.1)
    assert all(steps.holds(k / 10) for k in range(11))
    assert not steps.holds(0.55)
    assert not steps.holds(1.1)
    whole = Between(1, 8, whole=True)
    assert whole.holds(3)
    assert not whole.holds(3.5)
    assert not whole.holds(True)


TINY = ["dataset=ring", "steps=4", "evaluate_every=2", "evaluate_n=20", "tensorboard=false"]
TINY += ["metric=[modes]", "batch_size=4", "model.width=8", "hardware.threads=1"]


@pytest.mark.training
def test_several_processes_share_a_study_that_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ["tune", *TINY, LR, "--trials", "2", "--figure", "quality_gap", "--name", "a"]
    assert main([*words, "--workers", "2"]) == 0
    told = capsys.readouterr().out
    assert all(f"trial {n}: quality_gap" in told for n in (1, 2))
    jobs = ledger().jobs
    assert [job.state for job in jobs] == ["done"] * 2
    assert sorted(map(len, (Record.read(Path(job.run)).overrides for job in jobs))) == [
        *(len(TINY), len(TINY) + 1)
    ]
    assert all((Path(job.run) / "generator.safetensors").is_file() for job in jobs)
    assert main(words) == 0
    assert capsys.readouterr().out.partition("trial  ")[2] == told.partition("trial  ")[2]
