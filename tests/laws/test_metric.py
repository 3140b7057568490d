"""What a metric has to be, whatever it measures; and a distance between sets of samples."""

from __future__ import annotations

import functools
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Metric, Sight
from gan_cli.metric.frechet import Moments, between, distance
from gan_cli.metric.neighbours import mann_whitney
from tests.sights import METRICS, digits, metric, suited

IMPOSSIBLE = [
    ("kid", "subsets", 1),
    ("kid", "subset_size", 1),
    ("prdc", "k", 0),
    ("prdc", "most", 5),
    ("score", "splits", 0),
    ("sliced_wasserstein", "images", 0),
    ("sliced_wasserstein", "side", 28),
    ("sliced_wasserstein", "directions", 0),
    ("ms_ssim", "pairs", 0),
    ("path_length", "samples", 0),
    ("path_length", "epsilon", 0.0),
    ("copies", "most", 1),
]
DRAWN = {"kid", "sliced_wasserstein"}  # subsets and places, which depend on the order
BLIND = {  # what a figure can't see, as its docstring says
    ("precision", "collapsed"): "one good sample is as precise as many",
    ("recall", "slightly noisy"): "balls of samples that are farther apart are larger",
    ("classes_kl", "slightly noisy"): "the classes are still told",
    ("copies", "slightly noisy"): "noise copies nothing",
    ("copies", "noise"): "noise copies nothing",
    ("copies", "collapsed"): "nor does a new image, however often",
}
CHEAP = {"path_length": {"samples": 64}, "sliced_wasserstein": {"directions": 64}}
WORSE = [("good", "slightly noisy"), ("slightly noisy", "noise"), ("good", "noise"),
         ("good", "collapsed")]  # fmt: skip


@functools.cache
def told(name: str, fakes: str) -> dict[str, Estimate]:
    return asked(name)(suited(name, digits()[fakes]))


def asked(name: str) -> Metric:
    return metric(name, **CHEAP.get(name, {}))


ASKED = [name for name in METRICS if not metric(name).refuses(suited(name, digits()["good"]))]


def test_most_metrics_are_asked():
    """Those of laws that digits don't have have tests of their own."""
    assert set(METRICS) - set(ASKED) <= {"divergence", "modes", "stacked"}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("fakes", digits())
def test_a_metric_tells_its_figures_and_how_sure_it_is(name: str, fakes: str):
    figures = metric(name).figures
    for key, one in told(name, fakes).items():
        assert figures[key].low <= one.value <= figures[key].high
        assert one.error is None or 0 <= one.error < math.inf
        assert figures[key].better in (-1, 0, 1)
        assert figures[key].words


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(("better", "worse"), WORSE)
def test_real_samples_are_better_than_noisy_ones_better_than_noise(name, better, worse):
    if name == "path_length":
        return  # which doesn't look at samples: test_metric_images
    a, b = told(name, better), told(name, worse)
    for key, figure in metric(name).figures.items():
        if figure.better and key in a and (key, worse) not in BLIND:
            assert (a[key].value - b[key].value) * figure.better > 0, key


@pytest.mark.parametrize(("key", "fakes"), BLIND)
def test_what_a_figure_is_said_not_to_see_it_does_not_see(key: str, fakes: str):
    name = next(name for name in ASKED if key in metric(name).figures)
    good, other = told(name, "good")[key].value, told(name, fakes)[key].value
    assert (good - other) * metric(name).figures[key].better <= 0


@pytest.mark.parametrize("name", ASKED)
def test_a_metric_is_a_function_of_the_exam_and_its_seed(name: str):
    """Nothing is drawn from the global generators, and nothing left in them."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    again = asked(name)(suited(name, digits()["good"]))
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert again == told(name, "good")
    assert torch.equal(states[0], after[0])
    assert states[1:] == after[1:]


@pytest.mark.parametrize("name", ASKED)
def test_the_order_of_the_real_samples_says_nothing(name: str):
    exam = suited(name, digits()["good"])
    order = torch.randperm(len(exam.real), generator=torch.Generator().manual_seed(5))
    turned = asked(name)(replace(exam, real=exam.real.pick(order)))
    for key, one in told(name, "good").items():
        close = {"abs": 4 * (one.error or 0)} if name in DRAWN else {"rel": 1e-6, "abs": 1e-9}
        assert turned[key].value == pytest.approx(one.value, **close)


@pytest.mark.parametrize("name", ASKED)
def test_a_block_of_the_fakes_can_be_left_out(name: str):
    """As the jackknife does: nearly the same is told of the others."""
    exam = suited(name, digits()["slightly noisy"])
    rest = asked(name)(exam.without(3, 10))
    for key, one in told(name, "slightly noisy").items():
        assert rest[key].value == pytest.approx(one.value, rel=0.25, abs=0.05)


class Untouched:
    """An extractor that nobody may ask."""

    name, sha256, resize, about = "untouched", "", "", ""
    classes = ("0", "1")

    def features(self, x: Tensor) -> Tensor:
        raise AssertionError

    probabilities = features


@pytest.mark.parametrize("name", METRICS)
def test_refusing_computes_nothing_and_says_what_to_type(name: str):
    points = torch.zeros(1, 2).expand(100, 2)
    sight = Sight(points, None, Untouched())
    reason = metric(name).refuses(Exam(sight, sight))
    assert reason is None or (any(word in reason for word in ("=", "--")) and "\n" not in reason)


@pytest.mark.parametrize(("name", "key", "value"), IMPOSSIBLE)
def test_impossible_settings_are_refused(name: str, key: str, value: float):
    with pytest.raises(ValueError, match=key):
        metric(name, **{key: value})


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
