"""Digits with the same error, and what judges say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_cli.lab import style

COLOURS = (
    style.REAL,
    style.COLOURS[3],
    style.JUDGE,
    style.FAKE,
    style.COLOURS[4],
    style.COLOURS[6],
)

EXACT = {("pixels", "real")}
"""Scores that are all 0, and no curve."""


@dataclass(frozen=True)
class Judged:
    """Pictures `(N, 1, H, W)` by kind, and each judge's scores `(N,)` of them; larger is better."""

    seed: int
    shown: dict[str, Tensor]
    scores: dict[str, dict[str, Tensor]]

    def prefers(self, judge: str, one: str, other: str) -> float:
        """How often a judge finds the one better than the other, of the same digit."""
        return float((self.scores[judge][one] > self.scores[judge][other]).double().mean())

    def auc(self, judge: str, one: str, other: str) -> float:
        """How often a judge finds any of the one better than any of the other; ties count half.

        Scores closer than a hundred thousandth of their size are a tie: that is rounding.
        """
        a, b = (self.scores[judge][name].double() for name in (one, other))
        gap = a[:, None] - b[None]
        tie = gap.abs() <= 1e-5 * a.abs().max()
        return float(((gap > 0) & ~tie).double().mean() + tie.double().mean() / 2)

    @property
    def unequal(self) -> float:
        """The largest relative difference between the squared errors of one digit."""
        errors = torch.stack(list(self.scores["pixels"].values())[1:])  # the first is real
        return float(((errors - errors[0]).abs() / errors[0].abs()).max())


def examples(judged: Judged, others: Sequence[str], count: int = 8) -> bytes:
    """Digits in columns, kinds in rows, D's output on each, as a PNG file."""
    names = ("real", "shifted", *others)
    drawn, panels = style.figure(
        len(names),
        count,
        (1.2, 1.42),
        "The same squared error, five times",
        "rows 2 to 6: equally wrong, pixel by pixel. Below each what D says (larger: more real), "
        "green for the best of the five",
    )
    chosen = _typical(judged, count)
    best = torch.stack([judged.scores["D"][name][chosen] for name in names[1:]]).argmax(0)
    for row, name in enumerate(names):
        for column, index in enumerate(chosen.tolist()):
            panel = panels[row * count + column]
            panel.imshow(judged.shown[name][index, 0].numpy(), cmap="gray", vmin=-1, vmax=1)
            panel.set(xticks=[], yticks=[])
            panel.grid(visible=False)
            wins = row > 0 and int(best[column]) == row - 1
            score = float(judged.scores["D"][name][index])
            panel.set_xlabel(f"{score:+.2f}", color=COLOURS[1] if wins else style.TEXT, labelpad=3)
            if column == 0:
                panel.set_ylabel(name, color=COLOURS[row], size=9.5)
    return style.png(drawn)


def histograms(judged: Judged, names: Sequence[str]) -> bytes:
    """Each judge's scores of every kind, as a PNG file."""
    drawn, panels = style.figure(
        1,
        3,
        (4.6, 3.5),
        "What three judges say of all held-out digits",
        "larger is better; by pixels all five corruptions of a digit are the same",
    )
    titles = {
        "pixels": "minus the squared error",
        "autoencoder": "minus the autoencoder's error",
        "D": "D's output",
    }
    for panel, (judge, title) in zip(panels, titles.items(), strict=True):
        every = torch.cat([judged.scores[judge][name] for name in names])
        low, high = (float(q) for q in every.quantile(torch.tensor([0.005, 0.995])))
        x = np.linspace(low - 0.08 * (high - low), high + 0.08 * (high - low), 240)
        for name, colour in zip(names, COLOURS, strict=True):
            if (judge, name) in EXACT:
                continue
            scores = judged.scores[judge][name].numpy()
            width = 0.025 * (high - low) + 1e-9
            height = np.exp(-(((x[:, None] - scores) / width) ** 2) / 2).mean(1)
            panel.plot(x, height / height.sum(), color=colour, linewidth=2, label=name)
        panel.set(yticks=[], ylim=(0, None))
        style.head(panel, title)
    style.legend_below(drawn, panels[2], len(names))
    return style.png(drawn)


def _typical(judged: Judged, count: int) -> Tensor:
    """Digits on which D's preference for the shift is of every size, from the least on, `(count,)`.

    Evenly spaced quantiles, so that the picture shows D's mistakes at their true rate.
    """
    gap = judged.scores["D"]["shifted"] - judged.scores["D"]["salt and pepper"]
    places = ((torch.arange(count) + 0.5) / count * len(gap)).long()
    return gap.argsort()[places]
