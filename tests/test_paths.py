"""Ways between latent codes: they begin and end where they should, and leave no prior."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from gan_cli import paths
from gan_cli.prior.categorical import Categorical
from gan_cli.prior.codes import Codes
from gan_cli.prior.mixture import Mixture
from gan_cli.prior.normal import Normal
from gan_cli.prior.truncated import Truncated
from gan_cli.prior.uniform import Uniform
from gan_cli.truncation import Squeezed

PRIORS = [
    Normal(),
    Normal(std=2.5),
    Uniform(bound=0.7),
    Truncated(bound=1.5),
    Squeezed(bound=0.8, std=2.0),
    Squeezed(bound=0.0),
    Codes(categories=(3,), continuous=2),
    Categorical(categories=4),
    Mixture(modes=3),
]
DIM = 16


def drawn(prior, n, seed=0, dim=DIM):
    return prior(n, dim, generator=torch.Generator().manual_seed(seed))


def called(prior):
    return type(prior).__name__


@pytest.mark.parametrize("spherical", [True, False])
@pytest.mark.parametrize("prior", PRIORS, ids=called)
def test_a_way_ends_exactly_where_it_should(prior, spherical):
    a, b = drawn(prior, 2)
    z = paths.between(prior, a, b, 7, spherical)
    assert z.shape == (7, DIM)
    assert torch.equal(z[0], a)
    assert torch.equal(z[-1], b)
    assert z.isfinite().all()


def test_between_orthogonal_codes_of_one_length_the_great_circle_keeps_the_length():
    a, b = torch.zeros(2, DIM)
    a[0] = b[1] = 3.0
    z = paths.between(Normal(), a, b, 5, spherical=True)
    assert torch.allclose(z.norm(dim=1), torch.full((5,), 3.0))
    assert torch.allclose(z[2, :2], torch.full((2,), 3 / math.sqrt(2)))  # half of a right angle
    assert torch.allclose(
        z[1, :2], 3 * torch.tensor([math.cos(math.pi / 8), math.sin(math.pi / 8)])
    )
    straight = paths.between(Normal(), a, b, 5, spherical=False)
    assert torch.allclose(straight[2, :2], torch.tensor([1.5, 1.5]))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_codes_on_one_line_know_no_circle(factor):
    a = drawn(Normal(), 1)[0]
    z = paths.between(Normal(), a, factor * a, 3, spherical=True)
    assert torch.allclose(z[1], (1 + factor) / 2 * a, atol=1e-5)


def test_a_code_of_zero_is_no_trouble():
    a, b = torch.zeros(2, DIM)
    assert not paths.between(Normal(), a, b, 3, spherical=True).any()


@pytest.mark.parametrize("spherical", [True, False])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("prior", PRIORS, ids=called)
def test_a_loop_goes_through_its_codes(prior, count, spherical):
    knots = drawn(prior, count)
    z = paths.loop(prior, knots, 10 * count, spherical)
    hot = sum(prior.layout.categories) if isinstance(prior, Codes | Categorical) else 0
    first = hot if spherical else 0
    assert torch.allclose(z[::10, first:], knots[:, first:], atol=1e-5)
    if spherical:
        assert (z[:, :hot] == knots[0, :hot]).all()


@pytest.mark.parametrize("prior", PRIORS, ids=called)
def test_a_loop_closes_without_a_jump_or_a_corner(prior):
    z = paths.loop(prior, drawn(prior, 5), 400, spherical=True)
    steps = (z.roll(-1, 0) - z).double()  # the last one leads back to the first
    turns = (steps.roll(-1, 0) - steps).norm(dim=1)
    assert turns.max() <= 0.2 * steps.norm(dim=1).max() + 1e-6
    if not isinstance(prior, Mixture):  # whose way is straight, and at rest in each code
        assert steps.norm(dim=1).max() <= 4 * steps.norm(dim=1).min() + 1e-6


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize(
    "prior",
    [Normal(std=2.5), Uniform(bound=0.7), Truncated(bound=1.5), Squeezed(0.8, 2.0)],
    ids=called,
)
def test_between_its_codes_a_loop_follows_the_prior(prior, count):
    knots = drawn(prior, count, dim=4000)
    z = paths.loop(prior, knots, 2 * count, spherical=True)
    for frame in z[1::2]:
        reference = drawn(prior, 1, seed=1, dim=20_000)[0]
        assert stats.ks_2samp(frame.numpy(), reference.numpy()).pvalue > 1e-3


def test_the_default_is_what_suits_the_prior():
    assert paths.spherical_by_default(Normal())
    assert not paths.spherical_by_default(Uniform())
    assert not paths.spherical_by_default(Truncated())
