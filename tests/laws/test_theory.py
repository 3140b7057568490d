"""Laws of theory/: the table of f-divergences, and the numbers of every distance in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.distributions import MultivariateNormal
from torch.nn.functional import softplus

from gan_cli.loss.fgan import FGAN
from gan_cli.loss.hinge import Hinge
from gan_cli.loss.lsgan import LSGAN
from gan_cli.loss.minimax import Minimax
from gan_cli.theory import gaussian, measure, optimum, transport
from gan_cli.theory.divergence import DIVERGENCES, NAMES, alpha, named
from gan_cli.theory.fit import cross_table, fit_gaussian
from gan_cli.theory.gaussian import Gaussian
from gan_cli.theory.lambert import log_w
from gan_cli.theory.measure import Grid
from gan_cli.theory.penalised import penalised_critic
from gan_cli.theory.tame import LIMIT, bend, grow, unbend

F64 = torch.float64
TABLE = {**DIVERGENCES, **{f"alpha({a})": alpha(a) for a in (-1.0, 0.5, 0.9, 1.5, 2.0, 4.0)}}
SMOOTH = [name for name in TABLE if name != "tv"]
RATIOS = torch.logspace(-4, 4, 161, dtype=F64)  # u = 1 is among them
BOUNDED = {"js": 2 * math.log(2), "gan": 0.0, "hellinger": 2.0, "tv": 1.0}

every = pytest.mark.parametrize("f", TABLE.values(), ids=TABLE)
smooth = pytest.mark.parametrize("f", [TABLE[name] for name in SMOOTH], ids=SMOOTH)


def close(a, b, rtol=0.0, atol=0.0):
    expected = torch.as_tensor(b, dtype=a.dtype).expand_as(a)
    torch.testing.assert_close(a, expected, rtol=rtol, atol=atol)


# The table: f, f', f*, g_f


@every
def test_f_is_convex_and_nothing_at_1(f):
    u, w = torch.cartesian_prod(RATIOS, RATIOS).T
    middle, chord = f.f((u + w) / 2), (f.f(u) + f.f(w)) / 2
    assert (middle <= chord + 1e-12 * (1 + chord.abs())).all()
    expected = -math.log(4) if f is DIVERGENCES["gan"] else 0.0
    assert float(f.f(torch.ones((), dtype=F64))) == pytest.approx(expected, abs=1e-15)


@smooth
def test_the_slope_is_the_derivative_of_f(f):
    u = RATIOS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f.f(u).sum(), u)
    close(f.slope(RATIOS), slope, rtol=1e-9, atol=1e-9)


@every
def test_the_conjugate_is_the_supremum(f):
    """f*(t) = sup_u (t u - f(u)), by trying a hundred thousand ratios for each t."""
    u = torch.cat([torch.zeros(1, dtype=F64), torch.logspace(-5, 5, 100_001, dtype=F64)])
    for t in f.slope(torch.tensor([1e-3, 0.1, 0.5, 0.9, 1.1, 2.0, 10.0, 1e3], dtype=F64)):
        tried, star = (t * u - f.f(u)).max(), f.conjugate(t)
        assert tried <= star + 1e-9 * (1 + star.abs())
        assert tried >= star - 1e-6 * (1 + star.abs())


@every
def test_the_conjugate_touches_f_at_its_slope(f):
    """f*(f'(u)) = u f'(u) - f(u)."""
    u = RATIOS[(RATIOS > 1e-2) & (RATIOS < 1e2)]
    close(f.conjugate(f.slope(u)), u * f.slope(u) - f.f(u), rtol=1e-9, atol=1e-9)


@every
def test_the_activation_climbs_through_the_domain_of_the_conjugate(f):
    low, high = f.domain
    t = f.activation(torch.linspace(-9, 9, 2001, dtype=F64))
    assert (t.diff() > 0).all()
    far = f.activation(torch.tensor([-1e4, -300, -30, 30, 300, 1e4], dtype=F64))
    assert (far.diff() >= 0).all()
    assert low <= float(far.min()) <= float(far.max()) <= high


@every
def test_the_cost_is_the_conjugate_of_the_activation_beyond_the_limit_too(f):
    """So the bound holds as it stands where the exponentials are bent: only T is said otherwise."""
    v = torch.cat([torch.linspace(-20, 20, 801), torch.tensor([-1e4, -300.0, 300.0, 1e4])]).to(F64)
    t = f.activation(v)
    told = f.domain[1] - t > 1e-5  # nearer, f* itself cancels; the cost does not
    close(f.cost(v)[told], f.conjugate(t[told]), rtol=1e-8, atol=1e-8)


@every
def test_the_optimum_says_the_slope_of_f(f):
    r = torch.linspace(-11.9, 12, 240, dtype=F64)  # no 0, where total variation has a kink
    close(f.activation(f.optimum(r)), f.slope(r.exp()), rtol=1e-8, atol=1e-9)


@every
def test_f_and_the_integrand_are_the_same(f):
    log_q = torch.full_like(RATIOS, -3.0)
    close(
        f.integrand(RATIOS.log() + log_q, log_q), log_q.exp() * f.f(RATIOS), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, F64])
@every
def test_values_and_slopes_stay_finite(f, dtype):
    v = torch.tensor([-1e4, -100, -11, -10, 0, 10, 11, 100, 1e4], dtype=dtype, requires_grad=True)
    for curve in (f.activation, f.cost):
        (slope,) = torch.autograd.grad(curve(v).sum(), v)
        assert curve(v).isfinite().all()
        assert slope.isfinite().all()
        assert (slope >= 0).all() or f is DIVERGENCES["pearson"]


@every
def test_gradients_are_the_derivatives(f):
    v = torch.tensor([-15.3, -2.1, -0.3, 0.4, 1.7, 14.2], dtype=F64, requires_grad=True)
    for curve in (f.activation, f.cost):
        assert gradcheck(curve, v)
        assert gradgradcheck(curve, v, rtol=1e-2, atol=1e-4)


@every
def test_a_ratio_without_end_has_its_optimum_too(f):
    """Where only data or only fakes are, D's best output is a number or a side of infinity."""
    ends = torch.tensor([-math.inf, -1e4, 1e4, math.inf], dtype=F64)
    best = f.optimum(ends)
    assert not best.isnan().any()
    assert (best[1:] >= best[:-1]).all()
    assert not torch.stack([f.activation(best), f.cost(best)]).isnan().any()


@given(st.floats(-200, 300))
def test_bending_is_undone(x):
    there = torch.tensor(x, dtype=F64)
    close(unbend(bend(there)), there, rtol=1e-9, atol=1e-9)
    close(grow(there), bend(there).exp(), rtol=1e-12)
    assert x > LIMIT or float(bend(there)) == x


@given(st.floats(-700, 700))
def test_lambert_w_in_log_space(x):
    from scipy.special import wrightomega

    assert float(log_w(torch.tensor(x, dtype=F64)).exp()) == pytest.approx(
        float(wrightomega(x)), rel=1e-12
    )


def test_lambert_w_at_the_ends():
    c = torch.tensor([-1e30, -1e4, 1e4, 1e30], dtype=F64)
    y = log_w(c)
    close(y[:2], c[:2])
    close((y + y.exp())[2:], c[2:], rtol=1e-13)
    assert gradgradcheck(
        log_w, torch.tensor([-30.0, 0.0, 1.0, 2.0, 30.0], dtype=F64).requires_grad_()
    )


def test_a_bad_name_is_told_the_good_ones():
    with pytest.raises(ValueError, match="wasserstein.*kl, reverse_kl, js, gan.*alpha"):
        named("wasserstein", 0.5)
    assert [named(name, 0.5).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("a", [0.0, 1.0, 1.001, math.nan, math.inf])
def test_alpha_has_no_0_and_no_1(a):
    with pytest.raises(ValueError, match="reverse_kl"):
        alpha(a)


# The bound


GRID = Grid.line(-14, 16, 6000)


def gaussians(distance, std=1.0):
    return GRID.table(Gaussian(0, 1).log_prob), GRID.table(Gaussian(distance, std).log_prob)


DENSITIES = {
    "d=0.5": (*gaussians(0.5), GRID.weights),
    "d=2": (*gaussians(2.0), GRID.weights),
    "d=1, wider": (*gaussians(1.0, 1.2), GRID.weights),
    "table": (
        torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=F64).log(),
        torch.tensor([0.1, 0.3, 0.15, 0.45], dtype=F64).log(),
        torch.ones(4, dtype=F64),
    ),
}


@pytest.mark.parametrize("where", DENSITIES)
@every
def test_the_bound_is_tight_at_the_optimum_and_below_elsewhere(f, where):
    log_p, log_q, weights = DENSITIES[where]
    true = float(measure.divergence(f, log_p, log_q, weights))
    best = f.optimum(log_p - log_q)
    said = float(measure.bound(f, best, log_p, log_q, weights))
    assert said == pytest.approx(true, rel=1e-7, abs=1e-9)
    generator = torch.Generator().manual_seed(0)
    for size in (1e-2, 0.3, 3.0, 30.0):
        for start in (best.clamp(-50, 50), torch.zeros_like(best)):
            other = start + size * torch.randn(best.shape, dtype=F64, generator=generator)
            assert float(measure.bound(f, other, log_p, log_q, weights)) <= true + 1e-9


# Divergences in closed form


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0, 4.0])
def test_gaussians_at_a_distance(d):
    tables = (*gaussians(d), GRID.weights)
    js = {0.5: 0.03031, 1.0: 0.11142, 2.0: 0.33683, 4.0: 0.63272}[d]
    tv = {0.5: 0.19741, 1.0: 0.38292, 2.0: 0.68269, 4.0: 0.95450}[d]
    assert float(measure.kl(*tables)) == pytest.approx(d * d / 2, rel=1e-9)
    assert float(measure.reverse_kl(*tables)) == pytest.approx(d * d / 2, rel=1e-9)
    assert float(measure.js(*tables)) == pytest.approx(js, abs=5e-6)
    assert float(measure.tv(*tables)) == pytest.approx(tv, abs=6e-6)
    chi2 = measure.divergence(DIVERGENCES["pearson"], *tables)
    assert float(chi2) == pytest.approx(math.expm1(d * d), rel=1e-7)


