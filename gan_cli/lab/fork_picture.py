"""Frames given, what comes next in different eyes, and both that can come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gan_cli.lab import style
from gan_cli.lab.answering_picture import columns
from gan_cli.task.next_frame import NextFrame
from gan_cli.task.pictures import Futures

ROWS, CODES = 8, 4
COLOURS = {"squared error": style.REAL, "GAN": style.FAKE, "GAN + diversity": style.COLOURS[3]}


class Shares(Protocol):
    """What there is to draw of a rival on a seed."""

    @property
    def name(self) -> str:
        """Who answered."""

    @property
    def seed(self) -> int:
        """Of the training."""

    @property
    def single(self) -> float:
        """The share of answers that are a single future."""

    @property
    def both(self) -> float:
        """The share of inputs for which both were drawn."""


def futures(task: NextFrame, ends: Futures, answers: dict[str, Tensor]) -> bytes:
    """Evenly spaced rows of all inputs; of a GAN the answers of four codes, as a PNG file."""
    rows = (torch.arange(ROWS) * len(ends.c)) // ROWS
    shown: dict[str, Tensor] = {}
    for number, frame in enumerate(ends.c[rows].chunk(task.past, 1), 1):
        shown[f"frame {number}"] = frame
    colours = {}
    for name, drawn in answers.items():
        codes = CODES if name == list(answers)[-1] else 1
        for code in range(codes):
            title = name if codes == 1 else f"{_short(name)}, z{code + 1}"
            shown[title] = drawn[code, rows]
            colours[title] = COLOURS[name]
    shown |= {"left": ends.left[rows], "right": ends.right[rows]}
    words = "two frames are given; the digit then turns left or right, and nobody can know which"
    return columns(shown, "The mean of two futures, and a draw from them", words, colours)


def shares(measured: Sequence[Shares]) -> bytes:
    """Single futures and inputs with both, a bar for each seed, as a PNG file."""
    drawn, panels = style.figure(
        1, 2, (4.6, 3.2), "One future, and either", "a bar for each rival and seed"
    )
    heads = ("answers that are a single future", "inputs for which both were drawn")
    told = [one.single for one in measured], [one.both for one in measured]
    for panel, title, values in zip(panels, heads, told, strict=True):
        for place, (one, share) in enumerate(zip(measured, values, strict=True)):
            panel.bar(place, 100 * share, color=COLOURS[one.name])
            panel.annotate(
                f"{100 * share:.0f}",
                (place, 100 * share),
                xytext=(0, 3),
                textcoords="offset points",
                color=style.BRIGHT,
                size=9,
                ha="center",
            )
        names = [f"{one.name}\nseed {one.seed}" for one in measured]
        panel.set(ylim=(0, 112), ylabel="%")
        panel.set_xticks(range(len(measured)), names, fontsize=6.5 if len(measured) > 4 else 8.5)
        style.head(panel, title)
    return style.png(drawn)


def _short(name: str) -> str:
    return "GAN" if name.startswith("GAN") else name
