"""The laws of data that is known exactly: what is sampled is what the density says."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from gan_cli.dataset.checkerboard import Checkerboard
from gan_cli.dataset.curve import Curve
from gan_cli.dataset.density import Cumulative, Modal, Toy
from gan_cli.dataset.dirac import Dirac
from gan_cli.dataset.gaussian import Gaussian
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.pinwheel import Pinwheel
from gan_cli.dataset.points import Points
from gan_cli.dataset.ring import Ring
from gan_cli.dataset.segments import Segments
from gan_cli.dataset.source import Density, Endless
from gan_cli.dataset.spiral import Spiral
from tests.conftest import entries
from tests.games import part
from tests.laws.test_conf import maker, spelled

CPU = torch.device("cpu")
N = 20_000
TILES = 20
SIDE = 840
"""Cells along a side where nothing tells the scale; the edges of both boards fall between them."""

NAMES = [
    name
    for name in entries("dataset")
    if hasattr(maker(spelled("dataset", name)["_target_"]), "sample")
]

OTHERS: dict[str, Toy] = {  # where the defaults are too even to tell one argument from another
    "segments that touch and overlap": Segments((-1.0, 0.0, 1.5), (0.0, 2.0, 4.0), (1, 2, 5)),
    "three weighed points": Points((-1.0, 0.5, 3.0), (3, 1, 2)),
    "a narrow mixture": Mixture((5, 2, 1), (-3.0, 0.0, 0.5), (0.1, 0.02, 0.5)),
    "three arms": Spiral(arms=3, turns=0.7, std=0.1),
    "a ring of three": Ring(modes=3, radius=2.0, std=0.3),
    "a pinwheel of three": Pinwheel(blades=3, radial_std=0.1, tangential_std=0.2, rate=0.1),
    "an odd board": Checkerboard(side=3, size=0.5),
    "a moved Gaussian": Gaussian(mean=3.0, std=0.1),
}
NAMES += OTHERS


@cache
def toy(name: str) -> Toy:
    return OTHERS.get(name) or part("dataset", name)


@cache
def samples(name: str) -> Tensor:
    return toy(name).sample(N, torch.Generator().manual_seed(1))


def having(kind: type) -> list[str]:
    return [name for name in NAMES if isinstance(toy(name), kind)]


def on_the_line(names: list[str]) -> list[str]:
    return [name for name in names if toy(name).shape == (1,)]


DENSITIES, LINES = having(Density), on_the_line(having(Cumulative))
ATOMS = {"dirac", "line", "points", "three weighed points"}


@cache
def cells(name: str) -> tuple[Tensor, Tensor, float]:
    """Middles of cells over the frame `(M, d)`, the log density there, and a cell's volume.

    In the plane a cell is no wider than a standard deviation where there is one: the sum over cells
    is then the integral to eight digits, for a Gaussian.
    """
    density = toy(name)
    assert isinstance(density, Density)
    sides = []
    for low, high in density.frame:
        count = 20_000
        if density.shape == (2,):
            fine = density.std / 1.25 if isinstance(density, Curve) else getattr(density, "std", 0)
            count = TILES * math.ceil((high - low) / fine / TILES) if fine else SIDE
        step = (high - low) / count
        sides.append(low + step * (torch.arange(count, dtype=torch.float64) + 0.5))
    x = torch.cartesian_prod(*sides).view(-1, len(sides))
    log_p = torch.cat([density.log_prob(chunk.float()) for chunk in x.split(50_000)]).double()
    return x, log_p, math.prod(float(side[1] - side[0]) for side in sides)


def test_the_toys_of_the_field_are_there():
    plane = {name for name in NAMES if toy(name).shape == (2,)}
    assert {"ring", "grid25", "grid100", "swiss_roll", "moons", "spiral", "pinwheel"} < plane
    assert {"checkerboard", "line"} < plane
    assert set(NAMES) - plane >= {"gaussian", "two_gaussians", "mixture", "segments", "dirac"}
    assert set(NAMES) - set(DENSITIES) == ATOMS, "these alone have no density"


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_a_function_of_the_generator(name):
    density = toy(name)
    before = torch.get_rng_state()
    one, two = (density.sample(9, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())
    assert (one.shape, one.dtype, one.device) == ((9, *density.shape), torch.float32, CPU)
    other = density.sample(9, torch.Generator().manual_seed(6))
    assert isinstance(density, Dirac) or not torch.equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_a_function_of_seed_and_number(name):
    source = toy(name).load()
    assert isinstance(source, Endless)
    feed, again = source.open(6, 3, CPU), source.open(6, 3, CPU)
    feed(0)
    assert torch.equal(feed(4).x, again(4).x)
    assert isinstance(toy(name), Dirac) or not torch.equal(feed(4).x, feed(5).x)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_holds_the_samples_with_room_around_them(name):
    low, high = torch.tensor(toy(name).frame).T
    x = samples(name)
    assert float(((x > low) & (x < high)).all(1).float().mean()) >= 0.999
    assert (x.median(0).values > low).all()
    widest = (x.amax(0) - x.amin(0)).max()
    assert (high - low <= 2.5 * widest.clamp(min=0.8)).all(), "mostly empty"


@pytest.mark.parametrize("name", DENSITIES)
def test_the_density_integrates_to_one(name):
    _, log_p, volume = cells(name)
    assert float(log_p.exp().sum()) * volume == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_are_as_likely_as_the_density_says(name):
    """The mean log density of samples is minus the entropy, to five standard errors."""
    _, log_p, volume = cells(name)
    entropy = -float((log_p.exp() * log_p.clamp(min=-1e4)).sum()) * volume
    told = toy(name).log_prob(samples(name).double())
    assert told.isfinite().all()
    error = float(told.std()) / math.sqrt(N)
    assert float(told.mean()) == pytest.approx(-entropy, abs=5 * error + 2e-3)


@pytest.mark.parametrize("name", [name for name in DENSITIES if name not in having(Modal)])
def test_samples_fall_where_the_density_is(name):
    """Chi-square over tiles of the frame: as far from what is expected as chance is."""
    density = toy(name)
    low, high = torch.tensor(density.frame, dtype=torch.float64).T
    base = TILES ** torch.arange(len(low))

    def tile(x: Tensor) -> Tensor:
        return (((x - low) / (high - low) * TILES).long().clamp(0, TILES - 1) * base).sum(1)

    x, log_p, volume = cells(name)
    expected = torch.zeros(TILES ** len(low), dtype=torch.float64)
    expected.index_add_(0, tile(x), N * log_p.exp() * volume)
    found = torch.bincount(tile(samples(name).double()), minlength=len(expected))
    used = expected >= 10
    count = int(used.sum())
    assert count >= 8
    square = float(((found - expected).square() / expected)[used].sum())
    assert square < count + 5 * math.sqrt(2 * count)
    rest = float(expected[~used].sum())
    assert abs(float(found[~used].sum()) - rest) <= 5 * math.sqrt(rest) + 1


@pytest.mark.parametrize("name", LINES)
def test_samples_follow_the_distribution_function(name):
    """Kolmogorov-Smirnov: no farther off than one sample of ten thousand is by chance."""
    x = samples(name).double().sort(0).values
    told = toy(name).cdf(x).squeeze(1)
    assert told.shape == (N,)
    assert (told.diff() >= 0).all()
    up_to = torch.searchsorted(x.squeeze(1), x.squeeze(1), right=True) / N
    assert float((told - up_to).abs().max()) < math.sqrt(-math.log(1e-4 / 2) / (2 * N))


@pytest.mark.parametrize("name", LINES)
def test_the_distribution_function_rises_from_0_to_1_by_the_density(name):
    [(low, high)] = toy(name).frame
    x = torch.linspace(low, high, 20_001, dtype=torch.float64)
    cdf = toy(name).cdf(x)
    assert cdf.shape == x.shape, "elementwise"
    assert float(cdf[0]) == pytest.approx(0, abs=1e-4)
    assert float(cdf[-1]) == pytest.approx(1, abs=1e-4)
    if name in DENSITIES:
        middles, log_p, volume = cells(name)
        assert torch.allclose(middles.squeeze(1), (x[1:] + x[:-1]) / 2)
        assert torch.allclose(log_p.exp().cumsum(0) * volume, cdf[1:], atol=1e-3)


@pytest.mark.parametrize("name", having(Modal))
def test_modes_are_used_as_often_and_as_widely_as_they_should(name):
    """In the plane 98.889 % of a Gaussian is within 3 standard deviations, on the line 99.730 %."""
    density = toy(name)
    means, std = density.means, torch.as_tensor(density.std).float()
    assert means.shape == (len(density.shares), *density.shape)
    assert float(density.shares.sum()) == pytest.approx(1)
    distance, nearest = (torch.cdist(samples(name), means) / std).min(1)
    apart = torch.cdist(means, means) + 1e9 * torch.eye(len(means))
    if len(means) == 1 or float((apart / std).min()) > 7:
        share = torch.bincount(nearest, minlength=len(means)) / N
        error = (density.shares / N).sqrt()
        assert ((share - density.shares).abs() < 5 * error).all()
    if len(means) == 1 or float((apart / std).min()) > 6:
        perfect = 1 - math.exp(-4.5) if density.shape == (2,) else math.erf(3 / math.sqrt(2))
        error = math.sqrt(perfect * (1 - perfect) / N)
        assert float((distance < 3).double().mean()) == pytest.approx(perfect, abs=4 * error)


@pytest.mark.parametrize("name", DENSITIES)
def test_the_density_takes_doubles_and_far_places(name):
    density = toy(name)
    x = samples(name)[:50]
    assert density.log_prob(x.double()).dtype == torch.float64
    assert torch.allclose(density.log_prob(x).double(), density.log_prob(x.double()), atol=2e-3)
    far = density.log_prob(torch.full((1, *density.shape), 300.0))
    assert (far < -100).all()


def test_each_has_a_fingerprint_of_its_own():
    assert len({toy(name).load().fingerprint for name in NAMES}) == len(NAMES)
