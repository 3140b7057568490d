"""`gan lab`: what it lists, what it runs, what it writes, and its exit codes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from gan_cli import cli_lab
from gan_cli.errors import UserMistake
from gan_cli.lab import Claim, Picture, Report, Table, above, below, close, same
from gan_cli.lab.report import lines, markdown, results, save, show, strict, verdict
from tests.conftest import ROOT

TABLE = Table("Numbers", ("name", "value"), (("a|b", 0.123456789), ("c", None), ("d", math.nan)))
REPORT = Report(
    "A trial",
    (TABLE,),
    (Picture("dot.png", b"\x89PNG", "a dot"),),
    (close("near", 1.0, 1.01, 0.02), below("small", 2.0, 1.0)),
    "What it means.",
)
FAILED = Report("A failure", (), (), (Claim("this", 1.0, 2.0, False),), "Nothing.")


def fake(report: Report) -> SimpleNamespace:
    def run(quick, seed, say):
        say(f"quick {quick} seed {seed}")
        return report

    return SimpleNamespace(run=run)


def test_every_experiment_says_what_it_asks_and_whose_it_is():
    known = cli_lab.experiments()
    assert {"dirac", "optimal-d", "disjoint", "fgan"} <= known.keys()
    for name, question in known.items():
        assert question.endswith("."), name
        assert len(question) <= 90, name
        path = ROOT / "gan_cli" / "lab" / f"{name.replace('-', '_')}.py"
        assert "arXiv" in path.read_text("utf-8"), name


def test_it_lists_the_experiments_without_torch(gan):
    done = gan("lab", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    for name, question in cli_lab.experiments().items():
        assert f"{name} " in done.stdout
        assert question in done.stdout
    assert " torch\n" not in done.stderr
    assert " rich\n" not in done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("dirca", "dirac"), ("optimal_dd", "optimal-d"), ("DISJOINTS", "disjoint"), ("alll", "all")],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(typed: str, meant: str):
    with pytest.raises(UserMistake, match=f"did you mean `gan lab {meant}`"):
        cli_lab.main([typed])


def test_what_cannot_be_meant_is_refused(gan):
    assert gan("lab", "xyzzy").returncode == 2
    assert gan("lab", "dirac", "--seed", "-1").returncode == 2
    assert gan("lab", "dirac", "--fast").returncode == 2


def test_an_experiment_is_written_down_and_told(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(cli_lab, "load", lambda name: fake(REPORT))
    assert cli_lab.main(["Optimal_D", "--quick", "--seed", "3", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "quick True seed 3" in told
    assert "| near" in told
    assert "2 of 2 claims hold" in told
    assert (tmp_path / "dot.png").read_bytes() == b"\x89PNG"
    kept = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert kept["command"] == "gan lab optimal-d --quick --seed 3"
    assert kept["holds"] is True
    assert kept["tables"][0]["rows"] == [["a|b", 0.123456789], ["c", None], ["d", None]]
    assert kept["claims"][0] == {"claim": "near", "known": 1.0, "seen": 1.01, "holds": True}
    assert (tmp_path / "table.md").read_text("utf-8").startswith("# A trial\n")


def test_a_claim_that_does_not_hold_is_exit_code_1(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(cli_lab, "load", lambda name: fake(FAILED))
    assert cli_lab.main(["dirac", "--out", str(tmp_path)]) == 1
    assert "does not hold" in capsys.readouterr().out


def test_all_runs_every_experiment_into_a_directory_of_its_own(tmp_path, monkeypatch, capsys):
    reports = dict.fromkeys(cli_lab.experiments(), REPORT) | {"fgan": FAILED}
    monkeypatch.setattr(cli_lab, "load", lambda name: fake(reports[name]))
    assert cli_lab.main(["all", "--out", str(tmp_path)]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(reports)
    assert "claims that do not hold: fgan" in capsys.readouterr().out


def test_a_report_without_a_terminal_is_markdown_with_aligned_columns():
    drawn = lines(TABLE)
    assert len({len(line) for line in drawn}) == 1
    assert drawn[0] == "| name |  value |"
    assert drawn[2] == "| a\\|b | 0.1235 |"
    text = markdown(REPORT)
    assert "![a dot](dot.png)" in text
    assert "What it means." in text


def test_the_same_report_is_the_same_file(tmp_path: Path):
    for name in ("a", "b"):
        save(REPORT, tmp_path / name, {"command": "gan lab trial"})
    kept = [(tmp_path / name / "results.json").read_bytes() for name in ("a", "b")]
    assert kept[0] == kept[1]
    assert strict(results(REPORT))


def test_claims_compare():
    assert close("", 1.0, 1.015, 0.02).holds
    assert not close("", 1.0, 1.03, 0.02).holds
    assert not close("", 1.0, math.nan, 0.02).holds
    assert below("", 1.0, 0.9).holds
    assert not below("", 1.0, 1.0).holds
    assert above("", 1.0, 1.1).holds
    assert not same("", "yes", "no").holds
    assert verdict(FAILED).rows == (("this", 1.0, 2.0, "does not hold"),)


def test_numbers_are_shown_as_they_are_read():
    assert show(0.000123456, 3) == "0.000123"
    assert [show(True, 4), show(None, 4), show(12, 4)] == ["yes", "", "12"]
    with pytest.raises(ValueError, match="cells under"):
        Table("t", ("a", "b"), (("x",),))


@pytest.mark.training
@pytest.mark.timeout(400)  # a minute of one core, on a machine that may be crowded
@pytest.mark.parametrize("name", sorted(cli_lab.experiments()))
def test_every_claim_holds_in_a_minute(name: str, tmp_path: Path, capsys):
    assert cli_lab.main([name, "--quick", "--out", str(tmp_path)]) == 0
    assert list(tmp_path.glob("*.png"))
    assert json.loads((tmp_path / "results.json").read_text("utf-8"))["holds"] is True


@pytest.mark.training
def test_the_numbers_are_the_same_twice(tmp_path: Path, capsys):
    for run in ("a", "b"):
        cli_lab.main(["disjoint", "--quick", "--out", str(tmp_path / run)])
    one, other = ((tmp_path / run / "results.json").read_text("utf-8") for run in ("a", "b"))
    assert one == other


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserMistake, match="--out DIR"):
        cli_lab.main(["dirac", "--quick", "--out", str(tmp_path / "file")])
    (tmp_path / "results.json").write_text('{"command": "gan lab fgan --quick"}')
    with pytest.raises(UserMistake, match="has the results of gan lab fgan"):
        cli_lab.main(["dirac", "--quick", "--out", str(tmp_path)])
