"""What goes wrong, what shows it, and the one flag that cures it.

Mode collapse (Metz et al. 2016, arXiv 1611.02163; Lin et al. 2018, 1712.04086), the gradient that
vanishes before a sure D (Goodfellow et al. 2014, 1406.2661, section 3; Arjovsky and Bottou 2017,
1701.04862), a D that learns few data by heart (Karras et al. 2020, 2006.06676), weights clipped too
hard (Gulrajani et al. 2017, 1704.00028), and a gradient penalty through batch norm, which `gan`
refuses. Each is provoked by a command of `gan train`, measured, and cured by adding one flag to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import build, session
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import normalised
from gan_cli.errors import UserMistake
from gan_cli.lab import Claim, Picture, Report, Say, Table
from gan_cli.lab.failures_picture import Clinic, Shown, clinic
from gan_cli.lab.game import play
from gan_cli.penalty import slope
from gan_cli.randomness import reseed
from gan_cli.sampler import Sampler
from gan_cli.session import Session
from gan_cli.space import Space

CPU = torch.device("cpu")
FLAG = "model.d_norm=layer"
FEW = 0.01
"""The share of samples that a mode needs to count as reached."""


@dataclass(frozen=True)
class Failure:
    """A command that fails, the flag that cures it, and the figure that tells them apart.

    `ill` and `well` are the limits of the figure on either side; below the lesser or above the
    greater. `measure` trains under some overrides and looks.
    """

    name: str
    figure: str
    provoked: tuple[str, ...]
    cure: str
    ill: float
    well: float
    measure: Callable[[tuple[str, ...], int], Shown]

    def verdict(self, value: float, limit: float) -> bool:
        """Whether a figure is on its limit's side: the ill one beyond `ill`, the well `well`."""
        less = (self.ill < self.well) == (limit == self.ill)
        return value <= limit if less else value >= limit


def run(quick: bool, seed: int, say: Say) -> Report:
    """Provoke and cure each; with three seeds unless `quick`."""
    clinics = []
    for failure in FAILURES:
        for number in range(1 if quick else 3):
            ill = failure.measure(failure.provoked, seed + number)
            well = failure.measure((*failure.provoked, failure.cure), seed + number)
            one = Clinic(failure.name, failure.figure, failure.cure, seed + number, ill, well)
            clinics.append(one)
            words = f"{one.figure} {ill.value:.3g}, with {one.cure} {well.value:.3g}"
            say(f"{one.name}, seed {one.seed}: {words}")
    refusal = _refused()
    shown = clinic([one for one in clinics if one.seed == seed])
    pictures = (Picture("failures.png", shown, "five failures, and the flag that cures each"),)
    claims = [claim for failure in FAILURES for claim in _claims(failure, clinics)]
    text = "gradient penalty through batch norm: refused, with the flag to type"
    claims.append(Claim(text, FLAG, FLAG if FLAG in refusal else refusal, FLAG in refusal))
    return Report("Failures, and their cures", (_table(clinics),), pictures, tuple(claims), WORDS)


WORDS = (
    "Each failure has a figure of its own, and the loss is none of them. Collapse: count the modes "
    "that samples reach; a D that sees several samples at once sees that they are alike. "
    "Vanishing: look at the norm of G's gradient (grad_norm/g of a run); the non-saturating loss "
    "has one where D is sure (Adam, which divides by the gradient's size, gets G out of it "
    "here). Overfitting: compare D on its data with D on held-out data; a "
    "greater price on its slope keeps it from picking out single samples, though only more data "
    "end it. Clipping: look at D's slope at the fakes, which is all that G learns from. Batch "
    "norm: the slope of D in one sample changes with its neighbours, so a penalty on it has no "
    "meaning, and `gan train` doesn't even begin."
)


def _session(overrides: tuple[str, ...], seed: int) -> Session:
    config = build.compose(*overrides, f"seed={seed}")
    return session.make(config, build.parts(config), CPU)


def _modes_reached(overrides: tuple[str, ...], seed: int) -> Shown:
    fight = _session(overrides, seed)
    for _ in play(fight, seed):
        pass
    means: Tensor = build.parts(build.compose(*overrides)).dataset.means
    x = Sampler(fight.game.generator, Space(fight.source.shape)).sample(2000, seed, 1000)
    distance, mode = torch.cdist(x, means).min(1)
    shares = torch.bincount(mode[distance < 0.2], minlength=len(means)) / len(x)
    return Shown(float((shares > FEW).sum()), x, means)


def _gradient(overrides: tuple[str, ...], seed: int) -> Shown:
    """The norm of G's gradient when D's head start is over, and the curve of it from there."""
    fight = _session(overrides, seed)
    game, first = fight.game, fight.game.turns.head_start_d
    curve = []
    for step in play(fight, seed):
        if step >= first and step % 5 == 0:
            slopes, _ = game.G.gradient(game.g_loss, fight.feed(step))
            curve.append(float(torch.stack([s.square().sum() for s in slopes]).sum().sqrt()))
    return Shown(curve[0], torch.tensor(curve))


