"""The law of the optimum: no D does better than the one a loss calls optimal."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from gan_cli.loss import Selective
from gan_cli.loss.smoothed import Smoothed
from tests.conftest import entries
from tests.games import part

LOSSES = {name: part("loss", name) for name in entries("loss")} | {
    "smoothed on both sides": Smoothed(real=0.8, fake=0.3)
}
SOLVED = [name for name, loss in LOSSES.items() if hasattr(loss, "optimal")]

P = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64)
Q = torch.tensor([0.1, 0.3, 0.15, 0.45], dtype=torch.float64)


def value(loss, outputs, p, q):
    """E d(D(x), D(y)) for independent x ~ p, y ~ q, when D's outputs are a table."""
    pairs = loss.d(outputs[:, None].expand(len(p), len(q)), outputs.expand(len(p), len(q)))
    return (p[:, None] * q * pairs).sum()


def test_losses_with_a_known_optimum_are_not_lost():
    assert {"minimax", "nonsaturating", "maximum_likelihood", "lsgan", "hinge"} <= set(SOLVED)
    assert {"rsgan", "r3gan", "smoothed", "ebgan"} <= set(SOLVED)


@pytest.mark.parametrize("name", SOLVED)
def test_no_other_d_does_better(name):
    loss = LOSSES[name]
    best = loss.optimal((P / Q).log())
    least = value(loss, best, P, Q)
    generator = torch.Generator().manual_seed(0)
    for size in (1e-3, 0.1, 1.0, 10.0):
        for _ in range(50):
            other = best + size * torch.randn(4, dtype=torch.float64, generator=generator)
            if isinstance(loss, Selective):
                other = other.clamp(max=0)  # what such a loss calls best is so among energies
            assert value(loss, other, P, Q) >= least - 1e-12


@pytest.mark.parametrize("name", SOLVED)
def test_at_equilibrium_d_tells_nothing_apart(name):
    """p = q: the best D is constant, 1/2 where it is a probability."""
    best = LOSSES[name].optimal(torch.zeros(3))
    assert torch.equal(best, best[:1].expand(3))


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "maximum_likelihood"])
def test_at_equilibrium_d_says_one_half(name):
    assert LOSSES[name].optimal(torch.zeros(1)).sigmoid().item() == 0.5


# The value of the game at the best D for p = N(0, 1), q = N(d, 1): closed forms of the papers,
# integrated on a grid. The figures are -(−2 log 2 + 2 JS), 2 − 2 TV, half of ∫ pq/(p+q) and
# m (1 - TV); with labels 0.9 and 0 and p = q, twice the entropy of a coin of 0.45, by hand.
VALUES = [
    ("minimax", 1.0, 1.16345),
    ("nonsaturating", 2.0, 0.71263),
    ("maximum_likelihood", 4.0, 0.12085),
    ("hinge", 1.0, 1.23415),
    ("hinge", 4.0, 0.09100),
    ("lsgan", 1.0, 0.39797 / 2),
    ("lsgan", 4.0, 0.03430 / 2),
    ("ebgan", 1.0, 0.36 * 1.23415 / 2),
    ("ebgan", 4.0, 0.36 * 0.09100 / 2),
    ("smoothed", 0.0, 1.376270),
]


@pytest.mark.parametrize(("name", "distance", "expected"), VALUES)
def test_the_value_at_the_best_d_is_the_divergence_of_the_paper(name, distance, expected):
    loss = LOSSES[name]
    x = torch.linspace(-12, 16, 20_001, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    log_p, log_q = Normal(0 * one, one).log_prob(x), Normal(distance * one, one).log_prob(x)
    best = loss.optimal(log_p - log_q)
    # d is a sum of a function of the real and one of the fake output: each is met where it counts
    nothing = loss.d(0 * one, 0 * one)
    real = loss.d(best, 0 * best) - nothing
    fake = loss.d(0 * best, best) - nothing
    total = torch.trapezoid(log_p.exp() * real + log_q.exp() * fake, x) + nothing
    assert total.item() == pytest.approx(expected, abs=2e-5)


def jensen_shannon(p, q):
    mean = (p + q) / 2
    return ((p * (p / mean).log()).sum() + (q * (q / mean).log()).sum()) / 2


def test_minimax_at_the_best_d_is_the_jensen_shannon_divergence():
    """-2 log 2 + 2 JS (Goodfellow et al. 2014, Theorem 1), here with the sign of a loss."""
    loss = LOSSES["minimax"]
    assert value(loss, loss.optimal((P / Q).log()), P, Q).item() == pytest.approx(
        2 * math.log(2) - 2 * jensen_shannon(P, Q).item(), abs=1e-12
    )


@pytest.mark.parametrize("name", ["rsgan", "r3gan"])
def test_a_game_of_pairs_tells_a_pair_from_its_swap(name):
    """log 2 - JS(p×q, q×p): twice the value is that of minimax between pairs and swapped ones."""
    loss = LOSSES[name]
    least = value(loss, loss.optimal((P / Q).log()), P, Q)
    swap = jensen_shannon(P[:, None] * Q, Q[:, None] * P)
    assert least.item() == pytest.approx(math.log(2) - swap.item(), abs=1e-12)
    assert value(loss, torch.zeros(4, dtype=torch.float64), P, P).item() == pytest.approx(
        math.log(2), abs=1e-12
    )


def test_smoothing_both_sides_draws_d_up_where_there_are_only_fakes():
    """Salimans et al. 2016: with b = 0 the best D says a/2 at p = q and 0 where p = 0; with b > 0
    it says b there."""
    ratios = torch.tensor([0.0, -60.0], dtype=torch.float64)
    one_sided, two_sided = LOSSES["smoothed"], LOSSES["smoothed on both sides"]
    assert one_sided.optimal(ratios).sigmoid().tolist() == pytest.approx([0.45, 0.0])
    assert two_sided.optimal(ratios).sigmoid().tolist() == pytest.approx([0.55, 0.3])


def test_disjoint_supports_leave_js_at_log_2():
    """Arjovsky and Bottou 2017: the best D is sure, its value 0 = -2 log 2 + 2 log 2."""
    loss = LOSSES["minimax"]
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert value(loss, torch.tensor([1e4, -1e4]), p, q).item() == 0.0


@pytest.mark.parametrize("name", SOLVED)
def test_the_best_d_costs_something_finite_wherever_data_and_fakes_are(name):
    """Where there are only data, or only fakes, D is sure; and being right never costs infinity."""
    loss = LOSSES[name]
    for ratio, which in ((torch.inf, 0), (-torch.inf, 1)):
        sure = loss.optimal(torch.tensor([ratio]))
        held = torch.zeros(1)
        alone = (sure, held) if which == 0 else (held, sure)
        if loss.relative:  # only the difference counts: it can't be held at 0
            continue
        paid = loss.d(*alone)
        assert not paid.isnan().any()
        assert paid.item() < torch.inf
