"""Is a GAN maximum likelihood? One Gaussian for two modes, by EM and by five games.

Maximum likelihood is the minimum of KL(p‖q): it pays for data that the model misses, so a model
that is too small covers everything. Goodfellow 2016 (NIPS tutorial, arXiv 1701.00160, section 3.2)
gives G the loss with that gradient, Nowozin et al. 2016 (1606.00709) a game for KL and one for
KL(q‖p), which pays for samples where there are no data and so sits on one mode. At the best D the
non-saturating loss descends KL(q‖p) - 2 JS (Arjovsky and Bottou 2017, 1701.04862, Theorem 2.5), the
minimax loss 2 JS. Here p has two modes and G(z) = mu + sigma z, so every divergence is an integral;
the classical fit is EM (Dempster, Laird and Rubin 1977).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.dataset.mixture import Mixture
from gan_cli.lab import Cell, Claim, Picture, Report, Say, Table, below, close
from gan_cli.lab.game import Networks, game, play
from gan_cli.lab.mle_picture import Fitted, Mixed, Way, densities, landscapes
from gan_cli.lab.nets import Affine, Smooth
from gan_cli.randomness import generator
from gan_cli.session import Session
from gan_cli.theory.divergence import DIVERGENCES
from gan_cli.theory.fit import fit_gaussian
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.measure import Grid, js, kl, reverse_kl

DATA = Mixture(weights=(0.65, 0.35), centers=(-2.0, 2.0), stds=(0.6, 0.6))
START = (-1.0, 0.7)
"""mu and sigma of every G at its start: between the modes."""

TOLERANCE = 0.1
"""Of mu and sigma, against the minimum of what a loss descends."""

SAMPLES = 20_000
"""What EM is given, and as many more on which its likelihood is measured."""

HALF_LOG = math.log(2 * math.pi) / 2

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of log p, log q and the cells' volumes."""


@dataclass(frozen=True)
class Method:
    """A generator's loss, and what its gradient descends while D is at its best."""

    name: str
    overrides: tuple[str, ...]
    descends: str
    objective: Objective
    covers: bool | None
    """Whether it covers both modes; None where both ways are minima."""


METHODS = (
    Method("maximum_likelihood", ("loss=maximum_likelihood",), "KL(p‖q)", kl, True),
    Method("fgan_kl", ("loss=fgan_kl", "loss.saturating=true"), "KL(p‖q)", kl, True),
    Method("minimax", ("loss=minimax",), "2 JS", lambda *t: 2 * js(*t), None),
    Method(
        "nonsaturating",
        ("loss=nonsaturating",),
        "KL(q‖p) - 2 JS",
        lambda *t: reverse_kl(*t) - 2 * js(*t),
        False,
    ),
    Method(
        "fgan_reverse_kl",
        ("loss=fgan_reverse_kl", "loss.saturating=true"),
        "KL(q‖p)",
        reverse_kl,
        False,
    ),
)


def run(quick: bool, seed: int, say: Say) -> Report:
    """Fit by EM and by every game, each once if `quick`, else with five seeds."""
    grid = Grid.line(-12.0, 12.0, 2400)
    log_p = grid.table(DATA.log_prob)
    mixed = [_em(components, grid, log_p, seed) for components in (1, 2, 3)]
    minima = {method.name: _minima(method.objective, grid, log_p) for method in METHODS}
    fitted = []
    for method in METHODS:
        for number in range(1 if quick else 5):
            one = _fit(method, seed + number, grid, log_p)
            fitted.append(one)
            say(f"{method.name}, seed {one.seed}: mu {one.q.mean:.3f}, sigma {one.q.std:.3f}")
    shown = [one for one in fitted if one.seed == seed]
    ways = [
        Way("KL(p‖q): maximum likelihood", kl, _of(shown, True)),
        Way("2 JS: the minimax game", METHODS[2].objective, _of(shown, None)),
        Way("KL(q‖p): the other way round", reverse_kl, _of(shown, False)),
    ]
    pictures = (
        Picture("fits.png", densities(mixed, shown, grid, log_p), "what EM and each game fit"),
        Picture("ways.png", landscapes(ways, grid, log_p), "the way of mu and sigma downhill"),
    )
    tables = (_table_em(mixed), _table(fitted, minima))
    claims = [*_claims_em(mixed, grid, log_p), *_claims(fitted, minima)]
    return Report("Maximum likelihood, by EM and by games", tables, pictures, tuple(claims), WORDS)


