"""Laws of every prior: its codes follow the law it names, and are a function of the generator."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_cli import build
from gan_cli.prior.layout import Coded
from gan_cli.sampler import BLOCK, Sampler
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import composed, part

NAMES = entries("prior")
CODED = [name for name in NAMES if isinstance(part("prior", name), Coded)]
DIM = 20
MANY = 40_000


def drawn(name: str, n: int = MANY, dim: int = DIM, seed: int = 0, **fields: object) -> Tensor:
    prior = dataclasses.replace(part("prior", name), **fields)
    return prior(n, dim, generator=torch.Generator().manual_seed(seed))


def normal_cdf(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def truncated_cdf(x: Tensor, bound: float = 2.0) -> Tensor:
    low = normal_cdf(torch.tensor(-bound))
    return ((normal_cdf(x) - low) / (1 - 2 * low)).clamp(0, 1)


def mixture_cdf(x: Tensor) -> Tensor:
    """Of the first number of z: the mean over the modes of a Gaussian's distribution function."""
    centres = part("prior", "mixture").means(DIM)[:, 0]
    return normal_cdf((x[:, None] - centres) / 0.3).mean(1)


# The distribution function of one number of z, which number, and the variance of each number.
OF_A_NUMBER: dict[str, tuple[Callable[[Tensor], Tensor], int, float]] = {
    "normal": (normal_cdf, 0, 1.0),
    "uniform": (lambda x: (x.clamp(-1, 1) + 1) / 2, 0, 1 / 3),
    "truncated": (truncated_cdf, 0, 0.7737413),  # 1 - 2 b φ(b)/(2 Φ(b) - 1) at b = 2
    "mixture": (mixture_cdf, 0, 0.0),
    "categorical": (lambda x: normal_cdf(x / 0.1), 10, 0.01),
    "codes": (lambda x: (x.clamp(-1, 1) + 1) / 2, 10, 1 / 3),
}


def distance(x: Tensor, cdf: Callable[[Tensor], Tensor]) -> float:
    """The statistic of Kolmogorov and Smirnov, times √n: above 1.95 once in a thousand times."""
    ranked = x.double().sort().values
    n, expected = len(x), cdf(ranked)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()) * math.sqrt(n))


def test_no_prior_is_forgotten():
    assert set(OF_A_NUMBER) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_of_z_follows_its_law(name):
    cdf, place, _ = OF_A_NUMBER[name]
    assert distance(drawn(name)[:, place], cdf) < 1.95


def test_the_test_of_a_law_can_fail():
    assert distance(drawn("normal")[:, 0] * 1.05, normal_cdf) > 1.95
    assert distance(drawn("normal")[:, 0].clamp(-2, 2), truncated_cdf) > 1.95


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated"])
def test_the_numbers_of_z_have_no_mean_and_are_not_related(name):
    z, variance = drawn(name), OF_A_NUMBER[name][2]
    assert z.mean(0).abs().max() < 5 * math.sqrt(variance / MANY)
    wanted = variance * torch.eye(DIM)
    assert (z.T.cov() - wanted).abs().max() < 8 * variance / math.sqrt(MANY)


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_float32_of_the_shape_asked_for(name):
    for n, dim in [(1, DIM), (7, DIM + 3), (64, 2 * DIM)]:
        z = drawn(name, n, dim)
        assert z.shape == (n, dim)
        assert z.dtype == torch.float32
        assert z.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_gives_the_same_codes(name):
    assert torch.equal(drawn(name, 64), drawn(name, 64))
    assert not torch.equal(drawn(name, 64), drawn(name, 64, seed=1))
    twice = [part("prior", name)(8, DIM) for _ in (0, 1) if torch.manual_seed(3)]
    assert torch.equal(*twice)  # without one, by the global generator


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_of_its_own_leaves_the_global_one_alone(name):
    before = torch.get_rng_state()
    drawn(name, 8)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", NAMES)
def test_rows_do_not_repeat(name):
    assert len(drawn(name, 256).unique(dim=0)) == 256


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_has_the_same_code_however_many_are_asked_for(name):
    """The sampler draws codes in blocks, so that a code is a function of its number."""
    G = part("model", "mlp").generator((2,))
    sampler = Sampler(G, Space((2,)), part("prior", name))
    whole = sampler.codes(range(2 * BLOCK + 9), seed=5)
    for first, last in [(0, 1), (3, 9), (BLOCK - 1, BLOCK + 1), (BLOCK, 2 * BLOCK + 9)]:
        assert torch.equal(sampler.codes(range(first, last), seed=5), whole[first:last])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_made_again_from_its_name_and_arguments(name):
    """As `gan sample` makes it, from a file; to the last bit."""
    spec = composed(f"prior={name}")["prior"]
    said = build.described("prior", name, spec)
    again = build.component("prior", said["name"], said["args"])
    assert again == part("prior", name)
    z = again(64, DIM, generator=torch.Generator().manual_seed(0))
    assert torch.equal(z, drawn(name, 64))


