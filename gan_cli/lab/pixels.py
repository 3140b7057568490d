"""Why not the error of pixels? Two corruptions with one error: a shift, and noise.

Reconstruction losses (an autoencoder's mean squared error) compare pixel by pixel, so a digit moved
by one pixel, which nobody minds, is as wrong to them as the same digit under noise (Wang and Bovik
2009, "Mean squared error: love it or leave it?"; Larsen et al. 2016, arXiv 1512.09300, who let a
GAN's D measure instead). Here every digit of a held-out set is shifted by one pixel, and corrupted
in four other ways until the squared error is the same, digit by digit. Then they are judged by the
error itself, by an autoencoder trained on real digits (the error of its reconstruction) and by the
D of a GAN that was trained on real digits against its own G and has seen none of the corruptions.
"""

from __future__ import annotations

from statistics import mean

import torch
from torch import Tensor

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import normalised
from gan_cli.facts import Facts
from gan_cli.lab import Claim, Picture, Report, Say, Table, above, below, close
from gan_cli.lab.game import play
from gan_cli.lab.pixels_picture import Judged, examples, histograms
from gan_cli.model.autoencoder import Autoencoder, Energy
from gan_cli.optimizer.adam import Adam
from gan_cli.player import Player
from gan_cli.randomness import generator, reseed

SURE = {"salt and pepper": 0.8, "grey noise": 0.7, "blot": 0.6}
"""What D has to tell from a shift, and how surely (AUC)."""

UNFORGIVEN = (*SURE, "missing stroke")
NAMES = ("real", "shifted", *UNFORGIVEN)
AGAINST = {"shifted": "real"} | dict.fromkeys(UNFORGIVEN, "shifted")
"""What a judge should like better than these."""


def run(quick: bool, seed: int, say: Say) -> Report:
    """Train an autoencoder and a GAN, and ask both; with three seeds unless `quick`."""
    judged = []
    for number in range(1 if quick else 3):
        judged.append(_judge(seed + number, 3000 if quick else 6000))
        one = judged[-1]
        prefers = one.prefers("D", "shifted", UNFORGIVEN[0])
        say(f"seed {one.seed}: D prefers the shift to salt and pepper in {100 * prefers:.1f} %")
    pictures = (
        Picture("digits.png", examples(judged[0], UNFORGIVEN), "digits, and what D says of them"),
        Picture("scores.png", histograms(judged[0], NAMES), "the scores of all held-out digits"),
    )
    claims = _claims(judged)
    return Report("One error, two pictures", (_table(judged),), pictures, tuple(claims), WORDS)


WORDS = (
    "All five corruptions of a digit have the same squared error, so a loss of pixels has no "
    "reason to prefer one: it is the same number five times. D has. It was never told what noise "
    "or a blot is, but it has learnt what digits look like, against a G that fell short of it, and "
    "finds the shifted digit more real. It isn't blind to the shift: these digits are all "
    "centred, and one pixel of eight is a lot. Nor is it sure of everything: what it says of a "
    "missing stroke depends on seed and training, as G never left out strokes, and what G never "
    "does D need not learn. An autoencoder that is asked how well it can copy a picture tells "
    "noise, which doesn't fit through its code, but finds a missing stroke better than a shift; "
    "and that is not the loss it learns by, whose target is the clean digit."
)


def _judge(seed: int, steps: int) -> Judged:
    train, test = _digits("train"), _inked(_digits("test"))
    shown = {"real": test} | corruptions(test, generator("pixels", seed))
    D, coder = _discriminator(seed, steps), _autoencoder(train, seed, steps)
    with torch.no_grad():
        scores = {
            "pixels": {k: -(x - test).square().flatten(1).mean(1) for k, x in shown.items()},
            "autoencoder": {k: coder(x) for k, x in shown.items()},
            "D": {k: D(x) for k, x in shown.items()},
        }
    return Judged(seed, shown, scores)


