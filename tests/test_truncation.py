"""Truncation: the law is the truncated one, and a code of another bound is the same sample."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from gan_cli.errors import UserMistake
from gan_cli.prior.normal import Normal
from gan_cli.prior.truncated import Truncated
from gan_cli.prior.uniform import Uniform
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.truncation import Squeezed, truncated
from tests.games import part


def codes(prior):
    return prior(500, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("std", [1.0, 0.5])
@pytest.mark.parametrize("bound", [0.3, 1.0, 2.0])
def test_codes_follow_the_truncated_normal(bound, std):
    z = codes(Squeezed(bound, std)).flatten().numpy()
    assert abs(z).max() <= bound * std
    assert stats.kstest(z / std, stats.truncnorm(-bound, bound).cdf).pvalue > 1e-3


def test_a_smaller_bound_moves_every_code_towards_the_middle():
    wide, narrow, none = (codes(Squeezed(bound)) for bound in (9.0, 1.0, 0.0))
    assert torch.allclose(wide, codes(Normal()), atol=1e-5)
    assert (narrow.sign() == wide.sign()).all()
    assert (narrow.abs() <= wide.abs()).all()
    assert not none.any()


def sampler(prior):
    space = Space((1, 8, 8))
    return Sampler(part("model", "mlp").generator(space.shape), space, prior)


def test_what_truncation_means_is_a_matter_of_the_generator():
    assert truncated(sampler(Normal(std=2.0)), 0.7).prior == Squeezed(0.7, 2.0)
    assert truncated(sampler(Truncated(bound=2.0)), 1.0).prior == Truncated(1.0)
    assert truncated(sampler(Truncated(bound=2.0)), 3.0).prior == Truncated(2.0)
    with pytest.raises(UserMistake, match="prior=normal"):
        truncated(sampler(Uniform()), 0.7)


def test_a_generator_that_maps_its_codes_has_a_psi():
    mapped = sampler(Normal())
    mapped.generator.psi = 1.0
    assert truncated(mapped, 0.5).generator.psi == 0.5
    assert mapped.prior == Normal()
    with pytest.raises(UserMistake, match="0 to 1"):
        truncated(mapped, 2.0)
