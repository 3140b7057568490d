"""What can D teach G when data and fakes don't meet? Two segments at distance θ.

Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, example 1 and figure 1: between {0} × [0, 1]
and {θ} × [0, 1] the Jensen-Shannon divergence is log 2 for every θ but 0, and Wasserstein-1 is |θ|.
Here both are learnt: JS by a D, W1 by a critic that is 1-Lipschitz by construction (Anil et al.
2018, 1811.05381) and by one with a gradient penalty; a straight one of those is worth
|θ| (1 + |θ|/2λ). Then their figure 2: p = N(-4, 1) against
q = N(4, 1), D and critics trained to the end, and the gradient that reaches G while they are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.dataset.gaussian import Gaussian
from gan_cli.dataset.line import Line
from gan_cli.lab import Claim, Picture, Report, Say, Table, above, below, close
from gan_cli.lab.disjoint_picture import Apart, Estimates, distances, gradients
from gan_cli.lab.game import Networks, game, judge
from gan_cli.lab.nets import Affine, Segment, Smooth
from gan_cli.randomness import generator, reseed
from gan_cli.session import Session
from gan_cli.theory.gaussian import Gaussian as Normal
from gan_cli.theory.penalised import penalised_critic

LAMBDA = 10.0
APART = 8.0
GAMES = {
    "D": ("loss=minimax", "constraint=free"),
    "critic": ("loss=wgan", "constraint=lipschitz"),
    "penalised critic": ("loss=wgan_gp", "constraint=free"),
}
"""Who judges, and the game that trains them; the first estimates JS, the others W1."""


def run(quick: bool, seed: int, say: Say) -> Report:
    """Learn JS and W1 at several θ, then look at the gradients; `quick` takes five θ."""
    places = [i / 2 for i in range(-2, 3)] if quick else [i / 8 for i in range(-8, 9)]
    estimates = []
    for theta in places:
        estimates.append(_estimate(theta, 400 if quick else 1200, seed))
        one = estimates[-1]
        say(f"θ = {theta:+.3f}: JS {one.js:.4f}, W1 {one.w1:.4f}, penalised {one.penalised:.4f}")
    apart = []
    for name in (*GAMES, NON_SATURATING):
        apart.append(_apart(name, 600 if quick else 2000, seed))
        say(f"8 apart, {name}: |gradient of G| {apart[-1].gradients[-1]:.2g}")
    pictures = (
        Picture("distances.png", distances(estimates), "JS and W1 over θ, exact and as learnt"),
        Picture("gradients.png", gradients(apart), "D, critics, and the gradient that reaches G"),
    )
    claims = [*_about_distances(estimates), *_about_gradients(apart)]
    tables = (_table(estimates), _slopes(apart))
    return Report("Supports that don't meet", tables, pictures, tuple(claims), WORDS)


WORDS = (
    "Where data and fakes share no place, a D that has learnt says so with certainty however far "
    "they are apart: its estimate of JS is log 2 at every θ but 0, flat, and G's gradient through "
    "log(1 - D) is all but 0. The non-saturating loss has a gradient, of a size that D's steepness "
    "decides. A critic whose slope is bounded measures the distance itself, and its gradient is "
    "the same near and far. With a penalty in place of the bound it overshoots by the factor "
    "1 + θ/2λ, which is a straight critic's, or a little more."
)
NON_SATURATING = "non-saturating"


def _game(name: str, steps: int, seed: int, model: Networks, data: Line | Gaussian) -> Session:
    first = GAMES.get(name, ("loss=nonsaturating", "constraint=free"))
    rest = (
        "optimizer=adam",
        "optimizer.lr=0.005",
        "optimizer.betas=[0.9,0.99]",
        "schedule=cosine",
        "ema.half_life=0.0",
        "n_critic=1",
        "batch_size=256",
        f"steps={steps}",
    )
    return game(*first, *rest, model=model, data=data, seed=seed)


def _estimate(theta: float, steps: int, seed: int) -> Estimates:
    worth = []
    for name in GAMES:
        nets = Networks(lambda: Segment(theta), lambda: Smooth(dims=2, width=32))
        fight = _game(name, steps, seed, nets, Line(0.0))
        for _ in judge(fight, seed):
            pass
        worth.append(_worth(fight, seed))
    return Estimates(theta, (2 * math.log(2) - worth[0]) / 2, -worth[1], -worth[2])


def _worth(fight: Session, seed: int, n: int = 4096) -> float:
    """D's side of the game without penalties, on fresh samples."""
    reseed(seed, "worth")
    method = fight.game
    real = Batch(Line(0.0).sample(n, generator(seed, "worth")))
    with torch.no_grad():
        return float(method.loss.d(method.judge(real), method.judge(method.fake(real))).mean())