WORDS = (
    "To maximise the likelihood is to minimise KL(p‖q), whoever does it: EM with one Gaussian and "
    "the two games whose loss descends KL(p‖q) end at the same place, the mean and the standard "
    "deviation of the data, with much of their mass in the gap where there are no data at all. "
    "KL(q‖p) forbids just that, so its game, and the non-saturating one that most GANs play, sit "
    "on one mode and never make the other. That is not instability: it is the minimum of what was "
    "asked for, by a model that is too small. A mixture of two fits both ways at once. The minimax "
    "game has a minimum of either kind, and the seed decides."
)


def _em(components: int, grid: Grid, log_p: Tensor, seed: int) -> Mixed:
    """A Gaussian mixture by EM, from samples alone."""
    from sklearn.mixture import GaussianMixture

    x, fresh = (DATA.sample(SAMPLES, generator("mle", seed, name)) for name in ("fit", "test"))
    model = GaussianMixture(components, random_state=seed, tol=1e-6, max_iter=500).fit(x.numpy())
    log_q = torch.from_numpy(model.score_samples(grid.x.numpy()))
    return Mixed(
        components=components,
        log_q=log_q,
        likelihood=float(model.score(fresh.numpy())),
        kl=float(kl(log_p, log_q, grid.weights)),
        reverse_kl=float(reverse_kl(log_p, log_q, grid.weights)),
        mean=float(model.weights_ @ model.means_[:, 0]),
    )


def _fit(method: Method, seed: int, grid: Grid, log_p: Tensor) -> Fitted:
    fight = _game(method, seed)
    way = [_where(fight.game.G.net) for step in play(fight, seed) if step % 10 == 0]
    q = Gaussian(*_where(fight.game.generator))
    log_q = q.log_prob(grid.x)
    return Fitted(
        name=method.name,
        descends=method.descends,
        covers=method.covers,
        seed=seed,
        q=q,
        kl=float(kl(log_p, log_q, grid.weights)),
        reverse_kl=float(reverse_kl(log_p, log_q, grid.weights)),
        likelihood=float(grid.weights @ (log_p.exp() * log_q)),
        way=(START, *way),
    )


def _game(method: Method, seed: int) -> Session:
    nets = Networks(lambda: Affine(*START), Smooth)
    rates = ("optimizer=adam_toy", "optimizer.lr=0.01", "schedule=cosine", "n_critic=3")
    size = ("batch_size=512", "steps=1000", "ema.half_life=50000")
    return game(
        *method.overrides, *rates, *size, "constraint=free", model=nets, data=DATA, seed=seed
    )


def _where(net: torch.nn.Module) -> tuple[float, float]:
    mean, std = (float(weight.detach()) for weight in net.parameters())
    return mean, abs(std)


def _minima(objective: Objective, grid: Grid, log_p: Tensor) -> tuple[Gaussian, ...]:
    """The local minima of an objective over mu and sigma, by descent from six starts."""
    found: list[Gaussian] = []
    for mean, std in ((-2.0, 0.6), (2.0, 0.6), (-0.6, 2.0), START, (0.0, 1.0), (-0.6, 0.5)):
        q = _descend(objective, mean, std, grid, log_p)
        beyond = abs(q.mean) > 6  # a leap of the search to where there is nothing to see
        if not beyond and all(_apart(q, other) > TOLERANCE for other in found):
            found.append(q)
    return tuple(found)


