"""What a distance between sets of samples has to be, whatever the samples."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from torch import Tensor

from gan_cli.metric.frechet import Moments, between, distance
from gan_cli.metric.neighbours import mann_whitney


def draws(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(mean: list[float], covariance: Tensor) -> Moments:
    return Moments(torch.tensor(mean, dtype=torch.float64), covariance.double(), 1000)


def test_frechet_of_two_known_gaussians_is_five():
    """N(0, I) against N(e₁, 4 I) in four dimensions: 1 + 4 + 16 - 2·4·2."""
    p, q = moments([0, 0, 0, 0], torch.eye(4)), moments([1, 0, 0, 0], 4 * torch.eye(4))
    assert between(p, q) == pytest.approx(5, abs=1e-12)


def test_frechet_of_their_samples_comes_near():
    x, y = draws(100_000, 4, 0), 2 * draws(100_000, 4, 1) + torch.tensor([1.0, 0, 0, 0])
    assert distance(x, y) == pytest.approx(5, abs=0.06)


def test_frechet_in_one_dimension_is_known():
    """(m - n)² + (s - t)²."""
    p, q = moments([1.5], torch.tensor([[9.0]])), moments([-0.5], torch.tensor([[0.25]]))
    assert between(p, q) == pytest.approx(4 + 2.5**2, abs=1e-12)


def test_frechet_of_commuting_covariances_is_that_of_their_roots():
    a, b = torch.tensor([4.0, 1.0, 0.25]), torch.tensor([1.0, 9.0, 0.25])
    turn = torch.linalg.qr(draws(3, 3, 5))[0]
    p, q = (moments([0, 0, 0], turn @ torch.diag(v).double() @ turn.T) for v in (a, b))
    assert between(p, q) == pytest.approx(1 + 4 + 0, abs=1e-10)


def test_frechet_needs_no_full_rank():
    """On two perpendicular lines nothing overlaps; on the same line only the widths differ."""
    first, second = torch.diag(torch.tensor([1.0, 0, 0])), torch.diag(torch.tensor([0, 1.0, 0]))
    zero = [0.0, 0, 0]
    assert between(moments(zero, first), moments(zero, second)) == pytest.approx(2, abs=1e-12)
    assert between(moments(zero, first), moments(zero, 4 * first)) == pytest.approx(1, abs=1e-12)
    assert between(moments(zero, 0 * first), moments(zero, 0 * first)) == 0
    dead = draws(50, 20, 3)
    dead[:, 7:] = 0  # as features of units that never fire; and fewer samples than numbers
    assert distance(dead[:10], dead[:10]) == pytest.approx(0, abs=1e-12)
    assert math.isfinite(distance(dead[:10], dead[10:]))


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 40))
def test_frechet_is_a_squared_metric(seed: int, d: int, n: int):
    x, y, w = (draws(n, d, 3 * seed + i) @ draws(d, d, 7 * seed + i) for i in range(3))
    assert distance(x, x) == pytest.approx(0, abs=1e-8)
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-8, abs=1e-8)
    assert distance(x, y) >= 0
    sides = [math.sqrt(distance(*pair)) for pair in ((x, y), (y, w), (x, w))]
    assert sides[2] <= sides[0] + sides[1] + 1e-6


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_frechet_sees_no_rotation_and_no_shift_and_scales_with_the_square(seed: int, d: int):
    x, y = draws(30, d, seed) + 1, 2 * draws(40, d, seed + 1)
    turn, shift = torch.linalg.qr(draws(d, d, seed + 2))[0], draws(1, d, seed + 3)
    plain = distance(x, y)
    assert distance(x @ turn + shift, y @ turn + shift) == pytest.approx(plain, rel=1e-8)
    assert distance(3 * x, 3 * y) == pytest.approx(9 * plain, rel=1e-8)


def test_frechet_refuses_what_has_no_covariance():
    with pytest.raises(ValueError, match="2 or more"):
        distance(torch.zeros(1, 4), torch.zeros(9, 4))
    with pytest.raises(ValueError, match="4 and of 5"):
        distance(draws(9, 4, 0), draws(9, 5, 0))


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_mann_whitney_counts_pairs(a: list[int], b: list[int]):
    x, y = torch.tensor(a).double(), torch.tensor(b).double()
    u = mannwhitneyu(a, b).statistic
    m, n = len(a), len(b)
    expected = (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)
    assert mann_whitney(x, y) == pytest.approx(expected, abs=1e-9)
    assert mann_whitney(y, x) == pytest.approx(-expected, abs=1e-9)


def test_mann_whitney_is_standardised():
    z = torch.tensor([mann_whitney(draws(40, 1, i)[:, 0], draws(60, 1, i + 999)[:, 0])
                      for i in range(400)])  # fmt: skip
    assert abs(float(z.mean())) < 0.15
    assert 0.9 < float(z.std()) < 1.1