def _held_out(overrides: tuple[str, ...], seed: int) -> Shown:
    """How often D finds one of its data more real than held-out data: 1/2 if it learns no names."""
    fight = _session(overrides, seed)
    for _ in play(fight, seed):
        pass
    D = fight.game.D.net
    seen, fresh = (
        normalised(Digits(split).load().images, None, None, CPU).x for split in ("test", "train")
    )
    with torch.no_grad():
        a, b = D(seen), D(fresh)
    return Shown(float((a[:, None] > b).float().mean()), a, b)


def _slope(overrides: tuple[str, ...], seed: int) -> Shown:
    """The mean of D's slope at the fakes, and all of them."""
    fight = _session(overrides, seed)
    for _ in play(fight, seed):
        pass
    reseed(seed, "look")
    fake = fight.game.fake(fight.feed(0))
    slopes = slope(fight.game.D.net, fake.x.detach(), None).detach()
    return Shown(float(slopes.mean()), slopes)


def _neighbours(overrides: tuple[str, ...], seed: int) -> Shown:
    """How much D's slope in a sample changes, relatively, when its neighbours do."""
    fight = _session(overrides, seed)
    D, first, second = fight.game.D.net, fight.feed(0).x, fight.feed(1).x
    half = len(first) // 2
    other = torch.cat([first[:half], second[half:]])
    a, b = (slope(D, x, None)[:half].detach() for x in (first, other))
    return Shown(float(((a - b).abs() / a).mean()), a, b)


def _refused() -> str:
    """What `gan train` says to a gradient penalty through batch norm."""
    config = build.compose(*NORM, "penalty=r1", "model.d_norm=batch")
    try:
        session.make(config, build.parts(config), CPU)
    except UserMistake as error:
        return str(error)
    return "it was not refused"


COLLAPSE = ("dataset=ring", "dataset.std=0.02", "optimizer=adam_toy", "optimizer.d_lr=0.0001")
VANISH = (
    "dataset=gaussian",
    "dataset.mean=6.0",
    "dataset.std=0.5",
    "model=mlp_toy",
    "loss=minimax",
)
NORM = ("dataset=digits", "model=mlp")
FAST = ("optimizer=adam_r1", "optimizer.lr=0.002", "schedule=linear_late")
FAILURES = (
    Failure(
        "mode collapse",
        "modes reached of 8",
        (*COLLAPSE, "batch_size=128", "steps=1000", "ema.half_life=0"),
        "pack=4",
        ill=3.0,
        well=6.0,
        measure=_modes_reached,
    ),
    Failure(
        "vanishing gradient",
        "norm of G's gradient",
        (*VANISH, "optimizer=adam_toy", "head_start.d=300", "steps=400"),
        "loss=nonsaturating",
        ill=0.01,
        well=0.1,
        measure=_gradient,
    ),
    Failure(
        "D overfits",
        "AUC of D's data against held-out",
        (*NORM, "dataset.split=test", "penalty=r1_small_lazy", *FAST, "steps=1500"),
        "penalty.r1_small_lazy.gamma=10.0",
        ill=0.7,
        well=0.68,
        measure=_held_out,
    ),
    Failure(
        "clipped too hard",
        "D's mean slope at the fakes",
        ("dataset=ring", "loss=wgan", "optimizer.lr=0.001", "steps=200"),
        "loss=wgan_gp",
        ill=0.05,
        well=0.5,
        measure=_slope,
    ),
    Failure(
        "batch norm in a critic",
        "change of a slope with its neighbours",
        (*NORM, "model.d_norm=batch"),
        FLAG,
        ill=0.05,
        well=1e-4,
        measure=_neighbours,
    ),
)


def _claims(failure: Failure, clinics: list[Clinic]) -> list[Claim]:
    runs = [clinic for clinic in clinics if clinic.name == failure.name]
    claims = []
    for limit, words, values in (
        (failure.ill, "provoked", [one.ill.value for one in runs]),
        (failure.well, f"cured by {failure.cure}", [one.well.value for one in runs]),
    ):
        less = (failure.ill < failure.well) == (limit == failure.ill)
        worst = max(values) if less else min(values)
        text = f"{failure.name}, {words}: {failure.figure}"
        holds = failure.verdict(worst, limit)
        claims.append(Claim(text, f"{'≤' if less else '≥'} {limit:g}", worst, holds))
    return claims


def _table(clinics: list[Clinic]) -> Table:
    head = ("failure", "seed", "provoked: gan train …", "figure", "seen", "cure", "seen then")
    commands = {failure.name: " ".join(failure.provoked) for failure in FAILURES}
    rows = tuple(
        (c.name, c.seed, commands[c.name], c.figure, c.ill.value, c.cure, c.well.value)
        for c in clinics
    )
    return Table("Provoked, and cured by one flag more", head, rows, digits=3)
