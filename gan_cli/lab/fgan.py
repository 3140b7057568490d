"""What does each f-divergence want? A Gaussian fitted to a mixture that it can't match.

Nowozin, Cseke and Tomioka 2016, arXiv 1606.00709, in the manner of section 2.5 and of Tables 2
and 3. P is 0.33 N(-1, 0.255²) + 0.67 N(2, 2), Q = N(mu, sigma²) with G(z) = mu + sigma z, D a
network of 64-64 tanh units behind the divergence's own activation, and G descends the bound itself.
The best mu and sigma, and the divergence there, are found by integration; the bound that D ends
with has to come close to it, and may not be above the divergence of the Q it judges. Adam, D twice
a step, and rates that fall to 0 take the place of the paper's plain gradient steps, which are
slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_cli.dataset.mixture import Mixture
from gan_cli.lab import Cell, Claim, Picture, Report, Say, Table, close
from gan_cli.lab.fgan_picture import Fitted, Look, densities, film_of, landscapes
from gan_cli.lab.game import Networks, game, play
from gan_cli.lab.nets import Affine, Smooth
from gan_cli.session import Session
from gan_cli.theory.divergence import DIVERGENCES
from gan_cli.theory.fit import Fit, cross_table, fit_gaussian
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid, bound, divergence

DATA = Mixture(weights=(0.33, 0.67), centers=(-1.0, 2.0), stds=(0.255, 1.4142))
NAMES = ("kl", "reverse_kl", "pearson", "js", "jeffreys")
TOLERANCE = 0.05
"""Of mu and sigma."""

SHORT = 0.03
"""How far the bound may stay below the best value, as a share of it."""


def run(quick: bool, seed: int, say: Say) -> Report:
    """Fit by each divergence; `quick` takes the first three, half the steps and half the batch."""
    names = NAMES[: 3 if quick else None]
    grid = Grid.line(-14.0, 16.0, 2400)
    log_p = grid.table(DATA.log_prob)
    fitted = []
    for number, name in enumerate(names, 1):
        one = _fit(name, quick, seed, grid, log_p)
        fitted.append(one)
        q, best = one.q, one.best.q
        say(
            f"{number}/{len(names)} {name}: mu {q.mean:.3f} (best {best.mean:.3f}), "
            f"sigma {q.std:.3f} ({best.std:.3f}), bound {one.bound:.4f} ({one.best.value:.4f})"
        )
    crossed = _crossed(fitted, log_p, grid)
    pictures = [
        Picture("fits.png", densities(fitted, log_p, grid), "the Gaussian of each divergence"),
        Picture("landscapes.png", landscapes(fitted, log_p, grid), "the way of mu and sigma"),
    ]
    if not quick:
        say("drawing the animation")
        pictures.append(Picture("fits.webp", film_of(fitted, log_p, grid), "the fits as they go"))
    tables = (_table(fitted), _cross(fitted, crossed))
    claims = [claim for one in fitted for claim in _claims(one)] + [_diagonal(fitted, crossed)]
    return Report("What each divergence wants", tables, tuple(pictures), tuple(claims), WORDS)


WORDS = (
    "Where the model can match the data every divergence leads to the same place; where it can't, "
    "each chooses what to give up. KL and Pearson pay for data without fakes, so Q covers both "
    "modes and the gap between them; reverse KL pays for fakes without data, so Q sits on the "
    "large mode; JS and Jeffreys are in between. Which of them a GAN descends is the choice of its "
    "loss. The bound that D reports is below the true divergence of the moment, and close to it "
    "only while D keeps up."
)


def _fit(name: str, quick: bool, seed: int, grid: Grid, log_p: Tensor) -> Fitted:
    steps, batch = (1500, 1024) if quick else (3000, 2048)
    fight = game(
        f"loss=fgan_{name}",
        "loss.saturating=true",
        "optimizer=adam",
        "optimizer.lr=0.005",
        "optimizer.d_lr=0.01",
        "optimizer.betas=[0.9,0.99]",
        "schedule=cosine",
        "constraint=free",
        "ema.half_life=0.0",
        "n_critic=2",
        f"batch_size={batch}",
        f"steps={steps}",
        model=Networks(lambda: Affine(0.0, 1.0), Smooth),
        data=DATA,
        seed=seed,
    )
    looks = [_look(fight, 0, grid)]
    looks += [_look(fight, step, grid) for step in play(fight, seed) if step % (steps // 60) == 0]
    f, last = DIVERGENCES[name], looks[-1]
    log_q = last.q.log_prob(grid.x)
    return Fitted(
        name=name,
        best=fit_gaussian(f, log_p, grid),
        looks=tuple(looks),
        bound=float(bound(f, last.v, log_p, log_q, grid.weights)),
        value=float(divergence(f, log_p, log_q, grid.weights)),
    )


def _look(fight: Session, step: int, grid: Grid) -> Look:
    mean, std = (float(weight.detach()) for weight in fight.game.G.weights)
    with torch.no_grad():
        v = fight.game.D.net(grid.x.float()).double()
    return Look(step, Gaussian(mean, abs(std)), v)


def _crossed(fitted: Sequence[Fitted], log_p: Tensor, grid: Grid) -> Tensor:
    fs = [DIVERGENCES[one.name] for one in fitted]
    return cross_table(fs, [Fit(one.q, one.value) for one in fitted], log_p, grid)


def _claims(one: Fitted) -> list[Claim]:
    best, q = one.best, one.q
    short = 1 - one.bound / best.value
    near = f"within {TOLERANCE} of the best"
    return [
        close(f"{one.name}: mu is {near}", best.q.mean, q.mean, TOLERANCE),
        close(f"{one.name}: sigma is {near}", best.q.std, q.std, TOLERANCE),
        Claim(
            f"{one.name}: the bound is within {SHORT:.0%} of the best value",
            best.value,
            one.bound,
            abs(short) <= SHORT,
        ),
        Claim(
            f"{one.name}: the bound is not above the divergence of this Q",
            f"≤ {one.value:.4f}",
            one.bound,
            one.bound <= one.value,
        ),
    ]


def _diagonal(fitted: Sequence[Fitted], crossed: Tensor) -> Claim:
    least = crossed.argmin(0).tolist()
    hits = sum(row == column for column, row in enumerate(least))
    text = "trained with a divergence, Q is the best of all by that divergence"
    return Claim(
        text, f"{len(fitted)} of {len(fitted)}", f"{hits} of {len(fitted)}", hits == len(fitted)
    )


def _table(fitted: Sequence[Fitted]) -> Table:
    head = ("divergence", "bound F", "best D_f", "mu", "best mu", "sigma", "best sigma")
    rows = tuple(
        (
            one.name,
            one.bound,
            one.best.value,
            one.q.mean,
            one.best.q.mean,
            one.q.std,
            one.best.q.std,
        )
        for one in fitted
    )
    return Table("The Gaussian learnt, and the best one", head, rows, digits=5)


def _cross(fitted: Sequence[Fitted], crossed: Tensor) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.name, *map(float, row)) for one, row in zip(fitted, crossed, strict=True)
    ]
    head = ("trained with", *(one.name for one in fitted))
    return Table("Each fit (row), judged by every divergence (column)", head, tuple(rows))