PAIRS = [(Gaussian(0, 1), Gaussian(1, 1)), (Gaussian(0, 1), Gaussian(1.5, 1.15))]
PAIRS += [(Gaussian(0.3, 1.0), Gaussian(0.3, 1.2)), (Gaussian(-1, 1.1), Gaussian(0.5, 1.0))]
CLOSED = {
    "kl": gaussian.kl,
    "reverse_kl": lambda p, q: gaussian.kl(q, p),
    "jeffreys": lambda p, q: gaussian.kl(p, q) + gaussian.kl(q, p),
    "pearson": gaussian.pearson,
    "neyman": lambda p, q: gaussian.pearson(q, p),
    "hellinger": gaussian.hellinger,
    "tv": gaussian.tv,
    "alpha(-1.0)": lambda p, q: gaussian.alpha(-1, p, q),
    "alpha(0.5)": lambda p, q: gaussian.alpha(0.5, p, q),
    "alpha(1.5)": lambda p, q: gaussian.alpha(1.5, p, q),
}


@pytest.mark.parametrize(("p", "q"), PAIRS)
@pytest.mark.parametrize("name", CLOSED)
def test_the_grid_agrees_with_the_closed_form(name, p, q):
    exact = CLOSED[name](p, q)
    assert float(measure.between(TABLE[name], p.log_prob, q.log_prob, GRID)) == pytest.approx(
        exact, rel=1e-5 if name == "tv" else 1e-8
    )