def _descend(objective: Objective, mean: float, std: float, grid: Grid, log_p: Tensor) -> Gaussian:
    where = torch.tensor([mean, math.log(std)], dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.LBFGS([where], max_iter=200, line_search_fn="strong_wolfe")

    def height() -> float:
        z = (grid.x.squeeze(1) - where[0]) / where[1].exp()
        value = objective(log_p, -z.square() / 2 - where[1] - HALF_LOG, grid.weights)
        (where.grad,) = torch.autograd.grad(value, where)
        return float(value.detach())

    optimizer.step(height)
    return Gaussian(float(where[0].detach()), math.exp(float(where[1].detach())))


def _apart(q: Gaussian, other: Gaussian) -> float:
    return max(abs(q.mean - other.mean), abs(q.std - other.std))


def _of(fitted: list[Fitted], covers: bool | None) -> tuple[Fitted, ...]:
    return tuple(one for one in fitted if one.covers is covers)


def _claims_em(mixed: list[Mixed], grid: Grid, log_p: Tensor) -> list[Claim]:
    entropy = -float(grid.weights @ (log_p.exp() * log_p))
    one, two = mixed[:2]
    best = fit_gaussian(DIVERGENCES["kl"], log_p, grid)
    gap = max(abs(m.likelihood + entropy + m.kl) for m in mixed)
    return [
        close("EM with one Gaussian: KL(p‖q) is the least possible", best.value, one.kl, 0.003),
        close("EM with one Gaussian: mu is the mean of the data", best.q.mean, one.mean, 0.05),
        below("EM with two Gaussians: KL(p‖q)", 0.002, two.kl),
        below("log-likelihood per fresh sample + H(p) + KL(p‖q)", 0.03, gap),
    ]


def _claims(fitted: list[Fitted], minima: dict[str, tuple[Gaussian, ...]]) -> list[Claim]:
    claims = []
    for method in METHODS:
        runs = [one for one in fitted if one.name == method.name]
        worst = max(min(_apart(one.q, q) for q in minima[method.name]) for one in runs)
        text = f"{method.name}: mu and sigma off a minimum of {method.descends}"
        claims.append(below(text, TOLERANCE, worst))
        if method.covers is None:
            continue
        masses = [_between(one.q) for one in runs]
        if method.covers:
            text = f"{method.name}: covers, share of samples in the gap (data: {_GAP:.3f})"
            claims.append(Claim(text, "> 0.2", min(masses), min(masses) > 0.2))
        else:
            text = f"{method.name}: seeks a mode, share of samples in the gap (data: {_GAP:.3f})"
            claims.append(below(text, 0.05, max(masses)))
    return claims


def _between(q: Gaussian) -> float:
    """The share of samples from -0.8 to 0.8: two standard deviations and more from either mode."""
    return q.cdf(0.8) - q.cdf(-0.8)


def _gap_of_data() -> float:
    ends = DATA.cdf(torch.tensor([[-0.8], [0.8]], dtype=torch.float64))
    return float(ends.diff(dim=0))


_GAP = _gap_of_data()


def _table_em(mixed: list[Mixed]) -> Table:
    head = ("Gaussians", "log-likelihood per fresh sample", "KL(p‖q)", "KL(q‖p)")
    rows = tuple((m.components, m.likelihood, m.kl, m.reverse_kl) for m in mixed)
    return Table(f"EM, from {SAMPLES:,} samples", head, rows)


def _table(fitted: list[Fitted], minima: dict[str, tuple[Gaussian, ...]]) -> Table:
    head = (
        *("loss", "seed", "descends", "mu", "sigma", "nearest minimum: mu", "sigma"),
        *("KL(p‖q)", "KL(q‖p)", "log-likelihood"),
    )
    rows = []
    for one in fitted:
        near = min(minima[one.name], key=lambda q: _apart(one.q, q))
        row: tuple[Cell, ...] = (one.name, one.seed, one.descends, one.q.mean, one.q.std)
        rows.append((*row, near.mean, near.std, one.kl, one.reverse_kl, one.likelihood))
    title = "One Gaussian, G(z) = mu + sigma z, against 0.65 N(-2, 0.6²) + 0.35 N(2, 0.6²)"
    return Table(title, head, tuple(rows))
