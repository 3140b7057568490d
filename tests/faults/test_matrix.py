"""The matrix is whole: every row has a test, and the page shows what the campaign found."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from tests.faults import matrix

HERE = Path(__file__).parent


def claimed() -> set[str]:
    """The rows that a test of this directory says it is of."""
    modules = [path.stem for path in HERE.glob("test_*.py") if path != Path(__file__)]
    found = set()
    for module in modules:
        for test in vars(import_module(f"tests.faults.{module}")).values():
            for mark in getattr(test, "pytestmark", []):
                cases = mark.args[1] if mark.name == "parametrize" else []
                marks = [mark, *(one for case in cases for one in getattr(case, "marks", []))]
                found |= {one.args[0] for one in marks if one.name == "fault"}
    return found


def test_every_row_is_tested_and_every_test_is_of_a_row():
    assert claimed() == {name for names in matrix.ROWS.values() for name in names}


def test_the_page_shows_the_results_of_the_campaign():
    rows = json.loads(matrix.RESULTS.read_text())
    assert {row["id"] for row in rows} == claimed()
    assert all(row["tried"] == row["survived"] > 0 for row in rows)
    page = matrix.PAGE.read_text()
    shown = page.partition(matrix.BEGIN)[2].partition(matrix.END)[0]
    assert shown.strip() == matrix.table(rows)


def told(**changes: object) -> str:
    row = {"id": "C1", "fault": "a", "injection": "b", "test": "t", "tried": 2, "survived": 2}
    return json.dumps({**row, "sees": "x", **changes})


def test_counts_of_tests_are_added_and_the_last_campaign_of_a_test_stands():
    lines = [told(tried=1, survived=1), told(), told(test="u", tried=5, survived=4), told(id="S1")]
    first, second = matrix.gathered(lines)
    assert (first["id"], first["tried"], first["survived"]) == ("C1", 7, 6)
    assert (second["id"], second["tried"]) == ("S1", 2)
    assert "| C1" in matrix.table([first, second])
    assert "### Signals" in matrix.table([first, second])


@pytest.mark.fault("C1", "", "")
def test_a_fault_that_was_not_survived_fails_its_test(tally, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_TALLY", str(tmp_path / "tally"))
    with pytest.raises(AssertionError, match='"survived": 1'):
        tally(2, 1, "")
    with pytest.raises(AssertionError):
        tally(0, 0, "")
    assert len((tmp_path / "tally").read_text().splitlines()) == 2
