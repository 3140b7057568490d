"""Which way will it turn? The mean of two futures, and a draw from them.

A digit moves straight on for two frames, then turns left or right by 90 degrees: which, nobody can
know. The next frame of least squared error is the mean of both, two faint digits where there will
be one (Mathieu et al. 2015, arXiv 1511.05440, section 3.2). D has never seen such a thing, so a
conditional GAN takes a side. By itself it takes the same one for every z, as conditional GANs do
(Isola et al. 2016, arXiv 1611.07004, section 3.1); paid for answers that differ where their codes
do (Yang et al. 2019, arXiv 1901.09024), it gives one future for one z and the other for another.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gan_cli.lab import Claim, Picture, Report, Say, Table, above, below, close
from gan_cli.lab.answering import drawn, held_out, trained
from gan_cli.lab.fork_game import NETWORKS
from gan_cli.lab.fork_picture import futures, shares
from gan_cli.metric.fork import both, taken
from gan_cli.randomness import generator
from gan_cli.task.next_frame import NextFrame
from gan_cli.task.pictures import Futures

CANVAS = 12
ASKED = ("task=fork", f"task.canvas={CANVAS}", "dataset=digits", "dataset.split=train")
PACE = ("optimizer=adam_r1", "optimizer.lr=0.003", "schedule=linear_late")
ERROR, GAN, DIVERSE = "squared error", "GAN", "GAN + diversity"
ADVERSARIAL = ("penalty=r1_small_lazy",)
RIVALS = {
    ERROR: ("method=regression", "term=l2"),
    GAN: (*ADVERSARIAL, "term=none"),
    DIVERSE: (
        *ADVERSARIAL,
        "term=diversity",
        "term.diversity.weight=10.0",
        "+anneal.to.term.diversity.weight=0.0",
        "anneal.over=0.8",
    ),
}
"""What is typed for each, besides the task and the pace."""

DRAWS = 16


@dataclass(frozen=True)
class Measured:
    """What answers to all held-out digits are, on one seed.

    `single` is the share that is one of the two futures, `both` that of the inputs for which both
    were drawn, `left` that of the single ones that turn left; `apart` how far an answer is from
    the nearest future, where the mean of both is 1 away.
    """

    seed: int
    name: str
    single: float
    both: float
    left: float
    apart: float


def run(quick: bool, seed: int, say: Say) -> Report:
    """Train each rival and draw from it; with three seeds, and the GAN alone, unless `quick`."""
    task = NextFrame(canvas=CANVAS, turn=1.0)
    ends = task.futures(held_out(), generator("fork"))
    measured: list[Measured] = []
    shown: dict[str, Tensor] = {}
    for number in range(1 if quick else 3):
        for name, typed in RIVALS.items():
            if quick and name == GAN:
                continue
            steps = 500 if name == ERROR else 5000 if quick else 6000
            words = (*ASKED, *typed, *PACE, f"steps={steps}")
            one = trained(*words, model=NETWORKS, seed=seed + number)
            answers = drawn(one, ends.c, DRAWS, seed + number)
            measured.append(_measure(seed + number, name, answers, ends))
            say(_told(measured[-1]))
            shown.setdefault(name, answers)
    pictures = (
        Picture("futures.png", futures(task, ends, shown), "frames given, answers, both futures"),
        Picture("shares.png", shares(measured), "how many answers are a single future"),
    )
    return Report("The fork", (_table(measured),), pictures, tuple(_claims(measured)), WORDS)


WORDS = (
    "Where two things can happen, an error that is squared wants neither: its best answer is their "
    "mean, and no training, network or data will change that. A GAN is asked whether its answer "
    "could be real, and a mean of two frames could not, so that what it shows is one future or the "
    "other. That z decides which is not to be had for nothing: D judges one answer at a time, and "
    "doesn't mind a G that always turns left where it might as well turn right. A term that pays "
    "for answers which differ with their codes, and that fades out while G learns, brings the "
    "second future back. It is there for any training: gan train task=fork model=unet "
    "term=diversity."
)


def _measure(seed: int, name: str, answers: Tensor, ends: Futures) -> Measured:
    chosen = taken(answers, ends.left, ends.right)
    left = float(chosen.left.sum()) / max(1.0, float((chosen.left | chosen.right).sum()))
    return Measured(seed, name, chosen.single, both(chosen), left, float(chosen.apart.mean()))


def _told(one: Measured) -> str:
    return (
        f"seed {one.seed}, {one.name}: {100 * one.single:.0f} % of the answers are a single "
        f"future, for {100 * one.both:.0f} % of the inputs both are drawn"
    )


def _claims(measured: list[Measured]) -> list[Claim]:
    by = {name: [one for one in measured if one.name == name] for name in RIVALS}
    claims = [
        below(
            "squared error: share of answers that are a single future",
            0.02,
            max(one.single for one in by[ERROR]),
        ),
        close(
            "squared error: distance from the nearest future, that of the mean being 1",
            1.0,
            max((one.apart for one in by[ERROR]), key=lambda apart: abs(apart - 1)),
            0.1,
        ),
    ]
    if by[GAN]:
        least = min(one.single for one in by[GAN])
        claims.append(above("GAN: share of answers that are a single future", 0.75, least))
    for text, limit, seen in (
        ("share of answers that are a single future", SINGLE, min(o.single for o in by[DIVERSE])),
        ("share of inputs for which both were drawn", BOTH, min(o.both for o in by[DIVERSE])),
    ):
        claims.append(above(f"{DIVERSE}: {text}", limit, seen))
    return claims


SINGLE, BOTH = 0.8, 0.5
"""Shares that are claimed."""


def _table(measured: list[Measured]) -> Table:
    head = ("seed", "answer", "a single future", "both drawn", "of single ones, left", "distance")
    rows = tuple((o.seed, o.name, o.single, o.both, o.left, o.apart) for o in measured)
    title = f"{DRAWS} answers to each of 359 held-out digits; distance: the mean of both has 1"
    return Table(title, head, rows, digits=3)
