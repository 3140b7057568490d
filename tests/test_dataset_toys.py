"""Toys: values by hand, shapes as others draw them, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.datasets import make_moons, make_swiss_roll
from torch import Tensor

from gan_cli.dataset.checkerboard import Checkerboard
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
from gan_cli.dataset.spiral import Spiral
from gan_cli.dataset.swiss_roll import SwissRoll


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
    assert (Dirac(0.5).sample(4, torch.Generator()) == 0.5).all()
    assert Dirac(0.5).cdf(x).flatten().tolist() == [0, 1, 1]
    assert Grid().means.unique().tolist() == [-4, -2, 0, 2, 4]
    assert len(Grid(side=10).means) == 100


def test_moons_and_roll_are_those_of_scikit_learn():
    """Their noiseless points lie on our curves, up to where the middle is, and the scale."""
    moons = torch.from_numpy(make_moons(200, noise=0.0)[0]) - torch.tensor([0.5, 0.25])
    roll = torch.from_numpy(make_swiss_roll(200, noise=0.0)[0][:, [0, 2]]) / 7.5
    s = torch.linspace(0, 1, 4001, dtype=torch.float64)
    for curve, points in ((Moons(), moons), (SwissRoll(), roll)):
        assert float(torch.cdist(points, curve.path(s).flatten(0, 1)).min(1).values.max()) < 5e-3


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
