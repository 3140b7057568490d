"""Tables in every form: a cell stays a cell, and a narrow terminal loses nothing unsaid."""

from __future__ import annotations

import csv
import io
import math
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.aligned import cells
from gan_cli.strict import clean
from gan_cli.written import FORMS, number, setting, write

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1)",
    "-2+3",
    "\t=1",
    "a\x1b[31mb",
    "<script>alert(1)</script>",
    "a|b",
    "a & b \\\\ c % d $x$ #_{}",
    "line\nbreak",
    "[link](http://x) `code` *bold*",
    "日本語",
    'say "no"',
]


class Cells(HTMLParser):
    """The tags of a page and the text of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data.rstrip("\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_form_lets_a_cell_be_more_than_a_cell(form, text):
    told = write([text, "n"], [[text, 1], ["plain", 2]], form, notes=[text])
    assert "\x1b" not in told
    assert "\t" not in told
    plain = write(["x", "n"], [["x", 1], ["plain", 2]], form, notes=["x"])
    assert len(told.splitlines()) == len(plain.splitlines())  # nothing breaks a line


@pytest.mark.parametrize("text", HOSTILE)
def test_a_spreadsheet_takes_no_cell_for_a_formula(text):
    read = list(csv.reader(io.StringIO(write([text], [[text], [text]], "csv"))))
    for (cell,) in read:
        assert not cell.lstrip().startswith(("=", "+", "-", "@")), cell
        assert cell.removeprefix("'") == clean(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_browser_reads_the_cells_back_and_makes_no_tag_of_them(text):
    page = Cells()
    page.feed(write([text], [[text]], "html"))
    assert page.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.texts == [clean(text), clean(text)]


def test_latex_and_markdown_signs_are_escaped():
    assert write(["a_b"], [["50% & $1"]], "latex").splitlines()[3] == r"a\_b \\"
    assert r"50\% \& \$1 \\" in write(["a_b"], [["50% & $1"]], "latex")
    assert r"$-$0.3 to +0.4 & 1e-4 \\" in write(["a", "b"], [["-0.3 to +0.4", "1e-4"]], "latex")
    assert r"{[}x{]}" in write(["a"], [["[x]"]], "latex")  # no argument of the \\ before it
    assert r"| a\|b\_c \<b\> |" in write(["h"], [["a|b_c <b>"]], "markdown")


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_csv_keeps_every_digit(values):
    read = list(csv.reader(io.StringIO(write(["x"], [[value] for value in values], "csv"))))
    assert [float(cell) for (cell,) in read[1:]] == values


WORDS = st.text("abcdefgh =日_|", min_size=1, max_size=40)


@given(st.lists(st.tuples(WORDS, WORDS, st.floats(0, 1e6)), min_size=1, max_size=4),
       st.integers(30, 120))  # fmt: skip
def test_a_table_fits_and_says_what_it_leaves_out(rows, width):
    headers = ["name", "words", "value"]
    lines = write(headers, rows, "text", width).splitlines()
    assert max(map(cells, lines)) <= width
    for header in headers:
        assert header in lines[0] or any(header in line for line in lines[-2:])


def test_columns_are_aligned_numbers_to_the_right():
    lines = write(["a", "n"], [["x", 5], ["yy", 12], ["z", None]], "text").splitlines()
    assert lines == ["a    n", "──  ──", "x    5", "yy  12", "z"]
    assert write(["a", "± "], [["x", "1.0 ± 0.1"]], "markdown").splitlines()[1] == "| --- | ---: |"


def test_wide_signs_take_two_places():
    lines = write(["a", "b"], [["日本", "x"], ["aaaa", "x"]], "text").splitlines()
    assert {cells(line[: line.index("x")]) for line in lines[2:]} == {6}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.12345, "0.1235"),
        (20000.0, "20000"),
        (1e-7, "1e-7"),
        (1e7, "1e7"),
        (-2.5e30, "-2.5e30"),
        (123456.0, "123456"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_told_with_four_digits(value, told):
    assert number(value) == told


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        *(("1e-3", 0.001), ("32", 32), ("-1.5", -1.5), ("1e7", 1e7), ("hinge", "hinge")),
        *(("", None), (None, None), ("1e999", "1e999"), ("nan", "nan"), ("1_0", "1_0")),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_setting_is_a_number_where_it_is_typed_as_one(typed, cell):
    found = setting(typed)
    assert (type(found), found) == (type(cell), cell)


def test_a_note_keeps_paths_and_words_whole():
    path = f"outputs/{'x' * 60}/run.log"
    lines = write(["a"], [["b"]], "text", 30, [f"a job failed; what it said is in {path}"])
    assert lines.splitlines()[-1] == path


def test_impossible_tables_are_refused():
    with pytest.raises(ValueError, match="no form"):
        write(["a"], [["x"]], "pdf")
    with pytest.raises(ValueError, match="1 cells"):
        write(["a"], [["x", "y"]], "text")
