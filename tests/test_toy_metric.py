"""Metrics where the law of the data is known: what toys show in training, and what can't be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gan_cli.dataset.grid import Grid
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.points import Points
from gan_cli.dataset.ring import Ring
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.metric import Exam, Sight, Untrue
from gan_cli.metric.cells import least
from gan_cli.metric.divergence import Divergences
from gan_cli.metric.law import Law
from gan_cli.metric.modes import CapturedModes
from gan_cli.model.mlp import MLP
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.toy.measure import look
from tests.games import part
from tests.test_toy import Shifted

MODES, DENSITY = CapturedModes(), Divergences()


def drawn(data, n: int, seed: int) -> Tensor:
    return data.sample(n, torch.Generator().manual_seed(seed))


def exam(data, fake: Tensor, n: int = 10_000) -> Exam:
    return Exam(Sight(drawn(data, n, 99)), Sight(fake), law=data)


@pytest.mark.parametrize("name", ["ring", "gaussian"])
def test_they_are_the_numbers_that_training_shows_of_the_same_samples(name):
    data = part("dataset", name)
    law = Law(data, 3, 2000)
    sampler = Sampler(Shifted(data, 0.02, 1.1), Space(data.shape))
    D = MLP(2, 16, 1).discriminator(data.shape)
    numbers = look(sampler, D, NonSaturating(), law).numbers
    x = sampler.sample(law.n, 3, 2048)
    asked = Exam(Sight(drawn(data, law.n, 1)), Sight(x), law=data, seed=3)
    told = {name: one.value for m in (MODES, DENSITY) for name, one in m(asked).items()}
    shown = {name: numbers[name] for name in numbers if name in told}
    assert told == shown
    assert {"modes", "quality", "js", "kl", "reverse_kl", "w1", "js_floor"} <= told.keys()
    assert told.keys() <= MODES.figures.keys() | DENSITY.figures.keys()


@pytest.mark.parametrize("data", [Ring(), Grid(), Mixture()], ids=lambda d: type(d).__name__)
def test_a_perfect_sampler_is_hardly_ever_refused(data):
    """Three standard errors are passed once in 740 times, and shares more even once in 1,000."""
    refused = 0
    for seed in range(50):
        try:
            MODES(exam(data, drawn(data, 10_000, seed)))
        except Untrue:
            refused += 1
    assert refused <= 1


def test_where_modes_overlap_the_share_of_the_data_themselves_is_the_measure():
    """Of a narrow Gaussian beside a wide one, what is beyond 3 of its own std is near the other."""
    told = MODES(exam(Mixture(), drawn(Mixture(), 200_000, 0)))
    assert told["quality"].value > 0.99730 + 3 * (0.0027 / 200_000) ** 0.5


@pytest.mark.parametrize("scale", [0.5, 0.95])
def test_shrunken_modes_are_refused_and_called_so(scale):
    mode = torch.arange(10_000) % 8
    x = Ring().means[mode] + scale * 0.01 * torch.randn(10_000, 2)
    with pytest.raises(Untrue, match=r"sampler's 98\.89% ± 0\.10%: the modes have shrunk, to 0\."):
        MODES(exam(Ring(), x))


def test_as_many_samples_of_each_mode_are_no_independent_samples():
    x = Grid().means[torch.arange(10_000) % 25] + Grid().std * torch.randn(10_000, 2)
    with pytest.raises(Untrue, match="not drawn independently"):
        MODES(exam(Grid(), x))


def test_quality_knows_its_error_and_fewer_samples_are_told_with_more_patience():
    told = MODES(exam(Ring(), drawn(Ring(), 10_000, 0)))
    assert told["quality"].error == pytest.approx(0.00105, rel=0.1)
    assert MODES(exam(Ring(), drawn(Ring(), 100, 0)))["quality"].error > 0.01
    all_good = Ring().means[torch.randint(8, (100,))] + 0.001
    assert MODES(exam(Ring(), all_good))["quality"].value == 1.0  # of 100, by chance


def test_no_shares_are_told_of_modes_that_are_not_there():
    told = MODES(exam(Ring(), drawn(Ring(), 1000, 0) + 9))
    assert told.keys() == {"modes", "quality", "quality_gap"}


def test_a_shifted_gaussian_is_as_far_as_it_is_known_to_be():
    data = part("dataset", "gaussian")
    told = DENSITY(exam(data, drawn(data, 20_000, 0) + 1, 20_000))
    assert told["kl"].value == pytest.approx(0.5, rel=0.06)
    assert told["reverse_kl"].value == pytest.approx(0.5, rel=0.06)
    assert told["js"].value == pytest.approx(0.11142, rel=0.05)
    assert told["w1"].value == pytest.approx(1, abs=0.03)


def test_a_block_less_is_seen_as_finely(monkeypatch):
    data = part("dataset", "gaussian")
    whole = exam(data, drawn(data, 5000, 0), 5000)
    told = DENSITY(whole)
    monkeypatch.setattr(Law, "draw", None)  # nothing is drawn again
    less = DENSITY(whole.without(0, 10))
    assert less["js_floor"] == told["js_floor"]
    assert less["js"].value == pytest.approx(told["js"].value, abs=1e-3)
    assert less["js"] != told["js"]


def test_what_has_no_law_or_too_many_dimensions_is_refused_with_what_to_type():
    x = torch.zeros(10, 3)
    unknown = Exam(Sight(x), Sight(x))
    assert "dataset=ring" in str(MODES.refuses(unknown))
    assert "dataset=ring" in str(DENSITY.refuses(unknown))
    space = Points(places=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert "line or in the plane" in str(DENSITY.refuses(Exam(Sight(x), Sight(x), law=space)))
    assert MODES.refuses(exam(Ring(), drawn(Ring(), 10, 0))) is None
    assert "mixture" in str(MODES.refuses(exam(part("dataset", "moons"), x)))


@pytest.mark.parametrize(("kinds", "n"), [(25, 2500), (1000, 26_000), (1000, 260)])
def test_no_histogram_is_more_even_than_chance_allows(kinds, n):
    shares = torch.ones(kinds).double().numpy()
    limit = least(shares, n)
    for seed in range(20):
        counts = torch.randint(kinds, (n,), generator=torch.Generator().manual_seed(seed))
        p = counts.bincount(minlength=kinds).double() / n
        assert float(torch.special.xlogy(p, p * kinds).sum()) > limit
    even = (torch.arange(n) % kinds).bincount(minlength=kinds).double() / n
    assert float(torch.special.xlogy(even, even * kinds).sum()) < limit
