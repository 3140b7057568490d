"""`gan list`: the runs there are, and the entries of conf/, without loading what is heavy."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli import cli_list
from gan_cli.cli_entry import Shelf
from gan_cli.cli_list import age, plural, unlike
from gan_cli.errors import UserMistake
from gan_cli.study.ledger import Job, Ledger
from tests.conftest import ROOT, entries
from tests.test_compare import run

GROUPS = Shelf.of(None).groups()


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Three runs of different age, and a sweep of two of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    outputs = tmp_path / "outputs"
    for number, state in enumerate(("done", "failed", "collapsed")):
        path = run(outputs / f"run-{number}", number, {"frechet": 10.0 + number}, state)
        for file in path.iterdir():
            os.utime(file, (1e9 + number, 1e9 + number))
    known = Job("seed=0", ["seed=0"], str(outputs / "run-0"), "done")
    waiting = Job("seed=9", ["seed=9"], str(outputs / "run-9"))
    Ledger.open(outputs / "sweeps" / "mine", "gan train -m", [known, waiting])
    return outputs


def told(capsys, *arguments: str | Path) -> str:
    assert cli_list.main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def table(capsys, *arguments: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(told(capsys, *arguments, "--format", "csv"))))


def test_runs_are_listed_newest_first_with_state_steps_and_figures(here, capsys):
    rows = table(capsys)
    assert [row["run"] for row in rows] == ["run-2", "run-1", "run-0"]
    assert [row["state"] for row in rows] == ["collapsed", "failed", "done"]
    assert rows[0]["figures"] == "frechet 12"
    assert rows[0]["step"] == "100"
    assert [row["reason"] for row in rows] == ["", "x", ""]
    text = told(capsys)
    assert "3 runs: 1 done, 1 failed, 1 collapsed" in text
    assert "sweep outputs/sweeps/mine: 1 pending, 1 done" in text


def test_runs_are_chosen_and_sorted(here, capsys):
    assert [row["run"] for row in table(capsys, "--state", "failed,done")] == ["run-1", "run-0"]
    assert [row["run"] for row in table(capsys, "--sort", "name")] == ["run-0", "run-1", "run-2"]
    assert [row["run"] for row in table(capsys, "--reverse")] == ["run-0", "run-1", "run-2"]
    assert next(row["state"] for row in table(capsys, "--sort", "state")) == "done"
    assert len(table(capsys, "--most", "1")) == 1
    assert "2 more with --most 3" in told(capsys, "--most", "1")
    assert len(table(capsys, "outputs/run-0", "outputs/run-1")) == 2


def test_what_is_broken_stops_no_list(here, capsys):
    (here / "run-0" / "run.json").write_text("{")
    (here / "run-1" / "metrics.jsonl").write_bytes(b"\x00\xff{")
    (here / "sweeps" / "mine" / "ledger.json").write_text("[")
    states = {row["run"]: row["state"] for row in table(capsys)}
    assert states == {"run-0": "unreadable", "run-1": "failed", "run-2": "collapsed"}
    assert "damaged" in told(capsys)


def test_where_there_are_no_runs_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "gan train makes a run" in told(capsys)
    (tmp_path / "outputs").mkdir()
    assert "gan train makes a run" in told(capsys)
    with pytest.raises(UserMistake, match="holds no run"):
        cli_list.main(["outputs"])


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_is_listed_by_its_name_and_its_plural(group, capsys):
    rows = table(capsys, group)
    assert [row["entry"] for row in rows] == [f"{group}={name}" for name in entries(group)]
    assert all(row["what it is"] for row in rows if row["entry"] != "experiment=none"), rows
    assert table(capsys, plural(group)) == rows


def test_plurals_are_english():
    words = {"loss": "losses", "penalty": "penalties", "model": "models", "dynamics": "dynamics"}
    words |= {"auxiliary": "auxiliaries", "hardware": "hardware", "prior": "priors"}
    assert {word: plural(word) for word in words} == words
    assert len({plural(group) for group in GROUPS} | {*GROUPS}) <= 2 * len(GROUPS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lossses"], "losses"),
        (["metrcs"], "metrics"),
        (["losses", "."], "not both"),
        (["--state", "gone"], "no state"),
        (["--sort", "height"], "age"),
    ],
)
def test_mistakes_are_told_with_a_way_out(words, said):
    with pytest.raises(UserMistake, match=said):
        cli_list.main(words)


def test_a_page_of_entries_fits_the_terminal(capsys, monkeypatch):
    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = told(capsys, "losses", "penalties").splitlines()
        assert max(map(len, lines)) <= width
        assert any(line.split()[:1] == ["hinge"] for line in lines)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_list_of_runs_fits_the_terminal(here, capsys, monkeypatch, width):
    run(here / f"loss-{'x' * 120}+seed-1", 1, {"frechet": 1.0})
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, told(capsys).splitlines())) <= width


def seen(name: str, typed: str) -> cli_list.Seen:
    return cli_list.Seen(name, "done", 1, 1, "", 0.0, "", tuple(typed.split()))


def test_long_names_are_told_by_what_they_do_not_share():
    runs = [seen("a", "dataset=ring loss=hinge"), seen("b", "dataset=ring loss=wgan seed=1")]
    assert unlike(runs) == ["loss=hinge", "loss=wgan seed=1"]
    assert unlike(runs[:1]) == ["a"]  # nothing tells it apart but its directory
    assert unlike([*runs, runs[0], seen("c", "dataset=ring")]) == [
        *("a", "loss=wgan seed=1", "a", "c")
    ]


def test_on_a_terminal_reasons_stand_below_the_table(here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = told(capsys, "--state", "failed")
    assert "reason" not in text
    assert "failed: run-1: x" in text.splitlines()


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (119, "119 s"), (300, "5 min"), (7200, "2 h"), (3e5, "3 d")]
)
def test_ages_are_told_in_one_unit(seconds, words):
    assert age(seconds) == words


@pytest.mark.parametrize("words", [["losses"], []])
def test_nothing_heavy_is_loaded(here, words):
    code = (
        "import sys; from gan_cli.cli import main; main(['list', *sys.argv[1:]]);"
        "print(sorted({'torch', 'hydra', 'rich', 'numpy', 'scipy'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