def test_a_divergence_without_end_is_infinite():
    assert gaussian.pearson(Gaussian(0, 1.5), Gaussian(0, 1)) == math.inf


def test_the_family_alpha_runs_through_the_others():
    tables = (*gaussians(1.0, 1.2), GRID.weights)

    def of(f):
        return float(measure.divergence(f, *tables))

    assert of(alpha(2.0)) == pytest.approx(of(DIVERGENCES["pearson"]) / 2)
    assert of(alpha(-1.0)) == pytest.approx(of(DIVERGENCES["neyman"]) / 2)
    assert of(alpha(0.5)) == pytest.approx(of(DIVERGENCES["hellinger"]) * 2)
    assert of(alpha(0.99)) == pytest.approx(of(DIVERGENCES["kl"]), rel=0.02)
    assert of(alpha(0.01)) == pytest.approx(of(DIVERGENCES["reverse_kl"]), rel=0.02)
    assert of(DIVERGENCES["gan"]) == pytest.approx(of(DIVERGENCES["js"]) - math.log(4))


@every
def test_what_never_meets_is_as_far_as_can_be(f):
    log_p = torch.tensor([0.3, 0.7, 0.0, 0.0], dtype=F64).log()
    apart = float(measure.divergence(f, log_p, log_p.flip(0), torch.ones(4, dtype=F64)))
    assert apart == pytest.approx(f.largest)
    assert apart == pytest.approx(BOUNDED.get(f.name, apart))
    same = float(measure.divergence(f, log_p, log_p, torch.ones(4, dtype=F64)))
    assert same == pytest.approx(float(f.f(torch.ones(())).double()), abs=1e-7)


