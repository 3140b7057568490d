"""Does D find the best D? Trained on fixed p and q, against closed forms.

Goodfellow et al. 2014, arXiv 1406.2661, Proposition 1 and Theorem 1: against a fixed G the best D
says p/(p + q), and the game is then worth 2 log 2 - 2 JS. Every loss has such a pair: Mao et al.
2016 (1611.04076, least squares), Miyato et al. 2018 (1802.05957, hinge), Nowozin et al. 2016
(1606.00709, equations 4 and 5, f-divergences), Jolicoeur-Martineau 2018 (1807.00734, pairs). Under
a gradient penalty λ (‖∇D‖ - 1)² (Gulrajani et al. 2017, 1704.00028) a critic between two Gaussians
at distance d becomes steeper than 1, by d/2λ and a little more. Here p = N(0, 1), q = N(d, 1), and
D is a network of 64-64 tanh units. Its value is then integrated, not sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gan_cli.dataset.gaussian import Gaussian as Normal
from gan_cli.lab import Claim, Picture, Report, Say, Table, below
from gan_cli.lab.game import Networks, game, judge
from gan_cli.lab.nets import Affine, Smooth
from gan_cli.lab.optimal_d_picture import Trained, curves, errors, film_of
from gan_cli.theory import gaussian as exact
from gan_cli.theory import measure, optimum
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid
from gan_cli.theory.penalised import penalised_critic

LAMBDA = 10.0
P = Gaussian(0.0, 1.0)
Tables = tuple[Tensor, Tensor, Tensor]
"""log p, log q and the volumes on the cells of a grid, `(M,)` each."""


@dataclass(frozen=True)
class Spec:
    """A loss, what it is worth at its best D, and the distances d to try it at, the quick first."""

    loss: str
    formula: str
    worth: Callable[[Gaussian, Tables], float]
    distances: tuple[float, ...] = (2.0, 1.0, 4.0)


def _minus(divergence: Callable[[Gaussian, Gaussian], float]) -> Callable[..., float]:
    return lambda q, tables: -divergence(P, q)


SPECS = (
    Spec("minimax", "2 log 2 - 2 JS", lambda q, t: 2 * math.log(2) - 2 * float(measure.js(*t))),
    Spec("lsgan", "½ ∫ pq/(p + q)", lambda q, t: float(measure.overlap(*t))),
    Spec("hinge", "2 - 2 TV", lambda q, t: 2 - 2 * exact.tv(P, q)),
    Spec("rsgan", "log 2 - JS(P×Q, Q×P)", lambda q, t: math.log(2) - float(measure.paired_js(*t))),
    Spec("wgan_gp", "-W1 - E(E[y - x|x̂]²)/2λ", lambda q, t: -penalised_critic(P, q, LAMBDA)[0]),
    Spec("fgan_kl", "-KL", _minus(exact.kl), (1.0, 2.0)),
    Spec("fgan_reverse_kl", "-KL(Q‖P)", lambda q, t: -exact.kl(q, P), (1.0, 2.0)),
    Spec("fgan_hellinger", "-∫ (√p - √q)²", _minus(exact.hellinger)),
    Spec("fgan_pearson", "-∫ (p - q)²/q", _minus(exact.pearson), (0.5,)),
)


def run(quick: bool, seed: int, say: Say) -> Report:
    """Train a D for each loss; `quick` at one distance, for fewer steps."""
    jobs = [(spec, d) for spec in SPECS for d in spec.distances[: 1 if quick else None]]
    done = []
    for number, (spec, d) in enumerate(jobs, 1):
        done.append(_train(spec, d, 800 if quick else 3000, seed))
        say(f"{number}/{len(jobs)} {spec.loss}, d = {d:g}: {done[-1].worth:.4f}")
    shown = [one for one in done if one.d == _first(one.loss)]
    pictures = [
        Picture("curves.png", curves(shown), "D as it learns, against the best D, loss by loss"),
        Picture("errors.png", errors(shown), "how far each game is from its value, over the steps"),
    ]
    if not quick:
        say("drawing the animation")
        pictures.append(Picture("curves.webp", film_of(shown), "D as it learns, as it goes"))
    claims = [_claim(one, 0.02 if quick else 0.01) for one in done]
    sure = [one for one in done if one.off is not None]
    claims += [
        below(f"{one.loss}, d = {one.d:g}: mean |D - p/(p + q)|", 0.01, one.off or 0.0)
        for one in sure
    ]
    return Report(
        "The best D, and what the game is worth",
        (_table(done),),
        tuple(pictures),
        tuple(claims),
        WORDS,
    )


WORDS = (
    "With G held fixed, D's loss is an integral over x, and at each x the best answer depends on "
    "p/q there alone. Put back into the loss it leaves a divergence: that is what D's loss "
    "measures once D has learnt, and what G then descends. The loss says how far data and fakes "
    "are apart only if D is trained this well; in a training it hardly ever is. WGAN-GP's critic "
    "shows that a penalty changes the answer: its loss is not -W1 = -d, but a little more."
)


def _first(loss: str) -> float:
    return next(spec.distances[0] for spec in SPECS if spec.loss == loss)


def _train(spec: Spec, d: float, steps: int, seed: int) -> Trained:
    settings = ("optimizer=adam", "optimizer.lr=0.01", "optimizer.betas=[0.9,0.99]")
    more = ("schedule=cosine", "constraint=free", "ema.half_life=0.0", "n_critic=1")
    size = (f"steps={steps}", "batch_size=512")
    nets = Networks(lambda: Affine(d, 1.0), Smooth)
    fight = game(f"loss={spec.loss}", *settings, *more, *size, model=nets, data=Normal(), seed=seed)
    q = Gaussian(d, 1.0)
    grid = Grid.line(-9.0, 9.0 + d, 1200)
    tables = (grid.table(P.log_prob), grid.table(q.log_prob), grid.weights)
    loss, D = cast(optimum.Game, fight.game.loss), fight.game.D.net
    seen: list[tuple[int, Tensor, float]] = []
    looks = set(torch.logspace(0, math.log10(steps), 48).round().int().tolist()) | {steps}
    for step in judge(fight, seed):
        if step in looks:
            with torch.no_grad():
                v = D(grid.x.float()).double()
            seen.append((step, v, float(optimum.value_of(loss, v, *tables))))
    return Trained(
        loss=spec.loss,
        d=d,
        formula=spec.formula,
        known=spec.worth(q, tables),
        x=grid.x.squeeze(1),
        densities=torch.stack(tables[:2]).exp(),
        steps=[step for step, _, _ in seen],
        outputs=torch.stack([v for _, v, _ in seen]),
        values=[value for _, _, value in seen],
        best=_best(loss, tables, grid.x.squeeze(1), d),
        off=_off(loss, seen[-1][1], tables),
    )


def _best(loss: optimum.Game, tables: Tables, x: Tensor, d: float) -> Tensor:
    """The best D on the cells; the critic under a penalty has a line, known between the means."""
    if hasattr(loss, "optimal"):
        return optimum.best(loss, *tables[:2])
    return -(1 + d / (2 * LAMBDA)) * (x - d / 2)


def _off(loss: optimum.Game, v: Tensor, tables: Tables) -> float | None:
    """The mean error of D as a probability, over data and fakes; None where it says none."""
    said = optimum.probability(loss, v) if hasattr(loss, "optimal") else None
    if said is None:
        return None
    log_p, log_q, weights = tables
    mass = weights * (log_p.exp() + log_q.exp()) / 2
    return float(mass @ (said - (log_p - log_q).sigmoid()).abs())


def _claim(one: Trained, within: float) -> Claim:
    text = f"{one.loss}, d = {one.d:g}: D's loss is {one.formula}, within {within:.0%}"
    return Claim(text, one.known, one.worth, abs(one.worth / one.known - 1) <= within)


def _table(done: list[Trained]) -> Table:
    head = ("loss", "d", "at the best D", "known", "D trained", "off by %", "mean |D - p/(p + q)|")
    rows = tuple(
        (
            one.loss,
            one.d,
            one.formula,
            one.known,
            one.worth,
            round(100 * (one.worth / one.known - 1), 2),
            one.off,
        )
        for one in done
    )
    return Table("What D's loss comes to, p = N(0, 1), q = N(d, 1)", head, rows, digits=5)
