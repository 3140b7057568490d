"""Before GANs: an autoencoder, a VAE and a mixture beside a GAN, on the same digits.

Four generators learn the same handwritten digits, each from the same number of images: the decoder
of an autoencoder (Hinton and Salakhutdinov 2006), given random codes; that of a variational
autoencoder (Kingma and Welling 2013, arXiv 1312.6114); a mixture of ten Gaussians, by expectation
maximisation (Dempster, Laird and Rubin 1977); and a GAN with R1. The three networks are the same.
They are measured as larger ones are: by the Fréchet distance (Heusel et al. 2017, arXiv 1706.08500)
in the features of a small classifier of the digits, and by what that classifier makes of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from gan_cli import build, session
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Resident
from gan_cli.lab import Cell, Claim, Picture, Report, Say, Table, above, below
from gan_cli.lab.before_picture import Shown, grids
from gan_cli.lab.game import play
from gan_cli.method.coder import Coder
from gan_cli.metric.classes import class_shares, entropy
from gan_cli.metric.frechet import distance
from gan_cli.metric.judge import Judge
from gan_cli.metric.neighbours import nearest, take
from gan_cli.sampler import Sampler
from gan_cli.session import Session

NETWORKS = ("model=mlp", "model.z_dim=32", "optimizer.lr=0.002", "schedule=linear_late")
CODER = "autoencoder"
RIVALS: dict[str, tuple[str, ...]] = {
    CODER: ("method=autoencoder", *NETWORKS),
    "VAE": ("method=vae_gaussian", *NETWORKS),
    "mixture": ("method=mixture", "model.floor=1e-3"),
    "GAN": ("penalty=r1_small_lazy", "optimizer=adam_r1", *NETWORKS),
}
"""What is typed for each; the last as in experiment=demo."""

WHOLE = {"mixture"}
"""Those of which a step takes all of the data."""

REAL = "real digits"
BATCH = 64
CLEAR = 0.05
"""The share of real images that count as unclear."""


@dataclass(frozen=True)
class Measured:
    """A generator's figures on one seed: `copies` is the error of what comes back, if anything."""

    seed: int
    name: str
    distance: float
    clear: float
    entropy: float
    sharpness: float
    nearest: float
    copies: float | None = None


def run(quick: bool, seed: int, say: Say) -> Report:
    """Train all four and measure them; with three seeds and six times the images unless `quick`."""
    train, test = Digits("train").load(), Digits("test").load()
    judge = Judge.of(Digits().load())
    say(f"the judge is right on {100 * judge.accuracy:.1f} % of digits it has not learnt from")
    measured, shown = [], []
    for number in range(1 if quick else 3):
        yard = Yard(judge, train, test, seed + number)
        measured.append(yard.measure(REAL, yard.other))
        shown.append(Shown(REAL, yard.other, ""))
        for name in RIVALS:
            began = time.monotonic()
            x, copies = _learn(name, yard, 2000 if quick else 12_000)
            measured.append(one := yard.measure(name, x, copies))
            shown.append(Shown(name, x, f"distance {one.distance:.2f}"))
            spent = time.monotonic() - began
            say(f"seed {one.seed}, {name}: distance {one.distance:.2f} ({spent:.0f} s)")
    about = "real digits, and those of an autoencoder, a VAE, a mixture and a GAN"
    picture = Picture("digits.png", grids(shown[: len(RIVALS) + 1]), about)
    claims = tuple(_claims(measured))
    return Report("Before GANs", (_table(measured),), (picture,), claims, WORDS)


WORDS = (
    "An autoencoder copies best, and its decoder draws worst: nobody told it where codes lie, so a "
    "random one is like none it has seen. The VAE pays for codes that differ from noise, and then "
    "noise will do for a code; but its decoder answers with the mean of all that a code may stand "
    "for, and a mean of digits is grey between them. The mixture has a density, and no network; on "
    "8×8 pixels it does as well as the VAE or better, and finds its clusters without labels. But a "
    "Gaussian knows no edge: between black and white it has every grey, and its covariances grow "
    "with the square of the pixels. The GAN compares no pixels and has no density: it is asked "
    "only to make what D can't tell from digits, and its digits are as sharp as real ones."
)