def test_two_dimensions_are_the_sum_of_their_sides():
    """KL of independent coordinates adds up."""
    grid = Grid.box((-9.0, -9.0), (10.0, 10.0), 200)
    p = MultivariateNormal(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    q = MultivariateNormal(torch.tensor([1.0, 0.5], dtype=F64), torch.eye(2, dtype=F64))
    assert float(measure.mass(grid.table(p.log_prob), grid.weights)) == pytest.approx(1)
    assert float(measure.between(DIVERGENCES["kl"], p.log_prob, q.log_prob, grid)) == pytest.approx(
        0.5 + 0.125
    )


def test_a_grid_refuses_what_it_cannot_hold():
    with pytest.raises(ValueError, match="no box"):
        Grid.line(1, 0)
    with pytest.raises(ValueError, match="one a point"):
        GRID.table(lambda x: x)


# The game at its best D


@dataclass(frozen=True)
class Paired:
    """The relativistic logistic game, written here as an independent witness."""

    relative: ClassVar[bool] = True

    def d(self, real, fake):
        return softplus(fake - real)

    def optimal(self, log_ratio):
        return log_ratio


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0, 4.0])
def test_the_value_at_the_best_d_is_the_closed_form(d):
    tables = (*gaussians(d), GRID.weights)
    js, tv = measure.js(*tables), measure.tv(*tables)
    close(optimum.value(Minimax(), *tables), 2 * math.log(2) - 2 * js, atol=1e-8)
    close(optimum.value(Hinge(), *tables), 2 - 2 * tv, atol=1e-10)
    close(optimum.value(LSGAN(), *tables), measure.overlap(*tables), atol=1e-10)


@pytest.mark.parametrize(("d", "expected"), [(1.0, 0.4918), (2.0, 0.1931)])
def test_the_value_of_a_game_of_pairs(d, expected):
    """log 2 - JS(P×Q, Q×P), which for Gaussians is JS at distance d √2."""
    grid = Grid.line(-10, 14, 1000)
    tables = [grid.table(Gaussian(mean, 1).log_prob) for mean in (0, d)]
    value = float(optimum.value(Paired(), *tables, grid.weights))
    assert value == pytest.approx(expected, abs=6e-5)
    farther = Gaussian(d * math.sqrt(2), 1)
    js = measure.js(tables[0], grid.table(farther.log_prob), grid.weights)
    assert value == pytest.approx(math.log(2) - float(js), abs=1e-9)
    assert float(measure.paired_js(*tables, grid.weights)) == pytest.approx(float(js), abs=1e-9)


def test_a_game_can_be_valued_where_supports_part():
    log_p = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=F64).log()
    log_q = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=F64).log()
    ones = torch.ones(4, dtype=F64)
    assert float(optimum.value(Minimax(), log_p, log_q, ones)) == 0.0
    assert float(optimum.value(Hinge(), log_p, log_q, ones)) == 0.0
    assert float(optimum.value(FGAN("tv"), log_p, log_q, ones)) == -1.0
    assert float(optimum.value(FGAN("js"), log_p, log_q, ones)) == pytest.approx(-math.log(4))
    assert float(optimum.value(FGAN("kl"), log_p, log_q, ones)) == -math.inf


GAMES = {"minimax": Minimax(), "lsgan": LSGAN()} | {
    name: FGAN(name) for name in NAMES if name != "tv"
}


