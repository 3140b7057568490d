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
from gan_cli.dataset.grid import Grid
from gan_cli.dataset.line import Line
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.moons import Moons
from gan_cli.dataset.pinwheel import Pinwheel
from gan_cli.dataset.points import Points
from gan_cli.dataset.ring import Ring
from gan_cli.dataset.segments import Segments
from gan_cli.dataset.source import Density, Distribution, Endless
from gan_cli.dataset.spiral import Spiral
from gan_cli.dataset.swiss_roll import SwissRoll
from tests.conftest import entries
from tests.games import part
from tests.laws.test_conf import maker, spelled

CPU = torch.device("cpu")
N = 20_000
TILES = 20
SIDE = 560
"""Cells along a side where nothing tells the scale; the checkerboard's edges fall between them."""

NAMES = [
    name
    for name in entries("dataset")
    if hasattr(maker(spelled("dataset", name)["_target_"]), "sample")
]


@cache
def toy(name: str) -> Toy:
    return part("dataset", name)


@cache
def samples(name: str) -> Tensor:
    return toy(name).sample(N, torch.Generator().manual_seed(1))


def having(kind: type) -> list[str]:
    return [name for name in NAMES if isinstance(toy(name), kind)]


def on_the_line(names: list[str]) -> list[str]:
    return [name for name in names if toy(name).shape == (1,)]


DENSITIES, LINES = having(Density), on_the_line(having(Cumulative))
ATOMS = {"dirac", "line", "points"}


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
            fine = density.std / 1.5 if isinstance(density, Curve) else getattr(density, "std", 0)
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


def test_known_answers():
    x = torch.tensor([[-1.0], [0.5], [3.0]], dtype=torch.float64)

    def normal(x: Tensor, mean: float, std: float) -> Tensor:
        return (-((x - mean) ** 2) / (2 * std**2)).exp() / (std * math.sqrt(2 * math.pi))

    by_hand = 0.33 * normal(x, -1, 0.255) + 0.67 * normal(x, 2, 1.4142)
    assert torch.allclose(Mixture().log_prob(x), by_hand.log().squeeze(1))
    assert Segments(lows=(0.0,), highs=(4.0,), weights=(1.0,)).log_prob(x).tolist() == [
        -math.inf,
        -math.log(4),
        -math.log(4),
    ]
    overlapping = Segments(lows=(0.0, 0.0), highs=(1.0, 2.0), weights=(1.0, 1.0))
    assert overlapping.log_prob(x).exp().tolist() == [0, 0.75, 0]
    board = torch.tensor([[-1.5, -1.5], [-1.5, -0.5]])
    assert Checkerboard().log_prob(board).tolist() == [pytest.approx(-math.log(8)), -math.inf]
    assert Points(places=[-1.0, 1.0], weights=[1.0, 3.0]).cdf(x).flatten().tolist() == [
        0.25,
        0.25,
        1,
    ]
    assert Dirac(0.5).cdf(x).flatten().tolist() == [0, 1, 1]
    assert Grid().means.unique().tolist() == [-4, -2, 0, 2, 4]
    assert len(Grid(side=10).means) == 100


def test_a_line_is_where_it_is_said_to_be():
    x = Line(theta=0.7).sample(1000, torch.Generator().manual_seed(0))
    assert (x[:, 0] == torch.tensor(0.7)).all()
    assert 0 <= float(x[:, 1].min()) < 0.01 < 0.99 < float(x[:, 1].max()) <= 1


def test_points_live_in_any_dimension():
    points = Points(places=[[0, 0, 1], [1, 2, 3]], weights=[1, 3])
    x = points.sample(4000, torch.Generator().manual_seed(0))
    assert points.shape == (3,)
    assert float((x == torch.tensor([1.0, 2.0, 3.0])).all(1).float().mean()) == pytest.approx(
        0.75, abs=0.03
    )
    with pytest.raises(ValueError, match="no order"):
        points.cdf(x)