@pytest.mark.parametrize("bound", [0.1, 0.5, 2.0, 4.0, 30.0])
def test_nothing_is_beyond_the_bound(bound):
    z = drawn("truncated", bound=bound)
    assert z.abs().max() <= bound
    assert z.abs().max() > min(bound, 3.0) * 0.9
    assert distance(z[:, 3], lambda x: truncated_cdf(x, bound)) < 1.95
    assert drawn("uniform", bound=bound).abs().max() <= bound


def test_a_truncated_code_is_a_normal_one_that_was_kept():
    """Redrawing what falls outside, as the papers do it, gives the same law."""
    redrawn = torch.randn(4 * MANY, generator=torch.Generator().manual_seed(9))
    redrawn = redrawn[redrawn.abs() <= 0.7][:MANY]
    assert distance(redrawn, lambda x: truncated_cdf(x, 0.7)) < 1.95


def test_each_mode_is_drawn_as_often_and_has_its_width():
    prior = dataclasses.replace(part("prior", "mixture"), spread=20.0)
    z, centres = drawn("mixture", spread=20.0), prior.means(DIM)
    nearest = torch.cdist(z, centres).argmin(1)
    counts = nearest.bincount(minlength=10).double()
    assert ((counts - MANY / 10).square() / (MANY / 10)).sum() < 27.9  # χ² of 9: once in 1000
    rest = z - centres[nearest]
    assert rest.std().item() == pytest.approx(0.3, rel=0.01)
    assert centres.abs().max() <= 20
    assert not torch.equal(centres, dataclasses.replace(prior, seed=1).means(DIM))


@pytest.mark.parametrize("name", CODED)
def test_each_category_is_drawn_as_often(name):
    layout = part("prior", name).layout
    chosen = layout.split(drawn(name)).categories
    assert chosen.shape == (MANY, len(layout.categories))
    for place, size in enumerate(layout.categories):
        counts = chosen[:, place].bincount(minlength=size).double()
        assert len(counts) == size
        assert ((counts - MANY / size).square() / (MANY / size)).sum() < 27.9


SIZES = [((10,), 2), ((3, 4), 0), ((), 2), ((2, 2, 2), 1)]


@pytest.mark.parametrize(("categories", "continuous"), SIZES)
def test_split_takes_a_code_apart(categories, continuous):
    prior = dataclasses.replace(
        part("prior", "codes"), categories=categories, continuous=continuous
    )
    z = prior(50, DIM, generator=torch.Generator().manual_seed(0))
    found = prior.split(z)
    hot = [torch.eye(size)[found.categories[:, i]] for i, size in enumerate(categories)]
    assert torch.equal(torch.cat([*hot, found.continuous, found.noise], 1), z)
    assert found.continuous.shape == (50, continuous)
    assert found.continuous.abs().sum() == 0 or found.continuous.abs().max() <= 1
    assert found.categories.dtype == torch.int64


@pytest.mark.parametrize("name", NAMES)
def test_a_dimension_is_refused_only_where_no_noise_is_left(name):
    prior = part("prior", name)
    if name not in CODED:
        assert all(prior.refuses(dim) is None for dim in (1, 2, 100))
        return
    least = prior.layout.width + 1
    assert prior.refuses(least) is None
    assert drawn(name, 3, least).shape == (3, least)
    assert f"model.z_dim={least}" in prior.refuses(least - 1)


def test_means_that_would_fill_the_memory_are_refused():
    prior = dataclasses.replace(part("prior", "mixture"), modes=4096)
    assert prior.refuses(4096) is None
    assert "prior.modes=256 or less" in prior.refuses(1 << 16)


IMPOSSIBLE = [
    ("normal", "std", 0.0),
    ("uniform", "bound", -1.0),
    ("truncated", "bound", 0.0),
    ("truncated", "bound", math.inf),
    ("mixture", "modes", 0),
    ("mixture", "modes", 5000),
    ("mixture", "std", 0.0),
    ("mixture", "spread", -1.0),
    ("categorical", "categories", 1),
    ("categorical", "std", 0.0),
    ("codes", "categories", [1]),
    ("codes", "categories", [10.5]),
    ("codes", "categories", 10),
    ("codes", "continuous", -1),
]


@pytest.mark.parametrize(("name", "field", "value"), IMPOSSIBLE)
def test_impossible_values_are_refused(name, field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(part("prior", name), **{field: value})


def test_codes_without_any_are_refused():
    with pytest.raises(ValueError, match="prior=normal"):
        dataclasses.replace(part("prior", "codes"), categories=[], continuous=0)
