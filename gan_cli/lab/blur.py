"""Several answers are right: squared error gives their mean, a GAN one of them.

A digit of 8×8 pixels is asked for, and four grey ones are given: many digits are right. The answer
of least squared error is their mean, which is no digit (Mathieu et al. 2015, arXiv 1511.05440,
section 3.2; Ledig et al. 2016, arXiv 1609.04802, figure 3). D finds a mean out, so that a
conditional GAN gives one of them, another for every z. That has to cost: a draw among the right
answers is, in squared error, twice as far from the truth as their mean (Blau and Michaeli 2018,
arXiv 1711.06077, section 4), 3.01 dB of PSNR. The mean of many draws is the blurred answer again.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gan_cli.lab import Claim, Picture, Report, Say, Table, above, below
from gan_cli.lab.answering import Flat, Translators, drawn, held_out, trained
from gan_cli.lab.blur_picture import faces, plane
from gan_cli.metric.picture import compare
from gan_cli.model.mlp import MLP
from gan_cli.randomness import generator
from gan_cli.task import Derived
from gan_cli.task.superres import SuperResolution

ASKED = ("task=superres", "task.factor=4", "dataset=digits", "dataset.split=train")
PACE = ("optimizer=adam_r1", "optimizer.lr=0.002", "schedule=linear_late")
ERROR, ABSOLUTE, GAN = "squared error", "absolute error", "GAN"
MEAN, RULE, TRUTH = "mean of GAN's", "bicubic", "truth"
RIVALS = {
    ERROR: ("method=regression", "term=l2"),
    ABSOLUTE: ("method=regression", "term=l1"),
    GAN: ("penalty=r1_small_lazy", "term=none"),
}
"""What is typed for each, besides the task and the pace."""

DRAWS = 16
NETWORKS = Translators(Flat, MLP(width=256, depth=3).discriminator)


@dataclass(frozen=True)
class Measured:
    """What one rival's answers to all held-out digits are worth.

    `fits` is how far the answers, made small again, are from what was given, in shades of 255.
    """

    seed: int
    name: str
    psnr: float
    ssim: float
    sharpness: float
    fits: float


def run(quick: bool, seed: int, say: Say) -> Report:
    """Train each rival and measure its answers; with three seeds unless `quick`."""
    task = SuperResolution(factor=4)
    pair = task.pair(held_out(), generator("blur"))
    given, truth = pair.c, pair.x
    assert given is not None
    measured: list[Measured] = []
    shown: dict[str, Tensor] = {}
    for number in range(1 if quick else 3):
        answered = _answers(task, given, quick, seed + number)
        for name, x in answered.items():
            measured.append(_measure(task, seed + number, name, x, given, truth))
            one = measured[-1]
            say(f"seed {one.seed}, {name}: PSNR {one.psnr:.2f} dB, sharpness {one.sharpness:.2f}")
        shown = shown or answered
    pictures = (
        Picture("answers.png", faces(given, shown, truth), "what was given, answers, the truth"),
        Picture("plane.png", plane(_points(measured, seed)), "PSNR against sharpness"),
    )
    return Report("Blur", (_table(measured),), pictures, tuple(_claims(measured)), WORDS)


WORDS = (
    "The answer of least squared error is the mean of all that could be right: nobody is as near "
    "to the truth, pixel by pixel, and it is as sharp as no digit is. The GAN's answer is one of "
    "them. It is nearly as sharp as real digits and fits the four pixels given as well, but where "
    "the truth is another one it is wrong with all its sharpness, and its PSNR is the lower for "
    "it: PSNR measures how good a mean is. What is blurred is not the network: the mean of the "
    "GAN's own answers is as blurred, and as near to the truth. Ask for the mean where the error "
    "counts, and for a draw where a picture is to look like one. Try it on larger images: "
    "gan train task=superres model=unet term=l1."
)


def _answers(task: Derived, given: Tensor, quick: bool, seed: int) -> dict[str, Tensor]:
    """By name, the answers `(n, …)` to what is given; of the GAN several, by the first codes."""
    rule = task.reference(given)
    assert rule is not None
    answered = {RULE: rule}
    for name, typed in RIVALS.items():
        if quick and name == ABSOLUTE:
            continue
        steps = (3000 if quick else 8000) if name == GAN else 1500
        one = trained(*ASKED, *typed, *PACE, f"steps={steps}", model=NETWORKS, seed=seed)
        draws = drawn(one, given, DRAWS if name == GAN else 1, seed)
        answered[name] = draws[0]
        if name == GAN:
            answered |= {f"{GAN}, z{i + 1}": draws[i] for i in (1, 2)}
            answered[MEAN] = draws.mean(0)
    return answered


def _measure(
    task: Derived, seed: int, name: str, x: Tensor, given: Tensor, truth: Tensor
) -> Measured:
    told = compare(x, truth)
    again = task.pair(x, generator("blur")).c
    assert again is not None
    fits = float((again - given).abs().mean()) * 127.5
    return Measured(seed, name, told["psnr"], told["ssim"], told["sharpness"], fits)


def _points(measured: list[Measured], seed: int) -> dict[str, tuple[float, float]]:
    """Sharpness and PSNR of each rival on the first seed."""
    return {
        one.name: (one.sharpness, one.psnr)
        for one in measured
        if one.seed == seed and one.name in (RULE, *RIVALS, MEAN)
    }


def _claims(measured: list[Measured]) -> list[Claim]:
    by = {(one.seed, one.name): one for one in measured}
    seeds = sorted({one.seed for one in measured})

    def gap(one: str, other: str) -> float:
        return min(by[seed, one].psnr - by[seed, other].psnr for seed in seeds)

    return [
        above("PSNR of least squared error, less the GAN's, dB", 1.5, gap(ERROR, GAN)),
        above("PSNR of the mean of the GAN's answers, less that of one, dB", 1.0, gap(MEAN, GAN)),
        below(
            "sharpness of least squared error, as a share of the truth's",
            0.85,
            max(by[seed, ERROR].sharpness for seed in seeds),
        ),
        above(
            "sharpness of the GAN's answers, as a share of the truth's",
            0.9,
            min(by[seed, GAN].sharpness for seed in seeds),
        ),
    ]


def _table(measured: list[Measured]) -> Table:
    head = ("seed", "answer", "PSNR, dB", "SSIM", "sharpness", "error in what was given, of 255")
    rows = tuple(
        (one.seed, one.name, one.psnr, one.ssim, one.sharpness, one.fits)
        for one in measured
        if one.name in (RULE, *RIVALS, MEAN)
    )
    return Table("Answers to 359 held-out digits", head, rows, digits=4)