def test_the_pinwheel_twists_by_turning_alone():
    """The density at a point is that of its place on the straight blade, so radii stay."""
    straight = Pinwheel(blades=1, rate=1e-9).sample(500, torch.Generator().manual_seed(0))
    twisted = Pinwheel(blades=1).sample(500, torch.Generator().manual_seed(0))
    assert torch.allclose(straight.norm(dim=1), twisted.norm(dim=1), atol=1e-5)
    assert not torch.allclose(straight, twisted, atol=0.1)


def test_a_curve_is_the_mixture_of_all_its_places():
    """The quadrature against a sum of 20,000 Gaussians, on the curve and off it."""
    for curve in (SwissRoll(), Moons(), Spiral(arms=3, std=0.1)):
        s = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
        places, weight = curve.path(s), curve.weight(s)[:, None]
        x = torch.cat([places[::5000, 0], torch.tensor([[0.3, -0.2], [1.2, 0.9]]).double()])
        square = (x[:, None, None] - places).square().sum(-1)
        p = (weight * (-square / (2 * curve.std**2)).exp()).mean((1, 2))
        p = p / (2 * math.pi * curve.std**2)
        assert torch.allclose(curve.log_prob(x).exp(), p, rtol=1e-4, atol=1e-12)


def test_lists_make_the_same_data_as_tuples():
    """YAML gives lists; the fingerprint comes from the printed form."""
    one = Mixture([0.5, 0.5], [0, 1], [1, 1])
    two = Mixture((0.5, 0.5), (0.0, 1.0), (1.0, 1.0))
    assert len({one, two}) == 1
    assert one.load().fingerprint == two.load().fingerprint
    assert (
        Points([[0, 1]], [1]).load().fingerprint == Points(((0.0, 1.0),), (1.0,)).load().fingerprint
    )
    prints = {toy(name).load().fingerprint for name in NAMES}
    assert len(prints) == len(NAMES)


BAD = [
    (Gaussian, {"std": 0.0}),
    (Gaussian, {"mean": math.nan}),
    (Mixture, {"weights": [1.0]}),
    (Mixture, {"weights": [1.0, 0.0]}),
    (Mixture, {"stds": [1.0, -1.0]}),
    (Mixture, {"stds": [1.0]}),
    (Mixture, {"centers": []}),
    (Mixture, {"centers": 3.0}),
    (Mixture, {"centers": ["a", "b"]}),
    (Mixture, {"centers": [0.0, math.inf]}),
    (Segments, {"highs": [1.0]}),
    (Segments, {"highs": [-3.0, 2.0]}),
    (Segments, {"weights": [1.0, -1.0]}),
    (Points, {"places": [[0.0, 1.0], [2.0]]}),
    (Points, {"places": [[0.0, 1.0], 2.0]}),
    (Points, {"places": []}),
    (Points, {"weights": [1.0]}),
    (Dirac, {"place": math.inf}),
    (Line, {"theta": math.nan}),
    (Ring, {"modes": 0}),
    (Grid, {"side": 0}),
    (Grid, {"spacing": 0.0}),
    (Grid, {"std": -1.0}),
    (SwissRoll, {"noise": 0.0}),
    (SwissRoll, {"scale": 0.0}),
    (Moons, {"std": 0.0}),
    (Spiral, {"arms": 0}),
    (Spiral, {"turns": 0.0}),
    (Pinwheel, {"blades": 0}),
    (Pinwheel, {"rate": math.inf}),
    (Checkerboard, {"side": 0}),
    (Checkerboard, {"size": 0.0}),
]


@pytest.mark.parametrize(("kind", "values"), BAD)
def test_impossible_values_are_refused(kind, values):
    """By the name of the argument, which `dataset.` is put before."""
    [name] = values
    with pytest.raises(ValueError, match=rf"^{name} (must|is)"):
        kind(**values)


def test_every_kind_of_toy_refuses_something():
    kinds = {type(toy(name)) for name in NAMES}
    assert {kind for kind, _ in BAD} >= kinds
    assert all(isinstance(toy(name), Distribution) for name in NAMES)