class Yard:
    """What generators of one seed are measured by: the judge, and halves of the real images."""

    def __init__(self, judge: Judge, train: Resident, test: Resident, seed: int):
        self.judge, self.train, self.seed = judge, train, seed
        self.test = take(test, torch.arange(test.length))
        every = take(train, torch.randperm(train.length, generator=_draw("halves", seed)))
        half = len(every) // 2
        self.half, self.other = every[:half], every[half : 2 * half]
        self.unclear = float(_sure(judge, every).quantile(CLEAR))

    @property
    def size(self) -> int:
        """How many samples are measured: as many as there are real ones in a half."""
        return len(self.half)

    def measure(self, name: str, x: Tensor, copies: float | None = None) -> Measured:
        """All figures of samples `(n, 1, 8, 8)`, as many as there are in a half."""
        judge = self.judge
        near = self.test if name == REAL else x
        return Measured(
            seed=self.seed,
            name=name,
            distance=distance(judge.features(self.half), judge.features(x)),
            clear=float((_sure(judge, x) > self.unclear).double().mean()),
            entropy=entropy(class_shares(judge.labels(x), len(judge.classes))),
            sharpness=_edges(x) / _edges(self.half),
            nearest=float(nearest(near, self.train).distance[:, 0].median()),
            copies=copies,
        )


def _learn(name: str, yard: Yard, steps: int) -> tuple[Tensor, float | None]:
    """Samples of a generator that has learnt from 64 images a step; the error of its copies."""
    overrides = *RIVALS[name], "dataset.split=train", f"seed={yard.seed}"
    if name in WHOLE:
        steps = steps * BATCH // yard.train.length
    config = build.compose(*overrides, f"steps={steps}")
    held = session.make(config, build.parts(config), torch.device("cpu"))
    for _ in play(held, yard.seed):
        pass
    sampler = Sampler(held.method.generator, held.space, held.prior)
    return sampler.sample(yard.size, yard.seed), _copies(held, yard.test)


@torch.no_grad()
def _copies(held: Session, x: Tensor) -> float | None:
    """The root mean square of what is lost between encoder and decoder, of images not seen."""
    coder = held.method
    if not isinstance(coder, Coder):
        return None
    z = coder.E.net.eval()(x, None)[:, : coder.z_dim]
    return float((coder.generator(z) - x).square().mean().sqrt())


def _sure(judge: Judge, x: Tensor) -> Tensor:
    """How sure the judge is of each image, `(N, …) -> (N,)`."""
    return judge.probabilities(x).amax(1)


def _edges(x: Tensor) -> float:
    """The mean squared difference of neighbouring pixels, `(N, C, H, W)`."""
    return float(x.diff(dim=3).square().mean() + x.diff(dim=2).square().mean())


def _draw(*counters: int | str) -> torch.Generator:
    from gan_cli.randomness import generator

    return generator("before", *counters)


def _claims(measured: list[Measured]) -> list[Claim]:
    by = {name: [one for one in measured if one.name == name] for name in (REAL, *RIVALS)}
    distances = {name: mean(one.distance for one in some) for name, some in by.items()}
    sharp = {name: mean(one.sharpness for one in some) for name, some in by.items()}
    clear = {name: mean(one.clear for one in some) for name, some in by.items()}
    copies = {name: mean(one.copies or 0.0 for one in by[name]) for name in (CODER, "VAE")}
    coder = distances[CODER]
    best = min(distances[name] for name in RIVALS)
    return [
        below("distance of real halves: below that of every generator", best, distances[REAL]),
        below("autoencoder: error of its copies, below the VAE's", copies["VAE"], copies[CODER]),
        above("autoencoder: distance, above twice the VAE's", 2 * distances["VAE"], coder),
        above("GAN: sharpness, above the VAE's", sharp["VAE"], sharp["GAN"]),
        above("GAN: share of clear digits, above the VAE's", clear["VAE"], clear["GAN"]),
        below("GAN: distance, below the VAE's", distances["VAE"], distances["GAN"]),
    ]


def _table(measured: list[Measured]) -> Table:
    head = (
        *("seed", "generator", "Fréchet distance", "clear %", "class entropy"),
        *("sharpness", "nearest", "copies"),
    )
    rows: list[tuple[Cell, ...]] = [
        (o.seed, o.name, o.distance, 100 * o.clear, o.entropy, o.sharpness, o.nearest, o.copies)
        for o in measured
    ]
    title = (
        "Of as many samples as in half of the data. clear: as sure a digit as 95 % of real ones; "
        "entropy: at most log 10 = 2.303; sharpness: contrast of neighbouring pixels, real ones 1; "
        "nearest: distance to the nearest training image (of real ones, held out); copies: error "
        "of held-out images that are encoded and decoded"
    )
    return Table(title, head, tuple(rows), digits=3)
