"""`sweep`: one code changes from row to row, and nothing else does."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from gan_cli.errors import UserMistake
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.sweep import rows, sweep
from tests.games import part

CODES = dataclasses.replace(part("prior", "codes"), categories=(3, 4), continuous=2)
DIM = 12
PLACES = [(0, 0, 3), (1, 3, 7), (2, 7, 8), (3, 8, 9)]


@pytest.mark.parametrize(("code", "start", "stop"), PLACES)
def test_a_code_takes_each_of_its_values_and_the_rest_stays(code, start, stop):
    z = CODES(5, DIM, generator=torch.Generator().manual_seed(0))
    swept = sweep(CODES, z, code)
    here = torch.zeros(DIM, dtype=torch.bool)
    here[start:stop] = True
    assert (swept[:, :, ~here] == z[:, ~here]).all()
    values = torch.eye(stop - start) if code < 2 else torch.linspace(-2, 2, 9)[:, None]
    for row, value in zip(swept, values, strict=True):
        assert (row[:, here] == value).all()


def test_of_a_prior_without_codes_each_number_is_one():
    z = torch.randn(4, DIM)
    swept = sweep(part("prior", "normal"), z, 11)
    assert swept[:, 0, 11].tolist() == pytest.approx([-2 + 0.5 * k for k in range(9)])
    assert torch.equal(swept[0, :, :11], z[:, :11])


@pytest.mark.parametrize(
    ("prior", "code", "last"), [(CODES, 4, 3), (part("prior", "normal"), 12, 11)]
)
def test_a_code_that_there_is_not_is_refused_with_those_there_are(prior, code, last):
    with pytest.raises(UserMistake, match=f"the codes 0 to {last}"):
        sweep(prior, torch.zeros(1, DIM), code)


def test_more_categories_than_a_picture_shows_are_refused():
    many = dataclasses.replace(CODES, categories=(60_000,))
    with pytest.raises(UserMistake, match="60000 categories"):
        sweep(many, torch.zeros(1, 60_004), 0)


def test_a_column_shares_the_rest_of_z_and_the_class():
    model = dataclasses.replace(part("model", "mlp"), z_dim=DIM, width=8)
    space = Space((1, 8, 8), ("a", "b"))
    sampler = Sampler(part("condition", "concat").generator(model, space), space, CODES)
    x = rows(sampler, 0, 5, seed=3)
    assert x.shape == (15, 1, 8, 8)
    z, c = sampler.codes(range(5), 3), torch.tensor([0, 1, 0, 1, 0])
    kept = z[:, :3].argmax(1)
    for column in range(5):  # in one of its rows each sample is what it was
        assert torch.equal(x[5 * kept[column] + column], sampler.generate(z, c)[column])
