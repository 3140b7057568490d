"""The law of explanations: every entry says what it needs, what goes wrong, and what to type."""

from __future__ import annotations

import pytest

from gan_cli import cli_docs as docs
from gan_cli.cli_entry import Shelf
from tests.conftest import entries

GROUPS = (
    *("loss", "penalty", "constraint", "optimizer", "dynamics", "augment"),
    *("prior", "condition", "auxiliary", "task", "term", "method", "metric", "extractor"),
)
SHELF = Shelf.of(None)
CLASSES = sorted(
    {(group, target) for group in GROUPS for name in entries(group)
     for target in SHELF.read(group, name).targets}
)  # fmt: skip
LONGEST = 100 * 5


def labels(group: str) -> list[str]:
    return ["Curves", "Needs", "Trouble"] if group == "loss" else ["Needs", "Trouble"]


def read(target: str) -> docs.Doc:
    doc = docs.read(target)
    assert doc is not None
    return doc


@pytest.mark.parametrize(("group", "target"), CLASSES)
def test_it_says_what_to_expect_and_what_goes_wrong(group, target):
    assert list(read(target).labels) == labels(group)


@pytest.mark.parametrize(("group", "target"), CLASSES)
def test_each_label_has_something_to_say_in_a_few_lines(group, target):
    for label, text in read(target).labels.items():
        assert 0 < len(text) <= LONGEST, f"{label}: {len(text)} characters"
        assert text.endswith("."), f"{label} ends with a full stop"


@pytest.mark.parametrize("target", [target for group, target in CLASSES if group == "loss"])
def test_the_two_lines_of_a_loss_are_its_docstrings(target):
    methods = read(target).methods
    assert methods["d"]
    assert methods["g"]


def test_no_group_is_forgotten():
    assert {group for group, _ in CLASSES} == set(GROUPS)


# What the law must catch.
WRONG = {
    "no labels": "A loss.\n\nSomebody 2020.",
    "one missing": "A loss.\n\nCurves: up.\nNeeds: nothing.",
    "another order": "A loss.\n\nNeeds: nothing.\nCurves: up.\nTrouble: none.",
    "not at the beginning of a line": "A loss. Curves: up.\n\nNeeds: a.\nTrouble: b.",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_the_law_catches(text):
    assert list(docs.split(text).labels) != labels("loss")