def corruptions(x: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
    """Images `(N, 1, H, W)` in [-1, 1], shifted by a pixel, and as wrong in four other ways.

    The squared error of each image is the same under all five, where it has as much ink.
    """
    left = torch.rand(len(x), 1, 1, 1, generator=draw) < 0.5
    ground = torch.full_like(x[..., :1], -1.0)
    shifted = torch.where(
        left, torch.cat([x[..., 1:], ground], -1), torch.cat([ground, x[..., :-1]], -1)
    )
    error = (shifted - x).square().flatten(1).sum(1)
    noise = torch.randn(x.shape, generator=draw)
    grey = x + noise * (error / noise.square().flatten(1).sum(1)).sqrt()[:, None, None, None]
    order = torch.rand(len(x), x[0].numel(), generator=draw).argsort(1)
    salt = _until(x, torch.where(x < 0, 1.0, -1.0), order, error)
    near = _from_a_stroke(x, draw)
    return {
        "shifted": shifted,
        "salt and pepper": salt,
        "grey noise": grey,
        "blot": _until(x, torch.ones_like(x), near, error),
        "missing stroke": _until(x, torch.full_like(x, -1.0), near, error),
    }


def _inked(x: Tensor) -> Tensor:
    """The digits that have ink enough for a stroke to be as large as the error of any shift."""
    ink = (x + 1).square().flatten(1).sum(1)
    moved = [(x.roll(by, -1) - x).square().flatten(1).sum(1) for by in (-1, 1)]
    return x[ink > torch.stack(moved).amax(0)]


def _from_a_stroke(x: Tensor, draw: torch.Generator) -> Tensor:
    """Pixels in the order of their distance from one in a stroke, `(N, H*W)`."""
    side = x.shape[-1]
    ink = x.flatten(1) + 1
    start = torch.multinomial(ink, 1, generator=draw).squeeze(1)
    places = torch.cartesian_prod(torch.arange(x.shape[-2]), torch.arange(side)).float()
    return torch.cdist(places[start][:, None], places[None].expand(len(x), -1, -1))[:, 0].argsort(1)


def _until(x: Tensor, to: Tensor, order: Tensor, error: Tensor) -> Tensor:
    """Pixel after pixel goes to its target until the squared error is reached; the last partly."""
    flat, step = x.flatten(1), (to - x).flatten(1)
    paid = step.gather(1, order).square()
    before = paid.cumsum(1) - paid
    share = ((error[:, None] - before) / paid.clamp(min=1e-12)).clamp(0, 1).sqrt()
    share = torch.zeros_like(share).scatter(1, order, share)
    return (flat + share * step).view_as(x)


def _digits(split: str) -> Tensor:
    return normalised(Digits(split).load().images, None, None, torch.device("cpu")).x


def _discriminator(seed: int, steps: int) -> torch.nn.Module:
    """The D of a GAN trained as `experiment=demo`, for fewer steps and on the train split."""
    shorter = (f"steps={steps}", "dataset.split=train", f"seed={seed}")
    config = build.compose("experiment=demo", *shorter)
    fight = session.make(config, build.parts(config), torch.device("cpu"))
    for _ in play(fight, seed):
        pass
    return fight.game.D.net


def _autoencoder(x: Tensor, seed: int, steps: int) -> Energy:
    """Trained on real digits to the least squared error; its output is minus that error."""
    reseed(seed, "autoencoder")
    net = Autoencoder(width=64, code=16, power=2).discriminator(tuple(x.shape[1:]))
    player = Player(net, Adam(lr=1e-3, betas=(0.9, 0.999)), lr=1e-3)

    def loss(batch: Batch) -> tuple[Tensor, Facts]:
        return -net(batch.x), {}

    draw = generator("autoencoder", seed)
    for _ in range(steps // 2):
        player.descend(loss, Batch(x[torch.randint(len(x), (64,), generator=draw)]))
    assert isinstance(net, Energy)
    return net.eval()


def _claims(judged: list[Judged]) -> list[Claim]:
    error = max(one.unequal for one in judged)
    claims = [below("largest difference of the squared errors, relative", 1e-4, error)]
    for name, sure in SURE.items():
        blind = mean(one.auc("pixels", "shifted", name) for one in judged)
        sees = min(one.auc("D", "shifted", name) for one in judged)
        claims += [
            close(f"pixel error: AUC of shifted against {name}", 0.5, blind, 0.05),
            above(f"D: AUC of shifted against {name}", sure, sees),
        ]
    closer = max(
        one.auc("D", "real", "shifted") - one.auc("D", "real", UNFORGIVEN[0]) for one in judged
    )
    claims.append(below("D: AUC of real against shifted, less that against salt", 0.0, closer))
    return claims


def _table(judged: list[Judged]) -> Table:
    head = (
        "seed",
        "pictures",
        "squared error",
        "pixel error",
        "autoencoder",
        "D",
        "D's mean output",
    )
    rows = []
    for one in judged:
        for name in NAMES:
            error = abs(float(one.scores["pixels"][name].mean()))
            against = AGAINST.get(name)
            aucs = [
                None if against is None else one.auc(judge, against, name)
                for judge in ("pixels", "autoencoder", "D")
            ]
            rows.append((one.seed, name, error, *aucs, float(one.scores["D"][name].mean())))
    title = (
        "AUC: how often a judge prefers the shifted digit (in the row of shifted digits, the real "
        "one); 0.5 is a coin"
    )
    return Table(title, head, tuple(rows), digits=3)
