"""What a data set is known by later on, and in what two of them differ, in words."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from gan_cli.dataset.source import Source
from gan_cli.strict import clean

CLASSES = 1000
"""Classes whose names and sizes are kept, at most."""

TOLD = 3
"""Classes named in a message; the rest are counted."""


@runtime_checkable
class Labelled(Protocol):
    """Samples with labels int64 `(N,)`, or None."""

    @property
    def labels(self) -> Tensor | None:
        """The number of each sample's class."""
        ...


def known(source: Source) -> dict[str, Any]:
    """How many samples of which shape and classes there are: plain values, a few kilobytes."""
    told: dict[str, Any] = {"length": source.length, "shape": list(source.shape)}
    if len(source.classes) > CLASSES:
        return told
    told["classes"] = [str(name) for name in source.classes]
    labels = source.labels if isinstance(source, Labelled) else None
    if isinstance(labels, Tensor) and len(labels) and int(labels.min()) >= 0:
        told["counts"] = labels.bincount(minlength=len(source.classes)).tolist()
    return told


def differs(before: dict[str, Any], now: dict[str, Any]) -> str:
    """In what a data set is another than it was, by what `known` told of both; '' if it can't say.

    `before` may lack any of it: it is as old as its file.
    """
    told = []
    if None not in (n := (before.get("length"), now["length"])) and n[0] != n[1]:
        told.append(f"{n[0]:,} samples then, {n[1]:,} now")
    if (was := before.get("shape")) and was != now["shape"]:
        told.append(f"{_size(was)} then, {_size(now['shape'])} now")
    then, here = before.get("classes"), now.get("classes")
    if then is None or here is None:  # too many, or of an older file
        then, here = [], []
    told += _some([f"class {clean(name, 40)} is gone" for name in then if name not in here])
    told += _some([f"class {clean(name, 40)} is new" for name in here if name not in then])
    told += _some(_grown(_counts(before), _counts(now)))
    if not told and before.get("length"):
        return "as many samples, but some of them are not the same"
    return "; ".join(told)


def renamed(before: list[str], now: list[str]) -> str:
    """Which classes have another name than they had, by their numbers; '' where none has."""
    if len(before) != len(now):
        return ""
    pairs = zip(before, now, strict=True)
    words = [f"{clean(old, 40)} is {clean(new, 40)} now" for old, new in pairs if old != new]
    return ", ".join(_some(words))


def _counts(told: dict[str, Any]) -> dict[str, int]:
    return dict(zip(told.get("classes") or [], told.get("counts") or [], strict=False))


def _grown(then: dict[str, int], here: dict[str, int]) -> list[str]:
    both = [name for name in then if name in here and then[name] != here[name]]
    return [f"class {clean(name, 40)}: {then[name]:,} then, {here[name]:,} now" for name in both]


def _some(words: list[str]) -> list[str]:
    return words if len(words) <= TOLD else [*words[:TOLD], f"and {len(words) - TOLD} more"]


def _size(shape: list[int]) -> str:
    return "×".join(map(str, shape))