@pytest.mark.parametrize("name", GAMES)
def test_an_output_of_the_best_d_says_how_likely_a_sample_is_real(name):
    ratio = torch.linspace(-8, 8, 101, dtype=F64)
    said = optimum.probability(GAMES[name], GAMES[name].optimal(ratio))
    close(said, ratio.sigmoid(), atol=1e-5)


@pytest.mark.parametrize("loss", [Hinge(), FGAN("tv"), Paired()], ids=["hinge", "tv", "paired"])
def test_sides_and_differences_are_no_probability(loss):
    assert optimum.probability(loss, torch.zeros(3)) is None


# The Gaussian that fits a mixture: f-GAN's Tables 2 and 3

FITTED = {
    "kl": (0.2830, 1.0100, 1.8307),
    "reverse_kl": (0.2482, 1.5780, 1.6312),
    "js": (0.1280, 1.3068, 1.7540),
    "jeffreys": (0.5707, 1.3216, 1.7029),
    "pearson": (0.6456, 0.5737, 1.9273),
}
CROSS = [
    [0.2830, 0.3502, 0.1346, 0.6332, 0.7376],
    [0.3579, 0.2482, 0.1359, 0.6061, 1.4313],
    [0.2992, 0.2745, 0.1281, 0.5737, 0.9532],
    [0.3052, 0.2655, 0.1285, 0.5707, 1.0002],
    [0.3112, 0.5580, 0.1648, 0.8692, 0.6456],
]


def test_the_best_gaussian_by_each_divergence():
    """Nowozin et al. 2016, Tables 2 and 3, computed for 0.33 N(-1, .255²) + 0.67 N(2, 2)."""
    grid = Grid.line(-12, 14, 4000)
    parts = [
        math.log(share) + grid.table(part.log_prob)
        for share, part in [(0.33, Gaussian(-1, 0.255)), (0.67, Gaussian(2, 1.4142))]
    ]
    log_p = torch.logaddexp(*parts)
    fs = [DIVERGENCES[name] for name in FITTED]
    fits = [fit_gaussian(f, log_p, grid) for f in fs]
    for fit, expected in zip(fits, FITTED.values(), strict=True):
        assert (fit.value, fit.q.mean, fit.q.std) == pytest.approx(expected, abs=2e-3)
    cross = cross_table(fs, fits, log_p, grid)
    close(cross, CROSS, atol=2e-3)
    assert cross.argmin(dim=0).tolist() == list(range(5))


@pytest.mark.parametrize("name", NAMES)
def test_a_gaussian_is_fitted_by_itself(name):
    grid = Grid.line(-8, 10, 1500)
    fit = fit_gaussian(named(name, 0.5), grid.table(Gaussian(1, 0.7).log_prob), grid)
    assert (fit.q.mean, fit.q.std) == pytest.approx((1, 0.7), abs=1e-3)
    assert fit.value == pytest.approx(-math.log(4) if fit.value < -1 else 0, abs=1e-5)


# Transport


@pytest.mark.parametrize("d", [0.5, 1.0, 4.0])
def test_a_shift_costs_its_length(d):
    """W1 = W2 = d, for densities, samples, any number of dimensions, and projections."""
    assert transport.w1_densities(*gaussians(d), GRID) == pytest.approx(d, rel=1e-6)
    assert gaussian.w1(Gaussian(0, 1), Gaussian(d, 1)) == d
    assert gaussian.w2(Gaussian(0, 1), Gaussian(d, 1)) == d
    x = torch.randn(200, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    for order in (1, 2):
        y = x + torch.tensor([d, 0.0], dtype=F64)
        assert transport.wasserstein(x, y, order) == pytest.approx(d, rel=1e-6)
    assert transport.w1_line(x[:, 0], x[:, 0] + d) == pytest.approx(d)
    assert transport.sliced(x[:, :1], x[:, :1] + d, order=2) == pytest.approx(d)


def test_unlike_gaussians_on_a_line():
    p, q = Gaussian(0, 1), Gaussian(1, 1.8)
    tables = GRID.table(p.log_prob), GRID.table(q.log_prob)
    assert gaussian.w1(p, q) == pytest.approx(transport.w1_densities(*tables, GRID), rel=1e-5)
    assert gaussian.w2(p, q) == pytest.approx(math.sqrt(1 + 0.8**2))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_three_ways_to_transport_on_a_line_agree(n, m, seed):
    from scipy.stats import wasserstein_distance

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dtype=F64, generator=generator)
    y = 2 * torch.randn(m, dtype=F64, generator=generator) + 1
    here = transport.w1_line(x, y)
    assert here == pytest.approx(wasserstein_distance(x, y), rel=1e-9)
    assert here == pytest.approx(transport.wasserstein(x[:, None], y[:, None]), rel=1e-6)
    assert here == pytest.approx(transport.sliced(x[:, None], y[:, None], order=1), rel=1e-6)


