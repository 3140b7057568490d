"""What a data set is known by, and in what two differ."""

from __future__ import annotations

import torch

from gan_cli.dataset import known as module
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.known import differs, known, renamed
from gan_cli.dataset.ring import Ring
from gan_cli.dataset.source import Resident
from gan_cli.strict import check


def pictures(*counts: int, names: str = "abcdefgh", side: int = 8) -> dict[str, object]:
    """What is known of so many images of each class."""
    labels = torch.tensor([i for i, n in enumerate(counts) for _ in range(n)])
    images = torch.zeros(len(labels), 1, side, side, dtype=torch.uint8)
    return known(Resident.of(images, labels, tuple(names[: len(counts)])))


def test_it_is_plain_and_small():
    told = known(Digits().load())
    check(told)
    assert (told["length"], told["shape"], sum(told["counts"])) == (1797, [1, 8, 8], 1797)
    assert known(Ring().load()) == {"length": None, "shape": [2], "classes": []}


def test_what_differs_is_named():
    usual = pictures(3, 2)
    for now, words in (
        (pictures(3, 1), "5 samples then, 4 now; class b: 2 then, 1 now"),
        (pictures(3), "5 samples then, 3 now; class b is gone"),
        (pictures(3, 2, 1), "5 samples then, 6 now; class c is new"),
        (pictures(2, 3), "class a: 3 then, 2 now; class b: 2 then, 3 now"),
        (pictures(3, 2, side=9), "1×8×8 then, 1×9×9 now"),
        (usual, "as many samples, but some of them are not the same"),
    ):
        assert differs(usual, now) == words
    assert differs({"fingerprint": "of an older file"}, usual) == ""
    assert differs(known(Ring().load()), known(Ring().load())) == ""


def test_of_many_classes_a_few_are_named(monkeypatch):
    told = differs(pictures(*[1] * 8), pictures(1))
    assert told.endswith("class b is gone; class c is gone; class d is gone; and 4 more")
    monkeypatch.setattr(module, "CLASSES", 4)
    assert pictures(*[1] * 8) == {"length": 8, "shape": [1, 8, 8]}
    assert differs(pictures(*[1] * 8), pictures(1)) == "8 samples then, 1 now"


def test_names_are_compared_by_their_numbers():
    assert renamed(["cat", "dog"], ["cat", "wolf"]) == "dog is wolf now"
    assert renamed(["cat"], ["cat"]) == ""
    assert renamed(["\x1b[2J"], ["x"]) == "?[2J is x now"