def _apart(name: str, steps: int, seed: int) -> Apart:
    """D trained on N(-4, 1) against N(4, 1), and now and then the gradient in G's mean."""
    nets = Networks(lambda: Affine(APART / 2, 1.0), Smooth)
    fight = _game(name, steps, seed, nets, Gaussian(-APART / 2, 1.0))
    looks = set(torch.logspace(0, math.log10(steps), 40).round().int().tolist()) | {steps}
    sizes = [(step, _reaches(fight, step)) for step in judge(fight, seed) if step in looks]
    x = torch.linspace(-9, 9, 721)
    with torch.no_grad():
        v = fight.game.D.net(x[:, None])
    fakes = APART / 2 + torch.randn(4096, 1, generator=generator(seed, "fakes"))
    return Apart(
        name=name,
        x=x,
        v=v,
        steps=[step for step, _ in sizes],
        gradients=[size for _, size in sizes],
        fooled=float(fight.game.D.net(fakes).detach().sigmoid().mean()),
        slope=float(_slope(fight, fakes).mean()),
    )


def _reaches(fight: Session, step: int) -> float:
    """The size of G's gradient in its mean, as G's own update would take it."""
    gradient, _ = fight.game.G.gradient(fight.game.g_loss, fight.feed(step))
    return float(gradient[0].abs())


def _slope(fight: Session, x: Tensor) -> Tensor:
    """The derivative of D's raw output in each sample, `(N, 1) -> (N,)`."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(fight.game.D.net(x).sum(), x)
    return slope.squeeze(1)


def _about_distances(estimates: list[Estimates]) -> list[Claim]:
    away = [one for one in estimates if one.theta]
    (at_zero,) = (one for one in estimates if not one.theta)
    js = max(away, key=lambda one: abs(one.js - math.log(2)))
    w1 = max(away, key=lambda one: abs(one.w1 - abs(one.theta)))
    steep = max(away, key=lambda one: abs(one.penalised - penalised(one.theta)))
    return [
        close(f"JS by D is log 2, worst at θ = {js.theta:g}", math.log(2), js.js, 0.01),
        close("JS by D is 0 at θ = 0", 0.0, at_zero.js, 0.01),
        close(f"W1 by the critic is |θ|, worst at θ = {w1.theta:g}", abs(w1.theta), w1.w1, 0.02),
        close("W1 by the critic is 0 at θ = 0", 0.0, at_zero.w1, 0.02),
        close(
            f"the penalised critic says |θ| (1 + |θ|/2λ), worst at θ = {steep.theta:g}",
            penalised(steep.theta),
            steep.penalised,
            0.03,
        ),
    ]


def penalised(theta: float) -> float:
    """What a straight critic under λ (‖∇D‖ - 1)² is worth at distance θ."""
    return abs(theta) * (1 + abs(theta) / (2 * LAMBDA))


def _about_gradients(apart: list[Apart]) -> list[Claim]:
    seen = {one.name: one for one in apart}
    D, critic, steep = (seen[name] for name in GAMES)
    return [
        below("8 apart: D(fake), the mean", 1e-3, D.fooled),
        below("8 apart: G's gradient through log(1 - D)", 1e-2, D.gradients[-1]),
        close("8 apart: G's gradient from the critic", 1.0, critic.gradients[-1], 0.02),
        close(
            "8 apart: G's gradient from the penalised critic, 1 + d/2λ and a little more",
            penalised_critic(Normal(-APART / 2, 1.0), Normal(APART / 2, 1.0), LAMBDA)[1],
            steep.gradients[-1],
            0.05,
        ),
        above(
            "8 apart: the non-saturating gradient, in shares of the saturating one",
            100.0,
            seen[NON_SATURATING].gradients[-1] / D.gradients[-1],
        ),
    ]


def _table(estimates: list[Estimates]) -> Table:
    rows = tuple(
        (
            one.theta,
            math.log(2) if one.theta else 0.0,
            one.js,
            abs(one.theta),
            one.w1,
            penalised(one.theta),
            one.penalised,
        )
        for one in estimates
    )
    head = ("θ", "JS", "by D", "W1", "by the critic", "|θ| (1 + |θ|/2λ)", "by the penalised critic")
    return Table("Two segments at distance θ", head, rows)


def _slopes(apart: list[Apart]) -> Table:
    critics = tuple(GAMES)[1:]
    rows = tuple(
        (one.name, None if one.name in critics else one.fooled, one.slope, one.gradients[-1])
        for one in apart
    )
    head = ("judge", "D(fake)", "slope of its output at fakes", "|gradient in G's mean|")
    return Table("N(-4, 1) against N(4, 1)", head, rows)