@pytest.mark.parametrize("theta", [0.25, 1.0, 3.0])
def test_parallel_segments(theta):
    """Arjovsky et al. 2017, example 1: W = theta, JS = log 2 and TV = 1 whatever theta is."""
    height = torch.linspace(0, 1, 50, dtype=F64)
    left, right = (torch.stack([torch.full_like(height, at), height], 1) for at in (0.0, theta))
    assert transport.wasserstein(left, right, 1) == pytest.approx(theta, rel=1e-6)
    assert transport.wasserstein(left, right, 2) == pytest.approx(theta, rel=1e-6)
    log_p = torch.tensor([1.0, 0.0], dtype=F64).log()
    tables = log_p, log_p.flip(0), torch.ones(2, dtype=F64)
    assert float(measure.js(*tables)) == pytest.approx(math.log(2))
    assert float(measure.tv(*tables)) == 1.0
    assert float(measure.kl(*tables)) == math.inf


def test_transport_refuses_what_has_none():
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="1 or 2"):
        transport.wasserstein(x, x, 3)
    with pytest.raises(ValueError, match="no transport"):
        transport.sliced(x, torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"\(N,\)"):
        transport.w1_line(x, x)
    grid = Grid.box((0.0, 0.0), (1.0, 1.0), 4)
    with pytest.raises(ValueError, match="a line"):
        transport.w1_densities(torch.zeros(16), torch.zeros(16), grid)


# Between unit Gaussians at distance d, λ = 10: beyond what a straight critic reaches.
@pytest.mark.parametrize(("d", "value"), [(1.0, 1.0545), (2.0, 2.2103), (4.0, 4.8130)])
def test_the_best_penalised_critic_is_worth_a_little_more_than_a_straight_one(d, value):
    best, slope = penalised_critic(Gaussian(0.0, 1.0), Gaussian(d, 1.0), 10.0)
    assert best == pytest.approx(value, abs=1e-4)
    assert d * (1 + d / 20) < best < d * (1 + d / 20) * 1.01
    assert slope > 1 + d / 20


def test_with_a_high_price_on_slope_a_penalised_critic_measures_w1():
    best, slope = penalised_critic(Gaussian(0.0, 1.0), Gaussian(3.0, 1.0), 1e6)
    assert best == pytest.approx(3.0, abs=1e-4)
    assert slope == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(ValueError, match="equal"):
        penalised_critic(Gaussian(0.0, 1.0), Gaussian(3.0, 2.0), 10.0)


def test_no_other_slope_does_better_than_that_of_the_penalised_critic():
    """A critic with a wave on top of the best slope pays more: here by direct integration."""
    p, q, weight = Gaussian(0.0, 1.0), Gaussian(2.0, 1.0), 10.0
    x = torch.linspace(-8, 10, 8001, dtype=torch.float64)
    share = (torch.arange(800, dtype=torch.float64)[:, None] + 0.5) / 800
    normal = torch.distributions.Normal(2 * share, (share**2 + (1 - share) ** 2).sqrt())
    mu = normal.log_prob(x).exp().mean(0)
    cdf = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0).cdf
    gap = cdf(x) - cdf(x - 2)

    def worth(slope):
        return torch.trapezoid(-slope * gap + weight * (slope - 1).square() * mu, x).item()

    best = 1 + gap / (2 * weight * mu)
    value, _ = penalised_critic(p, q, weight)
    assert torch.trapezoid(best * gap, x).item() == pytest.approx(value, abs=1e-6)
    for other in (best + 0.01 * x.sin(), best * 1.02, torch.full_like(x, 1.1)):
        assert worth(other) > worth(best)
